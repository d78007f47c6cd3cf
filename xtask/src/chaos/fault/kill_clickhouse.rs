//! ClickHouse of one region is killed and started again.

use anyhow::Result;

use super::{Fault, Phase, nothing};
use crate::chaos::scene::Scene;
use crate::stack::process::Stop;

pub(super) const FAULT: Fault =
    Fault { name: "kill-clickhouse", about: "kill -9 of one region's ClickHouse", hindrance: nothing, inject };

fn inject(scene: &mut Scene, _phase: Phase) -> Result<()> {
    scene.stack.stop_clickhouse(0, Stop::Kill)?;
    scene.wait_disturbed(0..1, 4)?;
    scene.stack.start_clickhouse(0)
}
