//! ClickHouse knows another password: the batch waits for the operator, and drains once it is mended.

use anyhow::Result;

use super::{Fault, Phase, nothing};
use crate::chaos::proxy::Reaction;
use crate::chaos::scene::Scene;

pub(super) const FAULT: Fault =
    Fault { name: "other-password", about: "wrong password and back", hindrance: nothing, inject };

fn inject(scene: &mut Scene, _phase: Phase) -> Result<()> {
    scene.meet(0..2, Reaction::OtherPassword, 3)
}
