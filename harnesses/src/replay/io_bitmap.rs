//! The record of io-bitmap. The argument of a step is the model's choice: a port, a slot of the heap, or a task.

use super::{Rules, is_kind, machine_at};
use crate::event::{Event, Seen};
use models::io_bitmap::{Base, IoBitmap, State, Step};

/// Two CPUs, two tasks, three ports and three bitmaps.
#[derive(Debug)]
pub struct IoBitmapRules;

impl Rules for IoBitmapRules {
    type M = IoBitmap;

    fn machine() -> IoBitmap {
        let sizes = [("cpus", 2), ("tasks", 2), ("ports", 3), ("objects", 3), ("calls", 7)];
        machine_at("mainline-v2-scope", &[&sizes[..], &[("workers", 0), ("unprivileged", 0)]].concat())
    }

    fn is_step(machine: &IoBitmap, _: &State, step: Step, _: &State, event: &Event) -> bool {
        step.cpu == event.actor && is_kind(machine, step, event) && i64::from(step.choice) == event.argument
    }

    fn seen(_: &IoBitmap, state: &State) -> Seen {
        const NAMES: [[&str; 4]; 3] = [
            ["allocated 0", "references 0", "sequence 0", "permitted 0"],
            ["allocated 1", "references 1", "sequence 1", "permitted 1"],
            ["allocated 2", "references 2", "sequence 2", "permitted 2"],
        ];
        let byte = |bitmap: models::io_bitmap::Bitmap| i64::from(bitmap.max() << 4 | bitmap.permitted().0);
        let mut seen = vec![("counter", state.counter.into())];
        for (slot, (object, names)) in state.objects.iter().zip(NAMES).enumerate() {
            seen.push((names[0], state.is_allocated(slot).into()));
            seen.push((names[1], object.references.into()));
            seen.push((names[2], object.sequence.into()));
            seen.push((names[3], byte(object.bitmap)));
        }
        for (cpu, names) in
            state.cpus.iter().zip([["base 0", "copy 0", "last_sequence 0"], ["base 1", "copy 1", "last_sequence 1"]])
        {
            seen.push((names[0], cpu.base.has(Base::TSS).into()));
            seen.push((names[1], byte(cpu.copy)));
            seen.push((names[2], cpu.last_sequence.into()));
        }
        for (task, names) in
            state.tasks.iter().zip([["bitmap of task 0", "TIF of task 0"], ["bitmap of task 1", "TIF of task 1"]])
        {
            seen.push((names[0], task.bitmap.0.into()));
            seen.push((names[1], task.tif().into()));
        }
        seen
    }
}
