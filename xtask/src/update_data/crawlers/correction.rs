//! Our corrections to the lists. In scope: what hits people's browsers, phones and televisions, each with the reason.

/// What is blanked out of a user agent before patterns are tried: look-around of the lists that our engine does not have,
/// and names of phones, televisions, browsers and mail programs that hold a crawler's word.
pub(super) const EXCLUSIONS: [&str; 32] = [
    // isbot: (?<! cu)bots?, (?<!cam)scan, (?<!lib)http, java(?!;), news(?!sapphire).
    " cubot",
    "camscan",
    "libhttp",
    "java;",
    "newssapphire",
    // isbot: (?<! channel/|google/)google(?!(?:wv|app|/google| pixel)).
    " channel/google",
    "google/google",
    "googlewv",
    "googleapp",
    "google pixel",
    // Phones (Crawler-Detect's exclusions); `crawler::mask` knows where most browsers name the phone.
    "; ?(?:m|b|power|id)[ _]?bot",
    "cubot[ _]",
    "google ?tv",
    "/botech[;/]",
    "turbotab[a-z]*",
    "fubotv",
    "crono",
    // Java phones state their runtime.
    "java_runtime_version",
    "java(?:fx|vm|platform)[/ ]",
    // Televisions list what they can do and which browser build they run.
    "has_cmd_http_server",
    "omi/[^ ]*",
    // Old browsers and their add-ons.
    "msn optimized",
    "yandexsearch",
    "cronet/",
    "qq-url-manager",
    "from: https?://(?:www\\.)?bsalsa\\.com",
    "https?://(?:www\\.)?bsalsa\\.com",
    // Apps on phones: what started the browser, and who compresses for it.
    "initiator: https?://[^ ]*",
    "^hisearch",
    "hisearch/",
    "google ?earth",
    "speedmode; proxy",
];

/// isbot's weak evidence: the shape of a user agent rather than a name, and words that devices and apps are named with as
/// well. A crawler in the shape of a browser gives itself away by more than these.
pub(super) const WEAK: [&str; 25] = [
    r"\b\w+/1\.0;",
    r"\|",
    r"\(\)",
    r";\s\w+;$",
    r"\.com\b",
    r"^[<\(;]",
    r"^[^ ]{50,}$",
    r"^\d+\b",
    r"^[\w\-]+/[\w]+$",
    r"^[\w \.\-\(?:\):%]+(?:/v?\d+(?:\.\d+)?(?:\.\d{1,10})*?)?(?:,|$)",
    r"^\w+/[\w\(\)]*$",
    r"^\w+/\d\.\d\s\([\w@]+\)$",
    r"^mozilla/\d\.\d\s[\w\.-]+$",
    r"^mozilla/\d\.\d\s\((?:compatible;)?(?:\s?[\w\d-.]+[\s/]\d+\.\d+)?\)$",
    r"(?:^|[^g])news(?!sapphire)",
    "java(?!;)",
    "discovery",
    "radar",
    "catch",
    "optimize",
    "virtuoso",
    "torrent",
    "download",
    "server",
    "library",
];

/// isbot's patterns that people's browsers match.
pub(super) const ISBOT_LEFT_OUT: [&str; 3] = [
    // Internet Explorer with the Chrome Frame plug-in.
    "chromeframe",
    // The Sogou browser; the crawlers call themselves spiders.
    "sogou",
    // A Firefox add-on for developers.
    "firephp",
];

/// Patterns of crawler-user-agents that people's browsers match.
pub(super) const CRAWLER_USER_AGENTS_LEFT_OUT: [&str; 10] = [
    // The in-app browser of Facebook.
    "MetaIAB Facebook",
    // An Android build.
    r"AP3A\.240617\.008",
    // An HTC phone.
    "Butterfly",
    // An editor with a built-in browser.
    r"Code\/1\.",
    // The Sogou browser; the crawlers call themselves spiders.
    "Sogou",
    // ViewSonic.
    "Sonic",
    // Messengers that open pages in a built-in browser.
    "Viber",
    // Words that are names of phones.
    "Expanse",
    "speedy",
    // Mozilla's browser for phones fetches with it.
    r"Fetch\/",
];

/// Patterns of Crawler-Detect that people's browsers match.
pub(super) const CRAWLER_DETECT_LEFT_OUT: [&str; 17] = [
    // Any word that ends in bot, reader, cron...: isbot's words ask for a word's end.
    r"[a-z0-9\-_]*(bot|crawl|archiver|transcoder|spider|uptime|validator|fetcher|cron|checker|reader|extractor|monitoring|analyzer|scraper)",
    // Browsers.
    "coccoc",
    "Flock/",
    "Flock\\/",
    "Webster",
    "Voyager\\/",
    // Part of other words: Tianyun.
    "NYU",
    // Part of other words: phones called Demon, Buddy, Seeker, Speedy, Astute, Oppo A33.
    "Demon",
    "Buddy",
    "Seeker",
    "Speedy",
    "Astute",
    "oppo A33",
    // Mail programs and offices.
    "Microsoft Outlook",
    "Microsoft Office",
    "Outlook-Express",
    "Outlook-iOS",
];

/// A pattern without the look-around that [`EXCLUSIONS`] stands for.
pub(super) fn without_look_around(pattern: &str) -> String {
    match pattern {
        r"(?:^|[^g])news(?!sapphire)" => r"(?:^|[^g])news".to_owned(),
        r"(?<! channel/|google/)google(?!(?:wv|app|/google| pixel))" => "google".to_owned(),
        r"(?<! cu)bots?(?:\b|_)" => r"bots?(?:\b|_)".to_owned(),
        "(?<!cam)scan" => "scan".to_owned(),
        "(?<!lib)http" => "http".to_owned(),
        "java(?!;)" => "java".to_owned(),
        "Yandex(?!Search)" => "Yandex".to_owned(),
        // A dash between a class and a character: JavaScript takes it for itself.
        other => other.replace(r"[\w\d-.]", r"[\w\d.\-]"),
    }
}
