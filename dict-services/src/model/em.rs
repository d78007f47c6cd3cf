//! Fitting a mixture of a given size: expectation-maximisation from several starts.
//!
//! In scope: starts, iterations, when to stop, when to give up.
//! Out of scope: the right size ([`super::selection`]).
//!
//! Source: Dempster, Laird, Rubin (1977); starts by k-means++ (Arthur, Vassilvitskii, 2007), of which short runs on a part of the
//! users keep the best (Biernacki, Celeux, Govaert, 2003). One pass over the users does both steps, so memory does not grow with
//! users times components. docs/segments.md says why this is not a library's.

use fastrand::Rng;

use super::mixture::{Gaussian, MAX_COMPONENTS, Mixture};
use super::points::Points;

/// Starts that are tried.
const STARTS: usize = 6;
/// Users that a start is tried on, and its iterations.
const START_USERS: usize = 10_000;
const START_ITERATIONS: usize = 20;
/// Squared distance per dimension beyond which a user is no better a start, in variances.
const MAX_SQUARE: f64 = 9.0;
/// Iterations of the run that counts.
const MAX_ITERATIONS: usize = 300;
/// An iteration that gains less log-likelihood per user is the last.
const MIN_GAIN: f64 = 1e-5;
/// Added to each variance (of standardised features): counts are whole numbers, and without it a component would shrink onto one.
const VARIANCE_FLOOR: f64 = 0.02;
/// A component needs this share of the users and this many; a fit that loses one is given up.
const MIN_SHARE: f64 = 0.01;
const MIN_MEMBERS: f64 = 30.0;

/// A fitted mixture.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The mixture.
    pub mixture: Mixture,
    /// Sum over the users of the log density, natural logarithm.
    pub log_likelihood: f64,
}

/// Fits `components` Gaussians to standardised `points`. `None` if the users do not carry that many.
pub fn fit(points: &Points, components: usize, seed: u64) -> Option<Fit> {
    let mut rng = Rng::with_seed(seed ^ components as u64);
    let sample = points.drawn(START_USERS, &mut rng);
    let mut starts: Vec<Fit> =
        (0..STARTS).filter_map(|_| climb(&sample, start(&sample, components, &mut rng)?, START_ITERATIONS)).collect();
    starts.sort_by(|left, right| right.log_likelihood.total_cmp(&left.log_likelihood));
    starts.into_iter().find_map(|start| climb(points, start.mixture, MAX_ITERATIONS))
}

/// Spherical components around well spread users.
fn start(points: &Points, components: usize, rng: &mut Rng) -> Option<Mixture> {
    let spread = 1.0 / components as f64;
    let covariance = diagonal(&vec![spread; points.dimensions()]);
    let gaussian = |mean: &[f64]| Gaussian { weight: spread, mean: mean.to_vec(), covariance: covariance.clone() };
    let gaussians: Vec<Gaussian> = spread_rows(points, components, rng)?.into_iter().map(gaussian).collect();
    Mixture::try_from(gaussians).ok()
}

/// k-means++: each next row with a probability that grows with the square of its distance from those chosen, up to a limit: an extreme
/// user is no better a start than one at the edge of the crowd.
fn spread_rows<'a>(points: &'a Points, wanted: usize, rng: &mut Rng) -> Option<Vec<&'a [f64]>> {
    if points.is_empty() {
        return None;
    }
    let mut chosen = vec![points.row(rng.usize(..points.len()))];
    let mut distances = vec![f64::INFINITY; points.len()];
    while chosen.len() < wanted {
        let latest = chosen[chosen.len() - 1];
        for (distance, row) in distances.iter_mut().zip(points.rows()) {
            let squares: f64 = row.iter().zip(latest).map(|(a, b)| (a - b).powi(2)).sum();
            *distance = distance.min(squares).min(MAX_SQUARE * row.len() as f64);
        }
        let mut ticket = rng.f64() * distances.iter().sum::<f64>();
        let drawn = distances.iter().position(|distance| {
            ticket -= distance;
            ticket < 0.0
        })?;
        chosen.push(points.row(drawn));
    }
    Some(chosen)
}

/// Iterates until the likelihood stands still.
fn climb(points: &Points, mut mixture: Mixture, max_iterations: usize) -> Option<Fit> {
    let users = points.len() as f64;
    let mut before = f64::NEG_INFINITY;
    for _ in 0..max_iterations {
        let moments = expect(points, &mixture);
        mixture = maximise(&moments, users, points.dimensions())?;
        if moments.log_likelihood - before < MIN_GAIN * users {
            break;
        }
        before = moments.log_likelihood;
    }
    let log_likelihood = expect(points, &mixture).log_likelihood;
    Some(Fit { mixture, log_likelihood })
}

/// Sums over users, weighted by responsibility.
struct Moments {
    log_likelihood: f64,
    /// Per component: of 1, of the values, of their products (lower triangle, row by row).
    weights: Vec<f64>,
    firsts: Vec<Vec<f64>>,
    seconds: Vec<Vec<f64>>,
}

impl Moments {
    fn zero(components: usize, dimensions: usize) -> Self {
        Self {
            log_likelihood: 0.0,
            weights: vec![0.0; components],
            firsts: vec![vec![0.0; dimensions]; components],
            seconds: vec![vec![0.0; dimensions * dimensions]; components],
        }
    }

    fn add_point(&mut self, point: &[f64], responsibilities: &[f64]) {
        /// What is less adds nothing that a sum of doubles would keep.
        const NEGLIGIBLE: f64 = 1e-9;
        for (k, share) in responsibilities.iter().enumerate().filter(|(_, share)| **share > NEGLIGIBLE) {
            self.weights[k] += share;
            for ((first, row), left) in
                self.firsts[k].iter_mut().zip(self.seconds[k].chunks_exact_mut(point.len())).zip(point)
            {
                let weighted = share * left;
                *first += weighted;
                row.iter_mut().zip(point).for_each(|(second, right)| *second += weighted * right);
            }
        }
    }

    fn add(&mut self, other: &Self) {
        self.log_likelihood += other.log_likelihood;
        add_all(&mut self.weights, &other.weights);
        for (sum, term) in self.firsts.iter_mut().zip(&other.firsts).chain(self.seconds.iter_mut().zip(&other.seconds))
        {
            add_all(sum, term);
        }
    }
}

fn add_all(sums: &mut [f64], terms: &[f64]) {
    sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
}

fn expect(points: &Points, mixture: &Mixture) -> Moments {
    let (components, dimensions) = (mixture.gaussians().len(), mixture.dimensions());
    let parts = points.in_parts(|_, values| {
        let mut moments = Moments::zero(components, dimensions);
        let mut responsibilities = [0.0; MAX_COMPONENTS];
        for point in values.chunks_exact(dimensions) {
            moments.log_likelihood += mixture.explain(point, &mut responsibilities);
            moments.add_point(point, &responsibilities[..components]);
        }
        moments
    });
    let mut total = Moments::zero(components, dimensions);
    for part in &parts {
        total.add(part);
    }
    total
}

fn maximise(moments: &Moments, users: f64, dimensions: usize) -> Option<Mixture> {
    let mut gaussians = Vec::with_capacity(moments.weights.len());
    for ((weight, first), second) in moments.weights.iter().zip(&moments.firsts).zip(&moments.seconds) {
        if *weight < MIN_MEMBERS || *weight < MIN_SHARE * users {
            return None;
        }
        let mean: Vec<f64> = first.iter().map(|sum| sum / weight).collect();
        let mut covariance = diagonal(&vec![VARIANCE_FLOOR; dimensions]);
        for (at, (entry, sum)) in covariance.iter_mut().zip(second).enumerate() {
            *entry += sum / weight - mean[at / dimensions] * mean[at % dimensions];
        }
        gaussians.push(Gaussian { weight: weight / users, mean, covariance });
    }
    Mixture::try_from(gaussians).ok()
}

fn diagonal(values: &[f64]) -> Vec<f64> {
    let mut matrix = vec![0.0; values.len() * values.len()];
    matrix.iter_mut().step_by(values.len() + 1).zip(values).for_each(|(entry, value)| *entry = *value);
    matrix
}

#[cfg(test)]
mod tests {
    use super::{Points, Rng, fit};
    use crate::model::scaling::Scaling;

    /// Standard normal by the sum of 12 uniforms, which is close enough here.
    fn normal(rng: &mut Rng) -> f64 {
        (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
    }

    fn blobs(users: usize) -> Points {
        let mut rng = Rng::with_seed(1);
        let mut points = Points::new(2);
        for user in 0..users {
            let (x, y) = (normal(&mut rng), normal(&mut rng));
            // A quarter in a round blob, the rest in a slanted one.
            points.push(if user % 4 == 0 { [x - 4.0, y] } else { [2.0 * x + 4.0, x + 0.5 * y] });
        }
        points
    }

    #[test]
    fn known_blobs_are_found() {
        let fit = fit(&blobs(4_000), 2, 7).unwrap();
        let round = fit.mixture.gaussians().iter().find(|gaussian| gaussian.mean[0] < 0.0).unwrap();
        let slanted = fit.mixture.gaussians().iter().find(|gaussian| gaussian.mean[0] > 0.0).unwrap();
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 0.15, "{found} {expected}");
        near(round.weight, 0.25);
        near(round.mean[0], -4.0);
        near(round.covariance[0], 1.0);
        near(slanted.mean[0], 4.0);
        near(slanted.covariance[1], 2.0);
        near(slanted.covariance[3], 1.25);
    }

    #[test]
    fn the_same_seed_gives_the_same_bits() {
        let points = blobs(500);
        assert_eq!(fit(&points, 3, 7), fit(&points, 3, 7));
    }

    #[test]
    fn an_extreme_user_does_not_spoil_the_rest() {
        let mut points = blobs(1_000);
        points.push([40.0, -40.0]);
        let fit = fit(&Scaling::fit(&points).apply_all(&points), 2, 7).unwrap();
        assert!(fit.log_likelihood.is_finite());
    }

    #[test]
    fn too_few_users_carry_no_component() {
        assert!(fit(&blobs(40), 2, 7).is_none());
        assert!(fit(&Points::new(2), 1, 7).is_none());
        let mut same = Points::new(1);
        (0..100).for_each(|_| same.push([1.0]));
        assert!(fit(&same, 2, 7).is_none(), "equal users are one segment");
    }
}
