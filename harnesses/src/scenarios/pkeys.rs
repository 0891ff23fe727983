//! pkeys under loom.
//!
//! Two threads, no preemption bound: every execution that loom can produce.

use super::beside;
use crate::explore::{Outcome, explore};
use crate::over_loom::pkeys::{Config, ExecuteOnly, Mm, Thread, Update};
use crate::over_loom::primitives::Byte;
use crate::over_loom::recorder::Recorder;
use crate::scenario::{Bounds, Expected, LoomRun, Scenario};
use std::sync::Arc;

const NO_LOST_UPDATE: &str =
    "no-lost-update: after all writers are done, the map is what their calls, in some order, give";
const NO_DOUBLE_ALLOCATION: &str = "no-double-allocation: a key is not handed out twice without a free in between";
const NO_TORN_MAP: &str = "no-torn-map: a reader sees a value that the map had at one instant";
const ANSWER_WAS_TRUE: &str = "answer-was-true: an answer 'allocated' was true at some instant of the call";
const EXECUTE_ONLY_HIDDEN: &str = "execute-only-hidden: the execute-only key never passes for a key of the user";
const FORK_COPIES: &str =
    "fork-copies: a child's map and execute-only key are those that the parent had at one instant";
const NO_DATA_RACE: &str = "no-data-race: the allocation map";

fn mm(config: Config, map: u16) -> Arc<Mm> {
    Arc::new(Mm::new(config, 16, map, Recorder::off()))
}

fn ok<T, E>(result: &Result<T, E>) -> u8 {
    u8::from(result.is_ok())
}

/// One thread allocates twice and frees the first key; a reader asks for both keys, the later one first.
fn readers(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let mm = mm(config, 0b1);
        let writer = beside!(mm, {
            let mut me = Thread::new(&mm, 0);
            let keys = (me.alloc(), me.alloc());
            (keys, me.free(1))
        });
        let mut me = Thread::new(&mm, 1);
        let (two, one) = (ok(&me.get(2)), ok(&me.get(1)));
        let (keys, freed) = writer.join().unwrap();
        let wrong = (keys, freed, mm.map()) != ((Ok(1), Ok(2)), Ok(()), 0b101);
        Outcome::judged(format!("two={two} one={one} map={:#b}", mm.map()), wrong, NO_LOST_UPDATE)
    })
}

/// Two threads allocate at once.
fn contended(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let mm = mm(config, 0b1);
        let other = beside!(mm, Thread::new(&mm, 0).alloc().map_or(-1, i32::from));
        let mine = Thread::new(&mm, 1).alloc().map_or(-1, i32::from);
        let other = other.join().unwrap();
        let map = mm.map();
        let observed = format!("{other} {mine} map={map:#b}");
        if mine == other {
            return Outcome::judged(observed, true, NO_DOUBLE_ALLOCATION);
        }
        Outcome::judged(observed, map != 0b111, NO_LOST_UPDATE)
    })
}

/// One thread allocates key 1 while another frees key 2.
fn alloc_and_free(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let mm = mm(config, 0b101);
        let other = beside!(mm, Thread::new(&mm, 0).free(2));
        let key = Thread::new(&mm, 1).alloc().map_or(-1, i32::from);
        let freed = ok(&other.join().unwrap());
        let map = mm.map();
        Outcome::judged(format!("key={key} freed={freed} map={map:#b}"), map != 0b11, NO_LOST_UPDATE)
    })
}

/// Key 1 and then key 8 are allocated while a reader takes a whole look at the map.
fn whole_look(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let mm = mm(config, 0b1111_1101);
        let writer = beside!(mm, {
            let mut me = Thread::new(&mm, 0);
            (me.alloc(), me.alloc())
        });
        let map = Thread::new(&mm, 1).snapshot();
        assert_eq!(writer.join().unwrap(), (Ok(1), Ok(8)));
        let torn = ![0xfd, 0xff, 0x1ff].contains(&map);
        Outcome::judged(format!("{map:#x}"), torn, NO_TORN_MAP)
    })
}

/// A thread frees a key and tells another one, which then asks for it.
fn told(release: bool, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let shared = Arc::new((Mm::new(POSTED, 16, 0b11, Recorder::off()), Byte::new(0)));
        let writer = beside!(shared, {
            let (mm, told) = &*shared;
            assert!(Thread::new(mm, 0).free(1).is_ok());
            if release { told.store_release(1) } else { told.write_once(1) }
        });
        let (mm, told) = &*shared;
        let told = told.load_acquire();
        let one = ok(&Thread::new(mm, 1).get(1));
        writer.join().unwrap();
        // Who has been told before the call was told of something that was true until after the call.
        Outcome::judged(format!("told={told} one={one}"), told == 1 && one == 1, ANSWER_WAS_TRUE)
    })
}

/// A mapping becomes execute-only while another thread asks for the key that this takes.
fn execute_only(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let mm = mm(config, 0b1);
        let other = beside!(mm, Thread::new(&mm, 0).make_execute_only().map_or(-1, i32::from));
        let passes = ok(&Thread::new(&mm, 1).get(1));
        let key = other.join().unwrap();
        Outcome::judged(format!("key={key} passes={passes}"), passes == 1, EXECUTE_ONLY_HIDDEN)
    })
}

/// A process forks while another thread makes a mapping execute-only.
fn fork(config: Config, bounds: Bounds) -> LoomRun {
    explore(bounds, move || {
        let mm = mm(config, 0b1);
        let other = beside!(mm, Thread::new(&mm, 0).make_execute_only().map_or(-1, i32::from));
        let (map, name) = Thread::new(&mm, 1).dup_pkeys();
        assert_eq!(other.join().unwrap(), 1);
        let name = name as i8;
        let whole = [(0b1, -1), (0b11, 1)].contains(&(map, name));
        Outcome::judged(format!("map={map:#b} execute_only={name}"), !whole, FORK_COPIES)
    })
}

const POSTED: Config = Config::POSTED;
const LOCKLESS: Config = Config { writers_lock: false, ..POSTED };
const PLAIN: Config = Config { update: Update::PlainRmw, ..POSTED };

const fn scenario(
    variant: &'static str,
    what: &'static str,
    question: &'static str,
    expected: Expected,
    outcomes: &'static [&'static str],
    explore: fn(Bounds) -> LoomRun,
) -> Scenario {
    Scenario { mechanism: "pkeys", variant, what, question, expected, outcomes, bounds: Bounds::NONE, explore }
}

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(
        "locked-writers",
        "as posted: WRITE_ONCE() under mmap_sem, READ_ONCE() without it",
        "May a reader look at the map without the lock while a thread allocates, allocates and frees?",
        Expected::Holds,
        &["two=0 one=0 map=0b101", "two=0 one=1 map=0b101", "two=1 one=0 map=0b101", "two=1 one=1 map=0b101"],
        |bounds| readers(POSTED, bounds),
    ),
    scenario(
        "locked-reader",
        "the code before the patch: readers take mmap_sem too",
        "Does the reader's lock forbid an answer that the lockless reader gives?",
        Expected::Holds,
        &["two=0 one=0 map=0b101", "two=0 one=1 map=0b101", "two=1 one=0 map=0b101", "two=1 one=1 map=0b101"],
        |bounds| readers(Config { readers_lock: true, ..POSTED }, bounds),
    ),
    scenario(
        "locked-allocation",
        "as posted: two threads allocate under mmap_sem",
        "Do two threads that allocate under the lock get different keys?",
        Expected::Holds,
        &["1 2 map=0b111", "2 1 map=0b111"],
        |bounds| contended(POSTED, bounds),
    ),
    scenario(
        "lockless-allocation",
        "WRITE_ONCE() without mmap_sem",
        "Can two threads that allocate without the lock be given the same key?",
        Expected::Broken(NO_DOUBLE_ALLOCATION),
        &["1 1 map=0b11", "1 2 map=0b111", "2 1 map=0b111"],
        |bounds| contended(LOCKLESS, bounds),
    ),
    scenario(
        "locked-alloc-and-free",
        "as posted: one thread allocates, another frees, under mmap_sem",
        "Are both changes kept?",
        Expected::Holds,
        &["key=1 freed=1 map=0b11"],
        |bounds| alloc_and_free(POSTED, bounds),
    ),
    scenario(
        "lockless-writers",
        "WRITE_ONCE() without mmap_sem",
        "Can a key that is freed without the lock come back, or one that is allocated get lost?",
        Expected::Broken(NO_LOST_UPDATE),
        &["key=1 freed=1 map=0b1", "key=1 freed=1 map=0b11", "key=1 freed=1 map=0b111"],
        |bounds| alloc_and_free(LOCKLESS, bounds),
    ),
    scenario(
        "cmpxchg-writers",
        "no lock, compare-exchange in a loop",
        "Can the writers do without the lock if they compare and exchange?",
        Expected::Holds,
        &["1 2 map=0b111", "2 1 map=0b111"],
        |bounds| contended(Config { update: Update::CompareExchange, ..LOCKLESS }, bounds),
    ),
    scenario(
        "cmpxchg-alloc-and-free",
        "no lock, compare-exchange in a loop",
        "Are both changes kept if one thread allocates and the other frees?",
        Expected::Holds,
        &["key=1 freed=1 map=0b11"],
        |bounds| alloc_and_free(Config { update: Update::CompareExchange, ..LOCKLESS }, bounds),
    ),
    scenario(
        "cmpxchg-unchecked",
        "no lock, compare-exchange whose result nobody looks at",
        "Does a compare-exchange keep both updates if nobody looks at its result?",
        Expected::Broken(NO_LOST_UPDATE),
        &["key=1 freed=1 map=0b1", "key=1 freed=1 map=0b11", "key=1 freed=1 map=0b111"],
        |bounds| alloc_and_free(Config { update: Update::CompareExchangeUnchecked, ..LOCKLESS }, bounds),
    ),
    scenario(
        "plain-writer",
        "plain |= and &= under mmap_sem, lockless readers",
        "May the writers change the map plainly, being under the lock?",
        Expected::Broken(NO_DATA_RACE),
        &[],
        |bounds| readers(PLAIN, bounds),
    ),
    scenario(
        "plain-writer-locked-reader",
        "plain |= and &= under mmap_sem, readers take it too",
        "Is a plain change of the map a race if nobody reads it without the lock?",
        Expected::Holds,
        &["two=0 one=0 map=0b101", "two=0 one=1 map=0b101", "two=1 one=0 map=0b101", "two=1 one=1 map=0b101"],
        |bounds| readers(Config { readers_lock: true, ..PLAIN }, bounds),
    ),
    scenario(
        "plain-writer-lockless",
        "plain |= and &= without mmap_sem",
        "Is a plain change of the map a race between two writers?",
        Expected::Broken(NO_DATA_RACE),
        &[],
        |bounds| alloc_and_free(Config { writers_lock: false, ..PLAIN }, bounds),
    ),
    scenario(
        "whole-map",
        "as posted: the map is stored and loaded whole",
        "Is every value that a reader loads one that the map had?",
        Expected::Holds,
        &["0x1ff", "0xfd", "0xff"],
        |bounds| whole_look(POSTED, bounds),
    ),
    scenario(
        "bytewise-map",
        "the map is stored and loaded as two bytes",
        "Can a reader see half of one update and half of another?",
        Expected::Broken(NO_TORN_MAP),
        &["0x1fd", "0x1ff", "0xfd", "0xff"],
        |bounds| whole_look(Config { update: Update::TwoBytes, ..POSTED }, bounds),
    ),
    scenario(
        "told-in-order",
        "as posted: a key is freed, and whoever freed it tells another thread",
        "Can a lockless answer be older than what the caller has been told?",
        Expected::Holds,
        &["told=0 one=0", "told=0 one=1", "told=1 one=0"],
        |bounds| told(true, bounds),
    ),
    scenario(
        "stale-after-free",
        "the same, told by a marked store that orders nothing",
        "Does a lockless answer need the caller to have been told with release and acquire?",
        Expected::Broken(ANSWER_WAS_TRUE),
        &["told=0 one=0", "told=0 one=1", "told=1 one=0", "told=1 one=1"],
        |bounds| told(false, bounds),
    ),
    scenario(
        "execute-only-unordered",
        "the map is stored, then execute_only_pkey; both are read without a lock",
        "Can a lockless reader take the execute-only key for an ordinary one?",
        Expected::Broken(EXECUTE_ONLY_HIDDEN),
        &["key=1 passes=0", "key=1 passes=1"],
        |bounds| execute_only(POSTED, bounds),
    ),
    scenario(
        "execute-only-ordered",
        "execute_only_pkey is stored, then the map with release; the map is loaded with acquire, then the other",
        "Which order of stores and loads keeps the execute-only key hidden from a lockless reader?",
        Expected::Holds,
        &["key=1 passes=0"],
        |bounds| execute_only(Config { execute_only: ExecuteOnly::NameFirst, ..POSTED }, bounds),
    ),
    scenario(
        "execute-only-order-without-release",
        "the same order of stores and loads with WRITE_ONCE() and READ_ONCE()",
        "Is the order of the statements enough, without release and acquire?",
        Expected::Broken(EXECUTE_ONLY_HIDDEN),
        &["key=1 passes=0", "key=1 passes=1"],
        |bounds| execute_only(Config { execute_only: ExecuteOnly::NameFirstUnordered, ..POSTED }, bounds),
    ),
    scenario(
        "fork-copies-locked",
        "arch_dup_pkeys() under the parent's mmap_sem",
        "Do the child's map and execute-only key belong together?",
        Expected::Holds,
        &["map=0b1 execute_only=-1", "map=0b11 execute_only=1"],
        |bounds| fork(POSTED, bounds),
    ),
    scenario(
        "fork-copies-lockless",
        "arch_dup_pkeys() without the lock",
        "Do marked accesses do instead of the lock in fork?",
        Expected::Broken(FORK_COPIES),
        &["map=0b1 execute_only=-1", "map=0b1 execute_only=1", "map=0b11 execute_only=-1", "map=0b11 execute_only=1"],
        |bounds| fork(Config { fork_locks: false, ..POSTED }, bounds),
    ),
];
