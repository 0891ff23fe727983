//! kverdict: machine-checked verdicts on kernel patches.

pub mod lkmm;
