//! "Segments and scores come from a model that is trained on the events."

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Output};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use xtask::paths;
use xtask::stack::{Stack, port};

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("a_model_is_trained_on_the_events_and_served", a_model_is_trained_on_the_events_and_served),
    ("without_enough_users_nothing_is_trained", without_enough_users_nothing_is_trained),
];

const SITE: &str = "segments-e2e";
const USERS: u64 = 1_800;
const FIRST_USER: u64 = 900_000_000;
/// A third of the users each: an order every ten days; one order long ago; visits only. The regions share the events of every user.
const EVENTS: &str = "
INSERT INTO ecommerce.events (site_id, event_type, timestamp, user_id, session_id, order_id, revenue, currency)
SELECT 'segments-e2e', if(user % 3 = 2, 'page_view', 'purchase'),
    now64(3, 'UTC') - toIntervalHour(multiIf(
        user % 3 = 0, visit * 240 + cityHash64(user, visit) % 240,
        user % 3 = 1, 24 * (200 + cityHash64(user) % 140),
        visit * 120 + cityHash64(user, visit) % 120)),
    900000000 + user, toString(visit), if(user % 3 = 2, '', concat(toString(user), '-', toString(visit))),
    if(user % 3 = 2, 0, 20 + cityHash64(visit, user) % 60), if(user % 3 = 2, '', 'EUR')
FROM (SELECT number AS user, arrayJoin(range(multiIf(number % 3 = 0, 30, number % 3 = 1, 1, 20))) AS visit FROM numbers(1800))
WHERE visit % 2 = ";
const EXPECTED: [&str; 3] = ["champions", "hibernating", "browsers"];

fn a_model_is_trained_on_the_events_and_served(lab: &mut Lab) -> Result<()> {
    let data_dir = lab.folder("segments");
    let stack = lab.stack()?;
    for (at, endpoint) in stack.file.clickhouse.iter().enumerate() {
        endpoint.query(&format!("{EVENTS}{at}"))?;
    }
    let trained = segments(stack, &["train"], &data_dir, SITE)?;
    let report = text(&trained.stdout);
    ensure!(trained.status.success(), "{report}{}", text(&trained.stderr));
    ensure!(report.contains("model 1: in use now") && report.contains("champions"), "{report}");
    check_lines(&text(&segments(stack, &["score"], &data_dir, SITE)?.stdout))?;
    let explained = segments(stack, &["explain", &(FIRST_USER + 3).to_string()], &data_dir, SITE)?;
    let why = text(&explained.stdout);
    ensure!(why.contains("champions") && why.contains("30.0 orders") && why.contains("log odds"), "{why}");
    served(stack, &data_dir)
}

/// Every user is judged, nearly all as the kind they are.
fn check_lines(lines: &str) -> Result<()> {
    let mut named: BTreeMap<(usize, String), u32> = BTreeMap::new();
    let mut right = 0_u64;
    for line in lines.lines() {
        let entry: Value = serde_json::from_str(line)?;
        let user = entry["user_id"].as_u64().with_context(|| format!("expected a user, found {line}"))?;
        let kind = usize::try_from((user - FIRST_USER) % 3)?;
        let name = entry["segment_name"].as_str().unwrap_or_default().to_owned();
        let score = entry["score"].as_f64().unwrap_or(-1.0);
        right += u64::from(name.starts_with(EXPECTED[kind]) && ((kind == 0) == (score > 0.5)));
        *named.entry((kind, name)).or_default() += 1;
    }
    ensure!(right >= USERS * 95 / 100, "expected {EXPECTED:?} by user, found {named:?}");
    ensure!(named.values().sum::<u32>() == u32::try_from(USERS)?, "{named:?}");
    Ok(())
}

/// A service on the same folder serves the model's segments and says so.
fn served(stack: &Stack, data_dir: &Path) -> Result<()> {
    let address = format!("127.0.0.1:{}", port::free_block()?);
    let mut service = dict_services(stack);
    service.args(["user-segments", "--insecure-no-token", "--listen", &address, "--refresh-interval-s", "1"]);
    let _service = Running(with_place(&mut service, stack, data_dir, SITE).spawn()?);
    let body = lab::wait_for("the model's segments in the feed", 60, || {
        let answer = lab::get_url(&format!("http://{address}/user-segments"), &[])?;
        Ok((answer.status == 200 && answer.text.contains("\"champions")).then_some(answer.text))
    })?;
    ensure!(body.lines().count() as u64 == USERS + 1, "every user and the anonymous ones");
    ensure!(!body.contains("\"rule_"), "the rule is out of work");
    let metrics = lab::get_url(&format!("http://{address}/metrics"), &[])?.text;
    ensure!(metrics.lines().any(|line| line.starts_with("model_version") && line.ends_with(" 1")), "{metrics}");
    Ok(())
}

fn without_enough_users_nothing_is_trained(lab: &mut Lab) -> Result<()> {
    let data_dir = lab.folder("segments-empty");
    let stack = lab.stack()?;
    let refused = segments(stack, &["train"], &data_dir, "segments-e2e-nobody")?;
    let reason = text(&refused.stderr);
    ensure!(!refused.status.success() && reason.contains("expected at least 500 users, found 0"), "{reason}");
    let explained = segments(stack, &["explain", "7"], &data_dir, "segments-e2e-nobody")?;
    ensure!(!explained.status.success() && text(&explained.stderr).contains("found none of user 7"), "{explained:?}");
    Ok(())
}

fn segments(stack: &Stack, command: &[&str], data_dir: &Path, site: &str) -> Result<Output> {
    let mut program = dict_services(stack);
    program.arg("segments").args(command);
    Ok(with_place(&mut program, stack, data_dir, site).output()?)
}

fn dict_services(stack: &Stack) -> Command {
    let mut program = Command::new(paths::program("dict-services"));
    program
        .env("CLICKHOUSE_PASSWORD", &stack.layout.secrets.clickhouse_reader)
        .env("RUST_LOG", "warn")
        // Tokens of the surroundings would close what is meant to be open here.
        .env_remove("FEED_TOKENS");
    program
}

fn with_place<'a>(program: &'a mut Command, stack: &Stack, data_dir: &Path, site: &str) -> &'a mut Command {
    let urls: Vec<&str> = stack.file.clickhouse.iter().map(|endpoint| endpoint.url.as_str()).collect();
    program.arg("--data-dir").arg(data_dir).args(["--clickhouse-url", &urls.join(","), "--site", site])
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
