//! Every verdict of the exact engine at quick size is pinned: the verdict, the length of each shortest
//! counterexample, and the numbers of states and transitions.
//!
//! A changed row is a changed model or engine, and its commit says why. `KVERDICT_UPDATE=1 cargo test --test
//! pins` writes the rows that are true now.

mod common;

use std::fmt::Write;
use std::path::Path;

use reports::results::{Run, Verdict};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pins.tsv");

fn rows(run: &Run) -> String {
    let mut text = String::from(
        "mechanism\tvariant\tsize\tverdict\tbroken in so many steps\tunseen\tstates\ttransitions\tdepth\n",
    );
    for record in &run.verdicts {
        let with = |verdict| record.properties.iter().filter(move |p| p.verdict == verdict);
        let broken: Vec<String> =
            with(Verdict::Broken).map(|p| format!("{}:{}", p.name, p.steps.expect("there is a run"))).collect();
        let unseen: Vec<&str> = with(Verdict::Unseen).map(|p| p.name.as_str()).collect();
        let count = |name| record.count(name).expect("the exact engine counts it");
        writeln!(
            text,
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
            record.mechanism,
            record.variant,
            record.size,
            record.verdict.word(),
            broken.join(" "),
            unseen.join(" "),
            count("states"),
            count("transitions"),
            count("depth"),
        )
        .expect("writing to a string");
    }
    text
}

#[test]
fn verdicts_lengths_and_counts_are_as_pinned() {
    let run = common::run_json(&["check", "--engine", "exact", "--format", "json"]);
    assert_eq!(run.summary.not_as_expected + run.summary.undecided + run.summary.not_run, 0, "{:?}", run.summary);
    let now = rows(&run);
    if std::env::var_os("KVERDICT_UPDATE").is_some() {
        std::fs::write(FILE, &now).expect("the file can be written");
    }
    let pinned = std::fs::read_to_string(Path::new(FILE)).unwrap_or_default();
    for (now, pinned) in now.lines().zip(pinned.lines()) {
        assert_eq!(
            now, pinned,
            "if that is meant, run KVERDICT_UPDATE=1 cargo test --test pins and say why in the commit"
        );
    }
    assert_eq!(now.lines().count(), pinned.lines().count(), "variants were added or dropped");
}

#[test]
fn every_property_is_broken_by_some_variant_and_every_witness_is_seen_by_some() {
    let run = common::run_json(&["check", "--engine", "exact", "--format", "json"]);
    let mut fates: std::collections::BTreeMap<(String, String, bool), bool> = std::collections::BTreeMap::new();
    for record in &run.verdicts {
        for p in record.properties.iter().filter(|p| p.name != "no-deadlock") {
            let key = (record.mechanism.clone(), p.name.clone(), p.witness);
            let met = matches!(p.verdict, Verdict::Broken | Verdict::Seen);
            *fates.entry(key).or_default() |= met;
        }
    }
    let untrusted: Vec<_> = fates.iter().filter(|(_, met)| !**met).map(|(key, _)| key).collect();
    assert!(untrusted.is_empty(), "never broken, or never seen: {untrusted:?}");
}
