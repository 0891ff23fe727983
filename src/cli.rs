//! The command line: what can be asked, and which status answers it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::engine::Engine;

/// Machine-checked verdicts on kernel patches.
///
/// Exit status: 0 everything as expected; 1 some verdict is not; 2 wrong usage or a broken environment;
/// 4 nothing was selected; 5 undecided, a limit was hit; 130 stopped by Ctrl-C; 141 the reader of the output
/// went away.
#[derive(Debug, Parser)]
#[command(name = "kverdict", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do; without a command, `check` with no arguments.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Give a verdict on every variant, or on those named.
    Check(CheckArgs),
    /// List mechanisms, variants, expected verdicts and sources.
    List(ListArgs),
    /// Show the shortest counterexample as a timeline.
    Show(ShowArgs),
    /// Walk through a state space in the browser.
    Explore(ExploreArgs),
    /// Run and judge the Kani proofs.
    Prove(ProveArgs),
    /// Render results files, and compare them with a base.
    Report(ReportArgs),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Text for people or JSON for programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs; the form is described in docs/results-schema.md, that of `prove` in docs/proofs.md.
    Json,
}

/// Limits and sizes of a search.
#[derive(Args, Clone, Debug)]
pub struct SearchArgs {
    /// quick, deep, or values for single parameters: cpus=3,tasks=4 [default: quick]
    #[arg(long, value_name = "SIZE")]
    pub size: Option<String>,
    /// Threads: that many searches at once, or one with all of them [default: as many as the machine runs at once]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// Seconds for each verdict, after which it is UNDECIDED (proptest: tested on fewer schedules); loom and lkmm have bounds of their own.
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub timeout: Option<Duration>,
    /// Gigabytes of memory for each search, beyond which it is UNDECIDED. Where the machine has less than that for each
    /// of the searches, fewer are run at once.
    #[arg(long, value_name = "GB", default_value = "4", value_parser = gigabytes)]
    pub memory: u64,
    /// Merge states that differ only in the names of interchangeable CPUs, tasks or slots.
    #[arg(long)]
    pub symmetry: bool,
}

/// Arguments of `check`.
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// Mechanisms (`ldt`) or variants (`ldt/posted`); all if none is named.
    #[arg(value_name = "MECHANISM[/VARIANT]")]
    pub targets: Vec<String>,
    /// Only these engines.
    #[arg(long, value_name = "ENGINE", value_delimiter = ',')]
    pub engine: Vec<Engine>,
    /// Fail if this engine cannot run.
    #[arg(long, value_name = "ENGINE", value_delimiter = ',')]
    pub require: Vec<Engine>,
    /// Sizes and limits.
    #[command(flatten)]
    pub search: SearchArgs,
    /// Output for people or programs.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Also write the results as JSON to this file.
    #[arg(long, value_name = "FILE")]
    pub results: Option<PathBuf>,
    /// A kernel tree whose memory model the engine `lkmm` takes [env: KVERDICT_KERNEL_TREE]
    #[arg(long, value_name = "DIR")]
    pub kernel_tree: Option<PathBuf>,
    /// How many random cases `proptest` runs for each of its verdicts.
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub cases: u32,
    /// The seed of the random cases; the same seed makes the same cases.
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,
    /// Only part K of N of the selected verdicts; the parts together are all of them.
    #[arg(long, value_name = "K/N", value_parser = shard)]
    pub shard: Option<(u32, u32)>,
}

impl CheckArgs {
    /// The arguments of the main job: `check` without any.
    pub fn main_job() -> Self {
        match Cli::parse_from(["kverdict", "check"]).command {
            Some(Command::Check(args)) => args,
            _ => unreachable!("these arguments name the command"),
        }
    }
}

/// Arguments of `list`.
#[derive(Args, Clone, Debug)]
pub struct ListArgs {
    /// Mechanisms or variants; all if none is named.
    #[arg(value_name = "MECHANISM[/VARIANT]")]
    pub targets: Vec<String>,
    /// Output for people or programs.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// How a timeline is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ShowFormat {
    /// A column for each CPU or thread.
    #[default]
    Text,
    /// A Mermaid sequence diagram.
    Mermaid,
    /// A drawing.
    Svg,
    /// The same data for programs.
    Json,
}

/// Arguments of `show`.
#[derive(Args, Clone, Debug)]
pub struct ShowArgs {
    /// The variant.
    #[arg(value_name = "MECHANISM/VARIANT")]
    pub target: String,
    /// The property or witness to show [default: the broken property that tells most]
    #[arg(value_name = "PROPERTY")]
    pub property: Option<String>,
    /// Sizes and limits.
    #[command(flatten)]
    pub search: SearchArgs,
    /// Form of the timeline.
    #[arg(long, value_enum, default_value = "text")]
    pub format: ShowFormat,
}

/// Arguments of `explore`.
#[derive(Args, Clone, Debug)]
pub struct ExploreArgs {
    /// The mechanism or variant to begin with [default: the whole catalogue]
    #[arg(value_name = "MECHANISM[/VARIANT]")]
    pub target: Option<String>,
    /// Address and port to listen on.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:3000")]
    pub listen: std::net::SocketAddr,
    /// quick, deep, or values for single parameters.
    #[arg(long, value_name = "SIZE")]
    pub size: Option<String>,
    /// Serve Stateright's own Explorer on one variant instead.
    #[arg(long)]
    pub stock: bool,
}

/// What runs the proofs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProveEngine {
    /// Kani itself.
    Kani,
    /// The tests that run everywhere: that is tested and enumerated, not proved.
    Enumerate,
}

/// Arguments of `prove`.
#[derive(Args, Clone, Debug)]
pub struct ProveArgs {
    /// Full names of proofs; all if none is named.
    #[arg(value_name = "HARNESS")]
    pub proofs: Vec<String>,
    /// Also put each listed mutation in, in a copy, and see that its proof fails.
    #[arg(long)]
    pub mutations: bool,
    /// What runs the proofs.
    #[arg(long, value_enum, default_value = "kani")]
    pub engine: ProveEngine,
    /// Fail if this engine cannot run.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub require: Vec<ProveEngine>,
    /// Seconds that a proof may take, in place of what the census says.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub timeout: Option<u64>,
    /// At most so many mutations, evenly spread over the list.
    #[arg(long, value_name = "N")]
    pub sample: Option<usize>,
    /// Also write the proofs, with all that they assume, to FILE for `kverdict report`.
    #[arg(long, value_name = "FILE")]
    pub results: Option<PathBuf>,
    /// Output for people or programs.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// Arguments of `report`.
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// Results files, as `check` and `prove` write them with `--results FILE`; shards and engines are merged.
    #[arg(value_name = "RESULTS", required = true)]
    pub results: Vec<PathBuf>,
    /// A baseline or results file to compare with [default: reports/baseline.json, if it is there]
    #[arg(long, value_name = "FILE")]
    pub base: Option<PathBuf>,
    /// The folder for the report.
    #[arg(long, value_name = "DIR", default_value = "target/reports")]
    pub out: PathBuf,
    /// The results are of a selection: what they lack has not vanished.
    #[arg(long)]
    pub partial: bool,
    /// Bytes of summary.md, the Markdown for a job summary; a longer report is shortened and says so.
    #[arg(long, value_name = "BYTES", default_value = "1048576", value_parser = limit)]
    pub summary_limit: usize,
    /// Bytes of comment.md, the Markdown for a comment on a pull request.
    #[arg(long, value_name = "BYTES", default_value = "65536", value_parser = limit)]
    pub comment_limit: usize,
    /// Where all of a shortened report is to be found.
    #[arg(long, value_name = "URL")]
    pub link: Option<String>,
    /// Write the baseline from these results instead of a report.
    #[arg(long)]
    pub update_baseline: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "not a number of seconds".to_string())?;
    if !(0.001..=1e6).contains(&number) {
        return Err("0.001 to 1000000 seconds".to_string());
    }
    Ok(Duration::from_secs_f64(number))
}

/// Gigabytes to bytes.
fn gigabytes(text: &str) -> Result<u64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number of gigabytes".to_string())?;
    if !(0.001..=65536.0).contains(&number) {
        return Err("0.001 to 65536 gigabytes".to_string());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and far below 2^63")]
    Ok((number * 1e9) as u64)
}

/// Bytes of a shortened report: below a thousand there is no room for the note that it is shortened.
fn limit(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|bytes| *bytes >= 1_000).ok_or("a number of bytes, at least 1000".to_string())
}

fn shard(text: &str) -> Result<(u32, u32), String> {
    let parsed = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
    match parsed {
        Some((k, n)) if (1..=n).contains(&k) && n <= 10_000 => Ok((k, n)),
        _ => Err("K/N with 1 <= K <= N <= 10000".to_string()),
    }
}
