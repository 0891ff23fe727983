//! Everything for real, where herd7 and the model are there. Where they are not, the tests say NOT RUN on stderr, past
//! the test runner's capture; with `KVERDICT_REQUIRE_LKMM` set, that is a failure.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use kverdict::lkmm::{Answer, LitmusTest, Settings, Setup, Verdict, find, load, parse_output, run};

use super::changes::{Change, changes};
use super::headers::documented;
use super::{project, scratch};

fn not_run(test: &str, reason: &dyn std::fmt::Display) {
    assert!(std::env::var_os("KVERDICT_REQUIRE_LKMM").is_none(), "NOT RUN, and required: {reason}");
    // print! and eprint! of a test that passes are never seen.
    writeln!(std::io::stderr(), "NOT RUN: lkmm {test}: {reason}").expect("stderr can be written");
}

#[test]
fn all_verdicts_are_as_expected() {
    let settings = Settings::from_environment(project());
    let run = match run(&settings, |_| true).expect("the set-up is sound") {
        Answer::Ran(run) => run,
        Answer::NotRun(missing) => return not_run("all_verdicts_are_as_expected", &missing),
    };
    for result in &run.results {
        let why = result.observed.as_ref().err();
        assert!(result.is_as_expected(), "{}: {why:?} {:?}", result.test.name, result.differences());
        assert!(result.differences().is_empty());
    }
    assert_eq!(run.as_expected(), load(&settings.tests_folder()).expect("they were read just now").len());
}

/// Every change of every test is either reported as not as expected, or stands in the test's header as one that alters
/// no answer; and each of those lines is true.
#[test]
fn every_change_is_reported() {
    let setup = match find(&Settings::from_environment(project())).expect("the set-up is sound") {
        Ok(setup) => setup,
        Err(missing) => return not_run("every_change_is_reported", &missing),
    };
    let changed = changed_tests(&scratch("changes"));
    let tests = load(&project().join("harnesses/litmus")).expect("every file has a complete header");
    for test in &tests {
        assert!(changed.iter().any(|(other, ..)| other == test), "{}: no change applies to it", test.name);
    }
    let mut problems = Vec::new();
    let answers = judge_changes(&setup, &changed);
    for ((test, change, _), differs) in changed.iter().zip(&answers) {
        let named = test.indifferent.iter().any(|(name, _)| change.is_named(name));
        match (differs, named) {
            (true, true) => problems.push(format!("{}: {} is reported", test.name, change.id())),
            (false, false) => problems.push(format!("{}: {} is not reported", test.name, change.id())),
            _ => {}
        }
    }
    for test in &tests {
        for (name, _) in &test.indifferent {
            let exists = changed.iter().any(|(other, change, _)| other == test && change.is_named(name));
            if !exists {
                problems.push(format!("{}: there is no change {name}", test.name));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    // A floor, so that a mistake in the list of changes cannot empty it unnoticed.
    let reported = answers.iter().filter(|differs| **differs).count();
    assert!(changed.len() >= 700 && reported >= 600, "{reported} of {} changes are reported", changed.len());
}

/// All changes of all tests, each in a file. herd7 wants different names for different tests, so the n-th is named `n`
/// with its number.
fn changed_tests(folder: &Path) -> Vec<(LitmusTest, Change, PathBuf)> {
    let mut changed = Vec::new();
    for test in load(&project().join("harnesses/litmus")).expect("every file has a complete header") {
        let text = std::fs::read_to_string(&test.path).expect("it was read just now");
        for change in changes(&text) {
            let name = format!("n{}", changed.len());
            let file = folder.join(format!("{name}.litmus"));
            let text = change.text.replacen(&test.name, &name, 1);
            std::fs::write(&file, text).expect("the file can be written");
            changed.push((test.clone(), change, file));
        }
    }
    changed
}

/// Whether each changed test's verdict differs from the expected one.
fn judge_changes(setup: &Setup, changed: &[(LitmusTest, Change, PathBuf)]) -> Vec<bool> {
    let files: Vec<PathBuf> = changed.iter().map(|(.., file)| file.clone()).collect();
    let observed = ask_in_batches(setup, "linux-kernel.cat", &files);
    changed.iter().zip(observed).map(|((test, ..), verdict)| test.expected != verdict).collect()
}

/// Asks herd7 several tests a process, because starting it takes as long as one test; the engine itself starts one for
/// each.
fn ask_in_batches(setup: &Setup, model: &str, files: &[PathBuf]) -> Vec<Verdict> {
    std::thread::scope(|scope| {
        let size = files.len().div_ceil(4);
        let batches: Vec<_> = files.chunks(size).map(|batch| scope.spawn(|| ask(setup, model, batch))).collect();
        batches.into_iter().flat_map(|batch| batch.join().expect("a batch does not panic")).collect()
    })
}

fn ask(setup: &Setup, model: &str, files: &[PathBuf]) -> Vec<Verdict> {
    let said = Command::new(&setup.herd7)
        .current_dir(&setup.model_folder)
        .args(["-conf", "linux-kernel.cfg", "-model", model])
        .args(files)
        .output()
        .expect("herd7 runs");
    assert!(said.stderr.is_empty(), "{}", String::from_utf8_lossy(&said.stderr));
    let text = String::from_utf8(said.stdout).expect("herd7 writes UTF-8");
    let answers: Vec<&str> = text.split_inclusive("\n\n").collect();
    assert_eq!(answers.len(), files.len(), "one answer a test");
    files
        .iter()
        .zip(answers)
        .map(|(file, answer)| {
            let name = file.file_stem().expect("it has a name").to_string_lossy();
            parse_output(&name, answer).unwrap_or_else(|error| panic!("{}: {error}", file.display())).verdict
        })
        .collect()
}

/// The column SC / TSO of the documentation. And each model allows what the stronger one before it allows.
#[test]
fn the_documentation_says_what_sc_and_tso_say() {
    let setup = match find(&Settings::from_environment(project())).expect("the set-up is sound") {
        Ok(setup) => setup,
        Err(missing) => return not_run("the_documentation_says_what_sc_and_tso_say", &missing),
    };
    let rows = documented();
    let tests = load(&project().join("harnesses/litmus")).expect("every file has a complete header");
    let files: Vec<PathBuf> = tests.iter().map(|test| test.path.clone()).collect();
    let [sc, tso] = ["sc.cat", "tso.cat"].map(|model| {
        let model = project().join("harnesses/litmus").join(model);
        ask_in_batches(&setup, &model.to_string_lossy(), &files)
    });
    for ((test, sc), tso) in tests.iter().zip(sc).zip(tso) {
        assert_eq!(rows[&test.name].sc_and_tso, format!("{} / {}", sc.observation, tso.observation), "{}", test.name);
        assert!(sc.outcomes.is_subset(&tso.outcomes), "{}: TSO forbids what SC allows", test.name);
        assert!(tso.outcomes.is_subset(&test.expected.outcomes), "{}: LKMM forbids what TSO allows", test.name);
    }
}
