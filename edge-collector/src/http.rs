//! Method and path -> handler, and the headers that every answer carries. In scope: routing, CORS, who is the operator.
//! Out of scope: beacons (`events`), the script and the pixel (`asset`), sites (`sites`).

use collector_core::receipt::{CONTENT_TYPE, Reply};
use subtle::ConstantTimeEq;
use worker::{Env, Headers, Method, Request, Response, Result};

use crate::config::Config;
use crate::{asset, events, health, site_cache, sites};

/// How long a browser may remember the answer to a preflight.
const PREFLIGHT_SECONDS: &str = "86400";

/// Answers one request.
pub(crate) async fn answer(request: Request, env: &Env) -> Result<Response> {
    let config = Config::of(env)?;
    let path = request.path();
    let Some(path) = path.strip_prefix(config.path_prefix.as_str()) else {
        return not_found();
    };
    let method = request.method();
    match (method, path) {
        (Method::Options, "/v1/events" | "/v1/validate") => preflight(&request, env).await,
        (Method::Post, "/v1/events") => events::take(request, env, &config).await,
        (Method::Post, "/v1/validate") => events::validate(request, env, &config).await,
        (Method::Get, "/v1/pixel.gif") => events::take_pixel(request, env, &config).await,
        (Method::Get | Method::Head, "/healthz") => Response::ok("alive\n"),
        (Method::Get | Method::Head, "/readyz") => health::readyz(env, &config).await,
        (Method::Get, "/metrics") if is_operator(&request, env) => health::metrics(env, &config).await,
        (Method::Get, "/metrics") => unauthorized("expected Authorization: Bearer <admin token>\n"),
        (method @ (Method::Get | Method::Put | Method::Delete), _)
            if path == "/v1/sites" || path.starts_with("/v1/sites/") =>
        {
            sites::answer(request, method, env, path).await
        }
        (Method::Get | Method::Head, _) if asset::is_script(path) => asset::script(&request, path),
        (_, "/v1/events" | "/v1/validate") => not_allowed("POST, OPTIONS"),
        (_, "/v1/pixel.gif" | "/metrics") => not_allowed("GET"),
        (_, "/healthz" | "/readyz") => not_allowed("GET, HEAD"),
        _ if path == "/v1/sites" => not_allowed("GET"),
        _ if path.starts_with("/v1/sites/") => not_allowed("GET, PUT, DELETE"),
        _ => not_found(),
    }
}

/// A browser asks before it posts JSON. Which site it will name is not known yet: any site's own origin may go on.
async fn preflight(request: &Request, env: &Env) -> Result<Response> {
    let headers = Headers::new();
    if let Some(origin) = request.headers().get("Origin")?
        && site_cache::is_some_sites_origin(env, &origin).await?
    {
        headers.set("Access-Control-Allow-Origin", &origin)?;
        headers.set("Access-Control-Allow-Methods", "POST")?;
        headers.set("Access-Control-Allow-Headers", "Content-Type, Content-Encoding")?;
        headers.set("Access-Control-Allow-Credentials", "true")?;
        headers.set("Access-Control-Max-Age", PREFLIGHT_SECONDS)?;
    }
    headers.set("Vary", "Origin")?;
    Ok(Response::empty()?.with_status(204).with_headers(headers))
}

/// The core's reply as an HTTP response; `origin` is one that may read it.
pub(crate) fn reply(reply: Reply, origin: Option<&str>) -> Result<Response> {
    let headers = Headers::new();
    headers.set("Content-Type", CONTENT_TYPE)?;
    headers.set("Cache-Control", "no-store")?;
    headers.set("Vary", "Origin")?;
    if let Some(seconds) = reply.retry_after_s {
        headers.set("Retry-After", &seconds.to_string())?;
    }
    if let Some(origin) = origin {
        headers.set("Access-Control-Allow-Origin", origin)?;
        // The tracker of a site with persistent visitors sends their first-party id along.
        headers.set("Access-Control-Allow-Credentials", "true")?;
        headers.set("Access-Control-Expose-Headers", "Retry-After")?;
    }
    Ok(Response::from_bytes(reply.body)?.with_status(reply.status).with_headers(headers))
}

/// A plain text answer.
pub(crate) fn text(text: &str, status: u16) -> Result<Response> {
    Ok(Response::ok(text)?.with_status(status))
}

/// The answer to a method that the path does not know.
fn not_allowed(methods: &str) -> Result<Response> {
    let mut response = text(&format!("expected {methods}\n"), 405)?;
    response.headers_mut().set("Allow", methods)?;
    Ok(response)
}

/// The answer to a request without the operator's token.
fn unauthorized(expected: &str) -> Result<Response> {
    let mut response = text(expected, 401)?;
    response.headers_mut().set("WWW-Authenticate", "Bearer")?;
    Ok(response)
}

fn not_found() -> Result<Response> {
    text("no such path\n", 404)
}

/// Whether the request carries the operator's token. Without the secret `ADMIN_TOKEN` nobody is the operator.
pub(crate) fn is_operator(request: &Request, env: &Env) -> bool {
    // Beacons of browsers have no token, and asking for the secret costs.
    let Some(token) = bearer(request.headers()) else { return false };
    let Ok(secret) = env.secret("ADMIN_TOKEN") else { return false };
    let secret = secret.to_string();
    !secret.is_empty() && bool::from(token.as_bytes().ct_eq(secret.as_bytes()))
}

/// The token in `Authorization: Bearer <token>`; the scheme's name may be in any case (RFC 9110, section 11.1).
pub(crate) fn bearer(headers: &Headers) -> Option<String> {
    let given = headers.get("Authorization").ok().flatten()?;
    let (scheme, token) = given.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}
