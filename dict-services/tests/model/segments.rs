//! The hidden kind of a shopper shows in the segment.

use dict_services::model::training;

use crate::agreement::adjusted_rand_index;
use crate::shopper::{Crowd, PHASES, Shopper};
use crate::{NOW, history};

/// Design: adjusted Rand index of segments and hidden kinds.
const MIN_AGREEMENT: f64 = 0.6;

#[test]
fn hidden_kinds_are_found_and_named() {
    let crowd: Vec<Shopper> = Crowd::new(&PHASES, 11, 30.0).take(3_000).collect();
    let model = training::train(&history(&crowd), None, 1).unwrap();
    let segments = model.segments();
    let mut pairs = Vec::new();
    let mut named_as_hidden = 0_u32;
    for shopper in &crowd {
        let Some(activity) = shopper.activity(NOW, 0.0, 0.0) else {
            continue;
        };
        let placement = model.judge(&activity, NOW);
        let name = &segments.iter().find(|segment| segment.id == placement.segment_id).unwrap().name;
        named_as_hidden += u32::from(name.starts_with(PHASES[shopper.kind].name));
        pairs.push((shopper.kind, placement.segment_id));
    }
    let agreement = adjusted_rand_index(&pairs);
    assert!(agreement >= MIN_AGREEMENT, "adjusted Rand index {agreement}");
    let share = f64::from(named_as_hidden) / pairs.len() as f64;
    assert!(share >= 0.8, "{share} of the shoppers are in a segment of their kind's name: {segments:?}");
}
