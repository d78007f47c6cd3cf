//! What the operator's command line does, as a library, so that `cargo xtask` and tests call the same code.
//!
//! In scope: the work behind every subcommand, blocking, with progress as a callback. Out of scope: arguments and printing (the binary,
//! one file per subcommand).

pub mod address;
pub mod collector;
pub mod connection;
pub mod doctor;
pub mod migrate;
pub mod reclassify;
pub mod replay;
pub mod schema;
pub mod sites;
pub mod statement;
mod time;
