//! A barrier that can be broken, so that nobody waits for a thread that is gone.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::AcqRel, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, PoisonError};

/// All threads wait for each other, again and again.
///
/// Whoever arrives early watches `meetings` for a while and only then sleeps, and nobody calls for threads that are
/// awake: most meetings need neither a lock nor the system.
#[derive(Debug)]
pub(crate) struct Barrier {
    threads: usize,
    spins: usize,
    arrived: AtomicUsize,
    /// How many there were, or [`Barrier::BROKEN`].
    meetings: AtomicU64,
    /// How many threads sleep, or are about to.
    asleep: AtomicUsize,
    bed: Mutex<()>,
    all_here: Condvar,
}

/// The barrier was broken: there is nothing to wait for any more.
#[derive(Debug)]
pub(crate) struct Broken;

impl Barrier {
    const BROKEN: u64 = u64::MAX;
    /// Threads mostly arrive within a few microseconds of each other, and being woken takes longer than that.
    /// But with more threads than processors, spinning only keeps the others from arriving.
    const SPINS: usize = 4000;

    pub(crate) fn new(threads: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            threads,
            spins: if threads <= processors { Self::SPINS } else { 0 },
            arrived: AtomicUsize::new(0),
            meetings: AtomicU64::new(0),
            asleep: AtomicUsize::new(0),
            bed: Mutex::new(()),
            all_here: Condvar::new(),
        }
    }

    /// Waits for all threads.
    pub(crate) fn wait(&self) -> Result<(), Broken> {
        let before = self.meetings.load(SeqCst);
        if before == Self::BROKEN {
            return Err(Broken);
        }
        if self.arrived.fetch_add(1, AcqRel) + 1 == self.threads {
            return self.count_meeting(before);
        }
        let is_over = || self.meetings.load(SeqCst) != before;
        if !self.spin_until(is_over) {
            self.sleep_until(is_over);
        }
        if self.meetings.load(SeqCst) == Self::BROKEN { Err(Broken) } else { Ok(()) }
    }

    /// Nobody arrives for the next meeting before this one is counted.
    fn count_meeting(&self, before: u64) -> Result<(), Broken> {
        self.arrived.store(0, Relaxed);
        let counted = self.meetings.compare_exchange(before, before + 1, SeqCst, SeqCst);
        self.wake();
        counted.map(drop).map_err(|_| Broken)
    }

    /// Sends everybody home, now and ever after.
    pub(crate) fn break_up(&self) {
        self.meetings.store(Self::BROKEN, SeqCst);
        self.wake();
    }

    fn spin_until(&self, is_time: impl Fn() -> bool) -> bool {
        for _ in 0..self.spins {
            if is_time() {
                return true;
            }
            std::hint::spin_loop();
        }
        false
    }

    /// Whoever goes to sleep says so before it looks for the last time, and whoever wakes others has changed what they
    /// look at before it asks whether anybody sleeps. So one of the two sees what the other did.
    fn sleep_until(&self, is_time: impl Fn() -> bool) {
        let bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
        self.asleep.fetch_add(1, SeqCst);
        drop(self.all_here.wait_while(bed, |()| !is_time()));
        self.asleep.fetch_sub(1, SeqCst);
    }

    fn wake(&self) {
        if self.asleep.load(SeqCst) > 0 {
            // Who is about to sleep holds the lock until it does.
            drop(self.bed.lock());
            self.all_here.notify_all();
        }
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
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    /// A thread that is never woken is a failure, and not a test without end.
    fn must_end(test: impl FnOnce() + Send + 'static) {
        let (done, ended) = channel();
        std::thread::spawn(move || {
            test();
            done.send(()).unwrap();
        });
        ended.recv_timeout(Duration::from_secs(60)).expect("the threads still wait, or one panicked");
    }

    /// Threads that spin as long as it takes, that always sleep, and that sometimes do.
    #[test]
    fn nobody_goes_on_before_everybody_is_there() {
        must_end(|| {
            for (spins, rounds) in [(usize::MAX, 20), (0, 2000), (1, 2000), (20, 500)] {
                let barrier = Barrier { spins, ..Barrier::new(3) };
                let arrived = AtomicUsize::new(0);
                std::thread::scope(|scope| {
                    for _ in 0..3 {
                        scope.spawn(|| {
                            for round in 1..=rounds {
                                arrived.fetch_add(1, Relaxed);
                                barrier.wait().unwrap();
                                assert_eq!(arrived.load(Relaxed), 3 * round);
                                barrier.wait().unwrap();
                            }
                        });
                    }
                });
                assert_eq!(barrier.asleep.into_inner(), 0);
            }
        });
    }

    #[test]
    fn a_broken_barrier_lets_everybody_go() {
        must_end(|| {
            for spins in [usize::MAX, 0] {
                let barrier = Barrier { spins, ..Barrier::new(2) };
                std::thread::scope(|scope| {
                    let waiting = scope.spawn(|| barrier.wait());
                    while barrier.arrived.load(Relaxed) == 0 {
                        std::thread::yield_now();
                    }
                    drop(BreakOnDrop(&barrier));
                    assert!(waiting.join().unwrap().is_err());
                });
                assert!(barrier.wait().is_err());
            }
        });
    }

    /// Whoever is last to arrive when it breaks does not repair it.
    #[test]
    fn a_barrier_that_is_broken_stays_broken() {
        let barrier = Barrier::new(2);
        let before = barrier.meetings.load(SeqCst);
        barrier.break_up();
        assert!(barrier.count_meeting(before).is_err());
        assert!(barrier.wait().is_err());
    }

    /// Who has looked for the last time, and does not sleep yet, is not forgotten.
    #[test]
    fn who_is_about_to_sleep_is_woken() {
        must_end(|| {
            let barrier = Barrier::new(2);
            let (has_looked, is_time) = (AtomicBool::new(false), AtomicBool::new(false));
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !has_looked.load(SeqCst) {
                        std::thread::yield_now();
                    }
                    is_time.store(true, SeqCst);
                    barrier.wake();
                });
                barrier.sleep_until(|| {
                    let seen = is_time.load(SeqCst);
                    if !has_looked.swap(true, SeqCst) {
                        std::thread::sleep(Duration::from_millis(50));
                    }
                    seen
                });
            });
        });
    }
}
