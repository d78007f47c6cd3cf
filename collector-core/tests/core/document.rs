//! The documentation names what the code has.

use collector_core::client::MAX_USER_AGENT_BYTES;
use collector_core::site::Site;
use collector_core::{beacon, body, item, pipeline, property, reader};
use serde_json::Value;

#[test]
fn every_setting_of_a_site_is_documented_with_its_default() {
    let document = include_str!("../../../docs/sites.md");
    let site = serde_json::to_value(Site::new("shop", &["shop.example.com"]).unwrap()).unwrap();
    let mut settings = Vec::new();
    for (name, value) in site.as_object().unwrap() {
        match value.as_object().filter(|_| name != "channels") {
            Some(inner) => settings.extend(inner.iter().map(|(own, value)| (format!("{name}.{own}"), value.clone()))),
            None => settings.push((name.clone(), value.clone())),
        }
    }
    assert!(settings.len() > 15, "{settings:?}");
    for (name, value) in settings {
        let line = document.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let line = line.unwrap_or_else(|| panic!("expected {name} in docs/sites.md"));
        let default = match &value {
            Value::String(text) => format!("`{text}`"),
            Value::Null => "none".to_owned(),
            Value::Object(_) => "`{}`".to_owned(),
            Value::Number(number) => format!("`{}`", number.as_f64().unwrap()),
            other => format!("`{other}`"),
        };
        let is_required = ["id", "domains"].contains(&name.as_str());
        let stated = line.split('|').nth(2).unwrap().trim();
        assert_eq!(stated, if is_required { "required" } else { &default }, "{name}");
    }
}

#[test]
fn the_limits_of_a_beacon_are_documented() {
    let document = include_str!("../../../docs/events.md");
    let limits =
        document.split("Limits:").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap().replace('\n', " ");
    for limit in [
        format!("body {} KiB as received", body::MAX_BODY_BYTES / 1_024),
        format!("{} KiB decompressed", body::MAX_INFLATED_BYTES / 1_024),
        format!("{} events", beacon::MAX_EVENTS),
        format!("{} sites", beacon::MAX_SITES),
        format!("{} rows", thousands(pipeline::MAX_ROWS)),
        format!("{} MB of rows", pipeline::MAX_BEACON_LINE_BYTES / 1_000_000),
        format!("URL {} B", thousands(reader::MAX_URL_BYTES)),
        format!("other text {} B", thousands(reader::MAX_STRING_BYTES)),
        format!("{} properties", property::MAX_PROPERTIES),
        format!("name {} B", property::MAX_KEY_BYTES),
        format!("value {} B", thousands(property::MAX_VALUE_BYTES)),
        format!("{} items", item::MAX_ITEMS),
    ] {
        assert!(limits.contains(&limit), "expected {limit:?} in {limits:?}");
    }
    assert_eq!(MAX_USER_AGENT_BYTES, reader::MAX_STRING_BYTES, "a user agent is cut where other text ends");
}

fn thousands(number: usize) -> String {
    format!("{},{:03}", number / 1_000, number % 1_000)
}
