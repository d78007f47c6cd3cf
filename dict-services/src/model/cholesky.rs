//! The Cholesky factor of a small symmetric positive definite matrix.
//!
//! In scope: what the mixture and the logistic model need of it: solving, whitening, the determinant.
//! Out of scope: large or sparse matrices.
//!
//! A matrix of `n` by `n` numbers is a slice, row by row; only its lower triangle is read.

/// The lower triangular matrix L with L Lᵀ = A.
#[derive(Clone, Debug, PartialEq)]
pub struct Cholesky {
    n: usize,
    lower: Vec<f64>,
}

impl Cholesky {
    /// Factors `matrix` (`n * n` numbers). `None` if it is not positive definite, or not that long.
    pub fn factor(matrix: &[f64], n: usize) -> Option<Self> {
        if matrix.len() != n * n {
            return None;
        }
        let mut lower = vec![0.0; n * n];
        for row in 0..n {
            for column in 0..=row {
                let known: f64 = (0..column).map(|k| lower[row * n + k] * lower[column * n + k]).sum();
                let rest = matrix[row * n + column] - known;
                lower[row * n + column] = if row != column {
                    rest / lower[column * n + column]
                } else if rest > 0.0 && rest.is_finite() {
                    rest.sqrt()
                } else {
                    return None;
                };
            }
        }
        Some(Self { n, lower })
    }

    /// The x with A x = `right`.
    pub fn solve(&self, right: &[f64]) -> Vec<f64> {
        let n = self.n;
        let mut x = right.to_vec();
        for row in 0..n {
            let known: f64 = (0..row).map(|k| self.lower[row * n + k] * x[k]).sum();
            x[row] = (x[row] - known) / self.lower[row * n + row];
        }
        for row in (0..n).rev() {
            let known: f64 = (row + 1..n).map(|k| self.lower[k * n + row] * x[k]).sum();
            x[row] = (x[row] - known) / self.lower[row * n + row];
        }
        x
    }

    /// L⁻¹, lower triangular: it turns a deviation from the mean into independent unit normals.
    pub fn whitener(&self) -> Vec<f64> {
        let n = self.n;
        let mut inverse = vec![0.0; n * n];
        for column in 0..n {
            inverse[column * n + column] = 1.0 / self.lower[column * n + column];
            for row in column + 1..n {
                let known: f64 = (column..row).map(|k| self.lower[row * n + k] * inverse[k * n + column]).sum();
                inverse[row * n + column] = -known / self.lower[row * n + row];
            }
        }
        inverse
    }

    /// ln det A.
    pub fn log_determinant(&self) -> f64 {
        (0..self.n).map(|k| 2.0 * self.lower[k * self.n + k].ln()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::Cholesky;

    const MATRIX: [f64; 9] = [4.0, 2.0, 0.6, 2.0, 5.0, 1.0, 0.6, 1.0, 3.0];

    #[test]
    fn the_solution_solves() {
        let x = Cholesky::factor(&MATRIX, 3).unwrap().solve(&[1.0, 2.0, 3.0]);
        for (row, right) in MATRIX.chunks(3).zip([1.0, 2.0, 3.0]) {
            let left: f64 = row.iter().zip(&x).map(|(a, x)| a * x).sum();
            assert!((left - right).abs() < 1e-12, "{left} {right}");
        }
    }

    #[test]
    fn whitening_undoes_the_covariance() {
        let cholesky = Cholesky::factor(&MATRIX, 3).unwrap();
        let whitener = cholesky.whitener();
        for (row, column) in (0..3).flat_map(|row| (0..3).map(move |column| (row, column))) {
            let product: f64 =
                (0..9).map(|k| whitener[row * 3 + k / 3] * MATRIX[k] * whitener[column * 3 + k % 3]).sum();
            let expected = if row == column { 1.0 } else { 0.0 };
            assert!((product - expected).abs() < 1e-12, "{row} {column}: {product}");
        }
        let determinant = 4.0 * (15.0 - 1.0) - 2.0 * (6.0 - 0.6) + 0.6 * (2.0 - 3.0);
        assert!((cholesky.log_determinant() - f64::ln(determinant)).abs() < 1e-12);
    }

    #[test]
    fn what_is_not_positive_definite_is_refused() {
        assert!(Cholesky::factor(&[1.0, 2.0, 2.0, 1.0], 2).is_none());
        assert!(Cholesky::factor(&[f64::NAN], 1).is_none());
        assert!(Cholesky::factor(&[1.0], 2).is_none());
    }
}
