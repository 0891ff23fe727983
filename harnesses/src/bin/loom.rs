//! Runs the loom scenarios: `loom [--deep] [--litmus] [--outcomes] [NAME]...`, a name being a mechanism or a scenario.
//!
//! `--deep` drops the preemption bounds and adds scenarios with more threads. `--litmus` adds the litmus tests of the primitives. `--outcomes` prints what was observed.

use harnesses::scenario::{Bounds, Expected, Scenario};
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let (deep, outcomes) = (has("--deep"), has("--outcomes"));
    let names: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let wanted = |s: &&Scenario| names.is_empty() || names.iter().any(|n| *n == s.mechanism || *n == s.variant);
    let litmus = if has("--litmus") { harnesses::scenarios::primitives::LITMUS } else { &[] };
    let deeper = if deep { harnesses::scenarios::deep::DEEP } else { &[] };
    let chosen: Vec<_> = harnesses::scenarios::scenarios().iter().chain(litmus).chain(deeper).filter(wanted).collect();
    if chosen.is_empty() {
        eprintln!("no scenario has that name");
        return ExitCode::from(4);
    }
    let begin = Instant::now();
    let wrong = chosen.iter().filter(|scenario| !shown(scenario, deep, outcomes)).count();
    println!("{} scenarios, {wrong} not as expected, {:.1} s", chosen.len(), begin.elapsed().as_secs_f64());
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one scenario and prints its line. Returns whether it was as expected.
fn shown(scenario: &Scenario, deep: bool, outcomes: bool) -> bool {
    let begin = Instant::now();
    let run = if deep { (scenario.explore)(Bounds::NONE) } else { scenario.run() };
    let seconds = begin.elapsed().as_secs_f64();
    let expected = match scenario.expected {
        Expected::Holds => "HOLDS",
        Expected::Broken(_) => "BROKEN",
    };
    let judged = scenario.judge(&run);
    let verdict = judged.as_ref().err().map_or("as expected", String::as_str);
    println!(
        "{:<12} {:<36} {expected:<6} {:>9} executions {seconds:>6.2} s  {verdict}{}",
        scenario.mechanism,
        scenario.variant,
        run.executions,
        run.bounded.as_ref().map_or(String::new(), |bound| format!(" ({bound})")),
    );
    if outcomes {
        if let Some(panic) = &run.panic {
            println!("    {panic}");
        }
        for outcome in &run.outcomes {
            println!("    {outcome}");
        }
    }
    judged.is_ok()
}
