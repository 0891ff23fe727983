//! The routes for programs; `docs/explorer.md` describes them.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use crate::App;
use crate::address::written;
use crate::ask::{Ask, answer};
use crate::pages::{busy, row};
use crate::problem::Problem;
use crate::searches::Searches;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/catalogue", get(async |ask: Ask| answer(ask, catalogue).await))
        .route("/api/variant/{mechanism}/{variant}", get(async |ask: Ask| answer(ask, variant).await))
        .route("/api/walk/{mechanism}/{variant}", get(async |ask: Ask| answer(ask, walk).await))
        .route("/api/random/{mechanism}/{variant}", get(async |ask: Ask| answer(ask, random).await))
        .route("/api/compare/{mechanism}/{variant}", get(async |ask: Ask| answer(ask, compare).await))
        .route("/api/graph/{mechanism}/{variant}", get(async |ask: Ask| answer(ask, graph).await))
        .route("/api/search/{mechanism}/{variant}", get(async |ask: Ask| answer(ask, search).await))
        .route("/api/search/{mechanism}/{variant}/start", post(async |ask: Ask| answer(ask, start).await))
        .route("/api/search/{mechanism}/{variant}/stop", post(async |ask: Ask| answer(ask, stop).await))
        .route("/api/searches", get(async |ask: Ask| answer(ask, searches).await))
}

fn catalogue(ask: &Ask) -> Result<Response, Problem> {
    let mechanisms = ask.app.catalogue.mechanisms.iter().map(|mechanism| {
        let rows: Vec<_> = mechanism.variants.iter().map(|variant| row(&ask.app, mechanism, variant)).collect();
        json!({ "name": mechanism.name, "title": mechanism.title, "question": mechanism.question,
                "source": mechanism.source, "variants": rows })
    });
    Ok(Json(json!({ "mechanisms": mechanisms.collect::<Vec<_>>() })).into_response())
}

fn variant(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, variant, walk) = ask.walk()?;
    Ok(Json(json!({
        "mechanism": mechanism.name, "variant": variant.name, "what": variant.what, "origin": variant.origin,
        "compare_with": variant.compare_with, "expected_broken": variant.expected_broken,
        "expected_unseen": variant.expected_unseen, "why": variant.why, "size": walk.size(), "lanes": walk.lanes()?,
        "properties": walk.properties(), "kinds": walk.kinds(), "config": walk.config(),
    }))
    .into_response())
}

fn walk(ask: &Ask) -> Result<Response, Problem> {
    let (_, _, walk) = ask.walk()?;
    Ok(Json(walk.walk(&ask.at()?)?).into_response())
}

fn random(ask: &Ask) -> Result<Response, Problem> {
    let (_, _, walk) = ask.walk()?;
    let seed = ask.number("seed", 1, 999_999)?;
    let length = ask.number("length", 30, ask.app.limits.depth as u64)?;
    let address = walk.random(seed, usize::try_from(length).unwrap_or(0))?;
    Ok(Json(json!({ "seed": seed, "at": written(&address) })).into_response())
}

fn compare(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, _, walk) = ask.walk()?;
    let name = ask.value("with")?;
    let name = if name.is_empty() { walk.compare_with() } else { name };
    let other = ask.find(&mechanism.name, name)?.1.walk.as_deref();
    let compared = other.map(|other| walk.compare(&ask.at()?, other).map_err(Problem::from)).transpose()?.flatten();
    let compared = compared.ok_or_else(|| Problem::bad(format!("{name} is not of the same machine")))?;
    Ok(Json(compared).into_response())
}

fn graph(ask: &Ask) -> Result<Response, Problem> {
    let (_, _, walk) = ask.walk()?;
    Ok(Json(walk.graph(&ask.at()?, ask.app.limits.graph, ask.app.limits.neighbourhood)?).into_response())
}

fn search(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, variant, _) = ask.walk()?;
    Ok(Json(ask.app.searches.status(&mechanism.name, &variant.name)).into_response())
}

fn start(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, variant, _) = ask.walk()?;
    Searches::start(&ask.app, &mechanism.name, &variant.name).map_err(busy)?;
    search(ask)
}

fn stop(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, variant, _) = ask.walk()?;
    ask.app.searches.stop(&mechanism.name, &variant.name);
    search(ask)
}

fn searches(ask: &Ask) -> Result<Response, Problem> {
    Ok(Json(json!({ "running": ask.app.searches.running() })).into_response())
}
