//! The wire format: JSON bytes to a `Beacon` of untrusted, still untyped fields.
//!
//! In scope: the three shapes (envelope, bare event, array of events), the limits of a whole beacon, and JSON's dark corners.
//! Out of scope: field types and required fields (`event`), site settings (`site`).
//!
//! The answer to each dark corner of JSON:
//! - duplicate keys: the last one wins, as in JavaScript;
//! - lone surrogates: U+FFFD, because JavaScript sends them when a title is cut inside an emoji. An object that has them in a name cannot be read:
//!   an event of several is `not_an_object`, a beacon `invalid_json`, `properties` an `invalid_value`, an object inside them stays JSON text;
//! - numbers of any length: kept as text, so nothing is lost; whether they fit is the column's question. In the place of an event they are
//!   `not_an_object` like any other value, and spoil no other event;
//! - any depth: skipped without recursion, so depth cannot exhaust the stack;
//! - `\u0000`: an ordinary character. A raw NUL byte inside a string is `invalid_json`, as is any control character;
//! - bytes that are not UTF-8: `invalid_utf8`; a byte order mark before the JSON is skipped.
//!
//! An envelope's fields are the defaults of its events, `properties` name by name. Only its `event_id` is not: it is an unknown field.

use std::borrow::Cow;

use serde::de::{Deserialize, IgnoredAny};
use thiserror::Error;

use crate::field::Field;
use crate::outcome::InvalidReason;
use crate::wire::{self, Events, Fields, Object};

/// The most events in one beacon.
pub const MAX_EVENTS: usize = 100;

/// The most different sites in one beacon: each costs a look-up, and a page belongs to few.
pub const MAX_SITES: usize = 8;

/// Why a whole beacon is refused. Errors of single events are not errors of the beacon: they are receipts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BeaconError {
    /// The `Content-Encoding` is none of identity, gzip and deflate.
    #[error("expected content encoding identity, gzip or deflate, found another")]
    UnsupportedEncoding,
    /// The compressed body cannot be inflated.
    #[error("expected a complete compressed body, found one that cannot be inflated")]
    CorruptEncoding,
    /// The body is longer than a limit.
    #[error("expected a body of at most {limit_bytes} bytes, found a longer one")]
    BodyTooLarge {
        /// The limit that was passed.
        limit_bytes: usize,
    },
    /// The body is not UTF-8.
    #[error("expected UTF-8, found an invalid byte at offset {offset}")]
    InvalidUtf8 {
        /// Bytes before the first invalid one.
        offset: usize,
    },
    /// The body is not JSON.
    #[error("expected JSON, found a syntax error at line {line}, column {column}")]
    InvalidJson {
        /// Line of the error, from 1.
        line: usize,
        /// Column of the error, from 1.
        column: usize,
    },
    /// The body is JSON of another shape.
    #[error("expected an envelope, an event or an array of events, found another JSON value")]
    NotABeacon,
    /// More than `MAX_EVENTS` events.
    #[error("expected at most {MAX_EVENTS} events, found more")]
    TooManyEvents,
    /// More than `MAX_SITES` different sites.
    #[error("expected at most {MAX_SITES} different sites, found more")]
    TooManySites,
}

impl BeaconError {
    /// The reason on the receipt.
    pub const fn reason(&self) -> InvalidReason {
        match self {
            Self::UnsupportedEncoding => InvalidReason::UnsupportedEncoding,
            Self::CorruptEncoding => InvalidReason::CorruptEncoding,
            Self::BodyTooLarge { .. } => InvalidReason::BodyTooLarge,
            Self::InvalidUtf8 { .. } => InvalidReason::InvalidUtf8,
            Self::InvalidJson { .. } => InvalidReason::InvalidJson,
            Self::NotABeacon => InvalidReason::NotABeacon,
            Self::TooManyEvents => InvalidReason::TooManyEvents,
            Self::TooManySites => InvalidReason::TooManySites,
        }
    }
}

/// One request body, untrusted: fields by name, values as their JSON text.
#[derive(Debug)]
pub struct Beacon<'a> {
    shape: Shape,
    /// Fields of the envelope, without `event_id`; they are the defaults of every event. Empty for the other two shapes.
    envelope: Fields<'a>,
    events: Vec<Fields<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Envelope,
    Bare,
    Array,
}

impl<'a> Beacon<'a> {
    /// Reads a decoded body.
    pub fn parse(body: &'a [u8]) -> Result<Self, BeaconError> {
        let text =
            std::str::from_utf8(body).map_err(|error| BeaconError::InvalidUtf8 { offset: error.valid_up_to() })?;
        let text = text.trim_start_matches('\u{feff}');
        let (shape, envelope, events) = match text.trim_start().as_bytes().first() {
            Some(b'[') => {
                let events = parse_json::<Events>(text);
                let events = events.or_else(|error| wire::elements(text).map(Events::List).ok_or(error))?;
                (Shape::Array, Fields::default(), Some(events))
            }
            Some(b'{') => {
                let object = parse_json::<Object>(text);
                let mut object = object.or_else(|error| Object::parse_slowly(text).ok_or(error))?;
                match object.events {
                    Some(events) => {
                        // It cannot be the id of each of them: all but one would be duplicates.
                        object.fields.demote(Field::EventId);
                        (Shape::Envelope, object.fields, Some(events))
                    }
                    None => (Shape::Bare, Fields::default(), Some(Events::List(vec![object.fields]))),
                }
            }
            _ => {
                parse_json::<IgnoredAny>(text)?;
                (Shape::Bare, Fields::default(), None)
            }
        };
        let Some(Events::List(events)) = events else {
            return Err(BeaconError::NotABeacon);
        };
        if events.len() > MAX_EVENTS {
            return Err(BeaconError::TooManyEvents);
        }
        let beacon = Self { shape, envelope, events };
        if beacon.sites().len() > MAX_SITES {
            return Err(BeaconError::TooManySites);
        }
        Ok(beacon)
    }

    /// The ids of the sites that the events name, each once, in order.
    pub fn sites(&self) -> Vec<Cow<'a, str>> {
        let mut sites: Vec<Cow<'a, str>> = Vec::new();
        for site in self.events().filter_map(|event| event.site()) {
            if !sites.contains(&site) {
                sites.push(site);
            }
        }
        sites
    }

    /// The number of events, at most `MAX_EVENTS`.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// True if the beacon has no event.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The events, in order.
    pub fn events(&self) -> impl Iterator<Item = WireEvent<'_, 'a>> {
        self.events.iter().enumerate().map(|(index, fields)| WireEvent {
            fields,
            envelope: &self.envelope,
            shape: self.shape,
            index,
        })
    }
}

fn parse_json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, BeaconError> {
    serde_json::from_str(text).map_err(|error| BeaconError::InvalidJson { line: error.line(), column: error.column() })
}

/// One event as sent: its fields, the envelope's defaults, and where it stands in the beacon.
#[derive(Clone, Copy, Debug)]
pub struct WireEvent<'b, 'a> {
    fields: &'b Fields<'a>,
    envelope: &'b Fields<'a>,
    shape: Shape,
    index: usize,
}

impl<'b, 'a> WireEvent<'b, 'a> {
    /// True if the event is a JSON object.
    pub fn is_object(&self) -> bool {
        self.fields.is_object
    }

    /// The JSON text of a field: the event's own, else the envelope's. `null` counts as absent.
    pub fn get(&self, field: Field) -> Option<&'a str> {
        self.fields.get(field).or_else(|| self.envelope.get(field))
    }

    /// The JSON text of a field of the envelope that the event has too.
    pub(crate) fn overridden(&self, field: Field) -> Option<&'a str> {
        self.fields.get(field).and(self.envelope.get(field))
    }

    /// The site id, if it is a string.
    pub fn site(&self) -> Option<Cow<'a, str>> {
        self.get(Field::Site).and_then(wire::string)
    }

    /// Names and JSON texts of the fields that the collector does not know: the event's own, then the envelope's that it does not repeat.
    pub fn unknown(&self) -> impl Iterator<Item = (&'b Cow<'a, str>, &'a str)> {
        let own = self.fields;
        let inherited = self.envelope.unknown.iter().filter(|(name, _)| !own.has_unknown(name));
        own.unknown.iter().chain(inherited).map(|(name, value)| (name, *value))
    }

    /// The JSON pointer of a known field, for receipts.
    pub fn pointer(&self, field: Field) -> String {
        let is_inherited = self.fields.get(field).is_none() && self.envelope.get(field).is_some();
        self.pointer_to(field.name(), is_inherited)
    }

    /// The JSON pointer of a field of the envelope, for receipts.
    pub(crate) fn envelope_pointer(&self, field: Field) -> String {
        self.pointer_to(field.name(), true)
    }

    /// The JSON pointer of an unknown field, for receipts.
    pub fn unknown_pointer(&self, name: &str) -> String {
        self.pointer_to(name, !self.fields.has_unknown(name))
    }

    /// The JSON pointer of the event itself.
    pub fn own_pointer(&self) -> String {
        match self.shape {
            Shape::Envelope => format!("/events/{}", self.index),
            Shape::Array => format!("/{}", self.index),
            Shape::Bare => String::new(),
        }
    }

    fn pointer_to(&self, name: &str, is_inherited: bool) -> String {
        let mut pointer = if is_inherited { String::new() } else { self.own_pointer() };
        push_pointer_token(&mut pointer, name);
        pointer
    }
}

/// Appends one reference token of a JSON pointer, escaped as RFC 6901 wants it and cut to a length that a receipt can carry.
pub fn push_pointer_token(pointer: &mut String, token: &str) {
    /// Bytes of one name that a receipt repeats: enough to find the field, too few to be an echo service.
    const MAX_TOKEN_BYTES: usize = 128;
    pointer.push('/');
    for (offset, character) in token.char_indices() {
        if offset >= MAX_TOKEN_BYTES {
            break;
        }
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Beacon<'_>, BeaconError> {
        Beacon::parse(text.as_bytes())
    }

    #[test]
    fn three_shapes_give_the_same_events() {
        for (text, pointer) in [
            (r#"{"site":"demo","events":[{"event_type":"login"}]}"#, "/events/0/event_type"),
            (r#"{"site":"demo","event_type":"login"}"#, "/event_type"),
            ("\u{feff} [{\"site\":\"demo\",\"event_type\":\"login\"}]", "/0/event_type"),
        ] {
            let beacon = parse(text).unwrap();
            assert_eq!(beacon.sites(), ["demo"], "{text}");
            let event = beacon.events().next().unwrap();
            assert_eq!(event.get(Field::EventType), Some("\"login\""), "{text}");
            assert_eq!(event.pointer(Field::EventType), pointer);
        }
    }

    #[test]
    fn the_envelope_is_the_default_of_every_event() {
        let text = r#"{"site":"a","user_id":7,"x":1,"y":2,"events":[{"user_id":8,"x":3},{"site":"b","user_id":null}]}"#;
        let beacon = parse(text).unwrap();
        let events: Vec<_> = beacon.events().collect();
        assert_eq!(events[0].get(Field::UserId), Some("8"));
        assert_eq!(events[1].get(Field::UserId), Some("7"));
        assert_eq!(events[1].pointer(Field::UserId), "/user_id");
        let unknown: Vec<_> = events[0].unknown().map(|(name, value)| (name.as_ref(), value)).collect();
        assert_eq!(unknown, [("x", "3"), ("y", "2")]);
        assert_eq!(beacon.sites(), ["a", "b"]);
    }

    #[test]
    fn dark_corners_of_json_have_their_answer() {
        let deep = format!(r#"{{"site":"demo","deep":{}1{}}}"#, "[".repeat(20_000), "]".repeat(20_000));
        for (text, expected) in [
            (r#"{"site":"a","site":"b"}"#, Ok(vec!["b"])),
            (r#"{"site":"\ud83d!"}"#, Ok(vec!["\u{fffd}!"])),
            (r#"{"site":"a\u0000b"}"#, Ok(vec!["a\0b"])),
            (r#"{"site":"a","seq":1e99999999999999999999}"#, Ok(vec!["a"])),
            (r#"{"site":"\ud83d\ude00"}"#, Ok(vec!["\u{1f600}"])),
            (deep.as_str(), Ok(vec!["demo"])),
            ("{\"site\":\"a\0b\"}", Err(InvalidReason::InvalidJson)),
            (r#"{"site":"a","\ud83d":1}"#, Err(InvalidReason::InvalidJson)),
            (r#"[{"\ud83d":1},{"site":"a"}]"#, Ok(vec!["a"])),
            (r#"[1e400,{"site":"a"}]"#, Ok(vec!["a"])),
            (r#"{"x":1,"events":[[-1e999],{"site":"a"}],"y":2}"#, Ok(vec!["a"])),
            (r#"{"site":"a","events":[1e400,{}"#, Err(InvalidReason::InvalidJson)),
            (r#"{"events":1e400}"#, Err(InvalidReason::NotABeacon)),
            (r#"{"site":"a"} x"#, Err(InvalidReason::InvalidJson)),
            (r#"{"site":"a",}"#, Err(InvalidReason::InvalidJson)),
            ("", Err(InvalidReason::InvalidJson)),
            ("nul", Err(InvalidReason::InvalidJson)),
            ("null", Err(InvalidReason::NotABeacon)),
            ("1e999999", Err(InvalidReason::NotABeacon)),
            (r#"{"events":{"a":[1]}}"#, Err(InvalidReason::NotABeacon)),
            (r#"{"events":null}"#, Err(InvalidReason::NotABeacon)),
        ] {
            let found = parse(text).map(|beacon| beacon.sites().into_iter().map(Cow::into_owned).collect::<Vec<_>>());
            let found = found.map_err(|error| error.reason());
            let expected = expected.map(|sites| sites.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(found, expected, "{}", text.get(..60).unwrap_or(text));
        }
        assert_eq!(Beacon::parse(b"{\"site\":\"\xff\"}").err(), Some(BeaconError::InvalidUtf8 { offset: 9 }));
    }

    #[test]
    fn limits_are_exact() {
        let events = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        assert_eq!(parse(&events(MAX_EVENTS)).map(|b| b.len()), Ok(MAX_EVENTS));
        assert_eq!(parse(&events(MAX_EVENTS + 1)).err(), Some(BeaconError::TooManyEvents));
        let sites = |count: usize| {
            let list: Vec<_> = (0..count).map(|n| format!(r#"{{"site":"s{n}"}}"#)).collect();
            format!("[{}]", list.join(","))
        };
        assert!(parse(&sites(MAX_SITES)).is_ok());
        assert_eq!(parse(&sites(MAX_SITES + 1)).err(), Some(BeaconError::TooManySites));
    }

    #[test]
    fn pointers_are_escaped_and_bounded() {
        let mut pointer = String::new();
        push_pointer_token(&mut pointer, "a/b~c");
        assert_eq!(pointer, "/a~1b~0c");
        push_pointer_token(&mut pointer, &"x".repeat(1_000));
        assert!(pointer.len() < 150);
    }
}
