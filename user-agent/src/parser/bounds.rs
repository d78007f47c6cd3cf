//! Any string gets an answer, in a bounded number of steps.

use proptest::prelude::*;

use super::{MAX_STEPS_PER_BYTE, MAX_USER_AGENT_BYTES, Parser};
use crate::hint::ClientHints;

/// Parts that patterns begin with, repeat or end with: what makes a backtracking matcher work hardest.
fn part() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "; ",
        "Mozilla/5.0 ",
        "Android 9; ",
        "HTC ",
        "HTC_",
        "LG",
        "LT26i ",
        "bot",
        "Bot ",
        "crawler",
        "spider/",
        "X11;",
        "compatible;",
        "Mobile ",
        "Version/4.0 ",
        "Chrome/1.1.1.1 ",
        "Safari",
        "Build/",
        ") AppleWebKit",
        "[FB",
        "FBAV/",
        "coccoc",
        "(",
        ";",
        " ",
        "_",
        "1.",
        "9",
        "a",
        "A",
        "é",
        "日",
    ];
    let repeated = (prop::sample::select(WORDS).prop_map(str::to_owned), 1_usize..200)
        .prop_map(|(word, count)| word.repeat(count));
    prop_oneof![4 => repeated, 1 => "\\PC{0,40}"]
}

/// Steps that browser, device and crawler of a user agent take.
fn steps(text: &str) -> usize {
    let mut parser = Parser::new();
    let _ = (parser.parse(text, &ClientHints::default()), parser.crawler(text));
    parser.steps()
}

/// What searches for the most steps found (mutations of the corpora, the hardest kept): long runs of what many patterns begin with, behind a word
/// that lets many patterns try. A browser takes 1 or 2 per byte.
#[test]
fn the_worst_that_searches_found_is_answered_in_a_bounded_number_of_steps() {
    for (before, repeated, after) in [
        ("Opera/", "[FB", "[HTC"),
        ("Mozi", "a", "YaaA"),
        ("Mha/", "M", "MHyMbotbXtMcrawlerMHTC HTC MTabletMOpera////Harchivee"),
        ("Mozilla/5.0 (Linux; Android 8.0; Pixel", "A", " Build"),
        ("Mozilla/5.0 (Linux; U; Android 4.3; de-de; Cubot One Build/JOP", "_", "Mobile"),
        ("Mozilla/5.0 (SAMSUNG-SGH-X120 FIVE Build/", ";", ")"),
        ("Mozilla/5.0 (Linux; Android ", " ", "; SAMSUNG"),
    ] {
        let room = MAX_USER_AGENT_BYTES - before.len() - after.len();
        let text = format!("{before}{}{after}", repeated.repeat(room / repeated.len()));
        let found = steps(&text) / text.len();
        assert!(found <= MAX_STEPS_PER_BYTE, "{found} steps per byte for {text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_string_gets_an_answer_in_a_bounded_number_of_steps(parts in prop::collection::vec(part(), 0..30)) {
        let text = parts.concat();
        let mut parser = Parser::new();
        let agent = parser.parse(&text, &ClientHints::default());
        let crawler = parser.crawler(&text);
        // What begins with nothing in particular is tried even on nothing.
        let most = MAX_STEPS_PER_BYTE * (text.len().min(MAX_USER_AGENT_BYTES) + 1);
        prop_assert!(parser.steps() <= most, "{} steps, expected at most {}", parser.steps(), most);
        prop_assert!(!agent.browser.is_empty() && !agent.os.is_empty());
        // What was seen before changes nothing, and what is beyond the limit is not looked at.
        prop_assert_eq!(parser.parse(&text, &ClientHints::default()), agent.clone());
        prop_assert_eq!(parser.parse(&text, &ClientHints::default()), agent.clone());
        prop_assert_eq!(Parser::new().crawler(&text), crawler);
        if text.is_ascii() && text.len() >= MAX_USER_AGENT_BYTES {
            prop_assert_eq!(parser.parse(&format!("{text} beyond"), &ClientHints::default()), agent);
        }
    }

    #[test]
    fn any_hints_get_an_answer(brands in "\\PC{0,80}", platform in "\\PC{0,20}", version in "[\"0-9.a]{0,12}", model in "\\PC{0,40}") {
        let hints = ClientHints {
            brands: Some(&brands),
            full_version_list: Some(&brands),
            mobile: Some(&platform),
            platform: Some(&platform),
            platform_version: Some(&version),
            model: Some(&model),
        };
        let agent = Parser::new().parse("Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36", &hints);
        prop_assert!(!agent.browser.is_empty() && !agent.os.is_empty());
    }
}
