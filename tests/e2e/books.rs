//! "The books balance": every event is counted once, whatever became of it.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use xtask::stack::Stack;
use xtask::stack::process::Stop;

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("the_books_balance_over_a_hundred_thousand_events", the_books_balance_over_a_hundred_thousand_events),
    ("metrics_are_the_operators_and_count_what_happened", metrics_are_the_operators_and_count_what_happened),
    ("the_books_tell_what_delivering_took", the_books_tell_what_delivering_took),
];

/// Beacons of the run, with 100 events each; a tenth of them is no beacon at all and counts as one event.
const BEACONS: usize = 1_100;
const EVENTS_PER_BEACON: usize = 100;
/// Senders at the same time.
const SENDERS: usize = 4;
const CRAWLER: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/// Receipts by site and outcome, as the senders got them.
type Tally = BTreeMap<(String, String), u64>;

fn the_books_balance_over_a_hundred_thousand_events(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    for settings in [
        json!({"id": "books", "domains": ["shop.example"]}),
        json!({"id": "books-drop", "domains": ["shop.example"], "bots": "drop"}),
        json!({"id": "books-slow", "domains": ["shop.example"], "limits": {"events_per_second": 20}}),
    ] {
        lab::put_site(stack, &settings)?;
    }
    let unknown_before = total(stack, "site_id = '' AND outcome = 'received'")?;
    let receipts = send_everything(stack)?;
    let sent: u64 = receipts.values().sum();
    ensure!(sent >= 100_000, "expected 100,000 receipts, found {sent}");
    for (site, outcome) in [
        ("books", "accepted"),
        ("books", "flagged"),
        ("books", "invalid"),
        ("books", "duplicate"),
        ("books-drop", "filtered"),
        ("books-slow", "limited"),
        ("", "invalid"),
    ] {
        ensure!(receipts.contains_key(&(site.to_owned(), outcome.to_owned())), "{site} {outcome} in {receipts:?}");
    }
    lab::wait_for("the books to hold every receipt", 60, || {
        for ((site, outcome), count) in receipts.iter().filter(|((site, _), _)| !site.is_empty()) {
            let booked = total(stack, &format!("site_id = '{site}' AND outcome = '{outcome}'"))?;
            ensure!(booked == *count, "{site} {outcome}: {count} receipts, {booked} booked");
        }
        let unknown: u64 = receipts.iter().filter(|((site, _), _)| site.is_empty()).map(|(_, count)| count).sum();
        let booked = total(stack, "site_id = '' AND outcome = 'received'")? - unknown_before;
        ensure!(booked == unknown, "events of no site: {unknown} receipts, {booked} booked");
        expect_balance(stack)?;
        Ok(Some(()))
    })
}

/// Both equations over everything that the stack has ever seen, and the books against the table.
fn expect_balance(stack: &Stack) -> Result<()> {
    let mut missing = 0;
    for endpoint in &stack.file.clickhouse {
        let row = endpoint.query(
            "SELECT sum(abs(unaccounted)), sum(abs(pending)) FROM ecommerce.collector_balance FORMAT JSONCompactEachRow",
        )?;
        ensure!(numbers(&row)? == [0, 0], "{}: unaccounted and pending are {row}", endpoint.region);
        let row = endpoint.query(
            "SELECT sum(abs(missing)) FROM ecommerce.collector_audit WHERE startsWith(site_id, 'books') FORMAT JSONCompactEachRow",
        )?;
        missing += numbers(&row)?.first().copied().unwrap_or_default();
    }
    ensure!(missing == 0, "{missing} rows are booked as inserted and not in the table, or the other way round");
    Ok(())
}

fn numbers(row: &str) -> Result<Vec<i64>> {
    let values: Vec<Value> = serde_json::from_str(row)?;
    values
        .iter()
        .map(|value| value.as_str().map_or_else(|| value.as_i64().context("a number"), |text| Ok(text.parse()?)))
        .collect()
}

fn total(stack: &Stack, condition: &str) -> Result<u64> {
    let sql = format!("SELECT sum(count) FROM ecommerce.collector_outcomes WHERE {condition}");
    stack.file.clickhouse.iter().map(|endpoint| Ok(endpoint.query(&sql)?.parse::<u64>()?)).sum()
}

fn send_everything(stack: &Stack) -> Result<Tally> {
    std::thread::scope(|scope| {
        let send_share = |first: usize| move || (first..BEACONS).step_by(SENDERS).map(|n| send_one(stack, n)).collect();
        let senders: Vec<_> = (0..SENDERS).map(|first| scope.spawn(send_share(first))).collect();
        let mut tally = Tally::new();
        for sender in senders {
            let shares: Result<Vec<Tally>> = sender.join().expect("a sender does not panic");
            for (key, count) in shares?.into_iter().flatten() {
                *tally.entry(key).or_default() += count;
            }
        }
        Ok(tally)
    })
}

/// Sends beacon number `n` of the mix.
fn send_one(stack: &Stack, n: usize) -> Result<Tally> {
    let (site, agent) = match n % 11 {
        0 => ("books", CRAWLER),
        1 => ("books-drop", CRAWLER),
        2 => ("books-slow", lab::FIREFOX),
        3 => ("nobody", lab::FIREFOX),
        _ => ("books", lab::FIREFOX),
    };
    let body = if n % 11 == 4 { "no beacon".to_owned() } else { beacon(site) };
    let mut tally = tally(site, &lab::post(stack, "/v1/events", body.as_bytes(), &[("User-Agent", agent)])?)?;
    if n % 11 == 5 {
        // The same beacon again: every event that was taken is a duplicate.
        for (key, count) in self::tally(site, &lab::post(stack, "/v1/events", body.as_bytes(), &[])?)? {
            *tally.entry(key).or_default() += count;
        }
    }
    Ok(tally)
}

/// Views; one in ten has no type, one in ten has the id of the view before.
fn beacon(site: &str) -> String {
    let mut events = Vec::with_capacity(EVENTS_PER_BEACON);
    let mut id = String::new();
    for number in 0..EVENTS_PER_BEACON {
        if number % 10 != 1 {
            id = lab::event_id();
        }
        let view =
            json!({"event_id": id, "event_type": "page_view", "page_url": format!("https://shop.example/p/{number}")});
        events.push(if number % 10 == 2 { json!({"event_id": id}) } else { view });
    }
    json!({"site": site, "events": events}).to_string()
}

fn tally(site: &str, answer: &lab::Answer) -> Result<Tally> {
    ensure!([202, 400, 404, 429].contains(&answer.status), "{answer:?}");
    let site = if [400, 404].contains(&answer.status) { "" } else { site };
    let mut tally = Tally::new();
    for outcome in answer.outcomes()? {
        *tally.entry((site.to_owned(), outcome)).or_default() += 1;
    }
    Ok(tally)
}

fn metrics_are_the_operators_and_count_what_happened(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    ensure!(lab::get(stack, "/metrics", &[])?.status == 401, "expected the metrics to need the operator's token");
    let (metric, labels) =
        ("landfall_events_total", [r#"region="eu""#, r#"outcome="invalid""#, r#"reason="missing_field""#]);
    let before = sample(&metrics(stack)?, metric, &labels);
    lab::send(stack, &json!({"site": "demo", "events": [{"page_url": "https://shop.example/"}]}))?;
    lab::wait_for("one more invalid event", 20, || {
        Ok((sample(&metrics(stack)?, metric, &labels) == before + 1).then_some(()))
    })?;
    let page = metrics(stack)?;
    for region in ["eu", "us"] {
        let of_region = [format!("region=\"{region}\"")];
        let of_region: Vec<&str> = of_region.iter().map(String::as_str).collect();
        ensure!(sample(&page, "landfall_up", &of_region) == 1, "{page}");
    }
    // The totals outlive the collector.
    stack.stop_workerd(Stop::Kill)?;
    stack.start_workerd()?;
    let after = sample(&metrics(stack)?, metric, &labels);
    ensure!(after == before + 1, "expected {} after a restart, found {after}", before + 1);
    Ok(())
}

/// Europe's ClickHouse is away: rows wait, are tried again and go elsewhere. Metrics show it at once, the books once it is over, and not among the
/// events.
fn the_books_tell_what_delivering_took(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    lab::put_site(stack, &json!({"id": "moved", "domains": ["shop.example"], "regions": ["eu", "us"]}))?;
    let eu = stack.layout.regions.iter().position(|region| region == "eu").context("the region eu")?;
    let seen = |stack: &Stack, metric: &str| Ok(sample(&metrics(stack)?, metric, &[r#"region="eu""#]));
    let before: Vec<u64> = MOVED.iter().map(|metric| seen(stack, metric)).collect::<Result<_>>()?;
    stack.stop_clickhouse(eu, Stop::Kill)?;
    let moved = lab::wait_for("rows that were tried again, and rows that went elsewhere", 60, || {
        send_german(stack)?;
        let now: Vec<u64> = MOVED.iter().map(|metric| seen(stack, metric)).collect::<Result<_>>()?;
        Ok(now.iter().zip(&before).all(|(now, before)| now > before).then_some(()))
    });
    stack.start_clickhouse(eu)?;
    moved?;
    lab::wait_for("the books to tell of it", 90, || {
        for endpoint in &stack.file.clickhouse {
            let found = endpoint.query(
                "SELECT (SELECT sum(rows) FROM ecommerce.collector_deliveries), sum(inserted + dead_lettered), \
                 countIf(received + accepted + inserted + dead_lettered = 0) FROM ecommerce.collector_balance FORMAT JSONCompactEachRow",
            )?;
            let [rows, booked, of_no_event] = numbers(&found)?[..] else { anyhow::bail!("found {found}") };
            ensure!(rows == booked && of_no_event == 0, "{}: found {found}", endpoint.region);
        }
        let found = stack.file.clickhouse[eu].query(
            "SELECT sum(retries) > 0, sum(failovers) > 0, max(backlog_rows) > 0, max(backlog_bytes) > max(backlog_rows), \
             max(backlog_seconds) > 0, min(rows_per_insert) >= 1, sum(bytes) > sum(rows), max(ms_per_insert) > 0 \
             FROM ecommerce.collector_deliveries WHERE collector_region = 'eu' FORMAT CSV",
        )?;
        ensure!(found == "1,1,1,1,1,1,1,1", "expected all that an outage leaves, found {found}");
        Ok(Some(()))
    })
}

/// What only moves if rows are tried again and go elsewhere.
const MOVED: [&str; 2] = ["landfall_retries_total", "landfall_failovers_total"];

fn send_german(stack: &Stack) -> Result<()> {
    let beacon = json!({"site": "moved", "events": [{"event_type": "login"}]}).to_string();
    let german = [("CF-Blob", r#"{"country":"DE","continent":"EU","latitude":"50.1","longitude":"8.7"}"#)];
    let answer = lab::post(stack, "/v1/events", beacon.as_bytes(), &german)?;
    ensure!(answer.outcomes()? == ["accepted"], "{answer:?}");
    Ok(())
}

fn metrics(stack: &Stack) -> Result<String> {
    let token = format!("Bearer {}", stack.file.admin_token);
    let answer = lab::get(stack, "/metrics", &[("Authorization", &token)])?;
    let kind = answer.header("Content-Type").unwrap_or_default();
    ensure!(answer.status == 200 && kind.starts_with("text/plain; version=0.0.4"), "{answer:?}");
    Ok(answer.text)
}

/// The sum of a metric's samples with these labels.
fn sample(page: &str, metric: &str, labels: &[&str]) -> u64 {
    let own = page.lines().filter(|line| line.split('{').next() == Some(metric));
    own.filter(|line| labels.iter().all(|label| line.contains(label)))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}
