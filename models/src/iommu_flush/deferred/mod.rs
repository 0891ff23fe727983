//! What mainline settled on in 2025: page-table pages of the kernel are freed later, behind a flush of every
//! IOMMU that shares page tables with a process.
//!
//! # Claim
//! `no-stale-iotlb`: once a page-table page is back at the page allocator, no paging-structure cache leads to
//! it and no device walk is inside it; and no page is forgotten on the way.
//!
//! # Source
//! `pagetable_free_kernel()` and `kernel_pgtable_work_func()` in `mm/pgtable-generic.c`;
//! `iommu_sva_bind_device()`, `iommu_sva_unbind_device()` and `iommu_sva_invalidate_kva_range()` in
//! `drivers/iommu/iommu-sva.c`; commit e37d5a2d60a3 "iommu/sva: invalidate stale IOTLB entries for kernel
//! address space", which closed CVE-2025-71202.
//! ```text
//!   freer                     worker                          bind                      unbind
//!   F0  clear the PMD         W0  start: not scheduled        B0  take the SVA mutex    U1  stop the device
//!   F5  flush the CPUs        Q1  take the queue's lock       B1  allocate the domain,  B0  take the SVA mutex
//!   Q1  take the queue's lock W1  read the queue                  set the PASID entry   U1  clear the PASID
//!   Q2  read the queue        W2  empty the queue             B3  tell the device           entry, drain
//!   Q3  write the queue       Q4  release the lock            B2  put the mm on the     U2  take the mm off
//!   Q4  release the lock      B0  take the SVA mutex              list, note that           the list, note that
//!   Q5  schedule the work     W3  is anybody bound?               somebody is bound         nobody is bound
//!                             W4  who is on the list?         B4  release the mutex     U4  free the domain
//!   data pages:               C2  submit, C3 wait, for each                             B4  release the mutex
//!   F0, F5, F6                B4  release the mutex
//!                             W5  free the pages, one by one
//! ```
//! # Assumptions
//! - A1: memory is sequentially consistent. The queue, the list and the notes are changed under a lock, the
//!   pending bit of the work item by an atomic instruction, and `F5` and the locked instruction of `Q1` make the
//!   store of `F0` visible before the page is queued; so in the form that holds no store is seen too late. Of a
//!   variant without a lock this shows the races, not what a store buffer would add to them.
//! - A2: a device uses the PASID of a process, with user privilege: a walk goes down the kernel's half of the
//!   page tables and fails at the leaf. Data pages are therefore freed without an IOMMU flush.
//!   `deferred-free-kernel-pasid` drops this assumption.
//! - A3: an area belongs to whoever frees it, and the caller that frees a page-table page holds a spinlock, the
//!   one that frees a data page does not.
//! - A4: each mm is bound to one device, and each device has an IOMMU of its own. Two devices of one mm would
//!   share a list entry.
//! - A5: who calls bind and unbind behaves, and has stopped the device before it unbinds.
//! - A6: the worker frees the pages of its list in the order of their areas. All of them were flushed together.
//! - A7: a worker runs one work item at a time; scheduling an item that is pending does nothing.
//!
//! The assumptions about the IOMMU and the page tables stand in [`super::hardware`].
//!
//! # Bounds
//! Up to 2 freers, 2 binders, 2 areas and 2 IOMMUs; each area is unmapped and its page-table page freed once; up
//! to 3 binds. Variants whose question is the queue alone run without a bind.

mod properties;
mod step;
mod variants;
mod view;

use super::hardware::{DeviceAct, Hardware, Level, Privilege, Request, Set, FRAMES};
use super::{IDLE, NOBODY};
use crate::machine::{Machine, Panel, Parameter, Property, Size, StepKind, Variant};

/// How many CPUs may free pages.
pub const FREERS_MAX: usize = 2;
/// The number of the worker among the threads: behind the freers.
pub const WORKER: usize = FREERS_MAX;
/// How many threads may bind and unbind.
pub const BINDERS_MAX: usize = 2;
/// Freers, worker and binders, numbered in this order.
pub const THREADS_MAX: usize = FREERS_MAX + 1 + BINDERS_MAX;

/// One act of a thread; the order in which they happen is the variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// Clear the PTE or the PMD.
    F0ClearEntry,
    /// Flush the TLBs of the CPUs.
    F5FlushCpus,
    /// Give the page back to the page allocator at once.
    F6FreePage,
    /// `spin_lock()` of the queue.
    Q1Lock,
    /// First half of `list_add()`: read the queue.
    Q2ReadQueue,
    /// Second half of `list_add()`: write the queue.
    Q3WriteQueue,
    /// `spin_unlock()` of the queue.
    Q4Unlock,
    /// `schedule_work()`.
    Q5ScheduleWork,
    /// The worker starts the item, which may be scheduled again from now on.
    W0Start,
    /// First half of `list_splice_tail_init()`: read the queue.
    W1TakeQueue,
    /// Second half of `list_splice_tail_init()`: empty the queue.
    W2EmptyQueue,
    /// `mutex_lock()` of the SVA mutex.
    MutexLock,
    /// `iommu_sva_present`: with nobody bound there is nothing to flush.
    W3ReadPresent,
    /// Read the list of bound mms.
    W4ReadBound,
    /// Put an invalidation into the queue of an IOMMU.
    C2Submit,
    /// Wait until the IOMMU has executed it.
    C3Wait,
    /// `mutex_unlock()` of the SVA mutex.
    MutexUnlock,
    /// Free one page of the spliced list; repeated until it is empty.
    W5FreeOne,
    /// Allocate the domain and set the PASID entry: the device is attached.
    B1Attach,
    /// Tell the device to work.
    B3Enable,
    /// Put the mm on the list.
    B2List,
    /// Note that somebody is bound.
    B2SetPresent,
    /// Tell the device to stop; a walk in progress goes on.
    U1StopDevice,
    /// Clear the PASID entry.
    U1ClearEntry,
    /// Take the mm off the list.
    U2Unlist,
    /// Note that nobody is bound, if the list is empty.
    U2ClearPresent,
    /// Free the domain.
    U4FreeDomain,
}

impl Act {
    /// Every act.
    pub const ALL: [Self; 27] = [
        Self::F0ClearEntry,
        Self::F5FlushCpus,
        Self::F6FreePage,
        Self::Q1Lock,
        Self::Q2ReadQueue,
        Self::Q3WriteQueue,
        Self::Q4Unlock,
        Self::Q5ScheduleWork,
        Self::W0Start,
        Self::W1TakeQueue,
        Self::W2EmptyQueue,
        Self::MutexLock,
        Self::W3ReadPresent,
        Self::W4ReadBound,
        Self::C2Submit,
        Self::C3Wait,
        Self::MutexUnlock,
        Self::W5FreeOne,
        Self::B1Attach,
        Self::B3Enable,
        Self::B2List,
        Self::B2SetPresent,
        Self::U1StopDevice,
        Self::U1ClearEntry,
        Self::U2Unlist,
        Self::U2ClearPresent,
        Self::U4FreeDomain,
    ];
}

/// What a thread is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Work {
    /// It frees the data page of an area.
    FreeData,
    /// It frees the page-table page of an area.
    FreeTable,
    /// It runs the work item.
    Item,
    /// It binds an mm.
    Bind,
    /// It unbinds an mm.
    Unbind,
}

/// A thread: freer, worker or binder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thread {
    /// The index of its next act in the list of its work, or [`IDLE`].
    pub at: u8,
    /// What it does.
    pub work: Work,
    /// The area that it frees a page of, or the mm (and IOMMU) that it binds or unbinds.
    pub subject: u8,
    /// The areas whose page-table pages it has read from the queue.
    pub list: Set,
    /// The mms that it has still to flush.
    pub todo: Set,
    /// It waits for the mutex.
    pub asleep: bool,
    /// Its invalidation request.
    pub request: Request,
}

impl Thread {
    /// A thread with nothing to do.
    pub const IDLE: Self = Self {
        at: IDLE,
        work: Work::Item,
        subject: 0,
        list: Set::EMPTY,
        todo: Set::EMPTY,
        asleep: false,
        request: Request::UNUSED,
    };

    /// What it frees, if it is a freer at work.
    pub fn level(&self) -> Option<Level> {
        match self.work {
            Work::FreeData => Some(Level::Data),
            Work::FreeTable => Some(Level::Table),
            Work::Item | Work::Bind | Work::Unbind => None,
        }
    }
}

/// Everything that the kernel and the hardware keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// Memory, page tables and IOMMUs.
    pub hardware: Hardware,
    /// The areas whose page-table pages are queued.
    pub queue: Set,
    /// The thread that holds the queue's lock, or [`NOBODY`].
    pub lock: u8,
    /// The work item is scheduled.
    pub scheduled: bool,
    /// The thread that holds the SVA mutex, or [`NOBODY`].
    pub mutex: u8,
    /// The mms on the list of those to flush.
    pub listed: Set,
    /// `iommu_sva_present`.
    pub present: bool,
    /// The mms whose domain is allocated.
    pub domains: Set,
    /// The mms for which a driver holds a binding.
    pub bound: Set,
    /// How many binds are still to come.
    pub binds_left: u8,
    /// The threads.
    pub threads: [Thread; THREADS_MAX],
}

/// One atomic change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// An idle thread begins, with the first act of its work.
    Begin {
        /// The thread.
        thread: u8,
        /// What it is to do.
        work: Work,
        /// The area or mm.
        subject: u8,
    },
    /// A thread does the next act of its work.
    Go {
        /// The thread.
        thread: u8,
        /// The act.
        act: Act,
    },
    /// An IOMMU executes the request of a thread.
    D6Invalidate {
        /// The thread.
        thread: u8,
    },
    /// A device or its IOMMU does something else.
    Device {
        /// The IOMMU.
        iommu: u8,
        /// What it does.
        act: DeviceAct,
    },
    /// The page allocator gives a free page to somebody else.
    M2ReusePage {
        /// The frame.
        frame: u8,
    },
    /// A CPU caches the entries of an area.
    M3FillCpuTlb {
        /// The area.
        area: u8,
    },
}

/// Which mms a flush covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushes {
    /// All on the list.
    All,
    /// The first on the list.
    First,
}

/// Which version of the mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How a page-table page is freed.
    pub free_table: &'static [Act],
    /// The work item.
    pub item: &'static [Act],
    /// Bind.
    pub bind: &'static [Act],
    /// Unbind.
    pub unbind: &'static [Act],
    /// What devices ask their addresses with.
    pub privilege: Privilege,
    /// Which mms are flushed.
    pub flushes: Flushes,
    /// Whether upper entries are flushed as well.
    pub upper_too: bool,
}

/// The mechanism in its form of 2025: variant and size.
#[derive(Clone, Debug)]
pub struct DeferredFree {
    config: Config,
    freers: u8,
    binders: u8,
    areas: u8,
    iommus: u8,
    binds: u8,
    cpu_caches: u8,
}

impl DeferredFree {
    /// The variant.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The acts of a work.
    pub const fn acts(&self, work: Work) -> &'static [Act] {
        match work {
            Work::FreeData => variants::FREE_AT_ONCE,
            Work::FreeTable => self.config.free_table,
            Work::Item => self.config.item,
            Work::Bind => self.config.bind,
            Work::Unbind => self.config.unbind,
        }
    }

    /// Whether a thread of this number exists at this size.
    const fn exists(&self, thread: usize) -> bool {
        thread < self.freers as usize || thread == WORKER || thread > WORKER && thread <= WORKER + self.binders as usize
    }
}

impl Machine for DeferredFree {
    type State = State;
    type Step = Step;
    type Config = Config;

    const MECHANISM: &'static str = "iommu-flush";
    const VARIANTS: &'static [Variant<Config>] = variants::VARIANTS;
    const PARAMETERS: &'static [Parameter] = &[
        Parameter { name: "freers", says: "CPUs that free pages", min: 1, max: 2, quick: 1, deep: 2 },
        Parameter { name: "binders", says: "threads that bind and unbind", min: 1, max: 2, quick: 1, deep: 1 },
        Parameter { name: "areas", says: "areas with a page table and a data page", min: 1, max: 2, quick: 1, deep: 2 },
        Parameter { name: "iommus", says: "IOMMUs, each with a device and an mm", min: 1, max: 2, quick: 1, deep: 1 },
        Parameter { name: "binds", says: "binds before the run ends", min: 0, max: 3, quick: 2, deep: 1 },
        Parameter {
            name: "cpu-caches",
            says: "1 if the CPUs cache what they touch",
            min: 0,
            max: 1,
            quick: 1,
            deep: 1,
        },
    ];
    const PROPERTIES: &'static [Property<Self>] = properties::PROPERTIES;
    const KINDS: &'static [StepKind] = view::KINDS;

    fn new(config: Config, size: Size) -> Self {
        Self {
            config,
            freers: size.get(0),
            binders: size.get(1),
            areas: size.get(2),
            iommus: size.get(3),
            binds: size.get(4),
            cpu_caches: size.get(5),
        }
    }

    fn initial_states(&self) -> Vec<State> {
        vec![State {
            hardware: Hardware::new(self.areas),
            queue: Set::EMPTY,
            lock: NOBODY,
            scheduled: false,
            mutex: NOBODY,
            listed: Set::EMPTY,
            present: false,
            domains: Set::EMPTY,
            bound: Set::EMPTY,
            binds_left: self.binds,
            threads: [Thread::IDLE; THREADS_MAX],
        }]
    }

    fn steps(&self, state: &State, out: &mut Vec<Step>) {
        step::propose(self, state, out);
    }

    fn every_step(&self) -> Vec<Step> {
        let mut all = Vec::new();
        for thread in (0..THREADS_MAX as u8).filter(|thread| self.exists(*thread as usize)) {
            all.extend(Act::ALL.map(|act| Step::Go { thread, act }));
            all.push(Step::D6Invalidate { thread });
            all.extend(step::beginnings(self, thread));
        }
        all.extend((0..self.areas).map(|area| Step::M3FillCpuTlb { area }));
        for iommu in 0..self.iommus {
            all.extend(DeviceAct::all(self.areas).into_iter().map(|act| Step::Device { iommu, act }));
        }
        all.extend((0..FRAMES as u8).map(|frame| Step::M2ReusePage { frame }));
        all
    }

    fn step(&self, state: &State, step: Step) -> Option<State> {
        step::step(self, state, step)
    }

    fn is_final(&self, state: &State) -> bool {
        state.hardware.pmd.is_empty()
            && state.hardware.pte.is_empty()
            && state.threads.iter().all(|thread| thread.at == IDLE)
            && !state.scheduled
            && state.binds_left == 0
            && state.bound.is_empty()
    }

    fn kind(&self, step: Step) -> usize {
        view::kind(self, step)
    }

    fn kind_is_used(&self, kind: usize) -> bool {
        view::kind_is_used(self, kind)
    }

    fn canonical(&self, state: &State) -> State {
        step::canonical(self, state)
    }
    const HAS_SYMMETRY: bool = true;

    fn lanes(&self) -> Vec<String> {
        view::lanes(self)
    }

    fn lane(&self, state: &State, step: Step) -> usize {
        view::lane(self, state, step)
    }

    fn describe(&self, state: &State, step: Step) -> String {
        view::describe(self, state, step)
    }

    fn view(&self, state: &State) -> Vec<Panel> {
        view::view(self, state)
    }
}
