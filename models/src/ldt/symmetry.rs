//! CPUs are interchangeable, threads that call are, and so are threads that do not.
//!
//! Pages and structs are not: the allocator prefers the lowest.

use super::{Cpu, CpuSet, Ipi, Ldt, State, Task, Thread, ThreadId, MAX_CPUS, MAX_THREADS};

/// All orders of three.
const ORDERS: [[u8; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// New names: the CPU `c` becomes `cpus[c]`, the thread `t` becomes `threads[t]`.
struct Names {
    cpus: [u8; MAX_CPUS],
    threads: [u8; MAX_THREADS],
}

impl Names {
    fn thread(&self, id: ThreadId) -> ThreadId {
        ThreadId::ALL[self.threads[id as usize] as usize]
    }
    fn set(&self, set: CpuSet) -> CpuSet {
        let mut renamed = CpuSet::NONE;
        for cpu in 0..MAX_CPUS as u8 {
            if set.has(cpu) {
                renamed = renamed.or(CpuSet::one(self.cpus[cpu as usize]));
            }
        }
        renamed
    }
    fn ipi(&self, ipi: Ipi) -> Ipi {
        match ipi {
            Ipi::Reload(from) => Ipi::Reload(self.thread(from)),
            Ipi::Flush(from) => Ipi::Flush(self.thread(from)),
            Ipi::Unrelated => Ipi::Unrelated,
        }
    }
    fn task(&self, task: Task) -> Task {
        match task {
            Task::Thread(id) => Task::Thread(self.thread(id)),
            Task::Borrower | Task::Foreign => task,
        }
    }
    fn state(&self, state: &State) -> State {
        let mut renamed = *state;
        for (cpu, old) in state.cpus.iter().enumerate() {
            let answering = old.answering.map(|ipi| self.ipi(ipi));
            renamed.cpus[self.cpus[cpu] as usize] = Cpu { task: self.task(old.task), answering, ..*old };
        }
        for (thread, old) in state.threads.iter().enumerate() {
            let (reload, flush) = (self.set(old.reload), self.set(old.flush));
            renamed.threads[self.threads[thread] as usize] = Thread { reload, flush, ..*old };
        }
        renamed.mask = self.set(state.mask);
        renamed.usr_sem = state.usr_sem.map(|id| self.thread(id));
        renamed.lock = state.lock.map(|id| self.thread(id));
        renamed.table_lock = state.table_lock.map(|id| self.thread(id));
        renamed
    }
}

impl Ldt {
    /// The smallest of the states that differ in the names of CPUs and threads only.
    pub(super) fn smallest_renaming(&self, state: &State) -> State {
        let mut smallest = *state;
        for cpus in ORDERS {
            if !(self.cpus..MAX_CPUS as u8).all(|cpu| cpus[cpu as usize] == cpu) {
                continue;
            }
            for threads in ORDERS {
                let class = |thread: u8| (thread < self.callers, thread < self.threads);
                if !(0..MAX_THREADS as u8).all(|thread| class(threads[thread as usize]) == class(thread)) {
                    continue;
                }
                let renamed = Names { cpus, threads }.state(state);
                if renamed < smallest {
                    smallest = renamed;
                }
            }
        }
        smallest
    }
}
