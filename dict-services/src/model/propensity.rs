//! The score: the chance that a user buys within the next 30 days.
//!
//! In scope: one logistic model per population, and the calibration over both.
//! Out of scope: segments.

use serde::{Deserialize, Serialize};

use super::dataset::Sample;
use super::feature::Features;
use super::logistic::{self, Logistic, Terms};
use super::points::Points;
use super::population::Population;
use super::scaling::Scaling;
use crate::entries::Defect;

/// Ridges that are tried, by what they promise for the calibration users.
const RIDGES: [f64; 3] = [1.0, 10.0, 100.0];
/// A population with fewer buyers, or fewer who do not buy, gets the same chance for everybody.
const MIN_OUTCOMES: usize = 30;
/// Calibration users who bought, below which the calibration is left out.
const MIN_CALIBRATION_BUYERS: usize = 50;

/// The log odds of buying for users of one population.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Propensity {
    scaling: Scaling,
    logistic: Logistic,
    /// The chosen ridge, `None` if everybody has the same chance.
    pub ridge: Option<f64>,
}

impl Propensity {
    /// Fits to `training`, choosing by `calibration`; all of `population`.
    pub fn fit(population: Population, training: &[&Sample], calibration: &[&Sample]) -> Self {
        let dimensions = population.score_features().len();
        let raw = training.iter().map(|sample| sample.features.some(population.score_features()));
        let scaling = Scaling::fit(&Points::of(dimensions, raw));
        let labels: Vec<bool> = training.iter().map(|sample| sample.bought).collect();
        let bought = labels.iter().filter(|bought| **bought).count();
        // One of each is added (Laplace), so that nobody is promised certainty.
        let rate = (bought + 1) as f64 / (labels.len() + 2) as f64;
        let constant = Self { logistic: Logistic::constant(rate, dimensions), scaling, ridge: None };
        if bought.min(labels.len() - bought) < MIN_OUTCOMES {
            return constant;
        }
        let rows = training.iter().map(|sample| constant.row(population, &sample.features));
        let rows = Points::of(dimensions, rows);
        let candidates = RIDGES.iter().filter_map(|ridge| {
            let logistic = Logistic::fit(&rows, &labels, Terms::Quadratic, *ridge)?;
            Some(Self { scaling: constant.scaling.clone(), logistic, ridge: Some(*ridge) })
        });
        let loss =
            |candidate: &Self| -> f64 { calibration.iter().map(|sample| candidate.log_loss(population, sample)).sum() };
        let judged = candidates.map(|candidate| (loss(&candidate), candidate));
        judged.min_by(|left, right| left.0.total_cmp(&right.0)).map_or(constant, |(_, best)| best)
    }

    /// The log odds before calibration.
    pub fn log_odds(&self, population: Population, features: &Features) -> f64 {
        self.logistic.log_odds(&self.row(population, features))
    }

    /// What each of the population's score features adds to the log odds.
    pub fn contributions(&self, population: Population, features: &Features) -> Vec<f64> {
        self.logistic.contributions(&self.row(population, features)).collect()
    }

    fn row(&self, population: Population, features: &Features) -> Vec<f64> {
        self.scaling.apply(features.some(population.score_features())).collect()
    }

    fn log_loss(&self, population: Population, sample: &Sample) -> f64 {
        logistic::log_loss(self.log_odds(population, &sample.features), sample.bought)
    }

    /// Checks a model that was read from a file.
    pub fn check(&self, population: Population) -> Result<(), Defect> {
        let dimensions = population.score_features().len();
        if self.scaling.is_sound(dimensions) && self.logistic.is_sound(dimensions) {
            return Ok(());
        }
        Err(Defect::new("propensity", "finite numbers for each score feature", "others"))
    }
}

/// Corrects log odds to what was observed lately (Platt, 1999): the older windows know who buys, the latest knows how many do now.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Added to the log odds.
    pub shift: f64,
    /// Factor before that.
    pub slope: f64,
}

impl Calibration {
    /// Changes nothing.
    pub const NONE: Self = Self { shift: 0.0, slope: 1.0 };

    /// Fits to `(log odds, bought)` of users that the model was not fitted to.
    pub fn fit(pairs: &[(f64, bool)]) -> Self {
        let labels: Vec<bool> = pairs.iter().map(|pair| pair.1).collect();
        let bought = labels.iter().filter(|bought| **bought).count();
        if bought.min(labels.len() - bought) < MIN_CALIBRATION_BUYERS {
            return Self::NONE;
        }
        let rows = Points::of(1, pairs.iter().map(|pair| [pair.0]));
        let Some(fitted) = Logistic::fit(&rows, &labels, Terms::Linear, 0.0) else {
            return Self::NONE;
        };
        let shift = fitted.log_odds(&[0.0]);
        let calibration = Self { shift, slope: fitted.log_odds(&[1.0]) - shift };
        if calibration.is_sound() { calibration } else { Self::NONE }
    }

    /// Whether it keeps the order of users.
    pub fn is_sound(self) -> bool {
        self.shift.is_finite() && self.slope.is_finite() && self.slope > 0.0
    }

    /// The chance of buying.
    pub fn chance(self, log_odds: f64) -> f64 {
        logistic::chance(self.shift + self.slope * log_odds)
    }
}

#[cfg(test)]
mod tests {
    use super::{Calibration, Propensity, Sample, logistic};
    use crate::model::dataset::Fold;
    use crate::model::feature::Units;
    use crate::model::population::Population;
    use crate::segment::activity::{Activity, DAY_S};
    use fastrand::Rng;

    /// Buyers whose chance falls with the days since their last order.
    fn drawn(users: u64, rng: &mut Rng) -> Vec<Sample> {
        let now = 400 * DAY_S;
        let sample = |user_id| {
            let days = rng.u32(1..100);
            let next_orders = u64::from(rng.u32(..100) >= days);
            let activity =
                Activity { user_id, orders: 1, last_order: now - days * DAY_S, next_orders, ..Activity::default() };
            Sample::of(&activity, &Units::default(), now)
        };
        (0..users).map(sample).collect()
    }

    #[test]
    fn a_known_chance_is_learnt() {
        let samples = drawn(20_000, &mut Rng::with_seed(2));
        let (training, calibration): (Vec<&Sample>, Vec<&Sample>) =
            samples.iter().partition(|sample| Fold::of(sample.user_id) == Fold::Training);
        let propensity = Propensity::fit(Population::Buyers, &training, &calibration);
        assert!(propensity.ridge.is_some());
        for sample in samples.iter().take(50) {
            let days = sample.features.plain(crate::model::feature::Feature::OrderRecency);
            let chance = logistic::chance(propensity.log_odds(Population::Buyers, &sample.features));
            assert!((chance - (1.0 - days / 100.0)).abs() < 0.12, "{days} days: {chance}");
        }
    }

    #[test]
    fn with_few_buyers_everybody_has_the_base_rate() {
        let samples = drawn(40, &mut Rng::with_seed(2));
        let all: Vec<&Sample> = samples.iter().collect();
        let propensity = Propensity::fit(Population::Buyers, &all, &[]);
        assert_eq!(propensity.ridge, None);
        let bought = all.iter().filter(|sample| sample.bought).count();
        let chance = logistic::chance(propensity.log_odds(Population::Buyers, &all[0].features));
        assert!((chance - (bought + 1) as f64 / 42.0).abs() < 1e-9);
    }

    #[test]
    fn calibration_undoes_a_known_distortion() {
        let mut rng = Rng::with_seed(4);
        let pairs: Vec<(f64, bool)> = (0..40_000)
            .map(|_| {
                let truth = rng.f64() * 6.0 - 4.0;
                ((truth + 1.0) / 0.5, rng.f64() < logistic::chance(truth))
            })
            .collect();
        let calibration = Calibration::fit(&pairs);
        assert!((calibration.slope - 0.5).abs() < 0.03 && (calibration.shift + 1.0).abs() < 0.06, "{calibration:?}");
        assert_eq!(Calibration::fit(&pairs[..60]), Calibration::NONE);
    }
}
