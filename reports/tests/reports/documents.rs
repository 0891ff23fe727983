//! The results document: what is written is what is read, and nothing else is.

use std::collections::BTreeSet;

use proptest::prelude::*;
use reports::results::{ReadError, Run, VERSION};
use serde_json::Value;

use crate::fixture::everything;

#[test]
fn what_is_written_is_what_is_read() {
    let run = everything();
    assert_eq!(Run::from_json(&run.to_json()).expect("just written"), run);
}

fn refusal(text: &str) -> String {
    Run::from_json(text).expect_err("refused").to_string()
}

#[test]
fn older_newer_foreign_and_changed_documents_are_refused_with_what_is_wrong() {
    let text = everything().to_json();
    let at = |version: u32| text.replacen(&format!("\"version\": {VERSION}"), &format!("\"version\": {version}"), 1);
    assert!(refusal(&at(VERSION + 1)).contains("is newer than this program reads"));
    assert!(refusal(&at(VERSION - 1)).contains("is older than this program reads"));
    assert!(refusal("{\"schema\": \"kverdict-baseline\", \"version\": 1}").contains("not a results document"));
    assert!(refusal(&text.replacen("\"broken\"", "\"holds\"", 1)).contains("does not fit its checksum"));
    assert!(refusal(&text[..text.len() / 2]).contains("line"), "says where it was cut");
    assert!(refusal("").contains("line 1 column 0"));
}

#[test]
fn a_document_whose_parts_do_not_fit_is_refused_even_with_a_checksum() {
    let refused = |change: fn(&mut Run)| {
        let mut run = everything();
        change(&mut run);
        match Run::from_json(&run.to_json()) {
            Err(ReadError::Inconsistent(what)) => what,
            other => panic!("{other:?}"),
        }
    };
    assert!(refused(|run| drop(run.mechanisms.remove(0))).contains("not described"));
    assert!(refused(|run| run.verdicts.push(run.verdicts[0].clone())).contains("there twice"));
    assert!(refused(|run| run.summary.as_expected += 1).contains("not the sum"));
    assert!(refused(|run| run.verdicts[0].differences.push("odd".to_string())).contains("belong together"));
    assert!(refused(|run| run.verdicts[0].not_run = Some(crate::fixture::not_run())).contains("NOT RUN"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_cut_or_a_changed_byte_is_refused_or_changes_nothing(at in 0.0..1.0_f64, bit in 0..8_u8, cut: bool) {
        let run = everything();
        let mut bytes = run.to_json().into_bytes();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the document")]
        let place = (at * bytes.len() as f64) as usize;
        if cut {
            bytes.truncate(place);
        } else {
            bytes[place] ^= 1 << bit;
        }
        if let Ok(read) = String::from_utf8(bytes).map_err(|_| ()).and_then(|text| Run::from_json(&text).map_err(|_| ())) {
            prop_assert_eq!(read, run);
        }
    }
}

/// Names of all fields in a document, wherever they stand.
fn fields(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                found.insert(name.clone());
                fields(member, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fields(item, found)),
        _ => {}
    }
}

/// Names in the first column of the tables of the description.
fn described() -> BTreeSet<String> {
    let text = include_str!("../../../docs/results-schema.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(name, _)| name.to_string()).collect()
}

#[test]
fn every_field_is_described_and_every_described_field_is_there() {
    let mut run = everything();
    run.shard = Some(reports::results::Shard { index: 1, of: 2 });
    let machine = run.machine.clone();
    run.parts.push(reports::results::Part {
        file: "1.json".to_string(),
        machine,
        command: Vec::new(),
        started: String::new(),
        seconds: 0.0,
    });
    let mut found = BTreeSet::new();
    fields(&serde_json::from_str(&run.to_json()).expect("JSON"), &mut found);
    assert_eq!(found, described());
}
