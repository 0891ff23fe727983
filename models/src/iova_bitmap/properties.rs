//! The properties, stated once: plain functions that Kani, proptest and the enumeration all call.
//!
//! They come in two kinds. *Lemmas* speak about one formula, one window or one turn of a loop, hold for every
//! state that satisfies their hypothesis, and need no loop; from them the properties follow by induction at
//! the full width. *Run properties* look at what a whole iteration did, and compare it with a reference that
//! is written from the definition of the bitmap, bit by bit. Lemmas compute their expectations in 128 bits,
//! where nothing wraps, so that a wrap in the code is a difference.

use super::arithmetic::{Bitmap, Error, Formulas, Record, SetLoop, Turn};
use super::config::{Config, Given, Windows};
use super::geometry::{Geometry, PageShift};
use super::memory::{Memory, Misuse, SmallMemory, Tape, Watch};

// Lemmas.

/// `index-inverse`: the index of `offset` begins at or before it, and the next index behind it.
pub fn index_inverse(f: &Formulas, offset: u64) -> bool {
    let Ok(index) = f.offset_to_index(offset) else { return false };
    let start = f.index_to_offset(index);
    let unit = 1u128 << (f.unit_bits_shift() + f.pgshift.get());
    let next = u128::from(start) + unit;
    let next_wraps = next > u128::from(f.geometry.max());
    start <= offset && u128::from(offset) < next && (next_wraps || u128::from(f.index_to_offset(index + 1)) == next)
}

/// `no-overflow`, for one offset: the index is defined and is the exact quotient.
pub fn index_is_exact(f: &Formulas, offset: u64) -> bool {
    let exact = u128::from(offset) >> (f.unit_bits_shift() + f.pgshift.get());
    f.offset_to_index(offset).is_ok_and(|index| u128::from(index) == exact)
}

/// How many indexes a range has, from the definition: its granules, and the units that hold their bits.
pub fn exact_total(f: &Formulas, length: u64) -> u128 {
    let granules = ((u128::from(length) - 1) >> f.pgshift.get()) + 1;
    (granules + (1 << f.unit_bits_shift()) - 1) >> f.unit_bits_shift()
}

/// `no-overflow`, for one range: the number of indexes is exact, and so is the last byte of the range rounded
/// up to whole indexes. Hypotheses: P1, P2, P8.
pub fn total_is_exact(f: &Formulas, iova: u64, length: u64) -> bool {
    let exact = exact_total(f, length);
    let last = u128::from(iova) + (exact << (f.unit_bits_shift() + f.pgshift.get())) - 1;
    let g = f.geometry;
    f.total(length).is_ok_and(|total| u128::from(total) == exact)
        && u128::from(g.sub(g.add(iova, f.index_to_offset(exact as u64)), 1)) == last
}

/// P8: the last byte of the range rounded up to whole index units has an address.
pub fn rounded_range_fits(f: &Formulas, iova: u64, length: u64) -> bool {
    let rounded = exact_total(f, length) << (f.unit_bits_shift() + f.pgshift.get());
    u128::from(iova) + rounded - 1 <= u128::from(f.geometry.max())
}

/// P9: the granules of the range and the bits of a page together fit into `unsigned long`.
pub fn bit_numbers_fit(geometry: Geometry, page_shift: PageShift, length: u64) -> bool {
    length == 0 || ((length - 1) >> page_shift.get()) <= geometry.max() - geometry.page_bits()
}

/// P7: the record ends where a granule of the range ends.
pub fn ends_on_granule(b: &Bitmap, x: u64, l: u64) -> bool {
    let g = b.formulas.geometry;
    let end = g.sub(g.add(x, l), b.iova);
    end & ((1u64 << b.formulas.pgshift.get()) - 1) == 0
}

/// P4: the record lies inside the range. Hypothesis: P2.
pub fn record_inside(b: &Bitmap, x: u64, l: u64) -> bool {
    let end = u128::from(x) + u128::from(l);
    l > 0 && x >= b.iova && end <= u128::from(b.iova) + u128::from(b.length)
}

/// How many indexes the window of `b` holds, from the definition.
pub fn indexes_held(b: &Bitmap) -> u128 {
    let f = b.formulas;
    let bytes = (u128::from(b.window.npages) << f.geometry.page_shift).saturating_sub(u128::from(b.window.pgoff));
    (exact_total(&f, b.length) - u128::from(b.base)).min(bytes >> f.unit_bytes_shift())
}

/// `windows-tile`, one window: it begins where its first index begins, holds at least one index, ends where
/// its last index or the range ends, and points at the pages of its bytes.
pub fn window_is_right(b: &Bitmap) -> bool {
    let f = b.formulas;
    let g = f.geometry;
    let w = b.window;
    if u128::from(b.base) >= exact_total(&f, b.length) || w.npages == 0 || w.npages > g.pages_max {
        return false;
    }
    let shift = f.unit_bits_shift() + f.pgshift.get();
    let address = u128::from(b.address) + (u128::from(b.base) << f.unit_bytes_shift());
    let start = u128::from(b.iova) + (u128::from(b.base) << shift);
    let held = indexes_held(b);
    let end = (start + (held << shift)).min(u128::from(b.iova) + u128::from(b.length));
    held >= 1
        && u128::from(w.pgoff) == address & (u128::from(g.page_bytes()) - 1)
        && u128::from(w.first_page) == address >> g.page_shift
        && u128::from(w.iova) == start
        && u128::from(w.iova) + u128::from(w.length) == end
}

/// `asks-enough`: a pin asks for all the pages that hold the rest of the bitmap, or for as many as are
/// allowed, and for at most one page more, and only if the bitmap begins inside a page. Hypothesis: the base is an index of the bitmap.
pub fn pin_count_is_right(b: &Bitmap) -> bool {
    let g = b.formulas.geometry;
    let unit = b.formulas.unit_bytes_shift();
    let bytes = (exact_total(&b.formulas, b.length) - u128::from(b.base)) << unit;
    let address = u128::from(b.address) + (u128::from(b.base) << unit);
    let offset = address & (u128::from(g.page_bytes()) - 1);
    let needed = (offset + bytes + u128::from(g.page_bytes()) - 1) >> g.page_shift;
    let more = if offset == 0 { 0 } else { 1 };
    let (least, most) = (needed.min(u128::from(g.pages_max)), (needed + more).min(u128::from(g.pages_max)));
    let asked = u128::from(b.pin_count());
    least <= asked && asked <= most
}

/// Whether the window covers the bytes from `x` on, from the definition.
fn in_window(b: &Bitmap, x: u64, l: u64) -> bool {
    let (start, end) = (u128::from(b.window.iova), u128::from(b.window.iova) + u128::from(b.window.length));
    b.window.npages != 0 && u128::from(x) >= start && u128::from(x) + u128::from(l) <= end
}

/// `range-test`: a record is taken to be in the window exactly if every byte of it is. Hypotheses: P2, P4,
/// P5, and a window that is right or not pinned.
pub fn range_test_is_right(b: &Bitmap, x: u64, l: u64) -> bool {
    b.mapped_range(x, l) == in_window(b, x, l)
}

/// `in-bounds`, for any address: the window moves to it exactly if the bitmap has an index for it (an address
/// below the range has one only if it comes round to it), and otherwise nothing is pinned or changed.
pub fn other_indexes_are_refused(b: &Bitmap, x: u64, memory: &Watch) -> bool {
    let g = b.formulas.geometry;
    let index = u128::from(g.sub(x, b.iova)) >> (b.formulas.unit_bits_shift() + b.formulas.pgshift.get());
    let (mut after, mut after_memory) = (*b, *memory);
    let result = after.advance_to(x, &mut after_memory);
    if index >= exact_total(&b.formulas, b.length) {
        return result == Err(Error::OutOfRange) && after == *b && after_memory == *memory;
    }
    match result {
        Ok(()) => u128::from(after.base) == index && between_calls(&after, &after_memory),
        Err(error) => error == Error::Fault && memory.answer <= 0 && between_calls(&after, &after_memory),
    }
}

/// The granule of a byte of the range.
fn granule(b: &Bitmap, x: u64) -> u128 {
    (u128::from(x) - u128::from(b.iova)) >> b.formulas.pgshift.get()
}

/// The granule of a bit number of the window, from the definition.
fn granule_of_bit(b: &Bitmap, bit: u64) -> Option<u128> {
    let f = b.formulas;
    let first = u128::from(b.window.pgoff) << f.geometry.byte_shift;
    u128::from(bit).checked_sub(first).map(|bit| bit + (u128::from(b.base) << f.unit_bits_shift()))
}

/// Whether the memory has the window's pages pinned, and has nothing to complain about.
pub fn memory_agrees(b: &Bitmap, memory: &Watch) -> bool {
    let p = memory.pinned;
    let same = p.count == b.window.npages && (p.count == 0 || p.first == b.window.first_page);
    same && p.mapped.is_none() && p.misuse == Misuse::default()
}

/// The state in which a bitmap is between two calls: nothing pinned, or a right window.
pub fn between_calls(b: &Bitmap, memory: &Watch) -> bool {
    memory_agrees(b, memory) && (b.window.npages == 0 || window_is_right(b))
}

/// The invariant of the loop in `set`: a right window; the bits that are left are those from `cur` to the
/// record's last granule; the first one is in the pinned pages, or bits were set since the window moved and it
/// is at most the first one behind them. Without the last part the page index, which is an `unsigned int`,
/// could come round.
pub fn loop_invariant(b: &Bitmap, at: SetLoop, memory: &Watch) -> bool {
    let g = b.formulas.geometry;
    if !(memory_agrees(b, memory) && window_is_right(b) && record_inside(b, at.x, at.l)) {
        return false;
    }
    let (Some(cur), Some(last)) = (granule_of_bit(b, at.cur), granule_of_bit(b, at.last)) else { return false };
    let first = granule(b, at.x);
    let pinned = at.cur >> g.page_bits_shift() < b.window.npages;
    let behind = u128::from(b.window.npages) << g.page_bits_shift();
    let begun = if at.first_page { pinned && cur == first } else { cur > first && u128::from(at.cur) <= behind };
    begun && cur <= last && last == granule(b, at.x + (at.l - 1))
}

/// The part of `set` before its loop, from any state between two calls: it ends in the loop's invariant, or
/// the pin has failed. It pins only if the record is not in the window, and sets nothing. Hypotheses: P1 to
/// P5, P8, P9.
pub fn begin_is_right(b: &Bitmap, x: u64, l: u64, memory: &Watch) -> bool {
    let (mut after, mut after_memory) = (*b, *memory);
    let pins = if in_window(b, x, l) { 0 } else { 1 };
    let result = after.set_begin(x, l, &mut after_memory);
    let quiet = after_memory.set == memory.set && after_memory.pins == memory.pins.wrapping_add(pins);
    quiet
        && match result {
            Ok(at) => at.x == x && at.l == l && at.first_page && loop_invariant(&after, at, &after_memory),
            Err(Error::Fault) => memory.answer <= 0 && between_calls(&after, &after_memory),
            Err(_) => false,
        }
}

/// How many bits a turn has set, from what it says about itself.
fn bits_of_turn(at: SetLoop, turn: Turn) -> u128 {
    match turn {
        Turn::Again(next) => u128::from(next.cur) - u128::from(at.cur).min(u128::from(next.cur)),
        Turn::Done => u128::from(at.last) - u128::from(at.cur) + 1,
        Turn::Restart { .. } => 0,
    }
}

/// `exact-bits` and `in-bounds`, one turn from any state that satisfies the invariant: the watched bit, which
/// can be any bit of the user's memory, is set if and only if it was set or is one of the granules from `cur`
/// on that the turn is about.
pub fn turn_sets_exactly(b: &Bitmap, at: SetLoop, memory: &Watch) -> bool {
    let (mut after, mut after_memory) = (*b, *memory);
    let turn = after.set_turn(at, &mut after_memory);
    let Some(cur) = granule_of_bit(b, at.cur) else { return false };
    let bits = bits_of_turn(at, turn);
    // Bit 0 of the user's bitmap is the lowest bit of the byte at its address.
    let first = (u128::from(b.address) << b.formulas.geometry.byte_shift) + cur;
    let position = memory.position();
    let wanted = position >= first && position < first + bits;
    after_memory.set == (memory.set || wanted)
}

/// `in-bounds`, `pins-balanced` and `unmaps-what-it-mapped`, one turn: nothing is written outside pinned
/// pages, and every mapping is undone.
pub fn turn_misuses_nothing(b: &Bitmap, at: SetLoop, memory: &Watch) -> bool {
    let (mut after, mut after_memory) = (*b, *memory);
    after.set_turn(at, &mut after_memory);
    memory_agrees(&after, &after_memory)
}

/// One turn keeps the invariant; the last one leaves nothing over; and a restart asks for the granules that
/// are left, with the same end.
pub fn turn_keeps_invariant(b: &Bitmap, at: SetLoop, memory: &Watch) -> bool {
    let (mut after, mut after_memory) = (*b, *memory);
    let turn = after.set_turn(at, &mut after_memory);
    let Some(cur) = granule_of_bit(b, at.cur) else { return false };
    match turn {
        Turn::Again(next) => {
            let same = next.x == at.x && next.l == at.l && next.last == at.last && !next.first_page;
            same && next.cur > at.cur && loop_invariant(&after, next, &after_memory)
        }
        // The turn was about all that is left: see `bits_of_turn`.
        Turn::Done => after.window == b.window && after.base == b.base,
        Turn::Restart { x, l } => {
            let same_end = u128::from(x) + u128::from(l) == u128::from(at.x) + u128::from(at.l);
            // With an end inside a granule the restart begins one granule early: a bit that is set already.
            let begins = record_inside(b, x, l) && (granule(b, x) == cur || granule(b, x) + 1 == cur);
            same_end && begins && !at.first_page
        }
    }
}

/// `terminates`: a restart has made progress. Hypothesis: P7.
pub fn restart_makes_progress(b: &Bitmap, at: SetLoop, memory: &Watch) -> bool {
    let (mut after, mut after_memory) = (*b, *memory);
    match after.set_turn(at, &mut after_memory) {
        Turn::Restart { x, l } => {
            l < at.l && granule(b, x) > granule(b, at.x) && ends_on_granule(b, x, l) == ends_on_granule(b, at.x, at.l)
        }
        _ => true,
    }
}

/// `errors-reported`, for a form that keeps errors: if the pin fails, the iteration returns an error; if not,
/// it returns success. One record, any state between two calls.
pub fn failed_pin_is_returned(result: Result<(), Error>, pin_failed: bool) -> bool {
    match result {
        Ok(()) => !pin_failed,
        Err(Error::Fault | Error::OutOfRange) => pin_failed,
        Err(_) => true,
    }
}

/// `windows-tile`: walks the windows of an iteration, each time as far as the pins allow, and looks whether
/// they are right, follow each other without gap or overlap, and end with the range. Hypotheses: P1, P2, P8.
pub fn windows_tile<M: Memory>(bitmap: &Bitmap, memory: &mut M, windows: u32) -> bool {
    let mut b = *bitmap;
    let total = exact_total(&b.formulas, b.length);
    let each = b.formulas.config.windows == Windows::Each;
    let begun = if each { b.get(memory) } else { b.advance_to(b.iova, memory) };
    if begun.is_err() {
        return false;
    }
    let mut left = windows;
    let mut next = 0u128;
    while left > 0 {
        if u128::from(b.base) != next || !window_is_right(&b) {
            return false;
        }
        next += indexes_held(&b);
        if next == total {
            return b.window.iova.wrapping_add(b.window.length - 1) == b.iova.wrapping_add(b.length - 1);
        }
        let behind = b.window.iova.wrapping_add(b.window.length);
        let moved = if each { b.advance(memory, windows) } else { b.advance_to(behind, memory) };
        if moved.is_err() {
            return false;
        }
        left -= 1;
    }
    false
}

// Whole runs.

/// The most records in one run.
pub const RECORDS_MAX: usize = 2;

/// Everything that a run depends on, except the answers to the pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// First byte of the range.
    pub iova: u64,
    /// Bytes in the range.
    pub length: u64,
    /// Bytes that one bit stands for.
    pub page_size: u64,
    /// User address of the bitmap.
    pub address: u64,
    /// The records: first byte and length. A run of one record has `(0, 0)` as its second.
    pub records: [(u64, u64); RECORDS_MAX],
    /// How many there are.
    pub count: usize,
}

impl Input {
    /// Whether byte `x` is in the range. A range that wraps goes on at address 0.
    fn contains(&self, g: Geometry, x: u64) -> bool {
        g.sub(x, self.iova) < self.length
    }

    /// P4 for every record, from the definition.
    pub fn records_inside(&self, g: Geometry) -> bool {
        let mut i = 0;
        while i < self.count {
            let (x, l) = self.records[i];
            if l > 0 && !(self.contains(g, x) && l <= self.length - g.sub(x, self.iova)) {
                return false;
            }
            i += 1;
        }
        true
    }

    /// P7 for every record, from the definition.
    pub fn records_end_on_granules(&self, g: Geometry) -> bool {
        let mut i = 0;
        while i < self.count {
            let (x, l) = self.records[i];
            if g.sub(g.add(x, l), self.iova) % self.page_size != 0 {
                return false;
            }
            i += 1;
        }
        true
    }

    /// The bits that a perfect bitmap would have: for every byte of every record that lies in the range, the
    /// bit of its granule. Bit 0 is the lowest bit of byte 0 of the user's memory.
    pub fn reference(&self, g: Geometry) -> u128 {
        let mut bits = 0u128;
        let mut i = 0;
        while i < self.count {
            let (x, l) = self.records[i];
            let mut k = 0;
            while k < l {
                let byte = g.add(x, k);
                if self.contains(g, byte) {
                    let granule = g.sub(byte, self.iova) / self.page_size;
                    bits |= 1 << ((self.address << g.byte_shift) + granule);
                }
                k += 1;
            }
            i += 1;
        }
        bits
    }

    /// The bits of the bytes that the user gave: as many as the granules of the range need.
    pub fn user_bits(&self, g: Geometry) -> u128 {
        if self.length == 0 {
            return 0;
        }
        let granules = (self.length - 1) / self.page_size + 1;
        let bytes = (granules + (1 << g.byte_shift) - 1) >> g.byte_shift;
        (u128::MAX >> (128 - (bytes << g.byte_shift))) << (self.address << g.byte_shift)
    }
}

/// What an iteration did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The widths.
    pub geometry: Geometry,
    /// The version.
    pub config: Config,
    /// What it began with.
    pub input: Input,
    /// [`Input::reference`].
    pub reference: u128,
    /// [`Input::user_bits`].
    pub user_bits: u128,
    /// What `for_each` returned.
    pub returned: Result<(), Error>,
    /// The memory afterwards, with everything unpinned by `free`.
    pub memory: SmallMemory,
}

/// The most turns of a loop that a run may take: at every width that is enumerated, several times as many as
/// pages of bitmap times records.
pub const TURNS_MAX: u32 = 96;

impl Run {
    /// Allocates a bitmap, lets the device report the records, and frees the bitmap.
    pub fn new(geometry: Geometry, config: Config, input: Input, reference: (u128, u128), tape: Tape) -> Option<Self> {
        let pgshift = PageShift::of_page_size(input.page_size)?;
        let formulas = Formulas { geometry, config, pgshift };
        let mut memory = SmallMemory::new(geometry, tape);
        let record = |i: usize| Record { x: input.records[i].0, l: input.records[i].1, dirty: i < input.count };
        let mut records = [record(0), record(1)];
        let returned = match Bitmap::alloc(formulas, input.iova, input.length, input.address) {
            Err(undefined) => Err(undefined.into()),
            Ok(mut bitmap) => {
                let returned = bitmap.for_each(&mut records, &mut memory, TURNS_MAX);
                bitmap.free(&mut memory);
                returned
            }
        };
        let (reference, user_bits) = reference;
        Some(Self { geometry, config, input, reference, user_bits, returned, memory })
    }

    fn endless(&self) -> bool {
        self.returned == Err(Error::Endless)
    }

    fn undefined(&self) -> bool {
        matches!(self.returned, Err(Error::Undefined(_)))
    }

    /// `exact-bits`: a single record inside the range, no pin fails: exactly the bits of the granules that it
    /// touches are set.
    pub fn exact_bits(&self) -> bool {
        let judged = self.input.count == 1
            && self.input.records_inside(self.geometry)
            && !self.memory.pin_failed
            && !self.endless();
        !judged || (self.returned.is_ok() && self.memory.bits == self.reference)
    }

    /// `deliver-all`: if the iteration returns success, the bitmap is what the reference says; if it returns
    /// an error, no bit is set that the reference does not set.
    pub fn deliver_all(&self) -> bool {
        match self.returned {
            Ok(()) => self.memory.bits == self.reference,
            Err(Error::Endless) => true,
            Err(Error::Undefined(_)) => false,
            Err(Error::Fault | Error::OutOfRange) => self.memory.bits & !self.reference == 0,
        }
    }

    /// `in-bounds`: nothing is written outside the user's bitmap.
    pub fn in_bounds(&self) -> bool {
        !self.memory.pinned.misuse.wild_write && self.memory.bits & !self.user_bits == 0
    }

    /// `terminates`: every loop ends. With P7 given, records that do not end on a granule are not judged.
    pub fn terminates(&self) -> bool {
        let judged = !self.config.given.record_ends_on_granule || self.input.records_end_on_granules(self.geometry);
        !(judged && self.endless())
    }

    /// `errors-reported`: the iteration returns an error if a pin failed, and, the records being inside the
    /// range, only then.
    pub fn errors_reported(&self) -> bool {
        let failed = self.memory.pin_failed;
        failed_pin_is_returned(self.returned, failed)
            || self.undefined()
            || (self.returned.is_err() && !self.input.records_inside(self.geometry))
    }

    /// `pins-balanced`: what was pinned is unpinned once.
    pub fn pins_balanced(&self) -> bool {
        !self.memory.pinned.misuse.unbalanced_pin && self.memory.pinned.count == 0
    }

    /// `asks-enough`, in a run: no pin asks for no pages, or for more than allowed.
    pub fn asks_in_range(&self) -> bool {
        !self.memory.pinned.misuse.bad_pin_count
    }

    /// `unmaps-what-it-mapped`: the address given to `kunmap_local()` lies in the mapped page.
    pub fn unmaps_what_it_mapped(&self) -> bool {
        !self.memory.pinned.misuse.wrong_unmap && self.memory.pinned.mapped.is_none()
    }
}

/// Whether the preconditions that a variant may rely on, and that are not a matter of the record alone, admit
/// a range.
pub fn range_given(geometry: Geometry, given: Given, iova: u64, length: u64, page_size: u64) -> bool {
    let fits = length == 0 || length - 1 <= geometry.max() - iova;
    (!given.length_positive || length > 0)
        && (!given.range_fits || fits)
        && (!given.page_size_power_of_two || page_size.is_power_of_two())
        && (!given.bit_numbers_fit
            || PageShift::of_page_size(page_size).is_some_and(|shift| bit_numbers_fit(geometry, shift, length)))
}
