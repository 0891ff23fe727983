//! The second opinion: the same states searched by Stateright, and compared with the exact engine's.
//!
//! Stateright cannot be told how much memory it may take, and keeps about this much for each state; where
//! that is more than allowed it is not run, and says so.

use std::sync::atomic::Ordering;
use std::time::Duration;

use checker::{CrossCheck, Difference};
use models::machine::Machine;
use models::stateright::Checked;
use reports::results::{NotRun, Verdict};

use crate::subject::Plan;

/// What Stateright 0.31 was measured to take for each state beside the state itself, rounded up.
const BYTES_A_STATE: u64 = 120;
/// Time for a search without a limit: longer than anybody waits.
const NO_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);

/// What Stateright says about a machine.
pub struct SecondOpinion {
    /// The verdict on each property, by its name.
    pub verdicts: Vec<(&'static str, Verdict)>,
    /// Distinct states.
    pub states: u64,
    /// Which limit was hit.
    pub limit: Option<checker::Limit>,
    /// Everything in which the two searches differ, in words.
    pub differences: Vec<String>,
    /// Wall time.
    pub elapsed: Duration,
}

/// Asks Stateright about a machine whose states the exact engine has just searched; `Err` if it must not run.
///
/// # Errors
/// The model panicked.
pub(crate) fn ask<M: Machine>(
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
    let found = checker::cross_check(model, (report, space), plan.threads, time, &plan.stop);
    let found = found.map_err(|error| error.to_string())?;
    let why = if plan.stop.load(Ordering::Relaxed) { checker::Limit::Stopped } else { checker::Limit::Time };
    Ok(Ok(SecondOpinion {
        verdicts: found.verdicts.iter().map(|pair| (pair.name, verdict(pair.stateright))).collect(),
        states: found.stateright_states,
        limit: (!found.finished).then_some(why),
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
