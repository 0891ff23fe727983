//! The models that are searched, with the claims that their twins for SPIN check as well.

#[path = "../../tests/checker/examples/two_phase_commit.rs"]
#[expect(dead_code, unreachable_pub, reason = "a module of the tests")]
mod two_phase_commit;

use checker::Checker;
use models::io_bitmap::{self, IoBitmap};
use models::machine::{Machine, Size};
use models::stateright::Checked;
use stateright::{Model, Property};

use two_phase_commit::{Step, Tm, TwoPhaseCommit};

/// A model with the size that is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    TwoPhaseCommit7,
    IoBitmap,
}

impl Subject {
    pub(crate) const ALL: [Self; 2] = [Self::TwoPhaseCommit7, Self::IoBitmap];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TwoPhaseCommit7 => "two_phase_commit_7",
            Self::IoBitmap => "io_bitmap_mainline_v2_scope",
        }
    }
    pub(crate) fn named(name: &str) -> Self {
        *Self::ALL.iter().find(|subject| subject.name() == name).expect("a name from the list")
    }
    pub(crate) fn bytes_of_a_state(self) -> usize {
        match self {
            Self::TwoPhaseCommit7 => size_of::<two_phase_commit::State>(),
            Self::IoBitmap => size_of::<io_bitmap::State>(),
        }
    }
    /// How many more states and transitions SPIN counts. It takes the initial state for the end of a transition;
    /// and where variables of one array begin with different values, one more step sets them.
    pub(crate) fn more_in_spin(self) -> (u64, u64) {
        match self {
            Self::TwoPhaseCommit7 => (0, 1),
            Self::IoBitmap => (1, 2),
        }
    }
    /// All engines must agree. If the model was changed, its twin for SPIN must be changed alike.
    pub(crate) fn assert_counts(self, engine: &str, states: u64, transitions: u64) {
        let expected = match self {
            Self::TwoPhaseCommit7 => (296_448, 2_744_705),
            Self::IoBitmap => (4_306_369, 10_798_820),
        };
        assert_eq!((states, transitions), expected, "{engine} on {}", self.name());
    }
}

/// A model with fewer properties.
pub(crate) struct Claims<M: Model> {
    pub(crate) model: M,
    properties: fn() -> Vec<Property<Claims<M>>>,
}

impl<M: Model> Model for Claims<M> {
    type State = M::State;
    type Action = M::Action;
    fn init_states(&self) -> Vec<M::State> {
        self.model.init_states()
    }
    fn actions(&self, state: &M::State, actions: &mut Vec<M::Action>) {
        self.model.actions(state, actions);
    }
    fn next_state(&self, state: &M::State, action: M::Action) -> Option<M::State> {
        self.model.next_state(state, action)
    }
    fn properties(&self) -> Vec<Property<Self>> {
        (self.properties)()
    }
}

/// With the claim that no RM commits while another aborts.
pub(crate) fn two_phase_commit() -> Claims<TwoPhaseCommit> {
    let consistent =
        || vec![Property::<Claims<TwoPhaseCommit>>::always("consistent", |_, state| state.is_consistent())];
    Claims { model: TwoPhaseCommit { rms: 7 }, properties: consistent }
}

/// With the two claims that user mode may touch exactly what it was granted.
pub(crate) fn io_bitmap() -> Claims<Checked<IoBitmap>> {
    type Model = Claims<Checked<IoBitmap>>;
    fn condition<const INDEX: usize>(claims: &Model, state: &io_bitmap::State) -> bool {
        (IoBitmap::PROPERTIES[INDEX].holds)(&claims.model.0, state)
    }
    assert_eq!(IoBitmap::PROPERTIES[0].name, "no-excess-permission");
    assert_eq!(IoBitmap::PROPERTIES[1].name, "no-missing-permission");
    let both = || {
        vec![
            Property::always("no-excess-permission", condition::<0>),
            Property::always("no-missing-permission", condition::<1>),
        ]
    };
    Claims { model: checked_io_bitmap(), properties: both }
}

fn checked_io_bitmap() -> Checked<IoBitmap> {
    let variant = IoBitmap::VARIANTS.iter().find(|variant| variant.name == "mainline-v2-scope").expect("a variant");
    let size = Size::deep(IoBitmap::PARAMETERS, variant).with(IoBitmap::PARAMETERS, "workers", 0);
    let size = size.expect("a parameter of this model");
    assert_eq!(size.written(IoBitmap::PARAMETERS), SIZE_OF_THE_TWIN);
    Checked(IoBitmap::new(variant.config, size))
}

const SIZE_OF_THE_TWIN: &str = "cpus=2,tasks=2,ports=2,objects=2,calls=3,workers=0,unprivileged=0";

/// Everything that can be asked.
pub(crate) fn checker_of_two_phase_commit(threads: usize) -> Checker<'static, TwoPhaseCommit> {
    let model = &TwoPhaseCommit { rms: 7 };
    let checker = Checker::new(model).threads(threads).final_states(|_, state| state.tm != Tm::Waiting);
    checker.step_kinds(Step::KINDS, |_, step| step.kind()).in_place(TwoPhaseCommit::step_in_place)
}

/// Everything that `kverdict check` asks.
pub(crate) fn checker_of_io_bitmap(threads: usize) -> Checker<'static, Checked<IoBitmap>> {
    let model = Box::leak(Box::new(checked_io_bitmap()));
    let checker = Checker::new(model).threads(threads).final_states(|model, state| model.0.is_final(state));
    checker
        .step_kinds(IoBitmap::KINDS.len(), |model, step| model.0.kind(*step))
        .in_place(|model, state, step| model.0.step_in_place(state, step))
}
