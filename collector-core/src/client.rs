//! What the edge knows of the sender, besides the beacon.
//!
//! In scope: request headers and network facts as plain text, filled in by the shell. Out of scope: what they mean (`enrich`, `filter`).

use std::net::IpAddr;

use crate::web_bot_auth::Finding;

/// The longest user agent that counts, in bytes. Those of browsers have 110 to 400; what is longer is cut, for every row repeats it.
pub const MAX_USER_AGENT_BYTES: usize = 1_024;

/// The sender of one beacon. Every field may be absent: outside Cloudflare there are no network facts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Client<'a> {
    /// Address of the sender, as the edge saw it; never taken from a header that a client can set.
    pub ip: Option<IpAddr>,
    /// Country by the address, two upper-case letters.
    pub country: Option<&'a str>,
    /// Continent by the address, two upper-case letters.
    pub continent: Option<&'a str>,
    /// Region within the country, by its name.
    pub region: Option<&'a str>,
    /// City, by its name.
    pub city: Option<&'a str>,
    /// Degrees north.
    pub latitude: Option<f64>,
    /// Degrees east.
    pub longitude: Option<f64>,
    /// Time zone by the address, as in the IANA database.
    pub timezone: Option<&'a str>,
    /// Number of the network.
    pub asn: Option<u32>,
    /// Cloudflare's bot score: 1 is surely automated, 99 surely a person, 0 not computed. Only accounts with Bot Management have it
    /// (`cf.botManagement.score`).
    pub bot_score: Option<u8>,
    /// True if Cloudflare knows the sender as a crawler and has verified it (`cf.botManagement.verifiedBot`).
    pub is_verified_bot: bool,
    /// What is known of the agent that says it has signed the request; none for requests that say nothing of the kind.
    pub signed: Option<Finding<'a>>,
    /// Data centre of the edge that took the request, three letters.
    pub colo: Option<&'a str>,
    /// True if the request came over TLS; client hints are only sent then.
    pub is_https: bool,
    /// `User-Agent`
    pub user_agent: Option<&'a str>,
    /// `Sec-CH-UA`
    pub ch_brands: Option<&'a str>,
    /// `Sec-CH-UA-Full-Version-List`
    pub ch_full_version_list: Option<&'a str>,
    /// `Sec-CH-UA-Mobile`
    pub ch_mobile: Option<&'a str>,
    /// `Sec-CH-UA-Platform`
    pub ch_platform: Option<&'a str>,
    /// `Sec-CH-UA-Platform-Version`
    pub ch_platform_version: Option<&'a str>,
    /// `Sec-CH-UA-Model`
    pub ch_model: Option<&'a str>,
    /// `Accept-Language`
    pub accept_language: Option<&'a str>,
    /// `Sec-Fetch-Site`
    pub sec_fetch_site: Option<&'a str>,
    /// `Sec-Fetch-Mode`
    pub sec_fetch_mode: Option<&'a str>,
    /// `Sec-Fetch-Dest`
    pub sec_fetch_dest: Option<&'a str>,
    /// `Sec-GPC`
    pub sec_gpc: Option<&'a str>,
    /// `DNT`
    pub dnt: Option<&'a str>,
    /// `Sec-Purpose`, else `Purpose`, `X-Purpose` or `X-Moz`.
    pub purpose: Option<&'a str>,
    /// `Origin`
    pub origin: Option<&'a str>,
    /// `Cookie`, for sites with persistent visitors.
    pub cookie: Option<&'a str>,
    /// The key in `Authorization: Bearer`, by which a site's own server sends.
    pub ingest_key: Option<&'a str>,
    /// True if all that is known of this visitor is what the site's own server says: then there are no headers to judge.
    pub is_from_server: bool,
}

impl Client<'_> {
    /// True if the request bears the marks of a browser, which a page's script can neither set nor remove.
    pub fn is_browser(&self) -> bool {
        self.origin.is_some() || self.sec_fetch_site.is_some() || self.sec_fetch_mode.is_some()
    }

    /// The user agent up to its limit, or the empty string.
    pub fn user_agent(&self) -> &str {
        let text = self.user_agent.unwrap_or("");
        text.get(..text.floor_char_boundary(MAX_USER_AGENT_BYTES)).unwrap_or(text)
    }
}
