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

/// A purchase with another verdict.
#[derive(Clone, Debug)]
pub(super) struct Purchase {
    pub(super) order_id: String,
    pub(super) verdict: Override,
}

/// An item and the verdict that stands.
#[derive(Debug, Deserialize)]
struct Item {
    event_id: String,
    is_bot: u8,
}

/// The verdicts of the items of some purchases, of those that have another one. An item's time and order are its purchase's, its id follows from
/// the purchase's id.
pub(super) fn find(connection: &Connection, purchases: &[Purchase]) -> Result<Vec<Override>, ReclassifyError> {
    if purchases.is_empty() {
        return Ok(Vec::new());
    }
    let mut owners = HashMap::new();
    for purchase in purchases {
        if let Ok(id) = Uuid::parse_str(&purchase.verdict.event_id) {
            owners.extend((0..MAX_ITEMS).map(|index| (item_id(id, index).to_string(), purchase)));
        }
    }
    let keys: Vec<_> = purchases.iter().map(key).collect();
    let sql = format!(
        "SELECT toString(e.event_id), if(v.is_judged, v.is_bot, e.is_bot) FROM {WITH_VERDICT} \
         WHERE e.event_type = '{ITEM_EVENT_TYPE}' AND (e.site_id, toString(e.timestamp), e.order_id) IN ({}) \
         AND e.site_id IN ({}) AND e.timestamp >= toDateTime64('{}', 3, 'UTC') AND e.timestamp <= toDateTime64('{}', 3, 'UTC') \
         FORMAT JSONCompactEachRow",
        keys.join(","),
        sites(purchases),
        purchases.iter().map(|purchase| &*purchase.verdict.timestamp).min().unwrap_or_default(),
        purchases.iter().map(|purchase| &*purchase.verdict.timestamp).max().unwrap_or_default(),
    );
    let mut verdicts = Vec::new();
    for line in connection.execute(&sql)?.lines() {
        let item: Item = parse(line)?;
        if let Some(purchase) =
            owners.get(&item.event_id).filter(|purchase| purchase.verdict.is_bot() != (item.is_bot != 0))
        {
            verdicts.push(purchase.verdict.of_item(item.event_id));
        }
    }
    Ok(verdicts)
}

fn key(purchase: &Purchase) -> String {
    let Purchase { order_id, verdict } = purchase;
    let order_id = order_id.replace('\\', r"\\").replace('\'', r"\'");
    format!("('{}','{}','{order_id}')", verdict.site_id, verdict.timestamp)
}

fn sites(purchases: &[Purchase]) -> String {
    let mut sites: Vec<_> = purchases.iter().map(|purchase| format!("'{}'", purchase.verdict.site_id)).collect();
    sites.sort();
    sites.dedup();
    sites.join(",")
}
