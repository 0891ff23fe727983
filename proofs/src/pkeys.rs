//! Kani proofs for `models::pkeys`: `posted`, the map of protection keys read without a lock, is right after any number
//! of steps.
//!
//! # How the proofs together give the properties
//!
//! `Pkeys::invariant` holds at the start (`the_invariant_holds_initially`), every step keeps it (`..._keep_it`, one proof for each
//! call), and every property of the mechanism follows from it (`it_implies_...`). By induction over the steps the
//! properties hold after any number of steps, however many calls a thread makes: the number that is left is any.
//!
//! `same-allocation` is claimed by no form that holds, and `answered-key-was-granted` only by one that reads under the lock,
//! which has a proof of its own.
//!
//! # Twins
//!
//! `..._is_found`: a state in the invariant, from which a version with a bug leaves it, and breaks a property.
//!
//! # Bounds
//!
//! 3 keys, 2 threads and the thread of a child, 1 mapping; any number of calls. Loops run over the threads of a state (4,
//! those that are not there too) and over keys (4), so `unwind` is 5. Stubs: none. Assumptions: the `assume`s and
//! `any_where`s below.

use models::machine::{Machine, Size};
use models::pkeys::properties::{
    answer_was_true, answered_key_was_granted, calls_change_only_their_key, execute_only_denied, execute_only_hidden,
    execute_only_key_allocated, fork_copies, key_in_range, lock_held_where_needed, mapped_keys_allocated,
    mapping_as_asked, no_aliasing, no_double_allocation, no_double_free, no_lost_update, no_torn_map, rights_as_asked,
};
use models::pkeys::{
    Action, Claim, Claims, Config, Fork, Ghost, Hold, Key, KeySet, Mapping, Mm, MmapSem, Outcome, Pc, Pkeys, Pkru,
    Prot, Request, Rights, Slots, State, Step, Thread, CHILD, THREADS_MAX,
};

#[cfg(not(kani))]
use crate::samples::{near, possible_step, Samples, Source};

const KEYS: u8 = 3;

/// A version with 3 keys, 2 threads with a call each, 1 mapping, and a fork.
fn machine(config: Config) -> Pkeys {
    Pkeys::new(config, Size::of([KEYS, 2, 1, 1, 1, 0, 0, 0]))
}

fn posted() -> Pkeys {
    machine(Config::POSTED)
}

// -- Any value of a kind. Every number is chosen below a bound, so that Kani and the tests share the making.

/// Any number below `end`.
fn any_below(end: u8) -> u8 {
    kani::any_where(|value: &u8| *value < end) // domain: the values that the field can take
}

/// Any state with 2 threads, a child and 1 mapping a process.
fn any_state() -> State {
    #[cfg(not(kani))]
    return sampled();
    #[cfg(kani)]
    state(&mut any_below)
}

/// Any state that satisfies the invariant.
fn any_good_state(m: &Pkeys) -> State {
    let state = any_state();
    kani::assume(m.invariant(&state)); // hypothesis
    state
}

fn state<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> State {
    State { threads: [thread(choose), thread(choose), Thread::ABSENT, thread(choose)], mms: [mm(choose), mm(choose)] }
}

fn mm<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Mm {
    Mm {
        map: KeySet(choose(1 << KEYS)),
        execute_only: key(choose),
        mmap_sem: MmapSem { writers: Slots(choose(16)), readers: Slots(choose(16)) },
        mappings: [Mapping { prot: prot(choose), key: key(choose), outlived: choose(2) == 1 }, Mapping::NEW],
        claims: Claims(byte(choose)),
    }
}

fn thread<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Thread {
    Thread {
        pc: pc(choose(27)),
        request: request(choose),
        loaded: KeySet(choose(16)),
        key: key(choose),
        fresh: choose(2) == 1,
        outcome: match choose(7) {
            0 => Outcome::Pending,
            1 => Outcome::Done,
            2 => Outcome::GotKey(key(choose)),
            3 => Outcome::GotRights(Rights(choose(4))),
            4 => Outcome::BadKey,
            5 => Outcome::NoSpace,
            _ => Outcome::PkruFailed,
        },
        calls_left: byte(choose),
        pkru: Pkru(byte(choose)),
        ghost: Ghost {
            turned: KeySet(choose(16)),
            pkru_known: Pkru(byte(choose)),
            could_succeed: choose(2) == 1,
            could_fail: choose(2) == 1,
            was_granted: choose(2) == 1,
            pkru_failed: choose(2) == 1,
            answer_outdated: choose(2) == 1,
            map_was: u16::from(byte(choose)) << 8 | u16::from(byte(choose)),
        },
    }
}

fn byte<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> u8 {
    choose(16) << 4 | choose(16)
}

/// Every key of this hardware, none, the first that does not exist, and the one that wraps.
fn key<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Key {
    match choose(KEYS + 3) {
        0 => Key::NONE,
        1 => Key::WRAPS,
        number => Key(number as i8 - 2),
    }
}

fn prot<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Prot {
    match choose(3) {
        0 => Prot::None,
        1 => Prot::ReadWrite,
        _ => Prot::ExecOnly,
    }
}

/// Any call. More than callers make: `PROT_NONE` with a key, and every key out of range for every call.
fn request<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Request {
    match choose(7) {
        0 => Request::None,
        1 => Request::Alloc,
        2 => Request::Free(key(choose)),
        3 => Request::Get(key(choose)),
        4 => Request::Set(key(choose)),
        5 => Request::Mprotect { mapping: 0, prot: prot(choose), key: key(choose) },
        _ => Request::Fork,
    }
}

fn pc(number: u8) -> Pc {
    match number {
        0 => Pc::Absent,
        1 => Pc::User,
        2 => Pc::Lock,
        3 => Pc::CheckKey,
        4 => Pc::CheckMap,
        5 => Pc::CheckMapHigh,
        6 => Pc::AllocLoad,
        7 => Pc::GapUnlock,
        8 => Pc::GapLock,
        9 => Pc::Reload,
        10 => Pc::Store,
        11 => Pc::StoreSecond,
        12 => Pc::SetPkru,
        13 => Pc::UndoLoad,
        14 => Pc::UndoStore,
        15 => Pc::UndoStoreSecond,
        16 => Pc::UsePkru,
        17 => Pc::ChooseKey,
        18 => Pc::DenyPkru,
        19 => Pc::StoreExecuteOnly,
        20 => Pc::SetMapping,
        21 => Pc::ForkMappings,
        22 => Pc::ForkMap,
        23 => Pc::ForkExecuteOnly,
        24 => Pc::Unlock,
        25 => Pc::Return,
        _ => Pc::Exited,
    }
}

/// Any step with one of these actions. A step that is not possible in the state leads nowhere.
fn any_step(m: &Pkeys, before: &State, actions: &[Action]) -> Step {
    #[cfg(not(kani))]
    return possible_step(m, before, |step| actions.contains(&step.action));
    #[cfg(kani)]
    {
        let _ = (m, before);
        Step { slot: any_below(THREADS_MAX as u8), action: actions[any_below(actions.len() as u8) as usize] }
    }
}

/// The beginning of any call, by any thread.
fn any_call(m: &Pkeys, before: &State) -> Step {
    #[cfg(not(kani))]
    return possible_step(m, before, |step| matches!(step.action, Action::U1Call(_)));
    #[cfg(kani)]
    {
        let _ = (m, before);
        let asked = request(&mut any_below);
        kani::assume(asked != Request::None); // domain: a call
        kani::assume(asked != Request::Fork || m.child_calls > 0); // domain: this size has a child
        Step { slot: any_below(THREADS_MAX as u8), action: Action::U1Call(asked) }
    }
}

// -- The invariant holds at the start, and every step keeps it.

/// inductive-invariant: the initial state satisfies it.
#[kani::proof]
#[kani::unwind(5)] // 4 threads
fn the_invariant_holds_initially() {
    let m = posted();
    let initial = m.initial_state();

    kani::cover!(initial.threads[1].pc == Pc::User, "two threads run");
    assert!(m.invariant(&initial), "inductive-invariant");
}

/// inductive-invariant: the beginning of a call keeps it.
#[kani::proof]
#[kani::unwind(5)] // 4 threads
fn beginning_a_call_keeps_it() {
    let m = posted();
    let before = any_good_state(&m);
    let step = any_call(&m, &before);
    let Some(after) = m.step(&before, step) else { return };
    let is = after.threads[step.slot as usize];

    kani::cover!(is.pc == Pc::Lock, "a call that takes the lock");
    kani::cover!(is.pc == Pc::CheckKey, "a call that does not");
    kani::cover!(step.slot as usize == CHILD, "a call of the child");
    kani::cover!(before.threads[step.slot as usize].calls_left > 3, "one of many calls");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: returning, WRPKRU and exiting keep it.
#[kani::proof]
#[kani::unwind(5)] // 4 threads
fn user_code_keeps_it() {
    let m = posted();
    let before = any_good_state(&m);
    let step = any_step(&m, &before, &[Action::U2Return, Action::U3Wrpkru, Action::U4Exit]);
    let Some(after) = m.step(&before, step) else { return };

    kani::cover!(step.action == Action::U2Return, "a call returns");
    kani::cover!(step.action == Action::U3Wrpkru, "a thread opens execute-only memory");
    kani::cover!(step.action == Action::U4Exit && after.mms[0] == Mm::GONE, "the last thread exits");
    kani::cover!(step.action == Action::U4Exit && after.mms[0] != Mm::GONE, "one of two threads exits");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: pkey_alloc(), and what mprotect() has in common with it, keep it.
#[kani::proof]
#[kani::unwind(5)] // 4 threads
fn allocating_keeps_it() {
    let m = posted();
    let before = any_good_state(&m);
    let step = any_step(
        &m,
        &before,
        &[
            Action::A1Lock,
            Action::A2LoadMap,
            Action::A5WriteMap,
            Action::A6SetPkru,
            Action::A6PkruFails,
            Action::A7GiveBack,
            Action::A8Unlock,
        ],
    );
    let Some(after) = m.step(&before, step) else { return };
    let is = after.threads[step.slot as usize];

    kani::cover!(step.action == Action::A1Lock, "the lock is taken");
    kani::cover!(step.action == Action::A2LoadMap && is.outcome == Outcome::NoSpace, "no key is free");
    kani::cover!(step.action == Action::A2LoadMap && is.pc == Pc::Store, "a key is free");
    kani::cover!(step.action == Action::A5WriteMap && is.request == Request::Alloc, "a key is allocated");
    kani::cover!(step.action == Action::A5WriteMap && is.request != Request::Alloc, "an execute-only key is allocated");
    kani::cover!(step.action == Action::A6SetPkru, "PKRU is set");
    kani::cover!(step.action == Action::A6PkruFails, "PKRU cannot be set");
    kani::cover!(step.action == Action::A7GiveBack && is.pc != Pc::UndoStore, "a key is given back");
    kani::cover!(step.action == Action::A8Unlock, "the lock is released");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: pkey_free(), and the check of a key, keep it.
#[kani::proof]
#[kani::unwind(5)] // 4 threads
fn freeing_keeps_it() {
    let m = posted();
    let before = any_good_state(&m);
    let step = any_step(
        &m,
        &before,
        &[Action::C1CheckKey, Action::F1Lock, Action::F2LoadMap, Action::F3WriteMap, Action::F4Unlock],
    );
    let Some(after) = m.step(&before, step) else { return };
    let is = after.threads[step.slot as usize];
    let reads = before.threads.iter().any(|t| matches!(t.request, Request::Get(_) | Request::Set(_)));

    kani::cover!(step.action == Action::C1CheckKey && is.outcome == Outcome::BadKey, "a key that is refused");
    kani::cover!(step.action == Action::C1CheckKey && is.pc == Pc::CheckMap, "a key that may be allocated");
    kani::cover!(step.action == Action::F1Lock, "the lock is taken");
    kani::cover!(step.action == Action::F2LoadMap && is.outcome == Outcome::BadKey, "the key is not allocated");
    kani::cover!(step.action == Action::F2LoadMap && is.pc == Pc::Store, "the key is allocated");
    kani::cover!(step.action == Action::F3WriteMap && reads, "a key is freed while somebody reads");
    kani::cover!(step.action == Action::F4Unlock, "the lock is released");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: pkey_get() and pkey_set(), which take no lock, keep it.
#[kani::proof]
#[kani::unwind(5)] // 4 threads
fn reading_keeps_it() {
    let m = posted();
    let before = any_good_state(&m);
    let step = any_step(&m, &before, &[Action::R1LoadMap, Action::R2UsePkru]);
    let Some(after) = m.step(&before, step) else { return };
    let is = after.threads[step.slot as usize];
    let written = before.mms[0].mmap_sem.writers != Slots::NOBODY;

    kani::cover!(step.action == Action::R1LoadMap && is.outcome == Outcome::BadKey, "the key is not allocated");
    kani::cover!(step.action == Action::R1LoadMap && is.pc == Pc::UsePkru && written, "a read under a writer's lock");
    kani::cover!(step.action == Action::R2UsePkru && is.outcome == Outcome::Done, "rights are set");
    kani::cover!(step.action == Action::R2UsePkru && is.outcome != Outcome::Done, "rights are read");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: pkey_get() and pkey_set() under the lock, as before the patch, keep it.
#[kani::proof]
#[kani::unwind(5)] // 4 threads
fn reading_under_the_lock_keeps_it() {
    let m = machine(Config::LOCKED_READERS);
    let before = any_good_state(&m);
    let step = any_step(&m, &before, &[Action::R0Lock, Action::R1LoadMap, Action::R1Unlock, Action::R2UsePkru]);
    let Some(after) = m.step(&before, step) else { return };

    kani::cover!(step.action == Action::R0Lock, "the lock is taken");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: mprotect() and pkey_mprotect() keep it.
#[kani::proof]
#[kani::unwind(5)] // 4 threads
fn protecting_keeps_it() {
    let m = posted();
    let before = any_good_state(&m);
    let step = any_step(
        &m,
        &before,
        &[
            Action::M1Lock,
            Action::M2LoadMap,
            Action::M3ChooseKey,
            Action::M4DenyPkru,
            Action::M5StoreExecuteOnly,
            Action::M6SetMapping,
            Action::M7Unlock,
        ],
    );
    let Some(after) = m.step(&before, step) else { return };
    let is = after.threads[step.slot as usize];

    kani::cover!(step.action == Action::M1Lock, "the lock is taken");
    kani::cover!(step.action == Action::M2LoadMap && is.outcome == Outcome::BadKey, "the key is not allocated");
    kani::cover!(step.action == Action::M2LoadMap && is.pc == Pc::SetMapping, "the key is allocated");
    kani::cover!(step.action == Action::M3ChooseKey && is.pc == Pc::AllocLoad, "an execute-only key is needed");
    kani::cover!(step.action == Action::M3ChooseKey && is.pc == Pc::DenyPkru, "there is one already");
    kani::cover!(step.action == Action::M4DenyPkru, "access is denied");
    kani::cover!(step.action == Action::M5StoreExecuteOnly, "the execute-only key is stored");
    kani::cover!(step.action == Action::M6SetMapping, "the mapping is written");
    kani::cover!(step.action == Action::M7Unlock, "the lock is released");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: fork() keeps it.
#[kani::proof]
#[kani::unwind(5)] // 4 threads
fn forking_keeps_it() {
    let m = posted();
    let before = any_good_state(&m);
    let step = any_step(
        &m,
        &before,
        &[Action::K1Lock, Action::K2CopyMappings, Action::K3DupPkeys, Action::K4Unlock, Action::K5StartChild],
    );
    let Some(after) = m.step(&before, step) else { return };

    kani::cover!(step.action == Action::K1Lock, "the lock is taken");
    kani::cover!(step.action == Action::K2CopyMappings, "the mappings are copied");
    kani::cover!(
        step.action == Action::K3DupPkeys && before.mms[0].execute_only.0 > 0,
        "an execute-only key is copied"
    );
    kani::cover!(step.action == Action::K4Unlock, "the lock is released");
    kani::cover!(step.action == Action::K5StartChild, "the child starts");
    assert!(m.invariant(&after), "inductive-invariant");
}

// -- The invariant implies the properties.

/// no-torn-map, no-lost-update, no-double-allocation, no-double-free, answer-was-true, calls-change-only-their-key: they
/// follow from the invariant.
#[kani::proof]
#[kani::unwind(5)] // 4 threads, 4 keys
fn it_implies_a_right_map() {
    let m = posted();
    let s = any_good_state(&m);
    let returns = s.threads[0].pc == Pc::Return;

    kani::cover!(returns && s.threads[0].outcome.succeeded(), "a call succeeds");
    kani::cover!(returns && s.threads[0].outcome == Outcome::BadKey, "a key is refused");
    kani::cover!(s.mms[0].map == KeySet::all(KEYS), "the map is full");
    assert!(no_torn_map(&m, &s), "no-torn-map");
    assert!(no_lost_update(&m, &s), "no-lost-update");
    assert!(no_double_allocation(&m, &s), "no-double-allocation");
    assert!(no_double_free(&m, &s), "no-double-free");
    assert!(answer_was_true(&m, &s), "answer-was-true");
    assert!(calls_change_only_their_key(&m, &s), "calls-change-only-their-key");
}

/// rights-as-asked, mapping-as-asked, mapped-keys-allocated, no-aliasing: they follow from the invariant.
#[kani::proof]
#[kani::unwind(5)] // 4 threads
fn it_implies_right_mappings() {
    let m = posted();
    let s = any_good_state(&m);

    kani::cover!(s.mms[0].mappings[0].key.0 > 0, "a mapping with a key");
    kani::cover!(s.threads[0].pc == Pc::SetMapping, "a mapping is about to be written");
    assert!(rights_as_asked(&m, &s), "rights-as-asked");
    assert!(mapping_as_asked(&m, &s), "mapping-as-asked");
    assert!(mapped_keys_allocated(&m, &s), "mapped-keys-allocated");
    assert!(no_aliasing(&m, &s), "no-aliasing");
}

/// execute-only-hidden, execute-only-key-allocated, execute-only-denied: they follow from the invariant.
#[kani::proof]
#[kani::unwind(5)] // 4 threads
fn it_implies_safe_execute_only_memory() {
    let m = posted();
    let s = any_good_state(&m);

    kani::cover!(s.mms[0].execute_only.0 > 0, "there is an execute-only key");
    kani::cover!(s.mms[0].execute_only == Key::NONE && s.mms[0].map != KeySet::EMPTY, "there is none");
    assert!(execute_only_hidden(&m, &s), "execute-only-hidden");
    assert!(execute_only_key_allocated(&m, &s), "execute-only-key-allocated");
    assert!(execute_only_denied(&m, &s), "execute-only-denied");
}

/// fork-copies, key-in-range, lock-held-where-needed: they follow from the invariant.
#[kani::proof]
#[kani::unwind(5)] // 4 threads
fn it_implies_sound_forks_and_locks() {
    let m = posted();
    let s = any_good_state(&m);

    kani::cover!(s.mms[0].mmap_sem.writers != Slots::NOBODY, "the lock is held");
    kani::cover!(s.threads[0].request == Request::Fork && s.threads[0].pc == Pc::Return, "a fork is done");
    assert!(fork_copies(&m, &s), "fork-copies");
    assert!(key_in_range(&m, &s), "key-in-range");
    assert!(lock_held_where_needed(&m, &s), "lock-held-where-needed");
}

/// answered-key-was-granted: it follows from the invariant where readers take the lock.
#[kani::proof]
#[kani::unwind(5)] // 4 threads
fn it_implies_granted_answers_under_the_lock() {
    let m = machine(Config { claim: Claim::WasGranted, ..Config::LOCKED_READERS });
    let s = any_good_state(&m);
    let gets = matches!(s.threads[0].request, Request::Get(_));

    kani::cover!(gets && s.threads[0].pc == Pc::Return && s.threads[0].outcome.succeeded(), "a reader has its answer");
    assert!(answered_key_was_granted(&m, &s), "answered-key-was-granted");
}

// -- Twins.

/// no-double-allocation, inductive-invariant: without the lock, two threads that have loaded the same map both take the
/// first free key.
#[kani::proof]
#[kani::unwind(5)] // 4 threads
fn lockless_writers_is_found() {
    let m = machine(Config { writers: Hold::No, ..Config::POSTED });
    let take = |s: Option<State>, slot: u8, action: Action| s.and_then(|s| m.step(&s, Step { slot, action }));
    let one = take(Some(m.initial_state()), 0, Action::U1Call(Request::Alloc));
    let one = take(one, 0, Action::A2LoadMap);
    let both = take(take(one, 1, Action::U1Call(Request::Alloc)), 1, Action::A2LoadMap);
    let before = if any_below(2) == 1 { both } else { one };
    let first = take(before, 0, Action::A5WriteMap);
    let second = take(first, 1, Action::A5WriteMap);

    kani::cover!(first.is_some_and(|s| !m.invariant(&s)), "the second thread's map is out of date");
    kani::cover!(first.is_some_and(|s| m.invariant(&s)), "one thread alone is right");
    assert!(before.is_some_and(|s| m.invariant(&s)), "the state before is in the invariant");
    assert!(before != both || second.is_some_and(|s| !no_double_allocation(&m, &s)), "no-double-allocation");
}

/// fork-copies, inductive-invariant: where fork gives the child the map of a new process, a key of the parent is free there.
#[kani::proof]
#[kani::unwind(5)] // 4 threads
fn fork_resets_map_is_found() {
    let m = machine(Config { fork: Fork::Resets, ..Config::POSTED });
    let mut before = m.initial_state();
    let two_keys = any_below(2) == 1;
    if two_keys {
        before.mms[0] = Mm { map: KeySet(0b011), claims: Claims(0b0101), ..before.mms[0] };
    }
    before.mms[0].mmap_sem.writers = Slots(1);
    before.mms[1] = Mm { mappings: before.mms[0].mappings, ..Mm::GONE };
    before.threads[CHILD].pkru = before.threads[0].pkru;
    before.threads[0].request = Request::Fork;
    before.threads[0].pc = Pc::ForkMap;
    before.threads[0].ghost.could_succeed = true;
    let after = m.step(&before, Step { slot: 0, action: Action::K3DupPkeys });

    kani::cover!(after.is_some_and(|s| !m.invariant(&s)), "a key of the parent is free in the child");
    kani::cover!(after.is_some_and(|s| m.invariant(&s)), "a parent without keys");
    assert!(m.invariant(&before), "the state before is in the invariant");
    assert!(!two_keys || after.is_some_and(|s| s.mms[1].map != s.mms[0].map), "fork-copies");
}

// -- Without Kani.

/// The first state with those fields of the second for which the choice falls so.
#[cfg(not(kani))]
fn mix(a: &State, b: &State, take_b: &mut dyn FnMut() -> bool) -> State {
    let mut s = *a;
    macro_rules! fields {
        ($to:expr, $from:expr, $($field:ident).+) => { if take_b() { $to.$($field).+ = $from.$($field).+; } };
    }
    for slot in 0..THREADS_MAX {
        let (t, o) = (&mut s.threads[slot], &b.threads[slot]);
        if take_b() {
            *t = *o;
        }
        fields!(t, o, pc);
        fields!(t, o, request);
        fields!(t, o, loaded);
        fields!(t, o, key);
        fields!(t, o, fresh);
        fields!(t, o, outcome);
        fields!(t, o, calls_left);
        fields!(t, o, pkru);
        fields!(t, o, ghost);
        fields!(t, o, ghost.turned);
        fields!(t, o, ghost.pkru_known);
        fields!(t, o, ghost.could_succeed);
        fields!(t, o, ghost.could_fail);
        fields!(t, o, ghost.was_granted);
        fields!(t, o, ghost.pkru_failed);
        fields!(t, o, ghost.answer_outdated);
        fields!(t, o, ghost.map_was);
        if take_b() {
            // Another register that is known: the invariant relates the two.
            t.ghost.pkru_known = Pkru(o.pkru.0);
            t.pkru = o.pkru;
        }
    }
    for index in 0..2 {
        let (m, o) = (&mut s.mms[index], &b.mms[index]);
        if take_b() {
            *m = *o;
        }
        fields!(m, o, map);
        if take_b() {
            m.map = o.map;
            m.claims = o.claims;
        }
        fields!(m, o, execute_only);
        fields!(m, o, mmap_sem);
        fields!(m, o, mappings);
        fields!(m, o, claims);
    }
    s
}

/// Every thread may make 9 calls more: the invariant says nothing about their number.
#[cfg(not(kani))]
fn plain(s: &State) -> State {
    let mut s = *s;
    for t in s.threads.iter_mut().filter(|t| !matches!(t.pc, Pc::Absent | Pc::Exited)) {
        t.calls_left = 9;
    }
    s
}

#[cfg(not(kani))]
fn source(m: &Pkeys) -> Source<'_, Pkeys> {
    Source { machine: m, any: |_, choose| state(choose), mix, plain }
}

/// A sample of one of the two forms, or something near one, or anything.
#[cfg(not(kani))]
fn sampled() -> State {
    static SAMPLES: std::sync::OnceLock<Samples<State>> = std::sync::OnceLock::new();
    let samples = SAMPLES.get_or_init(|| {
        let locked = machine(Config::LOCKED_READERS);
        Samples::grow(&source(&posted()), 40_000).and(&Samples::grow(&source(&locked), 40_000))
    });
    near(samples, mix, || state(&mut any_below))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every version that the invariant is about, from states that are reached and states that are made.
    #[test]
    fn every_step_keeps_the_invariant() {
        crate::samples::every_version_keeps_the_invariant("posted", 5, machine, source);
    }
}
