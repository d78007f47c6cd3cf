//! The real service on a generated snapshot. In scope: making the snapshot, starting, memory, ending it with the measurement.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::super::lab::Lab;
use super::download::Download;
use super::{CHANGED_EVERY, USERS};
use crate::stack::port;
use crate::{interrupt, paths, step};

/// When one in [`CHANGED_EVERY`] users changed.
const CHANGED_AT: &str = "1763660000";
pub(super) const CHANGED_AT_TEXT: &str = "2025-11-20%2017%3A33%3A20";
const SNAPSHOT_MINUTES_MAX: u64 = 20;
const READY_MAX: Duration = Duration::from_mins(2);
/// Nobody listens there: the service goes on serving the snapshot that it has.
const NO_CLICKHOUSE: &str = "http://127.0.0.1:1";

/// A running service; dropped, it is gone.
pub(super) struct Service {
    child: Child,
    pub(super) port: u16,
    /// That of the stack's own feed, so that the delivered dictionary fits.
    pub(super) token: String,
    pub(super) start_s: f64,
}

/// What `/proc` says of a process.
pub(super) struct Memory {
    pub(super) now_bytes: f64,
    pub(super) peak_bytes: f64,
}

impl Service {
    pub(super) fn start(lab: &Lab) -> Result<Self> {
        let folder = lab.folder().join("feed");
        let mut snapshot = Command::new("cargo");
        snapshot
            .args([
                "run",
                "--quiet",
                "--profile",
                "stack",
                "--locked",
                "-p",
                "dict-services",
                "--example",
                "snapshot",
                "--",
            ])
            .args(["--users", &USERS.to_string(), "--changed-every", &CHANGED_EVERY.to_string()])
            .args(["--changed-at", CHANGED_AT, "--data-dir"])
            .arg(&folder)
            .current_dir(paths::root());
        step::run(&format!("generating {USERS} users"), &mut snapshot, SNAPSHOT_MINUTES_MAX)?;
        let port = port::free_block()?;
        let token = lab.stack.file.user_segments.token.clone();
        let started = Instant::now();
        let child = Command::new(paths::program("dict-services"))
            .args([
                "user-segments",
                "--listen",
                &format!("127.0.0.1:{port}"),
                "--clickhouse-url",
                NO_CLICKHOUSE,
                "--data-dir",
            ])
            .arg(&folder)
            .env("FEED_TOKENS", &token)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("expected to run dict-services")?;
        let mut service = Self { child, port, token, start_s: f64::NAN };
        service.wait_ready(started + READY_MAX)?;
        service.start_s = started.elapsed().as_secs_f64();
        Ok(service)
    }

    pub(super) fn get(&self, path: &str) -> Download {
        Download::of(&format!("http://127.0.0.1:{}/{path}", self.port)).with_token(&self.token)
    }

    /// Resident memory now and at its highest.
    pub(super) fn memory(&self) -> Result<Memory> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(&path).with_context(|| format!("expected {path}; this needs Linux"))?;
        let bytes = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            let kib = line.and_then(|rest| rest.split_whitespace().next()).and_then(|kib| kib.parse::<f64>().ok());
            kib.map(|kib| kib * 1024.0).with_context(|| format!("expected {field} in {path}"))
        };
        Ok(Memory { now_bytes: bytes("VmRSS:")?, peak_bytes: bytes("VmHWM:")? })
    }

    fn wait_ready(&mut self, deadline: Instant) -> Result<()> {
        let url = format!("http://127.0.0.1:{}/readyz", self.port);
        while ureq::get(&url).config().timeout_global(Some(READY_MAX)).build().call().is_err() {
            interrupt::check()?;
            if let Some(status) = self.child.try_wait()? {
                bail!("expected dict-services to keep running, found it ended with {status}");
            }
            if Instant::now() > deadline {
                bail!("expected dict-services to be ready within {} s", READY_MAX.as_secs());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It is only a measurement: one that has ended by itself is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
