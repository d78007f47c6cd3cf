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
const MAX_START: Duration = Duration::from_secs(20);
const NO_OP_WORKER: &str =
    "export default { async fetch(request) { await request.arrayBuffer(); return new Response('{}') } }";
const BEACON: &str = r#"{"site":"demo","events":[{"event_type":"page_view","page_url":"https://shop.example/"}]}"#;

/// Bytes of a file, as it is and gzipped.
#[derive(Clone, Copy, Debug)]
pub struct Bytes {
    pub raw: usize,
    pub gzipped: usize,
}

/// From the start of the runtime to the answer to the first beacon: medians.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    pub ours: Duration,
    pub no_op: Duration,
}

impl Start {
    /// Milliseconds over the no-op Worker; below zero if it was slower.
    pub fn over_no_op_ms(self) -> f64 {
        (self.ours.as_secs_f64() - self.no_op.as_secs_f64()) * 1e3
    }
}

/// Prints the Worker's size, raw and gzipped, and the time that its start takes over a no-op Worker.
pub fn print() -> Result<()> {
    for name in ["index_bg.wasm", "index.js"] {
        let Bytes { raw, gzipped } = bytes(&paths::worker_build().join(name))?;
        println!("{name:<13} {raw:>9} B raw {gzipped:>9} B gzipped");
    }
    let start = start()?;
    println!(
        "start         {:.1} ms to the first beacon's answer, {:.1} ms over a no-op Worker (medians of {STARTS})",
        start.ours.as_secs_f64() * 1e3,
        start.over_no_op_ms(),
    );
    println!("budgets: cargo xtask bench size");
    Ok(())
}

/// What a built file weighs.
pub fn bytes(file: &Path) -> Result<Bytes> {
    let contents = std::fs::read(file)
        .with_context(|| format!("expected {}; build it: cargo xtask build-worker", file.display()))?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&contents)?;
    Ok(Bytes { raw: contents.len(), gzipped: encoder.finish()?.len() })
}

/// How long the built Worker takes to start, and a no-op Worker.
pub fn start() -> Result<Start> {
    let folder = tempfile::tempdir()?;
    let ours = folder.path().join("ours");
    let no_op = folder.path().join("no-op");
    let port = port::free_block()?;
    workerd::write(&ours, &paths::worker_build(), &Settings::for_measurement(port))?;
    write_no_op(&no_op, port)?;
    let (mut our_times, mut no_op_times) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        our_times.push(start_time(&ours, port)?);
        no_op_times.push(start_time(&no_op, port)?);
    }
    our_times.sort();
    no_op_times.sort();
    Ok(Start { ours: our_times[STARTS / 2], no_op: no_op_times[STARTS / 2] })
}

/// Writes the configuration of a Worker that reads the body and answers: what the runtime itself costs.
pub fn write_no_op(folder: &Path, port: u16) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("index.js"), NO_OP_WORKER)?;
    std::fs::write(folder.join("config.capnp"), workerd::no_op_config(port))?;
    Ok(())
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
        let request = ureq::post(&url).config().timeout_global(Some(MAX_START)).build();
        if let Ok(mut response) = request.send(BEACON) {
            let body = response.body_mut().read_to_string()?;
            if body.is_empty() {
                bail!("expected an answer to the first beacon, found an empty body");
            }
            return Ok(started.elapsed());
        }
        if started.elapsed() > MAX_START {
            bail!("expected the Worker to answer within {} s", MAX_START.as_secs());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn stop(child: &mut Child) {
    // The process is only a measurement: nothing of it is kept.
    let _ = child.kill();
    let _ = child.wait();
}
