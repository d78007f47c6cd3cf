//! One Batcher's state and its group commit. In scope: taking frames, answering when they are durable, keeping the alarm set.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use collector_core::append::{self, Append, Taken};
use collector_core::failover::{self, Health, Holds};
use collector_core::insert::Table;
use collector_core::ledger::Ledger;
use collector_core::log::{Level, Line};
use collector_core::metric::{Inserts, Origin};
use collector_core::outcome::Outcome;
use collector_core::rate::VisitorCounts;
use collector_core::recent::{self, MAX_IDS, RecentIds};
use uuid::Uuid;
use worker::{Delay, Env, Error, Headers, Response, Result, State};

use super::deliver::Landed;
use super::store::{Commit, MAX_BLOB_BYTES, Open, Store};
use super::window::Window;
use crate::config::Config;
use crate::fault_point::Point;
use crate::{clock, fault_point, log};

/// How long a window stays open for others to join.
const WINDOW: Duration = Duration::from_millis(20);
/// How old rows may get before they are sent.
pub(super) const FLUSH_MS: i64 = 1_000;
/// A flush that began longer ago was cut off by the platform.
const MAX_FLUSH_MS: i64 = 15 * 60 * 1_000;
/// How old counted outcomes may get before they are sent: they are few, and each insert makes a part.
pub(super) const OUTCOMES_FLUSH_MS: i64 = 5_000;
/// The oldest that rows get before they are frozen, however many batches wait already.
const MAX_FREEZE_MS: i64 = 60_000;
/// An alarm is set at least this far ahead: one for the very millisecond in which another fires has been seen to be lost.
const ALARM_MS_MIN: i64 = 20;
/// An alarm that should have fired this long ago is lost. Setting it again does no harm.
const ALARM_LATE_MS: i64 = 5_000;
/// An alarm that is set this far ahead was set by a clock that has been put back since.
const ALARM_AHEAD_MS: i64 = 2 * MAX_FREEZE_MS;

/// One Batcher.
pub(crate) struct Shard {
    pub(super) state: State,
    pub(super) env: Env,
    pub(super) memory: RefCell<Memory>,
}

/// What is lost with the isolate, and read again from the store.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) store: Option<Rc<Store>>,
    pub(super) region: String,
    pub(super) shard: u32,
    /// The open segment of events, with what was counted in it.
    pub(super) events: Option<Open>,
    pub(super) counts: Ledger,
    /// The open segment of outcomes.
    pub(super) outcomes: Option<Open>,
    /// The open segment of dead letters.
    pub(super) letters: Option<Open>,
    /// What was booked since the object exists, for metrics.
    pub(super) totals: Ledger,
    /// Inserts since the object woke up, for metrics.
    pub(super) inserts: Inserts,
    /// Bytes that wait in frozen segments.
    pub(super) frozen_bytes: i64,
    /// Batches that waited behind the last flush.
    pub(super) waiting_batches: i64,
    window: Window,
    recent: RecentIds,
    visitors: VisitorCounts,
    /// When the flush began that is running; 0 if none is.
    pub(super) flush_at_ms: i64,
    /// When the alarm will fire.
    pub(super) alarm_at_ms: Option<i64>,
    /// How the regions are doing.
    pub(super) health: Health,
    /// The tables that wait for an operator.
    pub(super) holds: Holds,
    /// Batches that are in ClickHouse and could not be booked yet, by token: of those that wait, so no more than they are.
    pub(super) unbooked: HashMap<String, Landed>,
    /// Tokens of the batches that are on their way. If an alarm finds any, the one before it was cut off.
    pub(super) on_way: Vec<String>,
    /// Until then no region takes the batches that wait.
    pub(super) not_before_ms: i64,
}

impl Memory {
    /// The open segment of a table.
    pub(super) fn open(&self, table: Table) -> Option<Open> {
        match table {
            Table::Events => self.events,
            Table::Outcomes => self.outcomes,
            Table::DeadLetters => self.letters,
        }
    }

    /// How old rows may get before they are frozen: the more batches wait, the larger the next one, so that an outage of a day is some thousand
    /// batches and not a hundred thousand.
    pub(super) fn freeze_ms(&self) -> i64 {
        FLUSH_MS.saturating_mul(self.waiting_batches.saturating_add(1)).min(MAX_FREEZE_MS)
    }
}

impl Shard {
    pub(crate) fn new(state: State, env: Env) -> Self {
        Self { state, env, memory: RefCell::default() }
    }

    /// Opens the store once per life of the object, and remembers what it holds.
    /// An object does not know its own name: the first caller's word is kept.
    pub(super) fn open(&self, origin: Origin<'_>) -> Result<Rc<Store>> {
        if let Some(store) = self.memory.borrow().store.clone() {
            return Ok(store);
        }
        let store = Rc::new(Store::new(&self.state.storage())?);
        let mut memory = Memory { region: store.meta("region")?.unwrap_or_default(), ..Memory::default() };
        memory.shard = store.meta("shard")?.and_then(|shard| shard.parse().ok()).unwrap_or_default();
        if memory.region.is_empty() && !origin.region.is_empty() {
            store.set_meta("region", origin.region)?;
            store.set_meta("shard", &origin.shard.to_string())?;
            origin.region.clone_into(&mut memory.region);
            memory.shard = origin.shard;
        }
        memory.events = store.open_segment(Table::Events)?;
        memory.outcomes = store.open_segment(Table::Outcomes)?;
        memory.letters = store.open_segment(Table::DeadLetters)?;
        if let Some(open) = memory.events {
            memory.counts = read_counts(&store.counts(open.segment)?);
        }
        memory.totals = read_counts(&[store.totals()?]);
        (memory.waiting_batches, memory.frozen_bytes) = store.waiting()?;
        let now_ms = clock::now_ms();
        // Oldest first, as they came: the window forgets in this order.
        for ids in store.known_ids(MAX_IDS)?.iter().rev() {
            for id in ids.chunks_exact(16).filter_map(|bytes| Uuid::from_slice(bytes).ok()) {
                memory.recent.insert(id, now_ms);
            }
        }
        if !memory.region.is_empty() {
            store.doubt_untried(&memory.region, now_ms)?;
        }
        memory.store = Some(store.clone());
        *self.memory.borrow_mut() = memory;
        Ok(store)
    }

    /// Takes a frame: answers when it is durable, or 503 if it was not taken.
    pub(crate) async fn append(self: &Rc<Self>, origin: Origin<'_>, frame: &[u8]) -> Result<Response> {
        self.open(origin)?;
        if !self.is_accepting()? {
            self.arm().await;
            return Response::error("too much is waiting", 503);
        }
        let append = append::decode(frame).map_err(|error| Error::RustError(error.to_string()))?;
        let now_ms = clock::now_ms();
        let must_close = {
            let window = &self.memory.borrow().window;
            window.would_overflow(&append, MAX_BLOB_BYTES) || window.is_stuck(now_ms)
        };
        if must_close {
            self.commit();
        }
        let (answers, is_first) = self.join_window(&append);
        let durable = self.memory.borrow_mut().window.wait(now_ms);
        if is_first {
            let shard = Rc::clone(self);
            // Not a part of this request: the others must not wait in vain if its sender leaves.
            self.state.wait_until(async move {
                Delay::from(WINDOW).await;
                shard.commit();
                shard.arm().await;
            });
        }
        match durable.await {
            Ok(true) => {
                fault_point::reached(&self.env, Point::RowsWritten).await;
                let headers = Headers::new();
                headers.set(append::ANSWER_HEADER, &append::encode_answer(&answers))?;
                Ok(Response::empty()?.with_headers(headers))
            }
            _ => Response::error("the write failed", 503),
        }
    }

    /// Adds a frame to the window; says what became of each line, and whether the window was opened by it.
    fn join_window(&self, append: &Append<'_>) -> (Vec<Taken>, bool) {
        let memory = &mut *self.memory.borrow_mut();
        let is_first = memory.window.is_empty();
        memory.window.counts.merge(&append.counts);
        let now_ms = clock::now_ms();
        let mut answers = Vec::with_capacity(append.lines.len());
        for line in &append.lines {
            let key = recent::key(&line.site_id, line.event_id);
            let is_new = memory.recent.insert(key, now_ms);
            let (taken, outcome) = if !is_new {
                (Taken::Duplicate, Outcome::Duplicate)
            } else if memory.visitors.add(line.visitor_id, now_ms) {
                (Taken::AcceptedFast, line.outcome)
            } else {
                (Taken::Accepted, line.outcome)
            };
            memory.window.counts.add(append.minute_s, &line.site_id, outcome, 1);
            if is_new {
                memory.window.push(key, &line.json);
            }
            answers.push(taken);
        }
        (answers, is_first)
    }

    /// Closes the window: one durable row, then every answer.
    fn commit(&self) {
        let window = self.memory.borrow_mut().window.take();
        if window.is_empty() {
            return;
        }
        let result = self.write(&window);
        if let Err(error) = &result {
            log::write(self.line(Level::Warn, "window_not_written").error(error));
            let mut memory = self.memory.borrow_mut();
            for id in &window.ids {
                memory.recent.remove(id);
            }
        }
        window.answer(result.is_ok());
        self.freeze_if_full(Table::Events);
    }

    fn write(&self, window: &Window) -> Result<()> {
        let (store, open) = {
            let memory = self.memory.borrow();
            (self.store()?, memory.events)
        };
        let rows = i64::try_from(window.ids.len()).unwrap_or(i64::MAX);
        let bytes = i64::try_from(window.lines.len()).unwrap_or(i64::MAX);
        let commit = Commit {
            rows,
            ids: window.ids.iter().flat_map(|id| *id.as_bytes()).collect(),
            counts: encode_counts(&window.counts)?,
            lines: window.lines.clone(),
        };
        let now_ms = clock::now_ms();
        let open = store.atomically(move |store| {
            let open = open.map_or_else(|| store.create_segment(Table::Events, now_ms), Ok)?;
            store.append(open.segment, commit)?;
            Ok(Open { rows: open.rows + rows, bytes: open.bytes + bytes, ..open })
        })?;
        let mut memory = self.memory.borrow_mut();
        memory.events = Some(open);
        memory.counts.merge(&window.counts);
        Ok(())
    }

    /// A line for the log about this Batcher. Not while its memory is borrowed for a change.
    pub(super) fn line(&self, level: Level, what: &str) -> Line {
        let memory = self.memory.borrow();
        Line::new(level, what).at(&memory.region, memory.shard)
    }

    /// The store, once it is open.
    pub(super) fn store(&self) -> Result<Rc<Store>> {
        let store = self.memory.borrow().store.clone();
        store.ok_or_else(|| Error::RustError("expected an open store".to_owned()))
    }

    /// Whether there is room for more.
    pub(super) fn is_accepting(&self) -> Result<bool> {
        let memory = self.memory.borrow();
        let backlog_bytes = memory.frozen_bytes + memory.events.map_or(0, |open| open.bytes);
        Ok(backlog_bytes <= Config::of(&self.env)?.backlog_bytes_max)
    }

    /// Sets the alarm for whatever waits, if it is not set early enough already.
    pub(super) async fn arm(&self) {
        let now_ms = clock::now_ms();
        let Some(due_ms) = self.due_at_ms(now_ms) else { return };
        let due_ms = due_ms.max(now_ms + ALARM_MS_MIN);
        let is_alive = |at_ms: &i64| *at_ms > now_ms - ALARM_LATE_MS && *at_ms - now_ms <= ALARM_AHEAD_MS;
        let set = self.memory.borrow().alarm_at_ms.filter(is_alive);
        if set.is_some_and(|at_ms| at_ms <= due_ms) {
            return;
        }
        self.memory.borrow_mut().alarm_at_ms = Some(due_ms);
        if let Err(error) = self.state.storage().set_alarm(due_ms - now_ms).await {
            log::write(self.line(Level::Warn, "alarm_not_set").error(&error));
            self.memory.borrow_mut().alarm_at_ms = None;
        }
    }

    /// Sets the alarm after an error of the flush itself.
    pub(crate) async fn arm_again(&self) {
        {
            let mut memory = self.memory.borrow_mut();
            memory.alarm_at_ms = None;
            memory.flush_at_ms = 0;
            // An append in between must not set it for at once.
            memory.not_before_ms = clock::now_ms() + FLUSH_MS;
        }
        if let Err(error) = self.state.storage().set_alarm(FLUSH_MS).await {
            // The next append or the sweep sets it.
            log::write(self.line(Level::Warn, "alarm_not_set").error(&error));
        }
    }

    /// When there is next something to do.
    fn due_at_ms(&self, now_ms: i64) -> Option<i64> {
        let memory = self.memory.borrow();
        let freeze_ms = memory.freeze_ms();
        let events = memory.events.map(|open| open.since_ms + freeze_ms);
        let outcomes = memory.outcomes.map(|open| open.since_ms + freeze_ms.max(OUTCOMES_FLUSH_MS));
        let letters = memory.letters.map(|open| open.since_ms + freeze_ms);
        // What is frozen is the running flush's, which sets the alarm for it at its end; an alarm of its own would find nothing to do.
        let is_flushing = (0..MAX_FLUSH_MS).contains(&now_ms.saturating_sub(memory.flush_at_ms));
        let store = memory.store.as_ref().filter(|_| !is_flushing);
        let frozen = store.and_then(|store| store.next_attempt_at_ms().ok().flatten());
        let frozen = frozen.map(|at_ms| at_ms.max(memory.not_before_ms));
        let due = [events, outcomes, letters, frozen].into_iter().flatten().min()?;
        Some(if failover::is_due(due, now_ms) { now_ms } else { due })
    }
}

/// Counts as bytes: a frame without lines.
pub(super) fn encode_counts(counts: &Ledger) -> Result<Vec<u8>> {
    let frame = Append { minute_s: 0, counts: counts.clone(), lines: Vec::new() };
    append::encode(&frame).map_err(|error| Error::RustError(error.to_string()))
}

fn read_counts(frames: &[Vec<u8>]) -> Ledger {
    let mut counts = Ledger::default();
    for append in frames.iter().filter_map(|frame| append::decode(frame).ok()) {
        counts.merge(&append.counts);
    }
    counts
}
