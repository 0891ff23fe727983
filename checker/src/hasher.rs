//! The hash of a state: it only says where to look, so a collision costs time and never truth.
//!
//! `derive(Hash)` on a struct of small enums writes many values of one byte or less. Mixing each of them
//! alone would cost more than the model's own step, so this hasher first packs them into 64-bit words and
//! mixes whole words. Once inlined, the position within the word is a constant at most places.

use std::hash::{Hash, Hasher};

const INPUT: u64 = 0x9E37_79B9_7F4A_7C15;
const WORD: u64 = 0xD6E8_FEB8_6659_FD93;
const FINISH: u64 = 0xA076_1D64_78BD_642F;

/// The hash of a value. Any of its bits can be used independently of the others.
#[inline]
pub(crate) fn hash_of<T: Hash>(value: &T) -> u32 {
    let mut hasher = Packer { word: 0, used: 0, mixed: 0 };
    value.hash(&mut hasher);
    hasher.finish() as u32
}

struct Packer {
    /// Values written since the last mixing, the oldest in the lowest bits.
    word: u64,
    /// How many bits of `word` are taken.
    used: u32,
    mixed: u64,
}

/// Multiplies to 128 bits and folds the halves: what differs in a few bits of `a` differs in many of the result.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Takes in a word. No multiplication waits for the one before; turning tells the places of words apart.
#[inline]
fn mix(mixed: u64, word: u64) -> u64 {
    mixed.rotate_left(23).wrapping_add(fold(word ^ INPUT, WORD))
}

impl Packer {
    #[inline]
    fn push(&mut self, value: u64, bits: u32) {
        if self.used + bits > 64 {
            self.mixed = mix(self.mixed, self.word);
            self.word = value;
            self.used = bits;
        } else {
            self.word |= value << self.used;
            self.used += bits;
        }
    }
}

impl Hasher for Packer {
    #[inline]
    fn finish(&self) -> u64 {
        fold(fold(mix(self.mixed, self.word), FINISH) ^ INPUT, WORD)
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.push(u64::from_le_bytes(*word), 64);
        }
        for byte in rest {
            self.push(u64::from(*byte), 8);
        }
    }

    #[inline]
    fn write_u8(&mut self, value: u8) {
        self.push(u64::from(value), 8);
    }
    #[inline]
    fn write_u16(&mut self, value: u16) {
        self.push(u64::from(value), 16);
    }
    #[inline]
    fn write_u32(&mut self, value: u32) {
        self.push(u64::from(value), 32);
    }
    #[inline]
    fn write_u64(&mut self, value: u64) {
        self.push(value, 64);
    }
    #[inline]
    fn write_u128(&mut self, value: u128) {
        self.push(value as u64, 64);
        self.push((value >> 64) as u64, 64);
    }
    /// Lengths are written this way: nearly always small, and then one byte is enough. Two sequences of
    /// writes can thereby become one word, which is a collision like any other.
    #[inline]
    fn write_usize(&mut self, value: usize) {
        self.push(value as u64, if value < 256 { 8 } else { 64 });
    }
    /// The discriminants of enums are written this way.
    #[inline]
    fn write_isize(&mut self, value: isize) {
        self.write_usize(value as usize);
    }
}

/// States that all have the same hash.
#[cfg(test)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Colliding(pub(crate) u32);

#[cfg(test)]
impl Hash for Colliding {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[derive(Hash)]
    struct Small {
        flags: [bool; 12],
        owner: Option<u8>,
        count: u16,
    }

    fn small(n: u64) -> Small {
        let flags = std::array::from_fn(|bit| n >> bit & 1 == 1);
        Small { flags, owner: (n >> 12 & 1 == 1).then_some((n >> 13 & 7) as u8), count: (n >> 16) as u16 }
    }

    /// Shards take the upper bits, slots the lower ones, and tags those between: each alone must spread
    /// states that differ in a few bits only.
    #[test]
    fn upper_middle_and_lower_bits_spread_alike() {
        for shift in [0, 9, 18] {
            let values: HashSet<u32> = (0..4096).map(|n| hash_of(&small(n)) >> shift & 0x3FFF).collect();
            // 4,096 balls in 16,384 bins hit about 3,624 of them.
            assert!(values.len() > 3500, "only {} values at bit {shift}", values.len());
        }
    }

    #[test]
    fn wide_values_are_not_cut() {
        assert_ne!(hash_of(&-1_isize), hash_of(&255_isize));
        assert_ne!(hash_of(&256_usize), hash_of(&512_usize));
        assert_ne!(hash_of(&(1_u128 << 100)), hash_of(&(1_u128 << 101)));
    }

    #[test]
    fn strings_of_every_length_differ() {
        let all: HashSet<u32> = (0..64).map(|n| hash_of(&"a".repeat(n))).collect();
        assert_eq!(all.len(), 64);
    }
}
