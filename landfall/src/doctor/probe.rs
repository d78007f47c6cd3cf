//! A synthetic event through one region. In scope: its site, sending it, following it (`hop`). Out of scope: what is left of a site (`sites`).

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use super::hop::{self, Sent, Way};
use super::sites::PREFIX;
use super::{DoctorError, Note};
use crate::collector::Collector;
use crate::connection::Connection;
use crate::sites::{self, SitesError};

/// How long a new site may take until the collector knows it.
const MAX_SITE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);
const ADVICE_ACCEPT: &str = "see the Worker's log: npx wrangler tail";

/// Sends the event and notes the time of each hop. Returns whether ClickHouse answers, as far as it was asked.
pub(super) fn send(
    collector: &Collector,
    region: &str,
    connection: Option<&Connection>,
    patience: Duration,
    note: &mut Note<'_>,
) -> Result<bool, DoctorError> {
    // Two examinations at once must not delete each other's site.
    let site = format!("{PREFIX}{}", Uuid::now_v7());
    put(collector, &site, "active", &[region])?;
    let way = accept(collector, &site).and_then(|accepted| match accepted {
        Ok(sent) => {
            note("accepted", hop::milliseconds(sent.accepted_at - sent.at), None);
            hop::follow(collector, region, connection, &sent, patience, note)
        }
        Err(found) => {
            note("accepted", found, Some(ADVICE_ACCEPT.to_owned()));
            Ok(Way { has_landed: false, is_answering: connection.is_some() })
        }
    });
    if way.as_ref().is_ok_and(|way| way.has_landed) {
        sites::delete(collector, &site)?;
    } else {
        // The event may wait in a batch with those of others, which may go only where all of its sites permit: no site of doctor's may hold it.
        put(collector, &site, "paused", &[])?;
    }
    Ok(way?.is_answering)
}

/// Makes a site of doctor's own, or changes it.
fn put(collector: &Collector, id: &str, status: &str, regions: &[&str]) -> Result<(), SitesError> {
    let settings = json!({"id": id, "domains": ["doctor.invalid"], "status": status, "regions": regions, "bots": "off", "privacy": {"ip": "drop"}});
    sites::put(collector, &settings.to_string()).map(drop)
}

/// Sends until the new site is known; what was sent, or what was answered instead.
fn accept(collector: &Collector, site: &str) -> Result<Result<Sent, String>, DoctorError> {
    let deadline = Instant::now() + MAX_SITE;
    loop {
        let id = Uuid::now_v7();
        let event = json!({"event_id": id.to_string(), "event_type": "landfall_doctor"});
        let at = Instant::now();
        let answer = collector.post("/v1/events", &json!({"site": site, "events": [event]}).to_string())?;
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let receipt = &body["results"][0];
        match receipt["outcome"].as_str() {
            Some("accepted" | "flagged") => {
                return Ok(Ok(Sent { site: site.to_owned(), id, at, accepted_at: Instant::now() }));
            }
            Some("invalid") if receipt["reason"] == "unknown_site" && Instant::now() < deadline => {
                std::thread::sleep(POLL);
            }
            _ => return Ok(Err(format!("{}: {}", answer.status, answer.body))),
        }
    }
}
