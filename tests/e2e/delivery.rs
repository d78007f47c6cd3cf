//! "Nothing is lost while ClickHouse is away, nothing is doubled on a retry."

use anyhow::{Result, ensure};
use serde_json::json;
use xtask::chaos::clock::Clock;
use xtask::stack::Stack;
use xtask::stack::process::Stop;

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] = &[
    (
        "an_event_taken_while_clickhouse_is_stopped_arrives_once",
        an_event_taken_while_clickhouse_is_stopped_arrives_once,
    ),
    ("clickhouse_killed_under_load_loses_and_doubles_nothing", clickhouse_killed_under_load_loses_and_doubles_nothing),
    ("a_killed_collector_keeps_what_it_acknowledged", a_killed_collector_keeps_what_it_acknowledged),
    ("an_id_is_known_after_delivery_and_a_restart", an_id_is_known_after_delivery_and_a_restart),
    ("a_view_that_fails_doubles_nothing", a_view_that_fails_doubles_nothing),
    ("a_missing_table_parks_the_batch_until_it_is_back", a_missing_table_parks_the_batch_until_it_is_back),
    ("a_row_that_clickhouse_refuses_becomes_a_dead_letter", a_row_that_clickhouse_refuses_becomes_a_dead_letter),
    ("many_beacons_become_few_inserts", many_beacons_become_few_inserts),
    ("an_event_is_stored_in_its_sites_region", an_event_is_stored_in_its_sites_region),
    (
        "a_region_that_is_down_is_passed_over_where_the_site_permits",
        a_region_that_is_down_is_passed_over_where_the_site_permits,
    ),
    ("a_full_backlog_refuses_loudly_and_drains", a_full_backlog_refuses_loudly_and_drains),
    ("rows_that_two_regions_may_have_are_booked_as_such", rows_that_two_regions_may_have_are_booked_as_such),
];

/// Longer than a batch waits for the region that may have it.
const FAILOVER_AFTER_S: i64 = 6 * 60;
/// How long an outage may still be felt after it ended: the longest retry delay, and the start of ClickHouse.
const RECOVERY_S: u64 = 90;

fn an_event_taken_while_clickhouse_is_stopped_arrives_once(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    stop_all(stack, Stop::Clean)?;
    let ids = send_views(stack, 5)?;
    start_all(stack)?;
    lab::expect_events(stack, &among(&ids), 5, RECOVERY_S)
}

fn clickhouse_killed_under_load_loses_and_doubles_nothing(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let mut ids = send_views(stack, 200)?;
    stop_all(stack, Stop::Kill)?;
    ids.extend(send_views(stack, 200)?);
    start_all(stack)?;
    ids.extend(send_views(stack, 200)?);
    lab::expect_events(stack, &among(&ids), 600, RECOVERY_S)?;
    // The views hold what the table holds: a retry counted nothing twice.
    for endpoint in &stack.file.clickhouse {
        let table = endpoint.query("SELECT count() FROM ecommerce.events")?;
        let view = endpoint.query("SELECT sum(event_count) FROM ecommerce.hourly_events")?;
        ensure!(table == view, "{}: expected {table} events in the hourly view, found {view}", endpoint.region);
    }
    Ok(())
}

fn a_killed_collector_keeps_what_it_acknowledged(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let ids = send_views(stack, 50)?;
    stack.stop_workerd(Stop::Kill)?;
    stack.start_workerd()?;
    lab::expect_events(stack, &among(&ids), 50, RECOVERY_S)
}

/// The answer was lost, the script sends again, and meanwhile everything was delivered and the collector restarted.
fn an_id_is_known_after_delivery_and_a_restart(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let ids = send_views(stack, 1)?;
    lab::expect_events(stack, &among(&ids), 1, RECOVERY_S)?;
    stack.stop_workerd(Stop::Kill)?;
    stack.start_workerd()?;
    let event = json!({"event_id": ids[0], "event_type": "page_view", "page_url": "https://shop.example/load"});
    let again = lab::send(stack, &json!({"site": "demo", "events": [event]}))?;
    ensure!(again.outcomes()? == ["duplicate"], "{again:?}");
    lab::expect_events(stack, &among(&ids), 1, RECOVERY_S)
}

/// A view that raises lets the INSERT fail when the table's own part is written already: only the same batch with the same token is safe.
fn a_view_that_fails_doubles_nothing(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    on_every_region(stack, "CREATE TABLE ecommerce.broken_target (n UInt8) ENGINE = Null")?;
    let view = "CREATE MATERIALIZED VIEW ecommerce.broken_view TO ecommerce.broken_target DEFINER = CURRENT_USER SQL SECURITY DEFINER AS \
         SELECT toUInt8(toDecimal32(page_path, 2)) AS n FROM ecommerce.events";
    on_every_region(stack, view)?;
    let sent = send_views(stack, 8).and_then(|ids| parked(stack).map(|()| ids));
    on_every_region(stack, "DROP VIEW ecommerce.broken_view")?;
    on_every_region(stack, "DROP TABLE ecommerce.broken_target")?;
    lab::expect_events(stack, &among(&sent?), 8, RECOVERY_S)
}

/// An unknown table is the operator's to mend, not a reason to drop. Of several batches that wait for it one asks for all.
fn a_missing_table_parks_the_batch_until_it_is_back(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    on_every_region(stack, "RENAME TABLE ecommerce.events TO ecommerce.events_away")?;
    let sent = send_until_batches_wait(stack, 4).and_then(|ids| parked(stack).map(|()| ids));
    on_every_region(stack, "RENAME TABLE ecommerce.events_away TO ecommerce.events")?;
    let ids = sent?;
    lab::expect_events(stack, &among(&ids), ids.len() as u64, RECOVERY_S)
}

/// Sends single views until so many batches wait in one region.
fn send_until_batches_wait(stack: &Stack, batches: u64) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    lab::wait_for("batches that wait", RECOVERY_S, || {
        ids.extend(send_views(stack, 1)?);
        let state = lab::get(stack, "/readyz", &[])?.json()?;
        let waiting = state["regions"].as_object().into_iter().flatten().filter_map(|(_, own)| own["batches"].as_u64());
        Ok((waiting.max() >= Some(batches)).then_some(()))
    })?;
    Ok(ids)
}

/// Waits until `/readyz` says that something waits for the operator.
fn parked(stack: &Stack) -> Result<()> {
    lab::wait_for("a parked batch", 20, || {
        let state = lab::get(stack, "/readyz", &[])?;
        Ok(state.text.contains("\"hold ").then_some(()))
    })
}

/// One row of a batch does not fit a column: the others are stored, the one is kept word for word.
fn a_row_that_clickhouse_refuses_becomes_a_dead_letter(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    on_every_region(stack, "ALTER TABLE ecommerce.events MODIFY COLUMN seq Decimal(3, 0)")?;
    let outcome = send_one_that_does_not_fit(stack);
    on_every_region(stack, "ALTER TABLE ecommerce.events MODIFY COLUMN seq UInt32")?;
    outcome
}

fn send_one_that_does_not_fit(stack: &Stack) -> Result<()> {
    let (mut ids, mut misfit) = (Vec::new(), String::new());
    let mut events = Vec::new();
    for seq in 1..=20 {
        let id = lab::event_id();
        let is_misfit = seq == 13;
        let number = if is_misfit { 4_000_000 } else { seq };
        events.push(
            json!({"event_id": id, "event_type": "page_view", "page_url": "https://shop.example/", "seq": number}),
        );
        if is_misfit { misfit = id } else { ids.push(id) }
    }
    let answer = lab::send(stack, &json!({"site": "demo", "events": events}))?;
    ensure!(answer.status == 202, "{answer:?}");
    lab::expect_events(stack, &among(&ids), 19, RECOVERY_S)?;
    let letter = format!(
        "SELECT count() FROM ecommerce.dead_letters WHERE event_id = '{misfit}' AND position(line, '4000000') > 0 AND code = '69'"
    );
    lab::wait_for("the dead letter", RECOVERY_S, || {
        let found: Result<u64> =
            stack.file.clickhouse.iter().map(|endpoint| Ok(endpoint.query(&letter)?.parse::<u64>()?)).sum();
        Ok((found? == 1).then_some(()))
    })
}

fn on_every_region(stack: &Stack, sql: &str) -> Result<()> {
    stack.file.clickhouse.iter().try_for_each(|endpoint| endpoint.query(sql).map(drop))
}

fn many_beacons_become_few_inserts(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let parts = "SELECT sum(ProfileEvent_InsertQuery) FROM (SELECT value AS ProfileEvent_InsertQuery FROM system.events WHERE event = 'InsertQuery')";
    let before: u64 = stack.file.clickhouse[0].query(parts)?.parse()?;
    let ids = send_views(stack, 300)?;
    lab::expect_events(stack, &among(&ids), 300, 20)?;
    let inserts = stack.file.clickhouse[0].query(parts)?.parse::<u64>()? - before;
    // One a second, and one of the books every five: a machine that needs a minute to send stays below.
    ensure!(inserts < 100, "expected far fewer inserts than 300 beacons, found {inserts}");
    Ok(())
}

fn an_event_is_stored_in_its_sites_region(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let cases = [
        (r#"{"country":"US","continent":"NA","latitude":"39.04","longitude":"-77.48"}"#, "us"),
        (r#"{"country":"DE","continent":"EU","latitude":"50.1","longitude":"8.7"}"#, "eu"),
    ];
    for (cf, region) in cases {
        let id = lab::event_id();
        let body = json!({"site": "demo", "events": [{"event_id": id, "event_type": "page_view", "page_url": "https://shop.example/"}]});
        let answer = lab::post(stack, "/v1/events", body.to_string().as_bytes(), &[("CF-Blob", cf)])?;
        ensure!(answer.status == 202, "{answer:?}");
        lab::expect_events(stack, &format!("event_id = '{id}'"), 1, 10)?;
        let endpoint =
            stack.file.clickhouse.iter().find(|endpoint| endpoint.region == region).expect("a region of the stack");
        let found =
            endpoint.query(&format!("SELECT collector_region FROM ecommerce.events WHERE event_id = '{id}'"))?;
        ensure!(found == region, "expected the row in {region}, found {found:?}");
    }
    Ok(())
}

/// Sends single views, each acknowledged, and returns their ids.
fn send_views(stack: &Stack, count: usize) -> Result<Vec<String>> {
    let mut ids = Vec::with_capacity(count);
    for _ in 0..count {
        let id = lab::event_id();
        let event = json!({"event_id": id, "event_type": "page_view", "page_url": "https://shop.example/load"});
        let answer = lab::send(stack, &json!({"site": "demo", "events": [event]}))?;
        ensure!(answer.status == 202 && answer.outcomes()? == ["accepted"], "{answer:?}");
        ids.push(id);
    }
    Ok(ids)
}

fn among(ids: &[String]) -> String {
    format!("event_id IN ('{}')", ids.join("','"))
}

/// Europe's ClickHouse is away: a site that permits both regions goes on in the other one, a site of Europe waits. Nothing is stored twice.
fn a_region_that_is_down_is_passed_over_where_the_site_permits(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    lab::put_site(stack, &json!({"id": "roams", "domains": ["shop.example"], "regions": ["eu", "us"]}))?;
    lab::put_site(stack, &json!({"id": "stays", "domains": ["shop.example"], "regions": ["eu"]}))?;
    let run = lab::event_id();
    let send_both = |stack: &Stack| -> Result<()> {
        for site in ["roams", "stays"] {
            let event = json!({"event_type": "login", "session_id": run});
            let answer = lab::post(
                stack,
                "/v1/events",
                json!({"site": site, "events": [event]}).to_string().as_bytes(),
                &[("CF-Blob", r#"{"country":"DE","continent":"EU","latitude":"50.1","longitude":"8.7"}"#)],
            )?;
            ensure!(answer.outcomes()? == ["accepted"], "{answer:?}");
        }
        Ok(())
    };
    let (eu, us) = (position(stack, "eu"), position(stack, "us"));
    let (logged, booked) = failed_attempts(stack)?;
    stack.stop_clickhouse(eu, Stop::Kill)?;
    let mut sent = 0;
    let count = |stack: &Stack, region: usize, site: &str| -> Result<u64> {
        let sql = format!("SELECT count() FROM ecommerce.events WHERE session_id = '{run}' AND site_id = '{site}'");
        Ok(stack.file.clickhouse[region].query(&sql)?.parse()?)
    };
    // The first batch may have been on its way when the region went, and waits for it; those after it do not.
    lab::wait_for("the other region to take events", 60, || {
        send_both(stack)?;
        sent += 1;
        Ok((count(stack, us, "roams")? > 0).then_some(()))
    })?;
    stack.start_clickhouse(eu)?;
    lab::expect_events(stack, &format!("session_id = '{run}'"), 2 * sent, RECOVERY_S)?;
    ensure!(count(stack, us, "stays")? == 0, "expected no row of a European site elsewhere");
    ensure!(count(stack, eu, "stays")? == sent, "expected {sent} rows of the European site at home");
    lab::wait_for("the books to know of the failover", 60, || {
        let sql = "SELECT sum(inserted_elsewhere), sum(pending), sum(unaccounted) FROM ecommerce.collector_balance WHERE site_id = 'roams' FORMAT CSV";
        let found = stack.file.clickhouse[eu].query(sql)?;
        let moved = count(stack, us, "roams")?;
        ensure!(found == format!("{moved},0,0"), "expected {moved} elsewhere and nothing open, found {found}");
        Ok(Some(()))
    })?;
    // Also those at batches that were parted, because their sites permit different regions.
    lab::wait_for("the books to know of every failed attempt", RECOVERY_S, || {
        let (logged_now, booked_now) = failed_attempts(stack)?;
        let (logged, booked) = (logged_now - logged, booked_now - booked);
        ensure!(logged > 0 && booked >= logged, "{logged} failed attempts in the log, {booked} in the books");
        Ok(Some(()))
    })
}

/// Failed attempts at events and dead letters, in the log and in the books.
fn failed_attempts(stack: &Stack) -> Result<(u64, u64)> {
    let log = std::fs::read_to_string(stack.layout.dir.join("logs").join("workerd.log"))?;
    let is_failed = |line: &&str| line.contains("\"insert_failed\"") && !line.contains("collector_outcomes");
    let sql = "SELECT sum(retries) FROM ecommerce.collector_deliveries";
    Ok((log.lines().filter(is_failed).count() as u64, lab::sum_of_regions(stack, sql)?))
}

/// More waits than the operator allows: what is taken is safe, the rest is refused so that its sender keeps it, and the probe says so.
fn a_full_backlog_refuses_loudly_and_drains(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    stack.layout.surroundings.worker_variables = vec![("BACKLOG_BYTES_MAX".to_owned(), "20000".to_owned())];
    stop_all(stack, Stop::Clean)?;
    restart(stack)?;
    let filled = fill_backlog(stack);
    start_all(stack)?;
    let drained = filled.and_then(|ids| {
        lab::expect_events(stack, &among(&ids), ids.len() as u64, RECOVERY_S)?;
        lab::wait_for("a probe that says ready", RECOVERY_S, || {
            Ok((lab::get(stack, "/readyz", &[])?.status == 200).then_some(()))
        })
    });
    stack.layout.surroundings.worker_variables = Vec::new();
    restart(stack)?;
    drained
}

/// Sends until the collector refuses; the ids of what it took.
fn fill_backlog(stack: &Stack) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    lab::wait_for("the collector to refuse", 60, || {
        let id = lab::event_id();
        let event = json!({"event_id": id, "event_type": "page_view", "page_url": "https://shop.example/load"});
        let answer = lab::send(stack, &json!({"site": "demo", "events": [event]}))?;
        if answer.status == 202 {
            ids.push(id);
            return Ok(None);
        }
        ensure!(answer.status == 503 && answer.header("Retry-After").is_some(), "{answer:?}");
        ensure!(answer.outcomes()? == ["limited"], "{answer:?}");
        Ok(Some(()))
    })?;
    ensure!(ids.len() > 5, "expected more than {} events to fit", ids.len());
    let ready = lab::get(stack, "/readyz", &[])?;
    ensure!(ready.status == 503 && ready.text.contains("\"is_accepting\":false"), "{ready:?}");
    Ok(ids)
}

fn restart(stack: &mut Stack) -> Result<()> {
    stack.stop_workerd(Stop::Clean)?;
    stack.start_workerd()
}

/// A view fails in Europe: the rows are in the table, and the answer is an error. Then Europe dies for longer than a batch waits for it. The rows
/// are in both regions then, and the books say that they may be.
fn rows_that_two_regions_may_have_are_booked_as_such(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let clock = Clock::build(&stack.layout.dir)?;
    set_clock(stack, Some(&clock))?;
    lab::put_site(stack, &json!({"id": "twice", "domains": ["shop.example"], "regions": ["eu", "us"]}))?;
    let (eu, us) = (position(stack, "eu"), position(stack, "us"));
    let view = "CREATE MATERIALIZED VIEW ecommerce.broken_view TO ecommerce.broken_target DEFINER = CURRENT_USER SQL SECURITY DEFINER AS \
         SELECT toUInt8(toDecimal32(page_path, 2)) AS n FROM ecommerce.events";
    stack.file.clickhouse[eu].query("CREATE TABLE ecommerce.broken_target (n UInt8) ENGINE = Null")?;
    stack.file.clickhouse[eu].query(view)?;
    let moved = move_unheard(stack, &clock, eu, us);
    stack.start_clickhouse(eu)?;
    stack.file.clickhouse[eu].query("DROP VIEW IF EXISTS ecommerce.broken_view")?;
    stack.file.clickhouse[eu].query("DROP TABLE IF EXISTS ecommerce.broken_target")?;
    let booked = moved.and_then(|()| expect_possible_duplicates(stack, eu));
    set_clock(stack, None)?;
    booked
}

const UNHEARD: usize = 4;

fn move_unheard(stack: &mut Stack, clock: &Clock, eu: usize, us: usize) -> Result<()> {
    let run = lab::event_id();
    let events =
        vec![json!({"event_type": "page_view", "page_url": "https://shop.example/", "session_id": run}); UNHEARD];
    let german = [("CF-Blob", r#"{"country":"DE","continent":"EU","latitude":"50.1","longitude":"8.7"}"#)];
    let beacon = json!({"site": "twice", "events": events}).to_string();
    let answer = lab::post(stack, "/v1/events", beacon.as_bytes(), &german)?;
    ensure!(answer.outcomes()? == ["accepted"; UNHEARD], "{answer:?}");
    parked(stack)?;
    let count = |stack: &Stack, region: usize| {
        stack.file.clickhouse[region].query(&format!("SELECT count() FROM ecommerce.events WHERE session_id = '{run}'"))
    };
    let stored = count(stack, eu)?;
    ensure!(stored == UNHEARD.to_string(), "expected the rows in the table behind the view, found {stored}");
    stack.stop_clickhouse(eu, Stop::Kill)?;
    clock.set_offset(FAILOVER_AFTER_S)?;
    lab::wait_for("the rows in the other region", RECOVERY_S, || {
        Ok((count(stack, us)? == UNHEARD.to_string()).then_some(()))
    })
}

fn expect_possible_duplicates(stack: &Stack, eu: usize) -> Result<()> {
    lab::wait_for("the books to know of the second copies", RECOVERY_S, || {
        let sql = "SELECT reason, sum(count) FROM ecommerce.collector_outcomes WHERE site_id = 'twice' AND outcome = 'inserted' GROUP BY ALL FORMAT CSV";
        let found = stack.file.clickhouse[eu].query(sql)?;
        ensure!(found == format!("\"possible_duplicate\",{UNHEARD}"), "found {found:?}");
        Ok(Some(()))
    })
}

/// Gives the collector a clock that can be moved, or takes it away.
fn set_clock(stack: &mut Stack, clock: Option<&Clock>) -> Result<()> {
    stack.layout.surroundings.workerd_variables = clock.map(Clock::variables).unwrap_or_default();
    restart(stack)
}

fn position(stack: &Stack, region: &str) -> usize {
    stack.file.clickhouse.iter().position(|endpoint| endpoint.region == region).expect("a region of the stack")
}

fn stop_all(stack: &mut Stack, how: Stop) -> Result<()> {
    (0..stack.file.clickhouse.len()).try_for_each(|index| stack.stop_clickhouse(index, how))
}

fn start_all(stack: &mut Stack) -> Result<()> {
    (0..stack.file.clickhouse.len()).try_for_each(|index| stack.start_clickhouse(index))
}
