//! From uap-core's three lists to the two tables of this module.
//!
//! In scope: templates (`$1` as the `regex` crate expands it, which is how `uaparser` reads them) and which groups each
//! pattern must remember. Out of scope: reading YAML (`cargo xtask update-data`).

use super::answer::{FIELDS, TRIM};
use crate::pattern::compile::{Error, Source, compile};
use crate::user_agent::DeviceType;

/// One entry of a list.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// The expression.
    pub expression: String,
    /// Whether letters match in either case.
    pub any_case: bool,
    /// Family and versions, or device, brand and model, where the entry spells them.
    pub templates: [Option<String>; FIELDS],
}

/// The three lists in their order of precedence.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    /// `user_agent_parsers`.
    pub browsers: Vec<Entry>,
    /// `os_parsers`.
    pub systems: Vec<Entry>,
    /// `device_parsers`.
    pub devices: Vec<Entry>,
    /// Our own: expressions that match in any case, and the type of device they tell.
    pub device_types: Vec<(String, DeviceType)>,
}

/// The contents of `data/uap_patterns.bin` and `data/uap_answers.bin`.
#[derive(Clone, Debug)]
pub struct Tables {
    /// The pattern set.
    pub patterns: Vec<u8>,
    /// The answers.
    pub answers: Vec<u8>,
}

/// Which list an entry belongs to: it decides what an absent template means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Browser,
    System,
    Device,
}

/// Compiles the lists.
pub fn tables(lists: &Lists) -> Result<Tables, Error> {
    let kinds = [(Kind::Browser, &lists.browsers), (Kind::System, &lists.systems), (Kind::Device, &lists.devices)];
    let mut answers: Vec<u8> = Vec::new();
    for length in kinds.iter().map(|(_, list)| list.len()).chain([lists.device_types.len()]) {
        answers.extend(narrow("answers", length)?.to_le_bytes());
    }
    let entries = || kinds.into_iter().flat_map(|(kind, list)| list.iter().map(move |entry| (kind, entry)));
    for (kind, entry) in entries() {
        answers.extend(answer(kind, entry)?);
    }
    for (_, device_type) in &lists.device_types {
        let number = DeviceType::ALL.iter().position(|other| other == device_type).unwrap_or_default();
        answers.push(u8::try_from(number).unwrap_or_default());
    }
    let device_types = lists.device_types.iter();
    let device_types =
        device_types.map(|(expression, _)| Source { expression: expression.clone(), any_case: true, groups: 0 });
    let sources: Vec<Source> = entries().map(|(kind, entry)| source(kind, entry)).chain(device_types).collect();
    Ok(Tables { patterns: compile(&sources)?, answers })
}

/// Which fields have templates, and those.
fn answer(kind: Kind, entry: &Entry) -> Result<Vec<u8>, Error> {
    let mut answer = vec![0];
    for (field, template) in entry.templates.iter().enumerate() {
        let Some(template) = template else { continue };
        let template = spelling(kind, field, template);
        answer[0] |= 1 << field;
        answer.push(u8::try_from(template.len()).map_err(|_| Error::LiteralTooLong { found: template.len() })?);
        answer.extend(template);
    }
    Ok(answer)
}

fn source(kind: Kind, entry: &Entry) -> Source {
    let mut groups = 0_u16;
    for (field, template) in entry.templates.iter().enumerate() {
        groups |= match template {
            Some(template) => spelling(kind, field, template)
                .iter()
                .filter(|byte| (1..TRIM).contains(byte))
                .fold(0, |bits, group| bits | 1 << group),
            None => fallback_groups(kind, field),
        };
    }
    // The fourth part of a system's version has no template.
    groups |= if kind == Kind::System { 1 << 5 } else { 0 };
    Source { expression: entry.expression.clone(), any_case: entry.any_case, groups }
}

/// The group that stands in for an absent template.
fn fallback_groups(kind: Kind, field: usize) -> u16 {
    match (kind, field) {
        (Kind::Device, 0 | 2) => 1 << 1,
        (Kind::Device, _) => 0,
        (Kind::Browser | Kind::System, field) => 1 << (field + 1),
    }
}

/// A template as stored: groups as bytes 1 to 9.
fn spelling(kind: Kind, field: usize, template: &str) -> Vec<u8> {
    // uaparser takes the versions of a browser as they are.
    if !template.contains('$') || (kind == Kind::Browser && field > 0) {
        return template.as_bytes().to_vec();
    }
    let mut spelled = vec![];
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        spelled.extend(before.bytes());
        let name_bytes = after.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        let (name, tail) = after.split_at(name_bytes);
        match name.parse::<u8>() {
            Ok(group @ 1..TRIM) => spelled.push(group),
            _ if name.is_empty() => spelled.push(b'$'),
            _ => {}
        }
        rest = tail;
    }
    spelled.extend(rest.bytes());
    spelled.push(TRIM);
    spelled
}

fn narrow(section: &'static str, value: usize) -> Result<u16, Error> {
    u16::try_from(value).map_err(|_| Error::SetTooLarge { section, found: value })
}
