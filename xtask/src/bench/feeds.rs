//! The user-segments feed with ten million users. In scope: what one reader gets per second, beside a file server with the same bytes; what
//! the service needs for it; what ClickHouse makes of it. Out of scope: computing the segments.

mod download;
mod file_server;
mod process;
pub(super) mod segments;
mod service;

use std::time::Instant;

use anyhow::{Result, ensure};
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde_json::Value;

use super::event::Beacon;
use super::figure::{Budget, Figure, float, median};
use super::lab::Lab;
use super::load::{Load, Pace};
use crate::step;
use download::Download;
use file_server::FileServer;
use service::Service;

pub(super) const METHOD: &str = "10 M generated users in the real service; curl reads into /dev/null, medians of 3 rounds; service, readers and ClickHouse share the cores of this machine; \
    the file server sends the same bytes from the page cache by sendfile";

const USERS: u32 = 10_000_000;
/// One in a hundred.
const CHANGED_EVERY: u32 = 100;
const ROWS_PER_SECOND_MIN: f64 = 2e6;
const MAX_BYTES_PER_USER: f64 = 64.0;
const MAX_BASE_BYTES: f64 = 256e6;
const ROUNDS: usize = 3;
const READERS: usize = 4;
const LOOKUP_CONNECTIONS: u64 = 4;
const LOOKUP_REQUESTS: u64 = 20_000;
const KEYS_PER_REQUEST: u64 = 1_000;
const BATCH_REQUESTS: u64 = 500;

pub(super) fn measure() -> Result<Vec<Figure>> {
    let lab = Lab::start()?;
    let service = Service::start(&lab)?;
    let mut figures =
        vec![Figure::new("service start until it serves the stored snapshot", service.start_s, "s", Budget::None)];
    figures.extend(full_loads(&lab, &service)?);
    figures.extend(incremental_load(&service)?);
    figures.extend(many_readers(&service)?);
    figures.extend(lookups(&service)?);
    figures.extend(memory(&service)?);
    figures.extend(clickhouse_loads(&lab, &service)?);
    Ok(figures)
}

/// A whole snapshot as it is and compressed, each beside the same bytes from a file.
fn full_loads(lab: &Lab, service: &Service) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (coding, budget) in [("identity", Budget::AtLeast(ROWS_PER_SECOND_MIN)), ("zstd", Budget::None)] {
        step::step(&format!("full loads, {coding}"), || {
            let path = format!("user-segments?compression={coding}");
            let file = lab.folder().join(format!("users.{coding}"));
            let bytes = service.get(&path).save(&file)?;
            let server = FileServer::start(&file)?;
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                ours.push(service.get(&path).run()?.seconds);
                theirs.push(Download::of(&server.url()).run()?.seconds);
            }
            let (ours, theirs) = (median(ours), median(theirs));
            figures.extend([
                Figure::new(format!("full load, {coding}"), float(USERS) / ours, "rows/s", budget),
                Figure::new("  time", ours, "s", Budget::None),
                Figure::new("  size", float(bytes) / 1e6, "MB", Budget::None),
                Figure::new("  file server, the same bytes", theirs, "s", Budget::None),
                Figure::new("  feed over file server", ours / theirs, "x the time", Budget::None),
            ]);
            Ok(())
        })?;
    }
    Ok(figures)
}

fn incremental_load(service: &Service) -> Result<Vec<Figure>> {
    let path = format!("user-segments?last_updated={}", service::CHANGED_AT_TEXT);
    let load = median((0..ROUNDS).map(|_| Ok(service.get(&path).run()?.seconds)).collect::<Result<_>>()?);
    let rows = service.get(&path).text()?.lines().count();
    ensure!(rows == USERS.div_ceil(CHANGED_EVERY) as usize, "expected one in {CHANGED_EVERY} users, found {rows}");
    Ok(vec![
        Figure::new("incremental load, 1 % changed", load, "s", Budget::None),
        Figure::new("  rows", float(rows), "rows", Budget::None),
    ])
}

/// Readers at the same time share the cores, and add nothing to the memory but their buffers.
fn many_readers(service: &Service) -> Result<Vec<Figure>> {
    let before = service.memory()?;
    let started = Instant::now();
    std::thread::scope(|scope| -> Result<()> {
        let readers: Vec<_> =
            (0..READERS).map(|_| scope.spawn(|| service.get("user-segments?compression=identity").run())).collect();
        readers.into_iter().try_for_each(|reader| reader.join().expect("a reader that panics has failed").map(drop))
    })?;
    let rows = float(USERS) * float(READERS);
    let added = (service.memory()?.peak_bytes - before.peak_bytes) / 1e6;
    Ok(vec![
        Figure::new(
            format!("{READERS} readers at once"),
            rows / started.elapsed().as_secs_f64(),
            "rows/s",
            Budget::None,
        ),
        Figure::new("  memory that they add to the peak", added, "MB", Budget::None),
    ])
}

/// Key lookups as the CACHE and DIRECT layouts send them.
fn lookups(service: &Service) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (keys, requests) in [(1, LOOKUP_REQUESTS), (KEYS_PER_REQUEST, BATCH_REQUESTS)] {
        let token = service.token.clone();
        let request = move |number: u64| {
            lookup(&token, (0..keys).map(|key| (number * keys + key) * 7_919 % u64::from(USERS) * 7))
        };
        let load = Load { port: service.port, connections: LOOKUP_CONNECTIONS, request };
        let answers = load.run(Pace::Count(requests))?.all_taken()?;
        let unit = if keys == 1 { "lookups/s" } else { "keys/s" };
        figures.push(Figure::new(
            format!("key lookups, {keys} per request"),
            answers.per_second() * float(keys),
            unit,
            Budget::None,
        ));
        figures.push(Figure::new("  p99", answers.latency_ms(0.99), "ms", Budget::None));
    }
    Ok(figures)
}

fn lookup(token: &str, keys: impl Iterator<Item = u64>) -> Beacon {
    let keys: Vec<String> = keys.map(|user| format!(r#"{{"user_id":{user}}}"#)).collect();
    Request::post("/user-segments")
        .header("Host", "127.0.0.1")
        .header("Authorization", format!("Bearer {token}"))
        .body(Full::<Bytes>::from(keys.join("\n")))
        .expect("every header is one")
}

fn memory(service: &Service) -> Result<Vec<Figure>> {
    let memory = service.memory()?;
    let users = float(USERS);
    let budget = Budget::AtMost((MAX_BYTES_PER_USER * users + MAX_BASE_BYTES) / 1e6);
    Ok(vec![
        Figure::new("memory of the service, peak of all of the above", memory.peak_bytes / 1e6, "MB", budget),
        Figure::new("  now", memory.now_bytes / 1e6, "MB", Budget::None),
        Figure::new("  now, per user", memory.now_bytes / users, "B", Budget::AtMost(MAX_BYTES_PER_USER)),
    ])
}

/// The delivered dictionary over this service: what ClickHouse itself says of its load.
fn clickhouse_loads(lab: &Lab, service: &Service) -> Result<Vec<Figure>> {
    let delivered = include_str!("../../../infra/clickhouse/schema/0005_user_segments_dict.sql");
    let mut figures = Vec::new();
    for coding in ["identity", "zstd"] {
        let url = format!("http://127.0.0.1:{}/user-segments?compression={coding}", service.port);
        let sql = delivered
            .replace("ecommerce.user_segments_dict\n", "ecommerce.bench_dict\n")
            .replace("HTTP(NAME user_segments)", &format!("HTTP(NAME user_segments url '{url}')"));
        let endpoint = lab.clickhouse();
        step::step(&format!("ClickHouse loads the dictionary, {coding}"), || {
            endpoint.query(sql.trim_end().trim_end_matches(';'))?;
            endpoint.query("SYSTEM RELOAD DICTIONARY ecommerce.bench_dict").map(drop)
        })?;
        let line = endpoint.query(
            "SELECT loading_duration, toUInt32(element_count) AS rows, toFloat64(bytes_allocated) AS bytes \
             FROM system.dictionaries WHERE name = 'bench_dict' FORMAT JSONEachRow",
        )?;
        let loaded: Value = serde_json::from_str(&line)?;
        ensure!(loaded["rows"] == USERS, "expected {USERS} users in the dictionary, found {loaded}");
        let (seconds, bytes) =
            (loaded["loading_duration"].as_f64().unwrap_or(f64::NAN), loaded["bytes"].as_f64().unwrap_or(f64::NAN));
        figures.extend([
            Figure::new(format!("ClickHouse loads HASHED_ARRAY, {coding}"), seconds, "s", Budget::None),
            Figure::new("  rows per second", float(USERS) / seconds, "rows/s", Budget::None),
            Figure::new("  memory in ClickHouse, per user", bytes / float(USERS), "B", Budget::None),
        ]);
        endpoint.query("DROP DICTIONARY ecommerce.bench_dict")?;
    }
    Ok(figures)
}
