//! Mutations: the list, what counts as caught, and a small workspace in which tests catch them.

use crate::support::{as_of_068, only, run};
use gate::judge::End;
use gate::libtest::{self, Verdict};
use gate::mutations::{Mutation, Mutations, Outcome, caught_by_kani};
use gate::{Engine, Options, Report, Workspace, prove};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A workspace whose proofs are also tests, as those of the project are.
const FILES: [(&str, &str); 5] = [
    ("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"models\", \"proofs\"]\n"),
    (
        "models/Cargo.toml",
        "[package]\nname = \"kverdict-models\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[lib]\nname = \"models\"\n",
    ),
    (
        "models/src/lib.rs",
        "pub fn last(start: u8, length: u8) -> u8 {\n    start + length - 1\n}\n\npub fn double(x: u8) -> u8 {\n    x.wrapping_mul(2)\n}\n\n\
         #[cfg(test)]\nmod tests {\n    #[test]\n    fn ends_inside() {\n        assert_eq!(super::last(2, 3), 4);\n    }\n}\n",
    ),
    (
        "proofs/Cargo.toml",
        "[package]\nname = \"kverdict-proofs\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\nkverdict-models = { path = \"../models\" }\n\n\
         [lints.rust]\nunexpected_cfgs = { level = \"warn\", check-cfg = [\"cfg(kani)\"] }\n",
    ),
    (
        "proofs/src/lib.rs",
        "mod range {\n    /// last-inside: x\n    #[cfg_attr(kani, kani::proof)]\n    #[cfg_attr(not(kani), test)]\n    fn last_is_inside() {\n        \
         for length in 1..9 {\n            assert!(models::last(7, length) < 7 + length);\n        }\n        assert_eq!(models::double(4), 8, \"doubled\");\n        assert!(models::double(100) == 200, \"doubled: large\");\n    }\n}\n",
    ),
];

const CENSUS: &str = "[[proof]]\nname = \"range::last_is_inside\"\nproperties = [\"last-inside\"]\ncovers = 0\nasserts = 3\nassumptions = 0\nno_cover = \"plain loop\"\n";

fn workspace(mutations: &str) -> (TempDir, Workspace) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in FILES.iter().chain(&[("proofs/census.toml", CENSUS), ("proofs/mutations.toml", mutations)]) {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    let workspace = Workspace::at(folder.path());
    (folder, workspace)
}

/// One entry of the list, with `more` lines.
fn mutation(id: &str, find: &str, replace: &str, fails: &str, more: &str) -> String {
    format!(
        "[[mutation]]\nid = \"{id}\"\nfile = \"models/src/lib.rs\"\nfind = '{find}'\nreplace = '{replace}'\nproof = \"range::last_is_inside\"\nfails = '{fails}'\n{more}\n"
    )
}

const INSIDE: &str = "assertion failed: models::last(7, length) < 7 + length";

fn tried(list: &[String]) -> (Report, TempDir) {
    let (folder, workspace) = workspace(&list.concat());
    let options = Options { mutations: true, engine: Engine::Enumerate, ..Options::default() };
    let report = prove(&workspace, &options, &mut |_| {}, &|| false).expect("a report");
    (report, folder)
}

#[test]
fn tests_catch_what_they_should_and_nothing_else_counts() {
    let (report, folder) = tried(&[
        mutation("off-by-one", "length - 1", "length", INSIDE, ""),
        mutation("elsewhere", "x.wrapping_mul(2)", "x.wrapping_mul(3)", INSIDE, ""),
        mutation("message", "x.wrapping_mul(2)", "x.wrapping_mul(4)", "doubled", ""),
        mutation("longer-text", "x.wrapping_mul(2)", "x.wrapping_mul(2).min(100)", "doubled", ""),
        mutation("whole-text", "x.wrapping_mul(2)", "x.wrapping_mul(2).min(100)", "doubled: large", ""),
        mutation("no-change-in-effect", "start + length", "length + start", INSIDE, ""),
        mutation("does-not-build", "length - 1", "length - ", INSIDE, ""),
        mutation("crash", "x.wrapping_mul(2)", "std::process::abort()", "doubled", ""),
        mutation(
            "other-test",
            "length - 1",
            "length - 2",
            INSIDE,
            "package = \"kverdict-models\"\ntest = \"tests::ends_inside\"",
        ),
        mutation(
            "no-such-test",
            "length - 1",
            "length - 2",
            INSIDE,
            "package = \"kverdict-models\"\ntest = \"tests::gone\"",
        ),
        mutation("only-kani", "length - 1", "length - 2", INSIDE, "only_kani = \"needs more than 9\""),
        mutation("does-not-build-either", "length - 1", "length - ", INSIDE, ""),
        mutation("other-file", "double(4), 8", "double(4), 9", "doubled", "").replace("models/src", "proofs/src"),
    ]);
    assert_eq!(report.errors, Vec::<String>::new());
    assert_eq!(report.sum().tested, 1, "{}", report.to_text());
    let words: Vec<(&str, &str)> = report
        .mutations
        .iter()
        .map(|result| {
            let word = match &result.outcome {
                Outcome::Caught { .. } => "caught",
                Outcome::Survived { .. } => "survived",
                Outcome::Spoiled { .. } => "spoiled",
                Outcome::OnlyKani { .. } => "only kani",
                Outcome::NotRun { .. } => "not run",
            };
            (result.id.as_str(), word)
        })
        .collect();
    let expected = [
        ("off-by-one", "caught"),
        ("elsewhere", "survived"),
        ("message", "caught"),
        ("longer-text", "survived"),
        ("whole-text", "caught"),
        ("no-change-in-effect", "survived"),
        ("does-not-build", "spoiled"),
        ("crash", "spoiled"),
        ("other-test", "caught"),
        ("no-such-test", "spoiled"),
        ("only-kani", "only kani"),
        ("does-not-build-either", "spoiled"),
        // Would not be caught if the file before it had not been restored.
        ("other-file", "caught"),
    ];
    assert_eq!(words, expected, "{}", report.to_text());
    let sum = report.sum();
    assert_eq!((sum.caught, sum.missed, sum.not_tried), (5, 7, 1));
    assert_eq!((report.mutations[0].line, report.has_failed()), (2, true));
    let after = fs::read_to_string(folder.path().join("models/src/lib.rs")).expect("a file");
    assert_eq!(after, FILES[2].1, "the workspace itself is never changed");
}

#[test]
fn tests_that_fail_without_a_change_catch_nothing() {
    let (folder, workspace) = workspace(&mutation("off-by-one", "length - 1", "length - 2", INSIDE, ""));
    let proofs = folder.path().join("proofs/src/lib.rs");
    let broken = fs::read_to_string(&proofs).expect("a file").replace("< 7 + length", "< 6");
    fs::write(&proofs, broken).expect("a file");
    let options = Options { mutations: true, engine: Engine::Enumerate, ..Options::default() };
    let report = prove(&workspace, &options, &mut |_| {}, &|| false).expect("a report");
    assert!(matches!(report.mutations[0].outcome, Outcome::Spoiled { .. }), "{:?}", report.mutations);
}

#[test]
fn the_list_is_checked_without_running_it() {
    let cases = [
        (mutation("a", "not there", "x", INSIDE, ""), "stands 0 times"),
        (mutation("a", "start", "x", INSIDE, ""), "stands 2 times"),
        (mutation("a", "", "x", INSIDE, ""), "times in"),
        (mutation("a", "length - 1", "length - 1", INSIDE, ""), "changes nothing"),
        (mutation("a", "length - 1", "length", "another assertion", ""), "has no assertion"),
        (mutation("a", "length - 1", "length", INSIDE, "").replace("last_is_inside", "gone"), "there is no proof"),
        (
            mutation("a", "length - 1", "length", INSIDE, "").replace("last_is_inside", "gone"),
            "no mutation must make it fail",
        ),
        (
            mutation("a", "length - 1", "length", INSIDE, "").replace("models/src", "../models/src"),
            "not a file of the workspace",
        ),
        (
            mutation("a", "length - 1", "length", INSIDE, "").replace("models/src", "/models/src"),
            "not a file of the workspace",
        ),
        (mutation("a", "length - 1", "length", INSIDE, "only_kani = \"x\"\ntest = \"y\""), "a reason why no test"),
        (
            [mutation("a", "length - 1", "length", INSIDE, ""), mutation("a", "length - 1", "length", INSIDE, "")]
                .concat(),
            "have this name",
        ),
    ];
    for (list, expected) in cases {
        let (_folder, workspace) = workspace(&list);
        let census = gate::census::Census::read(&workspace.census).expect("a census");
        let sources = workspace.read_sources();
        let problems = Mutations::parse(&list).expect("a list").problems(&workspace, &census, &sources);
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected}: {problems:?}");
    }
    assert!(Mutations::parse(&mutation("a", "b", "c", INSIDE, "typo = 1")).is_err());
}

/// A mutation of the recorded proof.
fn of_bad(fails: &str) -> Mutation {
    Mutation { id: "x".into(), proof: "proofs::bad".into(), fails: fails.into(), ..Mutation::default() }
}

#[test]
fn kani_catches_only_in_the_named_assertion() {
    let named = "assertion failed: index_to_offset(i, s) <= off";
    let outcome = |fails: &str, text: &str, end: End| {
        let mut run = run(text);
        run.end = end;
        caught_by_kani(&of_bad(fails), &run)
    };
    for text in [only("proofs::bad"), as_of_068(&only("proofs::bad"))] {
        assert_eq!(outcome(named, &text, End::Exited(1)), Outcome::Caught { by: "proofs::bad".into() });
        assert!(matches!(outcome("assertion failed: another", &text, End::Exited(1)), Outcome::Survived { .. }));
        assert!(matches!(outcome(named, &text, End::Exited(0)), Outcome::Spoiled { .. }));
        assert!(matches!(outcome(named, &text, End::TimedOut(9)), Outcome::Spoiled { .. }));
        let unwound = text
            .replace(
                "proofs::bad.assertion.1\n\t - Status: SUCCESS\n\t - Description: \"attempt to add with overflow\"",
                "proofs::bad.unwind.1\n\t - Status: FAILURE\n\t - Description: \"unwinding assertion loop 0\"",
            )
            .replace("2 of 7", "3 of 7")
            .replace("Failed Checks: assertion", "Failed Checks: unwinding assertion loop 0\nFailed Checks: assertion");
        assert!(
            matches!(outcome(named, &unwound, End::Exited(1)), Outcome::Spoiled { what } if what.contains("unwinding"))
        );
        let cut = text.lines().take(60).collect::<Vec<_>>().join("\n");
        assert!(matches!(outcome(named, &cut, End::Exited(1)), Outcome::Spoiled { .. }));
    }
    assert!(
        matches!(outcome(named, &only("proofs::roundtrip"), End::Exited(0)), Outcome::Spoiled { .. }),
        "another proof"
    );
    assert!(matches!(outcome(named, "", End::Exited(101)), Outcome::Spoiled { .. }), "a compile error");
}

#[test]
fn a_sample_is_spread_over_the_list() {
    let finds = ["start + length", "length - 1", "x.wrapping_mul(2)", "pub fn last(start: u8"];
    let list: Vec<String> = finds.iter().map(|find| mutation(find, find, "", INSIDE, "only_kani = \"x\"")).collect();
    let (_folder, workspace) = workspace(&list.concat());
    let options = Options { mutations: true, engine: Engine::Enumerate, sample: Some(2), ..Options::default() };
    let report = prove(&workspace, &options, &mut |_| {}, &|| false).expect("a report");
    let ids: Vec<&str> = report.mutations.iter().map(|result| result.id.as_str()).collect();
    assert_eq!((ids, report.mutations_listed), (vec![finds[0], finds[2]], 4));
}

#[test]
fn reads_the_output_of_tests() {
    let text = "\nrunning 3 tests\ntest a::ok ... ok\ntest a::bad ... FAILED\ntest a::twin - should panic ... ok\n\nfailures:\n\n\
        ---- a::bad stdout ----\n\nthread 'a::bad' panicked at src/lib.rs:3:9:\nassertion failed: x < y\n\n\nfailures:\n    a::bad\n\n\
        test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\n";
    let tests = libtest::parse(text).expect("a whole output");
    assert_eq!(tests.verdict("a::bad"), Some(Verdict::Failed));
    assert_eq!(tests.verdict("a::twin"), Some(Verdict::Passed));
    assert_eq!(tests.verdict("a::gone"), None);
    assert!(tests.printed("a::bad").contains("assertion failed: x < y"));
    assert_eq!(tests.printed("a::ok"), "");
    let lines: Vec<&str> = text.trim_end().lines().collect();
    for count in 0..lines.len() {
        assert!(libtest::parse(&lines[..count].join("\n")).is_err(), "{count} lines");
    }
    assert!(libtest::parse(&text.replace("test a::ok ... ok\n", "")).is_err(), "a test is missing");
    assert!(libtest::parse("error: could not compile").is_err());
}

#[test]
fn a_mutation_names_its_line() {
    let (_folder, workspace) = workspace("");
    let list = Mutations::parse(&mutation("a", "x.wrapping_mul(2)", "x", INSIDE, "")).expect("a list");
    assert_eq!(list.list[0].apply(&workspace.root).map(|(_, line)| line), Ok(6));
    assert!(list.list[0].apply(Path::new("/nowhere")).is_err());
}
