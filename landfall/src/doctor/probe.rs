//! A synthetic event through one region. In scope: its site, sending it, waiting until it can be queried, the time of each hop.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use super::{DoctorError, Note};
use crate::collector::Collector;
use crate::connection::Connection;
use crate::sites;

/// How long a new site may take until the collector knows it.
const SITE_MAX: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);
const ADVICE_ACCEPT: &str = "see the Worker's log: npx wrangler tail";

/// Sends the event and notes the time of each hop.
pub(super) fn send(
    collector: &Collector,
    region: &str,
    connection: Option<&Connection>,
    patience: Duration,
    note: &mut Note<'_>,
) -> Result<(), DoctorError> {
    let site = format!("landfall-doctor-{region}");
    let settings = json!({"id": site, "domains": ["doctor.invalid"], "regions": [region], "bots": "off", "privacy": {"ip": "drop"}});
    sites::put(collector, &settings.to_string())?;
    let accepted = accept(collector, &site);
    sites::delete(collector, &site)?;
    match accepted? {
        Ok((id, elapsed)) => {
            note("accepted", milliseconds(elapsed), None);
            match connection {
                Some(connection) => query(connection, &site, id, patience, note),
                None => note("queryable", format!("not asked: no --clickhouse {region}=URL"), None),
            }
        }
        Err(found) => note("accepted", found, Some(ADVICE_ACCEPT.to_owned())),
    }
    Ok(())
}

/// Sends until the new site is known; the id and how long the last attempt took, or what was answered instead.
fn accept(collector: &Collector, site: &str) -> Result<Result<(Uuid, Duration), String>, DoctorError> {
    let deadline = Instant::now() + SITE_MAX;
    loop {
        let id = Uuid::now_v7();
        let event = json!({"event_id": id.to_string(), "event_type": "landfall_doctor"});
        let started = Instant::now();
        let answer = collector.post("/v1/events", &json!({"site": site, "events": [event]}).to_string())?;
        let elapsed = started.elapsed();
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let receipt = &body["results"][0];
        match receipt["outcome"].as_str() {
            Some("accepted" | "flagged") => return Ok(Ok((id, elapsed))),
            Some("invalid") if receipt["reason"] == "unknown_site" && Instant::now() < deadline => {
                std::thread::sleep(POLL);
            }
            _ => return Ok(Err(format!("{}: {}", answer.status, answer.body))),
        }
    }
}

/// Waits until the event is in the table.
fn query(connection: &Connection, site: &str, id: Uuid, patience: Duration, note: &mut Note<'_>) {
    let started = Instant::now();
    // The sorting key first, so that a large table is not read.
    let sql = format!(
        "SELECT count() FROM ecommerce.events WHERE site_id = '{site}' AND toDate(timestamp) >= today() - 1 AND event_id = '{id}'"
    );
    loop {
        let answer = connection.execute(&sql);
        if answer.as_ref().is_ok_and(|count| count.trim() == "1") {
            return note("queryable", milliseconds(started.elapsed()), None);
        }
        // An error is waited out too, so that what the collector says next includes its own attempt.
        if started.elapsed() > patience {
            let (found, advice) = match answer {
                Ok(_) => (
                    format!("not within {} s", patience.as_secs()),
                    "the collector keeps it and delivers it later; what it waits for is below",
                ),
                Err(error) => (error.to_string(), "start this ClickHouse, or mend address and login given to doctor"),
            };
            return note("queryable", found, Some(advice.to_owned()));
        }
        std::thread::sleep(POLL);
    }
}

fn milliseconds(elapsed: Duration) -> String {
    format!("{} ms", elapsed.as_millis())
}
