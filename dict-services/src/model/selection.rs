//! Choosing the number of components: the least Bayesian information criterion (Schwarz, 1978).
//!
//! In scope: trying each size within the bounds.
//! Out of scope: fitting one size ([`super::em`]), and joining components into segments ([`super::segmentation`]).

use serde::{Deserialize, Serialize};

use super::em;
use super::mixture::{MAX_COMPONENTS, Mixture};
use super::points::Points;

/// A size that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Number of components.
    pub components: usize,
    /// Sum over the training users, natural logarithm.
    pub log_likelihood: f64,
    /// `parameters * ln(users) - 2 * log_likelihood`: less is better.
    pub bic: f64,
}

/// The chosen mixture and what it was chosen from.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// The mixture with the least criterion.
    pub mixture: Mixture,
    /// Every size that the users carry.
    pub candidates: Vec<Candidate>,
}

/// Fits 1 to [`MAX_COMPONENTS`] components to standardised `points` and keeps the best. `None` if the users carry not even one.
pub fn select(points: &Points, seed: u64) -> Option<Selection> {
    let mut best: Option<(Mixture, f64)> = None;
    let mut candidates = Vec::new();
    for components in 1..=MAX_COMPONENTS {
        let Some(fit) = em::fit(points, components, seed) else {
            continue;
        };
        let bic = fit.mixture.parameters() as f64 * (points.len() as f64).ln() - 2.0 * fit.log_likelihood;
        tracing::debug!(components, bic, log_likelihood = fit.log_likelihood, "mixture fitted");
        candidates.push(Candidate { components, log_likelihood: fit.log_likelihood, bic });
        if best.as_ref().is_none_or(|(_, least)| bic < *least) {
            best = Some((fit.mixture, bic));
        }
    }
    best.map(|(mixture, _)| Selection { mixture, candidates })
}

#[cfg(test)]
mod tests {
    use super::{Points, select};
    use fastrand::Rng;

    #[test]
    fn as_many_components_as_there_are_blobs() {
        let mut rng = Rng::with_seed(3);
        for blobs in 1..4_u8 {
            let mut points = Points::new(2);
            for user in 0..3_000_u16 {
                let centre = f64::from(user % u16::from(blobs)) * 6.0;
                points.push([(); 2].map(|()| (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0 + centre));
            }
            let selection = select(&points, 1).unwrap();
            assert_eq!(selection.mixture.gaussians().len(), usize::from(blobs), "{:?}", selection.candidates);
        }
    }

    #[test]
    fn nobody_is_no_mixture() {
        assert_eq!(select(&Points::new(3), 1), None);
    }
}
