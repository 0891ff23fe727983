//! Loom and the kernel's memory model, outcome by outcome: every litmus test of `harnesses/litmus` is run under loom, and
//! what comes out is compared with what its header says of herd7.
//!
//! The headers hold herd7's whole set of outcomes and its flags; `cargo test --test lkmm` and `kverdict check --engine lkmm`
//! compare them with herd7 itself, so this test needs no herd7. A difference is a failure unless a `Loom` line of the
//! header lists it with its reason, and so is a listed difference that does not occur:
//!
//! ```text
//!  * Loom: adds 1:r0=new; 1:r1=0;: what loom shows and the kernel's model forbids
//!  * Loom: lacks 0:r0=0; 1:r0=1;: what the kernel's model allows and loom never shows
//!  * Loom: race: loom calls a data race what is none in the kernel
//!  * Loom: no race: the other way round
//! ```

use harnesses::litmus::{LitmusRun, Program};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A test: the program, what the header says of herd7, and the differences that it lists.
struct Test {
    program: Program,
    outcomes: BTreeSet<String>,
    race: bool,
    listed: BTreeSet<String>,
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in the project").to_path_buf()
}

/// herd7's outcomes, each as its assignments in order.
fn sorted(outcome: &str) -> String {
    let mut parts: Vec<&str> = outcome.split(';').map(str::trim).filter(|part| !part.is_empty()).collect();
    parts.sort_unstable();
    parts.join("; ") + ";"
}

/// The fields of a header: a field goes on over lines that are indented further.
fn fields(text: &str) -> Vec<(String, Vec<String>)> {
    let header = text.split_once("(*\n").and_then(|(_, rest)| rest.split_once("\n *)")).expect("it has a header").0;
    let mut fields: Vec<(String, Vec<String>)> = Vec::new();
    for line in header.lines().map(|line| line.strip_prefix(" * ").unwrap_or(line)) {
        match line.strip_prefix("  ") {
            Some(more) => fields.last_mut().expect("a field is before it").1.push(more.trim().to_string()),
            None => {
                let (key, value) = line.split_once(':').expect("a field has a colon");
                fields.push((key.to_string(), vec![value.trim().to_string()]));
            }
        }
    }
    fields
}

impl Test {
    fn read(path: &Path) -> Test {
        let text = std::fs::read_to_string(path).expect("the file can be read");
        let program = Program::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let fields = fields(&text);
        let all = |key: &str| fields.iter().filter(|(name, _)| name == key).map(|(_, lines)| lines).collect::<Vec<_>>();
        let outcomes = all("Outcomes")[0].iter().filter(|line| !line.is_empty()).map(|line| sorted(line)).collect();
        let race = all("Flags")[0].iter().any(|line| line.contains("data-race"));
        let difference = |lines: &Vec<String>| {
            let line = lines.join(" ");
            let (difference, reason) = line.split_once(": ").unwrap_or_else(|| panic!("no reason: {line}"));
            assert!(reason.len() > 20, "{reason:?} is no reason");
            match difference.split_once(' ') {
                Some((word @ ("adds" | "lacks"), outcome)) => format!("{word} {}", sorted(outcome)),
                _ => difference.to_string(),
            }
        };
        let listed: Vec<String> = all("Loom").into_iter().map(difference).collect();
        let count = listed.len();
        let listed: BTreeSet<String> = listed.into_iter().collect();
        assert_eq!(listed.len(), count, "{}: a difference is listed twice", path.display());
        Test { program, outcomes, race, listed }
    }

    /// Everything in which loom's answer differs from herd7's, in the words of a `Loom` line.
    fn differences(&self, run: &LitmusRun) -> BTreeSet<String> {
        let mut differences = BTreeSet::new();
        let seen: BTreeSet<String> = run.outcomes.keys().map(|outcome| sorted(outcome)).collect();
        differences.extend(seen.difference(&self.outcomes).map(|outcome| format!("adds {outcome}")));
        differences.extend(self.outcomes.difference(&seen).map(|outcome| format!("lacks {outcome}")));
        match (run.race.is_some(), self.race) {
            (true, false) => _ = differences.insert("race".to_string()),
            (false, true) => _ = differences.insert("no race".to_string()),
            _ => {}
        }
        differences
    }
}

fn tests() -> Vec<Test> {
    let folder = project().join("harnesses/litmus");
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "litmus"));
    files.sort();
    assert!(files.len() >= 79, "{} litmus tests", files.len());
    files.iter().map(|file| Test::read(file)).collect()
}

/// The column "loom" of docs/memory-models.md, by the name of the test.
fn documented() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(project().join("docs/memory-models.md")).expect("the page is there");
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        (cells[1].trim_matches('`').to_string(), cells[4].to_string())
    };
    text.lines().filter(|line| line.starts_with("| `")).map(row).collect()
}

#[test]
fn loom_and_the_kernels_model_agree_but_for_what_is_listed() {
    let documented = documented();
    let mut problems = Vec::new();
    for test in tests() {
        let name = &test.program.name;
        let run = test.program.run().unwrap_or_else(|error| panic!("{error}"));
        let differences = test.differences(&run);
        problems.extend(differences.difference(&test.listed).map(|d| format!("{name}: not listed: {d}")));
        problems.extend(test.listed.difference(&differences).map(|d| format!("{name}: listed, but does not occur: {d}")));
        let word = if run.race.is_some() { "race" } else { run.observation() };
        if documented.get(name).map(String::as_str) != Some(word) {
            problems.push(format!("{name}: loom says {word}, docs/memory-models.md {:?}", documented.get(name)));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
