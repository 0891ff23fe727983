//! `kverdict show`: the shortest counterexample of a variant, or the shortest way to a witness, as a timeline.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use reports::results::Verdict;
use reports::timeline::Timeline;

use crate::catalogue::find_subject;
use crate::check;
use crate::cli::{ShowArgs, ShowFormat};
use crate::failure::{Failure, Status, did_you_mean};
use crate::size::SizeRequest;
use crate::subject::{Search, Subject};

/// Runs the command.
///
/// # Errors
/// Unknown names, nothing to show, an undecided search, or the output could not be written.
pub fn run(args: &ShowArgs, stop: &Arc<AtomicBool>) -> Result<Status, Failure> {
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
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(Status::AsExpected)
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
