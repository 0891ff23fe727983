//! Steps and states in words.

use super::{
    After, At, Base, Bitmap, Compare, Flags, Form, IoBitmap, Kind, Phase, Pointer, Ports, State, Step, Task, Work,
    DROPS, IDLE, WORKER,
};
use crate::machine::Panel;

impl IoBitmap {
    pub(super) fn described(&self, s: &State, step: Step) -> String {
        let cpu = step.cpu as usize;
        let c = &s.cpus[cpu];
        if step.kind == Kind::SwitchTo {
            let what =
                match (s.tasks.get(step.choice as usize).is_some_and(Task::tif), s.current(cpu).is_some_and(Task::tif))
                {
                    (true, _) if self.config.form == Form::AtSwitch => ", which has a bitmap",
                    (_, true) => ", leaving a task with a bitmap",
                    _ => "",
                };
            return format!("switches from {} to {}{what}", who(c.current), who(step.choice));
        }
        let Some(task) = s.current(cpu) else { return format!("{:?}", step.kind) };
        let me = who(c.current);
        let name = |pointer: Pointer| pointer_name(pointer);
        let port = task.work.value();
        match step.kind {
            Kind::SwitchTo => String::new(),
            Kind::Interrupt => format!("interrupts {me} in user mode"),
            Kind::ReturnToUser => format!("{me} leaves the kernel for user mode"),
            Kind::U1Compare => self.describe_compare(s, cpu, task),
            Kind::U2Copy => {
                format!("copies {} of {me} into the TSS", bitmap_words(self.content(s, task.bitmap)))
            }
            Kind::U3Record => {
                let pointer = if c.phase == Phase::Record { task.bitmap } else { task.local };
                let number = pointer.slot().map_or(0, |slot| s.objects[slot].sequence);
                let max = self.content(s, pointer).max();
                let records = self.config.records;
                match (c.phase == Phase::Record, records.prev_max, records.identity) {
                    (false, true, false) => format!("records in the TSS prev_max = {max}"),
                    (false, false, true) => format!("records in the TSS {} with number {number}", name(pointer)),
                    _ => format!("records in the TSS prev_max = {max}, {} with number {number}", name(pointer)),
                }
            }
            Kind::U4BaseValid => "makes the base in the TSS VALID".to_string(),
            Kind::I1CheckCapability => {
                let call = Work::call(step.choice & 0b11, step.choice & 0b100 != 0);
                let refused = call.turn_on() && !task.capable();
                let end = if refused { "and is refused: no CAP_SYS_RAWIO" } else { "and may do so" };
                format!("{me} calls ioperm(port {}, {}) {end}", call.value(), on_off(call.turn_on()))
            }
            Kind::I2Allocate => match step.choice {
                0 if task.bitmap == Pointer::NULL => format!("{me} has no bitmap to deny port {port} in, and returns"),
                0 => format!("takes the bitmap of {me}, {}", name(task.bitmap)),
                slot => format!("allocates a bitmap for {me} in {}", name(Pointer(slot))),
            },
            Kind::AllocationFails => format!("{me} gets no memory, and returns with an error"),
            Kind::I3PreemptOff if task.at == At::PreemptOff && !self.config.ioperm_preempt_off => {
                format!("takes the TSS of CPU {cpu} with preemption on")
            }
            Kind::I3PreemptOff => "switches preemption off".to_string(),
            Kind::I4ChangeBit => {
                format!("turns port {port} {} in {}", on_off(task.work.turn_on()), name(task.local))
            }
            Kind::I5FindMax => {
                let ports = self.content(s, task.local).permitted();
                match ports.bytes() {
                    0 => format!("finds no 0 bit in {}", name(task.local)),
                    bytes => format!("finds the last 0 bit of {} in byte {}", name(task.local), bytes - 1),
                }
            }
            Kind::I6StoreMax => format!("stores max = {port} in {}", name(task.local)),
            Kind::I7TakeNumber => format!("gives {} a number; the counter stood at {}", name(task.local), s.counter),
            Kind::I8StorePointer => format!("{me} now points to {}", name(task.local)),
            Kind::I9SetFlag => format!("sets TIF_IO_BITMAP of {me}"),
            Kind::I10CopyToTss => {
                let words = bitmap_words(self.content(s, task.local));
                format!("ioperm() copies {words} of {me} into the TSS of CPU {}", task.work.tss())
            }
            Kind::I11BaseValid => format!("ioperm() makes the base in the TSS of CPU {} VALID", task.work.tss()),
            Kind::I12PreemptOn => "switches preemption on".to_string(),
            Kind::M1ReadCount => {
                let count = task.local.slot().map_or(0, |slot| s.objects[slot].references);
                format!("reads the reference count of {}: {count}", name(task.local))
            }
            Kind::M2Duplicate => format!("duplicates {} into {}", name(task.local), name(Pointer(step.choice))),
            Kind::X0Exit => format!("{me} exits"),
            Kind::X1ClearPointer => format!("clears the pointer of {me} to {}", name(task.bitmap)),
            Kind::X2ClearFlag => format!("clears TIF_IO_BITMAP of {me}"),
            Kind::X3BaseInvalid if self.config.form == Form::AtExit && task.tif() => {
                format!("updates the TSS for {me}, which has TIF_IO_BITMAP and {}", name(task.bitmap))
            }
            Kind::X3BaseInvalid => "makes the base in the TSS INVALID".to_string(),
            Kind::X4DropReference => format!("drops a reference to {}", name(task.old)),
            Kind::X5Free => format!("frees {}", name(task.old)),
            Kind::F1CopyTask => match step.choice {
                WORKER => format!("{me} starts a kernel thread"),
                DROPS => format!("{me} forks a child that gives up CAP_SYS_RAWIO"),
                _ => format!("{me} forks"),
            },
            Kind::F2GiveBitmap => match (task.tif(), step.choice) {
                (false, _) => "has no bitmap to hand on".to_string(),
                (true, 0) => format!("hands {} on to {}", name(task.bitmap), who(port)),
                (true, slot) => format!("copies {} into {} for {}", name(task.bitmap), name(Pointer(slot)), who(port)),
            },
            Kind::F3ChildRuns => format!("fork() succeeds: {} may run", who(port)),
            Kind::F4Fails => format!("fork() fails late, and {} is taken apart", who(port)),
        }
    }

    fn describe_compare(&self, s: &State, cpu: usize, task: &Task) -> String {
        let c = &s.cpus[cpu];
        let Some(slot) = task.bitmap.slot() else { return "looks at the number behind a null pointer".to_string() };
        if !s.is_allocated(slot) {
            return format!("looks at the number in {}, which is freed", pointer_name(task.bitmap));
        }
        let object = &s.objects[slot];
        let found = if self.up_to_date(c, task.bitmap, object) { "the copy is up to date" } else { "a copy is due" };
        let last = match self.config.compare {
            Compare::Sequence => format!("number {}", c.last_sequence),
            Compare::Both => format!("{} with number {}", pointer_name(c.last_bitmap), c.last_sequence),
            Compare::Pointer => pointer_name(c.last_bitmap),
        };
        format!("compares {} with number {} to {last}: {found}", pointer_name(task.bitmap), object.sequence)
    }

    fn content(&self, s: &State, pointer: Pointer) -> Bitmap {
        pointer.slot().map_or(Bitmap::DENY_ALL, |slot| s.objects[slot].bitmap)
    }

    pub(super) fn viewed(&self, s: &State) -> Vec<Panel> {
        let mut panels = Vec::new();
        for cpu in 0..self.cpus {
            let c = &s.cpus[cpu];
            let mut panel = Panel::of_lane(format!("CPU {cpu}"), cpu)
                .row("runs", who(c.current))
                .row("interrupts", if c.phase == Phase::Idle { "on" } else { "off" })
                .row("preemption", on_off(!c.preempt_off))
                .row("update of the TSS", phase_words(c.phase))
                .row("TSS base", valid(c.base.has(Base::TSS)));
            if self.config.hypervisor {
                panel = panel.row("hypervisor's base", valid(c.base.has(Base::HYPERVISOR)));
            }
            panel = panel
                .row("TSS permits", port_words(c.copy.permitted()))
                .row("prev_max", c.copy.max())
                .row("last_sequence", c.last_sequence);
            if self.config.compare != Compare::Sequence {
                panel = panel.row("last_bitmap", pointer_name(c.last_bitmap));
            }
            panels.push(panel);
        }
        for (i, t) in s.tasks.iter().take(self.tasks).enumerate() {
            panels.push(
                Panel::shared(format!("task {i}"))
                    .row("is", task_words(t))
                    .row("next", at_words(t))
                    .row("io_bitmap", pointer_name(t.bitmap))
                    .row("TIF_IO_BITMAP", if t.tif() { "set" } else { "clear" })
                    .row("iobm", pointer_name(t.local))
                    .row("lets go of", pointer_name(t.old))
                    .row("was granted", port_words(t.granted)),
            );
        }
        for slot in 0..self.slots {
            let o = &s.objects[slot];
            let alive = s.is_allocated(slot);
            let shown = |value: String| if alive { value } else { "-".to_string() };
            let mut panel = Panel::shared(format!("slot {}", slot + 1))
                .row("memory", if alive { "allocated" } else { "free" })
                .row("permits", shown(port_words(o.bitmap.permitted())))
                .row("max", shown(o.bitmap.max().to_string()))
                .row("sequence", shown(o.sequence.to_string()));
            if self.config.form == Form::AtExit {
                panel = panel.row("refcnt", shown(o.references.to_string()));
            }
            panels.push(panel);
        }
        panels.push(Panel::shared("global").row("io_bitmap_sequence", s.counter));
        panels
    }
}

fn who(task: u8) -> String {
    if task == IDLE {
        "idle".to_string()
    } else {
        format!("task {task}")
    }
}

fn pointer_name(pointer: Pointer) -> String {
    match pointer.0 {
        0 => "null".to_string(),
        slot => format!("slot {slot}"),
    }
}

fn on_off(on: bool) -> &'static str {
    if on {
        "on"
    } else {
        "off"
    }
}

fn valid(valid: bool) -> &'static str {
    if valid {
        "VALID"
    } else {
        "INVALID"
    }
}

fn port_words(ports: Ports) -> String {
    let names: Vec<_> = (0..8).filter(|p| ports.0 & 1 << p != 0).map(|p| p.to_string()).collect();
    match names.len() {
        0 => "none".to_string(),
        1 => format!("port {}", names[0]),
        _ => format!("ports {}", names.join(", ")),
    }
}

fn bitmap_words(bitmap: Bitmap) -> String {
    format!("the bitmap ({}, {} bytes)", port_words(bitmap.permitted()), bitmap.max())
}

fn phase_words(phase: Phase) -> &'static str {
    match phase {
        Phase::Idle => "none",
        Phase::Compare => "before U1",
        Phase::Copy => "before U2",
        Phase::Record => "before U3",
        Phase::Valid => "before U4",
        Phase::Oops => "oops",
    }
}

fn task_words(t: &Task) -> &'static str {
    match t.at {
        At::Unborn => "none",
        At::Forked => "a child under construction",
        At::Dead => "dead",
        _ if t.flags.has(Flags::KTHREAD) => "a kernel thread",
        _ if t.capable() => "a user task with CAP_SYS_RAWIO",
        _ => "a user task",
    }
}

fn at_words(t: &Task) -> String {
    let call = || format!("of ioperm(port {}, {})", t.work.value(), on_off(t.work.turn_on()));
    let then = match t.work.after() {
        After::Nothing => "",
        After::Duplicated => ", then I8",
        After::DuplicateNext => ", then M2",
        After::Returned => ", then return",
        After::Exited => ", then die",
        After::ForkFailed => ", then return an error",
    };
    match t.at {
        At::Unborn | At::Forked | At::Dead => "-".to_string(),
        At::User => "user mode".to_string(),
        At::Kernel => "return".to_string(),
        At::ToUser => "user mode, after U4".to_string(),
        At::Allocate => format!("I2 {}", call()),
        At::PreemptOff => format!("I3 {}", call()),
        At::ChangeBit => format!("I4 {}", call()),
        At::FindMax => "I5".to_string(),
        At::StoreMax => format!("I6, {} bytes", t.work.value()),
        At::TakeNumber => format!("I7, {} bytes", t.work.value()),
        At::StoreNumber => format!("I7, counter was {}", t.work.value()),
        At::StorePointer => format!("I8 {}", call()),
        At::SetFlag => format!("I9 {}", call()),
        At::CopyToTss => format!("I10, {} bytes", t.work.value()),
        At::Record => "U3".to_string(),
        At::BaseValid => "I11".to_string(),
        At::PreemptOn => "I12".to_string(),
        At::ReadCount => format!("M1 {}", call()),
        At::Duplicate => format!("M2 {}", call()),
        At::ExitPreemptOff => format!("preemption off{then}"),
        At::ClearPointer => format!("X1{then}"),
        At::ClearFlag => format!("X2{then}"),
        At::BaseInvalid => format!("X3{then}"),
        At::ExitPreemptOn => format!("preemption on{then}"),
        At::DropReference => format!("X4{then}"),
        At::Free => format!("X5{then}"),
        At::GiveBitmap => format!("F2 for {}", who(t.work.value())),
        At::FinishFork => format!("F3 or F4 for {}", who(t.work.value())),
    }
}
