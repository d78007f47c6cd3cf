//! The Batcher: a Durable Object per region and shard that takes rows durably and delivers them in batches.
//!
//! In scope: its requests and its alarm. Out of scope: what is kept (`store`), group commit (`window`, `shard`), delivery (`flush`).
//!
//! Two promises: an answered append is durable, because the output gate holds the answer behind the write; and the alarm never fails,
//! because the runtime deletes an alarm that failed six times.

mod flush;
mod shard;
mod store;
mod window;

use std::rc::Rc;

use worker::{DurableObject, Env, Method, Request, Response, Result, State, console_error, durable_object};

use shard::Shard;

#[durable_object(alarm)]
pub struct Batcher {
    shard: Rc<Shard>,
}

impl DurableObject for Batcher {
    fn new(state: State, env: Env) -> Self {
        Self { shard: Rc::new(Shard::new(state, env)) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        // An error would be the caller's exception, and may reset this object; a status is neither.
        self.answer(&mut request).await.or_else(|error| {
            console_error!("batcher: {error}");
            Response::error(error.to_string(), 503)
        })
    }

    async fn alarm(&self) -> Result<Response> {
        if let Err(error) = self.shard.flush().await {
            console_error!("batcher alarm: {error}");
            self.shard.arm_again().await;
        }
        Response::empty()
    }
}

impl Batcher {
    async fn answer(&self, request: &mut Request) -> Result<Response> {
        let region = region_of(request)?;
        if request.method() == Method::Post && request.path() == "/append" {
            let frame = request.bytes().await?;
            return self.shard.append(&region, &frame).await;
        }
        self.shard.state(&region).await
    }
}

/// The caller names the region: an object does not know its own name.
fn region_of(request: &Request) -> Result<String> {
    let url = request.url()?;
    Ok(url.query_pairs().find(|(name, _)| name == "region").map(|(_, value)| value.into_owned()).unwrap_or_default())
}
