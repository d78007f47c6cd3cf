//! The first-party id of a persistent visitor: a cookie that only the edge sets and reads.
//!
//! In scope: the id, its age, the cookie's text. Out of scope: which sites have one (`site`), what the row holds of it (`enrich::visitor`).
//!
//! The id is a UUIDv7, so it carries its own birth, and no visit prolongs it: after 13 months it is replaced, which is how long the French
//! authority (CNIL) lets an id for audience measurement live. `HttpOnly` keeps it from scripts, `SameSite=Lax` from other sites' pages.

use uuid::Uuid;

/// The cookie's name.
pub const COOKIE_NAME: &str = "landfall_id";

/// How old an id may get, in seconds: 13 months of 30 days.
pub const MAX_AGE_S: i64 = 390 * 24 * 60 * 60;

/// How far an id's birth may lie in the future, in milliseconds: the edge's clocks agree better than this.
const MAX_EARLY_MS: i64 = 60_000;

/// The id in a `Cookie` header, if it is one of ours and not too old.
pub fn find(cookie: Option<&str>, now_ms: i64) -> Option<Uuid> {
    let own = |pair: &str| pair.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('=').map(str::to_owned);
    let value = cookie?.split(';').find_map(own)?;
    let id = Uuid::try_parse(&value).ok().filter(|id| id.get_version_num() == 7)?;
    let born_ms = i64::try_from(id.as_u128() >> 80).ok()?;
    let age_ms = now_ms.saturating_sub(born_ms);
    (-MAX_EARLY_MS..MAX_AGE_S * 1_000).contains(&age_ms).then_some(id)
}

/// The value of `Set-Cookie` for a new id. `path` is where the collector lives, so that no other request carries it.
pub fn set_cookie(id: Uuid, path: &str, is_https: bool) -> String {
    let path = if path.is_empty() { "/" } else { path };
    let secure = if is_https { "; Secure" } else { "" };
    format!("{COOKIE_NAME}={}; Max-Age={MAX_AGE_S}; Path={path}; HttpOnly; SameSite=Lax{secure}", id.hyphenated())
}

#[cfg(test)]
mod tests {
    use uuid::Builder;

    use super::*;

    const NOW_MS: i64 = 1_763_660_000_123;

    fn born(ms: i64) -> Uuid {
        Builder::from_unix_timestamp_millis(ms.unsigned_abs(), &[5; 10]).into_uuid()
    }

    #[test]
    fn an_id_lives_for_thirteen_months_and_no_longer() {
        let max_age_ms = MAX_AGE_S * 1_000;
        for (age_ms, is_found) in
            [(0, true), (max_age_ms - 1, true), (max_age_ms, false), (-MAX_EARLY_MS, true), (-MAX_EARLY_MS - 1, false)]
        {
            let id = born(NOW_MS - age_ms);
            let found = find(Some(&format!("a=b; {COOKIE_NAME}={id}; c=d")), NOW_MS);
            assert_eq!(found, is_found.then_some(id), "{age_ms} ms old");
        }
    }

    #[test]
    fn what_the_edge_did_not_set_is_no_id() {
        for cookie in [
            "",
            "landfall_id=",
            "landfall_id=abc",
            "x_landfall_id=0198",
            "landfall_id=6f2b0a52-9a4e-4a6e-8f6d-1c2d3e4f5a6b",
        ] {
            assert_eq!(find(Some(cookie), NOW_MS), None, "{cookie}");
        }
        assert_eq!(find(None, NOW_MS), None);
    }

    #[test]
    fn the_cookie_is_for_the_collector_alone() {
        let id = born(NOW_MS);
        let cookie = set_cookie(id, "/_l", true);
        assert_eq!(cookie, format!("landfall_id={id}; Max-Age=33696000; Path=/_l; HttpOnly; SameSite=Lax; Secure"));
        assert!(set_cookie(id, "", false).contains("; Path=/; ") && !set_cookie(id, "", false).contains("Secure"));
        let sent_back = cookie.split(';').next();
        assert_eq!(find(sent_back, NOW_MS), Some(id));
    }
}
