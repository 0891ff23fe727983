//! The committed baseline is what the main job gives: every verdict, the length of every shortest counterexample and
//! run to a witness, every count, and what every proof claims and assumes.
//!
//! Stateright's second opinions are half of the main job, and are compared by `.ci/run`, with the release build.
//!
//! `KVERDICT_UPDATE=1 cargo test --test program baseline` rewrites it, as `kverdict report --update-baseline` does.

use std::path::Path;
use std::process::Command;

use reports::baseline::Baseline;
use reports::results::Verdict;

#[test]
fn the_committed_baseline_is_what_the_main_job_gives() {
    let update = std::env::var_os("KVERDICT_UPDATE").is_some();
    let engines = ["exact", "enumerate", "loom", "proptest", "lkmm", "stateright"];
    let engines = if update { &engines[..] } else { &engines[..5] };
    let mut arguments = vec!["check", "--format", "json"];
    arguments.extend(engines.iter().flat_map(|engine| ["--engine", engine]));
    let run = crate::running::run_json(&arguments);
    let mut found = Baseline::of(&run);
    found.verdicts.extend(proofs().verdicts);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/baseline.json");
    if update {
        std::fs::write(&file, found.to_json()).expect("the file can be written");
    }
    let committed = std::fs::read_to_string(&file).expect("there is a baseline");
    let (mut now, mut committed) =
        (found.without_times(), Baseline::from_json(&committed).expect("it can be read").without_times());
    // An engine that is not installed here has nothing to say about the baseline.
    let cannot_run = run.engines.iter().filter(|engine| engine.not_run.is_some()).map(|engine| engine.name.as_str());
    let not_asked = (!update).then_some("stateright");
    for engine in cannot_run.chain(not_asked) {
        let others = |facts: &mut Baseline| facts.verdicts.retain(|name, _| name.split(' ').nth(1) != Some(engine));
        others(&mut now);
        others(&mut committed);
        eprintln!("NOT COMPARED: {engine}, which cannot run or is not asked here");
    }
    assert!(committed.verdicts.len() > 300, "{} verdicts were compared", committed.verdicts.len());
    let changed: Vec<_> =
        now.verdicts.iter().filter(|(name, facts)| committed.verdicts.get(*name) != Some(facts)).collect();
    let gone: Vec<_> = committed.verdicts.keys().filter(|name| !now.verdicts.contains_key(*name)).collect();
    let how = "if that is meant, run `kverdict report --update-baseline RESULTS` and say why in the commit";
    assert!(changed.is_empty() && gone.is_empty(), "changed or new: {changed:#?}\ngone: {gone:#?}\n{how}");
    assert_eq!(now.assumptions, committed.assumptions, "{how}");
}

/// The proofs as they are without Kani, which takes too long for this test: claimed, with assumptions, and not run.
fn proofs() -> Baseline {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("proofs.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_kverdict"));
    let output = command.arg("prove").arg("--results").arg(&file).env("PATH", folder.path()).output();
    let output = output.expect("the program starts");
    let text = std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let facts = Baseline::from_json(&text).expect("just written");
    assert!(facts.verdicts.len() > 50, "{} proofs", facts.verdicts.len());
    assert!(facts.verdicts.values().all(|facts| facts.verdict == Verdict::NotRun && !facts.properties.is_empty()));
    facts
}
