//! What a Batcher says of itself, and what follows for its region.
//!
//! In scope: the state that `/readyz` shows, and the sum over a region's Batchers. Out of scope: what an operator should do (`landfall doctor`).

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use crate::log;

/// The state of one Batcher, or of all of a region together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Whether it takes events: false if too much waits already, or if it does not answer.
    pub is_accepting: bool,
    /// Rows that wait.
    pub backlog_rows: i64,
    /// Bytes of lines that wait.
    pub backlog_bytes: i64,
    /// How long the oldest row has waited, in seconds.
    pub oldest_pending_seconds: u64,
    /// Frozen batches.
    pub batches: usize,
    /// Whether rows wait to be frozen.
    pub has_open_segment: bool,
    /// Frozen batches that have failed, or that were not tried because their table is held, by what they wait for.
    pub parked: Vec<Parked>,
    /// Why the Batcher does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Frozen batches that wait for the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Parked {
    /// Class and code of the last answer, to them or to those before them.
    pub waits_for: String,
    /// How many.
    pub batches: usize,
    /// Rows of events in them.
    pub rows: i64,
    /// How long ago the oldest was begun, in seconds.
    pub oldest_seconds: u64,
}

impl State {
    /// Of a Batcher that does not answer. Anybody may read the state, so the error has no addresses.
    pub fn silent(error: impl Display) -> Self {
        Self { error: Some(log::shown(error)), ..Self::default() }
    }

    /// Both together: the sum of what waits, the worse of everything else.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        other.parked.into_iter().for_each(|parked| self.park(parked));
        Self {
            is_accepting: self.is_accepting && other.is_accepting,
            backlog_rows: self.backlog_rows.saturating_add(other.backlog_rows),
            backlog_bytes: self.backlog_bytes.saturating_add(other.backlog_bytes),
            oldest_pending_seconds: self.oldest_pending_seconds.max(other.oldest_pending_seconds),
            batches: self.batches.saturating_add(other.batches),
            has_open_segment: self.has_open_segment || other.has_open_segment,
            parked: self.parked,
            error: self.error.or(other.error),
        }
    }

    /// Adds batches that wait.
    pub fn park(&mut self, more: Parked) {
        match self.parked.iter_mut().find(|parked| parked.waits_for == more.waits_for) {
            Some(parked) => {
                parked.batches = parked.batches.saturating_add(more.batches);
                parked.rows = parked.rows.saturating_add(more.rows);
                parked.oldest_seconds = parked.oldest_seconds.max(more.oldest_seconds);
            }
            None => self.parked.push(more),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_batcher_that_is_ill_shows_in_its_region() {
        let well = State { is_accepting: true, backlog_rows: 3, oldest_pending_seconds: 1, ..State::default() };
        let late =
            State { backlog_rows: 4, oldest_pending_seconds: 9, batches: 2, has_open_segment: true, ..well.clone() };
        let both = well.clone().and(late);
        assert!(both.is_accepting && both.has_open_segment);
        assert_eq!((both.backlog_rows, both.oldest_pending_seconds, both.batches), (7, 9, 2));
        let gone = well.and(State::silent("gone"));
        assert!(!gone.is_accepting && gone.error.as_deref() == Some("gone"));
    }

    #[test]
    fn a_silent_batcher_tells_no_address() {
        let silent = State::silent("connect(): refused; peer = 127.0.0.1:8123");
        assert_eq!(silent.error.as_deref(), Some("connect(): refused; peer = [address]"));
    }

    #[test]
    fn batches_that_wait_for_the_same_are_counted_together() {
        let parked = |waits_for: &str, rows, oldest_seconds| Parked {
            waits_for: waits_for.to_owned(),
            batches: 1,
            rows,
            oldest_seconds,
        };
        let mut state = State::default();
        state.park(parked("hold code 60", 3, 9));
        let mut other = State::default();
        other.park(parked("retry code 202", 1, 1));
        other.park(parked("hold code 60", 4, 8));
        let both = state.and(other);
        assert_eq!(
            both.parked,
            [Parked { batches: 2, ..parked("hold code 60", 7, 9) }, parked("retry code 202", 1, 1)]
        );
    }
}
