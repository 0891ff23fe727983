//! What a reviewer is shown: a run, and what changed against a base.

use crate::baseline::Baseline;
use crate::difference::{Difference, Weight, differences};
use crate::results::{Counterexample, EngineState, Machine, NotRun, Part, PropertyRecord, Run, VariantRecord, Verdict};
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
        let against = base.map(|(name, base)| (name, differences(&base, &run, partial)));
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
            let claims = if loud == 1 { "claim" } else { "claims" };
            parts.push(format!("{loud} {claims} changed or weakened against the base"));
        }
        if parts.is_empty() {
            parts.push(format!("all as expected: {}", self.by_extent()));
        }
        if sum.not_run > 0 {
            parts.push(format!("{} not run", sum.not_run));
        }
        let engines: Vec<&str> =
            self.run.engines.iter().filter(|e| e.not_run.is_some()).map(|e| e.name.as_str()).collect();
        if !engines.is_empty() {
            parts.push(format!("without {}", engines.join(", ")));
        }
        parts.join("; ")
    }

    /// How many verdicts of each extent: kinds of evidence are never added up.
    fn by_extent(&self) -> String {
        let mut parts = Vec::new();
        for words in EXTENTS {
            let given = self.run.verdicts.iter().filter(|record| record.verdict != Verdict::NotRun);
            let count = given.filter(|record| extent(record) == words).count();
            if count > 0 {
                parts.push(format!("{count} {words}"));
            }
        }
        if parts.is_empty() { "no verdicts".to_string() } else { parts.join(", ") }
    }

    /// The headline with the first urgent lines, for formats in which only one line can be on top.
    pub(crate) fn headline_and_urgent(&self) -> String {
        const FIRST: usize = 3;
        let urgent = self.urgent();
        let more = urgent.len().saturating_sub(FIRST);
        let more = (more > 0).then(|| format!("and {more} more"));
        let lines = urgent.into_iter().take(FIRST).map(|line| shortened(&line, 300));
        std::iter::once(self.headline()).chain(lines).chain(more).collect::<Vec<_>>().join("; ")
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

    /// What did not run, with the reason and the way to run it: engines, then verdicts, those with one reason
    /// in one line.
    pub fn not_run(&self) -> Vec<String> {
        const NAMES: usize = 3;
        let mut groups: Vec<(&str, &NotRun, Vec<String>)> = Vec::new();
        for record in &self.run.verdicts {
            let Some(why) = record.not_run.as_ref() else { continue };
            match groups.iter_mut().find(|(engine, reason, _)| *engine == record.engine && *reason == why) {
                Some((_, _, names)) => names.push(record.full_name()),
                None => groups.push((&record.engine, why, vec![record.full_name()])),
            }
        }
        // An engine whose verdicts say the same is not named twice.
        let told =
            |engine: &EngineState, why: &NotRun| groups.iter().any(|(name, of, _)| *name == engine.name && *of == why);
        let engines: Vec<String> = self
            .run
            .engines
            .iter()
            .filter_map(|engine| {
                let why = engine.not_run.as_ref().filter(|why| !told(engine, why))?;
                Some(format!("{}: {}; {}", engine.name, why.reason, why.how_to_run))
            })
            .collect();
        let records = groups.into_iter().map(|(engine, why, names)| {
            let more = names.len().saturating_sub(NAMES);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let names = names.into_iter().take(NAMES).collect::<Vec<_>>().join(", ");
            format!("{engine} on {names}{more}: {}; {}", why.reason, why.how_to_run)
        });
        engines.into_iter().chain(records).collect()
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
            for words in EXTENTS {
                let of: Vec<_> = records.iter().filter(|record| extent(record) == words).collect();
                if of.is_empty() {
                    continue;
                }
                let as_expected = of.iter().filter(|r| r.as_expected).count();
                let undecided = of.iter().filter(|r| r.verdict == Verdict::Undecided && !r.as_expected).count();
                let seconds: f64 = of.iter().map(|r| r.seconds).sum();
                rows.push(Sum {
                    engine: engine.clone(),
                    extent: words,
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
            headline: self.headline_and_urgent(),
            urgent: self.urgent(),
            base: self.against.as_ref().map(|(name, _)| name.as_str()),
            differences: self.against.as_ref().map_or(&[], |(_, found)| found),
            run: &self.run,
        };
        let mut text = serde_json::to_string_pretty(&document).expect("plain data always serializes");
        text.push('\n');
        text
    }

    /// Tool, commit, engines, machines, command and time in one line.
    pub fn provenance(&self) -> String {
        let tool = &self.run.tool;
        let commit = tool.commit.as_deref().unwrap_or("unknown commit");
        let ran = self.run.engines.iter().filter(|engine| engine.not_run.is_none());
        let engines: Vec<String> =
            ran.map(|e| format!("{} {}", e.name, e.version.as_deref().unwrap_or("(version unknown)"))).collect();
        let made = if self.run.parts.is_empty() {
            format!("{} on {}", self.run.command.join(" "), machine(&self.run.machine))
        } else {
            let mut machines: Vec<String> = self.run.parts.iter().map(|part| machine(&part.machine)).collect();
            machines.sort();
            machines.dedup();
            format!("merged from {} runs on {}", self.run.parts.len(), machines.join(" and "))
        };
        format!(
            "{} {} at {commit}, {}; engines: {}; {made}; started {}, {:.1} s",
            tool.name,
            tool.version,
            tool.compiler,
            engines.join(", "),
            self.run.started,
            self.run.seconds
        )
    }

    /// The command of each run that was merged; empty if there was only one.
    pub(crate) fn parts(&self) -> Vec<String> {
        let line = |part: &Part| {
            format!("{}: {} on {}, {:.1} s", part.file, part.command.join(" "), machine(&part.machine), part.seconds)
        };
        self.run.parts.iter().map(line).collect()
    }
}

fn machine(machine: &Machine) -> String {
    let processor = machine.processor.as_deref().unwrap_or("unknown processor");
    let memory = machine.memory_bytes.map_or(String::new(), |bytes| format!(", {} GiB", bytes >> 30));
    format!("{} ({processor}, {} threads{memory})", machine.platform, machine.cpus)
}

/// How much was looked at, as it is printed: the strongest first.
const EXTENTS: [&str; 6] = ["proved", "all states", "within a bound", "enumerated", "tested", STOPPED];
const STOPPED: &str = "stopped at a limit";

/// A search that was stopped has not looked at all that it was meant to.
fn extent(record: &VariantRecord) -> &'static str {
    if record.limit.is_some() { STOPPED } else { record.extent.words() }
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
        by.sort_unstable();
        by.dedup();
        let by = match (property.witness, by.len()) {
            (true, n) => format!("{n} variants"),
            (false, 0) => "none of these variants".to_string(),
            (false, _) => by.join(", "),
        };
        let (name, says, stated_at) = (property.name.clone(), property.says.clone(), property.stated_at.clone());
        rows.push(PropertyRow { name, witness: property.witness, says, stated_at, by });
    }
    rows
}

/// Broken properties with lengths, what is open, differences that no property tells, or the numbers of
/// claims and witnesses.
pub(crate) fn findings(record: &VariantRecord) -> String {
    if let Some(why) = &record.not_run {
        return why.reason.clone();
    }
    let of = |verdict| record.properties.iter().filter(move |p| p.verdict == verdict);
    let mut parts: Vec<String> = record.broken().into_iter().map(in_steps).collect();
    parts.extend(of(Verdict::Undecided).map(|p| format!("{} undecided", p.name)));
    parts.extend(of(Verdict::Unseen).map(|p| format!("{} unseen", p.name)));
    if parts.is_empty() {
        parts.push(format!("{} properties hold", of(Verdict::Holds).count()));
        parts.push(format!("{} witnesses seen", of(Verdict::Seen).count()));
    }
    if !record.as_expected {
        parts.push(format!("not as expected: {}", record.differences.join("; ")));
    }
    parts.join(", ")
}

pub(crate) fn in_steps(property: &PropertyRecord) -> String {
    property.steps.map_or(property.name.clone(), |steps| format!("{} in {steps} steps", property.name))
}

/// The extent with the size, and every bound and limit.
pub(crate) fn how_much(record: &VariantRecord) -> String {
    if record.verdict == Verdict::NotRun {
        return "nothing".to_string();
    }
    let mut parts = vec![extent(record).to_string()];
    parts.extend(Some(record.size.clone()).filter(|size| !size.is_empty()));
    parts.extend(record.bounds.iter().map(|bound| format!("bound: {bound}")));
    parts.extend(record.limit.iter().cloned());
    parts.join("; ")
}

/// States, transitions, depth, executions: whatever the engine counted.
pub(crate) fn counts(record: &VariantRecord) -> String {
    let counts = record.counts.iter().map(|count| format!("{} {}", count.value, count.name));
    counts.collect::<Vec<_>>().join(", ")
}

/// A time as it is printed.
pub(crate) fn seconds(seconds: f64) -> String {
    format!("{seconds:.2}")
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
    let Some((end, _)) = text.char_indices().nth(max) else { return text.to_string() };
    let length = text.chars().count();
    format!("{}… (cut here, {length} characters in all)", &text[..end])
}

/// Whether a character would be invisible, or would change how its neighbours are shown: control characters,
/// separators of lines, changes of direction, and code points that are no characters.
pub(crate) fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || (u32::from(c) & 0xfffe) == 0xfffe
        || matches!(c, '\u{fdd0}'..='\u{fdef}' | '\u{feff}')
}

/// The text with a space for each unprintable character other than a line feed.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c != '\n' && is_unprintable(c) { ' ' } else { c }).collect()
}
