//! Distinct states per second and memory per state: the exact engine, Stateright and SPIN on the same models.
//!
//! ```text
//! cargo bench -p kverdict-benches                        measures; some minutes
//! KVERDICT_WRITE=1 cargo bench -p kverdict-benches       and writes the table in docs/performance.md
//! ```
//!
//! Each search runs in a process of its own (this program again, or SPIN's `pan`), so that the peak memory is
//! that of one search. Every search must find the same distinct states and transitions, or the bench fails.
//! The time is that of the search alone, without starting a process; SPIN tells its own.
//!
//! The engines take turns, so that a slow minute of the machine is shared by all; a slow engine sits out most
//! rounds. Criterion gets the runs of those that were in all rounds, one a sample.

mod models_here;
mod spin;
mod table;

use std::process::Command;
use std::time::{Duration, Instant};

use checker::{Checkable, Checker};
use criterion::{Criterion, SamplingMode, Throughput};
use models::machine::Machine as _;
use stateright::{Checker as _, Model};

use models_here::Subject;
use table::Row;

/// One search: what it found, how long it took, and how much memory it needed at most.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Run {
    states: u64,
    transitions: u64,
    seconds: f64,
    peak_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Exact(usize),
    /// With everything that `kverdict check` asks: all properties, deadlocks, kinds of step.
    ExactWithEverything(usize),
    StaterightBfs(usize),
    StaterightDfs(usize),
    Spin,
}

const ENGINES: [(&str, Engine); 8] = [
    ("exact, 1 thread", Engine::Exact(1)),
    ("exact, 2 threads", Engine::Exact(2)),
    ("exact, 1 thread, all properties", Engine::ExactWithEverything(1)),
    ("Stateright BFS, 1 thread", Engine::StaterightBfs(1)),
    ("Stateright BFS, 2 threads", Engine::StaterightBfs(2)),
    ("Stateright DFS, 1 thread", Engine::StaterightDfs(1)),
    ("Stateright DFS, 2 threads", Engine::StaterightDfs(2)),
    ("SPIN", Engine::Spin),
];

/// The subject and engine that this process shall run, if it was started for that.
const ONE: &str = "KVERDICT_BENCH_ONE";

/// Criterion wants ten samples at least; two threads need more for a median that tells them from the minute.
const ROUNDS: usize = 20;
/// An engine that needs longer than this for a search takes part in every third round only.
const SLOW_SECONDS: f64 = 2.5;

fn main() {
    if let Ok(one) = std::env::var(ONE) {
        let (subject, engine) = one.split_once('/').expect("subject/engine");
        print_run(run_here(Subject::named(subject), named(engine)));
        return;
    }
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("not run: this measures for minutes, and only with `cargo bench`");
        return;
    }
    let rows: Vec<Row> = Subject::ALL.into_iter().flat_map(measure).collect();
    let mut criterion = Criterion::default().configure_from_args();
    for row in rows.iter().filter(|row| row.runs.len() == ROUNDS) {
        report(&mut criterion, row);
    }
    criterion.final_summary();
    table::publish(&rows);
}

/// Runs all engines in turns.
fn measure(subject: Subject) -> Vec<Row> {
    let spin = spin::build(subject);
    if let Err(reason) = &spin {
        println!("SPIN is not run on {}: {reason}", subject.name());
    }
    let engines = ENGINES.into_iter().filter(|(_, engine)| *engine != Engine::Spin || spin.is_ok());
    let mut rows: Vec<Row> = engines.map(|(name, engine)| Row { subject, name, engine, runs: Vec::new() }).collect();
    for round in 0..ROUNDS {
        println!("{}: round {} of {ROUNDS}", subject.name(), round + 1);
        // Another one begins each time: what a search leaves behind is for the next, as memory that the host has to find
        // again.
        let begin = round % rows.len();
        let (first, last) = rows.split_at_mut(begin);
        for row in last.iter_mut().chain(first) {
            let slow = row.runs.first().is_some_and(|run| run.seconds > SLOW_SECONDS);
            if slow && round % 3 != 0 {
                continue;
            }
            row.runs.push(match (row.engine, &spin) {
                (Engine::Spin, Ok(spin)) => spin.run(),
                _ => run_apart(subject, row.name),
            });
        }
    }
    rows
}

/// Hands the runs to Criterion: one is its warm-up as well, and then each is one sample.
fn report(criterion: &mut Criterion, row: &Row) {
    let mut group = criterion.benchmark_group(row.subject.name());
    group.sampling_mode(SamplingMode::Flat).sample_size(ROUNDS);
    group.warm_up_time(Duration::from_nanos(1)).measurement_time(Duration::from_nanos(1));
    group.throughput(Throughput::Elements(row.runs[0].states));
    let mut runs = row.runs[..1].iter().chain(&row.runs);
    group.bench_function(row.name, |bencher| {
        bencher.iter_custom(|times| {
            assert_eq!(times, 1, "a sample is one run");
            Duration::from_secs_f64(runs.next().expect("a run for each sample").seconds)
        });
    });
    group.finish();
}

fn named(name: &str) -> Engine {
    ENGINES.iter().find(|(known, _)| *known == name).expect("a name from the list").1
}

/// Runs a search in this program, started once more.
fn run_apart(subject: Subject, engine: &str) -> Run {
    let program = std::env::current_exe().expect("this program has a path");
    let output = Command::new(program).env(ONE, format!("{}/{engine}", subject.name())).output();
    let output = output.expect("this program can be started");
    assert!(output.status.success(), "{engine}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("numbers");
    let line = text.lines().find_map(|line| line.strip_prefix("run ")).expect("a line of numbers");
    let mut numbers = line.split(' ');
    let mut next = || numbers.next().expect("four numbers");
    let run = Run {
        states: next().parse().expect("states"),
        transitions: next().parse().expect("transitions"),
        seconds: next().parse().expect("seconds"),
        peak_bytes: next().parse().expect("bytes"),
    };
    subject.assert_counts(engine, run.states, run.transitions);
    run
}

fn print_run(run: Run) {
    println!("run {} {} {} {}", run.states, run.transitions, run.seconds, run.peak_bytes);
}

fn run_here(subject: Subject, engine: Engine) -> Run {
    let before = memory("VmRSS:");
    let (states, transitions, seconds) = match subject {
        Subject::TwoPhaseCommit7 => match engine {
            Engine::ExactWithEverything(threads) => exact(models_here::checker_of_two_phase_commit(threads)),
            _ => search(models_here::two_phase_commit(), engine, |claims, state, step| {
                claims.model.step_in_place(state, step)
            }),
        },
        Subject::IoBitmap => match engine {
            Engine::ExactWithEverything(threads) => exact(models_here::checker_of_io_bitmap(threads)),
            _ => search(models_here::io_bitmap(), engine, |claims, state, step| {
                claims.model.0.step_in_place(state, step)
            }),
        },
    };
    Run { states, transitions, seconds, peak_bytes: memory("VmHWM:").saturating_sub(before) }
}

/// Searches a model; the exact engine takes steps in place, as `kverdict check` does.
fn search<M>(model: M, engine: Engine, in_place: fn(&M, &mut M::State, M::Action) -> bool) -> (u64, u64, f64)
where
    M: Checkable + Send + 'static,
    M::State: 'static,
    M::Action: Clone + PartialEq,
{
    match engine {
        Engine::Exact(threads) => exact(Checker::new(&model).threads(threads).in_place(in_place)),
        Engine::StaterightBfs(threads) => stateright(|| model.checker().threads(threads).spawn_bfs().join()),
        Engine::StaterightDfs(threads) => stateright(|| model.checker().threads(threads).spawn_dfs().join()),
        Engine::ExactWithEverything(_) | Engine::Spin => unreachable!("run elsewhere"),
    }
}

fn exact<M: Checkable>(checker: Checker<'_, M>) -> (u64, u64, f64) {
    let started = Instant::now();
    let report = checker.run().expect("the models are sound");
    // Without the time to give the memory back, as for the others.
    let seconds = report.elapsed.as_secs_f64().min(started.elapsed().as_secs_f64());
    assert!(report.saw_everything());
    (report.states, report.transitions, seconds)
}

fn stateright<M: Model, C: stateright::Checker<M>>(run: impl FnOnce() -> C) -> (u64, u64, f64) {
    let started = Instant::now();
    let checker = run();
    let seconds = started.elapsed().as_secs_f64();
    // It counts the initial state as generated.
    let found = (checker.unique_state_count() as u64, checker.state_count() as u64 - 1, seconds);
    // The process ends soon, and gives its memory back faster.
    std::mem::forget(checker);
    found
}

/// A line of `/proc/self/status`, in bytes; 0 where there is no such file.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = status.lines().find_map(|text| text.strip_prefix(line)).unwrap_or("0 kB");
    value.trim().trim_end_matches(" kB").parse().map_or(0, |kilobytes: u64| kilobytes * 1024)
}
