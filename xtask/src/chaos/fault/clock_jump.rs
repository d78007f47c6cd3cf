//! The collector's wall clock jumps, as after a correction or a machine's sleep: deliveries must go on.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Fault, Phase, seconds};
use crate::chaos::account;
use crate::chaos::clock::Clock;
use crate::chaos::scene::Scene;
use crate::stack::process::Stop;

const HOUR_S: i64 = 3_600;
/// How far the clock is from the true time after each jump; at last it is right again.
const OFFSETS_S: [i64; 5] = [-HOUR_S, 0, 24 * HOUR_S, -24 * HOUR_S, 0];
/// The longest wait between two attempts, and room.
const DELIVERED_WITHIN: Duration = seconds(45);

pub(super) const FAULT: Fault = Fault {
    name: "clock-jump",
    about: "the collector's clock jumps by hours and days",
    hindrance: |_scene| Clock::hindrance(),
    inject,
};

fn inject(scene: &mut Scene, phase: Phase) -> Result<()> {
    let clock = Clock::build(&scene.stack.layout.dir)?;
    let jumped = restart(scene, clock.variables()).and_then(|()| jump(scene, phase, &clock));
    restart(scene, Vec::new())?;
    jumped
}

fn restart(scene: &mut Scene, variables: Vec<(String, String)>) -> Result<()> {
    scene.stack.layout.surroundings.workerd_variables = variables;
    scene.stack.stop_workerd(Stop::Clean)?;
    scene.stack.start_workerd()
}

fn jump(scene: &Scene, phase: Phase, clock: &Clock) -> Result<()> {
    for offset_s in OFFSETS_S {
        clock.set_offset(offset_s)?;
        // Rows of before and after the jump.
        scene.pause(seconds(3))?;
        let (_, acknowledged) = scene.driver.ledger().count(phase);
        let delivered =
            scene.wait_for(DELIVERED_WITHIN, || Ok(account::found(&scene.stack, phase)? >= acknowledged))?;
        ensure!(
            delivered.is_some(),
            "expected what was acknowledged delivered within {} s of a jump to {offset_s} s, found it waiting",
            DELIVERED_WITHIN.as_secs()
        );
    }
    Ok(())
}
