//! "`parked`: what has failed, or waits behind one that has": a table that takes nothing is tried by one batch at a time.

use anyhow::{Context, Result};
use serde_json::json;
use xtask::stack::Stack;

use crate::Test;
use crate::bulk::send_misfits;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] =
    &[("what_waits_behind_a_held_table_is_told_as_held", what_waits_behind_a_held_table_is_told_as_held)];

const RECOVERY_S: u64 = 90;

fn what_waits_behind_a_held_table_is_told_as_held(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let site = format!("held-{}", lab::event_id());
    lab::put_site(stack, &json!({"id": site, "domains": ["shop.example"], "regions": ["eu"]}))?;
    let eu = stack.file.clickhouse.iter().find(|endpoint| endpoint.region == "eu").context("the region eu")?;
    let before = attempts(stack)?;
    eu.query("RENAME TABLE ecommerce.events TO ecommerce.events_away")?;
    // Batches are frozen by their size, and so faster than a held table is tried.
    let told = lab::wait_for("batches that wait without an attempt of their own", RECOVERY_S, || {
        send_misfits(stack, &site)?;
        // Asked for in this order: a batch that has failed has had an attempt before.
        let held = held(stack)?;
        Ok((held > attempts(stack)?.saturating_sub(before)).then_some(()))
    });
    eu.query("RENAME TABLE ecommerce.events_away TO ecommerce.events")?;
    told?;
    lab::wait_for("the end of the backlog", RECOVERY_S, || {
        Ok((lab::get(stack, "/readyz", &[])?.json()?["regions"]["eu"]["backlog_rows"] == 0).then_some(()))
    })
}

/// Europe's batches that wait for the operator.
fn held(stack: &Stack) -> Result<u64> {
    let state = lab::get(stack, "/readyz", &[])?.json()?;
    let parked = state["regions"]["eu"]["parked"].as_array().context("expected what is parked")?.clone();
    let held = parked.iter().filter(|parked| parked["waits_for"] == "hold code 60");
    Ok(held.filter_map(|parked| parked["batches"].as_u64()).sum())
}

/// How often Europe has refused a batch until an operator acts.
fn attempts(stack: &Stack) -> Result<u64> {
    let token = format!("Bearer {}", stack.file.admin_token);
    let metrics = lab::get(stack, "/metrics", &[("Authorization", &token)])?.text;
    let of_eu = metrics.lines().filter(|line| {
        line.starts_with("landfall_insert_attempts_total{")
            && line.contains(r#"region="eu""#)
            && line.contains(r#"class="hold""#)
    });
    of_eu.map(|line| Ok(line.rsplit(' ').next().context("a value")?.parse::<u64>()?)).sum()
}
