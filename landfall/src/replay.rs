//! Rows that ClickHouse did not take, once more.
//!
//! In scope: dead letters of one ClickHouse, or files of rows, into its `ecommerce.events`; what became of each row. Out of scope: mending
//! what made a row impossible.
//!
//! A row goes into the table directly and not through the collector again. It has been through the collector's checks, and it carries what
//! only the edge knew: visitor, place, agent, arrival. Sent as a beacon, it would be judged as an event of whoever replays it. What is checked
//! again is what a row can fail: its columns and identity here (`row`), its values by ClickHouse, under the collector's own settings.
//!
//! Safe to run again and to interrupt: a row whose site and id are in the table already is skipped, a row without an id gets one that follows from its
//! text. Safe to run at once: only one replay inserts at a time, another is refused (`claim`).

mod batch;
mod claim;
mod file;
mod letters;
mod row;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use uuid::Uuid;

use crate::connection::{CODE_UNKNOWN_TABLE, Connection, ConnectionError, Target};

use claim::Claim;

pub use letters::Choice;

/// Rows that are looked up and sent together.
const MAX_BATCH_ROWS: usize = 1_000;
/// Bytes of lines that are looked up and sent together, but for the last line of them; a line has up to 1 MB, and all of them are in memory.
const MAX_BATCH_BYTES: usize = 8 << 20;

/// Where rows come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// `ecommerce.dead_letters` of the same ClickHouse.
    DeadLetters(Choice),
    /// Files of `JSONEachRow` lines, one row of `ecommerce.events` each.
    Files(Vec<PathBuf>),
}

/// Whether to change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Insert what is missing.
    Insert,
    /// Only check, and look up what is missing.
    DryRun,
}

/// How rows are brought back.
#[derive(Clone, Copy, Debug)]
pub struct Order<'o> {
    /// Rows of other regions are refused: they must not leave theirs.
    pub region: Option<&'o str>,
    /// Whether to change anything.
    pub mode: Mode,
    /// The claim of a replay that is gone, to be released in its name.
    pub broken_claim: Option<Uuid>,
    /// Once it is true, no further batch is begun.
    pub is_interrupted: &'o AtomicBool,
}

/// What became of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is in the table now; in a dry run, it would be.
    Inserted,
    /// It was there already.
    Present,
    /// It cannot be a row, for this reason.
    Refused(String),
    /// It may be in the table, but not in all of its views.
    Unsure,
}

impl Fate {
    /// The stable machine tag.
    pub const fn tag(&self) -> &'static str {
        match self {
            Self::Inserted => "inserted",
            Self::Present => "present",
            Self::Refused(_) => "refused",
            Self::Unsure => "unsure",
        }
    }
}

/// One row with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its event id, if it has one.
    pub event_id: Option<Uuid>,
    /// Where it came from: file and line, or the dead letter.
    pub origin: String,
    /// What became of it.
    pub fate: Fate,
}

/// Why a replay stopped. What was inserted stays; run it again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The server, the login or the connection.
    #[error(transparent)]
    Connection(ConnectionError),
    /// The schema is older than this program.
    #[error("expected the tables up to schema file 0018_replay_claims.sql: run landfall migrate first ({0})")]
    Schema(String),
    /// The choice of dead letters is not possible.
    #[error("expected {expected} in {field}, found {found:?}")]
    Choice {
        /// The argument.
        field: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system reported.
        source: std::io::Error,
    },
    /// ClickHouse takes nothing at all.
    #[error("ClickHouse did not take a batch (attempt {attempts}): {text}; mend that and run the replay again")]
    NotTaken {
        /// How often it was tried.
        attempts: u32,
        /// Its last answer.
        text: String,
        /// Whether it may be at work on the batch still.
        is_open: bool,
    },
    /// ClickHouse has perhaps written a batch into the table, and not into all of its views.
    #[error(
        "a batch may be in ecommerce.events, but not in all of its views (attempt {attempts}): {text}; mend that, run the replay again, and fill the views that failed with the rows that --receipt calls unsure: a replay skips them"
    )]
    Unsure {
        /// How often it was tried.
        attempts: u32,
        /// The last answer.
        text: String,
        /// Whether ClickHouse may be at work on the batch still.
        is_open: bool,
    },
    /// Another replay is at work, or was killed.
    #[error(
        "another replay is at work on this ClickHouse: {client}, as user {claimed_by}, since {claimed_at} UTC; wait for its end. If that process is gone, and SHOW PROCESSLIST shows no INSERT of it, go on with --break-claim {claim}"
    )]
    Held {
        /// Its claim.
        claim: Uuid,
        /// Who runs it, where.
        client: String,
        /// Since when, UTC.
        claimed_at: String,
        /// As which user of ClickHouse.
        claimed_by: String,
    },
    /// Others begin and end all the time.
    #[error("other replays begin and end on this ClickHouse all the time: run this one again")]
    Crowded,
    /// Somebody took this replay for dead.
    #[error("somebody has broken the claim {claim} of this replay: it has stopped, and another may be at work")]
    Broken {
        /// The claim.
        claim: Uuid,
    },
    /// The claim could not be given back, or must not be yet.
    #[error(
        "{cause}. The next replay needs --break-claim {claim}, because ClickHouse has not said that it is done with this one; give it when SHOW PROCESSLIST shows no INSERT of it"
    )]
    ClaimLeft {
        /// The claim.
        claim: Uuid,
        /// What happened.
        cause: Box<ReplayError>,
    },
    /// It was asked to stop.
    #[error("interrupted: run it again for the rest")]
    Interrupted,
}

impl ReplayError {
    /// Whether ClickHouse may still store something of what was sent.
    const fn is_open(&self) -> bool {
        matches!(self, Self::NotTaken { is_open: true, .. } | Self::Unsure { is_open: true, .. })
    }
}

impl From<ConnectionError> for ReplayError {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::Exception { code: CODE_UNKNOWN_TABLE, text } => Self::Schema(text),
            error => Self::Connection(error),
        }
    }
}

/// A line that may be a row.
pub(crate) struct Line {
    origin: String,
    text: String,
}

/// Lines that are looked up and sent together.
#[derive(Default)]
struct Lines {
    lines: Vec<Line>,
    bytes: usize,
}

impl Lines {
    fn push(&mut self, line: Line) {
        self.bytes += line.text.len();
        self.lines.push(line);
    }

    fn is_full(&self) -> bool {
        self.lines.len() >= MAX_BATCH_ROWS || self.bytes >= MAX_BATCH_BYTES
    }

    /// Those that are there; from now on there are none.
    fn take(&mut self) -> Vec<Line> {
        std::mem::take(self).lines
    }
}

/// Brings rows back and tells `report` about each. Only one replay at a time inserts into one ClickHouse.
pub fn replay(
    target: &Target,
    source: &Source,
    order: &Order<'_>,
    report: &mut dyn FnMut(Receipt),
) -> Result<(), ReplayError> {
    let connection = Connection::new(target)?;
    let claim = match order.mode {
        Mode::Insert => Some(Claim::take(&connection, order.broken_claim)?),
        Mode::DryRun => None,
    };
    let mut take = |lines: Vec<Line>| {
        if order.is_interrupted.load(Ordering::Relaxed) {
            return Err(ReplayError::Interrupted);
        }
        claim.as_ref().map_or(Ok(()), Claim::check)?;
        batch::bring(&connection, claim.as_ref(), lines, order.region, report)
    };
    let result = match source {
        Source::DeadLetters(choice) => letters::read(&connection, choice, &mut take),
        Source::Files(paths) => file::read(paths, &mut take),
    };
    match claim {
        Some(claim) => claim.end(result),
        None => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_in_number_and_bytes() {
        let count = |bytes: usize| {
            let mut lines = Lines::default();
            while !lines.is_full() {
                lines.push(Line { origin: String::new(), text: "x".repeat(bytes) });
            }
            lines.take().len()
        };
        assert_eq!(count(100), MAX_BATCH_ROWS);
        assert_eq!(count(1 << 20), 8);
        assert_eq!(count(MAX_BATCH_BYTES + 1), 1, "one line is never too long for a batch of its own");
    }
}
