//! loom scenarios as questions: does the port keep its property in every execution that loom produces?

use harnesses::scenario::{Expected, Scenario};
use reports::results::{Count, Counterexample, Extent, PropertyRecord, VariantRecord, Verdict};

use crate::engine::Engine;
use crate::question::{Question, blank_record, judge, rounded};
use subjects::Plan;

/// One scenario.
struct LoomQuestion(&'static Scenario);

/// A question for each scenario.
pub fn questions() -> Vec<Box<dyn Question>> {
    harnesses::scenarios().iter().map(|scenario| Box::new(LoomQuestion(scenario)) as Box<dyn Question>).collect()
}

/// Names of mechanism and scenario, for the selection.
pub fn names() -> Vec<(String, String)> {
    harnesses::scenarios().iter().map(|s| (s.mechanism.to_string(), s.variant.to_string())).collect()
}

impl Question for LoomQuestion {
    fn mechanism(&self) -> &str {
        self.0.mechanism
    }
    fn variant(&self) -> &str {
        self.0.variant
    }
    fn engine(&self) -> Engine {
        Engine::Loom
    }
    /// It replaces the panic hook of the process at its first run.
    fn wants_to_be_alone(&self) -> bool {
        true
    }
    fn ask(&self, _: &Plan) -> Result<VariantRecord, String> {
        let clock = std::time::Instant::now();
        let run = self.0.run();
        let extent = if run.bounded.is_some() { Extent::WithinABound } else { Extent::AllStates };
        let mut record = blank_record(self, extent);
        record.what = self.0.what.to_string();
        record.origin = "port of the mechanism to atomics, in harnesses/src/port".to_string();
        record.expected_because = self.0.question.to_string();
        record.bounds.extend(run.bounded.clone());
        record.counts = vec![Count { name: "executions".to_string(), value: run.executions }];
        record.seconds = rounded(clock.elapsed());
        record.properties = vec![self.property(&run)];
        judge(&mut record);
        if record.as_expected {
            // The set of outcomes is compared as well: a missing one is as much a failure as a forbidden one.
            record.differences = self.0.judge(&run).err().into_iter().collect();
            record.as_expected = record.differences.is_empty();
        }
        Ok(record)
    }
}

impl LoomQuestion {
    fn property(&self, run: &harnesses::scenario::LoomRun) -> PropertyRecord {
        let says = match self.0.expected {
            Expected::Broken(property) => property,
            Expected::Holds => self.0.question,
        };
        PropertyRecord {
            name: "port-keeps-its-property".to_string(),
            witness: false,
            says: says.to_string(),
            stated_at: format!("harnesses/src/scenarios/{}.rs:1", self.0.mechanism.replace('-', "_")),
            verdict: if run.panic.is_some() { Verdict::Broken } else { Verdict::Holds },
            expected: if self.0.expected == Expected::Holds { Verdict::Holds } else { Verdict::Broken },
            steps: None,
            counterexample: run.panic.clone().map(Counterexample::Text),
        }
    }
}
