//! `clear_asid_other()` walks the TLB contexts of its CPU, and must not leave that CPU before it has finished.
//!
//! # Claim
//! When a kernel mapping has been removed and every CPU has answered, no CPU runs with a TLB context that still has
//! the old translation.
//!
//! # Source
//! `arch/x86/mm/tlb.c`: `clear_asid_other()`, `choose_new_asid()`, `invalidate_other_asid()`, `do_kernel_range_flush()`;
//! asked about in the mail of 30 December 2017: can it be called with preemption enabled, and what if it is migrated?
//!
//! ```text
//!   flush of a kernel address         clear_asid_other()                       switch to a context
//!   K1  remove the mapping            A1  enter, if invalidate_other is set    if invalidate_other: clear the others
//!   K2  each CPU: drop it in the      A2  compare asid with loaded_mm_asid     reuse the context if its ctx_id is
//!       loaded context, and set       A3  ctxs[asid].ctx_id = 0                known, flush it otherwise
//!       invalidate_other              A4  invalidate_other = false
//! ```
//!
//! # Assumptions
//! - C-A1: `this_cpu_read()` and `this_cpu_write()` are one instruction each, on the CPU on which the caller is then.
//!   A2 and A3 are two of them, so a migration may come between them.
//! - C-A2: a context whose `ctx_id` is known when the mapping is removed has the old translation in its TLB. Without
//!   that there would be fewer stale contexts, not more.
//! - C-A3: the switch runs with interrupts off, and all that it touches belongs to its CPU: it is one step here. It
//!   calls the same function; what goes wrong there would go wrong in A1 to A4.
//! - C-A4: which address space a context belongs to is left out. A switch reuses the context of its address space if
//!   that is known; here it may go to any context.
//! - C-A5: each CPU has at least one context loaded, with its `ctx_id` known.
//!
//! # Bounds
//! CPUs, contexts (six in the kernel) and flushes as the parameters say; any number of switches and calls.

use super::CpuSet;
use crate::machine::{Expect, Invariant, Machine, Panel, Parameter, Property, Size, StepKind, Variant};

/// Most CPUs.
pub const MAX_CPUS: usize = 3;

/// `cpu_tlbstate` of a CPU, and what its TLB holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cpu {
    /// `loaded_mm_asid`.
    pub loaded: u8,
    /// The contexts whose `ctx_id` is not 0.
    pub known: u8,
    /// The contexts in which the TLB still has the old translation.
    pub stale: u8,
    /// `invalidate_other`.
    pub invalidate_other: bool,
}

/// Where the caller of `clear_asid_other()` stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pc {
    /// Outside.
    Outside,
    /// A2: is about to compare this context with the loaded one.
    Compare(u8),
    /// A3: is about to clear this context.
    Clear(u8),
    /// A4: is about to clear the flag.
    ClearFlag,
}

/// What the kernel and the hardware keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// The CPUs; those that are not used stay as they are.
    pub cpus: [Cpu; MAX_CPUS],
    /// Where the caller stands.
    pub pc: Pc,
    /// The CPU on which the caller runs.
    pub on: Option<u8>,
    /// The CPUs that have not yet answered the flush.
    pub pending: CpuSet,
    /// How many flushes have begun.
    pub flushes: u8,
}

impl Cpu {
    /// One context is loaded, and known.
    pub const INITIAL: Self = Self { loaded: 0, known: bit(0), stale: 0, invalidate_other: false };
}

impl State {
    /// Where a run begins: nothing is stale.
    pub const INITIAL: Self =
        Self { cpus: [Cpu::INITIAL; MAX_CPUS], pc: Pc::Outside, on: Some(0), pending: CpuSet::NONE, flushes: 0 };
}

/// What is off while `clear_asid_other()` runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Off {
    /// Interrupts, and with them preemption.
    Interrupts,
    /// Preemption.
    Preemption,
    /// Nothing.
    Nothing,
}

/// Which context the loop leaves alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spares {
    /// The loaded one.
    Loaded,
    /// The first.
    First,
    /// None.
    None,
}

/// Which version of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// What is off while it runs.
    pub off: Off,
    /// Which context it leaves alone.
    pub spares: Spares,
    /// The loop goes over all contexts, not over all but the last.
    pub whole_loop: bool,
    /// The handler of the flush sets `invalidate_other`.
    pub handler_sets_flag: bool,
    /// The handler of the flush drops the translation in the loaded context.
    pub handler_drops: bool,
}

/// The form of mainline: the only caller has interrupts off.
pub const MAINLINE: Config = Config {
    off: Off::Interrupts,
    spares: Spares::Loaded,
    whole_loop: true,
    handler_sets_flag: true,
    handler_drops: true,
};

/// One atomic change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "see `KINDS`")]
pub enum Step {
    A1Enter,
    A2Compare,
    A3ClearContext,
    A4ClearFlag,
    Preempt,
    Resume { cpu: u8 },
    Switch { cpu: u8, asid: u8 },
    K1RemoveMapping,
    K2Answer { cpu: u8 },
}

/// The machine.
#[derive(Clone, Debug)]
pub struct ClearAsid {
    config: Config,
    cpus: u8,
    asids: u8,
    flushes: u8,
}

const fn bit(asid: u8) -> u8 {
    1 << asid
}

impl ClearAsid {
    /// The caller is inside the function on this CPU.
    fn is_inside(&self, s: &State, cpu: u8) -> bool {
        s.on == Some(cpu) && s.pc != Pc::Outside
    }

    /// The step of the loop after context `asid`.
    fn after(&self, asid: u8) -> Pc {
        let end = if self.config.whole_loop { self.asids } else { self.asids - 1 };
        if asid + 1 < end {
            Pc::Compare(asid + 1)
        } else {
            Pc::ClearFlag
        }
    }

    fn is_spared(&self, cpu: &Cpu, asid: u8) -> bool {
        match self.config.spares {
            Spares::Loaded => asid == cpu.loaded,
            Spares::First => asid == 0,
            Spares::None => false,
        }
    }

    /// Whether [`ClearAsid::invariant`] is about this variant: what holds stays on its CPU.
    pub fn has_invariant(&self) -> bool {
        self.config.off != Off::Nothing && self.config == Config { off: self.config.off, ..MAINLINE }
    }

    /// Implies the claims, is true at the beginning, and is kept by every step of the forms that hold (see the test).
    pub fn invariant(&self, s: &State) -> bool {
        let all = bit(self.asids) - 1;
        (0..self.cpus).all(|number| {
            let cpu = &s.cpus[number as usize];
            let others = cpu.known & !bit(cpu.loaded);
            let is_in_range = cpu.loaded < self.asids && (cpu.known | cpu.stale) & !all == 0;
            let answered = !s.pending.has(number);
            let loaded_is_good = cpu.known & bit(cpu.loaded) != 0 && !(answered && cpu.stale & bit(cpu.loaded) != 0);
            let is_flagged = !answered || cpu.stale & others == 0 || cpu.invalidate_other;
            // Inside, the flag is still set, and what the loop has passed is cleared but for the loaded context.
            let passed = match s.pc {
                _ if !self.is_inside(s, number) => true,
                Pc::Outside => true,
                Pc::Compare(asid) => cpu.invalidate_other && others & (bit(asid) - 1) == 0,
                Pc::Clear(asid) => cpu.invalidate_other && others & (bit(asid) - 1) == 0 && asid != cpu.loaded,
                Pc::ClearFlag => cpu.invalidate_other && others == 0,
            };
            is_in_range && loaded_is_good && is_flagged && passed
        }) && match s.pc {
            Pc::Outside => true,
            Pc::Compare(asid) | Pc::Clear(asid) => s.on.is_some() && asid < self.asids,
            Pc::ClearFlag => s.on.is_some(),
        }
    }

    fn caller_step(&self, s: &mut State, step: Step) -> Option<()> {
        let on = s.on?;
        let cpu = &mut s.cpus[on as usize];
        s.pc = match (step, s.pc) {
            (Step::A1Enter, Pc::Outside) if cpu.invalidate_other => Pc::Compare(0),
            (Step::A2Compare, Pc::Compare(asid)) if self.is_spared(cpu, asid) => self.after(asid),
            (Step::A2Compare, Pc::Compare(asid)) => Pc::Clear(asid),
            (Step::A3ClearContext, Pc::Clear(asid)) => {
                cpu.known &= !bit(asid);
                self.after(asid)
            }
            (Step::A4ClearFlag, Pc::ClearFlag) => {
                cpu.invalidate_other = false;
                Pc::Outside
            }
            (Step::Preempt, pc) if pc == Pc::Outside || self.config.off == Off::Nothing => {
                s.on = None;
                pc
            }
            _ => return None,
        };
        Some(())
    }

    fn cpu_step(&self, s: &mut State, number: u8, step: Step) -> Option<()> {
        let inside = self.is_inside(s, number);
        let runs_caller = s.on == Some(number);
        let cpu = &mut s.cpus[number as usize];
        match step {
            // A switch takes the CPU from whatever runs there; the caller is preempted first.
            Step::Switch { asid, .. } if !runs_caller && asid != cpu.loaded && asid < self.asids => {
                if cpu.invalidate_other {
                    cpu.known &= bit(cpu.loaded);
                    cpu.invalidate_other = false;
                }
                if cpu.known & bit(asid) == 0 {
                    cpu.stale &= !bit(asid);
                }
                cpu.known |= bit(asid);
                cpu.loaded = asid;
            }
            Step::K2Answer { .. } if s.pending.has(number) && !(inside && self.config.off == Off::Interrupts) => {
                if self.config.handler_drops {
                    cpu.stale &= !bit(cpu.loaded);
                }
                if self.config.handler_sets_flag {
                    cpu.invalidate_other = true;
                }
                s.pending = s.pending.minus(CpuSet::one(number));
            }
            _ => return None,
        }
        Some(())
    }
}

fn used(m: &ClearAsid, s: &State, holds: impl Fn(u8, &Cpu) -> bool) -> bool {
    (0..m.cpus).all(|number| holds(number, &s.cpus[number as usize]))
}

/// `no-stale-context-used`.
pub fn no_stale_context_used(m: &ClearAsid, s: &State) -> bool {
    used(m, s, |number, cpu| s.pending.has(number) || cpu.stale & bit(cpu.loaded) == 0)
}

/// `stale-context-is-flagged`.
pub fn stale_context_is_flagged(m: &ClearAsid, s: &State) -> bool {
    used(m, s, |number, cpu| {
        let reusable = cpu.stale & cpu.known & !bit(cpu.loaded);
        s.pending.has(number) || reusable == 0 || cpu.invalidate_other
    })
}

/// `loaded-context-is-known`.
pub fn loaded_context_is_known(m: &ClearAsid, s: &State) -> bool {
    used(m, s, |_, cpu| cpu.known & bit(cpu.loaded) != 0)
}

const PROPERTIES: &[Property<ClearAsid>] = &[
    Property::always(
        "no-stale-context-used",
        "The flush is over, and a CPU still runs with the translation of a kernel page that was given away.",
        no_stale_context_used,
    ),
    Property::always(
        "stale-context-is-flagged",
        "A context has the old translation, its ctx_id is known and nothing says that it must be flushed: the next switch \
         to it uses it.",
        stale_context_is_flagged,
    ),
    Property::always(
        "loaded-context-is-known",
        "The ctx_id of the loaded context is 0: the next flush of its address space does not recognise it.",
        loaded_context_is_known,
    ),
    Property::sometimes(
        "other-contexts-cleared",
        "A CPU has come out of the function with only its loaded context known.",
        |m, s: &State| {
            let is_cleared = |cpu: &Cpu| {
                !cpu.invalidate_other && cpu.known == bit(cpu.loaded) && cpu.stale & !bit(cpu.loaded) != 0
            };
            !used(m, s, |_, cpu| !is_cleared(cpu))
        },
    ),
    Property::sometimes("all-cpus-flagged", "All CPUs have answered, and all have contexts to clear.", |m, s: &State| {
        s.pending == CpuSet::NONE && used(m, s, |_, cpu| cpu.invalidate_other)
    }),
    Property::sometimes("flush-while-inside", "A flush is under way while the caller is inside.", |_, s: &State| {
        s.pc != Pc::Outside && s.pending != CpuSet::NONE
    }),
];

const REVIEW: &str = "mail of 30 December 2017, Re: Review of KPTI patchset";

const fn variant(
    name: &'static str,
    what: &'static str,
    origin: &'static str,
    config: Config,
    expect: Expect,
) -> Variant<Config> {
    // What is broken at the small size needs no larger one.
    let small: &[(&str, u8)] = if expect.broken.is_empty() { &[] } else { &[("asids", 2), ("flushes", 1)] };
    Variant { name, what, origin, compare_with: "clear-asid", config, expect, quick: small, deep: small }
}

const VARIANTS: &[Variant<Config>] = &[
    variant(
        "clear-asid",
        "The function runs with interrupts off, as its only caller has them.",
        REVIEW,
        MAINLINE,
        Expect::holds("Compare, clear and flag all belong to one CPU."),
    ),
    variant(
        "clear-asid-preempt-off",
        "The function runs with preemption off and interrupts on.",
        "kverdict: what smp_processor_id() debugging would accept",
        Config { off: Off::Preemption, ..MAINLINE },
        Expect::holds(
            "A flush that comes in between drops its translation in the loaded context itself; contexts before it are \
             cleared already, and those after it will be.",
        ),
    ),
    variant(
        "clear-asid-preemptible",
        "The function can be preempted and go on on another CPU.",
        REVIEW,
        Config { off: Off::Nothing, ..MAINLINE },
        Expect::broken(
            &["no-stale-context-used", "stale-context-is-flagged", "loaded-context-is-known"],
            "After migrating it spares the wrong context, clears the loaded one, and clears the flag of a CPU whose contexts \
             it has not cleared.",
        ),
    ),
    variant(
        "clear-asid-one-less",
        "The loop ends one context early.",
        "kverdict: a one-line change of the bound of the loop",
        Config { whole_loop: false, ..MAINLINE },
        Expect::broken(
            &["no-stale-context-used", "stale-context-is-flagged"],
            "The last context stays known with the old translation.",
        ),
    ),
    variant(
        "clear-asid-spares-first",
        "The loop spares context 0.",
        "kverdict: a one-line change of the comparison",
        Config { spares: Spares::First, ..MAINLINE },
        Expect::broken(
            &["no-stale-context-used", "stale-context-is-flagged", "loaded-context-is-known"],
            "It is right as long as context 0 is the loaded one.",
        ),
    ),
    variant(
        "clear-asid-spares-none",
        "The loop clears the loaded context too.",
        "kverdict: a one-line change that forgets the comparison",
        Config { spares: Spares::None, ..MAINLINE },
        Expect::broken(&["loaded-context-is-known"], "The loaded context loses its ctx_id while it is in use.")
            .without(&["other-contexts-cleared"]),
    ),
    variant(
        "clear-asid-flag-forgotten",
        "The handler of the flush does not set invalidate_other.",
        "kverdict: a one-line change that forgets invalidate_other_asid()",
        Config { handler_sets_flag: false, ..MAINLINE },
        Expect::broken(
            &["no-stale-context-used", "stale-context-is-flagged"],
            "Only the loaded context is flushed, and a switch brings back another.",
        )
        .without(&["other-contexts-cleared", "all-cpus-flagged", "flush-while-inside"]),
    ),
    variant(
        "clear-asid-loaded-not-flushed",
        "The handler of the flush only sets invalidate_other.",
        "kverdict: a one-line change that forgets INVLPG",
        Config { handler_drops: false, ..MAINLINE },
        Expect::broken(
            &["no-stale-context-used", "stale-context-is-flagged"],
            "The flag is about the other contexts; the loaded one stays in use, and known when it is left.",
        ),
    ),
];

const KINDS: &[StepKind] = &[
    StepKind::new("A1Enter", "Sees invalidate_other set, and enters the function.", "choose_new_asid()"),
    StepKind::new("A2Compare", "Compares a context with the loaded one.", "clear_asid_other()"),
    StepKind::new("A3ClearContext", "Stores ctx_id = 0 in a context.", "clear_asid_other()"),
    StepKind::new("A4ClearFlag", "Stores invalidate_other = false.", "clear_asid_other()"),
    StepKind::new("Preempt", "The caller loses its CPU.", "schedule()"),
    StepKind::new("Resume", "The caller gets a CPU, not necessarily the same.", "schedule()"),
    StepKind::new("Switch", "A CPU switches to another context.", "switch_mm_irqs_off()"),
    StepKind::new(
        "K1RemoveMapping",
        "A kernel mapping is removed, and every CPU is interrupted.",
        "flush_tlb_kernel_range()",
    ),
    StepKind::new("K2Answer", "A CPU drops the translation and sets its flag.", "do_kernel_range_flush()"),
];

const PARAMETERS: &[Parameter] = &[
    Parameter { name: "cpus", says: "CPUs", min: 2, max: 3, quick: 2, deep: 2 },
    Parameter { name: "asids", says: "contexts of a CPU", min: 2, max: 6, quick: 2, deep: 3 },
    Parameter { name: "flushes", says: "kernel mappings that are removed", min: 1, max: 4, quick: 2, deep: 2 },
];

impl Machine for ClearAsid {
    type State = State;
    type Step = Step;
    type Config = Config;
    const MECHANISM: &'static str = "ldt";
    const VARIANTS: &'static [Variant<Config>] = VARIANTS;
    const PARAMETERS: &'static [Parameter] = PARAMETERS;
    const PROPERTIES: &'static [Property<Self>] = PROPERTIES;
    const INVARIANT: Option<Invariant<Self>> = Some(Invariant::new(Self::has_invariant, Self::invariant));
    const KINDS: &'static [StepKind] = KINDS;

    fn new(config: Config, size: Size) -> Self {
        Self { config, cpus: size.get(0), asids: size.get(1), flushes: size.get(2) }
    }

    fn initial_states(&self) -> Vec<State> {
        vec![State::INITIAL]
    }

    fn steps(&self, _state: &State, out: &mut Vec<Step>) {
        out.extend(self.every_step());
    }

    fn every_step(&self) -> Vec<Step> {
        let mut all = vec![
            Step::A1Enter,
            Step::A2Compare,
            Step::A3ClearContext,
            Step::A4ClearFlag,
            Step::Preempt,
            Step::K1RemoveMapping,
        ];
        for cpu in 0..self.cpus {
            all.push(Step::Resume { cpu });
            all.push(Step::K2Answer { cpu });
            all.extend((0..self.asids).map(|asid| Step::Switch { cpu, asid }));
        }
        all
    }

    fn step(&self, state: &State, step: Step) -> Option<State> {
        let mut next = *state;
        match step {
            Step::Switch { cpu, .. } | Step::K2Answer { cpu } => self.cpu_step(&mut next, cpu, step)?,
            Step::Resume { cpu } if state.on.is_none() => next.on = Some(cpu),
            Step::Resume { .. } => return None,
            Step::K1RemoveMapping if state.flushes < self.flushes && state.pending == CpuSet::NONE => {
                next.flushes += 1;
                for number in 0..self.cpus {
                    let cpu = &mut next.cpus[number as usize];
                    cpu.stale |= cpu.known | bit(cpu.loaded);
                    next.pending = next.pending.or(CpuSet::one(number));
                }
            }
            Step::K1RemoveMapping => return None,
            _ => self.caller_step(&mut next, step)?,
        }
        Some(next)
    }

    fn is_final(&self, state: &State) -> bool {
        state.flushes == self.flushes && state.pending == CpuSet::NONE && state.pc == Pc::Outside
    }

    fn kind(&self, step: Step) -> usize {
        match step {
            Step::A1Enter => 0,
            Step::A2Compare => 1,
            Step::A3ClearContext => 2,
            Step::A4ClearFlag => 3,
            Step::Preempt => 4,
            Step::Resume { .. } => 5,
            Step::Switch { .. } => 6,
            Step::K1RemoveMapping => 7,
            Step::K2Answer { .. } => 8,
        }
    }

    fn kind_is_used(&self, kind: usize) -> bool {
        kind > 3 || self.config.handler_sets_flag
    }

    fn lanes(&self) -> Vec<String> {
        let cpus = (0..self.cpus).map(|cpu| format!("CPU {cpu}"));
        ["caller".to_string(), "flush".to_string()].into_iter().chain(cpus).collect()
    }

    fn lane(&self, _state: &State, step: Step) -> usize {
        match step {
            Step::Switch { cpu, .. } | Step::K2Answer { cpu } => 2 + cpu as usize,
            Step::K1RemoveMapping => 1,
            _ => 0,
        }
    }

    fn describe(&self, s: &State, step: Step) -> String {
        let here = s.on.map_or("no CPU".to_string(), |cpu| format!("CPU {cpu}"));
        let loaded = s.on.map_or(0, |cpu| s.cpus[cpu as usize].loaded);
        match (step, s.pc) {
            (Step::A1Enter, _) => format!("sees invalidate_other of {here} set, and enters clear_asid_other()"),
            (Step::A2Compare, Pc::Compare(asid)) => {
                format!("compares context {asid} with context {loaded}, loaded on {here}")
            }
            (Step::A3ClearContext, Pc::Clear(asid)) => format!("stores ctx_id = 0 in context {asid} of {here}"),
            (Step::A4ClearFlag, _) => format!("stores invalidate_other = false on {here}"),
            (Step::Preempt, _) => format!("is preempted on {here}"),
            (Step::Resume { cpu }, _) => format!("goes on on CPU {cpu}"),
            (Step::Switch { cpu, asid }, _) => {
                let now = &s.cpus[cpu as usize];
                let reuses = !now.invalidate_other && now.known & bit(asid) != 0;
                format!("switches to context {asid} and {}", if reuses { "reuses it" } else { "flushes it" })
            }
            (Step::K1RemoveMapping, _) => "removes a kernel mapping and interrupts every CPU".to_string(),
            (Step::K2Answer { cpu }, _) => {
                format!("drops the translation in context {} and sets invalidate_other", s.cpus[cpu as usize].loaded)
            }
            (Step::A2Compare | Step::A3ClearContext, _) => "does nothing".to_string(),
        }
    }

    fn view(&self, s: &State) -> Vec<Panel> {
        let set = |bits: u8| {
            let names: Vec<String> =
                (0..self.asids).filter(|asid| bits & bit(*asid) != 0).map(|a| a.to_string()).collect();
            if names.is_empty() {
                "none".to_string()
            } else {
                names.join(", ")
            }
        };
        let at = match s.pc {
            Pc::Outside => "outside".to_string(),
            Pc::Compare(asid) => format!("A2: compares context {asid}"),
            Pc::Clear(asid) => format!("A3: clears context {asid}"),
            Pc::ClearFlag => "A4: clears the flag".to_string(),
        };
        let mut panels = vec![Panel::of_lane("caller", 0)
            .row("is", at)
            .row("on", s.on.map_or("no CPU".to_string(), |cpu| format!("CPU {cpu}")))];
        for number in 0..self.cpus {
            let cpu = &s.cpus[number as usize];
            panels.push(
                Panel::of_lane(format!("CPU {number}"), 2 + number as usize)
                    .row("loaded context", cpu.loaded)
                    .row("known contexts", set(cpu.known))
                    .row("contexts with the old translation", set(cpu.stale))
                    .row("invalidate_other", cpu.invalidate_other)
                    .row("must answer the flush", s.pending.has(number)),
            );
        }
        panels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs steps by hand from the initial state.
    fn after(machine: &ClearAsid, steps: &[Step]) -> State {
        let start = machine.initial_states()[0];
        steps.iter().fold(start, |state, step| {
            let next = machine.step(&state, *step);
            next.unwrap_or_else(|| panic!("{step:?} is not possible in {state:?}"))
        })
    }

    #[test]
    fn a_switch_clears_the_other_contexts_first() {
        let machine = ClearAsid { config: MAINLINE, cpus: 2, asids: 2, flushes: 1 };
        let switch = |asid| Step::Switch { cpu: 1, asid };
        let state = after(&machine, &[switch(1), Step::K1RemoveMapping, Step::K2Answer { cpu: 1 }, switch(0)]);
        assert_eq!(state.cpus[1], Cpu { loaded: 0, known: 0b11, stale: 0, invalidate_other: false });
    }

    /// Every state of two CPUs with two contexts, reachable or not.
    fn every_state() -> Vec<State> {
        let cpu = |n: u8| Cpu { loaded: n & 1, known: n >> 1 & 3, stale: n >> 3 & 3, invalidate_other: n >> 5 == 1 };
        let pcs = [Pc::Outside, Pc::Compare(0), Pc::Compare(1), Pc::Clear(0), Pc::Clear(1), Pc::ClearFlag];
        let mut all = Vec::new();
        for (first, second) in (0..64).flat_map(|first| (0..64).map(move |second| (first, second))) {
            let cpus = [cpu(first), cpu(second), cpu(0)];
            for (pc, on) in pcs.into_iter().flat_map(|pc| [None, Some(0), Some(1)].map(|on| (pc, on))) {
                all.extend((0..4).map(|pending| State { cpus, pc, on, pending: CpuSet(pending), flushes: 0 }));
            }
        }
        all
    }

    #[test]
    fn the_invariant_is_kept_by_every_step_and_implies_the_claims() {
        for (off, satisfying) in [(Off::Interrupts, 13_524), (Off::Preemption, 13_524)] {
            let mut states = 0;
            let machine = ClearAsid { config: Config { off, ..MAINLINE }, cpus: 2, asids: 2, flushes: 1 };
            assert!(machine.invariant(&machine.initial_states()[0]));
            let steps = machine.every_step();
            for before in every_state().into_iter().filter(|state| machine.invariant(state)) {
                states += 1;
                for property in PROPERTIES.iter().filter(|p| p.kind == crate::machine::PropertyKind::Always) {
                    assert!((property.holds)(&machine, &before), "{} in {before:?}", property.name);
                }
                for after in steps.iter().filter_map(|step| machine.step(&before, *step)) {
                    assert!(machine.invariant(&after), "{before:?} to {after:?}");
                }
            }
            assert_eq!(states, satisfying, "states that satisfy the invariant, of {}", every_state().len());
        }
    }

    #[test]
    fn a_flush_waits_for_interrupts() {
        let machine = ClearAsid { config: MAINLINE, cpus: 2, asids: 2, flushes: 2 };
        let answers = [0, 1].map(|cpu| Step::K2Answer { cpu });
        let inside =
            after(&machine, &[Step::K1RemoveMapping, answers[0], answers[1], Step::A1Enter, Step::K1RemoveMapping]);
        assert_eq!(machine.step(&inside, answers[0]), None);
        assert_eq!(machine.step(&inside, Step::Preempt), None);
        assert!(machine.step(&inside, answers[1]).is_some());
    }
}
