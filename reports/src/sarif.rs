//! A report as SARIF 2.1.0: one result for each property that is not as expected, located where the
//! property is stated, and one for each claim that changed against the base.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::difference::Weight;
use crate::report::{Report, printable, shortened};
use crate::results::{PropertyRecord, StepCount, VariantRecord, Verdict};

/// Where the schema of the format lies. The tests hold every document against it.
const SCHEMA: &str = "https://schemastore.azurewebsites.net/schemas/json/sarif-2.1.0.json";
/// The levels of a result.
const ERROR: &str = "error";
const WARNING: &str = "warning";
const TEXT_MAX: usize = 4_000;
/// The rule of results about the base.
const AGAINST_BASE: &str = "claim-changed-against-base";
/// The rule of results about a record that has no property to blame, for example steps that never happen.
const NOT_AS_EXPECTED: &str = "verdict-not-as-expected";

impl Report {
    /// The report as SARIF. The headline stands in the first lines.
    pub fn to_sarif(&self) -> String {
        let sarif = json!({
            "$schema": SCHEMA,
            "version": "2.1.0",
            "properties": {
                "headline": self.headline_and_urgent(),
                "notRun": self.not_run(),
                "provenance": self.provenance(),
                "parts": self.parts(),
            },
            "runs": [self.sarif_run()],
        });
        let mut text = serde_json::to_string_pretty(&sarif).expect("plain data always serializes");
        text.push('\n');
        text
    }

    fn sarif_run(&self) -> Value {
        let mut results: Vec<Value> = self.findings().flat_map(record_results).collect();
        for change in self.changes(Weight::Loud) {
            let message = format!("{}: {}", change.about, change.text);
            results.push(result(AGAINST_BASE, WARNING, &message, location("reports/baseline.json", 1)));
        }
        // A run that was stopped, or in which an engine broke down, did not end as it should.
        let mut invocation = json!({
            "executionSuccessful": !self.run.interrupted,
            "commandLine": plain(&self.run.command.join(" ")),
        });
        if is_date_time(&self.run.started) {
            invocation["startTimeUtc"] = json!(self.run.started);
        }
        json!({
            "tool": { "driver": {
                "name": "kverdict",
                "version": self.run.tool.version,
                "informationUri": "https://github.com/kverdict/kverdict",
                "rules": self.rules(),
            } },
            "invocations": [invocation],
            "results": results,
        })
    }

    /// A rule for each property, once, and the two that are not about a property.
    fn rules(&self) -> Vec<Value> {
        let mut rules: BTreeMap<String, String> = BTreeMap::new();
        for record in &self.run.verdicts {
            for property in &record.properties {
                rules.insert(rule_id(record, property), property.says.clone());
            }
        }
        rules.insert(
            AGAINST_BASE.to_string(),
            "A claim is weaker than on the base branch, or has vanished.".to_string(),
        );
        rules.insert(NOT_AS_EXPECTED.to_string(), "A verdict is not as the catalogue expects it.".to_string());
        let descriptor =
            |(id, says): (String, String)| json!({ "id": id, "shortDescription": { "text": plain(&says) } });
        rules.into_iter().map(descriptor).collect()
    }
}

/// One result for each unexpected property and each kind of step that happens when it should not, or never
/// when it should; one for the record if none of these is to blame.
fn record_results(record: &VariantRecord) -> Vec<Value> {
    let about = format!("{} ({})", record.full_name(), record.engine);
    let of_property = |property: &PropertyRecord| {
        let (is, should) = (property.verdict.word(), property.expected.word());
        let steps = property.steps.map_or(String::new(), |steps| format!(" in {steps} steps"));
        let message = format!(
            "{about}: {} is {is}{steps}, expected {should}. {}. Reproduce: {}",
            property.name, property.says, record.reproduce
        );
        result(&rule_id(record, property), level(property.verdict), &message, at_place(&property.stated_at))
    };
    let of_step = |step: &StepCount| {
        let what = if step.taken == 0 { "never happens" } else { "happens, which this variant should not take" };
        let message = format!("{about}: step {} {what}. Reproduce: {}", step.kind, record.reproduce);
        result(NOT_AS_EXPECTED, ERROR, &message, at_place(&step.stated_at))
    };
    let properties = record.properties.iter().filter(|p| p.verdict != p.expected).map(of_property);
    // After a limit, a kind that was not taken so far may still come.
    let odd = |s: &&StepCount| s.meant_to_happen == (s.taken == 0) && (s.taken > 0 || record.limit.is_none());
    let mut results: Vec<Value> = properties.chain(record.steps.iter().filter(odd).map(of_step)).collect();
    if results.is_empty() {
        let at = record.properties.first().map_or("models/src/lib.rs:1", |p| &p.stated_at);
        let message = format!("{about}: {}. Reproduce: {}", record.differences.join("; "), record.reproduce);
        results.push(result(NOT_AS_EXPECTED, level(record.verdict), &message, at_place(at)));
    }
    results
}

fn rule_id(record: &VariantRecord, property: &PropertyRecord) -> String {
    plain(&format!("{}/{}", record.mechanism, property.name))
}

fn level(verdict: Verdict) -> &'static str {
    if verdict == Verdict::Undecided { WARNING } else { ERROR }
}

/// `file:line` as a location; what has no known line is located at the first of its file.
fn at_place(place: &str) -> Value {
    let (file, line) = place.rsplit_once(':').unwrap_or((place, "1"));
    location(file, line.parse().unwrap_or(1))
}

fn location(file: &str, line: i64) -> Value {
    let artifact = json!({ "uri": uri(file), "uriBaseId": "%SRCROOT%" });
    json!({ "physicalLocation": { "artifactLocation": artifact, "region": { "startLine": line.max(1) } } })
}

/// A path as a relative URI: whatever is not plainly allowed in one is percent-encoded.
fn uri(path: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'-' | b'_' | b'~');
    path.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// `2026-11-21T12:00:00Z`, as every run writes it; the schema allows nothing that is no time.
fn is_date_time(text: &str) -> bool {
    let form = b"0000-00-00T00:00:00Z";
    let fits = |(c, form): (u8, &u8)| if *form == b'0' { c.is_ascii_digit() } else { c == *form };
    text.len() == form.len() && text.bytes().zip(form).all(fits)
}

fn result(rule: &str, level: &str, message: &str, at: Value) -> Value {
    json!({ "ruleId": rule, "level": level, "message": { "text": plain(message) }, "locations": [at] })
}

/// Message text: braces would be read as placeholders, control characters as nothing good.
fn plain(text: &str) -> String {
    let clean = shortened(text, TEXT_MAX).replace('{', "{{").replace('}', "}}");
    printable(&clean).replace('\n', " ")
}
