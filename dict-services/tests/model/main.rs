//! How good the model is on shoppers whose hidden kind and true chances are known.
//!
//! In scope: whole trainings. The parts have tests beside them.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]
#![expect(clippy::cast_precision_loss, reason = "numbers of shoppers are far below 2^53")]

mod agreement;
mod lineage;
mod promotion;
mod score;
mod segments;
mod shopper;

use dict_services::model::dataset::History;
use shopper::Shopper;

/// Day 0 of the simulation, unix seconds.
const NOW: u32 = 1_763_660_000;

/// What a training on day 0 reads.
fn history(crowd: &[Shopper]) -> History {
    shopper::history(crowd, NOW, 0.0)
}
