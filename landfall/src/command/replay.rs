//! `landfall replay`. In scope: arguments and printing. Out of scope: the work (`landfall::replay`).

use std::fs::File;
use std::io::{self, LineWriter, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use landfall::replay::{self, Choice, Fate, Mode, Order, Receipt, ReplayError, Source};
use serde_json::json;
use uuid::Uuid;

use super::{interrupt, server};

const PROGRESS_EVERY: Duration = Duration::from_secs(2);
/// The rest is in the receipts and in the count.
const MAX_REFUSED_SHOWN: u64 = 20;

/// Bring dead letters, or rows from files, back into `ecommerce.events`.
///
/// Run it when what made ClickHouse refuse the rows is mended. A row that is in the table already is skipped, so it is safe to run again and to
/// interrupt; while one is at work on a ClickHouse, another is refused. Rows go into the table as they are, past the collector: they have been through
/// its checks, and carry what only the edge knew. They are checked again as far as a row can fail: columns and identity here, values by ClickHouse.
///
/// Files hold one row a line, as `SELECT * FROM ecommerce.events FORMAT JSONEachRow` writes them. The user must be allowed to read
/// `ecommerce.events`, `ecommerce.dead_letters` and `ecommerce.replay_claims`, and to insert into the first and the last.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  export LANDFALL_CLICKHOUSE_PASSWORD=...
  landfall replay --url https://eu.clickhouse.example:8443 --dry-run
  landfall replay --url https://eu.clickhouse.example:8443 \\
    --from 2026-11-20 --to '2026-11-21 12:00:00' --site shop
  landfall replay --url https://eu.clickhouse.example:8443 \\
    --region eu --receipt receipt.ndjson rows.ndjson

Exit codes: 0 every row is in the table, 8 some were refused, 10 another replay is at work,
130 interrupted; others as in landfall --help")]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: server::Arguments,
    /// Rows of these files instead of dead letters
    #[arg(conflicts_with_all = ["from", "to", "site"])]
    files: Vec<PathBuf>,
    /// Dead letters stored at or after this time, UTC: YYYY-MM-DD or 'YYYY-MM-DD hh:mm:ss'
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Dead letters stored before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Dead letters of this site
    #[arg(long)]
    site: Option<String>,
    /// Refuse rows of any other region: they must not leave theirs
    #[arg(long)]
    region: Option<String>,
    /// Write what became of each row to this file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Check and look up, but change nothing
    #[arg(long)]
    dry_run: bool,
    /// Go on in place of a replay that was killed, whose claim this is
    #[arg(long, value_name = "ID", conflicts_with = "dry_run")]
    break_claim: Option<Uuid>,
}

/// What ended the command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error("cannot write {path}: {source}")]
    Receipt { path: PathBuf, source: io::Error },
    #[error("{0} rows were refused")]
    Refused(u64),
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mode = if arguments.dry_run { Mode::DryRun } else { Mode::Insert };
    let unwritable = |source| Failure::Receipt { path: arguments.receipt.clone().unwrap_or_default(), source };
    let file = arguments.receipt.as_ref().map(File::create).transpose().map_err(unwritable)?;
    let mut view = View::new(file);
    let order = Order {
        region: arguments.region.as_deref(),
        mode,
        broken_claim: arguments.break_claim,
        is_interrupted: interrupt::listen(),
    };
    let replayed =
        replay::replay(&arguments.server.target(), &arguments.source(), &order, &mut |receipt| view.show(&receipt));
    // Also after an error: what was done until then is done.
    let refused = view.finish(mode).map_err(unwritable)?;
    replayed?;
    if refused == 0 { Ok(()) } else { Err(Failure::Refused(refused)) }
}

impl Arguments {
    fn source(&self) -> Source {
        if self.files.is_empty() {
            let (from, to, site) = (self.from.clone(), self.to.clone(), self.site.clone());
            Source::DeadLetters(Choice { from, to, site })
        } else {
            Source::Files(self.files.clone())
        }
    }
}

/// Progress, refused rows and receipts.
struct View {
    inserted: u64,
    present: u64,
    refused: u64,
    unsure: u64,
    next_progress: Instant,
    /// Written line by line, so that an interrupted replay leaves a receipt for every row whose fate is known.
    file: Option<LineWriter<File>>,
    /// The first error of the file; the rows go on.
    unwritable: Option<io::Error>,
}

impl View {
    fn new(file: Option<File>) -> Self {
        let file = file.map(LineWriter::new);
        let next_progress = Instant::now() + PROGRESS_EVERY;
        Self { inserted: 0, present: 0, refused: 0, unsure: 0, next_progress, file, unwritable: None }
    }

    fn show(&mut self, receipt: &Receipt) {
        let mut reason = None;
        match &receipt.fate {
            Fate::Inserted => self.inserted += 1,
            Fate::Present => self.present += 1,
            Fate::Unsure => self.unsure += 1,
            Fate::Refused(text) => {
                self.refused += 1;
                reason = Some(text);
            }
        }
        if let Some(reason) = reason.filter(|_| self.refused <= MAX_REFUSED_SHOWN) {
            eprintln!("refused {}: {reason}", receipt.origin);
        }
        let id = receipt.event_id.map(|id| id.to_string());
        let line = json!({"event_id": id, "origin": receipt.origin, "outcome": receipt.fate.tag(), "reason": reason});
        if let Some(file) = &mut self.file
            && let Err(error) = writeln!(file, "{line}")
        {
            self.unwritable.get_or_insert(error);
        }
        if Instant::now() > self.next_progress {
            eprintln!("{}", self.sentence(Mode::Insert));
            self.next_progress = Instant::now() + PROGRESS_EVERY;
        }
    }

    /// Prints the sums; how many rows were refused.
    fn finish(mut self, mode: Mode) -> io::Result<u64> {
        println!("{}", self.sentence(mode));
        if let Some(file) = &mut self.file {
            file.flush()?;
        }
        self.unwritable.map_or(Ok(self.refused), Err)
    }

    fn sentence(&self, mode: Mode) -> String {
        let verb = if mode == Mode::DryRun { "would be inserted" } else { "inserted" };
        let rows = if self.inserted == 1 { "row" } else { "rows" };
        let unsure = if self.unsure == 0 { String::new() } else { format!(", {} unsure", self.unsure) };
        format!("{} {rows} {verb}, {} present already, {} refused{unsure}", self.inserted, self.present, self.refused)
    }
}
