//! The versions of the bitmap and of its two neighbours, and what is expected of each.

use super::config::{
    Ahead, Beyond, BitOf, Bits, Clip, Config, Cut, EmptyPin, Errors, Given, PageCount, PageSizeIn, PinCount, Placement,
    Remaining, Restart, Slip, Total, Unit, Unmap, Windows,
};
use super::neighbours::{KeyShift, Populate};
use crate::machine::{Expect, Variant};

/// What a variant is a version of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The bitmap.
    Bitmap(Config),
    /// The number of pages populated for a buffer.
    Populate(Populate),
    /// The shift by a protection key.
    KeyShift(KeyShift),
}

/// A property: its name, and what goes wrong for a person if it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// A fact in kebab-case.
    pub name: &'static str,
    /// What goes wrong if it breaks.
    pub says: &'static str,
}

const fn claim(name: &'static str, says: &'static str) -> Claim {
    Claim { name, says }
}

/// The properties of the bitmap.
pub const BITMAP_CLAIMS: &[Claim] = &[
    claim("index-inverse", "An index and the address it stands for disagree, so a page is marked in place of another."),
    claim(
        "no-overflow",
        "A shift, a division or a sum leaves the width of its type, and the result is undefined or wrong.",
    ),
    claim("windows-tile", "Part of the range is in no window or in two, so dirty pages are lost or reported twice."),
    claim("asks-enough", "A pin asks for too few pages for the window, or for pages that nobody needs."),
    claim("range-test", "A record outside the window is written through it, or one inside it pins the pages again."),
    claim("exact-bits", "Live migration loses a page that the device wrote, or copies one that it did not."),
    claim("deliver-all", "After an iteration that succeeded, the bitmap is not what the device wrote."),
    claim("in-bounds", "The kernel writes to memory that is not part of the user's bitmap."),
    claim("terminates", "A process hangs in the kernel for as long as its memory stays as it is."),
    claim("errors-reported", "The caller takes a bitmap for complete that is not, or the other way round."),
    claim("pins-balanced", "Pages of the user stay pinned, or are unpinned while somebody else has them pinned."),
    claim("unmaps-what-it-mapped", "The kernel unmaps a page other than the one it has mapped."),
    claim("set-invariant", "A step of set() leaves the state from which the other claims follow."),
];

/// The property of [`Populate`].
pub const POPULATE_CLAIMS: &[Claim] =
    &[claim("populates-all", "The last part of the buffers has no page, and writing there faults.")];

/// The property of [`KeyShift`].
pub const KEY_CLAIMS: &[Claim] =
    &[claim("key-in-range", "A key that the user chose shifts by more than the type has bits.")];

impl Subject {
    /// The properties that a version is judged by.
    pub const fn claims(&self) -> &'static [Claim] {
        match self {
            Self::Bitmap(_) => BITMAP_CLAIMS,
            Self::Populate(_) => POPULATE_CLAIMS,
            Self::KeyShift(_) => KEY_CLAIMS,
        }
    }
}

/// The name of the mechanism.
pub const MECHANISM: &str = "iova-bitmap";

const MAINLINE: Config = Config::MAINLINE;
const GIVEN: Given = Given::ALL;

/// The current form with one more mistake.
const fn slip(slip: Slip) -> Config {
    Config { slip, ..MAINLINE }
}

/// The current form without one of its preconditions.
const fn without(given: Given) -> Config {
    Config { given, ..MAINLINE }
}

/// The iteration before dynamic pinning, with the bounds check of a4ab7dedaee0.
const EACH: Config = Config { windows: Windows::Each, beyond: Beyond::Dropped, ..MAINLINE };

/// V2 as posted, with everything in which it differs.
const POSTED: Config = Config {
    unit: Unit::Word,
    page_size: PageSizeIn::Int,
    total: Total::RoundedUp,
    cut: Cut::WindowStart,
    remaining: Remaining::WholePages,
    pin_count: PinCount::WithoutOffset,
    bits: Bits::LengthShifted,
    placement: Placement::OnFirstPage,
    unmap: Unmap::MinusWords,
    empty_pin: EmptyPin::Success,
    page_count: PageCount::Stale,
    beyond: Beyond::Unchecked,
    windows: Windows::Each,
    ..MAINLINE
};

const V2: &str = "mail: [PATCH V2 vfio 05/11] vfio: Add an IOVA bitmap support, 14 July 2022";
const OWN: &str = "kverdict: a one-line change that nobody made, as far as we know";
const QUESTION: &str = "kverdict: the current form without one precondition";

const fn bitmap(
    name: &'static str,
    what: &'static str,
    origin: &'static str,
    compare_with: &'static str,
    config: Config,
    expect: Expect,
) -> Variant<Subject> {
    Variant { name, what, origin, compare_with, config: Subject::Bitmap(config), expect, quick: &[], deep: &[] }
}

const fn other(
    name: &'static str,
    what: &'static str,
    origin: &'static str,
    compare_with: &'static str,
    config: Subject,
    expect: Expect,
) -> Variant<Subject> {
    Variant { name, what, origin, compare_with, config, expect, quick: &[], deep: &[] }
}

/// All versions.
pub const VARIANTS: &[Variant<Subject>] = &[
    bitmap(
        "mainline",
        "The current form: indexes in bytes, shifts in place of divisions, and set() moves the window to what it records.",
        "drivers/iommu/iommufd/iova_bitmap.c, 2026",
        "mainline",
        MAINLINE,
        Expect::holds("All claims, under preconditions P1 to P9."),
    ),
    bitmap(
        "error-kept",
        "A failed pin inside set() is kept in the bitmap, and for_each() returns it.",
        "kverdict: the least change that repairs error-dropped; not in mainline",
        "error-kept",
        Config { errors: Errors::Kept, given: Given { pins_succeed: false, ..GIVEN }, ..MAINLINE },
        Expect::holds("The caller hears of every failure, so P6 is not needed."),
    ),
    bitmap(
        "record-clipped",
        "set() clips a record to the bitmap's range before it does anything else, and a restart begins on a granule.",
        "kverdict: the least change that repairs record-beyond-range; not in mainline",
        "record-clipped",
        Config {
            clip: Clip::ToRange,
            restart: Restart::FromGranule,
            given: Given { record_inside: false, record_ends_on_granule: false, ..GIVEN },
            ..MAINLINE
        },
        Expect::holds("Whatever the driver reports, only bits of the range are set, so P4 is not needed."),
    ),
    bitmap(
        "restart-on-granule",
        "A restart of set() begins at the first granule that is left, instead of that many bytes before the end.",
        "kverdict: the least change that repairs unaligned-end; not in mainline",
        "restart-on-granule",
        Config {
            restart: Restart::FromGranule,
            given: Given { record_ends_on_granule: false, ..GIVEN },
            ..MAINLINE
        },
        Expect::holds("A restart always leaves granules behind, so P7 is not needed."),
    ),
    // What the mailing list and the commits have.
    bitmap(
        "posted",
        "V2 with everything in which it differs from the current form.",
        V2,
        "mainline",
        POSTED,
        Expect::broken(
            &["index-inverse", "no-overflow", "windows-tile", "asks-enough", "range-test", "exact-bits", "deliver-all", "in-bounds", "terminates", "errors-reported", "pins-balanced", "unmaps-what-it-mapped"],
            "Everything below at once.",
        ),
    ),
    bitmap(
        "comment-formula",
        "The bit is the address modulo the bits of a word, as the comment says, not the granule modulo the bits of a word.",
        "mail: V2, commit message and comment; the comment is still there, the code never did that",
        "mainline",
        Config { bit_of: BitOf::Address, ..MAINLINE },
        Expect::broken(
            &["exact-bits", "deliver-all", "in-bounds", "set-invariant"],
            "With any page size above 1 two addresses of one page give different bits, and one bit serves many pages.",
        ),
    ),
    bitmap(
        "posted-count",
        "The number of indexes is the length divided by the bytes of an index, rounded up: it adds before it divides.",
        V2,
        "mainline",
        Config { total: Total::RoundedUp, ..MAINLINE },
        Expect::broken(
            &["no-overflow", "windows-tile", "exact-bits", "deliver-all"],
            "Adding wraps for a length near 2^64, and where the bytes of an index are 2^64 or more: the count becomes 0, every record is out of range, and its bits are lost. As a count it is right otherwise.",
        ),
    ),
    bitmap(
        "posted-int-pgsize",
        "The page size is 1 << pgshift, computed in int.",
        "mail: V2; fixed by e24c15510592 (CVE-2025-21724)",
        "mainline",
        Config { page_size: PageSizeIn::Int, ..MAINLINE },
        Expect::broken(
            &["index-inverse", "no-overflow", "windows-tile", "asks-enough", "exact-bits", "deliver-all"],
            "A shift of 31 sets the sign, which is then extended; of 32 and more it is undefined. The index is undefined or wrong, and every window with it.",
        ),
    ),
    bitmap(
        "shift-63",
        "The page size is 1UL << pgshift, and the offset is divided by the bits of an index times that.",
        "e24c15510592, the first fix of posted-int-pgsize; fixed by cb30dfa75d55",
        "mainline",
        Config { page_size: PageSizeIn::Long, ..MAINLINE },
        Expect::broken(
            &["index-inverse", "no-overflow", "windows-tile", "exact-bits", "deliver-all"],
            "The bits of an index times the page size are 2^64 and more from a shift of 61 on for bytes, which is 0 in 64 bits: a division by zero. With words it begins at 58.",
        ),
    ),
    bitmap(
        "posted-max-iova",
        "The end of the range is computed from the start of the window, which moves.",
        V2,
        "mainline",
        Config { cut: Cut::WindowStart, ..MAINLINE },
        Expect::broken(
            &["windows-tile", "range-test", "set-invariant"],
            "Every window but the first ends too late: the last one covers addresses behind the range. The bits are right while records stay inside the range.",
        ),
    ),
    bitmap(
        "posted-left",
        "The window counts all indexes of the pinned pages, whatever the bitmap's offset in the first one.",
        V2,
        "mainline",
        Config { remaining: Remaining::WholePages, ..MAINLINE },
        Expect::broken(
            &["windows-tile", "terminates", "set-invariant"],
            "A bitmap that begins inside a page has fewer indexes in the pinned pages than the window counts, so the window test lets records through that restart for ever.",
        ),
    ),
    bitmap(
        "posted-pin-count",
        "A pin does not ask for the further page that a bitmap needs which begins inside a page.",
        "mail: V2, and 58ccf0190d19",
        "mainline",
        Config { pin_count: PinCount::WithoutOffset, ..MAINLINE },
        Expect::broken(
            &["asks-enough"],
            "The last page is not asked for. With dynamic pinning that costs a further pin and loses nothing.",
        ),
    ),
    bitmap(
        "posted-nbits",
        "The number of bits is max(1, length >> pgshift), whatever the alignment of the record.",
        V2,
        "mainline",
        Config { bits: Bits::LengthShifted, ..MAINLINE },
        Expect::broken(
            &["exact-bits", "deliver-all"],
            "A record that begins and ends inside granules touches one more granule than its length has.",
        ),
    ),
    bitmap(
        "posted-start-offset",
        "The bitmap's offset in its first page is added to the address of the first page that is written; page, bit and number of bits ignore it.",
        "58ccf0190d19; fixed by f38044e5ef58, then by b058ea3ab5af",
        "mainline",
        Config { placement: Placement::OnFirstPage, ..MAINLINE },
        Expect::broken(
            &["exact-bits", "deliver-all", "in-bounds"],
            "The bits of the first page begin behind their page by the offset, and run over its end; the second page repeats none of them.",
        ),
    ),
    bitmap(
        "posted-kunmap",
        "The address to unmap is a word pointer minus the offset in bytes, which C scales by the size of a word.",
        V2,
        "posted-start-offset",
        Config { placement: Placement::OnFirstPage, unmap: Unmap::MinusWords, ..MAINLINE },
        Expect::broken(
            &["exact-bits", "deliver-all", "in-bounds", "unmaps-what-it-mapped"],
            "The subtraction takes the offset times the size of a word, so that every offset but 0 gives another page.",
        ),
    ),
    bitmap(
        "posted-pin-zero",
        "A pin of 0 pages counts as success and leaves the page count of the window before.",
        V2,
        "mainline",
        Config {
            empty_pin: EmptyPin::Success,
            page_count: PageCount::Stale,
            given: Given { pins_succeed: false, ..GIVEN },
            errors: Errors::Kept,
            ..MAINLINE
        },
        Expect::broken(
            &["deliver-all", "in-bounds", "terminates", "errors-reported", "pins-balanced", "set-invariant"],
            "The window of before stays: its pages are unpinned, its count is not 0, and the record is written through it. The caller sees success.",
        ),
    ),
    bitmap(
        "pin-zero-counted",
        "A pin of 0 pages counts as success, but the page count has been cleared.",
        "kverdict: half of posted-pin-zero",
        "error-kept",
        Config { empty_pin: EmptyPin::Success, given: Given { pins_succeed: false, ..GIVEN }, errors: Errors::Kept, ..MAINLINE },
        Expect::broken(
            &["deliver-all", "in-bounds", "terminates", "errors-reported"],
            "The page count is 0, so the last page index is 2^64 - 1 and the page check never ends the loop.",
        ),
    ),
    bitmap(
        "unbounded-pages",
        "The windows are walked one by one, and set() does not look whether a record goes on behind the last pinned page.",
        "58ccf0190d19 and later; fixed by a4ab7dedaee0",
        "split-lost",
        Config { beyond: Beyond::Unchecked, ..EACH },
        Expect::broken(
            &["exact-bits", "deliver-all", "in-bounds"],
            "The pages behind the pinned ones are written through pointers that the window does not have.",
        ),
    ),
    bitmap(
        "split-lost",
        "The windows are walked one by one, and set() stops at the last pinned page.",
        "a4ab7dedaee0; fixed by 2780025e01e2",
        "mainline",
        EACH,
        Expect::broken(
            &["exact-bits", "deliver-all"],
            "The granules behind the last pinned page are never set, and the device's dirty mark is gone.",
        ),
    ),
    bitmap(
        "set-ahead-single",
        "set() remembers how many bytes it could not set; the next window sets them at its start and skips their indexes.",
        "2780025e01e2; replaced by dynamic pinning in 7a7bba16244a",
        "mainline",
        Config { beyond: Beyond::SetAhead, ..EACH },
        Expect::broken(
            &["asks-enough", "exact-bits", "deliver-all", "in-bounds", "terminates"],
            "The second record that goes on overwrites the first. Besides, the window is measured before it is pinned: with an aligned bitmap it has no length, and a record of no length sets the whole window and skips the rest of the bitmap.",
        ),
    ),
    bitmap(
        "set-ahead-pinned-first",
        "The same, but the window is measured after it is pinned and the iteration stops at its end.",
        "kverdict: set-ahead-single with its two slips repaired, to show what is left of it",
        "mainline",
        Config { beyond: Beyond::SetAhead, ahead: Ahead::PinnedFirst, ..EACH },
        Expect::broken(
            &["deliver-all"],
            "Only one length is remembered, and the indexes that are skipped take the other records of their bytes with them. A single record is delivered.",
        ),
    ),
    bitmap(
        "u64-units",
        "Indexes count u64 words; of a word that lies in two pages the window counts nothing.",
        "58ccf0190d19 and later; fixed by d18411ec3057",
        "mainline",
        Config { unit: Unit::Word, ..MAINLINE },
        Expect::broken(
            &["windows-tile", "exact-bits", "deliver-all", "terminates", "set-invariant"],
            "When the pinned bytes end inside a word, the window holds fewer words than the pin was for: with one page and an address near its end it holds none, the rest of the range is skipped, and a record there restarts for ever.",
        ),
    ),
    // The current form without one of its preconditions.
    bitmap(
        "error-dropped",
        "The current form, when a pin may fail (without P6): set() has no result, and the device's dirty bits are cleared already.",
        QUESTION,
        "error-kept",
        without(Given { pins_succeed: false, ..GIVEN }),
        Expect::broken(
            &["deliver-all", "errors-reported"],
            "The record is lost, and the iteration returns success.",
        ),
    ),
    bitmap(
        "record-beyond-range",
        "The current form, when a record may lie outside the range (without P4).",
        QUESTION,
        "record-clipped",
        without(Given { record_inside: false, ..GIVEN }),
        Expect::broken(
            &["deliver-all", "in-bounds"],
            "Nothing compares the end of a record with the range: bits behind it are set up to the end of the last pinned page.",
        ),
    ),
    bitmap(
        "unaligned-end",
        "The current form, when a record may end inside a granule (without P7) and the next page cannot be pinned.",
        QUESTION,
        "restart-on-granule",
        without(Given { record_ends_on_granule: false, ..GIVEN }),
        Expect::broken(
            &["terminates"],
            "The restart begins as many whole granules before the end as are left, so inside the granule that was set last. If the window can only be pinned up to that granule's page, the same restart follows, for as long as the next page cannot be pinned.",
        ),
    ),
    bitmap(
        "empty-range",
        "The current form, when the range may have no byte (without P1).",
        QUESTION,
        "mainline",
        without(Given { length_positive: false, ..GIVEN }),
        Expect::broken(
            &["no-overflow", "windows-tile"],
            "The length less 1 is 2^64 - 1: the number of indexes is that of the whole address space, of which the user has given no byte. No record lies in an empty range, so that alone writes nothing.",
        ),
    ),
    bitmap(
        "wrapping-range",
        "The current form, when the range may go on at address 0 (without P2).",
        QUESTION,
        "mainline",
        without(Given { range_fits: false, ..GIVEN }),
        Expect::broken(
            &["deliver-all", "in-bounds", "terminates"],
            "The comparisons of the window test and of the cut take the end for smaller than the start.",
        ),
    ),
    bitmap(
        "odd-page-size",
        "The current form, when the page size need not be a power of two (without P3).",
        QUESTION,
        "mainline",
        without(Given { page_size_power_of_two: false, ..GIVEN }),
        Expect::broken(
            &["exact-bits", "deliver-all", "in-bounds"],
            "The lowest set bit is taken for the page size: a bit stands for fewer bytes than the user asked for, and the bitmap is written past its end.",
        ),
    ),
    bitmap(
        "empty-record",
        "The current form, when a record may have no byte (without P5).",
        QUESTION,
        "mainline",
        without(Given { record_positive: false, ..GIVEN }),
        Expect::broken(
            &["exact-bits", "deliver-all", "in-bounds", "terminates"],
            "The last bit is the one before the first: at the first bit of a window that is 2^64 - 1 bits ahead, and all pinned pages are filled.",
        ),
    ),
    bitmap(
        "rounding-wraps",
        "The current form, when the last index of the bitmap may stand for addresses that do not exist (without P8).",
        QUESTION,
        "mainline",
        without(Given { rounded_range_fits: false, ..GIVEN }),
        Expect::broken(
            &["no-overflow", "windows-tile", "range-test"],
            "The end of the last window wraps to a small address, so the window is not cut and its test always fails. Records are still delivered, each with a pin of its own.",
        ),
    ),
    bitmap(
        "bit-numbers-wrap",
        "The current form, when the granules of the range and the bits of a page need not fit together (without P9).",
        QUESTION,
        "mainline",
        without(Given { bit_numbers_fit: false, ..GIVEN }),
        Expect::broken(
            &["exact-bits", "deliver-all"],
            "Adding the offset of the bitmap in its page to the number of the last bit wraps to a small number, and the loop ends early. It takes a page size of 1 and a record of almost the whole address space.",
        ),
    ),
    bitmap(
        "record-clipped-alone",
        "set() clips a record to the bitmap's range, and a restart begins as in the current form.",
        "kverdict: half of record-clipped",
        "record-clipped",
        Config { clip: Clip::ToRange, given: Given { record_inside: false, ..GIVEN }, ..MAINLINE },
        Expect::broken(
            &["terminates"],
            "Clipping makes a record end where the range ends, which may be inside a granule: see unaligned-end.",
        ),
    ),
    // Our own.
    bitmap(
        "total-without-one",
        "The number of indexes is the index of the last byte.",
        OWN,
        "mainline",
        slip(Slip::TotalWithoutOne),
        Expect::broken(
            &["no-overflow", "windows-tile", "asks-enough", "exact-bits", "deliver-all", "set-invariant"],
            "The last index is out of range, and its records are lost.",
        ),
    ),
    bitmap(
        "total-from-length",
        "The number of indexes is computed from the length, not from the length less 1.",
        OWN,
        "mainline",
        slip(Slip::TotalFromLength),
        Expect::broken(
            &["no-overflow", "windows-tile", "asks-enough", "range-test", "set-invariant"],
            "A range that ends with an index has one index too many, which stands for memory that the user did not give.",
        ),
    ),
    bitmap(
        "last-bit-exclusive",
        "The last bit is that of the first byte behind the record.",
        OWN,
        "mainline",
        slip(Slip::LastBitExclusive),
        Expect::broken(
            &["exact-bits", "deliver-all", "in-bounds", "terminates", "set-invariant"],
            "A record that ends on a granule sets the bit of the next one, in memory that may not be the user's.",
        ),
    ),
    bitmap(
        "range-test-exclusive",
        "The window test compares the first byte behind the record.",
        OWN,
        "mainline",
        slip(Slip::RangeTestExclusive),
        Expect::broken(
            &["range-test", "terminates", "set-invariant"],
            "A record that ends with its window does not pass, and is pinned again; one that ends with the address space does, and never ends.",
        ),
    ),
    bitmap(
        "range-test-unpinned",
        "The window test does not ask whether anything is pinned.",
        OWN,
        "mainline",
        slip(Slip::RangeTestUnpinned),
        Expect::broken(
            &["range-test", "exact-bits", "deliver-all", "in-bounds", "set-invariant"],
            "Before the first pin the window's end is its start less 1: with a range from 0 on every record passes, and is written through no page.",
        ),
    ),
    bitmap(
        "bits-without-one",
        "The number of bits in a page is the last bit minus the current one.",
        OWN,
        "mainline",
        slip(Slip::BitsWithoutOne),
        Expect::broken(
            &["terminates", "set-invariant"],
            "One bit is always left, and setting none of it never ends.",
        ),
    ),
    bitmap(
        "page-check-late",
        "The page check compares with the number of pages, not with the last page.",
        OWN,
        "mainline",
        slip(Slip::PageCheckLate),
        Expect::broken(
            &["exact-bits", "deliver-all", "in-bounds", "set-invariant"],
            "The page behind the pinned ones is written through a pointer that the window does not have.",
        ),
    ),
    bitmap(
        "left-without-one",
        "What is left at a restart is the last bit minus the current one.",
        OWN,
        "mainline",
        slip(Slip::LeftWithoutOne),
        Expect::broken(
            &["exact-bits", "deliver-all", "in-bounds", "terminates", "set-invariant"],
            "The last granule of a record that is restarted is lost, and if it is the only one the restart has no length.",
        ),
    ),
    bitmap(
        "cut-behind-end",
        "The window is cut at the first byte behind the range.",
        OWN,
        "mainline",
        slip(Slip::CutBehindEnd),
        Expect::broken(
            &["windows-tile", "range-test", "set-invariant"],
            "The last window covers one byte that is not in the range.",
        ),
    ),
    bitmap(
        "base-not-moved",
        "Moving the window does not set its first index.",
        OWN,
        "mainline",
        slip(Slip::BaseNotMoved),
        Expect::broken(
            &["windows-tile", "exact-bits", "deliver-all", "terminates", "set-invariant"],
            "The window never moves, so that the bits of later records are set at its start or not at all.",
        ),
    ),
    bitmap(
        "page-too-short",
        "A page is taken to have one bit less than it has.",
        OWN,
        "mainline",
        slip(Slip::PageTooShort),
        Expect::broken(
            &["terminates", "set-invariant"],
            "At the last bit of a page there is room for none, and setting none never ends.",
        ),
    ),
    bitmap(
        "index-too-far",
        "The window moves to the index behind the wanted one.",
        OWN,
        "mainline",
        slip(Slip::IndexTooFar),
        Expect::broken(
            &["windows-tile", "exact-bits", "deliver-all", "in-bounds", "terminates", "set-invariant"],
            "The window begins behind the record, whose bit number wraps.",
        ),
    ),
    // The neighbours.
    other(
        "populate-truncates",
        "The pages to populate are the size of the buffers divided by the page size.",
        "mail: Review of KPTI patchset, 2017",
        "populate-rounds-up",
        Subject::Populate(Populate::Truncates),
        Expect::broken(&["populates-all"], "A size that is not a multiple of the page size loses its last part."),
    ),
    other(
        "populate-rounds-up",
        "The division rounds up.",
        "kverdict: the least change that repairs populate-truncates",
        "populate-rounds-up",
        Subject::Populate(Populate::RoundsUp),
        Expect::holds("For every size up to the largest whose rounding does not wrap."),
    ),
    other(
        "populate-truncates-multiple",
        "The division, with a build-time check that the size is a multiple of the page size.",
        "mail: Review of KPTI patchset, 2017, the answer",
        "populate-truncates-multiple",
        Subject::Populate(Populate::TruncatesMultiple),
        Expect::holds("The check is the precondition."),
    ),
    other(
        "unchecked-key-shift",
        "1U << pkey without a check of the range.",
        "the form before 58ab9a088dda",
        "checked-key-shift",
        Subject::KeyShift(KeyShift::Unchecked),
        Expect::broken(&["key-in-range"], "A negative key, or one of 32 or more, shifts by more than an int has bits."),
    ),
    other(
        "checked-key-shift",
        "The shift comes after 0 <= pkey && pkey < 16.",
        "58ab9a088dda",
        "checked-key-shift",
        Subject::KeyShift(KeyShift::Checked),
        Expect::holds("Every int is answered, and the shift is by 0 to 15."),
    ),
    other(
        "key-checked-above",
        "The shift comes after pkey < 16 alone.",
        OWN,
        "checked-key-shift",
        Subject::KeyShift(KeyShift::CheckedAbove),
        Expect::broken(&["key-in-range"], "Key -1 passes the check."),
    ),
];
