//! `kverdict show`: the shortest counterexample of a variant, or the shortest way to a witness, as a timeline.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use reports::results::{Counterexample, PropertyRecord, Verdict};
use reports::timeline::Timeline;

use crate::catalogue::find_subject;
use crate::check;
use crate::cli::{ShowArgs, ShowFormat};
use crate::enumeration::Enumeration;
use crate::failure::{Failure, Status, did_you_mean};
use crate::question::Question;
use crate::size::SizeRequest;
use subjects::{Search, Subject};

/// Runs the command.
///
/// # Errors
/// Unknown names, nothing to show, an undecided search, or the output could not be written.
pub fn run(args: &ShowArgs, stop: &Arc<AtomicBool>) -> Result<Status, Failure> {
    if let Some(question) = find_enumeration(&args.target) {
        return show_numbers(&question, args, stop);
    }
    let subject = find_subject(&args.target)?;
    if let Some(property) = &args.property {
        check_property(subject, property)?;
    }
    let request = SizeRequest::parse(args.search.size.as_deref())?;
    request.check_names(std::iter::once(subject))?;
    let size = request.for_subject(subject)?;
    let plan = check::plan(&args.search, stop);
    let search = subject.search(size, &plan).map_err(Failure::usage)?;
    let timeline = choose(subject, &search, args.property.as_deref())?;
    let text = match args.format {
        ShowFormat::Text => timeline.to_text(width()),
        ShowFormat::Mermaid => timeline.to_mermaid(),
        ShowFormat::Svg => timeline.to_svg(),
        ShowFormat::Json => serde_json::to_string_pretty(timeline).expect("plain data always serializes") + "\n",
    };
    print(&text)
}

fn print(text: &str) -> Result<Status, Failure> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(Status::AsExpected)
}

/// The variant of the arithmetic with this name.
fn find_enumeration(target: &str) -> Option<Enumeration> {
    let (mechanism, variant) = target.split_once('/')?;
    let found = models::iova_bitmap::VARIANTS.iter().find(|v| v.name == variant)?;
    (mechanism == models::iova_bitmap::MECHANISM).then_some(Enumeration(found))
}

/// The smallest input that breaks a property of the arithmetic, as named numbers.
fn show_numbers(question: &Enumeration, args: &ShowArgs, stop: &Arc<AtomicBool>) -> Result<Status, Failure> {
    let record = question.ask(&check::plan(&args.search, stop)).map_err(Failure::usage)?;
    let name = record.full_name();
    if let Some(property) = &args.property
        && !record.properties.iter().any(|p| p.name == *property)
    {
        let hint = did_you_mean(property, record.properties.iter().map(|p| p.name.as_str()));
        return Err(Failure::usage(format!("{name} has no such property{hint}")));
    }
    let wanted = |p: &&PropertyRecord| args.property.as_ref().is_none_or(|name| *name == p.name);
    let broken = record.broken().into_iter().find(wanted);
    let Some((property, Some(Counterexample::Numbers(numbers)))) = broken.map(|p| (p, &p.counterexample)) else {
        return Err(Failure::nothing(format!("{name} holds for every input enumerated, no counterexample")));
    };
    match args.format {
        ShowFormat::Text => {
            let mut text = format!("{name}   smallest input that breaks {}\n\n", property.name);
            let width = numbers.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            for (name, value) in numbers {
                text.push_str(&format!("  {name:<width$}  {value}\n"));
            }
            text.push_str(&format!("\n  BROKEN {}: {}\n  {}\n", property.name, property.says, record.what));
            print(&text)
        }
        ShowFormat::Json => {
            print(&(serde_json::to_string_pretty(property).expect("plain data always serializes") + "\n"))
        }
        ShowFormat::Mermaid | ShowFormat::Svg => {
            Err(Failure::usage(format!("{name} is arithmetic: numbers have no timeline; use --format text or json")))
        }
    }
}

/// As wide as the terminal; a fixed width elsewhere, so that output in files is the same everywhere.
fn width() -> usize {
    const ELSEWHERE: usize = 120;
    let terminal = std::io::stdout().is_terminal().then(terminal_size::terminal_size).flatten();
    terminal.map_or(ELSEWHERE, |(width, _)| usize::from(width.0).max(60))
}

fn check_property(subject: &dyn Subject, name: &str) -> Result<(), Failure> {
    let properties = subject.properties();
    if properties.iter().any(|p| p.name == name) {
        return Ok(());
    }
    let hint = did_you_mean(name, properties.iter().map(|p| p.name));
    let names: Vec<&str> = properties.iter().map(|p| p.name).collect();
    let name: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
    let mechanism = subject.mechanism();
    Err(Failure::usage(format!("{mechanism} has no property '{name}'{hint}; it has: {}", names.join(", "))))
}

/// The timeline of the property that was named, or the shortest counterexample of the property that the catalogue names first.
fn choose<'a>(subject: &dyn Subject, search: &'a Search, property: Option<&str>) -> Result<&'a Timeline, Failure> {
    let full_name = format!("{}/{}", subject.mechanism(), subject.name());
    let properties = subject.properties();
    let answers = || properties.iter().zip(&search.answers);
    if let Some(name) = property {
        let (_, answer) = answers().find(|(p, _)| p.name == name).expect("the name was looked up");
        return answer.timeline.as_ref().ok_or_else(|| match (answer.verdict, &search.limit) {
            (Verdict::Undecided, Some(limit)) => undecided(&full_name, name, limit),
            _ => Failure::nothing(format!("{full_name}: {name} is {}, nothing to show", answer.verdict.word())),
        });
    }
    let broken = answers().filter(|(_, answer)| answer.verdict == Verdict::Broken);
    let headline = subject.expect().broken.first();
    let telling = broken
        .filter_map(|(p, answer)| Some((p.name, answer.timeline.as_ref()?)))
        .min_by_key(|(name, timeline)| (Some(name) != headline, timeline.steps.len()))
        .map(|(_, timeline)| timeline);
    telling.ok_or_else(|| match &search.limit {
        Some(limit) => undecided(&full_name, "every property", limit),
        None => {
            let witnesses: Vec<&str> = properties.iter().filter(|p| p.witness).map(|p| p.name).collect();
            let list = witnesses.join(", ");
            Failure::nothing(format!(
                "{full_name} holds at this size, no counterexample; name a witness to see: {list}"
            ))
        }
    })
}

fn undecided(full_name: &str, what: &str, limit: &str) -> Failure {
    Failure { message: format!("{full_name}: {what} is UNDECIDED: {limit}"), status: Status::Undecided }
}
