//! What is true in every state of the forms that hold, however many calls there are: an inductive invariant.
//!
//! It covers `posted`, `mainline`, `locked-readers`, `read-locked-readers` and `locked-readers-granted-claim`: the
//! forms that change the map with `WRITE_ONCE()` under `mmap_sem`, load it as a word, and have careful callers. It is
//! true at the start, every step keeps it, and every claim follows from it. It says nothing about
//! [`Thread::calls_left`], so that what is shown with it is shown for any number of calls.

use crate::machine::Invariant;

use super::ghost::key_asked;
use super::{
    mm_of, Claim, Config, Hold, Key, KeySet, Mapping, Mm, MmapSem, Outcome, Pc, Pkeys, Pkru, Prot, Request, Rights,
    State, Thread, CHILD, MAPPINGS_MAX, THREADS_MAX,
};

/// The invariant, for the engines.
pub(super) const INVARIANT: Invariant<Pkeys> = Invariant::new(Pkeys::has_invariant, Pkeys::invariant);

impl Pkeys {
    /// Whether this version is one of those that the invariant is about.
    #[must_use]
    pub fn has_invariant(&self) -> bool {
        let c = self.config;
        let claim = match c.claim {
            Claim::WasTrue => true,
            Claim::WasGranted => matches!(c.readers, Some(Hold::Read | Hold::Write)),
            Claim::SameAllocation => false,
        };
        let Config { readers, execute_only_calls, pkru_may_fail, .. } = c;
        claim && c == Config { readers, execute_only_calls, pkru_may_fail, claim: c.claim, ..Config::POSTED }
    }

    /// The invariant; see the module. It can be asked of any version, and of any state with fields in their ranges.
    #[must_use]
    pub fn invariant(&self, s: &State) -> bool {
        let mut good = self.processes_fit(s);
        for slot in 0..THREADS_MAX {
            good &= self.thread_fits(s, slot) && self.lock_fits(s, slot) && self.others_fit(s, slot);
        }
        for mm in &s.mms {
            good &= at_most_one_writer(mm.mmap_sem);
        }
        good
    }

    /// Which threads and address spaces there are.
    fn processes_fit(&self, s: &State) -> bool {
        let mut parents_live = false;
        let mut forking = 0;
        let mut unused_absent = true;
        for slot in 0..CHILD {
            let used = slot < self.threads as usize;
            parents_live |= lives(&s.threads[slot]);
            forking += u8::from(s.threads[slot].request == Request::Fork);
            unused_absent &= if used { s.threads[slot].pc != Pc::Absent } else { s.threads[slot] == Thread::ABSENT };
        }
        let child = &s.threads[CHILD];
        let first = if parents_live { self.mm_fits(&s.mms[0]) } else { s.mms[0] == Mm::GONE };
        let second = match child.pc {
            Pc::Absent if forking == 0 => *child == Thread::ABSENT && s.mms[1] == Mm::GONE,
            // What it is by then is said where the forking thread is.
            Pc::Absent => forking == 1,
            Pc::Exited => forking == 0 && s.mms[1] == Mm::GONE,
            _ => forking == 0 && !parents_live && self.child_calls > 0 && self.mm_fits(&s.mms[1]),
        };
        unused_absent && first && second
    }

    /// An address space that is in use.
    fn mm_fits(&self, mm: &Mm) -> bool {
        let mut good = self.map_fits(mm);
        for (number, mapping) in mm.mappings.iter().enumerate() {
            good &= if number < self.mappings as usize { mapping_fits(mm, mapping) } else { *mapping == Mapping::NEW };
        }
        good
    }

    /// The map is what the calls have claimed; key 0 is allocated; so is the execute-only key, which is not 0.
    fn map_fits(&self, mm: &Mm) -> bool {
        mm.map == mm.claims.keys()
            && mm.claims.0 & 0b1010_1010 == 0
            && mm.map.without(KeySet::all(self.keys)) == KeySet::EMPTY
            && mm.map.has(Key::DEFAULT)
            && (mm.execute_only == Key::NONE || (mm.execute_only.0 > 0 && mm.map.has(mm.execute_only)))
    }

    /// A thread holds the lock exactly where its code says so.
    fn lock_fits(&self, s: &State, slot: usize) -> bool {
        let sem = s.mms[mm_of(slot)].mmap_sem;
        let other = s.mms[1 - mm_of(slot)].mmap_sem;
        let hold = if self.is_locked_code(&s.threads[slot]) { self.hold_of(s.threads[slot].request) } else { Hold::No };
        sem.writers.has(slot) == (hold == Hold::Write)
            && sem.readers.has(slot) == (hold == Hold::Read)
            && !other.writers.has(slot)
            && !other.readers.has(slot)
            && (sem.writers.0 | sem.readers.0) >> THREADS_MAX == 0
    }

    /// What a thread's call and those of the others have to do with each other: assumption A3, kept up.
    fn others_fit(&self, s: &State, slot: usize) -> bool {
        let Request::Free(key) = s.threads[slot].request else { return true };
        let mm = &s.mms[mm_of(slot)];
        let mut good = key != Key::DEFAULT;
        for mapping in &mm.mappings[..self.mappings as usize] {
            good &= mapping.key != key || key == mm.execute_only;
        }
        for other in 0..THREADS_MAX {
            let gives =
                matches!(s.threads[other].request, Request::Mprotect { key: k, .. } if k == key && k != Key::NONE);
            good &= !gives || mm_of(other) != mm_of(slot) || key == mm.execute_only;
        }
        good
    }

    /// A thread's place, locals and ghosts fit together, and fit its address space.
    fn thread_fits(&self, s: &State, slot: usize) -> bool {
        let t = &s.threads[slot];
        let mm = &s.mms[mm_of(slot)];
        match t.pc {
            // The child's registers are filled in while it is absent.
            Pc::Absent => *t == Thread { pkru: t.pkru, ..Thread::ABSENT },
            Pc::Exited => *t == Thread { pc: Pc::Exited, ..Thread::ABSENT },
            Pc::User => *t == Thread::user(t.calls_left, t.pkru),
            Pc::Return => t.request != Request::None && t.loaded_fits() && no_locals(t) && self.result_fits(s, slot),
            Pc::Unlock if t.outcome != Outcome::Pending => {
                no_locals(t) && t.loaded_fits() && self.result_fits(s, slot) && self.is_in_force(mm, t)
            }
            _ => t.outcome == Outcome::Pending && remembers(mm, t, self.keys) && self.place_fits(s, slot),
        }
    }

    /// A thread in the middle of a call.
    fn place_fits(&self, s: &State, slot: usize) -> bool {
        let t = &s.threads[slot];
        match t.request {
            Request::None => false,
            Request::Alloc => self.alloc_fits(&s.mms[mm_of(slot)], t),
            Request::Free(key) => self.free_fits(&s.mms[mm_of(slot)], t, key),
            Request::Get(key) | Request::Set(key) => self.reader_fits(&s.mms[mm_of(slot)], t, key),
            Request::Mprotect { mapping, prot, key } => {
                (mapping as usize) < self.mappings as usize
                    && (key != Key::NONE || prot != Prot::ExecOnly || self.config.execute_only_calls)
                    && self.mprotect_fits(&s.mms[mm_of(slot)], t, mapping as usize, prot, key)
            }
            Request::Fork => self.fork_fits(s, slot),
        }
    }

    fn alloc_fits(&self, mm: &Mm, t: &Thread) -> bool {
        let untouched = t.ghost.turned == KeySet::EMPTY && t.pkru == t.ghost.pkru_known;
        let clean = !t.fresh && !t.ghost.pkru_failed && !t.ghost.answer_outdated && !t.ghost.was_granted;
        clean
            && match t.pc {
                Pc::Lock | Pc::AllocLoad => t.key == Key::NONE && untouched && forgot(t),
                Pc::Store => untouched && loaded_now(mm, t) && self.is_first_free(mm, t.key),
                Pc::SetPkru | Pc::UndoLoad => self.is_new(mm, t) && t.pkru == t.ghost.pkru_known && forgot(t),
                Pc::UndoStore => self.is_new(mm, t) && t.pkru == t.ghost.pkru_known && loaded_now(mm, t),
                _ => false,
            }
    }

    fn free_fits(&self, mm: &Mm, t: &Thread, asked: Key) -> bool {
        let untouched = t.ghost.turned == KeySet::EMPTY && t.pkru == t.ghost.pkru_known && !t.fresh;
        let clean = !t.ghost.pkru_failed && !t.ghost.answer_outdated && !t.ghost.was_granted;
        untouched
            && clean
            && match t.pc {
                Pc::Lock | Pc::CheckKey => t.key == Key::NONE && forgot(t),
                Pc::CheckMap => t.key == Key::NONE && forgot(t) && asked.exists(self.keys) && asked != mm.execute_only,
                Pc::Store => t.key == asked && is_usable(mm, asked) && loaded_now(mm, t) && asked.exists(self.keys),
                _ => false,
            }
    }

    fn reader_fits(&self, mm: &Mm, t: &Thread, asked: Key) -> bool {
        let Some(hold) = self.config.readers else { return false };
        let t_is_clean = t.key == Key::NONE && !t.fresh && !t.ghost.pkru_failed;
        let untouched = t.ghost.turned == KeySet::EMPTY && t.pkru == t.ghost.pkru_known;
        let asks = forgot(t) && !t.ghost.answer_outdated;
        // Once the key is the execute-only key it has been allocated without being that, during the call.
        let was_usable = t.ghost.could_succeed || asked != mm.execute_only;
        // Under the lock nobody else is half way through an allocation: a key in use belongs to a caller.
        let locked = hold != Hold::No;
        let granted = t.ghost.was_granted || !locked;
        let answered = asked.exists(self.keys) && t.ghost.could_succeed && granted && t.loaded_fits();
        t_is_clean
            && untouched
            && match t.pc {
                Pc::Lock => locked && asks,
                Pc::CheckKey => asks && (granted || !is_usable(mm, asked)),
                Pc::CheckMap => {
                    let usable = if locked { asked != mm.execute_only } else { was_usable };
                    asks && asked.exists(self.keys) && usable && (granted || !is_usable(mm, asked))
                }
                Pc::Unlock => locked && answered,
                Pc::UsePkru => answered,
                _ => false,
            }
    }

    fn mprotect_fits(&self, mm: &Mm, t: &Thread, number: usize, prot: Prot, asked: Key) -> bool {
        let mapping = &mm.mappings[number];
        let plain = asked == Key::NONE;
        let execute_only = plain && prot == Prot::ExecOnly;
        let untouched = t.ghost.turned == KeySet::EMPTY && t.pkru == t.ghost.pkru_known && !t.fresh;
        let begun = t.key == Key::NONE && untouched && !t.ghost.pkru_failed;
        let unfinished = t.fresh && self.is_new(mm, t) && mm.execute_only == Key::NONE;
        let clean = !t.ghost.answer_outdated && !t.ghost.was_granted;
        clean
            && match t.pc {
                Pc::Lock => begun && forgot(t),
                Pc::CheckKey => !plain && begun && forgot(t),
                Pc::CheckMap => !plain && begun && forgot(t) && asked.exists(self.keys) && asked != mm.execute_only,
                Pc::ChooseKey => plain && begun && forgot(t),
                Pc::AllocLoad => execute_only && begun && forgot(t) && mm.execute_only == Key::NONE,
                Pc::Store => {
                    execute_only
                        && t.fresh
                        && t.ghost.turned == KeySet::EMPTY
                        && t.pkru == t.ghost.pkru_known
                        && !t.ghost.pkru_failed
                        && mm.execute_only == Key::NONE
                        && loaded_now(mm, t)
                        && self.is_first_free(mm, t.key)
                }
                Pc::DenyPkru => {
                    let old = untouched && t.key == mm.execute_only && t.key != Key::NONE;
                    let new = unfinished && t.pkru == t.ghost.pkru_known;
                    execute_only && forgot(t) && !t.ghost.pkru_failed && (old || new)
                }
                Pc::UndoLoad | Pc::UndoStore => {
                    let loads = if t.pc == Pc::UndoLoad { forgot(t) } else { loaded_now(mm, t) };
                    execute_only && unfinished && loads && t.pkru == t.ghost.pkru_known && t.ghost.pkru_failed
                }
                Pc::StoreExecuteOnly => {
                    let denied = t.pkru == t.ghost.pkru_known.with(t.key, Rights::DENY_ACCESS);
                    execute_only && unfinished && forgot(t) && denied && !t.ghost.pkru_failed
                }
                Pc::SetMapping if execute_only => self.is_set_up(mm, mapping, t) && t.loaded_fits(),
                Pc::SetMapping if plain => {
                    let leaves = mapping.prot == Prot::ExecOnly && mapping.key == mm.execute_only;
                    untouched
                        && !t.ghost.pkru_failed
                        && t.loaded_fits()
                        && t.key == if leaves { Key::DEFAULT } else { mapping.key }
                }
                Pc::SetMapping => {
                    untouched
                        && !t.ghost.pkru_failed
                        && t.loaded_fits()
                        && t.key == asked
                        && asked.exists(self.keys)
                        && is_usable(mm, asked)
                        && t.ghost.could_succeed
                }
                _ => false,
            }
    }

    /// `mprotect()` with `PROT_EXEC` alone, about to write the mapping: with the execute-only key, or without one.
    fn is_set_up(&self, mm: &Mm, mapping: &Mapping, t: &Thread) -> bool {
        let with_key = mm.execute_only != Key::NONE
            && t.key == mm.execute_only
            && self.turned_for_execute_only(mm, t)
            && !t.pkru.rights(mm.execute_only).allow_read()
            && !t.ghost.pkru_failed;
        let nothing_done = t.ghost.turned == KeySet::EMPTY && t.pkru == t.ghost.pkru_known && !t.fresh;
        let none_to_be_had = mm.execute_only == Key::NONE && mm.map == KeySet::all(self.keys);
        let without = t.key == mapping.key && nothing_done && (t.ghost.pkru_failed || none_to_be_had);
        with_key || without
    }

    /// What a plain call with `PROT_EXEC` alone may have done to the map and to PKRU.
    fn turned_for_execute_only(&self, mm: &Mm, t: &Thread) -> bool {
        let bit = mm.execute_only_bit();
        let rights = t.pkru == t.ghost.pkru_known
            || (mm.execute_only != Key::NONE
                && t.pkru == t.ghost.pkru_known.with(mm.execute_only, Rights::DENY_ACCESS));
        rights && (t.ghost.turned == KeySet::EMPTY || t.ghost.turned == bit)
    }

    fn fork_fits(&self, s: &State, slot: usize) -> bool {
        let t = &s.threads[slot];
        let [parent, child] = &s.mms;
        let untouched = t.ghost.turned == KeySet::EMPTY
            && t.pkru == t.ghost.pkru_known
            && !t.fresh
            && t.key == Key::NONE
            && !t.ghost.pkru_failed
            && !t.ghost.answer_outdated
            && !t.ghost.was_granted
            && forgot(t);
        let registers = s.threads[CHILD].pkru;
        let none = Mm::GONE;
        untouched
            && self.child_calls > 0
            && slot != CHILD
            && match t.pc {
                Pc::Lock | Pc::ForkMappings => *child == none && registers == Pkru(0),
                Pc::ForkMap => *child == Mm { mappings: parent.mappings, ..none } && registers == t.pkru,
                Pc::ForkExecuteOnly => {
                    let copied = Mm { mappings: parent.mappings, map: parent.map, claims: parent.claims, ..none };
                    *child == copied && registers == t.pkru
                }
                _ => false,
            }
    }

    /// A call that has its result: the result is right, and so is what the call has done.
    fn result_fits(&self, s: &State, slot: usize) -> bool {
        let t = &s.threads[slot];
        let mm = &s.mms[mm_of(slot)];
        let known = t.ghost.pkru_known;
        let untouched = t.ghost.turned == KeySet::EMPTY && t.pkru == known;
        let reader_only = matches!(t.request, Request::Get(_) | Request::Set(_));
        let granted = t.ghost.was_granted || !reader_only || self.config.readers == Some(Hold::No);
        let ghosts = if t.outcome.succeeded() { t.ghost.could_succeed && granted } else { !t.ghost.could_succeed };
        let few = (reader_only || (!t.ghost.answer_outdated && !t.ghost.was_granted))
            && (self.config.readers.is_some() || !reader_only)
            && (!t.ghost.pkru_failed
                || matches!(t.request, Request::Mprotect { key: Key::NONE, prot: Prot::ExecOnly, .. }));
        let right = match (t.request, t.outcome) {
            (Request::Alloc, Outcome::GotKey(key)) => {
                key.0 > 0
                    && key.exists(self.keys)
                    && t.ghost.turned == key.bit()
                    && t.pkru == known.with(key, Rights::DENY_WRITE)
            }
            (Request::Alloc, Outcome::NoSpace) => untouched && t.ghost.could_fail,
            (Request::Alloc, Outcome::PkruFailed) => untouched,
            (Request::Free(key), Outcome::Done) => {
                key.exists(self.keys) && t.ghost.turned == key.bit() && t.pkru == known
            }
            (Request::Get(key), Outcome::GotRights(rights)) => untouched && rights == known.rights(key),
            (Request::Set(key), Outcome::Done) => {
                t.ghost.turned == KeySet::EMPTY && t.pkru == known.with(key, Rights::ALLOW)
            }
            (Request::Free(_) | Request::Get(_) | Request::Set(_), Outcome::BadKey) => untouched && t.ghost.could_fail,
            (Request::Mprotect { key, .. }, Outcome::BadKey) => key != Key::NONE && untouched && t.ghost.could_fail,
            (Request::Mprotect { key: Key::NONE, prot: Prot::ExecOnly, .. }, Outcome::Done) => {
                self.turned_for_execute_only(mm, t)
            }
            (Request::Mprotect { .. }, Outcome::Done) => untouched,
            (Request::Fork, Outcome::Done) => untouched && self.is_forked(s, slot),
            _ => false,
        };
        let at = match t.request {
            Request::Mprotect { mapping, prot, key } => {
                mapping < self.mappings
                    && (key != Key::NONE || prot != Prot::ExecOnly || self.config.execute_only_calls)
            }
            _ => true,
        };
        ghosts && few && right && at && (t.outcome.succeeded() || !t.ghost.was_granted)
    }

    /// While the lock is still held, what the call has done to the address space is still there.
    fn is_in_force(&self, mm: &Mm, t: &Thread) -> bool {
        let Request::Mprotect { mapping, prot, key } = t.request else { return true };
        let mapping = &mm.mappings[mapping as usize];
        let made = mapping.key == mm.execute_only && mm.execute_only != Key::NONE;
        let fits = match (key, prot) {
            (Key::NONE, Prot::ExecOnly) if t.ghost.pkru_failed => true,
            (Key::NONE, Prot::ExecOnly) if mm.execute_only == Key::NONE => mm.map == KeySet::all(self.keys),
            (Key::NONE, Prot::ExecOnly) => made && !t.pkru.rights(mm.execute_only).allow_read(),
            (Key::NONE, _) => true,
            _ => mapping.key == key && !made,
        };
        t.outcome != Outcome::Done || (mapping.prot == prot && fits)
    }

    /// The child as fork leaves it: with the lock held, a copy; afterwards, an address space of its own.
    fn is_forked(&self, s: &State, slot: usize) -> bool {
        let [parent, child] = &s.mms;
        let copy = child.map == parent.map
            && child.claims == parent.claims
            && child.execute_only == parent.execute_only
            && child.mappings == parent.mappings;
        slot != CHILD
            && self.child_calls > 0
            && s.threads[CHILD].pkru == s.threads[slot].pkru
            && child.mmap_sem == MmapSem::default()
            && self.mm_fits(child)
            && (copy || s.threads[slot].pc != Pc::Unlock)
    }

    /// `key` is the first that is free.
    fn is_first_free(&self, mm: &Mm, key: Key) -> bool {
        key == mm.map.first_zero() && key.exists(self.keys)
    }

    /// The thread has just allocated its key, and nobody uses it yet.
    fn is_new(&self, mm: &Mm, t: &Thread) -> bool {
        let mut unused =
            t.key.0 > 0 && t.key.exists(self.keys) && is_usable(mm, t.key) && t.ghost.turned == t.key.bit();
        for mapping in &mm.mappings[..MAPPINGS_MAX.min(self.mappings as usize)] {
            unused &= mapping.key != t.key;
        }
        unused
    }
}

impl Thread {
    /// What is left of a load is what the map was then.
    const fn loaded_fits(&self) -> bool {
        if self.ghost.map_was == 0 {
            self.loaded.0 == 0
        } else {
            self.ghost.map_was & 1 << (self.loaded.0 & 0b1111) != 0
        }
    }
}

fn lives(t: &Thread) -> bool {
    !matches!(t.pc, Pc::Absent | Pc::Exited)
}

fn at_most_one_writer(sem: MmapSem) -> bool {
    let writers = sem.writers.0;
    writers & writers.wrapping_sub(1) == 0 && (writers == 0 || sem.readers.0 == 0)
}

/// A mapping of an address space in use: its key is allocated, and the execute-only key is on execute-only memory.
fn mapping_fits(mm: &Mm, mapping: &Mapping) -> bool {
    mm.map.has(mapping.key)
        && !mapping.outlived
        && (mm.execute_only == Key::NONE || mapping.key != mm.execute_only || mapping.prot == Prot::ExecOnly)
}

fn is_usable(mm: &Mm, key: Key) -> bool {
    mm.map.has(key) && key != mm.execute_only
}

fn no_locals(t: &Thread) -> bool {
    t.key == Key::NONE && !t.fresh
}

/// The map that the thread had loaded is forgotten.
fn forgot(t: &Thread) -> bool {
    t.loaded == KeySet::EMPTY && t.ghost.map_was == 0
}

/// The map that the thread has loaded is what the map is.
fn loaded_now(mm: &Mm, t: &Thread) -> bool {
    t.loaded == mm.map && t.ghost.map_was == 1 << (mm.map.0 & 0b1111)
}

/// The present instant is among those that the ghosts remember.
fn remembers(mm: &Mm, t: &Thread, keys: u8) -> bool {
    let ghost = &t.ghost;
    match key_asked(t.request) {
        Some(key) if is_usable(mm, key) => ghost.could_succeed,
        Some(_) => ghost.could_fail,
        None => ghost.could_succeed && (t.request != Request::Alloc || mm.map != KeySet::all(keys) || ghost.could_fail),
    }
}
