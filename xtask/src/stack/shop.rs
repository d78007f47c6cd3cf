//! The sample shop of the stack. In scope: starting its server, which is this very program.

use std::process::Command;

use anyhow::{Context, Result};

use super::file::StackFile;
use super::layout::Layout;
use super::process;
use crate::paths;

/// Starts the shop's server.
pub fn start(layout: &Layout, file: &StackFile) -> Result<u32> {
    let mut command = Command::new(server().context("expected the xtask program, which serves the shop")?);
    command
        .args([
            "serve-shop",
            "--listen",
            &format!("127.0.0.1:{}", layout.ports.shop),
            "--collector",
            &file.collector,
            "--stack",
        ])
        .arg(&layout.dir);
    process::start(&layout.dir, "shop", &mut command)
}

/// The program itself, or beside a test binary the one that cargo built.
fn server() -> Option<std::path::PathBuf> {
    let own = std::env::current_exe().ok()?;
    if own.file_stem().is_some_and(|name| name == "xtask") {
        return Some(own);
    }
    Some(paths::target().join("debug/xtask")).filter(|path| path.is_file())
}
