//! One batch of rows. In scope: checking it, leaving out what is in the table, sending the rest, finding the row that ClickHouse refuses.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use collector_core::delivery::Delivery;
use collector_core::insert::Table;
use collector_core::retry::Backoff;
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::claim::Claim;
use super::row::{self, Identity, Row};
use super::{Fate, Line, Receipt, ReplayError};
use crate::connection::{Connection, Reply};

/// How often a batch is sent that ClickHouse cannot take just now: half a minute in all.
const MAX_ATTEMPTS: u32 = 6;

/// Brings the rows of some lines into the table and notes what became of each; without a claim, what would.
pub(super) fn bring(
    connection: &Connection,
    claim: Option<&Claim<'_>>,
    lines: Vec<Line>,
    region: Option<&str>,
    note: &mut dyn FnMut(Receipt),
) -> Result<(), ReplayError> {
    let mut rows: Vec<Row> = Vec::with_capacity(lines.len());
    for Line { origin, text } in lines {
        match row::parse(&text, &origin, region) {
            Ok(row) => rows.push(row),
            Err(reason) => note(Receipt { event_id: None, origin, fate: Fate::Refused(reason) }),
        }
    }
    let mut known = present(connection, &rows)?;
    let mut missing = Vec::with_capacity(rows.len());
    for row in rows {
        // An id that comes twice from one site is one event.
        if known.insert(row.identity.clone()) { missing.push(row) } else { note(receipt(&row, Fate::Present)) }
    }
    let Some(claim) = claim else {
        for row in &missing {
            note(receipt(row, Fate::Inserted));
        }
        return Ok(());
    };
    let mut fates = HashMap::new();
    if let Err(error) = insert(connection, claim, &missing, &mut fates) {
        for row in missing.iter().filter(|row| fates.get(&row.identity) == Some(&Fate::Unsure)) {
            note(receipt(row, Fate::Unsure));
        }
        return Err(error);
    }
    let stored = present(connection, &missing)?;
    for row in &missing {
        note(receipt(row, fate(row, &stored, &mut fates)));
    }
    Ok(())
}

/// What became of a row that was sent: only what can be seen in the table counts as inserted.
fn fate(row: &Row, stored: &HashSet<Identity>, fates: &mut HashMap<Identity, Fate>) -> Fate {
    match fates.remove(&row.identity) {
        Some(fate) => fate,
        None if stored.contains(&row.identity) => Fate::Inserted,
        // ClickHouse remembers tokens longer than rows.
        None => Fate::Refused(
            "taken by ClickHouse, but not in the table: was it deleted there a short time ago?".to_owned(),
        ),
    }
}

/// The events that are in the table, of these rows and perhaps more: sites, dates and ids are looked up as lists each, because site and date come
/// first in its sorting key.
fn present(connection: &Connection, rows: &[Row]) -> Result<HashSet<Identity>, ReplayError> {
    if rows.is_empty() {
        return Ok(HashSet::new());
    }
    // None of these texts can end a quote: they are ids, dates and UUIDs.
    let quoted = |texts: BTreeSet<String>| texts.iter().map(|text| format!("'{text}'")).collect::<Vec<_>>().join(",");
    let sites = quoted(rows.iter().map(|row| row.identity.site_id.clone()).collect());
    let dates = quoted(rows.iter().map(|row| row.date.clone()).collect());
    let ids = quoted(rows.iter().map(|row| row.identity.event_id.to_string()).collect());
    let sql = format!(
        "SELECT DISTINCT site_id, event_id FROM ecommerce.events WHERE site_id IN ({sites}) \
         AND toDate(timestamp) IN (SELECT toDateOrZero(arrayJoin([{dates}]))) AND event_id IN ({ids})"
    );
    Ok(connection.execute(&sql)?.lines().filter_map(identity).collect())
}

/// `<site id>\t<event id>`
fn identity(line: &str) -> Option<Identity> {
    let (site_id, event_id) = line.split_once('\t')?;
    Some(Identity { site_id: site_id.to_owned(), event_id: Uuid::parse_str(event_id).ok()? })
}

/// Sends rows and notes the fates of those that are not stored for sure; a batch that ClickHouse refuses is halved until the rows are alone that it
/// refuses.
fn insert(
    connection: &Connection,
    claim: &Claim<'_>,
    rows: &[Row],
    fates: &mut HashMap<Identity, Fate>,
) -> Result<(), ReplayError> {
    if rows.is_empty() {
        return Ok(());
    }
    let reply = send(connection, claim, rows).inspect_err(|error| {
        if matches!(error, ReplayError::Unsure { .. }) {
            fates.extend(rows.iter().map(|row| (row.identity.clone(), Fate::Unsure)));
        }
    })?;
    match (reply.delivery, rows) {
        (Delivery::Delivered, _) => Ok(()),
        (_, [row]) => {
            fates.insert(row.identity.clone(), Fate::Refused(format!("ClickHouse: {}", reply.text)));
            Ok(())
        }
        _ => {
            let (first, second) = rows.split_at(rows.len() / 2);
            insert(connection, claim, first, fates)?;
            insert(connection, claim, second, fates)
        }
    }
}

/// Sends until the batch is stored or refused for what it is.
fn send(connection: &Connection, claim: &Claim<'_>, rows: &[Row]) -> Result<Reply, ReplayError> {
    let lines = rows.iter().fold(String::new(), |lines, row| lines + &row.json + "\n");
    let token = token_of(&lines);
    let mut backoff = Backoff::default();
    let (mut may_be_stored, mut is_open) = (false, false);
    loop {
        // While this one waited, somebody may have broken its claim; whoever cannot ask must not send.
        let right = if backoff.failures == 0 { Ok(()) } else { claim.check() };
        let reply = match right {
            Ok(()) => connection.insert(Table::Events, token, lines.as_bytes()),
            Err(ReplayError::Connection(error)) => Reply::not_sent(&error),
            Err(error) => return Err(error),
        };
        may_be_stored |= reply.may_be_stored;
        is_open |= reply.is_open;
        match reply.delivery {
            Delivery::Delivered | Delivery::Poison => return Ok(reply),
            Delivery::Retry | Delivery::Unknown if backoff.failures + 1 < MAX_ATTEMPTS => {
                // Nobody else waits for this server because of us, so there is nothing to spread by chance.
                std::thread::sleep(Duration::from_millis(backoff.next_wait_ms(reply.delivery, 0)));
            }
            Delivery::Retry | Delivery::Unknown | Delivery::Hold => {
                let (attempts, text) = (backoff.failures + 1, reply.text);
                return Err(if may_be_stored {
                    ReplayError::Unsure { attempts, text, is_open }
                } else {
                    ReplayError::NotTaken { attempts, text, is_open }
                });
            }
        }
    }
}

/// The same token for the same rows: a batch that is sent again, now or in another run, is stored once.
fn token_of(lines: &str) -> Uuid {
    let digest = Sha256::digest(lines);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

fn receipt(row: &Row, fate: Fate) -> Receipt {
    Receipt { event_id: Some(row.identity.event_id), origin: row.origin.clone(), fate }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_two_sites_with_one_id_have_fates_of_their_own() {
        let id = "01980a4e-0000-7000-8000-000000000001";
        let row = |site: &str| {
            let text = format!(
                r#"{{"event_id":"{id}","site_id":"{site}","event_type":"page_view","timestamp":"2026-11-20 10:00:00"}}"#
            );
            row::parse(&text, site, None).expect("a row")
        };
        let [stored, lost, poison] = ["stored", "lost", "poison"].map(row);
        let found = HashSet::from_iter(identity(&format!("stored\t{id}")));
        let mut fates = HashMap::from([(poison.identity.clone(), Fate::Refused("too long".to_owned()))]);
        let mut fate = |row| fate(row, &found, &mut fates);
        assert_eq!(fate(&stored), Fate::Inserted);
        assert!(matches!(fate(&lost), Fate::Refused(reason) if reason.contains("not in the table")));
        assert_eq!(fate(&poison), Fate::Refused("too long".to_owned()));
    }
}
