//! "npx wrangler deploy": the configuration that operators deploy builds, and runs under `wrangler dev`.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use xtask::paths;
use xtask::stack::{port, process};

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("wrangler_deploy_dry_run_passes", wrangler_deploy_dry_run_passes),
    ("wrangler_dev_takes_a_beacon", wrangler_dev_takes_a_beacon),
];

/// wrangler of the lock file, with everything off that calls home.
fn wrangler() -> Command {
    let mut command = Command::new(paths::node_module(".bin/wrangler"));
    command
        .current_dir(paths::root())
        .env("CI", "1")
        .env("WRANGLER_SEND_METRICS", "false")
        .env("WRANGLER_HIDE_BANNER", "true")
        .env("CLOUDFLARE_CF_FETCH_ENABLED", "false")
        .stdin(Stdio::null());
    command
}

fn wrangler_deploy_dry_run_passes(lab: &mut Lab) -> Result<()> {
    let out = lab.folder("dry-run");
    let output =
        wrangler().args(["deploy", "--dry-run", "--outdir"]).arg(&out).output().context("expected to run wrangler")?;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{text}");
    for binding in ["env.BATCHER", "env.REGISTRY", "env.REGIONS"] {
        ensure!(text.contains(binding), "expected {binding} among the bindings, found {text}");
    }
    Ok(())
}

fn wrangler_dev_takes_a_beacon(lab: &mut Lab) -> Result<()> {
    let dir = lab.folder("wrangler-dev");
    std::fs::create_dir_all(dir.join("logs"))?;
    let port = port::free_block()?;
    let mut command = wrangler();
    command
        .args([
            "dev",
            "--local",
            "--ip",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--var",
            "PATH_PREFIX:/_l",
            "--inspector-port",
            &(port + 1).to_string(),
            "--persist-to",
        ])
        .arg(&dir);
    let pid = process::start(&dir, "wrangler", &mut command)?;
    let result = beacon_is_taken(port);
    process::stop_group(pid);
    result.with_context(|| process::tail(&dir.join("logs/wrangler.log")))
}

/// Under the prefix of a first-party route, and only there.
fn beacon_is_taken(port: u16) -> Result<()> {
    let url = format!("http://127.0.0.1:{port}/_l/v1/events");
    let body = r#"{"site":"demo","events":[{"event_type":"page_view","page_url":"https://shop.example/"}]}"#;
    lab::wait_for("wrangler dev to take a beacon", 120, || {
        let mut response = ureq::post(&url)
            .config()
            .timeout_global(Some(Duration::from_secs(10)))
            .http_status_as_error(false)
            .build()
            .header("User-Agent", lab::FIREFOX)
            .send(body)?;
        let text = response.body_mut().read_to_string()?;
        ensure!(response.status() == 202 && text.contains("accepted"), "{} {text}", response.status());
        Ok(Some(()))
    })?;
    let outside = lab::get_url(&format!("http://127.0.0.1:{port}/healthz"), &[])?;
    ensure!(outside.status == 404, "expected nothing outside the prefix, found {outside:?}");
    Ok(())
}
