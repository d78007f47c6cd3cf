//! `landfall doctor`. In scope: arguments and printing. Out of scope: the work (`landfall::doctor`).

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;
use landfall::connection::Target;
use landfall::doctor::{self, DoctorError, Finding, Region};

use super::access::{self, AccessError};

/// Of what was looked at, in characters; a dictionary of the schema has 25.
const WIDTH: usize = 28;
const PASSWORD_VARIABLE: &str = "LANDFALL_CLICKHOUSE_PASSWORD";

/// Send an event through every region and say what is wrong.
///
/// Prints, for each region: how long after its sending the event was accepted (acknowledged, and durable), delivered (ClickHouse has told the
/// collector that it has it), queryable, in the views, and booked; what waits and what is parked, for what and since when; dead letters; its
/// dictionaries. Whatever is wrong is marked with ! and followed by what to do about it.
///
/// The event is of the type `landfall_doctor` and of a site `landfall-doctor-<id>`, which is deleted when the event has landed. Where it has not, as
/// in an outage, the site stays paused and permits every region, so that others' events in the same batch may go elsewhere; the first run a day
/// later deletes it. The user needs to read `ecommerce` and `system.dictionaries`, as `reader` does.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  export LANDFALL_COLLECTOR_URL=https://collect.example.com LANDFALL_ADMIN_TOKEN=...
  export LANDFALL_CLICKHOUSE_PASSWORD=...
  landfall doctor --clickhouse eu=https://eu.clickhouse.example:8443 \\
    --clickhouse us=https://us.clickhouse.example:8443
  LANDFALL_CLICKHOUSE_PASSWORD_US=... landfall doctor \\
    --clickhouse us=https://us.clickhouse.example:8443
  landfall doctor                        # the collector's side alone
  landfall doctor ... || mail -s 'landfall is ill' operator@example.com

Exit codes: 0 healthy, 7 not healthy; others as in landfall --help")]
pub(crate) struct Arguments {
    #[command(flatten)]
    access: access::Arguments,
    /// HTTP interface of a region's ClickHouse, once for each region; without it only the collector's side is examined
    #[arg(long, value_name = "REGION=URL", value_parser = parse_region)]
    clickhouse: Vec<(String, String)>,
    /// User of every ClickHouse; its password is in `LANDFALL_CLICKHOUSE_PASSWORD_<REGION>`, else in `LANDFALL_CLICKHOUSE_PASSWORD`
    #[arg(long, default_value = "reader")]
    user: String,
    /// How long the event may take until it is booked, the last of its hops
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    patience: u64,
}

/// What ended the command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Doctor(#[from] DoctorError),
    #[error("not healthy: {0} to mend")]
    Unhealthy(usize),
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let collector = arguments.access.open()?;
    let regions: Vec<Region> = arguments.clickhouse.iter().map(|(name, url)| arguments.region(name, url)).collect();
    let mut out = io::stdout().lock();
    let mut region = None;
    let problems = doctor::examine(&collector, &regions, Duration::from_secs(arguments.patience), &mut |finding| {
        // A closed pipe is no failure: the exit code tells the result.
        let _ = print(&mut out, &mut region, &finding);
    })?;
    if problems > 0 {
        return Err(Failure::Unhealthy(problems));
    }
    let _ = writeln!(out, "healthy");
    Ok(())
}

fn print(out: &mut impl Write, region: &mut Option<String>, finding: &Finding) -> io::Result<()> {
    if region.as_ref() != Some(&finding.region) {
        match finding.region.as_str() {
            "" => writeln!(out, "all regions")?,
            name => writeln!(out, "region {name}")?,
        }
        *region = Some(finding.region.clone());
    }
    let mark = if finding.advice.is_some() { '!' } else { ' ' };
    writeln!(out, "  {mark} {:<WIDTH$} {}", finding.check, finding.found)?;
    if let Some(advice) = &finding.advice {
        writeln!(out, "    -> {advice}")?;
    }
    out.flush()
}

impl Arguments {
    fn region(&self, name: &str, url: &str) -> Region {
        let own = format!("{PASSWORD_VARIABLE}_{}", name.to_uppercase().replace('-', "_"));
        let password = std::env::var(own).or_else(|_| std::env::var(PASSWORD_VARIABLE)).unwrap_or_default();
        let target = Target { url: url.to_owned(), user: self.user.clone(), password };
        Region { name: name.to_owned(), target }
    }
}

fn parse_region(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, url)) if !name.is_empty() && !url.is_empty() => Ok((name.to_owned(), url.to_owned())),
        _ => Err("expected REGION=URL, such as eu=https://eu.clickhouse.example:8443".to_owned()),
    }
}
