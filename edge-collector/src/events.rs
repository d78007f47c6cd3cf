//! The path of a beacon: read, collect, make durable, answer. In scope: the order of these steps and their I/O.
//! Out of scope: every rule about events (`collector_core`).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use collector_core::beacon::{Beacon, BeaconError};
use collector_core::body;
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

use crate::client::Sender;
use crate::config::Config;
use crate::incoming::Incoming;
use crate::{append, asset, clock, http, query, rate_limit, signed, site_cache};

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
enum Found {
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
    let mut sender = Sender::of(request);
    if is_operator {
        sender.is_operator();
    }
    let (found, origin) = read(request, &sender, Purpose::Store, env, config).await?;
    let mut cookie = None;
    let reply = match found {
        Found::Unavailable => Reply::unavailable(),
        Found::Refused(error) => {
            append::count(env, config, refused(&error)).await;
            Reply::from_error(&error)
        }
        Found::Events(mut collected) => {
            store(env, config, &mut collected).await;
            if is_debug {
                collected.show_rows();
            }
            cookie = collected.new_first_party_id;
            collected.reply()
        }
    };
    let response = http::reply(&reply, origin.as_deref())?;
    set_cookie(&response, cookie, config, &sender)?;
    Ok(response)
}

/// `POST /v1/validate`: the same answer with the rows that would be written; writes nothing.
pub(crate) async fn validate(request: &Incoming<'_>, env: &Env, config: &Config) -> Result<Response> {
    let mut sender = Sender::of(request);
    if http::is_operator(request, env) {
        sender.is_operator();
    }
    let (found, origin) = read(request, &sender, Purpose::Show, env, config).await?;
    let reply = match found {
        Found::Unavailable => Reply::unavailable(),
        Found::Refused(error) => Reply::from_error(&error),
        Found::Events(mut collected) => {
            collected.show_rows();
            collected.reply()
        }
    };
    http::reply(&reply, origin.as_deref())
}

/// `GET /v1/pixel.gif`: one event in the query, for pages without scripts; the answer is the pixel whatever becomes of it.
pub(crate) async fn take_pixel(request: &Incoming<'_>, env: &Env, config: &Config) -> Result<Response> {
    let mut sender = Sender::of(request);
    sender.believe_referer();
    let mut cookie = None;
    let query = request.query();
    if query.len() > MAX_PIXEL_QUERY_BYTES {
        let error = BeaconError::BodyTooLarge { limit_bytes: MAX_PIXEL_QUERY_BYTES };
        append::count(env, config, refused(&error)).await;
    } else {
        let mut event = BTreeMap::new();
        for (name, value) in query::pairs(query) {
            event.insert(name, value);
        }
        let body = serde_json::to_string(&event)?;
        match collect(body.as_bytes(), &sender, Purpose::Store, env, config).await? {
            (Found::Events(mut collected), _) => {
                store(env, config, &mut collected).await;
                cookie = collected.new_first_party_id;
            }
            (Found::Refused(error), _) => append::count(env, config, refused(&error)).await,
            (Found::Unavailable, _) => {}
        }
    }
    let response = asset::pixel()?;
    set_cookie(&response, cookie, config, &sender)?;
    Ok(response)
}

/// Gives the browser its new first-party id.
fn set_cookie(response: &Response, id: Option<Uuid>, config: &Config, sender: &Sender<'_>) -> Result<()> {
    let Some(id) = id else { return Ok(()) };
    let cookie = first_party::set_cookie(id, &config.path_prefix, sender.is_https());
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

/// A body that is no beacon, as the books have it: one event of no site.
fn refused(error: &BeaconError) -> Ledger {
    let mut counts = Ledger::default();
    counts.add_ended(minute_s(clock::now_ms()), "", Outcome::Invalid(error.reason()));
    counts
}

/// What a request brings, and which origin may read the answer.
async fn read(
    request: &Incoming<'_>,
    sender: &Sender<'_>,
    purpose: Purpose,
    env: &Env,
    config: &Config,
) -> Result<(Found, Option<String>)> {
    let (found, origin) = match read_body(request).await? {
        Ok(body) => collect(&body, sender, purpose, env, config).await?,
        Err(error) => (Found::Refused(error), None),
    };
    // Without a beacon nobody knows the site, but any site's page may read why it was refused; an answer that it cannot read is no answer.
    let origin = match (&found, sender.origin()) {
        (Found::Refused(_), Some(sent)) if site_cache::is_some_sites_origin(env, sent).await.unwrap_or(false) => {
            Some(sent.to_owned())
        }
        _ => origin,
    };
    Ok((found, origin))
}

/// The body as received, or too large: by what it declares, or else cut off as soon as it is.
async fn read_body(request: &Incoming<'_>) -> Result<std::result::Result<Vec<u8>, BeaconError>> {
    let declared_bytes = request.headers.content_length.and_then(|text| text.parse::<usize>().ok());
    let bytes = match declared_bytes {
        Some(bytes) if bytes > body::MAX_BODY_BYTES => None,
        // HTTP holds a body to its declared length, and reading it at once costs less than a stream.
        Some(_) => Some(request.bytes().await?).filter(|bytes| bytes.len() <= body::MAX_BODY_BYTES),
        None => request.bytes_up_to(body::MAX_BODY_BYTES).await?,
    };
    Ok(bytes
        .ok_or(BeaconError::BodyTooLarge { limit_bytes: body::MAX_BODY_BYTES })
        .and_then(|bytes| body::decode(&bytes, request.headers.content_encoding).map(std::borrow::Cow::into_owned)))
}

/// Parses and collects; also says which origin may read the answer.
async fn collect(
    body: &[u8],
    sender: &Sender<'_>,
    purpose: Purpose,
    env: &Env,
    config: &Config,
) -> Result<(Found, Option<String>)> {
    let beacon = match Beacon::parse(body) {
        Ok(beacon) => beacon,
        Err(error) => return Ok((Found::Refused(error), None)),
    };
    let mut sites = Sites::default();
    let mut salts = Vec::new();
    // What cannot be an id is no site: the pipeline says so, and the Registry is not asked.
    for id in beacon.sites().iter().filter(|id| is_id(id)) {
        let Ok(known) = site_cache::get(env, id).await else {
            // Without the settings nothing may be said about the events, least of all "no such site".
            return Ok((Found::Unavailable, None));
        };
        salts.extend(known.salts.iter().map(|salt| (salt.day, salt.salt)));
        if let Some(site) = known.site {
            sites.insert(site);
        }
    }
    let origin =
        sender.origin().filter(|origin| sites.iter().any(|site| site.allows_origin(Some(origin)))).map(str::to_owned);
    let mut entropy = [0_u8; 32];
    if getrandom::fill(&mut entropy).is_err() {
        return Ok((Found::Unavailable, origin));
    }
    let signed = signed::check(sender.signed(), &config.agents).await;
    let client = Client { signed, ..sender.client() };
    let limited = match purpose {
        Purpose::Store => rate_limit::limited(env, &sites, &client).await,
        Purpose::Show => Vec::new(),
    };
    let received_at_ms = time::received_at_ms(RECEIVED_AT_MS.get(), clock::now_ms());
    RECEIVED_AT_MS.set(received_at_ms);
    let moment = Moment { received_at_ms, entropy, salts: Salts::new(salts) };
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
    Ok((Found::Events(Box::new(collected)), origin))
}
