//! The result is the same in every run, with any number of threads, and with batches of any size.

use crate::examples::graph::{Graph, graphs};
use crate::examples::single_copy_register;
use crate::examples::two_phase_commit::{State, Step, Tm, TwoPhaseCommit};
use checker::{Checker, ReportOf};
use proptest::prelude::*;
use std::time::Duration;

/// Threads and batch size; the first is the plain search on one thread.
const WAYS: [(usize, Option<usize>); 8] =
    [(1, None), (2, None), (3, None), (8, None), (2, Some(1)), (3, Some(5)), (8, Some(64)), (2, Some(1000))];

fn all_ways<M: checker::Checkable>(checker: &Checker<'_, M>) -> Vec<ReportOf<M>> {
    let ways = WAYS.iter().map(|(threads, batch)| {
        let checker = checker.clone().threads(*threads);
        let checker = batch.map_or(checker.clone(), |batch| checker.batch(batch));
        let report = checker.run().unwrap();
        // The two things that may differ.
        ReportOf::<M> { peak_bytes: 0, elapsed: Duration::ZERO, ..report }
    });
    ways.collect()
}

fn two_phase_commit(model: &TwoPhaseCommit) -> Checker<'_, TwoPhaseCommit> {
    let is_final = |_: &TwoPhaseCommit, state: &State| state.tm == Tm::Committed;
    Checker::new(model).step_kinds(Step::KINDS, |_, step| step.kind()).final_states(is_final)
}

#[test]
fn with_any_number_of_threads() {
    let model = TwoPhaseCommit { rms: 5 };
    let reports = all_ways(&two_phase_commit(&model));
    assert_eq!(reports[0].states, 8_832);
    reports.iter().for_each(|report| assert_eq!(report, &reports[0]));
}

/// Its widest level has 7,846 states: wide enough for several threads without being told to.
#[test]
fn with_levels_that_are_worth_several_threads() {
    let model = TwoPhaseCommit { rms: 6 };
    let without_times = |threads| {
        let report = two_phase_commit(&model).threads(threads).run().unwrap();
        ReportOf::<TwoPhaseCommit> { peak_bytes: 0, elapsed: Duration::ZERO, ..report }
    };
    let one = without_times(1);
    [2, 3, 8].into_iter().for_each(|threads| assert_eq!(without_times(threads), one));
}

#[test]
fn with_a_symmetry() {
    let model = TwoPhaseCommit { rms: 5 };
    let reports = all_ways(&two_phase_commit(&model).symmetry(TwoPhaseCommit::sorted));
    reports.iter().for_each(|report| assert_eq!(report, &reports[0]));
}

#[test]
fn with_steps_in_place() {
    let model = TwoPhaseCommit { rms: 5 };
    for checker in [two_phase_commit(&model), two_phase_commit(&model).symmetry(TwoPhaseCommit::sorted)] {
        let mut reports = all_ways(&checker);
        reports.extend(all_ways(&checker.in_place(TwoPhaseCommit::step_in_place)));
        reports.iter().for_each(|report| assert_eq!(report, &reports[0]));
    }
}

#[test]
fn at_the_limit_of_states() {
    let model = TwoPhaseCommit { rms: 4 };
    for limit in [0, 1, 2, 7, 100, 700, 1_001, 1_567, 1_568] {
        let reports = all_ways(&two_phase_commit(&model).max_states(limit));
        assert_eq!(reports[0].states, limit);
        reports.iter().for_each(|report| assert_eq!(report, &reports[0]));
    }
}

#[test]
fn with_states_behind_pointers() {
    let model = single_copy_register::model(2, 2);
    let reports = all_ways(&Checker::new(&model));
    assert_eq!(reports[0].outcome("linearizable").unwrap().path().unwrap().len(), 4);
    reports.iter().for_each(|report| assert_eq!(report, &reports[0]));
}

#[test]
fn states_have_the_same_ids() {
    let model = TwoPhaseCommit { rms: 4 };
    let ids = |threads: usize| -> Vec<_> {
        let (_, space) = Checker::new(&model).threads(threads).batch(10).run_with_space().unwrap();
        space.states().map(|(id, state)| (id, *state)).collect()
    };
    let one = ids(1);
    assert_eq!(one.len(), 1_568);
    [2, 3, 8].into_iter().for_each(|threads| assert_eq!(ids(threads), one));
}

/// With parts of many successors, whose order decides which of several parents a state has.
#[test]
fn states_are_reached_in_the_same_way() {
    let model = TwoPhaseCommit { rms: 5 };
    let ways = |threads: usize| -> Vec<_> {
        let (_, space) = Checker::new(&model).threads(threads).batch(1000).run_with_space().unwrap();
        space.states().map(|(id, _)| space.path_to(id).unwrap()).collect()
    };
    let one = ways(1);
    assert_eq!(one.len(), 8_832);
    [2, 3, 8].into_iter().for_each(|threads| assert!(ways(threads) == one, "with {threads} threads"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn on_random_graphs(graph in graphs(), limit in 0..60_u64) {
        for checker in [Checker::new(&graph), Checker::new(&graph).max_states(limit)] {
            let checker = checker.final_states(Graph::is_final);
            let mut reports = all_ways(&checker);
            reports.extend(all_ways(&checker.in_place(Graph::step_in_place)));
            reports.iter().for_each(|report| assert_eq!(report, &reports[0]));
        }
    }
}
