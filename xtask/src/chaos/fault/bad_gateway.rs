//! A gateway stands before one region's ClickHouse and finds nobody behind it.

use anyhow::Result;

use super::{Fault, Phase, nothing};
use crate::chaos::proxy::Reaction;
use crate::chaos::scene::Scene;

/// An insert, and the questions behind it.
const TIMES: u64 = 4;

pub(super) const FAULT: Fault =
    Fault { name: "bad-gateway", about: "a gateway answers 502 for one region", hindrance: nothing, inject };

fn inject(scene: &mut Scene, _phase: Phase) -> Result<()> {
    scene.meet(0..1, Reaction::BadGateway, TIMES)
}
