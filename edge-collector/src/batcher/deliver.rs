//! One batch on its way to ClickHouse. In scope: attempts, and what each class of answer does to the batch.
//! Out of scope: which region is next (`collector_core::failover`, `places`), the meaning of an answer (`collector_core::delivery`), the request
//! itself (`sink`), refused batches (`poison`).

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use collector_core::delivery::{Delivery, Meaning};
use collector_core::failover::{self, Doubt, Health, Holds, OnWay};
use collector_core::insert::{self, Insert, Table};
use collector_core::ledger::{self, Ledger};
use collector_core::log::{Level, Line};
use collector_core::metric::{self, Inserts};
use collector_core::outcome::{DeadLetterReason, ElsewhereReason, Fate, Measure};
use collector_core::retry::Backoff;
use uuid::Uuid;
use worker::{Error, Result};

use super::shard::Shard;
use super::store::{Batch, Store};
use crate::config::{Config, Endpoint};
use crate::fault_point::Point;
use crate::{clock, fault_point, gzip, log, random, sink};

/// What one alarm did with a batch.
pub(super) enum Step {
    /// It was sent somewhere, whatever the answer.
    Sent,
    /// Nobody takes it now.
    Waited,
    /// Its region is being tried with the batch before it.
    Behind,
}

/// What a batch that is in ClickHouse is booked with.
#[derive(Clone)]
pub(super) struct Landed {
    place: String,
    took_ms: u64,
}

/// What a Batcher knows of its deliveries. Lost with the isolate.
#[derive(Default)]
pub(super) struct Deliveries {
    /// How the regions are doing.
    pub(super) health: Health,
    /// The tables that wait for an operator.
    pub(super) holds: Holds,
    /// Batches that are in ClickHouse and could not be booked yet, by token: of those that wait, so no more than they are.
    unbooked: HashMap<String, Landed>,
    /// Tokens of the batches that are on their way. If an alarm finds any, the one before it was cut off.
    pub(super) on_way: Vec<String>,
    /// Inserts since the object woke up, for metrics.
    pub(super) inserts: Inserts,
}

/// One attempt at a batch.
struct Attempt<'a> {
    place: &'a str,
    /// What was in doubt before it.
    before: Option<Doubt>,
    answer: sink::Answer,
    took_ms: u64,
}

impl Shard {
    /// Sends one batch to the first region that may have it and takes it; each has one turn. If none does now, the batch waits.
    pub(super) async fn send_batch(
        &self,
        store: &Rc<Store>,
        on_way: &RefCell<OnWay>,
        batch: &mut Batch,
    ) -> Result<Step> {
        let unbooked = self.memory.borrow().deliveries.unbooked.get(&batch.token).cloned();
        if let Some(landed) = unbooked {
            self.finish(store, batch, &landed)?;
            return Ok(Step::Sent);
        }
        let mut step = Step::Waited;
        let home = self.memory.borrow().region.clone();
        let is_perhaps_elsewhere = batch.doubt.as_ref().is_some_and(|doubt| !doubt.is_only(&home));
        let mut places = vec![home];
        let mut has_looked_further = batch.table != Table::Events;
        let mut tried = Vec::new();
        loop {
            let now_ms = clock::now_ms();
            // A region that may have it comes before home, so it must be among the places from the start.
            let place = if is_perhaps_elsewhere && !has_looked_further {
                None
            } else {
                let health = &self.memory.borrow().deliveries.health;
                failover::choose(&places, &tried, batch.doubt.as_ref(), health, now_ms).map(str::to_owned)
            };
            match place {
                Some(place) => {
                    step = Step::Sent;
                    if let Some(end) = self.try_place(store, on_way, batch, &place).await? {
                        return Ok(end);
                    }
                    tried.push(place);
                }
                // Only now: most batches never need to know where else they may be.
                None if !has_looked_further => {
                    has_looked_further = true;
                    match self.other_places(store, batch).await? {
                        Some(others) => places.extend(others),
                        // Its rows may not all be in the same regions: its parts come next.
                        None => return Ok(step),
                    }
                }
                None => {
                    self.wait_for(&places, batch, now_ms);
                    return Ok(step);
                }
            }
        }
    }

    /// Sends a batch to a region, if that may have it now. `None`: the next region's turn.
    async fn try_place(
        &self,
        store: &Rc<Store>,
        on_way: &RefCell<OnWay>,
        batch: &mut Batch,
        place: &str,
    ) -> Result<Option<Step>> {
        let held_until_ms = self.memory.borrow().deliveries.holds.opens_at_ms(place, batch.table, clock::now_ms());
        if let Some(at_ms) = held_until_ms {
            self.memory.borrow_mut().alarm.wait_until(at_ms);
            return Ok(Some(Step::Waited));
        }
        let config = Config::of(&self.env)?;
        let Some(endpoint) = config.endpoint(place) else {
            // The operator's to mend: the batch waits, and says for what.
            log::write(self.line(Level::Alert, "region_unknown").text("sent_to", place));
            self.postpone(store, batch, place, Delivery::Hold, None)?;
            return Ok(Some(Step::Sent));
        };
        let is_trusted = self.memory.borrow().deliveries.health.is_trusted(place, clock::now_ms());
        if !on_way.borrow_mut().begin(place, is_trusted) {
            return Ok(Some(Step::Behind));
        }
        let is_probe = self.memory.borrow_mut().deliveries.holds.begin(place, batch.table, clock::now_ms());
        let is_over = self.try_endpoint(store, batch, endpoint, is_trusted).await;
        if is_probe {
            let at_ms = self.memory.borrow_mut().deliveries.holds.end(place, batch.table, clock::now_ms());
            self.memory.borrow_mut().alarm.wait_until(at_ms);
        }
        on_way.borrow_mut().end(place);
        Ok(is_over?.then_some(Step::Sent))
    }

    /// Asks a region that is not trusted whether it is there, then risks the batch. True: there is nothing more to do with it now.
    async fn try_endpoint(
        &self,
        store: &Rc<Store>,
        batch: &mut Batch,
        endpoint: &Endpoint,
        is_trusted: bool,
    ) -> Result<bool> {
        let place = endpoint.name.as_str();
        if !is_trusted && !sink::is_reachable(&endpoint.url).await {
            self.close(place, Delivery::Retry)?;
            if batch.waits_for.is_none() {
                self.note_failure(store, batch, place, Delivery::Retry, None)?;
            }
            fault_point::reached_with(&self.env, Point::FailureNoted, batch.table).await;
            return Ok(false);
        }
        fault_point::reached_with(&self.env, Point::RegionAsked, batch.table).await;
        let before = batch.doubt.clone();
        // Because if the object dies in between, nobody else knows where the batch went: also if it is the second region.
        let is_trusted_home = is_trusted && place == self.memory.borrow().region;
        if !failover::is_usual(before.as_ref(), batch.attempts, is_trusted_home) {
            set_doubt(store, batch, Some(Doubt::with(before.as_ref(), place, clock::now_ms())))?;
        }
        fault_point::reached_with(&self.env, Point::DoubtWritten, batch.table).await;
        let started_ms = clock::now_ms();
        let answer = self.insert(store, batch, endpoint).await.unwrap_or_else(|error| {
            log::write(self.line(Level::Alert, "insert_not_made").text("sent_to", place).error(&error));
            sink::Answer { meaning: Meaning::not_sent(), code: None, message: String::new() }
        });
        fault_point::reached_with(&self.env, Point::AnswerRead, batch.table).await;
        let took_ms = clock::now_ms().saturating_sub(started_ms).max(0).unsigned_abs();
        self.heed(store, batch, &Attempt { place, before, answer, took_ms }).await
    }

    /// What an answer means for a batch. True: there is nothing more to do with it now.
    async fn heed(&self, store: &Rc<Store>, batch: &mut Batch, attempt: &Attempt<'_>) -> Result<bool> {
        let Attempt { place, before, answer, .. } = attempt;
        self.note(batch, attempt);
        let class = answer.meaning.delivery;
        if matches!(class, Delivery::Delivered | Delivery::Poison) {
            self.memory.borrow_mut().deliveries.holds.lift(place, batch.table);
        }
        if class != Delivery::Delivered {
            set_doubt(store, batch, Doubt::after(before.as_ref(), place, answer.meaning, clock::now_ms()))?;
            fault_point::reached_with(&self.env, Point::DoubtSettled, batch.table).await;
        }
        match class {
            Delivery::Delivered => {
                self.memory.borrow_mut().deliveries.health.succeed(place, clock::now_ms());
                self.finish(store, batch, &Landed { place: (*place).to_owned(), took_ms: attempt.took_ms })?;
                fault_point::reached_with(&self.env, Point::BatchFinished, batch.table).await;
                Ok(true)
            }
            // Elsewhere it may be stored whole: cut, it would be stored twice. Then that region decides, by the token.
            Delivery::Poison if batch.table == Table::Events && batch.doubt.is_none() => {
                self.take_apart(store, batch, answer)?;
                let point = if batch.rows > 1 { Point::BatchCut } else { Point::RowBuried };
                fault_point::reached_with(&self.env, point, batch.table).await;
                Ok(true)
            }
            Delivery::Retry | Delivery::Unknown => {
                self.close(place, class)?;
                self.note_failure(store, batch, place, class, answer.code)?;
                fault_point::reached_with(&self.env, Point::FailureNoted, batch.table).await;
                Ok(false)
            }
            Delivery::Hold | Delivery::Poison => {
                self.postpone(store, batch, place, class, answer.code)?;
                fault_point::reached_with(&self.env, Point::BatchPostponed, batch.table).await;
                Ok(true)
            }
        }
    }

    /// For metrics, which show what is under way; the books have it once it is over.
    fn note(&self, batch: &Batch, attempt: &Attempt<'_>) {
        if batch.table == Table::Outcomes {
            return;
        }
        let memory = &mut *self.memory.borrow_mut();
        memory.deliveries.inserts.note(&metric::Attempt {
            delivery: attempt.answer.meaning.delivery,
            took_ms: attempt.took_ms,
            rows: batch.rows.unsigned_abs(),
            is_retry: batch.attempts > 0,
            is_elsewhere: attempt.place != memory.region,
        });
    }

    /// Leaves a region alone for a while. One failure that several batches on their way have met counts once.
    fn close(&self, place: &str, class: Delivery) -> Result<()> {
        let random = random::number()?;
        let health = &mut self.memory.borrow_mut().deliveries.health;
        if !health.is_open(place, clock::now_ms()) {
            return Ok(());
        }
        let wait_ms = Backoff { failures: health.failures(place) }.next_wait_ms(class, random);
        health.fail(place, clock::now_ms(), wait_ms);
        Ok(())
    }

    /// The batch is in ClickHouse: it is done, and its rows are booked, with what it took. If that cannot be written down, as with a full storage,
    /// it is tried again, and the batch not sent: its next region may be another one.
    fn finish(&self, store: &Store, batch: &Batch, landed: &Landed) -> Result<()> {
        self.memory.borrow_mut().deliveries.unbooked.insert(batch.token.clone(), landed.clone());
        self.book_end(store, batch, landed)?;
        self.memory.borrow_mut().deliveries.unbooked.remove(&batch.token);
        Ok(())
    }

    fn book_end(&self, store: &Store, batch: &Batch, landed: &Landed) -> Result<()> {
        let place = landed.place.as_str();
        let is_home = place == self.memory.borrow().region;
        let is_doubtful = batch.doubt.as_ref().is_some_and(|doubt| !doubt.is_only(place));
        let fate = match batch.table {
            Table::Events if is_doubtful => Some(Fate::Inserted(Some(ElsewhereReason::PossibleDuplicate))),
            Table::Events if !is_home => Some(Fate::Inserted(Some(ElsewhereReason::Failover))),
            Table::Events => Some(Fate::Inserted(None)),
            Table::DeadLetters => Some(Fate::DeadLettered(DeadLetterReason::RefusedByClickhouse)),
            Table::Outcomes => None,
        };
        let (mut counts, now_ms) = (Ledger::default(), clock::now_ms());
        if let Some(fate) = fate {
            for carried in store.ledgers(batch)? {
                counts.merge(&carried.stored_as(fate));
            }
            for (measure, count) in [
                (Measure::Inserts, 1),
                (Measure::InsertRows, batch.rows.unsigned_abs()),
                (Measure::InsertBytes, batch.bytes.unsigned_abs()),
                (Measure::InsertMs, landed.took_ms),
                (Measure::Retries, batch.attempts.into()),
                (Measure::Failovers, (!is_home).into()),
            ] {
                if count > 0 {
                    counts.add(ledger::minute_s(now_ms), "", measure, count);
                }
            }
        }
        let batch = batch.clone();
        self.book(counts, move |store| store.finish(&batch, now_ms))
    }

    async fn insert(&self, store: &Rc<Store>, batch: &Batch, endpoint: &Endpoint) -> Result<sink::Answer> {
        let endpoint = insert::Endpoint {
            url: endpoint.url.clone(),
            user: endpoint.user.clone(),
            password: endpoint.password(&self.env)?,
        };
        let token =
            Uuid::try_parse(&batch.token).map_err(|error| Error::RustError(format!("token of a batch: {error}")))?;
        match gzip::compress(store.lines(batch)?).await {
            Ok(body) => Ok(sink::send(Insert::new(&endpoint, batch.table, token, body)).await),
            // Short of memory, as a rule: that passes.
            Err(error) => Ok(sink::Answer::not_sent(&error)),
        }
    }

    /// Keeps a batch that only an operator can help.
    fn postpone(&self, store: &Store, batch: &Batch, place: &str, class: Delivery, code: Option<i32>) -> Result<()> {
        let wait_ms = Backoff { failures: batch.attempts }.next_wait_ms(class, random::number()?);
        let next_at_ms = clock::now_ms().saturating_add(i64::try_from(wait_ms).unwrap_or(i64::MAX));
        store.postpone(batch, next_at_ms, &waits_for(class, code))?;
        if class == Delivery::Hold {
            let random = random::number()?;
            self.memory.borrow_mut().deliveries.holds.hold(place, batch.table, &batch.token, clock::now_ms(), random);
        }
        self.log_failure(batch, place, class, code);
        Ok(())
    }

    /// Notes on the batch why a region did not take it; when it is tried again is the region's matter.
    fn note_failure(
        &self,
        store: &Store,
        batch: &mut Batch,
        place: &str,
        class: Delivery,
        code: Option<i32>,
    ) -> Result<()> {
        store.postpone(batch, 0, &waits_for(class, code))?;
        self.log_failure(batch, place, class, code);
        batch.attempts = batch.attempts.saturating_add(1);
        batch.waits_for = Some(waits_for(class, code));
        Ok(())
    }

    /// Only what needs a person is an alert. The attempt that failed just now is not among the batch's yet.
    fn log_failure(&self, batch: &Batch, place: &str, class: Delivery, code: Option<i32>) {
        let level = if matches!(class, Delivery::Hold | Delivery::Poison) { Level::Alert } else { Level::Warn };
        let line = self
            .line(level, "insert_failed")
            .text("sent_to", place)
            .text("class", class.tag())
            .text("table", batch.table.name())
            .number("rows", batch.rows)
            .number("attempts", batch.attempts.saturating_add(1).into());
        log::write(with_code(line, code));
    }
}

/// Adds ClickHouse's code. Never its message, which may quote a visitor's data.
pub(super) fn with_code(line: Line, code: Option<i32>) -> Line {
    match code {
        Some(code) => line.number("code", code.into()),
        None => line.value("code", "null"),
    }
}

/// Writes down which regions may have the batch, if that has changed.
fn set_doubt(store: &Store, batch: &mut Batch, doubt: Option<Doubt>) -> Result<()> {
    if batch.doubt != doubt {
        store.set_doubt(batch, doubt.as_ref())?;
        batch.doubt = doubt;
    }
    Ok(())
}

/// For `/readyz` and metrics. Never ClickHouse's message, which may quote a visitor's data.
fn waits_for(class: Delivery, code: Option<i32>) -> String {
    let code = code.map_or_else(|| "no code".to_owned(), |code| format!("code {code}"));
    format!("{} {code}", class.tag())
}
