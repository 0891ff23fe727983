//! What the bitmap needs from the rest of the kernel: pinning, temporary mappings, and the bits themselves.

use super::geometry::Geometry;

/// The user's memory, its pages pinned and mapped by the kernel.
pub trait Memory {
    /// `pin_user_pages_fast()`: pins up to `pages` user pages from page number `first` on. Returns how many
    /// were pinned, from 1 to `pages`, or a negative error; 0 is possible where nothing forbids it.
    fn pin(&mut self, first: u64, pages: u64) -> i64;
    /// `unpin_user_pages()` on the page pointers that a pin has returned.
    fn unpin(&mut self, first: u64, pages: u64);
    /// `kmap_local_page()`: the kernel address of a page.
    fn map(&mut self, page: u64) -> u64;
    /// `kunmap_local()`.
    fn unmap(&mut self, address: u64);
    /// `bitmap_set()`: sets `bits` bits from bit `first` of page number `page` on. A page that is not
    /// pinned stands for a page pointer that the window does not have.
    fn set_bits(&mut self, page: u64, first: u64, bits: u64);
}

/// What memory management itself would complain about, whatever the bits are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Misuse {
    /// A write through a page pointer that is not pinned, or past the end of its page.
    pub wild_write: bool,
    /// A pin while pages are pinned, or an unpin of something other than what is pinned.
    pub unbalanced_pin: bool,
    /// An unmap of an address in a page other than the mapped one.
    pub wrong_unmap: bool,
    /// A pin of no pages at all, or of more than fit into the array of page pointers.
    pub bad_pin_count: bool,
}

/// Which pages are pinned and which is mapped; shared by all memories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The widths.
    pub geometry: Geometry,
    /// The first pinned page.
    pub first: u64,
    /// How many are pinned.
    pub count: u64,
    /// The address of the mapped page, if one is mapped.
    pub mapped: Option<u64>,
    /// What went wrong.
    pub misuse: Misuse,
}

impl Pinned {
    /// Nothing pinned, nothing mapped.
    pub const fn none(geometry: Geometry) -> Self {
        let misuse = Misuse { wild_write: false, unbalanced_pin: false, wrong_unmap: false, bad_pin_count: false };
        Self { geometry, first: 0, count: 0, mapped: None, misuse }
    }

    /// A pin of `count` out of `asked` pages.
    pub fn pin(&mut self, first: u64, asked: u64, count: u64) {
        self.misuse.bad_pin_count |= asked == 0 || asked > self.geometry.pages_max;
        self.misuse.unbalanced_pin |= self.count != 0;
        self.first = first;
        self.count = count;
    }

    /// An unpin.
    pub fn unpin(&mut self, first: u64, count: u64) {
        self.misuse.unbalanced_pin |= self.count == 0 || self.count != count || self.first != first;
        self.count = 0;
    }

    /// Maps a page. Kernel addresses of pages are their numbers times the page size, as in a direct map.
    pub fn map(&mut self, page: u64) -> u64 {
        let address = self.geometry.shl(page, self.geometry.page_shift);
        self.mapped = Some(address);
        address
    }

    /// Unmaps the page that `address` lies in.
    pub fn unmap(&mut self, address: u64) {
        let page = address & !(self.geometry.page_bytes() - 1);
        self.misuse.wrong_unmap |= self.mapped != Some(page);
        self.mapped = None;
    }

    /// Whether a write of `bits` bits from bit `first` of `page` on stays in a pinned page.
    pub fn allows(&mut self, page: u64, first: u64, bits: u64) -> bool {
        let page_bits = self.geometry.page_bits();
        let pinned = page >= self.first && page - self.first < self.count;
        let inside = bits <= page_bits && first <= page_bits - bits;
        self.misuse.wild_write |= !(pinned && inside);
        pinned && inside
    }
}

/// The most answers that a [`Tape`] has; a pin after that gets the last answer again.
pub const TAPE_MAX: usize = 8;

/// The answers to the pins of one run, chosen by the caller. Stepping through all tapes runs through every
/// sequence of answers.
///
/// Answer 0 pins all pages that were asked for, 1 one page fewer, and so on down to one page; then, if they
/// are among the possibilities, comes a failure, and then 0 pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tape {
    answers: [u8; TAPE_MAX],
    choices: [u8; TAPE_MAX],
    used: usize,
    /// How many answers are free before the last one repeats.
    length: usize,
    fails: bool,
    empties: bool,
}

impl Tape {
    /// The tape on which every pin gives what was asked for. `fails` and `empties` say which answers
    /// beside 1 to all pages exist.
    pub const fn new(length: usize, fails: bool, empties: bool) -> Self {
        Self { answers: [0; TAPE_MAX], choices: [1; TAPE_MAX], used: 0, length, fails, empties }
    }

    /// The same tape with the given answers.
    pub const fn with_answers(mut self, answers: [u8; TAPE_MAX]) -> Self {
        self.answers = answers;
        self
    }

    /// The answer to a pin of `asked` pages: the number of pages, or a negative error.
    pub fn answer(&mut self, asked: u64) -> i64 {
        let choices = asked + u64::from(self.fails) + u64::from(self.empties);
        let at = if self.used < self.length { self.used } else { self.length - 1 };
        if self.used < self.length {
            self.choices[at] = if choices < 255 { choices as u8 } else { 255 };
            self.used += 1;
        }
        let answer = u64::from(self.answers[at]);
        if answer < asked {
            (asked - answer) as i64
        } else if answer == asked && self.fails {
            EFAULT
        } else if answer <= asked && self.empties {
            0
        } else if self.fails {
            // A repeated answer that was chosen for a larger pin.
            if self.empties {
                0
            } else {
                EFAULT
            }
        } else {
            i64::from(asked > 0)
        }
    }

    /// The next tape in lexicographic order, given what the run with this one asked for; `None` after the
    /// last.
    pub fn next(self) -> Option<Self> {
        let mut next = self;
        let mut at = self.used;
        next.used = 0;
        while at > 0 {
            at -= 1;
            if self.answers[at] + 1 < self.choices[at] {
                next.answers[at] += 1;
                return Some(next);
            }
            next.answers[at] = 0;
        }
        None
    }

    /// The answers, in order.
    pub fn answers(&self) -> &[u8] {
        &self.answers[..self.used]
    }
}

/// The kernel's `-EFAULT`.
pub const EFAULT: i64 = -14;

/// A small user memory that owns its bits: 128 bits from page 0 on, zero at first. Bit 0 is the lowest bit
/// of the lowest byte, as on a little-endian machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmallMemory {
    /// The bits.
    pub bits: u128,
    /// What is pinned and mapped.
    pub pinned: Pinned,
    /// The answers to the pins.
    pub tape: Tape,
    /// How many pins there were.
    pub pins: u32,
    /// Whether a pin failed.
    pub pin_failed: bool,
}

impl SmallMemory {
    /// Clean memory.
    pub const fn new(geometry: Geometry, tape: Tape) -> Self {
        Self { bits: 0, pinned: Pinned::none(geometry), tape, pins: 0, pin_failed: false }
    }
}

impl Memory for SmallMemory {
    fn pin(&mut self, first: u64, pages: u64) -> i64 {
        let answer = self.tape.answer(pages);
        self.pins += 1;
        self.pin_failed |= answer <= 0;
        self.pinned.pin(first, pages, if answer > 0 { answer as u64 } else { 0 });
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
        if bits == 0 || !self.pinned.allows(page, first, bits) {
            return;
        }
        let position = (page << self.pinned.geometry.page_bits_shift()) + first;
        if bits >= 128 || position > 128 - bits {
            self.pinned.misuse.wild_write = true;
            return;
        }
        self.bits |= (u128::MAX >> (128 - bits)) << position;
    }
}

/// A user memory of any size of which one bit is watched. A claim about the watched bit, whichever it is,
/// is a claim about all bits; so properties of whole bitmaps can be proved without storing them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The page of the watched bit.
    pub page: u64,
    /// Its number in the page.
    pub bit: u64,
    /// Whether it is set.
    pub set: bool,
    /// What is pinned and mapped.
    pub pinned: Pinned,
    /// How many pages every further pin gives, at most; negative for a failure.
    pub answer: i64,
    /// How many pins there were.
    pub pins: u32,
}

impl Watch {
    /// Nothing is pinned, and the watched bit is clear.
    pub const fn new(geometry: Geometry, page: u64, bit: u64, answer: i64) -> Self {
        Self { page, bit, set: false, pinned: Pinned::none(geometry), answer, pins: 0 }
    }

    /// The position of the watched bit in the user's memory, counted in bits.
    pub fn position(&self) -> u128 {
        (u128::from(self.page) << self.pinned.geometry.page_bits_shift()) + u128::from(self.bit)
    }
}

impl Memory for Watch {
    fn pin(&mut self, first: u64, pages: u64) -> i64 {
        self.pins = self.pins.wrapping_add(1);
        let answer = if self.answer > 0 && self.answer as u64 > pages { pages as i64 } else { self.answer };
        self.pinned.pin(first, pages, if answer > 0 { answer as u64 } else { 0 });
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
        if bits != 0 && self.pinned.allows(page, first, bits) && page == self.page {
            self.set |= self.bit >= first && self.bit - first < bits;
        }
    }
}
