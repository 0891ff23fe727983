//! On random graphs the engine says what a search of twenty lines says, and its runs are genuine and shortest.

use std::collections::BTreeSet;

use crate::examples::graph::{Graph, Node, graphs};
use checker::{Checker, Outcome, Path};
use proptest::prelude::*;
use stateright::Model;

/// The first node in breadth-first order for which `wanted` is true, with its distance.
fn first(graph: &Graph, wanted: impl Fn(u16) -> bool) -> Option<(u16, usize)> {
    graph.distances().into_iter().find(|(node, _)| wanted(*node))
}

fn assert_genuine(graph: &Graph, path: &Path<Node, usize>) {
    assert!(graph.starts.contains(&path.init.0));
    let mut at = path.init;
    for (edge, next) in &path.steps {
        assert_eq!(graph.next_state(&at, *edge), Some(*next));
        assert!(graph.within_boundary(next));
        at = *next;
    }
}

/// A run that ends in `expected`, or the outcome `without` if there is nothing expected.
fn assert_outcome(
    graph: &Graph,
    outcome: &Outcome<Node, usize>,
    expected: Option<(u16, usize)>,
    without: &Outcome<Node, usize>,
) {
    let Some((node, distance)) = expected else {
        assert_eq!(outcome, without);
        return;
    };
    let path = outcome.path().unwrap();
    assert_genuine(graph, path);
    assert_eq!((path.last().0, path.len()), (node, distance));
}

/// Whether a run avoids the goal until it ends, or for more steps than there are nodes.
fn goal_can_be_avoided(graph: &Graph) -> bool {
    let avoids = |node: &u16| !graph.goal.contains(node) && !graph.outside.contains(node);
    let mut nodes: BTreeSet<u16> = graph.starts.iter().copied().filter(avoids).collect();
    for _ in 0..=graph.edges.len() {
        if nodes.iter().any(|node| !graph.has_steps(*node)) {
            return true;
        }
        nodes = nodes.iter().flat_map(|node| graph.successors(*node)).filter(avoids).collect();
    }
    !nodes.is_empty()
}

proptest! {
    #[test]
    fn what_must_come_true_is_judged_with_ends_and_loops(graph in graphs()) {
        let report = Checker::new(&graph).run().unwrap();
        let outcome = report.outcome("goal-at-last").unwrap();
        prop_assert_eq!(outcome.path().is_some(), goal_can_be_avoided(&graph));
        let Some(path) = outcome.path() else { return Ok(()) };
        assert_genuine(&graph, path);
        prop_assert!(path.states().all(|node| !graph.goal.contains(&node.0)));
        match path.back_to {
            Some(place) => prop_assert_eq!(path.states().nth(place).unwrap(), path.last()),
            None => prop_assert!(!graph.has_steps(path.last().0)),
        }
    }

    #[test]
    fn everything_agrees(graph in graphs(), threads in 1..4_usize, batch in 1..20_usize) {
        let checker = Checker::new(&graph).threads(threads).batch(batch).final_states(Graph::is_final);
        let (report, space) = checker.run_with_space().unwrap();
        let order = graph.distances();

        prop_assert_eq!(report.states, order.len() as u64);
        prop_assert_eq!(report.examined, report.states);
        prop_assert_eq!(report.depth as usize, order.last().map_or(0, |(_, distance)| *distance));
        let transitions: usize = order.iter().map(|(node, _)| graph.successors(*node).count()).sum();
        prop_assert_eq!(report.transitions, transitions as u64);
        let terminal = order.iter().filter(|(node, _)| !graph.has_steps(*node)).count();
        prop_assert_eq!(report.terminal_states, terminal as u64);

        assert_outcome(&graph, &report.properties[0].outcome, first(&graph, |n| graph.bad.contains(&n)), &Outcome::Holds);
        assert_outcome(&graph, &report.properties[1].outcome, first(&graph, |n| graph.goal.contains(&n)), &Outcome::Unseen);
        let stuck = first(&graph, |n| !graph.has_steps(n) && !graph.ends.contains(&n));
        assert_outcome(&graph, report.deadlock.as_ref().unwrap(), stuck, &Outcome::Holds);

        prop_assert_eq!(space.len(), order.len());
        for (node, distance) in order {
            let id = space.find(&Node(node)).unwrap();
            prop_assert_eq!(space.depth(id), distance);
            let path = space.path_to(id).unwrap();
            assert_genuine(&graph, &path);
            prop_assert_eq!(path.last(), &Node(node));
            let steps: Vec<u16> = space.steps(id).into_iter().map(|(_, next)| space.state(next.unwrap()).0).collect();
            prop_assert_eq!(steps, graph.successors(node).collect::<Vec<_>>());
        }
    }
}
