//! When a Batcher's alarm is to go off.
//!
//! In scope: how old rows may get before they are frozen, when there is something to do next, alarms and flushes that were lost.
//! Out of scope: setting the alarm and flushing (the shell), when a region may be tried again (`failover`).

use crate::failover::is_due;
use crate::insert::Table;

/// How old rows may get before they are frozen while no batch waits, in milliseconds.
pub const FLUSH_MS: i64 = 1_000;

/// The same for counted outcomes: they are few, and each insert makes a part.
pub const OUTCOMES_FLUSH_MS: i64 = 5_000;

/// How old rows may get at most before they are frozen, however many batches wait already, in milliseconds.
pub const MAX_FREEZE_MS: i64 = 60_000;

/// A flush that began longer ago was cut off by the platform, in milliseconds.
const MAX_FLUSH_MS: i64 = 15 * 60 * 1_000;

/// An alarm is set at least this far ahead, in milliseconds: one for the very millisecond in which another fires has been seen to be lost.
const MIN_AHEAD_MS: i64 = 20;

/// An alarm that is set further ahead was set by a clock that has been put back since, in milliseconds.
const MAX_AHEAD_MS: i64 = 2 * MAX_FREEZE_MS;

/// An alarm that should have fired this long ago is lost, in milliseconds. Setting it again does no harm.
const MAX_LATE_MS: i64 = 5_000;

/// How old an open segment of a table may get before it is frozen, in milliseconds. The more batches wait, the larger the next one, so that an
/// outage of a day is some thousand batches and not a hundred thousand.
pub fn freeze_ms(table: Table, waiting_batches: i64) -> i64 {
    let freeze_ms = FLUSH_MS.saturating_mul(waiting_batches.saturating_add(1)).min(MAX_FREEZE_MS);
    if table == Table::Outcomes { freeze_ms.max(OUTCOMES_FLUSH_MS) } else { freeze_ms }
}

/// Whether a segment that was opened at `since_ms` is to be frozen; one from the future was opened before the clock was put back.
pub fn is_ripe(since_ms: i64, freeze_ms: i64, now_ms: i64) -> bool {
    since_ms.saturating_add(freeze_ms) <= now_ms || since_ms > now_ms
}

/// The alarm of one Batcher, and the flush that it begins. Times are in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "it ends in the unit")]
pub struct Alarm {
    /// When it goes off, if it is set.
    at_ms: Option<i64>,
    /// When the flush began that is running, if one is.
    flush_began_ms: Option<i64>,
    /// Until then nothing that is frozen can be sent; none if some of it may be sent now.
    not_before_ms: Option<i64>,
}

impl Alarm {
    /// The alarm has gone off.
    pub fn begin_flush(&mut self, now_ms: i64) {
        self.at_ms = None;
        self.flush_began_ms = Some(now_ms);
    }

    /// The flush is done.
    pub fn end_flush(&mut self) {
        self.flush_began_ms = None;
    }

    /// The flush itself failed. The next one comes after a while: an append in between does not bring it forward.
    pub fn fail_flush(&mut self, now_ms: i64) {
        *self = Self { not_before_ms: Some(now_ms.saturating_add(FLUSH_MS)), ..Self::default() };
    }

    /// Whether a flush is running. It sets the alarm for what is frozen at its end; one before that would find nothing to do.
    pub fn is_flushing(&self, now_ms: i64) -> bool {
        self.flush_began_ms.is_some_and(|began_ms| (0..MAX_FLUSH_MS).contains(&now_ms.saturating_sub(began_ms)))
    }

    /// What waits may be sent from then on, if nothing else may be before.
    pub fn wait_until(&mut self, at_ms: i64) {
        self.not_before_ms = Some(self.not_before_ms.map_or(at_ms, |first_ms| first_ms.min(at_ms)));
    }

    /// Some of what is frozen may be sent now.
    pub fn wait_no_more(&mut self) {
        self.not_before_ms = None;
    }

    /// Whether some of what is frozen may be sent.
    pub fn may_send(&self, now_ms: i64) -> bool {
        self.not_before_ms.is_none_or(|at_ms| is_due(at_ms, now_ms))
    }

    /// When there is something to do next: the first open segment is ripe, or a frozen one may be sent.
    pub fn due_ms(&self, ripe_ms: Option<i64>, next_attempt_ms: Option<i64>, now_ms: i64) -> Option<i64> {
        let attempt_ms = next_attempt_ms.map(|at_ms| self.not_before_ms.map_or(at_ms, |first_ms| first_ms.max(at_ms)));
        let due_ms = [ripe_ms, attempt_ms].into_iter().flatten().min()?;
        Some(if is_due(due_ms, now_ms) { now_ms } else { due_ms })
    }

    /// Notes that it is to go off then, and gives how long that is from now, in milliseconds. None if it is set early enough already.
    pub fn set(&mut self, due_ms: i64, now_ms: i64) -> Option<i64> {
        let due_ms = due_ms.max(now_ms + MIN_AHEAD_MS);
        let is_alive = |at_ms: &i64| (-MAX_LATE_MS + 1..=MAX_AHEAD_MS).contains(&at_ms.saturating_sub(now_ms));
        if self.at_ms.filter(is_alive).is_some_and(|at_ms| at_ms <= due_ms) {
            return None;
        }
        self.at_ms = Some(due_ms);
        Some(due_ms - now_ms)
    }

    /// It could not be set.
    pub fn unset(&mut self) {
        self.at_ms = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_763_660_000_000;

    #[test]
    fn rows_are_frozen_later_the_more_batches_wait() {
        assert_eq!(freeze_ms(Table::Events, 0), FLUSH_MS);
        assert_eq!(freeze_ms(Table::DeadLetters, 9), 10 * FLUSH_MS);
        assert_eq!(freeze_ms(Table::Events, i64::MAX), MAX_FREEZE_MS);
        assert_eq!((freeze_ms(Table::Outcomes, 0), freeze_ms(Table::Outcomes, 9)), (OUTCOMES_FLUSH_MS, 10 * FLUSH_MS));
    }

    #[test]
    fn a_segment_is_ripe_at_its_age_and_when_the_clock_was_put_back() {
        assert!(!is_ripe(NOW_MS - FLUSH_MS + 1, FLUSH_MS, NOW_MS));
        assert!(is_ripe(NOW_MS - FLUSH_MS, FLUSH_MS, NOW_MS));
        assert!(is_ripe(NOW_MS + 1, FLUSH_MS, NOW_MS));
    }

    #[test]
    fn an_alarm_is_set_unless_one_goes_off_before() {
        let mut alarm = Alarm::default();
        assert_eq!(alarm.set(NOW_MS + 500, NOW_MS), Some(500));
        assert_eq!(alarm.set(NOW_MS + 501, NOW_MS), None);
        assert_eq!(alarm.set(NOW_MS + 499, NOW_MS), Some(499));
        assert_eq!(
            alarm.set(NOW_MS, NOW_MS),
            Some(MIN_AHEAD_MS),
            "never for the millisecond in which another may fire"
        );
        alarm.unset();
        assert_eq!(alarm.set(NOW_MS + 500, NOW_MS), Some(500));
    }

    #[test]
    fn an_alarm_that_was_lost_is_set_again() {
        let mut late = Alarm::default();
        late.set(NOW_MS, NOW_MS);
        let fires_ms = NOW_MS + MIN_AHEAD_MS;
        assert_eq!(late.set(fires_ms + MAX_LATE_MS, fires_ms + MAX_LATE_MS - 1), None);
        assert_eq!(late.set(fires_ms + MAX_LATE_MS, fires_ms + MAX_LATE_MS), Some(MIN_AHEAD_MS));
        let mut ahead = Alarm::default();
        ahead.set(NOW_MS, NOW_MS);
        let put_back_ms = fires_ms - MAX_AHEAD_MS;
        assert_eq!(ahead.set(fires_ms, put_back_ms), None);
        assert_eq!(ahead.set(put_back_ms, put_back_ms - 1), Some(MIN_AHEAD_MS));
    }

    #[test]
    fn what_is_frozen_waits_for_the_first_region_and_what_is_open_does_not() {
        let mut alarm = Alarm::default();
        assert!(alarm.may_send(NOW_MS));
        alarm.wait_until(NOW_MS + 900);
        alarm.wait_until(NOW_MS + 700);
        alarm.wait_until(NOW_MS + 800);
        assert!(!alarm.may_send(NOW_MS + 699) && alarm.may_send(NOW_MS + 700));
        assert_eq!(alarm.due_ms(None, Some(0), NOW_MS), Some(NOW_MS + 700));
        assert_eq!(alarm.due_ms(Some(NOW_MS + 100), Some(0), NOW_MS), Some(NOW_MS + 100));
        assert_eq!(alarm.due_ms(None, Some(NOW_MS + 750), NOW_MS), Some(NOW_MS + 750));
        alarm.wait_no_more();
        assert_eq!(alarm.due_ms(None, Some(0), NOW_MS), Some(NOW_MS));
        assert_eq!(alarm.due_ms(None, None, NOW_MS), None);
    }

    #[test]
    fn a_flush_runs_until_it_ends_fails_or_is_cut_off() {
        let mut alarm = Alarm::default();
        assert!(!alarm.is_flushing(NOW_MS));
        alarm.begin_flush(NOW_MS);
        assert!(alarm.is_flushing(NOW_MS) && alarm.is_flushing(NOW_MS + MAX_FLUSH_MS - 1));
        assert!(!alarm.is_flushing(NOW_MS + MAX_FLUSH_MS), "cut off");
        alarm.end_flush();
        assert!(!alarm.is_flushing(NOW_MS));
        alarm.begin_flush(NOW_MS);
        alarm.fail_flush(NOW_MS);
        assert!(!alarm.is_flushing(NOW_MS));
        assert_eq!(alarm.due_ms(None, Some(0), NOW_MS), Some(NOW_MS + FLUSH_MS), "not at once");
    }
}
