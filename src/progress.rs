//! The progress line on a terminal: states so far, states per second, what is left. Elsewhere, nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use crate::question::Question;

/// A line on stderr that is redrawn while questions are asked.
pub struct ProgressLine {
    bar: ProgressBar,
    questions: usize,
    asked: usize,
    done: Arc<AtomicBool>,
    ticker: Option<JoinHandle<()>>,
}

impl ProgressLine {
    /// A line for so many questions. Hidden unless stderr is a terminal.
    pub fn new(questions: usize, progress: Arc<checker::Progress>) -> Self {
        let bar = ProgressBar::new_spinner();
        bar.set_style(ProgressStyle::with_template("{spinner} {prefix} {msg}").expect("a constant template"));
        let done = Arc::new(AtomicBool::new(false));
        let ticker = (!bar.is_hidden()).then(|| start_ticker(bar.clone(), progress, Arc::clone(&done)));
        Self { bar, questions, asked: 0, done, ticker }
    }

    /// Names the question that is asked now.
    pub fn begin(&mut self, question: &dyn Question) {
        let left = self.questions - self.asked;
        let (mechanism, variant) = (question.mechanism(), question.variant());
        self.bar.set_prefix(format!("{mechanism}/{variant} {} · {left} left ·", question.engine().name()));
    }

    /// The question is answered: takes the line away while the answer is printed.
    pub fn answered<T>(&mut self, print: impl FnOnce() -> T) -> T {
        self.asked += 1;
        self.bar.set_message("");
        self.bar.suspend(print)
    }

    /// Removes the line.
    pub fn finish(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(ticker) = self.ticker.take() {
            // The ticker only draws; if it panicked there is nothing to clean up.
            let _ = ticker.join();
        }
        self.bar.finish_and_clear();
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.finish();
    }
}

fn start_ticker(bar: ProgressBar, progress: Arc<checker::Progress>, done: Arc<AtomicBool>) -> JoinHandle<()> {
    const TICK: Duration = Duration::from_millis(200);
    std::thread::spawn(move || {
        let mut before = 0;
        while !done.load(Ordering::Relaxed) {
            std::thread::sleep(TICK);
            let states = progress.states();
            // The counter starts again with each search.
            let new = states.saturating_sub(before);
            before = states;
            let rate = new as f64 / TICK.as_secs_f64();
            bar.set_message(format!("{} states, {:.1} million/s", HumanCount(states), rate / 1e6));
            bar.tick();
        }
    })
}
