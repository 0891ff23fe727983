//! The engine `lkmm`: litmus tests judged by herd7 with the Linux-kernel memory model.
//!
//! Kernel code is not C11. Address and control dependencies order, RCU is a primitive, a plain access beside a
//! marked one is a data race. The authority on that is the model in the kernel's `tools/memory-model`, and herd7
//! is the program that runs it. Every file in `harnesses/litmus/` asks one question and says which answer is
//! expected (`test_file`); this module asks herd7 and compares.
//!
//! A verdict is read off herd7's output only, never off its exit status, which is 0 whatever it found. Output that
//! is cut or damaged, or comes from a version that nobody has looked at, is an error and not a verdict (`output`).
//! Before our own tests, the kernel's are run: if one of them comes out differently from what its own header says,
//! the set-up is not to be trusted and nothing is judged.
//!
//! What this engine cannot see: the code itself, loops, values computed from data, mixed-size accesses, and
//! interrupts, which stand in the tests as store-releases and load-acquires of a flag.
//!
//! ```no_run
//! use kverdict::lkmm::{Answer, Settings, run};
//! match run(&Settings::from_environment(".".as_ref()), |_| true)? {
//!     Answer::Ran(run) => println!("{} of {} as expected", run.as_expected(), run.results.len()),
//!     Answer::NotRun(missing) => println!("not run: {missing}"),
//! }
//! # Ok::<(), kverdict::lkmm::Error>(())
//! ```

mod output;
mod process;
mod test_file;
mod tools;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub use output::{Observed, parse_output, parse_version};
pub use test_file::{LitmusTest, parse_kernel_test};
pub use tools::{KNOWN_HERD7, Setup, find};

/// Where to look for herd7, the model and the tests, and how long to wait for each test.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The root of the project: `harnesses/litmus` and `target/herd7` lie below it.
    pub project: PathBuf,
    /// A kernel tree whose `tools/memory-model` is to be used instead of what `just herd7` unpacked.
    pub kernel_tree: Option<PathBuf>,
    /// The folders in which to look for a `herd7` that is installed, in order: PATH.
    pub path: Vec<PathBuf>,
    /// Versions of herd7 to accept besides [`KNOWN_HERD7`], by somebody who has looked at their output.
    pub accept_herd7: Vec<String>,
    /// How long one test may take.
    pub timeout: Duration,
    /// How many herd7 processes run at once.
    pub threads: usize,
}

impl Settings {
    /// Reads PATH and `KVERDICT_KERNEL_TREE`; 10 seconds a test, and as many processes as there are CPUs.
    pub fn from_environment(project: &Path) -> Settings {
        Settings {
            project: project.to_path_buf(),
            kernel_tree: std::env::var_os("KVERDICT_KERNEL_TREE").filter(|tree| !tree.is_empty()).map(PathBuf::from),
            path: std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default(),
            accept_herd7: Vec::new(),
            timeout: Duration::from_secs(10),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// The folder of our own litmus tests.
    pub fn tests_folder(&self) -> PathBuf {
        self.project.join("harnesses/litmus")
    }
}

/// How often the condition of a test, by convention the bad outcome, was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Observation {
    /// In no execution that the model allows.
    Never,
    /// In some executions.
    Sometimes,
    /// In all executions.
    Always,
}

impl Observation {
    /// The word that herd7 and the kernel's `Result:` lines use.
    pub fn from_word(word: &str) -> Option<Observation> {
        match word {
            "Never" => Some(Observation::Never),
            "Sometimes" => Some(Observation::Sometimes),
            "Always" => Some(Observation::Always),
            _ => None,
        }
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Observation::Never => "Never",
            Observation::Sometimes => "Sometimes",
            Observation::Always => "Always",
        })
    }
}

/// What a test is expected to show, or has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How often the condition was met.
    pub observation: Observation,
    /// What the model flagged, such as `data-race`.
    pub flags: BTreeSet<String>,
    /// Every final state, as herd7 writes it: `1:r0=new; 1:r1=0;`.
    pub outcomes: BTreeSet<String>,
}

impl Verdict {
    /// What differs between this, the expected verdict, and what was observed: one phrase a difference, none if
    /// they agree.
    pub fn differences(&self, observed: &Verdict) -> Vec<String> {
        let mut differences = Vec::new();
        if self.observation != observed.observation {
            differences.push(format!("expected {}, herd7 says {}", self.observation, observed.observation));
        }
        for (expected, found, what) in
            [(&self.flags, &observed.flags, "flag"), (&self.outcomes, &observed.outcomes, "outcome")]
        {
            differences
                .extend(expected.difference(found).map(|missing| format!("expected {what} {missing} is missing")));
            differences.extend(found.difference(expected).map(|extra| format!("{what} {extra} was not expected")));
        }
        differences
    }
}

/// Why a test has no verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// herd7 was stopped after this time: undecided.
    TimedOut(Duration),
    /// herd7 could not be run, failed, or wrote something that is not a whole and known answer.
    NoVerdict(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::TimedOut(limit) => write!(f, "stopped after {} s", limit.as_secs_f32()),
            Failure::NoVerdict(reason) => f.write_str(reason),
        }
    }
}

/// One test of ours and what came out.
#[derive(Clone, Debug)]
pub struct LitmusResult {
    /// The test: name, mechanism, variant, question, expected verdict.
    pub test: LitmusTest,
    /// What herd7 found.
    pub observed: Result<Observed, Failure>,
    /// The time from starting herd7 to having read its answer.
    pub elapsed: Duration,
    /// A command that repeats the run.
    pub command: String,
}

impl LitmusResult {
    /// What is not as expected. Empty if everything is, or if there is no verdict.
    pub fn differences(&self) -> Vec<String> {
        self.observed.as_ref().map(|observed| self.test.expected.differences(&observed.verdict)).unwrap_or_default()
    }

    /// Whether there is a verdict and it is the expected one.
    pub fn is_as_expected(&self) -> bool {
        self.observed.as_ref().is_ok_and(|observed| self.test.expected == observed.verdict)
    }
}

/// The kernel's own litmus tests, which all came out as their `Result:` lines say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelfCheck {
    /// How many there are.
    pub tests: usize,
    /// The time that all of them took.
    pub elapsed: Duration,
}

/// A run of the engine.
#[derive(Clone, Debug)]
pub struct LkmmRun {
    /// The version that herd7 gives, such as `7.58`.
    pub herd7_version: String,
    /// The kernel whose model was used, such as `Linux 6.1.176`.
    pub model: String,
    /// The run of the kernel's own tests.
    pub self_check: SelfCheck,
    /// Our tests, in the order of their names.
    pub results: Vec<LitmusResult>,
    /// The time of the whole run.
    pub elapsed: Duration,
}

impl LkmmRun {
    /// How many tests came out as expected.
    pub fn as_expected(&self) -> usize {
        self.results.iter().filter(|result| result.is_as_expected()).count()
    }
}

/// The engine did not run because something is not on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotRun {
    /// What is missing.
    pub reason: String,
    /// How to get it.
    pub how_to_get: String,
}

impl fmt::Display for NotRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.reason, self.how_to_get)
    }
}

/// Either a run, or what is missing for one.
#[derive(Clone, Debug)]
pub enum Answer {
    /// herd7 and the model are there, and the self-check passed.
    Ran(LkmmRun),
    /// Something is missing.
    NotRun(NotRun),
}

/// The set-up or the tests are broken: no verdict of such a run can be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// herd7 is there, in a version whose output nobody has looked at.
    UnknownVersion(String),
    /// A kernel tree was named, or a folder is there, and it is not what it should be.
    Setup(String),
    /// One of the kernel's own tests did not come out as its header says.
    SelfCheck(String),
    /// One of our files is not a litmus test with a complete header.
    TestFile(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::UnknownVersion(reason) | Error::Setup(reason) | Error::TestFile(reason) => f.write_str(reason),
            Error::SelfCheck(reason) => write!(f, "the kernel's own litmus tests do not pass: {reason}"),
        }
    }
}

impl std::error::Error for Error {}

/// Runs the self-check, then those of our tests that `keep` selects.
pub fn run(settings: &Settings, keep: impl Fn(&LitmusTest) -> bool) -> Result<Answer, Error> {
    let start = Instant::now();
    let tests: Vec<LitmusTest> = load(&settings.tests_folder())?.into_iter().filter(|test| keep(test)).collect();
    let setup = match find(settings)? {
        Ok(setup) => setup,
        Err(missing) => return Ok(Answer::NotRun(missing)),
    };
    let self_check = setup.self_check()?;
    let results = setup.judge(&tests);
    Ok(Answer::Ran(LkmmRun {
        herd7_version: setup.herd7_version.clone(),
        model: setup.model.clone(),
        self_check,
        results,
        elapsed: start.elapsed(),
    }))
}

/// Reads the litmus tests in a folder, in the order of their names.
pub fn load(folder: &Path) -> Result<Vec<LitmusTest>, Error> {
    litmus_files(folder)?
        .into_iter()
        .map(|path| {
            let text = read(&path)?;
            LitmusTest::parse(&path, &text).map_err(|reason| Error::TestFile(format!("{}: {reason}", path.display())))
        })
        .collect()
}

fn litmus_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let cannot = |error| Error::Setup(format!("cannot read the folder {}: {error}", folder.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path.extension().is_some_and(|extension| extension == "litmus") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| Error::Setup(format!("cannot read {}: {error}", path.display())))
}

impl Setup {
    /// Runs the kernel's own litmus tests and compares each with its `Result:` line.
    pub fn self_check(&self) -> Result<SelfCheck, Error> {
        /// Linux 6.1 has 34. A folder with far fewer is not whole.
        const AT_LEAST: usize = 30;
        let start = Instant::now();
        let files = litmus_files(&self.model_folder.join("litmus-tests"))?;
        if files.len() < AT_LEAST {
            return Err(Error::SelfCheck(format!(
                "only {} tests are there, at least {AT_LEAST} should be",
                files.len()
            )));
        }
        let outcomes = in_parallel(self.threads, &files, |path| self.check_kernel_test(path));
        for outcome in outcomes {
            outcome?;
        }
        Ok(SelfCheck { tests: files.len(), elapsed: start.elapsed() })
    }

    fn check_kernel_test(&self, path: &Path) -> Result<(), Error> {
        let fail = |reason: String| Error::SelfCheck(format!("{}: {reason}", path.display()));
        let (name, expected) = parse_kernel_test(&read(path)?).map_err(fail)?;
        let observed = self.observe(&name, path).map_err(|failure| fail(failure.to_string()))?.verdict.observation;
        if observed == expected {
            return Ok(());
        }
        Err(fail(format!("its header says {expected}, herd7 says {observed}")))
    }

    /// Runs the given tests, several at once; the results come in the order of the tests.
    pub fn judge(&self, tests: &[LitmusTest]) -> Vec<LitmusResult> {
        in_parallel(self.threads, tests, |test| {
            let start = Instant::now();
            let observed = self.observe(&test.name, &test.path);
            LitmusResult {
                test: test.clone(),
                observed,
                elapsed: start.elapsed(),
                command: format!(
                    "(cd {} && {} -conf linux-kernel.cfg {})",
                    self.model_folder.display(),
                    self.herd7.display(),
                    test.path.display()
                ),
            }
        })
    }

    fn observe(&self, name: &str, path: &Path) -> Result<Observed, Failure> {
        // herd7 runs in the model's folder, so a relative path would lead elsewhere.
        let path = std::path::absolute(path).map_err(|error| Failure::NoVerdict(error.to_string()))?;
        let mut command = std::process::Command::new(&self.herd7);
        command.current_dir(&self.model_folder).args(["-conf", "linux-kernel.cfg"]).arg(&path);
        let said = process::run(command, self.timeout)?;
        // herd7 writes a warning and exits with 0 when it cannot read a test.
        if !said.success || !said.stderr.is_empty() {
            let first = said.stderr.lines().next().unwrap_or("no message");
            return Err(Failure::NoVerdict(format!("herd7 failed: {first}")));
        }
        parse_output(name, &said.stdout).map_err(Failure::NoVerdict)
    }
}

/// Applies `work` to every item on up to `threads` threads, fewer if the system allows no more. The results are in the
/// order of the items.
fn in_parallel<T: Sync, R: Send>(threads: usize, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let take_turns = || {
        let mut mine = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return mine };
            mine.push((index, work(item)));
        }
    };
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(items.len()))
            .map_while(|_| std::thread::Builder::new().spawn_scoped(scope, take_turns).ok())
            .collect();
        let mut done = take_turns();
        done.extend(others.into_iter().flat_map(|worker| worker.join().expect("a worker does not panic")));
        done
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}
