//! Runs Kani proofs as tests on machines without Kani.
//!
//! Under `cargo kani` the Kani compiler brings its own crate of this name and this one is not built. Here, a
//! proof's body runs many times: [`any`] draws a value, [`assume`] abandons the draw if it is of no use, and
//! the test fails if an assertion does, if a cover of the proof was never hit, or if too few draws survived.
//! The seed is fixed, so that a run is repeatable.
//!
//! This is a test of the proofs (that they compile, that their assumptions can be met, that their covers can
//! be hit, that they notice a changed formula), and never a proof.

pub use kani_macros::{proof, solver, unwind};

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

/// How many draws must survive all assumptions. More are not made.
const SURVIVORS: u32 = 10_000;
/// How many draws are made at most.
const DRAWS: u32 = 100_000;
/// With fewer survivors than this the test fails: it would say next to nothing.
const SURVIVORS_LEAST: u32 = 200;
/// How often [`any_where`] draws again before it abandons the draw.
const RETRIES: u32 = 200;
/// How many of a draw's earlier values are remembered, to draw their neighbours.
const REMEMBERED: usize = 16;

/// What one proof has drawn and covered.
struct Run {
    random: u64,
    earlier: Vec<u64>,
    drawn: Vec<i128>,
    covers: BTreeMap<&'static str, u64>,
}

thread_local! {
    static RUN: RefCell<Option<Run>> = const { RefCell::new(None) };
}

/// The payload with which a draw is abandoned.
struct Abandoned;

fn with_run<T>(f: impl FnOnce(&mut Run) -> T) -> T {
    RUN.with_borrow_mut(|run| f(run.as_mut().expect("kani::any() and the like only work inside a proof")))
}

impl Run {
    /// SplitMix64: small, and good enough to choose test values.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number of `bits` bits: small, near the ends, near a power of two, near or between earlier draws, or
    /// anything.
    fn number(&mut self, bits: u32) -> u64 {
        let mask = u64::MAX >> (64 - bits);
        let near = self.next() % 5;
        let pick = self.next();
        let value = match self.next() % 10 {
            0 | 1 => pick % 20,
            2 => mask - pick % 20,
            3 | 4 => (1u64 << (pick % u64::from(bits))).wrapping_add(near).wrapping_sub(2),
            5 if !self.earlier.is_empty() => {
                let earlier = self.earlier[(pick % self.earlier.len() as u64) as usize];
                earlier.wrapping_add(near).wrapping_sub(2)
            }
            6 if !self.earlier.is_empty() => {
                let earlier = self.earlier[(pick % self.earlier.len() as u64) as usize];
                if earlier == 0 {
                    pick
                } else {
                    self.next() % earlier
                }
            }
            // Numbers of every length in bits are equally likely, so that small domains are drawn to the full.
            7 | 8 => pick >> (63 - self.next() % u64::from(bits)),
            _ => pick,
        } & mask;
        if self.earlier.len() < REMEMBERED {
            self.earlier.push(value);
        }
        value
    }
}

/// A type of which [`any`] can draw a value.
pub trait Arbitrary: Sized {
    /// Draws a value.
    fn any() -> Self;
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Arbitrary for $type {
            fn any() -> Self {
                with_run(|run| {
                    let value = run.number(<$type>::BITS) as $type;
                    run.drawn.push(value as i128);
                    value
                })
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64, usize, i8, i16, i32, i64);

impl Arbitrary for bool {
    fn any() -> Self {
        with_run(|run| {
            let value = run.next() & 1 == 1;
            run.drawn.push(i128::from(value));
            value
        })
    }
}

/// A value of any kind, drawn.
pub fn any<T: Arbitrary>() -> T {
    T::any()
}

/// A value that satisfies `condition`.
pub fn any_where<T: Arbitrary, F: FnOnce(&T) -> bool + Copy>(condition: F) -> T {
    for _ in 0..RETRIES {
        let value = T::any();
        if condition(&value) {
            return value;
        }
    }
    resume_unwind(Box::new(Abandoned))
}

/// Abandons the draw if the condition does not hold.
pub fn assume(condition: bool) {
    if !condition {
        resume_unwind(Box::new(Abandoned));
    }
}

/// Notes whether a situation occurred: what `cover!` expands to.
#[doc(hidden)]
pub fn note(text: &'static str, condition: bool) {
    with_run(|run| *run.covers.entry(text).or_insert(0) += u64::from(condition));
}

/// A situation that must occur in some draw.
#[macro_export]
macro_rules! cover {
    ($condition:expr, $text:literal $(,)?) => {
        $crate::note($text, $condition)
    };
}

/// Runs a proof: what `#[kani::proof]` expands to.
///
/// # Panics
/// If an assertion of the proof fails, a cover is never hit, or too few draws survive.
#[doc(hidden)]
pub fn run(name: &str, covers: &[&'static str], body: fn()) {
    let seed =
        name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, b| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    let listed = covers.iter().map(|text| (*text, 0)).collect();
    RUN.set(Some(Run { random: seed, earlier: Vec::new(), drawn: Vec::new(), covers: listed }));
    let (mut draws, mut survivors) = (0, 0);
    let mut drew_anything = true;
    while survivors < SURVIVORS && draws < DRAWS && drew_anything {
        with_run(|run| {
            run.earlier.clear();
            run.drawn.clear();
        });
        draws += 1;
        match catch_unwind(AssertUnwindSafe(body)) {
            Ok(()) => survivors += 1,
            Err(payload) if payload.is::<Abandoned>() => {}
            Err(payload) => {
                eprintln!("{name}: failed in draw {draws} with {}", with_run(|run| format!("{:?}", run.drawn)));
                resume_unwind(payload);
            }
        }
        // A proof about fixed values is the same in every draw.
        drew_anything = with_run(|run| !run.drawn.is_empty());
    }
    let run = RUN.take().expect("set above");
    let mut text = String::new();
    for (cover, hits) in &run.covers {
        let _ = write!(text, "\n    {hits:>8} x {cover}");
    }
    println!("{name}: {survivors} of {draws} draws survived{text}");
    let least = if drew_anything { SURVIVORS_LEAST } else { 1 };
    assert!(survivors >= least, "{name}: only {survivors} of {draws} draws survived the assumptions");
    for (cover, hits) in &run.covers {
        assert!(*hits > 0, "{name}: never covered: {cover}");
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    fn fails_with(text: &str, covers: &[&'static str], body: fn()) {
        let payload = catch_unwind(|| super::run("tests", covers, body)).expect_err("should have failed");
        let message = payload.downcast_ref::<String>().cloned();
        let message = message.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string));
        assert!(message.as_deref().unwrap_or_default().contains(text), "{message:?}");
    }

    #[test]
    fn a_wrong_claim_is_found() {
        fails_with("wraps", &[], || {
            let x: u64 = super::any();
            assert!(x.checked_add(1).is_some(), "wraps");
        });
    }

    #[test]
    fn contradictory_assumptions_are_found() {
        fails_with("survived the assumptions", &[], || {
            let x: u8 = super::any();
            super::assume(x > 3);
            super::assume(x < 3);
        });
    }

    #[test]
    fn a_cover_that_is_not_even_reached_is_found() {
        fails_with("never covered: nothing", &["nothing"], || {
            let _: u8 = super::any();
        });
    }

    #[test]
    fn a_cover_that_never_holds_is_found() {
        fails_with("never covered: impossible", &[], || {
            let x: u8 = super::any();
            super::note("impossible", u16::from(x) > 255);
        });
    }

    #[test]
    fn every_value_of_a_small_domain_is_drawn() {
        super::run("small domain", &[], || {
            let shift: u32 = super::any_where(|s: &u32| *s < 64);
            assert!(shift < 64);
        });
        let mut seen = [false; 64];
        super::RUN.set(Some(super::Run {
            random: 7,
            earlier: Vec::new(),
            drawn: Vec::new(),
            covers: Default::default(),
        }));
        for _ in 0..20_000 {
            let shift: u32 = super::any_where(|s: &u32| *s < 64);
            seen[shift as usize] = true;
        }
        assert!(seen.iter().all(|seen| *seen));
    }
}
