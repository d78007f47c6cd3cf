//! `landfall migrate`. In scope: arguments and printing. Out of scope: the work (`landfall::migrate`).

use std::io::{self, Write};

use clap::Args;
use landfall::migrate::{self, MigrateError, Mode, Progress, Target};

use super::server;

/// Bring tables, dictionaries and views of one ClickHouse up to date.
///
/// Applies the schema files that this program carries, in order, and records each with its checksum in `ecommerce.schema_migrations`. Safe to
/// run again, to interrupt and to run twice at once. A file that was changed after it was applied is an error. The user must be allowed to create
/// databases, tables, dictionaries and views.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  landfall migrate
  landfall migrate --url http://127.0.0.1:8123 --user default --dry-run
  LANDFALL_CLICKHOUSE_PASSWORD=... landfall migrate \\
    --url https://eu.clickhouse.example:8443 --user admin")]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: server::Arguments,
    /// Print the statements that would run and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), MigrateError> {
    let target = arguments.server.target();
    let mode = if arguments.dry_run { Mode::DryRun } else { Mode::Apply };
    let mut out = io::stdout().lock();
    let summary = migrate::migrate(&target, mode, &mut |progress| {
        // A closed pipe must not stop a migration half way.
        let _ = print(&mut out, &target, mode, progress);
    })?;
    let verb = if arguments.dry_run { "due" } else { "applied" };
    let _ = writeln!(out, "{} {verb}, {} unchanged", files(summary.applied), summary.unchanged);
    Ok(())
}

fn print(out: &mut impl Write, target: &Target, mode: Mode, progress: Progress) -> io::Result<()> {
    match progress {
        Progress::Connected { unchanged, due } => {
            writeln!(out, "{} as {}: {} due, {unchanged} applied before", target.url, target.user, files(due))
        }
        Progress::Started { file, .. } if mode == Mode::DryRun => writeln!(out, "\n-- {file}"),
        Progress::Started { file, statements } => {
            write!(out, "  {file:<32} {statements} statement{}", if statements == 1 { " " } else { "s" })?;
            out.flush()
        }
        Progress::Statement { sql } if mode == Mode::DryRun => writeln!(out, "{sql};\n"),
        Progress::Statement { .. } => Ok(()),
        Progress::Applied { elapsed, .. } => writeln!(out, "  {} ms", elapsed.as_millis()),
    }
}

fn files(count: usize) -> String {
    format!("{count} file{}", if count == 1 { "" } else { "s" })
}
