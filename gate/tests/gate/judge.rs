//! The judge: what is a proof, and what is not.

use crate::support::{as_of_068, entry, judged, kinds, only, run, source};
use gate::census::Unreachable;
use gate::judge::{End, ReasonKind, judge};
use gate::output::Version;

const GOOD: &str = "proofs::roundtrip";

/// Adds a check to the recorded proof, with its count, as Kani would print it.
fn with_check(text: &str, class: &str, status: &str, description: &str) -> String {
    let check = format!(
        "Check 11: {GOOD}.{class}.7\n\t - Status: {status}\n\t - Description: \"{description}\"\n\t - Location: src/lib.rs:14:9 in function {GOOD}\n\n"
    );
    let text = text.replace("\n\nSUMMARY:", &format!("\n{check}\nSUMMARY:"));
    match status {
        "UNREACHABLE" => text.replace("0 of 9 failed", "0 of 10 failed (1 unreachable)"),
        "UNDETERMINED" => text.replace("0 of 9 failed", "0 of 10 failed (1 undetermined)"),
        "FAILURE" => text
            .replace("0 of 9 failed", "1 of 10 failed")
            .replace(
                "satisfied\n\n\nVERIFICATION:- SUCCESSFUL",
                &format!("satisfied\n\nFailed Checks: {description}\n\nVERIFICATION:- FAILED"),
            )
            .replace(
                "Complete - 1 successfully verified harnesses, 0",
                &format!("Verification failed for - {GOOD}\nComplete - 0 successfully verified harnesses, 1"),
            ),
        _ => text.replace("0 of 9 failed", "0 of 10 failed"),
    }
}

#[test]
fn proves_what_was_recorded() {
    for name in [GOOD, "proofs::looped"] {
        for text in [only(name), as_of_068(&only(name))] {
            let judgement = judged(name, &text);
            assert!(judgement.is_proved(), "{name}: {:?}", judgement.reasons);
        }
    }
    assert!(judged(GOOD, &with_check(&only(GOOD), "assertion", "SUCCESS", "more")).is_proved());
}

#[test]
fn says_what_failed() {
    let mut failed = run(&only("proofs::bad"));
    failed.end = End::Exited(1);
    let judgement = judge(&entry("proofs::bad"), &source("proofs::bad"), &failed, None);
    assert_eq!(kinds(&judgement.reasons), [ReasonKind::Failed, ReasonKind::Failed]);
    assert!(judgement.reasons[1].text.contains("index_to_offset(i, s) <= off"), "{:?}", judgement.reasons);
}

#[test]
fn cut_output_is_not_proved() {
    for name in [GOOD, "proofs::looped"] {
        let (entry, source, whole) = (entry(name), source(name), only(name));
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        for count in 0..lines.len() {
            let judgement = judge(&entry, &source, &run(&lines[..count].concat()), None);
            assert!(!judgement.is_proved() && !judgement.reasons.is_empty(), "{name}: {count} lines");
        }
    }
}

#[test]
fn an_exit_status_that_does_not_fit_is_not_proved() {
    for end in [End::Exited(1), End::Exited(101), End::Signalled(9), End::TimedOut(60)] {
        let mut odd = run(&only(GOOD));
        odd.end = end.clone();
        assert!(!judge(&entry(GOOD), &source(GOOD), &odd, None).is_proved(), "{end:?}");
    }
    let mut odd = run(&only("proofs::bad"));
    odd.end = End::Exited(0);
    let judgement = judge(&entry("proofs::bad"), &source("proofs::bad"), &odd, None);
    assert!(kinds(&judgement.reasons).contains(&ReasonKind::Crashed));
}

#[test]
fn other_proofs_prove_nothing() {
    assert_eq!(kinds(&judged(GOOD, &only("proofs::looped")).reasons), [ReasonKind::WrongProof]);
    assert_eq!(kinds(&judged(GOOD, crate::support::REGULAR).reasons), [ReasonKind::WrongProof]);
}

#[test]
fn another_version_is_not_proved() {
    let wanted = Version::parse("0.68.0");
    let judgement = judge(&entry(GOOD), &source(GOOD), &run(&only(GOOD)), wanted);
    assert_eq!(kinds(&judgement.reasons), [ReasonKind::WrongVersion]);
    let unknown = only(GOOD).replace("0.57.0", "0.99.0");
    assert_eq!(kinds(&judged(GOOD, &unknown).reasons), [ReasonKind::WrongVersion]);
}

#[test]
fn unreachable_checks_must_be_reviewed() {
    let text = with_check(&only(GOOD), "assertion", "UNREACHABLE", "assertion failed: i == 0");
    assert_eq!(kinds(&judged(GOOD, &text).reasons), [ReasonKind::Unreachable]);
    let review = |check: &str, function: &str| {
        let mut entry = entry(GOOD);
        entry.unreachable.push(Unreachable {
            check: check.into(),
            function: function.into(),
            reason: "x".into(),
            at_most: 1,
        });
        judge(&entry, &source(GOOD), &run(&text), None)
    };
    assert!(review("assertion failed: i == 0", GOOD).is_proved());
    assert!(!review("assertion failed: i == 1", GOOD).is_proved());
    assert!(!review("assertion failed: i == 0", "proofs::other").is_proved());
}

#[test]
fn a_review_covers_no_second_check() {
    let text =
        with_check(&only(GOOD), "assertion", "UNREACHABLE", "gone").replace("0 of 10 failed (1", "0 of 11 failed (2");
    let twice = text.replace(
        "\n\nSUMMARY:",
        &format!("\nCheck 12: {GOOD}.assertion.8\n\t - Status: UNREACHABLE\n\t - Description: \"gone\"\n\n\nSUMMARY:"),
    );
    let mut entry = entry(GOOD);
    entry.unreachable.push(Unreachable { check: "gone".into(), function: GOOD.into(), reason: "x".into(), at_most: 1 });
    assert_eq!(kinds(&judge(&entry, &source(GOOD), &run(&twice), None).reasons), [ReasonKind::Unreachable]);
    entry.unreachable[0].at_most = 2;
    assert!(judge(&entry, &source(GOOD), &run(&twice), None).is_proved());
}

#[test]
fn undetermined_checks_are_not_proved() {
    let text = with_check(&only(GOOD), "assertion", "UNDETERMINED", "x");
    assert_eq!(kinds(&judged(GOOD, &text).reasons), [ReasonKind::Undetermined]);
}

#[test]
fn an_unwinding_bound_that_is_too_small_has_its_own_reason() {
    let text = with_check(&only(GOOD), "unwind", "FAILURE", "unwinding assertion loop 0");
    let mut failed = run(&text);
    failed.end = End::Exited(1);
    let judgement = judge(&entry(GOOD), &source(GOOD), &failed, None);
    assert_eq!(kinds(&judgement.reasons), [ReasonKind::Unwinding]);
}

#[test]
fn every_cover_must_be_satisfied() {
    for status in ["UNSATISFIABLE", "UNREACHABLE"] {
        let counts = if status == "UNREACHABLE" {
            "0 of 1 cover properties satisfied (1 unreachable)"
        } else {
            "0 of 1 cover properties satisfied"
        };
        let text = only(GOOD)
            .replace("Status: SATISFIED", &format!("Status: {status}"))
            .replace("1 of 1 cover properties satisfied", counts);
        assert_eq!(kinds(&judged(GOOD, &text).reasons), [ReasonKind::Cover], "{status}");
    }
}

#[test]
fn covers_are_counted() {
    for (covers, covers_run, good) in [(0, None, false), (2, None, false), (2, Some(1), true), (1, Some(2), false)] {
        let mut entry = entry(GOOD);
        (entry.covers, entry.covers_run) = (covers, covers_run);
        let judgement = judge(&entry, &source(GOOD), &run(&only(GOOD)), None);
        assert_eq!(judgement.is_proved(), good, "{covers} {covers_run:?}");
    }
}

#[test]
fn nothing_to_check_is_not_proved() {
    let whole = only(GOOD);
    let from = whole.find("Check 1: ").expect("a check");
    let to = whole.find("\nSUMMARY:").expect("a sum");
    let empty = format!("{}{}", &whole[..from], &whole[to..])
        .replace("0 of 9 failed", "0 of 0 failed")
        .replace("\n\n ** 1 of 1 cover properties satisfied\n\n\n", "\n\n");
    let judgement = judged(GOOD, &empty);
    let kinds = kinds(&judgement.reasons);
    assert!(
        kinds.contains(&ReasonKind::NoChecks) && kinds.contains(&ReasonKind::AssertMissing),
        "{:?}",
        judgement.reasons
    );
}

#[test]
fn an_assertion_that_was_not_checked_is_missed() {
    let mut proof = source(GOOD);
    proof.asserts[0].text = "assertion failed: something_else()".into();
    (proof.asserts[0].line, proof.asserts[0].last_line) = (77, 77);
    let judgement = judge(&entry(GOOD), &proof, &run(&only(GOOD)), None);
    assert_eq!(kinds(&judgement.reasons), [ReasonKind::AssertMissing]);
}

/// What `--export-json` writes for the recorded proof, after `kani-driver/src/frontend/schema_utils.rs`.
fn export(text: &str) -> serde_json::Value {
    let output = gate::output::parse(text).expect("a complete output");
    let proof = &output.proofs[0];
    let checks: Vec<serde_json::Value> = proof
        .checks
        .iter()
        .enumerate()
        .map(|(index, check)| {
            let status = if check.is_cover() { "Satisfied" } else { "Success" };
            serde_json::json!({"id": index + 1, "function": check.function(), "status": status, "description": check.description,
                "location": {"file": "src/lib.rs", "line": "1", "column": "1"}, "category": check.class()})
        })
        .collect();
    serde_json::json!({
        "metadata": {"version": "1.0", "kani_version": output.version.to_string()},
        "verification_results": {
            "summary": {"total_harnesses": 1, "executed": 1, "status": "completed", "successful": 1, "failed": 0, "duration_ms": 1},
            "results": [{"harness_id": proof.name, "status": "Success", "duration_ms": 1, "checks": checks}]
        }
    })
}

#[test]
fn the_exported_file_must_agree() {
    let text = as_of_068(&only(GOOD));
    let with = |file: String| {
        let mut run = run(&text);
        run.export = Some(file);
        judge(&entry(GOOD), &source(GOOD), &run, None)
    };
    assert!(with(export(&text).to_string()).is_proved());
    let places = [
        ("/metadata/kani_version", serde_json::json!("0.67.0")),
        ("/verification_results/summary/total_harnesses", serde_json::json!(2)),
        ("/verification_results/summary/executed", serde_json::json!(0)),
        ("/verification_results/summary/failed", serde_json::json!(1)),
        ("/verification_results/summary/status", serde_json::json!("completed_with_fail_fast")),
        ("/verification_results/results/0/harness_id", serde_json::json!("proofs::bad")),
        ("/verification_results/results/0/status", serde_json::json!("Failure")),
        ("/verification_results/results/0/checks/3/status", serde_json::json!("Failure")),
        ("/verification_results/results/0/checks/3/description", serde_json::json!("x")),
        ("/verification_results/results/0/checks/3/category", serde_json::json!("cover")),
        ("/verification_results/results/0/checks/3/id", serde_json::json!(9)),
        ("/verification_results/results/0/checks", serde_json::json!([])),
        ("/verification_results/results", serde_json::json!([])),
        ("/verification_results/results", serde_json::json!(null)),
    ];
    for (place, value) in places {
        let mut file = export(&text);
        *file.pointer_mut(place).expect("a place") = value;
        assert_eq!(kinds(&with(file.to_string()).reasons), [ReasonKind::ExportDiffers], "{place}");
    }
    for file in ["", "{}", "[]", "not json"] {
        assert_eq!(kinds(&with(file.to_string()).reasons), [ReasonKind::ExportDiffers], "{file}");
    }
}

#[test]
fn a_proof_that_should_panic_is_not_understood() {
    let name = "proofs::bad";
    let panics = "VERIFICATION:- SUCCESSFUL (encountered one or more panics as expected)";
    let text = only(name).replace("VERIFICATION:- FAILED", panics).replace(
        "Summary:\nVerification failed for - proofs::bad\nComplete - 0 successfully verified harnesses, 1",
        "Complete - 1 successfully verified harnesses, 0",
    );
    let judgement = judge(&entry(name), &source(name), &run(&text), None);
    assert!(kinds(&judgement.reasons).contains(&ReasonKind::WrongProof), "{:?}", judgement.reasons);
}

#[test]
fn unreachable_checks_outside_the_proofs_are_counted_only() {
    let text = with_check(&only(GOOD), "assertion", "UNREACHABLE", "attempt to add with overflow");
    let elsewhere = text.replace("src/lib.rs:14:9", "models/src/arithmetic.rs:14:9");
    assert!(judged(GOOD, &elsewhere).is_proved());
    let nowhere = text.replace("\t - Location: src/lib.rs:14:9 in function proofs::roundtrip\n", "");
    assert_eq!(kinds(&judged(GOOD, &nowhere).reasons), [ReasonKind::Unreachable]);
    let stated = elsewhere.replace("attempt to add with overflow", "assertion failed: index_to_offset(i, s) <= off");
    assert_eq!(kinds(&judged(GOOD, &stated).reasons), [ReasonKind::Unreachable], "a stated one, wherever it stands");
}

#[test]
fn a_cover_is_no_assertion() {
    let mut proof = source(GOOD);
    proof.asserts[0].text = "assertion failed: something_else()".into();
    // The place of the cover.
    (proof.asserts[0].line, proof.asserts[0].last_line) = (12, 12);
    let judgement = judge(&entry(GOOD), &proof, &run(&only(GOOD)), None);
    assert_eq!(kinds(&judgement.reasons), [ReasonKind::AssertMissing]);
}
