//! Whether a new model replaces the one in use.
//!
//! In scope: comparing both on the same holdout users.
//! Out of scope: keeping them ([`super::archive`]).
//!
//! Two models differ a little on any holdout. The new one counts as worse only if the mean difference per user is more than
//! [`MAX_ERRORS`] standard errors against it. The old model may have learnt from some of these users, which favours it.

use super::artefact::Model;
use super::dataset::{Fold, History, Sample};
use super::training::log_density;

/// Standard errors that count as worse: by chance alone it happens once in 40 trainings.
pub const MAX_ERRORS: f64 = 2.0;
/// Log loss of a probability that was certain and wrong is that of this one.
const LEAST_CHANCE: f64 = 1e-9;

/// The mean of new minus old, over the same users. More is better for the new model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain {
    /// Mean per user.
    pub mean: f64,
    /// Its standard error.
    pub error: f64,
}

/// A new model beside the one in use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Log-likelihood of what the holdout users did, under the scores.
    pub score: Gain,
    /// Log density of the holdout users' features, under the mixtures.
    pub segments: Gain,
}

impl Comparison {
    /// Compares on the holdout users of `history`.
    pub fn of(new: &Model, old: &Model, history: &History) -> Self {
        let score = |sample| log_likelihood(new, sample) - log_likelihood(old, sample);
        let density = |sample| Some(log_density(new, sample)? - log_density(old, sample)?);
        Self {
            score: Gain::of(history.labelled(Fold::Holdout).map(score)),
            segments: Gain::of(history.current(true).filter_map(density)),
        }
    }

    /// Whether the new model must not be used.
    pub fn is_worse(self) -> bool {
        self.score.is_loss() || self.segments.is_loss()
    }
}

impl Gain {
    fn of(differences: impl Iterator<Item = f64>) -> Self {
        let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
        for difference in differences {
            // Welford's update: no difference of large sums.
            count += 1.0;
            let before = difference - mean;
            mean += before / count;
            squares += before * (difference - mean);
        }
        let error = if count > 1.0 { f64::sqrt(squares / (count - 1.0) / count) } else { 0.0 };
        Self { mean, error }
    }

    fn is_loss(self) -> bool {
        self.mean < -MAX_ERRORS * self.error
    }
}

fn log_likelihood(model: &Model, sample: &Sample) -> f64 {
    let chance = model.score(sample.population, &sample.features);
    (if sample.bought { chance } else { 1.0 - chance }).max(LEAST_CHANCE).ln()
}

#[cfg(test)]
mod tests {
    use super::Gain;

    #[test]
    fn only_a_loss_beyond_chance_counts() {
        let clear = Gain::of([-1.0, -1.2, -0.8, -1.1].into_iter());
        assert!(clear.is_loss() && (clear.mean + 1.025).abs() < 1e-12, "{clear:?}");
        assert!(!Gain::of([-1.0, 1.0, -0.8, 0.6].into_iter()).is_loss());
        assert!(!Gain::of([1.0, 1.2].into_iter()).is_loss());
        assert!(!Gain::of([0.0, 0.0].into_iter()).is_loss(), "equal is not worse");
        assert!(!Gain::of(std::iter::empty()).is_loss());
    }

    #[test]
    fn the_error_is_that_of_the_mean() {
        let gain = Gain::of([1.0, 2.0, 3.0, 4.0].into_iter());
        assert!((gain.mean - 2.5).abs() < 1e-12 && (gain.error - (5.0_f64 / 3.0 / 4.0).sqrt()).abs() < 1e-12);
    }
}
