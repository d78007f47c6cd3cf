//! Tests of the whole pipeline, in reading order: one case per outcome, complete rows, properties, agreement with the schema.
//!
//! Nothing here needs a clock, a network or a random source: the moment and the client are fixtures.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod fixture;

mod document;
mod encoding;
mod outcome;
mod privacy;
mod property;
mod purchase;
mod row;
mod schema;
mod sender;
