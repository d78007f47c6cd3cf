//! What one alarm sends. In scope: how much that is, and which batch goes next. Out of scope: sending it (`flush`, `deliver`).

use collector_core::failover::{self, OnWay};
use worker::Result;

use super::deliver::Step;
use super::store::Batch;

/// How long one alarm goes on sending; then it makes way and is set again. The platform allows 15 minutes.
const MAX_ALARM_MS: i64 = 120_000;
/// How much one alarm sends: the clock stands still between two answers, and an alarm has 30 s of CPU.
const MAX_ALARM_BYTES: i64 = 64 << 20;
/// How many batches one alarm sends.
const MAX_ALARM_BATCHES: usize = 500;
/// How many of them are on their way at once, so that one that hangs does not hold up the rest. Each is up to 4 MB of lines while the runtime
/// packs it, then its gzip body; the platform allows six connections.
const MAX_ON_WAY: usize = 3;

/// The batches of one alarm.
pub(super) struct Round {
    started_ms: i64,
    /// Batches that are due, the next one last.
    due: Vec<Batch>,
    /// The newest token among the batches that were due, until those that wait are looked at again: tokens are in the order of time.
    newest: String,
    /// Tokens of the batches that are on their way.
    on_way: Vec<String>,
    sent: usize,
    sent_bytes: i64,
}

impl Round {
    pub(super) fn new(started_ms: i64) -> Self {
        Self { started_ms, due: Vec::new(), newest: String::new(), on_way: Vec::new(), sent: 0, sent_bytes: 0 }
    }

    /// Whether batches are left that were due and have not gone.
    pub(super) fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Tokens of the batches that are on their way.
    pub(super) fn on_way(&self) -> &[String] {
        &self.on_way
    }

    /// Whether the alarm has to make way for the next one.
    pub(super) fn is_over(&self, now_ms: i64) -> bool {
        now_ms - self.started_ms > MAX_ALARM_MS || self.sent >= MAX_ALARM_BATCHES || self.sent_bytes >= MAX_ALARM_BYTES
    }

    /// The batches that wait may be looked at again, and not only those that came since.
    pub(super) fn look_again(&mut self) {
        self.newest.clear();
    }

    /// Takes those that are due among all `batches`, the next one first.
    pub(super) fn find_due(&mut self, batches: Vec<Batch>, now_ms: i64) {
        let is_due = |batch: &Batch| {
            failover::is_due(batch.next_attempt_at_ms, now_ms)
                && batch.token > self.newest
                && !self.on_way.contains(&batch.token)
        };
        self.due = batches.into_iter().rev().filter(is_due).collect();
        let newest = self.due.iter().map(|batch| &batch.token).max();
        // They are all newer than the newest until now.
        if let Some(token) = newest {
            self.newest.clone_from(token);
        }
    }

    /// The batch that goes next, if one may go now.
    pub(super) fn next(&mut self, regions: &OnWay, now_ms: i64) -> Option<Batch> {
        let may_go = !regions.is_blocked() && self.on_way.len() < MAX_ON_WAY && !self.is_over(now_ms);
        let batch = if may_go { self.due.pop() } else { None }?;
        self.on_way.push(batch.token.clone());
        self.sent += 1;
        self.sent_bytes += batch.bytes;
        Some(batch)
    }

    /// A batch is not on its way any more.
    pub(super) fn end(&mut self, batch: Batch, step: &Result<Step>) {
        self.on_way.retain(|token| *token != batch.token);
        if !matches!(step, Ok(Step::Sent)) {
            self.sent -= 1;
            self.sent_bytes -= batch.bytes;
        }
        if matches!(step, Ok(Step::Behind)) {
            self.due.push(batch);
        }
    }
}
