//! The proofs as records of the results document, so that a report shows them beside the other verdicts: what each of
//! them says, what it assumes, and what came out.

use gate::judge::{Reason, ReasonKind};
use gate::{Cover, Engine, ProofResult, Report, Tool};
use reports::results::{Count, Counterexample, EngineState, Extent, NotRun, PropertyRecord, VariantRecord, Verdict};

use crate::question::judge;

/// Kani, or the tests that stand in for it: they are two engines, and only one of them proves.
fn engine_name(engine: Engine) -> &'static str {
    match engine {
        Engine::Kani => "kani",
        Engine::Enumerate => "kani-stand-in",
    }
}

/// The engine, with its version or the reason why it did not run.
pub fn engine(report: &Report) -> EngineState {
    let (version, not_run) = match &report.kani {
        Tool::Found { version, .. } => (Some(version.clone()), None),
        Tool::NotRun { reason, install } => {
            (None, Some(NotRun { reason: reason.clone(), how_to_run: install.clone() }))
        }
        Tool::NotAsked => (None, None),
    };
    EngineState { name: engine_name(report.engine).to_string(), version, not_run }
}

/// A record for each proof, in the order of the catalogue's mechanisms.
pub fn records(report: &Report) -> Vec<VariantRecord> {
    let how_to_run = match &report.kani {
        Tool::NotRun { install, .. } => install.as_str(),
        Tool::Found { .. } | Tool::NotAsked => "run it again",
    };
    let mut records: Vec<VariantRecord> =
        report.proofs.iter().map(|proof| record(report.engine, proof, how_to_run)).collect();
    let place = |name: &str| crate::catalogue::CATALOGUE.iter().position(|m| m.name == name);
    records.sort_by_key(|record| place(&record.mechanism));
    records
}

fn record(engine: Engine, proof: &ProofResult, how_to_run: &str) -> VariantRecord {
    let name = proof.name.split_once("::").map_or(proof.name.as_str(), |(_, name)| name);
    let expected_because = match proof.twin {
        true => format!("twin: the bug of {} is found", proof.variant),
        false => format!("proof about {}", proof.variant),
    };
    let mut record = VariantRecord {
        mechanism: proof.mechanism.clone(),
        variant: name.to_string(),
        what: proof.says.clone(),
        origin: proof.stated_at.clone(),
        engine: engine_name(engine).to_string(),
        size: String::new(),
        extent: if engine == Engine::Kani { Extent::Proved } else { Extent::Tested },
        bounds: Vec::new(),
        assumptions: assumptions(proof),
        verdict: Verdict::Undecided,
        expected: Verdict::Holds,
        expected_because,
        headline: None,
        as_expected: false,
        differences: Vec::new(),
        properties: properties(proof),
        counts: counts(proof),
        steps: Vec::new(),
        limit: None,
        not_run: None,
        seconds: proof.seconds.unwrap_or(0.0),
        peak_bytes: None,
        reproduce: proof.command.clone(),
    };
    if let gate::Verdict::NotRun { reason } = &proof.verdict {
        record.not_run = Some(NotRun { reason: reason.clone(), how_to_run: how_to_run.to_string() });
    }
    judge(&mut record);
    match &proof.verdict {
        gate::Verdict::NotProved { reasons } => {
            record.differences = reasons.iter().map(|reason| format!("not proved: {}", reason.text)).collect();
            record.as_expected = false;
        }
        gate::Verdict::NotRun { .. } => record.differences.clear(),
        gate::Verdict::Proved | gate::Verdict::Tested { .. } => {}
    }
    record
}

/// Each once, without its line, which moves when nothing was assumed.
fn assumptions(proof: &ProofResult) -> Vec<String> {
    let mut texts = Vec::new();
    for assumption in &proof.assumptions {
        let reason = assumption.reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"));
        let text = format!("{}: {}{reason}", assumption.file, assumption.text);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

fn counts(proof: &ProofResult) -> Vec<Count> {
    let count = |name: &str, value: usize| Count { name: name.to_string(), value: value as u64 };
    let checks = proof.checks.map(|checks| count("checks", checks));
    let unreachable = proof.unreachable.map(|checks| count("unreachable checks", checks));
    let inputs = match proof.verdict {
        gate::Verdict::Tested { inputs: Some(inputs) } => Some(Count { name: "inputs".to_string(), value: inputs }),
        _ => None,
    };
    [Some(count("assertions", proof.asserts)), checks, unreachable, inputs].into_iter().flatten().collect()
}

/// What the proof claims, and as witnesses its covers. A twin claims that the first of its properties is broken; the
/// others say what it is about.
fn properties(proof: &ProofResult) -> Vec<PropertyRecord> {
    let expected = if proof.twin { Verdict::Broken } else { Verdict::Holds };
    let (verdict, counterexample) = match &proof.verdict {
        gate::Verdict::Proved | gate::Verdict::Tested { .. } => (expected, None),
        gate::Verdict::NotRun { .. } => (Verdict::NotRun, None),
        gate::Verdict::NotProved { reasons } if !proof.twin && reasons.iter().any(is_failed) => {
            let texts: Vec<&str> = reasons.iter().map(|reason| reason.text.as_str()).collect();
            (Verdict::Broken, Some(Counterexample::Text(texts.join("\n"))))
        }
        gate::Verdict::NotProved { .. } => (Verdict::Undecided, None),
    };
    let blank = |name: &str, says: &str| PropertyRecord {
        name: name.to_string(),
        witness: false,
        says: says.to_string(),
        stated_at: proof.stated_at.clone(),
        verdict,
        expected,
        steps: None,
        counterexample: counterexample.clone(),
    };
    let claimed = if proof.twin { 1 } else { proof.properties.len() };
    let claims = proof.properties.iter().take(claimed).map(|name| blank(name, &proof.says));
    let covers = proof.covers.iter().map(|cover| PropertyRecord {
        witness: true,
        verdict: cover_verdict(proof, cover),
        expected: Verdict::Seen,
        counterexample: None,
        ..blank(&format!("cover: {}", cover.text), "an input that reaches this place")
    });
    claims.chain(covers).collect()
}

fn is_failed(reason: &Reason) -> bool {
    reason.kind == ReasonKind::Failed
}

fn cover_verdict(proof: &ProofResult, cover: &Cover) -> Verdict {
    match (cover.satisfied, &proof.verdict) {
        (Some(true), _) => Verdict::Seen,
        (Some(false), _) => Verdict::Unseen,
        (None, gate::Verdict::NotRun { .. }) => Verdict::NotRun,
        // A test that passed reached every cover: the stand-in sees to that.
        (None, gate::Verdict::Tested { .. }) => Verdict::Seen,
        (None, _) => Verdict::Undecided,
    }
}
