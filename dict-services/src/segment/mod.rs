//! The user-segments feed: which segment each user is in, computed from the events in ClickHouse.
//!
//! In scope: reading activity per user ([`source`]), judging it ([`judge`]: by the model, or by the [`rule`] while there is none), the
//! table of entries ([`table`]), what changed since the last table ([`succession`]), one refresh ([`refresh`]), training
//! ([`trainer`]), the commands ([`command`]) and what they print ([`explanation`]).
//! Out of scope: the model itself ([`crate::model`]).
//!
//! User 0 stands for all anonymous visitors and is always an entry. It answers `dictGet` for their events, and it keeps the feed
//! from being empty when no user is known yet: an empty body would wipe a loaded dictionary.

pub mod activity;
pub mod command;
pub mod explanation;
pub mod judge;
pub mod refresh;
pub mod rule;
pub mod source;
pub mod succession;
pub mod table;
pub mod trainer;
