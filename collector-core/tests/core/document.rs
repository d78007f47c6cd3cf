//! The documentation names what the code has.

use collector_core::site::Site;
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
