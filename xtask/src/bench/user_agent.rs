//! What a user agent costs in Wasm. In scope: building both modules, and the budgets; the measuring is `user-agent/examples/cost.mjs`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::figure::{Budget, Figure};
use crate::{paths, step, tool, update_data};

pub(super) const METHOD: &str = "every modern user agent of humans_dev.jsonl, fresh, in V8 (node), one by one; percentiles of one round of 9, \
    that with the lowest median; slowest of each user agent's quickest; start: quickest of 9 processes; uaparser: every 20th, one round, one start; \
    gzipped is a module with the crate and what it needs of the standard library";

const MAX_START_MS: f64 = 3.0;
const MAX_MEMORY_MB: f64 = 4.0;
const MAX_P50_US: f64 = 3.0;
const MAX_P99_US: f64 = 60.0;
const MAX_GZIPPED_KB: f64 = 250.0;
const MAX_BUILD_MINUTES: u64 = 20;

/// A module, one line of the report.
#[derive(Deserialize)]
struct Module {
    name: String,
    answers: Vec<Answer>,
    start_ms: f64,
    memory_bytes: f64,
    gzipped_bytes: f64,
}

/// What one of its functions takes per user agent.
#[derive(Deserialize)]
struct Answer {
    name: String,
    p50_us: f64,
    p99_us: f64,
    max_us: f64,
}

pub(super) fn measure(corpora: &Path) -> Result<Vec<Figure>> {
    tool::ensure_wasm_target()?;
    let mut build = Command::new("cargo");
    build
        .args(["build", "--locked", "--release", "--target", "wasm32-unknown-unknown", "-p", "user-agent"])
        .args(["--example", "cost", "--example", "cost_uaparser"])
        .current_dir(paths::root());
    step::run("building the user-agent crate and uaparser for Wasm", &mut build, MAX_BUILD_MINUTES)?;
    let regexes = update_data::regexes_yaml()?;
    let report = step::step("user agents in Wasm", || {
        let examples = paths::target().join("wasm32-unknown-unknown/release/examples");
        let mut node = Command::new("node");
        node.arg(paths::root().join("user-agent/examples/cost.mjs"))
            .args([examples.join("cost.wasm"), examples.join("cost_uaparser.wasm")])
            .arg(corpora.join("humans_dev.jsonl"))
            .arg(regexes);
        tool::output(&mut node)
    })?;
    let mut all = Vec::new();
    for line in report.lines() {
        all.extend(figures(&serde_json::from_str(line).with_context(|| format!("expected a module, found {line}"))?));
    }
    Ok(all)
}

/// Only ours is judged.
fn figures(module: &Module) -> Vec<Figure> {
    let budget = |limit| if module.name == "uaparser" { Budget::None } else { Budget::AtMost(limit) };
    let named = |what: &str| format!("{}: {what}", module.name);
    let mut figures = Vec::new();
    for Answer { name, p50_us, p99_us, max_us } in &module.answers {
        figures.push(Figure::new(named(&format!("{name}, p50")), *p50_us, "us", budget(MAX_P50_US)));
        figures.push(Figure::new(named(&format!("{name}, p99")), *p99_us, "us", budget(MAX_P99_US)));
        figures.push(Figure::new(named(&format!("{name}, slowest")), *max_us, "us", Budget::None));
    }
    let megabytes = module.memory_bytes / f64::from(1 << 20);
    figures.push(Figure::new(named("compile, instantiate, start"), module.start_ms, "ms", budget(MAX_START_MS)));
    figures.push(Figure::new(named("memory"), megabytes, "MB", budget(MAX_MEMORY_MB)));
    figures.push(Figure::new(named("gzipped"), module.gzipped_bytes / 1024.0, "KB", budget(MAX_GZIPPED_KB)));
    figures
}
