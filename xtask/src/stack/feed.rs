//! The dictionary feeds of the stack. In scope: how `dict-services` is started here.

use std::process::Command;

use anyhow::Result;

use super::file::StackFile;
use super::layout::Layout;
use super::process;
use crate::paths;

/// How often the segments are computed anew: often, so that a demo shows them.
const SEGMENTS_REFRESH_S: u32 = 15;

/// One of the two feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Countries,
    UserSegments,
}

impl Service {
    /// The subcommand, and the path of the feed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Countries => "countries",
            Self::UserSegments => "user-segments",
        }
    }
}

/// Where a feed listens.
pub fn port(layout: &Layout, service: Service) -> u16 {
    match service {
        Service::Countries => layout.ports.countries,
        Service::UserSegments => layout.ports.user_segments,
    }
}

/// Starts a feed.
pub fn start(layout: &Layout, file: &StackFile, service: Service) -> Result<u32> {
    let port = port(layout, service);
    let mut command = Command::new(paths::program("dict-services"));
    command
        .arg(service.name())
        .args(["--listen", &format!("127.0.0.1:{port}"), "--data-dir"])
        .arg(layout.dir.join(service.name()))
        .env("FEED_TOKENS", &file.feed(service).token);
    if service == Service::UserSegments {
        let urls: Vec<&str> = file.clickhouse.iter().map(|endpoint| endpoint.url.as_str()).collect();
        command
            .args(["--clickhouse-url", &urls.join(","), "--clickhouse-user", "reader"])
            .args(["--refresh-interval-s", &SEGMENTS_REFRESH_S.to_string()])
            .env("CLICKHOUSE_PASSWORD", &layout.secrets.clickhouse_reader);
    }
    process::start(&layout.dir, service.name(), &mut command)
}
