//! Reads what herd7 writes, and takes nothing that is not exactly as it should be.
//!
//! ```text
//! Test ldt-publish-once Allowed
//! States 3
//! 1:r0=new; 1:r1=0;
//! 1:r0=new; 1:r1=1;
//! 1:r0=old; 1:r1=0;
//! Ok
//! Witnesses
//! Positive: 1 Negative: 2
//! Flag data-race
//! Condition exists (1:r0=new /\ 1:r1=0)
//! Observation ldt-publish-once Sometimes 1 2
//! Time ldt-publish-once 0.01
//! Hash=00f0...
//!
//! ```
//! Each line must be there, once, in this order, and the lines must agree with each other: the number of states
//! with the list, `Ok` and the counts with the observation. So an answer that lost a line, or a part of one, is
//! refused, and so is one that has something more.

use std::collections::BTreeSet;

use super::{Observation, Verdict};

/// What herd7 found out about one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Observation, flags and final states.
    pub verdict: Verdict,
    /// How many executions meet the condition.
    pub positive: u64,
    /// How many do not.
    pub negative: u64,
}

/// Reads the answer to the test `name`. The error says which line is not as it should be.
pub fn parse_output(name: &str, output: &str) -> Result<Observed, String> {
    if !output.ends_with("\n\n") {
        return Err("herd7's answer is cut: it does not end with an empty line".into());
    }
    let mut lines = Lines { rest: output.lines() };
    lines.exactly(&format!("Test {name} Allowed"))?;
    let outcomes = parse_states(&mut lines)?;
    let met = match lines.next("Ok or No")? {
        "Ok" => true,
        "No" => false,
        other => return Err(format!("expected Ok or No, herd7 says {other:?}")),
    };
    lines.exactly("Witnesses")?;
    let counts = lines.after("Positive: ")?;
    let (positive, negative) = counts
        .split_once(" Negative: ")
        .and_then(|(positive, negative)| Some((number(positive)?, number(negative)?)))
        .ok_or_else(|| format!("herd7's counts are damaged: {counts:?}"))?;
    let mut flags = BTreeSet::new();
    let mut line = lines.next("Condition")?;
    while let Some(flag) = line.strip_prefix("Flag ") {
        if !is_flag(flag) || !flags.insert(flag.to_string()) {
            return Err(format!("herd7's flag is damaged, or there twice: {flag:?}"));
        }
        line = lines.next("Condition")?;
    }
    if !(line.starts_with("Condition exists (") && line.ends_with(')')) {
        return Err(format!("expected Condition exists (...), herd7 says {line:?}"));
    }
    let observation = parse_observation(&mut lines, name, positive, negative)?;
    if met != (positive > 0) {
        return Err(format!("herd7 contradicts itself: {} and {positive} positive", if met { "Ok" } else { "No" }));
    }
    let time = lines.after(&format!("Time {name} "))?;
    if time.parse::<f64>().is_err() {
        return Err(format!("herd7's time is damaged: {time:?}"));
    }
    let hash = lines.after("Hash=")?;
    if hash.len() != 32 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(format!("herd7's hash is damaged: {hash:?}"));
    }
    lines.exactly("")?;
    match lines.rest.next() {
        None => Ok(Observed { verdict: Verdict { observation, flags, outcomes }, positive, negative }),
        Some(more) => Err(format!("herd7 says more than one answer: {more:?}")),
    }
}

fn parse_states(lines: &mut Lines<'_>) -> Result<BTreeSet<String>, String> {
    let count = lines.after("States ")?;
    let count = number(count).ok_or_else(|| format!("herd7's number of states is damaged: {count:?}"))?;
    let mut states = BTreeSet::new();
    for _ in 0..count {
        let state = lines.next("a state")?;
        if !is_outcome(state) || !states.insert(state.to_string()) {
            return Err(format!("herd7's state is damaged, or there twice: {state:?}"));
        }
    }
    Ok(states)
}

fn parse_observation(lines: &mut Lines<'_>, name: &str, positive: u64, negative: u64) -> Result<Observation, String> {
    let said = lines.after(&format!("Observation {name} "))?;
    let observation = match (positive, negative) {
        (0, 0) => return Err("no execution at all: the test asks nothing".into()),
        (0, _) => Observation::Never,
        (_, 0) => Observation::Always,
        _ => Observation::Sometimes,
    };
    if said != format!("{observation} {positive} {negative}") {
        return Err(format!("herd7 contradicts itself: {positive} positive, {negative} negative, and {said:?}"));
    }
    Ok(observation)
}

/// Whether this is a final state: assignments such as `1:r0=new;` or `[map]=-1;`, with one space between them.
pub(super) fn is_outcome(line: &str) -> bool {
    line.strip_suffix(';').is_some_and(|inner| inner.split("; ").all(is_assignment))
}

fn is_assignment(text: &str) -> bool {
    let Some((place, value)) = text.split_once('=') else { return false };
    let is_place = match place.strip_prefix('[') {
        Some(location) => location.strip_suffix(']').is_some_and(is_name),
        None => place.split_once(':').is_some_and(|(process, register)| number(process).is_some() && is_name(register)),
    };
    is_place && (is_name(value) || number(value.strip_prefix('-').unwrap_or(value)).is_some())
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_flag(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A number in the one way in which herd7 writes it: digits only.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Reads the answer to `herd7 -version`: `7.58, Rev: exported` is version 7.58.
pub fn parse_version(output: &str) -> Result<String, String> {
    let damaged = || format!("herd7 -version says {:?}, which names no version", output.trim_end());
    let line = output.strip_suffix('\n').filter(|line| !line.contains('\n')).ok_or_else(damaged)?;
    let (version, _revision) = line.split_once(", Rev: ").ok_or_else(damaged)?;
    let (major, rest) = version.split_once('.').ok_or_else(damaged)?;
    // Between releases there is a suffix, as in `7.57+1`. It stays: such a version is known only if named in full.
    let minor = rest.split('+').next().unwrap_or_default();
    if number(major).is_none() || number(minor).is_none() || version.contains(char::is_whitespace) {
        return Err(damaged());
    }
    Ok(version.to_string())
}

struct Lines<'a> {
    rest: std::str::Lines<'a>,
}

impl<'a> Lines<'a> {
    fn next(&mut self, expected: &str) -> Result<&'a str, String> {
        self.rest.next().ok_or_else(|| format!("herd7's answer is cut: expected {expected}"))
    }

    fn exactly(&mut self, expected: &str) -> Result<(), String> {
        let line = self.next(expected)?;
        if line == expected { Ok(()) } else { Err(format!("expected {expected:?}, herd7 says {line:?}")) }
    }

    fn after(&mut self, prefix: &str) -> Result<&'a str, String> {
        let line = self.next(prefix)?;
        line.strip_prefix(prefix).ok_or_else(|| format!("expected {prefix:?}, herd7 says {line:?}"))
    }
}
