//! A report as JUnit XML: a test suite for each mechanism and engine, a test case for each variant.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report as JUnit, TestCase, TestCaseStatus, TestSuite, XmlString};

use crate::report::{Report, listing, shortened};
use crate::results::{VariantRecord, Verdict};

const TEXT_MAX: usize = 20_000;

impl Report {
    /// The report as JUnit XML. The first suite is about the whole run and its base, so that an urgent
    /// message stands in the first lines.
    pub fn to_junit(&self) -> String {
        let mut junit = JUnit::new(format!("kverdict: {}", self.headline()));
        junit.set_time(seconds(self.run.seconds));
        junit.add_test_suite(self.whole());
        for mechanism in &self.run.mechanisms {
            for (engine, records) in self.by_engine() {
                let mut suite = TestSuite::new(format!("{} {engine}", mechanism.name));
                for record in records.iter().filter(|record| record.mechanism == mechanism.name) {
                    suite.add_test_case(test_case(record));
                }
                if suite.tests > 0 {
                    junit.add_test_suite(suite);
                }
            }
        }
        junit.add_test_suite(self.not_run_suite());
        junit.to_string().expect("the writer writes to memory")
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
        suite.add_property(Property::new("provenance", clean(&self.provenance())));
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
    case.add_property(Property::new("verdict", record.verdict.word()));
    case.add_property(Property::new("extent", record.extent.words()));
    case.add_property(Property::new("size", clean(&record.size)));
    case.add_property(Property::new("reproduce", clean(&record.reproduce)));
    case
}

/// The shortest unexpected counterexample as text.
fn counterexample(record: &VariantRecord) -> String {
    let unexpected = record.properties.iter().filter(|p| p.verdict != p.expected);
    unexpected.filter_map(|p| p.counterexample.as_ref()).next().map_or_else(|| record.reproduce.clone(), listing)
}

fn clean(text: &str) -> XmlString {
    XmlString::new(shortened(text, TEXT_MAX))
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
