//! A small file system under one ClickHouse, to fill it. In scope: mounting, filling, emptying, unmounting. It needs root on Linux.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::tool;

/// Enough for one region's rows of the longest run, merges included.
const SIZE_MIB: u32 = 512;
const BALLAST: &str = "ballast";
const BALLAST_PIECE_BYTES: usize = 1 << 20;

/// A mounted tmpfs; unmounted when dropped.
pub(super) struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts one where the region's ClickHouse will keep its data; `None` where that is not possible.
    pub(super) fn under_clickhouse(dir: &Path, region: &str) -> Result<Option<Self>> {
        if !cfg!(target_os = "linux") || !nix::unistd::geteuid().is_root() {
            return Ok(None);
        }
        let path = dir.join(format!("clickhouse-{region}"));
        std::fs::create_dir_all(&path)?;
        let size = format!("size={SIZE_MIB}m");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "landfall-chaos"]).arg(&path);
        // In a container root may not mount either.
        Ok(tool::output(&mut mount).is_ok().then_some(Self { path }))
    }

    /// Takes every free byte.
    pub(super) fn fill(&self) -> Result<()> {
        let piece = vec![0x5a; BALLAST_PIECE_BYTES];
        let mut file = File::create(self.path.join(BALLAST)).context("expected a writable small disk")?;
        while file.write_all(&piece).is_ok() {}
        Ok(())
    }

    /// Gives them back.
    pub(super) fn free(&self) -> Result<()> {
        std::fs::remove_file(self.path.join(BALLAST)).context("expected the ballast of the small disk")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Err(error) = tool::output(Command::new("umount").arg("-l").arg(&self.path)) {
            println!("expected to unmount {}, found: {error:#}", self.path.display());
        }
    }
}
