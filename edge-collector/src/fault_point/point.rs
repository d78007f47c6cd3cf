//! The steps of a flush, in the one place that lists them. In scope: a point behind each. Out of scope: the steps themselves (`batcher`).
//!
//! The tests read this file too (`tests/e2e/fault_point.rs`): a point that they do not reach, or do not know, fails there.
//!
//! No point is needed inside a step. A step makes its writes in one transaction (`Store::atomically`) or in one statement. In production more
//! than that is one: what a Durable Object writes without waiting in between becomes durable together. Waiting at a point ends that, so the
//! test kills between writes that production never parts (`DoubtSettled`).

/// A point behind a step. The order is that of a flush; `AlarmSet` is the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// The rows of a window are written, and their senders do not know yet.
    RowsWritten,
    /// The alarm has fired.
    FlushBegun,
    /// What is due is frozen, has its token, and is booked.
    BatchFrozen,
    /// Delivered segments are dropped whose ids are known no more.
    DeliveredDropped,
    /// The region is trusted, or has said that it is there. From here to `BatchParted`: one batch.
    RegionAsked,
    /// Where the batch is going is written down, unless that goes without saying (`collector_core::failover::is_usual`).
    DoubtWritten,
    /// ClickHouse has answered, or has not.
    AnswerRead,
    /// Which regions may have it is written down, now that there is an answer that is no success.
    DoubtSettled,
    /// Delivered: the batch is at its end and its rows are booked.
    BatchFinished,
    /// Refused for a row of it: two halves have taken its place.
    BatchCut,
    /// Refused for its only row: a dead letter has taken its place.
    RowBuried,
    /// Not taken: noted, and another region is next, if it may be there.
    FailureNoted,
    /// Only an operator can help: it waits.
    BatchPostponed,
    /// Its sites permit different regions: a batch for each set of regions has taken its place.
    BatchParted,
    /// Nothing more is due.
    BatchesSent,
    /// The next alarm is set.
    AlarmSet,
}
