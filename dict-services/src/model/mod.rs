//! The segment model: which segment a user is in, and the chance that the user buys within 30 days.
//!
//! In scope, in the order of a training: users as they were ([`dataset`]) as numbers ([`feature`], [`scaling`]), by population
//! ([`population`]); a Gaussian mixture ([`mixture`], [`em`], [`selection`]) whose components become named segments ([`segmentation`],
//! [`naming`], [`lineage`]); a calibrated logistic score ([`logistic`], [`propensity`]); how good both are ([`quality`]); the whole
//! ([`training`]) and its outcome ([`artefact`]), whether it replaces the one in use ([`promotion`]), and all of them on disk ([`archive`]).
//! Out of scope: ClickHouse, the feed, the schedule ([`crate::segment`]).
//!
//! No clock and no random source: time and seed are arguments, so a training can be repeated bit by bit.

#![expect(clippy::cast_precision_loss, reason = "numbers of users and events are far below 2^53")]
#![cfg_attr(test, expect(clippy::float_cmp, reason = "where tests ask for equality, the arithmetic is exact"))]

pub mod archive;
pub mod artefact;
pub mod cholesky;
pub mod dataset;
pub mod em;
pub mod feature;
pub mod lineage;
pub mod logistic;
pub mod mixture;
pub mod naming;
pub mod points;
pub mod population;
pub mod promotion;
pub mod propensity;
pub mod quality;
pub mod scaling;
pub mod segmentation;
pub mod selection;
pub mod training;
