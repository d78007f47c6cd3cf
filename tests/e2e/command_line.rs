//! "The same stack in the background", healed by a second `up`, and several side by side.

use anyhow::{Result, ensure};
use serde_json::json;
use xtask::stack::process::{self, Stop};
use xtask::stack::{Options, Stack, StackFile, port};

use crate::Test;
use crate::lab::{self, Lab};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("up_heals_what_is_not_running", up_heals_what_is_not_running),
    ("a_second_stack_runs_beside_the_first", a_second_stack_runs_beside_the_first),
    ("stack_json_has_the_documented_shape", stack_json_has_the_documented_shape),
];

fn up_heals_what_is_not_running(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let dir = stack.layout.dir.clone();
    let before = stack.file.clone();
    stack.stop_workerd(Stop::Kill)?;
    if let Some(pid) = before.pids.countries {
        process::stop_how(pid, &dir, Stop::Kill);
    }
    let healed = Stack::up(&Options { dir, regions: None, port_base: None })?;
    ensure!(healed.file.collector == before.collector, "expected the same ports");
    ensure!(
        healed.file.pids.workerd.is_some() && healed.file.pids.workerd != before.pids.workerd,
        "expected a new workerd"
    );
    ensure!(healed.file.pids.shop == before.pids.shop, "expected the shop to be left alone");
    ensure!(healed.file.clickhouse[0].pid == before.clickhouse[0].pid, "expected ClickHouse to be left alone");
    ensure!(
        lab::get_url(&format!("{}/readyz", healed.file.countries.url), &[])?.status == 200,
        "expected the feed back"
    );
    Ok(())
}

fn a_second_stack_runs_beside_the_first(lab: &mut Lab) -> Result<()> {
    let dir = lab.folder("second");
    let first = lab.stack()?;
    let mut second =
        Stack::up(&Options { dir, regions: Some(vec!["eu".to_owned()]), port_base: Some(port::free_block()?) })?;
    let result = only_the_second_has_it(first, &second);
    let pids = second.file.all_pids();
    second.down()?;
    ensure!(
        pids.iter().all(|pid| !process::is_ours(Some(*pid), &second.layout.dir)),
        "expected no process of the second stack to be left"
    );
    result
}

fn only_the_second_has_it(first: &Stack, second: &Stack) -> Result<()> {
    let id = lab::event_id();
    let event = json!({"event_id": id, "event_type": "page_view", "page_url": "https://shop.example/"});
    let answer = lab::send(second, &json!({"site": "demo", "events": [event]}))?;
    ensure!(answer.status == 202, "{answer:?}");
    lab::expect_events(second, &format!("event_id = '{id}'"), 1, 10)?;
    ensure!(lab::count_events(first, &format!("event_id = '{id}'"))? == 0, "expected the first stack not to have it");
    Ok(())
}

fn stack_json_has_the_documented_shape(lab: &mut Lab) -> Result<()> {
    let dir = lab.stack()?.layout.dir.clone();
    let text = std::fs::read_to_string(dir.join("stack.json"))?;
    let file: serde_json::Value = serde_json::from_str(&text)?;
    for pointer in [
        "/collector",
        "/admin_token",
        "/clickhouse/0/region",
        "/clickhouse/0/url",
        "/clickhouse/0/tcp_port",
        "/clickhouse/0/user",
        "/clickhouse/0/password",
        "/clickhouse/1/pid",
        "/countries/url",
        "/countries/token",
        "/user_segments/url",
        "/user_segments/token",
        "/shop",
        "/pids/workerd",
        "/pids/countries",
        "/pids/user_segments",
        "/pids/shop",
    ] {
        ensure!(file.pointer(pointer).is_some_and(|value| !value.is_null()), "expected {pointer} in {text}");
    }
    ensure!(StackFile::read(&dir)?.is_some(), "expected it to read back");
    Ok(())
}
