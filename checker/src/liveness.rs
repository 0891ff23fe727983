//! Whether something comes true on every run, when the search is over and all states are known.
//!
//! It does not if there is a run on which it is never true and that ends, or goes round for ever: a path
//! through states in which it is not true, to a state without steps or back to one of its own states. Nothing is
//! assumed about fairness: a run may go round a loop for ever even if a step out of it is always possible.

use std::collections::VecDeque;

use stateright::Property;

use crate::checker::{Checkable, Checker};
use crate::limits::{Budget, Limit, Pacer, Watch};
use crate::shard::StateId;
use crate::space::Visited;

/// A run on which it never comes true: its states, and where it goes back to after the last of them.
pub(crate) struct Lasso {
    pub(crate) trail: Vec<StateId>,
    pub(crate) back_to: Option<usize>,
}

/// The part of the state space in which the property has not come true yet.
pub(crate) struct Waiting<'a, 'm, M: Checkable> {
    checker: &'a Checker<'m, M>,
    visited: &'a Visited<M::State>,
    property: &'a Property<M>,
    watch: &'a Watch,
    pacer: Pacer,
    /// What is known of each state, by [`Waiting::index`].
    marks: Vec<Mark>,
    /// The state from which each state was first reached through such states only.
    parents: Vec<StateId>,
    /// Where the states of each shard begin.
    starts: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// Not reached without the property coming true.
    Unreached,
    /// Reached.
    Reached,
    /// On the path that is being followed.
    OnPath,
    /// No loop leads through it.
    NoLoop,
}

impl<'a, 'm, M: Checkable> Waiting<'a, 'm, M> {
    pub(crate) fn new(
        checker: &'a Checker<'m, M>,
        visited: &'a Visited<M::State>,
        property: &'a Property<M>,
        (budget, watch): (&Budget, &'a Watch),
    ) -> Result<Self, Limit> {
        let states = visited.len();
        let bytes = states * (size_of::<Mark>() + size_of::<StateId>());
        budget.reserve(bytes)?;
        // Given back at once: this is the only thing that grows now.
        budget.release(bytes);
        let starts = visited.shards.iter().scan(0, |next, shard| {
            let start = *next;
            *next += shard.len();
            Some(start)
        });
        Ok(Self {
            checker,
            visited,
            property,
            watch,
            pacer: Pacer::new(),
            marks: vec![Mark::Unreached; states],
            parents: vec![StateId::NONE; states],
            starts: starts.collect(),
        })
    }

    /// The shortest run that ends too early; otherwise one that goes round for ever.
    pub(crate) fn lasso(&mut self) -> Result<Option<Lasso>, Limit> {
        let inits = self.checker.model.init_states().into_iter();
        let inits: Vec<StateId> = inits.filter_map(|state| self.visited.find(&state)).collect();
        if let Some(end) = self.reach(&inits)? {
            return Ok(Some(Lasso { trail: self.trail(end), back_to: None }));
        }
        for init in inits {
            if let Some(lasso) = self.find_loop(init)? {
                return Ok(Some(lasso));
            }
        }
        Ok(None)
    }

    fn index(&self, id: StateId) -> usize {
        self.starts[id.shard()] + id.local()
    }

    fn is_waiting(&self, id: StateId) -> bool {
        !(self.property.condition)(self.checker.model, self.visited.state(id))
    }

    /// The states after this one, and whether it has any steps (also such as lead out of the boundary).
    fn after(&mut self, id: StateId) -> Result<(Vec<StateId>, bool), Limit> {
        self.pacer.tick(self.watch)?;
        let next = self.checker.model.next_states(self.visited.state(id));
        let has_steps = !next.is_empty();
        let inside = next.iter().filter(|next| self.checker.model.within_boundary(next));
        Ok((inside.filter_map(|next| self.visited.find(next)).collect(), has_steps))
    }

    /// Marks what can be reached, breadth first, up to the first state without steps.
    fn reach(&mut self, inits: &[StateId]) -> Result<Option<StateId>, Limit> {
        let mut queue = VecDeque::new();
        self.enqueue(inits, StateId::NONE, &mut queue);
        while let Some(id) = queue.pop_front() {
            let (next, has_steps) = self.after(id)?;
            if !has_steps {
                return Ok(Some(id));
            }
            self.enqueue(&next, id, &mut queue);
        }
        Ok(None)
    }

    fn enqueue(&mut self, ids: &[StateId], parent: StateId, queue: &mut VecDeque<StateId>) {
        for &id in ids {
            let index = self.index(id);
            if self.marks[index] == Mark::Unreached && self.is_waiting(id) {
                self.marks[index] = Mark::Reached;
                self.parents[index] = parent;
                queue.push_back(id);
            }
        }
    }

    /// Follows paths depth first, until one comes back to itself.
    fn find_loop(&mut self, init: StateId) -> Result<Option<Lasso>, Limit> {
        let mut path = Vec::new();
        let mut todo = vec![vec![init]];
        while let Some(siblings) = todo.last_mut() {
            let Some(id) = siblings.pop() else {
                todo.pop();
                if let Some(done) = path.pop() {
                    let index = self.index(done);
                    self.marks[index] = Mark::NoLoop;
                }
                continue;
            };
            let index = self.index(id);
            match self.marks[index] {
                Mark::Unreached | Mark::NoLoop => {}
                Mark::OnPath => return Ok(Some(self.close(&path, id))),
                Mark::Reached => {
                    self.marks[index] = Mark::OnPath;
                    path.push(id);
                    let (next, _) = self.after(id)?;
                    todo.push(next);
                }
            }
        }
        Ok(None)
    }

    /// The shortest way to the loop that leads from `back` along the end of `path` to `back` again.
    fn close(&self, path: &[StateId], back: StateId) -> Lasso {
        let mut trail = self.trail(back);
        let back_to = trail.len() - 1;
        let start = path.iter().position(|id| *id == back).expect("a state that is marked is on the path");
        trail.extend(&path[start + 1..]);
        trail.push(back);
        Lasso { trail, back_to: Some(back_to) }
    }

    fn trail(&self, id: StateId) -> Vec<StateId> {
        let before = |id: &StateId| Some(self.parents[self.index(*id)]).filter(|id| *id != StateId::NONE);
        let mut trail: Vec<StateId> = std::iter::successors(Some(id), before).collect();
        trail.reverse();
        trail
    }
}
