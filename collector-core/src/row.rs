//! One row of `ecommerce.events`, and its line of JSON.
//!
//! In scope: the columns, their order, their text form for ClickHouse's `JSONEachRow`. Out of scope: where the values come from (`pipeline`).

use std::borrow::Cow;
use std::net::Ipv6Addr;

use uuid::Uuid;

use crate::filter::Signal;
use crate::money::Money;
use crate::property::Properties;

/// Declares the row: one line per column gives the field, its name in `COLUMNS` and its place in the encoded line, so that they cannot differ.
macro_rules! row {
    ($($(#[$doc:meta])* $column:ident: $type:ty,)+) => {
        /// One row of `ecommerce.events`; fields are named as the columns.
        #[derive(Clone, Debug)]
        pub struct Row<'a> { $($(#[$doc])* pub $column: $type,)+ }

        /// The columns that a row fills, in order.
        pub const COLUMNS: &[&str] = &[$(stringify!($column),)+];

        impl Row<'_> {
            /// Appends the row as one JSON object, without a line end.
            pub fn encode(&self, line: &mut Vec<u8>) {
                let mut separator = b'{';
                $(
                    line.push(separator);
                    line.extend_from_slice(concat!("\"", stringify!($column), "\":").as_bytes());
                    self.$column.encode(line);
                    separator = b',';
                )+
                let _ = separator;
                line.push(b'}');
            }
        }
    };
}

row! {
    /// The sender's id, or one minted at the edge.
    event_id: Uuid,
    /// The site.
    site_id: &'a str,
    /// What happened: `[a-z][a-z0-9_]{0,63}`; `item` is the collector's own.
    event_type: &'a str,
    /// When it happened, by the edge clock.
    timestamp: Time,
    /// When it arrived.
    received_at: Time,
    /// Edge clock minus client clock, in milliseconds; 0 when unknown.
    skew_ms: i32,
    /// Keyed hash of the visitor; 0 where identifiers are not stored, and when it cannot be known.
    visitor_id: u64,
    /// The signed-in user; 0 is nobody.
    user_id: u64,
    /// The tracker's session, else the edge's; empty when there is none.
    session_id: Cow<'a, str>,
    /// Id of the page's life, from load to end.
    page_id: &'a str,
    /// Number of the event within the page's life.
    seq: u32,
    /// Address of the page, without the query parameters that the site does not keep.
    page_url: &'a str,
    /// Path of the page.
    page_path: &'a str,
    /// Title of the page.
    page_title: Cow<'a, str>,
    /// Address of the page before, in the same way.
    referrer: &'a str,
    /// Host of the page before, if it is another site.
    referrer_host: Cow<'a, str>,
    /// Marketing channel.
    channel: &'a str,
    /// `utm_source`
    utm_source: Cow<'a, str>,
    /// `utm_medium`
    utm_medium: Cow<'a, str>,
    /// `utm_campaign`
    utm_campaign: Cow<'a, str>,
    /// `utm_term`
    utm_term: Cow<'a, str>,
    /// `utm_content`
    utm_content: Cow<'a, str>,
    /// Country, upper-case alpha-2; empty when unknown.
    country: Cow<'a, str>,
    /// Region within the country, by its name.
    region: &'a str,
    /// City, by its name.
    city: &'a str,
    /// Number of the network; 0 is unknown.
    asn: u32,
    /// Time zone of the browser, else of the address.
    timezone: &'a str,
    /// Language of the browser, else of the request.
    language: &'a str,
    /// Kind of device: a tag of `user_agent::DeviceType`.
    device_type: &'a str,
    /// Browser family.
    browser: &'a str,
    /// Operating system family.
    os: &'a str,
    /// Version of the browser.
    browser_version: &'a str,
    /// Version of the operating system.
    os_version: &'a str,
    /// Brand of the device.
    device_brand: &'a str,
    /// Model of the device.
    device_model: &'a str,
    /// Width of the screen, in pixels; 0 is unknown.
    screen_width: u16,
    /// Height of the screen, in pixels; 0 is unknown.
    screen_height: u16,
    /// The product.
    product_id: Option<u64>,
    /// The order.
    order_id: &'a str,
    /// How many; 0 is unknown.
    quantity: u32,
    /// How much money, in units of `currency`.
    revenue: Money,
    /// Three upper-case letters, as in ISO 4217; empty without an amount.
    currency: &'a str,
    /// Milliseconds in which the page was looked at.
    engaged_ms: u32,
    /// Depth of scrolling, in percent.
    scroll_pct: u8,
    /// What has no column of its own.
    properties: &'a Properties<'a>,
    /// Whether the verdict is that it is a bot.
    is_bot: bool,
    /// The evidence, also of events that are no bot.
    bot_signals: &'a [Signal],
    /// Which rules judged: those of the release, and a hash of the site's own.
    rules_version: &'a str,
    /// The address, as far as the site stores it.
    ip_address: Ipv6Addr,
    /// The user agent, cut at its limit; empty where identifiers are not stored.
    user_agent: &'a str,
    /// The region that stores the row.
    collector_region: &'a str,
    /// Data centre of the edge, three letters.
    colo: &'a str,
    /// Name and version of the tracker.
    tracker: &'a str,
}

/// Milliseconds since 1970, written as ClickHouse's text form of `DateTime64(3)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub i64);

/// A value that writes itself as the JSON that its column reads.
trait Column {
    fn encode(&self, line: &mut Vec<u8>);
}

macro_rules! integer_columns {
    ($($type:ty)+) => { $(impl Column for $type {
        fn encode(&self, line: &mut Vec<u8>) {
            line.extend_from_slice(itoa::Buffer::new().format(*self).as_bytes());
        }
    })+ };
}
integer_columns!(i32 u8 u16 u32 u64);

impl Column for bool {
    fn encode(&self, line: &mut Vec<u8>) {
        line.push(if *self { b'1' } else { b'0' });
    }
}

impl Column for Option<u64> {
    fn encode(&self, line: &mut Vec<u8>) {
        match self {
            Some(value) => value.encode(line),
            None => line.extend_from_slice(b"null"),
        }
    }
}

impl Column for &str {
    fn encode(&self, line: &mut Vec<u8>) {
        push_json_string(line, self);
    }
}

impl Column for Cow<'_, str> {
    fn encode(&self, line: &mut Vec<u8>) {
        push_json_string(line, self);
    }
}

impl Column for Uuid {
    fn encode(&self, line: &mut Vec<u8>) {
        let mut buffer = Uuid::encode_buffer();
        line.push(b'"');
        line.extend_from_slice(self.hyphenated().encode_lower(&mut buffer).as_bytes());
        line.push(b'"');
    }
}

/// Quoted: whoever reads the row of `/v1/validate` as usual JSON shall not make a float of it.
impl Column for Money {
    fn encode(&self, line: &mut Vec<u8>) {
        line.push(b'"');
        line.extend_from_slice(self.to_string().as_bytes());
        line.push(b'"');
    }
}

/// Most are IPv4 addresses, whose form is simple; formatting by the standard library takes as long as five other columns.
impl Column for Ipv6Addr {
    fn encode(&self, line: &mut Vec<u8>) {
        line.push(b'"');
        match self.to_ipv4_mapped() {
            Some(address) => {
                line.extend_from_slice(b"::ffff");
                let mut separator = b':';
                for octet in address.octets() {
                    line.push(separator);
                    octet.encode(line);
                    separator = b'.';
                }
            }
            None => line.extend_from_slice(self.to_string().as_bytes()),
        }
        line.push(b'"');
    }
}

impl Column for Time {
    fn encode(&self, line: &mut Vec<u8>) {
        line.push(b'"');
        push_time(line, self.0);
        line.push(b'"');
    }
}

impl Column for &[Signal] {
    fn encode(&self, line: &mut Vec<u8>) {
        line.push(b'[');
        for (index, signal) in self.iter().enumerate() {
            if index > 0 {
                line.push(b',');
            }
            signal.encode(line);
        }
        line.push(b']');
    }
}

impl Column for &Properties<'_> {
    fn encode(&self, line: &mut Vec<u8>) {
        line.push(b'{');
        for (index, (name, value)) in self.iter().enumerate() {
            if index > 0 {
                line.push(b',');
            }
            push_json_string(line, name);
            line.push(b':');
            push_json_string(line, value);
        }
        line.push(b'}');
    }
}

/// Appends a JSON string. Only what JSON demands is escaped; all else stays UTF-8.
pub(crate) fn push_json_string(line: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    line.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = find_special(rest) {
        let (plain, from) = rest.split_at(at);
        line.extend_from_slice(plain);
        let Some((byte, after)) = from.split_first() else { break };
        match byte {
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', *byte]),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\t' => line.extend_from_slice(b"\\t"),
            _ => {
                let low = HEX.get(usize::from(byte & 0x0f)).copied().unwrap_or(b'0');
                line.extend_from_slice(if *byte < 0x10 { b"\\u000" } else { b"\\u001" });
                line.push(low);
            }
        }
        rest = after;
    }
    line.extend_from_slice(rest);
    line.push(b'"');
}

/// Offset of the first byte that JSON wants escaped. Eight bytes at a time, because most text has none and a row has 2 KB of it.
fn find_special(bytes: &[u8]) -> Option<usize> {
    let (words, _) = bytes.as_chunks::<8>();
    let plain = words.iter().take_while(|word| !has_special(u64::from_le_bytes(**word))).count() * 8;
    let is_special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    bytes.get(plain..)?.iter().position(is_special).map(|at| plain + at)
}

/// True if one of eight bytes needs an escape: the borrow of a subtraction reaches the top bit only of a byte that is smaller.
const fn has_special(word: u64) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const TOP: u64 = 0x8080_8080_8080_8080;
    let quote = word ^ (EACH * 0x22);
    let backslash = word ^ (EACH * 0x5c);
    let control = word.wrapping_sub(EACH * 0x20) & !word;
    let special = control | (quote.wrapping_sub(EACH) & !quote) | (backslash.wrapping_sub(EACH) & !backslash);
    special & TOP != 0
}

/// Appends `YYYY-MM-DD hh:mm:ss.mmm` in UTC. Years outside 1970 to 2299 cannot come out of `enrich::time` and are clamped.
pub(crate) fn push_time(line: &mut Vec<u8>, time_ms: i64) {
    /// 2299-12-31 23:59:59.999, the last time of `DateTime64`.
    const MAX_TIME_MS: i64 = 10_413_791_999_999;
    let time_ms = time_ms.clamp(0, MAX_TIME_MS).unsigned_abs();
    let (days, ms_of_day) = (time_ms / 86_400_000, time_ms % 86_400_000);
    let (year, month, day) = civil_date(days);
    let (seconds, ms) = (ms_of_day / 1_000, ms_of_day % 1_000);
    push_digits(line, year, 4);
    for (separator, value) in
        [(b'-', month), (b'-', day), (b' ', seconds / 3_600), (b':', seconds / 60 % 60), (b':', seconds % 60)]
    {
        line.push(separator);
        push_digits(line, value, 2);
    }
    line.push(b'.');
    push_digits(line, ms, 3);
}

fn push_digits(line: &mut Vec<u8>, value: u64, width: u32) {
    for position in (0..width).rev() {
        let digit = value / 10_u64.pow(position) % 10;
        line.push(b'0' + u8::try_from(digit).unwrap_or(0));
    }
}

/// Year, month and day of a number of days since 1970-01-01, by counting 400-year eras from 0000-03-01.
fn civil_date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        for (time_ms, text) in [
            (0, "1970-01-01 00:00:00.000"),
            (951_782_399_999, "2000-02-28 23:59:59.999"),
            (951_868_800_000, "2000-03-01 00:00:00.000"),
            (1_763_660_000_123, "2025-11-20 17:33:20.123"),
            (4_107_542_400_000, "2100-03-01 00:00:00.000"),
            (-1, "1970-01-01 00:00:00.000"),
            (i64::MAX, "2299-12-31 23:59:59.999"),
        ] {
            let mut line = Vec::new();
            push_time(&mut line, time_ms);
            assert_eq!(String::from_utf8(line).unwrap(), text, "{time_ms}");
        }
    }

    proptest! {
        #[test]
        fn addresses_are_written_as_the_standard_library_does(bits: u128, v4: u32, is_ipv4: bool) {
            let address = if is_ipv4 { std::net::Ipv4Addr::from_bits(v4).to_ipv6_mapped() } else { Ipv6Addr::from_bits(bits) };
            let mut line = Vec::new();
            address.encode(&mut line);
            prop_assert_eq!(String::from_utf8(line).unwrap(), format!("\"{address}\""));
        }

        #[test]
        fn any_text_is_read_back(text in "\\PC{0,40}|[\\x00-\\x7f]{0,40}") {
            let mut line = Vec::new();
            push_json_string(&mut line, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&line).ok(), Some(text));
        }
    }
}
