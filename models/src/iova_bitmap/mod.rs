//! header

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
