//! Logistic regression with a ridge penalty.
//!
//! In scope: fitting by Newton's method, the log odds of one row.
//! Out of scope: what the columns are ([`super::propensity`]).
//!
//! Source: Hastie, Tibshirani, Friedman, The Elements of Statistical Learning (2009), section 4.4.1. docs/segments.md says why
//! this is not a library's.

use serde::{Deserialize, Serialize};

use super::cholesky::Cholesky;
use super::points::Points;

/// Newton steps; a fit takes about eight.
const MAX_STEPS: usize = 50;
/// A step is halved at most this often until it gains.
const MAX_HALVINGS: usize = 20;
/// A step that gains less penalised log-likelihood per user is the last.
const MIN_GAIN: f64 = 1e-9;

/// Which terms of a row the log odds are linear in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Terms {
    /// The values.
    Linear,
    /// The values, their squares and their products in pairs.
    Quadratic,
}

impl Terms {
    /// Number of coefficients for rows of `dimensions` values, the constant included.
    pub fn count(self, dimensions: usize) -> usize {
        match self {
            Self::Linear => 1 + dimensions,
            Self::Quadratic => 1 + dimensions + dimensions * (dimensions + 1) / 2,
        }
    }

    /// Writes the terms of `row` into `terms`: 1, the values, then the products by row of the lower triangle.
    fn expand(self, row: &[f64], terms: &mut Vec<f64>) {
        terms.clear();
        terms.push(1.0);
        terms.extend_from_slice(row);
        if self == Self::Quadratic {
            for (at, left) in row.iter().enumerate() {
                terms.extend(row[..=at].iter().map(|right| left * right));
            }
        }
    }
}

/// A fitted model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Logistic {
    terms: Terms,
    /// Constant first, then as [`Terms::expand`] writes them.
    coefficients: Vec<f64>,
}

impl Logistic {
    /// Always the log odds of `rate`, for rows of `dimensions` values.
    pub fn constant(rate: f64, dimensions: usize) -> Self {
        let mut coefficients = vec![0.0; Terms::Linear.count(dimensions)];
        coefficients[0] = logit(rate);
        Self { terms: Terms::Linear, coefficients }
    }

    /// Fits the chance of `labels` to `rows`, of which there are as many. `ridge` is the inverse of the coefficients' prior variance.
    /// `None` if there is no finite best fit.
    pub fn fit(rows: &Points, labels: &[bool], terms: Terms, ridge: f64) -> Option<Self> {
        let count = terms.count(rows.dimensions());
        let mut model = Self { terms, coefficients: vec![0.0; count] };
        let mut slope = Slope::at(&model, rows, labels, ridge);
        for _ in 0..MAX_STEPS {
            let step = Cholesky::factor(&slope.curvature, count)?.solve(&slope.gradient);
            let (better, found) = (0..MAX_HALVINGS).find_map(|halvings| {
                let scale = 0.5_f64.powi(i32::try_from(halvings).unwrap_or(i32::MAX));
                let candidate = model.moved(&step, scale);
                let found = Slope::at(&candidate, rows, labels, ridge);
                (found.objective >= slope.objective).then_some((candidate, found))
            })?;
            let gain = found.objective - slope.objective;
            (model, slope) = (better, found);
            if gain <= MIN_GAIN * labels.len() as f64 {
                return Some(model);
            }
        }
        None
    }

    fn moved(&self, step: &[f64], scale: f64) -> Self {
        let moved = self.coefficients.iter().zip(step).map(|(coefficient, step)| coefficient + scale * step);
        Self { terms: self.terms, coefficients: moved.collect() }
    }

    /// Whether it is for rows of `dimensions` values, all coefficients usable.
    pub fn is_sound(&self, dimensions: usize) -> bool {
        self.coefficients.len() == self.terms.count(dimensions)
            && self.coefficients.iter().all(|coefficient| coefficient.is_finite())
    }

    /// The log odds of `row`.
    pub fn log_odds(&self, row: &[f64]) -> f64 {
        self.coefficients[0] + self.contributions(row).sum::<f64>()
    }

    /// What each value adds to the log odds: its linear term, its square, and its products with the values before it.
    pub fn contributions<'a>(&'a self, row: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        let (linear, products) = self.coefficients[1..].split_at(row.len());
        linear.iter().zip(row).enumerate().map(move |(at, (coefficient, value))| {
            let start = at * (at + 1) / 2;
            let of_row = products.get(start..=start + at).unwrap_or_default();
            value * (coefficient + dot(of_row, row))
        })
    }
}

/// The penalised log-likelihood and its slope at one model.
struct Slope {
    objective: f64,
    gradient: Vec<f64>,
    /// Minus the second derivatives, row by row; only the lower triangle is set.
    curvature: Vec<f64>,
}

impl Slope {
    fn at(model: &Logistic, rows: &Points, labels: &[bool], ridge: f64) -> Self {
        let count = model.coefficients.len();
        let mut total = Self::penalty(model, ridge);
        let parts = rows.in_parts(|first, values| {
            let mut sums = Self { objective: 0.0, gradient: vec![0.0; count], curvature: vec![0.0; count * count] };
            let mut terms = Vec::with_capacity(count);
            for (row, label) in values.chunks_exact(rows.dimensions()).zip(&labels[first..]) {
                model.terms.expand(row, &mut terms);
                sums.add_row(&terms, dot(&model.coefficients, &terms), *label);
            }
            sums
        });
        for part in parts {
            total.objective += part.objective;
            total.gradient.iter_mut().zip(&part.gradient).for_each(|(sum, term)| *sum += term);
            total.curvature.iter_mut().zip(&part.curvature).for_each(|(sum, term)| *sum += term);
        }
        total
    }

    /// The penalty's share. The constant is free, but for what keeps the curvature positive definite.
    fn penalty(model: &Logistic, ridge: f64) -> Self {
        const FREE: f64 = 1e-9;
        let count = model.coefficients.len();
        let mut slope = Self { objective: 0.0, gradient: vec![0.0; count], curvature: vec![0.0; count * count] };
        for (at, coefficient) in model.coefficients.iter().enumerate() {
            let ridge = if at == 0 { FREE } else { ridge.max(FREE) };
            slope.objective -= 0.5 * ridge * coefficient.powi(2);
            slope.gradient[at] = -ridge * coefficient;
            slope.curvature[at * count + at] = ridge;
        }
        slope
    }

    fn add_row(&mut self, terms: &[f64], log_odds: f64, label: bool) {
        let chance = chance(log_odds);
        let surprise = f64::from(u8::from(label)) - chance;
        self.objective -= log_loss(log_odds, label);
        self.gradient.iter_mut().zip(terms).for_each(|(sum, term)| *sum += surprise * term);
        let weight = chance * (1.0 - chance);
        for (at, (row, left)) in self.curvature.chunks_exact_mut(terms.len()).zip(terms).enumerate() {
            let weighted = weight * left;
            row[..=at].iter_mut().zip(terms).for_each(|(sum, right)| *sum += weighted * right);
        }
    }
}

/// Minus the log-likelihood of `label` at these log odds, natural logarithm.
pub fn log_loss(log_odds: f64, label: bool) -> f64 {
    let against = if label { -log_odds } else { log_odds };
    // ln(1 + e^x) without overflow.
    against.max(0.0) + (-against.abs()).exp().ln_1p()
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

/// The chance with these log odds.
pub fn chance(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// The log odds of this chance.
pub fn logit(chance: f64) -> f64 {
    (chance / (1.0 - chance)).ln()
}

#[cfg(test)]
mod tests {
    use super::{Logistic, Points, Terms, chance, log_loss, logit};
    use fastrand::Rng;

    /// Rows whose labels follow known log odds.
    fn drawn(users: usize, log_odds: fn(f64, f64) -> f64) -> (Points, Vec<bool>) {
        let mut rng = Rng::with_seed(5);
        let mut rows = Points::new(2);
        let mut labels = Vec::new();
        for _ in 0..users {
            let (x, y) = (rng.f64() * 4.0 - 2.0, rng.f64() * 4.0 - 2.0);
            rows.push([x, y]);
            labels.push(rng.f64() < chance(log_odds(x, y)));
        }
        (rows, labels)
    }

    #[test]
    fn known_log_odds_are_found() {
        let (rows, labels) = drawn(40_000, |x, y| -1.0 + 0.8 * x - 0.5 * y);
        let model = Logistic::fit(&rows, &labels, Terms::Linear, 0.0).unwrap();
        for (found, expected) in model.coefficients.iter().zip([-1.0, 0.8, -0.5]) {
            assert!((found - expected).abs() < 0.05, "{found} {expected}");
        }
    }

    #[test]
    fn squares_and_products_are_found() {
        let (rows, labels) = drawn(40_000, |x, y| -1.0 + 0.5 * x * x - 0.7 * x * y);
        let model = Logistic::fit(&rows, &labels, Terms::Quadratic, 1.0).unwrap();
        assert!((model.log_odds(&[1.0, 2.0]) - (-1.0 + 0.5 - 1.4)).abs() < 0.15);
        assert!((model.log_odds(&[-1.5, 1.0]) - (-1.0 + 1.125 + 1.05)).abs() < 0.15);
        let parts: Vec<f64> = model.contributions(&[1.0, 2.0]).collect();
        assert!((model.coefficients[0] + parts.iter().sum::<f64>() - model.log_odds(&[1.0, 2.0])).abs() < 1e-12);
    }

    #[test]
    fn a_ridge_bounds_what_separates_perfectly() {
        let mut rows = Points::new(1);
        (0..20).for_each(|at| rows.push([if at < 10 { -1.0 } else { 1.0 }]));
        let labels: Vec<bool> = (0..20).map(|at| at >= 10).collect();
        let model = Logistic::fit(&rows, &labels, Terms::Linear, 1.0).unwrap();
        assert!((0.5..5.0).contains(&model.log_odds(&[1.0])), "{model:?}");
    }

    #[test]
    fn a_constant_says_the_same_of_everybody() {
        let model = Logistic::constant(0.2, 3);
        assert!(model.is_sound(3) && !model.is_sound(2));
        assert!((chance(model.log_odds(&[9.0, -9.0, 1.0])) - 0.2).abs() < 1e-12);
    }

    #[test]
    fn the_loss_is_minus_the_logarithm_of_the_chance() {
        assert!((log_loss(logit(0.3), true) + 0.3_f64.ln()).abs() < 1e-12);
        assert!((log_loss(logit(0.3), false) + 0.7_f64.ln()).abs() < 1e-12);
        assert!((log_loss(-800.0, true) - 800.0).abs() < 1e-9);
    }
}
