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
    claim("set-invariant", "A step of set() leaves the state from which the other claims follow."),
    claim("exact-bits", "Live migration loses a page that the device wrote, or copies one that it did not."),
    claim("deliver-all", "After an iteration that succeeded, the bitmap is not what the device wrote."),
    claim("in-bounds", "The kernel writes to memory that is not part of the user's bitmap."),
    claim("terminates", "A process hangs in the kernel for as long as its memory stays as it is."),
    claim("errors-reported", "The caller takes a bitmap for complete that is not, or the other way round."),
    claim("pins-balanced", "Pages of the user stay pinned, or are unpinned while somebody else has them pinned."),
    claim("unmaps-what-it-mapped", "The kernel unmaps a page other than the one it has mapped."),
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
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "comment-formula",
        "The bit is the address modulo the bits of a word, as the comment says, not the granule modulo the bits of a word.",
        "mail: V2, commit message and comment; the comment is still there, the code never did that",
        "mainline",
        Config { bit_of: BitOf::Address, ..MAINLINE },
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "posted-count",
        "The number of indexes is the length divided by the bytes of an index, rounded up: it adds before it divides.",
        V2,
        "mainline",
        Config { total: Total::RoundedUp, ..MAINLINE },
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "posted-int-pgsize",
        "The page size is 1 << pgshift, computed in int.",
        "mail: V2; fixed by e24c15510592 (CVE-2025-21724)",
        "mainline",
        Config { page_size: PageSizeIn::Int, ..MAINLINE },
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "shift-63",
        "The page size is 1UL << pgshift, and the offset is divided by the bits of an index times that.",
        "e24c15510592, the first fix of posted-int-pgsize; fixed by cb30dfa75d55",
        "mainline",
        Config { page_size: PageSizeIn::Long, ..MAINLINE },
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "posted-max-iova",
        "The end of the range is computed from the start of the window, which moves.",
        V2,
        "mainline",
        Config { cut: Cut::WindowStart, ..MAINLINE },
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "posted-left",
        "The window counts all indexes of the pinned pages, whatever the bitmap's offset in the first one.",
        V2,
        "mainline",
        Config { remaining: Remaining::WholePages, ..MAINLINE },
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "posted-pin-count",
        "A pin does not ask for the further page that a bitmap needs which begins inside a page.",
        "mail: V2, and 58ccf0190d19",
        "mainline",
        Config { pin_count: PinCount::WithoutOffset, ..MAINLINE },
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "posted-nbits",
        "The number of bits is max(1, length >> pgshift), whatever the alignment of the record.",
        V2,
        "mainline",
        Config { bits: Bits::LengthShifted, ..MAINLINE },
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "posted-start-offset",
        "The bitmap's offset in its first page is added to the address of the first page that is written; page, bit and number of bits ignore it.",
        "58ccf0190d19; fixed by f38044e5ef58, then by b058ea3ab5af",
        "mainline",
        Config { placement: Placement::OnFirstPage, ..MAINLINE },
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "posted-kunmap",
        "The address to unmap is a word pointer minus the offset in bytes, which C scales by the size of a word.",
        V2,
        "posted-start-offset",
        Config { placement: Placement::OnFirstPage, unmap: Unmap::MinusWords, ..MAINLINE },
        Expect::broken(&[], "TODO"),
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
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "pin-zero-counted",
        "A pin of 0 pages counts as success, but the page count has been cleared.",
        "kverdict: half of posted-pin-zero",
        "error-kept",
        Config { empty_pin: EmptyPin::Success, given: Given { pins_succeed: false, ..GIVEN }, errors: Errors::Kept, ..MAINLINE },
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "unbounded-pages",
        "The windows are walked one by one, and set() does not look whether a record goes on behind the last pinned page.",
        "58ccf0190d19 and later; fixed by a4ab7dedaee0",
        "split-lost",
        Config { beyond: Beyond::Unchecked, ..EACH },
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "split-lost",
        "The windows are walked one by one, and set() stops at the last pinned page.",
        "a4ab7dedaee0; fixed by 2780025e01e2",
        "mainline",
        EACH,
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "set-ahead-single",
        "set() remembers how many bytes it could not set; the next window sets them at its start and skips their indexes.",
        "2780025e01e2; replaced by dynamic pinning in 7a7bba16244a",
        "mainline",
        Config { beyond: Beyond::SetAhead, ..EACH },
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "set-ahead-pinned-first",
        "The same, but the window is measured after it is pinned and the iteration stops at its end.",
        "kverdict: set-ahead-single with its two slips repaired, to show what is left of it",
        "mainline",
        Config { beyond: Beyond::SetAhead, ahead: Ahead::PinnedFirst, ..EACH },
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "u64-units",
        "Indexes count u64 words; of a word that lies in two pages the window counts nothing.",
        "58ccf0190d19 and later; fixed by d18411ec3057",
        "mainline",
        Config { unit: Unit::Word, ..MAINLINE },
        Expect::broken(&[], "TODO"),
    ),
    // The current form without one of its preconditions.
    bitmap(
        "error-dropped",
        "The current form, when a pin may fail (without P6): set() has no result, and the device's dirty bits are cleared already.",
        QUESTION,
        "error-kept",
        without(Given { pins_succeed: false, ..GIVEN }),
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "record-beyond-range",
        "The current form, when a record may lie outside the range (without P4).",
        QUESTION,
        "record-clipped",
        without(Given { record_inside: false, ..GIVEN }),
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "unaligned-end",
        "The current form, when a record may end inside a granule (without P7) and the next page cannot be pinned.",
        QUESTION,
        "restart-on-granule",
        without(Given { record_ends_on_granule: false, ..GIVEN }),
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "empty-range",
        "The current form, when the range may have no byte (without P1).",
        QUESTION,
        "mainline",
        without(Given { length_positive: false, ..GIVEN }),
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "wrapping-range",
        "The current form, when the range may go on at address 0 (without P2).",
        QUESTION,
        "mainline",
        without(Given { range_fits: false, ..GIVEN }),
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "odd-page-size",
        "The current form, when the page size need not be a power of two (without P3).",
        QUESTION,
        "mainline",
        without(Given { page_size_power_of_two: false, ..GIVEN }),
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "empty-record",
        "The current form, when a record may have no byte (without P5).",
        QUESTION,
        "mainline",
        without(Given { record_positive: false, ..GIVEN }),
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "rounding-wraps",
        "The current form, when the last index of the bitmap may stand for addresses that do not exist (without P8).",
        QUESTION,
        "mainline",
        without(Given { rounded_range_fits: false, ..GIVEN }),
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "bit-numbers-wrap",
        "The current form, when the granules of the range and the bits of a page need not fit together (without P9).",
        QUESTION,
        "mainline",
        without(Given { bit_numbers_fit: false, ..GIVEN }),
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "record-clipped-alone",
        "set() clips a record to the bitmap's range, and a restart begins as in the current form.",
        "kverdict: half of record-clipped",
        "record-clipped",
        Config { clip: Clip::ToRange, given: Given { record_inside: false, ..GIVEN }, ..MAINLINE },
        Expect::broken(&[], "TODO"),
    ),
    // Our own.
    bitmap(
        "total-without-one",
        "The number of indexes is the index of the last byte.",
        OWN,
        "mainline",
        slip(Slip::TotalWithoutOne),
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "total-from-length",
        "The number of indexes is computed from the length, not from the length less 1.",
        OWN,
        "mainline",
        slip(Slip::TotalFromLength),
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "last-bit-exclusive",
        "The last bit is that of the first byte behind the record.",
        OWN,
        "mainline",
        slip(Slip::LastBitExclusive),
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "range-test-exclusive",
        "The window test compares the first byte behind the record.",
        OWN,
        "mainline",
        slip(Slip::RangeTestExclusive),
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "range-test-unpinned",
        "The window test does not ask whether anything is pinned.",
        OWN,
        "mainline",
        slip(Slip::RangeTestUnpinned),
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "bits-without-one",
        "The number of bits in a page is the last bit minus the current one.",
        OWN,
        "mainline",
        slip(Slip::BitsWithoutOne),
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "page-check-late",
        "The page check compares with the number of pages, not with the last page.",
        OWN,
        "mainline",
        slip(Slip::PageCheckLate),
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "left-without-one",
        "What is left at a restart is the last bit minus the current one.",
        OWN,
        "mainline",
        slip(Slip::LeftWithoutOne),
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "cut-behind-end",
        "The window is cut at the first byte behind the range.",
        OWN,
        "mainline",
        slip(Slip::CutBehindEnd),
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "base-not-moved",
        "Moving the window does not set its first index.",
        OWN,
        "mainline",
        slip(Slip::BaseNotMoved),
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "page-too-short",
        "A page is taken to have one bit less than it has.",
        OWN,
        "mainline",
        slip(Slip::PageTooShort),
        Expect::broken(&[], "TODO"),
    ),
    bitmap(
        "index-too-far",
        "The window moves to the index behind the wanted one.",
        OWN,
        "mainline",
        slip(Slip::IndexTooFar),
        Expect::broken(&[], "TODO"),
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
