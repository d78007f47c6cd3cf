//! Rows of numbers, one row per user.
//!
//! In scope: a dense matrix that grows by rows and can be cut for threads.
//! Out of scope: what the columns mean ([`super::feature`]).

use fastrand::Rng;

/// Threads that one training uses. Fixed, so that sums add up in the same order and a training can be repeated bit by bit; few,
/// so that the readers of the feed keep the other cores.
pub const TRAINING_THREADS: usize = 2;

/// Rows of the same length, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Points {
    dimensions: usize,
    values: Vec<f64>,
}

impl Points {
    /// No rows yet, each of `dimensions` numbers, at least 1.
    pub fn new(dimensions: usize) -> Self {
        Self { dimensions: dimensions.max(1), values: Vec::new() }
    }

    /// Adds a row. A value too many is not taken, a missing one is 0.
    pub fn push(&mut self, row: impl IntoIterator<Item = f64>) {
        let end = self.values.len() + self.dimensions;
        self.values.extend(row.into_iter().take(self.dimensions));
        self.values.resize(end, 0.0);
    }

    /// Numbers per row.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.values.len() / self.dimensions
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The rows in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.dimensions)
    }

    /// The row at `index`.
    ///
    /// # Panics
    /// Past the end.
    pub fn row(&self, index: usize) -> &[f64] {
        &self.values[index * self.dimensions..(index + 1) * self.dimensions]
    }

    /// About `wanted` rows, drawn by chance: every so-manieth row would miss whoever has other ids.
    #[must_use]
    pub fn drawn(&self, wanted: usize, rng: &mut Rng) -> Self {
        if self.len() <= wanted {
            return self.clone();
        }
        let chance = wanted as f64 / self.len() as f64;
        Self::of(self.dimensions, self.rows().filter(|_| rng.f64() < chance).map(|row| row.iter().copied()))
    }

    /// Rows from an iterator, each of `dimensions` numbers.
    pub fn of<R: IntoIterator<Item = f64>>(dimensions: usize, rows: impl IntoIterator<Item = R>) -> Self {
        let mut points = Self::new(dimensions);
        for row in rows {
            points.push(row);
        }
        points
    }

    /// Calls `sum` on one thread for each of [`TRAINING_THREADS`] parts and returns the results in order. `sum` is given the index of the
    /// first row of its part.
    ///
    /// # Panics
    /// When `sum` does.
    pub fn in_parts<T: Send>(&self, sum: impl Fn(usize, &[f64]) -> T + Sync) -> Vec<T> {
        let rows_per_part = self.len().div_ceil(TRAINING_THREADS).max(1);
        std::thread::scope(|scope| {
            let threads: Vec<_> = self
                .values
                .chunks(rows_per_part * self.dimensions)
                .enumerate()
                .map(|(part, values)| {
                    let sum = &sum;
                    scope.spawn(move || sum(part * rows_per_part, values))
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("nothing but a panic in `sum` ends a thread early"))
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Points, Rng};

    fn counted(rows: u32) -> Points {
        Points::of(2, (0..rows).map(|row| [f64::from(row), 1.0]))
    }

    #[test]
    fn every_row_is_in_one_part() {
        for rows in [0, 1, 2, 7] {
            let points = counted(rows);
            let sums = points.in_parts(|first, values| (first, values.chunks(2).map(|row| row[0]).sum::<f64>()));
            let whole: f64 = sums.iter().map(|part| part.1).sum();
            assert_eq!(whole, f64::from(rows * rows.saturating_sub(1) / 2), "{rows} rows");
            assert!(sums.iter().all(|(first, _)| *first < points.len()), "{rows} rows");
        }
    }

    #[test]
    fn rows_keep_their_length() {
        let mut points = Points::new(2);
        points.push([1.0]);
        points.push([2.0, 3.0, 4.0]);
        assert_eq!(points.rows().collect::<Vec<_>>(), [[1.0, 0.0], [2.0, 3.0]]);
        assert_eq!(points.row(1), [2.0, 3.0]);
    }

    #[test]
    fn a_sample_has_rows_of_every_kind() {
        let sample = counted(10_000).drawn(1_000, &mut Rng::with_seed(1));
        assert!(sample.len().abs_diff(1_000) < 100, "{}", sample.len());
        for kind in 0..7 {
            let of_kind = sample.rows().filter(|row| row[0] % 7.0 == f64::from(kind)).count();
            assert!(of_kind > 100, "{of_kind} of kind {kind}");
        }
        assert_eq!(counted(3).drawn(100, &mut Rng::with_seed(1)), counted(3));
    }
}
