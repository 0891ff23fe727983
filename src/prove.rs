//! `kverdict prove`: runs and judges the Kani proofs, and the mutations that they must notice.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use gate::{Event, Options, Report, Tool, Workspace};
use reports::results::Run;

use crate::check::{document, write_whole};
use crate::cli::{Format, ProveArgs, ProveEngine};
use crate::failure::{Failure, Status};
use crate::proof_records;

/// Runs the command.
///
/// # Errors
/// Unknown proofs, files that cannot be read, or the output could not be written.
pub fn run(args: &ProveArgs, stop: &Arc<AtomicBool>) -> Result<Status, Failure> {
    let (started, clock) = (SystemTime::now(), Instant::now());
    let workspace = Workspace::at(&project()?);
    let options = Options {
        proofs: args.proofs.clone(),
        mutations: args.mutations,
        engine: match args.engine {
            ProveEngine::Kani => gate::Engine::Kani,
            ProveEngine::Enumerate => gate::Engine::Enumerate,
        },
        timeout: args.timeout,
        sample: args.sample,
        ..Options::default()
    };
    let mut told = |event: Event<'_>| {
        // Progress is not the result: if nobody reads it any more, the work goes on.
        let mut out = anstream::stderr();
        let _ = match event {
            Event::Proof(name, number, of) => writeln!(out, "{number}/{of} {name}"),
            Event::Mutation(result) => writeln!(out, "mutation {}", result.id),
        };
    };
    let stopped = || stop.load(Ordering::Relaxed);
    let report = gate::prove(&workspace, &options, &mut told, &stopped).map_err(Failure::usage)?;
    if let Some(file) = &args.results {
        // Whoever reads only the results would not see what is wrong with the census.
        if let Some(error) = report.errors.first() {
            return Err(Failure::usage(format!("no results were written: {error}")));
        }
        let (engines, records) = (vec![proof_records::engine(&report)], proof_records::records(&report));
        let run = Run { interrupted: stopped(), ..document(started, clock, engines, records) };
        write_whole(file, run.to_json().as_bytes())?;
    }
    let text = match args.format {
        Format::Text => report.to_text(),
        Format::Json => serde_json::to_string_pretty(&report).expect("plain data always serializes") + "\n",
    };
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(status(&report, args, stopped()))
}

fn status(report: &Report, args: &ProveArgs, interrupted: bool) -> Status {
    let kani_required = args.require.contains(&ProveEngine::Kani);
    let kani_missing = matches!(report.kani, Tool::NotRun { .. }) || report.is_incomplete();
    match () {
        () if interrupted => Status::Interrupted,
        () if report.has_failed() => Status::NotAsExpected,
        () if kani_required && kani_missing => Status::Usage,
        () => Status::AsExpected,
    }
}

/// The checkout that the program was built in, or else the folder that it is run in: proofs are source.
fn project() -> Result<PathBuf, Failure> {
    let candidates = [Path::new(env!("CARGO_MANIFEST_DIR")), Path::new(".")];
    let found = candidates.into_iter().find(|folder| folder.join("proofs/census.toml").exists());
    found.map(Path::to_path_buf).ok_or_else(|| {
        Failure::usage("the proofs are not here: run it in a checkout of the project (no proofs/census.toml)")
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::catalogue::CATALOGUE;

    /// The gate knows nothing of mechanisms; what the census says about them is compared with the catalogue here.
    #[test]
    fn proofs_are_about_variants_that_hold_and_twins_about_what_is_broken() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("proofs/census.toml");
        let census = gate::census::Census::read(&file).expect("the census");
        for entry in &census.proofs {
            let module = entry.name.split("::").next().unwrap_or_default().replace('_', "-");
            let mechanism = CATALOGUE.iter().find(|m| m.name == module).expect("a mechanism");
            let variant = mechanism.variants.iter().find(|v| v.name == entry.variant);
            let variant = variant.unwrap_or_else(|| panic!("{}: no variant {}", entry.name, entry.variant));
            let broken = variant.expect.broken;
            assert_eq!(entry.twin, !broken.is_empty(), "{}: {}", entry.name, entry.variant);
            if entry.twin {
                let is_broken = |id: &&String| id.as_str() == "inductive-invariant" || broken.contains(&id.as_str());
                let other: Vec<&String> = entry.properties.iter().filter(|id| !is_broken(id)).collect();
                assert!(other.is_empty(), "{}: {} does not break {other:?}", entry.name, entry.variant);
            }
        }
    }
}
