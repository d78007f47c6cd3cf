//! Blanking out what looks like a crawler's name but is not one.
//!
//! In scope: the exclusions of the lists, and the places where a browser names the device it runs on, which vendors fill
//! with anything (`XBot Junior`, `Google TV`, `Newsday_A2`). Text is replaced by spaces, so positions stay.

use std::borrow::Cow;

use crate::pattern::{PatternSet, Scratch};

/// Exclusions blanked out per user agent; honest ones have one or two.
const MAX_EXCLUSIONS: usize = 16;

/// A user agent without what only looks like a crawler's name.
pub(super) fn mask<'u>(user_agent: &'u str, exclusions: &PatternSet<'_>, scratch: &mut Scratch) -> Cow<'u, str> {
    let mut masked = Cow::Borrowed(user_agent);
    if let Some((start, end)) = device_name(user_agent) {
        blank(&mut masked, start, end);
    }
    for _ in 0..MAX_EXCLUSIONS {
        exclusions.scan(&masked, scratch);
        let found = exclusions.find_map(&masked, 0..exclusions.len(), scratch, |_, groups| groups.range(1));
        match found {
            Some(range) if !range.is_empty() => blank(&mut masked, range.start, range.end),
            _ => break,
        }
    }
    masked
}

/// Where a browser names the device, in its first comment: behind the name of the system up to `Build/`, or else the first
/// part that is no language. A part that spells another product or an address is not a device.
fn device_name(user_agent: &str) -> Option<(usize, usize)> {
    const SYSTEMS: [&str; 3] = ["Android", "GoogleTV", "IEMobile/"];
    let comment_start = user_agent.find('(')?;
    let comment = user_agent.get(comment_start..)?;
    let comment = comment.get(..comment.find(") ").or_else(|| comment.find(')'))?)?;
    let system = SYSTEMS.iter().find_map(|system| comment.find(system))?;
    let parts_start = comment_start + system + comment.get(system..)?.find(';')? + 1;
    let parts = comment.get(parts_start - comment_start..)?;
    if let Some(build) = parts.find(" Build/") {
        let end = parts.get(build..)?.find(';').map_or(parts.len(), |index| build + index);
        return is_device(parts.get(..build)?).then_some((parts_start, parts_start + end));
    }
    let mut start = parts_start;
    for part in parts.split(';') {
        let end = start + part.len();
        if !is_language(part.trim()) {
            return is_device(part).then_some((start, end));
        }
        start = end + 1;
    }
    None
}

/// Whether a part of a comment is a language (`en`, `pt-BR`) or nothing.
fn is_language(part: &str) -> bool {
    part.len() <= 2 || (part.len() == 5 && matches!(part.as_bytes().get(2), Some(b'-' | b'_')))
}

/// Whether a part of a comment can be the name of a device: no other product with a version, no address.
fn is_device(part: &str) -> bool {
    !["compatible", "/", "http", "@"].iter().any(|other| part.contains(other))
}

fn blank(text: &mut Cow<'_, str>, start: usize, end: usize) {
    if let (Some(before), Some(part), Some(after)) = (text.get(..start), text.get(start..end), text.get(end..)) {
        let blanked = [before, &" ".repeat(part.len()), after].concat();
        *text = Cow::Owned(blanked);
    }
}
