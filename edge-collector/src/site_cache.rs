//! Sites and salts in the isolate's memory. In scope: asking the Registry at most every 30 s per site, so that the hot path makes no
//! extra call. Plain data only: I/O objects may not be shared between requests.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use collector_core::origin::MAX_ORIGIN_BYTES;
use collector_core::site::Site;
use worker::{Env, Error, Method, Result};

use crate::clock;
use crate::object::{self, Answer};
use crate::registry::{self, Entry, Salt};

/// How old settings may be: a change is visible everywhere within this time.
const FRESH_MS: i64 = 30_000;
/// How long "no such site" is remembered: short, because a new site is to be taken at once, but guessed ids must not each
/// cost a call.
const ABSENT_FRESH_MS: i64 = 1_000;
/// The most sites in memory; beyond, the memory starts over.
const MAX_SITES: usize = 2_000;

thread_local! {
    static KNOWN: RefCell<HashMap<String, Known>> = RefCell::new(HashMap::new());
    static ORIGINS: RefCell<HashMap<String, Permission>> = RefCell::new(HashMap::new());
}

/// Whether an origin is some site's, for preflights.
#[derive(Clone, Copy)]
struct Permission {
    is_allowed: bool,
    read_at_ms: i64,
}

/// A site with the salts of its visitors.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) site: Option<Arc<Site>>,
    pub(crate) salts: Arc<[Salt]>,
    read_at_ms: i64,
}

impl Known {
    fn is_fresh(&self, now_ms: i64) -> bool {
        let limit_ms = if self.site.is_some() { FRESH_MS } else { ABSENT_FRESH_MS };
        let age_ms = now_ms.saturating_sub(self.read_at_ms);
        // A new UTC day needs its own salt.
        let is_same_day = now_ms.div_euclid(86_400_000) == self.read_at_ms.div_euclid(86_400_000);
        (0..limit_ms).contains(&age_ms) && is_same_day
    }
}

/// The site of this id. If the Registry cannot be reached, settings that are too old are better than none.
pub(crate) async fn get(env: &Env, id: &str) -> Result<Known> {
    let now_ms = clock::now_ms();
    let remembered = KNOWN.with_borrow(|known| known.get(id).cloned());
    if let Some(known) = remembered.as_ref().filter(|known| known.is_fresh(now_ms)) {
        return Ok(known.clone());
    }
    match read(env, id, now_ms).await {
        Ok(known) => {
            KNOWN.with_borrow_mut(|all| remember(all, id, &known));
            Ok(known)
        }
        Err(error) => remembered.ok_or(error),
    }
}

/// Made-up ids must not push out the sites that there are.
fn remember(all: &mut HashMap<String, Known>, id: &str, known: &Known) {
    if all.len() >= MAX_SITES && !all.contains_key(id) {
        if known.site.is_none() {
            return;
        }
        all.retain(|_, known| known.site.is_some());
        if all.len() >= MAX_SITES {
            all.clear();
        }
    }
    all.insert(id.to_owned(), known.clone());
}

/// Whether an origin belongs to any site: what a preflight asks, which names no site.
pub(crate) async fn is_some_sites_origin(env: &Env, origin: &str) -> Result<bool> {
    // Anybody may send any: a long one is neither remembered nor worth a call.
    if origin.len() > MAX_ORIGIN_BYTES {
        return Ok(false);
    }
    let now_ms = clock::now_ms();
    let is_fresh = |permission: &Permission| {
        let limit_ms = if permission.is_allowed { FRESH_MS } else { ABSENT_FRESH_MS };
        (0..limit_ms).contains(&now_ms.saturating_sub(permission.read_at_ms))
    };
    if let Some(permission) = ORIGINS.with_borrow(|all| all.get(origin).copied()).filter(is_fresh) {
        return Ok(permission.is_allowed);
    }
    let is_allowed = ask(env, Method::Post, "/origin", Some(origin)).await?.json().await?;
    ORIGINS.with_borrow_mut(|all| {
        if all.len() >= MAX_SITES {
            all.clear();
        }
        all.insert(origin.to_owned(), Permission { is_allowed, read_at_ms: now_ms });
    });
    Ok(is_allowed)
}

/// Forgets a site, so that this isolate sees a change at once.
pub(crate) fn forget(id: &str) {
    KNOWN.with_borrow_mut(|known| known.remove(id));
}

async fn read(env: &Env, id: &str, now_ms: i64) -> Result<Known> {
    let entry: Entry = ask(env, Method::Get, &format!("/sites/{id}"), None).await?.json().await?;
    let site = entry.settings.map(|text| Site::parse(&text)).transpose();
    let site = site.map_err(|error| Error::RustError(format!("stored settings of site {id}: {error}")))?;
    Ok(Known { site: site.map(Arc::new), salts: entry.salts.into(), read_at_ms: now_ms })
}

/// Calls the Registry; an answer that is not 200 is an error with what it says.
pub(crate) async fn ask(env: &Env, method: Method, path: &str, body: Option<&str>) -> Result<Answer> {
    let stub = env.durable_object("REGISTRY")?.get_by_name(registry::NAME)?;
    let url = format!("https://registry{path}");
    object::call(stub, &method, &url, body.map(str::as_bytes)).await?.expect_ok().await
}
