//! Whether a region's dictionaries are fresh. In scope: reading `system.dictionaries`, and when one counts as stale.

use serde::Deserialize;

use super::Note;
use crate::address::first_line;
use crate::connection::Connection;

/// A dictionary that has missed this many of its refreshes is stale.
const REFRESHES_MISSED_MAX: u64 = 3;

const QUERY: &str = "SELECT name, toString(status) AS status, toUInt32(element_count) AS entries, lifetime_max AS lifetime_s, \
     if(toUnixTimestamp(last_successful_update_time) = 0, NULL, \
        toUInt32(greatest(0, dateDiff('second', last_successful_update_time, now())))) AS age_s, last_exception \
     FROM system.dictionaries WHERE database = 'ecommerce' ORDER BY name \
     SETTINGS output_format_json_quote_64bit_integers = 0 FORMAT JSONEachRow";

/// One row of the answer.
#[derive(Debug, Deserialize)]
struct Dictionary {
    name: String,
    status: String,
    entries: u64,
    lifetime_s: u64,
    /// Since the last good load; absent if there was none.
    age_s: Option<u64>,
    last_exception: String,
}

/// Notes the state of every dictionary.
pub(super) fn look(connection: &Connection, note: &mut Note<'_>) {
    let rows = match connection.execute(QUERY) {
        Ok(rows) => rows,
        Err(error) => {
            return note("dictionaries", error.to_string(), Some("ask again when ClickHouse answers".to_owned()));
        }
    };
    if rows.trim().is_empty() {
        let advice =
            "the schema has two: landfall migrate, or let the user see them (GRANT SHOW, dictGet ON ecommerce.*)";
        return note("dictionaries", "none".to_owned(), Some(advice.to_owned()));
    }
    for line in rows.lines() {
        match serde_json::from_str::<Dictionary>(line) {
            Ok(dictionary) => note(&dictionary.name, dictionary.state(), dictionary.advice()),
            Err(error) => note("dictionaries", format!("expected a row of system.dictionaries: {error}"), None),
        }
    }
}

impl Dictionary {
    fn state(&self) -> String {
        let age = self.age_s.map_or_else(|| "never loaded".to_owned(), |age_s| format!("loaded {age_s} s ago"));
        let state = format!("{} entries, {age}", self.entries);
        match self.last_exception.as_str() {
            "" => state,
            exception => format!("{state}; last error: {}", first_line(exception)),
        }
    }

    fn advice(&self) -> Option<String> {
        let reload = format!("SYSTEM RELOAD DICTIONARY ecommerce.{}", self.name);
        let Some(age_s) = self.age_s else {
            // Not asked for yet is fine for a query, and still worth a look: a view would fail on it.
            return Some(format!("check that the feed answers (/readyz) and its token fits, then {reload}"));
        };
        let is_old = self.lifetime_s > 0 && age_s > REFRESHES_MISSED_MAX * self.lifetime_s;
        if is_old || self.status.starts_with("FAILED") {
            return Some(format!("stale: queries get old values; check the feed's /readyz and token, then {reload}"));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dictionary(status: &str, age_s: Option<u64>) -> Dictionary {
        Dictionary {
            name: "countries_dict".to_owned(),
            status: status.to_owned(),
            entries: 249,
            lifetime_s: 600,
            age_s,
            last_exception: String::new(),
        }
    }

    #[test]
    fn a_dictionary_is_stale_by_age_not_by_one_failure() {
        assert_eq!(dictionary("LOADED", Some(1_800)).advice(), None);
        assert!(dictionary("LOADED", Some(1_801)).advice().is_some());
        assert!(dictionary("FAILED", Some(1)).advice().is_some());
        assert!(dictionary("NOT_LOADED", None).advice().is_some());
        let failed_once = Dictionary { last_exception: "Code: 86.\nx".to_owned(), ..dictionary("LOADED", Some(5)) };
        assert_eq!(failed_once.advice(), None);
        assert_eq!(failed_once.state(), "249 entries, loaded 5 s ago; last error: Code: 86.");
    }
}
