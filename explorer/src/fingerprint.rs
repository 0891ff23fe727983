//! Stateright's fingerprint of a state, which the library gives only as part of an encoded path.

use std::fmt::Debug;
use std::hash::Hash;

use stateright::{Model, Path};

/// A model whose only run is one state.
struct Single<S>(S);

impl<S: Copy + Debug + Eq + Hash> Model for Single<S> {
    type State = S;
    type Action = ();

    fn init_states(&self) -> Vec<S> {
        vec![self.0]
    }
    fn actions(&self, _: &S, _: &mut Vec<()>) {}
    fn next_state(&self, _: &S, (): ()) -> Option<S> {
        None
    }
}

/// The fingerprint as Stateright writes it into the address of a state.
pub(crate) fn fingerprint<S: Copy + Debug + Eq + Hash>(state: &S) -> String {
    let path = Path::from_actions(&Single(*state), *state, &[]);
    path.map_or_else(String::new, |path| path.encode(&Single(*state)))
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
