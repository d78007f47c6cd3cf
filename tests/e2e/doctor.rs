//! "landfall doctor": an event through every region, what is wrong, and what to do about it.

use std::process::Output;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use xtask::stack::Stack;
use xtask::stack::feed::Service;
use xtask::stack::layout::Surroundings;
use xtask::stack::process::{self, Stop};

use crate::Test;
use crate::lab::{self, Lab};
use crate::operator::{bury_one, landfall, landfall_with, replay};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("a_whole_stack_is_healthy", a_whole_stack_is_healthy),
    ("a_clickhouse_that_is_away_is_named", a_clickhouse_that_is_away_is_named),
    ("a_site_that_no_region_may_store_is_named", a_site_that_no_region_may_store_is_named),
    ("two_examinations_at_once_do_not_disturb_each_other", two_examinations_at_once_do_not_disturb_each_other),
    ("a_refused_login_is_named_with_what_it_holds_up", a_refused_login_is_named_with_what_it_holds_up),
    ("a_dead_letter_comes_with_its_reason_and_the_command", a_dead_letter_comes_with_its_reason_and_the_command),
    ("a_dictionary_whose_feed_is_away_is_named", a_dictionary_whose_feed_is_away_is_named),
];

/// What doctor looks at in every region, in its order.
const CHECKS: [&str; 10] = [
    "accepted",
    "delivered",
    "queryable",
    "in the views",
    "booked",
    "waiting",
    "parked",
    "dead letters",
    "countries_dict",
    "user_segments_dict",
];
/// Enough for an event that gets through, the books included, also on a slow machine: it ends as soon as they have.
const PATIENCE_S: &str = "120";
/// Enough for the books of the region that is well, and for the collector to meet what is wrong with the other. It is waited to its end.
const LITTLE_PATIENCE_S: &str = "20";

fn a_whole_stack_is_healthy(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    forget_what_is_left(stack)?;
    let found = examine_in_peace(stack)?;
    ensure!(found.code == Some(0) && found.text.ends_with("\nhealthy\n"), "{found:?}");
    for region in ["eu", "us"] {
        let lines = found.lines_of(region)?;
        let positions: Vec<_> =
            CHECKS.iter().map(|check| lines.iter().position(|line| line.starts_with(check))).collect();
        ensure!(positions.iter().all(Option::is_some) && positions.is_sorted(), "expected {CHECKS:?}, found {found:?}");
        for hop in CHECKS.iter().take(5) {
            let line = lines.iter().find(|line| line.starts_with(hop)).context("a line")?;
            ensure!(line.ends_with(" ms"), "expected a time, found {line:?}");
        }
    }
    let sites = landfall(stack, &["sites", "list"], "")?;
    ensure!(
        !String::from_utf8_lossy(&sites.stdout).contains("doctor"),
        "expected doctor's sites to be gone: {sites:?}"
    );
    Ok(())
}

fn a_clickhouse_that_is_away_is_named(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    forget_what_is_left(stack)?;
    stack.stop_clickhouse(0, Stop::Clean)?;
    let found = examine(stack, LITTLE_PATIENCE_S);
    stack.start_clickhouse(0)?;
    let found = found?;
    found.expect_ill("eu", "delivered", "what it waits for is below")?;
    found.expect_ill("eu", "queryable", "start this ClickHouse")?;
    found.expect_ill("eu", "parked", "the collector cannot reach ClickHouse of eu")?;
    found.expect_well("us")?;
    // Others' events may wait in the batch of doctor's: its site must not keep them in the region.
    let listed = landfall(stack, &["sites", "list", "--json"], "")?;
    let sites: Vec<Value> = serde_json::from_slice(&listed.stdout)?;
    let left: Vec<&Value> =
        sites.iter().filter(|site| site["id"].as_str().is_some_and(|id| id.starts_with("landfall-doctor-"))).collect();
    let [site] = left[..] else { bail!("expected the site of eu alone to be left, found {left:?}") };
    ensure!(site["regions"] == json!([]) && site["status"] == "paused", "{site}");
    let id = site["id"].as_str().unwrap_or_default();
    let deleted = landfall(stack, &["sites", "delete", id], "")?;
    ensure!(deleted.status.success(), "{deleted:?}");
    Ok(())
}

fn a_site_that_no_region_may_store_is_named(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    forget_what_is_left(stack)?;
    lab::put_site(stack, &json!({"id": "lost", "domains": ["lost.example"], "regions": ["mars"]}))?;
    let found = examine(stack, PATIENCE_S)?;
    forget_what_is_left(stack)?;
    ensure!(
        found.code == Some(7)
            && found.text.starts_with("all regions\n  ! sites ")
            && found.text.contains("region: lost\n"),
        "{found:?}"
    );
    found.expect_well("eu")?;
    found.expect_well("us")
}

fn two_examinations_at_once_do_not_disturb_each_other(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    forget_what_is_left(stack)?;
    let both = std::thread::scope(|scope| {
        let stack: &Stack = stack;
        let other = scope.spawn(move || examine(stack, PATIENCE_S));
        [examine(stack, PATIENCE_S), other.join().unwrap_or_else(|_| bail!("expected no panic"))]
    });
    for found in both {
        let found = found?;
        ensure!(found.code == Some(0), "{found:?}");
    }
    Ok(())
}

/// The collector's password is wrong, doctor's is not: the batch is held, and drains when the secret is right again.
fn a_refused_login_is_named_with_what_it_holds_up(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let wrong = vec![("CLICKHOUSE_PASSWORD_US".to_owned(), "wrong".to_owned())];
    let surroundings = Surroundings { worker_variables: wrong, ..Surroundings::default() };
    lab::surrounded(stack, surroundings, |stack| {
        forget_what_is_left(stack)?;
        let found = examine(stack, LITTLE_PATIENCE_S)?;
        found.expect_well("eu")?;
        found.expect_ill("us", "delivered", "what it waits for is below")?;
        found.expect_ill("us", "parked", "npx wrangler secret put CLICKHOUSE_PASSWORD_US")?;
        let lines = found.lines_of("us")?;
        // The books of the region are held too, once they are due.
        ensure!(lines.iter().any(|line| line.contains("hold code 516: ") && line.contains(", 1 row,")), "{found:?}");
        Ok(())
    })?;
    let found = examine_in_peace(stack)?;
    ensure!(found.code == Some(0), "{found:?}");
    Ok(())
}

fn a_dead_letter_comes_with_its_reason_and_the_command(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    forget_what_is_left(stack)?;
    let endpoint = &stack.file.clickhouse[0];
    let from = endpoint.query("SELECT now('UTC')")?;
    let id = bury_one(stack, &from)?;
    let found = examine(stack, PATIENCE_S)?;
    let command = format!("landfall replay --url {} --from '", endpoint.url);
    found.expect_ill("eu", "dead letters", &command)?;
    found.expect_ill("eu", "dead letters", "code 69 ARGUMENT_OUT_OF_BOUND of column seq")?;
    found.expect_well("us")?;
    let advice = found.lines_of("eu")?.into_iter().find(|line| line.contains(&command)).context("the advice")?;
    let since = advice.split('\'').nth(1).context("a time in the advice")?;
    let replayed = replay(stack, &["--from", since])?;
    ensure!(replayed.status.success(), "expected the command to work as it is said, found {replayed:?}");
    let found = examine_in_peace(stack)?;
    let lines = found.lines_of("eu")?;
    ensure!(
        found.code == Some(0) && lines.iter().any(|line| line.ends_with("0 open of 30 days; 1 came in the last 24 h")),
        "{found:?}"
    );
    // Other tests narrow the column too, which fails as long as a row does not fit.
    let narrow =
        format!("ALTER TABLE ecommerce.events UPDATE seq = 1 WHERE event_id = '{id}' SETTINGS mutations_sync = 1");
    endpoint.query(&narrow).map(drop)
}

fn a_dictionary_whose_feed_is_away_is_named(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    forget_what_is_left(stack)?;
    let pid = stack.file.pids.feed_mut(Service::Countries).take().context("expected the feed to run")?;
    process::stop_how(pid, &stack.layout.dir, Stop::Kill);
    let reload = "SYSTEM RELOAD DICTIONARY ecommerce.countries_dict";
    // In every region: a server refreshes by itself too, and could be about to.
    let is_refreshed = stack.file.clickhouse.iter().any(|endpoint| endpoint.query(reload).is_ok());
    let found = examine(stack, PATIENCE_S);
    stack.start_feed(Service::Countries)?;
    ensure!(!is_refreshed, "expected every refresh to fail");
    let found = found?;
    for region in ["eu", "us"] {
        found.expect_ill(region, "countries_dict", reload)?;
    }
    // As the advice says.
    lab::wait_for("a refresh", 5, || lab::on_every_region(stack, reload).map(Some))?;
    let found = examine_in_peace(stack)?;
    ensure!(found.code == Some(0), "{found:?}");
    Ok(())
}

/// What doctor said.
#[derive(Debug)]
struct Found {
    code: Option<i32>,
    text: String,
}

impl Found {
    /// The lines of a region, without the mark and the space before it.
    fn lines_of(&self, region: &str) -> Result<Vec<&str>> {
        let head = format!("region {region}\n");
        let (_, rest) = self.text.split_once(&head).with_context(|| format!("expected {head:?} in {self:?}"))?;
        let own = rest.split("region ").next().unwrap_or_default();
        Ok(own.lines().map(|line| line.trim_start_matches([' ', '!'])).collect())
    }

    /// Checks that something is marked in a region, and that the advice behind it says what to do.
    fn expect_ill(&self, region: &str, check: &str, advice: &str) -> Result<()> {
        let lines = self.lines_of(region)?;
        let is_said = lines.windows(2).any(|pair| pair[0].starts_with(check) && pair[1].contains(advice));
        ensure!(self.code == Some(7) && is_said, "expected {check} of {region} with {advice:?}, found {self:?}");
        Ok(())
    }

    fn expect_well(&self, region: &str) -> Result<()> {
        let is_ill = self.lines_of(region)?.iter().any(|line| line.starts_with("->"));
        ensure!(!is_ill, "expected {region} to be well, found {self:?}");
        Ok(())
    }
}

/// Removes what tests before have left: dead letters, and a site that no region may store.
fn forget_what_is_left(stack: &Stack) -> Result<()> {
    let lost = landfall(stack, &["sites", "delete", "lost"], "")?;
    ensure!(matches!(lost.status.code(), Some(0 | 6)), "{lost:?}");
    lab::on_every_region(stack, "TRUNCATE TABLE ecommerce.dead_letters")
}

/// Examines a stack in which nothing is wrong any more, once nothing is parked.
fn examine_in_peace(stack: &Stack) -> Result<Found> {
    lab::wait_for("the collector's peace", 90, || {
        let readiness = lab::get(stack, "/readyz", &[])?.json()?;
        let is_idle = |region: &str| readiness["regions"][region]["parked"].as_array().is_some_and(Vec::is_empty);
        Ok((is_idle("eu") && is_idle("us")).then_some(()))
    })?;
    examine(stack, PATIENCE_S)
}

fn examine(stack: &Stack, patience_s: &str) -> Result<Found> {
    let addresses =
        stack.file.clickhouse.iter().map(|endpoint| format!("--clickhouse={}={}", endpoint.region, endpoint.url));
    let addresses: Vec<String> = addresses.collect();
    let mut arguments = vec!["doctor", "--patience", patience_s];
    arguments.extend(addresses.iter().map(String::as_str));
    let Output { status, stdout, stderr } =
        landfall_with(stack, &arguments, "", &stack.layout.secrets.clickhouse_reader)?;
    let error = String::from_utf8_lossy(&stderr);
    ensure!(matches!(status.code(), Some(0 | 7)), "expected an examination to its end, found {error}");
    Ok(Found { code: status.code(), text: String::from_utf8(stdout)? })
}
