//! A function pointer, published under RCU, that flushes the IOMMU when kernel mappings change.
//!
//! # Claim
//! `no-stale-iotlb`: once the kernel has freed a page, no IOMMU caches a translation that leads to it, and no
//! device walk is inside it; and the price of that is never a call into a function that is gone, or a sleep
//! where nobody may sleep. This machine is the form discussed in October 2015. What mainline settled on in
//! 2025 is the second machine, [`deferred`]; both share [`hardware`].
//!
//! # Source
//! `flush_tlb_kernel_range()` in `arch/x86/mm/tlb.c` (SMP) and `arch/x86/include/asm/tlbflush.h` (UP), with
//! the hunks in David Woodhouse's mail of October 2015, "Re: \[RFC PATCH\] iommu/vt-d: Add IOTLB flush support
//! for kernel addresses". The mail shows the flusher; binder and unbinder are what its text says about them.
//! ```text
//!   flusher                            binder                         unbinder
//!   F0  clear the entry                B0  take the mutex             B0  take the mutex
//!       full barrier                   B1  set up the PASID entry     U1  stop the device, clear the PASID
//!   F1  rcu_read_lock()                B2  note the user, publish         entry, drain the IOMMU
//!   F2  read the pointer                   the pointer (first user)   U2  forget the user, clear the
//!   F3  if set, call it                    full barrier                   pointer (last user)
//!   C1    who uses the PASID?          B3  tell the device to work    U3  synchronize_rcu()
//!   C2    submit an invalidation           release the mutex          U4  free the data, unload the text
//!   C3    wait for it                                                     release the mutex
//!   C4    return
//!   F4  rcu_read_unlock()              device: D1 read the PASID entry, D2 read the upper entry, D3 read
//!   F5  flush the CPUs                         the lower entry, D4 fill the IOTLB, D5 evict; at any time
//!   F6  free the page                          from B3 on. IOMMU: D6 execute an invalidation
//! ```
//! Each of the three columns is a list of [`Act`]s in the [`Config`]: most variants are such a list with one
//! act left out or moved.
//!
//! # Assumptions
//! - A1: CPUs order memory as x86 does (TSO): a store waits in the CPU's buffer, first in, first out, and
//!   becomes visible at any later time; the CPU's own loads see it at once. Acts with a locked instruction,
//!   an uncached write or an interrupt wait until the buffer is empty ([`Act::waits_for_stores`]). Weaker
//!   CPUs and the compiler are not modelled; the kernel's memory model is asked elsewhere.
//! - A2: `B3` is a doorbell that does not wait for the store buffer, as a store through a write-combining
//!   window does not. With a doorbell that is ordered after earlier stores, see `ordered-doorbell`.
//! - A3: an area belongs to whoever frees it: two flushers work on different areas (vmalloc allocates
//!   addresses to one owner). The caller that frees a page-table page holds a spinlock, the one that frees a
//!   data page does not, so that both kinds of caller occur.
//! - A4: a flusher or binder stays on its CPU and each has its own, except on a UP kernel, where all share
//!   one: a section that must not be preempted (spinlock, RCU) runs to its end, and a switch between threads
//!   drains the store buffer, because an interrupt does and whoever goes to sleep has done so. RCU readers that
//!   can be preempted interleave as on two CPUs. A migration would add a full barrier and nothing else.
//! - A5: a grace period ends when every reader that was inside at its start has left. Readers that enter
//!   later are not waited for. Nothing is assumed about the stores of readers.
//! - A6: who calls bind and unbind behaves: one call for an IOMMU at a time, unbind only what is bound.
//! - A7: a CPU that calls null, or an address made of code bytes, stops the machine.
//! - A8: text and data come with the first bind and go with the last unbind, unless the variant says that they
//!   stay: no driver could unload earlier, and one that unloads later does less harm.
//! - A9: without the declaration of the pointer there is nothing to publish to, and the driver refuses a
//!   kernel PASID. A driver that grants it all the same has the verdict of `posted-guard-mismatch-declared-only`.
//!
//! The assumptions about the IOMMU and the page tables stand in [`hardware`].
//!
//! # Bounds
//! Up to 2 flushers, 2 binders, 2 areas and 2 IOMMUs; each area is unmapped and its page-table page freed once;
//! up to 3 binds. A store buffer has 3 places: the first bind issues 3 stores between two acts that wait for
//! them, 4 with an ordered doorbell (which then waits for a place), everybody else fewer.

pub mod deferred;
pub mod hardware;
mod invariant;
pub mod properties;
mod step;
mod variants;
mod view;

use crate::machine::{Invariant, Machine, Panel, Parameter, Property, Size, StepKind, Variant};
use hardware::{DeviceAct, Hardware, Level, Request, Set, FRAMES};

/// How many CPUs may flush.
pub const FLUSHERS_MAX: usize = 2;
/// How many threads may bind and unbind.
pub const BINDERS_MAX: usize = 2;
/// Flushers and binders are numbered together, flushers first; on SMP a thread's number is also its CPU's.
pub const THREADS_MAX: usize = FLUSHERS_MAX + BINDERS_MAX;
/// The stores a CPU may have in its buffer.
pub const BUFFER: usize = 3;
/// The owner of a mutex that nobody holds.
pub const NOBODY: u8 = u8::MAX;
/// The place of a thread that has nothing under way.
pub const IDLE: u8 = u8::MAX;
/// The place of a thread that jumped to something that is not code.
pub const OOPS: u8 = u8::MAX - 1;

/// One act of a flusher or binder; the order in which they happen is the variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// Clear the PTE or the PMD: a store.
    F0ClearEntry,
    /// `mb()`: one of the observers is a device, so that `smp_mb()`, which is nothing on UP, says too little.
    FullBarrier,
    /// `rcu_read_lock()`.
    F1ReadLock,
    /// Load the pointer, or what else tells whether to call.
    F2ReadPointer,
    /// If it is set, load the pointer once more.
    F2TestAndReadAgain,
    /// If it is set, load through it, as the mail's `(*fn)` does with a pointer to a function pointer.
    F2TestAndDereference,
    /// If it is set, call it.
    F3TestAndCall,
    /// Call what was loaded.
    F3Call,
    /// The function reads who uses the PASID.
    C1ReadPasidData,
    /// Put an invalidation into the queue of an IOMMU.
    C2Submit,
    /// Wait until the IOMMU has executed it.
    C3Wait,
    /// Return.
    C4Return,
    /// `rcu_read_unlock()`.
    F4ReadUnlock,
    /// Flush the TLBs of the CPUs.
    F5FlushCpus,
    /// Give the page back to the page allocator.
    F6FreePage,
    /// `mutex_lock()`.
    MutexLock,
    /// `mutex_unlock()`.
    MutexUnlock,
    /// Load the module and allocate the data for the first user; store the PASID entry.
    B1SetUpPasid,
    /// Note the IOMMU as a user of the kernel PASID: a store.
    B2AddUser,
    /// Publish the pointer for the first user: a store.
    B2Publish,
    /// Tell the device to work.
    B3Enable,
    /// Tell the device to stop; a walk in progress goes on.
    U1StopDevice,
    /// Clear the PASID entry: a store.
    U1ClearEntry,
    /// Forget the IOMMU as a user: a store.
    U2RemoveUser,
    /// Clear the pointer behind the last user: a store.
    U2Retract,
    /// A grace period starts.
    U3StartGracePeriod,
    /// It has ended.
    U3EndGracePeriod,
    /// Free the data and unload the module.
    U4Free,
}

impl Act {
    /// Every act.
    pub const ALL: [Self; 28] = [
        Self::F0ClearEntry,
        Self::FullBarrier,
        Self::F1ReadLock,
        Self::F2ReadPointer,
        Self::F2TestAndReadAgain,
        Self::F2TestAndDereference,
        Self::F3TestAndCall,
        Self::F3Call,
        Self::C1ReadPasidData,
        Self::C2Submit,
        Self::C3Wait,
        Self::C4Return,
        Self::F4ReadUnlock,
        Self::F5FlushCpus,
        Self::F6FreePage,
        Self::MutexLock,
        Self::MutexUnlock,
        Self::B1SetUpPasid,
        Self::B2AddUser,
        Self::B2Publish,
        Self::B3Enable,
        Self::U1StopDevice,
        Self::U1ClearEntry,
        Self::U2RemoveUser,
        Self::U2Retract,
        Self::U3StartGracePeriod,
        Self::U3EndGracePeriod,
        Self::U4Free,
    ];

    /// Whether the act cannot be done while a store of its CPU is invisible: it contains a locked
    /// instruction, an uncached write, or the sending of an interrupt.
    pub const fn waits_for_stores(self) -> bool {
        matches!(
            self,
            Self::FullBarrier
                | Self::C2Submit
                | Self::F5FlushCpus
                | Self::F6FreePage
                | Self::MutexLock
                | Self::MutexUnlock
                | Self::U3StartGracePeriod
                | Self::U4Free
        )
    }

    /// Whether only the first bind and the last unbind do this.
    pub const fn only_for_first_or_last(self) -> bool {
        matches!(
            self,
            Self::B2Publish | Self::U2Retract | Self::U3StartGracePeriod | Self::U3EndGracePeriod | Self::U4Free
        )
    }
}

/// What a flusher has loaded as the address to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// Null, or nothing was loaded.
    Null,
    /// The function that the driver published.
    Function,
    /// The function of another notifier, which has nothing to do here.
    OtherNotifier,
    /// The first bytes of the function, taken for an address.
    CodeBytes,
}

/// A store in a CPU's buffer. The payload is the area or the IOMMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Store {
    /// The place in the buffer is empty.
    None,
    /// The PTE of an area becomes none.
    ClearPte(u8),
    /// The PMD of an area becomes none.
    ClearPmd(u8),
    /// The PASID entry of an IOMMU becomes present.
    SetEntry(u8),
    /// The PASID entry of an IOMMU becomes absent.
    ClearEntry(u8),
    /// An IOMMU becomes a user.
    AddUser(u8),
    /// An IOMMU is no user any more.
    RemoveUser(u8),
    /// The pointer becomes the function.
    Publish,
    /// The pointer becomes null.
    Retract,
    /// The doorbell of an IOMMU's device.
    Ring(u8),
}

/// The store buffer of a CPU, oldest store first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Buffer(pub [Store; BUFFER]);

/// A CPU that changes kernel mappings: the caller, `flush_tlb_kernel_range()`, and the function that it calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flusher {
    /// The index of its next act in the list of its level; [`IDLE`]; or [`OOPS`].
    pub at: u8,
    /// The area it works on.
    pub area: u8,
    /// What it frees.
    pub level: Level,
    /// How many `rcu_read_lock()` it is inside.
    pub rcu: u8,
    /// What it loaded from the pointer.
    pub fetched: Target,
    /// Which notifier of the list is next; always 0 with a single pointer.
    pub notifier: u8,
    /// The IOMMUs that the function has still to flush.
    pub todo: Set,
    /// It waits for the mutex.
    pub asleep: bool,
    /// Its invalidation request.
    pub request: Request,
    /// Ghost: how often this flush loaded a function pointer.
    pub loads: u8,
    /// Ghost: how many calls this flush made. What a variant costs is read off here.
    pub calls: u8,
}

impl Flusher {
    /// A flusher between two flushes.
    pub const IDLE: Self = Self {
        at: IDLE,
        area: 0,
        level: Level::Data,
        rcu: 0,
        fetched: Target::Null,
        notifier: 0,
        todo: Set::EMPTY,
        asleep: false,
        request: Request::UNUSED,
        loads: 0,
        calls: 0,
    };

    /// Whether its caller holds a spinlock (A3).
    pub fn caller_is_atomic(&self) -> bool {
        self.at != IDLE && self.level == Level::Table
    }

    /// Whether another thread may run on its CPU before it goes on (A4).
    pub fn is_preemptible(&self) -> bool {
        self.asleep || self.rcu == 0 && !self.caller_is_atomic()
    }
}

/// A thread that binds and unbinds kernel PASIDs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binder {
    /// The index of its next act in the list for bind or unbind, or [`IDLE`].
    pub at: u8,
    /// It unbinds.
    pub unbinding: bool,
    /// The IOMMU that it binds or unbinds.
    pub iommu: u8,
    /// There was no other user of the kernel PASID when it took the mutex.
    pub alone: bool,
    /// It waits for the mutex.
    pub asleep: bool,
    /// The flushers for which its grace period still waits.
    pub waits_for: Set,
    /// Its invalidation request.
    pub request: Request,
}

impl Binder {
    /// A binder with nothing under way.
    pub const IDLE: Self = Self {
        at: IDLE,
        unbinding: false,
        iommu: 0,
        alone: false,
        asleep: false,
        waits_for: Set::EMPTY,
        request: Request::UNUSED,
    };
}

/// Whether the kernel exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Build {
    /// Not compiled yet.
    NotYet,
    /// It runs.
    Done,
    /// It does not compile.
    Failed,
}

/// Everything that the kernel and the hardware keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// Whether the kernel exists.
    pub build: Build,
    /// Memory, page tables and IOMMUs.
    pub hardware: Hardware,
    /// `iommu_flush_ktlb` in memory: set or null.
    pub pointer: bool,
    /// The IOMMUs that use the kernel PASID, in memory.
    pub users: Set,
    /// The text of the function is loaded.
    pub text: bool,
    /// The data of the kernel PASID, which the function reads, is allocated.
    pub data: bool,
    /// The thread that holds the mutex, or [`NOBODY`].
    pub mutex: u8,
    /// How many binds are still to come.
    pub binds_left: u8,
    /// The IOMMUs for which a driver holds a binding.
    pub bound: Set,
    /// The store buffer of each CPU. On UP, what each thread has put into the only one.
    pub buffers: [Buffer; THREADS_MAX],
    /// The flushers.
    pub flushers: [Flusher; FLUSHERS_MAX],
    /// The binders.
    pub binders: [Binder; BINDERS_MAX],
}

/// One atomic change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The kernel is compiled and started.
    K0Build,
    /// A flusher begins to free a page of an area, with the first act of its list.
    Begin {
        /// The flusher.
        flusher: u8,
        /// The area.
        area: u8,
        /// What is freed.
        level: Level,
    },
    /// A binder begins to bind an IOMMU to the kernel PASID, with the first act of its list.
    Bind {
        /// The binder.
        binder: u8,
        /// The IOMMU.
        iommu: u8,
    },
    /// A binder begins to unbind an IOMMU, with the first act of its list.
    Unbind {
        /// The binder.
        binder: u8,
        /// The IOMMU.
        iommu: u8,
    },
    /// A thread does the next act of its list.
    Go {
        /// The thread.
        thread: u8,
        /// The act.
        act: Act,
    },
    /// The oldest store in the buffer of a CPU becomes visible.
    M1DrainStore {
        /// The CPU.
        cpu: u8,
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

/// Which kernel is built. Both have their own `flush_tlb_kernel_range()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Several CPUs: the function in `arch/x86/mm/tlb.c`.
    Smp,
    /// One CPU: the inline function in `arch/x86/include/asm/tlbflush.h`.
    Up,
}

/// What a flusher tests before it calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tested {
    /// The published pointer.
    Pointer,
    /// Whether the kernel PASID has users; the function is called by its name.
    Users,
}

/// How long the function, or its data, stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// From the first bind to the last unbind.
    WhileBound,
    /// Always: built in, or never freed.
    Permanent,
}

/// How many kernel PASIDs there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pasids {
    /// One for the system; the published function knows all its users.
    SystemWide,
    /// One for each IOMMU; the published function is IOMMU 0's and knows of no other.
    PerIommu,
}

/// When an invalidation carries the hint that only lower entries changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Never.
    Never,
    /// When a PTE was cleared.
    ForData,
    /// Always.
    Always,
}

/// How the device is told to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doorbell {
    /// By a store that does not wait for the store buffer (A2).
    Direct,
    /// By a store that takes its turn in the store buffer.
    Ordered,
}

/// Which version of the mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The kernel that is built.
    pub kernel: Kernel,
    /// The SMP definition of `flush_tlb_kernel_range()` is patched.
    pub smp_patched: bool,
    /// The UP definition is patched.
    pub up_patched: bool,
    /// `CONFIG_IOMMU_TLB_FLUSH`, under which the pointer and its caller are declared.
    pub declared: bool,
    /// `CONFIG_IOMMU_FLUSH_TLB`, under which the caller is used.
    pub called: bool,
    /// Callers that free at this level use another flush function, which is not patched.
    pub missed: Option<Level>,
    /// The patched flush, from the caller's store to the caller's free.
    pub flush: &'static [Act],
    /// Bind.
    pub bind: &'static [Act],
    /// Unbind.
    pub unbind: &'static [Act],
    /// What a flusher tests.
    pub tested: Tested,
    /// How many notifiers are called in turn: 1 is the single pointer, 2 a list with somebody else's behind it.
    pub notifiers: u8,
    /// How long the function stays.
    pub text: Lifetime,
    /// How long its data stay.
    pub data: Lifetime,
    /// How many kernel PASIDs there are.
    pub pasids: Pasids,
    /// When only lower entries are invalidated.
    pub hint: Hint,
    /// How the device is told to work.
    pub doorbell: Doorbell,
}

/// Where a flush goes when it does not go to the next act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Places {
    /// The load of the next notifier.
    read: u8,
    /// The call.
    call: u8,
    /// The next invalidation.
    submit: u8,
    /// What the function does after its last invalidation.
    flushed: u8,
    /// The return.
    ret: u8,
}

impl Places {
    fn new(acts: &[Act]) -> Self {
        let of = |act| acts.iter().position(|a| *a == act).map_or(IDLE, |i| i as u8);
        let ret = of(Act::C4Return);
        Self {
            read: of(Act::F2ReadPointer),
            call: of(Act::F3Call).min(of(Act::F3TestAndCall)),
            submit: of(Act::C2Submit),
            flushed: ret.min(of(Act::MutexUnlock)),
            ret,
        }
    }
}

/// The mechanism in its form of 2015: variant and size.
#[derive(Clone, Debug)]
pub struct IommuFlush {
    config: Config,
    flushers: u8,
    binders: u8,
    areas: u8,
    iommus: u8,
    binds: u8,
    cpu_caches: u8,
    places: Places,
}

impl IommuFlush {
    /// The variant.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The acts of a flush at a level.
    pub fn flush(&self, level: Level) -> &'static [Act] {
        let patched = match self.config.kernel {
            Kernel::Smp => self.config.smp_patched,
            Kernel::Up => self.config.up_patched,
        };
        if patched && self.config.called && self.config.missed != Some(level) {
            self.config.flush
        } else {
            variants::NOT_HOOKED
        }
    }

    /// The acts of bind or unbind.
    pub const fn binding(&self, unbinding: bool) -> &'static [Act] {
        if unbinding {
            self.config.unbind
        } else {
            self.config.bind
        }
    }

    /// The state in which every run begins.
    pub fn initial_state(&self) -> State {
        State {
            build: Build::NotYet,
            hardware: Hardware::new(self.areas),
            pointer: false,
            users: Set::EMPTY,
            text: self.config.text == Lifetime::Permanent,
            data: self.config.data == Lifetime::Permanent,
            mutex: NOBODY,
            binds_left: if self.grants_kernel_pasids() { self.binds } else { 0 },
            bound: Set::EMPTY,
            buffers: [Buffer([Store::None; BUFFER]); THREADS_MAX],
            flushers: [Flusher::IDLE; FLUSHERS_MAX],
            binders: [Binder::IDLE; BINDERS_MAX],
        }
    }

    /// The next act of a thread, if it has one.
    pub fn next_act_of(&self, state: &State, thread: u8) -> Option<Act> {
        let slot = thread as usize;
        if slot < FLUSHERS_MAX {
            self.next_act(&state.flushers[slot])
        } else {
            self.next_binding_act(&state.binders[slot - FLUSHERS_MAX])
        }
    }

    /// Whether a driver may have a kernel PASID at all (A9).
    pub const fn grants_kernel_pasids(&self) -> bool {
        self.config.declared
    }
}

impl Machine for IommuFlush {
    type State = State;
    type Step = Step;
    type Config = Config;

    const MECHANISM: &'static str = "iommu-flush";
    const VARIANTS: &'static [Variant<Config>] = variants::VARIANTS;
    const PARAMETERS: &'static [Parameter] = &[
        Parameter { name: "flushers", says: "CPUs that change kernel mappings", min: 1, max: 2, quick: 1, deep: 1 },
        Parameter { name: "binders", says: "threads that bind and unbind", min: 1, max: 2, quick: 1, deep: 1 },
        Parameter { name: "areas", says: "areas with a page table and a data page", min: 1, max: 2, quick: 1, deep: 2 },
        Parameter { name: "iommus", says: "IOMMUs, each with a device", min: 1, max: 2, quick: 1, deep: 1 },
        Parameter { name: "binds", says: "binds before the run ends", min: 1, max: 3, quick: 2, deep: 2 },
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
    const INVARIANT: Option<Invariant<Self>> = Some(invariant::INVARIANT);
    const KINDS: &'static [StepKind] = view::KINDS;

    fn new(config: Config, size: Size) -> Self {
        Self {
            config,
            flushers: size.get(0),
            binders: size.get(1),
            areas: size.get(2),
            iommus: size.get(3),
            binds: size.get(4),
            cpu_caches: size.get(5),
            places: Places::new(config.flush),
        }
    }

    fn initial_states(&self) -> Vec<State> {
        vec![self.initial_state()]
    }

    fn steps(&self, state: &State, out: &mut Vec<Step>) {
        step::propose(self, state, out);
    }

    fn every_step(&self) -> Vec<Step> {
        let threads = (0..self.flushers).chain((0..self.binders).map(|b| FLUSHERS_MAX as u8 + b));
        let mut all = vec![Step::K0Build];
        for thread in threads {
            all.extend(Act::ALL.map(|act| Step::Go { thread, act }));
            all.push(Step::D6Invalidate { thread });
            all.push(Step::M1DrainStore { cpu: thread });
        }
        for area in 0..self.areas {
            let begin = |flusher| [Level::Data, Level::Table].map(|level| Step::Begin { flusher, area, level });
            all.extend((0..self.flushers).flat_map(begin));
            all.push(Step::M3FillCpuTlb { area });
        }
        for iommu in 0..self.iommus {
            let bind = |binder| [Step::Bind { binder, iommu }, Step::Unbind { binder, iommu }];
            all.extend((0..self.binders).flat_map(bind));
            all.extend(DeviceAct::all(self.areas).into_iter().map(|act| Step::Device { iommu, act }));
        }
        all.extend((0..FRAMES as u8).map(|frame| Step::M2ReusePage { frame }));
        all
    }

    fn step(&self, state: &State, step: Step) -> Option<State> {
        step::step(self, state, step)
    }

    fn is_final(&self, state: &State) -> bool {
        let finished = state.hardware.pmd.is_empty()
            && state.hardware.pte.is_empty()
            && state.flushers.iter().all(|f| f.at == IDLE)
            && state.binders.iter().all(|b| b.at == IDLE)
            && state.binds_left == 0
            && state.bound.is_empty();
        state.build == Build::Failed || step::stopped(state) || state.build == Build::Done && finished
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
