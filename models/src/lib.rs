//! The mechanisms of kverdict: states, steps, properties and variants.
//!
//! One file or folder a mechanism, each the only copy of its protocol. No engine, no input or output, no
//! time, no randomness and, by default, no dependency, so that Kani and an older compiler can build it.

#[cfg(test)]
mod inductive;
pub mod io_bitmap;
pub mod iommu_flush;
pub mod iova_bitmap;
pub mod ldt;
pub mod machine;
pub mod pkeys;
#[cfg(feature = "stateright")]
pub mod stateright;
pub mod words;
