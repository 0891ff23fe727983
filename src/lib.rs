//! kverdict: machine-checked verdicts on kernel patches.
//!
//! The command line tool as a library: [`main`] is the program. Models are in `models/`, the exact engine
//! in `checker/`, renderings in `reports/`; this crate joins them and knows about terminals.

mod ask;
mod catalogue;
mod check;
mod cli;
mod engine;
mod enumeration;
mod environment;
mod explore;
mod failure;
mod list;
mod litmus;
pub mod lkmm;
mod progress;
mod proof_records;
mod prove;
mod question;
mod random_tests;
mod report;
mod second_opinion;
mod show;
mod size;
mod table;
mod weak_memory;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{CommandFactory, Parser};

use cli::{CheckArgs, Cli, Command};
use failure::{Failure, Status};

/// Runs the program with these arguments, the first of which is its name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let result = parse(arguments).and_then(|parsed| match parsed {
        Parsed::Command(cli) => dispatch(*cli),
        Parsed::Printed => Ok(Status::AsExpected),
    });
    match result {
        Ok(status) => status.into(),
        Err(Failure { status: Status::ClosedPipe, .. }) => Status::ClosedPipe.into(),
        Err(failure) => {
            // If stderr is gone as well there is nobody left to tell.
            let _ = writeln!(anstream::stderr(), "kverdict: {}", failure.message);
            failure.status.into()
        }
    }
}

enum Parsed {
    Command(Box<Cli>),
    /// Help or the version, which has been printed.
    Printed,
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Parsed, Failure> {
    match Cli::try_parse_from(arguments) {
        Ok(cli) => Ok(Parsed::Command(Box::new(cli))),
        Err(error) if !error.use_stderr() => {
            let text = error.render();
            let mut out = anstream::stdout().lock();
            write!(out, "{}", text.ansi())?;
            out.flush()?;
            Ok(Parsed::Printed)
        }
        Err(error) => Err(Failure::usage(one_line(&error.render().to_string()))),
    }
}

/// The message of a parse error without the usage text behind it, in one line.
fn one_line(text: &str) -> String {
    let told = text.lines().take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    let words: Vec<&str> = told.flat_map(str::split_whitespace).collect();
    let message = words.join(" ");
    format!("{}; see 'kverdict --help'", message.strip_prefix("error: ").unwrap_or(&message))
}

fn dispatch(cli: Cli) -> Result<Status, Failure> {
    if let Some(Command::Explore(args)) = &cli.command {
        // A server has nothing to print at its end: Ctrl-C ends it at once, without a handler.
        return explore::run(args);
    }
    let stop = stop_on_ctrl_c()?;
    match cli.command {
        None => check::run(&CheckArgs::main_job(), &stop),
        Some(Command::Check(args)) => check::run(&args, &stop),
        Some(Command::List(args)) => list::run(&args),
        Some(Command::Show(args)) => show::run(&args, &stop),
        Some(Command::Prove(args)) => prove::run(&args, &stop),
        Some(Command::Report(args)) => report::run(&args),
        Some(Command::Explore(_)) => unreachable!("answered above"),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "kverdict", &mut script);
            anstream::stdout().lock().write_all(&script)?;
            Ok(Status::AsExpected)
        }
    }
}

/// A flag that Ctrl-C sets, so that a search stops and what is known is printed; a second Ctrl-C ends the
/// program at once.
fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(Status::Interrupted as i32);
        }
    };
    ctrlc::set_handler(handler).map_err(|error| Failure::usage(format!("cannot catch Ctrl-C: {error}")))?;
    Ok(stop)
}
