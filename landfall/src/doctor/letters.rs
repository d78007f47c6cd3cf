//! A region's dead letters. In scope: how many, why the most, and the command that brings them back.

use serde::Deserialize;

use super::{Note, advice};
use crate::connection::Connection;

/// Open is a letter whose event is not in the table. Events are looked up by site and day, which come first in their sorting key; older letters are
/// left out, so that not every day that ever had one is read.
const QUERY: &str = "WITH letters AS (SELECT * FROM ecommerce.dead_letters WHERE stored_at > now() - INTERVAL 30 DAY) \
     SELECT code, errorCodeToName(toInt32OrZero(code)) AS name, extract(any(message), 'value of key ([A-Za-z_]+)') AS column, \
     uniqExactIf((site_id, event_id), stored_at > now() - INTERVAL 1 DAY) AS of_a_day, \
     uniqExactIf((site_id, event_id), is_open) AS open, toString(toDateTime(minIf(stored_at, is_open), 'UTC')) AS since \
     FROM (SELECT code, message, site_id, event_id, stored_at, (site_id, toUUIDOrZero(event_id)) NOT IN (\
       SELECT site_id, event_id FROM ecommerce.events WHERE site_id IN (SELECT site_id FROM letters) \
       AND toDate(timestamp) IN (SELECT toDateOrZero(substring(JSONExtractString(line, 'timestamp'), 1, 10)) FROM letters) \
       AND event_id IN (SELECT toUUIDOrZero(event_id) FROM letters)) AS is_open FROM letters) \
     GROUP BY code ORDER BY open DESC, code SETTINGS output_format_json_quote_64bit_integers = 0 FORMAT JSONEachRow";

/// The letters of one code. ClickHouse's message is left out: it may quote a visitor's data.
#[derive(Debug, Deserialize)]
struct Letters {
    code: String,
    /// Of the code.
    name: String,
    /// Which column could not be read, if the message says so.
    column: String,
    of_a_day: u64,
    open: u64,
    /// When the first open one was stored.
    since: String,
}

/// Notes the dead letters.
pub(super) fn look(connection: &Connection, note: &mut Note<'_>) {
    const CHECK: &str = "dead letters";
    let rows = match connection.execute(QUERY) {
        Ok(rows) => rows,
        Err(error) => return note(CHECK, error.to_string(), Some(advice::of_error(&error, connection.url()))),
    };
    let letters: Result<Vec<Letters>, _> = rows.lines().map(serde_json::from_str).collect();
    match letters {
        Ok(letters) => {
            let (found, advice) = tell(&letters, connection.url());
            note(CHECK, found, advice);
        }
        Err(error) => {
            let advice = "doctor does not understand this server: are both up to date?";
            note(CHECK, error.to_string(), Some(advice.to_owned()));
        }
    }
}

/// What there is, and what to do if any are open. Those of the most frequent code come first.
fn tell(letters: &[Letters], url: &str) -> (String, Option<String>) {
    let sum = |count: fn(&Letters) -> u64| letters.iter().map(count).sum::<u64>();
    let (open, of_a_day) = (sum(|letters| letters.open), sum(|letters| letters.of_a_day));
    let found = format!("{open} open of 30 days; {of_a_day} came in the last 24 h");
    let Some(most) = letters.first().filter(|most| most.open > 0) else { return (found, None) };
    let since = letters.iter().filter(|letters| letters.open > 0).map(|letters| &letters.since).min();
    let since = since.map(|since| format!(" --from '{since}'")).unwrap_or_default();
    let column = if most.column.is_empty() { String::new() } else { format!(" of column {}", most.column) };
    let advice = format!(
        "mend why ClickHouse refused them (most, {}: code {} {}{column}), then: landfall replay --url {url}{since}",
        most.open, most.code, most.name
    );
    (found, Some(advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(code: &str, column: &str, of_a_day: u64, open: u64, since: &str) -> Letters {
        let (code, name, column, since) = (code.to_owned(), "NAME".to_owned(), column.to_owned(), since.to_owned());
        Letters { code, name, column, of_a_day, open, since }
    }

    #[test]
    fn letters_that_are_replayed_need_nothing() {
        assert_eq!(tell(&[], "http://h"), ("0 open of 30 days; 0 came in the last 24 h".to_owned(), None));
        let replayed = letters("69", "seq", 3, 0, "1970-01-01 00:00:00");
        assert_eq!(tell(&[replayed], "http://h"), ("0 open of 30 days; 3 came in the last 24 h".to_owned(), None));
    }

    #[test]
    fn open_letters_come_with_their_reason_and_the_command() {
        let all = [
            letters("69", "seq", 3, 5, "2026-11-20 10:00:00"),
            letters("27", "", 1, 2, "2026-11-19 09:00:00"),
            letters("6", "", 9, 0, "1970-01-01 00:00:00"),
        ];
        let (found, advice) = tell(&all, "http://h:8123");
        assert_eq!(found, "7 open of 30 days; 13 came in the last 24 h");
        let advice = advice.unwrap();
        assert!(advice.contains("(most, 5: code 69 NAME of column seq)"), "{advice}");
        assert!(advice.ends_with("landfall replay --url http://h:8123 --from '2026-11-19 09:00:00'"), "{advice}");
    }
}
