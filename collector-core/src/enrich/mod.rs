//! Facts that the edge adds to an event, which make it a row. Facts are added, nothing is fetched.
//!
//! In scope: time, visitor, page, channel, device; personal data removed; the items of a purchase as rows of their own.
//! Out of scope: policy (`filter`, `pipeline`), the text form of a row (`row`).

pub mod channel;
pub mod mask;
pub mod page;
pub mod time;
pub mod visitor;

use std::borrow::Cow;

use user_agent::{DeviceType, UserAgent};
use uuid::{Builder, Uuid};

use crate::client::Client;
use crate::enrich::channel::referrer::Referrer;
use crate::enrich::page::Campaign;
use crate::enrich::time::Corrected;
use crate::event::Event;
use crate::field::Field;
use crate::filter::Verdict;
use crate::item::{ITEM_EVENT_TYPE, Item};
use crate::outcome::{FlagReason, Outcome};
use crate::property::Properties;
use crate::row::{Row, Time};
use crate::rule::{Subject, Work};
use crate::sampling::SamplingRate;
use crate::session::Session;
use crate::site::{IpMode, Site};
use crate::url::Url;

/// What the edge knows about one event besides the event.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The event's id, sent or minted.
    pub event_id: Uuid,
    /// The site.
    pub site: &'a Site,
    /// The sender.
    pub client: &'a Client<'a>,
    /// The sender's user agent, parsed.
    pub user_agent: &'a UserAgent,
    /// The edge clock, in milliseconds since 1970.
    pub received_at_ms: i64,
    /// The visitor and the session that the edge knows.
    pub session: Session,
    /// True if identifiers must not be stored.
    pub is_anonymous: bool,
    /// The verdict.
    pub verdict: Verdict,
    /// The region that will store the row.
    pub collector_region: &'a str,
    /// Bytes of lines that the beacon has room for.
    pub room_bytes: usize,
    /// What the site's rules may still do for the beacon.
    pub work: &'a Work,
}

impl Facts<'_> {
    /// What is stored of addresses.
    fn ip_mode(&self) -> IpMode {
        if self.is_anonymous { IpMode::Drop } else { self.site.privacy.ip }
    }
}

/// One row as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedRow {
    /// The row's id.
    pub event_id: Uuid,
    /// One line of JSON, without a line end.
    pub line: Vec<u8>,
}

/// What an event becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enriched {
    /// Why it is a bot, if it is.
    pub flag: Option<FlagReason>,
    /// Its row, and those of its items; cut behind the first line that passes the room in the beacon.
    pub rows: Vec<EncodedRow>,
}

/// Turns an event into its row, and a purchase also into one row per item; `Err` if a rule of the site drops it, or the beacon has no work left
/// for rules.
#[inline(never)] // Why: `pipeline`.
pub fn enrich(mut event: Event<'_>, facts: &Facts<'_>) -> Result<Enriched, Outcome> {
    // A site's own server has a true clock: without `sent_at` it needs no correction.
    let sent_at_ms = event.sent_at_ms.or_else(|| facts.client.is_from_server.then_some(facts.received_at_ms));
    let time = time::correct(event.occurred_at_ms, sent_at_ms, facts.received_at_ms);
    let items = std::mem::take(&mut event.items);
    clean(&mut event, facts, time);
    let page_url = page::clean_url(&event.page_url, facts.site);
    let referrer = page::clean_url(&event.referrer, facts.site);
    let (page_url_without, referrer_without);
    let mut source = Source::find(&page_url, &referrer, facts.site);
    if facts.is_anonymous {
        // A click tells the channel, which is no identifier; its id is one.
        (page_url_without, referrer_without) = (page::without_clicks(&page_url), page::without_clicks(&referrer));
        (source.page_url, source.referrer) = (&page_url_without, &referrer_without);
    }
    let row = new_row(&event, facts, time, &source);
    let verdict = apply_rules(&row, facts)?;
    let row = Row { is_bot: verdict.flag.is_some(), bot_signals: &verdict.signals, ..row };
    let mut rows = Vec::with_capacity(1 + items.len());
    rows.push(encode(&row));
    let mut bytes = 0;
    for (index, mut item) in items.into_iter().enumerate() {
        bytes += rows.last().map_or(0, |row| row.line.len());
        if bytes > facts.room_bytes {
            break;
        }
        mask_properties(&mut item.properties, facts);
        mark(&mut item.properties, facts, time.clamped);
        rows.push(encode_item(&row, index, &item));
    }
    Ok(Enriched { flag: verdict.flag, rows })
}

/// Takes personal data out of an event's texts, and puts in what the edge has to say about it.
fn clean(event: &mut Event<'_>, facts: &Facts<'_>, time: Corrected) {
    mask_properties(&mut event.properties, facts);
    for text in [&mut event.session_id, &mut event.order_id, &mut event.page_id] {
        mask::mask_in_place(text);
    }
    mark(&mut event.properties, facts, time.clamped);
    if let Some(key) = event.user.key().filter(|_| facts.site.keep_user_key && !facts.is_anonymous) {
        event.properties.mark("user_key", key);
    }
}

/// The verdict after the site's own rules, which read the row.
fn apply_rules<'f>(row: &Row<'_>, facts: &'f Facts<'_>) -> Result<Cow<'f, Verdict>, Outcome> {
    let Facts { site, client, verdict, work, .. } = facts;
    if site.rules.is_empty() {
        return Ok(Cow::Borrowed(verdict));
    }
    site.rules.judge(&Subject { row, client, work }, verdict, site.bots).map(Cow::Owned)
}

/// The page and how the visitor came to it.
#[derive(Debug)]
struct Source<'a> {
    page_url: &'a str,
    page_path: &'a str,
    referrer: &'a str,
    referrer_host: Cow<'a, str>,
    campaign: Campaign<'a>,
    channel: &'a str,
}

impl<'a> Source<'a> {
    fn find(page_url: &'a str, referrer: &'a str, site: &'a Site) -> Self {
        let from = Referrer::parse(referrer, site);
        let page = Url::parse(page_url);
        let campaign = page.as_ref().map(Campaign::parse);
        // An event without a page, such as a backend's refund, came by no channel.
        let channel = campaign.as_ref().map_or("", |campaign| channel::channel(campaign, &from, site));
        let page_path = page.as_ref().map_or("", page::path);
        Self {
            page_url,
            page_path,
            referrer,
            referrer_host: from.into_host(),
            campaign: campaign.unwrap_or_default(),
            channel,
        }
    }
}

/// The row of an event: one line per column, in the order of the table.
#[inline(never)] // Why: `pipeline`.
fn new_row<'a>(event: &'a Event<'_>, facts: &'a Facts<'_>, time: Corrected, source: &Source<'a>) -> Row<'a> {
    let (site, client, parsed) = (facts.site, facts.client, facts.user_agent);
    let campaign = source.campaign.clone();
    Row {
        event_id: facts.event_id,
        site_id: &site.id,
        event_type: &event.event_type,
        timestamp: Time(time.timestamp_ms),
        received_at: Time(facts.received_at_ms),
        skew_ms: time.skew_ms,
        visitor_id: if facts.is_anonymous { 0 } else { facts.session.visitor_id },
        user_id: if facts.is_anonymous { 0 } else { visitor::user_id(&event.user, site) },
        session_id: session_id(event, facts),
        page_id: &event.page_id,
        seq: event.seq,
        page_url: source.page_url,
        page_path: source.page_path,
        page_title: mask::mask(Cow::Borrowed(&event.page_title)),
        referrer: source.referrer,
        referrer_host: source.referrer_host.clone(),
        channel: source.channel,
        utm_source: campaign.source,
        utm_medium: campaign.medium,
        utm_campaign: campaign.campaign,
        utm_term: campaign.term,
        utm_content: campaign.content,
        country: country(client),
        region: client.region.filter(|_| !facts.is_anonymous).unwrap_or(""),
        city: client.city.filter(|_| !facts.is_anonymous).unwrap_or(""),
        asn: client.asn.unwrap_or(0),
        timezone: first_of(&event.timezone, client.timezone.unwrap_or("")),
        language: first_of(&event.language, language(client)),
        device_type: device_type(facts),
        browser: &parsed.browser,
        os: &parsed.os,
        browser_version: &parsed.browser_version,
        os_version: &parsed.os_version,
        device_brand: &parsed.device_brand,
        device_model: &parsed.device_model,
        screen_width: event.screen.0,
        screen_height: event.screen.1,
        product_id: event.product_id,
        order_id: &event.order_id,
        quantity: event.quantity,
        revenue: event.revenue,
        currency: &event.currency,
        engaged_ms: event.engaged_ms,
        scroll_pct: event.scroll_pct,
        properties: &event.properties,
        is_bot: facts.verdict.flag.is_some(),
        bot_signals: &facts.verdict.signals,
        rules_version: site.rules.version(),
        ip_address: visitor::stored_ip(client.ip, facts.ip_mode()),
        user_agent: if facts.is_anonymous { "" } else { client.user_agent() },
        collector_region: facts.collector_region,
        colo: client.colo.unwrap_or(""),
        tracker: &event.tracker,
    }
}

/// Bytes a line is likely to need: all column names, and a few hundred bytes of values.
const LINE_CAPACITY_BYTES: usize = 2_560;

fn encode(row: &Row<'_>) -> EncodedRow {
    let mut line = Vec::with_capacity(LINE_CAPACITY_BYTES);
    row.encode(&mut line);
    EncodedRow { event_id: row.event_id, line }
}

/// An item's row is the purchase's row with the item's own product, amount and properties. What adds up over events (engagement, places in a
/// page's sequence) stays with the purchase.
fn encode_item(purchase: &Row<'_>, index: usize, item: &Item<'_>) -> EncodedRow {
    let row = Row {
        event_id: item_id(purchase.event_id, index),
        event_type: ITEM_EVENT_TYPE,
        product_id: Some(item.product_id),
        quantity: item.quantity,
        revenue: item.revenue,
        properties: &item.properties,
        seq: 0,
        engaged_ms: 0,
        scroll_pct: 0,
        ..purchase.clone()
    };
    encode(&row)
}

/// An item's id follows from its purchase's id, so that a purchase sent twice does not double its items.
pub fn item_id(purchase: Uuid, index: usize) -> Uuid {
    let position = (index as u64).to_le_bytes();
    let mut bytes = [0_u8; 16];
    for (key, half) in [*b"landfall item  0", *b"landfall item  1"].iter().zip(bytes.chunks_mut(8)) {
        half.copy_from_slice(&visitor::hash(key, &[purchase.as_bytes(), &position]).to_le_bytes());
    }
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// Masks names and values. An address is stored as the site stores that of the sender, whoever names it.
fn mask_properties(properties: &mut Properties<'_>, facts: &Facts<'_>) {
    let ip_mode = facts.ip_mode();
    for (name, value) in properties.iter_mut() {
        mask::mask_in_place(name);
        mask::mask_value(value);
        if name == Field::IpAddress.name() && ip_mode != IpMode::Keep {
            let ip = value.trim().parse().ok().filter(|_| ip_mode != IpMode::Drop);
            *value = ip.map_or(Cow::Borrowed(mask::ADDRESS_MASK), |ip| {
                Cow::Owned(visitor::stored_ip(Some(ip), ip_mode).to_canonical().to_string())
            });
        }
    }
}

/// Adds the marks that tell a query how to read the row.
fn mark(properties: &mut Properties<'_>, facts: &Facts<'_>, clamped: Option<&'static str>) {
    if let Some(clamped) = clamped {
        properties.mark("clamped", Cow::Borrowed(clamped));
    }
    // An event of nobody known is in every sample, so it stands only for itself.
    if facts.site.sampling_rate != SamplingRate::ALL && facts.session.visitor_id != 0 {
        properties.mark("sampling_rate", Cow::Owned(facts.site.sampling_rate.to_string()));
    }
}

/// The tracker's session, else the edge's own.
fn session_id<'a>(event: &'a Event<'_>, facts: &Facts<'_>) -> Cow<'a, str> {
    let Session { visitor_id, session_id } = facts.session;
    if facts.is_anonymous {
        Cow::Borrowed("")
    } else if event.session_id.is_empty() && visitor_id != 0 {
        Cow::Owned(format!("edge-{session_id:016x}"))
    } else {
        Cow::Borrowed(&event.session_id)
    }
}

/// Upper-case alpha-2; the edge's codes for "unknown" (XX) and Tor (T1) are no countries.
fn country<'a>(client: &Client<'a>) -> Cow<'a, str> {
    let country = client.country.unwrap_or("");
    let is_code =
        country.len() == 2 && country.bytes().all(|b| b.is_ascii_alphabetic()) && !country.eq_ignore_ascii_case("xx");
    if !is_code {
        Cow::Borrowed("")
    } else if country.bytes().all(|b| b.is_ascii_uppercase()) {
        Cow::Borrowed(country)
    } else {
        Cow::Owned(country.to_ascii_uppercase())
    }
}

/// The first language of `Accept-Language`, if it looks like one.
fn language<'a>(client: &Client<'a>) -> &'a str {
    /// The longest language tag that is believed, in bytes.
    const MAX_LANGUAGE_BYTES: usize = 35;
    let first = client.accept_language.unwrap_or("").split([',', ';']).next().unwrap_or("").trim();
    let is_tag = first.len() <= MAX_LANGUAGE_BYTES && first.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if is_tag { first } else { "" }
}

fn device_type(facts: &Facts<'_>) -> &'static str {
    let is_declared = facts.verdict.is_declared();
    if is_declared { DeviceType::Bot.as_str() } else { facts.user_agent.device_type.as_str() }
}

fn first_of<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}
