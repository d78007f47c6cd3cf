//! One INSERT per beacon, what the collector spares ClickHouse. In scope: the rows that the collector would write, sent to the same table one by one.

use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::Request;
use serde_json::Value;
use uuid::Uuid;

use crate::bench::event::{self, USER_AGENT};
use crate::bench::lab::Lab;
use crate::bench::load::{Load, Pace};
use crate::step;

const TIME: Duration = Duration::from_secs(10);
/// More do not help: every INSERT makes a part in three tables.
const CONNECTIONS: u64 = 8;
/// Waits for the row to be stored, as the collector does.
const TARGET: &str = "/?query=INSERT%20INTO%20ecommerce.events%20FORMAT%20JSONEachRow&async_insert=0";

/// Events per second that reach the table.
pub(super) fn per_second(lab: &Lab) -> Result<f64> {
    let row = row(&lab.stack.file.collector)?;
    let id = row["event_id"].as_str().context("expected an event_id in the row")?.to_owned();
    let row = row.to_string();
    let authority = lab.clickhouse().url.trim_start_matches("http://").to_owned();
    let port =
        authority.rsplit(':').next().and_then(|port| port.parse().ok()).context("expected a port of ClickHouse")?;
    let (user, password) = (lab.clickhouse().user.clone(), lab.clickhouse().password.clone());
    let request = move |_| {
        Request::post(TARGET)
            .header("Host", &authority)
            .header("X-ClickHouse-User", &user)
            .header("X-ClickHouse-Key", &password)
            .body(Full::from(row.replace(&id, &Uuid::now_v7().hyphenated().to_string())))
            .expect("every header is one")
    };
    step::step("one INSERT per beacon", || {
        Ok(Load { port, connections: CONNECTIONS, request }.run(Pace::Flood(TIME))?.per_second())
    })
}

/// The row that the collector writes for the beacon of this bench.
fn row(collector: &str) -> Result<Value> {
    let text = ureq::post(&format!("{collector}/v1/validate"))
        .header("User-Agent", USER_AGENT)
        .send(event::envelope(Uuid::now_v7(), 1))?
        .body_mut()
        .read_to_string()?;
    let reply: Value = serde_json::from_str(&text)?;
    Ok(reply["results"][0]["row"].clone())
}
