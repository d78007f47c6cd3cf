//! ClickHouse has stored the batch, and its answer is lost: only the token keeps the next attempt from doubling it.

use anyhow::Result;

use super::{Fault, Phase, nothing};
use crate::chaos::proxy::Reaction;
use crate::chaos::scene::Scene;

pub(super) const FAULT: Fault =
    Fault { name: "reset-after-body", about: "answer lost, batch stored", hindrance: nothing, inject };

fn inject(scene: &mut Scene, _phase: Phase) -> Result<()> {
    scene.meet(0..2, Reaction::ResetAfterBody, 4)
}
