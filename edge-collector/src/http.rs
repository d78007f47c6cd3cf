//! Method and path -> handler, and the headers that every answer carries. In scope: routing, CORS, who is the operator.
//! Out of scope: beacons (`events`), the script and the pixel (`asset`), sites (`sites`).

use collector_core::receipt::{CONTENT_TYPE, Reply};
use futures_util::future::LocalBoxFuture;
use subtle::ConstantTimeEq;
use web_sys::{Request, Response};
use worker::{Env, Result};

use crate::config::Config;
use crate::incoming::{self, Incoming};
use crate::outgoing::{respond, text};
use crate::{asset, events, health, site_cache, sites};

/// How long a browser may remember the answer to a preflight.
const PREFLIGHT_SECONDS: &str = "86400";

/// Answers one request.
pub(crate) async fn answer(request: &Request, env: &Env) -> Result<Response> {
    let config = Config::of(env)?;
    let described = incoming::text(request);
    let request = &Incoming::of(request, &described);
    let Some(path) = request.path().strip_prefix(config.path_prefix.as_str()) else {
        return not_found();
    };
    match (request.method, path) {
        ("OPTIONS", "/v1/events" | "/v1/validate") => rare(preflight(request, env)).await,
        ("POST", "/v1/events") => events::take(request, env, &config).await,
        ("POST", "/v1/validate") => events::validate(request, env, &config).await,
        ("GET", "/v1/pixel.gif") => rare(events::take_pixel(request, env, &config)).await,
        ("GET" | "HEAD", "/healthz") => text(200, "alive\n"),
        ("GET" | "HEAD", "/readyz") => rare(health::readyz(env, &config)).await,
        ("GET", "/metrics") if is_operator(request, env) => rare(health::metrics(env, &config)).await,
        ("GET", "/metrics") => unauthorized("expected Authorization: Bearer <admin token>\n"),
        ("GET" | "PUT" | "DELETE", _) if path == "/v1/sites" || path.starts_with("/v1/sites/") => {
            rare(sites::answer(request, env, path)).await
        }
        ("GET" | "HEAD", _) if asset::is_script(path) => asset::script(request, path),
        (_, "/v1/events" | "/v1/validate") => not_allowed("POST, OPTIONS"),
        (_, "/v1/pixel.gif" | "/metrics") => not_allowed("GET"),
        (_, "/healthz" | "/readyz") => not_allowed("GET, HEAD"),
        _ if path == "/v1/sites" => not_allowed("GET"),
        _ if path.starts_with("/v1/sites/") => not_allowed("GET, PUT, DELETE"),
        _ => not_found(),
    }
}

/// Keeps what few requests need out of the function that all of them run: the runtime compiles it whole when it is first called.
fn rare<'f>(answer: impl Future<Output = Result<Response>> + 'f) -> LocalBoxFuture<'f, Result<Response>> {
    Box::pin(answer)
}

/// A browser asks before it posts JSON. Which site it will name is not known yet: any site's own origin may go on.
async fn preflight(request: &Incoming<'_>, env: &Env) -> Result<Response> {
    let mut headers = vec![("Vary", "Origin")];
    if let Some(origin) = request.headers.origin
        && site_cache::is_some_sites_origin(env, origin).await?
    {
        headers.extend([
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Allow-Methods", "POST"),
            ("Access-Control-Allow-Headers", "Content-Type, Content-Encoding"),
            ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Max-Age", PREFLIGHT_SECONDS),
        ]);
    }
    respond(204, None, &headers)
}

/// The core's reply as an HTTP response; `origin` is one that may read it.
pub(crate) fn reply(reply: &Reply, origin: Option<&str>) -> Result<Response> {
    let retry_after_s = reply.retry_after_s.map(|seconds| seconds.to_string());
    let mut headers = vec![("Content-Type", CONTENT_TYPE), ("Cache-Control", "no-store"), ("Vary", "Origin")];
    headers.extend(retry_after_s.iter().map(|seconds| ("Retry-After", seconds.as_str())));
    if let Some(origin) = origin {
        headers.extend([
            ("Access-Control-Allow-Origin", origin),
            // The tracker of a site with persistent visitors sends their first-party id along.
            ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Expose-Headers", "Retry-After"),
        ]);
    }
    respond(reply.status, Some(&reply.body), &headers)
}

/// The answer to a method that the path does not know.
fn not_allowed(methods: &str) -> Result<Response> {
    let body = format!("expected {methods}\n");
    respond(405, Some(body.as_bytes()), &[("Content-Type", "text/plain; charset=utf-8"), ("Allow", methods)])
}

/// The answer to a request without the operator's token.
fn unauthorized(expected: &str) -> Result<Response> {
    let headers = [("Content-Type", "text/plain; charset=utf-8"), ("WWW-Authenticate", "Bearer")];
    respond(401, Some(expected.as_bytes()), &headers)
}

fn not_found() -> Result<Response> {
    text(404, "no such path\n")
}

/// Whether the request carries the operator's token. Without the secret `ADMIN_TOKEN` nobody is the operator.
pub(crate) fn is_operator(request: &Incoming<'_>, env: &Env) -> bool {
    // Beacons of browsers have no token, and asking for the secret costs.
    let Some(token) = bearer(request) else { return false };
    let Ok(secret) = env.secret("ADMIN_TOKEN") else { return false };
    let secret = secret.to_string();
    !secret.is_empty() && bool::from(token.as_bytes().ct_eq(secret.as_bytes()))
}

/// The token in `Authorization: Bearer <token>`; the scheme's name may be in any case (RFC 9110, section 11.1).
pub(crate) fn bearer<'r>(request: &Incoming<'r>) -> Option<&'r str> {
    let (scheme, token) = request.headers.authorization?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
