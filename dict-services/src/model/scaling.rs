//! Standardising: every feature with mean 0 and deviation 1 over the users it was fitted on.
//!
//! In scope: fitting and applying.
//! Out of scope: logarithms, which come before ([`super::feature`]).

use serde::{Deserialize, Serialize};

use super::points::Points;

/// Standardised values beyond this count as this: one extreme user must not stretch a segment, nor run away with a square.
pub const MAX_DEVIATIONS: f64 = 5.0;
/// A feature that varies less than this is constant, and stays unscaled.
const MIN_DEVIATION: f64 = 1e-6;

/// Mean and standard deviation of each feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    means: Vec<f64>,
    deviations: Vec<f64>,
}

impl Scaling {
    /// Fits to `points`.
    pub fn fit(points: &Points) -> Self {
        let count = points.len().max(1) as f64;
        let mut means = vec![0.0; points.dimensions()];
        for row in points.rows() {
            means.iter_mut().zip(row).for_each(|(mean, value)| *mean += value / count);
        }
        let mut variances = vec![0.0; points.dimensions()];
        for row in points.rows() {
            for ((variance, value), mean) in variances.iter_mut().zip(row).zip(&means) {
                *variance += (value - mean).powi(2) / count;
            }
        }
        let deviation = |variance: f64| if variance.sqrt() < MIN_DEVIATION { 1.0 } else { variance.sqrt() };
        Self { means, deviations: variances.into_iter().map(deviation).collect() }
    }

    /// Whether it is for rows of `dimensions` numbers, all of them usable.
    pub fn is_sound(&self, dimensions: usize) -> bool {
        self.means.len() == dimensions
            && self.deviations.len() == dimensions
            && self.means.iter().all(|mean| mean.is_finite())
            && self.deviations.iter().all(|deviation| deviation.is_normal() && *deviation > 0.0)
    }

    /// The standardised row, within [`MAX_DEVIATIONS`].
    pub fn apply<'a>(&'a self, row: impl IntoIterator<Item = f64> + 'a) -> impl Iterator<Item = f64> + 'a {
        let standardised = |((value, mean), deviation): ((f64, &f64), &f64)| (value - mean) / deviation;
        let rows = row.into_iter().zip(&self.means).zip(&self.deviations).map(standardised);
        rows.map(|value| value.clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS))
    }

    /// The standardised rows.
    #[must_use]
    pub fn apply_all(&self, points: &Points) -> Points {
        Points::of(points.dimensions(), points.rows().map(|row| self.apply(row.iter().copied())))
    }

    /// Sum of the logarithms of the deviations: what a log density over standardised rows lacks to be one over the raw rows.
    pub fn log_volume(&self) -> f64 {
        self.deviations.iter().map(|deviation| deviation.ln()).sum()
    }

    /// Root mean square of the difference of two raw rows, in deviations.
    pub fn distance(&self, left: &[f64], right: &[f64]) -> f64 {
        let squares =
            left.iter().zip(right).zip(&self.deviations).map(|((l, r), deviation)| ((l - r) / deviation).powi(2));
        (squares.sum::<f64>() / self.deviations.len().max(1) as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_DEVIATIONS, Points, Scaling};

    #[test]
    fn a_standardised_feature_has_mean_0_and_deviation_1() {
        let mut points = Points::new(2);
        for value in [2.0, 4.0, 6.0, 8.0] {
            points.push([value, 7.0]);
        }
        let scaled = Scaling::fit(&points).apply_all(&points);
        let sum = |of: fn(f64) -> f64| scaled.rows().map(|row| of(row[0])).sum::<f64>();
        assert!(sum(|value| value).abs() < 1e-12);
        assert!((sum(|value| value * value) - 4.0).abs() < 1e-12);
        assert!(scaled.rows().all(|row| row[1] == 0.0), "a constant feature says nothing");
    }

    #[test]
    fn an_extreme_user_is_brought_in() {
        let scaling = Scaling { means: vec![1.0], deviations: vec![2.0] };
        assert_eq!(scaling.apply([1e9]).collect::<Vec<_>>(), [MAX_DEVIATIONS]);
        assert_eq!(scaling.apply([-3.0]).collect::<Vec<_>>(), [-2.0]);
    }

    #[test]
    fn damaged_numbers_are_found() {
        let good = Scaling { means: vec![0.0], deviations: vec![1.0] };
        assert!(good.is_sound(1) && !good.is_sound(2));
        assert!(!Scaling { deviations: vec![0.0], ..good.clone() }.is_sound(1));
        assert!(!Scaling { means: vec![f64::NAN], ..good }.is_sound(1));
    }
}
