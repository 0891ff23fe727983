//! Tests an inductive invariant without Kani: on every state that a machine reaches, and on random states that satisfy
//! it, whether they are reachable or not.

use std::collections::HashSet;

use crate::machine::{keeps_invariant, Machine, PropertyKind};

/// Numbers to make states of: SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u8) -> u8 {
        (self.next() >> 8) as u8 % limit
    }

    /// True once in `times` times.
    pub(crate) fn once_in(&mut self, times: u8) -> bool {
        self.below(times) == 0
    }
}

/// What was looked at.
#[derive(Debug, Default)]
pub(crate) struct Seen<S> {
    /// The states that satisfied the invariant.
    pub(crate) states: HashSet<S>,
    /// How many steps were possible in them, by kind.
    pub(crate) taken: [u64; 32],
}

impl<S> Seen<S> {
    /// The kinds of step that the machine means to take and that were never taken.
    pub(crate) fn kinds_missing<M: Machine>(&self, machine: &M) -> Vec<&'static str> {
        let missing = |kind: &usize| machine.kind_is_used(*kind) && self.taken[*kind] == 0;
        (0..M::KINDS.len()).filter(missing).map(|kind| M::KINDS[kind].name).collect()
    }
}

/// Takes every step from `state`, which satisfies the invariant, and returns what comes of them.
///
/// # Panics
/// If the state breaks a claim or is a deadlock, or a step leaves the invariant.
pub(crate) fn take_every_step<M: Machine>(
    machine: &M,
    steps: &[M::Step],
    state: &M::State,
    taken: &mut [u64; 32],
) -> Vec<M::State> {
    for property in M::PROPERTIES.iter().filter(|property| property.kind == PropertyKind::Always) {
        assert!((property.holds)(machine, state), "{} does not follow from the invariant: {state:#?}", property.name);
    }
    let mut after = Vec::new();
    for &step in steps {
        if let Some(next) = machine.step(state, step) {
            let kept = keeps_invariant(machine, &next) == Some(true);
            assert!(kept, "{step:?} leaves the invariant, from {state:#?} to {next:#?}");
            taken[machine.kind(step)] += 1;
            after.push(next);
        }
    }
    assert!(!after.is_empty() || machine.is_final(state), "no-deadlock does not follow from the invariant: {state:#?}");
    after
}

/// Visits every reachable state, up to names.
pub(crate) fn reachable<M: Machine>(machine: &M) -> Seen<M::State> {
    let steps = machine.every_step();
    let mut seen = Seen { states: HashSet::new(), taken: [0; 32] };
    let mut next = machine.initial_states();
    for state in &next {
        assert_eq!(keeps_invariant(machine, state), Some(true), "the invariant does not hold initially: {state:#?}");
    }
    while let Some(state) = next.pop() {
        if seen.states.insert(machine.canonical(&state)) {
            next.extend(take_every_step(machine, &steps, &state, &mut seen.taken));
        }
    }
    seen
}

/// Draws states, and takes every step from each that satisfies the invariant.
pub(crate) fn drawn<M: Machine>(
    machine: &M,
    draws: u32,
    mut draw: impl FnMut(&mut Random) -> M::State,
) -> Seen<M::State> {
    let steps = machine.every_step();
    let mut random = Random(u64::from(draws));
    let mut seen = Seen { states: HashSet::new(), taken: [0; 32] };
    for _ in 0..draws {
        let state = draw(&mut random);
        if keeps_invariant(machine, &state) == Some(true) && seen.states.insert(state) {
            take_every_step(machine, &steps, &state, &mut seen.taken);
        }
    }
    seen
}
