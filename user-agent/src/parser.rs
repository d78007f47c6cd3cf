//! The parser: what a user agent and its hints say, found once and remembered.
//!
//! In scope: which lists are asked, and bounded caches of their answers. Out of scope: the lists (`family`, `crawler`), what hints change
//! (`refine`).

#[cfg(test)]
mod bounds;

use crate::cache::Cache;
use crate::crawler::{Crawler, Crawlers};
use crate::family::Families;
use crate::hint::ClientHints;
use crate::pattern::{MAX_TEXT_BYTES, Scratch};
use crate::refine;
use crate::user_agent::{DeviceType, UserAgent};

/// The longest user agent that is looked at; the rest of a longer one is ignored. Of 57,000 user agents of browsers and crawlers none is longer
/// than 492 bytes, and the time of the worst that can be made up grows with the square of this.
pub const MAX_USER_AGENT_BYTES: usize = MAX_TEXT_BYTES;

/// Steps of matching per byte, at most: about twice the worst that fuzzing and a search for the most found.
#[cfg(any(test, feature = "steps"))]
pub const MAX_STEPS_PER_BYTE: usize = 2_000;

/// What uap-core calls the device of a crawler.
const SPIDER: &str = "Spider";

/// Parses user agents; keeps bounded caches between calls.
#[derive(Debug)]
pub struct Parser {
    families: Families,
    crawlers: Crawlers<'static>,
    scratch: Scratch,
    /// What `parse` has answered, with and without hints.
    parsed: Cache<UserAgent>,
    /// What `crawler` has answered; most user agents are none.
    declared: Cache<Option<Crawler>>,
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

impl Parser {
    /// A parser with empty caches.
    pub fn new() -> Self {
        Self {
            families: Families::shipped(),
            crawlers: Crawlers::shipped(),
            scratch: Scratch::new(),
            parsed: Cache::new(),
            declared: Cache::new(),
        }
    }

    /// Browser, operating system and device of a user agent.
    pub fn parse(&mut self, user_agent: &str, hints: &ClientHints<'_>) -> UserAgent {
        let text = within_limit(user_agent);
        if hints.is_empty() {
            return self.remember(&[text], |parser| parser.read(text));
        }
        let [brands, full_version_list, mobile, platform, platform_version, model] =
            hints.all().map(Option::unwrap_or_default);
        let parts = [text, brands, full_version_list, mobile, platform, platform_version, model];
        self.remember(&parts, |parser| {
            let mut agent = parser.read(text);
            refine::refine(&mut agent, hints);
            if let Some(model) = hints.model_name() {
                parser.name_model(&mut agent, model, hints.is_mobile() != Some(false));
            }
            agent
        })
    }

    /// The crawler a user agent declares itself to be, if it does.
    pub fn crawler(&mut self, user_agent: &str) -> Option<Crawler> {
        let text = within_limit(user_agent);
        match self.declared.get(&[text]) {
            Ok(crawler) => crawler,
            Err(vacancy) => {
                let crawler = self.crawlers.find(text, &mut self.scratch);
                self.declared.put(vacancy, &[text], &crawler);
                crawler
            }
        }
    }

    /// The steps taken so far to match patterns: instructions, and characters that runs look at.
    #[cfg(any(test, feature = "steps"))]
    pub fn steps(&self) -> usize {
        self.scratch.steps()
    }

    fn remember(&mut self, parts: &[&str], read: impl FnOnce(&mut Self) -> UserAgent) -> UserAgent {
        match self.parsed.get(parts) {
            Ok(agent) => agent,
            Err(vacancy) => {
                let agent = read(self);
                self.parsed.put(vacancy, parts, &agent);
                agent
            }
        }
    }

    /// What the user agent says by itself.
    fn read(&mut self, text: &str) -> UserAgent {
        self.families.scan(text, &mut self.scratch);
        let browser = self.families.browser(text, &mut self.scratch);
        let os = self.families.os(text, &mut self.scratch);
        let device = self.families.device(text, &mut self.scratch);
        let device_type =
            if device.family == SPIDER { DeviceType::Bot } else { self.families.device_type(text, &mut self.scratch) };
        UserAgent {
            browser: browser.family,
            browser_version: browser.version,
            os: os.family,
            os_version: os.version,
            device: device.family,
            device_brand: device.brand,
            device_model: device.model,
            device_type,
        }
    }

    /// Looks a hinted model up as if an Android user agent had named it: browsers that hint models have frozen their user agents.
    fn name_model(&mut self, agent: &mut UserAgent, model: &str, is_mobile: bool) {
        let mobile = if is_mobile { "Mobile " } else { "" };
        let text = format!(
            "Mozilla/5.0 (Linux; Android 10; {model}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/100.0 {mobile}Safari/537.36"
        );
        let text = within_limit(&text);
        self.families.scan(text, &mut self.scratch);
        let device = self.families.device(text, &mut self.scratch);
        (agent.device, agent.device_brand, agent.device_model) = (device.family, device.brand, device.model);
        let is_vague = matches!(agent.device_type, DeviceType::Smartphone | DeviceType::Tablet);
        if is_vague && agent.os == "Android" {
            agent.device_type = self.families.device_type(text, &mut self.scratch);
        }
    }
}

/// As much of a user agent as is looked at.
fn within_limit(user_agent: &str) -> &str {
    let mut end = user_agent.len().min(MAX_USER_AGENT_BYTES);
    while !user_agent.is_char_boundary(end) {
        end -= 1;
    }
    user_agent.get(..end).unwrap_or_default()
}
