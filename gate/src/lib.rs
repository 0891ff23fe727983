//! Runs the Kani proofs and judges what Kani said.
//!
//! An exit status proves nothing: Kani ends with 0 when every assertion is unreachable, when no cover can be satisfied, when a name
//! selects no proof. So this crate reads what was printed and compares it with a committed list:
//!
//! - [`source`] finds the proofs in the sources, with what they assume, assert and cover;
//! - [`census`] compares them with `proofs/census.toml`;
//! - [`kani`] runs them one at a time, [`output`] and [`export`] read what came out, and [`judge`] decides;
//! - [`mutations`] breaks the code on purpose, in a copy, and expects the named proof or test to notice.
//!
//! Only the running needs Kani. [`prove`] does all of it for the command line.

pub mod census;
pub mod export;
pub mod judge;
pub mod kani;
pub mod libtest;
pub mod mutations;
pub mod output;
pub mod process;
mod render;
pub mod source;

use census::{Census, Entry};
use judge::{Reason, ReasonKind};
use kani::{Kani, SearchPath};
use mutations::{Mutation, MutationResult, Mutations, Outcome};
use serde::Serialize;
use source::{Assumption, SourceProof, Sources};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{fmt, io};

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// Folder of the workspace.
    pub root: PathBuf,
    /// Package of the proofs.
    pub package: String,
    /// Its sources, from the root on.
    pub sources: PathBuf,
    /// Further sources that may make values for Kani.
    pub also: Vec<PathBuf>,
    /// The census.
    pub census: PathBuf,
    /// The mutations.
    pub mutations: PathBuf,
    /// Folder for the copy that is mutated, and its build.
    pub scratch: PathBuf,
}

impl Workspace {
    /// The places that this project uses.
    pub fn at(root: &Path) -> Workspace {
        Workspace {
            root: root.to_path_buf(),
            package: "kverdict-proofs".to_string(),
            sources: PathBuf::from("proofs/src"),
            also: vec![PathBuf::from("models/src")],
            census: root.join("proofs/census.toml"),
            mutations: root.join("proofs/mutations.toml"),
            scratch: root.join("target/kverdict-mutations"),
        }
    }

    /// Reads the proofs out of the sources.
    pub fn read_sources(&self) -> Sources {
        source::read(&self.root, &self.sources, &self.also)
    }

    /// Writes the census anew, in its fixed order, and keeps what people wrote into it. `true`: it changed.
    pub fn update_census(&self) -> Result<bool, Error> {
        let old = Census::read(&self.census).map_err(Error::Broken)?;
        let text = old.updated(&self.read_sources()).to_text();
        let changed = std::fs::read_to_string(&self.census).ok().as_ref() != Some(&text);
        if changed {
            std::fs::write(&self.census, text)
                .map_err(|error| Error::Broken(format!("{}: {error}", self.census.display())))?;
        }
        Ok(changed)
    }
}

/// What runs the proofs or catches the mutations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// Kani.
    #[default]
    Kani,
    /// The tests that run everywhere: the proofs as tests, the enumeration and the random tests.
    Enumerate,
}

/// What to do.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Full names of proofs; none: all.
    pub proofs: Vec<String>,
    /// Also try the mutations.
    pub mutations: bool,
    /// With what.
    pub engine: Engine,
    /// Seconds a proof may take, instead of what the census says.
    pub timeout: Option<u64>,
    /// At most so many mutations, evenly spread over the list.
    pub sample: Option<usize>,
    /// Where to look for `cargo` and `cargo-kani`.
    pub path: SearchPath,
}

/// Why nothing could be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// No proof has this name.
    UnknownProof {
        /// The name.
        name: String,
        /// Names that are close.
        close: Vec<String>,
    },
    /// A file that cannot be read, or a command that cannot be started.
    Broken(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::UnknownProof { name, close } if close.is_empty() => write!(f, "there is no proof `{name}`"),
            Error::UnknownProof { name, close } => {
                write!(f, "there is no proof `{name}`; close to it: {}", close.join(", "))
            }
            Error::Broken(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::Broken(error.to_string())
    }
}

/// What is known about one proof after a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// Kani proved it, and everything in the census holds.
    Proved,
    /// Not.
    NotProved {
        /// Why.
        reasons: Vec<Reason>,
    },
    /// Run as a test on some values, and nothing failed. That is no proof.
    Tested {
        /// How many drawn inputs satisfied all assumptions, as the test says itself.
        inputs: Option<u64>,
    },
    /// It did not run.
    NotRun {
        /// Why.
        reason: String,
    },
}

/// One proof and its verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProofResult {
    /// Full name.
    pub name: String,
    /// What it says, in words.
    pub says: String,
    /// File and line at which it stands.
    pub stated_at: String,
    /// The mechanism.
    pub mechanism: String,
    /// The properties that it is about; the first one is what it proves, or shows to be broken.
    pub properties: Vec<String>,
    /// The variant that it is about.
    pub variant: String,
    /// Whether it shows that the variant is broken.
    pub twin: bool,
    /// Verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Seconds in the solver, or in the test; none where it did not run.
    pub seconds: Option<f64>,
    /// Number of assertions in its source.
    pub asserts: usize,
    /// Number of checks.
    pub checks: Option<usize>,
    /// How many of them nothing leads to, such as those in arms for other variants.
    pub unreachable: Option<usize>,
    /// Covers: text, and whether an input reaches it.
    pub covers: Vec<Cover>,
    /// Everything that it assumes.
    pub assumptions: Vec<Assumption>,
    /// The solver, as CBMC names it.
    pub solver: Option<String>,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// The command that repeats it.
    pub command: String,
}

/// A cover and whether it is satisfied; none where it was not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cover {
    /// Text.
    pub text: String,
    /// Whether an input reaches it.
    pub satisfied: Option<bool>,
}

/// The Kani that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Tool {
    /// It is there.
    Found {
        /// Version.
        version: String,
        /// Whether it exports its results, so that the text could be compared with them.
        exports: bool,
    },
    /// It is not.
    NotRun {
        /// Why.
        reason: String,
        /// How to install it.
        install: String,
    },
    /// It was not asked for.
    NotAsked,
}

/// The `schema` of a report.
pub const SCHEMA: &str = "kverdict-proofs";
/// The `version` of a report; `docs/proofs.md` describes it.
pub const VERSION: u32 = 1;

/// Everything that one run found out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// Always [`VERSION`]. A change that an older reader would misread raises it.
    pub version: u32,
    /// Engine.
    pub engine: Engine,
    /// The tool.
    pub kani: Tool,
    /// What is wrong with the census, the sources or the list of mutations.
    pub errors: Vec<String>,
    /// The proofs, in the order of their names.
    pub proofs: Vec<ProofResult>,
    /// The mutations, in the order of their list.
    pub mutations: Vec<MutationResult>,
    /// How many mutations there are, tried or not.
    pub mutations_listed: usize,
}

/// The numbers of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// Proved.
    pub proved: usize,
    /// Not proved.
    pub not_proved: usize,
    /// Passed as tests.
    pub tested: usize,
    /// Not run.
    pub not_run: usize,
    /// Mutations that were caught.
    pub caught: usize,
    /// Mutations that were not: survived, or did not build.
    pub missed: usize,
    /// Mutations that only Kani can catch, or that were not tried.
    pub not_tried: usize,
}

impl Report {
    /// The numbers.
    pub fn sum(&self) -> Sum {
        let mut sum = Sum::default();
        for proof in &self.proofs {
            *match proof.verdict {
                Verdict::Proved => &mut sum.proved,
                Verdict::NotProved { .. } => &mut sum.not_proved,
                Verdict::Tested { .. } => &mut sum.tested,
                Verdict::NotRun { .. } => &mut sum.not_run,
            } += 1;
        }
        for mutation in &self.mutations {
            *match mutation.outcome {
                Outcome::Caught { .. } => &mut sum.caught,
                Outcome::Survived { .. } | Outcome::Spoiled { .. } => &mut sum.missed,
                Outcome::OnlyKani { .. } | Outcome::NotRun { .. } => &mut sum.not_tried,
            } += 1;
        }
        sum
    }

    /// Whether anything is not as it should be. What did not run is not: whoever needs it says so by `--require`.
    pub fn has_failed(&self) -> bool {
        let sum = self.sum();
        !self.errors.is_empty() || sum.not_proved > 0 || sum.missed > 0
    }

    /// Whether something that was asked for did not run.
    pub fn is_incomplete(&self) -> bool {
        let not_run = |mutation: &MutationResult| matches!(mutation.outcome, Outcome::NotRun { .. });
        self.sum().not_run > 0 || self.mutations.iter().any(not_run)
    }

    /// The report as lines of text.
    pub fn to_text(&self) -> String {
        render::text(self)
    }
}

/// Something happened that a person at a terminal may want to see.
#[derive(Clone, Copy, Debug)]
pub enum Event<'e> {
    /// A proof starts: name, which one, of how many.
    Proof(&'e str, usize, usize),
    /// A mutation was tried.
    Mutation(&'e MutationResult),
}

/// Does what the options say. `stop` is asked often; once it says `true`, what remains is not run.
pub fn prove(
    workspace: &Workspace,
    options: &Options,
    event: &mut dyn FnMut(Event<'_>),
    stop: &dyn Fn() -> bool,
) -> Result<Report, Error> {
    let sources = workspace.read_sources();
    let census = Census::read(&workspace.census).map_err(Error::Broken)?;
    let mutations = Mutations::read(&workspace.mutations).map_err(Error::Broken)?;
    let mut errors = census.compare(&sources);
    errors.extend(mutations.problems(workspace, &census, &sources));
    let selected = select(&sources, &options.proofs)?;
    let kani = match options.engine {
        Engine::Kani => Some(Kani::find(&options.path, stop)),
        Engine::Enumerate => None,
    };
    let proofs = match &kani {
        Some(Ok(kani)) => with_kani(workspace, options, &census, &selected, kani, event, stop)?,
        Some(Err(reason)) => selected.iter().map(|proof| not_run(workspace, &census, proof, reason)).collect(),
        None => as_tests(workspace, &census, &selected, stop)?,
    };
    let list = chosen(&mutations, &selected, options);
    let tried = if options.mutations {
        try_mutations(workspace, &list, &census, &sources, kani.as_ref(), event, stop)?
    } else {
        Vec::new()
    };
    let kani = match kani {
        Some(Ok(kani)) => Tool::Found { version: kani.version.to_string(), exports: kani.exports },
        Some(Err(reason)) => Tool::NotRun { reason, install: kani::INSTALL.to_string() },
        None => Tool::NotAsked,
    };
    Ok(Report {
        schema: SCHEMA,
        version: VERSION,
        engine: options.engine,
        kani,
        errors,
        proofs,
        mutations: tried,
        mutations_listed: mutations.list.len(),
    })
}

fn select<'s>(sources: &'s Sources, names: &[String]) -> Result<Vec<&'s SourceProof>, Error> {
    if names.is_empty() {
        return Ok(sources.proofs.iter().collect());
    }
    for name in names {
        if !sources.proofs.iter().any(|proof| proof.name == *name) {
            let last = |name: &str| name.rsplit("::").next().unwrap_or_default().to_string();
            let mut close: Vec<(usize, String)> = sources
                .proofs
                .iter()
                .map(|proof| (strsim::levenshtein(&last(&proof.name), &last(name)), proof.name.clone()))
                .filter(|(distance, known)| *distance <= 3 || known.contains(name.as_str()))
                .collect();
            close.sort();
            let close = close.into_iter().map(|(_, name)| name).take(5).collect();
            return Err(Error::UnknownProof { name: name.clone(), close });
        }
    }
    Ok(sources.proofs.iter().filter(|proof| names.contains(&proof.name)).collect())
}

/// The mutations of the selected proofs, or a fixed sample of them.
fn chosen<'m>(mutations: &'m Mutations, selected: &[&SourceProof], options: &Options) -> Vec<&'m Mutation> {
    let aims =
        |mutation: &&Mutation| options.proofs.is_empty() || selected.iter().any(|proof| proof.name == mutation.proof);
    let all: Vec<&Mutation> = mutations.list.iter().filter(aims).collect();
    match options.sample {
        Some(count) if count < all.len() => (0..count).map(|index| all[index * all.len() / count]).collect(),
        _ => all,
    }
}

fn entry_of(census: &Census, proof: &SourceProof) -> Entry {
    census.get(&proof.name).cloned().unwrap_or_else(|| Entry { name: proof.name.clone(), ..Entry::default() })
}

fn blank(workspace: &Workspace, entry: &Entry, proof: &SourceProof, verdict: Verdict) -> ProofResult {
    ProofResult {
        name: proof.name.clone(),
        says: proof.says(),
        stated_at: format!("{}:{}", proof.file, proof.line),
        mechanism: proof.mechanism(),
        properties: proof.properties(),
        variant: entry.variant.clone(),
        twin: proof.twin_of().is_some(),
        verdict,
        seconds: None,
        asserts: proof.asserts.len(),
        checks: None,
        unreachable: None,
        covers: proof.covers.iter().map(|cover| Cover { text: cover.text.clone(), satisfied: None }).collect(),
        assumptions: proof.assumptions.clone(),
        solver: None,
        notes: Vec::new(),
        command: format!("cargo kani --package {} --harness {} --exact", workspace.package, proof.name),
    }
}

fn not_run(workspace: &Workspace, census: &Census, proof: &SourceProof, reason: &str) -> ProofResult {
    blank(workspace, &entry_of(census, proof), proof, Verdict::NotRun { reason: reason.to_string() })
}

fn with_kani(
    workspace: &Workspace,
    options: &Options,
    census: &Census,
    selected: &[&SourceProof],
    kani: &Kani,
    event: &mut dyn FnMut(Event<'_>),
    stop: &dyn Fn() -> bool,
) -> Result<Vec<ProofResult>, Error> {
    let mut results = Vec::new();
    for (index, proof) in selected.iter().enumerate() {
        event(Event::Proof(&proof.name, index + 1, selected.len()));
        let entry = entry_of(census, proof);
        let timeout = options.timeout.unwrap_or_else(|| entry.timeout());
        let run =
            if stop() { None } else { kani.run(&workspace.root, &workspace.package, proof, timeout, None, stop)? };
        let Some(run) = run else {
            results.push(not_run(workspace, census, proof, "stopped"));
            continue;
        };
        results.push(judged(workspace, census, &entry, proof, &run, timeout, kani));
    }
    Ok(results)
}

fn judged(
    workspace: &Workspace,
    census: &Census,
    entry: &Entry,
    proof: &SourceProof,
    run: &judge::Run,
    timeout: u64,
    kani: &Kani,
) -> ProofResult {
    let mut judgement = judge::judge(entry, proof, run, Some(kani.version));
    let mut reason = |kind: ReasonKind, text: String| judgement.reasons.push(Reason { kind, text });
    if census.get(&proof.name).is_none() {
        reason(ReasonKind::WrongProof, "it is not in the census".to_string());
    }
    if let Some(seconds) =
        judgement.seen.as_ref().and_then(|seen| seen.seconds).filter(|seconds| *seconds > timeout as f64)
    {
        reason(ReasonKind::TimedOut, format!("it took {seconds:.0} s of {timeout} s"));
    }
    let verdict =
        if judgement.is_proved() { Verdict::Proved } else { Verdict::NotProved { reasons: judgement.reasons } };
    let mut result = blank(workspace, entry, proof, verdict);
    if let Some(seen) = judgement.seen {
        result.seconds = seen.seconds;
        result.checks = Some(seen.checks.iter().filter(|check| !check.is_cover()).count());
        let unreachable = |check: &&output::Check| !check.is_cover() && check.status == output::Status::Unreachable;
        result.unreachable = Some(seen.checks.iter().filter(unreachable).count());
        let covers = seen.checks.iter().filter(|check| check.is_cover());
        result.covers = covers
            .map(|check| Cover {
                text: check.description.clone(),
                satisfied: Some(check.status == output::Status::Satisfied),
            })
            .collect();
        result.solver = seen.solver;
    }
    result.notes = judgement.notes;
    result
}

/// Runs the proofs as tests, with the stand-in for Kani.
fn as_tests(
    workspace: &Workspace,
    census: &Census,
    selected: &[&SourceProof],
    stop: &dyn Fn() -> bool,
) -> Result<Vec<ProofResult>, Error> {
    let mut command = Command::new("cargo");
    command.current_dir(&workspace.root).args(["test", "--no-fail-fast", "--package", &workspace.package, "--lib"]);
    command.args(["--", "--show-output", "--exact"]).args(selected.iter().map(|proof| &proof.name));
    command.env("CARGO_TERM_COLOR", "never");
    let finished = process::run(&mut command, Duration::from_secs(1200), stop)?;
    let tests = match &finished {
        None => Err("stopped".to_string()),
        Some(finished) => libtest::parse(&finished.stdout).map_err(|what| {
            let error = finished.stderr.lines().find(|line| line.starts_with("error")).unwrap_or_default();
            format!("{what} {error}").trim_end().to_string()
        }),
    };
    let result = |proof: &&SourceProof| {
        let verdict = match &tests {
            Err(reason) => Verdict::NotRun { reason: reason.clone() },
            Ok(tests) => match tests.verdict(&proof.name) {
                Some(libtest::Verdict::Passed) => Verdict::Tested { inputs: inputs(tests.printed(&proof.name)) },
                Some(libtest::Verdict::Failed) => {
                    let text = tests.printed(&proof.name).trim().to_string();
                    Verdict::NotProved { reasons: vec![Reason { kind: ReasonKind::Failed, text }] }
                }
                Some(libtest::Verdict::Ignored) => Verdict::NotRun { reason: "it is ignored as a test".to_string() },
                None => Verdict::NotRun { reason: "no test has its name".to_string() },
            },
        };
        let mut result = blank(workspace, &entry_of(census, proof), proof, verdict);
        result.command = format!("cargo test --package {} --lib -- --exact {}", workspace.package, proof.name);
        result
    };
    Ok(selected.iter().map(result).collect())
}

/// The number that the stand-in for Kani prints: `proofs::x: 10000 of 12345 draws survived`.
fn inputs(printed: &str) -> Option<u64> {
    let line = printed.lines().find(|line| line.ends_with(" draws survived"))?;
    line.rsplit_once(": ")?.1.split(' ').next()?.parse().ok()
}

fn try_mutations(
    workspace: &Workspace,
    list: &[&Mutation],
    census: &Census,
    sources: &Sources,
    kani: Option<&Result<Kani, String>>,
    event: &mut dyn FnMut(Event<'_>),
    stop: &dyn Fn() -> bool,
) -> Result<Vec<MutationResult>, Error> {
    let engine = match kani {
        None => mutations::Engine::Tests,
        Some(Ok(kani)) => mutations::Engine::Kani(kani),
        Some(Err(reason)) => {
            return Ok(list.iter().map(|mutation| mutation.not_run(&workspace.root, reason)).collect());
        }
    };
    let mut done = |result: &MutationResult| event(Event::Mutation(result));
    Ok(mutations::run(workspace, list, census, sources, &engine, &mut done, stop)?)
}
