//! Rate limits: the arithmetic of token buckets, and a bounded table of them.
//!
//! In scope: events per second of a site and of an address, in one isolate. Out of scope: limits across isolates (the shell's binding).
//!
//! Accuracy: an isolate counts only what it sees itself, so a site that is served by N isolates may send up to N times its limit.

use std::collections::HashMap;

/// Buckets remembered at once; 24 bytes each, so the table stays under 1 MB with its tree.
pub const MAX_BUCKETS: usize = 10_000;

/// Seconds of a full rate that a bucket holds: a page load after a quiet time may burst.
pub const BURST_S: u32 = 10;

/// Parts of one token, so that slow rates refill without a float.
const PARTS: i64 = 1_000;

/// One bucket: what is left (or owed), and when it was last filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    parts: i64,
    filled_at_ms: i64,
}

impl Bucket {
    /// A full bucket.
    pub fn full(rate_per_s: u32, now_ms: i64) -> Self {
        Self { parts: capacity(rate_per_s), filled_at_ms: now_ms }
    }

    /// Takes one token if there is one. A clock that goes back refills nothing.
    pub fn take(&mut self, rate_per_s: u32, now_ms: i64) -> bool {
        let elapsed_ms = now_ms.saturating_sub(self.filled_at_ms).max(0);
        // One token per second is one part per millisecond.
        let refill = elapsed_ms.saturating_mul(i64::from(rate_per_s));
        self.parts = self.parts.saturating_add(refill).min(capacity(rate_per_s));
        self.filled_at_ms = self.filled_at_ms.max(now_ms);
        if self.parts < PARTS {
            return false;
        }
        self.parts -= PARTS;
        true
    }

    fn is_full(&self, rate_per_s: u32, now_ms: i64) -> bool {
        let mut copy = *self;
        copy.take(rate_per_s, now_ms) && copy.parts + PARTS >= capacity(rate_per_s)
    }
}

fn capacity(rate_per_s: u32) -> i64 {
    i64::from(rate_per_s) * i64::from(BURST_S) * PARTS
}

/// The buckets of one isolate, by the hash of what they limit.
#[derive(Clone, Debug, Default)]
pub struct Limiter {
    buckets: HashMap<u64, (u32, Bucket)>,
}

impl Limiter {
    /// Takes one token of a key; a rate of zero is no limit, and then the key is not even computed.
    pub fn take(&mut self, key: impl FnOnce() -> u64, rate_per_s: u32, now_ms: i64) -> bool {
        if rate_per_s == 0 {
            return true;
        }
        let key = key();
        if self.buckets.len() >= MAX_BUCKETS && !self.buckets.contains_key(&key) {
            self.forget_full(now_ms);
        }
        let (rate, bucket) = self.buckets.entry(key).or_insert_with(|| (rate_per_s, Bucket::full(rate_per_s, now_ms)));
        *rate = rate_per_s;
        bucket.take(rate_per_s, now_ms)
    }

    /// Takes more tokens for what an event turned out to be. The bucket may come to owe them: an event of more rows than a bucket holds is not
    /// shut out for ever, but what follows it waits.
    pub fn charge(&mut self, key: impl FnOnce() -> u64, rate_per_s: u32, tokens: usize) {
        if rate_per_s == 0 || tokens == 0 {
            return;
        }
        if let Some((_, bucket)) = self.buckets.get_mut(&key()) {
            let tokens = i64::try_from(tokens).unwrap_or(i64::MAX);
            bucket.parts = bucket.parts.saturating_sub(tokens.saturating_mul(PARTS));
        }
    }

    /// Forgets what a new bucket would be like anyway. If that frees nothing, all are forgotten: under such an attack memory comes before fairness.
    fn forget_full(&mut self, now_ms: i64) {
        self.buckets.retain(|_, (rate, bucket)| !bucket.is_full(*rate, now_ms));
        if self.buckets.len() >= MAX_BUCKETS {
            self.buckets.clear();
        }
    }

    /// Buckets remembered now, at most `MAX_BUCKETS`.
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// True if nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bucket_bursts_and_then_follows_its_rate() {
        let mut limiter = Limiter::default();
        let taken = |limiter: &mut Limiter, now_ms| (0..1_000).filter(|_| limiter.take(|| 7, 5, now_ms)).count();
        assert_eq!(taken(&mut limiter, 0), 50);
        assert_eq!(taken(&mut limiter, 1_000), 5);
        assert_eq!(taken(&mut limiter, 500), 0, "a clock that goes back refills nothing");
        assert_eq!(taken(&mut limiter, 1_200), 1);
        assert_eq!(taken(&mut limiter, 1_000_000), 50);
        assert!((0..1_000).all(|_| limiter.take(|| 8, 0, 0)), "zero is no limit");
    }

    #[test]
    fn what_is_owed_is_waited_for() {
        let mut limiter = Limiter::default();
        assert!(limiter.take(|| 7, 1, 0));
        limiter.charge(|| 7, 1, 19);
        assert!(!limiter.take(|| 7, 1, 10_000), "twenty of ten taken, ten refilled");
        assert!(limiter.take(|| 7, 1, 11_000));
    }

    #[test]
    fn the_table_is_bounded() {
        let mut limiter = Limiter::default();
        for key in 0..(MAX_BUCKETS as u64 * 2) {
            limiter.take(|| key, 1, 0);
        }
        assert!(limiter.len() <= MAX_BUCKETS);
    }

    proptest! {
        #[test]
        fn no_schedule_gets_more_than_burst_plus_rate(steps in proptest::collection::vec(0_i64..2_000, 1..200), rate in 1_u32..20) {
            let (mut bucket, mut now_ms, mut taken) = (Bucket::full(rate, 0), 0, 0_i64);
            for step_ms in steps {
                now_ms += step_ms;
                taken += i64::from(bucket.take(rate, now_ms));
            }
            prop_assert!(taken <= i64::from(rate * BURST_S) + now_ms * i64::from(rate) / 1_000 + 1);
        }
    }
}
