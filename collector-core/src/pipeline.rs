//! The pipeline: one beacon in; one receipt per event, and the rows, out.
//!
//! In scope: the order of the steps, and that every event ends in exactly one outcome. Out of scope: the steps themselves (their modules), and
//! whether the rows arrive (`collected`, settled by the shell).
//!
//! Large steps are `#[inline(never)]`: the runtime compiles a function of the Wasm when it is first called, and for longer than its length says.
//! As one function the pipeline took 4 ms of every start, in parts 1.5 ms.

mod stop;

use std::sync::Arc;

use uuid::{Builder, Uuid};

use crate::beacon::{Beacon, WireEvent};
use crate::client::Client;
use crate::collected::{Collected, CollectedRow};
use crate::enrich::{Facts, enrich, time, visitor};
use crate::event::Event;
use crate::field::Field;
use crate::filter::{self, Verdict, prefetch, rate};
use crate::first_party;
use crate::ingest;
use crate::item::MAX_ITEMS;
use crate::ledger::minute_s;
use crate::limit::Limiter;
use crate::outcome::{AnonymisedReason, FilterReason, InvalidReason, LimitReason, Outcome};
use crate::rate::FastVisitors;
use crate::reader::Invalid;
use crate::receipt::Receipt;
use crate::region::{RegionOrder, Regions};
use crate::rule::Work;
use crate::sender::{Sender, Senders};
use crate::session::{Session, Sessions};
use crate::site::{BotPolicy, SignalMode, Site, Sites, Status, VisitorMode};
use crate::wire;
use stop::Stop;

/// The most rows of one beacon: purchases of many small items would otherwise become 30 times the bytes that were sent.
pub const MAX_ROWS: usize = 1_000;

/// The most bytes of all lines of one beacon: a body of 64 KB that inflates well, with each byte escaped on each row of a purchase, would otherwise
/// become hundreds of times the bytes that were sent.
pub const MAX_BEACON_LINE_BYTES: usize = 2_000_000;

/// Where a new first-party id stands among the ids that a beacon mints: behind all its events.
const FIRST_PARTY_POSITION: usize = MAX_ROWS;

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

/// What one isolate remembers between beacons. All of it is bounded; a fresh one costs accuracy of limits and sessions, nothing else.
#[derive(Debug, Default)]
pub struct Memory {
    /// Browsers, with the parser of user agents.
    pub senders: Senders,
    /// Rate limits.
    pub limiter: Limiter,
    /// Sessions of visitors.
    pub sessions: Sessions,
    /// Visitors of whom a Batcher said that they are too fast.
    pub fast_visitors: FastVisitors,
    /// Key of the table of senders: the entropy of the isolate's first beacon.
    sender_key: Option<[u8; 16]>,
}

impl Memory {
    #[inline(never)]
    fn find_sender(&mut self, client: &Client<'_>, moment: &Moment) -> Arc<Sender> {
        let key = self.sender_key.get_or_insert_with(|| {
            let (first, _) = moment.entropy.split_first_chunk().unwrap_or((&[0; 16], &[]));
            *first
        });
        self.senders.find(client, key)
    }
}

/// Everything around the events of one beacon.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'s> {
    /// The sites that the beacon names.
    pub sites: &'s Sites,
    /// The regions of the installation.
    pub regions: &'s Regions,
    /// The sender.
    pub client: &'s Client<'s>,
    /// Time, randomness, salts.
    pub moment: &'s Moment,
    /// Sites for which the sender is over a limit that is counted outside this isolate.
    pub limited: &'s [(String, LimitReason)],
}

/// Collects a beacon: every event ends in one outcome, and stored ones become rows.
pub fn collect(beacon: &Beacon<'_>, around: Surroundings<'_>, memory: &mut Memory) -> Collected {
    let minute_s = minute_s(around.moment.received_at_ms);
    let mut collected = Collected { minute_s, ..Collected::default() };
    let mut found = Found::default();
    for (index, wire) in beacon.events().enumerate() {
        let receipt = match collect_event(&wire, index, around, &mut found, memory, &mut collected.rows) {
            Ok(receipt) => receipt,
            Err(stop) => {
                let site = wire.site().and_then(|id| around.sites.get(&id));
                collected.counts.add_ended(minute_s, site.map_or("", |site| site.id.as_str()), stop.outcome);
                Receipt { event_id: sent_id(&wire), outcome: stop.outcome, field: stop.field, row: None }
            }
        };
        collected.receipts.push(receipt);
    }
    collected.new_first_party_id = found.first_party.filter(|id| id.is_new).map(|id| id.id);
    collected
}

/// The sentence: cheap checks before expensive ones, policy before facts.
fn collect_event(
    wire: &WireEvent<'_, '_>,
    index: usize,
    around: Surroundings<'_>,
    found: &mut Found,
    memory: &mut Memory,
    rows: &mut Vec<CollectedRow>,
) -> Result<Receipt, Stop> {
    let moment = around.moment;
    let site = check_site(wire, around.sites)?;
    let is_told = check_sender(site, around.client)?;
    check_limits(site, around, is_told, &mut memory.limiter)?;
    let event = Event::check(wire, site, is_told)?;
    charge_items(site, around, is_told, event.items.len(), &mut memory.limiter);
    check_room(rows.len() + 1 + event.items.len())?;
    let user_agent = event.user_agent.clone();
    let told = ingest::visitor(event.ip, &user_agent);
    if is_told {
        // Each event of a server may be of another visitor.
        let (line_bytes, work) = (found.line_bytes, std::mem::take(&mut found.work));
        *found = Found { line_bytes, work, ..Found::default() };
    }
    let client = if is_told { &told } else { around.client };
    let anonymised = check_privacy(site, client)?;
    let first_party_id = found.first_party_id(site, client, anonymised, moment);
    let visit = Visit::find(&mut found.visit, site, client, first_party_id, around, &mut memory.sessions);
    check_sample(site, visit.session.visitor_id)?;
    let sender = found.sender.get_or_insert_with(|| memory.find_sender(client, moment));
    let visitor_id = visit.session.visitor_id;
    let is_fast = !is_told && memory.fast_visitors.contains(visitor_id, moment.received_at_ms);
    let signals = rate::add(&sender.signals, is_fast);
    let verdict = check_policy(site, filter::judge_event(&event, client, &signals))?;
    let home = check_home(&visit.regions, around.regions)?;
    let facts = Facts {
        event_id: event.event_id.unwrap_or_else(|| mint_id(moment, index)),
        site,
        client,
        agent: &sender.agent,
        received_at_ms: moment.received_at_ms,
        session: visit.session,
        is_anonymous: anonymised.is_some(),
        verdict,
        collector_region: home,
        room_bytes: MAX_BEACON_LINE_BYTES.saturating_sub(found.line_bytes),
        work: &found.work,
    };
    let event_id = Some(facts.event_id);
    let enriched = enrich(event, &facts)?;
    let bytes_before = found.line_bytes;
    // What is refused has been made too: a beacon's work is bounded, not only what is stored of it.
    found.line_bytes += enriched.lines.iter().map(|line| line.json.len()).sum::<usize>();
    check_bytes(wire, found.line_bytes, bytes_before)?;
    let outcome = enriched.flag.map_or(Outcome::Accepted(anonymised), Outcome::Flagged);
    let is_counted = !is_told && site.bots != BotPolicy::Off;
    for (position, line) in enriched.lines.into_iter().enumerate() {
        rows.push(CollectedRow {
            receipt: index,
            event_id: line.event_id,
            site: Arc::clone(site),
            visitor_id,
            // The items of a purchase are one event.
            counted_visitor_id: if is_counted && position == 0 { visitor_id } else { 0 },
            regions: visit.regions.clone(),
            outcome,
            line: line.json,
        });
    }
    Ok(Receipt { event_id, outcome, field: None, row: None })
}

/// What is the same for all events of a beacon, found once, when the first event needs it.
#[derive(Default)]
struct Found {
    sender: Option<Arc<Sender>>,
    visit: Option<Visit>,
    first_party: Option<FirstParty>,
    /// Bytes of the lines that were made so far; no more are made once they are `MAX_BEACON_LINE_BYTES`.
    line_bytes: usize,
    /// What rules may still do.
    work: Work,
}

/// The first-party id of the sender: the one it sent, else a new one.
#[derive(Clone, Copy)]
struct FirstParty {
    id: Uuid,
    is_new: bool,
}

impl Found {
    /// The id by which a persistent visitor is known; none where the site or the visitor wants none, or where no cookie can reach the visitor.
    fn first_party_id(
        &mut self,
        site: &Site,
        client: &Client<'_>,
        anonymised: Option<AnonymisedReason>,
        moment: &Moment,
    ) -> Option<Uuid> {
        if site.privacy.visitor != VisitorMode::Persistent || client.is_told || anonymised.is_some() {
            return None;
        }
        let known = self.first_party.get_or_insert_with(|| {
            let sent = first_party::find(client.cookie, moment.received_at_ms);
            let id = sent.unwrap_or_else(|| mint_id(moment, FIRST_PARTY_POSITION));
            FirstParty { id, is_new: sent.is_none() }
        });
        Some(known.id)
    }
}

/// The sender on one site.
struct Visit {
    site: Arc<Site>,
    session: Session,
    regions: RegionOrder,
}

impl Visit {
    /// The visit to a site; a beacon for several sites finds it again at each change.
    #[inline(never)]
    fn find<'f>(
        slot: &'f mut Option<Self>,
        site: &Arc<Site>,
        client: &Client<'_>,
        first_party_id: Option<Uuid>,
        around: Surroundings<'_>,
        sessions: &mut Sessions,
    ) -> &'f Self {
        if slot.as_ref().is_some_and(|visit| !Arc::ptr_eq(&visit.site, site)) {
            *slot = None;
        }
        slot.get_or_insert_with(|| {
            let now_ms = around.moment.received_at_ms;
            let day = time::utc_day(now_ms);
            let visitor_id = |day| match first_party_id {
                Some(id) => visitor::persistent_id(site, id),
                None => visitor::daily_id(site, client, &around.moment.salts, day),
            };
            let session = sessions.find(visitor_id(day), visitor_id(day.saturating_sub(1)), now_ms);
            Self { site: Arc::clone(site), session, regions: around.regions.order(site, around.client) }
        })
    }
}

fn check_site<'s>(wire: &WireEvent<'_, '_>, sites: &'s Sites) -> Result<&'s Arc<Site>, Invalid> {
    if !wire.is_object() {
        return Err(Invalid { reason: InvalidReason::NotAnObject, field: wire.own_pointer() });
    }
    if wire.get(Field::Site).is_none() {
        return Err(wire.invalid(Field::Site, InvalidReason::MissingField));
    }
    let id = wire.site().ok_or_else(|| wire.invalid(Field::Site, InvalidReason::WrongType))?;
    sites.get(&id).ok_or_else(|| wire.invalid(Field::Site, InvalidReason::UnknownSite))
}

/// Whether the sender may send for the site. True if it is the site's own server, which tells of its visitors.
fn check_sender(site: &Site, client: &Client<'_>) -> Result<bool, Stop> {
    let may_send = match client.ingest_key {
        Some(key) => ingest::check_key(site, client, key),
        None if site.allows_origin(client.origin) => Ok(()),
        None => Err(InvalidReason::OriginNotAllowed),
    };
    may_send.map_err(|reason| Stop { outcome: Outcome::Invalid(reason), field: None })?;
    if site.status == Status::Paused {
        return Err(FilterReason::SitePaused.into());
    }
    let is_told = client.ingest_key.is_some();
    if !is_told && prefetch::matches(client) {
        return Err(FilterReason::Prefetch.into());
    }
    Ok(is_told)
}

/// The site's own server sends for many visitors from one address: only the limit of the site holds for it.
fn check_limits(
    site: &Site,
    around: Surroundings<'_>,
    is_told: bool,
    limiter: &mut Limiter,
) -> Result<(), LimitReason> {
    let (client, now_ms, limits) = (around.client, around.moment.received_at_ms, site.limits);
    if let Some((_, reason)) = around.limited.iter().find(|(id, _)| *id == site.id) {
        return Err(*reason);
    }
    if !is_told && !limiter.take(|| visitor::address_key(site, client), limits.address_events_per_second, now_ms) {
        return Err(LimitReason::AddressRate);
    }
    if !limiter.take(|| visitor::site_key(site), limits.events_per_second, now_ms) {
        return Err(LimitReason::SiteRate);
    }
    Ok(())
}

/// Each item is a row like an event.
fn charge_items(site: &Site, around: Surroundings<'_>, is_told: bool, items: usize, limiter: &mut Limiter) {
    if !is_told {
        limiter.charge(|| visitor::address_key(site, around.client), site.limits.address_events_per_second, items);
    }
    limiter.charge(|| visitor::site_key(site), site.limits.events_per_second, items);
}

/// The rows of one event always fit an empty beacon, so one that lacks room may come again.
fn check_room(rows: usize) -> Result<(), LimitReason> {
    const { assert!(MAX_ITEMS < MAX_ROWS) };
    if rows <= MAX_ROWS { Ok(()) } else { Err(LimitReason::BeaconFull) }
}

/// Whether an event's lines have room in the beacon. One that had all the room there is can only become smaller.
fn check_bytes(wire: &WireEvent<'_, '_>, bytes: usize, bytes_before: usize) -> Result<(), Stop> {
    if bytes <= MAX_BEACON_LINE_BYTES {
        Ok(())
    } else if bytes_before == 0 {
        Err(wire.invalid(Field::Items, InvalidReason::TooManyItems).into())
    } else {
        Err(LimitReason::BeaconFull.into())
    }
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

fn check_sample(site: &Site, visitor_id: u64) -> Result<(), FilterReason> {
    if visitor::is_sampled(site, visitor_id) { Ok(()) } else { Err(FilterReason::Sampled) }
}

/// The name of the first region. A site that permits none of the installed regions is a mistake of the operator: the sender keeps its events
/// until it is mended.
fn check_home<'s>(order: &RegionOrder, regions: &'s Regions) -> Result<&'s str, LimitReason> {
    let home = order.first().and_then(|at| regions.get(*at));
    home.map(|region| region.name.as_str()).ok_or(LimitReason::Unavailable)
}

/// The site's policy on bots. Where the site has rules, it waits for them: they read the row, and may allow what the policy would drop. A site
/// that does not judge has no verdict that they could read.
fn check_policy(site: &Site, verdict: Verdict) -> Result<Verdict, FilterReason> {
    if site.rules.is_empty() || site.bots == BotPolicy::Off { verdict.apply(site.bots) } else { Ok(verdict) }
}

/// The id that the sender gave to an event that is not stored.
fn sent_id(wire: &WireEvent<'_, '_>) -> Option<Uuid> {
    wire.get(Field::EventId).and_then(wire::string).and_then(|text| Uuid::try_parse(&text).ok())
}

/// A UUIDv7 of the edge's own: its time, and bits that depend on the beacon's entropy and the event's position.
fn mint_id(moment: &Moment, index: usize) -> Uuid {
    let position = (index as u64).to_le_bytes();
    let mut bits = [0_u8; 10];
    for (key, half) in moment.entropy.chunks_exact(16).zip(bits.chunks_exact_mut(5)) {
        let key = <&[u8; 16]>::try_from(key).unwrap_or(&[0; 16]);
        for (bit, byte) in half.iter_mut().zip(visitor::hash(key, &[&position]).to_le_bytes()) {
            *bit = byte;
        }
    }
    Builder::from_unix_timestamp_millis(moment.received_at_ms.unsigned_abs(), &bits).into_uuid()
}
