//! States that steps led to and that may be known already.
//!
//! A lookup is slow when its result is needed at once: slot and state lie at random places of the memory. So
//! candidates are looked up a block at a time, in stages with other work between them: hash them and ask for
//! their slots; find the states that may be equal and ask for those; compare. Each stage is a loop with a
//! short body, because a processor has many loads under way at once only if they are few instructions apart.

use std::hash::Hash;
use std::vec::Drain;

use crate::error::Phase;
use crate::expand::Place;
use crate::hasher::hash_of;
use crate::limits::Limit;
use crate::shard::{Shard, Slot, StateId};

/// A block of candidates in the order in which they were found.
#[derive(Debug)]
pub(crate) struct Candidates<S> {
    states: Vec<S>,
    parents: Vec<StateId>,
    hashes: Vec<u64>,
    slots: Vec<Slot>,
}

impl<S> Default for Candidates<S> {
    fn default() -> Self {
        Self { states: Vec::new(), parents: Vec::new(), hashes: Vec::new(), slots: Vec::new() }
    }
}

impl<S: Clone + PartialEq + Hash> Candidates<S> {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.states.len()
    }

    #[inline]
    pub(crate) fn push(&mut self, state: S, parent: StateId) {
        self.states.push(state);
        self.parents.push(parent);
    }

    /// Takes over a candidate that is hashed already.
    #[inline]
    pub(crate) fn push_hashed(&mut self, candidate: &mut Front<'_, S>) {
        self.states.push(candidate.take());
        self.parents.push(candidate.parent);
        self.hashes.push(candidate.hash);
    }

    pub(crate) fn clear(&mut self) {
        self.states.clear();
        self.parents.clear();
        self.hashes.clear();
        self.slots.clear();
    }

    /// The memory that is held.
    pub(crate) fn bytes(&self) -> usize {
        self.states.capacity() * size_of::<S>()
            + self.parents.capacity() * size_of::<StateId>()
            + self.hashes.capacity() * size_of::<u64>()
            + self.slots.capacity() * size_of::<Slot>()
    }

    /// Hashes all states.
    pub(crate) fn hash(&mut self, place: &mut Place) {
        place.phase = Phase::Hash;
        self.hashes.clear();
        for (state, parent) in self.states.iter().zip(&self.parents) {
            place.state = *parent;
            self.hashes.push(hash_of(state));
        }
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
        self.slots.clear();
        self.slots.extend(self.hashes.iter().map(|hash| shard(*hash).peek(*hash)));
    }

    /// Passes each candidate to `visit`, in order, and forgets them.
    #[inline]
    pub(crate) fn drain(
        &mut self,
        place: &mut Place,
        mut visit: impl FnMut(&mut Front<'_, S>) -> Result<(), Limit>,
    ) -> Result<(), Limit> {
        place.phase = Phase::Store;
        // Blocks that only move on to other blocks have no slots yet.
        self.slots.resize(self.hashes.len(), Slot::default());
        let queue = self.states.drain(..);
        let mut front = Front { queue, moved: false, hash: 0, parent: StateId::NONE, slot: Slot::default() };
        for ((&hash, &parent), &slot) in self.hashes.iter().zip(&self.parents).zip(&self.slots) {
            place.state = parent;
            (front.hash, front.parent, front.slot) = (hash, parent, slot);
            visit(&mut front)?;
            front.advance();
        }
        drop(front);
        self.clear();
        Ok(())
    }
}

/// The first of the candidates that are left.
#[derive(Debug)]
pub(crate) struct Front<'a, S> {
    queue: Drain<'a, S>,
    /// Whether the state was moved out of the queue.
    moved: bool,
    pub(crate) hash: u64,
    pub(crate) parent: StateId,
    pub(crate) slot: Slot,
}

impl<S: Clone> Front<'_, S> {
    #[inline]
    pub(crate) fn state(&self) -> &S {
        &self.queue.as_slice()[0]
    }

    /// The state, once. What owns nothing is copied straight to where it is needed; moving it out of the queue would
    /// copy it several times on the way.
    #[inline(always)]
    pub(crate) fn take(&mut self) -> S {
        if std::mem::needs_drop::<S>() {
            self.moved = true;
            self.queue.next().expect("a candidate is taken once")
        } else {
            self.state().clone()
        }
    }

    #[inline]
    fn advance(&mut self) {
        if !std::mem::take(&mut self.moved) {
            drop(self.queue.next());
        }
    }
}
