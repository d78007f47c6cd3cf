//! `PUT|GET|DELETE /v1/sites/<id>` and `GET /v1/sites`: the operator's interface to the Registry.

use collector_core::site::{Site, is_id};
use serde::Serialize;
use serde_json::value::RawValue;
use web_sys::Response;
use worker::{Env, Method, Result};

use crate::incoming::Incoming;
use crate::registry::Entry;
use crate::{http, outgoing, site_cache};

/// The longest settings, in bytes.
const MAX_SETTINGS_BYTES: usize = 64 * 1024;

/// Answers the operator; nobody else.
pub(crate) async fn answer(request: &Incoming<'_>, env: &Env, path: &str) -> Result<Response> {
    if !http::is_operator(request, env) {
        return refuse(401, "expected Authorization: Bearer <admin token>");
    }
    route(request, env, path).await.or_else(|error| refuse(503, &error.to_string()))
}

async fn route(request: &Incoming<'_>, env: &Env, path: &str) -> Result<Response> {
    let id = path.strip_prefix("/v1/sites").unwrap_or("").trim_start_matches('/');
    match (request.method, id) {
        ("GET", "") => {
            outgoing::json(200, &site_cache::ask(env, Method::Get, "/", None).await?.json::<Box<RawValue>>().await?)
        }
        _ if !is_id(id) => refuse(400, "expected a site id of 1 to 64 lower-case letters, digits, - or _ in the path"),
        ("PUT", _) => put(request, env, id).await,
        ("DELETE", _) => {
            site_cache::ask(env, Method::Delete, &format!("/sites/{id}"), None).await?;
            site_cache::forget(id);
            outgoing::respond(204, None, &[])
        }
        _ => get(env, id).await,
    }
}

async fn put(request: &Incoming<'_>, env: &Env, id: &str) -> Result<Response> {
    let text = String::from_utf8_lossy(&request.bytes().await?).into_owned();
    if text.len() > MAX_SETTINGS_BYTES {
        return refuse(413, "expected settings of at most 65536 bytes");
    }
    match Site::parse(&text) {
        Err(error) => refuse(400, &error.to_string()),
        Ok(site) if site.id != id => refuse(400, &format!("expected {id:?} in id as in the path, found {:?}", site.id)),
        Ok(site) => {
            let settings = serde_json::to_string(&site)?;
            site_cache::ask(env, Method::Put, &format!("/sites/{id}"), Some(&settings)).await?;
            site_cache::forget(id);
            outgoing::json(200, &site)
        }
    }
}

async fn get(env: &Env, id: &str) -> Result<Response> {
    let entry: Entry = site_cache::ask(env, Method::Get, &format!("/sites/{id}"), None).await?.json().await?;
    match entry.settings.map(|text| Site::parse(&text)) {
        None => refuse(404, "no site has this id"),
        Some(Ok(site)) => outgoing::json(200, &site),
        Some(Err(error)) => refuse(500, &format!("the stored settings are not valid: {error}")),
    }
}

fn refuse(status: u16, error: &str) -> Result<Response> {
    #[derive(Serialize)]
    struct Refusal<'a> {
        error: &'a str,
    }
    outgoing::json(status, &Refusal { error })
}
