//! Running the program as a person would.

use std::process::{Command, Output};

use reports::results::Run;

/// Runs `kverdict` with these arguments.
pub fn kverdict(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_kverdict");
    Command::new(program).args(arguments).env_remove("NO_COLOR").output().expect("the program starts")
}

/// Runs `kverdict` with these arguments and reads the results document it prints.
pub fn run_json(arguments: &[&str]) -> Run {
    let output = kverdict(arguments);
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    Run::from_json(&text)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}; stderr: {}", String::from_utf8_lossy(&output.stderr)))
}
