//! The allocation map of protection keys: two bytes that every thread of a process shares.
//!
//! # Claim
//! `pkey_get()` and `pkey_set()` may read the allocation map without `mmap_sem`, as the mail proposes. Every
//! answer that they give was true at some instant of the call, and the writers lose nothing. The answer says
//! nothing about the instant at which the call returns, with or without the lock.
//!
//! # Source
//! `[RFC][PATCH] x86, pkeys: scalable pkey_set()/pkey_get()`, Dave Hansen, 7 July 2016:
//! `mm_modify_pkey_alloc_map()`, `mm_pkey_is_allocated()` in `arch/x86/include/asm/pkeys.h`, the system calls
//! in `mm/mprotect.c`. `pkey_get()` and `pkey_set()` were dropped as system calls before the merge; the
//! map, its writers and their later bugs are in mainline (`arch/x86/mm/pkeys.c`: `__execute_only_pkey()`,
//! `__arch_override_mprotect_pkey()`; `arch/x86/include/asm/mmu_context.h`: `arch_dup_pkeys()`).
//!
//! What is called `posted` here is the protocol of the mail on top of `mm_pkey_is_allocated()` as mainline
//! has it since 2fa9d1cfaf0e and 0a0b152083cf: range check, then `execute_only_pkey`, then the map.
//! ```text
//!  pkey_alloc()              pkey_free()                pkey_get(), pkey_set()
//!  A1  down_write            F1  down_write             R0  down_write (locked forms only)
//!  A2  load map, ffz         C1  range; execute-only?   C1  range; execute-only?
//!  A5  WRITE_ONCE(map | b)   F2  load map, test bit     R1  READ_ONCE(map), test bit
//!  A6  rights into PKRU      F3  WRITE_ONCE(map & ~b)   R1  up_write (locked forms only)
//!  A7  failed: give back     F4  up_write               R2  read or write PKRU
//!  A8  up_write
//!
//!  mprotect(), pkey_mprotect()                                 fork()
//!  M1  down_write                                              K1  down_write (parent's)
//!      with a key: C1, M2 load map, test bit                   K2  copy mappings
//!      without:    M3 choose key; PROT_EXEC alone needs one:   K3  arch_dup_pkeys(): map, execute-only key
//!                  A2, A5 as above, M4 deny access in PKRU,    K4  up_write
//!                  M5 store execute_only_pkey                  K5  child runs
//!  M6  write mapping
//!  M7  up_write
//! ```
//! # Assumptions
//! - A1: one step is one memory access that others can see, and steps interleave (sequential consistency). What
//!   the compiler or a weaker memory model may do to plain accesses is asked by the harnesses and the litmus
//!   tests; two things that a compiler may do to a plain store are variants here (`bytewise-map`, `invented-store`).
//! - A2: `mmap_sem` is a lock with one writer or several readers. Who waits is not queued: any waiter may be
//!   next, which allows more than the kernel does. `down_write_killable()` being killed is not modelled.
//! - A3: a caller is careful (`Callers::Careful`): it frees neither key 0, which its stack has, nor a key that a
//!   mapping has or that a `pkey_mprotect()` in flight is about to give one; and it gives no mapping a key that a call
//!   in flight is freeing. The kernel checks none of this, by design; `free-in-use` drops the assumption. Everything
//!   else that a caller may get wrong is allowed: any key, the execute-only key included, in range or not, allocated
//!   or not, twice, from two threads at once.
//! - A4: `arch_set_user_pkey_access()` may fail, wherever it is called. On real hardware it fails only without
//!   the feature, so this allows more than the hardware does.
//! - A5: of the rights of a key, `pkey_alloc()` asks for "deny write", `pkey_set()` and `WRPKRU` for "allow all"
//!   and execute-only for "deny access": three different values, so that a mix-up shows. PKRU belongs to one thread;
//!   that other threads keep old rights to a key that is freed and handed out again is known, and not claimed away.
//! - A6: a mapping is one protection and one key, and `mprotect()` changes both in one store (`vm_flags`) under
//!   `mmap_sem`. Page tables, TLBs, splitting and merging of mappings, and page faults are not modelled: they take the
//!   key from the mapping and never from the map.
//! - A7: an allocation that fails counts as an allocation and a free. A lockless reader may see it in
//!   between; `granted-claim` says what is claimed if that may not be.
//! - A8: an exiting thread takes `mmap_sem` for read and lets go of it within its one step (`exit_mm()`).
//! - A9: fork does not fail, and a process that has not started is seen by nobody. Parent and child share nothing
//!   once it has started, so a run follows one of them from there and lets the other one go.
//!
//! # Bounds
//! - `keys` (16 in the kernel): key 0, one to three keys to fight over, and a full map. Keys 0 and 1 are in the low
//!   byte of the map, keys 2 and 3 in the high byte, so that `bytewise-map` has two bytes from three keys on.
//! - Out-of-range arguments: -1, the first key that does not exist, and 32, which a 32-bit shift takes for 0;
//!   only 32 for `pkey_set()` and `pkey_mprotect()`, which share the check of the others.
//! - `calls` for each thread, `child_calls` for the one thread of the child of one fork, two mappings at most. More calls
//!   are longer histories of the same map; [`Pkeys::invariant`] is the claim for any number of them.

mod ghost;
mod invariant;
pub mod properties;
mod step;
mod variants;
mod view;

use crate::machine::{Invariant, Machine, Panel, Parameter, Property, Size, StepKind, Variant};

/// The most keys that a size can ask for.
pub const KEYS_MAX: usize = 4;
/// The most threads: three of the first process, and one of the child.
pub const THREADS_MAX: usize = 4;
/// The most mappings of a process.
pub const MAPPINGS_MAX: usize = 2;
/// The slot of the child's only thread.
pub const CHILD: usize = THREADS_MAX - 1;
/// The keys whose bits are in the low byte of the map: 0 and 1. The others are in the high byte.
pub const LOW_BYTE: KeySet = KeySet(0b0011);

/// A protection key as the interface passes it: any small integer, -1 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub i8);

impl Key {
    /// No key: what `execute_only_pkey` is at first, and what plain `mprotect()` passes.
    pub const NONE: Self = Self(-1);
    /// The key of every mapping that was given no other (`ARCH_DEFAULT_PKEY`).
    pub const DEFAULT: Self = Self(0);
    /// Out of range by so much that a 32-bit shift wraps around to key 0.
    pub const WRAPS: Self = Self(32);

    /// The mask that `1U << pkey` gives on x86, where a shift takes the low five bits of its count.
    #[must_use]
    pub const fn bit(self) -> KeySet {
        KeySet((1_u32 << (self.0 as u32 & 31)) as u8)
    }
    /// Whether a hardware with `keys` keys has this one.
    #[must_use]
    pub const fn exists(self, keys: u8) -> bool {
        self.0 >= 0 && (self.0 as u8) < keys
    }
}

/// A set of keys: what the allocation map is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeySet(pub u8);

impl KeySet {
    /// No key.
    pub const EMPTY: Self = Self(0);
    /// What the map is after `execve()`: key 0.
    pub const INITIAL: Self = Self(1);

    /// All keys that the hardware has.
    #[must_use]
    pub const fn all(keys: u8) -> Self {
        Self((1 << keys) - 1)
    }
    /// Whether `key` is in the set. A key outside the range never is.
    #[must_use]
    pub const fn has(self, key: Key) -> bool {
        key.exists(KEYS_MAX as u8) && self.0 & key.bit().0 != 0
    }
    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// This set without the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
    /// What is in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
    /// What is in one and not in the other.
    #[must_use]
    pub const fn differs_from(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }
    /// The first key that is not in the set: `ffz()`.
    #[must_use]
    pub const fn first_zero(self) -> Key {
        Key(self.0.trailing_ones() as i8)
    }
}

/// Access rights of one key: the two bits that PKRU has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rights(pub u8);

impl Rights {
    /// Neither bit set.
    pub const ALLOW: Self = Self(0b00);
    /// The access-disable bit.
    pub const DENY_ACCESS: Self = Self(0b01);
    /// The write-disable bit.
    pub const DENY_WRITE: Self = Self(0b10);

    /// `__pkru_allows_read()`.
    #[must_use]
    pub const fn allow_read(self) -> bool {
        self.0 & Self::DENY_ACCESS.0 == 0
    }
}

/// The register of one thread: two bits for each key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pkru(pub u8);

impl Pkru {
    /// What `execve()` sets: no access with any key but 0.
    #[must_use]
    pub const fn initial(keys: u8) -> Self {
        Self((((1_u32 << (2 * keys)) - 1) & 0b0101_0100) as u8)
    }
    /// The rights of `key`. A shift beyond the register wraps, as x86 does.
    #[must_use]
    pub const fn rights(self, key: Key) -> Rights {
        let shift = (key.0 as u32).wrapping_mul(2) & 31;
        Rights(((self.0 as u32 >> shift) & 0b11) as u8)
    }
    /// The register with other rights for `key`.
    #[must_use]
    pub const fn with(self, key: Key, rights: Rights) -> Self {
        let shift = (key.0 as u32).wrapping_mul(2) & 31;
        Self((self.0 as u32 & !(0b11 << shift) | (rights.0 as u32) << shift) as u8)
    }
}

/// Protection of a mapping, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Prot {
    /// `PROT_NONE`.
    None,
    /// `PROT_READ | PROT_WRITE`.
    ReadWrite,
    /// `PROT_EXEC` and nothing else.
    ExecOnly,
}

/// A mapping of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mapping {
    /// Its protection.
    pub prot: Prot,
    /// Its protection key.
    pub key: Key,
    /// Ghost: the allocation with which it got its key has been freed since.
    pub outlived: bool,
}

impl Mapping {
    /// As `mmap()` makes it: readable and writable, with the default key.
    pub const NEW: Self = Self { prot: Prot::ReadWrite, key: Key::DEFAULT, outlived: false };
}

/// Threads, as a bit set of slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slots(pub u8);

impl Slots {
    /// Nobody.
    pub const NOBODY: Self = Self(0);

    /// Whether the thread in `slot` is one of them.
    #[must_use]
    pub const fn has(self, slot: usize) -> bool {
        self.0 & 1 << slot != 0
    }
}

/// `mmap_sem`: one writer, or any number of readers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MmapSem {
    /// Who holds it for write. At most one, which is a property and not built in.
    pub writers: Slots,
    /// Who holds it for read.
    pub readers: Slots,
}

/// Ghost: for each key, how often it was allocated and not freed, in two bits: 0, 1, 2 (twice or more),
/// and 3 for "freed although it was free".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Claims(pub u8);

/// What belongs to an address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mm {
    /// `pkey_allocation_map`.
    pub map: KeySet,
    /// `execute_only_pkey`.
    pub execute_only: Key,
    /// `mmap_sem`.
    pub mmap_sem: MmapSem,
    /// The mappings; those that the size does not have stay as they were.
    pub mappings: [Mapping; MAPPINGS_MAX],
    /// Ghost: what the calls so far, each taken at the instant of its effect, have claimed.
    pub claims: Claims,
}

impl Mm {
    /// An address space that does not exist, or no longer.
    pub const GONE: Self = Self {
        map: KeySet::EMPTY,
        execute_only: Key::NONE,
        mmap_sem: MmapSem { writers: Slots::NOBODY, readers: Slots::NOBODY },
        mappings: [Mapping::NEW; MAPPINGS_MAX],
        claims: Claims(0),
    };
    /// As `init_new_context()` makes it for `execve()`.
    pub const NEW: Self = Self { map: KeySet::INITIAL, claims: Claims::INITIAL, ..Self::GONE };
}

/// A system call with its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Request {
    /// None: the thread runs user code.
    None,
    /// `pkey_alloc()`, asking for [`Rights::DENY_WRITE`].
    Alloc,
    /// `pkey_free()`.
    Free(Key),
    /// `pkey_get()`.
    Get(Key),
    /// `pkey_set()`, asking for [`Rights::ALLOW`].
    Set(Key),
    /// `pkey_mprotect()`; with [`Key::NONE`], plain `mprotect()`.
    Mprotect {
        /// Which mapping.
        mapping: u8,
        /// The protection asked for.
        prot: Prot,
        /// The key asked for.
        key: Key,
    },
    /// `fork()`.
    Fork,
}

/// Where a thread is: the next thing that it does. Which call it is in says [`Thread::request`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pc {
    /// The slot has no thread (yet).
    Absent,
    /// Runs user code.
    User,
    /// Waits for, or takes, `mmap_sem`.
    Lock,
    /// Checks the range of the key and compares it with `execute_only_pkey`.
    CheckKey,
    /// Loads the map (its low byte, if it is loaded as two) and tests the key's bit.
    CheckMap,
    /// Loads the high byte of the map.
    CheckMapHigh,
    /// Loads the map and looks for a free key.
    AllocLoad,
    /// Has loaded the map and lets go of `mmap_sem` (only in a form that is wrong).
    GapUnlock,
    /// Takes `mmap_sem` once more (only in a form that is wrong).
    GapLock,
    /// `|=` or `&=` in place: loads the map for the store.
    Reload,
    /// Stores the map.
    Store,
    /// Stores the map's second half.
    StoreSecond,
    /// Writes the rights of the new key into PKRU.
    SetPkru,
    /// Gives the key back: loads the map.
    UndoLoad,
    /// Gives the key back: stores the map.
    UndoStore,
    /// Gives the key back: stores the map's second half.
    UndoStoreSecond,
    /// Reads or writes PKRU, the key being allocated.
    UsePkru,
    /// Plain `mprotect()`: chooses the key of the mapping.
    ChooseKey,
    /// Denies access with the execute-only key in PKRU.
    DenyPkru,
    /// Stores `execute_only_pkey`.
    StoreExecuteOnly,
    /// Writes the mapping.
    SetMapping,
    /// fork: copies the mappings.
    ForkMappings,
    /// fork: copies the map.
    ForkMap,
    /// fork: copies `execute_only_pkey`.
    ForkExecuteOnly,
    /// Lets go of `mmap_sem`.
    Unlock,
    /// Has its result and returns to user code.
    Return,
    /// Has exited.
    Exited,
}

/// What a call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Not known yet.
    Pending,
    /// Success of a call that returns no value.
    Done,
    /// `pkey_alloc()`: this key.
    GotKey(Key),
    /// `pkey_get()`: these rights.
    GotRights(Rights),
    /// The key is not allocated (`-EINVAL`, `-EBADF`).
    BadKey,
    /// No key is free (`-ENOSPC`).
    NoSpace,
    /// PKRU could not be set.
    PkruFailed,
}

impl Outcome {
    /// Whether the call succeeded.
    #[must_use]
    pub const fn succeeded(self) -> bool {
        matches!(self, Self::Done | Self::GotKey(_) | Self::GotRights(_))
    }
}

/// Ghost: what properties must know about the past of a thread's call. All but PKRU is cleared when it returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ghost {
    /// The bits of the map that the call's own stores have turned.
    pub turned: KeySet,
    /// PKRU as the thread last saw it in user code.
    pub pkru_known: Pkru,
    /// At some instant of the call so far, success would have been the right answer.
    pub could_succeed: bool,
    /// At some instant of the call so far, refusal would have been the right answer.
    pub could_fail: bool,
    /// At some instant of the call so far, the key belonged to a caller: not to execute-only, nor to an
    /// allocation that failed.
    pub was_granted: bool,
    /// PKRU could not be set in this call.
    pub pkru_failed: bool,
    /// The allocation that the map showed when it was loaded has been freed since.
    pub answer_outdated: bool,
    /// The values (one bit each) that the map had while the thread's last load of it lasted.
    pub map_was: u16,
}

/// One thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thread {
    /// Where it is.
    pub pc: Pc,
    /// In which call.
    pub request: Request,
    /// Local variable: the map as loaded.
    pub loaded: KeySet,
    /// Local variable: the key that the call has chosen.
    pub key: Key,
    /// Local variable of `__execute_only_pkey()`: the key was allocated just now (`need_to_set_mm_pkey`).
    pub fresh: bool,
    /// What the call returns.
    pub outcome: Outcome,
    /// How many calls it may still make.
    pub calls_left: u8,
    /// Its PKRU register.
    pub pkru: Pkru,
    /// Ghost.
    pub ghost: Ghost,
}

impl Thread {
    /// A thread in user code with this PKRU.
    #[must_use]
    pub const fn user(calls_left: u8, pkru: Pkru) -> Self {
        let ghost = Ghost { pkru_known: pkru, ..Self::ABSENT.ghost };
        Self { pc: Pc::User, calls_left, pkru, ghost, ..Self::ABSENT }
    }
    /// No thread.
    pub const ABSENT: Self = Self {
        pc: Pc::Absent,
        request: Request::None,
        loaded: KeySet::EMPTY,
        key: Key::NONE,
        fresh: false,
        outcome: Outcome::Pending,
        calls_left: 0,
        pkru: Pkru(0),
        ghost: Ghost {
            turned: KeySet::EMPTY,
            pkru_known: Pkru(0),
            could_succeed: false,
            could_fail: false,
            was_granted: false,
            pkru_failed: false,
            answer_outdated: false,
            map_was: 0,
        },
    };
}

/// The whole state: four threads, two address spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The threads; the last slot is the child's.
    pub threads: [Thread; THREADS_MAX],
    /// The address space of the first process, and of its child.
    pub mms: [Mm; 2],
}

/// The address space of the thread in `slot`.
#[must_use]
pub const fn mm_of(slot: usize) -> usize {
    if slot == CHILD {
        1
    } else {
        0
    }
}

/// What a thread does. Each but the first two goes with one place in the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Begins a system call.
    U1Call(Request),
    /// Returns from the call.
    U2Return,
    /// Gives itself all rights to the execute-only key, by an instruction.
    U3Wrpkru,
    /// Exits.
    U4Exit,
    /// `pkey_alloc()` takes `mmap_sem`.
    A1Lock,
    /// Loads the map and picks a key.
    A2LoadMap,
    /// Stores the map with the key's bit.
    A5WriteMap,
    /// Sets the rights of the key in PKRU.
    A6SetPkru,
    /// PKRU cannot be set.
    A6PkruFails,
    /// Clears the key's bit again.
    A7GiveBack,
    /// `pkey_alloc()` lets go of `mmap_sem`.
    A8Unlock,
    /// Checks the range, and that the key is not the execute-only key.
    C1CheckKey,
    /// `pkey_free()` takes `mmap_sem`.
    F1Lock,
    /// `pkey_free()` loads the map and tests the bit.
    F2LoadMap,
    /// Stores the map without the key's bit.
    F3WriteMap,
    /// `pkey_free()` lets go of `mmap_sem`.
    F4Unlock,
    /// `pkey_get()` or `pkey_set()` takes `mmap_sem`.
    R0Lock,
    /// `pkey_get()` or `pkey_set()` loads the map and tests the bit.
    R1LoadMap,
    /// `pkey_get()` or `pkey_set()` lets go of `mmap_sem`.
    R1Unlock,
    /// Reads or writes the key's rights in PKRU.
    R2UsePkru,
    /// `mprotect()` takes `mmap_sem`.
    M1Lock,
    /// `pkey_mprotect()` loads the map and tests the bit.
    M2LoadMap,
    /// Plain `mprotect()` chooses the key.
    M3ChooseKey,
    /// Denies access with the execute-only key.
    M4DenyPkru,
    /// Stores `execute_only_pkey`.
    M5StoreExecuteOnly,
    /// Writes protection and key of the mapping.
    M6SetMapping,
    /// `mprotect()` lets go of `mmap_sem`.
    M7Unlock,
    /// fork takes the parent's `mmap_sem`.
    K1Lock,
    /// Copies the mappings.
    K2CopyMappings,
    /// `arch_dup_pkeys()`: the map, then `execute_only_pkey`.
    K3DupPkeys,
    /// fork lets go of `mmap_sem`.
    K4Unlock,
    /// The child begins to run.
    K5StartChild,
}

/// A step: a thread does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// The slot of the thread.
    pub slot: u8,
    /// What it does.
    pub action: Action,
}

/// How a call holds `mmap_sem`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Not at all.
    No,
    /// For read.
    Read,
    /// For write.
    Write,
}

/// How the map is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// `WRITE_ONCE()` of the loaded map with one bit changed.
    WriteOnce,
    /// `|=` and `&=` in place: one more load, then the store.
    PlainRmw,
    /// Compare-exchange with the loaded map, from the load again if it fails.
    CompareExchange,
    /// Two stores, low byte first.
    TwoBytes,
    /// A store of nothing, then the store: the compiler uses the word as scratch space.
    Invented,
}

/// How the map is loaded for `mm_pkey_is_allocated()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// `READ_ONCE()`.
    Word,
    /// Two loads, low byte first.
    TwoBytes,
}

/// The range check in `mm_pkey_is_allocated()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeCheck {
    /// From 0 to the last key.
    Exact,
    /// From 1 to the last key.
    WithoutZero,
    /// None.
    Missing,
}

/// When a mapping that had the execute-only key goes back to key 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveExecuteOnly {
    /// Whenever it is no longer execute-only.
    Always,
    /// Only when it becomes readable or writable, not for `PROT_NONE`.
    ToReadWrite,
}

/// What fork gives the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fork {
    /// Copies of map and execute-only key, under the parent's `mmap_sem`.
    Copies,
    /// What `init_new_context()` sets: map 1 and no execute-only key.
    Resets,
    /// A copy of the map, and no execute-only key.
    CopiesMapOnly,
    /// Copies, without the parent's `mmap_sem`.
    CopiesUnlocked,
}

/// The order in which a new execute-only key is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecuteOnlyOrder {
    /// PKRU denies first, then `execute_only_pkey` is stored.
    PkruFirst,
    /// The other way round.
    StoreFirst,
}

/// Who may do what with keys that are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callers {
    /// Assumption A3.
    Careful,
    /// Anybody may free anything.
    FreeInUse,
}

/// What is claimed about an answer of `pkey_get()` or `pkey_set()`, beyond that it was true once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nothing more.
    WasTrue,
    /// At return, the allocation that was seen still lasts.
    SameAllocation,
    /// The key belonged to a caller at some instant of the call.
    WasGranted,
}

/// Which of the free keys `pkey_alloc()` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// The first one: `ffz()`.
    FirstZero,
    /// The next one after it: bits counted from one, as `ffs()` does and `ffz()` does not.
    OneTooHigh,
}

/// The switches in which the variants differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How `pkey_alloc()` and `pkey_free()` hold `mmap_sem`.
    pub writers: Hold,
    /// How `pkey_get()` and `pkey_set()` hold `mmap_sem`; `None` if there are no such calls.
    pub readers: Option<Hold>,
    /// How the map is stored.
    pub update: Update,
    /// How the map is loaded.
    pub load: Load,
    /// The range check.
    pub range_check: RangeCheck,
    /// Whether `mm_pkey_is_allocated()` says no to the execute-only key.
    pub hides_execute_only: bool,
    /// When a mapping leaves the execute-only key.
    pub leaves_execute_only: LeaveExecuteOnly,
    /// Whether `pkey_alloc()` gives the key back if PKRU cannot be set.
    pub undoes_alloc: bool,
    /// Whether `__execute_only_pkey()` gives back only a key that it has just allocated.
    pub undoes_only_fresh: bool,
    /// What fork does.
    pub fork: Fork,
    /// In which order execute-only is set up.
    pub execute_only_order: ExecuteOnlyOrder,
    /// Whether `pkey_free()` looks whether the key's bit is set.
    pub free_checks: bool,
    /// Whether `pkey_alloc()` sets PKRU.
    pub alloc_sets_pkru: bool,
    /// Whether `pkey_alloc()` lets go of `mmap_sem` between load and store.
    pub gap: bool,
    /// Which key `pkey_alloc()` takes.
    pub pick: Pick,
    /// What callers do.
    pub callers: Callers,
    /// Whether callers make mappings execute-only by plain `mprotect()`.
    pub execute_only_calls: bool,
    /// Whether `__execute_only_pkey()` looks whether PKRU still denies access with the key that it has.
    pub looks_at_pkru: bool,
    /// Whether `pkey_alloc()` lets go of `mmap_sem` when it finds no free key.
    pub unlocks_when_full: bool,
    /// Whether PKRU may turn out not to be settable (assumption A4).
    pub pkru_may_fail: bool,
    /// What is claimed.
    pub claim: Claim,
}

impl Config {
    /// The patch.
    pub const POSTED: Self = variants::POSTED;
    /// The code before it.
    pub const LOCKED_READERS: Self = variants::LOCKED_READERS;
}

/// The mechanism at one size, in one variant.
#[derive(Clone, Copy, Debug)]
pub struct Pkeys {
    /// The switches.
    pub config: Config,
    /// Keys that the hardware has.
    pub keys: u8,
    /// Threads of the first process.
    pub threads: u8,
    /// Calls for each thread.
    pub calls: u8,
    /// Mappings of a process.
    pub mappings: u8,
    /// Calls of the thread of a child; if there are none, nobody forks.
    pub child_calls: u8,
}

const PARAMETERS: &[Parameter] = &[
    Parameter { name: "keys", says: "protection keys of the hardware", min: 2, max: 4, quick: 3, deep: 4 },
    Parameter { name: "threads", says: "threads of the first process", min: 2, max: 3, quick: 2, deep: 2 },
    Parameter { name: "calls", says: "calls of each thread", min: 1, max: 3, quick: 2, deep: 2 },
    Parameter { name: "mappings", says: "mappings of a process", min: 0, max: 2, quick: 1, deep: 1 },
    Parameter {
        name: "child_calls",
        says: "calls of a child's thread; 0: nobody forks",
        min: 0,
        max: 2,
        quick: 1,
        deep: 2,
    },
];

impl Machine for Pkeys {
    type State = State;
    type Step = Step;
    type Config = Config;

    const MECHANISM: &'static str = "pkeys";
    const VARIANTS: &'static [Variant<Config>] = variants::VARIANTS;
    const PARAMETERS: &'static [Parameter] = PARAMETERS;
    const PROPERTIES: &'static [Property<Self>] = properties::PROPERTIES;
    const INVARIANT: Option<Invariant<Self>> = Some(invariant::INVARIANT);
    const KINDS: &'static [StepKind] = step::KINDS;
    const HAS_SYMMETRY: bool = true;

    fn new(config: Config, size: Size) -> Self {
        Self {
            config,
            keys: size.get(0),
            threads: size.get(1),
            calls: size.get(2),
            mappings: size.get(3),
            child_calls: size.get(4),
        }
    }

    fn initial_states(&self) -> Vec<State> {
        vec![self.initial_state()]
    }
    fn steps(&self, state: &State, out: &mut Vec<Step>) {
        self.propose(state, out);
    }
    fn every_step(&self) -> Vec<Step> {
        self.all_steps()
    }
    fn step(&self, state: &State, step: Step) -> Option<State> {
        self.take(state, step)
    }
    fn is_final(&self, state: &State) -> bool {
        state.threads.iter().all(|t| matches!(t.pc, Pc::Exited | Pc::Absent)) && state.mms == [Mm::GONE; 2]
    }
    fn kind(&self, step: Step) -> usize {
        step::kind_of(step.action)
    }
    fn kind_is_used(&self, kind: usize) -> bool {
        self.uses_kind(kind)
    }

    /// The threads of the first process differ in nothing but their names: sorted, with their hold on `mmap_sem`.
    fn canonical(&self, state: &State) -> State {
        let mut order = [0, 1, 2];
        let sem = state.mms[0].mmap_sem;
        let rank = |slot: &usize| (state.threads[*slot], sem.writers.has(*slot), sem.readers.has(*slot));
        order[..self.threads as usize].sort_by_key(rank);
        let mut sorted = *state;
        let mut now = MmapSem::default();
        for (to, &from) in order.iter().enumerate() {
            sorted.threads[to] = state.threads[from];
            now.writers.0 |= u8::from(sem.writers.has(from)) << to;
            now.readers.0 |= u8::from(sem.readers.has(from)) << to;
        }
        sorted.mms[0].mmap_sem = now;
        sorted
    }

    fn lanes(&self) -> Vec<String> {
        self.lane_names()
    }
    fn lane(&self, _: &State, step: Step) -> usize {
        self.lane_of(step.slot as usize)
    }
    fn describe(&self, state: &State, step: Step) -> String {
        self.in_words(state, step)
    }
    fn view(&self, state: &State) -> Vec<Panel> {
        self.panels(state)
    }
}

#[cfg(test)]
mod tests;
