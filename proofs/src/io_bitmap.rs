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

#[cfg(not(kani))]
use crate::samples::{near, possible_step, Samples, Source};

const CPUS: u8 = 2;
const TASKS: u8 = 2;
const PORTS: u8 = 2;
const OBJECTS: u8 = 2;

/// A version with 2 of everything, any number of calls, kernel threads and unprivileged children.
fn machine(config: Config) -> IoBitmap {
    IoBitmap::new(config, Size::of([CPUS, TASKS, PORTS, OBJECTS, 0, 1, 1, 0]))
}

fn v2_scope() -> IoBitmap {
    machine(Config::V2_SCOPE)
}

// -- Any value of a kind. Every number is chosen below a bound, so that Kani and the tests share the making.

/// Any number below `end`.
fn any_below(end: u8) -> u8 {
    kani::any_where(|value: &u8| *value < end) // domain: the values that the field can take
}

/// Any state with 2 of everything. What it leaves out no state in the invariant has: a third task, a hypervisor's base,
/// a remembered address, a number above the 4 that 2 objects and 2 CPUs can hold.
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

fn state<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> State {
    State {
        cpus: [cpu(choose), cpu(choose)],
        tasks: [task(choose), task(choose), Task::UNBORN],
        objects: [object(choose), object(choose), Object::BLANK],
        allocated: choose(1 << OBJECTS),
        counter: choose(5),
    }
}

fn cpu<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Cpu {
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

fn task<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Task {
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

fn object<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Object {
    Object { bitmap: bitmap(choose), sequence: choose(5), references: choose(8) }
}

fn bitmap<F: FnMut(u8) -> u8 + ?Sized>(choose: &mut F) -> Bitmap {
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

/// Any step of one of these kinds. A step that is not possible in the state leads nowhere.
fn any_step(m: &IoBitmap, before: &State, kinds: &[Kind]) -> Step {
    #[cfg(not(kani))]
    return possible_step(m, before, |step| kinds.contains(&step.kind));
    #[cfg(kani)]
    {
        let _ = (m, before);
        Step { kind: kinds[any_below(kinds.len() as u8) as usize], cpu: any_below(CPUS), choice: any_below(8) }
    }
}

// -- The invariant holds at the start, and every step keeps it.

/// inductive-invariant: the initial state satisfies it.
#[kani::proof]
#[kani::unwind(4)] // 3 tasks and 3 objects
fn the_invariant_holds_initially() {
    let m = v2_scope();
    let initial = m.initial_state();

    kani::cover!(initial.tasks[0].at == At::User, "a task runs");
    assert!(m.invariant(&initial), "inductive-invariant");
}

/// inductive-invariant: interrupts, context switches and the beginning of the way to user mode keep it.
#[kani::proof]
#[kani::unwind(4)] // 3 tasks and 3 objects
fn scheduling_keeps_it() {
    let m = v2_scope();
    let before = any_good_state(&m);
    let step = any_step(&m, &before, &[Kind::Interrupt, Kind::SwitchTo, Kind::ReturnToUser]);
    let Some(after) = m.step(&before, step) else { return };
    let (was, is) = (before.current(step.cpu as usize), after.current(step.cpu as usize));

    kani::cover!(step.kind == Kind::Interrupt, "an interrupt");
    kani::cover!(step.kind == Kind::SwitchTo && was.is_some_and(Task::tif), "a switch from a task with a bitmap");
    kani::cover!(step.kind == Kind::SwitchTo && is.is_some_and(Task::tif), "a switch to a task with a bitmap");
    kani::cover!(step.kind == Kind::SwitchTo && was.is_some_and(|t| t.local != Pointer::NULL), "out of ioperm()");
    kani::cover!(step.kind == Kind::ReturnToUser && is.is_some_and(|t| t.at == At::User), "back without an update");
    kani::cover!(step.kind == Kind::ReturnToUser && is.is_some_and(|t| t.at == At::ToUser), "an update begins");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: the update of the TSS, U1 to U4, keeps it.
#[kani::proof]
#[kani::unwind(4)] // 3 tasks and 3 objects
fn the_update_of_the_tss_keeps_it() {
    let m = v2_scope();
    let before = any_good_state(&m);
    let step = any_step(&m, &before, &[Kind::U1Compare, Kind::U2Copy, Kind::U3Record, Kind::U4BaseValid]);
    let Some(after) = m.step(&before, step) else { return };
    let (was, is) = (&before.cpus[step.cpu as usize], &after.cpus[step.cpu as usize]);
    let skips = is.phase == Phase::Valid;

    kani::cover!(step.kind == Kind::U1Compare && skips, "the copy is up to date");
    kani::cover!(step.kind == Kind::U1Compare && !skips, "a copy is due");
    kani::cover!(
        step.kind == Kind::U2Copy && was.copy.permitted().minus(is.copy.permitted()) != Ports::NONE,
        "a copy takes permissions back"
    );
    kani::cover!(step.kind == Kind::U3Record && is.copy.max() < was.copy.max(), "a shorter length is recorded");
    kani::cover!(step.kind == Kind::U3Record && after.counter < before.counter, "a number goes out of play");
    kani::cover!(step.kind == Kind::U4BaseValid, "the base becomes VALID");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: the beginning of ioperm() keeps it.
#[kani::proof]
#[kani::unwind(4)] // 3 tasks and 3 objects
fn the_beginning_of_a_call_keeps_it() {
    let m = v2_scope();
    let before = any_good_state(&m);
    let step = any_step(&m, &before, &[Kind::I1CheckCapability, Kind::I2Allocate, Kind::AllocationFails]);
    let Some(after) = m.step(&before, step) else { return };
    let refused = after.current(step.cpu as usize).is_some_and(|t| t.at == At::Kernel);

    kani::cover!(step.kind == Kind::I1CheckCapability && refused, "no capability");
    kani::cover!(step.kind == Kind::I1CheckCapability && !refused, "a call begins");
    kani::cover!(step.kind == Kind::I2Allocate && step.choice != 0, "a new object");
    kani::cover!(step.kind == Kind::I2Allocate && step.choice == 0 && !refused, "the object of the task");
    kani::cover!(step.kind == Kind::I2Allocate && refused, "nothing to deny a port in");
    kani::cover!(step.kind == Kind::AllocationFails, "no memory");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: looking at the reference count and copying a shared object keep it.
#[kani::proof]
#[kani::unwind(4)] // 3 tasks and 3 objects
fn copy_on_write_keeps_it() {
    let m = v2_scope();
    let before = any_good_state(&m);
    let step = any_step(&m, &before, &[Kind::M1ReadCount, Kind::M2Duplicate]);
    let Some(after) = m.step(&before, step) else { return };
    let shared = after.current(step.cpu as usize).is_some_and(|t| t.at == At::Duplicate);

    kani::cover!(step.kind == Kind::M1ReadCount && shared, "a shared object");
    kani::cover!(step.kind == Kind::M1ReadCount && !shared, "an object of one's own");
    kani::cover!(step.kind == Kind::M2Duplicate, "a duplicate");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: writing to an object that nobody else holds, I8, I9, I4 and I5, keeps it.
#[kani::proof]
#[kani::unwind(4)] // 3 tasks and 3 objects
fn a_change_of_the_bitmap_keeps_it() {
    let m = v2_scope();
    let before = any_good_state(&m);
    let step = any_step(&m, &before, &[Kind::I8StorePointer, Kind::I9SetFlag, Kind::I4ChangeBit, Kind::I5FindMax]);
    let Some(after) = m.step(&before, step) else { return };
    let (was, is) = (before.current(step.cpu as usize), after.current(step.cpu as usize));
    let remembered = before.cpus.iter().any(|c| c.last_sequence != 0);

    kani::cover!(
        step.kind == Kind::I8StorePointer && was.is_some_and(|t| t.bitmap == Pointer::NULL),
        "the pointer to a new object"
    );
    kani::cover!(step.kind == Kind::I9SetFlag, "the flag");
    kani::cover!(
        step.kind == Kind::I4ChangeBit && remembered && before.objects != after.objects,
        "another content under a number that a CPU may remember"
    );
    kani::cover!(step.kind == Kind::I5FindMax && is.is_some_and(|t| t.at == At::StoreMax), "a permission is left");
    kani::cover!(step.kind == Kind::I5FindMax && is.is_some_and(|t| t.at != At::StoreMax), "no permission is left");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: storing the length and taking a number, I6 and I7, keep it.
#[kani::proof]
#[kani::unwind(4)] // 3 tasks and 3 objects
fn length_and_number_keep_it() {
    let m = v2_scope();
    let before = any_good_state(&m);
    let step = any_step(&m, &before, &[Kind::I6StoreMax, Kind::I7TakeNumber]);
    let Some(after) = m.step(&before, step) else { return };

    kani::cover!(step.kind == Kind::I6StoreMax && before.objects != after.objects, "another length");
    kani::cover!(step.kind == Kind::I7TakeNumber && after.counter > before.counter, "one more number in play");
    kani::cover!(step.kind == Kind::I7TakeNumber && after.counter <= before.counter, "an old number goes out of play");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: exit() and letting go of an object, X1 to X3 with the section around them, keep it.
#[kani::proof]
#[kani::unwind(4)] // 3 tasks and 3 objects
fn letting_go_keeps_it() {
    let m = v2_scope();
    let before = any_good_state(&m);
    let step = any_step(
        &m,
        &before,
        &[
            Kind::X0Exit,
            Kind::I3PreemptOff,
            Kind::X1ClearPointer,
            Kind::X2ClearFlag,
            Kind::X3BaseInvalid,
            Kind::I12PreemptOn,
        ],
    );
    let Some(after) = m.step(&before, step) else { return };
    let is = after.current(step.cpu as usize);
    let was_valid = before.cpus[step.cpu as usize].base != Base::INVALID;

    kani::cover!(step.kind == Kind::X0Exit && is.is_some_and(|t| t.at == At::Dead), "exit without a bitmap");
    kani::cover!(step.kind == Kind::X0Exit && is.is_some_and(|t| t.at != At::Dead), "exit with a bitmap");
    kani::cover!(step.kind == Kind::I3PreemptOff, "preemption off");
    kani::cover!(step.kind == Kind::X1ClearPointer, "the pointer is cleared");
    kani::cover!(step.kind == Kind::X2ClearFlag && was_valid, "the flag is cleared over a VALID base");
    kani::cover!(step.kind == Kind::X3BaseInvalid && was_valid, "the base becomes INVALID");
    kani::cover!(step.kind == Kind::I12PreemptOn, "preemption on");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: dropping a reference and freeing, X4 and X5, keep it.
#[kani::proof]
#[kani::unwind(4)] // 3 tasks and 3 objects
fn dropping_and_freeing_keep_it() {
    let m = v2_scope();
    let before = any_good_state(&m);
    let step = any_step(&m, &before, &[Kind::X4DropReference, Kind::X5Free]);
    let Some(after) = m.step(&before, step) else { return };
    let is = after.current(step.cpu as usize);

    kani::cover!(step.kind == Kind::X4DropReference && is.is_some_and(|t| t.at == At::Free), "the last reference");
    kani::cover!(step.kind == Kind::X4DropReference && is.is_some_and(|t| t.at == At::StorePointer), "one of two");
    kani::cover!(step.kind == Kind::X5Free && is.is_some_and(|t| t.at == At::Dead), "freed by an exit");
    kani::cover!(step.kind == Kind::X5Free && is.is_some_and(|t| t.at == At::Kernel), "freed by ioperm()");
    assert!(m.invariant(&after), "inductive-invariant");
}

/// inductive-invariant: fork(), whether it succeeds or fails late, keeps it.
#[kani::proof]
#[kani::unwind(4)] // 3 tasks and 3 objects
fn fork_keeps_it() {
    let m = v2_scope();
    let before = any_good_state(&m);
    let step = any_step(&m, &before, &[Kind::F1CopyTask, Kind::F2GiveBitmap, Kind::F3ChildRuns, Kind::F4Fails]);
    let Some(after) = m.step(&before, step) else { return };
    let was = before.current(step.cpu as usize);
    let has_bitmap = was.is_some_and(Task::tif);

    kani::cover!(step.kind == Kind::F1CopyTask && step.choice == 0, "a child is copied");
    kani::cover!(step.kind == Kind::F1CopyTask && step.choice != 0, "a kernel thread, or a child with less privilege");
    kani::cover!(step.kind == Kind::F2GiveBitmap && before.objects != after.objects, "an object is shared");
    kani::cover!(step.kind == Kind::F2GiveBitmap && before.objects == after.objects, "nothing is shared");
    kani::cover!(step.kind == Kind::F3ChildRuns, "the child runs");
    kani::cover!(step.kind == Kind::F4Fails && has_bitmap, "fork fails after sharing");
    assert!(m.invariant(&after), "inductive-invariant");
}

// -- The invariant implies the properties.

/// no-excess-permission, no-missing-permission, base-invalid-without-flag: they follow from the invariant.
#[kani::proof]
#[kani::unwind(4)] // 3 tasks and 3 objects
fn it_implies_right_permissions() {
    let m = v2_scope();
    let s = any_good_state(&m);
    let in_user = s.current(0).filter(|t| t.at == At::User);

    kani::cover!(in_user.is_some_and(|t| t.granted != Ports::NONE), "user mode with permissions");
    kani::cover!(in_user.is_some_and(|t| t.granted == Ports::NONE), "user mode without");
    assert!(no_excess_permission(&m, &s), "no-excess-permission");
    assert!(no_missing_permission(&m, &s), "no-missing-permission");
    assert!(base_invalid_without_flag(&m, &s), "base-invalid-without-flag");
}

/// sequence-names-content, equal-numbers-equal-content, clean-tail, max-is-exact, no-needless-copy: they follow from the
/// invariant.
#[kani::proof]
#[kani::unwind(4)] // 3 tasks and 3 objects
fn it_implies_that_numbers_name_content() {
    let m = v2_scope();
    let s = any_good_state(&m);
    let both = s.allocated == 0b11;

    kani::cover!(both && s.objects[0].sequence == s.objects[1].sequence, "two objects with one number");
    kani::cover!(both && s.objects[0].sequence != s.objects[1].sequence, "two objects with two numbers");
    kani::cover!(s.cpus[0].last_sequence != 0 && s.cpus[0].copy.max() == 1, "a copy of one byte");
    kani::cover!(s.cpus[0].phase == Phase::Copy, "before a copy");
    kani::cover!(s.tasks[0].at == At::TakeNumber, "in the middle of a change");
    assert!(sequence_names_content(&m, &s), "sequence-names-content");
    assert!(equal_numbers_equal_content(&m, &s), "equal-numbers-equal-content");
    assert!(clean_tail(&m, &s), "clean-tail");
    assert!(max_is_exact(&m, &s), "max-is-exact");
    assert!(no_needless_copy(&m, &s), "no-needless-copy");
}

/// no-use-after-free, references-match, flag-means-bitmap, no-bitmap-without-permission, fork-hands-on-permissions: they
/// follow from the invariant.
#[kani::proof]
#[kani::unwind(4)] // 3 tasks and 3 objects
fn it_implies_sound_objects() {
    let m = v2_scope();
    let s = any_good_state(&m);

    kani::cover!(s.objects[0].references == 2, "a shared object");
    kani::cover!(s.is_allocated(0) && s.objects[0].references == 0, "an object about to be freed");
    kani::cover!(s.tasks[0].at == At::FinishFork && s.tasks[1].tif(), "a fork of a task with a bitmap");
    assert!(no_use_after_free(&m, &s), "no-use-after-free");
    assert!(references_match(&m, &s), "references-match");
    assert!(flag_means_bitmap(&m, &s), "flag-means-bitmap");
    assert!(no_bitmap_without_permission(&m, &s), "no-bitmap-without-permission");
    assert!(fork_hands_on_permissions(&m, &s), "fork-hands-on-permissions");
}

/// preemption-on-outside, task-on-one-cpu, tss-of-this-cpu: they follow from the invariant.
#[kani::proof]
#[kani::unwind(4)] // 3 tasks and 3 objects
fn it_implies_sound_scheduling() {
    let m = v2_scope();
    let s = any_good_state(&m);

    kani::cover!(s.cpus[0].preempt_off, "preemption is off");
    kani::cover!(s.cpus[0].current == IDLE && s.cpus[1].current == IDLE, "both CPUs are idle");
    kani::cover!(s.cpus[0].current == 1 && s.cpus[1].current == 0, "both CPUs run a task");
    assert!(preemption_on_outside(&m, &s), "preemption-on-outside");
    assert!(task_on_one_cpu(&m, &s), "task-on-one-cpu");
    assert!(tss_of_this_cpu(&m, &s), "tss-of-this-cpu");
}

/// system-call-goes-on: it follows from the invariant.
#[kani::proof]
#[kani::unwind(4)] // 3 tasks and 3 objects
fn it_implies_that_calls_go_on() {
    let m = v2_scope();
    let s = any_good_state(&m);
    let at = s.current(0).map(|t| t.at);

    kani::cover!(at == Some(At::Allocate) && s.allocated == 0b11, "a call, and no memory");
    kani::cover!(at == Some(At::Duplicate), "a call that must duplicate");
    kani::cover!(at == Some(At::GiveBitmap), "a fork");
    assert!(system_call_goes_on(&m, &s), "system-call-goes-on");
}

// -- Twins.

/// Task 0 is about to free what it has let go of in an exit; task 1 waits in the kernel, without a bitmap.
fn exiting(at: At, bitmap: Pointer, old: Pointer, tif: bool) -> State {
    let mut s = v2_scope().initial_state();
    let one_port = Bitmap::DENY_ALL.with_permitted(Ports::one(0)).with_max(1);
    s.tasks[0] = Task {
        at,
        bitmap,
        old,
        flags: Flags::NONE.with(Flags::TIF, tif),
        work: Work::NONE.with_after(After::Exited),
        ..Task::UNBORN
    };
    s.tasks[1] = Task { at: At::Kernel, ..Task::UNBORN };
    s.objects[0] = Object { bitmap: one_port, sequence: 1, references: 1 };
    s.allocated = 1;
    s.counter = 1;
    s.cpus[0] = Cpu { base: Base::TSS, copy: one_port, last_sequence: 1, ..s.cpus[0] };
    s
}

/// base-invalid-without-flag, inductive-invariant: the form that was merged clears the flag before preemption goes off. A
/// switch in between leaves the base VALID under a task without a bitmap.
#[kani::proof]
#[kani::unwind(4)] // 3 tasks and 3 objects
fn mainline_is_found() {
    let m = machine(Config::MAINLINE);
    let switch = Step { kind: Kind::SwitchTo, cpu: 0, choice: 1 };
    let mut before = exiting(At::ExitPreemptOff, Pointer::NULL, Pointer::to(0), false);
    let after = m.step(&before, switch);
    assert!(m.invariant(&before), "the state before is in the invariant");
    assert!(after.is_some_and(|after| !base_invalid_without_flag(&m, &after)), "base-invalid-without-flag");

    before.cpus[0].base = Base::INVALID.with(Base::TSS, any_below(2) == 1);
    before.tasks[1].flags = Flags::NONE.with(Flags::UNPRIVILEGED, any_below(2) == 1);
    let after = m.step(&before, switch);
    kani::cover!(after.is_some_and(|after| !m.invariant(&after)), "a switch over a VALID base leaves the invariant");
    kani::cover!(after.is_some_and(|after| m.invariant(&after)), "a switch elsewhere is harmless");
}

/// sequence-names-content, inductive-invariant: where I7 keeps the old number, the CPU that remembers it takes the old
/// content for the new one.
#[kani::proof]
#[kani::unwind(4)] // 3 tasks and 3 objects
fn number_not_renewed_is_found() {
    let m = machine(Config { change: Change::NumberNotRenewed, ..Config::V2_SCOPE });
    let mut before = exiting(At::TakeNumber, Pointer::to(0), Pointer::NULL, true);
    before.tasks[0] = Task { local: Pointer::to(0), work: Work::NONE, granted: Ports::one(1), ..before.tasks[0] };
    before.objects[0].bitmap = Bitmap::DENY_ALL.with_permitted(Ports::one(1)).with_max(2);
    let number = Step { kind: Kind::I7TakeNumber, cpu: 0, choice: 0 };
    let after = m.step(&before, number);
    let any = any_good_state(&m);
    let any_after = m.step(&any, number);

    kani::cover!(any_after.is_some_and(|after| !sequence_names_content(&m, &after)), "any other content");
    kani::cover!(any_after.is_some_and(|after| m.invariant(&after)), "and nobody who remembers the number");
    assert!(m.invariant(&before), "the state before is in the invariant");
    assert!(after.is_some_and(|after| !sequence_names_content(&m, &after)), "sequence-names-content");
}

/// clean-tail, inductive-invariant: where U2 copies only as many bytes as the object has, U3 records a length behind
/// which a permission of another task is left.
#[kani::proof]
#[kani::unwind(4)] // 3 tasks and 3 objects
fn copy_forgets_prev_max_is_found() {
    let m = machine(Config { change: Change::CopyForgetsPrevMax, ..Config::V2_SCOPE });
    let two_bytes = Bitmap::DENY_ALL.with_permitted(Ports::one(1)).with_max(2);
    let mut before = exiting(At::ToUser, Pointer::to(0), Pointer::NULL, true);
    before.tasks[0] = Task { work: Work::NONE, granted: Ports::one(0), ..before.tasks[0] };
    before.objects[0].sequence = 2;
    before.counter = 2;
    before.cpus[0] = Cpu { phase: Phase::Copy, copy: two_bytes, ..before.cpus[0] };
    let copy = Step { kind: Kind::U2Copy, cpu: 0, choice: 0 };
    let record = Step { kind: Kind::U3Record, cpu: 0, choice: 0 };
    let after = m.step(&before, copy).and_then(|copied| m.step(&copied, record));
    let any = any_good_state(&m);
    let any_after = m.step(&any, copy);

    kani::cover!(any_after.is_some_and(|after| !m.invariant(&after)), "permissions are left behind");
    kani::cover!(any_after.is_some_and(|after| m.invariant(&after)), "and where there were none");
    assert!(m.invariant(&before), "the state before is in the invariant");
    assert!(after.is_some_and(|after| !clean_tail(&m, &after)), "clean-tail");
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
    Source { machine: m, any: |_, choose| state(choose), mix, plain: |s| *s }
}

/// A sample, or something near one, or anything.
#[cfg(not(kani))]
fn sampled() -> State {
    static SAMPLES: std::sync::OnceLock<Samples<State>> = std::sync::OnceLock::new();
    let samples = SAMPLES.get_or_init(|| Samples::grow(&source(&v2_scope()), 40_000));
    near(samples, mix, || state(&mut any_below))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every version that the invariant is about, from states that are reached and states that are made.
    #[test]
    fn every_step_keeps_the_invariant() {
        crate::samples::every_version_keeps_the_invariant("mainline-v2-scope", 5, machine, source);
    }
}
