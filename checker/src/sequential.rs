//! Expanding states on one thread. This is also the definition of the order that several threads must keep.
//!
//! A state that is looked up is nearly always out of the caches. So states are expanded a few at a time:
//! while the model computes, the slots of their successors are fetched; then the stored states that may
//! be equal to them; and only then is anything compared.

use std::hash::Hash;
use std::ops::Range;

use crate::checker::Checkable;
use crate::error::Phase;
use crate::expand::{Candidate, Expander, Place};
use crate::limits::{Budget, Limit, Pacer, Watch};
use crate::pieces::Pieces;
use crate::shard::{Probe, Shard, Slot, StateId, shard_of};

/// How many candidates are collected before they are looked up: few enough to stay in the first cache.
const TOGETHER: usize = 256;
/// How many lookups are under way at once.
const AHEAD: usize = 8;

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
    pub(crate) fn add_all(&mut self, candidates: &mut Vec<Candidate<S>>, place: &mut Place) -> Result<(), Limit> {
        place.phase = Phase::Store;
        let peek = |shards: &[&mut Shard<S>], hash| shards[shard_of(hash)].peek(hash);
        let mut slots = [Slot::default(); AHEAD];
        for (slot, candidate) in slots.iter_mut().zip(candidates.iter()) {
            *slot = peek(&self.shards, candidate.hash);
        }
        let mut queue = candidates.drain(..);
        let mut turn = 0;
        while let Some(Candidate { state, hash, parent, .. }) = queue.next() {
            let slot = slots[turn];
            if let Some(ahead) = queue.as_slice().get(AHEAD - 1) {
                slots[turn] = peek(&self.shards, ahead.hash);
            }
            turn = (turn + 1) % AHEAD;
            place.state = parent;
            let shard = shard_of(hash);
            if let Probe::Absent(slot) = self.shards[shard].probe(hash, slot, &state) {
                if self.room == 0 {
                    return Err(Limit::States);
                }
                let local = self.shards[shard].add(slot, hash, state, parent, self.budget)?;
                self.next.push(StateId::new(shard, local).to_bits(), self.budget)?;
                self.room -= 1;
            }
        }
        Ok(())
    }
}

/// Expands the states of `frontier` at these positions and stores what is new.
pub(crate) fn expand<M: Checkable>(
    store: &mut Store<'_, M::State>,
    frontier: &Pieces<u32>,
    positions: Range<usize>,
    expander: &mut Expander<'_, M>,
    candidates: &mut Vec<Candidate<M::State>>,
    pacer: &mut Pacer,
    watch: &Watch,
) -> Result<(), Limit> {
    for position in positions {
        let paced = pacer.tick(watch);
        if paced.is_err() {
            store.add_all(candidates, &mut expander.place)?;
            return paced;
        }
        let id = StateId::from_bits(*frontier.get(position));
        let shards = &store.shards;
        expander.expand(id, shards[id.shard()].state(id.local()), |candidate| {
            shards[shard_of(candidate.hash)].prefetch_slot(candidate.hash);
            candidates.push(candidate);
        });
        // Close to the limit of states, after every state: so the last one expanded is always the same.
        if candidates.len() >= TOGETHER || candidates.len() as u64 > store.room {
            store.add_all(candidates, &mut expander.place)?;
        }
    }
    store.add_all(candidates, &mut expander.place)
}
