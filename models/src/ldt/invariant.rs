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

use super::memory::{Content, Frame, Image, LdtId, LdtStruct, Page, Slot, Translations, Use, MAX_SIZE, PER_PAGE};
use super::variants::MAINLINE;
use super::{Cpu, CpuPc, CpuSet, Flush, Ipi, Ldt, Ldtr, Pc, State, Task, Thread, ThreadId, Work, MAX_CPUS, MAX_WRITES};

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
            good &= match t.pc {
                Pc::User => exists && *t == Thread::USER,
                Pc::Gone => *t == Thread { pc: Pc::Gone, ..Thread::USER },
                _ => exists && busy == Some(id) && self.locals_fit(s, t),
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
        let numbered = matches!(t.pc, Pc::Release) || failed || t.descriptor > 0;
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
        let mm = &s.mm;
        let is_unlinked = t.pc.is_exiting() && t.pc != Pc::ExitUnlink || s.is_gone();
        if is_unlinked {
            return *mm == super::memory::Mm { ldt: mm.ldt, ..super::memory::Mm::EMPTY }
                && (mm.ldt.is_none() || !s.is_gone());
        }
        let installed = mm.ldt.map(|id| s.memory.ldt(id));
        let (new, old) = (t.new.map(|id| s.memory.ldt(id)), t.old.map(|id| s.memory.ldt(id)));
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
        let mut good = true;
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
                good &= mm.entries.get(slot, entry) == expected;
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
        good && mm.tables == if tables { 0b1111 } else { 0 } && mm.upper == upper && mm.visible == visible
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

/// The thread that is in a call or in exit; there is one at most.
fn busy(s: &State) -> Option<ThreadId> {
    ThreadId::ALL.into_iter().find(|id| !matches!(s.thread(*id).pc, Pc::User | Pc::Gone))
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
        for (sizes, reached, near) in [(TWO_CPUS, 70_597, 74_876), (GROWING, 0, 0)] {
            let machine = machine(sizes);
            let seen = reachable(&machine);
            let mut states: Vec<State> = seen.states.iter().copied().collect();
            states.sort_unstable();
            let made = drawn(&machine, 600_000, |r| {
                let mut pick = || states[r.next() as usize % states.len()];
                let (a, b) = (pick(), pick());
                mixed(r, &a, &b)
            });
            let new = made.states.iter().filter(|state| !seen.states.contains(&machine.canonical(state))).count();
            println!("{sizes:?}: {} states reached, {new} others satisfy the invariant", states.len());
            assert_eq!(seen.kinds_missing(&machine), [""; 0]);
            assert_eq!((states.len(), new), (reached, near), "{sizes:?}");
        }
    }
}
