//! Protocols whose numbers of states are published with Stateright's examples, written again from the
//! protocols with states of our own kind.

#![allow(dead_code, unreachable_pub, missing_docs, reason = "a module of tests; each file uses some of it")]
#![allow(clippy::allow_attributes, reason = "`expect` fails in the files that use all of them")]

pub mod graph;
pub mod increment;
pub mod single_copy_register;
pub mod two_phase_commit;
