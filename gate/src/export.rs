//! The file of `--export-json`, and whether it says the same as the text.
//!
//! The flag is unstable, and Kani's own tracker says that a failed, empty or partial run can leave a file that reads like a clean pass
//! (<https://github.com/model-checking/kani/issues/4731>). So the file never decides anything: it can only contradict the text.

use crate::output::{Ending, Output, Status};
use serde::Deserialize;

#[derive(Deserialize)]
struct Export {
    metadata: Metadata,
    verification_results: Results,
}

#[derive(Deserialize)]
struct Metadata {
    kani_version: String,
}

#[derive(Deserialize)]
struct Results {
    summary: Summary,
    results: Vec<Proof>,
}

#[derive(Deserialize)]
struct Summary {
    total_harnesses: usize,
    executed: usize,
    status: String,
    successful: usize,
    failed: usize,
}

#[derive(Deserialize)]
struct Proof {
    harness_id: String,
    status: String,
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    id: usize,
    status: String,
    description: String,
    category: String,
}

/// Compares the file with the text. `Err` says where they differ, or that the file is not of the form that is known.
pub fn agrees(json: &str, output: &Output) -> Result<(), String> {
    let export: Export = serde_json::from_str(json)
        .map_err(|error| format!("the exported file is not of the form that is known: {error}"))?;
    let same = |what: &str, file: &str, text: &str| {
        if file == text {
            Ok(())
        } else {
            Err(format!("the exported file says {file} where the text says {text} ({what})"))
        }
    };
    same("version", &export.metadata.kani_version, &output.version.to_string())?;
    let results = &export.verification_results;
    let good = output.proofs.iter().filter(|proof| matches!(proof.ending, Ending::Successful { .. })).count();
    let counts = [
        ("proofs selected", results.summary.total_harnesses, output.proofs.len()),
        ("proofs run", results.summary.executed, output.proofs.len()),
        ("proofs listed", results.results.len(), output.proofs.len()),
        ("successes", results.summary.successful, good),
        ("failures", results.summary.failed, output.proofs.len() - good),
    ];
    for (what, file, text) in counts {
        same(what, &file.to_string(), &text.to_string())?;
    }
    same("end of the run", &results.summary.status, "completed")?;
    for (file, text) in results.results.iter().zip(&output.proofs) {
        same("name", &file.harness_id, &text.name)?;
        let verdict = if matches!(text.ending, Ending::Successful { .. }) { "Success" } else { "Failure" };
        same(&text.name, &file.status, verdict)?;
        same("checks", &file.checks.len().to_string(), &text.checks.len().to_string())?;
        for (index, (file, text)) in file.checks.iter().zip(&text.checks).enumerate() {
            same(&text.name, &file.id.to_string(), &(index + 1).to_string())?;
            same(&text.name, &file.status, status_name(text.status))?;
            same(&text.name, &file.category, text.class())?;
            same(&text.name, &file.description, &text.description)?;
        }
    }
    Ok(())
}

/// How the file writes a status.
fn status_name(status: Status) -> &'static str {
    match status {
        Status::Success => "Success",
        Status::Failure => "Failure",
        Status::Unreachable => "Unreachable",
        Status::Undetermined => "Undetermined",
        Status::Satisfied => "Satisfied",
        Status::Unsatisfiable => "Unsatisfiable",
    }
}
