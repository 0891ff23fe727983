//! Kani proofs for `models::iova_bitmap`: index and window arithmetic at the kernel's widths.
//!
//! # How the proofs together give the properties
//!
//! Every proof is about *any* range, page size from 2^0 to 2^63, user address, window and record that satisfy
//! the preconditions, and about addresses of 64 bits.
//!
//! - `index-inverse`, `no-overflow`, `asks-enough`, `range-test`: one proof each, of the property itself.
//! - `windows-tile`: a window that is pinned at any index is right (`window_is_right_after_a_pin`), the first
//!   window begins at index 0, and the next one begins where this one ends, or this one ends with the range
//!   (`windows_follow_each_other`). By induction over the windows nothing is left out or seen twice.
//! - `exact-bits`, `in-bounds`: `set` reaches its loop's invariant from any state between two calls
//!   (`set_reaches_its_loop`), one turn from any state in the invariant sets exactly the bits that it is about
//!   (`a_turn_sets_exactly_its_bits`: the watched bit is any bit of the user's memory, inside the bitmap or
//!   not) and misuses nothing, and the invariant is kept until all bits up to the record's last are set
//!   (`a_turn_keeps_the_invariant`). By induction over the turns a record sets the granules that it touches.
//! - `deliver-all`: the two steps above hold for any memory and any state between two calls, so by induction
//!   over the records the bitmap is the union of what the records touch.
//! - `terminates`: a turn moves on, and a restart leaves granules behind (`a_restart_makes_progress`).
//! - `errors-reported`: `a_failed_pin_reaches_the_caller`, for the form that keeps errors.
//! - `pins-balanced`, `unmaps-what-it-mapped`: the memory agrees with the window after every step.
//!
//! # Twins
//!
//! For every bug of the catalogue there is a proof `..._is_found`: the same property, on the version with the
//! bug, is false for a given input, and by its cover for some input of any kind.
//!
//! # Bounds
//!
//! No loop is unwound but in the proofs with `unwind`, where the number stands with its reason. Stubs: none. Assumptions: the `assume`s and `any_where`s below.

use models::iova_bitmap::arithmetic::{Bitmap, Error, Formulas, Record, SetLoop, Turn};
use models::iova_bitmap::config::{
    Beyond, BitOf, Bits, Config, Cut, EmptyPin, Errors, PageCount, PageSizeIn, Placement, Total, Unit, Unmap, Windows,
};
use models::iova_bitmap::geometry::{Geometry, PageShift};
use models::iova_bitmap::memory::{Watch, EFAULT};
use models::iova_bitmap::neighbours::{KeyShift, Populate, KEYS};
use models::iova_bitmap::properties::{
    begin_is_right, between_calls, bit_numbers_fit, ends_on_granule, exact_total, failed_pin_is_returned,
    index_inverse, index_is_exact, indexes_held, loop_invariant, other_indexes_are_refused, pin_count_is_right,
    range_test_is_right, record_inside, restart_makes_progress, rounded_range_fits, total_is_exact,
    turn_keeps_invariant, turn_misuses_nothing, turn_sets_exactly, window_is_right,
};

const KERNEL: Geometry = Geometry::KERNEL;
const MAINLINE: Config = Config::MAINLINE;

// -- Any value of a kind.

fn shift(bits: u32) -> PageShift {
    PageShift::new(KERNEL, bits).expect("a shift below 64")
}

/// Any page size.
fn any_shift() -> PageShift {
    shift(kani::any_where(|bits: &u32| *bits < 64)) // domain: __ffs() of an unsigned long
}

fn formulas(config: Config, pgshift: PageShift) -> Formulas {
    Formulas { geometry: KERNEL, config, pgshift }
}

/// A bitmap over a given range, with nothing pinned.
fn bitmap(config: Config, pgshift: PageShift, iova: u64, length: u64, address: u64) -> Bitmap {
    Bitmap::alloc(formulas(config, pgshift), iova, length, address).expect("defined in this form")
}

/// Any bitmap of the current form.
fn any_bitmap() -> Bitmap {
    let pgshift = any_shift();
    let iova: u64 = kani::any();
    // domain: P2; iommufd_check_iova_range() and its VFIO counterpart compute the last byte with an overflow check
    let last: u64 = kani::any_where(|last: &u64| *last >= iova);
    kani::assume(last - iova < u64::MAX); // domain: P1; a length of 2^64 is a length of 0
    let length = last - iova + 1;
    kani::assume(bit_numbers_fit(KERNEL, pgshift, length)); // domain: P9; only page size 1 and almost 2^64 bytes break it
    kani::assume(rounded_range_fits(&formulas(MAINLINE, pgshift), iova, length)); // domain: P8; see variant rounding-wraps
    let address: u64 = kani::any_where(|address: &u64| *address >> 63 == 0); // domain: user memory is the lower half
    bitmap(MAINLINE, pgshift, iova, length, address)
}

/// Any bitmap of the current form whose window is pinned at any index, with any number of pages that a pin can
/// give. The watched bit is any bit of the memory, and may be set.
fn any_pinned() -> (Bitmap, Watch) {
    let mut b = any_bitmap();
    let total = b.total;
    b.base = kani::any_where(|base: &u64| *base < total); // domain: advance_to() refuses other indexes
    let mut memory = any_watch();
    kani::assume(memory.answer > 0); // domain: the pin has succeeded
    kani::assume(b.get(&mut memory).is_ok()); // domain: follows from the line above
    (b, memory)
}

/// Any bitmap of the current form between two calls: with a window or without.
fn any_between_calls() -> (Bitmap, Watch) {
    let (mut b, mut memory) = any_pinned();
    if kani::any() {
        b.put(&mut memory);
    }
    memory.answer = any_answer();
    (b, memory)
}

/// What a pin may answer: 1 to 512 pages (fewer if fewer are asked for), or the error.
fn any_answer() -> i64 {
    let pages: i64 = kani::any_where(|pages: &i64| *pages >= 0 && *pages <= 512); // domain: pages_max
    if pages == 0 {
        EFAULT
    } else {
        pages
    }
}

/// A memory with nothing pinned. The watched bit is any bit of any page that a user address can lie in.
fn any_watch() -> Watch {
    let page: u64 = kani::any_where(|page: &u64| *page >> 52 == 0); // domain: a page number of a 64-bit address
    let bit: u64 = kani::any_where(|bit: &u64| *bit < 32_768); // domain: the bits of a page
    let mut memory = Watch::new(KERNEL, page, bit, any_answer());
    memory.set = kani::any();
    memory
}

/// Any record inside the range of a bitmap.
fn any_record(b: &Bitmap) -> (u64, u64) {
    let length = b.length;
    let offset: u64 = kani::any_where(|offset: &u64| *offset < length); // domain: P4
    let l: u64 = kani::any_where(|l: &u64| *l >= 1 && *l <= length - offset); // domain: P4, P5
    (b.iova + offset, l)
}

/// Any record inside the range of a bitmap that ends where a granule ends.
fn any_record_of_granules(b: &Bitmap) -> (u64, u64) {
    let (length, bits) = (b.length, b.formulas.pgshift.get());
    // Any number, and more often one at which the record goes on a little behind the pinned pages.
    let behind = (b.base << 3).wrapping_add(b.window.npages << 15).wrapping_sub(b.window.pgoff << 3);
    let granules: u64 = if kani::any() { kani::any() } else { behind.wrapping_add(u64::from(kani::any::<u8>() & 3)) };
    kani::assume(granules >= 1 && granules <= length >> bits); // domain: P4, P7
    let end = granules << bits;
    let offset: u64 = kani::any_where(|offset: &u64| *offset < end); // domain: P5
    (b.iova + offset, end - offset)
}

/// Any state of the loop in `set`, for a given record, that satisfies the invariant.
fn any_loop_of(b: Bitmap, mut memory: Watch, x: u64, l: u64) -> (Bitmap, SetLoop, Watch) {
    let bits = b.formulas.pgshift.get();
    // The window's bit numbers of the record's first and last granule, from the definition of the bitmap.
    let offset = b.window.pgoff << 3;
    let (first, last) = ((x - b.iova) >> bits, (x + (l - 1) - b.iova) >> bits);
    kani::assume(last >= b.base << 3); // hypothesis: implied by the invariant
    let last = last - (b.base << 3) + offset;
    let first_page: bool = kani::any();
    let behind = b.window.npages << 15;
    let cur: u64 = if first_page {
        kani::assume(first >= b.base << 3); // hypothesis: the invariant, for cur
        first - (b.base << 3) + offset
    } else if kani::any() {
        behind
    } else {
        kani::any_where(|cur: &u64| *cur >= offset && *cur <= behind) // hypothesis: the invariant, for cur
    };
    kani::assume(cur <= last); // hypothesis: the invariant, for cur
    if kani::any() {
        // Any bit of the pinned pages and the pages behind them: the watched bit is any bit without this, and
        // with this it is more often near.
        let near: u64 = kani::any_where(|near: &u64| *near >> 25 == 0); // domain: 2^24 bits are pinned at most
        memory.page = b.window.first_page + (near >> 15);
        memory.bit = near & 32_767;
    }
    let at = SetLoop { x, l, cur, last, first_page };
    kani::assume(loop_invariant(&b, at, &memory)); // hypothesis: the invariant
    (b, at, memory)
}

/// Any state of the loop in `set` that satisfies its invariant.
fn any_loop() -> (Bitmap, SetLoop, Watch) {
    let (b, memory) = any_pinned();
    let (x, l) = any_record(&b);
    any_loop_of(b, memory, x, l)
}

// -- Formulas.

/// index-inverse: the index of any offset begins at or before it, and the next one behind it.
#[kani::proof]
fn an_index_and_its_offset_agree() {
    let f = formulas(MAINLINE, any_shift());
    let offset: u64 = kani::any();
    kani::cover!(f.pgshift.get() == 0, "page size 1");
    kani::cover!(f.pgshift.get() == 63, "page size 2^63");
    kani::cover!(f.pgshift.get() == 60 && offset >> 63 == 1, "the last index of the address space");
    kani::cover!(f.pgshift.get() == 12 && offset & 0x7fff == 0, "the first byte of an index");
    kani::cover!(f.pgshift.get() == 12 && offset & 0x7fff == 0x7fff, "the last byte of an index");
    assert!(index_inverse(&f, offset), "index-inverse");
}

/// no-overflow: the index of any offset is defined, and is the exact quotient.
#[kani::proof]
fn an_index_is_exact() {
    let f = formulas(MAINLINE, any_shift());
    let offset: u64 = kani::any();
    kani::cover!(f.pgshift.get() >= 61, "an index of more than 2^63 bytes");
    kani::cover!(f.pgshift.get() < 61 && offset == u64::MAX, "the last byte");
    assert!(index_is_exact(&f, offset), "no-overflow");
}

/// no-overflow: the number of indexes of any range is exact, and so is its end rounded up to whole indexes.
#[kani::proof]
fn a_total_is_exact() {
    let b = any_bitmap();
    kani::cover!(b.length == 1, "one byte");
    kani::cover!(b.iova + (b.length - 1) == u64::MAX, "the range ends with the address space");
    kani::cover!(b.total == 1 && b.formulas.pgshift.get() >= 60, "one index of a large page size");
    kani::cover!(b.total > 1 << 32, "more indexes than 32 bits count");
    assert!(total_is_exact(&b.formulas, b.iova, b.length), "no-overflow");
    assert!(u128::from(b.total) == exact_total(&b.formulas, b.length), "no-overflow: total");
}

/// asks-enough: the pages asked for at any index are those needed, or as many as allowed, or one more.
#[kani::proof]
fn a_pin_asks_for_enough() {
    let mut b = any_bitmap();
    let total = b.total;
    b.base = kani::any_where(|base: &u64| *base < total); // domain: advance_to() refuses other indexes
    kani::cover!(b.pin_count() == 1, "one page");
    kani::cover!(b.pin_count() == 512, "as many as allowed");
    kani::cover!((b.address + b.base) & 4095 == 4095, "the first index is the last byte of a page");
    assert!(pin_count_is_right(&b), "asks-enough");
}

// -- Windows.

/// windows-tile: a window that was pinned at any index, with any number of pages, is right.
#[kani::proof]
fn window_is_right_after_a_pin() {
    let (b, memory) = any_pinned();
    kani::cover!(b.window.npages < b.pin_count(), "fewer pages than asked for");
    kani::cover!(b.window.npages == 512, "as many pages as allowed");
    kani::cover!(b.window.pgoff == 4095, "the window begins with the last byte of a page");
    kani::cover!(b.window.iova + (b.window.length - 1) == u64::MAX, "the window ends with the address space");
    assert!(window_is_right(&b), "windows-tile");
    assert!(between_calls(&b, &memory), "pins-balanced");
}

/// windows-tile: behind any window comes the window of the next index, or the range ends with it.
#[kani::proof]
fn windows_follow_each_other() {
    let (before, mut memory) = any_pinned();
    let next = u128::from(before.base) + indexes_held(&before);
    let behind = u128::from(before.window.iova) + u128::from(before.window.length);
    let end = u128::from(before.iova) + u128::from(before.length);
    kani::cover!(next == u128::from(before.total), "the last window");
    kani::cover!(next < u128::from(before.total), "a window with another behind it");
    assert!((next == u128::from(before.total)) == (behind == end), "windows-tile: the end");
    if next < u128::from(before.total) {
        memory.answer = any_answer();
        let mut after = before;
        match after.advance_to(behind as u64, &mut memory) {
            Ok(()) => assert!(u128::from(after.base) == next && window_is_right(&after), "windows-tile: the next"),
            Err(error) => assert!(error == Error::Fault && memory.answer < 0, "windows-tile: the error"),
        }
        assert!(between_calls(&after, &memory), "pins-balanced");
    }
}

/// windows-tile, in-bounds: the window moves to the index of any address that has one, from any state between
/// two calls, and for any other address nothing is pinned or changed.
#[kani::proof]
fn a_window_moves_to_the_index_of_an_address() {
    let (b, memory) = any_between_calls();
    let x: u64 = kani::any();
    let offset = x.wrapping_sub(b.iova);
    kani::cover!(offset == 0, "the first byte");
    kani::cover!(offset == b.length - 1, "the last byte");
    kani::cover!(offset >= b.length, "no byte of the range");
    assert!(other_indexes_are_refused(&b, x, &memory), "windows-tile");
}

/// range-test: any record passes the window test exactly if every byte of it is in the window.
#[kani::proof]
fn the_range_test_is_exact() {
    let (b, _) = any_between_calls();
    let (x, l) = any_record(&b);
    kani::cover!(b.mapped_range(x, l), "in the window");
    kani::cover!(b.window.npages != 0 && !b.mapped_range(x, l), "not in the window");
    kani::cover!(b.window.npages == 0, "nothing pinned");
    assert!(range_test_is_right(&b, x, l), "range-test");
}

// -- Recording.

/// exact-bits: from any state between two calls, `set` reaches the invariant of its loop, or its pin failed.
#[kani::proof]
#[kani::solver(cadical)]
fn set_reaches_its_loop() {
    let (b, memory) = any_between_calls();
    let (x, l) = any_record(&b);
    kani::cover!(b.mapped_range(x, l), "in the window");
    kani::cover!(!b.mapped_range(x, l) && memory.answer > 0, "the window moves");
    kani::cover!(!b.mapped_range(x, l) && memory.answer < 0, "the pin fails");
    assert!(begin_is_right(&b, x, l, &memory), "set-invariant");
}

/// exact-bits, in-bounds: one turn sets exactly the bits that it is about, for any bit of the user's memory.
#[kani::proof]
#[kani::solver(cadical)]
fn a_turn_sets_exactly_its_bits() {
    let (b, at, memory) = any_loop();
    let (mut after, mut after_memory) = (b, memory);
    after.set_turn(at, &mut after_memory);
    kani::cover!(!memory.set && after_memory.set, "the watched bit becomes set");
    kani::cover!(!memory.set && !after_memory.set, "the watched bit stays clear");
    kani::cover!(at.cur & 32_767 == 0, "the first bit of a page");
    kani::cover!(at.last & 32_767 == 32_767, "the last bit of a page");
    kani::cover!(at.cur >> 15 != at.last >> 15, "the record goes on behind the page");
    assert!(turn_sets_exactly(&b, at, &memory), "exact-bits");
}

/// in-bounds, pins-balanced, unmaps-what-it-mapped: one turn writes to pinned pages only and unmaps what it
/// mapped.
#[kani::proof]
fn a_turn_misuses_nothing() {
    let (b, at, memory) = any_loop();
    kani::cover!(at.cur >> 15 == b.window.npages - 1, "the last pinned page");
    kani::cover!(at.cur >> 15 == b.window.npages, "the page behind it");
    assert!(turn_misuses_nothing(&b, at, &memory), "in-bounds");
}

/// exact-bits: one turn keeps the invariant; the last leaves nothing over; a restart asks for what is left.
#[kani::proof]
#[kani::solver(cadical)]
fn a_turn_keeps_the_invariant() {
    let (b, at, memory) = any_loop();
    let (mut after, mut after_memory) = (b, memory);
    let turn = after.set_turn(at, &mut after_memory);
    kani::cover!(matches!(turn, Turn::Again(_)), "another page");
    kani::cover!(turn == Turn::Done, "the last page");
    kani::cover!(matches!(turn, Turn::Restart { .. }), "a restart");
    kani::cover!(at.first_page && at.cur == at.last, "a single bit");
    assert!(turn_keeps_invariant(&b, at, &memory), "set-invariant");
}

/// terminates: a restart leaves granules behind and has less to do.
#[kani::proof]
#[kani::solver(cadical)]
fn a_restart_makes_progress() {
    let (b, memory) = any_pinned();
    let (x, l) = any_record_of_granules(&b); // domain: P7; see unaligned_end_is_found
    let (b, at, memory) = any_loop_of(b, memory, x, l);
    kani::cover!(at.cur >> 15 >= b.window.npages, "a restart");
    kani::cover!(at.cur >> 15 >= b.window.npages && at.cur == at.last, "a restart for the last granule");
    assert!(restart_makes_progress(&b, at, &memory), "terminates");
}

/// errors-reported: with errors kept, a pin that fails makes the iteration return an error.
///
/// Unwinding 2: the iteration has one record, and its `set` ends at the first pin; more turns would need a pin
/// that succeeds.
#[kani::proof]
#[kani::unwind(2)]
fn a_failed_pin_reaches_the_caller() {
    let mut b = any_bitmap();
    b.formulas.config.errors = Errors::Kept;
    let (x, l) = any_record(&b);
    let mut memory = any_watch();
    memory.answer = EFAULT;
    let set_before = memory.set;
    let mut records = [Record { x, l, dirty: true }];
    let returned = b.for_each(&mut records, &mut memory, 1);
    kani::cover!(memory.pins == 1, "a pin failed");
    assert!(failed_pin_is_returned(returned, memory.pins != 0), "errors-reported");
    assert!(memory.pins == 1 && memory.set == set_before, "exact-bits: nothing is set");
    assert!(!records[0].dirty, "the device's mark is gone");
}

/// deliver-all, as a check of the induction: a record of at most two pages of bits, from any state between two
/// calls, any pins: the watched bit is set if it was, or if the record touches its granule.
///
/// Unwinding 6, and 4 turns: a record of at most 2^15 granules lies in at most two pages of bits. Each takes
/// one turn, and between them lies at most one restart. A larger number would show the same for more pages.
#[kani::proof]
#[kani::unwind(6)]
#[kani::solver(cadical)]
fn a_short_record_is_delivered() {
    let (mut b, mut memory) = any_between_calls();
    kani::assume(memory.answer > 0); // domain: P6
    let (x, l) = any_record_of_granules(&b); // domain: P7
    kani::assume((l - 1) >> b.formulas.pgshift.get() < 32_768); // cost: two pages of bits
    let before = memory;
    let ended = b.set(x, l, &mut memory, 4);
    let first = u128::from((x - b.iova) >> b.formulas.pgshift.get());
    let last = u128::from((x + (l - 1) - b.iova) >> b.formulas.pgshift.get());
    let start = u128::from(b.address) << 3;
    let touched = memory.position() >= start + first && memory.position() <= start + last;
    kani::cover!(memory.pins > before.pins.wrapping_add(1), "a restart");
    kani::cover!(touched && !before.set, "the watched bit is the record's");
    kani::cover!(!touched, "the watched bit is not the record's");
    assert!(ended == Ok(()), "terminates");
    assert!(memory.set == (before.set || touched), "deliver-all");
    assert!(between_calls(&b, &memory), "pins-balanced");
}

// -- The neighbours.

/// populates-all: rounding up populates every page of any buffer and no other.
#[kani::proof]
fn rounding_up_populates_all() {
    let size: u64 = kani::any();
    kani::assume(Populate::RoundsUp.given(KERNEL, size)); // domain: sizeof() of a structure
    kani::cover!(size & 4095 == 0 && size > 0, "whole pages");
    kani::cover!(size & 4095 == 1, "one byte in the last page");
    kani::cover!(size == 0, "no byte");
    assert!(Populate::RoundsUp.populates_all(KERNEL, size), "populates-all");
}

/// populates-all: the division does, with the check that the size is a multiple of the page size.
#[kani::proof]
fn dividing_a_multiple_populates_all() {
    let size: u64 = kani::any::<u64>() & !4095;
    kani::assume(Populate::TruncatesMultiple.given(KERNEL, size)); // domain: the build-time check
    kani::cover!(size == 8192, "two pages");
    assert!(Populate::TruncatesMultiple.populates_all(KERNEL, size), "populates-all");
}

/// populates-all: the division without the check loses the last part.
#[kani::proof]
fn populate_truncates_is_found() {
    let size: u64 = kani::any();
    kani::cover!(!Populate::Truncates.populates_all(KERNEL, size), "some size breaks it");
    assert!(!Populate::Truncates.populates_all(KERNEL, 1), "populates-all");
    assert!(!Populate::Truncates.populates_all(KERNEL, 4097), "populates-all");
}

/// key-in-range: the checked shift answers every int that a user can pass.
#[kani::proof]
fn a_checked_key_is_answered() {
    let (map, key): (u16, i32) = (kani::any(), kani::any());
    kani::cover!(key == KEYS - 1, "the last key");
    kani::cover!(key == KEYS, "the first that is none");
    kani::cover!(key == -1, "minus one");
    kani::cover!(key == 0, "key 0");
    assert!(KeyShift::Checked.key_in_range(map, key), "key-in-range");
}

/// key-in-range: the shift without a check, or without its lower bound, is undefined for some keys.
#[kani::proof]
fn unchecked_key_shift_is_found() {
    let (map, key): (u16, i32) = (kani::any(), kani::any());
    kani::cover!(!KeyShift::Unchecked.key_in_range(map, key), "some key breaks it");
    kani::cover!(!KeyShift::CheckedAbove.key_in_range(map, key), "some key breaks the half check");
    assert!(!KeyShift::Unchecked.key_in_range(0, -1) && !KeyShift::Unchecked.key_in_range(0, 32), "key-in-range");
    assert!(!KeyShift::CheckedAbove.key_in_range(0, -1), "key-in-range");
}

// -- Twins: the bugs of the catalogue.

/// A bitmap of `config` over 2^17 granules of 4 KiB from 0 on, its window pinned at `base` with `pages`.
fn pinned(config: Config, base: u64, address: u64, pages: i64) -> (Bitmap, Watch) {
    let mut b = bitmap(config, shift(12), 0, 1 << 29, address);
    b.base = base;
    let mut memory = Watch::new(KERNEL, address >> 12, 0, pages);
    assert!(b.get(&mut memory).is_ok(), "the pin succeeds");
    (b, memory)
}

/// exact-bits: the comment's formula gives a granule the bit of its address, modulo 64.
#[kani::proof]
fn comment_formula_is_found() {
    let config = Config { bit_of: BitOf::Address, ..MAINLINE };
    let (mut b, mut memory) = pinned(config, 0, 0x10000, 4);
    // The granule of byte 0x1000 is number 1; the formula sets bit 0x1000 % 64 = 0.
    memory.bit = 1;
    let at = b.set_begin(0x1000, 0x1000, &mut memory).expect("in the window");
    assert!(!turn_sets_exactly(&b, at, &memory), "exact-bits");
    memory.bit = 0;
    b.set_turn(at, &mut memory);
    assert!(memory.set, "bit 0 is set in place of bit 1");
    let granule: u64 = kani::any_where(|granule: &u64| *granule < 1 << 17); // domain: the granules of the bitmap
    let (mut b, mut memory) = pinned(config, 0, 0x10000, 4);
    let at = b.set_begin(granule << 12, 0x1000, &mut memory).expect("in the window");
    memory.page += granule >> 15;
    memory.bit = granule & 32_767;
    kani::cover!(!turn_sets_exactly(&b, at, &memory), "some granule breaks it");
}

/// windows-tile: as a count, rounding up wraps for a length near 2^64, and the bitmap has no index.
#[kani::proof]
fn posted_count_is_found() {
    let f = formulas(Config { total: Total::RoundedUp, ..MAINLINE }, shift(12));
    assert!(f.total(u64::MAX) == Ok(0), "windows-tile");
    assert!(!total_is_exact(&f, 0, u64::MAX), "windows-tile");
    let length: u64 = kani::any_where(|length: &u64| *length >= 1); // domain: P1
    kani::cover!(!total_is_exact(&f, 0, length), "some length breaks it");
    kani::cover!(total_is_exact(&f, 0, length), "as a count it works for most");
}

/// no-overflow: 1 << 31 in int sets the sign, and 1 << 32 is undefined.
#[kani::proof]
fn posted_int_pgsize_is_found() {
    let config = Config { page_size: PageSizeIn::Int, ..MAINLINE };
    assert!(index_is_exact(&formulas(config, shift(30)), 1 << 40), "30 is still right");
    assert!(!index_is_exact(&formulas(config, shift(31)), 1 << 40), "no-overflow: the sign");
    assert!(!index_is_exact(&formulas(config, shift(32)), 0), "no-overflow: the shift");
    let large: u32 = kani::any_where(|bits: &u32| *bits >= 31 && *bits < 64); // domain: the shifts that an int lacks
    kani::cover!(!index_is_exact(&formulas(config, shift(large)), 1 << 40), "some shift breaks it");
}

/// no-overflow: with 1UL, the bits of an index times 2^63 are 0, and the division is by zero.
#[kani::proof]
fn shift_63_is_found() {
    let config = Config { page_size: PageSizeIn::Long, ..MAINLINE };
    assert!(index_is_exact(&formulas(config, shift(60)), u64::MAX), "60 is still right");
    assert!(!index_is_exact(&formulas(config, shift(61)), 0), "no-overflow: 8 << 61 is 0");
    assert!(!index_is_exact(&formulas(config, shift(63)), 0), "no-overflow: 8 << 63 is 0");
    let bits: u32 = kani::any_where(|bits: &u32| *bits >= 58 && *bits < 64); // cost: both sides of the boundary
    kani::cover!(!index_is_exact(&formulas(config, shift(bits)), 0), "some shift breaks it");
    kani::cover!(index_is_exact(&formulas(config, shift(bits)), 0), "others do not");
}

/// windows-tile: with the end computed from the window's start, the last window over-reports.
#[kani::proof]
fn posted_max_iova_is_found() {
    let config = Config { cut: Cut::WindowStart, ..MAINLINE };
    // 9 granules of 4 KiB: two indexes, the second of which has one granule and seven bits to spare.
    let mut b = bitmap(config, shift(12), 0, 9 << 12, 0x10000);
    b.base = 1;
    let mut memory = Watch::new(KERNEL, 0, 0, 1);
    assert!(b.get(&mut memory).is_ok() && !window_is_right(&b), "windows-tile");
    assert!(b.window.length == 8 << 12, "eight granules, of which seven are behind the range");
    let base: u64 = kani::any_where(|base: &u64| *base < 2); // domain: the indexes of the bitmap
    let mut b = bitmap(config, shift(12), 0, 9 << 12, 0x10000);
    b.base = base;
    let mut memory = Watch::new(KERNEL, 0, 0, 1);
    kani::cover!(b.get(&mut memory).is_ok() && !window_is_right(&b), "some window breaks it");
}

/// exact-bits: `max(1, length >> pgshift)` bits lose the last one of an unaligned record.
///
/// Unwinding 4: the record that is run is a fixed one, of one turn.
#[kani::proof]
#[kani::unwind(4)]
fn posted_nbits_is_found() {
    let config = Config { bits: Bits::LengthShifted, ..MAINLINE };
    let mut b = bitmap(config, shift(2), 0, 64, 0x10000);
    let mut memory = Watch::new(KERNEL, 0x10, 1, 1);
    assert!(!begin_is_right(&b, 0, 5, &memory), "exact-bits");
    assert!(b.set(0, 5, &mut memory, 2) == Ok(()) && !memory.set, "the bit of byte 4 is lost");
    let x: u64 = kani::any_where(|x: &u64| *x < 32); // cost: a few records
    let l: u64 = kani::any_where(|l: &u64| *l >= 1 && *l < 32); // cost: a few records
    let b = bitmap(config, shift(2), 0, 64, 0x10000);
    let memory = Watch::new(KERNEL, 0, 0, 1);
    kani::cover!(!begin_is_right(&b, x, l, &memory), "some record breaks it");
    kani::cover!(begin_is_right(&b, x, l, &memory), "others do not");
}

/// in-bounds: the offset is added to the address of the first page, and its bits run over the page's end.
#[kani::proof]
fn posted_start_offset_is_found() {
    let config = Config { placement: Placement::OnFirstPage, ..MAINLINE };
    // The bitmap begins 8 bytes before the end of a page: 64 granules fit, the record has 65.
    let (mut b, mut memory) = pinned(config, 0, 0x10ff8, 5);
    let at = b.set_begin(0, 65 << 12, &mut memory).expect("in the window");
    assert!(!turn_misuses_nothing(&b, at, &memory), "in-bounds");
    let granules: u64 = kani::any_where(|granules: &u64| *granules >= 1 && *granules < 1 << 15); // cost: one turn
    let (mut b, mut memory) = pinned(config, 0, 0x10ff8, 5);
    let at = b.set_begin(0, granules << 12, &mut memory).expect("in the window");
    kani::cover!(!turn_misuses_nothing(&b, at, &memory), "some record breaks it");
    kani::cover!(turn_misuses_nothing(&b, at, &memory), "a short one does not");
}

/// unmaps-what-it-mapped: the offset in bytes is subtracted from a pointer to words.
#[kani::proof]
fn posted_kunmap_is_found() {
    let config = Config { placement: Placement::OnFirstPage, unmap: Unmap::MinusWords, ..MAINLINE };
    let address: u64 = kani::any_where(|address: &u64| *address >= 0x10000 && *address < 0x11000); // cost: one page
    let (mut b, mut memory) = pinned(config, 0, address, 5);
    let at = b.set_begin(0, 0x1000, &mut memory).expect("in the window");
    b.set_turn(at, &mut memory);
    kani::cover!(memory.pinned.misuse.wrong_unmap, "some offset breaks it");
    kani::cover!(!memory.pinned.misuse.wrong_unmap, "offset 0 does not");
    assert!(memory.pinned.misuse.wrong_unmap == (address & 4095 != 0), "unmaps-what-it-mapped");
}

/// in-bounds: a pin of 0 pages leaves the page count of the window before, whose pages are unpinned.
#[kani::proof]
fn posted_pin_zero_is_found() {
    let config = Config { empty_pin: EmptyPin::Success, page_count: PageCount::Stale, ..MAINLINE };
    let (mut b, mut memory) = pinned(config, 0, 0x10000, 1);
    memory.answer = kani::any_where(|answer: &i64| *answer >= 0 && *answer <= 1); // domain: 0 pages, or one
                                                                                  // The last granule of the pinned page and the one behind it.
    let at = b.set_begin(0x7fff << 12, 0x2000, &mut memory).expect("an empty pin is success");
    b.set_turn(at, &mut memory);
    kani::cover!(memory.answer == 0 && memory.pinned.misuse.wild_write, "an empty pin breaks it");
    kani::cover!(memory.answer == 1 && !memory.pinned.misuse.wild_write, "a page does not");
    assert!(memory.pinned.misuse.wild_write == (memory.answer == 0), "in-bounds");
}

/// The iteration before dynamic pinning.
const EACH: Config = Config { windows: Windows::Each, beyond: Beyond::Dropped, ..MAINLINE };

/// The second turn of a record that crosses the end of a window of one page, which ends inside granule 32768.
fn crossing(config: Config, length: u64) -> (Bitmap, SetLoop, Watch) {
    let (mut b, mut memory) = pinned(config, 0, 0x10000, 1);
    let at = b.set_begin(0x7fff << 12, length, &mut memory).expect("no pin is needed");
    match b.set_turn(at, &mut memory) {
        Turn::Again(next) => (b, next, memory),
        _ => panic!("the record goes on behind the page"),
    }
}

/// in-bounds: without a look at the page index, a huge mapping is written behind the pinned pages.
#[kani::proof]
fn unbounded_pages_is_found() {
    let (b, at, memory) = crossing(Config { beyond: Beyond::Unchecked, ..EACH }, 0x20_0000);
    assert!(!turn_misuses_nothing(&b, at, &memory), "in-bounds");
    let length: u64 = kani::any_where(|length: &u64| *length > 0x1000 && *length <= 1 << 28); // domain: it crosses
    let (b, at, memory) = crossing(Config { beyond: Beyond::Unchecked, ..EACH }, length);
    kani::cover!(!turn_misuses_nothing(&b, at, &memory), "some record breaks it");
}

/// exact-bits: stopping at the last pinned page loses the second part.
#[kani::proof]
fn split_lost_is_found() {
    let (b, at, mut memory) = crossing(EACH, 0x20_0000);
    memory.page = 0x11; // the first bit behind the pinned page
    assert!(!turn_sets_exactly(&b, at, &memory), "exact-bits");
    let length: u64 = kani::any_where(|length: &u64| *length > 0x1000 && *length <= 1 << 28); // domain: it crosses
    let (b, at, mut memory) = crossing(EACH, length);
    memory.page = 0x11;
    kani::cover!(!turn_sets_exactly(&b, at, &memory), "some record breaks it");
}

/// deliver-all: the second record that crosses the window's end overwrites what is left of the first.
#[kani::proof]
fn set_ahead_single_is_found() {
    let config = Config { beyond: Beyond::SetAhead, ..EACH };
    let second: u64 = kani::any_where(|length: &u64| *length > 0x1000 && *length <= 1 << 28); // domain: it crosses
    let (mut b, at, mut memory) = crossing(config, 0x20_0000);
    assert!(b.set_turn(at, &mut memory) == Turn::Done && b.set_ahead == 0x1f_f000, "511 granules are left");
    let (_, at, _) = crossing(config, second);
    b.set_turn(at, &mut memory);
    kani::cover!(b.set_ahead < 0x1f_f000, "some second record breaks it");
    kani::cover!(b.set_ahead >= 0x1f_f000, "a longer one does not");
    assert!(second > 0x20_0000 - 0x1000 || b.set_ahead < 0x1f_f000, "deliver-all");
}

/// windows-tile: with indexes of 8 bytes and one page pinned, a window that begins in the page's last 7 bytes
/// holds no index.
#[kani::proof]
fn u64_units_is_found() {
    let config = Config { unit: Unit::Word, ..MAINLINE };
    let (b, _) = pinned(config, 0, 0x10ffc, 1);
    assert!(b.mapped_remaining() == 0 && !window_is_right(&b), "windows-tile");
    let address: u64 = kani::any_where(|address: &u64| *address >= 0x10000 && *address < 0x11000); // cost: one page
    let (b, _) = pinned(config, 0, address, 1);
    kani::cover!(!window_is_right(&b), "some address breaks it");
    kani::cover!(window_is_right(&b), "others do not");
}

/// errors-reported: the current form drops the error, after the device's mark is gone.
///
/// Unwinding 2: as in `a_failed_pin_reaches_the_caller`.
#[kani::proof]
#[kani::unwind(2)]
fn error_dropped_is_found() {
    let mut b = any_bitmap();
    let (x, l) = any_record(&b);
    let mut memory = any_watch();
    memory.answer = EFAULT;
    let mut records = [Record { x, l, dirty: true }];
    let returned = b.for_each(&mut records, &mut memory, 1);
    kani::cover!(memory.pins == 1 && returned == Ok(()), "every record breaks it");
    assert!(!failed_pin_is_returned(returned, memory.pins != 0) && !records[0].dirty, "errors-reported");
}

/// in-bounds: a record of 2 MiB into a bitmap of 8 bits sets 63 bytes behind it, inside the pinned page.
#[kani::proof]
fn record_beyond_range_is_found() {
    let bit: u64 = kani::any_where(|bit: &u64| *bit < 32_768); // domain: the bits of the page
    let mut b = bitmap(MAINLINE, shift(12), 0, 8 << 12, 0x10000);
    let mut memory = Watch::new(KERNEL, 0x10, bit, 1);
    assert!(!record_inside(&b, 0, 0x20_0000), "P4 does not hold");
    let at = b.set_begin(0, 0x20_0000, &mut memory).expect("the pin succeeds");
    b.set_turn(at, &mut memory);
    kani::cover!(memory.set && bit >= 8, "some bit behind the bitmap is set");
    kani::cover!(!memory.set, "others are not");
    // 512 bits are set: the byte of the bitmap and 63 behind it.
    assert!(memory.set == (bit < 512), "in-bounds");
}

/// terminates: without P7 a restart can ask for the same again.
#[kani::proof]
fn unaligned_end_is_found() {
    // The bitmap's last byte in the page holds granules 0 to 7; the record touches granules 7 and 8, and ends
    // inside granule 8.
    let (mut b, mut memory) = pinned(MAINLINE, 0, 0x10fff, 1);
    let at = b.set_begin(0x7800, 0x1000, &mut memory).expect("the pin succeeds");
    let Turn::Again(next) = b.set_turn(at, &mut memory) else { panic!("granule 8 is left") };
    assert!(!ends_on_granule(&b, next.x, next.l), "P7 does not hold");
    assert!(b.set_turn(next, &mut memory) == Turn::Restart { x: 0x7800, l: 0x1000 }, "terminates: the same again");
    let l: u64 = kani::any_where(|l: &u64| *l > 0x800 && *l <= 0x1800); // cost: ends of two granules
    let (mut b, mut memory) = pinned(MAINLINE, 0, 0x10fff, 1);
    let at = b.set_begin(0x7800, l, &mut memory).expect("the pin succeeds");
    if let Turn::Again(next) = b.set_turn(at, &mut memory) {
        kani::cover!(!restart_makes_progress(&b, next, &memory), "some record breaks it");
        kani::cover!(restart_makes_progress(&b, next, &memory), "one that ends on a granule does not");
    }
}
