//! What the Worker weighs. In scope: its size, and its start (compile, instantiate, first beacon) over a no-op Worker, both
//! in the real runtime.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::stack::port;
use crate::stack::workerd::{self, Settings};
use crate::{interrupt, paths};

/// Starts measured of each Worker, alternating; the medians are compared.
const STARTS: usize = 11;
const START_MAX: Duration = Duration::from_secs(20);
const NO_OP_WORKER: &str =
    "export default { async fetch(request) { await request.arrayBuffer(); return new Response('{}') } }";
const BEACON: &str = r#"{"site":"demo","events":[{"event_type":"page_view","page_url":"https://shop.example/"}]}"#;

/// Prints the Worker's size, raw and gzipped, and the time that its start takes over a no-op Worker.
pub fn print() -> Result<()> {
    let wasm = std::fs::read(paths::worker_build().join("index_bg.wasm")).context("expected a built Worker")?;
    let script = std::fs::read(paths::worker_build().join("index.js")).context("expected a built Worker")?;
    println!("Wasm      {:>9} B raw {:>9} B gzipped (budget 358,400 B gzipped)", wasm.len(), gzip_bytes(&wasm)?);
    println!("index.js  {:>9} B raw {:>9} B gzipped", script.len(), gzip_bytes(&script)?);
    let (ours, no_op) = start_medians()?;
    let over = ours.as_secs_f64() * 1e3 - no_op.as_secs_f64() * 1e3;
    println!(
        "start     {:.1} ms to the first beacon's answer, no-op Worker {:.1} ms: {over:.1} ms over it (budget 10 ms; medians of {STARTS})",
        ours.as_secs_f64() * 1e3,
        no_op.as_secs_f64() * 1e3,
    );
    Ok(())
}

fn gzip_bytes(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

fn start_medians() -> Result<(Duration, Duration)> {
    let folder = tempfile::tempdir()?;
    let ours = folder.path().join("ours");
    let no_op = folder.path().join("no-op");
    let port = port::free_block()?;
    workerd::write(&ours, &Settings::for_measurement(port))?;
    std::fs::create_dir_all(&no_op)?;
    std::fs::write(no_op.join("index.js"), NO_OP_WORKER)?;
    std::fs::write(no_op.join("config.capnp"), workerd::no_op_config(port))?;
    let (mut our_times, mut no_op_times) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        our_times.push(start_time(&ours, port)?);
        no_op_times.push(start_time(&no_op, port)?);
    }
    our_times.sort();
    no_op_times.sort();
    Ok((our_times[STARTS / 2], no_op_times[STARTS / 2]))
}

/// From the start of the runtime's process to the answer to the first beacon.
fn start_time(folder: &Path, port: u16) -> Result<Duration> {
    let started = Instant::now();
    let mut child = Command::new(workerd::program())
        .args(["serve", "config.capnp"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("expected to run workerd")?;
    let result = first_answer(port, started);
    stop(&mut child);
    result
}

fn first_answer(port: u16, started: Instant) -> Result<Duration> {
    let url = format!("http://127.0.0.1:{port}/v1/validate");
    loop {
        interrupt::check()?;
        let request = ureq::post(&url).config().timeout_global(Some(START_MAX)).build();
        if let Ok(mut response) = request.send(BEACON) {
            let body = response.body_mut().read_to_string()?;
            if body.is_empty() {
                bail!("expected an answer to the first beacon, found an empty body");
            }
            return Ok(started.elapsed());
        }
        if started.elapsed() > START_MAX {
            bail!("expected the Worker to answer within {} s", START_MAX.as_secs());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn stop(child: &mut Child) {
    // The process is only a measurement: nothing of it is kept.
    let _ = child.kill();
    let _ = child.wait();
}
