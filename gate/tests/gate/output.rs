//! The reader of Kani's text, on recorded and on damaged output.

use crate::support::{REGULAR, as_of_068, only};
use gate::output::{Ending, Status, parse};

#[test]
fn reads_the_recorded_output() {
    let output = parse(REGULAR).expect("a complete output");
    assert_eq!(output.version.to_string(), "0.57.0");
    assert_eq!(output.cbmc.as_deref(), Some("6.6.0"));
    let names: Vec<&str> = output.proofs.iter().map(|proof| proof.name.as_str()).collect();
    assert_eq!(names, ["proofs::looped", "proofs::bad", "proofs::roundtrip"]);
    let [looped, bad, roundtrip] = &output.proofs[..] else { panic!("three proofs") };
    assert_eq!((looped.checks.len(), bad.checks.len(), roundtrip.checks.len()), (90, 7, 10));
    assert_eq!(looped.ending, Ending::Successful { panics: None });
    assert_eq!(bad.ending, Ending::Failed { panics: None });
    assert_eq!(looped.solver.as_deref(), Some("MiniSAT 2.2.1 with simplifier"));
    assert_eq!(looped.notes.len(), 1, "the solver that was asked for was not there: {:?}", looped.notes);
    let failed: Vec<&str> = bad
        .checks
        .iter()
        .filter(|check| check.status == Status::Failure)
        .map(|check| check.description.as_str())
        .collect();
    assert_eq!(failed, ["attempt to multiply with overflow", "assertion failed: index_to_offset(i, s) <= off"]);
    let cover = roundtrip.checks.iter().find(|check| check.is_cover()).expect("a cover");
    assert_eq!((cover.status, cover.description.as_str()), (Status::Satisfied, "cover condition: i > 5"));
    assert_eq!(cover.place(), Some(("src/lib.rs", 12, 9)));
    let unwind = looped.checks.last().expect("a check");
    assert_eq!((unwind.class(), unwind.function()), ("unwind", "proofs::looped"));
}

#[test]
fn reads_a_description_of_several_lines() {
    let output = parse(REGULAR).expect("a complete output");
    let long = output.proofs[0].checks.iter().find(|check| check.description.contains('\n')).expect("one of two lines");
    assert!(long.description.starts_with("Expected the distance") && long.description.ends_with("size of `T`"));
    assert!(long.location.is_some());
}

#[test]
fn reads_what_newer_versions_print() {
    for name in ["proofs::looped", "proofs::bad", "proofs::roundtrip"] {
        let text = as_of_068(&only(name));
        assert!(text.contains("Manual Harness Summary:"), "{name}");
        assert_eq!(parse(&text).map(|output| output.version.minor), Ok(68), "{name}");
    }
    let with_stub = as_of_068(&only("proofs::bad")).replace("bad...\n", "bad...\n  - Stub: a::b -> c::d\n");
    assert!(parse(&with_stub).is_ok());
}

#[test]
fn refuses_every_prefix_by_line() {
    let lines: Vec<&str> = REGULAR.split_inclusive('\n').collect();
    for count in 0..lines.len() {
        let cut = lines[..count].concat();
        assert!(parse(&cut).is_err(), "the first {count} lines pass for a whole output");
    }
}

#[test]
fn refuses_every_prefix_by_character() {
    let whole = only("proofs::roundtrip");
    let end = whole.trim_end().len();
    for (at, _) in whole[..end].char_indices() {
        assert!(parse(&whole[..at]).is_err(), "the first {at} bytes pass for a whole output");
    }
}

#[test]
fn refuses_output_without_its_beginning() {
    let lines: Vec<&str> = REGULAR.split_inclusive('\n').collect();
    for count in 1..lines.len() {
        assert!(parse(&lines[count..].concat()).is_err(), "without the first {count} lines");
    }
}

#[test]
fn refuses_a_missing_line_of_results() {
    for name in ["proofs::roundtrip", "proofs::bad"] {
        let whole = only(name);
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        let first = lines.iter().position(|line| *line == "RESULTS:\n").expect("results");
        for missing in first..lines.len() {
            let mut rest = lines.clone();
            let line = rest.remove(missing);
            // A place names no verdict, one empty line among several is none of ours, and `Summary:` is only a title.
            let harmless = line.starts_with("\t - Location: ")
                || line.starts_with(" File: ")
                || line == "Summary:\n"
                || line == "\n";
            assert!(harmless || parse(&rest.concat()).is_err(), "{name} without line {missing}: {line}");
        }
    }
}

#[test]
fn refuses_a_line_twice() {
    let whole = only("proofs::roundtrip");
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let first = lines.iter().position(|line| *line == "RESULTS:\n").expect("results");
    for twice in first..lines.len() {
        let mut more = lines.clone();
        more.insert(twice, lines[twice]);
        let line = lines[twice];
        assert!(line == "\n" || parse(&more.concat()).is_err(), "line {twice} twice: {line}");
    }
}

#[test]
fn refuses_doubled_and_mixed_output() {
    assert!(parse(&format!("{REGULAR}{REGULAR}")).is_err());
    let (good, bad) = (only("proofs::roundtrip"), only("proofs::bad"));
    assert!(parse(&format!("{good}{bad}")).is_err());
    let mut mixed = String::new();
    let (mut left, mut right) = (good.lines(), bad.lines());
    loop {
        let pair = (left.next(), right.next());
        if pair == (None, None) {
            break;
        }
        for line in [pair.0, pair.1].into_iter().flatten() {
            mixed.push_str(line);
            mixed.push('\n');
        }
    }
    assert!(parse(&mixed).is_err());
    let (head, end) = good.split_once("Complete - 1 successfully verified harnesses, 0 failures, 1").expect("an end");
    let section = &head[head.find("Checking").expect("a proof")..];
    let twice = format!("{head}{section}Complete - 2 successfully verified harnesses, 0 failures, 2{end}");
    assert!(parse(&twice).is_err_and(|damage| damage.what.contains("twice")));
    let threads = good.replace("Checking harness", "Thread 0: Checking harness");
    assert!(parse(&threads).is_err());
}

#[test]
fn refuses_any_flipped_word() {
    let words = [
        ("Status: SUCCESS", "Status: FAILURE"),
        ("Status: SUCCESS", "Status: UNREACHABLE"),
        ("Status: SUCCESS", "Status: UNDETERMINED"),
        ("Status: SUCCESS", "Status: SATISFIED"),
        ("Status: SUCCESS", "Status: success"),
        ("Status: SATISFIED", "Status: UNSATISFIABLE"),
        ("Status: SATISFIED", "Status: SUCCESS"),
        ("Status: FAILURE", "Status: SUCCESS"),
        ("0 of 9 failed", "1 of 9 failed"),
        ("0 of 9 failed", "0 of 8 failed"),
        ("0 of 9 failed", "0 of 9 failed (1 unreachable)"),
        ("0 of 9 failed", "-0 of 9 failed"),
        ("1 of 1 cover", "0 of 1 cover"),
        ("1 of 1 cover", "2 of 2 cover"),
        ("2 of 7 failed", "0 of 7 failed"),
        ("VERIFICATION:- SUCCESSFUL", "VERIFICATION:- FAILED"),
        ("VERIFICATION:- FAILED", "VERIFICATION:- SUCCESSFUL"),
        ("VERIFICATION:- SUCCESSFUL", "VERIFICATION:- SUCCESSFUL (encountered one or more panics as expected)"),
        ("VERIFICATION:- FAILED", "VERIFICATION:- SUCCESSFUL (encountered one or more panics as expected) x"),
        ("Verification Time: 0", "Verification Time: x"),
        ("Verification Time: 0", "Verification Time: -0"),
        ("1 total.", "2 total."),
        ("1 successfully", "0 successfully"),
        ("Verification failed for - proofs::bad", "Verification failed for - proofs::roundtrip"),
        ("Check 2: ", "Check 3: "),
        ("Check 2: ", "Check two: "),
        ("Kani Rust Verifier 0.57.0", "Kani Rust Verifier 0.56.0"),
        ("Kani Rust Verifier 0.57.0", "Kani Rust Verifier 0.69.0"),
        ("Kani Rust Verifier 0.57.0", "Kani Rust Verifier 1.57.0"),
        ("(cargo plugin)", "(standalone)"),
        ("Failed Checks: attempt", "Failed Checks: attempts"),
        ("CBMC 6.6.0", "\u{1b}[32mCBMC 6.6.0"),
    ];
    for (from, to) in words {
        let mut tried = 0;
        for name in ["proofs::roundtrip", "proofs::bad"] {
            let whole = only(name);
            assert!(parse(&whole).is_ok());
            for (at, _) in whole.match_indices(from) {
                let flipped = format!("{}{to}{}", &whole[..at], &whole[at + from.len()..]);
                assert!(parse(&flipped).is_err(), "{name}: {from} -> {to} passes");
                tried += 1;
            }
        }
        assert!(tried > 0, "{from} stands nowhere");
    }
}

#[test]
fn refuses_empty_terse_and_foreign_output() {
    let foreign = [
        "",
        "\n\n",
        "Kani Rust Verifier 0.57.0 (cargo plugin)\n",
        "Kani Rust Verifier 0.57.0 (cargo plugin)\nNo proof harnesses (functions with #[kani::proof]) were found to verify.\n",
        "Kani Rust Verifier 0.57.0 (cargo plugin)\nComplete - 0 successfully verified harnesses, 0 failures, 0 total.\n",
        "VERIFICATION:- SUCCESSFUL\n",
        include_str!("../data/terse-0.57.txt"),
        include_str!("../data/list-0.57.json"),
    ];
    for text in foreign {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn reads_that_cbmc_gave_no_results() {
    let timed_out = "Kani Rust Verifier 0.60.0 (cargo plugin)\nChecking harness a::b...\nCBMC 6.6.0 (cbmc-6.6.0)\n\nCBMC failed\n\
        VERIFICATION:- FAILED\nCBMC timed out. You may want to rerun your proof with a larger timeout or use stubbing.\n\n\
        Summary:\nVerification failed for - a::b\nComplete - 0 successfully verified harnesses, 1 failures, 1 total.\n";
    let output = parse(timed_out).expect("a complete output");
    assert!(matches!(&output.proofs[0].ending, Ending::NoResults { text } if text.contains("timed out")));
}
