//! The concurrent protocols of kverdict as real Rust code on atomics.
//!
//! A model says what may be observed when each step is atomic. The ports in `port/` are the code itself, and every one
//! of them is compiled three times from the same source, over the three engines in [`sync`]:
//!
//! - [`over_loom`]: loom looks at memory orders, in the [`scenarios`];
//! - [`over_shuttle`]: random schedules, shrunk by proptest;
//! - [`over_std`]: real threads, for stress.
//!
//! Each port can record its steps under the labels of its model; [`replay`] walks such a record through the model.
//! `docs/harnesses.md` says what loom can and cannot see, and how to add a scenario.

mod event;
mod explore;
pub mod replay;
pub mod scenario;
pub mod scenarios;
pub mod sync;

pub use event::{Event, Seen};
pub use explore::{Outcome, explore, replay_under_loom};
pub use scenarios::scenarios;

/// The ports over std.
#[path = "port"]
#[expect(clippy::duplicate_mod, reason = "the same source over each engine is the point")]
pub mod over_std {
    use crate::sync::on_std as sync;
    pub mod io_bitmap;
    pub mod iommu_flush;
    pub mod ldt;
    pub mod pkeys;
    pub mod primitives;
    pub mod recorder;
    pub mod script;
}

/// The ports over loom.
#[path = "port"]
#[expect(clippy::duplicate_mod, reason = "the same source over each engine is the point")]
pub mod over_loom {
    use crate::sync::on_loom as sync;
    pub mod io_bitmap;
    pub mod iommu_flush;
    pub mod ldt;
    pub mod pkeys;
    pub mod primitives;
    pub mod recorder;
    pub mod script;
}

/// The ports over shuttle.
#[path = "port"]
#[expect(clippy::duplicate_mod, reason = "the same source over each engine is the point")]
pub mod over_shuttle {
    use crate::sync::on_shuttle as sync;
    pub mod io_bitmap;
    pub mod iommu_flush;
    pub mod ldt;
    pub mod pkeys;
    pub mod primitives;
    pub mod recorder;
    pub mod script;
}
