//! The Batcher: a Durable Object per region and shard that takes rows durably and delivers them in batches.
//!
//! In scope: its requests and its alarm. Out of scope: what is kept (`store`, `memory`), group commit (`intake`, `window`, `shard`), delivery
//! (`flush`, `round`, `deliver`, `places`, `poison`), what is counted (`books`) and shown (`report`).
//!
//! Two promises: an answered append is durable, because the output gate holds the answer behind the write; and the alarm never fails,
//! because the runtime deletes an alarm that failed six times.

mod books;
mod deliver;
mod flush;
mod intake;
mod memory;
mod places;
mod poison;
mod report;
mod round;
mod shard;
mod store;
mod window;

use std::rc::Rc;

use collector_core::log::Level;
use collector_core::metric::Origin;
use worker::{DurableObject, Env, Method, Request, Response, Result, State, durable_object};

use crate::{fault_point, log, query};
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
            log::write(self.shard.line(Level::Warn, "batcher_failed").error(&error));
            Response::error(error.to_string(), 503)
        })
    }

    async fn alarm(&self) -> Result<Response> {
        if let Err(error) = fault_point::alarm(self.shard.flush()).await {
            log::write(self.shard.line(Level::Warn, "alarm_failed").error(&error));
            self.shard.arm_again().await;
        }
        Response::empty()
    }
}

impl Batcher {
    async fn answer(&self, request: &mut Request) -> Result<Response> {
        let caller = Caller::of(request);
        let path = request.path();
        match (request.method(), path.as_str()) {
            (Method::Post, "/append") => {
                let frame = request.bytes().await?;
                self.shard.append(caller.origin(), &frame).await
            }
            (_, "/metrics") => self.shard.metrics(caller.origin()).await,
            _ => self.shard.state(caller.origin()).await,
        }
    }
}

/// What the caller says about the object, which does not know its own name.
#[derive(Default)]
struct Caller {
    region: String,
    shard: u32,
}

impl Caller {
    fn of(request: &Request) -> Self {
        let mut caller = Self::default();
        for (name, value) in query::pairs(query::of(&request.inner().url())) {
            match name.as_ref() {
                "region" => caller.region = value.into_owned(),
                "shard" => caller.shard = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        caller
    }

    fn origin(&self) -> Origin<'_> {
        Origin { region: &self.region, shard: self.shard }
    }
}
