//! How rows are written: every column once, text of every kind, the device as the user agent says.

use collector_core::beacon::Beacon;
use collector_core::row::COLUMNS;
use serde_json::Value;
use user_agent::ClientHints;

use crate::fixture::{DEVICE_COLUMNS, client, collect_beacon, rows, site};

#[test]
fn an_encoded_row_has_exactly_the_columns() {
    let beacon = Beacon::parse(br#"{"site":"demo","event_type":"login"}"#).unwrap();
    let collected = collect_beacon(&beacon, &site(""), &client());
    let line = String::from_utf8(collected.rows[0].line.clone()).unwrap();
    let row: serde_json::Map<String, Value> = serde_json::from_str(&line).unwrap();
    assert_eq!(row.len(), COLUMNS.len());
    let mut from = 0;
    for column in COLUMNS {
        let at = line[from..].find(&format!("\"{column}\":"));
        from += at.unwrap_or_else(|| panic!("column {column} after offset {from} of {line}"));
    }
}

#[test]
fn the_device_is_what_the_user_agent_says() {
    let beacon = Beacon::parse(br#"{"site":"demo","event_type":"login"}"#).unwrap();
    let client = client();
    let collected = collect_beacon(&beacon, &site(""), &client);
    let row: Value = serde_json::from_slice(&collected.rows[0].line).unwrap();
    let hints = ClientHints {
        brands: client.ch_brands,
        mobile: client.ch_mobile,
        platform: client.ch_platform,
        ..ClientHints::default()
    };
    let agent = user_agent::Parser::new().parse(client.user_agent(), &hints);
    let expected = [
        agent.device_type.as_str(),
        &agent.browser,
        &agent.os,
        &agent.browser_version,
        &agent.os_version,
        &agent.device_brand,
        &agent.device_model,
    ];
    assert_eq!(DEVICE_COLUMNS.map(|column| row[column].as_str().unwrap_or("")), expected);
    assert_eq!(row["browser"], "Chrome");
}

#[test]
fn text_of_every_kind_is_escaped_as_json_wants_it() {
    let body = "{\"site\":\"demo\",\"event_type\":\"search\",\"page_title\":\"\\\"quoted\\\" \\\\ \\n\\t\\u0000\\u001f/\\ud83d\\ude00\\ud83d ü\u{2028}\",\"properties\":{\"k\\\"\\n\":\"v\"}}";
    insta::assert_snapshot!(rows(body, &site(""), &client()), @r#"
    event_id "019aa253-eb7b-754d-a86c-cc254da86ccc"
    site_id "demo"
    event_type "search"
    timestamp "2025-11-20 17:33:20.123"
    received_at "2025-11-20 17:33:20.123"
    visitor_id 15623511045292552028
    session_id "edge-ce384998a02a2e49"
    page_title "\"quoted\" \\ \n\t\u0000\u001f/😀� ü "
    country "DE"
    region "Berlin"
    city "Berlin"
    asn 3320
    timezone "Europe/Berlin"
    language "de-DE"
    properties {"k\"\n":"v"}
    rules_version "2026-11-21b"
    ip_address "::ffff:203.0.113.0"
    user_agent "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
    collector_region "eu"
    colo "TXL"
    "#);
}
