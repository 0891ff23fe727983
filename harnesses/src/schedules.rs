//! Random long schedules of the ports, replayed in the models.
//!
//! shuttle runs one thread at a time and switches where a list of numbers says; proptest makes the list, and what each
//! thread does, and shortens both when a record is no run of the model. What is found is found by luck: a schedule that
//! was not tried may differ. So the word is "tested", with the number of cases and the seed that repeats them.

use crate::event::Event;
use crate::explore::quietly;
use crate::over_shuttle::{io_bitmap, iommu_flush, ldt, pkeys, script};
use crate::replay::{IoBitmapRules, IommuFlushRules, LdtRules, PkeysRules, Rules, replay};
use crate::scenario::Expected;
use crate::sync::on_shuttle::run_schedule;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::cell::Cell;
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// What one case does.
#[derive(Clone, Debug)]
pub struct Case {
    /// Which thread goes on at each point, as shuttle's scheduler reads it.
    pub schedule: Vec<u8>,
    /// What the first thread does, as the script of the mechanism reads it.
    pub mine: Vec<u8>,
    /// What the other threads do.
    pub theirs: Vec<u8>,
}

/// A port under random schedules.
#[derive(Clone, Debug)]
pub struct ScheduleTest {
    /// The mechanism.
    pub mechanism: &'static str,
    /// The name, unique within the mechanism.
    pub variant: &'static str,
    /// The variant of the model that the port is compared with.
    pub model: &'static str,
    /// What the port does.
    pub what: &'static str,
    /// Whether its records are runs of the model; broken with what the message has, if it drifts on purpose.
    pub expected: Expected,
    lengths: [Range<usize>; 3],
    run: fn(&Case) -> Vec<Event>,
    replay: fn(&[Event]) -> Result<usize, String>,
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// How many cases were run; without what proptest tried to make a failure shorter.
    pub cases: u64,
    /// How many steps of the port were replayed in them.
    pub steps: u64,
    /// The first failure, after it was made as short as it gets: the difference, and the case.
    pub failure: Option<String>,
    /// Whether the run was stopped before its last case.
    pub stopped: bool,
}

impl ScheduleTest {
    /// The cases of this test.
    pub fn cases(&self) -> impl Strategy<Value = Case> + use<> {
        let [schedule, mine, theirs] = self.lengths.clone();
        let all = (vec(any::<u8>(), schedule), vec(any::<u8>(), mine), vec(any::<u8>(), theirs));
        all.prop_map(|(schedule, mine, theirs)| Case { schedule, mine, theirs })
    }

    /// Runs one case and replays its record; the number of steps.
    ///
    /// # Errors
    /// The first step that the model does not allow, or the port's panic.
    pub fn replay(&self, case: &Case) -> Result<usize, String> {
        let record = Arc::new(Mutex::new(Vec::new()));
        let (store, owned, run) = (Arc::clone(&record), case.clone(), self.run);
        let panic = quietly(|| {
            run_schedule(&case.schedule, move || *store.lock().expect("no panic holds it") = run(&owned));
        });
        if let Some(panic) = panic {
            return Err(format!("the port panics: {panic}"));
        }
        let events = record.lock().expect("no panic holds it");
        if events.is_empty() { Err("nothing was recorded".to_string()) } else { (self.replay)(&events) }
    }

    /// Runs `cases` cases from `seed`, until one fails, or `stop` says so.
    pub fn run(&self, cases: u32, seed: u64, stop: impl Fn() -> bool) -> Tested {
        let config = Config { cases, failure_persistence: None, max_shrink_iters: 5_000, ..Config::default() };
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
        let (ran, steps, failed, stopped) = (Cell::new(0), Cell::new(0), Cell::new(false), Cell::new(false));
        let result = runner.run(&self.cases(), |case| {
            if stopped.get() || stop() {
                stopped.set(true);
                return Ok(());
            }
            // After the first failure proptest looks for a shorter one; that is no new case.
            ran.set(ran.get() + u64::from(!failed.get()));
            match self.replay(&case) {
                Ok(replayed) => {
                    steps.set(steps.get() + if failed.get() { 0 } else { replayed as u64 });
                    Ok(())
                }
                Err(difference) => {
                    failed.set(true);
                    Err(TestCaseError::fail(difference))
                }
            }
        });
        let failure = match result {
            Ok(()) => None,
            Err(TestError::Fail(why, case)) => Some(format!("{why}\n{case:?}")),
            Err(TestError::Abort(why)) => Some(format!("proptest gave up: {why}")),
        };
        Tested { cases: ran.get(), steps: steps.get(), failure, stopped: stopped.get() }
    }
}

fn replayed<R: Rules>(events: &[Event]) -> Result<usize, String> {
    replay::<R>(events).map(|replayed| replayed.steps).map_err(|difference| difference.to_string())
}

const PKEYS: ScheduleTest = ScheduleTest {
    mechanism: "pkeys",
    variant: "random-schedules",
    model: "posted",
    what: "two threads allocate, free, get and set keys, up to 29 calls each",
    expected: Expected::Holds,
    lengths: [0..600, 1..30, 1..30],
    run: |case| script::pkeys(pkeys::Config::POSTED, [case.mine.clone(), case.theirs.clone()]),
    replay: replayed::<PkeysRules>,
};

const LDT: ScheduleTest = ScheduleTest {
    mechanism: "ldt",
    variant: "random-schedules",
    model: "mainline",
    what: "one CPU calls modify_ldt() up to six times, another uses the LDT, walks and switches, up to 39 times",
    expected: Expected::Holds,
    lengths: [0..1000, 1..7, 0..40],
    run: |case| script::ldt(ldt::Config::MAINLINE, writes(case), case.theirs.clone()),
    replay: replayed::<LdtRules>,
};

const IOMMU_FLUSH: ScheduleTest = ScheduleTest {
    mechanism: "iommu-flush",
    variant: "random-schedules",
    model: "rcu",
    what: "one CPU unmaps and frees, another binds and unbinds up to three times, the device walks up to 9 times",
    expected: Expected::Holds,
    lengths: [0..400, 1..4, 0..10],
    run: |case| script::iommu_flush(iommu_flush::Config::RCU, writes(case), case.theirs.clone()),
    replay: replayed::<IommuFlushRules>,
};

// The model counts up to seven numbers, and task 0 takes one at the start.
const IO_BITMAP: ScheduleTest = ScheduleTest {
    mechanism: "io-bitmap",
    variant: "random-schedules",
    model: "mainline-v2-scope",
    what: "two tasks that share a bitmap change ports, return to user mode and exit, up to 5 changes in all",
    expected: Expected::Holds,
    lengths: [0..400, 0..4, 0..3],
    run: |case| script::io_bitmap(io_bitmap::Config::MAINLINE, [case.mine.clone(), case.theirs.clone()]),
    replay: replayed::<IoBitmapRules>,
};

/// How often the first thread does what it does.
fn writes(case: &Case) -> u8 {
    u8::try_from(case.mine.len()).expect("the lengths are small")
}

/// Every port as its model has it, and for each mechanism a port that drifts on purpose: it must be told.
pub const SCHEDULE_TESTS: &[ScheduleTest] = &[
    IO_BITMAP,
    ScheduleTest {
        variant: "drift-number-before-bit",
        what: "the sequence number is stored before the bit is changed",
        expected: Expected::Broken("I7TakeNumber"),
        run: |case| {
            let drift = io_bitmap::Config { number_first: true, ..io_bitmap::Config::MAINLINE };
            script::io_bitmap(drift, [case.mine.clone(), case.theirs.clone()])
        },
        ..IO_BITMAP
    },
    LDT,
    ScheduleTest {
        variant: "drift-slot-after-publish",
        what: "the slot is stored after context.ldt",
        expected: Expected::Broken("W9TakeLock"),
        run: |case| {
            let drift = ldt::Config { order: ldt::Order::SlotAfterPublish, ..ldt::Config::MAINLINE };
            script::ldt(drift, writes(case), case.theirs.clone())
        },
        ..LDT
    },
    IOMMU_FLUSH,
    ScheduleTest {
        variant: "drift-no-grace-period",
        what: "unbind frees without a grace period",
        expected: Expected::Broken("U4Free"),
        run: |case| {
            let drift =
                iommu_flush::Config { grace_period: iommu_flush::GracePeriod::None, ..iommu_flush::Config::RCU };
            script::iommu_flush(drift, writes(case), case.theirs.clone())
        },
        ..IOMMU_FLUSH
    },
    PKEYS,
    ScheduleTest {
        variant: "drift-writer-without-lock",
        what: "the writers do not take mmap_sem",
        expected: Expected::Broken("A2LoadMap"),
        run: |case| {
            let drift = pkeys::Config { writers_lock: false, ..pkeys::Config::POSTED };
            script::pkeys(drift, [case.mine.clone(), case.theirs.clone()])
        },
        ..PKEYS
    },
];
