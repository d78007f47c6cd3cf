//! "Page views are sent by themselves": a real browser on the sample shop, and its rows.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] =
    &[("a_real_browser_shops_and_its_rows_arrive", a_real_browser_shops_and_its_rows_arrive)];

fn a_real_browser_shops_and_its_rows_arrive(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let user = xtask::traffic::now_ms();
    let output = Command::new("node")
        .arg(xtask::paths::root().join("tests/browser/shop.mjs"))
        .args(["--shop", &stack.file.shop, "--user-id", &user.to_string()])
        .args(["--chromium", &xtask::tool::chromium()?.to_string_lossy()])
        .output()
        .context("expected to run the browser")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "the browser's visit: {text}\n{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_str(text.lines().last().unwrap_or_default()).context("expected a report")?;
    let order = report["order_id"].as_str().context("expected an order_id")?.to_owned();
    lab::wait_for("the purchase in ClickHouse", 5, || {
        Ok((lab::count_events(stack, &format!("order_id = '{order}' AND event_type = 'purchase'"))? > 0).then_some(()))
    })?;
    let endpoint = &stack.file.clickhouse[0];
    let row = endpoint.query(&format!(
        "SELECT site_id, toString(user_id), browser, os, device_type, is_bot, bot_signals, currency, revenue > 0, screen_width > 0, language != '', \
         session_id != '', visitor_id != 0, abs(dateDiff('second', timestamp, received_at)) < 60, startsWith(tracker, 'landfall-js/') \
         FROM ecommerce.events WHERE order_id = '{order}' AND event_type = 'purchase' FORMAT JSONCompactEachRow"
    ))?;
    let expected = json!(["demo", user.to_string(), "Chrome", "Linux", "desktop", 0, [], "EUR", 1, 1, 1, 1, 1, 1, 1]);
    let found: Value = serde_json::from_str(&row)?;
    ensure!(found == expected, "expected {expected}, found {found}");
    let path = endpoint.query(&format!(
        "SELECT countIf(event_type = 'page_view') >= 3, countIf(event_type = 'product_view') >= 1, countIf(event_type = 'add_to_cart') >= 1, \
         uniqExact(session_id), uniqExact(visitor_id), count() = uniqExact(event_id) FROM ecommerce.events \
         WHERE session_id IN (SELECT session_id FROM ecommerce.events WHERE order_id = '{order}')"
    ))?;
    ensure!(path == "1\t1\t1\t1\t1\t1", "expected the whole visit as one session, found {path}");
    Ok(())
}
