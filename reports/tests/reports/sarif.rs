//! SARIF against the published JSON schema of version 2.1.0.

use std::sync::LazyLock;

use serde_json::Value;

use crate::fixture::{everything, good, report};

/// The schema of the OASIS committee, unchanged; its `$id` says where it is published.
static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("../data/sarif-schema-2.1.0.json")).expect("the schema is JSON");
    jsonschema::draft7::new(&schema).expect("the schema is a schema")
});

/// Parses and validates the document.
pub(crate) fn read(text: &str) -> Value {
    let document: Value = serde_json::from_str(text).expect("it is JSON");
    let errors: Vec<String> = SCHEMA.iter_errors(&document).map(|e| format!("{}: {e}", e.instance_path)).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    document
}

#[test]
fn the_schema_refuses_what_is_not_sarif() {
    assert!(!SCHEMA.is_valid(&serde_json::json!({"version": "2.1.0"})), "the check can fail");
}

#[test]
fn each_verdict_that_is_not_as_expected_is_a_result_where_it_is_stated() {
    let document = read(&report(everything()).to_sarif());
    let results = document["runs"][0]["results"].as_array().expect("results").clone();
    let at = |result: &Value| {
        let place = &result["locations"][0]["physicalLocation"];
        format!("{}:{}", place["artifactLocation"]["uri"].as_str().unwrap_or("?"), place["region"]["startLine"])
    };
    let of = |words: &str| {
        let found = results.iter().find(|r| r["message"]["text"].as_str().is_some_and(|text| text.contains(words)));
        found.unwrap_or_else(|| panic!("no result about {words}: {results:#?}"))
    };
    assert_eq!(at(of("ldt/long (exact): loaded-table-alive is BROKEN in 41 steps")), "models/src/ldt/properties.rs:42");
    assert_eq!(of("ldt/large (exact)")["level"], "warning", "undecided is not broken");
    assert_eq!(
        at(of("step W1Write never happens")),
        "models/src/ldt/step.rs:7",
        "a step is located where it is declared"
    );
}

#[test]
fn a_run_as_expected_has_no_results() {
    let document = read(&report(good()).to_sarif());
    assert_eq!(document["runs"][0]["results"], serde_json::json!([]));
}
