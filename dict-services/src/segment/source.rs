//! Reading activity from the regional ClickHouse servers.
//!
//! In scope: the queries, and merging the regions' users as they stream in.
//! Out of scope: schedule and placements.
//!
//! Every region must answer. If one were left out, its users would look gone and be served as deleted.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clickhouse::query::{Query, RowCursor};
use clickhouse::{Client, Row};
use serde::Deserialize;

use super::activity::{Activity, DAY_S, RECENT_DAYS, WINDOW_DAYS, take_lowest};
use crate::entries::Defect;

/// ClickHouse aggregates on disk beyond this, and sorts on disk.
const MAX_MEMORY_BYTES: u64 = 2_000_000_000;
/// A query that takes longer has hung: 10 million users take minutes on a small server.
const MAX_QUERY_S: u64 = 900;
/// Denominator of a share of the users.
const SHARE_PPM: u64 = 1_000_000;

/// Sorted by user, so that regions merge without holding either in memory. Distinct orders, because an event can arrive twice.
/// The `item` rows of a purchase are not read: the purchase row carries the order's revenue.
const ACTIVITY: &str = "
WITH
    timestamp < toDateTime64({cutoff}, 3, 'UTC') AS is_past,
    is_past AND timestamp >= toDateTime64({recent}, 3, 'UTC') AS is_recent,
    event_type = 'purchase' AS is_purchase,
    event_type = 'add_to_cart' AS is_cart,
    event_type IN ('page_view', 'product_view') AS is_view
SELECT
    user_id,
    toUInt32(toUnixTimestamp(minIf(timestamp, is_past))) AS first_seen,
    toUInt32(toUnixTimestamp(maxIf(timestamp, is_past))) AS last_seen,
    toUInt32(toUnixTimestamp(minIf(timestamp, is_past AND is_purchase))) AS first_order,
    toUInt32(toUnixTimestamp(maxIf(timestamp, is_past AND is_purchase))) AS last_order,
    toUInt32(toUnixTimestamp(maxIf(timestamp, is_past AND is_cart))) AS last_cart,
    uniqExactIf(order_id, is_past AND is_purchase) AS orders,
    uniqExactIf(order_id, is_recent AND is_purchase) AS recent_orders,
    CAST(
        sumMapIf(map(currency, if(is_purchase, revenue, -abs(revenue))), is_past AND event_type IN ('purchase', 'refund')),
        'Map(String, Decimal(38, 4))'
    ) AS net_revenue_e4,
    uniqIf(session_id, is_past) AS sessions,
    uniqIf(session_id, is_recent) AS recent_sessions,
    countIf(is_past AND is_view) AS views,
    countIf(is_recent AND is_view) AS recent_views,
    countIf(is_past AND is_cart) AS carts,
    countIf(is_recent AND is_cart) AS recent_carts,
    uniqIf(assumeNotNull(product_id), is_past AND product_id IS NOT NULL) AS products,
    uniqExactIf(order_id, NOT is_past AND is_purchase) AS next_orders
FROM ecommerce.events
WHERE is_bot = 0 AND user_id != 0
    AND timestamp >= toDateTime64({since}, 3, 'UTC') AND timestamp < toDateTime64({until}, 3, 'UTC')
";
const BY_USER: &str = "
GROUP BY user_id
HAVING first_seen > 0
ORDER BY user_id";

/// How many users there are, since when, and what a typical order is worth.
const SURVEY: &str = "
SELECT
    uniq(user_id) AS users,
    toUInt32(toUnixTimestamp(min(timestamp))) AS first_event,
    CAST(sumMapIf(map(currency, log(toFloat64(revenue))), event_type = 'purchase' AND revenue > 0), 'Map(String, Float64)') AS log_worth,
    CAST(sumMapIf(map(currency, toUInt64(1)), event_type = 'purchase' AND revenue > 0), 'Map(String, UInt64)') AS purchases
FROM ecommerce.events
WHERE is_bot = 0 AND user_id != 0
    AND timestamp >= toDateTime64({since}, 3, 'UTC') AND timestamp < toDateTime64({until}, 3, 'UTC')
";

/// Why activity could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The query failed or the connection broke.
    #[error("clickhouse {region}: {source}")]
    ClickHouse {
        /// URL of the server.
        region: String,
        /// Why.
        source: clickhouse::error::Error,
    },
    /// A row that cannot be used.
    #[error(transparent)]
    Row(#[from] Defect),
}

/// Which users are read, and up to when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Activity counts before this, unix seconds.
    pub cutoff: u32,
    /// Purchases of this many days after the cutoff are [`Activity::next_orders`].
    pub next_days: u32,
    /// Whose.
    pub users: Users,
}

/// Whose activity is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Users {
    /// Everybody's.
    All,
    /// A share, in parts per million, always the same users.
    Sample(u64),
    /// One user's.
    One(u64),
}

impl Users {
    /// About `wanted` of `all`.
    pub fn about(wanted: u64, all: u64) -> Self {
        if all <= wanted { Self::All } else { Self::Sample(SHARE_PPM.saturating_mul(wanted) / all) }
    }
}

impl Span {
    /// Everybody, up to `now`.
    pub fn until(now: u32) -> Self {
        Self { cutoff: now, next_days: 0, users: Users::All }
    }

    fn query(&self, template: &str) -> String {
        let since = self.cutoff.saturating_sub(WINDOW_DAYS * DAY_S);
        let recent = self.cutoff.saturating_sub(RECENT_DAYS * DAY_S);
        let until = self.cutoff.saturating_add(self.next_days.saturating_mul(DAY_S));
        let mut query = template
            .replace("{cutoff}", &self.cutoff.to_string())
            .replace("{recent}", &recent.to_string())
            .replace("{since}", &since.to_string())
            .replace("{until}", &until.to_string());
        match self.users {
            Users::All => Ok(()),
            Users::Sample(ppm) => write!(query, " AND cityHash64(user_id) % {SHARE_PPM} < {ppm}"),
            Users::One(user_id) => write!(query, " AND user_id = {user_id}"),
        }
        .expect("writing to a String cannot fail");
        query
    }
}

/// What there is to learn from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    /// Users with events in the window; a user of two regions counts twice.
    pub users: u64,
    /// First event in the window, unix seconds, 0 without any.
    pub first_event: u32,
    /// Geometric mean of the purchases by currency.
    pub typical_orders: BTreeMap<String, f64>,
}

#[derive(Row, Deserialize)]
struct SurveyRow {
    users: u64,
    first_event: u32,
    log_worth: Vec<(String, f64)>,
    purchases: Vec<(String, u64)>,
}

#[derive(Row, Deserialize)]
struct ActivityRow {
    user_id: u64,
    first_seen: u32,
    last_seen: u32,
    first_order: u32,
    last_order: u32,
    last_cart: u32,
    orders: u64,
    recent_orders: u64,
    net_revenue_e4: Vec<(String, i128)>,
    sessions: u64,
    recent_sessions: u64,
    views: u64,
    recent_views: u64,
    carts: u64,
    recent_carts: u64,
    products: u64,
    next_orders: u64,
}

/// The servers to read from, one per region.
#[derive(Clone)]
pub struct Source {
    regions: Vec<(String, Client)>,
    site: Option<String>,
}

impl Source {
    /// Reads from `urls` as `user`; only the events of `site`, if one is given.
    pub fn new(urls: &[String], user: &str, password: &str, site: Option<String>) -> Self {
        let client = |url: &String| {
            let client = Client::default()
                .with_url(url)
                .with_user(user)
                .with_password(password)
                .with_setting("max_bytes_before_external_group_by", MAX_MEMORY_BYTES.to_string())
                .with_setting("max_bytes_before_external_sort", MAX_MEMORY_BYTES.to_string())
                .with_setting("max_execution_time", MAX_QUERY_S.to_string());
            (url.clone(), client)
        };
        Self { regions: urls.iter().map(client).collect(), site }
    }

    /// Calls `each` for every user of `span`, ascending, added up over the regions.
    pub async fn read(
        &self,
        span: Span,
        mut each: impl FnMut(&Activity) -> Result<(), Defect> + Send,
    ) -> Result<(), SourceError> {
        let mut streams = Vec::with_capacity(self.regions.len());
        for (region, client) in &self.regions {
            let cursor = self.bind(client, &span.query(ACTIVITY), BY_USER).fetch();
            let cursor = cursor.map_err(|source| SourceError::ClickHouse { region: region.clone(), source })?;
            streams.push(Stream { region, cursor: Some(cursor) });
        }
        let mut heads = vec![None; streams.len()];
        loop {
            for (stream, head) in streams.iter_mut().zip(&mut heads) {
                if head.is_none() {
                    *head = stream.next().await?;
                }
            }
            let Some(activity) = take_lowest(&mut heads) else {
                return Ok(());
            };
            each(&activity)?;
        }
    }

    /// Looks at what there is in the window before `cutoff`, unix seconds.
    pub async fn survey(&self, cutoff: u32) -> Result<Survey, SourceError> {
        let mut survey = Survey::default();
        let mut orders: BTreeMap<String, (f64, u64)> = BTreeMap::new();
        for (region, client) in &self.regions {
            let row: SurveyRow = self
                .bind(client, &Span::until(cutoff).query(SURVEY), "")
                .fetch_one()
                .await
                .map_err(|source| SourceError::ClickHouse { region: region.clone(), source })?;
            survey.users = survey.users.saturating_add(row.users);
            if row.first_event > 0 && (survey.first_event == 0 || row.first_event < survey.first_event) {
                survey.first_event = row.first_event;
            }
            for (currency, log_worth) in row.log_worth {
                orders.entry(currency).or_default().0 += log_worth;
            }
            for (currency, purchases) in row.purchases {
                orders.entry(currency).or_default().1 += purchases;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "numbers of orders are far below 2^53")]
        let typical = |(log_worth, purchases): (f64, u64)| (log_worth / purchases.max(1) as f64).exp();
        survey.typical_orders = orders.into_iter().map(|(currency, sums)| (currency, typical(sums))).collect();
        Ok(survey)
    }

    fn bind(&self, client: &Client, conditions: &str, rest: &str) -> Query {
        match &self.site {
            Some(site) => client.query(&format!("{conditions} AND site_id = ?{rest}")).bind(site),
            None => client.query(&format!("{conditions}{rest}")),
        }
    }
}

/// One region's users, ascending.
struct Stream<'a> {
    region: &'a str,
    /// `None` after the end.
    cursor: Option<RowCursor<ActivityRow>>,
}

impl Stream<'_> {
    async fn next(&mut self) -> Result<Option<Activity>, SourceError> {
        let Some(cursor) = &mut self.cursor else {
            return Ok(None);
        };
        let row =
            cursor.next().await.map_err(|source| SourceError::ClickHouse { region: self.region.to_owned(), source })?;
        if row.is_none() {
            self.cursor = None;
        }
        Ok(row.map(Activity::from))
    }
}

impl From<ActivityRow> for Activity {
    fn from(row: ActivityRow) -> Self {
        Self {
            user_id: row.user_id,
            first_seen: row.first_seen,
            last_seen: row.last_seen,
            first_order: row.first_order,
            last_order: row.last_order,
            last_cart: row.last_cart,
            orders: row.orders,
            recent_orders: row.recent_orders,
            net_revenue_e4: row.net_revenue_e4,
            sessions: row.sessions,
            recent_sessions: row.recent_sessions,
            views: row.views,
            recent_views: row.recent_views,
            carts: row.carts,
            recent_carts: row.recent_carts,
            products: row.products,
            next_orders: row.next_orders,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ACTIVITY, Span, Users};

    #[test]
    fn a_query_says_which_users_and_when() {
        let span = Span { cutoff: 100 * 86_400, next_days: 30, users: Users::Sample(5_000) };
        let query = span.query(ACTIVITY);
        for expected in
            ["toDateTime64(8640000, 3", "toDateTime64(6048000, 3", "toDateTime64(11232000, 3", "% 1000000 < 5000"]
        {
            assert!(query.contains(expected), "{expected} in {query}");
        }
        assert!(!query.contains('{') && !query.contains('?'), "{query}");
        assert!(Span { users: Users::One(7), ..span }.query(ACTIVITY).ends_with(" AND user_id = 7"));
    }

    #[test]
    fn a_sample_is_about_as_large_as_wanted() {
        assert_eq!(Users::about(200_000, 2_000_000), Users::Sample(100_000));
        assert_eq!(Users::about(200_000, 200_000), Users::All);
        assert_eq!(Users::about(200_000, 0), Users::All);
    }
}
