//! The sites of a collector.
//!
//! In scope: reading and changing them over the admin API, with the settings checked here first. Out of scope: what a setting does
//! (`collector_core::site`), where settings are kept (the Worker's Registry).
//!
//! Settings are handed out as the collector says them: a newer collector may know settings that this program does not, and reading
//! must not lose them.

use collector_core::site::{Site, SiteError, is_id};
use serde_json::Value;

use crate::collector::{Answer, Collector, CollectorError, explanation};

/// How long until every isolate of the collector has seen a change.
pub const VISIBLE_WITHIN_S: u64 = 30;

/// Why a site could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum SitesError {
    /// The connection or the token.
    #[error(transparent)]
    Collector(#[from] CollectorError),
    /// The settings are not possible.
    #[error("settings: {0}")]
    Settings(#[from] SiteError),
    /// The id is not possible.
    #[error("expected a site id of 1 to 64 lower-case letters, digits, - or _, found {0:?}")]
    Id(String),
    /// There is no such site.
    #[error("no site has the id {0}; landfall sites list shows those that exist")]
    Unknown(String),
}

/// Every site, those of the `SITES` variable included.
pub fn list(collector: &Collector) -> Result<Vec<Value>, SitesError> {
    let answer = collector.get("/v1/sites")?;
    match (answer.status, serde_json::from_str(&answer.body)) {
        (200, Ok(Value::Array(sites))) => Ok(sites),
        _ => Err(collector.unexpected(&answer).into()),
    }
}

/// The settings of one site.
pub fn get(collector: &Collector, id: &str) -> Result<Value, SitesError> {
    let answer = collector.get(&path(id)?)?;
    settings(collector, &answer, id)
}

/// Adds a site or replaces its settings; returns them as they are stored, defaults filled in.
pub fn put(collector: &Collector, json: &str) -> Result<Value, SitesError> {
    let site = Site::parse(json)?;
    let answer = collector.put(&path(&site.id)?, json)?;
    settings(collector, &answer, &site.id)
}

/// Removes a site; returns what it was, so that it can be put back. Its rows stay.
pub fn delete(collector: &Collector, id: &str) -> Result<Value, SitesError> {
    let was = get(collector, id)?;
    let answer = collector.delete(&path(id)?)?;
    if answer.status == 204 { Ok(was) } else { Err(collector.unexpected(&answer).into()) }
}

fn path(id: &str) -> Result<String, SitesError> {
    if is_id(id) { Ok(format!("/v1/sites/{id}")) } else { Err(SitesError::Id(id.to_owned())) }
}

fn settings(collector: &Collector, answer: &Answer, id: &str) -> Result<Value, SitesError> {
    match answer.status {
        200 => serde_json::from_str(&answer.body).map_err(|_| collector.unexpected(answer).into()),
        // With an explanation it is the collector that says so; without one, the path is wrong.
        404 if explanation(&answer.body).is_some() => Err(SitesError::Unknown(id.to_owned())),
        _ => Err(collector.unexpected(answer).into()),
    }
}
