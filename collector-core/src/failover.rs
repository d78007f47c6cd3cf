//! Which region gets a batch next.
//!
//! In scope: how regions are doing as one Batcher sees them, and the choice among those where a batch may be. Out of scope: sending (the shell),
//! when a region is tried again (`retry`), which regions a site permits (`region`).
//!
//! A region that says no may be passed over at once. A region that says nothing may have stored the batch: only there the token keeps the next
//! attempt from doubling it, so the batch waits for it, but not for ever.

mod doubt;
mod hold;
mod on_way;

use std::collections::HashMap;

use crate::retry::MAX_WAIT_MS;

pub use doubt::{Doubt, is_usual};
pub use hold::Holds;
pub use on_way::OnWay;

/// How long a batch waits for the region that may have it, in milliseconds. After that it may go elsewhere, as a possible duplicate.
pub const FAILOVER_AFTER_MS: i64 = 5 * 60 * 1_000;

/// How long a region is believed to be well after it took a batch, in milliseconds; then it is asked before a batch is risked.
pub const TRUST_MS: i64 = 5_000;

/// How the regions are doing. What is not known is well.
#[derive(Clone, Debug, Default)]
pub struct Health {
    regions: HashMap<String, State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    failures: u32,
    not_before_ms: i64,
    well_at_ms: i64,
}

impl Health {
    /// Whether the region may be tried now.
    pub fn is_open(&self, region: &str, now_ms: i64) -> bool {
        self.regions.get(region).is_none_or(|state| is_due(state.not_before_ms, now_ms))
    }

    /// When the region may be tried.
    pub fn opens_at_ms(&self, region: &str) -> i64 {
        self.regions.get(region).map_or(0, |state| state.not_before_ms)
    }

    /// Whether the region took a batch a moment ago.
    pub fn is_trusted(&self, region: &str, now_ms: i64) -> bool {
        self.regions.get(region).is_some_and(|state| {
            state.failures == 0 && (0..TRUST_MS).contains(&now_ms.saturating_sub(state.well_at_ms))
        })
    }

    /// Failures since the last success.
    pub fn failures(&self, region: &str) -> u32 {
        self.regions.get(region).map_or(0, |state| state.failures)
    }

    /// The region took a batch.
    pub fn succeed(&mut self, region: &str, now_ms: i64) {
        self.regions.insert(region.to_owned(), State { failures: 0, not_before_ms: 0, well_at_ms: now_ms });
    }

    /// The region failed, and is left alone for a while.
    pub fn fail(&mut self, region: &str, now_ms: i64, wait_ms: u64) {
        let state = self.regions.entry(region.to_owned()).or_default();
        state.failures = state.failures.saturating_add(1);
        state.not_before_ms = now_ms.saturating_add(i64::try_from(wait_ms).unwrap_or(i64::MAX));
    }
}

/// Whether a time has come. One that lies further ahead than any wait was set by a clock that has been put back since: it has come too.
pub fn is_due(at_ms: i64, now_ms: i64) -> bool {
    /// Twice the longest wait, with room for the windows in which rows are collected.
    const MAX_AHEAD_MS: i64 = 2 * MAX_WAIT_MS.cast_signed() + 60_000;
    at_ms <= now_ms || at_ms.saturating_sub(now_ms) > MAX_AHEAD_MS
}

/// The region to which a batch goes now: `permitted` are those where it may be, its own first, and `tried` those that have had their turn. None:
/// it waits.
///
/// Each region has one turn and no more, however soon it opens again: two regions that swallow a batch must not hand it to each other for ever,
/// while a third would take it.
pub fn choose<'r>(
    permitted: &'r [String],
    tried: &[String],
    doubt: Option<&Doubt>,
    health: &Health,
    now_ms: i64,
) -> Option<&'r str> {
    let is_next = |region: &&String| !tried.contains(region) && health.is_open(region, now_ms);
    let mut open = permitted.iter().filter(is_next).map(String::as_str);
    match doubt {
        None => open.next(),
        Some(doubt) => {
            let age_ms = now_ms.saturating_sub(doubt.since_ms);
            let waits = (0..FAILOVER_AFTER_MS).contains(&age_ms);
            let candidates: Vec<_> = open.collect();
            // The region in doubt stays the first choice: only there nothing can be doubled.
            let own = candidates.iter().find(|region| doubt.has(region));
            own.or_else(|| candidates.first().filter(|_| !waits)).copied()
        }
    }
}

/// When a batch that waits is to be looked at again: when a region opens for it, and never much later than the longest wait of a region, so
/// that a time that lies far ahead is always a clock that has been put back.
pub fn next_look_ms(permitted: &[String], doubt: Option<&Doubt>, health: &Health, now_ms: i64) -> i64 {
    let first_ms = |regions: &mut dyn Iterator<Item = &String>| regions.map(|region| health.opens_at_ms(region)).min();
    let first_of_all_ms = first_ms(&mut permitted.iter()).unwrap_or(now_ms);
    let look_ms = match doubt {
        Some(doubt) => {
            let free_at_ms = first_of_all_ms.max(doubt.since_ms.saturating_add(FAILOVER_AFTER_MS));
            // A region in doubt that does not permit the batch any more is not worth a look, however open it is.
            let own_ms = first_ms(&mut permitted.iter().filter(|region| doubt.has(region)));
            own_ms.map_or(free_at_ms, |own_ms| own_ms.min(free_at_ms))
        }
        None => first_of_all_ms,
    };
    look_ms.min(now_ms.saturating_add(MAX_WAIT_MS.cast_signed()))
}

/// The regions where all rows of a batch may be, in the order of the first site's; `by_site` are those of each site, nearest first.
pub fn common<'p>(by_site: impl IntoIterator<Item = &'p Vec<String>>) -> Vec<String> {
    let mut sets = by_site.into_iter();
    let mut common = sets.next().cloned().unwrap_or_default();
    for set in sets {
        common.retain(|region| set.contains(region));
    }
    common
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::delivery::{Delivery, Meaning};
    use crate::retry::Backoff;

    const NOW_MS: i64 = 1_763_660_000_000;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    fn doubt(regions: &[&str], since_ms: i64) -> Doubt {
        Doubt { regions: names(regions), since_ms }
    }

    #[test]
    fn a_region_that_says_no_is_passed_over_at_once() {
        let permitted = names(&["eu", "us"]);
        let mut health = Health::default();
        assert_eq!(choose(&permitted, &[], None, &health, NOW_MS), Some("eu"));
        health.fail("eu", NOW_MS, 500);
        assert_eq!(choose(&permitted, &[], None, &health, NOW_MS), Some("us"));
        assert_eq!(choose(&permitted, &[], None, &health, NOW_MS + 500), Some("eu"), "it is tried again first");
        health.fail("us", NOW_MS, 500);
        assert_eq!(choose(&permitted, &[], None, &health, NOW_MS), None);
        assert_eq!(choose(&names(&["eu"]), &[], None, &health, NOW_MS), None);
    }

    #[test]
    fn a_region_that_says_nothing_is_waited_for_but_not_for_ever() {
        let permitted = names(&["eu", "us"]);
        let mut health = Health::default();
        let doubt = doubt(&["eu"], NOW_MS);
        assert_eq!(choose(&permitted, &[], Some(&doubt), &health, NOW_MS), Some("eu"));
        let later_ms = NOW_MS + FAILOVER_AFTER_MS;
        health.fail("eu", later_ms - 1, 30_000);
        assert_eq!(choose(&permitted, &[], Some(&doubt), &health, later_ms - 1), None);
        assert_eq!(choose(&permitted, &[], Some(&doubt), &health, later_ms), Some("us"));
        health.succeed("eu", later_ms);
        assert_eq!(choose(&permitted, &[], Some(&doubt), &health, later_ms), Some("eu"), "there it cannot be doubled");
    }

    #[test]
    fn a_batch_that_waits_is_looked_at_when_a_region_opens_for_it() {
        let permitted = names(&["eu", "us"]);
        let mut health = Health::default();
        health.fail("eu", NOW_MS, 30_000);
        let doubt = doubt(&["eu"], NOW_MS);
        assert_eq!(
            next_look_ms(&permitted, Some(&doubt), &health, NOW_MS),
            NOW_MS + 30_000,
            "not before, though us is open"
        );
        let old = Doubt { since_ms: NOW_MS - FAILOVER_AFTER_MS + 1_000, ..doubt };
        assert_eq!(next_look_ms(&permitted, Some(&old), &health, NOW_MS), NOW_MS + 1_000);
        health.fail("us", NOW_MS, 500);
        assert_eq!(next_look_ms(&permitted, None, &health, NOW_MS), NOW_MS + 500);
    }

    #[test]
    fn a_clock_that_is_put_back_holds_nothing_up() {
        let mut health = Health::default();
        health.fail("eu", NOW_MS, 30_000);
        assert!(!health.is_open("eu", NOW_MS));
        assert!(health.is_open("eu", NOW_MS - 3_600_000));
        let doubt = doubt(&["eu"], NOW_MS);
        let permitted = names(&["eu", "us"]);
        health.fail("eu", NOW_MS - 3_600_000, 30_000);
        assert_eq!(choose(&permitted, &[], Some(&doubt), &health, NOW_MS - 3_600_000), Some("us"));
    }

    #[test]
    fn only_a_region_that_took_a_batch_a_moment_ago_is_trusted() {
        let mut health = Health::default();
        assert!(!health.is_trusted("eu", NOW_MS));
        health.succeed("eu", NOW_MS);
        assert!(health.is_trusted("eu", NOW_MS + TRUST_MS - 1));
        assert!(!health.is_trusted("eu", NOW_MS + TRUST_MS) && !health.is_trusted("eu", NOW_MS - 1));
        health.fail("eu", NOW_MS, 500);
        assert!(!health.is_trusted("eu", NOW_MS));
    }

    #[test]
    fn a_region_in_doubt_that_is_not_permitted_is_not_looked_at() {
        let health = Health::default();
        let doubt = doubt(&["gone"], NOW_MS);
        let look_ms = |now_ms| next_look_ms(&names(&["eu", "us"]), Some(&doubt), &health, now_ms);
        assert_eq!(look_ms(NOW_MS), NOW_MS + MAX_WAIT_MS.cast_signed(), "neither at once nor too late");
        assert_eq!(look_ms(NOW_MS + FAILOVER_AFTER_MS - 1), NOW_MS + FAILOVER_AFTER_MS);
    }

    #[test]
    fn rows_of_several_sites_may_be_where_all_of_them_may() {
        let sites = [names(&["us", "ap", "eu"]), names(&["eu", "us"])];
        assert_eq!(common(&sites), names(&["us", "eu"]));
        assert_eq!(common(&[names(&["us"]), Vec::new()]), names(&[]));
        assert_eq!(common([]), names(&[]));
    }

    /// What happens to an attempt.
    #[derive(Clone, Copy, Debug)]
    enum Fault {
        None,
        /// Refused before anything was stored.
        Refused(Delivery),
        /// The answer is lost, or says that a view failed: stored or not.
        Unheard {
            delivery: Delivery,
            is_stored: bool,
        },
        /// The Batcher dies before it hears: stored or not.
        Death {
            is_stored: bool,
        },
    }

    fn fault() -> impl Strategy<Value = Fault> {
        let refused = prop_oneof![Just(Delivery::Retry), Just(Delivery::Hold), Just(Delivery::Poison)];
        let unheard = prop_oneof![Just(Delivery::Unknown), Just(Delivery::Hold)];
        prop_oneof![
            Just(Fault::None),
            refused.prop_map(Fault::Refused),
            (unheard, any::<bool>()).prop_map(|(delivery, is_stored)| Fault::Unheard { delivery, is_stored }),
            any::<bool>().prop_map(|is_stored| Fault::Death { is_stored }),
        ]
    }

    /// One batch, as the Batcher handles it, and the truth that the Batcher does not know.
    #[derive(Default)]
    struct Course {
        doubt: Option<Doubt>,
        attempts: u32,
        holders: std::collections::BTreeSet<String>,
    }

    impl Course {
        /// True if the batch is booked as inserted.
        fn attempt(&mut self, place: &str, is_home: bool, fault: Fault, now_ms: i64) -> bool {
            let before = self.doubt.clone();
            if !is_usual(before.as_ref(), self.attempts, is_home) {
                self.doubt = Some(Doubt::with(before.as_ref(), place, now_ms));
            }
            let (is_stored, answer) = match fault {
                // ClickHouse knows the token: what it has it takes again.
                Fault::Refused(Delivery::Poison) if self.holders.contains(place) => (true, None),
                Fault::None => (true, None),
                Fault::Refused(delivery) => (false, Some(Meaning { delivery, may_be_stored: false })),
                Fault::Unheard { delivery, is_stored } => (is_stored, Some(Meaning { delivery, may_be_stored: true })),
                Fault::Death { is_stored } => (is_stored, None),
            };
            if is_stored {
                self.holders.insert(place.to_owned());
            }
            if let Some(answer) = answer {
                self.doubt = Doubt::after(before.as_ref(), place, answer, now_ms);
                self.attempts += 1;
            } else if matches!(fault, Fault::Death { .. }) && self.attempts == 0 && self.doubt.is_none() {
                self.doubt = Some(Doubt::with(None, "eu", now_ms));
            }
            is_stored && answer.is_none() && !matches!(fault, Fault::Death { .. })
        }
    }

    proptest! {
        /// Whatever fails, and in whatever order: a batch only goes where it may be, leaves a region in doubt only after the wait, and a copy
        /// in a second region is never booked as if it were the only one.
        #[test]
        fn no_second_copy_goes_unseen_under_any_faults(
            others in proptest::sample::subsequence(vec!["us", "ap", "sa"], 0..=3).prop_shuffle(),
            faults in proptest::collection::vec((fault(), 0..4_usize, 0..400_000_i64, 0..40_000_u64), 1..60),
        ) {
            let permitted: Vec<String> = ["eu"].iter().chain(&others).map(|name| (*name).to_owned()).collect();
            let (mut health, mut now_ms, mut course) = (Health::default(), NOW_MS, Course::default());
            for (fault, other, passed_ms, wait_ms) in faults {
                now_ms += passed_ms;
                if let Some(region) = permitted.get(other) {
                    // Another batch has met a no there: this one goes elsewhere without having been tried.
                    health.fail(region, now_ms, wait_ms);
                }
                let Some(place) = choose(&permitted, &[], course.doubt.as_ref(), &health, now_ms) else { continue };
                prop_assert!(permitted.iter().any(|own| own == place));
                if let Some(doubt) = &course.doubt {
                    prop_assert!(doubt.has(place) || now_ms - doubt.since_ms >= FAILOVER_AFTER_MS);
                }
                if course.attempt(place, place == "eu", fault, now_ms) {
                    let is_doubtful = course.doubt.as_ref().is_some_and(|doubt| !doubt.is_only(place));
                    prop_assert!(course.holders.len() == 1 || is_doubtful, "{:?} {:?}", course.holders, course.doubt);
                    return Ok(());
                }
                let may_be_cut = course.doubt.is_none();
                prop_assert!(!may_be_cut || course.holders.is_empty(), "a batch that is cut is nowhere yet");
                if matches!(fault, Fault::Death { .. }) {
                    health = Health::default();
                } else {
                    health.fail(place, now_ms, wait_ms);
                }
            }
        }

        /// However the regions fail, and however long each takes to: all turns of a batch come to an end, no region has two in a row, and a region
        /// that is well gets it once those that may have it have been waited for.
        #[test]
        fn a_region_that_is_well_is_reached(
            well in 0..3_usize,
            faults in [(any::<bool>(), 0..31_000_i64), (any::<bool>(), 0..31_000_i64), (any::<bool>(), 0..31_000_i64)],
            randoms in proptest::collection::vec(any::<u64>(), 400),
        ) {
            let permitted = names(&["eu", "us", "ap"]);
            let (mut health, mut now_ms, mut doubt) = (Health::default(), NOW_MS, None);
            let mut randoms = randoms.into_iter();
            while now_ms - NOW_MS <= 3 * FAILOVER_AFTER_MS {
                let mut tried = Vec::new();
                while let Some(place) = choose(&permitted, &tried, doubt.as_ref(), &health, now_ms) {
                    let place = place.to_owned();
                    let position = permitted.iter().position(|region| *region == place).unwrap_or_default();
                    tried.push(place.clone());
                    prop_assert!(tried.iter().filter(|region| **region == place).count() == 1, "{tried:?}");
                    if position == well {
                        return Ok(());
                    }
                    let (is_definite, took_ms) = faults[position];
                    let delivery = if is_definite { Delivery::Retry } else { Delivery::Unknown };
                    now_ms += took_ms;
                    doubt = Doubt::after(doubt.as_ref(), &place, Meaning { delivery, may_be_stored: !is_definite }, now_ms);
                    let mut backoff = Backoff { failures: health.failures(&place) };
                    health.fail(&place, now_ms, backoff.next_wait_ms(delivery, randoms.next().unwrap_or_default()));
                }
                now_ms = next_look_ms(&permitted, doubt.as_ref(), &health, now_ms).max(now_ms + 20);
            }
            prop_assert!(false, "{} was never tried, in doubt: {doubt:?}", permitted[well]);
        }

        /// No site's rows go where that site does not permit them, however many sites share a batch.
        #[test]
        fn a_shared_batch_goes_only_where_every_site_permits(
            sites in proptest::collection::vec(proptest::sample::subsequence(vec!["eu", "us", "ap"], 0..=3).prop_shuffle(), 1..5),
        ) {
            let sites: Vec<Vec<String>> = sites.iter().map(|regions| names(regions)).collect();
            let common = common(&sites);
            for region in ["eu", "us", "ap"].map(str::to_owned) {
                prop_assert_eq!(common.contains(&region), sites.iter().all(|site| site.contains(&region)));
            }
        }
    }
}
