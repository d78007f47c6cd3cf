//! "landfall": what an operator does to a running collector.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Output, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use xtask::stack::Stack;

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("sites_are_put_listed_and_deleted", sites_are_put_listed_and_deleted),
    ("impossible_settings_are_refused_before_they_are_sent", impossible_settings_are_refused_before_they_are_sent),
    ("a_wrong_admin_token_is_named", a_wrong_admin_token_is_named),
    ("a_dead_letter_is_replayed_once_it_fits", a_dead_letter_is_replayed_once_it_fits),
    ("dead_letters_are_read_page_by_page", dead_letters_are_read_page_by_page),
    ("a_view_that_fails_leaves_rows_that_are_named", a_view_that_fails_leaves_rows_that_are_named),
    ("rows_of_a_file_are_replayed_once", rows_of_a_file_are_replayed_once),
    ("an_interrupted_replay_goes_on_where_it_was", an_interrupted_replay_goes_on_where_it_was),
    ("two_replays_at_once_store_each_row_once", two_replays_at_once_store_each_row_once),
    ("a_replay_that_was_killed_is_named_to_the_next", a_replay_that_was_killed_is_named_to_the_next),
    ("a_receipt_that_cannot_be_written_stops_no_row", a_receipt_that_cannot_be_written_stops_no_row),
];

fn sites_are_put_listed_and_deleted(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let settings = json!({"id": "operator-shop", "domains": ["operator.example"], "sampling_rate": 1.0});
    let stored = landfall(stack, &["sites", "put", "-"], &settings.to_string())?;
    ensure!(stored.status.success(), "{stored:?}");
    ensure!(stdout_json(&stored)?["privacy"]["ip"] == "truncate", "expected the defaults filled in, found {stored:?}");
    ensure!(outcome_of_a_view(stack)? == "accepted", "expected a new site to be taken at once");

    let listed = landfall(stack, &["sites", "list"], "")?;
    let text = String::from_utf8_lossy(&listed.stdout);
    ensure!(
        text.lines().any(|line| line.starts_with("operator-shop ") && line.ends_with("operator.example")),
        "{text}"
    );
    ensure!(text.lines().any(|line| line.starts_with("demo ")), "expected the site of SITES too, found {text}");
    let read = landfall(stack, &["sites", "get", "operator-shop"], "")?;
    ensure!(read.stdout == stored.stdout, "expected what was stored, found {read:?}");

    let deleted = landfall(stack, &["sites", "delete", "operator-shop"], "")?;
    ensure!(deleted.stdout == stored.stdout, "expected what was deleted, found {deleted:?}");
    ensure!(outcome_of_a_view(stack)? == "invalid", "expected its beacons to be refused");
    let gone = landfall(stack, &["sites", "get", "operator-shop"], "")?;
    ensure!(gone.status.code() == Some(6), "{gone:?}");
    Ok(())
}

fn outcome_of_a_view(stack: &Stack) -> Result<String> {
    let event = json!({"event_type": "page_view", "page_url": "https://operator.example/"});
    let answer = lab::send(stack, &json!({"site": "operator-shop", "events": [event]}))?;
    answer.outcomes()?.pop().context("expected a receipt")
}

fn impossible_settings_are_refused_before_they_are_sent(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    for (settings, field) in [
        (r#"{"id":"Operator","domains":["a.example"]}"#, "in id"),
        (r#"{"id":"operator-2","domains":["a.example"],"sampling_rate":2}"#, "in sampling_rate"),
        (r#"{"id":"operator-2","domains":["a.example"],"sampling":1}"#, "unknown field `sampling`"),
    ] {
        let refused = landfall(stack, &["sites", "put", "-"], settings)?;
        let text = String::from_utf8_lossy(&refused.stderr);
        ensure!(refused.status.code() == Some(2) && text.contains(field), "{settings}: {text}");
    }
    let missing = landfall(stack, &["sites", "get", "operator-2"], "")?;
    ensure!(missing.status.code() == Some(6), "expected nothing to be stored, found {missing:?}");
    Ok(())
}

fn a_wrong_admin_token_is_named(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let file = stack.layout.dir.join("wrong-token");
    std::fs::write(&file, "wrong\n")?;
    let refused = landfall(stack, &["sites", "list", "--admin-token-file", &file.to_string_lossy()], "")?;
    let text = String::from_utf8_lossy(&refused.stderr);
    ensure!(refused.status.code() == Some(4) && text.contains("ADMIN_TOKEN"), "{refused:?}");
    let unreachable = landfall(stack, &["sites", "list", "--url", "http://127.0.0.1:9"], "")?;
    ensure!(unreachable.status.code() == Some(3), "{unreachable:?}");
    Ok(())
}

/// A row that does not fit a column is refused as long as it does not, and then is stored once, however often it is replayed.
fn a_dead_letter_is_replayed_once_it_fits(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let endpoint = &stack.file.clickhouse[0];
    let from = endpoint.query("SELECT now('UTC')")?;
    let id = bury_one(stack, &from)?;
    for expected in ["1 row inserted, 0 present already, 0 refused", "0 rows inserted, 1 present already, 0 refused"] {
        let output = replay(stack, &["--from", &from])?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success() && text.contains(expected), "expected {expected}, found {output:?}");
    }
    lab::expect_events(stack, &format!("event_id = '{id}' AND seq = 4000000"), 1, 1)?;
    // Other tests narrow the column too, which fails as long as a row does not fit.
    let narrow =
        format!("ALTER TABLE ecommerce.events UPDATE seq = 1 WHERE event_id = '{id}' SETTINGS mutations_sync = 1");
    stack.file.clickhouse[0].query(&narrow).map(drop)
}

/// An event among the dead letters; a replay now leaves it there.
pub(crate) fn bury_one(stack: &Stack, from: &str) -> Result<String> {
    let endpoint = &stack.file.clickhouse[0];
    endpoint.query("ALTER TABLE ecommerce.events MODIFY COLUMN seq Decimal(3, 0)")?;
    let buried = bury_while_narrow(stack, from);
    endpoint.query("ALTER TABLE ecommerce.events MODIFY COLUMN seq UInt32")?;
    buried
}

fn bury_while_narrow(stack: &Stack, from: &str) -> Result<String> {
    let id = lab::event_id();
    let event =
        json!({"event_id": id, "event_type": "page_view", "page_url": "https://shop.example/", "seq": 4_000_000});
    // Only at home is the column narrow: the row must not go to another region, which a test before may have made likely.
    let home = &stack.file.clickhouse[0].region;
    lab::put_site(stack, &json!({"id": "buried", "domains": ["shop.example"], "regions": [home]}))?;
    let answer = lab::send(stack, &json!({"site": "buried", "events": [event]}))?;
    ensure!(answer.status == 202, "{answer:?}");
    let letters = format!("SELECT count() FROM ecommerce.dead_letters WHERE event_id = '{id}'");
    lab::wait_for("the dead letter", 60, || Ok((stack.file.clickhouse[0].query(&letters)? == "1").then_some(())))?;
    let refused = replay(stack, &["--from", from])?;
    ensure!(refused.status.code() == Some(8), "expected it to be refused, found {refused:?}");
    Ok(id)
}

/// More letters than are read at once and longer than one reply may be, compressed or not, all of one moment, of each event two, and of two sites
/// that use the same ids.
fn dead_letters_are_read_page_by_page(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let session = lab::event_id();
    let letters = format!(
        "INSERT INTO ecommerce.dead_letters (event_id, site_id, reason, line, stored_at) SELECT toString(id), site, 'refused_by_clickhouse', \
         toJSONString(map('event_id', toString(id), 'site_id', site, 'event_type', 'page_view', 'timestamp', '2026-11-20 10:00:00', \
         'session_id', '{session}', 'page_url', randomPrintableASCII(16000))), toDateTime64('2026-11-20 11:00:00', 3, 'UTC') \
         FROM (SELECT reinterpretAsUUID(sipHash128('{session}', number % 1050)) AS id, arrayJoin(['pages', 'leaves']) AS site FROM numbers(2100))"
    );
    stack.file.clickhouse[0].query(&letters)?;
    for expected in ["2100 rows inserted, 0 present already", "0 rows inserted, 2100 present already"] {
        let output = replay(stack, &["--from", "2026-11-20 11:00:00", "--to", "2026-11-20 11:00:01"])?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success() && text.contains(expected), "expected {expected}, found {output:?}");
    }
    let missing = "(site_id, toUUIDOrZero(event_id)) NOT IN (SELECT site_id, event_id FROM ecommerce.events)";
    let missing =
        format!("SELECT count() FROM ecommerce.dead_letters WHERE position(line, '{session}') > 0 AND {missing}");
    ensure!(stack.file.clickhouse[0].query(&missing)? == "0", "expected every letter to be replayed");
    lab::expect_events(stack, &format!("session_id = '{session}'"), 2_100, 1)
}

fn rows_of_a_file_are_replayed_once(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let session = lab::event_id();
    let row = |seq: u32| {
        json!({"site_id": "demo", "event_type": "page_view", "timestamp": "2026-11-20 10:00:00.000", "seq": seq,
            "session_id": session, "collector_region": "eu"})
    };
    let (file, receipts) = (stack.layout.dir.join("rows.ndjson"), stack.layout.dir.join("receipts.ndjson"));
    std::fs::write(&file, format!("{}\n{}\n\n{}\n", row(1), row(2), row(1)))?;
    let (file_text, receipts_text) = (file.to_string_lossy(), receipts.to_string_lossy());
    for expected in ["2 rows inserted, 1 present already, 0 refused", "0 rows inserted, 3 present already, 0 refused"] {
        let output = replay(stack, &["--region", "eu", "--receipt", &receipts_text, &file_text])?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success() && text.contains(expected), "expected {expected}, found {output:?}");
        ensure!(std::fs::read_to_string(&receipts)?.lines().count() == 3, "expected a receipt for each row");
    }
    lab::expect_events(stack, &format!("session_id = '{session}'"), 2, 1)?;
    let elsewhere = replay(stack, &["--region", "us", &file_text])?;
    ensure!(elsewhere.status.code() == Some(8), "expected rows to stay in their region, found {elsewhere:?}");
    std::fs::write(&file, "{\"site_id\":\"demo\",\"colour\":1}\n")?;
    let unknown = replay(stack, &[&file_text])?;
    let text = String::from_utf8_lossy(&unknown.stderr);
    ensure!(unknown.status.code() == Some(8) && text.contains("rows.ndjson:1") && text.contains("colour"), "{text}");
    Ok(())
}

fn a_view_that_fails_leaves_rows_that_are_named(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let session = lab::event_id();
    let (file, receipts) = (stack.layout.dir.join("viewed.ndjson"), stack.layout.dir.join("viewed-receipts.ndjson"));
    std::fs::write(&file, rows_of(&session, 2))?;
    let arguments = ["--receipt", &receipts.to_string_lossy(), &file.to_string_lossy()];
    let endpoint = &stack.file.clickhouse[0];
    endpoint.query(&format!(
        "CREATE MATERIALIZED VIEW ecommerce.failing ENGINE = MergeTree ORDER BY tuple() AS \
         SELECT throwIf(session_id = '{session}') AS failure FROM ecommerce.events"
    ))?;
    let failed = replay(stack, &arguments);
    endpoint.query("DROP TABLE ecommerce.failing SYNC")?;
    let failed = failed?;
    let told = String::from_utf8_lossy(&failed.stderr);
    ensure!(failed.status.code() == Some(1) && told.contains("not in all of its views"), "{failed:?}");
    ensure!(told.contains("while pushing to view ecommerce.failing"), "expected the view's name, found {told}");
    let outcomes = std::fs::read_to_string(&receipts)?;
    ensure!(outcomes.matches(r#""outcome":"unsure""#).count() == 2, "expected both rows to be named, found {outcomes}");
    let again = replay(stack, &arguments)?;
    ensure!(again.status.success(), "{again:?}");
    lab::expect_events(stack, &format!("session_id = '{session}'"), 2, 1)
}

/// Several batches.
const ROWS_TO_INTERRUPT: usize = 30_000;

fn an_interrupted_replay_goes_on_where_it_was(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let session = lab::event_id();
    let rows = rows_of(&session, ROWS_TO_INTERRUPT);
    let (file, receipts) = (stack.layout.dir.join("many.ndjson"), stack.layout.dir.join("interrupted.ndjson"));
    std::fs::write(&file, &rows)?;
    let status = end_amid(stack, rows, &receipts, "-INT")?;
    ensure!(status.code() == Some(130), "expected an interrupted replay, found {status}");
    let told = std::fs::read_to_string(&receipts)?;
    let inserted = told.lines().filter(|line| line.contains(r#""outcome":"inserted""#)).count();
    ensure!((1..ROWS_TO_INTERRUPT).contains(&inserted), "expected receipts of a part, found {inserted}");
    ensure!(told.ends_with('\n'), "expected whole receipts, found {:?} at the end", told.lines().last());
    let again = replay(stack, &[&file.to_string_lossy()])?;
    let text = String::from_utf8_lossy(&again.stdout);
    let numbers: Vec<usize> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [more, present, refused] = numbers[..] else { bail!("expected three numbers, found {again:?}") };
    // What is behind the last receipt may be in the table already: it is present then.
    ensure!(
        again.status.success() && more + present == ROWS_TO_INTERRUPT && refused == 0 && present >= inserted,
        "expected at least {inserted} rows present, found {again:?}"
    );
    lab::expect_events(stack, &format!("session_id = '{session}'"), ROWS_TO_INTERRUPT as u64, 1)
}

/// The same rows, cut differently: the second file begins with a row of its own.
fn two_replays_at_once_store_each_row_once(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let session = lab::event_id();
    let rows = rows_of(&session, ROWS_TO_INTERRUPT);
    let files = ["first.ndjson", "second.ndjson"].map(|name| stack.layout.dir.join(name));
    std::fs::write(&files[0], &rows)?;
    std::fs::write(&files[1], rows_of(&session, 1) + &rows)?;
    let mut children = Vec::new();
    for file in &files {
        children.push(replay_of(stack, &[&file.to_string_lossy()]).spawn()?);
    }
    let codes = children.into_iter().map(|mut child| Ok(child.wait()?.code())).collect::<Result<Vec<_>>>()?;
    ensure!(codes.contains(&Some(0)), "expected one to bring its rows back, found {codes:?}");
    ensure!(
        codes.iter().all(|code| [Some(0), Some(10)].contains(code)),
        "expected the other to be refused, found {codes:?}"
    );
    let again = replay(stack, &[&files[1].to_string_lossy()])?;
    ensure!(again.status.success(), "expected the claim to be released, found {again:?}");
    lab::expect_events(stack, &format!("session_id = '{session}'"), ROWS_TO_INTERRUPT as u64 + 1, 1)
}

fn a_replay_that_was_killed_is_named_to_the_next(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let session = lab::event_id();
    let (file, receipts) = (stack.layout.dir.join("killed.ndjson"), stack.layout.dir.join("killed-receipts.ndjson"));
    let rows = rows_of(&session, ROWS_TO_INTERRUPT);
    std::fs::write(&file, &rows)?;
    let status = end_amid(stack, rows, &receipts, "-KILL")?;
    ensure!(status.signal() == Some(9), "expected a killed replay, found {status}");
    let file = file.to_string_lossy();
    let refused = replay(stack, &[&file])?;
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(
        refused.status.code() == Some(10) && told.contains(", process "),
        "expected the other's name, found {refused:?}"
    );
    let claim = told.split_whitespace().last().context("expected a claim")?;
    ensure!(told.contains(&format!("--break-claim {claim}")), "expected how to go on, found {told}");
    let looked = replay(stack, &["--dry-run", &file])?;
    ensure!(looked.status.success(), "expected a dry run to need no claim, found {looked:?}");
    let other = replay(stack, &["--break-claim", &lab::event_id(), &file])?;
    ensure!(other.status.code() == Some(10), "expected another claim to break nothing, found {other:?}");
    // What the killed one has sent is stored or refused before the next may go on.
    let inserts = "SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO ecommerce.events%'";
    lab::wait_for("the last batch to end", 30, || Ok((stack.file.clickhouse[0].query(inserts)? == "0").then_some(())))?;
    let broken = replay(stack, &["--break-claim", claim, &file])?;
    ensure!(broken.status.success(), "{broken:?}");
    let again = replay(stack, &["--break-claim", claim, &file])?;
    ensure!(again.status.success(), "expected a claim that is released already to be no error, found {again:?}");
    lab::expect_events(stack, &format!("session_id = '{session}'"), ROWS_TO_INTERRUPT as u64, 1)
}

fn a_receipt_that_cannot_be_written_stops_no_row(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let session = lab::event_id();
    let file = stack.layout.dir.join("few.ndjson");
    std::fs::write(&file, rows_of(&session, 3))?;
    // The device on which no byte has room.
    let output = replay(stack, &["--receipt", "/dev/full", &file.to_string_lossy()])?;
    let (text, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.code() == Some(1) && told.contains("cannot write /dev/full"), "{output:?}");
    ensure!(text.contains("3 rows inserted, 0 present already, 0 refused"), "{output:?}");
    lab::expect_events(stack, &format!("session_id = '{session}'"), 3, 1)
}

/// Rows of a session, as a file of them.
fn rows_of(session: &str, count: usize) -> String {
    let row = |_| {
        json!({"site_id": "demo", "event_id": lab::event_id(), "event_type": "page_view", "timestamp": "2026-11-20 10:00:00.000",
            "session_id": session, "collector_region": "eu"})
        .to_string()
            + "\n"
    };
    (0..count).map(row).collect()
}

pub(crate) fn replay(stack: &Stack, more: &[&str]) -> Result<Output> {
    let endpoint = &stack.file.clickhouse[0];
    let arguments = [&["replay", "--url", &endpoint.url, "--user", &endpoint.user], more].concat();
    landfall_with(stack, &arguments, "", &endpoint.password)
}

/// Ends a replay with a signal once it has written a receipt. The last byte of its rows does not come before, so it cannot be over by itself.
fn end_amid(stack: &Stack, rows: String, receipts: &Path, signal: &str) -> Result<ExitStatus> {
    let mut replay = replay_of(stack, &["--receipt", &receipts.to_string_lossy(), "/dev/stdin"]);
    let mut child = replay.stdin(Stdio::piped()).spawn()?;
    let mut pipe = child.stdin.take().context("expected a pipe")?;
    let feeder = std::thread::spawn(move || pipe.write_all(&rows.as_bytes()[..rows.len() - 1]).map(|()| pipe));
    let started = lab::wait_for("a receipt", 30, || Ok(std::fs::metadata(receipts)?.len().gt(&0).then_some(())));
    let ended = Command::new("kill").args([signal, &child.id().to_string()]).status();
    // An error if the replay has ended without reading everything.
    drop(feeder.join());
    let status = child.wait()?;
    started?;
    ensure!(ended?.success(), "expected to end a replay at work, found {status}");
    Ok(status)
}

/// A replay that is told nothing and tells nothing, to be started.
fn replay_of(stack: &Stack, arguments: &[&str]) -> Command {
    let endpoint = &stack.file.clickhouse[0];
    let mut command = Command::new(xtask::paths::program("landfall"));
    command
        .args(["replay", "--url", &endpoint.url, "--user", &endpoint.user])
        .args(arguments)
        .env("LANDFALL_CLICKHOUSE_PASSWORD", &endpoint.password)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Runs the operator's command against the stack's collector.
pub(crate) fn landfall(stack: &Stack, arguments: &[&str], stdin: &str) -> Result<Output> {
    landfall_with(stack, arguments, stdin, "")
}

/// The same with a password for ClickHouse.
pub(crate) fn landfall_with(stack: &Stack, arguments: &[&str], stdin: &str, password: &str) -> Result<Output> {
    let mut child = Command::new(xtask::paths::program("landfall"))
        .args(arguments)
        .env("LANDFALL_COLLECTOR_URL", &stack.file.collector)
        .env("LANDFALL_ADMIN_TOKEN", &stack.file.admin_token)
        .env("LANDFALL_CLICKHOUSE_PASSWORD", password)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut pipe = child.stdin.take().context("expected a pipe")?;
    // A command that reads nothing may have ended already.
    let _ = pipe.write_all(stdin.as_bytes());
    drop(pipe);
    Ok(child.wait_with_output()?)
}

fn stdout_json(output: &Output) -> Result<Value> {
    serde_json::from_slice(&output.stdout).with_context(|| format!("expected JSON, found {output:?}"))
}
