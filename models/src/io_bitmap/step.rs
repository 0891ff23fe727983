//! The transitions, and the proposals of steps.

use super::{
    After, At, Base, Bitmap, Change, Cleanup, Compare, Counter, Cpu, Flags, Form, IoBitmap, Kind, Length, Object,
    Order, Phase, Pointer, Ports, Scope, State, Step, Task, Work, DROPS, IDLE, MAX_CPUS, MAX_SLOTS, MAX_TASKS,
    SATURATED, WORKER,
};
use crate::machine::StepKind;

/// Every kind, in the order of [`KINDS`].
pub(super) const EVERY_KIND: [Kind; 32] = [
    Kind::Interrupt,
    Kind::SwitchTo,
    Kind::ReturnToUser,
    Kind::U1Compare,
    Kind::U2Copy,
    Kind::U3Record,
    Kind::U4BaseValid,
    Kind::I1CheckCapability,
    Kind::I2Allocate,
    Kind::AllocationFails,
    Kind::I3PreemptOff,
    Kind::I4ChangeBit,
    Kind::I5FindMax,
    Kind::I6StoreMax,
    Kind::I7TakeNumber,
    Kind::I8StorePointer,
    Kind::I9SetFlag,
    Kind::I10CopyToTss,
    Kind::I11BaseValid,
    Kind::I12PreemptOn,
    Kind::M1ReadCount,
    Kind::M2Duplicate,
    Kind::X0Exit,
    Kind::X1ClearPointer,
    Kind::X2ClearFlag,
    Kind::X3BaseInvalid,
    Kind::X4DropReference,
    Kind::X5Free,
    Kind::F1CopyTask,
    Kind::F2GiveBitmap,
    Kind::F3ChildRuns,
    Kind::F4Fails,
];

pub(super) const KINDS: &[StepKind] = &[
    StepKind::new("Interrupt", "A task in user mode is interrupted.", "interrupt entry"),
    StepKind::new("SwitchTo", "A CPU leaves one task for another.", "switch_to_bitmap()"),
    StepKind::new("ReturnToUser", "A task leaves the kernel for user mode.", "prepare_exit_to_usermode()"),
    StepKind::new("U1Compare", "The TSS is compared with the task's object.", "tss_update_io_bitmap()"),
    StepKind::new("U2Copy", "The object's bytes are copied into the TSS.", "tss_copy_io_bitmap()"),
    StepKind::new("U3Record", "The TSS records what was copied into it.", "tss_copy_io_bitmap()"),
    StepKind::new("U4BaseValid", "The base in the TSS becomes VALID.", "tss_update_io_bitmap()"),
    StepKind::new("I1CheckCapability", "A task calls ioperm(), which looks at its capability.", "ksys_ioperm()"),
    StepKind::new("I2Allocate", "ioperm() takes the task's object, or allocates one.", "ksys_ioperm()"),
    StepKind::new("AllocationFails", "There is no memory; the call returns an error.", "kmalloc()"),
    StepKind::new("I3PreemptOff", "Preemption goes off; ioperm() takes this CPU's TSS.", "preempt_disable()"),
    StepKind::new("I4ChangeBit", "The port's bit in the object changes.", "ksys_ioperm()"),
    StepKind::new("I5FindMax", "The last byte with a 0 bit is looked for.", "ksys_ioperm()"),
    StepKind::new("I6StoreMax", "The number of bytes is stored in the object.", "ksys_ioperm()"),
    StepKind::new("I7TakeNumber", "The object gets a sequence number.", "atomic64_add_return()"),
    StepKind::new("I8StorePointer", "The task's pointer names the object.", "ksys_ioperm()"),
    StepKind::new("I9SetFlag", "TIF_IO_BITMAP is set.", "set_thread_flag()"),
    StepKind::new("I10CopyToTss", "ioperm() copies bytes into the TSS that it took.", "ksys_ioperm()"),
    StepKind::new("I11BaseValid", "ioperm() makes the base in that TSS VALID.", "ksys_ioperm()"),
    StepKind::new("I12PreemptOn", "Preemption goes on.", "preempt_enable()"),
    StepKind::new("M1ReadCount", "ioperm() looks whether the object is shared.", "refcount_read()"),
    StepKind::new("M2Duplicate", "ioperm() copies a shared object before it writes.", "kmemdup()"),
    StepKind::new("X0Exit", "A task exits.", "exit_thread()"),
    StepKind::new("X1ClearPointer", "The task's pointer is cleared.", "io_bitmap_exit()"),
    StepKind::new("X2ClearFlag", "TIF_IO_BITMAP is cleared.", "task_update_io_bitmap()"),
    StepKind::new("X3BaseInvalid", "The base in the TSS becomes INVALID.", "tss_invalidate_io_bitmap()"),
    StepKind::new("X4DropReference", "The reference count goes down.", "refcount_dec_and_test()"),
    StepKind::new("X5Free", "The object is freed.", "kfree()"),
    StepKind::new("F1CopyTask", "fork() copies the task; the child cannot run yet.", "dup_task_struct()"),
    StepKind::new("F2GiveBitmap", "fork() gives the child a bitmap.", "io_bitmap_share()"),
    StepKind::new("F3ChildRuns", "fork() succeeds: the child may run.", "wake_up_new_task()"),
    StepKind::new("F4Fails", "A later part of fork() fails, and the child is taken apart.", "copy_process()"),
];

/// What the order of [`KINDS`] is worth: the discriminant of a kind is its index.
const _: () = {
    let mut i = 0;
    while i < EVERY_KIND.len() {
        assert!(EVERY_KIND[i] as usize == i);
        i += 1;
    }
};

/// The object behind a pointer. A null pointer or a freed object stops the machine (A3).
fn object(n: &mut State, cpu: usize, pointer: Pointer) -> Option<usize> {
    match pointer.slot() {
        Some(slot) if n.is_allocated(slot) => Some(slot),
        _ => {
            n.cpus[cpu].phase = Phase::Oops;
            None
        }
    }
}

/// The ghost of a call of `ioperm()` that can no longer fail: what ioperm(2) promises to the caller.
fn granted_after(task: &Task) -> Ports {
    let port = Ports::one(task.work.value());
    match (task.work.turn_on(), task.capable()) {
        (true, true) => task.granted.or(port),
        (true, false) => task.granted,
        (false, _) => task.granted.minus(port),
    }
}

impl IoBitmap {
    /// Where a run begins: one task in user mode, on CPU 0.
    #[must_use]
    pub fn initial_state(&self) -> State {
        let idle = Cpu {
            current: IDLE,
            phase: Phase::Idle,
            preempt_off: false,
            base: Base::INVALID,
            copy: Bitmap::DENY_ALL,
            last_bitmap: Pointer::NULL,
            last_sequence: 0,
        };
        let mut state = State {
            cpus: [idle; MAX_CPUS],
            tasks: [Task::UNBORN; MAX_TASKS],
            objects: [Object::BLANK; MAX_SLOTS],
            allocated: 0,
            counter: 0,
        };
        state.tasks[0].at = At::User;
        state.cpus[0].current = 0;
        state
    }

    /// Takes `step`; `false` if it is not possible, and what has been changed until then is thrown away.
    pub(super) fn take(&self, n: &mut State, step: Step) -> bool {
        let cpu = step.cpu as usize;
        if cpu >= self.cpus || n.crashed() {
            return false;
        }
        match step.kind {
            Kind::SwitchTo => self.switch_to(n, cpu, step.choice),
            Kind::U1Compare | Kind::U2Copy | Kind::U4BaseValid => {
                step.choice == 0 && self.update_tss(n, cpu, step.kind)
            }
            Kind::U3Record if n.cpus[cpu].phase == Phase::Record => {
                step.choice == 0 && self.update_tss(n, cpu, step.kind)
            }
            _ => {
                let me = n.cpus[cpu].current as usize;
                me < self.tasks && n.cpus[cpu].phase == Phase::Idle && self.run(n, cpu, me, step)
            }
        }
    }

    /// Steps of the task `me`, the current one of `cpu`, outside of an update of the TSS.
    fn run(&self, n: &mut State, cpu: usize, me: usize, step: Step) -> bool {
        let at = n.tasks[me].at;
        match step.kind {
            Kind::I1CheckCapability => at == At::User && self.check_capability(n, me, step.choice),
            Kind::I2Allocate => at == At::Allocate && self.allocate(n, me, Pointer(step.choice)),
            Kind::M2Duplicate => at == At::Duplicate && self.duplicate(n, cpu, me, Pointer(step.choice)),
            Kind::F1CopyTask => self.copy_task(n, me, step.choice),
            Kind::F2GiveBitmap => at == At::GiveBitmap && self.give_bitmap(n, cpu, me, Pointer(step.choice)),
            _ if step.choice != 0 => false,
            Kind::Interrupt => go(n, me, at == At::User, At::Kernel),
            // Only a task that was updated too early is still on its way here.
            Kind::ReturnToUser if at == At::ToUser => go(n, me, true, At::User),
            Kind::ReturnToUser => at == At::Kernel && self.return_to_user(n, cpu, me),
            Kind::AllocationFails => self.allocation_fails(n, me),
            Kind::I3PreemptOff => self.preempt_off(n, cpu, me),
            Kind::I4ChangeBit => at == At::ChangeBit && self.change_bit(n, cpu, me),
            Kind::I5FindMax => at == At::FindMax && self.find_max(n, cpu, me),
            Kind::I6StoreMax => at == At::StoreMax && self.store_max(n, cpu, me),
            Kind::I7TakeNumber => self.take_number(n, cpu, me),
            Kind::I8StorePointer => {
                n.tasks[me].bitmap = n.tasks[me].local;
                go(n, me, at == At::StorePointer, At::SetFlag)
            }
            Kind::I9SetFlag => {
                n.tasks[me].flags = n.tasks[me].flags.with(Flags::TIF, true);
                let next = match (self.config.form, self.config.order) {
                    (Form::AtExit, _) => At::ChangeBit,
                    (Form::AtSwitch, Order::TssFirst) => At::BaseValid,
                    (Form::AtSwitch, Order::TssLast) => At::CopyToTss,
                };
                go(n, me, at == At::SetFlag, next)
            }
            Kind::I10CopyToTss => at == At::CopyToTss && self.copy_to_tss(n, cpu, me),
            Kind::U3Record => at == At::Record && self.record_in_ioperm(n, cpu, me),
            Kind::I11BaseValid => {
                let tss = n.tasks[me].work.tss();
                self.set_base(&mut n.cpus[tss], true);
                go(n, me, at == At::BaseValid, At::PreemptOn)
            }
            Kind::I12PreemptOn => self.preempt_on(n, cpu, me),
            Kind::M1ReadCount => at == At::ReadCount && self.read_count(n, cpu, me),
            Kind::X0Exit => (at == At::User || at == At::Kernel && n.tasks[me].kthread()) && self.exit(n, me),
            Kind::X1ClearPointer => {
                if self.config.change != Change::FreesFirst {
                    n.tasks[me].old = n.tasks[me].bitmap;
                }
                n.tasks[me].bitmap = Pointer::NULL;
                go(n, me, at == At::ClearPointer, At::ClearFlag)
            }
            Kind::X2ClearFlag => {
                let set = self.config.change == Change::FlagNotCleared;
                n.tasks[me].flags = n.tasks[me].flags.with(Flags::TIF, set);
                let next = match self.config.scope {
                    Scope::Whole => At::BaseInvalid,
                    Scope::TssOnly => At::ExitPreemptOff,
                };
                go(n, me, at == At::ClearFlag, next)
            }
            Kind::X3BaseInvalid => at == At::BaseInvalid && self.base_invalid(n, cpu, me),
            Kind::X4DropReference => at == At::DropReference && self.drop_reference(n, cpu, me),
            Kind::X5Free => at == At::Free && self.free(n, cpu, me),
            Kind::F3ChildRuns => at == At::FinishFork && self.child_runs(n, me),
            Kind::F4Fails => at == At::FinishFork && self.fork_fails(n, me),
            Kind::SwitchTo | Kind::U1Compare | Kind::U2Copy | Kind::U4BaseValid => false,
        }
    }

    // Scheduling and the update of the TSS.

    /// The tasks, the idle one among them, that the scheduler may give a CPU to: one bit each.
    fn next_tasks(&self, s: &State, cpu: usize) -> u8 {
        let c = &s.cpus[cpu];
        if c.phase != Phase::Idle || c.preempt_off {
            return 0;
        }
        let idle = match s.current(cpu) {
            None => 0,
            // It waits on its way to user mode, is dead, or sleeps in kmalloc(GFP_KERNEL).
            Some(task) => match task.at {
                At::Kernel | At::Dead | At::Allocate | At::Duplicate | At::GiveBitmap => 1 << IDLE,
                At::User => return 0,
                _ if self.config.kernel_preemption => 0,
                _ => return 0,
            },
        };
        let mut tasks = 0;
        for (number, task) in s.tasks.iter().enumerate() {
            let runs = number < self.tasks && !matches!(task.at, At::Unborn | At::Forked);
            tasks |= (runs as u8) << number;
        }
        tasks & !(1 << s.cpus[0].current | 1 << s.cpus[1].current) | idle
    }

    fn switch_to(&self, n: &mut State, cpu: usize, next: u8) -> bool {
        let prev = n.cpus[cpu].current;
        if next > IDLE || self.next_tasks(n, cpu) & 1 << next == 0 {
            return false;
        }
        let prev_tif = n.current(cpu).is_some_and(Task::tif);
        let next_tif = n.tasks.get(next as usize).is_some_and(Task::tif);
        if n.current(cpu).is_some_and(|t| t.at == At::Dead) {
            n.tasks[prev as usize] = Task::UNBORN;
        }
        let invalidate = match self.config.change {
            Change::BaseLeftValid => false,
            Change::InvalidatesForNext => !next_tif,
            _ => prev_tif,
        };
        let c = &mut n.cpus[cpu];
        c.current = next;
        if self.config.form == Form::AtSwitch && next_tif {
            c.phase = Phase::Compare;
        } else if invalidate && self.config.change == Change::HypervisorForgotten {
            c.base = c.base.with(Base::TSS, false);
        } else if invalidate {
            self.set_base(c, false);
        }
        true
    }

    fn return_to_user(&self, n: &mut State, cpu: usize, me: usize) -> bool {
        if n.tasks[me].kthread() && self.config.change != Change::WorkerReturns {
            return false;
        }
        let update = self.config.form == Form::AtExit && n.tasks[me].tif();
        n.tasks[me].at = if update { At::ToUser } else { At::User };
        if update {
            n.cpus[cpu].phase = Phase::Compare;
        }
        true
    }

    /// U1 to U4, in a context switch or in `tss_update_io_bitmap()`.
    fn update_tss(&self, n: &mut State, cpu: usize, kind: Kind) -> bool {
        let me = n.cpus[cpu].current as usize;
        if me >= MAX_TASKS {
            return false;
        }
        let pointer = n.tasks[me].bitmap;
        match (kind, n.cpus[cpu].phase) {
            (Kind::U1Compare, Phase::Compare) => {
                let Some(slot) = object(n, cpu, pointer) else { return true };
                let same = self.up_to_date(&n.cpus[cpu], pointer, &n.objects[slot]);
                let skip = same && self.config.change != Change::AlwaysCopies;
                n.cpus[cpu].phase = if skip { Phase::Valid } else { Phase::Copy };
            }
            (Kind::U2Copy, Phase::Copy) => {
                let Some(slot) = object(n, cpu, pointer) else { return true };
                let source = n.objects[slot].bitmap;
                let bytes = match self.config.change {
                    Change::CopyForgetsPrevMax => source.max(),
                    _ => source.max().max(n.cpus[cpu].copy.max()),
                };
                n.cpus[cpu].copy = n.cpus[cpu].copy.copy_from(source, bytes);
                n.cpus[cpu].phase = Phase::Record;
            }
            (Kind::U3Record, Phase::Record) => {
                let Some(slot) = object(n, cpu, pointer) else { return true };
                let from = n.objects[slot];
                n.cpus[cpu].copy = n.cpus[cpu].copy.with_max(from.bitmap.max());
                self.record_identity(&mut n.cpus[cpu], pointer, from.sequence);
                n.cpus[cpu].phase = Phase::Valid;
                self.renumber(n);
            }
            (Kind::U4BaseValid, Phase::Valid) => {
                self.set_base(&mut n.cpus[cpu], true);
                n.cpus[cpu].phase = Phase::Idle;
                match n.tasks[me].at {
                    At::ToUser if self.config.change == Change::UpdatesTooEarly => {}
                    At::ToUser => n.tasks[me].at = At::User,
                    At::BaseInvalid => n.tasks[me].at = At::ExitPreemptOn,
                    _ => {}
                }
            }
            _ => return false,
        }
        true
    }

    /// What U1 finds out: the copy in the TSS is that of this object, as it is now.
    pub(super) fn up_to_date(&self, c: &Cpu, pointer: Pointer, object: &Object) -> bool {
        let same_pointer = c.last_bitmap == pointer;
        let same_number = c.last_sequence == object.sequence;
        match self.config.compare {
            Compare::Both => same_pointer && same_number,
            Compare::Sequence => same_number,
            Compare::Pointer => same_pointer,
        }
    }

    fn record_identity(&self, c: &mut Cpu, pointer: Pointer, sequence: u8) {
        c.last_sequence = sequence;
        if self.config.compare != Compare::Sequence {
            c.last_bitmap = pointer;
        }
    }

    fn set_base(&self, c: &mut Cpu, valid: bool) {
        c.base = c.base.with(Base::TSS, valid);
        if self.config.hypervisor {
            c.base = c.base.with(Base::HYPERVISOR, valid);
        }
    }

    // ioperm().

    fn check_capability(&self, n: &mut State, me: usize, choice: u8) -> bool {
        let work = Work::call(choice & 0b11, choice & 0b100 != 0);
        if choice >= 8 || work.value() >= self.ports || !self.may_call(n, me) {
            return false;
        }
        let checked = self.config.change != Change::NoCapabilityCheck;
        if checked && work.turn_on() && !n.tasks[me].capable() {
            n.tasks[me].at = At::Kernel;
        } else {
            n.tasks[me].work = work;
            n.tasks[me].at = At::Allocate;
        }
        true
    }

    fn allocate(&self, n: &mut State, me: usize, found: Pointer) -> bool {
        let task = n.tasks[me];
        if task.bitmap != Pointer::NULL || !task.work.turn_on() {
            if found != Pointer::NULL {
                return false;
            }
            if task.bitmap == Pointer::NULL {
                // No bitmap to take anything from.
                n.tasks[me].granted = granted_after(&task);
                return self.finish_call(n, me);
            }
            n.tasks[me].local = task.bitmap;
        } else {
            if !self.may_return(n, found) {
                return false;
            }
            take_slot(n, found, Object::NEW);
            n.tasks[me].local = found;
        }
        match self.config.form {
            Form::AtSwitch => {
                n.tasks[me].granted = granted_after(&task);
                n.tasks[me].at = At::PreemptOff;
            }
            Form::AtExit => n.tasks[me].at = At::ReadCount,
        }
        true
    }

    fn allocation_fails(&self, n: &mut State, me: usize) -> bool {
        let task = n.tasks[me];
        if self.config.change == Change::WaitsForMemory {
            return false;
        }
        match task.at {
            At::Allocate if task.bitmap == Pointer::NULL && task.work.turn_on() => self.finish_call(n, me),
            At::Duplicate => self.finish_call(n, me),
            At::GiveBitmap if self.copies_object(n, me) => {
                n.tasks[task.work.value() as usize] = Task::UNBORN;
                self.finish_call(n, me)
            }
            _ => false,
        }
    }

    fn preempt_off(&self, n: &mut State, cpu: usize, me: usize) -> bool {
        let task = &mut n.tasks[me];
        match task.at {
            At::PreemptOff => {
                task.work = task.work.with_tss(cpu);
                task.at = At::ChangeBit;
                n.cpus[cpu].preempt_off = self.config.ioperm_preempt_off;
            }
            At::ExitPreemptOff => {
                let only_tss = task.work.after() == After::ForkFailed && self.config.cleanup == Cleanup::ChildThenTss;
                task.at = match self.config.scope {
                    Scope::Whole if !only_tss => At::ClearPointer,
                    _ => At::BaseInvalid,
                };
                n.cpus[cpu].preempt_off = true;
            }
            _ => return false,
        }
        true
    }

    fn change_bit(&self, n: &mut State, cpu: usize, me: usize) -> bool {
        let task = n.tasks[me];
        let Some(slot) = object(n, cpu, task.local) else { return true };
        let bitmap = n.objects[slot].bitmap;
        let port = Ports::one(task.work.value());
        let permitted = match task.work.turn_on() {
            true => bitmap.permitted().or(port),
            false => bitmap.permitted().minus(port),
        };
        n.objects[slot].bitmap = bitmap.with_permitted(permitted);
        n.tasks[me].work = task.work.with_value(0);
        n.tasks[me].at = At::FindMax;
        true
    }

    fn find_max(&self, n: &mut State, cpu: usize, me: usize) -> bool {
        let task = n.tasks[me];
        let Some(slot) = object(n, cpu, task.local) else { return true };
        let mut bytes = n.objects[slot].bitmap.permitted().bytes();
        if self.config.change == Change::MaxOneByteShort && bytes > 1 {
            bytes -= 1;
        }
        match self.config.form {
            Form::AtExit if bytes == 0 => {
                n.tasks[me].local = Pointer::NULL;
                self.let_go(n, me, After::Returned)
            }
            Form::AtExit => {
                n.tasks[me].work = task.work.with_value(bytes);
                go(n, me, true, At::StoreMax)
            }
            // The loop of 2019 starts from the first byte, so one byte is the least that it finds.
            Form::AtSwitch => {
                n.tasks[me].work = task.work.with_value(bytes.max(1));
                go(n, me, true, At::StoreMax)
            }
        }
    }

    fn store_max(&self, n: &mut State, cpu: usize, me: usize) -> bool {
        let task = n.tasks[me];
        let read_from = if self.config.length == Length::OldMaxOfTask { task.bitmap } else { task.local };
        let Some(old) = object(n, cpu, read_from) else { return true };
        let Some(slot) = object(n, cpu, task.local) else { return true };
        let bytes = task.work.value();
        let updated = bytes.max(n.objects[old].bitmap.max());
        n.objects[slot].bitmap = n.objects[slot].bitmap.with_max(bytes);
        // Only the length rule of 2019 uses `bytes_updated`.
        let kept = if self.config.length == Length::AsSwitch { 0 } else { updated };
        n.tasks[me].work = task.work.with_value(kept);
        go(n, me, true, At::TakeNumber)
    }

    fn copy_to_tss(&self, n: &mut State, cpu: usize, me: usize) -> bool {
        let task = n.tasks[me];
        let Some(slot) = object(n, cpu, task.local) else { return true };
        let source = n.objects[slot].bitmap;
        let tss = &mut n.cpus[task.work.tss()];
        let bytes = match self.config.length {
            Length::AsSwitch => source.max().max(tss.copy.max()),
            Length::OldMax | Length::OldMaxOfTask => task.work.value(),
        };
        tss.copy = tss.copy.copy_from(source, bytes);
        n.tasks[me].work = task.work.with_value(0);
        let records = self.config.records;
        n.tasks[me].at = if records.prev_max || records.identity { At::Record } else { self.after_copy() };
        true
    }

    fn record_in_ioperm(&self, n: &mut State, cpu: usize, me: usize) -> bool {
        let task = n.tasks[me];
        let Some(slot) = object(n, cpu, task.local) else { return true };
        let from = n.objects[slot];
        let tss = &mut n.cpus[task.work.tss()];
        if self.config.records.prev_max {
            tss.copy = tss.copy.with_max(from.bitmap.max());
        }
        if self.config.records.identity {
            self.record_identity(tss, task.local, from.sequence);
        }
        n.tasks[me].at = self.after_copy();
        self.renumber(n);
        true
    }

    fn after_copy(&self) -> At {
        match self.config.order {
            Order::TssFirst => At::StorePointer,
            Order::TssLast => At::BaseValid,
        }
    }

    fn preempt_on(&self, n: &mut State, cpu: usize, me: usize) -> bool {
        match n.tasks[me].at {
            At::PreemptOn => {
                n.cpus[cpu].preempt_off = false;
                self.finish_call(n, me)
            }
            At::ExitPreemptOn => {
                n.cpus[cpu].preempt_off = self.config.change == Change::PreemptionLeftOff;
                match self.config.form {
                    _ if n.tasks[me].old == Pointer::NULL => self.gone(n, me),
                    Form::AtExit => go(n, me, true, At::DropReference),
                    Form::AtSwitch => go(n, me, true, At::Free),
                }
            }
            _ => false,
        }
    }

    /// A system call is over.
    fn finish_call(&self, n: &mut State, me: usize) -> bool {
        n.tasks[me].local = Pointer::NULL;
        n.tasks[me].work = Work::NONE;
        go(n, me, true, At::Kernel)
    }

    // The sequence number.

    /// The last number that may be handed out, if there is such a bound (A6).
    fn last_number(&self) -> Option<u8> {
        match (self.config.counter, self.calls) {
            (Counter::Narrow, _) | (Counter::Global, 0) => None,
            (Counter::Global, calls) => Some(calls),
            (_, 1 | 2) => Some(self.calls),
            _ => Some(3),
        }
    }

    /// Whether `me` may call `ioperm()`: it cannot come to a number above the bound.
    fn may_call(&self, s: &State, me: usize) -> bool {
        let Some(last) = self.last_number() else { return true };
        if self.config.counter == Counter::PerObject {
            return s.tasks[me].bitmap.slot().is_none_or(|slot| s.objects[slot].sequence < last);
        }
        let mut under_way = 0;
        for t in &s.tasks {
            under_way += in_ioperm(t) as u8;
        }
        s.counter + under_way < last
    }

    fn take_number(&self, n: &mut State, cpu: usize, me: usize) -> bool {
        let task = n.tasks[me];
        let number = match (task.at, self.config.counter) {
            (At::TakeNumber, Counter::GlobalPlain) => {
                n.tasks[me].work = task.work.with_value(n.counter);
                return go(n, me, true, At::StoreNumber);
            }
            (At::StoreNumber, _) => task.work.value() + 1,
            (At::TakeNumber, _) => n.counter + 1,
            _ => return false,
        };
        let Some(slot) = object(n, cpu, task.local) else { return true };
        let old = n.objects[slot].sequence;
        if self.config.change != Change::NumberNotRenewed || old == 0 {
            (n.counter, n.objects[slot].sequence) = match self.config.counter {
                Counter::Global => (number, number),
                Counter::GlobalPlain => (number, number),
                Counter::GlobalOld => (number, number - 1),
                Counter::Narrow => (number & 0b11, number & 0b11),
                Counter::PerObject => (0, old + 1),
            };
        }
        if self.config.counter == Counter::GlobalPlain {
            n.tasks[me].work = task.work.with_value(0);
        }
        self.renumber(n);
        match (self.config.form, self.config.order) {
            (Form::AtExit, _) => self.finish_call(n, me),
            (Form::AtSwitch, Order::TssFirst) => go(n, me, true, At::CopyToTss),
            (Form::AtSwitch, Order::TssLast) => go(n, me, true, At::StorePointer),
        }
    }

    /// Replaces the numbers in play by their ranks (A6). 0, which no call hands out, stays 0.
    fn renumber(&self, n: &mut State) {
        if self.config.counter != Counter::Global || self.calls != 0 {
            return;
        }
        let mut in_play: u16 = 1;
        for o in &n.objects {
            in_play |= 1 << o.sequence;
        }
        for c in &n.cpus {
            in_play |= 1 << c.last_sequence;
        }
        for o in &mut n.objects {
            o.sequence = rank(in_play, o.sequence);
        }
        for c in &mut n.cpus {
            c.last_sequence = rank(in_play, c.last_sequence);
        }
        n.counter = in_play.count_ones() as u8 - 1;
    }

    // Sharing, exit and fork.

    fn read_count(&self, n: &mut State, cpu: usize, me: usize) -> bool {
        let task = n.tasks[me];
        let Some(slot) = object(n, cpu, task.local) else { return true };
        if n.objects[slot].references > 1 && self.config.change != Change::WritesShared {
            if self.config.change == Change::DropsBeforeDuplicate {
                return self.let_go(n, me, After::DuplicateNext);
            }
            return go(n, me, true, At::Duplicate);
        }
        n.tasks[me].granted = granted_after(&task);
        go(n, me, true, At::StorePointer)
    }

    fn duplicate(&self, n: &mut State, cpu: usize, me: usize, found: Pointer) -> bool {
        let task = n.tasks[me];
        if !self.may_return(n, found) {
            return false;
        }
        let Some(slot) = object(n, cpu, task.local) else { return true };
        let mut copy = n.objects[slot];
        if self.config.change != Change::CountCopied {
            copy.references = 1;
        }
        take_slot(n, found, copy);
        n.tasks[me].local = found;
        n.tasks[me].granted = granted_after(&task);
        if self.config.change == Change::DropsBeforeDuplicate {
            return go(n, me, true, At::StorePointer);
        }
        self.let_go(n, me, After::Duplicated)
    }

    fn exit(&self, n: &mut State, me: usize) -> bool {
        let task = &mut n.tasks[me];
        // The ghost of a task in exit: nobody promises it anything any more.
        task.granted = Ports::NONE;
        let has_bitmap = match self.config.form {
            Form::AtSwitch => task.bitmap != Pointer::NULL,
            Form::AtExit => task.tif(),
        };
        if !has_bitmap {
            return go(n, me, true, At::Dead);
        }
        if self.config.change == Change::FreesFirst {
            task.old = task.bitmap;
            return go(n, me, true, At::Free);
        }
        self.let_go(n, me, After::Exited)
    }

    /// Enters `io_bitmap_exit()`.
    fn let_go(&self, n: &mut State, me: usize, after: After) -> bool {
        n.tasks[me].work = n.tasks[me].work.with_after(after);
        let first = match self.config.scope {
            Scope::Whole => At::ExitPreemptOff,
            Scope::TssOnly => At::ClearPointer,
        };
        go(n, me, true, first)
    }

    fn base_invalid(&self, n: &mut State, cpu: usize, me: usize) -> bool {
        // Mainline calls tss_update_io_bitmap(), which looks at the flag of the current task.
        if self.config.form == Form::AtExit && n.tasks[me].tif() {
            n.cpus[cpu].phase = Phase::Compare;
            return true;
        }
        self.set_base(&mut n.cpus[cpu], false);
        go(n, me, true, At::ExitPreemptOn)
    }

    fn drop_reference(&self, n: &mut State, cpu: usize, me: usize) -> bool {
        let Some(slot) = object(n, cpu, n.tasks[me].old) else { return true };
        if n.objects[slot].references < SATURATED {
            n.objects[slot].references = n.objects[slot].references.saturating_sub(1);
        }
        if n.objects[slot].references == 0 {
            return go(n, me, true, At::Free);
        }
        self.gone(n, me)
    }

    fn free(&self, n: &mut State, cpu: usize, me: usize) -> bool {
        let Some(slot) = object(n, cpu, n.tasks[me].old) else { return true };
        n.allocated &= !(1 << slot);
        n.objects[slot] = Object::BLANK;
        self.renumber(n);
        if self.config.change == Change::FreesFirst && n.tasks[me].work.after() == After::Nothing {
            n.tasks[me].old = Pointer::NULL;
            return self.let_go(n, me, After::Exited);
        }
        self.gone(n, me)
    }

    /// Leaves `io_bitmap_exit()`.
    fn gone(&self, n: &mut State, me: usize) -> bool {
        let task = &mut n.tasks[me];
        let after = task.work.after();
        task.old = Pointer::NULL;
        task.work = task.work.with_after(After::Nothing);
        match after {
            After::Nothing => false,
            After::Duplicated => go(n, me, true, At::StorePointer),
            After::DuplicateNext => go(n, me, true, At::Duplicate),
            After::Returned => self.finish_call(n, me),
            After::Exited => {
                n.tasks[me].flags = Flags::NONE.with(Flags::TIF, n.tasks[me].tif());
                go(n, me, true, At::Dead)
            }
            After::ForkFailed => {
                n.tasks[n.tasks[me].work.value() as usize] = Task::UNBORN;
                self.finish_call(n, me)
            }
        }
    }

    fn copy_task(&self, n: &mut State, me: usize, choice: u8) -> bool {
        let parent = n.tasks[me];
        let (worker, drops) = (choice & WORKER != 0, choice & DROPS != 0);
        let from_here = parent.at == At::User || parent.at == At::Kernel && parent.kthread() && worker;
        let allowed = choice < 4 && (!worker || self.workers) && (!drops || self.unprivileged && !worker);
        // Dropping what the parent does not have would be the same step twice.
        let changes = !drops || parent.capable();
        let Some(child) = self.unborn(n) else { return false };
        if !(from_here && allowed && changes) {
            return false;
        }
        let keeps_flag = self.config.change == Change::WorkerWithFlag && worker;
        let flags = parent.flags.with(Flags::TIF, parent.tif() && keeps_flag);
        let flags =
            flags.with(Flags::KTHREAD, worker).with(Flags::UNPRIVILEGED, !worker && (drops || !parent.capable()));
        let granted = if worker { Ports::NONE } else { parent.granted };
        n.tasks[child] = Task { at: At::Forked, flags, granted, ..Task::UNBORN };
        n.tasks[me].work = Work::fork(child);
        go(n, me, true, At::GiveBitmap)
    }

    fn unborn(&self, s: &State) -> Option<usize> {
        (0..self.tasks).find(|t| s.tasks[*t].at == At::Unborn)
    }

    /// Whether the child under construction gets an object of its own.
    fn copies_object(&self, s: &State, me: usize) -> bool {
        let child = &s.tasks[s.tasks[me].work.value() as usize];
        self.config.form == Form::AtSwitch && s.tasks[me].tif() && !child.kthread()
    }

    fn give_bitmap(&self, n: &mut State, cpu: usize, me: usize, found: Pointer) -> bool {
        let parent = n.tasks[me];
        let child = parent.work.value() as usize;
        let copies = self.copies_object(n, me);
        if copies && !self.may_return(n, found) || !copies && found != Pointer::NULL {
            return false;
        }
        if parent.tif() && !n.tasks[child].kthread() {
            let Some(slot) = object(n, cpu, parent.bitmap) else { return true };
            n.tasks[child].bitmap = if copies {
                let copy = n.objects[slot];
                take_slot(n, found, copy);
                found
            } else {
                n.objects[slot].references = (n.objects[slot].references + 1).min(SATURATED);
                parent.bitmap
            };
            let set = self.config.change != Change::ChildWithoutFlag;
            n.tasks[child].flags = n.tasks[child].flags.with(Flags::TIF, set);
        }
        go(n, me, true, At::FinishFork)
    }

    fn child_runs(&self, n: &mut State, me: usize) -> bool {
        let child = n.tasks[me].work.value() as usize;
        n.tasks[child].at = At::Kernel;
        self.finish_call(n, me)
    }

    fn fork_fails(&self, n: &mut State, me: usize) -> bool {
        let child = n.tasks[me].work.value() as usize;
        let has_bitmap = match self.config.form {
            Form::AtSwitch => n.tasks[child].bitmap != Pointer::NULL,
            Form::AtExit => n.tasks[child].tif(),
        };
        n.tasks[me].work = n.tasks[me].work.with_after(After::ForkFailed);
        if !has_bitmap {
            return self.gone(n, me);
        }
        if self.config.cleanup == Cleanup::Parent {
            return self.let_go(n, me, After::ForkFailed);
        }
        n.tasks[me].old = n.tasks[child].bitmap;
        n.tasks[child].bitmap = Pointer::NULL;
        n.tasks[child].flags = n.tasks[child].flags.with(Flags::TIF, false);
        match (self.config.cleanup, self.config.form) {
            (Cleanup::ChildThenTss, _) => go(n, me, true, At::ExitPreemptOff),
            (_, Form::AtSwitch) => go(n, me, true, At::Free),
            (_, Form::AtExit) if n.tasks[me].old == Pointer::NULL => self.gone(n, me),
            (_, Form::AtExit) => go(n, me, true, At::DropReference),
        }
    }

    // The heap.

    /// Whether an allocation may return this slot (A5).
    fn may_return(&self, s: &State, found: Pointer) -> bool {
        match found.slot() {
            Some(slot) if slot < self.slots && !s.is_allocated(slot) => {
                remembered(s, slot) || !(0..slot).any(|lower| !s.is_allocated(lower) && !remembered(s, lower))
            }
            _ => false,
        }
    }

    // Proposals.

    pub(super) fn propose(&self, s: &State, out: &mut Vec<Step>) {
        if s.crashed() {
            return;
        }
        for cpu in 0..self.cpus {
            let mut add = |kind, choice| out.push(Step { kind, cpu: cpu as u8, choice });
            let mut tasks = self.next_tasks(s, cpu);
            while tasks != 0 {
                add(Kind::SwitchTo, tasks.trailing_zeros() as u8);
                tasks &= tasks - 1;
            }
            match s.cpus[cpu].phase {
                Phase::Compare => add(Kind::U1Compare, 0),
                Phase::Copy => add(Kind::U2Copy, 0),
                Phase::Record => add(Kind::U3Record, 0),
                Phase::Valid => add(Kind::U4BaseValid, 0),
                Phase::Idle | Phase::Oops => {
                    if let Some(task) = s.current(cpu) {
                        self.propose_for_task(s, task, &mut add);
                    }
                }
            }
        }
    }

    pub(super) fn propose_for_task(&self, s: &State, task: &Task, add: &mut impl FnMut(Kind, u8)) {
        let allocations = |kind, add: &mut dyn FnMut(Kind, u8)| {
            add(Kind::AllocationFails, 0);
            for slot in 0..self.slots {
                if self.may_return(s, Pointer::to(slot)) {
                    add(kind, Pointer::to(slot).0);
                }
            }
        };
        match task.at {
            At::User => {
                add(Kind::Interrupt, 0);
                for port in 0..self.ports {
                    add(Kind::I1CheckCapability, port);
                    add(Kind::I1CheckCapability, port | 0b100);
                }
                add(Kind::X0Exit, 0);
                add(Kind::F1CopyTask, 0);
                if self.workers {
                    add(Kind::F1CopyTask, WORKER);
                }
                if self.unprivileged {
                    add(Kind::F1CopyTask, DROPS);
                }
            }
            At::Kernel if task.kthread() => {
                add(Kind::ReturnToUser, 0);
                add(Kind::X0Exit, 0);
                add(Kind::F1CopyTask, WORKER);
            }
            At::Allocate if task.bitmap == Pointer::NULL && task.work.turn_on() => allocations(Kind::I2Allocate, add),
            At::Duplicate => allocations(Kind::M2Duplicate, add),
            At::GiveBitmap => {
                add(Kind::F2GiveBitmap, 0);
                allocations(Kind::F2GiveBitmap, add);
            }
            At::FinishFork => {
                add(Kind::F3ChildRuns, 0);
                add(Kind::F4Fails, 0);
            }
            at => {
                if let Some(kind) = only_kind(at) {
                    add(kind, 0);
                }
            }
        }
    }

    /// Whether this variant, at this size, is meant to take steps of this kind.
    pub(super) fn uses(&self, kind: Kind) -> bool {
        let config = &self.config;
        let at_exit = config.form == Form::AtExit;
        let forks = self.tasks > 1;
        // The first call of ioperm() stops the machine.
        let stops = config.length == Length::OldMaxOfTask;
        match kind {
            Kind::I2Allocate | Kind::I4ChangeBit | Kind::I5FindMax | Kind::I6StoreMax | Kind::I3PreemptOff => true,
            Kind::I1CheckCapability | Kind::Interrupt | Kind::SwitchTo | Kind::ReturnToUser | Kind::X0Exit => true,
            Kind::AllocationFails => config.change != Change::WaitsForMemory,
            Kind::F1CopyTask | Kind::F2GiveBitmap | Kind::F3ChildRuns | Kind::F4Fails => forks,
            _ if stops => false,
            Kind::I10CopyToTss | Kind::I11BaseValid => !at_exit,
            Kind::M1ReadCount | Kind::X4DropReference => at_exit,
            Kind::M2Duplicate => {
                let second_call = self.last_number() != Some(1);
                at_exit && forks && second_call && self.slots > 1 && config.change != Change::WritesShared
            }
            // The update of the TSS stops the machine; only what a failed fork drops is dropped.
            Kind::I12PreemptOn | Kind::X5Free => config.change != Change::FlagNotCleared,
            _ => true,
        }
    }
}

/// Puts a task at another place; returns `possible`, so that a step can say in one line what enables it.
fn go(n: &mut State, me: usize, possible: bool, at: At) -> bool {
    n.tasks[me].at = at;
    possible
}

/// An allocation returns this slot with this content.
fn take_slot(n: &mut State, pointer: Pointer, content: Object) {
    if let Some(slot) = pointer.slot() {
        n.objects[slot] = content;
        n.allocated |= 1 << slot;
    }
}

/// Whether a CPU remembers the address of this slot.
fn remembered(s: &State, slot: usize) -> bool {
    s.cpus[0].last_bitmap == Pointer::to(slot) || s.cpus[1].last_bitmap == Pointer::to(slot)
}

/// The rank of a number among those in play, where 0 always is.
fn rank(in_play: u16, number: u8) -> u8 {
    (in_play & ((1 << number) - 1)).count_ones() as u8
}

/// Whether the task is in a call of `ioperm()` that may still take a number.
pub(super) fn in_ioperm(t: &Task) -> bool {
    let copies = matches!(t.work.after(), After::Duplicated | After::DuplicateNext);
    let at = t.at as u8;
    (At::Allocate as u8 <= at && at <= At::Duplicate as u8)
        || (At::ExitPreemptOff as u8 <= at && at <= At::Free as u8 && copies)
}

/// The kind of step that a task takes at a place where there is only one.
fn only_kind(at: At) -> Option<Kind> {
    Some(match at {
        At::Kernel | At::ToUser => Kind::ReturnToUser,
        At::Allocate => Kind::I2Allocate,
        At::PreemptOff | At::ExitPreemptOff => Kind::I3PreemptOff,
        At::ChangeBit => Kind::I4ChangeBit,
        At::FindMax => Kind::I5FindMax,
        At::StoreMax => Kind::I6StoreMax,
        At::TakeNumber | At::StoreNumber => Kind::I7TakeNumber,
        At::StorePointer => Kind::I8StorePointer,
        At::SetFlag => Kind::I9SetFlag,
        At::CopyToTss => Kind::I10CopyToTss,
        At::Record => Kind::U3Record,
        At::BaseValid => Kind::I11BaseValid,
        At::PreemptOn | At::ExitPreemptOn => Kind::I12PreemptOn,
        At::ReadCount => Kind::M1ReadCount,
        At::ClearPointer => Kind::X1ClearPointer,
        At::ClearFlag => Kind::X2ClearFlag,
        At::BaseInvalid => Kind::X3BaseInvalid,
        At::DropReference => Kind::X4DropReference,
        At::Free => Kind::X5Free,
        _ => return None,
    })
}
