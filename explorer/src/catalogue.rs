//! What the server shows: mechanisms with their variants.

use std::sync::Arc;

use reports::baseline::Baseline;

use crate::arithmetic::Arithmetic;
use crate::walkable::Walkable;

/// Everything that can be explored.
pub struct Catalogue {
    /// In the order in which they are shown.
    pub mechanisms: Vec<Mechanism>,
    /// Mechanism and variant whose Stateright routes are served at the root as well.
    pub start: Option<(String, String)>,
}

/// A mechanism.
pub struct Mechanism {
    /// For example `ldt`.
    pub name: String,
    /// What it is, in a few words.
    pub title: String,
    /// The question about it, in one sentence.
    pub question: String,
    /// The kernel source that is modelled.
    pub source: String,
    /// The numbered assumptions.
    pub assumptions: Vec<String>,
    /// Its variants.
    pub variants: Vec<Variant>,
}

/// A variant in words, and as a state machine if it is one.
pub struct Variant {
    /// Its name.
    pub name: String,
    /// What it does differently.
    pub what: String,
    /// Where it comes from.
    pub origin: String,
    /// The form that holds and from which it differs least.
    pub compare_with: String,
    /// The properties it is expected to break.
    pub expected_broken: Vec<String>,
    /// The witnesses it is expected not to reach.
    pub expected_unseen: Vec<String>,
    /// Why.
    pub why: String,
    /// The machine; `None` if the variant has no states.
    pub walk: Option<Arc<dyn Walkable>>,
    /// The arithmetic, if that is what the variant is.
    pub arithmetic: Option<Arithmetic>,
    /// What an earlier run of an engine found, to be shown until the server has searched itself.
    pub pinned: Option<Pinned>,
}

/// Verdicts from an earlier run.
#[derive(Clone, Debug)]
pub struct Pinned {
    /// The engine.
    pub engine: String,
    /// The size; at another one the verdicts are not shown.
    pub size: String,
    /// Distinct states, or inputs.
    pub count: u64,
    /// The properties and witnesses.
    pub properties: Vec<PinnedProperty>,
}

/// The verdict of an earlier run on one property.
#[derive(Clone, Debug)]
pub struct PinnedProperty {
    /// Its name.
    pub name: String,
    /// `HOLDS`, `BROKEN`, `SEEN`, `UNSEEN` or `UNDECIDED`.
    pub verdict: String,
    /// Steps of the shortest run that shows it.
    pub length: Option<usize>,
}

impl Pinned {
    /// The verdicts of a committed run on a variant, by the engine that looks at all states or all inputs.
    pub fn of(baseline: &Baseline, mechanism: &str, variant: &str) -> Option<Self> {
        let of = |engine: &str| baseline.verdicts.get(&format!("{mechanism}/{variant} {engine}"));
        let (engine, facts) = ["exact", "enumerate"].into_iter().find_map(|engine| Some((engine, of(engine)?)))?;
        let property = |(name, text): (&String, &String)| {
            let (verdict, length) = text.split_once(" in ").unwrap_or((text, ""));
            PinnedProperty { name: name.clone(), verdict: verdict.to_string(), length: length.parse().ok() }
        };
        Some(Self {
            engine: engine.to_string(),
            size: facts.size.clone(),
            count: ["states", "inputs"].into_iter().find_map(|name| facts.counts.get(name).copied()).unwrap_or(0),
            properties: facts.properties.iter().map(property).collect(),
        })
    }
}

impl Catalogue {
    /// The variant with this name.
    pub fn find(&self, mechanism: &str, variant: &str) -> Option<(&Mechanism, &Variant)> {
        let mechanism = self.mechanisms.iter().find(|m| m.name == mechanism)?;
        Some((mechanism, mechanism.variants.iter().find(|v| v.name == variant)?))
    }
}
