//! The verdicts as lines for people: a header for each mechanism, a line for each variant, the sum.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use indicatif::HumanCount;
use reports::results::{Run, VariantRecord, Verdict};

use crate::catalogue::CATALOGUE;

const GOOD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const BROKEN: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));
const BAD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red))).bold();
const HEADER: Style = Style::new().bold();

/// Prints records as they come; colours only on a terminal, and not with `NO_COLOR`.
pub struct Printer {
    wanted: bool,
    mechanism: String,
    size: String,
    /// Variants of the mechanism that Stateright was asked about, and on how many it agreed.
    second_opinion: (usize, usize),
}

impl Printer {
    /// A printer; it prints nothing unless text is `wanted`.
    pub fn new(wanted: bool) -> Self {
        Self { wanted, mechanism: String::new(), size: String::new(), second_opinion: (0, 0) }
    }

    /// Prints one record. An agreeing second opinion is counted and told in one line at the mechanism's end.
    pub fn record(&mut self, record: &VariantRecord) -> std::io::Result<()> {
        if !self.wanted {
            return Ok(());
        }
        let mut out = anstream::stdout().lock();
        if self.mechanism != record.mechanism {
            self.end_mechanism(&mut out)?;
            self.begin_mechanism(&mut out, record)?;
        }
        if record.engine == "stateright" {
            self.second_opinion.0 += 1;
            self.second_opinion.1 += usize::from(record.as_expected);
            if record.as_expected {
                return Ok(());
            }
        }
        write_line(&mut out, record, &self.size)?;
        out.flush()
    }

    fn begin_mechanism(&mut self, out: &mut impl Write, record: &VariantRecord) -> std::io::Result<()> {
        self.mechanism.clone_from(&record.mechanism);
        self.size.clone_from(&record.size);
        self.second_opinion = (0, 0);
        let title = CATALOGUE.iter().find(|m| m.name == record.mechanism).map_or("", |m| m.title);
        let (name, size) = (&record.mechanism, &record.size);
        writeln!(out, "{HEADER}{name}{HEADER:#}   {title}   {size}")
    }

    fn end_mechanism(&self, out: &mut impl Write) -> std::io::Result<()> {
        let (asked, agreed) = self.second_opinion;
        if asked > 0 {
            writeln!(out, "{:>26}same verdicts and same numbers of states on {agreed} of {asked}", "stateright   ")?;
        }
        if self.mechanism.is_empty() { Ok(()) } else { writeln!(out) }
    }

    /// Prints the sum and what was not run.
    pub fn summary(&self, run: &Run, left_out: &[String]) -> std::io::Result<()> {
        if !self.wanted {
            return Ok(());
        }
        let mut out = anstream::stdout().lock();
        self.end_mechanism(&mut out)?;
        for record in run.verdicts.iter().filter(|record| !record.as_expected && record.verdict != Verdict::NotRun) {
            let (name, differences) = (record.full_name(), record.differences.join("; "));
            writeln!(out, "  {BAD}not as expected{BAD:#}  {name} ({}): {differences}", record.engine)?;
        }
        if !left_out.is_empty() {
            writeln!(out, "  stopped before its end; not asked: {}", left_out.join(", "))?;
        }
        writeln!(out, "  {}", sum(run))?;
        out.flush()
    }
}

fn write_line(out: &mut impl Write, record: &VariantRecord, header_size: &str) -> std::io::Result<()> {
    let style = match record.verdict {
        _ if !record.as_expected => BAD,
        Verdict::Broken => BROKEN,
        _ => GOOD,
    };
    let (word, engine, variant) = (record.verdict.word(), &record.engine, &record.variant);
    write!(out, "{style}{word:>10}{style:#}  {engine:<10} {variant:<32} {:<48}", findings(record))?;
    write!(out, " {:>10} {:<9}", HumanCount(work(record)).to_string(), unit(record))?;
    write!(out, " {:>6.2} s", record.seconds)?;
    let mut notes = Vec::new();
    let other_size = difference(header_size, &record.size);
    if !other_size.is_empty() {
        notes.push(format!("at {other_size}"));
    }
    if record.is_bounded() {
        notes.push(format!("within a bound: {}", record.bounds.join("; ")));
    }
    if let Some(limit) = &record.limit {
        notes.push(format!("stopped: {limit}"));
    }
    if !record.as_expected {
        notes.push("NOT AS EXPECTED".to_string());
    }
    let notes = notes.join(" · ");
    writeln!(out, "{}{notes}", if notes.is_empty() { "" } else { "  " })
}

/// The values of a size that differ from those in the header.
fn difference(header: &str, size: &str) -> String {
    let known: Vec<&str> = header.split(',').collect();
    size.split(',').filter(|value| !known.contains(value)).collect::<Vec<_>>().join(",")
}

/// The broken properties, that which the catalogue names first in front, or what was checked.
fn findings(record: &VariantRecord) -> String {
    let broken = record.broken();
    match broken.as_slice() {
        [] => {
            let claims = record.properties.iter().filter(|p| p.verdict == Verdict::Holds).count();
            let seen = record.properties.iter().filter(|p| p.verdict == Verdict::Seen).count();
            format!("{claims} properties, {seen} witnesses seen")
        }
        [first, rest @ ..] => {
            let steps = first.steps.map_or(String::new(), |steps| format!(" in {steps} steps"));
            let more = if rest.is_empty() { String::new() } else { format!(", and {} more", rest.len()) };
            format!("{}{steps}{more}", first.name)
        }
    }
}

fn work(record: &VariantRecord) -> u64 {
    record.counts.first().map_or(0, |count| count.value)
}

fn unit(record: &VariantRecord) -> String {
    let all = if record.limit.is_none() && record.bounds.is_empty() { "" } else { "*" };
    record.counts.first().map_or(String::new(), |count| format!("{}{all}", count.name))
}

/// The last line: how many verdicts, how many as expected, what was not run, and the time.
fn sum(run: &Run) -> String {
    let s = &run.summary;
    let bounded = if s.within_a_bound > 0 { format!(" ({} within a bound)", s.within_a_bound) } else { String::new() };
    let mut parts = vec![format!(
        "{} verdicts: {} as expected{bounded}, {} not, {} undecided",
        s.verdicts, s.as_expected, s.not_as_expected, s.undecided
    )];
    if s.not_run > 0 {
        parts.push(format!("{} not run", s.not_run));
    }
    let missing: Vec<String> = run
        .engines
        .iter()
        .filter_map(|engine| engine.not_run.as_ref().map(|why| format!("{} ({})", engine.name, why.reason)))
        .collect();
    if !missing.is_empty() {
        parts.push(format!("not run: {}", missing.join(", ")));
    }
    if run.interrupted {
        parts.push("stopped by Ctrl-C".to_string());
    }
    parts.push(format!("{:.0} s", run.seconds));
    parts.join(" · ")
}
