//! The bodies of the fuzz targets, as plain functions: libFuzzer calls them on nightly, the smoke runner on the pinned stable.
//!
//! In scope: what has to hold for any bytes. Out of scope: finding interesting bytes (libFuzzer, `smoke`).

use std::cell::RefCell;

use collector_core::append;
use collector_core::beacon::Beacon;
use collector_core::body;
use collector_core::client::Client;
use collector_core::delivery::Delivery;
use collector_core::enrich::visitor::Salts;
use collector_core::pipeline::{Memory, Moment, Surroundings, collect};
use collector_core::receipt::Reply;
use collector_core::region::Regions;
use collector_core::row::COLUMNS;
use collector_core::site::{Site, Sites};
use serde_json::Value;
use user_agent::{ClientHints, MAX_STEPS_PER_BYTE, MAX_USER_AGENT_BYTES, Parser};

/// The edge clock of every run: 2025-11-20.
const RECEIVED_AT_MS: i64 = 1_763_660_000_123;

const SITES: &str = r#"[
    {"id":"demo","domains":["shop.example"],"query_params":["size"],"keep_user_key":true},
    {"id":"strict","domains":["shop.example"],"unknown_fields":"strict","bots":"drop","sampling_rate":0.5,"privacy":{"dnt":"drop","ip":"keep"}}
]"#;

/// Decoding and parsing: an answer, within the limits, and the same answer again.
pub fn beacon(bytes: &[u8]) {
    for encoding in [None, Some("gzip"), Some("deflate")] {
        let Ok(body) = body::decode(bytes, encoding) else { continue };
        assert!(body.len() <= body::MAX_INFLATED_BYTES, "a body of {} bytes", body.len());
        match Beacon::parse(&body) {
            Ok(beacon) => assert_eq!(beacon.events().count(), beacon.len()),
            Err(error) => assert!([400, 413].contains(&Reply::from_error(&error).status), "{error}"),
        }
    }
}

/// The whole pipeline: one receipt per event, in order, and rows that are one line of JSON with every column. The first line of the input, if
/// there is more than one, is the sender.
pub fn pipeline(bytes: &[u8]) {
    let (sender, body) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => (String::from_utf8_lossy(&bytes[..at]).into_owned(), &bytes[at + 1..]),
        None => (String::new(), bytes),
    };
    let Ok(beacon) = Beacon::parse(body) else { return };
    let client = client(&sender);
    let moment =
        Moment { received_at_ms: RECEIVED_AT_MS, entropy: [7; 32], salts: Salts::new(vec![(20_412, [1; 16])]) };
    thread_local! {
        static STATE: RefCell<(Sites, Regions, Memory)> = RefCell::new((
            Sites::parse(SITES).expect("the sites are valid"),
            Regions::parse(r#"[{"name":"eu"},{"name":"us","latitude":39}]"#).expect("the regions are valid"),
            Memory::default(),
        ));
    }
    let mut collected = STATE.with_borrow_mut(|(sites, regions, memory)| {
        collect(&beacon, Surroundings { sites, regions, client: &client, moment: &moment, limited: &[] }, memory)
    });
    assert_eq!(collected.receipts.len(), beacon.len(), "one receipt per event");
    for row in &collected.rows {
        assert!(collected.receipts[row.receipt].outcome.is_stored(), "a row belongs to a stored event");
        let parsed: Value = serde_json::from_slice(&row.line).expect("a row is JSON");
        assert_eq!(parsed.as_object().map_or(0, serde_json::Map::len), COLUMNS.len(), "a row has every column once");
        assert!(!row.line.contains(&b'\n') && row.line.len() <= append::MAX_LINE_BYTES, "a row is one line");
    }
    collected.show_rows();
    let reply: Value = serde_json::from_slice(&collected.reply().body).expect("a reply is JSON");
    assert_eq!(reply["results"].as_array().map_or(0, Vec::len), beacon.len(), "one result per event");
}

/// Browser, device and crawler: an answer within a budget of steps, and the same one once it is remembered. The lines of the input are the user agent
/// and its client hints.
pub fn user_agent(bytes: &[u8]) {
    thread_local! {
        static PARSER: RefCell<Parser> = RefCell::new(Parser::new());
    }
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let user_agent = lines.next().unwrap_or_default();
    let mut hint = || lines.next().filter(|line| !line.is_empty());
    let hints = ClientHints {
        brands: hint(),
        full_version_list: hint(),
        mobile: hint(),
        platform: hint(),
        platform_version: hint(),
        model: hint(),
    };
    // A hinted model is a second text; what begins with nothing in particular is tried even on nothing.
    let most = MAX_STEPS_PER_BYTE * (2 * MAX_USER_AGENT_BYTES).min(text.len() + MAX_USER_AGENT_BYTES);
    PARSER.with_borrow_mut(|parser| {
        let before = parser.steps();
        let answer = (parser.parse(user_agent, &hints), parser.crawler(user_agent));
        let steps = parser.steps() - before;
        assert!(steps <= most, "{steps} steps, expected at most {most}: {user_agent:?}");
        // The second occurrence is remembered, the third is answered from memory.
        for _ in 0..2 {
            assert_eq!((parser.parse(user_agent, &hints), parser.crawler(user_agent)), answer, "{user_agent:?}");
        }
    });
}

/// What the Batcher and the admin API read: frames, answers, settings.
pub fn batcher(bytes: &[u8]) {
    if let Ok(frame) = append::decode(bytes) {
        let encoded = append::encode(&frame).expect("what was read can be written");
        assert_eq!(append::decode(&encoded).as_ref(), Ok(&frame), "and read again");
    }
    let _ = Delivery::classify(200, None, bytes);
    let text = String::from_utf8_lossy(bytes);
    let _ = append::decode_answer(&text, text.len());
    let _ = (Delivery::classify(500, text.len().try_into().ok(), bytes), Regions::parse(&text));
    if let Ok(site) = Site::parse(&text) {
        let _ = (site.allows_origin(Some(&text)), site.has_host(&text));
        let written = serde_json::to_string(&site).expect("settings can be written");
        assert_eq!(Site::parse(&written), Ok(site), "settings survive a round trip");
    }
}

/// A sender whose every text is the fuzzer's.
fn client(text: &str) -> Client<'_> {
    let part = |index: usize| text.split('\t').nth(index).filter(|part| !part.is_empty());
    Client {
        ip: part(0).and_then(|ip| ip.parse().ok()),
        country: part(1),
        user_agent: part(2),
        ch_brands: part(3),
        accept_language: part(4),
        origin: part(5).filter(|_| text.len().is_multiple_of(4)),
        sec_gpc: part(6),
        purpose: part(7),
        timezone: part(8),
        latitude: part(9).and_then(|degrees| degrees.parse().ok()),
        longitude: part(9).and_then(|degrees| degrees.parse().ok()),
        is_https: text.len().is_multiple_of(2),
        ..Client::default()
    }
}
