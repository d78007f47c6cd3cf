//! A dictionary that loads incrementally ends up with what the feed holds.

use std::collections::BTreeMap;

use dict_services::{
    entries::Entries,
    feed::Feed,
    lines::{Lines, Selection},
    segment::table::Table,
};
use proptest::{
    collection::{btree_map, vec},
    prelude::{Just, Strategy, prop_oneof, proptest},
};

use crate::table;

const START: u32 = 1_763_660_000;

/// What can happen, in any order.
#[derive(Debug, Clone)]
enum Step {
    /// The source now has these users: id to segment.
    Refresh(BTreeMap<u64, u16>),
    /// The reader asks for changes.
    Poll,
    /// Time passes, or the feed's clock steps back.
    Clock(i32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let refresh = btree_map(1_u64..12, 1_u16..8, 0..8).prop_map(Step::Refresh);
    let clock = (-30_i32..90).prop_map(Step::Clock);
    vec(prop_oneof![refresh, Just(Step::Poll), clock], 1..40)
}

/// A dictionary with `update_field`: it upserts and never removes.
#[derive(Default)]
struct Reader {
    entries: BTreeMap<u64, (u64, bool)>,
    asked_at: Option<u32>,
}

impl Reader {
    fn poll(&mut self, feed: &Feed<Table>, now: u32) {
        let Some(snapshot) = feed.read(now) else {
            return;
        };
        // The reader's clock is the feed's here; `update_lag` is 1 s by default.
        let since = self.asked_at.map(|asked_at| asked_at - 1);
        let selection = since.map_or(Selection::All, |since| Selection::changed_since(since, now));
        for line in read(Lines::new(snapshot, selection)) {
            let id = line["user_id"].as_u64().unwrap();
            let segment = line["segment_id"].as_u64().unwrap();
            self.entries.insert(id, (segment, line["deleted"] == 1));
        }
        self.asked_at = Some(now);
    }

    fn live(&self) -> BTreeMap<u64, u64> {
        let live = self.entries.iter().filter(|(_, entry)| !entry.1);
        live.map(|(id, entry)| (*id, entry.0)).collect()
    }
}

fn read<E: Entries>(mut lines: Lines<E>) -> Vec<serde_json::Value> {
    let mut text = Vec::new();
    while lines.fill(&mut text, usize::MAX) {}
    let text = String::from_utf8(text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_change_after_the_clock_stepped_back_is_not_missed() {
    let feed = Feed::<Table>::default();
    let mut reader = Reader::default();
    let first = feed.publish(table(None, &[], START), START).unwrap();
    reader.poll(&feed, START + 2);
    feed.publish(table(Some(&first), &[(1, 1)], START), START).unwrap();
    reader.poll(&feed, START + 1);
    assert_eq!(reader.live(), BTreeMap::from([(0, 0), (1, 1)]));
}

proptest! {
    #[test]
    fn incremental_loads_converge_to_the_full_one(steps in steps()) {
        let feed = Feed::<Table>::default();
        let mut reader = Reader::default();
        let mut users = BTreeMap::new();
        let mut now = START;
        for step in steps {
            match step {
                Step::Refresh(next) => {
                    users = next;
                    let list: Vec<(u64, u16)> = users.iter().map(|(id, segment)| (*id, *segment)).collect();
                    let previous = feed.snapshot();
                    feed.publish(table(previous.as_deref(), &list, now), now).unwrap();
                }
                Step::Poll => reader.poll(&feed, now),
                Step::Clock(seconds) => now = now.saturating_add_signed(seconds),
            }
        }
        reader.poll(&feed, now);
        let mut expected: BTreeMap<u64, u64> = users.into_iter().map(|(id, segment)| (id, segment.into())).collect();
        if feed.snapshot().is_some() {
            expected.insert(0, 0);
        }
        assert_eq!(reader.live(), expected);
    }

    #[test]
    fn an_unchanged_source_changes_no_entry(users in btree_map(1_u64..1_000, 1_u16..8, 0..50)) {
        let list: Vec<(u64, u16)> = users.into_iter().collect();
        let feed = Feed::<Table>::default();
        let first = feed.publish(table(None, &list, START), START).unwrap();
        let second = feed.publish(table(Some(&first), &list, START + 60), START + 60).unwrap();
        assert_eq!(first, second);
    }
}
