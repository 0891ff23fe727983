//! The numbers from 1 on, as a binary tree without an end: what a search of it does is up to limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use stateright::{Model, Property};

/// Counts for ever.
#[derive(Default)]
pub struct Numbers {
    /// Raised at the number `stop_at`.
    pub stop: Arc<AtomicBool>,
    pub stop_at: u64,
    /// How long a step takes.
    pub pause: Duration,
    /// Each call leads somewhere else: to the next of these numbers.
    pub fickle: Option<AtomicU64>,
}

impl Numbers {
    pub fn stopping_at(stop_at: u64) -> Self {
        Self { stop_at, ..Self::default() }
    }
}

impl Model for Numbers {
    type State = u64;
    type Action = u64;
    fn init_states(&self) -> Vec<u64> {
        vec![1]
    }
    fn actions(&self, _: &u64, actions: &mut Vec<u64>) {
        actions.extend([0, 1]);
    }
    fn next_state(&self, number: &u64, digit: u64) -> Option<u64> {
        if *number == self.stop_at {
            self.stop.store(true, Relaxed);
        }
        if !self.pause.is_zero() {
            std::thread::sleep(self.pause);
        }
        match &self.fickle {
            Some(next) => Some(next.fetch_add(1, Relaxed)),
            None => Some(number.wrapping_mul(2) + digit),
        }
    }
    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::<Self>::always("not-zero", |_, number| *number != 0),
            Property::<Self>::always("not-thirteen", |_, number| *number != 13),
            Property::<Self>::sometimes("zero", |_, number| *number == 0),
            Property::<Self>::sometimes("seven", |_, number| *number == 7),
        ]
    }
}
