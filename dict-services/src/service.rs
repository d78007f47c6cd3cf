//! Starting a service: tokens, the last good snapshot, the refresh, the listener.
//!
//! In scope: wiring, in the order that serves soonest.
//! Out of scope: everything that is wired.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{self, CountriesArgs, ServeArgs, Service, UserSegmentsArgs};
use crate::country::upstream::{Upstream, UpstreamError};
use crate::country::{self, Countries};
use crate::entries::{Defect, Entries};
use crate::model::archive::{Archive, ArchiveError};
use crate::route::{self, Shell};
use crate::segment::command::{self, CommandError};
use crate::segment::refresh::Refresher;
use crate::segment::table::Table;
use crate::segment::trainer::Trainer;
use crate::store::{Store, StoreError};
use crate::tls::{self, TlsError};
use crate::token::{TokenError, Tokens};
use crate::{clock, schedule, server};

/// Why a service could not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// No usable token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The vendored data is wrong.
    #[error("vendored data: {0}")]
    Vendored(#[from] Defect),
    /// The certificate or its key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The client for the upstream.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The models on disk.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A command about segments.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The socket or the signals.
    #[error("listening: {0}")]
    Listen(#[from] std::io::Error),
}

/// Runs one service until it is told to stop.
pub async fn run(service: Service) -> Result<(), ServiceError> {
    match service {
        Service::Countries(args) => countries(args).await,
        Service::UserSegments(args) => user_segments(args).await,
        Service::Segments { command } => Ok(command::run(command).await?),
    }
}

async fn countries(args: CountriesArgs) -> Result<(), ServiceError> {
    let (shell, store) = open::<Countries>(&args.serve)?;
    let vendored = Countries::vendored()?;
    let Some(url) = args.upstream_url else {
        publish_vendored(&shell, &store, vendored)?;
        return listen(&args.serve, shell).await;
    };
    // What an earlier run fetched goes on being served until the upstream says otherwise, unless this build knows better.
    let is_served =
        shell.feed.snapshot().is_some_and(|served| country::refresh::check_plausible(&served, &vendored).is_ok());
    if !is_served {
        publish_vendored(&shell, &store, vendored.clone())?;
    }
    let upstream = Upstream::new(url, config::secret("UPSTREAM_TOKEN"))?;
    let refresher = country::refresh::Refresher { shell: Arc::clone(&shell), upstream, store, vendored };
    let every = Duration::from_secs(args.upstream_interval_s);
    let refreshing = tokio::spawn(async move {
        schedule::run(&refresher.shell.feed, &refresher.shell.metrics, every, || refresher.refresh()).await;
    });
    let result = listen(&args.serve, shell).await;
    refreshing.abort();
    result
}

/// Serves the built-in data. Only countries that differ from what an earlier build published count as changed now.
fn publish_vendored(shell: &Shell<Countries>, store: &Store<Countries>, vendored: Countries) -> Result<(), Defect> {
    let current = match shell.feed.snapshot() {
        Some(previous) => vendored.succeeding(&previous),
        None => vendored,
    };
    let now = clock::unix_now();
    let published = shell.feed.publish(current, now)?;
    shell.save(store, &published, now);
    Ok(())
}

async fn user_segments(args: UserSegmentsArgs) -> Result<(), ServiceError> {
    let (shell, store) = open::<Table>(&args.serve)?;
    if let Some(table) = shell.feed.snapshot() {
        shell.metrics.count_segments(table.count_by_segment());
    }
    let source = args.source.open();
    let archive = Archive::open(&args.serve.data_dir)?;
    let trainer = Trainer { source: source.clone(), archive: archive.clone(), extent: args.extent.into() };
    let training = tokio::spawn(trainer.run(Duration::from_secs(args.train_interval_s), shell.metrics.clone()));
    let refresher = Refresher {
        shell: Arc::clone(&shell),
        source,
        archive,
        store: Arc::new(store),
        max_shrink_percent: args.max_shrink_percent,
    };
    let every = Duration::from_secs(args.refresh_interval_s);
    let refreshing = tokio::spawn(async move {
        schedule::run(&refresher.shell.feed, &refresher.shell.metrics, every, || refresher.refresh()).await;
    });
    let result = listen(&args.serve, shell).await;
    training.abort();
    refreshing.abort();
    result
}

/// Makes a shell that serves the last good snapshot, if there is one.
fn open<E: Entries>(args: &ServeArgs) -> Result<(Arc<Shell<E>>, Store<E>), ServiceError> {
    let list = config::secret("FEED_TOKENS");
    let tokens = Tokens::parse(list.as_deref(), args.insecure_no_token)?;
    let store: Store<E> = Store::open(&args.data_dir)?;
    let shell = Arc::new(Shell::new(tokens));
    match store.load() {
        Ok(Some((entries, confirmed_at))) => {
            let entries = shell.feed.restore(entries, confirmed_at)?;
            tracing::info!(feed = E::FEED, entries = entries.len(), confirmed_at, "serving the last good snapshot");
        }
        Ok(None) => tracing::info!(feed = E::FEED, "no snapshot on disk"),
        // The next good refresh replaces it; until then the feed answers 503, as without a file.
        Err(error) => tracing::warn!(feed = E::FEED, %error, "snapshot on disk not used"),
    }
    Ok((shell, store))
}

async fn listen<E: Entries>(args: &ServeArgs, shell: Arc<Shell<E>>) -> Result<(), ServiceError> {
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => Some(tls::acceptor(certificate, key)?),
        _ => None,
    };
    if tls.is_none() && !args.listen.ip().is_loopback() {
        tracing::warn!(
            "no --tls-cert: tokens and entries cross the network in clear, unless a proxy before this adds TLS"
        );
    }
    let stop = server::stop_signal()?;
    let listener = server::bind(args.listen).await?;
    server::serve(listener, tls, route::router(shell), stop, server::SHUTDOWN_GRACE).await;
    Ok(())
}
