//! "Every answer, by hand": the commands of the README, run by the shell that a user has.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use xtask::paths;
use xtask::stack::Stack;

use crate::Test;
use crate::lab::Lab;

pub(crate) const TESTS: &[(&str, Test)] =
    &[("every_curl_line_gets_the_status_that_it_states", every_curl_line_gets_the_status_that_it_states)];

const HEADING: &str = "### Every answer, by hand";

fn every_curl_line_gets_the_status_that_it_states(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let readme = std::fs::read_to_string(paths::root().join("README.md"))?;
    let section = readme.split(HEADING).nth(1).with_context(|| format!("expected {HEADING:?} in the README"))?;
    let block = section.split("```").nth(1).context("expected a block of commands")?;
    let mut statuses = Vec::new();
    for example in block.split("\n\n").filter_map(|part| part.trim().strip_prefix("# ")) {
        let (comment, command) =
            example.split_once('\n').with_context(|| format!("expected a command in {example:?}"))?;
        let (status, _) = comment.split_once(": ").with_context(|| format!("expected a status in {comment:?}"))?;
        let answer = run(stack, command)?;
        ensure!(answer.lines().last() == Some(status), "expected {status} of {command}, found {answer}");
        statuses.push(status.to_owned());
    }
    for status in ["202", "400", "403", "404", "413", "429", "503"] {
        ensure!(statuses.iter().any(|found| found == status), "expected an example of {status}, found {statuses:?}");
    }
    Ok(())
}

/// What the command prints, then the status on a line of its own.
fn run(stack: &Stack, command: &str) -> Result<String> {
    let command = command.replace("curl -sS", "curl -sS -w '\\n%{http_code}\\n'");
    let output = Command::new("sh")
        .args(["-c", &command])
        .env("COLLECTOR", &stack.file.collector)
        .env("ADMIN_TOKEN", &stack.file.admin_token)
        .output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}
