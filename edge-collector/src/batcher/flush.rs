//! The alarm's work: freezing segments, then sending what is frozen. In scope: when a segment becomes a batch.
//! Out of scope: how much one alarm sends (`round`), one batch on its way (`deliver`), batches that ClickHouse refuses (`poison`).

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use collector_core::alarm::{FLUSH_MS, is_ripe};
use collector_core::failover::{self, OnWay};
use collector_core::insert::Table;
use collector_core::ledger::Ledger;
use collector_core::log::Level;
use collector_core::metric::Origin;
use collector_core::recent::WINDOW_MS;
use futures_util::future::{Either, select, select_all};
use worker::{Delay, Result};

use super::round::Round;
use super::shard::Shard;
use super::store::{Batch, Open, Store, mint_token};
use crate::fault_point::Point;
use crate::{clock, fault_point, log};

/// How often the alarm looks for new batches while others hang.
const LOOK_EVERY: Duration = Duration::from_millis(FLUSH_MS.unsigned_abs());

impl Shard {
    /// Freezes what is old enough, sends what is frozen, and sets the next alarm.
    pub(crate) async fn flush(&self) -> Result<()> {
        let store = self.open(Origin::default())?;
        let started_ms = clock::now_ms();
        self.memory.borrow_mut().alarm.begin_flush(started_ms);
        self.doubt_cut_off(&store, started_ms)?;
        fault_point::reached(&self.env, Point::FlushBegun).await;
        // With a full storage neither may work, and sending is what makes room: it is tried in any case.
        let frozen = self.freeze_due(started_ms);
        fault_point::reached(&self.env, Point::BatchFrozen).await;
        let dropped = store.atomically(move |store| store.drop_delivered(started_ms, WINDOW_MS));
        fault_point::reached(&self.env, Point::DeliveredDropped).await;
        self.send_batches(&store, started_ms).await?;
        fault_point::reached(&self.env, Point::BatchesSent).await;
        frozen.and(dropped)?;
        self.memory.borrow_mut().alarm.end_flush();
        self.arm().await;
        fault_point::reached(&self.env, Point::AlarmSet).await;
        Ok(())
    }

    /// The platform has cut off the last alarm, without a restart: nobody hears what became of the batches that were on their way home. Those that
    /// were on another way are in doubt already.
    fn doubt_cut_off(&self, store: &Rc<Store>, now_ms: i64) -> Result<()> {
        let (tokens, region) = {
            let memory = self.memory.borrow();
            (memory.deliveries.on_way.clone(), memory.region.clone())
        };
        if !tokens.is_empty() {
            store.atomically(move |store| store.doubt_on_way(&tokens, &region, now_ms))?;
            self.memory.borrow_mut().deliveries.on_way.clear();
        }
        Ok(())
    }

    fn freeze_due(&self, now_ms: i64) -> Result<()> {
        // Events first: freezing them adds to the outcomes.
        for table in [Table::Events, Table::Outcomes, Table::DeadLetters] {
            let is_due = {
                let memory = self.memory.borrow();
                memory.open.of(table).is_some_and(|open| is_ripe(open.since_ms, memory.freeze_ms(table), now_ms))
            };
            if is_due {
                self.freeze(table)?;
            }
        }
        Ok(())
    }

    /// A full segment is sent without waiting for its age.
    pub(super) fn freeze_if_full(&self, table: Table) {
        let is_full = self.memory.borrow().open.of(table).is_some_and(Open::is_full);
        // What cannot be frozen now is frozen by the alarm: the rows are durable either way.
        if is_full && let Err(error) = self.freeze(table) {
            log::write(self.line(Level::Warn, "segment_not_frozen").text("table", table.name()).error(&error));
        }
    }

    /// Makes a table's open segment a batch. Only with events something is booked by that.
    fn freeze(&self, table: Table) -> Result<()> {
        let Some(open) = self.memory.borrow().open.of(table) else { return Ok(()) };
        let token = mint_token()?;
        if table == Table::Events {
            return self.freeze_events(open, token);
        }
        freeze(&*self.store()?, open, &token)?;
        self.memory.borrow_mut().open.set(table, None);
        Ok(())
    }

    /// Makes the open segment of events a batch, and books what was counted in it: both or neither.
    fn freeze_events(&self, open: Open, token: String) -> Result<()> {
        let counts = self.memory.borrow().books.counts.clone();
        self.book(counts, move |store| freeze(store, open, &token))?;
        let mut memory = self.memory.borrow_mut();
        memory.waiting.bytes += open.bytes;
        memory.open.events = None;
        memory.books.counts = Ledger::default();
        Ok(())
    }

    /// Sends what is due, as much as one alarm may, several batches at a time. What goes wrong with one batch is told at the end: the others are
    /// sent all the same. None is left on its way: its answer would be lost.
    async fn send_batches(&self, store: &Rc<Store>, started_ms: i64) -> Result<()> {
        self.memory.borrow_mut().alarm.wait_no_more();
        let mut round = Round::new(started_ms);
        let mut result = self.find_due(store, &mut round);
        let (regions, mut sending) = (&RefCell::new(OnWay::default()), Vec::new());
        loop {
            loop {
                // Not in the condition of a loop: there the borrow would last into its body.
                let next = round.next(&regions.borrow(), clock::now_ms());
                let Some(mut batch) = next else { break };
                sending.push(Box::pin(async move {
                    let step = self.send_batch(store, regions, &mut batch).await;
                    (batch, step)
                }));
            }
            round.on_way().clone_into(&mut self.memory.borrow_mut().deliveries.on_way);
            if sending.is_empty() {
                break;
            }
            match select(select_all(sending), Delay::from(LOOK_EVERY)).await {
                Either::Left((((batch, step), _, others), _)) => {
                    sending = others;
                    if let Err(error) = &step {
                        log::write(self.line(Level::Warn, "batch_failed").number("rows", batch.rows).error(error));
                    }
                    round.end(batch, &step);
                    result = result.and(step.map(drop));
                }
                Either::Right(((), others)) => {
                    sending = others.into_inner();
                    let frozen =
                        self.freeze_due(clock::now_ms()).and_then(|()| self.note_waiting(store, round.on_way().len()));
                    result = result.and(frozen);
                    if !round.has_due() && !round.is_over(clock::now_ms()) {
                        result = result.and(self.find_due(store, &mut round));
                    }
                }
            }
        }
        if round.has_due() {
            // Cut off in the middle: the rest need not wait for what others wait for.
            self.memory.borrow_mut().alarm.wait_no_more();
        }
        self.note_waiting(store, 0)?;
        result
    }

    /// Finds the batches that are due. Those that wait for a region come again when it may be tried.
    fn find_due(&self, store: &Store, round: &mut Round) -> Result<()> {
        let now_ms = clock::now_ms();
        let alarm = &mut self.memory.borrow_mut().alarm;
        if alarm.may_send(now_ms) {
            alarm.wait_no_more();
            round.look_again();
        }
        round.find_due(store.batches()?, now_ms);
        Ok(())
    }

    /// The more batches wait, the later the next segment is frozen; those on their way are no reason to.
    fn note_waiting(&self, store: &Store, on_way: usize) -> Result<()> {
        let (batches, bytes) = store.waiting()?;
        let memory = &mut *self.memory.borrow_mut();
        memory.waiting.batches = batches.saturating_sub(i64::try_from(on_way).unwrap_or(i64::MAX)).max(0);
        memory.waiting.bytes = bytes;
        Ok(())
    }

    /// A batch waits for one of these regions: until the first of them may be tried, it need not be looked at.
    pub(super) fn wait_for(&self, places: &[String], batch: &Batch, now_ms: i64) {
        let memory = &mut *self.memory.borrow_mut();
        let health = &memory.deliveries.health;
        memory.alarm.wait_until(failover::next_look_ms(places, batch.doubt.as_ref(), health, now_ms));
    }
}

fn freeze(store: &Store, open: Open, token: &str) -> Result<()> {
    // Only outcomes were counted: there is no row to send.
    if open.rows == 0 { store.drop_segment(open.segment) } else { store.freeze(open, token) }
}
