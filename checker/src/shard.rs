//! A part of the visited states: the states themselves, how each was reached, and an index over them.
//!
//! The index is an open hash table of 32-bit entries. With 2^k slots, an entry holds the number of a state in its lower
//! k bits, bits of the state's hash, the *tag*, above them, and a 1 in its uppermost bit. The tag only saves looks at
//! other states; equality is decided on the states.
//!
//! ```text
//!  hash    shard |        tag | line        the line has the lowest k - 4 bits, the tag those up to bit 25
//!  entry       1 | away | tag | number      the tag goes down to bit k
//! ```
//!
//! The home of a state is a line of 16 slots, which fills one line of the cache and is looked at as a whole; what finds
//! no place there goes to the next, and is marked as away. When the index doubles, the lowest bit of the tag becomes the
//! uppermost bit of the line, and no state needs to be looked at. Only those away from home, whose line the table does
//! not tell, are hashed again.
//!
//! Shards grow one at a time, so growing never needs a second copy of the whole index.

use std::hash::Hash;

use crate::candidates::{Candidate, Storable};
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

/// The shard of a state with this hash: its uppermost bits, which neither lines nor tags use.
#[inline]
pub(crate) fn shard_of(hash: u32) -> usize {
    (hash >> LOCAL_BITS) as usize
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

/// The first state that a candidate could be equal to, as long as nothing else is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct First(u32);

impl First {
    /// None is known. (It would be the last number, which no state has.)
    pub(crate) const UNKNOWN: Self = Self(LOCAL_MAX as u32);
}

pub(crate) enum Probe {
    Known(u32),
    /// Belongs into this slot.
    Absent(usize),
}

/// The slots that lie in one line of the cache. An entry is the number of a state, the tag above it, [`AWAY`] where it
/// is so, and [`TAKEN`]; 0 is free. The entries of a line stand before its free slots.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Line([u32; LINE]);

const LINE: usize = 1 << LINE_BITS;
const LINE_BITS: u32 = 4;
/// The uppermost bit of every entry.
const TAKEN: u32 = 1 << 31;
/// The bit of the entries that do not stand in the line where they belong.
const AWAY: u32 = 1 << 30;
const _: () = assert!(AWAY >= 1 << LOCAL_BITS, "the bit is none of the number of a state");

/// A set of slots of a line, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slots(u32);

impl Slots {
    #[inline]
    fn first(self) -> Option<usize> {
        (self.0 != 0).then(|| self.0.trailing_zeros() as usize)
    }
    #[inline]
    fn without_first(self) -> Self {
        Self(self.0 & self.0.wrapping_sub(1))
    }
}

impl Line {
    const EMPTY: Self = Self([0; LINE]);

    /// The entries that are `mark`, if these bits are left out. Without branches, because nobody can foresee how they go.
    #[inline]
    fn marked(&self, mark: u32, without: u32) -> Slots {
        #[cfg(target_arch = "x86_64")]
        {
            // SAFETY: every processor of this architecture has SSE2.
            Slots(unsafe { four_at_a_time::equal_without(&self.0, mark, without) })
        }
        #[cfg(not(target_arch = "x86_64"))]
        Slots(one_at_a_time(&self.0, |entry| entry & !without == mark))
    }

    #[inline]
    fn free(&self) -> Slots {
        #[cfg(target_arch = "x86_64")]
        {
            // SAFETY: as above.
            Slots(!unsafe { four_at_a_time::uppermost_bits(&self.0) } & 0xFFFF)
        }
        #[cfg(not(target_arch = "x86_64"))]
        Slots(one_at_a_time(&self.0, |entry| entry & TAKEN == 0))
    }

    fn entries(&self) -> impl Iterator<Item = u32> {
        self.0.iter().copied().take_while(|entry| *entry != 0)
    }

    /// The entries at home that have `side` of this bit, without it. Nothing branches on what an entry is: each is written
    /// to the end, and the end moves on if it was one of them.
    fn half(&self, bit: u32, side: u32) -> Self {
        let (mut half, mut end) = (Self::EMPTY, 0);
        for entry in self.entries() {
            half.0[end % LINE] = entry & !bit;
            end += usize::from(entry & (AWAY | bit) == side);
        }
        half.0[end..].fill(0);
        half
    }
}

/// One bit for each entry of a line of which this is true.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn one_at_a_time(line: &[u32; LINE], is_true: impl Fn(u32) -> bool) -> u32 {
    line.iter().enumerate().fold(0, |set, (index, entry)| set | u32::from(is_true(*entry)) << index)
}

#[cfg(target_arch = "x86_64")]
mod four_at_a_time {
    use std::arch::x86_64::{
        __m128i, _mm_andnot_si128, _mm_cmpeq_epi32, _mm_loadu_si128, _mm_movemask_epi8, _mm_packs_epi16,
        _mm_packs_epi32, _mm_set1_epi32,
    };

    use super::LINE;

    /// One bit for each entry that is `mark`, if the bits of `without` are left out.
    #[target_feature(enable = "sse2")]
    #[inline]
    pub(super) fn equal_without(line: &[u32; LINE], mark: u32, without: u32) -> u32 {
        let (mark, without) = (_mm_set1_epi32(mark as i32), _mm_set1_epi32(without as i32));
        let [a, b, c, d] = quarters(line);
        let equal = |four| _mm_cmpeq_epi32(_mm_andnot_si128(without, four), mark);
        one_bit_each([equal(a), equal(b), equal(c), equal(d)])
    }

    /// One bit for each entry whose uppermost bit is 1.
    #[target_feature(enable = "sse2")]
    #[inline]
    pub(super) fn uppermost_bits(line: &[u32; LINE]) -> u32 {
        one_bit_each(quarters(line))
    }

    #[target_feature(enable = "sse2")]
    #[inline]
    fn quarters(line: &[u32; LINE]) -> [__m128i; 4] {
        let quarter = |number: usize| {
            let four = line[number * 4..][..4].as_ptr().cast();
            // SAFETY: four entries of 4 bytes lie there, and this load asks for no alignment.
            unsafe { _mm_loadu_si128(four) }
        };
        [quarter(0), quarter(1), quarter(2), quarter(3)]
    }

    /// Packing keeps the sign, which is the uppermost bit.
    #[target_feature(enable = "sse2")]
    #[inline]
    fn one_bit_each([a, b, c, d]: [__m128i; 4]) -> u32 {
        let bytes = _mm_packs_epi16(_mm_packs_epi32(a, b), _mm_packs_epi32(c, d));
        _mm_movemask_epi8(bytes) as u32
    }
}

#[derive(Debug)]
pub(crate) struct Shard<S> {
    states: Pieces<S>,
    parents: Pieces<u32>,
    table: Vec<Line>,
    /// The bits of an entry that are the number of a state. There are as many slots as such numbers.
    numbers: u32,
}

impl<S: PartialEq + Hash> Shard<S> {
    /// How many states are hashed together when the table grows.
    const TOGETHER: usize = 64;

    pub(crate) fn new() -> Self {
        Self { states: Pieces::new(), parents: Pieces::new(), table: Vec::new(), numbers: LINE as u32 - 1 }
    }

    /// The memory that [`Shard::expect_many`] takes at most.
    pub(crate) const BYTES_EXPECTED: u64 = (Pieces::<S>::BYTES + Pieces::<u32>::BYTES) as u64;

    /// Takes the memory for some more states, if it is there.
    pub(crate) fn expect_many(&mut self, budget: &Budget) {
        self.states.expect_many(budget);
        self.parents.expect_many(budget);
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

    /// The number of a state, from its entry.
    #[inline]
    fn local(&self, entry: u32) -> usize {
        (entry & self.numbers) as usize
    }
    /// The line where a search for `hash` begins. It goes through the whole line, and only then to the next: so the
    /// memory has to be waited for once, nearly always.
    #[inline]
    fn home(&self, hash: u32) -> usize {
        (hash & (self.numbers >> LINE_BITS)) as usize
    }
    /// What an entry is besides the number of its state, at home.
    #[inline]
    fn mark(&self, hash: u32) -> u32 {
        (hash << LINE_BITS | TAKEN) & !self.not_marked()
    }
    /// The bits of an entry that its hash does not tell.
    #[inline]
    fn not_marked(&self) -> u32 {
        self.numbers | AWAY
    }

    /// Asks for the part of the table where a search for `hash` begins.
    #[inline]
    pub(crate) fn prefetch_slot(&self, hash: u32) {
        if let Some(line) = self.table.get(self.home(hash)) {
            prefetch(line);
        }
    }

    /// Finds the first state that could be equal, and asks for it.
    #[inline]
    pub(crate) fn peek(&self, hash: u32) -> First {
        let Some(line) = self.table.get(self.home(hash)) else { return First::UNKNOWN };
        let Some(index) = line.marked(self.mark(hash), self.not_marked()).first() else { return First::UNKNOWN };
        let local = self.local(line.0[index]);
        prefetch(self.states.get(local));
        First(local as u32)
    }

    /// Looks for an equal state, at first where [`Shard::peek`] said.
    #[inline]
    pub(crate) fn probe(&self, hash: u32, first: First, state: &S) -> Probe {
        if first != First::UNKNOWN && self.states.get(first.0 as usize) == state {
            return Probe::Known(first.0);
        }
        self.search(hash, state)
    }

    #[inline]
    fn search(&self, hash: u32, state: &S) -> Probe {
        let mark = self.mark(hash);
        let mut home = self.home(hash);
        while let Some(line) = self.table.get(home) {
            let mut marked = line.marked(mark, self.not_marked());
            while let Some(index) = marked.first() {
                let local = self.local(line.0[index]);
                if self.states.get(local) == state {
                    return Probe::Known(local as u32);
                }
                marked = marked.without_first();
            }
            if let Some(index) = line.free().first() {
                return Probe::Absent(home << LINE_BITS | index);
            }
            home = (home + 1) & (self.table.len() - 1);
        }
        // There is no table yet.
        Probe::Absent(0)
    }

    /// Adds a state that [`Shard::probe`] did not find, and gives its number.
    #[inline]
    pub(crate) fn add(
        &mut self,
        slot: usize,
        candidate: Candidate<impl Storable<S>>,
        budget: &Budget,
    ) -> Result<u32, Limit> {
        let local = self.len();
        let Candidate { state, parent, hash, .. } = candidate;
        let mut slot = slot;
        // Three quarters full: beyond that, too many lines would be full.
        if local * 4 >= self.table.len() * LINE * 3 {
            self.grow(budget)?;
            slot = free_slot(&self.table, self.home(hash));
        }
        self.parents.push_with(|| parent.0, budget)?;
        self.states.push_with(|| state.into_state(), budget)?;
        self.enter(slot, hash, local as u32);
        Ok(local as u32)
    }

    #[cold]
    fn grow(&mut self, budget: &Budget) -> Result<(), Limit> {
        let lines = if self.table.is_empty() { 1 } else { self.table.len() * 2 };
        if lines * LINE > 1 << LOCAL_BITS || self.len() >= LOCAL_MAX {
            return Err(Limit::States);
        }
        let bytes = lines * size_of::<Line>();
        budget.reserve(bytes)?;
        let mut table = Vec::new();
        if table.try_reserve_exact(lines).is_err() {
            budget.release(bytes);
            return Err(Limit::Memory);
        }
        // The lowest bit of the old tags.
        let bit = (self.table.len() * LINE) as u32;
        for side in [0, bit] {
            table.extend(self.table.iter().map(|line| line.half(bit, side)));
        }
        table.resize(lines, Line::EMPTY);
        let old = std::mem::replace(&mut self.table, table);
        self.numbers = (lines * LINE) as u32 - 1;
        self.enter_away(&old);
        budget.release(size_of_val(&old[..]));
        Ok(())
    }

    /// Enters what a table of half the size has away from home.
    fn enter_away(&mut self, old: &[Line]) {
        let mut away = Vec::with_capacity(Self::TOGETHER);
        for entry in old.iter().flat_map(Line::entries).filter(|entry| entry & AWAY != 0) {
            let local = entry & (self.numbers >> 1);
            prefetch(self.states.get(local as usize));
            away.push(local);
            if away.len() == Self::TOGETHER {
                self.enter_from_states(&mut away);
            }
        }
        self.enter_from_states(&mut away);
    }

    /// Enters states whose home the old table did not tell.
    fn enter_from_states(&mut self, locals: &mut Vec<u32>) {
        for local in locals.drain(..) {
            let hash = hash_of(self.states.get(local as usize));
            self.enter(free_slot(&self.table, self.home(hash)), hash, local);
        }
    }

    #[inline]
    fn enter(&mut self, slot: usize, hash: u32, local: u32) {
        let line = slot >> LINE_BITS;
        let away = if line == self.home(hash) { 0 } else { AWAY };
        self.table[line].0[slot & (LINE - 1)] = self.mark(hash) | away | local;
    }
}

/// The first free slot in this line or after it.
fn free_slot(table: &[Line], mut line: usize) -> usize {
    loop {
        match table[line].free().first() {
            Some(index) => return line << LINE_BITS | index,
            None => line = (line + 1) & (table.len() - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hasher::Colliding;

    fn insert<S: Clone + PartialEq + Hash>(shard: &mut Shard<S>, state: S, budget: &Budget) -> bool {
        let hash = hash_of(&state);
        let first = shard.peek(hash);
        match shard.probe(hash, first, &state) {
            Probe::Known(_) => false,
            Probe::Absent(slot) => {
                shard.add(slot, Candidate { state: &state, parent: StateId::NONE, hash, first }, budget).unwrap();
                true
            }
        }
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
        assert_eq!(shard.table.iter().flat_map(Line::entries).count(), 50_000);
        assert!(shard.states.pieces().flatten().copied().eq((0..50_000).map(|n| n * 977)));
        let table = size_of_val(&shard.table[..]);
        assert_eq!(budget.used() as usize, shard.states.bytes() + shard.parents.bytes() + table);
    }

    #[test]
    fn an_entry_tells_whether_it_is_at_home() {
        let budget = Budget::new(None);
        let mut shard = Shard::new();
        let mut away = 0;
        for n in 0..20_000_u64 {
            insert(&mut shard, n, &budget);
            // Full to the brim, and just after growing.
            if [3 << 12, (3 << 12) + 1].contains(&shard.len()) {
                for (line, entries) in shard.table.iter().enumerate() {
                    for entry in entries.entries() {
                        let home = shard.home(hash_of(shard.state(shard.local(entry))));
                        assert_eq!(entry & AWAY != 0, home != line);
                        away += u32::from(home != line);
                    }
                }
            }
        }
        assert!(away > 100, "{away}");
    }

    #[test]
    fn equal_hashes_do_not_make_states_equal() {
        let budget = Budget::new(None);
        let mut shard = Shard::new();
        for n in 0..1000 {
            assert!(insert(&mut shard, Colliding(n), &budget));
            assert!(!insert(&mut shard, Colliding(n), &budget));
        }
    }

    #[test]
    fn what_was_seen_before_the_table_grew_is_still_right() {
        let budget = Budget::new(None);
        let mut shard = Shard::new();
        insert(&mut shard, 7_u32, &budget);
        let (present, absent) = (shard.peek(hash_of(&7_u32)), shard.peek(hash_of(&900_u32)));
        (8..1000).for_each(|n| assert!(insert(&mut shard, n, &budget)));
        assert_eq!((present, absent), (First(0), First::UNKNOWN));
        assert!(matches!(shard.probe(hash_of(&7_u32), present, &7), Probe::Known(0)));
        assert!(matches!(shard.probe(hash_of(&900_u32), absent, &900), Probe::Known(893)));
    }

    /// Hashes of a few lines only: those are full, and what belongs there stands far behind.
    #[test]
    fn what_found_no_place_at_home_is_found_after_growing() {
        #[derive(Clone, PartialEq, Eq)]
        struct Crowded(u32);
        impl Hash for Crowded {
            fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
                hasher.write_u32(self.0 % 5);
            }
        }
        let budget = Budget::new(None);
        let mut shard = Shard::new();
        for round in 0..2 {
            for n in 0..3000 {
                assert_eq!(insert(&mut shard, Crowded(n), &budget), round == 0, "{n} in round {round}");
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn four_at_a_time_see_what_one_at_a_time_sees() {
        let mut count = 0_u64;
        let mut next = || {
            count += 1;
            hash_of(&count)
        };
        for round in 0..2000 {
            let numbers = u32::MAX >> (5 + round % 24);
            let mark = (next() | TAKEN) & !numbers;
            let used = next() as usize % (LINE + 1);
            // A third of the entries have the mark, and others differ from it in one bit.
            let entries: [u32; LINE] = std::array::from_fn(|index| match next() % 3 {
                _ if index >= used => 0,
                0 => mark | next() & numbers,
                1 => (mark ^ 1 << (next() % 31)) | TAKEN,
                _ => next() | TAKEN,
            });
            let line = Line(entries);
            assert_eq!(line.marked(mark, numbers).0, one_at_a_time(&entries, |entry| entry & !numbers == mark));
            assert_eq!(line.free().0, one_at_a_time(&entries, |entry| entry == 0));
        }
    }
}
