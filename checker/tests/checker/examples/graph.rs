//! Graphs as models: whatever a search can meet, in a few numbers. Nodes are states, edges are steps.

use std::collections::{BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};

use proptest::prelude::*;
use stateright::{Model, Property};

#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub starts: Vec<u16>,
    pub edges: Vec<Vec<u16>>,
    /// Where the claim "not-bad" is false.
    pub bad: BTreeSet<u16>,
    /// Where the witness "goal" is true.
    pub goal: BTreeSet<u16>,
    /// Beyond the boundary.
    pub outside: BTreeSet<u16>,
    /// Where a run may end.
    pub ends: BTreeSet<u16>,
}

/// A node whose hash is as bad as it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node(pub u16);

impl Hash for Node {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.0 % 3).hash(state);
    }
}

impl Model for Graph {
    type State = Node;
    /// The place among the edges of the node. Odd places of high nodes lead nowhere.
    type Action = usize;

    fn init_states(&self) -> Vec<Node> {
        self.starts.iter().copied().map(Node).collect()
    }
    fn actions(&self, node: &Node, actions: &mut Vec<usize>) {
        actions.extend(0..self.edges[usize::from(node.0)].len());
    }
    fn next_state(&self, node: &Node, edge: usize) -> Option<Node> {
        self.next(node.0, edge).map(Node)
    }
    fn within_boundary(&self, node: &Node) -> bool {
        !self.outside.contains(&node.0)
    }
    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::<Self>::always("not-bad", |graph, node| !graph.bad.contains(&node.0)),
            Property::<Self>::sometimes("goal", |graph, node| graph.goal.contains(&node.0)),
            Property::<Self>::eventually("goal-at-last", |graph, node| graph.goal.contains(&node.0)),
        ]
    }
}

impl Graph {
    fn next(&self, node: u16, edge: usize) -> Option<u16> {
        let declined = node % 5 == 4 && edge % 2 == 1;
        (!declined).then(|| self.edges[usize::from(node)][edge])
    }

    /// The same step as that of the model, on the node itself. What is left of it where there is no step is of no use.
    pub fn step_in_place(&self, node: &mut Node, edge: usize) -> bool {
        let from = std::mem::replace(&mut node.0, u16::MAX);
        self.next(from, edge).map(|next| node.0 = next).is_some()
    }

    pub fn is_final(&self, node: &Node) -> bool {
        self.ends.contains(&node.0)
    }

    pub fn successors(&self, node: u16) -> impl Iterator<Item = u16> {
        let nexts = (0..self.edges[usize::from(node)].len()).filter_map(move |edge| self.next(node, edge));
        nexts.filter(|next| !self.outside.contains(next))
    }

    pub fn has_steps(&self, node: u16) -> bool {
        (0..self.edges[usize::from(node)].len()).any(|edge| self.next(node, edge).is_some())
    }

    /// The reachable nodes with their distances, in the order of the simplest breadth-first search.
    pub fn distances(&self) -> Vec<(u16, usize)> {
        let starts = self.starts.iter().filter(|start| !self.outside.contains(start));
        let mut seen = BTreeSet::new();
        let mut queue: VecDeque<(u16, usize)> = starts.filter(|start| seen.insert(**start)).map(|s| (*s, 0)).collect();
        let mut order = Vec::new();
        while let Some((node, distance)) = queue.pop_front() {
            order.push((node, distance));
            for next in self.successors(node) {
                if seen.insert(next) {
                    queue.push_back((next, distance + 1));
                }
            }
        }
        order
    }
}

pub fn graphs() -> impl Strategy<Value = Graph> {
    let sizes = (2..60_u16, 0..5_usize);
    sizes.prop_flat_map(|(nodes, edges)| {
        let some = |most| proptest::collection::btree_set(0..nodes, 0..=most);
        let edges = proptest::collection::vec(0..nodes, 0..=edges);
        (
            proptest::collection::vec(0..nodes, 0..3),
            proptest::collection::vec(edges, usize::from(nodes)),
            (some(3), some(3), some(4), some(10)),
        )
            .prop_map(|(starts, edges, (bad, goal, outside, ends))| Graph {
                starts,
                edges,
                bad,
                goal,
                outside,
                ends,
            })
    })
}
