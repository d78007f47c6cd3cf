//! `GET /readyz`: whether events can be taken durably. In scope: asking one Batcher per region.

use serde_json::{Value, json};
use worker::{Env, Request, Response, Result, console_log};

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
    let stub = append::batcher(env, endpoint, shard)?;
    let request = Request::new(&format!("https://batcher/state?region={}", endpoint.name), worker::Method::Get)?;
    stub.fetch_with_request(request).await?.json().await
}
