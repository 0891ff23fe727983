//! Expanding states on several threads, with the result of a single one.
//!
//! A batch of the frontier is cut into parts. First each part is expanded by one thread, which leaves out what it has
//! seen a moment ago, and notes the successors of each shard. Then each shard is worked on by one thread, which takes the
//! successors in the order of the parts. So every shard sees its candidates in the order in which a single thread would
//! have found them; which of two equal states comes first, its number and its parent depend on nothing else. Last, the
//! new states are listed in that order, and are the frontier of the next level.
//!
//! Expanding changes nothing. So a batch in which anything goes wrong until then (a panic, or perhaps too many states)
//! is dropped and done again on one thread, where the first trouble in the order of the search is found. If states panic
//! when they are compared while shards are worked on, one of these panics is told.

use std::hash::Hash;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::barrier::{Barrier, Broken};
use crate::candidates::Candidates;
use crate::checker::Checkable;
use crate::error::{Phase, message_of};
use crate::expand::{Expander, Findings, Place};
use crate::limits::{Limit, Pacer};
use crate::pieces::Pieces;
use crate::placement::Placement;
use crate::prefetch::prefetch;
use crate::recent::Recent;
use crate::search::{Shared, Stop};
use crate::sequential::{FRONTIER_AHEAD, Pipeline, TOGETHER};
use crate::shard::{First, Probe, SHARDS, Shard, StateId, shard_of};

/// Parts per thread and batch: several, so that a thread with hard parts is helped out.
const PARTS_PER_THREAD: usize = 4;
/// How many successors a part should have: enough to make the threads' meetings cheap, few enough for caches.
const PART_CANDIDATES: u64 = 2048;

/// The threads and what they work on.
pub(crate) struct Crew<'c, M: Checkable> {
    shared: &'c Shared<'c, M>,
    pub(crate) barrier: Barrier,
    placement: Placement,
    parts: Vec<Part<M::State>>,
    /// Of each thread.
    marks: Vec<Mutex<Marks>>,
    job: RwLock<Job>,
    parts_to_do: Work,
    shards_to_do: Work,
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
    successors: RwLock<Successors<S>>,
    result: Mutex<PartResult>,
}

/// The successors of a part, less some that come twice, and which of them belong to which shard.
struct Successors<S> {
    candidates: Candidates<S>,
    /// For each shard the places of its candidates, in their order.
    places: [Vec<u32>; SHARDS],
}

impl<S> Default for Successors<S> {
    fn default() -> Self {
        Self { candidates: Candidates::default(), places: [const { Vec::new() }; SHARDS] }
    }
}

impl<S: Clone + PartialEq + Hash> Successors<S> {
    fn clear(&mut self) {
        self.candidates.clear();
        self.places.iter_mut().for_each(Vec::clear);
    }

    fn bytes(&self) -> usize {
        self.candidates.bytes() + self.places.iter().map(|places| places.capacity() * size_of::<u32>()).sum::<usize>()
    }

    /// Takes over a block of candidates, but for those that it has taken over a moment ago.
    fn take_over(&mut self, block: &mut Candidates<S>, recent: &mut Recent, place: &mut Place) {
        let Self { candidates, places } = self;
        candidates.take_over(block, recent, place, |hash, number| places[shard_of(hash)].push(number));
    }
}

#[derive(Default)]
struct PartResult {
    findings: Findings,
    /// The memory of the successors and of every thread's marks.
    bytes: usize,
}

/// For each part, a bit for each successor: whether it was new, and this thread stored it. The bits tell the ids too: of
/// the new states of a shard, the first in the order of the parts has the first free number, and so on. (Bits of its own
/// for each thread, because two threads that write to the same lines of the memory wait for each other.)
type Marks = Vec<Vec<u64>>;
const WORD: usize = u64::BITS as usize;

/// What a thread keeps from batch to batch.
pub(crate) struct Worker<'c, M: Checkable> {
    number: usize,
    pub(crate) blocks: Pipeline<M::State>,
    pub(crate) expander: Expander<'c, M>,
    pub(crate) pacer: Pacer,
    recent: Recent,
    firsts: Firsts,
}

/// What the last part found, and the one before it, when successors are looked up. (Kept: when every shard grew its own,
/// threads waited for each other's memory.)
type Firsts = [Vec<First>; 2];

impl<'c, M: Checkable> Worker<'c, M> {
    pub(crate) fn new(shared: &'c Shared<'c, M>) -> Self {
        Self {
            number: 0,
            expander: Expander::new(shared.checker, shared.properties),
            pacer: Pacer::new(),
            blocks: Pipeline::new(),
            recent: Recent::new(),
            firsts: Firsts::default(),
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
        // Threads that ask for memory wait for each other, so some is taken beforehand, if there is plenty.
        if shared.budget.left() / 16 >= SHARDS as u64 * Shard::<M::State>::BYTES_EXPECTED {
            shared.shards.iter().for_each(|shard| write(shard).expect_many(&shared.budget));
        }
        let placement = Placement::new(threads);
        placement.keep_apart(0);
        let part = |_| Part { successors: RwLock::default(), result: Mutex::default() };
        let marks = || Mutex::new(vec![Vec::new(); threads * PARTS_PER_THREAD]);
        Self {
            shared,
            barrier: Barrier::new(threads),
            placement,
            parts: (0..threads * PARTS_PER_THREAD).map(part).collect(),
            marks: std::iter::repeat_with(marks).take(threads).collect(),
            job: RwLock::default(),
            parts_to_do: Work::new(threads * PARTS_PER_THREAD, threads),
            shards_to_do: Work::new(SHARDS, threads),
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

    /// What every thread but the first does until the search is over. The first has the number 0.
    pub(crate) fn follow(&self, number: usize) {
        let mut worker = Worker { number, ..Worker::new(self.shared) };
        self.placement.keep_apart(number);
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
        let before: Vec<usize> = self.shared.shards.iter().map(|shard| read(shard).len()).collect();
        *write(&self.job) = Job { positions, room, known: findings.clone() };
        self.parts_to_do.renew();
        self.shards_to_do.renew();
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
        self.list_new_states(before, next).map_err(Stop::Limit)?;
        Ok(true)
    }

    /// A batch, as every thread sees it.
    fn work(&self, worker: &mut Worker<'c, M>) -> Result<(), Broken> {
        self.placement.keep_apart(worker.number);
        let job = read(&self.job);
        self.expand_parts(&job, worker);
        self.barrier.wait()?;
        if self.candidates.load(Relaxed) > job.room {
            self.failed.store(true, Relaxed);
        }
        if !self.failed.load(Relaxed) {
            self.store_shards(worker.number, &mut worker.firsts);
        }
        drop(job);
        self.barrier.wait()
    }

    /// Nobody writes to the frontier and to the shards meanwhile, so they are locked once.
    fn expand_parts(&self, job: &Job, worker: &mut Worker<'c, M>) {
        let frontier = read(&self.shared.frontier);
        let locked: Vec<_> = self.shared.shards.iter().map(read).collect();
        let shards: Vec<&Shard<_>> = locked.iter().map(|shard| &**shard).collect();
        while let Some(index) = self.parts_to_do.take(worker.number) {
            // Whatever goes wrong here is found again, and told, on one thread.
            let expanded =
                catch_unwind(AssertUnwindSafe(|| self.expand_part(job, index, (&frontier, &shards), worker)));
            if !matches!(expanded, Ok(Ok(()))) {
                self.failed.store(true, Relaxed);
            }
        }
    }

    /// Nobody changes the list of successors of any part meanwhile.
    fn store_shards(&self, thread: usize, firsts: &mut Firsts) {
        let locked: Vec<_> = self.parts.iter().map(|part| read(&part.successors)).collect();
        let parts: Vec<&Successors<_>> = locked.iter().map(|successors| &**successors).collect();
        let mut marks = lock(&self.marks[thread]);
        for (marks, part) in marks.iter_mut().zip(&parts) {
            // No longer than it was counted for.
            *marks = vec![0; part.candidates.len().div_ceil(WORD)];
        }
        while let Some(shard) = self.shards_to_do.take(thread) {
            self.store_in(shard, &parts, &mut marks, firsts);
        }
    }

    fn expand_part(
        &self,
        job: &Job,
        index: usize,
        (frontier, shards): (&Pieces<u32>, &[&Shard<M::State>]),
        worker: &mut Worker<'c, M>,
    ) -> Result<(), Limit> {
        let Self { shared, parts, .. } = self;
        let part = &parts[index];
        let mut successors = write(&part.successors);
        successors.clear();
        let state = |id: StateId| shards[id.shard()].state(id.local());

        let Worker { expander, pacer, blocks: Pipeline { filling: block, .. }, recent, .. } = worker;
        block.clear();
        expander.start(&job.known);
        let positions = cut(&job.positions, index, parts.len());
        for position in positions.clone() {
            pacer.tick(&shared.watch)?;
            if position + FRONTIER_AHEAD < positions.end {
                prefetch(state(StateId::from_bits(*frontier.get(position + FRONTIER_AHEAD))));
            }
            let id = StateId::from_bits(*frontier.get(position));
            expander.expand(id, state(id), block);
            if block.len() >= TOGETHER || position + 1 == positions.end {
                successors.take_over(block, recent, &mut expander.place);
            }
        }
        let candidates = successors.candidates.len();
        self.candidates.fetch_add(candidates as u64, Relaxed);

        let bytes = successors.bytes() + self.marks.len() * candidates.div_ceil(WORD) * size_of::<u64>();
        let mut result = lock(&part.result);
        shared.budget.release(result.bytes);
        result.bytes = 0;
        if let Err(limit) = shared.budget.reserve(bytes) {
            // What is not counted is not kept either.
            *successors = Successors::default();
            return Err(limit);
        }
        result.bytes = bytes;
        result.findings.clone_from(&expander.findings);
        Ok(())
    }

    fn store_in(&self, index: usize, parts: &[&Successors<M::State>], marks: &mut Marks, firsts: &mut Firsts) {
        let mut place = Place { phase: Phase::Store, state: StateId::NONE };
        let stored =
            catch_unwind(AssertUnwindSafe(|| self.store_successors(index, parts, (marks, firsts), &mut place)));
        let stop = match stored {
            Ok(Ok(())) => return,
            Ok(Err(limit)) => Stop::Limit(limit),
            Err(payload) => Stop::Panic { during: place.phase, at: place.state, message: message_of(&*payload) },
        };
        lock(&self.stop).get_or_insert(stop);
    }

    /// Takes the successors that belong to a shard, in the order of the parts, through the same stages as a single
    /// thread does.
    fn store_successors(
        &self,
        index: usize,
        parts: &[&Successors<M::State>],
        (marks, firsts): (&mut Marks, &mut Firsts),
        at: &mut Place,
    ) -> Result<(), Limit> {
        let mut shard = write(&self.shared.shards[index]);
        for turn in 0..parts.len() + 2 {
            if let Some(number) = turn.checked_sub(2) {
                let places = parts[number].places[index].iter().zip(&firsts[turn % 2]);
                self.store_part(&mut shard, &parts[number].candidates, places, &mut marks[number], at)?;
            }
            if let Some(part) = turn.checked_sub(1).and_then(|number| parts.get(number)) {
                let hashes = part.candidates.hashes();
                let firsts = &mut firsts[(turn - 1) % 2];
                firsts.clear();
                firsts.extend(part.places[index].iter().map(|place| shard.peek(hashes[*place as usize])));
            }
            if let Some(part) = parts.get(turn) {
                let hashes = part.candidates.hashes();
                part.places[index].iter().for_each(|place| shard.prefetch_slot(hashes[*place as usize]));
            }
        }
        Ok(())
    }

    fn store_part<'a>(
        &self,
        shard: &mut Shard<M::State>,
        candidates: &Candidates<M::State>,
        places: impl Iterator<Item = (&'a u32, &'a First)>,
        marks: &mut [u64],
        at: &mut Place,
    ) -> Result<(), Limit> {
        for (place, first) in places {
            let place = *place as usize;
            let candidate = candidates.get(place, *first);
            at.state = candidate.parent;
            if let Probe::Absent(slot) = shard.probe(candidate.hash, candidate.first, candidate.state) {
                shard.add(slot, candidate, &self.shared.budget)?;
                marks[place / WORD] |= 1 << (place % WORD);
            }
        }
        Ok(())
    }

    /// `free` are the first free numbers of the shards, before the batch.
    fn list_new_states(&self, mut free: Vec<usize>, next: &mut Pieces<u32>) -> Result<(), Limit> {
        let marks: Vec<_> = self.marks.iter().map(lock).collect();
        for (number, part) in self.parts.iter().enumerate() {
            let successors = read(&part.successors);
            let hashes = successors.candidates.hashes();
            for (word, hashes) in hashes.chunks(WORD).enumerate() {
                let mut new = marks.iter().fold(0, |new, marks| new | marks[number][word]);
                while new != 0 {
                    let shard = shard_of(hashes[new.trailing_zeros() as usize]);
                    next.push(StateId::new(shard, free[shard] as u32).to_bits(), &self.shared.budget)?;
                    free[shard] += 1;
                    new &= new - 1;
                }
            }
        }
        Ok(())
    }
}

/// Numbered pieces of work. Every thread begins with its own share, whose memory lies in its cache since the last time,
/// and then helps the others.
struct Work {
    pieces: usize,
    /// For each thread how many pieces of its share are taken.
    taken: Vec<AtomicUsize>,
}

impl Work {
    fn new(pieces: usize, threads: usize) -> Self {
        Self { pieces, taken: (0..threads).map(|_| AtomicUsize::new(0)).collect() }
    }

    fn renew(&self) {
        self.taken.iter().for_each(|taken| taken.store(0, Relaxed));
    }

    /// A piece that no thread has taken.
    fn take(&self, thread: usize) -> Option<usize> {
        let threads = self.taken.len();
        (0..threads).map(|offset| (thread + offset) % threads).find_map(|share| {
            let pieces = cut(&(0..self.pieces), share, threads);
            let piece = pieces.start + self.taken[share].fetch_add(1, Relaxed);
            (piece < pieces.end).then_some(piece)
        })
    }
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
    fn every_piece_is_taken_once_and_the_own_ones_first() {
        let work = Work::new(7, 3);
        for _ in 0..2 {
            work.renew();
            assert_eq!(work.take(1), Some(2));
            assert_eq!(work.take(2), Some(4));
            let rest: Vec<usize> = std::iter::from_fn(|| work.take(1)).collect();
            assert_eq!(rest, [3, 5, 6, 0, 1]);
            assert_eq!(work.take(0), None);
        }
    }

    #[test]
    fn parts_cover_the_range_once() {
        for len in [0, 1, 7, 8, 1000] {
            let all: Vec<usize> = (0..8).flat_map(|number| cut(&(5..5 + len), number, 8)).collect();
            assert_eq!(all, (5..5 + len).collect::<Vec<_>>());
        }
    }
}
