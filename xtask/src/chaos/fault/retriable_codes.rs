//! Every exception after which a batch may or must be sent again, and two that nobody knows.

use anyhow::Result;

use super::{Fault, Phase, nothing};
use crate::chaos::proxy::Reaction;
use crate::chaos::scene::Scene;

/// The batch is not stored.
const REFUSED: [u16; 14] = [3, 33, 164, 201, 202, 203, 225, 242, 252, 279, 354, 364, 439, 745];
/// The code leaves open whether it is, or nobody knows the code; the worst case is that it is.
const OPEN: [u16; 16] = [107, 159, 209, 210, 236, 241, 243, 285, 286, 319, 425, 499, 999, 1000, 1001, 1002];

pub(super) const FAULT: Fault =
    Fault { name: "retriable-codes", about: "an exception with each retriable code", hindrance: nothing, inject };

fn inject(scene: &mut Scene, _phase: Phase) -> Result<()> {
    let refused = REFUSED.map(|code| Reaction::Exception { code, is_stored: false });
    let open = OPEN.map(|code| Reaction::Exception { code, is_stored: true });
    scene.meet_each(&[&refused[..], &open].concat())
}
