//! `cargo xtask chaos`: faults under a steady load, and an account of every event at the end: none lost, none doubled.
//!
//! In scope: the order of a run, its account, its exit code. Out of scope: the single faults (`fault`), the stack itself (`stack`).
//!
//! The promise under test: an event whose receipt says that it is stored is in ClickHouse exactly once, whatever failed in between. An event
//! without a receipt may or may not be stored; the driver sends it again, with the same id, until it has one.

mod account;
pub mod clock;
mod disk;
mod driver;
mod fault;
mod ledger;
pub mod proxy;
mod report;
mod scene;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::builder::PossibleValuesParser;

use crate::stack::StackFile;
use crate::{interrupt, step};

use account::Cross;
use fault::Fault;
use report::{End, Line};
use scene::Scene;

pub use report::Report;

/// Events between faults belong to this phase.
const CALM: usize = 0;
/// How long after a fault everything must be delivered: the longest wait of a held batch, the Worker's patience, and room.
const MAX_RECOVERY: Duration = Duration::from_mins(3);
/// How long the account may take to be complete: outcomes follow their events.
const MAX_ACCOUNT: Duration = Duration::from_mins(1);
/// A doubled row may come late: a retry that should not have been.
const SETTLE: Duration = Duration::from_secs(3);
const STATUS_EVERY: Duration = Duration::from_secs(5);

/// What to do.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// The least number of events; the load goes on until it is reached
    #[arg(long, default_value_t = 200_000)]
    pub events: u64,
    /// Events per second
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(20..=5_000))]
    pub rate: u32,
    /// Only these faults, separated by commas [default: all]
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(fault::ALL.iter().map(|fault| fault.name)))]
    pub faults: Vec<String>,
    /// How long the faults at random last
    #[arg(long, default_value_t = 60)]
    pub random_seconds: u64,
    /// What the faults at random follow from
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// A new folder for the stack's data and logs, kept afterwards [default: a temporary one, kept only after a failure]
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

impl Options {
    fn has(&self, fault: &str) -> bool {
        self.faults.is_empty() || self.faults.iter().any(|name| name == fault)
    }
}

/// Runs and prints; an error if anything was lost, doubled, or not delivered in time.
pub fn command(options: &Options) -> Result<()> {
    let temporary = tempfile::Builder::new().prefix("landfall-chaos-").tempdir()?;
    let dir = options.dir.clone().unwrap_or_else(|| temporary.path().to_owned());
    let report = run(&dir, options);
    let is_clean = report.as_ref().is_ok_and(Report::is_clean);
    if !is_clean && !interrupt::is_requested() && options.dir.is_none() {
        println!("the stack's logs are in {}", temporary.keep().display());
    }
    println!("\n{}", report?);
    if !is_clean {
        bail!("expected every acknowledged event stored once, in time");
    }
    Ok(())
}

/// Starts a stack in a folder, breaks it, accounts for every event, and stops it. The parts must be built.
pub fn run(dir: &Path, options: &Options) -> Result<Report> {
    std::fs::create_dir_all(dir)?;
    // Rows of an earlier run would spoil the account.
    if StackFile::read(dir)?.is_some() {
        bail!("expected a folder without a stack, found one in {}; name another --dir", dir.display());
    }
    let mut scene = Scene::start(&dir.canonicalize()?, options)?;
    let chosen = fault::ALL.iter().filter(|fault| options.has(fault.name));
    let mut lines = vec![Line::new("calm")];
    for fault in chosen {
        let phase = lines.len();
        let end = suffer(&mut scene, fault, phase)?;
        lines.push(Line { end, ..Line::new(fault.name) });
    }
    reach(&scene, options.events)?;
    scene.driver.finish(interrupt::is_requested);
    interrupt::check()?;
    account_for(&scene, lines)
}

/// One fault and the recovery from it.
fn suffer(scene: &mut Scene, fault: &Fault, phase: usize) -> Result<End> {
    if let Some(hindrance) = (fault.hindrance)(scene) {
        println!("▸ {}: not here: {hindrance}", fault.name);
        return Ok(End::NotRun(hindrance));
    }
    step::step(&format!("{}: {}", fault.name, fault.about), || {
        scene.driver.enter(phase);
        let injected = (fault.inject)(scene, phase);
        scene.driver.enter(CALM);
        interrupt::check()?;
        if let Err(error) = injected {
            println!("  {error:#}");
            return Ok(End::Failed(format!("{error:#}")));
        }
        Ok(scene.wait_delivered(phase, MAX_RECOVERY)?.map_or(End::NotRecovered(MAX_RECOVERY), End::Recovered))
    })
}

/// Lets the load go on until enough events are sent.
fn reach(scene: &Scene, events: u64) -> Result<()> {
    step::step(&format!("sending on until {events} events"), || {
        let mut next_status = Instant::now();
        while scene.driver.sent() < events {
            if Instant::now() >= next_status {
                step::status_line(&format!("  {} sent", scene.driver.sent()));
                next_status += STATUS_EVERY;
            }
            scene.pause(Duration::from_millis(200))?;
        }
        Ok(())
    })
}

fn account_for(scene: &Scene, mut lines: Vec<Line>) -> Result<Report> {
    step::step("accounting for every event", || {
        let calm = scene.wait_delivered(CALM, MAX_RECOVERY)?;
        lines[CALM].end = calm.map_or(End::NotRecovered(MAX_RECOVERY), End::Recovered);
        scene.wait_for(MAX_ACCOUNT, || Ok(Cross::read(&scene.stack)?.is_clean()))?;
        scene.pause(SETTLE)?;
        let tallies = account::tallies(&scene.stack, &scene.driver.ledger(), lines.len())?;
        for (line, tally) in lines.iter_mut().zip(tallies) {
            line.tally = tally;
        }
        Ok(Report { lines, cross: Cross::read(&scene.stack)? })
    })
}
