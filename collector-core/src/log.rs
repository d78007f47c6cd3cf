//! Lines of the log.
//!
//! In scope: one JSON object per line, with its level, a stable name of what happened, and where. Out of scope: writing it (the shell).
//!
//! A line has no address, no token and nothing that a sender or ClickHouse has said: operators keep logs longer and show them to more people than
//! events.

use std::fmt::Display;

use crate::row::push_json_string;

/// How much of an error's text is kept, in bytes.
const MAX_ERROR_BYTES: usize = 300;

/// What stands in place of a network address.
const ADDRESS_MASK: &str = "[address]";

/// Who has to read a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Nobody.
    Info,
    /// Whoever looks into something: the collector goes on by itself.
    Warn,
    /// A person, now: it goes on only once somebody has acted.
    Alert,
}

impl Level {
    /// The stable machine tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Alert => "alert",
        }
    }
}

/// One line, as it is put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Who has to read it.
    pub level: Level,
    json: Vec<u8>,
}

impl Line {
    /// A line about `what`, a name that alerts and searches rely on.
    pub fn new(level: Level, what: &str) -> Self {
        Self { level, json: Vec::with_capacity(256) }.text("level", level.tag()).text("what", what)
    }

    /// Where it happened.
    #[must_use]
    pub fn at(self, region: &str, shard: u32) -> Self {
        self.text("region", region).number("shard", shard.into())
    }

    /// Adds a text.
    #[must_use]
    pub fn text(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        push_json_string(&mut self.json, value);
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn number(self, name: &str, value: i64) -> Self {
        self.value(name, &value.to_string())
    }

    /// Adds a value that is JSON already.
    #[must_use]
    pub fn value(mut self, name: &str, json: &str) -> Self {
        self.name(name);
        self.json.extend_from_slice(json.as_bytes());
        self
    }

    /// Adds why something failed, without the addresses that the runtime puts into its errors.
    #[must_use]
    pub fn error(self, error: impl Display) -> Self {
        self.text("error", &shown(error))
    }

    /// The line, without a line end.
    pub fn finish(mut self) -> String {
        self.json.push(b'}');
        String::from_utf8_lossy(&self.json).into_owned()
    }

    fn name(&mut self, name: &str) {
        self.json.push(if self.json.is_empty() { b'{' } else { b',' });
        push_json_string(&mut self.json, name);
        self.json.push(b':');
    }
}

/// Why something failed, as it may be shown to anybody: short, and without the addresses that the runtime puts into its errors.
pub fn shown(error: impl Display) -> String {
    let mut text = without_addresses(&error.to_string());
    text.truncate(text.floor_char_boundary(MAX_ERROR_BYTES));
    text
}

/// Masks what looks like an IP address, with its port.
fn without_addresses(text: &str) -> String {
    let is_part = |character: char| character.is_ascii_hexdigit() || character == '.' || character == ':';
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let (before, from) = rest.split_at(start);
        let (word, after) = from.split_at(from.find(|character| !is_part(character)).unwrap_or(from.len()));
        let count = |sign| word.matches(sign).count();
        let is_address =
            word.contains(|character: char| character.is_ascii_digit()) && (count('.') > 2 || count(':') > 1);
        masked.extend([before, if is_address { ADDRESS_MASK } else { word }]);
        rest = after;
    }
    masked.push_str(rest);
    masked
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_one_object() {
        let line = Line::new(Level::Alert, "insert_failed").at("eu", 3).number("rows", -1).value("code", "null");
        assert_eq!(
            line.finish(),
            r#"{"level":"alert","what":"insert_failed","region":"eu","shard":3,"rows":-1,"code":null}"#
        );
    }

    #[test]
    fn an_error_has_no_address() {
        for (error, expected) in [
            ("connect(): refused; peer = 127.0.0.1:8123", "connect(): refused; peer = [address]"),
            ("of [2001:db8::1]:443, and ::ffff:192.0.2.7.", "of [[address]]:443, and [address]"),
            ("expected 200, found 503.", "expected 200, found 503."),
            ("Network connection lost: at 12.5 s", "Network connection lost: at 12.5 s"),
        ] {
            let line = Line::new(Level::Warn, "x").error(error).finish();
            assert_eq!(line, Line::new(Level::Warn, "x").text("error", expected).finish(), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_json(name in "[a-z_]{1,9}", text in "\\PC{0,400}|[\\x00-\\x7f]{0,400}") {
            let line = Line::new(Level::Info, "x").text(&name, &text).error(&text).finish();
            let found: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            prop_assert!(found["error"].as_str().is_some_and(|error| error.len() <= MAX_ERROR_BYTES));
            prop_assert!(!line.contains('\n'));
        }

        #[test]
        fn no_address_is_left(bits: u128, v4: u32, is_ipv4: bool, port: u16) {
            let address: std::net::IpAddr =
                if is_ipv4 { std::net::Ipv4Addr::from_bits(v4).into() } else { std::net::Ipv6Addr::from_bits(bits).into() };
            let of = std::net::SocketAddr::new(address, port);
            for text in [format!("of {address}, lost"), format!("of {of}, lost")] {
                prop_assert!(!without_addresses(&text).contains(&address.to_string()), "{text}");
            }
        }
    }
}
