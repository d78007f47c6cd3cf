//! The score is as good as a score can be, and means what it says.

use dict_services::model::dataset::HORIZON_DAYS;
use dict_services::model::quality::Quality;
use dict_services::model::training;

use crate::shopper::{Crowd, LIFELONG, Oracle, Shopper};
use crate::{NOW, history};

/// Design: how far below the best possible ranking.
const MAX_AUC_GAP: f64 = 0.02;
/// Mean distance of promised and observed that chance explains on this many shoppers.
const MAX_CALIBRATION_ERROR: f64 = 0.03;

#[test]
fn the_score_ranks_nearly_as_well_as_can_be_and_is_calibrated() {
    let horizon = f64::from(HORIZON_DAYS);
    let crowd: Vec<Shopper> = Crowd::new(&LIFELONG, 12, horizon).take(6_000).collect();
    let model = training::train(&history(&crowd), None, 1).unwrap();
    let oracle = Oracle::new(13);
    let (mut ours, mut best) = (Vec::new(), Vec::new());
    for shopper in &crowd {
        // The future that no training saw.
        if let Some(activity) = shopper.activity(NOW, 0.0, horizon) {
            let bought = activity.next_orders > 0;
            ours.push((f64::from(model.judge(&activity, NOW).score_ppm) / 1e6, bought));
            best.push((oracle.chance(shopper, horizon), bought));
        }
    }
    let (ours, best) = (Quality::of(ours), Quality::of(best));
    assert!(best.auc > 0.9 && best.calibration_error < MAX_CALIBRATION_ERROR, "the oracle itself: {best:?}");
    assert!(ours.auc >= best.auc - MAX_AUC_GAP, "{} {}", ours.auc, best.auc);
    assert!(ours.calibration_error < MAX_CALIBRATION_ERROR, "{ours:?}");
    assert!(model.report.holdout.auc > best.auc - 0.04, "{:?}", model.report.holdout);
}
