//! Keeping the table fresh.
//!
//! In scope: one refresh and its safety checks.
//! Out of scope: HTTP, the schedule ([`crate::schedule`]), training ([`super::trainer`]).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::activity::Activity;
use super::judge::Judge;
use super::source::{Source, SourceError, Span};
use super::succession::Succession;
use super::table::Table;
use crate::clock;
use crate::entries::Defect;
use crate::model::archive::{Archive, ArchiveError};
use crate::route::Shell;
use crate::schedule::{self, Refreshed};
use crate::store::Store;

/// A refresh that takes longer has hung.
pub const REFRESH_DEADLINE: Duration = Duration::from_mins(15);
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
    /// The model in use could not be read. The rule must not take over in silence.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
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

impl schedule::RefreshError for RefreshError {
    fn is_suspicious(&self) -> bool {
        match self {
            Self::Source(SourceError::Row(_)) | Self::Defect(_) | Self::Archive(_) | Self::Shrunk { .. } => true,
            Self::Source(SourceError::ClickHouse { .. }) | Self::Deadline => false,
        }
    }
}

/// What a refresh works with.
pub struct Refresher {
    /// What is served.
    pub shell: Arc<Shell<Table>>,
    /// Where activity comes from.
    pub source: Source,
    /// Where the snapshot is kept.
    pub store: Arc<Store<Table>>,
    /// Where the model in use is.
    pub archive: Archive,
    /// Share of users that may vanish in one refresh.
    pub max_shrink_percent: u8,
}

impl Refresher {
    /// One refresh within [`REFRESH_DEADLINE`].
    pub async fn refresh(&self) -> Result<Refreshed, RefreshError> {
        timeout(REFRESH_DEADLINE, self.refresh_at(clock::unix_now())).await.unwrap_or(Err(RefreshError::Deadline))
    }

    async fn refresh_at(&self, now: u32) -> Result<Refreshed, RefreshError> {
        let judge = Judge::from(self.archive.current()?);
        let previous = self.shell.feed.snapshot();
        let mut succession = Succession::new(previous.as_deref(), judge.segments(), now);
        let each = |activity: &Activity| succession.push(activity.user_id, judge.judge(activity, now));
        self.source.read(Span::until(now), each).await?;
        let (table, is_changed) = succession.finish();
        if let Some(previous) = &previous {
            check_shrink(previous.live_users(), table.live_users(), self.max_shrink_percent)?;
        }
        self.shell.metrics.judged_by(judge.model());
        if !is_changed {
            self.shell.feed.confirm(clock::unix_now());
            return Ok(Refreshed::Unchanged);
        }
        // Published before it is on disk: a change must get its time when readers can see it, not before the write.
        let published_at = clock::unix_now();
        let table = self.shell.feed.publish(table, published_at)?;
        self.shell.metrics.count_segments(table.count_by_segment());
        self.save(table, published_at).await;
        Ok(Refreshed::Changed)
    }

    async fn save(&self, table: Arc<Table>, published_at: u32) {
        let (shell, store) = (Arc::clone(&self.shell), Arc::clone(&self.store));
        let saved = tokio::task::spawn_blocking(move || shell.save(&store, &table, published_at)).await;
        if let Err(error) = saved {
            tracing::error!(%error, "snapshot not written to disk");
        }
    }
}

fn check_shrink(before: usize, after: usize, limit_percent: u8) -> Result<(), RefreshError> {
    let kept_percent = 100_usize.saturating_sub(limit_percent.into());
    if before >= MIN_GUARDED_USERS && after * 100 < before * kept_percent {
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
        assert!(check_shrink(199, 99, 50).is_err(), "not only full hundreds count");
        assert!(check_shrink(1_000, 0, 100).is_ok());
        assert!(check_shrink(99, 0, 50).is_ok());
        assert!(check_shrink(1_000, 2_000, 0).is_ok());
    }
}
