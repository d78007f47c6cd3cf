//! Rows from the dead letters. In scope: which ones, reading them page by page.

use collector_core::site::is_id;
use serde::Deserialize;

use super::{Line, Lines, MAX_BATCH_ROWS, ReplayError};
use crate::connection::{Connection, ConnectionError};
use crate::time;

/// Which dead letters; everything that is not named is meant.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Stored at or after: `YYYY-MM-DD` or `YYYY-MM-DD hh:mm:ss`, UTC.
    pub from: Option<String>,
    /// Stored before.
    pub to: Option<String>,
    /// Of this site.
    pub site: Option<String>,
}

/// One dead letter; if an event has several, the newest. Ids are each site's own, so an event is its site and its id.
#[derive(Debug, Deserialize)]
struct Letter {
    site_id: String,
    /// The event's id, or a digest of the line if that has none.
    key: String,
    line: String,
    stored_at: String,
}

/// Hands over the chosen letters, oldest first.
pub(super) fn read(
    connection: &Connection,
    choice: &Choice,
    take: &mut dyn FnMut(Vec<Line>) -> Result<(), ReplayError>,
) -> Result<(), ReplayError> {
    let condition = choice.condition()?;
    let mut last = None;
    loop {
        let page = page(connection, &page_sql(&condition, last.as_ref()))?;
        take(page.lines)?;
        if page.is_last {
            return Ok(());
        }
        last = page.end;
    }
}

/// Letters that are sent together.
struct Page {
    lines: Vec<Line>,
    /// Where the next one begins.
    end: Option<Place>,
    is_last: bool,
}

/// A letter's place in the order of reading.
struct Place {
    stored_at: String,
    site_id: String,
    key: String,
}

/// The letters behind `last`, as many as are sent together.
fn page_sql(condition: &str, last: Option<&Place>) -> String {
    let behind = last.map_or_else(
        || "1".to_owned(),
        |Place { stored_at, site_id, key }| {
            let (site_id, key) = (escape(site_id), escape(key));
            format!("(newest, site_id, key) > (toDateTime64('{stored_at}', 3, 'UTC'), '{site_id}', '{key}')")
        },
    );
    format!(
        "SELECT site_id, key, text AS line, toString(newest) AS stored_at FROM (\
         SELECT site_id, if(event_id = '', hex(SHA256(line)), event_id) AS key, argMax(line, stored_at) AS text, max(stored_at) AS newest \
         FROM ecommerce.dead_letters WHERE {condition} GROUP BY site_id, key) \
         WHERE {behind} ORDER BY newest, site_id, key LIMIT {MAX_BATCH_ROWS} FORMAT JSONEachRow"
    )
}

/// Reads line by line and no further than a page may be long: the rest of the reply is left, and asked for again as the next page.
fn page(connection: &Connection, sql: &str) -> Result<Page, ReplayError> {
    let mut reply = connection.lines(sql)?;
    let (mut lines, mut end) = (Lines::default(), None);
    let mut is_last = false;
    while !lines.is_full() && !is_last {
        match reply.next()? {
            Some(text) => {
                let Letter { site_id, key, line, stored_at } = parse(text)?;
                lines.push(Line { origin: format!("dead letter of {stored_at}"), text: line });
                end = Some(Place { stored_at, site_id, key });
            }
            None => is_last = true,
        }
    }
    Ok(Page { lines: lines.take(), end, is_last })
}

impl Choice {
    /// As SQL; the texts are checked, so none of them can end a quote.
    fn condition(&self) -> Result<String, ReplayError> {
        let mut conditions = vec!["1".to_owned()];
        for (field, operator, text) in [("--from", ">=", &self.from), ("--to", "<", &self.to)] {
            if let Some(text) = text {
                let expected = time::EXPECTED;
                let time =
                    time::parse(text).ok_or_else(|| ReplayError::Choice { field, expected, found: text.clone() })?;
                conditions.push(format!("stored_at {operator} toDateTime64('{time}', 3, 'UTC')"));
            }
        }
        if let Some(site) = &self.site {
            if !is_id(site) {
                let expected = "a site id";
                return Err(ReplayError::Choice { field: "--site", expected, found: site.clone() });
            }
            conditions.push(format!("site_id = '{site}'"));
        }
        Ok(conditions.join(" AND "))
    }
}

fn parse(line: &str) -> Result<Letter, ConnectionError> {
    serde_json::from_str(line).map_err(|error| ConnectionError::Exception {
        code: 0,
        text: format!("expected a row of dead_letters: {error}"),
    })
}

fn escape(text: &str) -> String {
    text.replace('\\', r"\\").replace('\'', r"\'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_cannot_end_its_quote() {
        let choice = Choice { site: Some("a' OR '1".to_owned()), ..Choice::default() };
        assert!(choice.condition().is_err());
        assert_eq!(Choice::default().condition().expect("no condition"), "1");
    }

    #[test]
    fn a_page_begins_behind_the_site_and_key_of_the_last_letter() {
        assert!(page_sql("1", None).contains("GROUP BY site_id, key) WHERE 1 ORDER BY newest, site_id, key LIMIT"));
        let (stored_at, site_id, key) = ("2026-11-20 10:00:00.000".to_owned(), "a'b".to_owned(), r"k\".to_owned());
        let sql = page_sql("1", Some(&Place { stored_at, site_id, key }));
        assert!(sql.contains(r"> (toDateTime64('2026-11-20 10:00:00.000', 3, 'UTC'), 'a\'b', 'k\\')"), "{sql}");
    }
}
