//! A part of the visited states: the states themselves, how each was reached, and an index over them.
//!
//! The index is an open hash table of 32-bit entries. With 2^k slots, an entry holds the number of a state
//! (plus one, so that zero means empty) in its lower k bits and bits of the state's hash, the *tag*, in the
//! rest. The tag only saves looks at other states; equality is decided on the states.
//!
//! Shards grow one at a time, so growing never needs a second copy of the whole index.

use std::hash::Hash;

use crate::candidates::Front;
use crate::hasher::hash_of;
use crate::limits::{Budget, Limit};
use crate::pieces::Pieces;
use crate::prefetch::prefetch;

/// The number of shards, which is independent of the number of threads: a state always has the same id.
pub(crate) const SHARDS: usize = 1 << SHARD_BITS;
const SHARD_BITS: u32 = 5;
const LOCAL_BITS: u32 = 32 - SHARD_BITS;
/// The last number is left out, so that no id is [`StateId::NONE`].
const LOCAL_MAX: usize = (1 << LOCAL_BITS) - 1;

/// The shard of a state with this hash: its uppermost bits, which neither slots nor tags use.
#[inline]
pub(crate) fn shard_of(hash: u64) -> usize {
    (hash >> (64 - SHARD_BITS)) as usize
}

/// A visited state: the shard and the number within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateId(u32);

impl StateId {
    /// The parent of initial states.
    pub(crate) const NONE: Self = Self(u32::MAX);

    #[inline]
    pub(crate) fn new(shard: usize, local: u32) -> Self {
        Self((shard as u32) << LOCAL_BITS | local)
    }
    #[inline]
    pub(crate) fn shard(self) -> usize {
        (self.0 >> LOCAL_BITS) as usize
    }
    #[inline]
    pub(crate) fn local(self) -> usize {
        (self.0 & ((1 << LOCAL_BITS) - 1)) as usize
    }
    #[inline]
    pub(crate) fn to_bits(self) -> u32 {
        self.0
    }
    #[inline]
    pub(crate) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

/// A slot to go on from, valid as long as the table has `bits`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Slot {
    index: u32,
    bits: u32,
}

pub(crate) enum Probe {
    Known(u32),
    Absent(Slot),
}

/// The slots that lie in one line of the cache. An entry is the number of a state plus one, and the tag above it; 0 is
/// free.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Line([u32; LINE]);

const LINE: usize = 1 << LINE_BITS;
const LINE_BITS: u32 = 4;

impl Line {
    /// The first slot that is free or has this tag. Without branches, because nobody can foresee how they go.
    #[inline]
    fn first(&self, bits: u32, tag: u32) -> Option<usize> {
        let mut found = 0_u32;
        for (index, entry) in self.0.iter().enumerate() {
            found |= u32::from((*entry == 0) | (entry >> bits == tag)) << index;
        }
        (found != 0).then(|| found.trailing_zeros() as usize)
    }

    fn first_free(&self) -> Option<usize> {
        self.first(0, 0)
    }
}

#[derive(Debug)]
pub(crate) struct Shard<S> {
    states: Pieces<S>,
    parents: Pieces<u32>,
    table: Vec<Line>,
    /// The binary logarithm of the number of slots.
    bits: u32,
}

impl<S: PartialEq + Hash> Shard<S> {
    const FIRST_BITS: u32 = LINE_BITS;
    /// How many states are entered together when the table grows.
    const TOGETHER: usize = 64;

    pub(crate) fn new() -> Self {
        Self { states: Pieces::new(), parents: Pieces::new(), table: Vec::new(), bits: 0 }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.states.len()
    }
    #[inline]
    pub(crate) fn state(&self, local: usize) -> &S {
        self.states.get(local)
    }
    #[inline]
    pub(crate) fn parent(&self, local: usize) -> StateId {
        StateId(*self.parents.get(local))
    }

    #[inline]
    fn mask(&self) -> usize {
        (1 << self.bits) - 1
    }
    /// The line where a search for `hash` begins. It goes through the whole line, and only then to the next: so the
    /// memory has to be waited for once, nearly always.
    #[inline]
    fn home(&self, hash: u64) -> usize {
        hash as usize & (self.mask() >> LINE_BITS)
    }
    /// The tag lies above the bits of the largest possible slot and below those of the shard.
    #[inline]
    fn tag(&self, hash: u64) -> u32 {
        (hash >> LOCAL_BITS) as u32 & (u32::MAX >> self.bits)
    }

    /// Asks for the part of the table where a search for `hash` begins.
    #[inline]
    pub(crate) fn prefetch_slot(&self, hash: u64) {
        if let Some(slot) = self.table.get(self.home(hash)) {
            prefetch(slot);
        }
    }

    /// Finds the first state that could be equal, and asks for it.
    #[inline]
    pub(crate) fn peek(&self, hash: u64) -> Slot {
        if self.bits == 0 {
            return Slot::default();
        }
        let (last, tag) = (self.table.len() - 1, self.tag(hash));
        let mut line = self.home(hash);
        let index = loop {
            match self.table[line].first(self.bits, tag) {
                Some(index) => break index,
                None => line = (line + 1) & last,
            }
        };
        // For a free slot that is the state with number 0, which costs less than a branch.
        let local = (self.table[line].0[index] as usize & self.mask()).saturating_sub(1);
        if local < self.states.len() {
            prefetch(self.states.get(local));
        }
        Slot { index: (line << LINE_BITS | index) as u32, bits: self.bits }
    }

    /// Looks for an equal state, from a slot that [`Shard::peek`] gave (or a default one).
    #[inline]
    pub(crate) fn probe(&self, hash: u64, from: Slot, state: &S) -> Probe {
        if self.bits == 0 {
            return Probe::Absent(Slot::default());
        }
        let (mask, tag) = (self.mask(), self.tag(hash));
        // Entries never move while the table has its size, so what was skipped once need not be seen again.
        let mut index = if from.bits == self.bits { from.index as usize } else { self.home(hash) << LINE_BITS };
        loop {
            let entry = self.table[index >> LINE_BITS].0[index & (LINE - 1)];
            if entry == 0 {
                return Probe::Absent(Slot { index: index as u32, bits: self.bits });
            }
            if entry >> self.bits == tag {
                let local = (entry as usize & mask) - 1;
                if self.states.get(local) == state {
                    return Probe::Known(local as u32);
                }
            }
            index = (index + 1) & mask;
        }
    }

    /// Adds a state that [`Shard::probe`] did not find, and gives its number.
    #[inline]
    pub(crate) fn add(&mut self, slot: Slot, candidate: &mut Front<'_, S>, budget: &Budget) -> Result<u32, Limit>
    where
        S: Clone,
    {
        let local = self.len();
        let mut index = slot.index as usize;
        // Three quarters full: beyond that, looking for a new state takes ten looks and more.
        if local * 4 >= self.table.len() * LINE * 3 {
            self.grow(budget)?;
            index = free_slot(&self.table, self.home(candidate.hash));
        }
        self.parents.push_with(|| candidate.parent.0, budget)?;
        self.states.push_with(|| candidate.take(), budget)?;
        let entry = self.tag(candidate.hash) << self.bits | (local as u32 + 1);
        enter(&mut self.table, index, entry);
        Ok(local as u32)
    }

    #[cold]
    fn grow(&mut self, budget: &Budget) -> Result<(), Limit> {
        let bits = if self.bits == 0 { Self::FIRST_BITS } else { self.bits + 1 };
        if bits > LOCAL_BITS || self.len() >= LOCAL_MAX {
            return Err(Limit::States);
        }
        budget.reserve(size_of::<u32>() << bits)?;
        let mut table = Vec::new();
        table.try_reserve_exact(1 << (bits - LINE_BITS)).map_err(|_| Limit::Memory)?;
        table.resize(1 << (bits - LINE_BITS), Line([0; LINE]));
        budget.release(size_of_val(&self.table[..]));
        self.table = table;
        self.bits = bits;
        self.enter_all();
        Ok(())
    }

    /// Enters all states into the empty table.
    fn enter_all(&mut self) {
        let mut table = std::mem::take(&mut self.table);
        let mut numbers = 1..;
        let mut hashes = Vec::with_capacity(Self::TOGETHER);
        for states in self.states.pieces().flat_map(|piece| piece.chunks(Self::TOGETHER)) {
            hashes.clear();
            hashes.extend(states.iter().map(hash_of));
            for hash in &hashes {
                prefetch(&table[self.home(*hash)]);
            }
            for (hash, number) in hashes.iter().zip(&mut numbers) {
                let index = free_slot(&table, self.home(*hash));
                enter(&mut table, index, self.tag(*hash) << self.bits | number);
            }
        }
        self.table = table;
    }
}

/// The first free slot in this line or after it.
fn free_slot(table: &[Line], mut line: usize) -> usize {
    loop {
        match table[line].first_free() {
            Some(index) => return line << LINE_BITS | index,
            None => line = (line + 1) & (table.len() - 1),
        }
    }
}

#[inline]
fn enter(table: &mut [Line], index: usize, entry: u32) {
    table[index >> LINE_BITS].0[index & (LINE - 1)] = entry;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidates::Candidates;
    use crate::error::Phase;
    use crate::expand::Place;

    fn insert<S: Clone + PartialEq + Hash>(shard: &mut Shard<S>, state: S, budget: &Budget) -> bool {
        let mut place = Place { phase: Phase::Store, state: StateId::NONE };
        let mut candidates = Candidates::default();
        candidates.push(state, StateId::NONE);
        candidates.hash(&mut place);
        candidates.ask_for_states(|_| &*shard);
        let mut is_new = false;
        let added = candidates.drain(&mut place, |candidate| {
            if let Probe::Absent(slot) = shard.probe(candidate.hash, candidate.slot, candidate.state()) {
                is_new = true;
                shard.add(slot, candidate, budget)?;
            }
            Ok(())
        });
        added.unwrap();
        is_new
    }

    #[test]
    fn every_state_is_kept_once_and_found_again() {
        let budget = Budget::new(None);
        let mut shard = Shard::new();
        for round in 0..2 {
            for n in 0..50_000_u64 {
                assert_eq!(insert(&mut shard, n * 977, &budget), round == 0);
            }
        }
        assert_eq!(shard.len(), 50_000);
        assert!(shard.states.pieces().flatten().copied().eq((0..50_000).map(|n| n * 977)));
    }

    #[test]
    fn equal_hashes_do_not_make_states_equal() {
        #[derive(Clone, PartialEq, Eq)]
        struct Colliding(u32);
        impl Hash for Colliding {
            fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
        }
        let budget = Budget::new(None);
        let mut shard = Shard::new();
        for n in 0..1000 {
            assert!(insert(&mut shard, Colliding(n), &budget));
            assert!(!insert(&mut shard, Colliding(n), &budget));
        }
    }

    #[test]
    fn a_slot_from_before_the_table_grew_is_not_used() {
        let budget = Budget::new(None);
        let mut shard = Shard::new();
        insert(&mut shard, 0_u32, &budget);
        let early = shard.peek(hash_of(&7_u32));
        (1..1000).for_each(|n| assert!(insert(&mut shard, n, &budget)));
        assert!(matches!(shard.probe(hash_of(&7_u32), early, &7), Probe::Known(_)));
    }
}
