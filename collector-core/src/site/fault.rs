//! Which setting serde refuses.
//!
//! In scope: the name of the setting behind an error of serde, which only knows a line and a column. Out of scope: values that have the right type and
//! cannot be (`site`).

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::row::push_json_string;
use crate::site::{Site, SiteError};
use crate::wire;

/// Settings that errors do not repeat.
const SECRETS: [&str; 2] = ["ingest_key_sha256", "user_id_key"];

/// Serde would take an array for an object, its elements as the settings in their order.
pub(super) fn check_objects(members: &[(Cow<'_, str>, &str)]) -> Result<(), SiteError> {
    let is_refused = |name: &str, value: &str| match name {
        "privacy" | "limits" => value.starts_with('['),
        "rules" => wire::objects(value).is_some_and(|rules| rules.iter().any(|rule| !rule.is_object)),
        _ => false,
    };
    match members.iter().find(|(name, value)| is_refused(name, value)) {
        Some((name, _)) => {
            Err(SiteError::Type { setting: name.to_string(), found: "another type than an object".into() })
        }
        None => Ok(()),
    }
}

/// The setting that serde refuses: each is tried alone, those of an inner object too. `None` if the fault lies between them.
pub(super) fn find(members: &[(Cow<'_, str>, &str)]) -> Option<SiteError> {
    members.iter().find_map(|(name, value)| {
        let inner = wire::members(value).unwrap_or_default().list;
        let inner = inner.iter().map(|(own, value)| (format!("{name}.{own}"), object(own, value)));
        inner.chain(rules(name, value)).chain([(name.to_string(), (*value).to_owned())]).find_map(|(setting, value)| {
            let error = try_alone(name, &value).err()?.to_string();
            let reason = error.split(" at line ").next().unwrap_or("");
            // Whoever puts a key in the wrong shape shall not read it in an error.
            let is_secret = SECRETS.contains(&name.as_ref());
            Some(SiteError::Type { setting, found: if is_secret { "another type" } else { reason }.to_owned() })
        })
    })
}

/// Each rule as the only one, by its name.
fn rules(setting: &str, value: &str) -> Vec<(String, String)> {
    let rules: Vec<&RawValue> =
        if setting == "rules" { serde_json::from_str(value).unwrap_or_default() } else { Vec::new() };
    let alone = |rule: &&RawValue| {
        let members = wire::members(rule.get())?.list;
        let (_, name) = members.iter().find(|(name, _)| name == "name")?;
        Some((format!("rule {name} of {setting}"), format!("[{}]", rule.get())))
    };
    rules.iter().filter_map(alone).collect()
}

/// Reads a site with one setting, and with those that every site needs.
fn try_alone(name: &str, value: &str) -> serde_json::Result<Site> {
    let needed = [("id", "\"x\""), ("domains", "[]")].into_iter().filter(|(needed, _)| *needed != name);
    let members = needed.chain([(name, value)]).map(|(name, value)| member(name, value));
    serde_json::from_str(&format!("{{{}}}", members.collect::<Vec<_>>().join(",")))
}

fn object(name: &str, value: &str) -> String {
    format!("{{{}}}", member(name, value))
}

fn member(name: &str, value: &str) -> String {
    let mut member = Vec::new();
    push_json_string(&mut member, name);
    format!("{}:{value}", String::from_utf8_lossy(&member))
}
