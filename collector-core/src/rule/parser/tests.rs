//! Conditions that are refused, and where the error points.

use proptest::prelude::*;

use super::*;

#[test]
fn mistakes_are_pointed_at() {
    let deep = format!("{}is_bot{}", "(".repeat(MAX_DEPTH + 1), ")".repeat(MAX_DEPTH + 1));
    let many = format!("asn in [{}]", vec!["1"; MAX_VALUES + 1].join(","));
    for (condition, column, expected, found) in [
        ("", 1, "a field, not or (", "the end"),
        ("nation = \"CN\"", 1, "a field such as country", "nation"),
        ("country", 8, "=, !=, in", "the end"),
        ("country > 3", 9, "=, !=, in", ">"),
        ("country = 3", 11, "a text in quotes", "3"),
        ("country in \"CN\"", 12, "[", "\"CN\""),
        ("country in [\"CN\" \"RU\"]", 18, ", or ]", "\"RU\""),
        ("country in []", 13, "a value", "]"),
        ("asn = \"1\"", 7, "a number", "\"1\""),
        ("asn matches \"1\"", 5, "=, !=, <", "matches"),
        ("is_bot = 1", 8, "and, or or the end", "="),
        ("bot_signals = \"x\"", 13, "has after a list", "="),
        ("ip_address in [\"10.0.0.0/40\"]", 16, "an address or a network", "\"10.0.0.0/40\""),
        ("ip_address in [\"10.0.0.0/8\", \"10.0.0.1/8\"]", 30, "a network whose other bits are 0", "\"10.0.0.1/8\""),
        ("ip_address = 7", 14, "a text in quotes", "7"),
        ("(is_bot", 8, ")", "the end"),
        ("is_bot)", 7, "and, or or the end", ")"),
        ("is_bot and", 11, "a field, not or (", "the end"),
        ("not", 4, "a field, not or (", "the end"),
        ("properties.plan = \"x\"", 11, "[", "."),
        ("user_agent matches \"a(?=b)\"", 24, "a plain group", "="),
        (r#"user_agent matches "\"\\.\d(?=b)""#, 30, "a plain group", "="),
        ("user_agent matches \"(ab\"", 24, ") at the end of a group", "the end"),
        ("event_type in [\"view\", \"item\"]", 24, "another type than item", "\"item\""),
        ("city = \"Köln", 8, "a closing \"", "the end"),
        (&deep, 17, "at most 16 levels", "("),
        (&many, 208, "at most 100 values", ","),
        (&"x".repeat(MAX_CONDITION_BYTES + 1), 1, "a condition of at most 1,024 bytes", "more"),
    ] {
        let fault = parse(condition).expect_err(condition);
        assert_eq!((fault.column, fault.found.as_str()), (column, found), "{condition}: {fault:?}");
        assert!(fault.expected.starts_with(expected), "{condition}: {fault:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_condition_or_an_error_inside_it(condition in "\\PC{0,80}|([a-z_]{1,8}|[ =<>!()\\[\\],.\"0-9-]){0,30}") {
        if let Err(fault) = parse(&condition) {
            prop_assert!((1..=condition.chars().count() + 1).contains(&fault.column), "{fault:?}");
        }
    }

    #[test]
    fn any_mixture_of_words_is_a_condition_or_an_error(words in prop::collection::vec(prop::sample::select(vec![
        "country", "asn", "is_bot", "bot_signals", "ip_address", "properties", "and", "or", "not", "in", "has", "matches", "contains",
        "=", "!=", "<", ">=", "(", ")", "[", "]", ",", "\"a\"", "\"10.0.0.0/8\"", "1", "-2.5",
    ]), 0..24)) {
        let _ = parse(&words.join(" "));
    }
}
