//! ldt under loom.
//!
//! CPU 0 is the test's own thread and calls `modify_ldt()`; CPU 1 is a thread beside it. No preemption
//! bound: every execution that loom can produce.

use super::beside;
use crate::explore::{Outcome, explore};
use crate::over_loom::ldt::{Barriers, Config, LDT_IS_MAPPED, Mm, NO_RACE_ON_LDT, Order, Publish};
use crate::over_loom::recorder::Recorder;
use crate::scenario::{Bounds, Expected, LoomRun, Scenario};
use std::sync::Arc;

const CONSISTENT_DESCRIPTOR: &str = "consistent-descriptor: what a CPU finds is one whole LDT";
const SYNCHRONOUS: &str = "synchronous: when modify_ldt() has returned, no CPU uses the old LDT";
const NO_MAPPED_FREE_PAGE: &str = "no-mapped-free-page: no page-table entry and no TLB entry leads to a freed page";
const INSTALLED_SLOT_IS_VALID: &str = "installed-slot-is-valid: a published LDT has its slot";
const NO_LEAK: &str = "no-leak: what is not installed is freed, once";
const RACE_ON_POINTER: &str = "no-data-race: context.ldt";

fn shown(descriptor: Option<u8>) -> String {
    descriptor.map_or("none".to_string(), |descriptor| descriptor.to_string())
}

/// CPU 0 publishes the first LDT; CPU 1 switches to the process and looks what the pointer leads to.
fn publish(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let mm = Arc::new(Mm::new(config, &[true, false], Recorder::off()));
        let other = beside!(mm, mm.find());
        mm.publish_first(1);
        let found = other.join().unwrap();
        let observed =
            found.map_or("none".to_string(), |(slot, d)| format!("slot={} descriptor={}", shown(slot), shown(d)));
        match found {
            Some((None, _)) => Outcome::judged(observed, true, INSTALLED_SLOT_IS_VALID),
            Some((_, descriptor)) => Outcome::judged(observed, descriptor != Some(1), CONSISTENT_DESCRIPTOR),
            None => Outcome::judged(observed, false, ""),
        }
    })
}

/// What must hold when everybody is done and the LDT is to have `descriptor`.
fn at_the_end(mm: &Mm, descriptor: u8, observed: String) -> Outcome {
    if mm.mapped_free_pages() > 0 {
        return Outcome::judged(observed, true, NO_MAPPED_FREE_PAGE);
    }
    if mm.leaked() > 0 {
        return Outcome::judged(observed, true, NO_LEAK);
    }
    let late = mm.cpu(1).loaded && mm.use_ldt(1) != Some(descriptor);
    Outcome::judged(observed, late, SYNCHRONOUS)
}

/// CPU 0 replaces the LDT while a thread on CPU 1 uses it.
fn swap_while_used(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let mm = Arc::new(Mm::new(config, &[true, true], Recorder::off()));
        mm.write_ldt(0, 1);
        let other = beside!(mm, mm.use_ldt(1));
        mm.write_ldt(0, 2);
        let used = shown(other.join().unwrap());
        at_the_end(&mm, 2, used)
    })
}

/// CPU 0 replaces the LDT while CPU 1 walks the page table for the old slot, as it may at any time.
fn swap_while_walked(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let mm = Arc::new(Mm::new(config, &[true, true], Recorder::off()));
        mm.write_ldt(0, 1);
        let other = beside!(mm, mm.walk(1, 0));
        mm.write_ldt(0, 2);
        let page = shown(other.join().unwrap());
        at_the_end(&mm, 2, page)
    })
}

/// CPU 0 replaces the LDT while CPU 1 reads through a slot, speculatively.
fn swap_while_speculating(config: Config, slot: u8, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let mm = Arc::new(Mm::new(config, &[true, true], Recorder::off()));
        mm.write_ldt(0, 1);
        let other = beside!(mm, mm.speculate(1, slot));
        mm.write_ldt(0, 2);
        let read = other.join().unwrap();
        let wrong = read.is_some_and(|descriptor| descriptor != slot + 1);
        if wrong {
            return Outcome::judged(shown(read), true, CONSISTENT_DESCRIPTOR);
        }
        at_the_end(&mm, 2, shown(read))
    })
}

/// CPU 1 has translations from an earlier turn and switches back while CPU 0 replaces the LDT and flushes.
fn swap_while_switching_back(config: Config, walks: bool, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let mm = Arc::new(Mm::new(config, &[true, true], Recorder::off()));
        mm.write_ldt(0, 1);
        mm.walk(1, 0);
        mm.switch_out(1);
        let other = beside!(mm, {
            mm.switch_in(1);
            if walks {
                mm.walk(1, 0);
            }
        });
        mm.write_ldt(0, 2);
        other.join().unwrap();
        let [first, second] = mm.cpu(1).tlb.map(shown);
        at_the_end(&mm, 2, format!("TLB has {first} and {second}"))
    })
}

/// CPU 0 replaces the LDT while CPU 1 switches to a thread of the process, which then uses it.
fn swap_while_switching(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let mm = Arc::new(Mm::new(config, &[true, false], Recorder::off()));
        mm.write_ldt(0, 1);
        let other = beside!(mm, {
            mm.switch_in(1);
            mm.use_ldt(1)
        });
        mm.write_ldt(0, 2);
        let used = shown(other.join().unwrap());
        at_the_end(&mm, 2, used)
    })
}

/// CPU 0 installs the first LDT while CPU 1 switches to a thread of the process.
fn install_while_switching(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let mm = Arc::new(Mm::new(config, &[true, false], Recorder::off()));
        let other = beside!(mm, mm.switch_in(1));
        mm.write_ldt(0, 1);
        other.join().unwrap();
        let used = shown(mm.use_ldt(1));
        at_the_end(&mm, 1, used)
    })
}

/// Two threads call `modify_ldt()` at once.
fn two_calls(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let mm = Arc::new(Mm::new(config, &[true, true], Recorder::off()));
        mm.write_ldt(0, 1);
        let other = beside!(mm, mm.write_ldt(1, 3));
        mm.write_ldt(0, 2);
        other.join().unwrap();
        let last = mm.installed().unwrap_or_default();
        at_the_end(&mm, last, last.to_string())
    })
}

/// CPU 0 replaces the LDT while CPU 1, which runs something else, forks for the process.
fn fork(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let mm = Arc::new(Mm::new(config, &[true, false], Recorder::off()));
        mm.write_ldt(0, 1);
        let other = beside!(mm, mm.dup_context());
        mm.write_ldt(0, 2);
        let copied = shown(other.join().unwrap());
        at_the_end(&mm, 2, copied)
    })
}

const MAINLINE: Config = Config::MAINLINE;

const fn published(publish: Publish) -> Config {
    Config { publish, ..MAINLINE }
}
const fn ordered(order: Order) -> Config {
    Config { order, ..MAINLINE }
}
const fn barriers(barriers: Barriers) -> Config {
    Config { barriers, ..MAINLINE }
}

const fn scenario(
    variant: &'static str,
    what: &'static str,
    question: &'static str,
    expected: Expected,
    outcomes: &'static [&'static str],
    explore: fn(Bounds) -> LoomRun,
) -> Scenario {
    Scenario { mechanism: "ldt", variant, what, question, expected, outcomes, bounds: Bounds::NONE, explore }
}

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "publish-release",
        "mainline: smp_store_release(), and a load that orders what goes through the pointer",
        "Does a CPU that loads the new context.ldt also see the entries written before it was published?",
        Expected::Holds,
        &["none", "slot=0 descriptor=1"],
        |bounds| publish(MAINLINE, bounds),
    ),
    scenario(
        "publish-once",
        "WRITE_ONCE() of the pointer; what it leads to is plain",
        "Is a marked store of context.ldt enough to publish what it leads to?",
        Expected::Broken(NO_RACE_ON_LDT),
        &[],
        |bounds| publish(published(Publish::Once), bounds),
    ),
    scenario(
        "publish-once-marked",
        "WRITE_ONCE() of the pointer; what it leads to is marked too",
        "Does it help to mark what the pointer leads to?",
        Expected::Broken(INSTALLED_SLOT_IS_VALID),
        &[
            "none",
            "slot=0 descriptor=0",
            "slot=0 descriptor=1",
            "slot=0 descriptor=255",
            "slot=0 descriptor=none",
            "slot=none descriptor=0",
            "slot=none descriptor=1",
            "slot=none descriptor=255",
            "slot=none descriptor=none",
        ],
        |bounds| publish(published(Publish::OnceMarked), bounds),
    ),
    scenario(
        "publish-relaxed-load",
        "smp_store_release(), and a load of the pointer on which nothing depends",
        "Is the store-release enough without a dependency or an acquire in the reader?",
        Expected::Broken(INSTALLED_SLOT_IS_VALID),
        &[
            "none",
            "slot=0 descriptor=0",
            "slot=0 descriptor=1",
            "slot=0 descriptor=255",
            "slot=0 descriptor=none",
            "slot=none descriptor=0",
            "slot=none descriptor=1",
            "slot=none descriptor=255",
            "slot=none descriptor=none",
        ],
        |bounds| publish(published(Publish::ReleaseRelaxedLoad), bounds),
    ),
    scenario(
        "publish-plain-writer",
        "a plain store of the pointer, a marked load",
        "Is it enough to mark the load of context.ldt?",
        Expected::Broken(RACE_ON_POINTER),
        &[],
        |bounds| publish(published(Publish::PlainWriter), bounds),
    ),
    scenario(
        "publish-plain-reader",
        "a marked store of the pointer, a plain load",
        "Is it enough to mark the store of context.ldt?",
        Expected::Broken(RACE_ON_POINTER),
        &[],
        |bounds| publish(published(Publish::PlainReader), bounds),
    ),
    scenario(
        "slot-after-publish",
        "the slot is stored after the pointer",
        "May the slot be stored when the LDT is already published?",
        Expected::Broken(INSTALLED_SLOT_IS_VALID),
        &["none", "slot=0 descriptor=1", "slot=none descriptor=1"],
        |bounds| publish(ordered(Order::SlotAfterPublish), bounds),
    ),
    scenario(
        "free-after-acknowledge",
        "mainline: publish, interrupt and wait, unmap, flush, free",
        "Can a CPU that uses the old LDT still do so after it was freed?",
        Expected::Holds,
        &["1", "2"],
        |bounds| swap_while_used(MAINLINE, bounds),
    ),
    scenario(
        "free-before-acknowledge",
        "the pages are freed before the interrupt",
        "Does the wait for the handlers help if the free comes before it?",
        Expected::Broken(NO_RACE_ON_LDT),
        &[],
        |bounds| swap_while_used(ordered(Order::FreeBeforeInterrupt), bounds),
    ),
    scenario(
        "free-without-wait",
        "the interrupt is sent and not waited for",
        "May the old LDT be freed once the interrupt is sent, without waiting for it?",
        Expected::Broken(LDT_IS_MAPPED),
        &[],
        |bounds| swap_while_used(Config { wait: false, ..MAINLINE }, bounds),
    ),
    scenario(
        "interrupt-before-publish",
        "the interrupt is sent before context.ldt is stored",
        "May the interrupt be sent before context.ldt is stored?",
        Expected::Broken(SYNCHRONOUS),
        &["1", "none"],
        |bounds| install_while_switching(ordered(Order::InterruptBeforePublish), bounds),
    ),
    scenario(
        "unmap-before-interrupt",
        "the old slot is unmapped and flushed before the CPUs have changed over",
        "May the old slot be unmapped while CPUs still use it?",
        Expected::Broken(LDT_IS_MAPPED),
        &[],
        |bounds| swap_while_used(ordered(Order::UnmapBeforeInterrupt), bounds),
    ),
    scenario(
        "walk-any-time",
        "mainline, with a CPU that walks the page table for the old slot at any time",
        "Can a speculative walk leave a translation of a freed page behind?",
        Expected::Holds,
        &["0", "none"],
        |bounds| swap_while_walked(MAINLINE, bounds),
    ),
    scenario(
        "flush-before-clear",
        "the flush comes before the entries are cleared",
        "May the flush come before the entries are cleared?",
        Expected::Broken(NO_MAPPED_FREE_PAGE),
        &["0", "none"],
        |bounds| swap_while_walked(ordered(Order::FlushBeforeClear), bounds),
    ),
    scenario(
        "unmap-no-flush",
        "the entries are cleared and nothing is flushed",
        "Can a translation outlive the page if nothing is flushed?",
        Expected::Broken(NO_MAPPED_FREE_PAGE),
        &["0", "none"],
        |bounds| swap_while_walked(ordered(Order::NoFlush), bounds),
    ),
    scenario(
        "cpumask-both-barriers",
        "mainline: a full barrier between mask and pointer on both sides",
        "Can a CPU load the old LDT and not get the interrupt either?",
        Expected::Holds,
        &["1"],
        |bounds| install_while_switching(MAINLINE, bounds),
    ),
    scenario(
        "cpumask-install-barrier",
        "the barrier in switch_mm() is missing",
        "Is a barrier in install_ldt() alone enough to reach a CPU that is switching?",
        Expected::Broken(SYNCHRONOUS),
        &["1", "none"],
        |bounds| install_while_switching(barriers(Barriers::Install), bounds),
    ),
    scenario(
        "cpumask-switch-barrier",
        "the barrier in install_ldt() is missing",
        "Is a barrier in the switch alone enough for install_ldt() to reach that CPU?",
        Expected::Broken(SYNCHRONOUS),
        &["1", "none"],
        |bounds| install_while_switching(barriers(Barriers::Switch), bounds),
    ),
    scenario(
        "cpumask-no-barrier",
        "both barriers are missing",
        "Is program order enough between mask and pointer?",
        Expected::Broken(SYNCHRONOUS),
        &["1", "none"],
        |bounds| install_while_switching(barriers(Barriers::Neither), bounds),
    ),
    scenario(
        "switch-interrupts-off",
        "mainline: switch_mm() loads the pointer and LDTR with interrupts off",
        "Can a switch in progress end up with an LDT that is freed meanwhile?",
        Expected::Holds,
        &["1", "2"],
        |bounds| swap_while_switching(MAINLINE, bounds),
    ),
    scenario(
        "switch-interrupts-on",
        "the pointer is read, the interrupt is answered, and then LDTR is loaded through the old pointer",
        "May the handler run between the load of the pointer and its use?",
        Expected::Broken(NO_RACE_ON_LDT),
        &[],
        |bounds| swap_while_switching(Config { irqs_off: false, ..MAINLINE }, bounds),
    ),
    scenario(
        "speculate-old-slot",
        "mainline, with a CPU that reads through the old slot at any time",
        "Can a speculative access read a page that is freed?",
        Expected::Holds,
        &["1", "none"],
        |bounds| swap_while_speculating(MAINLINE, 0, bounds),
    ),
    scenario(
        "speculate-new-slot",
        "mainline, with a CPU that reads through the new slot at any time",
        "Does a speculative access find the page as its last owner left it?",
        Expected::Holds,
        &["2", "none"],
        |bounds| swap_while_speculating(MAINLINE, 1, bounds),
    ),
    scenario(
        "entry-once",
        "the page-table entry is stored without an order behind the page's content",
        "May the page-table entry become visible before what is in the page?",
        Expected::Broken(NO_RACE_ON_LDT),
        &[],
        |bounds| swap_while_speculating(Config { entry_release: false, ..MAINLINE }, 1, bounds),
    ),
    scenario(
        "switch-back-while-flushed",
        "mainline: a CPU with translations from an earlier turn switches back while the old slot is flushed",
        "Can a CPU miss both the new generation of the TLB and the interrupt?",
        Expected::Holds,
        &["TLB has none and none"],
        |bounds| swap_while_switching_back(MAINLINE, false, bounds),
    ),
    scenario(
        "switch-back-flush-unordered",
        "the same without a barrier between raising tlb_gen and reading the mask",
        "Does raising tlb_gen have to be a full barrier?",
        Expected::Broken(NO_MAPPED_FREE_PAGE),
        &["TLB has 0 and none", "TLB has none and none"],
        |bounds| swap_while_switching_back(Config { flush_barrier: false, ..MAINLINE }, false, bounds),
    ),
    scenario(
        "switch-back-switch-unordered",
        "the same without a barrier between setting the mask's bit and reading tlb_gen",
        "Does the other side need its barrier too?",
        Expected::Broken(NO_RACE_ON_LDT),
        &[],
        |bounds| swap_while_switching_back(barriers(Barriers::Install), false, bounds),
    ),
    scenario(
        "switch-back-and-walk",
        "mainline: the CPU that switches back walks for the old slot at once",
        "Does a CPU that reads the new generation of the TLB find the entry cleared?",
        Expected::Holds,
        &["TLB has none and none"],
        |bounds| swap_while_switching_back(MAINLINE, true, bounds),
    ),
    scenario(
        "switch-back-and-walk-unordered",
        "the same without a barrier between clearing the entry and raising tlb_gen",
        "Does raising tlb_gen have to be a full barrier towards what is before it, too?",
        Expected::Broken(NO_MAPPED_FREE_PAGE),
        &["TLB has 0 and none", "TLB has none and none"],
        |bounds| swap_while_switching_back(Config { raise_barrier: false, ..MAINLINE }, true, bounds),
    ),
    scenario(
        "two-calls",
        "mainline: two threads call modify_ldt() at once, under ldt_usr_sem",
        "Is each old LDT freed once, and nothing else?",
        Expected::Holds,
        &["2", "3"],
        |bounds| two_calls(MAINLINE, bounds),
    ),
    scenario(
        "two-calls-without-lock",
        "the same without ldt_usr_sem",
        "Is context.lock, which is held around publication and interrupt, enough?",
        Expected::Broken(NO_RACE_ON_LDT),
        &[],
        |bounds| two_calls(Config { usr_sem: false, ..MAINLINE }, bounds),
    ),
    scenario(
        "fork-copy-locked",
        "mainline: fork copies the LDT under context.lock",
        "Can fork copy from an LDT that modify_ldt() has freed?",
        Expected::Holds,
        &["1", "2"],
        |bounds| fork(MAINLINE, bounds),
    ),
    scenario(
        "fork-copy-lockless",
        "fork copies the LDT without context.lock",
        "Does a marked load of the pointer do instead of the lock in fork?",
        Expected::Broken(NO_RACE_ON_LDT),
        &[],
        |bounds| fork(Config { fork_locks: false, ..MAINLINE }, bounds),
    ),
];
