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
use harnesses::scenario::Expected;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A test: the program, what the header says of herd7, and the differences that it lists.
struct Test {
    program: Program,
    never: bool,
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
        let never = all("Result")[0][0] == "Never";
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
        Test { program, never, outcomes, race, listed }
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
    assert!(files.len() >= 108, "{} litmus tests", files.len());
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
        problems
            .extend(test.listed.difference(&differences).map(|d| format!("{name}: listed, but does not occur: {d}")));
        let word = if run.race.is_some() { "race" } else { run.observation() };
        if documented.get(name).map(String::as_str) != Some(word) {
            problems.push(format!("{name}: loom says {word}, docs/memory-models.md {:?}", documented.get(name)));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// What a scenario of a port shows, and the outcomes of the litmus test of the same name that are the same.
///
/// Every outcome of either side stands here, where both sets are whole. One side may look closer than the other.
type Pair = (&'static str, &'static [(&'static str, &'static [&'static str])]);

const FOUR: [&str; 4] = ["0:r0=0; 1:r1=0;", "0:r0=0; 1:r1=1;", "0:r0=1; 1:r1=0;", "0:r0=1; 1:r1=1;"];
/// Flush and bind: P0 is the flush (`r0`: it found the function), P1 the device (`r1`: it has cached the old entry).
const BUFFERED: &[(&str, &[&str])] = &[
    ("called with PASID 1, stale=0", &[FOUR[2], FOUR[3]]),
    ("not called, stale=0", &[FOUR[0]]),
    ("not called, stale=1", &[FOUR[1]]),
];
const FLUSHED: &[(&str, &[&str])] =
    &[("called with PASID 1, stale=0", &[FOUR[2], FOUR[3]]), ("not called, stale=0", &[FOUR[0]])];
/// The CPU that switches uses descriptor 1, unless it has the old LDT and got no interrupt.
const SWITCHED: [&str; 4] = ["0:r0=0; 1:r0=new;", "0:r0=1; 1:r0=new;", "0:r0=1; 1:r0=old;", "0:r0=0; 1:r0=old;"];
const MISSED: &[(&str, &[&str])] = &[("1", &[SWITCHED[0], SWITCHED[1], SWITCHED[2]]), ("none", &[SWITCHED[3]])];
const NUMBERS: [&str; 3] = ["0:r0=1; 1:r0=1; [next]=1;", "0:r0=1; 1:r0=2; [next]=2;", "0:r0=2; 1:r0=1; [next]=2;"];

/// The pairs.
const PAIRS: &[Pair] = &[
    (
        "io-bitmap-drop-load-store",
        &[
            ("0 bitmaps", &["0:r1=0; 1:r1=1; [references]=0;", "0:r1=1; 1:r1=0; [references]=0;"]),
            ("1 bitmaps", &["0:r1=1; 1:r1=1; [references]=1;"]),
        ],
    ),
    (
        "io-bitmap-drop-release-acquire",
        &[("0 bitmaps", &["0:r0=7; 0:r1=0; 1:r1=1; [object]=7;", "0:r0=7; 0:r1=1; 1:r1=0; [object]=0;"])],
    ),
    (
        "io-bitmap-migrate-on-cpu",
        &[
            ("taken=false permitted=0b0", &["1:r0=1; 1:r1=-1; 1:r2=-1;"]),
            ("taken=true permitted=0b11", &["1:r0=0; 1:r1=1; 1:r2=1;"]),
        ],
    ),
    (
        "io-bitmap-migrate-runqueue-lock",
        &[
            ("taken=false permitted=0b0", &["1:r0=0; 1:r1=-1; 1:r2=-1;"]),
            ("taken=true permitted=0b11", &["1:r0=1; 1:r1=1; 1:r2=1;"]),
        ],
    ),
    // The port copies whatever the number is, the test only when it is new.
    (
        "io-bitmap-remote-copy-once",
        &[
            ("number=0 bits=0", &["1:r0=0; 1:r1=-1;"]),
            ("number=0 bits=1", &["1:r0=0; 1:r1=-1;"]),
            ("number=1 bits=0", &["1:r0=1; 1:r1=0;"]),
            ("number=1 bits=1", &["1:r0=1; 1:r1=1;"]),
        ],
    ),
    (
        "io-bitmap-remote-copy-release",
        &[
            ("number=0 bits=0", &["1:r0=0; 1:r1=-1;"]),
            ("number=0 bits=1", &["1:r0=0; 1:r1=-1;"]),
            ("number=1 bits=1", &["1:r0=1; 1:r1=1;"]),
        ],
    ),
    (
        "io-bitmap-remote-copy-sequence-first",
        &[
            ("number=0 bits=0", &["1:r0=0; 1:r1=0;"]),
            ("number=0 bits=1", &["1:r0=0; 1:r1=1;"]),
            ("number=1 bits=0", &["1:r0=1; 1:r1=0;"]),
            ("number=1 bits=1", &["1:r0=1; 1:r1=1;"]),
        ],
    ),
    // In the port both edits race with the copy, in the test the second alone.
    (
        "io-bitmap-remote-copy-in-place",
        &[
            ("number=0 bits=0", &[]),
            ("number=0 bits=1", &[]),
            ("number=0 bits=2", &[]),
            ("number=1 bits=1", &["1:r0=1; 1:r1=1;"]),
            ("number=1 bits=2", &["1:r0=1; 1:r1=2;"]),
            ("number=2 bits=2", &["1:r0=2; 1:r1=2;"]),
        ],
    ),
    ("io-bitmap-sequence-load-store", &[("1 1", &[NUMBERS[0]]), ("1 2", &[NUMBERS[1]]), ("2 1", &[NUMBERS[2]])]),
    ("io-bitmap-sequence-unique", &[("1 2", &[NUMBERS[1]]), ("2 1", &[NUMBERS[2]])]),
    ("iommu-flush-bind-binder-barrier", BUFFERED),
    ("iommu-flush-bind-flusher-barrier", BUFFERED),
    ("iommu-flush-bind-no-barrier", BUFFERED),
    ("iommu-flush-bind-both-barriers", FLUSHED),
    ("iommu-flush-users-check", FLUSHED),
    // In the port the PASID data are behind the unordered count as well.
    (
        "iommu-flush-users-check-unordered",
        &[("called with PASID 0, stale=0", &[]), BUFFERED[0], BUFFERED[1], BUFFERED[2]],
    ),
    (
        "iommu-flush-grace-period",
        &[
            ("called with PASID 1", &["0:r0=pasid; 0:r1=1; [pasid]=0;"]),
            ("not called", &["0:r0=none; 0:r1=1; [pasid]=0;"]),
        ],
    ),
    (
        "iommu-flush-publish-assign",
        &[("called with PASID 1", &["1:r0=pasid; 1:r1=1;"]), ("not called", &["1:r0=none; 1:r1=0;"])],
    ),
    // In the port the scenario has the acquire taken away, so that it shows what the kernel's model allows.
    (
        "iommu-flush-publish-control",
        &[
            ("called with PASID 0", &["1:r0=driver; 1:r1=0;"]),
            ("called with PASID 1", &["1:r0=driver; 1:r1=1;"]),
            ("not called", &["1:r0=none; 1:r1=-1;"]),
        ],
    ),
    ("ldt-cpumask-both-barriers", &[("1", &[SWITCHED[0], SWITCHED[1], SWITCHED[2]])]),
    ("ldt-cpumask-install-barrier", MISSED),
    ("ldt-cpumask-switch-barrier", MISSED),
    ("ldt-fork-copy-locked", &[("1", &["1:r0=old; 1:r1=1; [old]=0;"]), ("2", &["1:r0=new; 1:r1=2; [old]=0;"])]),
    // The port's CPU uses the LDT before the interrupt or after it; the test has the use before it only.
    ("ldt-free-after-acknowledge", &[("1", &["0:r0=0; 1:r0=1; [old]=1;", "0:r0=1; 1:r0=1; [old]=0;"]), ("2", &[])]),
    (
        "ldt-interrupt-before-publish",
        &[("1", &["1:r0=0; 1:r2=-1;", "1:r0=1; 1:r2=2;"]), ("none", &["1:r0=1; 1:r2=1;"])],
    ),
    ("ldt-publish-release", &[("none", &["1:r0=old; 1:r1=0;"]), ("slot=0 descriptor=1", &["1:r0=new; 1:r1=1;"])]),
    (
        "pkeys-bytewise-map",
        &[
            ("0x1fd", &["1:r0=0; 1:r1=1;"]),
            ("0x1ff", &["1:r0=1; 1:r1=1;"]),
            ("0xfd", &["1:r0=0; 1:r1=0;"]),
            ("0xff", &["1:r0=1; 1:r1=0;"]),
        ],
    ),
    (
        "pkeys-cmpxchg-writers",
        &[("1 2 map=0b111", &["0:r0=1; 1:r0=3; [map]=7;"]), ("2 1 map=0b111", &["0:r0=3; 1:r0=1; [map]=7;"])],
    ),
    ("pkeys-execute-only-ordered", &[("key=1 passes=0", &["1:r0=1; 1:r1=0;", "1:r0=1; 1:r1=1;", "1:r0=3; 1:r1=1;"])]),
    (
        "pkeys-execute-only-unordered",
        &[
            ("key=1 passes=0", &["1:r0=1; 1:r1=0;", "1:r0=1; 1:r1=1;", "1:r0=3; 1:r1=1;"]),
            ("key=1 passes=1", &["1:r0=3; 1:r1=0;"]),
        ],
    ),
    (
        "pkeys-fork-copies-locked",
        &[("map=0b1 execute_only=-1", &["1:r0=1; 1:r1=0;"]), ("map=0b11 execute_only=1", &["1:r0=3; 1:r1=1;"])],
    ),
    (
        "pkeys-fork-copies-lockless",
        &[
            ("map=0b1 execute_only=-1", &["1:r0=1; 1:r1=0;"]),
            ("map=0b1 execute_only=1", &["1:r0=1; 1:r1=1;"]),
            ("map=0b11 execute_only=-1", &["1:r0=3; 1:r1=0;"]),
            ("map=0b11 execute_only=1", &["1:r0=3; 1:r1=1;"]),
        ],
    ),
    (
        "pkeys-lockless-allocation",
        &[
            ("1 1 map=0b11", &["0:r0=1; 1:r0=1; [map]=3;"]),
            ("1 2 map=0b111", &["0:r0=1; 1:r0=3; [map]=7;"]),
            ("2 1 map=0b111", &["0:r0=3; 1:r0=1; [map]=7;"]),
        ],
    ),
    (
        "io-bitmap-drop-while-changed",
        &[
            ("3, 1 bitmaps, 1 references, in slot 1", &["0:r0=1; 1:r0=7; [object]=8;"]),
            ("3, 1 bitmaps, 1 references, in slot 2", &["0:r0=2; 1:r0=7; [object]=7;"]),
        ],
    ),
    (
        "iommu-flush-grace-period-two-flushers",
        &[
            ("called with PASID 1, called with PASID 1", &["0:r0=pasid; 0:r1=1; 1:r0=pasid; 1:r1=1; [pasid]=0;"]),
            ("called with PASID 1, not called", &["0:r0=pasid; 0:r1=1; 1:r0=none; 1:r1=1; [pasid]=0;"]),
            ("not called, called with PASID 1", &["0:r0=none; 0:r1=1; 1:r0=pasid; 1:r1=1; [pasid]=0;"]),
            ("not called, not called", &["0:r0=none; 0:r1=1; 1:r0=none; 1:r1=1; [pasid]=0;"]),
        ],
    ),
    (
        "iommu-flush-rebind-locked",
        &[
            ("first=false, not called", &["1:r0=1; [data]=0;"]),
            ("first=true, called with PASID 1", &["1:r0=0; [data]=2;"]),
        ],
    ),
    ("ldt-cpumask-no-barrier", MISSED),
    ("ldt-two-calls", &[("2", &["0:r0=3; 1:r0=1; [ldt]=2; [old]=3;"]), ("3", &["0:r0=1; 1:r0=2; [ldt]=3; [old]=2;"])]),
    ("ldt-speculate-new-slot", &[("2", &["1:r0=1; 1:r1=1;"]), ("none", &["1:r0=0; 1:r1=0;", "1:r0=0; 1:r1=1;"])]),
    (
        "ldt-slot-after-publish",
        &[
            ("none", &["1:r0=old; 1:r1=0;", "1:r0=old; 1:r1=1;"]),
            ("slot=0 descriptor=1", &["1:r0=new; 1:r1=1;"]),
            ("slot=none descriptor=1", &["1:r0=new; 1:r1=0;"]),
        ],
    ),
    (
        "pkeys-execute-only-order-without-release",
        &[
            ("key=1 passes=0", &["1:r0=1; 1:r1=0;", "1:r0=1; 1:r1=1;", "1:r0=3; 1:r1=1;"]),
            ("key=1 passes=1", &["1:r0=3; 1:r1=0;"]),
        ],
    ),
    (
        "pkeys-told-in-order",
        &[
            ("told=0 one=0", &["1:r0=0; 1:r1=1;"]),
            ("told=0 one=1", &["1:r0=0; 1:r1=3;"]),
            ("told=1 one=0", &["1:r0=1; 1:r1=1;"]),
        ],
    ),
    (
        "pkeys-stale-after-free",
        &[
            ("told=0 one=0", &["1:r0=0; 1:r1=1;"]),
            ("told=0 one=1", &["1:r0=0; 1:r1=3;"]),
            ("told=1 one=0", &["1:r0=1; 1:r1=1;"]),
            ("told=1 one=1", &["1:r0=1; 1:r1=3;"]),
        ],
    ),
];

/// Pairs whose outcomes do not translate, because scenario and test look at different things; their verdicts must agree.
const LOOK_AT_DIFFERENT_THINGS: &[(&str, &str)] = &[
    ("io-bitmap-drop-last-reference", "the port shows in which slots the copies ended up, the test who freed"),
    ("io-bitmap-remote-copy-recheck", "the port shows the copy that was kept, the test every attempt"),
    ("io-bitmap-remote-copy-recheck-unordered", "the port shows the copy that was kept, the test every attempt"),
    ("iommu-flush-invalidate-then-free", "the port's device walks, the test's has the translation already"),
    ("ldt-flush-before-clear", "the port shows the page that the walk found, the test the order of the steps"),
    ("ldt-publish-relaxed-load", "the port looks at the page as well as at the slot"),
    ("ldt-switch-back-and-walk", "the port shows what the TLB has in the end, the test what was read"),
    ("ldt-switch-back-and-walk-unordered", "the port shows what the TLB has in the end, the test what was read"),
    ("ldt-switch-back-flush-unordered", "the port shows what the TLB has in the end, the test what was read"),
    ("ldt-switch-back-while-flushed", "the port shows what the TLB has in the end, the test what was read"),
    ("ldt-switch-interrupts-off", "the port shows the LDT that is used after the switch, the test the one in it"),
    ("ldt-walk-any-time", "the port shows the page that the walk found, the test the order of the steps"),
    ("pkeys-cmpxchg-unchecked", "the port's second writer frees a key, the test's allocates one"),
    ("pkeys-locked-reader", "the port asks for two keys in turn, the test for the whole map"),
    ("pkeys-locked-writers", "the port asks for two keys in turn, the test for the whole map"),
    ("pkeys-lockless-writers", "the port's second writer frees a key, the test's allocates one"),
];

/// Scenarios without a litmus test of their own, and why.
const NO_LITMUS_TEST: &[(&str, &str)] = &[
    ("iommu-flush-free-after-submit", "interleaving alone; invalidate-then-free without its wait is a bare race"),
    ("iommu-flush-free-before-call", "interleaving alone; invalidate-then-free without its wait is a bare race"),
    ("iommu-flush-invalidate-then-free-dma", "the order is that of invalidate-then-free"),
    ("iommu-flush-never-cleared", "the order is that of publish-assign; nothing is freed"),
    ("iommu-flush-publish-once-marked", "publish-once: the data of the litmus test are marked"),
    ("ldt-publish-once-marked", "publish-once: what the pointer leads to is marked in the litmus test"),
    ("ldt-speculate-old-slot", "the order is that of free-after-acknowledge"),
    ("ldt-unmap-no-flush", "a translation that is kept is no access to memory"),
    ("pkeys-cmpxchg-alloc-and-free", "the order is that of cmpxchg-writers"),
    ("pkeys-locked-alloc-and-free", "the order is that of locked-writers"),
    ("pkeys-locked-allocation", "locked-writers has two writers that allocate"),
    ("pkeys-plain-writer-locked-reader", "locked-reader: the map of the litmus test is plain"),
    ("pkeys-whole-map", "that an access is whole is an axiom of both models"),
];

#[test]
fn every_scenario_has_a_litmus_test_or_a_reason() {
    let tests: BTreeSet<String> = tests().into_iter().map(|test| test.program.name).collect();
    let names = harnesses::scenarios().iter().map(|scenario| format!("{}-{}", scenario.mechanism, scenario.variant));
    let without: BTreeSet<String> = names.filter(|name| !tests.contains(name)).collect();
    assert_eq!(without, NO_LITMUS_TEST.iter().map(|(name, _)| (*name).to_string()).collect());
}

/// The verdict of a scenario is that of the test with the same name, and where both show whole sets of outcomes, each
/// outcome of the one has its counterpart in the other.
#[test]
fn scenarios_of_the_ports_and_litmus_tests_agree() {
    let tests: BTreeMap<String, Test> = tests().into_iter().map(|test| (test.program.name.clone(), test)).collect();
    let (mut pairs, mut translated) = (0, BTreeSet::new());
    for scenario in harnesses::scenarios() {
        let name = format!("{}-{}", scenario.mechanism, scenario.variant);
        let Some(test) = tests.get(&name) else { continue };
        pairs += 1;
        let holds = test.never && !test.race;
        assert_eq!(scenario.expected == Expected::Holds, holds, "{name}: the verdicts differ");
        if scenario.outcomes.is_empty() || LOOK_AT_DIFFERENT_THINGS.iter().any(|(other, _)| *other == name) {
            continue;
        }
        let (_, outcomes) =
            PAIRS.iter().find(|(other, _)| *other == name).unwrap_or_else(|| panic!("{name} is no pair"));
        let left: BTreeSet<&str> = outcomes.iter().map(|(outcome, _)| *outcome).collect();
        let right: BTreeSet<String> = outcomes.iter().flat_map(|(_, all)| all.iter().map(|o| sorted(o))).collect();
        // `tests/loom.rs` compares this set with what loom shows.
        assert_eq!(left, scenario.outcomes.iter().copied().collect(), "{name}: outcomes of the port");
        assert_eq!(right, test.outcomes, "{name}: outcomes of the litmus test");
        translated.insert(name);
    }
    assert_eq!(translated.len(), PAIRS.len(), "a pair names no scenario and test with whole sets");
    assert!(pairs >= 88, "{pairs} pairs");
}

/// The comparison notices small changes to a test: a release dropped, a lock left out, a marked access made plain.
#[test]
fn a_change_to_a_test_is_a_difference() {
    let folder = project().join("harnesses/litmus");
    for (name, from, to, difference) in [
        ("pkeys-told-in-order", "smp_store_release(told, 1)", "WRITE_ONCE(*told, 1)", "adds 1:r0=1; 1:r1=3;"),
        ("pkeys-told-in-order", "smp_load_acquire(told)", "READ_ONCE(*told)", "adds 1:r0=1; 1:r1=3;"),
        ("iommu-flush-bind-both-barriers", "\tsmp_mb();\n", "", "adds 0:r0=0; 1:r1=1;"),
        ("iommu-flush-grace-period", "\tsynchronize_rcu();\n", "", "adds 0:r0=pasid; 0:r1=0; [pasid]=0;"),
        ("iommu-flush-grace-period", "\trcu_read_lock();\n", "", "adds 0:r0=pasid; 0:r1=0; [pasid]=0;"),
        ("io-bitmap-remote-copy-barriers", "\tsmp_wmb();\n", "", "race"),
        (
            "io-bitmap-sequence-unique",
            "atomic_inc_return(next)",
            "atomic_read(next) + 1",
            "adds 0:r0=1; 1:r0=1; [next]=1;",
        ),
        ("pkeys-reader-coherence", "r0 = READ_ONCE(*map)", "r0 = *map", "race"),
        ("pkeys-fork-copies-locked", "\tspin_lock(mmap_sem);\n", "", "adds 1:r0=3; 1:r1=0;"),
    ] {
        let mut test = Test::read(&folder.join(format!("{name}.litmus")));
        let text = std::fs::read_to_string(folder.join(format!("{name}.litmus"))).expect("it was read just now");
        let (header, body) = text.split_once(" *)").expect("it has a header");
        let changed = format!("{header} *){}", body.replacen(from, to, 1));
        assert_ne!(changed, text, "{from} is there");
        test.program = Program::parse(&changed).expect("it is still a test");
        let told = test.differences(&test.program.run().expect("it runs"));
        assert!(told.contains(difference), "{name} with {to:?} for {from:?}: {told:?}");
    }
}
