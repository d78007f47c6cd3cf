//! From one table to the next: who changed, who is gone.
//!
//! In scope: comparing in one pass while placements arrive, so that only two tables are in memory.
//! Out of scope: update times; changed entries stay pending until they are published.

use std::cmp::Ordering;

use super::rule::{ANONYMOUS, Placement};
use super::table::{Entry, Segment, Table};
use crate::entries::{Defect, Entries, PENDING};

/// How long the entry of a deleted user is kept: every dictionary that loads incrementally has asked again by then.
pub const TOMBSTONE_S: u32 = 30 * 24 * 60 * 60;

/// Shares that differ by no more than this are as good as equal.
pub const NEXT_TO_NOTHING_PPM: u32 = 500;

/// A table in the making.
pub struct Succession<'a> {
    previous: Option<&'a Table>,
    /// Next entry of `previous` to compare with.
    at: usize,
    next: Table,
    last_user_id: u64,
    is_changed: bool,
    now: u32,
}

impl<'a> Succession<'a> {
    /// Starts with user 0, who is always an entry.
    pub fn new(previous: Option<&'a Table>, segments: Vec<Segment>, now: u32) -> Self {
        let users = previous.map_or(1, Entries::len);
        let mut this = Self {
            previous,
            at: 0,
            next: Table::with_capacity(segments, users),
            last_user_id: 0,
            is_changed: false,
            now,
        };
        this.append(0, ANONYMOUS);
        this
    }

    /// Adds the placement of one user. Users must come in ascending order, from 1.
    pub fn push(&mut self, user_id: u64, placement: Placement) -> Result<(), Defect> {
        if user_id <= self.last_user_id {
            return Err(Defect::new("user_id", "each user once, ascending, from 1", user_id));
        }
        self.append(user_id, placement);
        Ok(())
    }

    /// The next table, and whether anything differs from the previous one.
    pub fn finish(mut self) -> (Table, bool) {
        while let Some(old) = self.previous_entry() {
            self.bury(old);
        }
        self.next.shrink_to_fit();
        (self.next, self.is_changed)
    }

    fn append(&mut self, user_id: u64, placement: Placement) {
        self.last_user_id = user_id;
        let mut kept = None;
        while let Some(old) = self.previous_entry() {
            match old.user_id.cmp(&user_id) {
                Ordering::Less => self.bury(old),
                Ordering::Equal => {
                    self.at += 1;
                    kept = self.is_same(old, placement).then_some(old);
                    break;
                }
                Ordering::Greater => break,
            }
        }
        let Some(kept) = kept else {
            self.is_changed = true;
            self.next.push(Entry {
                user_id,
                segment_id: placement.segment_id,
                score_ppm: placement.score_ppm,
                confidence_ppm: placement.confidence_ppm,
                updated_at: PENDING,
                is_deleted: false,
            });
            return;
        };
        self.next.push(kept);
    }

    fn previous_entry(&self) -> Option<Entry> {
        self.previous?.get(self.at)
    }

    /// Whether a reader may go on with the old entry: the same segment, and shares that are as good as equal. Without this every entry
    /// would change with every second that passes, and every incremental load would be a full one.
    fn is_same(&self, old: Entry, placement: Placement) -> bool {
        !old.is_deleted
            && old.segment_id == placement.segment_id
            && is_close(old.score_ppm, placement.score_ppm)
            && is_close(old.confidence_ppm, placement.confidence_ppm)
            && self.keeps_name(old.segment_id)
    }

    /// Whether the segment is called in the next table what it was called in the previous one.
    fn keeps_name(&self, segment_id: u16) -> bool {
        self.previous.and_then(|table| table.segment_name(segment_id)) == self.next.segment_name(segment_id)
    }

    /// Keeps a user who is gone as a deleted entry for [`TOMBSTONE_S`]: an incremental load cannot take an entry away.
    fn bury(&mut self, old: Entry) {
        self.at += 1;
        let is_expired = self.now.saturating_sub(old.updated_at) > TOMBSTONE_S;
        if old.is_deleted && !is_expired && self.keeps_name(old.segment_id) {
            self.next.push(old);
            return;
        }
        self.is_changed = true;
        if old.is_deleted && is_expired {
            return;
        }
        // A model that does not know the segment any more must not make the reader miss that the user is gone.
        let is_known = self.next.segment_name(old.segment_id).is_some();
        self.next.push(Entry {
            segment_id: if is_known { old.segment_id } else { ANONYMOUS.segment_id },
            updated_at: PENDING,
            is_deleted: true,
            ..old
        });
    }
}

/// Within a twentieth of each other, or both next to nothing.
fn is_close(old_ppm: u32, new_ppm: u32) -> bool {
    old_ppm.abs_diff(new_ppm) <= NEXT_TO_NOTHING_PPM.max(old_ppm / 20)
}

#[cfg(test)]
mod tests {
    use super::{Succession, TOMBSTONE_S};
    use crate::entries::{Entries, PENDING};
    use crate::segment::rule::{self, ANONYMOUS, Placement};
    use crate::segment::table::Table;

    const NOW: u32 = 1_763_660_000;
    const LOYAL: Placement = Placement { segment_id: 2, score_ppm: 1, confidence_ppm: 1 };

    fn next(previous: &Table, users: &[u64], now: u32) -> (Table, bool) {
        let mut succession = Succession::new(Some(previous), rule::segments(), now);
        for user_id in users {
            succession.push(*user_id, LOYAL).unwrap();
        }
        let (mut table, is_changed) = succession.finish();
        table.stamp(now);
        (table, is_changed)
    }

    #[test]
    fn a_deleted_user_is_kept_for_a_while() {
        let (first, _) = next(&Table::default(), &[1, 2], NOW);
        let (second, is_changed) = next(&first, &[2], NOW + 1);
        assert!(is_changed);
        assert!(second.get(1).unwrap().is_deleted);
        assert_eq!(second.live_users(), 2);
        let (third, is_changed) = next(&second, &[2], NOW + 1 + TOMBSTONE_S);
        assert!(!is_changed);
        assert_eq!(third, second);
        let (fourth, is_changed) = next(&third, &[2], NOW + 2 + TOMBSTONE_S);
        assert!(is_changed);
        assert_eq!(fourth.len(), 2);
    }

    #[test]
    fn a_deletion_outlives_the_segment_of_the_user() {
        let (first, _) = next(&Table::default(), &[1], NOW);
        let (gone, _) = next(&first, &[], NOW + 1);
        let others = rule::segments().into_iter().filter(|segment| segment.id != LOYAL.segment_id).collect();
        let (mut retrained, is_changed) = Succession::new(Some(&gone), others, NOW + 2).finish();
        assert!(is_changed);
        retrained.stamp(NOW + 2);
        let entry = retrained.get(1).unwrap();
        assert!(entry.is_deleted && retrained.check().is_ok());
        assert_eq!((entry.segment_id, entry.updated_at), (ANONYMOUS.segment_id, NOW + 2));
    }

    #[test]
    fn a_user_who_comes_back_counts_as_changed() {
        let (first, _) = next(&Table::default(), &[1], NOW);
        let (gone, _) = next(&first, &[], NOW + 1);
        let (back, is_changed) = next(&gone, &[1], NOW + 2);
        assert!(is_changed);
        assert_eq!(back.get(1).unwrap().updated_at, NOW + 2);
        assert!(!back.get(1).unwrap().is_deleted);
    }

    #[test]
    fn a_share_that_moves_a_little_is_no_change() {
        let moved = |score_ppm| {
            let mut succession = Succession::new(None, rule::segments(), NOW);
            succession.push(1, Placement { score_ppm: 100_000, ..LOYAL }).unwrap();
            let (mut first, _) = succession.finish();
            first.stamp(NOW);
            let mut succession = Succession::new(Some(&first), rule::segments(), NOW + 1);
            succession.push(1, Placement { score_ppm, ..LOYAL }).unwrap();
            let (second, is_changed) = succession.finish();
            (is_changed, second.get(1).unwrap().score_ppm)
        };
        assert_eq!(moved(105_000), (false, 100_000));
        assert_eq!(moved(105_001), (true, 105_001));
        assert_eq!(moved(94_999), (true, 94_999));
    }

    #[test]
    fn user_0_is_there_when_nobody_else_is() {
        let (table, is_changed) = Succession::new(None, rule::segments(), NOW).finish();
        assert!(is_changed);
        assert!(table.check().is_ok());
        let entry = table.get(0).unwrap();
        assert_eq!((entry.user_id, entry.segment_id, entry.updated_at), (0, ANONYMOUS.segment_id, PENDING));
    }

    #[test]
    fn users_out_of_order_are_refused() {
        let mut succession = Succession::new(None, rule::segments(), NOW);
        assert!(succession.push(0, LOYAL).is_err());
        assert!(succession.push(5, LOYAL).is_ok());
        assert!(succession.push(5, LOYAL).is_err());
        assert!(succession.push(4, LOYAL).is_err());
    }
}
