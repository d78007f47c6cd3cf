//! Where the visit came from: referrer host and marketing channel.
//!
//! In scope: a channel by the published order of the GA4 default channel group (including AI Assistant), over our own short host lists.
//! Out of scope: sessions (each event is classified alone; an own-domain referrer is `Internal`), site-specific overrides.

use std::borrow::Cow;

use crate::enrich::page::Campaign;
use crate::origin::is_host_within;
use crate::site::Site;
use crate::url::Url;

/// Hosts of assistants; tried before the shorter search and social names.
const AI_HOSTS: [&str; 12] = [
    "chatgpt.com",
    "chat.openai.com",
    "claude.ai",
    "gemini.google.com",
    "copilot.microsoft.com",
    "perplexity.ai",
    "chat.deepseek.com",
    "grok.com",
    "x.ai",
    "chat.mistral.ai",
    "phind.com",
    "meta.ai",
];

/// Names of search engines: the whole host, or its second-level name (`google.co.uk` is `google`).
const SEARCH: [&str; 16] = [
    "google",
    "bing",
    "duckduckgo",
    "yahoo",
    "yandex",
    "baidu",
    "ecosia",
    "qwant",
    "startpage",
    "naver",
    "seznam",
    "sogou",
    "brave",
    "kagi",
    "ask",
    "aol",
];

/// Names of social networks.
const SOCIAL: [&str; 19] = [
    "facebook",
    "instagram",
    "twitter",
    "x",
    "t",
    "linkedin",
    "lnkd",
    "pinterest",
    "reddit",
    "tiktok",
    "snapchat",
    "threads",
    "vk",
    "weibo",
    "tumblr",
    "mastodon",
    "bsky",
    "ycombinator",
    "quora",
];

/// Names of video sites.
const VIDEO: [&str; 6] = ["youtube", "youtu", "vimeo", "twitch", "dailymotion", "netflix"];

/// Names of shopping sites.
const SHOPPING: [&str; 7] = ["amazon", "ebay", "etsy", "alibaba", "aliexpress", "walmart", "idealo"];

/// What a source is known for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Assistant,
    Search,
    Social,
    Video,
    Shopping,
    Email,
    Other,
    None,
}

/// The host of a referrer, lower-case, without `www.`; empty if there is none or if it is one of the site's own.
pub fn referrer_host<'a>(referrer: &'a str, site: &Site) -> Cow<'a, str> {
    let host = Url::parse(referrer).map(|url| url.host()).unwrap_or_default();
    if site.has_host(&host) { Cow::Borrowed("") } else { host }
}

/// The channel of one event.
pub fn channel(campaign: &Campaign<'_>, referrer: &str, referrer_host: &str) -> &'static str {
    let medium = campaign.medium.to_ascii_lowercase();
    let name = campaign.campaign.to_ascii_lowercase();
    let source = campaign.source.to_ascii_lowercase();
    let kind = if source.is_empty() { kind_of_click(campaign.click_id, referrer_host) } else { kind_of(&source) };
    if medium.is_empty() && source.is_empty() {
        if let Some(channel) = campaign.click_id.and_then(paid_click) {
            return channel;
        }
        return match kind {
            Kind::None if !referrer.is_empty() => "Internal",
            kind => organic(kind),
        };
    }
    channel_of_campaign(kind, &medium, &name, &source)
}

fn channel_of_campaign(kind: Kind, medium: &str, name: &str, source: &str) -> &'static str {
    let is_paid = medium.contains("cp") || medium == "ppc" || medium == "retargeting" || medium.starts_with("paid");
    let is_shopping = kind == Kind::Shopping
        || name.contains("shopping")
        || name.split(|c: char| !c.is_alphanumeric()).any(|w| w == "shop");
    let is_email = |text: &str| ["email", "e-mail", "e_mail", "e mail", "newsletter"].contains(&text);
    if name.contains("cross-network") {
        return "Cross-network";
    }
    if is_paid {
        return match kind {
            _ if is_shopping => "Paid Shopping",
            Kind::Search => "Paid Search",
            Kind::Social => "Paid Social",
            Kind::Video => "Paid Video",
            _ if medium == "cpm" => "Display",
            _ => "Paid Other",
        };
    }
    match medium {
        "display" | "banner" | "expandable" | "interstitial" => "Display",
        _ if is_shopping => "Organic Shopping",
        "ai-assistant" => "AI Assistant",
        _ if kind == Kind::Assistant => "AI Assistant",
        "social" | "social-network" | "social-media" | "sm" | "social network" | "social media" => "Organic Social",
        _ if kind == Kind::Social => "Organic Social",
        _ if kind == Kind::Video || medium.contains("video") => "Organic Video",
        "organic" => "Organic Search",
        _ if kind == Kind::Search => "Organic Search",
        _ if kind == Kind::Email || is_email(medium) || is_email(source) => "Email",
        "affiliate" => "Affiliates",
        "referral" | "app" | "link" => "Referral",
        "audio" => "Audio",
        "sms" => "SMS",
        _ if source == "sms" => "SMS",
        _ if medium.ends_with("push")
            || medium.contains("mobile")
            || medium.contains("notification")
            || source == "firebase" =>
        {
            "Mobile Push Notifications"
        }
        "" => organic(kind),
        _ => "Unassigned",
    }
}

/// The channel of a click id that only a paid click carries. `fbclid` is on organic links too, and `ysclid` is organic.
fn paid_click(click_id: &str) -> Option<&'static str> {
    match click_id {
        "gclid" | "gbraid" | "wbraid" | "gclsrc" | "msclkid" | "yclid" => Some("Paid Search"),
        "dclid" => Some("Display"),
        "ttclid" | "twclid" | "li_fat_id" | "epik" | "sccid" | "scid" | "rdt_cid" => Some("Paid Social"),
        _ => None,
    }
}

fn organic(kind: Kind) -> &'static str {
    match kind {
        Kind::None => "Direct",
        Kind::Assistant => "AI Assistant",
        Kind::Search => "Organic Search",
        Kind::Social => "Organic Social",
        Kind::Video => "Organic Video",
        Kind::Shopping => "Organic Shopping",
        Kind::Email => "Email",
        Kind::Other => "Referral",
    }
}

fn kind_of_click(click_id: Option<&str>, referrer_host: &str) -> Kind {
    match click_id {
        Some("fbclid") => Kind::Social,
        Some("ysclid" | "srsltid") => Kind::Search,
        _ => kind_of(referrer_host),
    }
}

/// What a host or a bare source name is known for.
fn kind_of(source: &str) -> Kind {
    if source.is_empty() {
        return Kind::None;
    }
    // A campaign may name the assistant by its host or by its bare name (`chatgpt`).
    let is_assistant = |host: &&str| is_host_within(source, host) || host.split('.').next() == Some(source);
    if AI_HOSTS.iter().any(is_assistant) {
        return Kind::Assistant;
    }
    if source.starts_with("mail.")
        || source.starts_with("webmail.")
        || source.starts_with("outlook.")
        || source.ends_with("android.gm")
    {
        return Kind::Email;
    }
    let name = registered_name(source);
    match name {
        _ if SEARCH.contains(&name) => Kind::Search,
        _ if SOCIAL.contains(&name) => Kind::Social,
        _ if VIDEO.contains(&name) => Kind::Video,
        _ if SHOPPING.contains(&name) => Kind::Shopping,
        _ => Kind::Other,
    }
}

/// The name before the public suffix, for the suffixes that the listed sites use: `www.google.co.uk` gives `google`.
fn registered_name(host: &str) -> &str {
    let mut labels = host.rsplit('.');
    let (Some(last), Some(second)) = (labels.next(), labels.next()) else {
        return host;
    };
    match labels.next() {
        Some(third) if last.len() == 2 && matches!(second, "co" | "com" | "org" | "net" | "ne" | "or") => third,
        _ => second,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_follow_the_published_order() {
        let site = Site::new("demo", &["shop.example"]).unwrap();
        for (page, referrer, expected) in [
            ("/", "", "Direct"),
            ("/", "https://www.shop.example/p/1", "Internal"),
            ("/", "https://www.google.co.uk/", "Organic Search"),
            ("/", "https://duckduckgo.com/", "Organic Search"),
            ("/", "https://l.facebook.com/", "Organic Social"),
            ("/", "https://t.co/x", "Organic Social"),
            ("/", "https://gemini.google.com/app", "AI Assistant"),
            ("/", "https://www.youtube.com/watch", "Organic Video"),
            ("/", "https://mail.google.com/", "Email"),
            ("/", "android-app://com.google.android.gm/", "Email"),
            ("/", "https://blog.example.org/", "Referral"),
            ("/?gclid=1", "https://www.google.com/", "Paid Search"),
            ("/?fbclid=1", "https://l.facebook.com/", "Organic Social"),
            ("/?ttclid=1", "", "Paid Social"),
            ("/?utm_source=google&utm_medium=cpc", "", "Paid Search"),
            ("/?utm_source=instagram&utm_medium=paid_social", "", "Paid Social"),
            ("/?utm_source=x&utm_medium=cpc&utm_campaign=summer-shopping", "", "Paid Shopping"),
            ("/?utm_source=partner&utm_medium=cpc", "", "Paid Other"),
            ("/?utm_source=news&utm_medium=banner", "", "Display"),
            ("/?utm_source=chatgpt.com", "", "AI Assistant"),
            ("/?utm_source=newsletter", "", "Email"),
            ("/?utm_source=october&utm_medium=email", "", "Email"),
            ("/?utm_source=p&utm_medium=affiliate", "", "Affiliates"),
            ("/?utm_source=firebase&utm_medium=x", "", "Mobile Push Notifications"),
            ("/?utm_source=p&utm_medium=q", "", "Unassigned"),
            ("/?utm_source=p&utm_campaign=cross-network", "", "Cross-network"),
        ] {
            let page = format!("https://shop.example{page}");
            let campaign = Campaign::parse(&Url::parse(&page).unwrap());
            let host = referrer_host(referrer, &site);
            assert_eq!(channel(&campaign, referrer, &host), expected, "{page} from {referrer}");
        }
    }
}
