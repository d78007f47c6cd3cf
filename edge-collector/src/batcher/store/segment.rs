//! Segments: tables of blob rows. In scope: opening, appending, what open and delivered ones hold, dropping.
//! Out of scope: frozen segments on their way (`batch`).

use collector_core::insert::{MAX_BATCH_BYTES, Table};
use worker::{Result, SqlStorageValue as Value};

use super::{Store, number_of};
use crate::clock;
use crate::sqlite::{blob, integer, number, text};

/// An open segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) segment: i64,
    pub(crate) rows: i64,
    pub(crate) bytes: i64,
    pub(crate) since_ms: i64,
}

impl Open {
    /// Whether it is as large as a batch is to be.
    pub(crate) fn is_full(self) -> bool {
        usize::try_from(self.bytes).is_ok_and(|bytes| bytes >= MAX_BATCH_BYTES)
    }
}

/// The open segment of each table, of those that have one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OpenSegments {
    pub(crate) events: Option<Open>,
    pub(crate) outcomes: Option<Open>,
    pub(crate) letters: Option<Open>,
}

impl OpenSegments {
    /// Those that the store holds.
    pub(crate) fn read(store: &Store) -> Result<Self> {
        Ok(Self {
            events: store.open_segment(Table::Events)?,
            outcomes: store.open_segment(Table::Outcomes)?,
            letters: store.open_segment(Table::DeadLetters)?,
        })
    }

    /// The open segment of a table.
    pub(crate) fn of(&self, table: Table) -> Option<Open> {
        match table {
            Table::Events => self.events,
            Table::Outcomes => self.outcomes,
            Table::DeadLetters => self.letters,
        }
    }

    /// Notes what has become of the open segment of a table.
    pub(crate) fn set(&mut self, table: Table, open: Option<Open>) {
        match table {
            Table::Events => self.events = open,
            Table::Outcomes => self.outcomes = open,
            Table::DeadLetters => self.letters = open,
        }
    }

    /// Whether no table has one.
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_none() && self.outcomes.is_none() && self.letters.is_none()
    }
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

/// Everything that waits.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backlog {
    pub(crate) rows: i64,
    pub(crate) bytes: i64,
    pub(crate) oldest_at_ms: Option<i64>,
}

impl Backlog {
    /// How long the oldest row has waited, in seconds.
    pub(crate) fn age_s(&self, now_ms: i64) -> u64 {
        self.oldest_at_ms.map_or(0, |at_ms| clock::age_s(at_ms, now_ms))
    }
}

impl Store {
    /// The open segment of a table with what it holds, if there is one.
    fn open_segment(&self, table: Table) -> Result<Option<Open>> {
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
    fn create_segment(&self, table: Table, now_ms: i64) -> Result<Open> {
        let segment = self.insert_segment(table, None, 0, 0, now_ms)?;
        Ok(Open { segment, rows: 0, bytes: 0, since_ms: now_ms })
    }

    pub(super) fn insert_segment(
        &self,
        table: Table,
        token: Option<&str>,
        rows: i64,
        bytes: i64,
        now_ms: i64,
    ) -> Result<i64> {
        let newest =
            "SELECT max(coalesce((SELECT max(id) FROM segments), 0), coalesce((SELECT max(id) FROM delivered), 0)) + 1";
        let cursor = self.sql.exec(newest, None)?;
        let segment = cursor.raw().next().transpose()?.map_or(Ok(1), |row| integer(row.first()))?;
        self.sql.exec(
            &format!(
                "CREATE TABLE segment_{segment} (id INTEGER PRIMARY KEY, rows INTEGER NOT NULL, ids BLOB NOT NULL, \
                 counts BLOB NOT NULL, lines BLOB NOT NULL)"
            ),
            None,
        )?;
        let token = token.map_or(Value::Null, text);
        self.sql.exec(
            "INSERT INTO segments (id, target, token, rows, bytes, created_at_ms) VALUES (?, ?, ?, ?, ?, ?)",
            vec![number(segment)?, number(number_of(table))?, token, number(rows)?, number(bytes)?, number(now_ms)?],
        )?;
        Ok(segment)
    }

    /// Adds a commit to the open segment of a table, made if there is none; the segment as it then is.
    pub(crate) fn append_to(&self, table: Table, open: Option<Open>, commit: Commit, now_ms: i64) -> Result<Open> {
        let open = open.map_or_else(|| self.create_segment(table, now_ms), Ok)?;
        let bytes = i64::try_from(commit.lines.len()).unwrap_or(i64::MAX);
        let open = Open { rows: open.rows + commit.rows, bytes: open.bytes + bytes, ..open };
        self.append(open.segment, commit)?;
        Ok(open)
    }

    /// One group commit: one blob row.
    pub(super) fn append(&self, segment: i64, commit: Commit) -> Result<()> {
        self.sql.exec(
            &format!("INSERT INTO segment_{segment} (rows, ids, counts, lines) VALUES (?, ?, ?, ?)"),
            vec![number(commit.rows)?, Value::Blob(commit.ids), Value::Blob(commit.counts), Value::Blob(commit.lines)],
        )?;
        Ok(())
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

    pub(super) fn blobs(&self, segment: i64, column: &str) -> Result<Vec<Vec<u8>>> {
        let cursor = self.sql.exec(&format!("SELECT {column} FROM segment_{segment} ORDER BY id"), None)?;
        cursor.raw().map(|row| blob(row?.into_iter().next())).collect()
    }

    /// Drops delivered segments whose ids need not be known any more, some at a time.
    pub(crate) fn drop_delivered(&self, now_ms: i64, window_ms: i64) -> Result<()> {
        // A clock that was ahead has left times to come.
        let query =
            "SELECT id FROM (SELECT id, at_ms FROM delivered ORDER BY id LIMIT 200) WHERE at_ms < ? OR at_ms > ?";
        let cursor = self.sql.exec(query, vec![number(now_ms - window_ms)?, number(now_ms + window_ms)?])?;
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

/// How many rows some `JSONEachRow` lines are.
pub(crate) fn count_lines(lines: &[u8]) -> i64 {
    i64::try_from(lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count()).unwrap_or(i64::MAX)
}
