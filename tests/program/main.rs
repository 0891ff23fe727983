//! The program as a person meets it: what it prints, what it refuses, and that all of it is true.

mod baseline;
mod command_line;
mod counterexamples;
mod readme;
mod running;
mod workflows;
