//! The subcommands. A new one is a file beside `migrate` and a line in each of the places below.

mod migrate;

use std::process::ExitCode;

use clap::Subcommand;
use landfall::connection::ConnectionError;
use landfall::migrate::MigrateError;

/// The end of `landfall --help`.
pub(crate) const HELP: &str = "Examples:
  landfall migrate --url http://127.0.0.1:8123 --user default
  LANDFALL_CLICKHOUSE_PASSWORD=... landfall migrate --url https://eu.clickhouse.example:8443 --user admin --dry-run

Exit codes:
  0  done
  1  a statement failed
  2  wrong arguments
  3  no ClickHouse answered at the URL
  4  the login was refused, or the user may not do this
  5  the schema files do not fit what was applied before";

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    Migrate(migrate::Arguments),
}

impl Command {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        match self {
            Self::Migrate(arguments) => Ok(migrate::run(arguments)?),
        }
    }
}

/// What ended a subcommand.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Migrate(#[from] MigrateError),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        let Self::Migrate(error) = self;
        ExitCode::from(match error {
            MigrateError::Connection(source) | MigrateError::Statement { source, .. } => connection_exit_code(source),
            MigrateError::History(_) => 5,
            MigrateError::Text { .. } => 1,
        })
    }
}

fn connection_exit_code(error: &ConnectionError) -> u8 {
    match error {
        ConnectionError::Url(_) | ConnectionError::UrlCredentials => 2,
        ConnectionError::Unreachable { .. } | ConnectionError::NotClickHouse { .. } => 3,
        ConnectionError::Login { .. } | ConnectionError::Denied { .. } => 4,
        ConnectionError::Exception { .. } => 1,
    }
}
