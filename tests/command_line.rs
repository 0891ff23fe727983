//! The command line as a person meets it: statuses, one-line errors, no panic whatever is typed.

mod common;

use common::kverdict;
use proptest::prelude::*;

/// The status and the one line on stderr of a command that must fail.
fn failure(arguments: &[&str]) -> (i32, String) {
    let output = kverdict(arguments);
    let stderr = String::from_utf8(output.stderr).expect("messages are UTF-8");
    assert!(output.stdout.is_empty(), "{arguments:?} printed to stdout");
    assert_eq!(stderr.lines().count(), 1, "{arguments:?}: one line, got {stderr:?}");
    (output.status.code().expect("no signal"), stderr)
}

#[test]
fn an_unknown_mechanism_gets_the_close_ones() {
    let (status, message) = failure(&["check", "io-bitmpa"]);
    assert_eq!(status, 2);
    assert!(message.contains("did you mean 'io-bitmap'?"), "{message}");
}

#[test]
fn an_unknown_variant_gets_the_close_ones() {
    let (status, message) = failure(&["show", "ldt/postde"]);
    assert_eq!(status, 2);
    assert!(message.contains("'posted'"), "{message}");
}

#[test]
fn an_unknown_property_gets_the_known_ones() {
    let (status, message) = failure(&["show", "ldt/posted", "no-mapped-page"]);
    assert_eq!(status, 2);
    assert!(message.contains("no-mapped-free-page"), "{message}");
}

#[test]
fn a_size_out_of_range_gets_the_range() {
    let (status, message) = failure(&["check", "ldt/posted", "--size", "cpus=200"]);
    assert_eq!(status, 2);
    assert!(message.contains("cpus takes"), "{message}");
}

#[test]
fn a_form_that_holds_has_no_counterexample_to_show() {
    let (status, message) = failure(&["show", "ldt/mainline"]);
    assert_eq!(status, 4);
    assert!(message.contains("name a witness"), "{message}");
}

#[test]
fn a_time_limit_leaves_the_verdict_undecided_and_says_so() {
    let output = kverdict(&["check", "ldt/mainline", "--engine", "exact", "--timeout", "0.001", "--size", "deep"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(5), "{text}");
    assert!(text.contains("UNDECIDED") && text.contains("the time was up"), "{text}");
    assert!(text.contains("1 undecided"), "{text}");
}

#[test]
fn a_memory_limit_leaves_the_verdict_undecided_and_says_so() {
    let output = kverdict(&["check", "ldt/mainline", "--engine", "exact", "--memory", "0.001", "--size", "deep"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(5), "{text}");
    assert!(text.contains("the limit of memory was reached"), "{text}");
}

#[test]
fn the_shards_together_are_the_whole() {
    let names = |arguments: &[&str]| -> Vec<String> {
        let run = common::run_json(arguments);
        run.verdicts.iter().map(|record| record.full_name()).collect()
    };
    let check = ["check", "pkeys", "--engine", "exact", "--format", "json"];
    let whole = names(&check);
    let mut parts: Vec<String> = Vec::new();
    for shard in ["1/3", "2/3", "3/3"] {
        parts.extend(names(&[&check[..], &["--shard", shard]].concat()));
    }
    parts.sort();
    let mut sorted = whole;
    sorted.sort();
    assert_eq!(parts, sorted);
}

#[test]
fn an_empty_part_is_not_a_success() {
    let (status, _) = failure(&["check", "ldt/posted", "--engine", "exact", "--shard", "2/2"]);
    assert_eq!(status, 4);
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let findings = |threads: &str| {
        let run =
            common::run_json(&["check", "io-bitmap", "--engine", "exact", "--format", "json", "--threads", threads]);
        let mut records = run.verdicts;
        for record in &mut records {
            record.seconds = 0.0;
            record.peak_bytes = None;
        }
        records
    };
    assert!(findings("1") == findings("2"));
}

#[test]
fn a_closed_pipe_is_no_panic() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_kverdict"))
        .args(["list"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(141));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(unix)]
#[test]
fn ctrl_c_prints_what_is_known_and_exits_130() {
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_kverdict"))
        .args(["check", "--engine", "exact", "--size", "deep"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut reader = BufReader::new(child.stdout.take().expect("piped"));
    let mut text = String::new();
    // The first mechanism's header shows that the search is on its way.
    reader.read_line(&mut text).expect("it prints");
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    reader.read_to_string(&mut text).expect("it prints");
    assert_eq!(child.wait().expect("it ends").code(), Some(130), "{text}");
    assert!(text.contains("stopped by Ctrl-C"), "{text}");
}

#[test]
fn output_that_is_no_terminal_has_no_colours() {
    let output = kverdict(&["list", "ldt"]);
    assert!(!output.stdout.contains(&0x1b));
}

#[test]
fn a_busy_port_is_one_clear_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it has one").to_string();
    let (status, message) = failure(&["explore", "ldt/posted", "--listen", &address]);
    assert_eq!(status, 2);
    assert!(message.contains(&address), "{message}");
}

/// Words that are near to what the parser knows, and text that is not.
fn word() -> impl Strategy<Value = String> {
    let known = [
        "check",
        "list",
        "show",
        "--size",
        "--format",
        "json",
        "text",
        "mermaid",
        "quick",
        "cpus=3",
        "cpus=0",
        "ldt",
        "ldt/posted",
        "io-bitmap",
        "pkeys/",
        "/",
        "--shard",
        "1/2",
        "0/0",
        "--threads",
        "0",
        "65536",
        "--timeout",
        "-1",
        "nan",
        "--memory",
        "inf",
        "--engine",
        "exact",
        "loom",
        "--symmetry",
        "--",
        "-",
        "-h",
        "--version",
        "=",
        "",
    ];
    prop_oneof![3 => prop::sample::select(known.to_vec()).prop_map(str::to_string), 1 => "\\PC{0,12}", 1 => any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_argument_makes_it_panic(words in prop::collection::vec(word(), 0..5)) {
        // The limits keep a search short where the random words happen to start one.
        let mut arguments: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.contains('\0')).collect();
        if matches!(arguments.first(), Some(&"check" | &"show")) {
            arguments.splice(1..1, ["--memory", "0.002"]);
            if arguments[0] == "check" && arguments.iter().all(|word| !word.contains('/')) {
                arguments.push("pkeys/posted");
            }
        } else if arguments.first().is_none_or(|first| *first == "--") {
            arguments.insert(0, "list");
        }
        let output = kverdict(&arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let status = output.status.code();
        prop_assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
        prop_assert!(matches!(status, Some(0 | 1 | 2 | 4 | 5)), "{arguments:?}: {status:?} {stderr}");
        prop_assert!(status != Some(2) || stderr.lines().count() == 1, "{arguments:?}: {stderr}");
    }
}
