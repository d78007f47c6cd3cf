//! The collector's wall clock. In scope: building what moves it, moving it. It needs Linux and a C compiler.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::tool;

const SOURCE: &str = include_str!("clock.c");

/// A clock that runs with the system's, some seconds apart.
pub struct Clock {
    library: PathBuf,
    offset: PathBuf,
}

impl Clock {
    /// Why there is none on this machine, if so.
    pub fn hindrance() -> Option<&'static str> {
        let is_possible = cfg!(target_os = "linux") && tool::on_path("cc").is_some();
        (!is_possible).then_some("needs Linux and a C compiler")
    }

    /// Builds one in a folder.
    pub fn build(dir: &Path) -> Result<Self> {
        let clock = Self { library: dir.join("clock.so"), offset: dir.join("clock-offset") };
        let source = dir.join("clock.c");
        std::fs::write(&source, SOURCE)?;
        std::fs::write(&clock.offset, 0_i64.to_ne_bytes())?;
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O2", "-o"]).arg(&clock.library).arg(&source);
        tool::output(&mut compiler).context("expected cc to build the clock")?;
        Ok(clock)
    }

    /// Environment variables that give a process this clock.
    pub fn variables(&self) -> Vec<(String, String)> {
        let variable = |name: &str, path: &Path| (name.to_owned(), path.to_string_lossy().into_owned());
        vec![variable("LD_PRELOAD", &self.library), variable("LANDFALL_CLOCK_OFFSET", &self.offset)]
    }

    /// Moves it: from now on it is so many seconds apart from the system's.
    pub fn set_offset(&self, seconds: i64) -> Result<()> {
        // In place: the process has the file mapped, and must not see it empty.
        let file = OpenOptions::new().write(true).open(&self.offset)?;
        Ok(file.write_all_at(&seconds.to_ne_bytes(), 0)?)
    }
}
