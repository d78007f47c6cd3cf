//! The two kinds of users that are modelled apart: those who bought, and those who only looked.
//!
//! In scope: who belongs where, which features each part uses.
//! Out of scope: the models.
//!
//! They are apart because half of the features (order recency, value) mean nothing without an order: in one mixture the zeros of
//! the visitors would be a spike that every component is drawn to.

use serde::{Deserialize, Serialize};

use super::feature::Feature::{
    self, CartRecency, Carts, OrderAge, OrderRecency, OrderValue, Orders, Products, RecentCarts, RecentOrders,
    RecentSessions, RecentViews, Sessions, Tenure, Views, VisitRecency,
};
use crate::segment::activity::Activity;

/// One kind of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Population {
    /// At least one order in the window.
    Buyers,
    /// None.
    Visitors,
}

impl Population {
    /// Where a user belongs.
    pub fn of(activity: &Activity) -> Self {
        if activity.orders > 0 { Self::Buyers } else { Self::Visitors }
    }

    /// What segments are told apart by: recency, frequency, monetary value and engagement, as far as there are any.
    pub fn segment_features(self) -> &'static [Feature] {
        match self {
            Self::Buyers => &[OrderRecency, Orders, OrderValue, VisitRecency, Tenure, Sessions],
            Self::Visitors => &[VisitRecency, Tenure, Sessions, Views, Carts, Products],
        }
    }

    /// What the score looks at.
    #[rustfmt::skip]
    pub fn score_features(self) -> &'static [Feature] {
        match self {
            Self::Buyers => &[
                OrderRecency, OrderAge, Orders, RecentOrders, OrderValue, VisitRecency, Tenure, Sessions, RecentSessions, RecentViews, RecentCarts,
            ],
            Self::Visitors => &[
                VisitRecency, Tenure, Sessions, RecentSessions, Views, RecentViews, CartRecency, Carts, RecentCarts, Products,
            ],
        }
    }
}
