//! Whether an output proves what the census says. Everything that is not a proof is "not proved", with the reasons.

use crate::census::Entry;
use crate::export;
use crate::output::{self, Check, Ending, Output, ProofText, Status, Version};
use crate::source::{SourceProof, Stated, normal};
use serde::Serialize;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With an exit status.
    Exited(i32),
    /// Killed by a signal.
    Signalled(i32),
    /// Killed after so many seconds, with everything that it started.
    TimedOut(u64),
}

/// What one run of `cargo kani` left behind.
#[derive(Clone, Debug)]
pub struct Run {
    /// How it ended.
    pub end: End,
    /// Standard output, as text.
    pub text: String,
    /// The exported file, where the version has one.
    pub export: Option<String>,
    /// The last lines of standard error, for a person.
    pub errors: String,
}

/// Why something is not proved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Kind, for programs.
    pub kind: ReasonKind,
    /// Text, for people.
    pub text: String,
}

/// Kinds of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonKind {
    /// The time was up.
    TimedOut,
    /// The run crashed, or the exit status and the text contradict each other.
    Crashed,
    /// It did not get as far as the proofs: the crate does not compile, or no proof has this name.
    NotStarted,
    /// The text is cut, empty, torn, or contradicts itself.
    Damaged,
    /// A version whose text is not known, or another one than asked.
    WrongVersion,
    /// Another proof ran, or several.
    WrongProof,
    /// There is nothing that was checked.
    NoChecks,
    /// An unwinding bound is too small.
    Unwinding,
    /// Code that Kani does not support is reachable.
    Unsupported,
    /// A check failed.
    Failed,
    /// A check was not decided.
    Undetermined,
    /// A check is unreachable that nobody reviewed.
    Unreachable,
    /// An assertion of the source is not among the checks.
    AssertMissing,
    /// A cover is not satisfied.
    Cover,
    /// Not as many covers as the census says.
    CoverCount,
    /// The exported file contradicts the text.
    ExportDiffers,
    /// The run had no effect that could be judged, because somebody stopped it.
    Stopped,
}

/// The judgement on one run.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// None: proved.
    pub reasons: Vec<Reason>,
    /// What Kani saw, where the text could be read.
    pub seen: Option<ProofText>,
    /// What a reader should know although it is proved.
    pub notes: Vec<String>,
}

impl Judgement {
    /// Whether nothing speaks against it.
    pub fn is_proved(&self) -> bool {
        self.reasons.is_empty() && self.seen.is_some()
    }

    fn add(&mut self, kind: ReasonKind, text: impl Into<String>) {
        self.reasons.push(Reason { kind, text: text.into() });
    }
}

/// Judges a run of one proof. `wanted` is the version that was found before.
pub fn judge(entry: &Entry, proof: &SourceProof, run: &Run, wanted: Option<Version>) -> Judgement {
    let mut judgement = Judgement::default();
    let Some(output) = readable(run, &mut judgement) else { return judgement };
    if let Some(wanted) = wanted.filter(|wanted| *wanted != output.version) {
        judgement.add(ReasonKind::WrongVersion, format!("Kani {} ran, not {wanted}", output.version));
    }
    if let Some(json) = &run.export
        && let Err(difference) = export::agrees(json, &output)
    {
        judgement.add(ReasonKind::ExportDiffers, difference);
    }
    let seen = match &output.proofs[..] {
        [seen] if seen.name == entry.name => seen,
        [] => {
            judgement.add(ReasonKind::WrongProof, "no proof ran");
            return judgement;
        }
        others => {
            let names: Vec<&str> = others.iter().map(|proof| proof.name.as_str()).collect();
            judgement.add(ReasonKind::WrongProof, format!("{} ran instead of {}", names.join(" and "), entry.name));
            return judgement;
        }
    };
    exit_fits(run, seen, &mut judgement);
    checks(entry, proof, seen, &mut judgement);
    covers(entry, seen, &mut judgement);
    asserts(proof, seen, &mut judgement);
    ending(seen, &mut judgement);
    judgement.notes.extend(seen.notes.iter().cloned());
    judgement.seen = Some(seen.clone());
    judgement
}

/// Reads the text of a run, or says why there is nothing to judge.
pub fn readable(run: &Run, judgement: &mut Judgement) -> Option<Output> {
    match run.end {
        End::TimedOut(seconds) => {
            judgement.add(ReasonKind::TimedOut, format!("no answer after {seconds} s"));
            return None;
        }
        End::Signalled(signal) => {
            judgement.add(ReasonKind::Crashed, format!("cargo kani was killed by signal {signal}"));
            return None;
        }
        End::Exited(_) => {}
    }
    match output::parse(&run.text) {
        Ok(output) => Some(output),
        Err(damage) => {
            let started = run.text.contains("Checking harness ");
            let (kind, text) = if damage.version {
                (ReasonKind::WrongVersion, damage.what.clone())
            } else if let (End::Exited(status @ 1..), false) = (&run.end, started) {
                let said = run.errors.lines().find(|line| line.starts_with("error")).unwrap_or("no error was printed");
                (ReasonKind::NotStarted, format!("no proof was started, exit status {status}: {said}"))
            } else {
                (ReasonKind::Damaged, damage.to_string())
            };
            judgement.add(kind, text);
            None
        }
    }
}

/// The exit status must fit the text, in both directions. It proves nothing.
fn exit_fits(run: &Run, seen: &ProofText, judgement: &mut Judgement) {
    let successful = matches!(seen.ending, Ending::Successful { .. });
    if run.end != (End::Exited(if successful { 0 } else { 1 })) {
        judgement.add(ReasonKind::Crashed, format!("the run ended with {:?}, which does not fit its text", run.end));
    }
    if let Ending::NoResults { text } = &seen.ending {
        let kind = if text.contains("timed out") { ReasonKind::TimedOut } else { ReasonKind::Crashed };
        judgement.add(kind, text.clone());
    }
}

/// Whether a failed check says that a loop was not unwound far enough.
pub fn is_unwinding(check: &Check) -> bool {
    check.class() == "unwind" || check.class() == "recursion" || check.description.contains("unwinding assertion")
}

/// Whether a check stands in the proofs, not in the code that they are about.
///
/// In the models, an unreachable check is no surprise: a formula has arms for the other variants, and the compiler's checks for
/// overflow in them are unreachable in a proof about one variant. In a proof it means that the proof does not get there.
fn is_own(proof: &SourceProof, check: &Check) -> bool {
    let Some((file, _, _)) = check.place() else { return true };
    let files = proof.asserts.iter().map(|stated| &stated.file).chain([&proof.file]);
    files.into_iter().any(|own| same_file(own, file))
}

/// Whether a file of the census and one of Kani are the same: Kani gives paths from the folder that it was started in, or from the package.
fn same_file(own: &str, file: &str) -> bool {
    own == file || own.ends_with(&format!("/{}", file.trim_start_matches("./"))) || file.ends_with(&format!("/{own}"))
}

fn checks(entry: &Entry, proof: &SourceProof, seen: &ProofText, judgement: &mut Judgement) {
    if seen.checks.iter().all(Check::is_cover) && !matches!(seen.ending, Ending::NoResults { .. }) {
        judgement.add(ReasonKind::NoChecks, "there was nothing to check");
    }
    let mut allowed: Vec<usize> = entry.unreachable.iter().map(|reviewed| reviewed.at_most).collect();
    for check in seen.checks.iter().filter(|check| !check.is_cover()) {
        let place = check.location.as_deref().unwrap_or(&check.name);
        let text = format!("`{}` at {place}", check.description);
        match check.status {
            Status::Success => {}
            Status::Failure if is_unwinding(check) => {
                judgement.add(ReasonKind::Unwinding, format!("a loop needs more unwinding: {text}"));
            }
            Status::Failure if check.description.contains("is not currently supported by Kani") => {
                judgement.add(ReasonKind::Unsupported, text);
            }
            Status::Failure => judgement.add(ReasonKind::Failed, format!("{text} fails")),
            Status::Unreachable if !is_own(proof, check) && !is_stated(proof, check) => {}
            Status::Unreachable => {
                let reviewed = entry.unreachable.iter().zip(&mut allowed).find(|(reviewed, left)| {
                    **left > 0
                        && normal(&reviewed.check) == normal(&check.description)
                        && reviewed.function == check.function()
                });
                match reviewed {
                    Some((_, left)) => *left -= 1,
                    None => judgement.add(ReasonKind::Unreachable, format!("nothing leads to {text}")),
                }
            }
            status => judgement.add(ReasonKind::Undetermined, format!("{text} is {}", status.word())),
        }
    }
    for (reviewed, left) in entry.unreachable.iter().zip(&allowed) {
        if *left == reviewed.at_most {
            judgement.notes.push(format!("`{}` is on the list of unreachable checks, but was reached", reviewed.check));
        }
    }
}

fn covers(entry: &Entry, seen: &ProofText, judgement: &mut Judgement) {
    let covers: Vec<&Check> = seen.checks.iter().filter(|check| check.is_cover()).collect();
    for cover in &covers {
        if cover.status != Status::Satisfied {
            judgement.add(ReasonKind::Cover, format!("the cover `{}` is {}", cover.description, cover.status.word()));
        }
    }
    let expected = entry.covers_run.unwrap_or(entry.covers);
    if covers.len() != expected && !matches!(seen.ending, Ending::NoResults { .. }) {
        judgement.add(ReasonKind::CoverCount, format!("{} covers, {expected} expected", covers.len()));
    }
}

/// Every assertion of the source must be among the checks: at its place, or with its text.
fn asserts(proof: &SourceProof, seen: &ProofText, judgement: &mut Judgement) {
    if matches!(seen.ending, Ending::NoResults { .. }) {
        return;
    }
    for stated in &proof.asserts {
        if !seen.checks.iter().any(|check| is_this(stated, check)) {
            let text = format!("`{}` at {}:{} was not checked", stated.text, stated.file, stated.line);
            judgement.add(ReasonKind::AssertMissing, text);
        }
    }
}

fn is_stated(proof: &SourceProof, check: &Check) -> bool {
    proof.asserts.iter().any(|stated| is_this(stated, check))
}

fn is_this(stated: &Stated, check: &Check) -> bool {
    let here = check.place().is_some_and(|(file, line, _)| {
        same_file(&stated.file, file) && (stated.line..=stated.last_line).contains(&line)
    });
    check.class() == "assertion" && (here || normal(&check.description) == normal(&stated.text))
}

/// What Kani says as a whole; the checks above have said it already, but for a proof that was run as one that should panic.
fn ending(seen: &ProofText, judgement: &mut Judgement) {
    match &seen.ending {
        Ending::Successful { panics: None } | Ending::NoResults { .. } => {}
        Ending::Successful { panics: Some(_) } | Ending::Failed { panics: Some(_) } => {
            judgement.add(ReasonKind::WrongProof, "it was run as a proof that should panic");
        }
        Ending::Failed { panics: None } if judgement.reasons.is_empty() => {
            judgement.add(ReasonKind::Failed, "Kani says FAILED")
        }
        Ending::Failed { panics: None } => {}
    }
}
