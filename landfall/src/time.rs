//! Times that an operator gives, as ClickHouse reads them.

/// What a time may look like, for errors.
pub(crate) const EXPECTED: &str = "YYYY-MM-DD or YYYY-MM-DD hh:mm:ss, in UTC,";

/// `YYYY-MM-DD hh:mm:ss`; a date alone is its first moment. Only digits and separators get through, so the text cannot end a quote.
pub(crate) fn parse(text: &str) -> Option<String> {
    const PATTERN: &[u8] = b"0000-00-00 00:00:00";
    let full = if text.len() == 10 { format!("{text} 00:00:00") } else { text.replace('T', " ") };
    let fits = |(byte, pattern): (u8, &u8)| if *pattern == b'0' { byte.is_ascii_digit() } else { byte == *pattern };
    (full.len() == PATTERN.len() && full.bytes().zip(PATTERN).all(fits)).then_some(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_or_seconds() {
        assert_eq!(parse("2026-11-20").as_deref(), Some("2026-11-20 00:00:00"));
        assert_eq!(parse("2026-11-20T10:11:12").as_deref(), Some("2026-11-20 10:11:12"));
        for text in ["", "yesterday", "2026-11-2", "2026-11-20 10:11", "2026-11-20' OR 1 --"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
