//! Reads the header of a litmus test: what it asks, of which variant, and which answer is expected.
//!
//! The format is the kernel's: the name on the first line, then a comment with a `Result:` line. Ours has more
//! fields, each once and in this order, and a field goes on over lines that are indented further:
//!
//! ```text
//! C ldt-publish-once
//!
//! (*
//!  * Mechanism: ldt
//!  * Variant: none
//!  * Kernel: which functions the processes stand for
//!  * Question: one sentence
//!  * Why: what decides it
//!  * Result: Sometimes
//!  * Flags: data-race
//!  * Outcomes:
//!  *   1:r0=new; 1:r1=0;
//!  *   1:r0=new; 1:r1=1;
//!  *   1:r0=old; 1:r1=0;
//!  * Indifferent: P0 swap L1: a change that alters no answer, and why
//!  *)
//! ```
//! `Variant` is the name of a variant of the mechanism's model, or `none` where the model has no such variant.
//! `exists` is the bad outcome. `Indifferent` lines name the changes to the test that need not change its answer:
//! the mutation test asks that all others do.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use super::output::is_outcome;
use super::{Observation, Verdict};

/// The mechanisms that ask memory-order questions.
const MECHANISMS: [&str; 4] = ["io-bitmap", "ldt", "iommu-flush", "pkeys"];

/// A litmus test of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LitmusTest {
    /// The name: the file's, and that on its first line.
    pub name: String,
    /// Where the file is.
    pub path: PathBuf,
    /// The mechanism that it is about.
    pub mechanism: String,
    /// The variant of the model that asks the same, if there is one.
    pub variant: Option<String>,
    /// The kernel functions that the processes stand for.
    pub kernel: String,
    /// What it asks, in one sentence.
    pub question: String,
    /// What decides it.
    pub why: String,
    /// The answer that is expected.
    pub expected: Verdict,
    /// Changes that alter no answer, each with its reason.
    pub indifferent: Vec<(String, String)>,
}

impl LitmusTest {
    /// Reads a file. The error says which part of the header is missing or wrong.
    pub fn parse(path: &Path, text: &str) -> Result<LitmusTest, String> {
        let name = parse_name(text)?;
        if path.file_stem().is_none_or(|stem| stem != name.as_str()) {
            return Err(format!("the test is named {name}, its file is not"));
        }
        let mut fields = Fields::of(text)?;
        let mechanism = fields.take("Mechanism")?;
        if !MECHANISMS.contains(&mechanism.as_str()) {
            return Err(format!("{mechanism} is not one of the mechanisms {}", MECHANISMS.join(", ")));
        }
        if !name.starts_with(&format!("{mechanism}-")) {
            return Err(format!("its name does not begin with its mechanism, {mechanism}"));
        }
        let variant = Some(fields.take("Variant")?).filter(|variant| variant != "none");
        let kernel = fields.take("Kernel")?;
        let question = fields.take("Question")?;
        let why = fields.take("Why")?;
        let result = fields.take("Result")?;
        let observation =
            Observation::from_word(&result).ok_or_else(|| format!("{result:?} is not Never, Sometimes or Always"))?;
        let flags = fields.take("Flags")?;
        let flags = flags.split(", ").filter(|flag| *flag != "none").map(str::to_string).collect();
        let outcomes = parse_outcomes(&fields.take("Outcomes")?)?;
        let mut indifferent = Vec::new();
        while !fields.is_empty() {
            let line = fields.take("Indifferent")?;
            let (change, reason) = line.split_once(": ").ok_or("an Indifferent line gives no reason")?;
            indifferent.push((change.to_string(), reason.to_string()));
        }
        if !text.lines().any(|line| line.starts_with("exists (")) {
            return Err("it has no line that begins with exists: the bad outcome".into());
        }
        Ok(LitmusTest {
            name,
            path: path.to_path_buf(),
            mechanism,
            variant,
            kernel,
            question,
            why,
            expected: Verdict { observation, flags, outcomes },
            indifferent,
        })
    }
}

/// Reads the name and the `Result:` line of one of the kernel's own tests.
pub fn parse_kernel_test(text: &str) -> Result<(String, Observation), String> {
    let name = parse_name(text)?;
    let mut results = text.lines().filter_map(|line| line.strip_prefix(" * Result: "));
    match (results.next().and_then(|word| Observation::from_word(word.trim())), results.next()) {
        (Some(result), None) => Ok((name, result)),
        _ => Err("its header has not exactly one Result: Never, Sometimes or Always".into()),
    }
}

fn parse_name(text: &str) -> Result<String, String> {
    let first = text.lines().next().unwrap_or_default();
    match first.strip_prefix("C ").map(str::trim) {
        Some(name) if !name.is_empty() && !name.contains(char::is_whitespace) => Ok(name.to_string()),
        _ => Err(format!("its first line is {first:?}, not C and a name")),
    }
}

/// The outcomes arrive as one line: herd7's notation ends each assignment with `;`, and the field's lines were
/// joined with a line break.
fn parse_outcomes(field: &str) -> Result<BTreeSet<String>, String> {
    let mut outcomes = BTreeSet::new();
    for line in field.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if !is_outcome(line) || !outcomes.insert(line.to_string()) {
            return Err(format!("the outcome {line:?} is not in herd7's notation, or is there twice"));
        }
    }
    if outcomes.is_empty() { Err("it names no outcome".into()) } else { Ok(outcomes) }
}

/// The fields of a header, in their order.
struct Fields {
    rest: VecDeque<(String, String)>,
}

impl Fields {
    fn of(text: &str) -> Result<Fields, String> {
        let header =
            text.split_once("(*\n").and_then(|(_, rest)| rest.split_once("\n *)")).ok_or("it has no header")?.0;
        if header.contains("(*") {
            return Err("the header has an asterisk after a parenthesis, which opens another comment".into());
        }
        let mut fields: VecDeque<(String, String)> = VecDeque::new();
        for line in header.lines() {
            let line = line.strip_prefix(" * ").ok_or_else(|| format!("the header's line {line:?} is out of form"))?;
            if let Some(more) = line.strip_prefix("  ") {
                let (key, value) = fields.back_mut().ok_or("the header begins with a continued line")?;
                // Prose goes on after a space; outcomes are one a line.
                value.push(if key == "Outcomes" { '\n' } else { ' ' });
                value.push_str(more.trim());
            } else {
                let (key, value) =
                    line.split_once(':').ok_or_else(|| format!("the header's line {line:?} is no field"))?;
                fields.push_back((key.to_string(), value.trim().to_string()));
            }
        }
        Ok(Fields { rest: fields })
    }

    fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn take(&mut self, key: &str) -> Result<String, String> {
        match self.rest.pop_front() {
            Some((found, value)) if found == key && !value.is_empty() => Ok(value),
            Some((found, _)) => Err(format!("the header has {found} where {key} belongs, or it is empty")),
            None => Err(format!("the header has no {key}")),
        }
    }
}
