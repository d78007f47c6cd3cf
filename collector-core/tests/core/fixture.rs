//! A site, a client and a moment that every test starts from.

use collector_core::beacon::Beacon;
use collector_core::client::Client;
use collector_core::collected::Collected;
use collector_core::enrich::visitor::Salts;
use collector_core::pipeline::{Memory, Moment, Surroundings, collect};
use collector_core::receipt::Reply;
use collector_core::region::Regions;
use collector_core::row::COLUMNS;
use collector_core::site::Sites;
use serde_json::Value;

/// 2025-11-20 17:33:20.123 UTC.
pub(crate) const NOW_MS: i64 = 1_763_660_000_123;

/// The UTC day of `NOW_MS`.
pub(crate) const DAY: i64 = NOW_MS / 86_400_000;

pub(crate) const CHROME: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

pub(crate) const GOOGLEBOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/// A visitor in Berlin with a current browser, over TLS.
pub(crate) fn client() -> Client<'static> {
    Client {
        ip: "203.0.113.77".parse().ok(),
        country: Some("DE"),
        continent: Some("EU"),
        region: Some("Berlin"),
        city: Some("Berlin"),
        latitude: Some(52.5),
        longitude: Some(13.4),
        timezone: Some("Europe/Berlin"),
        asn: Some(3_320),
        colo: Some("TXL"),
        is_https: true,
        user_agent: Some(CHROME),
        ch_brands: Some("\"Chromium\";v=\"142\", \"Google Chrome\";v=\"142\", \"Not_A Brand\";v=\"99\""),
        ch_mobile: Some("?0"),
        ch_platform: Some("\"Windows\""),
        accept_language: Some("de-DE,de;q=0.9"),
        sec_fetch_site: Some("cross-site"),
        sec_fetch_mode: Some("no-cors"),
        sec_fetch_dest: Some("empty"),
        origin: Some("https://shop.example"),
        ..Client::default()
    }
}

/// Site `demo` with more settings, given as the inside of a JSON object.
pub(crate) fn site(settings: &str) -> Sites {
    let comma = if settings.is_empty() { "" } else { "," };
    Sites::parse(&format!(r#"[{{"id":"demo","domains":["shop.example","localhost"]{comma}{settings}}}]"#)).unwrap()
}

pub(crate) fn moment() -> Moment {
    Moment { received_at_ms: NOW_MS, entropy: [7; 32], salts: Salts::new(vec![(DAY, [1; 16]), (DAY - 1, [2; 16])]) }
}

pub(crate) fn regions() -> Regions {
    Regions::parse(
        r#"[{"name":"eu","continents":["EU"],"latitude":50.1,"longitude":8.7},{"name":"us","continents":["NA"],"latitude":39,"longitude":-77.5}]"#,
    )
    .unwrap()
}

/// Collects a beacon with fresh memory.
pub(crate) fn collect_beacon(beacon: &Beacon<'_>, sites: &Sites, client: &Client<'_>) -> Collected {
    collect_with(beacon, sites, client, &mut Memory::default())
}

/// Collects a beacon with what is remembered of others.
pub(crate) fn collect_with(beacon: &Beacon<'_>, sites: &Sites, client: &Client<'_>, memory: &mut Memory) -> Collected {
    let (regions, moment) = (regions(), moment());
    let around = Surroundings { sites, regions: &regions, client, moment: &moment, limited: &[] };
    collect(beacon, around, memory)
}

/// The reply to any body, as the shell gives it when every Batcher is away from trouble.
pub(crate) fn reply_to(body: &[u8], sites: &Sites, client: &Client<'_>) -> Reply {
    match Beacon::parse(body) {
        Ok(beacon) => collect_beacon(&beacon, sites, client).reply(),
        Err(error) => Reply::from_error(&error),
    }
}

/// A receipt as a client reads it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) outcome: String,
    pub(crate) reason: String,
    pub(crate) field: String,
}

impl From<(&str, &str, &str)> for Read {
    fn from((outcome, reason, field): (&str, &str, &str)) -> Self {
        Self { outcome: outcome.into(), reason: reason.into(), field: field.into() }
    }
}

pub(crate) fn receipts(reply: &Reply) -> Vec<Read> {
    let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    let text = |receipt: &serde_json::Value, name: &str| receipt[name].as_str().unwrap_or("").to_owned();
    let read = |r: &serde_json::Value| Read {
        outcome: text(r, "outcome"),
        reason: text(r, "reason"),
        field: text(r, "field"),
    };
    body["results"].as_array().unwrap().iter().map(read).collect()
}

/// What crate `user-agent` fills.
pub(crate) const DEVICE_COLUMNS: [&str; 7] =
    ["device_type", "browser", "os", "browser_version", "os_version", "device_brand", "device_model"];

/// The rows of a beacon, one column per line; columns that are empty, zero, `::` or null are left out.
pub(crate) fn rows(body: &str, sites: &Sites, client: &Client<'_>) -> String {
    let beacon = Beacon::parse(body.as_bytes()).unwrap();
    let collected = collect_beacon(&beacon, sites, client);
    let mut text = String::new();
    for row in &collected.rows {
        let row: Value = serde_json::from_slice(&row.line).unwrap();
        for column in COLUMNS {
            let value = &row[*column];
            if !is_default(value) && !DEVICE_COLUMNS.contains(column) {
                text.extend([*column, " ", &value.to_string(), "\n"]);
            }
        }
        text.push('\n');
    }
    text
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => ["", "::", "0"].contains(&text.as_str()),
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) => false,
    }
}
