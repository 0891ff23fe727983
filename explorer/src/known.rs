//! What is known of a variant's verdicts: from a search of this server, or else from an earlier run.

use serde::Serialize;

use crate::App;
use crate::catalogue::Variant;
use crate::searches::Key;
use crate::walkable::Numbers;

/// Verdicts on one variant at one size.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// The engine.
    pub(crate) engine: String,
    /// Whether this server has searched.
    pub(crate) here: bool,
    /// Distinct states, or inputs.
    pub(crate) count: u64,
    /// The limit that was hit.
    pub(crate) limit: Option<String>,
    /// The properties and witnesses.
    pub(crate) properties: Vec<KnownProperty>,
}

/// The verdict on one property.
#[derive(Clone, Debug)]
pub(crate) struct KnownProperty {
    /// Its name.
    pub(crate) name: String,
    /// `HOLDS`, `BROKEN`, `SEEN`, `UNSEEN` or `UNDECIDED`.
    pub(crate) verdict: String,
    /// Steps of the shortest run that shows it.
    pub(crate) length: Option<usize>,
    /// The smallest input that shows it.
    pub(crate) numbers: Option<Numbers>,
}

/// The verdict on a whole variant, in words for a table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    /// `HOLDS`, `BROKEN`, `UNDECIDED` or `not searched`.
    pub(crate) verdict: &'static str,
    /// The properties that are broken.
    pub(crate) broken: Vec<String>,
    /// The same of what is expected.
    pub(crate) expected: &'static str,
    /// The properties that are expected to break.
    pub(crate) expected_broken: Vec<String>,
    /// Whether everything is as expected, witnesses included, if that is known.
    pub(crate) as_expected: Option<bool>,
    /// The engine, and whether the verdict is from an earlier run.
    pub(crate) engine: String,
    /// Whether this server has searched.
    pub(crate) here: bool,
    /// Distinct states, or inputs.
    pub(crate) count: Option<u64>,
    /// `states` or `inputs`.
    pub(crate) counted: &'static str,
    /// Steps of the shortest counterexample of the first broken property.
    pub(crate) length: Option<usize>,
}

/// What is known of a variant.
pub(crate) fn known(app: &App, key: &Key, variant: &Variant) -> Option<Known> {
    if let Some(found) = app.searches.found(key) {
        let property = |p: &crate::FoundProperty| KnownProperty {
            name: p.name.to_string(),
            verdict: p.verdict.to_string(),
            length: p.address.as_ref().map(|address| address.len() - 1),
            numbers: p.numbers.clone(),
        };
        return Some(Known {
            engine: engine_of(variant).to_string(),
            here: true,
            count: found.states,
            limit: found.limit.clone(),
            properties: found.properties.iter().map(property).collect(),
        });
    }
    let pinned = variant.pinned.as_ref().filter(|pinned| pinned.size == key.size)?;
    let property = |p: &crate::PinnedProperty| KnownProperty {
        name: p.name.clone(),
        verdict: p.verdict.clone(),
        length: p.length,
        numbers: None,
    };
    Some(Known {
        engine: pinned.engine.clone(),
        here: false,
        count: pinned.count,
        limit: None,
        properties: pinned.properties.iter().map(property).collect(),
    })
}

/// What is known of a variant, in short.
pub(crate) fn summary(app: &App, key: &Key, variant: &Variant) -> Summary {
    let known = known(app, key, variant);
    let named = |word: &str| -> Vec<String> {
        let properties = known.iter().flat_map(|known| &known.properties);
        properties.filter(|p| p.verdict == word).map(|p| p.name.clone()).collect()
    };
    let (mut broken, unseen) = (named("BROKEN"), named("UNSEEN"));
    // The catalogue names the most telling one first.
    broken.sort_by_key(|name| variant.expected_broken.iter().position(|e| e == name).unwrap_or(usize::MAX));
    let limited = known.as_ref().is_some_and(|known| known.limit.is_some());
    let same = |found: &[String], expected: &[String]| {
        found.len() == expected.len() && found.iter().all(|name| expected.contains(name))
    };
    let agrees = same(&broken, &variant.expected_broken) && same(&unseen, &variant.expected_unseen);
    // What is expected is expected at quick size.
    let quick = variant.walk.as_ref().is_none_or(|walk| walk.quick_size() == key.size);
    let first = known.iter().flat_map(|known| &known.properties).find(|p| broken.first() == Some(&p.name));
    Summary {
        verdict: match (&known, broken.is_empty(), limited) {
            (None, ..) => "not searched",
            (_, false, _) => "BROKEN",
            (_, true, true) => "UNDECIDED",
            (_, true, false) => "HOLDS",
        },
        length: first.and_then(|p| p.length),
        broken,
        expected: if variant.expected_broken.is_empty() { "HOLDS" } else { "BROKEN" },
        expected_broken: variant.expected_broken.clone(),
        as_expected: known.as_ref().filter(|_| quick && !limited).map(|_| agrees),
        engine: known.as_ref().map_or_else(|| engine_of(variant).to_string(), |known| known.engine.clone()),
        here: known.as_ref().is_some_and(|known| known.here),
        count: known.as_ref().map(|known| known.count),
        counted: if variant.walk.is_some() { "states" } else { "inputs" },
    }
}

fn engine_of(variant: &Variant) -> &'static str {
    if variant.walk.is_some() { "exact" } else { "enumerate" }
}
