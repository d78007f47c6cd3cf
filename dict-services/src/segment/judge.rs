//! Who says what segment a user is in: the model, or the rule while there is none.
//!
//! In scope: choosing between the two.
//! Out of scope: how either judges.

use super::activity::Activity;
use super::rule::{self, Placement};
use super::table::Segment;
use crate::model::artefact::Model;

/// What judges the users of one refresh.
#[derive(Clone, Debug, PartialEq)]
pub enum Judge {
    /// Fixed thresholds. Its segments are named `rule_...`.
    Rule,
    /// A trained model.
    Model(Box<Model>),
}

impl From<Option<Model>> for Judge {
    fn from(model: Option<Model>) -> Self {
        model.map_or(Self::Rule, |model| Self::Model(Box::new(model)))
    }
}

impl Judge {
    /// Judges one user's activity as of `now`, unix seconds.
    pub fn judge(&self, activity: &Activity, now: u32) -> Placement {
        match self {
            Self::Rule => rule::judge(activity, now),
            Self::Model(model) => model.judge(activity, now),
        }
    }

    /// All segments that a placement can name.
    pub fn segments(&self) -> Vec<Segment> {
        match self {
            Self::Rule => rule::segments(),
            Self::Model(model) => model.segments(),
        }
    }

    /// The model, `None` if the rule judges.
    pub fn model(&self) -> Option<&Model> {
        match self {
            Self::Rule => None,
            Self::Model(model) => Some(model),
        }
    }
}
