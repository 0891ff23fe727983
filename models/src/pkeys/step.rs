//! The transitions, once and nowhere else.

use super::ghost::key_asked;
use super::{
    mm_of, Action, Callers, ExecuteOnlyOrder, Fork, Hold, Key, KeySet, LeaveExecuteOnly, Load, Mm, Outcome, Pc, Pick,
    Pkeys, Pkru, Prot, RangeCheck, Request, Rights, Slots, State, Step, Thread, Update, CHILD, LOW_BYTE, THREADS_MAX,
};
use crate::machine::StepKind;

pub(super) const KINDS: &[StepKind] = &[
    StepKind::new("U1Call", "A thread begins a system call.", "user code"),
    StepKind::new("U2Return", "A call returns its result to user code.", "return from a system call"),
    StepKind::new(
        "U3Wrpkru",
        "A thread gives itself all rights to the execute-only key, without the kernel.",
        "WRPKRU",
    ),
    StepKind::new("U4Exit", "A thread exits; the last one takes the address space with it.", "do_exit()"),
    StepKind::new("A1Lock", "pkey_alloc() takes mmap_sem.", "pkey_alloc()"),
    StepKind::new("A2LoadMap", "Loads the map and picks a free key, or finds none (A3, A4).", "mm_pkey_alloc()"),
    StepKind::new("A5WriteMap", "Stores the map with the new key's bit.", "mm_set_pkey_allocated()"),
    StepKind::new("A6SetPkru", "Sets the new key's rights in the thread's PKRU.", "arch_set_user_pkey_access()"),
    StepKind::new("A6PkruFails", "PKRU cannot be set.", "arch_set_user_pkey_access()"),
    StepKind::new("A7GiveBack", "Clears the bit of a key whose rights could not be set.", "mm_set_pkey_free()"),
    StepKind::new("A8Unlock", "pkey_alloc() lets go of mmap_sem.", "pkey_alloc()"),
    StepKind::new(
        "C1CheckKey",
        "Checks the range of a key and compares it with execute_only_pkey.",
        "mm_pkey_is_allocated()",
    ),
    StepKind::new("F1Lock", "pkey_free() takes mmap_sem.", "pkey_free()"),
    StepKind::new("F2LoadMap", "pkey_free() loads the map and tests the key's bit.", "mm_pkey_is_allocated()"),
    StepKind::new("F3WriteMap", "Stores the map without the key's bit.", "mm_set_pkey_free()"),
    StepKind::new("F4Unlock", "pkey_free() lets go of mmap_sem.", "pkey_free()"),
    StepKind::new("R0Lock", "pkey_get() or pkey_set() takes mmap_sem.", "pkey_get(), before the patch"),
    StepKind::new("R1LoadMap", "pkey_get() or pkey_set() loads the map and tests the bit.", "mm_pkey_is_allocated()"),
    StepKind::new("R1Unlock", "pkey_get() or pkey_set() lets go of mmap_sem.", "pkey_get(), before the patch"),
    StepKind::new("R2UsePkru", "Reads or writes the key's rights in the thread's PKRU.", "pkey_get(), pkey_set()"),
    StepKind::new("M1Lock", "mprotect() takes mmap_sem.", "do_mprotect_pkey()"),
    StepKind::new("M2LoadMap", "pkey_mprotect() loads the map and tests the key's bit.", "mm_pkey_is_allocated()"),
    StepKind::new("M3ChooseKey", "Plain mprotect() chooses the key of the mapping.", "__arch_override_mprotect_pkey()"),
    StepKind::new("M4DenyPkru", "Denies access with the execute-only key in PKRU.", "__execute_only_pkey()"),
    StepKind::new("M5StoreExecuteOnly", "Stores execute_only_pkey.", "__execute_only_pkey()"),
    StepKind::new("M6SetMapping", "Writes protection and key of the mapping.", "mprotect_fixup()"),
    StepKind::new("M7Unlock", "mprotect() lets go of mmap_sem.", "do_mprotect_pkey()"),
    StepKind::new("K1Lock", "fork takes the parent's mmap_sem.", "dup_mmap()"),
    StepKind::new("K2CopyMappings", "Copies the parent's mappings.", "dup_mmap()"),
    StepKind::new("K3DupPkeys", "Copies the map, then, as a step of its own, execute_only_pkey.", "arch_dup_pkeys()"),
    StepKind::new("K4Unlock", "fork lets go of the parent's mmap_sem.", "dup_mmap()"),
    StepKind::new(
        "K5StartChild",
        "The child begins to run, and from here the run follows it and not its parent.",
        "wake_up_new_task()",
    ),
];

/// The index of an action in [`KINDS`]: both are in the same order.
pub(super) const fn kind_of(action: Action) -> usize {
    match action {
        Action::U1Call(_) => 0,
        Action::U2Return => 1,
        Action::U3Wrpkru => 2,
        Action::U4Exit => 3,
        Action::A1Lock => 4,
        Action::A2LoadMap => 5,
        Action::A5WriteMap => 6,
        Action::A6SetPkru => 7,
        Action::A6PkruFails => 8,
        Action::A7GiveBack => 9,
        Action::A8Unlock => 10,
        Action::C1CheckKey => 11,
        Action::F1Lock => 12,
        Action::F2LoadMap => 13,
        Action::F3WriteMap => 14,
        Action::F4Unlock => 15,
        Action::R0Lock => 16,
        Action::R1LoadMap => 17,
        Action::R1Unlock => 18,
        Action::R2UsePkru => 19,
        Action::M1Lock => 20,
        Action::M2LoadMap => 21,
        Action::M3ChooseKey => 22,
        Action::M4DenyPkru => 23,
        Action::M5StoreExecuteOnly => 24,
        Action::M6SetMapping => 25,
        Action::M7Unlock => 26,
        Action::K1Lock => 27,
        Action::K2CopyMappings => 28,
        Action::K3DupPkeys => 29,
        Action::K4Unlock => 30,
        Action::K5StartChild => 31,
    }
}

/// The actions that carry no choice.
const PLAIN_ACTIONS: &[Action] = &[
    Action::U2Return,
    Action::U3Wrpkru,
    Action::U4Exit,
    Action::A1Lock,
    Action::A2LoadMap,
    Action::A5WriteMap,
    Action::A6SetPkru,
    Action::A6PkruFails,
    Action::A7GiveBack,
    Action::A8Unlock,
    Action::C1CheckKey,
    Action::F1Lock,
    Action::F2LoadMap,
    Action::F3WriteMap,
    Action::F4Unlock,
    Action::R0Lock,
    Action::R1LoadMap,
    Action::R1Unlock,
    Action::R2UsePkru,
    Action::M1Lock,
    Action::M2LoadMap,
    Action::M3ChooseKey,
    Action::M4DenyPkru,
    Action::M5StoreExecuteOnly,
    Action::M6SetMapping,
    Action::M7Unlock,
    Action::K1Lock,
    Action::K2CopyMappings,
    Action::K3DupPkeys,
    Action::K4Unlock,
    Action::K5StartChild,
];

/// What came of a store of the map.
enum Stored {
    /// The change is complete.
    Whole,
    /// One more store is missing.
    Half,
    /// Somebody else has changed the map: load it again.
    Retry,
}

/// What one place in the code does next, whatever the choice. `None` for user code and for no thread.
pub(super) fn next_action(thread: &Thread) -> Option<Action> {
    use Request::{Alloc, Fork, Free, Get, Mprotect, Set};
    Some(match (thread.pc, thread.request) {
        (Pc::Lock | Pc::GapLock, Alloc) => Action::A1Lock,
        (Pc::Lock, Free(_)) => Action::F1Lock,
        (Pc::Lock, Get(_) | Set(_)) => Action::R0Lock,
        (Pc::Lock, Mprotect { .. }) => Action::M1Lock,
        (Pc::Lock, Fork) => Action::K1Lock,
        (Pc::CheckKey, _) => Action::C1CheckKey,
        (Pc::CheckMap | Pc::CheckMapHigh, Free(_)) => Action::F2LoadMap,
        (Pc::CheckMap | Pc::CheckMapHigh, Get(_) | Set(_)) => Action::R1LoadMap,
        (Pc::CheckMap | Pc::CheckMapHigh, Mprotect { .. }) => Action::M2LoadMap,
        (Pc::AllocLoad, _) => Action::A2LoadMap,
        (Pc::Reload | Pc::Store | Pc::StoreSecond, Free(_)) => Action::F3WriteMap,
        (Pc::Reload | Pc::Store | Pc::StoreSecond, _) => Action::A5WriteMap,
        (Pc::SetPkru, _) => Action::A6SetPkru,
        (Pc::UndoLoad | Pc::UndoStore | Pc::UndoStoreSecond, _) => Action::A7GiveBack,
        (Pc::UsePkru, _) => Action::R2UsePkru,
        (Pc::ChooseKey, _) => Action::M3ChooseKey,
        (Pc::DenyPkru, _) => Action::M4DenyPkru,
        (Pc::StoreExecuteOnly, _) => Action::M5StoreExecuteOnly,
        (Pc::SetMapping, _) => Action::M6SetMapping,
        (Pc::ForkMappings, _) => Action::K2CopyMappings,
        (Pc::ForkMap | Pc::ForkExecuteOnly, _) => Action::K3DupPkeys,
        (Pc::Unlock | Pc::GapUnlock, Alloc) => Action::A8Unlock,
        (Pc::Unlock, Free(_)) => Action::F4Unlock,
        (Pc::Unlock, Get(_) | Set(_)) => Action::R1Unlock,
        (Pc::Unlock, Mprotect { .. }) => Action::M7Unlock,
        (Pc::Unlock, Fork) => Action::K4Unlock,
        (Pc::Return, _) => Action::U2Return,
        _ => return None,
    })
}

impl Pkeys {
    /// A process after `execve()`: one address space, all threads in user code.
    #[must_use]
    pub fn initial_state(&self) -> State {
        let mut threads = [Thread::ABSENT; THREADS_MAX];
        for thread in &mut threads[..self.threads as usize] {
            *thread = Thread::user(self.calls, Pkru::initial(self.keys));
        }
        State { threads, mms: [Mm::NEW, Mm::GONE] }
    }

    /// How a call holds `mmap_sem`.
    pub(super) fn hold_of(&self, request: Request) -> Hold {
        match request {
            Request::None => Hold::No,
            Request::Alloc | Request::Free(_) => self.config.writers,
            Request::Get(_) | Request::Set(_) => self.config.readers.unwrap_or(Hold::No),
            Request::Mprotect { .. } => Hold::Write,
            Request::Fork if self.config.fork == Fork::CopiesUnlocked => Hold::No,
            Request::Fork => Hold::Write,
        }
    }

    /// Every request that the callers of this variant may make, whatever the state.
    fn requests(&self, mut with: impl FnMut(Request)) {
        let keys = self.keys as i8;
        with(Request::Alloc);
        for key in (-1..=keys).map(Key).chain([Key::WRAPS]) {
            with(Request::Free(key));
            if self.config.readers.is_some() {
                with(Request::Get(key));
            }
        }
        // The calls share one check of their key: one key out of range is enough for the others.
        for key in (0..keys).map(Key).chain([Key::WRAPS]) {
            if self.config.readers.is_some() {
                with(Request::Set(key));
            }
            for mapping in 0..self.mappings {
                with(Request::Mprotect { mapping, prot: Prot::ReadWrite, key });
                with(Request::Mprotect { mapping, prot: Prot::ExecOnly, key });
            }
        }
        for mapping in 0..self.mappings {
            with(Request::Mprotect { mapping, prot: Prot::None, key: Key::NONE });
            with(Request::Mprotect { mapping, prot: Prot::ReadWrite, key: Key::NONE });
            if self.config.execute_only_calls {
                with(Request::Mprotect { mapping, prot: Prot::ExecOnly, key: Key::NONE });
            }
        }
        if self.child_calls > 0 {
            with(Request::Fork);
        }
    }

    /// Whether the caller in `slot` makes this request now: assumption A3, and one fork at most.
    fn caller_would(&self, state: &State, slot: usize, request: Request) -> bool {
        let careful = self.config.callers == Callers::Careful;
        let mm = &state.mms[mm_of(slot)];
        match request {
            Request::Free(key) if careful && key != mm.execute_only => {
                key != Key::DEFAULT && !self.is_mapped(mm, key) && !is_being_mapped(state, slot, key)
            }
            Request::Mprotect { key, .. } if careful && key != Key::NONE => !is_being_freed(state, slot, key),
            Request::Fork => {
                let mut alone = slot != CHILD && state.threads[CHILD].pc == Pc::Absent;
                for thread in &state.threads {
                    alone &= thread.request != Request::Fork;
                }
                alone
            }
            _ => true,
        }
    }

    /// Whether a mapping has `key`.
    fn is_mapped(&self, mm: &Mm, key: Key) -> bool {
        let mut mapped = false;
        for mapping in &mm.mappings[..self.mappings as usize] {
            mapped |= mapping.key == key;
        }
        mapped
    }

    /// Proposes the steps that are possible in `state`.
    pub(super) fn propose(&self, state: &State, out: &mut Vec<Step>) {
        for (index, thread) in state.threads.iter().enumerate() {
            let slot = index as u8;
            if thread.pc == Pc::User {
                if thread.calls_left > 0 {
                    self.requests(|request| out.push(Step { slot, action: Action::U1Call(request) }));
                    if state.mms[mm_of(index)].execute_only != Key::NONE {
                        out.push(Step { slot, action: Action::U3Wrpkru });
                    }
                }
                out.push(Step { slot, action: Action::U4Exit });
            } else if let Some(action) = next_action(thread) {
                out.push(Step { slot, action });
                if matches!(thread.pc, Pc::SetPkru | Pc::DenyPkru) && self.config.pkru_may_fail {
                    out.push(Step { slot, action: Action::A6PkruFails });
                }
                if thread.pc == Pc::Return && thread.request == Request::Fork {
                    out.push(Step { slot, action: Action::K5StartChild });
                }
            }
        }
    }

    /// Every step that could be possible in any state.
    pub(super) fn all_steps(&self) -> Vec<Step> {
        let mut out = Vec::new();
        for slot in 0..THREADS_MAX as u8 {
            self.requests(|request| out.push(Step { slot, action: Action::U1Call(request) }));
            for &action in PLAIN_ACTIONS {
                out.push(Step { slot, action });
            }
        }
        out
    }

    /// The state after `step`; `None` if it is not possible.
    pub(super) fn take(&self, state: &State, step: Step) -> Option<State> {
        let slot = step.slot as usize;
        let thread = state.threads[slot];
        let mut next = *state;
        match step.action {
            Action::U1Call(request) => {
                if thread.pc != Pc::User || thread.calls_left == 0 || !self.caller_would(state, slot, request) {
                    return None;
                }
                self.begin(&mut next.threads[slot], request);
            }
            Action::U3Wrpkru => {
                let key = state.mms[mm_of(slot)].execute_only;
                if thread.pc != Pc::User || thread.calls_left == 0 || key == Key::NONE {
                    return None;
                }
                next.threads[slot].calls_left -= 1;
                next.threads[slot].pkru = thread.pkru.with(key, Rights::ALLOW);
                next.threads[slot].ghost.pkru_known = next.threads[slot].pkru;
            }
            Action::U4Exit => {
                if thread.pc != Pc::User || state.mms[mm_of(slot)].mmap_sem.writers != Slots::NOBODY {
                    return None;
                }
                exit(&mut next, slot);
            }
            Action::A6PkruFails => {
                if !matches!(thread.pc, Pc::SetPkru | Pc::DenyPkru) || !self.config.pkru_may_fail {
                    return None;
                }
                self.pkru_fails(&mut next, slot);
            }
            Action::K5StartChild => {
                if thread.pc != Pc::Return || thread.request != Request::Fork {
                    return None;
                }
                self.start_child(&mut next, slot);
            }
            action => {
                if next_action(&thread) != Some(action) || !self.go_on(&mut next, slot) {
                    return None;
                }
            }
        }
        self.observe(&mut next);
        Some(next)
    }

    /// A thread enters the kernel.
    fn begin(&self, thread: &mut Thread, request: Request) {
        thread.calls_left -= 1;
        thread.request = request;
        thread.pc = if self.hold_of(request) == Hold::No { self.first_after_lock(request) } else { Pc::Lock };
    }

    /// Where a call goes once it holds `mmap_sem` as it wants to.
    fn first_after_lock(&self, request: Request) -> Pc {
        match request {
            Request::None => Pc::User,
            Request::Alloc => Pc::AllocLoad,
            Request::Fork => Pc::ForkMappings,
            Request::Mprotect { key: Key::NONE, .. } => Pc::ChooseKey,
            Request::Free(_) | Request::Get(_) | Request::Set(_) | Request::Mprotect { .. } => Pc::CheckKey,
        }
    }

    /// The next thing that a thread in the kernel does. Returns whether it could do it.
    fn go_on(&self, state: &mut State, slot: usize) -> bool {
        let mm = mm_of(slot);
        let request = state.threads[slot].request;
        if !still_needs_map(state.threads[slot].pc) {
            forget_map(&mut state.threads[slot]);
        }
        match state.threads[slot].pc {
            Pc::Lock | Pc::GapLock => return self.lock(state, slot),
            Pc::Unlock | Pc::GapUnlock => self.unlock(state, slot),
            Pc::CheckKey => self.check_key(state, slot),
            Pc::CheckMap | Pc::CheckMapHigh => self.check_map(state, slot),
            Pc::AllocLoad => self.alloc_load(state, slot),
            Pc::Reload => {
                self.load_map(state, slot);
                state.threads[slot].pc = Pc::Store;
            }
            Pc::Store | Pc::StoreSecond => self.change_map(state, slot),
            Pc::SetPkru => {
                let thread = &mut state.threads[slot];
                if self.config.alloc_sets_pkru {
                    thread.pkru = thread.pkru.with(thread.key, Rights::DENY_WRITE);
                }
                let key = thread.key;
                self.finish(thread, Outcome::GotKey(key));
            }
            Pc::UndoLoad => {
                self.load_map(state, slot);
                let thread = &mut state.threads[slot];
                // pkey_alloc() calls mm_pkey_free(), which looks first; __execute_only_pkey() does not look.
                if thread.request == Request::Alloc && thread.loaded.and(thread.key.bit()) == KeySet::EMPTY {
                    self.finish(thread, Outcome::PkruFailed);
                } else {
                    thread.pc = Pc::UndoStore;
                }
            }
            Pc::UndoStore | Pc::UndoStoreSecond => self.give_back(state, slot),
            Pc::UsePkru => use_pkru(&mut state.threads[slot]),
            Pc::ChooseKey => self.choose_key(state, slot),
            Pc::DenyPkru => {
                let thread = &mut state.threads[slot];
                thread.pkru = thread.pkru.with(thread.key, Rights::DENY_ACCESS);
                let stored = self.config.execute_only_order == ExecuteOnlyOrder::StoreFirst;
                thread.pc = if thread.fresh && !stored { Pc::StoreExecuteOnly } else { Pc::SetMapping };
            }
            Pc::StoreExecuteOnly => {
                let thread = &mut state.threads[slot];
                state.mms[mm].execute_only = thread.key;
                let denied = self.config.execute_only_order == ExecuteOnlyOrder::PkruFirst;
                thread.pc = if denied { Pc::SetMapping } else { Pc::DenyPkru };
            }
            Pc::SetMapping => self.set_mapping(state, slot),
            Pc::ForkMappings => {
                // The child's registers are the parent's, which nobody else can change.
                state.threads[CHILD].pkru = state.threads[slot].pkru;
                state.mms[1].mappings = state.mms[0].mappings;
                state.threads[slot].pc = Pc::ForkMap;
            }
            Pc::ForkMap => {
                let copies = self.config.fork != Fork::Resets;
                state.mms[1].map = if copies { state.mms[0].map } else { KeySet::INITIAL };
                state.mms[1].claims = state.mms[0].claims;
                state.threads[slot].pc = Pc::ForkExecuteOnly;
            }
            Pc::ForkExecuteOnly => {
                let copies = matches!(self.config.fork, Fork::Copies | Fork::CopiesUnlocked);
                state.mms[1].execute_only = if copies { state.mms[0].execute_only } else { Key::NONE };
                self.finish(&mut state.threads[slot], Outcome::Done);
            }
            Pc::Return => {
                if request == Request::Fork {
                    // The run stays with the parent.
                    state.threads[CHILD] = Thread { pc: Pc::Exited, ..Thread::ABSENT };
                    state.mms[1] = Mm::GONE;
                }
                let thread = &mut state.threads[slot];
                let known = thread.pkru;
                *thread = Thread::user(thread.calls_left, thread.pkru);
                thread.ghost.pkru_known = known;
            }
            Pc::Absent | Pc::User | Pc::Exited => return false,
        }
        true
    }

    /// `down_write()` or `down_read()`: not possible while it is held in a way that excludes it.
    fn lock(&self, state: &mut State, slot: usize) -> bool {
        let sem = &mut state.mms[mm_of(slot)].mmap_sem;
        let thread = &mut state.threads[slot];
        match self.hold_of(thread.request) {
            Hold::No => return false,
            Hold::Write => {
                if sem.writers.0 | sem.readers.0 != 0 {
                    return false;
                }
                sem.writers.0 |= 1 << slot;
            }
            Hold::Read => {
                if sem.writers.0 != 0 {
                    return false;
                }
                sem.readers.0 |= 1 << slot;
            }
        }
        thread.pc = match thread.pc {
            Pc::GapLock => self.first_of_change(),
            _ => self.first_after_lock(thread.request),
        };
        true
    }

    /// `up_write()` or `up_read()`.
    fn unlock(&self, state: &mut State, slot: usize) {
        let sem = &mut state.mms[mm_of(slot)].mmap_sem;
        let thread = &mut state.threads[slot];
        match self.hold_of(thread.request) {
            Hold::No => {}
            Hold::Write => sem.writers.0 &= !(1 << slot),
            Hold::Read => sem.readers.0 &= !(1 << slot),
        }
        thread.pc = match thread.request {
            _ if thread.pc == Pc::GapUnlock => Pc::GapLock,
            Request::Get(_) | Request::Set(_) if thread.outcome == Outcome::Pending => Pc::UsePkru,
            _ => Pc::Return,
        };
    }

    /// The call has its result: on to letting go of the lock, if it holds it.
    fn finish(&self, thread: &mut Thread, outcome: Outcome) {
        let holds = self.hold_of(thread.request) != Hold::No;
        self.finish_unlocked(thread, outcome);
        if holds {
            thread.pc = Pc::Unlock;
        }
    }

    /// The call has its result and holds nothing (any more).
    fn finish_unlocked(&self, thread: &mut Thread, outcome: Outcome) {
        thread.outcome = outcome;
        thread.key = Key::NONE;
        thread.fresh = false;
        thread.pc = Pc::Return;
        if outcome.succeeded() {
            thread.ghost.could_fail = false;
        } else {
            thread.ghost.could_succeed = false;
            thread.ghost.was_granted = false;
        }
    }

    /// `mm_pkey_is_allocated()`, its first half: the range, and the execute-only key.
    fn check_key(&self, state: &mut State, slot: usize) {
        let execute_only = state.mms[mm_of(slot)].execute_only;
        let thread = &mut state.threads[slot];
        let Some(key) = key_asked(thread.request) else { return };
        let in_range = match self.config.range_check {
            RangeCheck::Exact => key.exists(self.keys),
            RangeCheck::WithoutZero => key.exists(self.keys) && key != Key::DEFAULT,
            RangeCheck::Missing => true,
        };
        if !in_range || self.config.hides_execute_only && key == execute_only {
            self.finish(thread, Outcome::BadKey);
        } else {
            thread.pc = Pc::CheckMap;
        }
    }

    /// `mm_pkey_is_allocated()`, its second half: loads the map and tests the bit.
    fn check_map(&self, state: &mut State, slot: usize) {
        let mm = mm_of(slot);
        let map = state.mms[mm].map;
        let first = state.threads[slot].pc == Pc::CheckMap;
        match (self.config.load, first) {
            (Load::Word, _) => self.load_map(state, slot),
            (Load::TwoBytes, true) => {
                state.threads[slot].loaded = map.and(LOW_BYTE);
                state.threads[slot].ghost.map_was = Self::map_is(state, mm);
                state.threads[slot].pc = Pc::CheckMapHigh;
                return;
            }
            (Load::TwoBytes, false) => {
                let thread = &mut state.threads[slot];
                thread.loaded = thread.loaded.with(map.without(LOW_BYTE));
            }
        }
        let thread = &mut state.threads[slot];
        let Some(key) = key_asked(thread.request) else { return };
        let free_anyway = matches!(thread.request, Request::Free(_)) && !self.config.free_checks;
        if thread.loaded.and(key.bit()) == KeySet::EMPTY && !free_anyway {
            self.finish(thread, Outcome::BadKey);
            return;
        }
        match thread.request {
            Request::Free(_) => {
                thread.key = key;
                thread.pc = self.first_of_change();
            }
            Request::Mprotect { .. } => {
                thread.key = key;
                thread.pc = Pc::SetMapping;
            }
            // An answer that is taken under the lock is used after it.
            _ => thread.pc = if self.hold_of(thread.request) == Hold::No { Pc::UsePkru } else { Pc::Unlock },
        }
    }

    /// Loads the whole map.
    fn load_map(&self, state: &mut State, slot: usize) {
        let mm = mm_of(slot);
        state.threads[slot].loaded = state.mms[mm].map;
        state.threads[slot].ghost.map_was = Self::map_is(state, mm);
    }

    /// `mm_pkey_alloc()` up to its store: loads the map, looks whether it is full, picks a key.
    fn alloc_load(&self, state: &mut State, slot: usize) {
        self.load_map(state, slot);
        let mm = &state.mms[mm_of(slot)];
        let thread = &mut state.threads[slot];
        if thread.loaded == KeySet::all(self.keys) {
            match thread.request {
                // Without a key the mapping keeps the one that it has.
                Request::Mprotect { mapping, .. } => {
                    thread.key = mm.mappings[mapping as usize].key;
                    thread.pc = Pc::SetMapping;
                }
                _ if self.config.unlocks_when_full => self.finish(thread, Outcome::NoSpace),
                _ => self.finish_unlocked(thread, Outcome::NoSpace),
            }
            return;
        }
        thread.fresh = matches!(thread.request, Request::Mprotect { .. });
        thread.key = match self.config.pick {
            Pick::FirstZero => thread.loaded.first_zero(),
            Pick::OneTooHigh => Key(thread.loaded.first_zero().0 + 1),
        };
        let gap = self.config.gap && thread.request == Request::Alloc;
        thread.pc = if gap { Pc::GapUnlock } else { self.first_of_change() };
    }

    /// Where a change of the map begins, once the map is loaded.
    fn first_of_change(&self) -> Pc {
        match self.config.update {
            Update::PlainRmw => Pc::Reload,
            Update::WriteOnce | Update::CompareExchange | Update::TwoBytes | Update::Invented => Pc::Store,
        }
    }

    /// One store of the map: `new` in place of the map as it was loaded. The change of `key`'s bit is
    /// complete, half done, or must be tried again.
    fn store_map(&self, state: &mut State, slot: usize, new: KeySet, second: bool) -> Stored {
        let mm = &mut state.mms[mm_of(slot)];
        let thread = &mut state.threads[slot];
        let old = mm.map;
        let stored = match (self.config.update, second) {
            (Update::WriteOnce | Update::PlainRmw, _) | (Update::Invented, true) => {
                mm.map = new;
                Stored::Whole
            }
            (Update::CompareExchange, _) if old != thread.loaded => Stored::Retry,
            (Update::CompareExchange, _) => {
                mm.map = new;
                Stored::Whole
            }
            (Update::TwoBytes, false) => {
                mm.map = old.without(LOW_BYTE).with(new.and(LOW_BYTE));
                Stored::Half
            }
            (Update::TwoBytes, true) => {
                mm.map = old.and(LOW_BYTE).with(new.without(LOW_BYTE));
                Stored::Whole
            }
            (Update::Invented, false) => {
                mm.map = KeySet::EMPTY;
                Stored::Half
            }
        };
        thread.ghost.turned = thread.ghost.turned.differs_from(old.differs_from(mm.map));
        stored
    }

    /// Ghost: whether the store that was just made is the one by which others see the change of `key`'s bit.
    fn claims_now(&self, key: Key, half: bool) -> bool {
        match self.config.update {
            Update::TwoBytes => half == LOW_BYTE.has(key),
            _ => !half,
        }
    }

    /// A5 or F3: stores the map with the key's bit set or cleared, and goes on with the call.
    fn change_map(&self, state: &mut State, slot: usize) {
        let thread = state.threads[slot];
        let second = thread.pc == Pc::StoreSecond;
        let frees = matches!(thread.request, Request::Free(_));
        let bit = thread.key.bit();
        let new = if frees { thread.loaded.without(bit) } else { thread.loaded.with(bit) };
        let stored = self.store_map(state, slot, new, second);
        let half = matches!(stored, Stored::Half);
        if !matches!(stored, Stored::Retry) && self.claims_now(thread.key, half) {
            if frees {
                self.claim_free(state, mm_of(slot), thread.key);
            } else {
                self.claim_alloc(&mut state.mms[mm_of(slot)], thread.key);
            }
        }
        let thread = &mut state.threads[slot];
        if !half {
            forget_map(thread);
        }
        match (stored, thread.request) {
            (Stored::Half, _) => thread.pc = Pc::StoreSecond,
            (Stored::Retry, Request::Free(_)) => thread.pc = Pc::CheckMap,
            (Stored::Retry, _) => thread.pc = Pc::AllocLoad,
            (Stored::Whole, Request::Free(_)) => self.finish(thread, Outcome::Done),
            (Stored::Whole, Request::Mprotect { .. }) => {
                let denied_first = self.config.execute_only_order == ExecuteOnlyOrder::PkruFirst;
                thread.pc = if denied_first { Pc::DenyPkru } else { Pc::StoreExecuteOnly };
            }
            (Stored::Whole, _) => thread.pc = Pc::SetPkru,
        }
    }

    /// A7: stores the map without the key whose rights could not be set.
    fn give_back(&self, state: &mut State, slot: usize) {
        let mm = mm_of(slot);
        let thread = state.threads[slot];
        let second = thread.pc == Pc::UndoStoreSecond;
        let stored = self.store_map(state, slot, thread.loaded.without(thread.key.bit()), second);
        let half = matches!(stored, Stored::Half);
        if !matches!(stored, Stored::Retry) && self.claims_now(thread.key, half) {
            self.claim_free(state, mm, thread.key);
        }
        if !half {
            forget_map(&mut state.threads[slot]);
        }
        match stored {
            Stored::Half => state.threads[slot].pc = Pc::UndoStoreSecond,
            Stored::Retry => state.threads[slot].pc = Pc::UndoLoad,
            Stored::Whole => self.without_key(state, slot),
        }
    }

    /// `arch_set_user_pkey_access()` returns an error.
    fn pkru_fails(&self, state: &mut State, slot: usize) {
        let thread = &mut state.threads[slot];
        thread.ghost.pkru_failed = thread.request != Request::Alloc;
        let undo = match thread.request {
            Request::Alloc => self.config.undoes_alloc,
            _ => thread.fresh || !self.config.undoes_only_fresh,
        };
        if undo {
            state.threads[slot].pc = Pc::UndoLoad;
        } else {
            self.without_key(state, slot);
        }
    }

    /// PKRU could not be set, and the key is given back where it has to be: `pkey_alloc()` fails, and
    /// `mprotect()` does without an execute-only key.
    fn without_key(&self, state: &mut State, slot: usize) {
        if let Request::Mprotect { mapping, .. } = state.threads[slot].request {
            let key = state.mms[mm_of(slot)].mappings[mapping as usize].key;
            let thread = &mut state.threads[slot];
            thread.key = key;
            thread.fresh = false;
            thread.pc = Pc::SetMapping;
        } else {
            self.finish(&mut state.threads[slot], Outcome::PkruFailed);
        }
    }

    /// `__arch_override_mprotect_pkey()` for plain `mprotect()`, up to the allocation of an execute-only key.
    fn choose_key(&self, state: &mut State, slot: usize) {
        let mm = &state.mms[mm_of(slot)];
        let thread = &mut state.threads[slot];
        let Request::Mprotect { mapping, prot, .. } = thread.request else { return };
        let now = mm.mappings[mapping as usize];
        thread.pc = Pc::SetMapping;
        if prot == Prot::ExecOnly {
            thread.key = mm.execute_only;
            if mm.execute_only == Key::NONE {
                thread.pc = Pc::AllocLoad;
            } else if self.config.looks_at_pkru && thread.pkru.rights(mm.execute_only).allow_read() {
                thread.pc = Pc::DenyPkru;
            }
            return;
        }
        let is_execute_only = now.prot == Prot::ExecOnly && now.key == mm.execute_only;
        let leaves = match self.config.leaves_execute_only {
            LeaveExecuteOnly::Always => true,
            LeaveExecuteOnly::ToReadWrite => prot == Prot::ReadWrite,
        };
        thread.key = if is_execute_only && leaves { Key::DEFAULT } else { now.key };
    }

    /// `mprotect_fixup()`: the mapping gets its protection and its key.
    fn set_mapping(&self, state: &mut State, slot: usize) {
        let thread = &mut state.threads[slot];
        let Request::Mprotect { mapping, prot, key } = thread.request else { return };
        let mapping = &mut state.mms[mm_of(slot)].mappings[mapping as usize];
        // Key 0 is no good as the execute-only key: the mapping then keeps the key that it has.
        let unfit = key == Key::NONE && prot == Prot::ExecOnly && thread.key.0 <= 0;
        let new_key = if unfit { mapping.key } else { thread.key };
        mapping.outlived &= key == Key::NONE && new_key == mapping.key;
        mapping.prot = prot;
        mapping.key = new_key;
        self.finish(thread, Outcome::Done);
    }

    /// The child begins to run, and the run follows it: the parent's process is let go.
    fn start_child(&self, state: &mut State, parent: usize) {
        let known = state.threads[parent].ghost.pkru_known;
        for slot in 0..self.threads as usize {
            exit(state, slot);
        }
        state.threads[CHILD] = Thread::user(self.child_calls, state.threads[CHILD].pkru);
        state.threads[CHILD].ghost.pkru_known = known;
    }

    /// Whether this variant, at this size, is meant to take steps of this kind.
    pub(super) fn uses_kind(&self, kind: usize) -> bool {
        let config = &self.config;
        let mprotects = self.mappings > 0;
        let execute_only = mprotects && config.execute_only_calls;
        match KINDS[kind].name {
            "A1Lock" | "A8Unlock" => config.writers != Hold::No,
            "F1Lock" | "F4Unlock" => self.hold_of(Request::Free(Key::DEFAULT)) != Hold::No,
            "R0Lock" | "R1Unlock" => !matches!(config.readers, None | Some(Hold::No)),
            "R1LoadMap" | "R2UsePkru" => config.readers.is_some(),
            "M1Lock" | "M2LoadMap" | "M3ChooseKey" | "M6SetMapping" | "M7Unlock" => mprotects,
            "U3Wrpkru" | "M4DenyPkru" | "M5StoreExecuteOnly" => execute_only,
            "A6PkruFails" => config.pkru_may_fail,
            "A7GiveBack" => config.pkru_may_fail && (config.undoes_alloc || execute_only),
            "K1Lock" | "K4Unlock" => self.child_calls > 0 && config.fork != Fork::CopiesUnlocked,
            "K2CopyMappings" | "K3DupPkeys" | "K5StartChild" => self.child_calls > 0,
            _ => true,
        }
    }
}

/// Whether a thread of the same process is in `pkey_mprotect()` with `key`.
fn is_being_mapped(state: &State, slot: usize, asked: Key) -> bool {
    let mut found = false;
    for (other, thread) in state.threads.iter().enumerate() {
        let same = matches!(thread.request, Request::Mprotect { key, .. } if key == asked && key != Key::NONE);
        found |= same && mm_of(other) == mm_of(slot);
    }
    found
}

/// Whether a thread of the same process is in `pkey_free()` with `key`.
fn is_being_freed(state: &State, slot: usize, asked: Key) -> bool {
    let mut found = false;
    for (other, thread) in state.threads.iter().enumerate() {
        found |= thread.request == Request::Free(asked) && mm_of(other) == mm_of(slot);
    }
    found
}

/// Whether the map that a thread has loaded is still of use where it is.
const fn still_needs_map(pc: Pc) -> bool {
    use Pc::{CheckMapHigh, GapLock, GapUnlock, Reload, Store, StoreSecond, UndoStore, UndoStoreSecond};
    matches!(pc, CheckMapHigh | GapUnlock | GapLock | Reload | Store | StoreSecond | UndoStore | UndoStoreSecond)
}

/// The map that the thread has loaded is dead.
fn forget_map(thread: &mut Thread) {
    thread.loaded = KeySet::EMPTY;
    thread.ghost.map_was = 0;
}

/// R2: `pkey_get()` reads the rights of the key, `pkey_set()` writes them.
fn use_pkru(thread: &mut Thread) {
    match thread.request {
        Request::Get(key) => thread.outcome = Outcome::GotRights(thread.pkru.rights(key)),
        Request::Set(key) => {
            thread.pkru = thread.pkru.with(key, Rights::ALLOW);
            thread.outcome = Outcome::Done;
        }
        _ => {}
    }
    thread.pc = Pc::Return;
}

/// The thread exits. The address space goes with the last one.
fn exit(state: &mut State, slot: usize) {
    state.threads[slot] = Thread { pc: Pc::Exited, ..Thread::ABSENT };
    let mm = mm_of(slot);
    let used = (0..THREADS_MAX).any(|s| mm_of(s) == mm && !matches!(state.threads[s].pc, Pc::Exited | Pc::Absent));
    if !used {
        state.mms[mm] = Mm::GONE;
    }
}
