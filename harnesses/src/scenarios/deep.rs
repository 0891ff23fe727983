//! Scenarios with three threads, for `just loom-deep`: seconds to minutes each.

use super::beside;
use crate::explore::{Outcome, explore};
use crate::over_loom::recorder::Recorder;
use crate::over_loom::{io_bitmap, ldt, pkeys};
use crate::scenario::{Bounds, Expected, LoomRun, Scenario};
use std::sync::Arc;

/// Two writers and a reader without a lock.
fn writers_and_reader(bounds: Bounds) -> LoomRun {
    explore(bounds, || {
        let mm = Arc::new(pkeys::Mm::new(pkeys::Config::POSTED, 16, 0b1, Recorder::off()));
        let first = beside!(mm, pkeys::Thread::new(&mm, 0).alloc().is_ok());
        let second = beside!(mm, pkeys::Thread::new(&mm, 2).alloc().is_ok());
        let mut me = pkeys::Thread::new(&mm, 1);
        let (two, one) = (me.get(2).is_ok(), me.get(1).is_ok());
        assert!(first.join().unwrap() && second.join().unwrap());
        let wrong = mm.map() != 0b111 || two && !one;
        Outcome::judged(format!("two={two} one={one}"), wrong, "no-lost-update, or an answer that was never true")
    })
}

/// CPU 0 replaces the LDT while CPU 1 uses it and CPU 2 switches to the process.
fn swap_with_two_others(bounds: Bounds) -> LoomRun {
    explore(bounds, || {
        let mm = Arc::new(ldt::Mm::new(ldt::Config::MAINLINE, &[true, true, false], Recorder::off()));
        mm.write_ldt(0, 1);
        let user = beside!(mm, mm.use_ldt(1));
        let switching = beside!(mm, mm.switch_in(2));
        mm.write_ldt(0, 2);
        let used = user.join().unwrap();
        switching.join().unwrap();
        let wrong = mm.mapped_free_pages() + mm.leaked() > 0 || [1, 2].map(|cpu| mm.use_ldt(cpu)) != [Some(2); 2];
        Outcome::judged(format!("{used:?}"), wrong, "synchronous, no-mapped-free-page, no-leak")
    })
}

/// Parent and child change their shared bitmap and exit.
fn change_and_exit_both(bounds: Bounds) -> LoomRun {
    explore(bounds, || {
        let kernel = Arc::new(io_bitmap::Kernel::new(io_bitmap::Config::MAINLINE, Recorder::off()));
        kernel.ioperm(0, 0, 0, true);
        kernel.fork(0);
        let run = |kernel: &io_bitmap::Kernel, me: usize| {
            kernel.return_to_user(me, me);
            kernel.ioperm(me, me, 1 + me as u8, true);
            kernel.return_to_user(me, me);
            let permitted = kernel.tss(me).permitted;
            kernel.exit(me, me);
            permitted
        };
        let other = beside!(kernel, run(&kernel, 1));
        let permitted = [run(&kernel, 0), other.join().unwrap()];
        let wrong = permitted != [0b011, 0b101] || kernel.allocated() != (0, 0);
        Outcome::judged(format!("{permitted:?}"), wrong, "no-missing-permission, references-match")
    })
}

const fn scenario(
    mechanism: &'static str,
    variant: &'static str,
    what: &'static str,
    outcomes: &'static [&'static str],
    explore: fn(Bounds) -> LoomRun,
) -> Scenario {
    let question = "Does the form that holds hold with one more thread?";
    let expected = Expected::Holds;
    Scenario { mechanism, variant, what, question, expected, outcomes, bounds: Bounds::NONE, explore }
}

/// The deep scenarios.
pub const DEEP: &[Scenario] = &[
    scenario(
        "pkeys",
        "deep-writers-and-reader",
        "as posted, with two writers and a reader",
        &["two=false one=false", "two=false one=true", "two=true one=true"],
        writers_and_reader,
    ),
    scenario(
        "ldt",
        "deep-swap-with-two-others",
        "mainline, with one CPU that uses the LDT and one that switches",
        &["Some(1)", "Some(2)"],
        swap_with_two_others,
    ),
    scenario(
        "io-bitmap",
        "deep-change-and-exit",
        "mainline, with parent and child that change, return and exit",
        &["[3, 5]"],
        change_and_exit_both,
    ),
];
