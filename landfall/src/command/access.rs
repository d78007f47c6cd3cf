//! How a command reaches the collector. In scope: the arguments that every such command has, and where the token comes from.

use std::path::{Path, PathBuf};

use clap::Args;
use landfall::collector::{Access, Collector, CollectorError};

/// A variable and no argument: arguments show in process lists.
const TOKEN_VARIABLE: &str = "LANDFALL_ADMIN_TOKEN";

#[derive(Args, Debug)]
#[group(skip)]
pub(crate) struct Arguments {
    /// The collector's base URL, with its path prefix if it has one
    #[arg(long, global = true, env = "LANDFALL_COLLECTOR_URL", default_value = "http://127.0.0.1:8787")]
    url: String,
    /// File that holds the Worker's `ADMIN_TOKEN` [default: the variable `LANDFALL_ADMIN_TOKEN`]
    #[arg(long, global = true, value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
}

/// Why there is no way to the collector.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccessError {
    #[error(
        "expected the admin token in the variable {TOKEN_VARIABLE} or a file named by --admin-token-file, found {0}"
    )]
    Token(String),
    #[error(transparent)]
    Collector(#[from] CollectorError),
}

impl Arguments {
    /// The collector; nothing is sent yet.
    pub(crate) fn open(&self) -> Result<Collector, AccessError> {
        open(&self.url, self.admin_token_file.as_deref())
    }
}

/// The collector at a URL; nothing is sent yet.
pub(crate) fn open(url: &str, admin_token_file: Option<&Path>) -> Result<Collector, AccessError> {
    Ok(Collector::new(&Access { url: url.to_owned(), admin_token: token(admin_token_file)? })?)
}

fn token(file: Option<&Path>) -> Result<String, AccessError> {
    let token = match file {
        Some(file) => {
            std::fs::read_to_string(file).map_err(|error| AccessError::Token(format!("{}: {error}", file.display())))?
        }
        None => std::env::var(TOKEN_VARIABLE).map_err(|_| AccessError::Token("neither".to_owned()))?,
    };
    let token = token.trim();
    let is_header_value = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_header_value { Ok(token.to_owned()) } else { Err(AccessError::Token("no token in it".to_owned())) }
}
