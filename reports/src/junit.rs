//! A report as JUnit XML: a test suite for each mechanism and engine, a test case for each variant.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as JUnit, TestCase, TestCaseStatus, TestSuite, XmlString};

use crate::report::{Report, counts, how_much, listing, printable, shortened};
use crate::results::{VariantRecord, Verdict};

const TEXT_MAX: usize = 20_000;

impl Report {
    /// The report as JUnit XML. The first suite is about the whole run and its base, so that an urgent
    /// message stands in the first lines.
    pub fn to_junit(&self) -> String {
        let mut junit = JUnit::new(clean(&format!("kverdict: {}", self.headline_and_urgent())));
        junit.set_time(seconds(self.run.seconds));
        junit.add_test_suite(self.whole());
        for mechanism in &self.run.mechanisms {
            for (engine, records) in self.by_engine() {
                let mut suite = TestSuite::new(clean(&format!("{} {engine}", mechanism.name)));
                for record in records.iter().filter(|record| record.mechanism == mechanism.name) {
                    suite.add_test_case(test_case(record));
                }
                if suite.tests > 0 {
                    junit.add_test_suite(suite);
                }
            }
        }
        junit.add_test_suite(self.not_run_suite());
        let text = junit.to_string().expect("the writer writes to memory");
        // The root element has no such attribute in Jenkins' schema.
        match text.split_once("<testsuites").and_then(|(start, rest)| Some((start, rest.split_once('>')?))) {
            Some((start, (root, rest))) => format!("{start}<testsuites{}>{rest}", without_skipped(root)),
            None => text,
        }
    }

    /// One case: nothing urgent.
    fn whole(&self) -> TestSuite {
        let mut suite = TestSuite::new("the whole run");
        let urgent = self.urgent();
        let mut status = TestCaseStatus::success();
        if !urgent.is_empty() {
            status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(clean(&urgent.join("; ")));
        }
        let mut case = TestCase::new("nothing is worse than expected or than the base", status);
        case.set_classname("kverdict");
        suite.add_test_case(case);
        let lines: Vec<String> = std::iter::once(self.provenance()).chain(self.parts()).collect();
        suite.set_system_out(clean(&lines.join("\n")));
        suite
    }

    fn not_run_suite(&self) -> TestSuite {
        let mut suite = TestSuite::new("not run");
        for line in self.not_run() {
            let mut status = TestCaseStatus::skipped();
            status.set_message(clean(&line));
            let mut case = TestCase::new(clean(&line), status);
            case.set_classname("kverdict");
            suite.add_test_case(case);
        }
        suite
    }
}

fn test_case(record: &VariantRecord) -> TestCase {
    let mut status = match (record.as_expected, record.verdict) {
        (true, _) => TestCaseStatus::success(),
        (false, Verdict::Undecided) => TestCaseStatus::non_success(NonSuccessKind::Error),
        (false, _) => TestCaseStatus::non_success(NonSuccessKind::Failure),
    };
    if !record.as_expected {
        status.set_message(clean(&record.differences.join("; ")));
        status.set_type(record.verdict.word());
        status.set_description(clean(&counterexample(record)));
    }
    let mut case = TestCase::new(clean(&record.variant), status);
    case.set_classname(clean(&format!("{}.{}", record.mechanism, record.engine)));
    case.set_time(seconds(record.seconds));
    case.set_system_out(clean(&format!(
        "{}; {}; {}\nreproduce: {}",
        record.verdict.word(),
        how_much(record),
        counts(record),
        record.reproduce
    )));
    case
}

/// The shortest unexpected counterexample as text.
fn counterexample(record: &VariantRecord) -> String {
    let unexpected = record.properties.iter().filter(|p| p.verdict != p.expected);
    unexpected.filter_map(|p| p.counterexample.as_ref()).next().map_or_else(|| record.reproduce.clone(), listing)
}

/// The attributes without `skipped`. A quotation mark in a value is written as a reference.
fn without_skipped(attributes: &str) -> String {
    let Some((start, rest)) = attributes.split_once(" skipped=\"") else { return attributes.to_string() };
    let (_, end) = rest.split_once('"').expect("the writer closes its attributes");
    format!("{start}{end}")
}

fn clean(text: &str) -> XmlString {
    XmlString::new(printable(&shortened(text, TEXT_MAX)))
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
