//! The path of a beacon: read, collect, make durable, answer. In scope: the order of these steps and their I/O.
//! Out of scope: every rule about events (`collector_core`).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use collector_core::beacon::{Beacon, BeaconError};
use collector_core::client::Client;
use collector_core::collected::Collected;
use collector_core::enrich::time;
use collector_core::enrich::visitor::Salts;
use collector_core::first_party;
use collector_core::ledger::{Ledger, minute_s};
use collector_core::outcome::Outcome;
use collector_core::pipeline::{self, Memory, Moment, Surroundings};
use collector_core::receipt::Reply;
use collector_core::site::{Sites, is_id};
use uuid::Uuid;
use web_sys::Response;
use worker::{Env, Result};

use crate::client::Requester;
use crate::config::Config;
use crate::incoming::Incoming;
use crate::{append, asset, body, clock, http, query, random, rate_limit, signed, site_cache};

/// The longest query of the pixel, in bytes.
const MAX_PIXEL_QUERY_BYTES: usize = 8 * 1024;

thread_local! {
    /// Parsed user agents, rate limits, fast visitors: bounded, and nothing is lost with them.
    static MEMORY: RefCell<Memory> = RefCell::new(Memory::default());
    /// When the last beacon of this isolate was received.
    static RECEIVED_AT_MS: Cell<i64> = const { Cell::new(0) };
}

/// What a beacon is read for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Store,
    /// To say what would be stored.
    Show,
}

/// What is in a body.
enum Content {
    Events(Box<Collected>),
    /// It is no beacon at all.
    Refused(BeaconError),
    /// Nobody can tell: what the collector needs for a verdict is out of reach.
    Unavailable,
}

/// `POST /v1/events`
pub(crate) async fn take(request: &Incoming<'_>, env: &Env, config: &Config) -> Result<Response> {
    let is_operator = http::is_operator(request, env);
    let is_debug = is_operator && query::pairs(request.query()).any(|pair| pair == ("debug".into(), "1".into()));
    let mut requester = Requester::of(request);
    if is_operator {
        requester.forget_ingest_key();
    }
    let (content, origin) = read(request, &requester, Purpose::Store, env, config).await?;
    let mut cookie = None;
    let reply = match content {
        Content::Unavailable => Reply::unavailable(),
        Content::Refused(error) => {
            count_refused(env, config, &error).await;
            Reply::from_error(&error)
        }
        Content::Events(mut collected) => {
            store(env, config, &mut collected).await;
            if is_debug {
                collected.show_rows();
            }
            cookie = collected.new_first_party_id;
            collected.reply()
        }
    };
    let response = http::reply(&reply, origin.as_deref())?;
    set_cookie(&response, cookie, config, &requester)?;
    Ok(response)
}

/// `POST /v1/validate`: the same answer with the rows that would be written; writes nothing.
pub(crate) async fn validate(request: &Incoming<'_>, env: &Env, config: &Config) -> Result<Response> {
    let mut requester = Requester::of(request);
    if http::is_operator(request, env) {
        requester.forget_ingest_key();
    }
    let (content, origin) = read(request, &requester, Purpose::Show, env, config).await?;
    let reply = match content {
        Content::Unavailable => Reply::unavailable(),
        Content::Refused(error) => Reply::from_error(&error),
        Content::Events(mut collected) => {
            collected.show_rows();
            collected.reply()
        }
    };
    http::reply(&reply, origin.as_deref())
}

/// `GET /v1/pixel.gif`: one event in the query, for pages without scripts; the answer is the pixel whatever becomes of it.
pub(crate) async fn take_pixel(request: &Incoming<'_>, env: &Env, config: &Config) -> Result<Response> {
    let mut requester = Requester::of(request);
    requester.believe_referer();
    let query = request.query();
    let content = if query.len() > MAX_PIXEL_QUERY_BYTES {
        Content::Refused(BeaconError::BodyTooLarge { limit_bytes: MAX_PIXEL_QUERY_BYTES })
    } else {
        let mut event = BTreeMap::new();
        for (name, value) in query::pairs(query) {
            event.insert(name, value);
        }
        let body = serde_json::to_string(&event)?;
        let (content, _) = collect(body.as_bytes(), &requester, Purpose::Store, env, config).await?;
        content
    };
    let cookie = match content {
        Content::Events(mut collected) => {
            store(env, config, &mut collected).await;
            collected.new_first_party_id
        }
        Content::Refused(error) => {
            count_refused(env, config, &error).await;
            None
        }
        Content::Unavailable => None,
    };
    let response = asset::pixel()?;
    set_cookie(&response, cookie, config, &requester)?;
    Ok(response)
}

/// Gives the browser its new first-party id.
fn set_cookie(response: &Response, id: Option<Uuid>, config: &Config, requester: &Requester<'_>) -> Result<()> {
    let Some(id) = id else { return Ok(()) };
    let cookie = first_party::set_cookie(id, &config.path_prefix, requester.is_https());
    Ok(response.headers().append("Set-Cookie", &cookie)?)
}

/// Makes the rows durable, and remembers what the Batchers said of their visitors.
async fn store(env: &Env, config: &Config, collected: &mut Collected) {
    append::append(env, config, collected).await;
    if !collected.fast_visitors.is_empty() {
        let now_ms = clock::now_ms();
        MEMORY.with_borrow_mut(|memory| {
            for visitor_id in &collected.fast_visitors {
                memory.fast_visitors.insert(*visitor_id, now_ms);
            }
        });
    }
}

/// Counts a body that is no beacon: to the books it is one event of no site.
async fn count_refused(env: &Env, config: &Config, error: &BeaconError) {
    let mut counts = Ledger::default();
    counts.add_ended(minute_s(clock::now_ms()), "", Outcome::Invalid(error.reason()));
    append::count(env, config, counts).await;
}

/// What a request brings, and which origin may read the answer.
async fn read(
    request: &Incoming<'_>,
    requester: &Requester<'_>,
    purpose: Purpose,
    env: &Env,
    config: &Config,
) -> Result<(Content, Option<String>)> {
    let (content, origin) = match body::read(request).await? {
        Ok(body) => collect(&body, requester, purpose, env, config).await?,
        Err(error) => (Content::Refused(error), None),
    };
    // Without a beacon nobody knows the site, but any site's page may read why it was refused; an answer that it cannot read is no answer.
    let origin = match (&content, requester.origin()) {
        (Content::Refused(_), Some(sent)) if site_cache::is_some_sites_origin(env, sent).await.unwrap_or(false) => {
            Some(sent.to_owned())
        }
        _ => origin,
    };
    Ok((content, origin))
}

/// Parses and collects; also says which origin may read the answer.
async fn collect(
    body: &[u8],
    requester: &Requester<'_>,
    purpose: Purpose,
    env: &Env,
    config: &Config,
) -> Result<(Content, Option<String>)> {
    let beacon = match Beacon::parse(body) {
        Ok(beacon) => beacon,
        Err(error) => return Ok((Content::Refused(error), None)),
    };
    let Some((sites, salts)) = find_sites(env, &beacon).await else { return Ok((Content::Unavailable, None)) };
    let may_read = |origin: &&str| sites.iter().any(|site| site.allows_origin(Some(origin)));
    let origin = requester.origin().filter(may_read).map(str::to_owned);
    let Ok(entropy) = random::bytes() else { return Ok((Content::Unavailable, origin)) };
    let signed = signed::check(requester.signed(), &config.agents).await;
    let client = Client { signed, ..requester.client() };
    let limited = match purpose {
        Purpose::Store => rate_limit::limited(env, &sites, &client).await,
        Purpose::Show => Vec::new(),
    };
    let moment = Moment { received_at_ms: received_at_ms(), entropy, salts };
    let around =
        Surroundings { sites: &sites, regions: &config.regions, client: &client, moment: &moment, limited: &limited };
    let collected = MEMORY.with_borrow_mut(|memory| match purpose {
        Purpose::Store => pipeline::collect(&beacon, around, memory),
        // What is only shown takes nothing from the limits of what is stored.
        Purpose::Show => {
            let counted = std::mem::take(&mut memory.limiter);
            let collected = pipeline::collect(&beacon, around, memory);
            memory.limiter = counted;
            collected
        }
    });
    Ok((Content::Events(Box::new(collected)), origin))
}

/// The sites that a beacon names, and the salts of their visitors. `None` if they cannot be read: without the settings nothing may be said about the
/// events, least of all "no such site".
async fn find_sites(env: &Env, beacon: &Beacon<'_>) -> Option<(Sites, Salts)> {
    let mut sites = Sites::default();
    let mut salts = Vec::new();
    // What cannot be an id is no site: the pipeline says so, and the Registry is not asked.
    for id in beacon.sites().iter().filter(|id| is_id(id)) {
        let known = site_cache::get(env, id).await.ok()?;
        salts.extend(known.salts.iter().map(|salt| (salt.day, salt.salt)));
        if let Some(site) = known.site {
            sites.insert(site);
        }
    }
    Some((sites, Salts::new(salts)))
}

/// The time of receipt; while the clock is put back by a little, that of the beacon before.
fn received_at_ms() -> i64 {
    let received_at_ms = time::received_at_ms(RECEIVED_AT_MS.get(), clock::now_ms());
    RECEIVED_AT_MS.set(received_at_ms);
    received_at_ms
}
