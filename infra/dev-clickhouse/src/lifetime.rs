//! When a dictionary is due.
//!
//! In scope: the arithmetic of LIFETIME and of waiting after a failure; time and randomness are arguments. Out of scope: doing it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::server::Dictionary;

/// A clickhouse-server waits up to ten minutes after repeated failures; in development a feed comes back sooner.
const BACKOFF_LIMIT_S: f64 = 10.0;
/// 2^4 s is above the limit already.
const MAX_BACKOFF_DOUBLINGS: i32 = 4;

/// The most recent plan for every dictionary, by its quoted name.
pub(crate) struct Schedule {
    scale: f64,
    plans: HashMap<String, Plan>,
}

struct Plan {
    due: Option<Instant>,
    failures: i32,
}

/// Parses --lifetime-scale.
pub(crate) fn parse_scale(text: &str) -> Result<f64, String> {
    let scale = text.parse().map_err(|_| format!("expected a number, found {text}"))?;
    if scale > 0.0 && scale <= 1000.0 {
        Ok(scale)
    } else {
        Err(format!("expected more than 0 and at most 1000, found {text}"))
    }
}

impl Schedule {
    pub(crate) fn new(scale: f64) -> Self {
        Self { scale, plans: HashMap::new() }
    }

    /// The dictionaries of `listed` that are due at `now`; new ones get their first plan. `random` yields numbers in [0, 1).
    pub(crate) fn due<'a>(
        &mut self,
        listed: &'a [Dictionary],
        now: Instant,
        random: &mut impl FnMut() -> f64,
    ) -> Vec<&'a Dictionary> {
        let names: Vec<String> = listed.iter().map(Dictionary::quoted_name).collect();
        self.plans.retain(|name, _| names.contains(name));
        let mut due = Vec::new();
        for (dictionary, name) in listed.iter().zip(names) {
            let scale = self.scale;
            let plan = self
                .plans
                .entry(name)
                .or_insert_with(|| Plan { due: first(dictionary, scale, now, random), failures: 0 });
            if plan.due.is_some_and(|at| at <= now) {
                due.push(dictionary);
            }
        }
        due
    }

    /// Plans the next reload of `dictionary` after one that ended at `now`.
    pub(crate) fn record(&mut self, dictionary: &Dictionary, is_loaded: bool, now: Instant, random: f64) {
        let name = dictionary.quoted_name();
        if is_loaded {
            // The next listing makes the plan: a dictionary that was never loaded is listed without its LIFETIME.
            self.plans.remove(&name);
        } else if let Some(plan) = self.plans.get_mut(&name) {
            plan.due = now.checked_add(backoff(plan.failures, random));
            plan.failures = plan.failures.saturating_add(1);
        }
    }
}

/// Never loaded: at once. Loaded by a query before we looked: a lifetime after that load.
fn first(dictionary: &Dictionary, scale: f64, now: Instant, random: &mut impl FnMut() -> f64) -> Option<Instant> {
    let Some(age_s) = dictionary.age_s else { return Some(now) };
    let wait = lifetime(dictionary, scale, random())?;
    now.checked_add(wait.saturating_sub(Duration::from_secs(u64::from(age_s))))
}

/// A random point in [min, max]; a LIFETIME of 0 means never.
fn lifetime(dictionary: &Dictionary, scale: f64, random: f64) -> Option<Duration> {
    if dictionary.lifetime_max_s == 0 {
        return None;
    }
    let (min, max) = (f64::from(dictionary.lifetime_min_s), f64::from(dictionary.lifetime_max_s));
    Some(Duration::from_secs_f64((min + (max - min).max(0.0) * random) * scale))
}

/// 1, 2, 4, 8, 10 seconds, of which a random half is waited, so that several servers do not ask a feed in step.
fn backoff(failures: i32, random: f64) -> Duration {
    let ceiling_s = 2_f64.powi(failures.min(MAX_BACKOFF_DOUBLINGS)).min(BACKOFF_LIMIT_S);
    Duration::from_secs_f64(ceiling_s * (0.5 + random / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dictionary(lifetime_min_s: u32, lifetime_max_s: u32, age_s: Option<u32>) -> Dictionary {
        let row = serde_json::json!({"database": "d", "name": "n", "lifetime_min_s": lifetime_min_s, "lifetime_max_s": lifetime_max_s, "age_s": age_s});
        serde_json::from_value(row).unwrap()
    }

    fn is_due(schedule: &mut Schedule, dictionary: &Dictionary, at: Instant) -> bool {
        !schedule.due(std::slice::from_ref(dictionary), at, &mut || 0.5).is_empty()
    }

    #[test]
    fn a_new_dictionary_is_loaded_at_once_and_again_within_its_lifetime() {
        let start = Instant::now();
        let mut schedule = Schedule::new(1.0);
        let unloaded = dictionary(0, 0, None);
        assert!(is_due(&mut schedule, &unloaded, start));
        schedule.record(&unloaded, true, start, 0.5);
        let loaded = dictionary(300, 600, Some(0));
        assert!(!is_due(&mut schedule, &loaded, start));
        assert!(!is_due(&mut schedule, &loaded, start + Duration::from_secs(449)));
        assert!(is_due(&mut schedule, &loaded, start + Duration::from_secs(450)));
    }

    #[test]
    fn a_dictionary_that_a_query_loaded_is_due_a_lifetime_after_that() {
        let (start, dictionary) = (Instant::now(), dictionary(100, 100, Some(41)));
        let mut schedule = Schedule::new(1.0);
        assert!(!is_due(&mut schedule, &dictionary, start));
        assert!(!is_due(&mut schedule, &dictionary, start + Duration::from_secs(58)));
        assert!(is_due(&mut schedule, &dictionary, start + Duration::from_secs(59)));
    }

    #[test]
    fn the_scale_shortens_lifetimes_and_zero_means_never() {
        assert_eq!(lifetime(&dictionary(300, 600, None), 0.01, 0.0), Some(Duration::from_secs(3)));
        assert_eq!(lifetime(&dictionary(0, 0, None), 1.0, 0.9), None);
        let start = Instant::now();
        let mut schedule = Schedule::new(1.0);
        assert!(!is_due(&mut schedule, &dictionary(0, 0, Some(5)), start));
        assert!(!is_due(&mut schedule, &dictionary(0, 0, Some(5)), start + Duration::from_secs(1_000_000)));
    }

    #[test]
    fn failures_wait_longer_and_longer_up_to_the_limit() {
        let (start, dictionary) = (Instant::now(), dictionary(300, 600, None));
        let mut schedule = Schedule::new(1.0);
        assert!(is_due(&mut schedule, &dictionary, start));
        schedule.record(&dictionary, false, start, 0.0);
        assert!(!is_due(&mut schedule, &dictionary, start + Duration::from_millis(499)));
        assert!(is_due(&mut schedule, &dictionary, start + Duration::from_millis(500)));
        schedule.record(&dictionary, false, start, 0.0);
        assert!(!is_due(&mut schedule, &dictionary, start + Duration::from_millis(999)));
        assert!(is_due(&mut schedule, &dictionary, start + Duration::from_secs(1)));
        assert_eq!(backoff(3, 0.0), Duration::from_secs(4));
        assert_eq!(backoff(i32::MAX, 0.999_999), Duration::from_secs_f64(10.0 * 0.999_999_5));
    }

    #[test]
    fn scales_that_mean_nothing_are_refused() {
        for text in ["0", "-1", "NaN", "inf", "x"] {
            assert!(parse_scale(text).is_err(), "{text} was accepted");
        }
        assert_eq!(parse_scale("0.01"), Ok(0.01));
    }
}
