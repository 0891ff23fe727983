//! What a search tells: outcomes, paths and counts.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use stateright::Expectation;

use crate::limits::Limit;

/// A run of the model: an initial state, and steps with the state after each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path<S, A> {
    /// Where the run begins.
    pub init: S,
    /// Each step with the state that it leads to.
    pub steps: Vec<(A, S)>,
    /// For a run that goes on forever (the counterexample of an `eventually`): the last state is the same as
    /// the one after this many steps, and the run repeats from there.
    pub back_to: Option<usize>,
}

impl<S, A> Path<S, A> {
    /// The last state.
    pub fn last(&self) -> &S {
        self.steps.last().map_or(&self.init, |(_, state)| state)
    }
    /// All states in order, the initial one first.
    pub fn states(&self) -> impl Iterator<Item = &S> {
        std::iter::once(&self.init).chain(self.steps.iter().map(|(_, state)| state))
    }
    /// All steps in order.
    pub fn actions(&self) -> impl Iterator<Item = &A> {
        self.steps.iter().map(|(action, _)| action)
    }
    /// The number of steps.
    pub fn len(&self) -> usize {
        self.steps.len()
    }
    /// Whether the path is an initial state alone.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// What a search found out about one property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<S, A> {
    /// True of every reachable state, as far as the model's boundary goes (see [`Report::cut_by_boundary`]).
    Holds,
    /// Not true, and this is a shortest run that shows it (of an `eventually`: a shortest one if it ends; if it
    /// goes round for ever, any).
    Broken(Path<S, A>),
    /// The situation is reachable, and this is a shortest run to it.
    Seen(Path<S, A>),
    /// The situation is not reachable, as far as the model's boundary goes.
    Unseen,
    /// A limit was hit first: [`Report::limit`], or for an `eventually` also time or memory after the search.
    Undecided,
    /// This engine cannot tell, for the reason given.
    Unsupported(&'static str),
}

impl<S, A> Outcome<S, A> {
    /// The run that shows it, if there is one.
    pub fn path(&self) -> Option<&Path<S, A>> {
        match self {
            Self::Broken(path) | Self::Seen(path) => Some(path),
            _ => None,
        }
    }
    /// A word for it: `HOLDS`, `BROKEN`, `SEEN`, `UNSEEN`, `UNDECIDED` or `UNSUPPORTED`.
    pub fn verdict(&self) -> &'static str {
        match self {
            Self::Holds => "HOLDS",
            Self::Broken(_) => "BROKEN",
            Self::Seen(_) => "SEEN",
            Self::Unseen => "UNSEEN",
            Self::Undecided => "UNDECIDED",
            Self::Unsupported(_) => "UNSUPPORTED",
        }
    }
}

/// A property of the model and what was found out about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyReport<S, A> {
    /// The name that the model gives it.
    pub name: &'static str,
    /// Claim, witness, or something that must come true on every run.
    pub expectation: Expectation,
    /// What was found out.
    pub outcome: Outcome<S, A>,
}

/// The result of a search. Everything but `peak_bytes`, `elapsed` and the effects of [`Limit::Memory`],
/// [`Limit::Time`] and [`Limit::Stopped`] is the same in every run and with any number of threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report<S, A> {
    /// The properties in the order of the model.
    pub properties: Vec<PropertyReport<S, A>>,
    /// Whether a run can end in a state that is not final; `None` if the caller did not say which are.
    pub deadlock: Option<Outcome<S, A>>,
    /// Distinct states that were reached. With a symmetry, representatives.
    pub states: u64,
    /// Those of them whose properties and steps were looked at; fewer than `states` only after a limit.
    pub examined: u64,
    /// Steps that were taken, including those to states already known.
    pub transitions: u64,
    /// The number of steps to the farthest state that was reached.
    pub depth: u32,
    /// States without any step.
    pub terminal_states: u64,
    /// Steps that led out of the model's boundary and were not followed (and initial states outside of it).
    /// If it is not zero, whatever holds does so within that bound only.
    pub cut_by_boundary: u64,
    /// How many of the transitions were of each kind; empty if the caller did not give kinds.
    pub steps_by_kind: Vec<u64>,
    /// The limit that ended the search early, if one did.
    pub limit: Option<Limit>,
    /// Whether symmetric states were merged.
    pub symmetry: bool,
    /// The most memory that the engine took at once. What states own behind pointers is not in it.
    pub peak_bytes: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl<S, A> Report<S, A> {
    /// The outcome of a property.
    pub fn outcome(&self, name: &str) -> Option<&Outcome<S, A>> {
        self.properties.iter().find(|property| property.name == name).map(|property| &property.outcome)
    }
    /// Whether every reachable state was examined, without a limit and without a boundary.
    pub fn saw_everything(&self) -> bool {
        self.limit.is_none() && self.cut_by_boundary == 0
    }
    /// The kinds of step that never happened.
    pub fn kinds_never_taken(&self) -> impl Iterator<Item = usize> {
        self.steps_by_kind.iter().enumerate().filter(|(_, count)| **count == 0).map(|(kind, _)| kind)
    }
}

/// The state of a running search, for a display in another thread. The numbers lag a little.
#[derive(Debug, Default)]
pub struct Progress {
    states: AtomicU64,
    transitions: AtomicU64,
    depth: AtomicU32,
    frontier: AtomicU64,
    bytes: AtomicU64,
}

impl Progress {
    /// Distinct states so far.
    pub fn states(&self) -> u64 {
        self.states.load(Relaxed)
    }
    /// Steps taken so far.
    pub fn transitions(&self) -> u64 {
        self.transitions.load(Relaxed)
    }
    /// The number of steps to the states that are being found.
    pub fn depth(&self) -> u32 {
        self.depth.load(Relaxed)
    }
    /// States that are known and not yet examined.
    pub fn frontier(&self) -> u64 {
        self.frontier.load(Relaxed)
    }
    /// Memory that the engine holds.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    pub(crate) fn set(&self, states: u64, transitions: u64, depth: u32, frontier: u64, bytes: u64) {
        self.states.store(states, Relaxed);
        self.transitions.store(transitions, Relaxed);
        self.depth.store(depth, Relaxed);
        self.frontier.store(frontier, Relaxed);
        self.bytes.store(bytes, Relaxed);
    }
}
