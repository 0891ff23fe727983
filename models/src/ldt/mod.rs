//! The LDT in a user-visible page-table slot under page table isolation, swapped between two slots.
//!
//! # Claim
//! Whatever other threads, the scheduler, interrupts and speculation do, a thread in user mode reads its descriptors in
//! one LDT that is installed or was the last to be; when `modify_ldt()` has returned it is the new one on every CPU; and
//! nothing that user code can reach, through a page table or a TLB, leads to a page that is free. The form of December
//! 2017 does not keep the last part, see the variant `posted`.
//!
//! # Source
//! `arch/x86/kernel/ldt.c` (`write_ldt()`, `map_ldt_struct()`, `install_ldt()`, `flush_ldt()`, `unmap_ldt_struct()`,
//! `load_mm_ldt()`, `free_ldt_pgtables()`, `destroy_context_ldt()`), f55f0501cbf6 "x86/pti: Put the LDT in its own PGD
//! if PTI is on" and the form of 2018; `arch/x86/mm/tlb.c` (`switch_mm_irqs_off()`, `flush_tlb_mm_range()`,
//! `flush_tlb_func()`). Two smaller machines stand beside this one: [`fork`] and [`clear_asid`].
//!
//! ```text
//!   modify_ldt() of a thread              a CPU switches to a thread       a CPU takes the interrupt of W10
//!   W1  take ldt_usr_sem                  set its bit in mm_cpumask        loaded_mm is this mm?
//!   W2  old = context.ldt                 read tlb_gen                     read context.ldt
//!   W3  allocate new, zeroed, slot -1     load the page table, flush       load LDTR
//!   W4  copy the entries, edit one          if a flush was missed          answer
//!   W5  map the pages at the other slot   read context.ldt
//!   W6  show the slots, if the first      load LDTR                        a CPU takes the interrupt of a flush
//!   W7  flush the slot       (2017)                                        lazy: leave the address space
//!   W8  new.slot = slot                   to a kernel thread: be lazy      else drop what was asked for, or all
//!   W9  take context.lock, install        to another process: clear the    answer
//!   W10 interrupt mm_cpumask and wait       bit, load its page table,
//!   W11 drop context.lock                   clear LDTR                     at any time
//!   W12 unmap the old slot, flush (2018)                                   walk the page table and keep the
//!   W13 free the old pages and struct     exit of the last thread            translation of an entry
//!   W14 release ldt_usr_sem                 unlink, flush, free
//! ```
//! W7 and W12 flush in three steps: raise `tlb_gen`, interrupt, wait. [`Order`] says which parts a form has.
//!
//! # Assumptions
//! - A1: steps are sequentially consistent. The store of W9 is a release, `load_mm_ldt()` reads once, interrupts and
//!   `tlb_gen` are fully ordered; what happens without the barriers is not asked here.
//! - A2: an entry of an LDT is one value, written and read at once (8 bytes on 64 bit). The copies of descriptors that
//!   segment registers keep are not modelled: by design some of them survive a change until they are loaded again.
//! - A3: kernel and user translations of a slot are one. The kernel flushes both, the user one at the latest on the way
//!   to user mode. A TLB drops entries only when it must: dropping more only takes away what could go wrong.
//! - A4: TLB entries survive a switch to another process (PCID) and are flushed when the page table is loaded again, if
//!   a flush was missed. `behind` is the difference of the two generations; nothing asks for more than 2.
//! - A5: other address spaces are one task, [`Task::Foreign`]. It never has an LDT.
//! - A6: user code may run as soon as a thread of the process has a CPU and interrupts are on, also while that thread is
//!   in a call. A lazy CPU, or one in the middle of a switch, runs kernel code only, which uses no slot: its TLB may hold
//!   translations to freed pages for a while, as long as it loses them before it runs a thread again.
//! - A7: a freed page is at once anybody's, with a secret in it; a new LDT may get it, too. Of the free pages that no
//!   translation leads to, the lowest is handed out: the others differ from it in nothing.
//! - A8: a failed call gives its number back, so the run may have any number of them as far as `failures` allows. When
//!   no page is left, allocations fail whatever that says.
//! - A9: a thread exits only after the last call has begun. An exit before that leaves a process of a smaller size.
//!   `exit_mmap()` is executed without a CPU: the exiting thread has no user mode left, and its CPU is lazy.
//! - A10: `read_ldt()` is left out: it takes `ldt_usr_sem` and reads what `ldt-is-what-was-asked-for` speaks of. So are
//!   Xen, `paravirt_alloc_ldt()`, 32 bit and hotplug.
//! - A11: unrelated flushes of the address space (`munmap()`) are seen only as what they do to lazy CPUs
//!   ([`CpuStep::LeaveEarly`]), and only in forms where that matters; elsewhere they would only empty TLBs.
//! - A12: page-table pages are freed at exit when the flush is over. `page-table-outlives-its-users` says that no CPU
//!   with interrupts on has the page table loaded then. It does not hold for a CPU that is in the middle of leaving: that
//!   has cleared its bit in `mm_cpumask`, still has the page table, and the flush of exit does not reach it. The window is
//!   a few instructions of kernel code in the kernel as well; whether a speculative walk there can do harm is not decided
//!   here. Paging-structure caches are not modelled.
//! - A13: flushes of the slots follow one another (`ldt_usr_sem`), so a CPU that is neither lazy nor switching is never
//!   behind by 2; the case is there because the kernel has it.
//!
//! # Bounds
//! CPUs, threads, foreign tasks, entries, calls and failures, as the parameters say; three pages, or four if an LDT may
//! need two: enough for the old LDT and the new one, so that memory runs out only where it is lost. Two CPUs suffice for one to
//! use what another replaces. Three calls suffice for a slot, a page and the address of a struct to be used again.

pub mod clear_asid;
pub mod fork;
mod invariant;
pub mod memory;
pub mod properties;
mod step;
mod symmetry;
mod variants;
mod view;

use self::memory::{Image, LdtId, Memory, Mm, Page, Slot, Tables, Translations, MAX_SIZE};
pub use self::variants::MAINLINE;
use crate::machine::{Invariant, Machine, Panel, Parameter, Property, Size, StepKind, Variant};

/// Most CPUs in a state.
pub const MAX_CPUS: usize = 3;
/// Most threads of the process.
pub const MAX_THREADS: usize = 3;
/// Most calls of `modify_ldt()`: each needs a descriptor of its own, and [`memory::SECRET`] is none.
pub const MAX_WRITES: u8 = 6;

/// A thread of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the variants are numbers")]
pub enum ThreadId {
    T0,
    T1,
    T2,
}

impl ThreadId {
    /// All threads, in order.
    pub const ALL: [Self; MAX_THREADS] = [Self::T0, Self::T1, Self::T2];
}

/// A set of CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CpuSet(pub u8);

impl CpuSet {
    /// No CPU.
    pub const NONE: Self = Self(0);

    /// One CPU.
    pub const fn one(cpu: u8) -> Self {
        Self(1 << cpu)
    }
    /// Whether the CPU is in the set.
    pub const fn has(self, cpu: u8) -> bool {
        self.0 & 1 << cpu != 0
    }
    /// CPUs of either set.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// CPUs of this set that are not in the other.
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// What a CPU runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// A thread of the process.
    Thread(ThreadId),
    /// A kernel thread or the idle task, which borrows this address space.
    Borrower,
    /// Another process, or a kernel thread that borrows from one.
    Foreign,
}

/// The LDT register: base and limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ldtr {
    /// Base: the address of a slot.
    pub slot: Slot,
    /// Limit: how many entries the CPU takes the table to have.
    pub entries: u8,
}

/// Where a CPU stands in a sequence that it executes with interrupts off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CpuPc {
    /// Interrupts are on.
    Run,
    /// `switch_mm()` back from lazy mode: is about to compare generations.
    CatchUp,
    /// `switch_mm()`: is about to set its bit in `mm_cpumask`.
    SetMask,
    /// `switch_mm()`: is about to read `tlb_gen`.
    ReadGeneration,
    /// `switch_mm()`: is about to load the page table, with or without a flush of the TLB.
    LoadPageTable {
        /// The TLB missed a flush.
        flush: bool,
    },
    /// `load_mm_ldt()`: is about to read `context.ldt`.
    ReadLdt,
    /// `load_mm_ldt()`: is about to read the struct and to load LDTR.
    LoadLdtr,
    /// `switch_mm()` to another address space: is about to clear its bit in `mm_cpumask`.
    ClearMask,
    /// `switch_mm()` to another address space: is about to load the page table of that.
    LeavePageTable,
    /// `switch_mm()` to another address space: is about to clear LDTR.
    ClearLdtr,
}

/// An inter-processor interrupt, named after its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ipi {
    /// `flush_ldt()`.
    Reload(ThreadId),
    /// `flush_tlb_func()`.
    Flush(ThreadId),
    /// A flush of other addresses, for which this model has no sender.
    Unrelated,
}

/// A CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cpu {
    /// `current`.
    pub task: Task,
    /// `current->active_mm` is this address space.
    pub active: bool,
    /// CR3 leads to the page table of this address space.
    pub page_table: bool,
    /// `cpu_tlbstate.loaded_mm` is this address space.
    pub loaded: bool,
    /// `cpu_tlbstate.is_lazy`.
    pub lazy: bool,
    /// How many flushes of this address space the TLB is behind: `tlb_gen` of the mm less that of the CPU, at most 2.
    pub behind: u8,
    /// LDTR.
    pub ldtr: Option<Ldtr>,
    /// The TLB's entries for the slots, as user mode would use them.
    pub tlb: Translations,
    /// Where the CPU stands.
    pub pc: CpuPc,
    /// The pointer that `load_mm_ldt()` has read.
    pub ldt: Option<LdtId>,
    /// The interrupt in whose handler the CPU is.
    pub answering: Option<Ipi>,
}

impl Cpu {
    /// A CPU that has never run a thread of the process.
    pub const FOREIGN: Self = Self {
        task: Task::Foreign,
        active: false,
        page_table: false,
        loaded: false,
        lazy: false,
        behind: 0,
        ldtr: None,
        tlb: Translations::NONE,
        pc: CpuPc::Run,
        ldt: None,
        answering: None,
    };
}

/// A flush of TLBs: what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flush {
    /// W7: a slot was filled.
    Mapped,
    /// W12: a slot was emptied.
    Unmapped,
    /// Mapping failed, and what was mapped is gone again.
    Undone,
    /// `exit_mmap()`.
    Exit,
}

/// What is done with page-table entries, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Work {
    /// W5: the entries of the new LDT are set.
    Map,
    /// W12: the entries of the old LDT are cleared.
    Unmap,
    /// Mapping failed: the entries that were set are cleared.
    Undo,
}

/// Where a thread stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pc {
    /// In user mode.
    User,
    /// W2: is about to read `context.ldt`.
    ReadOld,
    /// W3: is about to allocate the struct.
    AllocateStruct,
    /// W3: is about to allocate a page.
    AllocatePage,
    /// W4: is about to copy the old entries.
    Copy,
    /// W4: is about to write the new descriptor.
    Edit,
    /// W4 of the form before 2015: is about to write into the installed LDT.
    EditInPlace,
    /// W5, W12: is about to take the page-table lock.
    LockEntry(Work),
    /// W5, W12: is about to write the entry.
    WriteEntry(Work),
    /// W5, W12: is about to drop the page-table lock.
    UnlockEntry(Work),
    /// W6: is about to make the slots visible.
    Show,
    /// W7, W12: is about to raise `tlb_gen`.
    FlushBegin(Flush),
    /// W7, W12: is about to interrupt the CPUs.
    FlushSend(Flush),
    /// W7, W12: waits for the CPUs.
    FlushWait(Flush),
    /// W8: is about to store the slot.
    SetSlot,
    /// W9: is about to take `context.lock`.
    TakeLock,
    /// W9: is about to store `context.ldt`.
    Publish,
    /// W10: is about to interrupt the CPUs.
    SendIpi,
    /// W10: waits for the CPUs.
    WaitIpi,
    /// W11: is about to drop `context.lock`.
    DropLock,
    /// W13: is about to free the pages of the old LDT.
    FreePages,
    /// W13: is about to free the struct of the old LDT.
    FreeStruct,
    /// W14: is about to release `ldt_usr_sem`.
    Release,
    /// Mapping failed: is about to take the page tables out.
    UnlinkTables,
    /// Mapping failed: is about to free the pages of an LDT.
    ErrorFreePages,
    /// Mapping failed: is about to free the struct of an LDT.
    ErrorFreeStruct,
    /// `exit_mmap()`: is about to take the page tables out.
    ExitUnlink,
    /// `destroy_context()`: is about to free the pages of the LDT.
    ExitFreePages,
    /// `destroy_context()`: is about to free the struct of the LDT.
    ExitFreeStruct,
    /// Has exited.
    Gone,
}

/// A thread of the process, with the local variables of the call in which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thread {
    /// Where it stands.
    pub pc: Pc,
    /// `ldt_info.entry_number`.
    pub entry: u8,
    /// The descriptor to be written: the number of the call.
    pub descriptor: u8,
    /// `old_ldt`.
    pub old: Option<LdtId>,
    /// `new_ldt`.
    pub new: Option<LdtId>,
    /// The slot that is mapped, unmapped or flushed.
    pub slot: Option<Slot>,
    /// `i` of the loop over page-table entries; during a flush the number of entries to flush.
    pub index: u8,
    /// CPUs that have not yet answered the last W10 of this thread.
    pub reload: CpuSet,
    /// CPUs that have not yet answered the last flush of this thread.
    pub flush: CpuSet,
}

impl Thread {
    /// A thread in user mode that has nothing outstanding.
    pub const USER: Self = Self {
        pc: Pc::User,
        entry: 0,
        descriptor: 0,
        old: None,
        new: None,
        slot: None,
        index: 0,
        reload: CpuSet::NONE,
        flush: CpuSet::NONE,
    };
}

/// What the kernel and the hardware keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// The CPUs; those that are not used are like one that runs something else.
    pub cpus: [Cpu; MAX_CPUS],
    /// The threads; those that are not used are gone.
    pub threads: [Thread; MAX_THREADS],
    /// Pages and LDT structs.
    pub memory: Memory,
    /// The address space.
    pub mm: Mm,
    /// `mm_cpumask`.
    pub mask: CpuSet,
    /// Who holds `context.ldt_usr_sem`.
    pub usr_sem: Option<ThreadId>,
    /// Who holds `context.lock`.
    pub lock: Option<ThreadId>,
    /// Who holds the page-table lock.
    pub table_lock: Option<ThreadId>,
    /// How many calls have begun that did not fail: the number, and descriptor, of the last.
    pub calls: u8,
    /// How many allocations have failed.
    pub failures: u8,
    /// Ghost: the LDT that the calls so far ask for.
    pub now: Image,
    /// Ghost: the LDT before the last of these calls.
    pub before: Image,
}

/// A part of `write_ldt()`. [`Order`] says which parts a form has, and in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is explained where its steps are: see `Pc`")]
pub enum Phase {
    ReadOld,
    Allocate,
    Copy,
    Edit,
    Map,
    Show,
    FlushMapped,
    SetSlot,
    TakeLock,
    Publish,
    Interrupt,
    DropLock,
    Unmap,
    FlushUnmapped,
    FreePages,
    FreeStruct,
    Release,
}

/// The order of the parts of `write_ldt()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order(pub &'static [Phase]);

/// How the slot of the new LDT is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotChoice {
    /// `old_ldt ? !old_ldt->slot : 0`.
    Other,
    /// There is only one slot.
    Single,
    /// `old_ldt ? 1 : 0`.
    Constant,
}

/// What is done when mapping fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// `free_ldt_struct(old_ldt)`.
    FreeOld,
    /// `free_ldt_struct(new_ldt)`.
    FreeNew,
    /// If there was no LDT, `free_ldt_pgtables()`; then `free_ldt_struct(new_ldt)`.
    FreeTables,
    /// The same, but if there was an LDT, the entries that were set are cleared and flushed first.
    Unmap,
}

/// What the handler of W10 compares with the address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandlerTest {
    /// `cpu_tlbstate.loaded_mm`.
    LoadedMm,
    /// `current->mm`.
    TaskMm,
    /// `current->active_mm`.
    ActiveMm,
}

/// When `switch_mm()` sets the bit in `mm_cpumask`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskBit {
    /// Before `tlb_gen` is read and the page table is loaded.
    First,
    /// After the page table is loaded, before LDTR is.
    AfterPageTable,
    /// After LDTR is loaded.
    Last,
    /// Not at all.
    Never,
}

/// What a TLB flush does about lazy CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LazyFlush {
    /// They are interrupted, and leave the address space.
    Leave,
    /// They are not interrupted; they compare generations when they stop being lazy.
    CatchUp,
    /// They are not interrupted, and that is all.
    Skip,
}

/// Which version of the mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The order of the parts of `write_ldt()`.
    pub order: Order,
    /// How page tables are shared out.
    pub tables: Tables,
    /// How the slot is chosen.
    pub slot: SlotChoice,
    /// What is done when mapping fails.
    pub on_error: OnError,
    /// An entry that the installed LDT has room for is written into that LDT.
    pub in_place: bool,
    /// W1 takes `ldt_usr_sem`.
    pub usr_sem: bool,
    /// W10 waits for the CPUs.
    pub wait: bool,
    /// W10 includes the CPU of the caller.
    pub own_cpu: bool,
    /// W12 clears all entries, not only the first.
    pub unmap_all: bool,
    /// What the handler of W10 tests.
    pub test: HandlerTest,
    /// When `switch_mm()` sets the bit in `mm_cpumask`.
    pub mask: MaskBit,
    /// `switch_mm()` loads LDTR.
    pub switch_loads_ldtr: bool,
    /// What a flush does about lazy CPUs.
    pub lazy: LazyFlush,
    /// `switch_mm()` compares the new address space with `active_mm`, not with `loaded_mm`.
    pub switch_compares_active: bool,
    /// `enter_lazy_tlb()` sets `is_lazy`.
    pub enters_lazy: bool,
    /// A flush records the generation that it has caught up with.
    pub records_generation: bool,
    /// A kernel thread whose CPU leaves the address space keeps its reference to it.
    pub keeps_reference: bool,
    /// The LDT is freed with the last reference to the address space, not with its last user.
    pub exit_waits: bool,
}

/// What a CPU does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CpuStep {
    /// Runs a thread of the process.
    SwitchToThread(ThreadId),
    /// Runs a kernel thread that borrows the address space.
    SwitchToLazy,
    /// Runs a task that has an address space of its own, or a kernel thread that borrowed that.
    SwitchToOther,
    /// While a kernel thread borrows the address space, leaves it: `enter_lazy_tlb()` or a flush of other addresses.
    LeaveEarly,
    /// Goes on with the sequence that begins with the pc of that name.
    Go(CpuGo),
    /// Takes an interrupt.
    Answer(Ipi),
    /// Walks the page table and keeps the translation of an entry.
    Cache(Slot, u8),
}

/// A step of a sequence with interrupts off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "see `CpuPc`")]
pub enum CpuGo {
    CatchUp,
    SetMask,
    ReadGeneration,
    LoadPageTable,
    ReadLdt,
    LoadLdtr,
    ClearMask,
    LeavePageTable,
    ClearLdtr,
}

impl CpuGo {
    const ALL: [Self; 9] = [
        Self::CatchUp,
        Self::SetMask,
        Self::ReadGeneration,
        Self::LoadPageTable,
        Self::ReadLdt,
        Self::LoadLdtr,
        Self::ClearMask,
        Self::LeavePageTable,
        Self::ClearLdtr,
    ];
}

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "see `Ldt::KINDS`")]
pub enum Action {
    W1TakeUsrSem { entry: u8 },
    W2ReadOld,
    W3AllocateStruct,
    W3AllocatePage(Page),
    OutOfMemory,
    W4CopyEntries,
    W4EditEntry,
    LockPageTable,
    UnlockPageTable,
    W5MapEntry,
    W6ShowSlots,
    FlushRaiseGeneration,
    FlushSendIpi,
    AllCpusAnswered,
    W8SetSlot,
    W9TakeLock,
    W9Publish,
    W10SendIpi,
    W11DropLock,
    W12ClearEntry,
    W13FreePages,
    W13FreeStruct,
    W14ReleaseUsrSem,
    UnlinkTables,
    Exit,
}

/// One atomic change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Of a CPU: scheduler, interrupt or hardware.
    Cpu(u8, CpuStep),
    /// Of a thread.
    Thread(ThreadId, Action),
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Ldt {
    pub(crate) config: Config,
    pub(crate) cpus: u8,
    pub(crate) threads: u8,
    pub(crate) callers: u8,
    pub(crate) kernel_threads: u8,
    pub(crate) entries: u8,
    pub(crate) writes: u8,
    pub(crate) failures: u8,
}

impl Ldt {
    /// Where every run begins: the first threads have a CPU each.
    pub fn initial_state(&self) -> State {
        let mut state = State {
            cpus: [Cpu::FOREIGN; MAX_CPUS],
            threads: [Thread { pc: Pc::Gone, ..Thread::USER }; MAX_THREADS],
            memory: Memory::EMPTY,
            mm: Mm::EMPTY,
            mask: CpuSet::NONE,
            usr_sem: None,
            lock: None,
            table_lock: None,
            calls: 0,
            failures: 0,
            now: Image::NONE,
            before: Image::NONE,
        };
        for id in ThreadId::ALL {
            if (id as u8) < self.threads {
                state.threads[id as usize] = Thread::USER;
                if (id as u8) < self.cpus {
                    state.mask = state.mask.or(CpuSet::one(id as u8));
                    state.cpus[id as usize] =
                        Cpu { task: Task::Thread(id), active: true, page_table: true, loaded: true, ..Cpu::FOREIGN };
                }
            }
        }
        state
    }

    /// The pages of memory: enough for the old LDT and the new one.
    pub(crate) const fn pages(&self) -> u8 {
        if self.entries > memory::PER_PAGE {
            memory::MAX_PAGES as u8
        } else {
            3
        }
    }
}

const KINDS: &[StepKind] = &[
    StepKind::new("W1TakeUsrSem", "A thread calls modify_ldt() and takes ldt_usr_sem.", "write_ldt()"),
    StepKind::new("W2ReadOld", "Reads context.ldt.", "write_ldt()"),
    StepKind::new("W3Allocate", "Allocates the struct or one zeroed page of the new LDT.", "alloc_ldt_struct()"),
    StepKind::new(
        "OutOfMemory",
        "An allocation fails: of the LDT, or of a page table.",
        "alloc_ldt_struct(), get_locked_pte()",
    ),
    StepKind::new("W4CopyAndEdit", "Copies the old entries, or writes the descriptor.", "write_ldt()"),
    StepKind::new(
        "PageTableLock",
        "Takes the page-table lock, with a page table provided, or drops it.",
        "get_locked_pte()",
    ),
    StepKind::new("W5MapEntry", "Sets the page-table entry of one page of the new LDT.", "map_ldt_struct()"),
    StepKind::new(
        "W6ShowSlots",
        "Lets the user-mode page table lead to the slots, if there was no LDT.",
        "map_ldt_struct_to_user()",
    ),
    StepKind::new(
        "FlushRaiseGeneration",
        "W7, W12: raises tlb_gen, so that every TLB counts as stale.",
        "flush_tlb_mm_range()",
    ),
    StepKind::new("FlushSendIpi", "W7, W12: interrupts the CPUs in mm_cpumask.", "flush_tlb_others()"),
    StepKind::new("AllCpusAnswered", "W7, W10, W12: the last CPU has answered.", "smp_call_function_many()"),
    StepKind::new("W8SetSlot", "Stores the slot in the new LDT.", "map_ldt_struct()"),
    StepKind::new("W9TakeLock", "Takes context.lock.", "install_ldt()"),
    StepKind::new("W9Publish", "Stores context.ldt with release.", "install_ldt()"),
    StepKind::new("W10SendIpi", "Interrupts every CPU in mm_cpumask.", "on_each_cpu_mask()"),
    StepKind::new("W11DropLock", "Drops context.lock.", "install_ldt()"),
    StepKind::new("W12ClearEntry", "Clears the page-table entry of one page.", "unmap_ldt_struct()"),
    StepKind::new("W13Free", "Frees the pages of an LDT, or its struct.", "free_ldt_struct()"),
    StepKind::new("W14ReleaseUsrSem", "Releases ldt_usr_sem and returns.", "write_ldt()"),
    StepKind::new("UnlinkTables", "Takes the page tables of the slots out.", "free_ldt_pgtables()"),
    StepKind::new("ThreadExits", "A thread exits; its CPU keeps the address space, lazily.", "exit_mm()"),
    StepKind::new("SwitchTask", "A CPU runs another task.", "context_switch()"),
    StepKind::new("SwitchSetMask", "Sets the CPU's bit in mm_cpumask.", "switch_mm_irqs_off()"),
    StepKind::new("ReadGeneration", "Compares the TLB's generation with tlb_gen.", "switch_mm_irqs_off()"),
    StepKind::new("LoadPageTable", "Loads CR3 and loaded_mm.", "switch_mm_irqs_off()"),
    StepKind::new("ReadLdtPointer", "Reads context.ldt once.", "load_mm_ldt()"),
    StepKind::new("LoadLdtr", "Loads LDTR from the struct.", "set_ldt()"),
    StepKind::new(
        "LeaveMm",
        "Leaves the address space: clears the bit in mm_cpumask, or LDTR.",
        "switch_mm_irqs_off()",
    ),
    StepKind::new("AnswerReload", "Takes the interrupt of W10.", "flush_ldt()"),
    StepKind::new("AnswerFlush", "Takes the interrupt of a TLB flush.", "flush_tlb_func()"),
    StepKind::new("CacheTranslation", "Walks the page table, perhaps speculatively, and keeps the translation.", "TLB"),
];

const PARAMETERS: &[Parameter] = &[
    Parameter { name: "cpus", says: "CPUs", min: 1, max: 3, quick: 2, deep: 2 },
    Parameter { name: "threads", says: "threads of the process", min: 1, max: 3, quick: 2, deep: 2 },
    Parameter { name: "callers", says: "threads that call modify_ldt()", min: 1, max: 3, quick: 1, deep: 1 },
    Parameter {
        name: "kernel_threads",
        says: "CPUs that may run a kernel thread or another process",
        min: 0,
        max: 3,
        quick: 0,
        deep: 0,
    },
    Parameter {
        name: "entries",
        says: "entries of an LDT, two to a page",
        min: 1,
        max: memory::MAX_ENTRIES,
        quick: 1,
        deep: 1,
    },
    Parameter {
        name: "writes",
        says: "calls of modify_ldt() that succeed",
        min: 1,
        max: MAX_WRITES,
        quick: 2,
        deep: 2,
    },
    Parameter { name: "failures", says: "allocations that fail", min: 0, max: 3, quick: 0, deep: 0 },
];

impl Machine for Ldt {
    type State = State;
    type Step = Step;
    type Config = Config;
    const MECHANISM: &'static str = "ldt";
    const VARIANTS: &'static [Variant<Config>] = variants::VARIANTS;
    const PARAMETERS: &'static [Parameter] = PARAMETERS;
    const PROPERTIES: &'static [Property<Self>] = properties::PROPERTIES;
    const INVARIANT: Option<Invariant<Self>> = Some(invariant::INVARIANT);
    const KINDS: &'static [StepKind] = KINDS;

    fn new(config: Config, size: Size) -> Self {
        Self {
            config,
            cpus: size.get(0),
            threads: size.get(1),
            callers: size.get(2),
            kernel_threads: size.get(3),
            entries: size.get(4),
            writes: size.get(5),
            failures: size.get(6),
        }
    }

    fn initial_states(&self) -> Vec<State> {
        vec![self.initial_state()]
    }

    fn steps(&self, state: &State, out: &mut Vec<Step>) {
        self.propose(state, out);
    }

    fn every_step(&self) -> Vec<Step> {
        let threads = || ThreadId::ALL.into_iter().filter(|id| (*id as u8) < self.threads);
        let mut all = Vec::new();
        for cpu in 0..self.cpus {
            let mut cpu_steps = vec![CpuStep::SwitchToLazy, CpuStep::SwitchToOther, CpuStep::LeaveEarly];
            cpu_steps.extend(CpuGo::ALL.map(CpuStep::Go));
            for id in threads() {
                cpu_steps.push(CpuStep::SwitchToThread(id));
                cpu_steps.push(CpuStep::Answer(Ipi::Reload(id)));
                cpu_steps.push(CpuStep::Answer(Ipi::Flush(id)));
            }
            for slot in Slot::BOTH {
                for entry in 0..MAX_SIZE as u8 {
                    cpu_steps.push(CpuStep::Cache(slot, entry));
                }
            }
            all.extend(cpu_steps.into_iter().map(|step| Step::Cpu(cpu, step)));
        }
        for id in threads() {
            let mut actions = vec![
                Action::W2ReadOld,
                Action::W3AllocateStruct,
                Action::OutOfMemory,
                Action::W4CopyEntries,
                Action::W4EditEntry,
                Action::LockPageTable,
                Action::UnlockPageTable,
                Action::W5MapEntry,
                Action::W6ShowSlots,
                Action::FlushRaiseGeneration,
                Action::FlushSendIpi,
                Action::AllCpusAnswered,
                Action::W8SetSlot,
                Action::W9TakeLock,
                Action::W9Publish,
                Action::W10SendIpi,
                Action::W11DropLock,
                Action::W12ClearEntry,
                Action::W13FreePages,
                Action::W13FreeStruct,
                Action::W14ReleaseUsrSem,
                Action::UnlinkTables,
                Action::Exit,
            ];
            actions.extend((0..self.entries).map(|entry| Action::W1TakeUsrSem { entry }));
            actions.extend(Page::ALL.map(Action::W3AllocatePage));
            all.extend(actions.into_iter().map(|action| Step::Thread(id, action)));
        }
        all
    }

    fn step(&self, state: &State, step: Step) -> Option<State> {
        self.transition(state, step)
    }

    fn is_final(&self, state: &State) -> bool {
        state.is_gone()
    }

    fn kind(&self, step: Step) -> usize {
        match step {
            Step::Thread(_, action) => match action {
                Action::W1TakeUsrSem { .. } => 0,
                Action::W2ReadOld => 1,
                Action::W3AllocateStruct | Action::W3AllocatePage(_) => 2,
                Action::OutOfMemory => 3,
                Action::W4CopyEntries | Action::W4EditEntry => 4,
                Action::LockPageTable | Action::UnlockPageTable => 5,
                Action::W5MapEntry => 6,
                Action::W6ShowSlots => 7,
                Action::FlushRaiseGeneration => 8,
                Action::FlushSendIpi => 9,
                Action::AllCpusAnswered => 10,
                Action::W8SetSlot => 11,
                Action::W9TakeLock => 12,
                Action::W9Publish => 13,
                Action::W10SendIpi => 14,
                Action::W11DropLock => 15,
                Action::W12ClearEntry => 16,
                Action::W13FreePages | Action::W13FreeStruct => 17,
                Action::W14ReleaseUsrSem => 18,
                Action::UnlinkTables => 19,
                Action::Exit => 20,
            },
            Step::Cpu(_, step) => match step {
                CpuStep::SwitchToThread(_) | CpuStep::SwitchToLazy | CpuStep::SwitchToOther | CpuStep::LeaveEarly => 21,
                CpuStep::Go(CpuGo::SetMask) => 22,
                CpuStep::Go(CpuGo::ReadGeneration | CpuGo::CatchUp) => 23,
                CpuStep::Go(CpuGo::LoadPageTable | CpuGo::LeavePageTable) => 24,
                CpuStep::Go(CpuGo::ReadLdt) => 25,
                CpuStep::Go(CpuGo::LoadLdtr) => 26,
                CpuStep::Go(CpuGo::ClearMask | CpuGo::ClearLdtr) => 27,
                CpuStep::Answer(Ipi::Reload(_)) => 28,
                CpuStep::Answer(_) => 29,
                CpuStep::Cache(..) => 30,
            },
        }
    }

    fn kind_is_used(&self, kind: usize) -> bool {
        let has = |phase| self.config.order.0.contains(&phase);
        // A thread waits for a CPU only if there are more threads than CPUs, or a foreign task can take one.
        let spare = self.cpus.saturating_sub(self.threads);
        let waits = self.threads > self.cpus || self.kernel_threads > spare;
        let two_pages = self.entries > memory::PER_PAGE;
        // A lock that is never dropped stops the second call, and with it everything else.
        let stuck = has(Phase::TakeLock) && !has(Phase::DropLock) && self.writes > 1;
        let somebody_else = self.cpus > 1 && (self.threads > 1 || waits);
        match KINDS[kind].name {
            "OutOfMemory" => self.failures > 0,
            "W6ShowSlots" | "CacheTranslation" => has(Phase::Show),
            "FlushRaiseGeneration" | "FlushSendIpi" | "AnswerFlush" | "UnlinkTables" | "W13Free" => {
                !stuck || self.failures > 0
            }
            "W9TakeLock" => has(Phase::TakeLock),
            "W11DropLock" => has(Phase::DropLock),
            "W12ClearEntry" => {
                let in_place = self.config.in_place && self.entries == 1;
                let undo = self.config.on_error == OnError::Unmap && two_pages && self.failures > 0;
                self.writes > 1 && (undo || has(Phase::Unmap) && !in_place && !stuck)
            }
            "ThreadExits" => !stuck || self.threads > 1,
            "SwitchTask" | "LoadPageTable" | "LeaveMm" => !stuck || self.threads > 1 || waits,
            "SwitchSetMask" => waits && self.config.mask != MaskBit::Never,
            "ReadGeneration" => waits,
            "AnswerReload" => self.config.own_cpu || somebody_else,
            "ReadLdtPointer" | "LoadLdtr" => self.config.own_cpu || somebody_else || waits,
            _ => true,
        }
    }

    fn canonical(&self, state: &State) -> State {
        self.smallest_renaming(state)
    }
    const HAS_SYMMETRY: bool = true;

    fn lanes(&self) -> Vec<String> {
        (0..self.cpus)
            .map(|cpu| format!("CPU {cpu}"))
            .chain((0..self.threads).map(|thread| format!("thread {thread}")))
            .collect()
    }

    fn lane(&self, _state: &State, step: Step) -> usize {
        match step {
            Step::Cpu(cpu, _) => cpu as usize,
            Step::Thread(id, _) => self.cpus as usize + id as usize,
        }
    }

    fn describe(&self, state: &State, step: Step) -> String {
        view::describe(self, state, step)
    }

    fn view(&self, state: &State) -> Vec<Panel> {
        view::view(self, state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(config: Config) -> Ldt {
        Ldt { config, cpus: 2, threads: 2, callers: 1, kernel_threads: 1, entries: 1, writes: 2, failures: 0 }
    }

    /// Thread 0 goes on with the first thing that it can do, and every CPU answers at once, until the call is over.
    fn call(machine: &Ldt, mut state: State) -> State {
        let is_cpus = |step: &Step| matches!(step, Step::Cpu(_, CpuStep::Go(_) | CpuStep::Answer(_)));
        let is_threads =
            |step: &Step| matches!(step, Step::Thread(ThreadId::T0, action) if *action != Action::OutOfMemory);
        let begin = Step::Thread(ThreadId::T0, Action::W1TakeUsrSem { entry: 0 });
        state = machine.step(&state, begin).expect("a call can begin");
        while state.threads[0].pc != Pc::User {
            let mut steps = Vec::new();
            machine.steps(&state, &mut steps);
            let next = |wanted: &dyn Fn(&Step) -> bool| {
                steps.iter().filter(|step| wanted(step)).find_map(|step| machine.step(&state, *step))
            };
            state = next(&is_cpus).or_else(|| next(&is_threads)).expect("the call goes on");
        }
        state
    }

    #[test]
    fn a_second_call_uses_the_other_slot_and_empties_the_first() {
        let machine = machine(variants::MAINLINE);
        let once = call(&machine, machine.initial_states()[0]);
        assert_eq!(once.cpus.map(|cpu| cpu.ldtr.map(|ldtr| ldtr.slot)), [Some(Slot::S0), Some(Slot::S0), None]);
        let twice = call(&machine, once);
        assert_eq!(twice.cpus.map(|cpu| cpu.ldtr.map(|ldtr| ldtr.slot)), [Some(Slot::S1), Some(Slot::S1), None]);
        assert_eq!(twice.mm.entries, Translations::NONE.with(Slot::S1, 0, Some(Page::P1)));
        assert_eq!(twice.memory.ldts.map(|ldt| ldt.alive), [false, true, false]);
        assert_eq!(twice.now, Image::NONE.with(0, 2));
    }

    #[test]
    fn the_form_of_2017_leaves_the_first_slot_mapped() {
        let machine = machine(variants::POSTED);
        let twice = call(&machine, call(&machine, machine.initial_states()[0]));
        assert_eq!(twice.mm.entries.get(Slot::S0, 0), Some(Page::P0));
        assert_eq!(twice.memory.frame(Page::P0), memory::Frame::FREE);
    }

    #[test]
    fn renaming_cpus_and_threads_changes_nothing() {
        let machine = Ldt { callers: 2, ..machine(variants::MAINLINE) };
        let start = machine.initial_states()[0];
        let by = |id, cpu| {
            let called = machine.step(&start, Step::Thread(id, Action::W1TakeUsrSem { entry: 0 })).expect("can call");
            machine.step(&called, Step::Cpu(cpu, CpuStep::SwitchToLazy)).expect("can switch")
        };
        assert_ne!(by(ThreadId::T0, 0), by(ThreadId::T1, 1));
        assert_eq!(machine.canonical(&by(ThreadId::T0, 0)), machine.canonical(&by(ThreadId::T1, 1)));
        assert_ne!(machine.canonical(&by(ThreadId::T0, 0)), machine.canonical(&by(ThreadId::T0, 1)));
    }
}
