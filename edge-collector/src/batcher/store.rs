//! The Batcher's durable state. In scope: segments in SQLite and what is known of each; every change is synchronous, so that the
//! output gate covers it. Out of scope: segments (`segment`) and batches (`batch`) one by one, when to append, freeze or send.
//!
//! A segment is one table of blob rows. It is open until it is frozen; then it is a batch: its membership, bytes and token never change again.
//! A delivered one stays as long as its event ids are to be known, for the case that the object restarts; then the whole table is dropped,
//! because dropped rows are not billed and deleted ones are.

mod batch;
mod segment;

use std::cell::RefCell;
use std::rc::Rc;

use collector_core::insert::Table;
use js_sys::{Function, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use worker::{Error, Result, SqlStorage, SqlStorageValue as Value, Storage};

use crate::sqlite::{blob, string, text};
pub(crate) use batch::{Batch, Part, mint_token};
pub(crate) use segment::{Backlog, Commit, Open, OpenSegments, count_lines};

use crate::fault_point;

/// The largest blob row: SQLite in a Durable Object takes 2 MB for row and columns together.
pub(crate) const MAX_BLOB_BYTES: usize = 1_500_000;

/// How a segment's table in ClickHouse is kept here.
const fn number_of(table: Table) -> i64 {
    match table {
        Table::Events => 0,
        Table::DeadLetters => 1,
        Table::Outcomes => 2,
    }
}

const fn table_of(number: i64) -> Table {
    match number {
        1 => Table::DeadLetters,
        2 => Table::Outcomes,
        _ => Table::Events,
    }
}

/// The Batcher's SQLite.
pub(crate) struct Store {
    sql: SqlStorage,
    /// The storage object itself, for transactions.
    storage: JsValue,
}

impl Store {
    pub(crate) fn new(storage: &Storage) -> Result<Self> {
        let sql = storage.sql();
        sql.exec("CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID", None)?;
        sql.exec(
            "CREATE TABLE IF NOT EXISTS segments (id INTEGER PRIMARY KEY, target INTEGER NOT NULL, token TEXT, \
             rows INTEGER NOT NULL, bytes INTEGER NOT NULL, created_at_ms INTEGER NOT NULL, \
             attempts INTEGER NOT NULL DEFAULT 0, next_attempt_at_ms INTEGER NOT NULL DEFAULT 0, waits_for TEXT, \
             doubt_region TEXT, doubt_since_ms INTEGER)",
            None,
        )?;
        sql.exec("CREATE TABLE IF NOT EXISTS delivered (id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL)", None)?;
        sql.exec("CREATE TABLE IF NOT EXISTS totals (id INTEGER PRIMARY KEY, frame BLOB NOT NULL)", None)?;
        Ok(Self { sql, storage: storage.as_raw().into() })
    }

    /// Does several writes as one: an error in between undoes those before it. (Without this, an error that is caught would leave them.)
    pub(crate) fn atomically<T: 'static>(
        self: &Rc<Self>,
        work: impl FnOnce(&Self) -> Result<T> + 'static,
    ) -> Result<T> {
        fault_point::check_room()?;
        let found: Rc<RefCell<Option<Result<T>>>> = Rc::default();
        let (slot, store, mut work) = (Rc::clone(&found), Rc::clone(self), Some(work));
        let closure = Closure::<dyn FnMut() -> std::result::Result<(), JsValue>>::new(move || {
            let Some(work) = work.take() else { return Ok(()) };
            let result = work(&store);
            let is_done = result.is_ok();
            *slot.borrow_mut() = Some(result);
            if is_done { Ok(()) } else { Err(JsValue::from_str("rolled back")) }
        });
        let transaction: Function = Reflect::get(&self.storage, &JsValue::from_str("transactionSync"))?.dyn_into()?;
        let ended = transaction.call1(&self.storage, closure.as_ref());
        let result = found.borrow_mut().take();
        match (result, ended) {
            (Some(Err(error)), _) => Err(error),
            (_, Err(thrown)) => Err(Error::from(thrown)),
            (Some(Ok(value)), Ok(_)) => Ok(value),
            (None, Ok(_)) => Err(Error::RustError("expected the transaction to run, found that it did not".to_owned())),
        }
    }

    /// A small fact about this object, such as its region.
    pub(crate) fn meta(&self, key: &str) -> Result<Option<String>> {
        let cursor = self.sql.exec("SELECT value FROM meta WHERE key = ?", vec![text(key)])?;
        cursor.raw().next().transpose()?.map(|row| string(row.first())).transpose()
    }

    pub(crate) fn set_meta(&self, key: &str, value: &str) -> Result<()> {
        self.sql.exec("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", vec![text(key), text(value)])?;
        Ok(())
    }

    /// What was booked since the object exists, as a frame of the core; empty at first.
    pub(crate) fn totals(&self) -> Result<Vec<u8>> {
        let cursor = self.sql.exec("SELECT frame FROM totals", None)?;
        cursor.raw().next().transpose()?.map_or(Ok(Vec::new()), |row| blob(row.into_iter().next()))
    }

    pub(crate) fn set_totals(&self, frame: Vec<u8>) -> Result<()> {
        self.sql.exec("INSERT OR REPLACE INTO totals (id, frame) VALUES (0, ?)", vec![Value::Blob(frame)])?;
        Ok(())
    }
}
