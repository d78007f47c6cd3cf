//! `cargo xtask update-data`: pattern lists from package registries become the tables that ship with `user-agent`.
//!
//! In scope: fetching pinned packages, reading their lists, our own corrections to them, and writing the tables with their
//! origin stated. The tables are committed, so no build needs the network. Out of scope: the table format and matching
//! (`user_agent::pattern`), and what a crawler verdict is used for.
//!
//! To take newer lists: raise the versions in `package`, run this, look at what `cargo xtask bench accuracy` prints, commit.

mod crawlers;
mod device_type;
mod families;
mod package;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::paths;

/// What `cargo xtask update-data` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only check that the committed tables are what the pinned packages give
    #[arg(long)]
    check: bool,
}

/// A generated file and its contents.
struct Output {
    name: &'static str,
    contents: Vec<u8>,
}

/// Writes (or checks) every generated file of `user-agent/data`.
pub fn run(args: &Args) -> Result<()> {
    let packages = package::install()?;
    let mut outputs = families::outputs(&packages)?;
    outputs.extend(crawlers::outputs(&packages)?);
    outputs.push(Output { name: "README.md", contents: package::provenance().into_bytes() });
    let folder = paths::root().join("user-agent/data");
    for output in outputs {
        let path = folder.join(output.name);
        if args.check {
            check(&path, &output.contents)?;
        } else {
            std::fs::write(&path, &output.contents).with_context(|| format!("expected to write {}", path.display()))?;
        }
        println!("{:>9} B  user-agent/data/{}", output.contents.len(), output.name);
    }
    Ok(())
}

/// Where uap-core's `regexes.yaml` is, for programs that compare with other parsers; installs the packages if need be.
pub fn regexes_yaml() -> Result<PathBuf> {
    Ok(package::install()?.join("uap-core/regexes.yaml"))
}

fn check(path: &Path, contents: &[u8]) -> Result<()> {
    let committed = std::fs::read(path).with_context(|| format!("expected {}", path.display()))?;
    ensure!(
        committed == contents,
        "expected {} as `cargo xtask update-data` writes it, found other contents",
        path.display()
    );
    Ok(())
}
