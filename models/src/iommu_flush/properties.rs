//! What must always hold in [`IommuFlush`], and what must be reachable. Everything is read off memory, page
//! tables, caches and the places of the threads; the only ghosts are [`Flusher::loads`] and [`Flusher::calls`].

use super::hardware::{Iommu, Level, Progress, Use, Walk};
use super::{
    Act, Buffer, Build, Flusher, IommuFlush, Kernel, Lifetime, Pasids, State, Store, Target, Tested, FLUSHERS_MAX,
    IDLE, NOBODY, OOPS,
};
use crate::machine::{Machine, Property};

type P = Property<IommuFlush>;

pub(super) const PROPERTIES: &[Property<IommuFlush>] = &[
    P::always(
        "no-stale-iotlb",
        "A device reaches memory that the kernel has freed: an IOTLB or paging-structure entry leads there, or a \
         walk is inside it.",
        no_stale_iotlb,
    ),
    P::always(
        "no-device-use-of-reused-page",
        "A device can write to a page that belongs to somebody else by now, or an IOMMU takes what stands there for \
         a translation to any address.",
        no_device_use_of_reused_page,
    ),
    P::always("no-stale-cpu-tlb", "A CPU reaches memory that the kernel has freed.", no_stale_cpu_tlb),
    P::always(
        "no-call-into-freed-text",
        "The kernel calls null, or runs a function whose module is unloaded, and crashes.",
        no_call_into_freed_text,
    ),
    P::always(
        "no-use-of-freed-pasid-data",
        "The function reads the data of a kernel PASID that is freed already.",
        no_use_of_freed_pasid_data,
    ),
    P::always(
        "single-indirection",
        "What is called is not what was published, or it takes more than one load, or it is called twice or left out.",
        single_indirection,
    ),
    P::always(
        "no-sleep-in-atomic",
        "A CPU sleeps while it holds a spinlock or is inside an RCU section: others wait for it for ever.",
        no_sleep_in_atomic,
    ),
    P::always(
        "rcu-sections-balanced",
        "An RCU section is left open, or left twice: no grace period ends, or one ends too early.",
        rcu_sections_balanced,
    ),
    P::always(
        "mutex-held-by-its-user",
        "Two threads change the list of users at a time, or the mutex stays locked behind its user.",
        mutex_held_by_its_user,
    ),
    P::always("it-builds", "The configuration does not compile.", it_builds),
    P::always(
        "mapped-pages-are-alive",
        "The kernel's own page tables lead to a page that was freed, or are freed with an entry in them.",
        mapped_pages_are_alive,
    ),
    P::always("frees-only-its-own", "A page is freed twice, or under its new owner.", frees_only_its_own),
    P::always(
        "caches-match-page-tables",
        "Nobody is changing an area any more, and a CPU or an IOMMU still has an entry that the page tables have not.",
        caches_match_page_tables,
    ),
    P::always(
        "unbound-means-drained",
        "The driver has given up the kernel PASID and the IOMMU still walks or caches with it.",
        unbound_means_drained,
    ),
    P::always(
        "walkable-means-published",
        "A device may walk the page tables while those who change them cannot know of it.",
        walkable_means_published,
    ),
    P::always(
        "hook-follows-users",
        "With nobody binding or unbinding, the pointer, the users, the text or the data are not what the bindings say.",
        hook_follows_users,
    ),
    P::always(
        "finished-means-clean",
        "Everybody is done, and a page, a request, a store or a lock is left behind.",
        finished_means_clean,
    ),
    P::sometimes(
        "flush-without-user-does-not-call",
        "A flush is past the place of the call, no IOMMU uses a kernel PASID, and it called nothing.",
        |m, s| {
            let passed = |f: &Flusher| f.at != IDLE && f.loads > 0 && f.calls == 0 && f.at > m.places.ret;
            s.bound.is_empty() && s.flushers.iter().any(passed)
        },
    ),
    P::sometimes(
        "flush-overlaps-bind",
        "A flusher has looked at the pointer and not called, and meanwhile a device may begin to walk.",
        |m, s| {
            let passed = |f: &Flusher| f.loads > 0 && f.calls == 0 && f.fetched == Target::Null;
            s.flushers.iter().any(passed) && s.hardware.iommus[..m.iommus as usize].iter().any(Iommu::can_walk)
        },
    ),
    P::sometimes(
        "flush-overlaps-unbind-and-calls",
        "The function runs while the last user is being unbound and the hook is cleared already.",
        |m, s| {
            let cleared = match m.config.tested {
                Tested::Pointer => !s.pointer,
                Tested::Users => s.users.is_empty(),
            };
            cleared
                && s.binders.iter().any(|b| b.at != IDLE && b.unbinding)
                && s.flushers.iter().any(|f| m.is_called(f))
        },
    ),
    P::sometimes(
        "flush-removes-a-leaf",
        "An invalidation is about to remove an IOTLB entry that is no longer in the page tables.",
        |_, s| pending(s, |iommu, area| iommu.leaf.has(area) && !s.hardware.pte.has(area)),
    ),
    P::sometimes(
        "flush-removes-an-upper-entry",
        "An invalidation is about to remove a paging-structure entry that is no longer in the page tables.",
        |_, s| pending(s, |iommu, area| iommu.upper.has(area) && !s.hardware.pmd.has(area)),
    ),
    P::sometimes(
        "flush-catches-a-walk",
        "An invalidation is about to stop a walk that is inside a page-table page that is unlinked.",
        |_, s| pending(s, |iommu, area| iommu.walk == Walk::InTable(area) && !s.hardware.pmd.has(area)),
    ),
    P::sometimes(
        "device-reads-what-is-cleared",
        "A device has read an entry that a CPU has cleared: the store is still in the buffer.",
        |m, s| {
            let hidden = |area| s.buffers.iter().any(|b| b.0.contains(&Store::ClearPte(area)));
            let read = |area| s.hardware.iommus.iter().any(|i| i.walk == Walk::HasLeaf(area));
            (0..m.areas).any(|area| hidden(area) && read(area))
        },
    ),
    P::sometimes("grace-period-waits", "A grace period cannot end because of a reader.", |_, s| {
        s.binders.iter().any(|b| !b.waits_for.is_empty())
    }),
    P::sometimes("freed-page-is-reused", "A freed page has a new owner.", |_, s| s.hardware.uses.contains(&Use::Other)),
    P::sometimes("run-ends", "Everything was unmapped, freed, bound and unbound.", |m, s| {
        s.build == Build::Done && !super::step::stopped(s) && m.is_final(s)
    }),
];

/// `no-stale-iotlb`.
pub fn no_stale_iotlb(_: &IommuFlush, s: &State) -> bool {
    s.hardware.no_stale_iotlb()
}

/// `no-device-use-of-reused-page`.
pub fn no_device_use_of_reused_page(_: &IommuFlush, s: &State) -> bool {
    s.hardware.no_device_use_of_reused_page()
}

/// `no-stale-cpu-tlb`.
pub fn no_stale_cpu_tlb(_: &IommuFlush, s: &State) -> bool {
    s.hardware.no_stale_cpu_tlb()
}

/// `no-call-into-freed-text`.
pub fn no_call_into_freed_text(m: &IommuFlush, s: &State) -> bool {
    s.flushers.iter().all(|f| !m.is_called(f) || f.fetched != Target::Null && (f.fetched != Target::Function || s.text))
}

/// `no-use-of-freed-pasid-data`.
pub fn no_use_of_freed_pasid_data(m: &IommuFlush, s: &State) -> bool {
    s.data || s.flushers.iter().all(|f| !m.uses_data(f))
}

/// `single-indirection`.
pub fn single_indirection(m: &IommuFlush, s: &State) -> bool {
    s.flushers.iter().all(|f| {
        let once = f.at == IDLE || f.loads <= f.notifier + 1 && f.calls <= f.notifier + 1;
        let left_out = f.at != IDLE && f.at != OOPS && f.at > m.places.ret && f.notifier + 1 < m.config.notifiers;
        once && !left_out && (!m.is_called(f) || matches!(f.fetched, Target::Function | Target::OtherNotifier))
    })
}

/// `no-sleep-in-atomic`.
pub fn no_sleep_in_atomic(_: &IommuFlush, s: &State) -> bool {
    s.flushers.iter().all(|f| !f.asleep || f.rcu == 0 && !f.caller_is_atomic())
}

/// `rcu-sections-balanced`.
pub fn rcu_sections_balanced(_: &IommuFlush, s: &State) -> bool {
    s.flushers.iter().all(|f| f.rcu <= u8::from(f.at != IDLE))
}

/// `it-builds`.
pub fn it_builds(_: &IommuFlush, s: &State) -> bool {
    s.build != Build::Failed
}

/// `mapped-pages-are-alive`.
pub fn mapped_pages_are_alive(_: &IommuFlush, s: &State) -> bool {
    s.hardware.mapped_pages_are_alive()
}

/// `frees-only-its-own`.
pub fn frees_only_its_own(m: &IommuFlush, s: &State) -> bool {
    s.flushers.iter().all(|f| {
        let own = match f.level {
            Level::Data => Use::Data,
            Level::Table => Use::Table,
        };
        m.next_act(f) != Some(Act::F6FreePage) || s.hardware.use_of(f.area, f.level) == own
    })
}

/// `caches-match-page-tables`.
pub fn caches_match_page_tables(m: &IommuFlush, s: &State) -> bool {
    (0..m.areas).all(|area| is_changing(s, area) || s.hardware.caches_match(area))
}

/// `unbound-means-drained`.
pub fn unbound_means_drained(m: &IommuFlush, s: &State) -> bool {
    (0..m.iommus).all(|iommu| {
        let busy = s.binders.iter().any(|b| b.at != IDLE && b.iommu == iommu);
        busy || s.bound.has(iommu) || s.hardware.iommus[iommu as usize] == Iommu::QUIET
    })
}

/// `walkable-means-published`.
pub fn walkable_means_published(m: &IommuFlush, s: &State) -> bool {
    (0..m.iommus).all(|iommu| !s.hardware.iommus[iommu as usize].can_walk() || is_known(m, s, iommu))
}

/// `finished-means-clean`.
pub fn finished_means_clean(m: &IommuFlush, s: &State) -> bool {
    !m.is_final(s) || s.build == Build::Failed || super::step::stopped(s) || is_clean(m, s)
}

impl IommuFlush {
    /// The next act of a flusher, if it has one.
    pub(super) fn next_act(&self, flusher: &Flusher) -> Option<Act> {
        self.flush(flusher.level).get(flusher.at as usize).copied()
    }

    /// Whether a flusher has called and not yet returned.
    fn is_called(&self, flusher: &Flusher) -> bool {
        flusher.at == OOPS || flusher.calls > 0 && flusher.at > self.places.call && flusher.at <= self.places.ret
    }

    /// Whether the driver's function runs and has not yet finished with its data.
    fn uses_data(&self, flusher: &Flusher) -> bool {
        self.is_called(flusher) && flusher.fetched == Target::Function && flusher.at < self.places.flushed
    }
}

/// Whether every flusher that runs from now on finds the pointer and this user: in memory, or on UP also in the
/// store buffer, which is drained before another thread runs.
fn is_known(machine: &IommuFlush, state: &State, iommu: u8) -> bool {
    let is_stored = |store| {
        let stored = |buffer: &Buffer| buffer.0.contains(&store);
        machine.config.kernel == Kernel::Up && state.buffers.iter().any(stored)
    };
    let is_user = state.users.has(iommu) || is_stored(Store::AddUser(iommu));
    is_user && (machine.config.tested == Tested::Users || state.pointer || is_stored(Store::Publish))
}

/// Whether somebody is freeing a page of the area, or has a cleared entry of it in a store buffer.
fn is_changing(state: &State, area: u8) -> bool {
    let clears = |store: &Store| matches!(store, Store::ClearPte(a) | Store::ClearPmd(a) if *a == area);
    state.flushers.iter().any(|f| f.at != IDLE && f.area == area)
        || state.buffers.iter().any(|b| b.0.iter().any(clears))
}

/// Whether some IOMMU has a pending request of a flusher for an area of which `concerns` is true.
fn pending(state: &State, concerns: impl Fn(&Iommu, u8) -> bool) -> bool {
    state.flushers.iter().any(|f| {
        let unit = &state.hardware.iommus[f.request.iommu as usize];
        f.request.progress == Progress::Pending && (0..2).any(|a| f.request.areas.has(a) && concerns(unit, a))
    })
}

/// Whether a thread at this place of these acts is between taking and releasing the mutex.
fn is_inside(acts: &[Act], at: u8) -> bool {
    let of = |act| acts.iter().position(|a| *a == act).map(|place| place as u8);
    match (of(Act::MutexLock), of(Act::MutexUnlock)) {
        (Some(lock), unlock) => at > lock && at <= unlock.unwrap_or(at) && at != IDLE && at != OOPS,
        (None, _) => false,
    }
}

/// `mutex-held-by-its-user`.
pub fn mutex_held_by_its_user(machine: &IommuFlush, state: &State) -> bool {
    let flushers = state.flushers.iter().map(|f| is_inside(machine.flush(f.level), f.at));
    let binders = state.binders.iter().map(|b| is_inside(machine.binding(b.unbinding), b.at));
    flushers.chain(binders).enumerate().all(|(thread, inside)| inside == (state.mutex == thread as u8))
        && (state.mutex == NOBODY || (state.mutex as usize) < FLUSHERS_MAX + state.binders.len())
}

/// `hook-follows-users`.
pub fn hook_follows_users(machine: &IommuFlush, state: &State) -> bool {
    if state.binders.iter().any(|b| b.at != IDLE) || !state.buffers.iter().all(|b| b.is_empty()) {
        return true;
    }
    let users = state.bound.0 & if machine.config.pasids == Pasids::PerIommu { 1 } else { u8::MAX };
    let used = users != 0;
    let is_set = match machine.config.tested {
        Tested::Pointer => state.pointer == used || state.pointer && !machine.clears(),
        Tested::Users => !state.pointer,
    };
    let is_there = |lifetime, there| if lifetime == Lifetime::Permanent { there } else { there == used };
    is_set
        && state.users.0 == users
        && is_there(machine.config.text, state.text)
        && is_there(machine.config.data, state.data)
}

impl IommuFlush {
    /// Whether the pointer is ever cleared.
    fn clears(&self) -> bool {
        self.config.unbind.contains(&Act::U2Retract)
    }
}

fn is_clean(machine: &IommuFlush, state: &State) -> bool {
    let freed = |u: &Use| matches!(u, Use::Free | Use::Other | Use::Scribbled);
    state.hardware.uses.iter().all(freed)
        && state.hardware.iommus.iter().all(|iommu| *iommu == Iommu::QUIET)
        && state.buffers.iter().all(|b| b.is_empty())
        && state.hardware.cpu_upper.and(state.hardware.cpu_leaf).is_empty()
        && state.flushers.iter().all(|f| f.rcu == 0 && f.request.progress != Progress::Pending)
        && state.binders.iter().all(|b| b.request.progress != Progress::Pending)
        && state.mutex == NOBODY
        && hook_follows_users(machine, state)
}
