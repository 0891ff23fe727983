//! What a person reads: steps in words, states as small tables.

use super::{
    mm_of, Action, Claims, Hold, Key, KeySet, Mapping, Mm, Outcome, Pc, Pkeys, Pkru, Prot, Request, Rights, Slots,
    State, Step, Thread, Update, CHILD, KEYS_MAX, LOW_BYTE,
};
use crate::machine::Panel;
use std::fmt;

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NONE => f.write_str("none"),
            Self(key) => write!(f, "key {key}"),
        }
    }
}

impl fmt::Display for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0b{:03b}", self.0)
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::ALLOW => "allow",
            Self::DENY_ACCESS => "deny access",
            Self::DENY_WRITE => "deny write",
            _ => "deny both",
        })
    }
}

impl fmt::Display for Prot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "PROT_NONE",
            Self::ReadWrite => "PROT_READ|PROT_WRITE",
            Self::ExecOnly => "PROT_EXEC",
        })
    }
}

impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}{}", self.prot, self.key, if self.outlived { ", freed since" } else { "" })
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::None => f.write_str("none"),
            Self::Alloc => f.write_str("pkey_alloc(deny write)"),
            Self::Free(key) => write!(f, "pkey_free({})", key.0),
            Self::Get(key) => write!(f, "pkey_get({})", key.0),
            Self::Set(key) => write!(f, "pkey_set({}, allow)", key.0),
            Self::Mprotect { mapping, prot, key: Key::NONE } => write!(f, "mprotect(mapping {mapping}, {prot})"),
            Self::Mprotect { mapping, prot, key } => write!(f, "pkey_mprotect(mapping {mapping}, {prot}, {})", key.0),
            Self::Fork => f.write_str("fork()"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Pending => f.write_str("none yet"),
            Self::Done => f.write_str("success"),
            Self::GotKey(key) => write!(f, "{key}"),
            Self::GotRights(rights) => write!(f, "{rights}"),
            Self::BadKey => f.write_str("error, key not allocated"),
            Self::NoSpace => f.write_str("error, no key left"),
            Self::PkruFailed => f.write_str("error, PKRU not set"),
        }
    }
}

/// The rights of each key, key 0 first.
fn pkru(pkru: Pkru, keys: u8) -> String {
    let letters = (0..keys as i8).map(|key| match pkru.rights(Key(key)) {
        Rights::ALLOW => "rw",
        Rights::DENY_WRITE => "r-",
        _ => "--",
    });
    letters.collect::<Vec<_>>().join(" ")
}

fn place(pc: Pc) -> &'static str {
    match pc {
        Pc::Absent => "does not exist",
        Pc::User => "in user code",
        Pc::Lock | Pc::GapLock => "wants mmap_sem",
        Pc::CheckKey => "checks the key",
        Pc::CheckMap => "loads the map",
        Pc::CheckMapHigh => "loads the map's high byte",
        Pc::AllocLoad => "looks for a key",
        Pc::GapUnlock | Pc::Unlock => "lets go of mmap_sem",
        Pc::Reload => "loads the map again",
        Pc::Store | Pc::UndoStore => "stores the map",
        Pc::StoreSecond | Pc::UndoStoreSecond => "stores the map, second half",
        Pc::SetPkru | Pc::DenyPkru => "sets PKRU",
        Pc::UndoLoad => "gives the key back",
        Pc::UsePkru => "uses PKRU",
        Pc::ChooseKey => "chooses the mapping's key",
        Pc::StoreExecuteOnly => "stores execute_only_pkey",
        Pc::SetMapping => "writes the mapping",
        Pc::ForkMappings => "copies the mappings",
        Pc::ForkMap => "copies the map",
        Pc::ForkExecuteOnly => "copies execute_only_pkey",
        Pc::Return => "returns",
        Pc::Exited => "has exited",
    }
}

fn claims(claims: Claims, keys: u8) -> String {
    let words = (0..keys as i8).map(|key| match claims.of(Key(key)) {
        0 => format!("{key} free"),
        1 => format!("{key} allocated"),
        Claims::TWICE => format!("{key} allocated twice"),
        _ => format!("{key} freed twice"),
    });
    words.collect::<Vec<_>>().join(", ")
}

impl Pkeys {
    pub(super) fn lane_names(&self) -> Vec<String> {
        let threads = (0..self.threads).map(|slot| format!("thread {slot}"));
        threads.chain((self.child_calls > 0).then(|| "child".to_string())).collect()
    }

    pub(super) const fn lane_of(&self, slot: usize) -> usize {
        if slot == CHILD {
            self.threads as usize
        } else {
            slot
        }
    }

    pub(super) fn in_words(&self, state: &State, step: Step) -> String {
        let slot = step.slot as usize;
        let thread = &state.threads[slot];
        let mm = &state.mms[mm_of(slot)];
        match step.action {
            Action::U1Call(request) => format!("calls {request}"),
            Action::U2Return if thread.request == Request::Fork => "returns from fork(); the child goes its way".into(),
            Action::U2Return => format!("returns from {}: {}", thread.request, thread.outcome),
            Action::U3Wrpkru => format!("executes WRPKRU: {} now allows everything", mm.execute_only),
            Action::U4Exit => "exits".into(),
            Action::A1Lock | Action::F1Lock | Action::R0Lock | Action::M1Lock | Action::K1Lock => {
                let how = if self.hold_of(thread.request) == Hold::Read { "read" } else { "write" };
                format!("takes mmap_sem for {how}")
            }
            Action::A8Unlock | Action::F4Unlock | Action::R1Unlock | Action::M7Unlock | Action::K4Unlock => {
                "lets go of mmap_sem".into()
            }
            Action::A2LoadMap if mm.map == KeySet::all(self.keys) => format!("loads the map: {}, all in use", mm.map),
            Action::A2LoadMap => format!("loads the map: {}, first free is {}", mm.map, mm.map.first_zero()),
            Action::C1CheckKey => self.check_key_in_words(thread, mm),
            Action::F2LoadMap | Action::R1LoadMap | Action::M2LoadMap => self.check_map_in_words(thread, mm),
            Action::A5WriteMap | Action::F3WriteMap | Action::A7GiveBack => self.write_in_words(thread, mm),
            Action::A6SetPkru if !self.config.alloc_sets_pkru => format!("leaves PKRU alone for {}", thread.key),
            Action::A6SetPkru => format!("sets PKRU: {} to {}", thread.key, Rights::DENY_WRITE),
            Action::A6PkruFails => format!("cannot set PKRU for {}", thread.key),
            Action::R2UsePkru => match thread.request {
                Request::Get(key) => format!("reads PKRU: {key} has {}", thread.pkru.rights(key)),
                Request::Set(key) => format!("sets PKRU: {key} to {}", Rights::ALLOW),
                _ => String::new(),
            },
            Action::M3ChooseKey => format!("looks at execute_only_pkey: {}", mm.execute_only),
            Action::M4DenyPkru => format!("sets PKRU: {} to {}", thread.key, Rights::DENY_ACCESS),
            Action::M5StoreExecuteOnly => format!("stores execute_only_pkey = {}", thread.key),
            Action::M6SetMapping => match thread.request {
                Request::Mprotect { mapping, prot, .. } => {
                    format!("makes mapping {mapping} {prot} with {}", thread.key)
                }
                _ => String::new(),
            },
            Action::K2CopyMappings => "copies the mappings for the child".into(),
            Action::K3DupPkeys if thread.pc == Pc::ForkMap => match self.config.fork {
                super::Fork::Resets => format!("sets the child's map to {}, not {}", KeySet::INITIAL, mm.map),
                _ => format!("copies the map for the child: {}", mm.map),
            },
            Action::K3DupPkeys => match self.config.fork {
                super::Fork::Copies | super::Fork::CopiesUnlocked => {
                    format!("copies execute_only_pkey for the child: {}", mm.execute_only)
                }
                _ => format!("leaves the child's execute_only_pkey at none; the parent's is {}", mm.execute_only),
            },
            Action::K5StartChild => "lets the child run; the parent goes its way".into(),
        }
    }

    fn check_key_in_words(&self, thread: &Thread, mm: &Mm) -> String {
        let Some(key) = super::ghost::key_asked(thread.request) else { return String::new() };
        let checked = self.config.range_check != super::RangeCheck::Missing;
        if checked && !key.exists(self.keys) {
            return format!("looks at the range of key {}: there is no such key", key.0);
        }
        let range = if checked { "in range" } else { "range not checked" };
        if self.config.hides_execute_only {
            format!("checks key {}: {range}, execute_only_pkey is {}", key.0, mm.execute_only)
        } else {
            format!("checks key {}: {range}, execute_only_pkey does not matter", key.0)
        }
    }

    fn check_map_in_words(&self, thread: &Thread, mm: &Mm) -> String {
        let key = super::ghost::key_asked(thread.request).unwrap_or(Key::NONE);
        if self.config.load == super::Load::TwoBytes {
            let (name, byte) = match thread.pc {
                Pc::CheckMap => ("low", mm.map.and(LOW_BYTE)),
                _ => ("high", mm.map.without(LOW_BYTE)),
            };
            return format!("loads the {name} byte of the map: {byte}");
        }
        let is = if mm.map.and(key.bit()) == KeySet::EMPTY { "clear" } else { "set" };
        format!("loads the map: {}, the bit of key {} is {is}", mm.map, key.0)
    }

    fn write_in_words(&self, thread: &Thread, mm: &Mm) -> String {
        if matches!(thread.pc, Pc::Reload | Pc::UndoLoad) {
            return format!("loads the map to change it: {}", mm.map);
        }
        let clears =
            matches!(thread.request, Request::Free(_)) || matches!(thread.pc, Pc::UndoStore | Pc::UndoStoreSecond);
        let bit = thread.key.bit();
        let new = if clears { thread.loaded.without(bit) } else { thread.loaded.with(bit) };
        let second = matches!(thread.pc, Pc::StoreSecond | Pc::UndoStoreSecond);
        match (self.config.update, second) {
            (Update::TwoBytes, false) => format!("stores the low byte of the map: {}", new.and(LOW_BYTE)),
            (Update::TwoBytes, true) => format!("stores the high byte of the map: {}", new.without(LOW_BYTE)),
            (Update::Invented, false) => "uses the map as scratch space: 0b000".into(),
            (Update::CompareExchange, _) if mm.map != thread.loaded => {
                format!("compare-exchange fails: the map is {}, not {}", mm.map, thread.loaded)
            }
            _ => format!("stores the map: {new}"),
        }
    }

    pub(super) fn panels(&self, state: &State) -> Vec<Panel> {
        let child = (self.child_calls > 0).then_some(CHILD);
        let slots = (0..self.threads as usize).chain(child);
        let names = self.lane_names();
        let threads = slots.clone().map(|slot| {
            let lane = self.lane_of(slot);
            self.thread_panel(&names[lane], lane, &state.threads[slot])
        });
        let spaces = (0..1 + usize::from(child.is_some())).map(|mm| self.mm_panel(&state.mms[mm], mm));
        threads.chain(spaces).collect()
    }

    fn thread_panel(&self, name: &str, lane: usize, thread: &Thread) -> Panel {
        let lives = !matches!(thread.pc, Pc::Absent | Pc::Exited);
        Panel::of_lane(name, lane)
            .row("call", thread.request)
            .row("place", place(thread.pc))
            .row("map loaded", if thread.ghost.map_was == 0 { "none".into() } else { thread.loaded.to_string() })
            .row("key chosen", thread.key)
            .row("result", thread.outcome)
            .row("PKRU", if lives { pkru(thread.pkru, self.keys) } else { "none".into() })
            .row("calls left", thread.calls_left)
    }

    fn mm_panel(&self, mm: &Mm, index: usize) -> Panel {
        let holders = |slots: Slots| {
            let names = (0..=CHILD).filter(|&slot| slots.has(slot)).map(|slot| match slot {
                CHILD => "child".to_string(),
                slot => format!("thread {slot}"),
            });
            let names = names.collect::<Vec<_>>();
            if names.is_empty() {
                "nobody".to_string()
            } else {
                names.join(", ")
            }
        };
        let title = if index == 0 { "process" } else { "child process" };
        let mut panel = Panel::shared(title)
            .row("pkey_allocation_map", mm.map)
            .row("execute_only_pkey", mm.execute_only)
            .row("mmap_sem, writer", holders(mm.mmap_sem.writers))
            .row("mmap_sem, readers", holders(mm.mmap_sem.readers));
        for (number, mapping) in mm.mappings[..self.mappings as usize].iter().enumerate() {
            panel = panel.row(format!("mapping {number}"), mapping);
        }
        panel.row("by the calls", claims(mm.claims, self.keys.min(KEYS_MAX as u8)))
    }
}
