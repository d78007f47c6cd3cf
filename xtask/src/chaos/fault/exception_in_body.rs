//! The status says success, the body says that the INSERT failed.

use anyhow::Result;

use super::{Fault, Phase, nothing};
use crate::chaos::proxy::Reaction;
use crate::chaos::scene::Scene;

pub(super) const FAULT: Fault =
    Fault { name: "exception-in-body", about: "200 with an exception in the body", hindrance: nothing, inject };

fn inject(scene: &mut Scene, _phase: Phase) -> Result<()> {
    scene.meet(0..2, Reaction::ExceptionInBody { code: 241 }, 4)
}
