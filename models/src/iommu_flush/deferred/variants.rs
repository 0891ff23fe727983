//! The variants of [`DeferredFree`](super::DeferredFree).

use super::super::hardware::Privilege;
use super::Act::{
    B1Attach, B2List, B2SetPresent, B3Enable, C2Submit, C3Wait, F0ClearEntry, F5FlushCpus, F6FreePage, MutexLock,
    MutexUnlock, Q1Lock, Q2ReadQueue, Q3WriteQueue, Q4Unlock, Q5ScheduleWork, U1ClearEntry, U1StopDevice,
    U2ClearPresent, U2Unlist, U4FreeDomain, W0Start, W1TakeQueue, W2EmptyQueue, W3ReadPresent, W4ReadBound, W5FreeOne,
};
use super::{Act, Config, Flushes};
use crate::machine::{Expect, Variant};

/// How a data page is freed, and how every page was freed before 2025.
pub(super) const FREE_AT_ONCE: &[Act] = &[F0ClearEntry, F5FlushCpus, F6FreePage];

#[rustfmt::skip] // One line for each part.
const QUEUE: &[Act] = &[
    F0ClearEntry, F5FlushCpus,
    Q1Lock, Q2ReadQueue, Q3WriteQueue, Q4Unlock,
    Q5ScheduleWork,
];
#[rustfmt::skip] // One line for each part.
const ITEM: &[Act] = &[
    W0Start,
    Q1Lock, W1TakeQueue, W2EmptyQueue, Q4Unlock,
    MutexLock, W3ReadPresent, W4ReadBound, C2Submit, C3Wait, MutexUnlock,
    W5FreeOne,
];
const BIND: &[Act] = &[MutexLock, B1Attach, B3Enable, B2List, B2SetPresent, MutexUnlock];
#[rustfmt::skip] // One line for each part.
const UNBIND: &[Act] = &[
    U1StopDevice,
    MutexLock,
    U1ClearEntry, C2Submit, C3Wait,
    U2Unlist, U2ClearPresent,
    U4FreeDomain,
    MutexUnlock,
];

const DEFERRED: Config = Config {
    free_table: QUEUE,
    item: ITEM,
    bind: BIND,
    unbind: UNBIND,
    privilege: Privilege::User,
    flushes: Flushes::All,
    upper_too: true,
};

#[rustfmt::skip] // Freeing as posted first in 2025: the flush stands in flush_tlb_kernel_range().
const FREE_BEHIND_A_FLUSH: &[Act] = &[
    F0ClearEntry, F5FlushCpus,
    MutexLock, W3ReadPresent, W4ReadBound, C2Submit, C3Wait, MutexUnlock,
    F6FreePage,
];
#[rustfmt::skip] // Queueing without the lock.
const QUEUE_UNLOCKED: &[Act] = &[
    F0ClearEntry, F5FlushCpus,
    Q2ReadQueue, Q3WriteQueue,
    Q5ScheduleWork,
];
#[rustfmt::skip] // Queueing with the work scheduled first.
const QUEUE_SCHEDULING_FIRST: &[Act] = &[
    F0ClearEntry, F5FlushCpus,
    Q5ScheduleWork,
    Q1Lock, Q2ReadQueue, Q3WriteQueue, Q4Unlock,
];
#[rustfmt::skip] // Queueing before the entry is cleared.
const QUEUE_BEFORE_CLEAR: &[Act] = &[
    Q1Lock, Q2ReadQueue, Q3WriteQueue, Q4Unlock,
    Q5ScheduleWork,
    F0ClearEntry, F5FlushCpus,
];
#[rustfmt::skip] // Queueing without a flush of the CPUs.
const QUEUE_WITHOUT_CPUS: &[Act] = &[
    F0ClearEntry,
    Q1Lock, Q2ReadQueue, Q3WriteQueue, Q4Unlock,
    Q5ScheduleWork,
];
#[rustfmt::skip] // Queueing, and freeing at once as well.
const QUEUE_AND_FREE: &[Act] = &[
    F0ClearEntry, F5FlushCpus,
    Q1Lock, Q2ReadQueue, Q3WriteQueue, Q4Unlock,
    Q5ScheduleWork,
    F6FreePage,
];

#[rustfmt::skip] // The item as sketched in August 2025: flush, then free what is queued under the lock.
const ITEM_FLUSHING_FIRST: &[Act] = &[
    W0Start,
    MutexLock, W3ReadPresent, W4ReadBound, C2Submit, C3Wait, MutexUnlock,
    Q1Lock, W1TakeQueue, W2EmptyQueue, W5FreeOne, Q4Unlock,
];
#[rustfmt::skip] // The item with the pages freed before the flush.
const ITEM_FREEING_FIRST: &[Act] = &[
    W0Start,
    Q1Lock, W1TakeQueue, W2EmptyQueue, Q4Unlock,
    W5FreeOne,
    MutexLock, W3ReadPresent, W4ReadBound, C2Submit, C3Wait, MutexUnlock,
];
#[rustfmt::skip] // The item without the mutex.
const ITEM_WITHOUT_MUTEX: &[Act] = &[
    W0Start,
    Q1Lock, W1TakeQueue, W2EmptyQueue, Q4Unlock,
    W3ReadPresent, W4ReadBound, C2Submit, C3Wait,
    W5FreeOne,
];
#[rustfmt::skip] // The item with the mutex released between reading the list and flushing.
const ITEM_DROPPING_THE_MUTEX: &[Act] = &[
    W0Start,
    Q1Lock, W1TakeQueue, W2EmptyQueue, Q4Unlock,
    MutexLock, W3ReadPresent, W4ReadBound, MutexUnlock, C2Submit, C3Wait,
    W5FreeOne,
];
#[rustfmt::skip] // The item with a first look outside the mutex.
const ITEM_LOOKING_FIRST: &[Act] = &[
    W0Start,
    Q1Lock, W1TakeQueue, W2EmptyQueue, Q4Unlock,
    W3ReadPresent, MutexLock, W4ReadBound, C2Submit, C3Wait, MutexUnlock,
    W5FreeOne,
];
#[rustfmt::skip] // The item without the lock of the queue.
const ITEM_UNLOCKED: &[Act] = &[
    W0Start,
    W1TakeQueue, W2EmptyQueue,
    MutexLock, W3ReadPresent, W4ReadBound, C2Submit, C3Wait, MutexUnlock,
    W5FreeOne,
];
#[rustfmt::skip] // The item with the lock kept.
const ITEM_KEEPING_THE_LOCK: &[Act] = &[
    W0Start,
    Q1Lock, W1TakeQueue, W2EmptyQueue,
    MutexLock, W3ReadPresent, W4ReadBound, C2Submit, C3Wait, MutexUnlock,
    W5FreeOne,
];
#[rustfmt::skip] // The item with the pending bit cleared late.
const ITEM_STARTED_LAST: &[Act] = &[
    Q1Lock, W1TakeQueue, W2EmptyQueue, Q4Unlock,
    W0Start,
    MutexLock, W3ReadPresent, W4ReadBound, C2Submit, C3Wait, MutexUnlock,
    W5FreeOne,
];

const BIND_ATTACHING_FIRST: &[Act] = &[B1Attach, B3Enable, MutexLock, B2List, B2SetPresent, MutexUnlock];
const BIND_LISTING_FIRST: &[Act] = &[MutexLock, B2List, B2SetPresent, B1Attach, B3Enable, MutexUnlock];
const BIND_WITHOUT_NOTE: &[Act] = &[MutexLock, B1Attach, B3Enable, B2List, MutexUnlock];

#[rustfmt::skip] // Unbind with the mm off the list first.
const UNBIND_UNLISTING_FIRST: &[Act] = &[
    U1StopDevice,
    MutexLock,
    U2Unlist, U2ClearPresent,
    U1ClearEntry, C2Submit, C3Wait,
    U4FreeDomain,
    MutexUnlock,
];
#[rustfmt::skip] // Unbind with the mm off the list first, and the mutex released behind that.
const UNBIND_DRAINING_UNLOCKED: &[Act] = &[
    U1StopDevice,
    MutexLock,
    U2Unlist, U2ClearPresent,
    MutexUnlock,
    U1ClearEntry, C2Submit, C3Wait,
    U4FreeDomain,
];
#[rustfmt::skip] // Unbind without the drain.
const UNBIND_WITHOUT_DRAIN: &[Act] = &[
    U1StopDevice,
    MutexLock,
    U1ClearEntry,
    U2Unlist, U2ClearPresent,
    U4FreeDomain,
    MutexUnlock,
];
#[rustfmt::skip] // Unbind with the domain freed before the mm is off the list.
const UNBIND_FREEING_FIRST: &[Act] = &[
    U1StopDevice,
    MutexLock,
    U1ClearEntry, C2Submit, C3Wait,
    U4FreeDomain,
    U2Unlist, U2ClearPresent,
    MutexUnlock,
];

const CVE: &str = "mainline before 2025; CVE-2025-71202";
const MAINLINE: &str =
    "mainline since 2025: e37d5a2d60a3 \"iommu/sva: invalidate stale IOTLB entries for kernel address space\"";
const FIRST_POSTING: &str = "Lu Baolu, July 2025, \"[PATCH 1/1] iommu/sva: Invalidate KVA range on kernel TLB flush\"";
const SKETCH: &str = "Dave Hansen, mail of 6 August 2025 in the thread of that patch: a sketch of the work item";
const CRASH: &str = "a bug that mainline had and fixed: \"iommu/sva: Fix crash in iommu_sva_unbind_device()\"";
const OWN: &str = "kverdict: a one-line change of the form that holds";
const OWN_CONFIGURATION: &str = "kverdict: the form that holds, where it might not";

/// The verdicts of a page that is freed under a device.
const STALE: &[&str] = &["no-stale-iotlb", "no-device-use-of-reused-page", "caches-match-page-tables"];
/// Witnesses of a device, which the variants about the queue alone do without.
const NO_DEVICE: &[&str] = &[
    "worker-removes-an-upper-entry",
    "worker-catches-a-walk",
    "walk-reaches-a-kernel-leaf",
    "worker-waits-for-bind",
    "free-overlaps-bind",
];
/// Witnesses of the work item.
const NO_ITEM: &[&str] = &["worker-waits-for-bind", "free-overlaps-bind"];

/// A variant at the quick and deep sizes of the machine.
const fn variant(
    name: &'static str,
    what: &'static str,
    origin: &'static str,
    config: Config,
    expect: Expect,
) -> Variant<Config> {
    Variant { name, what, origin, compare_with: "deferred-free", config, expect, quick: &[], deep: &[] }
}

pub(super) const VARIANTS: &[Variant<Config>] = &[
    Variant {
        quick: &[("areas", 2), ("binds", 1)],
        deep: &[("binds", 2)],
        ..variant(
            "deferred-free",
            "Freed page-table pages are queued under a lock; a worker takes the queue, takes the SVA mutex, flushes \
             everything bound, and frees the pages.",
            MAINLINE,
            DEFERRED,
            Expect::holds(
                "A page is unlinked before it is queued and queued before the flush; whoever walks at the flush is on \
                 the list, and whoever begins later finds the page unlinked.",
            ),
        )
    },
    Variant {
        quick: &[("iommus", 2)],
        deep: &[("iommus", 2), ("binders", 2), ("binds", 2), ("areas", 1)],
        ..variant(
            "deferred-free-two-mms",
            "The same with two processes, each with a device behind an IOMMU of its own.",
            MAINLINE,
            DEFERRED,
            Expect::holds("The worker flushes each mm on the list."),
        )
    },
    variant(
        "unhooked",
        "Page-table pages are freed when the CPUs are flushed, and no IOMMU is told.",
        CVE,
        Config { free_table: FREE_AT_ONCE, ..DEFERRED },
        Expect::broken(
            STALE,
            "A walk with user privilege fails at the leaf, but on its way it caches upper entries and reads \
             page-table pages.",
        )
        .without(&["worker-removes-an-upper-entry", "worker-catches-a-walk", "worker-waits-for-bind", "free-overlaps-bind"]),
    ),
    variant(
        "deferred-free-kernel-pasid",
        "The form of mainline, with a kernel PASID as of 2015: the device has supervisor privilege.",
        "kverdict: the mechanism of 2025 for the device of 2015",
        Config { privilege: Privilege::Supervisor, ..DEFERRED },
        Expect::broken(
            STALE,
            "Only page-table pages are freed late. A device that may use kernel mappings has the data page in its \
             IOTLB when it is freed.",
        ),
    ),
    variant(
        "sync-flush-under-mutex",
        "The IOMMUs are flushed in flush_tlb_kernel_range() itself, under the SVA mutex, and the page is freed at once.",
        FIRST_POSTING,
        Config { free_table: FREE_BEHIND_A_FLUSH, ..DEFERRED },
        Expect::broken(&["no-sleep-in-atomic"], "A caller that holds a spinlock sleeps. Nothing else is wrong with it.")
            .without(NO_ITEM),
    ),
    Variant {
        quick: &[("areas", 2), ("binds", 1), ("cpu-caches", 0)],
        ..variant(
        "flush-before-splice",
        "The work item flushes first, and then takes the lock and frees what is in the queue.",
        SKETCH,
        Config { item: ITEM_FLUSHING_FIRST, ..DEFERRED },
        Expect::broken(STALE, "A page that is queued between the flush and the lock is freed without a flush."),
    )
    },
    variant(
        "free-before-flush",
        "The work item frees the pages before it flushes.",
        OWN,
        Config { item: ITEM_FREEING_FIRST, ..DEFERRED },
        Expect::broken(STALE, "The device reaches the page between the two."),
    ),
    variant(
        "no-mutex-in-worker",
        "The work item reads and flushes the list without the mutex.",
        OWN,
        Config { item: ITEM_WITHOUT_MUTEX, ..DEFERRED },
        Expect::broken(&["no-stale-iotlb", "no-device-use-of-reused-page", "caches-match-page-tables", "no-use-of-freed-domain"], "It finds nobody bound while bind has attached the device and not yet listed the mm.").without(&["worker-waits-for-bind"]),
    ),
    variant(
        "mutex-dropped-before-flush",
        "The work item releases the mutex between reading the list and flushing.",
        OWN,
        Config { item: ITEM_DROPPING_THE_MUTEX, ..DEFERRED },
        Expect::broken(&["no-use-of-freed-domain"], "It flushes a domain that unbind has freed."),
    ),
    variant(
        "present-checked-outside",
        "The work item looks whether anybody is bound before it takes the mutex.",
        OWN,
        Config { item: ITEM_LOOKING_FIRST, ..DEFERRED },
        Expect::broken(STALE, "It finds nobody bound while bind has attached the device and not yet noted it."),
    ),
    Variant {
        quick: &[("areas", 2), ("binds", 0)],
        deep: &[("binds", 0)],
        ..variant(
        "splice-unlocked",
        "The work item takes the queue without its lock.",
        OWN,
        Config { item: ITEM_UNLOCKED, ..DEFERRED },
        Expect::broken(&["no-page-lost", "frees-only-its-own", "finished-means-clean"], "A page that is queued between reading and emptying the queue is lost.").without(NO_DEVICE),
    )
    },
    Variant {
        quick: &[("areas", 2), ("binds", 0)],
        deep: &[("binds", 0)],
        ..variant(
        "queue-unlocked",
        "A freer queues its page without the lock.",
        OWN,
        Config { free_table: QUEUE_UNLOCKED, ..DEFERRED },
        Expect::broken(&["no-page-lost", "frees-only-its-own", "finished-means-clean"], "What it read of the queue is out of date when it writes.").without(NO_DEVICE),
    )
    },
    variant(
        "schedule-before-queue",
        "A freer schedules the work before it queues its page.",
        OWN,
        Config { free_table: QUEUE_SCHEDULING_FIRST, ..DEFERRED },
        Expect::broken(&["finished-means-clean"], "The item finds the queue empty, and nothing starts it again."),
    ),
    Variant {
        quick: &[("areas", 2), ("binds", 0)],
        deep: &[("binds", 0)],
        ..variant(
        "item-started-late",
        "The work item counts as scheduled until it has taken the queue.",
        "kverdict: a work queue that clears the pending bit late",
        Config { item: ITEM_STARTED_LAST, ..DEFERRED },
        Expect::broken(&["finished-means-clean"], "Scheduling it again in between has no effect, and a page stays queued.").without(NO_DEVICE),
    )
    },
    Variant {
        deep: &[("freers", 1), ("areas", 1)],
        ..variant(
        "queue-before-clear",
        "A freer queues the page before it clears the entry.",
        OWN,
        Config { free_table: QUEUE_BEFORE_CLEAR, ..DEFERRED },
        Expect::broken(&["no-stale-iotlb", "no-device-use-of-reused-page", "caches-match-page-tables", "no-stale-cpu-tlb", "mapped-pages-are-alive"], "The worker frees a page that is still linked."),
    )
    },
    Variant {
        quick: &[("areas", 2), ("binds", 1), ("cpu-caches", 0)],
        ..variant(
        "queue-lock-kept",
        "The work item does not release the lock of the queue.",
        OWN,
        Config { item: ITEM_KEEPING_THE_LOCK, ..DEFERRED },
        Expect::broken(
            &["queue-lock-held-by-its-user", "no-sleep-in-atomic", "finished-means-clean", "no-deadlock"],
            "The worker sleeps for the mutex with a spinlock held, and the next freer spins for ever.",
        ),
    )
    },
    variant(
        "queued-and-freed",
        "A freer queues the page and frees it at once as well.",
        OWN,
        Config { free_table: QUEUE_AND_FREE, ..DEFERRED },
        Expect::broken(&["no-stale-iotlb", "no-device-use-of-reused-page", "frees-only-its-own"], "The page is freed twice."),
    ),
    variant(
        "attach-before-mutex",
        "Bind attaches the device before it takes the mutex.",
        OWN,
        Config { bind: BIND_ATTACHING_FIRST, ..DEFERRED },
        Expect::broken(&["no-stale-iotlb", "no-device-use-of-reused-page", "caches-match-page-tables", "walkable-means-listed"], "The worker finds nobody bound while the device walks."),
    ),
    variant(
        "list-before-attach",
        "Bind lists the mm before it attaches the device, under the mutex.",
        OWN,
        Config { bind: BIND_LISTING_FIRST, ..DEFERRED },
        Expect::broken(&["no-use-of-freed-domain"], "The domain that is listed is not yet allocated."),
    ),
    variant(
        "bind-without-note",
        "Bind lists the mm and does not note that somebody is bound.",
        OWN,
        Config { bind: BIND_WITHOUT_NOTE, ..DEFERRED },
        Expect::broken(&["no-stale-iotlb", "no-device-use-of-reused-page", "caches-match-page-tables", "walkable-means-listed", "list-follows-bindings"], "The worker finds nobody bound.").without(&["worker-removes-an-upper-entry", "worker-catches-a-walk"]),
    ),
    variant(
        "unlist-before-drain",
        "Unbind takes the mm off the list before it drains the IOMMU, all under the mutex.",
        OWN_CONFIGURATION,
        Config { unbind: UNBIND_UNLISTING_FIRST, ..DEFERRED },
        Expect::holds("The worker sees neither order: it waits for the mutex."),
    ),
    variant(
        "drain-outside-mutex",
        "Unbind takes the mm off the list, releases the mutex, and drains the IOMMU.",
        OWN,
        Config { unbind: UNBIND_DRAINING_UNLOCKED, ..DEFERRED },
        Expect::broken(STALE, "The worker finds nobody bound while the IOMMU still has its caches."),
    ),
    variant(
        "unbind-without-drain",
        "Unbind clears the PASID entry and takes the mm off the list, and does not drain the IOMMU.",
        OWN,
        Config { unbind: UNBIND_WITHOUT_DRAIN, ..DEFERRED },
        Expect::broken(&["no-stale-iotlb", "no-device-use-of-reused-page", "caches-match-page-tables", "unbound-means-drained", "finished-means-clean"], "The IOMMU keeps its caches, and nobody flushes them any more."),
    ),
    variant(
        "domain-freed-before-unlisting",
        "Unbind frees the domain before it takes the mm off the list.",
        CRASH,
        Config { unbind: UNBIND_FREEING_FIRST, ..DEFERRED },
        Expect::broken(&["no-use-of-freed-domain"], "Unbind itself uses what it has freed."),
    ),
    variant(
        "deferred-leaf-only",
        "The flush of the work item carries the hint that the upper entries did not change.",
        OWN,
        Config { upper_too: false, ..DEFERRED },
        Expect::broken(STALE, "The upper entries are all that it is about."),
    ),
    Variant {
        quick: &[("iommus", 2)],
        deep: &[("iommus", 2), ("binds", 2), ("areas", 1)],
        compare_with: "deferred-free-two-mms",
        ..variant(
            "flushes-only-one-mm",
            "The work item flushes the first mm on the list and no other.",
            OWN,
            Config { flushes: Flushes::First, ..DEFERRED },
            Expect::broken(STALE, "The IOMMU of the second mm keeps its caches."),
        )
    },
    variant(
        "queue-without-cpu-flush",
        "A freer queues the page without a flush of the CPUs.",
        OWN,
        Config { free_table: QUEUE_WITHOUT_CPUS, ..DEFERRED },
        Expect::broken(&["no-stale-cpu-tlb", "caches-match-page-tables", "finished-means-clean"], "A CPU reaches the page that is freed."),
    ),
];
