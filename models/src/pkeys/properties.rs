//! What must always hold, and what must be seen to happen.

use super::ghost::key_asked;
use super::{
    mm_of, Claim, Claims, Hold, Key, KeySet, Mapping, Mm, Outcome, Pc, Pkeys, Prot, Request, Rights, State, Thread,
    CHILD, KEYS_MAX, THREADS_MAX,
};
use crate::machine::Property;

pub(super) const PROPERTIES: &[Property<Pkeys>] = &[
    Property::always(
        "no-torn-map",
        "A thread works with a map that never was: half of one value and half of another, or scratch.",
        no_torn_map,
    ),
    Property::always(
        "no-lost-update",
        "An allocation or a free gets lost: the map is not what the calls have made of it.",
        no_lost_update,
    ),
    Property::always(
        "no-double-allocation",
        "Two callers own the same key: what one of them protects, the other one opens.",
        no_double_allocation,
    ),
    Property::always(
        "no-double-free",
        "A key is freed that was free, and the second caller was told that it had it.",
        no_double_free,
    ),
    Property::always(
        "answer-was-true",
        "A call answers that a key is allocated, or is not, or that none is free, and it never was so during the call.",
        answer_was_true,
    ),
    Property::always(
        "calls-change-only-their-key",
        "A call turns another bit of the map than it reports, or fails and leaves its bit behind for good.",
        calls_change_only_their_key,
    ),
    Property::always(
        "rights-as-asked",
        "A thread returns with other rights in PKRU than it asked for, or is told other rights than it has.",
        rights_as_asked,
    ),
    Property::always(
        "mapping-as-asked",
        "mprotect() reports success and the mapping has another protection or key than asked for.",
        mapping_as_asked,
    ),
    Property::always(
        "mapped-keys-allocated",
        "Memory is left with a key that is free, and opens or closes with whoever gets it next.",
        mapped_keys_allocated,
    ),
    Property::always(
        "no-aliasing",
        "A key is handed out while memory of its former owner has it: rights to one are rights to the other.",
        no_aliasing,
    ),
    Property::always(
        "execute-only-hidden",
        "The key of execute-only memory is used through the API, or stays on memory that is meant to be read again.",
        execute_only_hidden,
    ),
    Property::always(
        "execute-only-key-allocated",
        "The key of execute-only memory is free: the next pkey_alloc() hands it out, and the memory opens.",
        execute_only_key_allocated,
    ),
    Property::always("execute-only-denied", "A thread makes memory execute-only and can read it.", execute_only_denied),
    Property::always(
        "fork-copies",
        "A child starts with memory that has keys, and without the map or the execute-only key that go with it.",
        fork_copies,
    ),
    Property::always(
        "key-in-range",
        "The kernel shifts by a key that does not exist: undefined, and on x86 another key's bit.",
        key_in_range,
    ),
    Property::always(
        "lock-held-where-needed",
        "Code that needs mmap_sem runs without it, or leaves with it, and everybody else waits forever.",
        lock_held_where_needed,
    ),
    Property::always(
        "same-allocation",
        "The answer 'allocated' is about an allocation that is over, against what is claimed.",
        same_allocation,
    ),
    Property::always(
        "answered-key-was-granted",
        "The answer 'allocated' is about a key that no caller has had, against what is claimed.",
        answered_key_was_granted,
    ),
    Property::sometimes(
        "answered-then-freed",
        "A reader answers 'allocated', and by the time it returns the key is free.",
        |_, s: &State| answered(s).any(|(mm, t)| !is_allocated(mm, key_asked(t.request))),
    ),
    Property::sometimes(
        "handed-out-again-behind-a-reader",
        "Behind a reader's back the key is freed and handed out again, and its answer is right by accident.",
        |_, s: &State| answered(s).any(|(mm, t)| t.ghost.answer_outdated && is_allocated(mm, key_asked(t.request))),
    ),
    Property::sometimes(
        "answer-about-an-ungranted-key",
        "A reader answers 'allocated' about a key that only a failing or an execute-only allocation ever had.",
        |_, s: &State| answered(s).any(|(_, t)| !t.ghost.was_granted),
    ),
    Property::sometimes(
        "writers-contend",
        "Two calls that change the map of one process are in flight at the same time.",
        |_, s: &State| (0..2).any(|mm| writers(s, mm) >= 2),
    ),
    Property::sometimes(
        "reads-during-a-write",
        "A reader loads the map while a writer has loaded it and not yet stored it.",
        reads_during_a_write,
    ),
    Property::sometimes("map-full", "pkey_alloc() finds the map full.", |_, s: &State| {
        finished(s).any(|(_, t)| t.outcome == Outcome::NoSpace)
    }),
    Property::sometimes(
        "failed-allocation-undone",
        "pkey_alloc() fails after it has stored the bit.",
        |_, s: &State| finished(s).any(|(_, t)| t.outcome == Outcome::PkruFailed),
    ),
    Property::sometimes("execute-only-memory", "A mapping has the execute-only key.", |m: &Pkeys, s: &State| {
        s.mms.iter().any(|mm| m.mappings_of(mm).any(|mapping| is_execute_only(mm, mapping)))
    }),
    Property::sometimes(
        "execute-only-key-refused",
        "A call asks for the execute-only key and is told that it is not allocated.",
        execute_only_key_refused,
    ),
    Property::sometimes(
        "double-free-refused",
        "Two threads free the same key, and one of them is told no.",
        double_free_refused,
    ),
    Property::sometimes(
        "child-allocates",
        "A child allocates a key after its parent had allocated one.",
        |_, s: &State| matches!(s.threads[CHILD].outcome, Outcome::GotKey(key) if key > Key(1)),
    ),
];

impl Pkeys {
    /// The mappings that the size has.
    fn mappings_of<'a>(&self, mm: &'a Mm) -> impl Iterator<Item = &'a Mapping> {
        mm.mappings[..self.mappings as usize].iter()
    }

    /// Whether the code where the thread is runs under `mmap_sem`.
    pub(super) const fn is_locked_code(&self, thread: &Thread) -> bool {
        match thread.pc {
            Pc::CheckKey
            | Pc::CheckMap
            | Pc::CheckMapHigh
            | Pc::AllocLoad
            | Pc::GapUnlock
            | Pc::Reload
            | Pc::Store
            | Pc::StoreSecond
            | Pc::SetPkru
            | Pc::UndoLoad
            | Pc::UndoStore
            | Pc::UndoStoreSecond
            | Pc::ChooseKey
            | Pc::DenyPkru
            | Pc::StoreExecuteOnly
            | Pc::SetMapping
            | Pc::ForkMappings
            | Pc::ForkMap
            | Pc::ForkExecuteOnly
            | Pc::Unlock => true,
            Pc::Absent | Pc::User | Pc::Lock | Pc::GapLock | Pc::UsePkru | Pc::Return | Pc::Exited => false,
        }
    }
}

fn no_key_is(mm: &Mm, count: u8) -> bool {
    (0..KEYS_MAX as i8).all(|key| mm.claims.of(Key(key)) != count)
}

/// Threads that have a result and are about to return to user code, with their slots.
fn finished(s: &State) -> impl Iterator<Item = (usize, &Thread)> {
    s.threads.iter().enumerate().filter(|(_, t)| t.pc == Pc::Return)
}

/// Readers that are about to return the answer "allocated", with their address spaces.
fn answered(s: &State) -> impl Iterator<Item = (&Mm, &Thread)> {
    let reader = |t: &Thread| matches!(t.request, Request::Get(_) | Request::Set(_)) && t.outcome.succeeded();
    finished(s).filter(move |(_, t)| reader(t)).map(|(slot, t)| (&s.mms[mm_of(slot)], t))
}

fn is_allocated(mm: &Mm, key: Option<Key>) -> bool {
    key.is_some_and(|key| mm.claims.keys().has(key))
}

/// How many calls are in flight that may change the map.
fn writers(s: &State, mm: usize) -> usize {
    let writes = |t: &Thread| {
        matches!(t.request, Request::Alloc | Request::Free(_) | Request::Mprotect { key: Key::NONE, .. })
            && t.pc != Pc::Return
    };
    (0..THREADS_MAX).filter(|&slot| mm_of(slot) == mm && writes(&s.threads[slot])).count()
}

/// No key has two owners.
pub fn no_double_allocation(_: &Pkeys, s: &State) -> bool {
    s.mms.iter().all(|mm| no_key_is(mm, Claims::TWICE))
}

/// No key was freed that was free.
pub fn no_double_free(_: &Pkeys, s: &State) -> bool {
    s.mms.iter().all(|mm| no_key_is(mm, Claims::BELOW_ZERO))
}

/// No mapping has a key that was handed out again since.
pub fn no_aliasing(m: &Pkeys, s: &State) -> bool {
    s.mms.iter().all(|mm| m.mappings_of(mm).all(|mapping| !aliased(mm, mapping)))
}

/// The execute-only key is allocated whenever nobody is changing the map.
pub fn execute_only_key_allocated(_: &Pkeys, s: &State) -> bool {
    (0..2).all(|mm| writers(s, mm) > 0 || has_its_execute_only_key(&s.mms[mm]))
}

/// Where that is claimed, the allocation that a reader saw still lasts.
pub fn same_allocation(m: &Pkeys, s: &State) -> bool {
    m.config.claim != Claim::SameAllocation || answered(s).all(|(_, t)| !t.ghost.answer_outdated)
}

/// Where that is claimed, the key of an answer has belonged to a caller.
pub fn answered_key_was_granted(m: &Pkeys, s: &State) -> bool {
    m.config.claim != Claim::WasGranted || answered(s).all(|(_, t)| t.ghost.was_granted)
}

/// Every map that a thread has loaded is one that the map was at an instant of the load.
pub fn no_torn_map(_: &Pkeys, s: &State) -> bool {
    s.threads.iter().all(|t| {
        let complete = t.ghost.map_was != 0 && t.pc != Pc::CheckMapHigh;
        !complete || t.ghost.map_was & 1 << (t.loaded.0 & 0b1111) != 0
    })
}

/// Whenever nobody is changing it, the map is what the calls have claimed.
pub fn no_lost_update(_: &Pkeys, s: &State) -> bool {
    let child_runs = s.threads[CHILD].pc != Pc::Absent;
    (0..2).all(|mm| (mm == 1 && !child_runs) || writers(s, mm) > 0 || s.mms[mm].map == s.mms[mm].claims.keys())
}

/// An answer was right at some instant of the call.
pub fn answer_was_true(_: &Pkeys, s: &State) -> bool {
    finished(s).all(|(_, t)| match t.outcome {
        Outcome::BadKey | Outcome::NoSpace => t.ghost.could_fail,
        Outcome::Done | Outcome::GotKey(_) | Outcome::GotRights(_) => t.ghost.could_succeed,
        Outcome::PkruFailed | Outcome::Pending => true,
    })
}

/// The bits that the call's stores have turned, all in all, are those of its result.
pub fn calls_change_only_their_key(m: &Pkeys, s: &State) -> bool {
    finished(s).all(|(slot, t)| {
        let turned = t.ghost.turned;
        match (t.request, t.outcome) {
            (Request::Alloc, Outcome::GotKey(key)) => key.exists(m.keys) && turned == key.bit(),
            (Request::Free(key), Outcome::Done) => key.exists(m.keys) && turned == key.bit(),
            (Request::Mprotect { prot: Prot::ExecOnly, key: Key::NONE, .. }, Outcome::Done) => {
                turned == KeySet::EMPTY || turned == s.mms[mm_of(slot)].execute_only_bit()
            }
            (_, Outcome::Pending) => false,
            _ => turned == KeySet::EMPTY,
        }
    })
}

/// A call changes PKRU as its result says, and between calls nobody does.
pub fn rights_as_asked(_: &Pkeys, s: &State) -> bool {
    let known = s.threads.iter().all(|t| t.pc != Pc::User || t.pkru == t.ghost.pkru_known);
    known
        && finished(s).all(|(slot, t)| {
            let before = t.ghost.pkru_known;
            let execute_only = s.mms[mm_of(slot)].execute_only;
            match (t.request, t.outcome) {
                (Request::Alloc, Outcome::GotKey(key)) => t.pkru == before.with(key, Rights::DENY_WRITE),
                (Request::Set(key), Outcome::Done) => t.pkru == before.with(key, Rights::ALLOW),
                (Request::Get(key), Outcome::GotRights(rights)) => t.pkru == before && rights == before.rights(key),
                (Request::Mprotect { prot: Prot::ExecOnly, key: Key::NONE, .. }, Outcome::Done) => {
                    let denied = execute_only != Key::NONE && t.pkru == before.with(execute_only, Rights::DENY_ACCESS);
                    t.pkru == before || denied
                }
                _ => t.pkru == before,
            }
        })
}

/// Before the mapping is written, the key is the one that the call should give it; afterwards, it has it.
pub fn mapping_as_asked(m: &Pkeys, s: &State) -> bool {
    s.threads.iter().enumerate().all(|(slot, t)| {
        let Request::Mprotect { mapping, prot, key } = t.request else { return true };
        let mm = &s.mms[mm_of(slot)];
        let mapping = &mm.mappings[mapping as usize];
        match t.pc {
            Pc::SetMapping if key != Key::NONE => t.key == key,
            Pc::SetMapping if prot != Prot::ExecOnly => {
                t.key == if is_execute_only(mm, mapping) { Key::DEFAULT } else { mapping.key }
            }
            Pc::SetMapping => t.key == mapping.key || t.key == mm.execute_only,
            Pc::Unlock if t.outcome == Outcome::Done => {
                let key_fits = match (key, prot) {
                    (Key::NONE, Prot::ExecOnly) => t.ghost.pkru_failed || has_key_if_possible(m, mm, mapping),
                    (Key::NONE, _) => true,
                    _ => mapping.key == key,
                };
                mapping.prot == prot && key_fits
            }
            _ => true,
        }
    })
}

/// Memory that is execute-only has the key for that, unless there is none to be had. Key 0 is no good for it.
fn has_key_if_possible(m: &Pkeys, mm: &Mm, mapping: &Mapping) -> bool {
    match mm.execute_only {
        Key::NONE => mm.map == KeySet::all(m.keys),
        Key::DEFAULT => true,
        key => mapping.key == key,
    }
}

/// No mapping is left with a key that is free.
pub fn mapped_keys_allocated(m: &Pkeys, s: &State) -> bool {
    let child_runs = s.threads[CHILD].pc != Pc::Absent;
    (0..2).all(|index| {
        let mm = &s.mms[index];
        *mm == Mm::GONE
            || (index == 1 && !child_runs)
            || writers(s, index) > 0
            || m.mappings_of(mm).all(|mapping| mm.map.has(mapping.key))
    })
}

fn aliased(mm: &Mm, mapping: &Mapping) -> bool {
    mapping.outlived && mm.claims.keys().has(mapping.key)
}

fn is_execute_only(mm: &Mm, mapping: &Mapping) -> bool {
    mm.execute_only != Key::NONE && mapping.key == mm.execute_only && mapping.prot == Prot::ExecOnly
}

/// The execute-only key stays on execute-only memory, and the API does not use it.
pub fn execute_only_hidden(m: &Pkeys, s: &State) -> bool {
    let off_other_memory = s.mms.iter().all(|mm| {
        m.mappings_of(mm).all(|mapping| {
            mm.execute_only == Key::NONE || mapping.key != mm.execute_only || mapping.prot == Prot::ExecOnly
        })
    });
    let not_used = finished(s).all(|(slot, t)| {
        let asked = key_asked(t.request) == Some(s.mms[mm_of(slot)].execute_only);
        !asked || !t.outcome.succeeded() || t.ghost.could_succeed
    });
    off_other_memory && not_used
}

fn has_its_execute_only_key(mm: &Mm) -> bool {
    mm.execute_only == Key::NONE || mm.map.has(mm.execute_only)
}

/// While the maker still holds the lock: it has made the mapping execute-only, and its PKRU denies access, if it
/// could be set at all.
pub fn execute_only_denied(_: &Pkeys, s: &State) -> bool {
    s.threads.iter().enumerate().all(|(slot, t)| {
        let Request::Mprotect { mapping, key: Key::NONE, .. } = t.request else { return true };
        let mm = &s.mms[mm_of(slot)];
        let made = t.pc == Pc::Unlock && !t.ghost.pkru_failed && is_execute_only(mm, &mm.mappings[mapping as usize]);
        !made || !t.pkru.rights(mm.execute_only).allow_read()
    })
}

/// With the parent's lock still held, everything has been copied. Where writers do not take that lock the parent's map
/// may have changed since; then it is what it was when it was copied.
pub fn fork_copies(m: &Pkeys, s: &State) -> bool {
    let [parent, child] = &s.mms;
    let copied = s.threads.iter().any(|t| t.request == Request::Fork && t.pc == Pc::Unlock);
    !copied
        || (child.map == child.claims.keys()
            && (child.map == parent.map || m.config.writers != Hold::Write)
            && child.execute_only == parent.execute_only
            && m.mappings_of(child).zip(m.mappings_of(parent)).all(|(c, p)| c.prot == p.prot && c.key == p.key))
}

/// Every shift by a key that a thread is about to make or has made: the bit test, the change of the map, PKRU.
pub fn key_in_range(m: &Pkeys, s: &State) -> bool {
    s.threads.iter().all(|t| match t.pc {
        Pc::CheckMap | Pc::CheckMapHigh | Pc::UsePkru => key_asked(t.request).is_some_and(|key| key.exists(m.keys)),
        Pc::Reload | Pc::Store | Pc::StoreSecond | Pc::SetPkru | Pc::DenyPkru | Pc::SetMapping => t.key.exists(m.keys),
        Pc::UndoLoad | Pc::UndoStore | Pc::UndoStoreSecond | Pc::StoreExecuteOnly => t.key.exists(m.keys),
        _ => true,
    })
}

/// A thread holds `mmap_sem` where its code needs it, and not elsewhere.
pub fn lock_held_where_needed(m: &Pkeys, s: &State) -> bool {
    (0..THREADS_MAX).all(|slot| {
        let thread = &s.threads[slot];
        let sem = s.mms[mm_of(slot)].mmap_sem;
        let other = s.mms[1 - mm_of(slot)].mmap_sem;
        let hold = if m.is_locked_code(thread) { m.hold_of(thread.request) } else { Hold::No };
        sem.writers.has(slot) == (hold == Hold::Write)
            && sem.readers.has(slot) == (hold == Hold::Read)
            && !other.writers.has(slot)
            && !other.readers.has(slot)
    }) && s.mms.iter().all(|mm| {
        let sem = mm.mmap_sem;
        sem.writers.0.count_ones() <= 1 && (sem.writers.0 == 0 || sem.readers.0 == 0)
    })
}

fn reads_during_a_write(_: &Pkeys, s: &State) -> bool {
    let reads = |t: &Thread| t.pc == Pc::CheckMap && matches!(t.request, Request::Get(_) | Request::Set(_));
    let writes = |t: &Thread| t.pc == Pc::Store;
    (0..THREADS_MAX).any(|reader| {
        reads(&s.threads[reader])
            && (0..THREADS_MAX).any(|writer| mm_of(writer) == mm_of(reader) && writes(&s.threads[writer]))
    })
}

fn execute_only_key_refused(_: &Pkeys, s: &State) -> bool {
    finished(s).any(|(slot, t)| {
        let key = s.mms[mm_of(slot)].execute_only;
        key != Key::NONE && t.outcome == Outcome::BadKey && key_asked(t.request) == Some(key)
    })
}

fn double_free_refused(_: &Pkeys, s: &State) -> bool {
    finished(s).any(|(_, a)| {
        let freed = matches!(a.request, Request::Free(_)) && a.outcome == Outcome::Done;
        freed && finished(s).any(|(_, b)| b.request == a.request && b.outcome == Outcome::BadKey)
    })
}
