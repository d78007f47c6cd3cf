//! One region's ClickHouse is away for longer than a batch of unknown outcome stays at home.

use std::time::Duration;

use anyhow::Result;

use super::{Fault, Phase, nothing, seconds};
use crate::chaos::scene::Scene;
use crate::stack::process::Stop;

/// Longer than `failover_after`, which is 5 minutes.
const AWAY: Duration = seconds(330);

pub(super) const FAULT: Fault =
    Fault { name: "home-away", about: "one region's ClickHouse stopped for 330 s", hindrance: nothing, inject };

fn inject(scene: &mut Scene, _phase: Phase) -> Result<()> {
    scene.stack.stop_clickhouse(0, Stop::Clean)?;
    scene.pause(AWAY)?;
    scene.stack.start_clickhouse(0)
}
