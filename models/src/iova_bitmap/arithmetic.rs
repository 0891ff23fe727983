//! The bitmap: index and window arithmetic, recording and iteration. The only copy, for all revisions and
//! all widths.
//!
//! Kernel functions keep their names without the prefix `iova_bitmap_`. All numbers are `unsigned long` and
//! wrap at the width of the [`Geometry`]; where the kernel narrows to `unsigned int`, [`Geometry::uint`]
//! does.

use super::config::{
    Ahead, Beyond, BitOf, Bits, Clip, Config, Cut, EmptyPin, Errors, PageCount, PageSizeIn, PinCount, Placement,
    Remaining, Restart, Slip, Total, Unit, Unmap, Windows,
};
use super::geometry::{Geometry, PageShift};
use super::memory::Memory;

/// What C leaves undefined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undefined {
    /// A shift by the width of the type or more.
    ShiftTooFar,
    /// A division by zero.
    DivisionByZero,
}

/// Why a call ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The index is not one of the bitmap's (`-EINVAL`).
    OutOfRange,
    /// Pinning failed (`-EFAULT`).
    Fault,
    /// The arithmetic is undefined in C: whatever follows is not modelled.
    Undefined(Undefined),
    /// More turns than the caller allowed. Not an error of the kernel, which would go on.
    Endless,
}

impl From<Undefined> for Error {
    fn from(undefined: Undefined) -> Self {
        Self::Undefined(undefined)
    }
}

/// The conversions between offsets in the range and indexes in the bitmap, for one page size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Formulas {
    /// The widths.
    pub geometry: Geometry,
    /// The version.
    pub config: Config,
    /// Base-2 logarithm of the bytes in a granule (`mapped.pgshift`).
    pub pgshift: PageShift,
}

impl Formulas {
    /// Base-2 logarithm of the bytes in an index unit.
    pub fn unit_bytes_shift(&self) -> u32 {
        match self.config.unit {
            Unit::Byte => 0,
            Unit::Word => self.geometry.word_shift,
        }
    }

    /// Base-2 logarithm of the bits in an index unit (`BITS_PER_TYPE(*bitmap->bitmap)`).
    pub fn unit_bits_shift(&self) -> u32 {
        self.unit_bytes_shift() + self.geometry.byte_shift
    }

    /// The page size as the first revisions had it, from the shift.
    fn pgsize(&self) -> Result<u64, Undefined> {
        let g = self.geometry;
        let shift = self.pgshift.get();
        match self.config.page_size {
            PageSizeIn::Int if shift >= g.int_bits => Err(Undefined::ShiftTooFar),
            // The sign bit of the int; converting it to unsigned long extends it.
            PageSizeIn::Int if shift == g.int_bits - 1 => Ok(g.shl(g.max(), shift)),
            _ => Ok(g.shl(1, shift)),
        }
    }

    /// Bytes of the range per index, where the formula divides.
    fn divisor(&self) -> Result<u64, Undefined> {
        match self.geometry.shl(self.pgsize()?, self.unit_bits_shift()) {
            0 => Err(Undefined::DivisionByZero),
            divisor => Ok(divisor),
        }
    }

    /// The index of the byte at `offset` in the range (`offset_to_index()`).
    ///
    /// No precondition: every offset has an index.
    ///
    /// # Errors
    /// Two old forms are undefined for some page sizes.
    pub fn offset_to_index(&self, offset: u64) -> Result<u64, Undefined> {
        match self.config.page_size {
            PageSizeIn::Shift => Ok((offset >> self.pgshift.get()) >> self.unit_bits_shift()),
            PageSizeIn::Int | PageSizeIn::Long => Ok(offset / self.divisor()?),
        }
    }

    /// The offset of the first byte that index `index` stands for (`index_to_offset()`).
    ///
    /// Precondition: the product fits, `index * E * 2^s < 2^64`; otherwise it wraps.
    pub fn index_to_offset(&self, index: u64) -> u64 {
        let g = self.geometry;
        g.shl(g.shl(index, self.unit_bits_shift()), self.pgshift.get())
    }

    /// How many indexes a range of `length` bytes has, as the first posting computed it:
    /// `DIV_ROUND_UP(length, E * pgsize)`, which adds before it divides.
    fn rounded_up(&self, length: u64) -> Result<u64, Undefined> {
        let g = self.geometry;
        match self.config.page_size {
            PageSizeIn::Shift => {
                let less_one = g.sub(g.shl(g.shl(1, self.unit_bits_shift()), self.pgshift.get()), 1);
                self.offset_to_index(g.add(length, less_one))
            }
            PageSizeIn::Int | PageSizeIn::Long => {
                let divisor = self.divisor()?;
                Ok(g.add(length, g.sub(divisor, 1)) / divisor)
            }
        }
    }

    /// How many indexes a range of `length` bytes has.
    ///
    /// Precondition P1: `length` is at least 1. 0 counts as 2^64 bytes.
    ///
    /// # Errors
    /// As [`Formulas::offset_to_index`].
    pub fn total(&self, length: u64) -> Result<u64, Undefined> {
        let g = self.geometry;
        match self.config.total {
            Total::RoundedUp => self.rounded_up(length),
            Total::LastIndexPlusOne => {
                let less = if self.config.slips(Slip::TotalFromLength) { 0 } else { 1 };
                let more = if self.config.slips(Slip::TotalWithoutOne) { 0 } else { 1 };
                Ok(g.add(self.offset_to_index(g.sub(length, less))?, more))
            }
        }
    }

    /// How many indexes `length` bytes from the start of an index on take up: what `advance()` moves by.
    fn indexes_of(&self, length: u64) -> Result<u64, Undefined> {
        let g = self.geometry;
        match self.config.total {
            Total::RoundedUp => self.rounded_up(length),
            Total::LastIndexPlusOne => Ok(g.add(self.offset_to_index(g.sub(length, 1))?, 1)),
        }
    }
}

/// The pinned part of the bitmap (`struct iova_bitmap_map`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// How many pages are pinned; 0 if none.
    pub npages: u64,
    /// The page number of the first page pointer: stands for the array `pages`, since a pin returns
    /// consecutive pages.
    pub first_page: u64,
    /// The IOVA of the window's first bit.
    pub iova: u64,
    /// The offset of the window's first byte in its page.
    pub pgoff: u64,
    /// How many bytes of the range the window covers.
    pub length: u64,
}

/// A bitmap over the range of `length` bytes from `iova` on (`struct iova_bitmap`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bitmap {
    /// The conversions.
    pub formulas: Formulas,
    /// First byte of the range.
    pub iova: u64,
    /// Bytes in the range.
    pub length: u64,
    /// User address of the bitmap.
    pub address: u64,
    /// How many indexes the bitmap has (`mapped_total_index`).
    pub total: u64,
    /// The index of the window's first unit (`mapped_base_index`).
    pub base: u64,
    /// What is pinned.
    pub window: Window,
    /// Bytes that the next window must set at its start (`set_ahead_length`, one revision only).
    pub set_ahead: u64,
    /// Whether a pin failed inside `set`, where the version keeps that.
    pub failed: bool,
}

/// The locals of `set` while it sets bits: what is left of the range, and the bit numbers in the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetLoop {
    /// `iova`.
    pub x: u64,
    /// `length`.
    pub l: u64,
    /// `cur_bit`.
    pub cur: u64,
    /// `last_bit`.
    pub last: u64,
    /// Whether no page was written since the start (posted form only).
    pub first_page: bool,
}

/// How one turn of the loop in `set` ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The loop goes on.
    Again(SetLoop),
    /// The range goes on behind the pinned pages: `goto update_indexes` with this range.
    Restart {
        /// `iova`.
        x: u64,
        /// `length`.
        l: u64,
    },
    /// The loop ended.
    Done,
}

/// A dirty range that the device reports, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// First byte.
    pub x: u64,
    /// Bytes.
    pub l: u64,
    /// Whether the device still has it marked as dirty. Reading clears that.
    pub dirty: bool,
}

impl Bitmap {
    /// `iova_bitmap_alloc()`, as far as it computes. Pins nothing; the forms that pin here do it at the
    /// start of [`Bitmap::for_each`].
    ///
    /// # Errors
    /// As [`Formulas::offset_to_index`].
    pub fn alloc(formulas: Formulas, iova: u64, length: u64, address: u64) -> Result<Self, Undefined> {
        let window = Window { npages: 0, first_page: 0, iova, pgoff: 0, length: 0 };
        let total = formulas.total(length)?;
        Ok(Self { formulas, iova, length, address, total, base: 0, window, set_ahead: 0, failed: false })
    }

    fn geometry(&self) -> Geometry {
        self.formulas.geometry
    }

    fn config(&self) -> Config {
        self.formulas.config
    }

    /// The IOVA of the first bit of index `base` (`mapped_iova()`).
    pub fn mapped_iova(&self) -> u64 {
        self.geometry().add(self.iova, self.formulas.index_to_offset(self.base))
    }

    /// The user address of index `base`. User addresses have 64 bits at every width, so that a bitmap that
    /// lies in user memory (its end is an address) has no wrapping address at a reduced width either.
    pub fn mapped_address(&self) -> u64 {
        self.address.wrapping_add(self.base << self.formulas.unit_bytes_shift())
    }

    /// How many pages are asked for when the window begins at `base`.
    pub fn pin_count(&self) -> u64 {
        let g = self.geometry();
        let bytes = g.shl(g.sub(self.total, self.base), self.formulas.unit_bytes_shift());
        let pages = g.add(bytes, g.page_bytes() - 1) >> g.page_shift;
        let starts_inside = g.offset_in_page(self.mapped_address()) != 0;
        let extra = match self.config().pin_count {
            PinCount::WithOffset => u64::from(starts_inside),
            PinCount::WithoutOffset => 0,
        };
        g.add(pages, extra).min(g.pages_max)
    }

    /// How many indexes from `base` on the pinned pages hold (`mapped_remaining()`).
    pub fn mapped_remaining(&self) -> u64 {
        let g = self.geometry();
        let pinned = g.shl(self.window.npages, g.page_shift);
        let bytes = match self.config().remaining {
            Remaining::FromOffset => g.sub(pinned, self.window.pgoff),
            Remaining::WholePages => pinned,
        };
        g.sub(self.total, self.base).min(bytes >> self.formulas.unit_bytes_shift())
    }

    /// How many bytes of the range those are (`mapped_length()`).
    pub fn mapped_length(&self) -> u64 {
        let g = self.geometry();
        let less = if self.config().slips(Slip::CutBehindEnd) { 0 } else { 1 };
        let start = match self.config().cut {
            Cut::RangeEnd => self.iova,
            Cut::WindowStart => self.mapped_iova(),
        };
        let max_iova = g.sub(g.add(start, self.length), less);
        let remaining = self.formulas.index_to_offset(self.mapped_remaining());
        let last = g.sub(g.add(self.mapped_iova(), remaining), 1);
        if last > max_iova {
            g.sub(remaining, g.sub(last, max_iova))
        } else {
            remaining
        }
    }

    /// Whether the window covers `l` bytes from `x` on (`mapped_range()`).
    pub fn mapped_range(&self, x: u64, l: u64) -> bool {
        let g = self.geometry();
        let w = self.window;
        let less = if self.config().slips(Slip::RangeTestExclusive) { 0 } else { 1 };
        let pinned = w.npages != 0 || self.config().slips(Slip::RangeTestUnpinned);
        let last = g.sub(g.add(x, l), less);
        pinned && x >= w.iova && last <= g.sub(g.add(w.iova, w.length), 1)
    }

    /// Pins the window that begins at `base` (`iova_bitmap_get()`).
    ///
    /// # Errors
    /// [`Error::Fault`] if nothing could be pinned.
    pub fn get<M: Memory>(&mut self, memory: &mut M) -> Result<(), Error> {
        let g = self.geometry();
        let address = self.mapped_address();
        let first_page = address >> g.page_shift;
        let pinned = memory.pin(first_page, self.pin_count());
        if pinned < 0 || (pinned == 0 && self.config().empty_pin == EmptyPin::Failure) {
            return Err(Error::Fault);
        }
        if pinned > 0 {
            self.window.npages = pinned as u64;
            self.window.first_page = first_page;
            self.window.iova = self.mapped_iova();
            self.window.pgoff = g.offset_in_page(address);
            self.window.length = self.mapped_length();
        }
        Ok(())
    }

    /// Unpins the window (`iova_bitmap_put()`).
    pub fn put<M: Memory>(&mut self, memory: &mut M) {
        if self.window.npages != 0 {
            memory.unpin(self.window.first_page, self.window.npages);
            if self.config().page_count == PageCount::Cleared {
                self.window.npages = 0;
            }
        }
    }

    /// `iova_bitmap_free()`: unpins what is pinned.
    pub fn free<M: Memory>(&mut self, memory: &mut M) {
        self.put(memory);
    }

    /// Moves the window to the index of `x` (`advance_to()`).
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if the bitmap has no such index, [`Error::Fault`] if pinning fails.
    pub fn advance_to<M: Memory>(&mut self, x: u64, memory: &mut M) -> Result<(), Error> {
        let g = self.geometry();
        let slip = u64::from(self.config().slips(Slip::IndexTooFar));
        let index = g.add(self.formulas.offset_to_index(g.sub(x, self.iova))?, slip);
        if index >= self.total {
            return Err(Error::OutOfRange);
        }
        if !self.config().slips(Slip::BaseNotMoved) {
            self.base = index;
        }
        self.put(memory);
        self.get(memory)
    }

    /// Whether the iteration of the older forms has come to the end (`iova_bitmap_done()`).
    pub fn done(&self) -> bool {
        self.base >= self.total
    }

    /// Moves to the window behind this one (`iova_bitmap_advance()`, before dynamic pinning).
    ///
    /// # Errors
    /// As [`Bitmap::get`]. [`Error::Endless`] after `turns` windows that were set ahead.
    pub fn advance<M: Memory>(&mut self, memory: &mut M, turns: u32) -> Result<(), Error> {
        let g = self.geometry();
        let count = self.formulas.indexes_of(self.mapped_length())?;
        self.base = g.add(self.base, count);
        self.put(memory);
        if self.done() {
            return Ok(());
        }
        if self.set_ahead != 0 {
            self.catch_up(memory, turns)?;
            if self.done() && self.config().ahead == Ahead::PinnedFirst {
                return Ok(());
            }
        }
        self.get(memory)
    }

    /// Sets the rest of a range that the last window could not, and skips the indexes that it fills
    /// (`iova_bitmap_set_ahead()`, one revision only).
    fn catch_up<M: Memory>(&mut self, memory: &mut M, turns: u32) -> Result<(), Error> {
        let g = self.geometry();
        let mut ahead = self.set_ahead;
        let mut left = turns;
        while ahead > 0 && !self.done() {
            left = left.checked_sub(1).ok_or(Error::Endless)?;
            // Before the pin nothing is pinned, so the window has no length yet.
            let measured = self.mapped_length();
            self.get(memory)?;
            let length = match self.config().ahead {
                Ahead::MeasuredFirst => measured.min(ahead),
                Ahead::PinnedFirst => self.mapped_length().min(ahead),
            };
            self.set(self.mapped_iova(), length, memory, turns)?;
            ahead = g.sub(ahead, length);
            self.base = g.add(self.base, self.formulas.indexes_of(length)?);
            self.put(memory);
        }
        self.set_ahead = 0;
        Ok(())
    }

    /// The part of `set` from the label `update_indexes` to its loop: brings the window to the range and
    /// computes the bit numbers.
    ///
    /// Preconditions P2, P4, P5, P9: `x + l - 1` does not wrap and lies in the range, `l` is at least 1, and
    /// the granules of the range and the bits of a page fit together.
    ///
    /// # Errors
    /// As [`Bitmap::advance_to`].
    pub fn set_begin<M: Memory>(&mut self, x: u64, l: u64, memory: &mut M) -> Result<SetLoop, Error> {
        let g = self.geometry();
        let shift = self.formulas.pgshift.get();
        if self.config().windows == Windows::Dynamic && !self.mapped_range(x, l) {
            self.advance_to(x, memory)?;
        }
        let offset_bits = match self.config().placement {
            Placement::InBitNumber => g.shl(self.window.pgoff, g.byte_shift),
            Placement::OnFirstPage => 0,
        };
        let cur = g.add(g.sub(x, self.window.iova) >> shift, offset_bits);
        let last = match self.config().bits {
            Bits::FirstToLast => {
                let less = if self.config().slips(Slip::LastBitExclusive) { 0 } else { 1 };
                let last_byte = g.sub(g.add(x, l), less);
                g.add(g.sub(last_byte, self.window.iova) >> shift, offset_bits)
            }
            Bits::LengthShifted => g.sub(g.add(cur, (l >> shift).max(1)), 1),
        };
        Ok(SetLoop { x, l, cur, last, first_page: true })
    }

    /// One turn of the loop in `set`: the bits in one page.
    pub fn set_turn<M: Memory>(&mut self, at: SetLoop, memory: &mut M) -> Turn {
        let g = self.geometry();
        let config = self.config();
        let page_index = g.uint(at.cur >> g.page_bits_shift());
        let offset = g.uint(at.cur & (g.page_bits() - 1));
        let one = if config.slips(Slip::BitsWithoutOne) { 0 } else { 1 };
        let room = g.page_bits() - offset - u64::from(config.slips(Slip::PageTooShort));
        let wanted = match config.bit_of {
            BitOf::Granule => g.add(g.sub(at.last, at.cur), one),
            BitOf::Address => 1,
        };
        let nbits = g.uint(room.min(wanted));

        let late = u64::from(config.slips(Slip::PageCheckLate));
        let last_page_index = g.add(g.sub(self.window.npages, 1), late);
        if page_index > last_page_index && config.beyond != Beyond::Unchecked {
            return self.beyond_pinned(at);
        }

        match config.bit_of {
            BitOf::Granule => self.write(page_index, offset, nbits, at.first_page, memory),
            BitOf::Address => {
                let bit = self.bit_of_address(at);
                self.write(bit >> g.page_bits_shift(), bit & (g.page_bits() - 1), 1, at.first_page, memory);
            }
        }
        let next = SetLoop { cur: g.add(at.cur, nbits), first_page: false, ..at };
        if next.cur <= next.last {
            Turn::Again(next)
        } else {
            Turn::Done
        }
    }

    /// The bit number of the granule that is set next by the formula of the posted comment, taken from the
    /// start of the range: `data[(iova / page_size) / 64] & (1ULL << (iova % 64))`.
    fn bit_of_address(&self, at: SetLoop) -> u64 {
        let g = self.geometry();
        let window_granule = self.to_granule(0);
        let granule = g.add(at.cur, window_granule);
        let address = g.shl(granule, self.formulas.pgshift.get()).max(g.sub(at.x, self.iova));
        let word_bits = 1u64 << (g.word_shift + g.byte_shift);
        g.sub((granule & !(word_bits - 1)) | (address & (word_bits - 1)), window_granule)
    }

    /// The granule of the range that bit number `bit` of the window stands for.
    pub fn to_granule(&self, bit: u64) -> u64 {
        let g = self.geometry();
        let offset_bits = match self.config().placement {
            Placement::InBitNumber => g.shl(self.window.pgoff, g.byte_shift),
            Placement::OnFirstPage => 0,
        };
        g.sub(g.add(bit, g.shl(self.base, self.formulas.unit_bits_shift())), offset_bits)
    }

    /// The range goes on behind the last pinned page.
    fn beyond_pinned(&mut self, at: SetLoop) -> Turn {
        let g = self.geometry();
        let shift = self.formulas.pgshift.get();
        let one = if self.config().slips(Slip::LeftWithoutOne) { 0 } else { 1 };
        let left = g.shl(g.add(g.sub(at.last, at.cur), one), shift);
        match (self.config().beyond, self.config().restart) {
            (Beyond::Restart, Restart::FromEnd) => Turn::Restart { x: g.add(at.x, g.sub(at.l, left)), l: left },
            (Beyond::Restart, Restart::FromGranule) => {
                let x = g.add(self.iova, g.shl(self.to_granule(at.cur), shift));
                Turn::Restart { x, l: g.sub(g.add(at.x, at.l), x) }
            }
            (Beyond::SetAhead, _) => {
                self.set_ahead = left;
                Turn::Done
            }
            (Beyond::Dropped | Beyond::Unchecked, _) => Turn::Done,
        }
    }

    /// Maps one page of the window, sets bits in it, and unmaps it.
    fn write<M: Memory>(&mut self, page_index: u64, offset: u64, nbits: u64, first: bool, memory: &mut M) {
        let g = self.geometry();
        let config = self.config();
        let page = self.window.first_page.wrapping_add(page_index);
        let start_offset = if config.placement == Placement::OnFirstPage && first { self.window.pgoff } else { 0 };
        let mapped = memory.map(page);
        let kaddr = g.add(mapped, start_offset);
        memory.set_bits(page, g.add(offset, g.shl(start_offset, g.byte_shift)), nbits);
        memory.unmap(match config.unmap {
            Unmap::Mapped => mapped,
            // kaddr is a pointer to unsigned long, so the offset counts words.
            Unmap::MinusWords => g.sub(kaddr, g.shl(start_offset, g.word_shift)),
        });
    }

    /// Records that `l` bytes from `x` on are dirty (`iova_bitmap_set()`). The kernel's function returns
    /// nothing; what it would know is returned here, and [`Bitmap::for_each`] decides what is kept of it.
    ///
    /// Preconditions as for [`Bitmap::set_begin`]; without P7 it may go on for ever.
    ///
    /// # Errors
    /// As [`Bitmap::advance_to`], and [`Error::Endless`] after `turns` turns of the loop.
    pub fn set<M: Memory>(&mut self, x: u64, l: u64, memory: &mut M, turns: u32) -> Result<(), Error> {
        let Some((mut x, mut l)) = self.clipped(x, l) else { return Ok(()) };
        let mut left = turns;
        loop {
            let mut at = self.set_begin(x, l, memory)?;
            loop {
                left = left.checked_sub(1).ok_or(Error::Endless)?;
                match self.set_turn(at, memory) {
                    Turn::Again(next) => at = next,
                    Turn::Done => return Ok(()),
                    Turn::Restart { x: rest, l: length } => {
                        x = rest;
                        l = length;
                        break;
                    }
                }
            }
        }
    }

    /// The range as `set` takes it, and nothing if the version clips and nothing is left.
    fn clipped(&self, x: u64, l: u64) -> Option<(u64, u64)> {
        if self.config().clip == Clip::Trusted {
            return Some((x, l));
        }
        let g = self.geometry();
        let range_last = g.add(self.iova, self.length - 1);
        let last = if l - 1 > g.max() - x { g.max() } else { x + (l - 1) };
        let (first, last) = (x.max(self.iova), last.min(range_last));
        if first > last {
            None
        } else {
            Some((first, last - first + 1))
        }
    }

    /// The driver's callback: walks `length` bytes from `from` on, records every range that is marked as
    /// dirty there, and clears the mark.
    ///
    /// A range that began before `from` is recorded from `from` on, as a page-table walk would.
    fn read_and_clear<M: Memory, const N: usize>(
        &mut self,
        records: &mut [Record; N],
        from: u64,
        length: u64,
        memory: &mut M,
        turns: u32,
    ) -> Result<(), Error> {
        let g = self.geometry();
        let to = g.sub(g.add(from, length), 1);
        let whole = self.config().windows == Windows::Dynamic;
        let mut i = 0;
        while i < N {
            let Record { x, l, dirty } = records[i];
            let last = g.sub(g.add(x, l), 1);
            if dirty && (whole || (x <= to && last >= from)) {
                records[i].dirty = false;
                let start = if whole { x } else { x.max(from) };
                match self.set(start, g.sub(l, g.sub(start, x)), memory, turns) {
                    Ok(()) => {}
                    Err(Error::Fault | Error::OutOfRange) => self.failed = true,
                    Err(end) => return Err(end),
                }
            }
            i += 1;
        }
        Ok(())
    }

    /// `iova_bitmap_for_each()`: reads the device's dirty ranges into the bitmap. `Ok` is what the caller of
    /// the kernel's function sees as success.
    ///
    /// # Errors
    /// What the caller sees as an error, and [`Error::Undefined`] and [`Error::Endless`].
    pub fn for_each<M: Memory, const N: usize>(
        &mut self,
        records: &mut [Record; N],
        memory: &mut M,
        turns: u32,
    ) -> Result<(), Error> {
        let result = match self.config().windows {
            Windows::Dynamic => self.read_and_clear(records, self.iova, self.length, memory, turns),
            Windows::Each => self.for_each_window(records, memory, turns),
        };
        match result {
            Ok(()) if self.failed && self.config().errors == Errors::Kept => Err(Error::Fault),
            other => other,
        }
    }

    /// The iteration before dynamic pinning: pin, callback, advance.
    fn for_each_window<M: Memory, const N: usize>(
        &mut self,
        records: &mut [Record; N],
        memory: &mut M,
        turns: u32,
    ) -> Result<(), Error> {
        self.get(memory)?;
        let mut left = turns;
        while !self.done() {
            left = left.checked_sub(1).ok_or(Error::Endless)?;
            self.read_and_clear(records, self.mapped_iova(), self.mapped_length(), memory, turns)?;
            self.advance(memory, turns)?;
        }
        Ok(())
    }
}
