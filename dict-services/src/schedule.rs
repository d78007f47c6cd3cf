//! Refreshing forever.
//!
//! In scope: when the next refresh is due, what a finished one counts and logs.
//! Out of scope: what a refresh does. A refresh that fails changes nothing that is served; it lets `snapshot_age_seconds` grow.

use std::error::Error;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::entries::Entries;
use crate::feed::Feed;
use crate::metric::Metrics;

/// First retry while nothing is loaded; doubles up to the interval.
pub const FIRST_RETRY: Duration = Duration::from_secs(1);

/// What a good refresh found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// An entry changed: a new snapshot is served.
    Changed,
    /// The source says what is served already.
    Unchanged,
}

/// Why a refresh kept the old snapshot.
pub trait RefreshError: Error {
    /// Whether the source answered, with content that must not be served. It does not pass by itself: somebody should look.
    fn is_suspicious(&self) -> bool;
}

/// Refreshes every `every`. Until something is loaded it retries quickly, so that a service that started before its source is ready
/// soon after it.
pub async fn run<E: Entries, X: RefreshError, F: Future<Output = Result<Refreshed, X>>>(
    feed: &Feed<E>,
    metrics: &Metrics,
    every: Duration,
    mut refresh: impl FnMut() -> F,
) {
    let mut retry = FIRST_RETRY;
    loop {
        let started = Instant::now();
        let result = refresh().await;
        report(E::FEED, &result, started.elapsed().as_secs_f64(), metrics);
        if feed.snapshot().is_some() {
            sleep(every).await;
        } else {
            sleep(retry.min(every)).await;
            retry = (retry * 2).min(every);
        }
    }
}

fn report<X: RefreshError>(feed: &str, result: &Result<Refreshed, X>, seconds: f64, metrics: &Metrics) {
    let tag = match result {
        Ok(Refreshed::Changed) => "changed",
        Ok(Refreshed::Unchanged) => "unchanged",
        Err(error) if error.is_suspicious() => "suspicious",
        Err(_) => "failed",
    };
    metrics.refreshed(tag, seconds);
    match result {
        Ok(_) => tracing::info!(feed, result = tag, seconds, "refreshed"),
        Err(error) if error.is_suspicious() => {
            tracing::error!(feed, result = tag, seconds, %error, "refresh refused, the last good snapshot stays");
        }
        Err(error) => {
            tracing::warn!(feed, result = tag, seconds, %error, "refresh failed, the last good snapshot stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FIRST_RETRY, RefreshError, Refreshed, run};
    use crate::country::Countries;
    use crate::feed::Feed;
    use crate::metric::Metrics;
    use std::sync::Mutex;
    use std::time::Duration;
    use tokio::time::{Instant, timeout};

    const EVERY: Duration = Duration::from_secs(100);

    #[derive(Debug, thiserror::Error)]
    #[error("no")]
    struct Refused {
        is_suspicious: bool,
    }

    impl RefreshError for Refused {
        fn is_suspicious(&self) -> bool {
            self.is_suspicious
        }
    }

    /// When refreshes started, in seconds, if the third one is the first good one.
    async fn starts(feed: &Feed<Countries>, metrics: &Metrics, is_suspicious: bool) -> Vec<u64> {
        let (began, starts) = (Instant::now(), Mutex::new(Vec::new()));
        let refresh = || async {
            let mut starts = starts.lock().unwrap();
            starts.push(began.elapsed().as_secs());
            if starts.len() < 3 {
                return Err(Refused { is_suspicious });
            }
            feed.publish(Countries::vendored().unwrap(), 0).unwrap();
            Ok(Refreshed::Changed)
        };
        timeout(EVERY * 3 / 2, run(feed, metrics, EVERY, refresh)).await.unwrap_err();
        starts.into_inner().unwrap()
    }

    fn value(metrics: &Metrics, name: &str) -> String {
        let text = metrics.render("countries", None).unwrap();
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.rsplit(' ').next()).unwrap_or_else(|| panic!("expected {name} in {text}")).to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn it_retries_quickly_until_something_is_loaded() {
        let metrics = Metrics::default();
        let first = FIRST_RETRY.as_secs();
        assert_eq!(starts(&Feed::default(), &metrics, false).await, [0, first, 3 * first, 3 * first + 100]);
        assert_eq!(value(&metrics, "refreshes_total{feed=\"countries\",result=\"failed\""), "2");
        assert_eq!(value(&metrics, "refresh_failures_in_a_row"), "0");
    }

    #[tokio::test(start_paused = true)]
    async fn a_suspicious_refresh_is_counted_as_such_and_not_hurried() {
        let (feed, metrics) = (Feed::default(), Metrics::default());
        feed.publish(Countries::vendored().unwrap(), 0).unwrap();
        assert_eq!(starts(&feed, &metrics, true).await, [0, 100]);
        assert_eq!(value(&metrics, "refreshes_total{feed=\"countries\",result=\"suspicious\""), "2");
        assert_eq!(value(&metrics, "refresh_failures_in_a_row"), "2");
    }
}
