//! The collector's wall clock jumps, as after a correction or a machine's sleep: events are taken and delivered all the same.

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
/// Behind each jump, events of this many seconds must be taken and delivered, ...
const FLOW_S: u64 = 8;
/// ... within the longest wait between two attempts, and room.
const FLOWS_WITHIN: Duration = seconds(45);

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
        let (sent, _) = scene.driver.ledger().count(phase);
        let enough = sent + u64::from(scene.rate) * FLOW_S;
        clock.set_offset(offset_s)?;
        let flows = scene.wait_for(FLOWS_WITHIN, || Ok(account::found(&scene.stack, phase)? >= enough))?;
        ensure!(
            flows.is_some(),
            "expected events of {FLOW_S} s delivered within {} s of a jump of the clock to {offset_s} s, found it stalled",
            FLOWS_WITHIN.as_secs()
        );
    }
    Ok(())
}
