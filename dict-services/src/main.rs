//! `dict-services countries`, `dict-services user-segments` and `dict-services segments`.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use dict_services::config::{Cli, LogFormat};
use dict_services::service;
use tokio::runtime::Runtime;
use tracing_subscriber::EnvFilter;

/// How long a snapshot that is being written may take when the service has stopped. A training, which can take minutes, is given up:
/// what it would have written appears whole or not at all.
const MAX_LAST_WRITE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match cli.log_format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().init(),
    }
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no threads");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(service::run(cli.service));
    runtime.shutdown_timeout(MAX_LAST_WRITE);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "stopped");
            ExitCode::FAILURE
        }
    }
}
