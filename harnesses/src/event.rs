//! What a port's log consists of.

/// What a port shows of its shared state: named numbers, in a fixed order.
pub type Seen = Vec<(&'static str, i64)>;

/// One recorded step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The thread or CPU that took it, numbered as in the model.
    pub actor: u8,
    /// The label of the model's step kind.
    pub label: &'static str,
    /// What the step was about, as the mechanism's replay reads it; 0 if the label says it all.
    pub argument: i64,
    /// The shared state right after the step.
    pub seen: Seen,
}

impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} by {} ({})", self.label, self.actor, self.argument)
    }
}
