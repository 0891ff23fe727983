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
use crate::shard::{First, Shard, StateId};

/// A block of candidates in the order in which they were found.
#[derive(Debug)]
pub(crate) struct Candidates<S> {
    states: Vec<S>,
    parents: Vec<StateId>,
    hashes: Vec<u64>,
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
    pub(crate) hash: u64,
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
            + self.hashes.capacity() * size_of::<u64>()
            + self.firsts.capacity() * size_of::<First>()
    }

    /// The hashes of the states that have been hashed.
    #[inline]
    pub(crate) fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// The candidate with this number.
    #[inline]
    pub(crate) fn get(&self, index: usize, first: First) -> Candidate<&S> {
        Candidate { state: &self.states[index], parent: self.parents[index], hash: self.hashes[index], first }
    }

    /// Hashes the states that are not hashed yet.
    pub(crate) fn hash(&mut self, place: &mut Place) {
        place.phase = Phase::Hash;
        let done = self.hashes.len();
        self.hashes.extend(self.states[done..].iter().zip(&self.parents[done..]).map(|(state, parent)| {
            place.state = *parent;
            hash_of(state)
        }));
    }

    /// Asks for the slots where the candidates belong.
    #[inline]
    pub(crate) fn ask_for_slots<'s>(&self, shard: impl Fn(u64) -> &'s Shard<S>)
    where
        S: 's,
    {
        self.hashes.iter().for_each(|hash| shard(*hash).prefetch_slot(*hash));
    }

    /// Finds the first state that each could be equal to, and asks for it.
    #[inline]
    pub(crate) fn ask_for_states<'s>(&mut self, shard: impl Fn(u64) -> &'s Shard<S>)
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
