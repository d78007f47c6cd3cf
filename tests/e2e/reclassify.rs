//! "Verdicts can be given again": stored events are judged by new rules, beside the events, and back.

use std::process::Output;

use anyhow::{Context, Result, ensure};
use collector_core::site::Sites;
use landfall::connection::Target;
use landfall::reclassify::{self, Choice, Mode, Progress, ReclassifyError};
use serde_json::{Value, json};
use xtask::stack::Stack;
use xtask::stack::clickhouse::Endpoint;

use crate::Test;
use crate::lab::{self, Lab};
use crate::operator::landfall_with;

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("new_rules_are_shown_applied_once_and_taken_back", new_rules_are_shown_applied_once_and_taken_back),
    ("the_newest_run_decides_and_goes_first", the_newest_run_decides_and_goes_first),
    ("a_run_that_another_overtakes_changes_nothing", a_run_that_another_overtakes_changes_nothing),
    ("a_run_that_was_interrupted_is_not_seen", a_run_that_was_interrupted_is_not_seen),
    ("rules_on_what_is_not_stored_leave_events_as_they_are", rules_on_what_is_not_stored_leave_events_as_they_are),
    ("a_reader_may_look_and_not_apply", a_reader_may_look_and_not_apply),
];

const CRAWLER: &str =
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)";

/// A site with events of its own: a purchase of two items and a view on the same page, a view elsewhere, a crawler.
struct Shop<'s> {
    stack: &'s Stack,
    id: String,
    purchase: String,
    crawler: String,
    elsewhere: String,
}

impl<'s> Shop<'s> {
    fn open(stack: &'s Stack) -> Result<Self> {
        let [purchase, crawler, elsewhere] = [lab::event_id(), lab::event_id(), lab::event_id()];
        let shop = Self { stack, id: format!("judged-{}", lab::event_id()), purchase, crawler, elsewhere };
        shop.rule(&json!([]))?;
        let view = |id: &str, path: &str| json!({"event_id": id, "event_type": "page_view", "page_url": format!("https://judged.example{path}")});
        let purchase = json!({"event_id": shop.purchase, "event_type": "purchase", "page_url": "https://judged.example/farm",
            "order_id": "o'1\\", "revenue": "129.50", "currency": "EUR", "items": [
                {"product_id": 1, "quantity": 1, "unit_price": "100"}, {"product_id": 2, "quantity": 1, "unit_price": "29.50"}]});
        let events = json!([purchase, view(&lab::event_id(), "/farm"), view(&shop.elsewhere, "/")]);
        let people = lab::send(stack, &json!({"site": shop.id, "events": events}))?;
        ensure!(people.outcomes()? == ["accepted"; 3], "{people:?}");
        let body = json!({"site": shop.id, "events": [view(&shop.crawler, "/")]}).to_string();
        let crawler = lab::post(stack, "/v1/events", body.as_bytes(), &[("User-Agent", CRAWLER)])?;
        ensure!(crawler.outcomes()? == ["flagged"], "{crawler:?}");
        lab::expect_events(stack, &format!("site_id = '{}'", shop.id), 6, 15)?;
        Ok(shop)
    }

    /// Gives the site other rules.
    fn rule(&self, rules: &Value) -> Result<()> {
        let home = &self.home().region;
        let settings = json!({"id": self.id, "domains": ["judged.example"], "regions": [home], "rules": rules});
        lab::put_site(self.stack, &settings)
    }

    fn home(&self) -> &'s Endpoint {
        &self.stack.file.clickhouse[0]
    }

    /// Runs the command on the site's events and expects it to succeed; what it prints.
    fn reclassify(&self, more: &[&str]) -> Result<String> {
        let output = self.run(&[&self.choice()?.iter().map(String::as_str).collect::<Vec<_>>()[..], more].concat())?;
        ensure!(output.status.success(), "{output:?}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn choice(&self) -> Result<Vec<String>> {
        let days = self.home().query("SELECT toString(yesterday()), toString(today() + 2)")?;
        let (from, to) = days.split_once('\t').context("two days")?;
        Ok(["--from", from, "--to", to, "--site", &self.id].map(str::to_owned).to_vec())
    }

    fn run(&self, arguments: &[&str]) -> Result<Output> {
        let Endpoint { url, user, password, .. } = self.home();
        landfall_with(self.stack, &[&["reclassify", "--url", url, "--user", user], arguments].concat(), "", password)
    }

    /// The events of the site with every column, by id.
    fn rows(&self, table: &str) -> Result<String> {
        let columns = "* EXCEPT (edge_is_bot, run_id)";
        let columns = if table == "events" { "*" } else { columns };
        self.home().query(&format!(
            "SELECT {columns} FROM ecommerce.{table} WHERE site_id = '{}' ORDER BY event_id FORMAT JSONEachRow",
            self.id
        ))
    }

    /// What a condition on the judged events finds.
    fn judged(&self, condition: &str) -> Result<String> {
        let sql = format!("SELECT count() FROM ecommerce.events_judged WHERE site_id = '{}' AND {condition}", self.id);
        self.home().query(&sql)
    }

    fn runs(&self) -> Result<String> {
        self.home().query(&format!("SELECT count() FROM ecommerce.verdict_runs FINAL WHERE site_id = '{}'", self.id))
    }
}

fn farm(then: &str) -> Value {
    json!({"name": "farm", "when": r#"page_path = "/farm""#, "then": then})
}

fn partner() -> Value {
    json!({"name": "partner", "when": r#"user_agent contains "GPTBot""#, "then": "allow"})
}

fn expect_all(text: &str, expected: &[&str]) -> Result<()> {
    for part in expected {
        ensure!(text.contains(part), "expected {part:?} in {text}");
    }
    Ok(())
}

fn new_rules_are_shown_applied_once_and_taken_back(lab: &mut Lab) -> Result<()> {
    let shop = Shop::open(lab.stack()?)?;
    let stored = shop.rows("events")?;
    ensure!(shop.rows("events_judged")? == stored, "expected the verdicts of the edge before any run");
    expect_all(&shop.reclassify(&[])?, &["4 passed over: the present rules", "become bots: 0 events, 0 purchases"])?;

    shop.rule(&json!([farm("flag"), partner()]))?;
    // This one is judged by the new rules when it arrives, so it is in no diff.
    let event = json!({"event_type": "page_view", "page_url": "https://judged.example/farm"});
    let answer = lab::send(shop.stack, &json!({"site": shop.id, "events": [event]}))?;
    ensure!(answer.outcomes()? == ["flagged"], "{answer:?}");
    lab::expect_events(shop.stack, &format!("site_id = '{}'", shop.id), 7, 15)?;
    let stored = shop.rows("events")?;

    let changes = ["2 events, 1 purchases among them (129.50 EUR)", "and 2 items", "1 events, 0 purchases among them"];
    let diff = shop.reclassify(&[])?;
    expect_all(&diff, &changes)?;
    let reasons =
        ["would become bots: 2", "would become people: 1", "rule:farm of", "rule:partner of", "GPTBot", "Firefox/145"];
    expect_all(&diff, &reasons)?;
    expect_all(&diff, &["4 events judged again", "1 passed over", "nothing was changed; --apply does it"])?;
    ensure!(shop.rows("events_judged")? == stored && shop.runs()? == "0", "expected a diff to change nothing");

    expect_all(
        &shop.reclassify(&["--apply"])?,
        &[&changes[..], &["would become bots: 2", "applied as run "]].concat(),
    )?;
    ensure!(shop.rows("events")? == stored, "expected the events to be as they were");
    ensure!(shop.judged("is_bot = 1")? == "5", "expected purchase, items, two views: {}", shop.rows("events_judged")?);
    let purchase =
        format!("event_id = '{}' AND is_bot = 1 AND edge_is_bot = 0 AND has(bot_signals, 'rule:farm')", shop.purchase);
    ensure!(shop.judged(&format!("{purchase} AND rules_version LIKE '%+%'"))? == "1");
    let crawler = format!(
        "event_id = '{}' AND is_bot = 0 AND edge_is_bot = 1 AND has(bot_signals, 'rule:partner')",
        shop.crawler
    );
    ensure!(shop.judged(&crawler)? == "1", "{}", shop.rows("events_judged")?);

    let judged = shop.rows("events_judged")?;
    expect_all(
        &shop.reclassify(&["--apply"])?,
        &["become bots: 0 events", "become people: 0 events", "nothing to change"],
    )?;
    ensure!(shop.rows("events_judged")? == judged && shop.runs()? == "1", "expected a second run to change nothing");

    let undone = shop.run(&["--undo"])?;
    ensure!(undone.status.success() && String::from_utf8_lossy(&undone.stdout).contains("5 rows"), "{undone:?}");
    ensure!(shop.rows("events_judged")? == stored, "expected what the edge said: {}", shop.rows("events_judged")?);
    expect_all(&shop.reclassify(&[])?, &changes)?;

    let seen = json!({"name": "seen", "when": r#"user_agent contains "GPTBot""#, "then": "flag"});
    shop.rule(&json!([farm("flag"), seen]))?;
    expect_all(&shop.reclassify(&[])?, &["for other evidence: 1 events (not applied)", "+rule:seen"])
}

fn the_newest_run_decides_and_goes_first(lab: &mut Lab) -> Result<()> {
    let shop = Shop::open(lab.stack()?)?;
    shop.rule(&json!([farm("drop")]))?;
    expect_all(&shop.reclassify(&["--apply"])?, &["would become bots: 2", "2 of them would not be stored today"])?;
    let first = shop.rows("events_judged")?;
    let rule = json!({"name": "purchases", "when": r#"event_type = "purchase""#, "then": "allow"});
    shop.rule(&json!([rule, farm("drop")]))?;
    expect_all(
        &shop.reclassify(&["--apply"])?,
        &["become people: 1 events, 1 purchases", "and 2 items", "become bots: 0"],
    )?;
    ensure!(shop.judged("event_type IN ('purchase', 'item') AND is_bot = 0")? == "3");
    ensure!(shop.judged("is_bot = 1")? == "2", "expected the view of the first run and the crawler");

    let ids = shop.home().query(&format!(
        "SELECT run_id FROM ecommerce.verdict_runs FINAL WHERE site_id = '{}' ORDER BY published_at",
        shop.id
    ))?;
    let (older, newer) = ids.split_once('\n').context("two runs")?;
    let refused = shop.run(&["--undo", "--run", older])?;
    ensure!(
        refused.status.code() == Some(9) && String::from_utf8_lossy(&refused.stderr).contains(newer),
        "{refused:?}"
    );
    ensure!(shop.run(&["--undo", "--run", newer])?.status.success());
    let twice = shop.run(&["--undo"])?;
    let said = String::from_utf8_lossy(&twice.stderr);
    ensure!(twice.status.code() == Some(9) && said.contains(newer) && said.contains(older), "{twice:?}");
    ensure!(shop.rows("events_judged")? == first, "expected what the first run said");
    ensure!(shop.run(&["--undo", "--run", older])?.status.success());
    ensure!(shop.rows("events_judged")? == shop.rows("events")?, "expected what the edge said");
    let again = shop.run(&["--undo", "--run", older])?;
    ensure!(again.status.code() == Some(9), "expected nothing to take back, found {again:?}");
    // Rules that are as they were: events that a run has judged otherwise come back, too.
    shop.rule(&json!([farm("flag")]))?;
    expect_all(&shop.reclassify(&["--apply"])?, &["become bots: 2"])?;
    shop.rule(&json!([]))?;
    expect_all(&shop.reclassify(&["--apply"])?, &["become people: 2 events, 1 purchases", "and 2 items"])?;
    ensure!(shop.judged("is_bot != edge_is_bot")? == "0");
    Ok(())
}

/// Two runs at once: what the slower one found was found against verdicts that the faster one has changed.
fn a_run_that_another_overtakes_changes_nothing(lab: &mut Lab) -> Result<()> {
    let shop = Shop::open(lab.stack()?)?;
    shop.rule(&json!([farm("flag")]))?;
    let Endpoint { url, user, password, .. } = shop.home();
    let target = Target { url: url.clone(), user: user.clone(), password: password.clone() };
    let sites = json!([{"id": shop.id, "domains": ["judged.example"], "rules": [farm("flag"), partner()]}]);
    let sites = Sites::parse(&sites.to_string())?;
    let [_, from, _, to, _, site] =
        <[String; 6]>::try_from(shop.choice()?).map_err(|_| anyhow::anyhow!("expected three options"))?;
    let choice = Choice { from, to, site: Some(site), is_all: false };
    let words = shop.choice()?;
    let apply = [&["--apply"], &words.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat();
    // Rows that the faster one has changed: a purchase, its two items, a view.
    for (command, rows) in [(&apply[..], "4"), (&["--undo"], "0")] {
        let mut other = None;
        let slower = reclassify::reclassify(&target, &sites, &choice, Mode::Apply, &mut |progress| {
            if let Progress::Found(_) = progress {
                other = Some(shop.run(command));
            }
        });
        let other = other.context("expected the diff before the end")??;
        ensure!(other.status.success(), "{other:?}");
        ensure!(
            matches!(slower, Err(ReclassifyError::Overtaken)),
            "expected {command:?} to be noticed, found {slower:?}"
        );
        ensure!(shop.judged("run_id != toUUID('00000000-0000-0000-0000-000000000000')")? == rows);
    }
    let alone = reclassify::reclassify(&target, &sites, &choice, Mode::Apply, &mut |_| ())?;
    ensure!(alone.run_id.is_some() && alone.diff.to_human.events == 1, "{alone:?}");
    Ok(())
}

fn a_run_that_was_interrupted_is_not_seen(lab: &mut Lab) -> Result<()> {
    let shop = Shop::open(lab.stack()?)?;
    shop.home().query(&format!(
        "INSERT INTO ecommerce.verdict_overrides (run_id, site_id, timestamp, event_id, is_bot) \
         SELECT generateUUIDv4(), site_id, timestamp, event_id, 1 FROM ecommerce.events WHERE site_id = '{}'",
        shop.id
    ))?;
    ensure!(shop.rows("events_judged")? == shop.rows("events")?, "expected nothing to be seen");
    shop.home().query(&format!(
        "INSERT INTO ecommerce.events SELECT * REPLACE (generateUUIDv4() AS event_id, '2999-01-01+x' AS rules_version) \
         FROM ecommerce.events WHERE site_id = '{}' AND page_path = '/' AND is_bot = 0",
        shop.id
    ))?;
    expect_all(&shop.reclassify(&[])?, &["1 events judged again", "judged by rules of 2999-01-01, newer than"])?;
    shop.rule(&json!([farm("flag")]))?;
    expect_all(&shop.reclassify(&["--apply"])?, &["become bots: 2"])?;
    ensure!(shop.judged("is_bot = 1")? == "5", "expected purchase, items, view and crawler");
    Ok(())
}

fn rules_on_what_is_not_stored_leave_events_as_they_are(lab: &mut Lab) -> Result<()> {
    let shop = Shop::open(lab.stack()?)?;
    let office =
        |network: &str| json!({"name": "office", "when": format!("ip_address in [\"{network}\"]"), "then": "flag"});
    // Addresses are stored without their last byte, and the tests' own is 127.0.0.1 or none at all.
    shop.rule(&json!([office("127.0.0.1")]))?;
    expect_all(&shop.reclassify(&["--apply"])?, &["4 left undecided", "office of", "nothing to change"])?;
    let wrong = shop.run(&["--from", "2026-11-20", "--to", "2026-11-20"])?;
    ensure!(wrong.status.code() == Some(2) && String::from_utf8_lossy(&wrong.stderr).contains("--to"), "{wrong:?}");
    Ok(())
}

fn a_reader_may_look_and_not_apply(lab: &mut Lab) -> Result<()> {
    let shop = Shop::open(lab.stack()?)?;
    shop.rule(&json!([farm("flag")]))?;
    let choice = shop.choice()?;
    let as_reader = |more: &[&str]| {
        let choice: Vec<_> = choice.iter().map(String::as_str).collect();
        let arguments = [&["reclassify", "--url", &shop.home().url, "--user", "reader"], &choice[..], more].concat();
        landfall_with(shop.stack, &arguments, "", &shop.stack.layout.secrets.clickhouse_reader)
    };
    let looked = as_reader(&[])?;
    ensure!(looked.status.success(), "{looked:?}");
    expect_all(&String::from_utf8_lossy(&looked.stdout), &["would become bots: 2 events"])?;
    let denied = as_reader(&["--apply"])?;
    ensure!(denied.status.code() == Some(4), "{denied:?}");
    ensure!(shop.rows("events_judged")? == shop.rows("events")?, "expected nothing to be changed");
    // A file of settings takes the place of the collector's.
    let file = shop.stack.layout.dir.join("sites.json");
    std::fs::write(&file, json!([{"id": shop.id, "domains": ["judged.example"]}]).to_string())?;
    let other = as_reader(&["--sites", &file.to_string_lossy()])?;
    expect_all(&String::from_utf8_lossy(&other.stdout), &["become bots: 0 events", "4 passed over"])?;
    ensure!(shop.judged(&format!("event_id = '{}'", shop.elsewhere))? == "1");
    Ok(())
}
