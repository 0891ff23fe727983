//! What the server needs of a variant: [`Walkable`], without the types of its machine.
//!
//! A state has an address: the number of an initial state, and for each step its number among the steps that
//! the machine proposes there. Addresses mean the same in every run, because machines are deterministic.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use models::machine::Expect;
use reports::timeline::{Event, Table};
use serde::Serialize;

/// One variant of one machine at one size.
pub trait Walkable: Send + Sync + 'static {
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
    /// The size as a person writes it.
    fn size(&self) -> String;
    /// The size `quick` of this variant, which an address without a size means.
    fn quick_size(&self) -> String;
    /// The same variant at another size, such as `cpus=2,tasks=1`; what is not named is as in `quick`.
    ///
    /// # Errors
    /// What is wrong with the size, in words.
    fn at_size(&self, size: &str) -> Result<Arc<dyn Walkable>, String>;
    /// The columns of a timeline: CPUs, threads, hardware units.
    ///
    /// # Errors
    /// The model panicked.
    fn lanes(&self) -> Result<Vec<String>, WalkError>;
    /// The properties, then `inductive-invariant` if there is one, then `no-deadlock`, in words.
    fn properties(&self) -> Vec<PropertyWords>;
    /// The kinds of step in words.
    fn kinds(&self) -> Vec<KindWords>;
    /// The switches of the variant: name and value.
    fn config(&self) -> Vec<(String, String)>;
    /// Follows an address from the start and shows the state there.
    ///
    /// # Errors
    /// The address leads nowhere, or the model panicked.
    fn walk(&self, address: &[usize]) -> Result<Walk, WalkError>;
    /// A walk of at most `length` steps chosen by a generator that begins with `seed`.
    ///
    /// # Errors
    /// The model panicked.
    fn random(&self, seed: u64, length: usize) -> Result<Vec<usize>, WalkError>;
    /// Follows an address here, and the same steps in another variant; `None` if that is another machine.
    ///
    /// # Errors
    /// The address leads nowhere, or a model panicked.
    fn compare(&self, address: &[usize], other: &dyn Walkable) -> Result<Option<Comparison>, WalkError>;
    /// The kinds of step that act differently in another variant; `None` if that is another machine.
    ///
    /// # Errors
    /// A model panicked.
    fn differences(&self, other: &dyn Walkable, states: usize) -> Result<Option<Differences>, WalkError>;
    /// All reachable states if there are at most `all`, otherwise at most `near` around the address.
    ///
    /// # Errors
    /// The address leads nowhere, or the model panicked.
    fn graph(&self, address: &[usize], all: usize, near: usize) -> Result<Graph, WalkError>;
    /// What Stateright's Explorer tells about the states after an address.
    ///
    /// # Errors
    /// The address leads nowhere, or the model panicked.
    fn stock_states(&self, address: &[usize]) -> Result<Vec<StockState>, WalkError>;
    /// Searches all states with the exact engine.
    ///
    /// # Errors
    /// The model panicked, or is not deterministic.
    fn search(&self, plan: &SearchPlan) -> Result<Found, String>;
    /// For finding out whether two variants are of the same machine.
    fn as_any(&self) -> &dyn Any;
    /// Whether another variant has the same states and steps, so that the two can be compared.
    fn is_same_machine(&self, other: &dyn Walkable) -> bool {
        self.as_any().type_id() == other.as_any().type_id()
    }
}

/// A property or witness in words.
#[derive(Clone, Debug, Serialize)]
pub struct PropertyWords {
    /// Its name.
    pub name: &'static str,
    /// Whether it is a witness: a situation that must be reachable.
    pub witness: bool,
    /// Its sentence.
    pub says: &'static str,
    /// File and line at which it is stated.
    pub stated_at: String,
}

/// A kind of step in words.
#[derive(Clone, Debug, Serialize)]
pub struct KindWords {
    /// Its label.
    pub name: &'static str,
    /// What such a step does.
    pub says: &'static str,
    /// The kernel function or hardware unit modelled.
    pub source: &'static str,
    /// Whether the variant is meant to take such steps.
    pub used: bool,
}

/// A run and the state at its end.
#[derive(Clone, Debug, Serialize)]
pub struct Walk {
    /// The address of the state.
    pub address: Vec<usize>,
    /// The number of initial states.
    pub initial_states: usize,
    /// The tables at the beginning.
    pub start: Vec<Table>,
    /// The steps taken, with what each changed.
    pub events: Vec<Event>,
    /// For each state of the run, the start included: the properties that it breaks.
    pub broken_at: Vec<Vec<&'static str>>,
    /// The state in tables.
    pub tables: Vec<Table>,
    /// The properties on this state, in the order of [`Walkable::properties`]: whether the predicate is true.
    pub properties: Vec<Truth>,
    /// The steps that are possible now.
    pub options: Vec<StepOption>,
    /// Whether a run may end here.
    pub is_final: bool,
    /// The state as its debug text.
    pub debug: String,
}

/// What a property says of one state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "message")]
pub enum Truth {
    /// True in this state.
    True,
    /// Not true in this state.
    False,
    /// The predicate panicked.
    Panicked(String),
}

/// A step that is possible.
#[derive(Clone, Debug, Serialize)]
pub struct StepOption {
    /// Its number among the proposals: the next part of the address.
    pub index: usize,
    /// The lane.
    pub lane: usize,
    /// The label of its kind.
    pub kind: &'static str,
    /// In plain words.
    pub text: String,
    /// The kernel function or hardware unit.
    pub source: &'static str,
    /// The properties that the state after it breaks.
    pub breaks: Vec<&'static str>,
    /// The step leads back to a state of this run: the number of steps after which it was met.
    pub returns_to: Option<usize>,
    /// What the model said when it panicked in this step.
    pub panics: Option<String>,
}

/// Two variants under the same steps.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The walk here.
    pub left: Walk,
    /// The other variant as far as it could follow.
    pub right: Walk,
    /// The number of steps that the other variant could take.
    pub followed: usize,
    /// After how many steps the two states differ for the first time.
    pub states_differ_at: Option<usize>,
}

/// In what two variants differ.
#[derive(Clone, Debug, Serialize)]
pub struct Differences {
    /// The switches with different values: name, value here, value there.
    pub switches: Vec<(String, String, String)>,
    /// The kinds of step that act differently in some state that was looked at.
    pub kinds: Vec<KindDifference>,
    /// How many states of this variant were looked at.
    pub states: usize,
    /// Whether those were all.
    pub all: bool,
}

/// A kind of step that acts differently in two variants.
#[derive(Clone, Debug, Serialize)]
pub struct KindDifference {
    /// The label of the kind.
    pub kind: &'static str,
    /// In how many of the states only this variant can take such a step.
    pub only_here: usize,
    /// In how many only the other can.
    pub only_there: usize,
    /// In how many both can, with different results.
    pub other_result: usize,
    /// The address of the first of these states.
    pub first: Vec<usize>,
}

/// Reachable states and steps.
#[derive(Clone, Debug, Serialize)]
pub struct Graph {
    /// Whether these are all reachable states.
    pub all: bool,
    /// The states, breadth first.
    pub nodes: Vec<Node>,
    /// Steps between them: from, to, the label of the kind.
    pub edges: Vec<(usize, usize, &'static str)>,
    /// The node of the address.
    pub current: usize,
    /// The nodes along the address that are in the picture.
    pub trail: Vec<usize>,
    /// The nodes of the shortest run to a state that breaks a property, if the graph has all states.
    pub counterexample: Vec<usize>,
}

/// A state in a graph.
#[derive(Clone, Debug, Serialize)]
pub struct Node {
    /// Its address.
    pub address: Vec<usize>,
    /// Steps from where the search began.
    pub depth: usize,
    /// The properties it breaks.
    pub broken: Vec<&'static str>,
    /// Whether a run may end here.
    pub is_final: bool,
}

/// One element of the answer of `/.states/...`, in the shape of Stateright's Explorer.
#[derive(Clone, Debug, Serialize)]
pub struct StockState {
    /// The step, as debug text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The step in words, with the state after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The state, as debug text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Stateright's fingerprint of the state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The properties: expectation, name, and the path of a discovery.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<StockProperty>,
    /// The number of the step.
    #[serde(rename = "actionIndex")]
    pub action_index: usize,
}

/// Expectation, name, and the address of a discovery with `/` between its numbers.
pub type StockProperty = (&'static str, String, Option<String>);

/// How a search is run.
#[derive(Clone, Debug)]
pub struct SearchPlan {
    /// Threads.
    pub threads: usize,
    /// Time.
    pub timeout: Duration,
    /// Memory in bytes.
    pub memory: u64,
    /// Set when the search shall stop.
    pub stop: Arc<AtomicBool>,
    /// Where the search tells how far it is.
    pub progress: Arc<checker::Progress>,
}

/// What a search found.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// The properties in the order of [`Walkable::properties`].
    pub properties: Vec<FoundProperty>,
    /// `states`, or `inputs` if the variant is arithmetic.
    pub counted: &'static str,
    /// Distinct states, or inputs.
    pub states: u64,
    /// Steps taken.
    pub transitions: u64,
    /// Steps to the farthest state.
    pub depth: u32,
    /// How often each kind of step was taken.
    pub steps_by_kind: BTreeMap<&'static str, u64>,
    /// Which limit was hit.
    pub limit: Option<String>,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// What a search found out about one property.
#[derive(Clone, Debug, Serialize)]
pub struct FoundProperty {
    /// Its name.
    pub name: &'static str,
    /// `HOLDS`, `BROKEN`, `SEEN`, `UNSEEN` or `UNDECIDED`.
    pub verdict: &'static str,
    /// The shortest run that shows it, as an address.
    pub address: Option<Vec<usize>>,
    /// The smallest input that shows it, if the variant is arithmetic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Numbers>,
}

/// The smallest input that breaks a property of the arithmetic.
#[derive(Clone, Debug, Serialize)]
pub struct Numbers {
    /// The input: name and value.
    pub inputs: Vec<(&'static str, u64)>,
    /// What came out, and what should have.
    pub observed: Vec<(&'static str, u64)>,
    /// How many inputs break the property.
    pub broken: u64,
    /// How many inputs were looked at.
    pub of: u64,
}

/// Why an address could not be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalkError {
    /// There is no such initial state.
    NoSuchStart {
        /// The number given.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// There is no step with this number.
    NoSuchStep {
        /// The position of the step in the run, from one.
        position: usize,
        /// The number given.
        index: usize,
        /// How many steps are proposed there.
        count: usize,
    },
    /// The step is proposed, but not possible there.
    Impossible {
        /// The position of the step in the run, from one.
        position: usize,
        /// The step.
        step: String,
    },
    /// The model panicked.
    Panicked {
        /// The position of the step in the run, from one; zero before the first.
        position: usize,
        /// The step that was taken, or was about to be taken.
        step: Option<String>,
        /// What the model was asked.
        during: &'static str,
        /// What the panic said.
        message: String,
    },
}

impl std::fmt::Display for WalkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoSuchStart { index, count } => {
                write!(f, "there is no initial state {index}; they are numbered from 0, and there are {count}")
            }
            Self::NoSuchStep { position, index, count } => {
                write!(
                    f,
                    "step {position} of the address is {index}, but only {count} steps are proposed there (from 0)"
                )
            }
            Self::Impossible { position, step } => {
                write!(f, "step {position} of the address, {step}, is not possible there")
            }
            Self::Panicked { position, step, during, message } => {
                let step = step.as_deref().unwrap_or("the initial state");
                write!(f, "the model panicked while {during}, at step {position} ({step}): {message}")
            }
        }
    }
}

impl std::error::Error for WalkError {}
