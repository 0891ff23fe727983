//! The widths of the machine, as parameters, so that the same functions run at the kernel's widths and,
//! completely enumerated, at a reduced width.

/// How wide the kernel's types are. [`Geometry::KERNEL`] is the real one; every other value is a reduced
/// width at which all inputs can be looked at. The code of the bitmap is the same for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Bits of `unsigned long`: addresses, lengths, indexes and bit numbers wrap at this width.
    pub address_bits: u32,
    /// Bits of `int` and `unsigned int`.
    pub int_bits: u32,
    /// Base-2 logarithm of the bits in a byte of the bitmap.
    pub byte_shift: u32,
    /// Base-2 logarithm of the bytes in a `u64` of the bitmap, the index unit of the first revisions.
    pub word_shift: u32,
    /// Base-2 logarithm of the bytes in a page of the kernel (`PAGE_SHIFT`).
    pub page_shift: u32,
    /// The most pages that are pinned at once (`PAGE_SIZE / sizeof(struct page *)`).
    pub pages_max: u64,
}

impl Geometry {
    /// x86-64 with 4 KiB pages.
    pub const KERNEL: Self =
        Self { address_bits: 64, int_bits: 32, byte_shift: 3, word_shift: 3, page_shift: 12, pages_max: 512 };

    /// A reduced width: addresses of `address_bits`, an `int` of 3 bits, bytes of 2 bits, words of 2 bytes.
    pub const fn reduced(address_bits: u32, page_shift: u32, pages_max: u64) -> Self {
        Self { address_bits, int_bits: 3, byte_shift: 1, word_shift: 1, page_shift, pages_max }
    }

    /// The largest `unsigned long`.
    pub const fn max(self) -> u64 {
        u64::MAX >> (64 - self.address_bits)
    }

    /// `a + b` as `unsigned long`: wraps.
    pub const fn add(self, a: u64, b: u64) -> u64 {
        a.wrapping_add(b) & self.max()
    }

    /// `a - b` as `unsigned long`: wraps.
    pub const fn sub(self, a: u64, b: u64) -> u64 {
        a.wrapping_sub(b) & self.max()
    }

    /// `a << shift` as `unsigned long`: the bits above the width are lost.
    ///
    /// Precondition: `shift` is smaller than the width, as C demands. [`PageShift`] is what makes it so for
    /// every shift by the page size; all other shifts are by constants of the geometry.
    pub const fn shl(self, a: u64, shift: u32) -> u64 {
        (a << shift) & self.max()
    }

    /// Conversion to `unsigned int`: the upper bits are lost.
    pub const fn uint(self, a: u64) -> u64 {
        a & (u64::MAX >> (64 - self.int_bits))
    }

    /// Bytes in a page.
    pub const fn page_bytes(self) -> u64 {
        1 << self.page_shift
    }

    /// Base-2 logarithm of the bits in a page (`BITS_PER_PAGE`).
    pub const fn page_bits_shift(self) -> u32 {
        self.page_shift + self.byte_shift
    }

    /// Bits in a page.
    pub const fn page_bits(self) -> u64 {
        1 << self.page_bits_shift()
    }

    /// The part of a user address within its page (`offset_in_page()`).
    pub const fn offset_in_page(self, address: u64) -> u64 {
        address & (self.page_bytes() - 1)
    }
}

/// The base-2 logarithm of the bitmap's page size: a shift that is smaller than the width of
/// `unsigned long`. The kernel has it from `__ffs(page_size)`, which is that for every page size but 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageShift(u32);

impl PageShift {
    /// The shift, if it is one at this width.
    pub const fn new(geometry: Geometry, shift: u32) -> Option<Self> {
        if shift < geometry.address_bits {
            Some(Self(shift))
        } else {
            None
        }
    }

    /// `__ffs(page_size)`: the lowest set bit, whatever stands above it. `None` for 0, where C leaves
    /// `__ffs()` undefined.
    pub const fn of_page_size(page_size: u64) -> Option<Self> {
        if page_size == 0 {
            None
        } else {
            Some(Self(page_size.trailing_zeros()))
        }
    }

    /// The number of bits to shift by.
    pub const fn get(self) -> u32 {
        self.0
    }
}
