//! Time as the feeds use it: unix seconds inside, `YYYY-MM-DD hh:mm:ss` UTC on the wire.
//!
//! In scope: the one place that reads the system clock, and the two conversions.
//! Out of scope: time zones. ClickHouse writes `update_field` in its server time zone, so servers run in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Now, in unix seconds. A clock before 1970 reads as 0, one after 2106 as the last second a `DateTime` can hold.
pub fn unix_now() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u32::try_from(since.as_secs()).unwrap_or(u32::MAX))
}

/// How old servers (18.16) write the time of a load that never was.
const NEVER: &str = "0000-00-00 00:00:00";

/// Parses `YYYY-MM-DD hh:mm:ss`. Times outside of what a `DateTime` can hold become its nearest end.
pub fn parse_utc(text: &str) -> Option<u32> {
    if text == NEVER {
        return Some(0);
    }
    let civil = DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?;
    let second = civil.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second().max(0);
    Some(u32::try_from(second).unwrap_or(u32::MAX))
}

/// Appends `unix_s` as `YYYY-MM-DD hh:mm:ss`. By hand after the calendar step, because it runs once per entry of a full load.
pub fn write_utc(unix_s: u32, out: &mut Vec<u8>) {
    let instant = Timestamp::from_second(i64::from(unix_s)).unwrap_or(Timestamp::UNIX_EPOCH);
    let civil = TimeZone::UTC.to_datetime(instant);
    let year = civil.year().unsigned_abs();
    push_two(year / 100, out);
    push_two(year % 100, out);
    for (separator, part) in [
        (b'-', civil.month()),
        (b'-', civil.day()),
        (b' ', civil.hour()),
        (b':', civil.minute()),
        (b':', civil.second()),
    ] {
        out.push(separator);
        push_two(part.unsigned_abs().into(), out);
    }
}

fn push_two(value: u16, out: &mut Vec<u8>) {
    for digit in [value / 10 % 10, value % 10] {
        out.push(b'0' + u8::try_from(digit).unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::{parse_utc, write_utc};
    use proptest::prelude::{any, proptest};

    fn text(unix_s: u32) -> String {
        let mut out = Vec::new();
        write_utc(unix_s, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_instants_are_written_as_clickhouse_reads_them() {
        assert_eq!(text(0), "1970-01-01 00:00:00");
        assert_eq!(text(1_763_660_009), "2025-11-20 17:33:29");
        assert_eq!(text(u32::MAX), "2106-02-07 06:28:15");
    }

    #[test]
    fn other_forms_are_refused() {
        for wrong in ["", "2025-11-20", "2025-11-20T17:33:29", "2025-13-01 00:00:00", "1763660009"] {
            assert_eq!(parse_utc(wrong), None, "{wrong:?}");
        }
        assert_eq!(parse_utc("1969-12-31 23:59:59"), Some(0));
        assert_eq!(parse_utc("0000-00-00 00:00:00"), Some(0));
    }

    proptest! {
        #[test]
        fn every_second_reads_back(unix_s in any::<u32>()) {
            assert_eq!(parse_utc(&text(unix_s)), Some(unix_s));
        }
    }
}
