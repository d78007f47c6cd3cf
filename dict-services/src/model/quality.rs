//! How good probabilities are, against what happened.
//!
//! In scope: ranking (AUC), squared error (Brier, 1950), log loss, calibration by tenths of the users.
//! Out of scope: which users are judged ([`super::dataset`]).

use serde::{Deserialize, Serialize};

/// Rows of a calibration table.
pub const CALIBRATION_ROWS: usize = 10;
/// Log loss of a probability that was certain and wrong is that of this one.
const LEAST_CHANCE: f64 = 1e-9;

/// The quality of one set of probabilities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Users judged.
    pub users: usize,
    /// Share that bought.
    pub base_rate: f64,
    /// Chance that a buyer is ranked above a non-buyer, ties half; 0.5 is blind. 0 to 1.
    pub auc: f64,
    /// Mean squared error of the probability. Less is better.
    pub brier: f64,
    /// Mean of minus ln of the probability of what happened. Less is better.
    pub log_loss: f64,
    /// Mean over the calibration table of the distance from promised to observed, weighted by users.
    pub calibration_error: f64,
    /// Promised and observed, by rising probability.
    pub calibration: Vec<CalibrationRow>,
}

/// One tenth of the users, by rising probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationRow {
    /// Users in it.
    pub users: usize,
    /// Mean probability.
    pub promised: f64,
    /// Share that bought.
    pub observed: f64,
}

impl Quality {
    /// Judges `(probability, bought)` pairs. Without pairs every number is 0.
    pub fn of(mut pairs: Vec<(f64, bool)>) -> Self {
        pairs.sort_by(|left, right| left.0.total_cmp(&right.0));
        let calibration: Vec<CalibrationRow> =
            pairs.chunks(pairs.len().div_ceil(CALIBRATION_ROWS).max(1)).map(row).collect();
        let mean = |of: fn(&(f64, bool)) -> f64| pairs.iter().map(of).sum::<f64>() / pairs.len().max(1) as f64;
        let off = |row: &CalibrationRow| (row.promised - row.observed).abs() * row.users as f64;
        Self {
            users: pairs.len(),
            base_rate: mean(|pair| outcome(pair.1)),
            auc: auc(&pairs),
            brier: mean(|pair| (pair.0 - outcome(pair.1)).powi(2)),
            log_loss: mean(loss),
            calibration_error: calibration.iter().map(off).sum::<f64>() / pairs.len().max(1) as f64,
            calibration,
        }
    }
}

fn outcome(bought: bool) -> f64 {
    f64::from(u8::from(bought))
}

fn loss(&(promised, bought): &(f64, bool)) -> f64 {
    let chance_of_outcome = if bought { promised } else { 1.0 - promised };
    -chance_of_outcome.max(LEAST_CHANCE).ln()
}

fn row(pairs: &[(f64, bool)]) -> CalibrationRow {
    let users = pairs.len() as f64;
    CalibrationRow {
        users: pairs.len(),
        promised: pairs.iter().map(|pair| pair.0).sum::<f64>() / users,
        observed: pairs.iter().map(|pair| outcome(pair.1)).sum::<f64>() / users,
    }
}

/// Area under the curve of `pairs`, sorted by probability: from the ranks of the buyers (Mann, Whitney, 1947).
fn auc(pairs: &[(f64, bool)]) -> f64 {
    let (mut below, mut wins, mut buyers) = (0.0, 0.0, 0.0);
    for tied in pairs.chunk_by(|left, right| left.0.total_cmp(&right.0).is_eq()) {
        let bought = tied.iter().filter(|pair| pair.1).count() as f64;
        let others = tied.len() as f64 - bought;
        wins += bought * (below + 0.5 * others);
        below += others;
        buyers += bought;
    }
    if buyers * below == 0.0 { 0.0 } else { wins / (buyers * below) }
}

#[cfg(test)]
mod tests {
    use super::Quality;

    fn auc(pairs: &[(f64, bool)]) -> f64 {
        Quality::of(pairs.to_vec()).auc
    }

    #[test]
    fn ranking_is_counted_by_pairs() {
        assert_eq!(auc(&[(0.9, true), (0.1, false)]), 1.0);
        assert_eq!(auc(&[(0.1, true), (0.9, false)]), 0.0);
        assert_eq!(auc(&[(0.5, true), (0.5, false), (0.5, false)]), 0.5);
        // Of 4 pairs of buyer and other, 2.5 are in order.
        assert_eq!(auc(&[(0.2, false), (0.4, true), (0.6, true), (0.6, false)]), 0.625);
        assert_eq!(auc(&[(0.2, false)]), 0.0, "without buyers there is nothing to rank");
    }

    #[test]
    fn errors_are_means() {
        let quality = Quality::of(vec![(0.8, true), (0.4, false)]);
        assert!((quality.brier - 0.1).abs() < 1e-12);
        assert!((quality.log_loss + f64::midpoint(0.8_f64.ln(), 0.6_f64.ln())).abs() < 1e-12);
        assert_eq!((quality.users, quality.base_rate), (2, 0.5));
        assert!(Quality::of(vec![(0.0, true)]).log_loss.is_finite());
    }

    #[test]
    fn calibration_shows_promises_that_are_not_kept() {
        let mut pairs: Vec<(f64, bool)> = (0..1_000).map(|user| (0.2, user % 5 == 0)).collect();
        assert!(Quality::of(pairs.clone()).calibration_error < 1e-9);
        for pair in &mut pairs {
            pair.0 = 0.5;
        }
        let quality = Quality::of(pairs);
        assert_eq!(quality.calibration.len(), 10);
        assert!((quality.calibration_error - 0.3).abs() < 1e-9);
    }

    #[test]
    fn nobody_is_no_error() {
        let quality = Quality::of(Vec::new());
        assert_eq!((quality.users, quality.auc, quality.brier, quality.calibration.len()), (0, 0.0, 0.0, 0));
    }
}
