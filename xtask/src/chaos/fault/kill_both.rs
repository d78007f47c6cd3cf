//! Everything that holds an event is killed at once.

use anyhow::Result;

use super::{Fault, Phase, nothing, seconds};
use crate::chaos::scene::Scene;
use crate::stack::process::Stop;

pub(super) const FAULT: Fault =
    Fault { name: "kill-both", about: "kill -9 of the collector and of every ClickHouse", hindrance: nothing, inject };

fn inject(scene: &mut Scene, _phase: Phase) -> Result<()> {
    let regions = 0..scene.proxies.len();
    regions.clone().try_for_each(|region| scene.stack.stop_clickhouse(region, Stop::Kill))?;
    scene.stack.stop_workerd(Stop::Kill)?;
    scene.pause(seconds(2))?;
    // The collector is back first: it must find its batches, and no ClickHouse.
    scene.stack.start_workerd()?;
    scene.pause(seconds(2))?;
    regions.clone().try_for_each(|region| scene.stack.start_clickhouse(region))
}
