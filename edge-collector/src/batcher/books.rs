//! The Batcher's books. In scope: what is booked together with a change of the store, and what waits at that moment.
//! Out of scope: what is counted (`collector_core::ledger`).

use collector_core::append;
use collector_core::insert::Table;
use collector_core::ledger::{self, Ledger};
use collector_core::outcome::Measure;
use worker::{Error, Result};

use super::shard::Shard;
use super::store::{Backlog, Commit, Store, count_lines};
use crate::clock;

/// What a Batcher has counted.
#[derive(Default)]
pub(super) struct Books {
    /// What was counted in the open segment of events; booked when that is frozen.
    pub(super) counts: Ledger,
    /// What was booked since the object exists, for metrics.
    pub(super) totals: Ledger,
}

/// What is done together with booking.
type Change = Box<dyn FnOnce(&Store) -> Result<()>>;

impl Shard {
    /// Makes a change and books `counts` with what waits at this moment, all or nothing: lines for ClickHouse, and the totals that metrics show.
    pub(super) fn book(&self, counts: Ledger, change: impl FnOnce(&Store) -> Result<()> + 'static) -> Result<()> {
        // One function for every change: the Worker's size counts.
        self.book_with(counts, Box::new(change))
    }

    fn book_with(&self, mut counts: Ledger, change: Change) -> Result<()> {
        let (store, now_ms) = (self.store()?, clock::now_ms());
        // The end of a batch of books: to book that would make the next one, for ever.
        if counts.is_empty() {
            return store.atomically(change);
        }
        let (outcomes, lines, totals) = {
            let memory = self.memory.borrow();
            let minute_s = ledger::minute_s(now_ms);
            let mut totals = memory.books.totals.at(minute_s);
            totals.merge(&counts.totals());
            let levels = levels(&store.backlog(memory.open.events.as_slice())?, now_ms);
            counts.add_levels(&mut totals, minute_s, &levels);
            (memory.open.outcomes, counts.lines(&memory.region), totals)
        };
        let frame = encode_counts(&totals)?;
        let outcomes = store.atomically(move |store| {
            change(store)?;
            store.set_totals(frame)?;
            if lines.is_empty() {
                return Ok(outcomes);
            }
            let commit = Commit { rows: count_lines(&lines), lines, ..Commit::default() };
            store.append_to(Table::Outcomes, outcomes, commit, now_ms).map(Some)
        })?;
        {
            let mut memory = self.memory.borrow_mut();
            memory.open.outcomes = outcomes;
            memory.books.totals = totals;
        }
        // An outage that drains books lines for every site of every batch, in seconds: one INSERT of all would not fit into memory.
        self.freeze_if_full(Table::Outcomes);
        Ok(())
    }
}

/// What waits, as the books have it.
fn levels(backlog: &Backlog, now_ms: i64) -> [(Measure, u64); 4] {
    [
        (Measure::BacklogRows, backlog.rows.unsigned_abs()),
        (Measure::BacklogBytes, backlog.bytes.unsigned_abs()),
        (Measure::BacklogSeconds, backlog.age_s(now_ms)),
        (Measure::Batchers, 1),
    ]
}

/// The attempts at a batch that ends without an INSERT, to be booked.
pub(super) fn failed_attempts(attempts: u32, now_ms: i64) -> Ledger {
    let mut counts = Ledger::default();
    if attempts > 0 {
        counts.add(ledger::minute_s(now_ms), "", Measure::Retries, attempts.into());
    }
    counts
}

/// Counts as the store keeps them.
pub(super) fn encode_counts(counts: &Ledger) -> Result<Vec<u8>> {
    append::encode_counts(counts).map_err(|error| Error::RustError(error.to_string()))
}

/// What the store has counted; a frame that another version wrote and this one cannot read counts as nothing.
pub(super) fn read_counts(frames: &[Vec<u8>]) -> Ledger {
    let mut counts = Ledger::default();
    for carried in frames.iter().filter_map(|frame| append::decode_counts(frame).ok()) {
        counts.merge(&carried);
    }
    counts
}
