//! Two-phase commit with another property or a narrower boundary.
//!
//! One model for all tests that need such a thing: the engine is compiled anew for every model, which takes longer
//! than to run it.

use stateright::{Model, Property};

use super::two_phase_commit::{State, Step, TwoPhaseCommit};

/// The states and steps of the model, and what else is said of them.
pub struct Restated {
    pub model: TwoPhaseCommit,
    pub property: fn() -> Property<Restated>,
    pub within_boundary: fn(&State) -> bool,
}

impl Model for Restated {
    type State = State;
    type Action = Step;
    fn init_states(&self) -> Vec<State> {
        self.model.init_states()
    }
    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        self.model.actions(state, actions);
    }
    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        self.model.next_state(state, step)
    }
    fn within_boundary(&self, state: &State) -> bool {
        (self.within_boundary)(state)
    }
    fn properties(&self) -> Vec<Property<Self>> {
        vec![(self.property)()]
    }
}
