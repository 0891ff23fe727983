//! The specification that runs beside the code: what the calls so far have claimed, and what a property must
//! know about the past of a call. Nothing here is read by a step.

use super::{mm_of, Claims, Key, KeySet, Mm, Outcome, Pc, Pkeys, Request, State, Thread, KEYS_MAX};

impl Claims {
    /// Key 0 is allocated from the start.
    pub const INITIAL: Self = Self(1);
    /// Allocated twice or more.
    pub const TWICE: u8 = 2;
    /// Freed although it was free.
    pub const BELOW_ZERO: u8 = 3;

    /// How often `key` is claimed.
    #[must_use]
    pub const fn of(self, key: Key) -> u8 {
        if key.exists(KEYS_MAX as u8) {
            self.0 >> (2 * key.0) & 0b11
        } else {
            0
        }
    }
    const fn set(self, key: Key, count: u8) -> Self {
        Self(self.0 & !(0b11 << (2 * key.0)) | count << (2 * key.0))
    }
    /// After an allocation of `key`.
    const fn allocated(self, key: Key) -> Self {
        match self.of(key) {
            _ if !key.exists(KEYS_MAX as u8) => self,
            0 => self.set(key, 1),
            1 => self.set(key, Self::TWICE),
            _ => self,
        }
    }
    /// After a free of `key`.
    const fn freed(self, key: Key) -> Self {
        match self.of(key) {
            _ if !key.exists(KEYS_MAX as u8) => self,
            0 => self.set(key, Self::BELOW_ZERO),
            1 => self.set(key, 0),
            Self::TWICE => self.set(key, 1),
            _ => self,
        }
    }
    /// The keys that are allocated, by what the calls have claimed: what the map should be.
    #[must_use]
    pub const fn keys(self) -> KeySet {
        let once = self.0 & 0b0101_0101;
        let twice = self.0 >> 1 & 0b0101_0101;
        let any = once ^ twice;
        KeySet(any & 1 | any >> 1 & 2 | any >> 2 & 4 | any >> 3 & 8)
    }
}

/// The key argument of a call that says no to a key that is not allocated.
#[must_use]
pub(super) const fn key_asked(request: Request) -> Option<Key> {
    match request {
        Request::Free(key) | Request::Get(key) | Request::Set(key) => Some(key),
        Request::Mprotect { key, .. } if key.0 != Key::NONE.0 => Some(key),
        _ => None,
    }
}

/// Whether the thread is in a call that has not got its result yet.
fn in_call(thread: &Thread) -> bool {
    thread.request != Request::None && thread.outcome == Outcome::Pending
}

/// Whether the thread is between the first and the last store of one change of the map.
const fn half_way(thread: &Thread) -> bool {
    matches!(thread.pc, Pc::StoreSecond | Pc::UndoStoreSecond)
}

impl Pkeys {
    /// The specification of a successful allocation: from now on, `key` is claimed once more.
    pub(super) fn claim_alloc(&self, mm: &mut Mm, key: Key) {
        mm.claims = mm.claims.allocated(key);
    }

    /// The specification of a successful free: `key` is claimed once less, and who relies on it relies on
    /// an allocation that is over.
    pub(super) fn claim_free(&self, state: &mut State, mm: usize, key: Key) {
        state.mms[mm].claims = state.mms[mm].claims.freed(key);
        for mapping in &mut state.mms[mm].mappings[..self.mappings as usize] {
            mapping.outlived |= mapping.key == key;
        }
        for (slot, thread) in state.threads.iter_mut().enumerate() {
            let has_answer = matches!(thread.pc, Pc::UsePkru | Pc::Unlock | Pc::Return)
                && matches!(thread.outcome, Outcome::Pending | Outcome::Done | Outcome::GotRights(_));
            let asked = matches!(thread.request, Request::Get(asked) | Request::Set(asked) if asked == key);
            thread.ghost.answer_outdated |= mm_of(slot) == mm && has_answer && asked;
        }
    }

    /// Whether a call that asks for `key` should succeed now: it is allocated, and not for execute-only.
    #[must_use]
    pub(super) const fn is_usable(mm: &Mm, key: Key) -> bool {
        mm.claims.keys().has(key) && key.0 != mm.execute_only.0
    }

    /// The keys that belong to callers now: those that are allocated, but neither for execute-only (or
    /// about to be) nor by an allocation that has already failed.
    fn granted(state: &State, mm: usize) -> KeySet {
        let mut keys = state.mms[mm].claims.keys().without(state.mms[mm].execute_only_bit());
        for (slot, thread) in state.threads.iter().enumerate() {
            let undoes = matches!(thread.pc, Pc::UndoLoad | Pc::UndoStore | Pc::UndoStoreSecond);
            let takes = matches!(thread.request, Request::Mprotect { .. }) && thread.fresh;
            if mm_of(slot) == mm && (undoes || takes) && thread.key.exists(KEYS_MAX as u8) {
                keys = keys.without(thread.key.bit());
            }
        }
        keys
    }

    /// After every step: adds the present instant to what is remembered about the calls in flight.
    pub(super) fn observe(&self, state: &mut State) {
        for mm in 0..state.mms.len() {
            let space = state.mms[mm];
            let granted = Self::granted(state, mm);
            let full = space.claims.keys() == KeySet::all(self.keys);
            let map_is = Self::map_is(state, mm);
            for slot in 0..state.threads.len() {
                let thread = &mut state.threads[slot];
                if mm_of(slot) != mm || !in_call(thread) {
                    continue;
                }
                let ghost = &mut thread.ghost;
                if let Some(key) = key_asked(thread.request) {
                    ghost.could_succeed |= Self::is_usable(&space, key);
                    ghost.could_fail |= !Self::is_usable(&space, key);
                } else {
                    ghost.could_succeed = true;
                    ghost.could_fail |= thread.request == Request::Alloc && full;
                }
                if let Request::Get(key) | Request::Set(key) = thread.request {
                    ghost.was_granted |= granted.has(key);
                }
                if thread.pc == Pc::CheckMapHigh {
                    ghost.map_was |= map_is;
                }
            }
        }
    }

    /// The values that the map has now, one bit each: what the specification says, and what the memory says
    /// while nobody is half way through a change.
    #[must_use]
    pub(super) fn map_is(state: &State, mm: usize) -> u16 {
        let settled = (0..state.threads.len()).all(|slot| mm_of(slot) != mm || !half_way(&state.threads[slot]));
        let spec = 1 << (state.mms[mm].claims.keys().0 & 0b1111);
        spec | if settled { 1 << (state.mms[mm].map.0 & 0b1111) } else { 0 }
    }
}

impl Mm {
    /// The execute-only key as a set.
    #[must_use]
    pub(super) const fn execute_only_bit(&self) -> KeySet {
        if self.execute_only.exists(KEYS_MAX as u8) {
            self.execute_only.bit()
        } else {
            KeySet::EMPTY
        }
    }
}
