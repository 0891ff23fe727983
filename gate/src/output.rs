//! Reads the regular text that `cargo kani` prints, and refuses everything that is not exactly that.
//!
//! The grammar is that of Kani 0.57 to 0.68 with the default `--output-format regular`, one job, no playback and no coverage. What
//! these versions print differently: 0.57 ends with `Summary:` where a proof failed and 0.68 always with `Manual Harness Summary:`;
//! 0.68 lists the stubs of a proof below `Checking harness`; what the CBMC underneath says before `RESULTS:` is free text in both.
//!
//! A reader that skips what it does not know would take a torn or interleaved output for a proof. So each line has to be one that
//! Kani prints at this place, every number that stands in the text twice has to be the same both times, and the text has to reach
//! its last line.

use serde::Serialize;
use std::fmt;

/// The oldest and the newest version whose text is known.
pub const KNOWN_VERSIONS: (Version, Version) =
    (Version { major: 0, minor: 57, patch: 0 }, Version { major: 0, minor: 68, patch: u32::MAX });

/// A version of Kani.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number.
    pub patch: u32,
}

impl Version {
    /// Reads `0.57.0`.
    pub fn parse(text: &str) -> Option<Version> {
        let mut parts = text.split('.').map(number);
        let version = Version { major: parts.next()??, minor: parts.next()??, patch: parts.next()?? };
        parts.next().is_none().then_some(version)
    }

    /// Whether the text of this version is one that this module knows.
    pub fn is_known(self) -> bool {
        (KNOWN_VERSIONS.0..=KNOWN_VERSIONS.1).contains(&self)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The status of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It holds on every path.
    Success,
    /// Some input breaks it.
    Failure,
    /// No path leads to it.
    Unreachable,
    /// Not decided, because an unwinding bound was too small or a construct is not supported.
    Undetermined,
    /// A cover that some input reaches.
    Satisfied,
    /// A cover that no input reaches.
    Unsatisfiable,
}

impl Status {
    fn parse(word: &str) -> Option<Status> {
        Some(match word {
            "SUCCESS" => Status::Success,
            "FAILURE" => Status::Failure,
            "UNREACHABLE" => Status::Unreachable,
            "UNDETERMINED" => Status::Undetermined,
            "SATISFIED" => Status::Satisfied,
            "UNSATISFIABLE" => Status::Unsatisfiable,
            _ => return None,
        })
    }

    /// The word that Kani prints.
    pub fn word(self) -> &'static str {
        match self {
            Status::Success => "SUCCESS",
            Status::Failure => "FAILURE",
            Status::Unreachable => "UNREACHABLE",
            Status::Undetermined => "UNDETERMINED",
            Status::Satisfied => "SATISFIED",
            Status::Unsatisfiable => "UNSATISFIABLE",
        }
    }
}

/// One check of one proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// `proofs::roundtrip.assertion.1`.
    pub name: String,
    /// What became of it.
    pub status: Status,
    /// The text of the assertion, without the quotes around it.
    pub description: String,
    /// `src/lib.rs:10:9 in function proofs::roundtrip`, where Kani gives one.
    pub location: Option<String>,
}

impl Check {
    /// The kind of check: `assertion`, `cover`, `unwind`, `pointer_dereference`.
    pub fn class(&self) -> &str {
        self.name.rsplit('.').nth(1).unwrap_or_default()
    }

    /// The function that contains it.
    pub fn function(&self) -> &str {
        self.name.rsplitn(3, '.').nth(2).unwrap_or_default()
    }

    /// Whether this is a `kani::cover!`.
    pub fn is_cover(&self) -> bool {
        self.class() == "cover"
    }

    /// File, line and column.
    pub fn place(&self) -> Option<(&str, usize, usize)> {
        let place = self.location.as_deref()?.split(" in function ").next()?;
        let mut parts = place.rsplitn(3, ':');
        let (column, line) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some((parts.next()?, line, column))
    }
}

/// What Kani says about a proof as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// `SUCCESSFUL`, with what stands behind it in brackets for a proof that should panic.
    Successful {
        /// `encountered one or more panics as expected`.
        panics: Option<String>,
    },
    /// `FAILED`, likewise.
    Failed {
        /// `encountered no panics, but at least one was expected`.
        panics: Option<String>,
    },
    /// CBMC gave no results: it timed out, ran out of memory or crashed.
    NoResults {
        /// The text.
        text: String,
    },
}

/// The text of one proof.
#[derive(Clone, Debug, PartialEq)]
pub struct ProofText {
    /// Full name.
    pub name: String,
    /// Every check, in the order of the text.
    pub checks: Vec<Check>,
    /// What Kani says.
    pub ending: Ending,
    /// Seconds in CBMC; none where it gave no results.
    pub seconds: Option<f64>,
    /// The solver, as CBMC names it.
    pub solver: Option<String>,
    /// Warnings and hints below the verdict, and that another solver was used than the one asked for.
    pub notes: Vec<String>,
}

/// A whole output.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The version in its first line.
    pub version: Version,
    /// The version of CBMC, once it ran.
    pub cbmc: Option<String>,
    /// Every proof that ran.
    pub proofs: Vec<ProofText>,
}

/// Why a text is not a complete output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// Whether only the version is not one that is known.
    pub version: bool,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} of the output: {}", self.line, self.what)
    }
}

/// Reads a whole output of `cargo kani`.
pub fn parse(text: &str) -> Result<Output, Damage> {
    let lines: Vec<&str> = text.lines().collect();
    Reader { lines: &lines, at: 0 }.output()
}

/// A decimal number as Kani prints it: digits alone, no sign.
fn number<T: std::str::FromStr>(digits: &str) -> Option<T> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// Lines that carry results. One of them inside free text means that outputs were mixed or torn.
fn is_marker(line: &str) -> bool {
    const STARTS: [&str; 14] = [
        "Kani Rust Verifier",
        "Checking harness",
        "Thread ",
        "Autoharness:",
        "RESULTS:",
        "Check ",
        "\t - ",
        "SUMMARY:",
        "Summary:",
        " ** ",
        "VERIFICATION",
        "Verification ",
        "Complete - ",
        "Manual Harness Summary:",
    ];
    STARTS.iter().any(|start| line.starts_with(start)) || line.starts_with("Failed Checks:") || line.contains('\u{1b}')
}

struct Reader<'t> {
    lines: &'t [&'t str],
    at: usize,
}

/// The counts in the lines `** 2 of 7 failed (1 unreachable)` and `** 1 of 1 cover properties satisfied`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    of: usize,
    hit: usize,
    undetermined: usize,
    unreachable: usize,
}

impl<'t> Reader<'t> {
    fn damage<T>(&self, what: impl Into<String>) -> Result<T, Damage> {
        Err(Damage { line: self.at + 1, what: what.into(), version: false })
    }

    fn peek(&self) -> Option<&'t str> {
        self.lines.get(self.at).copied()
    }

    fn next(&mut self, expected: &str) -> Result<&'t str, Damage> {
        match self.peek() {
            Some(line) => {
                self.at += 1;
                Ok(line)
            }
            None => self.damage(format!("it ends where {expected} should follow")),
        }
    }

    fn exactly(&mut self, line: &str) -> Result<(), Damage> {
        let name = if line.is_empty() { "an empty line" } else { line };
        if self.next(name)? == line {
            return Ok(());
        }
        self.at -= 1;
        self.damage(format!("not {name}"))
    }

    /// The rest of the next line behind `start`.
    fn after(&mut self, start: &str) -> Result<&'t str, Damage> {
        match self.next(start)?.strip_prefix(start) {
            Some(rest) => Ok(rest),
            None => {
                self.at -= 1;
                self.damage(format!("not `{start}`"))
            }
        }
    }

    fn skip_blank(&mut self) {
        while self.peek() == Some("") {
            self.at += 1;
        }
    }

    fn output(mut self) -> Result<Output, Damage> {
        let banner = self.after("Kani Rust Verifier ")?;
        let version = banner.strip_suffix(" (cargo plugin)").and_then(Version::parse);
        let Some(version) = version else {
            self.at = 0;
            return self.damage("no version of Kani that can be read");
        };
        if !version.is_known() {
            let what = format!("the text of Kani {version} is not known (known: {} to 0.68)", KNOWN_VERSIONS.0);
            return Err(Damage { line: 1, what, version: true });
        }
        self.free_text("Checking harness ")?;
        let mut output = Output { version, cbmc: None, proofs: Vec::new() };
        while self.peek().is_some_and(|line| line.starts_with("Checking harness ")) {
            let proof = self.proof(&mut output.cbmc)?;
            if output.proofs.iter().any(|known| known.name == proof.name) {
                return self.damage(format!("{} is there twice", proof.name));
            }
            output.proofs.push(proof);
        }
        self.summary(&output.proofs)?;
        Ok(output)
    }

    /// Skips what cargo, rustc and CBMC print, up to a line that starts with `end`, and gives what was skipped.
    fn free_text(&mut self, end: &str) -> Result<&'t [&'t str], Damage> {
        let start = self.at;
        loop {
            match self.peek() {
                None => return self.damage(format!("it ends before `{end}`")),
                Some(line) if line.starts_with(end) => return Ok(&self.lines[start..self.at]),
                Some(line) if is_marker(line) => {
                    return self.damage(format!("`{line}` does not belong before `{end}`"));
                }
                Some(_) => self.at += 1,
            }
        }
    }

    fn proof(&mut self, cbmc: &mut Option<String>) -> Result<ProofText, Damage> {
        let Some(name) = self.after("Checking harness ")?.strip_suffix("...") else {
            self.at -= 1;
            return self.damage("the name of the proof is cut");
        };
        let said = self.cbmc_text()?;
        for line in said {
            if let Some(version) = line.strip_prefix("CBMC version ").and_then(|rest| rest.split(' ').next()) {
                cbmc.get_or_insert_with(|| version.to_string());
            }
        }
        let solver = said.iter().find_map(|line| line.strip_prefix("Solving with ")).map(str::to_string);
        let other_solver = said.iter().filter(|line| line.contains("solver") && line.contains("is not available"));
        let mut notes: Vec<String> = other_solver.map(|line| line.to_string()).collect();
        let name = name.to_string();
        if self.peek().is_some_and(|line| line.starts_with("CBMC failed")) {
            let text = self.no_results()?;
            return Ok(ProofText {
                name,
                checks: Vec::new(),
                ending: Ending::NoResults { text },
                seconds: None,
                solver,
                notes,
            });
        }
        self.exactly("RESULTS:")?;
        let checks = self.checks()?;
        let ending = self.verdict(&checks)?;
        while let Some(line) = self.peek() {
            if !(line.starts_with("** WARNING: ")
                || line.starts_with("[Kani] info: ")
                || line.starts_with("[Kani] tip: "))
            {
                break;
            }
            notes.push(line.to_string());
            self.at += 1;
        }
        let time = self.after("Verification Time: ")?;
        let Some(seconds) =
            time.strip_suffix('s').and_then(|time| time.parse::<f64>().ok()).filter(|time| *time >= 0.0)
        else {
            self.at -= 1;
            return self.damage("a verification time that is none");
        };
        self.exactly("")?;
        Ok(ProofText { name, checks, ending, seconds: Some(seconds), solver, notes })
    }

    /// What CBMC says while it works. It ends with `RESULTS:`, or with `CBMC failed` where there are none.
    fn cbmc_text(&mut self) -> Result<&'t [&'t str], Damage> {
        let start = self.at;
        loop {
            match self.peek() {
                None => return self.damage("it ends before `RESULTS:`"),
                Some("RESULTS:") => return Ok(&self.lines[start..self.at]),
                Some(line) if line.starts_with("CBMC failed") => return Ok(&self.lines[start..self.at]),
                Some(line) if is_marker(line) => {
                    return self.damage(format!("`{line}` does not belong before `RESULTS:`"));
                }
                Some(_) => self.at += 1,
            }
        }
    }

    /// `CBMC failed`, the verdict, and an explanation.
    fn no_results(&mut self) -> Result<String, Damage> {
        let mut text = self.next("CBMC failed")?.to_string();
        self.exactly("VERIFICATION:- FAILED")?;
        while let Some(line) = self.peek().filter(|line| !is_marker(line)) {
            if !line.is_empty() {
                text.push_str(": ");
                text.push_str(line);
            }
            self.at += 1;
        }
        Ok(text)
    }

    fn checks(&mut self) -> Result<Vec<Check>, Damage> {
        let mut checks: Vec<Check> = Vec::new();
        loop {
            match self.peek() {
                Some("") => {
                    self.at += 1;
                    self.exactly("SUMMARY:")?;
                    return Ok(checks);
                }
                _ => checks.push(self.check(checks.len() + 1)?),
            }
        }
    }

    fn check(&mut self, expected: usize) -> Result<Check, Damage> {
        let name = self.after(&format!("Check {expected}: "))?.to_string();
        let word = self.after("\t - Status: ")?;
        let Some(status) = Status::parse(word) else {
            self.at -= 1;
            return self.damage(format!("`{word}` is not a status that is known"));
        };
        let description = self.description()?;
        let location = match self.peek().and_then(|line| line.strip_prefix("\t - Location: ")) {
            Some(location) => {
                self.at += 1;
                Some(location.to_string())
            }
            None => None,
        };
        self.exactly("")?;
        let check = Check { name, status, description, location };
        if check.class().is_empty() || check.name.rsplit('.').next().and_then(number::<usize>).is_none() {
            return self.damage(format!("`{}` is not the name of a check", check.name));
        }
        let a_covers_status = matches!(status, Status::Satisfied | Status::Unsatisfiable);
        let an_asserts_status = matches!(status, Status::Success | Status::Failure);
        if check.is_cover() && an_asserts_status || !check.is_cover() && a_covers_status {
            return self.damage(format!("{} cannot be {word}", check.name));
        }
        Ok(check)
    }

    /// A description is quoted, and may hold line ends and quotes of its own: it ends with a quote before a location or an empty line.
    fn description(&mut self) -> Result<String, Damage> {
        let mut text = match self.after("\t - Description: ")?.strip_prefix('"') {
            Some(start) => start.to_string(),
            None => {
                self.at -= 1;
                return self.damage("a description without its quote");
            }
        };
        loop {
            let ends = self.peek().is_some_and(|line| line.is_empty() || line.starts_with("\t - Location: "));
            if ends && let Some(whole) = text.strip_suffix('"') {
                return Ok(whole.to_string());
            }
            let line = self.next("the end of a description")?;
            if is_marker(line) {
                self.at -= 1;
                return self.damage("a description that does not end");
            }
            text.push('\n');
            text.push_str(line);
        }
    }

    /// The counts, the failed checks and the verdict, each compared with the checks above.
    fn verdict(&mut self, checks: &[Check]) -> Result<Ending, Damage> {
        let count = |cover: bool, status: Status| {
            checks.iter().filter(|check| check.is_cover() == cover && check.status == status).count()
        };
        let counted = |cover: bool, hit: Status| Counts {
            of: checks.iter().filter(|check| check.is_cover() == cover).count(),
            hit: count(cover, hit),
            undetermined: count(cover, Status::Undetermined),
            unreachable: count(cover, Status::Unreachable),
        };
        self.counts(" failed", &counted(false, Status::Failure))?;
        if checks.iter().any(Check::is_cover) {
            self.exactly("")?;
            self.counts(" cover properties satisfied", &counted(true, Status::Satisfied))?;
            self.exactly("")?;
        }
        let failed: Vec<&Check> = checks.iter().filter(|check| check.status == Status::Failure).collect();
        self.failed_checks(&failed)?;
        self.exactly("")?;
        let words = self.after("VERIFICATION:- ")?;
        let (word, panics) = match words.split_once(" (") {
            None => (words, None),
            Some((word, rest)) => match rest.strip_suffix(')') {
                Some(info) => (word, Some(info.to_string())),
                None => {
                    self.at -= 1;
                    return self.damage("the verdict is cut");
                }
            },
        };
        self.ending(word, panics, &failed)
    }

    fn ending(&mut self, word: &str, panics: Option<String>, failed: &[&Check]) -> Result<Ending, Damage> {
        let only_panics = !failed.is_empty() && failed.iter().all(|check| check.class() == "assertion");
        let should_be = match panics.as_deref() {
            None if failed.is_empty() => "SUCCESSFUL",
            None => "FAILED",
            Some("encountered one or more panics as expected") if only_panics => "SUCCESSFUL",
            Some("encountered no panics, but at least one was expected") if failed.is_empty() => "FAILED",
            Some("encountered failures other than panics, which were unexpected")
                if !failed.is_empty() && !only_panics =>
            {
                "FAILED"
            }
            Some(_) => "",
        };
        if word != should_be {
            self.at -= 1;
            return self.damage(format!("the verdict {word} contradicts the checks above it"));
        }
        Ok(if word == "SUCCESSFUL" { Ending::Successful { panics } } else { Ending::Failed { panics } })
    }

    /// Reads ` ** 2 of 7 failed (1 undetermined,3 unreachable)` and compares it with what was counted.
    fn counts(&mut self, end: &str, counted: &Counts) -> Result<(), Damage> {
        let line = self.after(" ** ")?;
        let read = || -> Option<Counts> {
            let (hit, rest) = line.split_once(" of ")?;
            let (of, rest) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
            let mut counts = Counts { of: number(of)?, hit: number(hit)?, ..Counts::default() };
            let rest = rest.strip_prefix(end)?;
            if !rest.is_empty() {
                for part in rest.strip_prefix(" (")?.strip_suffix(')')?.split(',') {
                    let (count, kind) = part.split_once(' ')?;
                    let place = match kind {
                        "undetermined" => &mut counts.undetermined,
                        "unreachable" => &mut counts.unreachable,
                        _ => return None,
                    };
                    *place = number(count)?;
                }
            }
            Some(counts)
        };
        match read() {
            Some(counts) if counts == *counted => Ok(()),
            Some(_) => {
                self.at -= 1;
                self.damage(format!("`{}` contradicts the checks above it", line.trim()))
            }
            None => {
                self.at -= 1;
                self.damage("a sum that cannot be read")
            }
        }
    }

    /// Each failed check once more, in the same order, with its place where there is one.
    fn failed_checks(&mut self, failed: &[&Check]) -> Result<(), Damage> {
        for check in failed {
            let mut text = self.after("Failed Checks: ")?.to_string();
            while text != check.description && check.description.starts_with(&text) {
                text.push('\n');
                text.push_str(self.next("a failed check")?);
            }
            if text != check.description {
                self.at -= 1;
                return self.damage(format!("`{text}` is not the check that failed"));
            }
            if self.peek().is_some_and(|line| line.starts_with(" File: ")) {
                self.at += 1;
            }
        }
        Ok(())
    }

    /// The last lines, compared with the proofs above.
    fn summary(&mut self, proofs: &[ProofText]) -> Result<(), Damage> {
        self.skip_blank();
        if matches!(self.peek(), Some("Summary:" | "Manual Harness Summary:")) {
            self.at += 1;
        }
        let mut failed: Vec<&str> = Vec::new();
        while let Some(name) = self.peek().and_then(|line| line.strip_prefix("Verification failed for - ")) {
            failed.push(name);
            self.at += 1;
        }
        let succeeded = |proof: &&ProofText| matches!(proof.ending, Ending::Successful { .. });
        let mut broken: Vec<&str> =
            proofs.iter().filter(|proof| !succeeded(proof)).map(|proof| proof.name.as_str()).collect();
        failed.sort_unstable();
        broken.sort_unstable();
        if failed != broken {
            return self.damage("the proofs that failed are not those of the summary");
        }
        let (good, bad) = (proofs.len() - broken.len(), broken.len());
        let complete =
            format!("Complete - {good} successfully verified harnesses, {bad} failures, {} total.", proofs.len());
        if self.next("the summary")? != complete {
            self.at -= 1;
            return self.damage("the summary contradicts the proofs above it");
        }
        self.skip_blank();
        match self.peek() {
            None => Ok(()),
            Some(_) => self.damage("text after the end"),
        }
    }
}
