//! What a site calls its own sources.
//!
//! In scope: the setting `channels`, from a source to the channel it counts as. Out of scope: the default channels (`channel`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::origin::is_host_within;
use crate::site::MAX_LIST_ENTRIES;

/// The longest name of a channel or a source, in bytes.
pub const MAX_NAME_BYTES: usize = 64;

/// Sources (a host with its sub-domains, or a `utm_source`; lower-case) and the channels that they count as, before any other rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnChannels {
    by_source: BTreeMap<String, String>,
}

impl OwnChannels {
    /// The first entry that cannot be, if there is one.
    pub fn find_invalid(&self) -> Option<String> {
        let is_name = |text: &String| (1..=MAX_NAME_BYTES).contains(&text.len());
        let is_valid = |source: &String, channel: &String| is_name(source) && is_name(channel) && is_source(source);
        let invalid = self.by_source.iter().find(|(source, channel)| !is_valid(source, channel));
        let beyond =
            self.by_source.len().checked_sub(MAX_LIST_ENTRIES + 1).map(|_| format!("{} entries", self.by_source.len()));
        invalid.map(|(source, channel)| format!("{source}: {channel}")).or(beyond)
    }

    /// The channel of a source; the longest entry wins.
    pub fn of(&self, source: &str) -> Option<&str> {
        let held = self.by_source.iter().filter(|(own, _)| is_host_within(source, own));
        held.max_by_key(|(own, _)| own.len()).map(|(_, channel)| channel.as_str())
    }
}

/// Whether a source can be this text. Sub-domains are meant anyway, and a host has no scheme.
fn is_source(text: &str) -> bool {
    !text.bytes().any(|b| b.is_ascii_uppercase())
        && !text.contains("*.")
        && !text.contains("://")
        && text.trim() == text
}
