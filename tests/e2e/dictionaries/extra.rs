//! A feed besides those of the stack: the real service, with other arguments.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use xtask::stack::{Stack, port, process};

use crate::lab;

/// A service besides the stack's own, ended when it is dropped.
pub(super) struct Extra<'a> {
    stack: &'a Stack,
    pid: u32,
    pub(super) port: u16,
}

impl<'a> Extra<'a> {
    pub(super) fn user_segments_without_clickhouse(stack: &'a Stack) -> Result<Self> {
        Self::start(stack, "user-segments", &["--clickhouse-url", "http://127.0.0.1:1"])
    }

    pub(super) fn countries_with_upstream(stack: &'a Stack, upstream: u16) -> Result<Self> {
        let url = format!("http://127.0.0.1:{upstream}/countries.jsonl");
        Self::start(stack, "countries", &["--upstream-url", &url, "--upstream-interval-s", "1"])
    }

    /// Countries over HTTPS, on a port that an earlier one may have had.
    pub(super) fn countries_over_https(stack: &'a Stack, port: u16, certificate: &Path, key: &Path) -> Result<Self> {
        let flag = |path: &Path| path.to_string_lossy().into_owned();
        Self::start_at(stack, port, "countries", &["--tls-cert", &flag(certificate), "--tls-key", &flag(key)])
    }

    fn start(stack: &'a Stack, service: &str, arguments: &[&str]) -> Result<Self> {
        Self::start_at(stack, port::free()?, service, arguments)
    }

    /// It takes the token of the named collection `countries`, and that of `user_segments`.
    fn start_at(stack: &'a Stack, port: u16, service: &str, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(xtask::paths::program("dict-services"));
        command
            .args([service, "--listen", &format!("127.0.0.1:{port}"), "--data-dir"])
            .arg(tempfile::Builder::new().prefix("extra-").tempdir_in(&stack.layout.dir)?.keep())
            .args(arguments)
            .env("FEED_TOKENS", format!("{},{}", stack.file.countries.token, stack.file.user_segments.token));
        let pid = process::start(&stack.layout.dir, "extra-feed", &mut command)?;
        Ok(Self { stack, pid, port })
    }

    /// The value of a metric with the label `result`; 0 if there is none yet.
    pub(super) fn metric(&self, name: &str, result: &str) -> Result<u64> {
        let text = lab::get_url(&format!("http://127.0.0.1:{}/metrics", self.port), &[])?.text;
        let label = format!("result=\"{result}\"");
        let line = text.lines().find(|line| line.starts_with(name) && line.contains(&label));
        Ok(line.and_then(|line| line.rsplit(' ').next()).map_or(Ok(0), str::parse)?)
    }
}

impl Drop for Extra<'_> {
    fn drop(&mut self) {
        process::stop(self.pid, &self.stack.layout.dir);
    }
}
