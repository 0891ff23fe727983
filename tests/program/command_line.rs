//! The command line as a person meets it: statuses, one-line errors, no panic whatever is typed.

use crate::running::kverdict;
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
    assert!(message.contains("did you mean 'io-bitmap' or"), "{message}");
}

/// Races that loom is expected to find are panics, and so are drifts: none of them is an error of the program.
#[test]
fn expected_panics_of_the_engines_are_not_printed() {
    let output = kverdict(&["check", "io-bitmap", "iommu-flush", "--engine", "loom,proptest", "--cases", "10"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
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
        let run = crate::running::run_json(arguments);
        run.verdicts.iter().map(|record| record.full_name()).collect()
    };
    let check = ["check", "ldt", "iommu-flush", "pkeys", "--engine", "loom", "--format", "json"];
    let whole = names(&check);
    let mut parts: Vec<String> = Vec::new();
    for shard in ["1/3", "2/3", "3/3"] {
        parts.extend(names(&[&check[..], &["--shard", shard]].concat()));
    }
    parts.sort();
    let mut sorted = whole;
    sorted.sort();
    assert!(sorted.len() > 50, "{} verdicts are enough to be divided", sorted.len());
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
        let run = crate::running::run_json(&[
            "check",
            "io-bitmap",
            "--engine",
            "exact",
            "--format",
            "json",
            "--threads",
            threads,
        ]);
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
    assert!(text.contains("stopped before its end"), "{text}");
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
    for stock in [
        &["explore", "ldt/posted", "--listen", &address][..],
        &["explore", "ldt/posted", "--stock", "--listen", &address],
    ] {
        let (status, message) = failure(stock);
        assert_eq!(status, 2);
        assert!(message.contains(&address) && message.contains("--listen"), "{message}");
    }
}

/// A running `kverdict explore`, ended when this is dropped.
struct Server(std::process::Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Starts a server on a free port, and gives the address that it prints.
fn serve(arguments: &[&str]) -> (Server, String) {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("it has one");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kverdict"));
    command.arg("explore").args(arguments).args(["--listen", &free.to_string()]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().expect("the program starts");
    let mut line = String::new();
    let out = child.stdout.take().expect("it is piped");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).expect("it says where it serves");
    assert!(line.contains(&format!("http://{free}/")), "{line}");
    (Server(child), free.to_string())
}

/// Asks a server, which may still be starting, and gives the body of its answer.
fn fetch(address: &str, path: &str) -> String {
    use std::io::{Read, Write};
    let begun = std::time::Instant::now();
    loop {
        if let Ok(mut stream) = std::net::TcpStream::connect(address) {
            write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("it is sent");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).expect("an answer");
            let answer = String::from_utf8_lossy(&answer).into_owned();
            assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
            return answer.split_once("\r\n\r\n").expect("a head and a body").1.to_string();
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "nobody listens at {address}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn stock_serves_the_explorer_of_stateright_and_ours_answers_in_its_shape() {
    let answers = |arguments: &[&str]| -> (Vec<String>, String) {
        let (_server, address) = serve(arguments);
        let body = fetch(&address, "/.status");
        let status: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert!(status["properties"].as_array().is_some_and(|list| !list.is_empty()), "{body}");
        let states: serde_json::Value = serde_json::from_str(&fetch(&address, "/.states/")).expect("JSON");
        assert!(states[0]["fingerprint"].is_string() && states[0]["state"].is_string(), "{states}");
        let names = status.as_object().expect("an object").keys().cloned();
        let first = states[0].as_object().expect("an object").keys().cloned();
        let names = names.chain(first.filter(|name| name != "svg" && name != "properties")).collect();
        (names, states[0]["fingerprint"].to_string())
    };
    assert_eq!(answers(&["ldt/posted", "--stock"]), answers(&["ldt/posted"]));
}

#[test]
fn explore_begins_at_the_variant_named_and_at_the_size_given() {
    let (_server, address) = serve(&["pkeys/posted", "--size", "keys=2"]);
    let page = fetch(&address, "/variant/pkeys/posted?size=keys=2");
    assert!(page.contains("keys=2"), "{page}");
    assert!(fetch(&address, "/").contains("keys&#x3d;2") || fetch(&address, "/").contains("keys=2"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_server_at_once() {
    let (mut server, address) = serve(&[]);
    fetch(&address, "/static/icon.svg");
    let id = server.0.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().expect("kill is there").success());
    let begun = std::time::Instant::now();
    while server.0.try_wait().expect("it can be asked").is_none() {
        assert!(begun.elapsed() < std::time::Duration::from_secs(5), "it goes on");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
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
