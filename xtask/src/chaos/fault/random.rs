//! Faults at random, several at once.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Fault, Phase};
use crate::chaos::proxy::{Proxy, Reaction};
use crate::chaos::scene::Scene;
use crate::stack::process::Stop;

/// What the inserts of a region may meet; `Pass` so that much gets through.
const REACTIONS: [Reaction; 9] = [
    Reaction::Pass,
    Reaction::Pass,
    Reaction::Refuse,
    Reaction::ResetBeforeBody,
    Reaction::ResetInBody,
    Reaction::ResetAfterBody,
    Reaction::Exception { code: 241, is_stored: false },
    Reaction::Exception { code: 319, is_stored: true },
    Reaction::ExceptionInBody { code: 241 },
];

pub(super) const FAULT: Fault =
    Fault { name: "random", about: "network faults and kills at random", hindrance, inject };

fn hindrance(scene: &Scene) -> Option<&'static str> {
    scene.random.is_zero().then_some("--random-seconds is 0")
}

fn inject(scene: &mut Scene, _phase: Phase) -> Result<()> {
    let until = Instant::now() + scene.random;
    let mut played = Ok(());
    while played.is_ok() && Instant::now() < until {
        played = one(scene);
    }
    scene.proxies.iter().for_each(Proxy::heal);
    played
}

/// Another reaction for each region, for a moment, and now and then a kill.
fn one(scene: &mut Scene) -> Result<()> {
    for proxy in &scene.proxies {
        proxy.always(REACTIONS[scene.dice.index(REACTIONS.len())]);
    }
    let moment = Duration::from_millis(200 + scene.dice.below(2_800));
    scene.pause(moment)?;
    match scene.dice.below(10) {
        0 => {
            scene.stack.stop_workerd(Stop::Kill)?;
            scene.stack.start_workerd()
        }
        1 => {
            let region = scene.dice.index(scene.proxies.len());
            scene.stack.stop_clickhouse(region, Stop::Kill)?;
            scene.stack.start_clickhouse(region)
        }
        _ => Ok(()),
    }
}
