//! JUnit XML against the schema that Jenkins publishes for it.
//!
//! The rules are those of `junit-10.xsd` in jenkinsci/xunit-plugin
//! (`src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/`, commit 031e285), written down here as
//! far as a report can meet them: which elements and attributes there are, in which order, and their types.

use roxmltree::{Document, Node};

use crate::fixture::{everything, good, report};

struct Rule {
    element: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
    children: &'static [&'static str],
    may_have_text: bool,
}

const RULES: &[Rule] = &[
    Rule {
        element: "testsuites",
        required: &[],
        optional: &["name", "time", "tests", "failures", "errors"],
        children: &["testsuite"],
        may_have_text: false,
    },
    Rule {
        element: "testsuite",
        required: &["name", "tests", "failures", "errors"],
        optional: &["group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"],
        children: &["testsuite", "properties", "testcase", "system-out", "system-err"],
        may_have_text: false,
    },
    Rule {
        element: "testcase",
        required: &["name"],
        optional: &["time", "classname", "group"],
        children: &["skipped", "error", "failure", "system-out", "system-err"],
        may_have_text: false,
    },
    Rule { element: "skipped", required: &[], optional: &["type", "message"], children: &[], may_have_text: true },
    Rule { element: "error", required: &[], optional: &["type", "message"], children: &[], may_have_text: true },
    Rule { element: "failure", required: &[], optional: &["type", "message"], children: &[], may_have_text: true },
    Rule { element: "system-out", required: &[], optional: &[], children: &[], may_have_text: true },
];

/// Parses the document, checks it against the rules, and gives back all text and attribute values.
pub(crate) fn read(xml: &str) -> String {
    let document = Document::parse(xml).unwrap_or_else(|error| panic!("{error}:\n{xml}"));
    assert_eq!(document.root_element().tag_name().name(), "testsuites");
    let mut text = String::new();
    check(document.root_element(), &mut text);
    text
}

fn check(node: Node<'_, '_>, text: &mut String) {
    let name = node.tag_name().name();
    let rule = RULES.iter().find(|rule| rule.element == name).unwrap_or_else(|| panic!("no such element: {name}"));
    for required in rule.required {
        assert!(node.has_attribute(*required), "{name} lacks {required}");
    }
    for attribute in node.attributes() {
        let known = rule.required.iter().chain(rule.optional).any(|known| *known == attribute.name());
        assert!(known, "{name} has no attribute {}", attribute.name());
        if attribute.name() == "time" {
            assert!(is_surefire_time(attribute.value()), "time {}", attribute.value());
        }
        text.push_str(attribute.value());
        text.push('\n');
    }
    for child in node.children() {
        if child.is_element() {
            assert!(rule.children.contains(&child.tag_name().name()), "{} in {name}", child.tag_name().name());
            check(child, text);
        } else if let Some(content) = child.text() {
            assert!(rule.may_have_text || content.trim().is_empty(), "text in {name}: {content}");
            text.push_str(content);
        }
    }
    if name == "testsuite" {
        let cases = || node.children().filter(|child| child.has_tag_name("testcase"));
        let with =
            |kind: &str| cases().filter(|case| case.children().any(|c| c.has_tag_name(kind))).count().to_string();
        assert_eq!(node.attribute("tests"), Some(cases().count().to_string().as_str()));
        assert_eq!(node.attribute("failures"), Some(with("failure").as_str()));
        assert_eq!(node.attribute("errors"), Some(with("error").as_str()));
    }
}

/// `SUREFIRE_TIME`: digits, with commas between groups of three, and a fraction.
fn is_surefire_time(value: &str) -> bool {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    whole.chars().chain(fraction.chars()).all(|c| c.is_ascii_digit())
}

#[test]
fn the_document_keeps_to_the_schema() {
    let text = read(&report(everything()).to_junit());
    assert!(text.contains("herd7 is not installed"), "what was not run is skipped, with the reason");
    assert!(text.contains("the time was up") || text.contains("UNDECIDED"), "{text}");
}

#[test]
fn a_run_as_expected_has_no_failures() {
    let xml = report(good()).to_junit();
    read(&xml);
    assert!(!xml.contains("<failure") && !xml.contains("<error"), "{xml}");
}

#[test]
fn an_undecided_verdict_is_an_error_and_an_unexpected_one_a_failure() {
    let xml = report(everything()).to_junit();
    let document = Document::parse(&xml).expect("it is XML");
    let case = |name: &str| {
        let mut found =
            document.descendants().filter(|n| n.has_tag_name("testcase") && n.attribute("name") == Some(name));
        found.next().unwrap_or_else(|| panic!("no case {name}"))
    };
    assert!(case("large").children().any(|c| c.has_tag_name("error")));
    assert!(case("long").children().any(|c| c.has_tag_name("failure")));
    assert!(case("mended").children().any(|c| c.has_tag_name("failure")), "better than expected is not as expected");
}
