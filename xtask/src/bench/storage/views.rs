//! Materialized views beside the raw table. In scope: 10 M events generated in ClickHouse itself, and the questions that both can answer.

use std::time::Instant;

use anyhow::Result;

use crate::bench::lab::Lab;
use crate::{interrupt, step};

/// Of each INSERT, so that progress is seen.
const EVENTS_PER_INSERT: u32 = 1_000_000;
const INSERTS: u32 = 10;
const QUERIES: usize = 5;

/// A question that the raw table and a view answer alike.
pub(super) struct Question {
    pub(super) name: &'static str,
    pub(super) raw: &'static str,
    pub(super) view: &'static str,
}

pub(super) const QUESTIONS: [Question; 2] = [
    Question {
        name: "a month by hour and type",
        raw: "SELECT toStartOfHour(timestamp) AS hour, event_type, is_bot, currency, count(), uniqIf(user_id, user_id != 0), uniq(visitor_id), \
              uniqIf(session_id, session_id != ''), sum(revenue), sum(toUInt64(engaged_ms)) FROM ecommerce.events \
              WHERE site_id = 'bench' GROUP BY hour, event_type, is_bot, currency FORMAT Null",
        view: "SELECT * FROM ecommerce.hourly_events WHERE site_id = 'bench' FORMAT Null",
    },
    Question {
        name: "a month's funnel by product and day",
        raw: "SELECT assumeNotNull(product_id) AS product, toDate(timestamp) AS date, is_bot, countIf(event_type = 'product_view'), \
              countIf(event_type = 'add_to_cart'), countIf(event_type = 'remove_from_cart'), \
              uniqIf(order_id, event_type IN ('purchase', 'item')), sumIf(toUInt64(quantity), event_type IN ('purchase', 'item')), \
              uniqIf(visitor_id, event_type = 'product_view') FROM ecommerce.events \
              WHERE site_id = 'bench' AND isNotNull(product_id) GROUP BY product, date, is_bot FORMAT Null",
        view: "SELECT * FROM ecommerce.product_stats WHERE site_id = 'bench' FORMAT Null",
    },
];

/// Fills the raw table; the views fill with it. A month of 300,000 visitors, 1,000 products of a shop and its usual mix of events.
pub(super) fn generate(lab: &Lab) -> Result<()> {
    for insert in 0..INSERTS {
        step::step(&format!("generating events, {} of {INSERTS} million", insert + 1), || {
            lab.clickhouse().query(&million(insert * EVENTS_PER_INSERT))
        })?;
    }
    step::step("merging", || {
        for table in ["events", "hourly_events_state", "product_stats_state"] {
            lab.clickhouse().query(&format!("OPTIMIZE TABLE ecommerce.{table} FINAL"))?;
        }
        Ok(())
    })
}

/// A visit is ten events of one visitor within minutes; the hash of its number decides everything about it.
fn million(first: u32) -> String {
    format!(
        "INSERT INTO ecommerce.events (event_id, site_id, event_type, timestamp, received_at, visitor_id, user_id, session_id, page_id, seq, \
         page_url, page_path, country, device_type, browser, os, product_id, order_id, quantity, revenue, currency, engaged_ms, is_bot, user_agent) \
         WITH number + {first} AS n, intDiv(n, 10) AS visit, cityHash64(visit) AS luck, n % 10 AS step, \
         luck % 12 = 0 AND step = 9 AS is_purchase, \
         toDateTime64('2025-11-01 00:00:00', 3, 'UTC') + toIntervalSecond(luck % 2592000 + step * 40) AS moment, \
         1 + cityHash64(n, 'product') % 1000 AS product \
         SELECT generateUUIDv4(), 'bench', \
         if(is_purchase, 'purchase', arrayElement(['page_view', 'product_view', 'product_view', 'product_list_view', 'product_view', \
         'add_to_cart', 'product_view', 'search', 'begin_checkout', 'page_view'], step + 1)) AS type, \
         moment, moment, cityHash64(luck % 300000, 'visitor'), if(luck % 5 = 0, 1 + luck % 300000, 0), toString(luck), toString(cityHash64(n)), step, \
         concat('https://shop.example/p/', toString(product)), concat('/p/', toString(product)), \
         arrayElement(['DE', 'FR', 'US', 'JP', 'BR'], 1 + luck % 5), if(luck % 3 = 0, 'desktop', 'smartphone'), \
         arrayElement(['Chrome', 'Mobile Safari', 'Firefox'], 1 + luck % 3), arrayElement(['Windows', 'iOS', 'Android'], 1 + luck % 3), \
         if(type IN ('product_view', 'add_to_cart', 'purchase'), product, NULL), if(is_purchase, concat('o', toString(visit)), ''), \
         if(type IN ('add_to_cart', 'purchase'), 1, 0), if(is_purchase, toDecimal64(10 + product % 200, 4), 0), if(is_purchase, 'EUR', ''), \
         luck % 30000, luck % 40 = 0, 'Mozilla/5.0' FROM numbers({EVENTS_PER_INSERT})"
    )
}

/// How long each of some runs of a query takes, as its client sees it.
pub(super) fn times_ms(lab: &Lab, sql: &str) -> Result<Vec<f64>> {
    let mut times = Vec::with_capacity(QUERIES);
    for _ in 0..QUERIES {
        interrupt::check()?;
        let started = Instant::now();
        lab.clickhouse().query(sql)?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}
