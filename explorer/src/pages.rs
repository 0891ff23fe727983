//! The pages for people.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use minijinja::{Value, context};
use serde::Serialize;

use crate::address::written;
use crate::ask::{Ask, answer};
use crate::catalogue::{Mechanism, Variant};
use crate::problem::Problem;
use crate::searches::{Busy, Searches};
use crate::walkable::{Differences, Truth, Walk, Walkable};
use crate::{App, graph, guard, sequence, templates};

/// How long a button may wait for a search before it shows the page with its progress.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Steps of a random walk, if the address does not say.
const RANDOM_STEPS: u64 = 30;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(async |ask: Ask| answer(ask, catalogue).await))
        .route("/static/explorer.css", get(async || asset(templates::STYLE, "text/css; charset=utf-8")))
        .route("/static/explorer.js", get(async || asset(templates::SCRIPT, "text/javascript; charset=utf-8")))
        .route("/static/icon.svg", get(async || asset(templates::ICON, "image/svg+xml")))
        .route("/variant/{mechanism}/{variant}", get(async |ask: Ask| answer(ask, variant).await))
        .route("/walk/{mechanism}/{variant}", get(async |ask: Ask| answer(ask, walk).await))
        .route("/random/{mechanism}/{variant}", get(async |ask: Ask| answer(ask, random).await))
        .route("/compare/{mechanism}/{variant}", get(async |ask: Ask| answer(ask, compare).await))
        .route("/graph/{mechanism}/{variant}", get(async |ask: Ask| answer(ask, graph_page).await))
        .route("/timeline/{mechanism}/{variant}", get(async |ask: Ask| answer(ask, timeline).await))
        .route("/search/{mechanism}/{variant}", get(async |ask: Ask| answer(ask, search).await))
        .route("/search/{mechanism}/{variant}/start", post(async |ask: Ask| answer(ask, start).await))
        .route("/search/{mechanism}/{variant}/stop", post(async |ask: Ask| answer(ask, stop).await))
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

fn page(ask: &Ask, template: &str, values: Value) -> Result<Response, Problem> {
    let html = ask.app.templates.get_template(template)?.render(values)?;
    Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response())
}

/// A row of the catalogue.
#[derive(Serialize)]
pub(crate) struct Row {
    name: String,
    what: String,
    origin: String,
    verdict: String,
    expected: String,
    as_expected: Option<bool>,
    engine: String,
    states: Option<u64>,
    length: Option<usize>,
    walkable: bool,
}

/// What is known about a variant: from a search of this server, or from an earlier run.
pub(crate) fn row(app: &App, mechanism: &Mechanism, variant: &Variant) -> Row {
    let mut row = Row {
        name: variant.name.clone(),
        what: variant.what.clone(),
        origin: variant.origin.clone(),
        verdict: "not searched".to_string(),
        expected: variant.expected(),
        as_expected: None,
        engine: if variant.walk.is_some() { "exact" } else { "enumerate" }.to_string(),
        states: None,
        length: None,
        walkable: variant.walk.is_some(),
    };
    if let Some(found) = app.searches.found(&mechanism.name, &variant.name) {
        let named = |word: &str| -> Vec<&str> {
            found.properties.iter().filter(|p| p.verdict == word).map(|p| p.name).collect()
        };
        let (broken, unseen) = (named("BROKEN"), named("UNSEEN"));
        row.verdict = match (found.limit.is_some(), broken.is_empty()) {
            (_, false) => format!("BROKEN {}", broken.join(", ")),
            (true, true) => "UNDECIDED".to_string(),
            (false, true) if unseen.is_empty() => "HOLDS".to_string(),
            (false, true) => format!("UNSEEN {}", unseen.join(", ")),
        };
        let same = |found: &[&str], expected: &[String]| {
            found.len() == expected.len() && found.iter().all(|name| expected.iter().any(|e| e == name))
        };
        let as_expected = same(&broken, &variant.expected_broken) && same(&unseen, &variant.expected_unseen);
        row.as_expected = found.limit.is_none().then_some(as_expected);
        row.states = Some(found.states);
        let lengths = found.properties.iter().filter(|p| p.verdict == "BROKEN").filter_map(|p| p.address.as_ref());
        row.length = lengths.map(|address| address.len() - 1).min();
    } else if let Some(pinned) = &variant.pinned {
        row.verdict.clone_from(&pinned.verdict);
        row.engine = format!("{}, earlier run", pinned.engine);
        row.states = Some(pinned.states);
        row.length = pinned.length;
    }
    row
}

fn catalogue(ask: &Ask) -> Result<Response, Problem> {
    let query = ask.value("q")?;
    let show = ask.value("show")?;
    if !matches!(show, "" | "broken" | "holds") {
        return Err(Problem::bad("'show' takes broken or holds"));
    }
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let only = ask.value("mechanism")?;
    let mut shown = 0;
    let mut mechanisms = Vec::new();
    for mechanism in ask.app.catalogue.mechanisms.iter().filter(|m| only.is_empty() || m.name == only) {
        let wanted = |variant: &&Variant| {
            let text =
                format!("{} {} {} {}", mechanism.name, variant.name, variant.what, variant.origin).to_lowercase();
            let breaks = !variant.expected_broken.is_empty();
            words.iter().all(|word| text.contains(word)) && (show.is_empty() || breaks == (show == "broken"))
        };
        let rows: Vec<Row> = mechanism.variants.iter().filter(wanted).map(|v| row(&ask.app, mechanism, v)).collect();
        shown += rows.len();
        mechanisms.push(context! {
            name => mechanism.name, title => mechanism.title, question => mechanism.question,
            source => mechanism.source, all => mechanism.variants.len(), rows,
        });
    }
    let names: Vec<&str> = ask.app.catalogue.mechanisms.iter().map(|m| m.name.as_str()).collect();
    let running = ask.app.searches.running();
    page(ask, "catalogue.html", context! { query, show, only, names, mechanisms, shown, running })
}

/// A property on the state shown.
#[derive(Serialize)]
struct Line {
    name: &'static str,
    witness: bool,
    says: &'static str,
    stated_at: String,
    truth: &'static str,
    message: Option<String>,
    verdict: Option<&'static str>,
    length: Option<usize>,
    at: Option<String>,
}

fn lines(ask: &Ask, mechanism: &Mechanism, walk: &dyn Walkable, shown: &Walk) -> Vec<Line> {
    let found = ask.app.searches.found(&mechanism.name, walk.name());
    let words = walk.properties().into_iter().zip(&shown.properties);
    let line = |(words, truth): (crate::PropertyWords, &Truth)| {
        let result = found.as_ref().and_then(|found| found.properties.iter().find(|p| p.name == words.name));
        let address = result.and_then(|result| result.address.as_ref());
        Line {
            truth: match (truth, words.witness) {
                (Truth::True, false) => "holds",
                (Truth::False, false) => "broken",
                (Truth::True, true) => "seen",
                (Truth::False, true) => "not-here",
                (Truth::Panicked(_), _) => "panicked",
            },
            message: if let Truth::Panicked(message) = truth { Some(message.clone()) } else { None },
            verdict: result.map(|result| result.verdict),
            length: address.map(|address| address.len() - 1),
            at: address.map(|address| written(address)),
            name: words.name,
            witness: words.witness,
            says: words.says,
            stated_at: words.stated_at,
        }
    };
    words.map(line).collect()
}

/// The difference to the form that holds, worked out once.
fn differences(
    ask: &Ask,
    mechanism: &Mechanism,
    walk: &dyn Walkable,
    with: &str,
) -> Result<Option<Arc<Differences>>, Problem> {
    let key = (mechanism.name.clone(), walk.name().to_string(), with.to_string());
    let known = |app: &App| app.differences.lock().ok().and_then(|known| known.get(&key).cloned());
    if let Some(known) = known(&ask.app) {
        return Ok(Some(known));
    }
    let Some(other) = ask.find(&mechanism.name, with)?.1.walk.as_deref() else { return Ok(None) };
    let found = walk.differences(other, ask.app.limits.differences)?.map(Arc::new);
    if let (Some(found), Ok(mut known)) = (&found, ask.app.differences.lock()) {
        known.insert(key, Arc::clone(found));
    }
    Ok(found)
}

fn variant(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, variant) = ask.variant()?;
    let common = words(ask, mechanism, variant);
    let Some(walk) = variant.walk.as_deref() else {
        return page(ask, "variant.html", context! { walkable => false, ..common });
    };
    let at = ask.at()?;
    let shown = walk.walk(&at)?;
    let properties = lines(ask, mechanism, walk, &shown);
    let with = walk.compare_with();
    let own = with == walk.name();
    let differences = if own { None } else { differences(ask, mechanism, walk, with)? };
    let kinds = walk.kinds();
    let firsts: Vec<String> = differences.iter().flat_map(|d| &d.kinds).map(|kind| written(&kind.first)).collect();
    let values = context! {
        walkable => true, size => walk.size(), at => written(&shown.address), steps => shown.events.len(),
        properties, with, own, differences => differences.as_deref(), firsts, kinds, config => walk.config(),
        status => ask.app.searches.status(&mechanism.name, &variant.name), ..common
    };
    page(ask, "variant.html", values)
}

/// What every page of a variant says about it.
fn words(ask: &Ask, mechanism: &Mechanism, variant: &Variant) -> Value {
    context! {
        mechanism => mechanism.name, title => mechanism.title, question => mechanism.question,
        source => mechanism.source, assumptions => mechanism.assumptions,
        variant => variant.name, what => variant.what, origin => variant.origin, why => variant.why,
        expected => variant.expected(), row => row(&ask.app, mechanism, variant),
    }
}

/// The address shown and the whole trace it lies on.
struct Position {
    trace: Vec<usize>,
    step: usize,
}

impl Position {
    fn of(ask: &Ask) -> Result<Self, Problem> {
        let trace = ask.at()?;
        let last = trace.len() as u64 - 1;
        let step = ask.number("pos", last, last)?;
        Ok(Self { step: usize::try_from(step).unwrap_or(0), trace })
    }

    fn shown(&self) -> &[usize] {
        &self.trace[..=self.step]
    }

    /// The query for another step of the trace.
    fn query(&self, step: usize) -> String {
        let at = written(&self.trace);
        if step + 1 == self.trace.len() { format!("?at={at}") } else { format!("?at={at}&pos={step}") }
    }
}

fn walk(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, variant, walk) = ask.walk()?;
    let position = Position::of(ask)?;
    let seed = ask.value("seed")?;
    let whole = walk.walk(&position.trace)?;
    let shown = walk.walk(position.shown())?;
    let lanes = walk.lanes()?;
    let changed = shown.events.last().map(|event| event.changes.as_slice()).unwrap_or_default();
    let panels = panels(&shown.tables, changed);
    let base = format!("/walk/{}/{}", mechanism.name, variant.name);
    let jumps: Vec<String> = (0..position.trace.len()).map(|step| format!("{base}{}", position.query(step))).collect();
    let here = written(position.shown());
    let options: Vec<Value> = shown.options.iter().map(|option| {
        let matches_trace = position.trace.get(position.step + 1) == Some(&option.index);
        let link = if matches_trace { jumps[position.step + 1].clone() } else { format!("{base}?at={here}.{}", option.index) };
        context! { lane => lanes.get(option.lane), on_trace => matches_trace, link, ..Value::from_serialize(option) }
    }).collect();
    let properties = lines(ask, mechanism, walk, &shown);
    let others: Vec<&str> = mechanism
        .variants
        .iter()
        .filter(|v| v.name != variant.name && v.walk.as_deref().is_some_and(|other| same_machine(walk, other)))
        .map(|v| v.name.as_str())
        .collect();
    let drawing = sequence::drawing(
        &lanes,
        &whole,
        &sequence::Style { title: None, links: Some(&jumps), current: Some(position.step) },
    );
    let values = context! {
        size => walk.size(), at => written(&position.trace), here, step => position.step, steps => whole.events.len(),
        event => shown.events.last(), lanes, panels, options, properties, jumps, seed,
        broken => shown.broken_at.last(), broken_at => whole.broken_at, is_final => shown.is_final,
        initial_states => shown.initial_states, start => position.trace[0], debug => shown.debug,
        next_seed => seed.parse::<u64>().unwrap_or(0).wrapping_add(1) % 1_000_000, others, with => walk.compare_with(),
        drawing => Value::from_safe_string(drawing), status => ask.app.searches.status(&mechanism.name, &variant.name),
        ..words(ask, mechanism, variant)
    };
    page(ask, "walk.html", values)
}

fn same_machine(one: &dyn Walkable, other: &dyn Walkable) -> bool {
    one.as_any().type_id() == other.as_any().type_id()
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

fn panels<'s>(tables: &'s [reports::timeline::Table], changes: &'s [reports::timeline::Change]) -> Vec<Panel<'s>> {
    let of_table = |table: &'s reports::timeline::Table| {
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

fn random(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, variant, walk) = ask.walk()?;
    let seed = ask.number("seed", 1, 999_999)?;
    let length = ask.number("length", RANDOM_STEPS, ask.app.limits.depth as u64)?;
    let address = walk.random(seed, usize::try_from(length).unwrap_or(0))?;
    let to = format!("/walk/{}/{}?at={}&seed={seed}", mechanism.name, variant.name, written(&address));
    Ok(Redirect::to(&to).into_response())
}

fn timeline(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, variant, walk) = ask.walk()?;
    let shown = walk.walk(&ask.at()?)?;
    let title = format!("{}/{} ({})", mechanism.name, variant.name, walk.size());
    let style = sequence::Style { title: Some(&title), links: None, current: None };
    let drawing = sequence::drawing(&walk.lanes()?, &shown, &style);
    let name = format!("attachment; filename=\"{}-{}.svg\"", mechanism.name, variant.name);
    let headers = [(header::CONTENT_TYPE, "image/svg+xml".to_string()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, drawing).into_response())
}

fn compare(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, variant, walk) = ask.walk()?;
    let name = match ask.value("with")? {
        "" => walk.compare_with(),
        name => name,
    };
    let position = Position::of(ask)?;
    let (_, other) = ask.find(&mechanism.name, name)?;
    let foreign = || Problem::bad(format!("{name} is not of the same machine, so the same steps do not exist there"));
    let there = other.walk.as_deref().ok_or_else(foreign)?;
    let whole = walk.compare(&position.trace, there)?.ok_or_else(foreign)?;
    let now = walk.compare(position.shown(), there)?.ok_or_else(foreign)?;
    let base = format!("/compare/{}/{}", mechanism.name, variant.name);
    let jumps: Vec<String> =
        (0..position.trace.len()).map(|step| format!("{base}{}&with={}", position.query(step), other.name)).collect();
    let stopped = whole.followed < whole.left.events.len();
    let cannot = stopped.then_some(whole.followed + 1);
    let diverges = whole.states_differ_at.into_iter().chain(cannot).min();
    let options: Vec<Value> = now
        .left
        .options
        .iter()
        .map(|option| {
            let link = format!("{base}?at={}.{}&with={}", written(position.shown()), option.index, other.name);
            context! { link, ..Value::from_serialize(option) }
        })
        .collect();
    let others: Vec<&str> = mechanism
        .variants
        .iter()
        .filter(|v| v.name != variant.name && v.walk.as_deref().is_some_and(|o| same_machine(walk, o)))
        .map(|v| v.name.as_str())
        .collect();
    let left_lines = lines(ask, mechanism, walk, &now.left);
    let right_lines = lines(ask, mechanism, there, &now.right);
    let differing: Vec<(Value, Value)> = left_lines
        .iter()
        .zip(&right_lines)
        .map(|(l, r)| (Value::from_serialize(l), Value::from_serialize(r)))
        .collect();
    let tables: Vec<Value> = now
        .left
        .tables
        .iter()
        .zip(&now.right.tables)
        .map(|(left, right)| {
            let rows: Vec<Value> = left
                .rows
                .iter()
                .zip(&right.rows)
                .map(|((name, l), (_, r))| context! { name, left => l, right => r, differ => l != r })
                .collect();
            context! { title => left.title, rows }
        })
        .collect();
    let values = context! {
        with => other.name, with_what => other.what, size => walk.size(), at => written(&position.trace), here => written(position.shown()),
        there => written(&now.right.address), step => position.step, steps => whole.left.events.len(),
        events => whole.left.events, lanes => walk.lanes()?, jumps, followed => whole.followed, stopped, cannot,
        followed_now => now.followed, diverges, states_differ_at => whole.states_differ_at, tables, options, others, properties => differing,
        broken_left => whole.left.broken_at, broken_right => whole.right.broken_at,
        ..words(ask, mechanism, variant)
    };
    page(ask, "compare.html", values)
}

fn graph_page(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, variant, walk) = ask.walk()?;
    let at = ask.at()?;
    let limits = ask.app.limits;
    let graph = walk.graph(&at, limits.graph, limits.neighbourhood)?;
    let base = format!("/walk/{}/{}", mechanism.name, variant.name);
    let found = ask.app.searches.found(&mechanism.name, &variant.name);
    let counterexample = found
        .iter()
        .flat_map(|found| &found.properties)
        .filter(|p| p.verdict == "BROKEN")
        .filter_map(|p| Some((p.name, p.address.as_ref()?)))
        .min_by_key(|(_, address)| address.len());
    let drawing = graph::drawing(&graph, &base);
    let values = context! {
        size => walk.size(), at => written(&at), states => graph.nodes.len(), edges => graph.edges.len(), all => graph.all, limit => limits.graph,
        broken => graph.nodes.iter().filter(|node| !node.broken.is_empty()).count(),
        length => graph.counterexample.len().saturating_sub(1), steps => at.len() - 1,
        counterexample => counterexample.map(|(name, address)| context! { name, at => written(address) }),
        drawing => Value::from_safe_string(drawing), ..words(ask, mechanism, variant)
    };
    page(ask, "graph.html", values)
}

fn search(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, variant, walk) = ask.walk()?;
    let goal = ask.value("goal")?;
    let status = ask.app.searches.status(&mechanism.name, &variant.name);
    let shown = walk.walk(&[0])?;
    let properties = lines(ask, mechanism, walk, &shown);
    let goal_line = properties.iter().find(|line| line.name == goal);
    if !goal.is_empty() && goal_line.is_none() && goal != ANY {
        return Err(Problem::unknown(format!("there is no property '{}'", crate::ask::clip(goal))));
    }
    if !goal.is_empty()
        && status.state == "done"
        && let Some(to) = destination(ask, mechanism, variant, goal)
    {
        return Ok(Redirect::to(&to).into_response());
    }
    let running = ask.app.searches.running();
    let values = context! { size => walk.size(), goal, status, properties, kinds => walk.kinds(), running, ..words(ask, mechanism, variant) };
    page(ask, "search.html", values)
}

/// The goal that any broken property meets: the shortest counterexample of all.
const ANY: &str = "counterexample";

/// Where the run to a goal is shown, if the search has found it.
fn destination(ask: &Ask, mechanism: &Mechanism, variant: &Variant, goal: &str) -> Option<String> {
    let found = ask.app.searches.found(&mechanism.name, &variant.name)?;
    let wanted = found.properties.iter().filter(|p| if goal == ANY { p.verdict == "BROKEN" } else { p.name == goal });
    let address = wanted.filter_map(|p| p.address.as_ref()).min_by_key(|address| address.len())?;
    Some(format!("/walk/{}/{}?at={}", mechanism.name, variant.name, written(address)))
}

fn start(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, variant, walk) = ask.walk()?;
    let goal = ask.value("goal")?;
    if !goal.is_empty() && goal != ANY && !walk.properties().iter().any(|p| p.name == goal) {
        return Err(Problem::unknown(format!("there is no property '{}'", crate::ask::clip(goal))));
    }
    let job = Searches::start(&ask.app, &mechanism.name, &variant.name).map_err(busy)?;
    if !goal.is_empty() {
        job.wait(PATIENCE);
    }
    let to = destination(ask, mechanism, variant, goal).filter(|_| !goal.is_empty());
    let query = if goal.is_empty() { String::new() } else { format!("?goal={goal}") };
    let to = to.unwrap_or_else(|| format!("/search/{}/{}{query}", mechanism.name, variant.name));
    Ok(Redirect::to(&to).into_response())
}

pub(crate) fn busy(Busy(running): Busy) -> Problem {
    let message = format!("{} searches are running ({}); wait or stop one", running.len(), running.join(", "));
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", message)
}

fn stop(ask: &Ask) -> Result<Response, Problem> {
    let (mechanism, variant, _) = ask.walk()?;
    ask.app.searches.stop(&mechanism.name, &variant.name);
    Ok(Redirect::to(&format!("/search/{}/{}", mechanism.name, variant.name)).into_response())
}
