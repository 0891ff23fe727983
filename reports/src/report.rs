//! What a reviewer is shown: a run, and what changed against a base.

use crate::baseline::Baseline;
use crate::difference::{Difference, Weight, differences};
use crate::results::{Counterexample, Extent, PropertyRecord, Run, VariantRecord, Verdict};
use serde::Serialize;

/// A run with its comparison. All renderings are methods of it, each in a file of its own.
#[derive(Clone, Debug)]
pub struct Report {
    /// The run.
    pub run: Run,
    /// The name of the base it was compared with, and what changed; `None` if there was none.
    pub against: Option<(String, Vec<Difference>)>,
}

impl Report {
    /// A report on a run, compared with a base if there is one. `partial`: the run is of a selection, so
    /// verdicts that it lacks have not vanished.
    pub fn new(run: Run, base: Option<(String, Baseline)>, partial: bool) -> Self {
        let now = Baseline::of(&run);
        let against = base.map(|(name, base)| (name, differences(&base, &now, partial)));
        Self { run, against }
    }

    /// Records that are not as expected: what must be looked at first.
    pub fn findings(&self) -> impl Iterator<Item = &VariantRecord> {
        self.run.verdicts.iter().filter(|record| !record.as_expected && record.verdict != Verdict::NotRun)
    }

    /// Changes of one weight.
    pub fn changes(&self, weight: Weight) -> impl Iterator<Item = &Difference> {
        self.against.iter().flat_map(|(_, found)| found).filter(move |difference| difference.weight == weight)
    }

    /// The one line that stands above everything else.
    pub fn headline(&self) -> String {
        let sum = &self.run.summary;
        let mut parts = Vec::new();
        if self.run.interrupted {
            parts.push("stopped before its end".to_string());
        }
        if sum.not_as_expected > 0 {
            parts.push(format!("{} of {} verdicts NOT as expected", sum.not_as_expected, sum.verdicts));
        }
        if sum.undecided > 0 {
            parts.push(format!("{} of {} verdicts undecided", sum.undecided, sum.verdicts));
        }
        let loud = self.changes(Weight::Loud).count();
        if loud > 0 {
            parts.push(format!("{loud} claims changed or weakened against the base"));
        }
        if parts.is_empty() {
            parts.push(format!("{} verdicts, all as expected", sum.verdicts));
        }
        parts.join("; ")
    }

    /// What must be said in the first lines: findings, then loud changes, each in words.
    pub fn urgent(&self) -> Vec<String> {
        let findings = self.findings().map(|record| {
            let what = record.differences.join("; ");
            format!("{} ({}): {what}", record.full_name(), record.engine)
        });
        let loud = self.changes(Weight::Loud).map(|d| format!("{}: {}", d.about, d.text));
        findings.chain(loud).collect()
    }

    /// Engines that did not run, with the reason and the way to run them.
    pub fn not_run(&self) -> Vec<String> {
        let engines = self.run.engines.iter().filter_map(|engine| {
            let why = engine.not_run.as_ref()?;
            Some(format!("{}: {}; {}", engine.name, why.reason, why.how_to_run))
        });
        let records = self.run.verdicts.iter().filter_map(|record| {
            let why = record.not_run.as_ref()?;
            Some(format!("{} ({}): {}; {}", record.full_name(), record.engine, why.reason, why.how_to_run))
        });
        engines.chain(records).collect()
    }

    /// For each engine that gave a verdict: its name, the words for how much it looked at, and the records.
    pub fn by_engine(&self) -> Vec<(String, Vec<&VariantRecord>)> {
        let mut engines: Vec<(String, Vec<&VariantRecord>)> = Vec::new();
        for record in self.run.verdicts.iter().filter(|record| record.verdict != Verdict::NotRun) {
            match engines.iter_mut().find(|(name, _)| *name == record.engine) {
                Some((_, records)) => records.push(record),
                None => engines.push((record.engine.clone(), vec![record])),
            }
        }
        engines
    }

    /// One row for each engine and extent: kinds of evidence are never added up.
    pub(crate) fn sums(&self) -> Vec<Sum> {
        let mut rows = Vec::new();
        for (engine, records) in self.by_engine() {
            for extent in [Extent::Proved, Extent::AllStates, Extent::WithinABound, Extent::Enumerated, Extent::Tested]
            {
                let of: Vec<_> = records.iter().filter(|record| record.extent == extent).collect();
                if of.is_empty() {
                    continue;
                }
                let as_expected = of.iter().filter(|r| r.as_expected).count();
                let undecided = of.iter().filter(|r| r.verdict == Verdict::Undecided && !r.as_expected).count();
                let seconds: f64 = of.iter().map(|r| r.seconds).sum();
                rows.push(Sum {
                    engine: engine.clone(),
                    extent: extent.words(),
                    verdicts: of.len(),
                    as_expected,
                    not: of.len() - as_expected - undecided,
                    undecided,
                    seconds: format!("{seconds:.1}"),
                });
            }
        }
        rows
    }

    /// The report as JSON: what is urgent first, then the changes, then the whole run.
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Document<'a> {
            headline: String,
            urgent: Vec<String>,
            base: Option<&'a str>,
            differences: &'a [Difference],
            run: &'a Run,
        }
        let document = Document {
            headline: std::iter::once(self.headline())
                .chain(self.urgent().into_iter().take(3))
                .collect::<Vec<_>>()
                .join("; "),
            urgent: self.urgent(),
            base: self.against.as_ref().map(|(name, _)| name.as_str()),
            differences: self.against.as_ref().map_or(&[], |(_, found)| found),
            run: &self.run,
        };
        let mut text = serde_json::to_string_pretty(&document).expect("plain data always serializes");
        text.push('\n');
        text
    }

    /// Tool, commit, machine and time in one line.
    pub fn provenance(&self) -> String {
        let (tool, machine) = (&self.run.tool, &self.run.machine);
        let commit = tool.commit.as_deref().unwrap_or("unknown commit");
        let processor = machine.processor.as_deref().unwrap_or("unknown processor");
        format!(
            "{} {} at {commit}, {}; {} ({processor}, {} threads); started {}, {:.1} s",
            tool.name, tool.version, tool.compiler, machine.platform, machine.cpus, self.run.started, self.run.seconds
        )
    }
}

/// A row of the table of sums.
#[derive(Debug, Serialize)]
pub(crate) struct Sum {
    pub(crate) engine: String,
    pub(crate) extent: &'static str,
    pub(crate) verdicts: usize,
    pub(crate) as_expected: usize,
    pub(crate) not: usize,
    pub(crate) undecided: usize,
    pub(crate) seconds: String,
}

/// A property with the evidence that its check can fail.
#[derive(Debug, Serialize)]
pub(crate) struct PropertyRow {
    pub(crate) name: String,
    pub(crate) witness: bool,
    pub(crate) says: String,
    pub(crate) stated_at: String,
    /// The variants that break it, or how many reach it.
    pub(crate) by: String,
}

/// Each property of these records once.
pub(crate) fn property_rows(records: &[&VariantRecord]) -> Vec<PropertyRow> {
    let mut rows: Vec<PropertyRow> = Vec::new();
    for property in records.iter().flat_map(|record| &record.properties) {
        if rows.iter().any(|row| row.name == property.name) {
            continue;
        }
        let met = |record: &&&VariantRecord| {
            let same = record.properties.iter().find(|p| p.name == property.name);
            same.is_some_and(|p| matches!(p.verdict, Verdict::Broken | Verdict::Seen))
        };
        let mut by: Vec<&str> = records.iter().filter(met).map(|record| record.variant.as_str()).collect();
        by.dedup();
        let by = match (property.witness, by.len()) {
            (true, n) => format!("{n} variants"),
            (false, 0) => "none".to_string(),
            (false, _) => by.join(", "),
        };
        let (name, says, stated_at) = (property.name.clone(), property.says.clone(), property.stated_at.clone());
        rows.push(PropertyRow { name, witness: property.witness, says, stated_at, by });
    }
    rows
}

/// Broken properties with lengths, or the numbers of claims and witnesses.
pub(crate) fn findings(record: &VariantRecord) -> String {
    let of = |verdict| record.properties.iter().filter(move |p| p.verdict == verdict);
    let broken: Vec<String> = record.broken().into_iter().map(in_steps).collect();
    if broken.is_empty() {
        return format!("{} properties hold, {} witnesses seen", of(Verdict::Holds).count(), of(Verdict::Seen).count());
    }
    broken.join(", ")
}

pub(crate) fn in_steps(property: &PropertyRecord) -> String {
    property.steps.map_or(property.name.clone(), |steps| format!("{} in {steps} steps", property.name))
}

/// The extent with the first number behind it, and every bound and limit.
pub(crate) fn how_much(record: &VariantRecord) -> String {
    let mut parts = vec![record.extent.words().to_string()];
    parts.extend(record.counts.iter().take(1).map(|count| format!("{} {}", count.value, count.name)));
    parts.extend(record.bounds.iter().cloned());
    parts.extend(record.limit.iter().cloned());
    parts.join("; ")
}

/// The broken property that tells most and has a counterexample, with it.
pub(crate) fn telling_counterexample(record: &VariantRecord) -> Option<(&PropertyRecord, &Counterexample)> {
    record.broken().into_iter().find_map(|p| Some((p, p.counterexample.as_ref()?)))
}

/// A counterexample as plain text.
pub(crate) fn listing(counterexample: &Counterexample) -> String {
    match counterexample {
        Counterexample::Timeline(timeline) => timeline.to_text(120),
        Counterexample::Numbers(numbers) => {
            numbers.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join("\n")
        }
        Counterexample::Text(output) => output.clone(),
    }
}

/// The text of at most `max` characters, with a note if it was cut.
pub(crate) fn shortened(text: &str, max: usize) -> String {
    let length = text.chars().count();
    if length <= max {
        return text.to_string();
    }
    let start: String = text.chars().take(max).collect();
    format!("{start}… (cut here, {length} characters in all)")
}
