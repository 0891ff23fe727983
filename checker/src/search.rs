//! The search itself: level by level from the initial states, until nothing new is found or a limit is hit.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{OnceLock, PoisonError, RwLock};
use std::thread::{self, Scope};

use stateright::{Expectation, Property};

use crate::barrier::BreakOnDrop;
use crate::checker::{Checkable, Checker, ErrorOf, ReportOf};
use crate::error::{CheckError, Phase, message_of};
use crate::expand::Findings;
use crate::limits::{Budget, Limit, Watch};
use crate::liveness::{Lasso, Waiting};
use crate::parallel::{Crew, Worker, read, write};
use crate::pieces::Pieces;
use crate::replay;
use crate::report::{Outcome, Path, PropertyReport, Report};
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
    worker: Worker<'c, M>,
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
    let crew = OnceLock::new();
    let (stop, findings, depth) = thread::scope(|scope| {
        let mut search = Search::new(&shared);
        let stop = search.run(scope, &crew);
        (stop, search.findings, search.depth)
    });
    drop(crew);
    let Shared { shards, budget, watch, .. } = shared;
    let shards = shards.into_iter().map(|shard| shard.into_inner().unwrap_or_else(PoisonError::into_inner));
    let visited = Visited { shards: shards.collect() };
    let limit = match stop {
        Ok(()) => None,
        Err(Stop::Limit(limit)) => Some(limit),
        Err(Stop::Panic { during, at, message }) => {
            let path = (at != StateId::NONE).then(|| replay::path_towards(checker, &visited, at));
            return Err(CheckError::Panicked { during, message, path: path.flatten().map(Box::new) });
        }
    };
    let judge = Judge {
        checker,
        visited: &visited,
        properties: &properties,
        findings: &findings,
        limit,
        limits: (&budget, &watch),
    };
    let report = Report {
        properties: judge.properties()?,
        deadlock: judge.deadlock()?,
        states: visited.len() as u64,
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
    /// A level from this size on is worth the meetings of several threads.
    const LARGE: usize = 2048;

    fn new(shared: &'c Shared<'c, M>) -> Self {
        let worker = Worker::new(shared);
        Self { shared, next: Pieces::new(), states: 0, depth: 0, findings: worker.expander.findings.clone(), worker }
    }

    /// `crew` is filled when the first large level comes, and its threads leave when this returns.
    fn run<'scope>(&mut self, scope: &'scope Scope<'scope, '_>, crew: &'scope OnceLock<Crew<'c, M>>) -> Result<(), Stop>
    where
        'c: 'scope,
    {
        self.shared.watch.check().map_err(Stop::Limit)?;
        self.on_this_thread(|search, store| {
            for state in search.shared.checker.model.init_states() {
                search.worker.expander.admit(state, &mut search.worker.blocks.filling);
            }
            search.worker.blocks.filling.came_from(StateId::NONE);
            store.finish(&mut search.worker.blocks, &mut search.worker.expander.place)
        })?;
        // Until this is dropped the other threads are there, if they could be started.
        let mut hired = None;
        while self.next.len() > 0 {
            let before = self.stored();
            self.begin_level();
            let result = if self.is_large_level() {
                let crew = crew.get_or_init(|| Crew::new(self.shared, self.shared.checker.threads));
                match hired.get_or_insert_with(|| self.hire(scope, crew)) {
                    Ok(_) => self.level_with(crew),
                    Err(_) => self.level(),
                }
            } else {
                self.level()
            };
            self.depth += u32::from(self.stored() > before);
            result?;
        }
        Ok(())
    }

    fn begin_level(&mut self) {
        std::mem::swap(&mut *write(&self.shared.frontier), &mut self.next);
        self.next.clear();
    }

    fn is_large_level(&self) -> bool {
        let Checker { threads, batch, .. } = self.shared.checker;
        let large = if batch.is_some() { 1 } else { Self::LARGE };
        *threads > 1 && read(&self.shared.frontier).len() >= large
    }

    /// Starts the other threads, until what this returns is dropped. If the system refuses one, they all leave, and this
    /// thread goes on alone.
    fn hire<'scope>(
        &self,
        scope: &'scope Scope<'scope, '_>,
        crew: &'scope Crew<'c, M>,
    ) -> std::io::Result<BreakOnDrop<'scope>>
    where
        'c: 'scope,
    {
        let dismiss = BreakOnDrop(&crew.barrier);
        for number in 1..self.shared.checker.threads {
            thread::Builder::new().spawn_scoped(scope, move || {
                let _dismiss = BreakOnDrop(&crew.barrier);
                crew.follow(number);
            })?;
        }
        Ok(dismiss)
    }

    /// Expands a level on this thread.
    fn level(&mut self) -> Result<(), Stop> {
        let frontier = read(&self.shared.frontier);
        let mut done = 0;
        while done < frontier.len() {
            self.show_progress(frontier.len() - done);
            let positions = done..(done + Self::STRETCH).min(frontier.len());
            done = positions.end;
            self.stretch(&frontier, positions)?;
        }
        Ok(())
    }

    /// Expands a level with all threads.
    fn level_with(&mut self, crew: &Crew<'c, M>) -> Result<(), Stop> {
        let frontier = read(&self.shared.frontier);
        let mut done = 0;
        while done < frontier.len() {
            self.show_progress(frontier.len() - done);
            let positions = done..(done + self.batch(crew)).min(frontier.len());
            done = positions.end;
            let (before, room) = (self.next.len(), self.room());
            let Self { worker, findings, next, .. } = self;
            let worked = crew.lead(worker, positions.clone(), room, findings, next)?;
            self.states += (self.next.len() - before) as u64;
            if !worked {
                self.shared.watch.check().map_err(Stop::Limit)?;
                self.stretch(&frontier, positions)?;
            }
        }
        Ok(())
    }

    fn batch(&self, crew: &Crew<'c, M>) -> usize {
        let branching = self.findings.transitions / self.findings.examined.max(1);
        self.shared.checker.batch.unwrap_or_else(|| crew.batch(branching))
    }

    /// The states in all shards: more than `states` if a batch could not be finished.
    fn stored(&self) -> usize {
        self.shared.shards.iter().map(|shard| read(shard).len()).sum()
    }

    fn room(&self) -> u64 {
        self.shared.checker.max_states.unwrap_or(u64::MAX).saturating_sub(self.states)
    }

    fn stretch(&mut self, frontier: &Pieces<u32>, positions: Range<usize>) -> Result<(), Stop> {
        self.on_this_thread(|search, store| {
            let Self { worker: Worker { expander, pacer, blocks, .. }, shared, .. } = search;
            sequential::expand(store, frontier, positions, expander, blocks, pacer, &shared.watch)
        })
    }

    /// Works on all shards, catches panics of the model, and adds up what was found.
    fn on_this_thread(
        &mut self,
        work: impl FnOnce(&mut Self, &mut Store<'_, M::State>) -> Result<(), Limit>,
    ) -> Result<(), Stop> {
        let shared = self.shared;
        let mut locked: Vec<_> = shared.shards.iter().map(write).collect();
        let mut next = std::mem::replace(&mut self.next, Pieces::new());
        let before = next.len();
        self.worker.blocks.clear();
        self.worker.expander.start(&self.findings);
        let mut store = Store {
            shards: locked.iter_mut().map(|guard| &mut **guard).collect(),
            next: &mut next,
            room: self.room(),
            budget: &shared.budget,
        };
        let result = catch_unwind(AssertUnwindSafe(|| work(self, &mut store)));
        self.states += (next.len() - before) as u64;
        self.next = next;
        self.findings.add(&self.worker.expander.findings);
        match result {
            Ok(done) => done.map_err(Stop::Limit),
            Err(payload) => Err(Stop::Panic {
                during: self.worker.expander.place.phase,
                at: self.worker.expander.place.state,
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
    limits: (&'a Budget, &'a Watch),
}

type PropertyReportOf<M> = PropertyReport<<M as stateright::Model>::State, <M as stateright::Model>::Action>;
type OutcomeOf<M> = Outcome<<M as stateright::Model>::State, <M as stateright::Model>::Action>;

impl<M: Checkable> Judge<'_, '_, M> {
    fn properties(&self) -> Result<Vec<PropertyReportOf<M>>, ErrorOf<M>> {
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
            return self.eventually(property);
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

    fn eventually(&self, property: &Property<M>) -> Result<OutcomeOf<M>, ErrorOf<M>> {
        if self.checker.symmetry.is_some() {
            return Ok(Outcome::Unsupported("`eventually` is not checked together with a symmetry"));
        }
        if self.limit.is_some() {
            return Ok(Outcome::Undecided);
        }
        let search = || Waiting::new(self.checker, self.visited, property, self.limits)?.lasso();
        let Lasso { trail, back_to } = match replay::guarded(search)? {
            Ok(Some(lasso)) => lasso,
            Ok(None) => return Ok(Outcome::Holds),
            Err(_) => return Ok(Outcome::Undecided),
        };
        let trail: Vec<&M::State> = trail.into_iter().map(|id| self.visited.state(id)).collect();
        let path = replay::guarded(|| replay::follow(self.checker, &trail))??;
        Ok(Outcome::Broken(Path { back_to, ..path }))
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
