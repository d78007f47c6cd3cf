//! Verdicts given again: stored rows, judged by the present rules.
//!
//! In scope: which rows are read, what would change, writing it beside the events, taking it back. Out of scope: the judgement itself
//! (`collector_core::rejudge`), the present settings (`sites`).
//!
//! `ecommerce.events` is never changed. A run writes the verdicts that differ to `ecommerce.verdict_overrides`, and then its own line to
//! `ecommerce.verdict_runs`: from that moment the view `ecommerce.events_judged` shows all of it, before that none. So an interrupted run has done
//! nothing. What is compared is the verdict that stands, overrides included, so a second run finds nothing to change.

mod diff;
mod item;
mod judging;
mod run;
mod source;

use collector_core::site::Sites;

use crate::connection::{CODE_UNKNOWN_TABLE, Connection, ConnectionError, Target};
use judging::Judging;
use source::Source;

pub use diff::{Change, Diff, Example, Revenue, Tally};
pub use run::{Undone, undo};

/// Which rows.
#[derive(Clone, Debug)]
pub struct Choice {
    /// With a `timestamp` at or after: `YYYY-MM-DD` or `YYYY-MM-DD hh:mm:ss`, UTC.
    pub from: String,
    /// With a `timestamp` before.
    pub to: String,
    /// Of this site; without it, of every site in the settings.
    pub site: Option<String>,
    /// Also rows that the present rules have judged already.
    pub is_all: bool,
}

/// Whether to change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Only find what would change.
    Diff,
    /// Write it.
    Apply,
}

/// What happens, while it happens.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'p> {
    /// The events in question are counted.
    Counted {
        /// Events, items of purchases left out.
        events: u64,
    },
    /// Some more rows are judged.
    Judged {
        /// The day of the rows.
        day: &'p str,
        /// Events of the days until now: judged, or passed over because the present rules have judged them.
        events: u64,
    },
    /// All rows are judged. Nothing is changed until now.
    Found(&'p Diff),
}

/// What a run found and did.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What differs.
    pub diff: Diff,
    /// The run that was applied; none if there was nothing to change, or nothing was to be changed.
    pub run_id: Option<String>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ReclassifyError {
    /// The server, the login or the connection.
    #[error(transparent)]
    Connection(ConnectionError),
    /// The schema is older than this program.
    #[error("expected the tables of schema file 0015_verdicts.sql: run landfall migrate first ({0})")]
    Schema(String),
    /// The choice of rows is not possible.
    #[error("expected {expected} in {field}, found {found:?}")]
    Choice {
        /// The argument.
        field: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A row cannot be read.
    #[error("expected a row of ecommerce.events, found {0}")]
    Row(String),
    /// The last step got no answer.
    #[error(
        "run {run} is written, but whether it is seen is not known ({source}): SELECT * FROM ecommerce.verdict_runs FINAL tells; running again is safe"
    )]
    Unsure {
        /// The run.
        run: String,
        /// What happened.
        source: ConnectionError,
    },
    /// The verdicts that stand were changed while it was computed what differs from them.
    #[error("another run on these events was published or taken back meanwhile: nothing was changed, run it again")]
    Overtaken,
    /// There is no run to take back.
    #[error("expected a run that is applied, found {0}; SELECT * FROM ecommerce.verdict_runs FINAL shows them")]
    NoRun(String),
    /// The newest run is taken back already.
    #[error(
        "expected the newest run to be applied, found that {newest} is taken back already; --run {standing} takes back the one before"
    )]
    AlreadyUndone {
        /// The newest run.
        newest: String,
        /// The newest that is seen.
        standing: String,
    },
    /// A later run stands on the verdicts of this one.
    #[error("expected the newest run on these events, found that run {newer} came after {run}: undo that one first")]
    NotNewest {
        /// The run to take back.
        run: String,
        /// The one that has to go first.
        newer: String,
    },
}

impl From<ConnectionError> for ReclassifyError {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::Exception { code: CODE_UNKNOWN_TABLE, text } => Self::Schema(text),
            error => Self::Connection(error),
        }
    }
}

/// Judges the chosen rows of one ClickHouse by the settings of `sites` and tells `report` how far it is.
pub fn reclassify(
    target: &Target,
    sites: &Sites,
    choice: &Choice,
    mode: Mode,
    report: &mut dyn FnMut(Progress<'_>),
) -> Result<Outcome, ReclassifyError> {
    let connection = Connection::new(target)?;
    let source = Source::new(&connection, sites, choice)?;
    let days = source.days()?;
    report(Progress::Counted { events: days.iter().map(|day| day.events).sum() });
    let mut judging = Judging::new(&connection, sites, &source, mode)?;
    let mut events = 0;
    for day in &days {
        judging.diff.unknown_site += day.unknown_site;
        judging.diff.note_version(&day.newest_rules);
        let before = judging.diff.looked_at;
        source.read(&day.date, &mut |standing| {
            judging.judge(&standing)?;
            report(Progress::Judged { day: &day.date, events: events + judging.diff.looked_at - before });
            Ok(())
        })?;
        let looked_at = judging.diff.looked_at - before;
        judging.diff.present += day.events.saturating_sub(looked_at);
        events += day.events.max(looked_at);
    }
    judging.finish(&source, report)
}
