//! The log of a port: which step was taken, by whom, and what could be seen of the shared state right after it.
//!
//! A recorded step is taken under one lock, so that the log has the order in which the steps had their effect. That
//! hides weak memory orders, which is intended: a replay compares steps, loom's scenarios compare orders, and those run
//! with the recorder off. Waiting (for a lock, a grace period, a handler) is never inside a recorded step: it is over
//! before the step is recorded, and a lock is let go of after.

use super::primitives::Lock;
use crate::event::{Event, Seen};

/// Records steps, or only takes them.
#[derive(Debug)]
pub struct Recorder {
    order: Option<(Lock, std::sync::Mutex<Vec<Event>>)>,
}

impl Recorder {
    /// Steps are taken, and nothing else: no lock, no log.
    pub fn off() -> Self {
        Self { order: None }
    }
    /// Steps are recorded.
    pub fn on() -> Self {
        Self { order: Some((Lock::unheld(), std::sync::Mutex::new(Vec::new()))) }
    }
    /// Takes the step `label` of `actor`, records it with the argument that `argument` makes of its result, and with
    /// what `look` sees after it. Without an argument nothing has happened, and nothing is recorded.
    pub fn step<R>(
        &self,
        actor: u8,
        label: &'static str,
        effect: impl FnOnce() -> R,
        argument: impl FnOnce(&R) -> Option<i64>,
        look: impl FnOnce() -> Seen,
    ) -> R {
        let Some((order, log)) = &self.order else { return effect() };
        let _one_at_a_time = order.lock();
        let result = effect();
        if let Some(argument) = argument(&result) {
            let event = Event { actor, label, argument, seen: look() };
            log.lock().expect("nothing panics while it holds the log").push(event);
        }
        result
    }
    /// The steps so far.
    pub fn events(&self) -> Vec<Event> {
        let log = self.order.as_ref().map(|(_, log)| log.lock().expect("nothing panics while it holds the log"));
        log.map_or_else(Vec::new, |log| log.clone())
    }
}
