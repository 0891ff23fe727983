//! io-bitmap: the ioperm bitmap, shared by reference count, and its copy in the TSS. The steps are those of
//! `models::io_bitmap`, in the form of 5.5 and later with preemption off from X1 to X3.
//!
//! A task is run by the thread of the CPU that it is on. Left out: the form of 2019, kernel threads, failed
//! allocations and forks, capabilities. The model has them; nothing in them is a question of memory order.

use super::primitives::{Byte, Lock, Object, Plain, Word64, smp_mb};
use super::recorder::Recorder;
use crate::event::Seen;

/// What breaks when a freed bitmap is read, or freed again.
pub const NO_USE_AFTER_FREE: &str = "no-use-after-free: no step reads a bitmap that was freed";
/// What breaks when nothing orders two accesses to a bitmap.
pub const NO_RACE_ON_BITMAP: &str = "no-data-race: a bitmap is written or freed while somebody reads it";

/// How a reference is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// `refcount_dec_and_test()`.
    DecAndTest,
    /// A decrement that orders nothing.
    Relaxed,
    /// A load and a store.
    LoadStore,
    /// The decrement is right; after M1 there is only a branch, as in the kernel.
    ReadRelaxed,
}

/// How a task gets from one CPU to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migrate {
    /// Both CPUs take the run-queue lock.
    RunQueueLock,
    /// Store-release and load-acquire of `on_cpu`.
    OnCpu,
    /// A marked flag that orders nothing.
    Unordered,
}

/// Where sequence numbers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// `atomic64_inc_return()`.
    Atomic,
    /// A load and a store, both marked.
    LoadStore,
    /// A plain `++`.
    Plain,
}

/// Which version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How a reference is dropped.
    pub count: Count,
    /// The original is let go of before it is duplicated.
    pub drops_before_duplicate: bool,
    /// M1 takes every bitmap for unshared.
    pub writes_shared: bool,
    /// exit frees the bitmap without looking at the count.
    pub frees_first: bool,
    /// How a task changes its CPU.
    pub migrate: Migrate,
    /// Where numbers come from.
    pub counter: Counter,
    /// The number is stored before the bit is changed.
    pub number_first: bool,
}

impl Config {
    /// The form of 5.5 and later, with preemption off in X1 to X3.
    pub const MAINLINE: Self = Self {
        count: Count::DecAndTest,
        drops_before_duplicate: false,
        writes_shared: false,
        frees_first: false,
        migrate: Migrate::RunQueueLock,
        counter: Counter::Atomic,
        number_first: false,
    };
}

/// Bitmaps in the heap.
const SLOTS: usize = 3;
/// No bitmap.
const NULL: u8 = 0;

/// `struct io_bitmap` without its count: the bits that are 0 (0 permits) and how many bytes they need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Content {
    sequence: u64,
    max: u8,
    permitted: u8,
}

#[derive(Debug)]
struct Slot {
    memory: Object<Content>,
    refcount: Byte,
}

/// What a task keeps: `thread.io_bitmap` (a slot, counted from 1) and `TIF_IO_BITMAP`.
#[derive(Clone, Copy, Debug)]
struct Task {
    bitmap: u8,
    tif: bool,
}

/// The TSS of a CPU.
#[derive(Clone, Copy, Debug)]
pub struct Tss {
    /// The base is VALID.
    pub valid: bool,
    /// The ports whose bit in the copy is 0.
    pub permitted: u8,
    prev_max: u8,
    last_sequence: u64,
}

/// Tasks, CPUs and the heap.
#[derive(Debug)]
pub struct Kernel {
    config: Config,
    tasks: [Plain<Task>; 2],
    tss: [Plain<Tss>; 2],
    slots: [Slot; SLOTS],
    heap: Lock,
    used: Plain<u8>,
    counter: Word64,
    counter_plain: Plain<u64>,
    run_queue: Lock,
    queued: Byte,
    /// The record of steps.
    pub log: Recorder,
}

impl Kernel {
    /// Task 0 runs on CPU 0 without a bitmap; there is no task 1 yet.
    pub fn new(config: Config, log: Recorder) -> Self {
        let task = || Plain::new(Task { bitmap: NULL, tif: false }, "no-data-race: the fields of a task");
        let tss = || {
            let tss = Tss { valid: false, permitted: 0, prev_max: 0, last_sequence: 0 };
            Plain::new(tss, "no-data-race: the TSS of a CPU")
        };
        let slot =
            |_| Slot { memory: Object::unallocated(NO_USE_AFTER_FREE, NO_RACE_ON_BITMAP), refcount: Byte::new(0) };
        Self {
            config,
            tasks: [task(), task()],
            tss: [tss(), tss()],
            slots: std::array::from_fn(slot),
            heap: Lock::unheld(),
            used: Plain::new(0, "no-data-race: the heap"),
            counter: Word64::new(0),
            counter_plain: Plain::new(0, "no-data-race: the counter of sequence numbers"),
            run_queue: Lock::unheld(),
            queued: Byte::new(0),
            log,
        }
    }

    /// The TSS of a CPU, for whoever runs there.
    pub fn tss(&self, cpu: usize) -> Tss {
        self.tss[cpu].read()
    }
    /// How many bitmaps are allocated, and the references that they count. Nothing is under way.
    pub fn allocated(&self) -> (usize, usize) {
        let alive = self.slots.iter().filter(|slot| slot.memory.is_allocated());
        alive.fold((0, 0), |(n, sum), slot| (n + 1, sum + usize::from(slot.refcount.read_once())))
    }
    /// The slots of the bitmaps of both tasks: they tell who duplicated. Nothing is under way.
    pub fn slots_of_tasks(&self) -> [u8; 2] {
        [self.tasks[0].read().bitmap, self.tasks[1].read().bitmap]
    }
    /// The number of the bitmap of a task. Nothing is under way.
    pub fn sequence(&self, task: usize) -> u64 {
        self.slot(self.tasks[task].read().bitmap).memory.read().sequence
    }

    fn seen(&self) -> Seen {
        const NAMES: [[&str; 4]; 3] = [
            ["allocated 0", "references 0", "sequence 0", "permitted 0"],
            ["allocated 1", "references 1", "sequence 1", "permitted 1"],
            ["allocated 2", "references 2", "sequence 2", "permitted 2"],
        ];
        let mut seen = vec![("counter", self.counter.read_once() as i64)];
        for (slot, names) in self.slots.iter().zip(NAMES) {
            let alive = slot.memory.is_allocated();
            let blank = Content { sequence: 0, max: 0, permitted: 0 };
            let content = if alive { slot.memory.read() } else { blank };
            seen.push((names[0], alive.into()));
            seen.push((names[1], if alive { slot.refcount.read_once().into() } else { 0 }));
            seen.push((names[2], content.sequence as i64));
            seen.push((names[3], (content.max << 4 | content.permitted).into()));
        }
        for (tss, names) in
            self.tss.iter().zip([["base 0", "copy 0", "last_sequence 0"], ["base 1", "copy 1", "last_sequence 1"]])
        {
            let tss = tss.read();
            seen.push((names[0], tss.valid.into()));
            seen.push((names[1], (tss.prev_max << 4 | tss.permitted).into()));
            seen.push((names[2], tss.last_sequence as i64));
        }
        for (task, names) in
            self.tasks.iter().zip([["bitmap of task 0", "TIF of task 0"], ["bitmap of task 1", "TIF of task 1"]])
        {
            let task = task.read();
            seen.push((names[0], task.bitmap.into()));
            seen.push((names[1], task.tif.into()));
        }
        seen
    }

    fn step<R>(
        &self,
        cpu: usize,
        label: &'static str,
        effect: impl FnOnce() -> R,
        argument: impl FnOnce(&R) -> i64,
    ) -> R {
        self.log.step(cpu as u8, label, effect, |result| Some(argument(result)), || self.seen())
    }
    fn do_step<R>(&self, cpu: usize, label: &'static str, effect: impl FnOnce() -> R) -> R {
        self.step(cpu, label, effect, |_| 0)
    }
    fn note(&self, cpu: usize, label: &'static str, argument: i64) {
        self.step(cpu, label, || (), |()| argument);
    }
    fn slot(&self, pointer: u8) -> &Slot {
        &self.slots[usize::from(pointer) - 1]
    }

    // ---- the heap and the count ----

    /// `kmalloc()` of a bitmap with this content and one reference: the lowest free slot.
    fn allocate(&self, content: Content) -> u8 {
        let _heap = self.heap.lock();
        let slot = self.used.read().trailing_ones() as usize;
        self.used.write(self.used.read() | 1 << slot);
        self.slots[slot].memory.allocate(content);
        self.slots[slot].refcount.write_once(1);
        slot as u8 + 1
    }
    fn free(&self, pointer: u8) {
        let _heap = self.heap.lock();
        self.slot(pointer).memory.free();
        self.used.write(self.used.read() & !(1 << (pointer - 1)));
    }
    fn drop_reference(&self, pointer: u8) -> bool {
        let count = &self.slot(pointer).refcount;
        match self.config.count {
            Count::DecAndTest | Count::ReadRelaxed => count.refcount_dec_and_test(),
            Count::Relaxed => count.dec_return_relaxed() == 0,
            Count::LoadStore => {
                // In full order, so that nothing but the lost decrement is left to go wrong.
                smp_mb();
                let left = count.read_once_before_store() - 1;
                count.write_once(left);
                smp_mb();
                left == 0
            }
        }
    }

    // ---- ioperm() ----

    /// `ioperm()` of one port by `task` on `cpu`.
    pub fn ioperm(&self, cpu: usize, task: usize, port: u8, turn_on: bool) {
        self.note(cpu, "I1CheckCapability", i64::from(port) | i64::from(turn_on) << 2);
        let me = &self.tasks[task];
        let found = me.read().bitmap;
        if found == NULL && !turn_on {
            self.note(cpu, "I2Allocate", 0);
            return;
        }
        let mut local = found;
        if found == NULL {
            let blank = Content { sequence: 0, max: 0, permitted: 0 };
            local = self.step(cpu, "I2Allocate", || self.allocate(blank), |slot| (*slot).into());
        } else {
            self.note(cpu, "I2Allocate", 0);
        }
        let shared = self.do_step(cpu, "M1ReadCount", || self.is_shared(local));
        if shared {
            local = self.unshare(cpu, task, local);
        }
        self.do_step(cpu, "I8StorePointer", || me.write(Task { bitmap: local, ..me.read() }));
        self.do_step(cpu, "I9SetFlag", || me.write(Task { tif: true, ..me.read() }));
        if self.config.number_first {
            self.renew_number(cpu, local);
        }
        self.edit(cpu, task, local, port, turn_on);
    }

    /// M1. Who finds one reference owns the bitmap and may write to it, after whoever dropped the other one has read
    /// it. The kernel has a control dependency there, which by its own model orders marked writes only; C11 needs an
    /// acquire.
    fn is_shared(&self, pointer: u8) -> bool {
        let count = &self.slot(pointer).refcount;
        let references = match self.config.count {
            Count::ReadRelaxed | Count::LoadStore => count.read_once_before_store(),
            _ => count.load_acquire_before_change(),
        };
        references > 1 && !self.config.writes_shared
    }

    /// M2 and X1 to X5: a bitmap of one's own in place of the shared one.
    fn unshare(&self, cpu: usize, task: usize, shared: u8) -> u8 {
        if self.config.drops_before_duplicate {
            self.let_go(cpu, task);
            return self.allocate(self.slot(shared).memory.read());
        }
        let copy = || self.allocate(self.slot(shared).memory.read());
        let own = self.step(cpu, "M2Duplicate", copy, |slot| (*slot).into());
        self.let_go(cpu, task);
        own
    }

    /// I4 to I7.
    fn edit(&self, cpu: usize, task: usize, local: u8, port: u8, turn_on: bool) {
        let object = &self.slot(local).memory;
        self.do_step(cpu, "I4ChangeBit", || {
            let content = object.read();
            let bit = 1 << port;
            let permitted = if turn_on { content.permitted | bit } else { content.permitted & !bit };
            object.write(Content { permitted, ..content });
        });
        let max = self.do_step(cpu, "I5FindMax", || 8 - object.read().permitted.leading_zeros() as u8);
        if max == 0 {
            self.let_go(cpu, task);
            return;
        }
        self.do_step(cpu, "I6StoreMax", || object.write(Content { max, ..object.read() }));
        if !self.config.number_first {
            self.renew_number(cpu, local);
        }
    }

    /// I7.
    fn renew_number(&self, cpu: usize, local: u8) {
        let object = &self.slot(local).memory;
        self.do_step(cpu, "I7TakeNumber", || {
            let sequence = self.take_number();
            object.write(Content { sequence, ..object.read() });
        });
    }
    fn take_number(&self) -> u64 {
        match self.config.counter {
            Counter::Atomic => self.counter.inc_return_relaxed(),
            Counter::LoadStore => {
                let number = self.counter.read_once_before_store() + 1;
                self.counter.write_once(number);
                number
            }
            Counter::Plain => {
                let number = self.counter_plain.read() + 1;
                self.counter_plain.write(number);
                number
            }
        }
    }

    /// `io_bitmap_exit()`: X1 to X5, with preemption off up to X3.
    fn let_go(&self, cpu: usize, task: usize) {
        let me = &self.tasks[task];
        self.note(cpu, "I3PreemptOff", 0);
        let old = self.do_step(cpu, "X1ClearPointer", || {
            let old = me.read().bitmap;
            me.write(Task { bitmap: NULL, ..me.read() });
            old
        });
        self.do_step(cpu, "X2ClearFlag", || me.write(Task { tif: false, ..me.read() }));
        self.do_step(cpu, "X3BaseInvalid", || self.set_base(cpu, false));
        self.note(cpu, "I12PreemptOn", 0);
        if self.config.frees_first {
            self.free(old);
        } else if self.do_step(cpu, "X4DropReference", || self.drop_reference(old)) {
            self.do_step(cpu, "X5Free", || self.free(old));
        }
    }

    fn set_base(&self, cpu: usize, valid: bool) {
        self.tss[cpu].write(Tss { valid, ..self.tss[cpu].read() });
    }

    // ---- the way out, fork, exit, scheduling ----

    /// An interrupt takes a task out of user mode.
    pub fn interrupt(&self, cpu: usize) {
        self.note(cpu, "Interrupt", 0);
    }

    /// The way out to user mode: `tss_update_io_bitmap()` if the task has the flag.
    pub fn return_to_user(&self, cpu: usize, task: usize) {
        let tif = self.do_step(cpu, "ReturnToUser", || self.tasks[task].read().tif);
        if !tif {
            return;
        }
        let (tss, object) = (&self.tss[cpu], &self.slot(self.tasks[task].read().bitmap).memory);
        let same = self.do_step(cpu, "U1Compare", || tss.read().last_sequence == object.read().sequence);
        if !same {
            self.do_step(cpu, "U2Copy", || {
                let (content, now) = (object.read(), tss.read());
                let bytes = (1 << content.max.max(now.prev_max)) - 1;
                let permitted = now.permitted & !bytes | content.permitted & bytes;
                tss.write(Tss { permitted, ..now });
            });
            self.do_step(cpu, "U3Record", || {
                let content = object.read();
                tss.write(Tss { prev_max: content.max, last_sequence: content.sequence, ..tss.read() });
            });
        }
        self.do_step(cpu, "U4BaseValid", || self.set_base(cpu, true));
    }

    /// Task 0 on `cpu` forks task 1, which inherits the bitmap.
    pub fn fork(&self, cpu: usize) {
        self.note(cpu, "F1CopyTask", 0);
        self.do_step(cpu, "F2GiveBitmap", || {
            let parent = self.tasks[0].read();
            if parent.tif {
                self.slot(parent.bitmap).refcount.refcount_inc();
                self.tasks[1].write(parent);
            }
        });
        self.note(cpu, "F3ChildRuns", 0);
    }

    /// The same for a task that has to come back from another call first.
    pub fn fork_from_kernel(&self, cpu: usize, task: usize) {
        self.return_to_user(cpu, task);
        self.fork(cpu);
    }

    /// `cpu`, which was idle, runs `task`.
    pub fn switch_to(&self, cpu: usize, task: usize) {
        self.note(cpu, "SwitchTo", task as i64);
    }

    /// `task` exits on `cpu`.
    pub fn exit(&self, cpu: usize, task: usize) {
        let has_bitmap = self.do_step(cpu, "X0Exit", || self.tasks[task].read().tif);
        if has_bitmap {
            self.let_go(cpu, task);
        }
    }

    /// The old CPU lets go of a task that another CPU may run from now on.
    pub fn hand_over(&self) {
        match self.config.migrate {
            Migrate::RunQueueLock => {
                let _held = self.run_queue.lock();
                self.queued.write_once(1);
            }
            Migrate::OnCpu => self.queued.store_release(1),
            Migrate::Unordered => self.queued.write_once(1),
        }
    }
    /// Another CPU takes the task, if it may.
    pub fn take_over(&self) -> bool {
        match self.config.migrate {
            Migrate::RunQueueLock => {
                let _held = self.run_queue.lock();
                self.queued.read_once() == 1
            }
            Migrate::OnCpu => self.queued.load_acquire() == 1,
            Migrate::Unordered => self.queued.read_once() == 1,
        }
    }
}

/// How a bitmap is edited where another CPU may compare its number and copy it without a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remote {
    /// Content, then store-release of the number; load-acquire of the number, then the copy.
    Release,
    /// The same order with marked accesses only.
    Once,
    /// The number is stored before the content, with release.
    SequenceFirst,
    /// An odd number during the edit, and a second look at the number after the copy.
    Recheck,
    /// The same without the barriers.
    RecheckUnordered,
}

/// A bitmap that is edited in place and copied without a lock. All accesses are marked.
#[derive(Debug)]
pub struct SharedBitmap {
    remote: Remote,
    number: Byte,
    bits: Byte,
}

impl SharedBitmap {
    /// Number 0 with bits 0.
    pub fn new(remote: Remote) -> Self {
        Self { remote, number: Byte::new(0), bits: Byte::new(0) }
    }
    /// The edit number `edit` makes the bits `edit`.
    pub fn edit(&self, edit: u8) {
        match self.remote {
            Remote::Release => {
                self.bits.write_once(edit);
                self.number.store_release(edit);
            }
            Remote::Once => {
                self.bits.write_once(edit);
                self.number.write_once(edit);
            }
            Remote::SequenceFirst => {
                self.number.store_release(edit);
                self.bits.store_release(edit);
            }
            Remote::Recheck | Remote::RecheckUnordered => {
                self.number.write_once(2 * edit - 1);
                self.barrier();
                self.bits.write_once(edit);
                self.barrier();
                self.number.write_once(2 * edit);
            }
        }
    }
    fn barrier(&self) {
        if self.remote == Remote::Recheck {
            smp_mb();
        }
    }
    /// The number and the bits that were copied under it; `None` if it must be tried again.
    pub fn copy(&self) -> Option<(u8, u8)> {
        match self.remote {
            Remote::Release => {
                let number = self.number.load_acquire();
                Some((number, self.bits.read_once()))
            }
            Remote::Once => Some((self.number.read_once(), self.bits.read_once())),
            Remote::SequenceFirst => Some((self.number.load_acquire(), self.bits.load_acquire())),
            Remote::Recheck | Remote::RecheckUnordered => {
                let before = self.number.read_once();
                self.barrier();
                let bits = self.bits.read_once();
                self.barrier();
                let after = self.number.read_once();
                (before == after && before.is_multiple_of(2)).then_some((before / 2, bits))
            }
        }
    }
}
