//! Bit tricks, scripted runs and random walks; verdicts and counts are pinned elsewhere, with the engine.

use super::{At, Base, Bitmap, Flags, IoBitmap, Kind, Phase, Pointer, Ports, State, Step, Work, DROPS, IDLE};
use crate::machine::{Machine, PropertyKind, Size};

fn machine(variant: &str, size: &[(&str, u64)]) -> IoBitmap {
    let variant = IoBitmap::VARIANTS.iter().find(|v| v.name == variant).expect("a variant of this name");
    let quick = Size::quick(IoBitmap::PARAMETERS, variant);
    let size =
        size.iter().fold(quick, |s, (name, value)| s.with(IoBitmap::PARAMETERS, name, *value).expect("in range"));
    IoBitmap::new(variant.config, size)
}

/// Takes the steps in order, on the CPU given with each.
fn run(m: &IoBitmap, mut state: State, steps: &[(Kind, u8, u8)]) -> State {
    for (kind, cpu, choice) in steps {
        let step = Step { kind: *kind, cpu: *cpu, choice: *choice };
        state = m.step(&state, step).unwrap_or_else(|| panic!("{step:?} is not possible in {state:#?}"));
    }
    state
}

fn broken(m: &IoBitmap, s: &State) -> Vec<&'static str> {
    let claims = IoBitmap::PROPERTIES.iter().filter(|p| p.kind == PropertyKind::Always);
    claims.filter(|p| !(p.holds)(m, s)).map(|p| p.name).collect()
}

const TURN_ON: u8 = 0b100;

/// `ioperm(port 1, on)` by the first task on CPU 0, in the form of 5.5, and the way back to user mode.
const GRANT_AT_EXIT: &[(Kind, u8, u8)] = &[
    (Kind::I1CheckCapability, 0, 1 | TURN_ON),
    (Kind::I2Allocate, 0, 1),
    (Kind::M1ReadCount, 0, 0),
    (Kind::I8StorePointer, 0, 0),
    (Kind::I9SetFlag, 0, 0),
    (Kind::I4ChangeBit, 0, 0),
    (Kind::I5FindMax, 0, 0),
    (Kind::I6StoreMax, 0, 0),
    (Kind::I7TakeNumber, 0, 0),
    (Kind::ReturnToUser, 0, 0),
    (Kind::U1Compare, 0, 0),
    (Kind::U2Copy, 0, 0),
    (Kind::U3Record, 0, 0),
    (Kind::U4BaseValid, 0, 0),
];

#[test]
fn a_copy_leaves_the_bytes_behind_it_alone() {
    let dirty = Bitmap::DENY_ALL.with_permitted(Ports(0b110)).with_max(3);
    let source = Bitmap::DENY_ALL.with_permitted(Ports(0b001)).with_max(1);
    assert_eq!(dirty.copy_from(source, 2), Bitmap::DENY_ALL.with_permitted(Ports(0b101)).with_max(3));
    assert_eq!(dirty.copy_from(source, 3).permitted(), source.permitted());
}

/// Equality and hash are written by hand.
#[test]
fn states_that_differ_in_one_field_are_different() {
    let m = machine("mainline", &[]);
    let mut states = vec![m.initial_state()];
    let mut with = |change: &dyn Fn(&mut State)| {
        let mut state = m.initial_state();
        change(&mut state);
        states.push(state);
    };
    for cpu in 0..2 {
        with(&|s| s.cpus[cpu].current = 2);
        with(&|s| s.cpus[cpu].phase = Phase::Copy);
        with(&|s| s.cpus[cpu].preempt_off = true);
        with(&|s| s.cpus[cpu].base = Base::TSS);
        with(&|s| s.cpus[cpu].copy = Bitmap::DENY_ALL.with_max(2));
        with(&|s| s.cpus[cpu].last_bitmap = Pointer(1));
        with(&|s| s.cpus[cpu].last_sequence = 1);
    }
    for task in 0..3 {
        with(&|s| s.tasks[task].at = At::Free);
        with(&|s| s.tasks[task].bitmap = Pointer(1));
        with(&|s| s.tasks[task].local = Pointer(1));
        with(&|s| s.tasks[task].old = Pointer(1));
        with(&|s| s.tasks[task].flags = Flags::TIF);
        with(&|s| s.tasks[task].work = Work::fork(1));
        with(&|s| s.tasks[task].granted = Ports::one(0));
    }
    for slot in 0..3 {
        with(&|s| s.objects[slot].bitmap = Bitmap::DENY_ALL.with_max(1));
        with(&|s| s.objects[slot].sequence = 1);
        with(&|s| s.objects[slot].references = 1);
    }
    with(&|s| s.allocated = 1);
    with(&|s| s.counter = 1);
    // 46 bytes, and the state that was not changed.
    assert_eq!(states.len(), 47);
    for (index, one) in states.iter().enumerate() {
        for (other_index, other) in states.iter().enumerate() {
            assert_eq!(one == other, index == other_index, "{one:?} and {other:?}");
            assert_eq!(one.words() == other.words(), index == other_index);
        }
    }
}

#[test]
fn a_length_ends_after_the_last_permission() {
    assert_eq!([0b000, 0b001, 0b010, 0b101].map(|p| Ports(p).bytes()), [0, 1, 2, 3]);
}

#[test]
fn ioperm_and_the_way_out_grant_a_port() {
    let m = machine("mainline-v2-scope", &[]);
    let s = run(&m, m.initial_state(), GRANT_AT_EXIT);
    assert_eq!(s.tasks[0].granted, Ports::one(1));
    assert_eq!(s.cpus[0].copy, Bitmap::DENY_ALL.with_permitted(Ports::one(1)).with_max(2));
    assert!(broken(&m, &s).is_empty());
}

#[test]
fn a_way_out_without_news_skips_the_copy() {
    let m = machine("mainline-v2-scope", &[]);
    let s = run(&m, m.initial_state(), GRANT_AT_EXIT);
    let again =
        [(Kind::Interrupt, 0, 0), (Kind::ReturnToUser, 0, 0), (Kind::U1Compare, 0, 0), (Kind::U4BaseValid, 0, 0)];
    assert_eq!(run(&m, s, &again), s);
}

/// The window of mainline: switched out after the flag is cleared and before preemption goes off.
#[test]
fn mainline_leaves_the_ports_of_an_exiting_task_behind() {
    let m = machine("mainline", &[]);
    let fork =
        [(Kind::F1CopyTask, 0, 0), (Kind::F2GiveBitmap, 0, 0), (Kind::F3ChildRuns, 0, 0), (Kind::ReturnToUser, 0, 0)];
    let s = run(&m, m.initial_state(), &fork);
    let s = run(&m, s, GRANT_AT_EXIT);
    let window =
        [(Kind::X0Exit, 0, 0), (Kind::X1ClearPointer, 0, 0), (Kind::X2ClearFlag, 0, 0), (Kind::SwitchTo, 0, 1)];
    let s = run(&m, s, &window);
    assert!(m.step(&s, Step { kind: Kind::SwitchTo, cpu: 0, choice: 0 }).is_some());
    let s = run(&m, s, &[(Kind::ReturnToUser, 0, 0)]);
    assert_eq!(broken(&m, &s), ["no-excess-permission", "base-invalid-without-flag"]);
}

#[test]
fn without_the_capability_nothing_is_granted() {
    let m = machine("hypervisor-both", &[]);
    let fork = [(Kind::F1CopyTask, 0, DROPS), (Kind::F2GiveBitmap, 0, 0), (Kind::F3ChildRuns, 0, 0)];
    let child_runs = [(Kind::SwitchTo, 0, 1), (Kind::ReturnToUser, 0, 0)];
    let s = run(&m, run(&m, m.initial_state(), &fork), &child_runs);
    let s = run(&m, s, &[(Kind::I1CheckCapability, 0, TURN_ON), (Kind::ReturnToUser, 0, 0)]);
    assert_eq!((s.tasks[1].granted, s.allocated), (Ports::NONE, 0));
}

#[test]
fn numbers_in_play_stay_small_however_many_calls_there_are() {
    let m = machine("concurrent-duplicate", &[("calls", 0)]);
    let again = [(Kind::I1CheckCapability, 0, TURN_ON), (Kind::I2Allocate, 0, 0)];
    let again = [&again, &GRANT_AT_EXIT[2..]].concat();
    let mut s = run(&m, m.initial_state(), &[(Kind::I1CheckCapability, 0, TURN_ON), (Kind::I2Allocate, 0, 1)]);
    s = run(&m, s, &GRANT_AT_EXIT[2..]);
    for _ in 0..20 {
        s = run(&m, s, &again);
        assert_eq!((s.counter, s.objects[0].sequence, s.cpus[0].last_sequence), (1, 1, 1));
    }
}

/// Every variant at the corners of the parameters: no overflow, no step that is proposed twice or not at all.
#[test]
fn random_walks_find_no_panic_and_no_missing_proposal() {
    let mut random: u32 = 1;
    let mut draw = |below: usize| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 8) as usize % below
    };
    for variant in IoBitmap::VARIANTS {
        for _ in 0..4 {
            let mut size = Size::quick(IoBitmap::PARAMETERS, variant);
            for p in IoBitmap::PARAMETERS {
                let value = usize::from(p.min) + draw(usize::from(p.max - p.min) + 1);
                size = size.with(IoBitmap::PARAMETERS, p.name, value as u64).expect("in range");
            }
            let m = IoBitmap::new(variant.config, size);
            let mut s = m.initial_state();
            let every = m.every_step();
            for _ in 0..100 {
                let mut proposed = Vec::new();
                m.steps(&s, &mut proposed);
                let unproposed = |step: &&Step| m.step(&s, **step).is_some() && !proposed.contains(step);
                assert_eq!(every.iter().find(unproposed), None, "{} {s:#?}", variant.name);
                assert!(proposed.iter().enumerate().all(|(i, step)| !proposed[..i].contains(step)));
                assert!(proposed.iter().all(|step| every.contains(step)));
                let possible: Vec<_> = proposed.iter().filter_map(|step| Some((*step, m.step(&s, *step)?))).collect();
                broken(&m, &s);
                let Some((step, next)) = possible.get(draw(possible.len().max(1))) else { break };
                assert!(!m.describe(&s, *step).is_empty() && m.lane(&s, *step) < m.lanes().len());
                assert_eq!(m.view(&s).len(), m.view(next).len());
                s = *next;
            }
        }
    }
}

#[test]
fn names_are_unique_and_every_comparison_is_with_a_form_that_holds() {
    for v in IoBitmap::VARIANTS {
        assert_eq!(IoBitmap::VARIANTS.iter().filter(|o| o.name == v.name).count(), 1, "{}", v.name);
        let other = IoBitmap::VARIANTS.iter().find(|o| o.name == v.compare_with).expect(v.name);
        assert!(other.expect.broken.is_empty(), "{} is compared with {}", v.name, other.name);
        assert!(v.expect.broken.is_empty() == (v.name == v.compare_with), "{}", v.name);
    }
}

/// Every claim is broken by some variant, every witness seen in some variant that holds.
#[test]
fn every_property_is_worth_something() {
    for p in IoBitmap::PROPERTIES {
        let worth = IoBitmap::VARIANTS.iter().any(|v| match p.kind {
            PropertyKind::Always => v.expect.broken.contains(&p.name),
            PropertyKind::Sometimes => v.expect.broken.is_empty() && !v.expect.unseen.contains(&p.name),
        });
        assert!(worth, "{}", p.name);
    }
}

#[test]
fn a_run_ends_when_everybody_has_gone() {
    let m = machine("recorded", &[]);
    let s = run(&m, m.initial_state(), &[(Kind::X0Exit, 0, 0)]);
    assert!(!m.is_final(&s));
    assert!(m.is_final(&run(&m, s, &[(Kind::SwitchTo, 0, IDLE)])));
}
