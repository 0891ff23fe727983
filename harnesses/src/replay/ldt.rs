//! The record of ldt. Thread and CPU have the same number; the label says whose step it is.

use super::{Rules, is_kind, machine_at};
use crate::event::{Event, Seen};
use models::ldt::memory::{Page, Slot, Use};
use models::ldt::{Action, CpuGo, CpuStep, Ldt, State, Step, ThreadId};

/// Two CPUs with a thread each, of which the first calls `modify_ldt()`; LDTs of one entry.
#[derive(Debug)]
pub struct LdtRules;

fn number<T>(value: Option<T>, number: impl FnOnce(T) -> i64) -> i64 {
    value.map_or(-1, number)
}

impl Rules for LdtRules {
    type M = Ldt;

    fn machine() -> Ldt {
        let sizes = [("cpus", 2), ("threads", 2), ("callers", 1), ("kernel_threads", 1), ("pages", 3), ("entries", 1)];
        machine_at("mainline", &[&sizes[..], &[("writes", 6), ("failures", 0)]].concat())
    }

    fn is_step(machine: &Ldt, _: &State, step: Step, after: &State, event: &Event) -> bool {
        let (actor, says) = match step {
            Step::Thread(thread, action) => (
                thread as u8,
                match action {
                    Action::W2ReadOld => number(after.threads[thread as usize].old, |ldt| ldt as i64),
                    Action::W3AllocateStruct => -1,
                    Action::W3AllocatePage(page) => page as i64,
                    Action::W4EditEntry | Action::LockPageTable | Action::W13FreeStruct => 1,
                    Action::AllCpusAnswered => event.argument,
                    _ => 0,
                },
            ),
            Step::Cpu(cpu, step) => (
                cpu,
                match step {
                    CpuStep::SwitchToThread(ThreadId::T1) | CpuStep::Go(CpuGo::ClearLdtr) => 1,
                    CpuStep::SwitchToOther | CpuStep::Answer(_) => 0,
                    CpuStep::Go(CpuGo::ReadLdt) => number(after.cpus[usize::from(cpu)].ldt, |ldt| ldt as i64),
                    CpuStep::Go(_) => 0,
                    CpuStep::Cache(slot, _) => slot as i64,
                    CpuStep::SwitchToThread(_) | CpuStep::SwitchToLazy | CpuStep::LeaveEarly => return false,
                },
            ),
        };
        actor == event.actor && is_kind(machine, step, event) && says == event.argument
    }

    fn seen(_: &Ldt, state: &State) -> Seen {
        let page = |page: Option<Page>| number(page, |page| page as i64);
        let bits = |bits: &mut dyn Iterator<Item = bool>| bits.map(i64::from).enumerate().map(|(n, b)| b << n).sum();
        let (mm, memory) = (&state.mm, &state.memory);
        let mut seen = vec![
            ("context.ldt", number(mm.ldt, |ldt| ldt as i64)),
            ("entry of slot 0", page(mm.entries.get(Slot::S0, 0))),
            ("entry of slot 1", page(mm.entries.get(Slot::S1, 0))),
            ("slots visible", mm.visible.into()),
            ("mm_cpumask", state.mask.0.into()),
            ("structs", bits(&mut memory.ldts.iter().map(|ldt| ldt.alive))),
            ("pages", bits(&mut memory.frames.iter().map(|frame| frame.used_by == Use::Ldt))),
        ];
        let names = [
            ["LDTR of CPU 0", "TLB of CPU 0, slot 0", "TLB of CPU 0, slot 1", "loaded on CPU 0"],
            ["LDTR of CPU 1", "TLB of CPU 1, slot 0", "TLB of CPU 1, slot 1", "loaded on CPU 1"],
        ];
        for (cpu, names) in state.cpus.iter().zip(names) {
            seen.push((names[0], number(cpu.ldtr, |ldtr| ldtr.slot as i64)));
            seen.push((names[1], page(cpu.tlb.get(Slot::S0, 0))));
            seen.push((names[2], page(cpu.tlb.get(Slot::S1, 0))));
            seen.push((names[3], cpu.loaded.into()));
        }
        seen
    }
}
