//! States for the inductive proofs to run on, where there is no Kani.
//!
//! Hardly any state that is put together at random satisfies an invariant. So these are grown: from states that random
//! walks reach, by mixing two of them, or one with random values, field by field, and keeping what satisfies the
//! invariant and was not known. What is kept is mixed again, and stepped on from. So most of them are states that the
//! walks did not reach, and many are such that no run reaches.

use std::collections::HashSet;
use std::hash::Hash;

use models::machine::Machine;

/// SplitMix64 with a fixed seed: every run is the same.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() >> 11) as usize % end
    }
}

/// How states of a machine are made.
pub(crate) struct Source<'a, M: Machine> {
    /// The machine.
    pub(crate) machine: &'a M,
    /// What its states must satisfy.
    pub(crate) invariant: fn(&M, &M::State) -> bool,
    /// A state with any values, each chosen below a bound.
    pub(crate) any: fn(&M, &mut dyn FnMut(u8) -> u8) -> M::State,
    /// The first state with those fields of the second for which the choice falls so.
    pub(crate) mix: fn(&M::State, &M::State, &mut dyn FnMut() -> bool) -> M::State,
}

/// States that satisfy an invariant.
pub(crate) struct Samples<S> {
    /// All of them, those that the walks reached first.
    pub(crate) states: Vec<S>,
    /// How many the walks reached.
    pub(crate) reached: usize,
}

impl<S: Copy + Eq + Hash> Samples<S> {
    /// Grows up to `most` states, a third of them reached by walks.
    pub(crate) fn grow<M: Machine<State = S>>(source: &Source<'_, M>, most: usize) -> Self {
        let m = source.machine;
        let mut random = Random::new(7);
        let mut known = HashSet::new();
        let mut states = Vec::new();
        let mut keep = |states: &mut Vec<S>, state: S| {
            let new = (source.invariant)(m, &state) && known.insert(state);
            if new {
                states.push(state);
            }
        };
        let mut proposed = Vec::new();
        for _ in 0..most / 100 {
            let initial = m.initial_states();
            let mut state = initial[random.below(initial.len())];
            for _ in 0..400 {
                keep(&mut states, state);
                let Some(next) = random_step(m, &state, &mut proposed, &mut random) else { break };
                state = next;
            }
            if states.len() >= most / 3 {
                break;
            }
        }
        let reached = states.len();
        for _ in 0..40 * most {
            if states.len() >= most || states.is_empty() {
                break;
            }
            let base = states[random.below(states.len())];
            let (other, one_in) = match random.below(3) {
                0 => ((source.any)(m, &mut |end| random.below(usize::from(end)) as u8), 30),
                1 => (states[random.below(states.len())], 4),
                _ => (states[random.below(states.len())], 15),
            };
            let state = (source.mix)(&base, &other, &mut || random.below(one_in) == 0);
            let before = states.len();
            keep(&mut states, state);
            if states.len() > before && random.below(2) == 0 {
                if let Some(next) = random_step(m, &state, &mut proposed, &mut random) {
                    keep(&mut states, next);
                }
            }
        }
        Self { states, reached }
    }
}

fn random_step<M: Machine>(
    m: &M,
    state: &M::State,
    proposed: &mut Vec<M::Step>,
    random: &mut Random,
) -> Option<M::State> {
    proposed.clear();
    m.steps(state, proposed);
    while !proposed.is_empty() {
        let step = proposed.swap_remove(random.below(proposed.len()));
        if let Some(next) = m.step(state, step) {
            return Some(next);
        }
    }
    None
}

/// What came of stepping on from many states.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    /// States that satisfy the invariant, all different.
    pub(crate) states: usize,
    /// Those of them that random walks reached.
    pub(crate) reached: usize,
    /// Steps that were possible in them.
    pub(crate) steps: usize,
    /// How many of each kind.
    pub(crate) of_kind: Vec<usize>,
}

/// Takes every step in every sample. The error is a step that leaves the invariant.
pub(crate) fn try_every_step<M: Machine>(
    source: &Source<'_, M>,
    samples: &Samples<M::State>,
) -> Result<Tried, (M::State, M::Step, M::State)> {
    let m = source.machine;
    let every = m.every_step();
    let mut tried =
        Tried { states: samples.states.len(), reached: samples.reached, steps: 0, of_kind: vec![0; M::KINDS.len()] };
    for state in &samples.states {
        for step in &every {
            let Some(after) = m.step(state, *step) else { continue };
            tried.steps += 1;
            tried.of_kind[m.kind(*step)] += 1;
            if !(source.invariant)(m, &after) {
                return Err((*state, *step, after));
            }
        }
    }
    Ok(tried)
}

/// A sample, or a mixture of two, or of one with a state of any values, which may satisfy the invariant or not.
pub(crate) fn near<S: Copy>(
    samples: &Samples<S>,
    mix: fn(&S, &S, &mut dyn FnMut() -> bool) -> S,
    any: impl FnOnce() -> S,
) -> S {
    let draw = |end: usize| kani::any::<u32>() as usize % end;
    let base = samples.states[draw(samples.states.len())];
    let other = match draw(6) {
        0 => any(),
        1 => samples.states[draw(samples.states.len())],
        _ => return base,
    };
    mix(&base, &other, &mut || draw(20) == 0)
}
