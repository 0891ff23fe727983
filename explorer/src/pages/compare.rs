//! Two variants of one machine side by side, under the same steps.

use axum::response::Response;
use minijinja::{Value, context};

use super::walk::Position;
use super::{lines, others, render, words};
use crate::address::written;
use crate::ask::Ask;
use crate::links::Links;
use crate::problem::Problem;
use crate::searches::Key;
use crate::walkable::Comparison;

pub(super) fn page(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, variant, walk) = ask.walk()?;
    let walk = walk.as_ref();
    let (key, links) = (Key::of(&mechanism.name, walk), Links::of(&mechanism.name, walk));
    let (others, foreign) = others(mechanism, walk);
    // The form that holds may be of another machine; then the first variant that is not.
    let name = match ask.value("with")? {
        "" if others.contains(&walk.compare_with()) || walk.compare_with() == walk.name() => walk.compare_with(),
        "" => others.first().copied().unwrap_or(walk.name()),
        name => name,
    };
    let position = Position::of(ask)?;
    let (_, other) = ask.find(&mechanism.name, name)?;
    let there = other.walk.as_deref().ok_or_else(|| not_comparable(name))?;
    let whole = walk.compare(&position.trace, there)?.ok_or_else(|| not_comparable(name))?;
    let now = walk.compare(position.shown(), there)?.ok_or_else(|| not_comparable(name))?;
    let with = format!("&with={}", other.name);
    let jumps: Vec<String> =
        (0..position.trace.len()).map(|step| links.to("compare", &(position.query(step) + &with))).collect();
    let stopped = whole.followed < whole.left.events.len();
    let cannot = stopped.then_some(whole.followed + 1);
    let here = written(position.shown());
    let broken = now.left.broken_at.last().cloned().unwrap_or_default();
    let option = |option| {
        let option: &crate::StepOption = option;
        let link = links.to("compare", &format!("at={here}.{}{with}", option.index));
        let (still, newly): (Vec<&str>, Vec<&str>) = option.breaks.iter().partition(|name| broken.contains(name));
        context! { link, still, newly, ..Value::from_serialize(option) }
    };
    let options: Vec<Value> = now.left.options.iter().map(option).collect();
    let left = lines(&ask.app, variant, &key, walk.properties(), &now.left.properties);
    let right_key = Key { variant: other.name.clone(), ..key.clone() };
    let right = lines(&ask.app, other, &right_key, there.properties(), &now.right.properties);
    let properties: Vec<Value> = left
        .iter()
        .zip(&right)
        .map(|(left, right)| context! { left, right, differ => left.truth != right.truth })
        .collect();
    let values = context! {
        with => other.name, with_what => other.what, at => written(&position.trace), here,
        there => written(&now.right.address), step => position.step, steps => whole.left.events.len(),
        events => whole.left.events, lanes => walk.lanes()?, jumps, followed => whole.followed, stopped, cannot,
        followed_now => now.followed, diverges => whole.states_differ_at.into_iter().chain(cannot).min(),
        tables => tables(&now), options, others, foreign, properties,
        broken_left => whole.left.broken_at, broken_right => whole.right.broken_at,
        there_link => Links::of(&mechanism.name, at_size_of(there, walk)?.as_ref()).function(),
        ..words(ask, mechanism, variant, &key, &links)
    };
    render(ask, "compare.html", values)
}

/// The other variant at the size of this one, at which the two are compared.
fn at_size_of(
    there: &dyn crate::Walkable,
    walk: &dyn crate::Walkable,
) -> Result<std::sync::Arc<dyn crate::Walkable>, Problem> {
    there.at_size(&walk.size()).map_err(Problem::bad)
}

fn not_comparable(name: &str) -> Problem {
    Problem::bad(format!("{name} is of another machine, with other steps: the two cannot take the same steps"))
}

/// The tables of both states, row by row.
fn tables(now: &Comparison) -> Vec<Value> {
    let table = |(left, right): (&reports::timeline::Table, &reports::timeline::Table)| {
        let row = |((name, l), (_, r)): (&(String, String), &(String, String))| {
            context! { name, left => l, right => r, differ => l != r }
        };
        let rows: Vec<Value> = left.rows.iter().zip(&right.rows).map(row).collect();
        let differ = left.rows.iter().zip(&right.rows).any(|(left, right)| left != right);
        context! { title => left.title, lane => left.lane, rows, differ }
    };
    now.left.tables.iter().zip(&now.right.tables).map(table).collect()
}
