//! One training, from history to model.
//!
//! In scope: what is fitted to whom, and when there is too little to learn from.
//! Out of scope: whether the model is used ([`super::promotion`]).

use super::artefact::{Model, Part, Report, SCHEMA_VERSION};
use super::dataset::{Fold, History, Sample};
use super::lineage::Ids;
use super::population::Population;
use super::propensity::{Calibration, Propensity};
use super::quality::Quality;
use super::segmentation::Segmentation;

/// Users that segments are worth looking for.
pub const MIN_USERS: usize = 500;
/// Purchases within a labelled window's 30 days that a score can be learnt from.
pub const MIN_PURCHASES: usize = 100;
/// Purchases of holdout users that a score can be judged by.
pub const MIN_HOLDOUT_PURCHASES: usize = 20;
/// Starts of the mixtures. Any number does; it is fixed so that the same history gives the same model.
const SEED: u64 = 0x1a4d_fa11;

/// There is too little to learn from. The rule judges instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected at least {needed} {what}, found {found}")]
pub struct TooLittle {
    /// What there is too little of.
    pub what: &'static str,
    /// How much would do.
    pub needed: usize,
    /// How much there is.
    pub found: usize,
}

/// Trains a model. Its segments continue those of `previous`.
pub fn train(history: &History, previous: Option<&Model>, version: u32) -> Result<Model, TooLittle> {
    check(history)?;
    let mut ids = Ids::after(previous.and_then(|model| model.last_segment_id));
    let buyers = fit_part(Population::Buyers, history, previous, &mut ids);
    let visitors = fit_part(Population::Visitors, history, previous, &mut ids);
    let mut model = Model {
        schema: SCHEMA_VERSION,
        version,
        trained_at: history.now.cutoff,
        last_segment_id: ids.last(),
        units: history.units.clone(),
        buyers,
        visitors,
        calibration: Calibration::NONE,
        report: Report {
            users: history.now.samples.len(),
            labelled: history.labelled(Fold::Training).count(),
            windows: history.past.len(),
            holdout_log_density: None,
            holdout: Quality::of(Vec::new()),
        },
    };
    let log_odds = |sample: &Sample| {
        let part = model.part(sample.population);
        (part.propensity.log_odds(sample.population, &sample.features), sample.bought)
    };
    let pairs: Vec<(f64, bool)> = history.labelled(Fold::Calibration).map(log_odds).collect();
    model.calibration = Calibration::fit(&pairs);
    model.report.holdout = judge_holdout(&model, history);
    model.report.holdout_log_density = mean(history.current(true).filter_map(|sample| log_density(&model, sample)));
    Ok(model)
}

/// The score on the holdout users of the latest labelled window.
pub fn judge_holdout(model: &Model, history: &History) -> Quality {
    let pair = |sample: &Sample| (model.score(sample.population, &sample.features), sample.bought);
    Quality::of(history.labelled(Fold::Holdout).map(pair).collect())
}

/// The log density of a user's features, `None` if there is no mixture for the population.
pub fn log_density(model: &Model, sample: &Sample) -> Option<f64> {
    let segmentation = model.part(sample.population).segmentation.as_ref()?;
    Some(segmentation.place(sample.population, &sample.features).log_density)
}

fn check(history: &History) -> Result<(), TooLittle> {
    let bought = |fold| history.labelled(fold).filter(|sample| sample.bought).count();
    for (what, needed, found) in [
        ("users", MIN_USERS, history.now.samples.len()),
        ("purchases within 30 days to learn from", MIN_PURCHASES, bought(Fold::Training)),
        ("purchases within 30 days to judge by", MIN_HOLDOUT_PURCHASES, bought(Fold::Holdout)),
    ] {
        if found < needed {
            return Err(TooLittle { what, needed, found });
        }
    }
    Ok(())
}

fn fit_part(population: Population, history: &History, previous: Option<&Model>, ids: &mut Ids) -> Part {
    let is_here = |sample: &&Sample| sample.population == population;
    let current: Vec<&Sample> = history.current(false).filter(is_here).collect();
    let earlier = previous.and_then(|model| model.part(population).segmentation.as_ref());
    let segmentation = Segmentation::fit(population, &current, earlier, ids, SEED);
    let training: Vec<&Sample> = history.labelled(Fold::Training).filter(is_here).collect();
    let calibration: Vec<&Sample> = history.labelled(Fold::Calibration).filter(is_here).collect();
    Part { segmentation, propensity: Propensity::fit(population, &training, &calibration) }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}
