//! The Batcher's durable state. In scope: segments in SQLite and what is known of each; every change is synchronous, so that the
//! output gate covers it. Out of scope: when to append, freeze or send.
//!
//! A segment is one table of blob rows. It is open until it is frozen; then it is a batch: its membership, bytes and token never change again.
//! A delivered one stays as long as its event ids are to be known, for the case that the object restarts; then the whole table is dropped,
//! because dropped rows are not billed and deleted ones are.

use std::cell::RefCell;
use std::rc::Rc;

use collector_core::failover::Doubt;
use collector_core::insert::Table;
use js_sys::{Function, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use worker::{Error, Result, SqlStorage, SqlStorageValue as Value, Storage};

/// The largest blob row: SQLite in a Durable Object takes 2 MB for row and columns together.
pub(crate) const BLOB_BYTES_MAX: usize = 1_500_000;

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

/// A frozen segment.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) segment: i64,
    pub(crate) table: Table,
    /// The deduplication token, the same for every attempt.
    pub(crate) token: String,
    pub(crate) rows: i64,
    pub(crate) bytes: i64,
    pub(crate) attempts: u32,
    pub(crate) next_attempt_at_ms: i64,
    /// Why the last attempt failed.
    pub(crate) waits_for: Option<String>,
    /// The regions that may have stored it.
    pub(crate) doubt: Option<Doubt>,
}

/// Everything that waits.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backlog {
    pub(crate) rows: i64,
    pub(crate) bytes: i64,
    pub(crate) oldest_at_ms: Option<i64>,
}

/// An open segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) segment: i64,
    pub(crate) rows: i64,
    pub(crate) bytes: i64,
    pub(crate) since_ms: i64,
}

/// What one blob row holds.
#[derive(Default)]
pub(crate) struct Commit {
    pub(crate) rows: i64,
    /// Event ids, 16 bytes each.
    pub(crate) ids: Vec<u8>,
    /// The outcomes counted, as a frame of the core.
    pub(crate) counts: Vec<u8>,
    /// `JSONEachRow` lines, each with its line end.
    pub(crate) lines: Vec<u8>,
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

    /// The open segment of a table with what it holds, if there is one.
    pub(crate) fn open_segment(&self, table: Table) -> Result<Option<Open>> {
        let query = "SELECT id, created_at_ms FROM segments WHERE token IS NULL AND target = ?";
        let cursor = self.sql.exec(query, vec![number(number_of(table))?])?;
        let Some(row) = cursor.raw().next().transpose()? else { return Ok(None) };
        let (segment, since_ms) = (integer(row.first())?, integer(row.get(1))?);
        let sums = format!("SELECT coalesce(sum(rows), 0), coalesce(sum(length(lines)), 0) FROM segment_{segment}");
        let cursor = self.sql.exec(&sums, None)?;
        let Some(row) = cursor.raw().next().transpose()? else { return Ok(None) };
        Ok(Some(Open { segment, rows: integer(row.first())?, bytes: integer(row.get(1))?, since_ms }))
    }

    /// A new open segment.
    pub(crate) fn create_segment(&self, table: Table, now_ms: i64) -> Result<Open> {
        let segment = self.insert_segment(table, None, 0, 0, now_ms)?;
        Ok(Open { segment, rows: 0, bytes: 0, since_ms: now_ms })
    }

    fn insert_segment(&self, table: Table, token: Option<&str>, rows: i64, bytes: i64, now_ms: i64) -> Result<i64> {
        let newest =
            "SELECT max(coalesce((SELECT max(id) FROM segments), 0), coalesce((SELECT max(id) FROM delivered), 0)) + 1";
        let cursor = self.sql.exec(newest, None)?;
        let segment = cursor.raw().next().transpose()?.map_or(Ok(1), |row| integer(row.first()))?;
        self.sql.exec(
            &format!("CREATE TABLE segment_{segment} (id INTEGER PRIMARY KEY, rows INTEGER NOT NULL, ids BLOB NOT NULL, counts BLOB NOT NULL, lines BLOB NOT NULL)"),
            None,
        )?;
        let token = token.map_or(Value::Null, text);
        self.sql.exec(
            "INSERT INTO segments (id, target, token, rows, bytes, created_at_ms) VALUES (?, ?, ?, ?, ?, ?)",
            vec![number(segment)?, number(number_of(table))?, token, number(rows)?, number(bytes)?, number(now_ms)?],
        )?;
        Ok(segment)
    }

    /// One group commit: one blob row.
    pub(crate) fn append(&self, segment: i64, commit: Commit) -> Result<()> {
        self.sql.exec(
            &format!("INSERT INTO segment_{segment} (rows, ids, counts, lines) VALUES (?, ?, ?, ?)"),
            vec![number(commit.rows)?, Value::Blob(commit.ids), Value::Blob(commit.counts), Value::Blob(commit.lines)],
        )?;
        Ok(())
    }

    /// Makes the open segment a batch.
    pub(crate) fn freeze(&self, open: Open, token: &str) -> Result<()> {
        self.sql.exec(
            "UPDATE segments SET token = ?, rows = ?, bytes = ? WHERE id = ?",
            vec![text(token), number(open.rows)?, number(open.bytes)?, number(open.segment)?],
        )?;
        Ok(())
    }

    /// All batches: those not tried yet first, so that one that always fails holds up no other.
    pub(crate) fn batches(&self) -> Result<Vec<Batch>> {
        let cursor = self.sql.exec(
            "SELECT id, target, token, rows, bytes, attempts, next_attempt_at_ms, waits_for, doubt_region, doubt_since_ms \
             FROM segments WHERE token IS NOT NULL ORDER BY next_attempt_at_ms, attempts, id",
            None,
        )?;
        cursor
            .raw()
            .map(|row| {
                let row = row?;
                Ok(Batch {
                    segment: integer(row.first())?,
                    table: table_of(integer(row.get(1))?),
                    token: string(row.get(2))?,
                    rows: integer(row.get(3))?,
                    bytes: integer(row.get(4))?,
                    attempts: u32::try_from(integer(row.get(5))?).unwrap_or(u32::MAX),
                    next_attempt_at_ms: integer(row.get(6))?,
                    waits_for: string(row.get(7)).ok(),
                    doubt: match (string(row.get(8)), integer(row.get(9))) {
                        (Ok(list), Ok(since_ms)) => {
                            Some(Doubt { regions: list.split(',').map(str::to_owned).collect(), since_ms })
                        }
                        _ => None,
                    },
                })
            })
            .collect()
    }

    /// The batch's JSONEachRow lines: the same bytes on every call.
    pub(crate) fn lines(&self, batch: &Batch) -> Result<Vec<u8>> {
        let mut lines = Vec::with_capacity(usize::try_from(batch.bytes).unwrap_or(0));
        for row in self.blobs(batch.segment, "lines")? {
            lines.extend_from_slice(&row);
        }
        Ok(lines)
    }

    /// The outcomes counted in a segment, one frame per commit.
    pub(crate) fn counts(&self, segment: i64) -> Result<Vec<Vec<u8>>> {
        self.blobs(segment, "counts")
    }

    /// Event ids that are to be known after a restart, newest first, at most about `limit` of them.
    pub(crate) fn known_ids(&self, limit: usize) -> Result<Vec<Vec<u8>>> {
        let query = "SELECT id FROM segments WHERE target = 0 UNION ALL SELECT id FROM delivered ORDER BY id DESC";
        let segments: Vec<i64> =
            self.sql.exec(query, None)?.raw().map(|row| integer(row?.first())).collect::<Result<_>>()?;
        let (mut ids, mut count) = (Vec::new(), 0);
        for segment in segments {
            if count >= limit {
                break;
            }
            for blob in self.blobs(segment, "ids")?.into_iter().rev() {
                count += blob.len() / 16;
                ids.push(blob);
            }
        }
        Ok(ids)
    }

    /// The event ids of one batch, in the order of its lines.
    pub(crate) fn ids(&self, batch: &Batch) -> Result<Vec<u8>> {
        Ok(self.blobs(batch.segment, "ids")?.concat())
    }

    fn blobs(&self, segment: i64, column: &str) -> Result<Vec<Vec<u8>>> {
        let cursor = self.sql.exec(&format!("SELECT {column} FROM segment_{segment} ORDER BY id"), None)?;
        cursor.raw().map(|row| blob(row?.into_iter().next())).collect()
    }

    /// The batch stays and is tried again later; `waits_for` says why, for the operator.
    pub(crate) fn postpone(&self, batch: &Batch, next_attempt_at_ms: i64, waits_for: &str) -> Result<()> {
        self.sql.exec(
            "UPDATE segments SET attempts = attempts + 1, next_attempt_at_ms = ?, waits_for = ? WHERE id = ?",
            vec![number(next_attempt_at_ms)?, text(waits_for), number(batch.segment)?],
        )?;
        Ok(())
    }

    /// Which regions may have the batch: a list with commas, which no name of a region has.
    pub(crate) fn set_doubt(&self, batch: &Batch, doubt: Option<&Doubt>) -> Result<()> {
        let (regions, since_ms) = doubt.map_or(Ok((Value::Null, Value::Null)), |doubt| -> Result<_> {
            Ok((text(&doubt.regions.join(",")), number(doubt.since_ms)?))
        })?;
        self.sql.exec(
            "UPDATE segments SET doubt_region = ?, doubt_since_ms = ? WHERE id = ?",
            vec![regions, since_ms, number(batch.segment)?],
        )?;
        Ok(())
    }

    /// After a restart nobody knows which of the batches that never failed were on their way.
    pub(crate) fn doubt_untried(&self, region: &str, now_ms: i64) -> Result<()> {
        self.sql.exec(
            "UPDATE segments SET doubt_region = ?, doubt_since_ms = ? \
             WHERE token IS NOT NULL AND attempts = 0 AND doubt_region IS NULL",
            vec![text(region), number(now_ms)?],
        )?;
        Ok(())
    }

    /// How many batches wait, and their bytes.
    pub(crate) fn waiting(&self) -> Result<(i64, i64)> {
        let cursor =
            self.sql.exec("SELECT count(), coalesce(sum(bytes), 0) FROM segments WHERE token IS NOT NULL", None)?;
        let row = cursor.raw().next().transpose()?.unwrap_or_default();
        Ok((integer(row.first())?, integer(row.get(1))?))
    }

    /// When the first batch may be tried.
    pub(crate) fn next_attempt_at_ms(&self) -> Result<Option<i64>> {
        let cursor = self.sql.exec("SELECT min(next_attempt_at_ms) FROM segments WHERE token IS NOT NULL", None)?;
        Ok(cursor.raw().next().transpose()?.and_then(|row| integer(row.first()).ok()))
    }

    /// The batch is in ClickHouse, or in what took its place. Its ids stay known for a while.
    pub(crate) fn finish(&self, batch: &Batch, now_ms: i64) -> Result<()> {
        if batch.table != Table::Events {
            return self.drop_segment(batch.segment);
        }
        self.sql.exec("DELETE FROM segments WHERE id = ?", vec![number(batch.segment)?])?;
        self.sql
            .exec("INSERT INTO delivered (id, at_ms) VALUES (?, ?)", vec![number(batch.segment)?, number(now_ms)?])?;
        Ok(())
    }

    /// Drops delivered segments whose ids need not be known any more, some at a time.
    pub(crate) fn drop_delivered(&self, before_ms: i64) -> Result<()> {
        let query = "SELECT id FROM (SELECT id, at_ms FROM delivered ORDER BY id LIMIT 200) WHERE at_ms < ?";
        let cursor = self.sql.exec(query, vec![number(before_ms)?])?;
        let segments: Vec<i64> = cursor.raw().map(|row| integer(row?.first())).collect::<Result<_>>()?;
        for segment in segments {
            self.sql.exec("DELETE FROM delivered WHERE id = ?", vec![number(segment)?])?;
            self.sql.exec(&format!("DROP TABLE IF EXISTS segment_{segment}"), None)?;
        }
        Ok(())
    }

    /// Forgets a segment with all its rows.
    pub(crate) fn drop_segment(&self, segment: i64) -> Result<()> {
        self.sql.exec("DELETE FROM segments WHERE id = ?", vec![number(segment)?])?;
        self.sql.exec(&format!("DROP TABLE IF EXISTS segment_{segment}"), None)?;
        Ok(())
    }

    /// A batch of its own, frozen from the start.
    pub(crate) fn insert_part(&self, part: Part, now_ms: i64) -> Result<()> {
        let bytes = i64::try_from(part.lines.len()).unwrap_or(i64::MAX);
        let segment = self.insert_segment(Table::Events, Some(&part.token), part.rows, bytes, now_ms)?;
        let (mut ids, mut counts) = (part.ids, part.counts);
        for chunk in chunks_at_lines(&part.lines) {
            let (ids, counts) = (std::mem::take(&mut ids), std::mem::take(&mut counts));
            self.append(segment, Commit { rows: 0, ids, counts, lines: chunk.to_vec() })?;
        }
        Ok(())
    }

    /// Everything that waits; `open` are the open segments, whose sizes only memory knows.
    pub(crate) fn backlog(&self, open: &[Open]) -> Result<Backlog> {
        let cursor = self.sql.exec(
            "SELECT coalesce(sum(rows), 0), coalesce(sum(bytes), 0), min(created_at_ms) FROM segments WHERE target = 0",
            None,
        )?;
        let Some(row) = cursor.raw().next().transpose()? else { return Ok(Backlog::default()) };
        let (open_rows, open_bytes) =
            open.iter().fold((0, 0), |(rows, bytes), open| (rows + open.rows, bytes + open.bytes));
        Ok(Backlog {
            rows: integer(row.first())? + open_rows,
            bytes: integer(row.get(1))? + open_bytes,
            oldest_at_ms: integer(row.get(2)).ok(),
        })
    }
}

/// A part of a batch that was taken apart.
pub(crate) struct Part {
    pub(crate) token: String,
    pub(crate) rows: i64,
    pub(crate) ids: Vec<u8>,
    pub(crate) counts: Vec<u8>,
    pub(crate) lines: Vec<u8>,
}

/// Cuts lines into blobs of at most `BLOB_BYTES_MAX`, at line ends.
fn chunks_at_lines(lines: &[u8]) -> Vec<&[u8]> {
    let mut chunks = Vec::new();
    let mut rest = lines;
    while rest.len() > BLOB_BYTES_MAX {
        let (head, _) = rest.split_at(BLOB_BYTES_MAX);
        // A line is far shorter than a blob, so there is a line end; if not, the cut is where it is.
        let end = head.iter().rposition(|byte| *byte == b'\n').map_or(BLOB_BYTES_MAX, |position| position + 1);
        let (chunk, tail) = rest.split_at(end);
        chunks.push(chunk);
        rest = tail;
    }
    chunks.push(rest);
    chunks
}

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

fn number(value: i64) -> Result<Value> {
    Value::try_from_i64(value)
}

fn integer(value: Option<&Value>) -> Result<i64> {
    match value {
        Some(Value::Integer(number)) => Ok(*number),
        // SQLite numbers arrive as JavaScript numbers.
        #[expect(clippy::cast_possible_truncation, reason = "an integer column read as a double")]
        Some(Value::Float(number)) => Ok(*number as i64),
        other => Err(unexpected("an integer", other)),
    }
}

fn string(value: Option<&Value>) -> Result<String> {
    match value {
        Some(Value::String(text)) => Ok(text.clone()),
        other => Err(unexpected("a text", other)),
    }
}

fn blob(value: Option<Value>) -> Result<Vec<u8>> {
    match value {
        Some(Value::Blob(bytes)) => Ok(bytes),
        other => Err(unexpected("a blob", other.as_ref())),
    }
}

fn unexpected(expected: &str, found: Option<&Value>) -> Error {
    let found = match found {
        None => "nothing",
        Some(Value::Null) => "null",
        Some(_) => "another type",
    };
    Error::RustError(format!("expected {expected} in the batcher's storage, found {found}"))
}
