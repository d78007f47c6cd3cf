//! The collector is killed and started again, a few times: each hits another step of a flush.

use std::time::Duration;

use anyhow::Result;

use super::{Fault, Phase, nothing};
use crate::chaos::scene::Scene;
use crate::stack::process::Stop;

const TIMES: usize = 4;

pub(super) const FAULT: Fault =
    Fault { name: "kill-workerd", about: "kill -9 of the collector, four times", hindrance: nothing, inject };

fn inject(scene: &mut Scene, _phase: Phase) -> Result<()> {
    for _ in 0..TIMES {
        scene.stack.stop_workerd(Stop::Kill)?;
        scene.stack.start_workerd()?;
        let wait = Duration::from_millis(1_500 + scene.dice.below(1_000));
        scene.pause(wait)?;
    }
    Ok(())
}
