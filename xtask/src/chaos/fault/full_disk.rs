//! The disk under one region's ClickHouse is full, and gets room again.

use anyhow::{Context, Result};

use super::{Fault, Phase};
use crate::chaos::scene::Scene;

pub(super) const FAULT: Fault =
    Fault { name: "full-disk", about: "no byte left under one region's ClickHouse", hindrance, inject };

fn hindrance(scene: &Scene) -> Option<&'static str> {
    scene.small_disk.is_none().then_some("needs root on Linux, to mount a small file system")
}

fn inject(scene: &mut Scene, _phase: Phase) -> Result<()> {
    let disk = scene.small_disk.as_ref().context("expected a small disk")?;
    disk.fill()?;
    let region = scene.proxies.len() - 1;
    let met = scene.wait_disturbed(region..region + 1, 3);
    disk.free()?;
    met
}
