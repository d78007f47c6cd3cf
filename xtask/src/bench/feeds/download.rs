//! A reader. In scope: curl, which is nothing but fast; this program is not optimised.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::tool;

/// A response is complete within this time.
const MAX_SECONDS: &str = "300";

/// One GET.
pub(super) struct Download {
    url: String,
    token: Option<String>,
}

/// What curl says of it.
pub(super) struct Took {
    pub(super) seconds: f64,
}

impl Download {
    pub(super) fn of(url: &str) -> Self {
        Self { url: url.to_owned(), token: None }
    }

    pub(super) fn with_token(self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self }
    }

    /// Reads the body and throws it away.
    pub(super) fn run(&self) -> Result<Took> {
        Ok(Took { seconds: self.transfer(Path::new("/dev/null"))?.0 })
    }

    /// Reads the body into a file; its length.
    pub(super) fn save(&self, file: &Path) -> Result<u64> {
        Ok(self.transfer(file)?.1)
    }

    pub(super) fn text(&self) -> Result<String> {
        tool::output(&mut self.command())
    }

    /// Seconds and bytes.
    fn transfer(&self, file: &Path) -> Result<(f64, u64)> {
        let mut command = self.command();
        command.arg("--output").arg(file).args(["--write-out", "%{time_total} %{size_download}"]);
        let said = tool::output(&mut command)?;
        let (seconds, bytes) =
            said.split_once(' ').with_context(|| format!("expected two numbers of curl, found {said:?}"))?;
        let bytes = bytes.parse()?;
        ensure!(bytes > 0, "expected a body at {}, found none", self.url);
        Ok((seconds.parse()?, bytes))
    }

    fn command(&self) -> Command {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", MAX_SECONDS, &self.url]);
        if let Some(token) = &self.token {
            command.args(["--header", &format!("Authorization: Bearer {token}")]);
        }
        command
    }
}
