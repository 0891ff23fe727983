//! Known-bad changes that each proof must notice.
//!
//! `proofs/mutations.toml` lists them. They are applied to a copy of the workspace, one at a time, and never in place. With Kani, the
//! named proof must fail in the named assertion. Without it, a named test must fail there. A build that fails, a crash, a time limit
//! or another failure is not a catch.

use crate::census::Census;
use crate::judge::{self, End, Judgement};
use crate::kani::Kani;
use crate::libtest::{self, Tests, Verdict};
use crate::output::{Ending, Status};
use crate::source::{SourceProof, Sources, normal};
use crate::{Workspace, process};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Seconds that the tests may take, with their build.
const TEST_LIMIT: Duration = Duration::from_secs(300);

/// The file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutations {
    /// The changes.
    #[serde(default, rename = "mutation")]
    pub list: Vec<Mutation>,
}

/// One change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutation {
    /// Name.
    pub id: String,
    /// File, from the workspace on.
    pub file: String,
    /// Text that occurs exactly once in it.
    pub find: String,
    /// What takes its place.
    pub replace: String,
    /// The proof that must fail.
    pub proof: String,
    /// The assertion in which it must fail.
    pub fails: String,
    /// Why only Kani can catch it.
    #[serde(default)]
    pub only_kani: Option<String>,
    /// The test that catches it without Kani, where that is not the proof itself, run as a test.
    #[serde(default)]
    pub test: Option<String>,
    /// The package of this test.
    #[serde(default)]
    pub package: Option<String>,
    /// The integration test that contains it, where it is not in the library.
    #[serde(default)]
    pub target: Option<String>,
}

/// What became of a mutation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// Noticed, by this proof or test, in the assertion that was named.
    Caught {
        /// Proof or test.
        by: String,
    },
    /// Not noticed.
    Survived {
        /// What happened instead.
        what: String,
    },
    /// Neither: it did not build, crashed, or ran out of time. Counts like a survivor.
    Spoiled {
        /// What happened.
        what: String,
    },
    /// Only Kani can catch it.
    OnlyKani {
        /// Why.
        reason: String,
    },
    /// Not tried.
    NotRun {
        /// Why.
        reason: String,
    },
}

/// A mutation and its outcome.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MutationResult {
    /// Name.
    pub id: String,
    /// File that was changed.
    pub file: String,
    /// Line of the change.
    pub line: usize,
    /// The proof that it is for.
    pub proof: String,
    /// The assertion.
    pub fails: String,
    /// Outcome.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Seconds.
    pub seconds: f64,
}

impl Mutations {
    /// Reads the file. One that is not there lists nothing.
    pub fn read(path: &Path) -> Result<Mutations, String> {
        match fs::read_to_string(path) {
            Ok(text) => Mutations::parse(&text).map_err(|error| format!("{}: {error}", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Mutations::default()),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    /// Reads its text.
    pub fn parse(text: &str) -> Result<Mutations, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// Everything that is wrong with the list. Needs no Kani.
    pub fn problems(&self, workspace: &Workspace, census: &Census, sources: &Sources) -> Vec<String> {
        let mut problems = Vec::new();
        let mut ids: BTreeSet<&str> = BTreeSet::new();
        for mutation in &self.list {
            let id = &mutation.id;
            if !ids.insert(id) {
                problems.push(format!("{id}: two mutations have this name"));
            }
            if let Err(problem) = mutation.apply(&workspace.root) {
                problems.push(format!("{id}: {problem}"));
            }
            let entry = census.get(&mutation.proof);
            let proof = sources.proofs.iter().find(|proof| proof.name == mutation.proof);
            let (Some(_), Some(proof)) = (entry, proof) else {
                problems.push(format!("{id}: there is no proof {}", mutation.proof));
                continue;
            };
            if !mutation.names_an_assertion(proof) {
                problems.push(format!("{id}: {} has no assertion `{}`", mutation.proof, mutation.fails));
            }
            if mutation.only_kani.is_some() && mutation.test.is_some() {
                problems.push(format!("{id}: a test, and a reason why no test can catch it"));
            }
        }
        let aimed: BTreeSet<&str> = self.list.iter().map(|mutation| mutation.proof.as_str()).collect();
        for entry in census.proofs.iter().filter(|entry| !aimed.contains(entry.name.as_str())) {
            problems.push(format!("{}: no mutation must make it fail", entry.name));
        }
        problems
    }
}

impl Mutation {
    /// The text of the file with the change, and the line of the change.
    pub fn apply(&self, root: &Path) -> Result<(String, usize), String> {
        let path = Path::new(&self.file);
        let stays_inside = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if !stays_inside {
            return Err(format!("{} is not a file of the workspace", self.file));
        }
        let text = fs::read_to_string(root.join(path)).map_err(|error| format!("{}: {error}", self.file))?;
        let times = text.matches(&self.find).count();
        if self.find.is_empty() || times != 1 {
            return Err(format!("`{}` stands {times} times in {}", self.find, self.file));
        }
        if self.find == self.replace {
            return Err("it changes nothing".to_string());
        }
        let line = text.split(&self.find).next().map_or(0, |before| before.matches('\n').count() + 1);
        Ok((text.replacen(&self.find, &self.replace, 1), line))
    }

    fn names_an_assertion(&self, proof: &SourceProof) -> bool {
        // Overflow and index checks are the compiler's, so no source states them.
        let is_the_compilers = self.fails.starts_with("attempt to ") || self.fails.starts_with("index out of bounds");
        is_the_compilers || proof.asserts.iter().any(|stated| normal(&stated.text) == normal(&self.fails))
    }

    /// The result where nothing was tried.
    pub fn not_run(&self, root: &Path, reason: &str) -> MutationResult {
        let line = self.apply(root).map_or(0, |(_, line)| line);
        self.result(line, Outcome::NotRun { reason: reason.to_string() }, 0.0)
    }

    fn result(&self, line: usize, outcome: Outcome, seconds: f64) -> MutationResult {
        MutationResult {
            id: self.id.clone(),
            file: self.file.clone(),
            line,
            proof: self.proof.clone(),
            fails: self.fails.clone(),
            outcome,
            seconds,
        }
    }
}

/// What tries the mutations.
pub enum Engine<'k> {
    /// The named proof, under Kani.
    Kani(&'k Kani),
    /// The named test, here.
    Tests,
}

/// A copy of the workspace that may be changed.
struct Copy {
    root: PathBuf,
    target: PathBuf,
    /// Held while the copy is in use.
    _lock: File,
}

impl Copy {
    fn make(workspace: &Workspace) -> io::Result<Copy> {
        let folder = &workspace.scratch;
        fs::create_dir_all(folder)?;
        let lock = File::create(folder.join("lock"))?;
        lock.lock()?;
        let copy = Copy { root: folder.join("workspace"), target: folder.join("target"), _lock: lock };
        fs::create_dir_all(&copy.root)?;
        mirror(&workspace.root, &copy.root)?;
        Ok(copy)
    }
}

/// Makes one folder like another. Files that are the same are left alone, so that cargo does not build them again.
fn mirror(from: &Path, to: &Path) -> io::Result<()> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        let hidden = name.to_string_lossy().starts_with('.') && name != ".cargo";
        if hidden || name == "target" {
            continue;
        }
        let target = to.join(&name);
        if kind.is_dir() {
            fs::create_dir_all(&target)?;
            mirror(&entry.path(), &target)?;
        } else if kind.is_file() {
            let text = fs::read(entry.path())?;
            if fs::read(&target).ok().as_ref() != Some(&text) {
                fs::write(&target, text)?;
            }
        }
        names.insert(name);
    }
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if !names.contains(&entry.file_name()) {
            if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
        }
    }
    Ok(())
}

/// Tries mutations, one after another, in a copy of the workspace. `done` hears of each.
pub fn run(
    workspace: &Workspace,
    list: &[&Mutation],
    census: &Census,
    sources: &Sources,
    engine: &Engine<'_>,
    done: &mut dyn FnMut(&MutationResult),
    stop: &dyn Fn() -> bool,
) -> io::Result<Vec<MutationResult>> {
    let copy = Copy::make(workspace)?;
    let baseline = match engine {
        Engine::Tests => baseline(workspace, &copy, list, stop)?,
        Engine::Kani(_) => Ok(Vec::new()),
    };
    let mut results = Vec::new();
    for mutation in list {
        let start = std::time::Instant::now();
        let (line, outcome) = match mutation.apply(&workspace.root) {
            Err(problem) => (0, Outcome::Spoiled { what: problem }),
            Ok((text, line)) => {
                let path = copy.root.join(&mutation.file);
                fs::write(&path, text)?;
                let outcome = match (engine, &baseline) {
                    _ if stop() => Outcome::NotRun { reason: "stopped".to_string() },
                    (Engine::Kani(kani), _) => with_kani(workspace, &copy, mutation, census, sources, kani, stop)?,
                    (Engine::Tests, Err(reason)) => Outcome::Spoiled { what: reason.clone() },
                    (Engine::Tests, Ok(passed)) => with_test(workspace, &copy, mutation, sources, passed, stop)?,
                };
                fs::copy(workspace.root.join(&mutation.file), &path)?;
                (line, outcome)
            }
        };
        let result = mutation.result(line, outcome, start.elapsed().as_secs_f64());
        done(&result);
        results.push(result);
    }
    Ok(results)
}

fn with_kani(
    workspace: &Workspace,
    copy: &Copy,
    mutation: &Mutation,
    census: &Census,
    sources: &Sources,
    kani: &Kani,
    stop: &dyn Fn() -> bool,
) -> io::Result<Outcome> {
    let entry = census.get(&mutation.proof);
    let proof = sources.proofs.iter().find(|proof| proof.name == mutation.proof);
    let (Some(entry), Some(proof)) = (entry, proof) else {
        return Ok(Outcome::Spoiled { what: format!("there is no proof {}", mutation.proof) });
    };
    let target = copy.target.join("kani");
    match kani.run(&copy.root, &workspace.package, proof, entry.timeout(), Some(&target), stop)? {
        None => Ok(Outcome::NotRun { reason: "stopped".to_string() }),
        Some(run) => Ok(caught_by_kani(mutation, &run)),
    }
}

/// Whether a run of the mutated code failed as it should.
pub fn caught_by_kani(mutation: &Mutation, run: &judge::Run) -> Outcome {
    let mut judgement = Judgement::default();
    let spoiled = |what: &str| Outcome::Spoiled { what: what.to_string() };
    let Some(output) = judge::readable(run, &mut judgement) else {
        return spoiled(judgement.reasons.first().map_or("no output", |reason| &reason.text));
    };
    let seen = match &output.proofs[..] {
        [seen] if seen.name == mutation.proof => seen,
        _ => return spoiled("another proof ran"),
    };
    if let Ending::NoResults { text } = &seen.ending {
        return spoiled(text);
    }
    let failed: Vec<&crate::output::Check> =
        seen.checks.iter().filter(|check| check.status == Status::Failure).collect();
    if let Some(check) = failed.iter().find(|check| judge::is_unwinding(check)) {
        return spoiled(&format!("an unwinding bound is too small: {}", check.description));
    }
    let named = failed.iter().any(|check| normal(&check.description) == normal(&mutation.fails));
    let status = if matches!(seen.ending, Ending::Failed { .. }) { 1 } else { 0 };
    if run.end != End::Exited(status) {
        return spoiled(&format!("the run ended with {:?}, which does not fit its text", run.end));
    }
    if named {
        return Outcome::Caught { by: seen.name.clone() };
    }
    let others: Vec<&str> = failed.iter().map(|check| check.description.as_str()).collect();
    let what = if others.is_empty() {
        "nothing fails".to_string()
    } else {
        format!("it fails elsewhere: {}", others.join("; "))
    };
    Outcome::Survived { what }
}

/// A test: package, integration test if it is in one, name.
type Test = (String, Option<String>, String);

fn test_of(workspace: &Workspace, mutation: &Mutation) -> Test {
    let package = mutation.package.clone().unwrap_or_else(|| workspace.package.clone());
    let test = mutation.test.clone().unwrap_or_else(|| mutation.proof.clone());
    (package, mutation.target.clone(), test)
}

fn cargo_test(copy: &Copy, package: &str, target: Option<&str>, tests: &[String]) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(&copy.root).args(["test", "--no-fail-fast", "--package", package]);
    match target {
        Some(target) => command.args(["--test", target]),
        None => command.arg("--lib"),
    };
    command.args(["--", "--exact"]).args(tests);
    command
        .env("CARGO_TARGET_DIR", copy.target.join("test"))
        // The enumeration is slow without it. Overflow is checked all the same.
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
        .env("CARGO_TERM_COLOR", "never")
        .env("RUST_BACKTRACE", "0");
    command.env_remove("KVERDICT_UPDATE");
    command
}

/// The tests must pass without a mutation, else their failure says nothing. The inner error is a reason, the outer one an accident.
fn baseline(
    workspace: &Workspace,
    copy: &Copy,
    list: &[&Mutation],
    stop: &dyn Fn() -> bool,
) -> io::Result<Result<Vec<Test>, String>> {
    let tested = list.iter().filter(|mutation| mutation.only_kani.is_none());
    let mut binaries: BTreeMap<(String, Option<String>), Vec<String>> = BTreeMap::new();
    for (package, target, test) in tested.map(|mutation| test_of(workspace, mutation)) {
        let tests = binaries.entry((package, target)).or_default();
        if !tests.contains(&test) {
            tests.push(test);
        }
    }
    let mut passed = Vec::new();
    for ((package, target), names) in binaries {
        let mut command = cargo_test(copy, &package, target.as_deref(), &names);
        let Some(finished) = process::run(&mut command, 4 * TEST_LIMIT, stop)? else {
            return Ok(Err("stopped".to_string()));
        };
        let tests = match tests(&finished) {
            Ok(tests) => tests,
            Err(what) => return Ok(Err(format!("without a change, the tests of {package} cannot be run: {what}"))),
        };
        let good = tests.tests.iter().filter(|(_, verdict)| *verdict == Verdict::Passed);
        passed.extend(good.map(|(name, _)| (package.clone(), target.clone(), name.clone())));
    }
    Ok(Ok(passed))
}

fn tests(finished: &process::Finished) -> Result<Tests, String> {
    match finished.end {
        End::TimedOut(seconds) => Err(format!("no answer after {seconds} s")),
        End::Signalled(signal) => Err(format!("killed by signal {signal}")),
        End::Exited(_) => libtest::parse(&finished.stdout).map_err(|what| {
            let said = finished.stderr.lines().find(|line| line.starts_with("error")).unwrap_or_default();
            if said.is_empty() { what } else { format!("{what}: {said}") }
        }),
    }
}

fn with_test(
    workspace: &Workspace,
    copy: &Copy,
    mutation: &Mutation,
    sources: &Sources,
    passed: &[Test],
    stop: &dyn Fn() -> bool,
) -> io::Result<Outcome> {
    if let Some(reason) = &mutation.only_kani {
        return Ok(Outcome::OnlyKani { reason: reason.clone() });
    }
    let (package, target, test) = test_of(workspace, mutation);
    if !passed.contains(&(package.clone(), target.clone(), test.clone())) {
        return Ok(Outcome::Spoiled { what: format!("{test} does not pass without the change, or does not exist") });
    }
    let mut command = cargo_test(copy, &package, target.as_deref(), std::slice::from_ref(&test));
    let Some(finished) = process::run(&mut command, TEST_LIMIT, stop)? else {
        return Ok(Outcome::NotRun { reason: "stopped".to_string() });
    };
    let tests = match tests(&finished) {
        Ok(tests) => tests,
        Err(what) => return Ok(Outcome::Spoiled { what }),
    };
    Ok(match tests.verdict(&test) {
        Some(Verdict::Failed) if mutation.test.is_some() => Outcome::Caught { by: test },
        Some(Verdict::Failed) => {
            let printed = tests.printed(&test);
            let proof = sources.proofs.iter().find(|proof| proof.name == mutation.proof);
            if failed_where_named(mutation, proof, printed) {
                Outcome::Caught { by: test }
            } else {
                // Where it panicked, and what it said.
                let lines: Vec<&str> = printed.lines().map(str::trim).filter(|line| !line.is_empty()).take(2).collect();
                Outcome::Survived { what: format!("the test fails elsewhere: {}", lines.join(" ")) }
            }
        }
        Some(Verdict::Passed) => Outcome::Survived { what: format!("{test} passes") },
        Some(Verdict::Ignored) => Outcome::Spoiled { what: format!("{test} is ignored") },
        None => Outcome::Spoiled { what: format!("{test} was not run") },
    })
}

/// Whether a failing proof, run as a test, failed in the named assertion: its text is printed, or the panic is at its place.
fn failed_where_named(mutation: &Mutation, proof: Option<&SourceProof>, printed: &str) -> bool {
    if printed.lines().any(|line| normal(line) == normal(&mutation.fails)) {
        return true;
    }
    let shift = mutation.replace.lines().count() as isize - mutation.find.lines().count() as isize;
    let named = proof
        .into_iter()
        .flat_map(|proof| &proof.asserts)
        .filter(|stated| normal(&stated.text) == normal(&mutation.fails));
    let places = |stated: &crate::source::Stated| {
        let moved = if stated.file == mutation.file { shift } else { 0 };
        (stated.line..=stated.last_line).any(|line| {
            let at = |line: usize| printed.contains(&format!("{}:{line}:", stated.file));
            at(line) || at(line.saturating_add_signed(moved))
        })
    };
    named.into_iter().any(places)
}
