//! A limit ends the search in time, and what it left open is undecided.

use std::sync::Arc;
use std::time::Duration;

use crate::examples::numbers::Numbers;
use crate::examples::restated::Restated;
use crate::examples::two_phase_commit::{State, Tm, TwoPhaseCommit};
use checker::{Checker, Limit, Outcome, Progress};
use stateright::{Model, Property};

fn assert_open(checker: Checker<'_, Numbers>, limit: Limit) {
    let report = checker.final_states(|_, _| false).run().unwrap();
    assert_eq!(report.limit, Some(limit));
    assert!(!report.saw_everything());
    assert_eq!(report.outcome("not-zero"), Some(&Outcome::Undecided));
    assert_eq!(report.outcome("zero"), Some(&Outcome::Undecided));
    assert_eq!(report.deadlock, Some(Outcome::Undecided));
}

#[test]
fn the_limit_of_states_is_exact_and_what_was_seen_counts() {
    let model = Numbers::stopping_at(0);
    for threads in [1, 2] {
        let report = Checker::new(&model).threads(threads).max_states(10_000).run().unwrap();
        assert_eq!((report.states, report.limit), (10_000, Some(Limit::States)));
        assert_eq!(report.outcome("not-thirteen").unwrap().path().unwrap().len(), 3);
        assert_eq!(report.outcome("seven").unwrap().path().unwrap().len(), 2);
        assert_open(Checker::new(&model).threads(threads).max_states(10_000), Limit::States);
    }
}

#[test]
fn a_limit_that_is_not_reached_is_none() {
    let model = TwoPhaseCommit { rms: 3 };
    let report = Checker::new(&model).max_states(288).run().unwrap();
    assert!(report.saw_everything());
    let report = Checker::new(&model).max_states(287).run().unwrap();
    assert_eq!((report.states, report.limit), (287, Some(Limit::States)));
    assert_eq!(report.outcome("consistent"), Some(&Outcome::Undecided));
}

#[test]
fn the_limit_of_memory_is_kept() {
    let model = Numbers::stopping_at(0);
    for (threads, megabytes) in [(1, 1), (1, 8), (2, 8), (3, 8)] {
        let limit = megabytes << 20;
        let report = Checker::new(&model).threads(threads).max_memory(limit).run().unwrap();
        assert_eq!(report.limit, Some(Limit::Memory));
        assert!(report.peak_bytes <= limit, "{} of {limit}", report.peak_bytes);
        // And it is used: what is kept of a state of 8 bytes is less than 28.
        assert!(report.states > limit / 40, "{} states", report.states);
        assert_open(Checker::new(&model).threads(threads).max_memory(limit), Limit::Memory);
    }
}

/// States that own memory: the engine counts their pointers, and watches the process for the rest.
#[test]
#[cfg(target_os = "linux")]
fn memory_behind_pointers_counts() {
    struct Fat;
    impl Model for Fat {
        type State = Vec<u64>;
        type Action = ();
        fn init_states(&self) -> Vec<Vec<u64>> {
            vec![vec![0; 10_000]]
        }
        fn actions(&self, _: &Vec<u64>, actions: &mut Vec<()>) {
            actions.push(());
        }
        fn next_state(&self, state: &Vec<u64>, (): ()) -> Option<Vec<u64>> {
            let mut next = state.clone();
            next[0] += 1;
            Some(next)
        }
    }
    // A gigabyte and more if nobody looks.
    let checker = Checker::new(&Fat).max_memory(200 << 20).max_states(20_000);
    let report = checker.run().unwrap();
    assert_eq!(report.limit, Some(Limit::Memory));
    // 80 kB each.
    assert!(report.states < 4_000, "{} states", report.states);
}

#[test]
fn no_time_is_up_at_once() {
    let model = Numbers::stopping_at(0);
    for threads in [1, 2] {
        assert_open(Checker::new(&model).threads(threads).timeout(Duration::ZERO), Limit::Time);
    }
}

#[test]
fn the_time_is_kept_in_the_middle_of_a_level() {
    let model = Numbers::stopping_at(0);
    for threads in [1, 2] {
        // Ends at all only because the clock is looked at.
        assert_open(Checker::new(&model).threads(threads).timeout(Duration::from_millis(30)), Limit::Time);
    }
}

#[test]
fn a_slow_model_is_stopped_as_well() {
    let model = Numbers { pause: Duration::from_millis(5), ..Numbers::default() };
    let report = Checker::new(&model).timeout(Duration::from_millis(50)).run().unwrap();
    assert_eq!(report.limit, Some(Limit::Time));
    // One step takes at least 5 ms, so at most this many fit, and the engine may be a little late.
    assert!(report.states <= 50, "{} states", report.states);
}

#[test]
fn the_stop_flag_is_seen() {
    for threads in [1, 2, 3] {
        let model = Numbers::stopping_at(100_000);
        assert_open(Checker::new(&model).threads(threads).stop_when(model.stop.clone()), Limit::Stopped);
        // It is still up: a new search does not even begin.
        let report = Checker::new(&model).stop_when(model.stop.clone()).run().unwrap();
        assert_eq!((report.states, report.limit), (0, Some(Limit::Stopped)));
    }
}

#[test]
fn progress_is_shown() {
    let model = TwoPhaseCommit { rms: 6 };
    for threads in [1, 2] {
        let progress = Arc::new(Progress::default());
        let report = Checker::new(&model).threads(threads).progress(progress.clone()).run().unwrap();
        assert!(progress.states() > report.states / 2 && progress.states() <= report.states);
        assert!(progress.transitions() > 0 && progress.transitions() <= report.transitions);
        assert!(progress.depth() >= report.depth && progress.bytes() > 0);
    }
}

#[test]
fn what_lies_beyond_the_boundary_is_counted() {
    let model = Restated {
        model: TwoPhaseCommit { rms: 3 },
        property: || Property::sometimes("commits", |_, state: &State| state.tm == Tm::Committed),
        within_boundary: |state| state.tm != Tm::Committed,
    };
    let report = Checker::new(&model).run().unwrap();
    assert_eq!(report.outcome("commits"), Some(&Outcome::Unseen));
    assert!(report.cut_by_boundary > 0);
    assert!(report.limit.is_none() && !report.saw_everything());
}

#[test]
fn what_begins_beyond_the_boundary_is_counted() {
    let model = Restated {
        model: TwoPhaseCommit { rms: 3 },
        property: || Property::sometimes("commits", |_, state: &State| state.tm == Tm::Committed),
        within_boundary: |_| false,
    };
    let report = Checker::new(&model).run().unwrap();
    assert_eq!((report.states, report.cut_by_boundary), (0, 1));
}

/// Several threads take memory beforehand, but not where that leaves too little for the search.
#[test]
fn a_search_that_just_fits_into_memory_fits_with_several_threads() {
    struct Wide;
    impl Model for Wide {
        type State = [u64; 6];
        type Action = u64;
        fn init_states(&self) -> Vec<[u64; 6]> {
            (0..2500).map(|n| [n, 0, 0, 0, 0, 0]).collect()
        }
        fn actions(&self, state: &[u64; 6], actions: &mut Vec<u64>) {
            actions.extend((state[1] < 3).then_some(1));
        }
        fn next_state(&self, state: &[u64; 6], step: u64) -> Option<[u64; 6]> {
            let mut next = *state;
            next[1] += step;
            Some(next)
        }
    }
    let needed = Checker::new(&Wide).run().unwrap().peak_bytes;
    let report = Checker::new(&Wide).threads(2).max_memory(needed + needed / 2).run().unwrap();
    assert_eq!((report.states, report.limit), (10_000, None), "{needed} bytes");
}
