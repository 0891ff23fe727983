//! The second opinion: the same states searched by Stateright, breadth first.
//!
//! Stateright's own ends are not trusted: `is_done()` is also true after a timeout, and the search stops as
//! soon as every property has a discovery. So the model that it gets has one more property that always
//! holds, the search is stopped from here when time is up, and what it then leaves open is undecided.

use models::machine::Machine;
use models::stateright::Checked;

use crate::subject::{Plan, Search, Subject};

pub fn search<M: Machine>(_model: &Checked<M>, _subject: &dyn Subject, _plan: &Plan) -> Result<Search, String> {
    Err("not yet".to_string())
}

pub fn explain<M: Machine>(_model: &Checked<M>) -> String {
    String::new()
}
