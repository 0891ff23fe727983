//! What every machine promises to the engines and renderings is kept, at every size and with symmetry.

use std::collections::HashSet;
use std::time::Duration;

use models::io_bitmap::IoBitmap;
use models::iommu_flush::IommuFlush;
use models::ldt::Ldt;
use models::machine::{INDUCTIVE_INVARIANT, Machine, Parameter, Size};
use models::pkeys::Pkeys;
use models::words;
use reports::baseline::{Baseline, Facts};
use subjects::{Plan, Subject};

fn subjects() -> impl Iterator<Item = Box<dyn Subject>> {
    [words::IO_BITMAP, words::LDT, words::IOMMU_FLUSH, words::PKEYS]
        .into_iter()
        .flat_map(|m| subjects::of_mechanism(m.name))
}

#[test]
fn every_machine_keeps_its_promises_to_engines_and_renderings() {
    for subject in subjects() {
        let complaints = subject.audit(subject.quick(), 127);
        assert!(complaints.is_empty(), "{}/{}: {complaints:#?}", subject.mechanism(), subject.name());
    }
}

/// At size quick many parameters are 1, and nothing can be exchanged.
#[test]
fn every_machine_keeps_its_promises_at_its_largest_size() {
    for subject in subjects() {
        let complaints = subject.audit_walks(at_the_end(&*subject, |parameter| parameter.max), 3, 200);
        assert!(complaints.is_empty(), "{}: {complaints:#?}", subject.full_name());
    }
}

/// The quick size with this value for each parameter.
fn at_the_end(subject: &dyn Subject, end: fn(&Parameter) -> u8) -> Size {
    let parameters = subject.parameters();
    parameters.iter().fold(subject.quick(), |size, parameter| {
        size.with(parameters, parameter.name, end(parameter).into()).expect("within its range")
    })
}

/// The searches without symmetry are those of the main job, which `reports/baseline.json` pins; another test compares the
/// two, so they are not made again here.
#[test]
fn a_symmetry_changes_no_verdict() {
    let pinned = Baseline::from_json(include_str!("../../reports/baseline.json")).expect("it can be read").verdicts;
    let mut merged = 0;
    for subject in subjects().filter(|subject| subject.has_symmetry()) {
        let name = subject.full_name();
        let plan = Plan { symmetry: true, ..Plan::unlimited() };
        let found = subject.search(subject.quick(), &plan).unwrap_or_else(|error| panic!("{name}: {error}"));
        let plain = &pinned[&format!("{name} exact")];
        let states = plain.counts["states"];
        assert!(found.states <= states, "{name}: {} of {states} states", found.states);
        merged += usize::from(found.states < states);
        for (info, answer) in subject.properties().iter().zip(&found.answers) {
            let steps = answer.timeline.as_ref().map(|timeline| timeline.steps.len() as u32);
            let verdict = Facts::of_property(answer.verdict, steps);
            assert_eq!(Some(&verdict), plain.properties.get(info.name), "{name} {}", info.name);
        }
    }
    assert!(merged > 0, "no machine has anything to merge: the test shows nothing");
}

/// What `kverdict check` prints when it has one question and many threads.
#[test]
fn the_number_of_threads_changes_no_search() {
    for subject in subjects().filter(|subject| ["mainline", "posted"].contains(&subject.name())) {
        let ask = |threads| {
            let plan = Plan { threads, ..Plan::unlimited() };
            subject.search(subject.quick(), &plan).unwrap_or_else(|error| panic!("{}: {error}", subject.full_name()))
        };
        let (one, three) = (ask(1), ask(3));
        assert_eq!((one.states, &one.steps_by_kind), (three.states, &three.steps_by_kind), "{}", subject.full_name());
        for ((info, p), q) in subject.properties().iter().zip(&one.answers).zip(&three.answers) {
            assert_eq!((p.verdict, &p.timeline), (q.verdict, &q.timeline), "{} {}", subject.full_name(), info.name);
        }
    }
}

/// A machine is built at its smallest and its largest size, and takes what steps it can in a moment.
#[test]
fn the_smallest_and_the_largest_sizes_work() {
    for subject in subjects() {
        for end in [|p: &Parameter| p.min, |p: &Parameter| p.max] {
            let size = at_the_end(&*subject, end);
            let stop_soon = Some(Duration::from_millis(12));
            let plan = Plan { timeout: stop_soon, ..Plan::unlimited() };
            if let Err(error) = subject.search(size, &plan) {
                panic!("{} at {}: {error}", subject.full_name(), size.written(subject.parameters()));
            }
        }
    }
}

/// Whether every state that a variant reaches at size `quick` satisfies `invariant`.
fn stays_in<M: Machine>(variant: &str, invariant: fn(&M, &M::State) -> bool) -> bool {
    let variant = M::VARIANTS.iter().find(|v| v.name == variant).expect("a variant of this name");
    let machine = M::new(variant.config, Size::quick(M::PARAMETERS, variant));
    let mut waiting = machine.initial_states();
    let mut seen: HashSet<M::State> = waiting.iter().copied().collect();
    let mut steps = Vec::new();
    while let Some(state) = waiting.pop() {
        if !invariant(&machine, &state) {
            return false;
        }
        machine.steps(&state, &mut steps);
        let next = steps.drain(..).filter_map(|step| machine.step(&state, step));
        waiting.extend(next.filter(|next| seen.insert(*next)));
    }
    true
}

#[test]
fn a_variant_with_an_invariant_is_asked_about_it_and_reaches_no_state_outside() {
    let with: Vec<String> = subjects()
        .filter(|subject| subject.properties().iter().any(|p| p.name == INDUCTIVE_INVARIANT))
        .map(|subject| subject.full_name())
        .collect();
    for name in [
        "io-bitmap/mainline-v2-scope",
        "io-bitmap/mainline-no-kernel-preemption",
        "ldt/mainline",
        "ldt/mainline-growing",
        "ldt/clear-asid",
        "iommu-flush/rcu",
        "iommu-flush/rcu-on-up",
        "pkeys/posted",
        "pkeys/mainline",
    ] {
        assert!(with.contains(&name.to_string()), "{name} has no invariant: {with:?}");
    }
    assert!(stays_in::<IoBitmap>("mainline-no-kernel-preemption", IoBitmap::invariant));
}

/// The check can fail: forms that break the mechanism leave the invariant within the states of size `quick`.
#[test]
fn broken_variants_leave_the_invariant() {
    for variant in ["mainline", "number-not-renewed", "copy-forgets-prev-max", "refcount-not-reset"] {
        assert!(!stays_in::<IoBitmap>(variant, IoBitmap::invariant), "io-bitmap/{variant}");
    }
    for variant in ["lockless-writers", "fork-resets-map"] {
        assert!(!stays_in::<Pkeys>(variant, Pkeys::invariant), "pkeys/{variant}");
    }
    for variant in ["unmap-no-flush", "free-before-ipi", "mask-bit-never", "lazy-flag-not-set", "no-copy"] {
        assert!(!stays_in::<Ldt>(variant, Ldt::invariant), "ldt/{variant}");
    }
    for variant in ["no-grace-period", "flusher-barrier", "clear-before-drain", "mutex-kept", "no-cpu-flush"] {
        assert!(!stays_in::<IommuFlush>(variant, IommuFlush::invariant), "iommu-flush/{variant}");
    }
}
