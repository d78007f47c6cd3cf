//! Times that an operator gives, as ClickHouse reads them.

/// What a time may look like, for errors.
pub(crate) const EXPECTED: &str = "YYYY-MM-DD or YYYY-MM-DD hh:mm:ss, in UTC,";

/// `YYYY-MM-DD hh:mm:ss`; a date alone is its first moment. Only digits and separators get through, so the text cannot end a quote.
pub(crate) fn parse(text: &str) -> Option<String> {
    const PATTERN: &[u8] = b"0000-00-00 00:00:00";
    let full = if text.len() == 10 { format!("{text} 00:00:00") } else { text.replace('T', " ") };
    let fits = |(byte, pattern): (u8, &u8)| if *pattern == b'0' { byte.is_ascii_digit() } else { byte == *pattern };
    (full.len() == PATTERN.len() && full.bytes().zip(PATTERN).all(fits) && is_time(&full)).then_some(full)
}

/// Whether a calendar and a clock have this time.
fn is_time(full: &str) -> bool {
    let mut parts = full.split(['-', ' ', ':']).filter_map(|part| part.parse::<u32>().ok());
    let mut next = || parts.next().unwrap_or(0);
    let (year, month, day) = (next(), next(), next());
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(is_leap),
        _ => 0,
    };
    (1..=days).contains(&day) && next() < 24 && next() < 60 && next() < 60
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_or_seconds() {
        assert_eq!(parse("2026-11-20").as_deref(), Some("2026-11-20 00:00:00"));
        assert_eq!(parse("2026-11-20T10:11:12").as_deref(), Some("2026-11-20 10:11:12"));
        assert_eq!(parse("2028-02-29").as_deref(), Some("2028-02-29 00:00:00"));
        for text in [
            "",
            "yesterday",
            "2026-11-2",
            "2026-11-20 10:11",
            "2026-11-20' OR 1 --",
            "2026-13-01",
            "2026-00-10",
            "2026-11-31",
            "2026-02-29",
            "2026-11-20 24:00:00",
            "2026-11-20 10:60:00",
            "2026-11-20 10:00:61",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
