//! Feeds: HTTP endpoints whose JSONEachRow body fills one ClickHouse dictionary each.
//!
//! In scope: what a feed answers ([`route`]), the immutable snapshot behind it ([`feed`]), its copy on disk ([`store`]), the entries
//! of the two feeds ([`country`], [`segment`]), and the model behind the segments ([`model`]).
//! Out of scope: the dictionaries themselves (`infra/clickhouse/dictionaries`) and the events that segments are computed from.
//!
//! One rule shapes everything here: ClickHouse replaces a loaded dictionary with whatever a `200` carries, so a feed answers a
//! full load with one complete, valid snapshot or with an error status, never with anything in between.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that panics has failed"))]

pub mod clock;
pub mod coding;
pub mod config;
pub mod country;
pub mod entries;
pub mod feed;
pub mod lines;
pub mod metric;
pub mod model;
pub mod reply;
pub mod route;
pub mod schedule;
pub mod segment;
pub mod server;
pub mod service;
pub mod store;
pub mod tls;
pub mod token;
