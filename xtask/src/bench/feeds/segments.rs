//! Segments through ClickHouse. In scope: a million users from events to a served feed; time and memory of each step. Out of scope: how good the
//! segments are (docs/segments.md).

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::super::figure::{Budget, Figure, float};
use super::super::lab::Lab;
use super::process::{self, Run, Usage};
use super::service::Service;
use crate::stack::{self, feed};
use crate::{paths, step};

pub(in crate::bench) const METHOD: &str = "a year of generated events in one embedded ClickHouse, from it `dict-services segments train` on every user in 4 windows, \
    `segments score`, and a service's first refresh; ClickHouse shares the cores, and its time is not in the CPU time";

/// How many users by default.
pub(in crate::bench) const USERS: u32 = 1_000_000;
/// Of each INSERT, so that progress is seen.
const USERS_PER_INSERT: u32 = 50_000;
const MAX_TRAIN: Duration = Duration::from_hours(1);
const MAX_SCORE: Duration = Duration::from_mins(20);
const MAX_REFRESH: Duration = Duration::from_mins(20);

pub(in crate::bench) fn measure(users: u32) -> Result<Vec<Figure>> {
    let mut lab = Lab::start()?;
    // The stack's own feed would read the same users every few seconds.
    if let Some(pid) = lab.stack.file.pids.feed_mut(feed::Service::UserSegments).take() {
        stack::process::stop(pid, &lab.stack.layout.dir);
    }
    generate(&lab, users)?;
    let folder = lab.folder().join("segments");
    let mut figures = vec![
        Figure::new("users", float(users), "", Budget::None),
        Figure::new("  events", lab.events()?, "", Budget::None),
    ];
    figures.extend(train(&lab, &folder, users)?);
    figures.extend(score(&lab, &folder, users)?);
    figures.extend(refresh(&lab, &folder, users)?);
    let clickhouse = lab.clickhouse().pid.context("expected ClickHouse to run")?;
    let peak = Usage::of(clickhouse)?.peak_bytes / 1e6;
    figures.push(Figure::new("ClickHouse, peak memory of all of this", peak, "MB", Budget::None));
    Ok(figures)
}

fn generate(lab: &Lab, users: u32) -> Result<()> {
    step::step(&format!("generating the events of {users} users"), || {
        for first in (0..users).step_by(USERS_PER_INSERT as usize) {
            lab.clickhouse().query(&events(first, USERS_PER_INSERT.min(users - first)))?;
        }
        Ok(())
    })
}

/// Eight kinds of users, an eighth each: how many visits, between how many days ago, how often with a cart and an order (per cent). A visit is two
/// to four events, and its hash decides everything about it. Everybody was here in the last 360 days.
fn events(first: u32, count: u32) -> String {
    format!(
        "INSERT INTO ecommerce.events (event_id, site_id, event_type, timestamp, received_at, visitor_id, user_id, session_id, product_id, \
         order_id, quantity, revenue, currency) \
         SELECT generateUUIDv4(), 'bench', event, moment, moment, user, user, visit_id, if(event = 'page_view', NULL, 1 + luck % 1000), \
         if(event = 'purchase', visit_id, ''), event IN ('add_to_cart', 'purchase'), \
         if(event = 'purchase', toDecimal64(5 + intDiv(luck, 1000) % 150, 4), 0), if(event = 'purchase', 'EUR', '') \
         FROM (SELECT user, concat(toString(user), '-', toString(visit)) AS visit_id, cityHash64(user, visit) AS luck, \
             [0, 0, 200, 60, 0, 0, 0, 0][kind] AS latest, [360, 360, 360, 300, 30, 360, 360, 60][kind] AS earliest, \
             [60, 40, 50, 40, 50, 10, 5, 70][kind] AS carts, [40, 25, 40, 30, 30, 1, 1, 8][kind] AS orders, \
             now64(3, 'UTC') - toIntervalSecond(86400 * latest + luck % (86400 * (earliest - latest))) AS moment, \
             arrayJoin(arrayConcat(['page_view', 'product_view'], if(cityHash64(luck, 'cart') % 100 < carts, ['add_to_cart'], []), \
                 if(cityHash64(luck, 'order') % 100 < orders, ['purchase'], []))) AS event \
             FROM (SELECT 1 + number AS user, 1 + cityHash64(number, 'kind') % 8 AS kind, \
                 arrayJoin(range([16, 10, 6, 8, 2, 6, 1, 4][kind])) AS visit FROM numbers({first}, {count})))"
    )
}

/// `dict-services segments COMMAND` on everything.
fn command(lab: &Lab, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(paths::program("dict-services"));
    command
        .arg("segments")
        .args(arguments)
        .args(["--clickhouse-url", &lab.clickhouse().url, "--data-dir"])
        .arg(folder)
        .env("CLICKHOUSE_PASSWORD", &lab.stack.layout.secrets.clickhouse_reader)
        .stdin(Stdio::null());
    command
}

fn train(lab: &Lab, folder: &Path, users: u32) -> Result<Vec<Figure>> {
    // The number of users is estimated, and a training on all is wanted.
    let all = (2 * users).to_string();
    let mut training = command(lab, folder, &["train", "--train-users", &all]);
    Ok(figures("training on all of them", &process::run("training", &mut training, MAX_TRAIN)?))
}

fn score(lab: &Lab, folder: &Path, users: u32) -> Result<Vec<Figure>> {
    let path = lab.folder().join("scores.jsonl");
    let mut scoring = command(lab, folder, &["score"]);
    let run = process::run("scoring", scoring.stdout(File::create(&path)?), MAX_SCORE)?;
    let lines = BufReader::new(File::open(&path)?).lines().count();
    ensure!(lines == users as usize, "expected a score of each of {users} users, found {lines}");
    Ok(figures("scoring all of them", &run))
}

/// From the start to the first answer: there is no snapshot yet, so everybody is read and judged.
fn refresh(lab: &Lab, folder: &Path, users: u32) -> Result<Vec<Figure>> {
    let url = &lab.clickhouse().url;
    let service = step::step("a service's first refresh", || Service::serve(lab, folder, url, MAX_REFRESH))?;
    let rows = BufReader::new(service.get("user-segments").text()?.as_bytes()).lines().count();
    ensure!(rows == users as usize + 1, "expected every user and the anonymous ones, found {rows}");
    Ok(figures("first refresh of a service", &Run { seconds: service.start_s, usage: service.memory()? }))
}

fn figures(what: &str, run: &Run) -> Vec<Figure> {
    vec![
        Figure::new(what, run.seconds, "s", Budget::None),
        Figure::new("  CPU time", run.usage.cpu_s, "s", Budget::None),
        Figure::new("  peak memory", run.usage.peak_bytes / 1e6, "MB", Budget::None),
    ]
}
