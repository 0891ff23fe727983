//! The page of a variant: what it is, its properties, and the difference to the form that holds.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use minijinja::context;

use super::{lines, render, words};
use crate::App;
use crate::address::written;
use crate::arithmetic::Arithmetic;
use crate::ask::Ask;
use crate::catalogue::{Mechanism, Variant};
use crate::links::Links;
use crate::problem::Problem;
use crate::searches::{Key, Work};
use crate::walkable::{Differences, Walkable};

/// How long the page of an arithmetic variant may wait for its inputs to be looked at.
const PATIENCE: Duration = Duration::from_millis(1000);

pub(super) fn page(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, variant) = ask.variant()?;
    if variant.walk.is_none() {
        return without_states(ask, mechanism, variant);
    }
    let (_, _, walk) = ask.walk()?;
    let walk = walk.as_ref();
    let (key, links) = (Key::of(&mechanism.name, walk), Links::of(&mechanism.name, walk));
    let shown = walk.walk(&ask.at()?)?;
    let properties = lines(&ask.app, variant, &key, walk.properties(), &shown.properties);
    let with = walk.compare_with();
    let own = with == walk.name();
    let differences = if own { None } else { differences(ask, mechanism, walk, &key, with)? };
    let firsts: Vec<String> = differences.iter().flat_map(|d| &d.kinds).map(|kind| written(&kind.first)).collect();
    let values = context! {
        walkable => true, at => written(&shown.address), steps => shown.events.len(),
        properties, with, own, differences => differences.as_deref(), firsts, kinds => walk.kinds(),
        config => walk.config(), quick_size => walk.quick_size(),
        ..words(ask, mechanism, variant, &key, &links)
    };
    render(ask, "variant.html", values)
}

/// The difference to another variant, worked out once.
fn differences(
    ask: &Ask,
    mechanism: &Mechanism,
    walk: &dyn Walkable,
    key: &Key,
    with: &str,
) -> Result<Option<Arc<Differences>>, Problem> {
    let entry = (key.clone(), with.to_string());
    let known = |app: &App| app.differences.lock().ok().and_then(|known| known.get(&entry).cloned());
    if let Some(known) = known(&ask.app) {
        return Ok(Some(known));
    }
    let Some(other) = ask.find(&mechanism.name, with)?.1.walk.as_deref() else { return Ok(None) };
    let found = walk.differences(other, ask.app.limits.differences)?.map(Arc::new);
    if let (Some(found), Ok(mut known)) = (&found, ask.app.differences.lock()) {
        // Sizes can be asked for without end.
        if known.len() >= ask.app.limits.search.kept {
            known.clear();
        }
        known.insert(entry, Arc::clone(found));
    }
    Ok(found)
}

fn without_states(ask: &Ask, mechanism: &Mechanism, variant: &Variant) -> Result<Response, Problem> {
    let key = Key::without_size(&mechanism.name, &variant.name);
    let links = Links::without_size(&mechanism.name, &variant.name);
    let mut wait = None;
    if let Some(arithmetic) = variant.arithmetic
        && ask.app.searches.found(&key).is_none()
    {
        match ask.app.searches.start(&key, Work::Inputs(arithmetic)) {
            Ok(job) => job.wait(PATIENCE),
            Err(busy) => wait = Some(super::busy(busy).message),
        }
        if wait.is_none() && ask.app.searches.found(&key).is_none() {
            wait = Some("The inputs are being looked at; reload this page in a moment.".to_string());
        }
    }
    let claims = variant.arithmetic.map(|arithmetic| arithmetic.properties()).unwrap_or_default();
    let properties = lines(&ask.app, variant, &key, claims, &[]);
    let here = config(variant);
    let other = mechanism.variants.iter().find(|other| other.name == variant.compare_with);
    let there = other.map(config).unwrap_or_default();
    let values = context! {
        walkable => false, properties, wait, with => variant.compare_with, own => variant.compare_with == variant.name,
        switches => crate::differences::switches(&here, &there), config => here,
        ..words(ask, mechanism, variant, &key, &links)
    };
    render(ask, "variant.html", values)
}

/// The switches of an arithmetic variant.
fn config(variant: &Variant) -> Vec<(String, String)> {
    variant.arithmetic.as_ref().map(Arithmetic::config).unwrap_or_default()
}
