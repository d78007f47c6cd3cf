//! What became of a beacon, until its rows are stored.
//!
//! In scope: receipts and rows, and what the Batcher's answers change in them. Out of scope: sending rows (the shell).

use std::sync::Arc;

use uuid::Uuid;

use crate::account::Account;
use crate::append::{Append, Line, Taken};
use crate::ledger::Ledger;
use crate::outcome::{LimitReason, Outcome};
use crate::receipt::{Receipt, Reply};
use crate::region::RegionOrder;
use crate::site::Site;

/// One row, ready for a Batcher.
#[derive(Clone, Debug)]
pub struct CollectedRow {
    /// Position of the receipt of the event that it comes from.
    pub receipt: usize,
    /// The row's id, by which duplicates are known.
    pub event_id: Uuid,
    /// The site.
    pub site: Arc<Site>,
    /// Decides the shard. Anonymous events have it too, for an even spread; their row holds 0.
    pub visitor_id: u64,
    /// The visitor whose events the Batcher counts with this row; 0 for none. It is not stored.
    pub counted_visitor_id: u64,
    /// Permitted regions, nearest first; never empty.
    pub regions: RegionOrder,
    /// Accepted or flagged, and a duplicate if the Batcher says so.
    pub outcome: Outcome,
    /// The row as one line of JSON, without a line end.
    pub line: Vec<u8>,
}

/// What became of a beacon.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// One receipt per event, in order.
    pub receipts: Vec<Receipt>,
    /// The rows of accepted and flagged events.
    pub rows: Vec<CollectedRow>,
    /// The minute in which all of it is counted, in seconds since 1970.
    pub minute_s: u32,
    /// Everything that is no row. Outcomes of rows are counted by the Batcher, because only there it is known whether they are duplicates.
    pub counts: Ledger,
    /// The first-party id that the sender's browser is asked to keep, if it has none yet.
    pub new_first_party_id: Option<Uuid>,
    /// The visitors of whom a Batcher said that they are too fast.
    pub fast_visitors: Vec<u64>,
}

impl Collected {
    /// Notes what a Batcher said about some rows (positions in `rows`, and its answers in the same order).
    pub fn settle(&mut self, rows: &[usize], answers: &[Taken]) {
        for (row, taken) in rows.iter().zip(answers) {
            let Some(row) = self.rows.get_mut(*row) else { continue };
            match taken {
                Taken::Accepted => {}
                Taken::AcceptedFast => self.fast_visitors.push(row.counted_visitor_id),
                Taken::Duplicate => row.outcome = Outcome::Duplicate,
            }
        }
        // The rows of an event stand together. With one of them that is new, such as an item that was added, the event is no duplicate.
        for event in self.rows.chunk_by(|one, next| one.receipt == next.receipt) {
            let is_duplicate = event.iter().all(|row| row.outcome == Outcome::Duplicate);
            if let Some(first) = event.first().filter(|_| is_duplicate) {
                set_outcome(&mut self.receipts, first.receipt, Outcome::Duplicate);
            }
        }
    }

    /// Notes that nothing took some rows (positions in `rows`): their senders are asked to come again.
    pub fn refuse(&mut self, rows: &[usize]) {
        let outcome = Outcome::Limited(LimitReason::Unavailable);
        for row in rows {
            if let Some(row) = self.rows.get(*row) {
                self.counts.add_ended(self.minute_s, &row.site.id, outcome);
                set_outcome(&mut self.receipts, row.receipt, outcome);
            }
        }
    }

    /// Notes that nobody knows whether some rows (positions in `rows`) were taken. Their senders are asked to come again; if they were taken, they
    /// have been counted, and the second time they are duplicates.
    pub fn doubt(&mut self, rows: &[usize]) {
        for row in rows.iter().filter_map(|row| self.rows.get(*row)) {
            set_outcome(&mut self.receipts, row.receipt, Outcome::Limited(LimitReason::Unavailable));
        }
    }

    /// The frame that carries some rows (positions in `rows`) to a Batcher, and `counts` with them.
    pub fn frame(&self, rows: &[usize], mut counts: Ledger) -> Append<'_> {
        let mut lines = Vec::with_capacity(rows.len());
        for row in rows.iter().filter_map(|row| self.rows.get(*row)) {
            counts.add(self.minute_s, &row.site.id, Account::Received, 1);
            lines.push(Line {
                event_id: row.event_id,
                site_id: row.site.id.as_str().into(),
                outcome: row.outcome,
                visitor_id: row.counted_visitor_id,
                json: row.line.as_slice().into(),
            });
        }
        Append { minute_s: self.minute_s, counts, lines }
    }

    /// Copies each row onto its receipt, for `/v1/validate` and debugging; of a purchase the purchase itself.
    pub fn show_rows(&mut self) {
        for row in self.rows.iter().rev() {
            if let Some(receipt) = self.receipts.get_mut(row.receipt) {
                receipt.row = Some(row.line.clone());
            }
        }
    }

    /// The reply as things stand.
    pub fn reply(&self) -> Reply {
        Reply::from_receipts(&self.receipts)
    }
}

/// A purchase and its items share one receipt: no item's answer may hide that another part has to come again.
fn set_outcome(receipts: &mut [Receipt], at: usize, outcome: Outcome) {
    let receipt = receipts.get_mut(at).filter(|r| r.outcome != Outcome::Limited(LimitReason::Unavailable));
    if let Some(receipt) = receipt {
        receipt.outcome = outcome;
    }
}
