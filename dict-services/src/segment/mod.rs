//! The user-segments feed: which segment each user is in, computed from the events in ClickHouse.
//!
//! In scope: reading activity per user ([`source`]), judging it ([`rule`]), the table of entries ([`table`]), what changed since
//! the last table ([`succession`]), the schedule ([`refresh`]).
//! Out of scope: a trained model. The rule is fixed thresholds, and every segment name says so with the prefix `rule_`.
//!
//! User 0 stands for all anonymous visitors and is always an entry. It answers `dictGet` for their events, and it keeps the feed
//! from being empty when no user is known yet: an empty body would wipe a loaded dictionary.

pub mod activity;
pub mod refresh;
pub mod rule;
pub mod source;
pub mod succession;
pub mod table;
