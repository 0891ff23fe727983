//! Turning a chain of stored states into a genuine run of the model.
//!
//! Only states are stored, not actions. The run is found again by asking the model: at each step the first
//! action that leads to the next stored state (with a symmetry: to a state with that representative).

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::checker::{Checkable, Checker, ErrorOf};
use crate::error::{CheckError, Phase, message_of};
use crate::report::Path;
use crate::shard::StateId;
use crate::space::Visited;

type PathOf<M> = Path<<M as stateright::Model>::State, <M as stateright::Model>::Action>;

/// A shortest run to a stored state.
pub(crate) fn path_to<M: Checkable>(
    checker: &Checker<'_, M>,
    visited: &Visited<M::State>,
    id: StateId,
) -> Result<PathOf<M>, ErrorOf<M>> {
    let trail: Vec<&M::State> = visited.trail(id).into_iter().map(|id| visited.state(id)).collect();
    guarded(|| follow(checker, &trail))?
}

/// A run towards a stored state, as far as it can be followed: the model has panicked, and may do so again.
pub(crate) fn path_towards<M: Checkable>(
    checker: &Checker<'_, M>,
    visited: &Visited<M::State>,
    id: StateId,
) -> Option<PathOf<M>> {
    visited.trail(id).into_iter().rev().find_map(|id| path_to(checker, visited, id).ok())
}

/// Asks the model something when the search is over; a panic becomes an error.
pub(crate) fn guarded<S, A, T>(ask: impl FnOnce() -> T) -> Result<T, CheckError<S, A>> {
    catch_unwind(AssertUnwindSafe(ask)).map_err(|payload| {
        let message = message_of(&*payload);
        CheckError::Panicked { during: Phase::Replay, message, path: None }
    })
}

/// A run through states that are stored as `trail`.
pub(crate) fn follow<M: Checkable>(checker: &Checker<'_, M>, trail: &[&M::State]) -> Result<PathOf<M>, ErrorOf<M>> {
    let model = checker.model;
    let stored_as = |state: &M::State, stored: &M::State| {
        model.within_boundary(state)
            && match checker.symmetry {
                Some(canonical) => canonical(model, state) == *stored,
                None => state == stored,
            }
    };
    let init = model.init_states().into_iter().find(|state| stored_as(state, trail[0]));
    let Some(init) = init else { return Err(CheckError::NotDeterministic { path: None }) };

    let mut path = Path { init, steps: Vec::with_capacity(trail.len() - 1), back_to: None };
    for stored in &trail[1..] {
        match step_to(model, path.last(), |next| stored_as(next, stored)) {
            Some(step) => path.steps.push(step),
            None if checker.symmetry.is_some() => return Err(CheckError::NotASymmetry { path: Box::new(path) }),
            None => return Err(CheckError::NotDeterministic { path: Some(Box::new(path)) }),
        }
    }
    Ok(path)
}

/// The first step of `state` to a state that is `wanted`.
fn step_to<M: Checkable>(
    model: &M,
    state: &M::State,
    wanted: impl Fn(&M::State) -> bool,
) -> Option<(M::Action, M::State)> {
    let mut actions = Vec::new();
    model.actions(state, &mut actions);
    let next_of = |action| model.next_state(state, action).filter(&wanted);
    let (index, next) = actions.into_iter().enumerate().find_map(|(index, action)| Some((index, next_of(action)?)))?;
    // Taking the step consumed the action, so it is listed again.
    let mut again = Vec::new();
    model.actions(state, &mut again);
    (index < again.len()).then(|| (again.swap_remove(index), next))
}
