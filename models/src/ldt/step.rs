//! The transitions.

use super::memory::{Page, Slot, Translations, MAX_SIZE};
use super::{
    Action, Config, Cpu, CpuGo, CpuPc, CpuSet, CpuStep, Flush, HandlerTest, Ipi, LazyFlush, Ldt, Ldtr, MaskBit,
    OnError, Pc, Phase, SlotChoice, State, Step, Task, Thread, ThreadId, Work, MAX_CPUS,
};

impl State {
    pub(super) fn thread(&self, id: ThreadId) -> &Thread {
        &self.threads[id as usize]
    }
    fn thread_mut(&mut self, id: ThreadId) -> &mut Thread {
        &mut self.threads[id as usize]
    }
    fn cpu_mut(&mut self, cpu: u8) -> &mut Cpu {
        &mut self.cpus[cpu as usize]
    }
    /// The CPU on which a thread runs.
    pub(super) fn cpu_of(&self, id: ThreadId) -> Option<u8> {
        (0..MAX_CPUS as u8).find(|cpu| self.cpus[*cpu as usize].task == Task::Thread(id))
    }
    /// Whether a page-table entry or a TLB still leads to the page.
    fn is_remembered(&self, page: Page) -> bool {
        self.mm.entries.leads_to(page) || self.cpus.iter().any(|cpu| cpu.tlb.leads_to(page))
    }
    /// Whether the mm has no users left.
    pub(super) fn is_gone(&self) -> bool {
        self.threads.iter().all(|thread| thread.pc == Pc::Gone)
    }
}

impl Task {
    /// Whether this is a thread of the process.
    pub const fn is_thread(self) -> bool {
        matches!(self, Self::Thread(_))
    }
}

impl CpuGo {
    /// The next step of a CPU whose interrupts are off.
    const fn at(pc: CpuPc) -> Option<Self> {
        Some(match pc {
            CpuPc::Run => return None,
            CpuPc::CatchUp => Self::CatchUp,
            CpuPc::SetMask => Self::SetMask,
            CpuPc::ReadGeneration => Self::ReadGeneration,
            CpuPc::LoadPageTable { .. } => Self::LoadPageTable,
            CpuPc::ReadLdt => Self::ReadLdt,
            CpuPc::LoadLdtr => Self::LoadLdtr,
            CpuPc::ClearMask => Self::ClearMask,
            CpuPc::LeavePageTable => Self::LeavePageTable,
            CpuPc::ClearLdtr => Self::ClearLdtr,
        })
    }
}

impl Pc {
    /// The thread may be switched away from: it holds no spinlock, and has not called `get_cpu()`.
    pub(super) fn is_preemptible(self) -> bool {
        !matches!(
            self,
            Self::WriteEntry(_) | Self::UnlockEntry(_) | Self::FlushSend(_) | Self::FlushWait(_) | Self::WaitIpi
        )
    }
    /// The thread has no user mode any more, and needs no CPU in this model.
    pub(super) fn is_exiting(self) -> bool {
        matches!(
            self,
            Self::ExitUnlink
                | Self::FlushBegin(Flush::Exit)
                | Self::FlushSend(Flush::Exit)
                | Self::FlushWait(Flush::Exit)
                | Self::ExitFreePages
                | Self::ExitFreeStruct
                | Self::Gone
        )
    }
}

impl Ldt {
    /// The state after a step; `None` if it is not possible.
    pub(super) fn transition(&self, state: &State, step: Step) -> Option<State> {
        let mut next = *state;
        match step {
            Step::Cpu(cpu, step) => self.cpu_step(&mut next, cpu, step)?,
            Step::Thread(id, action) => self.thread_step(&mut next, id, action)?,
        }
        Some(next)
    }

    /// Whether the allocator may hand out this page.
    fn may_hand_out(&self, state: &State, page: Page) -> bool {
        state.memory.may_hand_out(page, self.pages(), |page| state.is_remembered(page))
    }

    /// Proposes the steps that may be possible, by where CPUs and threads stand.
    pub(super) fn propose(&self, s: &State, out: &mut Vec<Step>) {
        for number in 0..self.cpus {
            let cpu = &s.cpus[number as usize];
            let mut add = |step| out.push(Step::Cpu(number, step));
            // Interrupts and switches are proposed in the middle of a sequence too; it is `step` that declines them.
            if let Some(go) = CpuGo::at(cpu.pc) {
                add(CpuStep::Go(go));
            }
            add(CpuStep::SwitchToLazy);
            add(CpuStep::SwitchToOther);
            add(CpuStep::LeaveEarly);
            for id in ThreadId::ALL {
                let thread = s.thread(id);
                if thread.pc != Pc::Gone {
                    add(CpuStep::SwitchToThread(id));
                }
                if thread.reload.has(number) {
                    add(CpuStep::Answer(Ipi::Reload(id)));
                }
                if thread.flush.has(number) {
                    add(CpuStep::Answer(Ipi::Flush(id)));
                }
            }
            if cpu.page_table && s.mm.visible {
                for slot in Slot::BOTH {
                    for entry in 0..MAX_SIZE as u8 {
                        add(CpuStep::Cache(slot, entry));
                    }
                }
            }
        }
        for id in ThreadId::ALL {
            self.propose_for_thread(s.thread(id).pc, id, out);
        }
    }

    fn propose_for_thread(&self, pc: Pc, id: ThreadId, out: &mut Vec<Step>) {
        let mut add = |action| out.push(Step::Thread(id, action));
        match pc {
            Pc::User => {
                for entry in 0..self.entries {
                    add(Action::W1TakeUsrSem { entry });
                }
                add(Action::Exit);
            }
            Pc::ReadOld => add(Action::W2ReadOld),
            Pc::AllocateStruct => {
                add(Action::W3AllocateStruct);
                add(Action::OutOfMemory);
            }
            Pc::AllocatePage => {
                for page in Page::ALL {
                    add(Action::W3AllocatePage(page));
                }
                add(Action::OutOfMemory);
            }
            Pc::Copy => add(Action::W4CopyEntries),
            Pc::Edit | Pc::EditInPlace => add(Action::W4EditEntry),
            Pc::LockEntry(work) => {
                add(Action::LockPageTable);
                if work == Work::Map {
                    add(Action::OutOfMemory);
                }
            }
            Pc::WriteEntry(Work::Map) => add(Action::W5MapEntry),
            Pc::WriteEntry(_) => add(Action::W12ClearEntry),
            Pc::UnlockEntry(_) => add(Action::UnlockPageTable),
            Pc::Show => add(Action::W6ShowSlots),
            Pc::FlushBegin(_) => add(Action::FlushRaiseGeneration),
            Pc::FlushSend(_) => add(Action::FlushSendIpi),
            Pc::FlushWait(_) | Pc::WaitIpi => add(Action::AllCpusAnswered),
            Pc::SetSlot => add(Action::W8SetSlot),
            Pc::TakeLock => add(Action::W9TakeLock),
            Pc::Publish => add(Action::W9Publish),
            Pc::SendIpi => add(Action::W10SendIpi),
            Pc::DropLock => add(Action::W11DropLock),
            Pc::FreePages | Pc::ErrorFreePages | Pc::ExitFreePages => add(Action::W13FreePages),
            Pc::FreeStruct | Pc::ErrorFreeStruct | Pc::ExitFreeStruct => add(Action::W13FreeStruct),
            Pc::Release => add(Action::W14ReleaseUsrSem),
            Pc::UnlinkTables | Pc::ExitUnlink => add(Action::UnlinkTables),
            Pc::Gone => {}
        }
    }

    fn cpu_step(&self, s: &mut State, cpu: u8, step: CpuStep) -> Option<()> {
        let now = s.cpus[cpu as usize];
        match step {
            CpuStep::SwitchToThread(id) => self.switch_to_thread(s, cpu, id),
            CpuStep::SwitchToLazy => {
                if !now.task.is_thread() {
                    return None;
                }
                self.may_switch(s, cpu, true)?;
                let cpu = s.cpu_mut(cpu);
                cpu.task = Task::Borrower;
                cpu.lazy = self.config.enters_lazy;
                Some(())
            }
            CpuStep::SwitchToOther => {
                if now.task == Task::Foreign {
                    return None;
                }
                self.may_switch(s, cpu, now.task.is_thread())?;
                let cpu = s.cpu_mut(cpu);
                cpu.task = Task::Foreign;
                cpu.lazy = false;
                if now.loaded {
                    cpu.pc = CpuPc::ClearMask;
                } else {
                    cpu.active = false;
                }
                Some(())
            }
            CpuStep::LeaveEarly => {
                if self.config.lazy != LazyFlush::Leave || !now.lazy || now.pc != CpuPc::Run {
                    return None;
                }
                let cpu = s.cpu_mut(cpu);
                cpu.lazy = false;
                cpu.pc = CpuPc::ClearMask;
                cpu.answering = Some(Ipi::Unrelated);
                Some(())
            }
            CpuStep::Go(go) => self.go(s, cpu, go),
            CpuStep::Answer(ipi) => self.answer(s, cpu, ipi),
            CpuStep::Cache(slot, entry) => {
                let page = s.mm.walk(slot, entry);
                if !now.page_table || page.is_none() || page == now.tlb.get(slot, entry) {
                    return None;
                }
                s.cpu_mut(cpu).tlb = now.tlb.with(slot, entry, page);
                Some(())
            }
        }
    }

    /// Whether the scheduler may take the CPU from its task; `more` asks for one more CPU that runs something foreign.
    fn may_switch(&self, s: &State, cpu: u8, more: bool) -> Option<()> {
        let now = s.cpus[cpu as usize];
        if now.pc != CpuPc::Run {
            return None;
        }
        if matches!(now.task, Task::Thread(id) if !s.thread(id).pc.is_preemptible()) {
            return None;
        }
        let foreign = (0..self.cpus).filter(|cpu| !s.cpus[*cpu as usize].task.is_thread()).count() as u8;
        (!more || foreign < self.kernel_threads).then_some(())
    }

    fn switch_to_thread(&self, s: &mut State, cpu: u8, id: ThreadId) -> Option<()> {
        if s.thread(id).pc.is_exiting() || s.cpu_of(id).is_some() {
            return None;
        }
        self.may_switch(s, cpu, false)?;
        let cpu = s.cpu_mut(cpu);
        let is_loaded = if self.config.switch_compares_active { cpu.active } else { cpu.loaded };
        cpu.pc = if !is_loaded {
            match self.config.mask {
                MaskBit::First => CpuPc::SetMask,
                MaskBit::AfterPageTable | MaskBit::Last | MaskBit::Never => CpuPc::ReadGeneration,
            }
        } else if cpu.lazy && self.config.lazy == LazyFlush::CatchUp {
            CpuPc::CatchUp
        } else {
            CpuPc::Run
        };
        cpu.task = Task::Thread(id);
        cpu.active = true;
        cpu.lazy = false;
        Some(())
    }

    /// The steps that a CPU executes with interrupts off.
    fn go(&self, s: &mut State, cpu: u8, go: CpuGo) -> Option<()> {
        let now = s.cpus[cpu as usize];
        match (go, now.pc) {
            (CpuGo::CatchUp, CpuPc::CatchUp) => {
                let c = s.cpu_mut(cpu);
                if now.behind > 0 {
                    c.tlb = Translations::NONE;
                }
                c.behind = 0;
                c.pc = CpuPc::Run;
            }
            (CpuGo::SetMask, CpuPc::SetMask) => {
                s.mask = s.mask.or(CpuSet::one(cpu));
                s.cpu_mut(cpu).pc = match self.config.mask {
                    MaskBit::First => CpuPc::ReadGeneration,
                    MaskBit::AfterPageTable => self.after_page_table(),
                    MaskBit::Last | MaskBit::Never => CpuPc::Run,
                };
            }
            (CpuGo::ReadGeneration, CpuPc::ReadGeneration) => {
                let c = s.cpu_mut(cpu);
                c.pc = CpuPc::LoadPageTable { flush: now.behind > 0 };
                c.behind = 0;
            }
            (CpuGo::LoadPageTable, CpuPc::LoadPageTable { flush }) => {
                let c = s.cpu_mut(cpu);
                if flush {
                    c.tlb = Translations::NONE;
                }
                c.page_table = true;
                c.loaded = true;
                c.pc =
                    if self.config.mask == MaskBit::AfterPageTable { CpuPc::SetMask } else { self.after_page_table() };
            }
            (CpuGo::ReadLdt, CpuPc::ReadLdt) => {
                let ldt = s.mm.ldt;
                let c = s.cpu_mut(cpu);
                if ldt.is_some() {
                    c.ldt = ldt;
                    c.pc = CpuPc::LoadLdtr;
                } else {
                    c.ldtr = None;
                    self.ldtr_loaded(s, cpu);
                }
            }
            (CpuGo::LoadLdtr, CpuPc::LoadLdtr) => {
                let ldt = s.memory.ldt(now.ldt?);
                let c = s.cpu_mut(cpu);
                // Slot -1 is not mapped: the kernel warns and clears LDTR.
                c.ldtr = ldt.slot.map(|slot| Ldtr { slot, entries: ldt.entries });
                c.ldt = None;
                self.ldtr_loaded(s, cpu);
            }
            (CpuGo::ClearMask, CpuPc::ClearMask) => {
                s.mask = s.mask.minus(CpuSet::one(cpu));
                s.cpu_mut(cpu).pc = CpuPc::LeavePageTable;
            }
            (CpuGo::LeavePageTable, CpuPc::LeavePageTable) => {
                let c = s.cpu_mut(cpu);
                c.page_table = false;
                c.loaded = false;
                c.pc = CpuPc::ClearLdtr;
            }
            (CpuGo::ClearLdtr, CpuPc::ClearLdtr) => {
                let had_ldt = s.mm.ldt.is_some();
                let c = s.cpu_mut(cpu);
                if had_ldt {
                    c.ldtr = None;
                }
                // A kernel thread that is only interrupted keeps its reference to the address space.
                if now.answering.is_none() || !self.config.keeps_reference {
                    c.active = false;
                }
                self.end_of_sequence(s, cpu);
            }
            _ => return None,
        }
        Some(())
    }

    /// Where `switch_mm()` goes on when the page table is loaded.
    fn after_page_table(&self) -> CpuPc {
        match (self.config.switch_loads_ldtr, self.config.mask) {
            (true, _) => CpuPc::ReadLdt,
            (false, MaskBit::Last) => CpuPc::SetMask,
            (false, _) => CpuPc::Run,
        }
    }

    /// LDTR is loaded, by `switch_mm()` or by the handler of W10.
    fn ldtr_loaded(&self, s: &mut State, cpu: u8) {
        if s.cpus[cpu as usize].answering.is_none() && self.config.mask == MaskBit::Last {
            s.cpu_mut(cpu).pc = CpuPc::SetMask;
        } else {
            self.end_of_sequence(s, cpu);
        }
    }

    /// Interrupts are on again. If the CPU was in a handler, the sender learns that it has finished.
    fn end_of_sequence(&self, s: &mut State, cpu: u8) {
        s.cpu_mut(cpu).pc = CpuPc::Run;
        if let Some(ipi) = s.cpu_mut(cpu).answering.take() {
            acknowledge(s, cpu, ipi);
        }
    }

    fn answer(&self, s: &mut State, cpu: u8, ipi: Ipi) -> Option<()> {
        let now = s.cpus[cpu as usize];
        let pending = match ipi {
            Ipi::Reload(from) => s.thread(from).reload,
            Ipi::Flush(from) => s.thread(from).flush,
            Ipi::Unrelated => return None,
        };
        if now.pc != CpuPc::Run || !pending.has(cpu) {
            return None;
        }
        match ipi {
            Ipi::Reload(_) => {
                let concerned = match self.config.test {
                    HandlerTest::LoadedMm => now.loaded,
                    HandlerTest::TaskMm => now.task.is_thread(),
                    HandlerTest::ActiveMm => now.active,
                };
                if concerned {
                    let c = s.cpu_mut(cpu);
                    c.answering = Some(ipi);
                    c.pc = CpuPc::ReadLdt;
                } else {
                    acknowledge(s, cpu, ipi);
                }
            }
            Ipi::Flush(_) if now.loaded && now.lazy => {
                let c = s.cpu_mut(cpu);
                c.lazy = false;
                c.answering = Some(ipi);
                c.pc = CpuPc::ClearMask;
            }
            Ipi::Flush(from) => {
                if now.loaded {
                    flush_tlb(s, cpu, from, self.config.records_generation);
                }
                acknowledge(s, cpu, ipi);
            }
            Ipi::Unrelated => return None,
        }
        Some(())
    }

    fn thread_step(&self, s: &mut State, id: ThreadId, action: Action) -> Option<()> {
        let now = *s.thread(id);
        let cpu = s.cpu_of(id);
        if !now.pc.is_exiting() && s.cpus[cpu? as usize].pc != CpuPc::Run {
            return None;
        }
        let config = &self.config;
        match (action, now.pc) {
            (Action::W1TakeUsrSem { entry }, Pc::User) => {
                let may_call = (id as u8) < self.callers && s.calls < self.writes;
                if entry >= self.entries || !may_call || (config.usr_sem && s.usr_sem.is_some()) {
                    return None;
                }
                if config.usr_sem {
                    s.usr_sem = Some(id);
                }
                s.calls += 1;
                let descriptor = s.calls;
                let thread = s.thread_mut(id);
                thread.entry = entry;
                thread.descriptor = descriptor;
                self.enter(s, id, Phase::ReadOld);
            }
            (Action::W2ReadOld, Pc::ReadOld) => {
                let old = s.mm.ldt;
                s.thread_mut(id).old = old;
                match old {
                    Some(ldt) if config.in_place && now.entry < s.memory.ldt(ldt).entries => {
                        s.thread_mut(id).pc = Pc::EditInPlace;
                    }
                    _ => self.enter_next(s, id, Phase::ReadOld),
                }
            }
            (Action::W3AllocateStruct, Pc::AllocateStruct) => {
                let had = now.old.map_or(0, |old| s.memory.ldt(old).entries);
                let new = s.memory.allocate_struct(had.max(now.entry + 1))?;
                let thread = s.thread_mut(id);
                thread.new = Some(new);
                thread.pc = Pc::AllocatePage;
            }
            (Action::W3AllocatePage(page), Pc::AllocatePage) => {
                if !self.may_hand_out(s, page) {
                    return None;
                }
                let new = now.new?;
                s.memory.allocate_page(new, page)?;
                if s.memory.ldt(new).pages_held() == s.memory.ldt(new).size {
                    self.enter_next(s, id, Phase::Allocate);
                }
            }
            (Action::OutOfMemory, Pc::AllocateStruct | Pc::AllocatePage) => {
                let no_page = !Page::ALL.into_iter().any(|page| self.may_hand_out(s, page));
                self.may_fail(s, no_page || s.memory.ldts.iter().all(|ldt| ldt.alive))?;
                if let Some(new) = s.thread_mut(id).new.take() {
                    s.memory.free_pages(new);
                    s.memory.free_struct(new);
                }
                give_number_back(s, id);
                self.enter(s, id, Phase::Release);
            }
            (Action::OutOfMemory, Pc::LockEntry(Work::Map)) => {
                if s.mm.has_table(now.slot?, now.index) {
                    return None;
                }
                self.may_fail(s, false)?;
                // `get_locked_pte()` may have got as far as the last level but one.
                s.mm.upper = true;
                self.mapping_failed(s, id);
            }
            (Action::W4CopyEntries, Pc::Copy) => {
                s.memory.copy_entries(now.old?, now.new?);
                self.enter_next(s, id, Phase::Copy);
            }
            (Action::W4EditEntry, Pc::Edit) => {
                s.memory.edit_entry(now.new?, now.entry, now.descriptor);
                self.enter_next(s, id, Phase::Edit);
            }
            (Action::W4EditEntry, Pc::EditInPlace) => {
                s.memory.edit_entry(now.old?, now.entry, now.descriptor);
                s.thread_mut(id).old = None;
                self.enter(s, id, Phase::TakeLock);
            }
            (Action::LockPageTable, Pc::LockEntry(work)) => {
                if s.table_lock.is_some() {
                    return None;
                }
                s.mm.provide_table(config.tables, now.slot?, now.index);
                s.table_lock = Some(id);
                s.thread_mut(id).pc = Pc::WriteEntry(work);
            }
            (Action::W5MapEntry, Pc::WriteEntry(Work::Map)) => {
                let page = s.memory.ldt(now.new?).pages[now.index as usize];
                s.mm.entries = s.mm.entries.with(now.slot?, now.index, page);
                s.thread_mut(id).pc = Pc::UnlockEntry(Work::Map);
            }
            (Action::W12ClearEntry, Pc::WriteEntry(work @ (Work::Unmap | Work::Undo))) => {
                s.mm.entries = s.mm.entries.with(now.slot?, now.index, None);
                s.thread_mut(id).pc = Pc::UnlockEntry(work);
            }
            (Action::UnlockPageTable, Pc::UnlockEntry(work)) => {
                s.table_lock = None;
                self.next_entry(s, id, work);
            }
            (Action::W6ShowSlots, Pc::Show) => {
                if s.mm.ldt.is_none() {
                    s.mm.visible = true;
                }
                self.enter_next(s, id, Phase::Show);
            }
            (Action::FlushRaiseGeneration, Pc::FlushBegin(flush)) => {
                for cpu in &mut s.cpus {
                    let never_used = cpu.pc == CpuPc::Run && !cpu.page_table && cpu.tlb == Translations::NONE;
                    if !never_used && cpu.behind < 2 {
                        cpu.behind += 1;
                    }
                }
                s.thread_mut(id).pc = Pc::FlushSend(flush);
            }
            (Action::FlushSendIpi, Pc::FlushSend(flush)) => {
                let targets = self.flush_targets(s, flush);
                let thread = s.thread_mut(id);
                thread.flush = thread.flush.or(targets);
                thread.pc = Pc::FlushWait(flush);
            }
            (Action::AllCpusAnswered, Pc::FlushWait(flush)) if now.flush == CpuSet::NONE => {
                self.flushed(s, id, flush);
            }
            (Action::AllCpusAnswered, Pc::WaitIpi) if now.reload == CpuSet::NONE => {
                self.enter_next(s, id, Phase::Interrupt);
            }
            (Action::W8SetSlot, Pc::SetSlot) => {
                s.memory.ldts[now.new? as usize].slot = now.slot;
                self.enter_next(s, id, Phase::SetSlot);
            }
            (Action::W9TakeLock, Pc::TakeLock) => {
                if s.lock.is_some() {
                    return None;
                }
                s.lock = Some(id);
                self.enter_next(s, id, Phase::TakeLock);
            }
            (Action::W9Publish, Pc::Publish) => {
                s.mm.ldt = now.new;
                s.before = s.now;
                s.now = s.now.with(now.entry, now.descriptor);
                self.enter_next(s, id, Phase::Publish);
            }
            (Action::W10SendIpi, Pc::SendIpi) => self.send_ipi(s, id),
            (Action::W11DropLock, Pc::DropLock) => {
                s.lock = None;
                self.enter_next(s, id, Phase::DropLock);
            }
            (Action::W13FreePages, Pc::FreePages) => {
                s.memory.free_pages(now.old?);
                self.enter_next(s, id, Phase::FreePages);
            }
            (Action::W13FreeStruct, Pc::FreeStruct) => {
                s.memory.free_struct(now.old?);
                s.thread_mut(id).old = None;
                self.enter_next(s, id, Phase::FreeStruct);
            }
            (Action::W14ReleaseUsrSem, Pc::Release) => {
                if config.usr_sem {
                    s.usr_sem = None;
                }
                *s.thread_mut(id) = Thread { reload: now.reload, flush: now.flush, ..Thread::USER };
            }
            (Action::UnlinkTables, Pc::UnlinkTables) => {
                s.mm.unlink_tables();
                let thread = s.thread_mut(id);
                thread.slot = None;
                thread.pc = Pc::FlushBegin(Flush::Undone);
            }
            (Action::W13FreePages, Pc::ErrorFreePages) => {
                s.memory.free_pages(self.freed_on_error(&now)?);
                s.thread_mut(id).pc = Pc::ErrorFreeStruct;
            }
            (Action::W13FreeStruct, Pc::ErrorFreeStruct) => {
                let freed = self.freed_on_error(&now)?;
                s.memory.free_struct(freed);
                let thread = s.thread_mut(id);
                if thread.new == Some(freed) {
                    thread.new = None;
                } else {
                    thread.old = None;
                }
                self.enter(s, id, Phase::Release);
            }
            _ => return self.exit_step(s, id, action),
        }
        Some(())
    }

    /// Whether an allocation may fail: as often as the size allows, and whenever there is nothing to hand out.
    fn may_fail(&self, s: &mut State, exhausted: bool) -> Option<()> {
        if s.failures < self.failures {
            s.failures += 1;
            return Some(());
        }
        exhausted.then_some(())
    }

    /// Exit of a thread, and of the address space with the last one.
    fn exit_step(&self, s: &mut State, id: ThreadId, action: Action) -> Option<()> {
        let now = *s.thread(id);
        match (action, now.pc) {
            (Action::Exit, Pc::User) if s.calls == self.writes => {
                let cpu = s.cpu_of(id)?;
                let others = ThreadId::ALL.into_iter().filter(|other| *other != id);
                let is_last = others.into_iter().all(|other| s.thread(other).pc == Pc::Gone);
                let c = s.cpu_mut(cpu);
                c.task = Task::Borrower;
                c.lazy = self.config.enters_lazy;
                s.thread_mut(id).pc = if is_last { Pc::ExitUnlink } else { Pc::Gone };
            }
            (Action::UnlinkTables, Pc::ExitUnlink) => {
                s.mm.unlink_tables();
                s.thread_mut(id).pc = Pc::FlushBegin(Flush::Exit);
            }
            (Action::W13FreePages, Pc::ExitFreePages) => {
                if self.config.exit_waits && s.cpus.iter().any(|cpu| cpu.active) {
                    return None;
                }
                if let Some(ldt) = s.mm.ldt {
                    s.memory.free_pages(ldt);
                }
                s.thread_mut(id).pc = Pc::ExitFreeStruct;
            }
            (Action::W13FreeStruct, Pc::ExitFreeStruct) => {
                if let Some(ldt) = s.mm.ldt.take() {
                    s.memory.free_struct(ldt);
                }
                s.thread_mut(id).pc = Pc::Gone;
            }
            _ => return None,
        }
        Some(())
    }

    /// The next part of `write_ldt()` after `phase` that has something to do.
    fn enter_next(&self, s: &mut State, id: ThreadId, phase: Phase) {
        let order = self.config.order.0;
        let mut found = false;
        for next in order {
            if found && !is_skipped(s, id, *next) {
                self.enter(s, id, *next);
                return;
            }
            found |= *next == phase;
        }
        self.enter(s, id, Phase::Release);
    }

    /// Puts a thread at the beginning of a part of `write_ldt()`.
    fn enter(&self, s: &mut State, id: ThreadId, phase: Phase) {
        let old = s.thread(id).old;
        let old_slot = old.and_then(|old| s.memory.ldt(old).slot);
        let old_size = old.map_or(0, |old| s.memory.ldt(old).size);
        let thread = s.thread_mut(id);
        thread.index = 0;
        thread.pc = match phase {
            Phase::ReadOld => Pc::ReadOld,
            Phase::Allocate => Pc::AllocateStruct,
            Phase::Copy => Pc::Copy,
            Phase::Edit => Pc::Edit,
            Phase::Map => {
                thread.slot = Some(choose_slot(&self.config, old.is_some(), old_slot));
                Pc::LockEntry(Work::Map)
            }
            Phase::Show => Pc::Show,
            Phase::FlushMapped => {
                thread.index = MAX_SIZE as u8;
                Pc::FlushBegin(Flush::Mapped)
            }
            Phase::SetSlot => Pc::SetSlot,
            Phase::TakeLock => Pc::TakeLock,
            Phase::Publish => Pc::Publish,
            Phase::Interrupt => Pc::SendIpi,
            Phase::DropLock => Pc::DropLock,
            Phase::Unmap => {
                thread.slot = old_slot;
                Pc::LockEntry(Work::Unmap)
            }
            Phase::FlushUnmapped => {
                thread.slot = old_slot;
                thread.index = old_size;
                Pc::FlushBegin(Flush::Unmapped)
            }
            Phase::FreePages => Pc::FreePages,
            Phase::FreeStruct => Pc::FreeStruct,
            Phase::Release => Pc::Release,
        };
    }

    /// The loop over page-table entries goes on, or is left.
    fn next_entry(&self, s: &mut State, id: ThreadId, work: Work) {
        let now = *s.thread(id);
        let count = match work {
            Work::Map => now.new.map_or(0, |new| s.memory.ldt(new).size),
            Work::Unmap if !self.config.unmap_all => 1,
            Work::Unmap => now.old.map_or(0, |old| s.memory.ldt(old).size),
            // Undone from the last entry that was set down to the first.
            Work::Undo => 0,
        };
        match work {
            Work::Undo if now.index > 0 => {
                let thread = s.thread_mut(id);
                thread.index -= 1;
                thread.pc = Pc::LockEntry(work);
            }
            Work::Undo => {
                let thread = s.thread_mut(id);
                thread.index = MAX_SIZE as u8;
                thread.pc = Pc::FlushBegin(Flush::Undone);
            }
            _ if now.index + 1 < count => {
                let thread = s.thread_mut(id);
                thread.index += 1;
                thread.pc = Pc::LockEntry(work);
            }
            Work::Map => self.enter_next(s, id, Phase::Map),
            Work::Unmap => self.enter_next(s, id, Phase::Unmap),
        }
    }

    fn mapping_failed(&self, s: &mut State, id: ThreadId) {
        give_number_back(s, id);
        let thread = s.thread_mut(id);
        thread.pc = match self.config.on_error {
            OnError::FreeTables | OnError::Unmap if thread.old.is_none() => Pc::UnlinkTables,
            OnError::Unmap if thread.index > 0 => {
                thread.index -= 1;
                Pc::LockEntry(Work::Undo)
            }
            _ => Pc::ErrorFreePages,
        };
        if self.freed_on_error(s.thread(id)).is_none() {
            self.enter(s, id, Phase::Release);
        }
    }

    /// The LDT that is freed when mapping fails.
    pub(super) fn freed_on_error(&self, thread: &Thread) -> Option<super::memory::LdtId> {
        match self.config.on_error {
            OnError::FreeOld => thread.old,
            OnError::FreeNew | OnError::FreeTables | OnError::Unmap => thread.new,
        }
    }

    /// The CPUs that a flush interrupts.
    pub(super) fn flush_targets(&self, s: &State, flush: Flush) -> CpuSet {
        // When page tables are freed, lazy CPUs must let go of them too.
        if flush == Flush::Exit || flush == Flush::Undone || self.config.lazy == LazyFlush::Leave {
            return s.mask;
        }
        let mut targets = s.mask;
        for (number, cpu) in s.cpus.iter().enumerate() {
            if cpu.lazy {
                targets = targets.minus(CpuSet::one(number as u8));
            }
        }
        targets
    }

    fn flushed(&self, s: &mut State, id: ThreadId, flush: Flush) {
        match flush {
            Flush::Mapped => self.enter_next(s, id, Phase::FlushMapped),
            Flush::Unmapped => self.enter_next(s, id, Phase::FlushUnmapped),
            Flush::Undone => {
                let thread = s.thread_mut(id);
                thread.index = 0;
                thread.pc = Pc::ErrorFreePages;
            }
            Flush::Exit => s.thread_mut(id).pc = Pc::ExitFreePages,
        }
    }

    fn send_ipi(&self, s: &mut State, id: ThreadId) {
        let now = *s.thread(id);
        if now.new.is_none() {
            // The form before 2015 has changed the installed LDT; this is where it begins to count.
            s.before = s.now;
            s.now = s.now.with(now.entry, now.descriptor);
        }
        let own = s.cpu_of(id).map_or(CpuSet::NONE, CpuSet::one);
        let targets = if self.config.own_cpu { s.mask } else { s.mask.minus(own) };
        let thread = s.thread_mut(id);
        thread.reload = thread.reload.or(targets);
        if self.config.wait {
            thread.pc = Pc::WaitIpi;
        } else {
            self.enter_next(s, id, Phase::Interrupt);
        }
    }
}

/// Whether a part of `write_ldt()` has nothing to do, because there was no LDT before or there is no new one.
fn is_skipped(s: &State, id: ThreadId, phase: Phase) -> bool {
    let old = s.thread(id).old;
    match phase {
        Phase::Publish => s.thread(id).new.is_none(),
        Phase::Copy | Phase::FreePages | Phase::FreeStruct => old.is_none(),
        Phase::Unmap | Phase::FlushUnmapped => old.is_none_or(|old| s.memory.ldt(old).slot.is_none()),
        _ => false,
    }
}

fn choose_slot(config: &Config, had_ldt: bool, old_slot: Option<Slot>) -> Slot {
    match (config.slot, had_ldt) {
        // `!slot` of -1 is 0.
        (SlotChoice::Other, true) => old_slot.map_or(Slot::S0, Slot::other),
        (SlotChoice::Constant, true) => Slot::S1,
        (_, false) | (SlotChoice::Single, true) => Slot::S0,
    }
}

/// A call that fails counts for nothing: its number, which is its descriptor, goes to the next call.
fn give_number_back(s: &mut State, id: ThreadId) {
    if s.thread(id).descriptor == s.calls {
        s.calls -= 1;
    }
    s.thread_mut(id).descriptor = 0;
}

/// The handler of an interrupt has finished.
fn acknowledge(s: &mut State, cpu: u8, ipi: Ipi) {
    let answered = CpuSet::one(cpu);
    match ipi {
        Ipi::Reload(from) => {
            let thread = s.thread_mut(from);
            thread.reload = thread.reload.minus(answered);
        }
        Ipi::Flush(from) => {
            let thread = s.thread_mut(from);
            thread.flush = thread.flush.minus(answered);
        }
        Ipi::Unrelated => {}
    }
}

/// `flush_tlb_func()`: drops the range if that is all the CPU is behind, everything if it is further behind.
fn flush_tlb(s: &mut State, cpu: u8, from: ThreadId, records_generation: bool) {
    let request = *s.thread(from);
    let c = s.cpu_mut(cpu);
    c.tlb = match (c.behind, request.slot) {
        (0, _) => c.tlb,
        (1, Some(slot)) => c.tlb.without(slot, request.index),
        _ => Translations::NONE,
    };
    if records_generation {
        c.behind = 0;
    }
}
