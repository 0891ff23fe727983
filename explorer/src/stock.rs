//! The routes of Stateright's Explorer for a variant, in the same shape, so that its clients can be used.
//!
//! Where Stateright's answer is wrong this one is not: a property of a state names a discovery only from a
//! search that found one, and a step that panics gives an error and not the end of the process.

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;

use crate::App;
use crate::address;
use crate::ask::{Ask, answer};
use crate::catalogue::{Mechanism, Variant};
use crate::pages::busy;
use crate::problem::Problem;
use crate::searches::Searches;
use crate::walkable::{StockProperty, Walkable};

pub(crate) fn routes() -> Router<Arc<App>> {
    let mut routes = Router::new();
    for base in ["", "/stock/{mechanism}/{variant}"] {
        routes = routes
            .route(&format!("{base}/.status"), get(async |ask: Ask| answer(ask, status).await))
            .route(&format!("{base}/.states"), get(async |ask: Ask| answer(ask, states).await))
            .route(&format!("{base}/.states/"), get(async |ask: Ask| answer(ask, states).await))
            .route(&format!("{base}/.states/{{*path}}"), get(async |ask: Ask| answer(ask, states).await))
            .route(&format!("{base}/.runtocompletion"), post(async |ask: Ask| answer(ask, run).await));
    }
    routes
}

/// The variant of the path or, at the root, the one that the server was started with.
fn find(ask: &Ask) -> Result<(&Mechanism, &Variant, &dyn Walkable), Problem> {
    if ask.path().starts_with("/stock/") {
        return ask.walk();
    }
    let none = || Problem::unknown("the server was not started with a variant; ask below /stock/MECHANISM/VARIANT");
    let (mechanism, variant) = ask.app.catalogue.start.as_ref().ok_or_else(none)?;
    let (mechanism, variant) = ask.find(mechanism, variant)?;
    Ok((mechanism, variant, variant.walk.as_deref().ok_or_else(none)?))
}

fn properties(ask: &Ask, mechanism: &Mechanism, walk: &dyn Walkable) -> Vec<StockProperty> {
    let found = ask.app.searches.found(&mechanism.name, walk.name());
    let discovery = |name: &str| {
        let property = found.as_ref()?.properties.iter().find(|property| property.name == name)?;
        property.fingerprints.clone()
    };
    let words = walk.properties().into_iter();
    let stock = words.map(|words| {
        let expectation = if words.witness { "Sometimes" } else { "Always" };
        (expectation, words.name.to_string(), discovery(words.name))
    });
    stock.collect()
}

fn status(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, variant, walk) = find(ask)?;
    let status = ask.app.searches.status(&mechanism.name, &variant.name);
    let transitions = status.found.as_ref().map_or(status.states, |found| found.transitions);
    Ok(axum::Json(json!({
        // Done means that everything was seen; Stateright's is also true after a limit.
        "done": status.found.as_ref().is_some_and(|found| found.limit.is_none()),
        "model": format!("{}/{}", mechanism.name, variant.name),
        "state_count": transitions,
        "unique_state_count": status.states,
        "max_depth": status.depth,
        "properties": properties(ask, mechanism, walk),
        "recent_path": null,
    }))
    .into_response())
}

fn states(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, _, walk) = find(ask)?;
    let prefix = if ask.path().starts_with("/stock/") { 2 } else { 0 };
    let path = ask.name(prefix).trim_end_matches('/');
    let address = if path.is_empty() {
        Vec::new()
    } else {
        address::parse(path, '/', ask.app.limits.depth).map_err(Problem::bad)?
    };
    let mut states = walk.stock_states(&address)?;
    let properties = properties(ask, mechanism, walk);
    for state in &mut states {
        state.properties.clone_from(&properties);
    }
    Ok(axum::Json(states).into_response())
}

fn run(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, variant, _) = find(ask)?;
    Searches::start(&ask.app, &mechanism.name, &variant.name).map_err(busy)?;
    Ok(().into_response())
}
