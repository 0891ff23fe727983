//! Searches in the background: they belong to the server, not to a page, and only a few run at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::App;
use crate::walkable::{Found, SearchPlan};

/// Limits of background searches.
#[derive(Clone, Copy, Debug)]
pub struct SearchLimits {
    /// Searches at once; a further one is refused.
    pub at_once: usize,
    /// Threads of each.
    pub threads: usize,
    /// Time of each.
    pub timeout: Duration,
    /// Memory of each, in bytes.
    pub memory: u64,
}

impl Default for SearchLimits {
    fn default() -> Self {
        Self { at_once: 2, threads: 1, timeout: Duration::from_secs(900), memory: 2_000_000_000 }
    }
}

/// The searches of all variants, running or done.
pub(crate) struct Searches {
    limits: SearchLimits,
    jobs: Mutex<HashMap<(String, String), Arc<Job>>>,
}

/// One search.
pub(crate) struct Job {
    stop: Arc<AtomicBool>,
    progress: Arc<checker::Progress>,
    started: Instant,
    result: Mutex<Option<Result<Arc<Found>, String>>>,
    done: Condvar,
}

/// How far a search is.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Status {
    /// `none`, `running`, `done` or `failed`.
    pub(crate) state: &'static str,
    /// Distinct states so far.
    pub(crate) states: u64,
    /// States known and not yet examined.
    pub(crate) frontier: u64,
    /// Steps to the states being found.
    pub(crate) depth: u32,
    /// Time.
    pub(crate) seconds: f64,
    /// States a second.
    pub(crate) rate: u64,
    /// What was found.
    pub(crate) found: Option<Arc<Found>>,
    /// Why it failed.
    pub(crate) error: Option<String>,
}

/// Too many searches run already; their names.
pub(crate) struct Busy(pub(crate) Vec<String>);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves these maps whole: every change is one insertion.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Job {
    fn is_running(&self) -> bool {
        locked(&self.result).is_none()
    }

    /// Waits for the end, but not longer than this.
    pub(crate) fn wait(&self, time: Duration) {
        let result = locked(&self.result);
        drop(self.done.wait_timeout_while(result, time, |result| result.is_none()));
    }
}

impl Searches {
    pub(crate) fn new(limits: SearchLimits) -> Self {
        Self { limits, jobs: Mutex::default() }
    }

    fn job(&self, mechanism: &str, variant: &str) -> Option<Arc<Job>> {
        locked(&self.jobs).get(&(mechanism.to_string(), variant.to_string())).cloned()
    }

    pub(crate) fn status(&self, mechanism: &str, variant: &str) -> Status {
        let job = self.job(mechanism, variant);
        let result = job.as_ref().map(|job| locked(&job.result).clone());
        let mut status =
            Status { state: "none", states: 0, frontier: 0, depth: 0, seconds: 0.0, rate: 0, found: None, error: None };
        let (Some(job), Some(result)) = (job, result) else { return status };
        status.states = job.progress.states();
        status.frontier = job.progress.frontier();
        status.depth = job.progress.depth();
        status.seconds = job.started.elapsed().as_secs_f64();
        match result {
            None => status.state = "running",
            Some(Ok(found)) => {
                status.state = "done";
                (status.states, status.depth, status.seconds) = (found.states, found.depth, found.seconds);
                status.frontier = 0;
                status.found = Some(found);
            }
            Some(Err(error)) => {
                status.state = "failed";
                status.error = Some(error);
            }
        }
        status.rate = (status.states as f64 / status.seconds.max(0.001)) as u64;
        status
    }

    /// What a search that is done has found.
    pub(crate) fn found(&self, mechanism: &str, variant: &str) -> Option<Arc<Found>> {
        self.status(mechanism, variant).found
    }

    /// The searches that run.
    pub(crate) fn running(&self) -> Vec<String> {
        let jobs = locked(&self.jobs);
        let running = jobs.iter().filter(|(_, job)| job.is_running());
        let mut names: Vec<String> =
            running.map(|((mechanism, variant), _)| format!("{mechanism}/{variant}")).collect();
        names.sort();
        names
    }

    /// Stops a search; what it has found stays.
    pub(crate) fn stop(&self, mechanism: &str, variant: &str) -> bool {
        let job = self.job(mechanism, variant).filter(|job| job.is_running());
        if let Some(job) = &job {
            job.stop.store(true, Relaxed);
            job.wait(Duration::from_secs(2));
        }
        job.is_some()
    }

    /// The search of a variant, started if there is none that runs or has seen everything.
    ///
    /// # Errors
    /// Too many run already.
    pub(crate) fn start(app: &Arc<App>, mechanism: &str, variant: &str) -> Result<Arc<Job>, Busy> {
        let searches = &app.searches;
        let mut jobs = locked(&searches.jobs);
        let name = (mechanism.to_string(), variant.to_string());
        if let Some(job) = jobs.get(&name) {
            let keep = match &*locked(&job.result) {
                None => true,
                Some(Ok(found)) => found.limit.is_none(),
                Some(Err(_)) => false,
            };
            if keep {
                return Ok(Arc::clone(job));
            }
        }
        let running: Vec<String> =
            jobs.iter().filter(|(_, job)| job.is_running()).map(|((m, v), _)| format!("{m}/{v}")).collect();
        if running.len() >= searches.limits.at_once {
            return Err(Busy(running));
        }
        let job = Arc::new(Job {
            stop: Arc::default(),
            progress: Arc::default(),
            started: Instant::now(),
            result: Mutex::default(),
            done: Condvar::new(),
        });
        jobs.insert(name.clone(), Arc::clone(&job));
        drop(jobs);
        run(Arc::clone(app), Arc::clone(&job), name);
        Ok(job)
    }
}

/// Runs a search on a thread of its own.
fn run(app: Arc<App>, job: Arc<Job>, (mechanism, variant): (String, String)) {
    let limits = app.searches.limits;
    let plan = SearchPlan {
        threads: limits.threads,
        timeout: limits.timeout,
        memory: limits.memory,
        stop: Arc::clone(&job.stop),
        progress: Arc::clone(&job.progress),
    };
    let for_thread = Arc::clone(&job);
    let search = move || {
        let walk = app.catalogue.find(&mechanism, &variant).and_then(|(_, variant)| variant.walk.as_deref());
        let searched = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match walk {
            Some(walk) => walk.search(&plan),
            None => Err("this variant has no states".to_string()),
        }));
        let result = searched.unwrap_or_else(|_| Err("the search panicked".to_string()));
        *locked(&for_thread.result) = Some(result.map(Arc::new));
        for_thread.done.notify_all();
    };
    if let Err(error) = std::thread::Builder::new().name("search".to_string()).spawn(search) {
        *locked(&job.result) = Some(Err(format!("no thread could be started: {error}")));
    }
}
