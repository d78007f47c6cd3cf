//! "Apply the schema. It is safe to run again." And who may do what.

use std::process::Command;

use anyhow::{Result, ensure};
use xtask::stack::clickhouse::Endpoint;

use crate::Test;
use crate::lab::Lab;

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("migrate_runs_again_without_harm", migrate_runs_again_without_harm),
    ("a_wrong_password_is_named", a_wrong_password_is_named),
    ("the_collector_may_only_insert", the_collector_may_only_insert),
    ("the_reader_may_only_read", the_reader_may_only_read),
    ("what_is_acknowledged_is_on_the_disk", what_is_acknowledged_is_on_the_disk),
    ("an_id_that_is_there_twice_is_shown", an_id_that_is_there_twice_is_shown),
];

fn landfall(endpoint: &Endpoint, password: &str) -> Result<std::process::Output> {
    Ok(Command::new(xtask::paths::program("landfall"))
        .args(["migrate", "--url", &endpoint.url, "--user", &endpoint.user])
        .env("LANDFALL_CLICKHOUSE_PASSWORD", password)
        .output()?)
}

fn migrate_runs_again_without_harm(lab: &mut Lab) -> Result<()> {
    let endpoint = lab.stack()?.file.clickhouse[0].clone();
    let tables = "SELECT count() FROM system.tables WHERE database = 'ecommerce'";
    let before = endpoint.query(tables)?;
    let output = landfall(&endpoint, &endpoint.password)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    ensure!(before == endpoint.query(tables)?, "expected the same tables");
    Ok(())
}

fn a_wrong_password_is_named(lab: &mut Lab) -> Result<()> {
    let endpoint = lab.stack()?.file.clickhouse[0].clone();
    let output = landfall(&endpoint, "wrong")?;
    let text = String::from_utf8_lossy(&output.stderr).to_lowercase();
    ensure!(
        !output.status.success() && text.contains("password"),
        "expected an error about the password, found {text}"
    );
    Ok(())
}

fn the_collector_may_only_insert(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let collector = Endpoint {
        user: "collector".to_owned(),
        password: stack.layout.secrets.clickhouse_collector.clone(),
        ..stack.file.clickhouse[0].clone()
    };
    ensure!(collector.query("SELECT count() FROM ecommerce.events").is_err(), "expected the collector not to read");
    ensure!(collector.query("DROP TABLE ecommerce.events").is_err(), "expected the collector not to drop");
    ensure!(
        collector.query("TRUNCATE TABLE ecommerce.dead_letters").is_err(),
        "expected the collector not to truncate"
    );
    Ok(())
}

fn the_reader_may_only_read(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let reader = Endpoint {
        user: "reader".to_owned(),
        password: stack.layout.secrets.clickhouse_reader.clone(),
        ..stack.file.clickhouse[0].clone()
    };
    reader.query("SELECT count(), dictGet('ecommerce.countries_dict', 'name', 'FR') FROM ecommerce.events")?;
    ensure!(
        reader.query("INSERT INTO ecommerce.events (site_id) VALUES ('x')").is_err(),
        "expected the reader not to write"
    );
    ensure!(reader.query("DROP TABLE ecommerce.events").is_err(), "expected the reader not to drop");
    Ok(())
}

fn what_is_acknowledged_is_on_the_disk(lab: &mut Lab) -> Result<()> {
    let endpoint = lab.stack()?.file.clickhouse[0].clone();
    for setting in
        ["fsync_after_insert = 1", "fsync_part_directory = 1", "non_replicated_deduplication_window = 100000"]
    {
        let found = endpoint.query(&format!(
            "SELECT count() FROM system.tables WHERE database = 'ecommerce' AND position(engine_full, '{setting}') > 0 \
             AND name IN ('events', 'collector_outcomes', 'dead_letters', 'hourly_events_state', 'product_stats_state')"
        ))?;
        ensure!(found == "5", "expected {setting} on the five tables that an insert fills, found it on {found}");
    }
    Ok(())
}

fn an_id_that_is_there_twice_is_shown(lab: &mut Lab) -> Result<()> {
    crate::lab::pass_midnight()?;
    let endpoint = lab.stack()?.file.clickhouse[0].clone();
    let site = format!("twice-{}", crate::lab::event_id());
    let insert = |id: &str| {
        endpoint.query(&format!(
            "INSERT INTO ecommerce.events (site_id, event_id, timestamp, received_at) VALUES ('{site}', '{id}', now64(3), now64(3))"
        ))
    };
    let (twice, once) = (crate::lab::event_id(), crate::lab::event_id());
    for id in [&twice, &once, &twice] {
        insert(id)?;
    }
    let found = endpoint.query(&format!(
        "SELECT event_id, copies FROM ecommerce.repeated_events WHERE site_id = '{site}' AND date = today() FORMAT CSV"
    ))?;
    ensure!(found == format!("\"{twice}\",2"), "expected {twice} twice and nothing else, found {found}");
    Ok(())
}
