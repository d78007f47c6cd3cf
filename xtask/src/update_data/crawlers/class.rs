//! What crawlers are for. In scope: from the tags or, where there are none, the words of a list to our classes.

use user_agent::CrawlerClass;

/// Tags of crawler-user-agents, the most telling first.
const TAGS: [(&str, CrawlerClass); 8] = [
    ("ai-crawler", CrawlerClass::AiTraining),
    ("browser-automation", CrawlerClass::Headless),
    ("scanner", CrawlerClass::Scanner),
    ("http-library", CrawlerClass::Library),
    ("social-preview", CrawlerClass::Preview),
    ("monitoring", CrawlerClass::Monitoring),
    ("search-engine", CrawlerClass::Search),
    ("seo", CrawlerClass::Seo),
];

/// Words in patterns of lists without tags.
const WORDS: [(CrawlerClass, &[&str]); 7] = [
    (
        CrawlerClass::Headless,
        &["headless", "playwright", "phantom", "selenium", "cypress", "puppeteer", "webkit2png", "electron"],
    ),
    (
        CrawlerClass::Scanner,
        &["scan", "nikto", "sqlmap", "burp", "openvas", "nessus", "acunetix", "nuclei", "zmeu", "audit", "security"],
    ),
    (CrawlerClass::Preview, &["preview", "whatsapp", "snapchat", "embed", "unfurl", "thumb", "screenshot"]),
    (
        CrawlerClass::Monitoring,
        &[
            "monitor",
            "pingdom",
            "uptime",
            "statuscake",
            "check",
            "lighthouse",
            "pagespeed",
            "speed",
            "ptst",
            "synthetic",
            "rigor",
            "dareboost",
        ],
    ),
    (CrawlerClass::Seo, &["seo", "backlink", "semrush", "ahrefs", "majestic"]),
    (
        CrawlerClass::Library,
        &[
            "http", "java", "perl", "php", "python", "wget", "curl", "library", "libwww", "axios", "ruby", "client",
            "rest", "node\\b", "jetty",
        ],
    ),
    (CrawlerClass::Search, &["search", "google", "yahoo", "yandex", "baidu", "bing", "naver", "daum", "sogou"]),
];

/// The class of a crawler with tags.
pub(super) fn of_tags(tags: &[String], pattern: &str) -> CrawlerClass {
    let tagged = TAGS.iter().find(|(tag, _)| tags.iter().any(|found| found == tag)).map(|(_, class)| *class);
    tagged.unwrap_or_else(|| of_words(pattern))
}

/// The class of a crawler without tags.
pub(super) fn of_words(pattern: &str) -> CrawlerClass {
    let lower = pattern.to_lowercase();
    let told = WORDS.iter().find(|(_, words)| words.iter().any(|word| lower.contains(word)));
    told.map_or(CrawlerClass::Other, |(class, _)| *class)
}
