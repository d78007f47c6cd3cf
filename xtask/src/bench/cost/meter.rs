//! The Worker with a meter around its Durable Objects. In scope: running it against the lab's ClickHouse and reading the meter.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::bench::lab::Lab;
use crate::bench::runtime::Runtime;
use crate::paths;
use crate::stack::port;
use crate::stack::workerd::{self, Settings};

/// The entry module: the built Worker, counted.
const METER: &str = include_str!("meter.js");
const BUILT: &str = r#"(name = "index.js", esModule = embed "index.js"),"#;
const METERED: &str =
    r#"(name = "index.js", esModule = embed "meter.js"), (name = "collector.js", esModule = embed "index.js"),"#;

/// What is billed, counted since the start of the Worker.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Reading {
    pub(super) rows_written: u64,
    pub(super) segments: u64,
    pub(super) object_requests: u64,
    pub(super) alarms: u64,
}

impl Reading {
    /// What was counted after an earlier reading.
    pub(super) fn since(&self, before: &Self) -> Self {
        Self {
            rows_written: self.rows_written - before.rows_written,
            segments: self.segments - before.segments,
            object_requests: self.object_requests - before.object_requests,
            alarms: self.alarms - before.alarms,
        }
    }
}

/// A metered Worker.
pub(super) struct Meter {
    runtime: Runtime,
}

impl Meter {
    pub(super) fn start(lab: &Lab) -> Result<Self> {
        let folder = lab.folder().join("metered");
        let port = port::free_block()?;
        workerd::write(&folder, &paths::worker_build(), &Settings { port, ..Settings::of(&lab.stack.layout) })?;
        insert_meter(&folder)?;
        Ok(Self { runtime: Runtime::start(&folder, port)? })
    }

    pub(super) fn port(&self) -> u16 {
        self.runtime.port
    }

    pub(super) fn cpu_time(&self) -> Result<Duration> {
        self.runtime.cpu_time()
    }

    pub(super) fn read(&self) -> Result<Reading> {
        let url = format!("http://127.0.0.1:{}/meter", self.port());
        let reading: Reading = ureq::get(&url).call()?.body_mut().read_json()?;
        Ok(reading)
    }
}

fn insert_meter(folder: &Path) -> Result<()> {
    let path = folder.join("config.capnp");
    let config = std::fs::read_to_string(&path).context("expected the Worker's configuration")?;
    ensure!(config.contains(BUILT), "expected the module index.js in the Worker's configuration, found none");
    std::fs::write(&path, config.replace(BUILT, METERED))?;
    std::fs::write(folder.join("meter.js"), METER)?;
    Ok(())
}
