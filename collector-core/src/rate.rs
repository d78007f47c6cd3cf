//! How fast visitors send.
//!
//! In scope: counting a visitor's events in a minute (in the Batcher, where all rows of a visitor come together), and remembering who was too
//! fast (in the Worker, which judges). Out of scope: what follows from it (`filter`), limits beyond which nothing is taken (`limit`).
//!
//! Accuracy: a visitor's rows go to one shard of one region, which counts them exactly, unless that shard refuses them and another takes them.
//! The Batcher says so with its answer, so each isolate of the Worker knows from the visitor's next beacon on. Only memory is used: an object that
//! wakes up counts anew.

use std::collections::HashMap;

/// Events of one visitor in a minute beyond which they are evidence: five a second, all the time. A person who clicks as fast as they can, on a
/// page that reports every click, stays below.
pub const MAX_EVENTS_PER_MINUTE: u64 = 300;

/// Visitors that are counted in one minute, about 500 KB; many Batchers may share one isolate of 128 MB.
pub const MAX_VISITORS: usize = 20_000;

/// How long a visitor who was too fast is remembered, in milliseconds.
pub const REMEMBERED_MS: u64 = MINUTE_MS;

const MINUTE_MS: u64 = 60_000;

/// The events of each visitor in the current minute.
#[derive(Clone, Debug, Default)]
pub struct VisitorCounts {
    minute: u64,
    counts: HashMap<u64, u64>,
    /// Whether forgetting has freed little: it is not tried again in this minute, because each look at all visitors costs as much as their rows.
    is_full: bool,
}

impl VisitorCounts {
    /// Counts one event; true if the visitor has sent more than a person does. Nobody has the id 0.
    pub fn add(&mut self, visitor_id: u64, now_ms: i64) -> bool {
        let minute = now_ms.unsigned_abs() / MINUTE_MS;
        if minute != self.minute {
            *self = Self { minute, ..Self::default() };
        }
        if visitor_id == 0 || !self.has_room(visitor_id) {
            return false;
        }
        let count = self.counts.entry(visitor_id).or_default();
        *count += 1;
        *count > MAX_EVENTS_PER_MINUTE
    }

    /// Makes room by forgetting who has sent one event; if that frees nothing, new visitors are not counted in this minute.
    fn has_room(&mut self, visitor_id: u64) -> bool {
        if !self.is_full && self.counts.len() >= MAX_VISITORS && !self.counts.contains_key(&visitor_id) {
            self.counts.retain(|_, count| *count > 1);
            self.is_full = self.counts.len() > MAX_VISITORS / 2;
        }
        self.counts.len() < MAX_VISITORS || self.counts.contains_key(&visitor_id)
    }

    /// Visitors that are counted now, at most `MAX_VISITORS`.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// True if nobody is counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

/// The visitors who were too fast a short time ago, by the end of that time.
#[derive(Clone, Debug, Default)]
pub struct FastVisitors {
    ends_ms: HashMap<u64, u64>,
}

impl FastVisitors {
    /// Remembers a visitor; one more than `MAX_VISITORS` is not.
    pub fn insert(&mut self, visitor_id: u64, now_ms: i64) {
        let now_ms = now_ms.unsigned_abs();
        if self.ends_ms.len() >= MAX_VISITORS {
            self.ends_ms.retain(|_, end_ms| *end_ms > now_ms);
        }
        if self.ends_ms.len() < MAX_VISITORS || self.ends_ms.contains_key(&visitor_id) {
            self.ends_ms.insert(visitor_id, now_ms + REMEMBERED_MS);
        }
    }

    /// Whether a visitor was too fast.
    pub fn contains(&self, visitor_id: u64, now_ms: i64) -> bool {
        self.ends_ms.get(&visitor_id).is_some_and(|end_ms| *end_ms > now_ms.unsigned_abs())
    }

    /// Visitors remembered, at most `MAX_VISITORS`.
    pub fn len(&self) -> usize {
        self.ends_ms.len()
    }

    /// True if nobody is remembered.
    pub fn is_empty(&self) -> bool {
        self.ends_ms.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW_MS: i64 = 1_763_660_000_123;

    #[test]
    fn whoever_sends_more_than_a_person_is_fast_until_the_minute_ends() {
        let mut counts = VisitorCounts::default();
        let fast = |counts: &mut VisitorCounts, now_ms| (0..400).filter(|_| counts.add(7, now_ms)).count();
        assert_eq!(fast(&mut counts, 60_000), 100);
        assert_eq!(fast(&mut counts, 119_999), 400);
        assert_eq!(fast(&mut counts, 120_000), 100, "a new minute counts anew");
        assert!((0..1_000).all(|_| !counts.add(0, 120_000)), "nobody has the id 0");
    }

    #[test]
    fn a_flood_of_visitors_hides_none_who_has_sent_twice() {
        let mut counts = VisitorCounts::default();
        assert!((0..MAX_EVENTS_PER_MINUTE).all(|_| !counts.add(u64::MAX, NOW_MS)));
        for visitor_id in 1..=(MAX_VISITORS as u64 * 3) {
            counts.add(visitor_id, NOW_MS);
            assert!(counts.len() <= MAX_VISITORS);
        }
        assert!(counts.add(u64::MAX, NOW_MS));
    }

    #[test]
    fn when_all_have_sent_twice_new_ones_are_not_counted() {
        let mut counts = VisitorCounts::default();
        for visitor_id in 1..=MAX_VISITORS as u64 {
            counts.add(visitor_id, NOW_MS);
            counts.add(visitor_id, NOW_MS);
        }
        assert!((0..1_000).all(|_| !counts.add(u64::MAX, NOW_MS)));
        assert_eq!(counts.len(), MAX_VISITORS);
        assert!(!counts.add(u64::MAX, NOW_MS + 60_000), "the next minute has room");
        assert_eq!(counts.len(), 1);
    }

    #[test]
    fn a_fast_visitor_is_remembered_for_a_minute() {
        let mut fast = FastVisitors::default();
        fast.insert(7, NOW_MS);
        assert!(fast.contains(7, NOW_MS + 59_999));
        assert!(!fast.contains(7, NOW_MS + 60_000));
        assert!(!fast.contains(8, NOW_MS));
        for visitor_id in 0..=(MAX_VISITORS as u64) {
            fast.insert(visitor_id, NOW_MS);
        }
        assert_eq!(fast.len(), MAX_VISITORS);
        fast.insert(u64::MAX, NOW_MS + 60_000);
        assert_eq!(fast.len(), 1, "the old ones make room");
    }

    /// Nearly all events follow one another at once: else nobody would be fast.
    fn step_ms() -> impl Strategy<Value = i64> {
        prop_oneof![1_000 => Just(0_i64), 1 => 0_i64..100_000]
    }

    proptest! {
        #[test]
        fn nobody_is_counted_for_another(events in proptest::collection::vec((1_u64..5, step_ms()), 0..3_000)) {
            let (mut counts, mut now_ms) = (VisitorCounts::default(), 0);
            let mut own = std::collections::HashMap::<(u64, i64), u64>::new();
            for (visitor_id, step_ms) in events {
                now_ms += step_ms;
                let count = own.entry((visitor_id, now_ms / 60_000)).or_default();
                *count += 1;
                prop_assert_eq!(counts.add(visitor_id, now_ms), *count > MAX_EVENTS_PER_MINUTE);
            }
        }
    }
}
