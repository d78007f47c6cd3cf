//! A row as ClickHouse gives it back.
//!
//! In scope: the columns that a judgement needs, in the order in which they are asked for. Out of scope: asking for them.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use serde::Deserialize;
use uuid::Uuid;

use crate::filter::Verdict;
use crate::money::Money;
use crate::number::Number;
use crate::property::Properties;
use crate::row::{Row, Time};

/// Declares the row: one line per column gives the field and its place in `COLUMNS`, so that they cannot differ.
macro_rules! stored_row {
    ($($(#[$doc:meta])* $column:ident: $type:ty,)+) => {
        /// A row of `ecommerce.events`; fields are named as the columns. Read from an array of the values of `COLUMNS`, numbers bare, decimals as text.
        #[derive(Clone, Debug, PartialEq, Deserialize)]
        pub struct StoredRow { $($(#[$doc])* pub $column: $type,)+ }

        /// The columns of a stored row, in order.
        pub const COLUMNS: &[&str] = &[$(stringify!($column),)+];
    };
}

stored_row! {
    /// The event's id, as text.
    event_id: String,
    /// The site.
    site_id: String,
    /// `YYYY-MM-DD hh:mm:ss.mmm`, UTC.
    timestamp: String,
    /// What happened.
    event_type: String,
    /// Edge clock minus client clock, in milliseconds.
    skew_ms: i32,
    /// The signed-in user; 0 is nobody.
    user_id: u64,
    /// The session.
    session_id: String,
    /// Number of the event within the page.
    seq: u32,
    /// The page.
    page_url: String,
    /// Path of the page.
    page_path: String,
    /// Title of the page.
    page_title: String,
    /// The page before.
    referrer: String,
    /// Host of the page before, if it is another site.
    referrer_host: String,
    /// Marketing channel.
    channel: String,
    /// `utm_source`
    utm_source: String,
    /// `utm_medium`
    utm_medium: String,
    /// `utm_campaign`
    utm_campaign: String,
    /// `utm_term`
    utm_term: String,
    /// `utm_content`
    utm_content: String,
    /// Country, upper-case alpha-2.
    country: String,
    /// Region within the country, by its name.
    region: String,
    /// City, by its name.
    city: String,
    /// Number of the network; 0 is unknown.
    asn: u32,
    /// Time zone.
    timezone: String,
    /// Language.
    language: String,
    /// Kind of device.
    device_type: String,
    /// Browser family.
    browser: String,
    /// Operating system family.
    os: String,
    /// Version of the browser.
    browser_version: String,
    /// Version of the operating system.
    os_version: String,
    /// Brand of the device.
    device_brand: String,
    /// Model of the device.
    device_model: String,
    /// Width of the screen, in pixels.
    screen_width: u16,
    /// Height of the screen, in pixels.
    screen_height: u16,
    /// The product.
    product_id: Option<u64>,
    /// The order.
    order_id: String,
    /// How many.
    quantity: u32,
    /// How much money, in units of `currency`, as text with up to four decimals.
    revenue: String,
    /// Three upper-case letters, as in ISO 4217.
    currency: String,
    /// Milliseconds in which the page was looked at.
    engaged_ms: u32,
    /// Depth of scrolling, in percent.
    scroll_pct: u8,
    /// What has no column of its own.
    properties: BTreeMap<String, String>,
    /// The evidence that the edge found.
    bot_signals: Vec<String>,
    /// The address, as far as it was stored.
    ip_address: Ipv6Addr,
    /// The user agent; empty if it was not stored.
    user_agent: String,
    /// The region that stored the row.
    collector_region: String,
    /// Data centre of the edge, three letters.
    colo: String,
    /// Name and version of the tracker.
    tracker: String,
}

impl StoredRow {
    /// The amount of money; none if the column says what no amount is.
    pub fn money(&self) -> Money {
        Number::parse(&self.revenue).and_then(Money::from_number).unwrap_or_default()
    }

    /// The row as rules see it. Ids and times say nothing about who sent an event, so no rule can ask for them.
    pub(super) fn as_row<'r>(
        &'r self,
        properties: &'r Properties<'r>,
        verdict: &'r Verdict,
        device_type: &'r str,
    ) -> Row<'r> {
        Row {
            event_id: Uuid::nil(),
            site_id: &self.site_id,
            event_type: &self.event_type,
            timestamp: Time(0),
            received_at: Time(0),
            skew_ms: self.skew_ms,
            visitor_id: 0,
            user_id: self.user_id,
            session_id: (&self.session_id).into(),
            page_id: "",
            seq: self.seq,
            page_url: &self.page_url,
            page_path: &self.page_path,
            page_title: (&self.page_title).into(),
            referrer: &self.referrer,
            referrer_host: (&self.referrer_host).into(),
            channel: &self.channel,
            utm_source: (&self.utm_source).into(),
            utm_medium: (&self.utm_medium).into(),
            utm_campaign: (&self.utm_campaign).into(),
            utm_term: (&self.utm_term).into(),
            utm_content: (&self.utm_content).into(),
            country: (&self.country).into(),
            region: &self.region,
            city: &self.city,
            asn: self.asn,
            timezone: &self.timezone,
            language: &self.language,
            device_type,
            browser: &self.browser,
            os: &self.os,
            browser_version: &self.browser_version,
            os_version: &self.os_version,
            device_brand: &self.device_brand,
            device_model: &self.device_model,
            screen_width: self.screen_width,
            screen_height: self.screen_height,
            product_id: self.product_id,
            order_id: &self.order_id,
            quantity: self.quantity,
            revenue: self.money(),
            currency: &self.currency,
            engaged_ms: self.engaged_ms,
            scroll_pct: self.scroll_pct,
            properties,
            is_bot: verdict.flag.is_some(),
            bot_signals: &verdict.signals,
            rules_version: "",
            ip_address: self.ip_address,
            user_agent: &self.user_agent,
            collector_region: &self.collector_region,
            colo: &self.colo,
            tracker: &self.tracker,
        }
    }
}
