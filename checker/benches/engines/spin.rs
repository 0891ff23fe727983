//! SPIN, if it is installed: `spin -a`, then `gcc -O3 -DSAFETY`, then the search itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Run;
use super::models_here::Subject;

/// A compiled verifier.
pub(crate) struct Spin {
    pan: PathBuf,
    subject: Subject,
}

/// All states in full, without partial order reduction (which here reduces nothing but would be another search),
/// and with a table that is large enough from the start.
const GCC: [&str; 4] = ["-O3", "-DSAFETY", "-DNOREDUCE", "-DMEMLIM=8000"];
const PAN: [&str; 2] = ["-m1000000", "-w24"];

/// How SPIN is called, for the table.
pub(crate) fn commands() -> String {
    format!("spin -a, gcc {}, pan {}", GCC.join(" "), PAN.join(" "))
}

/// Compiles the twin of a model, in a directory of its own.
pub(crate) fn build(subject: Subject) -> Result<Spin, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("promela").join(subject.name());
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(subject.name());
    std::fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
    let source = source.with_extension("pml");
    call(Command::new("spin").current_dir(&directory).arg("-a").arg(source))?;
    call(Command::new("gcc").current_dir(&directory).args(GCC).args(["-o", "pan", "pan.c"]))?;
    Ok(Spin { pan: directory.join("pan"), subject })
}

fn call(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program}: {error} (Debian: apt-get install spin gcc)"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Ok(text) } else { Err(format!("{program}: {text}")) }
}

impl Spin {
    pub(crate) fn run(&self) -> Run {
        let directory = self.pan.parent().expect("a directory");
        let text = call(Command::new(&self.pan).current_dir(directory).args(PAN)).expect("pan can be run");
        assert!(text.contains("errors: 0"), "{text}");
        let (more_states, more_transitions) = self.subject.more_in_spin();
        let run = Run {
            states: number(&text, "states, stored") as u64 - more_states,
            transitions: number(&text, "transitions (= stored+matched)") as u64 - more_transitions,
            seconds: elapsed(&text),
            peak_bytes: (number(&text, "total actual memory usage") * 1024.0 * 1024.0) as u64,
        };
        self.subject.assert_counts("SPIN", run.states, run.transitions);
        run
    }
}

/// The number at the beginning of the line that ends with `what`.
fn number(text: &str, what: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_suffix(what));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or_else(|| panic!("no '{what}' in {text}"))
}

/// The line `pan: elapsed time 3.56 seconds`.
fn elapsed(text: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix("pan: elapsed time "));
    let seconds = line.and_then(|line| line.strip_suffix(" seconds")?.parse().ok());
    seconds.unwrap_or_else(|| panic!("no time in {text}"))
}
