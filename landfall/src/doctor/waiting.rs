//! What waits in a region's Batcher. In scope: reading its state from `/readyz`. Out of scope: why, in an operator's words (`advice`).

use serde_json::Value;

use super::{Note, advice};

/// A batch is sent within about a second; older than this, something is in its way.
const OLDEST_USUAL_S: u64 = 10;

/// Notes what waits and whether that is unusual.
pub(super) fn look(state: &Value, region: &str, note: &mut Note<'_>) {
    let number = |name: &str| state[name].as_u64().unwrap_or(0);
    if let Some(error) = state["error"].as_str() {
        return note("waiting", error.to_owned(), Some("the Batcher cannot be reached: npx wrangler tail".to_owned()));
    }
    let (rows, bytes, oldest_s) = (number("backlog_rows"), number("backlog_bytes"), number("oldest_pending_seconds"));
    let mut found = format!("{rows} rows, {bytes} bytes");
    if rows > 0 {
        found = format!("{found}, the oldest for {oldest_s} s");
    }
    let waits_for = state["waits_for"].as_str();
    if let Some(waits_for) = waits_for {
        found = format!("{found}; last answer: {waits_for}");
    }
    let advice = match waits_for {
        Some(waits_for) => Some(advice::of(waits_for, region)),
        None if state["is_accepting"] == Value::Bool(false) => {
            Some("too much waits: events are refused until ClickHouse has taken some of it".to_owned())
        }
        None if rows > 0 && oldest_s > OLDEST_USUAL_S => {
            Some("rows wait without an attempt: is the cron trigger of wrangler.toml deployed?".to_owned())
        }
        None => None,
    };
    note("waiting", found, advice);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn looked(state: &Value) -> (String, Option<String>) {
        let mut notes = Vec::new();
        look(state, "eu", &mut |_, found, advice| notes.push((found, advice)));
        notes.remove(0)
    }

    #[test]
    fn only_what_is_unusual_gets_advice() {
        let idle = json!({"is_accepting": true, "backlog_rows": 0, "backlog_bytes": 0, "oldest_pending_seconds": 0, "waits_for": null});
        assert_eq!(looked(&idle), ("0 rows, 0 bytes".to_owned(), None));
        let busy = json!({"is_accepting": true, "backlog_rows": 7, "backlog_bytes": 70, "oldest_pending_seconds": 1});
        assert_eq!(looked(&busy), ("7 rows, 70 bytes, the oldest for 1 s".to_owned(), None));
        for (field, value) in [
            ("waits_for", json!("hold code 60")),
            ("is_accepting", json!(false)),
            ("oldest_pending_seconds", json!(60)),
            ("error", json!("gone")),
        ] {
            let mut state = busy.clone();
            state[field] = value;
            assert!(looked(&state).1.is_some(), "{state}");
        }
    }
}
