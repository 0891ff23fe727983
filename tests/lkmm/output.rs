//! The parser: whole answers are read, and no other.

use kverdict::lkmm::{Observation, Observed, Verdict, parse_output, parse_version};

use super::recorded;

const RECORDED: [(&str, &str); 3] = [
    ("never.txt", "ldt-publish-release"),
    ("sometimes-data-race.txt", "ldt-publish-plain-writer"),
    ("always.txt", "always"),
];

fn observed(observation: Observation, counts: (u64, u64), flags: &[&str], outcomes: &[&str]) -> Observed {
    let set = |words: &[&str]| words.iter().map(ToString::to_string).collect();
    let (positive, negative) = counts;
    Observed { verdict: Verdict { observation, flags: set(flags), outcomes: set(outcomes) }, positive, negative }
}

#[test]
fn reads_recorded_answers() {
    let outcomes = ["1:r0=new; 1:r1=0;", "1:r0=new; 1:r1=1;", "1:r0=old; 1:r1=0;"];
    let expected = [
        observed(Observation::Never, (0, 2), &[], &outcomes[1..]),
        observed(Observation::Sometimes, (1, 2), &["data-race"], &outcomes),
        observed(Observation::Always, (1, 0), &[], &["[x]=1;"]),
    ];
    for ((file, name), expected) in RECORDED.into_iter().zip(expected) {
        assert_eq!(parse_output(name, &recorded(file)), Ok(expected), "{file}");
    }
}

#[test]
fn refuses_an_answer_cut_anywhere() {
    for (file, name) in RECORDED {
        let whole = recorded(file);
        for end in 0..whole.len() {
            assert!(parse_output(name, &whole[..end]).is_err(), "{file}, cut after {end} bytes");
        }
    }
}

#[test]
fn refuses_an_answer_that_lost_or_doubled_a_line() {
    for (file, name) in RECORDED {
        let whole = recorded(file);
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        for number in 0..lines.len() {
            let without = [&lines[..number], &lines[number + 1..]].concat().concat();
            // Whether a test was flagged is for the comparison with its header to see: no line counts the flags.
            if lines[number].starts_with("Flag ") {
                assert_ne!(parse_output(name, &without), parse_output(name, &whole), "{file} without line {number}");
            } else {
                assert!(parse_output(name, &without).is_err(), "{file} without line {number}");
            }
            let doubled = [&lines[..=number], &lines[number..]].concat().concat();
            assert!(parse_output(name, &doubled).is_err(), "{file} with line {number} twice");
        }
    }
}

/// A damaged byte makes an answer unreadable, or at least another one, unless it is in a line that says nothing about
/// the verdict.
#[test]
fn refuses_or_notices_a_damaged_byte() {
    for (file, name) in RECORDED {
        let whole = recorded(file);
        let right = parse_output(name, &whole).expect("the recorded answer is whole");
        let mut start = 0;
        for line in whole.split_inclusive('\n') {
            let says_nothing = ["Condition ", "Time ", "Hash="].iter().any(|word| line.starts_with(word));
            for position in (start..start + line.len()).filter(|_| !says_nothing) {
                for damage in ["x", "7", " ", "\n", ""] {
                    let mut damaged = whole.clone();
                    damaged.replace_range(position..=position, damage);
                    if damaged != whole {
                        assert_ne!(parse_output(name, &damaged).as_ref(), Ok(&right), "{file}:{position} {damage:?}");
                    }
                }
            }
            start += line.len();
        }
    }
}

#[test]
fn refuses_an_answer_to_another_test() {
    let whole = recorded("never.txt");
    for name in ["ldt-publish", "ldt-publish-release-2", ""] {
        assert!(parse_output(name, &whole).is_err(), "{name:?}");
    }
    // The name stands in three places; one of another test's in any of them is as bad.
    for line in ["Test ", "Observation ", "Time "] {
        let other = whole.replace(&format!("{line}ldt-publish-release"), &format!("{line}ldt-publish-barrier"));
        assert_ne!(other, whole);
        assert!(parse_output("ldt-publish-release", &other).is_err(), "{line}");
    }
    assert!(parse_output("ldt-publish-release", &(whole.clone() + &whole)).is_err(), "two answers");
}

#[test]
fn refuses_an_answer_that_contradicts_itself() {
    let whole = recorded("sometimes-data-race.txt");
    for (right, wrong) in [
        ("Sometimes 1 2", "Never 1 2"),
        ("Sometimes 1 2", "Sometimes 2 2"),
        ("Positive: 1 Negative: 2", "Positive: 0 Negative: 3"),
        ("\nOk\n", "\nNo\n"),
        ("States 3", "States 2"),
        ("States 3", "States 4"),
        ("States 3", "States 03x"),
        ("1:r0=new; 1:r1=1;", "1:r0=new; 1:r1=0;"),
        ("Flag data-race", "Flag data-race\nFlag data-race"),
        ("Flag data-race", "Flag "),
        ("Flag data-race", "Warning data-race"),
        (" Allowed", " Required"),
        ("Condition exists", "Condition forall"),
    ] {
        let damaged = whole.replacen(right, wrong, 1);
        assert_ne!(damaged, whole, "{right} is there");
        assert!(parse_output("ldt-publish-plain-writer", &damaged).is_err(), "{right} replaced by {wrong}");
    }
}

#[test]
fn refuses_an_answer_about_no_execution() {
    let error = parse_output("filtered", &recorded("no-execution.txt")).expect_err("it says nothing");
    assert!(error.contains("no execution at all"), "{error}");
    assert!(parse_output("filtered", "").is_err());
    assert!(parse_output("filtered", "\n\n").is_err());
}

#[test]
fn reads_versions() {
    assert_eq!(parse_version(&recorded("version.txt")).as_deref(), Ok("7.58"));
    assert_eq!(parse_version("7.57+1, Rev: 0123abc\n").as_deref(), Ok("7.57+1"));
    for damaged in ["", "\n", "7.58", "7.58\n", "7.5", "seven, Rev: x\n", "7.58, Rev: a\n7.57, Rev: b\n", "7, Rev: a\n"]
    {
        assert!(parse_version(damaged).is_err(), "{damaged:?}");
    }
}
