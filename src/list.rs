//! `kverdict list`: mechanisms, variants, what is expected of them, and where they come from.

use std::io::Write;

use models::machine::Parameter;

use crate::catalogue::{CATALOGUE, Mechanism, Selection, VariantInfo, variant_names};
use crate::cli::{Format, ListArgs};
use crate::failure::{Failure, Status};
use subjects::{PropertyInfo, Subject};

/// Runs the command.
///
/// # Errors
/// Unknown names, or the output could not be written.
pub fn run(args: &ListArgs) -> Result<Status, Failure> {
    let selection = Selection::parse(&args.targets, &variant_names())?;
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

fn chosen<'a>(mechanism: &'a Mechanism, selection: &Selection) -> Vec<&'a VariantInfo> {
    mechanism.variants.iter().filter(|v| selection.includes(mechanism.name, v.name)).collect()
}

fn write_mechanism(out: &mut impl Write, mechanism: &Mechanism, selection: &Selection) -> std::io::Result<()> {
    let variants = chosen(mechanism, selection);
    if variants.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}   {}", mechanism.name, mechanism.title)?;
    writeln!(out, "  {}", mechanism.question)?;
    writeln!(out, "  source: {}\n", mechanism.source)?;
    for VariantInfo { name, what, origin, expect, .. } in variants {
        let expected = if expect.broken.is_empty() { "HOLDS" } else { "BROKEN" };
        writeln!(out, "{expected:>10}  {name}")?;
        writeln!(out, "            {what}")?;
        if !expect.broken.is_empty() {
            writeln!(out, "            breaks {}", expect.broken.join(", "))?;
        }
        writeln!(out, "            because: {}", expect.why)?;
        writeln!(out, "            from: {origin}")?;
    }
    writeln!(out)
}

fn as_json(mechanism: &Mechanism, selection: &Selection) -> Option<serde_json::Value> {
    let variants: Vec<_> = chosen(mechanism, selection).into_iter().map(|v| variant_as_json(mechanism, v)).collect();
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

fn variant_as_json(mechanism: &Mechanism, variant: &VariantInfo) -> serde_json::Value {
    let VariantInfo { name, what, origin, compare_with, expect } = variant;
    let machine = mechanism.subjects.iter().find(|subject| subject.name() == *name);
    serde_json::json!({
        "variant": name,
        "what": what,
        "origin": origin,
        "compare_with": compare_with,
        "expected": if expect.broken.is_empty() { "holds" } else { "broken" },
        "expected_broken": expect.broken,
        "expected_unseen": expect.unseen,
        "expected_because": expect.why,
        "machine": machine.map(|subject| machine_as_json(subject.as_ref())),
    })
}

/// What only state machines have: sizes, properties that are the same for all their variants.
fn machine_as_json(subject: &dyn Subject) -> serde_json::Value {
    let property = |p: &PropertyInfo| serde_json::json!({"name": p.name, "witness": p.witness, "says": p.says});
    let parameter = |p: &Parameter| serde_json::json!({"name": p.name, "says": p.says, "min": p.min, "max": p.max});
    serde_json::json!({
        "quick": subject.quick().written(subject.parameters()),
        "deep": subject.deep().written(subject.parameters()),
        "parameters": subject.parameters().iter().map(parameter).collect::<Vec<_>>(),
        "properties": subject.properties().iter().map(property).collect::<Vec<_>>(),
    })
}
