//! `kverdict list`: mechanisms, variants, what is expected of them, and where they come from.

use std::io::Write;

use crate::catalogue::{CATALOGUE, Mechanism, Selection, state_machines};
use crate::cli::{Format, ListArgs};
use crate::failure::{Failure, Status};
use crate::subject::Subject;

/// Runs the command.
///
/// # Errors
/// Unknown names, or the output could not be written.
pub fn run(args: &ListArgs) -> Result<Status, Failure> {
    let selection = Selection::parse(&args.targets, &state_machines())?;
    let mut out = anstream::stdout().lock();
    match args.format {
        Format::Text => {
            for mechanism in CATALOGUE.iter() {
                write_mechanism(&mut out, mechanism, &selection)?;
            }
        }
        Format::Json => {
            let all: Vec<_> = CATALOGUE.iter().filter_map(|m| as_json(m, &selection)).collect();
            let text = serde_json::to_string_pretty(&all).expect("plain data always serializes");
            writeln!(out, "{text}")?;
        }
    }
    out.flush()?;
    Ok(Status::AsExpected)
}

fn chosen<'a>(mechanism: &'a Mechanism, selection: &Selection) -> Vec<&'a dyn Subject> {
    let all = mechanism.subjects.iter().map(Box::as_ref);
    all.filter(|s| selection.includes(mechanism.name, s.name())).collect()
}

fn write_mechanism(out: &mut impl Write, mechanism: &Mechanism, selection: &Selection) -> std::io::Result<()> {
    let subjects = chosen(mechanism, selection);
    if subjects.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}   {}", mechanism.name, mechanism.title)?;
    writeln!(out, "  {}", mechanism.question)?;
    writeln!(out, "  source: {}\n", mechanism.source)?;
    for subject in subjects {
        let expect = subject.expect();
        let expected = if expect.broken.is_empty() { "HOLDS" } else { "BROKEN" };
        writeln!(out, "{expected:>10}  {}", subject.name())?;
        writeln!(out, "            {}", subject.what())?;
        if !expect.broken.is_empty() {
            writeln!(out, "            breaks {}", expect.broken.join(", "))?;
        }
        writeln!(out, "            because {}", expect.why)?;
        writeln!(out, "            from {}", subject.origin())?;
    }
    writeln!(out)
}

fn as_json(mechanism: &Mechanism, selection: &Selection) -> Option<serde_json::Value> {
    let subjects = chosen(mechanism, selection);
    let variants: Vec<_> = subjects.iter().map(|subject| variant_as_json(*subject)).collect();
    (!variants.is_empty()).then(|| {
        serde_json::json!({
            "mechanism": mechanism.name,
            "title": mechanism.title,
            "question": mechanism.question,
            "source": mechanism.source,
            "assumptions": mechanism.assumptions,
            "variants": variants,
        })
    })
}

fn variant_as_json(subject: &dyn Subject) -> serde_json::Value {
    let expect = subject.expect();
    let properties: Vec<_> = subject
        .properties()
        .iter()
        .map(|p| serde_json::json!({"name": p.name, "witness": p.witness, "says": p.says}))
        .collect();
    let parameters: Vec<_> = subject
        .parameters()
        .iter()
        .map(|p| serde_json::json!({"name": p.name, "says": p.says, "min": p.min, "max": p.max}))
        .collect();
    serde_json::json!({
        "variant": subject.name(),
        "what": subject.what(),
        "origin": subject.origin(),
        "compare_with": subject.compare_with(),
        "expected": if expect.broken.is_empty() { "holds" } else { "broken" },
        "expected_broken": expect.broken,
        "expected_unseen": expect.unseen,
        "expected_because": expect.why,
        "quick": subject.quick().written(subject.parameters()),
        "deep": subject.deep().written(subject.parameters()),
        "parameters": parameters,
        "properties": properties,
    })
}
