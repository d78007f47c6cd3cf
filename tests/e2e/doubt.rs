//! "What two regions may have is never doubled in silence": answers are lost, and whoever may have the batch decides.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use xtask::chaos::clock::Clock;
use xtask::chaos::proxy::{Proxy, Reaction};
use xtask::stack::Stack;
use xtask::stack::layout::{Layout, Surroundings};
use xtask::stack::workerd::Settings;

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] = &[
    (
        "a_batch_that_two_regions_took_unheard_is_booked_as_a_possible_duplicate",
        a_batch_that_two_regions_took_unheard_is_booked_as_a_possible_duplicate,
    ),
    (
        "a_batch_that_is_refused_elsewhere_stays_whole_until_home_decides",
        a_batch_that_is_refused_elsewhere_stays_whole_until_home_decides,
    ),
    (
        "two_regions_that_swallow_a_batch_do_not_keep_it_from_a_third",
        two_regions_that_swallow_a_batch_do_not_keep_it_from_a_third,
    ),
];

const HOME: usize = 0;
const OTHER: usize = 1;
const EVENTS: u64 = 5;
/// More than a column of three digits holds.
const MISFIT: u32 = 4_000_000;
/// Longer than a batch waits for the region that may have it (`collector_core::failover::FAILOVER_AFTER_MS`).
const FAILOVER_AFTER_S: i64 = 6 * 60;
/// The longest wait between two attempts, with room.
const RECOVERY_S: u64 = 90;

/// Home stores it and the answer is lost; so does the other region. Then they come back, one before the other.
fn a_batch_that_two_regions_took_unheard_is_booked_as_a_possible_duplicate(lab: &mut Lab) -> Result<()> {
    with_faults(lab, |stack, faults| {
        for first in [HOME, OTHER] {
            faults.proxies[HOME].always(Reaction::ResetAfterBody);
            faults.proxies[OTHER].always(Reaction::ResetAfterBody);
            let site = send(stack, 1)?;
            wait_until_stored(stack, HOME, &site)?;
            wait_until_parked(stack, "unknown no code")?;
            faults.proxies[HOME].always(Reaction::Refuse);
            faults.outlast_home()?;
            wait_until_stored(stack, OTHER, &site)?;
            faults.proxies[OTHER].always(Reaction::Refuse);
            faults.proxies[first].heal();
            wait_until_done(stack).with_context(|| format!("only region {first} is back"))?;
            faults.heal();
            expect_booked(stack, &site, "possible_duplicate")?;
            expect_stored(stack, &site, [EVENTS, EVENTS])?;
        }
        Ok(())
    })
}

/// A row does not fit the other region's table. Whether home has the batch or not: cut, its parts could be stored there beside it.
fn a_batch_that_is_refused_elsewhere_stays_whole_until_home_decides(lab: &mut Lab) -> Result<()> {
    with_faults(lab, |stack, faults| {
        set_type_of_seq(stack, OTHER, "Decimal(3, 0)")?;
        let decided = [Reaction::ResetAfterBody, Reaction::ResetInBody].into_iter().try_for_each(|at_home| {
            refuse_elsewhere(stack, faults, at_home).with_context(|| format!("{at_home:?} at home"))
        });
        faults.heal();
        set_type_of_seq(stack, OTHER, "UInt32")?;
        // Other tests narrow the column at home, which fails as long as a row does not fit.
        let fit =
            format!("ALTER TABLE ecommerce.events UPDATE seq = 1 WHERE seq = {MISFIT} SETTINGS mutations_sync = 1");
        lab::on_every_region(stack, &fit)?;
        decided
    })
}

/// Both say that they are there, and of a batch they get a half. The third region is another way to the second one's ClickHouse.
fn two_regions_that_swallow_a_batch_do_not_keep_it_from_a_third(lab: &mut Lab) -> Result<()> {
    let third = Proxy::start(lab.stack()?.layout.ports.clickhouse[OTHER].0)?;
    let further = json!({"name": "ap", "url": format!("http://127.0.0.1:{}", third.port), "user": "collector", "latitude": 1.35, "longitude": 103.8});
    with_regions(lab, Some(further), |stack, faults| {
        for swallowing in [HOME, OTHER] {
            faults.proxies[swallowing].always(Reaction::ResetInBody);
        }
        let site = send_to(stack, 1, &["eu", "us", "ap"])?;
        wait_until_parked(stack, "unknown no code")?;
        let before = faults.proxies[OTHER].disturbed();
        faults.outlast_home()?;
        lab::wait_for("the second region's turn", RECOVERY_S, || {
            Ok((faults.proxies[OTHER].disturbed() > before).then_some(()))
        })?;
        faults.outlast_home()?;
        wait_until_stored(stack, OTHER, &site)?;
        ensure!(third.requests() > 0, "expected the third region to have it");
        faults.heal();
        expect_booked(stack, &site, "possible_duplicate")?;
        expect_stored(stack, &site, [0, EVENTS])
    })
}

fn refuse_elsewhere(stack: &Stack, faults: &mut Faults, at_home: Reaction) -> Result<()> {
    faults.proxies[HOME].always(at_home);
    let site = send(stack, MISFIT)?;
    wait_until_parked(stack, "unknown no code")?;
    faults.proxies[HOME].always(Reaction::Refuse);
    faults.outlast_home()?;
    let parked = wait_until_parked(stack, "poison code 69")?;
    ensure!(parked["rows"] == EVENTS && parked["batches"] == 1, "expected it whole, found {parked}");
    faults.heal();
    wait_until_done(stack)?;
    expect_booked(stack, &site, "")?;
    expect_stored(stack, &site, [EVENTS, 0])?;
    let letters = format!("SELECT count() FROM ecommerce.dead_letters WHERE site_id = '{site}'");
    ensure!(lab::sum_of_regions(stack, &letters)? == 0, "expected no dead letter");
    Ok(())
}

/// Proxies before both regions, and the collector's clock.
struct Faults {
    proxies: Vec<Proxy>,
    clock: Clock,
    ahead_s: i64,
}

impl Faults {
    /// Lets the time pass for which a batch waits for the region that may have it.
    fn outlast_home(&mut self) -> Result<()> {
        self.ahead_s += FAILOVER_AFTER_S;
        self.clock.set_offset(self.ahead_s)
    }

    fn heal(&self) {
        self.proxies.iter().for_each(Proxy::heal);
    }
}

fn with_faults(lab: &mut Lab, test: impl FnOnce(&mut Stack, &mut Faults) -> Result<()>) -> Result<()> {
    with_regions(lab, None, test)
}

/// The same with one region more, as the variable `REGIONS` has it.
fn with_regions(
    lab: &mut Lab,
    further: Option<Value>,
    test: impl FnOnce(&mut Stack, &mut Faults) -> Result<()>,
) -> Result<()> {
    let stack = lab.stack()?;
    let mut faults = Faults { proxies: lab::proxies(stack)?, clock: Clock::build(&stack.layout.dir)?, ahead_s: 0 };
    let mut surroundings = Surroundings {
        clickhouse_ports: faults.proxies.iter().map(|proxy| proxy.port).collect(),
        workerd_variables: faults.clock.variables(),
        ..Surroundings::default()
    };
    if let Some(further) = further {
        let password = format!("CLICKHOUSE_PASSWORD_{}", further["name"].as_str().unwrap_or_default().to_uppercase());
        let layout = Layout { surroundings: surroundings.clone(), ..stack.layout.clone() };
        let mut regions = Settings::of(&layout).regions;
        regions.as_array_mut().context("expected a list of regions")?.push(further);
        surroundings.worker_variables =
            vec![("REGIONS".to_owned(), regions.to_string()), (password, layout.secrets.clickhouse_collector)];
    }
    lab::surrounded(stack, surroundings, |stack| test(stack, &mut faults))
}

/// A batch of a site of its own, which may be in both regions and is at home in the first; the site.
fn send(stack: &Stack, seq: u32) -> Result<String> {
    send_to(stack, seq, &["eu", "us"])
}

fn send_to(stack: &Stack, seq: u32, regions: &[&str]) -> Result<String> {
    let site = format!("doubt-{}", lab::event_id());
    lab::put_site(stack, &json!({"id": site, "domains": ["shop.example"], "regions": regions}))?;
    let mut events = vec![json!({"event_type": "login"}); usize::try_from(EVENTS)?];
    events[0]["seq"] = seq.into();
    let german = [("CF-Blob", r#"{"country":"DE","continent":"EU","latitude":"50.1","longitude":"8.7"}"#)];
    let beacon = json!({"site": site, "events": events}).to_string();
    let answer = lab::post(stack, "/v1/events", beacon.as_bytes(), &german)?;
    ensure!(answer.outcomes()?.iter().all(|outcome| outcome == "accepted"), "{answer:?}");
    Ok(site)
}

fn wait_until_stored(stack: &Stack, region: usize, site: &str) -> Result<()> {
    lab::wait_for(&format!("the rows in region {region}"), RECOVERY_S, || {
        Ok((stored(stack, region, site)? == EVENTS).then_some(()))
    })
}

/// Waits until a batch of events waits for this; what `/readyz` says of it.
fn wait_until_parked(stack: &Stack, waits_for: &str) -> Result<Value> {
    lab::wait_for(&format!("a batch that waits for {waits_for}"), RECOVERY_S, || {
        let parked = home(stack)?["parked"].as_array().cloned().unwrap_or_default();
        Ok(parked.into_iter().find(|parked| parked["waits_for"] == waits_for && parked["rows"] != 0))
    })
}

/// Waits until home's Batcher has no row left.
fn wait_until_done(stack: &Stack) -> Result<()> {
    lab::wait_for("the end of the batch", RECOVERY_S, || Ok((home(stack)?["backlog_rows"] == 0).then_some(())))
}

/// What `/readyz` says of home.
fn home(stack: &Stack) -> Result<Value> {
    Ok(lab::get(stack, "/readyz", &[])?.json()?["regions"]["eu"].clone())
}

fn stored(stack: &Stack, region: usize, site: &str) -> Result<u64> {
    let sql = format!("SELECT count() FROM ecommerce.events WHERE site_id = '{site}'");
    Ok(stack.file.clickhouse[region].query(&sql)?.parse()?)
}

fn expect_stored(stack: &Stack, site: &str, expected: [u64; 2]) -> Result<()> {
    let found = [stored(stack, HOME, site)?, stored(stack, OTHER, site)?];
    ensure!(found == expected, "expected {expected:?} rows at home and elsewhere, found {found:?}");
    Ok(())
}

/// Waits until the books say that the rows are inserted, all with this reason.
fn expect_booked(stack: &Stack, site: &str, reason: &str) -> Result<()> {
    lab::wait_for("the books to know of the rows", RECOVERY_S, || {
        let sql = format!(
            "SELECT reason, sum(count) FROM ecommerce.collector_outcomes WHERE site_id = '{site}' AND outcome = 'inserted' GROUP BY ALL"
        );
        let found = stack.file.clickhouse[HOME].query(&sql)?;
        ensure!(found == format!("{reason}\t{EVENTS}"), "found {found:?}");
        Ok(Some(()))
    })
}

fn set_type_of_seq(stack: &Stack, region: usize, kind: &str) -> Result<()> {
    stack.file.clickhouse[region].query(&format!("ALTER TABLE ecommerce.events MODIFY COLUMN seq {kind}")).map(drop)
}
