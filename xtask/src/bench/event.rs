//! The beacons that the suites send. In scope: one event of about 1 KB as a browser sends it, with an id of its own.
//! Out of scope: what shoppers do (`crate::traffic`).

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde_json::json;
use uuid::Uuid;

use crate::traffic::now_ms;

/// The event that the native bench of the core measures too.
const EVENT: &str = include_str!("../../../collector-core/benches/event.json");
/// Its id and time, which each beacon replaces.
const EVENT_ID: &str = "01980a4e-7f3a-7cde-8a1b-2f3c4d5e6f70";
const OCCURRED_AT: &str = "1763660000000";

pub(super) const USER_AGENT: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

/// A request as the load generator sends it.
pub(super) type Beacon = Request<Full<Bytes>>;

/// An envelope of `events` events, whose first has this id.
pub(super) fn envelope(event_id: Uuid, events: usize) -> String {
    let now = now_ms().to_string();
    let first = event(&event_id, &now);
    let others = (1..events).map(|_| event(&Uuid::now_v7(), &now));
    let events: Vec<String> = std::iter::once(first).chain(others).collect();
    format!(r#"{{"site":"demo","sent_at":{now},"tracker":"landfall-js/1.0.0","events":[{}]}}"#, events.join(","))
}

fn event(id: &Uuid, now: &str) -> String {
    EVENT.trim_end().replace(EVENT_ID, &id.hyphenated().to_string()).replace(OCCURRED_AT, now)
}

/// A post as a browser in Frankfurt sends it; every `sender` has an address of its own.
pub(super) fn post(path: &str, sender: u64, body: String) -> Beacon {
    let cf = json!({"country": "DE", "region": "Hesse", "city": "Frankfurt am Main", "timezone": "Europe/Berlin",
        "latitude": "50.11", "longitude": "8.68", "continent": "EU", "asn": 3320, "colo": "FRA"});
    Request::post(path)
        .header("Host", "127.0.0.1")
        .header("Content-Type", "text/plain")
        .header("Origin", "https://shop.example")
        .header("User-Agent", USER_AGENT)
        .header("Sec-CH-UA", r#""Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99""#)
        .header("Sec-CH-UA-Mobile", "?0")
        .header("Sec-CH-UA-Platform", "\"Windows\"")
        .header("Accept-Language", "de-DE,de;q=0.9")
        .header("Sec-Fetch-Site", "cross-site")
        .header("Sec-Fetch-Mode", "no-cors")
        .header("Sec-Fetch-Dest", "empty")
        .header("CF-Connecting-IP", address(sender))
        .header("CF-Blob", cf.to_string())
        .body(Full::from(body))
        .expect("every header is one")
}

/// An address of the range for tests (RFC 2544).
fn address(sender: u64) -> String {
    format!("198.18.{}.{}", sender / 250 % 250, 1 + sender % 250)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_its_own_id_and_the_present_time() {
        let id = Uuid::now_v7();
        let text = envelope(id, 3);
        let beacon: serde_json::Value = serde_json::from_str(&text).expect("an envelope is JSON");
        let ids: std::collections::HashSet<&str> = beacon["events"]
            .as_array()
            .expect("events")
            .iter()
            .filter_map(|event| event["event_id"].as_str())
            .collect();
        assert_eq!(ids.len(), 3);
        assert!(ids.contains(id.hyphenated().to_string().as_str()));
        assert!(!text.contains(OCCURRED_AT) && !text.contains(EVENT_ID));
    }

    #[test]
    fn one_event_is_about_a_kilobyte() {
        assert!((900..1_100).contains(&envelope(Uuid::now_v7(), 1).len()));
    }
}
