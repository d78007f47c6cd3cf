//! Every ClickHouse is away for longer than the Worker ever waits between two attempts.

use std::time::Duration;

use anyhow::Result;

use super::{Fault, Phase, nothing, seconds};
use crate::chaos::scene::Scene;
use crate::stack::process::Stop;

/// More than twice the longest wait of `collector_core::retry`, which is 30 s.
const AWAY: Duration = seconds(75);

pub(super) const FAULT: Fault =
    Fault { name: "outage", about: "every ClickHouse stopped for 75 s", hindrance: nothing, inject };

fn inject(scene: &mut Scene, _phase: Phase) -> Result<()> {
    let regions = 0..scene.proxies.len();
    regions.clone().try_for_each(|region| scene.stack.stop_clickhouse(region, Stop::Clean))?;
    scene.pause(AWAY)?;
    regions.clone().try_for_each(|region| scene.stack.start_clickhouse(region))
}
