//! "The row is what was sent": parse, encode, INSERT, and read back by ClickHouse itself.

use anyhow::{Context, Result, ensure};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] =
    &[("clickhouse_reads_what_the_collector_wrote", clickhouse_reads_what_the_collector_wrote)];

/// Events of the run: random ones, after the handful of known dark corners.
const EVENTS: usize = 400;
const EVENTS_PER_BEACON: usize = 20;

fn clickhouse_reads_what_the_collector_wrote(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let mut written = Vec::new();
    let token = format!("Bearer {}", stack.file.admin_token);
    for (visitor, events) in events()?.chunks(EVENTS_PER_BEACON).enumerate() {
        let body = json!({"site": "demo", "events": events}).to_string();
        // One visitor would be too fast for a person.
        let address = format!("203.0.113.{}", visitor % 250);
        let headers = [("Authorization", token.as_str()), ("CF-Blob", "{}"), ("CF-Connecting-IP", &address)];
        let answer = lab::post(stack, "/v1/events?debug=1", body.as_bytes(), &headers)?;
        let receipts = answer.json()?;
        for receipt in receipts["results"].as_array().context("receipts")? {
            ensure!(receipt["outcome"] == "accepted", "{receipt} of {body}");
            written.push(receipt["row"].clone());
        }
    }
    let ids: Vec<String> =
        written.iter().map(|row| format!("'{}'", row["event_id"].as_str().unwrap_or_default())).collect();
    let condition = format!("event_id IN ({})", ids.join(","));
    lab::expect_events(stack, &condition, EVENTS as u64, 30)?;
    let mut read = std::collections::BTreeMap::new();
    for endpoint in &stack.file.clickhouse {
        let settings = "output_format_json_quote_64bit_integers = 1, output_format_json_quote_decimals = 1";
        let sql = format!("SELECT * FROM ecommerce.events WHERE {condition} SETTINGS {settings} FORMAT JSONEachRow");
        for line in endpoint.query(&sql)?.lines() {
            let row: Value = serde_json::from_str(line)?;
            read.insert(row["event_id"].to_string(), row);
        }
    }
    for row in &written {
        let stored = read.get(&row["event_id"].to_string()).with_context(|| format!("no row for {row}"))?;
        for (column, value) in row.as_object().context("a row")? {
            ensure!(
                plain(value) == plain(&stored[column]),
                "{column}: written {value}, read {}; the row is {row}",
                stored[column]
            );
        }
    }
    Ok(())
}

/// A value without the differences of notation that both sides allow: quotes around numbers, zeros behind a decimal.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => plain(&Value::String(number.to_string())),
        Value::String(text) => {
            let is_decimal = text.contains('.') && text.bytes().all(|b| b.is_ascii_digit() || b"-.".contains(&b));
            let trimmed = if is_decimal { text.trim_end_matches('0').trim_end_matches('.') } else { text };
            Value::String(trimmed.to_owned())
        }
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        Value::Array(values) => values.iter().map(plain).collect(),
        other => other.clone(),
    }
}

fn events() -> Result<Vec<Value>> {
    let mut events = dark_corners();
    // Deterministic: a failure comes again.
    let mut runner = TestRunner::deterministic();
    while events.len() < EVENTS {
        let tree = event().new_tree(&mut runner).map_err(|reason| anyhow::anyhow!("no event: {reason}"))?;
        events.push(tree.current());
    }
    Ok(events)
}

fn dark_corners() -> Vec<Value> {
    let titles = [
        "",
        "\0",
        "\u{1}\u{1f}\u{7f}",
        "\"\\/\u{8}\u{c}\n\r\t",
        "'; DROP TABLE events; --",
        "\\N",
        "NULL",
        "{\"a\":1}",
        "\u{2028}\u{2029}",
        "😀\u{200d}👩‍🚀",
        "ไทย עברית 日本語",
        "\u{fffd}\u{feff}",
        "${jndi}",
        "a\u{0301}",
    ];
    let numbers = [0, 1, u64::from(u32::MAX), 1 << 53, (1 << 53) + 1, u64::MAX - 1, u64::MAX];
    let titles =
        titles.iter().map(|title| json!({"event_type": "search", "page_title": title, "properties": {"q": title}}));
    let numbers = numbers.iter().map(|number| json!({"event_type": "login", "user_id": number, "product_id": number}));
    let money = ["0", "0.0001", "-0.0001", "99999999999999.9999", "-99999999999999.9999", "1e3", "12.50"];
    let money =
        money.iter().map(|text| json!({"event_type": "refund", "order_id": "o", "revenue": text, "currency": "EUR"}));
    titles.chain(numbers).chain(money).collect()
}

fn event() -> impl Strategy<Value = Value> {
    let text = "\\PC{0,40}|[\\x00-\\x7f]{0,40}|(\\\\|\"|\\n|'|\\t|\\{|\\}){0,20}";
    let texts = (text, text, text, "[a-z.]{1,20}");
    let numbers = (any::<u64>(), any::<u64>(), any::<u32>(), 0..1_000_u32, 0..=100_u8, any::<(u16, u16)>());
    let money = (-999_999_999_999_i64..999_999_999_999, 0..10_000_u32);
    (texts, numbers, money).prop_map(|((title, session, value, key), (user, product, quantity, seq, scroll, (width, height)), (units, parts))| {
        json!({
            "event_id": uuid::Uuid::now_v7().to_string(), "event_type": "add_to_cart", "page_url": "https://shop.example/p", "page_title": title,
            "session_id": session, "user_id": user, "product_id": product, "quantity": quantity, "seq": seq, "scroll_pct": scroll,
            "screen": format!("{width}x{height}"), "revenue": format!("{units}.{parts:04}"), "currency": "EUR", "properties": {key: value},
        })
    })
}
