//! "Nothing is doubled": a purchase with its items, in the rows, in the product statistics, and on the receipt.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use xtask::stack::Stack;

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("a_product_is_sold_once_however_often_it_is_sent", a_product_is_sold_once_however_often_it_is_sent),
    ("what_lacks_room_is_told_to_come_again", what_lacks_room_is_told_to_come_again),
];

/// A product that no other test sells.
const PRODUCT: u64 = 77_001_993;

/// A purchase of a product itself and of some items of it.
fn purchase(id: &str, product: u64, items: usize) -> Value {
    let item = json!({"product_id": product, "quantity": 2, "unit_price": "0.12345"});
    json!({"event_id": id, "event_type": "purchase", "order_id": format!("o-{id}"), "revenue": "1", "currency": "EUR",
        "product_id": product, "quantity": 1, "items": vec![item; items]})
}

fn a_product_is_sold_once_however_often_it_is_sent(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let id = lab::event_id();
    for (items, outcome) in [(1, "accepted"), (1, "duplicate"), (2, "accepted"), (2, "duplicate")] {
        let answer = lab::send(stack, &json!({"site": "demo", "events": [purchase(&id, PRODUCT, items)]}))?;
        ensure!(answer.status == 202 && answer.outcomes()? == [outcome], "{items} items: {answer:?}");
    }
    lab::expect_events(stack, &format!("order_id = 'o-{id}' AND event_type = 'item' AND revenue = 0.2469"), 2, 10)?;
    ensure!(lab::count_events(stack, &format!("order_id = 'o-{id}'"))? == 3, "expected the purchase and two items");
    let units = units_sold(stack)?;
    ensure!(units == 4, "expected two items of two pieces, found {units} sold");
    Ok(())
}

fn units_sold(stack: &Stack) -> Result<u64> {
    let sql = format!("SELECT sum(units_sold) FROM ecommerce.product_stats WHERE product_id = {PRODUCT}");
    stack.file.clickhouse.iter().map(|endpoint| Ok(endpoint.query(&sql)?.parse::<u64>()?)).sum()
}

fn what_lacks_room_is_told_to_come_again(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let last = lab::event_id();
    let login = json!({"event_id": last, "event_type": "login"});
    let mut events: Vec<_> = (0..10).map(|_| purchase(&lab::event_id(), PRODUCT + 1, 99)).collect();
    events.push(login.clone());
    let answer = lab::send(stack, &json!({"site": "demo", "events": events}))?;
    ensure!(answer.status == 429 && answer.header("Retry-After").is_some(), "{answer:?}");
    let results = answer.json()?["results"].clone();
    ensure!(results[9]["outcome"] == "accepted" && results[10]["reason"] == "beacon_full", "{results}");
    let again = lab::send(stack, &json!({"site": "demo", "events": [login]}))?;
    ensure!(again.status == 202 && again.outcomes()? == ["accepted"], "{again:?}");
    lab::expect_events(stack, &format!("event_id = '{last}'"), 1, 10)
}
