//! Tests of the gate: on recorded output, on damaged output, with a Kani that is a script, and on a small workspace of their own.

mod judge;
mod kani;
mod mutations;
mod output;
mod project;
mod sources;
mod support;
