//! The matcher against the `regex` crate: same patterns, same texts, same groups.

use proptest::prelude::*;

use super::{Source, compile};
use crate::pattern::{PatternSet, Scratch};

/// Every group's text as the `regex` crate finds it, `None` if the pattern does not match.
fn expected(source: &Source, text: &str) -> Option<Vec<String>> {
    let regex = regex::bytes::RegexBuilder::new(&source.expression)
        .case_insensitive(source.any_case)
        .unicode(false)
        .build()
        .expect("a pattern that the compiler took");
    regex.captures(text.as_bytes()).map(|groups| {
        (1..=9)
            .map(|group| {
                groups.get(group).map_or(String::new(), |found| String::from_utf8_lossy(found.as_bytes()).into_owned())
            })
            .collect()
    })
}

fn found(source: &Source, text: &str) -> Option<Vec<String>> {
    all_found(std::slice::from_ref(source), text).pop().flatten()
}

/// What each pattern of a set finds, asked one after another.
fn all_found(sources: &[Source], text: &str) -> Vec<Option<Vec<String>>> {
    let table = compile(sources).expect("patterns in the dialect");
    let set = PatternSet::new(&table);
    let mut scratch = Scratch::new();
    set.scan(text, &mut scratch);
    let all = |groups: &crate::pattern::Captures| (1..=9).map(|group| groups.group(text, group).to_owned()).collect();
    (0..set.len())
        .map(|pattern| set.find_map(text, pattern..pattern + 1, &mut scratch, |_, groups| Some(all(groups))))
        .collect()
}

fn source(expression: &str, any_case: bool) -> Source {
    Source { expression: expression.to_owned(), any_case, groups: u16::MAX }
}

#[test]
fn agrees_with_regex_on_the_shapes_that_uap_core_uses() {
    let patterns = [
        r"(Chrome)/(\d+)\.(\d+)(?:\.(\d+)|)(?:\.(\d+)|)",
        r"; *(SM-G9\d+[A-Z]?)(?: Build|\) AppleWebKit)",
        r"^.{0,200}?((?:[A-Za-z][A-Za-z0-9 -]{0,50}|)[^C][^Uu][Bb]ot)\b(?:(?:[ /]| v)(\d+)(?:\.(\d+)|)|)",
        r"(alpha|beta|gamma|delta|[Ee]psilon\w{1,3}|zeta|)(?:[ /]v?(\d+)|)",
        r"\b(?:Lenovo|LENOVO)+[ _\-]?([^,;:/ ]+)",
        r"(?:; {0,2}|^)((?:GT\-[BIiNPS]\d{4})[^;/\)]*?)(?:Build|Linux|MIUI|[;/\)])",
        r"(x86_64|aarch64)\ (\d+)\..{0,100}Chrome$",
    ];
    let texts = [
        "Chrome/91.0.4472 Chrome/1.2.3.4",
        "Linux; Android 9; SM-G950F Build/PPR1) Chrome/80.1",
        "Foo-Bar bot v12.3 Cubot/3",
        "gamma/v7 epsilonfoo 9",
        "the LenovoLENOVO_Tab, x",
        "GT-P5100 Linux; é; 日本 GT-I9100 Build",
        "x86_64 12.3 é Chrome",
        "",
    ];
    for pattern in patterns {
        for text in texts {
            for any_case in [false, true] {
                let source = source(pattern, any_case);
                assert_eq!(found(&source, text), expected(&source, text), "{source:?} on {text:?}");
            }
        }
    }
}

#[test]
fn a_pattern_is_tried_if_it_differs_where_the_last_one_looked() {
    // None is ruled out by its atoms, if it has any.
    for (first, second, text) in [
        (r"\w(?:a.b|c.d)", r"\w(?:a.b|e.d)", "xe-d"),
        (r"\w(?:a.b|c.d|e.f|g.h)", r"\w(?:a.b|c.d|e.f|i.h)", "xi-h"),
        (r"\wb*c", r"\wb*d", "xbbd"),
        (r"\w(?:ab)+c", r"\w(?:ab)+d", "xababd"),
        (r"\w(?:ab)?c", r"\w(?:ab)?d", "xd"),
        (r"\w[ab]{1,3}?c", r"\w[ab]{1,3}?d", "xabd"),
        (r"\wabcdefghijklm", r"\wabcdefghijkln", "xabcdefghijkln, abcdefgh, efghijklm"),
    ] {
        let found = all_found(&[source(first, false), source(second, false)], text);
        assert!(found[0].is_none() && found[1].is_some(), "{first}, {second}: {found:?}");
    }
}

/// Random patterns over a small alphabet, so that texts match often.
fn pattern() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => "[abc]{1,4}".prop_map(|literal| literal),
        1 => Just(".".to_owned()),
        1 => Just(r"[^a]".to_owned()),
        1 => Just(r"\w".to_owned()),
        1 => Just(r"\b".to_owned()),
        1 => Just("^".to_owned()),
        1 => Just("$".to_owned()),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 1..5).prop_map(|parts| parts.concat()),
            2 => prop::collection::vec(inner.clone(), 2..8).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            1 => inner.clone().prop_map(|part| format!("({part})")),
            1 => (r"[abc.]", "[*+?]|\\{0,2\\}|\\{1,3\\}", "\\??").prop_map(|(part, count, lazy)| format!("{part}{count}{lazy}")),
            1 => (inner, "\\?|\\{0,2\\}|\\{1,2\\}", "\\??").prop_map(|(part, count, lazy)| format!("(?:{part}){count}{lazy}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_regex(pattern in pattern(), any_case: bool, texts in prop::collection::vec("[abcABC é_-]{0,24}", 1..6)) {
        let source = source(&pattern, any_case);
        for text in texts {
            // The `regex` crate counts bytes here, the matcher characters: compare where they are the same.
            let text = if pattern.contains('.') || pattern.contains("[^") { text.replace('é', "-") } else { text };
            prop_assert_eq!(found(&source, &text), expected(&source, &text), "{:?} on {:?}", source, text);
        }
    }

    #[test]
    fn patterns_that_begin_alike_do_not_fail_alike(begin in pattern(), ends in prop::collection::vec(pattern(), 2..5), text in "[abcABC _-]{0,24}") {
        let sources: Vec<Source> = ends.iter().map(|end| source(&format!("(?:{begin})(?:{end})"), false)).collect();
        let expected: Vec<_> = sources.iter().map(|source| expected(source, &text)).collect();
        prop_assert_eq!(all_found(&sources, &text), expected, "{:?} on {:?}", sources, text);
    }

    #[test]
    fn a_cut_table_finds_nothing_else(share in 0_usize..100) {
        let sources = ["ab+c", "(?:ab|bc|cd|de)f", "x{2,3}y"].map(|expression| source(expression, false));
        let table = compile(&sources).expect("patterns in the dialect");
        let set = PatternSet::new(&table[..table.len() * share / 100]);
        let mut scratch = Scratch::new();
        set.scan("abbbc xxxy", &mut scratch);
        let first = set.find_map("abbbc xxxy", 0..3, &mut scratch, |pattern, _| Some(pattern));
        prop_assert!(first.is_none_or(|pattern| pattern == 0 || pattern == 2), "{:?}", first);
    }
}
