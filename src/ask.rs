//! Asking questions, several at once, and handing out the answers in the order of the questions.
//!
//! Two searches with one thread each are done sooner than the same two after one another with two threads each: threads
//! of one search wait for each other. Only when fewer questions are left than there are threads does a search get more
//! than one. What is answered does not depend on it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
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
/// That of `hand_out`, after which nothing more is asked; the system allows no thread.
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
    let alone = Queue { questions, turns: Turns::new(alone, plan.threads, 1), end: AtomicBool::new(false) };
    let (sender, answers) = mpsc::channel();
    let handed_out = thread::scope(|scope| {
        let (line, plans) = (&line, &plans);
        let ask = move || {
            let first = (0, &plans[0]);
            alone.work(first, line, &sender);
            let rest = Arc::new(Queue { turns: Turns::new(together, plan.threads, workers), ..alone });
            for worker in plans.iter().enumerate().skip(1) {
                let (sender, rest) = (sender.clone(), Arc::clone(&rest));
                // If the system allows no more threads, fewer questions are asked at once.
                let started = thread::Builder::new().spawn_scoped(scope, move || rest.work(worker, line, &sender));
                if started.is_err() {
                    break;
                }
            }
            rest.work(first, line, &sender);
        };
        let started = thread::Builder::new().spawn_scoped(scope, ask);
        started.map_err(|error| Failure::usage(format_args!("cannot start a thread: {error}")))?;
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

/// Who asks what next, and with how many threads.
struct Turns {
    /// The numbers of the questions that are to be asked.
    order: Vec<usize>,
    state: Mutex<TurnState>,
}

/// While a question is left that a worker could ask, there is a thread for it: `threads >= min(workers, left)`. Going to
/// the next question and taking threads for it are therefore one step. Were they two, the last question could take what
/// is meant for the last but one.
struct TurnState {
    /// The position of the next question in the order.
    next: usize,
    /// Threads that no question has.
    threads: usize,
    /// Workers that ask no question.
    workers: usize,
}

impl Turns {
    /// There are at least as many threads as workers.
    fn new(order: Vec<usize>, threads: usize, workers: usize) -> Turns {
        Turns { order, state: Mutex::new(TurnState { next: 0, threads: threads.max(workers), workers }) }
    }

    /// The number of the next question, and a fair share of the free threads for it.
    fn take(&self) -> Option<(usize, usize)> {
        let mut state = self.state();
        let &number = self.order.get(state.next)?;
        let share = state.threads / state.workers.min(self.order.len() - state.next);
        state.next += 1;
        state.threads -= share;
        state.workers -= 1;
        Some((number, share))
    }

    fn give_back(&self, share: usize) {
        let mut state = self.state();
        state.threads += share;
        state.workers += 1;
    }

    fn state(&self) -> MutexGuard<'_, TurnState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Queue<'a> {
    questions: &'a [Box<dyn Question>],
    turns: Turns,
    /// An engine broke down.
    end: AtomicBool,
}

impl Queue<'_> {
    /// Asks until nothing is left.
    fn work(&self, (worker, plan): (usize, &Plan), line: &ProgressLine, answers: &mpsc::Sender<(usize, Answer)>) {
        while let Some((number, threads)) = self.turns.take() {
            let answer = if plan.stop.load(Relaxed) || self.end.load(Relaxed) {
                Answer::NotAsked
            } else {
                line.begin(worker, self.questions[number].as_ref());
                self.ask(number, &Plan { threads, ..plan.clone() })
            };
            self.turns.give_back(threads);
            // Nobody listens any more only if handing out failed, and then nothing is lost.
            let _ = answers.send((number, answer));
        }
        line.idle(worker);
    }

    fn ask(&self, number: usize, plan: &Plan) -> Answer {
        let answer = catch_unwind(AssertUnwindSafe(|| self.questions[number].ask(plan)));
        match answer.unwrap_or_else(|payload| Err(format!("it panicked: {}", checker::message_of(&*payload)))) {
            Ok(record) => Answer::Record(Box::new(record)),
            Err(why) => {
                self.end.store(true, Relaxed);
                Answer::BrokeDown(why)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;
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
        /// Its engine breaks down, in this way.
        broken: Option<Broken>,
    }

    #[derive(Clone, Copy)]
    enum Broken {
        Says,
        Panics,
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
            if let Some(Broken::Panics) = self.broken {
                std::panic::resume_unwind(Box::new("the trap"));
            }
            let others = self.under_way.fetch_add(1, Relaxed);
            thread::sleep(Duration::from_millis(self.of - self.number));
            let more = self.under_way.fetch_sub(1, Relaxed) - 1;
            if self.broken.is_some() || self.alone && others + more > 0 {
                return Err(format!("{} is broken, beside {others} and {more}", self.number));
            }
            let mut record = blank_record(self, Extent::AllStates);
            record.what = self.number.to_string();
            record.size = format!("{} threads", plan.threads);
            Ok(record)
        }
    }

    fn questions(of: u64, alone: fn(u64) -> bool, broken: Option<(u64, Broken)>) -> Vec<Box<dyn Question>> {
        let under_way = Arc::new(AtomicUsize::new(0));
        let one = |number| {
            let broken = broken.filter(|(broken, _)| *broken == number).map(|(_, how)| how);
            let question = Numbered { number, of, alone: alone(number), under_way: Arc::clone(&under_way), broken };
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
    fn a_single_question_gets_all_threads() {
        for alone in [|_| false, |_| true] {
            let asked = ask_all(&questions(1, alone, None), &with_threads(7), |_, answer, _| {
                let Answer::Record(record) = answer else { panic!("not answered") };
                assert_eq!(record.size, "7 threads");
                Ok(())
            });
            assert!(asked.is_ok());
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
        let questions = questions(4, |_| false, Some((1, Broken::Panics)));
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
    fn the_threads_of_the_last_questions_are_shared_out() {
        let turns = Turns::new((10..17).collect(), 5, 3);
        assert_eq!([turns.take(), turns.take(), turns.take()], [Some((10, 1)), Some((11, 2)), Some((12, 2))]);
        turns.give_back(2);
        assert_eq!(turns.take(), Some((13, 2)));
        turns.give_back(1);
        assert_eq!(turns.take(), Some((14, 1)));
        turns.give_back(2);
        turns.give_back(2);
        // Two questions are left, and one thread is in use.
        assert_eq!([turns.take(), turns.take(), turns.take()], [Some((15, 2)), Some((16, 2)), None]);
    }

    proptest! {
        /// Workers go on in any order; each question gets a thread, and no more are used than there are.
        #[test]
        fn no_question_is_without_a_thread(
            questions in 0..12_usize, threads in 1..9_usize, workers in 1..9_usize, order in vec(any::<Index>(), 40),
        ) {
            let workers = workers.min(threads);
            let turns = Turns::new((0..questions).collect(), threads, workers);
            let (mut asked, mut under_way) = (0, Vec::new());
            for index in order {
                let choice = index.index(workers);
                if choice < under_way.len() {
                    turns.give_back(under_way.swap_remove(choice));
                } else if let Some((number, share)) = turns.take() {
                    prop_assert_eq!(number, asked);
                    prop_assert!(share >= 1);
                    asked += 1;
                    under_way.push(share);
                    prop_assert!(under_way.iter().sum::<usize>() <= threads);
                    // The last question takes all that is left.
                    prop_assert!(asked < questions || under_way.iter().sum::<usize>() == threads);
                }
            }
        }
    }

    #[test]
    fn nothing_is_asked_after_an_engine_broke_down() {
        let mut asked = Vec::new();
        // With more threads, others may be under way.
        let _ = ask_all(&questions(30, |_| false, Some((5, Broken::Says))), &with_threads(1), |_, answer, _| {
            asked.push(match answer {
                Answer::Record(_) => 'r',
                Answer::BrokeDown(_) => 'b',
                Answer::NotAsked => '-',
            });
            Ok(())
        });
        assert_eq!(asked.into_iter().collect::<String>(), format!("rrrrrb{}", "-".repeat(24)));
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
