//! Asking questions, several at once, and handing out the answers in the order of the questions.
//!
//! Two searches with one thread each are done sooner than the same two after one another with two threads each: threads
//! of one search wait for each other. Only when fewer questions are left than there are threads does a search get more
//! than one. What is answered does not depend on it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock, mpsc};
use std::thread;

use reports::results::VariantRecord;
use subjects::Plan;

use crate::environment;
use crate::failure::Failure;
use crate::progress::ProgressLine;
use crate::question::Question;

/// What came of a question.
pub enum Answer {
    /// A verdict.
    Record(Box<VariantRecord>),
    /// The engine broke down, for this reason.
    BrokeDown(String),
    /// It was not asked, because the user stopped the program or an engine broke down before.
    NotAsked,
}

/// Asks all questions, with as many threads as the plan says, and passes each answer to `hand_out`, in the order of the
/// questions.
///
/// # Errors
/// That of `hand_out`, after which nothing more is asked.
pub fn ask_all(
    questions: &[Box<dyn Question>],
    plan: &Plan,
    mut hand_out: impl FnMut(usize, Answer, &ProgressLine) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let workers = at_once(plan, questions.len(), environment::machine().memory_bytes);
    let plans: Vec<Plan> =
        (0..workers).map(|_| Plan { progress: Arc::default(), stop: Arc::clone(&plan.stop), ..*plan }).collect();
    let line = ProgressLine::new(questions.len(), plans.iter().map(|plan| Arc::clone(&plan.progress)).collect());
    let queue = Queue { questions, next: AtomicUsize::new(0), end: AtomicBool::new(false), others: RwLock::new(()) };
    let (sender, answers) = mpsc::channel();
    let handed_out = thread::scope(|scope| {
        for (worker, plan) in plans.iter().enumerate() {
            let (sender, queue, line) = (sender.clone(), &queue, &line);
            scope.spawn(move || {
                while let Some((number, answer)) =
                    queue.ask_next(plan, workers, |question| line.begin(worker, question))
                {
                    // Nobody listens any more only if handing out failed, and then nothing is lost.
                    let _ = sender.send((number, answer));
                }
                line.idle(worker);
            });
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut next = 0;
        for (number, answer) in answers {
            waiting.insert(number, answer);
            while let Some(answer) = waiting.remove(&next) {
                if let Err(failure) = hand_out(next, answer, &line) {
                    // Searches under way would only keep the user waiting.
                    plan.stop.store(true, Relaxed);
                    return Err(failure);
                }
                next += 1;
            }
        }
        Ok(())
    });
    line.finish();
    handed_out
}

/// How many questions are asked at once: no more than the memory is enough for, if each takes what it may.
fn at_once(plan: &Plan, questions: usize, memory: Option<u64>) -> usize {
    let enough_for = memory.map_or(1, |bytes| usize::try_from(bytes / plan.memory.max(1)).unwrap_or(usize::MAX));
    plan.threads.min(questions).min(enough_for).max(1)
}

struct Queue<'a> {
    questions: &'a [Box<dyn Question>],
    next: AtomicUsize,
    /// An engine broke down.
    end: AtomicBool,
    /// Written by a question that must be asked alone.
    others: RwLock<()>,
}

impl Queue<'_> {
    fn ask_next(&self, plan: &Plan, workers: usize, begin: impl FnOnce(&dyn Question)) -> Option<(usize, Answer)> {
        let number = self.next.fetch_add(1, Relaxed);
        let question = self.questions.get(number)?.as_ref();
        if plan.stop.load(Relaxed) || self.end.load(Relaxed) {
            return Some((number, Answer::NotAsked));
        }
        begin(question);
        let left = self.questions.len() - number;
        let plan = Plan {
            threads: plan.threads / workers.min(left),
            stop: Arc::clone(&plan.stop),
            progress: Arc::clone(&plan.progress),
            ..*plan
        };
        let answer = if question.wants_to_be_alone() {
            let _alone = self.others.write().unwrap_or_else(PoisonError::into_inner);
            question.ask(&plan)
        } else {
            let _together = self.others.read().unwrap_or_else(PoisonError::into_inner);
            question.ask(&plan)
        };
        let answer = match answer {
            Ok(record) => Answer::Record(Box::new(record)),
            Err(why) => {
                self.end.store(true, Relaxed);
                Answer::BrokeDown(why)
            }
        };
        Some((number, answer))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reports::results::Extent;

    use super::*;
    use crate::engine::Engine;
    use crate::question::blank_record;

    /// Takes the longer, the earlier it is asked; fails if another that wants to be alone is asked meanwhile.
    struct Numbered {
        number: u64,
        of: u64,
        alone: bool,
        under_way: Arc<AtomicUsize>,
        breaks_down: bool,
    }

    impl Question for Numbered {
        fn mechanism(&self) -> &str {
            "numbers"
        }
        fn variant(&self) -> &str {
            "one"
        }
        fn engine(&self) -> Engine {
            Engine::Exact
        }
        fn wants_to_be_alone(&self) -> bool {
            self.alone
        }
        fn ask(&self, plan: &Plan) -> Result<VariantRecord, String> {
            let others = self.under_way.fetch_add(1, Relaxed);
            thread::sleep(Duration::from_millis(self.of - self.number));
            let more = self.under_way.fetch_sub(1, Relaxed) - 1;
            if self.breaks_down || self.alone && others + more > 0 {
                return Err(format!("{} is broken, beside {others} and {more}", self.number));
            }
            let mut record = blank_record(self, Extent::AllStates);
            record.what = self.number.to_string();
            record.size = plan.threads.to_string();
            Ok(record)
        }
    }

    fn questions(of: u64, alone: fn(u64) -> bool, broken: Option<u64>) -> Vec<Box<dyn Question>> {
        let under_way = Arc::new(AtomicUsize::new(0));
        let one = |number| {
            let breaks_down = broken == Some(number);
            let question =
                Numbered { number, of, alone: alone(number), under_way: Arc::clone(&under_way), breaks_down };
            Box::new(question) as Box<dyn Question>
        };
        (0..of).map(one).collect()
    }

    fn with_threads(threads: usize) -> Plan {
        Plan { threads, memory: 1, ..Plan::unlimited() }
    }

    #[test]
    fn answers_come_in_the_order_of_the_questions() {
        for threads in [1, 2, 5, 40] {
            let mut seen = Vec::new();
            let asked = ask_all(&questions(30, |_| false, None), &with_threads(threads), |number, answer, _| {
                let Answer::Record(record) = answer else { panic!("number {number} was not answered") };
                assert_eq!(record.what, number.to_string());
                seen.push(record.size.clone());
                Ok(())
            });
            assert!(asked.is_ok());
            assert_eq!(seen.len(), 30);
            // The last one has all threads for itself.
            assert_eq!(seen[29], threads.to_string());
        }
    }

    #[test]
    fn a_question_that_wants_to_be_alone_is() {
        let some_alone = questions(30, |number| number % 3 == 0, None);
        let asked = ask_all(&some_alone, &with_threads(4), |_, answer, _| match answer {
            Answer::BrokeDown(why) => panic!("{why}"),
            _ => Ok(()),
        });
        assert!(asked.is_ok());
    }

    #[test]
    fn nothing_is_asked_after_an_engine_broke_down() {
        let mut asked = Vec::new();
        let _ = ask_all(&questions(30, |_| false, Some(5)), &with_threads(2), |_, answer, _| {
            asked.push(match answer {
                Answer::Record(_) => 'r',
                Answer::BrokeDown(_) => 'b',
                Answer::NotAsked => '-',
            });
            Ok(())
        });
        let asked: String = asked.into_iter().collect();
        assert!(asked.starts_with("rrrrrb"), "{asked}");
        // One more may have been under way.
        assert!(asked.ends_with(&"-".repeat(23)), "{asked}");
    }

    #[test]
    fn when_answers_are_not_wanted_the_searches_are_stopped() {
        let plan = with_threads(2);
        let mut wanted = 0;
        let failed = ask_all(&questions(30, |_| false, None), &plan, |_, _, _| {
            wanted += 1;
            if wanted == 3 { Err(Failure::usage("no more")) } else { Ok(()) }
        });
        assert!(failed.is_err());
        assert_eq!(wanted, 3);
        assert!(plan.stop.load(Relaxed));
    }

    #[test]
    fn no_more_are_asked_at_once_than_the_memory_is_enough_for() {
        let plan = Plan { threads: 8, memory: 4_000, ..Plan::unlimited() };
        assert_eq!(at_once(&plan, 100, Some(23_000)), 5);
        assert_eq!(at_once(&plan, 100, Some(100)), 1);
        assert_eq!(at_once(&plan, 3, Some(u64::MAX)), 3);
        assert_eq!(at_once(&plan, 100, Some(u64::MAX)), 8);
        assert_eq!(at_once(&plan, 100, None), 1);
    }
}
