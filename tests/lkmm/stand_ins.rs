//! The engine with stand-ins: folders that look like a kernel tree, and shell scripts that answer as herd7 would, or
//! would not.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kverdict::lkmm::{Answer, Error, Failure, LkmmRun, Settings, run};

use super::{project, recorded, scratch};

/// A stand-in's answer to a test of the kernel's, `$name`: as its header says.
const ANSWERS_THE_KERNELS: &str = r"printf 'Test %s Allowed\nStates 1\n0:r0=0;\nNo\nWitnesses\nPositive: 0 Negative: 1\n' $name
printf 'Condition exists (0:r0=1)\nObservation %s Never 0 1\nTime %s 0.00\nHash=%032d\n\n' $name $name 0";

/// A project with one litmus test of ours, a kernel tree with `kernel_tests` tests, and a herd7 that answers `-version`
/// with `version`, the kernel's tests as expected, and ours by running `answer`.
fn stand_in(name: &str, kernel_tests: usize, version: &str, answer: &str) -> Settings {
    let folder = scratch(name);
    let ours = "harnesses/litmus/ldt-publish-release.litmus";
    write(&folder.join(ours), &std::fs::read_to_string(project().join(ours)).expect("the file is there"));
    let model = folder.join("linux/tools/memory-model");
    for file in ["linux-kernel.cfg", "linux-kernel.cat", "linux-kernel.bell", "linux-kernel.def"] {
        write(&model.join(file), "");
    }
    write(&folder.join("linux/Makefile"), "VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 0\n");
    for number in 0..kernel_tests {
        write(
            &model.join(format!("litmus-tests/T{number}.litmus")),
            &format!("C T{number}\n(*\n * Result: Never\n *)\n"),
        );
    }
    write(&folder.join("answer.txt"), &recorded("never.txt"));
    write_herd7(&folder, version, answer);
    Settings {
        project: folder.clone(),
        kernel_tree: Some(folder.join("linux")),
        path: vec![folder.join("bin")],
        accept_herd7: Vec::new(),
        timeout: Duration::from_secs(30),
        threads: 2,
    }
}

fn write_herd7(folder: &Path, version: &str, answer: &str) {
    let script = format!(
        "root={}\nif [ \"$1\" = -version ]; then printf '%s\\n' '{version}'; exit 0; fi\n\
         name=${{3##*/}}; name=${{name%.litmus}}\ncase $name in\nT*) {ANSWERS_THE_KERNELS} ;;\n*) {answer} ;;\nesac\n",
        folder.display()
    );
    write(&folder.join("bin/answers"), &script);
    symlink(project().join("tests/data/stand-in-herd7"), folder.join("bin/herd7")).expect("a link");
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder can be made");
    std::fs::write(path, text).expect("a file can be written");
}

fn ran(settings: &Settings) -> LkmmRun {
    match run(settings, |_| true) {
        Ok(Answer::Ran(run)) => run,
        other => panic!("it should have run: {other:?}"),
    }
}

fn error(settings: &Settings) -> Error {
    run(settings, |_| true).expect_err("it should be an error")
}

const KNOWN: &str = "7.58, Rev: exported";
const REPLAY: &str = "cat $root/answer.txt";

#[test]
fn a_whole_answer_is_a_verdict() {
    let run = ran(&stand_in("whole", 34, KNOWN, REPLAY));
    assert_eq!((run.herd7_version.as_str(), run.model.as_str(), run.self_check.tests), ("7.58", "Linux 6.1.0", 34));
    assert_eq!((run.results.len(), run.as_expected()), (1, 1));
    assert!(run.results[0].command.contains("-conf linux-kernel.cfg"));
}

#[test]
fn another_answer_is_not_as_expected() {
    let run = ran(&stand_in("other-outcome", 34, KNOWN, "sed 's/1:r0=old; 1:r1=0/1:r0=old; 1:r1=1/' $root/answer.txt"));
    let differences = run.results[0].differences();
    assert_eq!(
        differences,
        ["expected outcome 1:r0=old; 1:r1=0; is missing", "outcome 1:r0=old; 1:r1=1; was not expected"]
    );
    assert_eq!(run.as_expected(), 0);
    let flagged = ran(&stand_in("flagged", 34, KNOWN, "sed 's/^Condition/Flag data-race\\n&/' $root/answer.txt"));
    assert_eq!(flagged.results[0].differences(), ["flag data-race was not expected"]);
}

#[test]
fn what_is_no_answer_is_no_verdict() {
    for (name, answer, reason) in [
        ("silent", "true", "cut"),
        ("cut", "head -n 8 $root/answer.txt", "cut"),
        ("failing", "cat $root/answer.txt; exit 2", "herd7 failed"),
        ("warning", "cat $root/answer.txt; echo 'Warning: odd' >&2", "Warning: odd"),
        ("killed", "head -c 100 $root/answer.txt; kill -9 $$", "herd7 failed"),
        ("endless", "yes", "longer than"),
        ("binary", "printf '\\377\\n\\n'", "UTF-8"),
    ] {
        let run = ran(&stand_in(name, 34, KNOWN, answer));
        let Err(Failure::NoVerdict(said)) = &run.results[0].observed else { panic!("{name}: {run:?}") };
        assert!(said.contains(reason), "{name}: {said}");
        assert_eq!(run.as_expected(), 0, "{name}");
        assert!(run.results[0].differences().is_empty(), "{name}");
    }
}

#[test]
fn what_herd7_cannot_read_is_no_verdict() {
    // herd7 writes this and exits with 0.
    let settings = stand_in("unreadable", 34, KNOWN, "cat $root/unreadable.txt >&2");
    write(&settings.project.join("unreadable.txt"), &recorded("unreadable.txt"));
    let Err(Failure::NoVerdict(said)) = &ran(&settings).results[0].observed else { panic!("it is no verdict") };
    assert!(said.contains("unexpected"), "{said}");
}

#[test]
fn a_test_that_takes_too_long_is_stopped() {
    let mut settings = stand_in("slow", 34, KNOWN, "exec sleep 60");
    // Long enough for the stand-in to answer everything else on a busy machine.
    settings.timeout = Duration::from_millis(1500);
    let run = ran(&settings);
    assert_eq!(run.results[0].observed, Err(Failure::TimedOut(settings.timeout)));
    assert!(run.elapsed < Duration::from_secs(30));
}

#[test]
fn an_unknown_version_is_an_error() {
    for version in ["7.56, Rev: exported", "7.59, Rev: exported", "7.58+1, Rev: x", "8.58, Rev: x", "7.58", "herd"] {
        let Error::UnknownVersion(said) = error(&stand_in("version", 34, version, REPLAY)) else { panic!("{version}") };
        assert!(said.contains(version.split(',').next().unwrap_or_default()), "{said}");
    }
    let mut accepted = stand_in("version-accepted", 34, "7.59, Rev: exported", REPLAY);
    accepted.accept_herd7 = vec!["7.59".into()];
    assert_eq!(ran(&accepted).herd7_version, "7.59");
}

#[test]
fn the_herd7_of_a_known_version_is_taken() {
    let mut settings = stand_in("two-versions", 34, KNOWN, REPLAY);
    let old = scratch("two-versions-old");
    write_herd7(&old, "7.50, Rev: old", "exit 9");
    settings.path.insert(0, old.join("bin"));
    assert_eq!(ran(&settings).herd7_version, "7.58");
}

#[test]
fn what_was_fetched_is_found_without_a_setting() {
    let mut settings = stand_in("fetched", 34, KNOWN, REPLAY);
    let fetched = settings.project.join("target/herd7");
    std::fs::create_dir_all(&fetched).expect("a folder can be made");
    for folder in ["bin", "linux"] {
        std::fs::rename(settings.project.join(folder), fetched.join(folder)).expect("a folder can be moved");
    }
    settings.path.clear();
    settings.kernel_tree = None;
    assert_eq!(ran(&settings).as_expected(), 1);
}

#[test]
fn what_is_missing_is_not_run() {
    let whole = stand_in("missing", 34, KNOWN, REPLAY);
    for (herd7, model) in [(true, false), (false, true), (false, false)] {
        let settings = Settings {
            path: if herd7 { whole.path.clone() } else { vec![PathBuf::from("/nowhere")] },
            kernel_tree: whole.kernel_tree.clone().filter(|_| model),
            ..whole.clone()
        };
        let Ok(Answer::NotRun(missing)) = run(&settings, |_| true) else { panic!("herd7: {herd7}, model: {model}") };
        assert_eq!(missing.reason.contains("herd7 is neither on PATH"), !herd7, "{missing}");
        assert_eq!(missing.reason.contains("no kernel memory model"), !model, "{missing}");
        assert!(missing.how_to_get.contains("just herd7"), "{missing}");
        assert_eq!(missing.how_to_get.contains("--kernel-tree"), !model, "{missing}");
    }
}

#[test]
fn a_named_tree_that_is_no_kernel_is_an_error() {
    let mut settings = stand_in("no-kernel", 34, KNOWN, REPLAY);
    std::fs::remove_file(settings.project.join("linux/tools/memory-model/linux-kernel.cat")).expect("it was there");
    assert!(matches!(error(&settings), Error::Setup(said) if said.contains("linux-kernel.cat")));
    settings.kernel_tree = Some(PathBuf::from("/nowhere"));
    assert!(matches!(error(&settings), Error::Setup(said) if said.contains("/nowhere")));
    let unnamed = stand_in("no-version", 34, KNOWN, REPLAY);
    write(&unnamed.project.join("linux/Makefile"), "all:\n");
    assert!(matches!(error(&unnamed), Error::Setup(said) if said.contains("Makefile")));
}

#[test]
fn a_failed_self_check_is_an_error() {
    assert!(matches!(error(&stand_in("few", 29, KNOWN, REPLAY)), Error::SelfCheck(said) if said.contains("29")));
    for (name, text) in [
        ("differs", "C T7\n(*\n * Result: Sometimes\n *)\n"),
        ("unnamed", "T7\n(*\n * Result: Never\n *)\n"),
        ("no-result", "C T7\n"),
        ("two-results", "C T7\n(*\n * Result: Never\n * Result: Never\n *)\n"),
    ] {
        let settings = stand_in(name, 34, KNOWN, REPLAY);
        write(&settings.project.join("linux/tools/memory-model/litmus-tests/T7.litmus"), text);
        assert!(matches!(error(&settings), Error::SelfCheck(said) if said.contains("T7.litmus")), "{name}");
    }
}

#[test]
fn a_test_without_a_header_is_an_error() {
    let settings = stand_in("no-header", 34, KNOWN, REPLAY);
    write(&settings.project.join("harnesses/litmus/ldt-empty.litmus"), "C ldt-empty\n");
    assert!(matches!(error(&settings), Error::TestFile(said) if said.contains("ldt-empty.litmus")));
}

#[test]
fn only_the_selected_tests_run() {
    let settings = stand_in("selected", 34, KNOWN, REPLAY);
    let Ok(Answer::Ran(run)) = run(&settings, |test| test.mechanism == "pkeys") else { panic!("it should have run") };
    assert!(run.results.is_empty());
}
