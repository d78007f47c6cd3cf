//! One INSERT over HTTP, as plain data.
//!
//! In scope: the request that ClickHouse gets, every setting explicit. Out of scope: compressing and sending it (the shell),
//! understanding the answer (`delivery`).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::row::COLUMNS;

/// A batch is frozen at this size, in bytes of lines.
pub const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Columns of `ecommerce.collector_outcomes` that a ledger fills.
pub const OUTCOME_COLUMNS: &[&str] = &["minute", "site_id", "collector_region", "outcome", "reason", "count"];

/// Columns of `ecommerce.dead_letters`.
pub const DEAD_LETTER_COLUMNS: &[&str] =
    &["event_id", "site_id", "collector_region", "received_at", "batch_token", "reason", "code", "message", "line"];

/// Settings of every INSERT. Defaults differ between versions and profiles, so each one that matters is sent.
const SETTINGS: &[(&str, &str)] = &[
    // The Batcher has batched already; the server's queue would only split token from batch.
    ("async_insert", "0"),
    ("insert_deduplicate", "1"),
    ("deduplicate_insert", "enable"),
    // A retry after a half-done INSERT must not count twice in the views.
    ("deduplicate_blocks_in_dependent_materialized_views", "1"),
    ("materialized_views_ignore_errors", "0"),
    // One parser makes one block: the batch is inserted whole or not at all, and its token names all of it.
    ("input_format_parallel_parsing", "0"),
    // Both hold far more than a batch.
    ("max_insert_block_size", "1048576"),
    ("min_insert_block_size_rows", "1048576"),
    ("min_insert_block_size_bytes", "268435456"),
    ("input_format_allow_errors_num", "0"),
    ("input_format_allow_errors_ratio", "0"),
    // A field without its column is a schema that is not deployed: an error, not a silent loss.
    ("input_format_skip_unknown_fields", "0"),
    ("date_time_input_format", "best_effort"),
];

/// What stays unescaped in a query string.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where a region's ClickHouse listens, and who writes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Base URL, such as `https://clickhouse.example:8443`.
    pub url: String,
    /// A user with INSERT on the three tables.
    pub user: String,
    /// Its password.
    pub password: String,
}

impl std::fmt::Debug for Endpoint {
    /// Leaves the password out, so that no log can show it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("url", &self.url).field("user", &self.user).finish_non_exhaustive()
    }
}

/// A table that the collector writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// `ecommerce.events`
    Events,
    /// `ecommerce.collector_outcomes`
    Outcomes,
    /// `ecommerce.dead_letters`
    DeadLetters,
}

impl Table {
    /// The full name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "ecommerce.events",
            Self::Outcomes => "ecommerce.collector_outcomes",
            Self::DeadLetters => "ecommerce.dead_letters",
        }
    }

    /// The columns that the collector fills.
    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Events => COLUMNS,
            Self::Outcomes => OUTCOME_COLUMNS,
            Self::DeadLetters => DEAD_LETTER_COLUMNS,
        }
    }

    /// The statement. It names its columns, so that a column that is not deployed is `NO_SUCH_COLUMN_IN_TABLE`: hold the batch, drop nothing.
    pub fn statement(self) -> String {
        format!("INSERT INTO {} ({}) FORMAT JSONEachRow", self.name(), self.columns().join(", "))
    }
}

/// An HTTP request, ready to be sent as often as needed.
#[derive(Clone, PartialEq, Eq)]
pub struct Insert {
    /// Address with statement, settings and token.
    pub url: String,
    /// Headers; two of them are secret.
    pub headers: Vec<(&'static str, String)>,
    /// The gzip body.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Insert {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Insert").field("url", &self.url).field("body_bytes", &self.body.len()).finish_non_exhaustive()
    }
}

impl Insert {
    /// The INSERT of a frozen batch: `body` is its lines as gzip, `token` was fixed with it.
    pub fn new(endpoint: &Endpoint, table: Table, token: Uuid, body: Vec<u8>) -> Self {
        let mut url = format!("{}/?query={}", endpoint.url.trim_end_matches('/'), escape(&table.statement()));
        for (name, value) in SETTINGS {
            url.extend(["&", name, "=", value]);
        }
        url.push_str("&insert_deduplication_token=");
        url.push_str(&token.hyphenated().to_string());
        let headers = vec![
            ("Content-Type", "application/x-ndjson".to_owned()),
            ("Content-Encoding", "gzip".to_owned()),
            ("X-ClickHouse-User", endpoint.user.clone()),
            ("X-ClickHouse-Key", endpoint.password.clone()),
        ];
        Self { url, headers, body }
    }
}

fn escape(text: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(text, UNRESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Endpoint {
        Endpoint { url: "http://127.0.0.1:8123/".into(), user: "collector".into(), password: "s3cret".into() }
    }

    #[test]
    fn the_request_states_everything() {
        let insert = Insert::new(&endpoint(), Table::Outcomes, Uuid::from_u128(7), Vec::new());
        insta::assert_snapshot!(insert.url.replace('&', "\n&"), @r#"
        http://127.0.0.1:8123/?query=INSERT%20INTO%20ecommerce.collector_outcomes%20%28minute%2C%20site_id%2C%20collector_region%2C%20outcome%2C%20reason%2C%20count%29%20FORMAT%20JSONEachRow
        &async_insert=0
        &insert_deduplicate=1
        &deduplicate_insert=enable
        &deduplicate_blocks_in_dependent_materialized_views=1
        &materialized_views_ignore_errors=0
        &input_format_parallel_parsing=0
        &max_insert_block_size=1048576
        &min_insert_block_size_rows=1048576
        &min_insert_block_size_bytes=268435456
        &input_format_allow_errors_num=0
        &input_format_allow_errors_ratio=0
        &input_format_skip_unknown_fields=0
        &date_time_input_format=best_effort
        &insert_deduplication_token=00000000-0000-0000-0000-000000000007
        "#);
        assert!(insert.headers.contains(&("X-ClickHouse-Key", "s3cret".to_owned())));
        assert!(insert.headers.contains(&("Content-Encoding", "gzip".to_owned())));
    }

    #[test]
    fn secrets_are_not_shown() {
        let insert = Insert::new(&endpoint(), Table::Events, Uuid::from_u128(7), Vec::new());
        assert!(!format!("{insert:?} {:?}", endpoint()).contains("s3cret"));
        assert!(!insert.url.contains("s3cret"));
    }
}
