//! "Daily-salted visitor ids; salts are deleted after a day": nobody can compute an old id again, not even the collector itself.

use anyhow::{Result, ensure};
use serde_json::json;
use xtask::chaos::clock::Clock;
use xtask::stack::Stack;
use xtask::stack::process::Stop;

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] = &[(
    "yesterdays_visitor_cannot_be_computed_once_the_salt_is_gone",
    yesterdays_visitor_cannot_be_computed_once_the_salt_is_gone,
)];

const DAY_S: i64 = 86_400;

fn yesterdays_visitor_cannot_be_computed_once_the_salt_is_gone(lab: &mut Lab) -> Result<()> {
    if let Some(hindrance) = Clock::hindrance() {
        println!("the collector's clock cannot be moved here: {hindrance}");
        return Ok(());
    }
    lab::pass_midnight()?;
    let folder = lab.folder("clock");
    let stack = lab.stack()?;
    std::fs::create_dir_all(&folder)?;
    let clock = Clock::build(&folder)?;
    restart(stack, clock.variables())?;
    let result = watch_a_visitor(stack, &clock);
    clock.set_offset(0)?;
    restart(stack, Vec::new())?;
    result
}

fn restart(stack: &mut Stack, variables: Vec<(String, String)>) -> Result<()> {
    stack.stop_workerd(Stop::Clean)?;
    stack.layout.surroundings.workerd_variables = variables;
    stack.start_workerd()
}

fn watch_a_visitor(stack: &Stack, clock: &Clock) -> Result<()> {
    let today = visitor(stack)?;
    ensure!(today != 0 && visitor(stack)? == today, "expected one id within the day");
    clock.set_offset(DAY_S)?;
    let tomorrow = visitor(stack)?;
    ensure!(tomorrow != today, "expected another id on another day");
    // The day before is still known, for sessions that cross midnight.
    clock.set_offset(0)?;
    ensure!(visitor(stack)? == today, "expected yesterday's salt to be there still");
    clock.set_offset(2 * DAY_S)?;
    ensure!(![today, tomorrow].contains(&visitor(stack)?), "expected another id on another day");
    // The same visitor, the same day, the same collector: but its salt is gone.
    clock.set_offset(0)?;
    ensure!(visitor(stack)? != today, "expected that the deleted salt cannot be had again");
    Ok(())
}

/// The id that the collector gives to one browser now; nothing is stored.
fn visitor(stack: &Stack) -> Result<u64> {
    let body = json!({"site": "demo", "event_type": "login"}).to_string();
    let answer = lab::post(stack, "/v1/validate", body.as_bytes(), &[("CF-Connecting-IP", "203.0.113.9")])?;
    let id = answer.json()?["results"][0]["row"]["visitor_id"].as_u64();
    ensure!(id.is_some_and(|id| id != 0), "expected a row with a visitor, found {answer:?}");
    Ok(id.unwrap_or_default())
}
