//! One variant of one machine, whatever its types: the bridge from models to engines and renderings.
//!
//! No transition and no property lives here; everything is asked of [`models::machine::Machine`].

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use models::machine::{Expect, Machine, NO_DEADLOCK, Parameter, PropertyKind, Size, Variant};
use reports::results::Verdict;
use reports::timeline::{Event, Table, Timeline, changes};

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
    /// What such a step does.
    pub says: &'static str,
    /// The kernel function or hardware unit modelled.
    pub source: &'static str,
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
    /// The form that holds and from which it differs least.
    fn compare_with(&self) -> &'static str;
    /// What is expected.
    fn expect(&self) -> Expect;
    /// The size parameters.
    fn parameters(&self) -> &'static [Parameter];
    /// The size `quick`.
    fn quick(&self) -> Size;
    /// The size `deep`.
    fn deep(&self) -> Size;
    /// Properties, then witnesses as the machine lists them, then `no-deadlock`.
    fn properties(&self) -> Vec<PropertyInfo>;
    /// The kinds of step.
    fn kinds(&self, size: Size) -> Vec<KindInfo>;
    /// Whether the machine has interchangeable parts.
    fn has_symmetry(&self) -> bool;
    /// The columns of a timeline.
    fn lanes(&self, size: Size) -> Vec<String>;
    /// Searches all states with the exact engine.
    ///
    /// # Errors
    /// The model panicked, or its symmetry is none.
    fn search(&self, size: Size, plan: &Plan) -> Result<Search, String>;
    /// Searches all states with Stateright.
    ///
    /// # Errors
    /// The model panicked.
    fn second_opinion(&self, size: Size, plan: &Plan) -> Result<Search, String>;
    /// Why the two engines' counts of states differ, in words.
    fn explain_difference(&self, size: Size) -> String;
    /// Serves Stateright's own Explorer; does not return while it runs.
    fn serve_stock_explorer(&self, size: Size, address: std::net::SocketAddr);
}

/// All variants of a machine.
pub fn subjects<M: Machine>() -> Vec<Box<dyn Subject>> {
    M::VARIANTS.iter().map(|variant| Box::new(Bound::<M> { variant }) as Box<dyn Subject>).collect()
}

/// A machine with one of its variants.
struct Bound<M: Machine> {
    variant: &'static Variant<M::Config>,
}

const NO_DEADLOCK_SAYS: &str = "somebody waits for ever: a lock is never released, or a wake-up never comes";
