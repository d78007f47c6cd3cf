//! What became of a beacon, until its rows are stored.
//!
//! In scope: receipts and rows, and what the Batcher's answers change in them. Out of scope: sending rows (the shell).

use std::sync::Arc;

use uuid::Uuid;

use crate::append::Taken;
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
    /// Permitted regions, nearest first; never empty.
    pub regions: RegionOrder,
    /// Accepted or flagged.
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
    /// Outcomes of everything that is no row. Rows are counted by the Batcher, because only there it is known whether they are duplicates.
    pub counts: Ledger,
}

impl Collected {
    /// Notes what a Batcher said about some rows (positions in `rows`, and its answers in the same order).
    pub fn settle(&mut self, rows: &[usize], answers: &[Taken]) {
        for (row, taken) in rows.iter().zip(answers) {
            if *taken == Taken::Duplicate {
                self.set_outcome(*row, Outcome::Duplicate);
            }
        }
    }

    /// Notes that nothing could take some rows (positions in `rows`): their senders are asked to come again.
    pub fn refuse(&mut self, rows: &[usize]) {
        for row in rows {
            self.set_outcome(*row, Outcome::Limited(LimitReason::Unavailable));
        }
    }

    fn set_outcome(&mut self, row: usize, outcome: Outcome) {
        let receipt = self.rows.get(row).map(|row| row.receipt);
        let receipt = receipt.and_then(|receipt| self.receipts.get_mut(receipt));
        // A purchase and its items share one receipt: no item's answer may hide that another part has to come again.
        if let Some(receipt) = receipt.filter(|r| r.outcome != Outcome::Limited(LimitReason::Unavailable)) {
            receipt.outcome = outcome;
        }
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
