//! What one user did, as far as segments look.
//!
//! In scope: the numbers per user and adding up regions.
//! Out of scope: how they are read ([`super::source`]) and judged.

/// Only events of this many days before the cutoff are looked at.
pub const WINDOW_DAYS: u32 = 365;
/// What "recent" means in the names below, days before the cutoff.
pub const RECENT_DAYS: u32 = 30;
/// Seconds of a day.
pub const DAY_S: u32 = 24 * 60 * 60;

/// One user's activity in the [`WINDOW_DAYS`] before a cutoff. Times are unix seconds, 0 = never.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Whose.
    pub user_id: u64,
    /// First event of any kind.
    pub first_seen: u32,
    /// Last event of any kind.
    pub last_seen: u32,
    /// First `purchase`.
    pub first_order: u32,
    /// Last `purchase`.
    pub last_order: u32,
    /// Last `add_to_cart`.
    pub last_cart: u32,
    /// Different orders.
    pub orders: u64,
    /// Different orders in the last [`RECENT_DAYS`].
    pub recent_orders: u64,
    /// Purchases less refunds by currency, in ten-thousandths. Amounts of different currencies are never added.
    pub net_revenue_e4: Vec<(String, i128)>,
    /// Different sessions.
    pub sessions: u64,
    /// Different sessions in the last [`RECENT_DAYS`].
    pub recent_sessions: u64,
    /// Views of pages and products.
    pub views: u64,
    /// Views in the last [`RECENT_DAYS`].
    pub recent_views: u64,
    /// Products put into the cart.
    pub carts: u64,
    /// Products put into the cart in the last [`RECENT_DAYS`].
    pub recent_carts: u64,
    /// Different products seen, put into the cart or bought: the breadth of interest.
    pub products: u64,
    /// Different orders after the cutoff, as far as was asked for. What a score promises; 0 when the cutoff is now.
    pub next_orders: u64,
}

impl Activity {
    /// Net revenue in the currency in which it is largest, ten-thousandths. 0 without any.
    pub fn largest_net_revenue_e4(&self) -> i128 {
        self.net_revenue_e4.iter().map(|(_, amount)| *amount).max().unwrap_or(0)
    }

    /// Adds what the same user did in another region. A product seen in both regions counts twice.
    fn add(&mut self, other: Self) {
        for (first, other) in [(&mut self.first_seen, other.first_seen), (&mut self.first_order, other.first_order)] {
            *first = if *first == 0 || other == 0 { (*first).max(other) } else { (*first).min(other) };
        }
        self.last_seen = self.last_seen.max(other.last_seen);
        self.last_order = self.last_order.max(other.last_order);
        self.last_cart = self.last_cart.max(other.last_cart);
        for (count, other) in [
            (&mut self.orders, other.orders),
            (&mut self.recent_orders, other.recent_orders),
            (&mut self.sessions, other.sessions),
            (&mut self.recent_sessions, other.recent_sessions),
            (&mut self.views, other.views),
            (&mut self.recent_views, other.recent_views),
            (&mut self.carts, other.carts),
            (&mut self.recent_carts, other.recent_carts),
            (&mut self.products, other.products),
            (&mut self.next_orders, other.next_orders),
        ] {
            *count = count.saturating_add(other);
        }
        for (currency, amount) in other.net_revenue_e4 {
            match self.net_revenue_e4.iter_mut().find(|known| known.0 == currency) {
                Some(known) => known.1 = known.1.saturating_add(amount),
                None => self.net_revenue_e4.push((currency, amount)),
            }
        }
    }
}

/// Takes the lowest user from the heads of several ascending lists, added up over all lists that have it.
pub fn take_lowest(heads: &mut [Option<Activity>]) -> Option<Activity> {
    let lowest = heads.iter().flatten().map(|head| head.user_id).min()?;
    let mut sum: Option<Activity> = None;
    for head in heads {
        if let Some(activity) = head.take_if(|head| head.user_id == lowest) {
            match &mut sum {
                Some(sum) => sum.add(activity),
                None => sum = Some(activity),
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::{Activity, take_lowest};

    fn activity(user_id: u64, last_seen: u32) -> Activity {
        Activity {
            user_id,
            first_seen: 10,
            last_seen,
            last_cart: 5,
            orders: 1,
            net_revenue_e4: vec![("EUR".to_owned(), 10)],
            sessions: 2,
            ..Activity::default()
        }
    }

    #[test]
    fn a_user_of_two_regions_is_added_up() {
        let dollars = Activity {
            first_seen: 8,
            first_order: 9,
            next_orders: 1,
            net_revenue_e4: vec![("USD".to_owned(), 7), ("EUR".to_owned(), 1)],
            ..activity(7, 60)
        };
        let mut heads = [Some(activity(7, 50)), None, Some(activity(9, 1)), Some(dollars)];
        let both = Activity {
            first_seen: 8,
            first_order: 9,
            orders: 2,
            net_revenue_e4: vec![("EUR".to_owned(), 11), ("USD".to_owned(), 7)],
            sessions: 4,
            next_orders: 1,
            ..activity(7, 60)
        };
        assert_eq!(both.largest_net_revenue_e4(), 11);
        assert_eq!(take_lowest(&mut heads), Some(both));
        assert_eq!(heads, [None, None, Some(activity(9, 1)), None]);
        assert_eq!(take_lowest(&mut heads), Some(activity(9, 1)));
        assert_eq!(take_lowest(&mut heads), None);
    }
}
