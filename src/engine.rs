//! The engines that can give a verdict.

use clap::ValueEnum;

/// What produced a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
pub enum Engine {
    /// Every reachable state of a model, by the engine in `checker/`.
    Exact,
    /// The same states by Stateright: the second opinion.
    Stateright,
    /// Every input of the arithmetic, at a reduced width.
    Enumerate,
    /// The ports on atomics, in every execution that loom produces under (its part of) the C11 memory model.
    Loom,
    /// Litmus tests under the kernel's own memory model, by herd7.
    Lkmm,
}

impl Engine {
    /// All engines, in the order in which their verdicts are printed.
    pub const ALL: &'static [Self] = &[Self::Exact, Self::Stateright, Self::Enumerate, Self::Loom, Self::Lkmm];

    /// The name as it is given on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Stateright => "stateright",
            Self::Enumerate => "enumerate",
            Self::Loom => "loom",
            Self::Lkmm => "lkmm",
        }
    }

    /// The version of the engine, if it is a library with one.
    pub fn version(self) -> Option<&'static str> {
        match self {
            Self::Exact | Self::Enumerate => Some(env!("CARGO_PKG_VERSION")),
            Self::Stateright => Some("0.31.0"),
            Self::Loom => Some("0.7.2"),
            // herd7 is found when it is needed.
            Self::Lkmm => None,
        }
    }
}
