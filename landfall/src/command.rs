//! The subcommands. A new one is a file beside `migrate` and a line in each of the places below.

mod access;
mod doctor;
mod interrupt;
mod migrate;
mod reclassify;
mod replay;
mod server;
mod sites;

use std::process::ExitCode;

use clap::Subcommand;
use landfall::collector::CollectorError;
use landfall::connection::ConnectionError;
use landfall::doctor::DoctorError;
use landfall::migrate::MigrateError;
use landfall::reclassify::ReclassifyError;
use landfall::replay::ReplayError;
use landfall::sites::SitesError;

use access::AccessError;

/// The end of `landfall --help`.
pub(crate) const HELP: &str = "Examples:
  landfall migrate --url http://127.0.0.1:8123 --user default
  LANDFALL_CLICKHOUSE_PASSWORD=... landfall migrate \\
    --url https://eu.clickhouse.example:8443 --user admin --dry-run
  LANDFALL_ADMIN_TOKEN=... landfall sites list --url https://collect.example.com
  LANDFALL_ADMIN_TOKEN=... landfall doctor --url https://collect.example.com
  LANDFALL_CLICKHOUSE_PASSWORD=... landfall replay \\
    --url https://eu.clickhouse.example:8443 --from 2026-11-20
  landfall reclassify --url https://eu.clickhouse.example:8443 --from 2026-11-01 --to 2026-11-21

Exit codes:
  0  done
  1  a statement failed, or the collector refused
  2  wrong arguments or settings
  3  nothing answered at the URL, or something else
  4  the login or the token was refused, or the user may not do this
  5  the schema files do not fit what was applied before
  6  no site has this id
  7  doctor found something to mend
  8  replay could not bring back every row
  9  reclassify has no such run to undo, a later one stands on it, or another came in between
 10  another replay is at work
130  interrupted";

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    Migrate(migrate::Arguments),
    Sites(sites::Arguments),
    Doctor(doctor::Arguments),
    Replay(replay::Arguments),
    Reclassify(reclassify::Arguments),
}

impl Command {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        match self {
            Self::Migrate(arguments) => Ok(migrate::run(arguments)?),
            Self::Sites(arguments) => Ok(sites::run(arguments)?),
            Self::Doctor(arguments) => Ok(doctor::run(arguments)?),
            Self::Replay(arguments) => Ok(replay::run(arguments)?),
            Self::Reclassify(arguments) => Ok(reclassify::run(arguments)?),
        }
    }
}

/// What ended a subcommand.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error(transparent)]
    Sites(#[from] sites::Failure),
    #[error(transparent)]
    Doctor(#[from] doctor::Failure),
    #[error(transparent)]
    Replay(#[from] replay::Failure),
    #[error(transparent)]
    Reclassify(#[from] reclassify::Failure),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Migrate(error) => migrate_exit_code(error),
            Self::Sites(sites::Failure::Access(error)) | Self::Doctor(doctor::Failure::Access(error)) => {
                access_exit_code(error)
            }
            Self::Sites(sites::Failure::Sites(error)) => sites_exit_code(error),
            Self::Sites(sites::Failure::Read { .. }) => 2,
            Self::Doctor(doctor::Failure::Doctor(error)) => doctor_exit_code(error),
            Self::Doctor(doctor::Failure::Unhealthy(_)) => 7,
            Self::Replay(replay::Failure::Replay(error)) => replay_exit_code(error),
            Self::Replay(replay::Failure::Receipt { .. }) => 1,
            Self::Replay(replay::Failure::Refused(_)) => 8,
            Self::Reclassify(failure) => reclassify_exit_code(failure),
        })
    }
}

fn migrate_exit_code(error: &MigrateError) -> u8 {
    match error {
        MigrateError::Connection(source) | MigrateError::Statement { source, .. } => connection_exit_code(source),
        MigrateError::History(_) => 5,
        MigrateError::Text { .. } => 1,
    }
}

fn sites_exit_code(error: &SitesError) -> u8 {
    match error {
        SitesError::Collector(error) => collector_exit_code(error),
        SitesError::Settings(_) | SitesError::Id(_) => 2,
        SitesError::Unknown(_) => 6,
    }
}

fn doctor_exit_code(error: &DoctorError) -> u8 {
    match error {
        DoctorError::Collector(error) => collector_exit_code(error),
        DoctorError::Sites(error) => sites_exit_code(error),
        DoctorError::Connection(error) => connection_exit_code(error),
        DoctorError::Region { .. } => 2,
    }
}

fn replay_exit_code(error: &ReplayError) -> u8 {
    match error {
        ReplayError::Connection(error) => connection_exit_code(error),
        ReplayError::Choice { .. } | ReplayError::File { .. } => 2,
        ReplayError::NotTaken { .. } | ReplayError::Unsure { .. } => 1,
        ReplayError::Schema(_) => 5,
        ReplayError::Held { .. } | ReplayError::Crowded | ReplayError::Broken { .. } => 10,
        ReplayError::ClaimLeft { cause, .. } => replay_exit_code(cause),
        ReplayError::Interrupted => interrupt::EXIT_CODE,
    }
}

fn reclassify_exit_code(failure: &reclassify::Failure) -> u8 {
    let error = match failure {
        reclassify::Failure::Access(error) => return access_exit_code(error),
        reclassify::Failure::Sites(error) => return sites_exit_code(error),
        reclassify::Failure::Settings { .. } => return 2,
        reclassify::Failure::Reclassify(error) => error,
    };
    match error {
        ReclassifyError::Connection(error) => connection_exit_code(error),
        ReclassifyError::Choice { .. } => 2,
        ReclassifyError::Row(_) => 1,
        ReclassifyError::Unsure { .. } => 3,
        ReclassifyError::Schema(_) => 5,
        ReclassifyError::Overtaken
        | ReclassifyError::NoRun(_)
        | ReclassifyError::AlreadyUndone { .. }
        | ReclassifyError::NotNewest { .. } => 9,
    }
}

fn access_exit_code(error: &AccessError) -> u8 {
    match error {
        AccessError::Token(_) => 2,
        AccessError::Collector(error) => collector_exit_code(error),
    }
}

fn collector_exit_code(error: &CollectorError) -> u8 {
    match error {
        CollectorError::Address(_) => 2,
        CollectorError::Unreachable { .. } | CollectorError::NotCollector { .. } => 3,
        CollectorError::Token { .. } => 4,
        CollectorError::Refused { .. } => 1,
    }
}

fn connection_exit_code(error: &ConnectionError) -> u8 {
    match error {
        ConnectionError::Address(_) => 2,
        ConnectionError::Unreachable { .. } | ConnectionError::Slow { .. } | ConnectionError::NotClickHouse { .. } => 3,
        ConnectionError::Login { .. } | ConnectionError::Denied { .. } => 4,
        ConnectionError::Exception { .. } => 1,
    }
}
