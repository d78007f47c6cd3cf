//! Is a deployment healthy?
//!
//! In scope: a synthetic event through every region with the time of each hop, what waits there, its dead letters, whether its dictionaries are
//! fresh, and what to do about whatever is wrong. Out of scope: doing it.
//!
//! Where an event goes follows from where its sender is, which nobody can choose. So each region gets a site of its own for the time of the
//! examination, whose events may be stored there only. If the event has not landed by then, the site stays for a day and permits every region,
//! because others' events wait in the same batch.

mod advice;
mod dictionary;
mod hop;
mod letters;
mod probe;
mod sites;
mod waiting;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use collector_core::readiness::State;
use serde::Deserialize;

use crate::collector::{Collector, CollectorError};
use crate::connection::{Connection, ConnectionError, Target};
use crate::sites::SitesError;

/// One ClickHouse answers a small question within this time, or something is wrong.
const MAX_QUESTION: Duration = Duration::from_secs(10);

/// One result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The region; empty for what concerns all of them.
    pub region: String,
    /// What was looked at.
    pub check: String,
    /// What it showed.
    pub found: String,
    /// What to do; only if something is wrong.
    pub advice: Option<String>,
}

/// The ClickHouse of a region.
#[derive(Clone, Debug)]
pub struct Region {
    /// As in the collector's `REGIONS`.
    pub name: String,
    /// A user that reads `ecommerce` and `system.dictionaries`, such as `reader`.
    pub target: Target,
}

/// Why there was nothing to examine.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// The collector itself.
    #[error(transparent)]
    Collector(#[from] CollectorError),
    /// The sites of the examination.
    #[error(transparent)]
    Sites(#[from] SitesError),
    /// The address of a ClickHouse.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// A ClickHouse was named for a region that the collector does not have.
    #[error("expected regions of the collector ({known}), found {found}")]
    Region {
        /// Those that it has.
        known: String,
        /// The other one.
        found: String,
    },
}

/// Examines every region and tells `report` what it finds, as it finds it. Returns how many things are wrong. `patience` is how long an
/// event may take until it can be queried.
pub fn examine(
    collector: &Collector,
    clickhouse: &[Region],
    patience: Duration,
    report: &mut dyn FnMut(Finding),
) -> Result<usize, DoctorError> {
    let (before, asked_at) = (read_states(collector)?, Instant::now());
    let regions: Vec<String> = before.keys().cloned().collect();
    if let Some(other) = clickhouse.iter().find(|region| !regions.contains(&region.name)) {
        let known = regions.join(", ");
        return Err(DoctorError::Region { known, found: other.name.clone() });
    }
    let mut problems = 0;
    sites::look(collector, &regions, &mut |check, found, advice| {
        problems += usize::from(advice.is_some());
        report(Finding { region: String::new(), check: check.to_owned(), found, advice });
    })?;
    for (name, before) in &before {
        let target = clickhouse.iter().find(|region| region.name == *name).map(|region| &region.target);
        let connection = target.map(|target| Connection::with_limit(target, MAX_QUESTION)).transpose()?;
        let mut note = |check: &str, found: String, advice: Option<String>| {
            problems += usize::from(advice.is_some());
            report(Finding { region: name.clone(), check: check.to_owned(), found, advice });
        };
        let is_answering = probe::send(collector, name, connection.as_ref(), patience, &mut note)?;
        // Asked again behind the probe: what it met shows here.
        waiting::look(before, &read_state(collector, name)?, asked_at.elapsed(), name, &mut note);
        // What does not answer is a finding already.
        if let Some(connection) = connection.filter(|_| is_answering) {
            letters::look(&connection, &mut note);
            dictionary::look(&connection, &mut note);
        }
    }
    Ok(problems)
}

/// Where the checks put what they find: what was looked at, what it showed, what to do if that is wrong.
type Note<'a> = dyn FnMut(&str, String, Option<String>) + 'a;

/// What doctor reads of `/readyz`.
#[derive(Deserialize)]
struct Readiness {
    regions: BTreeMap<String, State>,
}

/// The state of every region by `/readyz`, with whatever status.
fn read_states(collector: &Collector) -> Result<BTreeMap<String, State>, CollectorError> {
    let answer = collector.get("/readyz")?;
    let readiness: Result<Readiness, _> = serde_json::from_str(&answer.body);
    readiness.map(|readiness| readiness.regions).map_err(|_| collector.unexpected(&answer))
}

/// The state of one region; of a region that is gone meanwhile, that nothing waits in it.
fn read_state(collector: &Collector, region: &str) -> Result<State, CollectorError> {
    Ok(read_states(collector)?.remove(region).unwrap_or_default())
}
