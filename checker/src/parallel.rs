//! Expanding states on several threads, with the result of a single one.
//!
//! A batch of the frontier is cut into parts. First each part is expanded by one thread, which sorts the
//! successors by shard. Then each shard is worked on by one thread, which takes the successors in the order of
//! the parts. So every shard sees its candidates in the order in which a single thread would have found them;
//! which of two equal states comes first, its number and its parent depend on nothing else. Last, the new
//! states are listed in that order, and are the frontier of the next level.
//!
//! Expanding changes nothing. So a batch in which anything goes wrong (a panic, or perhaps too many states)
//! is dropped and done again on one thread, where the first trouble in the order of the search is found.

use std::hash::Hash;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::barrier::{Barrier, Broken};
use crate::candidates::Candidates;
use crate::checker::Checkable;
use crate::error::{Phase, message_of};
use crate::expand::{Expander, Findings, Place};
use crate::limits::{Limit, Pacer};
use crate::pieces::Pieces;
use crate::prefetch::prefetch;
use crate::search::{Shared, Stop};
use crate::sequential::{FRONTIER_AHEAD, Pipeline, TOGETHER};
use crate::shard::{Probe, SHARDS, Shard, StateId, shard_of};

/// Parts per thread and batch: several, so that a thread with hard parts is helped out.
const PARTS_PER_THREAD: usize = 4;
/// How many successors a part should have: enough to make the threads' meetings cheap, few enough for caches.
const PART_CANDIDATES: u64 = 8192;

/// The threads and what they work on.
pub(crate) struct Crew<'c, M: Checkable> {
    shared: &'c Shared<'c, M>,
    pub(crate) barrier: Barrier,
    parts: Vec<Part<M::State>>,
    job: RwLock<Job>,
    next_part: AtomicUsize,
    next_shard: AtomicUsize,
    candidates: AtomicU64,
    failed: AtomicBool,
    stop: Mutex<Option<Stop>>,
}

/// A batch.
#[derive(Default)]
struct Job {
    positions: Range<usize>,
    /// How many more states may be stored.
    room: u64,
    known: Findings,
}

/// What came out of the expansion of a part of a batch.
struct Part<S> {
    /// The successors, by shard.
    buckets: Vec<Mutex<Bucket<S>>>,
    /// For each successor in its place: the id, if it was new.
    fresh: RwLock<Vec<AtomicU32>>,
    result: Mutex<PartResult>,
}

/// Successors on their way to their shard.
struct Bucket<S> {
    candidates: Candidates<S>,
    /// The place of each among the successors of the part, by which the order of a single thread is restored.
    places: Vec<u32>,
}

impl<S: Clone + PartialEq + Hash> Bucket<S> {
    fn bytes(&self) -> usize {
        self.candidates.bytes() + self.places.capacity() * size_of::<u32>()
    }
}

impl<S> Default for Bucket<S> {
    fn default() -> Self {
        Self { candidates: Candidates::default(), places: Vec::new() }
    }
}

#[derive(Default)]
struct PartResult {
    findings: Findings,
    candidates: usize,
    /// The memory of the buckets and of `fresh`.
    bytes: usize,
}

/// What a thread keeps from batch to batch.
pub(crate) struct Worker<'c, M: Checkable> {
    pub(crate) blocks: Pipeline<M::State>,
    pub(crate) expander: Expander<'c, M>,
    pub(crate) pacer: Pacer,
}

impl<'c, M: Checkable> Worker<'c, M> {
    pub(crate) fn new(shared: &'c Shared<'c, M>) -> Self {
        Self {
            expander: Expander::new(shared.checker, shared.properties),
            pacer: Pacer::new(),
            blocks: Pipeline::new(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}
pub(crate) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl<'c, M: Checkable> Crew<'c, M> {
    pub(crate) fn new(shared: &'c Shared<'c, M>, threads: usize) -> Self {
        let part = |_| Part {
            buckets: (0..SHARDS).map(|_| Mutex::default()).collect(),
            fresh: RwLock::default(),
            result: Mutex::default(),
        };
        Self {
            shared,
            barrier: Barrier::new(threads),
            parts: (0..threads * PARTS_PER_THREAD).map(part).collect(),
            job: RwLock::default(),
            next_part: AtomicUsize::new(0),
            next_shard: AtomicUsize::new(0),
            candidates: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            stop: Mutex::new(None),
        }
    }

    /// How many states to expand in a batch, if each has about `branching` successors.
    pub(crate) fn batch(&self, branching: u64) -> usize {
        let part = (PART_CANDIDATES / branching.max(1)).clamp(16, 4096);
        self.parts.len() * part as usize
    }

    /// What every thread but the first does until the search is over.
    pub(crate) fn follow(&self) {
        let mut worker = Worker::new(self.shared);
        while self.barrier.wait().is_ok() && self.work(&mut worker).is_ok() {}
    }

    /// What the first thread does for each batch. Adds to `next` and `findings`; `Ok(false)` if the
    /// batch must be done again on one thread.
    pub(crate) fn lead(
        &self,
        worker: &mut Worker<'c, M>,
        positions: Range<usize>,
        room: u64,
        findings: &mut Findings,
        next: &mut Pieces<u32>,
    ) -> Result<bool, Stop> {
        *write(&self.job) = Job { positions, room, known: findings.clone() };
        self.next_part.store(0, Relaxed);
        self.next_shard.store(0, Relaxed);
        self.candidates.store(0, Relaxed);
        self.failed.store(false, Relaxed);
        let met = self.barrier.wait().and_then(|()| self.work(worker));
        met.expect("the threads of a search only leave when it is over");

        if self.failed.load(Relaxed) {
            return Ok(false);
        }
        for part in &self.parts {
            findings.add(&lock(&part.result).findings);
        }
        if let Some(stop) = lock(&self.stop).take() {
            return Err(stop);
        }
        self.list_new_states(next).map_err(Stop::Limit)?;
        Ok(true)
    }

    /// A batch, as every thread sees it.
    fn work(&self, worker: &mut Worker<'c, M>) -> Result<(), Broken> {
        let job = read(&self.job);
        while let Some(index) = take(&self.next_part, self.parts.len()) {
            // Whatever goes wrong here is found again, and told, on one thread.
            let expanded = catch_unwind(AssertUnwindSafe(|| self.expand_part(&job, index, worker)));
            if !matches!(expanded, Ok(Ok(()))) {
                self.failed.store(true, Relaxed);
            }
        }
        self.barrier.wait()?;
        if self.candidates.load(Relaxed) > job.room {
            self.failed.store(true, Relaxed);
        }
        if !self.failed.load(Relaxed) {
            while let Some(shard) = take(&self.next_shard, SHARDS) {
                self.store_in(shard);
            }
        }
        drop(job);
        self.barrier.wait()
    }

    fn expand_part(&self, job: &Job, index: usize, worker: &mut Worker<'c, M>) -> Result<(), Limit> {
        let Self { shared, parts, .. } = self;
        let part = &parts[index];
        let mut buckets: Vec<_> = part.buckets.iter().map(lock).collect();
        for bucket in &mut buckets {
            bucket.candidates.clear();
            bucket.places.clear();
        }
        let frontier = read(&shared.frontier);
        let shards: Vec<_> = shared.shards.iter().map(read).collect();
        let state = |id: StateId| shards[id.shard()].state(id.local());

        let Worker { expander, pacer, blocks } = worker;
        let together = &mut blocks.filling;
        let mut candidates = 0;
        expander.start(&job.known);
        together.clear();
        let positions = cut(&job.positions, index, parts.len());
        for position in positions.clone() {
            pacer.tick(&shared.watch)?;
            if position + FRONTIER_AHEAD < positions.end {
                prefetch(state(StateId::from_bits(*frontier.get(position + FRONTIER_AHEAD))));
            }
            let id = StateId::from_bits(*frontier.get(position));
            expander.expand(id, state(id), together);
            if together.len() >= TOGETHER || position + 1 == positions.end {
                candidates = sort_out(together, candidates, &mut buckets, &mut expander.place)?;
            }
        }
        self.candidates.fetch_add(candidates as u64, Relaxed);

        let mut fresh = write(&part.fresh);
        if fresh.len() < candidates {
            fresh.resize_with(candidates, || AtomicU32::new(0));
        }
        let in_buckets: usize = buckets.iter().map(|bucket| bucket.bytes()).sum();
        let bytes = in_buckets + fresh.capacity() * size_of::<u32>();
        let mut result = lock(&part.result);
        shared.budget.release(result.bytes);
        result.bytes = 0;
        shared.budget.reserve(bytes)?;
        result.bytes = bytes;
        result.candidates = candidates;
        result.findings.clone_from(&expander.findings);
        Ok(())
    }

    fn store_in(&self, index: usize) {
        let mut place = Place { phase: Phase::Store, state: StateId::NONE };
        let stored = catch_unwind(AssertUnwindSafe(|| self.store_buckets(index, &mut place)));
        let stop = match stored {
            Ok(Ok(())) => return,
            Ok(Err(limit)) => Stop::Limit(limit),
            Err(payload) => Stop::Panic { during: place.phase, at: place.state, message: message_of(&*payload) },
        };
        lock(&self.stop).get_or_insert(stop);
    }

    /// Takes the buckets of a shard, in the order of the parts, through the same stages as a single thread does.
    fn store_buckets(&self, index: usize, place: &mut Place) -> Result<(), Limit> {
        let mut shard = write(&self.shared.shards[index]);
        let mut buckets: Vec<_> = self.parts.iter().map(|part| lock(&part.buckets[index])).collect();
        for turn in 0..buckets.len() + 2 {
            if let Some(number) = turn.checked_sub(2) {
                let fresh = read(&self.parts[number].fresh);
                self.store_bucket((index, &mut shard), &mut buckets[number], &fresh, place)?;
            }
            if let Some(bucket) = turn.checked_sub(1).and_then(|number| buckets.get_mut(number)) {
                bucket.candidates.ask_for_states(|_| &*shard);
            }
            if let Some(bucket) = buckets.get(turn) {
                bucket.candidates.ask_for_slots(|_| &*shard);
            }
        }
        Ok(())
    }

    fn store_bucket(
        &self,
        (index, shard): (usize, &mut Shard<M::State>),
        bucket: &mut Bucket<M::State>,
        fresh: &[AtomicU32],
        place: &mut Place,
    ) -> Result<(), Limit> {
        let mut places = bucket.places.drain(..);
        bucket.candidates.drain(place, |candidate| {
            let id = match shard.probe(candidate.hash, candidate.slot, candidate.state()) {
                Probe::Known(_) => StateId::NONE,
                Probe::Absent(slot) => StateId::new(index, shard.add(slot, candidate, &self.shared.budget)?),
            };
            let place = places.next().expect("one for each candidate");
            fresh[place as usize].store(id.to_bits(), Relaxed);
            Ok(())
        })
    }

    fn list_new_states(&self, next: &mut Pieces<u32>) -> Result<(), Limit> {
        for part in &self.parts {
            let candidates = lock(&part.result).candidates;
            for id in &read(&part.fresh)[..candidates] {
                let id = id.load(Relaxed);
                if id != StateId::NONE.to_bits() {
                    next.push(id, &self.shared.budget)?;
                }
            }
        }
        Ok(())
    }
}

/// Moves candidates to the buckets of their shards, and gives the next place.
fn sort_out<S: Clone + PartialEq + Hash>(
    candidates: &mut Candidates<S>,
    first: usize,
    buckets: &mut [MutexGuard<'_, Bucket<S>>],
    place: &mut Place,
) -> Result<usize, Limit> {
    candidates.hash(place);
    let mut next = first;
    candidates.drain(place, |candidate| {
        let bucket = &mut *buckets[shard_of(candidate.hash)];
        bucket.candidates.push_hashed(candidate);
        bucket.places.push(next as u32);
        next += 1;
        Ok(())
    })?;
    Ok(next)
}

/// The next number below `end` that no other thread has taken.
fn take(counter: &AtomicUsize, end: usize) -> Option<usize> {
    let number = counter.fetch_add(1, Relaxed);
    (number < end).then_some(number)
}

/// The part with this number, when `range` is cut into `parts` of about the same length.
fn cut(range: &Range<usize>, number: usize, parts: usize) -> Range<usize> {
    let at = |number| range.start + range.len() * number / parts;
    at(number)..at(number + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_range_once() {
        for len in [0, 1, 7, 8, 1000] {
            let all: Vec<usize> = (0..8).flat_map(|number| cut(&(5..5 + len), number, 8)).collect();
            assert_eq!(all, (5..5 + len).collect::<Vec<_>>());
        }
    }
}
