//! The Markdown, read by a real parser: tables have as many cells in each row as in their heads, folds and
//! fences are closed, and no text has become markup.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::fixture::{everything, good, report};

/// Parses a document and checks its form; gives back the text that a reader sees, and its mermaid blocks.
pub(crate) fn read(document: &str) -> (String, Vec<String>) {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let (mut text, mut diagrams, mut html) = (String::new(), Vec::new(), String::new());
    let (mut head, mut cells, mut in_mermaid) = (0, 0, false);
    for event in Parser::new_ext(document, options) {
        match event {
            Event::Start(Tag::TableHead | Tag::TableRow) => cells = 0,
            Event::Start(Tag::TableCell) => cells += 1,
            Event::End(TagEnd::TableHead) => head = cells,
            Event::End(TagEnd::TableRow) => assert_eq!(cells, head, "a row differs from the head of its table"),
            Event::Start(Tag::CodeBlock(kind)) => {
                in_mermaid = matches!(&kind, pulldown_cmark::CodeBlockKind::Fenced(name) if name.as_ref() == "mermaid");
                if in_mermaid {
                    diagrams.push(String::new());
                }
            }
            Event::End(TagEnd::CodeBlock) => in_mermaid = false,
            Event::Text(content) if in_mermaid => diagrams.last_mut().expect("just begun").push_str(&content),
            Event::Text(content) => text.push_str(&content),
            Event::SoftBreak | Event::HardBreak => text.push(' '),
            Event::Html(content) | Event::InlineHtml(content) => html.push_str(&content),
            Event::Start(tag @ (Tag::Link { .. } | Tag::Image { .. } | Tag::Emphasis | Tag::Strikethrough)) => {
                panic!("text has become {tag:?} in:\n{document}")
            }
            Event::Code(code) => panic!("text has become code: {code}"),
            _ => {}
        }
    }
    check_html(&html);
    check_rows(document);
    (text, diagrams)
}

/// The only HTML is that of the folds, balanced, and what stands in their titles is text.
fn check_html(html: &str) {
    let tags: Vec<&str> =
        html.match_indices('<').map(|(at, _)| html[at..].split_once('>').expect("a tag is closed").0).collect();
    let mut depth = 0_i32;
    for tag in tags {
        match tag {
            "<details" => depth += 1,
            "</details" => depth -= 1,
            "<summary" | "</summary" | "<b" | "</b" => {}
            other => panic!("HTML that is none of ours: {other}"),
        }
        assert!(depth >= 0, "a fold is closed that was not opened");
    }
    assert_eq!(depth, 0, "every fold is closed");
}

/// GitHub drops cells beyond the head and invents missing ones, as the parser does; so rows are counted as
/// they are written. A bar in a text is a character reference.
fn check_rows(document: &str) {
    let mut head = None;
    let mut fence: Option<usize> = None;
    for line in document.lines() {
        let ticks = line.bytes().take_while(|b| *b == b'`').count();
        match fence {
            Some(open) if ticks >= open && ticks == line.len() => fence = None,
            Some(_) => {}
            None if ticks >= 3 => fence = Some(ticks),
            None if line.starts_with('|') => {
                let cells = line.matches('|').count();
                assert_eq!(cells, *head.get_or_insert(cells), "{line}");
                continue;
            }
            None => {}
        }
        head = None;
    }
    assert_eq!(fence, None, "every fence is closed");
}

#[test]
fn tables_folds_and_fences_are_well_formed() {
    let (text, diagrams) = read(&report(everything()).to_markdown());
    assert_eq!(diagrams.len(), 1, "40 messages at most make a diagram; 41 are text");
    for word in ["HOLDS", "BROKEN", "UNDECIDED", "NOT RUN"] {
        assert!(text.contains(word), "{word} is missing");
    }
    for extent in ["proved", "all states", "within a bound", "enumerated", "tested"] {
        assert!(text.contains(extent), "{extent} is missing");
    }
}

#[test]
fn everything_that_a_reviewer_is_owed_is_there() {
    let (text, _) = read(&report(everything()).to_markdown());
    let owed = [
        "what goes wrong for a person if exact-bits breaks",
        "arch/x86/kernel/ldt.c",
        "A1: interrupts are off in the switch",
        "bound: at most 2 preemptions",
        "witness: ",
        "freed-early",
        "12345 states, 23456 transitions, 17 depth",
        "0.25",
        "length > 0: the ioctl refuses 0 (proofs/src/lib.rs:12)",
        "herd7 is not installed; opam install herdtools7",
        "exact 0.1.0, stateright 0.31.0",
        "0123456789abcdef0123456789abcdef01234567",
        "linux x86_64 (Example 3000, 2 threads, 16 GiB)",
        "kverdict check ldt/mainline --engine exact",
        "stopped at a limit; cpus=2,tasks=1; the time was up after 5 s",
        "step W1Write never happens",
    ];
    for words in owed {
        assert!(text.contains(words), "{words} is missing in:\n{text}");
    }
}

#[test]
fn a_shortened_report_is_within_its_limit_well_formed_and_says_so() {
    let report = report(everything());
    let whole = report.to_markdown();
    assert_eq!(report.to_markdown_within(whole.len(), None), whole);
    let link = "https://example.org/run/1";
    for limit in (1_000..whole.len()).step_by(97) {
        let short = report.to_markdown_within(limit, Some(link));
        assert!(short.len() <= limit, "{} bytes, {limit} allowed", short.len());
        let (text, _) = read(&short);
        assert!(text.contains("Shortened from") && text.contains(link), "{text}");
        assert!(text.contains("NOT as expected"), "{text}");
    }
}

#[test]
fn a_run_without_a_base_says_that_it_was_not_compared() {
    let report = reports::report::Report::new(good(), None, false);
    assert!(read(&report.to_markdown()).0.contains("Not compared with a base"));
    assert!(report.to_html().contains("Not compared with a base"));
}
