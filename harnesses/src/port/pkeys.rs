//! pkeys: the allocation map of protection keys, read without a lock. The steps are those of `models::pkeys`.
//!
//! Left out here: plain `mprotect()` beyond the execute-only key, mappings, and PKRU that cannot be set. The model
//! has them; nothing in them is a question of memory order.

use super::primitives::{Byte, Held, Lock, Plain, Word16};
use super::recorder::Recorder;
use crate::event::Seen;

/// No key: what `execute_only_pkey` is at first.
pub const NO_KEY: u8 = 0xff;
/// Rights in PKRU: everything is denied.
pub const DENY_ACCESS: u32 = 0b01;
/// Rights in PKRU: writes are denied.
pub const DENY_WRITE: u32 = 0b10;

/// How the map is kept and changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Loaded, changed and stored with `WRITE_ONCE()`.
    WriteOnce,
    /// Plain `|=` and `&=`.
    PlainRmw,
    /// Compare-exchange, from the load again if it fails.
    CompareExchange,
    /// Compare-exchange whose result nobody looks at.
    CompareExchangeUnchecked,
    /// Stored and loaded as two bytes.
    TwoBytes,
}

/// In which order the execute-only key is set up and looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecuteOnly {
    /// Into the map, then into `execute_only_pkey`; a reader looks at `execute_only_pkey`, then at the map.
    MapFirst,
    /// Into `execute_only_pkey`, then released into the map; a reader acquires the map, then looks which it is.
    NameFirst,
    /// The same order without release and acquire.
    NameFirstUnordered,
}

/// Which version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whether `pkey_alloc()`, `pkey_free()` and `mprotect()` hold `mmap_sem`.
    pub writers_lock: bool,
    /// Whether `pkey_get()` and `pkey_set()` hold `mmap_sem`.
    pub readers_lock: bool,
    /// Whether fork holds the parent's `mmap_sem` while it copies.
    pub fork_locks: bool,
    /// How the map is changed.
    pub update: Update,
    /// The order of the execute-only key.
    pub execute_only: ExecuteOnly,
}

impl Config {
    /// The form of the mail.
    pub const POSTED: Self = Self {
        writers_lock: true,
        readers_lock: false,
        fork_locks: true,
        update: Update::WriteOnce,
        execute_only: ExecuteOnly::MapFirst,
    };
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The key is not allocated.
    BadKey,
    /// No key is free.
    NoSpace,
}

/// `pkey_allocation_map`.
#[derive(Debug)]
enum Map {
    Word(Word16),
    Plain(Plain<u16>),
    Bytes(Byte, Byte),
}

/// What the threads of a process share.
#[derive(Debug)]
pub struct Mm {
    config: Config,
    keys: u8,
    map: Map,
    execute_only_pkey: Byte,
    mmap_sem: Lock,
    /// The record of steps.
    pub log: Recorder,
}

/// What an answer of the kernel is about, for the record: see `replay::pkeys`.
pub mod request {
    /// `pkey_alloc()`.
    pub const ALLOC: i64 = 0;
    /// `pkey_free()`, plus the key.
    pub const FREE: i64 = 100;
    /// `pkey_get()`, plus the key.
    pub const GET: i64 = 200;
    /// `pkey_set()`, plus the key.
    pub const SET: i64 = 300;
}

impl Mm {
    /// A process with `keys` keys, of which those in `map` are allocated.
    pub fn new(config: Config, keys: u8, map: u16, log: Recorder) -> Self {
        let [low, high] = map.to_le_bytes();
        let map = match config.update {
            Update::PlainRmw => Map::Plain(Plain::new(map, "no-data-race: the allocation map")),
            Update::TwoBytes => Map::Bytes(Byte::new(low), Byte::new(high)),
            _ => Map::Word(Word16::new(map)),
        };
        Self { config, keys, map, execute_only_pkey: Byte::new(NO_KEY), mmap_sem: Lock::unheld(), log }
    }

    /// The map, when nobody is in a call.
    pub fn map(&self) -> u16 {
        match &self.map {
            Map::Word(word) => word.read_once(),
            Map::Plain(plain) => plain.read(),
            Map::Bytes(low, high) => u16::from_le_bytes([low.read_once(), high.read_once()]),
        }
    }

    fn seen(&self) -> Seen {
        vec![("map", self.map().into()), ("execute_only_pkey", (self.execute_only_pkey.read_once() as i8).into())]
    }

    /// Loads the map in order to change it.
    fn load_for_change(&self) -> u16 {
        match &self.map {
            Map::Word(word) if self.config.writers_lock => word.read_once_locked(),
            // A failed compare-exchange is tried again, so loom sees a read-modify-write after every load.
            Map::Word(word) if self.config.update != Update::WriteOnce => word.read_once(),
            Map::Word(word) => word.read_once_before_store(),
            Map::Plain(plain) => plain.read(),
            Map::Bytes(low, high) => u16::from_le_bytes([low.read_once_locked(), high.read_once_locked()]),
        }
    }

    /// Stores `new` where `old` was loaded. Returns whether it must be tried again.
    fn store(&self, old: u16, new: u16, release: bool) -> bool {
        match &self.map {
            Map::Word(word) => match self.config.update {
                Update::CompareExchange => return word.cmpxchg_relaxed(old, new) != old,
                Update::CompareExchangeUnchecked => {
                    word.cmpxchg_relaxed(old, new);
                }
                _ if release => word.store_release(new),
                _ => word.write_once(new),
            },
            // `|=`: loads again.
            Map::Plain(plain) => plain.write(plain.read() & !(old & !new) | new & !old),
            Map::Bytes(low, high) => {
                let [new_low, new_high] = new.to_le_bytes();
                low.write_once(new_low);
                high.write_once(new_high);
            }
        }
        false
    }

    fn is_full(&self, map: u16) -> bool {
        map.trailing_ones() >= u32::from(self.keys)
    }
}

/// A thread of the process, in its own register and on its own stack.
#[derive(Debug)]
pub struct Thread<'a> {
    mm: &'a Mm,
    slot: u8,
    /// PKRU: two bits a key.
    pub pkru: u32,
}

impl<'a> Thread<'a> {
    /// The thread in `slot`, as it is after `execve()`.
    pub fn new(mm: &'a Mm, slot: u8) -> Self {
        Self { mm, slot, pkru: 0x5555_5554 & ((1_u64 << (2 * mm.keys)) - 1) as u32 }
    }

    fn step<R>(&self, label: &'static str, effect: impl FnOnce() -> R, argument: impl FnOnce(&R) -> i64) -> R {
        self.mm.log.step(self.slot, label, effect, |result| Some(argument(result)), || self.mm.seen())
    }
    fn note(&self, label: &'static str, argument: i64) {
        self.step(label, || (), |()| argument);
    }
    fn lock(&self, wanted: bool, label: &'static str) -> Option<Held<'a>> {
        let held = wanted.then(|| self.mm.mmap_sem.lock());
        if wanted {
            self.note(label, 0);
        }
        held
    }
    fn unlock(&self, held: Option<Held<'_>>, label: &'static str) {
        if held.is_some() {
            self.note(label, 0);
        }
        drop(held);
    }
    fn set_rights(&mut self, key: u8, rights: u32) {
        self.pkru = self.pkru & !(0b11 << (2 * key)) | rights << (2 * key);
    }

    /// `pkey_alloc()`.
    ///
    /// # Errors
    /// No key is free.
    pub fn alloc(&mut self) -> Result<u8, Error> {
        self.note("U1Call", request::ALLOC);
        let held = self.lock(self.mm.config.writers_lock, "A1Lock");
        let taken = self.take_key(false);
        if let Ok(key) = taken {
            self.set_rights(key, DENY_WRITE);
            self.note("A6SetPkru", self.pkru.into());
        }
        self.unlock(held, "A8Unlock");
        self.note("U2Return", 0);
        taken
    }

    /// `mm_pkey_alloc()`.
    fn take_key(&self, release: bool) -> Result<u8, Error> {
        loop {
            let picked = |map: &u16| if self.mm.is_full(*map) { -1 } else { i64::from(map.trailing_ones()) };
            let map = self.step("A2LoadMap", || self.mm.load_for_change(), picked);
            if self.mm.is_full(map) {
                return Err(Error::NoSpace);
            }
            let key = map.trailing_ones() as u8;
            if !self.step("A5WriteMap", || self.mm.store(map, map | 1 << key, release), |_| 0) {
                return Ok(key);
            }
        }
    }

    /// `pkey_free()`.
    ///
    /// # Errors
    /// The key is not allocated.
    pub fn free(&mut self, key: u8) -> Result<(), Error> {
        self.note("U1Call", request::FREE + i64::from(key));
        let held = self.lock(self.mm.config.writers_lock, "F1Lock");
        let result = self.free_locked(key);
        self.unlock(held, "F4Unlock");
        self.note("U2Return", 0);
        result
    }

    fn free_locked(&self, key: u8) -> Result<(), Error> {
        self.check_key(key)?;
        loop {
            let map = self.step("F2LoadMap", || self.mm.load_for_change(), |map| (map >> key & 1).into());
            if map & 1 << key == 0 {
                return Err(Error::BadKey);
            }
            if !self.step("F3WriteMap", || self.mm.store(map, map & !(1 << key), false), |_| 0) {
                return Ok(());
            }
        }
    }

    /// `mm_pkey_is_allocated()`, its first half.
    fn check_key(&self, key: u8) -> Result<(), Error> {
        let mm = self.mm;
        let execute_only = self.step("C1CheckKey", || mm.execute_only_pkey.read_once(), |_| 0);
        if key < mm.keys && key != execute_only { Ok(()) } else { Err(Error::BadKey) }
    }

    /// `mm_pkey_is_allocated()`, without a lock unless the caller holds it.
    fn is_allocated(&self, key: u8) -> Result<(), Error> {
        let named_first = self.mm.config.execute_only != ExecuteOnly::MapFirst;
        if !named_first {
            self.check_key(key)?;
        }
        let acquire = self.mm.config.execute_only == ExecuteOnly::NameFirst;
        let load = || match &self.mm.map {
            Map::Word(word) if acquire => word.load_acquire(),
            _ => self.mm.map(),
        };
        let map = self.step("R1LoadMap", load, |map| (map >> key & 1).into());
        if named_first {
            self.check_key(key)?;
        }
        if map & 1 << key == 0 { Err(Error::BadKey) } else { Ok(()) }
    }

    fn look_up(&self, key: u8) -> Result<(), Error> {
        let held = self.lock(self.mm.config.readers_lock, "R0Lock");
        let result = self.is_allocated(key);
        self.unlock(held, "R1Unlock");
        result
    }

    /// `pkey_get()`: the rights of the key.
    ///
    /// # Errors
    /// The key is not allocated.
    pub fn get(&mut self, key: u8) -> Result<u32, Error> {
        self.note("U1Call", request::GET + i64::from(key));
        let allowed = self.look_up(key);
        if allowed.is_ok() {
            self.note("R2UsePkru", self.pkru.into());
        }
        self.note("U2Return", 0);
        allowed.map(|()| self.pkru >> (2 * key) & 0b11)
    }

    /// `pkey_set()`: allows everything with the key.
    ///
    /// # Errors
    /// The key is not allocated.
    pub fn set(&mut self, key: u8) -> Result<(), Error> {
        self.note("U1Call", request::SET + i64::from(key));
        let allowed = self.look_up(key);
        if allowed.is_ok() {
            self.set_rights(key, 0);
            self.note("R2UsePkru", self.pkru.into());
        }
        self.note("U2Return", 0);
        allowed
    }

    /// What `pkey_get()` loads, as two loads of one look: the whole map.
    pub fn snapshot(&self) -> u16 {
        self.mm.map()
    }

    /// The first `mprotect()` with `PROT_EXEC` only: allocates a key and names it in `execute_only_pkey`.
    ///
    /// # Errors
    /// No key is free.
    pub fn make_execute_only(&mut self) -> Result<u8, Error> {
        let held = self.mm.mmap_sem.lock();
        let name = |key: u8| self.mm.execute_only_pkey.write_once(key);
        let key = match self.mm.config.execute_only {
            ExecuteOnly::MapFirst => {
                let key = self.take_key(false)?;
                name(key);
                key
            }
            order => {
                name(self.mm.load_for_change().trailing_ones() as u8);
                self.take_key(order == ExecuteOnly::NameFirst)?
            }
        };
        drop(held);
        self.set_rights(key, DENY_ACCESS);
        Ok(key)
    }

    /// `arch_dup_pkeys()`: the child's map and execute-only key.
    pub fn dup_pkeys(&self) -> (u16, u8) {
        let held = self.mm.config.fork_locks.then(|| self.mm.mmap_sem.lock());
        let copies = (self.mm.map(), self.mm.execute_only_pkey.read_once());
        drop(held);
        copies
    }
}
