//! Batches: frozen segments. In scope: freezing, what is known of each attempt, reading, ending; parts of a batch.
//! Out of scope: segments that are still open (`segment`), what an attempt brought (`deliver`).

use collector_core::append;
use collector_core::failover::Doubt;
use collector_core::insert::Table;
use collector_core::ledger::Ledger;
use collector_core::stored;
use uuid::Builder;
use worker::{Error, Result, SqlStorageValue as Value};

use super::segment::{Commit, Open, count_lines};
use super::{MAX_BLOB_BYTES, Store, table_of};
use crate::sqlite::{blob, integer, number, string, text};
use crate::{clock, random};

/// A frozen segment.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) segment: i64,
    pub(crate) table: Table,
    /// The deduplication token, the same for every attempt.
    pub(crate) token: String,
    pub(crate) rows: i64,
    pub(crate) bytes: i64,
    /// When its segment was opened.
    pub(crate) created_at_ms: i64,
    pub(crate) attempts: u32,
    pub(crate) next_attempt_at_ms: i64,
    /// Why the last attempt failed.
    pub(crate) waits_for: Option<String>,
    /// The regions that may have stored it.
    pub(crate) doubt: Option<Doubt>,
}

/// A part of a batch that was taken apart: a batch to be.
pub(crate) struct Part {
    token: String,
    commit: Commit,
}

impl Part {
    /// The part with these lines and the ids of their events. What was counted with them follows from the lines.
    pub(crate) fn new(lines: Vec<u8>, ids: Vec<u8>) -> Result<Self> {
        let token = mint_token()?;
        let counts =
            append::encode_counts(&stored::tally(&lines)).map_err(|error| Error::RustError(error.to_string()))?;
        Ok(Self { token, commit: Commit { rows: count_lines(&lines), ids, counts, lines } })
    }
}

impl Store {
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
            "SELECT id, target, token, rows, bytes, attempts, next_attempt_at_ms, waits_for, doubt_region, doubt_since_ms, created_at_ms \
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
                    created_at_ms: integer(row.get(10))?,
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

    /// What was counted with the batch's rows, per commit. Counts that another version wrote and this one cannot read are taken from the rows:
    /// without them nobody knew whose rows they are, and where these may be.
    pub(crate) fn ledgers(&self, batch: &Batch) -> Result<Vec<Ledger>> {
        let frames = self.counts(batch.segment)?;
        let ledgers: Option<Vec<_>> = frames.iter().map(|frame| append::decode_counts(frame).ok()).collect();
        ledgers.map_or_else(|| Ok(vec![stored::tally(&self.lines(batch)?)]), Ok)
    }

    /// The batch's JSONEachRow lines: the same bytes on every call.
    pub(crate) fn lines(&self, batch: &Batch) -> Result<Vec<u8>> {
        let mut lines = Vec::with_capacity(usize::try_from(batch.bytes).unwrap_or(0));
        // Blob by blob: all of them beside the whole would be twice the memory.
        let cursor = self.sql.exec(&format!("SELECT lines FROM segment_{} ORDER BY id", batch.segment), None)?;
        for row in cursor.raw() {
            lines.extend_from_slice(&blob(row?.into_iter().next())?);
        }
        Ok(lines)
    }

    /// The event ids of one batch, in the order of its lines.
    pub(crate) fn ids(&self, batch: &Batch) -> Result<Vec<u8>> {
        Ok(self.blobs(batch.segment, "ids")?.concat())
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

    /// The same for those that were on their way when an alarm was cut off.
    pub(crate) fn doubt_on_way(&self, tokens: &[String], region: &str, now_ms: i64) -> Result<()> {
        for token in tokens {
            self.sql.exec(
                "UPDATE segments SET doubt_region = ?, doubt_since_ms = ? WHERE token = ? AND doubt_region IS NULL",
                vec![text(region), number(now_ms)?, text(token)],
            )?;
        }
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

    /// A batch ends once, whoever comes to end it: what is booked in the same transaction is booked once.
    fn end(&self, batch: &Batch) -> Result<()> {
        let query = "DELETE FROM segments WHERE id = ? AND token = ? RETURNING id";
        let cursor = self.sql.exec(query, vec![number(batch.segment)?, text(&batch.token)])?;
        match cursor.raw().collect::<Result<Vec<_>>>()?.as_slice() {
            [] => Err(Error::RustError("expected a batch that waits, found that it has ended".to_owned())),
            _ => Ok(()),
        }
    }

    /// Ends a batch that others have taken the place of, with all its rows.
    pub(crate) fn replace(&self, batch: &Batch) -> Result<()> {
        self.end(batch)?;
        self.drop_segment(batch.segment)
    }

    /// The batch is in ClickHouse, or in what took its place. Its ids stay known for a while.
    pub(crate) fn finish(&self, batch: &Batch, now_ms: i64) -> Result<()> {
        self.end(batch)?;
        if batch.table != Table::Events {
            return self.drop_segment(batch.segment);
        }
        self.sql
            .exec("INSERT INTO delivered (id, at_ms) VALUES (?, ?)", vec![number(batch.segment)?, number(now_ms)?])?;
        Ok(())
    }

    /// A batch of its own, frozen from the start.
    pub(crate) fn insert_part(&self, part: Part, now_ms: i64) -> Result<()> {
        let Part { token, commit: Commit { rows, mut ids, mut counts, lines } } = part;
        let bytes = i64::try_from(lines.len()).unwrap_or(i64::MAX);
        let segment = self.insert_segment(Table::Events, Some(&token), rows, bytes, now_ms)?;
        for chunk in chunks_at_lines(&lines) {
            let (ids, counts) = (std::mem::take(&mut ids), std::mem::take(&mut counts));
            self.append(segment, Commit { rows: 0, ids, counts, lines: chunk.to_vec() })?;
        }
        Ok(())
    }
}

/// A deduplication token: unique, and in the order of time for whoever reads logs.
pub(crate) fn mint_token() -> Result<String> {
    let bytes = random::bytes()?;
    Ok(Builder::from_unix_timestamp_millis(clock::now_ms().unsigned_abs(), &bytes).into_uuid().hyphenated().to_string())
}

/// Cuts lines into blobs of at most `MAX_BLOB_BYTES`, at line ends.
fn chunks_at_lines(lines: &[u8]) -> Vec<&[u8]> {
    let mut chunks = Vec::new();
    let mut rest = lines;
    while rest.len() > MAX_BLOB_BYTES {
        let (head, _) = rest.split_at(MAX_BLOB_BYTES);
        // A line is far shorter than a blob, so there is a line end; if not, the cut is where it is.
        let end = head.iter().rposition(|byte| *byte == b'\n').map_or(MAX_BLOB_BYTES, |position| position + 1);
        let (chunk, tail) = rest.split_at(end);
        chunks.push(chunk);
        rest = tail;
    }
    chunks.push(rest);
    chunks
}
