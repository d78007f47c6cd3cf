//! What one beacon may cost. In scope: its rows, the bytes of their lines, and what rules may do for it. Out of scope: how often a sender may
//! come (`limit`).

use crate::beacon::WireEvent;
use crate::enrich::EncodedRow;
use crate::field::Field;
use crate::item::MAX_ITEMS;
use crate::outcome::{InvalidReason, LimitReason};
use crate::pipeline::stop::Stop;
use crate::rule::Work;

/// The most rows of one beacon: purchases of many small items would otherwise become 30 times the bytes that were sent.
pub const MAX_ROWS: usize = 1_000;

/// The most bytes of all lines of one beacon: a body of 64 KB that inflates well, with each byte escaped on each row of a purchase, would otherwise
/// become hundreds of times the bytes that were sent.
pub const MAX_BEACON_LINE_BYTES: usize = 2_000_000;

/// What a beacon has used up until now.
#[derive(Default)]
pub(super) struct Budget {
    /// Bytes of the lines that were made; no more are made once they are `MAX_BEACON_LINE_BYTES`.
    line_bytes: usize,
    /// What rules may still do.
    pub(super) work: Work,
}

impl Budget {
    /// Bytes of lines that may still be made.
    pub(super) fn room_bytes(&self) -> usize {
        MAX_BEACON_LINE_BYTES.saturating_sub(self.line_bytes)
    }

    /// Takes an event's rows from the budget. One that had all the room there is, and does not fit, can only become smaller.
    pub(super) fn take(&mut self, wire: &WireEvent<'_, '_>, rows: &[EncodedRow]) -> Result<(), Stop> {
        let had_all = self.line_bytes == 0;
        // What is refused has been made too: a beacon's work is bounded, not only what is stored of it.
        self.line_bytes += rows.iter().map(|row| row.line.len()).sum::<usize>();
        if self.line_bytes <= MAX_BEACON_LINE_BYTES {
            Ok(())
        } else if had_all {
            Err(wire.invalid(Field::Items, InvalidReason::TooManyItems).into())
        } else {
            Err(LimitReason::BeaconFull.into())
        }
    }
}

/// Whether a beacon may have this many rows. Those of one event always fit an empty beacon, so one that lacks room may come again.
pub(super) fn check_rows(rows: usize) -> Result<(), LimitReason> {
    const { assert!(MAX_ITEMS < MAX_ROWS) };
    if rows <= MAX_ROWS { Ok(()) } else { Err(LimitReason::BeaconFull) }
}
