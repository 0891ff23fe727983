//! The arithmetic of iova-bitmap as questions: does a property hold for every input at a reduced width?

use models::iova_bitmap::enumerate::{self, Outcome};
use models::iova_bitmap::{MECHANISM, Subject, VARIANTS};
use models::machine::Variant;
use reports::results::{Count, Counterexample, Extent, PropertyRecord, VariantRecord, Verdict};

use crate::engine::Engine;
use crate::question::{Question, blank_record, expected_verdict, judge, rounded};
use subjects::Plan;

/// One variant of the arithmetic.
pub struct Enumeration(pub &'static Variant<Subject>);

/// A question for each variant, in catalogue order.
pub fn questions() -> Vec<Box<dyn Question>> {
    VARIANTS.iter().map(|variant| Box::new(Enumeration(variant)) as Box<dyn Question>).collect()
}

impl Question for Enumeration {
    fn mechanism(&self) -> &str {
        MECHANISM
    }
    fn variant(&self) -> &str {
        self.0.name
    }
    fn engine(&self) -> Engine {
        Engine::Enumerate
    }
    fn ask(&self, _: &Plan) -> Result<VariantRecord, String> {
        let clock = std::time::Instant::now();
        let verdicts = enumerate::variant(self.0);
        let mut record = VariantRecord {
            what: self.0.what.to_string(),
            origin: self.0.origin.to_string(),
            expected_because: self.0.expect.why.to_string(),
            headline: self.0.expect.broken.first().map(|name| (*name).to_string()),
            properties: verdicts.all().iter().map(|verdict| self.property(verdict)).collect(),
            counts: vec![Count { name: "inputs".to_string(), value: verdicts.inputs() }],
            seconds: rounded(clock.elapsed()),
            ..blank_record(self, Extent::Enumerated)
        };
        judge(&mut record);
        Ok(record)
    }
}

impl Enumeration {
    fn property(&self, verdict: &enumerate::Verdict) -> PropertyRecord {
        let numbers = |found: &enumerate::Counterexample| {
            let named = found.inputs().iter().chain(found.observed());
            Counterexample::Numbers(named.map(|(name, value)| ((*name).to_string(), value.to_string())).collect())
        };
        let (is, counterexample) = match &verdict.outcome {
            Outcome::Holds => (Verdict::Holds, None),
            Outcome::Broken(found) => (Verdict::Broken, Some(numbers(found))),
        };
        PropertyRecord {
            name: verdict.claim.name.to_string(),
            witness: false,
            says: verdict.claim.says.to_string(),
            stated_at: "models/src/iova_bitmap/properties.rs:1".to_string(),
            verdict: is,
            expected: expected_verdict(&self.0.expect, verdict.claim.name, false),
            steps: None,
            counterexample,
        }
    }
}
