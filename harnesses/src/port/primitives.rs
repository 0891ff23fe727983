//! The kernel's primitives over atomics, under the kernel's names. The only file that names an `Ordering`.
//!
//! | kernel | here |
//! | --- | --- |
//! | `READ_ONCE()`, `WRITE_ONCE()` | relaxed load, relaxed store |
//! | `smp_store_release()`, `rcu_assign_pointer()` | release store |
//! | `smp_load_acquire()` | acquire load |
//! | `rcu_dereference()` | acquire load: stronger than the kernel's for what does not go through the pointer |
//! | `smp_mb()` | `fence(SeqCst)` |
//! | `smp_wmb()`, `smp_rmb()` | release fence, acquire fence: the nearest that C11 has, both stronger |
//! | `atomic_add_return()` | relaxed read-modify-write between two `smp_mb()` |
//! | `atomic_add_return_acquire()`, `_release()` | acquire, release read-modify-write |
//! | `atomic_inc_return_relaxed()`, `atomic_fetch_or_relaxed()` | relaxed read-modify-write |
//! | `refcount_dec_and_test()` | release decrement, acquire fence when it was the last |
//! | `spin_lock()`, `down_write()`, `mutex_lock()` | mutex |
//! | plain access | [`Plain`] |
//! | `kfree()` | [`Object::free`]: a plain write, and whoever reads afterwards panics |
//! | interrupts off, `rcu_read_lock()`, an interrupt with wait | one mutex a CPU, see [`Interrupts`] |

use super::sync;
use super::sync::{Ordering, UnsafeCell};
use std::fmt::Debug;

pub(crate) use super::sync::{JoinHandle, spawn};

macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $atomic:ident, $int:ty) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(sync::$atomic);

        impl $name {
            /// A word with this value.
            pub fn new(value: $int) -> Self {
                Self(sync::$atomic::new(value))
            }
            /// `READ_ONCE()`: whole, and no order.
            pub fn read_once(&self) -> $int {
                self.0.load(Ordering::Relaxed)
            }
            /// `READ_ONCE()` by the holder of the lock that all writers take, who will store to the word.
            ///
            /// Under loom it is a read-modify-write that changes nothing. loom 0.7.2 loses what lockless readers
            /// may see when a thread loads an atomic and then stores to it (tokio-rs/loom, issue 166): a green run
            /// that explored nothing. Nobody else stores here, so the value is the same.
            pub fn read_once_locked(&self) -> $int {
                if sync::FORGETS_LOADS { self.0.fetch_or(0, Ordering::Relaxed) } else { self.read_once() }
            }
            /// `READ_ONCE()` without a lock, by a thread that will store to the word: under loom a read-modify-write as
            /// above. Here that costs something: the thread sees only the newest value, never an older one. What two
            /// such threads do to each other is all shown, because it takes no weak order to lose an update.
            pub fn read_once_before_store(&self) -> $int {
                self.read_once_locked()
            }
            /// `WRITE_ONCE()`: whole, and no order.
            pub fn write_once(&self, value: $int) {
                self.0.store(value, Ordering::Relaxed);
            }
            /// `smp_load_acquire()`: nothing after it may be done before it.
            pub fn load_acquire(&self) -> $int {
                self.0.load(Ordering::Acquire)
            }
            /// `smp_load_acquire()` by a thread that will change the word: under loom a read-modify-write, for the reason
            /// and at the price of [`Self::read_once_before_store`].
            pub fn load_acquire_before_change(&self) -> $int {
                if sync::FORGETS_LOADS { self.0.fetch_or(0, Ordering::Acquire) } else { self.load_acquire() }
            }
            /// `smp_store_release()`: nothing before it may be done after it.
            pub fn store_release(&self, value: $int) {
                self.0.store(value, Ordering::Release);
            }
            /// `rcu_dereference()`. In the kernel only what goes through the loaded pointer is ordered; neither Rust
            /// nor loom knows dependencies, so this is an acquire.
            pub fn rcu_dereference(&self) -> $int {
                self.0.load(Ordering::Acquire)
            }
            /// `rcu_assign_pointer()`: what was written before is seen by whoever follows the pointer.
            pub fn rcu_assign_pointer(&self, value: $int) {
                self.0.store(value, Ordering::Release);
            }
            /// `atomic_fetch_or_relaxed()`, or `set_bit()`: one read-modify-write, and no order.
            pub fn fetch_or_relaxed(&self, bits: $int) -> $int {
                self.0.fetch_or(bits, Ordering::Relaxed)
            }
            /// `atomic_fetch_and_relaxed()`, or `clear_bit()`.
            pub fn fetch_and_relaxed(&self, bits: $int) -> $int {
                self.0.fetch_and(bits, Ordering::Relaxed)
            }
            /// `atomic_inc_return_relaxed()`: unique values, and no order.
            pub fn inc_return_relaxed(&self) -> $int {
                self.0.fetch_add(1, Ordering::Relaxed) + 1
            }
            /// `atomic_add_return()`: a full barrier before it and after it, which are fences (see [`smp_mb`]).
            pub fn add_return(&self, number: $int) -> $int {
                smp_mb();
                let new = self.add_return_relaxed(number);
                smp_mb();
                new
            }
            /// `atomic_add_return_relaxed()`, or `atomic_add()`: one read-modify-write, and no order. The sum wraps.
            pub fn add_return_relaxed(&self, number: $int) -> $int {
                self.0.fetch_add(number, Ordering::Relaxed).wrapping_add(number)
            }
            /// `atomic_add_return_acquire()`: nothing after it may be done before its load.
            pub fn add_return_acquire(&self, number: $int) -> $int {
                self.0.fetch_add(number, Ordering::Acquire).wrapping_add(number)
            }
            /// `atomic_add_return_release()`: nothing before it may be done after its store.
            pub fn add_return_release(&self, number: $int) -> $int {
                self.0.fetch_add(number, Ordering::Release).wrapping_add(number)
            }
            /// `atomic_dec_return_relaxed()`: one read-modify-write, and no order.
            pub fn dec_return_relaxed(&self) -> $int {
                self.0.fetch_sub(1, Ordering::Relaxed) - 1
            }
            /// `refcount_inc()`: no order, because the caller has a reference already.
            pub fn refcount_inc(&self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
            /// `refcount_dec_and_test()`: everything before it happens before the free by whoever is last.
            pub fn refcount_dec_and_test(&self) -> bool {
                let last = self.0.fetch_sub(1, Ordering::Release) == 1;
                if last {
                    sync::fence(Ordering::Acquire);
                }
                last
            }
            /// `cmpxchg_relaxed()`: the value found; it is `old` if `new` was stored.
            pub fn cmpxchg_relaxed(&self, old: $int, new: $int) -> $int {
                match self.0.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(found) | Err(found) => found,
                }
            }
        }
    };
}

word!(
    /// A byte that is accessed whole.
    Byte, AtomicU8, u8
);
word!(
    /// Two bytes that are accessed whole.
    Word16, AtomicU16, u16
);
word!(
    /// Eight bytes that are accessed whole: a number or a pointer.
    Word64, AtomicU64, u64
);

/// `smp_mb()`: what is before it is seen before what is after it, loads behind stores included.
///
/// loom takes SeqCst *accesses* for acquire and release, so all full order is here. Its SeqCst *fence* is right once other
/// threads may run before it (see `sync`).
pub fn smp_mb() {
    sync::full_fence();
}

/// `smp_rmb()`: loads before it are done before loads after it. C11 has no fence for loads only; an acquire fence is the
/// nearest, and orders later stores as well.
pub fn smp_rmb() {
    sync::fence(Ordering::Acquire);
}

/// `smp_wmb()`: stores before it are seen before stores after it. C11 has no fence for stores only; a release fence is
/// the nearest, and orders earlier loads as well.
pub fn smp_wmb() {
    sync::fence(Ordering::Release);
}

/// A lock. A lock that is taken by a thread that panicked is no failure of its own.
#[derive(Debug)]
pub struct Lock(sync::Mutex<()>);

/// A held [`Lock`].
#[derive(Debug)]
pub struct Held<'a>(#[expect(dead_code, reason = "released when dropped")] sync::MutexGuard<'a, ()>);

impl Lock {
    /// A lock that nobody holds.
    pub fn unheld() -> Self {
        Self(sync::Mutex::new(()))
    }
    /// `spin_lock()`, `mutex_lock()`, `down_write()`.
    pub fn lock(&self) -> Held<'_> {
        Held(self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// A variable that is accessed plainly: two accesses of which one is a write must be ordered by something else.
///
/// loom reports a race as "Causality violation"; `says` is what the report calls the variable and the property.
#[derive(Debug)]
pub struct Plain<T> {
    says: &'static str,
    cell: UnsafeCell<T>,
}

// SAFETY: accesses are not synchronised here, as in the kernel. Under loom every access is checked and a race ends the
// run; over std and shuttle only forms of the protocols run in which loom has found no race.
unsafe impl<T: Send> Sync for Plain<T> {}

impl<T: Copy> Plain<T> {
    /// A variable with this value.
    pub fn new(value: T, says: &'static str) -> Self {
        Self { says, cell: UnsafeCell::new(value) }
    }
    /// A plain load.
    pub fn read(&self) -> T {
        crate::explore::about_to_touch(self.says);
        // SAFETY: the pointer is to a live `T`; for races see the impl of `Sync`.
        self.cell.with(|value| unsafe { *value })
    }
    /// A plain store.
    pub fn write(&self, new: T) {
        crate::explore::about_to_touch(self.says);
        // SAFETY: as in `read`.
        self.cell.with_mut(|value| unsafe { *value = new });
    }
}

/// Memory from `kmalloc()`: what is in it is accessed plainly, and freeing it is a plain write that leaves poison.
///
/// So a use that races with the free is a data race, and a use after it panics: neither is a matter of luck.
#[derive(Debug)]
pub struct Object<T> {
    says: &'static str,
    memory: Plain<Memory<T>>,
}

#[derive(Clone, Copy, Debug)]
enum Memory<T> {
    Free,
    Allocated(T),
    Poison,
}

impl<T: Copy + Debug> Object<T> {
    /// Memory that nobody has allocated. `says` is the property that an access to freed memory breaks, `race` the one
    /// that an access breaks which nothing orders with the first write or the free.
    pub fn unallocated(says: &'static str, race: &'static str) -> Self {
        Self { says, memory: Plain::new(Memory::Free, race) }
    }
    /// Allocated memory with this content.
    pub fn new(content: T, says: &'static str, race: &'static str) -> Self {
        Self { says, memory: Plain::new(Memory::Allocated(content), race) }
    }
    /// `kmalloc()` and the first write to it.
    ///
    /// # Panics
    /// When the memory is in use.
    pub fn allocate(&self, content: T) {
        assert!(!matches!(self.memory.read(), Memory::Allocated(_)), "{}: memory is allocated twice", self.says);
        self.memory.write(Memory::Allocated(content));
    }
    /// Reads the content.
    ///
    /// # Panics
    /// When the memory is not allocated.
    pub fn read(&self) -> T {
        match self.memory.read() {
            Memory::Allocated(content) => content,
            Memory::Free => panic!("{}: read of memory that was never allocated", self.says),
            Memory::Poison => panic!("{}: read of freed memory", self.says),
        }
    }
    /// Writes the content.
    ///
    /// # Panics
    /// When the memory is not allocated.
    pub fn write(&self, content: T) {
        self.read();
        self.memory.write(Memory::Allocated(content));
    }
    /// `kfree()`.
    ///
    /// # Panics
    /// When the memory is not allocated.
    pub fn free(&self) {
        assert!(matches!(self.memory.read(), Memory::Allocated(_)), "{}: memory is freed twice", self.says);
        self.memory.write(Memory::Poison);
    }
    /// Whether the memory is allocated, for those who may look at it now.
    pub fn is_allocated(&self) -> bool {
        matches!(self.memory.read(), Memory::Allocated(_))
    }
}

/// "Interrupts are on here", one mutex for each CPU: RCU and interrupts with wait.
///
/// Whoever holds a CPU's mutex runs on it with interrupts (or preemption) off. A grace period takes and drops each in
/// turn; an interrupt runs its handler while it holds it. So a section on one CPU is ordered with a grace period and
/// with a handler there, and with nothing else: sections on two CPUs are not ordered with each other, as in the kernel.
/// Limits: no nested sections, no `call_rcu()`, and a grace period asks the CPUs one after the other.
#[derive(Debug)]
pub struct Interrupts(Vec<Lock>);

impl Interrupts {
    /// This many CPUs, all with interrupts on.
    pub fn new(cpus: usize) -> Self {
        Self((0..cpus).map(|_| Lock::unheld()).collect())
    }
    /// `local_irq_disable()` on `cpu`.
    pub fn off(&self, cpu: usize) -> Held<'_> {
        self.0[cpu].lock()
    }
    /// `rcu_read_lock()` on `cpu`, which is `preempt_disable()`.
    pub fn rcu_read_lock(&self, cpu: usize) -> Held<'_> {
        self.0[cpu].lock()
    }
    /// `rcu_read_unlock()`.
    pub fn rcu_read_unlock(&self, section: Held<'_>) {
        drop(section);
    }
    /// `synchronize_rcu()`: returns when every section that was open at the call has ended.
    pub fn synchronize_rcu(&self) {
        for cpu in &self.0 {
            drop(cpu.lock());
        }
    }
    /// `on_each_cpu_mask()` with wait: `handler` has run on every CPU of `mask` when this returns.
    pub fn on_each_cpu_mask(&self, mask: u64, mut handler: impl FnMut(usize)) {
        for (cpu, interrupts) in self.0.iter().enumerate() {
            if mask & 1 << cpu != 0 {
                let _off = interrupts.lock();
                handler(cpu);
            }
        }
    }
}
