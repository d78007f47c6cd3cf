//! The project's own tools. In scope: finding or installing exactly what the builds and tests need, with clear errors for
//! what only the user can install. Out of scope: building our code.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{interrupt, paths, step};

/// The `worker-build` that belongs to the `worker` crate in Cargo.lock (same 0.x minor).
const WORKER_BUILD_VERSION: &str = "0.8.7";
/// The embedded ClickHouse, as in package.json.
const CHDB_VERSION: &str = "26.7.3-stable.1";
const CARGO_DENY_VERSION: &str = "0.20.2";
const TYPOS_VERSION: &str = "1.52.0";
/// The oldest Node.js that the pinned wrangler runs on.
const NODE_MAJOR_MIN: u32 = 20;
const MAX_INSTALL_MINUTES: u64 = 30;
/// For what is only fetched and unpacked; a try that fails is followed by another.
const MAX_DOWNLOAD_MINUTES: u64 = 12;

/// Checks the tools that only the user can install.
pub fn check_prerequisites() -> Result<()> {
    let node = output(Command::new("node").arg("--version"))
        .context("expected Node.js 20 or newer on PATH, found none; see https://nodejs.org")?;
    let major = node.trim_start_matches('v').split('.').next().and_then(|text| text.parse::<u32>().ok());
    if major.is_none_or(|major| major < NODE_MAJOR_MIN) {
        bail!("expected Node.js {NODE_MAJOR_MIN} or newer, found {node}");
    }
    output(Command::new("npm").arg("--version")).context("expected npm beside Node.js, found none")?;
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    // CC may carry arguments, or a launcher in front.
    let program = compiler.split_whitespace().next().unwrap_or("cc");
    output(Command::new(program).arg("--version")).with_context(|| {
        format!("expected a C compiler ({compiler}) on PATH, found none; on Debian: apt-get install gcc")
    })?;
    Ok(())
}

/// The wasm32 target of the pinned toolchain.
pub fn ensure_wasm_target() -> Result<()> {
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]).current_dir(paths::root()))?;
    if Path::new(&sysroot).join("lib/rustlib/wasm32-unknown-unknown/lib").is_dir() {
        return Ok(());
    }
    step::run_again(
        "adding the wasm32 target to the Rust toolchain",
        Command::new("rustup").args(["target", "add", "wasm32-unknown-unknown"]).current_dir(paths::root()),
        MAX_DOWNLOAD_MINUTES,
    )
}

/// The npm packages of package-lock.json.
pub fn ensure_node_modules() -> Result<()> {
    let lock =
        std::fs::read_to_string(paths::root().join("package-lock.json")).context("expected package-lock.json")?;
    let stamp = paths::node_module(".landfall-lock");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    step::run_again(
        "installing npm packages (workerd, ClickHouse library, esbuild, binaryen, wrangler; about 1 GB once)",
        Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(paths::root()),
        MAX_DOWNLOAD_MINUTES,
    )?;
    if clickhouse_library().is_err() {
        // The lock file names the package of the platform that CI has; this is the same release for another.
        let package = format!("@chdb/{}@{CHDB_VERSION}", chdb_platform()?);
        step::run_again(
            &format!("installing {package}"),
            Command::new("npm")
                .args(["install", "--no-save", "--no-package-lock", &package])
                .current_dir(paths::root()),
            MAX_DOWNLOAD_MINUTES,
        )?;
    }
    std::fs::write(stamp, lock).context("expected to mark node_modules as complete")
}

/// ClickHouse as a library, from the npm package of this platform.
pub fn clickhouse_library() -> Result<PathBuf> {
    let path = paths::node_module(&format!("@chdb/{}/libchdb.so", chdb_platform()?));
    if !path.is_file() {
        bail!(
            "expected the ClickHouse library in {}, found none; remove node_modules/.landfall-lock and try again",
            path.display()
        );
    }
    Ok(path)
}

fn chdb_platform() -> Result<&'static str> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Ok("lib-linux-x64-gnu"),
        ("linux", "aarch64") => Ok("lib-linux-arm64-gnu"),
        ("macos", "aarch64") => Ok("lib-darwin-arm64"),
        ("macos", "x86_64") => Ok("lib-darwin-x64"),
        (os, arch) => {
            bail!("expected Linux or macOS on x86_64 or aarch64, which have a ClickHouse library, found {os} on {arch}")
        }
    }
}

/// `worker-build`, installed once into `target/tools`.
pub fn worker_build() -> Result<PathBuf> {
    if !is_installed("worker-build", WORKER_BUILD_VERSION) {
        ensure_openssl()?;
    }
    cargo_tool("worker-build", "worker-build", WORKER_BUILD_VERSION)
}

/// The wasm-bindgen command of exactly the version in Cargo.lock: its format has no compatibility between versions.
pub fn wasm_bindgen() -> Result<PathBuf> {
    cargo_tool("wasm-bindgen-cli", "wasm-bindgen", &locked_version("wasm-bindgen")?)
}

/// `cargo-deny`, for the supply chain check.
pub fn cargo_deny() -> Result<PathBuf> {
    cargo_tool("cargo-deny", "cargo-deny", CARGO_DENY_VERSION)
}

/// `typos`, for the spelling check.
pub fn typos() -> Result<PathBuf> {
    cargo_tool("typos-cli", "typos", TYPOS_VERSION)
}

/// A Chromium for the browser tests: `CHROMIUM_BIN`, one on PATH, else one that the system or Playwright installs.
pub fn chromium() -> Result<PathBuf> {
    if let Some(path) = find_chromium() {
        return Ok(path);
    }
    let is_installed = can_apt() && apt_install("Chromium for the browser tests", &["chromium"]).is_ok();
    if !is_installed || find_chromium().is_none() {
        interrupt::check()?;
        step::run_again(
            "installing Playwright's Chromium for the browser tests",
            Command::new("npx").args(["playwright-core", "install", "chromium"]).current_dir(paths::root()),
            MAX_DOWNLOAD_MINUTES,
        )?;
    }
    find_chromium().context("expected a Chromium for the browser tests: install one, or set CHROMIUM_BIN to its path")
}

fn find_chromium() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("CHROMIUM_BIN") {
        return Some(PathBuf::from(path));
    }
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    names.iter().find_map(|name| on_path(name)).or_else(|| {
        let script = "console.log(require('playwright-core').chromium.executablePath())";
        let path = output(Command::new("node").args(["-e", script]).current_dir(paths::root())).ok()?;
        Path::new(&path).is_file().then(|| PathBuf::from(path))
    })
}

/// worker-build links OpenSSL, whose headers many fresh machines lack.
fn ensure_openssl() -> Result<()> {
    let is_named = std::env::var_os("OPENSSL_DIR").is_some();
    let is_known = is_named || output(Command::new("pkg-config").args(["--exists", "openssl"])).is_ok();
    if is_known || cfg!(target_os = "macos") {
        return Ok(());
    }
    if can_apt() {
        return apt_install("OpenSSL headers for worker-build", &["pkg-config", "libssl-dev"]);
    }
    bail!(
        "expected pkg-config and the OpenSSL headers (worker-build links them), found none; on Debian: apt-get install pkg-config libssl-dev"
    )
}

fn cargo_tool(package: &str, binary: &str, version: &str) -> Result<PathBuf> {
    let path = paths::tools().join("bin").join(binary);
    if is_installed(package, version) && path.is_file() {
        return Ok(path);
    }
    let title = format!("installing {package} {version} into target/tools (a few minutes, once)");
    let locked = step::run(&title, install(package, version).arg("--locked"), MAX_INSTALL_MINUTES);
    if let Err(error) = locked {
        interrupt::check()?;
        // A registry mirror may lack the newest release that the tool's own lock file names.
        println!("  {error:#}");
        step::run(
            &format!("{title}, with the dependencies that the registry has"),
            &mut install(package, version),
            MAX_INSTALL_MINUTES,
        )?;
    }
    Ok(path)
}

fn install(package: &str, version: &str) -> Command {
    let mut command = Command::new("cargo");
    command
        .args(["install", package, "--force", "--version", version, "--root"])
        .arg(paths::tools())
        .env("CARGO_TARGET_DIR", paths::target().join("tools-build"))
        .current_dir(paths::root());
    command
}

/// Whether cargo's own record in the tools folder names this version.
fn is_installed(package: &str, version: &str) -> bool {
    std::fs::read_to_string(paths::tools().join(".crates.toml"))
        .is_ok_and(|record| record.contains(&format!("\"{package} {version} ")))
}

/// The version of a package in Cargo.lock.
fn locked_version(package: &str) -> Result<String> {
    let lock = std::fs::read_to_string(paths::root().join("Cargo.lock")).context("expected Cargo.lock")?;
    let marker = format!("name = \"{package}\"\nversion = \"");
    let start = lock.find(&marker).with_context(|| format!("expected {package} in Cargo.lock"))? + marker.len();
    let rest = &lock[start..];
    Ok(rest[..rest.find('"').context("expected a complete Cargo.lock")?].to_owned())
}

fn can_apt() -> bool {
    nix::unistd::Uid::effective().is_root() && on_path("apt-get").is_some()
}

fn apt_install(what: &str, packages: &[&str]) -> Result<()> {
    let apt_get = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        // Another apt may be at work on a machine that has just started.
        command.args(["-q", "-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=300"]).args(arguments);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    step::run_again("refreshing the list of system packages", &mut apt_get(&["update"]), MAX_DOWNLOAD_MINUTES)?;
    let install = [&["install", "-y", "--no-install-recommends"], packages].concat();
    step::run_again(&format!("installing {what}"), &mut apt_get(&install), MAX_DOWNLOAD_MINUTES)
}

/// Where PATH finds a program.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
}

/// The trimmed standard output of a program that succeeds.
pub fn output(command: &mut Command) -> Result<String> {
    let result = command.stdin(Stdio::null()).output().with_context(|| format!("expected to run {command:?}"))?;
    if !result.status.success() {
        bail!("{command:?} ended with {}: {}", result.status, String::from_utf8_lossy(&result.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&result.stdout).trim().to_owned())
}

/// shellcheck: required in CI, used elsewhere if there is one.
pub fn shellcheck() -> Result<Option<PathBuf>> {
    if on_path("shellcheck").is_none() && can_apt() {
        apt_install("shellcheck", &["shellcheck"])?;
    }
    let path = on_path("shellcheck");
    if path.is_none() {
        if std::env::var_os("CI").is_some() {
            bail!("expected shellcheck on PATH, found none; on Debian: apt-get install shellcheck");
        }
        println!("▸ shell scripts: skipped, no shellcheck on PATH (CI has one)");
    }
    Ok(path)
}
