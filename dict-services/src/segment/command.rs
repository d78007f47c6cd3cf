//! `dict-services segments train | score | explain`: the model by hand.
//!
//! In scope: flags, what the commands print.
//! Out of scope: serving; a running service takes a promoted model at its next refresh.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::activity::Activity;
use super::explanation;
use super::judge::Judge;
use super::rule::{PPM, Placement};
use super::source::{SourceError, Span, Users};
use super::table::Segment;
use super::trainer::{Extent, TrainError, Trainer};
use crate::clock;
use crate::config::{SourceArgs, parse_time};
use crate::entries::Defect;
use crate::model::archive::{Archive, ArchiveError};

/// Entries are written in pieces of about this size.
const PIECE_BYTES: usize = 64 * 1024;
/// Progress is told every so many users.
const PROGRESS_USERS: u64 = 1_000_000;

const EXAMPLES: &str = "\
The password of --clickhouse-user comes from CLICKHOUSE_PASSWORD.

Examples:
  dict-services segments train --data-dir data --clickhouse-url http://localhost:8123
  dict-services segments train --data-dir backtest --clickhouse-url http://localhost:8123 --as-of '2026-09-01 00:00:00'
  dict-services segments score --data-dir data --clickhouse-url http://localhost:8123 > segments.jsonl
  dict-services segments explain 42 --data-dir data --clickhouse-url http://localhost:8123";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a model, keep it, and put it into use unless it is worse than the one in use
    #[command(after_help = EXAMPLES)]
    Train(TrainArgs),
    /// Judge every user and write JSON lines to standard output
    #[command(after_help = EXAMPLES)]
    Score(ModelArgs),
    /// Tell why a user has the segment and the score
    #[command(after_help = EXAMPLES)]
    Explain(ExplainArgs),
}

/// Where events and models are.
#[derive(Debug, Args)]
pub struct ModelArgs {
    /// Folder with the models, the same as for user-segments
    #[arg(long, env = "FEED_DATA_DIR", value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Where the events are.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Act as if it were this time, UTC: events after it are not looked at
    #[arg(long, value_name = "YYYY-MM-DD hh:mm:ss", value_parser = parse_time)]
    pub as_of: Option<u32>,
}

/// How much a training looks at.
#[derive(Clone, Copy, Debug, Args)]
pub struct ExtentArgs {
    /// Users that a training looks at per window, in memory at 150 bytes each; of more, always the same are taken
    #[arg(long, env = "FEED_TRAIN_USERS", value_name = "USERS", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1_000..=10_000_000))]
    pub train_users: u64,
    /// Past windows of 30 days that the score learns from
    #[arg(long, env = "FEED_TRAIN_WINDOWS", value_name = "WINDOWS", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=11))]
    pub train_windows: u32,
}

impl From<ExtentArgs> for Extent {
    fn from(args: ExtentArgs) -> Self {
        Self { max_users: args.train_users, max_windows: args.train_windows }
    }
}

/// Flags of `train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Common flags.
    #[command(flatten)]
    pub model: ModelArgs,
    /// How much is looked at.
    #[command(flatten)]
    pub extent: ExtentArgs,
}

/// Flags of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The user
    #[arg(value_name = "USER_ID")]
    pub user_id: u64,
    /// Common flags.
    #[command(flatten)]
    pub model: ModelArgs,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// No new model.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// ClickHouse could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The models on disk.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Standard output.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
    /// No such user.
    #[error("expected a user with events in the last 365 days that are not a bot's, found none of user {0}")]
    NoSuchUser(u64),
}

/// Runs one command.
pub async fn run(command: Command) -> Result<(), CommandError> {
    match command {
        Command::Train(args) => train(args).await,
        Command::Score(args) => score(&args).await,
        Command::Explain(args) => explain(&args).await,
    }
}

async fn train(args: TrainArgs) -> Result<(), CommandError> {
    let archive = Archive::open(&args.model.data_dir)?;
    let trainer = Trainer { source: args.model.source.open(), archive, extent: args.extent.into() };
    let outcome = trainer.train(args.model.now()).await?;
    explanation::write_outcome(&outcome, &mut io::stdout().lock())?;
    Ok(())
}

async fn score(args: &ModelArgs) -> Result<(), CommandError> {
    let judge = args.judge()?;
    let (now, segments) = (args.now(), judge.segments());
    let mut out = BufWriter::with_capacity(PIECE_BYTES, io::stdout());
    let (mut users, mut failed) = (0_u64, None);
    let each = |activity: &Activity| {
        let written = write_line(activity.user_id, judge.judge(activity, now), &segments, &mut out);
        users += 1;
        if users.is_multiple_of(PROGRESS_USERS) {
            tracing::info!(users, "judged");
        }
        written.map_err(|error| {
            let defect = Defect::new("standard output", "a reader", &error);
            failed = Some(error);
            defect
        })
    };
    let read = args.source.open().read(Span::until(now), each).await;
    if let Some(error) = failed {
        return Err(error.into());
    }
    read?;
    out.flush()?;
    tracing::info!(users, model_version = judge.model().map_or(0, |model| model.version), "judged all users");
    Ok(())
}

/// Writes what the feed would serve, without what only a feed knows.
fn write_line(user_id: u64, placement: Placement, segments: &[Segment], out: &mut impl Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        user_id: u64,
        segment_id: u16,
        segment_name: &'a str,
        score: f64,
        confidence: f64,
    }
    let segment = segments.iter().find(|segment| segment.id == placement.segment_id);
    let share = |ppm: u32| f64::from(ppm) / f64::from(PPM);
    let line = Line {
        user_id,
        segment_id: placement.segment_id,
        segment_name: segment.map_or("", |segment| &segment.name),
        score: share(placement.score_ppm),
        confidence: share(placement.confidence_ppm),
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

async fn explain(args: &ExplainArgs) -> Result<(), CommandError> {
    let judge = args.model.judge()?;
    let now = args.model.now();
    let span = Span { users: Users::One(args.user_id), ..Span::until(now) };
    let mut found = None;
    let keep = |activity: &Activity| {
        found = Some(activity.clone());
        Ok(())
    };
    args.model.source.open().read(span, keep).await?;
    let activity = found.ok_or(CommandError::NoSuchUser(args.user_id))?;
    explanation::write(&judge, &activity, now, &mut io::stdout().lock())?;
    Ok(())
}

impl ModelArgs {
    fn now(&self) -> u32 {
        self.as_of.unwrap_or_else(clock::unix_now)
    }

    fn judge(&self) -> Result<Judge, CommandError> {
        Ok(Archive::open(&self.data_dir)?.current()?.into())
    }
}
