//! Looking at one state: its properties, its steps, and the states these lead to.

use stateright::{Expectation, Property};

use crate::candidates::Candidates;
use crate::checker::{Canonical, Checkable, Checker, InPlace};
use crate::error::Phase;
use crate::shard::StateId;

/// What was counted and found while states were examined.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    pub(crate) examined: u64,
    pub(crate) transitions: u64,
    pub(crate) terminal: u64,
    pub(crate) cut: u64,
    pub(crate) kinds: Vec<u64>,
    /// For each property the first state that decides it.
    pub(crate) decided: Vec<Option<StateId>>,
    /// The first state without steps that is not final.
    pub(crate) deadlock: Option<StateId>,
}

impl Findings {
    pub(crate) fn new(kinds: usize, properties: usize) -> Self {
        Self { kinds: vec![0; kinds], decided: vec![None; properties], ..Self::default() }
    }

    /// Adds what was found in states that come later in the order of the search.
    pub(crate) fn add(&mut self, later: &Self) {
        self.examined += later.examined;
        self.transitions += later.transitions;
        self.terminal += later.terminal;
        self.cut += later.cut;
        self.kinds.iter_mut().zip(&later.kinds).for_each(|(sum, count)| *sum += count);
        for (first, later) in self.decided.iter_mut().zip(&later.decided) {
            *first = first.or(*later);
        }
        self.deadlock = self.deadlock.or(later.deadlock);
    }

    pub(crate) fn clear(&mut self) {
        let (mut kinds, mut decided) = (std::mem::take(&mut self.kinds), std::mem::take(&mut self.decided));
        kinds.fill(0);
        decided.fill(None);
        *self = Self { kinds, decided, ..Self::default() };
    }
}

/// Where an expander is, in case the model panics there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) phase: Phase,
    /// The state that is being examined, or whose successor is being stored.
    pub(crate) state: StateId,
}

/// What a checker says of steps, at hand while many are taken.
struct Steps<'c, M: Checkable> {
    model: &'c M,
    in_place: Option<InPlace<M>>,
    symmetry: Option<Canonical<M>>,
}

impl<'c, M: Checkable> Steps<'c, M> {
    #[inline]
    fn of(checker: &Checker<'c, M>) -> Self {
        Self { model: checker.model, in_place: checker.in_place, symmetry: checker.symmetry }
    }

    /// Collects the state after an action, if there is one and it lies within the boundary: whether it does.
    /// (A state is passed on as seldom as possible: a copy of what was just written waits until the writing is done.)
    #[inline]
    fn take(
        &self,
        state: &M::State,
        action: M::Action,
        candidates: &mut Candidates<M::State>,
        place: &mut Place,
    ) -> Option<bool> {
        place.phase = Phase::NextState;
        let next = match self.in_place {
            None => candidates.push(self.model.next_state(state, action)?),
            Some(step) => {
                let next = candidates.push(state.clone());
                if !step(self.model, next, action) {
                    candidates.pop();
                    return None;
                }
                next
            }
        };
        let inside = self.judge(next, place);
        if !inside {
            candidates.pop();
        }
        Some(inside)
    }

    /// Whether a state lies within the boundary; then it is turned into its canonical form.
    #[inline]
    fn judge(&self, state: &mut M::State, place: &mut Place) -> bool {
        place.phase = Phase::Boundary;
        if !self.model.within_boundary(state) {
            return false;
        }
        if let Some(canonical) = self.symmetry {
            place.phase = Phase::Canonical;
            *state = canonical(self.model, state);
        }
        true
    }
}

/// Examines states one after the other.
pub(crate) struct Expander<'c, M: Checkable> {
    checker: &'c Checker<'c, M>,
    properties: &'c [Property<M>],
    /// The properties that are not decided yet.
    open: Vec<usize>,
    actions: Vec<M::Action>,
    pub(crate) findings: Findings,
    pub(crate) place: Place,
}

impl<'c, M: Checkable> Expander<'c, M> {
    pub(crate) fn new(checker: &'c Checker<'c, M>, properties: &'c [Property<M>]) -> Self {
        Self {
            checker,
            properties,
            open: Vec::new(),
            actions: Vec::new(),
            findings: Findings::new(checker.kinds.map_or(0, |(count, _)| count), properties.len()),
            place: Place { phase: Phase::InitStates, state: StateId::NONE },
        }
    }

    /// Begins with fresh findings; what is decided already need not be looked at again.
    pub(crate) fn start(&mut self, known: &Findings) {
        self.findings.clear();
        self.actions.clear();
        self.open.clear();
        let open = (0..self.properties.len()).filter(|index| {
            known.decided[*index].is_none() && self.properties[*index].expectation != Expectation::Eventually
        });
        self.open.extend(open);
    }

    /// Collects a state if it lies within the boundary, in its canonical form; says whether it does.
    #[inline]
    pub(crate) fn admit(&mut self, state: M::State, candidates: &mut Candidates<M::State>) -> bool {
        let inside = Steps::of(self.checker).judge(candidates.push(state), &mut self.place);
        if !inside {
            candidates.pop();
            self.findings.cut += 1;
        }
        inside
    }

    /// Examines `state` and collects the states after it, in the order of the actions.
    #[inline]
    pub(crate) fn expand(&mut self, id: StateId, state: &M::State, candidates: &mut Candidates<M::State>) {
        self.place.state = id;
        self.findings.examined += 1;
        self.look_at_properties(id, state);

        let Self { actions, findings, place, .. } = self;
        let steps = Steps::of(self.checker);
        place.phase = Phase::Actions;
        steps.model.actions(state, actions);
        let (mut possible, mut inside) = (0, 0);
        for action in actions.drain(..) {
            let kind = self.checker.kinds.map(|(_, kind_of)| {
                place.phase = Phase::Kind;
                kind_of(steps.model, &action)
            });
            let Some(is_inside) = steps.take(state, action, candidates, place) else { continue };
            possible += 1;
            if !is_inside {
                continue;
            }
            inside += 1;
            if let Some(kind) = kind {
                place.phase = Phase::Kind;
                findings.kinds[kind] += 1;
            }
        }
        findings.transitions += inside;
        findings.cut += possible - inside;
        candidates.came_from(id);
        if possible == 0 {
            self.note_terminal(id, state);
        }
    }

    #[inline]
    fn look_at_properties(&mut self, id: StateId, state: &M::State) {
        let mut position = 0;
        while let Some(&index) = self.open.get(position) {
            let property = &self.properties[index];
            self.place.phase = Phase::Condition(index);
            let value = (property.condition)(self.checker.model, state);
            if value == (property.expectation == Expectation::Sometimes) {
                self.findings.decided[index] = Some(id);
                self.open.remove(position);
            } else {
                position += 1;
            }
        }
    }

    fn note_terminal(&mut self, id: StateId, state: &M::State) {
        self.findings.terminal += 1;
        let Some(is_final) = self.checker.is_final else { return };
        self.place.phase = Phase::Final;
        if self.findings.deadlock.is_none() && !is_final(self.checker.model, state) {
            self.findings.deadlock = Some(id);
        }
    }
}
