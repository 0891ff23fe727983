//! Kani proofs for `models::ldt::clear_asid`: `clear_asid_other()`, in the form of mainline, is right after any number of
//! flushes.
//!
//! # How the proofs together give the properties
//!
//! `ClearAsid::invariant` holds at the start, every step keeps it (`..._keeps_it`), and the properties of this machine
//! follow from it (`it_implies_...`). By induction over the steps they hold after any number of steps. The search looks at
//! reachable states only; these proofs start from every state that satisfies the invariant, and the search checks that every
//! state that it reaches does.
//!
//! # Twins
//!
//! `..._is_found`: a run of a version with a bug that ends in a broken property, and one that does not.
//!
//! # Bounds
//!
//! 2 CPUs with 3 contexts each; any number of flushes. The machine goes through the CPUs and, in the twin, through a list
//! of 10 steps; so `unwind` is 12. Stubs: none. Assumptions: the `assume`s and `any_where`s below.

use models::ldt::clear_asid::{
    loaded_context_is_known, no_stale_context_used, stale_context_is_flagged, ClearAsid, Config, Cpu, Off, Pc, State,
    Step, MAINLINE,
};
use models::ldt::CpuSet;
use models::machine::{Machine, Size};

const ASIDS: u8 = 3;

/// A version with 2 CPUs and 3 contexts. As many flushes as can be counted.
fn machine(config: Config) -> ClearAsid {
    ClearAsid::new(config, Size::of([2, ASIDS, u8::MAX, 0, 0, 0, 0, 0]))
}

// -- Any value of a kind.

/// Any number below `end`.
fn any_below(end: u8) -> u8 {
    kani::any_where(|value: &u8| *value < end) // domain: the values that the field can take
}

/// A CPU with any context loaded, and any contexts known and stale.
fn any_cpu() -> Cpu {
    Cpu {
        loaded: any_below(ASIDS),
        known: any_below(1 << ASIDS),
        stale: any_below(1 << ASIDS),
        invalidate_other: kani::any(),
    }
}

/// Any place in the flush.
fn any_pc() -> Pc {
    let asid = any_below(ASIDS);
    match any_below(4) {
        0 => Pc::Outside,
        1 => Pc::Compare(asid),
        2 => Pc::Clear(asid),
        _ => Pc::ClearFlag,
    }
}

/// Any state that satisfies the invariant. The third CPU does not exist.
fn any_good_state(m: &ClearAsid) -> State {
    let state = State {
        cpus: [any_cpu(), any_cpu(), Cpu::INITIAL],
        pc: any_pc(),
        on: if kani::any() { None } else { Some(any_below(2)) },
        pending: CpuSet(any_below(4)),
        flushes: kani::any(),
    };
    kani::assume(m.invariant(&state)); // hypothesis
    state
}

// -- It holds, and every step keeps it.

/// inductive-invariant: the base case. Nothing is stale.
#[kani::proof]
#[kani::unwind(12)] // the longest loop goes over the 10 steps of the twin
fn the_invariant_of_clear_asid_holds_initially() {
    let m = machine(MAINLINE);
    let flushes: u8 = kani::any();
    kani::cover!(flushes > 4, "more flushes than the search looks at");
    assert!(m.invariant(&State { flushes, ..State::INITIAL }), "inductive-invariant");
}

/// inductive-invariant: `clear_asid_other()` itself, act by act, and its caller's CPU.
#[kani::proof]
#[kani::unwind(12)] // the longest loop goes over the 10 steps of the twin
fn clear_asid_other_keeps_it() {
    let m = machine(MAINLINE);
    let s = any_good_state(&m);
    let step = match any_below(6) {
        0 => Step::A1Enter,
        1 => Step::A2Compare,
        2 => Step::A3ClearContext,
        3 => Step::A4ClearFlag,
        4 => Step::Preempt,
        _ => Step::Resume { cpu: any_below(2) },
    };
    let Some(after) = m.step(&s, step) else { return };
    kani::cover!(step == Step::A1Enter, "it begins");
    kani::cover!(step == Step::A2Compare && matches!(after.pc, Pc::Clear(_)), "another context is to be cleared");
    kani::cover!(step == Step::A2Compare && !matches!(after.pc, Pc::Clear(_)), "the loaded context is spared");
    kani::cover!(step == Step::A3ClearContext && s.cpus[0].known != after.cpus[0].known, "a known context is cleared");
    kani::cover!(step == Step::A4ClearFlag, "it ends");
    kani::cover!(step == Step::Preempt, "the caller loses its CPU");
    kani::cover!(matches!(step, Step::Resume { .. }), "the caller gets a CPU");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: a CPU switches to another context.
#[kani::proof]
#[kani::unwind(12)] // the longest loop goes over the 10 steps of the twin
fn switching_to_a_context_keeps_it() {
    let m = machine(MAINLINE);
    let s = any_good_state(&m);
    let (cpu, asid) = (any_below(2), any_below(ASIDS));
    let Some(after) = m.step(&s, Step::Switch { cpu, asid }) else { return };
    let before = s.cpus[cpu as usize];
    kani::cover!(before.invalidate_other && before.stale & before.known != 0, "stale contexts are forgotten first");
    kani::cover!(before.stale != after.cpus[cpu as usize].stale, "a stale context is flushed");
    kani::cover!(!before.invalidate_other && before.known & 1 << asid != 0, "a context is used again");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: a mapping is removed, or a CPU answers.
#[kani::proof]
#[kani::unwind(12)] // the longest loop goes over the 10 steps of the twin
fn a_flush_keeps_it() {
    let m = machine(MAINLINE);
    let s = any_good_state(&m);
    let step = if kani::any() { Step::K1RemoveMapping } else { Step::K2Answer { cpu: any_below(2) } };
    let Some(after) = m.step(&s, step) else { return };
    kani::cover!(step == Step::K1RemoveMapping && s.pc != Pc::Outside, "a flush begins while the caller is inside");
    kani::cover!(step == Step::K2Answer { cpu: 0 } && s.on == Some(0), "the caller's CPU answers");
    kani::cover!(step == Step::K2Answer { cpu: 1 } && s.cpus[1].stale == 7, "all contexts were stale");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// no-stale-context-used, stale-context-is-flagged, loaded-context-is-known: from the invariant.
#[kani::proof]
#[kani::unwind(12)] // the longest loop goes over the 10 steps of the twin
fn it_implies_that_no_stale_context_is_used() {
    let m = machine(MAINLINE);
    let s = any_good_state(&m);
    kani::cover!(s.pending == CpuSet::NONE && s.cpus[0].stale != 0, "a context that is not loaded is stale");
    kani::cover!(s.pending == CpuSet::NONE && s.cpus[0].stale & s.cpus[0].known != 0, "it is known, too");
    kani::cover!(s.pending != CpuSet::NONE, "a flush is under way");
    assert!(no_stale_context_used(&m, &s), "no-stale-context-used");
    assert!(stale_context_is_flagged(&m, &s), "stale-context-is-flagged");
    assert!(loaded_context_is_known(&m, &s), "loaded-context-is-known");
}

// -- Twins.

/// loaded-context-is-known: preempted between A2 and A3, the caller clears the context with the same number on the CPU on
/// which it goes on, which has that loaded.
#[kani::proof]
#[kani::unwind(12)] // the longest loop goes over the 10 steps of the twin
fn clear_asid_preemptible_is_found() {
    let m = machine(Config { off: Off::Nothing, ..MAINLINE });
    let cpu = any_below(2);
    let steps = [
        Step::K1RemoveMapping,
        Step::K2Answer { cpu: 0 },
        Step::K2Answer { cpu: 1 },
        Step::A1Enter,
        Step::A2Compare,
        Step::A2Compare,
        Step::Preempt,
        Step::Switch { cpu: 1, asid: 1 },
        Step::Resume { cpu },
        Step::A3ClearContext,
    ];
    let mut s = State::INITIAL;
    for step in steps {
        s = m.step(&s, step).expect("is possible");
    }
    kani::cover!(cpu == 1, "it goes on on another CPU");
    kani::cover!(cpu == 0, "it goes on on its CPU");
    assert!(loaded_context_is_known(&m, &s) == (cpu == 0), "loaded-context-is-known");
}
