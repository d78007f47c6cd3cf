//! Runs a genuine ClickHouse server, HTTP and native port, out of `libchdb.so`, with the configuration of `infra/clickhouse`.
//!
//! In scope: what a loopback ClickHouse for development and tests needs. Out of scope: the schema (`landfall migrate`), starting
//! several servers (`cargo xtask up`), production, which runs clickhouse-server with the same configuration files.
//!
//! The embedded engine is clickhouse-local with its ports opened. Four things a server does are missing in it and are done here or not
//! at all: stopping on a signal (`stop`), refreshing dictionaries by their LIFETIME (`reload`); system logs and ON CLUSTER do not exist.

mod config;
mod directory;
mod engine;
mod lifetime;
mod reload;
mod retry;
mod server;
mod stop;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::config::{ConfigError, Supervisor};
use crate::directory::DataDirectory;
use crate::engine::{Engine, EngineError};
use crate::server::{RandomError, Server};
use crate::stop::StopError;

/// Run ClickHouse from libchdb.so until SIGTERM or Ctrl-C.
///
/// The user `admin` may do everything; SHA-256 of its password comes in `LANDFALL_ADMIN_PASSWORD_SHA256`. The other variables are those
/// that the files in --config name with `from_env`.
#[derive(Parser, Debug)]
#[command(
    version,
    after_help = "Example:\n  dev-clickhouse --lib node_modules/@chdb/lib-linux-x64-gnu/libchdb.so --data .landfall/clickhouse-eu \\\n    --config infra/clickhouse --http-port 8123 --tcp-port 9000"
)]
struct Arguments {
    /// The engine: libchdb.so of the npm package @chdb/lib-linux-x64-gnu
    #[arg(long)]
    lib: PathBuf,
    /// Directory for data and generated configuration; created if missing, kept on stop
    #[arg(long)]
    data: PathBuf,
    /// Directory with config.d/ and users.d/
    #[arg(long)]
    config: PathBuf,
    /// Port of the HTTP interface
    #[arg(long)]
    http_port: u16,
    /// Port of the native interface
    #[arg(long)]
    tcp_port: u16,
    /// IPv4 address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    listen: Ipv4Addr,
    /// Most memory the server may use, in MiB
    #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u32).range(512..))]
    memory_mib: u32,
    /// Multiplies the LIFETIME of every dictionary; small values make tests of refreshing quick
    #[arg(long, env = "LANDFALL_DICTIONARY_LIFETIME_SCALE", default_value_t = 1.0, value_parser = lifetime::parse_scale)]
    lifetime_scale: f64,
}

#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Stop(#[from] StopError),
    #[error(transparent)]
    Random(#[from] RandomError),
    #[error("cannot listen on {address} ({option}; is another server running there?)")]
    Port { address: SocketAddrV4, option: &'static str, source: std::io::Error },
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dev-clickhouse: {}", with_causes(&error));
            ExitCode::FAILURE
        }
    }
}

/// The error and what caused it, on one line.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Prepares everything, then hands this thread to the engine until a signal comes.
fn run(arguments: &Arguments) -> Result<(), RunError> {
    // Before any thread exists, so that every thread inherits the mask.
    stop::block_signals()?;
    let supervisor = Supervisor::new()?;
    let data = DataDirectory::open(&arguments.data)?;
    data.write_config(&arguments.config, &supervisor, arguments.memory_mib)?;
    check_port(arguments.listen, arguments.http_port, "--http-port")?;
    check_port(arguments.listen, arguments.tcp_port, "--tcp-port")?;
    let engine = Engine::load(&arguments.lib)?;
    let stop = stop::Fifo::create(&data.fifo())?;
    stop.close_on_signal();
    let server = Server::new(arguments.listen, arguments.http_port, supervisor);
    reload::spawn(server, arguments.lifetime_scale);
    engine.serve(
        &data.engine_arguments(arguments.listen, arguments.http_port, arguments.tcp_port),
        stop::was_requested,
    )?;
    Ok(())
}

/// The engine reports a taken port only in its log; this says it plainly.
fn check_port(listen: Ipv4Addr, port: u16, option: &'static str) -> Result<(), RunError> {
    let address = SocketAddrV4::new(listen, port);
    retry::until_free(|| TcpListener::bind(address)).map(drop).map_err(|source| RunError::Port {
        address,
        option,
        source,
    })
}
