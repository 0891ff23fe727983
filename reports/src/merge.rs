//! One run out of several: shards of one selection, or runs of different engines.

use std::collections::HashMap;

use crate::results::{EngineState, MechanismRecord, Part, Run, Shard, Summary, VariantRecord};

/// Why runs cannot be one run.
#[derive(Debug, PartialEq, Eq)]
pub enum MergeError {
    /// There is nothing to merge.
    Nothing,
    /// A part of the selection is missing.
    MissingShard {
        /// The files that are there.
        files: Vec<String>,
        /// The part that is not.
        shard: Shard,
    },
    /// A part is there twice.
    SameShard(String, String),
    /// A part has fewer verdicts than its neighbours allow.
    ShortShard(String),
    /// The parts belong to different divisions or selections; says which words differ.
    OtherDivision(String, String),
    /// The files are of different commits, or of different versions of the program.
    OtherCommit(String, String),
    /// A run was stopped before its end.
    Interrupted(String),
    /// Two files say different things about the same question.
    Contradiction {
        /// The question.
        question: String,
        /// What differs.
        what: String,
        /// The files.
        files: (String, String),
    },
}

impl std::fmt::Display for MergeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => write!(f, "no results file was given"),
            Self::MissingShard { files, shard } => {
                write!(f, "part {}/{} is missing; there are: {}", shard.index, shard.of, files.join(", "))
            }
            Self::SameShard(a, b) => write!(f, "{a} and {b} are the same part"),
            Self::ShortShard(file) => write!(f, "{file} has fewer verdicts than its share: something is missing in it"),
            Self::OtherDivision(a, b) => write!(f, "{a} and {b} are parts of different selections or divisions"),
            Self::OtherCommit(a, b) => write!(f, "{a} and {b} were made from different commits or program versions"),
            Self::Interrupted(file) => write!(f, "{file} is of a run that was stopped before its end"),
            Self::Contradiction { question, what, files } => {
                write!(f, "{} and {} contradict each other about {question}: {what}", files.0, files.1)
            }
        }
    }
}

impl std::error::Error for MergeError {}

/// Merges runs, each with the name of its file. The order of the files does not matter for shards: the
/// verdicts stand in the order of the catalogue again.
///
/// # Errors
/// A part is missing, the files do not belong together, or they contradict each other.
pub fn merge(runs: Vec<(String, Run)>) -> Result<Run, MergeError> {
    let Some((first_file, first)) = runs.first() else { return Err(MergeError::Nothing) };
    for (file, run) in &runs {
        if run.interrupted {
            return Err(MergeError::Interrupted(file.clone()));
        }
        if run.tool != first.tool {
            return Err(MergeError::OtherCommit(first_file.clone(), file.clone()));
        }
    }
    check_shards(&runs)?;
    if runs.len() == 1 {
        let (_, run) = runs.into_iter().next().expect("there is one");
        return Ok(Run { shard: None, ..run });
    }
    let parts: Vec<Part> = runs.iter().map(|(file, run)| part(file, run)).collect();
    let mut whole = Run {
        parts,
        seconds: runs.iter().map(|(_, run)| run.seconds).sum(),
        shard: None,
        engines: Vec::new(),
        mechanisms: Vec::new(),
        verdicts: Vec::new(),
        ..first.clone()
    };
    let mut known = Known::default();
    let mut records: Vec<(usize, VariantRecord)> = Vec::new();
    for (file, run) in runs {
        let shard = run.shard.unwrap_or(Shard { index: 1, of: 1 });
        for (position, record) in run.verdicts.into_iter().enumerate() {
            if known.is_new_record(&file, &record, &records)? {
                known.add(&file, &record, records.len());
                records.push((position * shard.of as usize + shard.index as usize - 1, record));
            }
        }
        for mechanism in run.mechanisms {
            if known.is_new_mechanism(&file, &mechanism, &whole.mechanisms)? {
                whole.mechanisms.push(mechanism);
            }
        }
        merge_engines(&mut whole.engines, run.engines, &file, &whole.parts[0].file)?;
    }
    records.sort_by_key(|(position, _)| *position);
    whole.verdicts = records.into_iter().map(|(_, record)| record).collect();
    let first_verdict = |m: &MechanismRecord| whole.verdicts.iter().position(|r| r.mechanism == m.name);
    whole.mechanisms.sort_by_key(first_verdict);
    whole.summary = Summary::of(&whole.verdicts);
    Ok(whole)
}

fn part(file: &str, run: &Run) -> Part {
    let (machine, command, started) = (run.machine.clone(), run.command.clone(), run.started.clone());
    Part { file: file.to_string(), machine, command, started, seconds: run.seconds }
}

type Question = (String, String, String, String);

/// What the files read so far have said, and which of them.
#[derive(Default)]
struct Known {
    records: HashMap<Question, (usize, String)>,
    mechanisms: HashMap<String, String>,
}

fn question(record: &VariantRecord) -> Question {
    (record.mechanism.clone(), record.variant.clone(), record.engine.clone(), record.size.clone())
}

impl Known {
    fn add(&mut self, file: &str, record: &VariantRecord, index: usize) {
        self.records.insert(question(record), (index, file.to_string()));
    }

    fn is_new_record(
        &self,
        file: &str,
        record: &VariantRecord,
        records: &[(usize, VariantRecord)],
    ) -> Result<bool, MergeError> {
        let Some((index, other_file)) = self.records.get(&question(record)) else { return Ok(true) };
        // Times and memory differ from run to run; nothing else may.
        let other = &records[*index].1;
        let same = VariantRecord { seconds: record.seconds, peak_bytes: record.peak_bytes, ..other.clone() };
        if same == *record {
            return Ok(false);
        }
        let what = match (other.verdict == record.verdict, other.properties == record.properties) {
            (false, _) => format!("{} there, {} here", other.verdict.word(), record.verdict.word()),
            (true, false) => "the verdicts on its properties differ".to_string(),
            (true, true) => "bounds, counts or expectations differ".to_string(),
        };
        let question = format!("{} ({})", record.full_name(), record.engine);
        Err(MergeError::Contradiction { question, what, files: (other_file.clone(), file.to_string()) })
    }

    fn is_new_mechanism(
        &mut self,
        file: &str,
        mechanism: &MechanismRecord,
        all: &[MechanismRecord],
    ) -> Result<bool, MergeError> {
        let Some(other) = all.iter().find(|m| m.name == mechanism.name) else {
            self.mechanisms.insert(mechanism.name.clone(), file.to_string());
            return Ok(true);
        };
        if other == mechanism {
            return Ok(false);
        }
        let files = (self.mechanisms[&mechanism.name].clone(), file.to_string());
        let what = "its description or its assumptions differ".to_string();
        Err(MergeError::Contradiction { question: mechanism.name.clone(), what, files })
    }
}

/// An engine that ran in one of the runs has run. Two versions of one engine are not one engine.
fn merge_engines(
    whole: &mut Vec<EngineState>,
    more: Vec<EngineState>,
    file: &str,
    first: &str,
) -> Result<(), MergeError> {
    for engine in more {
        let Some(known) = whole.iter_mut().find(|e| e.name == engine.name) else {
            whole.push(engine);
            continue;
        };
        if known.not_run.is_none() && engine.not_run.is_none() && known.version != engine.version {
            let what = "its versions differ".to_string();
            let files = (first.to_string(), file.to_string());
            return Err(MergeError::Contradiction { question: format!("engine {}", engine.name), what, files });
        }
        if known.not_run.is_some() {
            *known = engine;
        }
    }
    Ok(())
}

fn check_shards(runs: &[(String, Run)]) -> Result<(), MergeError> {
    let shards: Vec<(&String, &Run, Shard)> =
        runs.iter().filter_map(|(file, run)| Some((file, run, run.shard?))).collect();
    let Some((first_file, first_run, first)) = shards.first() else { return Ok(()) };
    for (file, run, shard) in &shards {
        if shard.of != first.of || selection(&run.command) != selection(&first_run.command) {
            return Err(MergeError::OtherDivision((*first_file).clone(), (*file).clone()));
        }
    }
    let mut in_order = Vec::new();
    for index in 1..=first.of {
        let mut of_index = shards.iter().filter(|(_, _, shard)| shard.index == index);
        match (of_index.next(), of_index.next()) {
            (Some(one), None) => in_order.push(one),
            (Some((a, _, _)), Some((b, _, _))) => return Err(MergeError::SameShard((*a).clone(), (*b).clone())),
            (None, _) => {
                let files = shards.iter().map(|(file, _, _)| (*file).clone()).collect();
                return Err(MergeError::MissingShard { files, shard: Shard { index, of: first.of } });
            }
        }
    }
    // Questions are dealt out one by one: the counts fall by one at most, once.
    let most = in_order.iter().map(|(_, run, _)| run.verdicts.len()).max().unwrap_or(0);
    let mut before: Option<(&String, usize)> = None;
    for (file, run, _) in in_order {
        let count = run.verdicts.len();
        if let Some((short, _)) = before.filter(|(_, allowed)| count > *allowed) {
            return Err(MergeError::ShortShard(short.clone()));
        }
        if count + 1 < most {
            return Err(MergeError::ShortShard((*file).clone()));
        }
        before = Some((file, count));
    }
    Ok(())
}

/// The words of a command line that say what was asked: all but the part and the file for the results.
fn selection(command: &[String]) -> Vec<&str> {
    let mut words = command.iter().map(String::as_str).skip(1);
    let mut found = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "--shard" | "--results" => {
                words.next();
            }
            _ if word.starts_with("--shard=") || word.starts_with("--results=") => {}
            _ => found.push(word),
        }
    }
    found
}
