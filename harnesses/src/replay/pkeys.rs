//! The record of pkeys. `U1Call` says which call; the steps of a call say what it found and what it left in PKRU.

use super::{Rules, config, is_kind};
use crate::event::{Event, Seen};
use crate::over_std::pkeys::request;
use models::pkeys::{Action, Key, Outcome, Pkeys, Request, State, Step};

/// Two threads, three keys, and as many calls as a record can have.
#[derive(Debug)]
pub struct PkeysRules;

fn number(call: Request) -> i64 {
    let with_key = |base: i64, key: Key| base + i64::from(key.0);
    match call {
        Request::Alloc => request::ALLOC,
        Request::Free(key) => with_key(request::FREE, key),
        Request::Get(key) => with_key(request::GET, key),
        Request::Set(key) => with_key(request::SET, key),
        _ => -1,
    }
}

impl Rules for PkeysRules {
    type M = Pkeys;

    fn machine() -> Pkeys {
        Pkeys { config: config::<Pkeys>("posted"), keys: 3, threads: 2, calls: u8::MAX, mappings: 0, child_calls: 0 }
    }

    fn is_step(machine: &Pkeys, _: &State, step: Step, after: &State, event: &Event) -> bool {
        let thread = &after.threads[usize::from(step.slot)];
        let says = match step.action {
            Action::U1Call(call) => number(call),
            Action::A2LoadMap => thread.key.0.into(),
            Action::F2LoadMap | Action::R1LoadMap => (thread.outcome != Outcome::BadKey).into(),
            Action::A6SetPkru | Action::R2UsePkru => thread.pkru.0.into(),
            _ => 0,
        };
        step.slot == event.actor && is_kind(machine, step, event) && says == event.argument
    }

    fn seen(_: &Pkeys, state: &State) -> Seen {
        let mm = &state.mms[0];
        vec![("map", mm.map.0.into()), ("execute_only_pkey", mm.execute_only.0.into())]
    }
}
