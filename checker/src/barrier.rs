//! A barrier that can be broken, so that nobody waits for a thread that is gone.

use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// All threads wait for each other, again and again.
#[derive(Debug)]
pub(crate) struct Barrier {
    threads: usize,
    spins: usize,
    waiting: Mutex<Waiting>,
    all_here: Condvar,
    /// The number of meetings so far, for those who spin.
    meetings: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    threads: usize,
    meetings: u64,
    broken: bool,
}

/// The barrier was broken: there is nothing to wait for any more.
#[derive(Debug)]
pub(crate) struct Broken;

impl Barrier {
    /// Threads mostly arrive within a few microseconds of each other, and being woken takes longer than that.
    /// But with more threads than processors, spinning only keeps the others from arriving.
    const SPINS: usize = 4000;

    pub(crate) fn new(threads: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let spins = if threads <= processors { Self::SPINS } else { 0 };
        Self { threads, spins, waiting: Mutex::default(), all_here: Condvar::new(), meetings: AtomicU64::new(0) }
    }

    /// Waits for all threads.
    pub(crate) fn wait(&self) -> Result<(), Broken> {
        let mut waiting = self.lock();
        if waiting.broken {
            return Err(Broken);
        }
        waiting.threads += 1;
        if waiting.threads == self.threads {
            waiting.threads = 0;
            waiting.meetings += 1;
            self.meetings.store(waiting.meetings, Release);
            self.all_here.notify_all();
            return Ok(());
        }
        let mine = waiting.meetings;
        drop(waiting);
        for _ in 0..self.spins {
            if self.meetings.load(Acquire) != mine {
                return Ok(());
            }
            std::hint::spin_loop();
        }
        let waiting = self.all_here.wait_while(self.lock(), |waiting| waiting.meetings == mine && !waiting.broken);
        let waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        if waiting.meetings == mine { Err(Broken) } else { Ok(()) }
    }

    /// Sends everybody home, now and ever after.
    pub(crate) fn break_up(&self) {
        self.lock().broken = true;
        self.all_here.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Breaks the barrier when it is dropped, in particular when its thread panics.
#[derive(Debug)]
pub(crate) struct BreakOnDrop<'a>(pub(crate) &'a Barrier);

impl Drop for BreakOnDrop<'_> {
    fn drop(&mut self) {
        self.0.break_up();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    #[test]
    fn nobody_goes_on_before_everybody_is_there() {
        let barrier = Barrier::new(3);
        let arrived = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for round in 1..=100 {
                        arrived.fetch_add(1, Relaxed);
                        barrier.wait().unwrap();
                        assert_eq!(arrived.load(Relaxed), 3 * round);
                        barrier.wait().unwrap();
                    }
                });
            }
        });
    }

    #[test]
    fn a_broken_barrier_lets_everybody_go() {
        let barrier = Barrier::new(2);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| barrier.wait());
            drop(BreakOnDrop(&barrier));
            assert!(waiting.join().unwrap().is_err());
        });
        assert!(barrier.wait().is_err());
    }
}
