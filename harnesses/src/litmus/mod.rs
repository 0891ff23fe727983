//! Litmus tests in the kernel's C syntax, run under loom on the primitives of the ports.
//!
//! The files in `harnesses/litmus/` are what herd7 judges by the kernel's memory model. Here the very same files are
//! read and executed, each process as a thread, each access as the function of `port/primitives.rs` that has its name:
//! what loom and the kernel's model say about one question can so be compared outcome by outcome.
//!
//! What is understood is the part of the language that the tests use; anything else is an error with its line.

mod parse;
mod program;
mod run;

pub use program::Program;
pub use run::LitmusRun;
