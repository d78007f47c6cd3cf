//! Bytes per event. In scope: a day of a shop's traffic through the collector, and what its columns weigh.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::Request;

use crate::bench::event::Beacon;
use crate::bench::figure::float;
use crate::bench::lab::Lab;
use crate::bench::load::{Load, Pace};
use crate::step;
use crate::traffic::{Shoppers, Visit, now_ms};

const VISITS: u64 = 40_000;
/// Five visits each: about a dozen events of one visitor lie together.
const SHOPPERS: u64 = 8_000;
const CONNECTIONS: u64 = 128;
const MAX_DRAIN: Duration = Duration::from_mins(2);
const COLUMNS_SHOWN: usize = 6;

/// The shop's events, each page at a time of its own within a day: what took a minute here would have taken a day.
const SPREAD: &str = "INSERT INTO ecommerce.shop_day SELECT * REPLACE (\
    timestamp + toIntervalMillisecond(cityHash64(page_id) % 86400000) AS timestamp, \
    received_at + toIntervalMillisecond(cityHash64(page_id) % 86400000) AS received_at) FROM ecommerce.events";

pub(super) struct Shop {
    pub(super) bytes_per_event: f64,
    pub(super) json_bytes_per_event: f64,
    /// Name and bytes per event.
    pub(super) largest_columns: Vec<(String, f64)>,
}

pub(super) fn measure(lab: &Lab) -> Result<Shop> {
    let port = lab.stack.layout.ports.collector;
    let shoppers = Mutex::new(Shoppers::new(SHOPPERS));
    let sent = Arc::new(AtomicU64::new(0));
    let events = Arc::clone(&sent);
    let request = move |_| {
        let visit = shoppers.lock().unwrap_or_else(PoisonError::into_inner).visit(now_ms());
        events.fetch_add(visit.events(), Ordering::Relaxed);
        post(&visit)
    };
    step::step(&format!("{VISITS} visits to the shop"), || {
        Load { port, connections: CONNECTIONS, request }.run(Pace::Count(VISITS))?.all_taken()
    })?;
    lab.wait_for_events(float(sent.load(Ordering::Relaxed)), MAX_DRAIN)?;
    step::step("spreading them over a day", || {
        lab.clickhouse().query("CREATE TABLE ecommerce.shop_day AS ecommerce.events")?;
        lab.clickhouse().query(SPREAD)?;
        lab.clickhouse().query("OPTIMIZE TABLE ecommerce.shop_day FINAL")
    })?;
    Ok(Shop {
        bytes_per_event: lab.number(
            "SELECT sum(data_compressed_bytes) / sum(rows) FROM system.parts \
             WHERE database = 'ecommerce' AND table = 'shop_day' AND active",
        )?,
        json_bytes_per_event: lab.number(
            "SELECT avg(length(formatRow('JSONEachRow', *))) FROM (SELECT * FROM ecommerce.shop_day LIMIT 1000)",
        )?,
        largest_columns: largest_columns(lab)?,
    })
}

fn post(visit: &Visit) -> Beacon {
    Request::post("/v1/events")
        .header("Host", "127.0.0.1")
        .header("Content-Type", "text/plain")
        .header("Origin", "https://shop.example")
        .header("User-Agent", visit.user_agent)
        .header("Accept-Language", "en-GB,en;q=0.8")
        .header("Sec-Fetch-Mode", "no-cors")
        .header("CF-Connecting-IP", &visit.ip)
        .header("CF-Blob", visit.cf.to_string())
        .body(Full::from(visit.body.to_string()))
        .expect("every header is one")
}

fn largest_columns(lab: &Lab) -> Result<Vec<(String, f64)>> {
    let answer = lab.clickhouse().query(&format!(
        "SELECT column, sum(column_data_compressed_bytes) / sum(rows) AS bytes FROM system.parts_columns \
         WHERE database = 'ecommerce' AND table = 'shop_day' AND active GROUP BY column ORDER BY bytes DESC LIMIT {COLUMNS_SHOWN}"
    ))?;
    answer
        .lines()
        .map(|line| {
            let (column, bytes) =
                line.split_once('\t').with_context(|| format!("expected two columns, found {line:?}"))?;
            Ok((column.to_owned(), bytes.parse()?))
        })
        .collect()
}
