//! The numbers of states that are published with Stateright's examples.

use crate::examples::increment::Increment;
use crate::examples::single_copy_register;
use crate::examples::two_phase_commit::{State, Step, Tm, TwoPhaseCommit};
use checker::{Checker, Outcome};

#[test]
fn two_phase_commit_has_288_and_8832_and_296448_states() {
    for (rms, states) in [(3, 288), (5, 8_832), (7, 296_448)] {
        let report = Checker::new(&TwoPhaseCommit { rms }).threads(2).run().unwrap();
        assert_eq!(report.states, states);
        assert!(report.saw_everything());
        assert_eq!(report.outcome("consistent"), Some(&Outcome::Holds));
        assert_eq!(report.outcome("all-abort").unwrap().path().unwrap().len(), usize::from(rms));
        let commit = report.outcome("all-commit").unwrap().path().unwrap();
        assert_eq!(commit.len(), 3 * usize::from(rms) + 1);
        assert_eq!(commit.last().tm, Tm::Committed);
    }
}

#[test]
fn the_shortest_run_to_an_abort_is_one_step() {
    let report = Checker::new(&TwoPhaseCommit { rms: 3 }).run().unwrap();
    let path = report.outcome("nobody-aborts").unwrap().path().unwrap();
    assert_eq!(path.actions().collect::<Vec<_>>(), [&Step::RmAbort(0)]);
}

#[test]
fn two_phase_commit_takes_steps_of_every_kind() {
    let model = TwoPhaseCommit { rms: 3 };
    let is_final = |_: &TwoPhaseCommit, state: &State| state.tm != Tm::Waiting;
    let checker = Checker::new(&model).step_kinds(Step::KINDS, |_, step| step.kind()).final_states(is_final);
    let report = checker.run().unwrap();
    assert_eq!(report.kinds_never_taken().count(), 0);
    assert_eq!(report.steps_by_kind.iter().sum::<u64>(), report.transitions);
    assert_eq!(report.deadlock, Some(Outcome::Holds));
}

#[test]
fn increment_has_13_states_and_8_with_symmetry() {
    let model = Increment { threads: 2, locked: false };
    let plain = Checker::new(&model).run().unwrap();
    assert_eq!(plain.states, 13);
    assert_eq!(plain.outcome("nothing-lost").unwrap().path().unwrap().len(), 4);
    let merged = Checker::new(&model).symmetry(Increment::sorted).run().unwrap();
    assert_eq!(merged.states, 8);
    assert_eq!(merged.outcome("nothing-lost").unwrap().path().unwrap().len(), 4);
}

#[test]
fn increment_with_a_lock_loses_nothing() {
    let model = Increment { threads: 3, locked: true };
    let report = Checker::new(&model).final_states(Increment::is_final).run().unwrap();
    assert_eq!(report.outcome("nothing-lost"), Some(&Outcome::Holds));
    assert_eq!(report.outcome("one-in-the-lock"), Some(&Outcome::Holds));
    assert_eq!(report.deadlock, Some(Outcome::Holds));
}

/// An actor model: states with maps and histories behind pointers.
#[test]
fn a_single_copy_register_has_93_states_and_is_linearizable() {
    let report = Checker::new(&single_copy_register::model(1, 2)).threads(2).run().unwrap();
    assert_eq!(report.states, 93);
    assert_eq!(report.outcome("linearizable"), Some(&Outcome::Holds));
    assert_eq!(report.outcome("value-read").unwrap().verdict(), "SEEN");
}

#[test]
fn two_copies_of_a_register_are_not_linearizable() {
    let report = Checker::new(&single_copy_register::model(2, 2)).run().unwrap();
    assert_eq!(report.outcome("linearizable").unwrap().path().unwrap().len(), 4);
    // Stateright's own search stops at 54, when it has seen something about every property.
    assert!(report.states > 54);
}
