//! States that steps led to and that may be known already.
//!
//! A lookup is slow when its result is needed at once: slot and state lie at random places of the memory. So
//! candidates are looked up a block at a time, in stages with other work between them: hash them and ask for
//! their slots; find the states that may be equal and ask for those; compare. Each stage is a loop with a
//! short body, because a processor has many loads under way at once only if they are few instructions apart.

use std::hash::Hash;

use crate::error::Phase;
use crate::expand::Place;
use crate::hasher::hash_of;
use crate::limits::Limit;
use crate::recent::Recent;
use crate::shard::{First, Shard, StateId};

/// A block of candidates in the order in which they were found.
#[derive(Debug)]
pub(crate) struct Candidates<S> {
    states: Vec<S>,
    parents: Vec<StateId>,
    hashes: Vec<u32>,
    firsts: Vec<First>,
}

impl<S> Default for Candidates<S> {
    fn default() -> Self {
        Self { states: Vec::new(), parents: Vec::new(), hashes: Vec::new(), firsts: Vec::new() }
    }
}

/// A candidate that may be new.
pub(crate) struct Candidate<S> {
    pub(crate) state: S,
    pub(crate) parent: StateId,
    pub(crate) hash: u32,
    pub(crate) first: First,
}

/// A state that is stored if it is new. What owns nothing stays where it is and is copied straight to where it is
/// needed, because moving it would copy it several times on the way.
pub(crate) trait Storable<S> {
    fn state(&self) -> &S;
    fn into_state(self) -> S;
}

/// A state that is moved.
pub(crate) struct Moved<S>(S);

impl<S> Storable<S> for Moved<S> {
    fn state(&self) -> &S {
        &self.0
    }
    fn into_state(self) -> S {
        self.0
    }
}

impl<S: Clone> Storable<S> for &S {
    #[inline]
    fn state(&self) -> &S {
        self
    }
    #[inline]
    fn into_state(self) -> S {
        self.clone()
    }
}

/// What happens to each candidate of a block.
pub(crate) trait Visit<S> {
    fn visit(&mut self, candidate: Candidate<impl Storable<S>>) -> Result<(), Limit>;
}

impl<S: Clone + PartialEq + Hash> Candidates<S> {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.states.len()
    }

    /// Adds a state; its parent is told by [`Candidates::came_from`].
    #[inline]
    pub(crate) fn push(&mut self, state: S) -> &mut S {
        self.states.push(state);
        let last = self.states.len() - 1;
        &mut self.states[last]
    }

    /// Takes back the last state, before its parent was told.
    #[inline]
    pub(crate) fn pop(&mut self) {
        self.states.pop();
    }

    /// The parent of all states since the last call.
    #[inline]
    pub(crate) fn came_from(&mut self, parent: StateId) {
        self.parents.resize(self.states.len(), parent);
    }

    pub(crate) fn clear(&mut self) {
        self.states.clear();
        self.parents.clear();
        self.hashes.clear();
        self.firsts.clear();
    }

    /// The memory that is held.
    pub(crate) fn bytes(&self) -> usize {
        self.states.capacity() * size_of::<S>()
            + self.parents.capacity() * size_of::<StateId>()
            + self.hashes.capacity() * size_of::<u32>()
            + self.firsts.capacity() * size_of::<First>()
    }

    /// The hashes of the states that have been hashed.
    #[inline]
    pub(crate) fn hashes(&self) -> &[u32] {
        &self.hashes
    }

    /// The candidate with this number.
    #[inline]
    pub(crate) fn get(&self, index: usize, first: First) -> Candidate<&S> {
        Candidate { state: &self.states[index], parent: self.parents[index], hash: self.hashes[index], first }
    }

    /// Hashes the states.
    pub(crate) fn hash(&mut self, place: &mut Place) {
        place.phase = Phase::Hash;
        self.hashes.clear();
        self.hashes.extend(self.states.iter().zip(&self.parents).map(|(state, parent)| {
            place.state = *parent;
            hash_of(state)
        }));
    }

    /// Hashes the states of `raw`, takes over those that were not taken over lately, and empties `raw`. `note` is told
    /// the hash of each state that is taken over, and its number here.
    #[inline]
    pub(crate) fn take_over(
        &mut self,
        raw: &mut Self,
        recent: &mut Recent,
        place: &mut Place,
        mut note: impl FnMut(u32, u32),
    ) {
        place.phase = Phase::Hash;
        if std::mem::needs_drop::<S>() {
            for (state, parent) in raw.states.drain(..).zip(&raw.parents) {
                place.state = *parent;
                self.take(Moved(state), *parent, recent, &mut note);
            }
        } else {
            for (state, parent) in raw.states.iter().zip(&raw.parents) {
                place.state = *parent;
                self.take(state, *parent, recent, &mut note);
            }
        }
        raw.clear();
    }

    #[inline]
    fn take(&mut self, state: impl Storable<S>, parent: StateId, recent: &mut Recent, note: &mut impl FnMut(u32, u32)) {
        let hash = hash_of(state.state());
        let number = recent.like(hash);
        let other = *number as usize;
        if self.hashes.get(other) == Some(&hash) && self.states[other] == *state.state() {
            return;
        }
        *number = self.hashes.len() as u32;
        note(hash, *number);
        self.states.push(state.into_state());
        self.parents.push(parent);
        self.hashes.push(hash);
    }

    /// Asks for the slots where the candidates belong.
    #[inline]
    pub(crate) fn ask_for_slots<'s>(&self, shard: impl Fn(u32) -> &'s Shard<S>)
    where
        S: 's,
    {
        self.hashes.iter().for_each(|hash| shard(*hash).prefetch_slot(*hash));
    }

    /// Finds the first state that each could be equal to, and asks for it.
    #[inline]
    pub(crate) fn ask_for_states<'s>(&mut self, shard: impl Fn(u32) -> &'s Shard<S>)
    where
        S: 's,
    {
        self.firsts.clear();
        self.firsts.extend(self.hashes.iter().map(|hash| shard(*hash).peek(*hash)));
    }

    /// Passes each candidate to `visitor`, in order, and forgets them.
    #[inline]
    pub(crate) fn drain(&mut self, place: &mut Place, visitor: &mut impl Visit<S>) -> Result<(), Limit> {
        place.phase = Phase::Store;
        let others = self.parents.iter().zip(&self.hashes).zip(&self.firsts);
        if std::mem::needs_drop::<S>() {
            for (state, ((&parent, &hash), &first)) in self.states.drain(..).zip(others) {
                place.state = parent;
                visitor.visit(Candidate { state: Moved(state), parent, hash, first })?;
            }
        } else {
            for (state, ((&parent, &hash), &first)) in self.states.iter().zip(others) {
                place.state = parent;
                visitor.visit(Candidate { state, parent, hash, first })?;
            }
        }
        self.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hasher::Colliding;

    const NOWHERE: Place = Place { phase: Phase::Store, state: StateId::NONE };

    fn raw<S: Clone + PartialEq + Hash>(states: impl IntoIterator<Item = S>) -> Candidates<S> {
        let mut raw = Candidates::default();
        fill(&mut raw, states.into_iter().zip(0..));
        raw
    }

    /// With states, each with the number of its parent.
    fn fill<S: Clone + PartialEq + Hash>(block: &mut Candidates<S>, states: impl IntoIterator<Item = (S, u32)>) {
        for (state, parent) in states {
            block.push(state);
            block.came_from(StateId::from_bits(parent));
        }
    }

    /// The states that are taken over, each with the number of its parent.
    fn taken<S: Clone + PartialEq + Hash>(candidates: &Candidates<S>) -> Vec<(S, u32)> {
        let all = (0..candidates.len()).map(|index| candidates.get(index, First::UNKNOWN));
        all.map(|candidate| (candidate.state.clone(), candidate.parent.to_bits())).collect()
    }

    #[test]
    fn of_equal_states_the_first_is_taken_over() {
        let (mut candidates, mut recent) = (Candidates::default(), Recent::new());
        let mut block = raw(["a", "b", "a", "a", "c", "b"].map(String::from));
        candidates.take_over(&mut block, &mut recent, &mut NOWHERE.clone(), |_, _| ());
        assert_eq!(block.len(), 0);
        // In the block that is filled next as well, and the parents are those of that block.
        fill(&mut block, [("d", 7), ("c", 8), ("e", 9)].map(|(state, parent)| (state.to_owned(), parent)));
        candidates.take_over(&mut block, &mut recent, &mut NOWHERE.clone(), |_, _| ());
        let expected =
            [("a", 0), ("b", 1), ("c", 4), ("d", 7), ("e", 9)].map(|(state, parent)| (state.to_owned(), parent));
        assert_eq!(taken(&candidates), expected);
    }

    #[test]
    fn equal_hashes_do_not_make_states_equal() {
        let (mut candidates, mut recent) = (Candidates::default(), Recent::new());
        let mut block = raw([1, 1, 2, 2, 3].map(Colliding));
        candidates.take_over(&mut block, &mut recent, &mut NOWHERE.clone(), |_, _| ());
        assert_eq!(taken(&candidates), [(Colliding(1), 0), (Colliding(2), 2), (Colliding(3), 4)]);
    }

    /// What is remembered of one part says nothing about the next, whichever of the two is longer.
    #[test]
    fn what_was_taken_over_elsewhere_is_not_left_out() {
        let mut recent = Recent::new();
        for states in [0..5_000_u64, 0..10, 3..20_000, 0..300] {
            let mut candidates = Candidates::default();
            candidates.take_over(&mut raw(states.clone()), &mut recent, &mut NOWHERE.clone(), |_, _| ());
            let all = states.clone().zip(0..).collect::<Vec<_>>();
            assert_eq!(taken(&candidates), all, "{states:?}");
        }
    }
}
