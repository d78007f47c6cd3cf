//! Keeping the table fresh.
//!
//! In scope: one refresh, its safety checks, the schedule.
//! Out of scope: HTTP. A failed refresh changes nothing that is served; it only lets `snapshot_age_seconds` grow.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout};

use super::{
    rule,
    source::{Source, SourceError, Span},
    succession::Succession,
    table::Table,
};
use crate::{clock, entries::Defect, route::Shell, store::Store};

/// A refresh that takes longer has hung.
pub const REFRESH_DEADLINE: Duration = Duration::from_mins(15);
/// First retry while nothing is loaded; doubles up to the interval.
pub const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Below this many users a large share can vanish in the normal course.
pub const MIN_GUARDED_USERS: usize = 100;

/// Why a refresh was not published.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// ClickHouse could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The new table must not be served.
    #[error("new table: {0}")]
    Defect(#[from] Defect),
    /// More users vanished than `--max-shrink-percent` allows.
    #[error("expected at most {limit_percent} % fewer users, found {after} after {before}")]
    Shrunk {
        /// Live users now served.
        before: usize,
        /// Live users read.
        after: usize,
        /// The limit.
        limit_percent: u8,
    },
    /// Longer than [`REFRESH_DEADLINE`].
    #[error("expected an answer within {} s", REFRESH_DEADLINE.as_secs())]
    Deadline,
}

/// What a refresh works with.
pub struct Refresher {
    /// What is served.
    pub shell: Arc<Shell<Table>>,
    /// Where activity comes from.
    pub source: Source,
    /// Where the snapshot is kept.
    pub store: Arc<Store<Table>>,
    /// Time from one refresh to the next.
    pub every: Duration,
    /// Share of users that may vanish in one refresh.
    pub max_shrink_percent: u8,
}

impl Refresher {
    /// Refreshes forever. Until something is loaded it retries quickly, so that a service that started before its ClickHouse is
    /// ready soon after it.
    pub async fn run(self) {
        let mut retry = FIRST_RETRY;
        loop {
            let started = Instant::now();
            let result = timeout(REFRESH_DEADLINE, self.refresh()).await.unwrap_or(Err(RefreshError::Deadline));
            let seconds = started.elapsed().as_secs_f64();
            let tag = match &result {
                Ok(true) => "changed",
                Ok(false) => "unchanged",
                Err(_) => "failed",
            };
            self.shell.metrics.refreshed(tag, seconds);
            match &result {
                Ok(_) => tracing::info!(result = tag, seconds, "refreshed"),
                Err(error) => tracing::warn!(result = tag, seconds, %error, "refresh failed, serving what is loaded"),
            }
            if self.shell.feed.snapshot().is_some() {
                sleep(self.every).await;
            } else {
                sleep(retry.min(self.every)).await;
                retry = (retry * 2).min(self.every);
            }
        }
    }

    /// One refresh. Returns whether an entry changed.
    pub async fn refresh(&self) -> Result<bool, RefreshError> {
        let now = clock::unix_now();
        let previous = self.shell.feed.snapshot();
        let mut succession = Succession::new(previous.as_deref(), rule::segments(), now);
        let span = Span::until(now);
        self.source.read(span, |activity| succession.push(activity.user_id, rule::judge(activity, now))).await?;
        let (table, is_changed) = succession.finish();
        if let Some(previous) = &previous {
            check_shrink(previous.live_users(), table.live_users(), self.max_shrink_percent)?;
        }
        if !is_changed {
            self.shell.feed.confirm(clock::unix_now());
            return Ok(false);
        }
        // Published before it is on disk: a change must get its time when readers can see it, not before the write.
        let published_at = clock::unix_now();
        let table = self.shell.feed.publish(table, published_at)?;
        self.shell.metrics.count_segments(table.count_by_segment());
        self.save(table, published_at).await;
        Ok(true)
    }

    /// Writes the snapshot. A full disk must not stop the feed: it costs the quick start, not the data.
    async fn save(&self, table: Arc<Table>, published_at: u32) {
        let store = Arc::clone(&self.store);
        let saved = tokio::task::spawn_blocking(move || store.save(&table, published_at)).await;
        let error = match saved {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        self.shell.metrics.store_failed();
        tracing::error!(error, "snapshot not written to disk");
    }
}

fn check_shrink(before: usize, after: usize, limit_percent: u8) -> Result<(), RefreshError> {
    let kept_percent = 100_usize.saturating_sub(limit_percent.into());
    if before >= MIN_GUARDED_USERS && after < before / 100 * kept_percent {
        return Err(RefreshError::Shrunk { before, after, limit_percent });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_shrink;

    #[test]
    fn a_table_that_shrinks_too_much_is_refused() {
        assert!(check_shrink(1_000, 500, 50).is_ok());
        assert!(check_shrink(1_000, 499, 50).is_err());
        assert!(check_shrink(1_000, 0, 100).is_ok());
        assert!(check_shrink(99, 0, 50).is_ok());
        assert!(check_shrink(1_000, 2_000, 0).is_ok());
    }
}
