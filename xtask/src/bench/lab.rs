//! A stack of its own for a measurement. In scope: starting it in a temporary folder, ending it, waiting for rows.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tempfile::TempDir;

use crate::stack::clickhouse::Endpoint;
use crate::stack::{Options, Stack, port};
use crate::{build, interrupt, step};

const POLL: Duration = Duration::from_millis(50);

/// A stack of one region; dropped, it is gone with its data.
pub(super) struct Lab {
    pub(super) stack: Stack,
    folder: TempDir,
}

impl Lab {
    pub(super) fn start() -> Result<Self> {
        build::all()?;
        let folder = tempfile::Builder::new().prefix("landfall-bench-").tempdir()?;
        let options = Options {
            dir: folder.path().join("stack"),
            regions: Some(vec!["eu".to_owned()]),
            port_base: Some(port::free_block()?),
        };
        Ok(Self { stack: Stack::up(&options)?, folder })
    }

    /// Where more may be put; it is removed with the stack.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn clickhouse(&self) -> &Endpoint {
        &self.stack.file.clickhouse[0]
    }

    /// The one number that a query answers.
    pub(super) fn number(&self, sql: &str) -> Result<f64> {
        Ok(self.clickhouse().query(sql)?.trim().parse()?)
    }

    pub(super) fn events(&self) -> Result<f64> {
        self.number("SELECT count() FROM ecommerce.events")
    }

    /// Waits until exactly this many events are stored: every acknowledged one, and none twice.
    pub(super) fn wait_for_events(&self, expected: f64, time: Duration) -> Result<()> {
        step::step(&format!("waiting until {expected} events are stored"), || {
            let deadline = Instant::now() + time;
            loop {
                interrupt::check()?;
                let found = self.events()?;
                if found >= expected {
                    anyhow::ensure!(found <= expected, "expected {expected} events, found {found}");
                    return Ok(());
                }
                if Instant::now() > deadline {
                    bail!("expected {expected} events within {} s, found {found}", time.as_secs());
                }
                std::thread::sleep(POLL);
            }
        })
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Err(error) = self.stack.down() {
            println!("expected to stop the stack, found: {error:#}");
        }
    }
}
