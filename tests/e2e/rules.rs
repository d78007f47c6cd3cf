//! "A site may have rules of its own": refused with the column, applied in order, shadows only counted.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use xtask::stack::Stack;

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("a_rule_that_cannot_be_read_is_refused_with_its_column", a_rule_that_cannot_be_read_is_refused_with_its_column),
    ("rules_judge_events_in_their_order", rules_judge_events_in_their_order),
];

/// Saves the settings of a site of the tests; status and answer.
fn put(stack: &Stack, id: &str, rules: &Value) -> Result<(u16, String)> {
    let settings = json!({"id": id, "domains": ["ruled.example"], "rules": rules}).to_string();
    let mut answer = ureq::put(format!("{}/v1/sites/{id}", stack.file.collector))
        .config()
        .http_status_as_error(false)
        .build()
        .header("Authorization", format!("Bearer {}", stack.file.admin_token))
        .send(&settings)?;
    Ok((answer.status().as_u16(), answer.body_mut().read_to_string()?))
}

fn a_rule_that_cannot_be_read_is_refused_with_its_column(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let (status, text) =
        put(stack, "ruled", &json!([{"name": "vps", "when": "asn = 1 and country = 3", "then": "flag"}]))?;
    let expected = r#"expected a text in quotes at column 23 of rule \"vps\", found 3"#;
    ensure!(status == 400 && text.contains(expected), "expected {expected}, found {status} {text}");
    Ok(())
}

fn rules_judge_events_in_their_order(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let rules = json!([
        {"name": "try", "when": r#"page_path starts_with "/p/""#, "then": "drop", "shadow": true},
        {"name": "partner", "when": r#"properties["plan"] = "partner""#, "then": "allow"},
        {"name": "views", "when": r#"event_type = "page_view" and page_path matches "^/p/\d+$""#, "then": "flag"},
        {"name": "rest", "when": r#"not (event_type in ["page_view", "login"])"#, "then": "drop"}
    ]);
    let (status, text) = put(stack, "ruled", &rules)?;
    ensure!(status == 200, "expected the rules to be taken, found {status} {text}");
    let id = lab::event_id();
    let view = json!({"event_id": id, "event_type": "page_view", "page_url": "https://ruled.example/p/17"});
    let partner =
        json!({"event_type": "page_view", "page_url": "https://ruled.example/p/17", "properties": {"plan": "partner"}});
    let events = json!([view, partner, {"event_type": "search"}, {"event_type": "login"}]);
    let answer = lab::send(stack, &json!({"site": "ruled", "events": events}))?;
    ensure!(answer.outcomes()? == ["flagged", "accepted", "filtered", "accepted"], "{answer:?}");
    let condition =
        "is_bot = 1 AND has(bot_signals, 'shadow:try') AND has(bot_signals, 'rule:views') AND rules_version LIKE '%+%'";
    lab::expect_events(stack, &format!("event_id = '{id}' AND {condition}"), 1, 10)
}
