//! The command line of `cargo xtask`: one enum, one match.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use xtask::stack::{self, Options, Stack};
use xtask::{bench, build, chaos, check, demo, interrupt, shop, test, update_data};

/// Build, run, test and check Landfall from a clone.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    after_help = "Examples:\n  cargo xtask demo\n  cargo xtask up --regions eu,us\n  cargo xtask down\n  cargo xtask test"
)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Start everything with simulated shoppers and live counts, until Ctrl-C
    #[command(
        after_help = "Examples:\n  cargo xtask demo\n  cargo xtask demo --seconds 60 --dir /tmp/demo --port-base 21000"
    )]
    Demo {
        #[command(flatten)]
        place: Place,
        /// Stop after this many seconds instead of at Ctrl-C
        #[arg(long)]
        seconds: Option<u64>,
    },
    /// Start the stack in the background; on a folder that has one, start what is not running
    #[command(
        after_help = "Examples:\n  cargo xtask up\n  cargo xtask up --regions eu,us --dir /tmp/second --port-base 21000"
    )]
    Up {
        #[command(flatten)]
        place: Place,
    },
    /// Stop the stack of a folder; its data stays
    #[command(after_help = "Example:\n  cargo xtask down --dir /tmp/second")]
    Down {
        /// The stack's folder [default: .landfall in the clone]
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Run every test, the ones against the real stack included
    #[command(after_help = "Examples:\n  cargo xtask test\n  cargo xtask test --e2e delivery")]
    Test {
        /// Only the tests against the real stack
        #[arg(long)]
        e2e: bool,
        /// A part of the names of tests against the real stack; flags behind -- go to the test binary
        filter: Vec<String>,
    },
    /// Break the stack under a steady load and account for every event
    #[command(
        after_help = "Examples:\n  cargo xtask chaos\n  cargo xtask chaos --faults kill-workerd,reset-after-body --events 20000\n  cargo xtask chaos --faults random --random-seconds 600 --seed 7"
    )]
    Chaos(chaos::Options),
    /// Check format, lints, docs, licences, spelling and scripts
    #[command(after_help = "Example:\n  cargo xtask check")]
    Check,
    /// Build the Worker and print its size and start time
    #[command(after_help = "Examples:\n  cargo xtask build-worker\n  cargo xtask build-worker --quick")]
    BuildWorker {
        /// Build only; measure nothing (what wrangler calls)
        #[arg(long)]
        quick: bool,
    },
    /// Measure the budgets of the design on the real parts and print a table per suite
    #[command(after_help = "Examples:\n  cargo xtask bench\n  cargo xtask bench size pipeline\n  \
                      cargo xtask bench accuracy --corpora ../corpora --misses\n\n\
                      A missed budget is printed and is no error, for it depends on the machine; a missed bar of the accuracy suite is one.")]
    Bench(bench::Args),
    /// Turn pinned registry packages into the tables of the user-agent crate
    #[command(after_help = "Examples:\n  cargo xtask update-data\n  cargo xtask update-data --check")]
    UpdateData(update_data::Args),
    /// Serve the sample shop (started by up)
    #[command(hide = true)]
    ServeShop {
        #[arg(long)]
        listen: String,
        #[arg(long)]
        collector: String,
        /// Names the stack that this process belongs to
        #[arg(long)]
        stack: PathBuf,
    },
}

#[derive(Args)]
struct Place {
    /// Regions, each with a ClickHouse of its own, separated by commas [default: eu]
    #[arg(long, value_delimiter = ',')]
    regions: Option<Vec<String>>,
    /// Where data, logs and stack.json go [default: .landfall in the clone]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// First of a block of 32 ports [default: 8787 collector, 8123/9000 ClickHouse, 8091, 8092 feeds, 8080 shop]
    #[arg(long)]
    port_base: Option<u16>,
}

impl Place {
    fn options(self) -> Options {
        Options { dir: self.dir.unwrap_or_else(stack::default_dir), regions: self.regions, port_base: self.port_base }
    }
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            if interrupt::is_requested() { ExitCode::from(130) } else { ExitCode::FAILURE }
        }
    }
}

fn run(task: Task) -> Result<()> {
    // The shop is a server of its own: a signal just ends it.
    if !matches!(task, Task::ServeShop { .. }) {
        interrupt::listen();
    }
    match task {
        Task::Demo { place, seconds } => demo::run(&place.options(), seconds),
        Task::Up { place } => {
            build::all()?;
            Stack::up(&place.options())?.print();
            Ok(())
        }
        Task::Down { dir } => stack::down(&dir.unwrap_or_else(stack::default_dir)),
        Task::Test { e2e, filter } => test::run(&filter, e2e),
        Task::Chaos(options) => {
            build::all()?;
            chaos::command(&options)
        }
        Task::Check => check::run(),
        Task::BuildWorker { quick } => {
            build::worker()?;
            if quick { Ok(()) } else { build::size::print() }
        }
        Task::Bench(args) => bench::run(&args),
        Task::UpdateData(args) => update_data::run(&args),
        Task::ServeShop { listen, collector, stack: _ } => shop::serve(&listen, &collector),
    }
}
