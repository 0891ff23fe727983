//! Results of a run as data, and everything that is rendered from them.
//!
//! [`results`] is the one source: no rendering computes a verdict, and none can be edited into saying
//! something that the data does not say.

pub mod baseline;
pub mod difference;
mod html;
mod junit;
mod markdown;
pub mod merge;
pub mod report;
pub mod results;
mod sarif;
mod svg;
pub mod timeline;
