//! The connection is reset in the midst of the rows.

use anyhow::Result;

use super::{Fault, Phase, nothing};
use crate::chaos::proxy::Reaction;
use crate::chaos::scene::Scene;

pub(super) const FAULT: Fault =
    Fault { name: "reset-in-body", about: "reset in the body of an INSERT", hindrance: nothing, inject };

fn inject(scene: &mut Scene, _phase: Phase) -> Result<()> {
    scene.meet(0..1, Reaction::ResetInBody, 4)
}
