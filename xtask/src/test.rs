//! `cargo xtask test`: every test of the project. In scope: what runs, in which order, and leaving no process behind.

use std::process::Command;

use anyhow::Result;

use crate::{build, paths, stack, step, tool, traffic};

const MAX_UNIT_MINUTES: u64 = 30;
const MAX_NODE_MINUTES: u64 = 10;
const MAX_E2E_MINUTES: u64 = 40;
const MS_PER_DAY: u64 = 86_400_000;
const MAX_FUZZ_MINUTES: u64 = 10;
/// For all fuzz targets together.
const FUZZ_SECONDS: u64 = 20;

/// Unit and property tests, the fuzz targets, the beacon's tests, then the tests against the real stack. `filter` selects among the last.
pub fn run(filter: &[String], e2e_only: bool) -> Result<()> {
    tool::check_prerequisites()?;
    tool::ensure_node_modules()?;
    if !e2e_only {
        unit()?;
    }
    build::all()?;
    if filter.is_empty() {
        // A test needs it; built here, it takes none of that test's time.
        build::worker_with_fault_points()?;
    }
    e2e(filter)
}

fn unit() -> Result<()> {
    build::beacon()?;
    let mut cargo = Command::new("cargo");
    cargo
        .args(["test", "--workspace", "--exclude", "e2e", "--exclude", "edge-collector", "--locked"])
        .current_dir(paths::root());
    step::run_loud("unit and property tests", &mut cargo, MAX_UNIT_MINUTES)?;
    fuzz()?;
    node_tests("the beacon script's tests", "beacon/test")?;
    node_tests("the beacon script in Chromium", "tests/browser")
}

/// Bytes that nobody would send: each fuzz target from its corpus, without coverage, for a bounded time. The seed is the day's, so
/// that every day tries others, and printed, so that a failure can be had again.
fn fuzz() -> Result<()> {
    let seed = (traffic::now_ms() / MS_PER_DAY).to_string();
    let mut cargo = Command::new("cargo");
    cargo
        .args(["run", "--locked", "--release", "--manifest-path", "fuzz/Cargo.toml", "--example", "smoke", "--"])
        .args(["--seconds", &FUZZ_SECONDS.to_string(), "--seed", &seed])
        .env("CARGO_TARGET_DIR", paths::target().join("fuzz"))
        .current_dir(paths::root());
    step::run_loud(&format!("fuzz targets for {FUZZ_SECONDS} s, seed {seed}"), &mut cargo, MAX_FUZZ_MINUTES)
}

/// Node's own runner on the test files of a folder; not every version takes the folder itself.
fn node_tests(title: &str, folder: &str) -> Result<()> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(paths::root().join(folder))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".test.mjs") {
            files.push(path);
        }
    }
    files.sort();
    let mut node = Command::new("node");
    node.arg("--test").args(files).current_dir(paths::root()).env("CHROMIUM_BIN", tool::chromium()?);
    step::run_loud(title, &mut node, MAX_NODE_MINUTES)
}

/// The tests' stacks live below one folder, so that whatever a killed run leaves is found and stopped.
fn e2e(filter: &[String]) -> Result<()> {
    let chromium = tool::chromium()?;
    let folder = tempfile::Builder::new().prefix("landfall-e2e-").tempdir()?;
    let mut cargo = Command::new("cargo");
    cargo
        .args(["test", "-p", "e2e", "--locked", "--test", "e2e", "--"])
        .args(filter)
        .current_dir(paths::root())
        .env("LANDFALL_E2E_DIR", folder.path())
        .env("CHROMIUM_BIN", chromium);
    let result = step::run_loud("tests against the real stack", &mut cargo, MAX_E2E_MINUTES);
    sweep(folder.path());
    if result.is_err() {
        let kept = folder.keep();
        println!("the stacks' logs are in {}", kept.display());
    }
    result
}

/// Stops whatever a killed run has left below the tests' folder.
fn sweep(folder: &std::path::Path) {
    if let Err(error) = stack::stop_found(folder) {
        println!("{error:#}");
    }
}
