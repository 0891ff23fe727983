//! The pages for people: the routes, and what several pages have in common.

mod catalogue;
mod compare;
mod graph;
mod search;
mod variant;
mod walk;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use minijinja::{Value, context};
use serde::Serialize;

use crate::ask::{Ask, answer};
use crate::catalogue::{Mechanism, Variant};
use crate::known::{known, summary};
use crate::links::Links;
use crate::problem::Problem;
use crate::searches::Key;
use crate::walkable::{PropertyWords, Truth, Walkable};
use crate::{App, guard, templates};

pub(crate) use catalogue::rows;
pub(crate) use search::busy;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(async |ask: Ask| answer(ask, catalogue::page).await))
        .route("/static/explorer.css", get(async || asset(templates::STYLE, "text/css; charset=utf-8")))
        .route("/static/explorer.js", get(async || asset(templates::SCRIPT, "text/javascript; charset=utf-8")))
        .route("/static/icon.svg", get(async || asset(templates::ICON, "image/svg+xml")))
        .route("/variant/{mechanism}/{variant}", get(async |ask: Ask| answer(ask, variant::page).await))
        .route("/walk/{mechanism}/{variant}", get(async |ask: Ask| answer(ask, walk::page).await))
        .route("/random/{mechanism}/{variant}", get(async |ask: Ask| answer(ask, walk::random).await))
        .route("/timeline/{mechanism}/{variant}", get(async |ask: Ask| answer(ask, walk::timeline).await))
        .route("/compare/{mechanism}/{variant}", get(async |ask: Ask| answer(ask, compare::page).await))
        .route("/graph/{mechanism}/{variant}", get(async |ask: Ask| answer(ask, graph::page).await))
        .route("/search/{mechanism}/{variant}", get(async |ask: Ask| answer(ask, search::page).await))
        .route("/search/{mechanism}/{variant}/start", post(async |ask: Ask| answer(ask, search::start).await))
        .route("/search/{mechanism}/{variant}/stop", post(async |ask: Ask| answer(ask, search::stop).await))
}

pub(crate) async fn not_found(State(app): State<Arc<App>>, request: Request) -> Response {
    Problem::unknown("there is no such page").response(&app, guard::wants_json(&request))
}

pub(crate) async fn method_not_allowed(State(app): State<Arc<App>>, request: Request) -> Response {
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "this page is not asked for in this way");
    problem.response(&app, guard::wants_json(&request))
}

fn asset(text: &'static str, kind: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}

fn render(ask: &Ask, template: &str, values: Value) -> Result<Response, Problem> {
    let html = ask.app.templates.get_template(template)?.render(values)?;
    Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response())
}

/// What every page of a variant says about it.
fn words(ask: &Ask, mechanism: &Mechanism, variant: &Variant, key: &Key, links: &Links) -> Value {
    context! {
        mechanism => mechanism.name, title => mechanism.title, question => mechanism.question,
        source => mechanism.source, assumptions => mechanism.assumptions,
        variant => variant.name, what => variant.what, origin => variant.origin, why => variant.why,
        summary => summary(&ask.app, key, variant), size => key.size,
        link => links.function(), link_size => links.size(),
    }
}

/// A property on the state shown, and everywhere.
#[derive(Serialize)]
struct Line {
    name: &'static str,
    witness: bool,
    says: &'static str,
    stated_at: String,
    /// Empty if there is no state.
    truth: &'static str,
    message: Option<String>,
    verdict: Option<String>,
    /// Whether the verdict is the expected one.
    as_expected: bool,
    length: Option<usize>,
    numbers: Option<Value>,
}

/// The properties of a variant; `truths` are those of a state.
fn lines(app: &App, variant: &Variant, key: &Key, words: Vec<PropertyWords>, truths: &[Truth]) -> Vec<Line> {
    let known = known(app, key, variant);
    let line = |(place, words): (usize, PropertyWords)| {
        let result = known.as_ref().and_then(|known| known.properties.iter().find(|p| p.name == words.name));
        let listed = |names: &[String]| names.iter().any(|name| name == words.name);
        let expected = match words.witness {
            false if listed(&variant.expected_broken) => "BROKEN",
            false => "HOLDS",
            true if listed(&variant.expected_unseen) => "UNSEEN",
            true => "SEEN",
        };
        let numbers = result.and_then(|result| result.numbers.as_ref());
        Line {
            truth: match (truths.get(place), words.witness) {
                (Some(Truth::True), false) => "holds",
                (Some(Truth::False), false) => "broken",
                (Some(Truth::True), true) => "seen",
                (Some(Truth::False), true) => "not-here",
                (Some(Truth::Panicked(_)), _) => "panicked",
                (None, _) => "",
            },
            message: if let Some(Truth::Panicked(message)) = truths.get(place) { Some(message.clone()) } else { None },
            as_expected: result.is_none_or(|result| result.verdict == expected),
            verdict: result.map(|result| result.verdict.clone()),
            length: result.and_then(|result| result.length),
            numbers: numbers
                .map(|n| context! { inputs => n.inputs, observed => n.observed, broken => n.broken, of => n.of }),
            name: words.name,
            witness: words.witness,
            says: words.says,
            stated_at: words.stated_at,
        }
    };
    words.into_iter().enumerate().map(line).collect()
}

/// The other variants of the mechanism that are of the same machine, and those that are not.
fn others<'m>(mechanism: &'m Mechanism, walk: &dyn Walkable) -> (Vec<&'m str>, Vec<&'m str>) {
    let others = mechanism.variants.iter().filter(|other| other.name != walk.name());
    let same = |other: &&Variant| other.walk.as_ref().is_some_and(|other| walk.is_same_machine(other.as_ref()));
    let (same, foreign): (Vec<&Variant>, Vec<&Variant>) = others.partition(same);
    (same.into_iter().map(|v| v.name.as_str()).collect(), foreign.into_iter().map(|v| v.name.as_str()).collect())
}
