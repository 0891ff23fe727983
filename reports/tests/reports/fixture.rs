//! A run with every kind of verdict, small enough to be read.

use reports::baseline::Baseline;
use reports::report::Report;
use reports::results::{
    Count, Counterexample, EngineState, Extent, Machine, MechanismRecord, NotRun, PropertyRecord, Run, SCHEMA,
    StepCount, Summary, Tool, VERSION, VariantRecord, Verdict,
};
use reports::timeline::{Change, Event, Table, Timeline};

/// Strings, so that the lists below stay readable.
pub(crate) fn s(text: &str) -> String {
    text.to_string()
}

/// A timeline of `steps` steps on two CPUs.
pub(crate) fn timeline(variant: &str, steps: usize) -> Timeline {
    let event = |index: usize| Event {
        lane: index % 2,
        kind: format!("W{index}Write"),
        text: format!("writes entry {index} of the table"),
        source: s("write_ldt()"),
        changes: vec![Change {
            table: format!("CPU {}", index % 2),
            row: s("LDTR"),
            before: format!("slot {index}"),
            after: format!("slot {}", index + 1),
        }],
    };
    let panel =
        |cpu: usize| Table { title: format!("CPU {cpu}"), lane: Some(cpu), rows: vec![(s("LDTR"), s("slot 0"))] };
    Timeline {
        mechanism: s("ldt"),
        variant: s(variant),
        size: s("cpus=2,tasks=1"),
        property: s("loaded-table-alive"),
        witness: false,
        says: s("a CPU reads descriptors from a page that was freed"),
        lanes: vec![s("CPU 0"), s("CPU 1")],
        start: vec![panel(0), panel(1)],
        steps: (0..steps).map(event).collect(),
    }
}

pub(crate) fn claim(name: &str, verdict: Verdict, expected: Verdict) -> PropertyRecord {
    let witness = matches!(expected, Verdict::Seen | Verdict::Unseen);
    PropertyRecord {
        name: s(name),
        witness,
        says: format!("what goes wrong for a person if {name} breaks"),
        stated_at: s("models/src/ldt/properties.rs:42"),
        verdict,
        expected,
        steps: None,
        counterexample: None,
    }
}

fn broken(name: &str, expected: Verdict, steps: Option<u32>, counterexample: Counterexample) -> PropertyRecord {
    PropertyRecord { steps, counterexample: Some(counterexample), ..claim(name, Verdict::Broken, expected) }
}

/// A record with this whole verdict and these properties; `as_expected` follows from the properties.
pub(crate) fn record(
    (mechanism, variant, engine): (&str, &str, &str),
    extent: Extent,
    verdict: Verdict,
    properties: Vec<PropertyRecord>,
) -> VariantRecord {
    let expects_broken = properties.iter().any(|p| p.expected == Verdict::Broken);
    let odd = properties.iter().filter(|p| p.verdict != p.expected);
    let differences: Vec<String> =
        odd.map(|p| format!("{} is {}, expected {}", p.name, p.verdict.word(), p.expected.word())).collect();
    VariantRecord {
        mechanism: s(mechanism),
        variant: s(variant),
        what: format!("{variant} frees the old table after the flush."),
        origin: s("mail of 2017-12-15"),
        engine: s(engine),
        size: if engine == "exact" { s("cpus=2,tasks=1") } else { String::new() },
        extent,
        bounds: Vec::new(),
        assumptions: Vec::new(),
        verdict,
        expected: if expects_broken { Verdict::Broken } else { Verdict::Holds },
        expected_because: s("The flush comes before the free."),
        headline: properties.iter().find(|p| p.expected == Verdict::Broken).map(|p| p.name.clone()),
        as_expected: differences.is_empty(),
        differences,
        properties,
        counts: vec![
            Count { name: s("states"), value: 12_345 },
            Count { name: s("transitions"), value: 23_456 },
            Count { name: s("depth"), value: 17 },
        ],
        steps: vec![StepCount {
            kind: s("W1Write"),
            stated_at: s("models/src/ldt/step.rs:7"),
            taken: 3,
            meant_to_happen: true,
        }],
        limit: None,
        not_run: None,
        seconds: 0.25,
        peak_bytes: Some(1 << 20),
        reproduce: format!("kverdict check {mechanism}/{variant} --engine {engine}"),
    }
}

pub(crate) fn not_run() -> NotRun {
    NotRun { reason: s("herd7 is not installed"), how_to_run: s("opam install herdtools7") }
}

/// A run of these records.
pub(crate) fn run(verdicts: Vec<VariantRecord>) -> Run {
    let mut names: Vec<String> = Vec::new();
    for record in &verdicts {
        if !names.contains(&record.mechanism) {
            names.push(record.mechanism.clone());
        }
    }
    let mechanism = |name: String| MechanismRecord {
        title: format!("the mechanism {name}"),
        question: s("When may the old one go?"),
        source: s("arch/x86/kernel/ldt.c"),
        assumptions: vec![s("A1: interrupts are off in the switch"), s("A2: pages are zeroed")],
        name,
    };
    let engine = |name: &str, version: Option<&str>, not_run: Option<NotRun>| EngineState {
        name: s(name),
        version: version.map(s),
        not_run,
    };
    Run {
        schema: s(SCHEMA),
        version: VERSION,
        checksum: String::new(),
        tool: Tool {
            name: s("kverdict"),
            version: s("0.1.0"),
            commit: Some(s("0123456789abcdef0123456789abcdef01234567")),
            compiler: s("rustc 1.95.0"),
        },
        machine: Machine {
            platform: s("linux x86_64"),
            processor: Some(s("Example 3000")),
            cpus: 2,
            memory_bytes: Some(16 << 30),
        },
        command: vec![s("kverdict"), s("check")],
        started: s("2026-11-21T12:00:00Z"),
        seconds: 1.5,
        shard: None,
        parts: Vec::new(),
        interrupted: false,
        engines: vec![
            engine("exact", Some("0.1.0"), None),
            engine("stateright", Some("0.31.0"), None),
            engine("lkmm", None, Some(not_run())),
        ],
        mechanisms: names.into_iter().map(mechanism).collect(),
        summary: Summary::of(&verdicts),
        verdicts,
    }
}

/// Verdicts as they should be, of two mechanisms and three engines.
pub(crate) fn good() -> Run {
    use Verdict::{Broken, Holds, Seen, Unseen};
    run(vec![
        record(
            ("ldt", "mainline", "exact"),
            Extent::AllStates,
            Holds,
            vec![claim("loaded-table-alive", Holds, Holds), claim("both-slots-used", Seen, Seen)],
        ),
        record(
            ("ldt", "freed-early", "exact"),
            Extent::AllStates,
            Broken,
            vec![
                broken("loaded-table-alive", Broken, Some(3), Counterexample::Timeline(timeline("freed-early", 3))),
                claim("both-slots-used", Unseen, Unseen),
            ],
        ),
        record(("iova", "mainline", "enumerate"), Extent::Enumerated, Holds, vec![claim("exact-bits", Holds, Holds)]),
    ])
}

/// Every kind of verdict, expected and not, with every extent and every kind of counterexample.
pub(crate) fn everything() -> Run {
    use Verdict::{Broken, Holds, NotRun, Seen, Undecided, Unseen};
    let mut verdicts = good().verdicts;
    let long = Counterexample::Timeline(timeline("long", 41));
    let numbers = Counterexample::Numbers(vec![(s("iova"), s("0xfff")), (s("length"), s("2"))]);
    let outcomes = Counterexample::Text(s("final states that herd7 allows:\n0:r0=1; 1:r1=0;"));
    let mut bounded =
        record(("ldt", "ported", "loom"), Extent::WithinABound, Holds, vec![claim("alive", Holds, Holds)]);
    bounded.bounds = vec![s("at most 2 preemptions")];
    let mut proved =
        record(("iova", "mainline", "kani"), Extent::Proved, Holds, vec![claim("exact-bits", Holds, Holds)]);
    proved.assumptions = vec![s("length > 0: the ioctl refuses 0 (proofs/src/lib.rs:12)")];
    let mut limited = record(
        ("ldt", "large", "exact"),
        Extent::AllStates,
        Undecided,
        vec![claim("loaded-table-alive", Undecided, Holds), claim("both-slots-used", Seen, Seen)],
    );
    limited.limit = Some(s("the time was up after 5 s"));
    let mut missing = record(("ldt", "mainline", "lkmm"), Extent::AllStates, NotRun, Vec::new());
    (missing.not_run, missing.as_expected) = (Some(not_run()), false);
    let mut idle = record(("ldt", "idle", "exact"), Extent::AllStates, Holds, vec![claim("alive", Holds, Holds)]);
    idle.steps[0].taken = 0;
    (idle.differences, idle.as_expected) = (vec![s("step W1Write never happens")], false);
    verdicts.extend([
        record(
            ("ldt", "long", "exact"),
            Extent::AllStates,
            Broken,
            vec![broken("loaded-table-alive", Holds, Some(41), long)],
        ),
        record(("ldt", "unreached", "exact"), Extent::AllStates, Holds, vec![claim("both-slots-used", Unseen, Seen)]),
        record(
            ("iova", "off-by-one", "enumerate"),
            Extent::Enumerated,
            Broken,
            vec![broken("exact-bits", Broken, None, numbers)],
        ),
        record(
            ("ldt", "message-passing", "herd"),
            Extent::AllStates,
            Broken,
            vec![broken("outcome-forbidden", Broken, None, outcomes)],
        ),
        record(("ldt", "mended", "exact"), Extent::AllStates, Holds, vec![claim("loaded-table-alive", Holds, Broken)]),
        record(("iova", "mainline", "proptest"), Extent::Tested, Holds, vec![claim("exact-bits", Holds, Holds)]),
        bounded,
        proved,
        limited,
        missing,
        idle,
    ]);
    run(verdicts)
}

/// `good`, in which one form that held is broken.
pub(crate) fn regression() -> Run {
    let mut verdicts = good().verdicts;
    let property =
        broken("loaded-table-alive", Verdict::Holds, Some(4), Counterexample::Timeline(timeline("mainline", 4)));
    verdicts[0] = record(
        ("ldt", "mainline", "exact"),
        Extent::AllStates,
        Verdict::Broken,
        vec![property, claim("both-slots-used", Verdict::Seen, Verdict::Seen)],
    );
    run(verdicts)
}

/// A report on `run` against the facts of `good`.
pub(crate) fn report(run: Run) -> Report {
    Report::new(run, Some((s("base.json"), Baseline::of(&good()))), false)
}
