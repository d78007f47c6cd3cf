//! Flags and environment of the services.
//!
//! In scope: parsing and its errors. Secrets come from the environment only: `ps` shows flags.
//! Out of scope: what is done with them.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use reqwest::Url;

use crate::clock;
use crate::segment::command::{Command, ExtentArgs};
use crate::segment::source::Source;

/// Longest time between refreshes: a day.
const MAX_REFRESH_S: u64 = 86_400;
/// Longest time between trainings: a quarter.
const MAX_TRAIN_S: u64 = 90 * 86_400;

const SECRETS: &str = "\
Secrets (environment only, never flags):
  FEED_TOKENS          accepted bearer tokens, comma separated; list the old and the new one while you rotate
  CLICKHOUSE_PASSWORD  password of --clickhouse-user
  UPSTREAM_TOKEN       bearer token for --upstream-url
Log level: RUST_LOG, for example RUST_LOG=debug

Examples:
  FEED_TOKENS=secret dict-services countries --listen 127.0.0.1:8091 --data-dir data
  FEED_TOKENS=secret dict-services countries --listen 0.0.0.0:8091 --data-dir data --tls-cert feed.pem --tls-key feed.key \\
      --upstream-url https://data.example/countries.jsonl
  FEED_TOKENS=old,new CLICKHOUSE_PASSWORD=p dict-services user-segments --listen 127.0.0.1:8092 --data-dir data \\
      --clickhouse-url http://eu.internal:8123,http://us.internal:8123 --clickhouse-user reader
  curl -H 'Authorization: Bearer secret' 'http://127.0.0.1:8091/countries?compression=zstd' | zstd -d";

/// Feeds that ClickHouse HTTP dictionaries load.
#[derive(Debug, Parser)]
#[command(version, after_help = SECRETS)]
pub struct Cli {
    /// How log lines look, on standard error
    #[arg(long, env = "FEED_LOG_FORMAT", value_enum, default_value = "text", global = true)]
    pub log_format: LogFormat,
    /// Which feed to serve.
    #[command(subcommand)]
    pub service: Service,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// One service.
#[derive(Debug, Subcommand)]
pub enum Service {
    /// Serve GET /countries: ISO 3166-1 codes, names, continents, population
    #[command(after_help = SECRETS)]
    Countries(CountriesArgs),
    /// Serve GET /user-segments: the segment of each user, refreshed from ClickHouse
    #[command(after_help = SECRETS)]
    UserSegments(UserSegmentsArgs),
    /// Train the segment model, judge users with it, explain a judgement
    Segments {
        /// What to do.
        #[command(subcommand)]
        command: Command,
    },
}

/// What every service needs.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address to listen on; port 0 takes a free one and logs it
    #[arg(long, env = "FEED_LISTEN", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// Folder for the last good snapshot
    #[arg(long, env = "FEED_DATA_DIR", value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Certificate chain in PEM, own certificate first: serve HTTPS instead of HTTP
    #[arg(long, env = "FEED_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of --tls-cert in PEM
    #[arg(long, env = "FEED_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Serve anybody when there are no tokens, instead of refusing to start
    #[arg(long)]
    pub insecure_no_token: bool,
}

/// What countries needs besides.
#[derive(Debug, Args)]
pub struct CountriesArgs {
    /// Common flags.
    #[command(flatten)]
    pub serve: ServeArgs,
    /// Where newer countries come from, one JSON object per line as this feed writes them; the built-in ones are served without it
    #[arg(long, env = "UPSTREAM_URL", value_name = "URL", value_parser = parse_upstream)]
    pub upstream_url: Option<Url>,
    /// Seconds from one fetch of --upstream-url to the next
    #[arg(long, env = "UPSTREAM_REFRESH_INTERVAL_S", value_name = "SECONDS", default_value_t = MAX_REFRESH_S, value_parser = clap::value_parser!(u64).range(1..=MAX_REFRESH_S))]
    pub upstream_interval_s: u64,
}

/// Where the events are.
#[derive(Debug, Args)]
pub struct SourceArgs {
    /// ClickHouse HTTP URL; several regions comma separated, their users are merged
    #[arg(long, env = "CLICKHOUSE_URL", value_name = "URL", value_delimiter = ',', required = true, value_parser = parse_url)]
    pub clickhouse_url: Vec<String>,
    /// ClickHouse user that may read ecommerce.events
    #[arg(long, env = "CLICKHOUSE_USER", value_name = "USER", default_value = "reader")]
    pub clickhouse_user: String,
    /// Only events of this site: user ids of different sites are different people
    #[arg(long, env = "FEED_SITE", value_name = "SITE")]
    pub site: Option<String>,
}

impl SourceArgs {
    /// The servers to read from; the password comes from the environment.
    pub fn open(&self) -> Source {
        let password = secret("CLICKHOUSE_PASSWORD").unwrap_or_default();
        Source::new(&self.clickhouse_url, &self.clickhouse_user, &password, self.site.clone())
    }
}

/// What user-segments needs besides.
#[derive(Debug, Args)]
pub struct UserSegmentsArgs {
    /// Common flags.
    #[command(flatten)]
    pub serve: ServeArgs,
    /// Where the events are.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Seconds from one refresh to the next
    #[arg(long, env = "FEED_REFRESH_INTERVAL_S", value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=MAX_REFRESH_S))]
    pub refresh_interval_s: u64,
    /// Refuse a refresh in which more than this share of the users vanished
    #[arg(long, env = "FEED_MAX_SHRINK_PERCENT", value_name = "PERCENT", default_value_t = 50, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub max_shrink_percent: u8,
    /// Seconds from one training of the model to the next
    #[arg(long, env = "FEED_TRAIN_INTERVAL_S", value_name = "SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(u64).range(60..=MAX_TRAIN_S))]
    pub train_interval_s: u64,
    /// How much a training looks at.
    #[command(flatten)]
    pub extent: ExtentArgs,
}

/// Parses the URL of a ClickHouse server.
pub fn parse_url(text: &str) -> Result<String, String> {
    let url = text.trim_end_matches('/');
    let has_host = |scheme: &str| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty());
    if !has_host("http://") && !has_host("https://") {
        return Err("expected http://HOST:PORT or https://HOST:PORT".to_owned());
    }
    if url.contains('@') {
        return Err("expected no credentials in the URL (it is logged); use --clickhouse-user and CLICKHOUSE_PASSWORD"
            .to_owned());
    }
    Ok(url.to_owned())
}

/// Parses a time in UTC, to unix seconds.
pub fn parse_time(text: &str) -> Result<u32, String> {
    clock::parse_utc(text).ok_or_else(|| "expected YYYY-MM-DD hh:mm:ss, in UTC".to_owned())
}

fn parse_upstream(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("expected a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("expected http or https, found {}", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("expected no credentials in the URL (ps shows it); use UPSTREAM_TOKEN".to_owned());
    }
    Ok(url)
}

/// A secret from the environment, `None` if it is not set.
pub fn secret(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::{Cli, Service, parse_upstream, parse_url};
    use clap::{CommandFactory, Parser};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn regions_are_comma_separated() {
        let line =
            "dict-services user-segments --listen 127.0.0.1:0 --data-dir d --clickhouse-url http://a:1,http://b:2/";
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let Service::UserSegments(args) = cli.service else {
            panic!("expected user-segments");
        };
        assert_eq!(args.source.clickhouse_url, ["http://a:1", "http://b:2"]);
        assert_eq!(args.refresh_interval_s, 60);
        assert!(!args.serve.insecure_no_token);
    }

    #[test]
    fn a_url_that_cannot_work_is_refused_at_start() {
        for wrong in ["", "localhost:8123", "http://", "ftp://a", "http://user:secret@a:8123"] {
            assert!(parse_url(wrong).is_err(), "{wrong:?}");
        }
        assert!(parse_url("https://a").is_ok());
        for wrong in ["", "data.example/c", "file:///etc/passwd", "https://user:secret@data.example/"] {
            assert!(parse_upstream(wrong).is_err(), "{wrong:?}");
        }
        assert!(parse_upstream("https://data.example/countries.jsonl?v=2").is_ok());
    }

    #[test]
    fn a_certificate_needs_its_key() {
        let line = "dict-services countries --listen 127.0.0.1:0 --data-dir d --tls-cert feed.pem";
        assert!(Cli::try_parse_from(line.split(' ')).is_err());
        assert!(Cli::try_parse_from(line.split(' ').chain(["--tls-key", "feed.key"])).is_ok());
    }
}
