//! Protocols whose numbers of states are published with Stateright's examples, written again from the
//! protocols with states of our own kind; and two models that only the engine's tests need.

pub mod graph;
pub mod increment;
pub mod numbers;
pub mod restated;
pub mod single_copy_register;
pub mod two_phase_commit;
