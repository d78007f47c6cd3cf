//! A few rows among many do not fit a column: the others are stored, these become dead letters.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Fault, Phase, nothing, seconds};
use crate::chaos::account;
use crate::chaos::scene::Scene;

/// Near each region.
const ROWS: usize = 5;
const DEAD_WITHIN: Duration = seconds(90);

pub(super) const FAULT: Fault =
    Fault { name: "poison-row", about: "rows that ClickHouse refuses in good batches", hindrance: nothing, inject };

fn inject(scene: &mut Scene, phase: Phase) -> Result<()> {
    scene.on_every_region("ALTER TABLE ecommerce.events MODIFY COLUMN seq Decimal(3, 0)")?;
    let refused = refuse_rows(scene, phase);
    scene.on_every_region("ALTER TABLE ecommerce.events MODIFY COLUMN seq UInt32")?;
    refused
}

fn refuse_rows(scene: &Scene, phase: Phase) -> Result<()> {
    let refused = scene.driver.send_poison(ROWS)?;
    let dead = scene.wait_for(DEAD_WITHIN, || Ok(account::letters(&scene.stack, phase)? >= refused))?;
    ensure!(dead.is_some(), "expected {refused} dead letters within {} s", DEAD_WITHIN.as_secs());
    Ok(())
}
