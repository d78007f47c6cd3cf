//! The Worker: HTTP, Cloudflare's properties and bindings around `collector-core`.
//!
//! In scope: requests, Durable Objects, alarms, the cron sweep, sending. Out of scope: every rule about events, which is the core's.
//!
//! Nothing here may panic on input: with panic=abort one panic resets the instance and every request in it.

mod append;
mod asset;
mod batcher;
mod body;
mod client;
mod clock;
mod config;
mod events;
mod fault_point;
mod gzip;
mod health;
mod http;
mod incoming;
mod log;
mod object;
mod outgoing;
mod query;
mod random;
mod rate_limit;
mod registry;
mod remote;
mod signed;
mod sink;
mod site_cache;
mod sites;
mod sqlite;

use collector_core::receipt::Reply;
use web_sys::{Request, Response};
use worker::{Context, Env, Result, ScheduleContext, ScheduledEvent, event};

/// One request.
#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> Result<Response> {
    http::answer(&request, &env).await.or_else(|error| {
        log::warn("request_failed", &error);
        // The sender keeps its events and sends them again.
        http::reply(&Reply::unavailable(), None)
    })
}

/// The sweep: a Batcher whose alarm was lost sets it again when it is asked how it is.
#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    if let Err(error) = health::sweep(&env).await {
        log::warn("sweep_failed", &error);
    }
}
