//! The settings of one site.
//!
//! In scope: the settings as JSON, their check with errors that name the field, the bootstrap list.
//! Out of scope: where settings are stored and cached (the shell), how each setting acts (`origin`, `pipeline`, `enrich`, `filter`).

mod fault;

use std::sync::Arc;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::enrich::channel::own::OwnChannels;
use crate::origin::is_domain;
use crate::rule::{RuleError, Rules};
use crate::sampling::SamplingRate;
use crate::wire;

/// The longest site id, in bytes.
pub const MAX_SITE_ID_BYTES: usize = 64;

/// The most entries of one list in the settings of a site.
pub const MAX_LIST_ENTRIES: usize = 100;

/// Why settings are refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SiteError {
    /// The JSON is no settings object.
    #[error("expected the settings of a site, found {0}")]
    Json(String),
    /// One setting has a value of another type.
    #[error("expected a possible value in {setting}, found {found}")]
    Type {
        /// The setting, with a dot before an inner one.
        setting: String,
        /// What is wrong with it.
        found: String,
    },
    /// One setting has an impossible value.
    #[error("expected {expected} in {field}, found {found:?}")]
    Setting {
        /// The setting.
        field: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// The rules cannot be used.
    #[error(transparent)]
    Rules(#[from] RuleError),
}

/// Whether events of the site are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Events are taken.
    #[default]
    Active,
    /// Events are filtered as `site_paused`.
    Paused,
}

/// What happens to a field that the collector does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownFields {
    /// It is kept in `properties`.
    #[default]
    Lenient,
    /// The event is invalid.
    Strict,
}

/// What is stored of the sender's address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IpMode {
    /// The network: /24 of IPv4, /48 of IPv6.
    #[default]
    Truncate,
    /// Nothing.
    Drop,
    /// The whole address.
    Keep,
}

/// How visitors are recognised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VisitorMode {
    /// By a hash whose key is forgotten after a day.
    #[default]
    Daily,
    /// By a first-party id that the edge sets.
    Persistent,
}

/// What a privacy signal of the browser does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalMode {
    /// Nothing.
    Off,
    /// The event is stored without identifiers.
    Anonymise,
    /// The event is filtered.
    Drop,
}

/// What happens to bots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BotPolicy {
    /// Stored with `is_bot = 1` and the evidence.
    #[default]
    Flag,
    /// Filtered and counted.
    Drop,
    /// Not judged.
    Off,
}

/// The privacy settings of a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Privacy {
    /// What is stored of the address.
    pub ip: IpMode,
    /// How visitors are recognised.
    pub visitor: VisitorMode,
    /// What Global Privacy Control does.
    pub gpc: SignalMode,
    /// What Do Not Track does.
    pub dnt: SignalMode,
}

impl Default for Privacy {
    fn default() -> Self {
        Self {
            ip: IpMode::default(),
            visitor: VisitorMode::default(),
            gpc: SignalMode::Anonymise,
            dnt: SignalMode::Off,
        }
    }
}

/// Events per second that a site may send. Zero is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Of the whole site, in one isolate.
    pub events_per_second: u32,
    /// Of one address on the site, in one isolate.
    pub address_events_per_second: u32,
}

/// The settings of one site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// The id in beacons: lower-case letters, digits, `-` and `_`.
    pub id: String,
    /// Host names, with their sub-domains; with a port, only that port, which may be the one that goes without saying.
    pub domains: Vec<String>,
    /// Whether events are taken.
    #[serde(default)]
    pub status: Status,
    /// What happens to unknown fields.
    #[serde(default)]
    pub unknown_fields: UnknownFields,
    /// The privacy settings.
    #[serde(default)]
    pub privacy: Privacy,
    /// Query parameters that URLs keep, besides campaigns and click ids.
    #[serde(default)]
    pub query_params: Vec<String>,
    /// Sources that count as channels of the site's own.
    #[serde(default)]
    pub channels: OwnChannels,
    /// What happens to bots.
    #[serde(default)]
    pub bots: BotPolicy,
    /// The site's own rules, in the order in which they are tried.
    #[serde(default)]
    pub rules: Rules,
    /// Regions where rows may be stored; empty permits every region.
    #[serde(default)]
    pub regions: Vec<String>,
    /// Share of visitors whose events are stored, above 0 and at most 1.
    #[serde(default = "whole")]
    pub sampling_rate: SamplingRate,
    /// The rate limits.
    #[serde(default)]
    pub limits: Limits,
    /// Whether a sandboxed page (`Origin: null`) may send.
    #[serde(default)]
    pub allow_null_origin: bool,
    /// Whether a user id that is no number is kept as `properties.user_key`.
    #[serde(default)]
    pub keep_user_key: bool,
    /// Key of the hash that turns such user ids into numbers: 32 hexadecimal digits. Without it the site's id is the key.
    #[serde(default)]
    pub user_id_key: Option<String>,
    /// Keys by which the site's own servers may send, each as the SHA-256 of the key in hexadecimal digits.
    #[serde(default)]
    pub ingest_key_sha256: Vec<String>,
    /// How long rows should be kept, in days above 0: a hint for the operator's TTL.
    #[serde(default)]
    pub retention_days: Option<u32>,
}

const fn whole() -> SamplingRate {
    SamplingRate::ALL
}

impl Site {
    /// Reads and checks the settings of one site.
    pub fn parse(json: &str) -> Result<Self, SiteError> {
        let members = wire::members(json.trim_ascii_start()).unwrap_or_default().list;
        if members.is_empty() {
            serde_json::from_str::<IgnoredAny>(json).map_err(|error| SiteError::Json(error.to_string()))?;
            return Err(SiteError::Json("no JSON object".into()));
        }
        fault::check_objects(&members)?;
        let site = serde_json::from_str::<Self>(json);
        let site = site.map_err(|error| fault::find(&members).unwrap_or_else(|| SiteError::Json(error.to_string())))?;
        site.check()?;
        Ok(site)
    }

    /// A site with default settings.
    pub fn new(id: &str, domains: &[&str]) -> Result<Self, SiteError> {
        #[derive(Serialize)]
        struct Needed<'a> {
            id: &'a str,
            domains: &'a [&'a str],
        }
        let needed = serde_json::to_string(&Needed { id, domains });
        Self::parse(&needed.map_err(|error| SiteError::Json(error.to_string()))?)
    }

    fn check(&self) -> Result<(), SiteError> {
        let lists = [
            ("domains", &self.domains),
            ("query_params", &self.query_params),
            ("regions", &self.regions),
            ("ingest_key_sha256", &self.ingest_key_sha256),
        ];
        for (field, list) in lists {
            check_that(list.len() <= MAX_LIST_ENTRIES, field, "at most 100 entries", &list.len())?;
        }
        let an_id = "1 to 64 lower-case letters, digits, - or _";
        check_that(is_id(&self.id), "id", an_id, &self.id)?;
        check_that(!self.domains.is_empty(), "domains", "at least one host name", &"[]")?;
        let a_host = "a lower-case host name such as shop.example or localhost:8080";
        check_each(&self.domains, "domains", a_host, is_domain)?;
        check_each(&self.query_params, "query_params", "a parameter name without encoding", is_parameter)?;
        check_each(&self.regions, "regions", an_id, is_id)?;
        self.rules.check()?;
        let invalid = self.channels.find_invalid();
        let expected =
            "at most 100 sources, lower-case, hosts without http:// and *, each with a channel of 1 to 64 bytes";
        check_that(invalid.is_none(), "channels", expected, &invalid.unwrap_or_default())?;
        let expected = "a number of days above 0";
        check_that(self.retention_days != Some(0), "retention_days", expected, &0)?;
        let (rate, expected) = (self.sampling_rate, "a number from 0.000000001 to 1");
        check_that(rate.is_share(), "sampling_rate", expected, &rate)?;
        for digest in &self.ingest_key_sha256 {
            let is_digest = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
            // Whoever puts the key itself here shall not read it in an error.
            check_that(is_digest, "ingest_key_sha256", "64 hexadecimal digits: the SHA-256 of a key", &"another text")?;
        }
        if let Some(key) = &self.user_id_key {
            // The key is a secret: the error does not repeat it.
            check_that(hex_key(key).is_some(), "user_id_key", "32 hexadecimal digits", &"another text")?;
        }
        Ok(())
    }

    /// The key of the site's permanent hashes.
    pub(crate) fn hash_key(&self) -> [u8; 16] {
        self.user_id_key.as_deref().and_then(hex_key).unwrap_or_else(|| {
            let mut key = *b"landfall site id";
            for (byte, id) in key.iter_mut().zip(self.id.bytes().cycle()) {
                *byte ^= id;
            }
            key
        })
    }
}

/// The sites that a beacon may name: few, so that looking through them is fastest.
#[derive(Clone, Debug, Default)]
pub struct Sites {
    list: Vec<Arc<Site>>,
}

impl Sites {
    /// Reads the bootstrap list: a JSON array of settings.
    pub fn parse(json: &str) -> Result<Self, SiteError> {
        let list: Vec<&RawValue> = serde_json::from_str(json).map_err(|error| SiteError::Json(error.to_string()))?;
        let mut sites = Self::default();
        for settings in list {
            let site = Site::parse(settings.get())?;
            check_that(sites.get(&site.id).is_none(), "id", "each id once", &site.id)?;
            sites.insert(Arc::new(site));
        }
        Ok(sites)
    }

    /// Adds or replaces a site.
    pub fn insert(&mut self, site: Arc<Site>) {
        match self.list.iter_mut().find(|known| known.id == site.id) {
            Some(known) => *known = site,
            None => self.list.push(site),
        }
    }

    /// The site of this id.
    pub fn get(&self, id: &str) -> Option<&Arc<Site>> {
        self.list.iter().find(|site| site.id == id)
    }

    /// Every site.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Site>> {
        self.list.iter()
    }
}

fn check_that(
    is_met: bool,
    field: &'static str,
    expected: &'static str,
    found: &dyn ToString,
) -> Result<(), SiteError> {
    if is_met { Ok(()) } else { Err(SiteError::Setting { field, expected, found: found.to_string() }) }
}

fn check_each(
    list: &[String],
    field: &'static str,
    expected: &'static str,
    is_valid: impl Fn(&str) -> bool,
) -> Result<(), SiteError> {
    list.iter().try_for_each(|entry| check_that(is_valid(entry), field, expected, entry))
}

fn is_parameter(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '&', '#', '%', '+'])
}

/// True if the text can be a site id or a region name.
pub fn is_id(text: &str) -> bool {
    (1..=MAX_SITE_ID_BYTES).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

fn hex_key(text: &str) -> Option<[u8; 16]> {
    if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests;
