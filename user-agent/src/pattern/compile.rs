//! From regular expressions to a compiled set.
//!
//! In scope: the dialect that uap-core and the crawler lists use (no look-around, no back-references), with ASCII classes
//! and word boundaries. Out of scope: where the expressions come from (`cargo xtask update-data`).

mod atom;
mod emit;
mod encode;
mod set;
#[cfg(test)]
mod tests;

pub use set::{Error, Source, compile};
