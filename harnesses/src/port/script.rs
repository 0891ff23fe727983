//! Runs that are recorded: what each thread does, for every engine. Replayed by `replay`.

use super::primitives::spawn;
use super::recorder::Recorder;
use super::{io_bitmap, iommu_flush, ldt, pkeys};
use crate::event::Event;
use std::sync::Arc;

/// pkeys: each thread makes its calls, one number each (see [`call`]).
pub fn pkeys(config: pkeys::Config, plans: [Vec<u8>; 2]) -> Vec<Event> {
    let mm = Arc::new(pkeys::Mm::new(config, 3, 0b1, Recorder::on()));
    let [mine, theirs] = plans;
    let other = spawn({
        let mm = Arc::clone(&mm);
        move || call(&mm, 1, &theirs)
    });
    call(&mm, 0, &mine);
    other.join().expect("the calls do not panic");
    mm.log.events()
}

/// The calls of one thread: allocate, or free, get or set key 1 or 2.
fn call(mm: &pkeys::Mm, slot: u8, plan: &[u8]) {
    let mut me = pkeys::Thread::new(mm, slot);
    for choice in plan {
        let key = 1 + choice / 8 % 2;
        // What a call returns is in the record.
        match choice % 8 {
            0..=2 => _ = me.alloc(),
            3 | 4 => _ = me.free(key),
            5 | 6 => _ = me.get(key),
            _ => _ = me.set(key),
        }
    }
}

/// ldt: CPU 0 calls `modify_ldt()` so many times, CPU 1 uses the LDT, walks and switches as planned.
pub fn ldt(config: ldt::Config, writes: u8, plan: Vec<u8>) -> Vec<Event> {
    let mm = Arc::new(ldt::Mm::new(config, &[true, true], Recorder::on()));
    let other = spawn({
        let mm = Arc::clone(&mm);
        move || {
            let mut here = true;
            for choice in plan {
                match choice % 4 {
                    0 if here => _ = mm.use_ldt(1),
                    1 | 2 if here => _ = mm.walk(1, choice % 4 - 1),
                    _ => {
                        if here {
                            mm.switch_out(1)
                        } else {
                            mm.switch_in(1)
                        }
                        here = !here;
                    }
                }
            }
        }
    });
    for descriptor in 1..=writes {
        mm.write_ldt(0, descriptor);
    }
    other.join().expect("CPU 1 does not panic");
    mm.log.events()
}

/// iommu-flush: CPU 0 unmaps and frees a page, the binder binds and unbinds so many times, and its device walks.
pub fn iommu_flush(config: iommu_flush::Config, binds: u8, walks: Vec<u8>) -> Vec<Event> {
    let kernel = Arc::new(iommu_flush::Kernel::new(config, Recorder::on()));
    let binder = spawn({
        let kernel = Arc::clone(&kernel);
        move || {
            for _ in 0..binds {
                kernel.bind();
                kernel.walk();
                kernel.unbind();
            }
        }
    });
    let device = spawn({
        let kernel = Arc::clone(&kernel);
        move || walks.iter().for_each(|_| kernel.walk())
    });
    kernel.unmap(0);
    binder.join().expect("bind and unbind do not panic");
    device.join().expect("the device does not panic");
    kernel.log.events()
}

/// io-bitmap: task 0 takes port 0 and forks; then both tasks change ports, each on its CPU, and exit.
pub fn io_bitmap(config: io_bitmap::Config, plans: [Vec<u8>; 2]) -> Vec<Event> {
    let kernel = Arc::new(io_bitmap::Kernel::new(config, Recorder::on()));
    let [mine, theirs] = plans;
    kernel.ioperm(0, 0, 0, true);
    kernel.fork_from_kernel(0, 0);
    let other = spawn({
        let kernel = Arc::clone(&kernel);
        move || {
            kernel.switch_to(1, 1);
            change(&kernel, 1, &theirs);
        }
    });
    change(&kernel, 0, &mine);
    other.join().expect("the calls do not panic");
    kernel.log.events()
}

/// A task changes ports on the CPU of the same number, and exits.
fn change(kernel: &io_bitmap::Kernel, task: usize, plan: &[u8]) {
    kernel.return_to_user(task, task);
    for choice in plan {
        if choice % 8 == 7 {
            kernel.interrupt(task);
        } else {
            kernel.ioperm(task, task, choice % 8 % 3, choice % 8 < 3);
        }
        kernel.return_to_user(task, task);
    }
    kernel.exit(task, task);
}
