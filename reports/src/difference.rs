//! What changed between a base and a run: verdicts, claims, bounds, sizes of the search, time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::baseline::{Baseline, Facts, keys};
use crate::results::{EngineState, Run, Verdict};

/// How much a change wants to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// A claim is weaker than it was: a verdict changed or vanished, a bound appeared, a property was dropped.
    Loud,
    /// Something else changed, for example a count of states.
    Quiet,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// How much it wants to be looked at.
    pub weight: Weight,
    /// What it is about: `mechanism/variant engine`, or a mechanism.
    pub about: String,
    /// What changed, in words.
    pub text: String,
}

/// Whatever changed from `base` to `run`, the loud changes first, otherwise in the order of names.
///
/// If `partial` is true, nothing has vanished: a run of a selection has not dropped what it did not select.
pub fn differences(base: &Baseline, run: &Run, partial: bool) -> Vec<Difference> {
    let now = Baseline::of(run);
    let all = keys(run);
    let mut found = Vec::new();
    for (name, facts) in &now.verdicts {
        match base.verdicts.get(name) {
            Some(before) => compare(&mut found, name, before, facts),
            None => push(&mut found, Weight::Quiet, name, format!("new: {}", word(facts))),
        }
    }
    // An engine that gave no verdict at all would drown everything else if each of its verdicts were named.
    let mut silent: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, before) in &base.verdicts {
        let is = now.verdicts.get(name);
        let gone = is.map_or(!partial, |is| has_run(before) && !has_run(is));
        if gone && !now.verdicts.keys().any(|other| engine_of(other) == engine_of(name)) {
            silent.entry(engine_of(name)).or_default().push(name);
        } else if gone {
            let why = why_not_run(run, &all, name);
            push(&mut found, Weight::Loud, name, format!("vanished: it was {}{why}", word(before)));
        }
    }
    for (engine, names) in silent {
        let why = why_not_run(run, &all, names[0]);
        match names[..] {
            [name] => {
                let was = word(&base.verdicts[name]);
                push(&mut found, Weight::Loud, name, format!("vanished: it was {was}{why}"));
            }
            [first, ..] => {
                let text = format!("all {} verdicts vanished, the first is {first}{why}", names.len());
                push(&mut found, Weight::Loud, engine, text);
            }
            [] => {}
        }
    }
    compare_assumptions(&mut found, base, &now);
    found.sort_by(|a, b| (a.weight, &a.about).cmp(&(b.weight, &b.about)));
    found
}

/// The engine in the name of a verdict.
fn engine_of(name: &str) -> &str {
    name.split(' ').nth(1).unwrap_or("")
}

/// Why a verdict of the base was not given this time, if the run says so.
fn why_not_run(run: &Run, all: &[String], name: &str) -> String {
    let record = all.iter().zip(&run.verdicts).find(|(other, _)| *other == name).map(|(_, record)| record);
    let of_record = record.and_then(|record| record.not_run.as_ref());
    let engine = |state: &&EngineState| engine_of(name) == state.name;
    let of_engine = || run.engines.iter().find(engine)?.not_run.as_ref();
    of_record.or_else(of_engine).map_or(String::new(), |why| format!("; not run now: {}", why.reason))
}

fn push(found: &mut Vec<Difference>, weight: Weight, about: &str, text: String) {
    found.push(Difference { weight, about: about.to_string(), text });
}

fn has_run(facts: &Facts) -> bool {
    facts.verdict != Verdict::NotRun
}

fn word(facts: &Facts) -> String {
    if !has_run(facts) {
        return format!("NOT RUN (it would be {})", facts.extent.words());
    }
    let expected = if facts.as_expected { "" } else { ", not as expected" };
    let extent = if facts.verdict == Verdict::Undecided { "stopped at a limit" } else { facts.extent.words() };
    format!("{} ({extent}{expected})", facts.verdict.word())
}

fn compare(found: &mut Vec<Difference>, name: &str, before: &Facts, now: &Facts) {
    let mut loud = |text: String| push(found, Weight::Loud, name, text);
    match (has_run(before), has_run(now)) {
        // That it has vanished is said elsewhere, and says it all.
        (true, false) => return,
        (true, true) if before.verdict != now.verdict || before.as_expected != now.as_expected => {
            loud(format!("was {}, is {}", word(before), word(now)));
        }
        (false, true) if !now.as_expected => loud(format!("was {}, is {}", word(before), word(now))),
        (false, true) => push(found, Weight::Quiet, name, format!("was {}, is {}", word(before), word(now))),
        _ if before.extent != now.extent => {
            loud(format!("was {}, is {}", before.extent.words(), now.extent.words()));
        }
        _ => {}
    }
    compare_claims(found, name, before, now);
    let mut quiet = |text: String| push(found, Weight::Quiet, name, text);
    compare_work(&mut quiet, before, now);
}

/// Size, bounds, assumptions, properties. What was not run has them as well.
fn compare_claims(found: &mut Vec<Difference>, name: &str, before: &Facts, now: &Facts) {
    let both_ran = has_run(before) && has_run(now);
    let mut loud = |text: String| push(found, Weight::Loud, name, text);
    if before.size != now.size {
        loud(format!("size was {}, is {}", before.size, now.size));
    }
    for bound in now.bounds.iter().filter(|bound| !before.bounds.contains(bound)) {
        loud(format!("new bound: {bound}"));
    }
    for added in now.assumptions.iter().filter(|a| !before.assumptions.contains(a)) {
        loud(format!("new assumption: {added}"));
    }
    for (property, was) in &before.properties {
        match now.properties.get(property) {
            None => loud(format!("{property} vanished: it was {was}")),
            Some(is) if both_ran && verdict_of(is) != verdict_of(was) => loud(format!("{property} was {was}, is {is}")),
            Some(_) => {}
        }
    }
    let mut quiet = |text: String| push(found, Weight::Quiet, name, text);
    for bound in before.bounds.iter().filter(|bound| !now.bounds.contains(bound)) {
        quiet(format!("bound gone: {bound}"));
    }
    for dropped in before.assumptions.iter().filter(|a| !now.assumptions.contains(a)) {
        quiet(format!("assumption gone: {dropped}"));
    }
    for (property, is) in &now.properties {
        match before.properties.get(property) {
            None => quiet(format!("{property} is new: {is}")),
            Some(was) if was != is && verdict_of(is) == verdict_of(was) => {
                quiet(format!("{property} was {was}, is {is}"))
            }
            Some(_) => {}
        }
    }
}

/// Counts that moved, and time that grew by more than half and by more than half a second.
fn compare_work(quiet: &mut impl FnMut(String), before: &Facts, now: &Facts) {
    for (count, was) in &before.counts {
        match now.counts.get(count) {
            Some(is) if is != was => quiet(format!("{count}: {was} before, {is} now")),
            Some(_) => {}
            None => quiet(format!("{count} is no longer counted")),
        }
    }
    // A first run counts much that was not counted before it.
    let new = |(count, _): &(&String, &u64)| has_run(before) && !before.counts.contains_key(*count);
    for (count, is) in now.counts.iter().filter(new) {
        quiet(format!("{count} is counted now: {is}"));
    }
    if now.seconds > before.seconds * 1.5 && now.seconds > before.seconds + 0.5 && has_run(before) {
        quiet(format!("time grew: {} s before, {} s now", before.seconds, now.seconds));
    }
}

/// The verdict without the length behind it.
fn verdict_of(text: &str) -> &str {
    text.split_once(" in ").map_or(text, |(verdict, _)| verdict)
}

/// An assumption that was added weakens every claim of the mechanism; one that was dropped strengthens it,
/// or hides it.
fn compare_assumptions(found: &mut Vec<Difference>, base: &Baseline, now: &Baseline) {
    for (mechanism, is) in &now.assumptions {
        let Some(was) = base.assumptions.get(mechanism) else { continue };
        for added in is.iter().filter(|a| !was.contains(a)) {
            push(found, Weight::Loud, mechanism, format!("assumption added or changed: {added}"));
        }
        for dropped in was.iter().filter(|a| !is.contains(a)) {
            push(found, Weight::Loud, mechanism, format!("assumption dropped or changed: {dropped}"));
        }
    }
}
