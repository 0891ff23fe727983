//! Kani proofs for `models::ldt`: the LDT in its two slots, in the form of mainline, is right after any number of calls.
//!
//! # How the proofs together give the properties
//!
//! `Ldt::invariant` holds at the start (`the_invariant_holds_initially`), every step keeps it (`..._keep_it` and
//! `..._keeps_it`, one proof for each part of the code), and every property of the machine follows from it
//! (`it_implies_...`). By induction over the steps the properties hold after any number of steps. The search looks at
//! reachable states only; these proofs start from every state that satisfies the invariant, and the search checks that
//! every state that it reaches does. `clear_asid` is about the machine of that name. No proof is about `LdtFork`.
//!
//! # Twins
//!
//! `..._is_found`: a run of a version with a bug that ends in a broken property, and one that does not.
//!
//! # Bounds
//!
//! 2 CPUs, 2 threads of which 1 calls, LDTs of up to 2 entries, and so 3 pages; 6 calls that succeed, any number that fail
//! for lack of memory. The number of a call is its descriptor, and 6 is as far as that goes; the invariant says nothing
//! else about it. Loops run over CPUs, threads, LDTs, pages and entries (4 at most) and over the 16 parts of
//! `write_ldt()`; so `unwind` is 18. Stubs: none. Assumptions: the `assume`s and `any_where`s below.

mod clear_asid;

use models::ldt::memory::{
    Content, Frame, Image, LdtId, LdtStruct, Memory, Mm, Page, Slot, Translations, Use, MAX_SIZE,
};
use models::ldt::properties::{
    consistent_descriptor, foreign_ldtr_is_clear, generation_is_right, installed_ldt_alive, installed_slot_is_valid,
    lazy_flag_is_right, ldt_is_mapped, ldt_is_what_was_asked_for, locks_are_released, mapping_starts_clean,
    mask_follows_loaded_mm, no_dangling_pointer, no_freed_ldt_access, no_leak, no_mapped_free_page,
    page_table_outlives_its_users, slot_in_use_untouched, slot_serves_its_ldt, synchronous, thread_has_its_page_table,
    user_holds_reference,
};
use models::ldt::{
    Action, Config, Cpu, CpuGo, CpuPc, CpuSet, CpuStep, Flush, Ipi, Ldt, Ldtr, Order, Pc, State, Step, Task, Thread,
    ThreadId, Work, MAINLINE,
};
use models::machine::{Machine, Size};

/// A version with 2 CPUs, 2 threads of which 1 calls, 1 CPU that may run something else, 2 entries, 6 calls, and
/// 3 allocations that fail although there is memory.
fn machine(config: Config) -> Ldt {
    Ldt::new(config, Size::of([2, 2, 1, 1, 2, 6, 3, 0]))
}

fn mainline() -> Ldt {
    machine(MAINLINE)
}

// -- Any value of a kind.

/// Any state that satisfies the invariant.
fn any_good_state(m: &Ldt) -> State {
    let state = any_state(m);
    kani::assume(m.invariant(&state)); // hypothesis
    state
}

/// Any state of this size.
#[cfg(kani)]
fn any_state(_: &Ldt) -> State {
    any_fields()
}

/// Random states hardly ever satisfy the invariant, so it is helped. A state that satisfies it is left as it is (a test
/// of the model says so), so that each can be drawn.
#[cfg(not(kani))]
fn any_state(m: &Ldt) -> State {
    m.repaired(any_fields())
}

/// Any value of every field. The CPU and the thread that a machine of this size does not have are as the invariant
/// wants them.
fn any_fields() -> State {
    State {
        cpus: [any_cpu(), any_cpu(), Cpu::FOREIGN],
        threads: [any_thread(), any_thread(), Thread { pc: Pc::Gone, ..Thread::USER }],
        memory: Memory {
            frames: [any_frame(), any_frame(), any_frame(), any_frame()],
            ldts: [any_ldt(), any_ldt(), any_ldt()],
        },
        mm: Mm {
            ldt: any_id(),
            entries: any_translations(),
            tables: any_below(16),
            upper: kani::any(),
            visible: kani::any(),
        },
        mask: CpuSet(any_below(8)),
        usr_sem: any_holder(),
        lock: any_holder(),
        table_lock: any_holder(),
        calls: any_below(7),
        failures: any_below(4),
        now: any_image(),
        before: any_image(),
    }
}

fn any_below(end: u8) -> u8 {
    kani::any_where(|value: &u8| *value < end) // domain: the values that the field can take
}

/// One of 4, each as often where values are drawn.
fn any_of_4() -> u8 {
    u8::from(kani::any::<bool>()) | u8::from(kani::any::<bool>()) << 1
}

/// One of 64, likewise.
fn any_of_64() -> u8 {
    any_of_4() | any_of_4() << 2 | any_of_4() << 4
}

fn any_id() -> Option<LdtId> {
    match any_of_4() {
        0 => None,
        1 => Some(LdtId::L0),
        2 => Some(LdtId::L1),
        _ => Some(LdtId::L2),
    }
}

fn any_thread_id() -> ThreadId {
    if kani::any() {
        ThreadId::T0
    } else {
        ThreadId::T1
    }
}

fn any_holder() -> Option<ThreadId> {
    match any_of_4() {
        0 => Some(ThreadId::T0),
        1 => Some(ThreadId::T1),
        2 => Some(ThreadId::T2),
        _ => None,
    }
}

fn any_slot() -> Option<Slot> {
    match any_of_4() {
        0 => Some(Slot::S0),
        1 => Some(Slot::S1),
        _ => None,
    }
}

fn any_number_of_page() -> Page {
    match any_of_4() {
        0 => Page::P0,
        1 => Page::P1,
        2 => Page::P2,
        _ => Page::P3,
    }
}

fn any_page() -> Option<Page> {
    if kani::any() {
        Some(any_number_of_page())
    } else {
        None
    }
}

fn any_translations() -> Translations {
    Translations::NONE.with(Slot::S0, 0, any_page()).with(Slot::S0, 1, any_page()).with(Slot::S1, 0, any_page()).with(
        Slot::S1,
        1,
        any_page(),
    )
}

/// Any LDT of up to 2 entries.
fn any_image() -> Image {
    let (first, second) = (any_below(8), any_below(8));
    match any_of_4() {
        0 => Image::NONE,
        1 => Image::NONE.with(0, first),
        _ => Image::NONE.with(0, first).with(1, second),
    }
}

fn any_frame() -> Frame {
    Frame {
        used_by: if kani::any() { Use::Free } else { Use::Ldt },
        content: Content::ZEROES.with(0, any_below(8)).with(1, any_below(8)),
    }
}

fn any_ldt() -> LdtStruct {
    LdtStruct {
        alive: kani::any(),
        pages: [any_page(), any_page()],
        entries: any_of_4(),
        size: any_of_4(),
        slot: any_slot(),
    }
}

fn any_ipi() -> Option<Ipi> {
    match any_of_4() {
        0 => Some(Ipi::Reload(any_thread_id())),
        1 => Some(Ipi::Flush(any_thread_id())),
        2 => Some(Ipi::Unrelated),
        _ => None,
    }
}

fn any_cpu() -> Cpu {
    Cpu {
        task: match any_of_4() {
            0 => Task::Borrower,
            1 => Task::Foreign,
            _ => Task::Thread(any_thread_id()),
        },
        active: kani::any(),
        page_table: kani::any(),
        loaded: kani::any(),
        lazy: kani::any(),
        behind: any_of_4(),
        ldtr: any_slot().map(|slot| Ldtr { slot, entries: any_of_4() }),
        tlb: any_translations(),
        pc: any_cpu_pc(),
        ldt: any_id(),
        answering: any_ipi(),
    }
}

fn any_cpu_pc() -> CpuPc {
    match any_of_64() % 16 {
        0 => CpuPc::CatchUp,
        1 => CpuPc::SetMask,
        2 => CpuPc::ReadGeneration,
        3 => CpuPc::LoadPageTable { flush: kani::any() },
        4 => CpuPc::ReadLdt,
        5 => CpuPc::LoadLdtr,
        6 => CpuPc::ClearMask,
        7 => CpuPc::LeavePageTable,
        8 => CpuPc::ClearLdtr,
        _ => CpuPc::Run,
    }
}

fn any_work() -> Work {
    match any_of_4() {
        0 => Work::Undo,
        1 => Work::Unmap,
        _ => Work::Map,
    }
}

fn any_flush() -> Flush {
    match any_of_4() {
        0 => Flush::Mapped,
        1 => Flush::Unmapped,
        2 => Flush::Undone,
        _ => Flush::Exit,
    }
}

fn any_pc() -> Pc {
    match any_of_64() {
        0 => Pc::ReadOld,
        1 => Pc::AllocateStruct,
        2 => Pc::AllocatePage,
        3 => Pc::Copy,
        4 => Pc::Edit,
        5 => Pc::EditInPlace,
        6 => Pc::LockEntry(any_work()),
        7 => Pc::WriteEntry(any_work()),
        8 => Pc::UnlockEntry(any_work()),
        9 => Pc::Show,
        10 => Pc::FlushBegin(any_flush()),
        11 => Pc::FlushSend(any_flush()),
        12 | 28 => Pc::FlushWait(any_flush()),
        13 => Pc::SetSlot,
        14 => Pc::TakeLock,
        15 => Pc::Publish,
        16 => Pc::SendIpi,
        17 | 29 => Pc::WaitIpi,
        18 => Pc::DropLock,
        19 => Pc::FreePages,
        20 => Pc::FreeStruct,
        21 => Pc::Release,
        22 => Pc::UnlinkTables,
        23 => Pc::ErrorFreePages,
        24 => Pc::ErrorFreeStruct,
        25 => Pc::ExitUnlink,
        26 => Pc::ExitFreePages,
        27 => Pc::ExitFreeStruct,
        30 | 31 => Pc::Gone,
        _ => Pc::User,
    }
}

fn any_thread() -> Thread {
    Thread {
        pc: any_pc(),
        entry: any_of_4(),
        descriptor: any_below(8),
        old: any_id(),
        new: any_id(),
        slot: any_slot(),
        index: any_of_4(),
        reload: CpuSet(any_of_4()),
        flush: CpuSet(any_of_4()),
    }
}

/// The state behind an action of any thread. The number of the thread is a constant, so that Kani need not look at every
/// element of an array.
fn any_thread_does(m: &Ldt, s: &State, action: Action) -> Option<(Thread, State)> {
    if kani::any() {
        m.step(s, Step::Thread(ThreadId::T0, action)).map(|after| (s.threads[0], after))
    } else {
        m.step(s, Step::Thread(ThreadId::T1, action)).map(|after| (s.threads[1], after))
    }
}

/// The same for a step of any CPU.
fn any_cpu_does(m: &Ldt, s: &State, step: CpuStep) -> Option<(Cpu, Cpu, State)> {
    if kani::any() {
        m.step(s, Step::Cpu(0, step)).map(|after| (s.cpus[0], after.cpus[0], after))
    } else {
        m.step(s, Step::Cpu(1, step)).map(|after| (s.cpus[1], after.cpus[1], after))
    }
}

// -- It holds, and every step keeps it.

/// inductive-invariant: the base case. Nobody has an LDT.
#[kani::proof]
#[kani::unwind(18)] // the longest loop goes over the 16 parts of write_ldt()
fn the_invariant_holds_initially() {
    let m = mainline();
    let before = any_image();
    kani::cover!(before != Image::NONE, "whatever was before");
    assert!(m.invariant(&State { before, ..m.initial_state() }), "inductive-invariant");
}

/// inductive-invariant: a call up to the edit: W1 to W4, and allocations that fail.
#[kani::proof]
#[kani::unwind(18)] // the longest loop goes over the 16 parts of write_ldt()
fn making_an_ldt_keeps_it() {
    let m = mainline();
    let s = any_good_state(&m);
    let action = match any_below(7) {
        0 => Action::W1TakeUsrSem { entry: any_below(2) },
        1 => Action::W2ReadOld,
        2 => Action::W3AllocateStruct,
        3 => Action::W3AllocatePage(any_number_of_page()),
        4 => Action::OutOfMemory,
        5 => Action::W4CopyEntries,
        _ => Action::W4EditEntry,
    };
    let Some((before, after)) = any_thread_does(&m, &s, action) else { return };
    kani::cover!(matches!(action, Action::W1TakeUsrSem { .. }), "a call begins");
    kani::cover!(action == Action::W2ReadOld && s.mm.ldt.is_some(), "there is an LDT");
    kani::cover!(action == Action::W3AllocateStruct, "a struct");
    kani::cover!(matches!(action, Action::W3AllocatePage(_)), "a page");
    kani::cover!(action == Action::OutOfMemory && before.pc == Pc::AllocatePage, "no page");
    kani::cover!(action == Action::OutOfMemory && before.pc == Pc::LockEntry(Work::Map), "no page table");
    kani::cover!(action == Action::W4CopyEntries, "copy");
    kani::cover!(action == Action::W4EditEntry, "edit");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: the slots are written: W5, W6, and clearing in W12.
#[kani::proof]
#[kani::unwind(18)] // the longest loop goes over the 16 parts of write_ldt()
fn writing_a_slot_keeps_it() {
    let m = mainline();
    let s = any_good_state(&m);
    let action = match any_below(5) {
        0 => Action::LockPageTable,
        1 => Action::UnlockPageTable,
        2 => Action::W5MapEntry,
        3 => Action::W12ClearEntry,
        _ => Action::W6ShowSlots,
    };
    let Some((before, after)) = any_thread_does(&m, &s, action) else { return };
    kani::cover!(action == Action::LockPageTable && s.mm.tables == 0, "the first page table");
    kani::cover!(action == Action::UnlockPageTable, "unlock");
    kani::cover!(action == Action::W5MapEntry && s.mm.ldt.is_some(), "an entry is set while another LDT is in use");
    kani::cover!(action == Action::W12ClearEntry && before.index == 0, "an entry is cleared");
    kani::cover!(action == Action::W6ShowSlots, "the slots are shown");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: the new LDT is installed and the CPUs are told: W8 to W11.
#[kani::proof]
#[kani::unwind(18)] // the longest loop goes over the 16 parts of write_ldt()
fn installing_keeps_it() {
    let m = mainline();
    let s = any_good_state(&m);
    let action = match any_below(6) {
        0 => Action::W8SetSlot,
        1 => Action::W9TakeLock,
        2 => Action::W9Publish,
        3 => Action::W10SendIpi,
        4 => Action::AllCpusAnswered,
        _ => Action::W11DropLock,
    };
    let Some((before, after)) = any_thread_does(&m, &s, action) else { return };
    kani::cover!(action == Action::W8SetSlot, "the slot is stored");
    kani::cover!(action == Action::W9TakeLock, "lock");
    kani::cover!(action == Action::W9Publish && s.mm.ldt.is_some(), "an LDT is replaced");
    kani::cover!(action == Action::W9Publish && s.mm.ldt.is_none(), "it is the first");
    kani::cover!(action == Action::W10SendIpi && s.mask == CpuSet(3), "both CPUs are interrupted");
    kani::cover!(action == Action::AllCpusAnswered && before.pc == Pc::WaitIpi, "all have the new LDT");
    kani::cover!(action == Action::AllCpusAnswered && before.pc != Pc::WaitIpi, "all have flushed");
    kani::cover!(action == Action::W11DropLock, "unlock");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: the old LDT is flushed and freed, and the call or the process ends: W12 to W14, exit.
#[kani::proof]
#[kani::unwind(18)] // the longest loop goes over the 16 parts of write_ldt()
fn freeing_keeps_it() {
    let m = mainline();
    let s = any_good_state(&m);
    let action = match any_below(7) {
        0 => Action::FlushRaiseGeneration,
        1 => Action::FlushSendIpi,
        2 => Action::W13FreePages,
        3 => Action::W13FreeStruct,
        4 => Action::W14ReleaseUsrSem,
        5 => Action::UnlinkTables,
        _ => Action::Exit,
    };
    let Some((before, after)) = any_thread_does(&m, &s, action) else { return };
    kani::cover!(action == Action::FlushRaiseGeneration && after.cpus[0].behind == 2, "a CPU is behind by two");
    kani::cover!(action == Action::FlushSendIpi && s.cpus[0].lazy, "a CPU is lazy");
    kani::cover!(action == Action::W13FreePages && before.pc == Pc::FreePages, "pages");
    kani::cover!(action == Action::W13FreePages && before.pc == Pc::ErrorFreePages, "pages, on error");
    kani::cover!(action == Action::W13FreePages && before.pc == Pc::ExitFreePages, "pages, at exit");
    kani::cover!(action == Action::W13FreeStruct, "a struct");
    kani::cover!(action == Action::W14ReleaseUsrSem, "the call returns");
    kani::cover!(action == Action::UnlinkTables, "page tables");
    kani::cover!(action == Action::Exit, "a thread exits");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: a CPU begins to run something else, or caches a translation.
#[kani::proof]
#[kani::unwind(18)] // the longest loop goes over the 16 parts of write_ldt()
fn switching_keeps_it() {
    let m = mainline();
    let s = any_good_state(&m);
    let slot = if kani::any() { Slot::S0 } else { Slot::S1 };
    let step = match any_below(5) {
        0 => CpuStep::SwitchToThread(any_thread_id()),
        1 => CpuStep::SwitchToLazy,
        2 => CpuStep::SwitchToOther,
        3 => CpuStep::LeaveEarly,
        _ => CpuStep::Cache(slot, any_below(MAX_SIZE as u8)),
    };
    let Some((before, after_it, after)) = any_cpu_does(&m, &s, step) else { return };
    kani::cover!(after_it.pc == CpuPc::CatchUp && before.behind > 0, "back from lazy, and behind");
    kani::cover!(after_it.pc == CpuPc::SetMask && before.tlb != Translations::NONE, "a thread, with old translations");
    kani::cover!(step == CpuStep::SwitchToLazy && before.behind > 0, "lazy, and behind");
    kani::cover!(step == CpuStep::SwitchToOther && after_it.pc == CpuPc::ClearMask, "another process");
    kani::cover!(matches!(step, CpuStep::Cache(..)) && before.task.is_thread(), "a translation");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: a CPU goes on with what it does with interrupts off.
#[kani::proof]
#[kani::unwind(18)] // the longest loop goes over the 16 parts of write_ldt()
fn a_sequence_keeps_it() {
    let m = mainline();
    let s = any_good_state(&m);
    let go = match any_below(9) {
        0 => CpuGo::CatchUp,
        1 => CpuGo::SetMask,
        2 => CpuGo::ReadGeneration,
        3 => CpuGo::LoadPageTable,
        4 => CpuGo::ReadLdt,
        5 => CpuGo::LoadLdtr,
        6 => CpuGo::ClearMask,
        7 => CpuGo::LeavePageTable,
        _ => CpuGo::ClearLdtr,
    };
    let Some((before, after_it, after)) = any_cpu_does(&m, &s, CpuStep::Go(go)) else { return };
    kani::cover!(go == CpuGo::CatchUp && before.behind > 0, "catches up");
    kani::cover!(go == CpuGo::SetMask, "sets its bit");
    kani::cover!(go == CpuGo::ReadGeneration && before.behind > 0, "sees that it is behind");
    kani::cover!(go == CpuGo::LoadPageTable && before.tlb != after_it.tlb, "flushes");
    kani::cover!(go == CpuGo::ReadLdt && before.answering.is_some(), "reads the pointer in the handler");
    kani::cover!(go == CpuGo::LoadLdtr && before.ldt != s.mm.ldt, "loads the LDT before");
    kani::cover!(go == CpuGo::LoadLdtr && before.ldt == s.mm.ldt, "loads the installed LDT");
    kani::cover!(go == CpuGo::ClearMask, "clears its bit");
    kani::cover!(go == CpuGo::LeavePageTable, "loads another page table");
    kani::cover!(go == CpuGo::ClearLdtr && before.ldtr.is_some(), "clears LDTR");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: a CPU takes an interrupt.
#[kani::proof]
#[kani::unwind(18)] // the longest loop goes over the 16 parts of write_ldt()
fn an_interrupt_keeps_it() {
    let m = mainline();
    let s = any_good_state(&m);
    let from = any_thread_id();
    let is_reload: bool = kani::any();
    let ipi = if is_reload { Ipi::Reload(from) } else { Ipi::Flush(from) };
    let Some((before, after_it, after)) = any_cpu_does(&m, &s, CpuStep::Answer(ipi)) else { return };
    kani::cover!(is_reload && before.loaded, "W10, of a CPU with the address space");
    kani::cover!(is_reload && !before.loaded, "W10, of a CPU that has left it");
    kani::cover!(!is_reload && before.lazy, "a flush, of a lazy CPU");
    kani::cover!(!is_reload && before.tlb != after_it.tlb, "a flush that drops translations");
    kani::cover!(!is_reload && !before.loaded, "a flush, of a CPU that has left");
    assert!(m.invariant(&after), "inductive-invariant");
}

// -- It implies the properties.

/// no-freed-ldt-access, no-mapped-free-page, installed-ldt-alive, no-dangling-pointer, no-leak: from the invariant.
#[kani::proof]
#[kani::unwind(18)] // the longest loop goes over the 16 parts of write_ldt()
fn it_implies_that_memory_is_safe() {
    let m = mainline();
    let s = any_good_state(&m);
    kani::cover!(s.cpus[0].task.is_thread() && s.cpus[0].ldtr.is_some(), "a thread uses an LDT");
    kani::cover!(s.threads[0].pc == Pc::FreeStruct, "pages were freed");
    kani::cover!(s.cpus[0].lazy && s.cpus[0].tlb != s.mm.entries, "a lazy CPU has old translations");
    assert!(no_freed_ldt_access(&m, &s), "no-freed-ldt-access");
    assert!(no_mapped_free_page(&m, &s), "no-mapped-free-page");
    assert!(installed_ldt_alive(&m, &s), "installed-ldt-alive");
    assert!(no_dangling_pointer(&m, &s), "no-dangling-pointer");
    assert!(no_leak(&m, &s), "no-leak");
}

/// slot-in-use-untouched, ldt-is-mapped, installed-slot-is-valid, mapping-starts-clean, slot-serves-its-ldt: from the invariant.
#[kani::proof]
#[kani::unwind(18)] // the longest loop goes over the 16 parts of write_ldt()
fn it_implies_that_slots_are_used_right() {
    let m = mainline();
    let s = any_good_state(&m);
    kani::cover!(s.threads[0].pc == Pc::WriteEntry(Work::Map) && s.mm.ldt.is_some(), "a slot is filled");
    kani::cover!(s.threads[0].pc == Pc::WriteEntry(Work::Unmap), "a slot is emptied");
    kani::cover!(s.threads[0].pc == Pc::LockEntry(Work::Map) && s.mm.ldt.is_none(), "the first is to be mapped");
    assert!(slot_in_use_untouched(&m, &s), "slot-in-use-untouched");
    assert!(ldt_is_mapped(&m, &s), "ldt-is-mapped");
    assert!(installed_slot_is_valid(&m, &s), "installed-slot-is-valid");
    assert!(mapping_starts_clean(&m, &s), "mapping-starts-clean");
    assert!(slot_serves_its_ldt(&m, &s), "slot-serves-its-ldt");
}

/// consistent-descriptor, synchronous, ldt-is-what-was-asked-for: from the invariant.
#[kani::proof]
#[kani::unwind(18)] // the longest loop goes over the 16 parts of write_ldt()
fn it_implies_that_the_right_ldt_is_seen() {
    let m = mainline();
    let s = any_good_state(&m);
    let is_thread = s.cpus[0].task.is_thread() && s.cpus[0].pc == CpuPc::Run;
    kani::cover!(
        is_thread && s.threads[0].pc == Pc::WaitIpi && s.threads[0].reload.has(0),
        "a CPU has not answered yet"
    );
    kani::cover!(is_thread && s.now != Image::NONE && s.threads[0].pc == Pc::User, "a call has returned");
    assert!(consistent_descriptor(&m, &s), "consistent-descriptor");
    assert!(synchronous(&m, &s), "synchronous");
    assert!(ldt_is_what_was_asked_for(&m, &s), "ldt-is-what-was-asked-for");
}

/// foreign-ldtr-is-clear, mask-follows-loaded-mm, lazy-flag-is-right, generation-is-right, thread-has-its-page-table: from the invariant.
#[kani::proof]
#[kani::unwind(18)] // the longest loop goes over the 16 parts of write_ldt()
fn it_implies_that_cpus_agree_with_the_kernel() {
    let m = mainline();
    let s = any_good_state(&m);
    kani::cover!(!s.cpus[0].page_table && s.mm.ldt.is_some(), "a CPU without the page table");
    kani::cover!(s.cpus[0].lazy, "a lazy CPU");
    kani::cover!(s.cpus[0].behind == 1 && s.cpus[0].task.is_thread(), "a thread's CPU is behind");
    assert!(foreign_ldtr_is_clear(&m, &s), "foreign-ldtr-is-clear");
    assert!(mask_follows_loaded_mm(&m, &s), "mask-follows-loaded-mm");
    assert!(lazy_flag_is_right(&m, &s), "lazy-flag-is-right");
    assert!(generation_is_right(&m, &s), "generation-is-right");
    assert!(thread_has_its_page_table(&m, &s), "thread-has-its-page-table");
}

/// user-holds-reference, page-table-outlives-its-users, locks-are-released: from the invariant.
#[kani::proof]
#[kani::unwind(18)] // the longest loop goes over the 16 parts of write_ldt()
fn it_implies_that_nothing_ends_too_early() {
    let m = mainline();
    let s = any_good_state(&m);
    kani::cover!(s.threads[0].pc == Pc::ExitFreePages, "the page tables are gone");
    kani::cover!(s.threads[0].pc == Pc::ErrorFreePages && s.cpus[0].page_table, "page tables were taken out");
    kani::cover!(s.lock.is_some(), "context.lock is held");
    assert!(user_holds_reference(&m, &s), "user-holds-reference");
    assert!(page_table_outlives_its_users(&m, &s), "page-table-outlives-its-users");
    assert!(locks_are_released(&m, &s), "locks-are-released");
}

// -- Twins.

/// lazy-flag-is-right: a CPU that lends the address space to a kernel thread does not say so.
#[kani::proof]
#[kani::unwind(18)] // the longest loop goes over the 16 parts of write_ldt()
fn lazy_flag_not_set_is_found() {
    let m = machine(Config { enters_lazy: false, ..MAINLINE });
    let leaves: bool = kani::any();
    let step = if leaves { CpuStep::SwitchToOther } else { CpuStep::SwitchToLazy };
    let s = m.step(&m.initial_state(), Step::Cpu(0, step)).expect("is possible");
    kani::cover!(leaves, "to another process");
    kani::cover!(!leaves, "to a kernel thread");
    assert!(lazy_flag_is_right(&m, &s) == leaves, "lazy-flag-is-right");
}

/// installed-slot-is-valid: the slot is stored after the LDT is installed, and a CPU may look in between.
#[kani::proof]
#[kani::unwind(18)] // the longest loop goes over the 16 parts of write_ldt()
fn slot_after_publish_is_found() {
    let m = machine(Config { order: Order::SLOT_AFTER_PUBLISH, ..MAINLINE });
    let actions = [
        Action::W1TakeUsrSem { entry: 0 },
        Action::W2ReadOld,
        Action::W3AllocateStruct,
        Action::W3AllocatePage(Page::P0),
        Action::W4EditEntry,
        Action::LockPageTable,
        Action::W5MapEntry,
        Action::UnlockPageTable,
        Action::W6ShowSlots,
        Action::W9TakeLock,
        Action::W9Publish,
    ];
    let mut s = m.initial_state();
    for action in actions {
        s = m.step(&s, Step::Thread(ThreadId::T0, action)).expect("is possible");
    }
    let late: bool = kani::any();
    if late {
        s = m.step(&s, Step::Thread(ThreadId::T0, Action::W8SetSlot)).expect("is possible");
    }
    kani::cover!(late, "the slot is stored by now");
    kani::cover!(!late, "the slot is not stored yet");
    assert!(installed_slot_is_valid(&m, &s) == late, "installed-slot-is-valid");
}
