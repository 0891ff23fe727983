//! Stateright's fingerprint of a state, which the library does not give out: the same hash with the same keys.
//!
//! A test of the command line compares it with what `kverdict explore --stock` answers.

use std::hash::Hash;

/// The keys of Stateright 0.31.
const KEYS: [u64; 4] = [123_456_789_987_654_321, 98_765_432_123_456_789, 0, 0];

/// The fingerprint as Stateright's Explorer writes it.
pub(crate) fn fingerprint<S: Hash>(state: &S) -> String {
    ahash::RandomState::with_seeds(KEYS[0], KEYS[1], KEYS[2], KEYS[3]).hash_one(state).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_numbers_of_their_own() {
        assert!(fingerprint(&1u8).parse::<u64>().is_ok());
        assert_ne!(fingerprint(&1u8), fingerprint(&2u8));
    }
}
