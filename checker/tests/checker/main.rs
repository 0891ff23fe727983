//! The engine against published counts, against simpler searches and against models that misbehave.

mod against_the_simplest_search;
mod cross_check;
mod examples;
mod faulty_models;
mod known_counts;
mod limits;
mod same_result;
