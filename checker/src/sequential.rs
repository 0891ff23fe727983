//! Expanding states on one thread. This is also the definition of the order that several threads must keep.
//!
//! A state that is looked up is nearly always out of the caches. So states are expanded a few at a time; then all
//! their successors are hashed, the slots where they belong are fetched, then the stored states that may be
//! equal to them, and only then is anything compared. Each of these is a loop of its own with a short body: a
//! processor has many loads under way at once only if they are few instructions apart.

use std::hash::Hash;
use std::ops::Range;

use crate::checker::Checkable;
use crate::error::Phase;
use crate::expand::{Candidates, Expander, Place};
use crate::limits::{Budget, Limit, Pacer, Watch};
use crate::pieces::Pieces;
use crate::prefetch::prefetch;
use crate::shard::{Probe, Shard, StateId, shard_of};

/// How many candidates are collected before they are looked up: few enough to stay in the first cache.
pub(crate) const TOGETHER: usize = 128;
/// How many states of the frontier are under way at once.
pub(crate) const FRONTIER_AHEAD: usize = 4;

/// All shards, and the list of states that are new.
pub(crate) struct Store<'a, S> {
    pub(crate) shards: Vec<&'a mut Shard<S>>,
    pub(crate) next: &'a mut Pieces<u32>,
    /// How many more states may be stored.
    pub(crate) room: u64,
    pub(crate) budget: &'a Budget,
}

impl<S: PartialEq + Hash> Store<'_, S> {
    /// Stores the candidates that are new, in their order.
    pub(crate) fn add_all(&mut self, candidates: &mut Candidates<S>, place: &mut Place) -> Result<(), Limit> {
        let shards = &self.shards;
        candidates.hash(place);
        for hash in &candidates.hashes {
            shards[shard_of(*hash)].prefetch_slot(*hash);
        }
        place.phase = Phase::Store;
        let Candidates { states, parents, hashes, slots } = candidates;
        slots.clear();
        slots.extend(hashes.iter().map(|hash| shards[shard_of(*hash)].peek(*hash)));
        let mut queue = states.drain(..);
        for ((&hash, &parent), &slot) in hashes.iter().zip(&*parents).zip(&*slots) {
            place.state = parent;
            let shard = shard_of(hash);
            // A state that is known is dropped where it lies, without being moved.
            let found = queue.as_slice().first().map(|state| self.shards[shard].probe(hash, slot, state));
            let (Some(Probe::Absent(slot)), Some(state)) = (found, queue.next()) else { continue };
            if self.room == 0 {
                return Err(Limit::States);
            }
            let local = self.shards[shard].add(slot, hash, state, parent, self.budget)?;
            self.next.push(StateId::new(shard, local).to_bits(), self.budget)?;
            self.room -= 1;
        }
        drop(queue);
        candidates.clear();
        Ok(())
    }
}

/// Expands the states of `frontier` at these positions and stores what is new.
pub(crate) fn expand<M: Checkable>(
    store: &mut Store<'_, M::State>,
    frontier: &Pieces<u32>,
    positions: Range<usize>,
    expander: &mut Expander<'_, M>,
    candidates: &mut Candidates<M::State>,
    pacer: &mut Pacer,
    watch: &Watch,
) -> Result<(), Limit> {
    for position in positions {
        let paced = pacer.tick(watch);
        if paced.is_err() {
            store.add_all(candidates, &mut expander.place)?;
            return paced;
        }
        let state = |id: StateId| store.shards[id.shard()].state(id.local());
        if position + FRONTIER_AHEAD < frontier.len() {
            prefetch(state(StateId::from_bits(*frontier.get(position + FRONTIER_AHEAD))));
        }
        let id = StateId::from_bits(*frontier.get(position));
        expander.expand(id, state(id), candidates);
        // Close to the limit of states, after every state: so the last one expanded is always the same.
        if candidates.len() >= TOGETHER || candidates.len() as u64 > store.room {
            store.add_all(candidates, &mut expander.place)?;
        }
    }
    store.add_all(candidates, &mut expander.place)
}
