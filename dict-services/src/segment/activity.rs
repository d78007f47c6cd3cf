//! What one user did, as far as the rule looks.
//!
//! In scope: the numbers per user and adding up regions.
//! Out of scope: how they are read.

/// One user's activity in the window that was read. Times are unix seconds, 0 = never.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// Whose.
    pub user_id: u64,
    /// Last event of any kind.
    pub last_seen: u32,
    /// Last `purchase`.
    pub last_order: u32,
    /// Last `add_to_cart`.
    pub last_cart: u32,
    /// Different orders.
    pub orders: u64,
    /// Purchases less refunds by currency, in ten-thousandths. Amounts of different currencies are never added.
    pub net_revenue_e4: Vec<(String, i128)>,
    /// Different sessions.
    pub sessions: u64,
}

impl Activity {
    /// Net revenue in the currency in which it is largest, ten-thousandths. 0 without any.
    pub fn largest_net_revenue_e4(&self) -> i128 {
        self.net_revenue_e4.iter().map(|(_, amount)| *amount).max().unwrap_or(0)
    }

    /// Adds what the same user did in another region.
    fn add(&mut self, other: Self) {
        self.last_seen = self.last_seen.max(other.last_seen);
        self.last_order = self.last_order.max(other.last_order);
        self.last_cart = self.last_cart.max(other.last_cart);
        self.orders = self.orders.saturating_add(other.orders);
        self.sessions = self.sessions.saturating_add(other.sessions);
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
            last_seen,
            last_order: 0,
            last_cart: 5,
            orders: 1,
            net_revenue_e4: vec![("EUR".to_owned(), 10)],
            sessions: 2,
        }
    }

    #[test]
    fn a_user_of_two_regions_is_added_up() {
        let dollars =
            Activity { net_revenue_e4: vec![("USD".to_owned(), 7), ("EUR".to_owned(), 1)], ..activity(7, 60) };
        let mut heads = [Some(activity(7, 50)), None, Some(activity(9, 1)), Some(dollars)];
        let both = Activity {
            orders: 2,
            net_revenue_e4: vec![("EUR".to_owned(), 11), ("USD".to_owned(), 7)],
            sessions: 4,
            ..activity(7, 60)
        };
        assert_eq!(both.largest_net_revenue_e4(), 11);
        assert_eq!(take_lowest(&mut heads), Some(both));
        assert_eq!(heads, [None, None, Some(activity(9, 1)), None]);
        assert_eq!(take_lowest(&mut heads), Some(activity(9, 1)));
        assert_eq!(take_lowest(&mut heads), None);
    }
}
