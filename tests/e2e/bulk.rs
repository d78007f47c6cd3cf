//! "No INSERT outgrows a batch": however much waits for one, the Worker's memory holds it.

use anyhow::{Result, ensure};
use collector_core::insert::MAX_BATCH_BYTES;
use serde_json::{Map, Value, json};
use xtask::stack::Stack;

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] =
    &[("dead_letters_in_bulk_are_several_inserts", dead_letters_in_bulk_are_several_inserts)];

/// Rows that do not fit, and what each carries: together more than a batch.
const EVENTS: u64 = 90;
const PROPERTIES: usize = 60;
const VALUE_BYTES: usize = 1_000;
/// What may exceed a batch's limit: the letter that made it full.
const MAX_LETTER_BYTES: u64 = 2 * 64 * 1024;
const RECOVERY_S: u64 = 90;

fn dead_letters_in_bulk_are_several_inserts(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let site = format!("bulk-{}", lab::event_id());
    lab::put_site(stack, &json!({"id": site, "domains": ["shop.example"]}))?;
    // What one INSERT brought is one part, until parts are merged.
    lab::on_every_region(stack, "SYSTEM STOP MERGES ecommerce.dead_letters")?;
    lab::on_every_region(stack, "ALTER TABLE ecommerce.events MODIFY COLUMN seq Decimal(3, 0)")?;
    let sent = send_misfits(stack, &site);
    let buried = sent.and_then(|()| wait_until_buried(stack, &site));
    lab::on_every_region(stack, "ALTER TABLE ecommerce.events MODIFY COLUMN seq UInt32")?;
    let sizes = buried.and_then(|()| sizes(stack, &site));
    lab::on_every_region(stack, "SYSTEM START MERGES ecommerce.dead_letters")?;
    let sizes = sizes?;
    let limit = u64::try_from(MAX_BATCH_BYTES)? + MAX_LETTER_BYTES;
    ensure!(sizes.iter().sum::<u64>() > limit, "expected more than one batch, found {sizes:?}");
    ensure!(sizes.iter().all(|bytes| *bytes <= limit), "expected at most {limit} B in one INSERT, found {sizes:?}");
    Ok(())
}

/// More than a batch of rows, each in a beacon of its own.
pub(crate) fn send_misfits(stack: &Stack, site: &str) -> Result<()> {
    let properties: Map<String, Value> =
        (0..PROPERTIES).map(|key| (format!("key_{key}"), json!("x".repeat(VALUE_BYTES)))).collect();
    for _ in 0..EVENTS {
        let event = json!({"event_type": "login", "seq": 4_000_000, "properties": properties});
        let answer = lab::send(stack, &json!({"site": site, "events": [event]}))?;
        ensure!(answer.outcomes()? == ["accepted"], "{answer:?}");
    }
    Ok(())
}

fn wait_until_buried(stack: &Stack, site: &str) -> Result<()> {
    let sql = format!("SELECT count() FROM ecommerce.dead_letters WHERE site_id = '{site}'");
    lab::wait_for("the dead letters", RECOVERY_S, || {
        let found = lab::sum_of_regions(stack, &sql)?;
        ensure!(found == EVENTS, "found {found} of {EVENTS}");
        Ok(Some(()))
    })
}

/// The bytes of lines in each part.
fn sizes(stack: &Stack, site: &str) -> Result<Vec<u64>> {
    let sql = format!("SELECT sum(length(line)) FROM ecommerce.dead_letters WHERE site_id = '{site}' GROUP BY _part");
    let mut sizes = Vec::new();
    for endpoint in &stack.file.clickhouse {
        for line in endpoint.query(&sql)?.lines() {
            sizes.push(line.parse()?);
        }
    }
    Ok(sizes)
}
