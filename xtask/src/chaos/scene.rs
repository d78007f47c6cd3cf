//! What a fault acts on: a stack of its own with a proxy before each ClickHouse, under a steady load.
//!
//! In scope: putting it together, waiting, the few things that several faults do. Out of scope: the faults, judging the result.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use landfall::collector::{Access, Collector};
use landfall::sites;
use serde_json::json;

use crate::interrupt;
use crate::stack::layout::Surroundings;
use crate::stack::process::Stop;
use crate::stack::{Options, Stack, port};
use crate::traffic::{Dice, now_ms};

use super::account;
use super::disk::SmallDisk;
use super::driver::{Driver, RESIDENT_SITE};
use super::proxy::{Proxy, Reaction};

const REGIONS: [&str; 2] = ["eu", "us"];
/// Where the events of `RESIDENT_SITE` may be: the region that most faults strike.
pub(super) const RESIDENT_REGION: &str = REGIONS[0];
const POLL: Duration = Duration::from_millis(100);
/// How long a fault lasts that needs nothing but time.
const HOLD: Duration = Duration::from_secs(6);
/// How long a fault may take to be met by the Worker: its longest wait between two attempts, and its patience for one.
const MAX_MEET: Duration = Duration::from_secs(150);

/// The stack under load. Dropped in this order: the load ends first, the disk last.
pub(super) struct Scene {
    pub(super) driver: Driver,
    pub(super) proxies: Vec<Proxy>,
    pub(super) stack: OwnStack,
    /// Under the last region's ClickHouse, if the full disk is among the faults and can be had here.
    pub(super) small_disk: Option<SmallDisk>,
    pub(super) dice: Dice,
    pub(super) random: Duration,
    /// Events per second.
    pub(super) rate: u32,
}

/// A stack that is stopped when dropped, however the run ends.
pub(super) struct OwnStack(Stack);

impl std::ops::Deref for OwnStack {
    type Target = Stack;

    fn deref(&self) -> &Stack {
        &self.0
    }
}

impl std::ops::DerefMut for OwnStack {
    fn deref_mut(&mut self) -> &mut Stack {
        &mut self.0
    }
}

impl Drop for OwnStack {
    fn drop(&mut self) {
        if let Err(error) = self.0.down() {
            println!("expected to stop the stack, found: {error:#}; stop it: cargo xtask down");
        }
    }
}

impl Scene {
    /// Starts everything in a folder.
    pub(super) fn start(dir: &Path, options: &super::Options) -> Result<Self> {
        let regions = REGIONS.map(str::to_owned).to_vec();
        let small_disk =
            if options.has("full-disk") { SmallDisk::under_clickhouse(dir, REGIONS[REGIONS.len() - 1])? } else { None };
        let up = Options { dir: dir.to_owned(), regions: Some(regions), port_base: Some(port::free_block()?) };
        let mut stack = OwnStack(Stack::up(&up)?);
        let ports = stack.layout.ports.clickhouse.iter().map(|(http, _)| *http);
        let proxies: Vec<Proxy> = ports.map(Proxy::start).collect::<Result<_>>()?;
        stack.layout.surroundings = Surroundings {
            clickhouse_ports: proxies.iter().map(|proxy| proxy.port).collect(),
            ..Surroundings::default()
        };
        stack.stop_workerd(Stop::Clean)?;
        stack.start_workerd()?;
        add_resident_site(&stack)?;
        let driver = Driver::start(&stack.file.collector, now_ms(), options.rate);
        let random = Duration::from_secs(options.random_seconds);
        Ok(Self { driver, proxies, stack, small_disk, dice: Dice(options.seed), random, rate: options.rate })
    }

    /// Lets time pass.
    pub(super) fn pause(&self, duration: Duration) -> Result<()> {
        let until = Instant::now() + duration;
        while Instant::now() < until {
            interrupt::check()?;
            std::thread::sleep(POLL.min(duration));
        }
        self.driver.check()
    }

    /// Lets a fault last for the usual time.
    pub(super) fn hold(&self) -> Result<()> {
        self.pause(HOLD)
    }

    /// How long it took until a condition held; `None` if it did not within the limit.
    pub(super) fn wait_for(&self, limit: Duration, is_met: impl Fn() -> Result<bool>) -> Result<Option<Duration>> {
        let started = Instant::now();
        while started.elapsed() < limit {
            interrupt::check()?;
            self.driver.check()?;
            // An error is a ClickHouse that does not answer yet.
            if is_met().unwrap_or(false) {
                return Ok(Some(started.elapsed()));
            }
            std::thread::sleep(POLL);
        }
        Ok(None)
    }

    /// Waits until every event of a phase is acknowledged and can be queried.
    pub(super) fn wait_delivered(&self, phase: usize, limit: Duration) -> Result<Option<Duration>> {
        self.wait_for(limit, || {
            let (sent, acknowledged) = self.driver.ledger().count(phase);
            Ok(sent == acknowledged && account::found(&self.stack, phase)? >= acknowledged)
        })
    }

    /// Lets the inserts of some regions meet a reaction, at least so many times each, and behaves again.
    pub(super) fn meet(&self, regions: std::ops::Range<usize>, reaction: Reaction, times: u64) -> Result<()> {
        let proxies = &self.proxies[regions.clone()];
        for proxy in proxies {
            proxy.always(reaction);
        }
        let met = self.wait_disturbed(regions, times);
        proxies.iter().for_each(Proxy::heal);
        met
    }

    /// Waits until so many inserts of each of these regions have failed from now on.
    pub(super) fn wait_disturbed(&self, regions: std::ops::Range<usize>, times: u64) -> Result<()> {
        let proxies = &self.proxies[regions];
        let before: Vec<u64> = proxies.iter().map(Proxy::disturbed).collect();
        let are_met = || Ok(proxies.iter().zip(&before).all(|(proxy, before)| proxy.disturbed() >= before + times));
        ensure!(
            self.wait_for(MAX_MEET, are_met)?.is_some(),
            "expected {times} inserts to fail within {} s",
            MAX_MEET.as_secs()
        );
        Ok(())
    }

    /// Lets the next inserts meet these, those of all regions together, and waits until all are met.
    pub(super) fn meet_each(&self, reactions: &[Reaction]) -> Result<()> {
        for (number, reaction) in reactions.iter().enumerate() {
            // The one behind it is whole, so that the waits between attempts stay short.
            self.proxies[number % self.proxies.len()].script([*reaction, Reaction::Pass]);
        }
        let met = self.wait_for(MAX_MEET, || Ok(self.proxies.iter().all(|proxy| proxy.script_left() == 0)));
        self.proxies.iter().for_each(Proxy::heal);
        ensure!(met?.is_some(), "expected {} inserts within {} s", 2 * reactions.len(), MAX_MEET.as_secs());
        Ok(())
    }

    /// Runs a statement in every region.
    pub(super) fn on_every_region(&self, sql: &str) -> Result<()> {
        self.stack.file.clickhouse.iter().try_for_each(|endpoint| endpoint.query(sql).map(drop))
    }
}

fn add_resident_site(stack: &Stack) -> Result<()> {
    let access = Access { url: stack.file.collector.clone(), admin_token: stack.file.admin_token.clone() };
    let settings = json!({"id": RESIDENT_SITE, "domains": ["resident.example"], "regions": [RESIDENT_REGION]});
    sites::put(&Collector::new(&access)?, &settings.to_string())?;
    Ok(())
}
