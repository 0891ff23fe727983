//! Bit tricks, and short runs by hand. Verdicts and counts are pinned where the engines are.

use super::*;

fn machine(name: &str) -> Pkeys {
    let variant = Pkeys::VARIANTS.iter().find(|v| v.name == name).expect("a variant of this name");
    Pkeys::new(variant.config, Size::quick(Pkeys::PARAMETERS, variant))
}

/// Takes the steps in order. Panics at the first that is not possible.
fn run(machine: &Pkeys, mut state: State, steps: &[(u8, Action)]) -> State {
    for &(slot, action) in steps {
        let step = Step { slot, action };
        state = machine.step(&state, step).unwrap_or_else(|| panic!("{step:?} is not possible in {state:#?}"));
        let covered = machine.config.writers == Hold::Write;
        assert!(!covered || machine.invariant(&state), "{step:?} leaves the invariant: {state:#?}");
    }
    state
}

fn broken(machine: &Pkeys, state: &State) -> Vec<&'static str> {
    let always = Pkeys::PROPERTIES.iter().filter(|p| p.kind == crate::machine::PropertyKind::Always);
    always.filter(|p| !(p.holds)(machine, state)).map(|p| p.name).collect()
}

const ALLOC: [Action; 7] = [
    Action::U1Call(Request::Alloc),
    Action::A1Lock,
    Action::A2LoadMap,
    Action::A5WriteMap,
    Action::A6SetPkru,
    Action::A8Unlock,
    Action::U2Return,
];

#[test]
fn a_shift_wraps_as_on_x86() {
    assert_eq!(Key::WRAPS.bit(), Key(0).bit());
    assert_eq!(Key::NONE.bit(), KeySet::EMPTY);
    assert!(!Key::WRAPS.exists(4) && !Key::NONE.exists(4) && Key(3).exists(4) && !Key(3).exists(3));
    assert!(!KeySet::INITIAL.has(Key::WRAPS));
}

#[test]
fn the_first_zero_bit() {
    assert_eq!(KeySet(0b0000).first_zero(), Key(0));
    assert_eq!(KeySet(0b1011).first_zero(), Key(2));
    assert_eq!(KeySet::all(3), KeySet(0b111));
}

#[test]
fn pkru_has_two_bits_for_each_key() {
    let pkru = Pkru::initial(3);
    assert_eq!(pkru, Pkru(0b01_01_00));
    let pkru = pkru.with(Key(2), Rights::DENY_WRITE).with(Key(1), Rights::ALLOW);
    assert_eq!(pkru, Pkru(0b10_00_00));
    assert_eq!(pkru.rights(Key(2)), Rights::DENY_WRITE);
    assert!(pkru.rights(Key(2)).allow_read() && !Pkru::initial(2).rights(Key(1)).allow_read());
    assert_eq!(Pkru::initial(4).rights(Key(3)), Rights::DENY_ACCESS);
}

#[test]
fn every_action_has_the_kind_of_its_name() {
    for step in machine("posted").every_step() {
        let name = format!("{:?}", step.action);
        let kind = step::KINDS[step::kind_of(step.action)].name;
        assert!(name == kind || name.starts_with(&format!("{kind}(")), "{name} is counted as {kind}");
    }
}

#[test]
fn a_key_is_allocated_and_refused_once_it_is_freed() {
    let m = machine("posted");
    let allocated = run(&m, m.initial_state(), &ALLOC.map(|action| (0, action)));
    assert_eq!(allocated.mms[0].map, KeySet(0b011));
    assert_eq!(allocated.threads[0].pkru.rights(Key(1)), Rights::DENY_WRITE);
    let freed = [
        Action::U1Call(Request::Free(Key(1))),
        Action::F1Lock,
        Action::C1CheckKey,
        Action::F2LoadMap,
        Action::F3WriteMap,
        Action::F4Unlock,
        Action::U2Return,
    ];
    let freed = run(&m, allocated, &freed.map(|action| (0, action)));
    assert_eq!(freed.mms[0].map, KeySet::INITIAL);
    let refused = [Action::U1Call(Request::Get(Key(1))), Action::C1CheckKey, Action::R1LoadMap];
    let refused = run(&m, freed, &refused.map(|action| (1, action)));
    assert_eq!(refused.threads[1].outcome, Outcome::BadKey);
    assert_eq!(broken(&m, &refused), [""; 0]);
}

/// The shortest way to two owners of one key, step by step.
#[test]
fn catches_lockless_writers() {
    let m = machine("lockless-writers");
    let both_have_loaded = [Action::U1Call(Request::Alloc), Action::A2LoadMap];
    let steps = [0, 1].map(|slot| both_have_loaded.map(|action| (slot, action))).concat();
    let state = run(&m, m.initial_state(), &steps);
    assert_eq!(broken(&m, &state), [""; 0]);
    let state = run(&m, state, &[(0, Action::A5WriteMap), (1, Action::A5WriteMap)]);
    assert_eq!(state.mms[0].map, KeySet(0b011));
    assert_eq!(broken(&m, &state), ["no-double-allocation"]);
}

#[test]
fn a_child_gets_what_its_parent_has() {
    let m = machine("posted");
    let fork = [
        Action::U1Call(Request::Fork),
        Action::K1Lock,
        Action::K2CopyMappings,
        Action::K3DupPkeys,
        Action::K3DupPkeys,
        Action::K4Unlock,
        Action::K5StartChild,
    ];
    let state = run(&m, m.initial_state(), &ALLOC.map(|action| (0, action)));
    let state = run(&m, state, &fork.map(|action| (0, action)));
    assert_eq!(state.mms[1].map, KeySet(0b011));
    assert_eq!(state.threads[CHILD].pkru.rights(Key(1)), Rights::DENY_WRITE);
    assert_eq!(state.mms[0], Mm::GONE);
}

#[test]
fn threads_are_interchangeable_with_their_locks() {
    let m = machine("posted");
    let one = run(&m, m.initial_state(), &[(0, ALLOC[0]), (0, ALLOC[1])]);
    let other = run(&m, m.initial_state(), &[(1, ALLOC[0]), (1, ALLOC[1])]);
    assert_ne!(one, other);
    assert_eq!(m.canonical(&one), m.canonical(&other));
    assert_eq!(m.canonical(&m.canonical(&one)), m.canonical(&one));
}
