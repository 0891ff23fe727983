//! A variant that is arithmetic: no states, every input at a reduced width.

use std::time::Instant;

use models::iova_bitmap::Subject;
use models::iova_bitmap::enumerate::{self, Outcome};
use models::machine::Variant;

use crate::differences::fields;
use crate::walkable::{Found, FoundProperty, Numbers, PropertyWords};

/// One variant of the arithmetic.
#[derive(Clone, Copy, Debug)]
pub struct Arithmetic(pub &'static Variant<Subject>);

impl Arithmetic {
    /// The properties in words.
    pub(crate) fn properties(&self) -> Vec<PropertyWords> {
        let words = |claim: &models::iova_bitmap::Claim| PropertyWords {
            name: claim.name,
            witness: false,
            says: claim.says,
            stated_at: "models/src/iova_bitmap/properties.rs".to_string(),
        };
        self.0.config.claims().iter().map(words).collect()
    }

    /// The switches of the variant: name and value.
    pub(crate) fn config(&self) -> Vec<(String, String)> {
        let all = fields(&format!("{:#?}", self.0.config)).into_iter();
        // The name of the struct says nothing here.
        all.map(|(name, value)| (name.strip_prefix("Config.").unwrap_or(&name).to_string(), value)).collect()
    }

    /// Looks at every input.
    pub(crate) fn search(&self) -> Found {
        let begun = Instant::now();
        let verdicts = enumerate::variant(self.0);
        let property = |verdict: &enumerate::Verdict| {
            let (word, numbers) = match &verdict.outcome {
                Outcome::Holds => ("HOLDS", None),
                Outcome::Broken(found) => (
                    "BROKEN",
                    Some(Numbers {
                        inputs: found.inputs().to_vec(),
                        observed: found.observed().to_vec(),
                        broken: verdict.broken,
                        of: verdict.inputs,
                    }),
                ),
            };
            FoundProperty { name: verdict.claim.name, verdict: word, address: None, numbers }
        };
        Found {
            properties: verdicts.all().iter().map(property).collect(),
            counted: "inputs",
            states: verdicts.inputs(),
            transitions: 0,
            depth: 0,
            steps_by_kind: std::collections::BTreeMap::new(),
            limit: None,
            seconds: begun.elapsed().as_secs_f64(),
        }
    }
}
