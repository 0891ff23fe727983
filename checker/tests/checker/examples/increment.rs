//! Threads that add one to a shared counter by reading it, and then writing what they read plus one: with a
//! lock around both, or without, and then an addition can be lost.

use stateright::{Model, Property};

#[derive(Clone, Debug)]
pub struct Increment {
    pub threads: usize,
    pub locked: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Thread {
    Start,
    Locked,
    /// With what was read.
    Read(u8),
    /// With what had been read; the published count has it as part of the state.
    Written(u8),
    Done,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub counter: u8,
    pub lock: bool,
    pub threads: Vec<Thread>,
}

/// The thread that goes on.
pub type Step = usize;

impl Model for Increment {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State { counter: 0, lock: false, threads: vec![Thread::Start; self.threads] }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        actions.extend(0..state.threads.len());
    }

    fn next_state(&self, state: &State, thread: Step) -> Option<State> {
        let mut next = state.clone();
        next.threads[thread] = match state.threads[thread] {
            Thread::Start if self.locked => {
                next.lock = true;
                (!state.lock).then_some(Thread::Locked)?
            }
            Thread::Start | Thread::Locked => Thread::Read(state.counter),
            Thread::Read(seen) => {
                next.counter = seen + 1;
                Thread::Written(seen)
            }
            Thread::Written(_) if self.locked => {
                next.lock = false;
                Thread::Done
            }
            Thread::Written(_) | Thread::Done => return None,
        };
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::<Self>::always("nothing-lost", |_, state| {
                let written = state.threads.iter().filter(|thread| **thread >= Thread::Written(0)).count();
                usize::from(state.counter) == written
            }),
            Property::<Self>::always("one-in-the-lock", |model, state| {
                let inside = |thread: &&Thread| !matches!(thread, Thread::Start | Thread::Done);
                !model.locked || state.threads.iter().filter(inside).count() <= 1
            }),
        ]
    }
}

impl Increment {
    pub fn is_final(&self, state: &State) -> bool {
        let least = if self.locked { Thread::Done } else { Thread::Written(0) };
        state.threads.iter().all(|thread| *thread >= least)
    }

    /// Threads are interchangeable.
    pub fn sorted(&self, state: &State) -> State {
        let mut sorted = state.clone();
        sorted.threads.sort();
        sorted
    }
}
