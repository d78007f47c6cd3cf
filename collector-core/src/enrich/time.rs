//! When an event happened, by the edge clock.
//!
//! In scope: skew correction and clamping; an edge clock that does not run backwards. Out of scope: reading clocks (`received_at_ms` is an argument).

/// How far a corrected time may lie in the future, in milliseconds.
pub const MAX_FUTURE_MS: i64 = 24 * 60 * 60 * 1_000;

/// How far a corrected time may lie in the past, in milliseconds.
pub const MAX_PAST_MS: i64 = 30 * 24 * 60 * 60 * 1_000;

/// The largest step back of the edge clock that is held back, in milliseconds. A larger one is a clock that was wrong and has been set right.
pub const MAX_HELD_MS: i64 = 60 * 1_000;

/// The time of receipt: never before the last one of the same isolate, so that events keep the order in which they arrived while the clock is
/// corrected by a little.
pub fn received_at_ms(last_ms: i64, now_ms: i64) -> i64 {
    if (0..=MAX_HELD_MS).contains(&last_ms.saturating_sub(now_ms)) { last_ms } else { now_ms }
}

/// The corrected time of one event, with the correction kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrected {
    /// When it happened, by the edge clock.
    pub timestamp_ms: i64,
    /// Edge clock minus client clock when the beacon was sent, as far as the column holds it; 0 when unknown.
    pub skew_ms: i32,
    /// Why the time was replaced by `received_at`, if it was.
    pub clamped: Option<&'static str>,
}

/// Corrects a client's clock by the skew that its `sent_at` shows. Without `sent_at` the client's clock is not trusted at all.
pub fn correct(occurred_at_ms: Option<i64>, sent_at_ms: Option<i64>, received_at_ms: i64) -> Corrected {
    let skew = sent_at_ms.map(|sent| received_at_ms.saturating_sub(sent));
    let skew_ms = skew.map_or(0, |ms| i32::try_from(ms).unwrap_or(if ms < 0 { i32::MIN } else { i32::MAX }));
    let corrected = skew.zip(occurred_at_ms).map(|(skew, occurred)| occurred.saturating_add(skew));
    let timestamp_ms = corrected.unwrap_or(received_at_ms);
    let age_ms = received_at_ms.saturating_sub(timestamp_ms);
    let clamped = match age_ms {
        age if age > MAX_PAST_MS => Some("past"),
        age if age < -MAX_FUTURE_MS => Some("future"),
        _ => None,
    };
    Corrected { timestamp_ms: if clamped.is_some() { received_at_ms } else { timestamp_ms }, skew_ms, clamped }
}

/// Days since 1970 of a time; the unit in which salts change.
pub fn utc_day(time_ms: i64) -> i64 {
    time_ms.div_euclid(24 * 60 * 60 * 1_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW_MS: i64 = 1_763_660_000_000;
    const YEAR_MS: i64 = 365 * 24 * 60 * 60 * 1_000;

    #[test]
    fn the_edge_clock_decides() {
        let at = |occurred, sent| {
            let c = correct(occurred, sent, NOW_MS);
            (c.timestamp_ms - NOW_MS, c.skew_ms, c.clamped)
        };
        assert_eq!(at(Some(NOW_MS - 5_000), Some(NOW_MS - 100)), (-4_900, 100, None));
        assert_eq!(at(Some(NOW_MS - 5_000), None), (0, 0, None));
        assert_eq!(at(None, Some(NOW_MS - 100)), (0, 100, None));
        assert_eq!(at(Some(NOW_MS - MAX_PAST_MS), Some(NOW_MS)), (-MAX_PAST_MS, 0, None));
        assert_eq!(at(Some(NOW_MS - MAX_PAST_MS - 1), Some(NOW_MS)), (0, 0, Some("past")));
        assert_eq!(at(Some(NOW_MS + MAX_FUTURE_MS), Some(NOW_MS)), (MAX_FUTURE_MS, 0, None));
        assert_eq!(at(Some(NOW_MS + MAX_FUTURE_MS + 1), Some(NOW_MS)), (0, 0, Some("future")));
        assert_eq!(at(Some(0), Some(0)), (0, i32::MAX, None));
    }

    proptest! {
        #[test]
        fn receipts_do_not_run_backwards_while_the_clock_is_corrected(steps in prop::collection::vec(-2_000_i64..5_000, 1..60)) {
            // No series of these steps leads back by more than is held.
            let (mut now_ms, mut last_ms) = (NOW_MS, 0);
            for step in steps.iter().take(29) {
                now_ms += step;
                let received = received_at_ms(last_ms, now_ms);
                prop_assert!(received >= last_ms && received >= now_ms);
                last_ms = received;
            }
            // A clock that was a day ahead is believed once it is right.
            prop_assert_eq!(received_at_ms(now_ms + MAX_FUTURE_MS, now_ms), now_ms);
        }

        #[test]
        fn a_clock_wrong_by_years_gives_the_true_time(
            error_ms in -50 * YEAR_MS..50 * YEAR_MS,
            age_ms in 0..MAX_PAST_MS,
        ) {
            let corrected = correct(Some(NOW_MS - age_ms + error_ms), Some(NOW_MS + error_ms), NOW_MS);
            prop_assert_eq!(corrected.timestamp_ms, NOW_MS - age_ms);
            prop_assert_eq!(corrected.clamped, None);
        }

        #[test]
        fn any_clock_lands_inside_the_window(occurred in any::<i64>(), sent in any::<Option<i64>>()) {
            let corrected = correct(Some(occurred), sent, NOW_MS);
            prop_assert!((NOW_MS - MAX_PAST_MS..=NOW_MS + MAX_FUTURE_MS).contains(&corrected.timestamp_ms));
        }
    }
}
