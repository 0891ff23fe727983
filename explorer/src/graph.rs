//! States as a picture: a column for each depth, steps as lines between them.

use crate::address::written;
use crate::sequence::escape;
use crate::walkable::{Graph, Node};

const COLUMN: usize = 90;
const ROW: usize = 30;
const MARGIN: usize = 34;
const RADIUS: usize = 8;

/// The drawing; every state is a link below `base`.
pub(crate) fn drawing(graph: &Graph, base: &str) -> String {
    let places = layout(graph);
    let width = places.iter().map(|place| place.0).max().unwrap_or(0) + MARGIN;
    let height = places.iter().map(|place| place.1).max().unwrap_or(0) + MARGIN;
    let mut lines = String::new();
    let mut drawn: Vec<(usize, usize)> = Vec::new();
    for (from, to, _) in &graph.edges {
        if from == to || drawn.contains(&(*from, *to)) {
            continue;
        }
        drawn.push((*from, *to));
        let kinds: Vec<&str> =
            graph.edges.iter().filter(|(f, t, _)| f == from && t == to).map(|(_, _, kind)| *kind).collect();
        lines.push_str(&line(graph, places[*from], places[*to], (*from, *to), &kinds.join(", ")));
    }
    let mut states = String::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        states.push_str(&state(graph, index, node, places[index], base));
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"graph\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"group\" aria-label=\"graph of {} states\">\n{lines}{states}</svg>\n",
        graph.nodes.len()
    )
}

/// Where each state stands. States before the current one in a neighbourhood stand to its left.
fn layout(graph: &Graph) -> Vec<(usize, usize)> {
    let before: Vec<usize> =
        if graph.all { Vec::new() } else { graph.trail.iter().copied().filter(|id| *id != graph.current).collect() };
    let shift = before.len();
    let column = |index: usize, node: &Node| match before.iter().position(|id| *id == index) {
        Some(place) => place,
        None => node.depth + shift,
    };
    let columns: Vec<usize> = graph.nodes.iter().enumerate().map(|(index, node)| column(index, node)).collect();
    let tallest =
        (0..=columns.iter().copied().max().unwrap_or(0)).map(|c| columns.iter().filter(|x| **x == c).count()).max();
    let middle = tallest.unwrap_or(1) * ROW / 2;
    let mut used = vec![0; graph.nodes.len() + shift + 1];
    let mut places = Vec::with_capacity(columns.len());
    for column in &columns {
        let count = columns.iter().filter(|other| *other == column).count();
        let y = MARGIN + middle - count * ROW / 2 + used[*column] * ROW;
        used[*column] += 1;
        places.push((MARGIN + column * COLUMN, y));
    }
    places
}

fn is_on(path: &[usize], (from, to): (usize, usize)) -> bool {
    path.windows(2).any(|pair| pair[0] == from && pair[1] == to)
}

fn line(graph: &Graph, from: (usize, usize), to: (usize, usize), edge: (usize, usize), kinds: &str) -> String {
    let class = match (is_on(&graph.counterexample, edge), is_on(&graph.trail, edge)) {
        (true, _) => "g-edge g-counterexample",
        (false, true) => "g-edge g-trail",
        (false, false) => "g-edge",
    };
    // A step within a column or backwards is bent, so that it can be told from the others.
    let bend = if to.0 > from.0 { 0 } else { ROW };
    let middle = ((from.0 + to.0) / 2 + bend, (from.1 + to.1) / 2);
    format!(
        "<path class=\"{class}\" d=\"M{} {} Q{} {} {} {}\"><title>{}</title></path>\n",
        from.0,
        from.1,
        middle.0,
        middle.1,
        to.0,
        to.1,
        escape(kinds)
    )
}

fn state(graph: &Graph, index: usize, node: &Node, (x, y): (usize, usize), base: &str) -> String {
    let mut class = "g-state".to_string();
    for (is, name) in [
        (node.is_final, " g-final"),
        (graph.counterexample.contains(&index), " g-on-counterexample"),
        (!node.broken.is_empty(), " g-broken"),
        (index == graph.current, " g-current"),
    ] {
        if is {
            class.push_str(name);
        }
    }
    let address = written(&node.address);
    let broken = if node.broken.is_empty() { String::new() } else { format!("; breaks {}", node.broken.join(", ")) };
    let end = if node.is_final { "; a run may end here" } else { "" };
    let steps = node.address.len() - 1;
    let title = escape(&format!("{steps} steps from the start{broken}{end}"));
    format!(
        "<a href=\"{base}?at={address}\" aria-label=\"{title}\"><circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"{RADIUS}\">\
         <title>{title}</title></circle></a>\n"
    )
}
