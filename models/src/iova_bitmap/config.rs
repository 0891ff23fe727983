//! The switches in which the revisions of the bitmap differ, and the preconditions that a claim rests on.

/// What one index counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A byte of the bitmap.
    Byte,
    /// A `u64` of the bitmap, as in all revisions before d18411ec3057.
    Word,
}

/// How the page size enters the conversion of an offset to an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageSizeIn {
    /// The offset is shifted: `(offset >> pgshift) / E`.
    Shift,
    /// The offset is divided by `E * pgsize` with `pgsize = 1 << pgshift` computed in `int`.
    Int,
    /// The same with `1UL << pgshift`.
    Long,
}

/// How the number of indexes of the whole range is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// The index of the last byte of the range, plus one.
    LastIndexPlusOne,
    /// `DIV_ROUND_UP(length, E * pgsize)`.
    RoundedUp,
}

/// Where the length of a window is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// At the last byte of the range.
    RangeEnd,
    /// At the window's own start plus the length of the range.
    WindowStart,
}

/// Which indexes of the pinned pages a window counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remaining {
    /// Those from the bitmap's byte in the first page on.
    FromOffset,
    /// All of the pages, as if the bitmap began at the first page's first byte.
    WholePages,
}

/// How many pages are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinCount {
    /// The bytes in pages, rounded up, and one more if the bitmap begins inside a page.
    WithOffset,
    /// The bytes in pages, rounded up.
    WithoutOffset,
}

/// Which bits a record sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits {
    /// From the granule of the first byte to the granule of the last byte.
    FirstToLast,
    /// From the granule of the first byte on, `max(1, length >> pgshift)` of them.
    LengthShifted,
}

/// Where the bitmap's offset in its first page is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// To the bit number, before it is split into page and bit.
    InBitNumber,
    /// To the address of the first page that is written, after the split.
    OnFirstPage,
}

/// Which address is given to `kunmap_local()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmap {
    /// The mapped one.
    Mapped,
    /// The pointer that was written through, minus the offset counted in words.
    MinusWords,
}

/// What a pin that returns 0 pages counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmptyPin {
    /// A failure.
    Failure,
    /// Success, with the window left as it was.
    Success,
}

/// Whether unpinning forgets the number of pinned pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageCount {
    /// It becomes 0.
    Cleared,
    /// It stays.
    Stale,
}

/// What `set` does when the range goes on behind the last pinned page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// Starts again with the rest of the range.
    Restart,
    /// Does not look.
    Unchecked,
    /// Stops.
    Dropped,
    /// Stops, and remembers the length of the rest for the next window.
    SetAhead,
}

/// When the set-ahead revision measures the window in which it sets the rest of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// Before it pins it, when no page is pinned.
    MeasuredFirst,
    /// After; and it stops when the bitmap ends. No revision did that.
    PinnedFirst,
}

/// Who moves the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Windows {
    /// `set`, to the range that it records; the callback runs once.
    Dynamic,
    /// `for_each`; the callback runs once for each window.
    Each,
}

/// What becomes of a failed pin inside `set`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errors {
    /// It ends the record in silence.
    Dropped,
    /// It is kept and `for_each` returns it.
    Kept,
}

/// Whether `set` clips a record to the bitmap's range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clip {
    /// It trusts the caller.
    Trusted,
    /// It clips.
    ToRange,
}

/// Where a restart of `set` begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// As many bytes before the end as the granules that are left have: up to a granule too early if the
    /// range does not end on a granule.
    FromEnd,
    /// At the first granule that is left.
    FromGranule,
}

/// Which bit of its word a granule gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitOf {
    /// The granule's number, modulo the bits of a word.
    Granule,
    /// The granule's address, modulo the bits of a word: the formula in the posted comment.
    Address,
}

/// One-line mistakes that nobody made (as far as we know), each read at one place of the arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slip {
    /// None.
    None,
    /// `total` is the index of the last byte, without the 1.
    TotalWithoutOne,
    /// `total` is computed from the length instead of from the length less 1.
    TotalFromLength,
    /// The last bit is computed from the first byte behind the range.
    LastBitExclusive,
    /// The window test compares the first byte behind the range.
    RangeTestExclusive,
    /// The number of bits in a page is `last - cur`, without the 1.
    BitsWithoutOne,
    /// The page check lets one page too many through.
    PageCheckLate,
    /// The rest of the range is `last - cur` granules, without the 1.
    LeftWithoutOne,
    /// The window is cut at the first byte behind the range.
    CutBehindEnd,
    /// Moving the window forgets to set the base index.
    BaseNotMoved,
    /// A page is taken to begin again after `page_bits - 1` bits.
    PageTooShort,
    /// The window moves to the index behind the one that is wanted.
    IndexTooFar,
    /// The window test forgets that nothing may be pinned.
    RangeTestUnpinned,
}

/// Which version of the bitmap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is explained at its type")]
pub struct Config {
    pub unit: Unit,
    pub page_size: PageSizeIn,
    pub total: Total,
    pub cut: Cut,
    pub remaining: Remaining,
    pub pin_count: PinCount,
    pub bits: Bits,
    pub placement: Placement,
    pub unmap: Unmap,
    pub empty_pin: EmptyPin,
    pub page_count: PageCount,
    pub beyond: Beyond,
    pub ahead: Ahead,
    pub windows: Windows,
    pub errors: Errors,
    pub clip: Clip,
    pub restart: Restart,
    pub bit_of: BitOf,
    pub slip: Slip,
    pub given: Given,
}

impl Config {
    /// The current form (2026 trees), with all preconditions.
    pub const MAINLINE: Self = Self {
        unit: Unit::Byte,
        page_size: PageSizeIn::Shift,
        total: Total::LastIndexPlusOne,
        cut: Cut::RangeEnd,
        remaining: Remaining::FromOffset,
        pin_count: PinCount::WithOffset,
        bits: Bits::FirstToLast,
        placement: Placement::InBitNumber,
        unmap: Unmap::Mapped,
        empty_pin: EmptyPin::Failure,
        page_count: PageCount::Cleared,
        beyond: Beyond::Restart,
        ahead: Ahead::MeasuredFirst,
        windows: Windows::Dynamic,
        errors: Errors::Dropped,
        clip: Clip::Trusted,
        restart: Restart::FromEnd,
        bit_of: BitOf::Granule,
        slip: Slip::None,
        given: Given::ALL,
    };

    /// Whether this is the version with the given mistake.
    pub fn slips(&self, slip: Slip) -> bool {
        self.slip == slip
    }
}

/// The preconditions of the claims: which of them a variant may rely on.
///
/// A precondition that is not given widens the inputs that are looked at. What each is needed for, who
/// ensures it, and the smallest input that breaks the current form without it, stands in the table of
/// [`crate::iova_bitmap`] and is the verdict of the variant named there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// P1: the range has at least one byte.
    pub length_positive: bool,
    /// P2: the last byte of the range has an address: `iova + length - 1` does not wrap.
    pub range_fits: bool,
    /// P3: the page size is a power of two.
    pub page_size_power_of_two: bool,
    /// P4: a record lies inside the bitmap's range.
    pub record_inside: bool,
    /// P5: a record has at least one byte.
    pub record_positive: bool,
    /// P6: pinning a page of the user's bitmap does not fail; it may pin fewer pages than asked for.
    pub pins_succeed: bool,
    /// P7: a record ends where a granule of the range ends.
    pub record_ends_on_granule: bool,
    /// P8: the last byte of the range rounded up to whole index units has an address.
    pub rounded_range_fits: bool,
    /// P9: the range's granules and the bits of a page together fit into `unsigned long`.
    pub bit_numbers_fit: bool,
}

impl Given {
    /// All of them.
    pub const ALL: Self = Self {
        length_positive: true,
        range_fits: true,
        page_size_power_of_two: true,
        record_inside: true,
        record_positive: true,
        pins_succeed: true,
        record_ends_on_granule: true,
        rounded_range_fits: true,
        bit_numbers_fit: true,
    };
}
