//! The feeds as ClickHouse sees them: requests against the router, without a socket.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod convergence;
mod declaration;
mod hang;
mod protocol;
mod restart;
mod shutdown;
mod stream;
mod tls;
mod upstream;
mod wire;

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use dict_services::entries::Entries;
use dict_services::route::{Shell, router};
use dict_services::segment::rule::{self, Placement};
use dict_services::segment::succession::Succession;
use dict_services::segment::table::Table;
use dict_services::token::Tokens;
use tower::ServiceExt;

/// A response, read to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn lines(&self) -> Vec<serde_json::Value> {
        let text = std::str::from_utf8(&self.body).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn shell<E: Entries>() -> Arc<Shell<E>> {
    Arc::new(Shell::new(Tokens::parse(Some("secret"), false).unwrap()))
}

fn request(method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder().method(method).uri(path).header("authorization", "Bearer secret").body(body.into()).unwrap()
}

async fn send<E: Entries>(shell: &Arc<Shell<E>>, request: Request<Body>) -> Answer {
    let response = router(Arc::clone(shell)).oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    Answer { status: head.status, headers: head.headers, body: to_bytes(body, usize::MAX).await.unwrap() }
}

async fn get<E: Entries>(shell: &Arc<Shell<E>>, path: &str) -> Answer {
    send(shell, request("GET", path, Body::empty())).await
}

fn placement(segment_id: u16) -> Placement {
    Placement { segment_id, score_ppm: 250_000, confidence_ppm: 500_000 }
}

/// The table that follows `previous` when exactly `users` have a placement.
fn table(previous: Option<&Table>, users: &[(u64, u16)], now: u32) -> Table {
    let mut succession = Succession::new(previous, rule::segments(), now);
    for (user_id, segment_id) in users {
        succession.push(*user_id, placement(*segment_id)).unwrap();
    }
    succession.finish().0
}
