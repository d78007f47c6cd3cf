//! The collector's pure half: bytes of a beacon in; receipts, rows and requests to ClickHouse out.
//!
//! # In scope
//! Parsing, checks, verdicts, enrichment, encoding; which region and shard takes a row; the frame to the Batcher; the INSERT, and what its answer
//! means; the arithmetic of limits, retries and the ledger.
//!
//! # Out of scope
//! I/O, clocks, randomness, environment, async, Cloudflare. Each of them is an argument or belongs to the shell (`edge-collector`).
//!
//! # Reading order
//! The modules below follow a beacon on its way: `&[u8] -> Beacon -> Event -> Row -> (append) -> Insert -> Delivery`. No function accepts the stage
//! before its own, so none can be skipped. Nothing in this crate panics on input: one panic would reset every request of a Worker's isolate.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(
    not(test),
    warn(clippy::indexing_slicing, clippy::string_slice, clippy::expect_used, clippy::panic, clippy::unreachable)
)]

pub mod body;

pub mod beacon;
pub mod field;
mod wire;

pub mod client;
pub mod first_party;
pub mod ingest;
pub mod origin;
pub mod region;
pub mod sampling;
pub mod site;
pub mod web_bot_auth;

pub mod event;
pub mod item;
pub mod money;
pub mod number;
pub mod property;
pub mod reader;
pub mod url;

pub mod browser;
pub mod filter;
pub mod known;
pub mod limit;
pub mod rate;
pub mod rule;
pub mod session;

pub mod enrich;
pub mod row;

pub mod account;
pub mod collected;
pub mod outcome;
pub mod pipeline;
pub mod receipt;

pub mod rejudge;

pub mod append;
pub mod ledger;
pub mod recent;
pub mod stored;

pub mod alarm;
pub mod delivery;
pub mod failover;
pub mod insert;
pub mod log;
pub mod metric;
pub mod readiness;
pub mod retry;
