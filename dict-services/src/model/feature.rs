//! What a model looks at: one number per feature and user, on a logarithmic scale.
//!
//! In scope: the features, money in comparable units.
//! Out of scope: standardising ([`super::scaling`]), which features a model part uses ([`super::population`]).
//!
//! Every feature is ln(1 + x): the tenth order says less than the second, and the 200th day of silence less than the tenth.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::segment::activity::{Activity, DAY_S, WINDOW_DAYS};

/// Number of features.
pub const FEATURES: usize = 15;
/// Currencies with a unit of their own; ISO 4217 has fewer than 200.
pub const MAX_CURRENCIES: usize = 256;

const UNIT_E4: f64 = 10_000.0;

/// One number of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Feature {
    /// Days since the last order, the window's length without one.
    OrderRecency,
    /// Days since the first order, 0 without one.
    OrderAge,
    /// Orders.
    Orders,
    /// Orders in the last 30 days.
    RecentOrders,
    /// Net revenue per order, in typical orders of its currency.
    OrderValue,
    /// Days since the last event.
    VisitRecency,
    /// Days since the first event.
    Tenure,
    /// Sessions.
    Sessions,
    /// Sessions in the last 30 days.
    RecentSessions,
    /// Views.
    Views,
    /// Views in the last 30 days.
    RecentViews,
    /// Days since the last product was put into the cart, the window's length if none was.
    CartRecency,
    /// Products put into the cart.
    Carts,
    /// Products put into the cart in the last 30 days.
    RecentCarts,
    /// Different products.
    Products,
}

use Feature::{
    CartRecency, Carts, OrderAge, OrderRecency, OrderValue, Orders, Products, RecentCarts, RecentOrders,
    RecentSessions, RecentViews, Sessions, Tenure, Views, VisitRecency,
};

impl Feature {
    /// All, in the order of [`Features`].
    #[rustfmt::skip]
    pub const ALL: [Self; FEATURES] = [
        OrderRecency, OrderAge, Orders, RecentOrders, OrderValue, VisitRecency, Tenure, Sessions, RecentSessions, Views, RecentViews,
        CartRecency, Carts, RecentCarts, Products,
    ];

    /// Name with its unit, for people.
    pub fn name(self) -> &'static str {
        match self {
            OrderRecency => "days since last order",
            OrderAge => "days since first order",
            Orders => "orders",
            RecentOrders => "orders in 30 days",
            OrderValue => "order value in typical orders",
            VisitRecency => "days since last visit",
            Tenure => "days since first visit",
            Sessions => "sessions",
            RecentSessions => "sessions in 30 days",
            Views => "views",
            RecentViews => "views in 30 days",
            CartRecency => "days since last cart",
            Carts => "products put into cart",
            RecentCarts => "products put into cart in 30 days",
            Products => "different products",
        }
    }
}

/// The features of one user: ln(1 + x) each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Features([f64; FEATURES]);

impl Features {
    /// Of `activity`, read up to `cutoff`, unix seconds.
    pub fn of(activity: &Activity, units: &Units, cutoff: u32) -> Self {
        let days = |since: u32| f64::from(cutoff.saturating_sub(since)) / f64::from(DAY_S);
        let days_or = |since: u32, never: f64| if since == 0 { never } else { days(since) };
        let window = f64::from(WINDOW_DAYS);
        let value = |feature| match feature {
            OrderRecency => days_or(activity.last_order, window),
            OrderAge => days_or(activity.first_order, 0.0),
            Orders => activity.orders as f64,
            RecentOrders => activity.recent_orders as f64,
            OrderValue => units.orders_worth(activity) / activity.orders.max(1) as f64,
            VisitRecency => days(activity.last_seen),
            Tenure => days(activity.first_seen),
            Sessions => activity.sessions as f64,
            RecentSessions => activity.recent_sessions as f64,
            Views => activity.views as f64,
            RecentViews => activity.recent_views as f64,
            CartRecency => days_or(activity.last_cart, window),
            Carts => activity.carts as f64,
            RecentCarts => activity.recent_carts as f64,
            Products => activity.products as f64,
        };
        Self(Feature::ALL.map(|feature| value(feature).ln_1p()))
    }

    /// The logarithm, as models use it.
    pub fn log(&self, feature: Feature) -> f64 {
        self.0[feature as usize]
    }

    /// The number itself, as people read it.
    pub fn plain(&self, feature: Feature) -> f64 {
        self.log(feature).exp_m1()
    }

    /// Some of the logarithms.
    pub fn some(&self, features: &'static [Feature]) -> impl Iterator<Item = f64> + '_ {
        features.iter().map(|feature| self.log(*feature))
    }

    /// The mean over users, feature by feature. `None` without users.
    pub fn mean<'a>(users: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let (mut sums, mut count) = ([0.0; FEATURES], 0_u32);
        for user in users {
            sums.iter_mut().zip(user.0).for_each(|(sum, value)| *sum += value);
            count += 1;
        }
        (count > 0).then(|| Self(sums.map(|sum| sum / f64::from(count))))
    }
}

/// What a typical order is worth, by currency: the geometric mean of the orders. Money is measured in it, so that amounts of different
/// currencies may be added, and a yen shop and a euro shop look alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Units(BTreeMap<String, f64>);

impl Units {
    /// From the worth of a typical order per currency. What is not a positive number, or beyond [`MAX_CURRENCIES`], is left out.
    pub fn new(typical_orders: impl IntoIterator<Item = (String, f64)>) -> Self {
        let usable = typical_orders.into_iter().filter(|(_, worth)| worth.is_normal() && *worth > 0.0);
        Self(usable.take(MAX_CURRENCIES).collect())
    }

    /// The same, but a currency that `earlier` knows keeps its unit: a retrained model goes on measuring as before.
    #[must_use]
    pub fn continuing(mut self, earlier: &Self) -> Self {
        self.0.extend(earlier.0.iter().map(|(currency, worth)| (currency.clone(), *worth)));
        self
    }

    /// The net revenue of `activity` in typical orders, at least 0. A currency without a unit counts as nothing.
    fn orders_worth(&self, activity: &Activity) -> f64 {
        let worth = |(currency, amount_e4): &(String, i128)| {
            self.0.get(currency).map_or(0.0, |typical| *amount_e4 as f64 / UNIT_E4 / typical)
        };
        activity.net_revenue_e4.iter().map(worth).sum::<f64>().max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Activity, DAY_S, Feature, Features, Units};

    const CUTOFF: u32 = 1_763_660_000;

    fn euros_and_yen() -> Units {
        Units::new([("EUR".to_owned(), 50.0), ("JPY".to_owned(), 8_000.0), ("XXX".to_owned(), 0.0)])
    }

    #[test]
    fn features_are_what_their_names_say() {
        let activity = Activity {
            last_order: CUTOFF - 9 * DAY_S,
            orders: 2,
            net_revenue_e4: vec![("EUR".to_owned(), 100 * 10_000), ("JPY".to_owned(), 16_000 * 10_000)],
            last_seen: CUTOFF - DAY_S / 2,
            first_seen: CUTOFF - 99 * DAY_S,
            ..Activity::default()
        };
        let features = Features::of(&activity, &euros_and_yen(), CUTOFF);
        let near = |feature, expected: f64| {
            let found = features.plain(feature);
            assert!((found - expected).abs() < 1e-9, "{}: {found}", feature.name());
        };
        near(Feature::OrderRecency, 9.0);
        near(Feature::Orders, 2.0);
        near(Feature::OrderValue, 2.0);
        near(Feature::VisitRecency, 0.5);
        near(Feature::Tenure, 99.0);
        near(Feature::CartRecency, 365.0);
        near(Feature::OrderAge, 0.0);
        assert!((features.log(Feature::OrderRecency) - 10.0_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn every_feature_is_at_its_place() {
        for (at, feature) in Feature::ALL.into_iter().enumerate() {
            assert_eq!(feature as usize, at, "{}", feature.name());
        }
    }

    #[test]
    fn refunds_and_unknown_currencies_are_worth_nothing() {
        for (currency, amount) in [("EUR", -5), ("CHF", 5), ("XXX", 5)] {
            let activity =
                Activity { orders: 1, net_revenue_e4: vec![(currency.to_owned(), amount)], ..Activity::default() };
            let features = Features::of(&activity, &euros_and_yen(), CUTOFF);
            assert_eq!(features.log(Feature::OrderValue), 0.0, "{currency}");
        }
    }

    #[test]
    fn a_known_currency_keeps_its_unit() {
        let now = Units::new([("EUR".to_owned(), 70.0), ("USD".to_owned(), 60.0)]);
        let units = now.continuing(&euros_and_yen());
        assert_eq!(units.0["EUR"], 50.0);
        assert_eq!(units.0["USD"], 60.0);
    }
}
