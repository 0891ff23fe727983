//! The states that a search visited.

use std::hash::Hash;

use crate::checker::{Checkable, Checker, ErrorOf};
use crate::hasher::hash_of;
use crate::replay;
use crate::report::Path;
use crate::shard::{First, Probe, Shard, StateId, shard_of};

/// The visited states, as [`Checker::run_with_space`] leaves them. With a symmetry these are representatives.
pub struct Space<'m, M: Checkable> {
    checker: Checker<'m, M>,
    visited: Visited<M::State>,
}

impl<M: Checkable> std::fmt::Debug for Space<'_, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Space").field("states", &self.len()).finish_non_exhaustive()
    }
}

impl<'m, M: Checkable> Space<'m, M> {
    pub(crate) fn new(checker: Checker<'m, M>, visited: Visited<M::State>) -> Self {
        Self { checker, visited }
    }

    /// The number of states.
    pub fn len(&self) -> usize {
        self.visited.len()
    }
    /// Whether there is no state at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// All states with their ids, in an order that is the same in every run.
    pub fn states(&self) -> impl Iterator<Item = (StateId, &M::State)> {
        self.visited.ids().map(|id| (id, self.visited.state(id)))
    }
    /// The state with this id.
    ///
    /// # Panics
    /// The id is of another space.
    pub fn state(&self, id: StateId) -> &M::State {
        self.visited.state(id)
    }
    /// Whether a state was visited (or, with a symmetry, one that is merged with it), and under which id.
    pub fn find(&self, state: &M::State) -> Option<StateId> {
        match self.checker.symmetry {
            Some(canonical) => self.visited.find(&canonical(self.checker.model, state)),
            None => self.visited.find(state),
        }
    }
    /// Whether a state was visited (or, with a symmetry, one that is merged with it).
    pub fn contains(&self, state: &M::State) -> bool {
        self.find(state).is_some()
    }
    /// The number of steps from an initial state to this one.
    pub fn depth(&self, id: StateId) -> usize {
        self.visited.trail(id).len() - 1
    }
    /// A shortest run to a state (or, with a symmetry, to one that is merged with it).
    ///
    /// # Errors
    /// The model is not deterministic or panics, or the symmetry is none.
    pub fn path_to(&self, id: StateId) -> Result<Path<M::State, M::Action>, ErrorOf<M>> {
        replay::path_to(&self.checker, &self.visited, id)
    }
    /// The steps of a state within the boundary, each with the state it leads to; `None` if a limit ended
    /// the search before that state was stored.
    pub fn steps(&self, id: StateId) -> Vec<(M::Action, Option<StateId>)> {
        let steps = self.checker.model.next_steps(self.state(id)).into_iter();
        let inside = steps.filter(|(_, next)| self.checker.model.within_boundary(next));
        inside.map(|(action, next)| (action, self.find(&next))).collect()
    }
}

/// The shards together, when the search is over.
pub(crate) struct Visited<S> {
    pub(crate) shards: Vec<Shard<S>>,
}

impl<S: PartialEq + Hash> Visited<S> {
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(Shard::len).sum()
    }
    pub(crate) fn ids(&self) -> impl Iterator<Item = StateId> {
        let of_shard = |(shard, of): (usize, &Shard<S>)| (0..of.len()).map(move |n| StateId::new(shard, n as u32));
        self.shards.iter().enumerate().flat_map(of_shard)
    }
    pub(crate) fn state(&self, id: StateId) -> &S {
        self.shards[id.shard()].state(id.local())
    }
    pub(crate) fn find(&self, state: &S) -> Option<StateId> {
        let hash = hash_of(state);
        let shard = shard_of(hash);
        match self.shards[shard].probe(hash, First::UNKNOWN, state) {
            Probe::Known(local) => Some(StateId::new(shard, local)),
            Probe::Absent(_) => None,
        }
    }
    /// The states from an initial one to this one, as they were first reached.
    pub(crate) fn trail(&self, id: StateId) -> Vec<StateId> {
        let before = |id: &StateId| Some(self.shards[id.shard()].parent(id.local())).filter(|id| *id != StateId::NONE);
        let mut trail: Vec<StateId> = std::iter::successors(Some(id), before).collect();
        trail.reverse();
        trail
    }
}
