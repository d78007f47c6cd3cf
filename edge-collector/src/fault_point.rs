//! Points between the steps of a flush at which a test kills the process. In scope: telling the test that a point is reached.
//! Out of scope: which points there are (`point`).
//!
//! Only in test builds (feature `fault-points`): the production Worker has nothing of it.

mod point;

use collector_core::insert::Table;
use worker::Env;

pub(crate) use point::Point;

/// Tells the test, and waits for its answer; a test that wants the process to end here never gives one.
#[cfg(feature = "fault-points")]
pub(crate) async fn reached(env: &Env, point: Point) {
    ask(env, &format!("{point:?}")).await;
}

/// As `reached`, on the way of a batch for one table.
#[cfg(feature = "fault-points")]
pub(crate) async fn reached_with(env: &Env, point: Point, table: Table) {
    ask(env, &format!("{point:?}-{}", table.name())).await;
}

#[cfg(feature = "fault-points")]
async fn ask(env: &Env, path: &str) {
    let Ok(base) = env.var("FAULT_POINTS_URL") else { return };
    let Ok(request) = worker::Request::new(&format!("{base}/{path}"), worker::Method::Get) else {
        return;
    };
    if let Ok(mut response) = worker::Fetch::Request(request).send().await {
        // An unread body would hold the connection.
        let _ = response.bytes().await;
    }
}

/// Nothing.
#[cfg(not(feature = "fault-points"))]
#[expect(clippy::unused_async, reason = "the test build waits here")]
pub(crate) async fn reached_with(_env: &Env, _point: Point, _table: Table) {}

/// Nothing.
#[cfg(not(feature = "fault-points"))]
#[expect(clippy::unused_async, reason = "the test build waits here")]
pub(crate) async fn reached(_env: &Env, _point: Point) {}
