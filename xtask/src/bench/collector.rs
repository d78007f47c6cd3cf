//! The collector under load. In scope: durable acknowledgement beside a bare Durable Object, rows per INSERT beside one INSERT per
//! beacon, and the time until an acknowledged event can be queried; one stack, one run.

mod bare;
mod freshness;
mod single_insert;

use std::time::Duration;

use anyhow::Result;
use uuid::Uuid;

use super::event;
use super::figure::{Budget, Figure, float, median, quantile};
use super::lab::Lab;
use super::load::{Answers, Load, Pace};
use crate::step;

pub(super) const METHOD: &str = "beacons of one 1 KB event from 256 connections, one workerd process; the load generator, workerd and ClickHouse share the cores of this machine; \
    the bare Worker appends the same requests' bodies to a SQLite Durable Object, one row each; medians of 3 alternating rounds";

const OF_BARE_MIN: f64 = 0.8;
const ROWS_PER_INSERT_MIN: f64 = 1_000.0;
const OF_SINGLE_INSERTS_MIN: f64 = 100.0;
const MAX_QUERYABLE_P95_MS: f64 = 2_000.0;

/// Enough that a window of the Batcher is full while the next one fills.
const CONNECTIONS: u64 = 256;
const WARM_UP: Duration = Duration::from_secs(3);
const ROUND: Duration = Duration::from_secs(8);
const ROUNDS: usize = 3;
const MAX_DRAIN: Duration = Duration::from_mins(2);

pub(super) fn measure() -> Result<Vec<Figure>> {
    let lab = Lab::start()?;
    let bare = bare::start(&lab.folder().join("bare"))?;
    let port = lab.stack.layout.ports.collector;
    // Then every INSERT stays the part that it made.
    lab.clickhouse().query("SYSTEM STOP MERGES ecommerce.events")?;
    let mut acknowledged = warm_up(port, bare.port)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let [own, other] =
            step::step(&format!("round {round} of {ROUNDS}"), || Ok([flood(port, ROUND)?, flood(bare.port, ROUND)?]))?;
        acknowledged += float(own.taken);
        ours.push(own);
        theirs.push(other);
    }
    drop(bare);
    lab.wait_for_events(acknowledged, MAX_DRAIN)?;
    let rows_per_insert = rows_per_insert(&lab)?;
    lab.clickhouse().query("SYSTEM START MERGES ecommerce.events")?;
    let single_inserts = single_insert::per_second(&lab)?;
    let found_ms = freshness::measure(&lab)?;
    let queryable = |share| quantile(&found_ms, share);
    let rate = |rounds: &[Answers]| median(rounds.iter().map(Answers::per_second).collect());
    let acknowledgement = |share| median(ours.iter().map(|round| round.latency_ms(share)).collect());
    let (own, other) = (rate(&ours), rate(&theirs));
    Ok(vec![
        Figure::new("durable events, collector", own, "events/s", Budget::None),
        Figure::new("durable appends, bare Worker -> Durable Object", other, "events/s", Budget::None),
        Figure::new("collector over bare", own / other, "x", Budget::AtLeast(OF_BARE_MIN)),
        Figure::new("acknowledgement under that load, p50", acknowledgement(0.5), "ms", Budget::None),
        Figure::new("acknowledgement under that load, p99", acknowledgement(0.99), "ms", Budget::None),
        Figure::new("rows per INSERT under that load", rows_per_insert, "rows", Budget::AtLeast(ROWS_PER_INSERT_MIN)),
        Figure::new("one INSERT per beacon", single_inserts, "events/s", Budget::None),
        Figure::new("collector over that", own / single_inserts, "x", Budget::AtLeast(OF_SINGLE_INSERTS_MIN)),
        Figure::new("beacon to queryable, p50", queryable(0.5), "ms", Budget::None),
        Figure::new("beacon to queryable, p95", queryable(0.95), "ms", Budget::AtMost(MAX_QUERYABLE_P95_MS)),
        Figure::new("beacon to queryable, p99", queryable(0.99), "ms", Budget::None),
    ])
}

/// What the first seconds take of the collector is stored too.
fn warm_up(ours: u16, bare: u16) -> Result<f64> {
    step::step("warming up", || {
        flood(bare, WARM_UP)?;
        Ok(float(flood(ours, WARM_UP)?.taken))
    })
}

fn flood(port: u16, time: Duration) -> Result<Answers> {
    let request = |number| event::post("/v1/events", number, event::envelope(Uuid::now_v7(), 1));
    Load { port, connections: CONNECTIONS, request }.run(Pace::Flood(time))?.all_taken()
}

/// Without merges an INSERT of at most a million rows is one part per partition, and this run is in one month.
fn rows_per_insert(lab: &Lab) -> Result<f64> {
    lab.number(
        "SELECT sum(rows) / count() FROM system.parts WHERE database = 'ecommerce' AND table = 'events' AND active",
    )
}
