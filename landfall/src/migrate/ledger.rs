//! The record of applied files: `ecommerce.schema_migrations`.
//!
//! In scope: creating, reading and writing it, and the rules that compare it with the files. Out of scope: running the files.

use serde::{Deserialize, Serialize};

use crate::connection::{Connection, ConnectionError};
use crate::schema::{DATABASE, File};

use super::MigrateError;

/// Not a schema file: it must exist before the first one.
const CREATE: [&str; 2] = [
    "CREATE DATABASE IF NOT EXISTS ecommerce",
    "CREATE TABLE IF NOT EXISTS ecommerce.schema_migrations
(
    name             String COMMENT 'file name',
    checksum         String COMMENT 'SHA-256 of the file, line ends as LF',
    landfall_version String,
    applied_by       String DEFAULT currentUser(),
    applied_at       DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY (name, applied_at)",
];

/// One row of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Applied {
    name: String,
    checksum: String,
}

/// The ledger and the files disagree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// An applied file has another text now.
    #[error(
        "{file} was changed after it was applied: expected checksum {applied}, found {found}; restore the file and add a new one for the change"
    )]
    Changed {
        /// The file's name.
        file: String,
        /// The checksum in the ledger.
        applied: String,
        /// The checksum of the file in this program.
        found: String,
    },
    /// The server is ahead of this program.
    #[error("expected only files that this program knows, found {0} applied; use the newer landfall that applied it")]
    Unknown(String),
    /// A file appeared below one that is applied.
    #[error("expected new files after {last}, found {file}; give it a higher number")]
    OutOfOrder {
        /// The file's name.
        file: String,
        /// The last applied file.
        last: String,
    },
}

pub(super) fn create(connection: &Connection) -> Result<(), MigrateError> {
    for sql in CREATE {
        connection.execute(sql)?;
    }
    Ok(())
}

/// Every (name, checksum) that was ever recorded; empty if there is no ledger.
pub(super) fn read(connection: &Connection) -> Result<Vec<Applied>, MigrateError> {
    let exists =
        format!("SELECT count() FROM system.tables WHERE database = '{DATABASE}' AND name = 'schema_migrations'");
    if connection.execute(&exists)?.trim() == "0" {
        return Ok(Vec::new());
    }
    let sql =
        format!("SELECT DISTINCT name, checksum FROM {DATABASE}.schema_migrations ORDER BY name FORMAT JSONEachRow");
    let rows = connection.execute(&sql)?;
    let parse = |line| {
        let unexpected = |error| ConnectionError::Exception {
            code: 0,
            text: format!("expected a row of schema_migrations: {error}"),
        };
        serde_json::from_str(line).map_err(|error| MigrateError::from(unexpected(error)))
    };
    rows.lines().map(parse).collect()
}

pub(super) fn record(connection: &Connection, file: &File) -> Result<(), MigrateError> {
    let row = serde_json::json!({"name": file.name, "checksum": file.checksum(), "landfall_version": env!("CARGO_PKG_VERSION")});
    connection.execute(&format!(
        "INSERT INTO {DATABASE}.schema_migrations SETTINGS async_insert = 0 FORMAT JSONEachRow\n{row}\n"
    ))?;
    Ok(())
}

/// The files that are not applied, all of them after those that are.
pub(super) fn due<'a>(files: &'a [File], applied: &[Applied]) -> Result<&'a [File], HistoryError> {
    for row in applied {
        let Some(file) = files.iter().find(|file| file.name == row.name) else {
            return Err(HistoryError::Unknown(row.name.clone()));
        };
        let found = file.checksum();
        if found != row.checksum {
            return Err(HistoryError::Changed { file: row.name.clone(), applied: row.checksum.clone(), found });
        }
    }
    let is_applied = |file: &File| applied.iter().any(|row| row.name == file.name);
    let first_due = files.iter().position(|file| !is_applied(file)).unwrap_or(files.len());
    let due = &files[first_due..];
    match due.iter().rfind(|file| is_applied(file)) {
        Some(last) => Err(HistoryError::OutOfOrder { file: due[0].name.to_owned(), last: last.name.to_owned() }),
        None => Ok(due),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [File; 3] = [
        File { name: "0001_a.sql", sql: "a" },
        File { name: "0002_b.sql", sql: "b" },
        File { name: "0003_c.sql", sql: "c" },
    ];

    fn applied(indices: &[usize]) -> Vec<Applied> {
        indices
            .iter()
            .map(|&index| Applied { name: FILES[index].name.to_owned(), checksum: FILES[index].checksum() })
            .collect()
    }

    #[test]
    fn files_after_the_applied_ones_are_due() {
        assert_eq!(due(&FILES, &[]).unwrap(), FILES);
        assert_eq!(due(&FILES, &applied(&[0])).unwrap(), &FILES[1..]);
        assert_eq!(due(&FILES, &applied(&[0, 0, 1, 2, 2])).unwrap(), []);
    }

    #[test]
    fn a_changed_file_is_named() {
        let mut rows = applied(&[0, 1]);
        "0".clone_into(&mut rows[1].checksum);
        let found = FILES[1].checksum();
        assert_eq!(
            due(&FILES, &rows),
            Err(HistoryError::Changed { file: "0002_b.sql".to_owned(), applied: "0".to_owned(), found })
        );
    }

    #[test]
    fn a_file_of_a_newer_program_is_named() {
        assert_eq!(due(&FILES[..1], &applied(&[0, 1])), Err(HistoryError::Unknown("0002_b.sql".to_owned())));
    }

    #[test]
    fn a_file_below_an_applied_one_is_refused() {
        let expected = HistoryError::OutOfOrder { file: "0002_b.sql".to_owned(), last: "0003_c.sql".to_owned() };
        assert_eq!(due(&FILES, &applied(&[0, 2])), Err(expected));
    }
}
