//! Kani proofs for `models::iommu_flush`: the intended code of 2015, `rcu`, is right after any number of binds.
//!
//! # How the proofs together give the properties
//!
//! `IommuFlush::invariant` holds at the start (`the_invariant_holds_initially`), every step keeps it (`..._keep_it`, one
//! proof for each part of the code), and every property of the mechanism follows from it (`it_implies_...`). By induction
//! over the steps the properties hold after any number of steps. The search looks at reachable states only; these proofs
//! start from every state that satisfies the invariant, and the search checks that every state that it reaches does.
//! `only_the_next_act_is_possible` says that the proofs about threads leave no act out.
//!
//! # Twins
//!
//! `..._is_found`: a run of a version with a bug that ends in a broken property, and one that does not.
//!
//! # Bounds
//!
//! 2 flushers, 1 binder, 2 areas, 1 IOMMU, CPUs that cache; any number of binds. Loops run over the slots of a state (2
//! or 4), the places of a buffer (3) and the acts of a thread, of which a flush has most, 12; so `unwind` is 14. Stubs:
//! none. Assumptions: the `assume`s and `any_where`s below.

use models::iommu_flush::hardware::{
    DeviceAct, Hardware, Iommu, Level, Progress, Request, Scope, Set, Use, Walk, AREAS_MAX, FRAMES,
};
use models::iommu_flush::properties::{
    caches_match_page_tables, finished_means_clean, frees_only_its_own, hook_follows_users, it_builds,
    mapped_pages_are_alive, mutex_held_by_its_user, no_call_into_freed_text, no_device_use_of_reused_page,
    no_sleep_in_atomic, no_stale_cpu_tlb, no_stale_iotlb, no_use_of_freed_pasid_data, rcu_sections_balanced,
    single_indirection, unbound_means_drained, walkable_means_published,
};
use models::iommu_flush::{
    Act, Binder, Buffer, Build, Config, Flusher, IommuFlush, State, Step, Store, Target, BUFFER, FLUSHERS_MAX, IDLE,
    NOBODY,
};
use models::machine::{Machine, Size};

#[cfg(not(kani))]
use crate::samples::{near, possible_step, Samples, Source};

/// The only binder, as a thread.
const BINDER: u8 = FLUSHERS_MAX as u8;

/// A version with 2 flushers, 1 binder, 2 areas, 1 IOMMU, 1 bind to come, and CPUs that cache.
fn machine(config: Config) -> IommuFlush {
    IommuFlush::new(config, Size::of([2, 1, 2, 1, 1, 1, 0, 0]))
}

fn rcu() -> IommuFlush {
    machine(Config::RCU)
}

// -- Any value of a kind. Every number is chosen below a bound, so that Kani and the tests share the making.

/// Any number below `end`.
fn any_below(end: u8) -> u8 {
    kani::any_where(|value: &u8| *value < end) // domain: the values that the field can take
}

/// Any state of this size.
fn any_state() -> State {
    #[cfg(not(kani))]
    return sampled();
    #[cfg(kani)]
    state(&mut any_below)
}

/// Any state that satisfies the invariant.
fn any_good_state(m: &IommuFlush) -> State {
    let state = any_state();
    kani::assume(m.invariant(&state)); // hypothesis
    state
}

/// Any value of every field. The slots that a machine of this size does not have are as the invariant wants them.
fn state<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> State {
    State {
        build: match choose(8) {
            0 => Build::NotYet,
            1 => Build::Failed,
            _ => Build::Done,
        },
        hardware: Hardware {
            uses: [page_use(choose), page_use(choose), page_use(choose), page_use(choose)],
            pmd: set(choose),
            pte: set(choose),
            iommus: [iommu(choose), Iommu::QUIET],
            cpu_upper: set(choose),
            cpu_leaf: set(choose),
        },
        pointer: choose(2) == 1,
        users: set(choose),
        text: choose(2) == 1,
        data: choose(2) == 1,
        mutex: if choose(2) == 0 { NOBODY } else { choose(4) },
        binds_left: choose(16) << 4 | choose(16),
        bound: set(choose),
        buffers: [buffer(choose), buffer(choose), buffer(choose), Buffer([Store::None; BUFFER])],
        flushers: [flusher(choose), flusher(choose)],
        binders: [binder(choose), Binder::IDLE],
    }
}

fn set<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Set {
    Set(choose(4))
}

fn area<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> u8 {
    choose(2)
}

fn level<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Level {
    if choose(2) == 0 {
        Level::Data
    } else {
        Level::Table
    }
}

fn page_use<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Use {
    match choose(5) {
        0 => Use::Free,
        1 => Use::Table,
        2 => Use::Data,
        3 => Use::Other,
        _ => Use::Scribbled,
    }
}

fn walk<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Walk {
    let area = area(choose);
    match choose(5) {
        0 => Walk::Idle,
        1 => Walk::Started(area),
        2 => Walk::InTable(area),
        3 => Walk::HasLeaf(area),
        _ => Walk::HasWild(area),
    }
}

fn iommu<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Iommu {
    Iommu {
        entry: choose(2) == 1,
        entry_cached: choose(2) == 1,
        working: choose(2) == 1,
        upper: set(choose),
        leaf: set(choose),
        wild: set(choose),
        walk: walk(choose),
    }
}

fn request<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Request {
    Request {
        progress: match choose(3) {
            0 => Progress::Unused,
            1 => Progress::Pending,
            _ => Progress::Done,
        },
        iommu: choose(2),
        areas: set(choose),
        scope: match choose(3) {
            0 => Scope::BothLevels,
            1 => Scope::LeafOnly,
            _ => Scope::Pasid,
        },
    }
}

fn buffer<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Buffer {
    Buffer([store(choose), store(choose), store(choose)])
}

fn store<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Store {
    let number = area(choose);
    match choose(10) {
        0 => Store::None,
        1 => Store::ClearPte(number),
        2 => Store::ClearPmd(number),
        3 => Store::SetEntry(number),
        4 => Store::ClearEntry(number),
        5 => Store::AddUser(number),
        6 => Store::RemoveUser(number),
        7 => Store::Publish,
        8 => Store::Retract,
        _ => Store::Ring(number),
    }
}

/// A place in a list of acts: none has more than 12.
fn place<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> u8 {
    if choose(2) == 0 {
        IDLE
    } else {
        choose(13)
    }
}

fn flusher<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Flusher {
    Flusher {
        at: place(choose),
        area: area(choose),
        level: level(choose),
        rcu: choose(3),
        fetched: match choose(4) {
            0 => Target::Null,
            1 => Target::Function,
            2 => Target::OtherNotifier,
            _ => Target::CodeBytes,
        },
        notifier: choose(2),
        todo: set(choose),
        asleep: choose(2) == 1,
        request: request(choose),
        loads: choose(3),
        calls: choose(3),
    }
}

fn binder<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Binder {
    Binder {
        at: place(choose),
        unbinding: choose(2) == 1,
        iommu: choose(2),
        alone: choose(2) == 1,
        asleep: choose(2) == 1,
        waits_for: set(choose),
        request: request(choose),
    }
}

/// A thread's next act, and the state behind it. The number of the thread is a constant, so that Kani need not look at
/// every element of an array.
fn go(m: &IommuFlush, s: &State, thread: u8) -> Option<(Act, State)> {
    let act = m.next_act_of(s, thread)?;
    m.step(s, Step::Go { thread, act }).map(|after| (act, after))
}

/// Any flusher's, of these acts.
fn any_flusher_goes(m: &IommuFlush, s: &State, acts: &[Act]) -> Option<(Act, State)> {
    #[cfg(not(kani))]
    return match possible_step(
        m,
        s,
        |step| matches!(step, Step::Go { thread, act } if (*thread as usize) < FLUSHERS_MAX && acts.contains(act)),
    ) {
        Step::Go { thread, .. } => go(m, s, thread),
        _ => None,
    };
    #[cfg(kani)]
    {
        let went = if any_below(2) == 0 { go(m, s, 0) } else { go(m, s, 1) };
        went.filter(|(act, _)| acts.contains(act))
    }
}

/// The state behind these steps, which are possible.
fn run(m: &IommuFlush, s: State, steps: &[Step]) -> State {
    let mut state = s;
    for step in steps {
        state = m.step(&state, *step).expect("is possible");
    }
    state
}

// -- It holds, and every step keeps it.

/// inductive-invariant: the base case. Before the kernel runs nothing is published, cached or under way.
#[kani::proof]
#[kani::unwind(14)] // the longest loop goes over the 12 acts of a flush
fn the_invariant_holds_initially() {
    let m = rcu();
    let binds_left: u8 = kani::any();
    let state = State { binds_left, ..m.initial_state() };
    kani::cover!(binds_left > 3, "more binds than the search looks at");
    assert!(m.invariant(&state), "inductive-invariant");
    let built = m.step(&state, Step::K0Build).expect("it builds");
    assert!(built.build == Build::Done && m.invariant(&built), "inductive-invariant, once it is built");
}

/// inductive-invariant: a flusher that begins, at either level.
#[kani::proof]
#[kani::unwind(14)] // the longest loop goes over the 12 acts of a flush
fn beginning_a_flush_keeps_it() {
    let m = rcu();
    let s = any_good_state(&m);
    let (area, level) = (area(&mut any_below), level(&mut any_below));
    let after = if kani::any() {
        m.step(&s, Step::Begin { flusher: 0, area, level })
    } else {
        m.step(&s, Step::Begin { flusher: 1, area, level })
    };
    kani::cover!(after.is_none(), "it cannot begin");
    let Some(after) = after else { return };
    kani::cover!(level == Level::Data, "it frees a data page");
    kani::cover!(level == Level::Table, "it frees a page-table page");
    kani::cover!(after.flushers[0].at != IDLE && after.flushers[1].at != IDLE, "the other flusher is busy, too");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: a flusher from its barrier to the call: barrier, `rcu_read_lock()`, load, test.
#[kani::proof]
#[kani::unwind(14)] // the longest loop goes over the 12 acts of a flush
fn a_flusher_up_to_the_call_keeps_it() {
    let m = rcu();
    let s = any_good_state(&m);
    let acts = [Act::FullBarrier, Act::F1ReadLock, Act::F2ReadPointer, Act::F3TestAndCall];
    let Some((act, after)) = any_flusher_goes(&m, &s, &acts) else { return };
    kani::cover!(act == Act::FullBarrier, "barrier");
    kani::cover!(act == Act::F1ReadLock, "lock");
    kani::cover!(act == Act::F2ReadPointer && s.pointer, "the pointer is set");
    kani::cover!(act == Act::F2ReadPointer && !s.pointer && s.hardware.iommus[0].entry, "a bind has begun");
    kani::cover!(act == Act::F3TestAndCall && !s.pointer && after.flushers != s.flushers, "it is cleared by now");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: the function that the flusher calls: look at the users, submit, wait, return.
#[kani::proof]
#[kani::unwind(14)] // the longest loop goes over the 12 acts of a flush
fn the_function_keeps_it() {
    let m = rcu();
    let s = any_good_state(&m);
    let acts = [Act::C1ReadPasidData, Act::C2Submit, Act::C3Wait, Act::C4Return];
    let Some((act, after)) = any_flusher_goes(&m, &s, &acts) else { return };
    kani::cover!(act == Act::C1ReadPasidData && s.users.is_empty(), "no user is left");
    kani::cover!(act == Act::C1ReadPasidData && !s.users.is_empty(), "there is a user");
    kani::cover!(act == Act::C2Submit, "submit");
    kani::cover!(act == Act::C3Wait, "wait");
    kani::cover!(act == Act::C4Return, "return");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: a flusher behind the function: `rcu_read_unlock()`, flush the CPUs, free the page.
#[kani::proof]
#[kani::unwind(14)] // the longest loop goes over the 12 acts of a flush
fn the_end_of_a_flush_keeps_it() {
    let m = rcu();
    let s = any_good_state(&m);
    let acts = [Act::F4ReadUnlock, Act::F5FlushCpus, Act::F6FreePage];
    let Some((act, after)) = any_flusher_goes(&m, &s, &acts) else { return };
    kani::cover!(after.binders[0].waits_for != s.binders[0].waits_for, "a grace period waited for it");
    kani::cover!(act == Act::F5FlushCpus && s.hardware.cpu_upper != after.hardware.cpu_upper, "a CPU had the entry");
    kani::cover!(act == Act::F6FreePage, "free");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: a driver that begins to bind or to unbind, and takes the mutex or waits for it.
#[kani::proof]
#[kani::unwind(14)] // the longest loop goes over the 12 acts of a flush
fn beginning_to_bind_keeps_it() {
    let m = rcu();
    let s = any_good_state(&m);
    let unbinds: bool = kani::any();
    let step = if unbinds { Step::Unbind { binder: 0, iommu: 0 } } else { Step::Bind { binder: 0, iommu: 0 } };
    let Some(after) = m.step(&s, step) else { return };
    kani::cover!(unbinds, "unbind");
    kani::cover!(!unbinds, "bind");
    kani::cover!(!unbinds && s.flushers[0].fetched == Target::Null && s.flushers[0].loads == 1, "a flusher saw null");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: bind, act by act.
#[kani::proof]
#[kani::unwind(14)] // the longest loop goes over the 12 acts of a flush
fn binding_keeps_it() {
    let m = rcu();
    let s = any_good_state(&m);
    kani::assume(!s.binders[0].unbinding); // cost: unbind has a proof of its own
    let Some((act, after)) = go(&m, &s, BINDER) else { return };
    kani::cover!(act == Act::B1SetUpPasid, "set up");
    kani::cover!(act == Act::B2AddUser, "note the user");
    kani::cover!(act == Act::B2Publish, "publish");
    kani::cover!(act == Act::FullBarrier, "barrier");
    kani::cover!(act == Act::B3Enable && s.flushers[0].fetched == Target::Function, "a flusher has it already");
    kani::cover!(act == Act::MutexUnlock, "unlock");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: unbind, act by act.
#[kani::proof]
#[kani::unwind(14)] // the longest loop goes over the 12 acts of a flush
fn unbinding_keeps_it() {
    let m = rcu();
    let s = any_good_state(&m);
    kani::assume(s.binders[0].unbinding); // cost: bind has a proof of its own
    let Some((act, after)) = go(&m, &s, BINDER) else { return };
    kani::cover!(act == Act::U1StopDevice, "stop");
    kani::cover!(act == Act::U1ClearEntry, "clear the entry");
    kani::cover!(act == Act::C2Submit, "submit the drain");
    kani::cover!(act == Act::C3Wait, "wait for the drain");
    kani::cover!(act == Act::U2RemoveUser, "forget the user");
    kani::cover!(act == Act::U2Retract, "clear the pointer");
    kani::cover!(act == Act::U3StartGracePeriod && !after.binders[0].waits_for.is_empty(), "a reader is waited for");
    kani::cover!(act == Act::U3EndGracePeriod, "the grace period ends");
    kani::cover!(act == Act::U4Free, "free");
    kani::cover!(act == Act::MutexUnlock, "unlock");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: a store that becomes visible, of any CPU.
#[kani::proof]
#[kani::unwind(14)] // the longest loop goes over the 12 acts of a flush
fn a_store_that_becomes_visible_keeps_it() {
    let m = rcu();
    let s = any_good_state(&m);
    let oldest = |cpu: usize| s.buffers[cpu].0[0];
    let (store, after) = match any_below(3) {
        0 => (oldest(0), m.step(&s, Step::M1DrainStore { cpu: 0 })),
        1 => (oldest(1), m.step(&s, Step::M1DrainStore { cpu: 1 })),
        _ => (oldest(2), m.step(&s, Step::M1DrainStore { cpu: BINDER })),
    };
    let Some(after) = after else { return };
    kani::cover!(matches!(store, Store::ClearPte(_)), "a PTE is cleared");
    kani::cover!(matches!(store, Store::ClearPmd(_)), "a PMD is cleared");
    kani::cover!(store == Store::SetEntry(0), "the PASID entry appears");
    kani::cover!(store == Store::ClearEntry(0), "the PASID entry goes");
    kani::cover!(store == Store::AddUser(0), "a user appears");
    kani::cover!(store == Store::RemoveUser(0), "a user goes");
    kani::cover!(store == Store::Publish, "the pointer is set");
    kani::cover!(store == Store::Retract, "the pointer is cleared");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: an IOMMU that executes an invalidation, of any thread.
#[kani::proof]
#[kani::unwind(14)] // the longest loop goes over the 12 acts of a flush
fn an_invalidation_keeps_it() {
    let m = rcu();
    let s = any_good_state(&m);
    let after = match any_below(3) {
        0 => m.step(&s, Step::D6Invalidate { thread: 0 }),
        1 => m.step(&s, Step::D6Invalidate { thread: 1 }),
        _ => m.step(&s, Step::D6Invalidate { thread: BINDER }),
    };
    let Some(after) = after else { return };
    kani::cover!(after.binders != s.binders, "unbind drains the IOMMU");
    kani::cover!(after.hardware.iommus[0].leaf != s.hardware.iommus[0].leaf, "a leaf goes");
    kani::cover!(after.hardware.iommus[0].upper != s.hardware.iommus[0].upper, "an upper entry goes");
    kani::cover!(after.hardware.iommus[0].walk != s.hardware.iommus[0].walk, "a walk is stopped");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: the device and its IOMMU, whatever they do.
#[kani::proof]
#[kani::unwind(14)] // the longest loop goes over the 12 acts of a flush
fn a_device_keeps_it() {
    let m = rcu();
    let s = any_good_state(&m);
    let area = area(&mut any_below);
    let act = match any_below(6) {
        0 => DeviceAct::D1StartWalk(area),
        1 => DeviceAct::D2ReadUpper(area),
        2 => DeviceAct::D3ReadLower(area),
        3 => DeviceAct::D4FillIotlb(area),
        4 => DeviceAct::D5EvictUpper(area),
        _ => DeviceAct::D5EvictLeaf(area),
    };
    let Some(after) = m.step(&s, Step::Device { iommu: 0, act }) else { return };
    let walk = after.hardware.iommus[0].walk;
    kani::cover!(matches!(act, DeviceAct::D1StartWalk(_)), "a walk begins");
    kani::cover!(walk == Walk::InTable(area) && s.hardware.pmd.has(area), "it takes an upper entry from memory");
    kani::cover!(walk == Walk::InTable(area) && !s.hardware.pmd.has(area), "it takes an upper entry from the cache");
    kani::cover!(walk == Walk::HasLeaf(area), "it reads a lower entry");
    kani::cover!(matches!(act, DeviceAct::D3ReadLower(_)) && walk == Walk::Idle, "it finds a lower entry gone");
    kani::cover!(matches!(act, DeviceAct::D4FillIotlb(_)), "the IOTLB is filled");
    kani::cover!(matches!(act, DeviceAct::D5EvictUpper(_)), "an upper entry is dropped");
    kani::cover!(matches!(act, DeviceAct::D5EvictLeaf(_)), "a leaf is dropped");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: the page allocator gives a free page away, or a CPU fills its caches.
#[kani::proof]
#[kani::unwind(14)] // the longest loop goes over the 12 acts of a flush
fn the_rest_of_the_machine_keeps_it() {
    let m = rcu();
    let s = any_good_state(&m);
    let reuses: bool = kani::any();
    let after = if reuses {
        m.step(&s, Step::M2ReusePage { frame: any_below(FRAMES as u8) })
    } else {
        m.step(&s, Step::M3FillCpuTlb { area: any_below(AREAS_MAX as u8) })
    };
    let Some(after) = after else { return };
    kani::cover!(reuses, "a page is given away");
    kani::cover!(after.hardware.cpu_leaf != s.hardware.cpu_leaf, "a CPU caches a leaf");
    kani::cover!(!reuses && after.hardware.pte != Set(3), "of one area only");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: no thread does anything but its next act, and nobody does anything before the kernel runs.
#[kani::proof]
#[kani::unwind(14)] // the longest loop goes over the 12 acts of a flush
fn only_the_next_act_is_possible() {
    let m = rcu();
    let s = any_good_state(&m);
    let act = Act::ALL[any_below(28) as usize];
    let (next, after) = match any_below(3) {
        0 => (m.next_act_of(&s, 0), m.step(&s, Step::Go { thread: 0, act })),
        1 => (m.next_act_of(&s, 1), m.step(&s, Step::Go { thread: 1, act })),
        _ => (m.next_act_of(&s, BINDER), m.step(&s, Step::Go { thread: BINDER, act })),
    };
    kani::cover!(after.is_some(), "the next act is done");
    kani::cover!(next.is_some() && next != Some(act), "another one is not");
    kani::cover!(next == Some(act) && after.is_none(), "the next act has to wait");
    assert!(after.is_none() || next == Some(act) && s.build == Build::Done, "inductive-invariant");
}

// -- It implies the properties.

/// no-stale-iotlb, no-device-use-of-reused-page, no-stale-cpu-tlb, caches-match-page-tables: from the invariant.
#[kani::proof]
#[kani::unwind(14)] // the longest loop goes over the 12 acts of a flush
fn it_implies_that_nothing_stale_is_cached() {
    let m = rcu();
    let s = any_good_state(&m);
    kani::cover!(s.hardware.iommus[0].leaf != Set::EMPTY, "the IOTLB has something");
    kani::cover!(s.hardware.uses[1] == Use::Other && s.hardware.iommus[0].working, "a page has a new owner");
    kani::cover!(!s.hardware.pte.has(0) && s.hardware.iommus[0].leaf.has(0), "a cached entry is cleared");
    assert!(no_stale_iotlb(&m, &s), "no-stale-iotlb");
    assert!(no_device_use_of_reused_page(&m, &s), "no-device-use-of-reused-page");
    assert!(no_stale_cpu_tlb(&m, &s), "no-stale-cpu-tlb");
    assert!(caches_match_page_tables(&m, &s), "caches-match-page-tables");
}

/// no-call-into-freed-text, no-use-of-freed-pasid-data, single-indirection: from the invariant.
#[kani::proof]
#[kani::unwind(14)] // the longest loop goes over the 12 acts of a flush
fn it_implies_that_calls_go_right() {
    let m = rcu();
    let s = any_good_state(&m);
    kani::cover!(s.flushers[0].calls == 1 && s.flushers[0].fetched == Target::Function, "the function runs");
    kani::cover!(s.flushers[0].fetched == Target::Function && !s.pointer, "the pointer is cleared by now");
    kani::cover!(!s.text, "the text is not there");
    assert!(no_call_into_freed_text(&m, &s), "no-call-into-freed-text");
    assert!(no_use_of_freed_pasid_data(&m, &s), "no-use-of-freed-pasid-data");
    assert!(single_indirection(&m, &s), "single-indirection");
}

/// no-sleep-in-atomic, rcu-sections-balanced, mutex-held-by-its-user, it-builds: from the invariant.
#[kani::proof]
#[kani::unwind(14)] // the longest loop goes over the 12 acts of a flush
fn it_implies_that_locks_are_used_right() {
    let m = rcu();
    let s = any_good_state(&m);
    kani::cover!(s.flushers[0].rcu == 1 && s.flushers[0].level == Level::Table, "atomic and inside a section");
    kani::cover!(s.mutex == BINDER, "the mutex is held");
    kani::cover!(s.binders[0].asleep, "somebody sleeps");
    assert!(no_sleep_in_atomic(&m, &s), "no-sleep-in-atomic");
    assert!(rcu_sections_balanced(&m, &s), "rcu-sections-balanced");
    assert!(mutex_held_by_its_user(&m, &s), "mutex-held-by-its-user");
    assert!(it_builds(&m, &s), "it-builds");
}

/// mapped-pages-are-alive, frees-only-its-own: from the invariant.
#[kani::proof]
#[kani::unwind(14)] // the longest loop goes over the 12 acts of a flush
fn it_implies_that_pages_are_alive() {
    let m = rcu();
    let s = any_good_state(&m);
    kani::cover!(s.hardware.pte.has(0), "a data page is mapped");
    kani::cover!(s.hardware.pmd.has(0) && !s.hardware.pte.has(0), "a page table is empty");
    kani::cover!(m.next_act_of(&s, 0) == Some(Act::F6FreePage), "a page is about to be freed");
    assert!(mapped_pages_are_alive(&m, &s), "mapped-pages-are-alive");
    assert!(frees_only_its_own(&m, &s), "frees-only-its-own");
}

/// unbound-means-drained, walkable-means-published, hook-follows-users: from the invariant.
#[kani::proof]
#[kani::unwind(14)] // the longest loop goes over the 12 acts of a flush
fn it_implies_that_the_hook_follows_the_bindings() {
    let m = rcu();
    let s = any_good_state(&m);
    kani::cover!(s.bound.is_empty() && s.binders[0].at == IDLE, "nothing is bound");
    kani::cover!(s.hardware.iommus[0].can_walk(), "a device may walk");
    kani::cover!(s.bound.has(0) && s.binders[0].at == IDLE, "an IOMMU is bound");
    assert!(unbound_means_drained(&m, &s), "unbound-means-drained");
    assert!(walkable_means_published(&m, &s), "walkable-means-published");
    assert!(hook_follows_users(&m, &s), "hook-follows-users");
}

/// finished-means-clean: from the invariant, where a run may end.
#[kani::proof]
#[kani::unwind(14)] // the longest loop goes over the 12 acts of a flush
fn it_implies_that_the_end_is_clean() {
    let m = rcu();
    let mut s = any_good_state(&m);
    // A run that ends has no bind to come; how many there are is not part of the invariant.
    s.binds_left = 0;
    kani::cover!(m.is_final(&s), "the run may end");
    kani::cover!(!m.is_final(&s), "it may not");
    assert!(finished_means_clean(&m, &s), "finished-means-clean");
}

// -- Twins.

const BUILD: Step = Step::K0Build;
const FREE_DATA: Step = Step::Begin { flusher: 0, area: 0, level: Level::Data };
const BIND: Step = Step::Bind { binder: 0, iommu: 0 };
const UNBIND: Step = Step::Unbind { binder: 0, iommu: 0 };

const fn flush(act: Act) -> Step {
    Step::Go { thread: 0, act }
}
const fn bind(act: Act) -> Step {
    Step::Go { thread: BINDER, act }
}
const fn drain(cpu: u8) -> Step {
    Step::M1DrainStore { cpu }
}
const fn device(act: DeviceAct) -> Step {
    Step::Device { iommu: 0, act }
}

/// no-call-into-freed-text, no-use-of-freed-pasid-data: without a grace period the last unbind frees what a flusher is
/// about to use, unless the flusher is quick.
///
/// Unwinding 14: as above; no list of steps here is longer than 12.
#[kani::proof]
#[kani::unwind(14)] // the longest loop goes over the 12 acts of a flush
fn no_grace_period_is_found() {
    let m = machine(Config::NO_GRACE_PERIOD);
    let set_up = [BUILD, BIND, bind(Act::B1SetUpPasid), drain(BINDER), bind(Act::B2AddUser), bind(Act::B2Publish)];
    let enabled = [drain(BINDER), drain(BINDER), bind(Act::FullBarrier), bind(Act::B3Enable), bind(Act::MutexUnlock)];
    let called = [
        FREE_DATA,
        drain(0),
        flush(Act::FullBarrier),
        flush(Act::F1ReadLock),
        flush(Act::F2ReadPointer),
        flush(Act::F3TestAndCall),
    ];
    let returned = [
        flush(Act::C1ReadPasidData),
        flush(Act::C2Submit),
        Step::D6Invalidate { thread: 0 },
        flush(Act::C3Wait),
        flush(Act::C4Return),
    ];
    let drained = [
        UNBIND,
        bind(Act::U1StopDevice),
        bind(Act::U1ClearEntry),
        drain(BINDER),
        bind(Act::C2Submit),
        Step::D6Invalidate { thread: BINDER },
        bind(Act::C3Wait),
    ];
    let freed = [bind(Act::U2RemoveUser), bind(Act::U2Retract), drain(BINDER), drain(BINDER), bind(Act::U4Free)];
    let s = run(&m, run(&m, run(&m, m.initial_state(), &set_up), &enabled), &called);
    let quick: bool = kani::any();
    let s = if quick { run(&m, s, &returned) } else { s };
    let s = run(&m, run(&m, s, &drained), &freed);
    let broken = !no_call_into_freed_text(&m, &s) && !no_use_of_freed_pasid_data(&m, &s);
    kani::cover!(broken, "a flusher is inside");
    kani::cover!(!broken, "a flusher has left");
    assert!(broken != quick, "no-call-into-freed-text");
}

/// no-stale-iotlb: with a barrier only in the flusher, the doorbell overtakes the pointer, and the flusher reads null
/// while the device walks, unless the stores become visible in time.
///
/// Unwinding 14: as above; no list of steps here is longer than 12.
#[kani::proof]
#[kani::unwind(14)] // the longest loop goes over the 12 acts of a flush
fn flusher_barrier_is_found() {
    let m = machine(Config::FLUSHER_BARRIER);
    let enabled = [
        BUILD,
        BIND,
        bind(Act::B1SetUpPasid),
        drain(BINDER),
        bind(Act::B2AddUser),
        bind(Act::B2Publish),
        bind(Act::B3Enable),
        device(DeviceAct::D1StartWalk(0)),
        device(DeviceAct::D2ReadUpper(0)),
        device(DeviceAct::D3ReadLower(0)),
    ];
    let looked = [FREE_DATA, drain(0), flush(Act::FullBarrier), flush(Act::F1ReadLock), flush(Act::F2ReadPointer)];
    let flushed = [
        flush(Act::F3TestAndCall),
        flush(Act::C1ReadPasidData),
        flush(Act::C2Submit),
        Step::D6Invalidate { thread: 0 },
        flush(Act::C3Wait),
        flush(Act::C4Return),
    ];
    let freed = [flush(Act::F4ReadUnlock), flush(Act::F5FlushCpus), flush(Act::F6FreePage)];
    let s = run(&m, m.initial_state(), &enabled);
    let visible: bool = kani::any();
    let s = if visible { run(&m, s, &[drain(BINDER), drain(BINDER)]) } else { s };
    let s = run(&m, s, &looked);
    let s = if visible { run(&m, s, &flushed) } else { run(&m, s, &[flush(Act::F3TestAndCall)]) };
    let s = run(&m, s, &freed);
    let broken = !no_stale_iotlb(&m, &s);
    kani::cover!(broken, "the pointer is in the buffer");
    kani::cover!(!broken, "the pointer is visible");
    assert!(broken != visible, "no-stale-iotlb");
}

// -- Without Kani.

/// The first state with those fields of the second for which the choice falls so.
#[cfg(not(kani))]
fn mix(a: &State, b: &State, take_b: &mut dyn FnMut() -> bool) -> State {
    let mut s = *a;
    macro_rules! take {
        ($($field:tt)*) => {
            if take_b() {
                s.$($field)* = b.$($field)*;
            }
        };
    }
    for frame in 0..s.hardware.uses.len() {
        take!(hardware.uses[frame]);
    }
    for iommu in 0..s.hardware.iommus.len() {
        take!(hardware.iommus[iommu]);
        take!(hardware.iommus[iommu].entry);
        take!(hardware.iommus[iommu].entry_cached);
        take!(hardware.iommus[iommu].working);
        take!(hardware.iommus[iommu].upper);
        take!(hardware.iommus[iommu].leaf);
        take!(hardware.iommus[iommu].wild);
        take!(hardware.iommus[iommu].walk);
    }
    take!(hardware);
    take!(hardware.pmd);
    take!(hardware.pte);
    take!(hardware.cpu_upper);
    take!(hardware.cpu_leaf);
    take!(build);
    take!(pointer);
    take!(users);
    take!(text);
    take!(data);
    take!(mutex);
    take!(binds_left);
    take!(bound);
    for cpu in 0..s.buffers.len() {
        take!(buffers[cpu]);
    }
    for flusher in 0..s.flushers.len() {
        if take_b() {
            // What a flusher has cleared is in its buffer.
            s.flushers[flusher] = b.flushers[flusher];
            s.buffers[flusher] = b.buffers[flusher];
        }
        take!(flushers[flusher].at);
        take!(flushers[flusher].area);
        take!(flushers[flusher].level);
        take!(flushers[flusher].rcu);
        take!(flushers[flusher].fetched);
        take!(flushers[flusher].notifier);
        take!(flushers[flusher].todo);
        take!(flushers[flusher].asleep);
        take!(flushers[flusher].request);
        take!(flushers[flusher].loads);
        take!(flushers[flusher].calls);
    }
    for binder in 0..s.binders.len() {
        take!(binders[binder]);
        take!(binders[binder].at);
        take!(binders[binder].unbinding);
        take!(binders[binder].iommu);
        take!(binders[binder].alone);
        take!(binders[binder].asleep);
        take!(binders[binder].waits_for);
        take!(binders[binder].request);
    }
    s
}

/// A state with any values, half of the time with what the invariant determines filled in: without that it hardly ever
/// has a part that fits; with it no value is there that a state in the invariant cannot have.
#[cfg(not(kani))]
fn any(m: &IommuFlush, choose: &mut dyn FnMut(u8) -> u8) -> State {
    if choose(2) == 0 {
        state(choose)
    } else {
        m.repaired(state(choose))
    }
}

/// How many binds are to come the invariant does not say: one.
#[cfg(not(kani))]
fn source(m: &IommuFlush) -> Source<'_, IommuFlush> {
    let plain = |s: &State| State { binds_left: 1, ..*s };
    Source { machine: m, any, mix, plain }
}

/// A sample, or something near one, or anything.
#[cfg(not(kani))]
fn sampled() -> State {
    static SAMPLES: std::sync::OnceLock<Samples<State>> = std::sync::OnceLock::new();
    let samples = SAMPLES.get_or_init(|| Samples::grow(&source(&rcu()), 40_000));
    if any_below(3) == 0 {
        rcu().repaired(state(&mut any_below))
    } else {
        near(samples, mix, || any(&rcu(), &mut any_below))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every version that the invariant is about, from states that are reached and states that are made.
    #[test]
    fn every_step_keeps_the_invariant() {
        crate::samples::every_version_keeps_the_invariant("rcu", 3, machine, source);
    }
}
