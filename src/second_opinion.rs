//! The second opinion: the same states searched by Stateright, and compared with the exact engine's.
//!
//! Stateright cannot be told how much memory it may take, and keeps about this much for each state; where
//! that is more than allowed it is not run, and says so.

use std::time::Duration;

use checker::{CrossCheck, Difference};
use models::machine::Machine;
use models::stateright::Checked;
use reports::results::{Count, Extent, NotRun, PropertyRecord, VariantRecord, Verdict};

use crate::engine::Engine;
use crate::question::{Question, blank_record, expected_verdict, judge, rounded};
use crate::subject::{Plan, Subject};

/// What Stateright 0.31 was measured to take for each state beside the state itself, rounded up.
const BYTES_A_STATE: u64 = 120;
/// Time for a search without a limit: longer than anybody waits.
const NO_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);

/// What Stateright says about a machine; filled into a record by [`record`].
pub struct SecondOpinion {
    verdicts: Vec<(&'static str, Verdict)>,
    states: u64,
    finished: bool,
    differences: Vec<String>,
    elapsed: Duration,
}

/// Asks Stateright about a machine whose states the exact engine has just searched; `Err` if it must not run.
///
/// # Errors
/// The model panicked.
pub fn ask<M: Machine>(
    machine: &M,
    report: &checker::ReportOf<Checked<M>>,
    space: &checker::Space<'_, Checked<M>>,
    plan: &Plan,
) -> Result<Result<SecondOpinion, NotRun>, String> {
    let needs = report.states * (size_of::<M::State>() as u64 + BYTES_A_STATE);
    if let Some(limit) = report.limit {
        let reason = format!("the exact search did not end ({limit}), so there is nothing to compare with");
        return Ok(Err(NotRun { reason, how_to_run: "raise --timeout or --memory".to_string() }));
    }
    if needs > plan.memory {
        let reason = format!("it would take about {:.1} GB, and cannot be limited", needs as f64 / 1e9);
        return Ok(Err(NotRun { reason, how_to_run: format!("--memory {:.0}", (needs as f64 / 1e9).ceil()) }));
    }
    let time = plan.timeout.unwrap_or(NO_TIMEOUT);
    let model = || Checked(machine.clone());
    let found = checker::cross_check(model, (report, space), plan.threads, time).map_err(|error| error.to_string())?;
    Ok(Ok(SecondOpinion {
        verdicts: found.verdicts.iter().map(|pair| (pair.name, verdict(pair.stateright))).collect(),
        states: found.stateright_states,
        finished: found.finished,
        differences: differences(&found),
        elapsed: found.elapsed,
    }))
}

fn verdict(word: &str) -> Verdict {
    match word {
        "HOLDS" => Verdict::Holds,
        "BROKEN" => Verdict::Broken,
        "SEEN" => Verdict::Seen,
        "UNSEEN" => Verdict::Unseen,
        _ => Verdict::Undecided,
    }
}

/// Everything in which the two searches differ, in words.
fn differences<S: std::fmt::Debug>(found: &CrossCheck<S>) -> Vec<String> {
    if !found.finished {
        return Vec::new();
    }
    let mut told = Vec::new();
    for pair in found.verdicts.iter().filter(|pair| pair.exact != pair.stateright) {
        told.push(format!("{} is {}, exact says {}", pair.name, pair.stateright, pair.exact));
    }
    if found.counts_compare && found.exact_states != found.stateright_states {
        let why = found.difference.as_ref().map_or(String::new(), explained);
        told.push(format!("{} states, exact has {}{why}", found.stateright_states, found.exact_states));
    }
    told
}

fn explained<S: std::fmt::Debug>(difference: &Difference<S>) -> String {
    let counts =
        format!(": it lacks {} and has {} that exact lacks", difference.missing_there, difference.missing_here);
    let twins = difference.same_fingerprint.first();
    let twins = twins.map_or(String::new(), |(a, b)| format!("; these two have one fingerprint: {a:?} and {b:?}"));
    format!("{counts}{twins}")
}

/// The record of a second opinion.
pub fn record(
    question: &dyn Question,
    subject: &dyn Subject,
    size: String,
    opinion: Result<SecondOpinion, NotRun>,
) -> VariantRecord {
    let expect = subject.expect();
    let mut record = VariantRecord {
        what: subject.what().to_string(),
        origin: subject.origin().to_string(),
        expected_because: expect.why.to_string(),
        headline: expect.broken.first().map(|name| (*name).to_string()),
        ..blank_record(question, Extent::AllStates)
    };
    debug_assert_eq!(question.engine(), Engine::Stateright);
    record.reproduce = format!("{} --size {size}", record.reproduce);
    record.size = size;
    let opinion = match opinion {
        Ok(opinion) => opinion,
        Err(why) => {
            record.not_run = Some(why);
            judge(&mut record);
            return record;
        }
    };
    let known = subject.properties();
    let property = |(name, verdict): &(&'static str, Verdict)| {
        let info = known.iter().find(|p| p.name == *name).expect("both engines know the same properties");
        PropertyRecord {
            name: (*name).to_string(),
            witness: info.witness,
            says: info.says.to_string(),
            stated_at: format!("{}:{}", info.stated_at.0, info.stated_at.1),
            verdict: *verdict,
            expected: expected_verdict(&expect, name, info.witness),
            steps: None,
            counterexample: None,
        }
    };
    record.properties = opinion.verdicts.iter().map(property).collect();
    record.counts = vec![Count { name: "states".to_string(), value: opinion.states }];
    record.limit = (!opinion.finished).then(|| "the time was up".to_string());
    record.seconds = rounded(opinion.elapsed);
    judge(&mut record);
    record.differences.extend(opinion.differences);
    record.as_expected = record.differences.is_empty();
    record
}
