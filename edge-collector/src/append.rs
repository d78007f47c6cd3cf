//! Handing rows to the Batchers. In scope: which Batcher gets which rows, and what to do when one cannot take them.

use collector_core::append::{self, Append, Taken};
use collector_core::collected::{Collected, CollectedRow};
use collector_core::ledger::Ledger;
use collector_core::log::{Level, Line};
use collector_core::region::{self, RegionOrder};
use js_sys::{Function, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use worker::{Env, Error, Method, ObjectNamespace, Result, Stub};

use crate::config::{Config, Endpoint};
use crate::{log, object};

/// A frame is closed at this size: well below what one may have, since a row is far smaller than the difference.
const FRAME_BYTES: usize = 400_000;

/// What a Batcher said.
enum Said {
    Taken(Vec<Taken>),
    /// It did not take them: somebody else may.
    Refused,
    /// It may have taken them: only the same Batcher knows the ids if they come again.
    Unknown,
}

/// Makes every row durable, notes on the receipts what became of it, and counts the rest.
pub(crate) async fn append(env: &Env, config: &Config, collected: &mut Collected) {
    for Group { positions, .. } in group(config, &collected.rows) {
        let counts = std::mem::take(&mut collected.counts);
        match send_somewhere(env, config, collected, &positions, &counts).await {
            Said::Taken(answers) => collected.settle(&positions, &answers),
            Said::Refused => {
                collected.counts = counts;
                collected.refuse(&positions);
            }
            // The counts went with the rows: sending them again could count twice.
            Said::Unknown => collected.doubt(&positions),
        }
    }
    count(env, config, std::mem::take(&mut collected.counts)).await;
}

/// Rows that go into one frame.
struct Group {
    /// Where they may go: of two sites with the same home, one may be barred from the other's fallbacks.
    regions: RegionOrder,
    shard: u32,
    bytes: usize,
    positions: Vec<usize>,
}

/// Rows of the same region and shard together, as many as a frame holds.
fn group(config: &Config, rows: &[CollectedRow]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (position, row) in rows.iter().enumerate() {
        let home = row.regions.first().copied();
        let shard =
            home.and_then(|home| config.regions.get(home)).map_or(0, |region| region::shard(row.visitor_id, region));
        let bytes = row.line.len();
        let is_open = |group: &&mut Group| {
            group.regions == row.regions && group.shard == shard && group.bytes + bytes < FRAME_BYTES
        };
        match groups.iter_mut().find(is_open) {
            Some(group) => {
                group.bytes += bytes;
                group.positions.push(position);
            }
            None => groups.push(Group { regions: row.regions.clone(), shard, bytes, positions: vec![position] }),
        }
    }
    groups
}

/// The home shard, else the next shard there, else the other permitted regions: but only after a definite no.
async fn send_somewhere(
    env: &Env,
    config: &Config,
    collected: &Collected,
    positions: &[usize],
    counts: &Ledger,
) -> Said {
    let Some(first) = positions.first().and_then(|position| collected.rows.get(*position)) else {
        return Said::Refused;
    };
    let frame = match append::encode(&collected.frame(positions, counts.clone())) {
        Ok(frame) => frame,
        Err(error) => {
            log::write(Line::new(Level::Warn, "frame_not_encoded").error(error));
            return Said::Refused;
        }
    };
    for position in &first.regions {
        let Some(region) = config.regions.get(*position) else { continue };
        let Some(endpoint) = config.endpoint(&region.name) else { continue };
        let home = region::shard(first.visitor_id, region);
        let shards = if region.shards > 1 { vec![home, (home + 1) % region.shards] } else { vec![home] };
        for shard in shards {
            match send(env, endpoint, shard, &frame, positions.len()).await {
                Ok(Said::Refused) => {}
                Ok(said) => return said,
                Err(error) => {
                    log::write(Line::new(Level::Warn, "append_failed").at(&region.name, shard).error(&error));
                    return Said::Unknown;
                }
            }
        }
    }
    Said::Refused
}

/// Counts events that are no rows, in the books of the first region that takes them. If none does, nothing that was acknowledged is lost.
pub(crate) async fn count(env: &Env, config: &Config, counts: Ledger) {
    if counts.is_empty() {
        return;
    }
    let Ok(frame) = append::encode(&Append { counts, ..Append::default() }) else { return };
    for endpoint in config.endpoints() {
        match send(env, endpoint, 0, &frame, 0).await {
            Ok(Said::Refused) => {}
            Ok(_) => return,
            Err(error) => {
                log::write(Line::new(Level::Warn, "outcomes_not_counted").at(&endpoint.name, 0).error(&error));
                return;
            }
        }
    }
}

async fn send(env: &Env, endpoint: &Endpoint, shard: u32, frame: &[u8], lines: usize) -> Result<Said> {
    let url = format!("https://batcher/append?region={}&shard={shard}", endpoint.name);
    match object::call(batcher(env, endpoint, shard)?, &Method::Post, &url, Some(frame)).await {
        Ok(answer) if answer.status() == 200 => {
            let answer = answer.header(append::ANSWER_HEADER).unwrap_or_default();
            append::decode_answer(&answer, lines).map(Said::Taken).map_err(|error| Error::RustError(error.to_string()))
        }
        Ok(answer) => {
            answer.discard().await;
            Ok(Said::Refused)
        }
        Err(error) if is_overloaded(&error) => Ok(Said::Refused),
        Err(error) => Err(error),
    }
}

/// An overloaded object has not run the request at all.
fn is_overloaded(error: &Error) -> bool {
    let Error::UnknownJsError { original, .. } = error else { return false };
    Reflect::get(original, &JsValue::from_str("overloaded")).is_ok_and(|value| value.is_truthy())
}

/// The Batcher of a region's shard.
pub(crate) fn batcher(env: &Env, endpoint: &Endpoint, shard: u32) -> Result<Stub> {
    let mut namespace = env.durable_object("BATCHER")?;
    if let Some(jurisdiction) = &endpoint.jurisdiction {
        namespace = within(&namespace, jurisdiction)?;
    }
    let name = region::batcher_name(&endpoint.region(), shard);
    match &endpoint.location_hint {
        Some(hint) => namespace.get_by_name_with_location_hint(&name, hint),
        None => namespace.get_by_name(&name),
    }
}

/// The namespace whose objects stay within a jurisdiction; the `worker` crate has no binding for it.
fn within(namespace: &ObjectNamespace, jurisdiction: &str) -> Result<ObjectNamespace> {
    let method: Function = Reflect::get(namespace.as_ref(), &JsValue::from_str("jurisdiction"))?.dyn_into()?;
    let restricted = method.call1(namespace.as_ref(), &JsValue::from_str(jurisdiction))?;
    Ok(restricted.unchecked_into())
}
