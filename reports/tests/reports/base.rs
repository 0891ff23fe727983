//! What changed against a base, change by change.

use reports::baseline::Baseline;
use reports::difference::{Difference, Weight, differences};
use reports::results::{Extent, NotRun, Run, VariantRecord, Verdict};

use crate::fixture::{claim, good, not_run, run, s};

/// The differences after a change to the records of the good run.
fn after(change: impl FnOnce(&mut Run)) -> Vec<Difference> {
    let mut now = good();
    change(&mut now);
    differences(&Baseline::of(&good()), &now, false)
}

#[track_caller]
fn only(found: Vec<Difference>, weight: Weight, text: &str) {
    let all: Vec<String> = found.iter().map(|d| format!("{:?} {}: {}", d.weight, d.about, d.text)).collect();
    assert_eq!(all, [format!("{weight:?} {text}")]);
}

#[test]
fn nothing_changed_is_nothing() {
    assert_eq!(after(|_| ()), []);
    assert_eq!(after(|now| now.verdicts.reverse()), [], "the order of the records means nothing");
}

#[test]
fn verdicts_that_changed_appeared_or_vanished() {
    let found = after(|now| now.verdicts[2].verdict = Verdict::Undecided);
    only(found, Weight::Loud, "iova/mainline enumerate: was HOLDS (enumerated), is UNDECIDED (stopped at a limit)");
    let found = after(|now| drop(now.verdicts.remove(2)));
    only(found, Weight::Loud, "iova/mainline enumerate: vanished: it was HOLDS (enumerated)");
    let appeared = |now: &mut Run| {
        let mut record = now.verdicts[2].clone();
        record.variant = s("new");
        now.verdicts.push(record);
    };
    only(after(appeared), Weight::Quiet, "iova/new enumerate: new: HOLDS (enumerated)");
}

#[test]
fn what_is_no_longer_run_has_vanished_with_the_reason() {
    let no = || NotRun { reason: s("too many states"), how_to_run: s("--memory 9") };
    let found = after(|now| {
        now.verdicts[2].verdict = Verdict::NotRun;
        now.verdicts[2].not_run = Some(no());
    });
    let text = "iova/mainline enumerate: vanished: it was HOLDS (enumerated); not run now: too many states";
    only(found, Weight::Loud, text);
}

/// A proof that did not run: its record is there with what it claims and assumes.
fn proof(verdict: Verdict) -> VariantRecord {
    let mut record = good().verdicts[2].clone();
    record.variant = s("a_proof");
    record.engine = s("kani");
    record.extent = Extent::Proved;
    record.assumptions = vec![s("kani::assume(length > 0)")];
    record.verdict = verdict;
    record.not_run = (verdict == Verdict::NotRun).then(not_run);
    for property in record.properties.iter_mut().filter(|_| verdict == Verdict::NotRun) {
        property.verdict = Verdict::NotRun;
    }
    record
}

#[test]
fn proofs_that_were_dropped_weakened_or_added_where_none_can_run() {
    let with = |proof: Option<VariantRecord>| run(good().verdicts.into_iter().chain(proof).collect());
    let base = Baseline::of(&with(Some(proof(Verdict::NotRun))));
    let after = |proof: Option<VariantRecord>| differences(&base, &with(proof), false);
    assert_eq!(after(Some(proof(Verdict::NotRun))), []);
    only(after(None), Weight::Loud, "iova/a_proof kani: vanished: it was NOT RUN (it would be proved)");
    let mut weaker = proof(Verdict::NotRun);
    weaker.assumptions.push(s("kani::assume(length < 9)"));
    only(after(Some(weaker)), Weight::Loud, "iova/a_proof kani: new assumption: kani::assume(length < 9)");
    let mut weaker = proof(Verdict::NotRun);
    let dropped = weaker.properties.remove(0).name;
    only(after(Some(weaker)), Weight::Loud, &format!("iova/a_proof kani: {dropped} vanished: it was NOT RUN"));
    let proved = "iova/a_proof kani: was NOT RUN (it would be proved), is HOLDS (proved)";
    only(after(Some(proof(Verdict::Holds))), Weight::Quiet, proved);
    let added = differences(&Baseline::of(&good()), &with(Some(proof(Verdict::NotRun))), false);
    only(added, Weight::Quiet, "iova/a_proof kani: new: NOT RUN (it would be proved)");
}

#[test]
fn an_engine_without_any_verdict_is_one_line() {
    let mut verdicts = good().verdicts;
    verdicts.push(proof(Verdict::Holds));
    verdicts.push(VariantRecord { variant: s("b_proof"), ..proof(Verdict::Holds) });
    let found = differences(&Baseline::of(&run(verdicts)), &good(), false);
    only(found, Weight::Loud, "kani: all 2 verdicts vanished, the first is iova/a_proof kani");
}

#[test]
fn properties_and_witnesses_that_were_dropped_weakened_or_added() {
    let found = after(|now| drop(now.verdicts[0].properties.remove(1)));
    only(found, Weight::Loud, "ldt/mainline exact: both-slots-used vanished: it was SEEN");
    let found = after(|now| now.verdicts[0].properties[1].verdict = Verdict::Unseen);
    only(found, Weight::Loud, "ldt/mainline exact: both-slots-used was SEEN, is UNSEEN");
    let found = after(|now| now.verdicts[0].properties.push(claim("new", Verdict::Holds, Verdict::Holds)));
    only(found, Weight::Quiet, "ldt/mainline exact: new is new: HOLDS");
    let found = after(|now| now.verdicts[1].properties[0].steps = Some(5));
    only(found, Weight::Quiet, "ldt/freed-early exact: loaded-table-alive was BROKEN in 3, is BROKEN in 5");
}

#[test]
fn bounds_extents_and_sizes() {
    let found = after(|now| now.verdicts[0].bounds.push(s("3 steps")));
    only(found, Weight::Loud, "ldt/mainline exact: new bound: 3 steps");
    let found = after(|now| now.verdicts[0].extent = Extent::WithinABound);
    only(found, Weight::Loud, "ldt/mainline exact: was all states, is within a bound");
    let found = after(|now| now.verdicts[0].size = s("cpus=1,tasks=1"));
    only(found, Weight::Loud, "ldt/mainline exact: size was cpus=2,tasks=1, is cpus=1,tasks=1");
}

#[test]
fn assumptions_of_mechanisms_and_of_proofs() {
    let found = after(|now| now.mechanisms[0].assumptions.push(s("A3: no faults")));
    only(found, Weight::Loud, "ldt: assumption added or changed: A3: no faults");
    let found = after(|now| drop(now.mechanisms[0].assumptions.pop()));
    only(found, Weight::Loud, "ldt: assumption dropped or changed: A2: pages are zeroed");
    let found = after(|now| now.verdicts[2].assumptions.push(s("length > 0")));
    only(found, Weight::Loud, "iova/mainline enumerate: new assumption: length > 0");
}

#[test]
fn counts_that_moved_and_time_that_grew_by_more_than_half() {
    let found = after(|now| now.verdicts[0].counts[0].value = 12_346);
    only(found, Weight::Quiet, "ldt/mainline exact: states: 12345 before, 12346 now");
    let found = after(|now| drop(now.verdicts[0].counts.pop()));
    only(found, Weight::Quiet, "ldt/mainline exact: depth is no longer counted");
    let found = after(|now| now.verdicts[0].seconds = 2.0);
    only(found, Weight::Quiet, "ldt/mainline exact: time grew: 0.3 s before, 2 s now");
    assert_eq!(after(|now| now.verdicts[0].seconds = 0.5), [], "less than half a second is noise");
}

#[test]
fn a_selection_has_dropped_nothing() {
    let part = run(good().verdicts.drain(..1).collect());
    assert_eq!(differences(&Baseline::of(&good()), &part, true), []);
}

#[test]
fn two_sizes_of_one_variant_are_two_facts() {
    let mut verdicts = good().verdicts;
    let mut deep = verdicts[0].clone();
    deep.size = s("cpus=3,tasks=2");
    verdicts.push(deep);
    let facts = Baseline::of(&run(verdicts));
    let names: Vec<&String> = facts.verdicts.keys().filter(|name| name.starts_with("ldt/mainline")).collect();
    assert_eq!(names, ["ldt/mainline exact at cpus=2,tasks=1", "ldt/mainline exact at cpus=3,tasks=2"]);
}

#[test]
fn a_baseline_survives_being_written_and_makes_small_diffs() {
    let facts = Baseline::of(&good());
    let text = facts.to_json();
    assert_eq!(Baseline::from_json(&text).expect("just written"), facts);
    let mut verdicts = good().verdicts;
    verdicts[0].counts[0].value += 1;
    verdicts.reverse();
    let other = Baseline::of(&run(verdicts)).to_json();
    let changed = text.lines().zip(other.lines()).filter(|(a, b)| a != b).count();
    assert_eq!((changed, text.lines().count()), (1, other.lines().count()), "one fact, one line");
}

#[test]
fn an_older_a_newer_and_a_damaged_baseline_are_refused() {
    let text = Baseline::of(&good()).to_json();
    let error = |text: &str| Baseline::from_json(text).expect_err("refused").to_string();
    assert!(error(&text.replacen("\"version\": 1", "\"version\": 2", 1)).contains("2 is newer"));
    assert!(error(&text.replacen("\"version\": 1", "\"version\": 0", 1)).contains("0 is older"));
    assert!(error(&text[..text.len() / 2]).contains("line"), "says where");
    assert!(error("{}").contains("schema is missing"));
}
