//! "npx wrangler deploy": the configuration that operators deploy builds, and runs under `wrangler dev`.

use std::path::{Path, PathBuf};
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
    let config = config_with_rate_limit(&dir)?;
    let mut command = wrangler();
    command
        .args(["dev", "--config"])
        .arg(&config)
        .args([
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
    let result = beacon_is_taken(port).and_then(|()| limit_is_kept(port));
    process::stop_group(pid);
    result.with_context(|| process::tail(&dir.join("logs/wrangler.log")))
}

/// The configuration that operators deploy, with a rate limit bound as `docs/sites.md` says.
fn config_with_rate_limit(dir: &Path) -> Result<PathBuf> {
    let deployed = std::fs::read_to_string(paths::root().join("wrangler.toml"))?;
    let built = paths::root().join("edge-collector/build/index.js");
    let main = format!("main = {:?}", built.display().to_string());
    let config = deployed.replace("main = \"edge-collector/build/index.js\"", &main);
    ensure!(config != deployed, "expected to find `main` in wrangler.toml");
    // Built already; and the command would look for the workspace beside this file.
    let config = config.replace("[build]\ncommand = \"cargo xtask build-worker --quick\"", "");
    let binding = "\n[[ratelimits]]\nname = \"ADDRESS_RATE_LIMIT\"\nnamespace_id = \"1001\"\nsimple = { limit = 20, period = 60 }\n";
    let path = dir.join("wrangler.toml");
    std::fs::write(&path, config + binding)?;
    Ok(path)
}

/// The bound limit of 20 beacons a minute is felt, and the answer says when to come again.
fn limit_is_kept(port: u16) -> Result<()> {
    let url = format!("http://127.0.0.1:{port}/_l/v1/events");
    lab::wait_for("the bound rate limit to refuse", 60, || {
        let answer = ureq::post(&url)
            .config()
            .timeout_global(Some(Duration::from_secs(10)))
            .http_status_as_error(false)
            .build()
            .header("User-Agent", lab::FIREFOX)
            .send(r#"{"site":"demo","event_type":"login"}"#)?;
        let has_retry_after = answer.headers().contains_key("Retry-After");
        let (status, text) = (answer.status(), answer.into_body().read_to_string()?);
        ensure!(
            status == 202 || (status == 429 && text.contains("address_rate") && has_retry_after),
            "{status} {text}"
        );
        Ok((status == 429).then_some(()))
    })
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
