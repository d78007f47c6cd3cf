//! The books: what came in, and what became of it.
//!
//! In scope: counters per minute, site and account; their rows for `ecommerce.collector_outcomes`. Out of scope: carrying them (`append`).
//!
//! The unit is the event as it is stored: a purchase with two items counts three times, so that `accepted + flagged` equals the rows written.
//! The minute is that in which the event was received, also for fates that it meets later; what delivering took is counted when it was measured.

use std::collections::BTreeMap;

use crate::account::Account;
use crate::outcome::{Fate, Measure, Outcome};
use crate::row::{push_json_string, push_time};

/// Counters of one ledger, above which no further site gets its own: more than 100 sites with 10 outcomes each in one flush. Those that have some
/// may get the rest of theirs, about 60 a minute: else one site's books would not balance.
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
    /// What is counted.
    pub account: Account,
}

/// Counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    counts: BTreeMap<Key, u64>,
}

impl Ledger {
    /// Counts `count` events. A full ledger counts all of a further site, or of a further minute of one, for the site `''`: no event is lost from
    /// the sum, and no site's equations are broken in half.
    pub fn add(&mut self, minute_s: u32, site_id: &str, account: impl Into<Account>, count: u64) {
        let account = account.into();
        let key = |site_id: &str| Key { minute_s, site_id: site_id.to_owned(), account };
        let own = key(site_id);
        let is_full = self.counts.len() >= MAX_ENTRIES && !self.has_site(minute_s, site_id);
        let counter = self.counts.entry(if is_full { key("") } else { own }).or_default();
        *counter = counter.saturating_add(count);
    }

    fn has_site(&self, minute_s: u32, site_id: &str) -> bool {
        let first = Key { minute_s, site_id: site_id.to_owned(), account: Account::Received };
        self.counts.range(first..).next().is_some_and(|(key, _)| key.minute_s == minute_s && key.site_id == site_id)
    }

    /// Counts one event that came in and is not stored.
    pub fn add_ended(&mut self, minute_s: u32, site_id: &str, outcome: Outcome) {
        self.add(minute_s, site_id, Account::Received, 1);
        self.add(minute_s, site_id, outcome, 1);
    }

    /// The same counts without the levels of other minutes, which are over.
    #[must_use]
    pub fn at(&self, minute_s: u32) -> Self {
        let mut now = Self::default();
        let is_over = |key: &Key| key.minute_s != minute_s && matches!(key.account, Account::Measured(_));
        for (key, count) in self.iter().filter(|(key, _)| !is_over(key)) {
            now.add(key.minute_s, &key.site_id, key.account, count);
        }
        now
    }

    /// Counts by how much levels are above the highest of their minute so far, which is kept in `highest`: so the sum of a minute's counters is the
    /// highest level, and several Batchers add up.
    pub fn add_levels(&mut self, highest: &mut Self, minute_s: u32, levels: &[(Measure, u64)]) {
        for (measure, level) in levels {
            let key = Key { minute_s, site_id: String::new(), account: (*measure).into() };
            let known = highest.counts.get(&key).copied().unwrap_or(0);
            if let Some(rise) = level.checked_sub(known).filter(|rise| *rise > 0) {
                highest.add(minute_s, "", *measure, rise);
                self.add(minute_s, "", *measure, rise);
            }
        }
    }

    /// Adds every counter of another ledger.
    pub fn merge(&mut self, other: &Self) {
        for (key, count) in &other.counts {
            self.add(key.minute_s, &key.site_id, key.account, *count);
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

    /// All events counted on the accounts that `is_counted` names.
    pub fn total(&self, is_counted: impl Fn(Account) -> bool) -> u64 {
        let counted = self.counts.iter().filter(|(key, _)| is_counted(key.account));
        counted.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// The sites of the stored rows among these counts; a site may come twice.
    pub fn stored_sites(&self) -> impl Iterator<Item = &str> {
        let is_stored = |key: &&Key| matches!(key.account, Account::Ended(outcome) if outcome.is_stored());
        self.counts.keys().filter(is_stored).map(|key| key.site_id.as_str())
    }

    /// The same counts of events without minute and site: what metrics show.
    #[must_use]
    pub fn totals(&self) -> Self {
        let mut totals = Self::default();
        for (key, count) in self.iter().filter(|(key, _)| !matches!(key.account, Account::Measured(_))) {
            totals.add(0, "", key.account, count);
        }
        totals
    }

    /// What the stored rows among these counts are counted as once they have met a fate.
    #[must_use]
    pub fn stored_as(&self, fate: Fate) -> Self {
        let mut met = Self::default();
        for (key, count) in self.iter() {
            if matches!(key.account, Account::Ended(outcome) if outcome.is_stored()) {
                met.add(key.minute_s, &key.site_id, fate, count);
            }
        }
        met
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
                ("outcome", key.account.tag()),
                ("reason", key.account.reason_tag()),
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
    use crate::outcome::{FilterReason, FlagReason, InvalidReason, Outcome};

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
        assert_eq!(ledger.total(|_| true), MAX_ENTRIES as u64 + 50);
        assert!(ledger.len() <= MAX_ENTRIES + 1);
    }

    #[test]
    fn a_full_ledger_breaks_no_sites_books_in_half() {
        let mut ledger = Ledger::default();
        for site in 0..MAX_ENTRIES + 50 {
            ledger.add(0, &format!("s{site}"), Account::Received, 1);
        }
        for site in 0..MAX_ENTRIES + 50 {
            ledger.add(0, &format!("s{site}"), Outcome::Accepted(None), 1);
        }
        let mut balance: BTreeMap<&str, i64> = BTreeMap::new();
        for (key, count) in ledger.iter() {
            let sign = if key.account == Account::Received { 1 } else { -1 };
            *balance.entry(&key.site_id).or_default() += sign * count.cast_signed();
        }
        assert!(balance.values().all(|unaccounted| *unaccounted == 0));
        assert_eq!(balance.len(), MAX_ENTRIES + 1);
    }

    #[test]
    fn stored_rows_meet_their_fate_in_the_minute_in_which_they_came() {
        let mut ledger = Ledger::default();
        ledger.add(60, "demo", Account::Received, 4);
        ledger.add(60, "demo", Outcome::Accepted(None), 2);
        ledger.add(60, "demo", Outcome::Flagged(FlagReason::Crawler), 1);
        ledger.add(60, "demo", Outcome::Duplicate, 1);
        let fate = Fate::Inserted(None);
        let mut expected = Ledger::default();
        expected.add(60, "demo", fate, 3);
        assert_eq!(ledger.stored_as(fate), expected);
    }

    #[test]
    fn the_counters_of_a_level_add_up_to_its_highest() {
        let (mut highest, mut booked) = (Ledger::default(), Ledger::default());
        highest.add(0, "", Account::Received, 9);
        for level in [3, 5, 2, 0, 5, 8] {
            booked.add_levels(&mut highest, 60, &[(Measure::BacklogRows, level), (Measure::Batchers, 1)]);
        }
        let mut expected = Ledger::default();
        expected.add(60, "", Measure::BacklogRows, 8);
        expected.add(60, "", Measure::Batchers, 1);
        assert_eq!(booked, expected);
        highest = highest.at(120);
        booked.add_levels(&mut highest, 120, &[(Measure::BacklogRows, 4)]);
        expected.add(120, "", Measure::BacklogRows, 4);
        assert_eq!(booked, expected, "each minute has its own highest");
        assert_eq!(
            (highest.len(), highest.total(|_| true)),
            (2, 13),
            "a minute that is over is forgotten, and nothing else"
        );
        assert!(booked.totals().is_empty(), "they are no events");
    }

    #[test]
    fn merging_keeps_the_sum() {
        let mut ledger = Ledger::default();
        ledger.add(60, "demo", Outcome::Duplicate, 2);
        let mut other = ledger.clone();
        other.add(120, "demo", Outcome::Duplicate, 5);
        ledger.merge(&other);
        assert_eq!((ledger.total(|_| true), ledger.len()), (9, 2));
    }
}
