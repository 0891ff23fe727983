//! Expanding states on one thread. This is also the definition of the order that several threads must keep.

use std::hash::Hash;
use std::ops::Range;

use crate::candidates::{Candidate, Candidates, Storable, Visit};
use crate::checker::Checkable;
use crate::expand::{Expander, Place};
use crate::limits::{Budget, Limit, Pacer, Watch};
use crate::pieces::Pieces;
use crate::prefetch::prefetch;
use crate::shard::{Probe, Shard, StateId, shard_of};

/// How many candidates make a block: few enough for the first cache.
pub(crate) const TOGETHER: usize = 64;
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

/// Three blocks of candidates at different stages. While one is filled by expanding states, what the others need is
/// on its way from the memory.
#[derive(Debug)]
pub(crate) struct Pipeline<S> {
    pub(crate) filling: Candidates<S>,
    slots_asked: Candidates<S>,
    states_asked: Candidates<S>,
}

impl<S: Clone + PartialEq + Hash> Pipeline<S> {
    pub(crate) fn new() -> Self {
        Self { filling: Candidates::default(), slots_asked: Candidates::default(), states_asked: Candidates::default() }
    }
    pub(crate) fn len(&self) -> usize {
        self.filling.len() + self.slots_asked.len() + self.states_asked.len()
    }
    pub(crate) fn clear(&mut self) {
        self.filling.clear();
        self.slots_asked.clear();
        self.states_asked.clear();
    }
}

impl<S: Clone + PartialEq + Hash> Store<'_, S> {
    /// Takes every block to its next stage, and the last one into the store.
    fn advance(&mut self, blocks: &mut Pipeline<S>, place: &mut Place) -> Result<(), Limit> {
        blocks.states_asked.drain(place, self)?;
        let shard = |hash| &*self.shards[shard_of(hash)];
        blocks.slots_asked.ask_for_states(shard);
        blocks.filling.hash(place);
        blocks.filling.ask_for_slots(shard);
        std::mem::swap(&mut blocks.states_asked, &mut blocks.slots_asked);
        std::mem::swap(&mut blocks.slots_asked, &mut blocks.filling);
        Ok(())
    }

    /// Takes all blocks into the store.
    pub(crate) fn finish(&mut self, blocks: &mut Pipeline<S>, place: &mut Place) -> Result<(), Limit> {
        while blocks.len() > 0 {
            self.advance(blocks, place)?;
        }
        Ok(())
    }
}

impl<S: Clone + PartialEq + Hash> Visit<S> for Store<'_, S> {
    /// Stores the candidate if it is new.
    #[inline]
    fn visit(&mut self, candidate: Candidate<impl Storable<S>>) -> Result<(), Limit> {
        let index = shard_of(candidate.hash);
        let shard = &mut *self.shards[index];
        let Probe::Absent(slot) = shard.probe(candidate.hash, candidate.first, candidate.state.state()) else {
            return Ok(());
        };
        if self.room == 0 {
            return Err(Limit::States);
        }
        let local = shard.add(slot, candidate, self.budget)?;
        self.next.push(StateId::new(index, local).to_bits(), self.budget)?;
        self.room -= 1;
        Ok(())
    }
}

/// Expands the states of `frontier` at these positions and stores what is new.
pub(crate) fn expand<M: Checkable>(
    store: &mut Store<'_, M::State>,
    frontier: &Pieces<u32>,
    positions: Range<usize>,
    expander: &mut Expander<'_, M>,
    blocks: &mut Pipeline<M::State>,
    pacer: &mut Pacer,
    watch: &Watch,
) -> Result<(), Limit> {
    for position in positions {
        let paced = pacer.tick(watch);
        if paced.is_err() {
            store.finish(blocks, &mut expander.place)?;
            return paced;
        }
        let state = |id: StateId| store.shards[id.shard()].state(id.local());
        if position + FRONTIER_AHEAD < frontier.len() {
            prefetch(state(StateId::from_bits(*frontier.get(position + FRONTIER_AHEAD))));
        }
        let id = StateId::from_bits(*frontier.get(position));
        expander.expand(id, state(id), &mut blocks.filling);
        if blocks.len() as u64 > store.room {
            // Close to the limit of states, after every state: so the last one expanded is always the same.
            store.finish(blocks, &mut expander.place)?;
        } else if blocks.filling.len() >= TOGETHER {
            store.advance(blocks, &mut expander.place)?;
        }
    }
    store.finish(blocks, &mut expander.place)
}
