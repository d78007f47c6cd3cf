//! What a Batcher says of itself, and what follows for its region.
//!
//! In scope: the state that `/readyz` shows, and the sum over a region's Batchers. Out of scope: what an operator should do (`landfall doctor`).

use serde::{Deserialize, Serialize};

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
    /// What a batch that failed waits for: a class and a code.
    pub waits_for: Option<String>,
    /// Why the Batcher does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl State {
    /// Of a Batcher that does not answer.
    pub fn silent(error: String) -> Self {
        Self { error: Some(error), ..Self::default() }
    }

    /// Both together: the sum of what waits, the worse of everything else.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            is_accepting: self.is_accepting && other.is_accepting,
            backlog_rows: self.backlog_rows.saturating_add(other.backlog_rows),
            backlog_bytes: self.backlog_bytes.saturating_add(other.backlog_bytes),
            oldest_pending_seconds: self.oldest_pending_seconds.max(other.oldest_pending_seconds),
            batches: self.batches.saturating_add(other.batches),
            has_open_segment: self.has_open_segment || other.has_open_segment,
            waits_for: self.waits_for.or(other.waits_for),
            error: self.error.or(other.error),
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
        let both = well.clone().and(State { waits_for: Some("hold code 60".into()), ..late });
        assert!(both.is_accepting && both.has_open_segment);
        assert_eq!((both.backlog_rows, both.oldest_pending_seconds, both.batches), (7, 9, 2));
        assert_eq!(both.waits_for.as_deref(), Some("hold code 60"));
        let gone = well.and(State::silent("gone".into()));
        assert!(!gone.is_accepting && gone.error.as_deref() == Some("gone"));
    }
}
