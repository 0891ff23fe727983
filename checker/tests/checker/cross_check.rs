//! Stateright as a second opinion: it agrees where it can, and where it cannot the reason is named.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::examples::graph::{Graph, Node, graphs};
use crate::examples::increment::Increment;
use crate::examples::single_copy_register;
use crate::examples::two_phase_commit::TwoPhaseCommit;
use checker::{Checker, CrossCheck, CrossCheckError, cross_check};
use proptest::prelude::*;

const LONG: Duration = Duration::from_secs(600);

fn compare<M>(model: &M, threads: usize) -> CrossCheck<M::State>
where
    M: checker::Checkable + Clone + Send + 'static,
    M::State: 'static,
    M::Action: Clone + PartialEq,
{
    let (report, space) = Checker::new(model).run_with_space().unwrap();
    cross_check(|| model.clone(), (&report, &space), threads, LONG, &Arc::default()).unwrap()
}

#[test]
fn both_agree_on_the_examples() {
    for threads in [1, 2] {
        let check = compare(&TwoPhaseCommit { rms: 5 }, threads);
        assert!(check.agrees() && check.finished, "{check:?}");
        assert_eq!(check.stateright_states, 8_832);
        assert_eq!(check.verdicts.len(), 4);
        assert!(compare(&Increment { threads: 3, locked: false }, threads).agrees());
    }
}

/// Its own search stops early here, at 54 states.
#[test]
fn stateright_is_made_to_go_on_to_the_end() {
    let model = || single_copy_register::model(2, 2);
    let here = model();
    let (report, space) = Checker::new(&here).run_with_space().unwrap();
    let check = cross_check(model, (&report, &space), 1, LONG, &Arc::default()).unwrap();
    assert!(check.agrees() && check.stateright_states > 54, "{check:?}");
}

#[test]
fn states_with_the_same_fingerprint_are_named() {
    // The hash of a node is its number modulo 3: Stateright sees three states of ten.
    let edges = (0..10).map(|node| vec![(node + 1) % 10]).collect();
    let graph = Graph { starts: vec![0], edges, bad: [7].into(), ..Graph::default() };
    let check = compare(&graph, 1);
    assert!(!check.agrees());
    assert_eq!((check.exact_states, check.stateright_states), (10, 3));
    let broken = check.verdicts.iter().find(|pair| pair.name == "not-bad").unwrap();
    assert_eq!((broken.exact, broken.stateright), ("BROKEN", "HOLDS"));
    let difference = check.difference.unwrap();
    assert_eq!((difference.missing_there, difference.missing_here), (7, 0));
    assert!(difference.examples_missing_there.contains(&Node(7)));
    assert!(difference.same_fingerprint.contains(&(Node(7), Node(1))));
}

#[test]
fn a_search_without_time_is_undecided() {
    let model = TwoPhaseCommit { rms: 5 };
    let (report, space) = Checker::new(&model).run_with_space().unwrap();
    for threads in [1, 2] {
        let check = cross_check(|| model.clone(), (&report, &space), threads, Duration::ZERO, &Arc::default()).unwrap();
        assert!(!check.finished && !check.agrees());
        assert!(check.verdicts.iter().all(|pair| pair.stateright == "UNDECIDED"));
    }
}

#[test]
fn a_search_that_is_stopped_is_undecided() {
    let model = TwoPhaseCommit { rms: 5 };
    let (report, space) = Checker::new(&model).run_with_space().unwrap();
    let stop = Arc::new(AtomicBool::new(true));
    let check = cross_check(|| model.clone(), (&report, &space), 2, LONG, &stop).unwrap();
    assert!(!check.finished && check.verdicts.iter().all(|pair| pair.stateright == "UNDECIDED"));
}

#[test]
fn nothing_is_compared_with_half_a_search() {
    let model = TwoPhaseCommit { rms: 5 };
    let (report, space) = Checker::new(&model).max_states(100).run_with_space().unwrap();
    let check = cross_check(|| model.clone(), (&report, &space), 1, LONG, &Arc::default());
    assert_eq!(check, Err(CrossCheckError::Incomplete));
}

#[test]
fn with_a_symmetry_only_verdicts_are_compared() {
    let model = TwoPhaseCommit { rms: 4 };
    let (report, space) = Checker::new(&model).symmetry(TwoPhaseCommit::sorted).run_with_space().unwrap();
    let check = cross_check(|| model.clone(), (&report, &space), 1, LONG, &Arc::default()).unwrap();
    assert!(check.agrees() && !check.counts_compare);
    assert!(check.exact_states < check.stateright_states);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn what_stateright_lacks_on_random_graphs_is_listed(mut graph in graphs()) {
        // Of two initial states with one fingerprint it counts one and visits both.
        graph.starts.truncate(1);
        let check = compare(&graph, 1);
        prop_assert_eq!(check.difference.is_some(), check.exact_states != check.stateright_states);
        if let Some(difference) = check.difference {
            prop_assert_eq!(difference.missing_here, 0);
            prop_assert_eq!(check.stateright_states + difference.missing_there, check.exact_states);
        }
    }
}
