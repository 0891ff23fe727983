//! Where a person looks first: the first five lines, and the first screen.

use crate::fixture::{good, regression, report, run};

#[test]
fn one_regression_is_in_the_first_five_lines_of_every_format() {
    let report = report(regression());
    let formats = [
        ("Markdown", report.to_markdown()),
        ("shortened Markdown", report.to_markdown_within(1_000, None)),
        ("HTML", report.to_html()),
        ("JUnit", report.to_junit()),
        ("SARIF", report.to_sarif()),
        ("JSON", report.to_json()),
    ];
    for (format, text) in formats {
        let head: Vec<&str> = text.lines().take(5).collect();
        let head = head.join("\n").replace("&#x2f;", "/");
        assert!(head.contains("NOT as expected") && head.contains("ldt/mainline"), "{format}:\n{head}");
        assert!(head.contains("loaded-table-alive is BROKEN"), "{format}:\n{head}");
    }
}

#[test]
fn a_vanished_verdict_and_a_new_bound_are_as_loud_as_a_broken_one() {
    let mut verdicts = good().verdicts;
    verdicts.remove(0);
    verdicts[0].bounds.push("at most 3 steps".to_string());
    let report = report(run(verdicts));
    for text in [report.to_markdown(), report.to_html(), report.to_junit(), report.to_sarif(), report.to_json()] {
        let head = text.lines().take(5).collect::<Vec<_>>().join("\n").replace("&#x2f;", "/");
        assert!(head.contains("ldt/mainline exact: vanished"), "{head}");
        assert!(head.contains("ldt/freed-early exact: new bound"), "{head}");
    }
}

/// Lines as GitHub's page shows them in a comment: about 100 characters wide. A row of a table is one line.
fn shown_lines(markdown: &str) -> usize {
    markdown.lines().map(|line| if line.starts_with('|') { 1 } else { line.chars().count().div_ceil(100) }).sum()
}

#[test]
fn an_unchanged_run_fits_on_one_screen_above_the_first_fold() {
    let text = report(good()).to_markdown();
    let (above, _) = text.split_once("<details>").expect("the rest is folded");
    assert!(shown_lines(above) <= 25, "{above}");
    assert!(above.contains("Nothing changed against base.json."), "{above}");
}
