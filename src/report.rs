//! `kverdict report`: renders results files, compares them with a base, and keeps the committed baseline.

use std::io::Write;
use std::path::{Path, PathBuf};

use reports::baseline::Baseline;
use reports::merge::merge;
use reports::report::Report;
use reports::results::Run;

use crate::check::{write_together, write_whole};
use crate::cli::ReportArgs;
use crate::failure::{Failure, Status};

/// The committed list of verdicts.
const BASELINE: &str = "reports/baseline.json";

/// Runs the command.
///
/// # Errors
/// A file is missing, damaged or contradicts another, or the output could not be written.
pub fn run(args: &ReportArgs) -> Result<Status, Failure> {
    let whole = read_all(&args.results)?;
    if args.update_baseline {
        let file = args.base.as_deref().unwrap_or(Path::new(BASELINE));
        write_whole(file, Baseline::of(&whole).to_json().as_bytes())?;
        say(&format!("wrote {}", file.display()))?;
        return Ok(Status::AsExpected);
    }
    let base = read_base(args.base.as_deref())?;
    let report = Report::new(whole, base, args.partial);
    std::fs::create_dir_all(&args.out)
        .map_err(|error| Failure::usage(format!("cannot make {}: {error}", args.out.display())))?;
    // Everything is rendered before anything is written: a report is there whole or not at all.
    let link = args.link.as_deref();
    let files = [
        ("report.md", report.to_markdown()),
        ("summary.md", report.to_markdown_within(args.summary_limit, link)),
        ("comment.md", report.to_markdown_within(args.comment_limit, link)),
        ("report.html", report.to_html()),
        ("report.junit.xml", report.to_junit()),
        ("report.sarif", report.to_sarif()),
        ("report.json", report.to_json()),
    ];
    let placed: Vec<(PathBuf, &[u8])> =
        files.iter().map(|(name, text)| (args.out.join(name), text.as_bytes())).collect();
    write_together(&placed)?;
    for line in std::iter::once(report.headline()).chain(report.urgent()) {
        say(&line)?;
    }
    say(&format!("wrote {} files to {}", files.len(), args.out.display()))?;
    Ok(status(&report))
}

fn say(line: &str) -> Result<(), Failure> {
    writeln!(anstream::stdout(), "{line}")?;
    Ok(())
}

fn status(report: &Report) -> Status {
    use reports::difference::Weight;
    let sum = &report.run.summary;
    match () {
        () if sum.not_as_expected > 0 || report.changes(Weight::Loud).next().is_some() => Status::NotAsExpected,
        () if sum.undecided > 0 => Status::Undecided,
        () => Status::AsExpected,
    }
}

fn read_all(files: &[PathBuf]) -> Result<Run, Failure> {
    let runs = files.iter().map(|file| {
        let text = read(file)?;
        let run = Run::from_json(&text).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
        Ok((file.display().to_string(), run))
    });
    merge(runs.collect::<Result<_, Failure>>()?).map_err(Failure::usage)
}

/// The base that was named, which must be there, or the committed one, which may be missing.
fn read_base(named: Option<&Path>) -> Result<Option<(String, Baseline)>, Failure> {
    let file = match named {
        Some(file) => file,
        None if Path::new(BASELINE).exists() => Path::new(BASELINE),
        None => return Ok(None),
    };
    let text = read(file)?;
    let base = Baseline::from_json(&text).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
    Ok(Some((file.display().to_string(), base)))
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| Failure::usage(format!("cannot read {}: {error}", file.display())))
}
