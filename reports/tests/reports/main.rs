//! Everything that is rendered from results: what it says, that it is well-formed, and that hostile text
//! stays text.

mod base;
mod browser;
mod documents;
mod first_lines;
mod fixture;
mod hostile;
mod html;
mod junit;
mod markdown;
mod merging;
mod mermaid;
mod sarif;
mod snapshots;
