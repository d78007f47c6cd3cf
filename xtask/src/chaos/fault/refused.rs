//! Nobody listens where ClickHouse should.

use anyhow::{Result, ensure};

use super::{Fault, Phase, nothing};
use crate::chaos::proxy::Reaction;
use crate::chaos::scene::Scene;

pub(super) const FAULT: Fault =
    Fault { name: "refused", about: "connections to one region refused", hindrance: nothing, inject };

fn inject(scene: &mut Scene, _phase: Phase) -> Result<()> {
    let home = &scene.proxies[0];
    home.always(Reaction::Refuse);
    let before = home.requests();
    let held = scene.hold();
    let after = home.requests();
    home.heal();
    held?;
    // One may have been accepted while the port was being closed.
    ensure!(after <= before + 1, "expected no insert to come through, found {}", after - before);
    Ok(())
}
