//! One Batcher's state and its group commit. In scope: taking frames, answering when they are durable, keeping the alarm set.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use collector_core::alarm::FLUSH_MS;
use collector_core::append;
use collector_core::insert::Table;
use collector_core::log::{Level, Line};
use collector_core::metric::Origin;
use worker::{Delay, Env, Error, Headers, Response, Result, State};

use super::books::encode_counts;
use super::memory::Memory;
use super::store::{Commit, MAX_BLOB_BYTES, Store};
use super::window::Window;
use crate::config::Config;
use crate::fault_point::Point;
use crate::{clock, fault_point, log};

/// How long a window stays open for others to join.
const WINDOW: Duration = Duration::from_millis(20);

/// One Batcher.
pub(crate) struct Shard {
    pub(super) state: State,
    pub(super) env: Env,
    pub(super) memory: RefCell<Memory>,
}

impl Shard {
    pub(crate) fn new(state: State, env: Env) -> Self {
        Self { state, env, memory: RefCell::default() }
    }

    /// Opens the store once per life of the object, and remembers what it holds.
    pub(super) fn open(&self, caller: Origin<'_>) -> Result<Rc<Store>> {
        if let Some(store) = self.memory.borrow().store.clone() {
            return Ok(store);
        }
        let store = Rc::new(Store::new(&self.state.storage())?);
        let memory = Memory::load(&store, caller, clock::now_ms())?;
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
            let window = &self.memory.borrow().intake.window;
            window.would_overflow(&append, MAX_BLOB_BYTES) || window.is_stuck(now_ms)
        };
        if must_close {
            self.commit();
        }
        let (answers, durable, is_first) = {
            let intake = &mut self.memory.borrow_mut().intake;
            let is_first = intake.window.is_empty();
            (intake.take(&append, now_ms), intake.window.wait(now_ms), is_first)
        };
        if is_first {
            self.close_later();
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

    /// Closes the window when it is over. Not a part of the request that opened it: the others must not wait in vain if its sender leaves.
    fn close_later(self: &Rc<Self>) {
        let shard = Rc::clone(self);
        self.state.wait_until(async move {
            Delay::from(WINDOW).await;
            shard.commit();
            shard.arm().await;
        });
    }

    /// Closes the window: one durable row, then every answer.
    fn commit(&self) {
        let window = self.memory.borrow_mut().intake.window.take();
        if window.is_empty() {
            return;
        }
        let result = self.write(&window);
        if let Err(error) = &result {
            log::write(self.line(Level::Warn, "window_not_written").error(error));
            self.memory.borrow_mut().intake.forget(&window);
        }
        window.answer(result.is_ok());
        self.freeze_if_full(Table::Events);
    }

    fn write(&self, window: &Window) -> Result<()> {
        let (store, open) = (self.store()?, self.memory.borrow().open.events);
        let commit = Commit {
            rows: i64::try_from(window.ids.len()).unwrap_or(i64::MAX),
            ids: window.ids.iter().flat_map(|id| *id.as_bytes()).collect(),
            counts: encode_counts(&window.counts)?,
            lines: window.lines.clone(),
        };
        let now_ms = clock::now_ms();
        let open = store.atomically(move |store| store.append_to(Table::Events, open, commit, now_ms))?;
        let mut memory = self.memory.borrow_mut();
        memory.open.events = Some(open);
        memory.books.counts.merge(&window.counts);
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
        let backlog_bytes = memory.waiting.bytes + memory.open.events.map_or(0, |open| open.bytes);
        Ok(backlog_bytes <= Config::of(&self.env)?.backlog_bytes_max)
    }

    /// Sets the alarm for whatever waits, if it is not set early enough already.
    pub(super) async fn arm(&self) {
        let now_ms = clock::now_ms();
        let Some(due_ms) = self.due_ms(now_ms) else { return };
        let Some(wait_ms) = self.memory.borrow_mut().alarm.set(due_ms, now_ms) else { return };
        if !self.set_alarm(wait_ms).await {
            self.memory.borrow_mut().alarm.unset();
        }
    }

    /// Sets the alarm after an error of the flush itself. If that fails too, the next append or the sweep sets it.
    pub(crate) async fn arm_again(&self) {
        self.memory.borrow_mut().alarm.fail_flush(clock::now_ms());
        self.set_alarm(FLUSH_MS).await;
    }

    async fn set_alarm(&self, wait_ms: i64) -> bool {
        let result = self.state.storage().set_alarm(wait_ms).await;
        if let Err(error) = &result {
            log::write(self.line(Level::Warn, "alarm_not_set").error(error));
        }
        result.is_ok()
    }

    /// When there is something to do next.
    fn due_ms(&self, now_ms: i64) -> Option<i64> {
        let memory = self.memory.borrow();
        // What is frozen is the running flush's.
        let store = memory.store.as_ref().filter(|_| !memory.alarm.is_flushing(now_ms));
        let next_attempt_ms = store.and_then(|store| store.next_attempt_at_ms().ok().flatten());
        memory.alarm.due_ms(memory.ripe_ms(), next_attempt_ms, now_ms)
    }
}
