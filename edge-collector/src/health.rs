//! How the collector is: `GET /readyz`, `GET /metrics`, the sweep. In scope: asking the Batchers. Out of scope: what they answer (`batcher::report`).

use std::collections::BTreeMap;

use collector_core::filter;
use collector_core::log::{Level, Line, shown};
use collector_core::metric::{self, Origin, Samples};
use collector_core::readiness::State;
use serde::Serialize;
use web_sys::Response;
use worker::{Env, Error, Method, Result};

use crate::config::{Config, Endpoint};
use crate::object::{self, Answer};
use crate::{append, log, outgoing, site_cache};

/// The answer of `/readyz`.
#[derive(Serialize)]
struct Readiness<'a> {
    is_ready: bool,
    regions: BTreeMap<&'a str, State>,
    /// Why the sites cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    sites: Option<Unreadable>,
}

/// In place of what the Registry would say.
#[derive(Serialize)]
struct Unreadable {
    error: String,
}

/// 200 with the state of each region, all its Batchers together; 503 if one cannot be reached or has too much waiting, or if the sites cannot be read.
pub(crate) async fn readyz(env: &Env, config: &Config) -> Result<Response> {
    let mut readiness = Readiness { is_ready: true, regions: BTreeMap::new(), sites: None };
    for endpoint in config.endpoints() {
        let mut all = shard_state(env, endpoint, 0).await;
        for shard in 1..endpoint.shards {
            all = all.and(shard_state(env, endpoint, shard).await);
        }
        readiness.is_ready &= all.is_accepting;
        readiness.regions.insert(&endpoint.name, all);
    }
    if let Err(error) = site_cache::ask(env, Method::Get, "/", None).await {
        readiness.is_ready = false;
        readiness.sites = Some(Unreadable { error: shown(error) });
    }
    let status = if readiness.is_ready { 200 } else { 503 };
    outgoing::json(status, &readiness)
}

/// Asks every Batcher how it is, and the Registry to delete what is over.
pub(crate) async fn sweep(env: &Env) -> Result<()> {
    let config = Config::of(env)?;
    if let Err(error) = site_cache::ask(env, Method::Post, "/salts", None).await {
        log::warn("salts_not_swept", &error);
    }
    for endpoint in config.endpoints() {
        for shard in 0..endpoint.shards {
            let state = serde_json::to_string(&shard_state(env, endpoint, shard).await)?;
            log::write(Line::new(Level::Info, "batcher_state").at(&endpoint.name, shard).value("state", &state));
        }
    }
    Ok(())
}

/// What a Batcher says of itself, or why it says nothing.
async fn shard_state(env: &Env, endpoint: &Endpoint, shard: u32) -> State {
    let state = async { ask(env, endpoint, shard, "state").await?.json().await }.await;
    // One that cannot be reached must not keep the others from being asked.
    state.unwrap_or_else(|error: Error| State::silent(error))
}

/// `GET /metrics`: the samples of every Batcher; one that does not answer is `landfall_up 0`.
pub(crate) async fn metrics(env: &Env, config: &Config) -> Result<Response> {
    let mut texts = vec![format!(
        "landfall_build_info{{version=\"{}\",rules_version=\"{}\"}} 1\n",
        env!("CARGO_PKG_VERSION"),
        filter::RULES_VERSION
    )];
    for endpoint in config.endpoints() {
        for shard in 0..endpoint.shards {
            texts.push(shard_samples(env, endpoint, shard).await.unwrap_or_else(|error| {
                log::write(Line::new(Level::Warn, "metrics_missing").at(&endpoint.name, shard).error(&error));
                let mut samples = Samples::default();
                samples.push("landfall_up", Origin { region: &endpoint.name, shard }, &[], 0);
                samples.into_text()
            }));
        }
    }
    let headers = [("Content-Type", "text/plain; version=0.0.4; charset=utf-8"), ("Cache-Control", "no-store")];
    outgoing::respond(200, Some(metric::exposition(&texts).as_bytes()), &headers)
}

async fn shard_samples(env: &Env, endpoint: &Endpoint, shard: u32) -> Result<String> {
    ask(env, endpoint, shard, "metrics").await?.text().await
}

/// Calls a Batcher; an answer that is not 200 is an error with what it says.
async fn ask(env: &Env, endpoint: &Endpoint, shard: u32, what: &str) -> Result<Answer> {
    let stub = append::batcher(env, endpoint, shard)?;
    let url = format!("https://batcher/{what}?region={}&shard={shard}", endpoint.name);
    object::call(stub, &Method::Get, &url, None).await?.expect_ok().await
}
