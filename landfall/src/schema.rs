//! The files of `infra/clickhouse/schema`, embedded, so that the installed binary needs no checkout.
//!
//! In scope: the files in order, their checksums, the columns they declare. Out of scope: applying them (`migrate`).

use sha2::{Digest, Sha256};

use crate::statement::{self, Unterminated};

/// The database that everything lives in.
pub const DATABASE: &str = "ecommerce";

/// One file of the schema. Files are append-only: once released, a file is never changed; a new one follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// `NNNN_what.sql`; files apply in the order of their names.
    pub name: &'static str,
    /// The whole text.
    pub sql: &'static str,
}

macro_rules! files {
    ($($name:literal)*) => {
        &[$(File { name: $name, sql: include_str!(concat!("../../infra/clickhouse/schema/", $name)) }),*]
    };
}

/// Every file in order. A new file is one line here; a test compares with the directory.
pub const FILES: &[File] = files! {
    "0001_events.sql"
    "0002_collector_outcomes.sql"
    "0003_dead_letters.sql"
    "0004_countries_dict.sql"
    "0005_user_segments_dict.sql"
    "0006_hourly_events.sql"
    "0007_product_stats.sql"
    "0008_collector_balance.sql"
    "0009_repeated_events.sql"
    "0010_user_segments_cache_dict.sql"
    "0011_user_segments_direct_dict.sql"
    "0012_dictionary_health.sql"
    "0013_visitors_by_country.sql"
    "0014_segment_revenue.sql"
    "0015_verdicts.sql"
    "0016_durability.sql"
    "0017_collector_deliveries.sql"
    "0018_replay_claims.sql"
};

impl File {
    /// SHA-256 of the text in hexadecimal. Line ends count as `\n`: a checkout on another system is not a change. All else is,
    /// comments too.
    pub fn checksum(&self) -> String {
        let digest = Sha256::digest(self.sql.replace("\r\n", "\n"));
        digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    /// The statements in order.
    pub fn statements(&self) -> Result<Vec<&'static str>, Unterminated> {
        statement::split(self.sql)
    }
}

/// Name and type of every column of `ecommerce.<table>` after all files, in order; empty if no file creates the table.
pub fn columns(table: &str) -> Result<Vec<(String, String)>, Unterminated> {
    let mut columns = Vec::new();
    for file in FILES {
        for sql in file.statements()? {
            let sql = statement::without_comments(sql)?;
            columns.extend(declared_columns(&sql, table)?);
        }
    }
    Ok(columns)
}

/// The columns that one statement without comments adds to `table`.
fn declared_columns(sql: &str, table: &str) -> Result<Vec<(String, String)>, Unterminated> {
    let create = format!("CREATE TABLE IF NOT EXISTS {DATABASE}.{table}");
    if let Some(rest) = sql.strip_prefix(&create).filter(|rest| rest.trim_start().starts_with('(')) {
        let body = rest.trim_start().strip_prefix('(').unwrap_or_default();
        let end = statement::closing_parenthesis(body)?.unwrap_or(body.len());
        return Ok(statement::split_list(&body[..end])?.into_iter().filter_map(column).collect());
    }
    let alter = format!("ALTER TABLE {DATABASE}.{table} ");
    let Some(rest) = sql.strip_prefix(&alter) else { return Ok(Vec::new()) };
    let added =
        statement::split_list(rest)?.into_iter().filter_map(|part| part.strip_prefix("ADD COLUMN IF NOT EXISTS "));
    Ok(added.filter_map(column).collect())
}

/// `name Type [DEFAULT ..] [COMMENT ..] [CODEC(..)]`
fn column(declaration: &str) -> Option<(String, String)> {
    const AFTER_TYPE: [&str; 8] =
        [" DEFAULT ", " MATERIALIZED ", " ALIAS ", " COMMENT ", " CODEC(", " TTL ", " AFTER ", " FIRST"];
    let (name, rest) = declaration.trim().split_once(char::is_whitespace)?;
    if ["INDEX", "PROJECTION", "CONSTRAINT"].contains(&name) {
        return None;
    }
    let end = AFTER_TYPE.iter().filter_map(|word| rest.find(word)).min().unwrap_or(rest.len());
    Some((name.trim_matches('`').to_owned(), rest[..end].trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_files_is_the_directory() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/clickhouse/schema");
        let mut found: Vec<_> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        found.sort();
        assert_eq!(FILES.iter().map(|file| file.name).collect::<Vec<_>>(), found);
    }

    /// Numbers may have gaps: parallel work takes them in blocks.
    #[test]
    fn file_numbers_ascend() {
        let number = |file: &File| file.name.split('_').next().unwrap().to_owned();
        assert!(FILES.iter().all(|file| number(file).len() == 4 && number(file).parse::<u16>().is_ok()));
        assert!(FILES.windows(2).all(|pair| number(&pair[0]) < number(&pair[1])));
    }

    /// An interrupted migration runs a file again from its first statement, and two migrations may run at once.
    #[test]
    fn every_statement_can_run_twice() {
        for file in FILES {
            for sql in file.statements().unwrap() {
                let head = sql.split_whitespace().take(7).collect::<Vec<_>>().join(" ");
                let is_conditional = head.contains(" IF NOT EXISTS ") || head.contains(" IF EXISTS ");
                let is_replacing = head.starts_with("CREATE OR REPLACE ") || head.contains(" MODIFY ");
                assert!(
                    is_conditional || is_replacing,
                    "expected a statement that can run twice in {}, found {head}",
                    file.name
                );
            }
        }
    }

    #[test]
    fn line_ends_do_not_change_a_checksum_and_anything_else_does() {
        let checksum = |sql| File { name: "0001_x.sql", sql }.checksum();
        assert_eq!(checksum("SELECT 1;\r\nSELECT 2;\r\n"), checksum("SELECT 1;\nSELECT 2;\n"));
        assert_ne!(checksum("SELECT 1;\n"), checksum("SELECT 1; \n"));
        assert_ne!(checksum("SELECT 1;\n"), checksum("-- why\nSELECT 1;\n"));
        assert_eq!(checksum(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn columns_of_events_are_read_with_their_types() {
        let columns = columns("events").unwrap();
        let column = |name: &str| columns.iter().find(|column| column.0 == name).map(|column| column.1.as_str());
        assert_eq!(columns.len(), 53);
        assert_eq!(columns[0], ("event_id".to_owned(), "UUID".to_owned()));
        assert_eq!(column("timestamp"), Some("DateTime64(3, 'UTC')"));
        assert_eq!(column("revenue"), Some("Decimal(18, 4)"));
        assert_eq!(column("properties"), Some("Map(LowCardinality(String), String)"));
        assert_eq!(super::columns("no_such_table").unwrap(), []);
    }

    #[test]
    fn an_added_column_counts() {
        let sql = "ALTER TABLE ecommerce.events ADD COLUMN IF NOT EXISTS a Decimal(18, 4) AFTER b, ADD COLUMN IF NOT EXISTS c String";
        let columns = declared_columns(sql, "events").unwrap();
        assert_eq!(columns, [("a".to_owned(), "Decimal(18, 4)".to_owned()), ("c".to_owned(), "String".to_owned())]);
        assert_eq!(declared_columns(sql, "dead_letters").unwrap(), []);
    }
}
