//! Running a body under loom so that the run cannot lie: executions are counted, outcomes collected, panics caught.

use crate::event::Event;
use crate::replay::{Rules, replay};
use crate::scenario::{Bounds, LoomRun};
use crate::sync::on_loom;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once};

thread_local! {
    /// The variable that was touched last: loom runs all threads of an execution on one.
    static TOUCHED: Cell<&'static str> = const { Cell::new("") };
    /// Where the message of a panic goes while a run is on; `None` while there is no run.
    static CAUGHT: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// What loom calls a data race.
const RACE: &str = "Causality violation";

/// Notes which plain variable is accessed next, so that the report of a race can name it.
pub(crate) fn about_to_touch(says: &'static str) {
    TOUCHED.set(says);
}

/// How one execution ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was observed, for example `r0=1 r1=0`.
    pub observed: String,
    /// The property that it breaks, if it breaks one.
    pub broken: Option<&'static str>,
}

impl Outcome {
    /// An outcome, which breaks `property` if `wrong`.
    pub fn judged(observed: String, wrong: bool, property: &'static str) -> Self {
        Self { observed, broken: wrong.then_some(property) }
    }
}

/// Explores `body` within `bounds` and reports what was seen.
///
/// An outcome that breaks a property does not end the run, so that the set of outcomes is whole. A panic does (freed
/// memory was touched, or loom found a race): then the set holds what was seen until then.
pub fn explore(bounds: Bounds, body: impl Fn() -> Outcome + Send + Sync + 'static) -> LoomRun {
    let executions = Arc::new(AtomicU64::new(0));
    let outcomes = Arc::new(Mutex::new(BTreeSet::new()));
    let broken = Arc::new(Mutex::new(None));
    let run = {
        let (executions, outcomes, broken) = (executions.clone(), outcomes.clone(), broken.clone());
        move || {
            executions.fetch_add(1, Ordering::Relaxed);
            let outcome = body();
            if let Some(property) = outcome.broken {
                let mut broken = broken.lock().expect("no panic while it is held");
                broken.get_or_insert_with(|| format!("{property}: {}", outcome.observed));
            }
            outcomes.lock().expect("no panic while it is held").insert(outcome.observed);
        }
    };
    let panic = quietly(|| on_loom::explore(bounds.preemptions, bounds.branches, run));
    let broken = broken.lock().expect("no panic while it is held").take();
    let outcomes = outcomes.lock().expect("no panic while it is held").clone();
    let complete = panic.is_none();
    LoomRun {
        executions: executions.load(Ordering::Relaxed),
        outcomes,
        complete,
        panic: panic.or(broken),
        bounded: bounds.in_words(),
    }
}

/// Replays every record that loom can make `run` produce within `bounds`. The outcomes are the different orders of the
/// steps, by their number and a digest; a record that the model does not allow is broken.
pub fn replay_under_loom<R: Rules>(bounds: Bounds, run: fn() -> Vec<Event>) -> LoomRun {
    explore(bounds, move || {
        let events = run();
        let digest = events.iter().fold(0_u64, |digest, event| {
            let letters = event.label.bytes().fold(u64::from(event.actor), |sum, b| sum.rotate_left(7) ^ u64::from(b));
            digest.wrapping_mul(31) ^ letters
        });
        match replay::<R>(&events) {
            Ok(replayed) => Outcome { observed: format!("{} steps, {digest:x}", replayed.steps), broken: None },
            Err(difference) => Outcome { observed: difference.to_string(), broken: Some("replay") },
        }
    })
}

/// Runs `work` and returns the message of its panic, which is not printed.
///
/// The hook is installed once and stays: it stores the message of a panic on a thread that is inside this function and
/// leaves every other panic to the hook that was there before.
fn quietly(work: impl FnOnce()) -> Option<String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let message = in_words(info.payload());
            let kept = CAUGHT.with_borrow_mut(|caught| caught.as_mut().map(|all| all.push(message)).is_some());
            if !kept {
                before(info);
            }
        }));
    });
    CAUGHT.set(Some(Vec::new()));
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    let caught = CAUGHT.take().unwrap_or_default();
    // The first panic is the cause; what follows it while threads are unwound is not.
    result.err().map(|payload| {
        let first = caught.into_iter().next().unwrap_or_else(|| in_words(&*payload));
        if first.contains(RACE) { format!("{}: data race ({})", TOUCHED.get(), one_line(&first)) } else { first }
    })
}

fn in_words(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_string())
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).take(1).collect()
}
