//! The bare Worker: the least that makes a beacon durable, one row per request. In scope: its source and its configuration.

use std::path::Path;

use anyhow::Result;

use crate::bench::runtime::Runtime;
use crate::stack::{port, workerd};

/// Its answer leaves through the same output gate as the collector's.
const WORKER: &str = r#"import { DurableObject } from "cloudflare:workers";
export class Store extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.sql = state.storage.sql;
    this.sql.exec("CREATE TABLE IF NOT EXISTS beacons (id INTEGER PRIMARY KEY, body BLOB NOT NULL)");
  }
  async fetch(request) {
    this.sql.exec("INSERT INTO beacons (body) VALUES (?)", await request.arrayBuffer());
    return new Response(null, { status: 202 });
  }
}
export default {
  fetch(request, env) {
    return env.STORE.get(env.STORE.idFromName("eu-00")).fetch(request);
  },
};
"#;

/// Starts it with its objects in the folder, on the same disk as the collector's.
pub(super) fn start(folder: &Path) -> Result<Runtime> {
    let port = port::free_block()?;
    let objects = folder.join("objects");
    std::fs::create_dir_all(&objects)?;
    std::fs::write(folder.join("index.js"), WORKER)?;
    std::fs::write(folder.join("config.capnp"), config(port, &objects))?;
    Runtime::start(folder, port)
}

fn config(port: u16, objects: &Path) -> String {
    format!(
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [ (name = "main", worker = .bare), (name = "objects", disk = (path = {objects}, writable = true)) ],
  sockets = [ (name = "http", address = "127.0.0.1:{port}", http = (cfBlobHeader = "CF-Blob"), service = "main") ],
);
const bare :Workerd.Worker = (
  modules = [ (name = "index.js", esModule = embed "index.js") ],
  compatibilityDate = "2026-04-20",
  durableObjectNamespaces = [ (className = "Store", uniqueKey = "bare-store", enableSql = true) ],
  durableObjectStorage = (localDisk = "objects"),
  bindings = [ (name = "STORE", durableObjectNamespace = "Store") ],
);
"#,
        objects = workerd::quoted(&objects.to_string_lossy()),
    )
}
