//! Applying the schema.
//!
//! In scope: which files are due, applying them in order, recording them. Out of scope: the files (`schema`).
//!
//! A file is recorded in `ecommerce.schema_migrations` after its last statement. Every statement can run twice (a test checks that), so an
//! interrupted migration starts its file again, and two migrations at once do each other's work a second time without harm. No lock is
//! taken: ClickHouse has none that a killed client would release. What two migrations of different versions could disagree about, the text
//! of a file, shows in the ledger, which is read again at the end.

mod ledger;

use std::time::{Duration, Instant};

pub use crate::connection::Target;
use crate::connection::{Connection, ConnectionError};
use crate::schema::{self, File};
use crate::statement::Unterminated;

pub use ledger::HistoryError;

/// Whether to change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Apply what is due.
    Apply,
    /// Only report what is due.
    DryRun,
}

/// What happens, while it happens.
#[derive(Clone, Copy, Debug)]
pub enum Progress {
    /// The server answered.
    Connected {
        /// The number of files applied before.
        unchanged: usize,
        /// The number of files that are due.
        due: usize,
    },
    /// A file begins, or would begin.
    Started {
        /// Its name.
        file: &'static str,
        /// How many statements it has.
        statements: usize,
    },
    /// A statement is about to run, or would run.
    Statement {
        /// Its text.
        sql: &'static str,
    },
    /// A file is applied and recorded.
    Applied {
        /// Its name.
        file: &'static str,
        /// How long it took.
        elapsed: Duration,
    },
}

/// What a migration did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Files applied before.
    pub unchanged: usize,
    /// Files applied now, or due in a dry run.
    pub applied: usize,
}

/// Why a migration stopped.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The server, the login or the connection.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// What was applied before does not fit the files.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A statement failed.
    #[error("{file}, statement {number}: {source}")]
    Statement {
        /// The file's name.
        file: &'static str,
        /// The statement's place in it, from 1.
        number: usize,
        /// What happened.
        source: ConnectionError,
    },
    /// A file cannot be split into statements.
    #[error("{file}: {source}")]
    Text {
        /// The file's name.
        file: &'static str,
        /// What is wrong.
        source: Unterminated,
    },
}

/// Brings the schema of `target` up to date and tells `report` about every step.
pub fn migrate(target: &Target, mode: Mode, report: &mut dyn FnMut(Progress)) -> Result<Summary, MigrateError> {
    let connection = Connection::new(target)?;
    if mode == Mode::Apply {
        ledger::create(&connection)?;
    }
    let applied = ledger::read(&connection)?;
    let due = ledger::due(schema::FILES, &applied)?;
    let unchanged = schema::FILES.len() - due.len();
    report(Progress::Connected { unchanged, due: due.len() });
    for file in due {
        apply(&connection, file, mode, report)?;
    }
    if mode == Mode::Apply {
        ledger::due(schema::FILES, &ledger::read(&connection)?)?;
    }
    Ok(Summary { unchanged, applied: due.len() })
}

/// One file: its statements in order, then the record.
fn apply(
    connection: &Connection,
    file: &File,
    mode: Mode,
    report: &mut dyn FnMut(Progress),
) -> Result<(), MigrateError> {
    let started = Instant::now();
    let statements = file.statements().map_err(|source| MigrateError::Text { file: file.name, source })?;
    report(Progress::Started { file: file.name, statements: statements.len() });
    for (index, sql) in statements.into_iter().enumerate() {
        report(Progress::Statement { sql });
        if mode == Mode::Apply {
            let failed = |source| MigrateError::Statement { file: file.name, number: index + 1, source };
            connection.execute(sql).map_err(failed)?;
        }
    }
    if mode == Mode::Apply {
        ledger::record(connection, file)?;
        report(Progress::Applied { file: file.name, elapsed: started.elapsed() });
    }
    Ok(())
}
