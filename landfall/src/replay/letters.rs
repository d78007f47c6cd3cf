//! Rows from the dead letters. In scope: which ones, reading them page by page.

use collector_core::site::is_id;
use serde::Deserialize;

use super::{BATCH_ROWS_MAX, Line, ReplayError};
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
    let mut last: Option<Letter> = None;
    loop {
        let page = page(connection, &page_sql(&condition, last.as_ref()))?;
        let is_last = page.len() < BATCH_ROWS_MAX;
        let origin = |letter: &Letter| format!("dead letter of {}", letter.stored_at);
        let lines = page.iter().map(|letter| Line { origin: origin(letter), text: letter.line.clone() }).collect();
        last = page.into_iter().last();
        take(lines)?;
        if is_last {
            return Ok(());
        }
    }
}

/// The letters behind `last`, as many as are sent together.
fn page_sql(condition: &str, last: Option<&Letter>) -> String {
    let behind = last.map_or_else(
        || "1".to_owned(),
        |Letter { site_id, key, stored_at, .. }| {
            let (site_id, key) = (escape(site_id), escape(key));
            format!("(newest, site_id, key) > (toDateTime64('{stored_at}', 3, 'UTC'), '{site_id}', '{key}')")
        },
    );
    format!(
        "SELECT site_id, key, text AS line, toString(newest) AS stored_at FROM (\
         SELECT site_id, if(event_id = '', hex(SHA256(line)), event_id) AS key, argMax(line, stored_at) AS text, max(stored_at) AS newest \
         FROM ecommerce.dead_letters WHERE {condition} GROUP BY site_id, key) \
         WHERE {behind} ORDER BY newest, site_id, key LIMIT {BATCH_ROWS_MAX} FORMAT JSONEachRow"
    )
}

/// Reads line by line, because a page of long letters is longer than a reply may be that is read at once.
fn page(connection: &Connection, sql: &str) -> Result<Vec<Letter>, ReplayError> {
    let mut lines = connection.lines(sql)?;
    let mut page = Vec::new();
    while let Some(line) = lines.next()? {
        page.push(parse(line)?);
    }
    Ok(page)
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
        let last = r#"{"site_id":"a'b","key":"k\\","line":"","stored_at":"2026-11-20 10:00:00.000"}"#;
        let sql = page_sql("1", Some(&parse(last).expect("a letter")));
        assert!(sql.contains(r"> (toDateTime64('2026-11-20 10:00:00.000', 3, 'UTC'), 'a\'b', 'k\\')"), "{sql}");
    }
}
