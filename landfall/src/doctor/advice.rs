//! What an operator can do. In scope: words for the class and code of ClickHouse's answer to the collector, and for its answers to doctor.

use crate::connection::ConnectionError;

/// Advice for `waits_for` of `/readyz`: the class of the answer, then `code N` or `no code`.
pub(super) fn of(waits_for: &str, region: &str) -> String {
    let class = waits_for.split(' ').next().unwrap_or_default();
    let code: u32 = waits_for.rsplit(' ').next().and_then(|code| code.parse().ok()).unwrap_or(0);
    let secret = format!("CLICKHOUSE_PASSWORD_{}", region.to_uppercase().replace('-', "_"));
    match (class, code) {
        (_, 16 | 20 | 36 | 47 | 60 | 81 | 117) => {
            format!("the schema is not up to date: landfall migrate --url <ClickHouse of {region}>")
        }
        (_, 192..=194 | 516) => {
            format!("the collector's login is refused: npx wrangler secret put {secret}, or mend users.d/collector.xml")
        }
        (_, 497) => "the collector's user lacks INSERT on a table: mend users.d/collector.xml".to_owned(),
        (_, 75 | 243) => "ClickHouse has no disk space left: make room; it drains by itself".to_owned(),
        (_, 201) => "the collector's quota is used up: raise it, or wait for the next interval".to_owned(),
        (_, 241) => "ClickHouse is short of memory: see its system.merges and queries".to_owned(),
        (_, 242 | 252) => {
            "ClickHouse has too many parts or a table is read-only: see system.parts and system.replicas".to_owned()
        }
        ("hold", 0) => format!(
            "something else than ClickHouse answers, or the Worker lacks a setting: check REGIONS and the secret {secret}"
        ),
        ("hold", code) => format!("ClickHouse refuses with code {code} until that is mended; it drains by itself then"),
        ("unknown" | "retry", 0) => {
            format!("the collector cannot reach ClickHouse of {region}: is it running, is the URL in REGIONS right?")
        }
        _ => format!("ClickHouse answers with code {code}; the batch is tried again"),
    }
}

/// Advice for an error of a question that doctor asks itself.
pub(super) fn of_error(error: &ConnectionError, url: &str) -> String {
    match error {
        ConnectionError::Unreachable { .. } | ConnectionError::NotClickHouse { .. } | ConnectionError::Address(_) => {
            "start this ClickHouse, or mend the address given to doctor".to_owned()
        }
        ConnectionError::Slow { .. } => "this ClickHouse is there and slow: see its system.processes".to_owned(),
        ConnectionError::Login { .. } => "mend the login given to doctor; the collector has one of its own".to_owned(),
        ConnectionError::Denied { .. } => {
            "let this user read ecommerce.*, as reader may: users.d/reader.xml".to_owned()
        }
        ConnectionError::Exception { code: 16 | 47 | 60 | 81, .. } => {
            format!("the schema is not up to date: landfall migrate --url {url}")
        }
        ConnectionError::Exception { .. } => "see this ClickHouse's log, then run doctor again".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_that_fails_says_what_to_mend() {
        let exception = |code| ConnectionError::Exception { code, text: String::new() };
        assert!(of_error(&exception(60), "http://h").ends_with("landfall migrate --url http://h"));
        assert!(of_error(&exception(241), "http://h").contains("log"));
        let login = ConnectionError::Login { url: String::new(), user: String::new() };
        assert!(of_error(&login, "http://h").contains("login given to doctor"));
    }

    #[test]
    fn advice_names_what_to_mend() {
        for (waits_for, words) in [
            ("hold code 60", "landfall migrate"),
            ("hold code 516", "wrangler secret put CLICKHOUSE_PASSWORD_EU_1"),
            ("hold code 497", "lacks INSERT"),
            ("hold no code", "check REGIONS"),
            ("hold code 452", "code 452"),
            ("unknown no code", "cannot reach ClickHouse of eu-1"),
            ("retry code 243", "disk space"),
            ("retry code 999", "code 999"),
        ] {
            let advice = of(waits_for, "eu-1");
            assert!(advice.contains(words), "{waits_for}: {advice}");
        }
    }
}
