//! The engines below the ports: std, loom and shuttle. No other file of this crate names one.
//!
//! Each module exports the same names with the same meaning, so that the files in `port/` compile over each of them
//! without a `cfg`. What a port needs and an engine lacks is added here.

/// Real threads: what the stress run uses.
pub mod on_std {
    pub(crate) use std::sync::Mutex;
    pub(crate) use std::sync::MutexGuard;
    pub(crate) use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU64, Ordering, fence};
    pub(crate) use std::thread::{JoinHandle, spawn};

    /// A fence in full order.
    pub(crate) fn full_fence() {
        fence(Ordering::SeqCst);
    }

    /// Whether the engine misses interleavings when a thread loads an atomic and then stores to it.
    pub(crate) const FORGETS_LOADS: bool = false;

    /// `std::cell::UnsafeCell` with the interface of loom's.
    #[derive(Debug)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }
        pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
            read(self.0.get())
        }
        pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
            write(self.0.get())
        }
    }
}

/// loom: every interleaving and every result of a relaxed access that loom knows of.
pub mod on_loom {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::atomic::{AtomicU8, AtomicU16, AtomicU64, Ordering, fence};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
    pub(crate) use loom::thread::{JoinHandle, spawn};

    /// loom 0.7.2 forgets other threads' earlier loads of an atomic when a thread loads it and then stores to it
    /// (tokio-rs/loom, issue 166).
    pub(crate) const FORGETS_LOADS: bool = true;

    loom::lazy_static! {
        /// What every full fence touches.
        static ref FENCES: AtomicU8 = AtomicU8::new(0);
    }

    /// A fence in full order.
    ///
    /// loom 0.7.2 switches threads at atomic accesses only, and a fence is none: no other thread ever ran between a
    /// store and the fence behind it, so that the fence ordered the store, too. A read-modify-write that orders nothing
    /// and that all fences share makes loom try them in every order.
    pub(crate) fn full_fence() {
        FENCES.fetch_or(0, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Runs `body` once for each execution that loom finds within the bounds.
    ///
    /// # Panics
    /// When `body` does, or when loom finds a data race or hits a limit.
    pub(crate) fn explore(preemptions: Option<usize>, branches: usize, body: impl Fn() + Send + Sync + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = preemptions;
        builder.max_branches = branches;
        // loom looks at both only now and then, and then returns as if it were done.
        builder.max_duration = None;
        builder.max_permutations = None;
        builder.check(move || {
            // Whoever touches it first sets it up, and orders that before all that is done by those who come later. Here
            // nobody has done anything yet.
            FENCES.load(Ordering::Relaxed);
            body();
        });
    }
}

/// shuttle: one thread at a time, switched where a list of numbers says. For random schedules that can be shrunk.
pub mod on_shuttle {
    pub(crate) use shuttle::sync::atomic::{AtomicU8, AtomicU16, AtomicU64, Ordering, fence};
    pub(crate) use shuttle::sync::{Mutex, MutexGuard};
    pub(crate) use shuttle::thread::{JoinHandle, spawn};

    pub(crate) use super::on_std::{UnsafeCell, full_fence};

    use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};
    use std::panic;
    use std::sync::Once;

    /// shuttle shows no weak memory order, so there is nothing to miss.
    pub(crate) const FORGETS_LOADS: bool = false;

    /// Picks the next thread by the next number of the list; from its end on, by turns.
    #[derive(Debug)]
    struct Choices {
        list: Vec<u8>,
        at: usize,
        started: bool,
    }

    impl Scheduler for Choices {
        fn new_execution(&mut self) -> Option<Schedule> {
            let first = !self.started;
            self.started = true;
            first.then(|| Schedule::new(0))
        }
        fn next_task(&mut self, runnable: &[&Task], _: Option<TaskId>, _: bool) -> Option<TaskId> {
            let choice = self.list.get(self.at).map_or(self.at, |choice| usize::from(*choice));
            self.at += 1;
            Some(runnable[choice % runnable.len()].id())
        }
        fn next_u64(&mut self) -> u64 {
            0
        }
    }

    /// Runs `body` once under the schedule `list`.
    ///
    /// # Panics
    /// When `body` does, or when no thread can go on.
    pub fn run_schedule(list: &[u8], body: impl Fn() + Send + Sync + 'static) {
        let mut config = shuttle::Config::new();
        config.failure_persistence = shuttle::FailurePersistence::None;
        config.silence_warnings = true;
        // The first run of shuttle installs a panic hook for good, which writes about every later panic of the process, also
        // those that loom reports a race with. So the hook that was there is put back.
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = panic::take_hook();
            let choices = Choices { list: Vec::new(), at: 0, started: false };
            let _ = shuttle::Runner::new(choices, config.clone()).run(|| ());
            panic::set_hook(before);
        });
        let choices = Choices { list: list.to_vec(), at: 0, started: false };
        let _ = shuttle::Runner::new(choices, config).run(body);
    }
}
