//! A second opinion: Stateright's own breadth-first search on the same model.
//!
//! Stateright is right about most models, but what it says must be read with care, so this module asks it in
//! a way that leaves no room for doubt:
//! - It stops as soon as it has seen something about every property. A claim that is always true is added, so
//!   that it goes on to the end.
//! - Its `is_done()` is also true after a limit, and its time limit does not work with one thread. So it gets no
//!   limits. The model itself has no steps any more when the time is up, and remembers that this happened.
//! - It keeps 64-bit fingerprints of states. When the numbers of states differ, the search is done again with
//!   the states written down, and the difference is listed; with the states that have the same fingerprint
//!   because their `Hash` does not tell them apart.
//! - What it says about `eventually` is wrong on loops and joins (its documentation says so) and not compared.

use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use stateright::{Checker as _, Expectation, Model, Property};

use crate::checker::{Checkable, ReportOf};
use crate::error::message_of;
use crate::shard::StateId;
use crate::space::Space;

/// How Stateright's search compares with ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrossCheck<S> {
    /// The verdicts on every claim and witness, side by side.
    pub verdicts: Vec<VerdictPair>,
    /// Distinct states here.
    pub exact_states: u64,
    /// Distinct fingerprints there.
    pub stateright_states: u64,
    /// Whether the numbers of states can be compared: not with a symmetry, which its search does not have.
    pub counts_compare: bool,
    /// Whether Stateright's search came to its end in the time it was given.
    pub finished: bool,
    /// Where the searches differ, if they do.
    pub difference: Option<Difference<S>>,
    /// How long Stateright took for its first search.
    pub elapsed: Duration,
}

/// What both searches say about a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerdictPair {
    /// The property.
    pub name: &'static str,
    /// Our verdict, as [`crate::Outcome::verdict`] gives it.
    pub exact: &'static str,
    /// Stateright's, in the same words.
    pub stateright: &'static str,
}

/// The states that one of the searches has visited and the other has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference<S> {
    /// How many states Stateright does not have.
    pub missing_there: u64,
    /// How many states Stateright has and we have not.
    pub missing_here: u64,
    /// The first of the states that Stateright does not have.
    pub examples_missing_there: Vec<S>,
    /// The first of the states that we do not have.
    pub examples_missing_here: Vec<S>,
    /// Pairs of different states that look the same to any hasher: one that Stateright does not have, and
    /// one that it has. Its search took the first for the second.
    pub same_fingerprint: Vec<(S, S)>,
}

impl<S> CrossCheck<S> {
    /// Whether Stateright finished and says the same.
    pub fn agrees(&self) -> bool {
        let same = self.verdicts.iter().all(|pair| pair.exact == pair.stateright);
        self.finished && same && (!self.counts_compare || self.exact_states == self.stateright_states)
    }
}

/// Why there is nothing to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CrossCheckError {
    /// Our own search hit a limit.
    Incomplete,
    /// The model has more properties than this module can pass on.
    TooManyProperties,
    /// Stateright, or the model in its hands, panicked.
    Panicked(String),
}

impl std::fmt::Display for CrossCheckError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Incomplete => f.write_str("the exact search hit a limit, so there is nothing to compare with"),
            Self::TooManyProperties => write!(f, "the model has more than {PROPERTIES_MAX} properties"),
            Self::Panicked(message) => write!(f, "Stateright's search panicked: {message}"),
        }
    }
}

impl std::error::Error for CrossCheckError {}

/// Runs Stateright's breadth-first search on the model that `model` makes (Stateright wants to own it), and
/// compares it with a finished search of ours. When the time is up, or `stop` is set, the other search ends unfinished.
///
/// # Errors
/// There is nothing to compare, or the other search panicked.
pub fn cross_check<M>(
    model: impl Fn() -> M,
    (report, space): (&ReportOf<M>, &Space<'_, M>),
    threads: usize,
    time: Duration,
    stop: &Arc<AtomicBool>,
) -> Result<CrossCheck<M::State>, CrossCheckError>
where
    M: Checkable + Send + 'static,
    M::State: 'static,
    M::Action: Clone + PartialEq,
{
    if report.limit.is_some() {
        return Err(CrossCheckError::Incomplete);
    }
    let run = |written| search(ToTheEnd::new(model(), time, Arc::clone(stop), written), threads);
    let started = Instant::now();
    let other = run(None)?;
    let elapsed = started.elapsed();
    let counts_compare = !report.symmetry;
    let differs = counts_compare && other.finished && other.states != report.states;
    let difference = match differs {
        false => None,
        true => {
            let written = Arc::default();
            run(Some(Arc::clone(&written)))?;
            let theirs = std::mem::take(&mut *written.lock().unwrap_or_else(PoisonError::into_inner));
            Some(difference(space, &theirs))
        }
    };
    let verdicts = report.properties.iter().filter(|property| property.expectation != Expectation::Eventually);
    let verdicts = verdicts.map(|property| {
        let found = other.found.contains(&property.name);
        let stateright = match (&property.expectation, found, other.finished) {
            (Expectation::Sometimes, true, _) => "SEEN",
            (_, true, _) => "BROKEN",
            (_, false, false) => "UNDECIDED",
            (Expectation::Sometimes, false, true) => "UNSEEN",
            (_, false, true) => "HOLDS",
        };
        VerdictPair { name: property.name, exact: property.outcome.verdict(), stateright }
    });
    Ok(CrossCheck {
        verdicts: verdicts.collect(),
        exact_states: report.states,
        stateright_states: other.states,
        counts_compare,
        finished: other.finished,
        difference,
        elapsed,
    })
}

struct Found {
    states: u64,
    finished: bool,
    found: Vec<&'static str>,
}

fn search<M>(model: ToTheEnd<M>, threads: usize) -> Result<Found, CrossCheckError>
where
    M: Checkable + Send + 'static,
    M::State: 'static,
    M::Action: Clone + PartialEq,
{
    if model.properties.len() > PROPERTIES_MAX {
        return Err(CrossCheckError::TooManyProperties);
    }
    let searched = catch_unwind(AssertUnwindSafe(|| {
        let checker = model.checker().threads(threads.max(1)).spawn_bfs().join();
        // Before paths are asked for: these are followed through the model again.
        let finished = !checker.model().cut_short.load(Relaxed);
        checker.model().following.store(true, Relaxed);
        let found = checker.discoveries().into_keys().collect();
        Found { states: checker.unique_state_count() as u64, finished, found }
    }));
    searched.map_err(|payload| CrossCheckError::Panicked(message_of(&*payload)))
}

fn difference<M: Checkable>(space: &Space<'_, M>, theirs: &[M::State]) -> Difference<M::State> {
    const LISTED: usize = 10;
    let mut there = std::collections::HashSet::new();
    let mut missing_here = Vec::new();
    for state in theirs {
        match space.find(state) {
            Some(id) => _ = there.insert(id),
            None => missing_here.push(state.clone()),
        }
    }
    let lost: Vec<(StateId, &M::State)> = space.states().filter(|(id, _)| !there.contains(id)).collect();
    let examples = &lost[..lost.len().min(LISTED)];
    let written: Vec<Vec<u8>> = examples.iter().map(|(_, state)| what_is_hashed(*state)).collect();
    let mut same_fingerprint = Vec::new();
    for (id, state) in space.states() {
        let twins = written.iter().zip(examples).filter(|_| there.contains(&id));
        let twins = twins.filter(|(bytes, _)| **bytes == what_is_hashed(state));
        same_fingerprint.extend(twins.map(|(_, (_, lost))| ((*lost).clone(), state.clone())));
    }
    Difference {
        missing_there: lost.len() as u64,
        missing_here: missing_here.len() as u64,
        examples_missing_there: examples.iter().map(|(_, state)| (*state).clone()).collect(),
        examples_missing_here: missing_here.into_iter().take(LISTED).collect(),
        same_fingerprint,
    }
}

/// Everything that a state shows to a hasher.
fn what_is_hashed<S: Hash>(state: &S) -> Vec<u8> {
    struct Writer(Vec<u8>);
    impl Hasher for Writer {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, bytes: &[u8]) {
            self.0.extend(bytes);
        }
    }
    let mut writer = Writer(Vec::new());
    state.hash(&mut writer);
    writer.0
}

/// The model, with one more claim that is always true, and an end to its steps when the time is up or the caller says stop.
struct ToTheEnd<M: Model> {
    model: M,
    properties: Vec<Property<M>>,
    until: Instant,
    stop: Arc<AtomicBool>,
    cut_short: AtomicBool,
    /// The search is over, and paths are being followed.
    following: AtomicBool,
    /// Where to write down the states whose steps are asked for, which are all that the search visits.
    written: Option<Arc<Mutex<Vec<M::State>>>>,
}

impl<M: Model> ToTheEnd<M> {
    fn new(model: M, time: Duration, stop: Arc<AtomicBool>, written: Option<Arc<Mutex<Vec<M::State>>>>) -> Self {
        let properties = model.properties();
        let until = Instant::now() + time;
        Self {
            model,
            properties,
            until,
            stop,
            cut_short: AtomicBool::new(false),
            following: AtomicBool::new(false),
            written,
        }
    }
}

impl<M: Checkable> Model for ToTheEnd<M> {
    type State = M::State;
    type Action = M::Action;

    fn init_states(&self) -> Vec<M::State> {
        self.model.init_states()
    }
    fn actions(&self, state: &M::State, actions: &mut Vec<M::Action>) {
        if !self.following.load(Relaxed) {
            if Instant::now() >= self.until || self.stop.load(Relaxed) {
                self.cut_short.store(true, Relaxed);
                return;
            }
            if let Some(written) = &self.written {
                written.lock().unwrap_or_else(PoisonError::into_inner).push(state.clone());
            }
        }
        self.model.actions(state, actions);
    }
    fn next_state(&self, state: &M::State, action: M::Action) -> Option<M::State> {
        self.model.next_state(state, action)
    }
    fn within_boundary(&self, state: &M::State) -> bool {
        self.model.within_boundary(state)
    }
    fn properties(&self) -> Vec<Property<Self>> {
        let passed_on = self.properties.iter().zip(conditions::<M>()).map(|(property, condition)| Property {
            expectation: property.expectation.clone(),
            name: property.name,
            condition,
        });
        let compared = passed_on.filter(|property| property.expectation != Expectation::Eventually);
        compared.chain([Property::<Self>::always("(goes on to the end)", |_, _| true)]).collect()
    }
}

const PROPERTIES_MAX: usize = 64;

type Condition<M> = fn(&ToTheEnd<M>, &<M as Model>::State) -> bool;

/// Stateright's conditions are functions that cannot capture anything, so there is one for each index.
fn condition<M: Checkable, const INDEX: usize>(passed_on: &ToTheEnd<M>, state: &M::State) -> bool {
    (passed_on.properties[INDEX].condition)(&passed_on.model, state)
}

macro_rules! conditions {
    ($($index:literal)*) => { [$(condition::<M, $index>),*] };
}

#[rustfmt::skip]
fn conditions<M: Checkable>() -> [Condition<M>; PROPERTIES_MAX] {
    conditions!(
         0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
        32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
    )
}
