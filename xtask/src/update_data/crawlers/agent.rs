//! Names of AI agents.
//!
//! Taken from the names and functions in <https://github.com/ai-robots-txt/ai.robots.txt> (`robots.json`, MIT, 2026-08-22),
//! without those that never appear in a user agent (`Google-Extended`) and those that mean something else as part of one
//! (`Code`, `Spider`, `Operator`, `OpenAI`, `Cursor`, `LCC`, `YaK`).

use user_agent::CrawlerClass;
use user_agent::crawler::compile::Entry;

use super::named;

/// Fetch pages when a person asks an assistant to.
const ASSISTANTS: [&str; 36] = [
    "AI2Bot-DeepResearchEval",
    "amazon-QBusiness",
    "AmazonBuyForMe",
    "Amzn-User",
    "atlassian-bot",
    "BuddyBot",
    "ChatGPT Agent",
    "ChatGPT-User",
    "Claude-Code",
    "Claude-User",
    "cohere-ai",
    "DuckAssistBot",
    "GeistHaus-PageFetcher",
    "Gemini-Deep-Research",
    "Google-Agent",
    "Google-Gemini-CLI",
    "Google-NotebookLM",
    "GoogleAgent-Mariner",
    "GoogleAgent-URLContext",
    "kagi-fetcher",
    "Kimi-User",
    "KlaviyoAIBot",
    "LinerBot",
    "Manus-User",
    "meta-externalfetcher",
    "MistralAI-User",
    "Mozilla-Tabstack",
    "NovaAct",
    "Perplexity-User",
    "PhindBot",
    "Poggio-Citations",
    "QualifiedBot",
    "Shap-User",
    "TongyiBot",
    "TwinAgent",
    "YiyanBot",
];

/// Index pages for answers.
const SEARCHERS: [&str; 21] = [
    "AddSearchBot",
    "amazon-kendra",
    "Amazonbot",
    "Amzn-SearchBot",
    "Andibot",
    "AzureAI-SearchBot",
    "Channel3Bot",
    "Claude-SearchBot",
    "Cloudflare-AutoRAG",
    "ExaSearchBot",
    "iAskBot",
    "iaskspider",
    "LinkupBot",
    "meta-webindexer",
    "OAI-SearchBot",
    "PerplexityBot",
    "QueritBot",
    "ShapBot",
    "TavilyBot",
    "YouBot",
    "ZanistaBot",
];

/// Collect data to train models, or sell it to those who do.
const TRAINERS: [&str; 47] = [
    "AI2Bot",
    "AIWebIndex",
    "anthropic-ai",
    "ApifyBot",
    "ApifyWebsiteContentCrawler",
    "bedrockbot",
    "Brightbot",
    "Bytespider",
    "CCBot",
    "ChatGLM-Spider",
    "Claude-Web",
    "ClaudeBot",
    "CloudVertexBot",
    "cohere-training-data-crawler",
    "Cotoyogi",
    "CragCrawler",
    "Crawl4AI",
    "Datenbank Crawler",
    "DeepSeekBot",
    "Diffbot",
    "FacebookBot",
    "FirecrawlAgent",
    "FriendlyCrawler",
    "GoogleOther",
    "GPTBot",
    "HenkBot",
    "ICC-Crawler",
    "ImagesiftBot",
    "img2dataset",
    "ISSCyberRiskCrawler",
    "Kangaroo Bot",
    "KunatoCrawler",
    "laion-huggingface-processor",
    "LAIONDownloader",
    "meta-externalagent",
    "MyCentralAIScraperBot",
    "NagetBot",
    "omgili",
    "PanguBot",
    "Poseidon Research Crawler",
    "Reflectionbot",
    "SBIntuitionsBot",
    "TikTokSpider",
    "Timpibot",
    "VelenPublicWebCrawler",
    "WRTNBot",
    "YandexAdditional",
];

/// One entry per agent; assistants first, because their names may begin with the name of a trainer.
pub(super) fn entries() -> Vec<Entry> {
    let lists = [
        (ASSISTANTS.as_slice(), CrawlerClass::AiAssistant),
        (SEARCHERS.as_slice(), CrawlerClass::AiSearch),
        (TRAINERS.as_slice(), CrawlerClass::AiTraining),
    ];
    lists.into_iter().flat_map(|(names, class)| names.iter().map(move |name| named(name, class))).collect()
}
