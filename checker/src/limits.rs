//! What may end a search early, and how it is noticed in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Which limit ended a search before everything was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// The number of states, as given or as the engine can number them (about three billion).
    States,
    /// The memory that the engine may take.
    Memory,
    /// The time.
    Time,
    /// The caller's stop flag.
    Stopped,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::States => "the limit of states was reached",
            Self::Memory => "the limit of memory was reached",
            Self::Time => "the time was up",
            Self::Stopped => "it was stopped",
        })
    }
}

/// The memory that the engine has taken and may take. Every buffer that grows with the search asks first, but
/// for those of a few kilobytes, the block of successors that each thread is filling, and what it finds for those of
/// a part in a shard.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicU64,
    peak: AtomicU64,
    max: u64,
}

impl Budget {
    pub(crate) fn new(max: Option<u64>) -> Self {
        Self { used: AtomicU64::new(0), peak: AtomicU64::new(0), max: max.unwrap_or(u64::MAX) }
    }

    pub(crate) fn reserve(&self, bytes: usize) -> Result<(), Limit> {
        let bytes = bytes as u64;
        let used = self.used.fetch_add(bytes, Relaxed) + bytes;
        if used > self.max {
            self.used.fetch_sub(bytes, Relaxed);
            return Err(Limit::Memory);
        }
        self.peak.fetch_max(used, Relaxed);
        Ok(())
    }

    pub(crate) fn release(&self, bytes: usize) {
        self.used.fetch_sub(bytes as u64, Relaxed);
    }

    /// How much may still be taken.
    pub(crate) fn left(&self) -> u64 {
        self.max.saturating_sub(self.used())
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }

    pub(crate) fn peak(&self) -> u64 {
        self.peak.load(Relaxed)
    }
}

/// The limits that come from outside: time, the stop flag, and memory that states own behind pointers.
#[derive(Debug)]
pub(crate) struct Watch {
    started: Instant,
    timeout: Option<Duration>,
    stop: Option<Arc<AtomicBool>>,
    heap: Option<HeapWatch>,
    /// The first limit that any thread noticed, so that the others stop as well.
    noticed: AtomicU8,
}

impl Watch {
    /// `owns_heap`: dropping a state does something, so it may own memory that the budget does not see.
    pub(crate) fn new(
        timeout: Option<Duration>,
        stop: Option<Arc<AtomicBool>>,
        max_memory: Option<u64>,
        owns_heap: bool,
    ) -> Self {
        let heap = max_memory.filter(|_| owns_heap).and_then(HeapWatch::new);
        Self { started: Instant::now(), timeout, stop, heap, noticed: AtomicU8::new(0) }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Looks at everything now.
    pub(crate) fn check(&self) -> Result<(), Limit> {
        let limit = match self.noticed.load(Relaxed) {
            1 => Some(Limit::Time),
            2 => Some(Limit::Stopped),
            3 => Some(Limit::Memory),
            _ => self.look(),
        };
        limit.map_or(Ok(()), Err)
    }

    fn look(&self) -> Option<Limit> {
        let (limit, code) = if self.stop.as_ref().is_some_and(|stop| stop.load(Relaxed)) {
            (Limit::Stopped, 2)
        } else if self.timeout.is_some_and(|timeout| self.started.elapsed() >= timeout) {
            (Limit::Time, 1)
        } else if self.heap.as_ref().is_some_and(|heap| heap.is_full(self.started)) {
            (Limit::Memory, 3)
        } else {
            return None;
        };
        self.noticed.store(code, Relaxed);
        Some(limit)
    }
}

/// States like `Vec` own memory that no counter here can see, so the growth of the process is watched
/// instead, where the system tells it (Linux).
#[derive(Debug)]
struct HeapWatch {
    at_start: u64,
    max: u64,
    /// Reading costs some microseconds, so it is done at most once in [`HeapWatch::EVERY`].
    next_look_ms: AtomicU64,
}

impl HeapWatch {
    const EVERY: Duration = Duration::from_millis(10);

    fn new(max: u64) -> Option<Self> {
        Some(Self { at_start: resident_bytes()?, max, next_look_ms: AtomicU64::new(0) })
    }

    fn is_full(&self, started: Instant) -> bool {
        let now = started.elapsed().as_millis() as u64;
        if now < self.next_look_ms.load(Relaxed) {
            return false;
        }
        self.next_look_ms.store(now + Self::EVERY.as_millis() as u64, Relaxed);
        resident_bytes().is_some_and(|now| now.saturating_sub(self.at_start) > self.max)
    }
}

/// The memory of this process that is in RAM; `None` where the system does not tell.
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    // The page size is not in this file; 4 KiB is the smallest there is, so the limit is kept at worst late.
    Some(pages * 4096)
}

/// Decides how many states to expand between two looks at the clock: a look costs about as much as a
/// cheap step, and a step may also take a second.
#[derive(Debug)]
pub(crate) struct Pacer {
    left: u32,
    interval: u32,
    last_look: Instant,
}

impl Pacer {
    const SOON: Duration = Duration::from_millis(1);
    const LATE: Duration = Duration::from_millis(20);

    pub(crate) fn new() -> Self {
        Self { left: 1, interval: 1, last_look: Instant::now() }
    }

    /// To be called before each state is expanded.
    #[inline]
    pub(crate) fn tick(&mut self, watch: &Watch) -> Result<(), Limit> {
        self.left -= 1;
        if self.left > 0 { Ok(()) } else { self.look(watch) }
    }

    #[cold]
    fn look(&mut self, watch: &Watch) -> Result<(), Limit> {
        let since = self.last_look.elapsed();
        self.last_look = Instant::now();
        if since < Self::SOON {
            self.interval = (self.interval * 2).min(1 << 16);
        } else if since > Self::LATE {
            self.interval = 1;
        }
        self.left = self.interval;
        watch.check()
    }
}
