//! What a training is given: users as they were at several cutoffs, and what they did next.
//!
//! In scope: the samples, and who is kept apart for judging.
//! Out of scope: reading them ([`crate::segment::source`]).

use fastrand::Rng;

use super::feature::{Features, Units};
use super::population::Population;
use crate::segment::activity::Activity;

/// A score is the chance of a purchase within this many days, and labelled windows are this far apart.
pub const HORIZON_DAYS: u32 = 30;

/// One user at one cutoff.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Whose.
    pub user_id: u64,
    /// Bought in the window before the cutoff, or not.
    pub population: Population,
    /// What was known at the cutoff.
    pub features: Features,
    /// Whether the user bought in the [`HORIZON_DAYS`] after it. Always `false` when that is the future.
    pub bought: bool,
}

impl Sample {
    /// Of `activity`, read up to `cutoff`, unix seconds.
    pub fn of(activity: &Activity, units: &Units, cutoff: u32) -> Self {
        Self {
            user_id: activity.user_id,
            population: Population::of(activity),
            features: Features::of(activity, units, cutoff),
            bought: activity.next_orders > 0,
        }
    }
}

/// Users at one cutoff.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Unix seconds.
    pub cutoff: u32,
    /// In any order, each user once.
    pub samples: Vec<Sample>,
}

/// Everything that one training looks at.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// What money was measured in.
    pub units: Units,
    /// Now: what segments are made of. Nobody knows what comes next.
    pub now: Window,
    /// Past windows with a known next [`HORIZON_DAYS`], the latest first.
    pub past: Vec<Window>,
}

/// What a user of the latest labelled window is for. Older windows are all training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// Models are fitted to these.
    Training,
    /// Choices between models, and the calibration.
    Calibration,
    /// Only judged.
    Holdout,
}

impl Fold {
    /// The same for a user in every training: five tenths, two, three.
    pub fn of(user_id: u64) -> Self {
        match Rng::with_seed(user_id).u8(..10) {
            ..5 => Self::Training,
            5..7 => Self::Calibration,
            7.. => Self::Holdout,
        }
    }
}

impl History {
    /// Labelled samples for `fold`: all users of the older windows train, those of the latest are divided.
    pub fn labelled(&self, fold: Fold) -> impl Iterator<Item = &Sample> {
        let older = self.past.iter().skip(1).flat_map(|window| &window.samples);
        let older = older.filter(move |_| fold == Fold::Training);
        let latest = self.past.iter().take(1).flat_map(|window| &window.samples);
        latest.filter(move |sample| Fold::of(sample.user_id) == fold).chain(older)
    }

    /// The users that segments are made of, or the ones kept apart from it.
    pub fn current(&self, is_holdout: bool) -> impl Iterator<Item = &Sample> {
        self.now.samples.iter().filter(move |sample| (Fold::of(sample.user_id) == Fold::Holdout) == is_holdout)
    }
}

#[cfg(test)]
mod tests {
    use super::{Activity, Fold, History, Sample, Units, Window};

    fn window(cutoff: u32, users: u64) -> Window {
        let sample = |user_id| {
            Sample::of(&Activity { user_id, next_orders: user_id % 2, ..Activity::default() }, &Units::default(), 0)
        };
        Window { cutoff, samples: (0..users).map(sample).collect() }
    }

    #[test]
    fn users_are_divided_five_to_two_to_three() {
        let count = |fold| (0..100_000).filter(|user| Fold::of(*user) == fold).count();
        for (fold, expected) in [(Fold::Training, 50_000), (Fold::Calibration, 20_000), (Fold::Holdout, 30_000)] {
            assert!(count(fold).abs_diff(expected) < 1_000, "{fold:?}: {}", count(fold));
        }
    }

    #[test]
    fn only_the_latest_window_is_divided() {
        let history =
            History { units: Units::default(), now: window(3, 50), past: vec![window(2, 100), window(1, 40)] };
        let count = |fold| history.labelled(fold).count();
        assert_eq!(count(Fold::Training) + count(Fold::Calibration) + count(Fold::Holdout), 140);
        assert!(count(Fold::Training) > 40 && count(Fold::Holdout) > 10);
        assert!(history.labelled(Fold::Holdout).all(|sample| sample.bought == (sample.user_id % 2 == 1)));
        assert_eq!(history.current(true).count() + history.current(false).count(), 50);
    }
}
