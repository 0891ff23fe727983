//! What must always hold in [`DeferredFree`], and what must be reachable. There are no ghosts.

use super::super::hardware::{Iommu, Level, Progress, Set, Use, Walk};
use super::{Act, DeferredFree, State, Thread, Work, FREERS_MAX, IDLE, NOBODY, WORKER};
use crate::machine::{Machine, Property};

type P = Property<DeferredFree>;

pub(super) const PROPERTIES: &[P] = &[
    P::always(
        "no-stale-iotlb",
        "A device reaches memory that the kernel has freed: an IOTLB or paging-structure entry leads there, or a \
         walk is inside it.",
        |_, s| s.hardware.no_stale_iotlb(),
    ),
    P::always(
        "no-device-use-of-reused-page",
        "A device can write to a page that belongs to somebody else by now, or an IOMMU takes what stands there for \
         a translation to any address.",
        |_, s| s.hardware.no_device_use_of_reused_page(),
    ),
    P::always("no-stale-cpu-tlb", "A CPU reaches memory that the kernel has freed.", |_, s| {
        s.hardware.no_stale_cpu_tlb()
    }),
    P::always("no-use-of-freed-domain", "A domain is used that was freed already.", no_use_of_freed_domain),
    P::always("no-sleep-in-atomic", "A CPU sleeps while it holds a spinlock: others wait for it for ever.", |_, s| {
        s.threads.iter().enumerate().all(|(t, me)| !me.asleep || me.work != Work::FreeTable && s.lock != t as u8)
    }),
    P::always(
        "mutex-held-by-its-user",
        "Two threads change the list of bound mms at a time, or the mutex stays locked behind its user.",
        |m, s| held_by_its_user(m, s, s.mutex, Act::MutexLock, Act::MutexUnlock),
    ),
    P::always(
        "queue-lock-held-by-its-user",
        "Two threads change the queue at a time, or its lock stays locked behind its user.",
        |m, s| held_by_its_user(m, s, s.lock, Act::Q1Lock, Act::Q4Unlock),
    ),
    P::always(
        "mapped-pages-are-alive",
        "The kernel's own page tables lead to a page that was freed, or are freed with an entry in them.",
        |_, s| s.hardware.mapped_pages_are_alive(),
    ),
    P::always("frees-only-its-own", "A page is freed twice, or under its new owner.", frees_only_its_own),
    P::always(
        "no-page-lost",
        "An unlinked page-table page is neither in somebody's hands nor queued nor freed: it is lost.",
        |m, s| {
            (0..m.areas).all(|area| {
                let unlinked = !s.hardware.pmd.has(area) && s.hardware.use_of(area, Level::Table) == Use::Table;
                !unlinked || s.queue.has(area) || is_in_hand(s, area)
            })
        },
    ),
    P::always(
        "caches-match-page-tables",
        "Nobody is freeing a page of an area any more, and a CPU or an IOMMU still has an entry that the page \
         tables have not.",
        |m, s| (0..m.areas).all(|area| s.queue.has(area) || is_in_hand(s, area) || s.hardware.caches_match(area)),
    ),
    P::always(
        "unbound-means-drained",
        "The driver has given up the PASID and the IOMMU still walks or caches with it.",
        |m, s| {
            (0..m.iommus)
                .all(|mm| is_binding(s, mm) || s.bound.has(mm) || s.hardware.iommus[mm as usize] == Iommu::QUIET)
        },
    ),
    P::always(
        "walkable-means-listed",
        "Nobody holds the mutex, and a device may walk the page tables while the worker cannot know of it.",
        |m, s| {
            let unknown = |mm| s.hardware.iommus[mm as usize].can_walk() && !(s.present && s.listed.has(mm));
            s.mutex != NOBODY || !(0..m.iommus).any(unknown)
        },
    ),
    P::always(
        "list-follows-bindings",
        "With nobody binding or unbinding, the list, the note that somebody is bound, or the domains are not what \
         the bindings say.",
        |_, s| {
            s.threads[WORKER + 1..].iter().any(|thread| thread.at != IDLE)
                || s.listed == s.bound && s.domains == s.bound && s.present != s.bound.is_empty()
        },
    ),
    P::always("finished-means-clean", "Everybody is done, and a page, a request or a lock is left behind.", |m, s| {
        !m.is_final(s) || is_clean(s)
    }),
    P::sometimes(
        "worker-removes-an-upper-entry",
        "An invalidation is about to remove a paging-structure entry that is no longer in the page tables.",
        |_, s| pending(s, |iommu, area| iommu.upper.has(area) && !s.hardware.pmd.has(area)),
    ),
    P::sometimes(
        "worker-catches-a-walk",
        "An invalidation is about to stop a walk that is inside a page-table page that is unlinked.",
        |_, s| pending(s, |iommu, area| iommu.walk == Walk::InTable(area) && !s.hardware.pmd.has(area)),
    ),
    P::sometimes(
        "walk-reaches-a-kernel-leaf",
        "A walk is about to read a lower entry that is a kernel mapping.",
        |m, s| {
            let reads = |iommu: &Iommu, area| iommu.walk == Walk::InTable(area) && s.hardware.pte.has(area);
            s.hardware.iommus.iter().any(|iommu| (0..m.areas).any(|area| reads(iommu, area)))
        },
    ),
    P::sometimes("worker-waits-for-bind", "The worker waits for the mutex.", |_, s| s.threads[WORKER].asleep),
    P::sometimes(
        "free-overlaps-bind",
        "The worker holds pages that were unlinked before a device began to walk.",
        |_, s| {
            let begins =
                |t: &Thread| t.at != IDLE && t.work == Work::Bind && s.hardware.iommus[t.subject as usize].can_walk();
            !s.threads[WORKER].list.is_empty() && s.threads[WORKER + 1..].iter().any(begins)
        },
    ),
    P::sometimes("freed-page-is-reused", "A freed page has a new owner.", |_, s| s.hardware.uses.contains(&Use::Other)),
    P::sometimes("run-ends", "Everything was unmapped, freed, bound and unbound.", |m, s| m.is_final(s)),
];

/// Whether a thread at this place of its acts is between the two acts.
fn is_between(acts: &[Act], at: u8, first: Act, last: Act) -> bool {
    let of = |act| acts.iter().position(|a| *a == act).map(|place| place as u8);
    match (of(first), of(last)) {
        (Some(first), last) => at > first && at <= last.unwrap_or(at) && at != IDLE,
        (None, _) => false,
    }
}

fn held_by_its_user(machine: &DeferredFree, state: &State, owner: u8, lock: Act, unlock: Act) -> bool {
    let inside = |thread: &Thread| is_between(machine.acts(thread.work), thread.at, lock, unlock);
    state.threads.iter().enumerate().all(|(number, thread)| inside(thread) == (owner == number as u8))
        && (owner == NOBODY || (owner as usize) < state.threads.len())
}

/// The next act of a thread, if it has one.
fn next_act(machine: &DeferredFree, thread: &Thread) -> Option<Act> {
    machine.acts(thread.work).get(thread.at as usize).copied()
}

/// Flushing an mm, taking it off the list and everything else done with a domain needs the domain.
fn no_use_of_freed_domain(machine: &DeferredFree, state: &State) -> bool {
    state.threads.iter().all(|thread| {
        let used = match (next_act(machine, thread), thread.work) {
            (Some(Act::C2Submit | Act::C3Wait), Work::Unbind) => Set::of(thread.subject),
            (Some(Act::C2Submit), _) => thread.todo,
            (Some(Act::C3Wait), _) => thread.todo.with(thread.request.iommu),
            (Some(Act::B2List | Act::U2Unlist | Act::U1ClearEntry | Act::U4FreeDomain), _) => Set::of(thread.subject),
            _ => Set::EMPTY,
        };
        used.within(state.domains)
    })
}

fn frees_only_its_own(machine: &DeferredFree, state: &State) -> bool {
    state.threads.iter().all(|thread| match (next_act(machine, thread), thread.work) {
        (Some(Act::F6FreePage), Work::FreeData) => state.hardware.use_of(thread.subject, Level::Data) == Use::Data,
        (Some(Act::F6FreePage), _) => state.hardware.use_of(thread.subject, Level::Table) == Use::Table,
        (_, Work::Item) => all_tables(state, thread.list),
        _ => true,
    }) && all_tables(state, state.queue)
}

fn all_tables(state: &State, list: Set) -> bool {
    (0..2).all(|area| !list.has(area) || state.hardware.use_of(area, Level::Table) == Use::Table)
}

/// Whether a thread is freeing a page of the area, or the worker has it on its list.
fn is_in_hand(state: &State, area: u8) -> bool {
    let freers = &state.threads[..FREERS_MAX];
    state.threads[WORKER].list.has(area) || freers.iter().any(|f| f.at != IDLE && f.subject == area)
}

fn is_binding(state: &State, mm: u8) -> bool {
    state.threads[WORKER + 1..].iter().any(|thread| thread.at != IDLE && thread.subject == mm)
}

/// Whether some IOMMU has a pending request, not an unbinder's, for an area of which `concerns` is true.
fn pending(state: &State, concerns: impl Fn(&Iommu, u8) -> bool) -> bool {
    state.threads.iter().any(|thread| {
        let unit = &state.hardware.iommus[thread.request.iommu as usize];
        let areas = thread.request.areas;
        thread.request.progress == Progress::Pending && (0..2).any(|a| areas.has(a) && concerns(unit, a))
    })
}

fn is_clean(state: &State) -> bool {
    let freed = |u: &Use| matches!(u, Use::Free | Use::Other | Use::Scribbled);
    state.hardware.uses.iter().all(freed)
        && state.hardware.iommus.iter().all(|iommu| *iommu == Iommu::QUIET)
        && state.hardware.cpu_upper.and(state.hardware.cpu_leaf).is_empty()
        && state.threads.iter().all(|thread| *thread == Thread::IDLE)
        && (state.queue.is_empty() && state.listed.is_empty() && state.domains.is_empty() && !state.present)
        && (state.mutex == NOBODY && state.lock == NOBODY)
}
