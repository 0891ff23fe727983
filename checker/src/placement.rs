//! Keeps the threads of a search on different processors.
//!
//! The system may wake a thread on the processor of the one that woke it, and leave both there for ten milliseconds and
//! more while another processor has nothing to do: threads that take turns every few hundred microseconds seem too warm
//! to be moved. As long as that lasts, two threads are as slow as one. So a thread that finds itself on the processor of
//! one with a smaller number leaves it, and may go anywhere afterwards.
//!
//! This changes how long a search takes and nothing else. It is done on Linux only.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// For each thread the processor on which it was seen last.
#[derive(Debug)]
pub(crate) struct Placement(Vec<AtomicUsize>);

impl Placement {
    const UNKNOWN: usize = usize::MAX;

    pub(crate) fn new(threads: usize) -> Self {
        Self((0..threads).map(|_| AtomicUsize::new(Self::UNKNOWN)).collect())
    }

    /// Notes where this thread is. If one with a smaller number is there as well, this one goes where no other one is.
    pub(crate) fn keep_apart(&self, number: usize) {
        let Some(here) = system::processor() else { return };
        let mut now = here;
        if self.0[..number].iter().any(|processor| processor.load(Relaxed) == here) {
            let others = self.0.iter().enumerate().filter(|(other, _)| *other != number);
            system::leave(others.map(|(_, processor)| processor.load(Relaxed)));
            now = system::processor().unwrap_or(Self::UNKNOWN);
        }
        self.0[number].store(now, Relaxed);
    }
}

#[cfg(target_os = "linux")]
mod system {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

    pub(super) fn processor() -> Option<usize> {
        Some(sched_getcpu())
    }

    /// Moves this thread away from these processors, if it may use another. If the system refuses, it stays.
    pub(super) fn leave(processors: impl Iterator<Item = usize>) {
        let Ok(allowed) = sched_getaffinity(None) else { return };
        let mut others = allowed;
        processors.filter(|processor| *processor < CpuSet::MAX_CPU).for_each(|processor| others.unset(processor));
        if others.count() > 0 && sched_setaffinity(None, &others).is_ok() {
            // It was so before. If the system has taken processors away meanwhile, this one remains.
            let _ = sched_setaffinity(None, &allowed);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn processor() -> Option<usize> {
        None
    }
    pub(super) fn leave(_processors: impl Iterator<Item = usize>) {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    use super::*;

    fn elsewhere(allowed: &CpuSet, here: usize) -> usize {
        (0..CpuSet::MAX_CPU).find(|other| *other != here && allowed.is_set(*other)).unwrap_or(here)
    }

    #[test]
    fn who_is_on_the_processor_of_another_leaves_it_and_may_come_back() {
        let allowed = sched_getaffinity(None).unwrap();
        let placement = Placement::new(2);
        let mut moves = 0;
        for _ in 0..100 {
            // The other one is said to be where this one is.
            let here = system::processor().unwrap();
            placement.0[0].store(here, Relaxed);
            // Where this one was before does not keep it from going there.
            placement.0[1].store(elsewhere(&allowed, here), Relaxed);
            placement.keep_apart(1);
            moves += u32::from(placement.0[1].load(Relaxed) != here);
            assert_eq!(sched_getaffinity(None).unwrap(), allowed);
        }
        // The system may move a thread at any time, so now and then one comes back at once.
        assert!(allowed.count() == 1 || moves > 50, "{moves}");
    }

    #[test]
    fn who_may_not_go_elsewhere_stays() {
        let all = sched_getaffinity(None).unwrap();
        let here = system::processor().unwrap();
        let mut only_here = all;
        (0..CpuSet::MAX_CPU).filter(|other| *other != here).for_each(|other| only_here.unset(other));
        sched_setaffinity(None, &only_here).unwrap();
        let placement = Placement::new(3);
        (0..3).for_each(|number| placement.keep_apart(number));
        assert!(placement.0.iter().all(|processor| processor.load(Relaxed) == here));
        assert_eq!(sched_getaffinity(None).unwrap(), only_here);
    }
}
