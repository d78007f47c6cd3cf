//! Segments keep their ids from one training to the next.

use dict_services::model::artefact::Model;
use dict_services::model::training;

use crate::shopper::{self, Crowd, PHASES, Shopper};
use crate::{NOW, history};

fn segments(model: &Model) -> Vec<(u16, String)> {
    let mut own: Vec<_> = model
        .segments()
        .into_iter()
        .filter(|segment| segment.id >= 100)
        .map(|segment| (segment.id, segment.name))
        .collect();
    own.sort();
    own
}

#[test]
fn a_segment_keeps_its_id_when_the_model_is_trained_again() {
    let crowd: Vec<Shopper> = Crowd::new(&PHASES, 21, 30.0).take(3_000).collect();
    let first = training::train(&history(&crowd), None, 1).unwrap();
    let again = training::train(&shopper::history(&crowd, NOW, 3.0), Some(&first), 2).unwrap();
    let (before, after) = (segments(&first), segments(&again));
    let kept = before.iter().filter(|segment| after.contains(segment)).count();
    assert!(kept >= 7, "expected most of {before:?} in {after:?}");
    assert!(again.last_segment_id >= first.last_segment_id, "ids are not given again");
}

#[test]
fn the_same_history_gives_the_same_model() {
    let crowd: Vec<Shopper> = Crowd::new(&PHASES, 22, 30.0).take(1_500).collect();
    let history = history(&crowd);
    assert_eq!(training::train(&history, None, 1), training::train(&history, None, 1));
}
