//! "One INSERT that hangs holds up no other": several batches are on their way at once.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;
use xtask::chaos::proxy::{Proxy, Reaction};
use xtask::stack::Stack;
use xtask::stack::process::Stop;

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] =
    &[("an_insert_that_hangs_does_not_hold_up_the_next", an_insert_that_hangs_does_not_hold_up_the_next)];

const SITE: &str = "hangs";
/// Events that are to arrive meanwhile, one behind the other.
const BESIDE: usize = 4;
/// How long the INSERT hangs at most: below the Worker's patience of 30 s, so that it is one attempt.
const MAX_HANG: Duration = Duration::from_secs(27);
/// How long the rest may take behind it.
const RECOVERY_S: u64 = 60;

fn an_insert_that_hangs_does_not_hold_up_the_next(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    lab::put_site(stack, &json!({"id": SITE, "domains": ["shop.example"], "regions": ["eu"]}))?;
    let ports = stack.layout.ports.clickhouse.iter().map(|(http, _)| *http);
    let proxies: Vec<Proxy> = ports.map(Proxy::start).collect::<Result<_>>()?;
    stack.layout.surroundings.clickhouse_ports = proxies.iter().map(|proxy| proxy.port).collect();
    restart(stack)?;
    let eu = stack.layout.regions.iter().position(|region| region == "eu").expect("a region of the stack");
    let delivered = deliver_beside_a_hang(stack, &proxies[eu]);
    proxies[eu].heal();
    stack.layout.surroundings.clickhouse_ports = Vec::new();
    restart(stack)?;
    delivered
}

fn deliver_beside_a_hang(stack: &Stack, proxy: &Proxy) -> Result<()> {
    // A region gets several batches at once only if it took one a moment ago: the books of the first event are the last that it took.
    let mut ids = vec![send_one(stack)?];
    expect_books(stack, 1)?;
    proxy.script([Reaction::Hang]);
    let held = send_one(stack)?;
    lab::wait_for("an INSERT that hangs", 10, || Ok((proxy.script_left() == 0).then_some(())))?;
    let hangs_since = Instant::now();
    for _ in 0..BESIDE {
        let id = send_one(stack)?;
        lab::wait_for("an event beside the INSERT that hangs", 5, || {
            Ok((lab::count_events(stack, &format!("event_id = '{id}'"))? == 1).then_some(()))
        })?;
        ids.push(id);
    }
    let early = lab::count_events(stack, &format!("event_id = '{held}'"))?;
    let took = hangs_since.elapsed();
    ensure!(early == 0 && took < MAX_HANG, "expected {BESIDE} events while the first INSERT hangs, they took {took:?}");
    proxy.heal();
    ids.push(held);
    let count = ids.len() as u64;
    lab::expect_events(stack, &format!("event_id IN ('{}')", ids.join("','")), count, RECOVERY_S)?;
    expect_books(stack, count)
}

fn send_one(stack: &Stack) -> Result<String> {
    let id = lab::event_id();
    let event = json!({"event_id": id, "event_type": "page_view", "page_url": "https://shop.example/"});
    let answer = lab::send(stack, &json!({"site": SITE, "events": [event]}))?;
    ensure!(answer.outcomes()? == ["accepted"], "{answer:?}");
    Ok(id)
}

/// Waits until the books have so many rows as inserted, at home and once, and nothing open.
fn expect_books(stack: &Stack, inserted: u64) -> Result<()> {
    let sql = format!(
        "SELECT sum(received), sum(inserted), sum(inserted_elsewhere), sum(pending), sum(unaccounted) \
         FROM ecommerce.collector_balance WHERE site_id = '{SITE}' FORMAT CSV"
    );
    lab::wait_for("the books to close", RECOVERY_S, || {
        let eu = stack.file.clickhouse.iter().find(|endpoint| endpoint.region == "eu").expect("a region of the stack");
        let found = eu.query(&sql)?;
        ensure!(found == format!("{inserted},{inserted},0,0,0"), "expected {inserted} rows inserted, found {found}");
        Ok(Some(()))
    })
}

fn restart(stack: &mut Stack) -> Result<()> {
    stack.stop_workerd(Stop::Clean)?;
    stack.start_workerd()
}
