//! One run out of several: shards of one selection, or runs of different engines.

use crate::results::{EngineState, Run, Shard, Summary};

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
    /// The parts belong to different divisions.
    OtherDivision(String, String),
    /// The files are of different commits.
    OtherCommit(String, String),
    /// A run was stopped before its end.
    Interrupted(String),
    /// Two files say different things about the same question.
    Contradiction {
        /// The question.
        question: String,
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
            Self::OtherDivision(a, b) => write!(f, "{a} and {b} are parts of different divisions"),
            Self::OtherCommit(a, b) => write!(f, "{a} and {b} were made from different commits"),
            Self::Interrupted(file) => write!(f, "{file} is of a run that was stopped before its end"),
            Self::Contradiction { question, files } => {
                write!(f, "{} and {} contradict each other about {question}", files.0, files.1)
            }
        }
    }
}

impl std::error::Error for MergeError {}

/// Merges runs, each with the name of its file.
///
/// # Errors
/// A part is missing, the files do not belong together, or they contradict each other.
pub fn merge(runs: Vec<(String, Run)>) -> Result<Run, MergeError> {
    check_shards(&runs)?;
    for (file, run) in &runs {
        if run.interrupted {
            return Err(MergeError::Interrupted(file.clone()));
        }
        if run.tool.commit != runs[0].1.tool.commit {
            return Err(MergeError::OtherCommit(runs[0].0.clone(), file.clone()));
        }
    }
    let mut runs = runs.into_iter();
    let (first_file, mut whole) = runs.next().ok_or(MergeError::Nothing)?;
    let mut origin = vec![first_file; whole.verdicts.len()];
    for (file, run) in runs {
        whole.seconds += run.seconds;
        for record in run.verdicts {
            let same = |other: &crate::results::VariantRecord| {
                (&other.mechanism, &other.variant, &other.engine, &other.size)
                    == (&record.mechanism, &record.variant, &record.engine, &record.size)
            };
            match whole.verdicts.iter().position(same) {
                Some(at) if whole.verdicts[at].properties == record.properties => {}
                Some(at) => {
                    let question = format!("{} ({})", record.full_name(), record.engine);
                    return Err(MergeError::Contradiction { question, files: (origin[at].clone(), file) });
                }
                None => {
                    whole.verdicts.push(record);
                    origin.push(file.clone());
                }
            }
        }
        for mechanism in run.mechanisms {
            if !whole.mechanisms.iter().any(|m| m.name == mechanism.name) {
                whole.mechanisms.push(mechanism);
            }
        }
        merge_engines(&mut whole.engines, run.engines);
    }
    whole.shard = None;
    whole.summary = Summary::of(&whole.verdicts);
    Ok(whole)
}

/// An engine that ran in one of the runs has run.
fn merge_engines(whole: &mut Vec<EngineState>, more: Vec<EngineState>) {
    for engine in more {
        match whole.iter_mut().find(|e| e.name == engine.name) {
            Some(known) if known.not_run.is_some() => *known = engine,
            Some(_) => {}
            None => whole.push(engine),
        }
    }
}

fn check_shards(runs: &[(String, Run)]) -> Result<(), MergeError> {
    let shards: Vec<(&String, Shard)> = runs.iter().filter_map(|(file, run)| Some((file, run.shard?))).collect();
    let Some((first_file, first)) = shards.first() else { return Ok(()) };
    if let Some((file, _)) = shards.iter().find(|(_, shard)| shard.of != first.of) {
        return Err(MergeError::OtherDivision((*first_file).clone(), (*file).clone()));
    }
    for index in 1..=first.of {
        if !shards.iter().any(|(_, shard)| shard.index == index) {
            let files = shards.iter().map(|(file, _)| (*file).clone()).collect();
            return Err(MergeError::MissingShard { files, shard: Shard { index, of: first.of } });
        }
    }
    Ok(())
}
