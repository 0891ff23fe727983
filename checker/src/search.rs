//! The search itself: level by level from the initial states, until nothing new is found or a limit is hit.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use stateright::{Expectation, Property};

use crate::checker::{Checkable, Checker, ErrorOf, ReportOf};
use crate::error::{CheckError, Phase, message_of};
use crate::expand::{Candidate, Expander, Findings};
use crate::limits::{Budget, Limit, Pacer, Watch};
use crate::pieces::Pieces;
use crate::replay;
use crate::report::{Outcome, PropertyReport, Report};
use crate::sequential::{self, Store};
use crate::shard::{SHARDS, Shard, StateId};
use crate::space::{Space, Visited};

/// Why a search went no further.
pub(crate) enum Stop {
    Limit(Limit),
    Panic { during: Phase, at: StateId, message: String },
}

/// What all threads share.
pub(crate) struct Shared<'c, M: Checkable> {
    pub(crate) checker: &'c Checker<'c, M>,
    pub(crate) properties: &'c [Property<M>],
    pub(crate) shards: Vec<RwLock<Shard<M::State>>>,
    /// The states of the level that is being expanded, in the order in which they were found.
    pub(crate) frontier: RwLock<Pieces<u32>>,
    pub(crate) budget: Budget,
    pub(crate) watch: Watch,
}

/// A search under way, seen from the thread that leads it.
struct Search<'c, M: Checkable> {
    shared: &'c Shared<'c, M>,
    next: Pieces<u32>,
    states: u64,
    depth: u32,
    findings: Findings,
    expander: Expander<'c, M>,
    candidates: Vec<Candidate<M::State>>,
    pacer: Pacer,
}

/// Runs a search and reports.
pub(crate) fn run<'m, M: Checkable>(checker: &Checker<'m, M>) -> Result<(ReportOf<M>, Space<'m, M>), ErrorOf<M>> {
    let properties = catch_unwind(AssertUnwindSafe(|| checker.model.properties())).map_err(|payload| {
        CheckError::Panicked { during: Phase::Properties, message: message_of(&*payload), path: None }
    })?;
    let owns_heap = std::mem::needs_drop::<M::State>();
    let shared = Shared {
        checker,
        properties: &properties,
        shards: (0..SHARDS).map(|_| RwLock::new(Shard::new())).collect(),
        frontier: RwLock::new(Pieces::new()),
        budget: Budget::new(checker.max_memory),
        watch: Watch::new(checker.timeout, checker.stop.clone(), checker.max_memory, owns_heap),
    };
    let mut search = Search::new(&shared);
    let stop = search.run();
    let (findings, states, depth) = (search.findings, search.states, search.depth);
    let Shared { shards, budget, watch, .. } = shared;
    let shards = shards.into_iter().map(|shard| shard.into_inner().unwrap_or_else(PoisonError::into_inner));
    let visited = Visited { shards: shards.collect() };
    let limit = match stop {
        Ok(()) => None,
        Err(Stop::Limit(limit)) => Some(limit),
        Err(Stop::Panic { during, at, message }) => {
            let path = (at != StateId::NONE).then(|| replay::path_to(checker, &visited, at).ok());
            return Err(CheckError::Panicked { during, message, path: path.flatten().map(Box::new) });
        }
    };
    let judge = Judge { checker, visited: &visited, properties: &properties, findings: &findings, limit };
    let report = Report {
        properties: judge.properties()?,
        deadlock: judge.deadlock()?,
        states,
        examined: findings.examined,
        transitions: findings.transitions,
        depth,
        terminal_states: findings.terminal,
        cut_by_boundary: findings.cut,
        steps_by_kind: findings.kinds.clone(),
        limit,
        symmetry: checker.symmetry.is_some(),
        peak_bytes: budget.peak(),
        elapsed: watch.elapsed(),
    };
    Ok((report, Space::new(checker.clone(), visited)))
}

impl<'c, M: Checkable> Search<'c, M> {
    /// How many states are expanded before progress is shown and decided properties are left out.
    const STRETCH: usize = 4096;

    fn new(shared: &'c Shared<'c, M>) -> Self {
        let expander = Expander::new(shared.checker, shared.properties);
        Self {
            shared,
            next: Pieces::new(),
            states: 0,
            depth: 0,
            findings: expander.findings.clone(),
            expander,
            candidates: Vec::new(),
            pacer: Pacer::new(),
        }
    }

    fn run(&mut self) -> Result<(), Stop> {
        self.shared.watch.check().map_err(Stop::Limit)?;
        self.on_this_thread(|search, store| {
            for state in search.shared.checker.model.init_states() {
                search.candidates.extend(search.expander.admit(state, StateId::NONE));
            }
            store.add_all(&mut search.candidates, &mut search.expander.place)
        })?;
        while self.next.len() > 0 {
            let before = self.states;
            self.begin_level();
            let result = self.level();
            self.depth += u32::from(self.states > before);
            result?;
        }
        Ok(())
    }

    fn begin_level(&mut self) {
        let mut frontier = self.shared.frontier.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *frontier, &mut self.next);
        self.next.clear();
    }

    fn level(&mut self) -> Result<(), Stop> {
        let shared = self.shared;
        let frontier = shared.frontier.read().unwrap_or_else(PoisonError::into_inner);
        let mut done = 0;
        while done < frontier.len() {
            self.show_progress(frontier.len() - done);
            let positions = done..(done + Self::STRETCH).min(frontier.len());
            done = positions.end;
            self.stretch(&frontier, positions)?;
        }
        Ok(())
    }

    fn stretch(&mut self, frontier: &Pieces<u32>, positions: Range<usize>) -> Result<(), Stop> {
        self.on_this_thread(|search, store| {
            let Self { expander, candidates, pacer, shared, .. } = search;
            sequential::expand(store, frontier, positions, expander, candidates, pacer, &shared.watch)
        })
    }

    /// Works on all shards, catches panics of the model, and adds up what was found.
    fn on_this_thread(
        &mut self,
        work: impl FnOnce(&mut Self, &mut Store<'_, M::State>) -> Result<(), Limit>,
    ) -> Result<(), Stop> {
        let shared = self.shared;
        let mut locked: Vec<RwLockWriteGuard<'_, Shard<M::State>>> =
            shared.shards.iter().map(|shard| shard.write().unwrap_or_else(PoisonError::into_inner)).collect();
        let mut next = std::mem::replace(&mut self.next, Pieces::new());
        let before = next.len();
        self.candidates.clear();
        self.expander.start(&self.findings);
        let mut store = Store {
            shards: locked.iter_mut().map(|guard| &mut **guard).collect(),
            next: &mut next,
            room: shared.checker.max_states.unwrap_or(u64::MAX).saturating_sub(self.states),
            budget: &shared.budget,
        };
        let result = catch_unwind(AssertUnwindSafe(|| work(self, &mut store)));
        self.states += (next.len() - before) as u64;
        self.next = next;
        self.findings.add(&self.expander.findings);
        match result {
            Ok(done) => done.map_err(Stop::Limit),
            Err(payload) => Err(Stop::Panic {
                during: self.expander.place.phase,
                at: self.expander.place.state,
                message: message_of(&*payload),
            }),
        }
    }

    fn show_progress(&self, left: usize) {
        let Some(progress) = &self.shared.checker.progress else { return };
        let waiting = (left + self.next.len()) as u64;
        progress.set(self.states, self.findings.transitions, self.depth + 1, waiting, self.shared.budget.used());
    }
}

/// Turns findings into outcomes.
struct Judge<'a, 'm, M: Checkable> {
    checker: &'a Checker<'m, M>,
    visited: &'a Visited<M::State>,
    properties: &'a [Property<M>],
    findings: &'a Findings,
    limit: Option<Limit>,
}

type OutcomeOf<M> = Outcome<<M as stateright::Model>::State, <M as stateright::Model>::Action>;

impl<M: Checkable> Judge<'_, '_, M> {
    fn properties(&self) -> Result<Vec<PropertyReport<M::State, M::Action>>, ErrorOf<M>> {
        let decided = self.properties.iter().zip(&self.findings.decided);
        let reports = decided.map(|(property, decided)| {
            let outcome = self.property(property, *decided)?;
            Ok(PropertyReport { name: property.name, expectation: property.expectation.clone(), outcome })
        });
        reports.collect()
    }

    fn property(&self, property: &Property<M>, decided: Option<StateId>) -> Result<OutcomeOf<M>, ErrorOf<M>> {
        let witness = property.expectation == Expectation::Sometimes;
        if property.expectation == Expectation::Eventually {
            return Ok(Outcome::Unsupported("`eventually` is not checked by this engine"));
        }
        let Some(id) = decided else {
            return Ok(self.undecided_or(if witness { Outcome::Unseen } else { Outcome::Holds }));
        };
        let path = replay::path_to(self.checker, self.visited, id)?;
        // With a wrong symmetry the run ends in a state of which the property says something else.
        let shown = replay::guarded(|| (property.condition)(self.checker.model, path.last()) == witness)?;
        match (shown, witness) {
            (false, _) => Err(CheckError::NotASymmetry { path: Box::new(path) }),
            (true, true) => Ok(Outcome::Seen(path)),
            (true, false) => Ok(Outcome::Broken(path)),
        }
    }

    fn deadlock(&self) -> Result<Option<OutcomeOf<M>>, ErrorOf<M>> {
        if self.checker.is_final.is_none() {
            return Ok(None);
        }
        let Some(id) = self.findings.deadlock else { return Ok(Some(self.undecided_or(Outcome::Holds))) };
        let path = replay::path_to(self.checker, self.visited, id)?;
        Ok(Some(Outcome::Broken(path)))
    }

    fn undecided_or(&self, outcome: OutcomeOf<M>) -> OutcomeOf<M> {
        if self.limit.is_some() { Outcome::Undecided } else { outcome }
    }
}
