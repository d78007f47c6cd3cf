//! The ids that were stored a short time ago.
//!
//! In scope: a window bounded in time and number, in which an id of a site is found. Out of scope: duplicates beyond it (a query by `event_id`
//! finds them).

use std::collections::{BTreeSet, VecDeque};

use uuid::Uuid;

/// How long an id is remembered, in milliseconds: longer than any tracker keeps trying within one page.
pub const WINDOW_MS: i64 = 10 * 60 * 1_000;

/// The most ids remembered, about 5 MB; many Batchers may share one isolate of 128 MB.
pub const MAX_IDS: usize = 100_000;

/// What is remembered of an event: its id, mixed with its site, because ids are the site's own matter and two sites may use the same.
pub fn key(site_id: &str, event_id: Uuid) -> Uuid {
    // FNV-1a with 128 bits: sites are few and their names not chosen against each other.
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let site = site_id.bytes().fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    Uuid::from_u128(site ^ event_id.as_u128())
}

/// A bounded window of ids.
#[derive(Clone, Debug, Default)]
pub struct RecentIds {
    known: BTreeSet<Uuid>,
    by_age: VecDeque<(i64, Uuid)>,
}

impl RecentIds {
    /// Remembers an id. False if it was known: then the event is a duplicate.
    pub fn insert(&mut self, id: Uuid, now_ms: i64) -> bool {
        self.forget_old(now_ms);
        if !self.known.insert(id) {
            return false;
        }
        self.by_age.push_back((now_ms, id));
        if self.by_age.len() > MAX_IDS {
            self.forget_oldest();
        }
        true
    }

    /// Forgets an id whose row could not be made durable after all, so that it may come again.
    pub fn remove(&mut self, id: &Uuid) {
        if self.known.remove(id) {
            // Rows fail right after they were inserted, so the search from the young end is short.
            if let Some(at) = self.by_age.iter().rposition(|(_, own)| own == id) {
                self.by_age.remove(at);
            }
        }
    }

    /// Number of ids remembered, at most `MAX_IDS`.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// True if no id is remembered.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    fn forget_old(&mut self, now_ms: i64) {
        while self.by_age.front().is_some_and(|(at_ms, _)| now_ms.saturating_sub(*at_ms) > WINDOW_MS) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, id)) = self.by_age.pop_front() {
            self.known.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn two_sites_may_use_the_same_id() {
        assert_eq!(key("demo", id(7)), key("demo", id(7)));
        assert_ne!(key("demo", id(7)), key("shopx", id(7)));
        assert_ne!(key("demo", id(7)), key("demo", id(8)));
        assert_ne!(key("one", id(7)), key("two", id(7)));
    }

    #[test]
    fn an_id_is_known_for_the_window() {
        let mut recent = RecentIds::default();
        assert!(recent.insert(id(1), 0));
        assert!(!recent.insert(id(1), WINDOW_MS), "still inside");
        assert!(recent.insert(id(1), WINDOW_MS + 1), "a duplicate does not prolong the window");
    }

    #[test]
    fn a_removed_id_may_come_again() {
        let mut recent = RecentIds::default();
        recent.insert(id(1), 0);
        recent.insert(id(2), 0);
        recent.remove(&id(1));
        assert!(recent.insert(id(1), 1));
        assert!(!recent.insert(id(2), 1));
        assert_eq!(recent.len(), 2);
        assert!(!recent.insert(id(1), 1 + WINDOW_MS), "the window of the second time counts, not that of the first");
    }

    #[test]
    fn the_window_is_bounded_in_number() {
        let mut recent = RecentIds::default();
        for number in 0..=MAX_IDS as u128 {
            assert!(recent.insert(id(number), 0));
        }
        assert_eq!(recent.len(), MAX_IDS);
        assert!(recent.insert(id(0), 0), "the oldest was forgotten");
    }
}
