//! Sums of rows as they are judged.

use collector_core::rejudge::Judge;
use collector_core::site::Site;
use serde_json::json;

use super::*;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

/// A purchase as it may be stored.
fn row(site: &str, currency: &str, revenue: &str, signals: &[&str]) -> StoredRow {
    let texts = "session_id page_title referrer referrer_host channel utm_source utm_medium utm_campaign utm_term utm_content region city \
                 timezone language browser os browser_version os_version device_brand device_model collector_region colo tracker page_url";
    let numbers = "skew_ms user_id seq asn screen_width screen_height quantity engaged_ms scroll_pct";
    let mut row = json!({"event_id": "e", "site_id": site, "timestamp": "2026-11-20 10:00:00.000", "event_type": "purchase",
        "page_path": "/", "country": "DE", "device_type": "desktop", "product_id": null, "order_id": "o1", "revenue": revenue,
        "currency": currency, "properties": {}, "bot_signals": signals, "ip_address": "::", "user_agent": FIREFOX});
    for name in texts.split_whitespace() {
        row[name] = "".into();
    }
    for name in numbers.split_whitespace() {
        row[name] = 0.into();
    }
    serde_json::from_value(row).unwrap()
}

fn site(id: &str, then: &str, shadow: bool) -> Site {
    let rule = json!({"name": "de", "when": "country = \"DE\"", "then": then, "shadow": shadow});
    Site::parse(&json!({"id": id, "domains": ["a.example"], "rules": [rule]}).to_string()).unwrap()
}

/// The row with the verdict that stands, which may be that of a run.
fn standing(row: &StoredRow, signals: &[String]) -> Standing {
    Standing { is_bot: 1, signals: signals.to_vec(), row: row.clone() }
}

/// Counts each row as changed, by the rules of its site.
fn diff_of(rows: &[(StoredRow, Site)]) -> Diff {
    let mut diff = Diff::default();
    for (row, site) in rows {
        let mut judge = Judge::default();
        let judgement = judge.judge(row, site).unwrap();
        let standing = standing(row, &row.bot_signals);
        diff.note_shadows(&standing, &judgement);
        diff.add(&Difference { standing: &standing, judgement: &judgement, crawler: None });
    }
    diff
}

#[test]
fn changes_are_summed_by_direction_reason_site_and_currency() {
    let diff = diff_of(&[
        (row("a", "EUR", "129.9", &[]), site("a", "flag", false)),
        (row("a", "EUR", "0.1055", &[]), site("a", "drop", false)),
        (row("b", "USD", "20", &[]), site("b", "flag", false)),
        (row("b", "EUR", "-1.5", &["rule:gone"]), site("b", "allow", false)),
    ]);
    assert_eq!((diff.to_bot.events, diff.to_bot.purchases, diff.dropped), (3, 3, 1));
    assert_eq!(diff.to_bot.revenue.to_string(), "130.0055 EUR, 20.00 USD");
    assert_eq!(diff.to_bot.reasons.sorted(), [("rule:de of a", 2), ("rule:de of b", 1)]);
    assert_eq!(diff.to_bot.sites.sorted(), [("a", 2), ("b", 1)]);
    assert_eq!(diff.to_bot.examples.len(), 1, "the same user agent is one example");
    assert_eq!((diff.to_human.events, diff.to_human.revenue.to_string()), (1, "-1.50 EUR".to_owned()));
    assert_eq!(diff.to_human.reasons.sorted(), [("rule:de of b", 1)]);
}

#[test]
fn a_person_without_a_rule_is_so_by_what_made_it_a_bot() {
    let none = Site::new("a", &["a.example"]).unwrap();
    for (signals, reason) in [
        (&["rule:gone"][..], "rule:gone of a"),
        (&["asn:hosting", "ua:crawler", "ua:crawler:seo"], "ua:crawler:seo"),
        (&["asn:hosting", "browser:automation", "browser:webdriver"], "browser:webdriver"),
        (&["screen:impossible", "asn:hosting", "shadow:try"], "asn+screen"),
    ] {
        let diff = diff_of(&[(row("a", "EUR", "1", signals), none.clone())]);
        assert_eq!(diff.to_human.reasons.sorted(), [(reason, 1)], "{signals:?}");
    }
}

#[test]
fn a_run_that_stands_has_the_reason() {
    let none = Site::new("a", &["a.example"]).unwrap();
    let row = row("a", "EUR", "1", &["asn:hosting"]);
    let mut judge = Judge::default();
    let judgement = judge.judge(&row, &none).unwrap();
    let standing = standing(&row, &["asn:hosting".to_owned(), "rule:farm".to_owned()]);
    let mut diff = Diff::default();
    let reason = diff.add(&Difference { standing: &standing, judgement: &judgement, crawler: None });
    assert_eq!(reason, "rule:farm");
    assert_eq!(diff.to_human.reasons.sorted(), [("rule:farm of a", 1)]);
}

#[test]
fn shadows_count_what_they_have_not_marked() {
    let shadow = site("a", "drop", true);
    let diff = diff_of(&[(row("a", "EUR", "1", &[]), shadow.clone()), (row("a", "EUR", "1", &["shadow:de"]), shadow)]);
    let expected = Marked { events: 1, purchases: 1 };
    assert_eq!(diff.shadows.into_iter().collect::<Vec<_>>(), [("shadow:de of a".to_owned(), expected)]);
}

#[test]
fn who_stays_what_it_is_is_counted_by_what_is_new_or_gone_in_its_evidence() {
    let mut diff = Diff::default();
    let mut note = |row: &StoredRow, site: &Site| {
        let mut judge = Judge::default();
        diff.note_evidence(&standing(row, &row.bot_signals), &judge.judge(row, site).unwrap());
    };
    let flagged = site("a", "flag", false);
    note(&row("a", "EUR", "1", &["rule:gone"]), &flagged);
    note(&row("a", "EUR", "1", &["shadow:try", "header:x", "rule:gone"]), &flagged);
    note(&row("a", "EUR", "1", &["shadow:try", "rule:de"]), &flagged);
    note(&row("a", "EUR", "1", &["header:x"]), &site("a", "flag", true));
    assert_eq!(diff.other_evidence, 2);
    assert_eq!(diff.evidence.sorted(), [("+rule:de", 2), ("-rule:gone", 2)]);
}

#[test]
fn only_newer_rules_are_noted() {
    let mut diff = Diff::default();
    for version in ["", "2000-01-01", RULES_VERSION] {
        diff.note_version(version);
        assert_eq!(diff.newer_rules, None, "{version}");
    }
    for version in ["2999-02-01", "2999-01-01"] {
        diff.note_version(version);
        assert_eq!(diff.newer_rules.as_deref(), Some("2999-02-01"), "{version}");
    }
}

#[test]
fn names_are_bounded_and_none_is_lost() {
    let mut tally = Tally::default();
    for number in 0..MAX_NAMES + 5 {
        tally.add(&number.to_string(), 1);
    }
    tally.add("0", 1);
    assert_eq!(tally.total(), MAX_NAMES as u64 + 6);
    assert_eq!(tally.sorted()[..2], [(OTHERS, 5), ("0", 2)]);
}
