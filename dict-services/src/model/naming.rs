//! Names for people, from what the members of a segment do on average.
//!
//! In scope: the names and their limits.
//! Out of scope: who is a member ([`super::segmentation`]), and which id the segment has ([`super::lineage`]).
//!
//! Averages are geometric (the mean of ln(1 + x), turned back), so that one extreme member does not name a segment.

use super::feature::Feature::{Carts, OrderAge, OrderRecency, OrderValue, Orders, Sessions, Tenure, VisitRecency};
use super::feature::Features;
use super::population::Population;

/// Fewer orders on average is a segment of first orders.
const REPEAT_ORDERS: f64 = 1.6;
/// Champions have bought for this many times what all buyers have on average.
const CHAMPION_FACTOR: f64 = 2.0;
/// A first order within this many days is fresh.
const FRESH_DAYS: f64 = 45.0;
/// Buyers known for fewer days are new, however often they bought.
const NEW_DAYS: f64 = 60.0;
/// Without an order for this many days, buyers hibernate.
const HIBERNATING_DAYS: f64 = 180.0;
/// At risk: silent for longer than this many of the segment's own days between orders, and at least [`FRESH_DAYS`].
const OVERDUE_GAPS: f64 = 2.5;
/// Visitors who have not come for this many days are lapsed.
const LAPSED_DAYS: f64 = 60.0;
/// Visitors who have put this much into the cart.
const CART_PRODUCTS: f64 = 0.7;
/// Visitors of this few sessions within [`FRESH_DAYS`] days.
const FEW_SESSIONS: f64 = 1.5;

/// The name of a segment of `population` with the mean `profile`, where `everybody` is the mean of the whole population.
pub fn name(population: Population, profile: &Features, everybody: &Features) -> &'static str {
    match population {
        Population::Buyers if profile.plain(Orders) < REPEAT_ORDERS => name_first_orders(profile),
        Population::Buyers => name_repeat_buyers(profile, everybody),
        Population::Visitors => name_visitors(profile),
    }
}

fn name_first_orders(profile: &Features) -> &'static str {
    let silent_days = profile.plain(OrderRecency);
    if silent_days > HIBERNATING_DAYS {
        "hibernating"
    } else if silent_days > FRESH_DAYS {
        "one_time"
    } else if profile.plain(Tenure) <= NEW_DAYS {
        "new"
    } else {
        "promising"
    }
}

fn name_repeat_buyers(profile: &Features, everybody: &Features) -> &'static str {
    let silent_days = profile.plain(OrderRecency);
    let gap_days = profile.plain(OrderAge) / profile.plain(Orders);
    let worth = |profile: &Features| profile.plain(Orders) * profile.plain(OrderValue);
    if silent_days > HIBERNATING_DAYS {
        "hibernating"
    } else if silent_days > FRESH_DAYS && silent_days > OVERDUE_GAPS * gap_days {
        "at_risk"
    } else if profile.plain(Tenure) <= NEW_DAYS {
        "new"
    } else if worth(profile) >= CHAMPION_FACTOR * worth(everybody) {
        "champions"
    } else {
        "loyal"
    }
}

fn name_visitors(profile: &Features) -> &'static str {
    if profile.plain(VisitRecency) > LAPSED_DAYS {
        "lapsed_visitors"
    } else if profile.plain(Carts) >= CART_PRODUCTS {
        "cart_abandoners"
    } else if profile.plain(Tenure) <= FRESH_DAYS && profile.plain(Sessions) < FEW_SESSIONS {
        "new_visitors"
    } else {
        "browsers"
    }
}

#[cfg(test)]
mod tests {
    use super::{Features, Population, name};
    use crate::model::feature::Units;
    use crate::segment::activity::{Activity, DAY_S};

    const NOW: u32 = 1_763_660_000;

    fn ago(days: u32) -> u32 {
        NOW - days * DAY_S
    }

    fn named(activity: &Activity) -> &'static str {
        let units = Units::new([("EUR".to_owned(), 50.0)]);
        let average = Features::of(&buyer(4, 200, 60), &units, NOW);
        name(Population::of(activity), &Features::of(activity, &units, NOW), &average)
    }

    fn buyer(orders: u64, first_order: u32, last_order: u32) -> Activity {
        Activity {
            first_seen: ago(first_order),
            last_seen: ago(last_order),
            first_order: ago(first_order),
            last_order: ago(last_order),
            orders,
            net_revenue_e4: vec![("EUR".to_owned(), i128::from(orders) * 50 * 10_000)],
            ..Activity::default()
        }
    }

    fn visitor(first_seen: u32, last_seen: u32, sessions: u64, carts: u64) -> Activity {
        Activity { first_seen: ago(first_seen), last_seen: ago(last_seen), sessions, carts, ..Activity::default() }
    }

    #[test]
    fn every_name_has_its_members() {
        assert_eq!(named(&buyer(12, 300, 5)), "champions");
        assert_eq!(named(&buyer(3, 200, 40)), "loyal");
        let few_large = Activity { net_revenue_e4: vec![("EUR".to_owned(), 600 * 10_000)], ..buyer(2, 200, 40) };
        assert_eq!(named(&few_large), "champions");
        assert_eq!(named(&buyer(1, 20, 20)), "new");
        assert_eq!(named(&buyer(3, 40, 2)), "new");
        assert_eq!(named(&Activity { first_seen: ago(200), ..buyer(1, 20, 20) }), "promising");
        assert_eq!(named(&buyer(1, 100, 100)), "one_time");
        assert_eq!(named(&buyer(12, 300, 100)), "at_risk");
        assert_eq!(named(&buyer(3, 300, 200)), "hibernating");
        assert_eq!(named(&buyer(1, 300, 200)), "hibernating");
        assert_eq!(named(&visitor(300, 5, 9, 0)), "browsers");
        assert_eq!(named(&visitor(300, 5, 9, 2)), "cart_abandoners");
        assert_eq!(named(&visitor(3, 3, 1, 0)), "new_visitors");
        assert_eq!(named(&visitor(300, 90, 9, 2)), "lapsed_visitors");
    }

    #[test]
    fn a_slow_rhythm_is_no_risk() {
        assert_eq!(named(&buyer(3, 330, 90)), "loyal", "orders every 110 days");
        assert_eq!(named(&buyer(10, 330, 90)), "at_risk", "orders every month");
    }
}
