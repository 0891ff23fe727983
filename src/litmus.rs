//! Litmus tests as questions: is the bad outcome forbidden by the kernel's memory model?

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use reports::results::{Count, Counterexample, Extent, NotRun, PropertyRecord, VariantRecord, Verdict};

use crate::engine::Engine;
use crate::failure::Failure;
use crate::lkmm::{self, Observation, Settings, Setup};
use crate::question::{Question, blank_record, judge, rounded};
use subjects::Plan;

const FORBIDDEN: &str = "bad-outcome-forbidden";
const RACE_FREE: &str = "no-data-race";

/// herd7 with the kernel's model; before the first question the kernel's own tests are run through it.
struct Judge {
    setup: Setup,
    self_check: OnceLock<Result<(), String>>,
}

/// One litmus test.
struct LitmusQuestion {
    test: lkmm::LitmusTest,
    judge: Arc<Judge>,
}

/// All litmus tests as questions, or why they cannot be asked here.
///
/// # Errors
/// herd7, the model or a test file is there, but not as it should be.
pub fn questions(kernel_tree: Option<&Path>) -> Result<Result<Vec<Box<dyn Question>>, NotRun>, Failure> {
    let settings = settings(kernel_tree);
    let tests = match lkmm::load(&settings.tests_folder()) {
        Ok(tests) => tests,
        Err(_) if !settings.tests_folder().exists() => {
            let reason = format!("the litmus tests are not at {}", settings.tests_folder().display());
            return Ok(Err(NotRun { reason, how_to_run: "run it in a checkout of the project".to_string() }));
        }
        Err(error) => return Err(Failure::usage(error)),
    };
    match lkmm::find(&settings).map_err(Failure::usage)? {
        Err(missing) => {
            let reason = format!("{} litmus tests: {}", tests.len(), missing.reason);
            Ok(Err(NotRun { reason, how_to_run: missing.how_to_get }))
        }
        Ok(setup) => {
            let judge = Arc::new(Judge { setup, self_check: OnceLock::new() });
            let question = |test| Box::new(LitmusQuestion { test, judge: Arc::clone(&judge) }) as Box<dyn Question>;
            Ok(Ok(tests.into_iter().map(question).collect()))
        }
    }
}

/// Names of mechanism and test, for the selection; empty where the files are not at hand.
pub fn names() -> Vec<(String, String)> {
    let tests = lkmm::load(&settings(None).tests_folder()).unwrap_or_default();
    tests.iter().map(|test| (test.mechanism.clone(), short_name(test))).collect()
}

fn settings(kernel_tree: Option<&Path>) -> Settings {
    let mut settings = Settings::from_environment(&project());
    if let Some(tree) = kernel_tree {
        settings.kernel_tree = Some(tree.to_path_buf());
    }
    settings
}

/// The checkout that the program was built in, or else the folder that it is run in.
fn project() -> PathBuf {
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR"));
    if built_in.join("harnesses/litmus").exists() { built_in.to_path_buf() } else { PathBuf::from(".") }
}

/// The name without the mechanism in front.
fn short_name(test: &lkmm::LitmusTest) -> String {
    let prefix = format!("{}-", test.mechanism);
    test.name.strip_prefix(&prefix).unwrap_or(&test.name).to_string()
}

impl Question for LitmusQuestion {
    fn mechanism(&self) -> &str {
        &self.test.mechanism
    }
    fn variant(&self) -> &str {
        self.test.name.strip_prefix(&format!("{}-", self.test.mechanism)).unwrap_or(&self.test.name)
    }
    fn also_about(&self) -> Option<&str> {
        self.test.variant.as_deref()
    }
    fn engine(&self) -> Engine {
        Engine::Lkmm
    }
    fn ask(&self, _: &Plan) -> Result<VariantRecord, String> {
        let check = || self.judge.setup.self_check().map(|_| ()).map_err(|error| error.to_string());
        self.judge.self_check.get_or_init(check).clone()?;
        let result = self.judge.setup.judge(std::slice::from_ref(&self.test)).remove(0);
        let mut record = blank_record(self, Extent::AllStates);
        record.what.clone_from(&self.test.question);
        record.origin = format!("litmus test of {}", self.test.kernel);
        record.expected_because.clone_from(&self.test.why);
        record.seconds = rounded(result.elapsed);
        match &result.observed {
            Ok(observed) => {
                record.properties = properties(&self.test, observed);
                let executions = observed.positive + observed.negative;
                record.counts.push(Count { name: "executions".to_string(), value: executions });
            }
            Err(lkmm::Failure::TimedOut(limit)) => {
                record.limit = Some(format!("the time was up after {} s", limit.as_secs()));
                record.properties = undecided(&self.test);
            }
            Err(lkmm::Failure::NoVerdict(reason)) => return Err(reason.clone()),
        }
        judge(&mut record);
        // The set of outcomes is pinned as well: a changed test often changes it before it changes the verdict.
        if record.as_expected {
            record.differences = result.differences();
            record.as_expected = record.differences.is_empty();
        }
        Ok(record)
    }
}

fn is_racy(flags: &BTreeSet<String>) -> bool {
    flags.contains("data-race")
}

fn verdict(holds: bool) -> Verdict {
    if holds { Verdict::Holds } else { Verdict::Broken }
}

fn property(test: &lkmm::LitmusTest, name: &str, says: &str, is: Verdict, expected: Verdict) -> PropertyRecord {
    PropertyRecord {
        name: name.to_string(),
        witness: false,
        says: says.to_string(),
        stated_at: format!("harnesses/litmus/{}.litmus:1", test.name),
        verdict: is,
        expected,
        steps: None,
        counterexample: None,
    }
}

fn properties(test: &lkmm::LitmusTest, observed: &lkmm::Observed) -> Vec<PropertyRecord> {
    let (is, should) = (&observed.verdict, &test.expected);
    let forbidden = |v: &lkmm::Verdict| verdict(v.observation == Observation::Never);
    let race_free = |v: &lkmm::Verdict| verdict(!is_racy(&v.flags));
    let mut outcome = property(test, FORBIDDEN, &test.question, forbidden(is), forbidden(should));
    if outcome.verdict == Verdict::Broken {
        let outcomes: Vec<&str> = is.outcomes.iter().map(String::as_str).collect();
        let text = format!("final states that herd7 allows:\n{}", outcomes.join("\n"));
        outcome.counterexample = Some(Counterexample::Text(text));
    }
    let says = "a plain access meets a marked one without order: the compiler may tear, repeat or invent it";
    vec![outcome, property(test, RACE_FREE, says, race_free(is), race_free(should))]
}

fn undecided(test: &lkmm::LitmusTest) -> Vec<PropertyRecord> {
    let expected = verdict(test.expected.observation == Observation::Never);
    vec![property(test, FORBIDDEN, &test.question, Verdict::Undecided, expected)]
}
