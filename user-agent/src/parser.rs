//! The parser and its bounded caches.
use crate::agent::Agent;
use crate::hint::ClientHints;

/// Parses user agents; keeps bounded caches between calls.
#[derive(Debug, Default)]
pub struct Parser {}

impl Parser {
    /// A parser with empty caches.
    pub fn new() -> Self {
        Self {}
    }

    /// Browser, operating system and device of a user agent.
    pub fn parse(&mut self, user_agent: &str, hints: &ClientHints<'_>) -> Agent {
        let _ = (user_agent, hints, &self);
        let other = || "Other".to_owned();
        Agent { browser: other(), os: other(), device: other(), ..Agent::default() }
    }

    /// The crawler a user agent declares itself to be, if it does.
    pub fn crawler(&mut self, user_agent: &str) -> Option<crate::Crawler> {
        let _ = &self;
        crate::crawler(user_agent)
    }
}
