//! The table of one run, and how far the engine is from what the memory can do.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use super::models_here::Subject;
use super::{Engine, Run, spin};

/// All runs of one engine on one model.
pub(crate) struct Row {
    pub(crate) subject: Subject,
    pub(crate) name: &'static str,
    pub(crate) engine: Engine,
    pub(crate) runs: Vec<Run>,
}

impl Row {
    /// The median: half of the runs were faster.
    fn seconds(&self) -> f64 {
        let mut seconds: Vec<f64> = self.runs.iter().map(|run| run.seconds).collect();
        seconds.sort_by(f64::total_cmp);
        seconds[seconds.len() / 2]
    }
    fn fastest(&self) -> f64 {
        self.runs.iter().map(|run| run.seconds).fold(f64::INFINITY, f64::min)
    }
    fn rate(&self) -> f64 {
        self.runs[0].states as f64 / self.seconds()
    }
    fn peak_bytes(&self) -> f64 {
        self.runs.iter().map(|run| run.peak_bytes).max().unwrap_or(0) as f64
    }
}

/// Prints the tables, and writes them to docs/performance.md if asked to.
pub(crate) fn publish(rows: &[Row]) {
    let mut text = String::new();
    for subject in Subject::ALL {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.subject == subject).collect();
        if !rows.is_empty() {
            table(&mut text, subject, &rows).expect("a string takes everything");
        }
    }
    machine(&mut text).expect("a string takes everything");
    println!("{text}");
    if std::env::var_os("KVERDICT_WRITE").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/performance.md");
        let document = std::fs::read_to_string(&path).expect("docs/performance.md");
        let (head, rest) = document.split_once(BEGIN).expect("the first mark");
        let (_, tail) = rest.split_once(END).expect("the second mark");
        std::fs::write(&path, format!("{head}{BEGIN}\n{text}{END}{tail}")).expect("it can be written");
    }
}

const BEGIN: &str = "<!-- measured: written by the bench -->";
const END: &str = "<!-- end of measured -->";

fn table(text: &mut String, subject: Subject, rows: &[&Row]) -> std::fmt::Result {
    let run = rows[0].runs[0];
    let (states, transitions) = (run.states, run.transitions);
    let size = subject.bytes_of_a_state();
    writeln!(text, "\n### {}\n", subject.name())?;
    writeln!(text, "{states} distinct states of {size} bytes, {transitions} transitions.\n")?;
    writeln!(text, "| engine | million states per second | seconds: median (fastest) | runs | peak bytes per state |")?;
    writeln!(text, "| --- | ---: | ---: | ---: | ---: |")?;
    for row in rows {
        let (rate, seconds, fastest, runs) = (row.rate() / 1e6, row.seconds(), row.fastest(), row.runs.len());
        let bytes = row.peak_bytes() / states as f64;
        writeln!(text, "| {} | {rate:.2} | {seconds:.3} ({fastest:.3}) | {runs} | {bytes:.1} |", row.name)?;
    }
    targets(text, rows, size)?;

    let Some(exact) = rows.iter().find(|row| row.engine == Engine::Exact(1)) else { return Ok(()) };
    let probes = random_probes_per_second(exact.peak_bytes() as usize);
    // Every transition looks at the index, and every one to a known state at that state.
    let least = (transitions + (transitions - (states - 1))) as f64 / probes;
    writeln!(
        text,
        "- random independent probes into {:.0} MB, the memory of that search: {:.0} million per second. One for each \
         transition (the index) and one more for each that leads to a known state (to compare it) take {least:.3} s; \
         the search with one thread took {:.1} times that.",
        exact.peak_bytes() / 1e6,
        probes / 1e6,
        exact.seconds() / least
    )
}

/// What was to be reached, and what was.
fn targets(text: &mut String, rows: &[&Row], size: usize) -> std::fmt::Result {
    let best = |wanted: fn(Engine) -> bool| {
        let rows = rows.iter().filter(|row| wanted(row.engine));
        rows.copied().max_by(|a, b| a.rate().total_cmp(&b.rate()))
    };
    let Some(exact) = best(|engine| engine == Engine::Exact(1)) else { return Ok(()) };
    writeln!(text, "\n| target | measured | |\n| --- | ---: | --- |")?;
    let mut line = |target: String, measured: f64, met: bool| {
        writeln!(text, "| {target} | {measured:.2} | {} |", if met { "reached" } else { "missed" })
    };
    let against = [
        (best(|engine| matches!(engine, Engine::StaterightBfs(_))), 3.0),
        (best(|engine| engine == Engine::StaterightDfs(1)), 3.0),
        (best(|engine| matches!(engine, Engine::StaterightBfs(_) | Engine::StaterightDfs(_))), 3.0),
        (best(|engine| engine == Engine::Spin), 1.5),
    ];
    for (other, least) in against {
        let Some(other) = other else { continue };
        let times = exact.rate() / other.rate();
        line(format!("exact, 1 thread, at least {least} times {}", other.name), times, times >= least)?;
    }
    if let Some(two) = best(|engine| engine == Engine::Exact(2)) {
        let times = two.rate() / exact.rate();
        line("exact, 2 threads, at least 1.6 times 1 thread".to_string(), times, times >= 1.6)?;
    }
    for row in rows.iter().filter(|row| matches!(row.engine, Engine::Exact(_))) {
        let beyond = row.peak_bytes() / row.runs[0].states as f64 - size as f64;
        line(format!("{}: at most 20 bytes a state beyond its {size}", row.name), beyond, beyond <= 20.0)?;
    }
    writeln!(text)
}

/// How often per second one thread can read a random place, if no read waits for another: the best of several passes,
/// because this is a limit.
fn random_probes_per_second(bytes: usize) -> f64 {
    const PASSES: usize = 10;
    const PROBES: u64 = 10_000_000;
    let words: Vec<u64> = (0..(bytes / 8).max(1) as u64).collect();
    let pass = |_| {
        let (mut random, mut sum) = (1_u64, 0_u64);
        let started = Instant::now();
        for _ in 0..PROBES {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let place = ((u128::from(random) * words.len() as u128) >> 64) as usize;
            sum = sum.wrapping_add(words[place]);
        }
        std::hint::black_box(sum);
        PROBES as f64 / started.elapsed().as_secs_f64()
    };
    (0..PASSES).map(pass).fold(0.0, f64::max)
}

fn machine(text: &mut String) -> std::fmt::Result {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |name: &str| {
        let line = cpuinfo.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown").to_string()
    };
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown");
    writeln!(
        text,
        "\nMachine: {processors} processors ({}, family {}, model {}, cache {}), load average at the end {load}. SPIN: {}.",
        value("model name"),
        value("cpu family"),
        value("model\t"),
        value("cache size"),
        spin::commands()
    )
}
