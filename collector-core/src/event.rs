//! One event, valid by construction.
//!
//! In scope: required fields, types, limits, and the items of a purchase. Out of scope: facts that the edge adds (`enrich`), policy (`filter`).

use std::borrow::Cow;
use std::net::IpAddr;

use uuid::Uuid;

use crate::beacon::WireEvent;
use crate::field::Field;
use crate::item::{self, ITEM_EVENT_TYPE, Item};
use crate::money::Money;
use crate::outcome::InvalidReason;
use crate::property::Properties;
use crate::reader::{Invalid, is_filled};
use crate::site::Site;
use crate::url::Url;

/// The longest event type, in bytes.
pub const MAX_EVENT_TYPE_BYTES: usize = 64;

/// Who the site says is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User<'a> {
    /// Nobody.
    Anonymous,
    /// A number.
    Id(u64),
    /// Any other text, to be hashed.
    Key(Cow<'a, str>),
}

impl<'a> User<'a> {
    /// The text, if the user is known by one.
    pub fn key(&self) -> Option<Cow<'a, str>> {
        match self {
            Self::Key(key) => Some(key.clone()),
            Self::Anonymous | Self::Id(_) => None,
        }
    }
}

/// One thing that happened, as the site tells it. Absent strings are empty, absent numbers are zero.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// The sender's id, if it sent one.
    pub event_id: Option<Uuid>,
    /// `[a-z][a-z0-9_]{0,63}`, but not `item`
    pub event_type: Cow<'a, str>,
    /// Client clock when it happened, in milliseconds since 1970.
    pub occurred_at_ms: Option<i64>,
    /// Client clock when it was sent, in milliseconds since 1970.
    pub sent_at_ms: Option<i64>,
    /// Name and version of the tracker.
    pub tracker: Cow<'a, str>,
    /// Address of the page; required for `page_view`.
    pub page_url: Cow<'a, str>,
    /// Title of the page.
    pub page_title: Cow<'a, str>,
    /// Address of the page before.
    pub referrer: Cow<'a, str>,
    /// Id of the page's life, for loss measurement.
    pub page_id: Cow<'a, str>,
    /// Number of the event within the page, for loss measurement.
    pub seq: u32,
    /// The tracker's session.
    pub session_id: Cow<'a, str>,
    /// Who is signed in.
    pub user: User<'a>,
    /// The product; of a purchase with items only they have one.
    pub product_id: Option<u64>,
    /// The order.
    pub order_id: Cow<'a, str>,
    /// How many.
    pub quantity: u32,
    /// How much money, in units of `currency`.
    pub revenue: Money,
    /// Three letters, upper-case; not held against the list of ISO 4217, which changes.
    pub currency: Cow<'a, str>,
    /// Milliseconds in which the page was looked at.
    pub engaged_ms: u32,
    /// Depth of scrolling, in percent, 0 to 100.
    pub scroll_pct: u8,
    /// Width and height of the screen, in pixels.
    pub screen: (u16, u16),
    /// Language of the browser.
    pub language: Cow<'a, str>,
    /// Time zone of the browser.
    pub timezone: Cow<'a, str>,
    /// Everything else.
    pub properties: Properties<'a>,
    /// What was bought; only for `purchase`.
    pub items: Vec<Item<'a>>,
    /// The visitor's address, if the site's own server tells it.
    pub ip: Option<IpAddr>,
    /// The visitor's user agent, if the site's own server tells it.
    pub user_agent: Cow<'a, str>,
}

impl<'a> Event<'a> {
    /// Checks one event of a beacon against the contract and the site's settings. Only a site's own server may say
    /// who the visitor is (`is_from_server`).
    #[inline(never)] // Why: `pipeline`.
    pub fn check(wire: &WireEvent<'_, 'a>, site: &Site, is_from_server: bool) -> Result<Self, Invalid> {
        let event_type = check_event_type(wire)?;
        let is_purchase = event_type == "purchase";
        let required: &[Field] = match event_type.as_ref() {
            "page_view" => &[Field::PageUrl],
            "purchase" => &[Field::OrderId, Field::Revenue, Field::Currency],
            _ => &[],
        };
        required.iter().try_for_each(|field| require(wire, *field))?;
        let mut properties = Properties::check(wire, site.unknown_fields, is_from_server)?;
        let items = item::check(wire, is_purchase, site.unknown_fields, &mut properties)?;
        Ok(Self {
            event_id: check_event_id(wire)?,
            event_type,
            occurred_at_ms: wire.time_ms(Field::OccurredAt)?,
            sent_at_ms: wire.time_ms(Field::SentAt)?,
            tracker: wire.text(Field::Tracker)?,
            page_url: check_url(wire, Field::PageUrl)?,
            page_title: wire.text(Field::PageTitle)?,
            referrer: wire.url(Field::Referrer)?,
            page_id: wire.text(Field::PageId)?,
            seq: wire.u32(Field::Seq)?.unwrap_or(0),
            session_id: wire.text(Field::SessionId)?,
            user: check_user(wire)?,
            // Where items name the products, a product on the purchase too would be sold twice.
            product_id: wire.u64(Field::ProductId)?.filter(|_| items.is_empty()),
            order_id: wire.text(Field::OrderId)?,
            quantity: wire.u32(Field::Quantity)?.unwrap_or(0),
            revenue: wire.money(Field::Revenue)?.unwrap_or_default(),
            currency: check_currency(wire)?,
            engaged_ms: wire.u32(Field::EngagedMs)?.unwrap_or(0),
            scroll_pct: check_scroll(wire)?,
            screen: check_screen(wire)?,
            language: wire.text(Field::Language)?,
            timezone: wire.text(Field::Timezone)?,
            properties,
            items,
            ip: if is_from_server { check_ip(wire)? } else { None },
            user_agent: if is_from_server { wire.text(Field::UserAgent)? } else { Cow::Borrowed("") },
        })
    }
}

fn require(wire: &WireEvent<'_, '_>, field: Field) -> Result<(), Invalid> {
    let found = wire.get(field).filter(is_filled).map(|_| ());
    found.ok_or_else(|| wire.invalid(field, InvalidReason::MissingField))
}

fn check_event_type<'a>(wire: &WireEvent<'_, 'a>) -> Result<Cow<'a, str>, Invalid> {
    require(wire, Field::EventType)?;
    let event_type = wire.text(Field::EventType)?;
    let is_name = event_type.starts_with(|c: char| c.is_ascii_lowercase())
        && event_type.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && event_type != ITEM_EVENT_TYPE;
    let reason = match event_type.len() {
        ..=MAX_EVENT_TYPE_BYTES if is_name => return Ok(event_type),
        ..=MAX_EVENT_TYPE_BYTES => InvalidReason::InvalidValue,
        _ => InvalidReason::TooLong,
    };
    Err(wire.invalid(Field::EventType, reason))
}

fn check_event_id(wire: &WireEvent<'_, '_>) -> Result<Option<Uuid>, Invalid> {
    let text = wire.text(Field::EventId)?;
    if text.is_empty() {
        return Ok(None);
    }
    let id = Uuid::try_parse(&text).ok().filter(|id| !id.is_nil());
    id.map(Some).ok_or_else(|| wire.invalid(Field::EventId, InvalidReason::InvalidValue))
}

fn check_url<'a>(wire: &WireEvent<'_, 'a>, field: Field) -> Result<Cow<'a, str>, Invalid> {
    let url = wire.url(field)?;
    if url.is_empty() || Url::parse(&url).is_some() {
        return Ok(url);
    }
    Err(wire.invalid(field, InvalidReason::InvalidValue))
}

fn check_user<'a>(wire: &WireEvent<'_, 'a>) -> Result<User<'a>, Invalid> {
    let Some(value) = wire.get(Field::UserId) else {
        return Ok(User::Anonymous);
    };
    let text = wire.text(Field::UserId)?;
    if text.is_empty() {
        return Ok(User::Anonymous);
    }
    let is_decimal = text.bytes().all(|b| b.is_ascii_digit());
    if let Some(id) = text.parse().ok().filter(|_| is_decimal) {
        return Ok(User::Id(id));
    }
    // A JSON number has to be an id; only a string may be any text.
    if value.starts_with('"') {
        return Ok(User::Key(text));
    }
    wire.u64(Field::UserId).map(|id| id.map_or(User::Anonymous, User::Id))
}

fn check_ip(wire: &WireEvent<'_, '_>) -> Result<Option<IpAddr>, Invalid> {
    let text = wire.text(Field::IpAddress)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| wire.invalid(Field::IpAddress, InvalidReason::InvalidValue))
}

fn check_currency<'a>(wire: &WireEvent<'_, 'a>) -> Result<Cow<'a, str>, Invalid> {
    let currency = wire.text(Field::Currency)?;
    match currency.len() {
        0 => Ok(currency),
        3 if currency.bytes().all(|b| b.is_ascii_uppercase()) => Ok(currency),
        3 if currency.bytes().all(|b| b.is_ascii_alphabetic()) => Ok(Cow::Owned(currency.to_ascii_uppercase())),
        _ => Err(wire.invalid(Field::Currency, InvalidReason::InvalidValue)),
    }
}

fn check_scroll(wire: &WireEvent<'_, '_>) -> Result<u8, Invalid> {
    match wire.u32(Field::ScrollPct)?.map_or(Ok(0), u8::try_from) {
        Ok(percent) if percent <= 100 => Ok(percent),
        _ => Err(wire.invalid(Field::ScrollPct, InvalidReason::OutOfRange)),
    }
}

fn check_screen(wire: &WireEvent<'_, '_>) -> Result<(u16, u16), Invalid> {
    let screen = wire.text(Field::Screen)?;
    if screen.is_empty() {
        return Ok((0, 0));
    }
    let sides = screen.split_once(['x', 'X']).and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    sides.ok_or_else(|| wire.invalid(Field::Screen, InvalidReason::InvalidValue))
}
