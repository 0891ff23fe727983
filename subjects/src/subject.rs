//! One variant of one machine, whatever its types: the bridge from models to engines and renderings.
//!
//! No transition and no property lives here; everything is asked of [`models::machine::Machine`].

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use checker::{Checker, Outcome};
use explorer::{checker_of, event, tables};
use models::machine::{
    Expect, INDUCTIVE_INVARIANT, INDUCTIVE_INVARIANT_SAYS, Machine, NO_DEADLOCK, NO_DEADLOCK_SAYS, Parameter,
    PropertyKind, Size, Variant, invariant_of,
};
use models::stateright::Checked;
use reports::results::{NotRun, Verdict};
use reports::timeline::{Timeline, changes};

use crate::audit::{audit, audit_walks};
use crate::second_opinion::{self, SecondOpinion};

/// How a search is run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Threads of the search.
    pub threads: usize,
    /// Time for one verdict.
    pub timeout: Option<Duration>,
    /// Memory of one search, in bytes.
    pub memory: u64,
    /// Whether interchangeable CPUs, tasks and slots are merged.
    pub symmetry: bool,
    /// Set when the search shall stop.
    pub stop: Arc<AtomicBool>,
    /// Where a search tells how far it is.
    pub progress: Arc<checker::Progress>,
}

impl Plan {
    /// One thread, no limits.
    #[must_use]
    pub fn unlimited() -> Self {
        Self {
            threads: 1,
            timeout: None,
            memory: u64::MAX,
            symmetry: false,
            stop: Arc::default(),
            progress: Arc::default(),
        }
    }
}

/// A property or witness in words.
#[derive(Clone, Copy, Debug)]
pub struct PropertyInfo {
    /// Its name.
    pub name: &'static str,
    /// Whether it is a witness.
    pub witness: bool,
    /// Its sentence.
    pub says: &'static str,
    /// File and line at which it is stated.
    pub stated_at: (&'static str, u32),
}

/// A kind of step in words.
#[derive(Clone, Copy, Debug)]
pub struct KindInfo {
    /// Its label.
    pub name: &'static str,
    /// File and line at which it is declared.
    pub stated_at: (&'static str, u32),
    /// Whether the variant, at the size asked for, is meant to take such steps.
    pub used: bool,
}

/// What a search said about one property, with the run that shows it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The verdict.
    pub verdict: Verdict,
    /// The shortest run to the state in question.
    pub timeline: Option<Timeline>,
}

/// What a search found.
#[derive(Clone, Debug)]
pub struct Search {
    /// One answer for each of [`Subject::properties`], in that order.
    pub answers: Vec<Answer>,
    /// Distinct states.
    pub states: u64,
    /// Further numbers, by name.
    pub counts: Vec<(&'static str, u64)>,
    /// How often each kind of step was taken; empty if the engine does not count.
    pub steps_by_kind: Vec<u64>,
    /// Which limit was hit.
    pub limit: Option<String>,
    /// Bounds on what was looked at.
    pub bounds: Vec<String>,
    /// Wall time.
    pub elapsed: Duration,
    /// Memory at its peak, in bytes, if the engine counts it.
    pub peak_bytes: Option<u64>,
}

/// One variant of one machine.
pub trait Subject: Send + Sync {
    /// The mechanism's name.
    fn mechanism(&self) -> &'static str;
    /// The variant's name.
    fn name(&self) -> &'static str;
    /// What the variant does differently.
    fn what(&self) -> &'static str;
    /// Where it comes from.
    fn origin(&self) -> &'static str;
    /// What is expected.
    fn expect(&self) -> Expect;
    /// The size parameters.
    fn parameters(&self) -> &'static [Parameter];
    /// The size `quick`.
    fn quick(&self) -> Size;
    /// The size `deep`.
    fn deep(&self) -> Size;
    /// Properties and witnesses as the machine lists them, then `inductive-invariant` if the variant has one, then
    /// `no-deadlock`.
    fn properties(&self) -> Vec<PropertyInfo>;
    /// The kinds of step.
    fn kinds(&self, size: Size) -> Vec<KindInfo>;
    /// Whether the machine has interchangeable parts.
    fn has_symmetry(&self) -> bool;
    /// Searches all states with the exact engine.
    ///
    /// # Errors
    /// The model panicked, or its symmetry is none.
    fn search(&self, size: Size, plan: &Plan) -> Result<Search, String>;
    /// Searches all states with both engines, and says what Stateright found; `Err` inside if it must not run.
    ///
    /// # Errors
    /// The model panicked.
    fn second_opinion(&self, size: Size, plan: &Plan) -> Result<Result<SecondOpinion, NotRun>, String>;
    /// The variant at one size, for the Explorer.
    fn walkable(&self, size: Size) -> Arc<dyn explorer::Walkable>;
    /// Serves Stateright's own Explorer; does not return while it runs.
    fn serve_stock_explorer(&self, size: Size, address: std::net::SocketAddr);
    /// The promises of the machine that are broken, in words, on one of so many of its states.
    fn audit(&self, size: Size, every: usize) -> Vec<String>;
    /// The same on the states of random walks of this length.
    fn audit_walks(&self, size: Size, walks: u32, length: u32) -> Vec<String>;
    /// `mechanism/variant`.
    fn full_name(&self) -> String {
        format!("{}/{}", self.mechanism(), self.name())
    }
}

/// The variants of a mechanism that are state machines, in catalogue order; none for arithmetic.
#[must_use]
pub fn of_mechanism(name: &str) -> Vec<Box<dyn Subject>> {
    let machines = match name {
        "io-bitmap" => vec![all::<models::io_bitmap::IoBitmap>()],
        "ldt" => vec![
            all::<models::ldt::Ldt>(),
            all::<models::ldt::fork::LdtFork>(),
            all::<models::ldt::clear_asid::ClearAsid>(),
        ],
        "iommu-flush" => {
            vec![all::<models::iommu_flush::IommuFlush>(), all::<models::iommu_flush::deferred::DeferredFree>()]
        }
        "pkeys" => vec![all::<models::pkeys::Pkeys>()],
        _ => Vec::new(),
    };
    machines.into_iter().flatten().collect()
}

/// All variants of a machine.
fn all<M: Machine>() -> Vec<Box<dyn Subject>> {
    M::VARIANTS.iter().map(|variant| Box::new(Bound::<M> { variant }) as Box<dyn Subject>).collect()
}

/// A machine with one of its variants.
struct Bound<M: Machine> {
    variant: &'static Variant<M::Config>,
}

impl<M: Machine> Bound<M> {
    fn machine(&self, size: Size) -> M {
        M::new(self.variant.config, size)
    }

    fn checker<'m>(&self, model: &'m Checked<M>, plan: &Plan) -> Checker<'m, Checked<M>> {
        let mut checker = checker_of(model)
            .threads(plan.threads)
            .max_memory(plan.memory)
            .stop_when(Arc::clone(&plan.stop))
            .progress(Arc::clone(&plan.progress));
        if let Some(timeout) = plan.timeout {
            checker = checker.timeout(timeout);
        }
        if plan.symmetry && M::HAS_SYMMETRY {
            checker = checker.symmetry(|model, state| model.0.canonical(state));
        }
        checker
    }

    /// An engine's error with the step at which it happened.
    fn told(&self, error: &checker::ErrorOf<Checked<M>>, size: Size) -> String {
        let machine = self.machine(size);
        let last = error.path().and_then(|path| path.actions().last());
        let at = last.map_or(String::new(), |step| format!(" (after step {})", M::KINDS[machine.kind(*step)].name));
        format!("{error}{at}")
    }

    fn answer(&self, machine: &M, size: Size, info: &PropertyInfo, outcome: &OutcomeOf<M>) -> Answer {
        let verdict = match outcome {
            Outcome::Holds => Verdict::Holds,
            Outcome::Broken(_) => Verdict::Broken,
            Outcome::Seen(_) => Verdict::Seen,
            Outcome::Unseen => Verdict::Unseen,
            Outcome::Undecided | Outcome::Unsupported(_) => Verdict::Undecided,
        };
        Answer { verdict, timeline: outcome.path().map(|path| self.timeline(machine, size, info, path)) }
    }

    fn timeline(&self, machine: &M, size: Size, info: &PropertyInfo, path: &PathOf<M>) -> Timeline {
        let start = tables(machine, &path.init);
        let mut before = (path.init, start.clone());
        let mut events = Vec::with_capacity(path.len());
        for (step, state) in &path.steps {
            let after = tables(machine, state);
            events.push(event(machine, &before.0, *step, changes(&before.1, &after)));
            before = (*state, after);
        }
        Timeline {
            mechanism: M::MECHANISM.to_string(),
            variant: self.variant.name.to_string(),
            size: size.written(M::PARAMETERS),
            property: info.name.to_string(),
            witness: info.witness,
            says: info.says.to_string(),
            lanes: machine.lanes(),
            start,
            steps: events,
        }
    }
}

type OutcomeOf<M> = Outcome<<M as Machine>::State, <M as Machine>::Step>;
type PathOf<M> = checker::Path<<M as Machine>::State, <M as Machine>::Step>;

impl<M: Machine> Subject for Bound<M> {
    fn mechanism(&self) -> &'static str {
        M::MECHANISM
    }
    fn name(&self) -> &'static str {
        self.variant.name
    }
    fn what(&self) -> &'static str {
        self.variant.what
    }
    fn origin(&self) -> &'static str {
        self.variant.origin
    }
    fn expect(&self) -> Expect {
        self.variant.expect
    }
    fn parameters(&self) -> &'static [Parameter] {
        M::PARAMETERS
    }
    fn quick(&self) -> Size {
        Size::quick(M::PARAMETERS, self.variant)
    }
    fn deep(&self) -> Size {
        Size::deep(M::PARAMETERS, self.variant)
    }
    fn properties(&self) -> Vec<PropertyInfo> {
        let stated = M::PROPERTIES.iter().map(|p| PropertyInfo {
            name: p.name,
            witness: p.kind == PropertyKind::Sometimes,
            says: p.says,
            stated_at: (p.stated_at.file(), p.stated_at.line()),
        });
        let here = std::panic::Location::caller();
        let added = |name, says, at: &'static std::panic::Location<'static>| PropertyInfo {
            name,
            witness: false,
            says,
            stated_at: (at.file(), at.line()),
        };
        let invariant = invariant_of(&self.machine(self.quick()));
        let invariant = invariant.map(|it| added(INDUCTIVE_INVARIANT, INDUCTIVE_INVARIANT_SAYS, it.stated_at));
        stated.chain(invariant).chain([added(NO_DEADLOCK, NO_DEADLOCK_SAYS, here)]).collect()
    }
    fn kinds(&self, size: Size) -> Vec<KindInfo> {
        let machine = self.machine(size);
        let kinds = M::KINDS.iter().enumerate().map(|(index, kind)| KindInfo {
            name: kind.name,
            stated_at: (kind.stated_at.file(), kind.stated_at.line()),
            used: machine.kind_is_used(index),
        });
        kinds.collect()
    }
    fn has_symmetry(&self) -> bool {
        M::HAS_SYMMETRY
    }

    fn search(&self, size: Size, plan: &Plan) -> Result<Search, String> {
        let model = Checked(self.machine(size));
        let report = self.checker(&model, plan).run().map_err(|error| self.told(&error, size))?;
        let deadlock = report.deadlock.as_ref().expect("the final states were given");
        let outcomes = report.properties.iter().map(|p| &p.outcome).chain(std::iter::once(deadlock));
        let infos = self.properties();
        let answers = infos.iter().zip(outcomes).map(|(info, outcome)| self.answer(&model.0, size, info, outcome));
        let mut bounds = Vec::new();
        if report.cut_by_boundary > 0 {
            bounds.push(format!("{} steps out of the model's boundary were not followed", report.cut_by_boundary));
        }
        let examined = (report.examined < report.states).then_some(("examined", report.examined));
        let counts = [("transitions", report.transitions), ("depth", report.depth.into())];
        Ok(Search {
            answers: answers.collect(),
            states: report.states,
            counts: counts.into_iter().chain(examined).collect(),
            steps_by_kind: report.steps_by_kind,
            limit: report.limit.map(|limit| limit.to_string()),
            bounds,
            elapsed: report.elapsed,
            peak_bytes: Some(report.peak_bytes),
        })
    }

    fn second_opinion(&self, size: Size, plan: &Plan) -> Result<Result<SecondOpinion, NotRun>, String> {
        let model = Checked(self.machine(size));
        let checker = self.checker(&model, plan);
        let (report, space) = checker.run_with_space().map_err(|error| self.told(&error, size))?;
        second_opinion::ask(&model.0, &report, &space, plan)
    }

    fn walkable(&self, size: Size) -> Arc<dyn explorer::Walkable> {
        explorer::walkable::<M>(self.variant, size)
    }

    fn serve_stock_explorer(&self, size: Size, address: std::net::SocketAddr) {
        explorer::serve_stateright(self.machine(size), address);
    }

    fn audit(&self, size: Size, every: usize) -> Vec<String> {
        audit(&self.machine(size), every)
    }

    fn audit_walks(&self, size: Size, walks: u32, length: u32) -> Vec<String> {
        audit_walks(&self.machine(size), walks, length)
    }
}
