//! The ioperm bitmap of a task, its copy in the TSS of a CPU, and the sequence number that saves the copying.
//!
//! # Claim
//! Whenever a task runs in user mode, the ports that the hardware lets it touch are exactly the ports that it was
//! granted: by its own calls of `ioperm()`, or by inheritance at fork. No step follows a null pointer or reads a freed
//! bitmap, and no bitmap is lost. The update on exit to user mode of Linux 5.5 and later has this property only if the
//! flag is cleared with preemption off, see the variants `mainline` and `mainline-v2`.
//!
//! # Source
//! `arch/x86/kernel/ioport.c` (`ksys_ioperm()`, `io_bitmap_share()`, `io_bitmap_exit()`, `task_update_io_bitmap()`) and
//! `arch/x86/kernel/process.c` (`switch_to_bitmap()`, `tss_update_io_bitmap()`, `tss_copy_io_bitmap()`,
//! `copy_thread()`, `exit_thread()`), in two forms:
//! - *at switch*: "\[patch V2 08/16\] x86/ioperm: Add bitmap sequence number", 11 November 2019. `ioperm()` writes the
//!   TSS itself, a context switch compares and copies; every task has an object of its own.
//! - *at exit*: mainline since 5.5. `ioperm()` only edits the object, the way out to user mode compares and copies
//!   (22fe5b0439dd); objects are shared by reference count and copied on write.
//!
//! ```text
//!   ioperm(), at switch           ioperm(), at exit             context switch (interrupts off)
//!   I1  check the capability      I1  check the capability      SwitchTo  leave the old task
//!   I2  find or allocate object   I2  find or allocate object   U1..U4    at switch, if the new task has TIF
//!   I3  preemption off, take TSS  M1  read the reference count
//!   I4  change the bit            M2  duplicate, if shared      exit to user mode (interrupts off)
//!   I5  find the last 0 bit       X1..X5 let go of the original ReturnToUser
//!   I6  store max                 I8  pointer = object          U1..U4    at exit, if the task has TIF
//!   I7  sequence = ++counter      I9  set TIF
//!   I8  pointer = object          I4  change the bit            update of the TSS
//!   I9  set TIF                   I5  find the last 0 bit       U1  compare the sequence number
//!   I10 copy into the TSS         X1..X5 if no bit is left      U2  copy the bytes
//!   U3  record what was copied    I6  store max                 U3  record prev_max, sequence, pointer
//!   I11 base = VALID              I7  sequence = ++counter      U4  base = VALID
//!   I12 preemption on
//!
//!   letting go of an object       fork                          In form `recorded` I10 and U3 come before I8,
//!   X1  pointer = NULL            F1  copy the task             as they did before the patch moved them.
//!   X2  clear TIF                 F2  copy or share the object  `posted` has no U3.
//!   X3  base = INVALID            F3  the child may run, or
//!   X4  drop the reference        F4  a later part failed
//!   X5  free                      Preemption: off before X1 (at switch, V2), or only around X3 (mainline).
//! ```
//!
//! # Assumptions
//! - A1: steps are sequentially consistent. Everything but the reference count, the counter and a shared object is
//!   written by one CPU only; the barriers of a context switch order a task's own fields between CPUs.
//! - A2: a port has its bit in a byte of its own, so every port has another length. Ports that share a byte differ from
//!   one port only in being granted together; the length rules see bytes.
//! - A3: a step that follows a null pointer or touches a freed object stops the machine (an oops, or KASAN with
//!   `panic_on_warn`). What the kernel would do afterwards is not modelled.
//! - A4: freed memory keeps nothing, and a new object has the number 0, that of a CPU that never copied. `kmalloc()`
//!   returns garbage there; the number is stored before any other step compares it, or the copy is wrong here too.
//! - A5: an address matters only where a CPU compares it with `last_bitmap`. Of the free slots that no CPU remembers the
//!   lowest stands for all; each free slot that a CPU does remember is tried as well.
//! - A6: numbers are only compared. With `calls=0` the numbers in play are replaced by their ranks whenever one goes
//!   out of play, so the run has any number of calls and the counter still is finite; with `calls=N` the counter is
//!   kept as it is, and no call begins that could take the number N + 1.
//! - A7: `iopl()`, `exec()`, CPU hotplug and the TSS limit (`refresh_tss_limit()`) are left out. `iopl(3)` uses a second
//!   bitmap of zeros that nobody writes; its flag logic is not claimed to be right here.
//! - A8: an involuntary context switch to another task may happen wherever preemption is on, also in the kernel
//!   (`CONFIG_PREEMPT`), except in variants that say otherwise. A CPU goes idle only where its task sleeps, waits on its
//!   way to user mode, or is dead; the migration thread is not modelled, a task moves when another one takes its CPU.
//!   Interrupts are off from `SwitchTo` or `ReturnToUser` to the end of U4.
//! - A9: two tasks never share one pointer field: `task.bitmap` of a child is written by its parent before it can run.
//!   So F2 stores the child's pointer and flag in the same step in which it takes the reference.
//! - A10: `CAP_SYS_RAWIO` is lost only between fork and the child's first step (as a daemon does that drops its
//!   privileges in a child), and never comes back.
//! - A11: kernel threads are started by tasks (I/O workers, `copy_thread()` with `args->fn`). They never go to user
//!   mode. In the form of 2019 they inherit nothing, as kernel threads came from `kthreadd` then.
//! - A12: a reference count that comes to 7 stays there for ever, as `refcount_t` does at its own limit. Only a form that
//!   loses references gets there.
//! - A13: U1 to U4 stand in the state of the CPU, not of the task. Nobody else can be switched in meanwhile; a variant
//!   that would allow it is not faithful beyond that switch.
//!
//! # Bounds
//! The parameters: CPUs, tasks that live at once, ports, objects, and with `calls=N` the numbers that are handed out. The
//! number of forks, exits, switches and, with `calls=0`, of calls is not bounded.
//! - Two CPUs suffice for every race in which one CPU's copy is stale while another CPU changes the object. A third would
//!   let a copy survive on one CPU while two others change, share and free at once.
//! - Two tasks share one object between a reader and a writer. Three are needed for two writers with a reader, and for
//!   a kernel thread that forks.
//! - Two ports tell a length of one byte from one of two. Three add nothing but time so far.
//! - When all objects are in use an allocation fails, as it may at any time.

mod invariant;
pub mod properties;
mod step;
#[cfg(test)]
mod tests;
mod variants;
mod view;

use std::hash::{Hash, Hasher};

use crate::machine::{Invariant, Machine, Panel, Parameter, Property, Size, StepKind, Variant};

/// Most CPUs in a state.
pub const MAX_CPUS: usize = 2;
/// Most tasks that live at once.
pub const MAX_TASKS: usize = 3;
/// Most objects that are allocated at once.
pub const MAX_SLOTS: usize = 3;
/// Most ports, each in a byte of its own.
pub const MAX_PORTS: u8 = 3;
/// Where `refcount_t` stays once it got there; more than all tasks and their local variables can hold.
pub const SATURATED: u8 = 7;
/// The number of a CPU's idle task, which has no flag, no bitmap and no user mode.
pub const IDLE: u8 = MAX_TASKS as u8;

/// A set of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ports(pub u8);

impl Ports {
    /// No port.
    pub const NONE: Self = Self(0);

    /// One port.
    pub const fn one(port: u8) -> Self {
        Self(1 << port)
    }
    /// The ports whose bits stand in the first `bytes` bytes.
    pub const fn in_first(bytes: u8) -> Self {
        Self((1 << bytes) - 1)
    }
    /// Ports of both sets.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
    /// Ports of either set.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// Ports of this set that are not in the other.
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
    /// The number of leading bytes that hold the bits of all ports of the set.
    pub const fn bytes(self) -> u8 {
        8 - self.0.leading_zeros() as u8
    }
}

/// A bitmap and the number of its leading bytes that may hold a 0 bit: `bitmap` and `max` of an object, or
/// `io_bitmap.bitmap` and `prev_max` of a TSS. The low half is the set of ports whose bit is 0 (0 permits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bitmap(u8);

impl Bitmap {
    /// All bytes 0xff, length 0.
    pub const DENY_ALL: Self = Self(0);

    /// The ports whose bit is 0.
    pub const fn permitted(self) -> Ports {
        Ports(self.0 & 0x0f)
    }
    /// `max`, or `prev_max`.
    pub const fn max(self) -> u8 {
        self.0 >> 4
    }
    /// The same length with other bits.
    #[must_use]
    pub const fn with_permitted(self, ports: Ports) -> Self {
        Self((self.0 & 0xf0) | ports.0)
    }
    /// The same bits with another length.
    #[must_use]
    pub const fn with_max(self, max: u8) -> Self {
        Self((self.0 & 0x0f) | (max << 4))
    }
    /// `memcpy()` of the first `bytes` bytes of `source`; the length that goes with this bitmap stays.
    #[must_use]
    pub const fn copy_from(self, source: Self, bytes: u8) -> Self {
        let copied = Ports::in_first(bytes);
        self.with_permitted(self.permitted().minus(copied).or(source.permitted().and(copied)))
    }
}

/// A pointer to an object: null, or the number of its slot in the heap, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pointer(pub u8);

impl Pointer {
    /// The null pointer.
    pub const NULL: Self = Self(0);
    /// Pointer to the slot with this index.
    pub const fn to(slot: usize) -> Self {
        Self(slot as u8 + 1)
    }
    /// The index of the slot, unless the pointer is null.
    pub const fn slot(self) -> Option<usize> {
        match self.0 {
            0 => None,
            slot => Some(slot as usize - 1),
        }
    }
}

/// What a task does next: its place in the kernel, or user mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum At {
    /// There is no such task.
    Unborn,
    /// A child under construction: not yet on a run queue.
    Forked,
    /// Runs user code, and so is the current task of a CPU.
    User,
    /// In the kernel, with nothing left to do but to return to user mode. Where kernel threads live.
    Kernel,
    /// On the way out to user mode with interrupts off, while the TSS is updated.
    ToUser,
    /// Has let go of everything; the next context switch buries it.
    Dead,
    /// Before I2.
    Allocate,
    /// Before I3.
    PreemptOff,
    /// Before I4.
    ChangeBit,
    /// Before I5.
    FindMax,
    /// Before I6.
    StoreMax,
    /// Before I7.
    TakeNumber,
    /// In the middle of I7: the counter was read, the sum not yet stored (only where it is not atomic).
    StoreNumber,
    /// Before I8.
    StorePointer,
    /// Before I9.
    SetFlag,
    /// Before I10.
    CopyToTss,
    /// Between I10 and I11, before U3.
    Record,
    /// Before I11.
    BaseValid,
    /// Before I12.
    PreemptOn,
    /// Before M1.
    ReadCount,
    /// Before M2.
    Duplicate,
    /// Lets go of an object: before preemption goes off.
    ExitPreemptOff,
    /// Before X1.
    ClearPointer,
    /// Before X2.
    ClearFlag,
    /// Before X3.
    BaseInvalid,
    /// Lets go of an object: before preemption goes on.
    ExitPreemptOn,
    /// Before X4.
    DropReference,
    /// Before X5.
    Free,
    /// Before F2.
    GiveBitmap,
    /// Before F3 or F4.
    FinishFork,
}

/// Where a task goes on after it let go of an object (X1 to X5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum After {
    /// It does not let go of anything.
    Nothing,
    /// `ioperm()` continues with I8 and the duplicate.
    Duplicated,
    /// `ioperm()` continues with M2 (only where it drops first and duplicates then).
    DuplicateNext,
    /// `ioperm()` returns: no permission was left.
    Returned,
    /// The task is dead.
    Exited,
    /// `fork()` returns with an error.
    ForkFailed,
}

/// The local variables of a task in the kernel, in one byte. Dead values are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Work(u8);

impl Work {
    /// No local variable is alive.
    pub const NONE: Self = Self(0);

    /// The arguments of `ioperm()`, alive until I4.
    pub const fn call(port: u8, turn_on: bool) -> Self {
        Self(port | (turn_on as u8) << 2)
    }
    /// The child of `fork()`, alive until F3 or the end of F4.
    pub const fn fork(child: usize) -> Self {
        Self(child as u8)
    }
    /// A port, a number of bytes or a child, whichever is alive.
    pub const fn value(self) -> u8 {
        self.0 & 0b11
    }
    /// Whether `ioperm()` grants.
    pub const fn turn_on(self) -> bool {
        self.0 & 0b100 != 0
    }
    /// The CPU whose TSS `ioperm()` took in I3.
    pub const fn tss(self) -> usize {
        (self.0 >> 3 & 1) as usize
    }
    /// Where to go on after X5.
    pub const fn after(self) -> After {
        match self.0 >> 4 {
            1 => After::Duplicated,
            2 => After::DuplicateNext,
            3 => After::Returned,
            4 => After::Exited,
            5 => After::ForkFailed,
            _ => After::Nothing,
        }
    }
    /// The same with the arguments dead and `value` in their place.
    #[must_use]
    pub const fn with_value(self, value: u8) -> Self {
        Self(self.0 & !0b111 | value)
    }
    /// The same with the TSS of `cpu` taken.
    #[must_use]
    pub const fn with_tss(self, cpu: usize) -> Self {
        Self(self.0 & !0b1000 | (cpu as u8) << 3)
    }
    /// The same with another place to go on.
    #[must_use]
    pub const fn with_after(self, after: After) -> Self {
        Self(self.0 & 0x0f | (after as u8) << 4)
    }
}

/// A task: what `task_struct` keeps of it, its place and local variables, and what it was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Task {
    /// What it does next.
    pub at: At,
    /// `thread.io_bitmap`.
    pub bitmap: Pointer,
    /// Local `iobm` of `ioperm()`.
    pub local: Pointer,
    /// Local `iobm` of `io_bitmap_exit()`: the object that is let go of.
    pub old: Pointer,
    /// `TIF_IO_BITMAP`, and two facts that never change in a task's life.
    pub flags: Flags,
    /// Other local variables.
    pub work: Work,
    /// Ghost: the ports that this task was granted and not denied since. No step reads it.
    pub granted: Ports,
}

/// Flags of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flags(u8);

impl Flags {
    /// A user task with `CAP_SYS_RAWIO` and without `TIF_IO_BITMAP`.
    pub const NONE: Self = Self(0);
    /// `TIF_IO_BITMAP`.
    pub const TIF: Self = Self(1);
    /// A kernel thread.
    pub const KTHREAD: Self = Self(2);
    /// Has no `CAP_SYS_RAWIO`.
    pub const UNPRIVILEGED: Self = Self(4);

    /// Whether the flag is set.
    pub const fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }
    /// The same with the flag set or cleared.
    #[must_use]
    pub const fn with(self, flag: Self, set: bool) -> Self {
        Self(if set { self.0 | flag.0 } else { self.0 & !flag.0 })
    }
}

impl Task {
    fn bytes(&self) -> [u8; 7] {
        let Self { at, bitmap, local, old, flags, work, granted } = *self;
        [at as u8, bitmap.0, local.0, old.0, flags.0, work.0, granted.0]
    }
    /// No task.
    pub const UNBORN: Self = Self {
        at: At::Unborn,
        bitmap: Pointer::NULL,
        local: Pointer::NULL,
        old: Pointer::NULL,
        flags: Flags::NONE,
        work: Work::NONE,
        granted: Ports::NONE,
    };
    /// `TIF_IO_BITMAP`.
    pub const fn tif(&self) -> bool {
        self.flags.has(Flags::TIF)
    }
    /// A kernel thread: it never goes to user mode.
    pub const fn kthread(&self) -> bool {
        self.flags.has(Flags::KTHREAD)
    }
    /// Has `CAP_SYS_RAWIO`.
    pub const fn capable(&self) -> bool {
        !self.flags.has(Flags::UNPRIVILEGED)
    }
}

/// How far a CPU is with `switch_to_bitmap()` or `tss_update_io_bitmap()`; interrupts are off meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Phase {
    /// Not in there.
    Idle,
    /// Before U1.
    Compare,
    /// Before U2.
    Copy,
    /// Before U3.
    Record,
    /// Before U4.
    Valid,
    /// A null pointer was followed, or a freed object touched. The machine stops.
    Oops,
}

/// Who looks where for the bitmap: `x86_tss.io_bitmap_base`, and the limit that a hypervisor was told
/// (`PHYSDEVOP_set_iobitmap`) if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Base(u8);

impl Base {
    /// Both INVALID.
    pub const INVALID: Self = Self(0);
    /// VALID in the TSS.
    pub const TSS: Self = Self(1);
    /// VALID for the hypervisor.
    pub const HYPERVISOR: Self = Self(2);

    /// Whether this base is VALID.
    pub const fn has(self, base: Self) -> bool {
        self.0 & base.0 != 0
    }
    /// The same with one base VALID or INVALID.
    #[must_use]
    pub const fn with(self, base: Self, valid: bool) -> Self {
        Self(if valid { self.0 | base.0 } else { self.0 & !base.0 })
    }
}

/// A CPU and its TSS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Cpu {
    /// The task that runs here, or [`IDLE`].
    pub current: u8,
    /// How far it is with updating its TSS.
    pub phase: Phase,
    /// `__preempt_count` is not 0.
    pub preempt_off: bool,
    /// Where the bitmap is looked for.
    pub base: Base,
    /// The copy of the bitmap, and `prev_max`.
    pub copy: Bitmap,
    /// `last_bitmap`, only compared; null in forms that do not have it.
    pub last_bitmap: Pointer,
    /// `last_sequence`, later `prev_sequence`.
    pub last_sequence: u8,
}

/// An object: `struct io_bitmap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Object {
    /// `bitmap` and `max`.
    pub bitmap: Bitmap,
    /// `sequence`.
    pub sequence: u8,
    /// `refcnt`; 1 as long as it lives in forms that do not have it.
    pub references: u8,
}

impl Cpu {
    fn bytes(&self) -> [u8; 7] {
        let Self { current, phase, preempt_off, base, copy, last_bitmap, last_sequence } = *self;
        [current, phase as u8, preempt_off as u8, base.0, copy.0, last_bitmap.0, last_sequence]
    }
}

impl Object {
    fn bytes(&self) -> [u8; 3] {
        let Self { bitmap, sequence, references } = *self;
        [bitmap.0, sequence, references]
    }
    /// Free memory.
    pub const BLANK: Self = Self { bitmap: Bitmap::DENY_ALL, sequence: 0, references: 0 };
    /// As `ioperm()` allocates it: all bytes 0xff.
    pub const NEW: Self = Self { references: 1, ..Self::BLANK };
}

/// What the kernel and the hardware keep.
#[derive(Clone, Copy, Debug, Eq)]
#[repr(C, align(16))]
pub struct State {
    /// The CPUs; those that do not exist are idle for ever.
    pub cpus: [Cpu; MAX_CPUS],
    /// The tasks.
    pub tasks: [Task; MAX_TASKS],
    /// The heap.
    pub objects: [Object; MAX_SLOTS],
    /// Which slots of the heap are allocated, one bit each.
    pub allocated: u8,
    /// `io_bitmap_sequence`, the last number handed out.
    pub counter: u8,
}

impl State {
    /// Whether the slot is allocated.
    pub const fn is_allocated(&self, slot: usize) -> bool {
        self.allocated & 1 << slot != 0
    }
    /// The task that runs on a CPU, unless that is idle.
    pub fn current(&self, cpu: usize) -> Option<&Task> {
        self.tasks.get(self.cpus[cpu].current as usize)
    }
    /// Whether the machine has stopped.
    pub fn crashed(&self) -> bool {
        self.cpus[0].phase == Phase::Oops || self.cpus[1].phase == Phase::Oops
    }
}

impl State {
    /// All that is kept, in few words, because every step leads to a comparison and a hash. The fields
    /// stand in their order in memory, so that a word is one load.
    #[inline]
    fn words(&self) -> [u64; 6] {
        let Self { cpus: [a, b], tasks: [t, u, v], objects: [x, y, z], allocated, counter } = self;
        let ([a0, a1, a2, a3, a4, a5, a6], [b0, b1, b2, b3, b4, b5, b6]) = (a.bytes(), b.bytes());
        let ([t0, t1, t2, t3, t4, t5, t6], [u0, u1, u2, u3, u4, u5, u6]) = (t.bytes(), u.bytes());
        let ([v0, v1, v2, v3, v4, v5, v6], [x0, x1, x2]) = (v.bytes(), x.bytes());
        let ([y0, y1, y2], [z0, z1, z2]) = (y.bytes(), z.bytes());
        [
            u64::from_le_bytes([a0, a1, a2, a3, a4, a5, a6, b0]),
            u64::from_le_bytes([b1, b2, b3, b4, b5, b6, t0, t1]),
            u64::from_le_bytes([t2, t3, t4, t5, t6, u0, u1, u2]),
            u64::from_le_bytes([u3, u4, u5, u6, v0, v1, v2, v3]),
            u64::from_le_bytes([v4, v5, v6, x0, x1, x2, y0, y1]),
            u64::from_le_bytes([y2, z0, z1, z2, *allocated, *counter, 0, 0]),
        ]
    }
}

impl PartialEq for State {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let pairs = self.words().into_iter().zip(other.words());
        pairs.fold(0, |differences, (mine, others)| differences | mine ^ others) == 0
    }
}

impl Hash for State {
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.words().into_iter().for_each(|word| hasher.write_u64(word));
    }
}

/// The labels of the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "`KINDS` says what each of them does")]
pub enum Kind {
    Interrupt,
    SwitchTo,
    ReturnToUser,
    U1Compare,
    U2Copy,
    U3Record,
    U4BaseValid,
    I1CheckCapability,
    I2Allocate,
    AllocationFails,
    I3PreemptOff,
    I4ChangeBit,
    I5FindMax,
    I6StoreMax,
    I7TakeNumber,
    I8StorePointer,
    I9SetFlag,
    I10CopyToTss,
    I11BaseValid,
    I12PreemptOn,
    M1ReadCount,
    M2Duplicate,
    X0Exit,
    X1ClearPointer,
    X2ClearFlag,
    X3BaseInvalid,
    X4DropReference,
    X5Free,
    F1CopyTask,
    F2GiveBitmap,
    F3ChildRuns,
    F4Fails,
}

/// One step of the current task of a CPU, or of the CPU itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// What is done.
    pub kind: Kind,
    /// Where.
    pub cpu: u8,
    /// The next task of `SwitchTo`, the arguments of `I1CheckCapability` (as [`Work::call`]), a pointer to the slot
    /// that an allocation returns (0: none is needed), or what `F1CopyTask` makes (see [`WORKER`], [`DROPS`]).
    pub choice: u8,
}

/// `F1CopyTask` makes a kernel thread.
pub const WORKER: u8 = 1;
/// `F1CopyTask` makes a task that gives up `CAP_SYS_RAWIO` before its first step.
pub const DROPS: u8 = 2;

/// Where the TSS is brought up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// By `ioperm()` itself and by the context switch, 2019; one object a task.
    AtSwitch,
    /// On the way out to user mode, since 5.5; shared objects, copied on write.
    AtExit,
}

/// How a CPU sees that its copy is up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Pointer and sequence number.
    Both,
    /// Sequence number only.
    Sequence,
    /// Pointer only.
    Pointer,
}

/// How many bytes `ioperm()` copies in I10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// As a context switch: the larger of `prev_max` and the object's new `max`.
    AsSwitch,
    /// The larger of the new and the old `max` of the object.
    OldMax,
    /// The same, with the old `max` read through `thread.io_bitmap`, null at the first call.
    OldMaxOfTask,
}

/// Which records of the TSS `ioperm()` stores after I10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Records {
    /// `prev_max`.
    pub prev_max: bool,
    /// `last_sequence` and `last_bitmap`.
    pub identity: bool,
}

/// Where I10 stands in `ioperm()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Before I8, as in the code before the patch.
    TssFirst,
    /// After I9, as the patch moves it.
    TssLast,
}

/// Where sequence numbers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// A global counter, incremented atomically (`atomic64_add_return()`).
    Global,
    /// The same, but the number handed out is the one before the increment.
    GlobalOld,
    /// A global counter, read and stored in two steps.
    GlobalPlain,
    /// A global counter of 2 bits.
    Narrow,
    /// A counter in each object.
    PerObject,
}

/// Where preemption is off while an object is let go of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// From before X1 to after X3.
    Whole,
    /// Around X3.
    TssOnly,
}

/// What cleans up after a failed fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// The child lets go; the TSS is left alone.
    Child,
    /// The child lets go, and the TSS is updated for the current task.
    ChildThenTss,
    /// The current task lets go.
    Parent,
}

/// Single lines that a variant of kverdict changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// None.
    None,
    /// U2 copies the object's `max` bytes, whatever `prev_max` is.
    CopyForgetsPrevMax,
    /// I7 leaves the number as it is if the object has one.
    NumberNotRenewed,
    /// M1 takes every object for unshared.
    WritesShared,
    /// M2 copies the reference count of the original.
    CountCopied,
    /// The original is let go of before it is duplicated.
    DropsBeforeDuplicate,
    /// F2 does not set TIF in the child.
    ChildWithoutFlag,
    /// F1 leaves the copied TIF in a kernel thread.
    WorkerWithFlag,
    /// X2 does not clear TIF.
    FlagNotCleared,
    /// `SwitchTo` leaves the base alone.
    BaseLeftValid,
    /// `SwitchTo` makes only the base in the TSS INVALID, not that of the hypervisor.
    HypervisorForgotten,
    /// `exit()` frees the object before X1.
    FreesFirst,
    /// I1 does not look at the capability.
    NoCapabilityCheck,
    /// U1 finds every copy out of date.
    AlwaysCopies,
    /// `SwitchTo` makes the base INVALID if the next task has no flag, whatever the last one had.
    InvalidatesForNext,
    /// Interrupts are on between U4 and user mode.
    UpdatesTooEarly,
    /// I5 stops one byte early.
    MaxOneByteShort,
    /// Preemption stays off after X3.
    PreemptionLeftOff,
    /// A kernel thread goes to user mode.
    WorkerReturns,
    /// An allocation waits until there is memory.
    WaitsForMemory,
}

/// Which version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the TSS is brought up to date.
    pub form: Form,
    /// What is compared.
    pub compare: Compare,
    /// How many bytes `ioperm()` copies.
    pub length: Length,
    /// What `ioperm()` records.
    pub records: Records,
    /// Where it writes the TSS.
    pub order: Order,
    /// Where numbers come from.
    pub counter: Counter,
    /// Whether I3 switches preemption off.
    pub ioperm_preempt_off: bool,
    /// Where preemption is off in X1 to X3.
    pub scope: Scope,
    /// Whether a task can be switched out anywhere in the kernel, or only where it sleeps or returns to user mode.
    pub kernel_preemption: bool,
    /// What cleans up after a failed fork.
    pub cleanup: Cleanup,
    /// Whether a hypervisor, not the TSS base, decides where the bitmap is.
    pub hypervisor: bool,
    /// The line that is changed.
    pub change: Change,
}

impl Config {
    /// The form of 5.5 and later, with preemption off from X1 to X3 as in V2 of its patches.
    pub const V2_SCOPE: Self = variants::V2_SCOPE;
    /// The form of 5.5 and later, as it was merged.
    pub const MAINLINE: Self = variants::MAINLINE;
}

/// The machine: one version at one size.
#[derive(Clone, Copy, Debug)]
pub struct IoBitmap {
    config: Config,
    cpus: usize,
    tasks: usize,
    ports: u8,
    slots: usize,
    calls: u8,
    workers: bool,
    unprivileged: bool,
}

impl Machine for IoBitmap {
    type State = State;
    type Step = Step;
    type Config = Config;

    const MECHANISM: &'static str = "io-bitmap";
    const VARIANTS: &'static [Variant<Config>] = variants::VARIANTS;
    const PARAMETERS: &'static [Parameter] = variants::PARAMETERS;
    const PROPERTIES: &'static [Property<Self>] = properties::PROPERTIES;
    const INVARIANT: Option<Invariant<Self>> = Some(invariant::INVARIANT);
    const KINDS: &'static [StepKind] = step::KINDS;

    fn new(config: Config, size: Size) -> Self {
        Self {
            config,
            cpus: size.get(0) as usize,
            tasks: size.get(1) as usize,
            ports: size.get(2),
            slots: size.get(3) as usize,
            calls: size.get(4),
            workers: size.get(5) != 0,
            unprivileged: size.get(6) != 0,
        }
    }

    fn initial_states(&self) -> Vec<State> {
        vec![self.initial_state()]
    }
    fn steps(&self, state: &State, out: &mut Vec<Step>) {
        self.propose(state, out);
    }
    fn every_step(&self) -> Vec<Step> {
        let mut every = Vec::new();
        for kind in step::EVERY_KIND {
            for cpu in 0..MAX_CPUS as u8 {
                every.extend((0..8).map(|choice| Step { kind, cpu, choice }));
            }
        }
        every
    }
    fn step(&self, state: &State, step: Step) -> Option<State> {
        let mut next = *state;
        self.take(&mut next, step).then_some(next)
    }
    fn step_in_place(&self, state: &mut State, step: Step) -> bool {
        self.take(state, step)
    }
    fn is_final(&self, state: &State) -> bool {
        let all_gone = state.tasks == [Task::UNBORN; MAX_TASKS] && state.allocated == 0;
        let all_idle = state.cpus.iter().all(|c| c.current == IDLE && c.phase == Phase::Idle && !c.preempt_off);
        state.crashed() || all_gone && all_idle
    }
    fn kind(&self, step: Step) -> usize {
        step.kind as usize
    }
    fn kind_is_used(&self, kind: usize) -> bool {
        self.uses(step::EVERY_KIND[kind])
    }

    fn lanes(&self) -> Vec<String> {
        (0..self.cpus).map(|cpu| format!("CPU {cpu}")).collect()
    }
    fn lane(&self, _: &State, step: Step) -> usize {
        step.cpu as usize
    }
    fn describe(&self, state: &State, step: Step) -> String {
        self.described(state, step)
    }
    fn view(&self, state: &State) -> Vec<Panel> {
        self.viewed(state)
    }
}
