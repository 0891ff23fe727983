//! Several files become one run, or an error that names them.

use reports::merge::{MergeError, merge};
use reports::results::{NotRun, Run, Shard, Verdict};

use crate::fixture::{claim, everything, good, run, s};

/// `whole` as `check --shard K/N` would have written its parts.
fn shards(whole: &Run, of: u32) -> Vec<(String, Run)> {
    let part = |index: u32| {
        let mine = whole.verdicts.iter().skip(index as usize - 1).step_by(of as usize).cloned();
        let mut part = run(mine.collect());
        part.shard = Some(Shard { index, of });
        let words = ["kverdict", "check", "--shard", &format!("{index}/{of}"), "--results", &format!("{index}.json")];
        part.command = words.iter().map(|word| s(word)).collect();
        (format!("{index}.json"), part)
    };
    (1..=of).map(part).collect()
}

#[test]
fn the_parts_together_are_the_whole_in_any_order() {
    let whole = everything();
    let mut parts = shards(&whole, 4);
    parts.reverse();
    let merged = merge(parts).expect("all parts are there");
    assert_eq!(merged.verdicts, whole.verdicts, "in the order of the catalogue");
    assert_eq!((merged.summary, merged.mechanisms), (whole.summary, whole.mechanisms));
    assert_eq!((merged.parts.len(), merged.shard), (4, None));
    assert!((merged.seconds - 6.0).abs() < 1e-9, "times are added");
}

fn refused(runs: Vec<(String, Run)>) -> String {
    merge(runs).expect_err("these are not one run").to_string()
}

#[test]
fn a_missing_part_is_named() {
    let mut parts = shards(&everything(), 3);
    parts.remove(1);
    assert_eq!(refused(parts), "part 2/3 is missing; there are: 1.json, 3.json");
}

#[test]
fn a_part_that_is_there_twice_is_named() {
    let mut parts = shards(&everything(), 2);
    parts.push((s("again.json"), parts[1].1.clone()));
    assert_eq!(refused(parts), "2.json and again.json are the same part");
}

#[test]
fn a_part_that_lacks_verdicts_is_named() {
    for short in 0..3 {
        let mut parts = shards(&everything(), 3);
        let mut verdicts = parts[short].1.verdicts.clone();
        verdicts.truncate(2);
        let (file, old) = parts[short].clone();
        parts[short] = (file.clone(), Run { shard: old.shard, command: old.command, ..run(verdicts) });
        assert_eq!(refused(parts), format!("{file} has fewer verdicts than its share: something is missing in it"));
    }
}

#[test]
fn parts_of_different_selections_or_divisions_are_named() {
    let mut parts = shards(&everything(), 2);
    parts[1].1.command.push(s("ldt"));
    assert_eq!(refused(parts), "1.json and 2.json are parts of different selections or divisions");
    let mut parts = shards(&everything(), 2);
    parts[1].1.shard = Some(Shard { index: 2, of: 3 });
    assert_eq!(refused(parts), "1.json and 2.json are parts of different selections or divisions");
}

#[test]
fn another_commit_and_a_stopped_run_are_named() {
    let mut parts = shards(&everything(), 2);
    parts[1].1.tool.commit = None;
    assert_eq!(refused(parts), "1.json and 2.json were made from different commits or program versions");
    let mut parts = shards(&everything(), 2);
    parts[1].1.interrupted = true;
    assert_eq!(refused(parts), "2.json is of a run that was stopped before its end");
    assert_eq!(merge(Vec::new()), Err(MergeError::Nothing));
}

#[test]
fn contradictions_are_named_with_their_question() {
    let files = |other: Run| vec![(s("a.json"), good()), (s("b.json"), other)];
    let mut verdicts = good().verdicts;
    verdicts[0].properties[0] = claim("loaded-table-alive", Verdict::Broken, Verdict::Holds);
    verdicts[0].verdict = Verdict::Broken;
    let about = "a.json and b.json contradict each other about ldt/mainline (exact)";
    assert_eq!(refused(files(run(verdicts))), format!("{about}: HOLDS there, BROKEN here"));
    let mut verdicts = good().verdicts;
    verdicts[0].counts[0].value += 1;
    assert_eq!(refused(files(run(verdicts))), format!("{about}: bounds, counts or expectations differ"));
    let mut other = good();
    other.mechanisms[0].assumptions.push(s("A3: nothing goes wrong"));
    let text = refused(files(other));
    assert_eq!(text, "a.json and b.json contradict each other about ldt: its description or its assumptions differ");
    let mut other = good();
    other.engines[1].version = Some(s("0.32.0"));
    assert_eq!(
        refused(files(other)),
        "a.json and b.json contradict each other about engine stateright: its versions differ"
    );
}

#[test]
fn engines_are_merged_and_times_may_differ() {
    let mut again = good();
    again.verdicts[0].seconds += 1.0;
    again.engines[2].not_run = None;
    let merged = merge(vec![(s("a.json"), good()), (s("b.json"), again)]).expect("they agree");
    assert_eq!(merged.verdicts.len(), 3);
    assert!(merged.engines.iter().all(|engine| engine.not_run.is_none()), "lkmm ran in one of them");
    let mut never = good();
    never.engines[0].not_run = Some(NotRun { reason: s("not selected"), how_to_run: s("--engine exact") });
    let merged = merge(vec![(s("a.json"), good()), (s("b.json"), never)]).expect("they agree");
    assert!(merged.engines[0].not_run.is_none(), "exact ran in one of them");
}
