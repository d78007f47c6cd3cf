//! The `properties` of an event: a flat map of strings.
//!
//! In scope: flattening, limits, unknown fields as properties, names that the collector keeps for itself.
//! Out of scope: masking of personal data (`enrich::mask`).
//!
//! An object inside `properties` becomes dotted names (`{"cart":{"size":2}}` is `cart.size`), down to `MAX_DEPTH` levels. Deeper objects and
//! all arrays are stored as their JSON text. Booleans and numbers are stored as their text; `null` is absence.
//!
//! Where names meet, one value is kept, and this is which: of one object (also by its dotted names, or as `client.<name>`) the last; of an event
//! and its envelope the event's; of `properties` and a field beside them that of `properties`.

use std::borrow::Cow;

use crate::beacon::{WireEvent, push_pointer_token};
use crate::field::Field;
use crate::outcome::InvalidReason;
use crate::reader::Invalid;
use crate::site::UnknownFields;
use crate::wire::{self, Members};

/// The most properties of one event, after flattening.
pub const MAX_PROPERTIES: usize = 64;

/// The longest name of a property, in bytes, after flattening.
pub const MAX_KEY_BYTES: usize = 64;

/// The longest value of a property, in bytes.
pub const MAX_VALUE_BYTES: usize = 1_024;

/// Levels of objects that become dotted names.
pub const MAX_DEPTH: usize = 4;

/// Names that only the collector writes. A client's property of this name is kept as `client.<name>`, so that nobody can forge our marks.
pub const RESERVED: [&str; 3] = ["clamped", "sampling_rate", "user_key"];

/// The properties of one event: unique names, within the limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties<'a> {
    entries: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Properties<'a> {
    /// Reads `properties`, then what else has no column of its own: `viewport`, unknown fields, and fields that this sender may not fill.
    pub(crate) fn check(
        event: &WireEvent<'_, 'a>,
        unknown: UnknownFields,
        is_from_server: bool,
    ) -> Result<Self, Invalid> {
        let mut properties = Self::default();
        if let Some(value) = event.get(Field::Properties) {
            properties.read(value).map_err(|error| error.below(&event.pointer(Field::Properties)))?;
        }
        if let Some(value) = event.overridden(Field::Properties) {
            properties.read_defaults(value).map_err(|error| error.below(&event.envelope_pointer(Field::Properties)))?;
        }
        if let Some(value) = event.get(Field::Viewport) {
            let added = properties.add_default(Cow::Borrowed("viewport"), value);
            added.map_err(|reason| event.invalid(Field::Viewport, reason))?;
        }
        for field in Field::SERVER_ONLY.into_iter().filter(|_| !is_from_server) {
            if let Some(value) = event.get(field) {
                let added = properties.add_unknown(Cow::Borrowed(field.name()), value, unknown);
                added.map_err(|reason| event.invalid(field, reason))?;
            }
        }
        for (name, value) in event.unknown() {
            let added = properties.add_unknown(name.clone(), value, unknown);
            added.map_err(|reason| Invalid { reason, field: event.unknown_pointer(name) })?;
        }
        Ok(properties)
    }

    fn add_unknown(&mut self, name: Cow<'a, str>, value: &'a str, mode: UnknownFields) -> Result<(), InvalidReason> {
        match mode {
            UnknownFields::Strict => Err(InvalidReason::UnknownField),
            UnknownFields::Lenient => self.add_default(name, value),
        }
    }

    /// Adds one value unless the name is there already: what the client says in `properties` stands above fields beside it.
    pub(crate) fn add_default(&mut self, name: Cow<'a, str>, value: &'a str) -> Result<(), InvalidReason> {
        if self.get(&name).is_some() { Ok(()) } else { self.add(name, value) }
    }

    /// Adds one value with the client's name, within the limits. As in the whole format, the last of a name wins and `null` is absence.
    pub(crate) fn add(&mut self, name: Cow<'a, str>, value: &'a str) -> Result<(), InvalidReason> {
        let name = if RESERVED.contains(&name.as_ref()) { Cow::Owned(format!("client.{name}")) } else { name };
        let known = self.entries.iter().position(|(own, _)| *own == name);
        if value == "null" {
            known.map(|at| self.entries.remove(at));
            return Ok(());
        }
        let value = wire::string(value).unwrap_or(Cow::Borrowed(value));
        if name.len() > MAX_KEY_BYTES || value.len() > MAX_VALUE_BYTES {
            return Err(InvalidReason::TooLong);
        }
        if let Some((_, own)) = known.and_then(|at| self.entries.get_mut(at)) {
            *own = value;
        } else if self.entries.len() >= MAX_PROPERTIES {
            return Err(InvalidReason::TooManyProperties);
        } else {
            self.entries.push((name, value));
        }
        Ok(())
    }

    /// Adds what an object holds.
    fn read(&mut self, value: &'a str) -> Result<(), Invalid> {
        let is_object = value.starts_with('{');
        let reason = if is_object { InvalidReason::InvalidValue } else { InvalidReason::WrongType };
        let members = wire::members(value).ok_or(Invalid { reason, field: String::new() })?;
        self.flatten("", members, 1)
    }

    /// Adds what an object holds and the properties do not.
    fn read_defaults(&mut self, value: &'a str) -> Result<(), Invalid> {
        let mut defaults = Self::default();
        defaults.read(value)?;
        for (name, value) in defaults.entries {
            if self.get(&name).is_some() {
                continue;
            }
            if self.entries.len() >= MAX_PROPERTIES {
                let mut field = String::new();
                push_pointer_token(&mut field, &name);
                return Err(Invalid { reason: InvalidReason::TooManyProperties, field });
            }
            self.entries.push((name, value));
        }
        Ok(())
    }

    /// Adds the members of an object. The pointer of an error is relative to the object: it is only built when there is one.
    fn flatten(&mut self, prefix: &str, members: Members<'a>, depth: usize) -> Result<(), Invalid> {
        if members.is_cut {
            return Err(Invalid { reason: InvalidReason::TooManyProperties, field: String::new() });
        }
        self.entries.reserve(members.list.len());
        for (member, value) in members.list {
            let name = if prefix.is_empty() { member.clone() } else { Cow::Owned(format!("{prefix}.{member}")) };
            let added = match wire::members(value).filter(|inner| depth < MAX_DEPTH && !inner.list.is_empty()) {
                Some(inner) => self.flatten(&name, inner, depth + 1),
                None => self.add(name, value).map_err(|reason| Invalid { reason, field: String::new() }),
            };
            added.map_err(|error| {
                let mut field = String::new();
                push_pointer_token(&mut field, &member);
                Invalid { reason: error.reason, field: field + &error.field }
            })?;
        }
        Ok(())
    }

    /// Adds a property of the collector's own; such properties are outside the client's limit.
    pub(crate) fn mark(&mut self, name: &'static str, value: Cow<'a, str>) {
        self.entries.push((Cow::Borrowed(name), value));
    }

    /// The properties of a stored row: names that are unique, values as they are.
    pub(crate) fn from_stored(entries: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        Self { entries: entries.map(|(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value))).collect() }
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.entries.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_ref())
    }

    /// The properties in the order in which they were sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// Names and values, to be masked. Names that become the same both stay.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut (Cow<'a, str>, Cow<'a, str>)> {
        self.entries.iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beacon::Beacon;

    fn properties(json: &str) -> Result<Vec<(String, String)>, Invalid> {
        let beacon = Beacon::parse(json.as_bytes()).unwrap();
        let event = beacon.events().next().unwrap();
        Properties::check(&event, UnknownFields::Lenient, false)
            .map(|p| p.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    #[test]
    fn values_of_every_type_become_text() {
        let json = r#"{"properties":{"a":"x\n","b":1.50,"c":true,"d":null,"e":[1, {"f":2}],"g":{"h":{"i":{"j":{"k":1}}}},"l":{}},"m":"n"}"#;
        let expected = [
            ("a", "x\n"),
            ("b", "1.50"),
            ("c", "true"),
            ("e", r#"[1, {"f":2}]"#),
            ("g.h.i.j", r#"{"k":1}"#),
            ("l", "{}"),
            ("m", "n"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(properties(json), Ok(expected.to_vec()));
    }

    #[test]
    fn the_last_of_a_name_wins() {
        let json = r#"{"properties":{"a":1,"b":1,"a":2,"b":null},"a":3,"c":4,"c":5}"#;
        let expected = [("a", "2"), ("c", "5")];
        assert_eq!(properties(json), Ok(expected.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec()));
    }

    #[test]
    fn our_marks_cannot_be_forged() {
        let json = r#"{"properties":{"clamped":"no"},"user_key":"me"}"#;
        let expected = [("client.clamped", "no"), ("client.user_key", "me")];
        assert_eq!(properties(json), Ok(expected.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec()));
    }

    #[test]
    fn properties_of_the_envelope_are_defaults_by_name() {
        let json = r#"{"site":"s","properties":{"a":1,"b":{"c":2,"d":3},"e":4,"e":5},"events":[{"properties":{"b.c":6,"a":null,"f":7}}]}"#;
        let expected = [("b.c", "6"), ("f", "7"), ("a", "1"), ("b.d", "3"), ("e", "5")];
        assert_eq!(properties(json), Ok(expected.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec()));
        let own = (0..MAX_PROPERTIES).map(|n| format!(r#""p{n}":1"#)).collect::<Vec<_>>().join(",");
        let full = |name: &str| format!(r#"{{"properties":{{"{name}":2}},"events":[{{"properties":{{{own}}}}}]}}"#);
        assert_eq!(properties(&full("p1")).map(|p| p.len()), Ok(MAX_PROPERTIES));
        let too_many = Invalid { reason: InvalidReason::TooManyProperties, field: "/properties/q".into() };
        assert_eq!(properties(&full("q")), Err(too_many));
        let wrong = Invalid { reason: InvalidReason::WrongType, field: "/properties".into() };
        assert_eq!(properties(r#"{"properties":1,"events":[{"properties":{"a":1}}]}"#), Err(wrong));
    }

    #[test]
    fn a_name_with_half_an_emoji_is_impossible() {
        let invalid = Invalid { reason: InvalidReason::InvalidValue, field: "/properties".into() };
        assert_eq!(properties(r#"{"properties":{"a\ud83d":1,"b":2}}"#), Err(invalid));
        let deeper = properties(r#"{"properties":{"a":{"\ud83d":1}}}"#);
        assert_eq!(deeper, Ok(vec![("a".into(), r#"{"\ud83d":1}"#.into())]));
    }

    #[test]
    fn limits_are_exact() {
        let many = |count: usize| {
            let list: Vec<_> = (0..count).map(|n| format!(r#""p{n}":1"#)).collect();
            format!(r#"{{"properties":{{{}}}}}"#, list.join(","))
        };
        assert_eq!(properties(&many(MAX_PROPERTIES)).map(|p| p.len()), Ok(MAX_PROPERTIES));
        for (count, field) in [(MAX_PROPERTIES + 1, "/properties/p64"), (MAX_PROPERTIES * 9, "/properties")] {
            let too_many = Invalid { reason: InvalidReason::TooManyProperties, field: field.into() };
            assert_eq!(properties(&many(count)), Err(too_many), "{count}");
        }
        let key = |bytes: usize| format!(r#"{{"properties":{{"{}":1}}}}"#, "k".repeat(bytes));
        assert!(properties(&key(MAX_KEY_BYTES)).is_ok());
        assert_eq!(properties(&key(MAX_KEY_BYTES + 1)).unwrap_err().reason, InvalidReason::TooLong);
        let value = |bytes: usize| format!(r#"{{"x":"{}"}}"#, "v".repeat(bytes));
        assert!(properties(&value(MAX_VALUE_BYTES)).is_ok());
        let too_long = properties(&value(MAX_VALUE_BYTES + 1)).unwrap_err();
        assert_eq!(too_long, Invalid { reason: InvalidReason::TooLong, field: "/x".into() });
        assert_eq!(properties(r#"{"properties":[1]}"#).unwrap_err().reason, InvalidReason::WrongType);
    }
}
