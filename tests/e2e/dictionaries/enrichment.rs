//! Questions that use a dictionary when they are asked.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use xtask::stack::clickhouse::Endpoint;

use super::known_user;
use crate::lab::{self, Lab};

/// Events of a site of their own, so that the numbers are known.
const EVENTS: &str = "INSERT INTO ecommerce.events \
    (site_id, event_id, event_type, timestamp, received_at, visitor_id, user_id, country, order_id, revenue, currency, is_bot) VALUES";

pub(super) fn visitors_are_counted_by_country_and_size(lab: &mut Lab) -> Result<()> {
    lab::pass_midnight()?;
    let endpoint = &lab.stack()?.file.clickhouse[0];
    let site = site();
    let view = |visitor: u8, country: &str, is_bot: u8| {
        format!(
            "('{site}', generateUUIDv4(), 'page_view', now64(3), now64(3), {visitor}, 0, '{country}', '', 0, '', {is_bot})"
        )
    };
    let events =
        [view(1, "IS", 0), view(1, "IS", 0), view(2, "IS", 0), view(3, "IS", 1), view(4, "", 0), view(5, "AQ", 0)];
    endpoint.query(&format!("{EVENTS} {}", events.join(", ")))?;
    let rows = rows(
        endpoint,
        &format!(
            "SELECT country, country_name, continent, events, visitors, isNull(visitors_per_million) AS is_unknown, \
             population > 300000 AND abs(visitors_per_million - 2e6 / population) < 1e-9 AS is_right \
             FROM ecommerce.visitors_by_country WHERE site_id = '{site}' AND date = today() ORDER BY country"
        ),
    )?;
    let expected = json!([
        {"country": "", "country_name": "", "continent": "", "events": 1, "visitors": 1, "is_unknown": 1, "is_right": 0},
        {"country": "AQ", "country_name": "Antarctica", "continent": "AN", "events": 1, "visitors": 1, "is_unknown": 1, "is_right": 0},
        {"country": "IS", "country_name": "Iceland", "continent": "EU", "events": 3, "visitors": 2, "is_unknown": 0, "is_right": 1},
    ]);
    ensure!(Value::from(rows.clone()) == expected, "expected {expected}, found {rows:?}");
    Ok(())
}

pub(super) fn revenue_is_shared_among_segments(lab: &mut Lab) -> Result<()> {
    let (user, segment) = known_user(lab)?;
    lab::pass_midnight()?;
    let endpoint = &lab.stack()?.file.clickhouse[0];
    let site = site();
    let order = |event: &str, user: u64, order: &str, revenue: &str, currency: &str| {
        format!(
            "('{site}', generateUUIDv4(), '{event}', now64(3), now64(3), 1, {user}, 'DE', '{order}', {revenue}, '{currency}', 0)"
        )
    };
    // Not the largest number: another test uses it.
    let unknown = u64::MAX - 7;
    let events = [
        order("purchase", user, "o1", "80", "EUR"),
        order("purchase", user, "o2", "20", "EUR"),
        order("refund", user, "o2", "25", "EUR"),
        order("purchase", 0, "o3", "25", "EUR"),
        order("purchase", unknown, "o4", "7", "USD"),
    ];
    endpoint.query(&format!("{EVENTS} {}", events.join(", ")))?;
    let found = rows(
        endpoint,
        &format!(
            "SELECT currency, segment_name, buyers, orders, toFloat64(revenue) AS revenue, share FROM ecommerce.segment_revenue \
             WHERE site_id = '{site}' AND date = today() ORDER BY currency, revenue DESC"
        ),
    )?;
    let expected = json!([
        {"currency": "EUR", "segment_name": segment, "buyers": 1, "orders": 2, "revenue": 75.0, "share": 0.75},
        {"currency": "EUR", "segment_name": "anonymous", "buyers": 0, "orders": 1, "revenue": 25.0, "share": 0.25},
        {"currency": "USD", "segment_name": "unknown", "buyers": 1, "orders": 1, "revenue": 7.0, "share": 1.0},
    ]);
    let as_numbers = |row: &Value| (row["revenue"].as_f64(), row["share"].as_f64());
    ensure!(found.len() == 3, "{found:?}");
    for (found, expected) in found.iter().zip(expected.as_array().expect("a list")) {
        let is_same =
            ["currency", "segment_name", "buyers", "orders"].iter().all(|field| found[field] == expected[field]);
        ensure!(is_same && as_numbers(found) == as_numbers(expected), "expected {expected}, found {found}");
    }
    Ok(())
}

fn site() -> String {
    format!("enrichment-{}", lab::event_id())
}

fn rows(endpoint: &Endpoint, sql: &str) -> Result<Vec<Value>> {
    let text =
        endpoint.query(&format!("{sql} FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 0"))?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}
