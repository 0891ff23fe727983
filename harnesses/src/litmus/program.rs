//! A litmus test as data: locations, processes, and what is looked at when all have ended.

use std::collections::BTreeMap;

/// A litmus test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The name on the first line.
    pub name: String,
    /// The shared variables with their initial values, and the locks; a pointer's number is the place in this list.
    pub locations: Vec<(String, Value)>,
    /// The processes, P0 first.
    pub processes: Vec<Vec<Statement>>,
    /// What an outcome shows, in herd7's order: registers by process, then locations.
    pub shown: Vec<Shown>,
    /// The bad outcome.
    pub exists: Condition,
}

/// A number, or a pointer to a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Number(i64),
    /// A pointer to the location with this index.
    Pointer(usize),
}

/// A variable that an outcome shows. The order is that of herd7.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shown {
    /// A register of a process: `1:r0`.
    Register(usize, String),
    /// A location: `[map]`.
    Location(String),
}

/// How a load or a store is done, by the name of the kernel's function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A plain C access.
    Plain,
    /// `READ_ONCE()`, `WRITE_ONCE()`, `atomic_read()`.
    Once,
    /// `smp_load_acquire()`, `smp_store_release()`.
    Ordered,
    /// `rcu_dereference()`, `rcu_assign_pointer()`.
    Rcu,
}

/// The order that an atomic read-modify-write gives, by the suffix of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// None: it returns nothing, or ends in `_relaxed`.
    Relaxed,
    /// `_acquire`.
    Acquire,
    /// `_release`.
    Release,
    /// A full barrier before and after: it returns a value and has no suffix.
    Full,
}

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// A constant.
    Constant(Value),
    /// A register of the process.
    Register(String),
    /// A load from an address.
    Load(Access, Box<Expression>),
    /// `atomic_inc_return()` and its like: adds to the location and gives the new value.
    Add(Order, Box<Expression>, i64),
    /// `cmpxchg_relaxed()`: location, old value, new value; gives the value found.
    CompareExchange(Box<Expression>, Box<Expression>, Box<Expression>),
    /// Two numbers.
    Binary(Operator, Box<Expression>, Box<Expression>),
}

/// What is done with two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `|`
    Or,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// A register gets a value.
    Assign(String, Expression),
    /// A store: address, value.
    Store(Access, Expression, Expression),
    /// An expression whose value nobody looks at.
    Evaluate(Expression),
    /// A branch with both its blocks.
    If(Expression, Vec<Statement>, Vec<Statement>),
    /// `smp_mb()`.
    FullBarrier,
    /// `smp_rmb()`.
    ReadBarrier,
    /// `smp_wmb()`.
    WriteBarrier,
    /// `spin_lock()`.
    Lock(Expression),
    /// `spin_unlock()`.
    Unlock(Expression),
    /// `rcu_read_lock()`.
    ReadLock,
    /// `rcu_read_unlock()`.
    ReadUnlock,
    /// `synchronize_rcu()`.
    GracePeriod,
}

/// A condition on an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A variable has this value.
    Is(Shown, Value),
    /// `~`
    Not(Box<Condition>),
    /// `/\`
    And(Box<Condition>, Box<Condition>),
    /// `\/`
    Or(Box<Condition>, Box<Condition>),
}

impl Condition {
    /// Whether it is true of an outcome.
    ///
    /// # Panics
    /// When it names a variable that the outcome does not show; the parser adds all of them.
    pub fn holds(&self, outcome: &BTreeMap<Shown, Value>) -> bool {
        match self {
            Self::Is(shown, value) => outcome[shown] == *value,
            Self::Not(inner) => !inner.holds(outcome),
            Self::And(one, other) => one.holds(outcome) && other.holds(outcome),
            Self::Or(one, other) => one.holds(outcome) || other.holds(outcome),
        }
    }

    /// Every variable that it names.
    pub fn names(&self) -> Vec<&Shown> {
        match self {
            Self::Is(shown, _) => vec![shown],
            Self::Not(inner) => inner.names(),
            Self::And(one, other) | Self::Or(one, other) => [one.names(), other.names()].concat(),
        }
    }
}

impl Program {
    /// An outcome in herd7's notation: `0:r0=1; [map]=3;`.
    pub fn written(&self, outcome: &BTreeMap<Shown, Value>) -> String {
        let one = |(shown, value): (&Shown, &Value)| {
            let value = match value {
                Value::Number(number) => number.to_string(),
                Value::Pointer(location) => self.locations[*location].0.clone(),
            };
            match shown {
                Shown::Register(process, name) => format!("{process}:{name}={value};"),
                Shown::Location(name) => format!("[{name}]={value};"),
            }
        };
        outcome.iter().map(one).collect::<Vec<_>>().join(" ")
    }
}
