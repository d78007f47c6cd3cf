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

use dict_services::model::{
    dataset::{HORIZON_DAYS, History, Sample, Window},
    feature::Units,
};
use shopper::Shopper;

/// Day 0 of the simulation, unix seconds.
const NOW: u32 = 1_763_660_000;

fn history(crowd: &[Shopper]) -> History {
    history_on(crowd, 0.0)
}

/// What a training on `day` reads.
fn history_on(crowd: &[Shopper], day: f64) -> History {
    let horizon = f64::from(HORIZON_DAYS);
    let units = Units::new([("EUR".to_owned(), 50.0)]);
    let window = |day: f64, next_days: f64| {
        let cutoff = shopper::unix_s(NOW, day);
        let activities = crowd.iter().filter_map(|shopper| shopper.activity(NOW, day, next_days));
        Window { cutoff, samples: activities.map(|activity| Sample::of(&activity, &units, cutoff)).collect() }
    };
    History {
        now: window(day, 0.0),
        past: (1..=3).map(|back| window(day - horizon * f64::from(back), horizon)).collect(),
        units: units.clone(),
    }
}
