//! The agents whose signatures are checked.
//!
//! In scope: the agents that every collector knows, and those that its operator adds. Out of scope: their keys (`directory`).
//!
//! The list also guards: only directories of agents on it are fetched, so nobody can make the collector send requests where they like.

use crate::site::is_id;
use crate::wire;

/// The most agents that an operator adds.
pub const MAX_AGENTS: usize = 100;

/// The longest origin, in bytes.
const MAX_ORIGIN_BYTES: usize = 255;

/// Agents that were seen to sign what they send, by the names of their operators' products.
// chatgpt.com: simonwillison.net/2025/Aug/4/chatgpt-agents-user-agent; agent.bot.goog: developers.google.com/crawling; the others by captured
// requests.
const KNOWN: [(&str, &str); 4] = [
    ("ahrefsbot", "https://ahrefs.com"),
    ("chatgpt", "https://chatgpt.com"),
    ("duckduckbot", "https://bot.duckduckgo.com"),
    ("google-agent", "https://agent.bot.goog"),
];

/// One agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its name in the evidence: lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// What it says as `Signature-Agent`: scheme and host, without a path.
    pub origin: String,
}

/// The agents whose signatures are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agents {
    agents: Vec<Agent>,
}

impl Agents {
    /// The known ones and those of the variable: a JSON list of agents; an empty text is none. The error says what is wrong with it.
    pub fn parse(variable: &str) -> Result<Self, String> {
        let variable = Some(variable.trim()).filter(|text| !text.is_empty()).unwrap_or("[]");
        let list = wire::objects(variable).ok_or("expected a list of objects, found something else")?;
        if list.len() > MAX_AGENTS {
            return Err(format!("expected at most {MAX_AGENTS} agents, found more"));
        }
        let mut agents = Vec::with_capacity(list.len() + KNOWN.len());
        for agent in list {
            let text = |member| agent.unknown_text(member).unwrap_or_default().into_owned();
            let (name, origin) = (text("name"), text("origin"));
            if !is_id(&name) || !is_origin(&origin) {
                return Err(format!(
                    "expected an id as name and an origin such as https://agent.example, found {name:?} and {origin:?}"
                ));
            }
            agents.push(Agent { name, origin });
        }
        // Behind the operator's own, who may call an agent otherwise.
        agents.extend(KNOWN.map(|(name, origin)| Agent { name: name.to_owned(), origin: origin.to_owned() }));
        Ok(Self { agents })
    }

    /// The agent of an origin as `Signature-Agent` has it.
    pub fn find(&self, origin: &str) -> Option<&Agent> {
        let origin = origin.strip_suffix('/').unwrap_or(origin);
        self.agents.iter().find(|agent| agent.origin.eq_ignore_ascii_case(origin))
    }
}

/// HTTPS and a host; HTTP only where the keys cannot be changed on their way: on this machine, for tests.
fn is_origin(origin: &str) -> bool {
    let host = match origin.split_once("://") {
        Some(("https", host)) => host,
        Some(("http", host)) if host.split(':').next() == Some("127.0.0.1") => host,
        _ => return false,
    };
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
    origin.len() <= MAX_ORIGIN_BYTES && !host.is_empty() && host.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_adds_to_the_known_agents() {
        let variable = r#"[{"name": "our-monitor", "origin": "https://Monitor.example:8443"}, {"name": "openai", "origin": "https://chatgpt.com"}]"#;
        let agents = Agents::parse(variable).unwrap();
        let name = |origin| agents.find(origin).map(|agent| agent.name.as_str());
        assert_eq!(name("https://monitor.example:8443"), Some("our-monitor"));
        assert_eq!(name("https://MONITOR.example:8443/"), Some("our-monitor"));
        assert_eq!(name("https://chatgpt.com"), Some("openai"), "the operator's name counts");
        assert_eq!(name("https://agent.bot.goog"), Some("google-agent"));
        assert_eq!(name("https://monitor.example:8443/x"), None);
        assert_eq!(name("https://evil.example"), None);
        assert_eq!(Agents::parse(" ").unwrap().agents.len(), KNOWN.len());
    }

    #[test]
    fn the_known_agents_are_well_formed() {
        for (name, origin) in KNOWN {
            assert!(is_id(name) && is_origin(origin) && origin.starts_with("https://"), "{name}");
        }
    }

    #[test]
    fn a_variable_that_cannot_be_is_refused() {
        let of = |name: &str, origin: &str| serde_json::json!([{"name": name, "origin": origin}]).to_string();
        for (name, origin) in [
            ("A", "https://a.example"),
            ("a", "http://a.example"),
            ("a", "http://127.0.0.1.evil.example"),
            ("a", "https://"),
            ("a", "https://a.example/path"),
            ("a", "https://user@a.example"),
            ("a", "a.example"),
        ] {
            assert!(Agents::parse(&of(name, origin)).is_err(), "{name} {origin}");
        }
        assert!(Agents::parse(&of("a", "http://127.0.0.1:8080")).is_ok());
        assert!(Agents::parse("{}").is_err());
        assert!(Agents::parse(r#"[{"name": "a"}]"#).is_err());
        let many: Vec<_> =
            (0..=MAX_AGENTS).map(|_| serde_json::json!({"name": "a", "origin": "https://a.example"})).collect();
        assert!(Agents::parse(&serde_json::Value::from(many).to_string()).is_err());
    }
}
