//! The alarm's work: freezing segments, then sending what is frozen. In scope: when a segment becomes a batch, the books.
//! Out of scope: one batch on its way (`deliver`), batches that ClickHouse refuses (`poison`).

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use collector_core::failover::{self, OnWay};
use collector_core::insert::Table;
use collector_core::ledger::{self, Ledger};
use collector_core::log::Level;
use collector_core::metric::Origin;
use collector_core::outcome::Measure;
use collector_core::recent::WINDOW_MS;
use futures_util::future::{Either, select, select_all};
use uuid::Builder;
use worker::{Delay, Error, Result};

use super::deliver::Step;
use super::shard::{FLUSH_MS, OUTCOMES_FLUSH_MS, Shard, encode_counts};
use super::store::{Backlog, Batch, Commit, Open, Store};
use crate::fault_point::Point;
use crate::{clock, fault_point, log};

/// How long one alarm goes on sending; then it makes way and is set again. The platform allows 15 minutes.
const MAX_ALARM_MS: i64 = 120_000;
/// How much one alarm sends: the clock stands still between two answers, and an alarm has 30 s of CPU.
const MAX_ALARM_BYTES: i64 = 64 << 20;
/// How many batches one alarm sends.
const MAX_ALARM_BATCHES: usize = 500;
/// How many of them are on their way at once, so that one that hangs does not hold up the rest. Each is up to 4 MB of lines while it is packed,
/// then its gzip body; the platform allows six connections.
const MAX_ON_WAY: usize = 3;
/// How often the alarm looks for new batches while others hang.
const LOOK_EVERY: Duration = Duration::from_millis(FLUSH_MS.unsigned_abs());

/// What is done together with booking.
type Work = Box<dyn FnOnce(&Store) -> Result<()>>;

/// What one alarm sends.
#[derive(Default)]
struct Round {
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
    /// Whether the alarm has to make way for the next one.
    fn is_over(&self, now_ms: i64) -> bool {
        now_ms - self.started_ms > MAX_ALARM_MS || self.sent >= MAX_ALARM_BATCHES || self.sent_bytes >= MAX_ALARM_BYTES
    }

    /// The batch that goes next, if one may go now.
    fn next(&mut self, regions: &OnWay, now_ms: i64) -> Option<Batch> {
        let may_go = !regions.is_blocked() && self.on_way.len() < MAX_ON_WAY && !self.is_over(now_ms);
        let batch = if may_go { self.due.pop() } else { None }?;
        self.on_way.push(batch.token.clone());
        self.sent += 1;
        self.sent_bytes += batch.bytes;
        Some(batch)
    }

    /// A batch is not on its way any more.
    fn end(&mut self, batch: Batch, step: &Result<Step>) {
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

impl Shard {
    /// Freezes what is old enough, sends what is frozen, and sets the next alarm.
    pub(crate) async fn flush(&self) -> Result<()> {
        let store = self.open(Origin::default())?;
        let started_ms = clock::now_ms();
        {
            let mut memory = self.memory.borrow_mut();
            (memory.alarm_at_ms, memory.flush_at_ms) = (None, started_ms);
        }
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
        self.memory.borrow_mut().flush_at_ms = 0;
        self.arm().await;
        fault_point::reached(&self.env, Point::AlarmSet).await;
        Ok(())
    }

    /// The platform has cut off the last alarm, without a restart: nobody hears what became of the batches that were on their way home. Those that
    /// were on another way are in doubt already.
    fn doubt_cut_off(&self, store: &Rc<Store>, now_ms: i64) -> Result<()> {
        let (tokens, region) = {
            let memory = self.memory.borrow();
            (memory.on_way.clone(), memory.region.clone())
        };
        if !tokens.is_empty() {
            store.atomically(move |store| store.doubt_on_way(&tokens, &region, now_ms))?;
            self.memory.borrow_mut().on_way.clear();
        }
        Ok(())
    }

    fn freeze_due(&self, now_ms: i64) -> Result<()> {
        let freeze_ms = self.memory.borrow().freeze_ms();
        // Events first: freezing them adds to the outcomes.
        for (table, age_ms) in [
            (Table::Events, freeze_ms),
            (Table::Outcomes, freeze_ms.max(OUTCOMES_FLUSH_MS)),
            (Table::DeadLetters, freeze_ms),
        ] {
            let open = self.memory.borrow().open(table);
            if open.is_some_and(|open| is_old(open, age_ms, now_ms)) {
                self.freeze(table)?;
            }
        }
        Ok(())
    }

    /// A full segment is sent without waiting for its age.
    pub(super) fn freeze_if_full(&self, table: Table) {
        let is_full = self.memory.borrow().open(table).is_some_and(Open::is_full);
        // What cannot be frozen now is frozen by the alarm: the rows are durable either way.
        if is_full && let Err(error) = self.freeze(table) {
            log::write(self.line(Level::Warn, "segment_not_frozen").text("table", table.name()).error(&error));
        }
    }

    /// Makes a table's open segment a batch. Only with events something is booked by that.
    fn freeze(&self, table: Table) -> Result<()> {
        let open = self.memory.borrow().open(table);
        match (table, open) {
            (_, None) => return Ok(()),
            (Table::Events, _) => return self.freeze_events(),
            (_, Some(open)) => freeze(&*self.store()?, open, &mint_token()?)?,
        }
        let mut memory = self.memory.borrow_mut();
        *(if table == Table::Outcomes { &mut memory.outcomes } else { &mut memory.letters }) = None;
        Ok(())
    }

    /// Makes the open segment of events a batch, and books what was counted in it: both or neither.
    fn freeze_events(&self) -> Result<()> {
        let (events, counts) = {
            let memory = self.memory.borrow();
            (memory.events, memory.counts.clone())
        };
        let Some(events) = events else { return Ok(()) };
        let token = mint_token()?;
        self.book(counts, move |store| freeze(store, events, &token))?;
        let mut memory = self.memory.borrow_mut();
        memory.frozen_bytes += events.bytes;
        memory.events = None;
        memory.counts = Ledger::default();
        Ok(())
    }

    /// Does `work` and books `counts` with what waits at this moment, all or nothing: lines for ClickHouse, and the totals that metrics show.
    pub(super) fn book(&self, counts: Ledger, work: impl FnOnce(&Store) -> Result<()> + 'static) -> Result<()> {
        // One function for every work: the Worker's size counts.
        self.book_with(counts, Box::new(work))
    }

    fn book_with(&self, mut counts: Ledger, work: Work) -> Result<()> {
        let (store, now_ms) = (self.store()?, clock::now_ms());
        // The end of a batch of books: to book that would make the next one, for ever.
        if counts.is_empty() {
            return store.atomically(work);
        }
        let (outcomes, lines, totals) = {
            let memory = self.memory.borrow();
            let minute_s = ledger::minute_s(now_ms);
            let mut totals = memory.totals.at(minute_s);
            totals.merge(&counts.totals());
            let levels = levels(&store.backlog(memory.events.as_slice())?, now_ms);
            counts.add_levels(&mut totals, minute_s, &levels);
            (memory.outcomes, counts.lines(&memory.region), totals)
        };
        let frame = encode_counts(&totals)?;
        let outcomes = store.atomically(move |store| {
            work(store)?;
            store.set_totals(frame)?;
            let commit = Commit { rows: count_lines(&lines), lines, ..Commit::default() };
            append_to(store, Table::Outcomes, outcomes, commit, now_ms)
        })?;
        {
            let mut memory = self.memory.borrow_mut();
            memory.outcomes = outcomes;
            memory.totals = totals;
        }
        // An outage that drains books lines for every site of every batch, in seconds: one INSERT of all would not fit into memory.
        self.freeze_if_full(Table::Outcomes);
        Ok(())
    }

    /// Sends what is due, as much as one alarm may, several batches at a time. What goes wrong with one batch is told at the end: the others are
    /// sent all the same. None is left on its way: its answer would be lost.
    async fn send_batches(&self, store: &Rc<Store>, started_ms: i64) -> Result<()> {
        self.memory.borrow_mut().not_before_ms = 0;
        let mut round = Round { started_ms, ..Round::default() };
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
            self.memory.borrow_mut().on_way.clone_from(&round.on_way);
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
                        self.freeze_due(clock::now_ms()).and_then(|()| self.note_waiting(store, round.on_way.len()));
                    result = result.and(frozen);
                    if round.due.is_empty() && !round.is_over(clock::now_ms()) {
                        result = result.and(self.find_due(store, &mut round));
                    }
                }
            }
        }
        if !round.due.is_empty() {
            // Cut off in the middle: the rest need not wait for what others wait for.
            self.memory.borrow_mut().not_before_ms = 0;
        }
        self.note_waiting(store, 0)?;
        result
    }

    /// Finds the batches that are due. Those that wait for a region come again when it may be tried.
    fn find_due(&self, store: &Store, round: &mut Round) -> Result<()> {
        let now_ms = clock::now_ms();
        {
            let memory = &mut *self.memory.borrow_mut();
            if failover::is_due(memory.not_before_ms, now_ms) {
                memory.not_before_ms = 0;
                round.newest.clear();
            }
        }
        let is_due = |batch: &Batch| {
            failover::is_due(batch.next_attempt_at_ms, now_ms)
                && batch.token > round.newest
                && !round.on_way.contains(&batch.token)
        };
        let due: Vec<Batch> = store.batches()?.into_iter().rev().filter(is_due).collect();
        for batch in &due {
            if batch.token > round.newest {
                round.newest.clone_from(&batch.token);
            }
        }
        round.due = due;
        Ok(())
    }

    /// The more batches wait, the later the next segment is frozen; those on their way are no reason to.
    fn note_waiting(&self, store: &Store, on_way: usize) -> Result<()> {
        let (batches, frozen_bytes) = store.waiting()?;
        let memory = &mut *self.memory.borrow_mut();
        memory.waiting_batches = batches.saturating_sub(i64::try_from(on_way).unwrap_or(i64::MAX)).max(0);
        memory.frozen_bytes = frozen_bytes;
        Ok(())
    }

    /// A batch waits for one of these regions: until the first of them may be tried, it need not be looked at.
    pub(super) fn wait_for(&self, places: &[String], batch: &Batch, now_ms: i64) {
        let opens_at_ms = failover::next_look_ms(places, batch.doubt.as_ref(), &self.memory.borrow().health, now_ms);
        self.look_at(opens_at_ms);
    }

    /// What waits is looked at then, if not before.
    pub(super) fn look_at(&self, at_ms: i64) {
        let memory = &mut *self.memory.borrow_mut();
        let is_first = memory.not_before_ms == 0;
        memory.not_before_ms = if is_first { at_ms } else { memory.not_before_ms.min(at_ms) };
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

/// Whether a segment has been open for long enough; one from the future was opened before the clock was put back.
fn is_old(open: Open, age_ms: i64, now_ms: i64) -> bool {
    open.since_ms + age_ms <= now_ms || open.since_ms > now_ms
}

/// Adds a commit to an open segment, made if there is none; the segment as it then is.
pub(super) fn append_to(
    store: &Store,
    table: Table,
    open: Option<Open>,
    commit: Commit,
    now_ms: i64,
) -> Result<Option<Open>> {
    if commit.rows == 0 {
        return Ok(open);
    }
    let open = open.map_or_else(|| store.create_segment(table, now_ms), Ok)?;
    let (rows, bytes) = (open.rows + commit.rows, open.bytes + i64::try_from(commit.lines.len()).unwrap_or(i64::MAX));
    store.append(open.segment, commit)?;
    Ok(Some(Open { rows, bytes, ..open }))
}

fn freeze(store: &Store, open: Open, token: &str) -> Result<()> {
    // Only outcomes were counted: there is no row to send.
    if open.rows == 0 { store.drop_segment(open.segment) } else { store.freeze(open, token) }
}

pub(super) fn count_lines(lines: &[u8]) -> i64 {
    i64::try_from(lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count()).unwrap_or(i64::MAX)
}

/// A deduplication token: unique, and in the order of time for whoever reads logs.
pub(super) fn mint_token() -> Result<String> {
    let bytes = random()?;
    Ok(Builder::from_unix_timestamp_millis(clock::now_ms().unsigned_abs(), &bytes).into_uuid().hyphenated().to_string())
}

pub(super) fn random<const BYTES: usize>() -> Result<[u8; BYTES]> {
    let mut bytes = [0_u8; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Error::RustError(format!("expected random bytes, found {error}")))?;
    Ok(bytes)
}
