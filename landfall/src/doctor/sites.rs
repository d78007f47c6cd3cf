//! The sites of the collector. In scope: those that no region may store, and what is left of examinations before.

use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::Note;
use crate::collector::Collector;
use crate::sites::{self, SitesError};

/// How the id of every examination's site begins; a UUID with the time follows.
pub(super) const PREFIX: &str = "landfall-doctor-";
/// How long a site is left whose event had not landed when doctor went: a batch with it waits for a region that takes it.
const MAX_LEFT: Duration = Duration::from_hours(24);
/// How many ids are named.
const MAX_NAMED: usize = 10;

/// Notes the sites whose events nobody can store, and deletes what earlier examinations have left.
pub(super) fn look(collector: &Collector, regions: &[String], note: &mut Note<'_>) -> Result<(), SitesError> {
    let now = Uuid::now_v7();
    let all = sites::list(collector)?;
    let (own, others): (Vec<&Value>, Vec<&Value>) = all.iter().partition(|site| id(site).starts_with(PREFIX));
    for site in own.into_iter().filter(|site| is_over(id(site), now)) {
        match sites::delete(collector, id(site)) {
            // Another examination was quicker.
            Ok(_) | Err(SitesError::Unknown(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let lost: Vec<&str> = others.iter().filter(|site| is_lost(site, regions)).map(|site| id(site)).collect();
    let (found, advice) = tell(others.len(), &lost, regions);
    note("sites", found, advice);
    Ok(())
}

fn id(site: &Value) -> &str {
    site["id"].as_str().unwrap_or_default()
}

/// Whether a site of doctor's own is older than it may get.
fn is_over(id: &str, now: Uuid) -> bool {
    let made = id.strip_prefix(PREFIX).and_then(|id| Uuid::parse_str(id).ok());
    // What is no UUID is left of an older version.
    made.is_none_or(|made| milliseconds(now).saturating_sub(milliseconds(made)) > MAX_LEFT.as_millis())
}

/// The time in a UUID of version 7, since 1970.
fn milliseconds(id: Uuid) -> u128 {
    id.as_u128() >> 80
}

/// Whether a site permits regions, and none that there is.
fn is_lost(site: &Value, regions: &[String]) -> bool {
    let permitted = site["regions"].as_array().map(Vec::as_slice).unwrap_or_default();
    !permitted.is_empty() && !permitted.iter().any(|name| regions.iter().any(|region| name == region))
}

fn tell(count: usize, lost: &[&str], regions: &[String]) -> (String, Option<String>) {
    if lost.is_empty() {
        return (count.to_string(), None);
    }
    let more = if lost.len() > MAX_NAMED { ", ..." } else { "" };
    let names = lost.iter().take(MAX_NAMED).copied().collect::<Vec<_>>().join(", ");
    let found = format!("{count}, {} of them without a region: {names}{more}", lost.len());
    let advice = format!(
        "their events are refused with 503: give them regions of the collector's ({}), with landfall sites put",
        regions.join(", ")
    );
    (found, Some(advice))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_site_without_a_region_that_there_is_is_named() {
        let regions = ["eu".to_owned(), "us".to_owned()];
        for (permitted, expected) in [
            (json!([]), false),
            (json!(["eu"]), false),
            (json!(["mars", "us"]), false),
            (json!(["mars"]), true),
            (Value::Null, false),
        ] {
            assert_eq!(is_lost(&json!({"id": "shop", "regions": permitted}), &regions), expected, "{permitted}");
        }
        assert_eq!(tell(1, &[], &regions), ("1".to_owned(), None));
        let (found, advice) = tell(12, &["lost"; 11], &regions);
        assert!(found.starts_with("12, 11 of them without a region: lost, ") && found.ends_with(", ..."), "{found}");
        assert!(advice.is_some_and(|advice| advice.contains("(eu, us)")));
    }

    #[test]
    fn only_what_old_examinations_have_left_is_over() {
        let now = Uuid::now_v7();
        let before = |hours: u64| {
            let ago = u128::from(hours) * 3_600_000;
            format!("{PREFIX}{}", Uuid::from_u128(now.as_u128() - (ago << 80)))
        };
        assert!(!is_over(&before(0), now) && !is_over(&before(23), now));
        assert!(is_over(&before(25), now));
        assert!(is_over("landfall-doctor-eu", now));
    }
}
