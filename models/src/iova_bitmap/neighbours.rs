//! Two arithmetic questions from other mails: how many pages to populate for a buffer, and a shift by a
//! number that the user chose.

use super::arithmetic::Undefined;
use super::geometry::Geometry;

/// How `percpu_setup_debug_store()` computes how many pages it populates for `struct debug_store_buffers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Populate {
    /// `sizeof(struct debug_store_buffers) / PAGE_SIZE`.
    Truncates,
    /// `DIV_ROUND_UP(sizeof(struct debug_store_buffers), PAGE_SIZE)`.
    RoundsUp,
    /// The division, with a build-time check that the size is a multiple of the page size.
    TruncatesMultiple,
}

impl Populate {
    /// How many pages are populated for `size` bytes.
    pub fn pages(self, geometry: Geometry, size: u64) -> u64 {
        match self {
            Self::Truncates | Self::TruncatesMultiple => size >> geometry.page_shift,
            Self::RoundsUp => geometry.add(size, geometry.page_bytes() - 1) >> geometry.page_shift,
        }
    }

    /// The precondition: for the rounding, that adding does not wrap; for the checked division, the check.
    pub fn given(self, geometry: Geometry, size: u64) -> bool {
        match self {
            Self::Truncates => true,
            Self::RoundsUp => size <= geometry.max() - (geometry.page_bytes() - 1),
            Self::TruncatesMultiple => geometry.offset_in_page(size) == 0,
        }
    }

    /// `populates-all`: every byte of the buffers lies in a populated page, and no page is populated that
    /// holds none of them.
    pub fn populates_all(self, geometry: Geometry, size: u64) -> bool {
        let bytes = u128::from(self.pages(geometry, size)) << geometry.page_shift;
        bytes >= u128::from(size) && bytes < u128::from(size) + u128::from(geometry.page_bytes())
    }
}

/// How a protection key is turned into its bit of the allocation map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyShift {
    /// `1U << pkey`, whatever the user passed.
    Unchecked,
    /// Only after `0 <= pkey && pkey < 16`.
    Checked,
    /// Only after `pkey < 16`, without the lower bound.
    CheckedAbove,
}

/// How many protection keys there are: `arch_max_pkey()` on x86.
pub const KEYS: i32 = 16;

impl KeyShift {
    /// The number that 1 is shifted by, or nothing if the key is refused before that.
    pub fn shift(self, key: i32) -> Option<i32> {
        let refused = match self {
            Self::Unchecked => false,
            Self::Checked => !(0..KEYS).contains(&key),
            Self::CheckedAbove => key >= KEYS,
        };
        if refused {
            None
        } else {
            Some(key)
        }
    }

    /// Whether the key counts as allocated in `map`: `mm_pkey_is_allocated()`.
    ///
    /// # Errors
    /// A shift by the width of `int` or more, or by less than 0, is undefined in C.
    pub fn is_allocated(self, map: u16, key: i32) -> Result<bool, Undefined> {
        match self.shift(key) {
            None => Ok(false),
            Some(shift) if (0..32).contains(&shift) => Ok(u32::from(map) & (1 << shift) != 0),
            Some(_) => Err(Undefined::ShiftTooFar),
        }
    }

    /// `key-in-range`: the shift is by 0 to 15 for every key that a user can pass, and the answer is yes for
    /// exactly the keys whose bit is set.
    pub fn key_in_range(self, map: u16, key: i32) -> bool {
        let expected = matches!(u32::try_from(key), Ok(bit) if bit < 16 && (u32::from(map) >> bit) & 1 == 1);
        let in_range = self.shift(key).is_none_or(|shift| (0..16).contains(&shift));
        in_range && self.is_allocated(map, key) == Ok(expected)
    }
}
