//! Steps and states in words.

use super::memory::{Content, LdtId, LdtStruct, Memory, Mm, Page, Slot, Translations, Use, MAX_SIZE, PER_PAGE};
use super::{
    Action, Cpu, CpuGo, CpuPc, CpuSet, CpuStep, Flush, Ipi, LazyFlush, Ldt, Ldtr, OnError, Pc, State, Step, Task,
    Thread, ThreadId, Work,
};
use crate::machine::Panel;

pub(super) fn page_name(page: Page) -> String {
    format!("page {}", page as u8)
}
pub(super) fn page_or_none(page: Option<Page>) -> String {
    page.map_or("none".to_string(), page_name)
}
pub(super) fn ldt_name(id: LdtId) -> &'static str {
    ["LDT A", "LDT B", "LDT C"][id as usize]
}
pub(super) fn ldt_or_null(id: Option<LdtId>) -> &'static str {
    id.map_or("NULL", ldt_name)
}
pub(super) fn slot_name(slot: Option<Slot>) -> String {
    slot.map_or("slot -1".to_string(), |slot| format!("slot {}", slot as u8))
}
pub(super) fn yes(is: bool) -> &'static str {
    if is {
        "yes"
    } else {
        "no"
    }
}
fn thread_name(id: ThreadId) -> String {
    format!("thread {}", id as u8)
}
fn cpu_names(set: CpuSet) -> String {
    let names: Vec<String> = (0..8).filter(|cpu| set.has(*cpu)).map(|cpu| cpu.to_string()).collect();
    match names.len() {
        0 => "no CPU".to_string(),
        1 => format!("CPU {}", names[0]),
        _ => format!("CPUs {}", names.join(" and ")),
    }
}
fn entry_name(slot: Slot, entry: u8) -> String {
    format!("slot {}, page {entry}", slot as u8)
}
fn ldtr_text(ldtr: Option<Ldtr>) -> String {
    ldtr.map_or("none".to_string(), |r| format!("slot {}, {}", r.slot as u8, entries_text(r.entries)))
}
pub(super) fn entries_text(entries: u8) -> String {
    if entries == 1 {
        "1 entry".to_string()
    } else {
        format!("{entries} entries")
    }
}

pub(super) fn describe(m: &Ldt, s: &State, step: Step) -> String {
    match step {
        Step::Cpu(cpu, step) => describe_cpu(m, s, cpu, step),
        Step::Thread(id, action) => describe_thread(m, s, id, action),
    }
}

fn describe_cpu(m: &Ldt, s: &State, number: u8, step: CpuStep) -> String {
    let cpu = &s.cpus[number as usize];
    match step {
        CpuStep::SwitchToThread(id) => match (cpu.loaded, cpu.lazy, m.config.lazy) {
            (true, false, _) => format!("switches to {}, which has the same page table", thread_name(id)),
            (true, true, LazyFlush::CatchUp) => format!("switches to {} and stops being lazy", thread_name(id)),
            (true, true, _) => format!("switches to {}; its page table is still loaded", thread_name(id)),
            (false, ..) => format!("switches to {}", thread_name(id)),
        },
        CpuStep::SwitchToLazy => "switches to a kernel thread, which borrows the page table".to_string(),
        CpuStep::SwitchToOther if cpu.loaded => "begins to switch to another process".to_string(),
        CpuStep::SwitchToOther => {
            "switches to another process and drops its reference to the address space".to_string()
        }
        CpuStep::LeaveEarly => "begins to leave the address space that the kernel thread borrows".to_string(),
        CpuStep::Cache(slot, entry) => {
            format!("walks the page table: {} is {}", entry_name(slot, entry), page_or_none(s.mm.walk(slot, entry)))
        }
        CpuStep::Answer(Ipi::Reload(from)) => {
            format!(
                "takes the interrupt of {}: {}",
                thread_name(from),
                if cpu.loaded { "reload LDTR" } else { "not loaded" }
            )
        }
        CpuStep::Answer(Ipi::Flush(from)) => match (cpu.loaded, cpu.lazy, cpu.behind) {
            (false, ..) => format!("takes the flush of {}: the page table is not loaded", thread_name(from)),
            (true, true, _) => format!("takes the flush of {} while lazy, and begins to leave", thread_name(from)),
            (true, false, 0) => format!("takes the flush of {}, which it has made already", thread_name(from)),
            (true, false, 1) => format!("flushes {} for {}", flushed_text(s, from), thread_name(from)),
            (true, false, _) => format!("flushes the whole TLB for {}: it is further behind", thread_name(from)),
        },
        CpuStep::Answer(Ipi::Unrelated) => "takes an unrelated interrupt".to_string(),
        CpuStep::Go(go) => describe_go(s, cpu, go),
    }
}

fn flushed_text(s: &State, from: ThreadId) -> String {
    let thread = s.thread(from);
    match thread.slot {
        Some(slot) => format!("{} of slot {}", pages_text(thread.index), slot as u8),
        None => "the whole TLB".to_string(),
    }
}
fn pages_text(pages: u8) -> String {
    if pages == 1 {
        "1 page".to_string()
    } else {
        format!("{pages} pages")
    }
}

fn describe_go(s: &State, cpu: &Cpu, go: CpuGo) -> String {
    match (go, cpu.pc) {
        (CpuGo::CatchUp | CpuGo::ReadGeneration, _) if cpu.behind > 0 => {
            "compares generations: the TLB has missed a flush".to_string()
        }
        (CpuGo::CatchUp | CpuGo::ReadGeneration, _) => "compares generations: the TLB is up to date".to_string(),
        (CpuGo::SetMask, _) => "sets its bit in mm_cpumask".to_string(),
        (CpuGo::LoadPageTable, CpuPc::LoadPageTable { flush: true }) => {
            "loads the page table and flushes the TLB".to_string()
        }
        (CpuGo::LoadPageTable, _) => "loads the page table and keeps the TLB".to_string(),
        (CpuGo::ReadLdt, _) => format!("reads context.ldt = {}", ldt_or_null(s.mm.ldt)),
        (CpuGo::LoadLdtr, _) => {
            let ldt = cpu.ldt.map_or(LdtStruct::DEAD, |id| s.memory.ldt(id));
            format!("loads LDTR: {}, {}", slot_name(ldt.slot), entries_text(ldt.entries))
        }
        (CpuGo::ClearMask, _) => "clears its bit in mm_cpumask".to_string(),
        (CpuGo::LeavePageTable, _) => "loads another page table".to_string(),
        (CpuGo::ClearLdtr, _) if s.mm.ldt.is_some() => "clears LDTR".to_string(),
        (CpuGo::ClearLdtr, _) => "leaves LDTR alone: there is no LDT".to_string(),
    }
}

fn describe_thread(m: &Ldt, s: &State, id: ThreadId, action: Action) -> String {
    let thread = s.thread(id);
    let number = |ldt: Option<LdtId>| ldt_or_null(ldt);
    let place = thread.slot.map_or(String::new(), |slot| entry_name(slot, thread.index));
    match action {
        Action::W1TakeUsrSem { entry } if m.config.usr_sem => {
            format!("calls modify_ldt() for entry {entry} and takes ldt_usr_sem")
        }
        Action::W1TakeUsrSem { entry } => format!("calls modify_ldt() for entry {entry}, without ldt_usr_sem"),
        Action::W2ReadOld => format!("reads old = context.ldt = {}", number(s.mm.ldt)),
        Action::W3AllocateStruct => "allocates the struct of the new LDT".to_string(),
        Action::W3AllocatePage(page) => format!("allocates {} for {}, zeroed", page_name(page), number(thread.new)),
        Action::OutOfMemory => describe_failure(m, thread),
        Action::W4CopyEntries => format!("copies the entries of {} to {}", number(thread.old), number(thread.new)),
        Action::W4EditEntry => {
            let into = if thread.pc == Pc::EditInPlace { thread.old } else { thread.new };
            format!("writes descriptor {} to entry {} of {}", thread.descriptor, thread.entry, number(into))
        }
        Action::LockPageTable => format!("takes the page-table lock for {place}"),
        Action::UnlockPageTable => "drops the page-table lock".to_string(),
        Action::W5MapEntry => {
            let page = thread.new.and_then(|new| s.memory.ldt(new).pages[thread.index as usize]);
            format!("maps {} at {place}", page_or_none(page))
        }
        Action::W6ShowSlots if s.mm.ldt.is_none() => "makes the slots visible to user mode".to_string(),
        Action::W6ShowSlots => "finds the slots visible already".to_string(),
        Action::FlushRaiseGeneration => "raises tlb_gen".to_string(),
        Action::FlushSendIpi => {
            let Pc::FlushSend(flush) = thread.pc else { return String::new() };
            format!("interrupts {} to flush {}", cpu_names(m.flush_targets(s, flush)), flushed_text(s, id))
        }
        Action::AllCpusAnswered => "sees that all CPUs have answered".to_string(),
        Action::W8SetSlot => format!("stores {} in {}", slot_name(thread.slot), number(thread.new)),
        Action::W9TakeLock => "takes context.lock".to_string(),
        Action::W9Publish => format!("stores context.ldt = {}", number(thread.new)),
        Action::W10SendIpi => {
            let own = s.cpu_of(id).map_or(CpuSet::NONE, CpuSet::one);
            let to = if m.config.own_cpu { s.mask } else { s.mask.minus(own) };
            format!("interrupts {} to reload LDTR", cpu_names(to))
        }
        Action::W11DropLock => "drops context.lock".to_string(),
        Action::W12ClearEntry => format!("clears {place}"),
        Action::W13FreePages => format!("frees the pages of {}", number(freed(m, s, thread))),
        Action::W13FreeStruct => format!("frees the struct of {}", number(freed(m, s, thread))),
        Action::W14ReleaseUsrSem => "releases ldt_usr_sem and returns to user mode".to_string(),
        Action::UnlinkTables => "takes the page tables of the slots out".to_string(),
        Action::Exit => "exits; its CPU keeps the address space lazily".to_string(),
    }
}

fn describe_failure(m: &Ldt, thread: &Thread) -> String {
    match (thread.pc, m.config.on_error) {
        (Pc::AllocateStruct | Pc::AllocatePage, _) => "gets no memory for the new LDT, and gives up".to_string(),
        (_, OnError::FreeOld) => format!("gets no page table; will free the old LDT, {}", ldt_or_null(thread.old)),
        (_, _) => format!("gets no page table; will free the new LDT, {}", ldt_or_null(thread.new)),
    }
}

fn freed(m: &Ldt, s: &State, thread: &Thread) -> Option<LdtId> {
    match thread.pc {
        Pc::ErrorFreePages | Pc::ErrorFreeStruct => m.freed_on_error(thread),
        Pc::ExitFreePages | Pc::ExitFreeStruct => s.mm.ldt,
        _ => thread.old,
    }
}

pub(super) fn view(m: &Ldt, s: &State) -> Vec<Panel> {
    let cpus = (0..m.cpus).map(|cpu| cpu_panel(s, cpu));
    let threads = ThreadId::ALL.into_iter().take(m.threads as usize).map(|id| thread_panel(m, s, id));
    let mut panels: Vec<Panel> = cpus.chain(threads).collect();
    panels.push(page_table_panel("page table", &s.mm));
    panels.push(
        Panel::shared("address space")
            .row("context.ldt", ldt_or_null(s.mm.ldt))
            .row("mm_cpumask", cpu_names(s.mask))
            .row("ldt_usr_sem", s.usr_sem.map_or("free".to_string(), thread_name))
            .row("context.lock", s.lock.map_or("free".to_string(), thread_name))
            .row("page-table lock", s.table_lock.map_or("free".to_string(), thread_name)),
    );
    panels.extend(memory_panels(&s.memory, m.pages()));
    panels
}

fn cpu_panel(s: &State, number: u8) -> Panel {
    let cpu = &s.cpus[number as usize];
    let runs = match cpu.task {
        Task::Thread(id) => thread_name(id),
        Task::Borrower if cpu.lazy => "kernel thread, lazy".to_string(),
        Task::Borrower => "kernel thread, not lazy".to_string(),
        Task::Foreign => "something else".to_string(),
    };
    let page_table = match (cpu.page_table, cpu.loaded) {
        (true, true) => "of the process",
        (false, false) => "another",
        (true, false) => "of the process, loaded_mm another",
        (false, true) => "another, loaded_mm the process",
    };
    let pending = ThreadId::ALL.into_iter().filter_map(|id| {
        let thread = s.thread(id);
        match (thread.reload.has(number), thread.flush.has(number)) {
            (true, true) => Some("reload and flush"),
            (true, false) => Some("reload"),
            (false, true) => Some("flush"),
            (false, false) => None,
        }
    });
    let pending: Vec<&str> = pending.collect();
    let missed = ["no flush", "1 flush", "2 flushes or more"][cpu.behind as usize];
    let panel = Panel::of_lane(format!("CPU {number}"), number as usize)
        .row("runs", runs)
        .row("interrupts", interrupts_text(cpu))
        .row("pending", if pending.is_empty() { "none".to_string() } else { pending.join(", ") })
        .row("page table", page_table)
        .row("holds the mm", yes(cpu.active))
        .row("LDTR", ldtr_text(cpu.ldtr))
        .row("has read", ldt_or_null(cpu.ldt))
        .row("TLB has missed", missed);
    translation_rows(panel, "TLB ", cpu.tlb)
}

fn interrupts_text(cpu: &Cpu) -> String {
    let at = match cpu.pc {
        CpuPc::Run => return "on".to_string(),
        CpuPc::CatchUp => "leaves lazy mode",
        CpuPc::SetMask | CpuPc::ReadGeneration | CpuPc::LoadPageTable { .. } => "switches in",
        CpuPc::ReadLdt | CpuPc::LoadLdtr => "loads LDTR",
        CpuPc::ClearMask | CpuPc::LeavePageTable | CpuPc::ClearLdtr => "switches away",
    };
    match cpu.answering {
        Some(Ipi::Reload(from) | Ipi::Flush(from)) => format!("off: {at} in the handler for {}", thread_name(from)),
        Some(Ipi::Unrelated) | None => format!("off: {at}"),
    }
}

fn thread_panel(m: &Ldt, s: &State, id: ThreadId) -> Panel {
    let thread = s.thread(id);
    Panel::of_lane(thread_name(id), m.cpus as usize + id as usize)
        .row("is", pc_text(thread))
        .row("on", s.cpu_of(id).map_or("no CPU".to_string(), |cpu| format!("CPU {cpu}")))
        .row("old", ldt_or_null(thread.old))
        .row("new", ldt_or_null(thread.new))
        .row("waits for reload by", cpu_names(thread.reload))
        .row("waits for flush by", cpu_names(thread.flush))
}

fn pc_text(thread: &Thread) -> String {
    let work = |work: Work| match work {
        Work::Map => "W5: maps",
        Work::Unmap => "W12: unmaps",
        Work::Undo => "error: unmaps",
    };
    let flush = |flush: Flush| match flush {
        Flush::Mapped => "W7: flushes",
        Flush::Unmapped => "W12: flushes",
        Flush::Undone => "error: flushes",
        Flush::Exit => "exit: flushes",
    };
    match thread.pc {
        Pc::User => "in user mode",
        Pc::ReadOld => "W2: reads old",
        Pc::AllocateStruct | Pc::AllocatePage => "W3: allocates",
        Pc::Copy | Pc::Edit | Pc::EditInPlace => "W4: copies and edits",
        Pc::LockEntry(w) | Pc::WriteEntry(w) | Pc::UnlockEntry(w) => work(w),
        Pc::Show => "W6: shows the slots",
        Pc::FlushBegin(f) | Pc::FlushSend(f) | Pc::FlushWait(f) => flush(f),
        Pc::SetSlot => "W8: stores the slot",
        Pc::TakeLock | Pc::Publish => "W9: installs",
        Pc::SendIpi | Pc::WaitIpi => "W10: interrupts",
        Pc::DropLock => "W11: drops the lock",
        Pc::FreePages | Pc::FreeStruct => "W13: frees",
        Pc::Release => "W14: returns",
        Pc::UnlinkTables | Pc::ErrorFreePages | Pc::ErrorFreeStruct => "error: cleans up",
        Pc::ExitUnlink | Pc::ExitFreePages | Pc::ExitFreeStruct => "exit: frees",
        Pc::Gone => "gone",
    }
    .to_string()
}

fn translation_rows(mut panel: Panel, prefix: &str, all: Translations) -> Panel {
    for slot in Slot::BOTH {
        for entry in 0..MAX_SIZE as u8 {
            panel = panel.row(format!("{prefix}{}", entry_name(slot, entry)), page_or_none(all.get(slot, entry)));
        }
    }
    panel
}

/// A page table, as user mode and the kernel see it.
pub(super) fn page_table_panel(title: &str, mm: &Mm) -> Panel {
    let panel =
        Panel::shared(title).row("seen by user mode", yes(mm.visible)).row("tables", format!("{:#06b}", mm.tables));
    translation_rows(panel, "", mm.entries)
}

/// LDT structs and pages.
pub(super) fn memory_panels(memory: &Memory, pages: u8) -> Vec<Panel> {
    let mut structs = Panel::shared("LDTs");
    for id in LdtId::ALL {
        structs = structs.row(ldt_name(id), struct_text(&memory.ldt(id)));
    }
    let mut frames = Panel::shared("pages");
    for page in Page::ALL.into_iter().take(pages as usize) {
        let frame = memory.frame(page);
        let text = match frame.used_by {
            Use::Free => "free".to_string(),
            Use::Ldt => content_text(frame.content),
        };
        frames = frames.row(page_name(page), text);
    }
    vec![structs, frames]
}

fn struct_text(ldt: &LdtStruct) -> String {
    if !ldt.alive {
        return "free".to_string();
    }
    let pages: Vec<String> = ldt.pages.iter().flatten().map(|page| (*page as u8).to_string()).collect();
    let pages = if pages.is_empty() { "no page".to_string() } else { format!("page {}", pages.join(" and ")) };
    format!("{}, {pages}, {}", entries_text(ldt.entries), slot_name(ldt.slot))
}

fn content_text(content: Content) -> String {
    let descriptors: Vec<String> = (0..PER_PAGE).map(|place| content.get(place).to_string()).collect();
    format!("descriptors {}", descriptors.join(" "))
}
