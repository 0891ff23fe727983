//! What is true in every state of the forms since 5.5 that hold, however many calls there are: an inductive invariant.
//!
//! It covers every variant that updates the TSS on the way to user mode, compares the number alone, takes numbers from
//! the atomic counter, has none of the single lines of [`Change`], and clears the flag where nobody can switch the task
//! out (V2's section, or no kernel preemption). It is true at the start, every step keeps it, and every claim of the
//! mechanism follows from it. At `calls=0` that is so for any number of calls.
//!
//! In one sentence: an object is written only by its one holder, a new content gets a new number before anybody else
//! can see it, and a task without the flag has no VALID base under it.

use crate::machine::Invariant;

use super::{
    After, At, Base, Bitmap, Change, Cleanup, Compare, Counter, Cpu, Flags, Form, IoBitmap, Length, Object, Phase,
    Pointer, Ports, Scope, State, Task, Work, IDLE, MAX_CPUS, MAX_SLOTS, MAX_TASKS,
};

/// The invariant, for the engines.
pub(super) const INVARIANT: Invariant<IoBitmap> = Invariant::new(IoBitmap::has_invariant, IoBitmap::invariant);

impl IoBitmap {
    /// Whether this version is one of those that the invariant is about.
    #[must_use]
    pub fn has_invariant(&self) -> bool {
        let c = &self.config;
        c.form == Form::AtExit
            && c.compare == Compare::Sequence
            && c.counter == Counter::Global
            && c.length == Length::AsSwitch
            && (c.scope == Scope::Whole || !c.kernel_preemption)
            && c.cleanup != Cleanup::Parent
            && c.change == Change::None
    }

    /// The invariant; see the module. It can be asked of any version, and of any state with fields in their ranges.
    #[must_use]
    pub fn invariant(&self, s: &State) -> bool {
        let mut good = self.numbers_fit(s) && self.references_fit(s);
        for cpu in 0..MAX_CPUS {
            good = good && self.cpu_fits(s, cpu) && names_content(s, &s.cpus[cpu]);
        }
        for task in 0..MAX_TASKS {
            good = good && self.scheduling_fits(s, task) && self.task_fits(s, task);
        }
        for slot in 0..MAX_SLOTS {
            good = good && self.object_fits(s, slot);
        }
        good
    }

    /// No number is above the counter, and calls under way will not take it above its bound.
    fn numbers_fit(&self, s: &State) -> bool {
        let mut in_play: u16 = 1;
        let mut good = s.counter <= 15;
        for o in &s.objects {
            good = good && o.sequence <= s.counter;
            in_play |= 1 << (o.sequence & 15);
        }
        for c in &s.cpus {
            good = good && c.last_sequence <= s.counter;
            in_play |= 1 << (c.last_sequence & 15);
        }
        let mut under_way = 0;
        for t in &s.tasks {
            under_way += u8::from(super::step::in_ioperm(t));
        }
        good && match self.calls {
            // Ranks have no gaps (A6).
            0 => s.counter == in_play.count_ones() as u8 - 1,
            calls => s.counter + under_way <= calls,
        }
    }

    /// Every count is the number of holders. An object without one is free, or in the hands of the task that frees it.
    fn references_fit(&self, s: &State) -> bool {
        let mut holders = [0_u8; MAX_SLOTS];
        let mut freed_by = [0_u8; MAX_SLOTS];
        let mut good = true;
        for t in &s.tasks {
            good = good && [t.bitmap, t.local, t.old].iter().all(|p| (p.0 as usize) <= self.slots);
            if !good {
                return false;
            }
            if let Some(slot) = t.bitmap.slot() {
                holders[slot] += 1;
            }
            if let Some(slot) = t.local.slot().filter(|_| t.local != t.bitmap) {
                holders[slot] += 1;
            }
            match t.old.slot() {
                Some(slot) if t.at == At::Free => freed_by[slot] += 1,
                // After a failed fork: the child's reference.
                Some(slot) => holders[slot] += 1,
                None => {}
            }
        }
        for slot in 0..MAX_SLOTS {
            let held = holders[slot] > 0 && freed_by[slot] == 0;
            let freed = holders[slot] == 0 && freed_by[slot] == 1;
            let free = holders[slot] == 0 && freed_by[slot] == 0;
            good = good && s.objects[slot].references == holders[slot];
            good = good && if s.is_allocated(slot) { held || freed } else { free && s.objects[slot] == Object::BLANK };
        }
        good && s.allocated >> self.slots == 0
    }

    /// Content and length of an object, and its number.
    fn object_fits(&self, s: &State, slot: usize) -> bool {
        let object = &s.objects[slot];
        let in_range = object.bitmap.permitted().0 >> self.ports == 0 && object.bitmap.max() <= self.ports;
        let mut alike = true;
        let settled = is_settled(s, slot);
        for other in 0..slot {
            let same = s.objects[other].sequence == object.sequence;
            let both = settled && is_settled(s, other) && s.is_allocated(slot) && s.is_allocated(other);
            alike = alike && !(both && same && s.objects[other].bitmap != object.bitmap);
        }
        let exact = object.bitmap.max() == object.bitmap.permitted().bytes();
        let named = object.sequence != 0 || object.bitmap == Bitmap::DENY_ALL;
        in_range && alike && (!settled || exact && named)
    }

    /// A CPU: what it does, and whether the base under its task may be VALID.
    fn cpu_fits(&self, s: &State, cpu: usize) -> bool {
        let c = &s.cpus[cpu];
        let base = if self.config.hypervisor { Base::TSS.with(Base::HYPERVISOR, true) } else { Base::TSS };
        let recording = c.phase == Phase::Record;
        let tail = c.copy.permitted().minus(Ports::in_first(c.copy.max() & 3));
        let copy = c.copy.max() <= self.ports
            && c.copy.permitted().0 >> self.ports == 0
            && (recording || tail == Ports::NONE)
            && (recording || c.last_sequence != 0 || c.copy == Bitmap::DENY_ALL);
        let known = c.last_bitmap == Pointer::NULL && (c.base == Base::INVALID || c.base == base);
        let runs = match s.current(cpu) {
            None => c.current == IDLE && c.phase == Phase::Idle && c.base == Base::INVALID && !c.preempt_off,
            Some(t) => {
                let may_be_valid = t.tif() || self.is_before_invalid(t);
                c.preempt_off == self.is_preempt_off(t)
                    && (c.base == Base::INVALID || may_be_valid)
                    && self.update_fits(s, c, t)
            }
        };
        copy && known && runs && (cpu < self.cpus || *c == Cpu { current: IDLE, ..blank_cpu() })
    }

    /// How far the update of the TSS is, and what a task in user mode finds there.
    fn update_fits(&self, s: &State, c: &Cpu, t: &Task) -> bool {
        let updates = t.at == At::ToUser || t.at == At::BaseInvalid && t.tif();
        let Some(slot) = t.bitmap.slot().filter(|slot| *slot < MAX_SLOTS) else {
            return c.phase == Phase::Idle && !updates;
        };
        let object = &s.objects[slot];
        match c.phase {
            Phase::Idle => {
                let in_user = t.at == At::User;
                // A task is born in user mode without a bitmap, and comes back to it with one only through U4.
                t.at != At::ToUser && !(in_user && (c.base == Base::INVALID || c.last_sequence != object.sequence))
            }
            Phase::Compare => updates,
            Phase::Copy => updates && c.last_sequence != object.sequence,
            Phase::Record => updates && c.copy.permitted() == object.bitmap.permitted(),
            Phase::Valid => updates && c.last_sequence == object.sequence,
            Phase::Oops => false,
        }
    }

    /// Where a task may run, and where it must.
    fn scheduling_fits(&self, s: &State, task: usize) -> bool {
        let t = &s.tasks[task];
        let mut on = 0;
        for c in &s.cpus {
            on += u8::from(c.current == task as u8);
        }
        match t.at {
            At::Unborn | At::Forked => on == 0,
            At::Kernel | At::Allocate | At::Duplicate | At::GiveBitmap => on <= 1,
            At::User | At::ToUser | At::Dead => on == 1,
            _ => on == 1 || on == 0 && self.config.kernel_preemption && !self.is_preempt_off(t),
        }
    }

    /// Where preemption is off.
    fn is_preempt_off(&self, t: &Task) -> bool {
        let whole = self.config.scope == Scope::Whole;
        match t.at {
            At::BaseInvalid | At::ExitPreemptOn => true,
            At::ClearPointer | At::ClearFlag => whole,
            _ => false,
        }
    }

    /// Between X2 and X3, where the base of a task without the flag may still be VALID.
    fn is_before_invalid(&self, t: &Task) -> bool {
        t.at == At::BaseInvalid || t.at == At::ExitPreemptOff && self.config.scope == Scope::TssOnly
    }

    /// A task's place, its pointers and locals, and what it was granted.
    fn task_fits(&self, s: &State, task: usize) -> bool {
        let t = &s.tasks[task];
        if task >= self.tasks {
            return *t == Task::UNBORN;
        }
        let has_bitmap = t.bitmap != Pointer::NULL;
        let child = s.tasks.get(t.work.value() as usize).filter(|_| (t.work.value() as usize) < self.tasks);
        let local_grants = t.granted == permitted(s, t.local);
        // Once the bit is changed the object will permit what the task was promised.
        let local_will_grant = t.work.value() < self.ports && t.granted == changed(permitted(s, t.local), t.work);
        let is_call = t.work == Work::call(t.work.value(), t.work.turn_on())
            && t.work.value() < self.ports
            && (t.capable() || !t.work.turn_on());
        let edits = t.local != Pointer::NULL && t.bitmap == t.local && t.tif() && t.old == Pointer::NULL;
        match t.at {
            At::Unborn => *t == Task::UNBORN,
            At::Forked => {
                let parents = s.tasks.iter().filter(|p| is_forking(p) && p.work.value() == task as u8).count();
                parents == 1 && t.local == Pointer::NULL && t.old == Pointer::NULL && t.work == Work::NONE
            }
            At::User | At::ToUser => {
                rests(s, t)
                    && t.local == Pointer::NULL
                    && t.work == Work::NONE
                    && !t.kthread()
                    && (t.at == At::User || t.tif())
            }
            At::Kernel => rests(s, t) && t.local == Pointer::NULL && t.work == Work::NONE,
            At::Dead => *t == Task { at: At::Dead, flags: t.flags.with(Flags::TIF, false), ..Task::UNBORN },
            At::Allocate => rests(s, t) && t.local == Pointer::NULL && is_call && !t.kthread(),
            At::ReadCount => {
                let fresh = t.work.turn_on() && is_new(s, t.local);
                rests(s, t) && is_call && !t.kthread() && if has_bitmap { t.local == t.bitmap } else { fresh }
            }
            At::Duplicate => rests(s, t) && has_bitmap && t.local == t.bitmap && is_call && !t.kthread(),
            At::StorePointer => {
                let place = if has_bitmap { t.bitmap == t.local } else { t.local != Pointer::NULL };
                place
                    && t.old == Pointer::NULL
                    && t.tif() == has_bitmap
                    && is_call
                    && !t.kthread()
                    && is_unshared(s, t.local)
                    && is_numbered_or_granting(s, t)
                    && local_will_grant
            }
            At::SetFlag => {
                t.local != Pointer::NULL
                    && t.bitmap == t.local
                    && t.old == Pointer::NULL
                    && is_call
                    && !t.kthread()
                    && is_unshared(s, t.local)
                    && is_numbered_or_granting(s, t)
                    && local_will_grant
            }
            At::ChangeBit => {
                edits
                    && is_call
                    && !t.kthread()
                    && is_unshared(s, t.local)
                    && is_numbered_or_granting(s, t)
                    && local_will_grant
            }
            At::FindMax => edits && t.work == Work::NONE && !t.kthread() && is_unshared(s, t.local) && local_grants,
            At::StoreMax => {
                let bytes = permitted(s, t.local).bytes();
                edits
                    && bytes > 0
                    && t.work == Work::NONE.with_value(bytes)
                    && !t.kthread()
                    && is_unshared(s, t.local)
                    && local_grants
            }
            At::TakeNumber => {
                edits
                    && t.work == Work::NONE
                    && !t.kthread()
                    && is_unshared(s, t.local)
                    && local_grants
                    && t.granted != Ports::NONE
                    && length(s, t.local) == permitted(s, t.local).bytes()
            }
            At::ExitPreemptOff
            | At::ClearPointer
            | At::ClearFlag
            | At::BaseInvalid
            | At::ExitPreemptOn
            | At::DropReference
            | At::Free => !t.kthread() && self.lets_go(s, t),
            At::GiveBitmap => {
                let Some(child) = child.filter(|c| c.at == At::Forked) else { return false };
                rests(s, t)
                    && t.local == Pointer::NULL
                    && t.work == Work::fork(t.work.value() as usize)
                    && child_fits(t, child)
                    && child.bitmap == Pointer::NULL
                    && !child.tif()
                    && child.granted == if child.kthread() { Ports::NONE } else { t.granted }
            }
            At::FinishFork => {
                let Some(child) = child.filter(|c| c.at == At::Forked) else { return false };
                let inherits = !child.kthread();
                rests(s, t)
                    && t.local == Pointer::NULL
                    && t.work == Work::fork(t.work.value() as usize)
                    && child_fits(t, child)
                    && child.bitmap == if inherits { t.bitmap } else { Pointer::NULL }
                    && child.tif() == (inherits && t.tif())
                    && child.granted == if inherits { t.granted } else { Ports::NONE }
            }
            At::PreemptOff | At::StoreNumber | At::CopyToTss | At::Record | At::BaseValid | At::PreemptOn => false,
        }
    }

    /// A task that lets go of an object, or of what a failed fork had given to the child.
    fn lets_go(&self, s: &State, t: &Task) -> bool {
        let after = t.work.after();
        let (has_bitmap, has_old) = (t.bitmap != Pointer::NULL, t.old != Pointer::NULL);
        if after == After::ForkFailed {
            return self.cleans_up_fork(s, t);
        }
        let stage = match (t.at, self.config.scope) {
            (At::ExitPreemptOff, Scope::Whole) | (At::ClearPointer, _) => has_bitmap && t.tif() && !has_old,
            (At::ClearFlag, _) => !has_bitmap && t.tif() && has_old,
            _ => !has_bitmap && !t.tif() && has_old,
        };
        let original = if has_bitmap { t.bitmap } else { t.old };
        stage
            && match after {
                After::Duplicated => {
                    let call = Work::call(t.work.value(), t.work.turn_on());
                    t.work == call.with_after(after)
                        && t.work.value() < self.ports
                        && (t.capable() || !t.work.turn_on())
                        && t.local != Pointer::NULL
                        && t.local != original
                        && is_unshared(s, t.local)
                        && is_numbered_or_granting(s, t)
                        && number(s, t.local) != 0
                        && t.granted == changed(permitted(s, t.local), t.work)
                }
                After::Returned => {
                    // Nobody else holds it until it is dropped.
                    let mine = if t.at == At::Free { true } else { is_unshared(s, original) };
                    t.work == Work::NONE.with_after(after)
                        && t.local == Pointer::NULL
                        && t.granted == Ports::NONE
                        && mine
                        && permitted(s, original) == Ports::NONE
                }
                After::Exited => {
                    t.work == Work::NONE.with_after(after) && t.local == Pointer::NULL && t.granted == Ports::NONE
                }
                _ => false,
            }
    }

    /// `fork()` has failed after the child got a share of the object: the parent, which keeps its own, drops it.
    fn cleans_up_fork(&self, s: &State, t: &Task) -> bool {
        let child = t.work.value() as usize;
        let updates = self.config.cleanup == Cleanup::ChildThenTss;
        let place = match t.at {
            At::DropReference => true,
            At::ExitPreemptOff | At::BaseInvalid | At::ExitPreemptOn => updates,
            _ => false,
        };
        let without_old = Task { old: Pointer::NULL, ..*t };
        place
            && t.tif()
            && t.old == t.bitmap
            && t.local == Pointer::NULL
            && t.work == Work::fork(child).with_after(After::ForkFailed)
            && rests(s, &without_old)
            && child < self.tasks
            && s.tasks[child].at == At::Forked
            && s.tasks[child].bitmap == Pointer::NULL
            && !s.tasks[child].tif()
    }
}

fn blank_cpu() -> Cpu {
    Cpu {
        current: IDLE,
        phase: Phase::Idle,
        preempt_off: false,
        base: Base::INVALID,
        copy: Bitmap::DENY_ALL,
        last_bitmap: Pointer::NULL,
        last_sequence: 0,
    }
}

/// What a CPU remembers under the number of a settled object is that object's content.
fn names_content(s: &State, c: &Cpu) -> bool {
    let mut good = true;
    for slot in 0..MAX_SLOTS {
        let object = &s.objects[slot];
        let named = s.is_allocated(slot) && is_settled(s, slot) && c.last_sequence == object.sequence;
        good = good && (c.phase == Phase::Record || !named || c.copy == object.bitmap);
    }
    good
}

/// Whether content, length and number of an object belong together: nobody is between I4 and I7 with it, or gives it
/// up after I5.
fn is_settled(s: &State, slot: usize) -> bool {
    let pointer = Pointer::to(slot);
    let mut settled = true;
    for t in &s.tasks {
        let edits = matches!(t.at, At::FindMax | At::StoreMax | At::TakeNumber) && t.local == pointer;
        let gives_up = t.work.after() == After::Returned && (t.bitmap == pointer || t.old == pointer);
        settled = settled && !edits && !gives_up;
    }
    settled
}

/// A task whose object, if it has one, is settled and permits what it was granted, which is not nothing.
fn rests(s: &State, t: &Task) -> bool {
    let has_bitmap = t.bitmap != Pointer::NULL;
    t.old == Pointer::NULL
        && t.tif() == has_bitmap
        && t.granted == permitted(s, t.bitmap)
        && (!has_bitmap || t.granted != Ports::NONE && number(s, t.bitmap) != 0)
        && !(t.kthread() && has_bitmap)
}

fn is_forking(t: &Task) -> bool {
    matches!(t.at, At::GiveBitmap | At::FinishFork) || t.work.after() == After::ForkFailed
}

/// A child has no more privileges than its parent.
fn child_fits(parent: &Task, child: &Task) -> bool {
    child.kthread() || (!parent.kthread() && (parent.capable() || !child.capable()))
}

/// An object with a number has permissions; one without is new, and a permission is about to come.
fn is_numbered_or_granting(s: &State, t: &Task) -> bool {
    if number(s, t.local) == 0 {
        t.work.turn_on()
    } else {
        permitted(s, t.local) != Ports::NONE
    }
}

fn is_new(s: &State, pointer: Pointer) -> bool {
    pointer.slot().is_some_and(|slot| s.objects[slot] == Object::NEW)
}

fn is_unshared(s: &State, pointer: Pointer) -> bool {
    pointer.slot().is_some_and(|slot| s.objects[slot].references == 1)
}

fn number(s: &State, pointer: Pointer) -> u8 {
    pointer.slot().map_or(0, |slot| s.objects[slot].sequence)
}

fn permitted(s: &State, pointer: Pointer) -> Ports {
    pointer.slot().map_or(Ports::NONE, |slot| s.objects[slot].bitmap.permitted())
}

fn length(s: &State, pointer: Pointer) -> u8 {
    pointer.slot().map_or(0, |slot| s.objects[slot].bitmap.max())
}

/// What I4 will make of a set of ports.
fn changed(ports: Ports, call: Work) -> Ports {
    let port = Ports::one(call.value());
    if call.turn_on() {
        ports.or(port)
    } else {
        ports.minus(port)
    }
}
