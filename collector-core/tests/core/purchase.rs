//! Purchases and their items: what the rows say, how much room they take, and one receipt for all of them.

use collector_core::append::Taken;
use collector_core::beacon::Beacon;
use collector_core::client::{Client, MAX_USER_AGENT_BYTES};
use collector_core::collected::Collected;
use collector_core::outcome::{InvalidReason, LimitReason, Outcome};
use collector_core::pipeline::{MAX_BEACON_LINE_BYTES, MAX_ROWS};
use serde_json::{Value, json};

use crate::fixture::{client, collect_beacon, receipts, site};

fn collect(body: &Value, settings: &str) -> Collected {
    collect_from(body, settings, &client())
}

fn collect_from(body: &Value, settings: &str, client: &Client<'_>) -> Collected {
    let body = body.to_string();
    collect_beacon(&Beacon::parse(body.as_bytes()).unwrap(), &site(settings), client)
}

fn row(collected: &Collected, index: usize) -> Value {
    serde_json::from_slice(&collected.rows[index].line).unwrap()
}

/// A purchase with some items, and more members.
fn purchase(items: usize, more: &Value) -> Value {
    let mut purchase = json!({"site": "demo", "event_type": "purchase", "order_id": "o-1", "revenue": "2", "currency": "EUR",
        "items": vec![json!({"product_id": 17, "unit_price": 1}); items]});
    let members = more.as_object().unwrap().clone();
    purchase.as_object_mut().unwrap().extend(members);
    purchase
}

#[test]
fn an_item_bears_the_marks_of_its_purchase_and_not_its_engagement() {
    let told = json!({"sent_at": 1_763_660_000_123_i64, "occurred_at": 1, "engaged_ms": 9, "scroll_pct": 60, "seq": 3});
    let collected = collect(&purchase(1, &told), r#""sampling_rate":0.999"#);
    let (purchase, item) = (row(&collected, 0), row(&collected, 1));
    for mark in ["sampling_rate", "clamped"] {
        assert!(item["properties"][mark].is_string(), "{mark}: {item}");
        assert_eq!(item["properties"][mark], purchase["properties"][mark], "{mark}");
    }
    for column in ["engaged_ms", "scroll_pct", "seq"] {
        assert_eq!((purchase[column] != 0, &item[column]), (true, &json!(0)), "{column}");
    }
}

#[test]
fn a_purchase_with_items_leaves_the_products_to_them() {
    let product = json!({"product_id": 18});
    let collected = collect(&purchase(1, &product), "");
    assert_eq!((&row(&collected, 0)["product_id"], &row(&collected, 1)["product_id"]), (&Value::Null, &json!(17)));
    assert_eq!(row(&collect(&purchase(0, &product), ""), 0)["product_id"], 18);
}

#[test]
fn only_the_collector_makes_items() {
    let collected = collect(&json!({"site": "demo", "event_type": "item", "product_id": 17}), "");
    let receipt = &receipts(&collected.reply())[0];
    assert_eq!((receipt.reason.as_str(), receipt.field.as_str()), ("invalid_value", "/event_type"));
}

#[test]
fn a_price_is_multiplied_before_it_is_rounded() {
    let items = json!({"items": [{"product_id": 17, "unit_price": "0.12345", "quantity": 10_000}]});
    assert_eq!(row(&collect(&purchase(0, &items), ""), 1)["revenue"], "1234.5");
}

#[test]
fn what_only_lacks_room_may_come_again() {
    let mut events = vec![purchase(99, &json!({})); MAX_ROWS / 100];
    events.push(json!({"site": "demo", "event_type": "login"}));
    let collected = collect(&json!(events), "");
    let reply = collected.reply();
    assert_eq!(collected.rows.len(), MAX_ROWS);
    assert_eq!((reply.status, reply.retry_after_s.is_some()), (429, true));
    assert_eq!(receipts(&reply)[10], ("limited", "beacon_full", "").into());
}

/// Rows are as long as they can be: each control character is six bytes of JSON.
fn long() -> Value {
    let text = "\u{1}".repeat(1_000);
    json!({"page_title": text, "session_id": text, "page_id": text, "tracker": text, "language": text, "timezone": text})
}

#[test]
fn a_small_beacon_becomes_no_large_rows() {
    // Rows of 40 KB and more: one purchase fits, two do not, and one with a hundred items never will.
    for (items, count, outcomes) in [
        (
            30,
            3,
            vec![
                Outcome::Accepted(None),
                Outcome::Limited(LimitReason::BeaconFull),
                Outcome::Limited(LimitReason::BeaconFull),
            ],
        ),
        // What was made in vain took the room too.
        (100, 2, vec![Outcome::Invalid(InvalidReason::TooManyItems), Outcome::Limited(LimitReason::BeaconFull)]),
    ] {
        let collected = collect(&json!(vec![purchase(items, &long()); count]), "");
        let bytes: usize = collected.rows.iter().map(|row| row.line.len()).sum();
        assert!(bytes <= MAX_BEACON_LINE_BYTES, "{bytes} bytes of {count} purchases with {items} items");
        let found: Vec<_> = collected.receipts.iter().map(|receipt| receipt.outcome).collect();
        assert_eq!(found, outcomes, "{items} items");
    }
}

#[test]
fn a_long_user_agent_is_cut_for_everyone() {
    let long = format!("{}ü{}", "x".repeat(MAX_USER_AGENT_BYTES - 1), "y".repeat(9_000));
    let collected = collect_from(&purchase(0, &json!({})), "", &Client { user_agent: Some(&long), ..client() });
    let stored = row(&collected, 0)["user_agent"].as_str().unwrap().to_owned();
    assert_eq!((stored.len(), stored.trim_matches('x')), (MAX_USER_AGENT_BYTES - 1, ""));
}

#[test]
fn a_purchase_takes_as_much_of_the_rate_as_it_makes_rows() {
    // Ten tokens: the first purchase owes more than there are, so the second waits.
    let settings = r#""limits":{"events_per_second":1}"#;
    let outcomes = |items| {
        let collected = collect(&json!([purchase(items, &json!({})), purchase(items, &json!({}))]), settings);
        collected.receipts.iter().map(|receipt| receipt.outcome).collect::<Vec<_>>()
    };
    assert_eq!(outcomes(2), [Outcome::Accepted(None); 2]);
    assert_eq!(outcomes(20), [Outcome::Accepted(None), Outcome::Limited(LimitReason::SiteRate)]);
}

#[test]
fn a_purchase_is_a_duplicate_only_as_a_whole() {
    use Taken::{Accepted, Duplicate};
    for (answers, outcome) in [
        ([Duplicate, Duplicate, Accepted], Outcome::Accepted(None)),
        ([Accepted, Duplicate, Duplicate], Outcome::Accepted(None)),
        ([Duplicate, Duplicate, Duplicate], Outcome::Duplicate),
    ] {
        let mut collected = collect(&purchase(2, &json!({})), "");
        // Two Batchers may answer.
        collected.settle(&[0, 2], &[answers[0], answers[2]]);
        collected.settle(&[1], &[answers[1]]);
        assert_eq!(collected.receipts[0].outcome, outcome, "{answers:?}");
    }
}

#[test]
fn the_id_of_an_envelope_is_no_events_id() {
    let id = "01980a4e-0000-7000-8000-000000000001";
    let body = json!({"site": "demo", "event_id": id, "events": [{"event_type": "login"}, {"event_type": "login"}]});
    let collected = collect(&body, "");
    assert_ne!(row(&collected, 0)["event_id"], row(&collected, 1)["event_id"]);
    assert_eq!(row(&collected, 0)["properties"]["event_id"], id, "nothing is lost");
    let strict = receipts(&collect(&body, r#""unknown_fields":"strict""#).reply()).remove(0);
    assert_eq!((strict.reason.as_str(), strict.field.as_str()), ("unknown_field", "/event_id"));
}
