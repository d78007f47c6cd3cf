//! The pipeline: one beacon in; one receipt per event, and the rows, out.
//!
//! In scope: the order of the steps, and that every event ends in exactly one outcome. Out of scope: the steps themselves (their modules), and
//! whether the rows arrive (`collected`, settled by the shell).
//!
//! Large steps are `#[inline(never)]`: the runtime compiles a function of the Wasm when it is first called, and for longer than its length says.
//! As one function the pipeline took 4 ms of every start, in parts 1.5 ms.

mod budget;
mod sender;
mod stop;

use std::sync::Arc;

use uuid::{Builder, Uuid};

use crate::beacon::{Beacon, WireEvent};
use crate::browser::{Browser, Browsers};
use crate::client::Client;
use crate::collected::{Collected, CollectedRow};
use crate::enrich::{EncodedRow, Facts, enrich, visitor};
use crate::event::Event;
use crate::field::Field;
use crate::filter::{self, Verdict, prefetch, rate};
use crate::ingest;
use crate::ledger::minute_s;
use crate::limit::Limiter;
use crate::outcome::{AnonymisedReason, FilterReason, InvalidReason, LimitReason, Outcome};
use crate::rate::FastVisitors;
use crate::reader::Invalid;
use crate::receipt::Receipt;
use crate::region::{RegionOrder, Regions};
use crate::session::Sessions;
use crate::site::{BotPolicy, SignalMode, Site, Sites, Status};
use crate::wire;
use budget::{Budget, check_rows};
use sender::{FirstParty, Sender, Visit};
use stop::Stop;

pub use budget::{MAX_BEACON_LINE_BYTES, MAX_ROWS};

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
    pub browsers: Browsers,
    /// Rate limits.
    pub limiter: Limiter,
    /// Sessions of visitors.
    pub sessions: Sessions,
    /// Visitors of whom a Batcher said that they are too fast.
    pub fast_visitors: FastVisitors,
    /// Key of the table of browsers: the entropy of the isolate's first beacon.
    browser_key: Option<[u8; 16]>,
}

impl Memory {
    #[inline(never)]
    fn find_browser(&mut self, client: &Client<'_>, moment: &Moment) -> Arc<Browser> {
        let key = self.browser_key.get_or_insert_with(|| {
            let (first, _) = moment.entropy.split_first_chunk().unwrap_or((&[0; 16], &[]));
            *first
        });
        self.browsers.find(client, key)
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

/// What the events of one beacon have come to until now.
#[derive(Default)]
struct Progress {
    sender: Sender,
    budget: Budget,
    rows: Vec<CollectedRow>,
}

/// Collects a beacon: every event ends in one outcome, and stored ones become rows.
pub fn collect(beacon: &Beacon<'_>, around: Surroundings<'_>, memory: &mut Memory) -> Collected {
    let minute_s = minute_s(around.moment.received_at_ms);
    let mut collected = Collected { minute_s, ..Collected::default() };
    let mut progress = Progress::default();
    for (index, wire) in beacon.events().enumerate() {
        let receipt = match collect_event(&wire, index, around, &mut progress, memory) {
            Ok(receipt) => receipt,
            Err(stop) => {
                let site = wire.site().and_then(|id| around.sites.get(&id));
                collected.counts.add_ended(minute_s, site.map_or("", |site| site.id.as_str()), stop.outcome);
                Receipt { event_id: sent_id(&wire), outcome: stop.outcome, field: stop.field, row: None }
            }
        };
        collected.receipts.push(receipt);
    }
    collected.rows = progress.rows;
    collected.new_first_party_id = progress.sender.first_party.filter(|id| id.is_new).map(|id| id.id);
    collected
}

/// The sentence: cheap checks before expensive ones, policy before facts.
fn collect_event(
    wire: &WireEvent<'_, '_>,
    index: usize,
    around: Surroundings<'_>,
    progress: &mut Progress,
    memory: &mut Memory,
) -> Result<Receipt, Stop> {
    let (moment, Progress { sender, budget, rows }) = (around.moment, progress);
    let site = check_site(wire, around.sites)?;
    let is_from_server = check_sender(site, around.client)?;
    check_limits(site, around, is_from_server, &mut memory.limiter)?;
    let event = Event::check(wire, site, is_from_server)?;
    charge_items(site, around, is_from_server, event.items.len(), &mut memory.limiter);
    check_rows(rows.len() + 1 + event.items.len())?;
    if is_from_server {
        // Each event of a server may be of another visitor.
        *sender = Sender::default();
    }
    let user_agent = event.user_agent.clone();
    let visitor = ingest::visitor(event.ip, &user_agent);
    let client = if is_from_server { &visitor } else { around.client };
    let anonymised = check_privacy(site, client)?;
    let first_party_id = FirstParty::find(&mut sender.first_party, site, client, anonymised, moment);
    let visit = Visit::find(&mut sender.visit, site, client, first_party_id, around, &mut memory.sessions);
    let visitor_id = visit.session.visitor_id;
    check_sample(site, visitor_id)?;
    let browser = sender.browser.get_or_insert_with(|| memory.find_browser(client, moment));
    let is_fast = !is_from_server && memory.fast_visitors.contains(visitor_id, moment.received_at_ms);
    let verdict = filter::judge_event(&event, client, &rate::add(&browser.signals, is_fast));
    let verdict = check_policy(site, verdict)?;
    let facts = Facts {
        event_id: event.event_id.unwrap_or_else(|| mint_id(moment, index)),
        site,
        client,
        user_agent: &browser.user_agent,
        received_at_ms: moment.received_at_ms,
        session: visit.session,
        is_anonymous: anonymised.is_some(),
        verdict,
        collector_region: check_home(&visit.regions, around.regions)?,
        room_bytes: budget.room_bytes(),
        work: &budget.work,
    };
    let event_id = Some(facts.event_id);
    let enriched = enrich(event, &facts)?;
    budget.take(wire, &enriched.rows)?;
    let outcome = enriched.flag.map_or(Outcome::Accepted(anonymised), Outcome::Flagged);
    let is_counted = !is_from_server && site.bots != BotPolicy::Off;
    rows.extend(collected_rows(enriched.rows, index, visit, is_counted, outcome));
    Ok(Receipt { event_id, outcome, field: None, row: None })
}

/// The rows of one event, with where they may go and what the Batcher is to count with them.
fn collected_rows(
    rows: Vec<EncodedRow>,
    receipt: usize,
    visit: &Visit,
    is_counted: bool,
    outcome: Outcome,
) -> impl Iterator<Item = CollectedRow> {
    let visitor_id = visit.session.visitor_id;
    rows.into_iter().enumerate().map(move |(position, row)| CollectedRow {
        receipt,
        event_id: row.event_id,
        site: Arc::clone(&visit.site),
        visitor_id,
        // The items of a purchase are one event.
        counted_visitor_id: if is_counted && position == 0 { visitor_id } else { 0 },
        regions: visit.regions.clone(),
        outcome,
        line: row.line,
    })
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
    let is_from_server = client.ingest_key.is_some();
    if !is_from_server && prefetch::matches(client) {
        return Err(FilterReason::Prefetch.into());
    }
    Ok(is_from_server)
}

/// The site's own server sends for many visitors from one address: only the limit of the site holds for it.
fn check_limits(
    site: &Site,
    around: Surroundings<'_>,
    is_from_server: bool,
    limiter: &mut Limiter,
) -> Result<(), LimitReason> {
    let (client, now_ms, limits) = (around.client, around.moment.received_at_ms, site.limits);
    if let Some((_, reason)) = around.limited.iter().find(|(id, _)| *id == site.id) {
        return Err(*reason);
    }
    if !is_from_server && !limiter.take(|| visitor::address_key(site, client), limits.address_events_per_second, now_ms)
    {
        return Err(LimitReason::AddressRate);
    }
    if !limiter.take(|| visitor::site_key(site), limits.events_per_second, now_ms) {
        return Err(LimitReason::SiteRate);
    }
    Ok(())
}

/// Each item is a row like an event.
fn charge_items(site: &Site, around: Surroundings<'_>, is_from_server: bool, items: usize, limiter: &mut Limiter) {
    if !is_from_server {
        limiter.charge(|| visitor::address_key(site, around.client), site.limits.address_events_per_second, items);
    }
    limiter.charge(|| visitor::site_key(site), site.limits.events_per_second, items);
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
