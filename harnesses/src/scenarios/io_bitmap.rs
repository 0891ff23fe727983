//! io-bitmap under loom.
//!
//! Each CPU is a thread. No preemption bound: every execution that loom can produce.

use super::beside;
use crate::explore::{Outcome, explore};
use crate::over_loom::io_bitmap::{Config, Count, Counter, Kernel, Migrate, NO_RACE_ON_BITMAP, Remote, SharedBitmap};
use crate::over_loom::recorder::Recorder;
use crate::scenario::{Bounds, Expected, LoomRun, Scenario};
use std::sync::Arc;

const REFERENCES_MATCH: &str = "references-match: the count is the number of holders, and the last one frees";
const PERMISSIONS_MATCH: &str = "no-missing-permission: a task can touch every port that it was granted, and no other";
const NUMBERS_ARE_UNIQUE: &str = "sequence-names-content: two edits never get the same number";
const NUMBER_NAMES_CONTENT: &str = "sequence-names-content: the bits that were copied are those that the number names";
const RACE_ON_COUNTER: &str = "no-data-race: the counter of sequence numbers";

/// Task 0 has port 0 and has forked task 1; both are in the kernel and nothing else is under way.
fn parent_and_child(config: Config) -> Arc<Kernel> {
    let kernel = Arc::new(Kernel::new(config, Recorder::off()));
    kernel.ioperm(0, 0, 0, true);
    kernel.fork(0);
    kernel
}

/// Two tasks that share a bitmap change it at once, each on its CPU, and go to user mode.
fn both_change(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let kernel = parent_and_child(config);
        let other = beside!(kernel, {
            kernel.ioperm(1, 1, 2, true);
            kernel.return_to_user(1, 1);
        });
        kernel.ioperm(0, 0, 1, true);
        kernel.return_to_user(0, 0);
        other.join().unwrap();
        let permitted = [kernel.tss(0).permitted, kernel.tss(1).permitted];
        let (bitmaps, references) = kernel.allocated();
        let slots = kernel.slots_of_tasks();
        let observed = format!("{permitted:?}, {bitmaps} bitmaps, {references} references, in slots {slots:?}");
        if (bitmaps, references) != (2, 2) {
            return Outcome::judged(observed, true, REFERENCES_MATCH);
        }
        Outcome::judged(observed, permitted != [0b011, 0b101], PERMISSIONS_MATCH)
    })
}

/// One task changes the bitmap while the other, which shares it, exits.
fn change_and_exit(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let kernel = parent_and_child(config);
        let other = beside!(kernel, {
            kernel.return_to_user(1, 1);
            kernel.exit(1, 1);
        });
        kernel.ioperm(0, 0, 1, true);
        kernel.return_to_user(0, 0);
        other.join().unwrap();
        let permitted = kernel.tss(0).permitted;
        let (bitmaps, references) = kernel.allocated();
        let slot = kernel.slots_of_tasks()[0];
        let observed = format!("{permitted}, {bitmaps} bitmaps, {references} references, in slot {slot}");
        if (bitmaps, references) != (1, 1) {
            return Outcome::judged(observed, true, REFERENCES_MATCH);
        }
        Outcome::judged(observed, permitted != 0b011, PERMISSIONS_MATCH)
    })
}

/// Two tasks that share a bitmap exit at once, each after a last copy of it.
fn both_exit(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let kernel = parent_and_child(config);
        let other = beside!(kernel, {
            kernel.return_to_user(1, 1);
            kernel.exit(1, 1);
        });
        kernel.return_to_user(0, 0);
        kernel.exit(0, 0);
        other.join().unwrap();
        let (bitmaps, _) = kernel.allocated();
        Outcome::judged(format!("{bitmaps} bitmaps"), bitmaps != 0, REFERENCES_MATCH)
    })
}

/// A task changes its bitmap on CPU 0 and goes to user mode on CPU 1, if that has taken it over.
fn migrate(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let kernel = Arc::new(Kernel::new(config, Recorder::off()));
        kernel.ioperm(0, 0, 0, true);
        let other = beside!(kernel, {
            let taken = kernel.take_over();
            if taken {
                kernel.return_to_user(1, 0);
            }
            taken
        });
        kernel.ioperm(0, 0, 1, true);
        kernel.hand_over();
        let taken = other.join().unwrap();
        let tss = kernel.tss(1);
        let wrong = taken && (tss.permitted != 0b11 || !tss.valid);
        Outcome::judged(format!("taken={taken} permitted={:#b}", tss.permitted), wrong, PERMISSIONS_MATCH)
    })
}

/// Two tasks with bitmaps of their own change them at once.
fn numbers(counter: Counter, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let kernel = Arc::new(Kernel::new(Config { counter, ..MAINLINE }, Recorder::off()));
        let other = beside!(kernel, kernel.ioperm(1, 1, 0, true));
        kernel.ioperm(0, 0, 0, true);
        other.join().unwrap();
        let (mine, theirs) = (kernel.sequence(0), kernel.sequence(1));
        Outcome::judged(format!("{mine} {theirs}"), mine == theirs, NUMBERS_ARE_UNIQUE)
    })
}

/// A bitmap is edited in place, `edits` times, while another CPU compares the number and copies.
fn remote(remote: Remote, edits: u8, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let bitmap = Arc::new(SharedBitmap::new(remote));
        let editor = beside!(bitmap, (1..=edits).for_each(|edit| bitmap.edit(edit)));
        let copied = bitmap.copy();
        editor.join().unwrap();
        let observed = copied.map_or("again".to_string(), |(number, bits)| format!("number={number} bits={bits}"));
        // Number 0 is that of a CPU that never copied: it names nothing.
        let wrong = copied.is_some_and(|(number, bits)| number > 0 && bits != number);
        Outcome::judged(observed, wrong, NUMBER_NAMES_CONTENT)
    })
}

const MAINLINE: Config = Config::MAINLINE;

const fn counted(count: Count) -> Config {
    Config { count, ..MAINLINE }
}

const fn scenario(
    variant: &'static str,
    what: &'static str,
    question: &'static str,
    expected: Expected,
    outcomes: &'static [&'static str],
    explore: fn(Bounds) -> LoomRun,
) -> Scenario {
    Scenario { mechanism: "io-bitmap", variant, what, question, expected, outcomes, bounds: Bounds::NONE, explore }
}

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "drop-last-reference",
        "mainline: both tasks duplicate the shared bitmap, each drops its reference, the last drop frees",
        "Two tasks share a bitmap, both copy it and drop it: is it freed once, and after both copies?",
        Expected::Holds,
        &[
            "[3, 5], 2 bitmaps, 2 references, in slots [1, 2]",
            "[3, 5], 2 bitmaps, 2 references, in slots [2, 1]",
            "[3, 5], 2 bitmaps, 2 references, in slots [2, 3]",
            "[3, 5], 2 bitmaps, 2 references, in slots [3, 2]",
        ],
        |bounds| both_change(MAINLINE, bounds),
    ),
    scenario(
        "drop-while-changed",
        "mainline: one task changes the bitmap while the other exits",
        "Does a task that finds itself the only owner write to a bitmap that the other has done with?",
        Expected::Holds,
        &["3, 1 bitmaps, 1 references, in slot 1", "3, 1 bitmaps, 1 references, in slot 2"],
        |bounds| change_and_exit(MAINLINE, bounds),
    ),
    scenario(
        "drop-release-acquire",
        "mainline: both tasks exit, each after a last copy into its TSS",
        "Are a release in each decrement and an acquire in the last enough to free a shared bitmap?",
        Expected::Holds,
        &["0 bitmaps"],
        |bounds| both_exit(MAINLINE, bounds),
    ),
    scenario(
        "drop-relaxed",
        "a decrement that orders nothing",
        "Is an atomic count that orders nothing enough to free a shared bitmap?",
        Expected::Broken(NO_RACE_ON_BITMAP),
        &[],
        |bounds| both_exit(counted(Count::Relaxed), bounds),
    ),
    scenario(
        "drop-load-store",
        "a count that is loaded and stored",
        "Can a count without an atomic read-modify-write lose the free?",
        Expected::Broken(REFERENCES_MATCH),
        &["0 bitmaps", "1 bitmaps"],
        |bounds| both_exit(counted(Count::LoadStore), bounds),
    ),
    scenario(
        "count-read-relaxed",
        "M1 reads the count with no order but the branch behind it, as the kernel does",
        "May a task that reads a count of one, without an acquire, write to the bitmap?",
        Expected::Broken(NO_RACE_ON_BITMAP),
        &[],
        |bounds| change_and_exit(counted(Count::ReadRelaxed), bounds),
    ),
    scenario(
        "drop-then-copy",
        "the reference is dropped before the copy is made",
        "May a task drop its reference before it copies?",
        Expected::Broken(NO_RACE_ON_BITMAP),
        &[],
        |bounds| both_change(Config { drops_before_duplicate: true, ..MAINLINE }, bounds),
    ),
    scenario(
        "free-first",
        "exit frees the bitmap without looking at the count",
        "May a task that exits free the bitmap that it shares?",
        Expected::Broken(NO_RACE_ON_BITMAP),
        &[],
        |bounds| both_exit(Config { frees_first: true, ..MAINLINE }, bounds),
    ),
    scenario(
        "writes-shared",
        "ioperm() writes to the bitmap although it is shared",
        "May a shared bitmap be changed in place?",
        Expected::Broken(NO_RACE_ON_BITMAP),
        &[],
        |bounds| change_and_exit(Config { writes_shared: true, ..MAINLINE }, bounds),
    ),
    scenario(
        "migrate-runqueue-lock",
        "mainline: the run-queue lock is released by the old CPU and taken by the new one",
        "A task changes its bitmap on one CPU and is moved to another: does the exit to user mode there see it?",
        Expected::Holds,
        &["taken=false permitted=0b0", "taken=true permitted=0b11"],
        |bounds| migrate(MAINLINE, bounds),
    ),
    scenario(
        "migrate-on-cpu",
        "mainline: store-release and load-acquire of on_cpu",
        "A task changes its bitmap, sleeps, and is woken on another CPU: does the exit to user mode there see it?",
        Expected::Holds,
        &["taken=false permitted=0b0", "taken=true permitted=0b11"],
        |bounds| migrate(Config { migrate: Migrate::OnCpu, ..MAINLINE }, bounds),
    ),
    scenario(
        "migrate-unordered",
        "a marked flag that orders nothing",
        "Would a marked flag do instead of the scheduler's ordering when a task changes its CPU?",
        Expected::Broken("no-data-race: the fields of a task"),
        &[],
        |bounds| migrate(Config { migrate: Migrate::Unordered, ..MAINLINE }, bounds),
    ),
    scenario(
        "sequence-unique",
        "mainline: atomic64_inc_return()",
        "Can two ioperm() calls on different CPUs get the same number?",
        Expected::Holds,
        &["1 2", "2 1"],
        |bounds| numbers(Counter::Atomic, bounds),
    ),
    scenario(
        "sequence-load-store",
        "the counter is read and written",
        "Are a load and a store of the counter, each of them atomic, enough for unique numbers?",
        Expected::Broken(NUMBERS_ARE_UNIQUE),
        &["1 1", "1 2", "2 1"],
        |bounds| numbers(Counter::LoadStore, bounds),
    ),
    scenario(
        "sequence-plain",
        "a plain ++ of the counter",
        "Is a plain ++ of the counter enough for unique numbers?",
        Expected::Broken(RACE_ON_COUNTER),
        &[],
        |bounds| numbers(Counter::Plain, bounds),
    ),
    scenario(
        "remote-copy-release",
        "content, then store-release of the number; load-acquire of the number, then the copy",
        "If another CPU compares the number without a lock and copies, which order makes the copy right?",
        Expected::Holds,
        &["number=0 bits=0", "number=0 bits=1", "number=1 bits=1"],
        |bounds| remote(Remote::Release, 1, bounds),
    ),
    scenario(
        "remote-copy-once",
        "the same order with marked accesses",
        "Are marked accesses enough for a lockless copy?",
        Expected::Broken(NUMBER_NAMES_CONTENT),
        &["number=0 bits=0", "number=0 bits=1", "number=1 bits=0", "number=1 bits=1"],
        |bounds| remote(Remote::Once, 1, bounds),
    ),
    scenario(
        "remote-copy-sequence-first",
        "the number is stored before the content, both with release",
        "Does a release help a lockless copy if the number is stored before the content?",
        Expected::Broken(NUMBER_NAMES_CONTENT),
        &["number=0 bits=0", "number=0 bits=1", "number=1 bits=0", "number=1 bits=1"],
        |bounds| remote(Remote::SequenceFirst, 1, bounds),
    ),
    scenario(
        "remote-copy-in-place",
        "release and acquire, and two edits of the same bitmap",
        "With release and acquire, does a number always name the bits that were copied under it?",
        Expected::Broken(NUMBER_NAMES_CONTENT),
        &[
            "number=0 bits=0",
            "number=0 bits=1",
            "number=0 bits=2",
            "number=1 bits=1",
            "number=1 bits=2",
            "number=2 bits=2",
        ],
        |bounds| remote(Remote::Release, 2, bounds),
    ),
    scenario(
        "remote-copy-recheck",
        "an odd number during the edit, a second look after the copy, four barriers",
        "Does the pattern of a sequence lock allow editing in place?",
        Expected::Holds,
        &["again", "number=0 bits=0", "number=1 bits=1", "number=2 bits=2"],
        |bounds| remote(Remote::Recheck, 2, bounds),
    ),
    scenario(
        "remote-copy-recheck-unordered",
        "the same without the barriers",
        "Does a sequence lock need its barriers?",
        Expected::Broken(NUMBER_NAMES_CONTENT),
        &[
            "again",
            "number=0 bits=0",
            "number=0 bits=1",
            "number=0 bits=2",
            "number=1 bits=0",
            "number=1 bits=1",
            "number=1 bits=2",
            "number=2 bits=0",
            "number=2 bits=1",
            "number=2 bits=2",
        ],
        |bounds| remote(Remote::RecheckUnordered, 2, bounds),
    ),
];
