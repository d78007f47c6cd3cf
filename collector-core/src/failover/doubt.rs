//! Which regions may have a batch.
//!
//! In scope: what an attempt and its answer change about that. Out of scope: where the batch goes because of it (`failover`).

use crate::delivery::{Delivery, Meaning};

/// The regions that may have stored a batch.
///
/// They only grow, but for a definite word of the region itself: that is what keeps a second copy from going unseen. A batch in doubt is never
/// cut: only as it is its token holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// All of them, in the order in which they were risked.
    pub regions: Vec<String>,
    /// Since when the last of them may have it, in milliseconds since 1970.
    pub since_ms: i64,
}

impl Doubt {
    /// From now on one more region may have the batch; nothing changes if it may already.
    #[must_use]
    pub fn with(before: Option<&Self>, region: &str, now_ms: i64) -> Self {
        match before {
            Some(doubt) if doubt.has(region) => doubt.clone(),
            _ => {
                let mut regions = before.map(|doubt| doubt.regions.clone()).unwrap_or_default();
                regions.push(region.to_owned());
                Self { regions, since_ms: now_ms }
            }
        }
    }

    /// What is in doubt after an answer of `region` that is no success. `before` is what was in doubt before this attempt.
    pub fn after(before: Option<&Self>, region: &str, meaning: Meaning, now_ms: i64) -> Option<Self> {
        match meaning {
            Meaning { may_be_stored: true, .. } => Some(Self::with(before, region, now_ms)),
            // A payload that is refused today was not stored yesterday either.
            Meaning { delivery: Delivery::Poison, .. } => before.and_then(|doubt| doubt.without(region)),
            // This attempt stored nothing; an earlier one still may have.
            _ => before.cloned(),
        }
    }

    fn without(&self, region: &str) -> Option<Self> {
        let regions: Vec<_> = self.regions.iter().filter(|own| *own != region).cloned().collect();
        (!regions.is_empty()).then_some(Self { regions, since_ms: self.since_ms })
    }

    /// Whether the region may have the batch.
    pub fn has(&self, region: &str) -> bool {
        self.regions.iter().any(|own| own == region)
    }

    /// Whether no other region may have it.
    pub fn is_only(&self, region: &str) -> bool {
        self.regions.iter().all(|own| own == region)
    }
}

/// Whether an attempt need not be written down before it is made: a batch that nothing has happened to, on its way home. After a restart all
/// such batches are in doubt at home; where any other batch went, nobody would know.
pub fn is_usual(doubt: Option<&Doubt>, attempts: u32, is_trusted_home: bool) -> bool {
    doubt.is_none() && attempts == 0 && is_trusted_home
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_763_660_000_000;

    fn doubt(regions: &[&str], since_ms: i64) -> Doubt {
        Doubt { regions: regions.iter().map(|region| (*region).to_owned()).collect(), since_ms }
    }

    #[test]
    fn every_region_that_may_have_it_stays_in_doubt() {
        let first = Doubt::with(None, "eu", NOW_MS);
        let second = Doubt::with(Some(&first), "us", NOW_MS + 1);
        assert_eq!(second, doubt(&["eu", "us"], NOW_MS + 1));
        assert_eq!(Doubt::with(Some(&second), "eu", NOW_MS + 2), second, "it may have it already");
        assert!(first.is_only("eu") && !second.is_only("us"));
    }

    #[test]
    fn an_answer_takes_back_only_what_it_disproves() {
        let both = doubt(&["eu", "us"], NOW_MS);
        let after =
            |delivery, may_be_stored| Doubt::after(Some(&both), "us", Meaning { delivery, may_be_stored }, NOW_MS + 1);
        assert_eq!(after(Delivery::Retry, false), Some(both.clone()), "an earlier attempt may have stored it");
        assert_eq!(after(Delivery::Poison, false), Some(doubt(&["eu"], NOW_MS)));
        let hold = Meaning { delivery: Delivery::Hold, may_be_stored: true };
        assert_eq!(Doubt::after(None, "eu", hold, NOW_MS), Some(doubt(&["eu"], NOW_MS)), "a view that failed");
        assert_eq!(Doubt::after(None, "eu", Meaning { may_be_stored: false, ..hold }, NOW_MS), None);
    }
}
