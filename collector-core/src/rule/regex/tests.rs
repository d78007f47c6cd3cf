//! The same answers as the crate regex, in time that grows with the text.

use proptest::prelude::*;

use super::*;
use crate::rule::MAX_BEACON_STEPS;

fn is_match(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error:?}")).is_match(text, &Work::default())
}

#[test]
fn patterns_match_where_they_should() {
    for (pattern, yes, no) in [
        ("", "", None),
        ("abc", "xabcx", Some("abx")),
        ("^abc$", "abc", Some("abcd")),
        ("(?i)Headless", "a HEADLESS b", Some("head")),
        (r"bot\b", "a bot.", Some("botany")),
        (r"\Bbot", "robot", Some("bot")),
        ("[a-c]+x", "bcax", Some("dx")),
        ("[^a-c]x", "éx", Some("ax")),
        ("[]x]", "]", Some("y")),
        (r"[\d.]{3,}$", "v1.2", Some("v1.x")),
        ("colou?r", "color", Some("colouur")),
        ("a(?:b|c)*d", "abccbd", Some("abced")),
        ("a{2}", "baab", Some("ab")),
        ("^.$", "é", Some("ab")),
        (r"^/p/\d+$", "/p/17", Some("/p/x")),
        ("(?i)straße", "STRAßE", Some("STRASSE")),
        (r"\.php\?", "/a.php?x", Some("/a.phpx")),
    ] {
        assert!(is_match(pattern, yes), "{pattern} on {yes}");
        assert!(!no.is_some_and(|no| is_match(pattern, no)), "{pattern} on {no:?}");
    }
}

#[test]
fn what_is_not_supported_is_pointed_at() {
    for (pattern, expected) in [
        (
            "a(?=b)",
            "a plain group ( or (?: (look-around, names and flags are not supported) at character 4 of the pattern",
        ),
        ("(ab", ") at the end of a group at character 4 of the pattern"),
        ("ab)", "( before this ) at character 3 of the pattern"),
        ("*a", r"something to repeat (a character that repeats is written \*) at character 1 of the pattern"),
        ("(?i)a**", "a group around what repeats a repetition at character 7 of the pattern"),
        (r"\p{L}", r"a sign or one of d D w W s S b B n r t after \ at character 3 of the pattern"),
        ("[a", "] at the end of a class at character 3 of the pattern"),
        ("[z-a]", "a range from a lower to a higher character at character 5 of the pattern"),
        ("a{3,2}", "a repetition such as {2}, {2,} or {2,5} at character 7 of the pattern"),
        ("(a{200}){200}", "a pattern of at most 256 steps, repetitions counted out at character 1 of the pattern"),
        ("((((((){250}){250}){250}){250}){250}){250}", "ok"),
    ] {
        let found = match Regex::new(pattern) {
            Err(RegexError { expected, at }) => format!("{expected} at character {at} of the pattern"),
            Ok(_) => "ok".to_owned(),
        };
        assert_eq!(found, expected, "{pattern}");
    }
    let long = Regex::new(&"a".repeat(MAX_REGEX_BYTES + 1)).unwrap_err();
    assert_eq!(long.expected, "a pattern of at most 256 bytes");
    let deep = Regex::new(&"(".repeat(MAX_REGEX_BYTES)).unwrap_err();
    assert_eq!(deep.expected, "at most 16 groups in one another");
}

#[test]
fn a_pattern_that_has_no_work_left_matches_nothing() {
    let regex = Regex::new(".{100}z").unwrap();
    let (text, work) = ("a".repeat(2_000) + "z", Work::default());
    assert!(regex.is_match(&text, &work) && !work.is_used_up());
    work.spend(MAX_BEACON_STEPS / 2);
    work.spend(MAX_BEACON_STEPS / 2);
    assert!(!regex.is_match(&text, &work) && work.is_used_up());
}

#[test]
fn what_is_known_costs_a_step_for_each_byte() {
    let text = "/category/jewellery/rings?sort=price".repeat(50);
    for pattern in ["bot|crawl|spider", "^/admin", r"\bbot\b", "(?i)headless", "é", "(.?){120}Z"] {
        let (regex, work) = (Regex::new(pattern).unwrap(), Work::default());
        regex.is_match(&text, &work);
        let once = MAX_BEACON_STEPS - work.steps_left();
        regex.is_match(&text, &work);
        let again = MAX_BEACON_STEPS - work.steps_left() - once;
        assert!(
            text.len() <= again && again < text.len() + 100,
            "{pattern}: {once}, then {again} steps for {} bytes",
            text.len()
        );
    }
}

/// Patterns that both engines know, over few letters, so that they often match.
fn pattern() -> impl Strategy<Value = String> {
    let atom = prop::sample::select(vec![
        "a", "b", "B", ".", "-", "é", r"\.", "[ab]", "[^a]", "[a-c]", r"[\d_]", r"\d", r"\D", "^", "$", r"\b", "(?:)",
    ]);
    let leaf = atom.prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 4, |inner| {
        let repeat = prop::sample::select(vec!["*", "+", "?", "*?", "+?", "{2}", "{0,2}", "{1,}", "{0}"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|parts| parts.concat()),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("({})", parts.join("|"))),
            (inner, repeat).prop_map(|(part, repeat)| format!("(?:{part}){repeat}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn answers_are_those_of_the_crate_regex(pattern in pattern(), text in "[abBc1_.\\-é\n]{0,10}", ignores_case in any::<bool>()) {
        // ASCII rules for \d and \b on both sides; our texts have no letters that fold beyond ASCII.
        prop_assume!(!(text.contains('é') && pattern.contains(r"\b")));
        let pattern = if ignores_case { format!("(?i){pattern}") } else { pattern };
        if let Ok(own) = Regex::new(&pattern) {
            let oracle = ::regex::Regex::new(&pattern).expect("both know these patterns");
            prop_assert_eq!(own.is_match(&text, &Work::default()), oracle.is_match(&text), "{} on {:?}", pattern, text);
        }
    }

    #[test]
    fn any_text_is_a_pattern_or_an_error(pattern in "\\PC{0,40}|[\\[\\](){}|*+?^$\\\\a-c0-9,:-]{0,60}", text in "\\PC{0,80}") {
        if let Ok(regex) = Regex::new(&pattern) {
            prop_assert!(regex.len() <= MAX_STEPS);
            regex.is_match(&text, &Work::default());
        }
    }
}
