//! What a run of kverdict found, as one JSON document.
//!
//! The document is versioned by [`SCHEMA`] and [`VERSION`]; `docs/results-schema.md` describes every field.
//! A reader refuses a document of another schema or version instead of guessing, and one that was changed
//! since it was written: the document carries a checksum, and its parts must fit together.

use std::collections::HashSet;
use std::fmt::Write;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::timeline::Timeline;

/// The name that every results document carries.
pub const SCHEMA: &str = "kverdict-results";
/// The version of the document's form. A change that an older reader would misread raises it.
pub const VERSION: u32 = 1;

/// What an engine said about a property, a witness or a variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// A property holds in everything that was looked at; the record says how much that was.
    Holds,
    /// A property does not hold; there is a counterexample.
    Broken,
    /// A witness was reached.
    Seen,
    /// A witness was not reached, although everything was looked at.
    Unseen,
    /// A limit was hit before the question was decided.
    Undecided,
    /// The engine did not run; the record says why.
    NotRun,
}

impl Verdict {
    /// The word that is printed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Holds => "HOLDS",
            Self::Broken => "BROKEN",
            Self::Seen => "SEEN",
            Self::Unseen => "UNSEEN",
            Self::Undecided => "UNDECIDED",
            Self::NotRun => "NOT RUN",
        }
    }
}

/// How much was looked at; never added up into one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// A proof for every input.
    Proved,
    /// Every reachable state, or every execution, at the stated size.
    AllStates,
    /// Less than all: a bound was set, and is named.
    WithinABound,
    /// Every input, at a reduced width.
    Enumerated,
    /// Random inputs or schedules.
    Tested,
}

impl Extent {
    /// The words that are printed.
    pub fn words(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::AllStates => "all states",
            Self::WithinABound => "within a bound",
            Self::Enumerated => "enumerated",
            Self::Tested => "tested",
        }
    }
}

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Always [`VERSION`].
    pub version: u32,
    /// SHA-256 of the document without white space and with this field empty. Only a written document has
    /// one: [`Run::to_json`] fills it in, [`Run::from_json`] checks it and empties it again.
    pub checksum: String,
    /// What ran.
    pub tool: Tool,
    /// Where it ran.
    pub machine: Machine,
    /// The command line, without the program's folder.
    pub command: Vec<String>,
    /// Start of the run, UTC, RFC 3339.
    pub started: String,
    /// Wall time of the run.
    pub seconds: f64,
    /// Which part of the selection this is; `None` if it is all of it.
    pub shard: Option<Shard>,
    /// The runs that were merged into this one; empty if it is a single run.
    pub parts: Vec<Part>,
    /// Whether the run was stopped by Ctrl-C before its end.
    pub interrupted: bool,
    /// The engines that were asked for, with versions, and why one did not run.
    pub engines: Vec<EngineState>,
    /// The mechanisms that were selected.
    pub mechanisms: Vec<MechanismRecord>,
    /// One record for each variant and engine, in the order of the catalogue.
    pub verdicts: Vec<VariantRecord>,
    /// The sum.
    pub summary: Summary,
}

/// The program and the source it was built from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Always `kverdict`.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// The commit of the working folder, if it is a git checkout; `-dirty` is appended if files differ.
    pub commit: Option<String>,
    /// The compiler that built the program.
    pub compiler: String,
}

/// The machine on which a run was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Operating system and architecture.
    pub platform: String,
    /// Processor name, where the system tells it.
    pub processor: Option<String>,
    /// Threads that can run at once.
    pub cpus: usize,
    /// Memory in bytes, where the system tells it.
    pub memory_bytes: Option<u64>,
}

/// One part of a selection: the verdicts whose position modulo `of` is `index - 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// 1 to `of`.
    pub index: u32,
    /// How many shards there are.
    pub of: u32,
}

/// A run that was merged with others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The results file.
    pub file: String,
    /// Where it was made.
    pub machine: Machine,
    /// The command line.
    pub command: Vec<String>,
    /// Start of the run, UTC, RFC 3339.
    pub started: String,
    /// Wall time of the run.
    pub seconds: f64,
}

/// An engine that was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineState {
    /// For example `exact`.
    pub name: String,
    /// Its version, if it could be found out.
    pub version: Option<String>,
    /// Why it did not run and how to get it; `None` if it ran.
    pub not_run: Option<NotRun>,
}

/// Why something did not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotRun {
    /// The reason.
    pub reason: String,
    /// What to do to make it run.
    pub how_to_run: String,
}

/// A mechanism in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MechanismRecord {
    /// For example `ldt`.
    pub name: String,
    /// What it is, in a few words.
    pub title: String,
    /// The question that the mail thread is about.
    pub question: String,
    /// The kernel source that is modelled.
    pub source: String,
    /// The numbered assumptions of the model, as they stand in its documentation.
    pub assumptions: Vec<String>,
}

/// The verdict of one engine on one variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VariantRecord {
    /// The mechanism.
    pub mechanism: String,
    /// The variant.
    pub variant: String,
    /// What the variant does differently.
    pub what: String,
    /// Where it comes from.
    pub origin: String,
    /// The engine.
    pub engine: String,
    /// The size as it can be given to `--size`; empty where the engine has none.
    pub size: String,
    /// How much was looked at.
    pub extent: Extent,
    /// Every bound on what was looked at, in words; empty if there was none.
    pub bounds: Vec<String>,
    /// What this verdict alone assumes, beside the assumptions of its mechanism: for a proof, the list that
    /// was generated from its source.
    pub assumptions: Vec<String>,
    /// BROKEN if a property is broken, else UNDECIDED if one is undecided, else HOLDS.
    pub verdict: Verdict,
    /// The expected verdict of the variant.
    pub expected: Verdict,
    /// Why that is expected.
    pub expected_because: String,
    /// The property whose breaking tells most, if the variant is expected to break any.
    pub headline: Option<String>,
    /// Whether every property and witness came out as expected.
    pub as_expected: bool,
    /// Every way in which the result is not as expected.
    pub differences: Vec<String>,
    /// One record for each property and witness.
    pub properties: Vec<PropertyRecord>,
    /// How much work it was, by engine-specific name: states, transitions, depth, executions, inputs.
    pub counts: Vec<Count>,
    /// How often each kind of step was taken; empty for engines without steps.
    pub steps: Vec<StepCount>,
    /// Which limit was hit, in words.
    pub limit: Option<String>,
    /// Why it did not run; `Some` if and only if the verdict is NOT RUN.
    pub not_run: Option<NotRun>,
    /// Wall time.
    pub seconds: f64,
    /// Memory of the search at its peak, if the engine counts it.
    pub peak_bytes: Option<u64>,
    /// The command that gives this record again.
    pub reproduce: String,
}

impl VariantRecord {
    /// The count of this name, if the engine gave it.
    pub fn count(&self, name: &str) -> Option<u64> {
        self.counts.iter().find(|c| c.name == name).map(|c| c.value)
    }
    /// The broken properties: that which the catalogue names first in front, unexpected ones before all, the
    /// others by the length of their counterexamples.
    pub fn broken(&self) -> Vec<&PropertyRecord> {
        let mut broken: Vec<_> = self.properties.iter().filter(|p| p.verdict == Verdict::Broken).collect();
        broken.sort_by_key(|p| {
            let expected = p.expected == Verdict::Broken;
            (expected, self.headline.as_ref() != Some(&p.name), p.steps.unwrap_or(u32::MAX))
        });
        broken
    }
    /// `mechanism/variant`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.mechanism, self.variant)
    }
    /// Whether the record counts as "within a bound" in the sum.
    pub fn is_bounded(&self) -> bool {
        self.extent == Extent::WithinABound || !self.bounds.is_empty()
    }
}

/// A number that an engine reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// For example `states`.
    pub name: String,
    /// The number.
    pub value: u64,
}

/// How often a kind of step was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepCount {
    /// The label of the kind.
    pub kind: String,
    /// File and line at which the kind is declared.
    pub stated_at: String,
    /// Transitions of this kind.
    pub taken: u64,
    /// Whether the variant, at this size, is meant to take such steps.
    pub meant_to_happen: bool,
}

/// The verdict on one property or witness.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PropertyRecord {
    /// The property's name.
    pub name: String,
    /// Whether it is a witness (must be reachable) and not a claim (must always hold).
    pub witness: bool,
    /// What goes wrong for a person if it breaks; for a witness, the situation.
    pub says: String,
    /// File and line at which it is stated.
    pub stated_at: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The expected verdict.
    pub expected: Verdict,
    /// Steps of the shortest counterexample or of the shortest way to the witness.
    pub steps: Option<u32>,
    /// The shortest counterexample of a broken property; witnesses carry none, `kverdict show` makes them.
    pub counterexample: Option<Counterexample>,
}

/// What breaks a property.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counterexample {
    /// A run of a state machine.
    Timeline(Timeline),
    /// Numbers that break an arithmetic property: name and value.
    Numbers(Vec<(String, String)>),
    /// What an engine printed, where it has no structure that is known here.
    Text(String),
}

/// The sum of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Verdicts that were given: all records but those that were not run.
    pub verdicts: usize,
    /// As expected.
    pub as_expected: usize,
    /// Of these, within a bound.
    pub within_a_bound: usize,
    /// Not as expected.
    pub not_as_expected: usize,
    /// Undecided because a limit was hit.
    pub undecided: usize,
    /// Records that were not run.
    pub not_run: usize,
}

impl Summary {
    /// Adds up records.
    pub fn of(records: &[VariantRecord]) -> Self {
        let mut sum = Self::default();
        for record in records {
            match record.verdict {
                Verdict::NotRun => {
                    sum.not_run += 1;
                    continue;
                }
                _ if record.as_expected => {
                    sum.as_expected += 1;
                    sum.within_a_bound += usize::from(record.is_bounded());
                }
                // A broken property is a finding even if another one stayed undecided.
                _ if record.limit.is_some() && record.only_undecided_differs() => sum.undecided += 1,
                _ => sum.not_as_expected += 1,
            }
            sum.verdicts += 1;
        }
        sum
    }
}

impl VariantRecord {
    /// Whether nothing is known to be wrong: every difference from the expectation is an open question.
    fn only_undecided_differs(&self) -> bool {
        self.properties.iter().all(|p| p.verdict == p.expected || p.verdict == Verdict::Undecided)
    }
}

/// Why a results document could not be read.
#[derive(Debug)]
pub enum ReadError {
    /// Not JSON, cut off, or with fields that do not fit; says where.
    Damaged(serde_json::Error),
    /// JSON, but not a results document.
    OtherSchema(String),
    /// A document of another version.
    OtherVersion(u64),
    /// It was changed after it had been written.
    Changed,
    /// Its parts contradict each other; says which.
    Inconsistent(String),
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damaged(error) => write!(f, "damaged or cut off: {error}"),
            Self::OtherSchema(found) => write!(f, "not a results document: schema is {found}, not \"{SCHEMA}\""),
            Self::OtherVersion(found) => {
                let age = if *found > u64::from(VERSION) { "newer" } else { "older" };
                write!(f, "results version {found} is {age} than this program reads ({VERSION}); make it again")
            }
            Self::Changed => {
                write!(f, "damaged: its content does not fit its checksum, so it was changed after it was written")
            }
            Self::Inconsistent(what) => write!(f, "damaged: {what}"),
        }
    }
}

impl std::error::Error for ReadError {}

impl Run {
    /// The document as JSON, indented, with its checksum, and with a newline at its end.
    pub fn to_json(&self) -> String {
        let whole = Self { checksum: self.digest(), ..self.clone() };
        let mut text = serde_json::to_string_pretty(&whole).expect("plain data always serializes");
        text.push('\n');
        text
    }

    /// Reads a document.
    ///
    /// # Errors
    /// The text is damaged, is something else, is of another version, or was changed.
    pub fn from_json(text: &str) -> Result<Self, ReadError> {
        #[derive(Deserialize)]
        struct Head {
            schema: Option<serde_json::Value>,
            version: Option<u64>,
        }
        let head: Head = serde_json::from_str(text).map_err(ReadError::Damaged)?;
        match head.schema {
            Some(serde_json::Value::String(schema)) if schema == SCHEMA => {}
            other => return Err(ReadError::OtherSchema(other.map_or("missing".to_string(), |s| s.to_string()))),
        }
        match head.version {
            Some(version) if version == u64::from(VERSION) => {}
            other => return Err(ReadError::OtherVersion(other.unwrap_or(0))),
        }
        let mut run: Self = serde_json::from_str(text).map_err(ReadError::Damaged)?;
        let checksum = std::mem::take(&mut run.checksum);
        if checksum != run.digest() {
            return Err(ReadError::Changed);
        }
        run.consistent().map_err(ReadError::Inconsistent)?;
        Ok(run)
    }

    /// SHA-256 of the document without white space and with an empty checksum.
    fn digest(&self) -> String {
        let bare;
        let subject = if self.checksum.is_empty() {
            self
        } else {
            bare = Self { checksum: String::new(), ..self.clone() };
            &bare
        };
        let bytes = serde_json::to_vec(subject).expect("plain data always serializes");
        let mut text = String::from("sha256:");
        for byte in Sha256::digest(bytes) {
            write!(text, "{byte:02x}").expect("writing to a string");
        }
        text
    }

    /// What a rendering relies on: nothing is listed twice, nothing would be left out, sums are the sums.
    fn consistent(&self) -> Result<(), String> {
        let mut seen = HashSet::new();
        for record in &self.verdicts {
            let about = format!("{} ({})", record.full_name(), record.engine);
            if !seen.insert((&record.mechanism, &record.variant, &record.engine, &record.size)) {
                return Err(format!("{about} is there twice at one size"));
            }
            if !self.mechanisms.iter().any(|m| m.name == record.mechanism) {
                return Err(format!("{about} is of a mechanism that is not described"));
            }
            record.consistent().map_err(|what| format!("{about}: {what}"))?;
        }
        if self.summary != Summary::of(&self.verdicts) {
            return Err("the summary is not the sum of the verdicts".to_string());
        }
        match self.shard {
            Some(Shard { index, of }) if !(1..=of).contains(&index) => Err(format!("there is no part {index}/{of}")),
            _ => Ok(()),
        }
    }
}

impl VariantRecord {
    fn consistent(&self) -> Result<(), String> {
        if (self.verdict == Verdict::NotRun) != self.not_run.is_some() {
            return Err("NOT RUN and a reason belong together".to_string());
        }
        if self.verdict != Verdict::NotRun && self.as_expected != self.differences.is_empty() {
            return Err("as expected and without differences belong together".to_string());
        }
        for property in &self.properties {
            if let Some(Counterexample::Timeline(timeline)) = &property.counterexample
                && let Some(event) = timeline.steps.iter().find(|event| event.lane >= timeline.lanes.len())
            {
                return Err(format!("step {} of {} is in no lane", event.kind, property.name));
            }
        }
        Ok(())
    }
}
