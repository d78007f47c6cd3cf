//! What a Batcher says of itself. In scope: its state for `/readyz` and the sweep, its samples for `/metrics`.

use std::collections::HashMap;

use collector_core::delivery::Delivery;
use collector_core::insert::Table;
use collector_core::metric::{Origin, Samples};
use collector_core::readiness::{Parked, State};
use collector_core::recent::WINDOW_MS;
use worker::{Response, Result};

use super::shard::Shard;
use super::store::{Backlog, Batch};
use crate::clock;

impl Shard {
    /// The state; asking for it also sets a lost alarm.
    pub(crate) async fn state(&self, origin: Origin<'_>) -> Result<Response> {
        let (backlog, batches) = self.look(origin).await?;
        let memory = self.memory.borrow();
        let mut state = State {
            is_accepting: self.is_accepting()?,
            backlog_rows: backlog.rows,
            backlog_bytes: backlog.bytes,
            oldest_pending_seconds: backlog.age_s(clock::now_ms()),
            batches: batches.len(),
            has_open_segment: !memory.open.is_empty(),
            ..State::default()
        };
        let now_ms = clock::now_ms();
        for batch in batches {
            let Some(waits_for) = batch.waits_for else { continue };
            let rows = if batch.table == Table::Events { batch.rows } else { 0 };
            state.park(Parked {
                waits_for,
                batches: 1,
                rows,
                oldest_seconds: clock::age_s(batch.created_at_ms, now_ms),
            });
        }
        Response::from_json(&state)
    }

    /// The samples as text.
    pub(crate) async fn metrics(&self, origin: Origin<'_>) -> Result<Response> {
        let (backlog, batches) = self.look(origin).await?;
        let memory = self.memory.borrow();
        let mut samples = Samples::default();
        samples.push("landfall_up", origin, &[], 1);
        samples.push("landfall_accepting", origin, &[], u64::from(self.is_accepting()?));
        samples.push_totals(origin, &memory.books.totals);
        samples.push("landfall_backlog_rows", origin, &[], backlog.rows.unsigned_abs());
        samples.push("landfall_backlog_bytes", origin, &[], backlog.bytes.unsigned_abs());
        samples.push("landfall_backlog_age_seconds", origin, &[], backlog.age_s(clock::now_ms()));
        for (class, count) in by_class(&batches) {
            samples.push("landfall_batches", origin, &[("class", class)], count);
        }
        memory.deliveries.inserts.push(origin, &mut samples);
        Response::ok(samples.into_text())
    }

    async fn look(&self, origin: Origin<'_>) -> Result<(Backlog, Vec<Batch>)> {
        let store = self.open(origin)?;
        self.arm().await;
        // No alarm comes for these when the traffic has stopped.
        let now_ms = clock::now_ms();
        store.atomically(move |store| store.drop_delivered(now_ms, WINDOW_MS))?;
        let mut batches = store.batches()?;
        let memory = self.memory.borrow();
        for table in [Table::Events, Table::Outcomes, Table::DeadLetters] {
            if memory.deliveries.holds.is_held(&memory.region, table) {
                tell_held(&mut batches, table);
            }
        }
        Ok((store.backlog(memory.open.events.as_slice())?, batches))
    }
}

/// A batch that was not tried because its table is held waits for what those wait for that were.
fn tell_held(batches: &mut [Batch], table: Table) {
    let of_table = |batch: &&Batch| batch.table == table;
    let is_hold = |text: &String| text.starts_with(Delivery::Hold.tag());
    let held = batches.iter().filter(of_table).filter_map(|batch| batch.waits_for.clone()).find(is_hold);
    for batch in batches.iter_mut().filter(|batch| batch.table == table && batch.waits_for.is_none()) {
        batch.waits_for.clone_from(&held);
    }
}

/// Batches by the class of the failure that they wait for; `new` for those that wait for nothing but their turn.
fn by_class(batches: &[Batch]) -> HashMap<&str, u64> {
    let mut classes = HashMap::new();
    for batch in batches {
        let class = batch.waits_for.as_deref().and_then(|text| text.split(' ').next()).unwrap_or("new");
        *classes.entry(class).or_default() += 1;
    }
    classes
}
