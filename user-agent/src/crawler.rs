//! Self-identified crawlers.
//!
//! In scope: what a user agent calls itself. Lists of names and of words that only crawlers use are matched against the
//! user agent, after what looks like a crawler's name but is not one (a phone called Cubot) is blanked out.
//! Out of scope: clients that claim to be a browser and are none, which other signals must find.

#[cfg(feature = "compile")]
pub mod compile;
mod label;
mod mask;

use std::borrow::Cow;

use crate::pattern::{PatternSet, Scratch};
use label::Labels;

/// A self-identified crawler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crawler {
    /// Its name: as the list that knows it spells it, else the word of the user agent that gave it away.
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
    /// Every class, in the order of their numbers in the tables.
    pub const ALL: [Self; 11] = [
        Self::Search,
        Self::AiTraining,
        Self::AiSearch,
        Self::AiAssistant,
        Self::Seo,
        Self::Monitoring,
        Self::Preview,
        Self::Library,
        Self::Scanner,
        Self::Headless,
        Self::Other,
    ];

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

/// The crawler lists.
#[derive(Clone, Debug)]
pub(crate) struct Crawlers<'t> {
    /// What to blank out first; group 1 of each.
    exclusions: PatternSet<'t>,
    patterns: PatternSet<'t>,
    labels: Labels<'t>,
}

impl Crawlers<'static> {
    /// The lists that ship with this crate.
    pub(crate) fn shipped() -> Self {
        Self {
            exclusions: PatternSet::new(include_bytes!("../data/crawler_exclusions.bin")),
            patterns: PatternSet::new(include_bytes!("../data/crawler_patterns.bin")),
            labels: Labels::new(include_bytes!("../data/crawler_labels.bin")),
        }
    }
}

impl Crawlers<'static> {
    /// The crawler that a user agent declares itself to be. Few browsers match at all, so what is not one is blanked out
    /// only to confirm a match.
    pub(crate) fn find(&self, user_agent: &str, scratch: &mut Scratch) -> Option<Crawler> {
        let is_browser = is_browser_shaped(user_agent);
        self.first(user_agent, is_browser, scratch)?;
        match mask::mask(user_agent, &self.exclusions, scratch) {
            Cow::Borrowed(text) => self.first(text, is_browser, scratch),
            Cow::Owned(text) => self.first(&text, is_browser, scratch),
        }
    }

    fn first(&self, text: &str, is_browser: bool, scratch: &mut Scratch) -> Option<Crawler> {
        self.patterns.scan(text, scratch);
        self.patterns.find_map(text, self.labels.patterns(is_browser), scratch, |pattern, groups| {
            let label = self.labels.label(pattern)?;
            let name = match self.labels.name(pattern) {
                Some(name) => Cow::Borrowed(name),
                None => Cow::Owned(label::name_in(text, label, groups.range(1)?).to_owned()),
            };
            Some(Crawler { name, class: label.class })
        })
    }
}

/// Whether a user agent has the shape of a browser that runs scripts: weak evidence then proves nothing.
fn is_browser_shaped(user_agent: &str) -> bool {
    const ENGINES: [&str; 3] = ["AppleWebKit", "Gecko/", "Trident/"];
    user_agent.starts_with("Mozilla/5.0 (") && ENGINES.iter().any(|engine| user_agent.contains(engine))
}
