//! How a command ends when it cannot do what was asked: one line on stderr and a documented status.

use std::fmt::Display;
use std::process::ExitCode;

/// The documented exit statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Everything is as expected.
    AsExpected = 0,
    /// Some verdict is not as expected.
    NotAsExpected = 1,
    /// Wrong usage, or a broken environment.
    Usage = 2,
    /// Nothing was selected, or there is nothing to show.
    NothingSelected = 4,
    /// Undecided: a limit was hit.
    Undecided = 5,
    /// Stopped by Ctrl-C.
    Interrupted = 130,
    /// The reader of the output went away.
    ClosedPipe = 141,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}

/// Why a command stopped: a message for a person, in one line, and the status.
#[derive(Debug)]
pub struct Failure {
    /// What is wrong and what to do.
    pub message: String,
    /// The exit status.
    pub status: Status,
}

impl Failure {
    /// Wrong usage, or a broken environment.
    pub fn usage(message: impl Display) -> Self {
        Self { message: message.to_string(), status: Status::Usage }
    }
    /// Nothing was selected, or there is nothing to show.
    pub fn nothing(message: impl Display) -> Self {
        Self { message: message.to_string(), status: Status::NothingSelected }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        let status = if error.kind() == std::io::ErrorKind::BrokenPipe { Status::ClosedPipe } else { Status::Usage };
        Self { message: format!("cannot write the output: {error}"), status }
    }
}

/// ` (did you mean 'a' or 'b'?)` for the known names close to an unknown one, or nothing.
pub fn did_you_mean<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let mut close: Vec<(f64, &str)> = known
        .into_iter()
        .map(|name| (similarity(unknown, name), name))
        .filter(|(similarity, _)| *similarity >= 0.75)
        .collect();
    close.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    close.dedup_by_key(|(_, name)| *name);
    let names: Vec<String> = close.iter().take(3).map(|(_, name)| format!("'{name}'")).collect();
    if names.is_empty() { String::new() } else { format!(" (did you mean {}?)", names.join(" or ")) }
}

/// Close by spelling, or a part of the name.
fn similarity(unknown: &str, name: &str) -> f64 {
    let part = unknown.len() >= 3 && name.contains(unknown);
    if part { 0.9 } else { strsim::jaro_winkler(unknown, name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_gets_the_close_ones() {
        let known = ["io-bitmap", "ldt", "pkeys"];
        assert_eq!(did_you_mean("io-bitmpa", known), " (did you mean 'io-bitmap'?)");
        assert_eq!(did_you_mean("zzz", known), "");
    }
}
