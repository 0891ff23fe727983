//! Questions: what one engine can be asked about one variant, and the record of its answer.

use std::time::Duration;

use models::machine::{Expect, Size};
use reports::results::{Count, Counterexample, Extent, PropertyRecord, StepCount, VariantRecord, Verdict};

use crate::engine::Engine;
use crate::second_opinion;
use subjects::{Plan, Search, Subject};

/// Something on which one engine can give a verdict.
pub trait Question: Send + Sync {
    /// The mechanism's name.
    fn mechanism(&self) -> &str;
    /// The variant's name.
    fn variant(&self) -> &str;
    /// The variant of the catalogue that it is about as well, if that has another name.
    fn also_about(&self) -> Option<&str> {
        None
    }
    /// The engine.
    fn engine(&self) -> Engine;
    /// Whether no other question may be asked meanwhile.
    fn wants_to_be_alone(&self) -> bool {
        false
    }
    /// Asks the engine.
    ///
    /// # Errors
    /// The engine broke down: no verdict, one line that says why.
    fn ask(&self, plan: &Plan) -> Result<VariantRecord, String>;
}

/// A state search over one variant, by one of the two engines that do that.
pub struct StateSearch {
    /// The variant.
    pub subject: &'static dyn Subject,
    /// `exact` or `stateright`.
    pub engine: Engine,
    /// The size.
    pub size: Size,
}

impl Question for StateSearch {
    fn mechanism(&self) -> &str {
        self.subject.mechanism()
    }
    fn variant(&self) -> &str {
        self.subject.name()
    }
    fn engine(&self) -> Engine {
        self.engine
    }
    fn ask(&self, plan: &Plan) -> Result<VariantRecord, String> {
        if self.engine == Engine::Stateright {
            let size = self.size.written(self.subject.parameters());
            let opinion = self.subject.second_opinion(self.size, plan)?;
            return Ok(second_opinion::record(self, self.subject, size, opinion));
        }
        let search = self.subject.search(self.size, plan)?;
        Ok(self.record(search, plan))
    }
}

impl StateSearch {
    fn record(&self, search: Search, plan: &Plan) -> VariantRecord {
        let subject = self.subject;
        let size = self.size.written(subject.parameters());
        let extent = if search.bounds.is_empty() { Extent::AllStates } else { Extent::WithinABound };
        let mut record = VariantRecord {
            what: subject.what().to_string(),
            origin: subject.origin().to_string(),
            bounds: search.bounds,
            expected_because: subject.expect().why.to_string(),
            headline: subject.expect().broken.first().map(|name| (*name).to_string()),
            properties: self.properties(search.answers),
            counts: vec![Count { name: "states".to_string(), value: search.states }],
            steps: self.steps(&search.steps_by_kind),
            limit: search.limit,
            seconds: rounded(search.elapsed),
            peak_bytes: search.peak_bytes,
            ..blank_record(self, extent)
        };
        let symmetry = if plan.symmetry { " --symmetry" } else { "" };
        record.reproduce = format!("{} --size {size}{symmetry}", record.reproduce);
        record.size = size;
        record
            .counts
            .extend(search.counts.iter().map(|(name, value)| Count { name: (*name).to_string(), value: *value }));
        judge(&mut record);
        record
    }

    fn properties(&self, answers: Vec<subjects::Answer>) -> Vec<PropertyRecord> {
        let expect = self.subject.expect();
        let described = self.subject.properties();
        assert_eq!(described.len(), answers.len(), "an engine answers every property");
        let records = described.iter().zip(answers).map(|(property, answer)| PropertyRecord {
            name: property.name.to_string(),
            witness: property.witness,
            says: property.says.to_string(),
            stated_at: format!("{}:{}", property.stated_at.0, property.stated_at.1),
            verdict: answer.verdict,
            expected: expected_verdict(&expect, property.name, property.witness),
            steps: answer.timeline.as_ref().map(|t| u32::try_from(t.steps.len()).unwrap_or(u32::MAX)),
            counterexample: answer.timeline.filter(|_| answer.verdict == Verdict::Broken).map(Counterexample::Timeline),
        });
        records.collect()
    }

    fn steps(&self, taken: &[u64]) -> Vec<StepCount> {
        let kinds = self.subject.kinds(self.size);
        let counts = kinds.iter().zip(taken).map(|(kind, taken)| StepCount {
            kind: kind.name.to_string(),
            stated_at: format!("{}:{}", kind.stated_at.0, kind.stated_at.1),
            taken: *taken,
            meant_to_happen: kind.used,
        });
        counts.collect()
    }
}

/// A record of a question, to be filled in; [`judge`] completes it.
pub fn blank_record(question: &dyn Question, extent: Extent) -> VariantRecord {
    let (mechanism, variant, engine) = (question.mechanism(), question.variant(), question.engine().name());
    VariantRecord {
        mechanism: mechanism.to_string(),
        variant: variant.to_string(),
        what: String::new(),
        origin: String::new(),
        engine: engine.to_string(),
        size: String::new(),
        extent,
        bounds: Vec::new(),
        assumptions: Vec::new(),
        verdict: Verdict::Undecided,
        expected: Verdict::Holds,
        expected_because: String::new(),
        headline: None,
        as_expected: false,
        differences: Vec::new(),
        properties: Vec::new(),
        counts: Vec::new(),
        steps: Vec::new(),
        limit: None,
        not_run: None,
        seconds: 0.0,
        peak_bytes: None,
        reproduce: format!("kverdict check {mechanism}/{variant} --engine {engine}"),
    }
}

/// The verdict that the catalogue expects of one property or witness.
pub fn expected_verdict(expect: &Expect, name: &str, witness: bool) -> Verdict {
    match (witness, expect.broken.contains(&name), expect.unseen.contains(&name)) {
        (false, true, _) => Verdict::Broken,
        (false, false, _) => Verdict::Holds,
        (true, _, true) => Verdict::Unseen,
        (true, _, false) => Verdict::Seen,
    }
}

/// Fills in the verdict of the whole from the verdicts of the parts, and whether it is as expected.
pub fn judge(record: &mut VariantRecord) {
    let expects_broken = record.properties.iter().any(|p| p.expected == Verdict::Broken);
    record.expected = if expects_broken { Verdict::Broken } else { Verdict::Holds };
    let any = |verdict| record.properties.iter().any(|p| p.verdict == verdict);
    record.verdict = match () {
        () if any(Verdict::Broken) => Verdict::Broken,
        () if any(Verdict::Undecided) => Verdict::Undecided,
        () if record.not_run.is_some() => Verdict::NotRun,
        () => Verdict::Holds,
    };
    let mut differences = Vec::new();
    for property in record.properties.iter().filter(|p| p.verdict != p.expected) {
        let (is, should) = (property.verdict.word(), property.expected.word());
        differences.push(format!("{} is {is}, expected {should}", property.name));
    }
    // After a limit, a kind that was not taken so far may still come.
    let complete = record.limit.is_none();
    for step in &record.steps {
        match (step.meant_to_happen, step.taken) {
            (true, 0) if complete => differences.push(format!("step {} never happens", step.kind)),
            (false, 1..) => differences.push(format!("step {} happens, which this variant should not take", step.kind)),
            _ => {}
        }
    }
    record.as_expected = differences.is_empty();
    record.differences = differences;
}

/// Seconds with microseconds at most: more digits are noise.
pub fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
}
