//! What must always hold, and the situations that must be reachable.
//!
//! The claims look at the state alone: at what a CPU would read through its registers, at what stands in memory and at
//! who points where. None of them asks which steps led there.

use super::memory::{Image, LdtId, Mm, Page, Slot, Use, MAX_SIZE, PER_PAGE};
use super::{Cpu, CpuPc, Ipi, Ldt, Pc, State, Task, Thread, ThreadId, Work};
use crate::machine::Property;

/// The CPU runs a thread of the process with interrupts on: user code may run before anything else happens.
fn runs_user_code(cpu: &Cpu) -> bool {
    cpu.task.is_thread() && cpu.pc == CpuPc::Run
}

/// The translation that the CPU uses for an entry of a slot: that in its TLB, or else that in the page table.
fn translate(mm: &Mm, cpu: &Cpu, slot: Slot, entry: u8) -> Option<Page> {
    match cpu.tlb.get(slot, entry) {
        None if cpu.page_table => mm.walk(slot, entry),
        cached => cached,
    }
}

fn every_entry(mut holds: impl FnMut(Slot, u8) -> bool) -> bool {
    let mut both = true;
    for slot in Slot::BOTH {
        for entry in 0..MAX_SIZE as u8 {
            both &= holds(slot, entry);
        }
    }
    both
}

/// For the page of each entry that the CPU would look up through LDTR: `holds(page)`.
fn every_use(state: &State, cpu: &Cpu, holds: impl Fn(Option<Page>) -> bool) -> bool {
    let page = |slot: Slot, entry: u8| translate(&state.mm, cpu, slot, entry / PER_PAGE);
    cpu.ldtr.is_none_or(|ldtr| (0..ldtr.entries).all(|entry| holds(page(ldtr.slot, entry))))
}

/// The LDT that user code on this CPU gets to see; `None` if an entry is not mapped.
fn seen_by(state: &State, cpu: &Cpu) -> Option<Image> {
    let Some(ldtr) = cpu.ldtr else { return Some(Image::NONE) };
    let mut image = Image::NONE;
    for entry in 0..ldtr.entries {
        let page = translate(&state.mm, cpu, ldtr.slot, entry / PER_PAGE)?;
        image = image.with(entry, state.memory.frame(page).content.get(entry % PER_PAGE));
    }
    Some(image)
}

/// `no-freed-ldt-access`.
pub fn no_freed_ldt_access(_: &Ldt, state: &State) -> bool {
    let uses = |cpu: &Cpu| every_use(state, cpu, |page| page.is_none_or(|page| state.memory.owned(page)));
    state.cpus.iter().all(|cpu| !runs_user_code(cpu) || uses(cpu))
}

/// `no-mapped-free-page`.
pub fn no_mapped_free_page(_: &Ldt, state: &State) -> bool {
    let owned = |page: Option<Page>| page.is_none_or(|page| state.memory.owned(page));
    let in_tables = every_entry(|slot, entry| owned(state.mm.walk(slot, entry)));
    let in_tlb = |cpu: &Cpu| every_entry(|slot, entry| owned(cpu.tlb.get(slot, entry)));
    in_tables && state.cpus.iter().all(|cpu| !runs_user_code(cpu) || in_tlb(cpu))
}

/// `installed-ldt-alive`.
pub fn installed_ldt_alive(_: &Ldt, state: &State) -> bool {
    state.mm.ldt.is_none_or(|ldt| {
        // The last step of exit frees the pages first and the struct after them.
        let exiting = state.threads.iter().any(|thread| thread.pc == Pc::ExitFreeStruct);
        let ldt = state.memory.ldt(ldt);
        let has_pages =
            (0..ldt.size).all(|index| ldt.pages[index as usize].is_some_and(|page| state.memory.owned(page)));
        ldt.alive && (exiting || has_pages)
    })
}

/// `no-dangling-pointer`.
pub fn no_dangling_pointer(_: &Ldt, state: &State) -> bool {
    let alive = |id: Option<LdtId>| id.is_none_or(|id| state.memory.ldt(id).alive);
    state.threads.iter().all(|thread| alive(thread.old) && alive(thread.new))
        && state.cpus.iter().all(|cpu| alive(cpu.ldt))
}

/// `no-leak`.
pub fn no_leak(_: &Ldt, state: &State) -> bool {
    let known =
        |id: LdtId| state.mm.ldt == Some(id) || state.threads.iter().any(|t| t.old == Some(id) || t.new == Some(id));
    let lost_struct = LdtId::ALL.into_iter().any(|id| state.memory.ldt(id).alive && !known(id));
    let lost_page = |page: Page| state.memory.frame(page).used_by == Use::Ldt && !state.memory.owned(page);
    !lost_struct && !Page::ALL.into_iter().any(lost_page)
}

/// `slot-in-use-untouched`.
pub fn slot_in_use_untouched(_: &Ldt, state: &State) -> bool {
    let writes_to = |slot: Slot| {
        state.threads.iter().any(|thread| matches!(thread.pc, Pc::WriteEntry(_)) && thread.slot == Some(slot))
    };
    let at_rest = |cpu: &Cpu| cpu.pc == CpuPc::Run;
    state.cpus.iter().all(|cpu| !at_rest(cpu) || cpu.ldtr.is_none_or(|ldtr| !writes_to(ldtr.slot)))
}

/// `ldt-is-mapped`.
pub fn ldt_is_mapped(_: &Ldt, state: &State) -> bool {
    state.cpus.iter().all(|cpu| !runs_user_code(cpu) || every_use(state, cpu, |page| page.is_some()))
}

/// `consistent-descriptor`.
pub fn consistent_descriptor(_: &Ldt, state: &State) -> bool {
    state.cpus.iter().all(|cpu| {
        let seen = seen_by(state, cpu);
        !runs_user_code(cpu) || seen.is_none_or(|image| image == state.now || image == state.before)
    })
}

/// `synchronous`.
pub fn synchronous(_: &Ldt, state: &State) -> bool {
    // Descriptors are unique, so this thread's call is in effect, and it has not returned.
    let is_announcing =
        |thread: &Thread| thread.descriptor != 0 && state.now.descriptor(thread.entry) == thread.descriptor;
    let sees_now = |cpu: &Cpu| seen_by(state, cpu).is_none_or(|image| image == state.now);
    state.threads.iter().any(is_announcing) || state.cpus.iter().all(|cpu| !runs_user_code(cpu) || sees_now(cpu))
}

/// `ldt-is-what-was-asked-for`.
pub fn ldt_is_what_was_asked_for(_: &Ldt, state: &State) -> bool {
    let gone = |pc: Pc| matches!(pc, Pc::ExitFreeStruct | Pc::Gone);
    // Between the edit and the interrupts the form before 2015 has already changed what it has not announced.
    if state.threads.iter().all(|thread| gone(thread.pc)) {
        return true;
    }
    let installed = state.mm.ldt.map_or(Some(Image::NONE), |ldt| state.memory.image(ldt));
    installed.is_none_or(|image| image == state.now)
}

/// `installed-slot-is-valid`.
pub fn installed_slot_is_valid(_: &Ldt, state: &State) -> bool {
    state.mm.ldt.is_none_or(|ldt| {
        let ldt = state.memory.ldt(ldt);
        !ldt.alive || ldt.slot.is_some()
    })
}

/// `mapping-starts-clean`.
pub fn mapping_starts_clean(_: &Ldt, state: &State) -> bool {
    // What do_sanity_check() warns of.
    let mm = &state.mm;
    let is_sane = if mm.ldt.is_some() { mm.upper && mm.visible } else { !mm.upper && !mm.visible };
    let starts = |thread: &Thread| thread.pc == Pc::LockEntry(Work::Map) && thread.index == 0;
    is_sane || !state.threads.iter().any(starts)
}

/// `slot-serves-its-ldt`.
pub fn slot_serves_its_ldt(_: &Ldt, state: &State) -> bool {
    // What the page table shows in the slot of the installed LDT is that LDT, as long as the process lives.
    let exiting = state.threads.iter().all(|thread| thread.pc.is_exiting());
    let Some(ldt) = state.mm.ldt.map(|id| state.memory.ldt(id)) else { return true };
    let Some(slot) = ldt.slot else { return true };
    exiting || !ldt.alive || (0..ldt.size).all(|entry| state.mm.walk(slot, entry) == ldt.pages[entry as usize])
}

/// `foreign-ldtr-is-clear`.
pub fn foreign_ldtr_is_clear(_: &Ldt, state: &State) -> bool {
    state.cpus.iter().all(|cpu| cpu.pc != CpuPc::Run || cpu.page_table || cpu.ldtr.is_none())
}

fn at_rest(state: &State, holds: impl Fn(u8, &Cpu) -> bool) -> bool {
    state.cpus.iter().enumerate().all(|(number, cpu)| cpu.pc != CpuPc::Run || holds(number as u8, cpu))
}

/// `mask-follows-loaded-mm`.
pub fn mask_follows_loaded_mm(_: &Ldt, state: &State) -> bool {
    at_rest(state, |number, cpu| cpu.page_table == cpu.loaded && cpu.page_table == state.mask.has(number))
}

/// `lazy-flag-is-right`.
pub fn lazy_flag_is_right(_: &Ldt, state: &State) -> bool {
    at_rest(state, |_, cpu| cpu.lazy == (cpu.page_table && cpu.task == Task::Borrower))
}

/// `generation-is-right`.
pub fn generation_is_right(_: &Ldt, state: &State) -> bool {
    let may_lag = |number: u8| {
        state.threads.iter().any(|thread| matches!(thread.pc, Pc::FlushSend(_)) || thread.flush.has(number))
    };
    at_rest(state, |number, cpu| !cpu.task.is_thread() || cpu.behind == 0 || may_lag(number))
}

/// `thread-has-its-page-table`.
pub fn thread_has_its_page_table(_: &Ldt, state: &State) -> bool {
    at_rest(state, |_, cpu| !cpu.task.is_thread() || cpu.page_table)
}

/// `user-holds-reference`.
pub fn user_holds_reference(_: &Ldt, state: &State) -> bool {
    at_rest(state, |_, cpu| cpu.active == (cpu.task != Task::Foreign))
}

/// `page-table-outlives-its-users`.
pub fn page_table_outlives_its_users(_: &Ldt, state: &State) -> bool {
    let any = |at: fn(Pc) -> bool| state.threads.iter().any(|thread| at(thread.pc));
    // A CPU that has the page table must have been told that tables were taken out of it.
    let taken_out = state.mm.tables == 0 && any(|pc| matches!(pc, Pc::ErrorFreePages | Pc::ErrorFreeStruct));
    let told = !taken_out || at_rest(state, |_, cpu| !cpu.page_table || cpu.behind == 0);
    let all_freed = state.is_gone() || any(|pc| matches!(pc, Pc::ExitFreePages | Pc::ExitFreeStruct));
    let left = !all_freed || at_rest(state, |_, cpu| !cpu.page_table);
    let shown = !state.mm.visible || state.mm.upper;
    told && left && shown && !(state.is_gone() && state.cpus.iter().any(|cpu| cpu.page_table || cpu.active))
}

/// `locks-are-released`.
pub fn locks_are_released(_: &Ldt, state: &State) -> bool {
    let is = |holder: Option<ThreadId>, inside: fn(Pc) -> bool| holder.is_none_or(|id| inside(state.thread(id).pc));
    is(state.usr_sem, |pc| pc != Pc::User && !pc.is_exiting())
        && is(state.lock, |pc| !matches!(pc, Pc::User | Pc::ReadOld | Pc::Release) && !pc.is_exiting())
        && is(state.table_lock, |pc| matches!(pc, Pc::WriteEntry(_) | Pc::UnlockEntry(_)))
}

/// The properties, in the order in which they are printed.
#[rustfmt::skip] // One property per entry.
pub(super) const PROPERTIES: &[Property<Ldt>] = &[
    Property::always("no-freed-ldt-access",
        "A program's segment loads read descriptors from memory that was freed: whoever gets that memory writes them.",
        no_freed_ldt_access),
    Property::always("no-mapped-free-page",
        "User code can still reach a freed page, through the page table or a TLB: with Meltdown it reads the secrets of the next owner.",
        no_mapped_free_page),
    Property::always("installed-ldt-alive",
        "`context.ldt` points to freed memory: the next switch or call uses it.",
        installed_ldt_alive),
    Property::always("no-dangling-pointer",
        "A call or an interrupt handler holds a pointer to a freed LDT: it reads it or frees it a second time.",
        no_dangling_pointer),
    Property::always("no-leak",
        "An LDT or a page of one is lost: memory that nobody will ever free.",
        no_leak),
    Property::always("slot-in-use-untouched",
        "The page-table entries of a slot are written while a CPU's LDTR points there: its table changes under it.",
        slot_in_use_untouched),
    Property::always("ldt-is-mapped",
        "A CPU's LDTR covers an address that is not mapped: a segment load that was right faults.",
        ldt_is_mapped),
    Property::always("consistent-descriptor",
        "A CPU reads a mixture: descriptors and limit that no LDT ever had together.",
        consistent_descriptor),
    Property::always("synchronous",
        "`modify_ldt()` has returned, and a CPU still uses the old LDT: a thread runs with a segment that was revoked.",
        synchronous),
    Property::always("ldt-is-what-was-asked-for",
        "The installed LDT is not what the calls so far asked for: an edit was lost, or came too early.",
        ldt_is_what_was_asked_for),
    Property::always("installed-slot-is-valid",
        "An LDT is installed before its slot is known: a CPU that switches now clears LDTR, with a warning.",
        installed_slot_is_valid),
    Property::always("mapping-starts-clean",
        "Mapping begins with page tables that should not be there, or without those that should: the kernel warns, and does not know who owns them.",
        mapping_starts_clean),
    Property::always("slot-serves-its-ldt",
        "The page table does not show the installed LDT in its slot: a CPU that loads it uses something else.",
        slot_serves_its_ldt),
    Property::always("foreign-ldtr-is-clear",
        "LDTR still has the table of a process whose page table is no longer loaded: another process uses its segments, or faults.",
        foreign_ldtr_is_clear),
    Property::always("mask-follows-loaded-mm",
        "`mm_cpumask`, `loaded_mm` and CR3 disagree: a CPU that uses the page table gets no interrupts, or one that does not gets them.",
        mask_follows_loaded_mm),
    Property::always("lazy-flag-is-right",
        "`is_lazy` does not say whether a kernel thread borrows the page table: a flush spares a CPU that runs user code, or disturbs one that does not.",
        lazy_flag_is_right),
    Property::always("generation-is-right",
        "A CPU has made every flush and still counts as behind: it flushes everything, again and again.",
        generation_is_right),
    Property::always("thread-has-its-page-table",
        "A thread runs on the page table of somebody else.",
        thread_has_its_page_table),
    Property::always("user-holds-reference",
        "A task uses the address space without a reference to it, or keeps one that it does not need: freed too early, or never.",
        user_holds_reference),
    Property::always("page-table-outlives-its-users",
        "The page tables or the address space are freed while a CPU or the user-mode page table still leads to them.",
        page_table_outlives_its_users),
    Property::always("locks-are-released",
        "A thread has left a call with a lock held: the next call hangs.",
        locks_are_released),
    Property::sometimes("old-ldt-used-while-slot-fills",
        "A CPU still uses the old LDT while the other slot is being filled.",
        |_, s: &State| s.cpus.iter().any(|cpu| runs_user_code(cpu) && cpu.ldtr.is_some_and(|ldtr|
            s.threads.iter().any(|t| t.pc == Pc::WriteEntry(Work::Map) && t.slot == Some(ldtr.slot.other()))))),
    Property::sometimes("both-slots-used",
        "One CPU uses slot 0 while another uses slot 1.",
        |_, s: &State| Slot::BOTH.into_iter().all(|slot| s.cpus.iter().any(|cpu| runs_user_code(cpu) && cpu.ldtr.is_some_and(|r| r.slot == slot)))),
    Property::sometimes("slot-used-again",
        "A slot that held an earlier LDT is filled again, and installed.",
        |_, s: &State| s.before.entries() > 0 && s.mm.ldt.is_some_and(|ldt| s.memory.ldt(ldt).slot == Some(Slot::S0))),
    Property::sometimes("freed-page-used-again",
        "The page of the first LDT, which is always page 0, belongs to a later one.",
        |_, s: &State| s.before.entries() > 0 && s.mm.ldt.is_some_and(|ldt| s.memory.ldt(ldt).pages.contains(&Some(Page::P0)))),
    Property::sometimes("lazy-cpu-reloads",
        "A CPU that lends the address space to a kernel thread gets the interrupt and loads LDTR.",
        |_, s: &State| s.cpus.iter().any(|cpu| cpu.lazy && cpu.pc == CpuPc::LoadLdtr && matches!(cpu.answering, Some(Ipi::Reload(_))))),
    Property::sometimes("stale-translation-before-flush",
        "An entry is cleared, and a TLB still has it.",
        |_, s: &State| s.cpus.iter().any(|cpu| !every_entry(|slot, entry| cpu.tlb.get(slot, entry).is_none() || s.mm.walk(slot, entry).is_some()))),
    Property::sometimes("call-preempted",
        "A thread waits for a CPU in the middle of a call.",
        |_, s: &State| ThreadId::ALL.into_iter().any(|id| !matches!(s.thread(id).pc, Pc::User) && !s.thread(id).pc.is_exiting() && s.cpu_of(id).is_none())),
    Property::sometimes("process-gone-with-its-ldt",
        "The process has exited, and its LDT is freed.",
        |_, s: &State| s.is_gone() && s.now != Image::NONE),
];
