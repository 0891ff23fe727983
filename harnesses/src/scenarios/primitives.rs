//! Litmus tests of the primitives: the weak outcome is seen without the primitive, and gone with it.

use super::beside;
use crate::explore::{Outcome, explore};
use crate::over_loom::primitives::{Byte, Interrupts, Lock, Object, Plain, Word16, smp_mb, smp_rmb, smp_wmb};
use crate::scenario::{Bounds, Expected, LoomRun, Scenario};
use std::sync::Arc;

const WEAK: &str = "the weak outcome is seen";
const RACE: &str = "a data race";
const FREED: &str = "freed memory is used";

fn pair<T, U>(first: T, second: U) -> Arc<(T, U)> {
    Arc::new((first, second))
}

/// Message passing: data, then a flag. Weak: the flag is seen and the data are not.
fn message(bounds: Bounds, send: fn(&Byte), receive: fn(&Byte) -> u8) -> LoomRun {
    explore(bounds, move || {
        let shared = pair(Byte::new(0), Byte::new(0));
        let sender = beside!(shared, {
            shared.0.write_once(1);
            send(&shared.1);
        });
        let flag = receive(&shared.1);
        let data = shared.0.read_once();
        sender.join().unwrap();
        Outcome::judged(format!("flag={flag} data={data}"), flag == 1 && data == 0, WEAK)
    })
}

/// Store buffering. Weak: neither sees the other's store.
fn store_buffering(bounds: Bounds, mine: fn(), theirs: fn()) -> LoomRun {
    explore(bounds, move || {
        let shared = pair(Byte::new(0), Byte::new(0));
        let other = beside!(shared, {
            shared.0.write_once(1);
            theirs();
            shared.1.read_once()
        });
        shared.1.write_once(1);
        mine();
        let (mine, other) = (shared.0.read_once(), other.join().unwrap());
        Outcome::judged(format!("{mine} {other}"), (mine, other) == (0, 0), WEAK)
    })
}

/// Store buffering between a barrier's store and load on one side, and on the other an atomic that is either the load or
/// the store: so the order before it, or behind it, is all there is. Weak: neither sees the other's store.
fn buffering_by_atomic(bounds: Bounds, loads: bool, atomic: fn(&Byte, u8) -> u8) -> LoomRun {
    explore(bounds, move || {
        let shared = pair(Byte::new(0), Byte::new(0));
        let other = beside!(shared, {
            shared.0.write_once(1);
            smp_mb();
            shared.1.read_once()
        });
        let mine = if loads {
            shared.1.write_once(1);
            atomic(&shared.0, 0)
        } else {
            atomic(&shared.1, 1);
            shared.0.read_once()
        };
        let other = other.join().unwrap();
        Outcome::judged(format!("{mine} {other}"), (mine, other) == (0, 0), WEAK)
    })
}

/// Two threads change a word at once. Weak: one change is lost.
fn two_changes(bounds: Bounds, start: u16, end: u16, mine: fn(&Word16), theirs: fn(&Word16)) -> LoomRun {
    explore(bounds, move || {
        let word = Arc::new(Word16::new(start));
        let other = beside!(word, theirs(&word));
        mine(&word);
        other.join().unwrap();
        let word = word.read_once();
        Outcome::judged(format!("{word}"), word != end, WEAK)
    })
}

/// Two threads write a plain variable.
fn plain_writes(bounds: Bounds, locked: bool) -> LoomRun {
    explore(bounds, move || {
        let shared = pair(Lock::unheld(), Plain::new(0_u8, RACE));
        let change = move |shared: &(Lock, Plain<u8>)| {
            let held = locked.then(|| shared.0.lock());
            shared.1.write(shared.1.read() + 1);
            drop(held);
        };
        let other = beside!(shared, change(&shared));
        change(&shared);
        other.join().unwrap();
        Outcome::judged(format!("{}", shared.1.read()), shared.1.read() != 2, WEAK)
    })
}

/// Two owners read an object and drop it; the last one frees it.
fn last_reference(bounds: Bounds, drop_one: fn(&Byte) -> bool) -> LoomRun {
    explore(bounds, move || {
        let shared = pair(Byte::new(2), Object::new(7_u8, FREED, RACE));
        let let_go = move |shared: &(Byte, Object<u8>)| {
            let value = shared.1.read();
            if drop_one(&shared.0) {
                shared.1.free();
            }
            value
        };
        let other = beside!(shared, let_go(&shared));
        let values = (let_go(&shared), other.join().unwrap());
        Outcome::judged(format!("{values:?}"), shared.1.is_allocated(), WEAK)
    })
}

/// One thread frees an object and says so; the other then does with it what nobody may.
fn after_free(bounds: Bounds, touch: fn(&Object<u8>)) -> LoomRun {
    explore(bounds, move || {
        let shared = pair(Byte::new(0), Object::new(7_u8, FREED, RACE));
        let freeing = beside!(shared, {
            shared.1.free();
            shared.0.store_release(1);
        });
        let told = shared.0.load_acquire();
        if told == 1 {
            touch(&shared.1);
        }
        freeing.join().unwrap();
        Outcome::judged(format!("{told}"), false, "")
    })
}

/// What stands between clearing a pointer and freeing what it led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    Nothing,
    GracePeriod,
    Interrupt,
}

/// A reader follows a pointer on CPU 0 and a thread retracts it and frees.
fn reclaim(bounds: Bounds, section: bool, wait: Wait) -> LoomRun {
    explore(bounds, move || {
        let shared = Arc::new((Byte::new(1), Object::new(7_u8, FREED, RACE), Interrupts::new(2)));
        let other = beside!(shared, {
            let (pointer, object, cpus) = &*shared;
            pointer.write_once(0);
            match wait {
                Wait::Nothing => {}
                Wait::GracePeriod => cpus.synchronize_rcu(),
                Wait::Interrupt => cpus.on_each_cpu_mask(0b01, |_| ()),
            }
            object.free();
        });
        let (pointer, object, cpus) = &*shared;
        let inside = section.then(|| cpus.rcu_read_lock(0));
        let value = (pointer.rcu_dereference() == 1).then(|| object.read());
        if let Some(inside) = inside {
            cpus.rcu_read_unlock(inside);
        }
        other.join().unwrap();
        Outcome::judged(format!("{value:?}"), false, "")
    })
}

/// The lock holder loads and stores twice while a thread without the lock loads twice: the pattern that loom gets wrong.
fn load_then_store(bounds: Bounds, load: fn(&Word16) -> u16) -> LoomRun {
    explore(bounds, move || {
        let word = Arc::new(Word16::new(0));
        let writer = beside!(word, {
            word.write_once(load(&word) | 0b01);
            word.write_once(load(&word) | 0b10);
        });
        let (first, second) = (word.read_once(), word.read_once());
        writer.join().unwrap();
        Outcome::judged(format!("{first} {second}"), false, "")
    })
}

fn nothing() {}
fn send_behind_wmb(flag: &Byte) {
    smp_wmb();
    flag.write_once(1);
}
fn receive_before_rmb(flag: &Byte) -> u8 {
    let seen = flag.read_once();
    smp_rmb();
    seen
}
fn decrement_apart(word: &Word16) {
    word.write_once(word.read_once_before_store() - 1);
}
fn decrement(word: &Word16) {
    word.dec_return_relaxed();
}
fn add_one(word: &Word16) {
    word.add_return_relaxed(1);
}
fn increment_apart(word: &Word16) {
    word.write_once(word.read_once_before_store() + 1);
}
fn increment(word: &Word16) {
    word.inc_return_relaxed();
}
fn set_apart(word: &Word16) {
    word.write_once(word.read_once_before_store() | 0b01);
}
fn clear_apart(word: &Word16) {
    word.write_once(word.read_once_before_store() & !0b10);
}
fn set(word: &Word16) {
    word.fetch_or_relaxed(0b01);
}
fn clear(word: &Word16) {
    word.fetch_and_relaxed(!0b10);
}
fn exchange(word: &Word16) {
    loop {
        let old = word.read_once();
        if word.cmpxchg_relaxed(old, old + 1) == old {
            return;
        }
    }
}

const fn scenario(
    variant: &'static str,
    expected: Expected,
    outcomes: &'static [&'static str],
    explore: fn(Bounds) -> LoomRun,
) -> Scenario {
    let (what, question) = ("a primitive alone", "Is the weak outcome seen without it, and gone with it?");
    Scenario { mechanism: "primitives", variant, what, question, expected, outcomes, bounds: Bounds::NONE, explore }
}

const STRONG_MESSAGE: &[&str] = &["flag=0 data=0", "flag=0 data=1", "flag=1 data=1"];
const WEAK_MESSAGE: &[&str] = &["flag=0 data=0", "flag=0 data=1", "flag=1 data=0", "flag=1 data=1"];

/// The litmus tests, in pairs.
pub const LITMUS: &[Scenario] = &[
    scenario("message-once", Expected::Broken(WEAK), WEAK_MESSAGE, |bounds| {
        message(bounds, |flag| flag.write_once(1), Byte::read_once)
    }),
    scenario("message-release-only", Expected::Broken(WEAK), WEAK_MESSAGE, |bounds| {
        message(bounds, |flag| flag.store_release(1), Byte::read_once)
    }),
    scenario("message-acquire-only", Expected::Broken(WEAK), WEAK_MESSAGE, |bounds| {
        message(bounds, |flag| flag.write_once(1), Byte::load_acquire)
    }),
    scenario("message-release-acquire", Expected::Holds, STRONG_MESSAGE, |bounds| {
        message(bounds, |flag| flag.store_release(1), Byte::load_acquire)
    }),
    scenario("message-acquire-before-change", Expected::Holds, STRONG_MESSAGE, |bounds| {
        message(bounds, |flag| flag.store_release(1), Byte::load_acquire_before_change)
    }),
    scenario("message-rcu", Expected::Holds, STRONG_MESSAGE, |bounds| {
        message(bounds, |flag| flag.rcu_assign_pointer(1), Byte::rcu_dereference)
    }),
    scenario("message-wmb-only", Expected::Broken(WEAK), WEAK_MESSAGE, |bounds| {
        message(bounds, send_behind_wmb, Byte::read_once)
    }),
    scenario("message-rmb-only", Expected::Broken(WEAK), WEAK_MESSAGE, |bounds| {
        message(bounds, |flag| flag.write_once(1), receive_before_rmb)
    }),
    scenario("message-wmb-rmb", Expected::Holds, STRONG_MESSAGE, |bounds| {
        message(bounds, send_behind_wmb, receive_before_rmb)
    }),
    scenario("message-add-release-only", Expected::Broken(WEAK), WEAK_MESSAGE, |bounds| {
        message(bounds, |flag| _ = flag.add_return_release(1), |flag| flag.add_return_relaxed(0))
    }),
    scenario("message-add-acquire-only", Expected::Broken(WEAK), WEAK_MESSAGE, |bounds| {
        message(bounds, |flag| _ = flag.add_return_relaxed(1), |flag| flag.add_return_acquire(0))
    }),
    scenario("message-add-release-acquire", Expected::Holds, STRONG_MESSAGE, |bounds| {
        message(bounds, |flag| _ = flag.add_return_release(1), |flag| flag.add_return_acquire(0))
    }),
    scenario("buffering-none", Expected::Broken(WEAK), &["0 0", "0 1", "1 0", "1 1"], |bounds| {
        store_buffering(bounds, nothing, nothing)
    }),
    scenario("buffering-one", Expected::Broken(WEAK), &["0 0", "0 1", "1 0", "1 1"], |bounds| {
        store_buffering(bounds, smp_mb, nothing)
    }),
    scenario("buffering-smp-mb", Expected::Holds, &["0 1", "1 0", "1 1"], |bounds| {
        store_buffering(bounds, smp_mb, smp_mb)
    }),
    scenario("buffering-before-atomic-relaxed", Expected::Broken(WEAK), &["0 0", "0 1", "1 0", "1 1"], |bounds| {
        buffering_by_atomic(bounds, true, Byte::add_return_relaxed)
    }),
    scenario("buffering-before-atomic", Expected::Holds, &["0 1", "1 0", "1 1"], |bounds| {
        buffering_by_atomic(bounds, true, Byte::add_return)
    }),
    scenario("buffering-behind-atomic-relaxed", Expected::Broken(WEAK), &["0 0", "0 1", "1 0", "1 1"], |bounds| {
        buffering_by_atomic(bounds, false, Byte::add_return_relaxed)
    }),
    scenario("buffering-behind-atomic", Expected::Holds, &["0 1", "1 0", "1 1"], |bounds| {
        buffering_by_atomic(bounds, false, Byte::add_return)
    }),
    scenario("increment-apart", Expected::Broken(WEAK), &["1", "2"], |bounds| {
        two_changes(bounds, 0, 2, increment_apart, increment_apart)
    }),
    scenario("increment-atomic", Expected::Holds, &["2"], |bounds| two_changes(bounds, 0, 2, increment, increment)),
    scenario("increment-add", Expected::Holds, &["2"], |bounds| two_changes(bounds, 0, 2, add_one, add_one)),
    scenario("increment-refcount", Expected::Holds, &["2"], |bounds| {
        two_changes(bounds, 0, 2, Word16::refcount_inc, Word16::refcount_inc)
    }),
    scenario("decrement-apart", Expected::Broken(WEAK), &["0", "1"], |bounds| {
        two_changes(bounds, 2, 0, decrement_apart, decrement_apart)
    }),
    scenario("decrement-atomic", Expected::Holds, &["0"], |bounds| two_changes(bounds, 2, 0, decrement, decrement)),
    scenario("increment-cmpxchg", Expected::Holds, &["2"], |bounds| two_changes(bounds, 0, 2, exchange, exchange)),
    scenario("bits-apart", Expected::Broken(WEAK), &["0", "1", "3"], |bounds| {
        two_changes(bounds, 0b10, 0b01, set_apart, clear_apart)
    }),
    scenario("bits-atomic", Expected::Holds, &["1"], |bounds| two_changes(bounds, 0b10, 0b01, set, clear)),
    scenario("plain-unlocked", Expected::Broken(RACE), &[], |bounds| plain_writes(bounds, false)),
    scenario("plain-locked", Expected::Holds, &["2"], |bounds| plain_writes(bounds, true)),
    scenario("last-reference-relaxed", Expected::Broken(RACE), &[], |bounds| {
        last_reference(bounds, |count| count.dec_return_relaxed() == 0)
    }),
    scenario("last-reference", Expected::Holds, &["(7, 7)"], |bounds| {
        last_reference(bounds, Byte::refcount_dec_and_test)
    }),
    scenario("read-after-free", Expected::Broken(FREED), &[], |bounds| after_free(bounds, |object| _ = object.read())),
    scenario("write-after-free", Expected::Broken(FREED), &[], |bounds| after_free(bounds, |object| object.write(8))),
    scenario("free-after-free", Expected::Broken(FREED), &[], |bounds| after_free(bounds, Object::free)),
    scenario("reclaim-at-once", Expected::Broken(RACE), &[], |bounds| reclaim(bounds, true, Wait::Nothing)),
    scenario("reclaim-no-section", Expected::Broken(RACE), &[], |bounds| reclaim(bounds, false, Wait::GracePeriod)),
    scenario("reclaim-grace-period", Expected::Holds, &["None", "Some(7)"], |bounds| {
        reclaim(bounds, true, Wait::GracePeriod)
    }),
    scenario("reclaim-interrupt-with-wait", Expected::Holds, &["None", "Some(7)"], |bounds| {
        reclaim(bounds, true, Wait::Interrupt)
    }),
    // The hole of loom 0.7.2, and the way around it. If the first of these fails because it sees more, loom has been
    // repaired, and `FORGETS_LOADS` can go.
    scenario("locked-load-loses-outcomes", Expected::Holds, &["0 0"], |bounds| {
        load_then_store(bounds, Word16::read_once)
    }),
    scenario("read-once-locked", Expected::Holds, &["0 0", "0 1", "0 3", "1 1", "1 3", "3 3"], |bounds| {
        load_then_store(bounds, Word16::read_once_locked)
    }),
];
