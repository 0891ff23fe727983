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

use models::ldt::memory::{Content, Frame, Image, LdtId, LdtStruct, Memory, Mm, Page, Slot, Translations, Use};
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

#[cfg(not(kani))]
use crate::samples::{near, possible_step, Samples, Source};

/// A version with 2 CPUs, 2 threads of which 1 calls, 1 CPU that may run something else, 2 entries, 6 calls, and
/// 3 allocations that fail although there is memory.
fn machine(config: Config) -> Ldt {
    Ldt::new(config, Size::of([2, 2, 1, 1, 2, 6, 3, 0]))
}

fn mainline() -> Ldt {
    machine(MAINLINE)
}

// -- Any value of a kind. Every number is chosen below a bound, so that Kani and the tests share the making.

/// Any number below `end`.
fn any_below(end: u8) -> u8 {
    kani::any_where(|value: &u8| *value < end) // domain: the values that the field can take
}

/// Any state of this size.
fn any_state() -> State {
    #[cfg(not(kani))]
    return sampled();
    #[cfg(kani)]
    state(&mut any_below)
}

/// Any state that satisfies the invariant.
fn any_good_state(m: &Ldt) -> State {
    let state = any_state();
    kani::assume(m.invariant(&state)); // hypothesis
    state
}

/// Any value of every field. The CPU and the thread that a machine of this size does not have are as the invariant
/// wants them.
fn state<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> State {
    State {
        cpus: [cpu(choose), cpu(choose), Cpu::FOREIGN],
        threads: [thread(choose), thread(choose), Thread { pc: Pc::Gone, ..Thread::USER }],
        memory: Memory {
            frames: [frame(choose), frame(choose), frame(choose), frame(choose)],
            ldts: [ldt(choose), ldt(choose), ldt(choose)],
        },
        mm: Mm {
            ldt: id(choose),
            entries: translations(choose),
            tables: choose(16),
            upper: choose(2) == 1,
            visible: choose(2) == 1,
        },
        mask: CpuSet(choose(8)),
        usr_sem: holder(choose),
        lock: holder(choose),
        table_lock: holder(choose),
        calls: choose(7),
        failures: choose(4),
        now: image(choose),
        before: image(choose),
    }
}

fn id<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Option<LdtId> {
    match choose(4) {
        0 => None,
        1 => Some(LdtId::L0),
        2 => Some(LdtId::L1),
        _ => Some(LdtId::L2),
    }
}

fn thread_id<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> ThreadId {
    if choose(2) == 0 {
        ThreadId::T0
    } else {
        ThreadId::T1
    }
}

fn holder<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Option<ThreadId> {
    match choose(4) {
        0 => Some(ThreadId::T0),
        1 => Some(ThreadId::T1),
        2 => Some(ThreadId::T2),
        _ => None,
    }
}

fn slot<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Option<Slot> {
    match choose(3) {
        0 => Some(Slot::S0),
        1 => Some(Slot::S1),
        _ => None,
    }
}

fn page<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Option<Page> {
    match choose(5) {
        0 => Some(Page::P0),
        1 => Some(Page::P1),
        2 => Some(Page::P2),
        3 => Some(Page::P3),
        _ => None,
    }
}

fn translations<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Translations {
    Translations::NONE
        .with(Slot::S0, 0, page(choose))
        .with(Slot::S0, 1, page(choose))
        .with(Slot::S1, 0, page(choose))
        .with(Slot::S1, 1, page(choose))
}

/// Any LDT of up to 2 entries.
fn image<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Image {
    let (first, second) = (choose(8), choose(8));
    match choose(3) {
        0 => Image::NONE,
        1 => Image::NONE.with(0, first),
        _ => Image::NONE.with(0, first).with(1, second),
    }
}

fn frame<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Frame {
    Frame {
        used_by: if choose(2) == 0 { Use::Free } else { Use::Ldt },
        content: Content::ZEROES.with(0, choose(8)).with(1, choose(8)),
    }
}

fn ldt<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> LdtStruct {
    LdtStruct {
        alive: choose(2) == 1,
        pages: [page(choose), page(choose)],
        entries: choose(4),
        size: choose(4),
        slot: slot(choose),
    }
}

fn ipi<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Option<Ipi> {
    match choose(4) {
        0 => Some(Ipi::Reload(thread_id(choose))),
        1 => Some(Ipi::Flush(thread_id(choose))),
        2 => Some(Ipi::Unrelated),
        _ => None,
    }
}

fn cpu<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Cpu {
    Cpu {
        task: match choose(3) {
            0 => Task::Borrower,
            1 => Task::Foreign,
            _ => Task::Thread(thread_id(choose)),
        },
        active: choose(2) == 1,
        page_table: choose(2) == 1,
        loaded: choose(2) == 1,
        lazy: choose(2) == 1,
        behind: choose(4),
        ldtr: slot(choose).map(|slot| Ldtr { slot, entries: choose(4) }),
        tlb: translations(choose),
        pc: cpu_pc(choose),
        ldt: id(choose),
        answering: ipi(choose),
    }
}

fn cpu_pc<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> CpuPc {
    match choose(10) {
        0 => CpuPc::CatchUp,
        1 => CpuPc::SetMask,
        2 => CpuPc::ReadGeneration,
        3 => CpuPc::LoadPageTable { flush: choose(2) == 1 },
        4 => CpuPc::ReadLdt,
        5 => CpuPc::LoadLdtr,
        6 => CpuPc::ClearMask,
        7 => CpuPc::LeavePageTable,
        8 => CpuPc::ClearLdtr,
        _ => CpuPc::Run,
    }
}

fn work<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Work {
    match choose(3) {
        0 => Work::Undo,
        1 => Work::Unmap,
        _ => Work::Map,
    }
}

fn flush<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Flush {
    match choose(4) {
        0 => Flush::Mapped,
        1 => Flush::Unmapped,
        2 => Flush::Undone,
        _ => Flush::Exit,
    }
}

fn pc<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Pc {
    match choose(30) {
        0 => Pc::ReadOld,
        1 => Pc::AllocateStruct,
        2 => Pc::AllocatePage,
        3 => Pc::Copy,
        4 => Pc::Edit,
        5 => Pc::EditInPlace,
        6 => Pc::LockEntry(work(choose)),
        7 => Pc::WriteEntry(work(choose)),
        8 => Pc::UnlockEntry(work(choose)),
        9 => Pc::Show,
        10 => Pc::FlushBegin(flush(choose)),
        11 => Pc::FlushSend(flush(choose)),
        12 => Pc::FlushWait(flush(choose)),
        13 => Pc::SetSlot,
        14 => Pc::TakeLock,
        15 => Pc::Publish,
        16 => Pc::SendIpi,
        17 => Pc::WaitIpi,
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
        28 => Pc::Gone,
        _ => Pc::User,
    }
}

fn thread<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Thread {
    Thread {
        pc: pc(choose),
        entry: choose(4),
        descriptor: choose(8),
        old: id(choose),
        new: id(choose),
        slot: slot(choose),
        index: choose(4),
        reload: CpuSet(choose(4)),
        flush: CpuSet(choose(4)),
    }
}

/// Any thread does any of these: what it does, the thread before, and the state after.
fn any_thread_does(m: &Ldt, s: &State, actions: &[Action]) -> Option<(Action, Thread, State)> {
    #[cfg(not(kani))]
    return match possible_step(m, s, |step| matches!(step, Step::Thread(_, action) if actions.contains(action))) {
        Step::Thread(id, action) => {
            m.step(s, Step::Thread(id, action)).map(|after| (action, s.threads[id as usize], after))
        }
        Step::Cpu(..) => None,
    };
    #[cfg(kani)]
    {
        let action = actions[any_below(actions.len() as u8) as usize];
        // The number of the thread is a constant, so that Kani need not look at every element of an array.
        if any_below(2) == 0 {
            m.step(s, Step::Thread(ThreadId::T0, action)).map(|after| (action, s.threads[0], after))
        } else {
            m.step(s, Step::Thread(ThreadId::T1, action)).map(|after| (action, s.threads[1], after))
        }
    }
}

/// Any CPU takes any of these steps: the step, the CPU before and after, and the state after.
fn any_cpu_does(m: &Ldt, s: &State, steps: &[CpuStep]) -> Option<(CpuStep, Cpu, Cpu, State)> {
    #[cfg(not(kani))]
    return match possible_step(m, s, |step| matches!(step, Step::Cpu(_, step) if steps.contains(step))) {
        Step::Cpu(cpu, step) => {
            m.step(s, Step::Cpu(cpu, step)).map(|after| (step, s.cpus[cpu as usize], after.cpus[cpu as usize], after))
        }
        Step::Thread(..) => None,
    };
    #[cfg(kani)]
    {
        let step = steps[any_below(steps.len() as u8) as usize];
        if any_below(2) == 0 {
            m.step(s, Step::Cpu(0, step)).map(|after| (step, s.cpus[0], after.cpus[0], after))
        } else {
            m.step(s, Step::Cpu(1, step)).map(|after| (step, s.cpus[1], after.cpus[1], after))
        }
    }
}

// -- It holds, and every step keeps it.

/// inductive-invariant: the base case. Nobody has an LDT.
#[kani::proof]
#[kani::unwind(18)] // the longest loop goes over the 16 parts of write_ldt()
fn the_invariant_holds_initially() {
    let m = mainline();
    let before = image(&mut any_below);
    kani::cover!(before != Image::NONE, "whatever was before");
    assert!(m.invariant(&State { before, ..m.initial_state() }), "inductive-invariant");
}

/// inductive-invariant: a call up to the edit: W1 to W4, and allocations that fail.
#[kani::proof]
#[kani::unwind(18)] // the longest loop goes over the 16 parts of write_ldt()
fn making_an_ldt_keeps_it() {
    let m = mainline();
    let s = any_good_state(&m);
    let actions = [
        Action::W1TakeUsrSem { entry: 0 },
        Action::W1TakeUsrSem { entry: 1 },
        Action::W2ReadOld,
        Action::W3AllocateStruct,
        Action::W3AllocatePage(Page::P0),
        Action::W3AllocatePage(Page::P1),
        Action::W3AllocatePage(Page::P2),
        Action::W3AllocatePage(Page::P3),
        Action::OutOfMemory,
        Action::W4CopyEntries,
        Action::W4EditEntry,
    ];
    let Some((action, before, after)) = any_thread_does(&m, &s, &actions) else { return };
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
    let actions = [
        Action::LockPageTable,
        Action::UnlockPageTable,
        Action::W5MapEntry,
        Action::W12ClearEntry,
        Action::W6ShowSlots,
    ];
    let Some((action, before, after)) = any_thread_does(&m, &s, &actions) else { return };
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
    let actions = [
        Action::W8SetSlot,
        Action::W9TakeLock,
        Action::W9Publish,
        Action::W10SendIpi,
        Action::AllCpusAnswered,
        Action::W11DropLock,
    ];
    let Some((action, before, after)) = any_thread_does(&m, &s, &actions) else { return };
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
    let actions = [
        Action::FlushRaiseGeneration,
        Action::FlushSendIpi,
        Action::W13FreePages,
        Action::W13FreeStruct,
        Action::W14ReleaseUsrSem,
        Action::UnlinkTables,
        Action::Exit,
    ];
    let Some((action, before, after)) = any_thread_does(&m, &s, &actions) else { return };
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
    let steps = [
        CpuStep::SwitchToThread(ThreadId::T0),
        CpuStep::SwitchToThread(ThreadId::T1),
        CpuStep::SwitchToLazy,
        CpuStep::SwitchToOther,
        CpuStep::LeaveEarly,
        CpuStep::Cache(Slot::S0, 0),
        CpuStep::Cache(Slot::S0, 1),
        CpuStep::Cache(Slot::S1, 0),
        CpuStep::Cache(Slot::S1, 1),
    ];
    let Some((step, before, after_it, after)) = any_cpu_does(&m, &s, &steps) else { return };
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
    let steps = [
        CpuStep::Go(CpuGo::CatchUp),
        CpuStep::Go(CpuGo::SetMask),
        CpuStep::Go(CpuGo::ReadGeneration),
        CpuStep::Go(CpuGo::LoadPageTable),
        CpuStep::Go(CpuGo::ReadLdt),
        CpuStep::Go(CpuGo::LoadLdtr),
        CpuStep::Go(CpuGo::ClearMask),
        CpuStep::Go(CpuGo::LeavePageTable),
        CpuStep::Go(CpuGo::ClearLdtr),
    ];
    let Some((step, before, after_it, after)) = any_cpu_does(&m, &s, &steps) else { return };
    kani::cover!(step == CpuStep::Go(CpuGo::CatchUp) && before.behind > 0, "catches up");
    kani::cover!(step == CpuStep::Go(CpuGo::SetMask), "sets its bit");
    kani::cover!(step == CpuStep::Go(CpuGo::ReadGeneration) && before.behind > 0, "sees that it is behind");
    kani::cover!(step == CpuStep::Go(CpuGo::LoadPageTable) && before.tlb != after_it.tlb, "flushes");
    kani::cover!(step == CpuStep::Go(CpuGo::ReadLdt) && before.answering.is_some(), "reads the pointer in the handler");
    kani::cover!(step == CpuStep::Go(CpuGo::LoadLdtr) && before.ldt != s.mm.ldt, "loads the LDT before");
    kani::cover!(step == CpuStep::Go(CpuGo::LoadLdtr) && before.ldt == s.mm.ldt, "loads the installed LDT");
    kani::cover!(step == CpuStep::Go(CpuGo::ClearMask), "clears its bit");
    kani::cover!(step == CpuStep::Go(CpuGo::LeavePageTable), "loads another page table");
    kani::cover!(step == CpuStep::Go(CpuGo::ClearLdtr) && before.ldtr.is_some(), "clears LDTR");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: a CPU takes an interrupt.
#[kani::proof]
#[kani::unwind(18)] // the longest loop goes over the 16 parts of write_ldt()
fn an_interrupt_keeps_it() {
    let m = mainline();
    let s = any_good_state(&m);
    let steps = [
        CpuStep::Answer(Ipi::Reload(ThreadId::T0)),
        CpuStep::Answer(Ipi::Reload(ThreadId::T1)),
        CpuStep::Answer(Ipi::Flush(ThreadId::T0)),
        CpuStep::Answer(Ipi::Flush(ThreadId::T1)),
    ];
    let Some((step, before, after_it, after)) = any_cpu_does(&m, &s, &steps) else { return };
    let is_reload = matches!(step, CpuStep::Answer(Ipi::Reload(_)));
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

// -- Without Kani.

/// The first state with those fields of the second for which the choice falls so.
#[cfg(not(kani))]
fn mix(a: &State, b: &State, take_b: &mut dyn FnMut() -> bool) -> State {
    let mut s = *a;
    macro_rules! take {
        ($($field:tt)*) => {
            if take_b() {
                s.$($field)* = b.$($field)*;
            }
        };
    }
    for cpu in 0..s.cpus.len() {
        take!(cpus[cpu]);
        take!(cpus[cpu].task);
        take!(cpus[cpu].behind);
        take!(cpus[cpu].ldtr);
        take!(cpus[cpu].tlb);
        take!(cpus[cpu].pc);
        take!(cpus[cpu].ldt);
        take!(cpus[cpu].answering);
    }
    for thread in 0..s.threads.len() {
        take!(threads[thread]);
        take!(threads[thread].pc);
        take!(threads[thread].entry);
        take!(threads[thread].descriptor);
        take!(threads[thread].old);
        take!(threads[thread].new);
        take!(threads[thread].slot);
        take!(threads[thread].index);
        take!(threads[thread].reload);
        take!(threads[thread].flush);
    }
    take!(memory);
    for frame in 0..s.memory.frames.len() {
        take!(memory.frames[frame]);
    }
    for ldt in 0..s.memory.ldts.len() {
        take!(memory.ldts[ldt]);
    }
    take!(mm);
    take!(mask);
    take!(usr_sem);
    take!(lock);
    take!(table_lock);
    take!(calls);
    take!(failures);
    take!(now);
    take!(before);
    // Parts that fit only together.
    if take_b() {
        (s.cpus, s.mask) = (b.cpus, b.mask);
    }
    if take_b() {
        (s.threads, s.memory, s.mm) = (b.threads, b.memory, b.mm);
        (s.usr_sem, s.lock, s.table_lock) = (b.usr_sem, b.lock, b.table_lock);
        (s.calls, s.now, s.before) = (b.calls, b.now, b.before);
    }
    s
}

/// A state with any values, half of the time with what the invariant determines filled in: without that it hardly ever
/// has a part that fits; with it no value is there that a state in the invariant cannot have.
#[cfg(not(kani))]
fn any(m: &Ldt, choose: &mut dyn FnMut(u8) -> u8) -> State {
    if choose(2) == 0 {
        state(choose)
    } else {
        m.repaired(state(choose))
    }
}

#[cfg(not(kani))]
fn source(m: &Ldt) -> Source<'_, Ldt> {
    Source { machine: m, any, mix, plain: |s| *s }
}

/// A sample, or something near one, or anything.
#[cfg(not(kani))]
fn sampled() -> State {
    static SAMPLES: std::sync::OnceLock<Samples<State>> = std::sync::OnceLock::new();
    let samples = SAMPLES.get_or_init(|| Samples::grow(&source(&mainline()), 40_000));
    if any_below(3) == 0 {
        mainline().repaired(state(&mut any_below))
    } else {
        near(samples, mix, || any(&mainline(), &mut any_below))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From states that are reached and states that are made.
    #[test]
    fn every_step_keeps_the_invariant() {
        crate::samples::steps_keep_the_invariant(&[("mainline", mainline())], source);
    }
}
