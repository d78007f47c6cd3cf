//! `landfall reclassify`. In scope: arguments, where the present settings come from. Out of scope: the work (`landfall::reclassify`), printing
//! what it found (`report`).

mod report;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use collector_core::site::{SiteError, Sites};
use landfall::reclassify::{self, Choice, Mode, Progress, ReclassifyError};
use landfall::sites::{self, SitesError};
use uuid::Uuid;

use super::access::{self, AccessError};
use super::server;
use report::Meter;

/// Judge stored events again by the present rules: show what would change, apply it, take it back.
///
/// Without --apply nothing is changed: it prints how many events would become bots or people, why, on which sites, and which purchases are among
/// them. --apply writes these verdicts beside the events, which are never changed themselves; queries see them through the view
/// `ecommerce.events_judged`. They are seen all at once when the run is complete: a run that is interrupted has changed nothing. --undo takes a
/// run back, and what stood before stands again. Running it twice changes nothing the second time. Run one
/// at a time: if another is published or taken back on the same events meanwhile, nothing is changed.
///
/// Judged again by the lists of this program (use the release that is deployed) and the present settings of the sites: the user agent, the
/// network, the page, the referrer, the screen, what the tracker saw, and the site's own rules and policy. Not stored, so kept as the edge found it:
/// evidence of headers and of Bot Management, a crawler that only a client hint named, a scanner's address. A rule on `ip_address` or
/// `user_agent` leaves events undecided, and unchanged, where these were cut, dropped or anonymised and would decide.
///
/// Aggregates such as `hourly_events` keep the verdict of the edge.
///
/// The user must be allowed to read `ecommerce.*`, as `reader` is; for --apply and --undo also to insert into `ecommerce.verdict_overrides` and
/// `ecommerce.verdict_runs`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  export LANDFALL_COLLECTOR_URL=https://collect.example.com LANDFALL_ADMIN_TOKEN=...
  export LANDFALL_CLICKHOUSE_PASSWORD=...
  landfall reclassify --url https://eu.clickhouse.example:8443 \\
    --user reader --from 2026-11-01 --to 2026-11-21
  landfall reclassify --url https://eu.clickhouse.example:8443 \\
    --from 2026-11-01 --to 2026-11-21 --site shop --apply
  landfall reclassify --url https://eu.clickhouse.example:8443 --undo
  landfall sites list --json > sites.json   # edit the rules, and see what they would do:
  landfall reclassify --url https://eu.clickhouse.example:8443 \\
    --from 2026-11-01 --to 2026-11-21 --sites sites.json

Exit codes: 0 done, also if something would change; 9 no such run to undo, or another run came in between; others as in landfall --help")]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: server::Arguments,
    /// Events with a timestamp at or after this, UTC: YYYY-MM-DD or 'YYYY-MM-DD hh:mm:ss'
    #[arg(long, value_name = "TIME", required_unless_present = "undo")]
    from: Option<String>,
    /// Events with a timestamp before this
    #[arg(long, value_name = "TIME", required_unless_present = "undo")]
    to: Option<String>,
    /// Events of this site; without it, of every site
    #[arg(long)]
    site: Option<String>,
    /// Also events that the present rules have judged already: needed where only the policy `bots` was changed
    #[arg(long)]
    all: bool,
    /// Settings of the sites, as `landfall sites list --json` writes them [default: those of the collector]
    #[arg(long, value_name = "FILE")]
    sites: Option<PathBuf>,
    /// The collector's base URL, with its path prefix if it has one
    #[arg(long, value_name = "URL", env = "LANDFALL_COLLECTOR_URL", default_value = "http://127.0.0.1:8787")]
    collector: String,
    /// File that holds the Worker's `ADMIN_TOKEN` [default: the variable `LANDFALL_ADMIN_TOKEN`]
    #[arg(long, value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
    /// Write the verdicts that differ
    #[arg(long, conflicts_with = "undo")]
    apply: bool,
    /// Take a run back
    #[arg(long, conflicts_with_all = ["from", "to", "site", "all", "sites"])]
    undo: bool,
    /// The run to take back [default: the newest]
    #[arg(long, value_name = "ID", requires = "undo")]
    run: Option<Uuid>,
}

/// What ended the command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Sites(#[from] SitesError),
    #[error("expected an array of settings in {from}, found {found}")]
    Settings { from: String, found: String },
    #[error(transparent)]
    Reclassify(#[from] ReclassifyError),
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let target = arguments.server.target();
    if arguments.undo {
        let undone = reclassify::undo(&target, arguments.run)?;
        let reclassify::Undone { run_id, published_at, rows } = undone;
        println!("run {run_id} of {published_at} is taken back: {rows} rows have the verdict from before");
        return Ok(());
    }
    let sites = arguments.present_sites()?;
    let mode = if arguments.apply { Mode::Apply } else { Mode::Diff };
    let mut meter = Meter::default();
    // Below, a closed pipe is no failure: whoever reads has seen enough.
    let mut show = |progress: Progress<'_>| match progress {
        Progress::Found(diff) => {
            let _ = report::print(&mut io::stdout().lock(), diff).and_then(|()| io::stdout().flush());
        }
        Progress::Counted { .. } | Progress::Judged { .. } => meter.show(progress),
    };
    let outcome = reclassify::reclassify(&target, &sites, &arguments.choice(), mode, &mut show)?;
    let _ = report::print_end(&mut io::stdout().lock(), &outcome, mode, &target);
    Ok(())
}

impl Arguments {
    fn choice(&self) -> Choice {
        let time = |time: &Option<String>| time.clone().unwrap_or_default();
        Choice { from: time(&self.from), to: time(&self.to), site: self.site.clone(), is_all: self.all }
    }

    /// The settings that count now. A setting that this program does not know is an error: it might be what decides.
    fn present_sites(&self) -> Result<Sites, Failure> {
        let (from, text) = if let Some(file) = &self.sites {
            (file.display().to_string(), read(file)?)
        } else {
            let collector = access::open(&self.collector, self.admin_token_file.as_deref())?;
            (self.collector.clone(), serde_json::Value::from(sites::list(&collector)?).to_string())
        };
        Sites::parse(&text).map_err(|error: SiteError| Failure::Settings { from, found: error.to_string() })
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::Settings { from: file.display().to_string(), found: error.to_string() };
    std::fs::read_to_string(file).map_err(failed)
}
