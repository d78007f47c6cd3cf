//! What a page loads: the beacon script and the pixel. In scope: the bytes and their caching.

use serde::Deserialize;
use web_sys::Response;
use worker::Result;

use crate::incoming::Incoming;
use crate::outgoing::respond;

/// The script, built by `beacon/build.mjs`.
const SCRIPT: &str = include_str!("../../beacon/dist/l.js");
/// Of the built script: version and digest, as the build wrote them.
const MANIFEST: &str = include_str!("../../beacon/dist/manifest.json");
/// A page may use an old script for this long.
const SHORT_CACHE: &str = "public, max-age=3600, stale-while-revalidate=86400";
const IMMUTABLE_CACHE: &str = "public, max-age=31536000, immutable";

/// One transparent pixel.
const PIXEL: &[u8; 43] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00\x21\xf9\x04\x01\x00\x00\x00\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b";

/// Whether the path is `/l.js` or `/l.<this version>.js`.
pub(crate) fn is_script(path: &str) -> bool {
    path == "/l.js" || is_versioned(path)
}

fn is_versioned(path: &str) -> bool {
    let version = path.strip_prefix("/l.").and_then(|rest| rest.strip_suffix(".js"));
    version.is_some_and(|version| manifest().version == version)
}

/// The script; its tag is its digest, so that a page that has it pays nothing.
pub(crate) fn script(request: &Incoming<'_>, path: &str) -> Result<Response> {
    let etag = format!("\"{}\"", manifest().sri);
    let headers = [
        ("Content-Type", "text/javascript; charset=utf-8"),
        ("Cache-Control", if is_versioned(path) { IMMUTABLE_CACHE } else { SHORT_CACHE }),
        ("ETag", &etag),
        // Pages that name the script's digest (SRI) load it as a cross-origin resource.
        ("Access-Control-Allow-Origin", "*"),
        ("X-Content-Type-Options", "nosniff"),
    ];
    let known = request.header("If-None-Match").unwrap_or_default();
    if known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag) {
        return respond(304, None, &headers);
    }
    respond(200, Some(SCRIPT.as_bytes()), &headers)
}

/// The pixel, always: a page must not show a broken image, whatever became of the event.
pub(crate) fn pixel() -> Result<Response> {
    respond(200, Some(PIXEL), &[("Content-Type", "image/gif"), ("Cache-Control", "no-store")])
}

/// What the Worker reads of the manifest.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Manifest<'a> {
    version: &'a str,
    sri: &'a str,
}

fn manifest() -> Manifest<'static> {
    serde_json::from_str(MANIFEST).unwrap_or_default()
}
