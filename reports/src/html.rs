//! A report as one HTML page that needs nothing else: no script, no font, no request.

use minijinja::{Environment, context};
use serde::Serialize;

use crate::report::{
    PropertyRow, Report, counts, findings, how_much, listing, printable, property_rows, seconds, shortened,
    telling_counterexample,
};
use crate::results::{Counterexample, MechanismRecord, VariantRecord, Verdict};

const TEMPLATE: &str = include_str!("../templates/report.html");
const LISTING_MAX: usize = 100_000;
/// Runs of more steps than this are shown as text: a drawing of thousands of boxes shows nobody anything.
const PICTURE_STEPS_MAX: usize = 200;

#[derive(Serialize)]
struct MechanismPage<'a> {
    id: String,
    name: &'a str,
    title: &'a str,
    question: &'a str,
    source: &'a str,
    assumptions: &'a [String],
    variants: Vec<VariantPage<'a>>,
    properties: Vec<PropertyRow>,
}

#[derive(Serialize)]
struct VariantPage<'a> {
    variant: &'a str,
    engine: &'a str,
    what: &'a str,
    origin: &'a str,
    verdict: &'static str,
    expected: &'static str,
    because: &'a str,
    as_expected: bool,
    finding: String,
    extent: String,
    bounds: &'a [String],
    assumptions: &'a [String],
    counts: String,
    seconds: String,
    reproduce: &'a str,
    /// An SVG drawing, made by this program and escaped there.
    picture: Option<String>,
    listing: Option<String>,
}

impl Report {
    /// The report as a self-contained HTML page.
    pub fn to_html(&self) -> String {
        let mut environment = Environment::new();
        environment.add_template("report.html", TEMPLATE).expect("the template is well-formed");
        let template = environment.get_template("report.html").expect("it was just added");
        let mechanisms: Vec<MechanismPage<'_>> = self.run.mechanisms.iter().map(|m| self.mechanism_page(m)).collect();
        let against = self.against.as_ref().map(|(base, found)| context! { base, found });
        let page = context! {
            headline => self.headline(),
            urgent => self.urgent(),
            sums => self.sums(),
            not_run => self.not_run(),
            provenance => self.provenance(),
            parts => self.parts(),
            against,
            mechanisms,
        };
        printable(&template.render(page).expect("the template fits its data"))
    }

    fn mechanism_page<'a>(&'a self, mechanism: &'a MechanismRecord) -> MechanismPage<'a> {
        let records: Vec<&VariantRecord> =
            self.run.verdicts.iter().filter(|record| record.mechanism == mechanism.name).collect();
        MechanismPage {
            id: mechanism.name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect(),
            name: &mechanism.name,
            title: &mechanism.title,
            question: &mechanism.question,
            source: &mechanism.source,
            assumptions: &mechanism.assumptions,
            properties: property_rows(&records),
            variants: records.into_iter().map(variant_page).collect(),
        }
    }
}

fn variant_page(record: &VariantRecord) -> VariantPage<'_> {
    let (picture, text) = match telling_counterexample(record) {
        Some((_, Counterexample::Timeline(timeline))) if timeline.steps.len() <= PICTURE_STEPS_MAX => {
            (Some(timeline.to_svg()), None)
        }
        Some((_, other)) => (None, Some(shortened(&listing(other), LISTING_MAX))),
        None => (None, None),
    };
    VariantPage {
        variant: &record.variant,
        engine: &record.engine,
        what: &record.what,
        origin: &record.origin,
        verdict: record.verdict.word(),
        expected: record.expected.word(),
        because: &record.expected_because,
        as_expected: record.as_expected || record.verdict == Verdict::NotRun,
        finding: findings(record),
        extent: how_much(record),
        bounds: &record.bounds,
        assumptions: &record.assumptions,
        counts: counts(record),
        seconds: seconds(record.seconds),
        reproduce: &record.reproduce,
        picture,
        listing: text,
    }
}
