//! Where things are in the clone. In scope: paths only; nothing here reads or writes.

use std::path::{Path, PathBuf};

/// The root of the clone.
pub fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_path_buf()
}

/// Cargo's target folder: `CARGO_TARGET_DIR`, else `target/`.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Where tools that cargo installs for this project live (`target/tools/bin`).
pub fn tools() -> PathBuf {
    target().join("tools")
}

/// A native program of this workspace, built with the `stack` profile.
pub fn program(name: &str) -> PathBuf {
    target().join("stack").join(name)
}

/// A path inside `node_modules`.
pub fn node_module(path: &str) -> PathBuf {
    root().join("node_modules").join(path)
}

/// The built Worker: `index.js` and `index_bg.wasm`.
pub fn worker_build() -> PathBuf {
    root().join("edge-collector/build")
}
