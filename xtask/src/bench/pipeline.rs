//! What a beacon costs. In scope: the core's own bench on one native core, and the CPU that the built Worker takes in workerd.
//!
//! In workerd the whole Worker is measured, not only its pipeline: reading headers and body through JavaScript, parsing, checking,
//! judging, enriching, encoding, and the answer. `POST /v1/validate` does all of that and stores nothing, and shows the row
//! besides. What HTTP itself costs is taken off by a no-op Worker in the same runtime, which reads the same requests in the same run.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use uuid::Uuid;

use super::event;
use super::figure::{Budget, Figure, float, median};
use super::load::{Load, Pace};
use super::runtime::Runtime;
use crate::build::size;
use crate::stack::port;
use crate::{build, paths, step, tool};

pub(super) const METHOD: &str = "native: cargo bench of collector-core, one thread, medians; workerd: CPU time of the process over POST /v1/validate of one \
    1 KB event on 1 connection, warm, less the same on a no-op Worker; medians of 5 rounds";

const NATIVE_EVENTS_PER_SECOND_MIN: f64 = 150_000.0;
const MAX_BEACON_US: f64 = 60.0;

const MAX_BUILD_MINUTES: u64 = 20;
/// Requests before the first round: V8 compiles what is hot only after some hundreds of calls.
const WARM_UP_REQUESTS: u64 = 2_000;
const ROUND_REQUESTS: u64 = 5_000;
const ROUNDS: usize = 5;
/// Of a larger beacon, to tell what each further event costs.
const MANY_EVENTS: usize = 11;
const MANY_ROUND_REQUESTS: u64 = 1_000;

pub(super) fn measure() -> Result<Vec<Figure>> {
    let native = native_events_per_second()?;
    build::worker()?;
    let folder = tempfile::tempdir()?;
    let ours = Runtime::start_collector(&folder.path().join("ours"))?;
    let no_op = start_no_op(&folder.path().join("no-op"))?;
    let [one, many] = step::step("beacons to the Worker and to a no-op Worker", || {
        let one = beacon_us(&ours, &no_op, 1, ROUND_REQUESTS)?;
        Ok([one, beacon_us(&ours, &no_op, MANY_EVENTS, MANY_ROUND_REQUESTS)?])
    })?;
    let further = (many.over_no_op_us - one.over_no_op_us) / float(MANY_EVENTS - 1);
    Ok(vec![
        Figure::new("native, one core", native, "events/s", Budget::AtLeast(NATIVE_EVENTS_PER_SECOND_MIN)),
        Figure::new("Worker in workerd, beacon of one event", one.over_no_op_us, "us", Budget::AtMost(MAX_BEACON_US)),
        Figure::new("Worker in workerd, each further event", further, "us", Budget::AtMost(MAX_BEACON_US)),
        Figure::new("no-op Worker, the same request", one.no_op_us, "us", Budget::None),
    ])
}

/// CPU per request, in microseconds.
struct Cost {
    over_no_op_us: f64,
    no_op_us: f64,
}

fn beacon_us(ours: &Runtime, no_op: &Runtime, events: usize, requests: u64) -> Result<Cost> {
    for runtime in [ours, no_op] {
        request_us(runtime, events, WARM_UP_REQUESTS.min(requests))?;
    }
    let (mut over, mut base) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let no_op_us = request_us(no_op, events, requests)?;
        over.push(request_us(ours, events, requests)? - no_op_us);
        base.push(no_op_us);
    }
    Ok(Cost { over_no_op_us: median(over), no_op_us: median(base) })
}

fn request_us(runtime: &Runtime, events: usize, requests: u64) -> Result<f64> {
    let request = move |number| event::post("/v1/validate", number, event::envelope(Uuid::now_v7(), events));
    let before = runtime.cpu_time()?;
    Load { port: runtime.port, connections: 1, request }.run(Pace::Count(requests))?.all_taken()?;
    Ok(runtime.cpu_time()?.saturating_sub(before).as_secs_f64() * 1e6 / float(requests))
}

fn start_no_op(folder: &Path) -> Result<Runtime> {
    let port = port::free_block()?;
    size::write_no_op(folder, port)?;
    Runtime::start(folder, port)
}

/// Runs the core's bench and reads the row of one event from its report.
fn native_events_per_second() -> Result<f64> {
    let bench = ["bench", "--locked", "-p", "collector-core", "--bench", "pipeline"];
    let mut build = Command::new("cargo");
    build.args(bench).arg("--no-run").current_dir(paths::root());
    step::run("building the core's bench", &mut build, MAX_BUILD_MINUTES)?;
    let report = step::step("the core's bench", || {
        tool::output(Command::new("cargo").args(bench).args(["--", "pipeline"]).current_dir(paths::root()))
    })?;
    median_items_per_second(&report).with_context(|| format!("expected divan's report, found:\n{report}"))
}

/// Divan's report: the line under the argument `1` has items per second, as fastest, slowest, median and mean.
fn median_items_per_second(report: &str) -> Option<f64> {
    let mut lines = report.lines().skip_while(|line| !line.trim_start_matches(['│', ' ']).starts_with("├─ 1 "));
    let median = lines.nth(1)?.split('│').filter(|cell| cell.contains("item/s")).nth(2)?.trim();
    let (number, unit) = median.split_once(' ')?;
    let factor = match unit.trim() {
        "item/s" => 1.0,
        "Kitem/s" => 1e3,
        "Mitem/s" => 1e6,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_one_event_is_read() {
        let report = "\
pipeline           fastest       │ slowest       │ median        │ mean          │ samples │ iters
╰─ pipeline                      │               │               │               │         │
   ├─ 1            4.9 µs        │ 21.3 µs       │ 5.0 µs        │ 5.2 µs        │ 100     │ 3200
   │               204.0 Kitem/s │ 46.9 Kitem/s  │ 199.5 Kitem/s │ 192.3 Kitem/s │         │
   ├─ 10           44 µs         │ 98.3 µs       │ 46.1 µs       │ 48.3 µs       │ 100     │ 400
   │               227.3 Kitem/s │ 101.7 Kitem/s │ 216.9 Kitem/s │ 207.0 Kitem/s │         │
";
        assert_eq!(median_items_per_second(report), Some(199_500.0));
        assert_eq!(median_items_per_second("error: no such bench"), None);
    }
}
