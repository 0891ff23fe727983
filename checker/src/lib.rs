//! An exact explicit-state model checker for anything that implements `stateright::Model`.
//!
//! Breadth first, with the states themselves kept and compared: no state is ever taken for another, and a
//! verdict rests on no hash. One run gives a shortest counterexample for every property, a shortest run to
//! every witness, deadlocks, the number of distinct states and of steps of every kind, and which limit was
//! hit, if any: what a limit left open is *undecided*, never true. The result is the same in every run and
//! with any number of threads.
//!
//! Begin with [`Checker`]. [`Space`] gives the visited states, [`cross_check`] a second opinion.
//!
//! What it cannot do: it sees the sizes and the steps that the model has, and nothing else. A model whose
//! `Hash` disagrees with its `Eq` (equal states with different hashes) gets states counted twice.

mod barrier;
mod candidates;
mod checker;
mod cross_check;
mod error;
mod expand;
mod hasher;
mod limits;
mod liveness;
mod parallel;
mod pieces;
mod placement;
mod prefetch;
mod recent;
mod replay;
mod report;
mod search;
mod sequential;
mod shard;
mod space;

pub use checker::{Checkable, Checker, ErrorOf, ReportOf};
pub use cross_check::{CrossCheck, CrossCheckError, Difference, VerdictPair, cross_check};
pub use error::{CheckError, Phase, message_of};
pub use limits::Limit;
pub use report::{Outcome, Path, Progress, PropertyReport, Report};
pub use shard::StateId;
pub use space::Space;
