//! iova-bitmap: index and window arithmetic over a user bitmap of dirty IOVAs. Arithmetic, not a state
//! machine.
//!
//! # Claim
//! After an iteration that succeeded, exactly those bits of the user's bitmap are set whose granules a
//! recorded range touches (`deliver-all`); the other claims stand in [`variants::BITMAP_CLAIMS`].
//!
//! # Source
//! `drivers/iommu/iommufd/iova_bitmap.c` (since 2023), before that `drivers/vfio/iova_bitmap.c`; first posted
//! as `[PATCH V2 vfio 05/11] vfio: Add an IOVA bitmap support` in July 2022. Kernel functions keep their names.
//! ```text
//!   IOVA      iova                  mapped_iova                 iova + length - 1
//!             |  2^s bytes = 1 bit  |<---- window.length ---->|   |
//!   index     0  .  .  .  .  .  .  base  .  .  .  .  .  .  .  .  total - 1
//!   user      address               address + base
//!   pages   ..|........|........|...:....|........|........|........|
//!                               |   pgoff         |
//!                               first_page ... npages pinned
//! ```
//! `set(x, l)` moves the window to `x` unless the range lies in it, and then sets bits page by page; behind
//! the last pinned page it starts again with the rest.
//!
//! # Widths
//! The code is written once over a [`Geometry`]: [`Geometry::KERNEL`] is the real machine, and at reduced
//! widths the enumeration looks at every input. Everything wraps at the width of `unsigned long`; the page
//! index, the bit in the page and the number of bits are narrowed to `unsigned int`, as in the kernel.
//!
//! # Preconditions
//! Claims rest on [`Given`]. Each precondition has a variant that is the current form without it; its verdict
//! is what happens then, and `kverdict show` prints the smallest input.
//!
//! | | precondition | without it | who ensures it |
//! | --- | --- | --- | --- |
//! | P1 | the range has a byte | `empty-range`: the number of indexes is that of the whole address space; harmless alone | `iommufd_check_iova_range()`, though not for `iova` 0 in the text that we read |
//! | P2 | the range's last byte has an address | `wrapping-range`: bits lost, wrong bits, no end | `iommufd_check_iova_range()`, `vfio_ioctl_device_feature_logging_report()` |
//! | P3 | the page size is a power of two | `odd-page-size`: a bit stands for too little, and the bitmap is overrun | `vfio_ioctl_device_feature_logging_report()`; the text of `iommufd_check_iova_range()` that we read compares alignments only |
//! | P4 | a record lies in the range | `record-beyond-range`: up to a page of memory behind the bitmap is written | the driver; a walk that meets a huge page at the range's end does not |
//! | P5 | a record has a byte | `empty-record`: all pinned pages are filled | the driver |
//! | P6 | pins succeed, if only in part | `error-dropped`: success is returned for a bitmap with holes | the user, whose memory it is |
//! | P7 | a record ends on a granule | `unaligned-end`: a restart can repeat for as long as the next page of the bitmap cannot be pinned | with iommufd the alignment of range and page size, and the driver; `vfio_ioctl_device_feature_logging_report()` as we read it does not look at the alignment of `iova` |
//! | P8 | the range rounded up to whole indexes has a last address | `rounding-wraps`: the last window is wrong, and every record in it pins again; bits are right | nobody |
//! | P9 | granules and the bits of a page fit together | `bit-numbers-wrap`: bits are lost | page sizes above 1 |
//!
//! Not needed: an alignment of the range's start or of the bitmap's address.
//!
//! # Assumptions
//! - A1: Pinned pages are consecutive in the user's memory, as `pin_user_pages_fast()` returns them, so the
//!   array of page pointers is its first page number and a count. A write through a pointer that the array
//!   does not have is a *wild write* and changes nothing else here; in the kernel anything may follow.
//! - A2: One iteration at a time. The kernel's callers hold their own locks; two iterations over one
//!   `struct iova_bitmap` are not modelled.
//! - A3: `bitmap_set()` sets the bits that it is told to. The user's own accesses to the bitmap are not
//!   modelled; the kernel's plain read-modify-write can lose a bit that user space sets at the same time.
//! - A4: The device reports each dirty range once, and clears its own mark when it does. In the iteration by
//!   windows a range that began in an earlier window is reported from the window's start on.
//! - A5: The user's bitmap lies in user memory: its end is an address.
//! - A6: Pages have the size that the kernel is built for; the array of page pointers is one such page.
//!
//! # Bounds
//! The arithmetic has none. The enumeration's are in [`enumerate`]; the Kani proofs have none but the two that
//! they state.

pub mod arithmetic;
pub mod config;
pub mod enumerate;
pub mod geometry;
pub mod memory;
pub mod neighbours;
pub mod properties;
pub mod variants;

pub use arithmetic::{Bitmap, Error, Formulas, Record, SetLoop, Turn, Undefined, Window};
pub use config::{Config, Given, Slip};
pub use geometry::{Geometry, PageShift};
pub use memory::{Memory, Misuse, Pinned, SmallMemory, Tape, Watch};
pub use variants::{Claim, Subject, MECHANISM, VARIANTS};
