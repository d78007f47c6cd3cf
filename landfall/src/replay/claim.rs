//! One replay at a time. In scope: claiming the table of events, seeing who holds it, giving it back. Out of scope: what is done meanwhile.
//!
//! Two replays at once could find the same row missing and send it in batches that are cut differently, which no token tells apart. ClickHouse has
//! no lock, but of several blocks with one deduplication token it keeps one. So a claim is a line of `ecommerce.replay_claims` with the next number,
//! which is its token too, and whoever then reads this line, and no other that stands, under the highest number has the claim. That holds even
//! where the token is forgotten: of two that both write and then read, one at least sees the other, and gives way.
//!
//! Nothing releases the claim of a replay that was killed: whether its last batch is still on its way, no clock can tell. An operator can.

use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::ReplayError;
use crate::connection::{Connection, ConnectionError};

/// How often another number is tried, if others take and release theirs meanwhile.
const MAX_TRIES: u32 = 3;

/// A line of `ecommerce.replay_claims`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Line {
    number: u64,
    run_id: Uuid,
    is_released: u8,
    client: String,
    claimed_at: String,
    claimed_by: String,
}

/// The right to insert, until it is released.
pub(super) struct Claim<'c> {
    connection: &'c Connection,
    number: u64,
    run_id: Uuid,
}

impl<'c> Claim<'c> {
    /// Claims the table; first releases the claim `broken`, if that is the one which stands.
    pub(super) fn take(connection: &'c Connection, broken: Option<Uuid>) -> Result<Self, ReplayError> {
        for _ in 0..MAX_TRIES {
            let lines = newest(connection)?;
            if let Some(holder) = standing(&lines).find(|line| Some(line.run_id) != broken) {
                return Err(held(holder));
            }
            if let Some(gone) = standing(&lines).next() {
                Self { connection, number: gone.number, run_id: gone.run_id }.release()?;
            }
            let number = lines.first().map_or(1, |line| line.number.saturating_add(1));
            let claim = Self { connection, number, run_id: Uuid::now_v7() };
            let seen = claim.write(false).and_then(|()| newest(connection));
            if seen.as_ref().is_ok_and(|lines| is_held_by(claim.run_id, lines)) {
                return Ok(claim);
            }
            // Its line may be there all the same: if the answer was lost, or beside another whose token is forgotten. Where it is not, a released
            // one would only hide the other's from a server that has not heard of that yet.
            if seen.as_ref().map_or(true, |lines| lines.iter().any(|line| line.run_id == claim.run_id)) {
                claim.release()?;
            }
            seen?;
        }
        Err(ReplayError::Crowded)
    }

    /// An error if it was broken meanwhile.
    pub(super) fn check(&self) -> Result<(), ReplayError> {
        let stands = is_held_by(self.run_id, &newest(self.connection)?);
        if stands { Ok(()) } else { Err(ReplayError::Broken { claim: self.run_id }) }
    }

    /// Gives it back after this result, unless a batch may still be on its way.
    pub(super) fn end(self, result: Result<(), ReplayError>) -> Result<(), ReplayError> {
        let left = |cause| ReplayError::ClaimLeft { claim: self.run_id, cause: Box::new(cause) };
        match result {
            Err(error) if error.is_open() => Err(left(error)),
            result => match self.release() {
                Ok(()) => result,
                Err(source) => Err(left(result.err().unwrap_or_else(|| source.into()))),
            },
        }
    }

    /// Safe to repeat.
    fn release(&self) -> Result<(), ConnectionError> {
        self.write(true)
    }

    fn write(&self, is_released: bool) -> Result<(), ConnectionError> {
        let Self { number, run_id, .. } = self;
        let line = json!({"number": number, "run_id": run_id.to_string(), "is_released": u8::from(is_released), "client": client()});
        let token = if is_released { format!("released-{number}-{run_id}") } else { format!("claimed-{number}") };
        self.connection
            .execute(&format!(
                "INSERT INTO ecommerce.replay_claims (number, run_id, is_released, client) SETTINGS async_insert = 0, insert_deduplicate = 1, \
                 deduplicate_insert = 'enable', insert_deduplication_token = '{token}' FORMAT JSONEachRow\n{line}\n"
            ))
            .map(drop)
    }
}

/// The lines under the highest number: one, as a rule.
fn newest(connection: &Connection) -> Result<Vec<Line>, ConnectionError> {
    let lines = connection.execute(
        "SELECT number, run_id, is_released, client, toString(claimed_at) AS claimed_at, claimed_by FROM ecommerce.replay_claims FINAL \
         WHERE number = (SELECT max(number) FROM ecommerce.replay_claims) \
         SETTINGS output_format_json_quote_64bit_integers = 0 FORMAT JSONEachRow",
    )?;
    let parse = |line| {
        serde_json::from_str(line).map_err(|error| ConnectionError::Exception {
            code: 0,
            text: format!("expected a row of replay_claims: {error}"),
        })
    };
    lines.lines().map(parse).collect()
}

fn standing(lines: &[Line]) -> impl Iterator<Item = &Line> {
    lines.iter().filter(|line| line.is_released == 0)
}

/// Whether nobody else has a line under the number, but for those who have given way.
fn is_held_by(run_id: Uuid, lines: &[Line]) -> bool {
    let mut standing = standing(lines);
    standing.next().is_some_and(|line| line.run_id == run_id) && standing.next().is_none()
}

fn held(holder: &Line) -> ReplayError {
    let Line { run_id, client, claimed_at, claimed_by, .. } = holder.clone();
    ReplayError::Held { claim: run_id, client, claimed_at, claimed_by }
}

/// Who runs this, for an operator who wonders whether it is still there.
fn client() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("USERNAME")).unwrap_or_else(|_| "somebody".to_owned());
    let host = gethostname::gethostname();
    format!("{user} on {}, process {}", host.to_string_lossy(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_lines_under_one_number_neither_holds_until_one_gives_way() {
        let [mine, other] = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let line = |run_id: Uuid, is_released: u8| {
            let line = json!({"number": 7, "run_id": run_id, "is_released": is_released, "client": "", "claimed_at": "", "claimed_by": ""});
            serde_json::from_value::<Line>(line).expect("a line")
        };
        for (lines, is_mine) in [
            (vec![], false),
            (vec![line(mine, 0)], true),
            (vec![line(mine, 1)], false),
            (vec![line(other, 0)], false),
            (vec![line(mine, 0), line(other, 0)], false),
            (vec![line(mine, 0), line(other, 1)], true),
        ] {
            assert_eq!(is_held_by(mine, &lines), is_mine, "{lines:?}");
        }
    }
}
