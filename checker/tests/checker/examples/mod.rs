//! Protocols whose numbers of states are published with Stateright's examples, written again from the
//! protocols with states of our own kind.

pub mod graph;
pub mod increment;
pub mod single_copy_register;
pub mod two_phase_commit;
