//! Whether a region's dictionaries may be trusted. In scope: what to do for each state. Out of scope: when one is in it
//! (`ecommerce.dictionary_health`, which monitors read too).

use serde::Deserialize;

use super::{Note, advice};
use crate::address::first_line;
use crate::connection::Connection;

const QUERY: &str = "SELECT name, state, is_healthy = 1 AS is_healthy, is_partial = 1 AS is_partial, toUInt64(rows) AS rows, age_s, last_error \
     FROM ecommerce.dictionary_health ORDER BY name SETTINGS output_format_json_quote_64bit_integers = 0 FORMAT JSONEachRow";

/// One line of the view.
#[derive(Debug, Deserialize)]
struct Dictionary {
    name: String,
    state: String,
    #[serde(deserialize_with = "from_number")]
    is_healthy: bool,
    /// It holds single keys or none.
    #[serde(deserialize_with = "from_number")]
    is_partial: bool,
    rows: u64,
    /// Since the last good load; absent if there was none.
    age_s: Option<u64>,
    last_error: String,
}

/// Notes the state of every dictionary.
pub(super) fn look(connection: &Connection, note: &mut Note<'_>) {
    const CHECK: &str = "dictionaries";
    let rows = match connection.execute(QUERY) {
        Ok(rows) => rows,
        Err(error) => return note(CHECK, error.to_string(), Some(advice::of_error(&error, connection.url()))),
    };
    if rows.trim().is_empty() {
        let advice =
            "the schema has two: landfall migrate, or let the user see them (GRANT SHOW, dictGet ON ecommerce.*)";
        return note(CHECK, "none".to_owned(), Some(advice.to_owned()));
    }
    for line in rows.lines() {
        match serde_json::from_str::<Dictionary>(line) {
            Ok(dictionary) => note(&dictionary.name, dictionary.found(), dictionary.advice()),
            Err(error) => {
                let advice = "doctor does not understand this server: are both up to date?";
                note(CHECK, error.to_string(), Some(advice.to_owned()));
            }
        }
    }
}

impl Dictionary {
    fn found(&self) -> String {
        let mut found = match (self.state.as_str(), self.age_s) {
            ("unused", _) => "not asked for yet".to_owned(),
            (_, Some(age_s)) => format!("{} entries, loaded {age_s} s ago", self.rows),
            (_, None) if self.is_partial => "asks its feed for each query".to_owned(),
            (_, None) => "never loaded".to_owned(),
        };
        if !self.is_healthy {
            found = format!("{}: {found}", self.state);
        }
        if !self.last_error.is_empty() {
            found = format!("{found}; last error: {}", first_line(&self.last_error));
        }
        found
    }

    fn advice(&self) -> Option<String> {
        if self.is_healthy {
            return None;
        }
        let why = match self.state.as_str() {
            "failing" => "queries get old values: see that its feed answers (/readyz) and its token fits",
            "failed" => "queries that use it fail: see that its feed answers (/readyz) and its token fits",
            "stale" => "refreshes have stopped",
            "empty" => "that is no feed of ours: mend its URL",
            _ => "see SELECT * FROM ecommerce.dictionary_health",
        };
        Some(format!("{why}; then SYSTEM RELOAD DICTIONARY ecommerce.{}", self.name))
    }
}

/// ClickHouse's booleans that are numbers.
fn from_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    u8::deserialize(deserializer).map(|number| number != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dictionary(state: &str, age_s: Option<u64>, last_error: &str) -> Dictionary {
        Dictionary {
            name: "countries_dict".to_owned(),
            state: state.to_owned(),
            is_healthy: matches!(state, "ok" | "unused"),
            is_partial: false,
            rows: 249,
            age_s,
            last_error: last_error.to_owned(),
        }
    }

    #[test]
    fn every_state_that_is_not_healthy_says_what_to_do() {
        for (state, age_s, error, found) in [
            ("ok", Some(5), "", "249 entries, loaded 5 s ago"),
            ("unused", None, "", "not asked for yet"),
            ("failing", Some(700), "Code: 86.\nx", "failing: 249 entries, loaded 700 s ago; last error: Code: 86."),
            ("failed", None, "Code: 86.", "failed: never loaded; last error: Code: 86."),
            ("stale", Some(9_000), "", "stale: 249 entries, loaded 9000 s ago"),
        ] {
            let dictionary = dictionary(state, age_s, error);
            assert_eq!(dictionary.found(), found);
            let advice = dictionary.advice();
            assert_eq!(advice.is_none(), dictionary.is_healthy, "{state}");
            let command = "; then SYSTEM RELOAD DICTIONARY ecommerce.countries_dict";
            assert!(advice.is_none_or(|advice| advice.ends_with(command)), "{state}");
        }
    }

    #[test]
    fn a_line_of_the_view_is_read() {
        let line = r#"{"name":"d","state":"ok","is_healthy":1,"is_partial":0,"rows":2,"age_s":null,"last_error":""}"#;
        let dictionary: Dictionary = serde_json::from_str(line).unwrap();
        assert_eq!((dictionary.is_healthy, dictionary.is_partial, dictionary.age_s), (true, false, None));
    }
}
