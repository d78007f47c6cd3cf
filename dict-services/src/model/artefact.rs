//! What a training leaves: the model and the account of how good it is, as one document.
//!
//! In scope: judging one user, the checks of a document that was read.
//! Out of scope: fitting ([`super::training`]) and files ([`super::archive`]).

use serde::{Deserialize, Serialize};

use super::feature::{Features, Units};
use super::population::Population;
use super::propensity::{Calibration, Propensity};
use super::quality::Quality;
use super::segmentation::{Membership, Segmentation};
use crate::entries::Defect;
use crate::segment::activity::Activity;
use crate::segment::rule::{self, PPM, Placement};
use crate::segment::table;

/// Version of the document's layout. One of another version is not read.
pub const SCHEMA_VERSION: u32 = 1;

/// A trained model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// [`SCHEMA_VERSION`].
    pub schema: u32,
    /// Number of the training, from 1.
    pub version: u32,
    /// Cutoff of the youngest data it saw, unix seconds.
    pub trained_at: u32,
    /// The last segment id ever given.
    pub last_segment_id: Option<u16>,
    /// What money is measured in.
    pub units: Units,
    /// Model of the users who bought.
    pub buyers: Part,
    /// Model of the users who did not.
    pub visitors: Part,
    /// Correction of both scores.
    pub calibration: Calibration,
    /// How good it is.
    pub report: Report,
}

/// The model of one population.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// `None` if there were too few users; the rule places them.
    pub segmentation: Option<Segmentation>,
    /// Log odds of buying.
    pub propensity: Propensity,
}

/// What the training saw and how the model did on users kept apart from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Users that segments were made of, holdout included.
    pub users: usize,
    /// Labelled users that the score was fitted to, over all past windows.
    pub labelled: usize,
    /// Past windows.
    pub windows: usize,
    /// Mean log density of the holdout users' features under the mixtures. More is better. `None` without a mixture.
    pub holdout_log_density: Option<f64>,
    /// The score on the holdout users of the latest labelled window.
    pub holdout: Quality,
}

/// What a model says about one user, with its reasons.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Bought or not.
    pub population: Population,
    /// The numbers that were looked at.
    pub features: Features,
    /// `None` if the rule placed the user.
    pub membership: Option<Membership>,
    /// What each of the population's score features adds to the log odds, calibration included.
    pub contributions: Vec<f64>,
    /// Chance of buying within 30 days, 0 to 1.
    pub score: f64,
    /// The placement that the feed serves.
    pub placement: Placement,
}

impl Model {
    /// Reads a document.
    pub fn parse(bytes: &[u8]) -> Result<Self, Defect> {
        let model: Self =
            serde_json::from_slice(bytes).map_err(|error| Defect::new("model", "a model of this version", error))?;
        if model.schema != SCHEMA_VERSION {
            return Err(Defect::new("schema", "version 1", model.schema));
        }
        for population in [Population::Buyers, Population::Visitors] {
            let part = model.part(population);
            part.propensity.check(population)?;
            part.segmentation.as_ref().map_or(Ok(()), |segmentation| segmentation.check(population))?;
        }
        if !model.calibration.is_sound() {
            return Err(Defect::new("calibration", "a finite shift and a slope above 0", model.calibration.slope));
        }
        Ok(model)
    }

    /// The model of one population.
    pub fn part(&self, population: Population) -> &Part {
        match population {
            Population::Buyers => &self.buyers,
            Population::Visitors => &self.visitors,
        }
    }

    /// All segments that a placement can name, those of the rule included.
    pub fn segments(&self) -> Vec<table::Segment> {
        let parts = [&self.buyers, &self.visitors].into_iter().filter_map(|part| part.segmentation.as_ref());
        let own = parts.flat_map(Segmentation::segments).map(|segment| segment.tag.clone());
        rule::segments().into_iter().chain(own).collect()
    }

    /// Chance of buying within 30 days, 0 to 1.
    pub fn score(&self, population: Population, features: &Features) -> f64 {
        self.calibration.chance(self.part(population).propensity.log_odds(population, features))
    }

    /// Judges one user's activity, read up to `cutoff`, unix seconds.
    pub fn judge(&self, activity: &Activity, cutoff: u32) -> Placement {
        let population = Population::of(activity);
        let features = Features::of(activity, &self.units, cutoff);
        let segmentation = self.part(population).segmentation.as_ref();
        let membership = segmentation.map(|segmentation| segmentation.place(population, &features));
        self.placement(activity, cutoff, membership.as_ref(), self.score(population, &features))
    }

    /// The same with its reasons.
    pub fn explain(&self, activity: &Activity, cutoff: u32) -> Explanation {
        let population = Population::of(activity);
        let features = Features::of(activity, &self.units, cutoff);
        let part = self.part(population);
        let membership = part.segmentation.as_ref().map(|segmentation| segmentation.place(population, &features));
        let score = self.score(population, &features);
        let contributions = part.propensity.contributions(population, &features);
        Explanation {
            population,
            features,
            contributions: contributions.into_iter().map(|addend| addend * self.calibration.slope).collect(),
            score,
            placement: self.placement(activity, cutoff, membership.as_ref(), score),
            membership,
        }
    }

    fn placement(&self, activity: &Activity, cutoff: u32, membership: Option<&Membership>, score: f64) -> Placement {
        let score_ppm = ppm(score);
        let part = self.part(Population::of(activity));
        let Some((segmentation, membership)) = part.segmentation.as_ref().zip(membership) else {
            return Placement { score_ppm, ..rule::judge(activity, cutoff) };
        };
        Placement {
            segment_id: segmentation.segments()[membership.segment].tag.id,
            score_ppm,
            confidence_ppm: ppm(membership.shares[membership.segment]),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "within 0 to a million; the cast saturates"
)]
fn ppm(share: f64) -> u32 {
    ((share * f64::from(PPM)).round() as u32).min(PPM)
}
