//! The real service, on a generated snapshot or on ClickHouse. In scope: making the snapshot, starting, memory, ending it with the measurement.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::super::lab::Lab;
use super::download::Download;
use super::process::Usage;
use super::{CHANGED_EVERY, USERS};
use crate::stack::port;
use crate::{interrupt, paths, step};

/// When one in [`CHANGED_EVERY`] users changed.
const CHANGED_AT: &str = "1763660000";
pub(super) const CHANGED_AT_TEXT: &str = "2025-11-20%2017%3A33%3A20";
const MAX_SNAPSHOT_MINUTES: u64 = 20;
const MAX_READY: Duration = Duration::from_mins(2);
const MAX_ANSWER: Duration = Duration::from_secs(5);
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
        step::run(&format!("generating {USERS} users"), &mut snapshot, MAX_SNAPSHOT_MINUTES)?;
        Self::serve(lab, &folder, NO_CLICKHOUSE, MAX_READY)
    }

    /// Serves what is in `folder` and at `clickhouse_url`, and waits until there is something.
    pub(super) fn serve(lab: &Lab, folder: &Path, clickhouse_url: &str, ready_max: Duration) -> Result<Self> {
        let port = port::free_block()?;
        let token = lab.stack.file.user_segments.token.clone();
        let started = Instant::now();
        let child = Command::new(paths::program("dict-services"))
            .args(["user-segments", "--listen", &format!("127.0.0.1:{port}"), "--clickhouse-url", clickhouse_url])
            .arg("--data-dir")
            .arg(folder)
            .env("FEED_TOKENS", &token)
            .env("CLICKHOUSE_PASSWORD", &lab.stack.layout.secrets.clickhouse_reader)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("expected to run dict-services")?;
        let mut service = Self { child, port, token, start_s: f64::NAN };
        service.wait_ready(started + ready_max)?;
        service.start_s = started.elapsed().as_secs_f64();
        Ok(service)
    }

    pub(super) fn get(&self, path: &str) -> Download {
        Download::of(&format!("http://127.0.0.1:{}/{path}", self.port)).with_token(&self.token)
    }

    /// Resident memory now and at its highest.
    pub(super) fn memory(&self) -> Result<Usage> {
        Usage::of(self.child.id())
    }

    fn wait_ready(&mut self, deadline: Instant) -> Result<()> {
        let url = format!("http://127.0.0.1:{}/readyz", self.port);
        while ureq::get(&url).config().timeout_global(Some(MAX_ANSWER)).build().call().is_err() {
            interrupt::check()?;
            if let Some(status) = self.child.try_wait()? {
                bail!("expected dict-services to keep running, found it ended with {status}");
            }
            if Instant::now() > deadline {
                bail!("expected dict-services to be ready in time");
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
