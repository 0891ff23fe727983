//! The record of a second opinion: what Stateright said about the states that the exact engine searched.

use reports::results::{Count, Extent, NotRun, PropertyRecord, VariantRecord, Verdict};
use subjects::{SecondOpinion, Subject};

use crate::engine::Engine;
use crate::question::{Question, blank_record, expected_verdict, judge, rounded};

/// The record of a second opinion.
pub fn record(
    question: &dyn Question,
    subject: &dyn Subject,
    size: String,
    opinion: Result<SecondOpinion, NotRun>,
) -> VariantRecord {
    let expect = subject.expect();
    let mut record = VariantRecord {
        what: subject.what().to_string(),
        origin: subject.origin().to_string(),
        expected_because: expect.why.to_string(),
        headline: expect.broken.first().map(|name| (*name).to_string()),
        ..blank_record(question, Extent::AllStates)
    };
    assert_eq!(question.engine(), Engine::Stateright);
    record.reproduce = format!("{} --size {size}", record.reproduce);
    record.size = size;
    let opinion = match opinion {
        Ok(opinion) => opinion,
        Err(why) => {
            record.not_run = Some(why);
            judge(&mut record);
            return record;
        }
    };
    let known = subject.properties();
    let property = |(name, verdict): &(&'static str, Verdict)| {
        let info = known.iter().find(|p| p.name == *name).expect("both engines know the same properties");
        PropertyRecord {
            name: (*name).to_string(),
            witness: info.witness,
            says: info.says.to_string(),
            stated_at: format!("{}:{}", info.stated_at.0, info.stated_at.1),
            verdict: *verdict,
            expected: expected_verdict(&expect, name, info.witness),
            steps: None,
            counterexample: None,
        }
    };
    record.properties = opinion.verdicts.iter().map(property).collect();
    record.counts = vec![Count { name: "states".to_string(), value: opinion.states }];
    record.limit = opinion.limit.map(|limit| limit.to_string());
    record.seconds = rounded(opinion.elapsed);
    judge(&mut record);
    record.differences.extend(opinion.differences);
    record.as_expected = record.differences.is_empty();
    record
}
