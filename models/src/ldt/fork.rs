//! fork copies the LDT of the parent while another thread of the parent replaces it.
//!
//! # Claim
//! The child gets an LDT of its own that says what the parent's said at some moment of the fork, or fork fails and
//! leaves nothing behind. Neither of the two address spaces ever points to memory that the other has freed.
//!
//! # Source
//! `arch/x86/kernel/ldt.c`: `ldt_dup_context()`, `free_ldt_pgtables()`, `destroy_context_ldt()`, `write_ldt()`;
//! `kernel/fork.c`: `dup_mm()`.
//!
//! ```text
//!   fork                                      modify_ldt() in the parent      the child
//!   F1  copy the mm struct, pointer and all   W2  read old                    C1  runs, or is thrown away
//!   F2  child's context.ldt = NULL            W3  allocate                    C2  take its page tables out
//!   F3  take the parent's context.lock        W4  copy, edit                  C3  free its LDT
//!   F4  read the parent's context.ldt         W5  map, W6 show, W8 slot
//!   F5  allocate                              W9  take lock, install          the parent, when both have returned
//!   F6  copy the entries                      W11 drop lock                   P1  take its page tables out
//!   F7  map at the child's slot 0             W12 unmap                       P2  free its LDT
//!   F8  child's context.ldt = the copy        W13 free
//!   F9  drop the parent's context.lock        W14 return
//! ```
//!
//! # Assumptions
//! - F-A1: steps are sequentially consistent; `context.lock` is a mutex and orders what it protects.
//! - F-A2: CPUs, LDTR and TLBs of the parent are not here but in [`super::Ldt`]: W7, W10 and the flush of W12 are left
//!   out, as the claims here do not speak of what the parent's CPUs see. The child has loaded its page table at most
//!   once, so its TLB holds nothing that its page table does not; C2 stands for unlinking and flushing.
//! - F-A3: one thread of the parent calls `modify_ldt()`. More of them exclude each other by `ldt_usr_sem`, which fork
//!   does not take, so it would only add calls.
//! - F-A4: the child does not call `modify_ldt()`; an address space of its own with calls is [`super::Ldt`].
//! - F-A5: page tables of parent and child are one page each. That of the child is counted when it is allocated and
//!   when it is freed, because two error paths may free it.
//! - F-A6: the parent's mapping never fails here (see `mainline` and `mainline-sparse-tables` of [`super::Ldt`]).
//!
//! # Bounds
//! Calls, forks and pages as the parameters say; forks come one after the other.

use super::memory::{Image, LdtId, Memory, Mm, Page, Slot, Tables, Use, MAX_ENTRIES};
use super::view;
use crate::machine::{Expect, Machine, Panel, Parameter, Property, Size, StepKind, Variant};

/// Most calls of `modify_ldt()`, so that the images that the parent ever had can be remembered.
pub const MAX_CALLS: u8 = 3;

/// Where the calling thread of the parent stands: before the step of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the steps are explained in the table of the file and in `KINDS`")]
pub enum CallerPc {
    User,
    ReadOld,
    AllocateStruct,
    AllocatePage,
    Copy,
    Edit,
    Map,
    SetSlot,
    TakeLock,
    Publish,
    DropLock,
    Unmap,
    FreePages,
    FreeStruct,
    Return,
}

/// Where the forking thread of the parent stands: before the step of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the steps are explained in the table of the file and in `KINDS`")]
pub enum ForkPc {
    User,
    ClearPointer,
    TakeLock,
    ReadLdt,
    AllocateStruct,
    AllocatePage,
    Copy,
    Map,
    Show,
    SetPointer,
    FreeTables,
    ErrorFreePages,
    ErrorFreeStruct,
    DropLock,
    Return,
}

/// What has become of the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Child {
    /// There is none.
    None,
    /// Fork is making it.
    Unborn,
    /// It runs.
    Runs,
    /// It has exited, or fork has failed: is about to take the page tables out.
    Unlinks,
    /// Is about to free the pages of its LDT.
    FreesPages,
    /// Is about to free the struct of its LDT.
    FreesStruct,
}

/// What has become of the parent's address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Parent {
    /// It is in use.
    Runs,
    /// Its page tables are out.
    Unlinked,
    /// The pages of its LDT are free.
    PagesFreed,
    /// It is gone.
    Gone,
}

/// Who holds the parent's `context.lock`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// The thread in `modify_ldt()`.
    Caller,
    /// The thread in fork.
    Fork,
}

/// What the kernel keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// Pages and LDT structs.
    pub memory: Memory,
    /// The parent's address space.
    pub parent: Mm,
    /// The child's.
    pub child: Mm,
    /// What has become of the parent.
    pub parent_is: Parent,
    /// What has become of the child.
    pub child_is: Child,
    /// Whether the page that is the child's page table is allocated.
    pub child_table: bool,
    /// The parent's `context.lock`.
    pub lock: Option<Holder>,
    /// Where the caller stands.
    pub caller: CallerPc,
    /// `old_ldt` of the caller.
    pub old: Option<LdtId>,
    /// `new_ldt` of the caller.
    pub new: Option<LdtId>,
    /// The entry that the caller sets.
    pub entry: u8,
    /// The page-table entry at which the caller is.
    pub caller_index: u8,
    /// Where fork stands.
    pub fork: ForkPc,
    /// The parent's LDT as fork has read it.
    pub seen: Option<LdtId>,
    /// The copy that fork makes.
    pub copy: Option<LdtId>,
    /// The page-table entry at which fork is.
    pub fork_index: u8,
    /// Fork has run out of memory.
    pub error: bool,
    /// How many calls have begun that did not fail.
    pub calls: u8,
    /// How many forks have begun.
    pub forks: u8,
    /// Ghost: what the calls ask for, one image after each call.
    pub history: [Image; MAX_CALLS as usize + 1],
    /// Ghost: how many images of the history are in effect, less 1.
    pub now: u8,
    /// Ghost: the image that was in effect when the fork of the child began.
    pub since: u8,
    /// Ghost: the image that was in effect when the fork of the child ended.
    pub until: u8,
}

/// What the error path of fork does with the child's page tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreeTables {
    /// `free_ldt_pgtables()`: takes them out and frees them.
    Yes,
    /// Nothing; exit will do it.
    No,
    /// Frees them, but leaves the entry that leads to them.
    Dangling,
}

/// Which version of fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// F2 clears the child's copy of the parent's pointer.
    pub clears_pointer: bool,
    /// An error while copying makes fork fail.
    pub checks_error: bool,
    /// F3 takes the parent's `context.lock`.
    pub takes_lock: bool,
    /// F9 comes before F6: the lock is dropped when the pointer has been read.
    pub unlocks_early: bool,
    /// W9 takes `context.lock`.
    pub caller_locks: bool,
    /// What the error path does with the page tables.
    pub frees_tables: FreeTables,
    /// The error path frees the copy.
    pub frees_copy: bool,
    /// F7 maps the copy.
    pub maps: bool,
    /// F6 copies as many entries as the copy has; otherwise one less.
    pub copies_all: bool,
}

/// The form of mainline.
pub const MAINLINE: Config = Config {
    clears_pointer: true,
    checks_error: true,
    takes_lock: true,
    unlocks_early: false,
    caller_locks: true,
    frees_tables: FreeTables::Yes,
    frees_copy: true,
    maps: true,
    copies_all: true,
};

/// One atomic change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "see `KINDS`")]
pub enum Step {
    W1Call { entry: u8 },
    W2ReadOld,
    W3AllocateStruct,
    W3AllocatePage(Page),
    W3OutOfMemory,
    W4Copy,
    W4Edit,
    W5MapEntry,
    W8SetSlot,
    W9TakeLock,
    W9Publish,
    W11DropLock,
    W12ClearEntry,
    W13FreePages,
    W13FreeStruct,
    W14Return,
    F1CopyMm,
    F2ClearPointer,
    F3TakeLock,
    F4ReadLdt,
    F5AllocateStruct,
    F5AllocatePage(Page),
    ForkOutOfMemory,
    F6CopyEntries,
    F7MapEntry,
    F7Show,
    F8SetPointer,
    F9DropLock,
    FreeTables,
    FreeCopyPages,
    FreeCopyStruct,
    ForkReturns,
    ForkFails,
    ChildExits,
    ChildUnlinks,
    ChildFreesPages,
    ChildFreesStruct,
    ParentUnlinks,
    ParentFreesPages,
    ParentFreesStruct,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct LdtFork {
    config: Config,
    calls: u8,
    forks: u8,
    pages: u8,
    entries: u8,
}

impl State {
    fn is_remembered(&self, page: Page) -> bool {
        self.parent.entries.leads_to(page) || self.child.entries.leads_to(page)
    }
}

impl LdtFork {
    fn may_hand_out(&self, s: &State, page: Page) -> bool {
        s.memory.may_hand_out(page, self.pages, |page| s.is_remembered(page))
    }

    fn caller_step(&self, s: &mut State, step: Step) -> Option<()> {
        match (step, s.caller) {
            (Step::W1Call { entry }, CallerPc::User) => {
                if entry >= self.entries || s.calls >= self.calls || s.parent_is != Parent::Runs {
                    return None;
                }
                s.calls += 1;
                s.entry = entry;
                s.caller = CallerPc::ReadOld;
            }
            (Step::W2ReadOld, CallerPc::ReadOld) => {
                s.old = s.parent.ldt;
                s.caller = CallerPc::AllocateStruct;
            }
            (Step::W3AllocateStruct, CallerPc::AllocateStruct) => {
                let had = s.old.map_or(0, |old| s.memory.ldt(old).entries);
                s.new = Some(s.memory.allocate_struct(had.max(s.entry + 1))?);
                s.caller = CallerPc::AllocatePage;
            }
            (Step::W3AllocatePage(page), CallerPc::AllocatePage) => {
                let new = s.new?;
                if !self.may_hand_out(s, page) {
                    return None;
                }
                s.memory.allocate_page(new, page)?;
                if s.memory.ldt(new).pages_held() >= s.memory.ldt(new).size {
                    s.caller = if s.old.is_some() { CallerPc::Copy } else { CallerPc::Edit };
                }
            }
            (Step::W3OutOfMemory, CallerPc::AllocateStruct | CallerPc::AllocatePage) => {
                if let Some(new) = s.new.take() {
                    s.memory.free_pages(new);
                    s.memory.free_struct(new);
                }
                s.calls -= 1;
                s.caller = CallerPc::Return;
            }
            (Step::W4Copy, CallerPc::Copy) => {
                s.memory.copy_entries(s.old?, s.new?);
                s.caller = CallerPc::Edit;
            }
            (Step::W4Edit, CallerPc::Edit) => {
                s.memory.edit_entry(s.new?, s.entry, s.calls);
                s.caller_index = 0;
                s.caller = CallerPc::Map;
            }
            (Step::W5MapEntry, CallerPc::Map) => {
                let (slot, index) = (self.callers_slot(s), s.caller_index);
                let new = s.memory.ldt(s.new?);
                s.parent.provide_table(Tables::OneForAll, slot, index);
                s.parent.entries = s.parent.entries.with(slot, index, new.pages[index as usize]);
                s.caller_index += 1;
                if s.caller_index >= new.size {
                    s.parent.visible = true;
                    s.caller_index = 0;
                    s.caller = CallerPc::SetSlot;
                }
            }
            (Step::W8SetSlot, CallerPc::SetSlot) => {
                s.memory.ldts[s.new? as usize].slot = Some(self.callers_slot(s));
                s.caller = if self.config.caller_locks { CallerPc::TakeLock } else { CallerPc::Publish };
            }
            (Step::W9TakeLock, CallerPc::TakeLock) => {
                if s.lock.is_some() {
                    return None;
                }
                s.lock = Some(Holder::Caller);
                s.caller = CallerPc::Publish;
            }
            (Step::W9Publish, CallerPc::Publish) => {
                s.parent.ldt = s.new.take();
                let before = s.history[s.now as usize];
                s.now += 1;
                s.history[s.now as usize] = before.with(s.entry, s.calls);
                s.caller = match (self.config.caller_locks, s.old) {
                    (true, _) => CallerPc::DropLock,
                    (false, Some(_)) => CallerPc::Unmap,
                    (false, None) => CallerPc::Return,
                };
            }
            (Step::W11DropLock, CallerPc::DropLock) => {
                s.lock = None;
                s.caller = if s.old.is_some() { CallerPc::Unmap } else { CallerPc::Return };
            }
            (Step::W12ClearEntry, CallerPc::Unmap) => {
                let old = s.memory.ldt(s.old?);
                if let Some(slot) = old.slot {
                    s.parent.entries = s.parent.entries.with(slot, s.caller_index, None);
                }
                s.caller_index += 1;
                if s.caller_index >= old.size {
                    s.caller_index = 0;
                    s.caller = CallerPc::FreePages;
                }
            }
            (Step::W13FreePages, CallerPc::FreePages) => {
                s.memory.free_pages(s.old?);
                s.caller = CallerPc::FreeStruct;
            }
            (Step::W13FreeStruct, CallerPc::FreeStruct) => {
                s.memory.free_struct(s.old.take()?);
                s.caller = CallerPc::Return;
            }
            (Step::W14Return, CallerPc::Return) => {
                s.old = None;
                s.entry = 0;
                s.caller = CallerPc::User;
            }
            _ => return None,
        }
        Some(())
    }

    fn callers_slot(&self, s: &State) -> Slot {
        s.old.and_then(|old| s.memory.ldt(old).slot).map_or(Slot::S0, Slot::other)
    }

    fn fork_step(&self, s: &mut State, step: Step) -> Option<()> {
        let config = &self.config;
        match (step, s.fork) {
            (Step::F1CopyMm, ForkPc::User) => {
                let may_fork = s.forks < self.forks && s.child_is == Child::None;
                if !may_fork || s.parent_is != Parent::Runs {
                    return None;
                }
                s.forks += 1;
                s.since = s.now;
                s.child_is = Child::Unborn;
                s.child = Mm { ldt: s.parent.ldt, ..Mm::EMPTY };
                s.fork = match (config.clears_pointer, config.takes_lock) {
                    (true, _) => ForkPc::ClearPointer,
                    (false, true) => ForkPc::TakeLock,
                    (false, false) => ForkPc::ReadLdt,
                };
            }
            (Step::F2ClearPointer, ForkPc::ClearPointer) => {
                s.child.ldt = None;
                s.fork = if config.takes_lock { ForkPc::TakeLock } else { ForkPc::ReadLdt };
            }
            (Step::F3TakeLock, ForkPc::TakeLock) => {
                if s.lock.is_some() {
                    return None;
                }
                s.lock = Some(Holder::Fork);
                s.fork = ForkPc::ReadLdt;
            }
            (Step::F4ReadLdt, ForkPc::ReadLdt) => {
                s.seen = s.parent.ldt;
                if config.unlocks_early {
                    s.lock = None;
                }
                if s.seen.is_some() {
                    s.fork = ForkPc::AllocateStruct;
                } else {
                    self.copied(s);
                }
            }
            (Step::F5AllocateStruct, ForkPc::AllocateStruct) => {
                let entries = s.memory.ldt(s.seen?).entries;
                s.copy = Some(s.memory.allocate_struct(entries)?);
                s.fork = ForkPc::AllocatePage;
            }
            (Step::F5AllocatePage(page), ForkPc::AllocatePage) => {
                let copy = s.copy?;
                if !self.may_hand_out(s, page) {
                    return None;
                }
                s.memory.allocate_page(copy, page)?;
                if s.memory.ldt(copy).pages_held() == s.memory.ldt(copy).size {
                    s.fork = ForkPc::Copy;
                }
            }
            (Step::ForkOutOfMemory, ForkPc::AllocateStruct | ForkPc::AllocatePage) => {
                if let Some(copy) = s.copy.take() {
                    s.memory.free_pages(copy);
                    s.memory.free_struct(copy);
                }
                s.error = true;
                self.copied(s);
            }
            (Step::F6CopyEntries, ForkPc::Copy) => {
                let mut from = s.memory;
                if !config.copies_all {
                    from.ldts[s.seen? as usize].entries -= 1;
                }
                from.copy_entries(s.seen?, s.copy?);
                s.memory.frames = from.frames;
                s.fork_index = 0;
                s.fork = if config.maps { ForkPc::Map } else { ForkPc::SetPointer };
            }
            (Step::F7MapEntry, ForkPc::Map) => {
                let copy = s.memory.ldt(s.copy?);
                s.child_table = true;
                s.child.provide_table(Tables::OneForAll, Slot::S0, s.fork_index);
                s.child.entries = s.child.entries.with(Slot::S0, s.fork_index, copy.pages[s.fork_index as usize]);
                s.fork_index += 1;
                if s.fork_index >= copy.size {
                    s.fork_index = 0;
                    s.fork = ForkPc::Show;
                }
            }
            (Step::ForkOutOfMemory, ForkPc::Map) => {
                // The upper levels of the page table are there, the last is not.
                s.child_table = true;
                s.child.provide_table(Tables::OneForAll, Slot::S0, s.fork_index);
                s.error = true;
                s.fork_index = 0;
                s.fork = match config.frees_tables {
                    FreeTables::Yes | FreeTables::Dangling => ForkPc::FreeTables,
                    FreeTables::No => ForkPc::ErrorFreePages,
                };
            }
            (Step::FreeTables, ForkPc::FreeTables) => {
                s.child_table = false;
                if config.frees_tables == FreeTables::Yes {
                    s.child.unlink_tables();
                }
                s.fork = ForkPc::ErrorFreePages;
                if !config.frees_copy {
                    s.copy = None;
                    self.copied(s);
                }
            }
            (Step::FreeCopyPages, ForkPc::ErrorFreePages) => {
                s.memory.free_pages(s.copy?);
                s.fork = ForkPc::ErrorFreeStruct;
            }
            (Step::FreeCopyStruct, ForkPc::ErrorFreeStruct) => {
                s.memory.free_struct(s.copy.take()?);
                self.copied(s);
            }
            (Step::F7Show, ForkPc::Show) => {
                s.child.visible = true;
                let copy = s.copy?;
                s.memory.ldts[copy as usize].slot = Some(Slot::S0);
                s.fork = ForkPc::SetPointer;
            }
            (Step::F8SetPointer, ForkPc::SetPointer) => {
                s.child.ldt = s.copy.take();
                self.copied(s);
            }
            (Step::F9DropLock, ForkPc::DropLock) => {
                s.lock = None;
                s.fork = ForkPc::Return;
            }
            (Step::ForkReturns, ForkPc::Return) if !(s.error && config.checks_error) => {
                s.child_is = Child::Runs;
                self.fork_is_over(s);
            }
            // After an error, or because a later part of fork fails.
            (Step::ForkFails, ForkPc::Return) => {
                s.child_is = Child::Unlinks;
                self.fork_is_over(s);
            }
            _ => return None,
        }
        Some(())
    }

    /// `ldt_dup_context()` has nothing more to do than to drop the lock.
    fn copied(&self, s: &mut State) {
        s.seen = None;
        let holds = self.config.takes_lock && !self.config.unlocks_early;
        s.fork = if holds { ForkPc::DropLock } else { ForkPc::Return };
    }

    fn fork_is_over(&self, s: &mut State) {
        s.until = s.now;
        s.error = false;
        s.fork = ForkPc::User;
    }

    fn exit_step(&self, s: &mut State, step: Step) -> Option<()> {
        match step {
            Step::ChildExits if s.child_is == Child::Runs => s.child_is = Child::Unlinks,
            Step::ChildUnlinks if s.child_is == Child::Unlinks => {
                if s.child.tables != 0 {
                    s.child_table = false;
                }
                s.child.unlink_tables();
                s.child_is = Child::FreesPages;
            }
            Step::ChildFreesPages if s.child_is == Child::FreesPages => {
                if let Some(ldt) = s.child.ldt {
                    s.memory.free_pages(ldt);
                }
                s.child_is = Child::FreesStruct;
            }
            Step::ChildFreesStruct if s.child_is == Child::FreesStruct => {
                if let Some(ldt) = s.child.ldt.take() {
                    s.memory.free_struct(ldt);
                }
                s.child_is = Child::None;
                s.since = 0;
                s.until = 0;
            }
            Step::ParentUnlinks if s.parent_is == Parent::Runs => {
                let idle = s.caller == CallerPc::User && s.fork == ForkPc::User;
                // The parent lives at least until its calls and forks have begun; a shorter life is a smaller size.
                if !idle || s.calls < self.calls || s.forks < self.forks {
                    return None;
                }
                s.parent.unlink_tables();
                s.parent_is = Parent::Unlinked;
            }
            Step::ParentFreesPages if s.parent_is == Parent::Unlinked => {
                if let Some(ldt) = s.parent.ldt {
                    s.memory.free_pages(ldt);
                }
                s.parent_is = Parent::PagesFreed;
            }
            Step::ParentFreesStruct if s.parent_is == Parent::PagesFreed => {
                if let Some(ldt) = s.parent.ldt.take() {
                    s.memory.free_struct(ldt);
                }
                s.parent_is = Parent::Gone;
            }
            _ => return None,
        }
        Some(())
    }
}

fn installed_ldt_alive(_: &LdtFork, s: &State) -> bool {
    let whole = |id: LdtId| {
        let ldt = s.memory.ldt(id);
        ldt.alive && (0..ldt.size).all(|i| ldt.pages[i as usize].is_some_and(|page| s.memory.owned(page)))
    };
    // Between the copy of the mm struct and F2 the child's pointer is the parent's; nobody follows it.
    let parent = s.parent_is == Parent::PagesFreed || s.parent.ldt.is_none_or(whole);
    let child = match s.child_is {
        Child::Runs | Child::Unlinks | Child::FreesPages => s.child.ldt.is_none_or(whole),
        Child::None | Child::Unborn | Child::FreesStruct => true,
    };
    parent && child
}

fn ldt_is_not_shared(_: &LdtFork, s: &State) -> bool {
    s.child_is == Child::Unborn || s.child.ldt.is_none() || s.child.ldt != s.parent.ldt
}

fn no_dangling_pointer(_: &LdtFork, s: &State) -> bool {
    let alive = |id: Option<LdtId>| id.is_none_or(|id| s.memory.ldt(id).alive);
    let seen = s.seen.is_none_or(|id| s.memory.ldt(id).alive && s.memory.image(id).is_some());
    alive(s.old) && alive(s.new) && alive(s.copy) && seen
}

fn no_mapped_free_page(_: &LdtFork, s: &State) -> bool {
    [s.parent, s.child].iter().all(|mm| {
        Slot::BOTH
            .into_iter()
            .all(|slot| (0..2).all(|entry| mm.walk(slot, entry).is_none_or(|page| s.memory.owned(page))))
    })
}

fn no_leak(_: &LdtFork, s: &State) -> bool {
    let known = |id: LdtId| [s.parent.ldt, s.child.ldt, s.old, s.new, s.copy].contains(&Some(id));
    let lost_struct = LdtId::ALL.into_iter().any(|id| s.memory.ldt(id).alive && !known(id));
    let lost_page = |page: Page| s.memory.frame(page).used_by == Use::Ldt && !s.memory.owned(page);
    let lost_table = s.child_table && s.child.tables == 0;
    !lost_struct && !lost_table && !Page::ALL.into_iter().any(lost_page)
}

fn child_table_is_there(_: &LdtFork, s: &State) -> bool {
    s.child.tables == 0 || s.child_table
}

fn child_has_parents_ldt(_: &LdtFork, s: &State) -> bool {
    let image = s.child.ldt.map_or(Some(Image::NONE), |id| s.memory.image(id));
    let was_in_effect = |image: Image| (s.since..=s.until).any(|n| s.history[n as usize] == image);
    s.child_is != Child::Runs || image.is_none_or(was_in_effect)
}

fn ldt_is_mapped(_: &LdtFork, s: &State) -> bool {
    let is_mapped = |mm: &Mm| {
        let Some(ldt) = mm.ldt.map(|id| s.memory.ldt(id)) else { return true };
        let shows = |slot: Slot| (0..ldt.size).all(|i| mm.walk(slot, i) == ldt.pages[i as usize]);
        ldt.slot.is_some_and(shows)
    };
    (s.parent_is != Parent::Runs || is_mapped(&s.parent)) && (s.child_is != Child::Runs || is_mapped(&s.child))
}

fn parent_ldt_is_what_was_asked_for(_: &LdtFork, s: &State) -> bool {
    let image = s.parent.ldt.map_or(Some(Image::NONE), |id| s.memory.image(id));
    s.parent_is != Parent::Runs || image.is_none_or(|image| image == s.history[s.now as usize])
}

fn lock_is_released(_: &LdtFork, s: &State) -> bool {
    match s.lock {
        None => true,
        Some(Holder::Caller) => s.caller != CallerPc::User,
        Some(Holder::Fork) => s.fork != ForkPc::User,
    }
}

const PROPERTIES: &[Property<LdtFork>] = &[
    Property::always(
        "installed-ldt-alive",
        "The LDT of the parent or of the child is freed while it is installed: the next switch uses freed memory.",
        installed_ldt_alive,
    ),
    Property::always(
        "ldt-is-not-shared",
        "Parent and child have one and the same LDT: whoever exits first frees that of the other.",
        ldt_is_not_shared,
    ),
    Property::always(
        "no-dangling-pointer",
        "A call or fork holds a pointer to a freed LDT: it copies from freed memory, or frees it again.",
        no_dangling_pointer,
    ),
    Property::always(
        "no-mapped-free-page",
        "User code of the parent or of the child can still reach a freed page.",
        no_mapped_free_page,
    ),
    Property::always("no-leak", "An LDT, a page or a page table is lost: memory that nobody will ever free.", no_leak),
    Property::always(
        "page-table-alive",
        "The child's page directory leads to a freed page table: exit walks it and frees it a second time.",
        child_table_is_there,
    ),
    Property::always(
        "child-has-parents-ldt",
        "The child runs with descriptors that the parent did not have at any moment of the fork.",
        child_has_parents_ldt,
    ),
    Property::always(
        "ldt-is-mapped",
        "The LDT of parent or child is not mapped where LDTR points, or will point: the next segment load faults.",
        ldt_is_mapped,
    ),
    Property::always(
        "ldt-is-what-was-asked-for",
        "The parent's LDT is not what its calls asked for.",
        parent_ldt_is_what_was_asked_for,
    ),
    Property::always("locks-are-released", "A thread has left with context.lock held.", lock_is_released),
    Property::sometimes("call-waits-for-fork", "A call waits for the lock that fork holds.", |_, s: &State| {
        s.caller == CallerPc::TakeLock && s.lock == Some(Holder::Fork) && s.seen.is_some()
    }),
    Property::sometimes(
        "fork-fails-half-way",
        "Fork has run out of memory with a part of the page table made.",
        |_, s: &State| s.error && s.child_table,
    ),
    Property::sometimes("child-runs-with-its-ldt", "The child runs with an LDT of its own.", |_, s: &State| {
        s.child_is == Child::Runs && s.child.ldt.is_some_and(|id| s.memory.image(id).is_some())
    }),
    Property::sometimes(
        "child-has-an-older-ldt",
        "The parent has gone on, and the child keeps what it got.",
        |_, s: &State| {
            let image = |ldt: Option<LdtId>| ldt.and_then(|id| s.memory.image(id));
            s.child_is == Child::Runs && s.child.ldt.is_some() && image(s.child.ldt) != image(s.parent.ldt)
        },
    ),
    Property::sometimes(
        "child-outlives-parent",
        "The parent is gone, and the child runs with its LDT.",
        |_, s: &State| s.parent_is == Parent::Gone && s.child_is == Child::Runs && s.child.ldt.is_some(),
    ),
];

const COMMIT_2017: &str = "f55f0501cbf6 \"x86/pti: Put the LDT in its own PGD if PTI is on\", December 2017";
const REVIEW: &str = "mail of 30 December 2017, Re: Review of KPTI patchset";

/// Where one of the two does not take the lock, nobody waits.
const NO_WAIT: &[&str] = &["call-waits-for-fork"];

const fn variant(
    name: &'static str,
    what: &'static str,
    origin: &'static str,
    config: Config,
    expect: Expect,
) -> Variant<Config> {
    // What is broken at the small size needs no larger one.
    let deep: &[(&str, u8)] =
        if expect.broken.is_empty() { &[] } else { &[("calls", 2), ("forks", 1), ("entries", 2)] };
    Variant { name, what, origin, compare_with: "fork", config, expect, quick: &[], deep }
}

const VARIANTS: &[Variant<Config>] = &[
    variant(
        "fork",
        "The child's pointer is cleared, the parent's LDT is copied under its context.lock and mapped in the child's slot 0.",
        COMMIT_2017,
        MAINLINE,
        Expect::holds("The lock keeps the parent's LDT installed, and so alive, until it is copied."),
    ),
    Variant {
        compare_with: "fork",
        ..variant(
            "free-pgtables-in-dup",
            "The question of the mail: the error path of fork frees the child's page tables, and exit frees them again.",
            REVIEW,
            MAINLINE,
            Expect::holds("Nobody runs the child; what is freed is also taken out, so the second free finds nothing."),
        )
    },
    variant(
        "no-free-pgtables-in-dup",
        "The error path of fork leaves the child's page tables to exit.",
        REVIEW,
        Config { frees_tables: FreeTables::No, ..MAINLINE },
        Expect::holds(
            "They lead to a freed page for a while, but the child never runs and user mode was never shown the slots; the \
             call in the error path is tidy, not necessary.",
        ),
    ),
    variant(
        "pgtables-freed-not-unlinked",
        "The error path of fork frees the child's page tables and leaves the entry that leads to them.",
        "kverdict: a one-line change that forgets to clear the upper level",
        Config { frees_tables: FreeTables::Dangling, ..MAINLINE },
        Expect::broken(&["page-table-alive"], "Then the second free finds something."),
    ),
    variant(
        "fork-error-dropped",
        "An error while the LDT is copied is ignored; the child runs with the parent's pointer and frees it at exit.",
        "CVE-2017-17053",
        Config { clears_pointer: false, checks_error: false, ..MAINLINE },
        Expect::broken(
            &[
                "installed-ldt-alive",
                "ldt-is-not-shared",
                "no-dangling-pointer",
                "no-mapped-free-page",
                "child-has-parents-ldt",
                "ldt-is-mapped",
                "ldt-is-what-was-asked-for",
            ],
            "The copy of the mm struct has the parent's pointer in it, and nobody has overwritten it.",
        ),
    ),
    variant(
        "fork-pointer-not-cleared",
        "An error makes fork fail, but the child's pointer is still the parent's when the child is thrown away.",
        "kverdict: CVE-2017-17053 with only half of the repair",
        Config { clears_pointer: false, ..MAINLINE },
        Expect::broken(
            &[
                "installed-ldt-alive",
                "ldt-is-not-shared",
                "no-dangling-pointer",
                "no-mapped-free-page",
                "ldt-is-mapped",
                "ldt-is-what-was-asked-for",
            ],
            "Throwing the child away frees the parent's LDT.",
        ),
    ),
    variant(
        "fork-error-not-checked",
        "The pointer is cleared, but an error while the LDT is copied is ignored.",
        "kverdict: CVE-2017-17053 with the other half of the repair",
        Config { checks_error: false, ..MAINLINE },
        Expect::broken(&["child-has-parents-ldt"], "The child runs without an LDT where the parent has one."),
    ),
    variant(
        "fork-without-lock",
        "fork does not take the parent's context.lock.",
        "kverdict: a one-line change that forgets mutex_lock()",
        Config { takes_lock: false, ..MAINLINE },
        Expect::broken(
            &["no-dangling-pointer", "child-has-parents-ldt"],
            "A call in the parent replaces and frees the LDT while fork copies it.",
        )
        .without(NO_WAIT),
    ),
    variant(
        "fork-unlocks-early",
        "fork drops the lock when it has read the pointer.",
        "kverdict: a one-line change that moves mutex_unlock() up",
        Config { unlocks_early: true, ..MAINLINE },
        Expect::broken(
            &["no-dangling-pointer", "child-has-parents-ldt"],
            "The lock protects the copying, not only the reading of the pointer.",
        )
        .without(NO_WAIT),
    ),
    variant(
        "no-context-lock",
        "write_ldt() does not take context.lock when it installs the new LDT.",
        "kverdict: a one-line change that forgets mutex_lock()",
        Config { caller_locks: false, ..MAINLINE },
        Expect::broken(
            &["no-dangling-pointer", "child-has-parents-ldt"],
            "ldt_usr_sem keeps out other calls, but not fork.",
        )
        .without(NO_WAIT),
    ),
    variant(
        "fork-error-leaks",
        "The error path of fork does not free the copy.",
        "kverdict: a one-line change that forgets free_ldt_struct()",
        Config { frees_copy: false, ..MAINLINE },
        Expect::broken(&["no-leak"], "Every fork that fails while mapping loses an LDT."),
    ),
    variant(
        "fork-not-mapped",
        "fork does not map the copy.",
        "kverdict: ldt_dup_context() as it was before page table isolation",
        Config { maps: false, ..MAINLINE },
        Expect::broken(&["ldt-is-mapped"], "The child's LDT has no slot.").without(&["fork-fails-half-way"]),
    ),
    variant(
        "fork-copies-one-less",
        "fork copies one entry too few.",
        "kverdict: a one-line change of the length of memcpy()",
        Config { copies_all: false, ..MAINLINE },
        Expect::broken(&["child-has-parents-ldt"], "The child's last descriptor is zero."),
    ),
];

const KINDS: &[StepKind] = &[
    StepKind::new("W1Call", "A thread of the parent calls modify_ldt().", "write_ldt()"),
    StepKind::new("W2ReadOld", "Reads context.ldt.", "write_ldt()"),
    StepKind::new("W3Allocate", "Allocates the struct or one page of the new LDT, or gets none.", "alloc_ldt_struct()"),
    StepKind::new("W4CopyAndEdit", "Copies the old entries, or writes the descriptor.", "write_ldt()"),
    StepKind::new("W5MapEntry", "Maps one page of the new LDT; the last makes the slots visible.", "map_ldt_struct()"),
    StepKind::new("W8SetSlot", "Stores the slot in the new LDT.", "map_ldt_struct()"),
    StepKind::new("W9TakeLock", "Takes the parent's context.lock.", "install_ldt()"),
    StepKind::new("W9Publish", "Stores context.ldt.", "install_ldt()"),
    StepKind::new("W11DropLock", "Drops context.lock.", "install_ldt()"),
    StepKind::new("W12ClearEntry", "Unmaps one page of the old LDT.", "unmap_ldt_struct()"),
    StepKind::new("W13Free", "Frees the pages of the old LDT, or its struct.", "free_ldt_struct()"),
    StepKind::new("W14Return", "The call returns.", "write_ldt()"),
    StepKind::new("F1CopyMm", "Copies the mm struct of the parent, with the pointer in it.", "dup_mm()"),
    StepKind::new("F2ClearPointer", "Clears the child's context.ldt.", "init_new_context_ldt()"),
    StepKind::new("F3TakeLock", "Takes the parent's context.lock.", "ldt_dup_context()"),
    StepKind::new("F4ReadLdt", "Reads the parent's context.ldt.", "ldt_dup_context()"),
    StepKind::new("F5Allocate", "Allocates the struct or one page of the copy.", "alloc_ldt_struct()"),
    StepKind::new("ForkOutOfMemory", "Fork gets no memory.", "alloc_ldt_struct(), get_locked_pte()"),
    StepKind::new("F6CopyEntries", "Copies the entries.", "ldt_dup_context()"),
    StepKind::new("F7MapEntry", "Maps one page of the copy, or makes the slots visible.", "map_ldt_struct()"),
    StepKind::new("F8SetPointer", "Stores the child's context.ldt.", "ldt_dup_context()"),
    StepKind::new("F9DropLock", "Drops the parent's context.lock.", "ldt_dup_context()"),
    StepKind::new("FreeTables", "The error path takes the child's page tables out.", "free_ldt_pgtables()"),
    StepKind::new("FreeCopy", "The error path frees the pages of the copy, or its struct.", "free_ldt_struct()"),
    StepKind::new("ForkReturns", "The child may run.", "dup_mm()"),
    StepKind::new("ForkFails", "The child is thrown away, after this error or a later one.", "dup_mm()"),
    StepKind::new("ChildExits", "The child exits.", "mmput()"),
    StepKind::new("ExitUnlinks", "Takes the page tables of an address space out, and flushes.", "ldt_arch_exit_mmap()"),
    StepKind::new("ExitFrees", "Frees the pages of an address space's LDT, or its struct.", "destroy_context_ldt()"),
];

const PARAMETERS: &[Parameter] = &[
    Parameter { name: "calls", says: "calls of modify_ldt() that succeed", min: 1, max: MAX_CALLS, quick: 2, deep: 3 },
    Parameter { name: "forks", says: "forks", min: 1, max: 3, quick: 1, deep: 2 },
    Parameter { name: "pages", says: "pages of memory", min: 2, max: 4, quick: 4, deep: 4 },
    Parameter {
        name: "entries",
        says: "entries of an LDT, two to a page",
        min: 1,
        max: MAX_ENTRIES,
        quick: 2,
        deep: 3,
    },
];

impl Machine for LdtFork {
    type State = State;
    type Step = Step;
    type Config = Config;
    const MECHANISM: &'static str = "ldt";
    const VARIANTS: &'static [Variant<Config>] = VARIANTS;
    const PARAMETERS: &'static [Parameter] = PARAMETERS;
    const PROPERTIES: &'static [Property<Self>] = PROPERTIES;
    const KINDS: &'static [StepKind] = KINDS;

    fn new(config: Config, size: Size) -> Self {
        Self { config, calls: size.get(0), forks: size.get(1), pages: size.get(2), entries: size.get(3) }
    }

    fn initial_states(&self) -> Vec<State> {
        vec![State {
            memory: Memory::EMPTY,
            parent: Mm::EMPTY,
            child: Mm::EMPTY,
            parent_is: Parent::Runs,
            child_is: Child::None,
            child_table: false,
            lock: None,
            caller: CallerPc::User,
            old: None,
            new: None,
            entry: 0,
            caller_index: 0,
            fork: ForkPc::User,
            seen: None,
            copy: None,
            fork_index: 0,
            error: false,
            calls: 0,
            forks: 0,
            history: [Image::NONE; MAX_CALLS as usize + 1],
            now: 0,
            since: 0,
            until: 0,
        }]
    }

    fn steps(&self, _state: &State, out: &mut Vec<Step>) {
        // The machine is small: every step is tried everywhere.
        out.extend(self.every_step());
    }

    fn every_step(&self) -> Vec<Step> {
        let mut all: Vec<Step> = (0..self.entries).map(|entry| Step::W1Call { entry }).collect();
        all.extend(Page::ALL.map(Step::W3AllocatePage));
        all.extend(Page::ALL.map(Step::F5AllocatePage));
        all.extend(PLAIN_STEPS);
        all
    }

    fn step(&self, state: &State, step: Step) -> Option<State> {
        let mut next = *state;
        match lane_of(step) {
            Lane::Caller => self.caller_step(&mut next, step)?,
            Lane::Fork => self.fork_step(&mut next, step)?,
            Lane::Child | Lane::Parent => self.exit_step(&mut next, step)?,
        }
        Some(next)
    }

    fn is_final(&self, state: &State) -> bool {
        state.parent_is == Parent::Gone && state.child_is == Child::None
    }

    fn kind(&self, step: Step) -> usize {
        match step {
            Step::W1Call { .. } => 0,
            Step::W2ReadOld => 1,
            Step::W3AllocateStruct | Step::W3AllocatePage(_) | Step::W3OutOfMemory => 2,
            Step::W4Copy | Step::W4Edit => 3,
            Step::W5MapEntry => 4,
            Step::W8SetSlot => 5,
            Step::W9TakeLock => 6,
            Step::W9Publish => 7,
            Step::W11DropLock => 8,
            Step::W12ClearEntry => 9,
            Step::W13FreePages | Step::W13FreeStruct => 10,
            Step::W14Return => 11,
            Step::F1CopyMm => 12,
            Step::F2ClearPointer => 13,
            Step::F3TakeLock => 14,
            Step::F4ReadLdt => 15,
            Step::F5AllocateStruct | Step::F5AllocatePage(_) => 16,
            Step::ForkOutOfMemory => 17,
            Step::F6CopyEntries => 18,
            Step::F7MapEntry | Step::F7Show => 19,
            Step::F8SetPointer => 20,
            Step::F9DropLock => 21,
            Step::FreeTables => 22,
            Step::FreeCopyPages | Step::FreeCopyStruct => 23,
            Step::ForkReturns => 24,
            Step::ForkFails => 25,
            Step::ChildExits => 26,
            Step::ChildUnlinks | Step::ParentUnlinks => 27,
            Step::ChildFreesPages | Step::ChildFreesStruct | Step::ParentFreesPages | Step::ParentFreesStruct => 28,
        }
    }

    fn kind_is_used(&self, kind: usize) -> bool {
        let config = &self.config;
        match KINDS[kind].name {
            "W9TakeLock" | "W11DropLock" => config.caller_locks,
            "W12ClearEntry" | "W13Free" => self.calls > 1,
            "F2ClearPointer" => config.clears_pointer,
            "F3TakeLock" => config.takes_lock,
            "F9DropLock" => config.takes_lock && !config.unlocks_early,
            "F7MapEntry" => config.maps,
            "FreeTables" => config.maps && config.frees_tables != FreeTables::No,
            "FreeCopy" => config.maps && config.frees_copy,
            _ => true,
        }
    }

    fn lanes(&self) -> Vec<String> {
        ["modify_ldt()", "fork()", "child", "parent"].map(String::from).to_vec()
    }

    fn lane(&self, _state: &State, step: Step) -> usize {
        lane_of(step) as usize
    }

    fn describe(&self, state: &State, step: Step) -> String {
        self.described(state, step)
    }

    fn view(&self, s: &State) -> Vec<Panel> {
        let ldt = view::ldt_or_null;
        let mut panels = vec![
            Panel::of_lane("modify_ldt() in the parent", 0)
                .row("is before", format!("{:?}", s.caller))
                .row("old", ldt(s.old))
                .row("new", ldt(s.new)),
            Panel::of_lane("fork() in the parent", 1)
                .row("is before", format!("{:?}", s.fork))
                .row("has read", ldt(s.seen))
                .row("copy", ldt(s.copy))
                .row("error", view::yes(s.error)),
            Panel::of_lane("child", 2)
                .row("is", format!("{:?}", s.child_is))
                .row("context.ldt", ldt(s.child.ldt))
                .row("page table allocated", view::yes(s.child_table)),
            Panel::of_lane("parent", 3)
                .row("is", format!("{:?}", s.parent_is))
                .row("context.ldt", ldt(s.parent.ldt))
                .row(
                    "context.lock",
                    match s.lock {
                        None => "free",
                        Some(Holder::Caller) => "modify_ldt()",
                        Some(Holder::Fork) => "fork()",
                    },
                ),
            view::page_table_panel("page table of the parent", &s.parent),
            view::page_table_panel("page table of the child", &s.child),
        ];
        panels.extend(view::memory_panels(&s.memory, self.pages));
        panels
    }
}

const PLAIN_STEPS: [Step; 37] = [
    Step::W2ReadOld,
    Step::W3AllocateStruct,
    Step::W3OutOfMemory,
    Step::W4Copy,
    Step::W4Edit,
    Step::W5MapEntry,
    Step::W8SetSlot,
    Step::W9TakeLock,
    Step::W9Publish,
    Step::W11DropLock,
    Step::W12ClearEntry,
    Step::W13FreePages,
    Step::W13FreeStruct,
    Step::W14Return,
    Step::F1CopyMm,
    Step::F2ClearPointer,
    Step::F3TakeLock,
    Step::F4ReadLdt,
    Step::F5AllocateStruct,
    Step::ForkOutOfMemory,
    Step::F6CopyEntries,
    Step::F7MapEntry,
    Step::F7Show,
    Step::F8SetPointer,
    Step::F9DropLock,
    Step::FreeTables,
    Step::FreeCopyPages,
    Step::FreeCopyStruct,
    Step::ForkReturns,
    Step::ForkFails,
    Step::ChildExits,
    Step::ChildUnlinks,
    Step::ChildFreesPages,
    Step::ChildFreesStruct,
    Step::ParentUnlinks,
    Step::ParentFreesPages,
    Step::ParentFreesStruct,
];

enum Lane {
    Caller,
    Fork,
    Child,
    Parent,
}

fn lane_of(step: Step) -> Lane {
    match step {
        Step::W1Call { .. }
        | Step::W2ReadOld
        | Step::W3AllocateStruct
        | Step::W3AllocatePage(_)
        | Step::W3OutOfMemory
        | Step::W4Copy
        | Step::W4Edit
        | Step::W5MapEntry
        | Step::W8SetSlot
        | Step::W9TakeLock
        | Step::W9Publish
        | Step::W11DropLock
        | Step::W12ClearEntry
        | Step::W13FreePages
        | Step::W13FreeStruct
        | Step::W14Return => Lane::Caller,
        Step::ChildExits | Step::ChildUnlinks | Step::ChildFreesPages | Step::ChildFreesStruct => Lane::Child,
        Step::ParentUnlinks | Step::ParentFreesPages | Step::ParentFreesStruct => Lane::Parent,
        _ => Lane::Fork,
    }
}

impl LdtFork {
    fn described(&self, s: &State, step: Step) -> String {
        let ldt = view::ldt_or_null;
        let page_of = |id: Option<LdtId>, index: u8| {
            view::page_or_none(id.and_then(|id| s.memory.ldt(id).pages[(index as usize).min(1)]))
        };
        match step {
            Step::W1Call { entry } => format!("calls modify_ldt() for entry {entry}"),
            Step::W2ReadOld => format!("reads old = context.ldt = {}", ldt(s.parent.ldt)),
            Step::W3AllocateStruct => "allocates the struct of the new LDT".to_string(),
            Step::W3AllocatePage(page) => format!("allocates {} for {}, zeroed", view::page_name(page), ldt(s.new)),
            Step::W3OutOfMemory => "gets no memory, and gives up".to_string(),
            Step::W4Copy => format!("copies the entries of {} to {}", ldt(s.old), ldt(s.new)),
            Step::W4Edit => format!("writes descriptor {} to entry {} of {}", s.calls, s.entry, ldt(s.new)),
            Step::W5MapEntry => {
                format!("maps {} at slot {}", page_of(s.new, s.caller_index), self.callers_slot(s) as u8)
            }
            Step::W8SetSlot => format!("stores slot {} in {}", self.callers_slot(s) as u8, ldt(s.new)),
            Step::W9TakeLock => "takes context.lock".to_string(),
            Step::W9Publish => format!("stores context.ldt = {}", ldt(s.new)),
            Step::W11DropLock => "drops context.lock".to_string(),
            Step::W12ClearEntry => format!("unmaps {}", page_of(s.old, s.caller_index)),
            Step::W13FreePages => format!("frees the pages of {}", ldt(s.old)),
            Step::W13FreeStruct => format!("frees the struct of {}", ldt(s.old)),
            Step::W14Return => "returns to user mode".to_string(),
            Step::F1CopyMm => format!("copies the mm struct: the child's context.ldt = {}", ldt(s.parent.ldt)),
            Step::F2ClearPointer => "stores the child's context.ldt = NULL".to_string(),
            Step::F3TakeLock => "takes the parent's context.lock".to_string(),
            Step::F4ReadLdt => format!("reads the parent's context.ldt = {}", ldt(s.parent.ldt)),
            Step::F5AllocateStruct => "allocates the struct of the copy".to_string(),
            Step::F5AllocatePage(page) => format!("allocates {} for {}, zeroed", view::page_name(page), ldt(s.copy)),
            Step::ForkOutOfMemory if s.fork == ForkPc::Map => "gets no page table for the child".to_string(),
            Step::ForkOutOfMemory => "gets no memory for the copy".to_string(),
            Step::F6CopyEntries => format!("copies the entries of {} to {}", ldt(s.seen), ldt(s.copy)),
            Step::F7MapEntry => format!("maps {} at the child's slot 0", page_of(s.copy, s.fork_index)),
            Step::F7Show => "makes the child's slots visible and stores slot 0".to_string(),
            Step::F8SetPointer => format!("stores the child's context.ldt = {}", ldt(s.copy)),
            Step::F9DropLock => "drops the parent's context.lock".to_string(),
            Step::FreeTables => "takes the child's page tables out and frees them".to_string(),
            Step::FreeCopyPages => format!("frees the pages of {}", ldt(s.copy)),
            Step::FreeCopyStruct => format!("frees the struct of {}", ldt(s.copy)),
            Step::ForkReturns => format!("returns; the child runs with {}", ldt(s.child.ldt)),
            Step::ForkFails if s.error => "returns the error; the child is thrown away".to_string(),
            Step::ForkFails => "fails in a later part; the child is thrown away".to_string(),
            Step::ChildExits => "exits".to_string(),
            Step::ChildUnlinks | Step::ParentUnlinks => "takes its page tables out and flushes".to_string(),
            Step::ChildFreesPages => format!("frees the pages of {}", ldt(s.child.ldt)),
            Step::ChildFreesStruct => format!("frees the struct of {}", ldt(s.child.ldt)),
            Step::ParentFreesPages => format!("frees the pages of {}", ldt(s.parent.ldt)),
            Step::ParentFreesStruct => format!("frees the struct of {}", ldt(s.parent.ldt)),
        }
    }
}
