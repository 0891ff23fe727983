//! The walk: a state in tables, what the last step changed, the steps that are possible, and the run so far.

use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use minijinja::{Value, context};
use reports::timeline::{Change, Table};
use serde::Serialize;

use super::{lines, others, render, words};
use crate::address::written;
use crate::ask::Ask;
use crate::links::Links;
use crate::problem::Problem;
use crate::searches::Key;
use crate::sequence;

/// Steps of a random walk, if the address does not say.
const RANDOM_STEPS: u64 = 30;

/// The position shown, and the whole run on which it lies.
pub(super) struct Position {
    pub(super) trace: Vec<usize>,
    pub(super) step: usize,
}

impl Position {
    pub(super) fn of(ask: &Ask) -> Result<Self, Problem> {
        let trace = ask.at()?;
        let last = trace.len() as u64 - 1;
        let step = ask.number("pos", last, last)?;
        Ok(Self { step: usize::try_from(step).unwrap_or(0), trace })
    }

    pub(super) fn shown(&self) -> &[usize] {
        &self.trace[..=self.step]
    }

    /// The query for another step of the run.
    pub(super) fn query(&self, step: usize) -> String {
        let at = written(&self.trace);
        if step + 1 == self.trace.len() { format!("at={at}") } else { format!("at={at}&pos={step}") }
    }
}

pub(super) fn page(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, variant, walk) = ask.walk()?;
    let walk = walk.as_ref();
    let (key, links) = (Key::of(&mechanism.name, walk), Links::of(&mechanism.name, walk));
    let position = Position::of(ask)?;
    let seed = ask.value("seed")?;
    let whole = walk.walk(&position.trace)?;
    let shown = walk.walk(position.shown())?;
    let lanes = walk.lanes()?;
    let jumps: Vec<String> = (0..position.trace.len()).map(|step| links.to("walk", &position.query(step))).collect();
    let here = written(position.shown());
    let broken = shown.broken_at.last().cloned().unwrap_or_default();
    let options: Vec<Value> = shown
        .options
        .iter()
        .map(|option| {
            let on_trace = position.trace.get(position.step + 1) == Some(&option.index);
            let link = match jumps.get(position.step + 1).filter(|_| on_trace) {
                Some(jump) => jump.clone(),
                None => links.to("walk", &format!("at={here}.{}", option.index)),
            };
            let (still, newly): (Vec<&str>, Vec<&str>) = option.breaks.iter().partition(|name| broken.contains(name));
            context! { lane_name => lanes.get(option.lane), on_trace, link, still, newly, ..Value::from_serialize(option) }
        })
        .collect();
    let changed = shown.events.last().map(|event| event.changes.as_slice()).unwrap_or_default();
    let drawing = sequence::drawing(
        &lanes,
        &whole,
        &sequence::Style { title: None, links: Some(&jumps), current: Some(position.step) },
    );
    let (others, foreign) = others(mechanism, walk);
    let values = context! {
        at => written(&position.trace), here, step => position.step, steps => whole.events.len(),
        event => shown.events.last(), lanes, panels => panels(&shown.tables, changed), options, jumps, seed,
        properties => lines(&ask.app, variant, &key, walk.properties(), &shown.properties),
        broken, broken_at => whole.broken_at, is_final => shown.is_final, initial_states => shown.initial_states,
        start => position.trace[0], starts => (0..shown.initial_states.min(40)).map(|n| links.to("walk", &format!("at={n}"))).collect::<Vec<_>>(),
        debug => shown.debug, next_seed => seed.parse::<u64>().unwrap_or(0).wrapping_add(1) % 1_000_000,
        others, foreign, with => walk.compare_with(), drawing => Value::from_safe_string(drawing),
        ..words(ask, mechanism, variant, &key, &links)
    };
    render(ask, "walk.html", values)
}

/// A table of the state, with what the last step changed.
#[derive(Serialize)]
struct Panel<'s> {
    title: &'s str,
    lane: Option<usize>,
    rows: Vec<PanelRow<'s>>,
    changed: usize,
}

#[derive(Serialize)]
struct PanelRow<'s> {
    name: &'s str,
    value: &'s str,
    before: Option<&'s str>,
}

fn panels<'s>(tables: &'s [Table], changes: &'s [Change]) -> Vec<Panel<'s>> {
    let of_table = |table: &'s Table| {
        let row = |(name, value): &'s (String, String)| {
            let change = changes.iter().find(|change| change.table == table.title && change.row == *name);
            PanelRow { name, value, before: change.map(|change| change.before.as_str()) }
        };
        let rows: Vec<PanelRow<'s>> = table.rows.iter().map(row).collect();
        let changed = rows.iter().filter(|row| row.before.is_some()).count();
        Panel { title: &table.title, lane: table.lane, rows, changed }
    };
    tables.iter().map(of_table).collect()
}

pub(super) fn random(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, _, walk) = ask.walk()?;
    let seed = ask.number("seed", 1, 999_999)?;
    let length = ask.number("length", RANDOM_STEPS, ask.app.limits.depth as u64)?;
    let address = walk.random(seed, usize::try_from(length).unwrap_or(0))?;
    let query = format!("at={}&seed={seed}", written(&address));
    Ok(Redirect::to(&Links::of(&mechanism.name, walk.as_ref()).to("walk", &query)).into_response())
}

pub(super) fn timeline(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, variant, walk) = ask.walk()?;
    let shown = walk.walk(&ask.at()?)?;
    let title = format!("{}/{} ({})", mechanism.name, variant.name, walk.size());
    let style = sequence::Style { title: Some(&title), links: None, current: None };
    let drawing = sequence::drawing(&walk.lanes()?, &shown, &style);
    let name = format!("attachment; filename=\"{}-{}.svg\"", mechanism.name, variant.name);
    let headers = [(header::CONTENT_TYPE, "image/svg+xml".to_string()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, drawing).into_response())
}
