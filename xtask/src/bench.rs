//! `cargo xtask bench`: the budgets of the design, measured on the real parts.
//!
//! In scope: which suites there are, running them, one table each. Out of scope: passing or failing a build by time: a budget is a
//! ratio to look at, so a missed one is said and not an error. Accuracy does not depend on the machine, so there it is.
//!
//! Everything runs on this machine beside the load that it is measured with. Compare figures of one run only.

mod accuracy;
mod collector;
mod cost;
mod event;
mod feeds;
mod figure;
mod lab;
mod load;
mod pipeline;
mod runtime;
mod size;
mod storage;
mod user_agent;

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::interrupt;
use figure::Figure;

/// What `cargo xtask bench` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to measure [default: every suite that needs no --corpora]
    suites: Vec<Suite>,
    /// Folder of labelled user agents and referrers as JSON lines, which are no part of the clone
    #[arg(long, value_name = "DIR")]
    corpora: Option<PathBuf>,
    /// How many users the segments suite generates
    #[arg(long, value_name = "USERS", default_value_t = feeds::segments::USERS, value_parser = clap::value_parser!(u32).range(10_000..=10_000_000))]
    users: u32,
    /// Print every miss of the accuracy suite
    #[arg(long)]
    misses: bool,
}

/// A group of figures that are measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Bytes of the beacon script and of the Worker, and the Worker's start over a no-op Worker
    Size,
    /// Events per second of the pipeline on one core, CPU per beacon of the Worker in workerd
    Pipeline,
    /// Durable events per second, rows per INSERT, time until an event can be queried
    Collector,
    /// Bytes per stored event, materialized views against the raw table
    Storage,
    /// The user-segments feed with 10 million users: rows per second, memory, lookups, ClickHouse's load
    Feeds,
    /// Segments of a million users through ClickHouse: training, scoring, a service's first refresh; time and memory
    Segments,
    /// Agreement with uaparser, crawlers found, false positives, channels; fails below its bars (needs --corpora)
    Accuracy,
    /// Time and memory of a user agent in Wasm, beside uaparser (needs --corpora)
    UserAgent,
    /// Dollars per million events at 1, 10, 100 and 1,000 events per second
    Cost,
}

impl Suite {
    const fn needs_corpora(self) -> bool {
        matches!(self, Self::Accuracy | Self::UserAgent)
    }

    /// How the figures are taken, for whoever reads them.
    const fn method(self) -> &'static str {
        match self {
            Self::Size => size::METHOD,
            Self::Pipeline => pipeline::METHOD,
            Self::Collector => collector::METHOD,
            Self::Storage => storage::METHOD,
            Self::Feeds => feeds::METHOD,
            Self::Segments => feeds::segments::METHOD,
            Self::Accuracy => accuracy::METHOD,
            Self::UserAgent => user_agent::METHOD,
            Self::Cost => cost::METHOD,
        }
    }

    fn measure(self, args: &Args) -> Result<Vec<Figure>> {
        match self {
            Self::Size => size::measure(),
            Self::Pipeline => pipeline::measure(),
            Self::Collector => collector::measure(),
            Self::Storage => storage::measure(),
            Self::Feeds => feeds::measure(),
            Self::Segments => feeds::segments::measure(args.users),
            Self::Accuracy => accuracy::measure(args.corpora()?, args.misses),
            Self::UserAgent => user_agent::measure(args.corpora()?),
            Self::Cost => cost::measure(),
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

impl Args {
    fn corpora(&self) -> Result<&std::path::Path> {
        match &self.corpora {
            Some(folder) => Ok(folder),
            None => bail!("expected --corpora DIR, which this suite reads, found none"),
        }
    }

    fn suites(&self) -> Vec<Suite> {
        if !self.suites.is_empty() {
            return self.suites.clone();
        }
        Suite::value_variants()
            .iter()
            .copied()
            .filter(|suite| self.corpora.is_some() || !suite.needs_corpora())
            .collect()
    }
}

/// Runs the suites one after another and prints a table for each.
pub fn run(args: &Args) -> Result<()> {
    let suites = args.suites();
    if let Some(suite) = suites.iter().find(|suite| suite.needs_corpora() && args.corpora.is_none()) {
        bail!("expected --corpora DIR for the suite {}, found none", suite.name());
    }
    let mut tables = Vec::new();
    for (position, suite) in suites.iter().enumerate() {
        interrupt::check()?;
        println!("\n== {} ({} of {}) ==", suite.name(), position + 1, suites.len());
        let figures = suite.measure(args)?;
        let table = format!("\n{}\n{}\n{}", suite.name(), suite.method(), figure::table(&figures));
        println!("{table}");
        tables.push((*suite, figures, table));
    }
    if tables.len() > 1 {
        println!("\n== all tables ==");
        for (_, _, table) in &tables {
            println!("{table}");
        }
    }
    let missed = tables.iter().filter(|(suite, _, _)| *suite == Suite::Accuracy).flat_map(|(_, figures, _)| figures);
    match missed.filter(|figure| figure.is_missed()).count() {
        0 => Ok(()),
        count => bail!("expected every bar of the accuracy suite to be reached, found {count} missed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_corpora_the_suites_that_need_them_are_left_out() {
        let args = |suites: &[Suite]| Args {
            suites: suites.to_vec(),
            corpora: None,
            users: feeds::segments::USERS,
            misses: false,
        };
        assert!(args(&[]).suites().iter().all(|suite| !suite.needs_corpora()));
        let error = run(&args(&[Suite::Accuracy])).expect_err("no corpora").to_string();
        assert_eq!(error, "expected --corpora DIR for the suite accuracy, found none");
    }
}
