//! Scenarios as data: a question about memory order, the bounds within which loom answers it, and what is expected.

use std::collections::BTreeSet;

/// How far loom looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How often a thread may be preempted in one execution; `None`: as often as it can be.
    pub preemptions: Option<usize>,
    /// How many scheduling points one execution may have. loom panics beyond.
    pub branches: usize,
    /// Why this bound; empty if there is none.
    pub why: &'static str,
}

impl Bounds {
    /// Every execution that loom can produce.
    pub const NONE: Self = Self { preemptions: None, branches: 10_000, why: "" };

    /// At most `preemptions` preemptions in an execution.
    pub const fn preemptions(preemptions: usize, why: &'static str) -> Self {
        Self { preemptions: Some(preemptions), why, ..Self::NONE }
    }
    /// The bound in words, unless there is none.
    pub fn in_words(self) -> Option<String> {
        self.preemptions.map(|n| format!("at most {n} preemptions in an execution: {}", self.why))
    }
}

/// What is expected of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// No outcome breaks a property and nothing panics.
    Holds,
    /// This property breaks: its text begins the message.
    Broken(&'static str),
}

/// What loom found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoomRun {
    /// How many executions were run.
    pub executions: u64,
    /// What was observed over all executions.
    pub outcomes: BTreeSet<String>,
    /// Whether every execution within the bounds was run: a panic ends a run early.
    pub complete: bool,
    /// The property that broke, with the first outcome that breaks it or the panic.
    pub panic: Option<String>,
    /// The bound within which this is true; `None`: every execution that loom can produce.
    pub bounded: Option<String>,
}

/// One question that loom answers.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// The mechanism.
    pub mechanism: &'static str,
    /// The memory-order variant, unique within the mechanism. Where a litmus test asks the same question it has the
    /// same name, with the mechanism in front.
    pub variant: &'static str,
    /// What this version does.
    pub what: &'static str,
    /// The question.
    pub question: &'static str,
    /// The answer that is expected.
    pub expected: Expected,
    /// Every outcome that a whole run observes. Where a panic ends the run early there is no whole set, and this is
    /// empty.
    pub outcomes: &'static [&'static str],
    /// How far loom looks.
    pub bounds: Bounds,
    /// Explores within the given bounds.
    pub explore: fn(Bounds) -> LoomRun,
}

impl Scenario {
    /// Explores within the scenario's own bounds.
    pub fn run(&self) -> LoomRun {
        (self.explore)(self.bounds)
    }

    /// Whether the run is what was expected, and if not, how it differs.
    ///
    /// # Errors
    /// Nothing was executed, the wrong thing broke, or an outcome is missing or too many.
    pub fn judge(&self, run: &LoomRun) -> Result<(), String> {
        if run.executions == 0 {
            return Err("nothing was executed".to_string());
        }
        match (self.expected, &run.panic) {
            (Expected::Holds, None) => {}
            (Expected::Holds, Some(panic)) => return Err(format!("expected to hold, but: {panic}")),
            (Expected::Broken(property), None) => return Err(format!("expected to break \"{property}\", but held")),
            (Expected::Broken(property), Some(panic)) if !panic.starts_with(property) => {
                return Err(format!("expected to break \"{property}\", but: {panic}"));
            }
            (Expected::Broken(_), Some(_)) => {}
        }
        if self.outcomes.is_empty() {
            let early = !run.complete;
            return if early { Ok(()) } else { Err("expected to end early, but ran to the end".to_string()) };
        }
        if !run.complete {
            return Err(format!("ended early: {}", run.panic.as_deref().unwrap_or_default()));
        }
        let expected: BTreeSet<String> = self.outcomes.iter().map(ToString::to_string).collect();
        if run.outcomes == expected {
            return Ok(());
        }
        let missing: Vec<_> = expected.difference(&run.outcomes).collect();
        let extra: Vec<_> = run.outcomes.difference(&expected).collect();
        Err(format!("outcomes that were expected and not seen: {missing:?}; seen and not expected: {extra:?}"))
    }
}
