//! Rows read back from their stored lines.
//!
//! In scope: the site of a line, and counts per minute and site, for a batch that had to be taken apart. Out of scope: writing lines (`row`).

use serde::Deserialize;

use crate::ledger::Ledger;
use crate::outcome::Outcome;

/// The site of a row.
pub fn site_id(line: &[u8]) -> Option<String> {
    Stored::read(line).map(|row| row.site_id.into_owned())
}

/// What of a stored row is needed to count it.
#[derive(Deserialize)]
struct Stored<'a> {
    #[serde(borrow)]
    site_id: std::borrow::Cow<'a, str>,
    received_at: &'a str,
}

impl<'a> Stored<'a> {
    fn read(line: &'a [u8]) -> Option<Self> {
        serde_json::from_str(std::str::from_utf8(line).ok()?).ok()
    }
}

/// Counts rows, one JSON object per line, as stored ones. What cannot be read is counted in minute 0 of the site `''`.
pub fn tally(lines: &[u8]) -> Ledger {
    let mut ledger = Ledger::default();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let (minute_s, site_id) =
            Stored::read(line).map(|row| (minute_s(row.received_at).unwrap_or(0), row.site_id)).unwrap_or_default();
        ledger.add(minute_s, &site_id, Outcome::Accepted(None), 1);
    }
    ledger
}

/// The start of the minute of a column's text `YYYY-MM-DD hh:mm:ss.mmm`, in seconds since 1970.
fn minute_s(text: &str) -> Option<u32> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u32>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute) = (number(11..13)?, number(14..16)?);
    days(year, month, day)?.checked_mul(24)?.checked_add(hour)?.checked_mul(60)?.checked_add(minute)?.checked_mul(60)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, counted in years that begin in March: leap days come last.
fn days(year: u32, month: u32, day: u32) -> Option<u32> {
    let is_before_march = month <= 2;
    let year = year.checked_sub(u32::from(is_before_march))?;
    let month = if is_before_march { month.checked_add(9)? } else { month.checked_sub(3)? };
    let in_year = month.checked_mul(153)?.checked_add(2)? / 5;
    let leap_days = year / 4 - year / 100 + year / 400;
    let since_year_0 = year.checked_mul(365)?.checked_add(leap_days)?.checked_add(in_year)?.checked_add(day)?;
    since_year_0.checked_sub(DAYS_TO_1970)
}

/// Days from 0000-02-29, the day before the first year that begins in March, to 1970-01-01.
const DAYS_TO_1970: u32 = 719_469;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ledger;
    use crate::row::push_time;

    #[test]
    fn rows_are_counted_by_minute_and_site() {
        let lines = concat!(
            "{\"event_id\":\"1\",\"site_id\":\"demo\",\"received_at\":\"2025-11-20 17:34:20.123\"}\n",
            "{\"site_id\":\"demo\",\"received_at\":\"2025-11-20 17:34:59.999\"}\n",
            "{\"site_id\":\"b\\u0062\",\"received_at\":\"2025-11-20 17:35:00.000\"}\n",
            "no row\n",
        );
        let found: Vec<_> =
            tally(lines.as_bytes()).iter().map(|(key, count)| (key.minute_s, key.site_id.clone(), count)).collect();
        let expected = [(0, "", 1), (1_763_660_040, "demo", 2), (1_763_660_100, "bb", 1)];
        assert_eq!(found, expected.map(|(minute_s, site, count)| (minute_s, site.to_owned(), count)));
    }

    proptest! {
        #[test]
        fn the_minute_is_read_as_it_was_written(time_ms in 0..4_000_000_000_000_i64) {
            let mut text = Vec::new();
            push_time(&mut text, time_ms);
            prop_assert_eq!(minute_s(std::str::from_utf8(&text).unwrap()), Some(ledger::minute_s(time_ms)));
        }

        #[test]
        fn any_text_gets_an_answer(text in "\\PC{0,30}|[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}.*") {
            let _ = minute_s(&text);
        }
    }
}
