//! Beacon to queryable. In scope: probes among a steady load, each looked for in ClickHouse until it is there.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use uuid::Uuid;

use crate::bench::event;
use crate::bench::lab::Lab;
use crate::bench::load::{Load, Pace};
use crate::{interrupt, step};

/// The load among which the probes are.
const EVENTS_PER_SECOND: f64 = 200.0;
const CONNECTIONS: u64 = 32;
const TIME: Duration = Duration::from_secs(40);
/// After each of these a probe is sent: no multiple of the flush interval, so that every phase of it is met.
const PROBE_EVERY: Duration = Duration::from_millis(137);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// With fewer the 99th per cent would be the slowest alone.
const PROBES_MIN: usize = 100;
/// A probe that is not found by then is lost.
const MAX_PROBE: Duration = Duration::from_secs(30);

/// Milliseconds from sending a beacon to the first query that finds its event, ascending.
pub(super) fn measure(lab: &Lab) -> Result<Vec<f64>> {
    let port = lab.stack.layout.ports.collector;
    let request = |number| event::post("/v1/events", number, event::envelope(Uuid::now_v7(), 1));
    let load = Load { port, connections: CONNECTIONS, request };
    let pace = Pace::Steady { per_second: EVENTS_PER_SECOND, time: TIME };
    step::step("probes among a steady load", || {
        std::thread::scope(|scope| {
            let load = scope.spawn(move || load.run(pace)?.all_taken());
            let found_ms = probe(lab)?;
            load.join().map_err(|_| anyhow::anyhow!("expected the load to end, found a panic"))??;
            Ok(found_ms)
        })
    })
}

fn probe(lab: &Lab) -> Result<Vec<f64>> {
    let started = Instant::now();
    let mut next = started;
    let mut sent: HashMap<Uuid, Instant> = HashMap::new();
    let mut found_ms = Vec::new();
    while started.elapsed() < TIME || !sent.is_empty() {
        interrupt::check()?;
        if Instant::now() >= next && started.elapsed() < TIME {
            let id = Uuid::now_v7();
            sent.insert(id, Instant::now());
            next += PROBE_EVERY;
            send(lab, id)?;
        }
        for id in look(lab, &sent)? {
            if let Some(at) = sent.remove(&id) {
                found_ms.push(at.elapsed().as_secs_f64() * 1e3);
            }
        }
        let oldest = sent.values().map(Instant::elapsed).max().unwrap_or_default();
        ensure!(oldest < MAX_PROBE, "expected every probe to be found within {} s", MAX_PROBE.as_secs());
        std::thread::sleep(LOOK_EVERY);
    }
    found_ms.sort_by(f64::total_cmp);
    ensure!(found_ms.len() >= PROBES_MIN, "expected {PROBES_MIN} probes or more, found {}", found_ms.len());
    Ok(found_ms)
}

fn send(lab: &Lab, id: Uuid) -> Result<()> {
    ureq::post(&format!("{}/v1/events", lab.stack.file.collector))
        .header("User-Agent", event::USER_AGENT)
        .send(event::envelope(id, 1))?;
    Ok(())
}

/// Those of the probes that a query finds now.
fn look(lab: &Lab, sent: &HashMap<Uuid, Instant>) -> Result<Vec<Uuid>> {
    if sent.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<String> = sent.keys().map(|id| format!("'{id}'")).collect();
    let sql = format!("SELECT event_id FROM ecommerce.events WHERE event_id IN ({})", ids.join(","));
    let answer = lab.clickhouse().query(&sql)?;
    Ok(answer.lines().filter_map(|line| Uuid::try_parse(line).ok()).collect())
}
