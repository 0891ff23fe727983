//! What every machine promises to the engines and renderings, checked on every state it can reach.

use checker::Checker;
use models::machine::{Machine, Panel, Property};
use models::stateright::Checked;

/// The promises that are broken, in words; empty if all are kept.
///
/// `every` thins out the dear checks: they are made on one state in so many.
pub(crate) fn audit<M: Machine>(machine: &M, every: usize) -> Vec<String> {
    let model = Checked(machine.clone());
    let (_, space) = Checker::new(&model).run_with_space().expect("the model does not panic");
    let mut found = Vec::new();
    let all_steps = machine.every_step();
    let lanes = machine.lanes();
    let mut proposed = Vec::new();
    for (number, (_, state)) in space.states().enumerate() {
        if number % every != 0 {
            continue;
        }
        proposed.clear();
        machine.steps(state, &mut proposed);
        for (index, step) in proposed.iter().enumerate() {
            check(&mut found, !proposed[..index].contains(step), || format!("{step:?} is proposed twice in {state:?}"));
            check(&mut found, all_steps.contains(step), || format!("{step:?} is not in every_step"));
            check(&mut found, machine.kind(*step) < M::KINDS.len(), || format!("{step:?} has no kind"));
            if machine.step(state, *step).is_some() {
                check(&mut found, machine.lane(state, *step) < lanes.len(), || format!("{step:?} has no lane"));
                let text = machine.describe(state, *step);
                check(&mut found, !text.trim().is_empty() && !text.contains('\n'), || format!("{step:?}: {text:?}"));
            }
        }
        for step in &all_steps {
            let possible = machine.step(state, *step).is_some();
            check(&mut found, !possible || proposed.contains(step), || {
                format!("{step:?} is not proposed in {state:?}")
            });
        }
        check_view(&mut found, &machine.view(state), lanes.len());
        check_symmetry(&mut found, machine, state);
        if found.len() > 10 {
            break;
        }
    }
    found
}

fn check(found: &mut Vec<String>, kept: bool, complaint: impl FnOnce() -> String) {
    if !kept {
        found.push(complaint());
    }
}

/// Titles are unique, row names are unique in a panel, lanes exist.
fn check_view(found: &mut Vec<String>, view: &[Panel], lanes: usize) {
    for (index, panel) in view.iter().enumerate() {
        let again = view[..index].iter().any(|other| other.title == panel.title);
        check(found, !again, || format!("two panels are called {}", panel.title));
        check(found, panel.lane.is_none_or(|lane| lane < lanes), || format!("{} has no lane", panel.title));
        for (row, (name, _)) in panel.rows.iter().enumerate() {
            let again = panel.rows[..row].iter().any(|(other, _)| other == name);
            check(found, !again, || format!("{} has two rows {name}", panel.title));
        }
    }
}

/// The representative is its own representative, and no property tells the two apart.
fn check_symmetry<M: Machine>(found: &mut Vec<String>, machine: &M, state: &M::State) {
    let representative = machine.canonical(state);
    let again = machine.canonical(&representative);
    check(found, again == representative, || format!("the representative of {state:?} has another one"));
    check(found, M::HAS_SYMMETRY || representative == *state, || "merges states without saying so".to_string());
    let same = |p: &&Property<M>| (p.holds)(machine, state) == (p.holds)(machine, &representative);
    for property in M::PROPERTIES.iter().filter(|p| !same(p)) {
        found.push(format!("{} tells {state:?} from its representative", property.name));
    }
    let is_final = machine.is_final(state) == machine.is_final(&representative);
    check(found, is_final, || format!("finality tells {state:?} from its representative"));
}

#[cfg(test)]
mod tests {
    use checker::Checker;
    use models::io_bitmap::IoBitmap;
    use models::iommu_flush::IommuFlush;
    use models::ldt::Ldt;
    use models::machine::{INDUCTIVE_INVARIANT, Machine};
    use models::pkeys::Pkeys;
    use models::stateright::Checked;

    use crate::catalogue::CATALOGUE;
    use crate::engine::Engine;
    use crate::question::{Question, StateSearch};
    use crate::subject::Subject;

    fn subjects() -> impl Iterator<Item = &'static dyn Subject> {
        CATALOGUE.iter().flat_map(|m| m.subjects.iter().map(Box::as_ref))
    }

    #[test]
    fn every_machine_keeps_its_promises_to_engines_and_renderings() {
        for subject in subjects() {
            let complaints = subject.audit(subject.quick(), 31);
            assert!(complaints.is_empty(), "{}/{}: {complaints:#?}", subject.mechanism(), subject.name());
        }
    }

    #[test]
    fn verdicts_with_and_without_symmetry_agree() {
        let mut merged = 0;
        for subject in subjects().filter(|subject| subject.has_symmetry()) {
            let size = subject.quick();
            let ask = |symmetry| {
                let plan = crate::subject::Plan { symmetry, ..crate::subject::Plan::unlimited() };
                let question = StateSearch { subject, engine: Engine::Exact, size };
                question.ask(&plan).unwrap_or_else(|error| panic!("{}: {error}", subject.name()))
            };
            let (plain, symmetric) = (ask(false), ask(true));
            assert!(symmetric.count("states") <= plain.count("states"), "{}", subject.name());
            merged += usize::from(symmetric.count("states") < plain.count("states"));
            for (p, q) in plain.properties.iter().zip(&symmetric.properties) {
                assert_eq!((&p.name, p.verdict, p.steps), (&q.name, q.verdict, q.steps), "{}", subject.full_name());
            }
        }
        assert!(merged > 0, "no machine has anything to merge: the test shows nothing");
    }

    /// A machine is built at its smallest and its largest size, and takes some steps there.
    #[test]
    fn the_smallest_and_the_largest_sizes_work() {
        for subject in subjects() {
            let parameters = subject.parameters();
            for end in [|p: &models::machine::Parameter| p.min, |p: &models::machine::Parameter| p.max] {
                let mut size = subject.quick();
                for parameter in parameters {
                    size = size.with(parameters, parameter.name, end(parameter).into()).expect("within its range");
                }
                let stop_soon = Some(std::time::Duration::from_millis(50));
                let plan = crate::subject::Plan { timeout: stop_soon, ..crate::subject::Plan::unlimited() };
                if let Err(error) = subject.search(size, &plan) {
                    panic!("{} at {}: {error}", subject.full_name(), size.written(parameters));
                }
            }
        }
    }

    /// Whether every state that a variant reaches at size `quick` satisfies `invariant`.
    fn stays_in<M: Machine>(variant: &str, invariant: fn(&M, &M::State) -> bool) -> bool {
        let variant = M::VARIANTS.iter().find(|v| v.name == variant).expect("a variant of this name");
        let machine = M::new(variant.config, models::machine::Size::quick(M::PARAMETERS, variant));
        let model = Checked(machine.clone());
        let (_, space) = Checker::new(&model).run_with_space().expect("the model does not panic");
        space.states().all(|(_, state)| invariant(&machine, state))
    }

    #[test]
    fn a_variant_with_an_invariant_is_asked_about_it_and_reaches_no_state_outside() {
        let with: Vec<String> = subjects()
            .filter(|subject| subject.properties().iter().any(|p| p.name == INDUCTIVE_INVARIANT))
            .map(Subject::full_name)
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
}
