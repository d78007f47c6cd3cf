//! The segments of one population: a mixture whose components carry names and ids.
//!
//! In scope: fitting, joining components into segments, finding a user's segment.
//! Out of scope: the score ([`super::propensity`]).
//!
//! The criterion picks as many Gaussians as the shape of the data needs, which can be several for one group of people. Components
//! that overlap and whose members do the same, so that they earn the same name, are one segment; its share of a user is the sum of theirs.

use serde::{Deserialize, Serialize};

use super::dataset::Sample;
use super::feature::{Feature, Features};
use super::lineage::{self, Ids};
use super::mixture::{MAX_COMPONENTS, Mixture};
use super::naming;
use super::points::Points;
use super::population::Population;
use super::scaling::Scaling;
use super::selection::{self, Candidate};
use crate::entries::Defect;
use crate::segment::table;

/// Users that one component is worth looking for.
pub const MIN_USERS: usize = 200;

/// Components of the same name are one segment if more than this share of one would be taken for the other.
const MIN_OVERLAP: f64 = 0.05;

/// A segment of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Stable id and name.
    #[serde(flatten)]
    pub tag: table::Segment,
    /// Share of the population's training users, 0 to 1.
    pub share: f64,
    /// What members do on average, by feature name.
    pub profile: Vec<(String, f64)>,
    /// Mean of the segment features on their logarithmic scale: what the next training compares.
    centroid: Vec<f64>,
}

/// The segments of one population.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segmentation {
    scaling: Scaling,
    mixture: Mixture,
    /// Per component, where in `segments` it belongs.
    segment_of: Vec<usize>,
    segments: Vec<Segment>,
    /// The sizes that were tried.
    pub candidates: Vec<Candidate>,
}

/// Where a user belongs.
#[derive(Clone, Debug, PartialEq)]
pub struct Membership {
    /// Responsibility of each segment, in the order of [`Segmentation::segments`]; they add up to 1.
    pub shares: Vec<f64>,
    /// The segment with the largest.
    pub segment: usize,
    /// Log density of the user's features (on their logarithmic scale) under the mixture.
    pub log_density: f64,
}

impl Segmentation {
    /// Fits to `samples`, all of `population`. Segments continue those of `previous` and take new ids from `ids`. `None` if there are
    /// fewer than [`MIN_USERS`], or no mixture fits.
    pub fn fit(
        population: Population,
        samples: &[&Sample],
        previous: Option<&Self>,
        ids: &mut Ids,
        seed: u64,
    ) -> Option<Self> {
        if samples.len() < MIN_USERS {
            return None;
        }
        let features = population.segment_features();
        let raw = Points::of(features.len(), samples.iter().map(|sample| sample.features.some(features)));
        let scaling = Scaling::fit(&raw);
        let selection = selection::select(&scaling.apply_all(&raw), seed)?;
        let mut segmentation = Self {
            scaling,
            segment_of: Vec::new(),
            segments: Vec::new(),
            candidates: selection.candidates,
            mixture: selection.mixture,
        };
        segmentation.name_components(population, samples);
        segmentation.number_segments(previous, ids);
        Some(segmentation)
    }

    /// Joins components that earn the same name and overlap. A component without a member joins the largest segment.
    fn name_components(&mut self, population: Population, samples: &[&Sample]) {
        let components = Components::assign(self, population, samples);
        let everybody = Features::mean(samples.iter().map(|sample| &sample.features));
        let mut joined: Vec<(&str, Vec<usize>)> = Vec::new();
        for (at, members) in components.members.iter().enumerate() {
            let Some((profile, everybody)) = Features::mean(members.iter().copied()).zip(everybody) else {
                continue;
            };
            let name = naming::name(population, &profile, &everybody);
            let joins = |(other, of): &&mut (&str, Vec<usize>)| {
                *other == name && of.iter().any(|component| components.overlap(at, *component) > MIN_OVERLAP)
            };
            match joined.iter_mut().find(joins) {
                Some((_, of)) => of.push(at),
                None => joined.push((name, vec![at])),
            }
        }
        let size = |of: &[usize]| of.iter().map(|at| components.members[*at].len()).sum::<usize>();
        joined.sort_by_key(|(_, of)| std::cmp::Reverse(size(of)));
        let place = |component| joined.iter().position(|(_, of)| of.contains(&component)).unwrap_or(0);
        self.segment_of = (0..components.members.len()).map(place).collect();
        for (at, (name, of)) in joined.iter().enumerate() {
            let namesakes = joined[..at].iter().filter(|(other, _)| other == name).count();
            let members = of.iter().flat_map(|at| components.members[*at].iter().copied());
            self.segments.extend(Features::mean(members).map(|profile| Segment {
                tag: table::Segment { id: 0, name: numbered(name, namesakes) },
                share: size(of) as f64 / samples.len() as f64,
                profile: Feature::ALL.map(|feature| (feature.name().to_owned(), profile.plain(feature))).to_vec(),
                centroid: profile.some(population.segment_features()).collect(),
            }));
        }
    }

    fn number_segments(&mut self, previous: Option<&Self>, ids: &mut Ids) {
        let old: &[Segment] = previous.map_or(&[], |previous| &previous.segments);
        let distances: Vec<Vec<f64>> = self
            .segments
            .iter()
            .map(|new| old.iter().map(|old| self.scaling.distance(&new.centroid, &old.centroid)).collect())
            .collect();
        let old_ids: Vec<u16> = old.iter().map(|segment| segment.tag.id).collect();
        for (segment, inherited) in self.segments.iter_mut().zip(lineage::inherit(&distances, &old_ids)) {
            segment.tag.id = inherited.unwrap_or_else(|| ids.take());
        }
    }

    fn explain(&self, population: Population, features: &Features, shares: &mut [f64; MAX_COMPONENTS]) -> f64 {
        let point: Vec<f64> = self.scaling.apply(features.some(population.segment_features())).collect();
        self.mixture.explain(&point, shares)
    }

    /// Where a user of `population` belongs.
    pub fn place(&self, population: Population, features: &Features) -> Membership {
        let mut responsibilities = [0.0; MAX_COMPONENTS];
        let log_density = self.explain(population, features, &mut responsibilities) - self.scaling.log_volume();
        let mut shares = vec![0.0; self.segments.len()];
        for (responsibility, segment) in responsibilities.iter().zip(&self.segment_of) {
            shares[*segment] += responsibility;
        }
        Membership { segment: largest(&shares), shares, log_density }
    }

    /// The segments, largest first.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Number of Gaussians behind the segments.
    pub fn components(&self) -> usize {
        self.segment_of.len()
    }

    /// Checks a segmentation that was read from a file.
    pub fn check(&self, population: Population) -> Result<(), Defect> {
        let dimensions = population.segment_features().len();
        if !self.scaling.is_sound(dimensions) || self.mixture.dimensions() != dimensions {
            return Err(Defect::new("segmentation", "one number per segment feature", self.mixture.dimensions()));
        }
        let is_placed = self.segment_of.iter().all(|segment| *segment < self.segments.len());
        if self.segment_of.len() != self.mixture.gaussians().len() || !is_placed {
            return Err(Defect::new("segment_of", "a segment for each component", format!("{:?}", self.segment_of)));
        }
        match self.segments.iter().find(|segment| segment.centroid.len() != dimensions) {
            Some(segment) => Err(Defect::new("centroid", "one number per segment feature", segment.centroid.len())),
            None => Ok(()),
        }
    }
}

/// The training users by component.
struct Components<'a> {
    members: Vec<Vec<&'a Features>>,
    /// Of what each component (row) is responsible for, how much is assigned to each other one.
    spill: Vec<[f64; MAX_COMPONENTS]>,
}

impl<'a> Components<'a> {
    fn assign(segmentation: &Segmentation, population: Population, samples: &[&'a Sample]) -> Self {
        let count = segmentation.mixture.gaussians().len();
        let mut this = Self { members: vec![Vec::new(); count], spill: vec![[0.0; MAX_COMPONENTS]; count] };
        let mut responsibilities = [0.0; MAX_COMPONENTS];
        for sample in samples {
            segmentation.explain(population, &sample.features, &mut responsibilities);
            let component = largest(&responsibilities[..count]);
            this.members[component].push(&sample.features);
            this.spill.iter_mut().zip(responsibilities).for_each(|(row, share)| row[component] += share);
        }
        this
    }

    /// Chance that a member of one is taken for one of the other, the larger of both ways (Hennig, 2010).
    fn overlap(&self, left: usize, right: usize) -> f64 {
        let spilt = |from: usize, to: usize| self.spill[from][to] / self.spill[from].iter().sum::<f64>();
        spilt(left, right).max(spilt(right, left))
    }
}

/// `champions`, and for a further segment that does the same in another way `champions_2`.
fn numbered(name: &str, namesakes: usize) -> String {
    if namesakes == 0 { name.to_owned() } else { format!("{name}_{}", namesakes + 1) }
}

/// Where the largest number is; 0 without numbers.
fn largest(numbers: &[f64]) -> usize {
    let by_value = |left: &(usize, &f64), right: &(usize, &f64)| left.1.total_cmp(right.1);
    numbers.iter().enumerate().max_by(by_value).map_or(0, |(at, _)| at)
}
