//! Dollars per million events. In scope: what Cloudflare bills, counted by the real Worker at some rates, and the list prices.
//! Out of scope: ClickHouse, traffic out of it, and what a plan includes (docs/cost.md has both views).

mod meter;

use std::time::Duration;

use anyhow::Result;
use uuid::Uuid;

use super::event;
use super::figure::{Budget, Figure, float};
use super::lab::Lab;
use super::load::{Load, Pace};
use crate::step;
use meter::{Meter, Reading};

pub(super) const METHOD: &str = "beacons of one event at a steady rate for 30 s, one region, one Batcher; rows written, requests and alarms as the Worker's own Durable Objects \
    counted them, CPU of the whole workerd process; Workers Paid list prices, nothing included";

const RATES_PER_SECOND: [u32; 4] = [1, 10, 100, 1_000];
const TIME: Duration = Duration::from_secs(30);
const WARM_UP_PER_SECOND: u32 = 100;
const WARM_UP: Duration = Duration::from_secs(5);
/// Until the last event of a rate is delivered and its alarms are over.
const MAX_SETTLE: Duration = Duration::from_secs(30);
const MAX_CONNECTIONS: u32 = 64;
/// Few enough that none is idle for long: workerd closes those.
const REQUESTS_PER_CONNECTION_AND_SECOND: u32 = 4;

/// Dollars per million Worker requests; those from Worker to object are not among them.
const WORKER_REQUESTS: f64 = 0.30;
/// Dollars per million milliseconds of CPU.
const CPU_MS: f64 = 0.02;
/// Dollars per million requests to objects and alarms.
const OBJECT_REQUESTS: f64 = 0.15;
/// Dollars per million rows written; setting an alarm is one.
const ROWS: f64 = 1.00;
/// Dollars per million GB-seconds that an object is active.
const GB_SECONDS: f64 = 12.50;
/// What an active object is billed as, whatever it uses.
const OBJECT_GB: f64 = 0.128;
/// The Batcher and the Registry, both active all the time at these rates: the most that it can be with one isolate.
const ACTIVE_OBJECTS: f64 = 2.0;

pub(super) fn measure() -> Result<Vec<Figure>> {
    let lab = Lab::start()?;
    let meter = Meter::start(&lab)?;
    let mut sent = send(&meter, WARM_UP_PER_SECOND, WARM_UP)?;
    lab.wait_for_events(sent, MAX_SETTLE)?;
    let mut figures = Vec::new();
    for rate in RATES_PER_SECOND {
        let (before, cpu_before) = (meter.read()?, meter.cpu_time()?);
        let title = format!("{rate} events per second for {} s", TIME.as_secs());
        let events = step::step(&title, || send(&meter, rate, TIME))?;
        sent += events;
        lab.wait_for_events(sent, MAX_SETTLE)?;
        let used = meter.read()?.since(&before);
        let cpu = meter.cpu_time()?.saturating_sub(cpu_before);
        figures.extend(Usage::of(&used, cpu, events, f64::from(rate)).figures(rate));
    }
    Ok(figures)
}

/// What a million events use, in millions.
struct Usage {
    object_requests: f64,
    rows: f64,
    cpu_ms: f64,
    gb_seconds: f64,
}

fn send(meter: &Meter, rate: u32, time: Duration) -> Result<f64> {
    let request = |number| event::post("/v1/events", number, event::envelope(Uuid::now_v7(), 1));
    let pace = Pace::Steady { per_second: f64::from(rate), time };
    let connections = (rate / REQUESTS_PER_CONNECTION_AND_SECOND).clamp(1, MAX_CONNECTIONS).into();
    let answers = Load { port: meter.port(), connections, request }.run(pace)?.all_taken()?;
    Ok(float(answers.taken))
}

impl Usage {
    fn of(used: &Reading, cpu: Duration, events: f64, rate: f64) -> Self {
        Self {
            object_requests: float(used.object_requests + used.alarms) / events,
            // A delivered segment is dropped ten minutes later, behind the end of this run: one more row each.
            rows: float(used.rows_written + used.segments) / events,
            cpu_ms: cpu.as_secs_f64() * 1e3 / events,
            gb_seconds: ACTIVE_OBJECTS * OBJECT_GB / rate,
        }
    }

    /// A million events use as many millions of each as one event uses of it.
    fn dollars(&self) -> f64 {
        WORKER_REQUESTS
            + CPU_MS * self.cpu_ms
            + OBJECT_REQUESTS * self.object_requests
            + ROWS * self.rows
            + GB_SECONDS * self.gb_seconds
    }

    fn figures(&self, rate: u32) -> [Figure; 5] {
        let figure =
            |what: &str, measured, unit| Figure::new(format!("{rate}/s: {what}"), measured, unit, Budget::None);
        [
            figure("rows written per event", self.rows, "rows"),
            figure("object requests and alarms per event", self.object_requests, ""),
            figure("CPU per event", self.cpu_ms, "ms"),
            figure("objects active per event", self.gb_seconds, "GB-s"),
            figure("per million events", self.dollars(), "$"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_events_cost_what_they_use() {
        let used = Reading { rows_written: 400, segments: 100, object_requests: 900, alarms: 100 };
        let usage = Usage::of(&used, Duration::from_secs(1), 1_000.0, 10.0);
        // 0.30 + 0.02 x 1 ms + 0.15 x 1 request + 1.00 x 0.5 rows + 12.50 x 2 x 0.128 / 10 GB-s
        assert!((usage.dollars() - 1.29).abs() < 1e-9, "{}", usage.dollars());
    }
}
