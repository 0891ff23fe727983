//! A report as GitHub-flavoured Markdown.
//!
//! What is urgent stands in the first five lines. An unchanged run is a headline and one small table; all
//! else is folded away.

use crate::difference::Weight;
use crate::report::{Report, findings, how_much, in_steps, listing, property_rows, shortened, telling_counterexample};
use crate::results::{Counterexample, VariantRecord};

/// Diagrams with more messages than this are shown as text.
pub(crate) const MERMAID_MESSAGES_MAX: usize = 40;
/// Urgent lines above the fold; the rest is counted there and listed below.
const URGENT_MAX: usize = 20;
const TEXT_MAX: usize = 2_000;

impl Report {
    /// The report as Markdown.
    pub fn to_markdown(&self) -> String {
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
        out.push_str(&self.changes_section());
        for mechanism in &self.run.mechanisms {
            out.push_str(&self.mechanism_section(mechanism));
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

    fn changes_section(&self) -> String {
        let Some((base, found)) = &self.against else { return String::new() };
        if found.is_empty() {
            return format!("\nNothing changed against {}.\n", text(base));
        }
        let (loud, quiet) = (self.changes(Weight::Loud).count(), self.changes(Weight::Quiet).count());
        let mut out = format!(
            "\n<details><summary>Against {}: {loud} claims changed or weakened, {quiet} other changes</summary>\n\n",
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

    fn mechanism_section(&self, mechanism: &crate::results::MechanismRecord) -> String {
        let records: Vec<_> = self.run.verdicts.iter().filter(|r| r.mechanism == mechanism.name).collect();
        let expected = records.iter().filter(|r| r.as_expected).count();
        let mut out = format!(
            "\n<details><summary><b>{}</b>: {} ({expected} of {} as expected)</summary>\n\n{}\n\nSource: {}\n\n",
            text(&mechanism.name),
            text(&mechanism.title),
            records.len(),
            text(&mechanism.question),
            text(&mechanism.source)
        );
        out.push_str("Assumptions:\n\n");
        for assumption in &mechanism.assumptions {
            out.push_str(&format!("- {}\n", text(assumption)));
        }
        out.push_str("\n| variant | engine | verdict | expected | finding | how much | reproduce |\n|---|---|---|---|---|---|---|\n");
        for record in &records {
            out.push_str(&variant_row(record));
        }
        out.push_str(&properties_table(&records));
        for record in &records {
            out.push_str(&counterexamples(record));
        }
        out.push_str("\n</details>\n");
        out
    }
}

fn variant_row(record: &VariantRecord) -> String {
    let mark = if record.as_expected { "" } else { " (not as expected)" };
    format!(
        "| {} | {} | {}{mark} | {} | {} | {} | {} |\n",
        text(&record.variant),
        text(&record.engine),
        record.verdict.word(),
        record.expected.word(),
        text(&findings(record)),
        text(&how_much(record)),
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

/// The shortest counterexample of the property that tells most, folded.
fn counterexamples(record: &VariantRecord) -> String {
    let Some((property, counterexample)) = telling_counterexample(record) else { return String::new() };
    let title = format!("{} ({}): {}", record.variant, record.engine, in_steps(property));
    let body = match counterexample {
        Counterexample::Timeline(timeline) if timeline.steps.len() <= MERMAID_MESSAGES_MAX => {
            fenced("mermaid", &timeline.to_mermaid())
        }
        other => fenced("text", &listing(other)),
    };
    format!("\n<details><summary>{}</summary>\n\n{}\n\n{body}\n</details>\n", text(&title), text(&property.says))
}

/// A fenced block that its content cannot close.
fn fenced(language: &str, content: &str) -> String {
    let longest = content.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat((longest + 1).max(3));
    let clean: String = content.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
    format!("{fence}{language}\n{}\n{fence}\n", clean.trim_end_matches('\n'))
}

/// Text that Markdown reads as text: whatever could be syntax becomes a character reference, which never is.
fn text(content: &str) -> String {
    let mut out = String::with_capacity(content.len());
    let content = shortened(content, TEXT_MAX);
    let mut characters = content.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '!' | '|' | '&' | '~' | '$' | '"' => {
                out.push_str(&format!("&#{};", c as u32));
            }
            // GitHub looks for mentions after rendering; the invisible space keeps a name from being called.
            '@' => out.push_str("@\u{200b}"),
            // `http://` would become a link, `:name:` a picture.
            ':' if characters.peek().is_some_and(|next| *next == '/' || next.is_ascii_alphabetic()) => {
                out.push_str("&#58;");
            }
            c if c.is_control() || c == '\u{2028}' || c == '\u{2029}' => out.push(' '),
            c => out.push(c),
        }
    }
    // A line that starts like a list, a heading or a rule would become one.
    let trimmed = out.trim();
    match trimmed.chars().next() {
        Some(c @ ('-' | '+' | '=')) => format!("&#{};{}", c as u32, &trimmed[1..]),
        Some(c) if c.is_ascii_digit() => trimmed.replacen('.', "&#46;", 1).replacen(')', "&#41;", 1),
        _ => trimmed.to_string(),
    }
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
