//! The crawler verdict: what must be found, and what the lists are known to get wrong about people.

use user_agent::{CrawlerClass, Parser};

/// Crawlers by class; the user agents are published by their operators or found in the lists of `data/README.md`.
const CRAWLERS: [(&str, CrawlerClass, &str); 34] = [
    ("Googlebot", CrawlerClass::Search, "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    (
        "Googlebot",
        CrawlerClass::Search,
        "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    ),
    (
        "bingbot",
        CrawlerClass::Search,
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36",
    ),
    (
        "YandexBot",
        CrawlerClass::Search,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 8_1 like Mac OS X) AppleWebKit/600.1.4 (KHTML, like Gecko) Version/8.0 Mobile/12B411 Safari/600.1.4 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    ),
    (
        "Applebot",
        CrawlerClass::Search,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_10_1) AppleWebKit/600.2.5 (KHTML, like Gecko) Version/8.0.2 Safari/600.2.5 (Applebot/0.1; +http://www.apple.com/go/applebot)",
    ),
    (
        "GPTBot",
        CrawlerClass::AiTraining,
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    ),
    ("ClaudeBot", CrawlerClass::AiTraining, "claudebot"),
    ("CCBot", CrawlerClass::AiTraining, "CCBot/1.0 (+http://www.commoncrawl.org/bot.html)"),
    (
        "Bytespider",
        CrawlerClass::AiTraining,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 11_0 like Mac OS X) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/40.0.3754.1902 Mobile Safari/537.36; Bytespider",
    ),
    (
        "Claude-Web",
        CrawlerClass::AiTraining,
        "Mozilla/5.0 (Linux; arm_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36 claude-web",
    ),
    (
        "OAI-SearchBot",
        CrawlerClass::AiSearch,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36; compatible; OAI-SearchBot/1.3; +https://openai.com/searchbot",
    ),
    (
        "PerplexityBot",
        CrawlerClass::AiSearch,
        "Mozilla/5.0 (compatible; PerplexityBot/1.0; +https://www.perplexity.ai/bot)",
    ),
    ("ChatGPT-User", CrawlerClass::AiAssistant, "ChatGPT-User/1.0"),
    (
        "Perplexity-User",
        CrawlerClass::AiAssistant,
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Perplexity-User/1.0; +https://perplexity.ai/perplexity-user)",
    ),
    ("AhrefsBot", CrawlerClass::Seo, "Mozilla/5.0 (compatible; AhrefsBot/5.2; News; +http://ahrefs.com/robot/)"),
    ("SemrushBot", CrawlerClass::Seo, "Mozilla/5.0 (compatible; SemrushBot-SA/0.97; +http://www.semrush.com/bot.html)"),
    ("Pingdom", CrawlerClass::Monitoring, "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)"),
    ("UptimeRobot", CrawlerClass::Monitoring, "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)"),
    (
        "Chrome-Lighthouse",
        CrawlerClass::Monitoring,
        "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5 Build/MRA58N) AppleWebKit/537.36(KHTML, like Gecko) Chrome/69.0.3464.0 Mobile Safari/537.36 Chrome-Lighthouse",
    ),
    (
        "facebookexternalhit",
        CrawlerClass::Preview,
        "facebookexternalhit/1.0 (+http://www.facebook.com/externalhit_uatext.php)",
    ),
    ("WhatsApp", CrawlerClass::Preview, "WhatsApp/0.3.4679 N"),
    ("Twitterbot", CrawlerClass::Preview, "Twitterbot/1.0"),
    ("curl", CrawlerClass::Library, "curl/8.5.0"),
    ("python-requests", CrawlerClass::Library, "python-requests/2.11.1"),
    ("Go-http-client", CrawlerClass::Library, "Go-http-client/1.1"),
    ("Java", CrawlerClass::Library, "Java/1.8.0_292"),
    ("sqlmap", CrawlerClass::Scanner, "sqlmap/1.7.8#stable (https://sqlmap.org)"),
    ("Nikto", CrawlerClass::Scanner, "Mozilla/5.00 (Nikto/2.1.5) (Evasions:None) (Test:Port Check)"),
    ("Nuclei", CrawlerClass::Scanner, "Nuclei - Open-source project (github.com/projectdiscovery/nuclei)"),
    (
        "HeadlessChrome",
        CrawlerClass::Headless,
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/138.0.0.0 Safari/537.36",
    ),
    (
        "PhantomJS",
        CrawlerClass::Headless,
        "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.0.0 Safari/538.1",
    ),
    (
        "heritrix",
        CrawlerClass::Other,
        "Mozilla/5.0 (compatible; archive.org_bot/heritrix-1.15.4 +http://www.archive.org)",
    ),
    ("NeverHeardOfBot", CrawlerClass::Other, "Mozilla/5.0 (compatible; NeverHeardOfBot/1.0)"),
    (
        "webtru_crawler",
        CrawlerClass::Other,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/86.0.4240.183 Safari/537.36 webtru_crawler",
    ),
];

#[test]
fn crawlers_are_named_and_classed() {
    let mut parser = Parser::new();
    for (name, class, user_agent) in CRAWLERS {
        let found = parser.crawler(user_agent).map(|crawler| (crawler.name.into_owned(), crawler.class));
        assert_eq!(found, Some((name.to_owned(), class)), "{user_agent}");
    }
}

/// People: what one list or another takes for a crawler, with the report where there is one.
const PEOPLE: [(&str, &str); 30] = [
    (
        "Cubot phone, isbot #29",
        "Mozilla/5.0 (Linux; Android 9; CUBOT_P20) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/96.0.4664.45 Mobile Safari/537.36",
    ),
    (
        "Cubot phone with build",
        "Mozilla/5.0 (Linux; U; Android 4.2.2; de-de; CUBOT C10+ Build/JDQ39) AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari/534.30",
    ),
    (
        "Logicom M bot, Crawler-Detect #283",
        "Mozilla/5.0 (Linux; Android 7.0; M bot 60 Build/NRD90M) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/70.0.3538.110 Mobile Safari/537.36",
    ),
    (
        "Logicom M BOT TAB",
        "Mozilla/5.0 (Linux; Android 7.1.2; M_bot_tab_71 Build/NHG47K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/58.0.3029.83 Safari/537.36",
    ),
    (
        "Logicom POWER BOT",
        "Mozilla/5.0 (Linux; Android 6.0; POWER BOT Build/MRA58K; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/53.0.2785.124 Mobile Safari/537.36",
    ),
    (
        "Logicom IDbot",
        "Mozilla/5.0 (Linux; Android 5.1; IDbot553 Build/LMY47I) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/55.0.2883.91 Mobile Safari/537.36",
    ),
    (
        "XBot phone",
        "Mozilla/5.0 (Linux; Android 8.1.0; XBot Junior) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/87.0.4280.101 Mobile Safari/537.36",
    ),
    (
        "htc_botdugls",
        "Mozilla/5.0 (Linux; U; Android 4.0.4; de-de; htc_botdugls Build/IMM76D) AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari/534.30",
    ),
    (
        "Google TV",
        "Mozilla/5.0 (Linux; Android 4.2.2; LG Google TV TV Build/JDQ39) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/29.0.1547.80 Safari/537.36",
    ),
    (
        "GoogleTV set-top box",
        "Mozilla/5.0 (Linux; GoogleTV 3.2; asus_google_cube Build/MASTER) AppleWebKit/534.24 (KHTML, like Gecko) Chrome/11.0.696.77 Safari/534.24",
    ),
    (
        "Google Pixel, isbot #190",
        "Mozilla/5.0 (Linux; Android 12; Google Pixel 6 Build/SD1A.210817.023; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/94.0.4606.71 Mobile Safari/537.36",
    ),
    (
        "in-app initiator, isbot #269",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Initiator: https://app.example",
    ),
    (
        "HiSearch, isbot #269",
        "Mozilla/5.0 (Linux; Android 10; STK-L21 Build/HUAWEISTK-L21; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.186 Mobile Safari/537.36 HiSearch/22.0.6.315",
    ),
    (
        "AirWatch, isbot #269",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Version/17.5.1 Safari/605.1.15 (AirWatch Browser v24.06)",
    ),
    (
        "Facebook page manager, isbot #269",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [FBAN/FBPageAdmin;FBAV/400.0.0.25;FBDV/iPhone14,5;FBSN/iOS;FBSV/16.6]",
    ),
    (
        "in-app browser of Facebook",
        "Mozilla/5.0 (Linux; Android 14; SM-A546B Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/138.0.7204.63 Mobile Safari/537.36 MetaIAB Facebook",
    ),
    (
        "an Android build id",
        "Mozilla/5.0 (Linux; U; Android 15; zh-cn; PLE110 Build/AP3A.240617.008) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/121.0.6167.71 MQQBrowser/19.5 Mobile Safari/537.36",
    ),
    (
        "HTC Butterfly",
        "Mozilla/5.0 (Linux; Android 4.2.2; HTC Butterfly Build/JDQ39) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/30.0.1599.92 Mobile Safari/537.36",
    ),
    (
        "ViewSonic",
        "Mozilla/5.0 (Linux; U; Android 2.3;en-us; ViewSonic-ViewPad7e Build/ERE27) AppleWebKit/533.1 (KHTML, Like Gecko) Version/4.0 Mobile Safari/533.1",
    ),
    (
        "FEVER phone, matomo #5484",
        "Mozilla/5.0 (Linux; Android 5.1; FEVER Build/LMY47D) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/51.0.2704.81 Mobile Safari/537.36",
    ),
    (
        "Titan phone, crowdsec #742",
        "Mozilla/5.0 (Linux; Android 10; Titan Pocket) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/99.0.4844.58 Mobile Safari/537.36",
    ),
    (
        "Doro phone, CIDRAM #527",
        "Mozilla/5.0 (Linux; Android 11; Doro 8100) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/104.0.0.0 Mobile Safari/537.36",
    ),
    (
        "toolbar of old Internet Explorers",
        "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 5.1; Trident/4.0;  Embedded Web Browser from: http://bsalsa.com/; .NET CLR 1.0.3705)",
    ),
    (
        "Chrome Frame",
        "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; WOW64; Trident/5.0; chromeframe/19.0.1084.52)",
    ),
    (
        "Sogou browser",
        "Mozilla/5.0 (Linux; Android 10; M40SE(M5T3) Build/QP1A.190711.020; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/80.0.3987.132 Safari/537.36 SogouMSE,SogouMobileBrowser/6.1.5",
    ),
    (
        "Java phone",
        "Mozilla/5.0 (Series40; Nokia501/11.1.1/java_runtime_version=Nokia_Asha_1_1_1; Profile/MIDP-2.1 Configuration/CLDC-1.1) Gecko/20100401 S40OviBrowser/3.9.0.0.22",
    ),
    (
        "television, maker BOTECH",
        "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/87.0.4280.88 Safari/537.36 HbbTV/1.6.1 (+DRM; LGE/KTC/BOTECH; 58BSE9503; WEBOS22 04.42.26; W22_K8LP; DTV_C22P;)",
    ),
    (
        "television, build Catcher",
        "Mozilla/5.0 (Linux armv7l) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/84.0.4147.140 Safari/537.36 OPR/46.0.2207.0 OMI/4.21.4.112.Catcher4.69 Model/Hisense-MT9602 VIDAA/5.0(Hisense;SmartTV;55A52FEVS)",
    ),
    (
        "Coc Coc browser",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/123.0.0.0 CocCocBrowser/123.0.123 Safari/537.36",
    ),
    (
        "news app",
        "Mozilla/5.0 (Linux; Android 6.0.1; ATH-AL00 Build/HONORATH-AL00; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/53.0.2785.124 Mobile Safari/537.36 JsKit/1.0 (Android) SohuNews/5.7.3 BuildCode/113",
    ),
];

#[test]
fn people_are_not_crawlers() {
    let mut parser = Parser::new();
    for (case, user_agent) in PEOPLE {
        assert_eq!(parser.crawler(user_agent), None, "{case}: {user_agent}");
    }
}

#[test]
fn a_crawler_that_names_itself_beside_a_phone_is_found() {
    let mut parser = Parser::new();
    for user_agent in [
        "Mozilla/5.0 (Linux; Android 11; SomeBot/1.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/90.0 Mobile Safari/537.36",
        "Mozilla/5.0 (Linux; Android 9; CUBOT_P20) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/96.0 Mobile Safari/537.36 (compatible; Googlebot/2.1)",
    ] {
        assert!(parser.crawler(user_agent).is_some(), "{user_agent}");
    }
}
