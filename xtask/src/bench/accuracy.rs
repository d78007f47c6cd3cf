//! How good the answers are. In scope: the bars for crawlers, user agents and channels; counting user agents is
//! `user-agent/examples/accuracy.rs`, channels are asked of the real Worker.

mod channel;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::figure::{Budget, Figure, float};
use crate::{paths, step, tool, update_data};

pub(super) const METHOD: &str = "per cent of the labelled cases in --corpora; uaparser runs on uap-core's regexes.yaml; \
    channels are those of the rows that the Worker in workerd shows for each referrer";

const MAX_BUILD_MINUTES: u64 = 20;

/// What must hold, in per cent.
const BARS: [(&str, Budget); 6] = [
    ("crawlers found", Budget::AtLeast(98.5)),
    ("crawlers found, modern", Budget::AtLeast(97.5)),
    ("humans flagged, all, modern", Budget::AtMost(0.10)),
    ("humans flagged, top-user-agents", Budget::AtMost(0.0)),
    ("as uaparser, ua_cases", Budget::AtLeast(100.0)),
    (channel::NAME, Budget::AtLeast(100.0)),
];

/// So many of so many cases.
struct Count {
    name: String,
    part: u64,
    whole: u64,
}

pub(super) fn measure(corpora: &Path, prints_misses: bool) -> Result<Vec<Figure>> {
    let mut counts = count_user_agents(corpora, prints_misses)?;
    counts.push(channel::count(corpora)?);
    judge(&counts)
}

/// Every count with its bar; a bar without a count is an error, since it would hold in silence.
fn judge(counts: &[Count]) -> Result<Vec<Figure>> {
    for (name, _) in BARS {
        let count = counts.iter().find(|count| count.name == name).filter(|count| count.whole > 0);
        count.with_context(|| format!("expected cases for {name:?}, found none"))?;
    }
    let bar = |name: &str| BARS.iter().find(|(other, _)| *other == name).map_or(Budget::None, |(_, budget)| *budget);
    Ok(counts
        .iter()
        .map(|Count { name, part, whole }| {
            let share = 100.0 * float(*part) / float(*whole);
            Figure::new(format!("{name} ({part} of {whole})"), share, "%", bar(name))
        })
        .collect())
}

fn count_user_agents(corpora: &Path, prints_misses: bool) -> Result<Vec<Count>> {
    let run = ["--locked", "-p", "user-agent", "--profile", "stack", "--example", "accuracy"];
    let mut build = Command::new("cargo");
    build.arg("build").args(run).current_dir(paths::root());
    step::run("building the comparison with uaparser", &mut build, MAX_BUILD_MINUTES)?;
    let regexes = update_data::regexes_yaml()?;
    let report = step::step("user agents (some minutes: uaparser is slow)", || {
        let mut cargo = Command::new("cargo");
        cargo.arg("run").arg("--quiet").args(run).arg("--").arg("--corpora").arg(corpora.canonicalize()?);
        cargo.arg("--regexes").arg(regexes).args(prints_misses.then_some("--misses"));
        tool::output(cargo.current_dir(paths::root()).stderr(std::process::Stdio::inherit()))
    })?;
    report
        .lines()
        .map(|line| parse(line).with_context(|| format!("expected name, part and whole, found {line:?}")))
        .collect()
}

fn parse(line: &str) -> Option<Count> {
    let mut cells = line.split('\t');
    let count =
        Count { name: cells.next()?.to_owned(), part: cells.next()?.parse().ok()?, whole: cells.next()?.parse().ok()? };
    cells.next().is_none().then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(part: u64) -> Vec<Count> {
        BARS.iter().map(|(name, _)| Count { name: (*name).to_owned(), part, whole: 1_000 }).collect()
    }

    #[test]
    fn a_count_below_its_bar_is_a_miss() {
        let missed =
            |part| judge(&counts(part)).expect("every bar has a count").iter().filter(|it| it.is_missed()).count();
        assert_eq!(missed(1_000), 2, "the two bars for false positives");
        assert_eq!(missed(0), 4, "the other four");
    }

    #[test]
    fn a_bar_without_cases_is_an_error() {
        let mut some = counts(1);
        some.pop();
        assert!(judge(&some).is_err());
    }

    #[test]
    fn a_line_is_one_count() {
        let count = parse("humans flagged, all\t3\t38893").expect("a count");
        assert_eq!((count.name.as_str(), count.part, count.whole), ("humans flagged, all", 3, 38_893));
        assert!(parse("done").is_none());
    }
}
