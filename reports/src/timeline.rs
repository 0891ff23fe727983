//! A run of a state machine as a person follows it: one lane per CPU or thread, one line a step.
//!
//! The same timeline is rendered as text for a terminal, as a Mermaid sequence diagram for a web page, as
//! SVG for a report and as JSON for programs.

use serde::{Deserialize, Serialize};
use unicode_width::UnicodeWidthStr;

use crate::report::is_unprintable;

/// A run from an initial state to the state that is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeline {
    /// The mechanism.
    pub mechanism: String,
    /// The variant.
    pub variant: String,
    /// The size at which the run was found.
    pub size: String,
    /// The property that breaks, or the witness that is reached, at the end.
    pub property: String,
    /// Whether `property` is a witness.
    pub witness: bool,
    /// The property's sentence.
    pub says: String,
    /// The columns.
    pub lanes: Vec<String>,
    /// The state at the beginning.
    pub start: Vec<Table>,
    /// The steps in order.
    pub steps: Vec<Event>,
}

/// A titled table of a part of a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Title, unique in a state.
    pub title: String,
    /// The lane whose part of the state this is.
    pub lane: Option<usize>,
    /// Name and value.
    pub rows: Vec<(String, String)>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The column.
    pub lane: usize,
    /// The label of the step's kind.
    pub kind: String,
    /// What happens, in plain words.
    pub text: String,
    /// The kernel function or hardware unit that is modelled.
    pub source: String,
    /// What changed.
    pub changes: Vec<Change>,
}

/// A row of a table whose value changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The table.
    pub table: String,
    /// The row.
    pub row: String,
    /// Value before the step.
    pub before: String,
    /// Value after the step.
    pub after: String,
}

/// The rows that differ between two views of the same machine.
pub fn changes(before: &[Table], after: &[Table]) -> Vec<Change> {
    let mut found = Vec::new();
    for (old, new) in before.iter().zip(after) {
        assert_eq!(old.title, new.title, "views of one machine have the same tables");
        for ((row, was), (_, is)) in old.rows.iter().zip(&new.rows) {
            if was != is {
                let (before, after) = (was.clone(), is.clone());
                found.push(Change { table: new.title.clone(), row: row.clone(), before, after });
            }
        }
    }
    found
}

impl Timeline {
    /// `counterexample` or `witness`.
    pub fn role(&self) -> &'static str {
        if self.witness { "witness" } else { "counterexample" }
    }

    /// The last line: what has gone wrong, or which situation was reached.
    pub fn conclusion(&self) -> String {
        let word = if self.witness { "SEEN" } else { "BROKEN" };
        format!("{word} {}: {}", self.property, self.says)
    }

    /// Text for a terminal of `width` columns.
    pub fn to_text(&self, width: usize) -> String {
        let mut out = format!(
            "{}/{}   {} of {} in {} steps   {}\n\n",
            self.mechanism,
            self.variant,
            self.role(),
            self.property,
            self.steps.len(),
            self.size
        );
        let layout = TextLayout::of(self, width);
        out.push_str(&layout.header(self));
        for (index, event) in self.steps.iter().enumerate() {
            out.push_str(&layout.event(index + 1, event));
        }
        out.push('\n');
        for line in wrap(&self.conclusion(), width.saturating_sub(2).max(20)) {
            out.push_str(&format!("  {line}\n"));
        }
        out
    }

    /// The messages of the diagram: one a step.
    pub fn messages(&self) -> usize {
        self.steps.len()
    }

    /// A Mermaid sequence diagram.
    pub fn to_mermaid(&self) -> String {
        let mut out = String::from("sequenceDiagram\n");
        for (index, lane) in self.lanes.iter().enumerate() {
            out.push_str(&format!("    participant L{index} as {}\n", mermaid_text(lane)));
        }
        for (index, event) in self.steps.iter().enumerate() {
            let kind = mermaid_text(&event.kind);
            let text = mermaid_text(&event.text);
            out.push_str(&format!("    L{0}->>L{0}: {1}. {kind}: {text}\n", event.lane, index + 1));
            let notes: Vec<String> = event.changes.iter().map(|c| mermaid_text(&c.to_string())).collect();
            if !notes.is_empty() {
                out.push_str(&format!("    Note right of L{}: {}\n", event.lane, notes.join("<br/>")));
            }
        }
        let last = self.lanes.len().saturating_sub(1);
        let over = if last == 0 { "L0".to_string() } else { format!("L0,L{last}") };
        out.push_str(&format!("    Note over {over}: {}\n", mermaid_text(&self.conclusion())));
        out
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {} → {}", self.table, self.row, self.before, self.after)
    }
}

/// Characters that Mermaid reads as syntax, as its own entity codes.
fn mermaid_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '#' | ';' | '<' | '>' | '&' | '"' | '`' | '%' | '\\' | '{' | '}' | '(' | ')' | '[' | ']' | ':' | '|'
            | '$' | '@' => {
                out.push_str(&format!("#{};", c as u32));
            }
            c if is_unprintable(c) => out.push(' '),
            c => out.push(c),
        }
    }
    // A participant or a message without any text would be an error of syntax.
    if out.trim().is_empty() { "#160;".to_string() } else { out }
}

/// One column a lane; a step's text stands in its lane's column and wraps there.
struct TextLayout {
    column: usize,
    number: usize,
    lanes: usize,
}

const LANE_GAP: usize = 2;

impl TextLayout {
    fn of(timeline: &Timeline, width: usize) -> Self {
        let lanes = timeline.lanes.len().max(1);
        let number = timeline.steps.len().to_string().len() + 2;
        let room = width.saturating_sub(number + 2);
        let column = (room / lanes).saturating_sub(LANE_GAP).clamp(18, 60);
        Self { column, number, lanes }
    }

    fn header(&self, timeline: &Timeline) -> String {
        let mut line = " ".repeat(self.number + 2);
        let mut rule = line.clone();
        for lane in &timeline.lanes {
            line.push_str(&pad(&clip(lane, self.column), self.column + LANE_GAP));
            rule.push_str(&pad(&"─".repeat(self.column), self.column + LANE_GAP));
        }
        format!("{}\n{}\n", line.trim_end(), rule.trim_end())
    }

    fn event(&self, number: usize, event: &Event) -> String {
        let mut out = String::new();
        let indent = self.number + 2 + event.lane.min(self.lanes - 1) * (self.column + LANE_GAP);
        let mut lines = wrap(&format!("{} {}", event.kind, event.text), self.column);
        lines.push(clip(&format!("[{}]", event.source), self.column));
        for (index, line) in lines.iter().enumerate() {
            let number = if index == 0 { format!("{number:>width$}", width = self.number) } else { String::new() };
            out.push_str(&format!("{}{line}\n", pad(&number, indent)));
        }
        for change in &event.changes {
            out.push_str(&format!("{}· {change}\n", " ".repeat(self.number + 2)));
        }
        out
    }
}

fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

fn clip(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_string();
    }
    let mut out = String::new();
    for c in text.chars() {
        if out.width() + 2 > width {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() && line.width() + 1 + word.width() > width {
            lines.push(word.to_string());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(value: &str) -> Vec<Table> {
        let rows = vec![("LDTR".to_string(), value.to_string()), ("limit".to_string(), "1".to_string())];
        vec![Table { title: "CPU 0".to_string(), lane: Some(0), rows }]
    }

    #[test]
    fn changes_names_the_rows_that_differ() {
        let found = changes(&table("slot 0"), &table("slot 1"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].to_string(), "CPU 0 LDTR: slot 0 → slot 1");
    }

    #[test]
    fn wrap_never_loses_a_word() {
        let text = "takes ldt_usr_sem and averyveryverylongword indeed";
        assert_eq!(wrap(text, 10).join(" "), text);
    }

    #[test]
    fn mermaid_escapes_what_it_would_read_as_syntax() {
        assert_eq!(mermaid_text("a;b#c\nd"), "a#59;b#35;c d");
    }
}
