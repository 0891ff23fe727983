//! What a mechanism is to every engine: a state machine with properties, variants and sizes.
//!
//! A model file implements [`Machine`] and nothing else; engines, the command line, the reports and the
//! Explorer know mechanisms only through it. The transitions of a mechanism stand in [`Machine::step`],
//! once, and nowhere else.

use std::fmt::Debug;
use std::hash::Hash;
use std::panic::Location;

/// A mechanism (or one part of it) as a state machine, at one size and in one variant.
///
/// `step` is the whole truth about what can happen; `steps` only proposes. A proposal that `step` declines
/// costs a little time; a possible step that is not proposed would be a silent loss, so a test
/// compares the proposals in a sample of the reachable states with [`Machine::every_step`].
pub trait Machine: Clone + Debug + Send + Sync + Sized + 'static {
    /// What the kernel and the hardware keep: a small value that can be compared exactly.
    type State: Copy + Eq + Hash + Debug + Send + Sync + 'static;
    /// One atomic change that another CPU, an interrupt or the hardware can observe.
    type Step: Copy + Eq + Hash + Debug + Send + Sync + 'static;
    /// Which version of the mechanism: the few switches in which real patches differ.
    type Config: Copy + Eq + Debug + Send + Sync + 'static;

    /// The mechanism that this machine belongs to, for example `ldt`.
    const MECHANISM: &'static str;
    /// All versions of the mechanism that this machine can run.
    const VARIANTS: &'static [Variant<Self::Config>];
    /// The size parameters, in the order in which they are printed.
    const PARAMETERS: &'static [Parameter];
    /// What must always hold, and the situations that must be reachable. At most 32.
    const PROPERTIES: &'static [Property<Self>];
    /// The inductive invariant that `proofs/` is about. The engines check it as the property [`INDUCTIVE_INVARIANT`] on
    /// every state that they reach: the proofs say that no step leaves it, the search that it does not contradict what
    /// really happens.
    const INVARIANT: Option<Invariant<Self>> = None;
    /// The kinds of step, by which they are counted and explained. At most 32.
    const KINDS: &'static [StepKind];

    /// The machine for one variant at one size. The size is within the ranges of [`Machine::PARAMETERS`].
    fn new(config: Self::Config, size: Size) -> Self;

    /// Where a run begins.
    fn initial_states(&self) -> Vec<Self::State>;
    /// Proposes steps: every step that is possible in `state`, and perhaps some that are not.
    fn steps(&self, state: &Self::State, out: &mut Vec<Self::Step>);
    /// Every step that could be possible in any state; the yardstick for [`Machine::steps`].
    fn every_step(&self) -> Vec<Self::Step>;
    /// The state after `step`; `None` if `step` is not possible in `state`.
    fn step(&self, state: &Self::State, step: Self::Step) -> Option<Self::State>;
    /// The same in place: `state` becomes the state after `step`. `false` if it is not possible, and then `state` is
    /// worth nothing any more.
    fn step_in_place(&self, state: &mut Self::State, step: Self::Step) -> bool {
        let next = self.step(state, step);
        next.map(|next| *state = next).is_some()
    }
    /// Whether a run may end here. A state without steps that is not final is a deadlock.
    fn is_final(&self, state: &Self::State) -> bool;

    /// The index of the step's kind in [`Machine::KINDS`].
    fn kind(&self, step: Self::Step) -> usize;
    /// Whether this variant, at this size, is meant to take steps of this kind. A kind that is meant to
    /// happen and never does is reported: a model whose steps cannot happen proves nothing.
    fn kind_is_used(&self, kind: usize) -> bool;

    /// The representative of all states that differ from `state` only in the names of interchangeable CPUs,
    /// tasks or slots. Steps and properties must not tell such states apart.
    fn canonical(&self, state: &Self::State) -> Self::State {
        *state
    }
    /// Whether [`Machine::canonical`] merges any states at all.
    const HAS_SYMMETRY: bool = false;

    /// The columns of a timeline: CPUs, threads, hardware units.
    fn lanes(&self) -> Vec<String>;
    /// The column in which a step is shown.
    fn lane(&self, state: &Self::State, step: Self::Step) -> usize;
    /// The step in plain words with the values it works on, without naming its lane: `copies 2 bytes of
    /// task 1's bitmap into the TSS`.
    fn describe(&self, state: &Self::State, step: Self::Step) -> String;
    /// The state as a person would draw it on a board: a few small tables.
    fn view(&self, state: &Self::State) -> Vec<Panel>;
}

/// One version of a mechanism, with where it comes from and what is expected of it.
#[derive(Clone, Copy, Debug)]
pub struct Variant<C: 'static> {
    /// Name in kebab-case, unique within the mechanism.
    pub name: &'static str,
    /// What this version does differently, in one or two sentences.
    pub what: &'static str,
    /// Where it comes from: mail, commit, CVE, year.
    pub origin: &'static str,
    /// The variant that holds and from which this one differs least; its own name if it is that form.
    pub compare_with: &'static str,
    /// The switches.
    pub config: C,
    /// What is expected, and why.
    pub expect: Expect,
    /// Values of size parameters that this variant needs in place of the quick ones.
    pub quick: &'static [(&'static str, u8)],
    /// Values of size parameters that this variant needs in place of the deep ones.
    pub deep: &'static [(&'static str, u8)],
}

/// The verdicts that are expected of a variant. Whatever is not named is expected to hold, or to be seen.
#[derive(Clone, Copy, Debug)]
pub struct Expect {
    /// Properties that this variant breaks; `no-deadlock` may be among them.
    pub broken: &'static [&'static str],
    /// Witnesses that this variant cannot reach.
    pub unseen: &'static [&'static str],
    /// Why, in one or two sentences.
    pub why: &'static str,
}

impl Expect {
    /// Every property holds and every witness is seen.
    pub const fn holds(why: &'static str) -> Self {
        Self { broken: &[], unseen: &[], why }
    }
    /// Exactly these properties break.
    pub const fn broken(broken: &'static [&'static str], why: &'static str) -> Self {
        Self { broken, unseen: &[], why }
    }
    /// The same, with witnesses that cannot be reached.
    pub const fn without(self, unseen: &'static [&'static str]) -> Self {
        Self { unseen, ..self }
    }
}

/// The property that every machine has: a state without steps is one in which a run may end.
pub const NO_DEADLOCK: &str = "no-deadlock";
/// What goes wrong if it breaks.
pub const NO_DEADLOCK_SAYS: &str = "somebody waits for ever: a lock is never released, or a wake-up never comes";

/// The property that a variant with an inductive invariant has beside those of its machine.
pub const INDUCTIVE_INVARIANT: &str = "inductive-invariant";
/// What goes wrong if it breaks.
pub const INDUCTIVE_INVARIANT_SAYS: &str =
    "the proofs for any number of steps start from states among which those that really occur are missing";

/// An inductive invariant.
#[derive(Debug)]
pub struct Invariant<M: Machine> {
    /// Whether it is about this variant, at whatever size.
    pub covers: fn(&M) -> bool,
    /// The predicate.
    pub holds: fn(&M, &M::State) -> bool,
    /// Where in the source it is stated.
    pub stated_at: &'static Location<'static>,
}

impl<M: Machine> Invariant<M> {
    /// An invariant `holds` of the variants that `covers` is true for.
    #[track_caller]
    pub const fn new(covers: fn(&M) -> bool, holds: fn(&M, &M::State) -> bool) -> Self {
        Self { covers, holds, stated_at: Location::caller() }
    }
}

/// The inductive invariant of this variant, if it has one.
pub fn invariant_of<M: Machine>(machine: &M) -> Option<Invariant<M>> {
    M::INVARIANT.filter(|invariant| (invariant.covers)(machine))
}

/// Whether `state` satisfies the inductive invariant of this variant; `None` if it has none.
pub fn keeps_invariant<M: Machine>(machine: &M, state: &M::State) -> Option<bool> {
    invariant_of(machine).map(|invariant| (invariant.holds)(machine, state))
}

/// Whether a property is a claim or a witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropertyKind {
    /// Must hold in every reachable state.
    Always,
    /// Must hold in at least one reachable state, so that the claims are not true for lack of events.
    Sometimes,
}

/// A claim about states, or a witness.
#[derive(Clone, Copy, Debug)]
pub struct Property<M: Machine> {
    /// A fact in kebab-case, unique within the machine.
    pub name: &'static str,
    /// Claim or witness.
    pub kind: PropertyKind,
    /// For a claim, what goes wrong for a person if it breaks; for a witness, the situation.
    pub says: &'static str,
    /// The predicate.
    pub holds: fn(&M, &M::State) -> bool,
    /// Where in the source the property is stated.
    pub stated_at: &'static Location<'static>,
}

impl<M: Machine> Property<M> {
    /// A claim: `holds` is true in every reachable state. `says` tells what goes wrong for a person if not.
    #[track_caller]
    pub const fn always(name: &'static str, says: &'static str, holds: fn(&M, &M::State) -> bool) -> Self {
        Self { name, kind: PropertyKind::Always, says, holds, stated_at: Location::caller() }
    }
    /// A witness: `holds` is true in some reachable state. `says` describes the situation.
    #[track_caller]
    pub const fn sometimes(name: &'static str, says: &'static str, holds: fn(&M, &M::State) -> bool) -> Self {
        Self { name, kind: PropertyKind::Sometimes, says, holds, stated_at: Location::caller() }
    }
}

/// A kind of step: a label that is the same word in the model, the port, the reports and the Explorer.
#[derive(Clone, Copy, Debug)]
pub struct StepKind {
    /// The label, for example `W10SendIpi`.
    pub name: &'static str,
    /// What such a step does, in one sentence.
    pub says: &'static str,
    /// The kernel function or hardware unit that is modelled, for example `write_ldt()`.
    pub source: &'static str,
    /// Where in the source the kind is declared.
    pub stated_at: &'static Location<'static>,
}

impl StepKind {
    /// A kind of step with its label, its meaning and the function or hardware unit modelled.
    #[track_caller]
    pub const fn new(name: &'static str, says: &'static str, source: &'static str) -> Self {
        Self { name, says, source, stated_at: Location::caller() }
    }
}

/// A size parameter: how many of something there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Name as given to `--size`, for example `cpus`.
    pub name: &'static str,
    /// What is counted.
    pub says: &'static str,
    /// Smallest value allowed.
    pub min: u8,
    /// Largest value allowed.
    pub max: u8,
    /// Value at size `quick`.
    pub quick: u8,
    /// Value at size `deep`.
    pub deep: u8,
}

/// The most size parameters that a machine may have.
pub const PARAMETERS_MAX: usize = 8;

/// One value for each parameter of a machine, in the order of [`Machine::PARAMETERS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size([u8; PARAMETERS_MAX]);

impl Size {
    /// The size with these values, in the order of [`Machine::PARAMETERS`]; those behind them are 0.
    pub const fn of(values: [u8; PARAMETERS_MAX]) -> Self {
        Self(values)
    }

    /// The value of the parameter at `index` in [`Machine::PARAMETERS`].
    pub const fn get(self, index: usize) -> u8 {
        self.0[index]
    }

    /// The size `quick` of a machine, for one variant.
    pub fn quick<C>(parameters: &[Parameter], variant: &Variant<C>) -> Self {
        Self::from_defaults(parameters, |p| p.quick, variant.quick)
    }

    /// The size `deep` of a machine, for one variant.
    pub fn deep<C>(parameters: &[Parameter], variant: &Variant<C>) -> Self {
        Self::from_defaults(parameters, |p| p.deep, variant.deep)
    }

    fn from_defaults(parameters: &[Parameter], default: fn(&Parameter) -> u8, own: &[(&str, u8)]) -> Self {
        let mut values = [0; PARAMETERS_MAX];
        for (value, parameter) in values.iter_mut().zip(parameters) {
            let own = own.iter().find(|(name, _)| *name == parameter.name);
            *value = own.map_or(default(parameter), |(_, value)| *value);
        }
        Self(values)
    }

    /// This size with one parameter changed.
    ///
    /// # Errors
    /// The name is unknown, or the value is outside the parameter's range.
    pub fn with(mut self, parameters: &[Parameter], name: &str, value: u64) -> Result<Self, SizeError> {
        let Some(index) = parameters.iter().position(|p| p.name == name) else {
            return Err(SizeError::UnknownParameter {
                name: name.to_string(),
                known: parameters.iter().map(|p| p.name).collect(),
            });
        };
        let parameter = parameters[index];
        match u8::try_from(value) {
            Ok(small) if (parameter.min..=parameter.max).contains(&small) => self.0[index] = small,
            _ => return Err(SizeError::OutOfRange { parameter, value }),
        }
        Ok(self)
    }

    /// The size as a person writes it: `cpus=2,tasks=2`.
    pub fn written(self, parameters: &[Parameter]) -> String {
        let pairs = parameters.iter().zip(self.0).map(|(p, value)| format!("{}={value}", p.name));
        pairs.collect::<Vec<_>>().join(",")
    }
}

/// Why a size was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SizeError {
    /// The machine has no such parameter.
    UnknownParameter {
        /// The name that was given.
        name: String,
        /// The names that exist.
        known: Vec<&'static str>,
    },
    /// The value is outside the range of the parameter.
    OutOfRange {
        /// The parameter, which knows its range.
        parameter: Parameter,
        /// The value that was given.
        value: u64,
    },
}

impl std::fmt::Display for SizeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownParameter { name, known } => {
                write!(f, "unknown size parameter '{name}'; known here: {}", known.join(", "))
            }
            Self::OutOfRange { parameter: p, value } => {
                write!(f, "{}={value} is out of range: {} takes {} to {}", p.name, p.name, p.min, p.max)
            }
        }
    }
}

impl std::error::Error for SizeError {}

/// A titled table of a part of the state. Titles are unique within a view, row names within a panel, so
/// that two views of the same machine can be compared row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panel {
    /// For example `CPU 0` or `page tables`.
    pub title: String,
    /// The lane whose part of the state this is; `None` if it is shared.
    pub lane: Option<usize>,
    /// Name and value, in a fixed order.
    pub rows: Vec<(String, String)>,
}

impl Panel {
    /// An empty panel of a lane.
    pub fn of_lane(title: impl Into<String>, lane: usize) -> Self {
        Self { title: title.into(), lane: Some(lane), rows: Vec::new() }
    }
    /// An empty panel of shared state.
    pub fn shared(title: impl Into<String>) -> Self {
        Self { title: title.into(), lane: None, rows: Vec::new() }
    }
    /// Adds a row.
    #[must_use]
    pub fn row(mut self, name: impl Into<String>, value: impl std::fmt::Display) -> Self {
        self.rows.push((name.into(), value.to_string()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMETERS: &[Parameter] = &[
        Parameter { name: "cpus", says: "CPUs", min: 1, max: 3, quick: 2, deep: 3 },
        Parameter { name: "tasks", says: "tasks", min: 2, max: 4, quick: 2, deep: 3 },
    ];
    const VARIANT: Variant<()> = Variant {
        name: "posted",
        what: "",
        origin: "",
        compare_with: "posted",
        config: (),
        expect: Expect::holds(""),
        quick: &[("tasks", 4)],
        deep: &[],
    };

    #[test]
    fn a_variant_overrides_a_default_size() {
        assert_eq!(Size::quick(PARAMETERS, &VARIANT).written(PARAMETERS), "cpus=2,tasks=4");
        assert_eq!(Size::deep(PARAMETERS, &VARIANT).written(PARAMETERS), "cpus=3,tasks=3");
    }

    #[test]
    fn a_size_out_of_range_is_refused_with_the_range() {
        let error = Size::quick(PARAMETERS, &VARIANT).with(PARAMETERS, "cpus", 259).unwrap_err();
        assert_eq!(error.to_string(), "cpus=259 is out of range: cpus takes 1 to 3");
    }

    #[test]
    fn an_unknown_parameter_is_refused_with_the_known_ones() {
        let error = Size::quick(PARAMETERS, &VARIANT).with(PARAMETERS, "cpu", 2).unwrap_err();
        assert_eq!(error.to_string(), "unknown size parameter 'cpu'; known here: cpus, tasks");
    }
}
