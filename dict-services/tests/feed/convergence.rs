//! A dictionary that loads incrementally ends up with what the feed holds: over refreshes, deletions, returns, clock steps of the feed,
//! a reader whose clock is another one, and restarts of both.

use std::collections::BTreeMap;

use dict_services::entries::Entries;
use dict_services::feed::Feed;
use dict_services::lines::{Lines, Selection};
use dict_services::segment::rule;
use dict_services::segment::succession::Succession;
use dict_services::segment::table::{Segment, Table};
use proptest::collection::{btree_map, vec};
use proptest::prelude::{Just, Strategy, prop_oneof, proptest};

use crate::{placement, table};

const START: u32 = 1_763_660_000;
/// `update_lag` if a statement does not say otherwise.
const DEFAULT_LAG_S: u32 = 1;
/// `update_lag` of `infra/clickhouse/dictionaries/user_segments_incremental.sql`: how far the clocks may be apart, and how far a clock may
/// step back while the feed restarts.
const LAG_S: u32 = 900;

/// What can happen, in any order.
#[derive(Clone, Debug)]
enum Step {
    /// The source now has these users: id to segment.
    Refresh(BTreeMap<u64, u16>),
    /// From the next refresh on another model judges: it knows the segments up to this one, and calls some of them otherwise.
    Retrain(u16),
    /// The reader asks for changes.
    Poll,
    /// Time passes, or the feed's clock steps back.
    Clock(i32),
    /// The reader's clock is now this far ahead of the feed's.
    ReaderClock(i32),
    /// The feed restarts with its last snapshot.
    RestartFeed,
    /// The reader restarts with nothing.
    RestartReader,
}

fn refresh() -> impl Strategy<Value = Step> {
    btree_map(1_u64..12, 1_u16..8, 0..8).prop_map(Step::Refresh)
}

fn retrain() -> impl Strategy<Value = Step> {
    (1_u16..8).prop_map(Step::Retrain)
}

/// The segments of a model that knows those up to `last`.
fn segments(last: u16) -> Vec<Segment> {
    let known = rule::segments().into_iter().filter(|segment| segment.id <= last);
    let rename = |segment: Segment| match segment.id % 3 {
        1 => Segment { name: format!("{} of {last}", segment.name), ..segment },
        _ => segment,
    };
    known.map(rename).collect()
}

/// Steps under which the default `update_lag` is enough: one clock, and no restart that forgets when a reader was here.
fn steps_of_one_clock() -> impl Strategy<Value = Vec<Step>> {
    let clock = (-30_i32..90).prop_map(Step::Clock);
    vec(prop_oneof![refresh(), retrain(), Just(Step::Poll), clock, Just(Step::RestartReader)], 1..40)
}

/// Any steps: the clocks are up to 500 s apart, and 40 steps go back by at most 400 s.
fn steps_of_two_clocks() -> impl Strategy<Value = Vec<Step>> {
    let clock = (-10_i32..300).prop_map(Step::Clock);
    let reader_clock = (-5_000_i32..=500).prop_map(Step::ReaderClock);
    let restarts = prop_oneof![Just(Step::RestartFeed), Just(Step::RestartReader)];
    vec(
        prop_oneof![3 => refresh(), 1 => retrain(), 3 => Just(Step::Poll), 3 => clock, 1 => reader_clock, 1 => restarts],
        1..40,
    )
}

/// A dictionary with `update_field`: it upserts and never removes.
#[derive(Default)]
struct Reader {
    /// Segment, its name, whether the user is gone.
    entries: BTreeMap<u64, (u64, String, bool)>,
    /// When it last asked, by its own clock.
    asked_at: Option<u32>,
    clock_ahead_s: i32,
    lag_s: u32,
}

impl Reader {
    fn new(lag_s: u32) -> Self {
        Self { lag_s, ..Self::default() }
    }

    fn poll(&mut self, feed: &Feed<Table>, now: u32) {
        let Some(reading) = feed.read(now) else {
            return;
        };
        let since = self.asked_at.map(|asked_at| asked_at - self.lag_s);
        let selection = since.map_or(Selection::All, |since| Selection::changed_since(since, now));
        self.entries.extend(read(Lines::new(reading.entries, selection)));
        self.asked_at = Some(now.saturating_add_signed(self.clock_ahead_s));
    }

    fn live(&self) -> BTreeMap<u64, u64> {
        let live = self.entries.iter().filter(|(_, entry)| !entry.2);
        live.map(|(id, entry)| (*id, entry.0)).collect()
    }
}

fn read<E: Entries>(mut lines: Lines<E>) -> Vec<(u64, (u64, String, bool))> {
    let mut text = Vec::new();
    while lines.fill(&mut text, usize::MAX) {}
    let text = String::from_utf8(text).unwrap();
    let entry = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let name = line["segment_name"].as_str().unwrap().to_owned();
        (line["user_id"].as_u64().unwrap(), (line["segment_id"].as_u64().unwrap(), name, line["deleted"] == 1))
    };
    text.lines().map(entry).collect()
}

#[test]
fn a_change_after_the_clock_stepped_back_is_not_missed() {
    let feed = Feed::<Table>::default();
    let mut reader = Reader::new(DEFAULT_LAG_S);
    let first = feed.publish(table(None, &[], START), START).unwrap();
    reader.poll(&feed, START + 2);
    feed.publish(table(Some(&first), &[(1, 1)], START), START).unwrap();
    reader.poll(&feed, START + 1);
    assert_eq!(reader.live(), BTreeMap::from([(0, 0), (1, 1)]));
}

/// Lets `steps` happen to a feed and a reader, polls once more, and compares.
fn check_convergence(steps: Vec<Step>, lag_s: u32) {
    let mut feed = Feed::<Table>::default();
    let mut reader = Reader::new(lag_s);
    let (mut users, mut last_segment) = (BTreeMap::new(), 7);
    let mut now = START;
    for step in steps {
        match step {
            Step::Refresh(next) => {
                let previous = feed.snapshot();
                let mut succession = Succession::new(previous.as_deref(), segments(last_segment), now);
                users = next.into_iter().map(|(id, segment)| (id, segment.min(last_segment))).collect();
                for (id, segment) in &users {
                    succession.push(*id, placement(*segment)).unwrap();
                }
                feed.publish(succession.finish().0, now).unwrap();
            }
            Step::Retrain(last) => last_segment = last,
            Step::Poll => reader.poll(&feed, now),
            Step::Clock(seconds) => now = now.saturating_add_signed(seconds),
            Step::ReaderClock(ahead_s) => reader.clock_ahead_s = ahead_s,
            Step::RestartFeed => feed = restarted(&feed, now),
            Step::RestartReader => reader = Reader { clock_ahead_s: reader.clock_ahead_s, ..Reader::new(lag_s) },
        }
    }
    reader.poll(&feed, now);
    let mut expected: BTreeMap<u64, u64> = users.into_iter().map(|(id, segment)| (id, segment.into())).collect();
    if let Some(snapshot) = feed.snapshot() {
        expected.insert(0, 0);
        // Entry by entry what a full load has; a deleted user may be in the dictionary for longer than in the feed.
        for (id, entry) in read(Lines::new(snapshot, Selection::All)) {
            assert_eq!(reader.entries.get(&id), Some(&entry), "user {id}");
        }
    }
    assert_eq!(reader.live(), expected);
}

/// The feed after a restart: what was on disk, and no memory of its readers.
fn restarted(feed: &Feed<Table>, now: u32) -> Feed<Table> {
    let next = Feed::default();
    if let Some(snapshot) = feed.snapshot() {
        let mut file = Vec::new();
        snapshot.encode(&mut file).unwrap();
        next.restore(Table::decode(&file).unwrap(), now).unwrap();
    }
    next
}

proptest! {
    #[test]
    fn incremental_loads_converge_to_the_full_one(steps in steps_of_one_clock()) {
        check_convergence(steps, DEFAULT_LAG_S);
    }

    #[test]
    fn they_converge_with_two_clocks_and_restarts(steps in steps_of_two_clocks()) {
        check_convergence(steps, LAG_S);
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
