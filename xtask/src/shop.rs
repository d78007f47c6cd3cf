//! The sample shop's server. In scope: the static files of `xtask/shop`, with the collector's URL filled in.

use std::path::{Component, Path, PathBuf};

use anyhow::{Result, anyhow};
use tiny_http::{Header, Method, Request, Response, Server};

use crate::paths;

/// What the pages say in place of the collector's URL.
const COLLECTOR_MARK: &str = "{{collector}}";

/// Serves the shop until the process is stopped.
pub fn serve(listen: &str, collector: &str) -> Result<()> {
    let server = Server::http(listen).map_err(|error| anyhow!("expected to listen on {listen}, found: {error}"))?;
    println!("shop on http://{listen}, collector {collector}");
    for request in server.incoming_requests() {
        let response = answer(&request, collector);
        // The browser may be gone; the next one is not.
        let _ = request.respond(response);
    }
    Ok(())
}

fn answer(request: &Request, collector: &str) -> Response<std::io::Cursor<Vec<u8>>> {
    let path = request.url().split(['?', '#']).next().unwrap_or("/");
    if !matches!(request.method(), Method::Get | Method::Head) {
        return Response::from_string("expected GET").with_status_code(405);
    }
    let Some(file) = file_of(path) else { return not_found() };
    let Ok(bytes) = std::fs::read(&file) else { return not_found() };
    let extension = file.extension().and_then(|text| text.to_str()).unwrap_or_default();
    let body = if extension == "html" {
        String::from_utf8_lossy(&bytes).replace(COLLECTOR_MARK, collector).into_bytes()
    } else {
        bytes
    };
    let mut response = Response::from_data(body);
    if let Ok(header) = Header::from_bytes("Content-Type", content_type(extension)) {
        response = response.with_header(header);
    }
    response
}

/// The file of a URL path; `None` for anything that would leave the shop's folder.
fn file_of(path: &str) -> Option<PathBuf> {
    let relative = Path::new(path.trim_start_matches('/'));
    if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
        return None;
    }
    let file = paths::root().join("xtask/shop").join(relative);
    Some(if path.ends_with('/') { file.join("index.html") } else { file })
}

fn not_found() -> Response<std::io::Cursor<Vec<u8>>> {
    Response::from_string("no such page").with_status_code(404)
}

fn content_type(extension: &str) -> &'static str {
    match extension {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_leave_the_shop() {
        assert!(file_of("/../../Cargo.toml").is_none());
        assert!(file_of("/a/../../Cargo.toml").is_none());
        assert!(file_of("/").is_some_and(|file| file.ends_with("xtask/shop/index.html")));
    }
}
