//! ClickHouse has a batch, and the collector lives, but cannot write that down.

use anyhow::{Result, ensure};
use collector_core::insert::Table;
use serde_json::json;
use xtask::chaos::proxy::{Proxy, Reaction};
use xtask::stack::Stack;

use super::gate::Gate;
use super::point::Point;
use super::{EVENTS, HOME, RECOVERY_S, SITE, expect_balance, with_gate};
use crate::lab::{self, Lab};

/// What the gate answers (`edge-collector/src/fault_point/asking.rs`).
const CUT_OFF: u16 = 410;
const FULL: u16 = 507;

/// What is known to be stored ends without another INSERT.
pub(super) fn a_batch_that_a_full_storage_cannot_end_is_booked_later_and_not_sent_again(lab: &mut Lab) -> Result<()> {
    with_gate(lab, |stack, gate, proxies| {
        let run = answer(stack, gate, &proxies[HOME], FULL)?;
        // While home refuses.
        expect_none_waits(stack)?;
        expect_at_home(stack, &proxies[HOME], &run)
    })
}

/// Nobody hears home's answer, so the batch may not go to the other region when home refuses it.
pub(super) fn a_batch_on_its_way_when_the_alarm_is_cut_off_is_in_doubt(lab: &mut Lab) -> Result<()> {
    with_gate(lab, |stack, gate, proxies| {
        let run = answer(stack, gate, &proxies[HOME], CUT_OFF)?;
        lab::wait_for("a batch that waits for home", RECOVERY_S, || {
            let parked = home(stack)?["parked"].as_array().cloned().unwrap_or_default();
            Ok(parked.iter().any(|parked| parked["rows"] == EVENTS).then_some(()))
        })?;
        expect_at_home(stack, &proxies[HOME], &run)
    })
}

/// Sends a batch and, once home has it, lets home refuse all others and gives the collector this answer; the session of its events.
fn answer(stack: &Stack, gate: &Gate, home: &Proxy, status: u16) -> Result<String> {
    // A batch is in doubt before it is sent, unless its home took one a moment ago.
    send(stack)?;
    expect_none_waits(stack)?;
    gate.arm(Some(&format!("{:?}-{}", Point::AnswerRead, Table::Events.name())));
    let run = send(stack)?;
    lab::wait_for("home's answer", 60, || Ok(gate.is_reached().then_some(())))?;
    // A definite no: but for what is known of the batch, it would go to the other region at once.
    home.always(Reaction::Exception { code: 202, is_stored: false });
    gate.answer(status)?;
    Ok(run)
}

/// A batch; the session of its events.
fn send(stack: &Stack) -> Result<String> {
    let run = lab::event_id();
    let events: Vec<_> = (0..EVENTS).map(|_| json!({"event_type": "login", "session_id": run})).collect();
    let sent = lab::send(stack, &json!({"site": SITE, "events": events}))?;
    ensure!(sent.status == 202, "{sent:?}");
    Ok(run)
}

/// The batch is at home, once, and nowhere else, and the books say so when home takes them.
fn expect_at_home(stack: &Stack, home: &Proxy, run: &str) -> Result<()> {
    let session = format!("session_id = '{run}'");
    lab::expect_events(stack, &session, EVENTS, 1)?;
    let sql = format!("SELECT count() FROM ecommerce.events WHERE {session}");
    let found = stack.file.clickhouse[HOME].query(&sql)?;
    ensure!(found == EVENTS.to_string(), "expected all events at home, found {found}");
    home.heal();
    expect_balance(stack)?;
    lab::expect_events(stack, &session, EVENTS, 1)
}

/// Waits until home's Batcher has no row left.
fn expect_none_waits(stack: &Stack) -> Result<()> {
    lab::wait_for("the end of the batch", RECOVERY_S, || Ok((home(stack)?["backlog_rows"] == 0).then_some(())))
}

/// What `/readyz` says of home.
fn home(stack: &Stack) -> Result<serde_json::Value> {
    Ok(lab::get(stack, "/readyz", &[])?.json()?["regions"]["eu"].clone())
}
