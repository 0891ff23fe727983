//! What every machine promises to the engines and renderings, checked on states that it reaches.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use checker::Checker;
use models::machine::{Machine, Panel, Property};
use models::stateright::Checked;

/// The promises that are broken, in words; empty if all are kept. One in `every` of the states that the machine can
/// reach is looked at.
pub(crate) fn audit<M: Machine>(machine: &M, every: usize) -> Vec<String> {
    let model = Checked(machine.clone());
    let (_, space) = Checker::new(&model).run_with_space().expect("the model does not panic");
    audit_states(machine, space.states().step_by(every).map(|(_, state)| *state))
}

/// The same for the states of random walks, which are the same in every run: for sizes at which not all can be looked at.
pub(crate) fn audit_walks<M: Machine>(machine: &M, walks: u32, length: u32) -> Vec<String> {
    let choose = |numbers: (u32, u32), among: usize| {
        let mut hasher = DefaultHasher::new();
        numbers.hash(&mut hasher);
        (hasher.finish() % among as u64) as usize
    };
    let mut states = Vec::new();
    for walk in 0..walks {
        let mut after = machine.initial_states();
        for position in 0..length {
            if after.is_empty() {
                break;
            }
            let state = after[choose((walk, position), after.len())];
            states.push(state);
            after = successors(machine, &state).into_iter().map(|(_, next)| next).collect();
        }
    }
    audit_states(machine, states.into_iter())
}

fn audit_states<M: Machine>(machine: &M, states: impl Iterator<Item = M::State>) -> Vec<String> {
    let mut found = Vec::new();
    let all_steps = machine.every_step();
    let lanes = machine.lanes().len();
    for state in states {
        check_steps(&mut found, machine, (&all_steps, lanes), &state);
        check_view(&mut found, &machine.view(&state), lanes);
        check_symmetry(&mut found, machine, &state);
        if found.len() > 10 {
            break;
        }
    }
    found
}

/// The steps that are possible in a state: the kind of each, and the state after it.
fn successors<M: Machine>(machine: &M, state: &M::State) -> Vec<(usize, M::State)> {
    let mut proposed = Vec::new();
    machine.steps(state, &mut proposed);
    proposed.into_iter().filter_map(|step| Some((machine.kind(step), machine.step(state, step)?))).collect()
}

/// What is possible is proposed, once, and can be told; and a step in place is the same step.
fn check_steps<M: Machine>(
    found: &mut Vec<String>,
    machine: &M,
    (all_steps, lanes): (&[M::Step], usize),
    state: &M::State,
) {
    let mut proposed = Vec::new();
    machine.steps(state, &mut proposed);
    for (index, step) in proposed.iter().enumerate() {
        check(found, !proposed[..index].contains(step), || format!("{step:?} is proposed twice in {state:?}"));
        check(found, all_steps.contains(step), || format!("{step:?} is not in every_step"));
        check(found, machine.kind(*step) < M::KINDS.len(), || format!("{step:?} has no kind"));
        if machine.step(state, *step).is_some() {
            check(found, machine.lane(state, *step) < lanes, || format!("{step:?} has no lane"));
            let text = machine.describe(state, *step);
            check(found, !text.trim().is_empty() && !text.contains('\n'), || format!("{step:?}: {text:?}"));
        }
    }
    for step in all_steps {
        let next = machine.step(state, *step);
        check(found, next.is_none() || proposed.contains(step), || format!("{step:?} is not proposed in {state:?}"));
        let mut in_place = *state;
        let in_place = machine.step_in_place(&mut in_place, *step).then_some(in_place);
        check(found, in_place == next, || format!("{step:?} in place is another step in {state:?}"));
    }
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

/// The representative is its own representative, and neither properties nor steps tell the two apart.
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
    let after = |state: &M::State| -> HashSet<(usize, M::State)> {
        successors(machine, state).into_iter().map(|(kind, next)| (kind, machine.canonical(&next))).collect()
    };
    let same_steps = representative == *state || after(state) == after(&representative);
    check(found, same_steps, || format!("steps tell {state:?} from its representative"));
}
