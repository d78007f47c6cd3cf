//! Tables that wait for an operator.
//!
//! In scope: which batch may try a table that takes none until somebody has mended it. Out of scope: which answers say so (`delivery`), and going
//! elsewhere: a hold is no reason to leave a region.

use super::is_due;
use crate::delivery::Delivery;
use crate::insert::Table;
use crate::retry::{Backoff, MAX_HOLD_WAIT_MS};

/// The tables that one Batcher knows to be held.
///
/// One batch that is held may be alone with that, because its rows break a view: it changes nothing for the others. If a second one is held, and
/// none was taken in between, it is the table. Then one batch at a time is the probe, and the others wait without being packed, sent and
/// reported each for itself.
#[derive(Clone, Debug, Default)]
pub struct Holds {
    /// At most one for each table of a region.
    tables: Vec<Hold>,
}

#[derive(Clone, Debug)]
struct Hold {
    region: String,
    table: Table,
    /// The batch that was held last.
    token: String,
    /// How often another one was held.
    backoff: Backoff,
    /// Until then the others wait.
    until_ms: i64,
    /// Whether a probe is on its way.
    is_probed: bool,
}

impl Holds {
    /// When a batch may try the table, in milliseconds since 1970. None: now.
    pub fn opens_at_ms(&self, region: &str, table: Table, now_ms: i64) -> Option<i64> {
        let hold = self.tables.iter().find(|hold| hold.is(region, table))?;
        (hold.is_shared() && !is_due(hold.until_ms, now_ms)).then_some(hold.until_ms)
    }

    /// Whether the table is held: one batch at a time tries it, and the others wait for that.
    pub fn is_held(&self, region: &str, table: Table) -> bool {
        self.tables.iter().any(|hold| hold.is(region, table) && hold.is_shared())
    }

    /// A batch goes. If the table is held it is the probe: the others wait for it, but not for one that never comes back. True: `end` follows.
    #[must_use]
    pub fn begin(&mut self, region: &str, table: Table, now_ms: i64) -> bool {
        let Some(hold) = self.find(region, table).filter(|hold| hold.is_shared()) else { return false };
        hold.until_ms = now_ms.saturating_add(MAX_HOLD_WAIT_MS.cast_signed());
        hold.is_probed = true;
        true
    }

    /// A batch was held. `random` is any uniform number.
    pub fn hold(&mut self, region: &str, table: Table, token: &str, now_ms: i64, random: u64) {
        let Some(hold) = self.find(region, table) else {
            let (region, token) = (region.to_owned(), token.to_owned());
            let backoff = Backoff::default();
            self.tables.push(Hold { region, table, token, backoff, until_ms: now_ms, is_probed: false });
            return;
        };
        if hold.is_shared() || hold.token != token {
            let wait_ms = hold.backoff.next_wait_ms(Delivery::Hold, random);
            hold.until_ms = now_ms.saturating_add(i64::try_from(wait_ms).unwrap_or(i64::MAX));
            token.clone_into(&mut hold.token);
            hold.is_probed = false;
        }
    }

    /// The table took a batch, or understood it so well that it refused a row.
    pub fn lift(&mut self, region: &str, table: Table) {
        self.tables.retain(|hold| !hold.is(region, table));
    }

    /// The probe has come back, with whatever answer; when the others may go, in milliseconds since 1970.
    pub fn end(&mut self, region: &str, table: Table, now_ms: i64) -> i64 {
        let Some(hold) = self.find(region, table) else { return now_ms };
        if hold.is_probed {
            // It says nothing about the table: the region was away.
            hold.is_probed = false;
            hold.until_ms = now_ms;
        }
        hold.until_ms
    }

    fn find(&mut self, region: &str, table: Table) -> Option<&mut Hold> {
        self.tables.iter_mut().find(|hold| hold.is(region, table))
    }
}

impl Hold {
    fn is(&self, region: &str, table: Table) -> bool {
        self.table == table && self.region == region
    }

    fn is_shared(&self) -> bool {
        self.backoff.failures > 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW_MS: i64 = 1_763_660_000_000;
    const EVENTS: Table = Table::Events;

    fn held(tokens: &[&str]) -> Holds {
        let mut holds = Holds::default();
        for token in tokens {
            holds.hold("eu", EVENTS, token, NOW_MS, 0);
        }
        holds
    }

    #[test]
    fn one_batch_that_is_held_changes_nothing_for_the_others() {
        let mut holds = held(&["a", "a", "a"]);
        assert_eq!(holds.opens_at_ms("eu", EVENTS, NOW_MS), None);
        assert!(!holds.is_held("eu", EVENTS) && !holds.begin("eu", EVENTS, NOW_MS));
    }

    #[test]
    fn where_two_are_held_one_probes_and_the_others_wait() {
        let mut holds = held(&["a", "b"]);
        let opens_at_ms = holds.opens_at_ms("eu", EVENTS, NOW_MS).expect("a hold");
        assert_eq!(holds.opens_at_ms("us", EVENTS, NOW_MS), None, "another region");
        assert_eq!(holds.opens_at_ms("eu", Table::Outcomes, NOW_MS), None, "another table");
        assert_eq!(holds.opens_at_ms("eu", EVENTS, opens_at_ms), None);
        assert!(holds.is_held("eu", EVENTS) && !holds.is_held("us", EVENTS), "also when the next may try");
        assert!(holds.begin("eu", EVENTS, opens_at_ms));
        assert!(holds.opens_at_ms("eu", EVENTS, opens_at_ms).is_some(), "one is on its way");
        assert_eq!(holds.end("eu", EVENTS, opens_at_ms + 9), opens_at_ms + 9, "it met no table: the next may try");
        assert!(holds.begin("eu", EVENTS, opens_at_ms + 9));
        holds.lift("eu", EVENTS);
        assert!(!holds.is_held("eu", EVENTS));
        assert_eq!(holds.end("eu", EVENTS, opens_at_ms + 10), opens_at_ms + 10);
        assert_eq!(holds.opens_at_ms("eu", EVENTS, opens_at_ms + 10), None);
    }

    #[test]
    fn a_probe_that_never_comes_back_is_not_waited_for() {
        let mut holds = held(&["a", "b"]);
        assert!(holds.begin("eu", EVENTS, NOW_MS));
        assert_eq!(holds.opens_at_ms("eu", EVENTS, NOW_MS + MAX_HOLD_WAIT_MS.cast_signed()), None);
    }

    proptest! {
        /// However many batches wait, a table that is held for an hour is tried about twice a minute, and when it is mended all drain.
        #[test]
        fn a_backlog_does_not_storm_a_table(batches in 1..300_usize, randoms in proptest::collection::vec(any::<u64>(), 500)) {
            let (mut holds, mut now_ms, mut attempts, mut randoms) = (Holds::default(), NOW_MS, 0, randoms.into_iter());
            while now_ms < NOW_MS + 3_600_000 {
                let mut look_ms = now_ms + MAX_HOLD_WAIT_MS.cast_signed() / 2;
                for token in 0..batches {
                    if let Some(opens_at_ms) = holds.opens_at_ms("eu", EVENTS, now_ms) {
                        look_ms = opens_at_ms;
                        break;
                    }
                    let is_probe = holds.begin("eu", EVENTS, now_ms);
                    holds.hold("eu", EVENTS, &token.to_string(), now_ms, randoms.next().unwrap_or_default());
                    attempts += 1;
                    if is_probe {
                        look_ms = holds.end("eu", EVENTS, now_ms);
                    }
                }
                prop_assert!(look_ms > now_ms);
                now_ms = look_ms;
            }
            prop_assert!(attempts <= 2 * 60 + 12, "{attempts} attempts");
            let _ = holds.begin("eu", EVENTS, now_ms);
            holds.lift("eu", EVENTS);
            prop_assert_eq!(holds.opens_at_ms("eu", EVENTS, now_ms), None);
        }
    }
}
