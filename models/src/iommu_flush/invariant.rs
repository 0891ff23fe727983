//! What is true in every state of the intended code, however many binds there are: an inductive invariant.
//!
//! It covers the variants with the acts of `rcu` ([`IommuFlush::has_invariant`]). It is true at the start, every step
//! keeps it, and every claim follows from it. It says nothing about [`State::binds_left`], so that what is shown with
//! it is shown for any number of binds. In short:
//!
//! - a thread's place says what its locals are, which stores may still be in its buffer, and whether it has the mutex;
//! - users, pointer, PASID entry, text and data are what the drivers' bindings and the place of the binder that has
//!   the mutex say, as that binder's CPU sees them;
//! - a flusher that holds the function either finds it in place or is waited for;
//! - whatever is cached or walked through stands in the page tables, or the flusher that cleared it has still to
//!   flush that unit.

use crate::machine::Invariant;

use super::hardware::{frame_of, Iommu, Level, Progress, Request, Scope, Set, Use, Walk, AREAS_MAX, IOMMUS_MAX};
use super::step::{load_pointer, load_users, scope};
use super::{
    Act, Binder, Buffer, Build, Config, Flusher, IommuFlush, Kernel, State, Store, Target, BINDERS_MAX, BUFFER,
    FLUSHERS_MAX, IDLE, NOBODY, THREADS_MAX,
};

/// What the place of whoever binds or unbinds an IOMMU says about it.
struct Phase {
    /// The PASID entry, once the binder's stores are visible.
    entry: bool,
    /// The IOMMU is a user, once the binder's stores are visible.
    user: bool,
    /// The device was told to work.
    working: bool,
    /// Nothing is cached and no walk is under way.
    cold: bool,
}

/// What the place of the binder with the mutex says about the hook.
struct Hook {
    /// The pointer, once the binder's stores are visible.
    pointer: bool,
    /// Text and data are there.
    loaded: bool,
}

/// The invariant, for the engines.
pub(super) const INVARIANT: Invariant<IommuFlush> = Invariant::new(IommuFlush::has_invariant, IommuFlush::invariant);

impl IommuFlush {
    /// Whether [`IommuFlush::invariant`] is about this variant: the acts and the lifetimes of `rcu`, on either kernel
    /// as long as the definition that is built is the patched one, with or without a hint that is true.
    #[must_use]
    pub fn has_invariant(&self) -> bool {
        let c = &self.config;
        let rest = Config { kernel: c.kernel, smp_patched: c.smp_patched, up_patched: c.up_patched, ..Config::RCU };
        let patched = [Level::Data, Level::Table].iter().all(|level| self.flush(*level) == c.flush);
        let hint_is_true = c.hint != super::Hint::Always;
        patched && hint_is_true && Config { hint: rest.hint, ..*c } == rest
    }

    /// The invariant; see the module.
    #[must_use]
    pub fn invariant(&self, s: &State) -> bool {
        let mut good = self.sets_fit(s) && self.mutex_fits(s) && self.hook_fits(s);
        for slot in 0..FLUSHERS_MAX {
            good &= self.flusher_fits(s, slot);
        }
        for slot in 0..BINDERS_MAX {
            good &= self.binder_fits(s, slot);
        }
        for iommu in 0..IOMMUS_MAX as u8 {
            good &= self.iommu_fits(s, iommu);
        }
        for area in 0..AREAS_MAX as u8 {
            good &= self.area_fits(s, area);
        }
        match s.build {
            Build::Failed => false,
            Build::NotYet => good && self.is_initial(s),
            Build::Done => good,
        }
    }

    fn is_initial(&self, s: &State) -> bool {
        *s == State { binds_left: s.binds_left, ..self.initial_state() }
    }

    /// Only areas and IOMMUs that exist occur anywhere, and two threads never work on the same one, or on UP both in a
    /// section that is not preempted.
    fn sets_fit(&self, s: &State) -> bool {
        let (areas, iommus) = (Set::below(self.areas), Set::below(self.iommus));
        let hardware = &s.hardware;
        let mut good = hardware.pmd.within(areas) && hardware.pte.within(areas) && s.users.within(iommus);
        good &= hardware.cpu_upper.within(areas) && hardware.cpu_leaf.within(areas) && s.bound.within(iommus);
        for unit in &hardware.iommus {
            good &= unit.upper.within(areas) && unit.leaf.within(areas) && unit.wild.is_empty();
            good &= match unit.walk {
                Walk::Idle => true,
                Walk::Started(area) | Walk::InTable(area) | Walk::HasLeaf(area) => area < self.areas,
                Walk::HasWild(_) => false,
            };
        }
        let [f, g] = &s.flushers;
        let [b, c] = &s.binders;
        // One CPU runs one thread that is not preempted.
        good && (self.config.kernel == Kernel::Smp || f.is_preemptible() || g.is_preemptible())
            && (f.at == IDLE || g.at == IDLE || f.area != g.area)
            && (b.at == IDLE || c.at == IDLE || b.iommu != c.iommu)
    }

    /// A binder holds the mutex exactly while it is past taking it; nobody else ever does.
    fn mutex_fits(&self, s: &State) -> bool {
        let mut good = s.mutex == NOBODY || (s.mutex as usize >= FLUSHERS_MAX && (s.mutex as usize) < THREADS_MAX);
        for (slot, binder) in s.binders.iter().enumerate() {
            let inside = binder.at != IDLE && binder.at != 0;
            good &= inside == (s.mutex as usize == FLUSHERS_MAX + slot);
        }
        good
    }

    /// A flusher's place says what its locals are, and what is left in its store buffer.
    fn flusher_fits(&self, s: &State, slot: usize) -> bool {
        let f = &s.flushers[slot];
        let buffer = s.buffers[slot];
        if f.at == IDLE {
            return *f == Flusher::IDLE && buffer == Buffer::EMPTY;
        }
        let Some(act) = self.next_act(f) else { return false };
        let exists = slot < self.flushers as usize && f.area < self.areas && f.notifier == 0 && !f.asleep;
        let cleared = match f.level {
            Level::Data => Store::ClearPte(f.area),
            Level::Table => Store::ClearPmd(f.area),
        };
        let stores =
            buffer == Buffer::EMPTY || act == Act::FullBarrier && buffer == Buffer([cleared, Store::None, Store::None]);
        let all = Set::below(self.iommus);
        let looked = u8::from(!matches!(act, Act::FullBarrier | Act::F1ReadLock | Act::F2ReadPointer));
        let inside = is_in_section(act);
        let holds = f.fetched == Target::Function;
        let alone = f.todo.is_empty() && f.request == Request::UNUSED;
        let locals = match act {
            Act::FullBarrier | Act::F1ReadLock | Act::F2ReadPointer => {
                f.fetched == Target::Null && f.calls == 0 && alone
            }
            Act::F3TestAndCall => (f.fetched == Target::Null || holds) && f.calls == 0 && alone,
            Act::C1ReadPasidData | Act::C4Return => holds && f.calls == 1 && alone,
            Act::C2Submit => {
                holds && f.calls == 1 && !f.todo.is_empty() && f.todo.within(all) && f.request == Request::UNUSED
            }
            Act::C3Wait => holds && f.calls == 1 && f.todo.within(all) && self.is_own_request(f),
            Act::F4ReadUnlock | Act::F5FlushCpus | Act::F6FreePage => {
                f.fetched == Target::Null && f.calls <= 1 && alone
            }
            _ => false,
        };
        exists && stores && locals && f.loads == looked && f.rcu == u8::from(inside) && (!holds || self.finds(s, slot))
    }

    /// The request that a flusher waits for.
    fn is_own_request(&self, f: &Flusher) -> bool {
        let request = Request::new(f.request.iommu, Set::of(f.area), scope(self, f.level));
        let as_submitted = Request { progress: Progress::Pending, ..f.request } == request;
        as_submitted
            && f.request.progress != Progress::Unused
            && f.request.iommu < self.iommus
            && !f.todo.has(f.request.iommu)
    }

    /// A flusher that holds the function: it is in place, and whoever is going to take it away waits.
    fn finds(&self, s: &State, slot: usize) -> bool {
        let Some((binder, act)) = self.holder(s) else { return s.pointer };
        if !binder.alone {
            return true;
        }
        match act {
            Act::B1SetUpPasid | Act::B2AddUser | Act::B2Publish | Act::U4Free => false,
            Act::MutexUnlock => !binder.unbinding,
            Act::U3EndGracePeriod => binder.waits_for.has(slot as u8),
            _ => true,
        }
    }

    /// A binder's place says what its locals are, and what is left in its store buffer.
    fn binder_fits(&self, s: &State, slot: usize) -> bool {
        let b = &s.binders[slot];
        let buffer = s.buffers[FLUSHERS_MAX + slot];
        if b.at == IDLE {
            return *b == Binder::IDLE && buffer == Buffer::EMPTY;
        }
        let Some(act) = self.next_binding_act(b) else { return false };
        let exists = slot < self.binders as usize && b.iommu < self.iommus && s.bound.has(b.iommu) == b.unbinding;
        let asleep = b.asleep == (act == Act::MutexLock);
        let others = load_users(s, FLUSHERS_MAX + slot).without(b.iommu);
        let alone = if act == Act::MutexLock { !b.alone } else { b.alone == others.is_empty() };
        let possible = b.alone || !act.only_for_first_or_last();
        let mut readers = Set::EMPTY;
        for (number, f) in s.flushers.iter().enumerate() {
            if f.rcu > 0 {
                readers = readers.with(number as u8);
            }
        }
        let waits = b.waits_for.is_empty() || act == Act::U3EndGracePeriod && b.waits_for.within(readers);
        let drain = Request::new(b.iommu, Set::EMPTY, Scope::Pasid);
        let request = match act {
            Act::C3Wait => b.request == drain || b.request == Request { progress: Progress::Done, ..drain },
            _ => b.request == Request::UNUSED,
        };
        exists && asleep && alone && possible && waits && request && buffer.is_end_of(issued(b, act))
    }

    /// An IOMMU, its PASID entry and its user are what its binding says.
    fn iommu_fits(&self, s: &State, iommu: u8) -> bool {
        let unit = &s.hardware.iommus[iommu as usize];
        let phase = self.phase(s, iommu);
        let (mut entry, mut user) = (unit.entry, s.users.has(iommu));
        for buffer in &s.buffers {
            for store in buffer.0 {
                match store {
                    Store::SetEntry(i) if i == iommu => entry = true,
                    Store::ClearEntry(i) if i == iommu => entry = false,
                    Store::AddUser(i) if i == iommu => user = true,
                    Store::RemoveUser(i) if i == iommu => user = false,
                    _ => {}
                }
            }
        }
        entry == phase.entry
            && user == phase.user
            && unit.working == phase.working
            && (!phase.cold || *unit == Iommu { entry: unit.entry, working: unit.working, ..Iommu::QUIET })
    }

    fn phase(&self, s: &State, iommu: u8) -> Phase {
        let of = |entry, user, working, cold| Phase { entry, user, working, cold };
        let bound = s.bound.has(iommu);
        let settled = of(bound, bound, bound, !bound);
        for b in &s.binders {
            if b.at == IDLE || b.iommu != iommu {
                continue;
            }
            return match self.next_binding_act(b) {
                Some(Act::B1SetUpPasid) => of(false, false, false, true),
                Some(Act::B2AddUser) => of(true, false, false, true),
                Some(Act::B2Publish | Act::FullBarrier | Act::B3Enable) => of(true, true, false, true),
                Some(Act::MutexUnlock) if !b.unbinding => of(true, true, true, false),
                Some(Act::U1StopDevice) => of(true, true, true, false),
                Some(Act::U1ClearEntry) => of(true, true, false, false),
                Some(Act::C2Submit) => of(false, true, false, false),
                Some(Act::C3Wait) => of(false, true, false, b.request.progress == Progress::Done),
                Some(Act::U2RemoveUser) => of(false, true, false, true),
                Some(Act::MutexLock) | None => settled,
                Some(_) => of(false, false, false, true),
            };
        }
        settled
    }

    /// Pointer, text and data are what the users and the place of the binder with the mutex say.
    fn hook_fits(&self, s: &State) -> bool {
        let hook = |pointer, loaded| Hook { pointer, loaded };
        let settled = |used| Hook { pointer: used, loaded: used };
        let (seen, expected) = match self.holder(s) {
            None => (s.pointer, settled(!s.users.is_empty())),
            Some((binder, act)) => {
                let expected = match act {
                    _ if !binder.alone => settled(true),
                    Act::B1SetUpPasid => hook(false, false),
                    Act::B2AddUser | Act::B2Publish => hook(false, true),
                    Act::U3StartGracePeriod | Act::U3EndGracePeriod | Act::U4Free => hook(false, true),
                    Act::MutexUnlock if binder.unbinding => hook(false, false),
                    _ => hook(true, true),
                };
                (load_pointer(s, s.mutex as usize), expected)
            }
        };
        seen == expected.pointer && s.text == expected.loaded && s.data == expected.loaded
    }

    /// The pages of an area belong to the kernel until they are freed, and what is cached of it will be flushed.
    fn area_fits(&self, s: &State, area: u8) -> bool {
        let hardware = &s.hardware;
        let [data, table] = [Level::Data, Level::Table].map(|level| hardware.use_of(area, level));
        if area >= self.areas {
            return table == Use::Free && data == Use::Free;
        }
        let (pmd, pte) = (hardware.pmd.has(area), hardware.pte.has(area));
        let [data_flush, table_flush] = [Level::Data, Level::Table].map(|level| flush_of(s, area, level));
        let freed = |frame| matches!(frame, Use::Free | Use::Other);
        // The entry goes with its store, at the latest where the barrier is passed.
        let is_cleared = |flush: Option<usize>| flush.is_some_and(|slot| s.buffers[slot] == Buffer::EMPTY);
        let mut good = !(pte && (is_cleared(data_flush) || table_flush.is_some()));
        good &= if pmd { !is_cleared(table_flush) } else { !pte && data_flush.is_none() };
        good &= if pmd || table_flush.is_some() { table == Use::Table } else { freed(table) };
        good &= if pte || data_flush.is_some() { data == Use::Data } else { freed(data) };
        good &= !hardware.cpu_upper.has(area) || self.cpus_may_have(s, area, Level::Table);
        good &= !hardware.cpu_leaf.has(area) || self.cpus_may_have(s, area, Level::Data);
        for (iommu, unit) in hardware.iommus.iter().enumerate() {
            let upper = unit.upper.has(area) || unit.walk == Walk::InTable(area);
            let leaf = unit.leaf.has(area) || unit.walk == Walk::HasLeaf(area);
            good &= !upper || self.iommu_may_have(s, iommu as u8, area, Level::Table);
            good &= !leaf || self.iommu_may_have(s, iommu as u8, area, Level::Data);
        }
        good
    }

    /// Whether a CPU may have cached the entry of an area: it is there, or its flush has still to flush the CPUs.
    fn cpus_may_have(&self, s: &State, area: u8, level: Level) -> bool {
        let flush = flush_of(s, area, level);
        let pending = flush.is_some_and(|slot| self.next_act(&s.flushers[slot]) != Some(Act::F6FreePage));
        self.cpu_caches > 0 && (is_present(s, area, level) || pending)
    }

    /// Whether an IOMMU may have cached or read the entry of an area: it is there, or its flush has still to flush
    /// this IOMMU.
    fn iommu_may_have(&self, s: &State, iommu: u8, area: u8, level: Level) -> bool {
        let flush = flush_of(s, area, level);
        is_present(s, area, level) || flush.is_some_and(|slot| self.has_still_to_flush(&s.flushers[slot], iommu))
    }

    /// Whether the flush will still remove what this IOMMU has cached of the cleared entry. While it holds the
    /// function it will look at the users; with null in its hands it found that nobody walked.
    fn has_still_to_flush(&self, f: &Flusher, iommu: u8) -> bool {
        match self.next_act(f) {
            Some(Act::FullBarrier | Act::F1ReadLock | Act::F2ReadPointer | Act::C1ReadPasidData) => true,
            Some(Act::F3TestAndCall) => f.fetched == Target::Function,
            Some(Act::C2Submit) => f.todo.has(iommu),
            Some(Act::C3Wait) => {
                f.todo.has(iommu) || f.request.iommu == iommu && f.request.progress == Progress::Pending
            }
            _ => false,
        }
    }

    /// The binder that has the mutex, and its next act.
    fn holder<'s>(&self, s: &'s State) -> Option<(&'s Binder, Act)> {
        for (slot, binder) in s.binders.iter().enumerate() {
            if s.mutex as usize == FLUSHERS_MAX + slot {
                return self.next_binding_act(binder).map(|act| (binder, act));
            }
        }
        None
    }

    /// The next act of a binder, if it has one.
    pub(super) fn next_binding_act(&self, binder: &Binder) -> Option<Act> {
        self.binding(binder.unbinding).get(binder.at as usize).copied()
    }

    /// The state closest to any given one that has a chance to satisfy [`IommuFlush::invariant`]: what the
    /// invariant determines is filled in, the rest stays. A state that satisfies it stays as it is, so that random
    /// states become states of every kind that the invariant allows. For tests: a proof takes any state.
    #[must_use]
    pub fn repaired(&self, mut s: State) -> State {
        if s.build == Build::NotYet {
            return State { binds_left: s.binds_left, ..self.initial_state() };
        }
        s.build = Build::Done;
        self.repair_sets(&mut s);
        for slot in 0..FLUSHERS_MAX {
            self.repair_flusher(&mut s, slot);
        }
        self.repair_binders(&mut s);
        self.repair_hook(&mut s);
        for slot in 0..FLUSHERS_MAX {
            // Nobody holds a function that is gone: whoever would, was too late.
            if s.flushers[slot].fetched == Target::Function && !self.finds(&s, slot) {
                let f = &mut s.flushers[slot];
                let place = self.config.flush.iter().position(|act| *act == Act::F2ReadPointer);
                *f = Flusher {
                    at: place.map_or(IDLE, |place| place as u8),
                    area: f.area,
                    level: f.level,
                    rcu: 1,
                    ..Flusher::IDLE
                };
            }
        }
        self.repair_hardware(&mut s);
        s
    }

    fn repair_sets(&self, s: &mut State) {
        let keep = |set: &mut Set, count: u8| *set = Set(set.0 & Set::below(count).0);
        for set in [&mut s.hardware.pmd, &mut s.hardware.pte, &mut s.hardware.cpu_upper, &mut s.hardware.cpu_leaf] {
            keep(set, self.areas);
        }
        keep(&mut s.users, self.iommus);
        keep(&mut s.bound, self.iommus);
        for unit in &mut s.hardware.iommus {
            keep(&mut unit.upper, self.areas);
            keep(&mut unit.leaf, self.areas);
            unit.wild = Set::EMPTY;
            unit.walk = match unit.walk {
                Walk::Idle => Walk::Idle,
                Walk::Started(area) => Walk::Started(area % self.areas),
                Walk::InTable(area) => Walk::InTable(area % self.areas),
                Walk::HasLeaf(area) | Walk::HasWild(area) => Walk::HasLeaf(area % self.areas),
            };
        }
    }

    fn is_inside(&self, at: u8) -> bool {
        self.config.flush.get(at as usize).is_none_or(|act| is_in_section(*act))
    }

    fn repair_flusher(&self, s: &mut State, slot: usize) {
        let f = s.flushers[slot];
        let area = f.area % self.areas;
        let is_taken = slot > 0 && s.flushers[0].at != IDLE && s.flushers[0].area == area;
        let area = if is_taken && self.areas > 1 { 1 - area } else { area };
        let cannot_run = self.config.kernel == Kernel::Up && slot > 0 && !s.flushers[0].is_preemptible();
        let cannot_run = cannot_run && !Flusher { rcu: u8::from(self.is_inside(f.at)), ..f }.is_preemptible();
        if f.at == IDLE || slot >= self.flushers as usize || is_taken && self.areas == 1 || cannot_run {
            s.flushers[slot] = Flusher::IDLE;
            s.buffers[slot] = Buffer::EMPTY;
            return;
        }
        let at = if f.at == 0 || f.at as usize >= self.config.flush.len() {
            1 + f.at % (self.config.flush.len() as u8 - 1)
        } else {
            f.at
        };
        let act = self.config.flush[at as usize];
        let all = Set::below(self.iommus);
        let mut todo = Set(f.todo.0 & all.0);
        let mut request = Request::UNUSED;
        match act {
            Act::C2Submit if todo.is_empty() => todo = all,
            Act::C2Submit => {}
            Act::C3Wait => {
                let iommu = f.request.iommu % self.iommus;
                todo = todo.without(iommu);
                request = Request::new(iommu, Set::of(area), scope(self, f.level));
                if f.request.progress == Progress::Done {
                    request.progress = Progress::Done;
                }
            }
            _ => todo = Set::EMPTY,
        }
        let begun = matches!(act, Act::FullBarrier | Act::F1ReadLock | Act::F2ReadPointer);
        let called = matches!(act, Act::C1ReadPasidData | Act::C2Submit | Act::C3Wait | Act::C4Return);
        let late = matches!(act, Act::F4ReadUnlock | Act::F5FlushCpus | Act::F6FreePage);
        let fetched = match act {
            Act::F3TestAndCall if f.fetched == Target::Null => Target::Null,
            Act::F3TestAndCall => Target::Function,
            _ if called => Target::Function,
            _ => Target::Null,
        };
        s.flushers[slot] = Flusher {
            at,
            area,
            level: f.level,
            rcu: u8::from(is_in_section(act)),
            fetched,
            notifier: 0,
            todo,
            asleep: false,
            request,
            loads: u8::from(!begun),
            calls: if late { f.calls & 1 } else { u8::from(called) },
        };
        let store = match f.level {
            Level::Data => Store::ClearPte(area),
            Level::Table => Store::ClearPmd(area),
        };
        let is_buffered = act == Act::FullBarrier && s.buffers[slot] != Buffer::EMPTY;
        s.buffers[slot] = if is_buffered { Buffer([store, Store::None, Store::None]) } else { Buffer::EMPTY };
    }

    fn repair_binders(&self, s: &mut State) {
        // The given owner keeps the mutex if it can; so does a binder that is inside when there is no owner.
        let mut holder = None;
        for slot in 0..BINDERS_MAX {
            let b = &s.binders[slot];
            if b.at != IDLE && b.at != 0 && slot < self.binders as usize {
                let is_owner = s.mutex as usize == FLUSHERS_MAX + slot;
                holder = if is_owner || holder.is_none() { Some(slot) } else { holder };
            }
        }
        s.mutex = holder.map_or(NOBODY, |slot| (FLUSHERS_MAX + slot) as u8);
        for slot in 0..BINDERS_MAX {
            let b = s.binders[slot];
            let cpu = FLUSHERS_MAX + slot;
            let iommu = b.iommu % self.iommus;
            let other = &s.binders[1 - slot];
            let is_taken = other.at != IDLE && other.iommu % self.iommus == iommu && holder != Some(slot);
            let is_taken = is_taken && (slot == 1 || holder == Some(1));
            if b.at == IDLE || slot >= self.binders as usize || is_taken {
                s.binders[slot] = Binder::IDLE;
                s.buffers[cpu] = Buffer::EMPTY;
                continue;
            }
            let acts = self.binding(b.unbinding);
            let at = match () {
                () if holder != Some(slot) => 0,
                () if b.at as usize >= acts.len() => 1 + b.at % (acts.len() as u8 - 1),
                () => b.at,
            };
            s.binders[slot] = Binder { at, iommu, asleep: at == 0, alone: false, request: Request::UNUSED, ..b };
            s.bound = if b.unbinding { s.bound.with(iommu) } else { s.bound.without(iommu) };
            if at == 0 {
                s.binders[slot].waits_for = Set::EMPTY;
                s.buffers[cpu] = Buffer::EMPTY;
            } else {
                s.binders[slot].request = b.request;
            }
        }
        if let Some(slot) = holder {
            self.repair_holder(s, slot);
        }
    }

    fn repair_holder(&self, s: &mut State, slot: usize) {
        let b = s.binders[slot];
        let acts = self.binding(b.unbinding);
        let alone = s.bound.without(b.iommu).is_empty();
        let mut at = b.at;
        while !alone && acts[at as usize].only_for_first_or_last() {
            at += 1;
        }
        let act = acts[at as usize];
        let mut readers = Set::EMPTY;
        for (number, f) in s.flushers.iter().enumerate() {
            if f.rcu > 0 {
                readers = readers.with(number as u8);
            }
        }
        let waits_for = if act == Act::U3EndGracePeriod { Set(b.waits_for.0 & readers.0) } else { Set::EMPTY };
        let drain = Request::new(b.iommu, Set::EMPTY, Scope::Pasid);
        let request = match act {
            Act::C3Wait if b.request.progress == Progress::Done => Request { progress: Progress::Done, ..drain },
            Act::C3Wait => drain,
            _ => Request::UNUSED,
        };
        let b = Binder { at, alone, waits_for, request, ..b };
        s.binders[slot] = b;
        let buffer = &mut s.buffers[FLUSHERS_MAX + slot];
        let stores = Buffer(issued(&b, act));
        if !buffer.is_end_of(stores.0) {
            let visible = buffer.0.iter().filter(|store| **store == Store::None).count();
            *buffer = (0..visible).fold(stores, |rest, _| rest.without_oldest());
        }
    }

    fn repair_hook(&self, s: &mut State) {
        let pending = s.buffers;
        let is_pending = |store: Store| pending.iter().any(|buffer| buffer.0.contains(&store));
        for iommu in 0..IOMMUS_MAX as u8 {
            let phase = self.phase(s, iommu);
            let unit = &mut s.hardware.iommus[iommu as usize];
            if !is_pending(Store::SetEntry(iommu)) && !is_pending(Store::ClearEntry(iommu)) {
                unit.entry = phase.entry;
            }
            if phase.cold {
                *unit = Iommu { entry: unit.entry, ..Iommu::QUIET };
            }
            unit.working = phase.working;
            if !is_pending(Store::AddUser(iommu)) && !is_pending(Store::RemoveUser(iommu)) {
                s.users = if phase.user { s.users.with(iommu) } else { s.users.without(iommu) };
            }
        }
        // Text and data follow from the rest; so does the pointer, unless a store to it is under way.
        for (flip, loaded) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut hooked = *s;
            (hooked.pointer, hooked.text, hooked.data) = (flip ^ s.pointer, loaded, loaded);
            if self.hook_fits(&hooked) {
                *s = hooked;
                return;
            }
        }
    }

    fn repair_hardware(&self, s: &mut State) {
        for area in 0..AREAS_MAX as u8 {
            let [data_flush, table_flush] = [Level::Data, Level::Table].map(|level| flush_of(s, area, level));
            let is_cleared = |flush: Option<usize>| flush.is_some_and(|slot| s.buffers[slot] == Buffer::EMPTY);
            let (data_cleared, table_cleared) = (is_cleared(data_flush), is_cleared(table_flush));
            let hardware = &mut s.hardware;
            if data_cleared || table_flush.is_some() {
                hardware.pte = hardware.pte.without(area);
            }
            if table_cleared {
                hardware.pmd = hardware.pmd.without(area);
            } else if hardware.pte.has(area) || data_flush.is_some() {
                hardware.pmd = hardware.pmd.with(area);
            }
            let owned = [
                (Level::Table, hardware.pmd.has(area) || table_flush.is_some(), Use::Table),
                (Level::Data, hardware.pte.has(area) || data_flush.is_some(), Use::Data),
            ];
            for (level, is_owned, mine) in owned {
                let frame = &mut hardware.uses[frame_of(area, level)];
                *frame = match *frame {
                    _ if area >= self.areas => Use::Free,
                    _ if is_owned => mine,
                    Use::Free | Use::Table => Use::Free,
                    _ => Use::Other,
                };
            }
            if !self.cpus_may_have(s, area, Level::Table) {
                s.hardware.cpu_upper = s.hardware.cpu_upper.without(area);
            }
            if !self.cpus_may_have(s, area, Level::Data) {
                s.hardware.cpu_leaf = s.hardware.cpu_leaf.without(area);
            }
            for iommu in 0..IOMMUS_MAX {
                let [leaf, upper] =
                    [Level::Data, Level::Table].map(|level| self.iommu_may_have(s, iommu as u8, area, level));
                let unit = &mut s.hardware.iommus[iommu];
                if !upper {
                    unit.upper = unit.upper.without(area);
                }
                if !leaf {
                    unit.leaf = unit.leaf.without(area);
                }
                if unit.walk == Walk::InTable(area) && !upper || unit.walk == Walk::HasLeaf(area) && !leaf {
                    unit.walk = Walk::Idle;
                }
            }
        }
    }
}

/// Whether the entry of an area stands in the page tables.
const fn is_present(s: &State, area: u8, level: Level) -> bool {
    match level {
        Level::Data => s.hardware.pte.has(area),
        Level::Table => s.hardware.pmd.has(area),
    }
}

/// The flusher that works on an area at a level.
fn flush_of(s: &State, area: u8, level: Level) -> Option<usize> {
    let mut found = None;
    for (slot, f) in s.flushers.iter().enumerate() {
        if f.at != IDLE && f.area == area && f.level == level {
            found = Some(slot);
        }
    }
    found
}

impl Buffer {
    /// No store waits.
    pub(super) const EMPTY: Self = Self([Store::None; BUFFER]);

    /// Whether these are the issued stores that are not yet visible: the oldest become so first.
    fn is_end_of(self, issued: [Store; BUFFER]) -> bool {
        let mut rest = Self(issued);
        let mut found = self == rest;
        for _ in 0..BUFFER {
            rest = rest.without_oldest();
            found |= self == rest;
        }
        found
    }
}

/// Whether a flusher with this next act is inside its RCU section.
const fn is_in_section(act: Act) -> bool {
    matches!(
        act,
        Act::F2ReadPointer
            | Act::F3TestAndCall
            | Act::C1ReadPasidData
            | Act::C2Submit
            | Act::C3Wait
            | Act::C4Return
            | Act::F4ReadUnlock
    )
}

/// The stores that a binder has issued since it last waited for them.
const fn issued(b: &Binder, next: Act) -> [Store; BUFFER] {
    let none = Store::None;
    match next {
        Act::B2AddUser => [Store::SetEntry(b.iommu), none, none],
        Act::B2Publish => [Store::SetEntry(b.iommu), Store::AddUser(b.iommu), none],
        Act::FullBarrier if b.alone => [Store::SetEntry(b.iommu), Store::AddUser(b.iommu), Store::Publish],
        Act::FullBarrier => [Store::SetEntry(b.iommu), Store::AddUser(b.iommu), none],
        Act::C2Submit => [Store::ClearEntry(b.iommu), none, none],
        Act::U2Retract => [Store::RemoveUser(b.iommu), none, none],
        Act::U3StartGracePeriod => [Store::RemoveUser(b.iommu), Store::Retract, none],
        Act::MutexUnlock if b.unbinding && !b.alone => [Store::RemoveUser(b.iommu), none, none],
        _ => [none; BUFFER],
    }
}

#[cfg(test)]
mod tests {
    use super::super::variants::VARIANTS;
    use super::*;
    use crate::inductive::{drawn, reachable, Random};
    use crate::machine::{Machine, Size};

    fn machine(name: &str, sizes: [u64; 6]) -> IommuFlush {
        let variant = VARIANTS.iter().find(|variant| variant.name == name).unwrap();
        let parameters = IommuFlush::PARAMETERS;
        let size = parameters.iter().zip(sizes).fold(Size::quick(parameters, variant), |size, (parameter, value)| {
            size.with(parameters, parameter.name, value).unwrap()
        });
        IommuFlush::new(variant.config, size)
    }

    /// Any state at all: every field is any value of its type, more often than not a usual one.
    fn any_state(r: &mut Random) -> State {
        let set = |r: &mut Random| Set(r.below(4));
        let area = |r: &mut Random| r.below(2);
        let walk = |r: &mut Random| match r.below(7) {
            0 | 1 => Walk::Idle,
            2 => Walk::Started(area(r)),
            3 | 4 => Walk::InTable(area(r)),
            5 => Walk::HasLeaf(area(r)),
            _ => Walk::HasWild(area(r)),
        };
        let request = |r: &mut Random| Request {
            progress: [Progress::Unused, Progress::Pending, Progress::Done][r.below(3) as usize],
            iommu: r.below(2),
            areas: set(r),
            scope: [Scope::BothLevels, Scope::LeafOnly, Scope::Pasid][r.below(3) as usize],
        };
        let store = |r: &mut Random| match r.below(10) {
            0 => Store::ClearPte(area(r)),
            1 => Store::ClearPmd(area(r)),
            2 => Store::SetEntry(area(r)),
            3 => Store::ClearEntry(area(r)),
            4 => Store::AddUser(area(r)),
            5 => Store::RemoveUser(area(r)),
            6 => Store::Publish,
            7 => Store::Retract,
            _ => Store::None,
        };
        let place = |r: &mut Random| if r.once_in(4) { IDLE } else { r.below(13) };
        let uses = [Use::Free, Use::Table, Use::Data, Use::Other, Use::Scribbled];
        let unit = |r: &mut Random| Iommu {
            entry: r.once_in(2),
            entry_cached: r.once_in(2),
            working: r.once_in(2),
            upper: set(r),
            leaf: set(r),
            wild: set(r),
            walk: walk(r),
        };
        let flusher = |r: &mut Random| Flusher {
            at: place(r),
            area: area(r),
            level: if r.once_in(2) { Level::Data } else { Level::Table },
            rcu: r.below(3),
            fetched: [Target::Null, Target::Function, Target::CodeBytes][r.below(3) as usize],
            notifier: r.below(2),
            todo: set(r),
            asleep: r.once_in(2),
            request: request(r),
            loads: r.below(3),
            calls: r.below(3),
        };
        let binder = |r: &mut Random| Binder {
            at: place(r),
            unbinding: r.once_in(2),
            iommu: r.below(2),
            alone: r.once_in(2),
            asleep: r.once_in(2),
            waits_for: set(r),
            request: request(r),
        };
        let hardware = super::super::hardware::Hardware {
            uses: [0; 4].map(|_| uses[r.below(5) as usize]),
            pmd: set(r),
            pte: set(r),
            iommus: [unit(r), unit(r)],
            cpu_upper: set(r),
            cpu_leaf: set(r),
        };
        State {
            build: if r.once_in(50) { Build::NotYet } else { Build::Done },
            hardware,
            pointer: r.once_in(2),
            users: set(r),
            text: r.once_in(2),
            data: r.once_in(2),
            mutex: if r.once_in(2) { NOBODY } else { r.below(5) },
            binds_left: r.below(4),
            bound: set(r),
            buffers: [0; THREADS_MAX].map(|_| Buffer([store(r), store(r), store(r)])),
            flushers: [flusher(r), flusher(r)],
            binders: [binder(r), binder(r)],
        }
    }

    #[test]
    fn it_is_true_in_every_state_that_is_reached() {
        let cases = [
            ("rcu", [1, 1, 1, 1, 2, 1], 15_538),
            ("rcu", [2, 1, 1, 1, 1, 1], 7_751),
            ("rcu-on-up", [1, 1, 1, 1, 2, 1], 11_590),
            ("leaf-only-for-data", [1, 1, 1, 1, 2, 1], 15_538),
        ];
        for (variant, sizes, states) in cases {
            let machine = machine(variant, sizes);
            let seen = reachable(&machine);
            assert_eq!(seen.states.len(), states, "{variant} {sizes:?}");
            assert_eq!(seen.kinds_missing(&machine), [""; 0], "{variant} {sizes:?}");
            for state in &seen.states {
                assert_eq!(machine.repaired(*state), *state, "a state that satisfies the invariant needs no repair");
            }
        }
    }

    /// At every size, from random states that were made to satisfy it. Up to 10,000 for each of 96 machines; how many
    /// is asserted, so that a change that leaves fewer is seen.
    #[test]
    fn every_step_keeps_it_from_any_state_that_satisfies_it() {
        let mut states = 0;
        for size in 0..32u64 {
            let sizes = [1 + (size & 1), 1 + (size >> 1 & 1), 1 + (size >> 2 & 1), 1 + (size >> 3 & 1), 1, size >> 4];
            for variant in ["rcu", "rcu-on-up", "leaf-only-for-data"] {
                let machine = machine(variant, sizes);
                let seen = drawn(&machine, 10_000, |r| machine.repaired(any_state(r)));
                println!("{variant} {sizes:?}: {} states satisfy the invariant", seen.states.len());
                assert_eq!(seen.kinds_missing(&machine), [""; 0], "{variant} {sizes:?}");
                states += seen.states.len();
            }
        }
        assert_eq!(states, 829_263);
    }

    /// The same from reachable states with one part exchanged for another one's, or for any, and not repaired.
    #[test]
    fn every_step_keeps_it_from_states_near_reachable_ones() {
        let machine = machine("rcu", [2, 1, 1, 1, 1, 1]);
        let mut states: Vec<State> = reachable(&machine).states.into_iter().collect();
        states.sort_unstable();
        let mut near = drawn(&machine, 400_000, |r| {
            let pick = |r: &mut Random| states[r.next() as usize % states.len()];
            let mut state = pick(r);
            let other = if r.once_in(2) { pick(r) } else { machine.repaired(any_state(r)) };
            match r.below(12) {
                0 => state.flushers[0] = other.flushers[0],
                1 => state.flushers[1] = other.flushers[1],
                2 => state.binders = other.binders,
                3 => state.buffers = other.buffers,
                4 => state.hardware.iommus[0].walk = other.hardware.iommus[0].walk,
                5 => state.hardware.iommus[0].upper = other.hardware.iommus[0].upper,
                6 => state.hardware.iommus[0].leaf = other.hardware.iommus[0].leaf,
                7 => state.hardware.uses = other.hardware.uses,
                8 => {
                    (state.pointer, state.users, state.text, state.data) =
                        (other.pointer, other.users, other.text, other.data)
                }
                9 => (state.hardware.pmd, state.hardware.pte) = (other.hardware.pmd, other.hardware.pte),
                10 => {
                    (state.hardware.cpu_upper, state.hardware.cpu_leaf) =
                        (other.hardware.cpu_upper, other.hardware.cpu_leaf)
                }
                _ => state.hardware = other.hardware,
            }
            state
        });
        near.states.retain(|state| states.binary_search(&machine.canonical(state)).is_err());
        assert_eq!(near.states.len(), 4_103);
    }
}
