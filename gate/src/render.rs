//! The report as text: one line for each proof and each mutation, then the sum.

use crate::mutations::Outcome;
use crate::{Engine, ProofResult, Report, Tool, Verdict};
use std::fmt::Write;

pub(crate) fn text(report: &Report) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        out.push_str(text.trim_end());
        out.push('\n');
    };
    for error in &report.errors {
        line(format!("     ERROR  {error}"));
    }
    let width = report.proofs.iter().map(|proof| proof.name.len()).max().unwrap_or_default();
    for proof in &report.proofs {
        line(proof_line(proof, width));
        if let Verdict::NotProved { reasons } = &proof.verdict {
            for reason in reasons {
                line(format!("            {}", reason.text.replace('\n', "\n            ")));
            }
            line(format!("            {}", proof.command));
        }
        for note in &proof.notes {
            line(format!("            note: {note}"));
        }
    }
    for mutation in &report.mutations {
        let (word, what) = match &mutation.outcome {
            Outcome::Caught { by } => ("CAUGHT", format!("by {by}")),
            Outcome::Survived { what } => ("SURVIVED", what.clone()),
            Outcome::Spoiled { what } => ("SPOILED", what.clone()),
            Outcome::OnlyKani { reason } => ("ONLY KANI", reason.clone()),
            Outcome::NotRun { reason } => ("NOT RUN", reason.clone()),
        };
        let place = format!("{}:{}", mutation.file, mutation.line);
        line(format!("{word:>10}  mutation {}  {place}  {what}  {:.1} s", mutation.id, mutation.seconds));
    }
    line(String::new());
    line(sum(report));
    if let Tool::NotRun { install, .. } = &report.kani {
        line(format!("  to install Kani: {install}"));
    }
    out
}

fn proof_line(proof: &ProofResult, width: usize) -> String {
    let (word, detail) = match &proof.verdict {
        Verdict::Proved if proof.twin => ("BROKEN", "as expected  ".to_string()),
        Verdict::Proved => ("PROVED", String::new()),
        Verdict::NotProved { .. } => ("NOT PROVED", String::new()),
        Verdict::Tested { inputs: Some(inputs) } => ("TESTED", format!("on {inputs} drawn inputs, not proved")),
        Verdict::Tested { inputs: None } => ("TESTED", "on some inputs, not proved".to_string()),
        Verdict::NotRun { reason } => ("NOT RUN", reason.clone()),
    };
    let mut text =
        format!("{word:>10}  {:width$}  {} {}  {detail}", proof.name, proof.variant, proof.properties.join(", "));
    if let Some(checks) = proof.checks {
        let seen = proof.covers.iter().filter(|cover| cover.satisfied == Some(true)).count();
        let _ = write!(text, "{checks} checks, {seen} of {} covers", proof.covers.len());
        if let Some(unreachable) = proof.unreachable.filter(|count| *count > 0) {
            let _ = write!(text, ", {unreachable} checks unreachable");
        }
    }
    if let Some(seconds) = proof.seconds {
        let _ = write!(text, "  {seconds:.2} s");
    }
    text
}

fn sum(report: &Report) -> String {
    let sum = report.sum();
    let mut parts = Vec::new();
    let counts =
        [(sum.proved, "proved"), (sum.not_proved, "not proved"), (sum.tested, "tested"), (sum.not_run, "not run")];
    for (count, word) in counts {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    let mut text = format!(
        "  {} proofs: {}",
        report.proofs.len(),
        if parts.is_empty() { "none".to_string() } else { parts.join(", ") }
    );
    if !report.mutations.is_empty() {
        let _ = write!(
            text,
            " · {} of {} mutations tried: {} caught",
            sum.caught + sum.missed,
            report.mutations_listed,
            sum.caught
        );
        if sum.missed > 0 {
            let _ = write!(text, ", {} not", sum.missed);
        }
    }
    if !report.errors.is_empty() {
        let _ = write!(text, " · {} errors in the census or the mutations", report.errors.len());
    }
    match &report.kani {
        Tool::Found { version, exports } => {
            let compared =
                if *exports { "text and exported file agree where proved" } else { "this version exports no file" };
            let _ = write!(text, " · Kani {version}, {compared}");
        }
        Tool::NotRun { reason, .. } => {
            let _ = write!(text, " · Kani: {reason}");
        }
        Tool::NotAsked if report.engine == Engine::Enumerate => {
            let inputs = report.proofs.iter().filter_map(|proof| match proof.verdict {
                Verdict::Tested { inputs } => inputs,
                _ => None,
            });
            let _ = write!(text, " · as tests, without Kani, on {} drawn inputs", inputs.sum::<u64>());
        }
        Tool::NotAsked => {}
    }
    text
}
