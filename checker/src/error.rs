//! Why there is no report: the model itself is at fault.

use std::any::Any;
use std::fmt;

use crate::report::Path;

/// What the engine was asking the model when it panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// `Model::properties`.
    Properties,
    /// `Model::init_states`.
    InitStates,
    /// The condition of a property (its index).
    Condition(usize),
    /// `Model::actions`.
    Actions,
    /// The kind of a step.
    Kind,
    /// `Model::next_state`.
    NextState,
    /// `Model::within_boundary`.
    Boundary,
    /// The canonical representative.
    Canonical,
    /// Whether a state is final.
    Final,
    /// Hashing a state.
    Hash,
    /// Comparing, hashing or dropping states while they were stored.
    Store,
    /// Following a path again to report it.
    Replay,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Properties => f.write_str("listing its properties"),
            Self::InitStates => f.write_str("listing its initial states"),
            Self::Condition(index) => write!(f, "evaluating its property number {index}"),
            Self::Actions => f.write_str("listing the actions of a state"),
            Self::Kind => f.write_str("classifying an action"),
            Self::NextState => f.write_str("computing a next state"),
            Self::Boundary => f.write_str("deciding whether a state is within its boundary"),
            Self::Canonical => f.write_str("computing the representative of a state"),
            Self::Final => f.write_str("deciding whether a state is final"),
            Self::Hash => f.write_str("hashing a state"),
            Self::Store => f.write_str("comparing states"),
            Self::Replay => f.write_str("following a path again"),
        }
    }
}

/// Why a search ended without a report.
pub enum CheckError<S, A> {
    /// The model panicked.
    Panicked {
        /// While doing what.
        during: Phase,
        /// What the panic said.
        message: String,
        /// A run to the state that was being examined, or as far towards it as the model can be followed
        /// again without a panic; `None` if no state was being examined.
        path: Option<Box<Path<S, A>>>,
    },
    /// The given symmetry is none: no step of a state leads where a step of its representative leads, or
    /// a property tells the two apart.
    NotASymmetry {
        /// A run up to the state in which it was noticed.
        path: Box<Path<S, A>>,
    },
    /// The model gave other actions or other states when it was asked a second time.
    NotDeterministic {
        /// A run up to the state in which it was noticed; `None` if the initial states changed.
        path: Option<Box<Path<S, A>>>,
    },
}

impl<S, A> CheckError<S, A> {
    /// A run to the state in question, if there is one.
    pub fn path(&self) -> Option<&Path<S, A>> {
        match self {
            Self::Panicked { path, .. } | Self::NotDeterministic { path } => path.as_deref(),
            Self::NotASymmetry { path } => Some(path),
        }
    }
}

impl<S, A> fmt::Display for CheckError<S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = self.path().map_or(String::new(), |path| format!(", {} steps from the start", path.len()));
        match self {
            Self::Panicked { during, message, .. } => {
                write!(f, "the model panicked while {during}{after}: {message}")
            }
            Self::NotASymmetry { .. } => {
                write!(f, "the symmetry is not one: a state and its representative behave differently{after}")
            }
            Self::NotDeterministic { .. } => {
                let in_place = "or its steps in place are not its steps";
                write!(f, "the model is not deterministic, {in_place}: it answered differently when asked again{after}")
            }
        }
    }
}

/// The same as `Display`: states and actions need not be printable.
impl<S, A> fmt::Debug for CheckError<S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<S, A> std::error::Error for CheckError<S, A> {}

/// What a panic said, from what `catch_unwind` gives.
pub fn message_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_string());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "(no message)".to_string())
}
