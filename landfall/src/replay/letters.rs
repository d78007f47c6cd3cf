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

/// One dead letter; if an event has several, the newest.
#[derive(Debug, Deserialize)]
struct Letter {
    /// The event's id, or the line if that has none.
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
        let behind = last.as_ref().map_or_else(
            || "1".to_owned(),
            |last| format!("(newest, key) > (toDateTime64('{}', 3, 'UTC'), '{}')", last.stored_at, escape(&last.key)),
        );
        let sql = format!(
            "SELECT key, text AS line, toString(newest) AS stored_at FROM (\
             SELECT if(event_id = '', line, event_id) AS key, argMax(line, stored_at) AS text, max(stored_at) AS newest \
             FROM ecommerce.dead_letters WHERE {condition} GROUP BY key) \
             WHERE {behind} ORDER BY newest, key LIMIT {BATCH_ROWS_MAX} FORMAT JSONEachRow"
        );
        let page = parse(&connection.execute(&sql)?)?;
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

fn parse(rows: &str) -> Result<Vec<Letter>, ReplayError> {
    let unexpected =
        |error| ConnectionError::Exception { code: 0, text: format!("expected a row of dead_letters: {error}") };
    rows.lines().map(|line| serde_json::from_str(line).map_err(|error| unexpected(error).into())).collect()
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
}
