//! Simulated shoppers whose hidden kind is known.
//!
//! In scope: visits and orders from stated distributions, the activity that follows from them, and the best prediction that anybody
//! could make who knows the distributions and the history, but not the future.
//! Out of scope: ClickHouse and HTTP.
//!
//! A shopper of a kind arrives at an even rate, comes at a rate of his own, buys on a visit with a chance of his own, and
//! leaves for good without a word after a time of his own. Only the moment of leaving is hidden for ever: this is the model
//! behind Pareto/NBD (Schmittlein, Morrison, Colombo, 1987), with visits beside the orders.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "counts, days and amounts of a simulation are small and not negative"
)]

use std::borrow::Borrow;

use dict_services::model::dataset::{HORIZON_DAYS, History, Sample, Window};
use dict_services::model::feature::Units;
use dict_services::segment::activity::{Activity, DAY_S, RECENT_DAYS, WINDOW_DAYS};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp, Gamma, LogNormal, Poisson};

/// A typical order, in ten-thousandths of a euro.
const TYPICAL_ORDER_E4: f64 = 500_000.0;
/// Standard deviation of the logarithm of an order's value.
const ORDER_DEVIATION: f64 = 0.4;
/// Draws of a kind's rates that the best prediction averages over.
const DRAWS: usize = 300;

/// One kind of shopper.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// For people.
    pub(crate) name: &'static str,
    /// Share of all arrivals.
    pub(crate) share: f64,
    /// First and last arrival, days before day 0.
    arrives: (f64, f64),
    /// When it is over.
    leaves: Leaves,
    /// Mean visits per day.
    visits_per_day: f64,
    /// Mean chance that a visit ends in an order.
    order_chance: f64,
    /// Mean products put into the cart per visit without an order.
    carts: f64,
    /// Mean views per visit.
    views: f64,
    /// Mean order in typical orders.
    order_value: f64,
}

/// When a shopper leaves for good.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leaves {
    /// After a time without memory, of this many days on average.
    After(f64),
    /// Evenly between these days before day 0, but not before the arrival.
    Ago(f64, f64),
}

/// Kinds that stay what they are, in a shop that does not change: for the best prediction.
#[rustfmt::skip]
pub(crate) const LIFELONG: [Kind; 5] = [
    Kind { name: "regular",  share: 0.12, arrives: (500.0, 0.0), leaves: Leaves::After(900.0), visits_per_day: 0.40, order_chance: 0.25,  carts: 0.3,  views: 8.0, order_value: 1.4 },
    Kind { name: "steady",   share: 0.20, arrives: (500.0, 0.0), leaves: Leaves::After(700.0), visits_per_day: 0.08, order_chance: 0.35,  carts: 0.2,  views: 5.0, order_value: 1.0 },
    Kind { name: "one_time", share: 0.20, arrives: (500.0, 0.0), leaves: Leaves::After(30.0),  visits_per_day: 0.02, order_chance: 0.60,  carts: 0.1,  views: 4.0, order_value: 0.8 },
    Kind { name: "browser",  share: 0.28, arrives: (500.0, 0.0), leaves: Leaves::After(400.0), visits_per_day: 0.15, order_chance: 0.004, carts: 0.02, views: 6.0, order_value: 0.8 },
    Kind { name: "cart",     share: 0.20, arrives: (500.0, 0.0), leaves: Leaves::After(300.0), visits_per_day: 0.12, order_chance: 0.01,  carts: 1.2,  views: 7.0, order_value: 0.9 },
];

/// Kinds in the phase that they are in on day 0: for segments.
#[rustfmt::skip]
pub(crate) const PHASES: [Kind; 8] = [
    Kind { name: "champions",       share: 0.10, arrives: (500.0, 150.0), leaves: Leaves::After(9e3),        visits_per_day: 0.50, order_chance: 0.30, carts: 0.3,  views: 8.0, order_value: 1.4 },
    Kind { name: "loyal",           share: 0.14, arrives: (500.0, 200.0), leaves: Leaves::After(9e3),        visits_per_day: 0.07, order_chance: 0.40, carts: 0.2,  views: 5.0, order_value: 1.0 },
    Kind { name: "new",             share: 0.08, arrives: (25.0, 0.0),    leaves: Leaves::After(9e3),        visits_per_day: 0.08, order_chance: 0.90, carts: 0.2,  views: 5.0, order_value: 1.0 },
    Kind { name: "at_risk",         share: 0.12, arrives: (500.0, 300.0), leaves: Leaves::Ago(150.0, 60.0),  visits_per_day: 0.40, order_chance: 0.30, carts: 0.3,  views: 6.0, order_value: 1.2 },
    Kind { name: "hibernating",     share: 0.16, arrives: (350.0, 200.0), leaves: Leaves::Ago(350.0, 190.0), visits_per_day: 0.02, order_chance: 0.90, carts: 0.1,  views: 4.0, order_value: 0.8 },
    Kind { name: "browsers",        share: 0.20, arrives: (500.0, 60.0),  leaves: Leaves::After(9e3),        visits_per_day: 0.20, order_chance: 0.0,  carts: 0.01, views: 6.0, order_value: 1.0 },
    Kind { name: "cart_abandoners", share: 0.12, arrives: (500.0, 60.0),  leaves: Leaves::After(9e3),        visits_per_day: 0.15, order_chance: 0.0,  carts: 1.2,  views: 7.0, order_value: 1.0 },
    Kind { name: "lapsed_visitors", share: 0.08, arrives: (500.0, 300.0), leaves: Leaves::Ago(250.0, 120.0), visits_per_day: 0.15, order_chance: 0.0,  carts: 0.3,  views: 5.0, order_value: 1.0 },
];

/// Rates of one shopper.
#[derive(Clone, Copy, Debug)]
struct Rates {
    visits_per_day: f64,
    order_chance: f64,
    leaves_per_day: f64,
}

impl Kind {
    fn draw(&self, rng: &mut StdRng) -> Rates {
        /// Shape of the gamma distributions: the higher, the more alike are shoppers of a kind.
        const SHAPE: f64 = 6.0;
        let gamma =
            |mean: f64, rng: &mut StdRng| Gamma::new(SHAPE, mean / SHAPE).expect("positive parameters").sample(rng);
        Rates {
            visits_per_day: gamma(self.visits_per_day, rng),
            order_chance: if self.order_chance > 0.0 { gamma(self.order_chance, rng).min(0.95) } else { 0.0 },
            leaves_per_day: match self.leaves {
                Leaves::After(days) => 1.0 / days,
                Leaves::Ago(..) => 0.0,
            },
        }
    }
}

/// One visit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visit {
    /// Days before (negative) or after the cutoff.
    pub(crate) day: f64,
    /// Views.
    pub(crate) views: u64,
    /// Products put into the cart.
    pub(crate) carts: u64,
    /// The order, in ten-thousandths of a euro.
    pub(crate) order_e4: Option<i128>,
}

/// One simulated shopper.
#[derive(Clone, Debug)]
pub(crate) struct Shopper {
    /// Id, from 1.
    pub(crate) user_id: u64,
    /// Which of the crowd's kinds.
    pub(crate) kind: usize,
    /// Arrival, days relative to day 0.
    arrived: f64,
    /// By day, the first on arrival.
    pub(crate) visits: Vec<Visit>,
}

/// Draws shoppers who arrived before day 0, with their visits until `last_day`.
pub(crate) struct Crowd {
    kinds: &'static [Kind],
    rng: StdRng,
    next_id: u64,
    last_day: f64,
}

impl Crowd {
    /// The same seed draws the same shoppers.
    pub(crate) fn new(kinds: &'static [Kind], seed: u64, last_day: f64) -> Self {
        Self { kinds, rng: StdRng::seed_from_u64(seed), next_id: 1, last_day }
    }

    fn visit(kind: &Kind, rates: Rates, day: f64, rng: &mut StdRng) -> Visit {
        let poisson = |mean: f64, rng: &mut StdRng| {
            let drawn: f64 = Poisson::new(mean).expect("a positive mean").sample(rng);
            drawn as u64
        };
        let is_order = rng.random_bool(rates.order_chance);
        let value = LogNormal::new(0.0, ORDER_DEVIATION).expect("a positive deviation").sample(rng);
        Visit {
            day,
            views: 1 + poisson(kind.views, rng),
            carts: if is_order { 1 } else { poisson(kind.carts, rng) },
            order_e4: is_order.then_some((TYPICAL_ORDER_E4 * kind.order_value * value) as i128),
        }
    }
}

impl Iterator for Crowd {
    type Item = Shopper;

    fn next(&mut self) -> Option<Shopper> {
        let rng = &mut self.rng;
        let mut ticket: f64 = rng.random();
        let at = self.kinds.iter().position(|kind| {
            ticket -= kind.share;
            ticket < 0.0
        });
        let at = at.unwrap_or(self.kinds.len() - 1);
        let kind = &self.kinds[at];
        let rates = kind.draw(rng);
        let arrived = -rng.random_range(kind.arrives.1..kind.arrives.0);
        let left = match kind.leaves {
            Leaves::After(_) => arrived + Exp::new(rates.leaves_per_day).expect("a positive rate").sample(rng),
            Leaves::Ago(from, to) => f64::max(arrived, -rng.random_range(to..from)),
        };
        let gap = Exp::new(rates.visits_per_day).expect("a positive rate");
        let mut visits = Vec::new();
        let mut day = arrived;
        while day <= left.min(self.last_day) {
            visits.push(Self::visit(kind, rates, day, rng));
            day += gap.sample(rng);
        }
        self.next_id += 1;
        Some(Shopper { user_id: self.next_id - 1, kind: at, arrived, visits })
    }
}

/// Day 0 is `now`, unix seconds.
pub(crate) fn unix_s(now: u32, day: f64) -> u32 {
    (f64::from(now) + day * f64::from(DAY_S)) as u32
}

impl Shopper {
    /// What the service would read up to `cutoff_day`, with the orders of the `next_days` after it; day 0 is `now`, unix seconds.
    /// `None` if nothing happened in the window.
    pub(crate) fn activity(&self, now: u32, cutoff_day: f64, next_days: f64) -> Option<Activity> {
        let mut activity = Activity { user_id: self.user_id, ..Activity::default() };
        let mut revenue_e4 = 0;
        for visit in &self.visits {
            let age = cutoff_day - visit.day;
            let at = unix_s(now, visit.day);
            if age <= 0.0 {
                activity.next_orders += u64::from(visit.order_e4.is_some() && -age <= next_days);
                continue;
            }
            if age > f64::from(WINDOW_DAYS) {
                continue;
            }
            let recent = u64::from(age <= f64::from(RECENT_DAYS));
            if activity.first_seen == 0 {
                activity.first_seen = at;
            }
            activity.last_seen = at;
            activity.sessions += 1;
            activity.recent_sessions += recent;
            activity.views += visit.views;
            activity.recent_views += recent * visit.views;
            activity.products += visit.views / 2;
            activity.carts += visit.carts;
            activity.recent_carts += recent * visit.carts;
            if visit.carts > 0 {
                activity.last_cart = at;
            }
            if let Some(order_e4) = visit.order_e4 {
                if activity.first_order == 0 {
                    activity.first_order = at;
                }
                activity.last_order = at;
                activity.orders += 1;
                activity.recent_orders += recent;
                revenue_e4 += order_e4;
            }
        }
        if activity.orders > 0 {
            activity.net_revenue_e4 = vec![("EUR".to_owned(), revenue_e4)];
        }
        (activity.first_seen > 0).then_some(activity)
    }
}

/// What a training on `day` reads of `crowd`; day 0 is `now`, unix seconds. Shoppers are looked at one by one.
pub(crate) fn history<S: Borrow<Shopper>>(crowd: impl IntoIterator<Item = S>, now: u32, day: f64) -> History {
    let horizon = f64::from(HORIZON_DAYS);
    let units = Units::new([("EUR".to_owned(), TYPICAL_ORDER_E4 / 10_000.0)]);
    let window = |back: u8| Window { cutoff: unix_s(now, day - horizon * f64::from(back)), samples: Vec::new() };
    let mut windows = [0, 1, 2, 3].map(window);
    for shopper in crowd {
        for (back, window) in (0_u8..).zip(&mut windows) {
            let next_days = if back == 0 { 0.0 } else { horizon };
            let activity = shopper.borrow().activity(now, day - horizon * f64::from(back), next_days);
            window.samples.extend(activity.map(|activity| Sample::of(&activity, &units, window.cutoff)));
        }
    }
    let [now, first, second, third] = windows;
    History { now, past: vec![first, second, third], units }
}

/// Predicts for [`LIFELONG`] shoppers as well as anybody can: by Bayes' rule from the true distributions and the whole history.
pub(crate) struct Oracle {
    /// Per kind: rates drawn from its distributions.
    draws: Vec<Vec<Rates>>,
}

impl Oracle {
    /// Draws the rates to average over.
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        Self { draws: LIFELONG.iter().map(|kind| (0..DRAWS).map(|_| kind.draw(&mut rng)).collect()).collect() }
    }

    /// The chance of an order in the `next_days` after day 0.
    pub(crate) fn chance(&self, shopper: &Shopper, next_days: f64) -> f64 {
        let past: Vec<&Visit> = shopper.visits.iter().filter(|visit| visit.day <= 0.0).collect();
        let mut weighted: Vec<(f64, f64)> = Vec::with_capacity(LIFELONG.len() * DRAWS);
        for (kind, draws) in LIFELONG.iter().zip(&self.draws) {
            let of_kind = kind.share.ln() + past.iter().map(|visit| kind.log_likelihood(visit)).sum::<f64>();
            weighted.extend(draws.iter().map(|rates| {
                let (log_likelihood, chance) = rates.judge(shopper, &past, next_days);
                (of_kind + log_likelihood, chance)
            }));
        }
        let highest = weighted.iter().map(|draw| draw.0).fold(f64::NEG_INFINITY, f64::max);
        let (mut sum, mut chance) = (0.0, 0.0);
        for (log_likelihood, draw_chance) in weighted {
            let weight = (log_likelihood - highest).exp();
            sum += weight;
            chance += weight * draw_chance;
        }
        chance / sum
    }
}

impl Rates {
    /// The log-likelihood of the visits and orders so far, and the chance of an order in the `next_days`.
    fn judge(&self, shopper: &Shopper, past: &[&Visit], next_days: f64) -> (f64, f64) {
        let last = past.last().map_or(shopper.arrived, |visit| visit.day);
        let (age, recency) = (-shopper.arrived, last - shopper.arrived);
        let ending = self.visits_per_day + self.leaves_per_day;
        // No visit since the last: still there, or gone some time since.
        let there = (-ending * age).exp();
        let gone = self.leaves_per_day / ending * ((-ending * recency).exp() - there);
        let silence = (there + gone).max(f64::MIN_POSITIVE);
        let visits = past.len() as f64;
        let orders = past.iter().filter(|visit| visit.order_e4.is_some()).count() as f64;
        let log_likelihood = (visits - 1.0) * self.visits_per_day.ln()
            + silence.ln()
            + orders * self.order_chance.ln()
            + (visits - orders) * (1.0 - self.order_chance).ln();
        let order_rate = self.visits_per_day * self.order_chance;
        let until = order_rate + self.leaves_per_day;
        let buys = order_rate / until * (1.0 - (-until * next_days).exp());
        (log_likelihood, buys * there / silence)
    }
}

impl Kind {
    /// What the views, the cart and the order's value of one visit say about the kind, up to what is the same for all.
    fn log_likelihood(&self, visit: &Visit) -> f64 {
        let poisson = |count: u64, mean: f64| count as f64 * mean.ln() - mean;
        let basket = match visit.order_e4 {
            Some(order_e4) => {
                let deviation = (order_e4 as f64 / TYPICAL_ORDER_E4 / self.order_value).ln() / ORDER_DEVIATION;
                -0.5 * deviation * deviation
            }
            None => poisson(visit.carts, self.carts),
        };
        basket + poisson(visit.views - 1, self.views)
    }
}
