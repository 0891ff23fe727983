//! The background search of a variant: started, watched, stopped, and where its buttons lead.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use minijinja::context;

use super::{lines, render, words};
use crate::address::written;
use crate::ask::{Ask, clip};
use crate::links::Links;
use crate::problem::Problem;
use crate::searches::{Busy, Key, Work};
use crate::walkable::Walkable;

/// How long a button may wait for a search before it shows the page with its progress.
const PATIENCE: Duration = Duration::from_millis(1500);
/// The goal that any broken property meets: the shortest counterexample of all.
const ANY: &str = "counterexample";

pub(super) fn page(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, variant, walk) = ask.walk()?;
    let walk = walk.as_ref();
    let (key, links) = (Key::of(&mechanism.name, walk), Links::of(&mechanism.name, walk));
    let goal = goal(ask, walk)?;
    let status = ask.app.searches.status(&key);
    if !goal.is_empty()
        && status.state == "done"
        && let Some(to) = destination(ask, &key, &links, goal)
    {
        return Ok(Redirect::to(&to).into_response());
    }
    let properties = lines(&ask.app, variant, &key, walk.properties(), &[]);
    let running: Vec<Key> = ask.app.searches.running().into_iter().filter(|other| *other != key).collect();
    let values = context! {
        goal, status, properties, kinds => walk.kinds(), running, at_once => ask.app.limits.search.at_once,
        ..words(ask, mechanism, variant, &key, &links)
    };
    render(ask, "search.html", values)
}

fn goal<'a>(ask: &'a Ask, walk: &dyn Walkable) -> Result<&'a str, Problem> {
    let goal = ask.value("goal")?;
    if !goal.is_empty() && goal != ANY && !walk.properties().iter().any(|property| property.name == goal) {
        return Err(Problem::unknown(format!("there is no property '{}'", clip(goal))));
    }
    Ok(goal)
}

/// Where the run to a goal is shown, if the search has found it.
fn destination(ask: &Ask, key: &Key, links: &Links, goal: &str) -> Option<String> {
    let found = ask.app.searches.found(key)?;
    let wanted = found.properties.iter().filter(|p| if goal == ANY { p.verdict == "BROKEN" } else { p.name == goal });
    let address = wanted.filter_map(|p| p.address.as_ref()).min_by_key(|address| address.len())?;
    Some(links.to("walk", &format!("at={}", written(address))))
}

pub(super) fn start(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, _, walk) = ask.walk()?;
    let (key, links) = (Key::of(&mechanism.name, walk.as_ref()), Links::of(&mechanism.name, walk.as_ref()));
    let goal = goal(ask, walk.as_ref())?;
    let job = ask.app.searches.start(&key, Work::States(Arc::clone(walk))).map_err(busy)?;
    if goal.is_empty() {
        return Ok(Redirect::to(&links.to("search", "")).into_response());
    }
    job.wait(PATIENCE);
    let to = destination(ask, &key, &links, goal);
    let to = to.unwrap_or_else(|| links.to("search", &format!("goal={goal}")));
    Ok(Redirect::to(&to).into_response())
}

pub(crate) fn busy(Busy(running): Busy) -> Problem {
    let names: Vec<String> = running.iter().map(|key| format!("{}/{}", key.mechanism, key.variant)).collect();
    let message = format!("{} searches are running ({}); wait or stop one", names.len(), names.join(", "));
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", message)
}

pub(super) fn stop(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, _, walk) = ask.walk()?;
    let (key, links) = (Key::of(&mechanism.name, walk.as_ref()), Links::of(&mechanism.name, walk.as_ref()));
    ask.app.searches.stop(&key);
    Ok(Redirect::to(&links.to("search", "")).into_response())
}
