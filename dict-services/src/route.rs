//! The HTTP surface of one feed.
//!
//! In scope: routes, status codes, authorization, query parameters.
//! Out of scope: bodies ([`crate::reply`]), sockets ([`crate::server`]).
//!
//! | route | answer |
//! |---|---|
//! | `GET /<feed>` | every entry; with `?last_updated=YYYY-MM-DD hh:mm:ss` those changed since |
//! | `POST /<feed>` | the entries of the keys in the body (JSONEachRow), none for unknown keys |
//! | `GET /healthz` | 200 while the process lives |
//! | `GET /readyz` | 200 once a snapshot is loaded, else 503 |
//! | `GET /metrics` | Prometheus text; no token: it names no user |
//!
//! `Range` is ignored: a resumed download must not splice two snapshots. There is no 204, 304 or redirect, because ClickHouse
//! takes them as errors. Unknown query parameters are ignored, as a wrong `update_field` then costs bytes and not changes.
//! HTTP/1.0 is refused: it has no chunks, so a reader could not tell a broken response from a complete one.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::clock;
use crate::coding::Coding;
use crate::entries::Entries;
use crate::feed::Feed;
use crate::lines::{Lines, Selection};
use crate::metric::{Metrics, SnapshotState};
use crate::reply::{self, MAX_STREAMS, ReplyError};
use crate::store::Store;
use crate::token::Tokens;

/// Largest body of a key lookup: over 500,000 keys, far more than one block of a query.
pub const MAX_KEYS_BYTES: usize = 16 * 1024 * 1024;
/// A key lookup must have arrived within this time.
pub const KEYS_DEADLINE: Duration = Duration::from_secs(30);
/// A key lookup that has not had its turn within this time is told to come back.
pub const TURN_DEADLINE: Duration = Duration::from_secs(20);
/// Key lookups that are received at one time; more wait. Each holds its body and the keys in it, 30 MiB at most: 480 MiB in all.
pub const MAX_LOOKUPS: usize = 16;
/// When a reader should try again after a 503, seconds.
const RETRY_AFTER_S: &str = "2";

/// Everything the routes of one feed share.
pub struct Shell<E> {
    /// What is served.
    pub feed: Feed<E>,
    /// Who may read it.
    pub tokens: Tokens,
    /// What is counted.
    pub metrics: Metrics,
    streams: Arc<Semaphore>,
    lookups: Semaphore,
}

impl<E> Shell<E> {
    /// A shell without a snapshot: it answers 503 until one is published.
    pub fn new(tokens: Tokens) -> Self {
        Self {
            feed: Feed::default(),
            tokens,
            metrics: Metrics::default(),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            lookups: Semaphore::new(MAX_LOOKUPS),
        }
    }
}

impl<E: Entries> Shell<E> {
    /// Writes the snapshot to disk. A full disk must not stop the feed: it costs the quick start, not the data.
    pub fn save(&self, store: &Store<E>, entries: &E, confirmed_at: u32) {
        if let Err(error) = store.save(entries, confirmed_at) {
            self.metrics.store_failed();
            tracing::error!(%error, "snapshot not written to disk");
        }
    }
}

/// The routes of one feed.
pub fn router<E: Entries>(shell: Arc<Shell<E>>) -> Router {
    Router::new()
        .route(
            &format!("/{}", E::FEED),
            get(load::<E>)
                .post(look_up::<E>)
                .layer(DefaultBodyLimit::max(MAX_KEYS_BYTES))
                .layer(middleware::from_fn_with_state(Arc::clone(&shell), authorize::<E>)),
        )
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready::<E>))
        .route("/metrics", get(metrics::<E>))
        .layer(middleware::from_fn_with_state(Arc::clone(&shell), count::<E>))
        .with_state(shell)
}

/// Every refusal, with its status. The text never holds feed lines, so it cannot be read as an entry.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("expected a valid bearer token")]
    Unauthorized,
    #[error("expected HTTP/1.1, found {0:?}: a broken response could not be told from a complete one")]
    Version(Version),
    #[error("expected last_updated as YYYY-MM-DD hh:mm:ss, found {0:?}")]
    LastUpdated(String),
    #[error("expected compression as zstd, gzip or identity, found {0:?}")]
    Compression(String),
    #[error("expected one JSON object with the key per line: {0}")]
    Keys(#[from] serde_json::Error),
    #[error(transparent)]
    Body(#[from] BytesRejection),
    #[error("expected the keys within {} s", KEYS_DEADLINE.as_secs())]
    Slow,
    #[error("expected {MAX_LOOKUPS} key lookups at one time to leave a turn within {} s", TURN_DEADLINE.as_secs())]
    Crowded,
    #[error("no snapshot is loaded yet")]
    NotReady,
    #[error(transparent)]
    Reply(#[from] ReplyError),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Version(_) => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Body(rejection) => rejection.status(),
            Self::LastUpdated(_) | Self::Compression(_) | Self::Keys(_) => StatusCode::BAD_REQUEST,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::NotReady | Self::Crowded | Self::Reply(ReplyError::Busy) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Reply(ReplyError::Encode(_)) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, format!("{self}\n")).into_response();
        let extra = match status {
            StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer")),
            StatusCode::SERVICE_UNAVAILABLE => Some((header::RETRY_AFTER, RETRY_AFTER_S)),
            _ => None,
        };
        if let Some((name, value)) = extra {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        response
    }
}

#[derive(Deserialize)]
struct Parameters {
    last_updated: Option<String>,
    compression: Option<String>,
}

impl Parameters {
    fn coding(&self, headers: &HeaderMap) -> Result<Coding, Refusal> {
        match &self.compression {
            Some(name) => Coding::parse(name).ok_or_else(|| Refusal::Compression(name.clone())),
            None => Ok(Coding::accepted(headers.get(header::ACCEPT_ENCODING))),
        }
    }

    fn selection(&self, now: u32) -> Result<Selection, Refusal> {
        let Some(text) = &self.last_updated else {
            return Ok(Selection::All);
        };
        clock::parse_utc(text)
            .map(|since| Selection::changed_since(since, now))
            .ok_or_else(|| Refusal::LastUpdated(text.clone()))
    }
}

async fn load<E: Entries>(
    State(shell): State<Arc<Shell<E>>>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let coding = parameters.coding(&headers)?;
    let now = clock::unix_now();
    let selection = parameters.selection(now)?;
    let reading = shell.feed.read(now).ok_or(Refusal::NotReady)?;
    let lines = Lines::new(reading.entries, selection);
    Ok(reply::send(lines, reading.lease, coding, &shell.streams, &shell.metrics)?)
}

async fn look_up<E: Entries>(
    State(shell): State<Arc<Shell<E>>>,
    Query(parameters): Query<Parameters>,
    request: Request,
) -> Result<Response, Refusal> {
    let coding = parameters.coding(request.headers())?;
    let keys = receive_keys(&shell, request).await?;
    let reading = shell.feed.read(clock::unix_now()).ok_or(Refusal::NotReady)?;
    let selection = Selection::of_keys(&*reading.entries, &keys);
    let lines = Lines::new(reading.entries, selection);
    Ok(reply::send(lines, reading.lease, coding, &shell.streams, &shell.metrics)?)
}

/// The keys in the body of `request`, received when it is its turn.
async fn receive_keys<E: Entries>(shell: &Shell<E>, request: Request) -> Result<Vec<E::Key>, Refusal> {
    let turn = timeout(TURN_DEADLINE, shell.lookups.acquire()).await.map_err(|_| Refusal::Crowded)?;
    // Only a closed semaphore has no turns, and nothing closes this one.
    let _turn: Option<SemaphorePermit> = turn.ok();
    let body = timeout(KEYS_DEADLINE, Bytes::from_request(request, &())).await.map_err(|_| Refusal::Slow)??;
    Ok(serde_json::Deserializer::from_slice(&body).into_iter().collect::<Result<_, _>>()?)
}

async fn ready<E: Entries>(State(shell): State<Arc<Shell<E>>>) -> Result<&'static str, Refusal> {
    let loaded = shell.feed.snapshot().map(|_| "ready\n");
    loaded.ok_or(Refusal::NotReady)
}

async fn metrics<E: Entries>(State(shell): State<Arc<Shell<E>>>) -> Response {
    let now = clock::unix_now();
    let state = shell.feed.snapshot().map(|entries| SnapshotState {
        rows: entries.len(),
        age_s: shell.feed.age_s(now).unwrap_or(0),
        newest: shell.feed.newest(),
    });
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match shell.metrics.render(E::FEED, state) {
        Ok(text) => ([(header::CONTENT_TYPE, content_type)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn authorize<E: Entries>(
    State(shell): State<Arc<Shell<E>>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let header = request.headers().get(header::AUTHORIZATION);
    if !shell.tokens.is_valid(header) {
        return Err(Refusal::Unauthorized);
    }
    if request.version() < Version::HTTP_11 {
        return Err(Refusal::Version(request.version()));
    }
    Ok(next.run(request).await)
}

async fn count<E: Entries>(State(shell): State<Arc<Shell<E>>>, request: Request<Body>, next: Next) -> Response {
    // A closed set: methods are the client's choice and must not become labels.
    let method = match request.method().as_str() {
        "GET" => "GET",
        "POST" => "POST",
        _ => "other",
    };
    let response = next.run(request).await;
    shell.metrics.answered(method, response.status().as_u16());
    response
}
