//! The collector in the real Worker runtime. In scope: the generated `workerd` configuration and starting it.
//!
//! Out of scope: production, whose configuration is `wrangler.toml`; both name the same bindings.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;

use super::layout::Layout;
use super::process;
use crate::paths;

/// Where known regions lie: latitude, longitude and Durable Object location hint. A region of another name has no place.
const PLACES: [(&str, f64, f64, &str); 4] =
    [("eu", 50.1, 8.7, "weur"), ("us", 39.0, -77.5, "enam"), ("ap", 1.35, 103.8, "apac"), ("sa", -23.5, -46.6, "sam")];

/// What the Worker of one configuration is bound to.
pub struct Settings {
    pub port: u16,
    pub regions: serde_json::Value,
    pub sites: serde_json::Value,
    /// Secret bindings: name and value.
    pub secrets: Vec<(String, String)>,
    /// Further bindings of text: name and value.
    pub variables: Vec<(String, String)>,
}

impl Settings {
    /// The Worker of a stack.
    pub fn of(layout: &Layout) -> Self {
        let mut secrets = vec![("ADMIN_TOKEN".to_owned(), layout.secrets.admin_token.clone())];
        let mut regions = Vec::new();
        let own_ports = layout.ports.clickhouse.iter().map(|(http, _)| *http).collect();
        let ports = Some(&layout.surroundings.clickhouse_ports).filter(|ports| !ports.is_empty()).unwrap_or(&own_ports);
        for (name, port) in layout.regions.iter().zip(ports) {
            secrets.push((
                format!("CLICKHOUSE_PASSWORD_{}", name.to_uppercase()),
                layout.secrets.clickhouse_collector.clone(),
            ));
            regions.push(region(name, &format!("http://127.0.0.1:{port}")));
        }
        let sites = demo_sites(&layout.regions);
        let variables = layout.surroundings.worker_variables.clone();
        Self { port: layout.ports.collector, regions: regions.into(), sites, secrets, variables }
    }

    /// The Worker alone, with no ClickHouse behind it.
    pub fn for_measurement(port: u16) -> Self {
        let regions = vec!["eu".to_owned()];
        Self {
            port,
            regions: json!([region("eu", "http://127.0.0.1:9")]),
            sites: demo_sites(&regions),
            secrets: Vec::new(),
            variables: Vec::new(),
        }
    }
}

fn region(name: &str, url: &str) -> serde_json::Value {
    let mut region = json!({"name": name, "url": url, "user": "collector"});
    if let Some((_, latitude, longitude, hint)) = PLACES.iter().find(|place| place.0 == name) {
        region["latitude"] = json!(latitude);
        region["longitude"] = json!(longitude);
        region["location_hint"] = json!(hint);
    }
    region
}

/// The site `demo` of design section 8.
pub fn demo_sites(regions: &[String]) -> serde_json::Value {
    json!([{"id": "demo", "domains": ["shop.example", "localhost", "127.0.0.1"], "regions": regions}])
}

/// The runtime's program.
pub fn program() -> PathBuf {
    paths::node_module(".bin/workerd")
}

/// Starts the Worker of a stack.
pub fn start(layout: &Layout) -> Result<u32> {
    let folder = layout.dir.join("workerd");
    let built = layout.surroundings.worker.clone().unwrap_or_else(paths::worker_build);
    write(&folder, &built, &Settings::of(layout))?;
    let mut command = Command::new(program());
    command.arg("serve").arg(folder.join("config.capnp")).envs(layout.surroundings.workerd_variables.iter().cloned());
    process::start(&layout.dir, "workerd", &mut command)
}

/// Writes the configuration and a copy of the built Worker into a folder, so that a later build does not change a running stack.
pub fn write(folder: &Path, built: &Path, settings: &Settings) -> Result<()> {
    std::fs::create_dir_all(folder.join("objects"))?;
    for name in ["index.js", "index_bg.wasm"] {
        std::fs::copy(built.join(name), folder.join(name))
            .with_context(|| format!("expected {}/{name}; build it: cargo xtask build-worker", built.display()))?;
    }
    let path = folder.join("config.capnp");
    std::fs::write(&path, config(settings, &folder.join("objects")))?;
    // It holds secrets.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(())
}

/// A Worker that reads the body and answers: what the runtime itself costs.
pub fn no_op_config(port: u16) -> String {
    format!(
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [ (name = "main", worker = (
    modules = [ (name = "index.js", esModule = embed "index.js") ], compatibilityDate = "2026-04-20")) ],
  sockets = [ (name = "http", address = "127.0.0.1:{port}", http = (), service = "main") ],
);
"#
    )
}

fn config(settings: &Settings, objects: &Path) -> String {
    let mut bindings = String::new();
    let vars = [("REGIONS".to_owned(), settings.regions.to_string()), ("SITES".to_owned(), settings.sites.to_string())];
    let is_replaced = |name: &str| settings.variables.iter().any(|(own, _)| own == name);
    let own = vars.iter().chain(&settings.secrets).filter(|(name, _)| !is_replaced(name));
    for (name, value) in own.chain(&settings.variables) {
        // Writing to a String cannot fail.
        let _ = write!(bindings, "\n    (name = {}, text = {}),", quoted(name), quoted(value));
    }
    format!(
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .collector),
    (name = "objects", disk = (path = {objects}, writable = true)),
    # The ClickHouses of the embedded stack are on loopback, which the default network refuses.
    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [ (name = "http", address = "127.0.0.1:{port}", http = (cfBlobHeader = "CF-Blob"), service = "main") ],
);
const collector :Workerd.Worker = (
  modules = [
    (name = "index.js", esModule = embed "index.js"),
    (name = "./index_bg.wasm", wasm = embed "index_bg.wasm"),
  ],
  compatibilityDate = "2026-04-20",
  durableObjectNamespaces = [
    (className = "Batcher", uniqueKey = "landfall-batcher", enableSql = true),
    (className = "Registry", uniqueKey = "landfall-registry", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "objects"),
  bindings = [
    (name = "BATCHER", durableObjectNamespace = "Batcher"),
    (name = "REGISTRY", durableObjectNamespace = "Registry"),{bindings}
  ],
);
"#,
        objects = quoted(&objects.to_string_lossy()),
        port = settings.port,
    )
}

/// A Cap'n Proto text literal.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted() {
        assert_eq!(quoted(r#"a"b\c"#), r#""a\"b\\c""#);
    }

    #[test]
    fn the_configuration_binds_what_the_worker_reads() {
        let text = config(&Settings::for_measurement(1), Path::new("/objects"));
        for name in ["BATCHER", "REGISTRY", "REGIONS", "SITES"] {
            assert!(text.contains(&format!("(name = \"{name}\"")), "{name}");
        }
    }
}
