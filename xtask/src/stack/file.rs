//! `DIR/stack.json`: where everything of a running stack is. In scope: its shape (design section 8) and pids.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::clickhouse::Endpoint;
use super::feed::Service;
use super::layout::Layout;

const STACK_FILE: &str = "stack.json";

/// Where everything of a stack is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StackFile {
    /// Base URL of the collector.
    pub collector: String,
    pub admin_token: String,
    pub clickhouse: Vec<Endpoint>,
    pub countries: Feed,
    pub user_segments: Feed,
    /// Base URL of the sample shop.
    pub shop: String,
    pub pids: Pids,
}

/// A feed's base URL and the bearer token that opens it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Feed {
    pub url: String,
    pub token: String,
}

/// Process ids; null = not running.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Pids {
    pub workerd: Option<u32>,
    pub countries: Option<u32>,
    pub user_segments: Option<u32>,
    pub shop: Option<u32>,
}

impl StackFile {
    /// The file of a stack of which nothing runs yet.
    pub fn of(layout: &Layout) -> Self {
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let ports = &layout.ports;
        let clickhouse = layout.regions.iter().zip(&ports.clickhouse).map(|(region, (http, tcp))| Endpoint {
            region: region.clone(),
            url: url(*http),
            tcp_port: *tcp,
            user: "admin".to_owned(),
            password: layout.secrets.clickhouse_admin.clone(),
            pid: None,
        });
        Self {
            collector: url(ports.collector),
            admin_token: layout.secrets.admin_token.clone(),
            clickhouse: clickhouse.collect(),
            countries: Feed { url: url(ports.countries), token: layout.secrets.countries_token.clone() },
            user_segments: Feed { url: url(ports.user_segments), token: layout.secrets.user_segments_token.clone() },
            shop: url(ports.shop),
            pids: Pids::default(),
        }
    }

    /// The file of the folder, if it has one.
    pub fn read(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(STACK_FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text)
                .map(Some)
                .with_context(|| format!("expected a stack file in {}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("expected to read {}", path.display())),
        }
    }

    /// Replaces the folder's file in one step, so that no reader sees half of it.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let draft = dir.join(".stack.json.new");
        super::layout::write_private(&draft, &serde_json::to_string_pretty(self)?)?;
        std::fs::rename(draft, dir.join(STACK_FILE)).context("expected to write stack.json")
    }

    /// The processes that an earlier command started.
    pub fn take_pids(&mut self, previous: &Self) {
        self.pids = previous.pids.clone();
        for (endpoint, earlier) in self.clickhouse.iter_mut().zip(&previous.clickhouse) {
            endpoint.pid = earlier.pid;
        }
    }

    /// Nothing runs any more.
    pub fn forget_pids(&mut self) {
        self.pids = Pids::default();
        for endpoint in &mut self.clickhouse {
            endpoint.pid = None;
        }
    }

    /// Every known process, in the order in which to stop them.
    pub fn all_pids(&self) -> Vec<u32> {
        let pids = &self.pids;
        let stores = self.clickhouse.iter().map(|endpoint| endpoint.pid);
        [pids.shop, pids.workerd, pids.user_segments, pids.countries].into_iter().chain(stores).flatten().collect()
    }

    pub fn feed(&self, service: Service) -> &Feed {
        match service {
            Service::Countries => &self.countries,
            Service::UserSegments => &self.user_segments,
        }
    }
}

impl Pids {
    pub fn feed(&self, service: Service) -> Option<u32> {
        match service {
            Service::Countries => self.countries,
            Service::UserSegments => self.user_segments,
        }
    }

    pub fn feed_mut(&mut self, service: Service) -> &mut Option<u32> {
        match service {
            Service::Countries => &mut self.countries,
            Service::UserSegments => &mut self.user_segments,
        }
    }
}
