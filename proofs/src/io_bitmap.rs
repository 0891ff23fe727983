//! Kani proofs for `models::io_bitmap`: the form of 5.5 with V2's section, `mainline-v2-scope`, is right after any
//! number of steps.
//!
//! # How the proofs together give the properties
//!
//! `IoBitmap::invariant` holds at the start (`the_invariant_holds_initially`), every step keeps it (`..._keep_it`, one proof
//! for each part of the code), and every property of the mechanism follows from it (`it_implies_...`). By induction over the
//! steps the properties hold after any number of steps. The search looks at reachable states only; these proofs start
//! from every state that satisfies the invariant, and the search checks that every state that it reaches does.
//!
//! # Twins
//!
//! `..._is_found`: one state in the invariant, from which one step of a version with a bug leaves it, and breaks a property.
//!
//! # Bounds
//!
//! 2 CPUs, 2 tasks, 2 ports, 2 objects, kernel threads and children without the capability; any number of calls
//! (`calls=0`, where numbers are replaced by their ranks). Loops run over the CPUs (2), the tasks and the objects of a
//! state (3 of each, those that are not there too), so `unwind` is 4, one more than the turns; `system_call_goes_on()` also
//! runs over what a step may choose. Stubs: none. Assumptions: the `assume`s and `any_where`s below.

use models::io_bitmap::properties::{
    base_invalid_without_flag, clean_tail, equal_numbers_equal_content, flag_means_bitmap, fork_hands_on_permissions,
    max_is_exact, no_bitmap_without_permission, no_excess_permission, no_missing_permission, no_needless_copy,
    no_use_after_free, preemption_on_outside, references_match, sequence_names_content, system_call_goes_on,
    task_on_one_cpu, tss_of_this_cpu,
};
use models::io_bitmap::{
    After, At, Base, Bitmap, Change, Config, Cpu, Flags, IoBitmap, Kind, Object, Phase, Pointer, Ports, State, Step,
    Task, Work, IDLE,
};
use models::machine::{Machine, Size};

const CPUS: u8 = 2;
const TASKS: u8 = 2;
const PORTS: u8 = 2;
const OBJECTS: u8 = 2;

/// A version with 2 of everything, any number of calls, kernel threads and unprivileged children.
fn machine(config: Config) -> IoBitmap {
    IoBitmap::new(config, Size::of([CPUS, TASKS, PORTS, OBJECTS, 0, 1, 1, 0]))
}

fn mainline() -> IoBitmap {
    machine(Config::V2_SCOPE)
}

// -- Any value of a kind. Every number is chosen below a bound, so that Kani and the tests share the making.

fn any_below(end: u8) -> u8 {
    kani::any_where(|value: &u8| *value < end) // domain: the values that the field can take
}

/// Any state with 2 of everything.
fn any_state() -> State {
    #[cfg(not(kani))]
    return sampled();
    #[cfg(kani)]
    state(&mut any_below)
}

/// Any state that satisfies the invariant.
fn any_good_state(m: &IoBitmap) -> State {
    let state = any_state();
    kani::assume(m.invariant(&state)); // hypothesis
    state
}

fn state(choose: &mut dyn FnMut(u8) -> u8) -> State {
    State {
        cpus: [cpu(choose), cpu(choose)],
        tasks: [task(choose), task(choose), Task::UNBORN],
        objects: [object(choose), object(choose), Object::BLANK],
        allocated: choose(1 << OBJECTS),
        counter: choose(5),
    }
}

fn cpu(choose: &mut dyn FnMut(u8) -> u8) -> Cpu {
    let current = choose(TASKS + 1);
    Cpu {
        current: if current == TASKS { IDLE } else { current },
        phase: match choose(6) {
            0 => Phase::Idle,
            1 => Phase::Compare,
            2 => Phase::Copy,
            3 => Phase::Record,
            4 => Phase::Valid,
            _ => Phase::Oops,
        },
        preempt_off: choose(2) == 1,
        base: Base::INVALID.with(Base::TSS, choose(2) == 1),
        copy: bitmap(choose),
        last_bitmap: Pointer::NULL,
        last_sequence: choose(5),
    }
}

fn task(choose: &mut dyn FnMut(u8) -> u8) -> Task {
    Task {
        at: at(choose(30)),
        bitmap: Pointer(choose(OBJECTS + 1)),
        local: Pointer(choose(OBJECTS + 1)),
        old: Pointer(choose(OBJECTS + 1)),
        flags: Flags::NONE
            .with(Flags::TIF, choose(2) == 1)
            .with(Flags::KTHREAD, choose(2) == 1)
            .with(Flags::UNPRIVILEGED, choose(2) == 1),
        work: Work::call(choose(4), choose(2) == 1).with_after(after(choose(6))),
        granted: Ports(choose(1 << PORTS)),
    }
}

fn object(choose: &mut dyn FnMut(u8) -> u8) -> Object {
    Object { bitmap: bitmap(choose), sequence: choose(5), references: choose(8) }
}

fn bitmap(choose: &mut dyn FnMut(u8) -> u8) -> Bitmap {
    Bitmap::DENY_ALL.with_permitted(Ports(choose(1 << PORTS))).with_max(choose(PORTS + 1))
}

fn after(number: u8) -> After {
    match number {
        0 => After::Nothing,
        1 => After::Duplicated,
        2 => After::DuplicateNext,
        3 => After::Returned,
        4 => After::Exited,
        _ => After::ForkFailed,
    }
}

fn at(number: u8) -> At {
    match number {
        0 => At::Unborn,
        1 => At::Forked,
        2 => At::User,
        3 => At::Kernel,
        4 => At::ToUser,
        5 => At::Dead,
        6 => At::Allocate,
        7 => At::PreemptOff,
        8 => At::ChangeBit,
        9 => At::FindMax,
        10 => At::StoreMax,
        11 => At::TakeNumber,
        12 => At::StoreNumber,
        13 => At::StorePointer,
        14 => At::SetFlag,
        15 => At::CopyToTss,
        16 => At::Record,
        17 => At::BaseValid,
        18 => At::PreemptOn,
        19 => At::ReadCount,
        20 => At::Duplicate,
        21 => At::ExitPreemptOff,
        22 => At::ClearPointer,
        23 => At::ClearFlag,
        24 => At::BaseInvalid,
        25 => At::ExitPreemptOn,
        26 => At::DropReference,
        27 => At::Free,
        28 => At::GiveBitmap,
        _ => At::FinishFork,
    }
}

// -- Without Kani.

/// The first state with those fields of the second for which the choice falls so.
#[cfg(not(kani))]
fn mix(a: &State, b: &State, take_b: &mut dyn FnMut() -> bool) -> State {
    let mut s = *a;
    for (cpu, other) in s.cpus.iter_mut().zip(&b.cpus) {
        if take_b() {
            *cpu = *other;
        }
        if take_b() {
            cpu.current = other.current;
        }
        if take_b() {
            cpu.phase = other.phase;
        }
        if take_b() {
            cpu.preempt_off = other.preempt_off;
        }
        if take_b() {
            cpu.base = other.base;
        }
        if take_b() {
            cpu.copy = other.copy;
        }
        if take_b() {
            cpu.last_sequence = other.last_sequence;
        }
    }
    for (task, other) in s.tasks.iter_mut().zip(&b.tasks) {
        if take_b() {
            *task = *other;
        }
        if take_b() {
            task.at = other.at;
        }
        if take_b() {
            task.bitmap = other.bitmap;
        }
        if take_b() {
            task.local = other.local;
        }
        if take_b() {
            task.old = other.old;
        }
        if take_b() {
            task.flags = other.flags;
        }
        if take_b() {
            task.work = other.work;
        }
        if take_b() {
            task.granted = other.granted;
        }
    }
    for (object, other) in s.objects.iter_mut().zip(&b.objects) {
        if take_b() {
            *object = *other;
        }
        if take_b() {
            object.bitmap = other.bitmap;
        }
        if take_b() {
            object.sequence = other.sequence;
        }
        if take_b() {
            object.references = other.references;
        }
    }
    if take_b() {
        s.allocated = b.allocated;
        s.objects = b.objects;
    }
    if take_b() {
        s.counter = b.counter;
    }
    s
}

#[cfg(not(kani))]
fn source(m: &IoBitmap) -> Source<'_, IoBitmap> {
    Source { machine: m, invariant: IoBitmap::invariant, any: |_, choose| state(choose), mix }
}

#[cfg(not(kani))]
use crate::samples::{near, try_every_step, Samples, Source};
#[cfg(not(kani))]
use std::sync::OnceLock;

/// A sample, or something near one, or anything.
#[cfg(not(kani))]
fn sampled() -> State {
    static SAMPLES: OnceLock<Samples<State>> = OnceLock::new();
    let samples = SAMPLES.get_or_init(|| Samples::grow(&source(&mainline()), 60_000));
    near(samples, mix, || state(&mut any_below))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All versions that the invariant is about, from reached states and from states that were made.
    #[test]
    fn every_step_keeps_the_invariant() {
        let mut tried_versions = 0;
        for variant in IoBitmap::VARIANTS {
            let m = machine(variant.config);
            if !m.has_invariant() {
                continue;
            }
            let source = source(&m);
            let samples = Samples::grow(&source, 60_000);
            match try_every_step(&source, &samples) {
                Ok(t) => println!(
                    "{}: {} states satisfy the invariant, {} of them reached by walks; {} steps {:?}",
                    variant.name, t.states, t.reached, t.steps, t.of_kind
                ),
                Err((before, step, after)) => panic!("{}\n{before:#?}\n{step:?}\n{after:#?}", variant.name),
            }
            tried_versions += 1;
        }
        assert!(tried_versions >= 4);
    }

    #[test]
    fn it_implies() {
        let m = mainline();
        let samples = Samples::grow(&source(&m), 60_000);
        for s in &samples.states {
            for p in IoBitmap::PROPERTIES.iter().filter(|p| p.kind == models::machine::PropertyKind::Always) {
                assert!((p.holds)(&m, s), "{} {s:#?}", p.name);
            }
        }
    }
}
