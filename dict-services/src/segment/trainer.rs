//! Training on the events in ClickHouse.
//!
//! In scope: reading the history, one training with its promotion, the schedule.
//! Out of scope: how a model is fitted ([`crate::model::training`]).
//!
//! A training that fails or whose model is worse changes nothing that is served; `model_trained_seconds` then stays behind.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::source::{Source, SourceError, Span, Users};
use crate::clock;
use crate::metric::Metrics;
use crate::model::archive::{Archive, ArchiveError};
use crate::model::artefact::Model;
use crate::model::dataset::{HORIZON_DAYS, History, Sample, Window};
use crate::model::feature::Units;
use crate::model::promotion::Comparison;
use crate::model::training::{self, TooLittle};
use crate::segment::activity::{Activity, DAY_S};

/// After a training that failed, the next one comes this much later, or as scheduled if that is sooner.
pub const RETRY: Duration = Duration::from_mins(30);

/// A read of one window that takes longer has hung, whatever the server says.
pub const WINDOW_DEADLINE: Duration = Duration::from_mins(20);

/// Why there is no new model.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// ClickHouse could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Longer than [`WINDOW_DEADLINE`].
    #[error("expected the users of one window within {} s", WINDOW_DEADLINE.as_secs())]
    Deadline,
    /// There is too little to learn from: a new shop, not a fault.
    #[error(transparent)]
    TooLittle(#[from] TooLittle),
    /// The models on disk.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A bug: the training panicked.
    #[error("training stopped: {0}")]
    Panicked(#[from] tokio::task::JoinError),
}

/// How much a training looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Users per window. Of more, always the same are taken.
    pub max_users: u64,
    /// Past windows of 30 days with a known outcome.
    pub max_windows: u32,
}

/// What came of a training.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The new model.
    pub model: Model,
    /// Beside the one that was in use, if there was one.
    pub comparison: Option<Comparison>,
}

impl Outcome {
    /// Whether the new model is in use now.
    pub fn is_promoted(&self) -> bool {
        self.comparison.is_none_or(|comparison| !comparison.is_worse())
    }
}

/// What trainings work with.
#[derive(Clone)]
pub struct Trainer {
    /// Where activity comes from.
    pub source: Source,
    /// Where models are kept.
    pub archive: Archive,
    /// How much is looked at.
    pub extent: Extent,
}

impl Trainer {
    /// Trains forever: at once if the model in use is older than `every` or there is none, then on schedule.
    pub async fn run(self, every: Duration, metrics: Metrics) {
        loop {
            sleep(self.due_in(every)).await;
            let result = self.train(clock::unix_now()).await;
            let tag = tag(&result);
            metrics.trained(tag);
            match &result {
                Ok(outcome) => log(tag, &outcome.model),
                Err(TrainError::TooLittle(reason)) => {
                    tracing::info!(result = tag, %reason, "not trained, the rule judges");
                }
                Err(error) => tracing::warn!(result = tag, %error, "training failed, the model in use stays"),
            }
            match result {
                Ok(outcome) if outcome.is_promoted() => {}
                Ok(_) => sleep(every).await,
                Err(_) => sleep(RETRY.min(every)).await,
            }
        }
    }

    /// Time until the model in use is `every` old.
    fn due_in(&self, every: Duration) -> Duration {
        let model = self.archive.current().ok().flatten();
        let age = |model: Model| Duration::from_secs(clock::unix_now().saturating_sub(model.trained_at).into());
        model.map_or(Duration::ZERO, |model| every.saturating_sub(age(model)))
    }

    /// Trains on everything before `now`, unix seconds, keeps the model, and puts it into use unless it is worse.
    pub async fn train(&self, now: u32) -> Result<Outcome, TrainError> {
        // A damaged model in use cannot be compared with, and has to be replaced.
        let old = self.archive.current().unwrap_or_else(|error| {
            tracing::warn!(%error, "model in use not read");
            None
        });
        let history = self.read(now, old.as_ref()).await?;
        let version = self.archive.next_version()?;
        let outcome = tokio::task::spawn_blocking(move || fit(&history, old.as_ref(), version)).await??;
        self.archive.keep(&outcome.model)?;
        if outcome.is_promoted() {
            self.archive.promote(&outcome.model)?;
        }
        Ok(outcome)
    }

    /// Reads users now and at past cutoffs, as far back as there are events.
    async fn read(&self, now: u32, old: Option<&Model>) -> Result<History, TrainError> {
        let survey = timeout(WINDOW_DEADLINE, self.source.survey(now)).await.map_err(|_| TrainError::Deadline)??;
        let mut units = Units::new(survey.typical_orders);
        if let Some(old) = old {
            units = units.continuing(&old.units);
        }
        let span = Span { users: Users::about(self.extent.max_users, survey.users), ..Span::until(now) };
        let mut history = History { now: self.window(span, &units).await?, past: Vec::new(), units };
        for back in 1..=self.extent.max_windows {
            let cutoff = now.saturating_sub(back * HORIZON_DAYS * DAY_S);
            if survey.first_event == 0 || cutoff <= survey.first_event {
                break;
            }
            let span = Span { cutoff, next_days: HORIZON_DAYS, ..span };
            history.past.push(self.window(span, &history.units).await?);
        }
        Ok(history)
    }

    async fn window(&self, span: Span, units: &Units) -> Result<Window, TrainError> {
        let mut samples = Vec::new();
        let each = |activity: &Activity| {
            samples.push(Sample::of(activity, units, span.cutoff));
            Ok(())
        };
        timeout(WINDOW_DEADLINE, self.source.read(span, each)).await.map_err(|_| TrainError::Deadline)??;
        tracing::info!(cutoff = span.cutoff, users = samples.len(), "window read");
        Ok(Window { cutoff: span.cutoff, samples })
    }
}

fn fit(history: &History, old: Option<&Model>, version: u32) -> Result<Outcome, TooLittle> {
    let model = training::train(history, old, version)?;
    let comparison = old.map(|old| Comparison::of(&model, old, history));
    Ok(Outcome { model, comparison })
}

fn tag(result: &Result<Outcome, TrainError>) -> &'static str {
    match result {
        Ok(outcome) if outcome.is_promoted() => "promoted",
        Ok(_) => "worse",
        Err(TrainError::TooLittle(_)) => "too_little",
        Err(_) => "failed",
    }
}

fn log(tag: &'static str, model: &Model) {
    let holdout = &model.report.holdout;
    tracing::info!(
        result = tag,
        version = model.version,
        users = model.report.users,
        auc = holdout.auc,
        brier = holdout.brier,
        "trained"
    );
}
