//! The answer to a beacon: one receipt per event, and the HTTP reply that carries them.
//!
//! In scope: receipts as JSON, the status code of a whole reply. Out of scope: CORS and other headers (the shell).

use uuid::Uuid;

use crate::beacon::BeaconError;
use crate::outcome::{InvalidReason, LimitReason, Outcome};
use crate::row::push_json_string;

/// Seconds after which a limited or refused sender may try again.
pub const RETRY_AFTER_S: u32 = 5;

/// The content type of every reply.
pub const CONTENT_TYPE: &str = "application/json";

/// What became of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The event's id; absent when it has none yet because it is not stored.
    pub event_id: Option<Uuid>,
    /// What was decided about it.
    pub outcome: Outcome,
    /// JSON pointer of the field that made it invalid.
    pub field: Option<String>,
    /// For `/v1/validate` and debugging: the row as a JSON object.
    pub row: Option<Vec<u8>>,
}

/// An HTTP reply as plain data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// `Retry-After` in seconds.
    pub retry_after_s: Option<u32>,
    /// Body, of `CONTENT_TYPE`.
    pub body: Vec<u8>,
}

impl Reply {
    /// The reply to a beacon whose events each have a receipt.
    ///
    /// The status is 202 if at least one event got a verdict of its own; it is an error only if the same thing is wrong with all of them.
    pub fn from_receipts(receipts: &[Receipt]) -> Self {
        let status = match receipts {
            [] => 202,
            [first, rest @ ..] => {
                let shared = whole_beacon_status(first.outcome);
                if rest.iter().all(|receipt| whole_beacon_status(receipt.outcome) == shared) {
                    shared
                } else {
                    mixed(receipts)
                }
            }
        };
        Self::new(status, receipts)
    }

    /// The reply to a beacon that is refused as a whole.
    pub fn from_error(error: &BeaconError) -> Self {
        let status = match error.reason() {
            InvalidReason::BodyTooLarge | InvalidReason::TooManyEvents => 413,
            _ => 400,
        };
        Self::new(
            status,
            &[Receipt { event_id: None, outcome: Outcome::Invalid(error.reason()), field: None, row: None }],
        )
    }

    /// The reply when nothing could take the beacon, before its events were even read.
    pub fn unavailable() -> Self {
        let outcome = Outcome::Limited(LimitReason::Unavailable);
        Self::new(503, &[Receipt { event_id: None, outcome, field: None, row: None }])
    }

    fn new(status: u16, receipts: &[Receipt]) -> Self {
        let is_limited = receipts.iter().any(|receipt| matches!(receipt.outcome, Outcome::Limited(_)));
        Self { status, retry_after_s: is_limited.then_some(RETRY_AFTER_S), body: encode(receipts) }
    }
}

/// The status of a reply in which every event has this outcome.
fn whole_beacon_status(outcome: Outcome) -> u16 {
    match outcome {
        Outcome::Invalid(InvalidReason::UnknownSite) => 404,
        Outcome::Invalid(
            InvalidReason::OriginNotAllowed | InvalidReason::WrongIngestKey | InvalidReason::IngestKeyInBrowser,
        ) => 403,
        Outcome::Limited(LimitReason::Unavailable) => 503,
        Outcome::Limited(_) => 429,
        _ => 202,
    }
}

/// The status when events differ: a sender that keeps unsent events must hear of any that could not be taken; receipts tell it which.
fn mixed(receipts: &[Receipt]) -> u16 {
    let has = |status| receipts.iter().any(|receipt| whole_beacon_status(receipt.outcome) == status);
    if has(503) {
        503
    } else if has(429) {
        429
    } else {
        202
    }
}

fn encode(receipts: &[Receipt]) -> Vec<u8> {
    let mut body = Vec::with_capacity(16 + receipts.len() * 80);
    body.extend_from_slice(b"{\"results\":[");
    for (index, receipt) in receipts.iter().enumerate() {
        body.extend_from_slice(if index > 0 { b",{" } else { b"{" });
        if let Some(id) = receipt.event_id {
            push_member(&mut body, "event_id", &id.hyphenated().to_string());
            body.push(b',');
        }
        push_member(&mut body, "outcome", receipt.outcome.tag());
        let reason = receipt.outcome.reason_tag();
        if !reason.is_empty() {
            body.push(b',');
            push_member(&mut body, "reason", reason);
        }
        if let Some(field) = &receipt.field {
            body.push(b',');
            push_member(&mut body, "field", field);
        }
        if let Some(row) = &receipt.row {
            body.extend_from_slice(b",\"row\":");
            body.extend_from_slice(row);
        }
        body.push(b'}');
    }
    body.extend_from_slice(b"]}");
    body
}

fn push_member(body: &mut Vec<u8>, name: &str, value: &str) {
    push_json_string(body, name);
    body.push(b':');
    push_json_string(body, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::FilterReason;

    fn receipt(outcome: Outcome) -> Receipt {
        Receipt { event_id: None, outcome, field: None, row: None }
    }

    #[test]
    fn receipts_are_as_the_contract_shows_them() {
        let receipts = [
            Receipt { event_id: Some(Uuid::from_u128(1)), ..receipt(Outcome::Accepted(None)) },
            Receipt {
                field: Some("/events/1/event_type".into()),
                ..receipt(Outcome::Invalid(InvalidReason::MissingField))
            },
        ];
        let body = r#"{"results":[{"event_id":"00000000-0000-0000-0000-000000000001","outcome":"accepted"},{"outcome":"invalid","reason":"missing_field","field":"/events/1/event_type"}]}"#;
        assert_eq!(Reply::from_receipts(&receipts), Reply { status: 202, retry_after_s: None, body: body.into() });
        assert_eq!(Reply::from_receipts(&[]).body, br#"{"results":[]}"#);
    }

    #[test]
    fn the_status_says_what_is_wrong_with_the_whole_beacon() {
        let accepted = Outcome::Accepted(None);
        let unknown_site = Outcome::Invalid(InvalidReason::UnknownSite);
        let limited = Outcome::Limited(LimitReason::SiteRate);
        let unavailable = Outcome::Limited(LimitReason::Unavailable);
        for (outcomes, status, retry_after_s) in [
            (&[accepted, unknown_site][..], 202, None),
            (&[unknown_site, unknown_site], 404, None),
            (&[Outcome::Invalid(InvalidReason::OriginNotAllowed)], 403, None),
            (&[Outcome::Filtered(FilterReason::Gpc)], 202, None),
            (&[Outcome::Invalid(InvalidReason::MissingField)], 202, None),
            (&[limited, limited], 429, Some(RETRY_AFTER_S)),
            (&[accepted, limited], 429, Some(RETRY_AFTER_S)),
            (&[accepted, unavailable, limited], 503, Some(RETRY_AFTER_S)),
        ] {
            let reply = Reply::from_receipts(&outcomes.iter().map(|o| receipt(*o)).collect::<Vec<_>>());
            assert_eq!((reply.status, reply.retry_after_s), (status, retry_after_s), "{outcomes:?}");
        }
        assert_eq!(Reply::unavailable().status, 503);
    }

    #[test]
    fn refused_beacons_have_the_same_shape() {
        let reply = Reply::from_error(&BeaconError::InvalidJson { line: 1, column: 1 });
        assert_eq!(
            (reply.status, reply.body),
            (400, br#"{"results":[{"outcome":"invalid","reason":"invalid_json"}]}"#.to_vec())
        );
        assert_eq!(Reply::from_error(&BeaconError::TooManyEvents).status, 413);
        assert_eq!(Reply::from_error(&BeaconError::BodyTooLarge { limit_bytes: 1 }).status, 413);
    }
}
