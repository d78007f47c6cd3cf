//! JSON values of the wire, still as text.
//!
//! In scope: collecting the fields of an object in one pass, and reading the text of one value as a string.
//! Out of scope: the shapes of a beacon (`beacon`), the types of its fields (`event`).

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::beacon::MAX_EVENTS;
use crate::field::Field;
use crate::property::MAX_PROPERTIES;

/// Unknown fields kept of one object: one more than an event may have as properties, so that "too many" shows.
const MAX_UNKNOWN: usize = MAX_PROPERTIES + 1;

/// The name of the field that makes an object an envelope.
const EVENTS: &str = "events";

/// Room for the members of one object before more is asked for.
const USUAL_MEMBERS: usize = 16;

/// The fields of one JSON object: known ones by slot, unknown ones by name.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a> {
    /// False if the JSON value was no object; then there are no fields.
    pub(crate) is_object: bool,
    known: [Option<&'a str>; Field::COUNT],
    pub(crate) unknown: Vec<(Cow<'a, str>, &'a str)>,
}

impl<'a> Fields<'a> {
    pub(crate) fn get(&self, field: Field) -> Option<&'a str> {
        self.known.get(field as usize).copied().flatten()
    }

    pub(crate) fn has_unknown(&self, name: &str) -> bool {
        self.unknown.iter().any(|(own, _)| own == name)
    }

    /// The text of a member that no beacon has.
    pub(crate) fn unknown_text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.unknown.iter().find(|(own, _)| own == name).and_then(|(_, value)| string(value))
    }

    /// Stores a field; the last one of a name wins, and `null` is absence.
    fn insert(&mut self, name: Cow<'a, str>, value: &'a str) {
        let value = if value == "null" { None } else { Some(value) };
        if let Some(slot) = Field::from_name(&name).and_then(|field| self.known.get_mut(field as usize)) {
            *slot = value;
            return;
        }
        // The list is as short as `MAX_UNKNOWN`, so this search stays cheap whatever is sent.
        self.unknown.retain(|(own, _)| *own != name);
        if let Some(value) = value.filter(|_| self.unknown.len() < MAX_UNKNOWN) {
            self.unknown.push((name, value));
        }
    }

    /// Makes a known field an unknown one, where it has no meaning.
    pub(crate) fn demote(&mut self, field: Field) {
        if let Some(value) = self.known.get_mut(field as usize).and_then(Option::take) {
            self.unknown.push((Cow::Borrowed(field.name()), value));
        }
    }

    /// The known fields that are present, in the order of the contract.
    pub(crate) fn present(&self) -> impl Iterator<Item = (Field, &'a str)> {
        Field::ALL.iter().filter_map(|field| self.get(*field).map(|value| (*field, value)))
    }
}

/// A JSON object that may be an envelope.
#[derive(Debug, Default)]
pub(crate) struct Object<'a> {
    pub(crate) fields: Fields<'a>,
    /// The value of `events`, if the object has one.
    pub(crate) events: Option<Events<'a>>,
}

impl<'a> Object<'a> {
    /// Reads an object whose `events` are read element by element.
    pub(crate) fn parse_slowly(text: &'a str) -> Option<Self> {
        let mut fields: Fields<'a> = serde_json::from_str(text).ok()?;
        let at = fields.unknown.iter().position(|(name, _)| name == EVENTS);
        let events = at.map(|at| fields.unknown.remove(at).1);
        Some(Self { fields, events: events.map(|text| elements(text).map_or(Events::NotAList, Events::List)) })
    }
}

/// The value of `events`.
#[derive(Debug)]
pub(crate) enum Events<'a> {
    /// An array; at most one element more than `MAX_EVENTS` is kept, so that "too many" shows.
    List(Vec<Fields<'a>>),
    /// Anything else.
    NotAList,
}

/// Reads the JSON text of a string, or `None` if it is another type. Lone surrogates become U+FFFD.
pub(crate) fn string(text: &str) -> Option<Cow<'_, str>> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str::<Unescaped>(text).ok().map(|unescaped| Cow::Owned(unescaped.0))
}

/// The members of an object whose names are all unknown, such as `properties`; duplicates and `null` are still in it.
#[derive(Debug, Default)]
pub(crate) struct Members<'a> {
    pub(crate) list: Vec<(Cow<'a, str>, &'a str)>,
    /// True if there were more than `MAX_UNKNOWN` members.
    pub(crate) is_cut: bool,
}

/// Reads the members of an object, or `None` if the text is another type.
pub(crate) fn members(text: &str) -> Option<Members<'_>> {
    if !text.starts_with('{') {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// Reads an array of objects, or `None` if the text is another type. At most `MAX_EVENTS + 1` elements are kept.
pub(crate) fn objects(text: &str) -> Option<Vec<Fields<'_>>> {
    match serde_json::from_str(text) {
        Ok(Events::List(objects)) => Some(objects),
        Ok(Events::NotAList) => None,
        Err(_) => elements(text),
    }
}

/// Reads an array element by element, which is slower: but one that serde refuses, such as `1e400`, spoils no other.
pub(crate) fn elements(text: &str) -> Option<Vec<Fields<'_>>> {
    let list: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    Some(list.into_iter().take(MAX_EVENTS + 1).map(|raw| serde_json::from_str(raw.get()).unwrap_or_default()).collect())
}

/// A string whose lone surrogates have been replaced.
struct Unescaped(String);

impl<'de> Deserialize<'de> for Unescaped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Unescaped;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Unescaped, E> {
                Ok(Unescaped(replace_surrogates(bytes)))
            }
        }
        // As bytes, because as a string serde_json refuses lone surrogates and with them the whole event.
        deserializer.deserialize_bytes(Bytes)
    }
}

/// The source was UTF-8, so the only invalid bytes are encoded surrogates: three bytes that start with 0xED.
fn replace_surrogates(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if chunk.invalid().first() == Some(&0xed) {
            text.push('\u{fffd}');
        }
    }
    text
}

/// Key of an object, borrowed when it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Writes the visitor methods for JSON values that are neither object nor array.
macro_rules! visit_scalars {
    ($value:ty, $answer:expr) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any JSON value")
        }
        fn visit_unit<E>(self) -> Result<$value, E> {
            Ok($answer)
        }
        fn visit_bool<E>(self, _: bool) -> Result<$value, E> {
            Ok($answer)
        }
        fn visit_i64<E>(self, _: i64) -> Result<$value, E> {
            Ok($answer)
        }
        fn visit_u64<E>(self, _: u64) -> Result<$value, E> {
            Ok($answer)
        }
        fn visit_f64<E>(self, _: f64) -> Result<$value, E> {
            Ok($answer)
        }
        fn visit_str<E>(self, _: &str) -> Result<$value, E> {
            Ok($answer)
        }
    };
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Event;
        impl<'de> Visitor<'de> for Event {
            type Value = Fields<'de>;

            visit_scalars!(Fields<'de>, Fields::default());

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Fields<'de>, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Fields::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Fields { is_object: true, ..Fields::default() };
                while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    fields.insert(name, value.get());
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_any(Event)
    }
}

impl<'de> Deserialize<'de> for Events<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Events<'de>;

            visit_scalars!(Events<'de>, Events::NotAList);

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Events<'de>, A::Error> {
                let mut events = Vec::new();
                while events.len() <= MAX_EVENTS {
                    let Some(event) = list.next_element()? else {
                        return Ok(Events::List(events));
                    };
                    events.push(event);
                }
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Events::List(events))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Events<'de>, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Events::NotAList)
            }
        }
        deserializer.deserialize_any(List)
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut object = Object::default();
                object.fields.is_object = true;
                while let Some(Name(name)) = map.next_key::<Name<'de>>()? {
                    if name == EVENTS {
                        object.events = Some(map.next_value()?);
                    } else {
                        object.fields.insert(name, map.next_value::<&'de RawValue>()?.get());
                    }
                }
                Ok(object)
            }
        }
        deserializer.deserialize_map(Map)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Members { list: Vec::with_capacity(USUAL_MEMBERS), is_cut: false };
                while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    members.is_cut |= members.list.len() >= MAX_UNKNOWN;
                    if !members.is_cut {
                        members.list.push((name, value.get()));
                    }
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Map)
    }
}
