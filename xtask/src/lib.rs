//! `cargo xtask`: build, run, test and check Landfall from a clone.
//!
//! In scope: fetching the project's own tools, building the Worker and the services, running the embedded stack, and the
//! checks that CI runs. Out of scope: anything an operator needs without this repository (that is the crate `landfall`).
//!
//! Modules in reading order: where things are, how steps are shown, what is built, what is run.

pub mod bench;
pub mod build;
pub mod check;
pub mod demo;
pub mod interrupt;
pub mod paths;
pub mod shop;
pub mod stack;
pub mod step;
pub mod test;
pub mod tool;
pub mod traffic;
pub mod update_data;
