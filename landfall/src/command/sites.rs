//! `landfall sites`. In scope: arguments and printing. Out of scope: the work (`landfall::sites`).

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use landfall::sites::{self, SitesError, VISIBLE_WITHIN_S};
use serde_json::Value;

use super::access::{self, AccessError};

/// What one site's settings may be at most, as in the collector.
const MAX_SETTINGS_BYTES: u64 = 64 * 1024;

/// List, read and change the sites of a running collector.
///
/// A new site is taken at once; a changed or deleted one within 30 seconds. Settings that are not given get their defaults.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  export LANDFALL_COLLECTOR_URL=https://collect.example.com LANDFALL_ADMIN_TOKEN=...
  landfall sites list
  landfall sites get shop > shop.json
  landfall sites put shop.json
  echo '{\"id\":\"shop\",\"domains\":[\"shop.example.com\"],\"regions\":[\"eu\"]}' \\
    | landfall sites put -
  landfall sites delete shop > shop-as-it-was.json")]
pub(crate) struct Arguments {
    #[command(flatten)]
    access: access::Arguments,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Show every site, one a line
    #[command(after_help = "Examples:\n  landfall sites list\n  landfall sites list --json > sites.json")]
    List {
        /// All settings of all sites as one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Print a site's settings as JSON
    #[command(after_help = "Example:\n  landfall sites get shop > shop.json")]
    Get {
        /// The site's id
        id: String,
    },
    /// Add a site, or replace all of its settings; prints what is stored
    #[command(after_help = "Examples:\n  landfall sites put shop.json\n  landfall sites put - < shop.json")]
    Put {
        /// JSON file with the settings; - reads standard input
        file: PathBuf,
    },
    /// Remove a site; prints its settings, so that it can be put back. Stored events stay
    #[command(after_help = "Example:\n  landfall sites delete shop > shop-as-it-was.json")]
    Delete {
        /// The site's id
        id: String,
    },
}

/// What ended the command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(transparent)]
    Sites(#[from] SitesError),
    #[error("cannot read the settings from {from}: {source}")]
    Read { from: String, source: io::Error },
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let collector = arguments.access.open()?;
    match &arguments.action {
        Action::List { json: true } => print_json(&sites::list(&collector)?.into()),
        Action::List { json: false } => print_table(&sites::list(&collector)?),
        Action::Get { id } => print_json(&sites::get(&collector, id)?),
        Action::Put { file } => {
            print_json(&sites::put(&collector, &read(file)?)?);
            eprintln!("stored; a change is seen everywhere within {VISIBLE_WITHIN_S} s, a new site at once");
        }
        Action::Delete { id } => {
            print_json(&sites::delete(&collector, id)?);
            eprintln!("deleted; its beacons are refused everywhere within {VISIBLE_WITHIN_S} s");
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    // One byte more than allowed, so that the collector's own limit refuses it.
    let read = if file.as_os_str() == "-" {
        io::stdin().take(MAX_SETTINGS_BYTES + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(MAX_SETTINGS_BYTES + 1).read_to_string(&mut text))
    };
    read.map_err(|source| Failure::Read { from: file.display().to_string(), source })?;
    Ok(text)
}

/// A closed pipe is no failure, here and below: whoever reads has seen enough.
fn print_json(value: &Value) {
    let _ = writeln!(io::stdout(), "{value:#}");
}

fn print_table(sites: &[Value]) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{:<24} {:<8} {:<16} DOMAINS", "SITE", "STATUS", "REGIONS");
    for site in sites {
        let text = |name: &str, default| site.get(name).and_then(Value::as_str).unwrap_or(default);
        let regions = names(site, "regions");
        let regions = if regions.is_empty() { "all" } else { &regions };
        let (id, status, domains) = (text("id", ""), text("status", "active"), names(site, "domains"));
        let _ = writeln!(out, "{id:<24} {status:<8} {regions:<16} {domains}");
    }
}

fn names(site: &Value, field: &str) -> String {
    let list = site.get(field).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
}
