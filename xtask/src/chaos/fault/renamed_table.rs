//! The events table is away, as in a migration, and comes back.

use anyhow::Result;

use super::{Fault, Phase, nothing};
use crate::chaos::scene::Scene;

pub(super) const FAULT: Fault =
    Fault { name: "renamed-table", about: "events table renamed and back", hindrance: nothing, inject };

fn inject(scene: &mut Scene, _phase: Phase) -> Result<()> {
    scene.on_every_region("RENAME TABLE ecommerce.events TO ecommerce.events_away")?;
    let met = scene.wait_disturbed(0..scene.proxies.len(), 3);
    scene.on_every_region("RENAME TABLE ecommerce.events_away TO ecommerce.events")?;
    met
}
