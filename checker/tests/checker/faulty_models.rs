//! A model that panics, changes its mind, or has a symmetry that is none, gives an error that says where.

use crate::examples::increment::{Increment, State as IncrementState, Thread};
use crate::examples::numbers::Numbers;
use crate::examples::restated::Restated;
use crate::examples::two_phase_commit::{Rm, State, Step, TwoPhaseCommit};
use checker::{CheckError, Checker, ErrorOf, Phase};
use stateright::{Model, Property};
use std::hash::{Hash, Hasher};
use std::sync::atomic::AtomicU64;

/// A binary tree of numbers that panics in `phase`, at the number 1000.
struct Trap {
    phase: Phase,
}

#[derive(Clone, Debug)]
struct Number {
    value: u64,
    panics_in: Phase,
}

impl Number {
    fn trap(&self, here: Phase) {
        assert!(!(self.value == 1000 && self.panics_in == here), "the trap at {}", self.value);
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.trap(Phase::Store);
        self.value == other.value
    }
}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.trap(Phase::Hash);
        self.value.hash(state);
    }
}

impl Trap {
    fn kind(&self, digit: u64) -> usize {
        assert!(!(self.phase == Phase::Kind && digit == 0), "the trap at 0");
        digit as usize
    }
}

impl Model for Trap {
    type State = Number;
    type Action = u64;
    fn init_states(&self) -> Vec<Number> {
        assert!(self.phase != Phase::InitStates, "the trap at the start");
        vec![Number { value: 1, panics_in: self.phase }]
    }
    fn actions(&self, number: &Number, actions: &mut Vec<u64>) {
        number.trap(Phase::Actions);
        // The digit 2 leads to a number that there is already.
        actions.extend([0, 1, 2]);
    }
    fn next_state(&self, number: &Number, digit: u64) -> Option<Number> {
        number.trap(Phase::NextState);
        let value = if digit == 2 { number.value } else { number.value * 2 + digit };
        (value < 100_000).then_some(Number { value, ..number.clone() })
    }
    fn within_boundary(&self, number: &Number) -> bool {
        number.trap(Phase::Boundary);
        true
    }
    fn properties(&self) -> Vec<Property<Self>> {
        assert!(self.phase != Phase::Properties, "the trap at the start");
        vec![
            Property::<Self>::always("unbroken", |_, _| true),
            Property::<Self>::always("trapped", |_, number| {
                number.trap(Phase::Condition(1));
                true
            }),
        ]
    }
}

fn run(phase: Phase, threads: usize) -> ErrorOf<Trap> {
    let model = Trap { phase };
    let checker = Checker::new(&model).threads(threads).step_kinds(3, |model, digit| model.kind(*digit));
    let checker = checker.symmetry(|_, number| {
        number.trap(Phase::Canonical);
        number.clone()
    });
    let checker = if threads > 1 { checker.batch(100) } else { checker };
    checker.run().unwrap_err()
}

#[test]
fn a_panic_becomes_an_error_that_names_the_state() {
    for threads in [1, 2, 3] {
        for phase in [Phase::Condition(1), Phase::Actions, Phase::NextState] {
            let CheckError::Panicked { during, message, path } = run(phase, threads) else { panic!("no panic") };
            assert_eq!((during, message.as_str()), (phase, "the trap at 1000"));
            // The shortest run to it: its digits after the first.
            let path = path.unwrap();
            assert_eq!(path.actions().copied().collect::<Vec<_>>(), [1, 1, 1, 1, 0, 1, 0, 0, 0]);
            assert_eq!(path.last().value, 1000);
        }
        for phase in [Phase::Boundary, Phase::Canonical, Phase::Hash, Phase::Store] {
            let CheckError::Panicked { during, message, path } = run(phase, threads) else { panic!("no panic") };
            assert_eq!((during, message.as_str()), (phase, "the trap at 1000"));
            // The state itself could not be stored; the run ends before it (or there, when it is met again).
            assert!([500, 1000].contains(&path.unwrap().last().value));
        }
    }
}

#[test]
fn a_panic_while_the_kind_of_a_step_is_told_becomes_an_error() {
    for threads in [1, 2] {
        let CheckError::Panicked { during, message, path } = run(Phase::Kind, threads) else { panic!("no panic") };
        assert_eq!((during, message.as_str()), (Phase::Kind, "the trap at 0"));
        assert_eq!(path.unwrap().last().value, 1);
    }
}

#[test]
fn a_panic_at_the_start_becomes_an_error_as_well() {
    for phase in [Phase::InitStates, Phase::Properties] {
        let error = run(phase, 2);
        assert!(matches!(&error, CheckError::Panicked { during, path: None, .. } if *during == phase));
        assert!(error.to_string().contains("the trap at the start"), "{error}");
    }
}

#[test]
fn an_error_is_readable() {
    let text = run(Phase::NextState, 1).to_string();
    assert_eq!(text, "the model panicked while computing a next state, 9 steps from the start: the trap at 1000");
}

#[test]
fn a_kind_that_does_not_exist_is_an_error() {
    let model = TwoPhaseCommit { rms: 3 };
    let error = Checker::new(&model).step_kinds(Step::KINDS - 1, |_, step| step.kind()).run().unwrap_err();
    assert!(matches!(error, CheckError::Panicked { during: Phase::Kind, .. }), "{error}");
}

#[test]
fn steps_in_place_that_are_others_are_reported() {
    let model = TwoPhaseCommit { rms: 3 };
    let error = Checker::new(&model).in_place(|_, state, step| {
        let abort_is_commit = matches!(step, Step::RmAbort(_));
        state.take(if abort_is_commit { Step::TmCommit } else { step });
        true
    });
    let error = error.run().unwrap_err();
    assert!(matches!(error, CheckError::NotDeterministic { .. }), "{error}");
}

#[test]
fn a_symmetry_that_confuses_states_is_reported() {
    // Forgets what a thread has read, as if it did not matter.
    fn forgetful(model: &Increment, state: &IncrementState) -> IncrementState {
        let mut state = model.sorted(state);
        for thread in &mut state.threads {
            if let Thread::Read(seen) = thread {
                *seen = 0;
            }
        }
        state
    }
    let model = Increment { threads: 2, locked: true };
    let error = Checker::new(&model).symmetry(forgetful).run().unwrap_err();
    assert!(matches!(error, CheckError::NotASymmetry { .. }), "{error}");
}

#[test]
fn a_symmetry_that_a_property_can_see_is_reported() {
    // One RM is special to this property, and the symmetry moves it.
    let model = Restated {
        model: TwoPhaseCommit { rms: 3 },
        property: || Property::always("the-last-one-works", |_, state: &State| state.rms[2] == Rm::Working),
        within_boundary: |_| true,
    };
    let error = Checker::new(&model).symmetry(|model, state| model.model.sorted(state)).run().unwrap_err();
    assert!(matches!(error, CheckError::NotASymmetry { .. }), "{error}");
}

#[test]
fn plain_and_symmetric_verdicts_agree() {
    let model = TwoPhaseCommit { rms: 5 };
    let plain = Checker::new(&model).run().unwrap();
    let merged = Checker::new(&model).symmetry(TwoPhaseCommit::sorted).run().unwrap();
    assert!(merged.symmetry && merged.states < plain.states / 10);
    for (plain, merged) in plain.properties.iter().zip(&merged.properties) {
        assert_eq!(plain.outcome.verdict(), merged.outcome.verdict(), "{}", plain.name);
        let length = |path: Option<&checker::Path<_, _>>| path.map(checker::Path::len);
        assert_eq!(length(plain.outcome.path()), length(merged.outcome.path()), "{}", plain.name);
        // A genuine run, not one of representatives.
        if let Some(path) = merged.outcome.path() {
            let mut state = model.init_states()[0];
            for (step, after) in &path.steps {
                state = model.next_state(&state, *step).unwrap();
                assert_eq!(state, *after);
            }
        }
    }
}

#[test]
fn a_model_that_changes_its_mind_is_reported() {
    let model = Numbers { fickle: Some(AtomicU64::new(2)), ..Numbers::default() };
    let error = Checker::new(&model).max_states(100).run().unwrap_err();
    assert!(matches!(error, CheckError::NotDeterministic { .. }), "{error}");
}
