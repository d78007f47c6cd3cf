//! What client hints change in an answer.
//!
//! In scope: hints win over the user agent, which browsers froze: Windows 11, the real Android version and model, brands
//! that hide behind Chrome. Names stay those of uap-core. Out of scope: reading the headers (`hint`), device families
//! (`parser` looks a hinted model up as if the user agent named it).

use std::borrow::Cow;

use crate::family::OTHER;
use crate::hint::{Brand, ClientHints};
use crate::user_agent::{DeviceType, UserAgent};

/// The longest name taken from a hint.
const MAX_NAME_BYTES: usize = 64;
/// The longest version taken from a hint.
const MAX_VERSION_BYTES: usize = 32;
/// The `Sec-CH-UA-Platform-Version` that Windows 11 begins with.
const WINDOWS_11_MAJOR: u32 = 13;

/// Brands whose uap-core family has another name: on a computer, on a phone.
const FAMILIES: [(&str, &str, &str); 14] = [
    ("Microsoft Edge", "Edge", "Edge Mobile"),
    ("Opera", "Opera", "Opera Mobile"),
    ("OperaMobile", "Opera", "Opera Mobile"),
    ("Opera GX", "Opera", "Opera Mobile"),
    ("Brave Browser", "Brave", "Brave"),
    ("Yandex", "Yandex Browser", "Yandex Browser"),
    ("YaBrowser", "Yandex Browser", "Yandex Browser"),
    ("DuckDuckGo", "DuckDuckGo", "DuckDuckGo Mobile"),
    ("Android WebView", "Chrome Mobile WebView", "Chrome Mobile WebView"),
    ("Microsoft Edge WebView2", "Edge", "Edge Mobile"),
    ("CocCoc", "Coc Coc", "Coc Coc"),
    ("AvastSecureBrowser", "Avast Secure Browser", "Avast Secure Browser"),
    ("QQBrowser", "QQ Browser", "QQ Browser Mobile"),
    ("HuaweiBrowser", "Huawei Browser", "Huawei Browser"),
];

/// Applies all hints but the model.
pub(crate) fn refine(agent: &mut UserAgent, hints: &ClientHints<'_>) {
    let is_mobile = hints.is_mobile();
    if let Some(brand) = hints.brand() {
        refine_browser(agent, brand, is_mobile.unwrap_or(agent.browser.contains("Mobile")));
    }
    if let Some(platform) = hints.platform_name() {
        refine_os(agent, platform, hints.platform_number());
    }
    if let Some(is_mobile) = is_mobile {
        agent.device_type = refine_device_type(agent.device_type, is_mobile, &agent.os);
    }
}

fn refine_browser(agent: &mut UserAgent, brand: Brand<'_>, is_mobile: bool) {
    let says_chrome = agent.browser.starts_with("Chrom") || agent.browser == OTHER;
    let is_engine = matches!(brand.name, "Chromium" | "Google Chrome");
    if !is_engine {
        let known = FAMILIES.iter().find(|(name, ..)| *name == brand.name);
        let family = known.map_or(brand.name, |(_, desktop, mobile)| if is_mobile { mobile } else { desktop });
        // The user agent may know more (`Edge Mobile`, an app's own browser): only a plain Chrome hides a brand.
        if family.len() <= MAX_NAME_BYTES && says_chrome {
            agent.browser = Cow::Owned(family.to_owned());
        }
    }
    let names_browser = !is_engine || agent.browser.starts_with("Chrom");
    if names_browser && is_version(brand.version) && !has_major(&agent.browser_version, brand.version) {
        agent.browser_version = Cow::Owned(brand.version.to_owned());
    }
}

/// Whether a version is a fuller form of `hinted`, which is then no news.
fn has_major(version: &str, hinted: &str) -> bool {
    !hinted.contains('.') && version.split('.').next() == Some(hinted)
}

fn refine_os(agent: &mut UserAgent, platform: &str, version: Option<&str>) {
    let family = match platform {
        "macOS" => "Mac OS X",
        // A user agent may name the distribution.
        "Linux" if !matches!(agent.os.as_ref(), "Windows" | "Mac OS X" | "Android" | OTHER) => return,
        "Windows" => "Windows",
        "Android" => "Android",
        "iOS" => "iOS",
        "Chrome OS" | "Chromium OS" => "Chrome OS",
        "Linux" => "Linux",
        _ => return,
    };
    let is_news = agent.os != family;
    if is_news {
        agent.os = Cow::Borrowed(family);
        agent.os_version = Cow::Borrowed("");
    }
    let version = version.filter(|version| is_version(version));
    match (family, version) {
        ("Windows", Some(version)) => agent.os_version = Cow::Borrowed(windows_version(version)),
        // The kernel's version tells nothing about a distribution.
        ("Linux", _) | (_, None) => {}
        (_, Some(version)) => agent.os_version = Cow::Owned(without_zeros(version).to_owned()),
    }
}

/// The Windows version that a platform version stands for.
fn windows_version(version: &str) -> &'static str {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    match (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) {
        (WINDOWS_11_MAJOR.., _) => "11",
        (1.., _) => "10",
        (0, 3) => "8.1",
        (0, 2) => "8",
        (0, _) => "7",
    }
}

/// `14.0.0` as `14`: the way a user agent says it.
fn without_zeros(mut version: &str) -> &str {
    while let Some(shorter) = version.strip_suffix(".0") {
        version = shorter;
    }
    version
}

fn is_version(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_VERSION_BYTES
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

fn refine_device_type(found: DeviceType, is_mobile: bool, os: &str) -> DeviceType {
    match (found, is_mobile, os) {
        (DeviceType::Desktop | DeviceType::Other, true, _) | (DeviceType::Tablet, true, "Android") => {
            DeviceType::Smartphone
        }
        (DeviceType::Smartphone, false, "Android") => DeviceType::Tablet,
        (DeviceType::Other | DeviceType::Smartphone, false, "Windows" | "Mac OS X" | "Chrome OS" | "Linux") => {
            DeviceType::Desktop
        }
        _ => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chrome(os: &str, os_version: &str) -> UserAgent {
        UserAgent {
            browser: "Chrome".into(),
            browser_version: "138.0.0".into(),
            os: os.to_owned().into(),
            os_version: os_version.to_owned().into(),
            device_type: DeviceType::Desktop,
            ..UserAgent::default()
        }
    }

    #[test]
    fn windows_eleven_is_told_by_its_platform_version() {
        for (hinted, expected) in
            [("\"15.0.0\"", "11"), ("\"13.0.0\"", "11"), ("\"10.0.0\"", "10"), ("\"0.3.0\"", "8.1"), ("\"0.1.0\"", "7")]
        {
            let mut agent = chrome("Windows", "10");
            let hints =
                ClientHints { platform: Some("\"Windows\""), platform_version: Some(hinted), ..ClientHints::default() };
            refine(&mut agent, &hints);
            assert_eq!(agent.os_version, expected, "{hinted}");
        }
    }

    #[test]
    fn brands_that_hide_behind_chrome_are_named_as_uap_core_names_them() {
        for (brand, mobile, expected) in [
            ("Brave", "?0", "Brave"),
            ("Microsoft Edge", "?0", "Edge"),
            ("Opera", "?1", "Opera Mobile"),
            ("Vivaldi", "?0", "Vivaldi"),
            ("Google Chrome", "?0", "Chrome"),
        ] {
            let list = format!("\"{brand}\";v=\"138\", \"Chromium\";v=\"138\", \"Not)A;Brand\";v=\"8\"");
            let mut agent = chrome("Windows", "10");
            refine(&mut agent, &ClientHints { brands: Some(&list), mobile: Some(mobile), ..ClientHints::default() });
            assert_eq!(agent.browser, expected, "{brand}");
            assert_eq!(agent.browser_version, "138.0.0", "{brand}");
        }
    }

    #[test]
    fn a_user_agent_that_names_the_browser_keeps_it() {
        let mut agent =
            UserAgent { browser: "Edge Mobile".into(), browser_version: "138.0.3351".into(), ..UserAgent::default() };
        let list = r#""Microsoft Edge";v="138", "Chromium";v="138""#;
        refine(&mut agent, &ClientHints { brands: Some(list), ..ClientHints::default() });
        assert_eq!((agent.browser.as_ref(), agent.browser_version.as_ref()), ("Edge Mobile", "138.0.3351"));
    }

    #[test]
    fn android_versions_lose_their_zeros_and_platforms_are_corrected() {
        let mut agent = chrome("Linux", "");
        let hints = ClientHints {
            platform: Some("\"Android\""),
            platform_version: Some("\"14.0.0\""),
            mobile: Some("?1"),
            ..ClientHints::default()
        };
        refine(&mut agent, &hints);
        assert_eq!((agent.os.as_ref(), agent.os_version.as_ref()), ("Android", "14"));
        assert_eq!(agent.device_type, DeviceType::Smartphone);
    }

    #[test]
    fn an_app_that_names_itself_is_not_its_engine() {
        let mut agent =
            UserAgent { browser: "Instagram".into(), browser_version: "300.0".into(), ..UserAgent::default() };
        let list = r#""Android WebView";v="138", "Chromium";v="138""#;
        refine(&mut agent, &ClientHints { brands: Some(list), ..ClientHints::default() });
        assert_eq!(agent.browser, "Instagram");
    }

    #[test]
    fn the_version_of_a_kernel_is_not_the_version_of_a_system() {
        let mut agent = chrome("Windows", "10");
        let hints =
            ClientHints { platform: Some("\"Linux\""), platform_version: Some("\"6.5.0\""), ..ClientHints::default() };
        refine(&mut agent, &hints);
        assert_eq!((agent.os.as_ref(), agent.os_version.as_ref()), ("Linux", ""));
    }

    #[test]
    fn a_distribution_is_kept_when_the_platform_is_linux() {
        let mut agent = chrome("Ubuntu", "");
        refine(
            &mut agent,
            &ClientHints { platform: Some("\"Linux\""), platform_version: Some("\"6.5.0\""), ..ClientHints::default() },
        );
        assert_eq!((agent.os.as_ref(), agent.os_version.as_ref()), ("Ubuntu", ""));
    }
}
