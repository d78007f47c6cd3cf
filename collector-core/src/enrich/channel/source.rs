//! What the source of a visit is known for.
//!
//! In scope: hosts, apps and names of campaigns (`data/sources.txt`), and the names by which mail programs and search pages call their own
//! hosts everywhere. Out of scope: the channel that follows (`channel`).

use crate::enrich::channel::referrer::Referrer;
use crate::known::{self, Kind};

/// Assistants that live on a path of another site.
const ASSISTANT_PATHS: [(&str, &str); 2] = [("x.com", "/i/grok"), ("bing.com", "/chat")];

/// What a search page is called: the first part of its host.
const SEARCH_LABELS: [&str; 16] = [
    "search",
    "isearch",
    "websearch",
    "searches",
    "safesearch",
    "suche",
    "recherche",
    "busca",
    "buscar",
    "buscador",
    "pesquisa",
    "ricerca",
    "szukaj",
    "hledani",
    "arama",
    "otsing",
];

/// What the names of mail programs begin with: `mail01`, `webmailcluster`.
const MAIL_BEGINNINGS: [&str; 4] = ["mail", "email", "webmail", "messagerie"];

/// What a mail program is called besides `mail`.
const MAIL_LABELS: [&str; 6] = ["outlook", "owa", "inbox", "zimbra", "roundcube", "poczta"];

/// Second-level names under which countries register domains.
const SHARED_SECOND_LEVELS: [&str; 6] = ["co", "com", "org", "net", "ne", "or"];

/// What a source is known for: a lower-case host or the name that a campaign gives it.
pub fn kind(source: &str, referrer: &Referrer<'_>) -> Kind {
    let is_path =
        |(host, path): &(&str, &str)| source == *host && referrer.host() == source && referrer.path().starts_with(path);
    if ASSISTANT_PATHS.iter().any(is_path) {
        return Kind::Assistant;
    }
    let registered = registered_domain(source);
    let (name, ending) = registered.split_once('.').unwrap_or((registered, ""));
    let is_country = ending.len() == 2 || ending.contains('.');
    let mut found = known::under_any_country(name).filter(|_| is_country);
    // The redirects of mail programs: deref-gmx.net.
    found = found.or(name.starts_with("deref-").then_some(Kind::Email));
    for (domain, listed) in known::domains(source) {
        let label = domain.split('.').next().unwrap_or("");
        let told = || kind_of_label(label).filter(|_| domain.len() > registered.len());
        found = listed.filter(|kind| *kind != Kind::Spam).or_else(told).or(found);
    }
    found.unwrap_or(Kind::Other)
}

/// What hosts of this name do, whoever runs them: `webmail.example.org`, `suche.example.de`.
fn kind_of_label(label: &str) -> Option<Kind> {
    if SEARCH_LABELS.contains(&label) {
        return Some(Kind::Search);
    }
    let word = label.split('-').next().unwrap_or("").trim_end_matches(|c: char| c.is_ascii_digit());
    let is_mail = MAIL_BEGINNINGS.iter().any(|beginning| word.starts_with(beginning))
        || word.ends_with("mail")
        || word.ends_with("mailer");
    (is_mail || MAIL_LABELS.contains(&word)).then_some(Kind::Email)
}

/// The domain that was registered, by the endings that countries share: `www.example.co.uk` gives `example.co.uk`.
fn registered_domain(host: &str) -> &str {
    let mut dots = host.rmatch_indices('.').map(|(at, _)| at);
    let (last, second, third) = (dots.next(), dots.next(), dots.next());
    let Some((last, second)) = last.zip(second) else { return host };
    let (ending, second_level) = (host.get(last + 1..).unwrap_or(""), host.get(second + 1..last).unwrap_or(""));
    let is_shared = ending.len() == 2 && SHARED_SECOND_LEVELS.contains(&second_level);
    let start = if is_shared { third.map_or(0, |dot| dot + 1) } else { second + 1 };
    host.get(start..).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_decides() {
        for (source, expected) in [
            ("google.com", Kind::Search),
            ("images.google.com.br", Kind::Search),
            ("google.example", Kind::Other),
            ("google.evil.example", Kind::Other),
            ("gemini.google.com", Kind::Assistant),
            ("docs.google.com", Kind::Other),
            ("mail.google.com", Kind::Email),
            ("my.mail.ru", Kind::Social),
            ("go.mail.ru", Kind::Search),
            ("e.mail.ru", Kind::Email),
            ("suche.web.de", Kind::Search),
            ("navigator-bs.web.de", Kind::Email),
            ("co106w.col106.mail.live.com", Kind::Email),
            ("deref-example-02.de", Kind::Email),
            ("dailymail.co.uk", Kind::Other),
            ("facebook", Kind::Social),
            ("0-0.fr", Kind::Other),
            ("", Kind::Other),
            ("..", Kind::Other),
        ] {
            assert_eq!(kind(source, &Referrer::None), expected, "{source}");
        }
    }

    #[test]
    fn registered_domains_are_told_by_shared_endings() {
        for (host, expected) in [
            ("www.example.co.uk", "example.co.uk"),
            ("example.co.uk", "example.co.uk"),
            ("a.b.example.org", "example.org"),
            ("example.org", "example.org"),
            ("org", "org"),
            ("co.uk", "co.uk"),
            ("", ""),
        ] {
            assert_eq!(registered_domain(host), expected, "{host}");
        }
    }
}
