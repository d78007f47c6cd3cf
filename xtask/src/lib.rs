//! `cargo xtask`: build, run, test and check Landfall from a clone.
//!
//! In scope: fetching the project's own tools, building the Worker and the services, running the embedded stack, and the
//! checks that CI runs. Out of scope: anything an operator needs without this repository (that is the crate `landfall`).
//!
//! Modules in reading order: where things are, how steps are shown, what is built, what is run.

pub mod paths;
pub mod interrupt;
pub mod step;
pub mod tool;
pub mod build;
pub mod stack;
pub mod shop;
pub mod traffic;
pub mod demo;
pub mod test;
pub mod check;
pub mod update_data;
