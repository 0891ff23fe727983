//! Walks the record of a port through the model of its mechanism, so that code and model cannot drift apart.
//!
//! After each recorded step the model must be able to take a step with the same label, by the same actor, about the
//! same thing, and what the port shows of its state must be what the model's state says. Steps of the model that no
//! port takes (a store that leaves a store buffer) are searched for in between, a few at a time.

mod io_bitmap;
mod iommu_flush;
mod ldt;
mod pkeys;

pub use io_bitmap::IoBitmapRules;
pub use iommu_flush::IommuFlushRules;
pub use ldt::LdtRules;
pub use pkeys::PkeysRules;

use crate::event::{Event, Seen};
use models::machine::Machine;
use std::collections::HashSet;

/// How the record of a port is read in terms of a model.
pub trait Rules {
    /// The model.
    type M: Machine;
    /// The model in the version and at the size of the recorded run.
    fn machine() -> Self::M;
    /// Whether `step`, which leads from `before` to `after`, is the recorded one.
    fn is_step(
        machine: &Self::M,
        before: &<Self::M as Machine>::State,
        step: <Self::M as Machine>::Step,
        after: &<Self::M as Machine>::State,
        event: &Event,
    ) -> bool;
    /// The model's state as the port shows it.
    fn seen(machine: &Self::M, state: &<Self::M as Machine>::State) -> Seen;
    /// Whether the model takes this step by itself: it has no counterpart in the port.
    fn is_internal(_step: <Self::M as Machine>::Step) -> bool {
        false
    }
}

/// How many steps without a counterpart are searched for after each recorded one: a full store buffer.
const INTERNAL_MAX: usize = 3;
/// How many states are followed at once; more would mean that the record says too little.
const STATES_MAX: usize = 10_000;

/// The first step at which port and model disagree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which step of the record, from 0.
    pub at: usize,
    /// The step.
    pub event: Event,
    /// What is different.
    pub what: String,
    /// The record up to there, in words.
    pub before: Vec<String>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let last = self.before.iter().rev().take(6).rev().cloned().collect::<Vec<_>>().join("; ");
        write!(f, "step {}, {}: {}. Before it: {last}", self.at, self.event, self.what)
    }
}

/// What was replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Recorded steps.
    pub steps: usize,
    /// How many states of the model fit the end of the record.
    pub states: usize,
}

/// Replays a record.
///
/// # Errors
/// The first step that the model does not allow, or after which the states differ.
pub fn replay<R: Rules>(events: &[Event]) -> Result<Replayed, Box<Difference>> {
    let machine = R::machine();
    let mut states = internal_steps::<R>(&machine, machine.initial_states());
    for (at, event) in events.iter().enumerate() {
        states = after_event::<R>(&machine, &states, event).map_err(|what| {
            let before = events[..at].iter().map(ToString::to_string).collect();
            Box::new(Difference { at, event: event.clone(), what, before })
        })?;
    }
    Ok(Replayed { steps: events.len(), states: states.len() })
}

/// The states in which the model may be after the recorded step.
fn after_event<R: Rules>(
    machine: &R::M,
    states: &[<R::M as Machine>::State],
    event: &Event,
) -> Result<Vec<<R::M as Machine>::State>, String> {
    let mut next = Vec::new();
    let mut steps = Vec::new();
    for state in states {
        steps.clear();
        machine.steps(state, &mut steps);
        for step in &steps {
            if let Some(after) = machine.step(state, *step)
                && R::is_step(machine, state, *step, &after, event)
            {
                next.push(after);
            }
        }
    }
    if next.is_empty() {
        return Err("the model does not allow it here".to_string());
    }
    let next = internal_steps::<R>(machine, next);
    let same: Vec<_> = next.iter().filter(|state| R::seen(machine, state) == event.seen).copied().collect();
    match same.len() {
        0 => Err(first_difference::<R>(machine, &next, event)),
        1..=STATES_MAX => Ok(same),
        _ => Err(format!("more than {STATES_MAX} states of the model fit the record")),
    }
}

/// The states and everything that a few steps without a counterpart make of them.
fn internal_steps<R: Rules>(machine: &R::M, states: Vec<<R::M as Machine>::State>) -> Vec<<R::M as Machine>::State> {
    let mut known: HashSet<_> = states.iter().copied().collect();
    let mut all: Vec<_> = known.iter().copied().collect();
    let mut newest = all.clone();
    for _ in 0..INTERNAL_MAX {
        let mut found = Vec::new();
        for state in &newest {
            let mut steps = Vec::new();
            machine.steps(state, &mut steps);
            let internal = steps.into_iter().filter(|step| R::is_internal(*step));
            found.extend(internal.filter_map(|step| machine.step(state, step)).filter(|after| known.insert(*after)));
        }
        all.extend_from_slice(&found);
        newest = found;
    }
    all
}

/// The rows that differ between the port and the state of the model that is nearest.
fn first_difference<R: Rules>(machine: &R::M, states: &[<R::M as Machine>::State], event: &Event) -> String {
    let rows = |state: &<R::M as Machine>::State| {
        let model = R::seen(machine, state);
        if model.len() != event.seen.len() {
            return vec![format!("the port shows {} rows, the model {}", event.seen.len(), model.len())];
        }
        let both = event.seen.iter().zip(model);
        let differ = both.filter(|(port, model)| **port != *model);
        differ.map(|(port, model)| format!("{}: port {}, model {}", port.0, port.1, model.1)).collect()
    };
    states.iter().map(rows).min_by_key(Vec::len).unwrap_or_default().join(", ")
}

/// Whether the label of the event is the name of the step's kind.
fn is_kind<M: Machine>(machine: &M, step: M::Step, event: &Event) -> bool {
    M::KINDS[machine.kind(step)].name == event.label
}

/// The switches of a variant.
fn config<M: Machine>(name: &str) -> M::Config {
    M::VARIANTS.iter().find(|variant| variant.name == name).expect("the variant exists").config
}

/// The model in one variant, with these sizes in place of the quick ones.
fn machine_at<M: Machine>(variant: &str, sizes: &[(&str, u64)]) -> M {
    let variant = M::VARIANTS.iter().find(|v| v.name == variant).expect("the variant exists");
    let quick = models::machine::Size::quick(M::PARAMETERS, variant);
    let size = sizes.iter().try_fold(quick, |size, (name, value)| size.with(M::PARAMETERS, name, *value));
    M::new(variant.config, size.expect("the sizes are within their ranges"))
}
