//! Asking questions, several at once, and handing out the answers in the order of the questions.
//!
//! Two searches with one thread each are done sooner than the same two after one another with two threads each: threads
//! of one search wait for each other. Only when fewer questions are left than there are threads does a search get more
//! than one. What is answered does not depend on it.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
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
    let workers = at_once(plan, questions.len(), environment::free_memory());
    let plans: Vec<Plan> = (0..workers).map(|_| Plan { progress: Arc::default(), ..plan.clone() }).collect();
    let line = ProgressLine::new(questions.len(), plans.iter().map(|plan| Arc::clone(&plan.progress)).collect());
    // Those that want to be alone come first: so the others never wait for them.
    let (alone, together) = (0..questions.len()).partition(|number| questions[*number].wants_to_be_alone());
    let threads = Threads { free: Mutex::new((plan.threads.max(1), workers)) };
    let end = AtomicBool::new(false);
    let (sender, answers) = mpsc::channel();
    let handed_out = thread::scope(|scope| {
        let (threads, end, line, plans) = (&threads, &end, &line, &plans);
        scope.spawn(move || {
            let first = Queue { questions, order: alone, next: AtomicUsize::new(0), threads, end };
            first.work((0, &plans[0]), line, &sender);
            let rest = Arc::new(Queue { order: together, next: AtomicUsize::new(0), ..first });
            for worker in plans.iter().enumerate() {
                let (sender, rest) = (sender.clone(), Arc::clone(&rest));
                scope.spawn(move || rest.work(worker, line, &sender));
            }
        });
        // However this ends, searches under way would only keep the user waiting.
        let mut stop = StopOnDrop { stop: &plan.stop, armed: true };
        let mut waiting = BTreeMap::new();
        let mut next = 0;
        for (number, answer) in answers {
            waiting.insert(number, answer);
            while let Some(answer) = waiting.remove(&next) {
                hand_out(next, answer, line)?;
                next += 1;
            }
        }
        stop.armed = false;
        Ok(())
    });
    line.finish();
    handed_out
}

/// How many questions are asked at once: no more than the memory is enough for, if each takes what it may. A second
/// opinion holds the states twice.
fn at_once(plan: &Plan, questions: usize, memory: Option<u64>) -> usize {
    let each = plan.memory.max(1).saturating_mul(2);
    let enough_for = memory.map_or(1, |bytes| usize::try_from(bytes / each).unwrap_or(usize::MAX));
    plan.threads.min(questions).min(enough_for).max(1)
}

struct StopOnDrop<'a> {
    stop: &'a AtomicBool,
    armed: bool,
}

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.stop.store(true, Relaxed);
        }
    }
}

/// The threads that no question has, and the workers that ask none.
struct Threads {
    free: Mutex<(usize, usize)>,
}

impl Threads {
    /// Takes a fair share of the free threads for one of so many questions that are left.
    fn take(&self, left: usize) -> usize {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let (threads, workers) = *free;
        let share = (threads / workers.min(left).max(1)).max(1);
        *free = (threads - share, workers - 1);
        share
    }

    fn give_back(&self, share: usize) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        *free = (free.0 + share, free.1 + 1);
    }
}

struct Queue<'a> {
    questions: &'a [Box<dyn Question>],
    /// The numbers of those that are to be asked.
    order: Vec<usize>,
    next: AtomicUsize,
    threads: &'a Threads,
    /// An engine broke down.
    end: &'a AtomicBool,
}

impl Queue<'_> {
    /// Asks until nothing is left.
    fn work(&self, (worker, plan): (usize, &Plan), line: &ProgressLine, answers: &mpsc::Sender<(usize, Answer)>) {
        loop {
            let position = self.next.fetch_add(1, Relaxed);
            let Some(&number) = self.order.get(position) else { break };
            let answer = if plan.stop.load(Relaxed) || self.end.load(Relaxed) {
                Answer::NotAsked
            } else {
                line.begin(worker, self.questions[number].as_ref());
                self.ask(number, plan, self.order.len() - position)
            };
            // Nobody listens any more only if handing out failed, and then nothing is lost.
            let _ = answers.send((number, answer));
        }
        line.idle(worker);
    }

    fn ask(&self, number: usize, plan: &Plan, left: usize) -> Answer {
        let threads = self.threads.take(left);
        let plan = Plan { threads, ..plan.clone() };
        let answer = catch_unwind(AssertUnwindSafe(|| self.questions[number].ask(&plan)));
        self.threads.give_back(threads);
        match answer.unwrap_or_else(|payload| Err(format!("it panicked: {}", in_words(&*payload)))) {
            Ok(record) => Answer::Record(Box::new(record)),
            Err(why) => {
                self.end.store(true, Relaxed);
                Answer::BrokeDown(why)
            }
        }
    }
}

fn in_words(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("without words")
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
                seen.push(record.what.clone());
                Ok(())
            });
            assert!(asked.is_ok());
            assert_eq!(seen, (0..30).map(|number| number.to_string()).collect::<Vec<_>>());
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
    fn a_panic_is_an_engine_that_broke_down() {
        struct Panics;
        impl Question for Panics {
            fn mechanism(&self) -> &str {
                "numbers"
            }
            fn variant(&self) -> &str {
                "none"
            }
            fn engine(&self) -> Engine {
                Engine::Exact
            }
            fn ask(&self, _: &Plan) -> Result<VariantRecord, String> {
                std::panic::resume_unwind(Box::new("the trap"))
            }
        }
        let mut questions = questions(3, |_| false, None);
        questions.insert(1, Box::new(Panics));
        let mut why = None;
        let asked = ask_all(&questions, &with_threads(1), |number, answer, _| {
            if let Answer::BrokeDown(reason) = answer {
                why = Some((number, reason));
            }
            Ok(())
        });
        assert!(asked.is_ok());
        assert_eq!(why, Some((1, "it panicked: the trap".to_string())));
    }

    #[test]
    fn no_more_threads_are_used_than_there_are() {
        let threads = Threads { free: Mutex::new((5, 3)) };
        let shares = [threads.take(9), threads.take(8), threads.take(7)];
        assert_eq!(shares, [1, 2, 2]);
        threads.give_back(2);
        assert_eq!(threads.take(6), 2);
        threads.give_back(1);
        threads.give_back(2);
        // The last question, while two threads are in use.
        assert_eq!(threads.take(1), 3);
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
        let plan = Plan { threads: 8, memory: 2_000, ..Plan::unlimited() };
        assert_eq!(at_once(&plan, 100, Some(23_000)), 5);
        assert_eq!(at_once(&plan, 100, Some(100)), 1);
        assert_eq!(at_once(&plan, 3, Some(u64::MAX)), 3);
        assert_eq!(at_once(&plan, 100, Some(u64::MAX)), 8);
        assert_eq!(at_once(&plan, 100, None), 1);
    }
}
