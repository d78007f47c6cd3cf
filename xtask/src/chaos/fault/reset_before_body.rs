//! The connection is reset before the rows are sent.

use anyhow::Result;

use super::{Fault, Phase, nothing};
use crate::chaos::proxy::Reaction;
use crate::chaos::scene::Scene;

pub(super) const FAULT: Fault =
    Fault { name: "reset-before-body", about: "reset behind the head of an INSERT", hindrance: nothing, inject };

fn inject(scene: &mut Scene, _phase: Phase) -> Result<()> {
    scene.meet(0..1, Reaction::ResetBeforeBody, 4)
}
