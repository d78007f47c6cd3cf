//! Properties: whatever is sent, there is an answer, and the answer adds up.

use collector_core::account::Account;
use collector_core::beacon::Beacon;
use collector_core::client::Client;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::{client, collect_beacon, reply_to, site};

/// JSON that is near a beacon: right names, wrong values, and the other way round.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        "(demo|login|purchase|page_view|https://shop.example/p\\?x=1#y|1920x1080|EUR|12.50|a@b.example)"
            .prop_map(Value::from),
        "[\\x00-\\x7f]{0,1200}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map("\\PC{0,8}", inner, 0..6).prop_map(|map| json!(map)),
        ]
    })
}

fn event() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        prop_oneof![
            Just("site"),
            Just("event_type"),
            Just("event_id"),
            Just("page_url"),
            Just("revenue"),
            Just("currency"),
            Just("order_id"),
            Just("items"),
            Just("properties"),
            Just("user_id"),
            Just("occurred_at"),
            Just("sent_at"),
            Just("screen"),
            Just("seq"),
        ]
        .prop_map(str::to_owned),
        "[a-z_]{1,12}",
    ];
    (proptest::collection::btree_map(name, value(), 0..10), any::<bool>()).prop_map(|(mut members, is_plausible)| {
        if is_plausible {
            members.insert("site".into(), json!("demo"));
            members.insert("event_type".into(), json!("search"));
        }
        json!(members)
    })
}

proptest! {
    #[test]
    fn any_bytes_get_a_reply(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let reply = reply_to(&bytes, &site(""), &client());
        prop_assert!(serde_json::from_slice::<Value>(&reply.body).is_ok());
        prop_assert!([202, 400, 403, 404, 413, 429, 503].contains(&reply.status));
    }

    #[test]
    fn every_event_ends_in_one_outcome_and_receipts_are_in_order(events in proptest::collection::vec(event(), 0..8)) {
        let text = json!({ "site": "demo", "events": &events }).to_string();
        let beacon = Beacon::parse(text.as_bytes()).unwrap();
        let collected = collect_beacon(&beacon, &site(""), &client());
        prop_assert_eq!(collected.receipts.len(), events.len());
        let stored = collected.receipts.iter().filter(|receipt| receipt.outcome.is_stored()).count() as u64;
        let ended = collected.counts.total(|account| matches!(account, Account::Ended(_)));
        prop_assert_eq!(stored + ended, events.len() as u64);
        prop_assert_eq!(ended, collected.counts.total(|account| account == Account::Received));
        for (index, receipt) in collected.receipts.iter().enumerate() {
            let has_rows = collected.rows.iter().any(|row| row.receipt == index);
            prop_assert_eq!(has_rows, receipt.outcome.is_stored());
            let field = receipt.field.as_deref().unwrap_or("");
            let is_own = field.is_empty() || field.starts_with(&format!("/events/{index}")) || !field.starts_with("/events");
            prop_assert!(is_own, "{} on receipt {}", field, index);
        }
        for row in &collected.rows {
            prop_assert!(serde_json::from_slice::<Value>(&row.line).is_ok(), "{}", String::from_utf8_lossy(&row.line));
            prop_assert!(!row.line.contains(&b'\n'));
        }
    }

    #[test]
    fn text_is_stored_as_it_was_sent(title in "\\PC{0,60}|[\\x00-\\x3f\\x41-\\x64]{0,60}", number in any::<u64>()) {
        let text = json!({ "site": "demo", "event_type": "search", "page_title": title, "user_id": number }).to_string();
        let beacon = Beacon::parse(text.as_bytes()).unwrap();
        let collected = collect_beacon(&beacon, &site(""), &client());
        let row: Value = serde_json::from_slice(&collected.rows[0].line).unwrap();
        prop_assume!(!title.contains('@') && !title.contains("%40"));
        prop_assert_eq!(row["page_title"].as_str(), Some(title.as_str()));
        prop_assert_eq!(row["user_id"].as_u64(), Some(number));
    }

    #[test]
    fn any_client_gets_an_answer(
        user_agent in "\\PC{0,200}", language in "\\PC{0,60}", country in "\\PC{0,4}", origin in "(https?://)?\\PC{0,30}", latitude in any::<f64>(),
    ) {
        let strange = Client {
            user_agent: Some(&user_agent), accept_language: Some(&language), country: Some(&country), origin: Some(&origin),
            latitude: Some(latitude), longitude: Some(-latitude), ch_brands: Some(&language), purpose: Some(&country), ..Client::default()
        };
        let reply = reply_to(br#"{"site":"demo","event_type":"login"}"#, &site(""), &strange);
        prop_assert!([202, 403].contains(&reply.status));
    }

    #[test]
    fn the_same_purchase_always_has_the_same_item_ids(order in "[a-z0-9]{1,8}", seed in any::<u128>()) {
        let id = uuid::Uuid::from_u128(seed | 1);
        let text = json!({
            "site": "demo", "event_type": "purchase", "event_id": id.to_string(), "order_id": order, "revenue": 2, "currency": "EUR",
            "items": [{ "product_id": 1, "unit_price": 1 }, { "product_id": 1, "unit_price": 1 }],
        }).to_string();
        let beacon = Beacon::parse(text.as_bytes()).unwrap();
        let ids = || collect_beacon(&beacon, &site(""), &client()).rows.iter().map(|row| row.event_id).collect::<Vec<_>>();
        let first = ids();
        prop_assert_eq!(&first, &ids());
        prop_assert!(first.len() == 3 && first[0] != first[1] && first[1] != first[2] && first[0] == id);
    }
}
