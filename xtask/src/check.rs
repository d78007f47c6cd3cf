//! `cargo xtask check`: everything that can be said of the code without running it.

use std::process::Command;

use anyhow::Result;

use crate::{build, paths, step, tool};

const MAX_CHECK_MINUTES: u64 = 30;

/// Format, lints, docs, supply chain, spelling, scripts, TypeScript.
pub fn run() -> Result<()> {
    tool::check_prerequisites()?;
    tool::ensure_node_modules()?;
    tool::ensure_wasm_target()?;
    cargo("format", &["fmt", "--all", "--check"], &[])?;
    build::beacon()?;
    cargo(
        "lints of the native crates",
        &["clippy", "--workspace", "--exclude", "edge-collector", "--all-targets", "--locked", "--", "-D", "warnings"],
        &[],
    )?;
    cargo(
        "lints of the Worker",
        &["clippy", "-p", "edge-collector", "--target", "wasm32-unknown-unknown", "--locked", "--", "-D", "warnings"],
        &[],
    )?;
    fuzz()?;
    cargo(
        "docs",
        &["doc", "--workspace", "--exclude", "edge-collector", "--no-deps", "--document-private-items", "--locked"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    )?;
    deny()?;
    let mut typos = Command::new(tool::typos()?);
    step::run("spelling", typos.current_dir(paths::root()), MAX_CHECK_MINUTES)?;
    scripts()?;
    let mut tsc = Command::new(paths::node_module(".bin/tsc"));
    step::run(
        "types of the beacon script",
        tsc.args(["--noEmit", "-p", "beacon"]).current_dir(paths::root()),
        MAX_CHECK_MINUTES,
    )
}

/// The fuzz targets are a workspace of their own.
fn fuzz() -> Result<()> {
    let manifest = ["--manifest-path", "fuzz/Cargo.toml"];
    cargo("format of the fuzz targets", &[&["fmt", "--check"], &manifest[..]].concat(), &[])?;
    let target = paths::target().join("fuzz");
    cargo(
        "lints of the fuzz targets",
        &[&["clippy", "--all-targets", "--locked"], &manifest[..], &["--", "-D", "warnings"]].concat(),
        &[("CARGO_TARGET_DIR", &target.to_string_lossy())],
    )
}

fn cargo(title: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Result<()> {
    let mut command = Command::new("cargo");
    command.args(arguments).envs(variables.iter().copied()).current_dir(paths::root());
    step::run(title, &mut command, MAX_CHECK_MINUTES)
}

/// Licences, sources and bans always; advisories where their database can be fetched (`LANDFALL_ADVISORIES=1`, as in hosted CI).
fn deny() -> Result<()> {
    let mut command = Command::new(tool::cargo_deny()?);
    command.args(["--all-features", "check", "bans", "licenses", "sources"]).current_dir(paths::root());
    if std::env::var_os("LANDFALL_ADVISORIES").is_some() {
        command.arg("advisories");
    }
    step::run("supply chain", &mut command, MAX_CHECK_MINUTES)
}

fn scripts() -> Result<()> {
    let Some(shellcheck) = tool::shellcheck()? else { return Ok(()) };
    step::run("shell scripts", Command::new(shellcheck).arg(".ci/run").current_dir(paths::root()), MAX_CHECK_MINUTES)
}
