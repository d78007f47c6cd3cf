//! ClickHouse has stored the batch, and its answer comes when the Worker has given up.

use anyhow::Result;

use super::{Fault, Phase, nothing};
use crate::chaos::proxy::Reaction;
use crate::chaos::scene::Scene;

pub(super) const FAULT: Fault = Fault {
    name: "answer-late",
    about: "answer behind the Worker's timeout, batch stored",
    hindrance: nothing,
    inject,
};

fn inject(scene: &mut Scene, _phase: Phase) -> Result<()> {
    scene.meet(0..2, Reaction::AnswerLate, 2)
}
