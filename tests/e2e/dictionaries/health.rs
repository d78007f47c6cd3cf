//! Reading `ecommerce.dictionary_health` as a monitor does.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use xtask::stack::clickhouse::Endpoint;

use crate::lab;

/// One line of the view.
#[derive(Debug, Deserialize)]
pub(super) struct Health {
    pub(super) state: String,
    pub(super) is_healthy: u8,
    pub(super) rows: u64,
    pub(super) errors: u64,
    pub(super) last_error: String,
    pub(super) age_s: Option<i64>,
}

impl Health {
    pub(super) fn of(endpoint: &Endpoint, dictionary: &str) -> Result<Self> {
        let sql = format!(
            "SELECT state, is_healthy, toUInt64(rows) AS rows, toUInt64(errors) AS errors, last_error, age_s \
             FROM ecommerce.dictionary_health WHERE name = '{dictionary}' FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 0"
        );
        let line = endpoint.query(&sql)?;
        serde_json::from_str(&line).with_context(|| format!("expected one line about {dictionary}, found {line:?}"))
    }

    /// Waits until the view calls the dictionary `state`, for the server may be loading it by itself, and checks that the alert query agrees.
    pub(super) fn expect(endpoint: &Endpoint, dictionary: &str, state: &str) -> Result<Self> {
        let health = lab::wait_for(&format!("{dictionary} to be {state}"), 5, || {
            let health = Self::of(endpoint, dictionary)?;
            ensure!(health.state == state, "found {health:?}");
            Ok(Some(health))
        })?;
        let is_good = matches!(state, "ok" | "unused");
        ensure!((health.is_healthy == 1) == is_good, "{health:?}");
        ensure!(health.last_error.is_empty() == is_good, "{health:?}");
        Ok(health)
    }
}
