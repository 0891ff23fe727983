//! What to check and within which limits.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use stateright::Model;

use crate::error::CheckError;
use crate::report::{Progress, Report};
use crate::search;
use crate::space::Space;

/// Every model that this engine can check. Implemented by itself; nothing to do.
///
/// States are compared with `==`, which must be an equivalence, as `Eq` promises. Only `PartialEq` is
/// asked for, because some of Stateright's own types (its consistency testers) have no `Eq`.
pub trait Checkable: Sync + Model<State: Clone + PartialEq + Hash + Send + Sync> {}
impl<M: Sync + Model<State: Clone + PartialEq + Hash + Send + Sync>> Checkable for M {}

type IsFinal<M> = fn(&M, &<M as Model>::State) -> bool;
type KindOf<M> = fn(&M, &<M as Model>::Action) -> usize;
pub(crate) type InPlace<M> = fn(&M, &mut <M as Model>::State, <M as Model>::Action) -> bool;
pub(crate) type Canonical<M> = fn(&M, &<M as Model>::State) -> <M as Model>::State;

/// The report about a model.
pub type ReportOf<M> = Report<<M as Model>::State, <M as Model>::Action>;
/// The error about a model.
pub type ErrorOf<M> = CheckError<<M as Model>::State, <M as Model>::Action>;

/// Visits every reachable state of a model, breadth first.
///
/// ```
/// use checker::{Checker, Outcome};
/// use stateright::{Model, Property};
///
/// /// A counter that wraps around at 5.
/// struct Wrapping;
/// impl Model for Wrapping {
///     type State = u8;
///     type Action = ();
///     fn init_states(&self) -> Vec<u8> {
///         vec![0]
///     }
///     fn actions(&self, _: &u8, actions: &mut Vec<()>) {
///         actions.push(());
///     }
///     fn next_state(&self, state: &u8, (): ()) -> Option<u8> {
///         Some((state + 1) % 5)
///     }
///     fn properties(&self) -> Vec<Property<Self>> {
///         vec![
///             Property::<Self>::always("small", |_, state| *state < 5),
///             Property::<Self>::always("never-three", |_, state| *state != 3),
///         ]
///     }
/// }
///
/// let report = Checker::new(&Wrapping).run().unwrap();
/// assert_eq!(report.states, 5);
/// assert_eq!(report.outcome("small"), Some(&Outcome::Holds));
/// assert_eq!(report.outcome("never-three").unwrap().path().unwrap().len(), 3);
/// ```
#[must_use = "nothing is checked before `run`"]
pub struct Checker<'m, M: Model> {
    pub(crate) model: &'m M,
    pub(crate) threads: usize,
    pub(crate) max_states: Option<u64>,
    pub(crate) max_memory: Option<u64>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) stop: Option<Arc<AtomicBool>>,
    pub(crate) progress: Option<Arc<Progress>>,
    pub(crate) is_final: Option<IsFinal<M>>,
    pub(crate) kinds: Option<(usize, KindOf<M>)>,
    pub(crate) in_place: Option<InPlace<M>>,
    pub(crate) symmetry: Option<Canonical<M>>,
    pub(crate) batch: Option<usize>,
}

impl<M: Model> Clone for Checker<'_, M> {
    fn clone(&self) -> Self {
        Self { stop: self.stop.clone(), progress: self.progress.clone(), ..*self }
    }
}

impl<M: Model> fmt::Debug for Checker<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checker")
            .field("threads", &self.threads)
            .field("max_states", &self.max_states)
            .field("max_memory", &self.max_memory)
            .field("timeout", &self.timeout)
            .field("symmetry", &self.symmetry.is_some())
            .finish_non_exhaustive()
    }
}

impl<'m, M: Checkable> Checker<'m, M> {
    /// A search with one thread and without limits.
    pub fn new(model: &'m M) -> Self {
        Self {
            model,
            threads: 1,
            max_states: None,
            max_memory: None,
            timeout: None,
            stop: None,
            progress: None,
            is_final: None,
            kinds: None,
            in_place: None,
            symmetry: None,
            batch: None,
        }
    }

    /// How many threads to use, at least one and at most 32. The result does not depend on it. Small searches
    /// stay on the calling thread.
    pub fn threads(self, threads: usize) -> Self {
        Self { threads: threads.clamp(1, crate::shard::SHARDS), ..self }
    }
    /// Stops when a state beyond this number would have to be stored. Exact, and the same in every run.
    pub fn max_states(self, states: u64) -> Self {
        Self { max_states: Some(states), ..self }
    }
    /// Stops before the engine takes more than this. What states own behind pointers is watched from
    /// outside (Linux only), by the growth of the whole process.
    pub fn max_memory(self, bytes: u64) -> Self {
        Self { max_memory: Some(bytes), ..self }
    }
    /// Stops after this time.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }
    /// Stops soon after the flag becomes true.
    pub fn stop_when(self, stop: Arc<AtomicBool>) -> Self {
        Self { stop: Some(stop), ..self }
    }
    /// Where to tell how far the search is.
    pub fn progress(self, progress: Arc<Progress>) -> Self {
        Self { progress: Some(progress), ..self }
    }
    /// The states in which a run may end. With it, deadlocks are looked for.
    pub fn final_states(self, is_final: fn(&M, &M::State) -> bool) -> Self {
        Self { is_final: Some(is_final), ..self }
    }
    /// How many kinds of action there are, and the kind of each. With it, the steps of each kind are counted.
    pub fn step_kinds(self, count: usize, kind_of: fn(&M, &M::Action) -> usize) -> Self {
        Self { kinds: Some((count, kind_of)), ..self }
    }
    /// How to take a step without `Model::next_state`: turns a copy of a state into the state after an action, and
    /// says whether that is possible; if not, the copy is thrown away. It must agree with `next_state`, and is faster if
    /// states are large, because every state is then made where it waits to be looked up.
    pub fn in_place(self, step: fn(&M, &mut M::State, M::Action) -> bool) -> Self {
        Self { in_place: Some(step), ..self }
    }
    /// Merges states that have the same representative. The model must not tell a state from its
    /// representative: the same properties, the same finality, and steps to states with the same representatives.
    /// Paths are genuine runs nevertheless.
    pub fn symmetry(self, representative: fn(&M, &M::State) -> M::State) -> Self {
        Self { symmetry: Some(representative), ..self }
    }
    /// How many states are expanded together when several threads work; for tests, which use tiny batches
    /// to see many of them. Threads then work on searches of any size.
    #[doc(hidden)]
    pub fn batch(self, states: usize) -> Self {
        Self { batch: Some(states.max(1)), ..self }
    }

    /// Runs the search.
    ///
    /// # Errors
    /// The model panicked, is not deterministic, or the symmetry is none.
    pub fn run(&self) -> Result<ReportOf<M>, ErrorOf<M>> {
        self.run_with_space().map(|(report, _)| report)
    }

    /// Runs the search and keeps the states that it visited.
    ///
    /// # Errors
    /// As for [`Checker::run`].
    pub fn run_with_space(&self) -> Result<(ReportOf<M>, Space<'m, M>), ErrorOf<M>> {
        search::run(self)
    }
}
