//! Stateright's own Explorer, for every machine.
//!
//! Nobody waits for it, so it is not compiled once for each machine like the engines: it sees one model whose states
//! and steps are values behind a pointer. They print and hash as they are, so states, steps and fingerprints are shown as
//! if it saw the machine itself; only the name of the model's type is another.

use std::any::Any;
use std::fmt::{self, Debug};
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;

use models::machine::Machine;
use models::stateright::Checked;
use stateright::{Expectation, Model, Property};

/// Serves Stateright's Explorer of a machine; does not return while it runs.
pub fn serve_stateright<M: Machine>(machine: M, address: SocketAddr) {
    let model = Checked(machine);
    let properties = model.properties();
    Erased(Box::new(Typed { model, properties })).checker().serve(address);
}

/// A state or a step of any machine.
#[derive(Clone)]
struct Value(Arc<dyn AnyValue>);

trait AnyValue: Any + Debug + Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn equals(&self, other: &dyn Any) -> bool;
    fn hash_into(&self, hasher: &mut dyn Hasher);
}

impl<T: Debug + Eq + Hash + Send + Sync + 'static> AnyValue for T {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn equals(&self, other: &dyn Any) -> bool {
        other.downcast_ref() == Some(self)
    }
    fn hash_into(&self, mut hasher: &mut dyn Hasher) {
        self.hash(&mut hasher);
    }
}

impl Value {
    fn new<T: Debug + Eq + Hash + Send + Sync + 'static>(value: T) -> Self {
        Self(Arc::new(value))
    }
    fn get<T: 'static>(&self) -> &T {
        (*self.0).as_any().downcast_ref().expect("the values of one model have one type")
    }
}

impl Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.0.equals((*other.0).as_any())
    }
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash_into(state);
    }
}

/// A model without its types.
trait AnyModel: Send + Sync {
    fn init_states(&self) -> Vec<Value>;
    fn actions(&self, state: &Value) -> Vec<Value>;
    fn next_state(&self, state: &Value, action: &Value) -> Option<Value>;
    fn format_step(&self, state: &Value, action: &Value) -> Option<String>;
    fn properties(&self) -> Vec<(Expectation, &'static str)>;
    fn holds(&self, property: usize, state: &Value) -> bool;
}

struct Typed<M: Machine> {
    model: Checked<M>,
    properties: Vec<Property<Checked<M>>>,
}

impl<M: Machine> AnyModel for Typed<M> {
    fn init_states(&self) -> Vec<Value> {
        self.model.init_states().into_iter().map(Value::new).collect()
    }
    fn actions(&self, state: &Value) -> Vec<Value> {
        let mut actions = Vec::new();
        self.model.actions(state.get(), &mut actions);
        actions.into_iter().map(Value::new).collect()
    }
    fn next_state(&self, state: &Value, action: &Value) -> Option<Value> {
        self.model.next_state(state.get(), *action.get()).map(Value::new)
    }
    fn format_step(&self, state: &Value, action: &Value) -> Option<String> {
        self.model.format_step(state.get(), *action.get())
    }
    fn properties(&self) -> Vec<(Expectation, &'static str)> {
        self.properties.iter().map(|property| (property.expectation.clone(), property.name)).collect()
    }
    fn holds(&self, property: usize, state: &Value) -> bool {
        (self.properties[property].condition)(&self.model, state.get())
    }
}

struct Erased(Box<dyn AnyModel>);

impl Model for Erased {
    type State = Value;
    type Action = Value;

    fn init_states(&self) -> Vec<Value> {
        self.0.init_states()
    }
    fn actions(&self, state: &Value, actions: &mut Vec<Value>) {
        actions.extend(self.0.actions(state));
    }
    fn next_state(&self, state: &Value, action: Value) -> Option<Value> {
        self.0.next_state(state, &action)
    }
    fn format_step(&self, state: &Value, action: Value) -> Option<String> {
        self.0.format_step(state, &action)
    }
    fn properties(&self) -> Vec<Property<Self>> {
        let named = self.0.properties().into_iter().zip(CONDITIONS);
        named.map(|((expectation, name), condition)| Property { expectation, name, condition }).collect()
    }
}

/// Those of a machine, and its invariant.
const PROPERTIES_MAX: usize = models::stateright::PROPERTIES_MAX + 1;

/// Stateright's conditions are functions that cannot capture anything, so there is one for each index.
fn holds<const INDEX: usize>(model: &Erased, state: &Value) -> bool {
    model.0.holds(INDEX, state)
}

macro_rules! conditions {
    ($($index:literal)*) => { [$(holds::<$index>),*] };
}

#[rustfmt::skip]
const CONDITIONS: [fn(&Erased, &Value) -> bool; PROPERTIES_MAX] = conditions!(
     0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
);
