//! The pipeline: one beacon in, one receipt per event and the rows out.
//!
//! In scope: the order of the steps, and that every event ends in exactly one outcome. Out of scope: the steps themselves (their modules), and
//! whether the rows arrive (the shell settles the receipts when it knows).

use std::borrow::Cow;
use std::sync::Arc;

use uuid::{Builder, Uuid};

use crate::append::Taken;
use crate::beacon::{Beacon, WireEvent};
use crate::client::Client;
use crate::enrich::{channel, mask, page, time, visitor};
use crate::event::Event;
use crate::filter::{self, Signal, Verdict, prefetch};
use crate::item::Item;
use crate::ledger::{Ledger, minute_s};
use crate::limit::Limiter;
use crate::outcome::{AnonymisedReason, FilterReason, InvalidReason, LimitReason, Outcome};
use crate::reader::Invalid;
use crate::receipt::Receipt;
use crate::region::{RegionOrder, Regions};
use crate::row::{Row, Time};
use crate::site::{SignalMode, Site, Sites, Status};
use crate::url::Url;

/// The event type of a row that is one item of a purchase.
pub const ITEM_EVENT_TYPE: &str = "item";

/// What differs from beacon to beacon and cannot be computed: time, randomness, salts.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The edge clock, in milliseconds since 1970.
    pub received_at_ms: i64,
    /// Fresh random bytes, for ids that the edge mints.
    pub entropy: [u8; 32],
    /// Salts of the daily visitor hash.
    pub salts: visitor::Salts,
}

/// What one isolate remembers between beacons. Everything in it is bounded, and nothing in it is needed: a fresh one gives the same rows.
#[derive(Debug, Default)]
pub struct Memory {
    /// Parser of user agents, with its caches.
    pub parser: user_agent::Parser,
    /// Rate limits.
    pub limiter: Limiter,
}

/// One row, ready for a Batcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectedRow {
    /// The receipt of the event that it comes from.
    pub receipt: usize,
    /// The row's id, by which duplicates are known.
    pub event_id: Uuid,
    /// The site.
    pub site_id: Arc<str>,
    /// Decides the shard.
    pub visitor_id: u64,
    /// Permitted regions, nearest first; never empty.
    pub regions: RegionOrder,
    /// Accepted or flagged.
    pub outcome: Outcome,
    /// The row as one line of JSON, without a line end.
    pub line: Vec<u8>,
}

/// What became of a beacon.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// One receipt per event, in order.
    pub receipts: Vec<Receipt>,
    /// The rows of accepted and flagged events.
    pub rows: Vec<CollectedRow>,
    /// Outcomes of everything that is no row. Rows are counted where they are stored, because only there it is known whether they are duplicates.
    pub counts: Ledger,
}

impl Collected {
    /// Notes what a Batcher said about some rows (positions in `rows`, and its answers in the same order).
    pub fn settle(&mut self, rows: &[usize], answers: &[Taken]) {
        for (row, taken) in rows.iter().zip(answers) {
            if *taken == Taken::Duplicate {
                self.set_outcome(*row, Outcome::Duplicate);
            }
        }
    }

    /// Notes that nothing could take some rows (positions in `rows`): their senders are asked to come again.
    pub fn refuse(&mut self, rows: &[usize]) {
        for row in rows {
            self.set_outcome(*row, Outcome::Limited(LimitReason::Unavailable));
        }
    }

    fn set_outcome(&mut self, row: usize, outcome: Outcome) {
        let receipt = self.rows.get(row).map(|row| row.receipt);
        let receipt = receipt.and_then(|receipt| self.receipts.get_mut(receipt));
        // A purchase and its items share one receipt: "come again" must not be painted over by an item's answer.
        if let Some(receipt) = receipt.filter(|r| r.outcome != Outcome::Limited(LimitReason::Unavailable)) {
            receipt.outcome = outcome;
        }
    }

    /// Moves each row onto its receipt, for `/v1/validate` and debugging; of a purchase the purchase itself.
    pub fn show_rows(&mut self) {
        for row in self.rows.iter().rev() {
            if let Some(receipt) = self.receipts.get_mut(row.receipt) {
                receipt.row = Some(row.line.clone());
            }
        }
    }
}

/// Collects a beacon: every event ends in one outcome, and stored ones become rows.
pub fn collect(
    beacon: &Beacon<'_>,
    sites: &Sites,
    regions: &Regions,
    client: &Client<'_>,
    moment: &Moment,
    memory: &mut Memory,
) -> Collected {
    let mut collected = Collected::default();
    let minute = minute_s(moment.received_at_ms);
    let mut sender = None;
    for (index, wire) in beacon.events().enumerate() {
        let mut step = Step { sites, regions, client, moment, memory, sender: &mut sender, index };
        let receipt = match step.collect_event(&wire, &mut collected.rows) {
            Ok(receipt) => receipt,
            Err(stop) => {
                let site = sites.get(wire.site().as_deref().unwrap_or("")).map_or("", |site| site.id.as_str());
                collected.counts.add(minute, site, stop.outcome, 1);
                let event_id = wire.get(crate::field::Field::EventId).and_then(crate::wire::string);
                let event_id = event_id.and_then(|text| Uuid::try_parse(&text).ok());
                Receipt { event_id, outcome: stop.outcome, field: stop.field, row: None }
            }
        };
        collected.receipts.push(receipt);
    }
    collected
}

/// Why an event goes no further.
struct Stop {
    outcome: Outcome,
    field: Option<String>,
}

impl From<Invalid> for Stop {
    fn from(invalid: Invalid) -> Self {
        Self { outcome: Outcome::Invalid(invalid.reason), field: Some(invalid.field) }
    }
}

impl From<FilterReason> for Stop {
    fn from(reason: FilterReason) -> Self {
        Self { outcome: Outcome::Filtered(reason), field: None }
    }
}

impl From<LimitReason> for Stop {
    fn from(reason: LimitReason) -> Self {
        Self { outcome: Outcome::Limited(reason), field: None }
    }
}

/// What is known of the sender of a beacon: the same for all its events, so found once, when the first event needs it.
struct Sender {
    agent: user_agent::Agent,
    signals: Vec<Signal>,
}

/// Everything around one event.
struct Surroundings<'s> {
    sites: &'s Sites,
    regions: &'s Regions,
    client: &'s Client<'s>,
    moment: &'s Moment,
}

impl Surroundings<'_> {
    /// The sentence: cheap checks before expensive ones, policy before facts.
    fn collect_event(
        &self,
        wire: &WireEvent<'_, '_>,
        place: Place,
        memory: &mut Memory,
        sender: &mut Option<Sender>,
        rows: &mut Vec<CollectedRow>,
    ) -> Result<Receipt, Stop> {
        let site = check_site(wire, self.sites)?;
        check_sender(&site, self.client)?;
        check_limits(&site, self.client, self.moment, &mut memory.limiter)?;
        let event = Event::check(wire, &site)?;
        let anonymised = check_privacy(&site, self.client)?;
        let visitor_id = self.visitor_id(&site, anonymised);
        check_sample(&site, visitor_id)?;
        let sender = sender.get_or_insert_with(|| Sender::parse(self.client, &mut memory.parser));
        let verdict = filter::judge_event(&event, &sender.signals).apply(site.bots)?;
        let regions = check_regions(self.regions, &site, self.client)?;
        let outcome = outcome_of(&verdict, anonymised);
        let event_id = event.event_id.unwrap_or_else(|| mint_id(self.moment, place.event));
        let facts = Facts { event_id, site: &site, client: self.client, agent: &sender.agent, received_at_ms: self.moment.received_at_ms,
            visitor_id, anonymised, verdict, collector_region: self.region_name(&regions) };
        enrich(event, facts, &mut |row| rows.push(CollectedRow { receipt: place.receipt, event_id: row.event_id, .. }));
        Ok(Receipt { event_id: Some(event_id), outcome, field: None, row: None })
    }
}

impl Sender {
    fn parse(client: &Client<'_>, parser: &mut user_agent::Parser) -> Self {
        let hints = user_agent::ClientHints {
            brands: client.ch_brands,
            full_version_list: client.ch_full_version_list,
            mobile: client.ch_mobile,
            platform: client.ch_platform,
            platform_version: client.ch_platform_version,
            model: client.ch_model,
        };
        Self { agent: parser.parse(client.user_agent(), &hints), signals: filter::judge_client(client, parser) }
    }
}

fn check_site(wire: &WireEvent<'_, '_>, sites: &Sites) -> Result<Arc<Site>, Stop> {
    if !wire.is_object() {
        return Err(Invalid { reason: InvalidReason::NotAnObject, field: wire.own_pointer() }.into());
    }
    if wire.get(Field::Site).is_none() {
        return Err(wire.invalid(Field::Site, InvalidReason::MissingField).into());
    }
    let id = wire.site().ok_or_else(|| wire.invalid(Field::Site, InvalidReason::WrongType))?;
    let site = sites.get(&id).ok_or_else(|| wire.invalid(Field::Site, InvalidReason::UnknownSite))?;
    Ok(Arc::clone(site))
}

fn check_sender(site: &Site, client: &Client<'_>) -> Result<(), Stop> {
    if !site.allows_origin(client.origin) {
        return Err(Stop { outcome: Outcome::Invalid(InvalidReason::OriginNotAllowed), field: None });
    }
    if site.status == Status::Paused {
        return Err(FilterReason::SitePaused.into());
    }
    if prefetch::matches(client) {
        return Err(FilterReason::Prefetch.into());
    }
    Ok(())
}

fn check_limits(site: &Site, client: &Client<'_>, moment: &Moment, limiter: &mut Limiter) -> Result<(), LimitReason> {
    let now_ms = moment.received_at_ms;
    let address = visitor::address_key(site, client);
    if !limiter.take(address, site.limits.address_events_per_second, now_ms) {
        return Err(LimitReason::AddressRate);
    }
    if !limiter.take(visitor::site_key(site), site.limits.events_per_second, now_ms) {
        return Err(LimitReason::SiteRate);
    }
    Ok(())
}

/// What the browser's privacy signals ask for, and what the site makes of it. Global Privacy Control comes first: it has legal weight.
fn check_privacy(site: &Site, client: &Client<'_>) -> Result<Option<AnonymisedReason>, FilterReason> {
    let is_set = |header: Option<&str>| header.is_some_and(|value| value.trim() == "1");
    let (gpc, dnt) = (is_set(client.sec_gpc), is_set(client.dnt));
    match (site.privacy.gpc, site.privacy.dnt) {
        (SignalMode::Drop, _) if gpc => Err(FilterReason::Gpc),
        (_, SignalMode::Drop) if dnt => Err(FilterReason::Dnt),
        (SignalMode::Anonymise, _) if gpc => Ok(Some(AnonymisedReason::Gpc)),
        (_, SignalMode::Anonymise) if dnt => Ok(Some(AnonymisedReason::Dnt)),
        _ => Ok(None),
    }
}

/// A UUIDv7 of the edge's own: its time, and bits that depend on the beacon's entropy and the event's position.
fn mint_id(moment: &Moment, index: usize) -> Uuid {
    let (first, second) = moment.entropy.split_at(16);
    let position = (index as u64).to_le_bytes();
    let mut bits = [0_u8; 10];
    for (key, slot) in [first, second].into_iter().zip(bits.chunks_mut(5)) {
        let key = <&[u8; 16]>::try_from(key).unwrap_or(&[0; 16]);
        let hashed = visitor::hash(key, &[&position]).to_le_bytes();
        slot.iter_mut().zip(hashed).for_each(|(slot, byte)| *slot = byte);
    }
    Builder::from_unix_timestamp_millis(moment.received_at_ms.unsigned_abs(), &bits).into_uuid()
}
