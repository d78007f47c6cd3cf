//! The rule that puts a user into a segment: fixed thresholds on recency, frequency and monetary value.
//!
//! In scope: the thresholds, the segments and their meaning.
//! Out of scope: anything learnt from data ([`crate::model`]). The rule judges while there is too little of it, and its segments say
//! so by the prefix `rule_`.
//!
//! Each of the three gets 0 to 4 points. The thresholds are steps, so that an entry changes when a user's behaviour does and not
//! with every second that passes; otherwise every incremental load would be a full one.
//!
//! - `score` is the sum of the points over 12: a rank among buyers, **not** a probability. It is 0 without a purchase.
//! - `confidence` says how much evidence there is, `sessions / (sessions + 5)` in steps of 0.01: **not** a probability either.
//! - Monetary points look at the currency in which the user's net revenue is largest, by the same steps for every currency: coarse
//!   where a unit is worth little.

use super::activity::{Activity, DAY_S};
use super::table::Segment;

/// Denominator of `score` and `confidence`.
pub const PPM: u32 = 1_000_000;
/// Days since the last purchase for 4, 3, 2 and 1 points.
const RECENCY_DAYS: [u32; 4] = [7, 30, 90, 180];
/// Orders for 4, 3, 2 and 1 points.
const FREQUENCY_ORDERS: [u64; 4] = [6, 3, 2, 1];
/// Net revenue in whole currency units for 4, 3, 2 and 1 points.
const MONETARY_UNITS: [i128; 4] = [1_000, 200, 50, 1];
const UNIT_E4: i128 = 10_000;
const MAX_POINTS: u32 = 12;
/// Without a purchase: a cart counts this long, any event this long.
const CART_DAYS: u32 = 30;
const SEEN_DAYS: u32 = 90;
/// Sessions at which `confidence` is one half.
const HALF_CONFIDENCE_SESSIONS: u64 = 5;

/// Id and name of each segment. Ids are part of the contract: a name may change, an id is never given a new meaning.
const SEGMENTS: [(u16, &str); 8] = [
    (0, "anonymous"),
    (1, "rule_champions"),
    (2, "rule_loyal"),
    (3, "rule_new"),
    (4, "rule_at_risk"),
    (5, "rule_hibernating"),
    (6, "rule_promising"),
    (7, "rule_browsers"),
];

/// Where one user is put, and how surely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// One of [`segments`].
    pub segment_id: u16,
    /// Parts per million, 0 to [`PPM`].
    pub score_ppm: u32,
    /// Parts per million, 0 to [`PPM`].
    pub confidence_ppm: u32,
}

/// The placement of user 0. It is certain: whoever has no user id is anonymous.
pub const ANONYMOUS: Placement = Placement { segment_id: 0, score_ppm: 0, confidence_ppm: PPM };

/// All segments of the rule.
pub fn segments() -> Vec<Segment> {
    let segment = |(id, name): (u16, &str)| Segment { id, name: name.to_owned() };
    SEGMENTS.into_iter().map(segment).collect()
}

/// Judges one user's activity as of `now`, unix seconds.
pub fn judge(activity: &Activity, now: u32) -> Placement {
    let recency = if activity.orders == 0 {
        0
    } else {
        points(RECENCY_DAYS, |days| days_since(activity.last_order, now) <= days)
    };
    let frequency = points(FREQUENCY_ORDERS, |orders| activity.orders >= orders);
    let revenue_e4 = activity.largest_net_revenue_e4();
    let monetary = points(MONETARY_UNITS, |units| activity.orders > 0 && revenue_e4 >= units * UNIT_E4);
    let segment_id = match (recency, frequency, monetary) {
        (_, 0, _) => without_order(activity, now),
        (3.., 3.., 2..) => 1,
        (2.., 2.., _) => 2,
        (3.., 1, _) => 3,
        (1.., _, _) => 4,
        (0, _, _) => 5,
    };
    Placement {
        segment_id,
        score_ppm: (recency + frequency + monetary) * PPM / MAX_POINTS,
        confidence_ppm: confidence_ppm(activity.sessions),
    }
}

fn without_order(activity: &Activity, now: u32) -> u16 {
    if activity.last_cart > 0 && days_since(activity.last_cart, now) <= CART_DAYS {
        6
    } else if days_since(activity.last_seen, now) <= SEEN_DAYS {
        7
    } else {
        5
    }
}

/// 4 points for the first step that holds, 3 for the second, and so on.
fn points<T>(steps: [T; 4], holds: impl FnMut(T) -> bool) -> u32 {
    let step = steps.into_iter().map(holds).position(|held| held);
    step.map_or(0, |step| 4 - u32::try_from(step).unwrap_or(4))
}

/// Whole days; a time in the future is today.
fn days_since(unix_s: u32, now: u32) -> u32 {
    now.saturating_sub(unix_s) / DAY_S
}

fn confidence_ppm(sessions: u64) -> u32 {
    let percent = sessions.saturating_mul(100) / sessions.saturating_add(HALF_CONFIDENCE_SESSIONS);
    u32::try_from(percent).unwrap_or(100).min(100) * (PPM / 100)
}

#[cfg(test)]
mod tests {
    use super::{Activity, DAY_S, PPM, SEGMENTS, judge};
    use proptest::prelude::{any, proptest};

    const NOW: u32 = 1_763_660_000;

    fn user(orders: u64, order_days: u32, units: i128) -> Activity {
        Activity {
            user_id: 1,
            last_seen: NOW - 60,
            last_order: if orders == 0 { 0 } else { NOW - order_days * DAY_S },
            orders,
            net_revenue_e4: vec![("EUR".to_owned(), units * 10_000), ("USD".to_owned(), 10)],
            sessions: 5,
            ..Activity::default()
        }
    }

    fn name(activity: &Activity) -> &'static str {
        let id = judge(activity, NOW).segment_id;
        SEGMENTS.iter().find(|segment| segment.0 == id).unwrap().1
    }

    #[test]
    fn each_segment_has_its_shopper() {
        assert_eq!(name(&user(3, 30, 50)), "rule_champions");
        assert_eq!(name(&user(3, 30, 49)), "rule_loyal");
        assert_eq!(name(&user(2, 90, 10)), "rule_loyal");
        assert_eq!(name(&user(1, 30, 10)), "rule_new");
        assert_eq!(name(&user(1, 31, 10)), "rule_at_risk");
        assert_eq!(name(&user(9, 91, 10)), "rule_at_risk");
        assert_eq!(name(&user(9, 181, 10)), "rule_hibernating");
        assert_eq!(name(&user(0, 0, 0)), "rule_browsers");
        let cart = Activity { last_cart: NOW - 30 * DAY_S, ..user(0, 0, 0) };
        assert_eq!(name(&cart), "rule_promising");
        let gone = Activity { last_seen: NOW - 91 * DAY_S, ..user(0, 0, 0) };
        assert_eq!(name(&gone), "rule_hibernating");
    }

    #[test]
    fn the_score_is_the_share_of_points() {
        assert_eq!(judge(&user(6, 7, 1_000), NOW).score_ppm, PPM);
        assert_eq!(judge(&user(1, 30, 50), NOW).score_ppm, 500_000);
        assert_eq!(judge(&user(0, 0, 0), NOW).score_ppm, 0);
        assert_eq!(judge(&user(0, 0, 0), NOW).confidence_ppm, 500_000);
    }

    #[test]
    fn a_second_that_passes_changes_nothing_within_a_step() {
        let shopper = user(3, 10, 100);
        assert_eq!(judge(&shopper, NOW), judge(&shopper, NOW + 5 * DAY_S));
    }

    proptest! {
        #[test]
        fn every_activity_gets_a_placement_in_range(
            times in any::<[u32; 3]>(), orders in any::<u64>(), revenue in any::<i128>(), sessions in any::<u64>(), now in any::<u32>(),
        ) {
            let [last_seen, last_order, last_cart] = times;
            let net_revenue_e4 = vec![("EUR".to_owned(), revenue)];
            let activity = Activity { user_id: 1, last_seen, last_order, last_cart, orders, net_revenue_e4, sessions, ..Activity::default() };
            let placement = judge(&activity, now);
            assert!((1..8).contains(&placement.segment_id));
            assert!(placement.score_ppm <= PPM && placement.confidence_ppm <= PPM);
        }
    }
}
