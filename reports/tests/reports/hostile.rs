//! Names, messages and traces that contain syntax, control characters or very long text: every rendering
//! stays well-formed, shows the text as text, and no text becomes markup.

use proptest::prelude::*;
use reports::baseline::Baseline;
use reports::report::Report;
use reports::results::{Counterexample, Run, Summary};
use reports::timeline::Timeline;

use crate::fixture::everything;
use crate::{html, junit, markdown, mermaid, sarif};

/// Pieces that some format reads as syntax.
const PIECES: &[&str] = &[
    "|",
    "`",
    "```",
    "~~~",
    "*",
    "**bold**",
    "_",
    "~~",
    "<",
    ">",
    "<b>",
    "</details>",
    "<details>",
    "<!--",
    "-->",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "]]>",
    "<![CDATA[",
    "&",
    "&amp;",
    "&#60;",
    "&lt;",
    "\"",
    "'",
    "\\",
    "\n",
    "\n\n",
    "\r\n",
    "\t",
    "# ",
    "#",
    "#35;",
    "##",
    "- ",
    "+ ",
    "1. ",
    "1) ",
    "===",
    "---",
    "> ",
    "[x](http://example.org)",
    "![x](y)",
    "[x]",
    "http://example.org",
    "https://example.org/#a",
    "www.example.org",
    "a@example.org",
    "@someone",
    ":smile:",
    "$x$",
    "$$",
    "{",
    "}",
    "{0}",
    "{{ run }}",
    "{% raw %}",
    "%%",
    "%%{init: {}}%%",
    ";",
    ":",
    "->>",
    "L0->>L1: x",
    "Note over L0: x",
    "end",
    "loop x",
    "participant X",
    "sequenceDiagram",
    "\u{0}",
    "\u{1}",
    "\u{7}",
    "\u{1b}[31m",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{202e}",
    "\u{2066}",
    "\u{feff}",
    "\u{fffe}",
    "\u{ffff}",
    "\u{200b}",
    "é",
    "日本",
    "🐧",
    "a",
    "b c",
    " ",
    "0",
    "wrap:",
    "style",
    "javascript:alert(1)",
    "%41",
    "as",
    "::",
    "::::",
    "\u{a0}",
    "<svg onload=x>",
    "</svg>",
    "</pre>",
    "</text>",
    "</style>",
    "<?x?>",
    "- [ ] ",
];

fn hostile_text() -> impl Strategy<Value = String> {
    let pieces = || proptest::collection::vec(proptest::sample::select(PIECES), 0..8).prop_map(|p| p.concat());
    prop_oneof![
        6 => pieces(),
        2 => proptest::collection::vec(any::<char>(), 0..20).prop_map(|c| c.into_iter().collect()),
        1 => (pieces(), 200..700_usize).prop_map(|(text, times)| text.repeat(times)),
    ]
}

/// Puts texts into every field that holds one. Enough differ that a record's name stays its own.
fn poisoned(texts: &[String]) -> Run {
    let mut texts = texts.iter().cycle().cloned();
    let mut next = move || texts.next().expect("it goes round");
    let mut run = everything();
    (run.tool.version, run.tool.compiler, run.tool.commit) = (next(), next(), Some(next()));
    (run.machine.platform, run.machine.processor, run.started) = (next(), Some(next()), next());
    run.command = vec![next(), next()];
    for engine in &mut run.engines {
        engine.version = Some(next());
        if let Some(why) = &mut engine.not_run {
            (why.reason, why.how_to_run) = (next(), next());
        }
    }
    for (index, mechanism) in run.mechanisms.iter_mut().enumerate() {
        let name = format!("{}{index}", next());
        for record in run.verdicts.iter_mut().filter(|record| record.mechanism == mechanism.name) {
            record.mechanism.clone_from(&name);
        }
        mechanism.name = name;
        (mechanism.title, mechanism.question, mechanism.source) = (next(), next(), next());
        mechanism.assumptions = vec![next(), next()];
    }
    for (index, record) in run.verdicts.iter_mut().enumerate() {
        record.variant = format!("{}{index}", next());
        (record.what, record.origin, record.size) = (next(), next(), next());
        (record.expected_because, record.reproduce) = (next(), next());
        record
            .bounds
            .iter_mut()
            .chain(&mut record.assumptions)
            .chain(&mut record.differences)
            .for_each(|t| *t = next());
        record.counts.iter_mut().for_each(|count| count.name = next());
        record.steps.iter_mut().for_each(|step| (step.kind, step.stated_at) = (next(), next()));
        record.limit.iter_mut().for_each(|limit| *limit = next());
        for property in &mut record.properties {
            (property.name, property.says, property.stated_at) = (next(), next(), next());
            match &mut property.counterexample {
                Some(Counterexample::Timeline(timeline)) => poison(timeline, &mut next),
                Some(Counterexample::Numbers(numbers)) => numbers.iter_mut().for_each(|n| *n = (next(), next())),
                Some(Counterexample::Text(text)) => *text = next(),
                None => {}
            }
        }
        if let Some(why) = &mut record.not_run {
            (why.reason, why.how_to_run) = (next(), next());
        }
    }
    run.summary = Summary::of(&run.verdicts);
    run
}

fn poison(timeline: &mut Timeline, next: &mut impl FnMut() -> String) {
    (timeline.mechanism, timeline.variant, timeline.size) = (next(), next(), next());
    (timeline.property, timeline.says) = (next(), next());
    timeline.lanes.iter_mut().for_each(|lane| *lane = next());
    for event in &mut timeline.steps {
        (event.kind, event.text, event.source) = (next(), next(), next());
        for change in &mut event.changes {
            (change.table, change.row) = (next(), next());
            (change.before, change.after) = (next(), next());
        }
    }
}

/// The characters that a reader sees, with single spaces.
fn squeezed(text: &str) -> String {
    let direction = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let nothing = |c: char| (u32::from(c) & 0xfffe) == 0xfffe || matches!(c, '\u{fdd0}'..='\u{fdef}' | '\u{feff}');
    let seen = text.chars().filter(|c| *c != '\u{200b}');
    let seen: String = seen.map(|c| if c.is_control() || direction(c) || nothing(c) { ' ' } else { c }).collect();
    seen.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn hostile_texts() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(hostile_text(), 1..60)
}

/// A run with these texts wherever a person's text can stand, and its report.
fn poisoned_report(texts: &[String]) -> (Run, Report) {
    let run = poisoned(texts);
    let base = (texts[0].clone(), Baseline::of(&everything()));
    let report = Report::new(run.clone(), Some(base), false);
    (run, report)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn hostile_text_stays_text_for_people(texts in hostile_texts()) {
        let (run, report) = poisoned_report(&texts);
        let document = report.to_markdown();
        let (as_markdown, diagrams) = markdown::read(&document);
        let as_markdown = squeezed(&as_markdown);
        diagrams.iter().for_each(|diagram| mermaid::check_lines(diagram));
        let (short, _) = markdown::read(&report.to_markdown_within(5_000, Some(&texts[0])));
        prop_assert!(squeezed(&short).contains("kverdict"));
        let as_html = squeezed(&html::read(&report.to_html()));
        for record in run.verdicts.iter().filter(|record| record.variant.len() < 1_000) {
            let name = squeezed(&record.variant);
            prop_assert!(as_markdown.contains(&name), "{name:?} is not text in Markdown:\n{document}");
            prop_assert!(as_html.contains(&name), "{name:?} is not text in HTML");
        }
    }

    #[test]
    fn hostile_text_stays_text_for_programs(texts in hostile_texts()) {
        let (run, report) = poisoned_report(&texts);
        let as_junit = squeezed(&junit::read(&report.to_junit()));
        let as_sarif = sarif::read(&report.to_sarif());
        for record in run.verdicts.iter().filter(|record| record.variant.len() < 1_000) {
            let name = squeezed(&record.variant);
            prop_assert!(record.not_run.is_some() || as_junit.contains(&name), "{name:?} is not text in JUnit");
        }
        let rules = as_sarif["runs"][0]["tool"]["driver"]["rules"].as_array().expect("rules");
        prop_assert!(rules.len() >= 2);

        let whole: serde_json::Value = serde_json::from_str(&report.to_json()).expect("JSON");
        prop_assert_eq!(&whole["run"]["verdicts"], &serde_json::to_value(&run.verdicts).expect("JSON"));
        if let Ok(read) = Run::from_json(&run.to_json()) {
            prop_assert_eq!(read, run, "what is written is what is read");
        } else {
            // Fields that must differ may have become equal; then the document is refused, not misread.
            let names: std::collections::HashSet<_> = run.mechanisms.iter().map(|m| &m.name).collect();
            prop_assert!(names.len() < run.mechanisms.len(), "a document was refused that this program wrote");
        }
    }
}
