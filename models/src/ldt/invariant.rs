//! What is true in every state of the machine [`Ldt`] in the form of mainline: an inductive invariant.
//!
//! It covers the variants with the configuration of `mainline`. It is true at the start, every step keeps it, and every
//! claim follows from it. In short:
//!
//! - at most one thread is in a call, or in exit; its place says what its locals are, what it has allocated, and what
//!   the page tables show;
//! - a CPU's place says whether it has the page table and its bit in `mm_cpumask`, and its LDTR is that of the
//!   installed LDT, or of the one before as long as it has still to answer W10;
//! - a TLB that counts as up to date has nothing but what the page tables show, or what is being unmapped.

use crate::machine::Invariant;

use super::memory::{Content, Frame, Image, LdtId, LdtStruct, Mm, Page, Slot, Translations, Use, MAX_SIZE, PER_PAGE};
use super::variants::MAINLINE;
use super::{Cpu, CpuPc, CpuSet, Flush, Ipi, Ldt, Ldtr, Pc, State, Task, Thread, ThreadId, Work, MAX_CPUS, MAX_WRITES};

/// The invariant, for the engines.
pub(super) const INVARIANT: Invariant<Ldt> = Invariant::new(Ldt::has_invariant, Ldt::invariant);

impl Ldt {
    /// Whether [`Ldt::invariant`] is about this variant.
    #[must_use]
    pub fn has_invariant(&self) -> bool {
        self.config == MAINLINE
    }

    /// The invariant; see the module.
    #[must_use]
    pub fn invariant(&self, s: &State) -> bool {
        let busy = busy(s);
        let t = busy.map_or(Thread::USER, |id| *s.thread(id));
        let mut good = self.threads_fit(s, busy) && self.memory_fits(s, &t) && self.tables_fit(s, &t);
        for cpu in 0..MAX_CPUS as u8 {
            good &= self.cpu_fits(s, cpu, busy, &t);
        }
        good && self.images_fit(s, &t) && s.mask.0 >> MAX_CPUS == 0
    }

    /// One thread at most is in a call or in exit; it has the locks that its place says.
    fn threads_fit(&self, s: &State, busy: Option<ThreadId>) -> bool {
        let mut good = s.calls <= self.writes && s.failures <= self.failures;
        let mut has_caller = false;
        for id in ThreadId::ALL {
            let t = s.thread(id);
            let exists = (id as u8) < self.threads;
            has_caller |= (id as u8) < self.callers && !t.pc.is_exiting();
            let may_call = (id as u8) < self.callers || t.pc.is_exiting();
            good &= match t.pc {
                Pc::User => exists && *t == Thread::USER,
                Pc::Gone => *t == Thread { pc: Pc::Gone, ..Thread::USER },
                _ => exists && may_call && busy == Some(id) && self.locals_fit(s, t),
            };
        }
        let pc = busy.map(|id| s.thread(id).pc);
        let in_call = pc.is_some_and(|pc| !pc.is_exiting());
        let is_installing = matches!(pc, Some(Pc::Publish | Pc::SendIpi | Pc::WaitIpi | Pc::DropLock));
        let is_writing = matches!(pc, Some(Pc::WriteEntry(_) | Pc::UnlockEntry(_)));
        let holds = |inside: bool| if inside { busy } else { None };
        good && (has_caller || s.calls == self.writes)
            && s.usr_sem == holds(in_call)
            && s.lock == holds(is_installing)
            && s.table_lock == holds(is_writing)
    }

    /// The locals of the thread that is in a call or in exit.
    fn locals_fit(&self, s: &State, t: &Thread) -> bool {
        let all = CpuSet((1 << self.cpus) - 1);
        let waits_for_reload = t.pc == Pc::WaitIpi;
        let waits_for_flush = matches!(t.pc, Pc::FlushWait(_));
        let sets = (t.reload == CpuSet::NONE || waits_for_reload && t.reload.minus(all) == CpuSet::NONE)
            && (t.flush == CpuSet::NONE || waits_for_flush && t.flush.minus(all) == CpuSet::NONE);
        if t.pc.is_exiting() {
            let plain = Thread { pc: t.pc, flush: t.flush, ..Thread::USER };
            let mut others_gone = true;
            let mut alive = 0;
            for other in &s.threads {
                alive += u8::from(other.pc != Pc::Gone);
                others_gone &= other.pc.is_exiting();
            }
            return sets && *t == plain && others_gone && alive == 1;
        }
        let installed = s.mm.ldt;
        let old = t.old.map(|id| s.memory.ldt(id));
        let other_slot = Some(old.and_then(|old| old.slot).map_or(Slot::S0, Slot::other));
        let new_size = t.new.map_or(0, |id| s.memory.ldt(id).size);
        let old_size = old.map_or(0, |old| old.size);
        let old_slot = old.and_then(|old| old.slot);
        // Which LDTs it knows.
        let is_old = t.old == installed;
        let makes_new = t.new.is_some() && t.new != installed;
        let replaced = t.new.is_some() && t.new == installed && t.old != installed;
        let failed = t.old.is_none() && installed.is_none() && makes_new && t.descriptor == 0;
        let plain = t.slot.is_none() && t.index == 0;
        let fits = match t.pc {
            Pc::ReadOld => t.old.is_none() && t.new.is_none() && plain,
            Pc::AllocateStruct => is_old && t.new.is_none() && plain,
            Pc::AllocatePage | Pc::Edit => is_old && makes_new && plain,
            Pc::Copy => is_old && t.old.is_some() && makes_new && plain,
            Pc::LockEntry(Work::Map) | Pc::WriteEntry(Work::Map) | Pc::UnlockEntry(Work::Map) => {
                is_old && makes_new && t.slot == other_slot && t.index < new_size
            }
            Pc::Show | Pc::SetSlot | Pc::TakeLock | Pc::Publish => {
                is_old && makes_new && t.slot == other_slot && t.index == 0
            }
            Pc::SendIpi | Pc::WaitIpi | Pc::DropLock => replaced && t.slot == other_slot && t.index == 0,
            Pc::LockEntry(Work::Unmap) | Pc::WriteEntry(Work::Unmap) | Pc::UnlockEntry(Work::Unmap) => {
                replaced && old.is_some() && t.slot == old_slot && t.index < old_size
            }
            Pc::FlushBegin(Flush::Unmapped) | Pc::FlushSend(Flush::Unmapped) | Pc::FlushWait(Flush::Unmapped) => {
                replaced && old.is_some() && t.slot == old_slot && t.index == old_size
            }
            Pc::FreePages | Pc::FreeStruct => replaced && old.is_some() && t.index == 0,
            Pc::Release => (t.old.is_none() || is_old) && (t.new.is_none() || t.new == installed) && t.index == 0,
            Pc::UnlinkTables => failed && t.slot == Some(Slot::S0) && t.index == 0,
            Pc::FlushBegin(Flush::Undone)
            | Pc::FlushSend(Flush::Undone)
            | Pc::FlushWait(Flush::Undone)
            | Pc::ErrorFreePages
            | Pc::ErrorFreeStruct => failed && plain,
            _ => false,
        };
        // What a call that gives up has left is no longer its number.
        let gave_up = matches!(
            t.pc,
            Pc::Release
                | Pc::UnlinkTables
                | Pc::FlushBegin(Flush::Undone)
                | Pc::FlushSend(Flush::Undone)
                | Pc::FlushWait(Flush::Undone)
                | Pc::ErrorFreePages
                | Pc::ErrorFreeStruct
        );
        let numbered = gave_up || t.descriptor > 0;
        sets && fits && numbered && t.entry < self.entries && t.descriptor <= MAX_WRITES
    }

    /// Exactly the LDTs that somebody knows are alive, each with what it should have by now; every page has one owner.
    fn memory_fits(&self, s: &State, t: &Thread) -> bool {
        let mut good = true;
        for id in LdtId::ALL {
            let ldt = s.memory.ldt(id);
            good &= if s.mm.ldt == Some(id) {
                let pages = if t.pc == Pc::ExitFreeStruct { 0 } else { ldt.size };
                self.ldt_fits(&ldt, pages) && ldt.slot.is_some()
            } else if t.new == Some(id) {
                self.new_fits(s, t, &ldt)
            } else if t.old == Some(id) {
                let pages = if t.pc == Pc::FreeStruct { 0 } else { ldt.size };
                let slot = s.mm.ldt.and_then(|installed| s.memory.ldt(installed).slot);
                self.ldt_fits(&ldt, pages) && ldt.slot.is_some() && slot == ldt.slot.map(Slot::other)
            } else {
                ldt == LdtStruct::DEAD
            };
        }
        for page in Page::ALL {
            let mut listed = 0;
            for ldt in &s.memory.ldts {
                for entry in ldt.pages {
                    listed += u8::from(entry == Some(page));
                }
            }
            let frame = s.memory.frame(page);
            good &= match listed {
                0 => frame == Frame::FREE,
                1 => frame.used_by == Use::Ldt && (page as u8) < self.pages(),
                _ => false,
            };
        }
        good
    }

    /// A live LDT with so many of its pages.
    fn ldt_fits(&self, ldt: &LdtStruct, pages: u8) -> bool {
        ldt.alive
            && ldt.entries > 0
            && ldt.entries <= self.entries
            && ldt.size == ldt.entries.div_ceil(PER_PAGE)
            && ldt.pages[0].is_some() == (pages > 0)
            && ldt.pages[1].is_some() == (pages > 1)
    }

    /// The LDT that is being made.
    fn new_fits(&self, s: &State, t: &Thread, new: &LdtStruct) -> bool {
        let had = t.old.map_or(0, |old| s.memory.ldt(old).entries);
        let pages = match t.pc {
            Pc::AllocatePage => new.pages_held(),
            Pc::ErrorFreeStruct => 0,
            _ => new.size,
        };
        let is_missing_one = t.pc != Pc::AllocatePage || pages < new.size;
        let slot = if matches!(t.pc, Pc::TakeLock | Pc::Publish) { t.slot } else { None };
        let mut zeroed = true;
        for page in new.pages.into_iter().flatten() {
            zeroed &= s.memory.frame(page).content == Content::ZEROES;
        }
        self.ldt_fits(new, pages)
            && is_missing_one
            && new.slot == slot
            && new.entries == if t.entry < had { had } else { t.entry + 1 }
            && (zeroed || !matches!(t.pc, Pc::AllocatePage | Pc::Copy))
    }

    /// The installed LDT is what was asked for; so is the one that is being made, as far as it has got.
    fn images_fit(&self, s: &State, t: &Thread) -> bool {
        if t.pc == Pc::ExitFreeStruct || s.is_gone() {
            return true;
        }
        let image = |id: Option<LdtId>| id.map_or(Some(Image::NONE), |id| s.memory.image(id));
        let asked = s.now.with(t.entry, t.descriptor);
        let made = match t.pc {
            Pc::Edit => image(t.new) == Some(s.now.with(t.entry, s.now.descriptor(t.entry))),
            Pc::LockEntry(Work::Map) | Pc::WriteEntry(Work::Map) | Pc::UnlockEntry(Work::Map) => {
                image(t.new) == Some(asked)
            }
            Pc::Show | Pc::SetSlot | Pc::TakeLock | Pc::Publish => image(t.new) == Some(asked),
            Pc::SendIpi | Pc::WaitIpi => {
                image(t.old) == Some(s.before) && s.now == s.before.with(t.entry, t.descriptor)
            }
            _ => true,
        };
        made && image(s.mm.ldt) == Some(s.now)
    }

    /// The page tables show the installed LDT, and of another one as much as the place of the call says.
    fn tables_fit(&self, s: &State, t: &Thread) -> bool {
        s.mm == expected_tables(s, t) && (s.mm.ldt.is_none() || !s.is_gone())
    }

    /// A CPU's place says what it has; `t` is the thread `busy` that is in a call or in exit.
    fn cpu_fits(&self, s: &State, number: u8, busy: Option<ThreadId>, t: &Thread) -> bool {
        let cpu = &s.cpus[number as usize];
        let in_mask = s.mask.has(number);
        if number >= self.cpus {
            return *cpu == Cpu::FOREIGN && !in_mask;
        }
        let is_alone = match cpu.task {
            Task::Thread(id) => {
                let mut on = 0;
                for other in &s.cpus {
                    on += u8::from(other.task == cpu.task);
                }
                on == 1 && !s.thread(id).pc.is_exiting()
            }
            Task::Borrower | Task::Foreign => true,
        };
        is_alone
            && cpu.behind <= 2
            && cpu.page_table == cpu.loaded
            && self.place_fits(cpu, number, in_mask, busy, t)
            && self.ldtr_fits(s, cpu, number, t)
            && self.tlb_fits(s, cpu, number, t)
            && self.lag_fits(s, cpu, number, t)
    }

    fn place_fits(&self, cpu: &Cpu, number: u8, in_mask: bool, busy: Option<ThreadId>, t: &Thread) -> bool {
        let is_thread = cpu.task.is_thread();
        let has =
            |active, loaded, mask, lazy| (cpu.active, cpu.loaded, in_mask, cpu.lazy) == (active, loaded, mask, lazy);
        let is_left_by_switch = cpu.task == Task::Foreign && cpu.answering.is_none();
        let is_left_by_flush = cpu.task == Task::Borrower
            && busy.is_some_and(|id| cpu.answering == Some(Ipi::Flush(id)))
            && t.flush.has(number);
        let leaves = is_left_by_switch || is_left_by_flush;
        let reloads = busy.is_some_and(|id| cpu.answering == Some(Ipi::Reload(id))) && t.reload.has(number);
        let undisturbed = cpu.answering.is_none();
        (cpu.pc == CpuPc::LoadLdtr || cpu.ldt.is_none())
            && match cpu.pc {
                CpuPc::Run => {
                    undisturbed
                        && match cpu.task {
                            Task::Thread(_) => has(true, true, true, false),
                            Task::Borrower => has(true, cpu.loaded, cpu.loaded, cpu.loaded),
                            Task::Foreign => has(false, false, false, false),
                        }
                }
                CpuPc::CatchUp => is_thread && undisturbed && has(true, true, true, false),
                CpuPc::SetMask => is_thread && undisturbed && has(true, false, false, false),
                CpuPc::ReadGeneration | CpuPc::LoadPageTable { .. } => {
                    is_thread && undisturbed && has(true, false, true, false)
                }
                CpuPc::ReadLdt | CpuPc::LoadLdtr => {
                    has(true, true, true, !is_thread)
                        && cpu.task != Task::Foreign
                        && (reloads || is_thread && undisturbed)
                }
                CpuPc::ClearMask => leaves && has(true, true, true, false),
                CpuPc::LeavePageTable => leaves && has(true, true, false, false),
                CpuPc::ClearLdtr => leaves && has(true, false, false, false),
            }
    }

    /// LDTR is that of the installed LDT, or of the one before until W10 is answered.
    fn ldtr_fits(&self, s: &State, cpu: &Cpu, number: u8, t: &Thread) -> bool {
        let of = |id: Option<LdtId>| {
            id.and_then(|id| s.memory.ldt(id).slot.map(|slot| Ldtr { slot, entries: s.memory.ldt(id).entries }))
        };
        let may_be_old = t.pc == Pc::SendIpi || t.pc == Pc::WaitIpi && t.reload.has(number);
        let undisturbed = cpu.answering.is_none();
        let fits = match cpu.pc {
            CpuPc::Run | CpuPc::CatchUp if cpu.loaded => {
                cpu.ldtr == of(s.mm.ldt) || may_be_old && cpu.ldtr == of(t.old)
            }
            CpuPc::Run | CpuPc::CatchUp => cpu.ldtr.is_none(),
            CpuPc::SetMask | CpuPc::ReadGeneration | CpuPc::LoadPageTable { .. } => cpu.ldtr.is_none(),
            CpuPc::ReadLdt => cpu.ldtr.is_none() || !undisturbed,
            CpuPc::LoadLdtr => {
                let is_old = may_be_old && undisturbed && cpu.ldt == t.old;
                (cpu.ldtr.is_none() || !undisturbed) && cpu.ldt.is_some() && (cpu.ldt == s.mm.ldt || is_old)
            }
            CpuPc::ClearMask | CpuPc::LeavePageTable | CpuPc::ClearLdtr => true,
        };
        fits && (s.mm.ldt.is_some() || cpu.ldtr.is_none())
    }

    /// A TLB that counts as up to date shows nothing that the page tables do not show, but for what is being unmapped.
    fn tlb_fits(&self, s: &State, cpu: &Cpu, _number: u8, t: &Thread) -> bool {
        if t.pc.is_exiting() || s.is_gone() {
            return true;
        }
        if !s.mm.visible {
            return cpu.tlb == Translations::NONE;
        }
        let unmaps = matches!(
            t.pc,
            Pc::LockEntry(Work::Unmap)
                | Pc::WriteEntry(Work::Unmap)
                | Pc::UnlockEntry(Work::Unmap)
                | Pc::FlushBegin(Flush::Unmapped)
        );
        let flushes = matches!(t.pc, Pc::FlushSend(Flush::Unmapped) | Pc::FlushWait(Flush::Unmapped));
        let counts = match cpu.pc {
            CpuPc::LoadPageTable { flush: true } => false,
            _ => cpu.behind == 0 || cpu.behind == 1 && flushes,
        };
        let may_be_stale = unmaps && cpu.behind == 0 || flushes && cpu.behind == 1;
        let old = t.old.map(|id| s.memory.ldt(id));
        let mut good = true;
        for slot in Slot::BOTH {
            for entry in 0..MAX_SIZE as u8 {
                let cached = cpu.tlb.get(slot, entry);
                let was = old.and_then(|old| old.pages[entry as usize]);
                let is_stale_old = may_be_stale && t.slot == Some(slot) && cached == was;
                good &= cached.is_none() || cached == s.mm.walk(slot, entry) || is_stale_old;
            }
        }
        good || !counts
    }

    /// The state closest to any given one that has a chance to satisfy [`Ldt::invariant`]: what the invariant determines
    /// is filled in, the rest stays. A state that satisfies it stays as it is, so that random states become states of
    /// every kind that the invariant allows. For tests: a proof takes any state.
    #[must_use]
    pub fn repaired(&self, mut s: State) -> State {
        self.repair_threads(&mut s);
        let busy = busy(&s);
        let mut t = busy.map_or(Thread::USER, |id| *s.thread(id));
        self.repair_locals(&mut s, &mut t);
        self.repair_memory(&mut s, &mut t);
        if let Some(id) = busy {
            s.threads[id as usize] = t;
        }
        s.mm = expected_tables(&s, &t);
        s.mask = CpuSet(s.mask.0 & ((1 << self.cpus) - 1));
        for number in 0..MAX_CPUS as u8 {
            self.repair_cpu(&mut s, number, busy, &mut t);
        }
        if let Some(id) = busy {
            s.threads[id as usize] = t;
        }
        s
    }

    fn repair_threads(&self, s: &mut State) {
        let is_busy = |t: &Thread| !matches!(t.pc, Pc::User | Pc::Gone);
        let may_be_busy = |id: ThreadId, t: &Thread| {
            (id as u8) < self.threads && is_busy(t) && ((id as u8) < self.callers || t.pc.is_exiting())
        };
        let id = ThreadId::ALL.into_iter().find(|id| may_be_busy(*id, s.thread(*id)));
        let exits = id.is_some_and(|id| s.thread(id).pc.is_exiting());
        s.calls = s.calls.min(self.writes);
        s.failures = s.failures.min(self.failures);
        let mut has_caller = false;
        for other in ThreadId::ALL {
            let thread = &mut s.threads[other as usize];
            if id != Some(other) {
                let gone = exits || thread.pc == Pc::Gone || other as u8 >= self.threads;
                *thread = Thread { pc: if gone { Pc::Gone } else { Pc::User }, ..Thread::USER };
            }
            has_caller |= (other as u8) < self.callers && !thread.pc.is_exiting();
        }
        if !has_caller {
            s.calls = self.writes;
        }
        let pc = id.map(|id| s.thread(id).pc);
        let holds = |inside: bool| if inside { id } else { None };
        s.usr_sem = holds(!exits);
        s.lock = holds(matches!(pc, Some(Pc::Publish | Pc::SendIpi | Pc::WaitIpi | Pc::DropLock)));
        s.table_lock = holds(matches!(pc, Some(Pc::WriteEntry(_) | Pc::UnlockEntry(_))));
    }

    fn repair_locals(&self, s: &mut State, t: &mut Thread) {
        let all = CpuSet((1 << self.cpus) - 1);
        let within = |set: CpuSet, waits: bool| if waits { CpuSet(set.0 & all.0) } else { CpuSet::NONE };
        t.reload = within(t.reload, t.pc == Pc::WaitIpi);
        t.flush = within(t.flush, matches!(t.pc, Pc::FlushWait(_)));
        if s.is_gone() {
            s.mm.ldt = None;
        }
        if t.pc.is_exiting() || t.pc == Pc::User {
            *t = Thread { pc: t.pc, flush: t.flush, ..Thread::USER };
            return;
        }
        let other = |id: LdtId| LdtId::ALL[(id as usize + 1) % LdtId::ALL.len()];
        let installed = match t.pc {
            Pc::UnlinkTables
            | Pc::FlushBegin(Flush::Undone)
            | Pc::FlushSend(Flush::Undone)
            | Pc::FlushWait(Flush::Undone)
            | Pc::ErrorFreePages
            | Pc::ErrorFreeStruct => None,
            pc if is_before_publish(pc) && pc != Pc::Copy || pc == Pc::Release => s.mm.ldt,
            _ => Some(s.mm.ldt.unwrap_or(LdtId::L0)),
        };
        s.mm.ldt = installed;
        let failed = installed.is_none() && !is_before_publish(t.pc) && t.pc != Pc::Release;
        let unlike = |id: Option<LdtId>| match id {
            id if id == installed => installed.map_or(Some(LdtId::L0), |id| Some(other(id))),
            None => installed.map_or(Some(LdtId::L0), |id| Some(other(id))),
            id => id,
        };
        match t.pc {
            Pc::ReadOld => (t.old, t.new) = (None, None),
            Pc::AllocateStruct => (t.old, t.new) = (installed, None),
            Pc::Release => {
                t.old = if t.old == installed { t.old } else { None };
                t.new = if t.new == installed { t.new } else { None };
            }
            pc if is_before_publish(pc) || failed => (t.old, t.new) = (installed, unlike(t.new)),
            Pc::SendIpi | Pc::WaitIpi | Pc::DropLock => {
                t.old = if t.old.is_none() { None } else { unlike(t.old) };
                t.new = installed;
            }
            _ => (t.old, t.new) = (unlike(t.old), installed),
        }
        t.entry %= self.entries;
        t.descriptor = match t.pc {
            _ if failed => 0,
            Pc::Release => t.descriptor.min(MAX_WRITES),
            _ => t.descriptor.clamp(1, MAX_WRITES),
        };
    }

    fn repair_memory(&self, s: &mut State, t: &mut Thread) {
        let given = s.memory;
        let entries = |id: LdtId| match given.ldt(id).entries {
            0 => 1,
            entries => 1 + (entries - 1) % self.entries,
        };
        let installed = s.mm.ldt;
        let is_announcing = matches!(t.pc, Pc::SendIpi | Pc::WaitIpi);
        let slot = installed.map(|id| given.ldt(id).slot.unwrap_or(Slot::S0));
        let free_slot = slot.map_or(Slot::S0, Slot::other);
        let makes = |new: u8, old: Option<LdtId>| old.map_or(0, entries).max(new + 1);
        let mut taken = [false; 4];
        for id in LdtId::ALL {
            let (number, held, slot) = if installed == Some(id) {
                let number = if is_announcing { makes(t.entry, t.old) } else { entries(id) };
                (number, if t.pc == Pc::ExitFreeStruct { 0 } else { 2 }, slot)
            } else if t.new == Some(id) {
                let held = match t.pc {
                    Pc::AllocatePage => given.ldt(id).pages_held(),
                    Pc::ErrorFreeStruct => 0,
                    _ => 2,
                };
                let is_set = matches!(t.pc, Pc::TakeLock | Pc::Publish);
                (makes(t.entry, t.old), held, if is_set { Some(free_slot) } else { None })
            } else if t.old == Some(id) {
                (entries(id), if t.pc == Pc::FreeStruct { 0 } else { 2 }, Some(free_slot))
            } else {
                s.memory.ldts[id as usize] = LdtStruct::DEAD;
                continue;
            };
            let size = number.div_ceil(PER_PAGE);
            let held = if t.pc == Pc::AllocatePage && t.new == Some(id) { held.min(size - 1) } else { held.min(size) };
            let mut pages = [None; MAX_SIZE];
            for (index, page) in pages.iter_mut().enumerate().take(held as usize) {
                let is_good = |page: &Page| (*page as u8) < self.pages() && !taken[*page as usize];
                let kept = given.ldt(id).pages[index].filter(is_good);
                *page = kept.or_else(|| Page::ALL.into_iter().find(is_good));
                if let Some(page) = *page {
                    taken[page as usize] = true;
                }
            }
            s.memory.ldts[id as usize] = LdtStruct { alive: true, pages, entries: number, size, slot };
        }
        for page in Page::ALL {
            let content = given.frame(page).content;
            let used = Frame { used_by: Use::Ldt, content };
            s.memory.frames[page as usize] = if taken[page as usize] { used } else { Frame::FREE };
        }
        self.repair_contents(s, t);
        let old_slot = t.old.and_then(|id| s.memory.ldt(id).slot);
        let size = |id: Option<LdtId>| id.map_or(1, |id| s.memory.ldt(id).size.max(1));
        (t.slot, t.index) = match t.pc {
            Pc::LockEntry(Work::Map) | Pc::WriteEntry(Work::Map) | Pc::UnlockEntry(Work::Map) => {
                (Some(free_slot), t.index % size(t.new))
            }
            Pc::Show | Pc::SetSlot | Pc::TakeLock | Pc::Publish | Pc::UnlinkTables => (Some(free_slot), 0),
            Pc::SendIpi | Pc::WaitIpi | Pc::DropLock => (Some(old_slot.map_or(Slot::S0, Slot::other)), 0),
            Pc::LockEntry(Work::Unmap) | Pc::WriteEntry(Work::Unmap) | Pc::UnlockEntry(Work::Unmap) => {
                (old_slot, t.index % size(t.old))
            }
            Pc::FlushBegin(Flush::Unmapped) | Pc::FlushSend(Flush::Unmapped) | Pc::FlushWait(Flush::Unmapped) => {
                (old_slot, size(t.old))
            }
            Pc::FreePages | Pc::FreeStruct | Pc::Release => (t.slot, 0),
            _ => (None, 0),
        };
        if matches!(t.pc, Pc::SendIpi | Pc::WaitIpi | Pc::DropLock) && t.old.is_none() {
            // The first LDT is in the first slot.
            if let Some(id) = installed {
                s.memory.ldts[id as usize].slot = Some(given.ldt(id).slot.unwrap_or(Slot::S0));
            }
        }
    }

    fn repair_contents(&self, s: &mut State, t: &Thread) {
        let write = |s: &mut State, id: LdtId, image: Image| {
            for entry in 0..s.memory.ldt(id).entries {
                s.memory.edit_entry(id, entry, image.descriptor(entry));
            }
        };
        if t.pc == Pc::ExitFreeStruct || s.is_gone() {
            return;
        }
        if matches!(t.pc, Pc::SendIpi | Pc::WaitIpi) {
            s.before = t.old.and_then(|id| s.memory.image(id)).unwrap_or(Image::NONE);
            if let Some(id) = s.mm.ldt {
                let announced = s.before.with(t.entry, t.descriptor);
                write(s, id, announced);
            }
        }
        s.now = s.mm.ldt.and_then(|id| s.memory.image(id)).unwrap_or(Image::NONE);
        let Some(new) = t.new.filter(|new| s.mm.ldt != Some(*new)) else { return };
        match t.pc {
            Pc::AllocatePage | Pc::Copy => {
                for page in s.memory.ldt(new).pages.into_iter().flatten() {
                    s.memory.frames[page as usize].content = Content::ZEROES;
                }
            }
            Pc::Edit => {
                let copied = s.now;
                write(s, new, copied);
            }
            pc if is_before_publish(pc) => {
                let asked = s.now.with(t.entry, t.descriptor);
                write(s, new, asked);
            }
            _ => {}
        }
    }

    fn repair_cpu(&self, s: &mut State, number: u8, busy: Option<ThreadId>, t: &mut Thread) {
        if number >= self.cpus {
            s.cpus[number as usize] = Cpu::FOREIGN;
            return;
        }
        let mut cpu = s.cpus[number as usize];
        let is_taken = s.cpus[..number as usize].iter().any(|other| other.task == cpu.task);
        if matches!(cpu.task, Task::Thread(id) if is_taken || s.thread(id).pc.is_exiting()) {
            cpu.task = Task::Borrower;
        }
        let ends = t.pc == Pc::ExitFreeStruct || s.is_gone();
        if ends {
            (cpu.task, cpu.pc) = (Task::Foreign, CpuPc::Run);
        }
        self.repair_place(&mut cpu, number, busy, t);
        let has = |active, loaded, mask, lazy| (active, loaded, mask, lazy);
        let stays = cpu.loaded && t.pc != Pc::ExitFreePages;
        let stays = stays && (t.pc != Pc::FlushWait(Flush::Exit) || t.flush.has(number));
        let (active, loaded, mask, lazy) = match (cpu.pc, cpu.task) {
            (CpuPc::Run | CpuPc::CatchUp, Task::Thread(_)) => has(true, true, true, false),
            (CpuPc::Run, Task::Borrower) => has(true, stays, stays, stays),
            (CpuPc::SetMask, _) => has(true, false, false, false),
            (CpuPc::ReadGeneration | CpuPc::LoadPageTable { .. }, _) => has(true, false, true, false),
            (CpuPc::ReadLdt | CpuPc::LoadLdtr, task) => has(true, true, true, !task.is_thread()),
            (CpuPc::ClearMask, _) => has(true, true, true, false),
            (CpuPc::LeavePageTable, _) => has(true, true, false, false),
            (CpuPc::ClearLdtr, _) => has(true, false, false, false),
            _ => has(false, false, false, false),
        };
        (cpu.active, cpu.loaded, cpu.page_table, cpu.lazy) = (active, loaded, loaded, lazy);
        s.mask = if mask { s.mask.or(CpuSet::one(number)) } else { s.mask.minus(CpuSet::one(number)) };
        self.repair_registers(s, &mut cpu, number, t);
        cpu.behind = cpu.behind.min(2);
        while cpu.behind > 0 && !self.lag_fits(s, &cpu, number, t) {
            cpu.behind -= 1;
        }
        self.repair_tlb(s, &mut cpu, number, t);
        s.cpus[number as usize] = cpu;
    }

    fn repair_place(&self, cpu: &mut Cpu, number: u8, busy: Option<ThreadId>, t: &mut Thread) {
        let one = CpuSet::one(number);
        let answers = cpu.answering.is_some();
        let reload = if t.pc == Pc::WaitIpi { busy.map(Ipi::Reload) } else { None };
        let flush = if matches!(t.pc, Pc::FlushWait(_)) { busy.map(Ipi::Flush) } else { None };
        let (allowed, answering) = match (cpu.task, cpu.pc) {
            (Task::Thread(_), CpuPc::ReadLdt | CpuPc::LoadLdtr) => (true, if answers { reload } else { None }),
            (Task::Thread(_), pc) => (!leaves(pc), None),
            (Task::Borrower, CpuPc::ReadLdt | CpuPc::LoadLdtr) => (reload.is_some(), reload),
            (Task::Borrower, pc) if leaves(pc) => (flush.is_some(), flush),
            (Task::Foreign, pc) => (leaves(pc), None),
            (Task::Borrower, _) => (false, None),
        };
        (cpu.pc, cpu.answering) = if allowed { (cpu.pc, answering) } else { (CpuPc::Run, None) };
        match cpu.answering {
            Some(Ipi::Reload(_)) => t.reload = t.reload.or(one),
            Some(Ipi::Flush(_)) => t.flush = t.flush.or(one),
            _ => {}
        }
    }

    fn repair_registers(&self, s: &State, cpu: &mut Cpu, number: u8, t: &Thread) {
        let of = |id: Option<LdtId>| {
            id.and_then(|id| s.memory.ldt(id).slot.map(|slot| Ldtr { slot, entries: s.memory.ldt(id).entries }))
        };
        if cpu.pc == CpuPc::LoadLdtr {
            let is_old = cpu.ldt != s.mm.ldt && t.old.is_some();
            cpu.ldt = if is_old { t.old } else { s.mm.ldt };
            if !self.ldtr_fits(s, &Cpu { ldtr: None, ..*cpu }, number, t) {
                cpu.ldt = s.mm.ldt;
            }
            if cpu.ldt.is_none() {
                cpu.pc = CpuPc::ReadLdt;
            }
        } else {
            cpu.ldt = None;
        }
        let given = cpu.ldtr;
        let like_old = given.map(|ldtr| ldtr.slot) == of(t.old).map(|ldtr| ldtr.slot);
        let choices =
            if like_old { [given, of(t.old), of(s.mm.ldt), None] } else { [given, of(s.mm.ldt), None, of(t.old)] };
        for ldtr in choices {
            cpu.ldtr = ldtr;
            if self.ldtr_fits(s, cpu, number, t) {
                return;
            }
        }
    }

    fn repair_tlb(&self, s: &State, cpu: &mut Cpu, number: u8, t: &Thread) {
        let given = cpu.tlb;
        cpu.tlb = Translations::NONE;
        let old = t.old.map(|id| s.memory.ldt(id));
        for slot in Slot::BOTH {
            for entry in 0..MAX_SIZE as u8 {
                let cached = given.get(slot, entry);
                let was = old.and_then(|old| old.pages[entry as usize]);
                for page in [cached, was, s.mm.walk(slot, entry), None] {
                    cpu.tlb = cpu.tlb.with(slot, entry, page);
                    if cached.is_none() || page.is_some() && self.tlb_fits(s, cpu, number, t) {
                        break;
                    }
                }
            }
        }
    }

    /// A CPU that is behind will be told, or will find out before it runs a thread.
    fn lag_fits(&self, s: &State, cpu: &Cpu, number: u8, t: &Thread) -> bool {
        let will_be_told = matches!(t.pc, Pc::FlushSend(_)) || t.flush.has(number);
        let is_up_to_date = match cpu.pc {
            CpuPc::Run => cpu.task.is_thread(),
            CpuPc::ReadLdt | CpuPc::LoadLdtr => !cpu.lazy,
            CpuPc::LoadPageTable { .. } => true,
            _ => false,
        };
        let at_rest = cpu.pc == CpuPc::Run && cpu.page_table;
        let told = match t.pc {
            Pc::FlushWait(Flush::Undone) => !at_rest || cpu.behind == 0 || t.flush.has(number),
            Pc::ErrorFreePages | Pc::ErrorFreeStruct => !at_rest || cpu.behind == 0,
            Pc::FlushWait(Flush::Exit) => !at_rest || t.flush.has(number),
            Pc::ExitFreePages => !at_rest,
            Pc::ExitFreeStruct => !cpu.active,
            _ => !s.is_gone() || !cpu.active,
        };
        told && (!is_up_to_date || cpu.behind == 0 || cpu.behind == 1 && will_be_told)
    }
}

/// The page tables as they should be.
fn expected_tables(s: &State, t: &Thread) -> Mm {
    let mut mm = Mm { ldt: s.mm.ldt, ..Mm::EMPTY };
    if t.pc.is_exiting() && t.pc != Pc::ExitUnlink || s.is_gone() {
        return mm;
    }
    let of = |id: Option<LdtId>| id.map(|id| s.memory.ldt(id));
    let (installed, new, old) = (of(mm.ldt), of(t.new), of(t.old));
    let all = MAX_SIZE as u8;
    // Another LDT, with the entries from the first number up to the second.
    let (other, from, to) = match t.pc {
        Pc::LockEntry(Work::Map) | Pc::WriteEntry(Work::Map) => (new, 0, t.index),
        Pc::UnlockEntry(Work::Map) => (new, 0, t.index + 1),
        Pc::Show | Pc::SetSlot | Pc::TakeLock | Pc::Publish => (new, 0, all),
        Pc::SendIpi | Pc::WaitIpi | Pc::DropLock => (old, 0, all),
        Pc::LockEntry(Work::Unmap) | Pc::WriteEntry(Work::Unmap) => (old, t.index, all),
        Pc::UnlockEntry(Work::Unmap) => (old, t.index + 1, all),
        _ => (None, 0, 0),
    };
    let other_slot = installed.map_or(Some(Slot::S0), |ldt| ldt.slot.map(Slot::other));
    for slot in Slot::BOTH {
        for entry in 0..all {
            let page = |ldt: Option<LdtStruct>| ldt.and_then(|ldt| ldt.pages[entry as usize]);
            let expected = if installed.is_some_and(|ldt| ldt.slot == Some(slot)) {
                page(installed)
            } else if other_slot == Some(slot) && entry >= from && entry < to {
                page(other)
            } else {
                None
            };
            mm.entries = mm.entries.with(slot, entry, expected);
        }
    }
    let (tables, upper, visible) = match t.pc {
        _ if installed.is_some() => (true, true, true),
        Pc::LockEntry(Work::Map) => (t.index > 0, t.index > 0, false),
        Pc::WriteEntry(Work::Map) | Pc::UnlockEntry(Work::Map) | Pc::Show => (true, true, false),
        Pc::SetSlot | Pc::TakeLock | Pc::Publish => (true, true, true),
        Pc::UnlinkTables => (false, true, false),
        _ => (false, false, false),
    };
    mm.tables = if tables { 0b1111 } else { 0 };
    mm.upper = upper;
    mm.visible = visible;
    mm
}

/// The thread that is in a call or in exit; there is one at most.
fn busy(s: &State) -> Option<ThreadId> {
    ThreadId::ALL.into_iter().find(|id| !matches!(s.thread(*id).pc, Pc::User | Pc::Gone))
}

/// Whether a CPU at this place is leaving the address space.
const fn leaves(pc: CpuPc) -> bool {
    matches!(pc, CpuPc::ClearMask | CpuPc::LeavePageTable | CpuPc::ClearLdtr)
}

/// Whether a thread at this place has begun a call and not yet installed its LDT.
const fn is_before_publish(pc: Pc) -> bool {
    matches!(
        pc,
        Pc::ReadOld
            | Pc::AllocateStruct
            | Pc::AllocatePage
            | Pc::Copy
            | Pc::Edit
            | Pc::LockEntry(Work::Map)
            | Pc::WriteEntry(Work::Map)
            | Pc::UnlockEntry(Work::Map)
            | Pc::Show
            | Pc::SetSlot
            | Pc::TakeLock
            | Pc::Publish
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inductive::{drawn, reachable, Random};
    use crate::machine::{Machine, Size};

    const TWO_CPUS: [u8; 8] = [2, 2, 1, 1, 1, 2, 0, 0];
    const GROWING: [u8; 8] = [1, 1, 1, 1, 3, 3, 1, 0];

    fn machine(sizes: [u8; 8]) -> Ldt {
        Ldt::new(MAINLINE, Size::of(sizes))
    }

    /// The first state with some parts of the second.
    fn mixed(r: &mut Random, a: &State, b: &State) -> State {
        let mut s = *a;
        for number in 0..MAX_CPUS {
            match r.below(8) {
                0 => s.cpus[number] = b.cpus[number],
                1 => s.cpus[number].tlb = b.cpus[number].tlb,
                2 => s.cpus[number].behind = b.cpus[number].behind,
                3 => s.cpus[number].ldtr = b.cpus[number].ldtr,
                4 => {
                    s.cpus[number] = b.cpus[number];
                    s.mask = b.mask;
                }
                _ => {}
            }
        }
        match r.below(5) {
            0 => s.before = b.before,
            1 => s.calls = b.calls,
            2 => (s.memory, s.mm, s.now, s.threads) = (b.memory, b.mm, b.now, b.threads),
            3 => {
                let cpus = (s.cpus, s.mask);
                s = State { cpus: cpus.0, mask: cpus.1, ..*b };
            }
            _ => {}
        }
        if r.once_in(4) {
            let number = r.below(MAX_CPUS as u8) as usize;
            let (slot, entry) = (Slot::BOTH[r.below(2) as usize], r.below(MAX_SIZE as u8));
            let page = if r.once_in(2) { None } else { Some(Page::ALL[r.below(4) as usize]) };
            s.cpus[number].tlb = s.cpus[number].tlb.with(slot, entry, page);
        }
        s
    }

    #[test]
    fn it_is_true_in_every_state_that_is_reached_and_kept_from_states_near_those() {
        for (sizes, reached, near) in [(TWO_CPUS, 70_597, 74_876), (GROWING, 139_658, 109_090)] {
            let machine = machine(sizes);
            let seen = reachable(&machine);
            let mut states: Vec<State> = seen.states.iter().copied().collect();
            states.sort_unstable();
            for state in &states {
                assert_eq!(machine.repaired(*state), *state, "a state that satisfies the invariant needs no repair");
            }
            let made = drawn(&machine, 600_000, |r| {
                let mut pick = || states[r.next() as usize % states.len()];
                let (a, b) = (pick(), pick());
                mixed(r, &a, &b)
            });
            let new = made.states.iter().filter(|state| !seen.states.contains(&machine.canonical(state))).count();
            println!("{sizes:?}: {} states reached, {new} others satisfy the invariant", states.len());
            assert_eq!((states.len(), new), (reached, near), "{sizes:?}");
        }
    }

    /// Any state at all: every field is any value of its type.
    fn any_state(r: &mut Random) -> State {
        let id = |r: &mut Random| if r.once_in(3) { None } else { Some(LdtId::ALL[r.below(3) as usize]) };
        let slot = |r: &mut Random| if r.once_in(5) { None } else { Some(Slot::BOTH[r.below(2) as usize]) };
        let page = |r: &mut Random| if r.once_in(3) { None } else { Some(Page::ALL[r.below(4) as usize]) };
        let thread_id = |r: &mut Random| ThreadId::ALL[r.below(3) as usize];
        let translations = |r: &mut Random| {
            let mut all = Translations::NONE;
            for slot in Slot::BOTH {
                for entry in 0..MAX_SIZE as u8 {
                    all = all.with(slot, entry, page(r));
                }
            }
            all
        };
        let image = |r: &mut Random| {
            let mut image = Image::NONE;
            for entry in 0..r.below(4) {
                image = image.with(entry, r.below(7));
            }
            image
        };
        let cpu = |r: &mut Random| Cpu {
            task: match r.below(6) {
                0 => Task::Borrower,
                1 => Task::Foreign,
                _ => Task::Thread(thread_id(r)),
            },
            active: r.once_in(2),
            page_table: r.once_in(2),
            loaded: r.once_in(2),
            lazy: r.once_in(2),
            behind: r.below(4),
            ldtr: if r.once_in(3) {
                None
            } else {
                Some(Ldtr { slot: Slot::BOTH[r.below(2) as usize], entries: 1 + r.below(3) })
            },
            tlb: translations(r),
            pc: CPU_PCS[r.below(CPU_PCS.len() as u8) as usize],
            ldt: id(r),
            answering: match r.below(4) {
                0 => Some(Ipi::Reload(thread_id(r))),
                1 => Some(Ipi::Flush(thread_id(r))),
                _ => None,
            },
        };
        let thread = |r: &mut Random| Thread {
            pc: if r.once_in(2) { Pc::User } else { PCS[r.below(PCS.len() as u8) as usize] },
            entry: r.below(3),
            descriptor: r.below(8),
            old: id(r),
            new: id(r),
            slot: slot(r),
            index: r.below(3),
            reload: CpuSet(r.below(8)),
            flush: CpuSet(r.below(8)),
        };
        let ldt = |r: &mut Random| LdtStruct {
            alive: r.once_in(2),
            pages: [page(r), page(r)],
            entries: r.below(4),
            size: r.below(3),
            slot: slot(r),
        };
        let frame = |r: &mut Random| Frame {
            used_by: if r.once_in(2) { Use::Free } else { Use::Ldt },
            content: Content::ZEROES.with(0, r.below(7)).with(1, r.below(7)),
        };
        State {
            cpus: [cpu(r), cpu(r), cpu(r)],
            threads: [thread(r), thread(r), thread(r)],
            memory: super::super::memory::Memory {
                frames: [frame(r), frame(r), frame(r), frame(r)],
                ldts: [ldt(r), ldt(r), ldt(r)],
            },
            mm: Mm {
                ldt: id(r),
                entries: translations(r),
                tables: r.below(16),
                upper: r.once_in(2),
                visible: r.once_in(2),
            },
            mask: CpuSet(r.below(8)),
            usr_sem: None,
            lock: None,
            table_lock: None,
            calls: r.below(7),
            failures: r.below(4),
            now: image(r),
            before: image(r),
        }
    }

    /// At several sizes, from random states that were made to satisfy it. How many did is asserted, so that a change that
    /// leaves fewer is seen.
    #[test]
    fn every_step_keeps_it_from_any_state_that_satisfies_it() {
        let mut states = 0;
        for sizes in [
            [1, 1, 1, 0, 1, 2, 0, 0],
            TWO_CPUS,
            GROWING,
            [2, 2, 2, 1, 3, 3, 1, 0],
            [3, 3, 1, 2, 2, 6, 3, 0],
            [3, 2, 2, 3, 3, 4, 2, 0],
        ] {
            let machine = machine(sizes);
            let seen = drawn(&machine, 50_000, |r| machine.repaired(any_state(r)));
            println!("{sizes:?}: {} states satisfy the invariant", seen.states.len());
            assert_eq!(seen.kinds_missing(&machine), [""; 0], "{sizes:?}");
            states += seen.states.len();
        }
        assert_eq!(states, 288_324);
    }

    const CPU_PCS: [CpuPc; 13] = [
        CpuPc::Run,
        CpuPc::Run,
        CpuPc::Run,
        CpuPc::CatchUp,
        CpuPc::SetMask,
        CpuPc::ReadGeneration,
        CpuPc::LoadPageTable { flush: false },
        CpuPc::LoadPageTable { flush: true },
        CpuPc::ReadLdt,
        CpuPc::LoadLdtr,
        CpuPc::ClearMask,
        CpuPc::LeavePageTable,
        CpuPc::ClearLdtr,
    ];

    const PCS: [Pc; 40] = [
        Pc::User,
        Pc::ReadOld,
        Pc::AllocateStruct,
        Pc::AllocatePage,
        Pc::Copy,
        Pc::Edit,
        Pc::LockEntry(Work::Map),
        Pc::WriteEntry(Work::Map),
        Pc::UnlockEntry(Work::Map),
        Pc::Show,
        Pc::SetSlot,
        Pc::TakeLock,
        Pc::Publish,
        Pc::SendIpi,
        Pc::WaitIpi,
        Pc::DropLock,
        Pc::LockEntry(Work::Unmap),
        Pc::WriteEntry(Work::Unmap),
        Pc::UnlockEntry(Work::Unmap),
        Pc::FlushBegin(Flush::Unmapped),
        Pc::FlushSend(Flush::Unmapped),
        Pc::FlushWait(Flush::Unmapped),
        Pc::FreePages,
        Pc::FreeStruct,
        Pc::Release,
        Pc::UnlinkTables,
        Pc::FlushBegin(Flush::Undone),
        Pc::FlushSend(Flush::Undone),
        Pc::FlushWait(Flush::Undone),
        Pc::ErrorFreePages,
        Pc::ErrorFreeStruct,
        Pc::ExitUnlink,
        Pc::FlushBegin(Flush::Exit),
        Pc::FlushSend(Flush::Exit),
        Pc::FlushWait(Flush::Exit),
        Pc::ExitFreePages,
        Pc::ExitFreeStruct,
        Pc::Gone,
        Pc::Gone,
        Pc::WaitIpi,
    ];
}
