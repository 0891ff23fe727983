//! What the server shows: mechanisms with their variants.

use serde::Serialize;

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
    /// The machine; `None` if the variant is arithmetic and has no states.
    pub walk: Option<Box<dyn Walkable>>,
    /// What an earlier run of an engine found, to be shown until the server has searched itself.
    pub pinned: Option<Pinned>,
}

/// A verdict from an earlier run.
#[derive(Clone, Debug, Serialize)]
pub struct Pinned {
    /// `HOLDS`, `BROKEN` or another word.
    pub verdict: String,
    /// The engine.
    pub engine: String,
    /// Distinct states.
    pub states: u64,
    /// Steps of the shortest counterexample.
    pub length: Option<usize>,
}

impl Catalogue {
    /// The variant with this name.
    pub fn find(&self, mechanism: &str, variant: &str) -> Option<(&Mechanism, &Variant)> {
        let mechanism = self.mechanisms.iter().find(|m| m.name == mechanism)?;
        Some((mechanism, mechanism.variants.iter().find(|v| v.name == variant)?))
    }
}

impl Variant {
    /// `HOLDS`, or which properties break and which witnesses are not seen.
    pub(crate) fn expected(&self) -> String {
        match (self.expected_broken.is_empty(), self.expected_unseen.is_empty()) {
            (true, true) => "HOLDS".to_string(),
            (false, true) => format!("BROKEN {}", self.expected_broken.join(", ")),
            (true, false) => format!("UNSEEN {}", self.expected_unseen.join(", ")),
            (false, false) => {
                format!("BROKEN {}; UNSEEN {}", self.expected_broken.join(", "), self.expected_unseen.join(", "))
            }
        }
    }
}
