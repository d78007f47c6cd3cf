//! Building what the stack runs. In scope: the beacon script, the Worker and the native services, with what they measure.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::{paths, step, tool};

pub mod size;

const MAX_BUILD_MINUTES: u64 = 30;
/// What worker-build allows the Wasm to use. More than that (`--all-features`) makes wasm-opt write what older runtimes cannot read.
const WASM_FEATURES: [&str; 7] = [
    "--enable-mutable-globals",
    "--enable-sign-ext",
    "--enable-nontrapping-float-to-int",
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-reference-types",
    "--enable-exception-handling",
];
/// What the Worker is built from; a build is skipped while none of it has changed.
const WORKER_INPUTS: [&str; 8] = [
    ".cargo",
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    "edge-collector",
    "collector-core",
    "user-agent",
    "beacon/dist",
];

/// Everything that `up` runs.
pub fn all() -> Result<()> {
    tool::check_prerequisites()?;
    tool::ensure_node_modules()?;
    worker()?;
    services()
}

/// The beacon script: `beacon/dist/l.js`, which the Worker embeds.
pub fn beacon() -> Result<()> {
    step::run_loud(
        "building the beacon script",
        Command::new("node").arg("beacon/build.mjs").current_dir(paths::root()),
        5,
    )
}

/// The Worker: `edge-collector/build/index.js` and `index_bg.wasm`, unless they are up to date. Says whether it built.
pub fn worker() -> Result<bool> {
    build_worker(&paths::worker_build(), &[])
}

/// The Worker that tells a test how far a flush has come (`edge-collector/src/fault_point/asking.rs`); the folder where it is.
pub fn worker_with_fault_points() -> Result<PathBuf> {
    let folder = paths::root().join("target/fault-points");
    build_worker(&folder, &["--features", "fault-points"])?;
    Ok(folder)
}

/// Builds the Worker into a folder of the clone, with more options of `cargo build`.
fn build_worker(folder: &Path, options: &[&str]) -> Result<bool> {
    tool::check_prerequisites()?;
    tool::ensure_node_modules()?;
    tool::ensure_wasm_target()?;
    beacon()?;
    let fingerprint = fingerprint()?;
    let stamp = folder.join("fingerprint");
    let wasm = folder.join("index_bg.wasm");
    let is_fresh = std::fs::read_to_string(&stamp).is_ok_and(|built| built == fingerprint) && wasm.is_file();
    if is_fresh {
        println!("▸ the Worker is up to date");
        return Ok(false);
    }
    let mut command = Command::new(tool::worker_build()?);
    // worker-build wants the folder relative to the crate.
    let relative = Path::new("..").join(folder.strip_prefix(paths::root())?);
    command
        .args(["--release", "--out-dir"])
        .arg(relative)
        .args([".", "--"])
        .args(options)
        .current_dir(paths::root().join("edge-collector"))
        .env("WASM_BINDGEN_BIN", tool::wasm_bindgen()?)
        .env("WASM_OPT_BIN", paths::node_module("binaryen/bin/wasm-opt"))
        .env("ESBUILD_BIN", paths::node_module(".bin/esbuild"))
        // A beacon whose sender has left is still taken: the handler runs on under waitUntil.
        .env("RUN_TO_COMPLETION", "1");
    step::run("building the Worker (Rust to Wasm)", &mut command, MAX_BUILD_MINUTES)?;
    strip_names(&wasm)?;
    std::fs::write(stamp, fingerprint).context("expected to write the Worker's fingerprint")?;
    Ok(true)
}

/// Removes the functions' names, a tenth of the Worker: worker-build keeps them, and Cargo's own `strip` would take more than names.
fn strip_names(wasm: &Path) -> Result<()> {
    let mut command = Command::new(paths::node_module("binaryen/bin/wasm-opt"));
    command.args(WASM_FEATURES).args(["--strip-debug", "--strip-producers"]).arg(wasm).arg("-o").arg(wasm);
    step::run("removing names from the Wasm", &mut command, MAX_BUILD_MINUTES)
}

/// The native programs of the stack: dict-services and the embedded ClickHouse.
pub fn services() -> Result<()> {
    step::run(
        "building the services and the embedded ClickHouse's front",
        Command::new("cargo")
            .args([
                "build",
                "--profile",
                "stack",
                "--locked",
                "-p",
                "dict-services",
                "-p",
                "dev-clickhouse",
                "-p",
                "landfall",
            ])
            .current_dir(paths::root()),
        MAX_BUILD_MINUTES,
    )
}

/// A digest over the names and contents of all inputs of the Worker.
fn fingerprint() -> Result<String> {
    let mut files = Vec::new();
    for input in WORKER_INPUTS {
        collect_files(&paths::root().join(input), &mut files)?;
    }
    files.sort();
    let mut hasher = Sha256::new();
    for file in files {
        hasher.update(file.to_string_lossy().as_bytes());
        hasher.update(std::fs::read(&file).with_context(|| format!("expected to read {}", file.display()))?);
    }
    let mut text = String::new();
    for byte in hasher.finalize() {
        write!(text, "{byte:02x}")?;
    }
    Ok(text)
}

fn collect_files(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path).with_context(|| format!("expected the folder {}", path.display()))? {
        let entry = entry?.path();
        if !entry.ends_with("edge-collector/build") {
            collect_files(&entry, files)?;
        }
    }
    Ok(())
}
