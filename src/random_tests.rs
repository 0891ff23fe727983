//! Random tests as questions: are long random schedules of a port runs of its model?
//!
//! The word is "tested": so many cases from this seed, and nothing is said about others. The default seed makes the same
//! cases on every machine.

use harnesses::scenario::Expected;
use harnesses::schedules::{SCHEDULE_TESTS, ScheduleTest, Tested};
use reports::results::{Count, Counterexample, Extent, PropertyRecord, VariantRecord, Verdict};

use crate::engine::Engine;
use crate::question::{Question, blank_record, judge, rounded};
use subjects::Plan;

const REPLAYS: &str = "port-is-run-of-model";
const CLAIM: &str = "every record of the port is a run of the model: the same steps, with the same state after each";

/// One test, with the number of its cases and their seed.
struct RandomTest {
    test: &'static ScheduleTest,
    cases: u32,
    seed: u64,
}

/// A question for each test.
pub fn questions(cases: u32, seed: u64) -> Vec<Box<dyn Question>> {
    let question = |test| Box::new(RandomTest { test, cases, seed }) as Box<dyn Question>;
    SCHEDULE_TESTS.iter().map(question).collect()
}

/// Names of mechanism and test, for the selection.
pub fn names() -> Vec<(String, String)> {
    SCHEDULE_TESTS.iter().map(|test| (test.mechanism.to_string(), test.variant.to_string())).collect()
}

impl Question for RandomTest {
    fn mechanism(&self) -> &str {
        self.test.mechanism
    }
    fn variant(&self) -> &str {
        self.test.variant
    }
    fn also_about(&self) -> Option<&str> {
        // A port that drifts on purpose says nothing about the model's variant.
        (self.test.expected == Expected::Holds).then_some(self.test.model)
    }
    fn engine(&self) -> Engine {
        Engine::Proptest
    }
    /// It replaces the panic hook of the process at its first run.
    fn wants_to_be_alone(&self) -> bool {
        true
    }
    fn ask(&self, plan: &Plan) -> Result<VariantRecord, String> {
        let clock = std::time::Instant::now();
        let out_of_time = || plan.timeout.is_some_and(|limit| clock.elapsed() >= limit);
        let interrupted = || plan.stop.load(std::sync::atomic::Ordering::Relaxed);
        let tested = self.test.run(self.cases, self.seed, || out_of_time() || interrupted());
        let mut record = blank_record(self, Extent::Tested);
        record.what = self.test.what.to_string();
        record.origin = "port of the mechanism to atomics, in harnesses/src/port".to_string();
        record.expected_because = match self.test.expected {
            Expected::Holds => format!("the port does what {}/{} does", self.test.mechanism, self.test.model),
            Expected::Broken(label) => format!("the port drifts from the model on purpose, at {label}"),
        };
        record.size = format!("cases={},seed={}", self.cases, self.seed);
        record.counts = [("cases", tested.cases), ("steps", tested.steps)]
            .map(|(name, value)| Count { name: name.to_string(), value })
            .to_vec();
        record.reproduce = format!("{} --cases {} --seed {}", record.reproduce, self.cases, self.seed);
        record.limit = tested.stopped.then(|| format!("after {} of {} cases", tested.cases, self.cases));
        record.seconds = rounded(clock.elapsed());
        record.properties = vec![self.property(&tested)];
        judge(&mut record);
        if let (true, Expected::Broken(label), Some(failure)) =
            (record.as_expected, self.test.expected, &tested.failure)
            && !failure.contains(label)
        {
            record.as_expected = false;
            record.differences.push(format!("the difference is not at {label}: {failure}"));
        }
        Ok(record)
    }
}

impl RandomTest {
    fn property(&self, tested: &Tested) -> PropertyRecord {
        let verdict = match &tested.failure {
            Some(_) => Verdict::Broken,
            None if tested.stopped => Verdict::Undecided,
            None => Verdict::Holds,
        };
        PropertyRecord {
            name: REPLAYS.to_string(),
            witness: false,
            says: CLAIM.to_string(),
            stated_at: "harnesses/src/replay/mod.rs:1".to_string(),
            verdict,
            expected: if self.test.expected == Expected::Holds { Verdict::Holds } else { Verdict::Broken },
            steps: None,
            counterexample: tested.failure.clone().map(Counterexample::Text),
        }
    }
}
