//! Whether a line can be a row of `ecommerce.events`. In scope: its columns, id, site, date. Out of scope: the values, which ClickHouse reads.

use collector_core::row::COLUMNS;
use collector_core::site::is_id;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// The longest line, in bytes: the collector's own limit.
const MAX_LINE_BYTES: usize = collector_core::append::MAX_LINE_BYTES;

/// What makes two rows the same event: two sites may use the same id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) site_id: String,
    pub(super) event_id: Uuid,
}

/// A line that may be inserted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) identity: Identity,
    /// `YYYY-MM-DD` of its timestamp, by which the table finds it.
    pub(super) date: String,
    pub(super) origin: String,
    /// One line of JSON, without a line end.
    pub(super) json: String,
}

/// Reads one line; the error says what is expected.
pub(super) fn parse(text: &str, origin: &str, region: Option<&str>) -> Result<Row, String> {
    if text.len() > MAX_LINE_BYTES {
        return Err(format!("expected a line of at most {MAX_LINE_BYTES} bytes, found {}", text.len()));
    }
    let mut fields: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| format!("expected a JSON object, found {error}"))?;
    if let Some(name) = fields.keys().find(|name| !COLUMNS.contains(&name.as_str())) {
        return Err(format!("expected columns of ecommerce.events, found {name:?}"));
    }
    let string = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let site_id = string("site_id");
    if !is_id(&site_id) {
        return Err(format!("expected a site id in site_id, found {site_id:?}"));
    }
    if string("event_type").is_empty() {
        return Err("expected an event type in event_type, found none".to_owned());
    }
    let found = string("collector_region");
    if let Some(region) = region.filter(|region| *region != found) {
        return Err(format!("expected a row of region {region} in collector_region, found {found:?}"));
    }
    let date = date(&string("timestamp"))?;
    let origin = origin.to_owned();
    if let Some(value) = fields.get("event_id") {
        let identity = Identity { site_id, event_id: parse_id(value)? };
        return Ok(Row { identity, date, origin, json: text.trim().to_owned() });
    }
    let event_id = id_of(text);
    fields.insert("event_id".to_owned(), event_id.to_string().into());
    let identity = Identity { site_id, event_id };
    Ok(Row { identity, date, origin, json: Value::Object(fields).to_string() })
}

fn parse_id(value: &Value) -> Result<Uuid, String> {
    let id = value.as_str().and_then(|text| Uuid::parse_str(text).ok()).filter(|id| !id.is_nil());
    id.ok_or_else(|| format!("expected a UUID in event_id, found {value}"))
}

/// The same id for the same text, so that a second replay knows the row.
fn id_of(text: &str) -> Uuid {
    let digest = Sha256::digest(text.trim());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// The day of a timestamp as the collector writes it. Other forms, which ClickHouse may read too, can mean another day than they show: the row
/// would not be found in the table, and would be inserted again by every replay.
fn date(timestamp: &str) -> Result<String, String> {
    let (time, fraction) = timestamp.split_once('.').unwrap_or((timestamp, "0"));
    let is_time = time.len() == "YYYY-MM-DD hh:mm:ss".len()
        && time.bytes().enumerate().all(|(place, byte)| match place {
            4 | 7 => byte == b'-',
            10 => byte == b' ',
            13 | 16 => byte == b':',
            _ => byte.is_ascii_digit(),
        })
        && time.get(11..13).is_some_and(|hour| hour < "24");
    let is_fraction = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    match time.get(..10) {
        Some(date) if is_time && is_fraction => Ok(date.to_owned()),
        _ => Err(format!("expected YYYY-MM-DD hh:mm:ss[.fff], in UTC, in timestamp, found {timestamp:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01980a4e-0000-7000-8000-000000000001";

    fn line(change: &str) -> String {
        let mut row = serde_json::json!({"event_id": ID, "site_id": "demo", "event_type": "page_view",
            "timestamp": "2026-11-20 10:00:00.000", "collector_region": "eu"});
        if let Some((name, value)) = change.split_once('=') {
            row[name] = serde_json::from_str(value).expect("a value");
        }
        row.to_string()
    }

    #[test]
    fn a_line_that_cannot_be_a_row_says_why() {
        for (change, words) in [
            ("event_id=\"x\"", "UUID in event_id"),
            ("event_id=7", "UUID in event_id"),
            ("site_id=\"Demo\"", "in site_id"),
            ("event_type=\"\"", "in event_type"),
            ("timestamp=\"yesterday\"", "in timestamp"),
            ("timestamp=1763660000", "in timestamp"),
            ("timestamp=\"2026-11-20T23:30:00-05:00\"", "in timestamp"),
            ("timestamp=\"2026-11-20 23:30:00 -05:00\"", "in timestamp"),
            ("timestamp=\"2026-11-20 24:00:00\"", "in timestamp"),
            ("timestamp=\"2026-11-20 10:00:00.\"", "in timestamp"),
            ("timestamp=\"2026-11-20\"", "in timestamp"),
            ("colour=1", "\"colour\""),
            ("collector_region=\"us\"", "row of region eu"),
        ] {
            let error = parse(&line(change), "a:1", Some("eu")).expect_err(change);
            assert!(error.contains(words), "{change}: {error}");
        }
        assert!(parse("[]", "a:1", None).is_err());
    }

    #[test]
    fn a_row_keeps_its_text() {
        let row = parse(&format!("{}\r\n", line("")), "a:1", Some("eu")).expect("a row");
        assert_eq!((row.json.as_str(), row.date.as_str()), (line("").as_str(), "2026-11-20"));
        assert_eq!(row.identity.event_id.to_string(), ID);
        assert!(parse(&line("collector_region=\"us\""), "a:1", None).is_ok(), "any region, if none is named");
    }

    #[test]
    fn a_row_without_an_id_gets_the_same_one_each_time() {
        let text = r#"{"site_id":"demo","event_type":"page_view","timestamp":"2026-11-20 10:00:00"}"#;
        let (first, second) = (parse(text, "a:1", None).expect("a row"), parse(text, "b:9", None).expect("a row"));
        assert_eq!((&first.identity, &first.json), (&second.identity, &second.json));
        assert!(first.json.contains(&first.identity.event_id.to_string()));
        assert_ne!(
            first.identity.event_id,
            parse(&text.replace("demo", "shop"), "a:1", None).expect("a row").identity.event_id
        );
    }
}
