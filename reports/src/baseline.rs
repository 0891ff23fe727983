//! The verdicts that a branch stands for: a results document without times, texts and counterexamples.
//!
//! The baseline is committed, so its order is fixed and each fact stands on a line of its own: a change of
//! one verdict is a change of one line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::results::{Extent, ReadError, Run, VariantRecord, Verdict};

/// The name that every baseline carries.
pub const SCHEMA: &str = "kverdict-baseline";
/// The version of its form.
pub const VERSION: u32 = 1;

/// The facts of a run that may only change for a reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Always [`VERSION`].
    pub version: u32,
    /// For each mechanism, its assumptions.
    pub assumptions: BTreeMap<String, Vec<String>>,
    /// For each `mechanism/variant engine`, the facts; ` at SIZE` is added where an engine was asked at
    /// several sizes.
    pub verdicts: BTreeMap<String, Facts>,
}

/// The facts about one engine's verdict on one variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The verdict of the whole.
    pub verdict: Verdict,
    /// Whether it is as expected.
    pub as_expected: bool,
    /// How much was looked at.
    pub extent: Extent,
    /// The size.
    pub size: String,
    /// Bounds in words.
    pub bounds: Vec<String>,
    /// What this verdict alone assumes.
    pub assumptions: Vec<String>,
    /// For each property and witness, its verdict and the length of the shortest run that shows it.
    pub properties: BTreeMap<String, String>,
    /// Numbers by name.
    pub counts: BTreeMap<String, u64>,
    /// Wall time in seconds, coarse enough to be the same in most runs; never compared closely.
    pub seconds: f64,
}

impl Facts {
    /// What is kept of a property: its verdict, and the length of the shortest run that shows it.
    pub fn of_property(verdict: Verdict, steps: Option<u32>) -> String {
        let steps = steps.map_or(String::new(), |steps| format!(" in {steps}"));
        format!("{}{steps}", verdict.word())
    }
}

impl Baseline {
    /// The facts of a run. What was not run is among them, with its claims and assumptions: a proof can be dropped or
    /// weakened where nothing can prove it.
    pub fn of(run: &Run) -> Self {
        let assumptions = run.mechanisms.iter().map(|m| (m.name.clone(), m.assumptions.clone())).collect();
        let verdicts = keys(run).into_iter().zip(&run.verdicts).map(|(name, record)| {
            let properties = record.properties.iter().map(|p| (p.name.clone(), Facts::of_property(p.verdict, p.steps)));
            let facts = Facts {
                verdict: record.verdict,
                as_expected: record.as_expected,
                extent: record.extent,
                size: record.size.clone(),
                bounds: record.bounds.clone(),
                assumptions: record.assumptions.clone(),
                properties: properties.collect(),
                counts: record.counts.iter().map(|count| (count.name.clone(), count.value)).collect(),
                seconds: coarse(record.seconds),
            };
            (name, facts)
        });
        Self { schema: SCHEMA.to_string(), version: VERSION, assumptions, verdicts: verdicts.collect() }
    }

    /// The document as JSON, indented, with a newline at its end.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("plain data always serializes");
        text.push('\n');
        text
    }

    /// Reads a baseline, or takes the facts out of a results document.
    ///
    /// # Errors
    /// The text is neither, is damaged, or is of another version.
    pub fn from_json(text: &str) -> Result<Self, ReadError> {
        #[derive(Deserialize)]
        struct Head {
            schema: Option<String>,
            version: Option<u64>,
        }
        let head: Head = serde_json::from_str(text).map_err(ReadError::Damaged)?;
        match (head.schema.as_deref(), head.version) {
            (Some(SCHEMA), Some(version)) if version == u64::from(VERSION) => {
                serde_json::from_str(text).map_err(ReadError::Damaged)
            }
            (Some(SCHEMA), version) => Err(ReadError::OtherVersion(version.unwrap_or(0))),
            _ => Run::from_json(text).map(|run| Self::of(&run)),
        }
    }

    /// The same facts without times, which differ from run to run.
    #[must_use]
    pub fn without_times(mut self) -> Self {
        for facts in self.verdicts.values_mut() {
            facts.seconds = 0.0;
        }
        self
    }
}

/// The name of each record among the facts, in the order of the records.
pub(crate) fn keys(run: &Run) -> Vec<String> {
    let short = |record: &VariantRecord| format!("{} {}", record.full_name(), record.engine);
    let mut asked: BTreeMap<String, usize> = BTreeMap::new();
    for record in &run.verdicts {
        *asked.entry(short(record)).or_default() += 1;
    }
    let name = |record: &VariantRecord| match short(record) {
        name if asked[&name] > 1 => format!("{name} at {}", record.size),
        name => name,
    };
    run.verdicts.iter().map(name).collect()
}

/// Tenths of a second below ten seconds, whole seconds above.
fn coarse(seconds: f64) -> f64 {
    if seconds < 10.0 { (seconds * 10.0).round() / 10.0 } else { seconds.round() }
}
