//! Request headers and Cloudflare's properties -> the core's `Client`. In scope: reading them, each once. Out of scope: what they mean.
//!
//! The accessors of the `worker` crate for Cloudflare's properties panic when one is absent, and outside Cloudflare most are: so the
//! object is read field by field, and an absent or odd field is `None`.

use std::net::IpAddr;

use collector_core::client::Client;
use collector_core::url::Url;
use js_sys::{Number, Reflect};
use wasm_bindgen::JsValue;
use worker::{Headers, Request};

use crate::http;
use crate::signed::{self, Signed};

/// What the request says of its sender, owned, because the core only borrows.
pub(crate) struct Sender {
    network: Network,
    headers: HeaderValues,
    is_https: bool,
    signed: Signed,
}

/// `request.cf`.
#[derive(Default)]
struct Network {
    country: Option<String>,
    continent: Option<String>,
    region: Option<String>,
    city: Option<String>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    timezone: Option<String>,
    asn: Option<u32>,
    colo: Option<String>,
    bot_score: Option<u8>,
    is_verified_bot: bool,
}

struct HeaderValues {
    ip: Option<IpAddr>,
    user_agent: Option<String>,
    ch_brands: Option<String>,
    ch_full_version_list: Option<String>,
    ch_mobile: Option<String>,
    ch_platform: Option<String>,
    ch_platform_version: Option<String>,
    ch_model: Option<String>,
    accept_language: Option<String>,
    sec_fetch_site: Option<String>,
    sec_fetch_mode: Option<String>,
    sec_fetch_dest: Option<String>,
    sec_gpc: Option<String>,
    dnt: Option<String>,
    purpose: Option<String>,
    origin: Option<String>,
    cookie: Option<String>,
    ingest_key: Option<String>,
}

impl Sender {
    pub(crate) fn of(request: &Request) -> Self {
        let is_https = request.inner().url().starts_with("https:");
        Self {
            network: network(request),
            headers: HeaderValues::of(request.headers()),
            is_https,
            signed: signed::read(request),
        }
    }

    /// The operator's token is no ingest key.
    pub(crate) fn is_operator(&mut self) {
        self.headers.ingest_key = None;
    }

    /// An image's request names no origin, but mostly the page that it stands on.
    pub(crate) fn believe_referer(&mut self, headers: &Headers) {
        if self.headers.origin.is_none()
            && let Ok(Some(referer)) = headers.get("Referer")
        {
            self.headers.origin = Url::parse(&referer).map(|url| format!("{}://{}", url.scheme, url.authority));
        }
    }

    /// Whether the request came over TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.is_https
    }

    /// What the request claims about an agent that has signed it.
    pub(crate) fn signed(&self) -> &Signed {
        &self.signed
    }

    /// The origin that a browser names.
    pub(crate) fn origin(&self) -> Option<&str> {
        self.headers.origin.as_deref()
    }

    pub(crate) fn client(&self) -> Client<'_> {
        let (network, headers) = (&self.network, &self.headers);
        Client {
            ip: headers.ip,
            country: network.country.as_deref(),
            continent: network.continent.as_deref(),
            region: network.region.as_deref(),
            city: network.city.as_deref(),
            latitude: network.latitude,
            longitude: network.longitude,
            timezone: network.timezone.as_deref(),
            asn: network.asn,
            bot_score: network.bot_score,
            is_verified_bot: network.is_verified_bot,
            signed: None,
            colo: network.colo.as_deref(),
            is_https: self.is_https,
            user_agent: headers.user_agent.as_deref(),
            ch_brands: headers.ch_brands.as_deref(),
            ch_full_version_list: headers.ch_full_version_list.as_deref(),
            ch_mobile: headers.ch_mobile.as_deref(),
            ch_platform: headers.ch_platform.as_deref(),
            ch_platform_version: headers.ch_platform_version.as_deref(),
            ch_model: headers.ch_model.as_deref(),
            accept_language: headers.accept_language.as_deref(),
            sec_fetch_site: headers.sec_fetch_site.as_deref(),
            sec_fetch_mode: headers.sec_fetch_mode.as_deref(),
            sec_fetch_dest: headers.sec_fetch_dest.as_deref(),
            sec_gpc: headers.sec_gpc.as_deref(),
            dnt: headers.dnt.as_deref(),
            purpose: headers.purpose.as_deref(),
            origin: headers.origin.as_deref(),
            cookie: headers.cookie.as_deref(),
            ingest_key: headers.ingest_key.as_deref(),
            is_told: false,
        }
    }
}

impl HeaderValues {
    fn of(headers: &Headers) -> Self {
        let get = |name: &str| headers.get(name).ok().flatten();
        Self {
            // Set by Cloudflare; no other address header is believed.
            ip: get("CF-Connecting-IP").and_then(|text| text.parse().ok()),
            user_agent: get("User-Agent"),
            ch_brands: get("Sec-CH-UA"),
            ch_full_version_list: get("Sec-CH-UA-Full-Version-List"),
            ch_mobile: get("Sec-CH-UA-Mobile"),
            ch_platform: get("Sec-CH-UA-Platform"),
            ch_platform_version: get("Sec-CH-UA-Platform-Version"),
            ch_model: get("Sec-CH-UA-Model"),
            accept_language: get("Accept-Language"),
            sec_fetch_site: get("Sec-Fetch-Site"),
            sec_fetch_mode: get("Sec-Fetch-Mode"),
            sec_fetch_dest: get("Sec-Fetch-Dest"),
            sec_gpc: get("Sec-GPC"),
            dnt: get("DNT"),
            purpose: ["Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"].iter().find_map(|name| get(name)),
            origin: get("Origin"),
            cookie: get("Cookie"),
            ingest_key: http::bearer(headers),
        }
    }
}

fn network(request: &Request) -> Network {
    let properties = Reflect::get(request.inner(), &JsValue::from_str("cf")).unwrap_or(JsValue::UNDEFINED);
    if !properties.is_object() {
        return Network::default();
    }
    let get = |name: &str| Reflect::get(&properties, &JsValue::from_str(name)).ok();
    let text = |name: &str| get(name).and_then(|value| value.as_string());
    // Degrees arrive as text. The runtime reads them: the tables that Rust has for it are 12 KB of the gzipped Worker.
    let degrees = |name: &str| text(name).map(|text| Number::parse_float(&text)).filter(|number| number.is_finite());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
    let asn = get("asn").and_then(|value| value.as_f64()).map(|number| number as u32);
    let (bot_score, is_verified_bot) = bot_management(&properties);
    Network {
        country: text("country"),
        continent: text("continent"),
        region: text("region"),
        city: text("city"),
        latitude: degrees("latitude"),
        longitude: degrees("longitude"),
        timezone: text("timezone"),
        asn,
        colo: text("colo"),
        bot_score,
        is_verified_bot,
    }
}

/// What Bot Management says, in accounts that have it: the score, and whether Cloudflare has verified the crawler.
fn bot_management(properties: &JsValue) -> (Option<u8>, bool) {
    let get = |object: &JsValue, name: &str| Reflect::get(object, &JsValue::from_str(name)).ok();
    let Some(bot) = get(properties, "botManagement").filter(JsValue::is_object) else {
        return (None, false);
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
    let score = get(&bot, "score").and_then(|value| value.as_f64()).map(|number| number as u8);
    (score, get(&bot, "verifiedBot").and_then(|value| value.as_bool()).unwrap_or(false))
}
