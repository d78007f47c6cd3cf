//! What the production Worker does at a point: nothing.

use collector_core::insert::Table;
use worker::{Env, Result};

use super::Point;

/// Nothing.
pub(crate) async fn reached(_env: &Env, _point: Point) {}

/// Nothing.
pub(crate) async fn reached_with(_env: &Env, _point: Point, _table: Table) {}

/// Just the work.
pub(crate) fn alarm(work: impl Future<Output = Result<()>>) -> impl Future<Output = Result<()>> {
    work
}

/// There is room.
#[expect(clippy::unnecessary_wraps, reason = "the test build may say otherwise")]
pub(crate) const fn check_room() -> Result<()> {
    Ok(())
}
