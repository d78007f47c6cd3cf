//! Self-identified crawlers.
use std::borrow::Cow;

/// A self-identified crawler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crawler {
    /// Its name, as it calls itself.
    pub name: Cow<'static, str>,
    /// What it crawls for.
    pub class: CrawlerClass,
}

/// What a crawler is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CrawlerClass {
    /// Search engine.
    Search,
    /// Collects training data for AI models.
    AiTraining,
    /// Indexes for an AI search product.
    AiSearch,
    /// Fetches pages on behalf of an AI assistant's user.
    AiAssistant,
    /// Search engine optimisation and marketing research.
    Seo,
    /// Uptime and performance monitoring.
    Monitoring,
    /// Link previews.
    Preview,
    /// HTTP library or command-line client.
    Library,
    /// Security scanner.
    Scanner,
    /// Headless or driven browser.
    Headless,
    /// Any other crawler.
    Other,
}

impl CrawlerClass {
    /// The lower-case tag used in signals.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::AiTraining => "ai_training",
            Self::AiSearch => "ai_search",
            Self::AiAssistant => "ai_assistant",
            Self::Seo => "seo",
            Self::Monitoring => "monitoring",
            Self::Preview => "preview",
            Self::Library => "library",
            Self::Scanner => "scanner",
            Self::Headless => "headless",
            Self::Other => "other",
        }
    }
}

/// The crawler a user agent declares itself to be, if it does.
pub fn crawler(user_agent: &str) -> Option<Crawler> {
    user_agent.to_ascii_lowercase().contains("bot").then(|| Crawler { name: Cow::Borrowed("bot"), class: CrawlerClass::Other })
}
