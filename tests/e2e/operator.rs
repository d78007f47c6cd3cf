//! "landfall": what an operator does to a running collector.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use xtask::stack::Stack;

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("sites_are_put_listed_and_deleted", sites_are_put_listed_and_deleted),
    ("impossible_settings_are_refused_before_they_are_sent", impossible_settings_are_refused_before_they_are_sent),
    ("a_wrong_admin_token_is_named", a_wrong_admin_token_is_named),
];

fn sites_are_put_listed_and_deleted(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let settings = json!({"id": "operator-shop", "domains": ["operator.example"], "sampling_rate": 1.0});
    let stored = landfall(stack, &["sites", "put", "-"], &settings.to_string())?;
    ensure!(stored.status.success(), "{stored:?}");
    ensure!(stdout_json(&stored)?["privacy"]["ip"] == "truncate", "expected the defaults filled in, found {stored:?}");
    ensure!(outcome_of_a_view(stack)? == "accepted", "expected a new site to be taken at once");

    let listed = landfall(stack, &["sites", "list"], "")?;
    let text = String::from_utf8_lossy(&listed.stdout);
    ensure!(
        text.lines().any(|line| line.starts_with("operator-shop ") && line.ends_with("operator.example")),
        "{text}"
    );
    ensure!(text.lines().any(|line| line.starts_with("demo ")), "expected the site of SITES too, found {text}");
    let read = landfall(stack, &["sites", "get", "operator-shop"], "")?;
    ensure!(read.stdout == stored.stdout, "expected what was stored, found {read:?}");

    let deleted = landfall(stack, &["sites", "delete", "operator-shop"], "")?;
    ensure!(deleted.stdout == stored.stdout, "expected what was deleted, found {deleted:?}");
    ensure!(outcome_of_a_view(stack)? == "invalid", "expected its beacons to be refused");
    let gone = landfall(stack, &["sites", "get", "operator-shop"], "")?;
    ensure!(gone.status.code() == Some(6), "{gone:?}");
    Ok(())
}

fn outcome_of_a_view(stack: &Stack) -> Result<String> {
    let event = json!({"event_type": "page_view", "page_url": "https://operator.example/"});
    let answer = lab::send(stack, &json!({"site": "operator-shop", "events": [event]}))?;
    answer.outcomes()?.pop().context("expected a receipt")
}

fn impossible_settings_are_refused_before_they_are_sent(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    for (settings, field) in [
        (r#"{"id":"Operator","domains":["a.example"]}"#, "in id"),
        (r#"{"id":"operator-2","domains":["a.example"],"sampling_rate":2}"#, "in sampling_rate"),
        (r#"{"id":"operator-2","domains":["a.example"],"sampling":1}"#, "unknown field `sampling`"),
    ] {
        let refused = landfall(stack, &["sites", "put", "-"], settings)?;
        let text = String::from_utf8_lossy(&refused.stderr);
        ensure!(refused.status.code() == Some(2) && text.contains(field), "{settings}: {text}");
    }
    let missing = landfall(stack, &["sites", "get", "operator-2"], "")?;
    ensure!(missing.status.code() == Some(6), "expected nothing to be stored, found {missing:?}");
    Ok(())
}

fn a_wrong_admin_token_is_named(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let file = stack.layout.dir.join("wrong-token");
    std::fs::write(&file, "wrong\n")?;
    let refused = landfall(stack, &["sites", "list", "--admin-token-file", &file.to_string_lossy()], "")?;
    let text = String::from_utf8_lossy(&refused.stderr);
    ensure!(refused.status.code() == Some(4) && text.contains("ADMIN_TOKEN"), "{refused:?}");
    let unreachable = landfall(stack, &["sites", "list", "--url", "http://127.0.0.1:9"], "")?;
    ensure!(unreachable.status.code() == Some(3), "{unreachable:?}");
    Ok(())
}

/// Runs the operator's command against the stack's collector.
fn landfall(stack: &Stack, arguments: &[&str], stdin: &str) -> Result<Output> {
    let mut child = Command::new(xtask::paths::program("landfall"))
        .args(arguments)
        .env("LANDFALL_COLLECTOR_URL", &stack.file.collector)
        .env("LANDFALL_ADMIN_TOKEN", &stack.file.admin_token)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut pipe = child.stdin.take().context("expected a pipe")?;
    // A command that reads nothing may have ended already.
    let _ = pipe.write_all(stdin.as_bytes());
    drop(pipe);
    Ok(child.wait_with_output()?)
}

fn stdout_json(output: &Output) -> Result<Value> {
    serde_json::from_slice(&output.stdout).with_context(|| format!("expected JSON, found {output:?}"))
}
