//! Channels of labelled referrers. In scope: what the Worker's `/v1/validate` says for each, and each miss with both sides.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Count;
use crate::bench::event::USER_AGENT;
use crate::bench::runtime::Runtime;
use crate::{build, step};

pub(super) const NAME: &str = "channels as labelled";

/// One line of `referrer_cases_dev.jsonl`.
#[derive(Deserialize)]
struct Case {
    url: String,
    /// The label, in its source's own terms.
    medium: String,
}

/// Asks the Worker for the channel of every referrer; misses are printed, for they are to be justified one by one.
pub(super) fn count(corpora: &Path) -> Result<Count> {
    let cases = read(&corpora.join("referrer_cases_dev.jsonl"))?;
    build::worker()?;
    let folder = tempfile::tempdir()?;
    let runtime = Runtime::start_collector(folder.path())?;
    step::step("channels of referrers", || {
        let mut part = 0;
        for Case { url, medium } in &cases {
            let channel = channel(&runtime, url)?;
            if is_channel(medium, &channel) {
                part += 1;
            } else {
                println!("  a referrer labelled {medium} is {channel}: {url}");
            }
        }
        Ok(Count { name: NAME.to_owned(), part, whole: cases.len() as u64 })
    })
}

/// Whether a channel of ours is what a label means.
fn is_channel(medium: &str, channel: &str) -> bool {
    match medium {
        "search" => channel == "Organic Search",
        "social" => ["Organic Social", "Organic Video"].contains(&channel),
        "email" => channel == "Email",
        "chatbot" => channel == "AI Assistant",
        "paid" => channel.starts_with("Paid ") || channel == "Display",
        _ => false,
    }
}

fn channel(runtime: &Runtime, referrer: &str) -> Result<String> {
    let event = json!({"event_type": "page_view", "page_url": "https://shop.example/", "referrer": referrer});
    let text = ureq::post(&format!("http://127.0.0.1:{}/v1/validate", runtime.port))
        .header("User-Agent", USER_AGENT)
        .send(json!({"site": "demo", "events": [event]}).to_string())?
        .body_mut()
        .read_to_string()?;
    let reply: Value = serde_json::from_str(&text)?;
    let row = &reply["results"][0]["row"];
    row["channel"].as_str().map(str::to_owned).with_context(|| format!("expected a row for {referrer}, found {text}"))
}

fn read(path: &Path) -> Result<Vec<Case>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("expected {}", path.display()))?;
    text.lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("expected a case, found {line}")))
        .collect()
}
