//! Rate limits that are counted outside the isolate: Cloudflare's rate limiting bindings, where the operator has bound them.
//!
//! In scope: asking the bindings `SITE_RATE_LIMIT` and `ADDRESS_RATE_LIMIT`, once per beacon and site. Out of scope: the limits of the site's
//! settings, which each isolate counts by itself (`collector_core::limit`).
//!
//! The binding is called by name, because the `worker` crate's own type brings a serialiser along for one field.

use collector_core::client::Client;
use collector_core::enrich::visitor;
use collector_core::log::{Level, Line};
use collector_core::outcome::LimitReason;
use collector_core::site::Sites;
use js_sys::futures::JsFuture;
use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use worker::{Env, Error};

use crate::log;

/// The sites for which the sender is over a limit. A binding that fails limits nobody.
pub(crate) async fn limited(env: &Env, sites: &Sites, client: &Client<'_>) -> Vec<(String, LimitReason)> {
    let mut limited = Vec::new();
    for site in sites.iter() {
        let of_site = site.id.clone();
        let of_address = format!("{}:{:016x}", site.id, visitor::address_key(site, client));
        // The site's own server sends for many visitors from one address.
        let is_server = client.ingest_key.is_some();
        if !is_server && is_over(env, "ADDRESS_RATE_LIMIT", &of_address).await {
            limited.push((site.id.clone(), LimitReason::AddressRate));
        } else if is_over(env, "SITE_RATE_LIMIT", &of_site).await {
            limited.push((site.id.clone(), LimitReason::SiteRate));
        }
    }
    limited
}

async fn is_over(env: &Env, name: &str, key: &str) -> bool {
    let Some(binding) = find(env, name) else { return false };
    match ask(&binding, key).await {
        Ok(is_within) => !is_within,
        Err(error) => {
            log::write(Line::new(Level::Warn, "rate_limit_not_asked").text("binding", name).error(Error::from(error)));
            false
        }
    }
}

fn find(env: &Env, name: &str) -> Option<JsValue> {
    Reflect::get(env, &JsValue::from_str(name)).ok().filter(JsValue::is_object)
}

/// Whether one more is within the limit.
async fn ask(binding: &JsValue, key: &str) -> Result<bool, JsValue> {
    let options = Object::new();
    Reflect::set(&options, &JsValue::from_str("key"), &JsValue::from_str(key))?;
    let limit: Function = Reflect::get(binding, &JsValue::from_str("limit"))?.dyn_into()?;
    let promise: Promise = limit.call1(binding, &options)?.dyn_into()?;
    let outcome: JsValue = JsFuture::from(promise).await?;
    Ok(Reflect::get(&outcome, &JsValue::from_str("success"))?.is_truthy())
}
