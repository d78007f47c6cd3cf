//! The embedded ClickHouse of a region. In scope: how it is started here, and asking it a question.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use landfall::migrate::{self, Mode, Target};
use serde::{Deserialize, Serialize};

use super::layout::{Layout, sha256_hex};
use super::process;
use crate::{paths, tool};

const MAX_READY: Duration = Duration::from_secs(2);
const MAX_QUERY: Duration = Duration::from_mins(2);

/// One region's ClickHouse, as stack.json names it: the user may do everything.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Endpoint {
    pub region: String,
    pub url: String,
    pub tcp_port: u16,
    pub user: String,
    pub password: String,
    pub pid: Option<u32>,
}

impl Endpoint {
    /// Whether the server answers.
    pub fn is_ready(&self) -> bool {
        self.ask("SELECT 1", MAX_READY).is_ok()
    }

    /// Runs one statement and gives its answer as text (tab-separated unless the statement names a format).
    pub fn query(&self, sql: &str) -> Result<String> {
        self.ask(sql, MAX_QUERY)
    }

    fn ask(&self, sql: &str, limit: Duration) -> Result<String> {
        let response = ureq::post(&self.url)
            .config()
            .timeout_global(Some(limit))
            .http_status_as_error(false)
            .build()
            .header("X-ClickHouse-User", &self.user)
            .header("X-ClickHouse-Key", &self.password)
            .send(sql)
            .with_context(|| format!("expected an answer of ClickHouse at {}", self.url))?;
        let status = response.status();
        let text = response.into_body().into_with_config().limit(1 << 30).read_to_string()?;
        if !status.is_success() {
            bail!("expected ClickHouse to run {sql:?}, found {status}: {}", text.trim());
        }
        Ok(text.trim_end().to_owned())
    }
}

/// Starts the server of region `index`.
pub fn start(layout: &Layout, index: usize) -> Result<u32> {
    let region = &layout.regions[index];
    let (http, tcp) = layout.ports.clickhouse[index];
    let url = |port: u16, path: &str| format!("http://127.0.0.1:{port}/{path}");
    let secrets = &layout.secrets;
    let mut command = Command::new(paths::program("dev-clickhouse"));
    command
        .arg("--lib")
        .arg(tool::clickhouse_library()?)
        .arg("--data")
        .arg(layout.dir.join(format!("clickhouse-{region}")))
        .arg("--config")
        .arg(paths::root().join("infra/clickhouse"))
        .args(["--http-port", &http.to_string(), "--tcp-port", &tcp.to_string()])
        .env("LANDFALL_ADMIN_PASSWORD_SHA256", sha256_hex(&secrets.clickhouse_admin))
        .env("LANDFALL_COLLECTOR_PASSWORD_SHA256", sha256_hex(&secrets.clickhouse_collector))
        .env("LANDFALL_READER_PASSWORD_SHA256", sha256_hex(&secrets.clickhouse_reader))
        .env("LANDFALL_COUNTRIES_URL", url(layout.ports.countries, "countries"))
        .env("LANDFALL_COUNTRIES_AUTHORIZATION", format!("Bearer {}", secrets.countries_token))
        .env("LANDFALL_USER_SEGMENTS_URL", url(layout.ports.user_segments, "user-segments"))
        .env("LANDFALL_USER_SEGMENTS_AUTHORIZATION", format!("Bearer {}", secrets.user_segments_token));
    process::start(&layout.dir, &format!("clickhouse-{region}"), &mut command)
}

/// Applies the schema by the code of the operator's `landfall migrate`.
pub fn migrate(endpoint: &Endpoint) -> Result<()> {
    let target = Target { url: endpoint.url.clone(), user: endpoint.user.clone(), password: endpoint.password.clone() };
    migrate::migrate(&target, Mode::Apply, &mut |_| {}).context("expected the schema to apply")?;
    Ok(())
}
