//! The record of each port, from three sources, walked through the model of its mechanism.
//!
//! Sources: loom (every interleaving of a small run, within a bound), random schedules of long runs under shuttle,
//! shrunk by proptest, and real threads. For each mechanism one drift, a step of the port changed, is caught.

use harnesses::replay::{IoBitmapRules, IommuFlushRules, LdtRules, PkeysRules, Rules, replay};
use harnesses::scenario::{Bounds, LoomRun};
use harnesses::sync::on_shuttle::run_schedule;
use harnesses::{Event, over_loom, over_shuttle, over_std, replay_under_loom};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::sync::{Arc, Mutex};

/// Two preemptions reach every order of two steps that are next to each other in either thread; more reach longer
/// detours, which the random schedules are for.
const TWO: Bounds = Bounds::preemptions(2, "each step of a record is a scheduling point, and there are dozens");

/// Asserts that loom ran, that it found different orders, and that each was replayed.
fn assert_replayed(run: &LoomRun, orders: usize) {
    assert_eq!(run.panic, None);
    assert!(run.complete && run.executions > 0);
    assert!(run.outcomes.len() >= orders, "only {} orders in {} executions", run.outcomes.len(), run.executions);
}

/// Asserts that some record that loom finds is not one of the model's, and how it is told.
fn assert_drifts(run: &LoomRun, what: &str) {
    let told = run.panic.clone().unwrap_or_else(|| panic!("no difference in {} executions", run.executions));
    assert!(told.contains(what), "told: {told}");
}

/// Replays a record from one schedule.
fn replay_schedule<R: Rules>(
    schedule: &[u8],
    run: impl Fn() -> Vec<Event> + Send + Sync + 'static,
) -> Result<(), TestCaseError> {
    let record = Arc::new(Mutex::new(Vec::new()));
    let store = Arc::clone(&record);
    run_schedule(schedule, move || *store.lock().unwrap() = run());
    let events = record.lock().unwrap();
    prop_assert!(!events.is_empty(), "nothing was recorded");
    let replayed = replay::<R>(&events);
    prop_assert!(replayed.is_ok(), "{}", replayed.unwrap_err());
    Ok(())
}

/// Replays the records of many runs on real threads.
fn replay_threads<R: Rules>(runs: usize, run: impl Fn() -> Vec<Event>) {
    for _ in 0..runs {
        let events = run();
        assert!(!events.is_empty());
        if let Err(difference) = replay::<R>(&events) {
            panic!("{difference}");
        }
    }
}

// ---- loom ----

#[test]
fn loom_records_of_pkeys_replay() {
    let run = replay_under_loom::<PkeysRules>(TWO, || over_loom::script::pkeys(PKEYS.0, [vec![0, 3], vec![5, 0]]));
    assert_replayed(&run, 100);
}

#[test]
fn loom_records_of_ldt_replay() {
    let run = replay_under_loom::<LdtRules>(TWO, || over_loom::script::ldt(LDT.0, 2, vec![0, 1, 3]));
    assert_replayed(&run, 100);
}

#[test]
fn loom_records_of_iommu_flush_replay() {
    let run = replay_under_loom::<IommuFlushRules>(TWO, || over_loom::script::iommu_flush(IOMMU.0, 1, vec![0]));
    assert_replayed(&run, 100);
}

#[test]
fn loom_records_of_io_bitmap_replay() {
    let run = replay_under_loom::<IoBitmapRules>(TWO, || over_loom::script::io_bitmap(IO.0, [vec![1], vec![2]]));
    assert_replayed(&run, 100);
}

// ---- deliberate drifts ----

#[test]
fn a_writer_without_the_lock_is_no_run_of_the_model() {
    let drift = over_loom::pkeys::Config { writers_lock: false, ..PKEYS.0 };
    let events = over_loom_once(move || over_loom::script::pkeys(drift, [vec![0], vec![]]));
    assert_eq!(replay::<PkeysRules>(&events).unwrap_err().event.label, "A2LoadMap");
}

#[test]
fn a_slot_that_is_stored_after_the_pointer_is_no_run_of_the_model() {
    let run = replay_under_loom::<LdtRules>(TWO, || {
        let order = over_loom::ldt::Order::SlotAfterPublish;
        over_loom::script::ldt(over_loom::ldt::Config { order, ..LDT.0 }, 1, vec![])
    });
    assert_drifts(&run, "W9TakeLock");
}

#[test]
fn an_unbind_without_grace_period_is_no_run_of_the_model() {
    let run = replay_under_loom::<IommuFlushRules>(TWO, || {
        let grace_period = over_loom::iommu_flush::GracePeriod::None;
        let drift = over_loom::iommu_flush::Config { grace_period, ..IOMMU.0 };
        over_loom::script::iommu_flush(drift, 1, vec![])
    });
    assert_drifts(&run, "U4Free");
}

#[test]
fn a_number_that_is_stored_before_the_bit_is_no_run_of_the_model() {
    let run = replay_under_loom::<IoBitmapRules>(TWO, || {
        let drift = over_loom::io_bitmap::Config { number_first: true, ..IO.0 };
        over_loom::script::io_bitmap(drift, [vec![], vec![]])
    });
    assert_drifts(&run, "I7TakeNumber");
}

/// A value that differs, with every label as it should be, is a difference too.
#[test]
fn a_state_that_differs_is_told_row_by_row() {
    let mut events = over_std::script::pkeys(PKEYS.1, [vec![0], vec![]]);
    let store = events.iter_mut().find(|event| event.label == "A5WriteMap").unwrap();
    store.seen[0].1 = 0b111;
    let difference = replay::<PkeysRules>(&events).unwrap_err();
    assert_eq!(difference.what, "map: port 7, model 3");
}

/// The record of the first execution that loom runs.
fn over_loom_once(run: impl Fn() -> Vec<Event> + Send + Sync + 'static) -> Vec<Event> {
    let first = Arc::new(Mutex::new(None));
    let store = Arc::clone(&first);
    harnesses::explore(Bounds::NONE, move || {
        store.lock().unwrap().get_or_insert(run());
        harnesses::Outcome { observed: String::new(), broken: None }
    });
    first.lock().unwrap().take().expect("loom ran")
}

// ---- real threads ----

#[test]
fn records_of_real_threads_replay() {
    let plan = |seed: u8, length: u8| (0..length).map(|n| n.wrapping_mul(37).wrapping_add(seed)).collect::<Vec<u8>>();
    replay_threads::<PkeysRules>(50, || over_std::script::pkeys(PKEYS.1, [plan(0, 40), plan(5, 40)]));
    replay_threads::<LdtRules>(50, || over_std::script::ldt(LDT.1, 6, plan(1, 40)));
    replay_threads::<IommuFlushRules>(50, || over_std::script::iommu_flush(IOMMU.1, 3, plan(0, 20)));
    replay_threads::<IoBitmapRules>(50, || over_std::script::io_bitmap(IO.1, [plan(1, 3), plan(2, 3)]));
}

// ---- random schedules ----

fn cases() -> ProptestConfig {
    let file = FileFailurePersistence::Direct("proptest-regressions/replay.txt");
    ProptestConfig { cases: 100, failure_persistence: Some(Box::new(file)), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn random_schedules_of_pkeys_replay(
        schedule in vec(any::<u8>(), 0..600), mine in vec(any::<u8>(), 1..30), theirs in vec(any::<u8>(), 1..30),
    ) {
        let run = move || over_shuttle::script::pkeys(PKEYS.2, [mine.clone(), theirs.clone()]);
        replay_schedule::<PkeysRules>(&schedule, run)?;
    }

    #[test]
    fn random_schedules_of_ldt_replay(
        schedule in vec(any::<u8>(), 0..1000), writes in 1_u8..=6, plan in vec(any::<u8>(), 0..40),
    ) {
        let run = move || over_shuttle::script::ldt(LDT.2, writes, plan.clone());
        replay_schedule::<LdtRules>(&schedule, run)?;
    }

    #[test]
    fn random_schedules_of_iommu_flush_replay(
        schedule in vec(any::<u8>(), 0..400), binds in 1_u8..=3, walks in vec(any::<u8>(), 0..10),
    ) {
        let run = move || over_shuttle::script::iommu_flush(IOMMU.2, binds, walks.clone());
        replay_schedule::<IommuFlushRules>(&schedule, run)?;
    }

    // The model counts up to seven numbers, and task 0 takes one at the start.
    #[test]
    fn random_schedules_of_io_bitmap_replay(
        schedule in vec(any::<u8>(), 0..400), mine in vec(any::<u8>(), 0..4), theirs in vec(any::<u8>(), 0..3),
    ) {
        let run = move || over_shuttle::script::io_bitmap(IO.2, [mine.clone(), theirs.clone()]);
        replay_schedule::<IoBitmapRules>(&schedule, run)?;
    }
}

/// The form that holds, for each engine.
macro_rules! forms {
    ($name:ident, $module:ident, $form:ident) => {
        const $name: (over_loom::$module::Config, over_std::$module::Config, over_shuttle::$module::Config) =
            (over_loom::$module::Config::$form, over_std::$module::Config::$form, over_shuttle::$module::Config::$form);
    };
}
forms!(PKEYS, pkeys, POSTED);
forms!(LDT, ldt, MAINLINE);
forms!(IOMMU, iommu_flush, RCU);
forms!(IO, io_bitmap, MAINLINE);
