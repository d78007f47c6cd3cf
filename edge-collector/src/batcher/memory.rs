//! What a Batcher keeps in memory. In scope: what there is of it, and reading it from the store when the object wakes up.
//! Out of scope: what each part is for (its own module).

use std::rc::Rc;

use collector_core::alarm::{self, Alarm};
use collector_core::insert::Table;
use collector_core::metric::Origin;
use collector_core::recent::MAX_IDS;
use uuid::Uuid;
use worker::Result;

use super::books::{Books, read_counts};
use super::deliver::Deliveries;
use super::intake::Intake;
use super::store::{OpenSegments, Store};

/// What is lost with the isolate. What must not be is in the store too.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) store: Option<Rc<Store>>,
    /// The Batcher's own region; empty until a caller has named it.
    pub(super) region: String,
    pub(super) shard: u32,
    pub(super) intake: Intake,
    pub(super) open: OpenSegments,
    pub(super) waiting: Waiting,
    pub(super) books: Books,
    pub(super) alarm: Alarm,
    pub(super) deliveries: Deliveries,
}

/// What is frozen and not in ClickHouse.
#[derive(Clone, Copy, Default)]
pub(super) struct Waiting {
    /// Batches that waited behind the last flush.
    pub(super) batches: i64,
    /// Bytes of lines in all of them, those on their way included.
    pub(super) bytes: i64,
}

impl Memory {
    /// What the store holds. An object does not know its own name: the first caller's word is kept.
    pub(super) fn load(store: &Rc<Store>, caller: Origin<'_>, now_ms: i64) -> Result<Self> {
        let mut memory = Self { store: Some(Rc::clone(store)), ..Self::default() };
        memory.region = store.meta("region")?.unwrap_or_default();
        memory.shard = store.meta("shard")?.and_then(|shard| shard.parse().ok()).unwrap_or_default();
        if memory.region.is_empty() && !caller.region.is_empty() {
            store.set_meta("region", caller.region)?;
            store.set_meta("shard", &caller.shard.to_string())?;
            caller.region.clone_into(&mut memory.region);
            memory.shard = caller.shard;
        }
        memory.open = OpenSegments::read(store)?;
        if let Some(open) = memory.open.events {
            memory.books.counts = read_counts(&store.counts(open.segment)?);
        }
        memory.books.totals = read_counts(&[store.totals()?]);
        (memory.waiting.batches, memory.waiting.bytes) = store.waiting()?;
        // Oldest first, as they came: the window of known ids forgets in this order.
        for ids in store.known_ids(MAX_IDS)?.iter().rev() {
            for id in ids.chunks_exact(16).filter_map(|bytes| Uuid::from_slice(bytes).ok()) {
                memory.intake.recent.insert(id, now_ms);
            }
        }
        if !memory.region.is_empty() {
            store.doubt_untried(&memory.region, now_ms)?;
        }
        Ok(memory)
    }

    /// How old an open segment of a table may get before it is frozen, in milliseconds.
    pub(super) fn freeze_ms(&self, table: Table) -> i64 {
        alarm::freeze_ms(table, self.waiting.batches)
    }

    /// When the first open segment is to be frozen.
    pub(super) fn ripe_ms(&self) -> Option<i64> {
        let ripe = |table| self.open.of(table).map(|open| open.since_ms + self.freeze_ms(table));
        [Table::Events, Table::Outcomes, Table::DeadLetters].into_iter().filter_map(ripe).min()
    }
}
