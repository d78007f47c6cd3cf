//! The parser and its bounded caches.
use crate::agent::Agent;
use crate::family::Families;
use crate::hint::ClientHints;
use crate::pattern::Scratch;

/// Parses user agents; keeps bounded caches between calls.
#[derive(Debug)]
pub struct Parser {
    families: Families<'static>,
    scratch: Scratch,
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

impl Parser {
    /// A parser with empty caches.
    pub fn new() -> Self {
        Self { families: Families::shipped(), scratch: Scratch::new() }
    }

    /// Browser, operating system and device of a user agent.
    pub fn parse(&mut self, user_agent: &str, hints: &ClientHints<'_>) -> Agent {
        let _ = hints;
        self.families.scan(user_agent, &mut self.scratch);
        let browser = self.families.browser(user_agent, &mut self.scratch);
        let os = self.families.os(user_agent, &mut self.scratch);
        let device = self.families.device(user_agent, &mut self.scratch);
        Agent {
            browser: browser.family,
            browser_version: browser.version,
            os: os.family,
            os_version: os.version,
            device: device.family,
            device_brand: device.brand,
            device_model: device.model,
            device_type: crate::DeviceType::Other,
        }
    }

    /// The crawler a user agent declares itself to be, if it does.
    pub fn crawler(&mut self, user_agent: &str) -> Option<crate::Crawler> {
        let _ = &self;
        crate::crawler(user_agent)
    }
}
