//! How the collector is: `GET /readyz`, `GET /metrics`, the sweep. In scope: asking the Batchers. Out of scope: what they answer (`batcher::report`).

use collector_core::filter;
use collector_core::metric::{self, Origin, Samples};
use serde_json::{Value, json};
use worker::{Env, Error, Headers, Method, Request, Response, Result, console_error, console_log};

use crate::append;
use crate::config::{Config, Endpoint};

/// 200 with the state of each region's first Batcher; 503 if one cannot be reached or has too much waiting.
pub(crate) async fn readyz(env: &Env, config: &Config) -> Result<Response> {
    let mut regions = serde_json::Map::new();
    let mut is_ready = true;
    for endpoint in config.endpoints() {
        let state = batcher_state(env, endpoint).await.unwrap_or_else(|error| json!({"error": error.to_string()}));
        is_ready &= state.get("is_accepting") == Some(&Value::Bool(true));
        regions.insert(endpoint.name.clone(), state);
    }
    let status = if is_ready { 200 } else { 503 };
    Ok(Response::from_json(&json!({"is_ready": is_ready, "regions": regions}))?.with_status(status))
}

async fn batcher_state(env: &Env, endpoint: &Endpoint) -> Result<Value> {
    shard_state(env, endpoint, 0).await
}

/// Asks every Batcher how it is.
pub(crate) async fn sweep(env: &Env) -> Result<()> {
    let config = Config::of(env)?;
    for endpoint in config.endpoints() {
        for shard in 0..endpoint.shards {
            // One that cannot be reached must not keep the others from being asked.
            let state =
                shard_state(env, endpoint, shard).await.unwrap_or_else(|error| json!({"error": error.to_string()}));
            console_log!("{}", json!({"what": "batcher_state", "shard": shard, "state": state}));
        }
    }
    Ok(())
}

async fn shard_state(env: &Env, endpoint: &Endpoint, shard: u32) -> Result<Value> {
    ask(env, endpoint, shard, "state").await?.json().await
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
                console_error!("metrics of {}-{shard:02}: {error}", endpoint.name);
                let mut samples = Samples::default();
                samples.push("landfall_up", Origin { region: &endpoint.name, shard }, &[], 0);
                samples.into_text()
            }));
        }
    }
    let headers = Headers::new();
    headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")?;
    headers.set("Cache-Control", "no-store")?;
    Ok(Response::ok(metric::exposition(&texts))?.with_headers(headers))
}

async fn shard_samples(env: &Env, endpoint: &Endpoint, shard: u32) -> Result<String> {
    let mut response = ask(env, endpoint, shard, "metrics").await?;
    match response.status_code() {
        200 => response.text().await,
        status => Err(Error::RustError(format!("expected 200, found {status}"))),
    }
}

async fn ask(env: &Env, endpoint: &Endpoint, shard: u32, what: &str) -> Result<Response> {
    let stub = append::batcher(env, endpoint, shard)?;
    let url = format!("https://batcher/{what}?region={}&shard={shard}", endpoint.name);
    stub.fetch_with_request(Request::new(&url, Method::Get)?).await
}
