//! iommu-flush under loom.
//!
//! Flushers are CPU 0 and CPU 1, the binder is a thread of its own. Every execution that loom can produce, but for the
//! one scenario with three threads, which has a bound on preemptions.

use super::beside;
use crate::explore::{Outcome, explore};
use crate::over_loom::iommu_flush::{
    Config, Fetch, Free, GracePeriod, Kernel, NO_CALL_INTO_FREED_TEXT, NO_RACE_ON_PASID_DATA, PUBLISHED_DATA, Publish,
    Section, Tested,
};
use crate::over_loom::recorder::Recorder;
use crate::scenario::{Bounds, Expected, LoomRun, Scenario};
use std::sync::Arc;

const NO_STALE_IOTLB: &str = "no-stale-iotlb: after a page is freed, no IOTLB entry leads to it";
const BOUND_WORKS: &str = "published-data: whoever has bound finds the function, and its data";
const RACE_ON_POINTER: &str = "no-data-race: the function pointer";

fn called(pasid: Option<u8>) -> String {
    pasid.map_or("not called".to_string(), |pasid| format!("called with PASID {pasid}"))
}

fn judge(kernel: &Kernel, pasid: Option<u8>) -> Outcome {
    let observed = called(pasid);
    if pasid.is_some_and(|pasid| pasid != 1) {
        return Outcome::judged(observed, true, PUBLISHED_DATA);
    }
    Outcome::judged(observed, kernel.iotlb_is_stale(), NO_STALE_IOTLB)
}

/// A page is unmapped and freed while the first PASID is bound and its device begins to walk.
fn unmap_and_bind(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let kernel = Arc::new(Kernel::new(config, Recorder::off()));
        let other = beside!(kernel, {
            kernel.bind();
            kernel.walk();
        });
        let pasid = kernel.unmap(0);
        other.join().unwrap();
        let stale = u8::from(kernel.iotlb_is_stale());
        let outcome = judge(&kernel, pasid);
        Outcome { observed: format!("{}, stale={stale}", outcome.observed), ..outcome }
    })
}

/// A flush calls the function while the first PASID is bound.
fn call_and_bind(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let kernel = Arc::new(Kernel::new(config, Recorder::off()));
        let other = beside!(kernel, kernel.bind());
        let pasid = kernel.call_only(0);
        other.join().unwrap();
        judge(&kernel, pasid)
    })
}

/// A flush calls the function while the last PASID is unbound.
fn call_and_unbind(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let kernel = Arc::new(Kernel::new(config, Recorder::off()));
        kernel.bind();
        let other = beside!(kernel, kernel.unbind());
        let pasid = kernel.call_only(0);
        other.join().unwrap();
        judge(&kernel, pasid)
    })
}

/// The last PASID is unbound while another thread binds.
fn unbind_and_bind(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let kernel = Arc::new(Kernel::new(config, Recorder::off()));
        kernel.bind();
        let other = beside!(kernel, kernel.unbind());
        let first = kernel.bind_if_unbound();
        other.join().unwrap();
        let pasid = kernel.call_only(0);
        let wrong = pasid.is_some() != first;
        Outcome::judged(format!("first={first}, {}", called(pasid)), wrong, BOUND_WORKS)
    })
}

/// Two flushes call the function while the last PASID is unbound.
fn two_calls_and_unbind(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let kernel = Arc::new(Kernel::new(config, Recorder::off()));
        kernel.bind();
        let unbinder = beside!(kernel, kernel.unbind());
        let other = beside!(kernel, kernel.call_only(1));
        let mine = kernel.call_only(0);
        let other = other.join().unwrap();
        unbinder.join().unwrap();
        let outcome = judge(&kernel, mine);
        Outcome { observed: format!("{}, {}", outcome.observed, called(other)), ..outcome }
    })
}

/// A page that the device may cache at any time is unmapped and freed.
fn unmap_and_walk(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let kernel = Arc::new(Kernel::new(config, Recorder::off()));
        kernel.bind();
        let device = beside!(kernel, kernel.walk());
        let pasid = kernel.unmap(0);
        device.join().unwrap();
        judge(&kernel, pasid)
    })
}

/// A page that the device has cached is unmapped and freed, and the device writes to it at any time.
fn unmap_and_walk_at_free(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let kernel = Arc::new(Kernel::new(config, Recorder::off()));
        kernel.bind();
        kernel.walk();
        let device = beside!(kernel, kernel.dma_hits_freed_page());
        let pasid = kernel.unmap(0);
        let hit = device.join().unwrap();
        let observed = format!("{}, hit={}", called(pasid), u8::from(hit));
        Outcome::judged(observed, hit || kernel.iotlb_is_stale(), NO_STALE_IOTLB)
    })
}

const TWO: Bounds = Bounds::preemptions(
    2,
    "three threads; without it 170,370 executions in 9 s with the same outcomes (`just loom-deep`)",
);

const RCU: Config = Config::RCU;
const NEVER_CLEARED: Config =
    Config { section: Section::None, grace_period: GracePeriod::None, goes_away: false, frees_data: false, ..RCU };

const fn published(publish: Publish) -> Config {
    Config { publish, ..RCU }
}

const fn scenario(
    variant: &'static str,
    what: &'static str,
    question: &'static str,
    expected: Expected,
    outcomes: &'static [&'static str],
    explore: fn(Bounds) -> LoomRun,
) -> Scenario {
    Scenario { mechanism: "iommu-flush", variant, what, question, expected, outcomes, bounds: Bounds::NONE, explore }
}

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "bind-both-barriers",
        "a full barrier between the entry and the pointer, and between the pointer and the doorbell",
        "With a full barrier on both sides, can a flush miss a bind whose device has cached the old entry?",
        Expected::Holds,
        &["called with PASID 1, stale=0", "not called, stale=0"],
        |bounds| unmap_and_bind(RCU, bounds),
    ),
    scenario(
        "bind-flusher-barrier",
        "the barrier in the flush only",
        "Is the flusher's barrier alone enough against a concurrent bind?",
        Expected::Broken(NO_STALE_IOTLB),
        &["called with PASID 1, stale=0", "not called, stale=0", "not called, stale=1"],
        |bounds| unmap_and_bind(Config { binder_barrier: false, ..RCU }, bounds),
    ),
    scenario(
        "bind-binder-barrier",
        "the barrier in the bind only",
        "Is the binder's barrier alone enough against a concurrent flush?",
        Expected::Broken(NO_STALE_IOTLB),
        &["called with PASID 1, stale=0", "not called, stale=0", "not called, stale=1"],
        |bounds| unmap_and_bind(Config { flusher_barrier: false, ..RCU }, bounds),
    ),
    scenario(
        "bind-no-barrier",
        "no barrier",
        "Is program order, with release and acquire of the pointer, enough between a flush and a bind?",
        Expected::Broken(NO_STALE_IOTLB),
        &["called with PASID 1, stale=0", "not called, stale=0", "not called, stale=1"],
        |bounds| unmap_and_bind(Config { flusher_barrier: false, binder_barrier: false, ..RCU }, bounds),
    ),
    scenario(
        "users-check",
        "the flush looks at the number of users, which the bind increments with a full barrier",
        "Is a value-returning atomic a full barrier on the bind's side?",
        Expected::Holds,
        &["called with PASID 1, stale=0", "not called, stale=0"],
        |bounds| unmap_and_bind(Config { tested: Tested::Users, publish: Publish::OnceMarked, ..RCU }, bounds),
    ),
    scenario(
        "users-check-unordered",
        "the same with an atomic that orders nothing",
        "Is an atomic that returns nothing a barrier on the bind's side?",
        Expected::Broken(NO_STALE_IOTLB),
        &["called with PASID 0, stale=0", "called with PASID 1, stale=0", "not called, stale=0", "not called, stale=1"],
        |bounds| {
            let config = Config { tested: Tested::UsersUnordered, publish: Publish::OnceMarked, ..RCU };
            unmap_and_bind(Config { binder_barrier: false, ..config }, bounds)
        },
    ),
    scenario(
        "publish-assign",
        "rcu_assign_pointer() and rcu_dereference()",
        "Does a flusher that sees the function also see the PASID data that the driver set up before?",
        Expected::Holds,
        &["called with PASID 1", "not called"],
        |bounds| call_and_bind(RCU, bounds),
    ),
    scenario(
        "publish-once",
        "WRITE_ONCE() of the pointer; the data are plain",
        "Is a marked store of the function pointer enough to publish the PASID data?",
        Expected::Broken(NO_RACE_ON_PASID_DATA),
        &[],
        |bounds| call_and_bind(published(Publish::Once), bounds),
    ),
    scenario(
        "publish-once-marked",
        "WRITE_ONCE() of the pointer; the data are marked",
        "Does it help to mark the data?",
        Expected::Broken(PUBLISHED_DATA),
        &["called with PASID 0", "called with PASID 1", "not called"],
        |bounds| call_and_bind(published(Publish::OnceMarked), bounds),
    ),
    scenario(
        "publish-control",
        "rcu_assign_pointer(), but the data are loaded without going through the pointer",
        "Does the test of the pointer order a load that does not go through it?",
        Expected::Broken(PUBLISHED_DATA),
        &["called with PASID 0", "called with PASID 1", "not called"],
        |bounds| call_and_bind(published(Publish::Control), bounds),
    ),
    scenario(
        "publish-plain",
        "a plain pointer, set once, never cleared, without RCU",
        "If the pointer is set once and never cleared, may it be plain?",
        Expected::Broken(RACE_ON_POINTER),
        &[],
        |bounds| call_and_bind(Config { publish: Publish::Plain, ..NEVER_CLEARED }, bounds),
    ),
    scenario(
        "never-cleared",
        "set once with release, never cleared, no RCU, nothing is ever freed",
        "Is RCU needed for a function that never goes away?",
        Expected::Holds,
        &["called with PASID 1"],
        |bounds| call_and_unbind(NEVER_CLEARED, bounds),
    ),
    scenario(
        "no-rcu-builtin-frees-data",
        "the same, but the last unbind frees the data that the function uses",
        "Is it enough that the function itself never goes away?",
        Expected::Broken(NO_RACE_ON_PASID_DATA),
        &[],
        |bounds| call_and_unbind(Config { frees_data: true, ..NEVER_CLEARED }, bounds),
    ),
    scenario(
        "grace-period",
        "synchronize_rcu() between clearing the pointer and freeing",
        "Can a flusher use PASID data, or text, after it was freed?",
        Expected::Holds,
        &["called with PASID 1", "not called"],
        |bounds| call_and_unbind(RCU, bounds),
    ),
    Scenario {
        bounds: TWO,
        ..scenario(
            "grace-period-two-flushers",
            "the same with flushers on two CPUs",
            "Does the grace period wait for every CPU?",
            Expected::Holds,
            &[
                "called with PASID 1, called with PASID 1",
                "called with PASID 1, not called",
                "not called, called with PASID 1",
                "not called, not called",
            ],
            |bounds| two_calls_and_unbind(RCU, bounds),
        )
    },
    scenario(
        "no-grace-period",
        "the pointer is cleared and the data are freed",
        "Is clearing the pointer, without a grace period, enough to free?",
        Expected::Broken(NO_RACE_ON_PASID_DATA),
        &[],
        |bounds| call_and_unbind(Config { grace_period: GracePeriod::None, ..RCU }, bounds),
    ),
    scenario(
        "grace-period-too-early",
        "synchronize_rcu() before the pointer is cleared",
        "May the grace period come before the pointer is cleared?",
        Expected::Broken(NO_RACE_ON_PASID_DATA),
        &[],
        |bounds| call_and_unbind(Config { grace_period: GracePeriod::TooEarly, ..RCU }, bounds),
    ),
    scenario(
        "no-read-lock",
        "the flusher is in no section",
        "Does the grace period help a flusher that is in no section?",
        Expected::Broken(NO_RACE_ON_PASID_DATA),
        &[],
        |bounds| call_and_unbind(Config { section: Section::None, ..RCU }, bounds),
    ),
    scenario(
        "use-after-unlock",
        "the call comes after rcu_read_unlock()",
        "May a pointer that was read inside a section be used after it?",
        Expected::Broken(NO_RACE_ON_PASID_DATA),
        &[],
        |bounds| call_and_unbind(Config { section: Section::EndsBeforeCall, ..RCU }, bounds),
    ),
    scenario(
        "rebind-locked",
        "bind and unbind hold the mutex",
        "Can a bind begin while the last unbind still takes things down?",
        Expected::Holds,
        &["first=false, not called", "first=true, called with PASID 1"],
        |bounds| unbind_and_bind(RCU, bounds),
    ),
    scenario(
        "rebind-lockless",
        "the same without the mutex",
        "Do bind and unbind need their mutex?",
        Expected::Broken(NO_RACE_ON_PASID_DATA),
        &[],
        |bounds| unbind_and_bind(Config { mutex: false, ..RCU }, bounds),
    ),
    scenario(
        "double-fetch",
        "the pointer is loaded once to test it and once to call it",
        "May the pointer that is called differ from the pointer that was tested?",
        Expected::Broken(NO_CALL_INTO_FREED_TEXT),
        &[],
        |bounds| call_and_unbind(Config { fetch: Fetch::Twice, ..RCU }, bounds),
    ),
    scenario(
        "invalidate-then-free",
        "the page is freed when the IOMMU has executed the invalidation",
        "Can the device keep a translation of a freed page?",
        Expected::Holds,
        &["called with PASID 1"],
        |bounds| unmap_and_walk(RCU, bounds),
    ),
    scenario(
        "invalidate-then-free-dma",
        "the same, and the device writes through what it has cached",
        "Can the device write to a freed page?",
        Expected::Holds,
        &["called with PASID 1, hit=0"],
        |bounds| unmap_and_walk_at_free(RCU, bounds),
    ),
    scenario(
        "free-after-submit",
        "the page is freed when the invalidation is submitted, without waiting for it",
        "Is it enough to submit the invalidation?",
        Expected::Broken(NO_STALE_IOTLB),
        &["called with PASID 1, hit=0", "called with PASID 1, hit=1"],
        |bounds| unmap_and_walk_at_free(Config { free: Free::AfterSubmit, ..RCU }, bounds),
    ),
    scenario(
        "free-before-call",
        "the page is freed before the function is called",
        "May the page be freed before the IOMMU is flushed?",
        Expected::Broken(NO_STALE_IOTLB),
        &["called with PASID 1, hit=0", "called with PASID 1, hit=1"],
        |bounds| unmap_and_walk_at_free(Config { free: Free::BeforeCall, ..RCU }, bounds),
    ),
];
