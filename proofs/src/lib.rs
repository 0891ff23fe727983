//! Kani proofs about the models, one file a mechanism.
//!
//! Without Kani they run as tests over drawn values (see the crate `kverdict-kani-stand-in`), which says that
//! they can be satisfied and that they notice mistakes, and proves nothing.

#[cfg(any(kani, test))]
mod io_bitmap;
#[cfg(any(kani, test))]
mod iommu_flush;
#[cfg(any(kani, test))]
mod iova_bitmap;
#[cfg(any(kani, test))]
mod ldt;
#[cfg(any(kani, test))]
mod pkeys;
#[cfg(all(test, not(kani)))]
mod samples;
