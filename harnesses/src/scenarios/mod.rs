//! Every scenario, by mechanism. Each collects the outcomes of all executions and compares them with the exact set.

pub mod deep;
mod io_bitmap;
mod iommu_flush;
mod ldt;
mod pkeys;
pub mod primitives;

use crate::scenario::Scenario;
use std::sync::LazyLock;

/// All scenarios of all mechanisms.
pub fn scenarios() -> &'static [Scenario] {
    static ALL: LazyLock<Vec<Scenario>> =
        LazyLock::new(|| [io_bitmap::SCENARIOS, iommu_flush::SCENARIOS, ldt::SCENARIOS, pkeys::SCENARIOS].concat());
    &ALL
}

/// Threads of a scenario: one that loom spawns beside the test's own, which is an actor too.
macro_rules! beside {
    ($shared:ident, $other:expr) => {{
        let $shared = std::sync::Arc::clone(&$shared);
        crate::over_loom::primitives::spawn(move || $other)
    }};
}
pub(crate) use beside;
