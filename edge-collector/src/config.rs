//! `Env` -> typed settings, read once per isolate. In scope: the regions with their ClickHouse, the path prefix.
//! Out of scope: sites (`site_cache`); secrets stay in `Env` until they are needed.

use std::cell::OnceCell;
use std::rc::Rc;

use collector_core::region::{Region, Regions};
use collector_core::web_bot_auth::Agents;
use serde::Deserialize;
use worker::{Env, Error, Result};

thread_local! {
    static CONFIG: OnceCell<Rc<Config>> = const { OnceCell::new() };
}

/// What may wait in one Batcher unless the variable `BACKLOG_BYTES_MAX` says otherwise: loudly full while there is still room, for a Durable Object
/// holds 10 GB, and what is delivered stays for ten minutes.
const BACKLOG_BYTES_MAX: i64 = 4 << 30;

/// The Worker's settings.
pub(crate) struct Config {
    pub(crate) regions: Regions,
    endpoints: Vec<Endpoint>,
    /// More than this waiting in one Batcher, in bytes of lines, and appends are refused.
    pub(crate) backlog_bytes_max: i64,
    /// What stands before every path, such as `/_l`; empty for none.
    pub(crate) path_prefix: String,
    /// The agents whose signatures are checked.
    pub(crate) agents: Agents,
}

/// One entry of the `REGIONS` variable.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Endpoint {
    pub(crate) name: String,
    /// Base URL of the region's ClickHouse.
    pub(crate) url: String,
    /// The user that may insert; its password is the secret `CLICKHOUSE_PASSWORD_<NAME>`.
    pub(crate) user: String,
    /// Where Cloudflare should put the region's Batchers, e.g. `weur`.
    #[serde(default)]
    pub(crate) location_hint: Option<String>,
    /// Where Cloudflare must keep them, e.g. `eu`.
    #[serde(default)]
    pub(crate) jurisdiction: Option<String>,
    #[serde(default)]
    countries: Vec<String>,
    #[serde(default)]
    continents: Vec<String>,
    #[serde(default)]
    latitude: f64,
    #[serde(default)]
    longitude: f64,
    /// How many Batchers share the region's load.
    #[serde(default = "one_shard")]
    pub(crate) shards: u32,
}

const fn one_shard() -> u32 {
    1
}

impl Endpoint {
    /// The region as the core knows it.
    pub(crate) fn region(&self) -> Region {
        Region {
            name: self.name.clone(),
            countries: self.countries.clone(),
            continents: self.continents.clone(),
            latitude: self.latitude,
            longitude: self.longitude,
            shards: self.shards,
        }
    }

    /// The password of the region's user.
    pub(crate) fn password(&self, env: &Env) -> Result<String> {
        let name = format!("CLICKHOUSE_PASSWORD_{}", self.name.to_ascii_uppercase().replace('-', "_"));
        let secret =
            env.secret(&name).map_err(|_| Error::RustError(format!("expected the secret {name}, found none")))?;
        Ok(secret.to_string())
    }
}

impl Config {
    /// The settings of this isolate; an error names the variable that is wrong.
    pub(crate) fn of(env: &Env) -> Result<Rc<Self>> {
        CONFIG.with(|cell| {
            if let Some(config) = cell.get() {
                return Ok(config.clone());
            }
            let config = Rc::new(Self::parse(env)?);
            Ok(cell.get_or_init(|| config).clone())
        })
    }

    fn parse(env: &Env) -> Result<Self> {
        let wrong = |found: String| Error::RustError(format!("variable REGIONS: {found}"));
        let endpoints: Vec<Endpoint> =
            serde_json::from_str(&variable(env, "REGIONS")).map_err(|error| wrong(error.to_string()))?;
        let regions = Regions::new(endpoints.iter().map(Endpoint::region).collect()).map_err(wrong)?;
        let backlog_bytes_max = match variable(env, "BACKLOG_BYTES_MAX").as_str() {
            "" => BACKLOG_BYTES_MAX,
            text => text.parse().ok().filter(|bytes| *bytes > 0).ok_or_else(|| {
                Error::RustError(format!("variable BACKLOG_BYTES_MAX: expected a number of bytes, found {text:?}"))
            })?,
        };
        let wrong = |found: String| Error::RustError(format!("variable WEB_BOT_AUTH_AGENTS: {found}"));
        let agents = Agents::parse(&variable(env, "WEB_BOT_AUTH_AGENTS")).map_err(wrong)?;
        let path_prefix = variable(env, "PATH_PREFIX").trim_end_matches('/').to_owned();
        Ok(Self { regions, endpoints, backlog_bytes_max, path_prefix, agents })
    }

    /// The ClickHouse of a region.
    pub(crate) fn endpoint(&self, region: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.name == region)
    }

    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }
}

fn variable(env: &Env, name: &str) -> String {
    env.var(name).map_or_else(|_| String::new(), |value| value.to_string())
}
