//! A mixture of Gaussians with full covariances: densities and responsibilities.
//!
//! In scope: evaluating a mixture at one point.
//! Out of scope: fitting one ([`super::em`]) and choosing its size ([`super::selection`]).
//!
//! Source: Bishop, Pattern Recognition and Machine Learning (2006), section 9.2. Sums of densities are taken on logarithms, so
//! that a user far from every segment has a small density and not none.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

use super::cholesky::Cholesky;
use crate::entries::Defect;

/// Components of one mixture. More cannot be told apart by people, and each costs training time.
pub const MAX_COMPONENTS: usize = 8;

/// One component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gaussian {
    /// Share of the users, 0 to 1.
    pub weight: f64,
    /// Centre, one number per dimension.
    pub mean: Vec<f64>,
    /// Covariance, row by row.
    pub covariance: Vec<f64>,
}

/// A mixture that can be evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Gaussian>", into = "Vec<Gaussian>")]
pub struct Mixture {
    gaussians: Vec<Gaussian>,
    /// Per component: L⁻¹ of its covariance.
    whiteners: Vec<Vec<f64>>,
    /// Per component: the logarithm of weight and normalising constant.
    log_scales: Vec<f64>,
}

impl TryFrom<Vec<Gaussian>> for Mixture {
    type Error = Defect;

    fn try_from(gaussians: Vec<Gaussian>) -> Result<Self, Defect> {
        if gaussians.is_empty() || gaussians.len() > MAX_COMPONENTS {
            return Err(Defect::new("mixture", "1 to 8 components", gaussians.len()));
        }
        let dimensions = gaussians[0].mean.len();
        let mut mixture = Self { gaussians: Vec::new(), whiteners: Vec::new(), log_scales: Vec::new() };
        for gaussian in gaussians {
            if gaussian.mean.len() != dimensions || gaussian.mean.iter().any(|mean| !mean.is_finite()) {
                return Err(Defect::new("mean", "finite, the same length in each component", gaussian.mean.len()));
            }
            if !(gaussian.weight > 0.0 && gaussian.weight <= 1.0) {
                return Err(Defect::new("weight", "above 0, at most 1", gaussian.weight));
            }
            let factor = Cholesky::factor(&gaussian.covariance, dimensions)
                .ok_or_else(|| Defect::new("covariance", "a positive definite matrix", "another"))?;
            let constant = dimensions as f64 * TAU.ln() + factor.log_determinant();
            mixture.log_scales.push(gaussian.weight.ln() - 0.5 * constant);
            mixture.whiteners.push(factor.whitener());
            mixture.gaussians.push(gaussian);
        }
        Ok(mixture)
    }
}

impl From<Mixture> for Vec<Gaussian> {
    fn from(mixture: Mixture) -> Self {
        mixture.gaussians
    }
}

impl Mixture {
    /// The components.
    pub fn gaussians(&self) -> &[Gaussian] {
        &self.gaussians
    }

    /// Numbers per point.
    pub fn dimensions(&self) -> usize {
        self.gaussians[0].mean.len()
    }

    /// Writes the responsibility of each component for `point` into `responsibilities` (they add up to 1) and returns the log density.
    pub fn explain(&self, point: &[f64], responsibilities: &mut [f64; MAX_COMPONENTS]) -> f64 {
        let mut highest = f64::NEG_INFINITY;
        for (k, log_joint) in responsibilities.iter_mut().take(self.gaussians.len()).enumerate() {
            *log_joint = self.log_scales[k] - 0.5 * self.squared_distance(k, point);
            highest = highest.max(*log_joint);
        }
        let joint = &mut responsibilities[..self.gaussians.len()];
        for log_joint in joint.iter_mut() {
            *log_joint = (*log_joint - highest).exp();
        }
        let sum: f64 = joint.iter().sum();
        for share in joint.iter_mut() {
            *share /= sum;
        }
        highest + sum.ln()
    }

    /// Squared Mahalanobis distance of `point` from component `k`.
    fn squared_distance(&self, k: usize, point: &[f64]) -> f64 {
        let mean = &self.gaussians[k].mean;
        let rows = self.whiteners[k].chunks_exact(mean.len()).enumerate();
        rows.map(|(row, whitener)| {
            let terms = whitener[..=row].iter().zip(point).zip(mean);
            terms.map(|((weight, value), mean)| weight * (value - mean)).sum::<f64>().powi(2)
        })
        .sum()
    }

    /// Free parameters: weights, means, covariances.
    pub fn parameters(&self) -> usize {
        let dimensions = self.dimensions();
        let per_component = 1 + dimensions + dimensions * (dimensions + 1) / 2;
        self.gaussians.len() * per_component - 1
    }
}

#[cfg(test)]
mod tests {
    use super::{Gaussian, MAX_COMPONENTS, Mixture};

    fn two() -> Vec<Gaussian> {
        let gaussian = |weight, mean: [f64; 2], covariance: [f64; 4]| Gaussian {
            weight,
            mean: mean.to_vec(),
            covariance: covariance.to_vec(),
        };
        vec![gaussian(0.25, [0.0, 0.0], [1.0, 0.0, 0.0, 1.0]), gaussian(0.75, [3.0, 0.0], [2.0, 0.5, 0.5, 1.0])]
    }

    #[test]
    fn the_density_is_the_weighted_sum() {
        let mixture = Mixture::try_from(two()).unwrap();
        let mut shares = [0.0; MAX_COMPONENTS];
        let density = mixture.explain(&[1.0, 1.0], &mut shares).exp();
        // By hand: determinant 1.75, inverse [1, -0.5, -0.5, 2] / 1.75, deviation (-2, 1).
        let first = 0.25 / std::f64::consts::TAU * f64::exp(-1.0);
        let second = 0.75 / (std::f64::consts::TAU * 1.75_f64.sqrt()) * f64::exp(-0.5 * (4.0 + 2.0 + 2.0) / 1.75);
        assert!((density - first - second).abs() < 1e-12, "{density}");
        assert!((shares[0] - first / (first + second)).abs() < 1e-12);
        assert!((shares[0] + shares[1] - 1.0).abs() < 1e-12);
        assert_eq!(mixture.parameters(), 11);
    }

    #[test]
    fn a_point_far_from_everything_still_has_responsibilities() {
        let mixture = Mixture::try_from(two()).unwrap();
        let mut shares = [0.0; MAX_COMPONENTS];
        let log_density = mixture.explain(&[-1e6, 0.0], &mut shares);
        assert!(log_density.is_finite() && (shares[0] + shares[1] - 1.0).abs() < 1e-12, "{log_density} {shares:?}");
    }

    #[test]
    fn a_damaged_mixture_names_what_is_wrong() {
        let refusal = |change: fn(&mut Vec<Gaussian>)| {
            let mut gaussians = two();
            change(&mut gaussians);
            Mixture::try_from(gaussians).unwrap_err().field
        };
        assert_eq!(refusal(Vec::clear), "mixture");
        assert_eq!(refusal(|gaussians| gaussians[1].mean.truncate(1)), "mean");
        assert_eq!(refusal(|gaussians| gaussians[1].weight = f64::NAN), "weight");
        assert_eq!(refusal(|gaussians| gaussians[0].covariance[3] = -1.0), "covariance");
    }

    #[test]
    fn a_mixture_reads_back() {
        let mixture = Mixture::try_from(two()).unwrap();
        let text = serde_json::to_string(&mixture).unwrap();
        assert_eq!(serde_json::from_str::<Mixture>(&text).unwrap(), mixture);
    }
}
