//! The engine `enumerate`: every input at a reduced width, for every property and every variant.
//!
//! Plain code without input or output. Nothing stops early: a verdict says how many inputs were looked at
//! and how many of them break the property, and its counterexample is the smallest of those: the one with the
//! least sum of its numbers, and among these the first in lexicographic order.
//!
//! | domain | addresses | pages | inputs |
//! | --- | --- | --- | --- |
//! | formulas | 8 bits | | every offset, every range, every shift |
//! | windows | 5 bits | 2 bytes of 2 bits, at most 2 at once | every range, shift and alignment of the bitmap, every sequence of pins |
//! | one record | 4 bits | 2 bytes of 2 bits, at most 2 at once | the same, and every record |
//! | two records | 3 bits | 1 byte of 2 bits, and 2 bytes of 1 bit, at most 2 at once | the same, and every pair of records in every order; with bytes of 1 bit, ranges of at most 5 granules |
//!
//! A sequence of pins is free for the first [`PINS`] of them; from there on the last answer repeats, which is
//! also what a page that cannot be pinned does. The user's bitmap begins in page 1 of a memory of 128 bits, so
//! that there is memory to damage on both sides.

use super::arithmetic::{Bitmap, Formulas, SetLoop, Undefined};
use super::config::{Beyond, Bits, Config, EmptyPin, Placement, Windows};
use super::geometry::{Geometry, PageShift};
use super::memory::{SmallMemory, Tape, Watch, EFAULT, TAPE_MAX};
use super::neighbours::KeyShift;
use super::properties::{
    begin_is_right, between_calls, bit_numbers_fit, ends_on_granule, exact_total, index_inverse, index_is_exact,
    loop_invariant, other_indexes_are_refused, pin_count_is_right, range_given, range_test_is_right, record_inside,
    restart_makes_progress, rounded_range_fits, total_is_exact, turn_keeps_invariant, turn_misuses_nothing,
    turn_sets_exactly, windows_tile, Input, Run, RECORDS_MAX,
};
use super::variants::{Claim, Subject};
use crate::machine::Variant;

/// How many pins of a run are free to be answered in any way.
pub const PINS: usize = 5;

/// The widths of the formulas alone.
pub const FORMULAS: Geometry = Geometry::reduced(8, 1, 2);
/// The widths of the windows.
pub const WINDOWS: Geometry = Geometry::reduced(5, 1, 2);
/// The widths of a run with one record.
pub const ONE_RECORD: Geometry = Geometry::reduced(4, 1, 2);
/// The widths of a run with two records: several windows of two small pages.
pub const TWO_RECORDS: Geometry = Geometry::reduced(3, 0, 2);
/// The widths of a run with two records in a bitmap that may begin inside a page: bytes of 1 bit.
pub const TWO_RECORDS_OFFSET: Geometry = Geometry { byte_shift: 0, ..Geometry::reduced(3, 1, 2) };

// No window holds as many bits as there are numbers, as at the kernel's widths, where it holds 2^24 of 2^64.
const _: () = {
    let widths = [FORMULAS, WINDOWS, ONE_RECORD, TWO_RECORDS, TWO_RECORDS_OFFSET, Geometry::KERNEL];
    let mut i = 0;
    while i < widths.len() {
        assert!(widths[i].pages_max * widths[i].page_bits() <= widths[i].max());
        i += 1;
    }
};

/// The most numbers in a counterexample.
pub const VALUES_MAX: usize = 20;

/// The smallest input that breaks a property, as named numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counterexample {
    values: [(&'static str, u64); VALUES_MAX],
    inputs: usize,
    count: usize,
}

impl Counterexample {
    fn new(inputs: &[(&'static str, u64)]) -> Self {
        let mut values = [("", 0); VALUES_MAX];
        let mut i = 0;
        while i < inputs.len() {
            values[i] = inputs[i];
            i += 1;
        }
        Self { values, inputs: inputs.len(), count: inputs.len() }
    }

    fn push(&mut self, name: &'static str, value: u64) {
        if self.count < VALUES_MAX {
            self.values[self.count] = (name, value);
            self.count += 1;
        }
    }

    fn input(&mut self, name: &'static str, value: u64) {
        self.push(name, value);
        self.inputs = self.count;
    }

    /// The numbers that are the input.
    pub fn inputs(&self) -> &[(&'static str, u64)] {
        &self.values[..self.inputs]
    }

    /// The numbers that were observed, and what they should have been.
    pub fn observed(&self) -> &[(&'static str, u64)] {
        &self.values[self.inputs..self.count]
    }

    /// Smaller means: a smaller sum of the inputs, then the first in lexicographic order.
    fn is_before(&self, other: &Self) -> bool {
        let sum = |c: &Self| c.inputs().iter().map(|(_, value)| *value).sum::<u64>();
        let numbers = |c: &Self| c.values.map(|(_, value)| value);
        (sum(self), self.inputs, numbers(self)) < (sum(other), other.inputs, numbers(other))
    }
}

/// Whether a property holds for all inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// For all of them.
    Holds,
    /// Not for this one, the smallest.
    Broken(Box<Counterexample>),
}

/// What the enumeration says about one property of one variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The property.
    pub claim: Claim,
    /// How many inputs were looked at: all that the variant's preconditions admit, at the widths above.
    pub inputs: u64,
    /// How many of them break the property.
    pub broken: u64,
    /// The verdict.
    pub outcome: Outcome,
}

impl Verdict {
    /// Whether the property holds.
    pub fn holds(&self) -> bool {
        self.outcome == Outcome::Holds
    }

    fn see(&mut self, holds: bool, counterexample: impl FnOnce() -> Counterexample) {
        self.inputs += 1;
        if holds {
            return;
        }
        self.broken += 1;
        let found = counterexample();
        match &self.outcome {
            Outcome::Broken(smallest) if !found.is_before(smallest) => {}
            _ => self.outcome = Outcome::Broken(Box::new(found)),
        }
    }
}

/// The verdicts on one variant, in the order of its claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdicts(Vec<Verdict>);

impl Verdicts {
    fn new(claims: &[Claim]) -> Self {
        let verdict = |claim: &Claim| Verdict { claim: *claim, inputs: 0, broken: 0, outcome: Outcome::Holds };
        Self(claims.iter().map(verdict).collect())
    }

    /// All of them.
    pub fn all(&self) -> &[Verdict] {
        &self.0
    }

    /// The names of the properties that are broken, in the order of the claims.
    pub fn broken(&self) -> Vec<&'static str> {
        self.0.iter().filter(|v| !v.holds()).map(|v| v.claim.name).collect()
    }

    /// How many inputs were looked at, over all properties.
    pub fn inputs(&self) -> u64 {
        self.0.iter().map(|v| v.inputs).sum()
    }

    fn of(&mut self, claim: usize) -> &mut Verdict {
        &mut self.0[claim]
    }
}

// The places of the claims in `BITMAP_CLAIMS`; a test compares them with the names.
const INDEX_INVERSE: usize = 0;
const NO_OVERFLOW: usize = 1;
const WINDOWS_TILE: usize = 2;
const ASKS_ENOUGH: usize = 3;
const RANGE_TEST: usize = 4;
const EXACT_BITS: usize = 5;
const DELIVER_ALL: usize = 6;
const IN_BOUNDS: usize = 7;
const TERMINATES: usize = 8;
const ERRORS_REPORTED: usize = 9;
const PINS_BALANCED: usize = 10;
const UNMAPS_WHAT_IT_MAPPED: usize = 11;
const SET_INVARIANT: usize = 12;
// The place of the claim of a neighbour, which has one.
const THE_ONLY: usize = 0;

/// Looks at every input of every property of a variant.
pub fn variant(variant: &Variant<Subject>) -> Verdicts {
    subject(&variant.config)
}

/// The same, for what a variant is a version of.
pub fn subject(subject: &Subject) -> Verdicts {
    let mut verdicts = Verdicts::new(subject.claims());
    if matches!(subject, Subject::Bitmap(config) if !has_lemmas(config)) {
        verdicts.0.truncate(SET_INVARIANT);
    }
    match *subject {
        Subject::Bitmap(config) => {
            formulas(config, &mut verdicts);
            windows(config, &mut verdicts);
            range_tests(config, &mut verdicts);
            one_record(config, &mut verdicts);
            two_records(config, TWO_RECORDS, &mut verdicts);
            two_records(config, TWO_RECORDS_OFFSET, &mut verdicts);
            if has_lemmas(&config) {
                turns(config, &mut verdicts);
            }
        }
        Subject::Populate(populate) => {
            let g = FORMULAS;
            for size in (0..=g.max()).filter(|size| populate.given(g, *size)) {
                verdicts.of(THE_ONLY).see(populate.populates_all(g, size), || {
                    let mut c = Counterexample::new(&[("size", size)]);
                    c.push("page size", g.page_bytes());
                    c.push("populated pages", populate.pages(g, size));
                    c
                });
            }
        }
        Subject::KeyShift(shift) => keys(shift, &mut verdicts),
    }
    verdicts
}

/// Every key from -128 to 127 with every map of one key, none, and all.
fn keys(shift: KeyShift, verdicts: &mut Verdicts) {
    for key in i8::MIN..=i8::MAX {
        for bit in 0..18u32 {
            let map = [0, u16::MAX].get(bit as usize).copied().unwrap_or_else(|| 1 << (bit - 2));
            verdicts.of(THE_ONLY).see(shift.key_in_range(map, key.into()), || {
                let shown =
                    if key < 0 { ("key, negative", u64::from(key.unsigned_abs())) } else { ("key", key as u64) };
                let mut c = Counterexample::new(&[shown, ("map", map.into())]);
                let undefined = shift.is_allocated(map, key.into()) == Err(Undefined::ShiftTooFar);
                c.push("shift undefined", u64::from(undefined));
                c
            });
        }
    }
}

/// Every page shift of a width.
fn page_shifts(g: Geometry) -> impl Iterator<Item = PageShift> {
    (0..g.address_bits).filter_map(move |shift| PageShift::new(g, shift))
}

/// Every offset, and every range, at the width of the formulas.
fn formulas(config: Config, verdicts: &mut Verdicts) {
    let g = FORMULAS;
    for pgshift in page_shifts(g) {
        let f = Formulas { geometry: g, config, pgshift };
        let shift = u64::from(pgshift.get());
        for offset in 0..=g.max() {
            let shown = || {
                let mut c = Counterexample::new(&[("shift", shift), ("offset", offset)]);
                match f.offset_to_index(offset) {
                    Ok(index) => c.push("index", index),
                    Err(Undefined::ShiftTooFar) => c.push("shift undefined", 1),
                    Err(Undefined::DivisionByZero) => c.push("divisor", 0),
                }
                c
            };
            verdicts.of(INDEX_INVERSE).see(index_inverse(&f, offset), shown);
            verdicts.of(NO_OVERFLOW).see(index_is_exact(&f, offset), shown);
        }
        for iova in 0..=g.max() {
            for length in 0..=g.max() {
                let given = range_given(g, config.given, iova, length, 1 << shift)
                    && (length == 0 || !config.given.rounded_range_fits || rounded_range_fits(&f, iova, length));
                if given {
                    let exact = length > 0 && total_is_exact(&f, iova, length);
                    verdicts.of(NO_OVERFLOW).see(exact, || {
                        let mut c = Counterexample::new(&[("shift", shift), ("iova", iova), ("length", length)]);
                        if let Ok(total) = f.total(length) {
                            c.push("total", total);
                        }
                        c
                    });
                }
            }
        }
    }
}

/// Every way to place a bitmap: first byte and length of the range, page size, user address.
fn bitmaps(g: Geometry, config: Config, mut each: impl FnMut(u64, u64, u64, u64)) {
    let page_sizes = (1..=g.max()).filter(|p| p.is_power_of_two() || !config.given.page_size_power_of_two);
    for page_size in page_sizes {
        for iova in 0..=g.max() {
            for length in 0..=g.max() {
                if range_given(g, config.given, iova, length, page_size) {
                    for offset in 0..g.page_bytes() {
                        each(iova, length, page_size, g.page_bytes() + offset);
                    }
                }
            }
        }
    }
}

fn place(g: Geometry, iova: u64, length: u64, page_size: u64, address: u64) -> [(&'static str, u64); 4] {
    [
        ("page size", page_size),
        ("iova", iova),
        ("length", length),
        ("offset of bitmap in page", address & (g.page_bytes() - 1)),
    ]
}

/// The windows of every bitmap, with every sequence of pins; and how many pages each first index asks for.
fn windows(config: Config, verdicts: &mut Verdicts) {
    let g = WINDOWS;
    bitmaps(g, config, |iova, length, page_size, address| {
        let Some(pgshift) = PageShift::of_page_size(page_size) else { return };
        let f = Formulas { geometry: g, config, pgshift };
        let named = place(g, iova, length, page_size, address);
        let bitmap = Bitmap::alloc(f, iova, length, address);
        let (Ok(bitmap), true) = (bitmap, length > 0) else {
            verdicts.of(WINDOWS_TILE).see(false, || Counterexample::new(&named));
            return;
        };
        if config.given.rounded_range_fits && !rounded_range_fits(&f, iova, length) {
            return;
        }
        let mut tape = Some(Tape::new(PINS, false, false));
        while let Some(answers) = tape {
            let mut memory = SmallMemory::new(g, answers);
            let holds = windows_tile(&bitmap, &mut memory, 40);
            verdicts.of(WINDOWS_TILE).see(holds, || {
                let mut c = Counterexample::new(&named);
                for answer in memory.tape.answers() {
                    c.input("pin falls short by", u64::from(*answer));
                }
                c
            });
            tape = memory.tape.next();
        }
        for base in 0..bitmap.total.min(g.max() + 1) {
            let at = Bitmap { base, ..bitmap };
            let right = u128::from(base) < exact_total(&f, length) && pin_count_is_right(&at);
            verdicts.of(ASKS_ENOUGH).see(right, || {
                let mut c = Counterexample::new(&named);
                c.input("first index", base);
                c.push("pages asked for", at.pin_count());
                c
            });
        }
    });
}

/// The window test, in every window with every number of pinned pages, for every record in the range.
fn range_tests(config: Config, verdicts: &mut Verdicts) {
    let g = ONE_RECORD;
    windows_between_calls(g, config, |b, memory, named| {
        records(g, config, b.iova, b.length, |x, l| {
            if record_inside(b, x, l) {
                verdicts.of(RANGE_TEST).see(range_test_is_right(b, x, l), || {
                    let mut c = Counterexample::new(named);
                    c.input("first index", b.base);
                    c.input("pinned pages", memory.pinned.count);
                    c.input("record from", x);
                    c.input("record bytes", l);
                    c
                });
            }
        });
    });
}

/// Every bitmap with nothing pinned, and with every window: every first index and every number of pages.
fn windows_between_calls(g: Geometry, config: Config, mut each: impl FnMut(&Bitmap, &Watch, &[(&'static str, u64)])) {
    bitmaps(g, config, |iova, length, page_size, address| {
        let Some(pgshift) = PageShift::of_page_size(page_size) else { return };
        let f = Formulas { geometry: g, config, pgshift };
        let Ok(bitmap) = Bitmap::alloc(f, iova, length, address) else { return };
        let fits = length > 0 && (!config.given.rounded_range_fits || rounded_range_fits(&f, iova, length));
        if !fits {
            return;
        }
        let named = place(g, iova, length, page_size, address);
        for base in 0..bitmap.total.min(g.max() + 1) {
            for pages in 0..=g.pages_max {
                let mut b = Bitmap { base, ..bitmap };
                let mut memory = Watch::new(g, 0, 0, pages as i64);
                if pages == 0 || (b.get(&mut memory).is_ok() && b.window.npages == pages) {
                    each(&b, &memory, &named);
                }
            }
        }
    });
}

/// The widths at which a counterexample was found.
fn widths(g: Geometry) -> [(&'static str, u64); 3] {
    [
        ("bits in an address", g.address_bits.into()),
        ("bits in a byte", 1 << g.byte_shift),
        ("bytes in a page of memory", g.page_bytes()),
    ]
}

/// Judges a run by all run properties.
fn judge(run: &Run, verdicts: &mut Verdicts) {
    let g = run.geometry;
    let shown = || {
        let i = run.input;
        let mut c = Counterexample::new(&place(g, i.iova, i.length, i.page_size, i.address));
        for (x, l) in &i.records[..i.count] {
            c.input("record from", *x);
            c.input("record bytes", *l);
        }
        for answer in run.memory.tape.answers() {
            c.input("pin falls short by", u64::from(*answer));
        }
        // The first bits of the memory from the page of the bitmap on.
        let from = g.page_bits_shift();
        c.push("bits expected", (run.reference >> (1u64 << from)) as u64);
        c.push("bits found", (run.memory.bits >> (1u64 << from)) as u64);
        c.push("returned error", u64::from(run.returned.is_err()));
        for (name, value) in widths(g) {
            c.push(name, value);
        }
        c
    };
    verdicts.of(EXACT_BITS).see(run.exact_bits(), shown);
    verdicts.of(DELIVER_ALL).see(run.deliver_all(), shown);
    verdicts.of(IN_BOUNDS).see(run.in_bounds(), shown);
    verdicts.of(TERMINATES).see(run.terminates(), shown);
    verdicts.of(ERRORS_REPORTED).see(run.errors_reported(), shown);
    verdicts.of(PINS_BALANCED).see(run.pins_balanced(), shown);
    verdicts.of(ASKS_ENOUGH).see(run.asks_in_range(), shown);
    verdicts.of(UNMAPS_WHAT_IT_MAPPED).see(run.unmaps_what_it_mapped(), shown);
}

/// Runs one input with every sequence of pins.
fn runs(g: Geometry, config: Config, input: Input, verdicts: &mut Verdicts) {
    // The iteration by windows needs P8, too: it asks for the length of every window.
    if config.windows == Windows::Each && config.given.rounded_range_fits {
        let Some(pgshift) = PageShift::of_page_size(input.page_size) else { return };
        if !rounded_range_fits(&Formulas { geometry: g, config, pgshift }, input.iova, input.length) {
            return;
        }
    }
    let reference = (input.reference(g), input.user_bits(g));
    let fails = !config.given.pins_succeed;
    let mut tape = Some(Tape::new(PINS, fails, fails && config.empty_pin == EmptyPin::Success));
    while let Some(answers) = tape {
        let Some(run) = Run::new(g, config, input, reference, answers) else { return };
        judge(&run, verdicts);
        tape = run.memory.tape.next();
    }
}

/// Every record that the preconditions admit: first byte and length.
fn records(g: Geometry, config: Config, iova: u64, length: u64, mut each: impl FnMut(u64, u64)) {
    let least = if config.given.record_positive { 1 } else { 0 };
    let reach = if config.given.record_inside { length } else { g.max() + 1 };
    for offset in 0..reach {
        let x = if config.given.record_inside { g.add(iova, offset) } else { offset };
        for l in least..=(reach - offset).min(g.max()) {
            each(x, l);
        }
    }
}

fn one_record(config: Config, verdicts: &mut Verdicts) {
    let g = ONE_RECORD;
    bitmaps(g, config, |iova, length, page_size, address| {
        records(g, config, iova, length, |x, l| {
            let input = Input { iova, length, page_size, address, records: [(x, l), (0, 0)], count: 1 };
            runs(g, config, input, verdicts);
        });
    });
}

fn two_records(config: Config, g: Geometry, verdicts: &mut Verdicts) {
    bitmaps(g, config, |iova, length, page_size, address| {
        // With bytes of 1 bit there may be as many indexes as addresses. In the kernel there are at most an
        // eighth of that, so that rounding them up to pages never wraps.
        if g.byte_shift == 0 && length > 0 && (length - 1) / page_size + 1 + g.page_bytes() > g.max() {
            return;
        }
        records(g, config, iova, length, |x, l| {
            records(g, config, iova, length, |y, m| {
                let input = Input { iova, length, page_size, address, records: [(x, l), (y, m)], count: RECORDS_MAX };
                runs(g, config, input, verdicts);
            });
        });
    });
}

/// Whether the lemmas about `set` are about this form: those that move their window as the current form does
/// and rely on the lemmas' hypotheses.
fn has_lemmas(config: &Config) -> bool {
    let given = config.given;
    config.windows == Windows::Dynamic
        && config.beyond == Beyond::Restart
        && config.placement == Placement::InBitNumber
        && config.bits == Bits::FirstToLast
        && given.length_positive
        && given.range_fits
        && given.page_size_power_of_two
        && given.record_positive
        && given.rounded_range_fits
        && given.bit_numbers_fit
}

/// The lemmas about `set` that Kani proves at the full width, for every state that satisfies their hypothesis
/// and not only those that a run reaches: any window, any record, any watched bit.
fn turns(config: Config, verdicts: &mut Verdicts) {
    let g = ONE_RECORD;
    windows_between_calls(g, config, |b, memory, named| {
        if between_calls(b, memory) && bit_numbers_fit(g, b.formulas.pgshift, b.length) {
            for (x, answer) in (0..=g.max()).flat_map(|x| [1, EFAULT].map(|answer| (x, answer))) {
                let memory = Watch { answer, ..*memory };
                verdicts.of(SET_INVARIANT).see(other_indexes_are_refused(b, x, &memory), || {
                    let mut c = Counterexample::new(named);
                    for (name, value) in [("first index", b.base), ("pinned pages", b.window.npages), ("address", x)] {
                        c.input(name, value);
                    }
                    c
                });
            }
            records(g, config, b.iova, b.length, |x, l| record_lemmas(b, memory, x, l, named, verdicts));
        }
    });
}

fn record_lemmas(b: &Bitmap, memory: &Watch, x: u64, l: u64, named: &[(&'static str, u64)], verdicts: &mut Verdicts) {
    let shown = |bit: u64| {
        let mut c = Counterexample::new(named);
        for (name, value) in
            [("first index", b.base), ("pinned pages", b.window.npages), ("record from", x), ("record bytes", l)]
        {
            c.input(name, value);
        }
        if bit != u64::MAX {
            c.input("bit of the window", bit);
        }
        c
    };
    if !record_inside(b, x, l) {
        return;
    }
    for answer in [1, 2, EFAULT] {
        let begun = Watch { answer, ..*memory };
        verdicts.of(SET_INVARIANT).see(begin_is_right(b, x, l, &begun), || shown(u64::MAX));
    }
    if b.window.npages == 0 {
        return;
    }
    // Every loop state that satisfies the invariant.
    let g = b.formulas.geometry;
    let bits = g.max() + 1;
    for cur in 0..bits {
        for first_page in [false, true] {
            let last = (x + (l - 1) - b.iova) >> b.formulas.pgshift.get();
            let offset = b.window.pgoff << g.byte_shift;
            let Some(last) = (last + offset).checked_sub(b.base << b.formulas.unit_bits_shift()) else { continue };
            let at = SetLoop { x, l, cur, last, first_page };
            if !loop_invariant(b, at, memory) {
                continue;
            }
            verdicts.of(SET_INVARIANT).see(turn_keeps_invariant(b, at, memory), || shown(cur));
            verdicts.of(IN_BOUNDS).see(turn_misuses_nothing(b, at, memory), || shown(cur));
            if !b.formulas.config.given.record_ends_on_granule || ends_on_granule(b, x, l) {
                verdicts.of(TERMINATES).see(restart_makes_progress(b, at, memory), || shown(cur));
            }
            // P9 leaves 12 granules, from bit 4 to bit 6 on: all of their bits, and as many behind them.
            for position in 0..28 {
                let page_bits = g.page_bits();
                let watch = Watch { page: position / page_bits, bit: position % page_bits, ..*memory };
                verdicts.of(EXACT_BITS).see(turn_sets_exactly(b, at, &watch), || shown(cur));
            }
        }
    }
}

/// The number of tapes' free answers fits into a tape.
const _: () = assert!(PINS <= TAPE_MAX);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iova_bitmap::variants::BITMAP_CLAIMS;
    use crate::iova_bitmap::VARIANTS;

    #[test]
    fn the_smallest_counterexample_has_the_least_sum() {
        let mut verdict =
            Verdicts::new(Subject::Populate(super::super::neighbours::Populate::Truncates).claims()).0.remove(0);
        for size in [9, 3, 5] {
            verdict.see(false, || Counterexample::new(&[("size", size)]));
        }
        let Outcome::Broken(smallest) = verdict.outcome else { panic!("three inputs broke it") };
        assert_eq!(smallest.inputs(), [("size", 3)]);
        assert_eq!((verdict.inputs, verdict.broken), (3, 3));
    }

    #[test]
    fn the_places_of_the_claims_are_right() {
        let places = [
            ("index-inverse", INDEX_INVERSE),
            ("no-overflow", NO_OVERFLOW),
            ("windows-tile", WINDOWS_TILE),
            ("asks-enough", ASKS_ENOUGH),
            ("range-test", RANGE_TEST),
            ("exact-bits", EXACT_BITS),
            ("deliver-all", DELIVER_ALL),
            ("in-bounds", IN_BOUNDS),
            ("terminates", TERMINATES),
            ("errors-reported", ERRORS_REPORTED),
            ("pins-balanced", PINS_BALANCED),
            ("unmaps-what-it-mapped", UNMAPS_WHAT_IT_MAPPED),
            ("set-invariant", SET_INVARIANT),
        ];
        assert_eq!(places.len(), BITMAP_CLAIMS.len());
        for (name, place) in places {
            assert_eq!(BITMAP_CLAIMS[place].name, name);
        }
    }

    #[test]
    fn a_tape_steps_through_every_sequence() {
        let mut seen = 0;
        let mut tape = Some(Tape::new(3, true, false));
        while let Some(mut answers) = tape {
            // Two pins of at most 2 pages each: 2 pages, 1 page or a failure.
            let _ = (answers.answer(2), answers.answer(2));
            seen += 1;
            tape = answers.next();
        }
        assert_eq!(seen, 9);
    }

    #[test]
    fn verdicts_of_some_variants_are_the_expected_ones() {
        // All of them take some seconds: they are pinned elsewhere, with the engines.
        let some = |v: &&Variant<Subject>| {
            !matches!(v.config, Subject::Bitmap(_)) || ["mainline", "comment-formula"].contains(&v.name)
        };
        let mut inputs = 0;
        for v in VARIANTS.iter().filter(some) {
            let verdicts = variant(v);
            inputs += verdicts.inputs();
            let mut expected: Vec<_> = v.expect.broken.to_vec();
            let mut broken = verdicts.broken();
            expected.sort_unstable();
            broken.sort_unstable();
            assert_eq!(broken, expected, "{}", v.name);
            assert!(verdicts.all().iter().all(|verdict| verdict.inputs > 0), "{}", v.name);
        }
        assert!(inputs > 10_000_000, "only {inputs} inputs");
    }
}
