//! Which region gets a batch next.
//!
//! In scope: how regions are doing as one Batcher sees them, and the choice among those where a batch may be. Out of scope: sending (the shell),
//! when a region is tried again (`retry`), which regions a site permits (`region`).
//!
//! A region that says no may be passed over at once. A region that says nothing may have stored the batch: only there the token keeps the next
//! attempt from doubling it, so the batch waits for it, but not for ever.

use std::collections::BTreeMap;

use crate::retry::MAX_WAIT_MS;

/// How long a batch waits for the region that may have it, in milliseconds. After that it may go elsewhere, as a possible duplicate.
pub const FAILOVER_AFTER_MS: i64 = 5 * 60 * 1_000;

/// How long a region is believed to be well after it took a batch, in milliseconds; then it is asked before a batch is risked.
pub const TRUST_MS: i64 = 5_000;

/// A region that may have stored a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The region.
    pub region: String,
    /// Since when, in milliseconds since 1970.
    pub since_ms: i64,
}

/// How the regions are doing. What is not known is well.
#[derive(Clone, Debug, Default)]
pub struct Health {
    regions: BTreeMap<String, State>,
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

/// The region to which a batch goes now: `permitted` are those where it may be, its own first. None: it waits.
pub fn choose<'r>(permitted: &'r [String], doubt: Option<&Doubt>, health: &Health, now_ms: i64) -> Option<&'r str> {
    let mut open = permitted.iter().map(String::as_str).filter(|region| health.is_open(region, now_ms));
    match doubt {
        None => open.next(),
        Some(doubt) => {
            let age_ms = now_ms.saturating_sub(doubt.since_ms);
            let waits = (0..FAILOVER_AFTER_MS).contains(&age_ms);
            let candidates: Vec<_> = open.collect();
            // The region in doubt stays the first choice: only there nothing can be doubled.
            let own = candidates.iter().find(|region| **region == doubt.region);
            own.or_else(|| candidates.first().filter(|_| !waits)).copied()
        }
    }
}

/// When a batch that waits is to be looked at again: when a region opens for it.
pub fn next_look_ms(permitted: &[String], doubt: Option<&Doubt>, health: &Health, now_ms: i64) -> i64 {
    let first_of_all_ms = permitted.iter().map(|region| health.opens_at_ms(region)).min().unwrap_or(now_ms);
    match doubt {
        Some(doubt) => {
            let free_at_ms = doubt.since_ms.saturating_add(FAILOVER_AFTER_MS);
            health.opens_at_ms(&doubt.region).min(first_of_all_ms.max(free_at_ms))
        }
        None => first_of_all_ms,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW_MS: i64 = 1_763_660_000_000;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_region_that_says_no_is_passed_over_at_once() {
        let permitted = names(&["eu", "us"]);
        let mut health = Health::default();
        assert_eq!(choose(&permitted, None, &health, NOW_MS), Some("eu"));
        health.fail("eu", NOW_MS, 500);
        assert_eq!(choose(&permitted, None, &health, NOW_MS), Some("us"));
        assert_eq!(choose(&permitted, None, &health, NOW_MS + 500), Some("eu"), "it is tried again first");
        health.fail("us", NOW_MS, 500);
        assert_eq!(choose(&permitted, None, &health, NOW_MS), None);
        assert_eq!(choose(&names(&["eu"]), None, &health, NOW_MS), None);
    }

    #[test]
    fn a_region_that_says_nothing_is_waited_for_but_not_for_ever() {
        let permitted = names(&["eu", "us"]);
        let mut health = Health::default();
        let doubt = Doubt { region: "eu".into(), since_ms: NOW_MS };
        assert_eq!(choose(&permitted, Some(&doubt), &health, NOW_MS), Some("eu"));
        let later_ms = NOW_MS + FAILOVER_AFTER_MS;
        health.fail("eu", later_ms - 1, 30_000);
        assert_eq!(choose(&permitted, Some(&doubt), &health, later_ms - 1), None);
        assert_eq!(choose(&permitted, Some(&doubt), &health, later_ms), Some("us"));
        health.succeed("eu", later_ms);
        assert_eq!(choose(&permitted, Some(&doubt), &health, later_ms), Some("eu"), "there it cannot be doubled");
    }

    #[test]
    fn a_batch_that_waits_is_looked_at_when_a_region_opens_for_it() {
        let permitted = names(&["eu", "us"]);
        let mut health = Health::default();
        health.fail("eu", NOW_MS, 30_000);
        let doubt = Doubt { region: "eu".into(), since_ms: NOW_MS };
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
        let doubt = Doubt { region: "eu".into(), since_ms: NOW_MS };
        let permitted = names(&["eu", "us"]);
        health.fail("eu", NOW_MS - 3_600_000, 30_000);
        assert_eq!(choose(&permitted, Some(&doubt), &health, NOW_MS - 3_600_000), Some("us"));
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

    proptest! {
        /// Whatever fails, and in whatever order: a batch only goes where it may be, and leaves a region in doubt only after the wait.
        #[test]
        fn residency_and_doubt_hold_under_any_faults(
            permitted in proptest::sample::subsequence(vec!["eu", "us", "ap", "sa"], 1..=4).prop_shuffle(),
            faults in proptest::collection::vec((0..3_u8, 0..120_000_i64, 0..40_000_u64), 1..60),
        ) {
            let permitted = names(&permitted);
            let (mut health, mut now_ms, mut doubt): (_, _, Option<Doubt>) = (Health::default(), NOW_MS, None);
            for (fault, passed_ms, wait_ms) in faults {
                now_ms += passed_ms;
                let Some(region) = choose(&permitted, doubt.as_ref(), &health, now_ms) else { continue };
                prop_assert!(permitted.iter().any(|own| own == region));
                if let Some(doubt) = &doubt {
                    prop_assert!(region == doubt.region || now_ms - doubt.since_ms >= FAILOVER_AFTER_MS);
                }
                match fault {
                    0 => health.succeed(region, now_ms),
                    1 => health.fail(region, now_ms, wait_ms),
                    _ => {
                        doubt.get_or_insert_with(|| Doubt { region: region.to_owned(), since_ms: now_ms });
                        health.fail(region, now_ms, wait_ms);
                    }
                }
            }
        }
    }
}
