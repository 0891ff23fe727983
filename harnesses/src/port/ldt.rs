//! ldt: the two-slot swap of the LDT under page table isolation. The steps are those of `models::ldt`.
//!
//! A CPU is a thread of the test; an interrupt to it runs its handler while it holds that CPU's "interrupts are on
//! here". An LDT has one page with one entry. Left out: LDTs of several pages, allocation failures, lazy CPUs and
//! exit. The model has them; nothing in them is a question of memory order.

use super::primitives::{Byte, Interrupts, Lock, Object, Plain, Word64, smp_mb, spawn};
use super::recorder::Recorder;
use crate::event::Seen;
use std::sync::Arc;

/// What breaks when a CPU or the kernel touches an LDT that was freed.
pub const NO_FREED_LDT_ACCESS: &str = "no-freed-ldt-access: nothing that a CPU uses leads to a freed LDT";
/// What breaks when nothing orders the first write to an LDT, or the free, with a use.
pub const NO_RACE_ON_LDT: &str = "no-data-race: an LDT is initialised or freed while a CPU reads it";
/// What breaks when the slot that a CPU uses is taken away.
pub const LDT_IS_MAPPED: &str =
    "ldt-is-mapped: what a CPU's LDTR covers is mapped, so that a segment load does not fault";

/// How `context.ldt` is stored and loaded, and what it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publish {
    /// `smp_store_release()`, `READ_ONCE()` with the dependency that follows it (here an acquire).
    Release,
    /// `WRITE_ONCE()`; what it leads to is plain.
    Once,
    /// `WRITE_ONCE()`; what it leads to is marked too, so that no race is in the way of the question.
    OnceMarked,
    /// `smp_store_release()`, but a load without a dependency; what it leads to is marked too.
    ReleaseRelaxedLoad,
    /// A plain store, a marked load.
    PlainWriter,
    /// A marked store, a plain load.
    PlainReader,
}

/// Where the full barriers of the mask and the pointer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barriers {
    /// In `install_ldt()` and in `switch_mm()`.
    Both,
    /// Only in `install_ldt()`.
    Install,
    /// Only in `switch_mm()`.
    Switch,
    /// Nowhere.
    Neither,
}

/// The order of the last parts of `write_ldt()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Publish, interrupt, unmap, flush, free.
    Mainline,
    /// The interrupt is sent before the pointer is stored.
    InterruptBeforePublish,
    /// The pages are freed before the interrupt.
    FreeBeforeInterrupt,
    /// The old slot is unmapped and flushed before the interrupt.
    UnmapBeforeInterrupt,
    /// The flush comes before the entries are cleared.
    FlushBeforeClear,
    /// The entries are cleared and nothing is flushed.
    NoFlush,
    /// The pages are freed before the flush.
    FreeBeforeFlush,
    /// The slot is stored after the pointer.
    SlotAfterPublish,
}

/// Which version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How the pointer is published.
    pub publish: Publish,
    /// Where the barriers are.
    pub barriers: Barriers,
    /// The order of the parts.
    pub order: Order,
    /// Whether W10 waits for the handlers.
    pub wait: bool,
    /// Whether W1 takes `ldt_usr_sem`.
    pub usr_sem: bool,
    /// Whether `load_mm_ldt()` runs with interrupts off.
    pub irqs_off: bool,
    /// Whether fork copies under `context.lock`.
    pub fork_locks: bool,
    /// Whether a full barrier stands between clearing a page-table entry and raising `tlb_gen`.
    pub raise_barrier: bool,
    /// Whether a full barrier stands between raising `tlb_gen` and reading the mask of CPUs to flush.
    pub flush_barrier: bool,
    /// Whether a page-table entry is stored after what is in the page.
    pub entry_release: bool,
}

impl Config {
    /// The form since 2018.
    pub const MAINLINE: Self = Self {
        publish: Publish::Release,
        barriers: Barriers::Both,
        order: Order::Mainline,
        wait: true,
        usr_sem: true,
        irqs_off: true,
        fork_locks: true,
        raise_barrier: true,
        flush_barrier: true,
        entry_release: true,
    };
}

/// LDT structs and pages; the installed LDT, a new one, and one to spare.
const OBJECTS: usize = 3;
/// No LDT, no page, no slot.
const NONE: u8 = 0xff;

/// `struct ldt_struct` and, as `descriptor`, its page.
#[derive(Debug)]
struct LdtStruct {
    memory: Object<()>,
    page: Byte,
    slot: Byte,
}

/// A page of memory: who has it, and the descriptor in it.
#[derive(Debug)]
struct Page {
    memory: Object<()>,
    descriptor: Byte,
}

/// What a CPU keeps: LDTR, the TLB, and whose address space is loaded.
#[derive(Clone, Copy, Debug)]
pub struct Cpu {
    /// `loaded_mm` is this address space.
    pub loaded: bool,
    /// The slot that LDTR points to.
    pub ldtr: Option<u8>,
    /// The page that the TLB has for each slot.
    pub tlb: [Option<u8>; 2],
    /// The generation up to which the TLB is clean.
    generation: u64,
}

/// An address space, and the CPUs that use it.
#[derive(Debug)]
pub struct Mm {
    config: Config,
    structs: [LdtStruct; OBJECTS],
    pages: [Page; OBJECTS],
    context_ldt: Byte,
    context_ldt_plain: Plain<u8>,
    entries: [Byte; 2],
    visible: Byte,
    tlb_gen: Word64,
    mm_cpumask: Word64,
    ldt_usr_sem: Lock,
    context_lock: Lock,
    page_table_lock: Lock,
    interrupts: Interrupts,
    cpus: Vec<Plain<Cpu>>,
    /// The record of steps.
    pub log: Recorder,
}

fn number(value: Option<u8>) -> i64 {
    value.map_or(-1, i64::from)
}
fn option(value: u8) -> Option<u8> {
    (value != NONE).then_some(value)
}

impl Mm {
    /// A process without an LDT on these CPUs; on those with `true` one of its threads runs.
    pub fn new(config: Config, running: &[bool], log: Recorder) -> Self {
        let unallocated = || Object::unallocated(NO_FREED_LDT_ACCESS, NO_RACE_ON_LDT);
        let cpu = |running: &bool| {
            let cpu = Cpu { loaded: *running, ldtr: None, tlb: [None; 2], generation: 0 };
            Plain::new(cpu, "no-data-race: the registers of a CPU")
        };
        let mask = running.iter().enumerate().map(|(cpu, running)| u64::from(*running) << cpu).sum();
        Self {
            config,
            structs: std::array::from_fn(|_| LdtStruct {
                memory: unallocated(),
                page: Byte::new(NONE),
                slot: Byte::new(NONE),
            }),
            pages: std::array::from_fn(|_| Page { memory: unallocated(), descriptor: Byte::new(NONE) }),
            context_ldt: Byte::new(NONE),
            context_ldt_plain: Plain::new(NONE, "no-data-race: context.ldt"),
            entries: [Byte::new(NONE), Byte::new(NONE)],
            visible: Byte::new(0),
            tlb_gen: Word64::new(0),
            mm_cpumask: Word64::new(mask),
            ldt_usr_sem: Lock::unheld(),
            context_lock: Lock::unheld(),
            page_table_lock: Lock::unheld(),
            interrupts: Interrupts::new(running.len()),
            cpus: running.iter().map(cpu).collect(),
            log,
        }
    }

    /// What a CPU keeps, when nothing is under way there.
    pub fn cpu(&self, cpu: usize) -> Cpu {
        self.cpus[cpu].read()
    }
    /// The descriptor in the installed LDT, when nothing is under way.
    pub fn installed(&self) -> Option<u8> {
        let ldt = option(self.context_ldt.read_once())?;
        Some(self.pages[usize::from(self.structs[usize::from(ldt)].page.read_once())].descriptor.read_once())
    }
    /// The pages to which a page-table entry or the TLB of a CPU leads although they are free. Nothing is under way.
    pub fn mapped_free_pages(&self) -> usize {
        let tables = self.entries.iter().map(|entry| option(entry.read_once()));
        let tlbs = self.cpus.iter().flat_map(|cpu| cpu.read().tlb);
        let is_free = |page: u8| !self.pages[usize::from(page)].memory.is_allocated();
        tables.chain(tlbs).flatten().filter(|page| is_free(*page)).count()
    }
    /// The structs and pages that are allocated and do not belong to the installed LDT. Nothing is under way.
    pub fn leaked(&self) -> usize {
        let structs = self.structs.iter().filter(|ldt| ldt.memory.is_allocated()).count();
        let pages = self.pages.iter().filter(|page| page.memory.is_allocated()).count();
        let installed = usize::from(self.installed().is_some());
        structs + pages - 2 * installed
    }

    fn seen(&self) -> Seen {
        let mut seen = vec![
            ("context.ldt", number(option(self.context_ldt.read_once()))),
            ("entry of slot 0", number(option(self.entries[0].read_once()))),
            ("entry of slot 1", number(option(self.entries[1].read_once()))),
            ("slots visible", self.visible.read_once().into()),
            ("mm_cpumask", self.mm_cpumask.read_once() as i64),
        ];
        let allocated =
            |used: &mut dyn Iterator<Item = bool>| used.map(i64::from).enumerate().map(|(n, u)| u << n).sum();
        seen.push(("structs", allocated(&mut self.structs.iter().map(|ldt| ldt.memory.is_allocated()))));
        seen.push(("pages", allocated(&mut self.pages.iter().map(|page| page.memory.is_allocated()))));
        let names = [
            ["LDTR of CPU 0", "TLB of CPU 0, slot 0", "TLB of CPU 0, slot 1", "loaded on CPU 0"],
            ["LDTR of CPU 1", "TLB of CPU 1, slot 0", "TLB of CPU 1, slot 1", "loaded on CPU 1"],
        ];
        for (cpu, names) in self.cpus.iter().zip(names) {
            let cpu = cpu.read();
            seen.push((names[0], number(cpu.ldtr)));
            seen.push((names[1], number(cpu.tlb[0])));
            seen.push((names[2], number(cpu.tlb[1])));
            seen.push((names[3], cpu.loaded.into()));
        }
        seen
    }

    fn step<R>(
        &self,
        actor: u8,
        label: &'static str,
        effect: impl FnOnce() -> R,
        argument: impl FnOnce(&R) -> i64,
    ) -> R {
        self.log.step(actor, label, effect, |result| Some(argument(result)), || self.seen())
    }
    fn do_step<R>(&self, actor: u8, label: &'static str, effect: impl FnOnce() -> R) -> R {
        self.step(actor, label, effect, |_| 0)
    }
    fn note(&self, actor: u8, label: &'static str, argument: i64) {
        self.step(actor, label, || (), |()| argument);
    }

    /// Whether what the pointer leads to is accessed plainly.
    fn is_plain(&self) -> bool {
        !matches!(self.config.publish, Publish::OnceMarked | Publish::ReleaseRelaxedLoad)
    }
    fn ldt(&self, ldt: u8) -> &LdtStruct {
        let ldt = &self.structs[usize::from(ldt)];
        if self.is_plain() {
            ldt.memory.read();
        }
        ldt
    }
    fn page(&self, page: u8) -> &Page {
        let page = &self.pages[usize::from(page)];
        if self.is_plain() {
            page.memory.read();
        }
        page
    }

    // ---- CPUs ----

    /// `load_mm_ldt()`: loads the pointer once.
    fn read_context_ldt(&self) -> Option<u8> {
        option(match self.config.publish {
            Publish::PlainReader => self.context_ldt_plain.read(),
            Publish::PlainWriter => {
                self.context_ldt_plain.read();
                self.context_ldt.rcu_dereference()
            }
            Publish::ReleaseRelaxedLoad => self.context_ldt.read_once(),
            _ => self.context_ldt.rcu_dereference(),
        })
    }

    /// `load_mm_ldt()`: LDTR from the struct.
    fn load_ldtr(&self, cpu: usize, ldt: Option<u8>) {
        let slot = ldt.and_then(|ldt| option(self.ldt(ldt).slot.read_once()));
        let mut now = self.cpus[cpu].read();
        now.ldtr = slot;
        self.cpus[cpu].write(now);
    }

    fn load_mm_ldt(&self, cpu: usize) {
        let ldt = self.step(
            cpu as u8,
            "ReadLdtPointer",
            || {
                let ldt = self.read_context_ldt();
                if ldt.is_none() {
                    self.load_ldtr(cpu, None);
                }
                ldt
            },
            |ldt| number(*ldt),
        );
        if ldt.is_some() {
            self.do_step(cpu as u8, "LoadLdtr", || self.load_ldtr(cpu, ldt));
        }
    }

    /// `flush_ldt()`: the handler of W10.
    fn flush_ldt(&self, cpu: usize) {
        let loaded = self.do_step(cpu as u8, "AnswerReload", || self.cpus[cpu].read().loaded);
        if loaded {
            self.load_mm_ldt(cpu);
        }
    }

    /// `flush_tlb_func()`: the handler of a flush of one slot.
    fn flush_tlb_func(&self, cpu: usize, slot: u8) {
        self.do_step(cpu as u8, "AnswerFlush", || {
            let mut now = self.cpus[cpu].read();
            if now.loaded {
                // Who raised it sent the interrupt.
                let newest = self.tlb_gen.read_once();
                match newest - now.generation {
                    0 => {}
                    1 => now.tlb[usize::from(slot)] = None,
                    _ => now.tlb = [None; 2],
                }
                now.generation = newest;
                self.cpus[cpu].write(now);
            }
        });
    }

    /// `switch_mm()` to a thread of the process.
    pub fn switch_in(&self, cpu: usize) {
        let actor = cpu as u8;
        let off = self.interrupts.off(cpu);
        self.note(actor, "SwitchTask", 1);
        self.do_step(actor, "SwitchSetMask", || self.mm_cpumask.fetch_or_relaxed(1 << cpu));
        if matches!(self.config.barriers, Barriers::Both | Barriers::Switch) {
            // On x86 the locked instruction that sets the bit is one.
            smp_mb();
        }
        let newest = self.do_step(actor, "ReadGeneration", || self.tlb_gen.load_acquire());
        self.do_step(actor, "LoadPageTable", || {
            let mut now = self.cpus[cpu].read();
            if newest != now.generation {
                now.tlb = [None; 2];
            }
            now.generation = newest;
            now.loaded = true;
            self.cpus[cpu].write(now);
        });
        if self.config.irqs_off {
            self.load_mm_ldt(cpu);
            drop(off);
        } else {
            let ldt = self.read_context_ldt();
            drop(off);
            let off = self.interrupts.off(cpu);
            self.load_ldtr(cpu, ldt);
            drop(off);
        }
    }

    /// `switch_mm()` to another process.
    pub fn switch_out(&self, cpu: usize) {
        let actor = cpu as u8;
        let _off = self.interrupts.off(cpu);
        self.note(actor, "SwitchTask", 0);
        self.note_leave(actor, 0, || {
            self.mm_cpumask.fetch_and_relaxed(!(1 << cpu));
        });
        self.do_step(actor, "LoadPageTable", || {
            let mut now = self.cpus[cpu].read();
            now.loaded = false;
            self.cpus[cpu].write(now);
        });
        self.note_leave(actor, 1, || {
            let had_ldt = self.context_ldt.read_once() != NONE;
            let mut now = self.cpus[cpu].read();
            if had_ldt {
                now.ldtr = None;
            }
            self.cpus[cpu].write(now);
        });
    }

    fn note_leave(&self, actor: u8, which: i64, effect: impl FnOnce()) {
        self.step(actor, "LeaveMm", effect, |()| which);
    }

    /// The hardware walks the page table for a slot, speculatively or not, and keeps the translation.
    pub fn walk(&self, cpu: usize, slot: u8) -> Option<u8> {
        let _instruction = self.interrupts.off(cpu);
        self.translate(cpu, slot)
    }

    /// The page of a slot: from the TLB, or else from the page table, and then the TLB keeps it. A walk that finds
    /// nothing leaves no trace. What is in the page comes before the entry that leads to it, hence the acquire.
    fn translate(&self, cpu: usize, slot: u8) -> Option<u8> {
        let mut now = self.cpus[cpu].read();
        if now.tlb[usize::from(slot)].is_some() || !now.loaded {
            return now.tlb[usize::from(slot)];
        }
        let walk = || {
            let visible = self.visible.read_once() != 0;
            let page = visible.then(|| option(self.entries[usize::from(slot)].load_acquire())).flatten()?;
            now.tlb[usize::from(slot)] = Some(page);
            self.cpus[cpu].write(now);
            Some(page)
        };
        let kept = |page: &Option<u8>| page.map(|_| slot.into());
        self.log.step(cpu as u8, "CacheTranslation", walk, kept, || self.seen())
    }

    /// A speculative access through a slot: the descriptor in the page that the walk finds. Meltdown needs no LDTR.
    pub fn speculate(&self, cpu: usize, slot: u8) -> Option<u8> {
        let _instruction = self.interrupts.off(cpu);
        Some(self.page(self.translate(cpu, slot)?).descriptor.read_once())
    }

    /// User code loads a segment: one instruction, so no interrupt comes between its memory accesses. The descriptor
    /// that it finds; `None` if LDTR is empty.
    ///
    /// # Panics
    /// When LDTR leads to a freed page, or to no page at all.
    pub fn use_ldt(&self, cpu: usize) -> Option<u8> {
        let _instruction = self.interrupts.off(cpu);
        let slot = self.cpus[cpu].read().ldtr?;
        let Some(page) = self.translate(cpu, slot) else {
            panic!("{LDT_IS_MAPPED}: the slot has no page");
        };
        Some(self.page(page).descriptor.read_once())
    }

    // ---- write_ldt() ----

    fn free_number(used: impl Iterator<Item = bool>) -> u8 {
        used.take_while(|used| *used).count() as u8
    }

    /// W3: the struct.
    fn allocate_struct(&self, actor: u8) -> u8 {
        self.step(
            actor,
            "W3Allocate",
            || {
                let new = Self::free_number(self.structs.iter().map(|ldt| ldt.memory.is_allocated()));
                self.structs[usize::from(new)].memory.allocate(());
                self.structs[usize::from(new)].slot.write_once(NONE);
                new
            },
            |_| -1,
        )
    }
    /// W3: a zeroed page.
    fn allocate_page(&self, actor: u8, ldt: u8) -> u8 {
        self.step(
            actor,
            "W3Allocate",
            || {
                let page = Self::free_number(self.pages.iter().map(|page| page.memory.is_allocated()));
                self.pages[usize::from(page)].memory.allocate(());
                self.pages[usize::from(page)].descriptor.write_once(0);
                self.structs[usize::from(ldt)].page.write_once(page);
                page
            },
            |page| (*page).into(),
        )
    }

    /// `alloc_ldt_struct()`, then the copy of the old entries and the new one.
    fn make(&self, actor: u8, old: Option<u8>, descriptor: u8) -> u8 {
        let new = self.allocate_struct(actor);
        let page = self.allocate_page(actor, new);
        if let Some(old) = old {
            self.step(
                actor,
                "W4CopyAndEdit",
                || {
                    let copied = self.page(self.ldt(old).page.read_once()).descriptor.read_once();
                    self.pages[usize::from(page)].descriptor.write_once(copied);
                },
                |()| 0,
            );
        }
        let edit = || self.pages[usize::from(page)].descriptor.write_once(descriptor);
        self.step(actor, "W4CopyAndEdit", edit, |()| 1);
        new
    }

    fn change_entry(&self, actor: u8, label: &'static str, slot: u8, page: u8) {
        let held = self.page_table_lock.lock();
        self.note(actor, "PageTableLock", 1);
        // The hardware may walk at any time, and the process may use what it finds: content before entry.
        self.do_step(actor, label, || {
            let entry = &self.entries[usize::from(slot)];
            if self.config.entry_release { entry.store_release(page) } else { entry.write_once(page) }
        });
        self.note(actor, "PageTableLock", 0);
        drop(held);
    }

    /// W5, W6, W8 for a new LDT.
    fn map(&self, actor: u8, new: u8, slot: u8, first: bool) {
        self.change_entry(actor, "W5MapEntry", slot, self.structs[usize::from(new)].page.read_once());
        self.do_step(actor, "W6ShowSlots", || {
            if first {
                self.visible.write_once(1)
            }
        });
        if self.config.order != Order::SlotAfterPublish {
            self.set_slot(actor, new, slot);
        }
    }
    fn set_slot(&self, actor: u8, new: u8, slot: u8) {
        self.do_step(actor, "W8SetSlot", || self.structs[usize::from(new)].slot.write_once(slot));
    }

    /// W9: stores the pointer.
    fn publish(&self, actor: u8, new: u8) {
        self.do_step(actor, "W9Publish", || match self.config.publish {
            Publish::Release | Publish::ReleaseRelaxedLoad => self.context_ldt.store_release(new),
            Publish::Once | Publish::OnceMarked => self.context_ldt.write_once(new),
            Publish::PlainWriter | Publish::PlainReader => {
                self.context_ldt_plain.write(new);
                self.context_ldt.store_release(new);
            }
        });
    }

    /// W10: interrupts the CPUs in the mask; returns what is still outstanding.
    fn interrupt(self: &Arc<Self>, actor: u8) -> Option<super::primitives::JoinHandle<()>> {
        if matches!(self.config.barriers, Barriers::Both | Barriers::Install) {
            // Sending an interrupt begins with one.
            smp_mb();
        }
        let mask = self.do_step(actor, "W10SendIpi", || self.mm_cpumask.read_once());
        if self.config.wait {
            self.interrupts.on_each_cpu_mask(mask, |cpu| self.flush_ldt(cpu));
            self.note(actor, "AllCpusAnswered", 0);
            return None;
        }
        // Not waited for: the interrupts arrive when they do.
        let mm = Arc::clone(self);
        Some(spawn(move || mm.interrupts.on_each_cpu_mask(mask, |cpu| mm.flush_ldt(cpu))))
    }

    fn flush(&self, actor: u8, slot: u8) {
        if self.config.raise_barrier {
            // inc_mm_tlb_gen(): an atomic that returns a value is a full barrier before it and behind it.
            smp_mb();
        }
        self.do_step(actor, "FlushRaiseGeneration", || self.tlb_gen.inc_return_relaxed());
        if self.config.flush_barrier {
            smp_mb();
        }
        let mask = self.do_step(actor, "FlushSendIpi", || self.mm_cpumask.read_once());
        self.interrupts.on_each_cpu_mask(mask, |cpu| self.flush_tlb_func(cpu, slot));
        self.note(actor, "AllCpusAnswered", 1);
    }

    /// W12: takes the old LDT out of its slot.
    fn unmap(&self, actor: u8, slot: u8) {
        if self.config.order == Order::FlushBeforeClear {
            self.flush(actor, slot);
        }
        self.change_entry(actor, "W12ClearEntry", slot, NONE);
        if matches!(self.config.order, Order::Mainline | Order::UnmapBeforeInterrupt) {
            self.flush(actor, slot);
        }
    }

    fn free_page_of(&self, actor: u8, old: u8) {
        let free = || self.pages[usize::from(self.ldt(old).page.read_once())].memory.free();
        self.step(actor, "W13Free", free, |()| 0);
    }
    fn free_struct(&self, actor: u8, old: u8) {
        self.step(actor, "W13Free", || self.structs[usize::from(old)].memory.free(), |()| 1);
    }

    /// `write_ldt()`: the LDT has this descriptor when it returns. Runs on CPU `cpu`.
    pub fn write_ldt(self: &Arc<Self>, cpu: usize, descriptor: u8) {
        let me = cpu as u8;
        let order = self.config.order;
        let sem = self.config.usr_sem.then(|| self.ldt_usr_sem.lock());
        self.note(me, "W1TakeUsrSem", 0);
        let old = self.step(me, "W2ReadOld", || option(self.context_ldt.read_once()), |old| number(*old));
        let new = self.make(me, old, descriptor);
        let old_slot = old.and_then(|old| option(self.ldt(old).slot.read_once()));
        let slot = old_slot.map_or(0, |slot| 1 - slot);
        self.map(me, new, slot, old.is_none());
        let held = self.context_lock.lock();
        self.note(me, "W9TakeLock", 0);
        let mut outstanding = None;
        if order == Order::InterruptBeforePublish {
            outstanding = self.interrupt(me);
        }
        self.publish(me, new);
        if order == Order::SlotAfterPublish {
            self.set_slot(me, new, slot);
        }
        if let (Order::FreeBeforeInterrupt, Some(old)) = (order, old) {
            self.free_page_of(me, old);
        }
        if let (Order::UnmapBeforeInterrupt, Some(slot)) = (order, old_slot) {
            self.unmap(me, slot);
        }
        if order != Order::InterruptBeforePublish {
            outstanding = self.interrupt(me);
        }
        self.note(me, "W11DropLock", 0);
        drop(held);
        if let (Some(old), Some(slot)) = (old, old_slot) {
            self.discard(me, old, slot);
        }
        self.note(me, "W14ReleaseUsrSem", 0);
        drop(sem);
        if let Some(outstanding) = outstanding {
            outstanding.join().expect("a handler does not panic unless the run fails");
        }
    }

    /// W12, W13 for the old LDT, as far as they are not done yet.
    fn discard(&self, me: u8, old: u8, slot: u8) {
        if self.config.order != Order::UnmapBeforeInterrupt {
            self.unmap(me, slot);
        }
        if self.config.order != Order::FreeBeforeInterrupt {
            self.free_page_of(me, old);
        }
        if self.config.order == Order::FreeBeforeFlush {
            self.flush(me, slot);
        }
        self.free_struct(me, old);
    }

    /// W2 to W9 for the first LDT, without telling any CPU: the publication alone.
    pub fn publish_first(&self, descriptor: u8) {
        let new = self.make(0, None, descriptor);
        self.map(0, new, 0, true);
        self.publish(0, new);
        if self.config.order == Order::SlotAfterPublish {
            self.set_slot(0, new, 0);
        }
    }
    /// What a CPU that switches to the process finds: the slot, and the descriptor behind the pointer. A reader that is
    /// ahead of the writer may find neither.
    pub fn find(&self) -> Option<(Option<u8>, Option<u8>)> {
        let ldt = self.read_context_ldt()?;
        let ldt = self.ldt(ldt);
        let slot = option(ldt.slot.read_once());
        Some((slot, option(ldt.page.read_once()).map(|page| self.page(page).descriptor.read_once())))
    }

    /// `ldt_dup_context()`: the descriptor that the child gets.
    pub fn dup_context(&self) -> Option<u8> {
        let held = self.config.fork_locks.then(|| self.context_lock.lock());
        let copied = self.find().and_then(|(_, descriptor)| descriptor);
        drop(held);
        copied
    }
}
