//! The committed baseline is what the main job gives.
//!
//! `KVERDICT_UPDATE=1 cargo test --test baseline` rewrites it, as `kverdict report --update-baseline` does.

mod common;

use std::path::Path;

use reports::baseline::Baseline;

#[test]
fn the_committed_baseline_is_what_the_main_job_gives() {
    let run = common::run_json(&["check", "--format", "json"]);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/baseline.json");
    let now = Baseline::of(&run);
    if std::env::var_os("KVERDICT_UPDATE").is_some() {
        std::fs::write(&file, now.to_json()).expect("the file can be written");
    }
    let committed = std::fs::read_to_string(&file).expect("there is a baseline");
    let (mut now, mut committed) =
        (now.without_times(), Baseline::from_json(&committed).expect("it can be read").without_times());
    // An engine that is not installed here has nothing to say about the baseline.
    for engine in run.engines.iter().filter(|engine| engine.not_run.is_some()) {
        let others =
            |facts: &mut Baseline| facts.verdicts.retain(|name, _| name.split(' ').nth(1) != Some(&engine.name));
        others(&mut now);
        others(&mut committed);
        eprintln!("NOT COMPARED: {}, which cannot run here", engine.name);
    }
    let changed: Vec<_> =
        now.verdicts.iter().filter(|(name, facts)| committed.verdicts.get(*name) != Some(facts)).collect();
    let gone: Vec<_> = committed.verdicts.keys().filter(|name| !now.verdicts.contains_key(*name)).collect();
    let how = "if that is meant, run `kverdict report --update-baseline RESULTS` and say why in the commit";
    assert!(changed.is_empty() && gone.is_empty(), "changed or new: {changed:#?}\ngone: {gone:#?}\n{how}");
    assert_eq!(now.assumptions, committed.assumptions, "{how}");
}
