//! Items of purchases. In scope: finding the rows of a purchase's items, which have its verdict.

use std::collections::HashMap;

use collector_core::enrich::item_id;
use collector_core::item::ITEM_EVENT_TYPE;
use collector_core::item::MAX_ITEMS;
use serde::Deserialize;
use uuid::Uuid;

use super::ReclassifyError;
use super::run::Override;
use super::source::{WITH_VERDICT, parse};
use crate::connection::Connection;

/// Purchases whose items are looked for together: their items are one reply, read at once.
const MAX_PURCHASES: usize = 500;
/// Bytes of what finds them: an order's id may be long, and ClickHouse reads 256 KiB of a statement (`max_query_size`). The list of sites is
/// shorter than theirs, so both fit.
const MAX_KEY_BYTES: usize = 100_000;

/// Purchases with another verdict, whose items have not been looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Purchases {
    verdicts: Vec<Override>,
    /// What finds the items of each, in SQL.
    keys: Vec<String>,
    key_bytes: usize,
}

impl Purchases {
    pub(super) fn push(&mut self, order_id: &str, verdict: Override) {
        let order_id = order_id.replace('\\', r"\\").replace('\'', r"\'");
        let key = format!("('{}','{}','{order_id}')", verdict.site_id, verdict.timestamp);
        self.key_bytes += key.len();
        self.keys.push(key);
        self.verdicts.push(verdict);
    }

    /// Whether it is time to look for the items.
    pub(super) fn is_full(&self) -> bool {
        self.verdicts.len() >= MAX_PURCHASES || self.key_bytes >= MAX_KEY_BYTES
    }
}

/// An item and the verdict that stands.
#[derive(Debug, Deserialize)]
struct Item {
    event_id: String,
    is_bot: u8,
}

/// The verdicts of the items of some purchases, of those that have another one. An item's time and order are its purchase's, its id follows from
/// the purchase's id.
pub(super) fn find(connection: &Connection, purchases: &Purchases) -> Result<Vec<Override>, ReclassifyError> {
    if purchases.verdicts.is_empty() {
        return Ok(Vec::new());
    }
    let mut owners = HashMap::new();
    for verdict in &purchases.verdicts {
        if let Ok(id) = Uuid::parse_str(&verdict.event_id) {
            owners.extend((0..MAX_ITEMS).map(|index| (item_id(id, index).to_string(), verdict)));
        }
    }
    let mut found = Vec::new();
    for line in connection.execute(&sql(purchases))?.lines() {
        let item: Item = parse(line)?;
        if let Some(verdict) = owners.get(&item.event_id).filter(|verdict| verdict.is_bot() != (item.is_bot != 0)) {
            found.push(verdict.of_item(item.event_id));
        }
    }
    Ok(found)
}

fn sql(Purchases { verdicts, keys, .. }: &Purchases) -> String {
    let times = || verdicts.iter().map(|verdict| verdict.timestamp.as_str());
    format!(
        "SELECT toString(e.event_id), if(v.is_judged, v.is_bot, e.is_bot) FROM {WITH_VERDICT} \
         WHERE e.event_type = '{ITEM_EVENT_TYPE}' AND (e.site_id, toString(e.timestamp), e.order_id) IN ({}) \
         AND e.site_id IN ({}) AND e.timestamp >= toDateTime64('{}', 3, 'UTC') AND e.timestamp <= toDateTime64('{}', 3, 'UTC') \
         FORMAT JSONCompactEachRow",
        keys.join(","),
        sites(verdicts),
        times().min().unwrap_or_default(),
        times().max().unwrap_or_default(),
    )
}

fn sites(verdicts: &[Override]) -> String {
    let mut sites: Vec<_> = verdicts.iter().map(|verdict| format!("'{}'", verdict.site_id)).collect();
    sites.sort();
    sites.dedup();
    sites.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ClickHouse's default of `max_query_size`.
    const MAX_STATEMENT_BYTES: usize = 262_144;

    #[test]
    fn a_statement_stays_short_whatever_orders_are_called() {
        for (order_id, count) in [("7".to_owned(), MAX_PURCHASES), ("'".repeat(1_024), 47)] {
            let mut purchases = Purchases::default();
            for site in 0.. {
                if purchases.is_full() {
                    break;
                }
                purchases.push(&order_id, Override::of(&format!("{site:064}"), "2026-11-20 10:00:00.000"));
            }
            assert_eq!(purchases.verdicts.len(), count);
            assert!(sql(&purchases).len() < MAX_STATEMENT_BYTES, "{}", sql(&purchases).len());
        }
    }

    #[test]
    fn an_order_cannot_end_its_quote() {
        let mut purchases = Purchases::default();
        purchases.push(r"o'1\", Override::of("a", "t"));
        purchases.push("2", Override::of("b", "t"));
        assert_eq!(purchases.keys, [r"('a','t','o\'1\\')", "('b','t','2')"]);
    }
}
