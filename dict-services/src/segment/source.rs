//! Reading activity from the regional ClickHouse servers.
//!
//! In scope: the query, and merging the regions' users as they stream in.
//! Out of scope: schedule and verdicts.
//!
//! Every region must answer. If one were left out, its users would look gone and be served as deleted.

use std::fmt::Write as _;

use clickhouse::{Client, Row, query::RowCursor};
use serde::Deserialize;

use super::{
    activity::{Activity, take_lowest},
    rule::WINDOW_DAYS,
};
use crate::entries::Defect;

const DAY_S: u32 = 24 * 60 * 60;

/// Sorted by user, so that regions merge without holding either in memory. Distinct orders, because an event can arrive twice.
/// The `item` rows of a purchase are not read: the purchase row carries the order's revenue.
const ACTIVITY: &str = "
SELECT
    user_id,
    toUInt32(toUnixTimestamp(max(timestamp))) AS last_seen,
    toUInt32(toUnixTimestamp(maxIf(timestamp, event_type = 'purchase'))) AS last_order,
    toUInt32(toUnixTimestamp(maxIf(timestamp, event_type = 'add_to_cart'))) AS last_cart,
    uniqExactIf(order_id, event_type = 'purchase') AS orders,
    CAST(
        sumMapIf(map(currency, if(event_type = 'purchase', revenue, -abs(revenue))), event_type IN ('purchase', 'refund')),
        'Map(String, Decimal(38, 4))'
    ) AS net_revenue_e4,
    uniq(session_id) AS sessions
FROM ecommerce.events
WHERE is_bot = 0 AND user_id != 0";

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

#[derive(Row, Deserialize)]
struct ActivityRow {
    user_id: u64,
    last_seen: u32,
    last_order: u32,
    last_cart: u32,
    orders: u64,
    net_revenue_e4: Vec<(String, i128)>,
    sessions: u64,
}

/// The servers to read from, one per region.
pub struct Source {
    regions: Vec<(String, Client)>,
    site: Option<String>,
}

impl Source {
    /// Reads from `urls` as `user`; only the events of `site`, if one is given.
    pub fn new(urls: &[String], user: &str, password: &str, site: Option<String>) -> Self {
        let client = |url: &String| {
            let client = Client::default().with_url(url).with_user(user).with_password(password);
            (url.clone(), client)
        };
        Self { regions: urls.iter().map(client).collect(), site }
    }

    /// Calls `each` for every user, ascending, added up over the regions.
    pub async fn read(
        &self,
        now: u32,
        mut each: impl FnMut(&Activity) -> Result<(), Defect> + Send,
    ) -> Result<(), SourceError> {
        let query = activity_query(now, self.site.is_some());
        let mut streams = Vec::with_capacity(self.regions.len());
        for (region, client) in &self.regions {
            let bound = self.site.iter().fold(client.query(&query), clickhouse::query::Query::bind);
            let cursor = bound.fetch().map_err(|source| SourceError::ClickHouse { region: region.clone(), source })?;
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
}

fn activity_query(now: u32, has_site: bool) -> String {
    let since = now.saturating_sub(WINDOW_DAYS * DAY_S);
    let mut query = ACTIVITY.to_owned();
    if has_site {
        query.push_str(" AND site_id = ?");
    }
    write!(query, " AND timestamp >= toDateTime64({since}, 3, 'UTC')\nGROUP BY user_id\nORDER BY user_id")
        .expect("writing to a String cannot fail");
    query
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
        Ok(row.map(|row| Activity {
            user_id: row.user_id,
            last_seen: row.last_seen,
            last_order: row.last_order,
            last_cart: row.last_cart,
            orders: row.orders,
            net_revenue_e4: row.net_revenue_e4,
            sessions: row.sessions,
        }))
    }
}
