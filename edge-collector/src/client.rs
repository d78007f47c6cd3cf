//! Request headers and Cloudflare's properties -> the core's `Client`. In scope: which of them the sender is. Out of scope: what they mean.

use std::borrow::Cow;
use std::net::IpAddr;

use collector_core::client::Client;
use collector_core::url::Url;

use crate::http;
use crate::incoming::Incoming;
use crate::signed::{self, Signed};

/// Whoever sent a request, by what it says: the headers as they are, and what has to be made of some of them first.
pub(crate) struct Requester<'r> {
    request: &'r Incoming<'r>,
    ip: Option<IpAddr>,
    origin: Option<Cow<'r, str>>,
    ingest_key: Option<&'r str>,
    signed: Signed,
}

impl<'r> Requester<'r> {
    pub(crate) fn of(request: &'r Incoming<'r>) -> Self {
        Self {
            request,
            // Set by Cloudflare; no other address header is believed.
            ip: request.headers.ip.and_then(|text| text.parse().ok()),
            origin: request.headers.origin.map(Cow::Borrowed),
            ingest_key: http::bearer(request),
            signed: signed::read(request),
        }
    }

    /// For the operator's requests: their token is no ingest key.
    pub(crate) fn forget_ingest_key(&mut self) {
        self.ingest_key = None;
    }

    /// An image's request names no origin, but mostly the page that it stands on.
    pub(crate) fn believe_referer(&mut self) {
        if self.origin.is_none()
            && let Some(referer) = self.request.header("Referer")
        {
            let page = Url::parse(&referer);
            self.origin = page.map(|url| Cow::Owned(format!("{}://{}", url.scheme, url.authority)));
        }
    }

    /// Whether the request came over TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.request.url.starts_with("https:")
    }

    /// What the request claims about an agent that has signed it.
    pub(crate) fn signed(&self) -> &Signed {
        &self.signed
    }

    /// The origin that a browser names.
    pub(crate) fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// The sender as the core is told of it; whether it has signed the request is checked by whoever needs to know.
    pub(crate) fn client(&self) -> Client<'_> {
        let Incoming { headers, properties, numbers, .. } = self.request;
        Client {
            ip: self.ip,
            country: properties.country,
            continent: properties.continent,
            region: properties.region,
            city: properties.city,
            latitude: numbers.latitude,
            longitude: numbers.longitude,
            timezone: properties.timezone,
            asn: properties.asn.and_then(|text| text.parse().ok()),
            bot_score: numbers.bot_score,
            is_verified_bot: numbers.is_verified_bot,
            signed: None,
            colo: properties.colo,
            is_https: self.is_https(),
            user_agent: headers.user_agent,
            ch_brands: headers.ch_brands,
            ch_full_version_list: headers.ch_full_version_list,
            ch_mobile: headers.ch_mobile,
            ch_platform: headers.ch_platform,
            ch_platform_version: headers.ch_platform_version,
            ch_model: headers.ch_model,
            accept_language: headers.accept_language,
            sec_fetch_site: headers.sec_fetch_site,
            sec_fetch_mode: headers.sec_fetch_mode,
            sec_fetch_dest: headers.sec_fetch_dest,
            sec_gpc: headers.sec_gpc,
            dnt: headers.dnt,
            purpose: headers.sec_purpose.or(headers.purpose).or(headers.x_purpose).or(headers.x_moz),
            origin: self.origin.as_deref(),
            cookie: headers.cookie,
            ingest_key: self.ingest_key,
            is_from_server: false,
        }
    }
}
