//! Every rendering of a run with every kind of verdict, as it was read by a person when it was accepted.

use crate::fixture::{everything, good, regression, report};

#[test]
fn every_rendering_of_every_kind_of_verdict_is_as_it_was_read() {
    let report = report(everything());
    insta::assert_snapshot!("everything.md", report.to_markdown());
    insta::assert_snapshot!("everything.html", report.to_html());
    insta::assert_snapshot!("everything.junit.xml", report.to_junit());
    insta::assert_snapshot!("everything.sarif", report.to_sarif());
    insta::assert_snapshot!("everything.json", report.to_json());
}

#[test]
fn an_unchanged_run_and_one_regression_in_markdown() {
    insta::assert_snapshot!("unchanged.md", report(good()).to_markdown());
    insta::assert_snapshot!("regression.md", report(regression()).to_markdown());
}
