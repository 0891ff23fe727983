//! The states as a picture: all of them, or the neighbourhood of one.

use axum::response::Response;
use minijinja::{Value, context};

use super::{render, words};
use crate::address::written;
use crate::ask::Ask;
use crate::graph;
use crate::links::Links;
use crate::problem::Problem;
use crate::searches::Key;

pub(super) fn page(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, variant, walk) = ask.walk()?;
    let walk = walk.as_ref();
    let (key, links) = (Key::of(&mechanism.name, walk), Links::of(&mechanism.name, walk));
    let at = ask.at()?;
    let limits = ask.app.limits;
    let graph = walk.graph(&at, limits.graph, limits.neighbourhood)?;
    let found = ask.app.searches.found(&key);
    let broken = found.iter().flat_map(|found| &found.properties).filter(|p| p.verdict == "BROKEN");
    let counterexample =
        broken.filter_map(|p| Some((p.name, p.address.as_ref()?))).min_by_key(|(_, address)| address.len());
    let values = context! {
        at => written(&at), states => graph.nodes.len(), edges => graph.edges.len(), all => graph.all, limit => limits.graph,
        broken => graph.nodes.iter().filter(|node| !node.broken.is_empty()).count(),
        length => graph.counterexample.len().saturating_sub(1), steps => at.len() - 1,
        counterexample => counterexample.map(|(name, address)| context! { name, at => written(address) }),
        drawing => Value::from_safe_string(graph::drawing(&graph, &links)),
        ..words(ask, mechanism, variant, &key, &links)
    };
    render(ask, "graph.html", values)
}
