//! The recorded outputs, whole and taken apart, and the proofs that they are about.

use gate::census::Entry;
use gate::judge::{End, Judgement, Reason, ReasonKind, Run, judge};
use gate::source::{SourceProof, Sources};
use std::fs;
use std::path::Path;

/// Regular output of Kani 0.57 for `demo-lib.rs`: three proofs, one of them fails.
pub(crate) const REGULAR: &str = include_str!("../data/regular-0.57.txt");

/// The recorded output as if only this proof had been asked for.
pub(crate) fn only(name: &str) -> String {
    let banner = REGULAR.split_inclusive('\n').next().expect("a first line");
    let start = format!("Checking harness {name}...\n");
    let from = REGULAR.find(&start).expect("a recorded proof");
    let rest = &REGULAR[from + start.len()..];
    let to = rest.find("Checking harness ").or_else(|| rest.find("Summary:")).expect("an end");
    let failed = rest[..to].contains("VERIFICATION:- FAILED");
    let end = if failed {
        format!(
            "Summary:\nVerification failed for - {name}\nComplete - 0 successfully verified harnesses, 1 failures, 1 total.\n"
        )
    } else {
        "Complete - 1 successfully verified harnesses, 0 failures, 1 total.\n".to_string()
    };
    format!("{banner}{start}{}{end}", &rest[..to])
}

/// The same as 0.68 prints it.
pub(crate) fn as_of_068(text: &str) -> String {
    let text = text.replace("Verifier 0.57.0", "Verifier 0.68.0").replace("\nSummary:\n", "\n");
    text.replace("\nVerification failed for", "\nManual Harness Summary:\nVerification failed for")
        .replace("\n\nComplete", "\n\nManual Harness Summary:\nComplete")
}

/// The sources of the recorded proofs.
pub(crate) fn demo() -> Sources {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join("src")).expect("a folder");
    fs::write(folder.path().join("src/lib.rs"), include_str!("../data/demo-lib.rs")).expect("a file");
    gate::source::read(folder.path(), Path::new("src"), &[])
}

/// A recorded proof, from its source.
pub(crate) fn source(name: &str) -> SourceProof {
    demo().proofs.into_iter().find(|proof| proof.name == name).expect("a proof")
}

/// What the census would say about it.
pub(crate) fn entry(name: &str) -> Entry {
    let proof = source(name);
    Entry {
        name: proof.name.clone(),
        properties: vec!["demo".to_string()],
        covers: proof.covers.len(),
        asserts: proof.asserts.len(),
        assumptions: proof.assumptions.len(),
        unwind: proof.unwind,
        ..Entry::default()
    }
}

/// A run that printed this and ended with 0.
pub(crate) fn run(text: &str) -> Run {
    Run { end: End::Exited(0), text: text.to_string(), export: None, errors: String::new() }
}

/// Judges a text as a run of a recorded proof.
pub(crate) fn judged(name: &str, text: &str) -> Judgement {
    judge(&entry(name), &source(name), &run(text), None)
}

/// The kinds of the reasons.
pub(crate) fn kinds(reasons: &[Reason]) -> Vec<ReasonKind> {
    reasons.iter().map(|reason| reason.kind).collect()
}
