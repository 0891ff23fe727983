//! States for the inductive proofs to run on, where there is no Kani.
//!
//! Hardly any state that is put together at random satisfies an invariant. So these are grown: from states that random
//! walks reach, by mixing two of them, or one with random values, field by field, and keeping what satisfies the
//! invariant and was not known. What is kept is mixed again, and stepped on from. So most of them are states that the
//! walks did not reach, and many are such that no run reaches.

use std::collections::HashSet;
use std::hash::Hash;

use models::machine::{invariant_of, keeps_invariant, Machine, PropertyKind};

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

/// One state with some fields of another.
type Mix<S> = fn(&S, &S, &mut dyn FnMut() -> bool) -> S;

/// How states of a machine with an inductive invariant are made.
pub(crate) struct Source<'a, M: Machine> {
    /// The machine.
    pub(crate) machine: &'a M,
    /// A state with any values, each chosen below a bound.
    pub(crate) any: fn(&M, &mut dyn FnMut(u8) -> u8) -> M::State,
    /// The first state with those fields of the second for which the choice falls so.
    pub(crate) mix: Mix<M::State>,
    /// The state with a fixed value for what the invariant says nothing about, so that it is counted once.
    pub(crate) plain: fn(&M::State) -> M::State,
}

/// States that satisfy an invariant.
pub(crate) struct Samples<S> {
    /// All of them, those that the walks reached first.
    pub(crate) states: Vec<S>,
    /// How many the walks reached.
    pub(crate) reached: usize,
    /// The states by the kind of step that led to them, or to the state that they are a mixture of: kinds that are
    /// rare would hardly be drawn otherwise.
    by_kind: Vec<Vec<usize>>,
}

impl<S: Copy + Eq + Hash> Samples<S> {
    /// Grows up to `most` states, a third of them reached by walks.
    pub(crate) fn grow<M: Machine<State = S>>(source: &Source<'_, M>, most: usize) -> Self {
        let m = source.machine;
        let mut random = Random::new(7);
        let mut known = HashSet::new();
        let mut samples = Self { states: Vec::new(), reached: 0, by_kind: vec![Vec::new(); M::KINDS.len()] };
        let mut keep = |samples: &mut Self, state: S, kind: usize| {
            let new = keeps_invariant(m, &state) == Some(true) && known.insert(state);
            if new {
                samples.by_kind[kind].push(samples.states.len());
                samples.states.push(state);
            }
            new
        };
        let mut taken = vec![0_usize; M::KINDS.len()];
        for _ in 0..most / 10 {
            let initial = m.initial_states();
            let mut state = (source.plain)(&initial[random.below(initial.len())]);
            let mut kind = 0;
            for _ in 0..400 {
                keep(&mut samples, state, kind);
                let Some((step, next)) = random_step(m, &state, &mut taken, &mut random) else { break };
                (state, kind) = ((source.plain)(&next), m.kind(step));
            }
            if samples.states.len() >= most / 3 {
                break;
            }
        }
        samples.reached = samples.states.len();
        for _ in 0..40 * most {
            if samples.states.len() >= most || samples.states.is_empty() {
                break;
            }
            let (kind, base) = samples.pick(|end| random.below(end));
            let (other, one_in) = match random.below(3) {
                0 => ((source.any)(m, &mut |end| random.below(usize::from(end)) as u8), 30),
                1 => (samples.states[random.below(samples.states.len())], 4),
                _ => (samples.pick(|end| random.below(end)).1, 15),
            };
            let state = (source.plain)(&(source.mix)(&base, &other, &mut || random.below(one_in) == 0));
            if keep(&mut samples, state, kind) && random.below(2) == 0 {
                if let Some((step, next)) = random_step(m, &state, &mut taken, &mut random) {
                    keep(&mut samples, (source.plain)(&next), m.kind(step));
                }
            }
        }
        samples
    }

    /// These and others.
    pub(crate) fn and(mut self, others: &Self) -> Self {
        for (mine, theirs) in self.by_kind.iter_mut().zip(&others.by_kind) {
            mine.extend(theirs.iter().map(|index| self.states.len() + index));
        }
        self.states.extend(&others.states);
        self
    }

    /// A state, each kind of step as often as the others, and the kind.
    fn pick(&self, mut below: impl FnMut(usize) -> usize) -> (usize, S) {
        loop {
            let kind = below(self.by_kind.len());
            if !self.by_kind[kind].is_empty() {
                let index = below(self.by_kind[kind].len());
                return (kind, self.states[self.by_kind[kind][index]]);
            }
        }
    }
}

/// Any step that is possible, or one of the kind that was taken least.
fn random_step<M: Machine>(
    m: &M,
    state: &M::State,
    taken: &mut [usize],
    random: &mut Random,
) -> Option<(M::Step, M::State)> {
    let mut proposed = Vec::new();
    m.steps(state, &mut proposed);
    let wants_rare = random.below(2) == 0;
    let mut best: Option<(M::Step, M::State)> = None;
    while !proposed.is_empty() {
        let step = proposed.swap_remove(random.below(proposed.len()));
        if best.as_ref().is_some_and(|(other, _)| taken[m.kind(step)] >= taken[m.kind(*other)]) {
            continue;
        }
        if let Some(next) = m.step(state, step) {
            best = Some((step, next));
            if !wants_rare {
                break;
            }
        }
    }
    let (step, next) = best?;
    taken[m.kind(step)] += 1;
    Some((step, next))
}

/// Takes every step in samples of each version that the invariant is about, `first` before the others.
///
/// # Panics
/// As [`steps_keep_the_invariant`], or if there are fewer than `least` versions.
#[cfg(test)]
pub(crate) fn every_version_keeps_the_invariant<M: Machine>(
    first: &str,
    least: usize,
    machine: fn(M::Config) -> M,
    source: fn(&M) -> Source<'_, M>,
) {
    let mut versions: Vec<_> = M::VARIANTS.iter().map(|v| (v.name, machine(v.config))).collect();
    versions.retain(|(_, m)| invariant_of(m).is_some());
    versions.sort_by_key(|(name, _)| *name != first);
    assert!(versions.len() >= least);
    steps_keep_the_invariant(&versions, source);
}

/// Takes every step in samples of each version, asks every claim about them, and prints how many there were.
///
/// The version that the proofs are about comes first, and gets the most.
///
/// # Panics
/// A step leaves the invariant, a claim does not follow from it, or there are too few states to say anything.
#[cfg(test)]
pub(crate) fn steps_keep_the_invariant<M: Machine>(versions: &[(&str, M)], source: fn(&M) -> Source<'_, M>) {
    for (number, (name, m)) in versions.iter().enumerate() {
        let source = source(m);
        let wanted = if number == 0 { 40_000 } else { 12_000 };
        let samples = Samples::grow(&source, wanted);
        let (states, reached) = (samples.states.len(), samples.reached);
        let least = wanted / 2_000;
        let steps = take_every_step(name, &source, &samples, least);
        println!(
            "{name}: {states} states satisfy the invariant, {reached} of them reached by walks; {steps} steps keep it"
        );
        assert!(reached >= wanted / 4 && states - reached >= wanted / 2, "{name}: too few states");
        for claim in M::PROPERTIES.iter().filter(|p| p.kind == PropertyKind::Always) {
            let broken = samples.states.iter().find(|state| !(claim.holds)(m, state));
            assert!(broken.is_none(), "{name}: {} does not follow: {broken:#?}", claim.name);
        }
    }
}

/// Takes every step in every sample, and returns how many were possible; `least` of each kind.
#[cfg(test)]
fn take_every_step<M: Machine>(name: &str, source: &Source<'_, M>, samples: &Samples<M::State>, least: usize) -> usize {
    let m = source.machine;
    let every = m.every_step();
    let mut of_kind = vec![0_usize; M::KINDS.len()];
    let mut not_at_the_start = vec![false; M::KINDS.len()];
    let initial: Vec<_> = m.initial_states().iter().map(source.plain).collect();
    for state in &samples.states {
        for step in &every {
            let Some(after) = m.step(state, *step) else { continue };
            of_kind[m.kind(*step)] += 1;
            not_at_the_start[m.kind(*step)] |= !initial.contains(state);
            assert!(
                keeps_invariant(m, &after) == Some(true),
                "{name}: inductive-invariant: {state:#?}\n{step:?}\n{after:#?}"
            );
        }
    }
    for (kind, taken) in of_kind.iter().enumerate() {
        // What only an initial state can do is done once.
        let least = if not_at_the_start[kind] { least } else { 1 };
        assert!(!m.kind_is_used(kind) || *taken >= least, "{name}: {} was taken {taken} times", M::KINDS[kind].name);
    }
    of_kind.iter().sum()
}

/// A sample, or a mixture of two, or of one with a state of any values, which may satisfy the invariant or not.
pub(crate) fn near<S: Copy + Eq + Hash>(samples: &Samples<S>, mix: Mix<S>, any: impl FnOnce() -> S) -> S {
    // A drawn number is often a small one or an edge; several together make a seed that does not repeat.
    let seed = (0..6).fold(0, |seed: u64, _| (seed ^ kani::any::<u64>()).wrapping_mul(0x100_0000_01b3).rotate_left(23));
    let mut random = Random::new(seed);
    let (_, base) = samples.pick(|end| random.below(end));
    let other = match random.below(6) {
        0 => any(),
        1 => samples.states[random.below(samples.states.len())],
        _ => return base,
    };
    mix(&base, &other, &mut || random.below(20) == 0)
}

/// One of the wanted steps that are possible in a state, drawn; the draw is abandoned if there is none.
pub(crate) fn possible_step<M: Machine>(m: &M, before: &M::State, wanted: impl Fn(&M::Step) -> bool) -> M::Step {
    let mut steps = Vec::new();
    m.steps(before, &mut steps);
    steps.retain(|step| wanted(step) && m.step(before, *step).is_some());
    kani::assume(!steps.is_empty());
    steps[kani::any::<u32>() as usize % steps.len()]
}
