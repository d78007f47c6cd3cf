//! What the test build does at a point: it tells the test, and does what that answers.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};

use collector_core::insert::Table;
use futures_util::future::{Either, select};
use worker::{Env, Error, Fetch, Method, Request, Result};

use super::Point;

/// The answer for: the platform cuts this alarm off.
const CUT_OFF: u16 = 410;
/// The answer for: the storage has no room for the next transaction.
const FULL: u16 = 507;

thread_local! {
    /// The last answer, until it is carried out.
    static ORDER: Cell<u16> = const { Cell::new(0) };
}

/// Tells the test, and waits for its answer; a test that wants the process to end here never gives one.
pub(crate) async fn reached(env: &Env, point: Point) {
    ask(env, &format!("{point:?}")).await;
}

/// As `reached`, on the way of a batch for one table.
pub(crate) async fn reached_with(env: &Env, point: Point, table: Table) {
    ask(env, &format!("{point:?}-{}", table.name())).await;
}

async fn ask(env: &Env, path: &str) {
    let Ok(base) = env.var("FAULT_POINTS_URL") else { return };
    let Ok(request) = Request::new(&format!("{base}/{path}"), Method::Get) else {
        return;
    };
    let Ok(mut response) = Fetch::Request(request).send().await else { return };
    // An unread body would hold the connection.
    let _ = response.bytes().await;
    ORDER.set(response.status_code());
    if response.status_code() == CUT_OFF {
        pending::<()>().await;
    }
}

/// An alarm's work; once the test says so it is left as it stands, without a restart of the object.
pub(crate) async fn alarm(work: impl Future<Output = Result<()>>) -> Result<()> {
    let is_cut_off = |_: &mut Context<'_>| {
        if ORDER.get() != CUT_OFF {
            return Poll::Pending;
        }
        ORDER.set(0);
        Poll::Ready(())
    };
    match select(pin!(work), poll_fn(is_cut_off)).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => Err(Error::RustError("cut off by the test".to_owned())),
    }
}

/// An error if the test says that the storage is full; for one transaction.
pub(crate) fn check_room() -> Result<()> {
    if ORDER.get() != FULL {
        return Ok(());
    }
    ORDER.set(0);
    Err(Error::RustError("full, says the test".to_owned()))
}
