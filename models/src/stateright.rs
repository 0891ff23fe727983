//! The adapter: any [`Machine`] as a `stateright::Model`, for both engines of the state search.
//!
//! No transition lives here. Properties become function pointers by their index, because Stateright's
//! conditions cannot capture anything.

use stateright::{Expectation, Model, Property};

use crate::machine::{invariant_of, keeps_invariant, Machine, PropertyKind, INDUCTIVE_INVARIANT};

/// A machine in the form that Stateright and the exact engine take.
#[derive(Clone, Debug)]
pub struct Checked<M>(pub M);

/// The most properties a machine may have: the adapter holds one function for each index.
pub const PROPERTIES_MAX: usize = 32;

type Condition<M> = fn(&Checked<M>, &<M as Machine>::State) -> bool;

fn condition<M: Machine, const INDEX: usize>(checked: &Checked<M>, state: &M::State) -> bool {
    (M::PROPERTIES[INDEX].holds)(&checked.0, state)
}

macro_rules! conditions {
    ($($index:literal)*) => { [$(condition::<M, $index>),*] };
}

fn conditions<M: Machine>() -> [Condition<M>; PROPERTIES_MAX] {
    conditions!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31)
}

impl<M: Machine> Model for Checked<M> {
    type State = M::State;
    type Action = M::Step;

    fn init_states(&self) -> Vec<M::State> {
        self.0.initial_states()
    }
    fn actions(&self, state: &M::State, actions: &mut Vec<M::Step>) {
        self.0.steps(state, actions);
    }
    fn next_state(&self, state: &M::State, step: M::Step) -> Option<M::State> {
        self.0.step(state, step)
    }
    /// The machine's own, then [`INDUCTIVE_INVARIANT`] if it has one.
    fn properties(&self) -> Vec<Property<Self>> {
        assert!(M::PROPERTIES.len() <= PROPERTIES_MAX, "{} has too many properties", M::MECHANISM);
        let adapted = M::PROPERTIES.iter().zip(conditions::<M>()).map(|(property, condition)| Property {
            expectation: match property.kind {
                PropertyKind::Always => Expectation::Always,
                PropertyKind::Sometimes => Expectation::Sometimes,
            },
            name: property.name,
            condition,
        });
        let invariant = invariant_of(&self.0).map(|_| Property {
            expectation: Expectation::Always,
            name: INDUCTIVE_INVARIANT,
            condition: |checked: &Self, state: &M::State| keeps_invariant(&checked.0, state) == Some(true),
        });
        adapted.chain(invariant).collect()
    }
    fn format_step(&self, state: &M::State, step: M::Step) -> Option<String> {
        let after = self.0.step(state, step)?;
        Some(format!("{}\n{after:#?}", self.0.describe(state, step)))
    }
}
