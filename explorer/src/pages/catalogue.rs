//! The first page: every mechanism with its question, and its variants as a table.

use axum::response::Response;
use minijinja::context;
use serde::Serialize;

use super::render;
use crate::App;
use crate::ask::Ask;
use crate::catalogue::{Mechanism, Variant};
use crate::known::{Summary, summary};
use crate::links::Links;
use crate::problem::Problem;
use crate::searches::Key;

/// A row of the catalogue.
#[derive(Serialize)]
pub(crate) struct Row {
    name: String,
    what: String,
    origin: String,
    #[serde(flatten)]
    summary: Summary,
    size: String,
    walkable: bool,
    link: String,
}

fn row(app: &App, mechanism: &Mechanism, variant: &Variant) -> Row {
    let (key, links) = match &variant.walk {
        Some(walk) => (Key::of(&mechanism.name, walk.as_ref()), Links::of(&mechanism.name, walk.as_ref())),
        None => {
            (Key::without_size(&mechanism.name, &variant.name), Links::without_size(&mechanism.name, &variant.name))
        }
    };
    Row {
        name: variant.name.clone(),
        what: variant.what.clone(),
        origin: variant.origin.clone(),
        summary: summary(app, &key, variant),
        size: key.size,
        walkable: variant.walk.is_some(),
        link: links.to("variant", ""),
    }
}

/// All variants of a mechanism.
pub(crate) fn rows(app: &App, mechanism: &Mechanism) -> Vec<Row> {
    mechanism.variants.iter().map(|variant| row(app, mechanism, variant)).collect()
}

pub(super) fn page(ask: &Ask) -> Result<Response, Problem> {
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
            let text = format!(
                "{} {} {} {} {}",
                mechanism.name,
                variant.name,
                variant.what,
                variant.origin,
                variant.expected_broken.join(" ")
            );
            let text = text.to_lowercase();
            let breaks = !variant.expected_broken.is_empty();
            words.iter().all(|word| text.contains(word)) && (show.is_empty() || breaks == (show == "broken"))
        };
        let rows: Vec<Row> = mechanism.variants.iter().filter(wanted).map(|v| row(&ask.app, mechanism, v)).collect();
        shown += rows.len();
        mechanisms.push(context! {
            name => mechanism.name, title => mechanism.title, question => mechanism.question,
            source => mechanism.source, all => mechanism.variants.len(), rows,
            arithmetic => mechanism.variants.iter().all(|variant| variant.walk.is_none()),
        });
    }
    let names: Vec<&str> = ask.app.catalogue.mechanisms.iter().map(|m| m.name.as_str()).collect();
    let running = ask.app.searches.running();
    render(ask, "catalogue.html", context! { query, show, only, names, mechanisms, shown, running })
}
