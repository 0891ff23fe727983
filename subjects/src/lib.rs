//! Every variant of every machine behind one interface, [`Subject`].
//!
//! Engines and renderings are generic over a machine's types. Here they are compiled, once for each machine;
//! whoever asks for a verdict needs no type of a model.

mod audit;
mod second_opinion;
mod subject;

pub use second_opinion::SecondOpinion;
pub use subject::{Answer, KindInfo, Plan, PropertyInfo, Search, Subject, of_mechanism};
