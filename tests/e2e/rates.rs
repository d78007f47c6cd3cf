//! "Who sends faster than a person is told from people": the Batcher counts, the Worker judges what comes after.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use xtask::stack::Stack;

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("a_burst_is_evidence_against_its_visitor_alone", a_burst_is_evidence_against_its_visitor_alone),
    ("bursts_follow_the_policy_and_the_books_balance", bursts_follow_the_policy_and_the_books_balance),
];

/// What a visitor may send in a minute (`collector_core::rate`).
const MAX_PERSON: usize = 300;
const EVENTS_PER_BEACON: usize = 100;
/// Enough for two minutes' worth, should the minute end in between.
const MAX_BEACONS: usize = 8;
/// A browser that names no language: one piece of evidence, which alone is no verdict.
const BARE: [(&str, &str); 1] = [("Accept-Language", "")];
const SAFARI: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15";

/// Sends a beacon; the outcome of all its events.
fn send(stack: &Stack, site: &str, mark: &str, headers: &[(&str, &str)]) -> Result<String> {
    let view = json!({"event_type": "page_view", "page_url": format!("https://shop.example/{mark}")});
    let body = json!({"site": site, "events": vec![view; EVENTS_PER_BEACON]}).to_string();
    let mut outcomes = lab::post(stack, "/v1/events", body.as_bytes(), headers)?.outcomes()?;
    ensure!(outcomes.len() == EVENTS_PER_BEACON, "expected a receipt for each event, found {outcomes:?}");
    outcomes.dedup();
    ensure!(outcomes.len() == 1, "expected one outcome, found {outcomes:?}");
    outcomes.pop().context("expected an outcome")
}

/// Sends until the outcome changes; the number of beacons before that, and the new outcome.
fn burst(stack: &Stack, site: &str, mark: &str) -> Result<(usize, String)> {
    for beacons in 0..MAX_BEACONS {
        let outcome = send(stack, site, mark, &BARE)?;
        if outcome != "accepted" {
            return Ok((beacons, outcome));
        }
    }
    Ok((MAX_BEACONS, "accepted".to_owned()))
}

fn a_burst_is_evidence_against_its_visitor_alone(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    lab::put_site(stack, &json!({"id": "rates", "domains": ["shop.example"]}))?;
    let (fast, slow) = (lab::event_id(), lab::event_id());
    let (before, outcome) = burst(stack, "rates", &fast)?;
    ensure!(outcome == "flagged" && before > MAX_PERSON / EVENTS_PER_BEACON, "{before} beacons, then {outcome}");
    // Twice: the Batcher's word on the first beacon is judged with the second.
    for _ in 0..2 {
        let other = send(stack, "rates", &slow, &[BARE[0], ("User-Agent", SAFARI)])?;
        ensure!(other == "accepted", "another visitor: {other}");
    }
    let events = u64::try_from(EVENTS_PER_BEACON)?;
    let seen = "is_bot = 1 AND has(bot_signals, 'rate:visitor') AND has(bot_signals, 'header:no_accept_language')";
    lab::expect_events(stack, &format!("page_path = '/{fast}' AND {seen}"), events, 10)?;
    let unseen = "is_bot = 0 AND NOT has(bot_signals, 'rate:visitor')";
    lab::expect_events(stack, &format!("page_path = '/{fast}' AND {unseen}"), u64::try_from(before)? * events, 10)?;
    lab::expect_events(stack, &format!("page_path = '/{slow}' AND {unseen}"), 2 * events, 10)
}

fn bursts_follow_the_policy_and_the_books_balance(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    for (site, policy) in [("rates-drop", "drop"), ("rates-off", "off")] {
        lab::put_site(stack, &json!({"id": site, "domains": ["shop.example"], "bots": policy}))?;
    }
    let mark = lab::event_id();
    let (before, outcome) = burst(stack, "rates-drop", &mark)?;
    ensure!(outcome == "filtered" && before > MAX_PERSON / EVENTS_PER_BEACON, "{before} beacons, then {outcome}");
    let off = burst(stack, "rates-off", &mark)?;
    ensure!(off == (MAX_BEACONS, "accepted".to_owned()), "expected the site to judge nobody, found {off:?}");
    let stored = u64::try_from((before + MAX_BEACONS) * EVENTS_PER_BEACON)?;
    lab::expect_events(
        stack,
        &format!("page_path = '/{mark}' AND empty(bot_signals) = (site_id = 'rates-off')"),
        stored,
        10,
    )?;
    lab::wait_for("the books to balance", 30, || {
        for endpoint in &stack.file.clickhouse {
            let open = endpoint.query(
                "SELECT sum(abs(unaccounted)) + sum(abs(pending)) FROM ecommerce.collector_balance WHERE startsWith(site_id, 'rates')",
            )?;
            ensure!(open == "0", "{}: {open} events are unaccounted for or pending", endpoint.region);
        }
        let sql = "SELECT sum(count) FROM ecommerce.collector_outcomes WHERE site_id = 'rates-drop' AND reason = 'automation'";
        let dropped: Result<u64> = stack.file.clickhouse.iter().map(|e| Ok(e.query(sql)?.parse::<u64>()?)).sum();
        Ok((dropped? == u64::try_from(EVENTS_PER_BEACON)?).then_some(()))
    })
}
