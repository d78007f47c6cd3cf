//! A workerd of its own for a measurement. In scope: starting it, its CPU time, ending it with the measurement.
//! Out of scope: the Worker of a stack (`crate::stack::workerd`).

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::stack::port;
use crate::stack::workerd::{self, Settings};
use crate::{interrupt, paths};

const MAX_READY: Duration = Duration::from_secs(30);
/// What `/proc` counts CPU time in: `USER_HZ`, the same on every Linux that the embedded stack runs on.
const TICKS_PER_SECOND: u32 = 100;

/// A running workerd; dropped, it is gone.
pub(super) struct Runtime {
    child: Child,
    pub(super) port: u16,
}

impl Runtime {
    /// Serves the `config.capnp` of a folder and waits until anything is answered on the port.
    pub(super) fn start(folder: &Path, port: u16) -> Result<Self> {
        let child = Command::new(workerd::program())
            .arg("serve")
            .arg(folder.join("config.capnp"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("expected to run workerd")?;
        let mut runtime = Self { child, port };
        runtime.wait_ready()?;
        Ok(runtime)
    }

    /// Serves the built Worker from a folder, with no ClickHouse behind it.
    pub(super) fn start_collector(folder: &Path) -> Result<Self> {
        let port = port::free_block()?;
        workerd::write(folder, &paths::worker_build(), &Settings::for_measurement(port))?;
        Self::start(folder, port)
    }

    fn wait_ready(&mut self) -> Result<()> {
        let url = format!("http://127.0.0.1:{}/healthz", self.port);
        let deadline = Instant::now() + MAX_READY;
        loop {
            interrupt::check()?;
            let request = ureq::get(&url).config().http_status_as_error(false).timeout_global(Some(MAX_READY)).build();
            if request.call().is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("expected workerd to keep running, found it ended with {status}");
            }
            if Instant::now() > deadline {
                bail!("expected workerd to answer within {} s", MAX_READY.as_secs());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// CPU time of all its threads so far, to a hundredth of a second.
    pub(super) fn cpu_time(&self) -> Result<Duration> {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(&path).with_context(|| format!("expected {path}; this needs Linux"))?;
        cpu_time(&stat).with_context(|| format!("expected user and system time in {path}, found {stat:?}"))
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // It is only a measurement: nothing of it is kept, and one that has ended by itself is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `utime` and `stime`, fields 14 and 15 of proc(5)'s `stat`; the name before them may hold anything.
fn cpu_time(stat: &str) -> Option<Duration> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(Duration::from_secs(1) * user.checked_add(system)? / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_user_and_system() {
        let stat = "4711 (a ) name) S 1 4711 4711 0 -1 4194560 1000 0 0 0 250 50 7 8 20 0 6 0 100 1 2";
        assert_eq!(cpu_time(stat), Some(Duration::from_secs(3)));
        assert_eq!(cpu_time("4711 (cut"), None);
    }
}
