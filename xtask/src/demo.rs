//! `cargo xtask demo`: the whole system with simulated traffic until Ctrl-C, and counts that show that it works.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::stack::{Options, Stack};
use crate::traffic::Traffic;
use crate::{build, interrupt, step};

const REFRESH: Duration = Duration::from_secs(1);

/// Builds, starts, sends and counts until Ctrl-C (or for `seconds`), then stops everything.
pub fn run(options: &Options, seconds: Option<u64>) -> Result<()> {
    build::all()?;
    let mut stack = Stack::up(options)?;
    stack.print();
    println!("\nlook around:\n  {}", client_line(&stack));
    println!("simulated shoppers are on their way; Ctrl-C stops everything\n");
    let traffic = Traffic::start(&stack.file.collector);
    let started = Instant::now();
    while !interrupt::is_requested() && seconds.is_none_or(|limit| started.elapsed() < Duration::from_secs(limit)) {
        step::status_line(&counts(&stack, &traffic));
        std::thread::sleep(REFRESH);
    }
    drop(traffic);
    println!();
    stack.down()?;
    println!("stopped; the data stays in {} (remove the folder to start anew)", stack.layout.dir.display());
    Ok(())
}

fn counts(stack: &Stack, traffic: &Traffic) -> String {
    let sql = "SELECT count(), countIf(is_bot), uniq(visitor_id), countIf(event_type = 'purchase') FROM ecommerce.events FORMAT TSV";
    let mut totals = [0_u64; 4];
    for endpoint in &stack.file.clickhouse {
        let Ok(line) = endpoint.query(sql) else { return format!("ClickHouse {} does not answer", endpoint.region) };
        for (total, text) in totals.iter_mut().zip(line.split('\t')) {
            *total += text.parse::<u64>().unwrap_or(0);
        }
    }
    let [rows, bots, visitors, purchases] = totals;
    format!(
        "sent {} refused {} | in ClickHouse: {rows} events, {bots} by bots, {visitors} visitors, {purchases} purchases",
        traffic.counts.acknowledged.load(Ordering::SeqCst),
        traffic.counts.refused.load(Ordering::SeqCst),
    )
}

fn client_line(stack: &Stack) -> String {
    let endpoint = &stack.file.clickhouse[0];
    format!(
        "curl -sS '{}' -u '{}:{}' -d 'SELECT event_type, count() FROM ecommerce.events GROUP BY event_type FORMAT PrettyCompact'",
        endpoint.url, endpoint.user, endpoint.password
    )
}
