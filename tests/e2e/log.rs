//! "The log names regions and codes, and nobody": what the collector writes while things fail.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use xtask::stack::Stack;
use xtask::stack::process::Stop;

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] =
    &[("every_line_of_the_log_is_an_object_that_names_nobody", every_line_of_the_log_is_an_object_that_names_nobody)];

/// What the events say, and who sends them: none of it may be in the log.
const SAID: &str = "said-in-confidence";
const SENDER: &str = "203.0.113.77";
/// How long an outage may still be felt after it ended.
const RECOVERY_S: u64 = 90;

/// Europe's ClickHouse is away, then it misses a table, then it refuses a row: warnings and alerts.
fn every_line_of_the_log_is_an_object_that_names_nobody(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    lab::put_site(stack, &json!({"id": "quiet", "domains": ["shop.example"], "regions": ["eu"]}))?;
    let eu = stack.layout.regions.iter().position(|region| region == "eu").context("the region eu")?;
    let begin = read(stack)?.len();
    stack.stop_clickhouse(eu, Stop::Kill)?;
    let away = suffer(stack, begin, "insert_failed", "warn");
    stack.start_clickhouse(eu)?;
    away?;
    stack.file.clickhouse[eu].query("RENAME TABLE ecommerce.events TO ecommerce.events_away")?;
    let unknown = suffer(stack, begin, "insert_failed", "alert");
    stack.file.clickhouse[eu].query("RENAME TABLE ecommerce.events_away TO ecommerce.events")?;
    unknown?;
    stack.file.clickhouse[eu].query("ALTER TABLE ecommerce.events MODIFY COLUMN seq Decimal(3, 0)")?;
    let refused = suffer(stack, begin, "dead_letter", "alert");
    stack.file.clickhouse[eu].query("ALTER TABLE ecommerce.events MODIFY COLUMN seq UInt32")?;
    refused?;
    // Dead letters that come later would be another test's.
    lab::wait_for("the end of what waits", RECOVERY_S, || {
        let eu = &lab::get(stack, "/readyz", &[])?.json()?["regions"]["eu"];
        Ok((eu["backlog_rows"] == 0 && eu["has_open_segment"] == false).then_some(()))
    })?;
    let lines = read(stack)?.split_off(begin);
    for line in &lines {
        check(stack, line).with_context(|| format!("found {line:?}"))?;
    }
    ensure!(lines.len() >= 3, "expected a line for each failure, found {lines:?}");
    let first = lines.iter().find(|line| line.contains("insert_failed")).context("a failed INSERT")?;
    ensure!(serde_json::from_str::<Value>(first)?["attempts"] == 1, "expected the first attempt, found {first}");
    Ok(())
}

/// Sends until the log has said so.
fn suffer(stack: &Stack, begin: usize, what: &str, level: &str) -> Result<()> {
    lab::wait_for(&format!("{level}: {what}"), RECOVERY_S, || {
        send(stack)?;
        let lines = read(stack)?.split_off(begin);
        let said = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Ok(said.into_iter().any(|line| line["what"] == what && line["level"] == level).then_some(()))
    })
}

fn send(stack: &Stack) -> Result<()> {
    let event =
        json!({"event_type": "page_view", "page_url": format!("https://shop.example/{SAID}"), "seq": 4_000_000});
    let body = json!({"site": "quiet", "events": [event]}).to_string();
    let answer = lab::post(stack, "/v1/events", body.as_bytes(), &[("CF-Connecting-IP", SENDER)])?;
    ensure!(answer.outcomes()? == ["accepted"], "{answer:?}");
    Ok(())
}

fn check(stack: &Stack, line: &str) -> Result<()> {
    let object: Value = serde_json::from_str(line)?;
    let level = object["level"].as_str().context("a level")?;
    ensure!(["info", "warn", "alert"].contains(&level), "expected a level, found {level}");
    ensure!(object["what"].is_string() && object["region"] == "eu" && object["shard"] == 0, "expected what and where");
    let secrets = &stack.layout.secrets;
    let said = ["127.0.0.1", "localhost", "DB::Exception", SENDER, SAID, lab::FIREFOX];
    for kept in said.into_iter().chain([&*secrets.admin_token, &*secrets.clickhouse_collector]) {
        ensure!(!line.contains(kept), "expected no {kept:?} in the log");
    }
    Ok(())
}

fn read(stack: &Stack) -> Result<Vec<String>> {
    let path: PathBuf = stack.layout.dir.join("logs").join("workerd.log");
    Ok(std::fs::read_to_string(path)?.lines().map(str::to_owned).collect())
}
