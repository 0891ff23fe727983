//! The progress line on a terminal: states so far, states per second, what is left. Elsewhere, nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use crate::question::Question;

/// A line on stderr that is redrawn while questions are asked.
pub struct ProgressLine {
    bar: ProgressBar,
    state: Mutex<State>,
    done: Arc<AtomicBool>,
    ticker: Mutex<Option<JoinHandle<()>>>,
}

struct State {
    left: usize,
    /// What each worker is asking.
    asking: Vec<Option<String>>,
}

impl ProgressLine {
    /// A line for so many questions, asked by as many workers as there are searches to watch. Hidden unless stderr is a
    /// terminal.
    pub fn new(questions: usize, searches: Vec<Arc<checker::Progress>>) -> Self {
        let bar = ProgressBar::new_spinner();
        bar.set_style(ProgressStyle::with_template("{spinner} {prefix} {msg}").expect("a constant template"));
        let done = Arc::new(AtomicBool::new(false));
        let state = Mutex::new(State { left: questions, asking: vec![None; searches.len()] });
        let is_shown = !bar.is_hidden();
        let ticker = is_shown.then(|| start_ticker(bar.clone(), searches, Arc::clone(&done))).flatten();
        Self { bar, state, done, ticker: Mutex::new(ticker) }
    }

    /// Names the question that this worker asks now.
    pub fn begin(&self, worker: usize, question: &dyn Question) {
        let (mechanism, variant) = (question.mechanism(), question.variant());
        let mut state = lock(&self.state);
        state.asking[worker] = Some(format!("{mechanism}/{variant} {}", question.engine().name()));
        self.bar.set_prefix(state.prefix());
    }

    /// This worker has nothing more to ask.
    pub fn idle(&self, worker: usize) {
        let mut state = lock(&self.state);
        state.asking[worker] = None;
        self.bar.set_prefix(state.prefix());
    }

    /// A question is answered: takes the line away while the answer is printed.
    pub fn answered<T>(&self, print: impl FnOnce() -> T) -> T {
        lock(&self.state).left -= 1;
        self.bar.set_message("");
        self.bar.suspend(print)
    }

    /// Removes the line.
    pub fn finish(&self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(ticker) = lock(&self.ticker).take() {
            // The ticker only draws; if it panicked there is nothing to clean up.
            let _ = ticker.join();
        }
        self.bar.finish_and_clear();
    }
}

impl State {
    fn prefix(&self) -> String {
        const SHOWN: usize = 2;
        let asking: Vec<&str> = self.asking.iter().flatten().map(String::as_str).collect();
        let more = asking.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let shown = asking.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
        format!("{shown}{more} · {} left ·", self.left)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Shows how the searches get on, if the system allows a thread for it.
fn start_ticker(
    bar: ProgressBar,
    searches: Vec<Arc<checker::Progress>>,
    done: Arc<AtomicBool>,
) -> Option<JoinHandle<()>> {
    const TICK: Duration = Duration::from_millis(200);
    let tick = move || {
        let mut before = 0;
        while !done.load(Ordering::Relaxed) {
            std::thread::sleep(TICK);
            let states: u64 = searches.iter().map(|search| search.states()).sum();
            // The counters start again with each search.
            let new = states.saturating_sub(before);
            before = states;
            let rate = new as f64 / TICK.as_secs_f64();
            bar.set_message(format!("{} states, {:.1} million/s", HumanCount(states), rate / 1e6));
            bar.tick();
        }
    };
    std::thread::Builder::new().spawn(tick).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_two_of_those_that_are_asked() {
        let asking = |names: &[Option<&str>]| names.iter().map(|name| name.map(str::to_string)).collect();
        let of = |names: &[Option<&str>]| State { left: 7, asking: asking(names) }.prefix();
        assert_eq!(of(&[Some("a exact")]), "a exact · 7 left ·");
        assert_eq!(of(&[None, Some("b exact"), Some("c loom")]), "b exact, c loom · 7 left ·");
        assert_eq!(of(&[Some("a"), Some("b"), Some("c"), Some("d")]), "a, b and 2 more · 7 left ·");
    }
}
