//! The account of outcomes: what came in, and what became of it.
//!
//! In scope: counters per minute, site, outcome and reason; their rows for `ecommerce.collector_outcomes`. Out of scope: carrying them (`append`).
//!
//! The unit is the event as it is stored: a purchase with two items counts three times, so that `accepted + flagged` equals the rows written.

use std::collections::BTreeMap;

use crate::outcome::Outcome;
use crate::row::{push_json_string, push_time};

/// Counters of one ledger; more than 100 sites with 10 outcomes each in one flush.
pub const MAX_ENTRIES: usize = 2_000;

/// Milliseconds of one counting interval.
const MINUTE_MS: i64 = 60_000;

/// What one counter counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Start of the minute, in seconds since 1970.
    pub minute_s: u32,
    /// The site; empty when it is unknown, because a made-up name must not become a row.
    pub site_id: String,
    /// The outcome.
    pub outcome: Outcome,
}

/// Counters of outcomes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    counts: BTreeMap<Key, u64>,
}

impl Ledger {
    /// Counts `count` events of one outcome. A full ledger adds new keys to the site `''`, so that no event is lost from the sum.
    pub fn add(&mut self, minute_s: u32, site_id: &str, outcome: Outcome, count: u64) {
        let key = |site_id: &str| Key { minute_s, site_id: site_id.to_owned(), outcome };
        let own = key(site_id);
        let is_full = self.counts.len() >= MAX_ENTRIES && !self.counts.contains_key(&own);
        let counter = self.counts.entry(if is_full { key("") } else { own }).or_default();
        *counter = counter.saturating_add(count);
    }

    /// Adds every counter of another ledger.
    pub fn merge(&mut self, other: &Self) {
        for (key, count) in &other.counts {
            self.add(key.minute_s, &key.site_id, key.outcome, *count);
        }
    }

    /// The counters, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, u64)> {
        self.counts.iter().map(|(key, count)| (key, *count))
    }

    /// Number of counters.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// True if nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// All events counted.
    pub fn total(&self) -> u64 {
        self.counts.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The counters as lines for `ecommerce.collector_outcomes`, one JSON object per line.
    pub fn lines(&self, region: &str) -> Vec<u8> {
        let mut lines = Vec::with_capacity(self.counts.len() * 128);
        for (key, count) in &self.counts {
            lines.extend_from_slice(b"{\"minute\":\"");
            let start = lines.len();
            push_time(&mut lines, i64::from(key.minute_s) * 1_000);
            // `minute` is a DateTime: no milliseconds.
            lines.truncate(start + "YYYY-MM-DD hh:mm:ss".len());
            lines.extend_from_slice(b"\"");
            let texts = [
                ("site_id", key.site_id.as_str()),
                ("collector_region", region),
                ("outcome", key.outcome.tag()),
                ("reason", key.outcome.reason_tag()),
            ];
            for (name, value) in texts {
                lines.push(b',');
                push_json_string(&mut lines, name);
                lines.push(b':');
                push_json_string(&mut lines, value);
            }
            lines.extend_from_slice(format!(",\"count\":{count}}}\n").as_bytes());
        }
        lines
    }
}

/// The start of the minute of a time, in seconds since 1970.
pub fn minute_s(time_ms: i64) -> u32 {
    u32::try_from(time_ms.div_euclid(MINUTE_MS).saturating_mul(60)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{FilterReason, InvalidReason};

    #[test]
    fn counters_become_rows() {
        let mut ledger = Ledger::default();
        let minute = minute_s(1_763_660_059_999);
        ledger.add(minute, "demo", Outcome::Accepted(None), 2);
        ledger.add(minute, "demo", Outcome::Accepted(None), 1);
        ledger.add(minute, "", Outcome::Invalid(InvalidReason::UnknownSite), 1);
        insta::assert_snapshot!(String::from_utf8(ledger.lines("eu")).unwrap(), @r#"
        {"minute":"2025-11-20 17:34:00","site_id":"","collector_region":"eu","outcome":"invalid","reason":"unknown_site","count":1}
        {"minute":"2025-11-20 17:34:00","site_id":"demo","collector_region":"eu","outcome":"accepted","reason":"","count":3}
        "#);
    }

    #[test]
    fn a_full_ledger_loses_no_event() {
        let mut ledger = Ledger::default();
        for site in 0..MAX_ENTRIES + 50 {
            ledger.add(0, &format!("s{site}"), Outcome::Filtered(FilterReason::Gpc), 1);
        }
        assert_eq!(ledger.total(), MAX_ENTRIES as u64 + 50);
        assert!(ledger.len() <= MAX_ENTRIES + 1);
    }

    #[test]
    fn merging_keeps_the_sum() {
        let mut ledger = Ledger::default();
        ledger.add(60, "demo", Outcome::Duplicate, 2);
        let mut other = ledger.clone();
        other.add(120, "demo", Outcome::Duplicate, 5);
        ledger.merge(&other);
        assert_eq!((ledger.total(), ledger.len()), (9, 2));
    }
}
