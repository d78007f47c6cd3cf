//! Settings are read, checked, and refused with the name of the setting.

use super::*;

#[test]
fn impossible_settings_name_the_field() {
    for (json, field) in [
        (r#"{"id":"Demo","domains":["a"]}"#, "in id"),
        (r#"{"id":"demo","domains":[]}"#, "in domains"),
        (r#"{"id":"demo","domains":["https://a.example"]}"#, "in domains"),
        (r#"{"id":"demo","domains":["a.example:x"]}"#, "in domains"),
        (r#"{"id":"demo","domains":["a"],"sampling_rate":0}"#, "in sampling_rate"),
        (r#"{"id":"demo","domains":["a"],"user_id_key":"abc"}"#, "in user_id_key"),
        (r#"{"id":"demo","domains":["a"],"ingest_key_sha256":["abc"]}"#, "in ingest_key_sha256"),
        (r#"{"id":"demo","domains":["a"],"query_params":["a=b"]}"#, "in query_params"),
        (r#"{"id":"demo","domains":["a"],"regions":["EU"]}"#, "in regions"),
        (
            r#"{"id":"demo","domains":["a"],"rules":[{"name":"r","when":"nation = 1","then":"flag"}]}"#,
            "at column 1 of rule \"r\"",
        ),
        (r#"{"id":"demo","domains":["a"],"channels":{"Partner":"Affiliates"}}"#, "in channels"),
        (r#"{"id":"demo","domains":["a"],"channels":{"*.p.example":"Affiliates"}}"#, "found \"*.p.example: Affiliates"),
        (r#"{"id":"demo","domains":["a"],"channels":{"http://p.example":"Affiliates"}}"#, "in channels"),
        (
            r#"{"id":"demo","domains":["a"],"rules":[{"name":"a","when":"is_bot","then":"flag"},{"name":"farm","when":"is_bot","then":"ban"}]}"#,
            "in rule \"farm\" of rules, found unknown variant `ban`",
        ),
        (r#"{"id":"demo","domains":["a"],"sampling":1}"#, "in sampling, found unknown field `sampling`"),
        (r#"{"id":"demo","domains":["a"],"privacy":{"ip":"hash"}}"#, "in privacy.ip, found unknown variant `hash`"),
        (r#"{"id":"demo","domains":["a"],"privacy":["drop"]}"#, "in privacy"),
        (r#"{"id":"demo","domains":["a"],"limits":{"events_per_second":-1}}"#, "in limits.events_per_second"),
        (r#"{"id":"demo","domains":["a"],"limits":[]}"#, "in limits"),
        (r#"{"id":7,"domains":["a"]}"#, "in id, found invalid type: integer `7`, expected a string"),
        (r#"{"id":"demo","domains":"a"}"#, "in domains"),
        (r#"{"id":"demo","domains":["a"],"regions":"eu"}"#, "in regions"),
        (r#"{"id":"demo","domains":["a"],"status":"off"}"#, "in status"),
        (
            r#"{"id":"demo","domains":["a"],"rules":[{"name":"r"}]}"#,
            "in rule \"r\" of rules, found missing field `when`",
        ),
        (r#"{"id":"demo","domains":["a"],"rules":[["r","asn = 1","flag"]]}"#, "in rules"),
        (r#"{"id":"demo","domains":["a"],"channels":{"a":1}}"#, "in channels.a"),
        (r#"{"id":"demo","domains":["a"],"sampling_rate":"all"}"#, "in sampling_rate"),
        (r#"{"id":"demo","domains":["a"],"sampling_rate":6e-10}"#, "in sampling_rate"),
        (r#"{"id":"demo","domains":["a"],"retention_days":0}"#, "in retention_days"),
        (r#"{"id":"demo","domains":["a"],"retention_days":0.5}"#, "in retention_days"),
        (r#"{"id":"demo","id":"demo","domains":["a"]}"#, "duplicate field `id`"),
        (r#"{"id":"demo"}"#, "missing field `domains`"),
        (r#"["demo",["a"]]"#, "found no JSON object"),
        ("{", "EOF"),
    ] {
        let error = Site::parse(json).unwrap_err().to_string();
        assert!(error.contains(field), "{json}: {error}");
        assert!(Sites::parse(&format!("[{json}]")).is_err(), "{json}");
    }
}

#[test]
fn an_error_does_not_repeat_a_secret() {
    for setting in
        [r#""ingest_key_sha256":"my-key""#, r#""ingest_key_sha256":["my-key"]"#, r#""user_id_key":["my-key"]"#]
    {
        let error = Site::parse(&format!(r#"{{"id":"demo","domains":["a"],{setting}}}"#)).unwrap_err().to_string();
        assert!(!error.contains("my-key"), "{error}");
    }
}

#[test]
fn the_bootstrap_list_is_checked() {
    let list =
        r#"[{"id":"demo","domains":["shop.example"],"privacy":{"gpc":"drop"}},{"id":"b","domains":["b.example"]}]"#;
    let sites = Sites::parse(list).unwrap();
    assert_eq!(sites.iter().count(), 2);
    assert_eq!(sites.get("demo").map(|s| s.privacy.gpc), Some(SignalMode::Drop));
    assert!(Sites::parse(r#"[{"id":"b","domains":["b"]},{"id":"b","domains":["b"]}]"#).is_err());
}

#[test]
fn settings_survive_a_round_trip() {
    let site = Site::new("demo", &["shop.example"]).unwrap();
    assert_eq!(Site::parse(&serde_json::to_string(&site).unwrap()), Ok(site));
}
