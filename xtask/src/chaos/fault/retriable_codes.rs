//! Every exception after which a batch may or must be sent again.

use anyhow::Result;

use super::{Fault, Phase, nothing};
use crate::chaos::proxy::Reaction;
use crate::chaos::scene::Scene;

/// The batch is not stored.
const REFUSED: [u16; 20] =
    [3, 107, 164, 201, 202, 203, 225, 236, 241, 242, 243, 252, 279, 364, 425, 439, 499, 745, 999, 1000];
/// The code leaves open whether it is; the worst case is that it is.
const OPEN: [u16; 6] = [159, 209, 210, 285, 286, 319];

pub(super) const FAULT: Fault =
    Fault { name: "retriable-codes", about: "an exception with each retriable code", hindrance: nothing, inject };

fn inject(scene: &mut Scene, _phase: Phase) -> Result<()> {
    let refused = REFUSED.map(|code| Reaction::Exception { code, is_stored: false });
    let open = OPEN.map(|code| Reaction::Exception { code, is_stored: true });
    scene.meet_each(&[&refused[..], &open].concat())
}
