//! A report as GitHub-flavoured Markdown.
//!
//! What is urgent stands in the first five lines. An unchanged run is a headline and one small table; all
//! else is folded away.

use crate::difference::Weight;
use crate::report::{
    Report, counts, findings, how_much, in_steps, is_unprintable, listing, printable, property_rows, seconds,
    shortened, telling_counterexample,
};
use crate::results::{Counterexample, MechanismRecord, VariantRecord, Verdict};

/// Diagrams with more messages than this are shown as text.
pub(crate) const MERMAID_MESSAGES_MAX: usize = 40;
/// Mermaid refuses longer ones.
const MERMAID_CHARACTERS_MAX: usize = 50_000;
/// Urgent lines above the fold; the rest is counted there and listed below.
const URGENT_MAX: usize = 20;
const TEXT_MAX: usize = 2_000;
const LISTING_MAX: usize = 20_000;
/// A longer link would leave no room for what it is a link from.
const LINK_MAX: usize = 200;

/// How much of a report is shown, where there is less room than it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    Everything,
    /// Counterexamples only of verdicts that are not as expected, and no texts about the variants.
    Unexpected,
    /// The tables of verdicts.
    Tables,
    /// What stands above the first fold, and the changes against the base.
    Head,
    /// Only what stands above the first fold.
    AboveTheFold,
}

impl Report {
    /// The report as Markdown.
    pub fn to_markdown(&self) -> String {
        self.markdown(Detail::Everything)
    }

    /// The report as Markdown of at most `limit` bytes. If it is shortened it says so and names the `link`
    /// under which all of it is. Every fold, table and fence in it is closed.
    pub fn to_markdown_within(&self, limit: usize, link: Option<&str>) -> String {
        let whole = self.to_markdown();
        if whole.len() <= limit {
            return whole;
        }
        let place = link.map_or_else(|| "report.md".to_string(), |link| text(&shortened(link, LINK_MAX)));
        let note = format!("\nShortened from {} to at most {limit} bytes. All of it: {place}\n", whole.len());
        let room = limit.saturating_sub(note.len());
        for detail in [Detail::Unexpected, Detail::Tables, Detail::Head, Detail::AboveTheFold] {
            let shorter = self.markdown(detail);
            if shorter.len() <= room {
                return shorter + &note;
            }
        }
        // Nothing above the fold spans lines but a table, of which any first lines are a table or text.
        let mut out = String::new();
        for line in self.markdown(Detail::AboveTheFold).split_inclusive('\n') {
            if out.len() + line.len() > room {
                break;
            }
            out.push_str(line);
        }
        if out.len() + note.len() <= limit { out + &note } else { out }
    }

    fn markdown(&self, detail: Detail) -> String {
        let mut out = format!("# kverdict: {}\n\n", text(&self.headline()));
        let urgent = self.urgent();
        for line in urgent.iter().take(URGENT_MAX) {
            out.push_str(&format!("- **{}**\n", text(line)));
        }
        if urgent.len() > URGENT_MAX {
            out.push_str(&format!("- and {} more, below\n", urgent.len() - URGENT_MAX));
        }
        if !urgent.is_empty() {
            out.push('\n');
        }
        out.push_str(&self.sums_table());
        for line in self.not_run() {
            out.push_str(&format!("\nNot run: {}\n", text(&line)));
        }
        out.push_str(&format!("\n{}\n", text(&self.provenance())));
        if let Some((base, _)) = self.against.as_ref().filter(|(_, found)| found.is_empty()) {
            out.push_str(&format!("\nNothing changed against {}.\n", text(base)));
        }
        if self.against.is_none() {
            out.push_str("\nNot compared with a base: there was none.\n");
        }
        if detail == Detail::AboveTheFold {
            return out;
        }
        out.push_str(&self.parts_section());
        out.push_str(&self.changes_section());
        if detail == Detail::Head {
            return out;
        }
        for mechanism in &self.run.mechanisms {
            out.push_str(&self.mechanism_section(mechanism, detail));
        }
        out
    }

    /// One row an engine and extent; kinds of evidence are never added up.
    fn sums_table(&self) -> String {
        let mut out = String::from(
            "| engine | how much | verdicts | as expected | not | undecided | seconds |\n|---|---|---:|---:|---:|---:|---:|\n",
        );
        for row in self.sums() {
            out.push_str(&format!(
                "| {} | {} | {} | {} | {} | {} | {} |\n",
                text(&row.engine),
                row.extent,
                row.verdicts,
                row.as_expected,
                row.not,
                row.undecided,
                row.seconds
            ));
        }
        out
    }

    fn parts_section(&self) -> String {
        let parts = self.parts();
        if parts.is_empty() {
            return String::new();
        }
        let lines: Vec<String> = parts.iter().map(|line| format!("- {}\n", text(line))).collect();
        format!("\n<details><summary>The {} runs</summary>\n\n{}\n</details>\n", lines.len(), lines.concat())
    }

    fn changes_section(&self) -> String {
        let Some((base, found)) = &self.against else { return String::new() };
        if found.is_empty() {
            return String::new();
        }
        let (loud, quiet) = (self.changes(Weight::Loud).count(), self.changes(Weight::Quiet).count());
        let mut out = format!(
            "\n<details><summary>Against {}: claims changed or weakened {loud}, other changes {quiet}</summary>\n\n",
            text(base)
        );
        out.push_str("| weight | about | change |\n|---|---|---|\n");
        for difference in found {
            let weight = if difference.weight == Weight::Loud { "**claim**" } else { "other" };
            out.push_str(&format!("| {weight} | {} | {} |\n", text(&difference.about), text(&difference.text)));
        }
        out.push_str("\n</details>\n");
        out
    }

    fn mechanism_section(&self, mechanism: &MechanismRecord, detail: Detail) -> String {
        let records: Vec<_> = self.run.verdicts.iter().filter(|r| r.mechanism == mechanism.name).collect();
        let given = || records.iter().filter(|r| r.verdict != Verdict::NotRun);
        let expected = given().filter(|r| r.as_expected).count();
        let mut out = format!(
            "\n<details><summary><b>{}</b>: {} ({expected} of {} as expected)</summary>\n\n{}\n\nSource: {}\n\n",
            text(&mechanism.name),
            text(&mechanism.title),
            given().count(),
            text(&mechanism.question),
            text(&mechanism.source)
        );
        out.push_str("Assumptions:\n\n");
        for assumption in &mechanism.assumptions {
            out.push_str(&format!("- {}\n", text(assumption)));
        }
        out.push_str(
            "\n| variant | engine | verdict | expected | finding | how much | counts | seconds | reproduce |\n",
        );
        out.push_str("|---|---|---|---|---|---|---|---:|---|\n");
        for record in &records {
            out.push_str(&variant_row(record));
        }
        if detail != Detail::Tables {
            out.push_str(&properties_table(&records));
            for record in records.iter().filter(|r| detail == Detail::Everything || !r.as_expected) {
                out.push_str(&counterexamples(record));
            }
        }
        if detail == Detail::Everything {
            out.push_str(&about_variants(&records));
        }
        out.push_str("\n</details>\n");
        out
    }
}

fn variant_row(record: &VariantRecord) -> String {
    let mark = if record.as_expected || record.verdict == Verdict::NotRun { "" } else { " **(not as expected)**" };
    format!(
        "| {} | {} | {}{mark} | {} | {} | {} | {} | {} | {} |\n",
        text(&record.variant),
        text(&record.engine),
        record.verdict.word(),
        record.expected.word(),
        text(&findings(record)),
        text(&how_much(record)),
        text(&counts(record)),
        seconds(record.seconds),
        text(&record.reproduce),
    )
}

/// Each property with its sentence and the variants that break it: the evidence that the check can fail.
fn properties_table(records: &[&VariantRecord]) -> String {
    let mut out = String::from("\n| property | says | stated at | broken or reached by |\n|---|---|---|---|\n");
    for property in property_rows(records) {
        let kind = if property.witness { "witness: " } else { "" };
        out.push_str(&format!(
            "| {} | {kind}{} | {} | {} |\n",
            text(&property.name),
            text(&property.says),
            text(&property.stated_at),
            text(&property.by)
        ));
    }
    out
}

/// What each variant is, where it comes from, and why its verdict is expected; what a verdict alone assumes.
fn about_variants(records: &[&VariantRecord]) -> String {
    let mut out = String::from("\n<details><summary>What the variants are</summary>\n\n");
    let mut told = std::collections::HashSet::new();
    for record in records {
        if !told.insert((&record.variant, &record.what)) {
            continue;
        }
        out.push_str(&format!(
            "- **{}**: {} From: {}. Expected {}: {}\n",
            text(&record.variant),
            text(&record.what),
            text(&record.origin),
            record.expected.word(),
            text(&record.expected_because)
        ));
    }
    for record in records {
        for assumption in &record.assumptions {
            let (variant, engine) = (text(&record.variant), text(&record.engine));
            out.push_str(&format!("- {variant} ({engine}) assumes: {}\n", text(assumption)));
        }
    }
    out + "\n</details>\n"
}

/// The shortest counterexample of the property that tells most, folded.
fn counterexamples(record: &VariantRecord) -> String {
    let Some((property, counterexample)) = telling_counterexample(record) else { return String::new() };
    let title = format!("{} ({}): {}", record.variant, record.engine, in_steps(property));
    let diagram = match counterexample {
        Counterexample::Timeline(timeline) if timeline.messages() <= MERMAID_MESSAGES_MAX => {
            Some(timeline.to_mermaid()).filter(|diagram| diagram.chars().count() <= MERMAID_CHARACTERS_MAX)
        }
        _ => None,
    };
    let body = match diagram {
        Some(diagram) => fenced("mermaid", &diagram),
        None => fenced("text", &shortened(&listing(counterexample), LISTING_MAX)),
    };
    format!("\n<details><summary>{}</summary>\n\n{}\n\n{body}\n</details>\n", text(&title), text(&property.says))
}

/// A fenced block that its content cannot close.
fn fenced(language: &str, content: &str) -> String {
    let longest = content.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat((longest + 1).max(3));
    format!("{fence}{language}\n{}\n{fence}\n", printable(content).trim_end_matches('\n'))
}

/// Text that Markdown reads as text: whatever could be syntax becomes a character reference, which never is.
fn text(content: &str) -> String {
    let mut out = String::with_capacity(content.len());
    let content = shortened(content, TEXT_MAX);
    let content = content.trim_matches(|c: char| c.is_whitespace() || is_unprintable(c));
    let mut characters = content.chars().peekable();
    let mut before = ' ';
    while let Some(c) = characters.next() {
        let next = characters.peek().copied();
        let at_start = out.is_empty();
        match c {
            // GitHub looks for mentions and numbers of issues after rendering: the invisible space keeps them
            // from being called.
            '@' => out.push_str("@\u{200b}"),
            '#' => out.push_str("&#35;\u{200b}"),
            // Inside a word it is no emphasis.
            '_' if before.is_ascii_alphanumeric() && next.is_some_and(|n| n.is_ascii_alphanumeric()) => out.push(c),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '!' | '|' | '&' | '~' | '$' | '"' => {
                reference(&mut out, c);
            }
            // `http://` would become a link, `:name:` a picture.
            ':' if next.is_some_and(|next| next == '/' || next.is_ascii_alphabetic()) => reference(&mut out, c),
            ':' if !before.is_alphanumeric() && next.is_some_and(|n| !n.is_whitespace()) => reference(&mut out, c),
            // `www.` would become a link as well.
            'w' | 'W' if !before.is_alphanumeric() && next.is_some_and(|n| n.eq_ignore_ascii_case(&'w')) => {
                reference(&mut out, c);
            }
            // A line that starts like a list, a heading or a rule would become one.
            '-' | '+' | '=' if at_start => reference(&mut out, c),
            '.' | ')' if !at_start && out.bytes().all(|b| b.is_ascii_digit()) => reference(&mut out, c),
            c if c.is_whitespace() || is_unprintable(c) => out.push(' '),
            c => out.push(c),
        }
        before = c;
    }
    out
}

fn reference(out: &mut String, c: char) {
    out.push_str(&format!("&#{};", u32::from(c)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_becomes_character_references() {
        assert_eq!(text("a|b `c` <d>"), "a&#124;b &#96;c&#96; &#60;d&#62;");
        assert_eq!(text("- item"), "&#45; item");
        assert_eq!(text("a\nb"), "a b");
    }

    #[test]
    fn a_fence_is_longer_than_any_inside_it() {
        let block = fenced("text", "```` inside\n");
        assert!(block.starts_with("`````text\n") && block.ends_with("\n`````\n"), "{block}");
    }
}
