//! The collector's wall clock jumps, as after a correction or a machine's sleep: deliveries must go on at once.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Fault, Phase, seconds};
use crate::chaos::account;
use crate::chaos::scene::Scene;
use crate::stack::process::Stop;

/// Where Debian's package `libfaketime` puts it.
const LIBRARIES: [&str; 2] =
    ["/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1"];
/// Offsets of the clock, in the order in which it takes them; the last is the true time.
const JUMPS: [&str; 5] = ["-1h", "+0", "+1d", "-1d", "+0"];
/// The Worker's longest wait, and room.
const DELIVERED_WITHIN: Duration = seconds(45);

pub(super) const FAULT: Fault =
    Fault { name: "clock-jump", about: "the collector's clock jumps by hours and days", hindrance, inject };

fn hindrance(_scene: &Scene) -> Option<&'static str> {
    library().is_none().then_some("needs libfaketime (Debian's package faketime)")
}

fn library() -> Option<&'static str> {
    LIBRARIES.into_iter().find(|path| Path::new(path).is_file())
}

fn inject(scene: &mut Scene, phase: Phase) -> Result<()> {
    let clock = scene.stack.layout.dir.join("clock");
    set(&clock, "+0")?;
    restart(scene, variables(&clock))?;
    let jumped = jump(scene, phase, &clock);
    restart(scene, Vec::new())?;
    jumped
}

fn variables(clock: &Path) -> Vec<(String, String)> {
    let clock = clock.to_string_lossy();
    let variables = [
        ("LD_PRELOAD", library().unwrap_or_default()),
        ("FAKETIME_TIMESTAMP_FILE", &*clock),
        ("FAKETIME_CACHE_DURATION", "1"),
        // A jump moves the wall clock only.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

fn restart(scene: &mut Scene, variables: Vec<(String, String)>) -> Result<()> {
    scene.stack.layout.surroundings.workerd_variables = variables;
    scene.stack.stop_workerd(Stop::Clean)?;
    scene.stack.start_workerd()
}

fn jump(scene: &Scene, phase: Phase, clock: &Path) -> Result<()> {
    for offset in JUMPS {
        set(clock, offset)?;
        // Rows of before and after the jump.
        scene.pause(seconds(3))?;
        let (_, acknowledged) = scene.driver.ledger().count(phase);
        let delivered =
            scene.wait_for(DELIVERED_WITHIN, || Ok(account::found(&scene.stack, phase)? >= acknowledged))?;
        let limit = DELIVERED_WITHIN.as_secs();
        ensure!(delivered.is_some(), "expected deliveries within {limit} s of a jump to {offset}, found none");
    }
    Ok(())
}

fn set(clock: &Path, offset: &str) -> Result<()> {
    Ok(std::fs::write(clock, format!("{offset}\n"))?)
}
