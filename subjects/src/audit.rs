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
            let next = machine.step(state, *step);
            check(&mut found, next.is_none() || proposed.contains(step), || {
                format!("{step:?} is not proposed in {state:?}")
            });
            let mut in_place = *state;
            let in_place = machine.step_in_place(&mut in_place, *step).then_some(in_place);
            check(&mut found, in_place == next, || format!("{step:?} in place is another step in {state:?}"));
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
