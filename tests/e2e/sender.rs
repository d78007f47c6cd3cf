//! "Who sends": first-party ids of persistent visitors, and a shop's server with its key.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("a_persistent_visitor_gets_a_cookie_once", a_persistent_visitor_gets_a_cookie_once),
    ("a_site_of_daily_visitors_sets_no_cookie", a_site_of_daily_visitors_sets_no_cookie),
    ("a_shops_server_sends_with_its_key", a_shops_server_sends_with_its_key),
];

/// The SHA-256 of `shop-server-key`.
const KEY_DIGEST: &str = "27f0f5c295a6442fac16676c0876473bd17930238696aeaab722026e59a34af2";

fn view(site: &str, id: &str) -> Vec<u8> {
    let view = json!({"event_id": id, "event_type": "page_view", "page_url": "https://shop.example/"});
    json!({"site": site, "events": [view]}).to_string().into_bytes()
}

fn a_persistent_visitor_gets_a_cookie_once(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    lab::put_site(stack, &json!({"id": "club", "domains": ["shop.example"], "privacy": {"visitor": "persistent"}}))?;
    let (first, second) = (lab::event_id(), lab::event_id());
    let origin = ("Origin", "https://shop.example");
    let answer = lab::post(stack, "/v1/events", &view("club", &first), &[origin, ("CF-Connecting-IP", "203.0.113.5")])?;
    let cookie =
        answer.header("Set-Cookie").with_context(|| format!("expected a cookie, found {answer:?}"))?.to_owned();
    for part in ["landfall_id=", "HttpOnly", "SameSite=Lax", "Max-Age=33696000", "Path=/"] {
        ensure!(cookie.contains(part), "expected {part} in {cookie}");
    }
    ensure!(answer.header("Access-Control-Allow-Credentials") == Some("true"), "{answer:?}");
    let pair = cookie.split(';').next().unwrap_or_default().to_owned();
    // Another address: only the cookie says who it is.
    let again = lab::post(
        stack,
        "/v1/events",
        &view("club", &second),
        &[origin, ("CF-Connecting-IP", "198.51.100.7"), ("Cookie", &pair)],
    )?;
    ensure!(again.status == 202 && again.header("Set-Cookie").is_none(), "{again:?}");
    let condition = format!("event_id IN ('{first}', '{second}')");
    lab::expect_events(stack, &condition, 2, 10)?;
    let mut visitors = Vec::new();
    for endpoint in &stack.file.clickhouse {
        let sql = format!("SELECT DISTINCT visitor_id FROM ecommerce.events WHERE {condition}");
        visitors.extend(endpoint.query(&sql)?.lines().map(str::to_owned));
    }
    ensure!(visitors.len() == 1 && visitors[0] != "0", "expected one visitor, found {visitors:?}");
    let private = lab::post(stack, "/v1/events", &view("club", &lab::event_id()), &[origin, ("Sec-GPC", "1")])?;
    ensure!(private.header("Set-Cookie").is_none(), "who wants privacy gets no id: {private:?}");
    Ok(())
}

fn a_site_of_daily_visitors_sets_no_cookie(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let answer = lab::post(stack, "/v1/events", &view("demo", &lab::event_id()), &[])?;
    ensure!(answer.status == 202 && answer.header("Set-Cookie").is_none(), "{answer:?}");
    Ok(())
}

fn a_shops_server_sends_with_its_key(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    lab::put_site(stack, &json!({"id": "orders", "domains": ["shop.example"], "ingest_key_sha256": [KEY_DIGEST]}))?;
    let id = lab::event_id();
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let an_hour_ago_ms = u64::try_from(now.as_millis())? - 3_600_000;
    let order = json!({"site": "orders", "events": [{"event_id": id, "event_type": "purchase", "order_id": "o-9", "revenue": "59.90", "currency": "EUR",
        "occurred_at": an_hour_ago_ms, "ip_address": "203.0.113.5", "user_agent": lab::FIREFOX}]});
    let key = ("Authorization", "Bearer shop-server-key");
    let agent = ("User-Agent", "shop-backend/1.0");
    let send = |headers: &[(&str, &str)]| lab::post_bare(stack, "/v1/events", order.to_string().as_bytes(), headers);
    let answer = send(&[key, agent])?;
    ensure!(answer.status == 202 && answer.outcomes()? == ["accepted"], "{answer:?}");
    let columns = "browser = 'Firefox' AND ip_address = toIPv6('203.0.113.0') AND revenue = 59.9 AND is_bot = 0 AND country = '' \
         AND timestamp < now() - 3500";
    lab::expect_events(stack, &format!("event_id = '{id}' AND {columns}"), 1, 10)?;
    for (headers, reason) in [
        (vec![("Authorization", "Bearer guessed"), agent], "wrong_ingest_key"),
        (vec![key, agent, ("Origin", "https://shop.example")], "ingest_key_in_browser"),
        (vec![key, agent, ("Sec-Fetch-Mode", "cors")], "ingest_key_in_browser"),
    ] {
        let refused = send(&headers)?;
        ensure!(refused.status == 403 && refused.text.contains(reason), "expected 403 {reason}, found {refused:?}");
    }
    Ok(())
}
