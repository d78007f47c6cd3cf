//! Browser, operating system and device: the answers of uap-core, and what is ours.

use std::borrow::Cow;

use serde::Deserialize;
use user_agent::{ClientHints, DeviceType, MAX_USER_AGENT_BYTES, Parser};

/// One line of `fixtures/answers.jsonl`.
#[derive(Deserialize)]
struct Answer {
    case: String,
    ua: String,
    browser: String,
    browser_version: String,
    os: String,
    os_version: String,
    device: String,
    device_brand: String,
    device_model: String,
    device_type: String,
}

#[test]
fn answers_as_uaparser_does() {
    let mut parser = Parser::new();
    for line in include_str!("fixtures/answers.jsonl").lines() {
        let case: Answer = serde_json::from_str(line).expect("a case");
        // Three times: the second occurrence fills the cache, the third reads it.
        for _ in 0..3 {
            let found = parser.parse(&case.ua, &ClientHints::default());
            let found = [
                found.browser,
                found.browser_version,
                found.os,
                found.os_version,
                found.device,
                found.device_brand,
                found.device_model,
                Cow::Borrowed(found.device_type.as_str()),
            ];
            let expected = [
                &case.browser,
                &case.browser_version,
                &case.os,
                &case.os_version,
                &case.device,
                &case.device_brand,
                &case.device_model,
                &case.device_type,
            ];
            assert_eq!(found, expected.map(|text| Cow::Borrowed(text.as_str())), "{}: {}", case.case, case.ua);
        }
    }
}

const FROZEN_ANDROID: &str =
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36";
const FROZEN_WINDOWS: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36";

#[test]
fn hints_tell_the_real_phone() {
    let hints = ClientHints {
        brands: Some(r#""Chromium";v="138", "Google Chrome";v="138", "Not)A;Brand";v="8""#),
        full_version_list: Some(
            r#""Chromium";v="138.0.7204.63", "Google Chrome";v="138.0.7204.63", "Not)A;Brand";v="8.0.0.0""#,
        ),
        mobile: Some("?1"),
        platform: Some("\"Android\""),
        platform_version: Some("\"15.0.0\""),
        model: Some("\"SM-S918B\""),
    };
    let agent = Parser::new().parse(FROZEN_ANDROID, &hints);
    assert_eq!((&*agent.browser, &*agent.browser_version), ("Chrome Mobile", "138.0.7204.63"));
    assert_eq!((&*agent.os, &*agent.os_version), ("Android", "15"));
    assert_eq!(
        (&*agent.device, &*agent.device_brand, &*agent.device_model),
        ("Samsung SM-S918B", "Samsung", "SM-S918B")
    );
    assert_eq!(agent.device_type, DeviceType::Smartphone);
}

#[test]
fn a_hinted_model_tells_the_type_of_a_frozen_user_agent() {
    for (model, mobile, expected) in [
        ("\"SM-S918B\"", "?1", DeviceType::Smartphone),
        ("\"SM-X200\"", "?1", DeviceType::Tablet),
        ("\"BRAVIA 4K UR2\"", "?0", DeviceType::Tv),
        ("\"Unheard Of 9\"", "?0", DeviceType::Tablet),
    ] {
        let hints = ClientHints {
            mobile: Some(mobile),
            platform: Some("\"Android\""),
            model: Some(model),
            ..ClientHints::default()
        };
        assert_eq!(Parser::new().parse(FROZEN_ANDROID, &hints).device_type, expected, "{model}");
    }
}

#[test]
fn hints_tell_windows_eleven_and_brave() {
    let hints = ClientHints {
        brands: Some(r#""Not)A;Brand";v="8", "Chromium";v="138", "Brave";v="138""#),
        mobile: Some("?0"),
        platform: Some("\"Windows\""),
        platform_version: Some("\"15.0.0\""),
        ..ClientHints::default()
    };
    let mut parser = Parser::new();
    for _ in 0..3 {
        let agent = parser.parse(FROZEN_WINDOWS, &hints);
        assert_eq!((&*agent.browser, &*agent.browser_version), ("Brave", "138.0.0"));
        assert_eq!((&*agent.os, &*agent.os_version), ("Windows", "11"));
        // The same user agent without hints is another key of the cache.
        assert_eq!(parser.parse(FROZEN_WINDOWS, &ClientHints::default()).browser, "Chrome");
    }
}

#[test]
fn what_lies_beyond_the_limit_is_not_looked_at() {
    let filler = "x".repeat(MAX_USER_AGENT_BYTES - 1);
    let mut parser = Parser::new();
    assert_eq!(parser.parse(&format!("{filler} Firefox/138.0"), &ClientHints::default()).browser, "Other");
    assert_eq!(parser.parse(&format!("{} Firefox/138.0", &filler[20..]), &ClientHints::default()).browser, "Firefox");
    // A character across the limit is left out as a whole.
    assert_eq!(parser.parse(&format!("{filler}\u{e9}"), &ClientHints::default()).browser, "Other");
}

#[test]
fn what_uap_core_does_not_know_is_other() {
    let agent = Parser::new().parse("", &ClientHints::default());
    assert_eq!((&*agent.browser, &*agent.os, &*agent.device), ("Other", "Other", "Other"));
    assert_eq!((&*agent.browser_version, &*agent.device_brand, agent.device_type), ("", "", DeviceType::Other));
}
