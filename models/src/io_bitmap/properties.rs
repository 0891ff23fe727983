//! What must never happen, and what must be possible.

use super::{
    After, At, Base, Bitmap, Compare, Cpu, Form, IoBitmap, Phase, Pointer, Ports, State, Step, Task, MAX_CPUS,
    MAX_SLOTS,
};
use crate::machine::{Machine as _, Property};

pub(super) const PROPERTIES: &[Property<IoBitmap>] = &[
    Property::always(
        "no-excess-permission",
        "a task in user mode can touch a port that nobody granted it, such as the disk controller of another driver",
        no_excess_permission,
    ),
    Property::always(
        "no-missing-permission",
        "a driver in user mode is killed by SIGSEGV at a port that it was granted",
        no_missing_permission,
    ),
    Property::always(
        "no-use-after-free",
        "the kernel follows a null pointer, or takes freed memory for a bitmap of permissions",
        no_use_after_free,
    ),
    Property::always(
        "references-match",
        "a bitmap is freed while a task still uses it, or is never freed",
        references_match,
    ),
    Property::always(
        "sequence-names-content",
        "a CPU takes its copy for that of a task's bitmap, and the two differ",
        sequence_names_content,
    ),
    Property::always(
        "equal-numbers-equal-content",
        "two bitmaps that permit different ports carry the same number, so one passes for the other",
        equal_numbers_equal_content,
    ),
    Property::always(
        "clean-tail",
        "a permission is left in the TSS beyond the bytes that the next copy will cover",
        clean_tail,
    ),
    Property::always(
        "max-is-exact",
        "a copy of a bitmap stops before its last permission, or copies bytes that deny everything",
        max_is_exact,
    ),
    Property::always(
        "no-needless-copy",
        "a CPU copies a bitmap of up to 8 KB that it already has, which the number was to save",
        no_needless_copy,
    ),
    Property::always(
        "fork-hands-on-permissions",
        "a child starts with other permissions or more privileges than its parent",
        fork_hands_on_permissions,
    ),
    Property::always(
        "system-call-goes-on",
        "a system call neither returns nor fails, but waits for ever",
        system_call_goes_on,
    ),
    Property::always(
        "flag-means-bitmap",
        "a task is marked as a user of a bitmap that it does not have, or has one and is not marked",
        flag_means_bitmap,
    ),
    Property::always(
        "no-bitmap-without-permission",
        "a task that may touch no port still pays for a bitmap on its way to user mode",
        no_bitmap_without_permission,
    ),
    Property::always(
        "base-invalid-without-flag",
        "the bitmap of a former task stays in force on a CPU that runs a task without one",
        base_invalid_without_flag,
    ),
    Property::always(
        "preemption-on-outside",
        "a system call returns with preemption off, and the CPU is never given to another task again",
        preemption_on_outside,
    ),
    Property::always(
        "task-on-one-cpu",
        "a task runs on two CPUs at once, a dead or unfinished one runs, or one is in user mode without a CPU",
        task_on_one_cpu,
    ),
    Property::always(
        "tss-of-this-cpu",
        "ioperm() writes into the TSS of a CPU that it does not run on",
        tss_of_this_cpu,
    ),
    Property::sometimes(
        "copy-skipped",
        "a CPU sees that its copy is up to date, and the bitmap permits something",
        |m: &IoBitmap, s: &State| {
            comparing(s, |c, t| copy_matches(m, s, c, t) && permitted(s, t.bitmap) != Ports::NONE)
        },
    ),
    Property::sometimes(
        "grants-follow-each-other",
        "a CPU that still holds the permissions of one task is about to load other ones for another task",
        |_: &IoBitmap, s: &State| comparing(s, |c, t| loaded_for_another(s, c, t)),
    ),
    Property::sometimes(
        "copy-cleans-up",
        "a copy must cover more bytes than the bitmap has permissions, to take those of the former task back",
        copy_cleans_up,
    ),
    Property::sometimes(
        "address-used-again",
        "a new bitmap lies where a freed one lay, which a CPU still remembers",
        address_used_again,
    ),
    Property::sometimes(
        "inherited-and-both-run",
        "a task in user mode has the permissions that it inherited, or handed on, from the copy made for the other one",
        inherited_and_both_run,
    ),
    Property::sometimes(
        "all-permissions-dropped",
        "a task in user mode has dropped its last permission, and its former bitmap still lies in the TSS",
        |_: &IoBitmap, s: &State| {
            (0..MAX_CPUS).any(|cpu| {
                let in_user = s.current(cpu).is_some_and(|t| t.at == At::User && t.granted == Ports::NONE);
                in_user && s.cpus[cpu].copy.permitted() != Ports::NONE
            })
        },
    ),
    Property::sometimes(
        "switched-out-in-ioperm",
        "a task waits for a CPU in the middle of a call of ioperm()",
        |_: &IoBitmap, s: &State| {
            (0..).zip(&s.tasks).any(|(i, t)| t.local != Pointer::NULL && s.cpus.iter().all(|c| c.current != i))
        },
    ),
    Property::sometimes(
        "both-duplicate-at-once",
        "two tasks that share one bitmap have both copied it to write to it, and neither has let go of it yet",
        both_duplicate_at_once,
    ),
];

/// The ports that user code on this CPU can touch: a 0 bit in the copy, if the base points to it. Neither `prev_max`
/// nor a pointer nor a number counts.
fn touchable(m: &IoBitmap, c: &Cpu) -> Ports {
    let base = if m.config.hypervisor { Base::HYPERVISOR } else { Base::TSS };
    if c.base.has(base) {
        c.copy.permitted()
    } else {
        Ports::NONE
    }
}

/// Whether `holds` for each CPU in user mode, and the task there.
fn in_user_mode(s: &State, holds: impl Fn(&Cpu, &Task) -> bool) -> bool {
    (0..MAX_CPUS).all(|cpu| s.current(cpu).is_none_or(|t| t.at != At::User || holds(&s.cpus[cpu], t)))
}

/// User code can touch no port that was not granted.
pub fn no_excess_permission(m: &IoBitmap, s: &State) -> bool {
    in_user_mode(s, |c, t| touchable(m, c).minus(t.granted) == Ports::NONE)
}

/// User code can touch every port that was granted.
pub fn no_missing_permission(m: &IoBitmap, s: &State) -> bool {
    in_user_mode(s, |c, t| t.granted.minus(touchable(m, c)) == Ports::NONE)
}

/// The machine has not stopped.
pub fn no_use_after_free(_: &IoBitmap, s: &State) -> bool {
    !s.crashed()
}

/// Recounts who holds what: the pointers of tasks, `iobm` before it is stored, and `iobm` of somebody who lets go.
pub fn references_match(m: &IoBitmap, s: &State) -> bool {
    let mut holders = [0_u8; MAX_SLOTS];
    let mut last_holder_frees = [false; MAX_SLOTS];
    for t in &s.tasks {
        let mut hold = |pointer: Pointer| {
            if let Some(slot) = pointer.slot() {
                holders[slot] += 1;
            }
        };
        hold(t.bitmap);
        if t.local != t.bitmap && t.work.after() != After::DuplicateNext && t.at != At::Duplicate {
            hold(t.local);
        }
        if let Some(slot) = t.old.slot() {
            if t.at == At::Free && m.config.form == Form::AtExit {
                last_holder_frees[slot] = true;
            } else {
                holders[slot] += 1;
            }
        }
    }
    (0..MAX_SLOTS).all(|slot| {
        let counted = s.objects[slot].references == holders[slot];
        let held = holders[slot] > 0 || last_holder_frees[slot];
        counted && held == s.is_allocated(slot)
    })
}

/// Whether an object is not just being edited: no task is between I4 and I7, or about to give it up after I5.
fn settled(s: &State, pointer: Pointer) -> bool {
    let edits = |t: &Task| {
        let before_number = matches!(t.at, At::FindMax | At::StoreMax | At::TakeNumber | At::StoreNumber);
        let gives_up = t.work.after() == After::Returned;
        before_number && t.local == pointer || gives_up && (t.bitmap == pointer || t.old == pointer)
    };
    pointer != Pointer::NULL && !s.tasks.iter().any(edits)
}

/// A CPU whose number matches that of a settled object holds the content of that object.
pub fn sequence_names_content(m: &IoBitmap, s: &State) -> bool {
    s.cpus.iter().all(|c| {
        // Between U2 and U3 the copy is already new, and what it is remembered as still old.
        c.phase == Phase::Record
            || in_record(s, c)
            || s.tasks
                .iter()
                .all(|t| !settled(s, t.bitmap) || !copy_matches(m, s, c, t) || bitmap_of(s, t) == Some(c.copy))
    })
}

/// Settled objects with one number have one content.
pub fn equal_numbers_equal_content(m: &IoBitmap, s: &State) -> bool {
    let numbered = |slot: usize| {
        let pointer = Pointer::to(slot);
        settled(s, pointer) && s.objects[slot].sequence != 0 && s.tasks.iter().any(|t| t.bitmap == pointer)
    };
    // With the pointer compared as well a number need not say everything.
    let says_all = m.config.compare == Compare::Sequence;
    (0..MAX_SLOTS).all(|a| {
        (0..a).all(|b| {
            let same_number = numbered(a) && numbered(b) && s.objects[a].sequence == s.objects[b].sequence;
            !(says_all && same_number) || s.objects[a].bitmap == s.objects[b].bitmap
        })
    })
}

/// The copy in a TSS has no permission behind `prev_max`.
pub fn clean_tail(_: &IoBitmap, s: &State) -> bool {
    s.cpus.iter().all(|c| {
        let between_copy_and_record = c.phase == Phase::Record || in_record(s, c);
        between_copy_and_record || c.copy.permitted().minus(Ports::in_first(c.copy.max())) == Ports::NONE
    })
}

/// A settled object ends right behind its last permission.
pub fn max_is_exact(m: &IoBitmap, s: &State) -> bool {
    s.tasks.iter().all(|t| {
        let Some(slot) = t.bitmap.slot().filter(|_| settled(s, t.bitmap)) else { return true };
        let b = s.objects[slot].bitmap;
        let least = if m.config.form == Form::AtSwitch { 1 } else { 0 };
        b.max() == b.permitted().bytes().max(least)
    })
}

/// A CPU before U2 does not have the content yet.
pub fn no_needless_copy(m: &IoBitmap, s: &State) -> bool {
    (0..MAX_CPUS).all(|cpu| {
        let c = &s.cpus[cpu];
        c.phase != Phase::Copy || s.current(cpu).is_none_or(|t| !copy_matches(m, s, c, t))
    })
}

/// Looks at each fork under way after F2: a child may have less than its parent only if it is a kernel thread.
pub fn fork_hands_on_permissions(_: &IoBitmap, s: &State) -> bool {
    s.tasks.iter().filter(|t| t.at == At::FinishFork).all(|parent| {
        let child = &s.tasks[parent.work.value() as usize];
        let privileges =
            (parent.capable() || !child.capable() || child.kthread()) && (child.kthread() || !parent.kthread());
        let same = permitted(s, child.bitmap) == permitted(s, parent.bitmap) && child.tif() == parent.tif();
        let nothing = child.bitmap == Pointer::NULL && !child.tif();
        privileges && if child.kthread() { nothing } else { same }
    })
}

/// A task that may be switched out could hide behind the others for ever without being a deadlock.
pub fn system_call_goes_on(m: &IoBitmap, s: &State) -> bool {
    (0..MAX_CPUS).all(|cpu| {
        let Some(task) = s.current(cpu) else { return true };
        if !matches!(task.at, At::Allocate | At::Duplicate | At::GiveBitmap) || s.cpus[cpu].phase != Phase::Idle {
            return true;
        }
        let mut goes_on = false;
        m.propose_for_task(s, task, &mut |kind, choice| {
            goes_on = goes_on || m.step(s, Step { kind, cpu: cpu as u8, choice }).is_some();
        });
        goes_on
    })
}

/// Outside of system calls the flag says whether there is a bitmap.
pub fn flag_means_bitmap(_: &IoBitmap, s: &State) -> bool {
    let outside = |t: &Task| matches!(t.at, At::User | At::Kernel | At::ToUser | At::Dead);
    s.tasks.iter().all(|t| !outside(t) || t.tif() == (t.bitmap != Pointer::NULL))
}

/// Since 5.5 a task in user mode has no bitmap without permissions.
pub fn no_bitmap_without_permission(m: &IoBitmap, s: &State) -> bool {
    m.config.form == Form::AtSwitch
        || s.tasks.iter().all(|t| t.at != At::User || t.bitmap == Pointer::NULL || t.granted != Ports::NONE)
}

/// Under a task without the flag the base is INVALID.
pub fn base_invalid_without_flag(_: &IoBitmap, s: &State) -> bool {
    (0..MAX_CPUS).all(|cpu| {
        let without = match s.current(cpu) {
            None => true,
            Some(t) => matches!(t.at, At::User | At::Kernel | At::Dead) && !t.tif(),
        };
        !without || s.cpus[cpu].phase != Phase::Idle || s.cpus[cpu].base == Base::INVALID
    })
}

/// Outside of system calls preemption is on.
pub fn preemption_on_outside(_: &IoBitmap, s: &State) -> bool {
    (0..MAX_CPUS).all(|cpu| {
        let outside = s.current(cpu).is_none_or(|t| matches!(t.at, At::User | At::Kernel | At::ToUser | At::Dead));
        !outside || !s.cpus[cpu].preempt_off
    })
}

/// A task runs on one CPU at most; in user mode on one.
pub fn task_on_one_cpu(_: &IoBitmap, s: &State) -> bool {
    (0..).zip(&s.tasks).all(|(i, t)| {
        let on = s.cpus.iter().filter(|c| c.current == i).count();
        match t.at {
            At::Unborn | At::Forked => on == 0,
            At::User | At::Dead => on == 1 && (t.at == At::Dead || !t.kthread()),
            _ => on <= 1,
        }
    })
}

/// `ioperm()` writes only into the TSS of the CPU that it runs on.
pub fn tss_of_this_cpu(_: &IoBitmap, s: &State) -> bool {
    (0..)
        .zip(&s.tasks)
        .all(|(i, t)| !matches!(t.at, At::CopyToTss | At::Record | At::BaseValid) || s.cpus[t.work.tss()].current == i)
}

/// Whether the TSS of this CPU is between I10 and U3, in the hands of some task.
fn in_record(s: &State, c: &Cpu) -> bool {
    s.tasks.iter().any(|t| t.at == At::Record && std::ptr::eq(&s.cpus[t.work.tss()], c))
}

fn permitted(s: &State, pointer: Pointer) -> Ports {
    pointer.slot().map_or(Ports::NONE, |slot| s.objects[slot].bitmap.permitted())
}

/// What U1 would say of this CPU and this task.
fn copy_matches(m: &IoBitmap, s: &State, c: &Cpu, t: &Task) -> bool {
    t.bitmap.slot().is_some_and(|slot| m.up_to_date(c, t.bitmap, &s.objects[slot]))
}

fn bitmap_of(s: &State, t: &Task) -> Option<Bitmap> {
    Some(s.objects[t.bitmap.slot()?].bitmap)
}

/// Whether a CPU stands before U1 and `is` what it finds there.
fn comparing(s: &State, is: impl Fn(&Cpu, &Task) -> bool) -> bool {
    (0..MAX_CPUS).any(|cpu| {
        let c = &s.cpus[cpu];
        c.phase == Phase::Compare && s.current(cpu).is_some_and(|t| is(c, t))
    })
}

fn loaded_for_another(s: &State, c: &Cpu, t: &Task) -> bool {
    let mine = permitted(s, t.bitmap);
    let held = c.copy.permitted();
    let of_another =
        s.tasks.iter().any(|o| o.at == At::Kernel && o.bitmap != t.bitmap && permitted(s, o.bitmap) == held);
    mine != Ports::NONE && held != Ports::NONE && mine != held && of_another
}

fn address_used_again(m: &IoBitmap, s: &State) -> bool {
    let new = |t: &Task| matches!(t.at, At::PreemptOff | At::ReadCount) && t.bitmap == Pointer::NULL;
    s.tasks.iter().filter(|t| new(t)).any(|t| {
        s.cpus.iter().any(|c| {
            let forgotten = !s.objects.iter().any(|o| o.sequence == c.last_sequence);
            match m.config.compare {
                // There is no record of the address; that the number is remembered and nobody has it must do.
                Compare::Sequence => c.last_sequence != 0 && forgotten,
                Compare::Both | Compare::Pointer => c.last_bitmap == t.local,
            }
        })
    })
}

fn both_duplicate_at_once(_: &IoBitmap, s: &State) -> bool {
    let duplicated = |t: &Task| t.work.after() == After::Duplicated;
    let original = |t: &Task| if t.old == Pointer::NULL { t.bitmap } else { t.old };
    s.tasks
        .iter()
        .enumerate()
        .any(|(i, t)| s.tasks[..i].iter().any(|o| duplicated(t) && duplicated(o) && original(t) == original(o)))
}

fn inherited_and_both_run(_: &IoBitmap, s: &State) -> bool {
    let numbered = |t: &Task| t.bitmap.slot().map_or(0, |slot| s.objects[slot].sequence);
    (0..MAX_CPUS).any(|cpu| {
        let Some(t) = s.current(cpu).filter(|t| t.at == At::User && numbered(t) != 0) else { return false };
        let others = (0..).zip(&s.tasks).filter(|(i, _)| *i != s.cpus[cpu].current);
        let mut running = others.filter(|(_, o)| matches!(o.at, At::User | At::Kernel));
        s.cpus[cpu].last_sequence == numbered(t) && running.any(|(_, o)| numbered(o) == numbered(t))
    })
}

fn copy_cleans_up(_: &IoBitmap, s: &State) -> bool {
    (0..MAX_CPUS).any(|cpu| {
        let c = &s.cpus[cpu];
        let Some(b) = s.current(cpu).and_then(|t| bitmap_of(s, t)) else { return false };
        c.phase == Phase::Copy && c.copy.permitted().minus(Ports::in_first(b.max())) != Ports::NONE
    })
}
