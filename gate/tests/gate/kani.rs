//! The runner, with a `cargo kani` that is a script.

use crate::support::{as_of_068, only};
use gate::judge::ReasonKind;
use gate::kani::SearchPath;
use gate::mutations::{MutationResult, Outcome};
use gate::process;
use gate::{Error, Options, Report, Tool, Verdict, Workspace, prove};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const CENSUS: &str = r#"
[[proof]]
name = "proofs::looped"
properties = ["looped"]
covers = 1
asserts = 1
assumptions = 2
unwind = 10
covers_run = 0

[[proof]]
name = "proofs::roundtrip"
properties = ["roundtrip"]
covers = 1
asserts = 2
assumptions = 1
"#;

/// The recorded crate without the proof that fails, and with what the census wants of a proof.
fn sources() -> String {
    let text = include_str!("../data/demo-lib.rs");
    let (from, to) = (
        text.find("    #[kani::proof]\n    fn bad").expect("bad"),
        text.find("    #[kani::proof]\n    #[kani::unwind").expect("looped"),
    );
    let text = format!("{}{}", &text[..from], &text[to..]);
    text.replace("    #[kani::proof]\n    fn roundtrip", "    /// roundtrip: x\n    #[kani::proof]\n    fn roundtrip")
        .replace(
            "    #[kani::proof]\n    #[kani::unwind(10)]",
            "    /// looped: x\n    #[kani::proof]\n    #[kani::unwind(10)] // eight bytes",
        )
        .replace("kani::assume(s < 61);", "kani::assume(s < 61); // domain")
        .replace("kani::assume(n <= 8);", "kani::assume(n <= 8); // domain\n        kani::cover!(n == 8);\n")
}

/// A workspace, and a folder with a `cargo` that answers as this script says.
fn workspace(script: &str) -> (TempDir, Workspace, Options) {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    fs::create_dir_all(root.join("proofs/src")).expect("a folder");
    fs::write(root.join("proofs/src/lib.rs"), sources()).expect("a file");
    fs::write(root.join("proofs/census.toml"), CENSUS).expect("a file");
    let bin = root.join("bin");
    fs::create_dir_all(&bin).expect("a folder");
    for name in ["roundtrip", "looped", "bad"] {
        let text = only(&format!("proofs::{name}"));
        fs::write(bin.join(format!("{name}.txt")), &text).expect("a file");
        fs::write(bin.join(format!("{name}-068.txt")), as_of_068(&text)).expect("a file");
    }
    fs::write(bin.join("answers"), script).expect("a file");
    let fake = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/fake-cargo");
    for name in ["cargo", "cargo-kani"] {
        symlink(&fake, bin.join(name)).expect("a link");
    }
    let options = Options { path: SearchPath(Some(bin.into())), ..Options::default() };
    let workspace = Workspace::at(root);
    (folder, workspace, options)
}

/// A Kani that gives the recorded answers.
const RECORDED: &str = r#"
case "$*" in
  "kani --version") echo "cargo-kani 0.57.0" ;;
  "kani --help") echo "Usage: cargo kani" ;;
  "kani --package kverdict-proofs --output-format regular --harness proofs::roundtrip --exact") cat $bin/roundtrip.txt ;;
  "kani --package kverdict-proofs --output-format regular --harness proofs::looped --exact") cat $bin/looped.txt ;;
  *) echo "unexpected: $*" >&2; exit 2 ;;
esac"#;

fn report(workspace: &Workspace, options: &Options) -> Report {
    prove(workspace, options, &mut |_| {}, &|| false).expect("a report")
}

fn kinds(report: &Report) -> Vec<ReasonKind> {
    let reasons = report.proofs.iter().flat_map(|proof| match &proof.verdict {
        Verdict::NotProved { reasons } => reasons.clone(),
        _ => Vec::new(),
    });
    reasons.map(|reason| reason.kind).collect()
}

#[test]
fn proves_with_the_recorded_answers() {
    let (_folder, workspace, options) = workspace(RECORDED);
    let report = report(&workspace, &options);
    // There are no mutations here, and the list says so.
    assert_eq!(report.errors.len(), 2, "{:?}", report.errors);
    assert!(report.errors.iter().all(|error| error.ends_with("no mutation must make it fail")));
    assert_eq!(report.sum().proved, 2, "{}", report.to_text());
    assert_eq!(report.kani, Tool::Found { version: "0.57.0".into(), exports: false });
    let roundtrip = &report.proofs[1];
    assert_eq!((roundtrip.mechanism.as_str(), roundtrip.checks, roundtrip.covers.len()), ("proofs", Some(9), 1));
    assert_eq!(roundtrip.assumptions[0].text, "kani::assume(s < 61)");
    assert!(report.to_text().contains("2 proofs: 2 proved"), "{}", report.to_text());
    let json = serde_json::to_value(&report).expect("JSON");
    assert_eq!(json["proofs"][1]["verdict"], "proved");
    assert_eq!(json["proofs"][1]["assumptions"][0]["reason"], "domain");
}

#[test]
fn says_that_kani_is_not_installed() {
    let (folder, workspace, mut options) = workspace(RECORDED);
    options.path = SearchPath(Some(folder.path().join("nowhere").into()));
    let report = report(&workspace, &options);
    assert!(matches!(&report.kani, Tool::NotRun { install, .. } if install.contains("kani-verifier")));
    assert_eq!(report.sum().not_run, 2);
    assert!(
        report.is_incomplete() && report.to_text().contains("to install Kani: cargo install --locked kani-verifier")
    );
    assert_eq!(report.proofs[1].assumptions.len(), 1, "the assumptions are listed all the same");
}

#[test]
fn an_unknown_kani_is_not_run() {
    for answer in ["cargo-kani 0.99.0", "nonsense", ""] {
        let (_folder, workspace, options) =
            workspace(&format!("case \"$2\" in --version) echo '{answer}' ;; *) cat $bin/roundtrip.txt ;; esac"));
        assert_eq!(report(&workspace, &options).sum().not_run, 2, "{answer}");
    }
}

#[test]
fn green_and_empty_is_not_proved() {
    let answers = [
        "",
        "echo 'Kani Rust Verifier 0.57.0 (cargo plugin)'",
        "echo 'VERIFICATION:- SUCCESSFUL'",
        "cat $bin/bad.txt",
        "kill -9 $$",
    ];
    for answer in answers {
        let script = format!("case \"$2\" in --version) echo cargo-kani 0.57.0 ;; --help) ;; *) {answer} ;; esac");
        let (_folder, workspace, options) = workspace(&script);
        let report = report(&workspace, &options);
        assert_eq!(report.sum().not_proved, 2, "{answer}: {}", report.to_text());
        assert!(report.has_failed());
    }
}

#[test]
fn a_crate_that_does_not_compile_is_not_proved() {
    let script = "case \"$2\" in --version) echo cargo-kani 0.57.0 ;; --help) ;; \
        *) echo 'Kani Rust Verifier 0.57.0 (cargo plugin)'; echo 'error[E0308]: mismatched types' >&2; exit 101 ;; esac";
    let (_folder, workspace, options) = workspace(script);
    let report = report(&workspace, &options);
    assert_eq!(kinds(&report), [ReasonKind::NotStarted, ReasonKind::NotStarted]);
    assert!(report.to_text().contains("error[E0308]"), "{}", report.to_text());
}

#[test]
fn a_promised_file_must_be_written() {
    let script = "case \"$2\" in --version) echo cargo-kani 0.68.0 ;; --help) echo '      --export-json <FILE>' ;; *) cat $bin/roundtrip-068.txt ;; esac";
    let (_folder, workspace, mut options) = workspace(script);
    options.proofs = vec!["proofs::roundtrip".into()];
    assert_eq!(kinds(&report(&workspace, &options)), [ReasonKind::ExportDiffers]);
}

#[test]
fn an_unknown_name_lists_the_close_ones() {
    let (_folder, workspace, mut options) = workspace(RECORDED);
    options.proofs = vec!["proofs::roundtrap".into()];
    let error = prove(&workspace, &options, &mut |_| {}, &|| false).expect_err("no such proof");
    assert_eq!(
        error,
        Error::UnknownProof { name: "proofs::roundtrap".into(), close: vec!["proofs::roundtrip".into()] }
    );
    options.proofs = vec!["looped".into()];
    assert!(prove(&workspace, &options, &mut |_| {}, &|| false).is_err(), "only full names");
}

#[test]
fn a_proof_outside_the_census_is_not_proved() {
    let (_folder, workspace, options) = workspace(RECORDED);
    let cut = &CENSUS[..CENSUS.find("\n[[proof]]\nname = \"proofs::roundtrip").expect("an entry")];
    fs::write(&workspace.census, cut).expect("a file");
    let report = report(&workspace, &options);
    assert_eq!(report.sum().proved, 1);
    assert!(kinds(&report).contains(&ReasonKind::WrongProof));
    assert!(report.errors.iter().any(|error| error.contains("not in the census")));
}

#[test]
fn more_seconds_than_allowed_is_not_proved() {
    let (_folder, workspace, mut options) = workspace(RECORDED);
    options.timeout = Some(0);
    assert_eq!(kinds(&report(&workspace, &options)), [ReasonKind::TimedOut, ReasonKind::TimedOut]);
}

#[test]
fn a_stopped_run_says_what_did_not_run() {
    let (_folder, workspace, options) = workspace(RECORDED);
    let report = prove(&workspace, &options, &mut |_| {}, &|| true).expect("a report");
    assert_eq!(report.sum().not_run, 2);
}

/// Whether a process is there and not only waiting to be collected.
fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn a_time_limit_takes_everything_down() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pid");
    // The grandchild keeps the output open, as CBMC does when Kani is killed alone.
    let script = format!("sleep 300 & echo $! > {}; echo begun; wait", file.display());
    let start = Instant::now();
    let finished = process::run(Command::new("sh").args(["-c", &script]), Duration::from_millis(500), &|| false);
    let finished = finished.expect("a run").expect("not stopped");
    assert!(start.elapsed() < Duration::from_secs(20));
    assert!(matches!(finished.end, gate::judge::End::TimedOut(_)));
    assert_eq!(finished.stdout, "begun\n");
    let pid = fs::read_to_string(&file).expect("a pid");
    let until = Instant::now() + Duration::from_secs(10);
    while is_alive(pid.trim()) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(!is_alive(pid.trim()), "the grandchild is still there");
}

#[test]
fn stopping_takes_everything_down() {
    let start = Instant::now();
    let asked = std::cell::Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        asked.get() > 3
    };
    let finished = process::run(Command::new("sleep").arg("300"), Duration::from_secs(200), &stop).expect("a run");
    assert!(finished.is_none() && start.elapsed() < Duration::from_secs(20));
}

/// The names of all fields.
fn fields_of(value: &serde_json::Value, found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            found.insert(name.clone());
            fields_of(value, found);
        }),
        serde_json::Value::Array(items) => items.iter().for_each(|item| fields_of(item, found)),
        _ => {}
    }
}

#[test]
fn every_field_of_the_report_is_described() {
    let description = include_str!("../../../docs/proofs.md");
    let (_, table) = description.split_once("## The JSON, version 1").expect("a section on the JSON");
    let (_folder, workspace, options) = workspace(RECORDED);
    let mut report = report(&workspace, &options);
    report.kani = Tool::NotRun { reason: "none".into(), install: "nothing".into() };
    let reasons = vec![gate::judge::Reason { kind: ReasonKind::Failed, text: "no".into() }];
    report.proofs[0].verdict = Verdict::NotProved { reasons };
    report.proofs[1].verdict = Verdict::Tested { inputs: Some(1) };
    report.mutations.push(MutationResult {
        id: "turned".into(),
        file: "src/lib.rs".into(),
        line: 1,
        proof: report.proofs[0].name.clone(),
        fails: "x < y".into(),
        outcome: Outcome::Caught { by: "a test".into() },
        seconds: 0.1,
    });
    let mut found = BTreeSet::new();
    fields_of(&serde_json::to_value(&report).expect("JSON"), &mut found);
    assert!(found.contains("install") && found.contains("inputs") && found.contains("reasons"), "{found:?}");
    for name in found {
        assert!(table.contains(&format!("`{name}`")), "{name} is not described in docs/proofs.md");
    }
}
