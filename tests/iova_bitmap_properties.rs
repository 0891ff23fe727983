//! proptest: the properties of the iova bitmap at the kernel's widths, with values at and around every edge.
//!
//! The properties are those of `models::iova_bitmap::properties`, which the enumeration and the Kani proofs
//! use, too. Failures shrink, and their seeds are kept in `proptest-regressions/`, which is under git.

use models::iova_bitmap::memory::EFAULT;
use models::iova_bitmap::neighbours::{KeyShift, Populate};
use models::iova_bitmap::properties::{
    begin_is_right, between_calls, bit_numbers_fit, ends_on_granule, index_inverse, index_is_exact, loop_invariant,
    other_indexes_are_refused, pin_count_is_right, range_test_is_right, restart_makes_progress, rounded_range_fits,
    total_is_exact, turn_keeps_invariant, turn_misuses_nothing, turn_sets_exactly, window_is_right, windows_tile,
};
use models::iova_bitmap::{Bitmap, Config, Formulas, Geometry, Memory, PageShift, Pinned, Record, SetLoop, Watch};
use proptest::prelude::*;

const KERNEL: Geometry = Geometry::KERNEL;

/// A 64-bit number: 0, 1, the ends, or 2^k and its neighbours first; small numbers; anything.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        3 => (0u32..64, -1i64..=1).prop_map(|(k, near)| (1u64 << k).wrapping_add_signed(near)),
        1 => prop::sample::select(vec![0, 1, 2, u64::MAX - 1, u64::MAX]),
        2 => 0u64..100_000,
        1 => any::<u64>().prop_flat_map(|n| (0u32..64).prop_map(move |k| n >> k)),
        1 => any::<u64>(),
    ]
}

/// A number from 0 to `most`, its ends and their neighbours first.
fn number_to(most: u64) -> impl Strategy<Value = u64> {
    prop_oneof![
        1 => Just(0),
        1 => Just(most),
        1 => Just(most.saturating_sub(1)),
        3 => number().prop_map(move |n| if most == u64::MAX { n } else { n % (most + 1) }),
        2 => 0..=most,
    ]
}

fn page_shift() -> impl Strategy<Value = PageShift> {
    (0u32..64).prop_map(|shift| PageShift::new(KERNEL, shift).expect("below 64"))
}

fn formulas() -> impl Strategy<Value = Formulas> {
    page_shift().prop_map(|pgshift| Formulas { geometry: KERNEL, config: Config::MAINLINE, pgshift })
}

/// A bitmap that satisfies P1, P2, P8 and P9.
fn bitmap() -> impl Strategy<Value = Bitmap> {
    (formulas(), number(), 0u64..1 << 47)
        .prop_flat_map(|(f, iova, address)| {
            let most = if iova == 0 { u64::MAX } else { u64::MAX - iova + 1 };
            (Just(f), Just(iova), number_to(most - 1).prop_map(|n| n + 1), Just(address))
        })
        .prop_filter("P8 and P9", |(f, iova, length, _)| {
            rounded_range_fits(f, *iova, *length) && bit_numbers_fit(KERNEL, f.pgshift, *length)
        })
        .prop_map(|(f, iova, length, address)| Bitmap::alloc(f, iova, length, address).expect("defined in this form"))
}

/// A bitmap with a window at any index, or without; and a memory that agrees with it.
fn between() -> impl Strategy<Value = (Bitmap, Watch)> {
    bitmap().prop_flat_map(|b| {
        let answer = || prop_oneof![Just(1i64), Just(2), Just(512), Just(EFAULT), 1i64..=512];
        let pinned = (Just(b), number_to(b.total - 1), 1i64..=512, any::<bool>(), answer(), any::<bool>());
        pinned.prop_map(|(mut b, base, pages, keep, answer, set)| {
            b.base = base;
            let mut memory = Watch::new(KERNEL, b.mapped_address() >> 12, 0, pages);
            b.get(&mut memory).expect("the pin succeeds");
            if !keep {
                b.put(&mut memory);
            }
            memory.answer = answer;
            memory.set = set;
            (b, memory)
        })
    })
}

/// A record in the range of a bitmap, with the bitmap.
fn recorded() -> impl Strategy<Value = (Bitmap, Watch, u64, u64)> {
    between().prop_flat_map(|(b, memory)| {
        number_to(b.length - 1).prop_flat_map(move |offset| {
            let l = number_to(b.length - offset - 1).prop_map(|l| l + 1);
            l.prop_map(move |l| (b, memory, b.iova + offset, l))
        })
    })
}

/// A state of the loop in `set` that satisfies its invariant, and any watched bit near it.
fn looping() -> impl Strategy<Value = (Bitmap, SetLoop, Watch)> {
    let window_bits = (any::<bool>(), number(), number());
    (recorded(), window_bits).prop_filter_map("the invariant", |((b, memory, x, l), (first_page, cur, near))| {
        let bits = b.formulas.pgshift.get();
        let (offset, behind) = (b.window.pgoff << 3, b.window.npages << 15);
        let in_window = |granule: u64| granule.checked_sub(b.base << 3).map(|bit| bit + offset);
        let last = in_window((x + (l - 1) - b.iova) >> bits)?;
        let cur = match first_page {
            true => in_window((x - b.iova) >> bits)?,
            false => offset + cur % (behind.min(last).checked_sub(offset)? + 1),
        };
        let near = cur.wrapping_add(near % 70_000).wrapping_sub(3);
        let memory = Watch { page: b.window.first_page.wrapping_add(near >> 15), bit: near & 32_767, ..memory };
        let at = SetLoop { x, l, cur, last, first_page };
        loop_invariant(&b, at, &memory).then_some((b, at, memory))
    })
}

/// A memory that remembers which bits were set, as ranges: any size of bitmap.
#[derive(Debug)]
struct Ranges {
    set: Vec<(u128, u128)>,
    pinned: Pinned,
    pins: Vec<i64>,
    used: usize,
    failed: bool,
}

impl Memory for Ranges {
    fn pin(&mut self, first: u64, pages: u64) -> i64 {
        let answer = self.pins[self.used % self.pins.len()];
        self.used += 1;
        let answer = if answer > 0 { answer.min(pages as i64) } else { answer };
        self.failed |= answer <= 0;
        self.pinned.pin(first, pages, answer.max(0) as u64);
        answer
    }
    fn unpin(&mut self, first: u64, pages: u64) {
        self.pinned.unpin(first, pages);
    }
    fn map(&mut self, page: u64) -> u64 {
        self.pinned.map(page)
    }
    fn unmap(&mut self, address: u64) {
        self.pinned.unmap(address);
    }
    fn set_bits(&mut self, page: u64, first: u64, bits: u64) {
        if self.pinned.allows(page, first, bits) {
            let start = (u128::from(page) << 15) + u128::from(first);
            self.set.push((start, start + u128::from(bits)));
        }
    }
}

/// Ranges in order, with those that touch made one.
fn joined(mut ranges: Vec<(u128, u128)>) -> Vec<(u128, u128)> {
    ranges.sort_unstable();
    let mut joined: Vec<(u128, u128)> = Vec::new();
    for (start, end) in ranges {
        match joined.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => joined.push((start, end)),
        }
    }
    joined
}

/// A bitmap and four records of at most 8 pages of bits each, which end on granules.
fn iteration() -> impl Strategy<Value = (Bitmap, [Record; 4], Vec<i64>)> {
    let pins = prop::collection::vec(prop_oneof![3 => 1i64..4, 1 => 1i64..=512, 1 => Just(EFAULT)], 1..6);
    (bitmap(), prop::array::uniform4((number(), number())), pins).prop_map(|(b, wishes, pins)| {
        let (length, bits) = (b.length, b.formulas.pgshift.get());
        let records = wishes.map(|(offset, granules)| {
            let offset = offset % length;
            let first = offset >> bits;
            let end = (u128::from(first) + 1 + u128::from(granules % (8 << 15))) << bits;
            let l = (end - u128::from(offset)).min(u128::from(length - offset)) as u64;
            Record { x: b.iova + offset, l, dirty: true }
        });
        (b, records, pins)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, max_global_rejects: 200_000, ..ProptestConfig::default() })]

    #[test]
    fn index_inverse_and_no_overflow(f in formulas(), offset in number()) {
        prop_assert!(index_inverse(&f, offset));
        prop_assert!(index_is_exact(&f, offset));
    }

    #[test]
    fn totals_and_pins_are_right(mut b in bitmap(), base in number()) {
        prop_assert!(total_is_exact(&b.formulas, b.iova, b.length));
        b.base = base % b.total;
        prop_assert!(pin_count_is_right(&b));
    }

    #[test]
    fn windows_are_right((b, memory) in between(), x in number()) {
        prop_assert!(between_calls(&b, &memory));
        prop_assert!(b.window.npages == 0 || window_is_right(&b));
        prop_assert!(other_indexes_are_refused(&b, x, &memory));
    }

    #[test]
    fn the_window_test_and_the_start_of_set_are_right((b, memory, x, l) in recorded()) {
        prop_assert!(range_test_is_right(&b, x, l));
        prop_assert!(begin_is_right(&b, x, l, &memory));
    }

    #[test]
    fn a_turn_is_right((b, at, memory) in looping()) {
        prop_assert!(turn_sets_exactly(&b, at, &memory));
        prop_assert!(turn_misuses_nothing(&b, at, &memory));
        prop_assert!(turn_keeps_invariant(&b, at, &memory));
        prop_assert!(!ends_on_granule(&b, at.x, at.l) || restart_makes_progress(&b, at, &memory));
    }

    /// The windows of bitmaps of up to 2^15 pages of bitmap, with pins of one answer.
    #[test]
    fn windows_tile_the_range(b in bitmap(), pages in 1i64..=512) {
        prop_assume!(b.total >> 12 < 64 * pages as u64);
        let mut memory = Watch::new(KERNEL, 0, 0, pages);
        prop_assert!(windows_tile(&b, &mut memory, 100_000));
    }

    /// deliver-all, in-bounds, terminates, errors-reported: whole iterations with partial and failed pins.
    #[test]
    fn an_iteration_delivers_all((b, records, pins) in iteration(), kept in any::<bool>()) {
        use models::iova_bitmap::config::{Errors, Restart};
        let mut bitmap = b;
        bitmap.formulas.config.errors = if kept { Errors::Kept } else { Errors::Dropped };
        // The range may end inside a granule, and a record with it.
        bitmap.formulas.config.restart = Restart::FromGranule;
        let mut memory =
            Ranges { set: Vec::new(), pinned: Pinned::none(KERNEL), pins, used: 0, failed: false };
        let mut left = records;
        let returned = bitmap.for_each(&mut left, &mut memory, 10_000);
        bitmap.free(&mut memory);
        let start = u128::from(b.address) << 3;
        let granule = |byte: u64| u128::from((byte - b.iova) >> b.formulas.pgshift.get());
        let touched = joined(records.iter().map(|r| (start + granule(r.x), start + granule(r.x + (r.l - 1)) + 1)).collect());
        let set = joined(memory.set.clone());
        prop_assert_eq!(returned.is_err(), kept && memory.failed);
        if memory.failed {
            let inside = |(from, to): &(u128, u128)| touched.iter().any(|(a, b)| a <= from && to <= b);
            prop_assert!(set.iter().all(inside), "extra bits: {set:?} of {touched:?}");
        } else {
            prop_assert_eq!(set, touched);
        }
        prop_assert_eq!(memory.pinned.misuse, models::iova_bitmap::Misuse::default());
        prop_assert_eq!(memory.pinned.count, 0);
    }

    #[test]
    fn the_neighbours_are_right(size in number(), map in any::<u16>(), key in any::<i32>()) {
        prop_assert!(!Populate::RoundsUp.given(KERNEL, size) || Populate::RoundsUp.populates_all(KERNEL, size));
        prop_assert!(KeyShift::Checked.key_in_range(map, key));
        prop_assert!(KeyShift::Checked.key_in_range(map, key.rem_euclid(40) - 4));
    }
}
